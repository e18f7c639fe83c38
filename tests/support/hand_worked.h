/* hand_worked.h: replays of a few requests whose every time was worked out by hand, on both
 * engines. Costs are those of easy_cost(): a prompt token takes 1 ms, a decode step 10 ms and 1 ms
 * for each KV token that it reads, where a request reads its prompt and the tokens that it has.
 * Times are ms. */
#ifndef LLMSIM_TESTS_HAND_WORKED_H
#define LLMSIM_TESTS_HAND_WORKED_H

#include <criterion/criterion.h>

#include "collect.h"

#define HAND_MAX_ROWS 8
#define HAND_MAX_TOKENS 8
#define HAND_MAX_STEPS 16

struct hand_row {
    int64_t arrival_ms;
    uint32_t prompt, output;
    uint32_t prefix; /* a handle for `prefixes`, or 0 */
    bool is_failed;
    /* What is expected. With no output token_ms[0] is the end of the prefill. */
    enum llmsim_outcome outcome;
    uint32_t n_tokens; /* if it is unfinished */
    int64_t scheduled_ms;
    int64_t token_ms[HAND_MAX_TOKENS];
    uint32_t replica, prefill_replica, preemptions, cached_tokens;
    int64_t preempted_ms, transfer_ms;
};

struct hand_step {
    uint32_t replica;
    enum llmsim_step_kind kind;
    int64_t start_ms, end_ms;
};

struct hand_case {
    struct llmsim_replay_config config; /* 0: no limit that is felt; no cost: the easy one */
    const struct llmsim_prefix *prefixes;
    size_t n_rows, n_steps; /* n_steps 0: any */
    struct hand_row rows[HAND_MAX_ROWS];
    struct hand_step steps[HAND_MAX_STEPS]; /* by start, then replica; end_ms 0: not looked at */
};

static inline int hand_by_start(const void *left, const void *right)
{
    const struct llmsim_step_run *a = left, *b = right;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    return (a->replica > b->replica) - (a->replica < b->replica);
}

static inline void hand_check_row(const struct hand_row *row, const struct collected_request *got,
                                  const char *engine)
{
    cr_assert_not_null(got);
    const struct llmsim_result *r = &got->result;
    unsigned long long number = r->request.row;
    cr_assert_eq(r->outcome, row->outcome, "%s: row %llu is %s", engine, number,
                 llmsim_outcome_name(r->outcome));
    cr_expect_eq(r->replica, row->replica, "%s: row %llu on replica %u", engine, number,
                 r->replica);
    if (row->outcome == LLMSIM_OUTCOME_FAILED_IN_TRACE)
        return;
    uint32_t n_tokens = row->outcome == LLMSIM_OUTCOME_COMPLETED ? row->output : row->n_tokens;
    int64_t scheduled_ns = row->scheduled_ms < 0 ? LLMSIM_NO_TIME : row->scheduled_ms * MS;
    cr_expect_eq(r->scheduled_ns, scheduled_ns, "%s: row %llu scheduled at %lld", engine, number,
                 (long long)r->scheduled_ns);
    cr_assert_eq(r->n_tokens, n_tokens, "%s: row %llu has %u tokens", engine, number, r->n_tokens);
    for (uint32_t i = 0; i < n_tokens; i++)
        cr_expect_eq(got->token_ns[i], row->token_ms[i] * MS, "%s: row %llu token %u at %lld",
                     engine, number, i, (long long)got->token_ns[i]);
    cr_expect_eq(r->prefill_replica, row->prefill_replica, "%s: row %llu prefilled on %u", engine,
                 number, r->prefill_replica);
    cr_expect_eq(r->preemptions, row->preemptions, "%s: row %llu preempted %u times", engine,
                 number, r->preemptions);
    cr_expect_eq(r->cached_tokens, row->cached_tokens, "%s: row %llu has %u cached tokens", engine,
                 number, r->cached_tokens);
    if (row->outcome != LLMSIM_OUTCOME_COMPLETED)
        return;
    int64_t end_ns = row->token_ms[n_tokens > 0 ? n_tokens - 1 : 0] * MS;
    const struct llmsim_attribution *a = &got->attribution;
    cr_expect_eq(r->end_ns, end_ns, "%s: row %llu ends at %lld", engine, number,
                 (long long)r->end_ns);
    cr_expect_eq(a->preempted_ns, row->preempted_ms * MS, "%s: row %llu preempted for %lld", engine,
                 number, (long long)a->preempted_ns);
    cr_expect_eq(a->transfer_ns, row->transfer_ms * MS, "%s: row %llu in transfer for %lld", engine,
                 number, (long long)a->transfer_ns);
    cr_expect_eq(a->wait_ns + a->prefill_ns + a->decode_ns + a->interference_ns + a->preempted_ns +
                     a->transfer_ns,
                 end_ns - row->arrival_ms * MS, "%s: row %llu: the parts of its E2E", engine,
                 number);
}

static inline void hand_check_steps(const struct hand_case *hand, struct collected *c,
                                    const char *engine)
{
    cr_assert(hand->n_steps == 0 || c->n_steps == hand->n_steps, "%s: %zu steps", engine,
              c->n_steps);
    if (c->n_steps > 0)
        qsort(c->steps, c->n_steps, sizeof *c->steps, hand_by_start);
    for (size_t i = 0; i < HAND_MAX_STEPS && hand->steps[i].end_ms > 0; i++) {
        const struct llmsim_step_run *got = &c->steps[i];
        const struct hand_step *step = &hand->steps[i];
        cr_expect(got->replica == step->replica && got->kind == step->kind &&
                      llmsim_time_to_ns(got->start) == step->start_ms * MS &&
                      llmsim_time_to_ns(got->end) == step->end_ms * MS,
                  "%s: step %zu: %s on replica %u, %lld to %lld", engine, i,
                  llmsim_step_kind_name(got->kind), got->replica,
                  (long long)llmsim_time_to_ns(got->start), (long long)llmsim_time_to_ns(got->end));
    }
}

static inline void hand_check(const struct hand_case *hand)
{
    static const char *const engines[] = {"step", "fast"};
    struct llmsim_request requests[HAND_MAX_ROWS];
    for (size_t i = 0; i < hand->n_rows; i++)
        requests[i] = (struct llmsim_request){.arrival_ns = hand->rows[i].arrival_ms * MS,
                                              .row = i,
                                              .prompt_tokens = hand->rows[i].prompt,
                                              .output_tokens = hand->rows[i].output,
                                              .deadline_ns = LLMSIM_NO_DEADLINE,
                                              .is_failed = hand->rows[i].is_failed,
                                              .prefix = hand->rows[i].prefix};
    for (size_t e = 0; e < 2; e++) {
        struct llmsim_replay_config config = hand->config;
        struct llmsim_array_cursor cursor = {
            .requests = requests, .n = hand->n_rows, .prefixes = hand->prefixes};
        struct collected c;
        struct llmsim_error err = {0};
        size_t n_outside = 0;
        config.cost = easy_cost();
        config.engine = engines[e];
        config.max_num_seqs = config.max_num_seqs > 0 ? config.max_num_seqs : 256;
        config.max_num_batched_tokens =
            config.max_num_batched_tokens > 0 ? config.max_num_batched_tokens : 8192;
        cr_assert_eq(collect_source(&config, llmsim_source_from_array(&cursor), &c, &err),
                     LLMSIM_OK, "%s", err.message);
        for (size_t i = 0; i < hand->n_rows; i++) {
            if (hand->rows[i].outcome == LLMSIM_OUTCOME_OUTSIDE_WINDOW) {
                n_outside++;
                cr_expect_null(collected_row(&c, i), "%s: row %zu is reported", engines[e], i);
            } else {
                hand_check_row(&hand->rows[i], collected_row(&c, i), engines[e]);
            }
        }
        cr_expect_eq(c.n_requests, hand->n_rows - n_outside);
        cr_expect_eq(c.totals.n_requests, hand->n_rows - n_outside);
        cr_expect_eq(c.totals.n_outside_window, n_outside);
        hand_check_steps(hand, &c, engines[e]);
        collected_fini(&c);
    }
}

#endif
