#include "arrivals.h"

void llmsim_arrivals_init(struct arrivals *a, const struct llmsim_source *source,
                          struct llmsim_error *err)
{
    a->source = source;
    a->err = err;
    a->status = LLMSIM_OK;
    a->next = a->n = 0;
    a->n_taken = 0;
    a->last_arrival_ns = 0;
    a->ended = false;
}

const struct llmsim_request *llmsim_arrivals_refill(struct arrivals *a)
{
    if (a->ended || a->status != LLMSIM_OK)
        return NULL;
    a->next = 0;
    a->status = a->source->read(a->source->self, a->batch, ARRIVALS_BATCH, &a->n, a->err);
    if (a->status != LLMSIM_OK)
        a->n = 0;
    for (size_t i = 0; i < a->n; i++) {
        if (a->batch[i].arrival_ns < a->last_arrival_ns) {
            a->status = llmsim_fail(a->err, LLMSIM_TRACE,
                                    "row %llu arrives before the row ahead of it, or before time 0",
                                    (unsigned long long)a->batch[i].row);
            a->n = 0;
        } else {
            a->last_arrival_ns = a->batch[i].arrival_ns;
        }
    }
    a->ended = a->n == 0;
    return a->n > 0 ? &a->batch[0] : NULL;
}
