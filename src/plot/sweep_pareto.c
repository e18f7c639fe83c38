/* sweep_pareto.c: throughput against latency. A point is on the front of a latency if no other has
 * more output tokens per second at a latency that is as low. Points that are saturated are on none:
 * their latencies say how long the trace is. */
#include <stdio.h>
#include <stdlib.h>

#include "result_table.h"
#include "sweep_points.h"

#define MAX_DRAWN 5000u
#define CLOSE_TOGETHER 0.04 /* a share of the greatest throughput */

struct by_throughput {
    const struct sweep_points *points;
    size_t metric;
};

/* The most tokens first; of equal ones the lowest latency, then the first point. */
static int compare(const void *left, const void *right, void *ctx)
{
    const struct by_throughput *by = ctx;
    size_t i = *(const size_t *)left, k = *(const size_t *)right;
    const struct sweep_point *a = &by->points->points[i], *b = &by->points->points[k];
    double x = a->p99[by->metric], y = b->p99[by->metric];
    if (a->tokens_per_s < b->tokens_per_s || a->tokens_per_s > b->tokens_per_s)
        return a->tokens_per_s > b->tokens_per_s ? -1 : 1;
    if (x < y || x > y)
        return x < y ? -1 : 1;
    return (i > k) - (i < k);
}

/* The points of the front, by falling throughput, to the beginning of `order`; how many. */
static size_t find_front(const struct sweep_points *p, size_t metric, size_t *order)
{
    size_t n = 0, n_front = 0;
    for (size_t i = 0; i < p->n_points; i++)
        if (!p->points[i].is_saturated && p->points[i].p99[metric] >= 0)
            order[n++] = i;
    qsort_r(order, n, sizeof *order, compare, &(struct by_throughput){p, metric});
    for (size_t i = 0; i < n; i++)
        if (n_front == 0 ||
            p->points[order[i]].p99[metric] < p->points[order[n_front - 1]].p99[metric])
            order[n_front++] = order[i];
    return n_front;
}

/* front_METRIC.csv: tokens/s, p99, point, by rising throughput, and a label ("-": none);
 * points that are close together have one of all their numbers, at the last. */
static enum llmsim_status write_front(const struct sweep_points *p, size_t metric,
                                      const size_t *front, size_t n_front,
                                      const struct plot_files *files, struct llmsim_error *err)
{
    char name[64];
    struct llmsim_output out;
    (void)snprintf(name, sizeof name, "front_%s.csv", sweep_metric_names[metric]);
    enum llmsim_status status = plot_files_begin(files, name, &out, err);
    if (status != LLMSIM_OK)
        return status;
    plot_put(&out, "output_tokens_per_s,%s_p99_s,point,label\n", sweep_metric_names[metric]);
    char label[128] = "";
    for (size_t i = n_front; i > 0; i--) {
        const struct sweep_point *point = &p->points[front[i - 1]];
        const struct sweep_point *next = i > 1 ? &p->points[front[i - 2]] : NULL;
        const struct sweep_point *most = &p->points[front[0]];
        size_t used = strlen(label);
        (void)snprintf(label + used, sizeof label - used, "%s%llu", used > 0 ? " " : "",
                       (unsigned long long)point->row);
        bool is_last = next == NULL || next->tokens_per_s - point->tokens_per_s >
                                           CLOSE_TOGETHER * most->tokens_per_s;
        plot_put(&out, "%.9g,%.9g,%llu,%s\n", point->tokens_per_s, point->p99[metric],
                 (unsigned long long)point->row, is_last ? label : "-");
        if (is_last)
            label[0] = '\0';
    }
    return plot_files_end(&out, LLMSIM_OK, err);
}

/* points.csv: what is drawn of the points: block 0 those that are not saturated, block 1 the
 * others. At most some thousands, evenly taken. */
static enum llmsim_status write_points(const struct sweep_points *p, const struct plot_files *files,
                                       struct llmsim_error *err)
{
    struct llmsim_output out;
    size_t stride = 1 + p->n_points / MAX_DRAWN;
    enum llmsim_status status = plot_files_begin(files, "points.csv", &out, err);
    if (status != LLMSIM_OK)
        return status;
    for (int saturated = 0; saturated <= 1; saturated++) {
        plot_put(&out, "%soutput_tokens_per_s,ttft_p99_s,itl_p99_s,e2e_p99_s\n",
                 saturated ? "\n\n" : "");
        for (size_t i = 0; i < p->n_points; i += stride) {
            const struct sweep_point *point = &p->points[i];
            if (point->is_saturated != saturated)
                continue;
            plot_put(&out, "%.9g", point->tokens_per_s);
            for (size_t m = 0; m < SWEEP_N_METRICS; m++) {
                if (point->p99[m] >= 0)
                    plot_put(&out, ",%.9g", point->p99[m]);
                else
                    plot_put(&out, ",");
            }
            plot_put(&out, "\n");
        }
    }
    return plot_files_end(&out, LLMSIM_OK, err);
}

/* Rows of sweep.csv that are on a front, with the front's name before them. */
static enum llmsim_status copy_rows(const bool *is_on_front, uint64_t n_rows, size_t metric,
                                    const char *dir, struct llmsim_output *out,
                                    struct llmsim_error *err)
{
    struct result_table table;
    bool found, ended = false;
    enum llmsim_status status = result_table_open(&table, dir, "sweep.csv", &found, err);
    if (status != LLMSIM_OK || !found)
        return status;
    if (metric == 0) {
        plot_put(out, "front,");
        llmsim_output_bytes(out, table.line.text, table.line.length);
        plot_put(out, "\n");
    }
    for (uint64_t row = 0; row < n_rows && status == LLMSIM_OK && !ended; row++) {
        status = result_table_next(&table, &ended, err);
        if (status != LLMSIM_OK || ended || !is_on_front[row])
            continue;
        plot_put(out, "%s,", sweep_metric_names[metric]);
        llmsim_output_bytes(out, table.line.text, table.line.length);
        plot_put(out, "\n");
    }
    result_table_close(&table);
    return status;
}

static enum llmsim_status write_fronts(const struct sweep_points *p, const char *dir,
                                       struct plot_files *files, size_t *order, bool *is_on_front,
                                       struct llmsim_error *err)
{
    struct llmsim_output out;
    enum llmsim_status status = plot_files_begin(files, "pareto.csv", &out, err);
    if (status != LLMSIM_OK)
        return status;
    for (size_t m = 0; m < SWEEP_N_METRICS && status == LLMSIM_OK; m++) {
        size_t n_front = find_front(p, m, order);
        memset(is_on_front, 0, p->n_rows * sizeof *is_on_front);
        for (size_t i = 0; i < n_front; i++)
            is_on_front[p->points[order[i]].row] = true;
        status = write_front(p, m, order, n_front, files, err);
        if (status == LLMSIM_OK)
            status = copy_rows(is_on_front, p->n_rows, m, dir, &out, err);
    }
    status = plot_files_end(&out, status, err);
    if (status == LLMSIM_OK)
        status = text_list_add(&files->report->pictures, err, "%s/pareto.csv", files->dir);
    return status;
}

enum llmsim_status sweep_pareto_write(const struct sweep_points *points, const char *dir,
                                      struct plot_files *files, struct llmsim_error *err)
{
    size_t *order = malloc((points->n_points + 1) * sizeof *order);
    bool *is_on_front = malloc(points->n_rows + 1);
    enum llmsim_status status = LLMSIM_OK;
    if (order == NULL || is_on_front == NULL)
        status = llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    if (status == LLMSIM_OK)
        status = write_points(points, files, err);
    if (status == LLMSIM_OK)
        status = write_fronts(points, dir, files, order, is_on_front, err);
    if (status == LLMSIM_OK)
        status = plot_files_add_script(files, "pareto", err);
    free(order);
    free(is_on_front);
    return status;
}
