#include "order.h"

#include <assert.h>
#include <stdlib.h>

static int64_t by_priority(const struct llmsim_request *request)
{
    return request->priority;
}

static int64_t by_prompt(const struct llmsim_request *request)
{
    return request->prompt_tokens;
}

static int64_t by_output(const struct llmsim_request *request)
{
    return request->output_tokens;
}

static int64_t by_deadline(const struct llmsim_request *request)
{
    return request->deadline_ns;
}

static const struct order orders[] = {
    {{"fcfs", "first come, first served"}, NULL},
    {{"priority", "the trace's priority, the least first"}, by_priority},
    {{"sjf", "shortest prompt first"}, by_prompt},
    {{"sjf-oracle", "shortest output first: no server knows it"}, by_output},
    {{"edf", "the trace's deadline, the earliest first; those without come last"}, by_deadline},
};

const struct llmsim_choice *llmsim_order_choice(size_t i)
{
    return i < sizeof orders / sizeof *orders ? &orders[i].choice : NULL;
}

const struct order *llmsim_order_find(const char *name)
{
    size_t i;
    return llmsim_choice_find(llmsim_order_choice, name, &i) ? &orders[i] : NULL;
}

bool llmsim_order_before(const struct order *order, const struct llmsim_request *a,
                         const struct llmsim_request *b)
{
    if (order->key != NULL && order->key(a) != order->key(b))
        return order->key(a) < order->key(b);
    return a->arrival_ns != b->arrival_ns ? a->arrival_ns < b->arrival_ns : a->row < b->row;
}

#define WAYS 4

enum llmsim_status llmsim_waiting_put(struct waiting *waiting, const struct llmsim_request *request,
                                      struct llmsim_error *err)
{
    if (waiting->n == waiting->capacity) {
        size_t capacity = waiting->capacity != 0 ? 2 * waiting->capacity : 64;
        struct llmsim_request *heap = realloc(waiting->heap, capacity * sizeof *heap);
        if (heap == NULL)
            return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
        waiting->heap = heap;
        waiting->capacity = capacity;
    }
    size_t i = waiting->n++;
    for (; i > 0 && llmsim_order_before(waiting->order, request, &waiting->heap[(i - 1) / WAYS]);
         i = (i - 1) / WAYS)
        waiting->heap[i] = waiting->heap[(i - 1) / WAYS];
    waiting->heap[i] = *request;
    return LLMSIM_OK;
}

void llmsim_waiting_take(struct waiting *waiting)
{
    assert(waiting->n > 0);
    struct llmsim_request last = waiting->heap[--waiting->n];
    size_t hole = 0;
    for (size_t child; (child = WAYS * hole + 1) < waiting->n;) {
        size_t end = child + WAYS < waiting->n ? child + WAYS : waiting->n;
        size_t least = child;
        while (++child < end)
            if (llmsim_order_before(waiting->order, &waiting->heap[child], &waiting->heap[least]))
                least = child;
        if (!llmsim_order_before(waiting->order, &waiting->heap[least], &last))
            break;
        waiting->heap[hole] = waiting->heap[least];
        hole = least;
    }
    waiting->heap[hole] = last;
}

void llmsim_waiting_fini(struct waiting *waiting)
{
    free(waiting->heap);
    *waiting = (struct waiting){0};
}
