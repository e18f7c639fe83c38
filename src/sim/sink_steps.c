/* sink_steps.c: steps.csv, a row a step. A duration is the difference of two printed times. */
#include "numfmt.h"
#include "sinks.h"

#define ROW_ROOM 256

static enum llmsim_status steps_begin(void *self, const struct llmsim_run_view *view,
                                      struct llmsim_error *err)
{
    struct steps_sink *sink = self;
    (void)err;
    sink->watch.view = *view;
    llmsim_output_text(sink->out, "step_id,start_s,duration_s,kind,prefill_tokens,decode_seqs,"
                                  "context_tokens\n");
    return LLMSIM_OK;
}

static enum llmsim_status steps_steps(void *self, const struct llmsim_step_run *steps,
                                      struct llmsim_error *err)
{
    struct steps_sink *sink = self;
    struct llmsim_output *out = sink->out;
    llmsim_time start = steps->start, duration = steps->durations.first;
    uint64_t context_tokens = steps->shape.context_tokens;
    for (uint64_t i = 0; i < steps->n_steps; i++) {
        llmsim_time end = start + duration;
        char *p = llmsim_output_room(out, ROW_ROOM);
        p = llmsim_put_u64(p, steps->first_step_id + i);
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
        *p++ = '\n';
        llmsim_output_advance(out, p);
        enum llmsim_status status = llmsim_watch_rows(&sink->watch, 1, llmsim_time_to_ns(end));
        if (status != LLMSIM_OK)
            return status;
        start = end;
        duration += steps->durations.increment;
        context_tokens += steps->shape.decode_seqs;
    }
    return llmsim_output_check(out, err);
}

const struct llmsim_sink_ops llmsim_steps_sink_ops = {
    .name = "steps",
    .begin = steps_begin,
    .steps = steps_steps,
};
