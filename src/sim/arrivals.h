/* arrivals.h: the trace as a cursor. Requests are read from the source in batches and looked at in
 * time order; they never sit in the event queue. */
#ifndef LLMSIM_SIM_ARRIVALS_H
#define LLMSIM_SIM_ARRIVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmsim/trace.h"

#define ARRIVALS_BATCH 256

struct arrivals {
    const struct llmsim_source *source;
    struct llmsim_error *err;
    enum llmsim_status status; /* of the source; once it is not LLMSIM_OK there is no head */
    size_t next, n;
    uint64_t n_taken;
    int64_t last_arrival_ns;
    int64_t until_ns;  /* those who arrive then or later are not given out */
    uint64_t n_beyond; /* how many they were */
    bool ended;
    bool is_cut; /* the source has more */
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

void llmsim_arrivals_init(struct arrivals *a, const struct llmsim_source *source, int64_t until_ns,
                          struct llmsim_error *err);
/* Read and count what lies beyond the end, so that the whole trace is accounted for. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_arrivals_drain(struct arrivals *a);
const struct llmsim_request *llmsim_arrivals_refill(struct arrivals *a);

/* The next request to arrive, or NULL when the source has ended or failed (see `status`). */
static inline const struct llmsim_request *llmsim_arrivals_head(struct arrivals *a)
{
    return a->next < a->n ? &a->batch[a->next] : llmsim_arrivals_refill(a);
}

static inline void llmsim_arrivals_take(struct arrivals *a)
{
    a->next++;
    a->n_taken++;
}

#endif
