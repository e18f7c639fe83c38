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

/* What is kept of a request that was preempted: the tokens that it had made, which stay made. */
struct history {
    int64_t scheduled_ns; /* start of the request's first step */
    uint32_t n_preemptions;
    uint32_t n_segments;
    int64_t last_token_ns;                  /* of the last segment */
    llmsim_time decode_time;                /* of all segments */
    struct llmsim_token_segment segments[]; /* room for one more than there are */
};

/* A preempted request, ahead of the waiting queue. */
struct preempted {
    struct llmsim_request request;
    struct history *history;
    uint32_t n_generated;
};

/* A running request. */
struct slot {
    struct llmsim_request request;
    int64_t scheduled_ns;
    /* Since its latest prefill: */
    int64_t first_token_ns;
    uint64_t first_decode_step;
    uint32_t tokens_at_start; /* made by then, that of the prefill included */
    uint32_t next;            /* in its bucket of the wheel */
    uint64_t admission;
    llmsim_time decode_time_at_start;
    struct history *history; /* NULL: never preempted */
    bool is_running;
};

struct fast_engine {
    struct run *run;
    struct slot *slots;
    uint32_t *free_slots; /* a stack: those from n_running on are free */
    struct ending_wheel wheel;
    uint32_t *due; /* room to turn a bucket's list round */
    /* Requests that have ended, to be reported together. */
    struct llmsim_result *ended;
    struct llmsim_token_segment *ended_segments; /* of those never preempted */
    struct history **ended_histories;
    uint32_t n_running;          /* that decode */
    struct waiting waiting;      /* in any order but that of arrival */
    struct preempted *preempted; /* a stack: the last goes first */
    uint32_t n_preempted;
    llmsim_time now;
    uint64_t decode_step;    /* decode steps done */
    llmsim_time decode_time; /* of them, each as if no prompt had been beside it */
    uint64_t context_tokens; /* that the next decode step would read */
    llmsim_time previous_decode_end;
    struct llmsim_gap *gaps; /* prefill steps since the last decode step */
    size_t n_gaps;
    /* KV cache. All running requests store one token a step, so (stored tokens - decode steps done)
     * modulo the block size stays what it is for as long as a request runs; counted here, it says
     * how many requests need a new block in any step to come. */
    uint32_t *residues;
    /* Reused, because most of their members never change. */
    struct llmsim_step_run prefill_step, decode_steps;
    uint64_t n_ended, n_output_tokens;
};

static bool has_arrived(const struct fast_engine *e, const struct llmsim_request *request)
{
    return request->arrival_ns <= (int64_t)(e->now >> LLMSIM_TIME_FRACTION_BITS);
}

/* Any order but the trace's own needs a queue of those that have arrived. */
static const struct llmsim_request *first_in_order(struct fast_engine *e)
{
    const struct llmsim_request *next;
    while ((next = llmsim_arrivals_head(&e->run->arrivals)) != NULL && has_arrived(e, next)) {
        enum llmsim_status status = llmsim_waiting_put(&e->waiting, next, e->run->err);
        if (status != LLMSIM_OK) {
            e->run->reject_status = status;
            return NULL;
        }
        llmsim_arrivals_take(&e->run->arrivals);
    }
    return llmsim_waiting_head(&e->waiting);
}

/* First come, first served, the waiting queue is the part of the trace that has arrived: nothing is
 * copied. Preempted requests are ahead of it. */
static void set_head(struct fast_engine *e, struct boundary *b)
{
    b->head_generated = 0;
    b->head_resumed = NULL;
    if (e->n_preempted > 0) {
        const struct preempted *p = &e->preempted[e->n_preempted - 1];
        b->head = &p->request;
        b->head_generated = p->n_generated;
        b->head_resumed = p->history;
    } else if (e->run->order->key != NULL) {
        b->head = first_in_order(e);
    } else {
        b->head = llmsim_arrivals_head(&e->run->arrivals);
        if (b->head != NULL && !has_arrived(e, b->head))
            b->head = NULL;
    }
}

static void take_head(struct boundary *b)
{
    struct fast_engine *e = b->engine;
    if (e->n_preempted > 0)
        e->n_preempted--;
    else if (e->run->order->key != NULL)
        llmsim_waiting_take(&e->waiting);
    else
        llmsim_arrivals_take(&e->run->arrivals);
    set_head(e, b);
}

static void reject_head(struct boundary *b, enum llmsim_outcome outcome)
{
    struct fast_engine *e = b->engine;
    llmsim_run_reject(e->run, b->head, outcome, e->now);
    e->n_ended++;
    take_head(b);
}

/* Member by member: clearing a whole struct first costs as much as a tenth of the request. */
static void put_ended(struct fast_engine *e, const struct slot *slot, size_t i)
{
    struct llmsim_result *r = &e->ended[i];
    struct history *history = slot->history;
    struct llmsim_token_segment *segment = &e->ended_segments[i];
    e->ended_histories[i] = history;
    r->request = slot->request;
    r->outcome = LLMSIM_OUTCOME_COMPLETED;
    r->scheduled_ns = slot->scheduled_ns;
    r->first_token_ns = slot->first_token_ns;
    r->end_ns = llmsim_time_to_ns(e->now);
    r->token_ns = NULL;
    llmsim_time decode_time = e->decode_time - slot->decode_time_at_start;
    r->preemptions = 0;
    r->n_segments = 1;
    r->segments = segment;
    if (history != NULL) {
        r->preemptions = history->n_preemptions;
        r->n_segments = history->n_segments + 1;
        r->segments = history->segments;
        segment = &history->segments[history->n_segments];
        segment->gap_ns = slot->first_token_ns - history->last_token_ns;
        decode_time += history->decode_time;
    }
    r->decode_ns = llmsim_time_to_ns(decode_time);
    segment->first_token_ns = slot->first_token_ns;
    segment->first_decode_step = slot->first_decode_step;
    segment->n_tokens = slot->request.output_tokens - (slot->tokens_at_start - 1);
    r->first_token_ns = r->segments[0].first_token_ns;
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
    return slot->first_decode_step + slot->request.output_tokens - slot->tokens_at_start;
}

static uint32_t tokens_made(const struct fast_engine *e, const struct slot *slot)
{
    return slot->tokens_at_start + (uint32_t)(e->decode_step - slot->first_decode_step);
}

/* Tokens in the KV cache: all but the latest, which is stored when it is read. */
static uint64_t stored_tokens(const struct fast_engine *e, const struct slot *slot)
{
    return (uint64_t)slot->request.prompt_tokens + tokens_made(e, slot) - 1;
}

static uint32_t *residue_of(const struct fast_engine *e, const struct slot *slot)
{
    uint32_t size = e->run->boundary.kv.block_size;
    uint64_t steps = size - e->decode_step % size;
    return &e->residues[(stored_tokens(e, slot) + steps) % size];
}

/* Requests that need a new block in the decode step after `step`: those whose blocks are full. */
static uint32_t blocks_wanted(const struct fast_engine *e, uint64_t step)
{
    uint32_t size = e->run->boundary.kv.block_size;
    return e->residues[(size - step % size) % size];
}

/* How many of the next n decode steps there are blocks for: n or fewer; sets *n_blocks to what they
 * take. In each cycle of block_size steps every request takes one block; within the cycle the
 * residues tell. */
static uint64_t steps_with_blocks(const struct fast_engine *e, uint64_t n, uint64_t *n_blocks)
{
    const struct kv *kv = &e->run->boundary.kv;
    uint64_t n_cycles = n / kv->block_size;
    if (n_cycles > kv->free / e->n_running)
        n_cycles = kv->free / e->n_running;
    uint64_t step = n_cycles * kv->block_size;
    *n_blocks = n_cycles * e->n_running;
    for (; step < n; step++) {
        uint32_t wanted = blocks_wanted(e, e->decode_step + step);
        if (*n_blocks + wanted > kv->free)
            break;
        *n_blocks += wanted;
    }
    return step;
}

/* A request joins the running set, with the token of its prefill. */
static void start_decoding(struct fast_engine *e, const struct slot *slot)
{
    uint32_t index = e->free_slots[e->n_running++];
    e->slots[index] = *slot;
    e->slots[index].next = llmsim_wheel_put(&e->wheel, ending_step(slot), index);
    e->context_tokens += (uint64_t)slot->request.prompt_tokens + slot->tokens_at_start;
    if (e->run->boundary.kv.total != 0)
        (*residue_of(e, slot))++;
}

/* A request leaves the running set, its blocks become free. */
static void stop_decoding(struct fast_engine *e, uint32_t index)
{
    struct slot *slot = &e->slots[index];
    struct kv *kv = &e->run->boundary.kv;
    slot->is_running = false;
    e->free_slots[--e->n_running] = index;
    e->context_tokens -= (uint64_t)slot->request.prompt_tokens + tokens_made(e, slot);
    if (kv->total != 0) {
        kv->free += llmsim_kv_blocks(kv, stored_tokens(e, slot));
        (*residue_of(e, slot))--;
    }
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
        stop_decoding(e, index);
        put_ended(e, slot, n_ended++);
    }
    return n_ended;
}

/* Take a slot out of its bucket of the wheel, before its time. */
static void leave_bucket(struct fast_engine *e, uint32_t index)
{
    uint64_t step = ending_step(&e->slots[index]);
    uint32_t list = llmsim_wheel_take(&e->wheel, step), n_others = 0;
    for (uint32_t i = list; i != LLMSIM_NO_SLOT; i = e->slots[i].next)
        if (i != index)
            e->due[n_others++] = i;
    while (n_others > 0) { /* in the order in which they were put */
        uint32_t other = e->due[--n_others];
        e->slots[other].next = llmsim_wheel_put(&e->wheel, step, other);
    }
}

/* Room in a history for `n_segments` and one more; a new one if there is none. */
static struct history *grow_history(struct history *history, uint32_t n_segments,
                                    int64_t scheduled_ns)
{
    struct history *grown =
        realloc(history, sizeof *grown + (n_segments + 1) * sizeof grown->segments[0]);
    if (grown != NULL && history == NULL)
        *grown = (struct history){.scheduled_ns = scheduled_ns};
    return grown;
}

/* A running request that has had no decode step since its prefill is still among the gaps. */
static void leave_gaps(struct fast_engine *e, const struct slot *slot)
{
    if (slot->first_decode_step != e->decode_step)
        return;
    for (size_t i = e->n_gaps; i > 0; i--) {
        struct llmsim_gap *gap = &e->gaps[i - 1];
        if (gap->n_seqs > 0 && llmsim_time_to_ns(gap->since) == slot->first_token_ns) {
            gap->n_seqs--;
            return;
        }
    }
}

static enum llmsim_status preempt_slot(struct fast_engine *e, uint32_t index)
{
    struct slot *slot = &e->slots[index];
    uint32_t n_segments = slot->history != NULL ? slot->history->n_segments : 0;
    struct history *history = grow_history(slot->history, n_segments + 1, slot->scheduled_ns);
    if (history == NULL)
        return llmsim_fail(e->run->err, LLMSIM_RUN_FAILED, "out of memory");
    uint64_t n_steps = e->decode_step - slot->first_decode_step;
    history->segments[history->n_segments++] = (struct llmsim_token_segment){
        .first_token_ns = slot->first_token_ns,
        .gap_ns = n_segments > 0 ? slot->first_token_ns - history->last_token_ns : 0,
        .first_decode_step = slot->first_decode_step,
        .n_tokens = 1 + (uint32_t)n_steps,
    };
    history->last_token_ns =
        n_steps > 0 ? llmsim_time_to_ns(e->previous_decode_end) : slot->first_token_ns;
    history->decode_time += e->decode_time - slot->decode_time_at_start;
    history->n_preemptions++;
    e->preempted[e->n_preempted++] =
        (struct preempted){slot->request, history, tokens_made(e, slot)};
    leave_gaps(e, slot);
    leave_bucket(e, index);
    stop_decoding(e, index);
    return LLMSIM_OK;
}

static enum llmsim_status preempt_prefill(struct fast_engine *e, uint32_t index)
{
    struct boundary *b = &e->run->boundary;
    struct prefill *p = &b->prefills[index];
    struct history *history = p->resumed;
    if (history == NULL && (history = grow_history(NULL, 0, p->scheduled_ns)) == NULL)
        return llmsim_fail(e->run->err, LLMSIM_RUN_FAILED, "out of memory");
    history->n_preemptions++;
    b->kv.free += llmsim_kv_blocks(&b->kv, (uint64_t)p->request.prompt_tokens + p->n_generated);
    e->preempted[e->n_preempted++] = (struct preempted){p->request, history, p->n_generated};
    for (uint32_t i = index + 1; i < b->n_prefills; i++)
        b->prefills[i - 1] = b->prefills[i];
    b->n_prefills--;
    return LLMSIM_OK;
}

/* Preempt the request that was admitted last, by recomputation: it gives all its blocks back. */
static enum llmsim_status preempt_latest(struct fast_engine *e)
{
    const struct boundary *b = &e->run->boundary;
    uint32_t slot = LLMSIM_NO_SLOT, prefill = LLMSIM_NO_SLOT;
    uint64_t latest = 0;
    for (uint32_t i = 0; i < b->max_num_seqs; i++) {
        if (e->slots[i].is_running && e->slots[i].admission >= latest) {
            latest = e->slots[i].admission;
            slot = i;
        }
    }
    for (uint32_t i = 0; i < b->n_prefills; i++) {
        if (b->prefills[i].admission >= latest) {
            latest = b->prefills[i].admission;
            prefill = i;
        }
    }
    return prefill != LLMSIM_NO_SLOT ? preempt_prefill(e, prefill) : preempt_slot(e, slot);
}

/* Preempt until the next decode step has the blocks that it wants. The last request always has: it
 * was admitted because it fits. */
static enum llmsim_status make_room(struct fast_engine *e)
{
    struct boundary *b = &e->run->boundary;
    enum llmsim_status status = LLMSIM_OK;
    while (status == LLMSIM_OK && e->n_running > 0 && blocks_wanted(e, e->decode_step) > b->kv.free)
        status = preempt_latest(e);
    b->n_decoding = e->n_running;
    set_head(e, b);
    return status;
}

/* The decoding side of steps: what they read, and when their requests got their last token. */
static void set_decodes(const struct fast_engine *e, struct llmsim_step_run *steps)
{
    steps->shape.decode_seqs = e->n_running;
    steps->shape.context_tokens = e->context_tokens;
    steps->previous_decode_end = e->previous_decode_end;
    steps->n_gaps = e->n_gaps;
}

/* Every running request has made n_steps tokens, the last of them now, in steps that would have
 * taken decode_time without prompts. Returns how many ended. */
static size_t end_decodes(struct fast_engine *e, uint64_t n_steps, llmsim_time decode_time)
{
    e->decode_time += decode_time;
    struct kv *kv = &e->run->boundary.kv;
    uint64_t n_blocks = 0;
    if (kv->total != 0)
        (void)steps_with_blocks(e, n_steps, &n_blocks);
    kv->free -= n_blocks;
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
    enum llmsim_status status = llmsim_run_end_requests(e->run, e->ended, n_ended);
    for (size_t i = 0; i < n_ended; i++)
        free(e->ended_histories[i]);
    return status;
}

/* Decode steps of the whole running set, up to the next change of it. */
static enum llmsim_status decode(struct fast_engine *e)
{
    struct llmsim_step_run *steps = &e->decode_steps;
    const struct kv *kv = &e->run->boundary.kv;
    steps->durations =
        llmsim_cost_decode_run(&e->run->config->cost, e->n_running, e->context_tokens);
    steps->n_steps = llmsim_wheel_distance(&e->wheel, e->decode_step);
    set_decodes(e, steps);
    uint64_t n_blocks = 0;
    if (kv->total != 0)
        steps->n_steps = steps_with_blocks(e, steps->n_steps, &n_blocks);

    /* Behind a head that has to wait nobody is admitted, unless he would go ahead of it. */
    const struct llmsim_request *next = NULL;
    bool may_be_next =
        e->run->boundary.head == NULL || (e->run->order->key != NULL && e->n_preempted == 0);
    if (may_be_next && e->run->policy->admits(&e->run->boundary))
        next = llmsim_arrivals_head(&e->run->arrivals);
    if (next != NULL) {
        llmsim_time until_next = llmsim_time_from_ns(next->arrival_ns) - e->now;
        if (until_next < llmsim_decode_run_time(steps->durations, steps->n_steps))
            steps->n_steps = steps_to_reach(steps->durations, until_next);
    }
    enum llmsim_status status = take_steps(e, steps);
    size_t n_ended = end_decodes(e, steps->n_steps, steps->end - steps->start);
    return status == LLMSIM_OK ? report_ended(e, n_ended) : status;
}

/* A prompt is processed: the request has a token, now. Returns how many have ended. */
static size_t end_prefill(struct fast_engine *e, const struct prefill *p, size_t n_ended)
{
    struct kv *kv = &e->run->boundary.kv;
    const struct history *history = p->resumed;
    struct slot slot = {.request = p->request,
                        .scheduled_ns = history != NULL ? history->scheduled_ns : p->scheduled_ns,
                        .first_token_ns = llmsim_time_to_ns(e->now),
                        .first_decode_step = e->decode_step,
                        .tokens_at_start = p->n_generated + 1,
                        .admission = p->admission,
                        .decode_time_at_start = e->decode_time,
                        .history = p->resumed,
                        .is_running = true};
    if (slot.request.output_tokens > slot.tokens_at_start) {
        start_decoding(e, &slot);
    } else {
        kv->free += llmsim_kv_blocks(kv, (uint64_t)p->request.prompt_tokens + p->n_generated);
        put_ended(e, &slot, n_ended++);
    }
    return n_ended;
}

static bool is_new(const struct prefill *p)
{
    return p->scheduled_ns == LLMSIM_NOT_SCHEDULED;
}

/* One step that processes prompts, beside decodes if the policy mixes them. */
static enum llmsim_status prefill(struct fast_engine *e)
{
    struct boundary *b = &e->run->boundary;
    struct llmsim_step_run *step = &e->prefill_step;
    int64_t start_ns = llmsim_time_to_ns(e->now);
    for (uint32_t i = b->n_prefills; i > 0 && is_new(&b->prefills[i - 1]); i--)
        b->prefills[i - 1].scheduled_ns = start_ns;
    step->kind = b->decodes ? LLMSIM_STEP_MIXED : LLMSIM_STEP_PREFILL;
    step->shape = (struct llmsim_step_shape){.prefill_tokens = b->prefill_tokens,
                                             .prefill_seqs = b->n_chunks,
                                             .prefill_sum_sq = b->prefill_sum_sq,
                                             .prefill_context_tokens = b->prefill_context_tokens};
    llmsim_time decode_time = 0;
    if (b->decodes) {
        set_decodes(e, step);
        decode_time =
            llmsim_cost_decode_run(&e->run->config->cost, e->n_running, e->context_tokens).first;
    }
    step->durations.first = llmsim_cost_step(&e->run->config->cost, &step->shape);
    enum llmsim_status status = take_steps(e, step);
    size_t n_ended = b->decodes ? end_decodes(e, 1, decode_time) : 0;

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
    const struct kv *kv = &e->run->boundary.kv;
    if (!llmsim_run_is_observed(e->run))
        return LLMSIM_OK;
    return llmsim_run_observe(e->run, &(struct llmsim_observation){
                                          .now = e->now,
                                          .n_arrived = e->run->arrivals.n_taken,
                                          .n_waiting = e->waiting.n,
                                          .n_running = e->n_running + e->run->boundary.n_prefills,
                                          .n_ended = e->n_ended,
                                          .n_steps = e->run->totals.n_steps,
                                          .n_output_tokens = e->n_output_tokens,
                                          .n_preempted = e->n_preempted,
                                          .kv_blocks_free = kv->free,
                                          .kv_blocks_used = kv->total - kv->free,
                                      });
}

/* Ask the policy for the next step, and see to it that its decodes have their KV blocks: before
 * anybody is admitted if they go on beside prompts, and once it is known that they decode if not.
 */
static enum llmsim_status form_step(struct fast_engine *e)
{
    struct boundary *b = &e->run->boundary;
    const struct policy *policy = e->run->policy;
    b->n_decoding = e->n_running;
    set_head(e, b);
    if (b->kv.total == 0) {
        policy->form(b);
        return e->run->reject_status;
    }
    enum llmsim_status status = policy->mixes ? make_room(e) : LLMSIM_OK;
    uint64_t claimed = policy->mixes ? blocks_wanted(e, e->decode_step) : 0;
    b->kv.free -= claimed;
    policy->form(b);
    b->kv.free += claimed;
    if (status == LLMSIM_OK && !policy->mixes && b->decodes)
        status = make_room(e);
    return status == LLMSIM_OK ? e->run->reject_status : status;
}

static enum llmsim_status run_boundaries(struct fast_engine *e)
{
    struct boundary *b = &e->run->boundary;
    enum llmsim_status status = LLMSIM_OK;
    while (status == LLMSIM_OK) {
        status = form_step(e);
        if (status != LLMSIM_OK)
            break;
        if (b->n_chunks > 0) {
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

/* The earliest decode step of three: two given, and where a history begins, if there is one. */
static uint64_t least(uint64_t a, uint64_t b, const struct history *history)
{
    uint64_t least = a < b ? a : b;
    if (history != NULL && history->n_segments > 0 &&
        history->segments[0].first_decode_step < least)
        least = history->segments[0].first_decode_step;
    return least;
}

static uint64_t oldest_decode_step(const void *engine)
{
    const struct fast_engine *e = engine;
    const struct boundary *b = &e->run->boundary;
    uint64_t oldest = e->decode_step;
    for (size_t i = 0; i < b->max_num_seqs; i++) {
        const struct slot *slot = &e->slots[i];
        if (slot->is_running)
            oldest = least(oldest, slot->first_decode_step, slot->history);
    }
    for (size_t i = 0; i < e->n_preempted; i++)
        oldest = least(oldest, oldest, e->preempted[i].history);
    for (size_t i = 0; i < b->n_prefills; i++)
        oldest = least(oldest, oldest, b->prefills[i].resumed);
    return oldest;
}

static void fini(struct fast_engine *e)
{
    const struct boundary *b = &e->run->boundary;
    for (size_t i = 0; e->slots != NULL && i < b->max_num_seqs; i++)
        if (e->slots[i].is_running)
            free(e->slots[i].history);
    for (size_t i = 0; i < e->n_preempted; i++)
        free(e->preempted[i].history);
    for (size_t i = 0; i < b->n_prefills; i++)
        free(b->prefills[i].resumed);
    free(e->slots);
    free(e->free_slots);
    free(e->due);
    free(e->ended);
    free(e->ended_segments);
    free(e->ended_histories);
    free(e->preempted);
    llmsim_waiting_fini(&e->waiting);
    free(e->gaps);
    free(e->residues);
}

static enum llmsim_status init(struct fast_engine *e, struct run *run)
{
    size_t n = run->config->max_num_seqs;
    *e = (struct fast_engine){
        .run = run,
        .slots = calloc(n, sizeof *e->slots),
        .free_slots = malloc(n * sizeof *e->free_slots),
        .due = malloc(n * sizeof *e->due),
        .ended = calloc(n, sizeof *e->ended), /* what is the same in all stays zero */
        .ended_segments = calloc(n, sizeof *e->ended_segments),
        .ended_histories = malloc(n * sizeof *e->ended_histories),
        .preempted = malloc(n * sizeof *e->preempted),
        .gaps = malloc(n * sizeof *e->gaps),
        .residues = calloc(run->boundary.kv.block_size, sizeof *e->residues),
        .waiting = {.order = run->order},
        .prefill_step = {.n_steps = 1},
        .decode_steps = {.kind = LLMSIM_STEP_DECODE},
    };
    if (e->slots == NULL || e->free_slots == NULL || e->due == NULL || e->ended == NULL ||
        e->ended_segments == NULL || e->ended_histories == NULL || e->preempted == NULL ||
        e->gaps == NULL || e->residues == NULL)
        return llmsim_fail(run->err, LLMSIM_RUN_FAILED, "out of memory");
    e->prefill_step.gaps = e->decode_steps.gaps = e->gaps;
    for (size_t i = 0; i < n; i++)
        e->free_slots[i] = (uint32_t)i;
    run->boundary.take = take_head;
    run->boundary.reject = reject_head;
    run->boundary.engine = e;
    return LLMSIM_OK;
}

static enum llmsim_status run_fast_engine(struct run *run)
{
    struct fast_engine e;
    struct llmsim_run_view view = {.engine = &e, .oldest_decode_step = oldest_decode_step};
    enum llmsim_status status = init(&e, run);
    if (status == LLMSIM_OK)
        status = llmsim_run_begin(run, &view);
    if (status == LLMSIM_OK)
        status = run_boundaries(&e);
    fini(&e);
    return status;
}

const struct engine llmsim_engine_fast = {
    .choice = {"fast", "from change to change of the running set, in closed form"},
    .run = run_fast_engine,
};
