/* engine_step.c: the reference. It goes one step at a time and one token at a time, keeps every
 * waiting request in a queue and every token's time with its request, and sums the context anew at
 * each step. Slow on purpose: the fast engine must give the same bytes, so this one shares as
 * little with it as it can. */
#include <assert.h>
#include <stdlib.h>

#include "event_queue.h"
#include "run.h"

/* A request in the running set, or being prefilled. */
struct active {
    struct llmsim_request request;
    int64_t scheduled_ns;
    llmsim_time last_token;
    int64_t *token_ns;
    uint32_t n_tokens; /* that have come out */
    uint32_t capacity;
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
    int64_t **ended_tokens;
    size_t n_running;
    bool in_step;
    struct llmsim_step_run step; /* under way if in_step */
    llmsim_time now;
    llmsim_time previous_decode_end;
    uint64_t n_arrived, n_ended, n_output_tokens;
};

static const struct llmsim_request *fifo_head(const struct fifo *fifo)
{
    return fifo->n > 0 ? &fifo->ring[fifo->head] : NULL;
}

static const struct llmsim_request *fifo_take(void *self)
{
    struct fifo *fifo = self;
    assert(fifo->n > 0);
    fifo->head = (fifo->head + 1) % fifo->capacity;
    fifo->n--;
    return fifo_head(fifo);
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

/* Ask the policy, and start the step that it forms. */
static enum llmsim_status start_step(struct step_engine *e)
{
    struct boundary *b = &e->run->boundary;
    uint32_t n_under_way = b->n_prefills;
    b->n_decoding = (uint32_t)e->n_running;
    b->head = fifo_head(&e->fifo);
    e->run->policy->form(b);
    if (b->n_chunks == 0 && !b->decodes)
        return LLMSIM_OK;

    struct llmsim_step_shape shape = {.prefill_tokens = b->prefill_tokens,
                                      .prefill_seqs = b->n_chunks};
    for (size_t i = 0; b->decodes && i < e->n_running; i++) {
        shape.decode_seqs++;
        shape.context_tokens +=
            (uint64_t)e->active[i].request.prompt_tokens + e->active[i].n_tokens;
    }
    for (uint32_t i = n_under_way; i < b->n_prefills; i++)
        b->prefills[i].scheduled_ns = llmsim_time_to_ns(e->now);
    enum llmsim_step_kind kind = b->n_chunks == 0 ? LLMSIM_STEP_DECODE
                                 : b->decodes     ? LLMSIM_STEP_MIXED
                                                  : LLMSIM_STEP_PREFILL;
    e->step = (struct llmsim_step_run){
        .first_step_id = e->run->totals.n_steps,
        .n_steps = 1,
        .start = e->now,
        .durations = {.first = llmsim_cost_step(&e->run->config->cost, &shape)},
        .kind = kind,
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
        e->ended_tokens[n_ended] = a->token_ns;
        e->ended[n_ended++] = (struct llmsim_result){
            .request = a->request,
            .outcome = LLMSIM_OUTCOME_COMPLETED,
            .scheduled_ns = a->scheduled_ns,
            .first_token_ns = a->token_ns != NULL ? a->token_ns[0] : 0,
            .end_ns = llmsim_time_to_ns(e->now),
            .token_ns = a->token_ns,
        };
    }
    e->n_running = n_kept;
    e->n_ended += n_ended;
    enum llmsim_status status = llmsim_run_end_requests(e->run, e->ended, n_ended);
    for (size_t i = 0; i < n_ended; i++)
        free(e->ended_tokens[i]);
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
        *a = (struct active){.request = p->request, .scheduled_ns = p->scheduled_ns};
        if (status == LLMSIM_OK && a->request.output_tokens > 0)
            status = put_token(e, a);
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
    for (size_t i = 0; i < e->step.shape.decode_seqs && status == LLMSIM_OK; i++)
        status = put_token(e, &e->active[i]);
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
    return llmsim_run_observe(e->run, &(struct llmsim_observation){
                                          .now = e->now,
                                          .n_arrived = e->n_arrived,
                                          .n_waiting = e->fifo.n,
                                          .n_running = e->n_running + e->run->boundary.n_prefills,
                                          .n_ended = e->n_ended,
                                          .n_steps = e->run->totals.n_steps,
                                          .n_output_tokens = e->n_output_tokens,
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

static enum llmsim_status run_step_engine(struct run *run)
{
    size_t n = run->config->max_num_seqs;
    struct step_engine e = {
        .run = run,
        .active = malloc(n * sizeof *e.active),
        .gaps = malloc(n * sizeof *e.gaps),
        .ended = malloc(n * sizeof *e.ended),
        .ended_tokens = malloc(n * sizeof *e.ended_tokens),
    };
    run->boundary.take = fifo_take;
    run->boundary.queue = &e.fifo;
    struct llmsim_run_view view = {.engine = &e};
    enum llmsim_status status = LLMSIM_OK;
    if (e.active == NULL || e.gaps == NULL || e.ended == NULL || e.ended_tokens == NULL)
        status = llmsim_fail(run->err, LLMSIM_RUN_FAILED, "out of memory");
    if (status == LLMSIM_OK)
        status = llmsim_run_begin(run, &view);
    if (status == LLMSIM_OK)
        status = run_events(&e);

    for (size_t i = 0; e.active != NULL && i < e.n_running; i++)
        free(e.active[i].token_ns);
    free(e.active);
    free(e.gaps);
    free(e.ended);
    free(e.ended_tokens);
    free(e.fifo.ring);
    llmsim_event_queue_fini(&e.queue);
    return status;
}

const struct engine llmsim_engine_step = {
    .choice = {"step", "the reference: every step and every token, one by one"},
    .run = run_step_engine,
};
