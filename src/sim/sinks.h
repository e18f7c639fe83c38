/* sinks.h: the sinks behind the result files. Each writes to an output that results.c owns. */
#ifndef LLMSIM_SIM_SINKS_H
#define LLMSIM_SIM_SINKS_H

#include "event_queue.h"
#include "llmsim/results.h"
#include "output.h"
#include "spill.h"

/* A row takes some tens of nanoseconds, as long as nothing waits for the disk. */
#define LLMSIM_ROWS_BETWEEN_LOOKS (1u << 20)

/* The writing of many rows, which can be interrupted. */
struct row_watch {
    struct llmsim_run_view view;
    uint32_t n_rows; /* since the last look */
};

/* That many more rows, to this simulated time. */
static inline enum llmsim_status llmsim_watch_rows(struct row_watch *watch, uint32_t n,
                                                   int64_t now_ns)
{
    watch->n_rows += n;
    if (watch->n_rows < LLMSIM_ROWS_BETWEEN_LOOKS)
        return LLMSIM_OK;
    watch->n_rows = 0;
    return watch->view.look(watch->view.run, now_ns);
}

/* tokens.csv. Keeps, for each replica, the text of each decode step that a request may still need.
 */
struct tokens_sink {
    struct llmsim_output *out;
    struct row_watch watch;
    struct step_ring *rings;
};
extern const struct llmsim_sink_ops llmsim_tokens_sink_ops;
void llmsim_tokens_sink_fini(struct tokens_sink *sink);

/* The numbers of each class, where requests have one. They go to `summary`, but stay the sink's. */
struct classes_sink {
    struct llmsim_summary *summary;
    struct llmsim_source source;
    struct llmsim_class_summary
        *classes; /* by class_id while the run goes on; NULL: there are none */
};
extern const struct llmsim_sink_ops llmsim_classes_sink_ops;
void llmsim_classes_sink_fini(struct classes_sink *sink);

/* Is a completed request within every bound that it has a latency for? */
static inline bool llmsim_slo_is_met(const struct llmsim_slo *slo, const struct llmsim_result *r)
{
    uint32_t n = r->request.output_tokens;
    return (slo->ttft_ns == 0 || n == 0 || llmsim_result_ttft_ns(r) <= slo->ttft_ns) &&
           (slo->tpot_ns == 0 || n < 2 || r->tpot_ns <= slo->tpot_ns) &&
           (slo->e2e_ns == 0 || llmsim_result_e2e_ns(r) <= slo->e2e_ns);
}

/* Whatever becomes of an unfinished request, has it missed a bound by the time it was cut off? Its
 * TPOT is at least what it is if all tokens that are missing came then. */
static inline bool llmsim_slo_is_undecided(const struct llmsim_slo *slo,
                                           const struct llmsim_result *r)
{
    uint32_t n = r->request.output_tokens;
    int64_t ttft_ns = r->n_tokens > 0 ? llmsim_result_ttft_ns(r) : llmsim_result_e2e_ns(r);
    return (slo->ttft_ns == 0 || n == 0 || ttft_ns <= slo->ttft_ns) &&
           (slo->tpot_ns == 0 || n < 2 || r->n_tokens == 0 ||
            llmsim_result_tpot_ns(r) <= slo->tpot_ns) &&
           (slo->e2e_ns == 0 || llmsim_result_e2e_ns(r) <= slo->e2e_ns);
}

/* requests.csv */
struct requests_sink {
    struct llmsim_output *out;
    const struct llmsim_trace *trace; /* NULL: no column for the times on its own clock */
    int64_t origin_ns;                /* of that clock; LLMSIM_NO_TIME: not looked up yet */
};
extern const struct llmsim_sink_ops llmsim_requests_sink_ops;
/* steps.csv */
struct steps_sink {
    struct llmsim_output *out;
    struct row_watch watch;
    uint64_t n_written;
    struct pending_steps *pending; /* of each replica */
    struct event_queue order;      /* the end of the first pending step of each replica */
};
extern const struct llmsim_sink_ops llmsim_steps_sink_ops;
void llmsim_steps_sink_fini(struct steps_sink *sink);

/* Chrome's trace format, see docs/plots.md. */
struct trace_events_sink {
    struct llmsim_output *out;
    uint64_t n_request_tracks; /* of the first rows of the trace */
    struct llmsim_spill *spill;
    struct trace_events_replica **replicas; /* NULL: it has had no step */
    size_t n_replicas;
};
extern const struct llmsim_sink_ops llmsim_trace_events_sink_ops;
void llmsim_trace_events_sink_fini(struct trace_events_sink *sink);

/* The numbers of summary.json: self is a struct llmsim_summary. */
extern const struct llmsim_sink_ops llmsim_summary_sink_ops;
LLMSIM_MUST_CHECK enum llmsim_status llmsim_summary_init(struct llmsim_summary *summary,
                                                         struct llmsim_error *err);
void llmsim_summary_fini(struct llmsim_summary *summary);

/* Has it all that summary.json says of the run? LLMSIM_USAGE. */
LLMSIM_MUST_CHECK enum llmsim_status
llmsim_summary_check(const struct llmsim_run_description *description, struct llmsim_error *err);
/* summary.json of a finished run whose description has been checked. */
LLMSIM_MUST_CHECK enum llmsim_status
llmsim_summary_write(struct llmsim_summary *summary,
                     const struct llmsim_run_description *description, struct llmsim_output *out,
                     struct llmsim_error *err);

#endif
