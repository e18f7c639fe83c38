/* event_queue.h: pending events in their total order: time, then kind, replica, sequence number.
 *
 * A 4-ary heap: half the levels of a binary one, and the four children share cache lines. It holds
 * one event a replica or so, because arrivals are merged from a cursor. */
#ifndef LLMSIM_SIM_EVENT_QUEUE_H
#define LLMSIM_SIM_EVENT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmsim/status.h"
#include "llmsim/time.h"

/* In the order in which events of one time are handled (docs/scheduling.md, order of events): ends
 * before arrivals, so that who arrives sees what has become free. */
enum event_kind { EVENT_STEP_END, EVENT_TRANSFER_END, EVENT_ARRIVAL };

struct event {
    llmsim_time time;
    enum event_kind kind;
    uint32_t replica;
    uint64_t sequence; /* set by push */
};

struct event_queue {
    struct event *events;
    size_t n, capacity;
    uint64_t n_pushed;
};

static inline bool llmsim_event_before(const struct event *a, const struct event *b)
{
    if (a->time != b->time)
        return a->time < b->time;
    if (a->kind != b->kind)
        return a->kind < b->kind;
    if (a->replica != b->replica)
        return a->replica < b->replica;
    return a->sequence < b->sequence;
}

/* A zeroed struct is an empty queue. LLMSIM_RUN_FAILED: out of memory. */
LLMSIM_MUST_CHECK enum llmsim_status
llmsim_event_queue_push(struct event_queue *queue, struct event event, struct llmsim_error *err);
/* The earliest event, NULL if there is none; pop removes it. */
static inline const struct event *llmsim_event_queue_peek(const struct event_queue *queue)
{
    return queue->n > 0 ? queue->events : NULL;
}
struct event llmsim_event_queue_pop(struct event_queue *queue);
void llmsim_event_queue_fini(struct event_queue *queue);

#endif
