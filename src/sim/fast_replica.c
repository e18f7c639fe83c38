#include "fast_replica.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* What a run without swap, prefix cache, preemption and several replicas never does stands out of
 * line: inlined, as its callers are few, it takes the hot paths apart, and every run paid 7 % for
 * it. */
#define OUT_OF_LINE __attribute__((noinline))
#define CACHE_LINE 64

enum llmsim_status llmsim_away_put(struct away_queue *queue, const struct away *away,
                                   struct llmsim_error *err)
{
    if (queue->first + queue->n == queue->capacity) {
        /* Twice the room, unless half of it lies behind the queue. */
        size_t capacity = queue->capacity;
        if (queue->n >= capacity / 2)
            capacity = capacity > 0 ? 2 * capacity : 16;
        struct away *items = malloc(capacity * sizeof *items);
        if (items == NULL)
            return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
        for (size_t i = 0; i < queue->n; i++)
            items[i] = queue->items[queue->first + i];
        free(queue->items);
        *queue = (struct away_queue){items, 0, queue->n, capacity};
    }
    queue->items[queue->first + queue->n++] = *away;
    return LLMSIM_OK;
}

struct away llmsim_away_take(struct away_queue *queue)
{
    assert(queue->n > 0);
    queue->n--;
    return queue->items[queue->first++];
}

void llmsim_away_fini(struct away_queue *queue)
{
    while (queue->n > 0)
        free(llmsim_away_take(queue).history);
    free(queue->items);
    *queue = (struct away_queue){0};
}

static bool has_arrived(const struct replica *r, const struct llmsim_request *request)
{
    return request->arrival_ns <= (int64_t)(r->now >> LLMSIM_TIME_FRACTION_BITS);
}

enum llmsim_status llmsim_replica_put(struct replica *r, const struct llmsim_request *request)
{
    r->waiting_tokens += request->prompt_tokens;
    return llmsim_waiting_put(&r->waiting, request, r->run->err);
}

/* Any order but the trace's own needs a queue of those that have arrived. */
static OUT_OF_LINE void fetch_arrived(struct replica *r)
{
    const struct llmsim_request *next;
    while ((next = llmsim_arrivals_head(&r->run->arrivals)) != NULL && has_arrived(r, next)) {
        enum llmsim_status status = llmsim_replica_put(r, next);
        if (status != LLMSIM_OK) {
            r->run->deferred = status;
            return;
        }
        llmsim_arrivals_take(&r->run->arrivals);
        r->n_outstanding++;
    }
}

/* First come, first served, one replica's waiting queue is the part of the trace that has arrived:
 * nothing is copied. Preempted requests are ahead of the queue; one that will come back from the
 * host's memory is none that a policy could admit, and nobody overtakes it. */
static void set_head(struct replica *r)
{
    struct boundary *b = &r->boundary;
    b->head_generated = 0;
    b->head_resumed = NULL;
    b->head_cached_blocks = b->head_unheld_blocks = 0;
    if (r->n_preempted > 0) {
        const struct away *a = &r->preempted[r->n_preempted - 1];
        b->head = a->kind == LLMSIM_SEGMENT_PREFILL ? &a->request : NULL;
        b->head_generated = a->n_generated;
        b->head_resumed = a->history;
    } else if (r->trace_is_queue) {
        b->head = llmsim_arrivals_head(&r->run->arrivals);
        if (b->head != NULL && !has_arrived(r, b->head))
            b->head = NULL;
    } else {
        if (r->run->n_replicas == 1)
            fetch_arrived(r);
        b->head = llmsim_waiting_head(&r->waiting);
    }
}

/* --- The prefix cache. --- */

static uint64_t look_up(struct replica *r, const struct llmsim_request *request, uint64_t tokens,
                        uint64_t *n_unheld)
{
    struct llmsim_prefix prefix;
    *n_unheld = 0;
    /* One token is computed in any case: its output begins the answer. */
    uint64_t n_most = tokens > 0 ? llmsim_run_prompt_blocks(r->run, request, tokens - 1) : 0;
    return n_most > 0 && llmsim_run_prefix(r->run, request, &prefix)
               ? llmsim_prefix_lookup(&r->prefixes, &prefix, n_most, n_unheld)
               : 0;
}

static void look_up_head(struct boundary *b)
{
    b->head_cached_blocks =
        look_up(b->engine, b->head, (uint64_t)b->head->prompt_tokens + b->head_generated,
                &b->head_unheld_blocks);
}

static uint64_t hold_prefix(struct boundary *b, struct prefill *p)
{
    struct replica *r = b->engine;
    struct llmsim_prefix prefix;
    if (b->head_cached_blocks == 0 || !llmsim_run_prefix(r->run, &p->request, &prefix))
        return 0;
    return llmsim_prefix_take(&r->prefixes, &prefix, b->head_cached_blocks, &p->hold);
}

static void evict(struct boundary *b)
{
    llmsim_prefix_evict(&((struct replica *)b->engine)->prefixes, b->kv.free);
}

static void take_blocks(struct replica *r, uint64_t n)
{
    r->boundary.kv.free -= n;
    if (r->boundary.evict != NULL)
        evict(&r->boundary);
}

/* A request gives its blocks back: for so many tokens, of which the cache may keep some. */
static OUT_OF_LINE void give_blocks(struct replica *r, const struct llmsim_request *request,
                                    uint64_t tokens, struct prefix_hold *hold)
{
    struct kv *kv = &r->boundary.kv;
    struct llmsim_prefix prefix;
    kv->free += llmsim_kv_blocks(kv, tokens) - hold->n_blocks;
    if (hold->n_units > 0 && llmsim_run_prefix(r->run, request, &prefix))
        kv->free += llmsim_prefix_drop(&r->prefixes, &prefix, hold);
}

/* What the prompt has stored so far is there for others. */
static OUT_OF_LINE void share_prefix(struct replica *r, struct prefill *p)
{
    struct llmsim_prefix prefix;
    uint64_t done = (uint64_t)p->request.prompt_tokens + p->n_generated - p->tokens_left;
    if (!llmsim_run_prefix(r->run, &p->request, &prefix))
        return;
    if (!llmsim_prefix_add(&r->prefixes, &prefix,
                           llmsim_run_prompt_blocks(r->run, &p->request, done), &p->hold))
        r->run->deferred = llmsim_fail(r->run->err, LLMSIM_RUN_FAILED, "out of memory");
}

static uint64_t tokens_of(const struct away *a)
{
    return (uint64_t)a->request.prompt_tokens + a->n_generated;
}

static void push_preempted(struct replica *r, struct away away)
{
    r->waiting_tokens += tokens_of(&away);
    r->preempted[r->n_preempted++] = away;
}

static struct away pop_preempted(struct replica *r)
{
    struct away away = r->preempted[--r->n_preempted];
    r->waiting_tokens -= tokens_of(&away);
    return away;
}

static void take_head(struct boundary *b)
{
    struct replica *r = b->engine;
    if (r->n_preempted > 0) {
        (void)pop_preempted(r);
    } else if (r->trace_is_queue) {
        llmsim_arrivals_take(&r->run->arrivals);
        r->n_outstanding++; /* nobody has sent it */
    } else {
        r->waiting_tokens -= b->head->prompt_tokens;
        llmsim_waiting_take(&r->waiting);
    }
    set_head(r);
}

static void reject_head(struct boundary *b, enum llmsim_outcome outcome)
{
    struct replica *r = b->engine;
    llmsim_run_reject(r->run, b->head, outcome, r->now, r->index);
    take_head(b);
    r->n_outstanding--;
}

static uint32_t tokens_made(const struct replica *r, const struct slot *slot)
{
    return slot->tokens_at_start + (uint32_t)(r->decode_step - slot->first_decode_step);
}

/* The segment of the slot's tokens so far. */
static void set_segment(const struct replica *r, const struct slot *slot,
                        struct llmsim_token_segment *segment)
{
    bool is_prefill = slot->kind == LLMSIM_SEGMENT_PREFILL;
    segment->start_ns = llmsim_time_to_ns(slot->since) + (is_prefill ? 0 : slot->gap_ns);
    segment->gap_ns = slot->gap_ns;
    segment->first_decode_step = slot->first_decode_step;
    segment->n_tokens = (uint32_t)(r->decode_step - slot->first_decode_step) + is_prefill;
    segment->kind = slot->kind;
}

/* Member by member: clearing a whole struct first costs as much as a tenth of the request. */
static void put_ended(struct replica *r, const struct slot *slot, enum llmsim_outcome outcome)
{
    struct ended *ended = llmsim_run_put_ended(r->run, r->now);
    if (ended == NULL)
        return;
    struct llmsim_result *result = &ended->result;
    struct history *history = slot->history;
    struct llmsim_token_segment *segment = &ended->segment;
    llmsim_time decode_time = r->decode_time - slot->decode_time_at_start;
    ended->kept = history;
    result->request = slot->request;
    result->outcome = outcome;
    result->replica = result->prefill_replica = r->index;
    result->scheduled_ns = slot->scheduled_ns;
    result->end_ns = llmsim_time_to_ns(r->now);
    result->token_ns = NULL;
    result->preemptions = 0;
    result->cached_tokens = slot->cached_tokens;
    result->n_tokens = slot->request.output_tokens > 0 ? tokens_made(r, slot) : 0;
    result->n_segments = 1;
    result->segments = NULL;
    result->last_token_ns = r->decode_step > slot->first_decode_step
                                ? llmsim_time_to_ns(r->previous_decode_end)
                                : llmsim_time_to_ns(slot->since);
    if (history != NULL) {
        result->preemptions = history->n_preemptions;
        result->prefill_replica = history->prefill_replica;
        result->cached_tokens = history->cached_tokens;
        result->n_segments = history->n_segments + 1;
        result->segments = history->segments;
        segment = &history->segments[history->n_segments];
        decode_time += history->decode_time;
    }
    result->decode_ns = llmsim_time_to_ns(decode_time);
    set_segment(r, slot, segment);
    if (result->n_tokens == 0)
        segment->n_tokens = 0;
    result->first_token_ns = history != NULL ? history->segments[0].start_ns : segment->start_ns;
    r->n_outstanding--;
}

/* The decode step, counted from 1, that makes the slot's last token. */
static uint64_t ending_step(const struct slot *slot)
{
    return slot->first_decode_step + slot->request.output_tokens - slot->tokens_at_start;
}

/* Tokens in the KV cache: all but the latest, which is stored when it is read. */
static uint64_t stored_tokens(const struct replica *r, const struct slot *slot)
{
    return (uint64_t)slot->request.prompt_tokens + tokens_made(r, slot) - 1;
}

static uint32_t *residue_of(const struct replica *r, const struct slot *slot)
{
    uint32_t size = r->boundary.kv.block_size;
    uint64_t steps = size - r->decode_step % size;
    return &r->residues[(stored_tokens(r, slot) + steps) % size];
}

/* Requests that need a new block in the decode step after `step`: those whose blocks are full. */
static uint32_t blocks_wanted(const struct replica *r, uint64_t step)
{
    uint32_t size = r->boundary.kv.block_size;
    return r->residues[(size - step % size) % size];
}

/* How many of the next n decode steps there are blocks for: n or fewer; sets *n_blocks to what they
 * take. In each cycle of block_size steps every request takes one block; within the cycle the
 * residues tell. */
static OUT_OF_LINE uint64_t steps_with_blocks(const struct replica *r, uint64_t n,
                                              uint64_t *n_blocks)
{
    const struct kv *kv = &r->boundary.kv;
    uint64_t n_cycles = n / kv->block_size;
    if (n_cycles > kv->free / r->n_running)
        n_cycles = kv->free / r->n_running;
    uint64_t step = n_cycles * kv->block_size;
    *n_blocks = n_cycles * r->n_running;
    for (; step < n; step++) {
        uint32_t wanted = blocks_wanted(r, r->decode_step + step);
        if (*n_blocks + wanted > kv->free)
            break;
        *n_blocks += wanted;
    }
    return step;
}

/* A place for a request that joins the running set, or ends with its prefill. All its members are
 * to be set, one by one: clearing a whole struct first costs as much as a tenth of the request. */
static struct slot *next_slot(const struct replica *r)
{
    return &r->slots[r->n_running < r->boundary.max_num_seqs ? r->free_slots[r->n_running]
                                                             : r->boundary.max_num_seqs];
}

/* A request's context less the decode steps done: while it runs, that stays what it is. */
static int64_t extra_context(const struct slot *slot)
{
    return (int64_t)slot->request.prompt_tokens + slot->tokens_at_start -
           (int64_t)slot->first_decode_step;
}

static struct slot_blocks *blocks_of(const struct replica *r, const struct slot *slot)
{
    return &r->slot_blocks[slot - r->slots];
}

/* The request in the next slot joins the running set. */
static void start_decoding(struct replica *r, struct slot *slot)
{
    uint32_t index = r->free_slots[r->n_running++];
    slot->is_running = true;
    slot->next = llmsim_wheel_put(&r->wheel, ending_step(slot), index);
    r->context_tokens += (uint64_t)slot->request.prompt_tokens + slot->tokens_at_start;
    if (r->tracks_longest && extra_context(slot) > r->longest_extra)
        r->longest_extra = extra_context(slot);
    r->n_reported += llmsim_run_reports(r->run, &slot->request);
    if (r->boundary.kv.total != 0)
        (*residue_of(r, slot))++;
}

/* A request leaves the running set, its blocks become free. */
static void stop_decoding(struct replica *r, uint32_t index)
{
    struct slot *slot = &r->slots[index];
    struct kv *kv = &r->boundary.kv;
    slot->is_running = false;
    if (r->tracks_longest)
        r->knows_longest = r->knows_longest && extra_context(slot) < r->longest_extra;
    r->free_slots[--r->n_running] = index;
    r->context_tokens -= (uint64_t)slot->request.prompt_tokens + tokens_made(r, slot);
    r->n_reported -= llmsim_run_reports(r->run, &slot->request);
    if (kv->total != 0) {
        give_blocks(r, &slot->request, stored_tokens(r, slot), &r->slot_blocks[index].hold);
        (*residue_of(r, slot))--;
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

/* How many steps of the run have ended at `time`, which is before its end. */
static uint64_t steps_done(const struct llmsim_step_run *steps, llmsim_time time)
{
    if (time <= steps->start)
        return 0;
    uint64_t n = steps_to_reach(steps->durations, time - steps->start);
    return steps->start + llmsim_decode_run_time(steps->durations, n) > time ? n - 1 : n;
}

static void set_steps(struct llmsim_step_run *steps, uint64_t n)
{
    steps->n_steps = n;
    steps->end = steps->start + llmsim_decode_run_time(steps->durations, n);
}

void llmsim_replica_cut_decodes(struct replica *r, llmsim_time time)
{
    set_steps(r->step, steps_to_reach(r->step->durations, time - r->step->start));
}

bool llmsim_replica_cut_before(struct replica *r, llmsim_time time)
{
    uint64_t n = r->step == &r->decode_steps ? steps_done(r->step, time) : 0;
    if (n > 0)
        set_steps(r->step, n);
    return n > 0;
}

uint64_t llmsim_replica_kv_tokens(const struct replica *r, llmsim_time now)
{
    uint64_t tokens = r->context_tokens + r->waiting_tokens;
    if (r->step == &r->decode_steps)
        tokens += r->n_running * (now < r->step->end ? steps_done(r->step, now) : r->step->n_steps);
    for (uint32_t i = 0; i < r->boundary.n_prefills; i++)
        tokens += (uint64_t)r->boundary.prefills[i].request.prompt_tokens +
                  r->boundary.prefills[i].n_generated;
    for (uint32_t i = 0; i < r->n_joining; i++)
        tokens += tokens_of(&r->joining[i]);
    return tokens;
}

uint64_t llmsim_replica_cached_tokens(struct replica *r, const struct llmsim_request *request,
                                      llmsim_time now)
{
    const struct kv *kv = &r->boundary.kv;
    uint64_t n_blocks = 0, n_unheld;
    if (r->boundary.evict == NULL)
        return 0;
    /* The steps that have ended have taken blocks, although their run goes on. */
    if (r->step == &r->decode_steps && now < r->step->end)
        (void)steps_with_blocks(r, steps_done(r->step, now), &n_blocks);
    llmsim_prefix_evict(&r->prefixes, kv->free - n_blocks);
    return look_up(r, request, request->prompt_tokens, &n_unheld) * kv->block_size;
}

/* Remove the requests whose last decode step this was. The bucket may hold others that end a turn
 * of the wheel later; they go back. */
static void end_due(struct replica *r)
{
    size_t n_due = 0;
    for (uint32_t i = llmsim_wheel_take(&r->wheel, r->decode_step); i != LLMSIM_NO_SLOT;
         i = r->slots[i].next)
        r->due[n_due++] = i;
    while (n_due > 0) { /* in the order in which they were put */
        uint32_t index = r->due[--n_due];
        struct slot *slot = &r->slots[index];
        if (ending_step(slot) != r->decode_step) {
            slot->next = llmsim_wheel_put(&r->wheel, r->decode_step, index);
            continue;
        }
        stop_decoding(r, index);
        put_ended(r, slot, LLMSIM_OUTCOME_COMPLETED);
    }
}

/* Take a slot out of its bucket of the wheel, before its time. */
static void leave_bucket(struct replica *r, uint32_t index)
{
    uint64_t step = ending_step(&r->slots[index]);
    uint32_t list = llmsim_wheel_take(&r->wheel, step), n_others = 0;
    for (uint32_t i = list; i != LLMSIM_NO_SLOT; i = r->slots[i].next)
        if (i != index)
            r->due[n_others++] = i;
    while (n_others > 0) { /* in the order in which they were put */
        uint32_t other = r->due[--n_others];
        r->slots[other].next = llmsim_wheel_put(&r->wheel, step, other);
    }
}

/* Room in a history for `n_segments` and one more; a new one if there is none. */
static struct history *grow_history(const struct replica *r, struct history *history,
                                    uint32_t n_segments, int64_t scheduled_ns,
                                    uint32_t cached_tokens)
{
    struct history *grown =
        realloc(history, sizeof *grown + (n_segments + 1) * sizeof grown->segments[0]);
    if (grown != NULL && history == NULL)
        *grown = (struct history){.scheduled_ns = scheduled_ns,
                                  .prefill_replica = r->index,
                                  .cached_tokens = cached_tokens};
    return grown;
}

/* So many requests that will be reported have come since the last decode step, with a token of that
 * time. */
static void put_gap(struct replica *r, llmsim_time since, uint32_t n_seqs)
{
    if (n_seqs > 0)
        r->gaps[r->n_gaps++] = (struct llmsim_gap){since, n_seqs};
}

/* A running request that has had no decode step since it came is still among the gaps. */
static void leave_gaps(struct replica *r, const struct slot *slot)
{
    if (slot->first_decode_step != r->decode_step || !llmsim_run_reports(r->run, &slot->request))
        return;
    size_t i = r->n_gaps - 1;
    while (r->gaps[i].since != slot->since)
        i--;
    if (--r->gaps[i].n_seqs > 0)
        return;
    for (r->n_gaps--; i < r->n_gaps; i++)
        r->gaps[i] = r->gaps[i + 1];
}

static enum llmsim_status preempt_slot(struct replica *r, uint32_t index)
{
    struct slot *slot = &r->slots[index];
    uint32_t n_segments = slot->history != NULL ? slot->history->n_segments : 0;
    struct history *history =
        grow_history(r, slot->history, n_segments + 1, slot->scheduled_ns, slot->cached_tokens);
    if (history == NULL)
        return llmsim_fail(r->run->err, LLMSIM_RUN_FAILED, "out of memory");
    set_segment(r, slot, &history->segments[n_segments]);
    if (history->segments[n_segments].n_tokens > 0) {
        history->n_segments++;
        history->last_token =
            r->decode_step > slot->first_decode_step ? r->previous_decode_end : slot->since;
    }
    history->decode_time += r->decode_time - slot->decode_time_at_start;
    history->n_preemptions++;
    push_preempted(r, (struct away){slot->request,
                                    history,
                                    tokens_made(r, slot),
                                    {0},
                                    r->index,
                                    r->swaps ? LLMSIM_SEGMENT_SWAPPED : LLMSIM_SEGMENT_PREFILL});
    if (r->swaps)
        r->swapped_blocks += llmsim_kv_blocks(&r->boundary.kv, stored_tokens(r, slot));
    leave_gaps(r, slot);
    leave_bucket(r, index);
    stop_decoding(r, index);
    return LLMSIM_OK;
}

/* A prompt that is not done begins anew. */
static enum llmsim_status preempt_prefill(struct replica *r, uint32_t index)
{
    struct boundary *b = &r->boundary;
    struct prefill *p = &b->prefills[index];
    struct history *history = p->resumed;
    if (history == NULL &&
        (history = grow_history(r, NULL, 0, p->scheduled_ns, p->cached_tokens)) == NULL)
        return llmsim_fail(r->run->err, LLMSIM_RUN_FAILED, "out of memory");
    history->n_preemptions++;
    give_blocks(r, &p->request, (uint64_t)p->request.prompt_tokens + p->n_generated, &p->hold);
    push_preempted(
        r,
        (struct away){p->request, history, p->n_generated, {0}, r->index, LLMSIM_SEGMENT_PREFILL});
    for (uint32_t i = index + 1; i < b->n_prefills; i++)
        b->prefills[i - 1] = b->prefills[i];
    b->n_prefills--;
    return LLMSIM_OK;
}

/* Preempt the request that was admitted last: it gives all its blocks back. */
static OUT_OF_LINE enum llmsim_status preempt_latest(struct replica *r)
{
    const struct boundary *b = &r->boundary;
    uint32_t slot = LLMSIM_NO_SLOT, prefill = LLMSIM_NO_SLOT;
    uint64_t latest = 0;
    for (uint32_t i = 0; i < b->max_num_seqs; i++) {
        if (r->slots[i].is_running && r->slot_blocks[i].admission >= latest) {
            latest = r->slot_blocks[i].admission;
            slot = i;
        }
    }
    for (uint32_t i = 0; i < b->n_prefills; i++) {
        if (b->prefills[i].admission >= latest) {
            latest = b->prefills[i].admission;
            prefill = i;
        }
    }
    return prefill != LLMSIM_NO_SLOT ? preempt_prefill(r, prefill) : preempt_slot(r, slot);
}

/* Preempt until the next decode step has the blocks that it wants. The last request always has: it
 * was admitted because it fits. */
static OUT_OF_LINE enum llmsim_status make_room(struct replica *r)
{
    struct boundary *b = &r->boundary;
    enum llmsim_status status = LLMSIM_OK;
    while (status == LLMSIM_OK && r->n_running > 0 && blocks_wanted(r, r->decode_step) > b->kv.free)
        status = preempt_latest(r);
    b->n_decoding = r->n_running;
    set_head(r);
    return status;
}

void llmsim_replica_free_departed(struct replica *r, struct away *away)
{
    give_blocks(r, &away->request, away->request.prompt_tokens, &away->hold);
}

/* It begins now. */
static void set_start(const struct replica *r, struct slot *slot)
{
    slot->first_decode_step = r->decode_step;
    slot->decode_time_at_start = r->decode_time;
}

/* A request is back, with its KV cache and no token yet. */
static OUT_OF_LINE void join(struct replica *r, const struct away *away)
{
    const struct history *history = away->history;
    struct slot *slot = next_slot(r);
    slot->request = away->request;
    slot->scheduled_ns = history->scheduled_ns;
    slot->since = history->last_token;
    slot->gap_ns = llmsim_time_to_ns(r->now) - llmsim_time_to_ns(history->last_token);
    slot->tokens_at_start = away->n_generated;
    *blocks_of(r, slot) = (struct slot_blocks){.admission = r->boundary.n_admissions++};
    slot->history = away->history;
    slot->kind = (uint8_t)away->kind;
    set_start(r, slot);
    start_decoding(r, slot);
    put_gap(r, slot->since, llmsim_run_reports(r->run, &slot->request));
}

/* Who has a KV cache elsewhere and is first to come back; NULL if nobody is. */
static const struct away *next_to_join(const struct replica *r)
{
    if (r->n_preempted > 0) {
        const struct away *top = &r->preempted[r->n_preempted - 1];
        return top->kind == LLMSIM_SEGMENT_PREFILL ? NULL : top;
    }
    return llmsim_away_head(&r->incoming);
}

/* Those come back, in their order, for whom there is a place, and blocks: for what they have stored
 * and, as for everybody who runs, for the next decode step. */
static OUT_OF_LINE void join_those_who_fit(struct replica *r)
{
    struct boundary *b = &r->boundary;
    struct kv *kv = &b->kv;
    const struct away *next = next_to_join(r);
    uint64_t wanted_by_joining = 0;
    b->n_decoding = r->n_running;
    if (next == NULL || !r->run->policy->admits(b))
        return;
    for (; next != NULL; next = next_to_join(r)) {
        uint32_t n_seqs = r->n_running + r->n_joining + b->n_prefills;
        uint64_t stored = llmsim_kv_blocks(kv, tokens_of(next) - 1);
        uint64_t with_next = llmsim_kv_blocks(kv, tokens_of(next));
        uint64_t wanted = kv->total == 0 ? 0 : blocks_wanted(r, r->decode_step) + wanted_by_joining;
        if (n_seqs >= b->max_num_seqs ||
            with_next + wanted + (n_seqs > 0 ? kv->watermark : 0) > kv->free)
            return;
        take_blocks(r, stored);
        if (next->kind == LLMSIM_SEGMENT_SWAPPED) {
            r->joining[r->n_joining++] = pop_preempted(r);
            r->swapped_blocks += stored;
            wanted_by_joining += with_next - stored;
        } else {
            struct away moved = llmsim_away_take(&r->incoming);
            r->waiting_tokens -= tokens_of(&moved);
            join(r, &moved);
        }
    }
}

/* Copies between the GPU's memory and the host's have a step of their own, even of no length: a KV
 * cache may be empty. */
static bool has_swaps(const struct replica *r)
{
    return r->swaps && (r->swapped_blocks > 0 || r->n_joining > 0);
}

static OUT_OF_LINE void begin_swap_step(struct replica *r)
{
    r->swap_step.durations.first =
        (llmsim_time)r->run->swap_per_block * (llmsim_time)r->swapped_blocks;
    r->swapped_blocks = 0;
    r->step = &r->swap_step;
}

/* The decoding side of steps: what they read, and when their requests got their last token. */
static void set_decodes(const struct replica *r, struct llmsim_step_run *steps)
{
    steps->shape.decode_seqs = r->n_running;
    steps->shape.context_tokens = r->context_tokens;
    steps->n_reported = r->n_reported;
    steps->previous_decode_end = r->previous_decode_end;
    steps->n_gaps = r->n_gaps;
}

static struct llmsim_decode_run next_decodes(const struct replica *r)
{
    return llmsim_decode_cost_run(r->decode_costs[r->n_running], r->n_running, r->context_tokens);
}

/* Decode steps of the whole running set, up to the next change of it. */
static void begin_decodes(struct replica *r)
{
    struct llmsim_step_run *steps = &r->decode_steps;
    steps->durations = next_decodes(r);
    steps->n_steps = llmsim_wheel_distance(&r->wheel, r->decode_step);
    set_decodes(r, steps);
    uint64_t n_blocks = 0;
    if (r->boundary.kv.total != 0)
        steps->n_steps = steps_with_blocks(r, steps->n_steps, &n_blocks);
    if (r->head_is_new && r->boundary.look_up != NULL)
        steps->n_steps = 1;
    r->step = steps;
}

/* The longest context of the running set. Who has it seldom leaves, and only then are the others
 * looked at again. */
static uint64_t longest_context(struct replica *r)
{
    if (!r->knows_longest) {
        r->longest_extra = INT64_MIN;
        for (uint32_t i = 0; i < r->boundary.max_num_seqs; i++) {
            const struct slot *slot = &r->slots[i];
            if (slot->is_running && extra_context(slot) > r->longest_extra)
                r->longest_extra = extra_context(slot);
        }
        r->knows_longest = true;
    }
    return r->n_running > 0 ? (uint64_t)(r->longest_extra + (int64_t)r->decode_step) : 0;
}

/* One step that processes prompts, beside decodes if the policy mixes them. */
static void begin_prefills(struct replica *r)
{
    struct boundary *b = &r->boundary;
    struct llmsim_step_run *step = &r->prefill_step;
    int64_t start_ns = llmsim_time_to_ns(r->now);
    for (uint32_t i = b->n_prefills; i > 0 && b->prefills[i - 1].scheduled_ns == LLMSIM_NO_TIME;
         i--)
        b->prefills[i - 1].scheduled_ns = start_ns;
    step->kind = b->decodes ? LLMSIM_STEP_MIXED : LLMSIM_STEP_PREFILL;
    step->shape.prefill_tokens = b->prefill_tokens;
    step->shape.prefill_seqs = b->n_chunks;
    step->shape.prefill_sum_sq = b->prefill_sum_sq;
    step->shape.longest_context = b->longest_prefill_context;
    step->shape.decode_seqs = step->n_reported = 0;
    step->shape.context_tokens = 0;
    if (b->decodes)
        set_decodes(r, step);
    if (b->decodes && r->tracks_longest) {
        uint64_t longest = longest_context(r);
        if (longest > step->shape.longest_context)
            step->shape.longest_context = longest;
    }
    step->durations.first = llmsim_cost_step(&r->run->config->cost, &step->shape);
    r->step = step;
}

/* Ask the policy for the next step, and see to it that its decodes have their KV blocks: before
 * anybody is admitted if they go on beside prompts, and once it is known that they decode if not.
 */
static enum llmsim_status form_step(struct replica *r)
{
    struct boundary *b = &r->boundary;
    const struct policy *policy = r->run->policy;
    b->n_decoding = r->n_running;
    r->head_is_new = false;
    set_head(r);
    if (b->kv.total == 0) {
        policy->form(b);
        return r->run->deferred;
    }
    uint64_t claimed = policy->mixes ? blocks_wanted(r, r->decode_step) : 0;
    b->kv.free -= claimed;
    policy->form(b);
    b->kv.free += claimed;
    if (!policy->mixes && b->decodes) {
        uint32_t n_before = r->n_preempted;
        enum llmsim_status status = make_room(r);
        r->head_is_new = r->n_preempted > n_before;
        if (status != LLMSIM_OK)
            return status;
    }
    return r->run->deferred;
}

enum llmsim_status llmsim_replica_begin_step(struct replica *r)
{
    struct boundary *b = &r->boundary;
    enum llmsim_status status = LLMSIM_OK;
    assert(r->step == NULL); /* a replica is never in two steps at once */
    if (r->n_preempted + r->incoming.n > 0)
        join_those_who_fit(r);
    if (r->run->policy->mixes && b->kv.total != 0)
        status = make_room(r);
    if (status == LLMSIM_OK && !has_swaps(r))
        status = form_step(r);
    if (status != LLMSIM_OK)
        return status;
    if (has_swaps(r))
        begin_swap_step(r);
    else if (b->n_chunks > 0)
        begin_prefills(r);
    else if (b->decodes)
        begin_decodes(r);
    else
        return LLMSIM_OK;
    r->step->start = r->now;
    set_steps(r->step, r->step->n_steps);
    return LLMSIM_OK;
}

/* Every running request has made a token in each step of the run, the last of them now, in steps
 * that would have taken decode_time without prompts. */
static void end_decodes(struct replica *r, uint64_t n_steps, llmsim_time decode_time)
{
    struct kv *kv = &r->boundary.kv;
    uint64_t n_blocks = 0;
    if (kv->total != 0)
        (void)steps_with_blocks(r, n_steps, &n_blocks);
    take_blocks(r, n_blocks);
    r->decode_time += decode_time;
    r->previous_decode_end = r->now;
    r->n_gaps = 0;
    r->decode_step += n_steps;
    r->context_tokens += n_steps * r->n_running;
    end_due(r);
}

/* A request leaves for another replica with its first token; its blocks stay until its KV cache has
 * gone. */
static OUT_OF_LINE void depart(struct replica *r, const struct prefill *p)
{
    struct history *history = grow_history(r, NULL, 1, p->scheduled_ns, p->cached_tokens);
    if (history == NULL) {
        r->run->deferred = llmsim_fail(r->run->err, LLMSIM_RUN_FAILED, "out of memory");
        return;
    }
    history->segments[history->n_segments++] =
        (struct llmsim_token_segment){.start_ns = llmsim_time_to_ns(r->now), .n_tokens = 1};
    history->last_token = r->now;
    r->departed[r->n_departed++] =
        (struct away){p->request, history, 1, p->hold, r->index, LLMSIM_SEGMENT_MOVED};
    r->n_outstanding--;
}

/* A prompt is processed: the request has a token, now. */
static void end_prefill(struct replica *r, const struct prefill *p)
{
    const struct history *history = p->resumed;
    bool is_done = p->request.output_tokens <= p->n_generated + 1;
    if (r->only_prefills && !is_done) {
        depart(r, p);
        return;
    }
    struct slot *slot = next_slot(r);
    slot->request = p->request;
    slot->scheduled_ns = history != NULL ? history->scheduled_ns : p->scheduled_ns;
    slot->since = r->now;
    slot->gap_ns = history != NULL && history->n_segments > 0
                       ? llmsim_time_to_ns(r->now) - llmsim_time_to_ns(history->last_token)
                       : 0;
    slot->tokens_at_start = p->n_generated + 1;
    slot->cached_tokens = p->cached_tokens;
    *blocks_of(r, slot) = (struct slot_blocks){p->admission, p->hold};
    slot->history = p->resumed;
    slot->kind = LLMSIM_SEGMENT_PREFILL;
    set_start(r, slot);
    if (!is_done) {
        start_decoding(r, slot);
    } else {
        give_blocks(r, &p->request, (uint64_t)p->request.prompt_tokens + p->n_generated,
                    &blocks_of(r, slot)->hold);
        put_ended(r, slot, LLMSIM_OUTCOME_COMPLETED);
    }
}

static void end_prefills(struct replica *r)
{
    struct boundary *b = &r->boundary;
    uint32_t n_before = r->n_reported, n_kept = 0;
    for (uint32_t i = 0; i < b->n_prefills; i++)
        b->prefills[i].tokens_left -= b->prefills[i].chunk;
    for (uint32_t i = 0; i < b->n_prefills && b->hold != NULL; i++)
        share_prefix(r, &b->prefills[i]);
    for (uint32_t i = 0; i < b->n_prefills; i++) {
        struct prefill *p = &b->prefills[i];
        if (llmsim_prefill_has_chunk(p) && p->tokens_left == 0)
            end_prefill(r, p);
        else
            b->prefills[n_kept++] = *p;
    }
    b->n_prefills = n_kept;
    put_gap(r, r->now, r->n_reported - n_before);
}

enum llmsim_status llmsim_replica_end_step(struct replica *r)
{
    struct llmsim_step_run *step = r->step;
    step->first_step_id = r->n_steps;
    step->is_reported = step->start >= r->run->from;
    r->n_steps += step->n_steps;
    r->now = step->end;
    r->step = NULL;
    enum llmsim_status status = llmsim_run_steps(r->run, step);
    if (status != LLMSIM_OK)
        return status;
    if (step == &r->decode_steps) {
        end_decodes(r, step->n_steps, step->end - step->start);
    } else if (step == &r->prefill_step) {
        if (step->shape.decode_seqs > 0)
            end_decodes(r, 1, next_decodes(r).first);
        end_prefills(r);
    } else {
        for (uint32_t i = 0; i < r->n_joining; i++)
            join(r, &r->joining[i]);
        r->n_joining = 0;
    }
    return r->run->deferred;
}

uint64_t llmsim_replica_oldest_decode_step(const struct replica *r)
{
    const struct boundary *b = &r->boundary;
    uint64_t oldest = r->decode_step;
    for (size_t i = 0; i < b->max_num_seqs; i++) {
        const struct slot *slot = &r->slots[i];
        if (!slot->is_running)
            continue;
        oldest = slot->first_decode_step < oldest ? slot->first_decode_step : oldest;
        if (slot->history != NULL)
            oldest = llmsim_oldest_decode_step(oldest, slot->history->segments,
                                               slot->history->n_segments);
    }
    for (size_t i = 0; i < b->n_prefills; i++) {
        const struct history *history = b->prefills[i].resumed;
        if (history != NULL)
            oldest = llmsim_oldest_decode_step(oldest, history->segments, history->n_segments);
    }
    const struct away *const away[] = {r->preempted, r->joining};
    const size_t n_away[] = {r->n_preempted, r->n_joining};
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < n_away[i]; j++)
            oldest = llmsim_oldest_decode_step(oldest, away[i][j].history->segments,
                                               away[i][j].history->n_segments);
    return oldest;
}

/* A request that is in no running set is unfinished, with the history that it has, if any. */
static struct llmsim_result *put_unfinished(struct run *run, const struct llmsim_request *request,
                                            struct history *history, uint32_t replica,
                                            llmsim_time now)
{
    struct ended *ended = llmsim_run_put_ended(run, now);
    if (ended == NULL)
        return NULL;
    *ended = (struct ended){.result = {.request = *request,
                                       .outcome = LLMSIM_OUTCOME_UNFINISHED,
                                       .replica = replica,
                                       .prefill_replica = replica,
                                       .end_ns = llmsim_time_to_ns(now)},
                            .kept = history};
    struct llmsim_result *result = &ended->result;
    if (history == NULL)
        return result;
    result->cached_tokens = history->cached_tokens;
    result->scheduled_ns = history->scheduled_ns;
    result->prefill_replica = history->prefill_replica;
    result->preemptions = history->n_preemptions;
    result->segments = history->segments;
    result->n_segments = history->n_segments;
    for (uint32_t i = 0; i < history->n_segments; i++)
        result->n_tokens += history->segments[i].n_tokens;
    if (result->n_tokens > 0) {
        result->first_token_ns = history->segments[0].start_ns;
        result->last_token_ns = llmsim_time_to_ns(history->last_token);
    }
    return result;
}

static void put_prefill_unfinished(struct replica *r, const struct prefill *p, llmsim_time now)
{
    struct llmsim_result *result = put_unfinished(r->run, &p->request, p->resumed, r->index, now);
    if (result == NULL || p->resumed != NULL)
        return;
    result->scheduled_ns = p->scheduled_ns;
    result->cached_tokens = p->cached_tokens;
}

static void put_away_unfinished(struct run *run, const struct away *away, size_t n, llmsim_time now)
{
    for (size_t i = 0; i < n; i++)
        (void)put_unfinished(run, &away[i].request, away[i].history, away[i].to, now);
}

void llmsim_away_put_unfinished(struct away_queue *queue, struct run *run, llmsim_time now)
{
    if (queue->n > 0)
        put_away_unfinished(run, llmsim_away_head(queue), queue->n, now);
    queue->n = 0;
}

void llmsim_replica_put_unfinished(struct replica *r, llmsim_time now)
{
    struct boundary *b = &r->boundary;
    r->now = now;
    for (uint32_t i = 0; i < b->max_num_seqs; i++) {
        struct slot *slot = &r->slots[i];
        if (slot->is_running)
            put_ended(r, slot, LLMSIM_OUTCOME_UNFINISHED);
        slot->is_running = false;
    }
    for (uint32_t i = 0; i < b->n_prefills; i++)
        put_prefill_unfinished(r, &b->prefills[i], now);
    put_away_unfinished(r->run, r->preempted, r->n_preempted, now);
    put_away_unfinished(r->run, r->joining, r->n_joining, now);
    llmsim_away_put_unfinished(&r->incoming, r->run, now);
    r->n_running = r->n_preempted = r->n_joining = 0;
    b->n_prefills = 0;
}

enum llmsim_status llmsim_replica_end_waiting(struct replica *r)
{
    struct boundary *b = &r->boundary;
    enum llmsim_status status = LLMSIM_OK;
    for (set_head(r); b->head != NULL && status == LLMSIM_OK; take_head(b))
        status = llmsim_run_end_waiting(r->run, b->head, r->index);
    return status;
}

static void free_histories(struct away *away, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(away[i].history);
    free(away);
}

void llmsim_replica_fini(struct replica *r)
{
    struct boundary *b = &r->boundary;
    for (size_t i = 0; r->slots != NULL && i < b->max_num_seqs; i++)
        if (r->slots[i].is_running)
            free(r->slots[i].history);
    for (size_t i = 0; i < b->n_prefills; i++)
        free(b->prefills[i].resumed);
    llmsim_away_fini(&r->incoming);
    free_histories(r->preempted, r->n_preempted);
    free_histories(r->joining, r->n_joining);
    free_histories(r->departed, r->n_departed);
    free(r->slot_memory);
    free(r->slot_blocks);
    free(r->free_slots);
    free(r->due);
    llmsim_waiting_fini(&r->waiting);
    llmsim_prefix_cache_fini(&r->prefixes);
    free(r->gaps);
    free(r->residues);
    llmsim_boundary_fini(b);
}

/* Each slot in as few lines of the cache as it can be. The memory is from calloc, so that slots
 * that nobody ever takes are no more than addresses: 65,535 places on each of many replicas. */
static struct slot *align_slots(void *memory)
{
    size_t to_next_line = (CACHE_LINE - (uintptr_t)memory % CACHE_LINE) % CACHE_LINE;
    return memory == NULL ? NULL : (void *)((char *)memory + to_next_line);
}

enum llmsim_status llmsim_replica_init(struct replica *r, struct run *run, uint32_t index,
                                       const struct llmsim_decode_cost *decode_costs)
{
    size_t n = run->config->max_num_seqs;
    *r = (struct replica){
        .run = run,
        .index = index,
        .only_prefills = (index < run->config->prefill_replicas),
        .swaps = (run->swap_per_block > 0),
        .tracks_longest = run->policy->mixes && run->config->cost.model->uses_longest_context,
        .trace_is_queue = run->n_replicas == 1 && run->order->key == NULL,
        .decode_costs = decode_costs,
        .slot_memory = calloc(1, (n + 1) * sizeof *r->slots + CACHE_LINE), /* see next_slot */
        .slot_blocks = calloc(n + 1, sizeof *r->slot_blocks),
        .free_slots = malloc(n * sizeof *r->free_slots),
        .due = malloc(n * sizeof *r->due),
        .preempted = malloc(n * sizeof *r->preempted),
        .joining = malloc(n * sizeof *r->joining),
        .departed = malloc(n * sizeof *r->departed),
        .gaps = malloc(n * sizeof *r->gaps),
        .waiting = {.order = run->order},
        .prefill_step = {.n_steps = 1, .replica = index},
        .decode_steps = {.kind = LLMSIM_STEP_DECODE, .replica = index},
        .swap_step = {.n_steps = 1, .kind = LLMSIM_STEP_SWAP, .replica = index},
    };
    enum llmsim_status status = llmsim_boundary_init(&r->boundary, run);
    if (status != LLMSIM_OK)
        return status;
    r->slots = align_slots(r->slot_memory);
    r->prefixes.block_size = r->boundary.kv.block_size;
    r->residues = calloc(r->boundary.kv.block_size, sizeof *r->residues);
    if (r->slots == NULL || r->slot_blocks == NULL || r->free_slots == NULL || r->due == NULL ||
        r->preempted == NULL || r->joining == NULL || r->departed == NULL || r->gaps == NULL ||
        r->residues == NULL)
        return llmsim_fail(run->err, LLMSIM_RUN_FAILED, "out of memory");
    r->prefill_step.gaps = r->decode_steps.gaps = r->gaps;
    for (size_t i = 0; i < n; i++)
        r->free_slots[i] = (uint32_t)i;
    r->boundary.take = take_head;
    r->boundary.reject = reject_head;
    r->boundary.engine = r;
    if (run->config->enable_prefix_caching) {
        r->boundary.look_up = look_up_head;
        r->boundary.hold = hold_prefix;
        r->boundary.evict = evict;
    }
    return LLMSIM_OK;
}
