/* run.h: what both engines share: the run's context, and reporting to its sinks. */
#ifndef LLMSIM_SIM_RUN_H
#define LLMSIM_SIM_RUN_H

#include "arrivals.h"
#include "llmsim/replay.h"
#include "order.h"
#include "policy.h"

struct run {
    const struct llmsim_replay_config *config;
    const struct policy *policy;
    const struct order *order;
    struct llmsim_source source;
    const struct llmsim_sink *sinks;
    size_t n_sinks;
    struct llmsim_error *err;
    struct llmsim_totals totals;
    struct boundary boundary;
    enum llmsim_status reject_status; /* of the sinks, when a policy had a request rejected */
    char row_id[24];       /* text of the row number that is the id of the request being reported */
    uint32_t n_unobserved; /* events since the last observation */
    uint64_t n_unobserved_tokens;   /* of requests that ended since */
    struct llmsim_observation last; /* what the last one showed */
    struct arrivals arrivals;
};

struct engine {
    struct llmsim_choice choice;
    enum llmsim_status (*run)(struct run *run);
};
extern const struct engine llmsim_engine_step, llmsim_engine_fast;

LLMSIM_MUST_CHECK enum llmsim_status llmsim_run_begin(struct run *run,
                                                      const struct llmsim_run_view *view);
/* Count the steps and tell the sinks. LLMSIM_RUN_FAILED if simulated time has run away. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_run_steps(struct run *run,
                                                      const struct llmsim_step_run *steps);
/* Report requests that ended at one time, in the order of their ids (which sorts `results`); gives
 * their ids back to the source. */
LLMSIM_MUST_CHECK enum llmsim_status
llmsim_run_end_requests(struct run *run, struct llmsim_result *results, size_t n);
/* Report a request that ends without having run. The status goes to run->reject_status. */
void llmsim_run_reject(struct run *run, const struct llmsim_request *request,
                       enum llmsim_outcome outcome, llmsim_time now);
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
