/* sink_trace_events.c: what happened when, in Chrome's trace format, for Perfetto.
 *
 * A track a replica: its steps, where consecutive decode steps of one batch are one slice, however
 * the engine groups them; so there are some slices a request, not a slice a token. A track a
 * request, for the first of the trace. Slices are pairs of begin and end, not begins with a
 * duration: a viewer that reads microseconds into floating point sees a slice begin exactly where
 * the one before it ends. The file is in the order of the tracks, which no engine decides; the
 * events of a track wait in a spill file until the end. docs/plots.md describes the events. */
#include <stdlib.h>

#include "llmsim/version.h"
#include "numfmt.h"
#include "sinks.h"
#include "utf8.h"

#define REPLICAS_PID "1"
#define REQUESTS_PID "2"
/* Tracks of the spill: replica r, then the request of row r. */
#define REQUEST_TRACK(row) (((uint64_t)1 << 63) + (row))

#define BATCH_BYTES ((size_t)16 << 10)
/* The longest event of all: a request's name, escaped, and the numbers beside it. */
#define EVENT_ROOM ((size_t)1 << 10)

struct trace_events_replica {
    struct llmsim_step_run slice; /* n_steps 0: none is begun; gaps are not kept */
    uint64_t n_slices;
    size_t used;
    char text[BATCH_BYTES]; /* handed to the spill when it is nearly full */
};

/* ",\n{"ph":"B","pid":1,"tid":3,"ts":12.345" for track 2; the caller adds members and a brace. */
static char *put_event(char *p, const char *phase, const char *pid, uint64_t tid, int64_t ns)
{
    p = stpcpy(p, ",\n{\"ph\":\"");
    p = stpcpy(p, phase);
    p = stpcpy(p, "\",\"pid\":");
    p = stpcpy(p, pid);
    p = stpcpy(p, ",\"tid\":");
    p = llmsim_put_u64(p, tid + 1); /* tid 0 is the idle thread */
    p = stpcpy(p, ",\"ts\":");
    p = llmsim_put_u64(p, (uint64_t)ns / 1000);
    *p++ = '.';
    return llmsim_put_3digits(p, (uint32_t)(ns % 1000));
}

static char *put_end(char *p, const char *pid, uint64_t tid, int64_t ns)
{
    return stpcpy(put_event(p, "E", pid, tid, ns), "}");
}

/* ",\"name\":value" */
static char *put_count(char *p, const char *name, uint64_t value)
{
    p = stpcpy(p, name);
    return llmsim_put_u64(p, value);
}

/* The decoded text of a CSV field as the inside of a JSON string. Room: 6 times its length. */
static char *put_id(char *p, const struct llmsim_result *r)
{
    char id[2 * LLMSIM_MAX_REQUEST_ID + 3], *end = id;
    bool is_quoted = r->id_length > 1 && r->id[0] == '"';
    for (size_t i = is_quoted; i < r->id_length - is_quoted; i++) {
        *end++ = r->id[i];
        i += is_quoted && r->id[i] == '"'; /* which stands twice */
    }
    *end = '\0';
    for (const char *c = id; *c != '\0';) {
        size_t length = llmsim_utf8_length(c), n = llmsim_utf8_shown(c);
        if (n == 0)
            p = stpcpy(p, "\xef\xbf\xbd");
        else if (*c == '"' || *c == '\\')
            p = stpcpy(p, *c == '"' ? "\\\"" : "\\\\");
        else
            p = mempcpy(p, c, n);
        c += length > 0 ? length : 1;
    }
    return p;
}

static char *put_track_name(char *p, const char *pid, uint64_t tid, const char *kind)
{
    p = stpcpy(p, ",\n{\"ph\":\"M\",\"pid\":");
    p = stpcpy(p, pid);
    p = stpcpy(p, ",\"tid\":");
    p = llmsim_put_u64(p, tid + 1);
    p = stpcpy(p, ",\"name\":\"thread_name\",\"args\":{\"name\":\"");
    return stpcpy(p, kind);
}

static enum llmsim_status trace_events_begin(void *self, const struct llmsim_run_view *view,
                                             struct llmsim_error *err)
{
    struct trace_events_sink *sink = self;
    (void)view;
    llmsim_output_text(
        sink->out,
        "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"producer\":\"llmsim " LLMSIM_VERSION
        "\"},\"traceEvents\":[\n"
        "{\"ph\":\"M\",\"pid\":" REPLICAS_PID
        ",\"name\":\"process_name\",\"args\":{\"name\":\"replicas\"}},\n"
        "{\"ph\":\"M\",\"pid\":" REQUESTS_PID
        ",\"name\":\"process_name\",\"args\":{\"name\":\"requests\"}}");
    return llmsim_spill_create(sink->out->path, &sink->spill, err);
}

/* Room for one more event of the replica. */
static enum llmsim_status make_room(struct trace_events_sink *sink, uint32_t replica,
                                    struct llmsim_error *err)
{
    struct trace_events_replica *t = sink->replicas[replica];
    size_t used = t->used;
    if (used + 2 * EVENT_ROOM <= sizeof t->text)
        return LLMSIM_OK;
    t->used = 0;
    return llmsim_spill_append(sink->spill, replica, t->text, used, err);
}

/* The slice of the steps that are joined so far. Its name has the kind and the batch size. */
static enum llmsim_status put_slice(struct trace_events_sink *sink, uint32_t replica,
                                    struct llmsim_error *err)
{
    struct trace_events_replica *t = sink->replicas[replica];
    const struct llmsim_step_run *s = &t->slice;
    if (s->n_steps == 0 || t->n_slices > LLMSIM_TRACE_EVENTS_MAX_SLICES)
        return LLMSIM_OK;
    enum llmsim_status status = make_room(sink, replica, err);
    char *p = t->text + t->used;
    if (t->n_slices++ == LLMSIM_TRACE_EVENTS_MAX_SLICES) {
        p = put_event(p, "i", REPLICAS_PID, replica, llmsim_time_to_ns(s->start));
        p = stpcpy(p, ",\"s\":\"t\",\"name\":\"later steps are left out\"}");
        t->used = (size_t)(p - t->text);
        return status;
    }
    uint32_t batch = s->shape.prefill_seqs + s->shape.decode_seqs;
    p = put_event(p, "B", REPLICAS_PID, replica, llmsim_time_to_ns(s->start));
    p = stpcpy(p, ",\"name\":\"");
    p = stpcpy(p, llmsim_step_kind_name(s->kind));
    p = put_count(p, " ", batch);
    p = stpcpy(p, "\",\"cat\":\"");
    p = stpcpy(p, llmsim_step_kind_name(s->kind));
    p = put_count(p, "\",\"args\":{\"batch_size\":", batch);
    p = put_count(p, ",\"steps\":", s->n_steps);
    p = put_count(p, ",\"prefill_tokens\":", s->shape.prefill_tokens);
    p = put_count(p, ",\"decode_tokens\":", s->n_steps * s->shape.decode_seqs);
    p = put_count(p, ",\"context_tokens\":", s->shape.context_tokens);
    p = stpcpy(p, "}}");
    p = put_end(p, REPLICAS_PID, replica, llmsim_time_to_ns(s->end));
    t->used = (size_t)(p - t->text);
    return status;
}

static enum llmsim_status add_replica(struct trace_events_sink *sink, uint32_t replica,
                                      struct llmsim_error *err)
{
    if (replica >= sink->n_replicas) {
        size_t n = (size_t)replica + 1;
        struct trace_events_replica **replicas = realloc(sink->replicas, n * sizeof(void *));
        if (replicas == NULL)
            return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
        for (size_t i = sink->n_replicas; i < n; i++)
            replicas[i] = NULL;
        sink->replicas = replicas;
        sink->n_replicas = n;
    }
    if (sink->replicas[replica] != NULL)
        return LLMSIM_OK;
    struct trace_events_replica *t = sink->replicas[replica] = malloc(sizeof *t);
    if (t == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    t->n_slices = 0;
    t->slice = (struct llmsim_step_run){0};
    char *p = put_track_name(t->text, REPLICAS_PID, replica, "replica");
    p = put_count(p, " ", replica);
    p = stpcpy(p, "\"}}");
    t->used = (size_t)(p - t->text);
    return LLMSIM_OK;
}

/* Is the run what the decode steps of the slice would go on with? */
static bool continues(const struct llmsim_step_run *slice, const struct llmsim_step_run *run)
{
    return slice->n_steps > 0 && slice->kind == LLMSIM_STEP_DECODE &&
           run->kind == LLMSIM_STEP_DECODE && run->start == slice->end &&
           run->shape.decode_seqs == slice->shape.decode_seqs &&
           run->shape.context_tokens ==
               slice->shape.context_tokens + slice->n_steps * slice->shape.decode_seqs;
}

static enum llmsim_status trace_events_steps(void *self, const struct llmsim_step_run *run,
                                             struct llmsim_error *err)
{
    struct trace_events_sink *sink = self;
    if (!run->is_reported)
        return LLMSIM_OK;
    enum llmsim_status status = add_replica(sink, run->replica, err);
    if (status != LLMSIM_OK)
        return status;
    struct llmsim_step_run *slice = &sink->replicas[run->replica]->slice;
    if (continues(slice, run)) {
        slice->n_steps += run->n_steps;
        slice->end = run->end;
        return LLMSIM_OK;
    }
    status = put_slice(sink, run->replica, err);
    *slice = *run;
    return status;
}

/* A slice inside a request's, unless it takes no time. */
static char *put_phase(char *p, uint64_t row, const char *name, int64_t begin_ns, int64_t end_ns)
{
    if (begin_ns == end_ns)
        return p;
    p = put_event(p, "B", REQUESTS_PID, row, begin_ns);
    p = stpcpy(p, ",\"name\":\"");
    p = stpcpy(p, name);
    p = stpcpy(p, "\"}");
    return put_end(p, REQUESTS_PID, row, end_ns);
}

static char *put_request_begin(char *p, const struct llmsim_result *r)
{
    const struct llmsim_request *request = &r->request;
    p = put_track_name(p, REQUESTS_PID, request->row, "request ");
    p = put_id(p, r);
    p = stpcpy(p, "\"}}");
    bool is_completed = r->outcome == LLMSIM_OUTCOME_COMPLETED;
    p = put_event(p, is_completed ? "B" : "i", REQUESTS_PID, request->row, request->arrival_ns);
    if (!is_completed)
        p = stpcpy(p, ",\"s\":\"t\"");
    p = stpcpy(p, ",\"name\":\"");
    p = stpcpy(p, is_completed ? "request" : llmsim_outcome_name(r->outcome));
    p = put_count(p, "\",\"args\":{\"prompt_tokens\":", request->prompt_tokens);
    p = put_count(p, ",\"output_tokens\":", request->output_tokens);
    if (is_completed) {
        p = put_count(p, ",\"preemptions\":", r->preemptions);
        p = put_count(p, ",\"replica\":", r->replica);
    }
    return stpcpy(p, "}}");
}

/* A completed request: queue, prefill, then decode and preempted (or transfer, to a decode replica)
 * by turns. A preemption before the first token is a part of the prefill. */
static enum llmsim_status put_phases(struct trace_events_sink *sink, const struct llmsim_result *r,
                                     char *begin, char *p, struct llmsim_error *err)
{
    uint64_t row = r->request.row, track = REQUEST_TRACK(row);
    bool has_output = r->request.output_tokens > 0;
    int64_t since_ns = has_output ? r->first_token_ns : r->end_ns;
    p = put_phase(p, row, "queue", r->request.arrival_ns, r->scheduled_ns);
    p = put_phase(p, row, "prefill", r->scheduled_ns, since_ns);
    enum llmsim_status status = LLMSIM_OK;
    for (size_t i = 1; i < r->n_segments && status == LLMSIM_OK; i++) {
        int64_t resumed_ns = r->segments[i].start_ns;
        int64_t preempted_ns = resumed_ns - r->segments[i].gap_ns;
        p = put_phase(p, row, "decode", since_ns, preempted_ns);
        p = put_phase(p, row,
                      r->segments[i].kind == LLMSIM_SEGMENT_MOVED ? "transfer" : "preempted",
                      preempted_ns, resumed_ns);
        since_ns = resumed_ns;
        status = llmsim_spill_append(sink->spill, track, begin, (size_t)(p - begin), err);
        p = begin;
    }
    if (has_output)
        p = put_phase(p, row, "decode", since_ns, r->end_ns);
    p = put_end(p, REQUESTS_PID, row, r->end_ns);
    if (status == LLMSIM_OK)
        status = llmsim_spill_append(sink->spill, track, begin, (size_t)(p - begin), err);
    return status;
}

static enum llmsim_status trace_events_request(void *self, const struct llmsim_result *r,
                                               struct llmsim_error *err)
{
    struct trace_events_sink *sink = self;
    char text[4 * EVENT_ROOM];
    if (r->request.row >= sink->n_request_tracks)
        return LLMSIM_OK;
    char *p = put_request_begin(text, r);
    if (r->outcome == LLMSIM_OUTCOME_COMPLETED)
        return put_phases(sink, r, text, p, err);
    return llmsim_spill_append(sink->spill, REQUEST_TRACK(r->request.row), text, (size_t)(p - text),
                               err);
}

static enum llmsim_status trace_events_end(void *self, const struct llmsim_totals *totals,
                                           struct llmsim_error *err)
{
    struct trace_events_sink *sink = self;
    enum llmsim_status status = LLMSIM_OK;
    (void)totals;
    for (uint32_t i = 0; i < sink->n_replicas && status == LLMSIM_OK; i++) {
        struct trace_events_replica *t = sink->replicas[i];
        if (t == NULL)
            continue;
        status = put_slice(sink, i, err);
        if (status == LLMSIM_OK)
            status = llmsim_spill_append(sink->spill, i, t->text, t->used, err);
    }
    if (status == LLMSIM_OK)
        status = llmsim_spill_copy(sink->spill, sink->out, err);
    llmsim_output_text(sink->out, "\n]}\n");
    return status == LLMSIM_OK ? llmsim_output_check(sink->out, err) : status;
}

void llmsim_trace_events_sink_fini(struct trace_events_sink *sink)
{
    for (size_t i = 0; i < sink->n_replicas; i++)
        free(sink->replicas[i]);
    free(sink->replicas);
    llmsim_spill_destroy(sink->spill);
    *sink = (struct trace_events_sink){0};
}

const struct llmsim_sink_ops llmsim_trace_events_sink_ops = {
    .name = "trace events",
    .begin = trace_events_begin,
    .steps = trace_events_steps,
    .request = trace_events_request,
    .end = trace_events_end,
};
