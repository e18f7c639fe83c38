/* sweep_points.h: what the pictures of a sweep need of sweep.csv. */
#ifndef LLMSIM_PLOT_SWEEP_POINTS_H
#define LLMSIM_PLOT_SWEEP_POINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmsim/status.h"
#include "plot_files.h"

/* Latencies of a point: p50 and p99 of each metric. */
enum { SWEEP_TTFT, SWEEP_ITL, SWEEP_E2E, SWEEP_N_METRICS };
extern const char *const sweep_metric_names[SWEEP_N_METRICS];

/* A swept setting, and its values in the order of their first points. */
struct sweep_axis {
    char *name;
    struct text_list values;
};

struct sweep_point {
    uint64_t row;                                      /* of sweep.csv, from 0 */
    double tokens_per_s;                               /* output tokens */
    double p50[SWEEP_N_METRICS], p99[SWEEP_N_METRICS]; /* seconds; negative: the point has none */
    bool is_saturated;
};

/* The points that did not fail. */
struct sweep_points {
    struct sweep_axis *axes;
    size_t n_axes;
    struct sweep_point *points;
    uint32_t *values; /* n_axes a point: number of the axis's value */
    size_t n_points, capacity;
    uint64_t n_rows;
};

/* Read DIR/sweep.csv. Errors: LLMSIM_IO, LLMSIM_RUN_FAILED (memory); fini is due all the same. */
LLMSIM_MUST_CHECK enum llmsim_status sweep_points_read(struct sweep_points *points, const char *dir,
                                                       struct llmsim_error *err);
void sweep_points_fini(struct sweep_points *points);

static inline uint32_t sweep_points_value(const struct sweep_points *p, size_t point, size_t axis)
{
    return p->values[point * p->n_axes + axis];
}

/* The picture of an axis: data and script. Nothing if it has only one value. */
LLMSIM_MUST_CHECK enum llmsim_status sweep_axis_write(const struct sweep_points *points,
                                                      size_t axis, struct plot_files *files,
                                                      struct llmsim_error *err);
/* Throughput against latency: data, script, and pareto.csv, which copies rows of DIR/sweep.csv. */
LLMSIM_MUST_CHECK enum llmsim_status sweep_pareto_write(const struct sweep_points *points,
                                                        const char *dir, struct plot_files *files,
                                                        struct llmsim_error *err);

#endif
