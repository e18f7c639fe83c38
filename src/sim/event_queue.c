#include "event_queue.h"

#include <assert.h>
#include <stdlib.h>

#define WAYS 4

enum llmsim_status llmsim_event_queue_push(struct event_queue *queue, struct event event,
                                           struct llmsim_error *err)
{
    if (queue->n == queue->capacity) {
        size_t capacity = queue->capacity != 0 ? 2 * queue->capacity : 16;
        struct event *events = realloc(queue->events, capacity * sizeof *events);
        if (events == NULL)
            return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
        queue->events = events;
        queue->capacity = capacity;
    }
    event.sequence = queue->n_pushed++;
    size_t i = queue->n++;
    for (; i > 0 && llmsim_event_before(&event, &queue->events[(i - 1) / WAYS]); i = (i - 1) / WAYS)
        queue->events[i] = queue->events[(i - 1) / WAYS];
    queue->events[i] = event;
    return LLMSIM_OK;
}

struct event llmsim_event_queue_pop(struct event_queue *queue)
{
    assert(queue->n > 0);
    struct event top = queue->events[0];
    struct event last = queue->events[--queue->n];
    size_t hole = 0;
    for (size_t child; (child = WAYS * hole + 1) < queue->n;) {
        size_t end = child + WAYS < queue->n ? child + WAYS : queue->n;
        size_t least = child;
        while (++child < end)
            if (llmsim_event_before(&queue->events[child], &queue->events[least]))
                least = child;
        if (!llmsim_event_before(&queue->events[least], &last))
            break;
        queue->events[hole] = queue->events[least];
        hole = least;
    }
    queue->events[hole] = last;
    return top;
}

void llmsim_event_queue_fini(struct event_queue *queue)
{
    free(queue->events);
    *queue = (struct event_queue){0};
}
