/* The total order: time, then kind, then sequence number. */
#include <criterion/criterion.h>

#include "event_queue.h"

static void push(struct event_queue *queue, int64_t ns, enum event_kind kind, uint32_t replica)
{
    struct event event = {.time = llmsim_time_from_ns(ns), .kind = kind, .replica = replica};
    cr_assert_eq(llmsim_event_queue_push(queue, event, NULL), LLMSIM_OK);
}

Test(event_queue, order)
{
    struct event_queue queue = {0};
    push(&queue, 5, EVENT_ARRIVAL, 0);
    push(&queue, 5, EVENT_STEP_END, 1);
    push(&queue, 3, EVENT_ARRIVAL, 2);
    push(&queue, 5, EVENT_STEP_END, 3);
    push(&queue, 3, EVENT_ARRIVAL, 4);
    static const uint32_t expected[] = {2, 4, 1, 3, 0};
    for (size_t i = 0; i < 5; i++)
        cr_assert_eq(llmsim_event_queue_pop(&queue).replica, expected[i]);
    cr_assert_null(llmsim_event_queue_peek(&queue));
    llmsim_event_queue_fini(&queue);
}

/* Pushed and popped at random, events come out in order, and none is lost. */
Test(event_queue, random)
{
    struct event_queue queue = {0};
    uint32_t state = 1;
    uint64_t n_pushed = 0, n_popped = 0;
    struct event last = {.time = -1};
    for (int round = 0; round < 300; round++) {
        int64_t base = (int64_t)(last.time < 0 ? 0 : last.time >> LLMSIM_TIME_FRACTION_BITS);
        for (uint32_t i = state % 40; i > 0; i--, n_pushed++) {
            state = state * 1664525u + 1013904223u;
            push(&queue, base + 1 + (state >> 20) % 50, (state >> 9) % 2, i);
        }
        state = state * 1664525u + 1013904223u;
        for (uint32_t i = state >> 27; i > 0 && queue.n > 0; i--, n_popped++) {
            struct event event = llmsim_event_queue_pop(&queue);
            cr_assert(llmsim_event_before(&last, &event));
            last = event;
        }
    }
    cr_assert_eq(n_pushed, n_popped + queue.n);
    llmsim_event_queue_fini(&queue);
}
