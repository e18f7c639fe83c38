/* replay.c: check the settings, make the run's context, hand it to an engine. */
#include "llmsim/replay.h"

#include <stdlib.h>
#include <string.h>

#include "numfmt.h"
#include "parts.h"
#include "run.h"

static const struct engine *const engines[] = {&llmsim_engine_fast, &llmsim_engine_step};
#define N_ENGINES (sizeof engines / sizeof *engines)

/* Simulated time past 2^62 ns = 146 years is a broken trace or catalogue, not a workload. */
#define MAX_TIME llmsim_time_from_ns((int64_t)1 << 62)

/* Copies that take longer are a mistake in the settings. */
#define MAX_COPY_S 1000.0

/* A row of tokens.csv takes some nanoseconds, as long as nothing waits for the disk. */
#define TOKENS_BETWEEN_LOOKS ((uint64_t)1 << 20)

enum { PREEMPTION_RECOMPUTE, PREEMPTION_SWAP };

const struct llmsim_choice *llmsim_preemption_choice(size_t i)
{
    static const struct llmsim_choice rows[] = {
        [PREEMPTION_RECOMPUTE] = {"recompute", "it is forgotten, and the tokens processed again"},
        [PREEMPTION_SWAP] = {"swap", "it is copied to the host's memory and back, at pcie_bw"},
    };
    return i < sizeof rows / sizeof *rows ? &rows[i] : NULL;
}

const struct llmsim_choice *llmsim_engine_choice(size_t i)
{
    return i < N_ENGINES ? &engines[i]->choice : NULL;
}

static const struct engine *find_engine(const char *name)
{
    size_t i;
    return llmsim_choice_find(llmsim_engine_choice, name, &i) ? engines[i] : NULL;
}

const char *llmsim_outcome_name(enum llmsim_outcome outcome)
{
    static const char *const names[] = {
#define X(name, text) text,
        LLMSIM_OUTCOME_LIST(X)
#undef X
    };
    return names[outcome];
}

const char *llmsim_step_kind_name(enum llmsim_step_kind kind)
{
    static const char *const names[] = {
#define X(name, text) text,
        LLMSIM_STEP_KIND_LIST(X)
#undef X
    };
    return names[kind];
}

static enum llmsim_status fail_interrupted(struct run *run, double now_s, uint64_t n_ended)
{
    return llmsim_fail(run->err, LLMSIM_INTERRUPTED,
                       "interrupted at simulated time %.3f s: %llu requests had ended and their "
                       "results are dropped",
                       now_s, (unsigned long long)n_ended);
}

/* Within an event, which may write billions of rows before it is over. */
static enum llmsim_status look_within_event(void *self, int64_t now_ns)
{
    struct run *run = self;
    const struct llmsim_replay_config *config = run->config;
    run->n_unobserved_tokens = 0;
    if (config->observe == NULL || config->observe(config->observe_ctx, &run->last))
        return LLMSIM_OK;
    return fail_interrupted(run, (double)now_ns / 1e9, run->totals.n_requests);
}

enum llmsim_status llmsim_run_begin(struct run *run, const struct llmsim_run_view *view)
{
    enum llmsim_status status = LLMSIM_OK;
    struct llmsim_run_view whole = *view;
    whole.source = &run->source;
    whole.look = look_within_event;
    whole.run = run;
    for (size_t i = 0; i < run->n_sinks && status == LLMSIM_OK; i++)
        if (run->sinks[i].ops->begin != NULL)
            status = run->sinks[i].ops->begin(run->sinks[i].self, &whole, run->err);
    return status;
}

enum llmsim_status llmsim_run_broken(struct run *run, const char *invariant, llmsim_time now,
                                     uint64_t row)
{
    return llmsim_fail(run->err, LLMSIM_INTERNAL,
                       "broken invariant at simulated time %.9f s, row %llu: %s",
                       llmsim_time_to_seconds(now), (unsigned long long)row, invariant);
}

enum llmsim_status llmsim_run_check_end(struct run *run)
{
    uint64_t n_rows = run->arrivals.n_taken + run->arrivals.n_beyond;
    return LLMSIM_RUN_CHECK(run, run->totals.n_requests + run->totals.n_outside_window == n_rows,
                            llmsim_time_from_ns(run->totals.last_end_ns), n_rows);
}

enum llmsim_status llmsim_run_steps(struct run *run, const struct llmsim_step_run *steps)
{
    enum llmsim_status status = LLMSIM_OK;
    if (steps->is_reported) {
        run->totals.n_steps += steps->n_steps;
        if (steps->shape.decode_seqs > 0)
            run->totals.n_decode_steps += steps->n_steps;
        if (steps->shape.prefill_seqs > 0)
            run->totals.n_prefill_steps += steps->n_steps;
    }
    status = LLMSIM_RUN_CHECK(run, steps->end >= steps->start, steps->start, run->arrivals.n_taken);
    if (steps->end > MAX_TIME)
        return llmsim_fail(run->err, LLMSIM_RUN_FAILED,
                           "simulated time passed 146 years at step %llu",
                           (unsigned long long)steps->first_step_id);
    for (size_t i = 0; i < run->n_step_sinks && status == LLMSIM_OK; i++)
        status = run->step_sinks[i].ops->steps(run->step_sinks[i].self, steps, run->err);
    return status;
}

static bool is_number(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return true;
}

static int compare_texts(const char *a, size_t na, const char *b, size_t nb)
{
    int by_bytes = memcmp(a, b, na < nb ? na : nb);
    return by_bytes != 0 ? by_bytes : (na > nb) - (na < nb);
}

static int compare_numbers(const char *a, size_t na, const char *b, size_t nb)
{
    for (; na > 0 && *a == '0'; na--)
        a++;
    for (; nb > 0 && *b == '0'; nb--)
        b++;
    return na != nb ? (na > nb) - (na < nb) : memcmp(a, b, na);
}

/* The order of two results by request id: numbers first, by value; then other texts, by bytes;
 * equal ids by row. */
static int compare_ids(const void *left, const void *right, void *ctx)
{
    const struct llmsim_request *a = &((const struct ended *)left)->result.request;
    const struct llmsim_request *b = &((const struct ended *)right)->result.request;
    const struct llmsim_source *source = ctx;
    if (a->id != LLMSIM_NO_ID && b->id != LLMSIM_NO_ID) {
        size_t na, nb;
        const char *ta = source->id_text(source->self, a->id, &na);
        const char *tb = source->id_text(source->self, b->id, &nb);
        bool a_is_number = is_number(ta, na), b_is_number = is_number(tb, nb);
        if (a_is_number != b_is_number)
            return a_is_number ? -1 : 1;
        int order = a_is_number ? compare_numbers(ta, na, tb, nb) : compare_texts(ta, na, tb, nb);
        if (order != 0)
            return order;
    }
    return (a->row > b->row) - (a->row < b->row);
}

/* As a rule they are: engines report requests of one time in the order of admission. */
static bool is_sorted(const struct ended *ended, size_t n, struct llmsim_source *source)
{
    for (size_t i = 1; i < n; i++)
        if (compare_ids(&ended[i - 1], &ended[i], source) > 0)
            return false;
    return true;
}

static enum llmsim_status tell_sinks(struct run *run, struct llmsim_result *result)
{
    const struct llmsim_source *source = &run->source;
    if (result->request.id == LLMSIM_NO_ID) {
        result->id = run->row_id;
        result->id_length =
            (size_t)(llmsim_put_u64(run->row_id, result->request.row) - run->row_id);
    } else {
        result->id = source->id_text(source->self, result->request.id, &result->id_length);
    }
    result->unloaded_ns = llmsim_time_to_ns(llmsim_cost_unloaded_by(&run->config->cost, run->alone,
                                                                    result->request.prompt_tokens,
                                                                    result->request.output_tokens));

    if (result->outcome == LLMSIM_OUTCOME_COMPLETED) {
        if (result->request.output_tokens > 1)
            result->tpot_ns = llmsim_result_tpot_ns(result);
        if (llmsim_result_has_slowdown(result))
            result->slowdown_millionths = llmsim_result_slowdown_millionths(result);
    }

    enum llmsim_status status = LLMSIM_OK;
    for (size_t i = 0; i < run->n_sinks && status == LLMSIM_OK; i++) {
        const struct llmsim_sink *sink = &run->sinks[i];
        if (sink->ops->tokens != NULL && result->n_tokens > 0)
            status = sink->ops->tokens(sink->self, result, run->err);
        if (sink->ops->request != NULL && status == LLMSIM_OK)
            status = sink->ops->request(sink->self, result, run->err);
    }
    return status;
}

static void count_completed(struct run *run, const struct llmsim_result *result)
{
    struct llmsim_totals *totals = &run->totals;
    if (totals->n_completed++ == 0 || result->request.arrival_ns < totals->first_arrival_ns)
        totals->first_arrival_ns = result->request.arrival_ns;
    totals->last_end_ns = result->end_ns;
    totals->n_preemptions += result->preemptions;
    totals->prompt_tokens += result->request.prompt_tokens;
    totals->cached_tokens += result->cached_tokens;
    totals->output_tokens += result->request.output_tokens;
}

static enum llmsim_status end_request(struct run *run, struct llmsim_result *result)
{
    enum llmsim_status status = LLMSIM_OK;
    if (llmsim_run_reports(run, &result->request)) {
        status = tell_sinks(run, result);
        run->totals.n_requests++;
        if (result->outcome == LLMSIM_OUTCOME_COMPLETED)
            count_completed(run, result);
    } else {
        run->totals.n_outside_window++;
    }
    llmsim_source_give_back(&run->source, &result->request);
    run->n_unobserved_tokens += result->n_tokens;
    return status;
}

struct ended *llmsim_run_put_ended(struct run *run, llmsim_time now)
{
    if (run->n_ended == run->ended_capacity) {
        size_t capacity = run->ended_capacity > 0 ? 2 * run->ended_capacity : 64;
        struct ended *ended = realloc(run->ended, capacity * sizeof *ended);
        if (ended == NULL) {
            run->deferred = llmsim_fail(run->err, LLMSIM_RUN_FAILED, "out of memory");
            return NULL;
        }
        run->ended = ended;
        run->ended_capacity = capacity;
    }
    run->n_put++;
    llmsim_arrivals_end(&run->arrivals, llmsim_time_to_ns(now));
    return &run->ended[run->n_ended++];
}

enum llmsim_status llmsim_run_report_ended(struct run *run)
{
    enum llmsim_status status = LLMSIM_OK;
    if (!is_sorted(run->ended, run->n_ended, &run->source))
        qsort_r(run->ended, run->n_ended, sizeof *run->ended, compare_ids, &run->source);
    for (size_t i = 0; i < run->n_ended; i++) {
        struct ended *ended = &run->ended[i];
        if (ended->result.segments == NULL)
            ended->result.segments = &ended->segment;
        run->n_put_tokens += ended->result.n_tokens;
        if (status == LLMSIM_OK)
            status = end_request(run, &ended->result);
        if (status == LLMSIM_OK && run->n_unobserved_tokens >= TOKENS_BETWEEN_LOOKS)
            status = look_within_event(run, ended->result.end_ns);
        if (ended->kept != NULL)
            run->free_kept(ended->kept);
    }
    run->n_ended = 0;
    return status;
}

enum llmsim_status llmsim_run_report_ended_before(struct run *run, llmsim_time now)
{
    if (run->n_ended == 0 || run->ended[0].result.end_ns == llmsim_time_to_ns(now))
        return LLMSIM_OK;
    return llmsim_run_report_ended(run);
}

static void put_not_run(struct run *run, const struct llmsim_request *request,
                        enum llmsim_outcome outcome, llmsim_time now, uint32_t replica)
{
    struct ended *ended = llmsim_run_put_ended(run, now);
    if (ended != NULL)
        *ended = (struct ended){.result = {.request = *request,
                                           .outcome = outcome,
                                           .replica = replica,
                                           .prefill_replica = replica,
                                           .scheduled_ns = LLMSIM_NO_TIME,
                                           .end_ns = llmsim_time_to_ns(now)}};
}

void llmsim_run_reject(struct run *run, const struct llmsim_request *request,
                       enum llmsim_outcome outcome, llmsim_time now, uint32_t replica)
{
    if (run->deferred != LLMSIM_OK)
        return;
    put_not_run(run, request, outcome, now, replica);
    /* Several replicas may end something in the same nanosecond. */
    if (run->n_replicas == 1 && run->deferred == LLMSIM_OK)
        run->deferred = llmsim_run_report_ended(run);
}

enum llmsim_status llmsim_run_end_waiting(struct run *run, const struct llmsim_request *request,
                                          uint32_t replica)
{
    put_not_run(run, request,
                request->is_failed ? LLMSIM_OUTCOME_FAILED_IN_TRACE : LLMSIM_OUTCOME_UNFINISHED,
                run->until, replica);
    return run->deferred != LLMSIM_OK ? run->deferred : llmsim_run_report_ended(run);
}

enum llmsim_status llmsim_run_observe(struct run *run, const struct llmsim_observation *o)
{
    run->last = *o;
    if (run->config->observe(run->config->observe_ctx, o))
        return LLMSIM_OK;
    return fail_interrupted(run, llmsim_time_to_seconds(o->now), o->n_ended);
}

static enum llmsim_status check_config(const struct llmsim_replay_config *config,
                                       struct llmsim_error *err)
{
    if (config->max_num_seqs < 1 || config->max_num_seqs > LLMSIM_MAX_NUM_SEQS)
        return llmsim_fail(err, LLMSIM_USAGE, "max-num-seqs %u: expected 1 to %u",
                           config->max_num_seqs, LLMSIM_MAX_NUM_SEQS);
    if (config->max_concurrency > LLMSIM_MAX_CONCURRENCY)
        return llmsim_fail(err, LLMSIM_USAGE, "max-concurrency %u: expected 0 to %u",
                           config->max_concurrency, LLMSIM_MAX_CONCURRENCY);
    if (config->max_num_batched_tokens < 1)
        return llmsim_fail(err, LLMSIM_USAGE, "max-num-batched-tokens 0: expected 1 or more");
    if (config->num_gpu_blocks > 0 &&
        (config->block_size < 1 || config->block_size > LLMSIM_MAX_BLOCK_SIZE))
        return llmsim_fail(err, LLMSIM_USAGE, "block-size %u: expected 1 to %u", config->block_size,
                           LLMSIM_MAX_BLOCK_SIZE);
    if (config->enable_prefix_caching && config->num_gpu_blocks == 0)
        return llmsim_fail(err, LLMSIM_USAGE, "prefix caching needs a paged KV cache");
    if ((config->prefill_replicas == 0) != (config->decode_replicas == 0))
        return llmsim_fail(err, LLMSIM_USAGE,
                           "prefill-replicas %u, decode-replicas %u: expected both or neither",
                           config->prefill_replicas, config->decode_replicas);
    if (config->prefill_replicas > 0 && config->n_replicas > 1)
        return llmsim_fail(err, LLMSIM_USAGE,
                           "replicas %u beside prefill-replicas: expected one of the two",
                           config->n_replicas);
    if (config->n_replicas > LLMSIM_MAX_REPLICAS ||
        config->prefill_replicas > LLMSIM_MAX_REPLICAS / 2 ||
        config->decode_replicas > LLMSIM_MAX_REPLICAS / 2)
        return llmsim_fail(err, LLMSIM_USAGE, "over %u replicas", LLMSIM_MAX_REPLICAS);
    if (config->from_ns < 0 || config->until_ns < 0 ||
        (config->until_ns > 0 && config->until_ns <= config->from_ns))
        return llmsim_fail(err, LLMSIM_USAGE,
                           "from %.9f s until %.9f s: expected 0 <= from < until",
                           (double)config->from_ns / 1e9, (double)config->until_ns / 1e9);
    /* A run's increment must fit 62 bits, which bounds all sums (docs/model.md, "Time"). */
    struct llmsim_decode_cost d = llmsim_cost_decode(&config->cost, config->max_num_seqs);
    if (d.per_context_token > ((uint64_t)1 << 62) / config->max_num_seqs)
        return llmsim_fail(err, LLMSIM_CATALOGUE,
                           "reading a token of KV cache takes %g s, too long for %u sequences",
                           llmsim_time_to_seconds((llmsim_time)d.per_context_token),
                           config->max_num_seqs);
    return LLMSIM_OK;
}

/* The time that so many bytes take, once for all: 0 to 1000 s, or `status`. The swap's bandwidth is
 * the GPU's, the link's a setting. */
static enum llmsim_status set_copy_time(const char *what, double bytes, double bytes_per_s,
                                        uint64_t *time, enum llmsim_status status,
                                        struct llmsim_error *err)
{
    double seconds = bytes / bytes_per_s;
    if (!(bytes_per_s > 0) || !(seconds <= MAX_COPY_S))
        return llmsim_fail(err, status, "%s: %g bytes at %g bytes/s: expected at most %g s", what,
                           bytes, bytes_per_s, MAX_COPY_S);
    *time = (uint64_t)llmsim_time_from_seconds(seconds);
    return LLMSIM_OK;
}

/* Settings in the units of the engine. */
static enum llmsim_status set_times(struct run *run)
{
    const struct llmsim_replay_config *config = run->config;
    size_t preemption;
    enum llmsim_status status = LLMSIM_OK;
    run->from = llmsim_time_from_ns(config->from_ns);
    run->alone = llmsim_cost_decode(&config->cost, 1);
    run->until = config->until_ns > 0 ? llmsim_time_from_ns(config->until_ns) : 2 * MAX_TIME;
    if (!llmsim_choice_find(llmsim_preemption_choice, config->preemption, &preemption))
        return llmsim_fail(run->err, LLMSIM_USAGE, "unknown preemption '%s'", config->preemption);
    if (preemption == PREEMPTION_SWAP && config->num_gpu_blocks > 0) {
        status = set_copy_time("swap of a block", config->kv_bytes_per_token * config->block_size,
                               config->swap_bytes_per_s, &run->swap_per_block, LLMSIM_CATALOGUE,
                               run->err);
        run->swap_per_block += run->swap_per_block == 0; /* 0 means recomputation */
    }
    if (status != LLMSIM_OK || config->prefill_replicas == 0)
        return status;
    status =
        set_copy_time("transfer of a token", config->kv_bytes_per_token, config->link_bytes_per_s,
                      &run->transfer_per_token, LLMSIM_USAGE, run->err);
    if (!(config->link_latency_s >= 0 && config->link_latency_s <= MAX_COPY_S))
        return llmsim_fail(run->err, LLMSIM_USAGE, "link latency of %g s: expected 0 to %g s",
                           config->link_latency_s, MAX_COPY_S);
    run->link_latency = llmsim_time_from_seconds(config->link_latency_s);
    return status;
}

bool llmsim_run_prefix(struct run *run, const struct llmsim_request *request,
                       struct llmsim_prefix *prefix)
{
    if (request->prefix == LLMSIM_NO_PREFIX || run->source.prefix == NULL)
        return false;
    run->source.prefix(run->source.self, request->prefix, prefix);
    if (prefix->block_tokens > 0 && prefix->block_tokens % run->config->block_size == 0)
        return true;
    run->deferred = llmsim_fail(run->err, LLMSIM_USAGE,
                                "block-size %u does not divide the %u tokens of a hash id",
                                run->config->block_size, prefix->block_tokens);
    return false;
}

enum llmsim_status llmsim_boundary_init(struct boundary *b, const struct run *run)
{
    const struct llmsim_replay_config *config = run->config;
    bool has_blocks = config->num_gpu_blocks > 0;
    *b = (struct boundary){
        .max_num_seqs = config->max_num_seqs,
        .max_num_batched_tokens = config->max_num_batched_tokens,
        .long_prefill_token_threshold = config->long_prefill_token_threshold,
        .kv = {.block_size = has_blocks ? config->block_size : 1,
               .total = config->num_gpu_blocks,
               .free = config->num_gpu_blocks,
               .watermark = has_blocks ? config->kv_watermark_blocks : 0},
        .prefills = malloc(config->max_num_seqs * sizeof *b->prefills),
    };
    if (b->prefills == NULL)
        return llmsim_fail(run->err, LLMSIM_RUN_FAILED, "out of memory");
    return LLMSIM_OK;
}

void llmsim_boundary_fini(struct boundary *b)
{
    free(b->prefills);
}

/* What follows from the settings alone. */
static enum llmsim_status set_up(struct run *run, const struct llmsim_replay_config *config,
                                 struct llmsim_error *err)
{
    const struct policy *policy = llmsim_policy_find(config->policy);
    if (policy == NULL)
        return llmsim_fail(err, LLMSIM_USAGE, "unknown policy '%s'", config->policy);
    if (find_engine(config->engine) == NULL)
        return llmsim_fail(err, LLMSIM_USAGE, "unknown engine '%s'", config->engine);
    if (llmsim_order_find(config->queue_order) == NULL)
        return llmsim_fail(err, LLMSIM_USAGE, "unknown queue order '%s'", config->queue_order);
    if (llmsim_router_find(config->router) == NULL)
        return llmsim_fail(err, LLMSIM_USAGE, "unknown router '%s'", config->router);

    *run = (struct run){
        .config = config,
        .policy = policy,
        .order = llmsim_order_find(config->queue_order),
        .n_replicas = llmsim_config_replicas(config),
        .err = err,
    };
    enum llmsim_status status = LLMSIM_CHECK_PARTS("the configuration of a replay", err,
                                                   {config->cost.model != NULL, "cost model"});
    if (status == LLMSIM_OK)
        status = check_config(config, err);
    return status == LLMSIM_OK ? set_times(run) : status;
}

enum llmsim_status llmsim_replay_check(const struct llmsim_replay_config *config,
                                       struct llmsim_error *err)
{
    struct run run;
    return set_up(&run, config, err);
}

static enum llmsim_status set_sinks(struct run *run, const struct llmsim_sink *sinks,
                                    size_t n_sinks)
{
    run->sinks = sinks;
    run->n_sinks = n_sinks;
    run->step_sinks = malloc((n_sinks + 1) * sizeof *run->step_sinks);
    if (run->step_sinks == NULL)
        return llmsim_fail(run->err, LLMSIM_RUN_FAILED, "out of memory");
    for (size_t i = 0; i < n_sinks; i++)
        if (sinks[i].ops->steps != NULL)
            run->step_sinks[run->n_step_sinks++] = sinks[i];
    return LLMSIM_OK;
}

enum llmsim_status llmsim_replay(const struct llmsim_replay_config *config,
                                 const struct llmsim_source *source,
                                 const struct llmsim_sink *sinks, size_t n_sinks,
                                 struct llmsim_error *err)
{
    struct run run;
    enum llmsim_status status = set_up(&run, config, err);
    if (status == LLMSIM_OK)
        status = LLMSIM_CHECK_PARTS("the source of a replay", err,
                                    {source->read != NULL, "function read"});
    for (size_t i = 0; i < n_sinks && status == LLMSIM_OK; i++)
        status = LLMSIM_CHECK_PARTS("a sink", err, {sinks[i].ops != NULL, "functions"});
    if (status != LLMSIM_OK)
        return status;
    run.source = *source;
    status = set_sinks(&run, sinks, n_sinks);
    if (status == LLMSIM_OK)
        status = llmsim_arrivals_init(&run.arrivals, source, config->until_ns,
                                      config->max_concurrency, err);
    run.arrivals.sinks = sinks;
    run.arrivals.n_sinks = n_sinks;
    if (status == LLMSIM_OK)
        status = find_engine(config->engine)->run(&run);
    if (status == LLMSIM_OK)
        status = run.arrivals.status;
    if (run.arrivals.status == LLMSIM_INTERRUPTED) /* while it waited for the trace */
        status =
            fail_interrupted(&run, (double)run.totals.last_end_ns / 1e9, run.totals.n_requests);
    for (size_t i = 0; i < run.n_ended; i++) /* of a run that failed */
        run.free_kept(run.ended[i].kept);
    free(run.ended);
    free(run.step_sinks);
    if (status == LLMSIM_OK)
        status = llmsim_arrivals_drain(&run.arrivals);
    llmsim_arrivals_fini(&run.arrivals);
    run.totals.n_outside_window += run.arrivals.n_beyond;
    if (status == LLMSIM_OK)
        status = llmsim_run_check_end(&run);
    for (size_t i = 0; i < n_sinks && status == LLMSIM_OK; i++)
        if (sinks[i].ops->end != NULL)
            status = sinks[i].ops->end(sinks[i].self, &run.totals, err);
    return status;
}
