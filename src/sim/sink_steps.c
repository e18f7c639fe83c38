/* sink_steps.c: steps.csv, a row a step, in the order in which the steps end. A duration is the
 * difference of two printed times.
 *
 * Replicas are reported a run at a time, whenever a run ends, so the runs of several replicas
 * overlap. They wait here until no earlier step can come, and are then merged. */
#include <stdlib.h>

#include "numfmt.h"
#include "sinks.h"

#define ROW_ROOM 256

/* Runs of one replica that are not written yet, `n` of them from `first` on; of the first, the
 * steps before `step` are. */
struct pending_steps {
    struct llmsim_step_run *runs;
    size_t first, n, capacity;
    uint64_t step;
};

static enum llmsim_status steps_begin(void *self, const struct llmsim_run_view *view,
                                      struct llmsim_error *err)
{
    struct steps_sink *sink = self;
    sink->watch.view = *view;
    llmsim_output_text(sink->out, "step_id,start_s,duration_s,kind,prefill_tokens,decode_seqs,"
                                  "context_tokens,replica\n");
    sink->pending = calloc(view->n_replicas, sizeof *sink->pending);
    return sink->pending != NULL ? LLMSIM_OK : llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
}

/* Steps `from` to `to` - 1 of a run. */
static enum llmsim_status write_steps(struct steps_sink *sink, const struct llmsim_step_run *steps,
                                      uint64_t from, uint64_t to)
{
    const struct llmsim_decode_run d = steps->durations;
    llmsim_time start = steps->start + llmsim_decode_run_time(d, from);
    llmsim_time duration = d.first + (llmsim_time)d.increment * (llmsim_time)from;
    uint64_t context_tokens = steps->shape.context_tokens + from * steps->shape.decode_seqs;
    for (uint64_t i = from; i < to; i++) {
        llmsim_time end = start + duration;
        char *p = llmsim_output_room(sink->out, ROW_ROOM);
        p = llmsim_put_u64(p, sink->n_written++);
        *p++ = ',';
        p = llmsim_put_ns(p, llmsim_time_to_ns(start));
        *p++ = ',';
        p = llmsim_put_ns(p, llmsim_time_to_ns(end) - llmsim_time_to_ns(start));
        *p++ = ',';
        p = stpcpy(p, llmsim_step_kind_name(steps->kind));
        *p++ = ',';
        p = llmsim_put_u64(p, steps->shape.prefill_tokens);
        *p++ = ',';
        p = llmsim_put_u64(p, steps->shape.decode_seqs);
        *p++ = ',';
        p = llmsim_put_u64(p, context_tokens);
        *p++ = ',';
        p = llmsim_put_u64(p, steps->replica);
        *p++ = '\n';
        llmsim_output_advance(sink->out, p);
        enum llmsim_status status = llmsim_watch_rows(&sink->watch, 1, llmsim_time_to_ns(end));
        if (status != LLMSIM_OK)
            return status;
        start = end;
        duration += d.increment;
        context_tokens += steps->shape.decode_seqs;
    }
    return LLMSIM_OK;
}

static enum llmsim_status put_pending(struct pending_steps *pending,
                                      const struct llmsim_step_run *steps, struct llmsim_error *err)
{
    if (pending->first + pending->n == pending->capacity) {
        size_t capacity = pending->capacity;
        if (pending->n >= capacity / 2)
            capacity = capacity > 0 ? 2 * capacity : 16;
        struct llmsim_step_run *runs = malloc(capacity * sizeof *runs);
        if (runs == NULL)
            return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
        for (size_t i = 0; i < pending->n; i++)
            runs[i] = pending->runs[pending->first + i];
        free(pending->runs);
        *pending = (struct pending_steps){runs, 0, pending->n, capacity, pending->step};
    }
    pending->runs[pending->first + pending->n++] = *steps;
    return LLMSIM_OK;
}

/* The end of the replica's next step is an event. */
static enum llmsim_status push_next(struct steps_sink *sink, uint32_t replica,
                                    struct llmsim_error *err)
{
    const struct pending_steps *pending = &sink->pending[replica];
    const struct llmsim_step_run *steps = &pending->runs[pending->first];
    llmsim_time end = steps->start + llmsim_decode_run_time(steps->durations, pending->step + 1);
    return llmsim_event_queue_push(&sink->order, (struct event){.time = end, .replica = replica},
                                   err);
}

/* Write what ends before `until`, or everything. */
static enum llmsim_status write_pending(struct steps_sink *sink, bool is_all, llmsim_time until,
                                        struct llmsim_error *err)
{
    enum llmsim_status status = LLMSIM_OK;
    const struct event *next;
    while (status == LLMSIM_OK && (next = llmsim_event_queue_peek(&sink->order)) != NULL &&
           (is_all || next->time < until)) {
        uint32_t replica = llmsim_event_queue_pop(&sink->order).replica;
        struct pending_steps *pending = &sink->pending[replica];
        const struct llmsim_step_run *steps = &pending->runs[pending->first];
        status = write_steps(sink, steps, pending->step, pending->step + 1);
        if (++pending->step == steps->n_steps) {
            pending->step = 0;
            pending->first++;
            pending->n--;
        }
        if (pending->n > 0 && status == LLMSIM_OK)
            status = push_next(sink, replica, err);
    }
    return status;
}

static enum llmsim_status steps_steps(void *self, const struct llmsim_step_run *steps,
                                      struct llmsim_error *err)
{
    struct steps_sink *sink = self;
    enum llmsim_status status = LLMSIM_OK;
    if (!steps->is_reported)
        return LLMSIM_OK;
    if (sink->watch.view.n_replicas == 1) {
        status = write_steps(sink, steps, 0, steps->n_steps);
    } else {
        struct pending_steps *pending = &sink->pending[steps->replica];
        status = put_pending(pending, steps, err);
        if (status == LLMSIM_OK && pending->n == 1)
            status = push_next(sink, steps->replica, err);
        if (status == LLMSIM_OK)
            status = write_pending(
                sink, false, sink->watch.view.steps_known_until(sink->watch.view.engine), err);
    }
    return status == LLMSIM_OK ? llmsim_output_check(sink->out, err) : status;
}

static enum llmsim_status steps_end(void *self, const struct llmsim_totals *totals,
                                    struct llmsim_error *err)
{
    struct steps_sink *sink = self;
    (void)totals;
    enum llmsim_status status = write_pending(sink, true, 0, err);
    return status == LLMSIM_OK ? llmsim_output_check(sink->out, err) : status;
}

void llmsim_steps_sink_fini(struct steps_sink *sink)
{
    for (uint32_t i = 0; sink->pending != NULL && i < sink->watch.view.n_replicas; i++)
        free(sink->pending[i].runs);
    free(sink->pending);
    llmsim_event_queue_fini(&sink->order);
    *sink = (struct steps_sink){0};
}

const struct llmsim_sink_ops llmsim_steps_sink_ops = {
    .name = "steps",
    .begin = steps_begin,
    .steps = steps_steps,
    .end = steps_end,
};
