/* run.h: what both engines share: the run's context, and reporting to its sinks. */
#ifndef LLMSIM_SIM_RUN_H
#define LLMSIM_SIM_RUN_H

#include "arrivals.h"
#include "llmsim/replay.h"
#include "order.h"
#include "policy.h"
#include "router.h"

/* A request that has ended and is to be reported. */
struct ended {
    struct llmsim_result result;         /* its segments NULL: the one below */
    struct llmsim_token_segment segment; /* of a request that was never preempted or moved */
    void *kept;                          /* the engine's memory of the request, or NULL */
};

struct run {
    const struct llmsim_replay_config *config;
    const struct policy *policy;
    const struct order *order;
    uint32_t n_replicas; /* prefill replicas come first, then decode replicas */
    struct llmsim_source source;
    const struct llmsim_sink *sinks;
    size_t n_sinks;
    struct llmsim_sink *step_sinks; /* those of them that take steps */
    size_t n_step_sinks;
    struct llmsim_error *err;
    struct llmsim_totals totals;
    enum llmsim_status
        deferred;          /* of what a policy's calls led to, where no status can be returned */
    char row_id[24];       /* text of the row number that is the id of the request being reported */
    uint32_t n_unobserved; /* events since the last observation */
    uint64_t n_unobserved_tokens;   /* of requests that ended since */
    struct llmsim_observation last; /* what the last one showed */
    struct arrivals arrivals;
    /* Settings, in the units of the engine. */
    llmsim_time from;                /* where the window that is looked at begins */
    llmsim_time until;               /* the run stops here; past the end of time, if not before */
    struct llmsim_decode_cost alone; /* of a request */
    uint64_t swap_per_block;         /* 0: preemption is by recomputation */
    uint64_t transfer_per_token;     /* of KV cache, from a prefill replica */
    llmsim_time link_latency;
    /* Requests of one printed time are reported together, in the order of their ids. */
    struct ended *ended;
    size_t n_ended, ended_capacity;
    uint64_t n_put;        /* that were ever put there */
    uint64_t n_put_tokens; /* of those that were reported */
    void (*free_kept)(void *kept);
};

struct engine {
    struct llmsim_choice choice;
    enum llmsim_status (*run)(struct run *run);
};
extern const struct engine llmsim_engine_step, llmsim_engine_fast;

/* What the run's replicas start with. LLMSIM_RUN_FAILED: out of memory. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_boundary_init(struct boundary *b,
                                                          const struct run *run);
void llmsim_boundary_fini(struct boundary *b);

/* Does the request arrive in the window that is looked at? What arrives before is simulated for
 * what it does to others. */
static inline bool llmsim_run_reports(const struct run *run, const struct llmsim_request *request)
{
    return request->arrival_ns >= run->config->from_ns;
}

/* How long a request's KV cache takes over the link, without its latency. */
static inline llmsim_time llmsim_run_transfer_time(const struct run *run,
                                                   const struct llmsim_request *request)
{
    return (llmsim_time)run->transfer_per_token * (llmsim_time)request->prompt_tokens;
}

/* Has the request a prefix for the cache? Sets it; what is wrong with it goes to run->deferred. */
bool llmsim_run_prefix(struct run *run, const struct llmsim_request *request,
                       struct llmsim_prefix *prefix);
/* Full blocks of its prompt at the beginning of `tokens` tokens. */
static inline uint64_t llmsim_run_prompt_blocks(const struct run *run,
                                                const struct llmsim_request *request,
                                                uint64_t tokens)
{
    return (tokens < request->prompt_tokens ? tokens : request->prompt_tokens) /
           run->config->block_size;
}

LLMSIM_MUST_CHECK enum llmsim_status llmsim_run_begin(struct run *run,
                                                      const struct llmsim_run_view *view);
/* Count the steps and tell the sinks. LLMSIM_RUN_FAILED if simulated time has run away. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_run_steps(struct run *run,
                                                      const struct llmsim_step_run *steps);
/* A place for a request that has ended now, of which the caller sets every member but the result's
 * id and what follows from the others (unloaded_ns, tpot_ns, slowdown_millionths). NULL: out of
 * memory, which run->deferred then says. */
struct ended *llmsim_run_put_ended(struct run *run, llmsim_time now);
/* Report those that were put, in the order of their ids; gives their ids back to the source. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_run_report_ended(struct run *run);
/* With several replicas: report them if time has gone on to another nanosecond. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_run_report_ended_before(struct run *run,
                                                                    llmsim_time now);
/* A request ends without having run, on a replica. */
void llmsim_run_reject(struct run *run, const struct llmsim_request *request,
                       enum llmsim_outcome outcome, llmsim_time now, uint32_t replica);
/* A request that has not begun when the window that is looked at closes. Reports it. */
LLMSIM_MUST_CHECK enum llmsim_status
llmsim_run_end_waiting(struct run *run, const struct llmsim_request *request, uint32_t replica);
LLMSIM_MUST_CHECK enum llmsim_status llmsim_run_observe(struct run *run,
                                                        const struct llmsim_observation *o);

/* Invariants that are cheap enough to be always on: a broken one ends the run with LLMSIM_INTERNAL,
 * the simulated time and the row at hand (the next to arrive, where it concerns none). Exempt are
 * the inner loops: what the queues and the engines ask for each entry they touch are plain
 * assertions, of debug builds. */
enum llmsim_status llmsim_run_broken(struct run *run, const char *invariant, llmsim_time now,
                                     uint64_t row);
#define LLMSIM_RUN_CHECK(run, condition, now, row)                                                 \
    ((condition) ? LLMSIM_OK : llmsim_run_broken((run), #condition, (now), (row)))
/* At the end of a run: nothing is lost. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_run_check_end(struct run *run);

/* An event has happened: is it to be observed? */
static inline bool llmsim_run_is_observed(struct run *run)
{
    if (run->config->observe == NULL || ++run->n_unobserved < run->config->observe_every)
        return false;
    run->n_unobserved = 0;
    run->n_unobserved_tokens = 0;
    return true;
}

#endif
