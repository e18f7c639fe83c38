/* latency.h: latencies reduced to a distribution and to its change over time. */
#ifndef LLMSIM_PLOT_LATENCY_H
#define LLMSIM_PLOT_LATENCY_H

#include "llmsim/stat.h"
#include "plot_files.h"
#include "time_axis.h"

#define LATENCY_MAX_SPANS 96u
#define LATENCY_MAX_SAMPLE 4000u

struct latency_sample {
    int64_t time_ns, value_ns;
};

struct latency {
    const char *name; /* "ttft", as in summary.json and in the names of files */
    struct llmsim_stat all;
    struct llmsim_stat *spans; /* n_spans of them, by time */
    unsigned n_spans;
    struct latency_sample *sample; /* every stride-th value */
    size_t n_sample;
    uint64_t stride;
};

/* For about n values. LLMSIM_RUN_FAILED: out of memory; fini is due all the same. */
LLMSIM_MUST_CHECK enum llmsim_status latency_init(struct latency *latency, const char *name,
                                                  uint64_t n, struct llmsim_error *err);
void latency_fini(struct latency *latency);

void latency_add(struct latency *latency, const struct time_axis *axis, int64_t time_ns,
                 int64_t value_ns);

/* NAME_cdf.csv: share, seconds. NAME_time.csv: the middle of a span, median, p99, number of values.
 * NAME_sample.csv: time, seconds. */
LLMSIM_MUST_CHECK enum llmsim_status latency_write(struct latency *latency,
                                                   const struct time_axis *axis,
                                                   const struct plot_files *files,
                                                   struct llmsim_error *err);
/* What the scripts need: NAME_n, NAME_low, NAME_high, NAME_p50, …. */
void latency_put(struct latency *latency, struct llmsim_output *out);

#endif
