/* results.h: the result files of a run, as one set of sinks.
 *
 * Every file is written under a temporary name in the directory and renamed by commit, summary.json
 * last; a run that fails leaves no file of its own, and an earlier run's as they were.
 * docs/formats.md describes the files. */
#ifndef LLMSIM_RESULTS_H
#define LLMSIM_RESULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmsim/catalogue.h"
#include "llmsim/ratio.h"
#include "llmsim/replay.h"
#include "llmsim/sink.h"
#include "llmsim/stat.h"
#include "llmsim/status.h"
#include "llmsim/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Slices on the track of a replica; what comes after them is left out. */
#define LLMSIM_TRACE_EVENTS_MAX_SLICES 1000000u

struct llmsim_results_options {
    const char *dir;               /* made if it is not there */
    bool requests;                 /* write requests.csv */
    bool trace_times;              /* with a column for arrivals on the trace's own clock */
    bool tokens;                   /* write tokens.csv */
    bool steps;                    /* write steps.csv */
    const char *tokens_path;       /* write the tokens there instead ("-": stdout, or a device) */
    bool zstd;                     /* add .zst to the CSV files and compress them */
    const char *trace_events_path; /* NULL, or where Chrome's trace format goes */
    uint64_t trace_events_n_requests; /* how many of the trace's first rows have a track there */
};

/* A service level objective: bounds of a request's latencies; 0 is no bound. A request meets it if
 * it was completed within every bound that it has a latency for. */
struct llmsim_slo {
    int64_t ttft_ns;
    int64_t tpot_ns;
    int64_t e2e_ns;
};

/* A setting of the program, beside those of the configuration. */
struct llmsim_setting {
    const char *name; /* as an option: "gpu-memory-utilization" */
    enum { LLMSIM_SETTING_NUMBER, LLMSIM_SETTING_TEXT, LLMSIM_SETTING_FLAG } kind;
    double number;    /* of a flag 0 or 1 */
    const char *text; /* of a text */
};

/* What summary.json says of the run beside its numbers. All borrowed until the results are closed;
 * `trace` may be NULL (a source that is no file). */
struct llmsim_run_description {
    const struct llmsim_replay_config *config;
    const struct llmsim_model *model;
    const struct llmsim_gpu *gpu;
    uint64_t gpus_per_replica; /* 0 is 1 */
    const struct llmsim_trace *trace;
    const char *trace_name; /* written without its directories */
    struct llmsim_ratio rate_scale;
    uint64_t limit;
    const char *on_bad_row;
    struct llmsim_slo slo;
    /* They go among the settings, with '_' for '-', but for names that the configuration has. */
    const struct llmsim_setting *settings;
    size_t n_settings;
};

/* The requests of one class of the trace; times in ns. */
struct llmsim_class_summary {
    char name[LLMSIM_MAX_CLASS_NAME + 1]; /* "": those that have none */
    uint64_t n_requests;                  /* ended, by any outcome; what follows the outcomes is of
                                           * the completed ones */
    uint64_t outcomes[LLMSIM_N_OUTCOMES];
    struct llmsim_stat ttft, tpot, e2e, queue;
    uint64_t n_slo_met;
    uint64_t n_slo_undecided; /* unfinished, and within every bound until then */
};

/* Do requests come faster than they are served? docs/sweeps.md has the rules. All 0 in a closed
 * loop, and where fewer than three requests come. */
struct llmsim_backlog {
    bool is_saturated;
    uint64_t n_arrivals;  /* of the second half of the trace, or window */
    double growth;        /* over that half, of requests in the system, for each that arrives: under
                           * overload the share that no one gets to, 1 - 1/load */
    uint64_t peak;        /* most requests in the system when one more came */
    double late_p90_s;    /* how much more than four times what it takes alone a request takes: of a
                           * tenth of them more than this */
    double stretch_share; /* longest part of the time in which requests come with over a tenth of
                           * the peak in the system */
    double drain_s;       /* from the last arrival to the last end */
    /* While the backlog grew, how many came and how many were served; 0: not saturated, or all came
     * at once. */
    double arrivals_per_s, served_per_s;
};

/* The numbers of summary.json; times in ns, slowdown in millionths. */
struct llmsim_summary {
    struct llmsim_totals totals;
    uint64_t outcomes[LLMSIM_N_OUTCOMES];
    struct llmsim_stat ttft, itl, tpot, e2e, queue, slowdown;
    struct llmsim_slo slo;
    uint64_t n_slo_met;
    uint64_t n_slo_undecided;            /* unfinished, and within every bound until then */
    struct llmsim_profile_range profile; /* of the cost model */
    uint64_t n_steps_outside_profile;
    unsigned max_positions;    /* of the model; 0: not known */
    uint64_t n_over_positions; /* requests with more prompt and output tokens than that */
    struct llmsim_backlog backlog;
    /* By class, in the order in which the trace has them; NULL where it has none. */
    struct llmsim_class_summary *classes;
    size_t n_classes;
};

static inline bool llmsim_slo_is_set(const struct llmsim_slo *slo)
{
    return slo->ttft_ns != 0 || slo->tpot_ns != 0 || slo->e2e_ns != 0;
}

/* Of n_requests that ended, those that say something of the server: not the calls that failed in
 * the trace already, nor those that --until cut off before they had met or missed the objective. */
static inline uint64_t llmsim_slo_judged(uint64_t n_requests, const uint64_t *outcomes,
                                         uint64_t n_slo_undecided)
{
    return n_requests - outcomes[LLMSIM_OUTCOME_FAILED_IN_TRACE] - n_slo_undecided;
}

static inline uint64_t llmsim_summary_judged(const struct llmsim_summary *s)
{
    return llmsim_slo_judged(s->totals.n_requests, s->outcomes, s->n_slo_undecided);
}

static inline uint64_t llmsim_class_judged(const struct llmsim_class_summary *c)
{
    return llmsim_slo_judged(c->n_requests, c->outcomes, c->n_slo_undecided);
}

/* Share of the judged requests that met the objective. Of none there is no share: ask first. */
static inline double llmsim_attainment(uint64_t n_slo_met, uint64_t n_judged)
{
    return n_judged > 0 ? (double)n_slo_met / (double)n_judged : 0;
}

/* GPUs of all replicas. */
LLMSIM_API uint64_t llmsim_run_gpus(const struct llmsim_run_description *description);

struct llmsim_results;

/* Errors: LLMSIM_IO, also where a file of the run, or one that commit would remove, is the trace;
 * LLMSIM_RUN_FAILED (memory). */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_results_open(const struct llmsim_results_options *options,
                    const struct llmsim_run_description *description,
                    struct llmsim_results **results, struct llmsim_error *err);
/* The sinks to hand to llmsim_replay; they live as long as the results. */
LLMSIM_API const struct llmsim_sink *llmsim_results_sinks(const struct llmsim_results *results,
                                                          size_t *n);
/* For llmsim_trace_options.on_reject, with the results as its ctx: writes rejects.csv and counts.
 */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_results_reject(void *results, const struct llmsim_trace_reject *reject,
                      struct llmsim_error *err);
/* After a run that succeeded: give every file its final name, and remove result files of an earlier
 * run in the directory that this run did not write, with their pictures. All or nothing: if a step
 * fails, the directory is as it was. A process that is killed meanwhile leaves no summary.json. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_results_commit(struct llmsim_results *results, struct llmsim_error *err);
/* Valid after a successful run; percentiles may reorder the kept values, hence not const. */
LLMSIM_API struct llmsim_summary *llmsim_results_summary(struct llmsim_results *results);
/* After commit: an earlier run's file that should have gone, but that the system does not let this
 * user remove; NULL: there is none. */
LLMSIM_API const char *llmsim_results_kept(const struct llmsim_results *results);
/* Paths of the files that commit has named; NULL behind the last. */
LLMSIM_API const char *llmsim_results_path(const struct llmsim_results *results, size_t i);
/* Removes what was not committed. */
LLMSIM_API void llmsim_results_close(struct llmsim_results *results);

#ifdef __cplusplus
}
#endif
#endif
