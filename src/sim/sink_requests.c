/* sink_requests.c: requests.csv, a row a request. */
#include "numfmt.h"
#include "sinks.h"

#define ROW_ROOM 512
#define TIME_ROOM 24 /* of a time as text: at most 20 bytes */

/* Copied whole, at a length that the compiler knows. */
static const struct {
    char text[31];
    uint8_t length;
} outcomes[] = {
#define X(name, text) {text, sizeof text - 1},
    LLMSIM_OUTCOME_LIST(X)
#undef X
};

static enum llmsim_status requests_begin(void *self, const struct llmsim_run_view *view,
                                         struct llmsim_error *err)
{
    struct requests_sink *sink = self;
    (void)view;
    (void)err;
    sink->origin_ns = LLMSIM_NO_TIME;
    llmsim_output_text(sink->out,
                       "request_id,arrival_s,prompt_tokens,output_tokens,outcome,queue_s,"
                       "ttft_s,tpot_s,e2e_s,preemptions,unloaded_e2e_s,slowdown,"
                       "wait_s,prefill_s,decode_s,interference_s,preempted_s,transfer_s,"
                       "replica,prefill_replica,cached_tokens");
    llmsim_output_text(sink->out, sink->trace != NULL ? ",trace_time_s\n" : "\n");
    return LLMSIM_OK;
}

/* ",replica,prefill_replica,cached_tokens\n" */
static char *put_end(char *p, const struct llmsim_result *r)
{
    *p++ = ',';
    p = llmsim_put_u64(p, r->replica);
    *p++ = ',';
    p = llmsim_put_u64(p, r->prefill_replica);
    *p++ = ',';
    p = llmsim_put_u64(p, r->cached_tokens);
    *p++ = '\n';
    return p;
}

/* ",prefill_s,decode_s,interference_s,preempted_s,transfer_s,replica,prefill_replica,
 * cached_tokens\n" */
static char *put_attribution_and_end(char *p, const struct llmsim_result *r)
{
    static const char plain_end[] = ",0.000000000,0.000000000,0,0,0\n";
    const struct llmsim_attribution a = llmsim_result_attribution(r);
    *p++ = ',';
    p = llmsim_put_ns(p, a.prefill_ns);
    *p++ = ',';
    p = llmsim_put_ns(p, a.decode_ns);
    *p++ = ',';
    p = llmsim_put_ns(p, a.interference_ns);
    if (r->n_segments == 1 && (r->replica | r->prefill_replica | r->cached_tokens) == 0) {
        memcpy(p, plain_end, sizeof plain_end); /* as a rule */
        return p + sizeof plain_end - 1;
    }
    *p++ = ',';
    p = llmsim_put_ns(p, a.preempted_ns);
    *p++ = ',';
    p = llmsim_put_ns(p, a.transfer_ns);
    return put_end(p, r);
}

/* The latencies of a request that was not completed do not exist; of one that is unfinished, what
 * had come by then does. */
static char *put_not_completed(char *p, const struct llmsim_result *r)
{
    if (r->scheduled_ns != LLMSIM_NO_TIME)
        p = llmsim_put_ns(p, llmsim_result_queue_ns(r));
    *p++ = ',';
    if (r->n_tokens > 0)
        p = llmsim_put_ns(p, llmsim_result_ttft_ns(r));
    p = stpcpy(p, ",,,");
    p = llmsim_put_u64(p, r->preemptions);
    return put_end(stpcpy(p, ",,,,,,,,"), r);
}

/* ",trace_time_s\n" in place of the row's end. The trace knows its time 0 by now. */
static char *put_trace_time(char *p, struct requests_sink *sink, int64_t arrival_ns)
{
    if (sink->origin_ns == LLMSIM_NO_TIME) {
        struct llmsim_trace_status status;
        llmsim_trace_get_status(sink->trace, &status);
        sink->origin_ns = status.origin_ns;
    }
    p[-1] = ',';
    p = llmsim_put_ns(p, sink->origin_ns + arrival_ns);
    *p++ = '\n';
    return p;
}

static enum llmsim_status end_row(struct requests_sink *sink, char *p,
                                  const struct llmsim_result *r, struct llmsim_error *err)
{
    if (sink->trace != NULL)
        p = put_trace_time(p, sink, r->request.arrival_ns);
    llmsim_output_advance(sink->out, p);
    return llmsim_output_check(sink->out, err);
}

/* ttft_s of a request without output and tpot_s of one with fewer than two tokens do not exist, nor
 * has one that takes no time a slowdown; their fields are empty. */
static enum llmsim_status requests_request(void *self, const struct llmsim_result *r,
                                           struct llmsim_error *err)
{
    struct requests_sink *sink = self;
    char *p = llmsim_output_room(sink->out, ROW_ROOM);
    memcpy(p, r->id, r->id_length);
    p += r->id_length;
    *p++ = ',';
    p = llmsim_put_ns(p, r->request.arrival_ns);
    *p++ = ',';
    p = llmsim_put_u64(p, r->request.prompt_tokens);
    *p++ = ',';
    p = llmsim_put_u64(p, r->request.output_tokens);
    *p++ = ',';
    memcpy(p, outcomes[r->outcome].text, sizeof outcomes->text);
    p += outcomes[r->outcome].length;
    *p++ = ',';
    if (r->outcome != LLMSIM_OUTCOME_COMPLETED)
        return end_row(sink, put_not_completed(p, r), r, err);
    const char *queue = p;
    p = llmsim_put_ns(p, llmsim_result_queue_ns(r));
    ptrdiff_t queue_length = p - queue;
    *p++ = ',';
    if (r->request.output_tokens > 0)
        p = llmsim_put_ns(p, llmsim_result_ttft_ns(r));
    *p++ = ',';
    if (r->request.output_tokens > 1)
        p = llmsim_put_ns(p, r->tpot_ns);
    *p++ = ',';
    p = llmsim_put_ns(p, llmsim_result_e2e_ns(r));
    *p++ = ',';
    p = llmsim_put_u64(p, r->preemptions);
    *p++ = ',';
    p = llmsim_put_ns(p, r->unloaded_ns);
    *p++ = ',';
    if (llmsim_result_has_slowdown(r))
        p = llmsim_put_millionths(p, r->slowdown_millionths);
    *p++ = ',';
    memcpy(p, queue, TIME_ROOM); /* wait_s is queue_s */
    return end_row(sink, put_attribution_and_end(p + queue_length, r), r, err);
}

const struct llmsim_sink_ops llmsim_requests_sink_ops = {
    .name = "requests",
    .begin = requests_begin,
    .request = requests_request,
};
