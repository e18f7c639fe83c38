#include "arrivals.h"

void llmsim_arrivals_init(struct arrivals *a, const struct llmsim_source *source, int64_t until_ns,
                          struct llmsim_error *err)
{
    a->until_ns = until_ns > 0 ? until_ns : INT64_MAX;
    a->n_beyond = 0;
    a->source = source;
    a->err = err;
    a->status = LLMSIM_OK;
    a->next = a->n = 0;
    a->n_taken = 0;
    a->last_arrival_ns = 0;
    a->ended = a->is_cut = false;
}

/* The next batch, in time order. */
static void read_batch(struct arrivals *a)
{
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
}

const struct llmsim_request *llmsim_arrivals_refill(struct arrivals *a)
{
    if (a->ended || a->status != LLMSIM_OK)
        return NULL;
    read_batch(a);
    a->ended = a->n == 0;
    if (a->last_arrival_ns >= a->until_ns) {
        size_t n = a->n;
        while (a->n > 0 && a->batch[a->n - 1].arrival_ns >= a->until_ns)
            a->n--;
        a->n_beyond = n - a->n;
        for (size_t i = a->n; i < n; i++)
            llmsim_source_give_back(a->source, &a->batch[i]);
        a->ended = true;
        a->is_cut = true;
    }
    return a->n > 0 ? &a->batch[0] : NULL;
}

enum llmsim_status llmsim_arrivals_drain(struct arrivals *a)
{
    while (a->is_cut && a->status == LLMSIM_OK) {
        read_batch(a);
        a->n_beyond += a->n;
        for (size_t i = 0; i < a->n; i++)
            llmsim_source_give_back(a->source, &a->batch[i]);
        a->is_cut = a->n > 0;
    }
    return a->status;
}
