/* engine_step.c: the reference. It goes one step at a time and one token at a time, keeps every
 * waiting request in a queue and every token's time with its request, and sums the context anew at
 * each step. Slow on purpose: the fast engine must give the same bytes, so this one shares as
 * little with it as it can. */
#include <assert.h>
#include <stdlib.h>

#include "event_queue.h"
#include "run.h"

/* A request in the running set, or preempted from it. */
struct active {
    struct llmsim_request request;
    int64_t scheduled_ns;
    uint64_t admission;
    llmsim_time last_token;
    llmsim_time decode_time; /* of its decode steps, as if no prompt had been beside them */
    int64_t *token_ns;
    uint32_t n_tokens; /* that have come out */
    uint32_t capacity;
    uint32_t n_preemptions;
    struct llmsim_token_segment *segments; /* begun: one for each prefill that made a token */
    uint32_t n_segments;
};

/* A growing ring of waiting requests, in order of arrival. */
struct fifo {
    struct llmsim_request *ring;
    size_t capacity, head, n;
};

struct step_engine {
    struct run *run;
    struct event_queue queue;
    struct fifo fifo;
    struct active *active; /* the n_running requests that decode */
    struct llmsim_gap *gaps;
    struct llmsim_result *ended;
    struct active *ended_active; /* to be freed once they are reported */
    size_t n_running;
    struct active *preempted; /* a stack: the last goes first */
    size_t n_preempted;
    bool in_step;
    struct llmsim_step_run step; /* under way if in_step */
    llmsim_time now;
    llmsim_time previous_decode_end;
    uint64_t n_arrived, n_ended, n_output_tokens;
};

static struct llmsim_request *fifo_at(const struct fifo *fifo, size_t i)
{
    return &fifo->ring[(fifo->head + i) % fifo->capacity];
}

/* Which of the waiting requests goes first: all of them are looked at, whatever the order. */
static size_t fifo_first(const struct step_engine *e)
{
    size_t first = 0;
    for (size_t i = 1; i < e->fifo.n && e->run->order->key != NULL; i++)
        if (llmsim_order_before(e->run->order, fifo_at(&e->fifo, i), fifo_at(&e->fifo, first)))
            first = i;
    return first;
}

static void fifo_remove_first(struct step_engine *e)
{
    struct fifo *fifo = &e->fifo;
    assert(fifo->n > 0);
    for (size_t i = fifo_first(e); i > 0; i--) /* those ahead of it move up */
        *fifo_at(fifo, i) = *fifo_at(fifo, i - 1);
    fifo->head = (fifo->head + 1) % fifo->capacity;
    fifo->n--;
}

/* Preempted requests are ahead of the queue. */
static void set_head(struct step_engine *e, struct boundary *b)
{
    struct active *preempted = e->n_preempted > 0 ? &e->preempted[e->n_preempted - 1] : NULL;
    b->head_generated = preempted != NULL ? preempted->n_tokens : 0;
    b->head_resumed = preempted;
    if (preempted != NULL)
        b->head = &preempted->request;
    else
        b->head = e->fifo.n > 0 ? fifo_at(&e->fifo, fifo_first(e)) : NULL;
}

/* The stack's place of a preempted request may be needed again before its prefill is done, so what
 * is kept of it moves to a place of its own, that the prefill points to. */
static void take_head(struct boundary *b)
{
    struct step_engine *e = b->engine;
    if (e->n_preempted > 0) {
        struct active *kept = malloc(sizeof *kept);
        if (kept == NULL)
            e->run->reject_status = llmsim_fail(e->run->err, LLMSIM_RUN_FAILED, "out of memory");
        else
            *kept = e->preempted[--e->n_preempted];
        b->prefills[b->n_prefills - 1].resumed = kept;
    } else {
        fifo_remove_first(e);
    }
    set_head(e, b);
}

/* Only a request that has not run yet can be rejected. */
static void reject_head(struct boundary *b, enum llmsim_outcome outcome)
{
    struct step_engine *e = b->engine;
    llmsim_run_reject(e->run, b->head, outcome, e->now);
    e->n_ended++;
    fifo_remove_first(e);
    set_head(e, b);
}

static enum llmsim_status fifo_put(struct fifo *fifo, const struct llmsim_request *request,
                                   struct llmsim_error *err)
{
    if (fifo->n == fifo->capacity) {
        size_t capacity = fifo->capacity != 0 ? 2 * fifo->capacity : 64;
        struct llmsim_request *ring = malloc(capacity * sizeof *ring);
        if (ring == NULL)
            return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
        for (size_t i = 0; i < fifo->n; i++)
            ring[i] = fifo->ring[(fifo->head + i) % fifo->capacity];
        free(fifo->ring);
        *fifo = (struct fifo){ring, capacity, 0, fifo->n};
    }
    fifo->ring[(fifo->head + fifo->n++) % fifo->capacity] = *request;
    return LLMSIM_OK;
}

/* Blocks of the tokens that a running request has stored: all but the latest. */
static uint64_t blocks_held(const struct step_engine *e, const struct active *a)
{
    return llmsim_kv_blocks(&e->run->boundary.kv,
                            (uint64_t)a->request.prompt_tokens + a->n_tokens - 1);
}

/* Free blocks, counted anew from who holds what. */
static uint64_t blocks_free(const struct step_engine *e)
{
    const struct boundary *b = &e->run->boundary;
    uint64_t used = 0;
    for (size_t i = 0; i < e->n_running; i++)
        used += blocks_held(e, &e->active[i]);
    for (uint32_t i = 0; i < b->n_prefills; i++)
        used += llmsim_kv_blocks(&b->kv, (uint64_t)b->prefills[i].request.prompt_tokens +
                                             b->prefills[i].n_generated);
    assert(used <= b->kv.total);
    return b->kv.total - used;
}

/* Blocks that the next decode step adds. */
static uint64_t blocks_wanted(const struct step_engine *e)
{
    uint64_t wanted = 0;
    for (size_t i = 0; i < e->n_running; i++) {
        const struct active *a = &e->active[i];
        wanted += llmsim_kv_blocks(&e->run->boundary.kv,
                                   (uint64_t)a->request.prompt_tokens + a->n_tokens) -
                  blocks_held(e, a);
    }
    return wanted;
}

/* The request admitted last gives its blocks back and goes to the front of the queue. */
static void preempt_latest(struct step_engine *e)
{
    struct boundary *b = &e->run->boundary;
    size_t active = 0;
    for (size_t i = 1; i < e->n_running; i++)
        if (e->active[i].admission > e->active[active].admission)
            active = i;
    uint32_t prefill = 0;
    for (uint32_t i = 1; i < b->n_prefills; i++)
        if (b->prefills[i].admission > b->prefills[prefill].admission)
            prefill = i;
    struct active *a = &e->preempted[e->n_preempted++];
    if (b->n_prefills > 0 && b->prefills[prefill].admission > e->active[active].admission) {
        struct prefill *p = &b->prefills[prefill];
        if (p->resumed != NULL)
            *a = *(struct active *)p->resumed;
        else
            *a = (struct active){.request = p->request, .scheduled_ns = p->scheduled_ns};
        free(p->resumed);
        for (uint32_t i = prefill + 1; i < b->n_prefills; i++)
            b->prefills[i - 1] = b->prefills[i];
        b->n_prefills--;
    } else {
        *a = e->active[active];
        for (size_t i = active + 1; i < e->n_running; i++)
            e->active[i - 1] = e->active[i];
        e->n_running--;
    }
    a->n_preemptions++;
}

static void make_room(struct step_engine *e)
{
    while (e->n_running > 0 && blocks_wanted(e) > blocks_free(e))
        preempt_latest(e);
    e->run->boundary.n_decoding = (uint32_t)e->n_running;
}

/* Ask the policy for the next step, and see to it that its decodes have their KV blocks: before
 * anybody is admitted if they go on beside prompts, and once it is known that they decode if not.
 */
static void form_step(struct step_engine *e)
{
    struct boundary *b = &e->run->boundary;
    if (e->run->policy->mixes)
        make_room(e);
    b->n_decoding = (uint32_t)e->n_running;
    b->kv.free = blocks_free(e) - (e->run->policy->mixes ? blocks_wanted(e) : 0);
    set_head(e, b);
    e->run->policy->form(b);
    if (!e->run->policy->mixes && b->decodes)
        make_room(e);
}

static enum llmsim_step_kind step_kind(const struct boundary *b)
{
    if (b->n_chunks == 0)
        return LLMSIM_STEP_DECODE;
    return b->decodes ? LLMSIM_STEP_MIXED : LLMSIM_STEP_PREFILL;
}

/* Start the step that the policy forms, if it forms one. */
static enum llmsim_status start_step(struct step_engine *e)
{
    struct boundary *b = &e->run->boundary;
    form_step(e);
    if (e->run->reject_status != LLMSIM_OK || (b->n_chunks == 0 && !b->decodes))
        return e->run->reject_status;

    struct llmsim_step_shape shape = {.prefill_tokens = b->prefill_tokens,
                                      .prefill_seqs = b->n_chunks,
                                      .prefill_sum_sq = b->prefill_sum_sq,
                                      .prefill_context_tokens = b->prefill_context_tokens};
    for (size_t i = 0; b->decodes && i < e->n_running; i++) {
        shape.decode_seqs++;
        shape.context_tokens +=
            (uint64_t)e->active[i].request.prompt_tokens + e->active[i].n_tokens;
    }
    for (uint32_t i = 0; i < b->n_prefills; i++) {
        struct prefill *p = &b->prefills[i];
        if (p->scheduled_ns == LLMSIM_NOT_SCHEDULED)
            p->scheduled_ns = llmsim_time_to_ns(e->now);
    }
    e->step = (struct llmsim_step_run){
        .first_step_id = e->run->totals.n_steps,
        .n_steps = 1,
        .start = e->now,
        .durations = {.first = llmsim_cost_step(&e->run->config->cost, &shape)},
        .kind = step_kind(b),
        .shape = shape,
        .previous_decode_end = e->previous_decode_end,
    };
    e->step.end = e->now + e->step.durations.first;
    assert(!e->in_step); /* a replica is never in two steps at once */
    e->in_step = true;
    return llmsim_event_queue_push(
        &e->queue, (struct event){.time = e->step.end, .kind = EVENT_STEP_END}, e->run->err);
}

static enum llmsim_status put_token(struct step_engine *e, struct active *a)
{
    if (a->n_tokens == a->capacity) {
        uint32_t capacity = a->capacity != 0 ? 2 * a->capacity : 16;
        int64_t *token_ns = realloc(a->token_ns, capacity * sizeof *token_ns);
        if (token_ns == NULL)
            return llmsim_fail(e->run->err, LLMSIM_RUN_FAILED, "out of memory");
        a->token_ns = token_ns;
        a->capacity = capacity;
    }
    a->token_ns[a->n_tokens++] = llmsim_time_to_ns(e->now);
    a->last_token = e->now;
    return LLMSIM_OK;
}

/* A prefill's token begins a segment. */
static enum llmsim_status put_first_token(struct step_engine *e, struct active *a)
{
    llmsim_time before = a->last_token;
    struct llmsim_token_segment *segments =
        realloc(a->segments, (a->n_segments + 1) * sizeof *segments);
    if (segments == NULL)
        return llmsim_fail(e->run->err, LLMSIM_RUN_FAILED, "out of memory");
    a->segments = segments;
    segments[a->n_segments++] = (struct llmsim_token_segment){
        .first_token_ns = llmsim_time_to_ns(e->now),
        .gap_ns = llmsim_time_to_ns(e->now) - llmsim_time_to_ns(before),
    };
    return put_token(e, a);
}

static void active_fini(struct active *a)
{
    free(a->token_ns);
    free(a->segments);
}

/* Report and remove the requests that have all their tokens. */
static enum llmsim_status end_requests(struct step_engine *e)
{
    size_t n_ended = 0, n_kept = 0;
    for (size_t i = 0; i < e->n_running; i++) {
        struct active *a = &e->active[i];
        if (a->n_tokens < a->request.output_tokens) {
            e->active[n_kept++] = *a;
            continue;
        }
        e->n_output_tokens += a->n_tokens;
        e->ended_active[n_ended] = *a;
        e->ended[n_ended++] = (struct llmsim_result){
            .request = a->request,
            .outcome = LLMSIM_OUTCOME_COMPLETED,
            .preemptions = a->n_preemptions,
            .scheduled_ns = a->scheduled_ns,
            .first_token_ns = a->n_tokens > 0 ? a->token_ns[0] : 0,
            .end_ns = llmsim_time_to_ns(e->now),
            .decode_ns = llmsim_time_to_ns(a->decode_time),
            .segments = a->segments,
            .n_segments = a->n_segments,
            .token_ns = a->token_ns,
        };
    }
    e->n_running = n_kept;
    e->n_ended += n_ended;
    enum llmsim_status status = llmsim_run_end_requests(e->run, e->ended, n_ended);
    for (size_t i = 0; i < n_ended; i++)
        active_fini(&e->ended_active[i]);
    return status;
}

/* The prompts that this step has finished join the running set, with their first token. */
static enum llmsim_status end_prefills(struct step_engine *e)
{
    struct boundary *b = &e->run->boundary;
    enum llmsim_status status = LLMSIM_OK;
    uint32_t n_kept = 0;
    for (uint32_t i = 0; i < b->n_prefills; i++) {
        struct prefill *p = &b->prefills[i];
        bool has_chunk = llmsim_prefill_has_chunk(p);
        p->tokens_left -= p->chunk;
        if (!has_chunk || p->tokens_left > 0) {
            b->prefills[n_kept++] = *p;
            continue;
        }
        struct active *a = &e->active[e->n_running++];
        if (p->resumed != NULL)
            *a = *(struct active *)p->resumed;
        else
            *a = (struct active){.request = p->request, .scheduled_ns = p->scheduled_ns};
        free(p->resumed);
        a->admission = p->admission;
        if (status == LLMSIM_OK && a->request.output_tokens > 0)
            status = put_first_token(e, a);
    }
    b->n_prefills = n_kept;
    return status;
}

static enum llmsim_status end_step(struct step_engine *e)
{
    enum llmsim_status status = LLMSIM_OK;
    e->in_step = false;
    if (e->step.shape.decode_seqs > 0) {
        for (size_t i = 0; i < e->n_running; i++)
            e->gaps[i] = (struct llmsim_gap){e->active[i].last_token, 1};
        e->step.gaps = e->gaps;
        e->step.n_gaps = e->n_running;
        e->previous_decode_end = e->now;
    }
    struct llmsim_step_shape decodes = {.decode_seqs = e->step.shape.decode_seqs,
                                        .context_tokens = e->step.shape.context_tokens};
    for (size_t i = 0; i < decodes.decode_seqs && status == LLMSIM_OK; i++) {
        e->active[i].decode_time += llmsim_cost_step(&e->run->config->cost, &decodes);
        status = put_token(e, &e->active[i]);
    }
    if (status == LLMSIM_OK)
        status = end_prefills(e);
    if (status == LLMSIM_OK)
        status = llmsim_run_steps(e->run, &e->step);
    return status == LLMSIM_OK ? end_requests(e) : status;
}

static enum llmsim_status observe(const struct step_engine *e)
{
    if (!llmsim_run_is_observed(e->run))
        return LLMSIM_OK;
    uint64_t kv_blocks_free = blocks_free(e);
    return llmsim_run_observe(e->run,
                              &(struct llmsim_observation){
                                  .now = e->now,
                                  .n_arrived = e->n_arrived,
                                  .n_waiting = e->fifo.n,
                                  .n_running = e->n_running + e->run->boundary.n_prefills,
                                  .n_ended = e->n_ended,
                                  .n_steps = e->run->totals.n_steps,
                                  .n_output_tokens = e->n_output_tokens,
                                  .n_preempted = e->n_preempted,
                                  .kv_blocks_used = e->run->boundary.kv.total - kv_blocks_free,
                                  .kv_blocks_free = kv_blocks_free,
                                  .in_step = e->in_step,
                              });
}

/* The events in their order: a step's end before the arrivals of the same time, and a new step is
 * formed only once all arrivals of that time are seen (DESIGN rule 2). */
static enum llmsim_status run_events(struct step_engine *e)
{
    enum llmsim_status status = LLMSIM_OK;
    while (status == LLMSIM_OK) {
        const struct llmsim_request *arrival = llmsim_arrivals_head(&e->run->arrivals);
        const struct event *event = llmsim_event_queue_peek(&e->queue);
        struct event arriving = {.kind = EVENT_ARRIVAL, .sequence = UINT64_MAX};
        if (arrival != NULL)
            arriving.time = llmsim_time_from_ns(arrival->arrival_ns);
        if (arrival == NULL && event == NULL)
            break;
        if (event != NULL && (arrival == NULL || llmsim_event_before(event, &arriving))) {
            status = LLMSIM_RUN_CHECK(e->run, event->time >= e->now, e->now, e->n_arrived);
            e->now = llmsim_event_queue_pop(&e->queue).time;
            if (status == LLMSIM_OK)
                status = end_step(e);
        } else {
            assert(arriving.time >= e->now);
            e->now = arriving.time;
            status = fifo_put(&e->fifo, arrival, e->run->err);
            llmsim_arrivals_take(&e->run->arrivals);
            e->n_arrived++;
        }
        arrival = llmsim_arrivals_head(&e->run->arrivals);
        if (status == LLMSIM_OK && !e->in_step &&
            (arrival == NULL || llmsim_time_from_ns(arrival->arrival_ns) > e->now))
            status = start_step(e);
        if (status == LLMSIM_OK)
            status = observe(e);
    }
    return status;
}

static void fini(struct step_engine *e)
{
    const struct boundary *b = &e->run->boundary;
    for (size_t i = 0; e->active != NULL && i < e->n_running; i++)
        active_fini(&e->active[i]);
    for (size_t i = 0; i < e->n_preempted; i++)
        active_fini(&e->preempted[i]);
    for (uint32_t i = 0; i < b->n_prefills; i++) {
        if (b->prefills[i].resumed != NULL)
            active_fini(b->prefills[i].resumed);
        free(b->prefills[i].resumed);
    }
    free(e->active);
    free(e->preempted);
    free(e->gaps);
    free(e->ended);
    free(e->ended_active);
    free(e->fifo.ring);
    llmsim_event_queue_fini(&e->queue);
}

static enum llmsim_status run_step_engine(struct run *run)
{
    size_t n = run->config->max_num_seqs;
    struct step_engine e = {
        .run = run,
        .active = malloc(n * sizeof *e.active),
        .preempted = malloc(n * sizeof *e.preempted),
        .gaps = malloc(n * sizeof *e.gaps),
        .ended = malloc(n * sizeof *e.ended),
        .ended_active = malloc(n * sizeof *e.ended_active),
    };
    run->boundary.take = take_head;
    run->boundary.reject = reject_head;
    run->boundary.engine = &e;
    struct llmsim_run_view view = {.engine = &e};
    enum llmsim_status status = LLMSIM_OK;
    if (e.active == NULL || e.preempted == NULL || e.gaps == NULL || e.ended == NULL ||
        e.ended_active == NULL)
        status = llmsim_fail(run->err, LLMSIM_RUN_FAILED, "out of memory");
    if (status == LLMSIM_OK)
        status = llmsim_run_begin(run, &view);
    if (status == LLMSIM_OK)
        status = run_events(&e);
    fini(&e);
    return status;
}

const struct engine llmsim_engine_step = {
    .choice = {"step", "the reference: every step and every token, one by one"},
    .run = run_step_engine,
};
