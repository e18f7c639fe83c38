/* sink.h: where the results of a run go.
 *
 * The engine reports to any number of sinks, in this order: begin; then, as simulated time goes on,
 * steps and ended requests (tokens, then request, for each); then end. Steps come in runs: n_steps
 * decode steps of one batch whose durations are an arithmetic progression, so a sink that only
 * counts pays for the run, not for its steps. Runs of one replica come in order of time; among
 * replicas, in order of the ends of whole runs, which are not the same in every engine. A member of
 * the table that a sink does not need is NULL. A status other than LLMSIM_OK ends the run with it.
 */
#ifndef LLMSIM_SINK_H
#define LLMSIM_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "llmsim/cost.h"
#include "llmsim/status.h"
#include "llmsim/time.h"
#include "llmsim/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, text in the files): how a data row of the trace can end. */
#define LLMSIM_OUTCOME_LIST(X)                                                                     \
    X(COMPLETED, "completed")                                                                      \
    X(REJECTED_TOO_LONG, "rejected_too_long")                                                      \
    X(FAILED_IN_TRACE, "failed_in_trace")                                                          \
    X(UNFINISHED, "unfinished")                                                                    \
    X(OUTSIDE_WINDOW, "outside_window")                                                            \
    X(BAD_ROW, "bad_row")

enum llmsim_outcome {
#define X(name, text) LLMSIM_OUTCOME_##name,
    LLMSIM_OUTCOME_LIST(X)
#undef X
        LLMSIM_N_OUTCOMES
};
LLMSIM_API const char *llmsim_outcome_name(enum llmsim_outcome outcome);

/* X(name, text in the files): what a step did. */
#define LLMSIM_STEP_KIND_LIST(X)                                                                   \
    X(PREFILL, "prefill")                                                                          \
    X(DECODE, "decode")                                                                            \
    X(MIXED, "mixed")                                                                              \
    X(SWAP, "swap")

enum llmsim_step_kind {
#define X(name, text) LLMSIM_STEP_##name,
    LLMSIM_STEP_KIND_LIST(X)
#undef X
};
LLMSIM_API const char *llmsim_step_kind_name(enum llmsim_step_kind kind);

/* Requests that will be reported whose previous token did not come at the end of the decode step
 * before this one. */
struct llmsim_gap {
    llmsim_time since; /* when their previous token came */
    uint32_t n_seqs;
};

/* n_steps consecutive steps without a pause between them; more than one only if they decode. */
struct llmsim_step_run {
    uint64_t first_step_id; /* counts the replica's steps from 0 */
    uint64_t n_steps;
    uint32_t replica;
    bool is_reported; /* they start in the window that is looked at */
    llmsim_time start, end;
    struct llmsim_decode_run durations; /* of one step alone: .first */
    enum llmsim_step_kind kind;
    struct llmsim_step_shape shape; /* of the first step; each later one reads decode_seqs more */
    /* Of the decoding requests, those that will be reported (all, if there is no window), by when
     * their previous token came: all but those in `gaps` at `previous_decode_end`. Valid during the
     * call. */
    uint32_t n_reported;
    llmsim_time previous_decode_end;
    const struct llmsim_gap *gaps;
    size_t n_gaps;
};

/* How a request came to a segment of its tokens. */
enum llmsim_segment_kind {
    LLMSIM_SEGMENT_PREFILL, /* its prompt was processed, or after a preemption processed again */
    LLMSIM_SEGMENT_SWAPPED, /* its KV cache came back from the host */
    LLMSIM_SEGMENT_MOVED,   /* its KV cache came from a prefill replica */
};

/* Tokens that came without a break between them. After a prefill the first comes at its end and the
 * others at the ends of n_tokens - 1 consecutive decode steps from first_decode_step on; otherwise
 * all come at the ends of decode steps. Decode steps are those of the request's last replica,
 * counted from 0. */
struct llmsim_token_segment {
    int64_t start_ns; /* its first token, after a prefill; else when it was back in a running set */
    int64_t gap_ns;   /* from the last token of the segment before; of no meaning in the first */
    uint64_t first_decode_step;
    uint32_t n_tokens;
    enum llmsim_segment_kind kind;
};

#define LLMSIM_NO_TIME INT64_C(-1)

/* A request that has ended. All times are rounded to the nearest nanosecond, as they are printed;
 * a latency is a difference of two of them. */
struct llmsim_result {
    struct llmsim_request request;
    const char *id; /* text of the request_id, not NUL-terminated */
    size_t id_length;
    enum llmsim_outcome outcome;
    uint32_t preemptions;
    uint32_t replica;         /* where it ended */
    uint32_t prefill_replica; /* where its prompt was processed */
    uint32_t n_tokens;        /* that came out: all output tokens, unless it is unfinished */
    int64_t scheduled_ns;     /* start of its first step, or LLMSIM_NO_TIME */
    int64_t first_token_ns;   /* of no meaning without tokens */
    int64_t last_token_ns;    /* likewise */
    int64_t end_ns;
    int64_t unloaded_ns;
    int64_t tpot_ns; /* as llmsim_result_tpot_ns says; a division, so done once for all sinks */
    uint64_t slowdown_millionths; /* likewise */
    uint32_t cached_tokens; /* of its prompt that the prefix cache had when it was first admitted */
    int64_t decode_ns; /* its decode steps, each at what it would take without prompts beside it */
    /* Its tokens; without output there is one segment of 0 tokens. Times of all of them are in
     * token_ns too, if that is not NULL; the segments' decode steps then have no meaning. */
    const struct llmsim_token_segment *segments;
    size_t n_segments;
    const int64_t *token_ns;
};

static inline int64_t llmsim_result_queue_ns(const struct llmsim_result *r)
{
    return r->scheduled_ns - r->request.arrival_ns;
}

static inline int64_t llmsim_result_ttft_ns(const struct llmsim_result *r)
{
    return r->first_token_ns - r->request.arrival_ns;
}

static inline int64_t llmsim_result_e2e_ns(const struct llmsim_result *r)
{
    return r->end_ns - r->request.arrival_ns;
}

/* Only with two output tokens or more. Nearest nanosecond, halves up. */
static inline int64_t llmsim_result_tpot_ns(const struct llmsim_result *r)
{
    int64_t gaps = (int64_t)r->request.output_tokens - 1;
    return (r->end_ns - r->first_token_ns + gaps / 2) / gaps;
}

/* There is none for a request that would take no time at all. */
static inline bool llmsim_result_has_slowdown(const struct llmsim_result *r)
{
    return r->unloaded_ns > 0;
}

/* E2E over unloaded E2E in millionths, halves up. */
static inline uint64_t llmsim_result_slowdown_millionths(const struct llmsim_result *r)
{
    return (uint64_t)((double)llmsim_result_e2e_ns(r) / (double)r->unloaded_ns * 1e6 + 0.5);
}

/* Where a completed request's E2E went; the parts add up to it. */
struct llmsim_attribution {
    int64_t wait_ns;         /* arrival to its first step */
    int64_t prefill_ns;      /* its first step to its first token, or to its end without output */
    int64_t decode_ns;       /* its decode steps, without what prompts beside them add */
    int64_t interference_ns; /* its decodes stood still, or were slowed, for others' prompts */
    int64_t preempted_ns;    /* from the last token before a preemption to the next, or until its
                              * KV cache is back */
    int64_t transfer_ns;     /* from its first token to when its KV cache is in a decode replica's
                              * running set */
};

static inline struct llmsim_attribution llmsim_result_attribution(const struct llmsim_result *r)
{
    struct llmsim_attribution a;
    int64_t first_ns = r->request.output_tokens > 0 ? r->first_token_ns : r->end_ns;
    a.wait_ns = llmsim_result_queue_ns(r);
    a.prefill_ns = first_ns - r->scheduled_ns;
    a.preempted_ns = a.transfer_ns = 0;
    for (size_t i = 1; i < r->n_segments; i++)
        *(r->segments[i].kind == LLMSIM_SEGMENT_MOVED ? &a.transfer_ns : &a.preempted_ns) +=
            r->segments[i].gap_ns;
    /* The sum of true durations, rounded, can pass that of the printed ones by 1 ns. */
    int64_t rest_ns = r->end_ns - first_ns - a.preempted_ns - a.transfer_ns;
    a.decode_ns = r->decode_ns < rest_ns ? r->decode_ns : rest_ns;
    a.interference_ns = rest_ns - a.decode_ns;
    return a;
}

/* What a sink may ask of the running engine. */
struct llmsim_run_view {
    const void *engine;
    uint32_t n_replicas;
    /* The first decode step of a replica that a request may still refer to. NULL: this engine hands
     * over every token's time (llmsim_result.token_ns). */
    uint64_t (*oldest_decode_step)(const void *engine, uint32_t replica);
    /* All steps that end before this time have been reported. */
    llmsim_time (*steps_known_until)(const void *engine);
    const struct llmsim_source *source; /* where the run's requests come from */
    /* A sink that writes millions of rows in one call asks every so often, with the simulated time
     * that it is at: LLMSIM_INTERRUPTED says that the run is to end. */
    enum llmsim_status (*look)(void *run, int64_t now_ns);
    void *run;
};

/* Of the requests and steps in the window that is looked at. */
struct llmsim_totals {
    uint64_t n_requests;       /* ended, by any outcome; what follows is of the completed ones */
    uint64_t n_outside_window; /* not among them */
    uint64_t n_completed;
    uint64_t n_preemptions;
    uint64_t n_steps;
    uint64_t n_prefill_steps;
    uint64_t n_decode_steps;
    uint64_t prompt_tokens;
    uint64_t cached_tokens; /* of those, what the prefix cache had */
    uint64_t output_tokens;
    int64_t first_arrival_ns;
    int64_t last_end_ns;
};

/* From the first arrival to the end of the last request. */
static inline double llmsim_totals_makespan_s(const struct llmsim_totals *totals)
{
    return (double)(totals->last_end_ns - totals->first_arrival_ns) / 1e9;
}

/* `count` of them in the makespan, per second; 0 where it is 0. */
static inline double llmsim_totals_per_s(const struct llmsim_totals *totals, uint64_t count)
{
    double makespan_s = llmsim_totals_makespan_s(totals);
    return makespan_s > 0 ? (double)count * (1 / makespan_s) : 0;
}

/* Share of the prompt tokens that the prefix cache had. */
static inline double llmsim_totals_hit_rate(const struct llmsim_totals *totals)
{
    return totals->prompt_tokens > 0 ? (double)totals->cached_tokens / (double)totals->prompt_tokens
                                     : 0;
}

struct llmsim_sink_ops {
    const char *name;
    enum llmsim_status (*begin)(void *self, const struct llmsim_run_view *view,
                                struct llmsim_error *err);
    enum llmsim_status (*steps)(void *self, const struct llmsim_step_run *run,
                                struct llmsim_error *err);
    enum llmsim_status (*tokens)(void *self, const struct llmsim_result *result,
                                 struct llmsim_error *err);
    enum llmsim_status (*request)(void *self, const struct llmsim_result *result,
                                  struct llmsim_error *err);
    enum llmsim_status (*end)(void *self, const struct llmsim_totals *totals,
                              struct llmsim_error *err);
    /* Requests as the source gives them, in time order, before they are simulated; without those
     * that the window leaves out at its end. How far ahead of the clock depends on the engine. */
    enum llmsim_status (*arrive)(void *self, const struct llmsim_request *requests, size_t n,
                                 struct llmsim_error *err);
};

struct llmsim_sink {
    const struct llmsim_sink_ops *ops;
    void *self;
};

#ifdef __cplusplus
}
#endif
#endif
