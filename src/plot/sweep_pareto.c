/* sweep_pareto.c: throughput for what it costs against latency. More GPUs serve more requests at
 * lower latencies, and what is served is what comes, so throughput alone would say to buy the most:
 * the fronts are of output tokens per second and GPU, or per dollar. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "result_table.h"
#include "sweep_points.h"

#define MAX_DRAWN 5000u
/* Pixels of pareto.gp: a panel, and a digit of a label; points and characters of its list.
 */
#define PANEL_PIXELS 258.0
#define DIGIT_PIXELS 8.0
#define MAX_LISTED 24u
#define LIST_WIDTH 88u

static const struct {
    const char *column, *title;
} yield_names[] = {
    [SWEEP_PER_GPU] = {"output_tokens_per_gpu_s", "output tokens/s per GPU"},
    [SWEEP_PER_USD] = {"output_tokens_per_usd", "output tokens per US$"},
};

struct by_yield {
    const struct sweep_points *points;
    size_t metric;
};

/* The greatest yield first; of equal ones the lowest latency, then the first point. */
static int compare(const void *left, const void *right, void *ctx)
{
    const struct by_yield *by = ctx;
    size_t i = *(const size_t *)left, k = *(const size_t *)right;
    const struct sweep_point *a = &by->points->points[i], *b = &by->points->points[k];
    double x = a->p99[by->metric], y = b->p99[by->metric];
    if (a->yield < b->yield || a->yield > b->yield)
        return a->yield > b->yield ? -1 : 1;
    if (x < y || x > y)
        return x < y ? -1 : 1;
    return (i > k) - (i < k);
}

/* The points of the front, by falling yield, to the beginning of `order`; how many. */
static size_t find_front(const struct sweep_points *p, size_t metric, size_t *order)
{
    size_t n = 0, n_front = 0;
    for (size_t i = 0; i < p->n_points; i++)
        if (!p->points[i].is_saturated && p->points[i].p99[metric] >= 0)
            order[n++] = i;
    qsort_r(order, n, sizeof *order, compare, &(struct by_yield){p, metric});
    for (size_t i = 0; i < n; i++)
        if (n_front == 0 ||
            p->points[order[i]].p99[metric] < p->points[order[n_front - 1]].p99[metric])
            order[n_front++] = order[i];
    return n_front;
}

enum llmsim_status sweep_fronts_find(struct sweep_points *p, struct llmsim_error *err)
{
    size_t *order = malloc((p->n_points + 1) * sizeof *order);
    if (order == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    for (unsigned m = 0; m < SWEEP_N_METRICS; m++) {
        size_t n_front = find_front(p, m, order);
        for (size_t i = 0; i < n_front; i++)
            p->points[order[i]].fronts |= 1u << m;
    }
    free(order);
    return LLMSIM_OK;
}

static double greatest_yield(const struct sweep_points *p)
{
    double most = 0;
    for (size_t i = 0; i < p->n_points; i++)
        most = p->points[i].yield > most ? p->points[i].yield : most;
    return most;
}

/* Where the label of a point begins and ends, in pixels from the left of its panel. */
static void label_pixels(const struct sweep_point *point, double most, double pixels[static 2])
{
    double middle = most > 0 ? point->yield / (1.08 * most) * PANEL_PIXELS : 0;
    int n_digits = snprintf(NULL, 0, "%llu", (unsigned long long)point->row);
    pixels[0] = middle - DIGIT_PIXELS / 2 * (n_digits + 1);
    pixels[1] = middle + DIGIT_PIXELS / 2 * (n_digits + 1);
}

/* Which points of a front have a label: the last, and of the others as many as do not run into it
 * or into each other. */
static void choose_labels(const struct sweep_points *p, const size_t *front, size_t n_front,
                          bool *is_labelled)
{
    double most = greatest_yield(p), before = -INFINITY, last[2], pixels[2];
    if (n_front > 0)
        label_pixels(&p->points[front[0]], most, last);
    for (size_t i = n_front; i > 0; i--) {
        label_pixels(&p->points[front[i - 1]], most, pixels);
        is_labelled[i - 1] = i == 1 || (pixels[0] > before && pixels[1] < last[0]);
        if (is_labelled[i - 1])
            before = pixels[1];
    }
}

/* front_METRIC.csv: yield, p99, point, by rising yield, and a label ("-": none). */
static enum llmsim_status write_front(const struct sweep_points *p, size_t metric,
                                      const size_t *front, size_t n_front, bool *is_labelled,
                                      const struct plot_files *files, struct llmsim_error *err)
{
    char name[64];
    struct llmsim_output out;
    (void)snprintf(name, sizeof name, "front_%s.csv", sweep_metric_names[metric]);
    enum llmsim_status status = plot_files_begin(files, name, &out, err);
    if (status != LLMSIM_OK)
        return status;
    choose_labels(p, front, n_front, is_labelled);
    plot_put(&out, "%s,%s_p99_s,point,label\n", yield_names[p->yield].column,
             sweep_metric_names[metric]);
    for (size_t i = n_front; i > 0; i--) {
        const struct sweep_point *point = &p->points[front[i - 1]];
        plot_put(&out, "%.9g,%.9g,%llu,", point->yield, point->p99[metric],
                 (unsigned long long)point->row);
        if (is_labelled[i - 1])
            plot_put(&out, "%llu\n", (unsigned long long)point->row);
        else
            plot_put(&out, "-\n");
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
        plot_put(&out, "%s%s,ttft_p99_s,itl_p99_s,e2e_p99_s\n", saturated ? "\n\n" : "",
                 yield_names[p->yield].column);
        for (size_t i = 0; i < p->n_points; i += stride) {
            const struct sweep_point *point = &p->points[i];
            if (point->is_saturated != saturated)
                continue;
            plot_put(&out, "%.9g", point->yield);
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

/* "23: mixed, 64, 0.08" for the points that are on a front, and the range of the picture. */
static enum llmsim_status write_list(const struct sweep_points *p, const struct plot_files *files,
                                     struct llmsim_error *err)
{
    struct llmsim_output out;
    size_t n_front = 0, n = 0;
    enum llmsim_status status = plot_files_begin(files, "fronts.gp", &out, err);
    if (status != LLMSIM_OK)
        return status;
    for (size_t i = 0; i < p->n_points; i++)
        n_front += p->points[i].fronts != 0;
    plot_put(&out, "# fronts.gp: what pareto.gp needs.\nyield = '%s'\nyield_high = %.9g\n",
             yield_names[p->yield].title, greatest_yield(p));
    char text[1024] = "", name[32], cut[4 * LIST_WIDTH];
    size_t used = 0;
    for (size_t k = 0; k < p->n_axes && used < sizeof text; k++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.100s", k > 0 ? ", " : "",
                                 p->axes[k].title);
    gnuplot_text_cut(cut, sizeof cut, text, 2 * LIST_WIDTH - 20);
    plot_put_text(&out, "list_title", cut, GNUPLOT_TEXT);
    plot_put(&out, "n_on_fronts = %zu\nn_list = %zu\narray list[%u]\n", n_front,
             n_front < MAX_LISTED ? n_front : MAX_LISTED, MAX_LISTED);
    for (size_t i = 0; i < p->n_points && n < MAX_LISTED; i++) {
        if (p->points[i].fronts == 0)
            continue;
        used = (size_t)snprintf(text, sizeof text, "%llu: ", (unsigned long long)p->points[i].row);
        for (size_t k = 0; k < p->n_axes && used < sizeof text; k++)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", k > 0 ? ", " : "",
                                     p->axes[k].values.items[p->axes[k].of[i]]);
        gnuplot_text_cut(cut, sizeof cut, text, LIST_WIDTH);
        (void)snprintf(name, sizeof name, "list[%zu]", ++n);
        plot_put_text(&out, name, cut, GNUPLOT_TEXT);
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
                                       bool *is_labelled, struct llmsim_error *err)
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
        status = write_front(p, m, order, n_front, is_labelled, files, err);
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
    bool *is_on_front = malloc(points->n_rows + 1), *is_labelled = malloc(points->n_points + 1);
    enum llmsim_status status = LLMSIM_OK;
    if (order == NULL || is_on_front == NULL || is_labelled == NULL)
        status = llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    if (status == LLMSIM_OK)
        status = write_points(points, files, err);
    if (status == LLMSIM_OK)
        status = write_fronts(points, dir, files, order, is_on_front, is_labelled, err);
    if (status == LLMSIM_OK)
        status = write_list(points, files, err);
    if (status == LLMSIM_OK)
        status = plot_files_add_script(files, "pareto", err);
    free(order);
    free(is_on_front);
    free(is_labelled);
    return status;
}
