/* engine_fast.c: one event per change of the running set.
 *
 * Between two changes the decode steps of a batch are an arithmetic progression, so a whole run has
 * a closed form (docs/model.md, formulas 5 and 6). The engine jumps to the earlier of two steps:
 * the one at which the next request of the batch has all its tokens (a heap on the step counter,
 * which all running requests share), and the one at whose end the next arrival can be admitted (the
 * inverse of the closed form). A request costs its share of a few such jumps, however many tokens
 * it has. Arrivals are read when the scheduler can use them, so an overloaded replica does not pile
 * them up in memory. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "run.h"

/* A running request. */
struct slot {
    struct llmsim_request request;
    int64_t scheduled_ns;
    int64_t first_token_ns;
    uint64_t first_decode_step;
};
_Static_assert(sizeof(struct slot) == 56, "a slot fits a cache line");

/* When a running request ends, in decode steps of the replica. */
struct ending {
    uint64_t step;
    uint32_t slot;
};

struct fast_engine {
    struct run *run;
    struct slot *slots;
    uint32_t *free_slots;   /* a stack: those from n_running on are free */
    struct ending *endings; /* a 4-ary heap */
    struct llmsim_result *ended;
    uint32_t n_running;
    bool has_waiting; /* the boundary left somebody waiting */
    llmsim_time now;
    uint64_t decode_step;    /* decode steps done */
    uint64_t context_tokens; /* that the next decode step would read */
    llmsim_time previous_decode_end;
    struct llmsim_gap *gaps; /* prefill steps since the last decode step */
    size_t n_gaps;
    uint64_t n_ended, n_output_tokens;
};

#define WAYS 4

static void push_ending(struct fast_engine *e, struct ending ending)
{
    size_t i = e->n_running;
    for (; i > 0 && ending.step < e->endings[(i - 1) / WAYS].step; i = (i - 1) / WAYS)
        e->endings[i] = e->endings[(i - 1) / WAYS];
    e->endings[i] = ending;
}

/* Remove the first of n endings. */
static void pop_ending(struct ending *endings, size_t n)
{
    struct ending last = endings[n - 1];
    size_t hole = 0;
    for (size_t child; (child = WAYS * hole + 1) < n - 1;) {
        size_t end = child + WAYS < n - 1 ? child + WAYS : n - 1;
        size_t least = child;
        while (++child < end)
            if (endings[child].step < endings[least].step)
                least = child;
        if (endings[least].step >= last.step)
            break;
        endings[hole] = endings[least];
        hole = least;
    }
    endings[hole] = last;
}

/* The waiting queue is the part of the trace that has arrived: nothing is copied. */
static const struct llmsim_request *waiting_head(void *queue)
{
    struct fast_engine *e = queue;
    const struct llmsim_request *head = llmsim_arrivals_head(&e->run->arrivals);
    if (head == NULL || head->arrival_ns > (int64_t)(e->now >> LLMSIM_TIME_FRACTION_BITS))
        return NULL;
    return head;
}

static void waiting_take(void *queue)
{
    struct fast_engine *e = queue;
    llmsim_arrivals_take(&e->run->arrivals);
}

static void put_ended(struct fast_engine *e, const struct slot *slot, size_t i)
{
    e->ended[i] = (struct llmsim_result){
        .request = slot->request,
        .outcome = LLMSIM_OUTCOME_COMPLETED,
        .scheduled_ns = slot->scheduled_ns,
        .first_token_ns = slot->first_token_ns,
        .end_ns = llmsim_time_to_ns(e->now),
        .first_decode_step = slot->first_decode_step,
    };
    e->n_output_tokens += slot->request.output_tokens;
}

/* A step that processes the prompts of the admitted requests. */
static enum llmsim_status prefill(struct fast_engine *e)
{
    const struct boundary *b = &e->run->boundary;
    struct llmsim_step_run step = {
        .first_step_id = e->run->totals.n_steps,
        .n_steps = 1,
        .start = e->now,
        .kind = LLMSIM_STEP_PREFILL,
        .shape = {.prefill_tokens = b->prefill_tokens, .prefill_seqs = b->n_admitted},
    };
    step.durations.first = llmsim_cost_step(&e->run->config->cost, &step.shape);
    int64_t start_ns = llmsim_time_to_ns(e->now);
    e->now += step.durations.first;
    int64_t end_ns = llmsim_time_to_ns(e->now);
    uint32_t n_before = e->n_running;
    size_t n_ended = 0;
    for (size_t i = 0; i < b->n_admitted; i++) {
        struct slot slot = {b->admitted[i], start_ns, end_ns, e->decode_step};
        if (slot.request.output_tokens <= 1) {
            put_ended(e, &slot, n_ended++);
            continue;
        }
        uint32_t index = e->free_slots[e->n_running];
        e->slots[index] = slot;
        push_ending(e, (struct ending){e->decode_step + slot.request.output_tokens - 1, index});
        e->n_running++;
        e->context_tokens += (uint64_t)slot.request.prompt_tokens + 1;
    }
    if (e->n_running > n_before)
        e->gaps[e->n_gaps++] = (struct llmsim_gap){e->now, e->n_running - n_before};
    enum llmsim_status status = llmsim_run_steps(e->run, &step);
    e->n_ended += n_ended;
    return status == LLMSIM_OK ? llmsim_run_end_requests(e->run, e->ended, n_ended) : status;
}

/* The least number of steps, from 1 on, that takes at least `time`: the inverse of formula 6 in
 * floating point, then put right in integers. Costs one square root. */
static uint64_t steps_to_reach(struct llmsim_decode_run run, llmsim_time time)
{
    double increment = (double)run.increment, target = (double)time;
    double b = (double)run.first - increment / 2;
    double guess = ceil(2 * target / (b + sqrt(b * b + 2 * increment * target)));
    uint64_t n = guess >= 1 ? (uint64_t)guess : 1;
    while (llmsim_decode_run_time(run, n) < time)
        n++;
    while (n > 1 && llmsim_decode_run_time(run, n - 1) >= time)
        n--;
    return n;
}

/* Report and remove the requests whose last decode step this was. */
static enum llmsim_status end_requests(struct fast_engine *e)
{
    size_t n_ended = 0;
    while (e->n_running > 0 && e->endings[0].step == e->decode_step) {
        uint32_t index = e->endings[0].slot;
        pop_ending(e->endings, e->n_running);
        e->free_slots[--e->n_running] = index;
        const struct llmsim_request *request = &e->slots[index].request;
        e->context_tokens -= (uint64_t)request->prompt_tokens + request->output_tokens;
        put_ended(e, &e->slots[index], n_ended++);
    }
    e->n_ended += n_ended;
    return llmsim_run_end_requests(e->run, e->ended, n_ended);
}

/* Decode steps of the whole running set, up to the next change of it. */
static enum llmsim_status decode(struct fast_engine *e)
{
    struct llmsim_step_run steps = {
        .first_step_id = e->run->totals.n_steps,
        .n_steps = e->endings[0].step - e->decode_step,
        .start = e->now,
        .durations = llmsim_cost_decode_run(&e->run->config->cost, e->n_running, e->context_tokens),
        .kind = LLMSIM_STEP_DECODE,
        .shape = {.decode_seqs = e->n_running, .context_tokens = e->context_tokens},
        .previous_decode_end = e->previous_decode_end,
        .gaps = e->gaps,
        .n_gaps = e->n_gaps,
    };
    llmsim_time end = llmsim_step_run_end(&steps);
    const struct llmsim_request *next = NULL;
    if (!e->has_waiting && e->run->policy->admits(&e->run->boundary))
        next = llmsim_arrivals_head(&e->run->arrivals);
    if (next != NULL && llmsim_time_from_ns(next->arrival_ns) < end) {
        steps.n_steps =
            steps_to_reach(steps.durations, llmsim_time_from_ns(next->arrival_ns) - e->now);
        end = llmsim_step_run_end(&steps);
    }
    e->now = end;
    e->previous_decode_end = end;
    e->n_gaps = 0;
    e->decode_step += steps.n_steps;
    e->context_tokens += steps.n_steps * e->n_running;
    enum llmsim_status status = llmsim_run_steps(e->run, &steps);
    return status == LLMSIM_OK ? end_requests(e) : status;
}

static enum llmsim_status observe(struct fast_engine *e)
{
    return llmsim_run_observe(e->run, &(struct llmsim_observation){
                                          .now = e->now,
                                          .n_arrived = e->run->arrivals.n_taken,
                                          .n_running = e->n_running,
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
        b->n_running = e->n_running;
        e->run->policy->form(b);
        e->has_waiting = waiting_head(e) != NULL;
        if (b->n_admitted > 0) {
            status = prefill(e);
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
    for (size_t i = 0; i < e->n_running; i++) {
        const struct slot *slot = &e->slots[e->endings[i].slot];
        oldest = slot->first_decode_step < oldest ? slot->first_decode_step : oldest;
    }
    return oldest;
}

static enum llmsim_status run_fast_engine(struct run *run)
{
    size_t n = run->config->max_num_seqs;
    struct fast_engine e = {
        .run = run,
        .slots = malloc(n * sizeof *e.slots),
        .free_slots = malloc(n * sizeof *e.free_slots),
        .endings = malloc(n * sizeof *e.endings),
        .ended = malloc(n * sizeof *e.ended),
        .gaps = malloc(n * sizeof *e.gaps),
    };
    run->boundary.waiting = (struct waiting){waiting_head, waiting_take, &e};
    struct llmsim_run_view view = {&e, oldest_decode_step};
    enum llmsim_status status = LLMSIM_OK;
    if (e.slots == NULL || e.free_slots == NULL || e.endings == NULL || e.ended == NULL ||
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
    free(e.endings);
    free(e.ended);
    free(e.gaps);
    return status;
}

const struct engine llmsim_engine_fast = {
    .choice = {"fast", "from change to change of the running set, in closed form"},
    .run = run_fast_engine,
};
