/* engine_fast.c: one event per change of a running set (fast_replica.h says why that is enough).
 *
 * A request costs its share of a few such events, however many tokens it has. With one replica
 * there is nothing to put in order: it goes from boundary to boundary, and arrivals are read when
 * the scheduler can use them, so that overload does not pile them up in memory. Several replicas
 * share a queue of events, and a request is routed when it arrives. */
#include <assert.h>
#include <stdlib.h>

#include "event_queue.h"
#include "fast_replica.h"

/* The link over which a prefill replica's KV caches leave, one after the other. */
struct link {
    struct away_queue moving;
    llmsim_time free_at;
};

struct fast_engine {
    struct run *run;
    struct replica *replicas;
    struct link *links;                      /* one for each prefill replica */
    struct llmsim_decode_cost *decode_costs; /* by the number of sequences */
    struct event_queue queue;
    struct router router, move_router; /* of arrivals; of requests that move to decode replicas */
    uint32_t *woken;                   /* replicas that may have to form a step, each once */
    bool *is_woken;
    uint32_t n_woken;
    llmsim_time now;
};

static enum llmsim_status observe(struct fast_engine *e)
{
    struct run *run = e->run;
    struct llmsim_observation o = {.now = e->now,
                                   .n_arrived = run->arrivals.n_taken,
                                   .n_ended = run->n_put,
                                   .n_steps = 0,
                                   .n_output_tokens = run->n_put_tokens};
    for (uint32_t i = 0; i < run->n_replicas; i++) {
        const struct replica *r = &e->replicas[i];
        const struct kv *kv = &r->boundary.kv;
        o.n_waiting += r->waiting.n;
        o.n_running += r->n_running + r->n_joining + r->boundary.n_prefills;
        o.n_steps += r->n_steps;
        o.n_preempted += r->n_preempted;
        o.n_in_transfer += r->incoming.n;
        o.kv_blocks_free += kv->free;
        o.kv_blocks_used += kv->total - kv->free;
        o.n_in_step += r->step != NULL;
    }
    for (uint32_t i = 0; i < run->config->prefill_replicas; i++)
        o.n_in_transfer += e->links[i].moving.n;
    return llmsim_run_observe(run, &o);
}

/* The next step of a replica, which is at a boundary. What starts before the window that is looked
 * at ends where it begins. */
static enum llmsim_status begin_step(struct fast_engine *e, struct replica *r)
{
    enum llmsim_status status = llmsim_replica_begin_step(r);
    if (status == LLMSIM_OK && r->step != NULL && r->step->start < e->run->from)
        llmsim_replica_cut(r, e->run->from);
    return status;
}

/* The window has closed: what has ended by now is done, the rest stays unfinished. */
static enum llmsim_status close_window(struct fast_engine *e)
{
    struct run *run = e->run;
    enum llmsim_status status = LLMSIM_OK;
    e->now = run->until;
    for (uint32_t i = 0; i < run->n_replicas && status == LLMSIM_OK; i++) {
        struct replica *r = &e->replicas[i];
        if (r->step != NULL && llmsim_replica_cut_before(r, e->now))
            status = llmsim_replica_end_step(r);
        r->step = NULL;
    }
    if (status == LLMSIM_OK)
        status = llmsim_run_report_ended(run);
    for (uint32_t i = 0; i < run->n_replicas; i++)
        llmsim_replica_put_unfinished(&e->replicas[i], e->now);
    for (uint32_t i = 0; i < run->config->prefill_replicas; i++)
        llmsim_away_put_unfinished(&e->links[i].moving, run, e->now);
    if (status == LLMSIM_OK)
        status = run->deferred;
    if (status == LLMSIM_OK)
        status = llmsim_run_report_ended(run);
    for (uint32_t i = 0; i < run->n_replicas && status == LLMSIM_OK; i++)
        status = llmsim_replica_end_waiting(&e->replicas[i]);
    return status;
}

static enum llmsim_status run_one_replica(struct fast_engine *e)
{
    struct run *run = e->run;
    struct replica *r = &e->replicas[0];
    enum llmsim_status status = LLMSIM_OK;
    while (status == LLMSIM_OK) {
        status = begin_step(e, r);
        if (status != LLMSIM_OK)
            break;
        const struct llmsim_request *next = NULL;
        if (r->step == NULL || (r->step == &r->decode_steps && llmsim_replica_admits(r)))
            next = llmsim_arrivals_head(&run->arrivals);
        if (r->step == NULL) {
            if (next == NULL)
                break;
            r->now = llmsim_time_from_ns(next->arrival_ns);
        } else {
            if (next != NULL)
                llmsim_replica_cut(r, llmsim_time_from_ns(next->arrival_ns));
            if (r->step->end > run->until)
                break;
            status = llmsim_replica_end_step(r);
            if (status == LLMSIM_OK && run->n_ended > 0)
                status = llmsim_run_report_ended(run);
        }
        e->now = r->now;
        if (status == LLMSIM_OK && llmsim_run_is_observed(run))
            status = observe(e);
    }
    return status;
}

static void wake(struct fast_engine *e, uint32_t replica)
{
    if (!e->is_woken[replica])
        e->woken[e->n_woken++] = replica;
    e->is_woken[replica] = true;
}

/* The end of the replica's step is an event; an earlier one for it is no longer valid. */
static enum llmsim_status push_step_end(struct fast_engine *e, struct replica *r)
{
    r->event = e->queue.n_pushed;
    return llmsim_event_queue_push(
        &e->queue,
        (struct event){.time = r->step->end, .kind = EVENT_STEP_END, .replica = r->index},
        e->run->err);
}

/* The next event that is still valid. */
static const struct event *next_event(struct fast_engine *e)
{
    const struct event *event;
    while ((event = llmsim_event_queue_peek(&e->queue)) != NULL && event->kind == EVENT_STEP_END &&
           e->replicas[event->replica].event != event->sequence)
        (void)llmsim_event_queue_pop(&e->queue);
    return event;
}

/* Something came to a replica that could be admitted before the end of its run of decode steps. */
static enum llmsim_status cut(struct fast_engine *e, struct replica *r)
{
    if (r->step != &r->decode_steps || r->step->end == e->now)
        return LLMSIM_OK;
    llmsim_replica_cut(r, e->now);
    return push_step_end(e, r);
}

/* Requests that a prefill replica is done with queue for its link. */
static enum llmsim_status move_departed(struct fast_engine *e, struct replica *r)
{
    struct link *link = &e->links[r->index];
    enum llmsim_status status = LLMSIM_OK;
    uint32_t i = 0;
    for (; i < r->n_departed && status == LLMSIM_OK; i++) {
        struct away *away = &r->departed[i];
        away->to = llmsim_route(&e->move_router, &away->request);
        struct replica *to = &e->replicas[away->to];
        to->n_outstanding++;
        to->waiting_tokens += (uint64_t)away->request.prompt_tokens + away->n_generated;
        llmsim_time start = link->free_at > e->now ? link->free_at : e->now;
        link->free_at = start + llmsim_run_transfer_time(e->run, &away->request);
        status = llmsim_away_put(&link->moving, away, e->run->err);
        if (status != LLMSIM_OK)
            break;
        status =
            llmsim_event_queue_push(&e->queue,
                                    (struct event){.time = link->free_at + e->run->link_latency,
                                                   .kind = EVENT_TRANSFER_END,
                                                   .replica = r->index},
                                    e->run->err);
    }
    /* What could not be put is still this replica's to free. */
    for (uint32_t j = i; j < r->n_departed; j++)
        r->departed[j - i] = r->departed[j];
    r->n_departed -= i;
    return status;
}

static enum llmsim_status end_transfer(struct fast_engine *e, uint32_t from)
{
    struct away away = llmsim_away_take(&e->links[from].moving);
    struct replica *to = &e->replicas[away.to];
    llmsim_replica_free_departed(&e->replicas[from], &away);
    wake(e, from);
    wake(e, to->index);
    enum llmsim_status status = llmsim_away_put(&to->incoming, &away, e->run->err);
    if (status != LLMSIM_OK) {
        free(away.history);
        return status;
    }
    bool may_join = to->n_preempted == 0 && e->run->policy->admits(&to->boundary);
    return may_join ? cut(e, to) : LLMSIM_OK;
}

/* The next event if it is of this kind, and now. */
static bool is_next(struct fast_engine *e, enum event_kind kind)
{
    const struct event *event = next_event(e);
    return event != NULL && event->time == e->now && event->kind == kind;
}

/* All that ends now: steps; then requests that have made their first token and move are routed, as
 * things are then; then transfers. */
static enum llmsim_status end_events(struct fast_engine *e)
{
    enum llmsim_status status = LLMSIM_OK;
    while (status == LLMSIM_OK && is_next(e, EVENT_STEP_END)) {
        struct replica *r = &e->replicas[llmsim_event_queue_pop(&e->queue).replica];
        status = llmsim_replica_end_step(r);
        wake(e, r->index);
    }
    for (uint32_t i = 0; i < e->run->config->prefill_replicas && status == LLMSIM_OK; i++)
        if (e->replicas[i].n_departed > 0)
            status = move_departed(e, &e->replicas[i]);
    while (status == LLMSIM_OK && is_next(e, EVENT_TRANSFER_END))
        status = end_transfer(e, llmsim_event_queue_pop(&e->queue).replica);
    return status;
}

static enum llmsim_status arrive(struct fast_engine *e, const struct llmsim_request *request)
{
    if (request->is_failed) {
        llmsim_run_reject(e->run, request, LLMSIM_OUTCOME_FAILED_IN_TRACE, e->now, 0);
        return e->run->deferred;
    }
    struct replica *r = &e->replicas[llmsim_route(&e->router, request)];
    bool admits = llmsim_replica_admits(r);
    r->n_outstanding++;
    wake(e, r->index);
    enum llmsim_status status = llmsim_replica_put(r, request);
    return status == LLMSIM_OK && admits ? cut(e, r) : status;
}

/* Replicas at a boundary form their next steps. */
static enum llmsim_status begin_steps(struct fast_engine *e)
{
    enum llmsim_status status = LLMSIM_OK;
    for (uint32_t i = 0; i < e->n_woken && status == LLMSIM_OK; i++) {
        struct replica *r = &e->replicas[e->woken[i]];
        e->is_woken[r->index] = false;
        if (r->step != NULL)
            continue;
        r->now = e->now;
        status = begin_step(e, r);
        if (status == LLMSIM_OK && r->step != NULL)
            status = push_step_end(e, r);
    }
    e->n_woken = 0;
    return status;
}

/* All events of one time, in their order: what ends, then what arrives, then new steps. */
static enum llmsim_status run_replicas(struct fast_engine *e)
{
    struct run *run = e->run;
    enum llmsim_status status = LLMSIM_OK;
    while (status == LLMSIM_OK) {
        const struct event *event = next_event(e);
        const struct llmsim_request *next = llmsim_arrivals_head(&run->arrivals);
        if (event == NULL && next == NULL)
            break;
        llmsim_time time = event != NULL ? event->time : llmsim_time_from_ns(next->arrival_ns);
        if (next != NULL && llmsim_time_from_ns(next->arrival_ns) < time)
            time = llmsim_time_from_ns(next->arrival_ns);
        if (time > run->until)
            break;
        assert(time >= e->now);
        e->now = time;
        status = llmsim_run_report_ended_before(run, time);
        if (status == LLMSIM_OK)
            status = end_events(e);
        while (status == LLMSIM_OK && (next = llmsim_arrivals_head(&run->arrivals)) != NULL &&
               llmsim_time_from_ns(next->arrival_ns) == time) {
            status = arrive(e, next);
            llmsim_arrivals_take(&run->arrivals);
        }
        if (status == LLMSIM_OK)
            status = begin_steps(e);
        if (status == LLMSIM_OK && llmsim_run_is_observed(run))
            status = observe(e);
    }
    return status == LLMSIM_OK ? llmsim_run_report_ended(run) : status;
}

static uint64_t oldest_decode_step(const void *engine, uint32_t replica)
{
    const struct fast_engine *e = engine;
    const struct run *run = e->run;
    uint64_t oldest = llmsim_replica_oldest_decode_step(&e->replicas[replica]);
    for (size_t i = 0; i < run->n_ended; i++) {
        const struct ended *ended = &run->ended[i];
        if (ended->result.replica != replica)
            continue;
        if (ended->result.segments != NULL)
            oldest =
                llmsim_oldest_decode_step(oldest, ended->result.segments, ended->result.n_segments);
        else
            oldest = llmsim_oldest_decode_step(oldest, &ended->segment, 1);
    }
    return oldest;
}

static llmsim_time steps_known_until(const void *engine)
{
    const struct fast_engine *e = engine;
    llmsim_time until = e->now;
    for (uint32_t i = 0; i < e->run->n_replicas; i++)
        if (e->replicas[i].step != NULL && e->replicas[i].step->start < until)
            until = e->replicas[i].step->start;
    return until;
}

static uint64_t outstanding(const void *engine, uint32_t replica)
{
    return ((const struct fast_engine *)engine)->replicas[replica].n_outstanding;
}

static uint64_t kv_tokens(const void *engine, uint32_t replica)
{
    const struct fast_engine *e = engine;
    return llmsim_replica_kv_tokens(&e->replicas[replica], e->now);
}

static uint64_t cached_tokens(const void *engine, uint32_t replica,
                              const struct llmsim_request *request)
{
    const struct fast_engine *e = engine;
    return llmsim_replica_cached_tokens(&e->replicas[replica], request, e->now);
}

static void fini(struct fast_engine *e)
{
    for (uint32_t i = 0; e->replicas != NULL && i < e->run->n_replicas; i++)
        llmsim_replica_fini(&e->replicas[i]);
    for (uint32_t i = 0; e->links != NULL && i < e->run->config->prefill_replicas; i++)
        llmsim_away_fini(&e->links[i].moving);
    free(e->replicas);
    free(e->links);
    free(e->decode_costs);
    free(e->woken);
    free(e->is_woken);
    llmsim_event_queue_fini(&e->queue);
    llmsim_router_fini(&e->router);
    llmsim_router_fini(&e->move_router);
}

/* Of every batch size, once; NULL: out of memory. */
static struct llmsim_decode_cost *decode_costs(const struct llmsim_replay_config *config)
{
    struct llmsim_decode_cost *costs = calloc(config->max_num_seqs + 1, sizeof *costs);
    for (uint32_t n = 1; costs != NULL && n <= config->max_num_seqs; n++)
        costs[n] = llmsim_cost_decode(&config->cost, n);
    return costs;
}

static enum llmsim_status init(struct fast_engine *e, struct run *run)
{
    uint32_t n = run->n_replicas, n_links = run->config->prefill_replicas;
    const struct router_view view = {e, outstanding, kv_tokens, cached_tokens};
    *e = (struct fast_engine){.run = run,
                              .replicas = calloc(n, sizeof *e->replicas),
                              .links = calloc(n_links + 1, sizeof *e->links),
                              .woken = malloc(n * sizeof *e->woken),
                              .is_woken = calloc(n, sizeof *e->is_woken),
                              .decode_costs = decode_costs(run->config)};
    if (e->replicas == NULL || e->links == NULL || e->woken == NULL || e->is_woken == NULL ||
        e->decode_costs == NULL)
        return llmsim_fail(run->err, LLMSIM_RUN_FAILED, "out of memory");
    enum llmsim_status status = LLMSIM_OK;
    for (uint32_t i = 0; i < n && status == LLMSIM_OK; i++)
        status = llmsim_replica_init(&e->replicas[i], run, i, e->decode_costs);
    if (status == LLMSIM_OK)
        status = llmsim_router_init(&e->router, run->config, &view, 0, n_links > 0 ? n_links : n,
                                    run->err);
    if (status == LLMSIM_OK)
        status =
            llmsim_router_init(&e->move_router, run->config, &view, n_links, n - n_links, run->err);
    return status;
}

static enum llmsim_status run_fast_engine(struct run *run)
{
    struct fast_engine e;
    struct llmsim_run_view view = {.engine = &e,
                                   .n_replicas = run->n_replicas,
                                   .oldest_decode_step = oldest_decode_step,
                                   .steps_known_until = steps_known_until};
    run->free_kept = free;
    enum llmsim_status status = init(&e, run);
    if (status == LLMSIM_OK)
        status = llmsim_run_begin(run, &view);
    if (status == LLMSIM_OK)
        status = run->n_replicas == 1 ? run_one_replica(&e) : run_replicas(&e);
    if (status == LLMSIM_OK && run->config->until_ns > 0)
        status = close_window(&e);
    fini(&e);
    return status;
}

const struct engine llmsim_engine_fast = {
    .choice = {"fast", "from change to change of the running set, in closed form"},
    .run = run_fast_engine,
};
