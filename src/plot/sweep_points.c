#include "sweep_points.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "result_table.h"

const char *const sweep_metric_names[SWEEP_N_METRICS] = {"ttft", "itl", "e2e"};

enum {
    STATUS,
    GPUS,
    SATURATED,
    TOKENS_PER_S,
    P50,
    P99 = P50 + SWEEP_N_METRICS,
    N_REQUIRED = P99 + SWEEP_N_METRICS,
    USD_PER_MILLION = N_REQUIRED,
    N_COLUMNS
};
static const char *const column_names[N_COLUMNS] = {"status",
                                                    "gpus",
                                                    "saturated",
                                                    "output_tokens_per_s",
                                                    "ttft_p50_s",
                                                    "itl_p50_s",
                                                    "e2e_p50_s",
                                                    "ttft_p99_s",
                                                    "itl_p99_s",
                                                    "e2e_p99_s",
                                                    "usd_per_million_output_tokens"};

/* The columns between "point" and "status" are the swept settings. */
static enum llmsim_status find_settings(struct sweep_points *p, const struct result_table *table,
                                        size_t status_column, struct llmsim_error *err)
{
    p->settings = calloc(status_column, sizeof *p->settings);
    for (size_t i = 1; p->settings != NULL && i < status_column; i++) {
        char *name = strdup(table->names[i]);
        if (name == NULL)
            return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
        p->settings[p->n_settings++].name = name;
    }
    return p->settings != NULL ? LLMSIM_OK : llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
}

/* The number of a value. In a grid it is that of the point before, or the next, as a rule. */
static enum llmsim_status find_value(struct sweep_setting *setting, uint32_t before,
                                     const struct llmsim_csv_field *field, uint32_t *value,
                                     struct llmsim_error *err)
{
    size_t n = setting->values.n;
    for (size_t i = 0; i < n; i++) {
        size_t k = (before + i) % n;
        const char *text = setting->values.items[k];
        if (strlen(text) == field->length && memcmp(text, field->text, field->length) == 0) {
            *value = (uint32_t)k;
            return LLMSIM_OK;
        }
    }
    *value = (uint32_t)n;
    return text_list_add(&setting->values, err, "%.*s", (int)field->length, field->text);
}

static enum llmsim_status make_room(struct sweep_points *p, struct llmsim_error *err)
{
    if (p->n_points < p->capacity)
        return LLMSIM_OK;
    size_t capacity = p->capacity > 0 ? 2 * p->capacity : 64;
    struct sweep_point *points = realloc(p->points, capacity * sizeof *points);
    if (points == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    p->points = points;
    for (size_t i = 0; i < p->n_settings; i++) {
        uint32_t *of = realloc(p->settings[i].of, capacity * sizeof *of);
        if (of == NULL)
            return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
        p->settings[i].of = of;
    }
    p->capacity = capacity;
    return LLMSIM_OK;
}

static double number_or(const struct result_table *table, size_t column, double otherwise)
{
    double value;
    return column != RESULT_TABLE_NO_COLUMN && result_table_number(table, column, &value)
               ? value
               : otherwise;
}

static enum llmsim_status add_point(struct sweep_points *p, const struct result_table *table,
                                    const size_t *columns, struct llmsim_error *err)
{
    struct sweep_point point = {.row = p->n_rows++,
                                .is_saturated = result_table_is(table, columns[SATURATED], "yes")};
    if (!result_table_is(table, columns[STATUS], "ok"))
        return LLMSIM_OK;
    enum llmsim_status status = make_room(p, err);
    size_t n = p->n_points;
    for (size_t i = 0; i < p->n_settings && status == LLMSIM_OK; i++) {
        struct sweep_setting *setting = &p->settings[i];
        assert(setting->of != NULL);
        status = find_value(setting, n > 0 ? setting->of[n - 1] : 0, &table->fields[1 + i],
                            &setting->of[n], err);
    }
    if (status != LLMSIM_OK)
        return status;
    double usd_per_million = number_or(table, columns[USD_PER_MILLION], 0);
    point.tokens_per_s = number_or(table, columns[TOKENS_PER_S], 0);
    point.gpus = number_or(table, columns[GPUS], 0);
    point.gpus = point.gpus > 0 ? point.gpus : 1;
    point.tokens_per_usd = usd_per_million > 0 ? 1e6 / usd_per_million : 0;
    for (size_t m = 0; m < SWEEP_N_METRICS; m++) {
        point.p50[m] = number_or(table, columns[P50 + m], -1);
        point.p99[m] = number_or(table, columns[P99 + m], -1);
    }
    p->points[p->n_points++] = point;
    return LLMSIM_OK;
}

/* A dollar buys the same seconds of a GPU at every point, up to the digits of the table, or not. A
 * point without a price, but with tokens that would have one: there is none for all. */
static enum sweep_yield find_yield(const struct sweep_points *p)
{
    double low = 0, high = 0;
    for (size_t i = 0; i < p->n_points; i++) {
        const struct sweep_point *point = &p->points[i];
        if (point->tokens_per_s <= 0)
            continue;
        if (point->tokens_per_usd <= 0)
            return SWEEP_PER_GPU;
        double gpu_s_per_usd = point->tokens_per_usd * point->gpus / point->tokens_per_s;
        if (high == 0 || gpu_s_per_usd < low)
            low = gpu_s_per_usd;
        if (gpu_s_per_usd > high)
            high = gpu_s_per_usd;
    }
    return high > 1.01 * low ? SWEEP_PER_USD : SWEEP_PER_GPU;
}

static void set_yields(struct sweep_points *p)
{
    p->yield = find_yield(p);
    for (size_t i = 0; i < p->n_points; i++) {
        struct sweep_point *point = &p->points[i];
        point->yield =
            p->yield == SWEEP_PER_USD ? point->tokens_per_usd : point->tokens_per_s / point->gpus;
    }
}

enum llmsim_status sweep_points_read(struct sweep_points *points, const char *dir,
                                     struct llmsim_error *err)
{
    struct result_table table;
    size_t columns[N_COLUMNS];
    bool found, ended = false;
    *points = (struct sweep_points){0};
    enum llmsim_status status = result_table_open(&table, dir, "sweep.csv", &found, err);
    if (status != LLMSIM_OK || !found)
        return status;
    status = result_table_require(&table, column_names, columns, N_REQUIRED, err);
    columns[USD_PER_MILLION] = result_table_find(&table, column_names[USD_PER_MILLION]);
    if (status == LLMSIM_OK && columns[STATUS] == 0)
        status = llmsim_fail_at(err, LLMSIM_IO, table.path, 1, 1,
                                "column status is the first; expected point before it");
    if (status == LLMSIM_OK)
        status = find_settings(points, &table, columns[STATUS], err);
    while (status == LLMSIM_OK) {
        status = result_table_next(&table, &ended, err);
        if (status != LLMSIM_OK || ended)
            break;
        status = add_point(points, &table, columns, err);
    }
    result_table_close(&table);
    set_yields(points);
    return status;
}

void sweep_points_fini(struct sweep_points *points)
{
    for (size_t i = 0; i < points->n_settings; i++) {
        free(points->settings[i].name);
        free(points->settings[i].of);
        text_list_fini(&points->settings[i].values);
    }
    for (size_t i = 0; i < points->n_axes; i++) {
        free(points->axes[i].name);
        free(points->axes[i].title);
        free(points->axes[i].of);
        text_list_fini(&points->axes[i].values);
    }
    free(points->settings);
    free(points->axes);
    free(points->points);
    *points = (struct sweep_points){0};
}
