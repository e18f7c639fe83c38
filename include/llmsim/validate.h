/* validate.h: a simulation held against a measured run, and a cost model tuned to one. */
#ifndef LLMSIM_VALIDATE_H
#define LLMSIM_VALIDATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmsim/choice.h"
#include "llmsim/cost.h"
#include "llmsim/measured.h"
#include "llmsim/replay.h"
#include "llmsim/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Replay the requests of `run` together; simulated[i] (room for run->n) becomes the latencies of
 * its request i, all LLMSIM_NOT_MEASURED where it was not completed. Errors: those of
 * llmsim_replay. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_validate_replay(const struct llmsim_replay_config *config,
                       const struct llmsim_measured_run *run, struct llmsim_latencies *simulated,
                       struct llmsim_error *err);

/* Requests [first, last) of a run. */
struct llmsim_span {
    size_t first;
    size_t last;
};

/* X(name, text): the latencies that are compared. */
#define LLMSIM_METRIC_LIST(X)                                                                      \
    X(TTFT, "TTFT")                                                                                \
    X(TPOT, "TPOT")                                                                                \
    X(E2E, "E2E")
enum llmsim_metric {
#define X(name, text) LLMSIM_METRIC_##name,
    LLMSIM_METRIC_LIST(X)
#undef X
        LLMSIM_N_METRICS
};
LLMSIM_API const char *llmsim_metric_name(enum llmsim_metric metric);
LLMSIM_API int64_t llmsim_latency_ns(const struct llmsim_latencies *latencies,
                                     enum llmsim_metric metric);

/* What is compared of a distribution. Percentiles as everywhere: linear at p(n - 1). */
#define LLMSIM_COMPARED_LIST(X)                                                                    \
    X(MEAN, "mean")                                                                                \
    X(P50, "p50")                                                                                  \
    X(P90, "p90")                                                                                  \
    X(P99, "p99")
enum llmsim_compared {
#define X(name, text) LLMSIM_COMPARED_##name,
    LLMSIM_COMPARED_LIST(X)
#undef X
        LLMSIM_N_COMPARED
};
LLMSIM_API const char *llmsim_compared_name(enum llmsim_compared compared);

struct llmsim_comparison {
    size_t n; /* requests that have both latencies; the others do not count. 0: all below is 0 */
    double measured_s[LLMSIM_N_COMPARED];
    double simulated_s[LLMSIM_N_COMPARED];
    double mean_absolute_error_s; /* request by request */
    double mape_percent;          /* likewise, each over what was measured, where that is not 0 */
    size_t n_relative;            /* requests where it is not; 0: there is no mape_percent */
};

/* There is no error in per cent of 0. */
static inline bool llmsim_has_error_percent(const struct llmsim_comparison *c,
                                            enum llmsim_compared compared)
{
    return c->measured_s[compared] > 0;
}

/* Signed, of what was measured: over 0 is a simulation that is too slow. 0 where there is none. */
static inline double llmsim_error_percent(const struct llmsim_comparison *c,
                                          enum llmsim_compared compared)
{
    double measured_s = c->measured_s[compared];
    return llmsim_has_error_percent(c, compared)
               ? 100 * (c->simulated_s[compared] - measured_s) / measured_s
               : 0;
}

/* Errors: LLMSIM_RUN_FAILED (memory). */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_compare(const struct llmsim_latencies *measured, const struct llmsim_latencies *simulated,
               struct llmsim_span span, enum llmsim_metric metric,
               struct llmsim_comparison *comparison, struct llmsim_error *err);

/* Requests of a run and what a simulation made of them. All borrowed. */
struct llmsim_validation_part {
    const char *name; /* a word */
    const struct llmsim_measured_run *run;
    const struct llmsim_latencies *simulated; /* of all run->n requests */
    struct llmsim_span span;                  /* those that belong to the part */
};

/* Write every request of the parts to `path` ("-": stdout), measured and simulated side by side;
 * docs/validation.md has the columns. Errors: LLMSIM_IO. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_validate_write(const char *path, const struct llmsim_validation_part *parts, size_t n_parts,
                      struct llmsim_error *err);

/* ---- tuning ---- */

/* X(name, option's text, help, unit, value that changes nothing, first step of the search, least
 *   value, greatest value) */
#define LLMSIM_TUNABLE_LIST(X)                                                                     \
    X(OVERHEAD, "overhead", "constant of a request, outside the engine", "s", 0, 0.01, 0, 100)     \
    X(STEP, "step", "constant of a step, on top of the cost model's", "s", 0, 0.001, 0, 10)        \
    X(BW, "bw", "factor of the memory bandwidth", "", 1, 0.05, 0.05, 20)                           \
    X(PTPS, "ptps", "factor of the prefill speed", "", 1, 0.05, 0.05, 20)

enum llmsim_tunable {
#define X(name, text, help, unit, initial, step, least, greatest) LLMSIM_TUNABLE_##name,
    LLMSIM_TUNABLE_LIST(X)
#undef X
        LLMSIM_N_TUNABLES
};
/* The i-th; NULL behind the last. */
LLMSIM_API const struct llmsim_choice *llmsim_tunable_choice(size_t i);
/* "s", or "" for a factor. */
LLMSIM_API const char *llmsim_tunable_unit(enum llmsim_tunable tunable);

struct llmsim_tuning {
    double values[LLMSIM_N_TUNABLES];
};
/* The one that changes nothing. */
LLMSIM_API struct llmsim_tuning llmsim_tuning_none(void);

/* llmsim_validate_replay with a tuned cost model. The overhead is what a request waits outside the
 * engine: it is added to TTFT and E2E. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_validate_tuned(const struct llmsim_replay_config *config,
                      const struct llmsim_measured_run *run, const struct llmsim_tuning *tuning,
                      struct llmsim_latencies *simulated, struct llmsim_error *err);

struct llmsim_calibration {
    struct llmsim_tuning tuning;
    double loss_before; /* the loss of llmsim_tuning_none */
    double loss;
    unsigned n_replays;
    bool converged; /* false: it stopped at the greatest number of replays */
};

/* Search the tuning for which the requests in `span` come out as measured: `tunables` is a set of
 * 1 << LLMSIM_TUNABLE_…, the others change nothing. The whole run is replayed each time, so that
 * the load is the real one; only the latencies of the span are looked at. The loss is the mean,
 * over the three metrics, of the root of the mean square error over the mean of what was measured.
 * The search is the simplex of Nelder and Mead (GSL's nmsimplex2), started several times, which
 * needs no derivatives and draws no random numbers.
 * Errors: LLMSIM_USAGE (no tunable, nothing measured in the span), and those of a replay. Cost:
 * a thousand replays or so. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_calibrate(const struct llmsim_replay_config *config, const struct llmsim_measured_run *run,
                 struct llmsim_span span, unsigned tunables, struct llmsim_calibration *calibration,
                 struct llmsim_error *err);

#ifdef __cplusplus
}
#endif
#endif
