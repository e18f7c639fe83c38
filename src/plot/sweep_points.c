#include "sweep_points.h"

#include <stdio.h>
#include <stdlib.h>

#include "result_table.h"

const char *const sweep_metric_names[SWEEP_N_METRICS] = {"ttft", "itl", "e2e"};

enum {
    STATUS,
    SATURATED,
    TOKENS_PER_S,
    P50,
    P99 = P50 + SWEEP_N_METRICS,
    N_COLUMNS = P99 + SWEEP_N_METRICS
};
static const char *const column_names[N_COLUMNS] = {
    "status",    "saturated",  "output_tokens_per_s", "ttft_p50_s", "itl_p50_s",
    "e2e_p50_s", "ttft_p99_s", "itl_p99_s",           "e2e_p99_s"};

/* The columns between "point" and "status" are the swept settings. */
static enum llmsim_status find_axes(struct sweep_points *p, const struct result_table *table,
                                    size_t status_column, struct llmsim_error *err)
{
    p->n_axes = status_column - 1;
    p->axes = calloc(p->n_axes + 1, sizeof *p->axes);
    for (size_t i = 0; p->axes != NULL && i < p->n_axes; i++) {
        p->axes[i].name = strdup(table->names[1 + i]);
        if (p->axes[i].name == NULL)
            return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    }
    return p->axes != NULL ? LLMSIM_OK : llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
}

/* The number of a value. In a grid it is that of the point before, or the next, as a rule. */
static enum llmsim_status find_value(struct sweep_axis *axis, const struct llmsim_csv_field *field,
                                     uint32_t *value, struct llmsim_error *err)
{
    size_t n = axis->values.n;
    for (size_t i = 0; i < n; i++) {
        size_t k = (*value + i) % n;
        const char *text = axis->values.items[k];
        if (strlen(text) == field->length && memcmp(text, field->text, field->length) == 0) {
            *value = (uint32_t)k;
            return LLMSIM_OK;
        }
    }
    *value = (uint32_t)n;
    return text_list_add(&axis->values, err, "%.*s", (int)field->length, field->text);
}

static enum llmsim_status make_room(struct sweep_points *p, struct llmsim_error *err)
{
    if (p->n_points < p->capacity)
        return LLMSIM_OK;
    size_t capacity = p->capacity > 0 ? 2 * p->capacity : 64;
    struct sweep_point *points = realloc(p->points, capacity * sizeof *points);
    if (points != NULL)
        p->points = points;
    uint32_t *values = realloc(p->values, capacity * (p->n_axes + 1) * sizeof *values);
    if (values != NULL)
        p->values = values;
    if (points == NULL || values == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    p->capacity = capacity;
    return LLMSIM_OK;
}

static enum llmsim_status add_point(struct sweep_points *p, const struct result_table *table,
                                    const size_t *columns, struct llmsim_error *err)
{
    struct sweep_point point = {.row = p->n_rows++,
                                .is_saturated = result_table_is(table, columns[SATURATED], "yes")};
    if (!result_table_is(table, columns[STATUS], "ok"))
        return LLMSIM_OK;
    enum llmsim_status status = make_room(p, err);
    if (status != LLMSIM_OK)
        return status;
    uint32_t *values = p->values + p->n_points * p->n_axes;
    for (size_t i = 0; i < p->n_axes && status == LLMSIM_OK; i++) {
        values[i] = p->n_points > 0 ? values[i - p->n_axes] : 0;
        status = find_value(&p->axes[i], &table->fields[1 + i], &values[i], err);
    }
    if (!result_table_number(table, columns[TOKENS_PER_S], &point.tokens_per_s))
        point.tokens_per_s = 0;
    for (size_t m = 0; m < SWEEP_N_METRICS; m++) {
        if (!result_table_number(table, columns[P50 + m], &point.p50[m]))
            point.p50[m] = -1;
        if (!result_table_number(table, columns[P99 + m], &point.p99[m]))
            point.p99[m] = -1;
    }
    p->points[p->n_points++] = point;
    return status;
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
    status = result_table_require(&table, column_names, columns, N_COLUMNS, err);
    if (status == LLMSIM_OK && columns[STATUS] == 0)
        status = llmsim_fail_at(err, LLMSIM_IO, table.path, 1, 1,
                                "column status is the first; expected point before it");
    if (status == LLMSIM_OK)
        status = find_axes(points, &table, columns[STATUS], err);
    while (status == LLMSIM_OK) {
        status = result_table_next(&table, &ended, err);
        if (status != LLMSIM_OK || ended)
            break;
        status = add_point(points, &table, columns, err);
    }
    result_table_close(&table);
    return status;
}

void sweep_points_fini(struct sweep_points *points)
{
    for (size_t i = 0; points->axes != NULL && i < points->n_axes; i++) {
        free(points->axes[i].name);
        text_list_fini(&points->axes[i].values);
    }
    free(points->axes);
    free(points->points);
    free(points->values);
    *points = (struct sweep_points){0};
}
