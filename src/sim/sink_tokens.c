/* sink_tokens.c: tokens.csv, a row a token.
 *
 * A decode step gives every request of its batch one token at the same time, after the same gap. So
 * ",time_s,latency_s\n" is formatted once a step, when the step is reported, and a request's rows
 * are its id, a counter and those texts copied in a line; a row costs a few copies of 16 bytes.
 * Only a request's first two tokens have a gap of their own. The texts stay in a ring for as long
 * as a running request began at or before them.
 *
 * The step engine hands over each token's time instead (result->token_ns), which is written
 * plainly: two ways to the same bytes, each the other's check. */
#include <stdlib.h>

#include "numfmt.h"
#include "sinks.h"

/* ",time_s,latency_s\n" has at most 1 + 20 + 1 + 20 + 1 bytes. It is copied whole, whatever its
 * length: three 16-byte moves and no loop. */
#define TEXT_ROOM 48
struct step_text {
    int64_t end_ns;
    char text[TEXT_ROOM];
    uint32_t length;
};
_Static_assert(sizeof(struct step_text) == 64, "a step's text is one cache line");

#define FIRST_CAPACITY 1024
/* A row's id (quoted at worst), comma, index and times. */
#define MAX_ID_TEXT (2 * LLMSIM_MAX_REQUEST_ID + 2)
#define ROW_ROOM (MAX_ID_TEXT + 1 + 24 + TEXT_ROOM)

static char *put_times(char *p, int64_t time_ns, int64_t latency_ns)
{
    *p++ = ',';
    p = llmsim_put_ns(p, time_ns);
    *p++ = ',';
    p = llmsim_put_ns(p, latency_ns);
    *p++ = '\n';
    return p;
}

static char *put_row(char *p, const struct llmsim_result *r, uint32_t index, int64_t time_ns,
                     int64_t latency_ns)
{
    memcpy(p, r->id, r->id_length);
    p += r->id_length;
    *p++ = ',';
    p = llmsim_put_u64(p, index);
    return put_times(p, time_ns, latency_ns);
}

static enum llmsim_status tokens_begin(void *self, const struct llmsim_run_view *view,
                                       struct llmsim_error *err)
{
    struct tokens_sink *sink = self;
    (void)err;
    sink->watch.view = *view;
    llmsim_output_text(sink->out, "request_id,token_index,time_s,latency_s\n");
    return LLMSIM_OK;
}

/* Room for one more step: forget those that nobody needs, and only then grow. */
static enum llmsim_status make_room(struct tokens_sink *sink, struct llmsim_error *err)
{
    uint64_t oldest = sink->watch.view.oldest_decode_step(sink->watch.view.engine);
    sink->first = oldest < sink->end ? oldest : sink->end;
    /* At least half free afterwards, so that this is rare. */
    if (sink->end - sink->first <= sink->capacity / 2 && sink->capacity > 0)
        return LLMSIM_OK;
    size_t capacity = sink->capacity > 0 ? 2 * sink->capacity : FIRST_CAPACITY;
    struct step_text *ring = malloc(capacity * sizeof *ring);
    if (ring == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    for (uint64_t i = sink->first; i < sink->end; i++)
        ring[i & (capacity - 1)] = sink->ring[i & (sink->capacity - 1)];
    free(sink->ring);
    sink->ring = ring;
    sink->capacity = capacity;
    return LLMSIM_OK;
}

static enum llmsim_status tokens_steps(void *self, const struct llmsim_step_run *steps,
                                       struct llmsim_error *err)
{
    struct tokens_sink *sink = self;
    if (steps->shape.decode_seqs == 0 || sink->watch.view.oldest_decode_step == NULL)
        return LLMSIM_OK;
    llmsim_time time = steps->start, duration = steps->durations.first;
    for (uint64_t i = 0; i < steps->n_steps; i++) {
        if (sink->end - sink->first == sink->capacity) {
            enum llmsim_status status = make_room(sink, err);
            if (status != LLMSIM_OK)
                return status;
        }
        time += duration;
        duration += steps->durations.increment;
        int64_t end_ns = llmsim_time_to_ns(time);
        struct step_text *text = &sink->ring[sink->end++ & (sink->capacity - 1)];
        text->end_ns = end_ns;
        text->length =
            (uint32_t)(put_times(text->text, end_ns, end_ns - sink->previous_end_ns) - text->text);
        sink->previous_end_ns = end_ns;
        enum llmsim_status status = llmsim_watch_rows(&sink->watch, 1, end_ns);
        if (status != LLMSIM_OK)
            return status;
    }
    return LLMSIM_OK;
}

/* Rows of a segment's tokens 2 and on (the first of them is row `index` of the request), which came
 * at the ends of the decode steps after `step` and share their texts with the rest of the batch. */
static void put_shared_rows(struct tokens_sink *sink, const struct llmsim_result *r, uint32_t index,
                            uint64_t step, uint32_t n_rows)
{
    char prefix[MAX_ID_TEXT + 1];
    memcpy(prefix, r->id, r->id_length);
    prefix[r->id_length] = ',';
    size_t prefix_length = r->id_length + 1;
    uint64_t mask = sink->capacity - 1;
    for (uint32_t i = 0; i < n_rows; i++) {
        const struct step_text *text = &sink->ring[(step + i) & mask];
        char *p = llmsim_output_room(sink->out, ROW_ROOM);
        if (prefix_length <= 16)
            memcpy(p, prefix, 16);
        else
            memcpy(p, prefix, prefix_length);
        p = llmsim_put_u64(p + prefix_length, index + i);
        memcpy(p, text->text, TEXT_ROOM);
        llmsim_output_advance(sink->out, p + text->length);
    }
}

/* The same, looking up every so many rows. */
static enum llmsim_status watch_shared_rows(struct tokens_sink *sink, const struct llmsim_result *r,
                                            uint32_t index, uint64_t step, uint32_t n_rows)
{
    enum llmsim_status status = LLMSIM_OK;
    while (n_rows > 0 && status == LLMSIM_OK) {
        uint32_t n_here = LLMSIM_ROWS_BETWEEN_LOOKS - sink->watch.n_rows;
        if (n_here > n_rows)
            n_here = n_rows;
        put_shared_rows(sink, r, index, step, n_here);
        index += n_here;
        step += n_here;
        n_rows -= n_here;
        status = llmsim_watch_rows(&sink->watch, n_here,
                                   sink->ring[(step - 1) & (sink->capacity - 1)].end_ns);
    }
    return status;
}

/* The rows of a segment, of which the first is row `index` of the request. */
static enum llmsim_status put_segment(struct tokens_sink *sink, const struct llmsim_result *r,
                                      uint32_t index, const struct llmsim_token_segment *segment)
{
    char *p = llmsim_output_room(sink->out, (size_t)2 * ROW_ROOM);
    p = put_row(p, r, index, segment->first_token_ns,
                index == 0 ? llmsim_result_ttft_ns(r) : segment->gap_ns);
    if (segment->n_tokens > 1) {
        int64_t end_ns = sink->ring[segment->first_decode_step & (sink->capacity - 1)].end_ns;
        p = put_row(p, r, index + 1, end_ns, end_ns - segment->first_token_ns);
    }
    llmsim_output_advance(sink->out, p);
    return segment->n_tokens > 2
               ? watch_shared_rows(sink, r, index + 2, segment->first_decode_step + 1,
                                   segment->n_tokens - 2)
               : LLMSIM_OK;
}

static enum llmsim_status tokens_tokens(void *self, const struct llmsim_result *r,
                                        struct llmsim_error *err)
{
    struct tokens_sink *sink = self;
    uint32_t index = 0;
    enum llmsim_status status = LLMSIM_OK;
    for (size_t i = 0; r->token_ns == NULL && i < r->n_segments && status == LLMSIM_OK; i++) {
        status = put_segment(sink, r, index, &r->segments[i]);
        index += r->segments[i].n_tokens;
    }
    for (; status == LLMSIM_OK && r->token_ns != NULL && index < r->request.output_tokens;
         index++) {
        int64_t before_ns = index == 0 ? r->request.arrival_ns : r->token_ns[index - 1];
        char *p = llmsim_output_room(sink->out, ROW_ROOM);
        p = put_row(p, r, index, r->token_ns[index], r->token_ns[index] - before_ns);
        llmsim_output_advance(sink->out, p);
        status = llmsim_watch_rows(&sink->watch, 1, r->token_ns[index]);
    }
    if (status != LLMSIM_OK)
        return status;
    return llmsim_output_check(sink->out, err);
}

void llmsim_tokens_sink_fini(struct tokens_sink *sink)
{
    free(sink->ring);
    *sink = (struct tokens_sink){0};
}

const struct llmsim_sink_ops llmsim_tokens_sink_ops = {
    .name = "tokens",
    .begin = tokens_begin,
    .steps = tokens_steps,
    .tokens = tokens_tokens,
};
