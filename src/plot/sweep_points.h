/* sweep_points.h: what the pictures of a sweep need of sweep.csv. */
#ifndef LLMSIM_PLOT_SWEEP_POINTS_H
#define LLMSIM_PLOT_SWEEP_POINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json_file.h"
#include "llmsim/status.h"
#include "plot_files.h"

/* Latencies of a point: p50 and p99 of each metric. */
enum { SWEEP_TTFT, SWEEP_ITL, SWEEP_E2E, SWEEP_N_METRICS };
extern const char *const sweep_metric_names[SWEEP_N_METRICS];

/* A column of the swept settings, and its values in the order of their first points. */
struct sweep_setting {
    char *name;
    struct text_list values;
    uint32_t *of; /* number of the value, of each point */
};

/* What varies by itself: a setting, with those that follow from it, or several that a "list" or a
 * "zip" changes together. */
struct sweep_axis {
    char *name;              /* of the setting, or "configuration" */
    char *title;             /* and what goes with it */
    struct text_list values; /* in the order of their first points */
    uint32_t *of;            /* number of the value, of each point */
    bool has_letters;        /* values are too long for a picture: letters stand for them */
};

struct sweep_point {
    uint64_t row;              /* of sweep.csv, from 0 */
    double tokens_per_s, gpus; /* output tokens */
    double tokens_per_usd;     /* 0: no price */
    double yield;              /* throughput for what it costs: sweep_yield says in what */
    double p50[SWEEP_N_METRICS], p99[SWEEP_N_METRICS]; /* seconds; negative: the point has none */
    bool is_saturated;
    unsigned fronts; /* bit m: it is on the front of metric m */
};

/* Dollars where the GPUs of the points differ in price, else GPUs. */
enum sweep_yield { SWEEP_PER_GPU, SWEEP_PER_USD };

/* The points that did not fail. */
struct sweep_points {
    struct sweep_setting *settings;
    size_t n_settings;
    struct sweep_axis *axes; /* those that have more than one value */
    size_t n_axes;
    struct sweep_point *points;
    size_t n_points, capacity;
    uint64_t n_rows;
    enum sweep_yield yield;
};

/* Read DIR/sweep.csv. Errors: LLMSIM_IO, LLMSIM_RUN_FAILED (memory); fini is due all the same. */
LLMSIM_MUST_CHECK enum llmsim_status sweep_points_read(struct sweep_points *points, const char *dir,
                                                       struct llmsim_error *err);
void sweep_points_fini(struct sweep_points *points);

/* Find the axes. `manifest` says which settings vary together; NULL: what can be seen in the
 * points. LLMSIM_RUN_FAILED: out of memory. */
LLMSIM_MUST_CHECK enum llmsim_status
sweep_axes_find(struct sweep_points *points, const cJSON *manifest, struct llmsim_error *err);
/* The value of an axis as a picture has it: its text, or a letter (A, B, …, Z, AA, …). */
void sweep_axis_label(const struct sweep_axis *axis, uint32_t value, char label[static 64]);

/* Find the Pareto fronts. A point is on that of a metric if no other has a greater yield at a p99
 * that is as low. Saturated points are on none: their latencies say how long the trace is.
 * LLMSIM_RUN_FAILED: out of memory. */
LLMSIM_MUST_CHECK enum llmsim_status sweep_fronts_find(struct sweep_points *points,
                                                       struct llmsim_error *err);

/* The picture of an axis: data and script. */
LLMSIM_MUST_CHECK enum llmsim_status sweep_axis_write(const struct sweep_points *points,
                                                      size_t axis, struct plot_files *files,
                                                      struct llmsim_error *err);
/* Yield against latency: data, script, and pareto.csv, which copies rows of DIR/sweep.csv. */
LLMSIM_MUST_CHECK enum llmsim_status sweep_pareto_write(const struct sweep_points *points,
                                                        const char *dir, struct plot_files *files,
                                                        struct llmsim_error *err);

#endif
