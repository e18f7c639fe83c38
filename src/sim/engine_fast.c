/* engine_fast.c: one event per change of the running set.
 *
 * Between two changes the decode steps of a batch are an arithmetic progression, so a whole run has
 * a closed form (docs/model.md, formulas 5 and 6). The engine jumps to the earlier of two steps:
 * the one at which the next request of the batch has all its tokens (a timing wheel on the step
 * counter, which all running requests share), and the one at whose end the next arrival can be
 * admitted (the inverse of the closed form). A request costs its share of a few such jumps, however
 * many tokens it has. Arrivals are read when the scheduler can use them, so an overloaded replica
 * does not pile them up in memory. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "ending_wheel.h"
#include "run.h"

/* A running request. */
struct slot {
    struct llmsim_request request;
    int64_t scheduled_ns;
    int64_t first_token_ns;
    uint64_t first_decode_step;
    uint32_t next; /* in its bucket of the wheel */
    bool is_running;
};
_Static_assert(sizeof(struct slot) == 64, "a slot is a cache line");

struct fast_engine {
    struct run *run;
    struct slot *slots;
    uint32_t *free_slots; /* a stack: those from n_running on are free */
    struct ending_wheel wheel;
    uint32_t *due; /* room to turn a bucket's list round */
    struct llmsim_result *ended;
    uint32_t n_running; /* that decode */
    llmsim_time now;
    uint64_t decode_step;    /* decode steps done */
    uint64_t context_tokens; /* that the next decode step would read */
    llmsim_time previous_decode_end;
    struct llmsim_gap *gaps; /* prefill steps since the last decode step */
    size_t n_gaps;
    /* Reused, because most of their members never change. */
    struct llmsim_step_run prefill_step, decode_steps;
    uint64_t n_ended, n_output_tokens;
};

/* The waiting queue is the part of the trace that has arrived: nothing is copied. */
static const struct llmsim_request *waiting_head(struct fast_engine *e)
{
    const struct llmsim_request *head = llmsim_arrivals_head(&e->run->arrivals);
    if (head == NULL || head->arrival_ns > (int64_t)(e->now >> LLMSIM_TIME_FRACTION_BITS))
        return NULL;
    return head;
}

static const struct llmsim_request *waiting_take(void *queue)
{
    struct fast_engine *e = queue;
    llmsim_arrivals_take(&e->run->arrivals);
    return waiting_head(e);
}

/* Member by member: clearing a whole struct first costs as much as a tenth of the request. */
static void put_ended(struct fast_engine *e, const struct slot *slot, size_t i)
{
    struct llmsim_result *r = &e->ended[i];
    r->request = slot->request;
    r->outcome = LLMSIM_OUTCOME_COMPLETED;
    r->preemptions = 0;
    r->scheduled_ns = slot->scheduled_ns;
    r->first_token_ns = slot->first_token_ns;
    r->end_ns = llmsim_time_to_ns(e->now);
    r->token_ns = NULL;
    r->first_decode_step = slot->first_decode_step;
    e->n_output_tokens += slot->request.output_tokens;
}

/* Tell the sinks of steps whose number, durations and shape are set, and move on to their end. */
static enum llmsim_status take_steps(struct fast_engine *e, struct llmsim_step_run *steps)
{
    steps->first_step_id = e->run->totals.n_steps;
    steps->start = e->now;
    steps->end = e->now + llmsim_decode_run_time(steps->durations, steps->n_steps);
    e->now = steps->end;
    return llmsim_run_steps(e->run, steps);
}

/* The decode step, counted from 1, that makes the slot's last token. */
static uint64_t ending_step(const struct slot *slot)
{
    return slot->first_decode_step + slot->request.output_tokens - 1;
}

/* A request joins the running set, with its first token. */
static void start_decoding(struct fast_engine *e, const struct slot *slot)
{
    uint32_t index = e->free_slots[e->n_running++];
    e->slots[index] = *slot;
    e->slots[index].next = llmsim_wheel_put(&e->wheel, ending_step(slot), index);
    e->context_tokens += (uint64_t)slot->request.prompt_tokens + 1;
}

/* The compiler's own conversion is a library call. `time` is not negative. */
static double to_double(llmsim_time time)
{
    return (double)(int64_t)(time >> 32) * 4294967296.0 + (double)(uint32_t)time;
}

/* The least number of steps, from 1 on, that takes at least `time`: the inverse of formula 6 in
 * floating point, then put right in integers. Costs one square root. */
static uint64_t steps_to_reach(struct llmsim_decode_run run, llmsim_time time)
{
    double increment = (double)run.increment, target = to_double(time);
    double b = to_double(run.first) - increment / 2;
    double guess = 2 * target / (b + sqrt(b * b + 2 * increment * target));
    uint64_t n = (uint64_t)guess + 1;
    while (llmsim_decode_run_time(run, n) < time)
        n++;
    while (n > 1 && llmsim_decode_run_time(run, n - 1) >= time)
        n--;
    return n;
}

/* Remove the requests whose last decode step this was, into `ended` behind the n_ended that are
 * there; returns how many there are then. The bucket may hold others that end a turn of the wheel
 * later; they go back. */
static size_t take_ended(struct fast_engine *e, size_t n_ended)
{
    size_t n_due = 0;
    for (uint32_t i = llmsim_wheel_take(&e->wheel, e->decode_step); i != LLMSIM_NO_SLOT;
         i = e->slots[i].next)
        e->due[n_due++] = i;
    while (n_due > 0) { /* in the order in which they were put */
        uint32_t index = e->due[--n_due];
        struct slot *slot = &e->slots[index];
        if (ending_step(slot) != e->decode_step) {
            slot->next = llmsim_wheel_put(&e->wheel, e->decode_step, index);
            continue;
        }
        slot->is_running = false;
        e->free_slots[--e->n_running] = index;
        e->context_tokens -= (uint64_t)slot->request.prompt_tokens + slot->request.output_tokens;
        put_ended(e, slot, n_ended++);
    }
    return n_ended;
}

/* The decoding side of steps: what they read, and when their requests got their last token. */
static void set_decodes(const struct fast_engine *e, struct llmsim_step_run *steps)
{
    steps->shape.decode_seqs = e->n_running;
    steps->shape.context_tokens = e->context_tokens;
    steps->previous_decode_end = e->previous_decode_end;
    steps->n_gaps = e->n_gaps;
}

/* Every running request has made n_steps tokens, the last of them now. Returns how many ended. */
static size_t end_decodes(struct fast_engine *e, uint64_t n_steps)
{
    e->previous_decode_end = e->now;
    e->n_gaps = 0;
    e->decode_step += n_steps;
    e->context_tokens += n_steps * e->n_running;
    return take_ended(e, 0);
}

static enum llmsim_status report_ended(struct fast_engine *e, size_t n_ended)
{
    if (n_ended == 0)
        return LLMSIM_OK;
    e->n_ended += n_ended;
    return llmsim_run_end_requests(e->run, e->ended, n_ended);
}

/* Decode steps of the whole running set, up to the next change of it. */
static enum llmsim_status decode(struct fast_engine *e)
{
    struct llmsim_step_run *steps = &e->decode_steps;
    steps->durations =
        llmsim_cost_decode_run(&e->run->config->cost, e->n_running, e->context_tokens);
    steps->n_steps = llmsim_wheel_distance(&e->wheel, e->decode_step);
    set_decodes(e, steps);

    const struct llmsim_request *next = NULL;
    if (e->run->boundary.head == NULL && e->run->policy->admits(&e->run->boundary))
        next = llmsim_arrivals_head(&e->run->arrivals);
    if (next != NULL) {
        llmsim_time until_next = llmsim_time_from_ns(next->arrival_ns) - e->now;
        if (until_next < llmsim_decode_run_time(steps->durations, steps->n_steps))
            steps->n_steps = steps_to_reach(steps->durations, until_next);
    }
    enum llmsim_status status = take_steps(e, steps);
    size_t n_ended = end_decodes(e, steps->n_steps);
    return status == LLMSIM_OK ? report_ended(e, n_ended) : status;
}

/* A prompt is processed: the request has its first token, now. Returns how many have ended. */
static size_t end_prefill(struct fast_engine *e, const struct prefill *p, size_t n_ended)
{
    struct slot slot = {.request = p->request,
                        .scheduled_ns = p->scheduled_ns,
                        .first_token_ns = llmsim_time_to_ns(e->now),
                        .first_decode_step = e->decode_step,
                        .is_running = true};
    if (slot.request.output_tokens > 1)
        start_decoding(e, &slot);
    else
        put_ended(e, &slot, n_ended++);
    return n_ended;
}

/* One step that processes prompts, beside decodes if the policy mixes them. The prompts from
 * n_under_way on are new. */
static enum llmsim_status prefill(struct fast_engine *e, uint32_t n_under_way)
{
    struct boundary *b = &e->run->boundary;
    struct llmsim_step_run *step = &e->prefill_step;
    int64_t start_ns = llmsim_time_to_ns(e->now);
    for (uint32_t i = n_under_way; i < b->n_prefills; i++)
        b->prefills[i].scheduled_ns = start_ns;
    step->kind = b->decodes ? LLMSIM_STEP_MIXED : LLMSIM_STEP_PREFILL;
    step->shape = (struct llmsim_step_shape){.prefill_tokens = b->prefill_tokens,
                                             .prefill_seqs = b->n_chunks};
    if (b->decodes)
        set_decodes(e, step);
    step->durations.first = llmsim_cost_step(&e->run->config->cost, &step->shape);
    enum llmsim_status status = take_steps(e, step);
    size_t n_ended = b->decodes ? end_decodes(e, 1) : 0;

    uint32_t n_before = e->n_running, n_kept = 0;
    for (uint32_t i = 0; i < b->n_prefills; i++) {
        struct prefill *p = &b->prefills[i];
        bool has_chunk = llmsim_prefill_has_chunk(p);
        p->tokens_left -= p->chunk;
        if (has_chunk && p->tokens_left == 0)
            n_ended = end_prefill(e, p, n_ended);
        else
            b->prefills[n_kept++] = *p;
    }
    b->n_prefills = n_kept;
    if (e->n_running > n_before)
        e->gaps[e->n_gaps++] = (struct llmsim_gap){e->now, e->n_running - n_before};
    return status == LLMSIM_OK ? report_ended(e, n_ended) : status;
}

static enum llmsim_status observe(const struct fast_engine *e)
{
    if (!llmsim_run_is_observed(e->run))
        return LLMSIM_OK;
    return llmsim_run_observe(e->run, &(struct llmsim_observation){
                                          .now = e->now,
                                          .n_arrived = e->run->arrivals.n_taken,
                                          .n_running = e->n_running + e->run->boundary.n_prefills,
                                          .n_ended = e->n_ended,
                                          .n_steps = e->run->totals.n_steps,
                                          .n_output_tokens = e->n_output_tokens,
                                      });
}

static enum llmsim_status run_boundaries(struct fast_engine *e)
{
    struct boundary *b = &e->run->boundary;
    enum llmsim_status status = LLMSIM_OK;
    while (status == LLMSIM_OK) {
        uint32_t n_under_way = b->n_prefills;
        b->n_decoding = e->n_running;
        b->head = waiting_head(e);
        e->run->policy->form(b);
        if (b->n_chunks > 0) {
            status = prefill(e, n_under_way);
        } else if (b->decodes) {
            status = decode(e);
        } else {
            const struct llmsim_request *next = llmsim_arrivals_head(&e->run->arrivals);
            if (next == NULL)
                break;
            assert(llmsim_time_from_ns(next->arrival_ns) > e->now);
            e->now = llmsim_time_from_ns(next->arrival_ns);
        }
        if (status == LLMSIM_OK)
            status = observe(e);
    }
    return status;
}

static uint64_t oldest_decode_step(const void *engine)
{
    const struct fast_engine *e = engine;
    uint64_t oldest = e->decode_step;
    for (size_t i = 0; i < e->run->config->max_num_seqs; i++) {
        const struct slot *slot = &e->slots[i];
        if (slot->is_running && slot->first_decode_step < oldest)
            oldest = slot->first_decode_step;
    }
    return oldest;
}

static enum llmsim_status run_fast_engine(struct run *run)
{
    size_t n = run->config->max_num_seqs;
    struct fast_engine e = {
        .run = run,
        .slots = calloc(n, sizeof *e.slots),
        .free_slots = malloc(n * sizeof *e.free_slots),
        .due = malloc(n * sizeof *e.due),
        .ended = malloc(n * sizeof *e.ended),
        .gaps = malloc(n * sizeof *e.gaps),
        .prefill_step = {.n_steps = 1},
        .decode_steps = {.kind = LLMSIM_STEP_DECODE},
    };
    e.prefill_step.gaps = e.decode_steps.gaps = e.gaps;
    run->boundary.take = waiting_take;
    run->boundary.queue = &e;
    struct llmsim_run_view view = {&e, oldest_decode_step};
    enum llmsim_status status = LLMSIM_OK;
    if (e.slots == NULL || e.free_slots == NULL || e.due == NULL || e.ended == NULL ||
        e.gaps == NULL)
        status = llmsim_fail(run->err, LLMSIM_RUN_FAILED, "out of memory");
    for (size_t i = 0; status == LLMSIM_OK && i < n; i++)
        e.free_slots[i] = (uint32_t)i;
    if (status == LLMSIM_OK)
        status = llmsim_run_begin(run, &view);
    if (status == LLMSIM_OK)
        status = run_boundaries(&e);
    free(e.slots);
    free(e.free_slots);
    free(e.due);
    free(e.ended);
    free(e.gaps);
    return status;
}

const struct engine llmsim_engine_fast = {
    .choice = {"fast", "from change to change of the running set, in closed form"},
    .run = run_fast_engine,
};
