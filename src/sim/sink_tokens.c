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

struct step_ring {
    struct step_text *texts; /* of the decode steps from `first` to `end` - 1; capacity is 2^n */
    size_t capacity;
    uint64_t first, end;
    int64_t previous_end_ns; /* of the decode step before `end` */
};

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
    sink->watch.view = *view;
    llmsim_output_text(sink->out, "request_id,token_index,time_s,latency_s\n");
    sink->rings = calloc(view->n_replicas, sizeof *sink->rings);
    return sink->rings != NULL ? LLMSIM_OK : llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
}

/* Room for one more step: forget those that nobody needs, and only then grow. */
static enum llmsim_status make_room(const struct tokens_sink *sink, uint32_t replica,
                                    struct llmsim_error *err)
{
    struct step_ring *ring = &sink->rings[replica];
    uint64_t oldest = sink->watch.view.oldest_decode_step(sink->watch.view.engine, replica);
    ring->first = oldest < ring->end ? oldest : ring->end;
    /* At least half free afterwards, so that this is rare. */
    if (ring->end - ring->first <= ring->capacity / 2 && ring->capacity > 0)
        return LLMSIM_OK;
    size_t capacity = ring->capacity > 0 ? 2 * ring->capacity : FIRST_CAPACITY;
    struct step_text *texts = malloc(capacity * sizeof *texts);
    if (texts == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    for (uint64_t i = ring->first; i < ring->end; i++)
        texts[i & (capacity - 1)] = ring->texts[i & (ring->capacity - 1)];
    free(ring->texts);
    ring->texts = texts;
    ring->capacity = capacity;
    return LLMSIM_OK;
}

static enum llmsim_status tokens_steps(void *self, const struct llmsim_step_run *steps,
                                       struct llmsim_error *err)
{
    struct tokens_sink *sink = self;
    if (steps->shape.decode_seqs == 0 || sink->watch.view.oldest_decode_step == NULL)
        return LLMSIM_OK;
    struct step_ring *ring = &sink->rings[steps->replica];
    llmsim_time time = steps->start, duration = steps->durations.first;
    for (uint64_t i = 0; i < steps->n_steps; i++) {
        if (ring->end - ring->first == ring->capacity) {
            enum llmsim_status status = make_room(sink, steps->replica, err);
            if (status != LLMSIM_OK)
                return status;
        }
        time += duration;
        duration += steps->durations.increment;
        int64_t end_ns = llmsim_time_to_ns(time);
        struct step_text *text = &ring->texts[ring->end++ & (ring->capacity - 1)];
        text->end_ns = end_ns;
        text->length =
            (uint32_t)(put_times(text->text, end_ns, end_ns - ring->previous_end_ns) - text->text);
        ring->previous_end_ns = end_ns;
        enum llmsim_status status = llmsim_watch_rows(&sink->watch, 1, end_ns);
        if (status != LLMSIM_OK)
            return status;
    }
    return LLMSIM_OK;
}

/* Rows of n_rows tokens (the first of them is row `index` of the request) that came at the ends of
 * the decode steps from `step` on and share their texts with the rest of the batch. */
static void put_shared_rows(const struct tokens_sink *sink, const struct llmsim_result *r,
                            uint32_t index, uint64_t step, uint32_t n_rows)
{
    const struct step_ring *ring = &sink->rings[r->replica];
    char prefix[MAX_ID_TEXT + 1];
    memcpy(prefix, r->id, r->id_length);
    prefix[r->id_length] = ',';
    size_t prefix_length = r->id_length + 1;
    uint64_t mask = ring->capacity - 1;
    for (uint32_t i = 0; i < n_rows; i++) {
        const struct step_text *text = &ring->texts[(step + i) & mask];
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
    const struct step_ring *ring = &sink->rings[r->replica];
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
                                   ring->texts[(step - 1) & (ring->capacity - 1)].end_ns);
    }
    return status;
}

/* The rows of a segment, of which the first is row `index` of the request; the token ahead of it
 * came at *last_ns, which is set to when the last one came. The first token, and the one after that
 * of a prefill, have a gap of their own. */
static enum llmsim_status put_segment(struct tokens_sink *sink, const struct llmsim_result *r,
                                      uint32_t index, const struct llmsim_token_segment *segment,
                                      int64_t *last_ns)
{
    const struct step_ring *ring = &sink->rings[r->replica];
    uint64_t step = segment->first_decode_step;
    uint32_t n_left = segment->n_tokens;
    char *p = llmsim_output_room(sink->out, (size_t)2 * ROW_ROOM);
    if (segment->kind == LLMSIM_SEGMENT_PREFILL && n_left > 0) {
        p = put_row(p, r, index++, segment->start_ns, segment->start_ns - *last_ns);
        *last_ns = segment->start_ns;
        n_left--;
    }
    if (n_left > 0) {
        int64_t end_ns = ring->texts[step++ & (ring->capacity - 1)].end_ns;
        p = put_row(p, r, index++, end_ns, end_ns - *last_ns);
        *last_ns = end_ns;
        n_left--;
    }
    llmsim_output_advance(sink->out, p);
    if (n_left == 0)
        return LLMSIM_OK;
    *last_ns = ring->texts[(step + n_left - 1) & (ring->capacity - 1)].end_ns;
    return watch_shared_rows(sink, r, index, step, n_left);
}

static enum llmsim_status tokens_tokens(void *self, const struct llmsim_result *r,
                                        struct llmsim_error *err)
{
    struct tokens_sink *sink = self;
    uint32_t index = 0;
    int64_t last_ns = r->request.arrival_ns;
    enum llmsim_status status = LLMSIM_OK;
    for (size_t i = 0; r->token_ns == NULL && i < r->n_segments && status == LLMSIM_OK; i++) {
        status = put_segment(sink, r, index, &r->segments[i], &last_ns);
        index += r->segments[i].n_tokens;
    }
    for (; status == LLMSIM_OK && r->token_ns != NULL && index < r->n_tokens; index++) {
        char *p = llmsim_output_room(sink->out, ROW_ROOM);
        p = put_row(p, r, index, r->token_ns[index], r->token_ns[index] - last_ns);
        last_ns = r->token_ns[index];
        llmsim_output_advance(sink->out, p);
        status = llmsim_watch_rows(&sink->watch, 1, last_ns);
    }
    return status == LLMSIM_OK ? llmsim_output_check(sink->out, err) : status;
}

void llmsim_tokens_sink_fini(struct tokens_sink *sink)
{
    for (uint32_t i = 0; sink->rings != NULL && i < sink->watch.view.n_replicas; i++)
        free(sink->rings[i].texts);
    free(sink->rings);
    *sink = (struct tokens_sink){0};
}

const struct llmsim_sink_ops llmsim_tokens_sink_ops = {
    .name = "tokens",
    .begin = tokens_begin,
    .steps = tokens_steps,
    .tokens = tokens_tokens,
};
