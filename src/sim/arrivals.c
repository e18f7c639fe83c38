#include "arrivals.h"

#include <stdlib.h>

/* How long after an answer its client sends the next request: it is not in the step that begins
 * with the answer's end. */
#define CLIENT_NS 1

enum llmsim_status llmsim_arrivals_init(struct arrivals *a, const struct llmsim_source *source,
                                        int64_t until_ns, uint32_t max_concurrency,
                                        struct llmsim_error *err)
{
    a->until_ns = until_ns > 0 ? until_ns : INT64_MAX;
    a->n_beyond = 0;
    a->source = source;
    a->sinks = NULL;
    a->n_sinks = 0;
    a->err = err;
    a->status = LLMSIM_OK;
    a->next = a->n = 0;
    a->n_taken = 0;
    a->last_arrival_ns = 0;
    a->ended = a->is_cut = false;
    a->max_concurrency = max_concurrency;
    a->n_ended = 0;
    a->ends_ns = malloc((size_t)max_concurrency * sizeof *a->ends_ns + 1);
    return a->ends_ns != NULL ? LLMSIM_OK : llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
}

void llmsim_arrivals_fini(struct arrivals *a)
{
    free(a->ends_ns);
    a->ends_ns = NULL;
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

/* The n-th of the batch and all that follow arrive too late. */
static void cut_from(struct arrivals *a, size_t n)
{
    for (size_t i = n; i < a->n; i++)
        llmsim_source_give_back(a->source, &a->batch[i]);
    a->n_beyond += a->n - n;
    a->n = n;
    a->ended = true;
    a->is_cut = true;
}

const struct llmsim_request *llmsim_arrivals_hold_back(struct arrivals *a)
{
    struct llmsim_request *head = &a->batch[a->next];
    if (a->n_taken < a->max_concurrency)
        return head;
    uint64_t end = a->n_taken - a->max_concurrency;
    if (a->n_ended <= end)
        return NULL;
    int64_t free_ns = a->ends_ns[end % a->max_concurrency] + CLIENT_NS;
    if (head->arrival_ns < free_ns) {
        if (head->deadline_ns != LLMSIM_NO_DEADLINE) /* it keeps its distance */
            head->deadline_ns += free_ns - head->arrival_ns;
        head->arrival_ns = free_ns;
    }
    if (head->arrival_ns < a->until_ns)
        return head;
    cut_from(a, a->next);
    return NULL;
}

static void tell_sinks(struct arrivals *a)
{
    for (size_t i = 0; i < a->n_sinks && a->status == LLMSIM_OK; i++)
        if (a->sinks[i].ops->arrive != NULL)
            a->status = a->sinks[i].ops->arrive(a->sinks[i].self, a->batch, a->n, a->err);
    if (a->status != LLMSIM_OK)
        a->n = 0;
}

const struct llmsim_request *llmsim_arrivals_refill(struct arrivals *a)
{
    if (a->ended || a->status != LLMSIM_OK)
        return NULL;
    read_batch(a);
    a->ended = a->n == 0;
    if (a->last_arrival_ns >= a->until_ns) {
        size_t n = a->n;
        while (n > 0 && a->batch[n - 1].arrival_ns >= a->until_ns)
            n--;
        cut_from(a, n);
    }
    tell_sinks(a);
    return a->n > 0 ? &a->batch[0] : NULL;
}

enum llmsim_status llmsim_arrivals_drain(struct arrivals *a)
{
    /* Those whose turn had not come when the run was stopped. */
    if (a->max_concurrency > 0 && a->until_ns < INT64_MAX)
        cut_from(a, a->next);
    while (a->is_cut && a->status == LLMSIM_OK) {
        read_batch(a);
        a->is_cut = a->n > 0;
        if (a->is_cut)
            cut_from(a, 0);
    }
    return a->status;
}
