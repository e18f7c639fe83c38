/* order.h: the order of the waiting queue.
 *
 * An order is a row of the table in order.c. First come, first served on one replica needs no queue
 * of its own: it is the trace. Otherwise the requests that have arrived are kept in a heap.
 * Preempted requests are ahead of the queue, whatever its order. */
#ifndef LLMSIM_SIM_ORDER_H
#define LLMSIM_SIM_ORDER_H

#include <stdbool.h>
#include <stddef.h>

#include "llmsim/replay.h"

struct order {
    struct llmsim_choice choice;
    /* The key by which requests go, the least first; equal keys by arrival, then row. NULL: arrival
     * alone. */
    int64_t (*key)(const struct llmsim_request *request);
};

/* NULL if there is no order of that name; a NULL name is the first row. */
const struct order *llmsim_order_find(const char *name);

/* Does a go before b? */
bool llmsim_order_before(const struct order *order, const struct llmsim_request *a,
                         const struct llmsim_request *b);

/* Waiting requests in an order: a 4-ary heap of the requests themselves. A zeroed struct with its
 * order set is empty. */
struct waiting {
    const struct order *order;
    struct llmsim_request *heap;
    size_t n, capacity;
};

/* LLMSIM_RUN_FAILED: out of memory. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_waiting_put(struct waiting *waiting,
                                                        const struct llmsim_request *request,
                                                        struct llmsim_error *err);
/* Remove the first; there must be one. */
void llmsim_waiting_take(struct waiting *waiting);
void llmsim_waiting_fini(struct waiting *waiting);

static inline const struct llmsim_request *llmsim_waiting_head(const struct waiting *waiting)
{
    return waiting->n > 0 ? waiting->heap : NULL;
}

#endif
