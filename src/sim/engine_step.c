/* engine_step.c: the reference. It goes one step at a time and one token at a time, keeps every
 * waiting request in a queue and every token's time with its request, and counts context, blocks
 * and loads anew whenever it needs them. Slow on purpose: the fast engine must give the same bytes,
 * so this one shares as little with it as it can. */
#include <assert.h>
#include <stdlib.h>

#include "event_queue.h"
#include "run.h"
#include "step_prefixes.h"

/* A request that has run. */
struct active {
    struct llmsim_request request;
    int64_t scheduled_ns;
    uint32_t prefill_replica;
    uint64_t admission;
    llmsim_time last_token;
    llmsim_time decode_time; /* of its decode steps, as if no prompt had been beside them */
    int64_t *token_ns;
    uint32_t n_tokens; /* that have come out */
    uint32_t capacity;
    uint32_t n_preemptions;
    struct llmsim_token_segment *segments; /* begun; n_tokens of each: when it began */
    uint32_t n_segments;
    bool is_swapped; /* its KV cache lies in the host's memory */
    uint32_t to;     /* the decode replica that it moves to */
    uint32_t cached_tokens;
    struct prefix_hold hold; /* of the replica where it is */
};

/* A growing list of pointers, of which the first goes first. */
struct list {
    struct active **items;
    size_t n, capacity;
};

/* A growing ring of waiting requests, in order of arrival. */
struct fifo {
    struct llmsim_request *ring;
    size_t capacity, head, n;
};

struct step_engine;

struct step_replica {
    struct step_engine *engine;
    uint32_t index;
    struct boundary boundary;
    struct step_prefixes prefixes;
    struct fifo fifo;
    struct list running;   /* that decode */
    struct list preempted; /* a stack: the last goes first */
    struct list incoming;  /* moved here */
    struct list joining;   /* coming back in the swap step under way */
    struct list departed;  /* have their first token, and will move */
    struct list moving;    /* on the link away from here: their blocks are still held */
    struct llmsim_gap *gaps;
    bool in_step;
    struct llmsim_step_run step; /* under way if in_step */
    uint64_t n_steps, n_swapped_blocks;
    llmsim_time previous_decode_end, link_free_at;
};

struct step_engine {
    struct run *run;
    struct step_replica *replicas;
    struct router router, move_router;
    struct event_queue queue;
    llmsim_time now;
};

static enum llmsim_status fail_memory(const struct step_engine *e)
{
    return llmsim_fail(e->run->err, LLMSIM_RUN_FAILED, "out of memory");
}

static void free_active(void *active)
{
    struct active *a = active;
    if (a == NULL)
        return;
    free(a->token_ns);
    free(a->segments);
    free(a);
}

/* What cannot be put is freed, and the run fails. */
static void list_put(const struct step_engine *e, struct list *list, struct active *a)
{
    if (list->n == list->capacity) {
        size_t capacity = list->capacity != 0 ? 2 * list->capacity : 16;
        struct active **items = realloc(list->items, capacity * sizeof *items);
        if (items == NULL) {
            e->run->deferred = fail_memory(e);
            free_active(a);
            return;
        }
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->n++] = a;
}

static struct active *list_take(struct list *list, size_t index)
{
    struct active *a = list->items[index];
    list->n--;
    for (size_t i = index; i < list->n; i++)
        list->items[i] = list->items[i + 1];
    return a;
}

static void list_fini(struct list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free_active(list->items[i]);
    free(list->items);
}

static struct llmsim_request *fifo_at(const struct fifo *fifo, size_t i)
{
    return &fifo->ring[(fifo->head + i) % fifo->capacity];
}

/* Which of the waiting requests goes first: all of them are looked at, whatever the order. */
static size_t fifo_first(const struct step_replica *r)
{
    const struct order *order = r->engine->run->order;
    size_t first = 0;
    for (size_t i = 1; i < r->fifo.n && order->key != NULL; i++)
        if (llmsim_order_before(order, fifo_at(&r->fifo, i), fifo_at(&r->fifo, first)))
            first = i;
    return first;
}

static void fifo_remove_first(struct step_replica *r)
{
    struct fifo *fifo = &r->fifo;
    assert(fifo->n > 0);
    for (size_t i = fifo_first(r); i > 0; i--) /* those ahead of it move up */
        *fifo_at(fifo, i) = *fifo_at(fifo, i - 1);
    fifo->head = (fifo->head + 1) % fifo->capacity;
    fifo->n--;
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

static struct active *last_preempted(const struct step_replica *r)
{
    return r->preempted.n > 0 ? r->preempted.items[r->preempted.n - 1] : NULL;
}

/* Preempted requests are ahead of the queue. One that is to be swapped in is nobody's to admit. */
static void set_head(struct step_replica *r)
{
    struct boundary *b = &r->boundary;
    struct active *preempted = last_preempted(r);
    b->head_cached_blocks = b->head_unheld_blocks = 0;
    b->head_generated = preempted != NULL ? preempted->n_tokens : 0;
    b->head_resumed = preempted;
    if (preempted != NULL)
        b->head = preempted->is_swapped ? NULL : &preempted->request;
    else
        b->head = r->fifo.n > 0 ? fifo_at(&r->fifo, fifo_first(r)) : NULL;
}

static void take_head(struct boundary *b)
{
    struct step_replica *r = b->engine;
    if (r->preempted.n > 0)
        (void)list_take(&r->preempted, r->preempted.n - 1);
    else
        fifo_remove_first(r);
    set_head(r);
}

/* Only a request that has not run yet can be rejected. */
static void reject_head(struct boundary *b, enum llmsim_outcome outcome)
{
    struct step_replica *r = b->engine;
    llmsim_run_reject(r->engine->run, b->head, outcome, r->engine->now, r->index);
    fifo_remove_first(r);
    set_head(r);
}

/* Blocks of the tokens that a request has stored, and of what it stores next: all but the latest.
 */
static uint64_t blocks_held(const struct step_replica *r, const struct active *a)
{
    return llmsim_kv_blocks(&r->boundary.kv, (uint64_t)a->request.prompt_tokens + a->n_tokens - 1);
}

static uint64_t blocks_next(const struct step_replica *r, const struct active *a)
{
    return llmsim_kv_blocks(&r->boundary.kv, (uint64_t)a->request.prompt_tokens + a->n_tokens) -
           blocks_held(r, a);
}

/* Free blocks, counted anew from who holds what. */
static uint64_t blocks_free(const struct step_replica *r)
{
    const struct boundary *b = &r->boundary;
    const struct list *const holders[] = {&r->running, &r->joining, &r->departed, &r->moving};
    uint64_t used = step_prefixes_held(&r->prefixes);
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < holders[i]->n; j++)
            used += blocks_held(r, holders[i]->items[j]) - holders[i]->items[j]->hold.n_blocks;
    for (uint32_t i = 0; i < b->n_prefills; i++)
        used += llmsim_kv_blocks(&b->kv, (uint64_t)b->prefills[i].request.prompt_tokens +
                                             b->prefills[i].n_generated) -
                b->prefills[i].hold.n_blocks;
    assert(used <= b->kv.total);
    return b->kv.total - used;
}

/* Blocks that the next decode step adds. */
static uint64_t blocks_wanted(const struct step_replica *r)
{
    uint64_t wanted = 0;
    for (size_t i = 0; i < r->running.n; i++)
        wanted += blocks_next(r, r->running.items[i]);
    return wanted;
}

static uint64_t look_up(struct step_replica *r, const struct llmsim_request *request,
                        uint64_t tokens, uint64_t *n_unheld)
{
    struct run *run = r->engine->run;
    struct llmsim_prefix prefix;
    *n_unheld = 0;
    /* One token is computed in any case: its output begins the answer. */
    uint64_t n_most = tokens > 0 ? llmsim_run_prompt_blocks(run, request, tokens - 1) : 0;
    if (n_most == 0 || !llmsim_run_prefix(run, request, &prefix))
        return 0;
    return step_prefixes_lookup(&r->prefixes, &prefix, n_most, n_unheld);
}

static void look_up_head(struct boundary *b)
{
    b->head_cached_blocks =
        look_up(b->engine, b->head, (uint64_t)b->head->prompt_tokens + b->head_generated,
                &b->head_unheld_blocks);
}

static uint64_t hold_prefix(struct boundary *b, struct prefill *p)
{
    struct step_replica *r = b->engine;
    struct llmsim_prefix prefix;
    uint64_t before = step_prefixes_held(&r->prefixes);
    if (llmsim_run_prefix(r->engine->run, &p->request, &prefix))
        step_prefixes_take(&r->prefixes, &prefix, b->head_cached_blocks, &p->hold);
    return step_prefixes_held(&r->prefixes) - before;
}

static void evict(struct boundary *b)
{
    step_prefixes_evict(&((struct step_replica *)b->engine)->prefixes, b->kv.free);
}

static bool has_cache(const struct step_replica *r)
{
    return r->boundary.evict != NULL;
}

static void drop_prefix(struct step_replica *r, const struct llmsim_request *request,
                        struct prefix_hold *hold)
{
    struct llmsim_prefix prefix;
    if (has_cache(r) && llmsim_run_prefix(r->engine->run, request, &prefix))
        step_prefixes_drop(&r->prefixes, &prefix, hold);
}

/* What a request that has begun its prefill has done before: nothing, or what it was resumed from.
 */
static struct active *active_of(struct step_replica *r, const struct prefill *p)
{
    struct active *a = p->resumed;
    if (a == NULL) {
        a = malloc(sizeof *a);
        if (a == NULL) {
            r->engine->run->deferred = fail_memory(r->engine);
            return NULL;
        }
        *a = (struct active){.request = p->request,
                             .scheduled_ns = p->scheduled_ns,
                             .prefill_replica = r->index,
                             .cached_tokens = p->cached_tokens};
    }
    a->hold = p->hold;
    return a;
}

static void begin_segment(struct step_replica *r, struct active *a, enum llmsim_segment_kind kind)
{
    struct llmsim_token_segment *segments =
        realloc(a->segments, (a->n_segments + 1) * sizeof *segments);
    if (segments == NULL) {
        r->engine->run->deferred = fail_memory(r->engine);
        return;
    }
    int64_t now_ns = llmsim_time_to_ns(r->engine->now);
    a->segments = segments;
    segments[a->n_segments++] =
        (struct llmsim_token_segment){.start_ns = now_ns,
                                      .gap_ns = now_ns - llmsim_time_to_ns(a->last_token),
                                      .n_tokens = a->n_tokens,
                                      .kind = kind};
}

/* The request admitted last gives its blocks back and goes to the front of the queue. */
static void preempt_latest(struct step_replica *r)
{
    struct boundary *b = &r->boundary;
    struct active *const *running = r->running.items;
    bool swaps = r->engine->run->swap_per_block > 0;
    size_t latest = 0;
    for (size_t i = 1; i < r->running.n; i++)
        if (running[i]->admission > running[latest]->admission)
            latest = i;
    uint32_t prefill = 0;
    for (uint32_t i = 1; i < b->n_prefills; i++)
        if (b->prefills[i].admission > b->prefills[prefill].admission)
            prefill = i;
    struct active *a;
    if (b->n_prefills > 0 && b->prefills[prefill].admission > running[latest]->admission) {
        a = active_of(r, &b->prefills[prefill]);
        for (uint32_t i = prefill + 1; i < b->n_prefills; i++)
            b->prefills[i - 1] = b->prefills[i];
        b->n_prefills--;
    } else {
        a = list_take(&r->running, latest);
        a->is_swapped = swaps;
        r->n_swapped_blocks += swaps ? blocks_held(r, a) : 0;
        if (a->segments[a->n_segments - 1].n_tokens == a->n_tokens)
            a->n_segments--; /* it came back and had no time to make a token */
    }
    if (a == NULL)
        return;
    drop_prefix(r, &a->request, &a->hold);
    a->n_preemptions++;
    list_put(r->engine, &r->preempted, a);
}

static void make_room(struct step_replica *r)
{
    while (r->running.n > 0 && blocks_wanted(r) > blocks_free(r) &&
           r->engine->run->deferred == LLMSIM_OK)
        preempt_latest(r);
    r->boundary.n_decoding = (uint32_t)r->running.n;
}

/* A request is among those that decode, with its KV cache and no token yet. */
static void join(struct step_replica *r, struct active *a, enum llmsim_segment_kind kind)
{
    a->is_swapped = false;
    a->admission = r->boundary.n_admissions++;
    begin_segment(r, a, kind);
    list_put(r->engine, &r->running, a);
}

/* Preempted requests with a KV cache in the host's memory, and, if nobody is preempted, those that
 * have moved here, come back while each finds a place, and blocks for what it has stored and for
 * the next decode step of everybody. */
static void join_those_who_fit(struct step_replica *r)
{
    struct boundary *b = &r->boundary;
    const struct kv *kv = &b->kv;
    b->n_decoding = (uint32_t)r->running.n;
    if (!r->engine->run->policy->admits(b))
        return;
    while (r->preempted.n > 0 ? last_preempted(r)->is_swapped : r->incoming.n > 0) {
        bool is_swapped = r->preempted.n > 0;
        struct active *a = is_swapped ? last_preempted(r) : r->incoming.items[0];
        size_t n_seqs = r->running.n + r->joining.n + b->n_prefills;
        uint64_t wanted = blocks_wanted(r) + blocks_held(r, a) + blocks_next(r, a);
        for (size_t i = 0; i < r->joining.n; i++)
            wanted += blocks_next(r, r->joining.items[i]);
        if (n_seqs >= b->max_num_seqs || wanted + (n_seqs > 0 ? kv->watermark : 0) > blocks_free(r))
            return;
        if (is_swapped) {
            r->n_swapped_blocks += blocks_held(r, a);
            list_put(r->engine, &r->joining, list_take(&r->preempted, r->preempted.n - 1));
        } else {
            join(r, list_take(&r->incoming, 0), LLMSIM_SEGMENT_MOVED);
        }
        step_prefixes_evict(&r->prefixes, blocks_free(r));
    }
}

static bool has_swaps(const struct step_replica *r)
{
    return r->n_swapped_blocks > 0 || r->joining.n > 0;
}

/* Ask the policy for the next step, and see to it that its decodes have their KV blocks: before
 * anybody is admitted if they go on beside prompts, and once it is known that they decode if not.
 * Where KV caches are to be copied, that is the next step. */
static void form_step(struct step_replica *r)
{
    struct boundary *b = &r->boundary;
    const struct policy *policy = r->engine->run->policy;
    join_those_who_fit(r);
    if (policy->mixes)
        make_room(r);
    if (has_swaps(r))
        return;
    b->n_decoding = (uint32_t)r->running.n;
    b->kv.free = blocks_free(r) - (policy->mixes ? blocks_wanted(r) : 0);
    set_head(r);
    policy->form(b);
    if (!policy->mixes && b->decodes)
        make_room(r);
}

static enum llmsim_step_kind step_kind(const struct boundary *b)
{
    if (b->n_chunks == 0)
        return LLMSIM_STEP_DECODE;
    return b->decodes ? LLMSIM_STEP_MIXED : LLMSIM_STEP_PREFILL;
}

/* Start the step that the policy forms, if it forms one. */
static enum llmsim_status start_step(struct step_replica *r)
{
    struct step_engine *e = r->engine;
    struct boundary *b = &r->boundary;
    form_step(r);
    bool swaps = has_swaps(r);
    if (e->run->deferred != LLMSIM_OK || (!swaps && b->n_chunks == 0 && !b->decodes))
        return e->run->deferred;

    struct llmsim_step_shape shape = {0};
    for (size_t i = 0; !swaps && b->decodes && i < r->running.n; i++) {
        uint64_t context =
            (uint64_t)r->running.items[i]->request.prompt_tokens + r->running.items[i]->n_tokens;
        shape.decode_seqs++;
        shape.context_tokens += context;
        if (context > shape.longest_context)
            shape.longest_context = context;
    }
    for (uint32_t i = 0; !swaps && i < b->n_prefills; i++) {
        struct prefill *p = &b->prefills[i];
        uint64_t end = (uint64_t)p->request.prompt_tokens + p->n_generated - p->tokens_left;
        uint64_t after = end + p->chunk;
        shape.prefill_tokens += p->chunk;
        shape.prefill_seqs += llmsim_prefill_has_chunk(p);
        shape.prefill_sum_sq += after * after - end * end;
        if (p->chunk > 0 && end > shape.longest_context)
            shape.longest_context = end;
        if (p->scheduled_ns == LLMSIM_NO_TIME)
            p->scheduled_ns = llmsim_time_to_ns(e->now);
    }
    r->step = (struct llmsim_step_run){
        .first_step_id = r->n_steps++,
        .n_steps = 1,
        .replica = r->index,
        .is_reported = e->now >= llmsim_time_from_ns(e->run->config->from_ns),
        .start = e->now,
        .durations = {.first = swaps ? (llmsim_time)e->run->swap_per_block *
                                           (llmsim_time)r->n_swapped_blocks
                                     : llmsim_cost_step(&e->run->config->cost, &shape)},
        .kind = swaps ? LLMSIM_STEP_SWAP : step_kind(b),
        .shape = shape,
        .previous_decode_end = r->previous_decode_end,
    };
    r->n_swapped_blocks = 0;
    r->step.end = e->now + r->step.durations.first;
    assert(!r->in_step); /* a replica is never in two steps at once */
    r->in_step = true;
    return llmsim_event_queue_push(
        &e->queue, (struct event){.time = r->step.end, .kind = EVENT_STEP_END, .replica = r->index},
        e->run->err);
}

static void put_token(const struct step_engine *e, struct active *a)
{
    if (a->n_tokens == a->capacity) {
        uint32_t capacity = a->capacity != 0 ? 2 * a->capacity : 16;
        int64_t *token_ns = realloc(a->token_ns, capacity * sizeof *token_ns);
        if (token_ns == NULL) {
            e->run->deferred = fail_memory(e);
            return;
        }
        a->token_ns = token_ns;
        a->capacity = capacity;
    }
    a->token_ns[a->n_tokens++] = llmsim_time_to_ns(e->now);
    a->last_token = e->now;
}

static void put_ended(struct step_engine *e, struct active *a, uint32_t replica,
                      enum llmsim_outcome outcome)
{
    struct ended *ended = llmsim_run_put_ended(e->run, e->now);
    if (ended == NULL) {
        free_active(a);
        return;
    }
    *ended = (struct ended){.result = {.request = a->request,
                                       .outcome = outcome,
                                       .preemptions = a->n_preemptions,
                                       .replica = replica,
                                       .prefill_replica = a->prefill_replica,
                                       .n_tokens = a->n_tokens,
                                       .cached_tokens = a->cached_tokens,
                                       .scheduled_ns = a->scheduled_ns,
                                       .end_ns = llmsim_time_to_ns(e->now),
                                       .decode_ns = llmsim_time_to_ns(a->decode_time),
                                       .segments = a->segments,
                                       .n_segments = a->n_segments,
                                       .token_ns = a->token_ns},
                            .kept = a};
    if (a->n_tokens > 0) {
        ended->result.first_token_ns = a->token_ns[0];
        ended->result.last_token_ns = a->token_ns[a->n_tokens - 1];
    }
}

/* Put the requests that have all their tokens. */
static void end_requests(struct step_replica *r)
{
    for (size_t i = 0; i < r->running.n;) {
        const struct active *a = r->running.items[i];
        if (a->n_tokens < a->request.output_tokens) {
            i++;
            continue;
        }
        struct active *done = list_take(&r->running, i);
        drop_prefix(r, &done->request, &done->hold);
        put_ended(r->engine, done, r->index, LLMSIM_OUTCOME_COMPLETED);
    }
}

/* What the prompt has stored so far is there for others. */
static void share_prefix(struct step_replica *r, struct prefill *p)
{
    struct run *run = r->engine->run;
    struct llmsim_prefix prefix;
    uint64_t done = (uint64_t)p->request.prompt_tokens + p->n_generated - p->tokens_left;
    if (has_cache(r) && llmsim_run_prefix(run, &p->request, &prefix) &&
        !step_prefixes_add(&r->prefixes, &prefix, llmsim_run_prompt_blocks(run, &p->request, done),
                           &p->hold))
        run->deferred = fail_memory(r->engine);
}

/* The prompts that this step has finished join the running set, with a token. */
static void end_prefills(struct step_replica *r)
{
    struct boundary *b = &r->boundary;
    const struct step_engine *e = r->engine;
    uint32_t n_kept = 0;
    for (uint32_t i = 0; i < b->n_prefills; i++) {
        struct prefill p = b->prefills[i];
        bool has_chunk = llmsim_prefill_has_chunk(&p);
        p.tokens_left -= p.chunk;
        share_prefix(r, &p);
        struct active *a = NULL;
        if (!has_chunk || p.tokens_left > 0 || (a = active_of(r, &p)) == NULL) {
            b->prefills[n_kept++] = p;
            continue;
        }
        a->admission = p.admission;
        if (a->request.output_tokens > 0) {
            begin_segment(r, a, LLMSIM_SEGMENT_PREFILL);
            put_token(e, a);
        }
        if (r->index < e->run->config->prefill_replicas && a->n_tokens < a->request.output_tokens)
            list_put(e, &r->departed, a);
        else
            list_put(e, &r->running, a);
    }
    b->n_prefills = n_kept;
}

static enum llmsim_status end_step(struct step_replica *r)
{
    struct step_engine *e = r->engine;
    const struct llmsim_cost *cost = &e->run->config->cost;
    uint32_t n_decodes = r->step.shape.decode_seqs;
    r->in_step = false;
    r->step.gaps = r->gaps;
    struct llmsim_step_shape decodes = {.decode_seqs = n_decodes,
                                        .context_tokens = r->step.shape.context_tokens};
    for (uint32_t i = 0; i < n_decodes; i++) {
        struct active *a = r->running.items[i];
        if (llmsim_run_reports(e->run, &a->request))
            r->gaps[r->step.n_gaps++] = (struct llmsim_gap){a->last_token, 1};
        a->decode_time += llmsim_cost_step(cost, &decodes);
        put_token(e, a);
    }
    r->step.n_reported = (uint32_t)r->step.n_gaps;
    if (n_decodes > 0) {
        r->previous_decode_end = e->now;
        step_prefixes_evict(&r->prefixes, blocks_free(r));
    }
    enum llmsim_status status = llmsim_run_steps(e->run, &r->step);
    end_requests(r); /* they let go of their prefixes before prompts share theirs */
    if (r->step.kind == LLMSIM_STEP_SWAP)
        while (r->joining.n > 0)
            join(r, list_take(&r->joining, 0), LLMSIM_SEGMENT_SWAPPED);
    else
        end_prefills(r);
    end_requests(r);
    return status == LLMSIM_OK ? e->run->deferred : status;
}

static enum llmsim_status end_transfer(struct step_engine *e, struct step_replica *from)
{
    struct active *a = list_take(&from->moving, 0);
    drop_prefix(from, &a->request, &a->hold);
    list_put(e, &e->replicas[a->to].incoming, a);
    return e->run->deferred;
}

/* A request's KV cache queues for the link to the replica where it will decode. */
static void depart(struct step_replica *r, struct active *a)
{
    struct step_engine *e = r->engine;
    a->to = llmsim_route(&e->move_router, &a->request);
    if (r->link_free_at < e->now)
        r->link_free_at = e->now;
    r->link_free_at += llmsim_run_transfer_time(e->run, &a->request);
    list_put(e, &r->moving, a);
    if (e->run->deferred == LLMSIM_OK)
        e->run->deferred =
            llmsim_event_queue_push(&e->queue,
                                    (struct event){.time = r->link_free_at + e->run->link_latency,
                                                   .kind = EVENT_TRANSFER_END,
                                                   .replica = r->index},
                                    e->run->err);
}

/* Once all steps that end now have ended, so that the router sees all of that. */
static void depart_all(struct step_engine *e)
{
    for (uint32_t i = 0; i < e->run->config->prefill_replicas; i++)
        while (e->replicas[i].departed.n > 0)
            depart(&e->replicas[i], list_take(&e->replicas[i].departed, 0));
}

static enum llmsim_status arrive(struct step_engine *e, const struct llmsim_request *request)
{
    if (e->run->n_replicas > 1 && request->is_failed) {
        llmsim_run_reject(e->run, request, LLMSIM_OUTCOME_FAILED_IN_TRACE, e->now, 0);
        return e->run->deferred;
    }
    return fifo_put(&e->replicas[llmsim_route(&e->router, request)].fifo, request, e->run->err);
}

static enum llmsim_status observe(const struct step_engine *e)
{
    struct run *run = e->run;
    if (!llmsim_run_is_observed(run))
        return LLMSIM_OK;
    struct llmsim_observation o = {.now = e->now,
                                   .n_arrived = run->arrivals.n_taken,
                                   .n_ended = run->n_put,
                                   .n_output_tokens = run->n_put_tokens};
    for (uint32_t i = 0; i < run->n_replicas; i++) {
        const struct step_replica *r = &e->replicas[i];
        uint64_t n_free = blocks_free(r);
        o.n_waiting += r->fifo.n;
        o.n_running += r->running.n + r->joining.n + r->boundary.n_prefills;
        o.n_steps += r->n_steps - r->in_step;
        o.n_preempted += r->preempted.n;
        o.n_in_transfer += r->departed.n + r->moving.n + r->incoming.n;
        o.kv_blocks_free += n_free;
        o.kv_blocks_used += r->boundary.kv.total - n_free;
        o.n_in_step += r->in_step;
    }
    return llmsim_run_observe(run, &o);
}

/* One event: the next of those that are pending, or an arrival. */
static enum llmsim_status handle(struct step_engine *e, bool is_arrival)
{
    struct run *run = e->run;
    enum llmsim_status status = llmsim_run_report_ended_before(run, e->now);
    if (status != LLMSIM_OK)
        return status;
    if (is_arrival) {
        const struct llmsim_request *arrival = llmsim_arrivals_head(&run->arrivals);
        status = arrive(e, arrival);
        llmsim_arrivals_take(&run->arrivals);
        return status;
    }
    struct event event = llmsim_event_queue_pop(&e->queue);
    struct step_replica *r = &e->replicas[event.replica];
    status = event.kind == EVENT_STEP_END ? end_step(r) : end_transfer(e, r);
    const struct event *next = llmsim_event_queue_peek(&e->queue);
    if (next == NULL || next->kind != EVENT_STEP_END || next->time > e->now)
        depart_all(e);
    if (status == LLMSIM_OK)
        status = run->deferred;
    if (status == LLMSIM_OK && run->n_replicas == 1)
        status = llmsim_run_report_ended(run);
    return status;
}

/* The time of the next event, and what it is; false if there is none before the run's end. The
 * events have an order: a step's end before the arrivals of the same time, and a new step is formed
 * only once all events of that time are over (docs/scheduling.md, order of events). */
static bool next_event(struct step_engine *e, llmsim_time *time, bool *is_arrival)
{
    const struct llmsim_request *arrival = llmsim_arrivals_head(&e->run->arrivals);
    const struct event *event = llmsim_event_queue_peek(&e->queue);
    struct event arriving = {.kind = EVENT_ARRIVAL, .sequence = UINT64_MAX};
    if (arrival != NULL)
        arriving.time = llmsim_time_from_ns(arrival->arrival_ns);
    if (arrival == NULL && event == NULL)
        return false;
    *is_arrival = event == NULL || (arrival != NULL && !llmsim_event_before(event, &arriving));
    *time = *is_arrival ? arriving.time : event->time;
    return *time <= e->run->until;
}

static enum llmsim_status run_events(struct step_engine *e)
{
    enum llmsim_status status = LLMSIM_OK;
    llmsim_time time;
    bool is_arrival;
    while (status == LLMSIM_OK && next_event(e, &time, &is_arrival)) {
        status = LLMSIM_RUN_CHECK(e->run, time >= e->now, e->now, e->run->arrivals.n_taken);
        if (status != LLMSIM_OK)
            break;
        e->now = time;
        status = handle(e, is_arrival);
        bool is_over = status != LLMSIM_OK || !next_event(e, &time, &is_arrival) || time > e->now;
        for (uint32_t i = 0; i < e->run->n_replicas && is_over && status == LLMSIM_OK; i++)
            if (!e->replicas[i].in_step)
                status = start_step(&e->replicas[i]);
        if (status == LLMSIM_OK)
            status = observe(e);
    }
    return status == LLMSIM_OK ? llmsim_run_report_ended(e->run) : status;
}

static void put_unfinished(struct step_engine *e, struct list *list, uint32_t replica)
{
    while (list->n > 0) {
        struct active *a = list_take(list, 0);
        put_ended(e, a, list == &e->replicas[replica].moving ? a->to : replica,
                  LLMSIM_OUTCOME_UNFINISHED);
    }
}

/* The window that is looked at has closed: steps under way never end. */
static enum llmsim_status close_window(struct step_engine *e)
{
    struct run *run = e->run;
    e->now = run->until;
    for (uint32_t i = 0; i < run->n_replicas; i++) {
        struct step_replica *r = &e->replicas[i];
        struct boundary *b = &r->boundary;
        for (; b->n_prefills > 0; b->n_prefills--) {
            struct active *a = active_of(r, &b->prefills[b->n_prefills - 1]);
            if (a != NULL)
                put_ended(e, a, i, LLMSIM_OUTCOME_UNFINISHED);
        }
        put_unfinished(e, &r->running, i);
        put_unfinished(e, &r->preempted, i);
        put_unfinished(e, &r->joining, i);
        put_unfinished(e, &r->incoming, i);
        put_unfinished(e, &r->moving, i);
    }
    enum llmsim_status status =
        run->deferred != LLMSIM_OK ? run->deferred : llmsim_run_report_ended(run);
    for (uint32_t i = 0; i < run->n_replicas; i++)
        for (struct step_replica *r = &e->replicas[i]; r->fifo.n > 0 && status == LLMSIM_OK;
             fifo_remove_first(r))
            status = llmsim_run_end_waiting(run, fifo_at(&r->fifo, fifo_first(r)), i);
    return status;
}

static llmsim_time steps_known_until(const void *engine)
{
    const struct step_engine *e = engine;
    llmsim_time until = e->now;
    for (uint32_t i = 0; i < e->run->n_replicas; i++)
        if (e->replicas[i].in_step && e->replicas[i].step.start < until)
            until = e->replicas[i].step.start;
    return until;
}

/* Requests, and tokens of theirs, that are on their way to a replica. */
static void count_moving_to(const struct step_engine *e, uint32_t replica, uint64_t *n,
                            uint64_t *n_tokens)
{
    for (uint32_t i = 0; i < e->run->n_replicas; i++) {
        const struct list *moving = &e->replicas[i].moving;
        for (size_t j = 0; j < moving->n; j++) {
            const struct active *a = moving->items[j];
            *n += a->to == replica;
            *n_tokens += a->to == replica ? (uint64_t)a->request.prompt_tokens + a->n_tokens : 0;
        }
    }
}

static uint64_t outstanding(const void *engine, uint32_t replica)
{
    const struct step_engine *e = engine;
    const struct step_replica *r = &e->replicas[replica];
    uint64_t n = r->fifo.n + r->boundary.n_prefills + r->running.n + r->preempted.n +
                 r->incoming.n + r->joining.n;
    uint64_t n_tokens = 0;
    count_moving_to(e, replica, &n, &n_tokens);
    return n;
}

static uint64_t kv_tokens(const void *engine, uint32_t replica)
{
    const struct step_engine *e = engine;
    const struct step_replica *r = &e->replicas[replica];
    const struct list *const lists[] = {&r->running, &r->preempted, &r->incoming, &r->joining};
    uint64_t n = 0, n_tokens = 0;
    count_moving_to(e, replica, &n, &n_tokens);
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < lists[i]->n; j++)
            n_tokens +=
                (uint64_t)lists[i]->items[j]->request.prompt_tokens + lists[i]->items[j]->n_tokens;
    for (uint32_t i = 0; i < r->boundary.n_prefills; i++)
        n_tokens += (uint64_t)r->boundary.prefills[i].request.prompt_tokens +
                    r->boundary.prefills[i].n_generated;
    for (size_t i = 0; i < r->fifo.n; i++)
        n_tokens += fifo_at(&r->fifo, i)->prompt_tokens;
    return n_tokens;
}

static uint64_t cached_tokens(const void *engine, uint32_t replica,
                              const struct llmsim_request *request)
{
    struct step_replica *r = &((const struct step_engine *)engine)->replicas[replica];
    uint64_t n_unheld;
    return has_cache(r)
               ? look_up(r, request, request->prompt_tokens, &n_unheld) * r->boundary.kv.block_size
               : 0;
}

static void replica_fini(struct step_replica *r)
{
    for (uint32_t i = 0; i < r->boundary.n_prefills; i++)
        free_active(r->boundary.prefills[i].resumed);
    list_fini(&r->running);
    list_fini(&r->preempted);
    list_fini(&r->incoming);
    list_fini(&r->joining);
    list_fini(&r->departed);
    list_fini(&r->moving);
    free(r->gaps);
    free(r->prefixes.units);
    free(r->fifo.ring);
    llmsim_boundary_fini(&r->boundary);
}

static enum llmsim_status replica_init(struct step_replica *r, struct step_engine *e,
                                       uint32_t index)
{
    *r = (struct step_replica){
        .engine = e,
        .index = index,
        .gaps = malloc(e->run->config->max_num_seqs * sizeof *r->gaps),
    };
    enum llmsim_status status = llmsim_boundary_init(&r->boundary, e->run);
    r->boundary.take = take_head;
    r->boundary.reject = reject_head;
    r->boundary.engine = r;
    r->prefixes.block_size = r->boundary.kv.block_size;
    if (e->run->config->enable_prefix_caching) {
        r->boundary.look_up = look_up_head;
        r->boundary.hold = hold_prefix;
        r->boundary.evict = evict;
    }
    return status == LLMSIM_OK && r->gaps == NULL ? fail_memory(e) : status;
}

static enum llmsim_status init(struct step_engine *e, struct run *run)
{
    uint32_t n = run->n_replicas, n_prefill = run->config->prefill_replicas;
    const struct router_view view = {e, outstanding, kv_tokens, cached_tokens};
    *e = (struct step_engine){.run = run, .replicas = calloc(n, sizeof *e->replicas)};
    enum llmsim_status status = e->replicas == NULL ? fail_memory(e) : LLMSIM_OK;
    for (uint32_t i = 0; i < n && status == LLMSIM_OK; i++)
        status = replica_init(&e->replicas[i], e, i);
    if (status == LLMSIM_OK)
        status = llmsim_router_init(&e->router, run->config, &view, 0,
                                    n_prefill > 0 ? n_prefill : n, run->err);
    if (status == LLMSIM_OK)
        status = llmsim_router_init(&e->move_router, run->config, &view, n_prefill, n - n_prefill,
                                    run->err);
    return status;
}

static enum llmsim_status run_step_engine(struct run *run)
{
    struct step_engine e;
    struct llmsim_run_view view = {
        .engine = &e, .n_replicas = run->n_replicas, .steps_known_until = steps_known_until};
    run->free_kept = free_active;
    enum llmsim_status status = init(&e, run);
    if (status == LLMSIM_OK)
        status = llmsim_run_begin(run, &view);
    if (status == LLMSIM_OK)
        status = run_events(&e);
    if (status == LLMSIM_OK && run->config->until_ns > 0)
        status = close_window(&e);
    for (uint32_t i = 0; e.replicas != NULL && i < run->n_replicas; i++)
        replica_fini(&e.replicas[i]);
    free(e.replicas);
    llmsim_event_queue_fini(&e.queue);
    llmsim_router_fini(&e.router);
    llmsim_router_fini(&e.move_router);
    return status;
}

const struct engine llmsim_engine_step = {
    .choice = {"step", "the reference: every step and every token, one by one"},
    .run = run_step_engine,
};
