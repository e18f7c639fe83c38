/* What must hold in every run, checked after every event and over all that was reported. */
#include <criterion/criterion.h>

#include "support/collect.h"
#include "support/random_case.h"

struct watch {
    llmsim_time now;
    uint64_t n_events;
    uint32_t max_num_seqs;
    uint64_t n_steps;
    uint64_t num_gpu_blocks; /* of all replicas */
};

static bool watch(void *ctx, const struct llmsim_observation *o)
{
    struct watch *w = ctx;
    cr_assert(o->now >= w->now, "time went back");
    cr_assert_geq(o->n_steps, w->n_steps);
    cr_assert_leq(o->n_running, w->max_num_seqs);
    cr_assert_eq(o->n_arrived,
                 o->n_waiting + o->n_running + o->n_preempted + o->n_in_transfer + o->n_ended);
    cr_assert_eq(o->kv_blocks_used + o->kv_blocks_free, w->num_gpu_blocks);
    cr_assert_leq(o->kv_blocks_used, w->num_gpu_blocks);
    cr_assert(w->num_gpu_blocks > 0 || o->n_preempted == 0);
    w->now = o->now;
    w->n_steps = o->n_steps;
    w->n_events++;
    return true;
}

/* A replica is never in two steps at once, and each step keeps the limits. */
static void check_steps(const struct collected *c, const struct llmsim_replay_config *config)
{
    llmsim_time free_at[COLLECT_MAX_REPLICAS] = {0};
    uint64_t n_steps[COLLECT_MAX_REPLICAS] = {0};
    for (size_t i = 0; i < c->n_steps; i++) {
        const struct llmsim_step_run *s = &c->steps[i];
        cr_assert_eq(s->first_step_id, n_steps[s->replica]++);
        cr_assert(s->start >= free_at[s->replica],
                  "step %zu starts before the one ahead of it has ended", i);
        free_at[s->replica] = s->end;
        cr_assert_leq(s->shape.decode_seqs, config->max_num_seqs);
        cr_assert_leq(s->shape.prefill_seqs, config->max_num_seqs);
        cr_assert_leq(s->n_reported, s->shape.decode_seqs);
        cr_assert_eq(s->is_reported, s->start >= llmsim_time_from_ns(config->from_ns));
        if (s->shape.prefill_seqs > 1)
            cr_assert_leq(s->shape.prefill_tokens, config->max_num_batched_tokens);
        if (s->replica < config->prefill_replicas)
            cr_assert_eq(s->shape.decode_seqs, 0);
        bool is_empty = s->shape.decode_seqs == 0 && s->shape.prefill_seqs == 0;
        cr_assert_eq(is_empty, s->kind == LLMSIM_STEP_SWAP);
        cr_assert(is_empty || s->durations.first == llmsim_cost_step(&config->cost, &s->shape));
    }
}

/* Only what has no place even alone is rejected: the final token needs none of its own. */
static void check_rejected(const struct llmsim_result *r, const struct llmsim_replay_config *config)
{
    uint64_t n = r->request.output_tokens;
    uint64_t stored = r->request.prompt_tokens + (n > 0 ? n - 1 : 0);
    cr_assert_gt(stored, config->num_gpu_blocks * config->block_size);
    cr_assert_gt(config->num_gpu_blocks, 0);
}

/* Cut by the end of the window: what it had by then is there, and no more. */
static void check_unfinished(const struct collected_request *c, const struct random_case *rc)
{
    const struct llmsim_result *r = &c->result;
    cr_assert_gt(rc->config.until_ns, 0);
    cr_assert_eq(r->end_ns, rc->config.until_ns);
    cr_assert(r->n_tokens < r->request.output_tokens || r->n_tokens == 0);
    cr_assert(r->n_tokens == 0 || r->scheduled_ns >= r->request.arrival_ns);
    for (uint32_t t = 1; t < r->n_tokens; t++)
        cr_assert_geq(c->token_ns[t], c->token_ns[t - 1]);
    if (r->n_tokens > 0) {
        cr_assert_eq(c->token_ns[0], r->first_token_ns);
        cr_assert_eq(c->token_ns[r->n_tokens - 1], r->last_token_ns);
        cr_assert_leq(r->last_token_ns, rc->config.until_ns);
    }
}

/* Where a request may have been, and that its time on the way is told. */
static void check_replicas(const struct collected_request *c, const struct random_case *rc)
{
    const struct llmsim_result *r = &c->result;
    const struct llmsim_attribution a = c->attribution;
    uint32_t n_prefill = rc->config.prefill_replicas;
    cr_assert_lt(r->replica, case_n_replicas(&rc->config));
    if (n_prefill > 0) {
        cr_assert_lt(r->prefill_replica, n_prefill);
        cr_assert_eq(r->replica >= n_prefill, r->request.output_tokens > 1);
    } else {
        cr_assert_eq(r->prefill_replica, r->replica);
        cr_assert_eq(a.transfer_ns, 0);
    }
    cr_assert_geq(a.interference_ns, 0);
    cr_assert_geq(a.decode_ns, 0);
    cr_assert_eq(a.wait_ns + a.prefill_ns + a.decode_ns + a.interference_ns + a.preempted_ns +
                     a.transfer_ns,
                 llmsim_result_e2e_ns(r));
}

/* Each request ends once, in order of time and then id; its tokens come in order, the last of them
 * at its end; and the tokens of the requests are those of the steps. */
static void check_requests(const struct collected *c, const struct random_case *rc)
{
    uint64_t prompt_tokens = 0, decodes = 0, step_prompt_tokens = 0, step_decodes = 0;
    uint64_t sum_sq = 0, step_sum_sq = 0;
    uint64_t n_preemptions = 0, n_cached = 0;
    bool seen[CASE_MAX_REQUESTS] = {false};
    bool is_whole = rc->config.from_ns == 0 && rc->config.until_ns == 0;
    cr_assert_eq(c->n_requests + c->totals.n_outside_window, rc->n_requests);
    cr_assert(!is_whole || c->totals.n_outside_window == 0);
    for (size_t i = 0; i < c->n_requests; i++) {
        const struct llmsim_result *r = &c->requests[i].result;
        const int64_t *token_ns = c->requests[i].token_ns;
        uint32_t n = r->request.output_tokens;
        cr_assert_not(seen[r->request.row]);
        seen[r->request.row] = true;
        cr_assert_eq(r->request.is_failed, r->outcome == LLMSIM_OUTCOME_FAILED_IN_TRACE);
        cr_assert_geq(r->request.arrival_ns, rc->config.from_ns);
        cr_assert(rc->config.until_ns == 0 || r->request.arrival_ns < rc->config.until_ns);
        if (i > 0)
            cr_assert_geq(r->end_ns, c->requests[i - 1].result.end_ns);
        if (r->request.is_failed)
            continue;
        if (r->outcome == LLMSIM_OUTCOME_REJECTED_TOO_LONG) {
            check_rejected(r, &rc->config);
            continue;
        }
        if (r->outcome == LLMSIM_OUTCOME_UNFINISHED) {
            check_unfinished(&c->requests[i], rc);
            continue;
        }
        cr_assert_eq(r->outcome, LLMSIM_OUTCOME_COMPLETED);
        n_preemptions += r->preemptions;
        cr_assert_geq(r->scheduled_ns, r->request.arrival_ns);
        check_replicas(&c->requests[i], rc);
        cr_assert_eq(r->n_tokens, n);
        for (uint32_t t = 1; t < n; t++)
            cr_assert_geq(token_ns[t], token_ns[t - 1]);
        if (n > 0) {
            cr_assert_eq(token_ns[0], r->first_token_ns);
            cr_assert_eq(token_ns[n - 1], r->end_ns);
        }
        if (rc->config.num_gpu_blocks > 0)
            cr_assert_leq(r->request.prompt_tokens + (n > 0 ? n - 1 : 0),
                          rc->config.num_gpu_blocks * rc->config.block_size);
        cr_assert_leq(r->cached_tokens,
                      r->request.prompt_tokens > 0 ? r->request.prompt_tokens - 1 : 0);
        n_cached += r->cached_tokens;
        /* Alone it could not have been faster, but for the rounding of two times. Fitted costs may
         * say otherwise: where a prompt in chunks is cheaper than whole, or where a prompt that is
         * processed again is cheaper than the decode step in whose stead it makes a token. */
        if (rc->config.cost.model == &llmsim_cost_models[LLMSIM_COST_PTPS] &&
            !rc->config.enable_prefix_caching)
            cr_assert_geq(llmsim_result_e2e_ns(r) + 1, r->unloaded_ns);
        prompt_tokens += r->request.prompt_tokens;
        sum_sq += (uint64_t)r->request.prompt_tokens * r->request.prompt_tokens;
        decodes += n > 0 ? n - 1 : 0;
    }
    for (size_t i = 0; i < c->n_steps; i++) {
        step_prompt_tokens += c->steps[i].shape.prefill_tokens;
        step_sum_sq += c->steps[i].shape.prefill_sum_sq;
        step_decodes += c->steps[i].shape.decode_seqs;
    }
    /* A preemption has prompts processed again, and its prefill make a token in a decode's stead.
     */
    if (is_whole && n_preemptions == 0) {
        cr_assert_eq(step_prompt_tokens + n_cached, prompt_tokens);
        if (n_cached == 0)
            cr_assert_eq(step_sum_sq, sum_sq); /* however a prompt is cut */
        cr_assert_eq(step_decodes, decodes);
    }
    cr_assert_geq(step_prompt_tokens + n_cached, prompt_tokens);
    cr_assert_eq(c->totals.cached_tokens, n_cached);
    if (is_whole) {
        cr_assert_leq(step_decodes, decodes);
        cr_assert_leq(decodes - step_decodes, n_preemptions);
    }
    cr_assert_eq(c->totals.n_preemptions, n_preemptions);
    cr_assert_eq(c->totals.prompt_tokens, prompt_tokens);
    cr_assert_eq(c->totals.n_requests, c->n_requests);
}

static int by_time(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* In a closed loop of n, the i-th request arrives when the trace says so, or after the (i - n)-th
 * end, and at no arrival have more than n begun and not ended. */
static void check_concurrency(const struct collected *c, const struct random_case *rc)
{
    int64_t arrivals[CASE_MAX_REQUESTS], ends[CASE_MAX_REQUESTS];
    size_t n = rc->config.max_concurrency, n_requests = c->n_requests;
    if (n_requests < rc->n_requests)
        return; /* a window hides some */
    for (size_t i = 0; i < n_requests; i++) {
        arrivals[c->requests[i].result.request.row] = c->requests[i].result.request.arrival_ns;
        ends[i] = c->requests[i].result.end_ns;
    }
    qsort(ends, n_requests, sizeof *ends, by_time);
    for (size_t i = 0; i < n_requests; i++) {
        int64_t expected = rc->requests[i].arrival_ns;
        if (n > 0 && i >= n && ends[i - n] + 1 > expected)
            expected = ends[i - n] + 1;
        cr_assert_eq(arrivals[i], expected);
        size_t n_ended = 0;
        while (n_ended < n_requests && ends[n_ended] < arrivals[i])
            n_ended++;
        cr_assert(n == 0 || i + 1 - n_ended <= n);
    }
}

static void check_engine(const char *engine)
{
    uint64_t n_preemptions = 0, n_rejected = 0, n_swaps = 0, n_moved = 0, n_unfinished = 0,
             n_cached = 0;
    for (uint64_t seed = 1; seed <= case_count(3000); seed++) {
        struct random_case rc;
        struct collected c;
        struct llmsim_error err;
        case_make(&rc, seed);
        struct watch w = {.max_num_seqs = rc.config.max_num_seqs,
                          .num_gpu_blocks = rc.config.num_gpu_blocks * case_n_replicas(&rc.config)};
        w.max_num_seqs *= case_n_replicas(&rc.config);
        rc.config.engine = engine;
        rc.config.observe = watch;
        rc.config.observe_ctx = &w;
        cr_assert_eq(collect_source(&rc.config, case_source(&rc), &c, &err), LLMSIM_OK,
                     "seed %llu: %s", (unsigned long long)seed, err.message);
        cr_assert(c.totals.n_completed == 0 || w.n_events > 0);
        check_steps(&c, &rc.config);
        check_requests(&c, &rc);
        check_concurrency(&c, &rc);
        n_preemptions += c.totals.n_preemptions;
        n_cached += c.totals.cached_tokens;
        for (size_t i = 0; i < c.n_steps; i++)
            n_swaps += c.steps[i].kind == LLMSIM_STEP_SWAP;
        for (size_t i = 0; i < c.n_requests; i++) {
            n_unfinished += c.requests[i].result.outcome == LLMSIM_OUTCOME_UNFINISHED;
            n_moved += c.requests[i].attribution.transfer_ns > 0;
        }
        n_rejected += c.totals.n_requests - c.totals.n_completed;
        collected_fini(&c);
    }
    /* The cases would be worth little without these. */
    cr_assert_gt(n_preemptions, 100);
    cr_assert_gt(n_rejected, 100);
    cr_assert_gt(n_swaps, 50);
    cr_assert_gt(n_moved, 100);
    cr_assert_gt(n_unfinished, 100);
    cr_assert_gt(n_cached, 1000);
}

Test(invariants, step_engine)
{
    check_engine("step");
}

Test(invariants, fast_engine)
{
    check_engine("fast");
}
