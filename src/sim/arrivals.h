/* arrivals.h: the trace as a cursor. Requests are read from the source in batches and looked at in
 * time order; they never sit in the event queue.
 *
 * With a bound on the requests that are under way, the i-th arrives when the trace says so, but not
 * before the (i - bound)-th end of any request. That depends on the ends alone and not on when the
 * cursor is asked, which engines do at different times. */
#ifndef LLMSIM_SIM_ARRIVALS_H
#define LLMSIM_SIM_ARRIVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmsim/sink.h"
#include "llmsim/trace.h"

#define ARRIVALS_BATCH 256

struct arrivals {
    const struct llmsim_source *source;
    const struct llmsim_sink *sinks; /* those that want to see what is read */
    size_t n_sinks;
    struct llmsim_error *err;
    enum llmsim_status status; /* of the source; once it is not LLMSIM_OK there is no head */
    size_t next, n;
    uint64_t n_taken;
    int64_t last_arrival_ns;
    int64_t until_ns;  /* those who arrive then or later are not given out */
    uint64_t n_beyond; /* how many they were */
    bool ended;
    bool is_cut;              /* the source has more */
    uint32_t max_concurrency; /* 0: no bound */
    uint64_t n_ended;
    int64_t *ends_ns; /* the last max_concurrency ends, each at its number modulo that */
    struct llmsim_request batch[ARRIVALS_BATCH];
};

/* The request needs its id and its prefix no more. */
static inline void llmsim_source_give_back(const struct llmsim_source *source,
                                           const struct llmsim_request *request)
{
    if (request->id != LLMSIM_NO_ID)
        source->release(source->self, request->id);
    if (request->prefix != LLMSIM_NO_PREFIX && source->release_prefix != NULL)
        source->release_prefix(source->self, request->prefix);
}

/* LLMSIM_RUN_FAILED: out of memory; fini is due all the same. */
LLMSIM_MUST_CHECK enum llmsim_status
llmsim_arrivals_init(struct arrivals *a, const struct llmsim_source *source, int64_t until_ns,
                     uint32_t max_concurrency, struct llmsim_error *err);
void llmsim_arrivals_fini(struct arrivals *a);
/* Read and count what lies beyond the end, so that the whole trace is accounted for. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_arrivals_drain(struct arrivals *a);
const struct llmsim_request *llmsim_arrivals_refill(struct arrivals *a);

/* Sets when the head arrives; NULL: not before another request has ended. */
const struct llmsim_request *llmsim_arrivals_hold_back(struct arrivals *a);

/* The next request to arrive, or NULL when the source has ended or failed (see `status`), or all
 * that may be under way are. */
static inline const struct llmsim_request *llmsim_arrivals_head(struct arrivals *a)
{
    const struct llmsim_request *head =
        a->next < a->n ? &a->batch[a->next] : llmsim_arrivals_refill(a);
    return a->max_concurrency == 0 || head == NULL ? head : llmsim_arrivals_hold_back(a);
}

static inline void llmsim_arrivals_take(struct arrivals *a)
{
    a->next++;
    a->n_taken++;
}

/* A request that was taken has ended; in time order. */
static inline void llmsim_arrivals_end(struct arrivals *a, int64_t end_ns)
{
    if (a->max_concurrency > 0)
        a->ends_ns[a->n_ended++ % a->max_concurrency] = end_ns;
}

#endif
