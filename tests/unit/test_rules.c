/* The rules of docs/scheduling.md (order of events, queues, limits, policies), and that a prefill
 * gives the first token, each with numbers that can be checked by hand, on both engines.
 *
 * A prompt token takes 1 ms; a decode step 10 ms plus 1 ms for each KV token read, where a request
 * reads its prompt plus the index of the token that it makes (formula 2). Times below are ms. */
#include <criterion/criterion.h>

#include "support/collect.h"

#define MAX_ROWS 8

struct row {
    int64_t arrival_ms;
    uint32_t prompt, output;
    /* What is expected: */
    int64_t scheduled_ms;
    int64_t token_ms[6]; /* output of them */
    int64_t end_ms;
    uint32_t preemptions;
};

struct rule {
    const char *policy;
    uint32_t max_num_seqs, max_num_batched_tokens, long_prefill_token_threshold;
    uint64_t num_gpu_blocks, kv_watermark_blocks;
    uint32_t block_size;
    size_t n_rows, n_steps;
    struct row rows[MAX_ROWS];
    uint64_t order[MAX_ROWS]; /* rows in order of completion */
};

static void check_row(const struct row *row, const struct collected_request *got,
                      const char *engine)
{
    const struct llmsim_result *r = &got->result;
    cr_assert_eq(r->outcome, LLMSIM_OUTCOME_COMPLETED);
    cr_assert_eq(r->scheduled_ns, row->scheduled_ms * MS, "%s: row %llu scheduled at %lld", engine,
                 (unsigned long long)r->request.row, (long long)r->scheduled_ns);
    cr_assert_eq(r->preemptions, row->preemptions);
    cr_assert_eq(r->end_ns, row->end_ms * MS, "%s: row %llu ends at %lld", engine,
                 (unsigned long long)r->request.row, (long long)r->end_ns);
    for (uint32_t i = 0; i < row->output; i++)
        cr_assert_eq(got->token_ns[i], row->token_ms[i] * MS, "%s: row %llu token %u at %lld",
                     engine, (unsigned long long)r->request.row, i, (long long)got->token_ns[i]);
    if (row->output > 0)
        cr_assert_eq(r->first_token_ns, got->token_ns[0]);
}

static void check(const struct rule *rule)
{
    static const char *const engines[] = {"step", "fast"};
    struct llmsim_request requests[MAX_ROWS];
    for (size_t i = 0; i < rule->n_rows; i++)
        requests[i] = (struct llmsim_request){.arrival_ns = rule->rows[i].arrival_ms * MS,
                                              .row = i,
                                              .prompt_tokens = rule->rows[i].prompt,
                                              .output_tokens = rule->rows[i].output};
    for (size_t e = 0; e < 2; e++) {
        struct llmsim_replay_config config = {
            .cost = easy_cost(),
            .policy = rule->policy,
            .engine = engines[e],
            .max_num_seqs = rule->max_num_seqs != 0 ? rule->max_num_seqs : 256,
            .max_num_batched_tokens =
                rule->max_num_batched_tokens != 0 ? rule->max_num_batched_tokens : 8192,
            .long_prefill_token_threshold = rule->long_prefill_token_threshold,
            .num_gpu_blocks = rule->num_gpu_blocks,
            .kv_watermark_blocks = rule->kv_watermark_blocks,
            .block_size = rule->block_size,
        };
        struct collected c;
        struct llmsim_error err;
        cr_assert_eq(collect_run(&config, requests, rule->n_rows, &c, &err), LLMSIM_OK);
        cr_assert_eq(c.n_requests, rule->n_rows);
        cr_assert_eq(c.n_steps, rule->n_steps, "%s: %zu steps", engines[e], c.n_steps);
        for (size_t i = 0; i < rule->n_rows; i++) {
            check_row(&rule->rows[i], collected_row(&c, i), engines[e]);
            cr_assert_eq(c.requests[i].result.request.row, rule->order[i], "%s: order", engines[e]);
        }
        collected_fini(&c);
    }
}

/* Token: the prefill (100) gives token 0; two decode steps read 101 and 102 KV tokens. */
Test(rules, prefill_gives_the_first_token)
{
    check(&(struct rule){.n_rows = 1,
                         .n_steps = 3,
                         .rows = {{5, 100, 3, 5, {105, 216, 328}, 328, 0}},
                         .order = {0}});
}

/* Token: without output tokens there is the prefill and no token. */
Test(rules, zero_output_tokens)
{
    check(&(struct rule){.n_rows = 2,
                         .n_steps = 2,
                         .rows = {{0, 100, 0, 0, {0}, 100, 0}, {100, 50, 0, 100, {0}, 150, 0}},
                         .order = {0, 1}});
}

/* Token: with one output token the request ends with its prefill, so E2E is TTFT. */
Test(rules, one_output_token)
{
    check(&(struct rule){
        .n_rows = 1, .n_steps = 1, .rows = {{7, 20, 1, 7, {27}, 27, 0}}, .order = {0}});
}

/* Order: a request that arrives during a step waits to its end; here the prefill 0-100, then its
 * own prefill 100-130 while the first one's decode pauses, then both decode: 10 + 101 + 31. */
Test(rules, arrival_during_a_step_waits)
{
    check(&(struct rule){
        .n_rows = 2,
        .n_steps = 3,
        .rows = {{0, 100, 2, 0, {100, 272}, 272, 0}, {1, 30, 2, 100, {130, 272}, 272, 0}},
        .order = {0, 1}});
}

/* Order: an arrival at the very end of a step is seen before the next is formed. Decode step of
 * row 0 ends at 100 + 111 = 211; row 1 arrives then and is prefilled 211-221; both decode: 10 + 102
 * + 11 = 123, so 344. */
Test(rules, arrival_at_a_steps_end_is_seen)
{
    check(&(struct rule){
        .n_rows = 2,
        .n_steps = 4,
        .rows = {{0, 100, 3, 0, {100, 211, 344}, 344, 0}, {211, 10, 2, 211, {221, 344}, 344, 0}},
        .order = {0, 1}});
}

/* The same a nanosecond later would be a step later: with 1 ms, row 1 waits from 212 to the end of
 * the step 211-323. */
Test(rules, arrival_just_after_a_steps_end_waits)
{
    check(&(struct rule){
        .n_rows = 2,
        .n_steps = 5,
        .rows = {{0, 100, 3, 0, {100, 211, 323}, 323, 0}, {212, 10, 2, 323, {333, 354}, 354, 0}},
        .order = {0, 1}});
}

/* Order: all arrivals of one time are seen before the step is formed: one prefill of 60 tokens. */
Test(rules, simultaneous_arrivals_share_a_step)
{
    check(&(struct rule){.n_rows = 3,
                         .n_steps = 1,
                         .rows = {{4, 10, 1, 4, {64}, 64, 0},
                                  {4, 20, 1, 4, {64}, 64, 0},
                                  {4, 30, 1, 4, {64}, 64, 0}},
                         .order = {0, 1, 2}});
}

/* Order: a replica that goes idle starts a step at the next arrival, not before. */
Test(rules, idle_replica_starts_at_the_arrival)
{
    check(&(struct rule){.n_rows = 2,
                         .n_steps = 2,
                         .rows = {{0, 10, 1, 0, {10}, 10, 0}, {500, 10, 1, 500, {510}, 510, 0}},
                         .order = {0, 1}});
}

/* Order, the trap of other simulators: a batch that empties with its prefill does not free the
 * replica before the step ends. */
Test(rules, a_batch_that_empties_holds_the_replica_to_the_steps_end)
{
    check(&(struct rule){.n_rows = 2,
                         .n_steps = 2,
                         .rows = {{0, 100, 0, 0, {0}, 100, 0}, {1, 10, 1, 100, {110}, 110, 0}},
                         .order = {0, 1}});
}

/* Queue: first come, first served, ties by row; with one place they go one after the other. */
Test(rules, fcfs_with_ties_by_row)
{
    check(&(struct rule){.max_num_seqs = 1,
                         .n_rows = 3,
                         .n_steps = 3,
                         .rows = {{0, 50, 1, 0, {50}, 50, 0},
                                  {3, 10, 1, 50, {60}, 60, 0},
                                  {3, 5, 1, 60, {65}, 65, 0}},
                         .order = {0, 1, 2}});
}

/* Limit: the running set is full with two. Rows 0 and 1 are prefilled 0-20 and decode to 20 + 10 +
 * 11 + 11 = 52; row 0 needs one more token, row 1 is done, so row 2 is prefilled 52-62; then both
 * decode: 10 + 12 + 11 = 95. */
Test(rules, batch_full)
{
    check(&(struct rule){.max_num_seqs = 2,
                         .n_rows = 3,
                         .n_steps = 4,
                         .rows = {{0, 10, 3, 0, {20, 52, 95}, 95, 0},
                                  {0, 10, 2, 0, {20, 52}, 52, 0},
                                  {0, 10, 2, 52, {62, 95}, 95, 0}},
                         .order = {1, 0, 2}});
}

/* Limit: at most 100 new tokens a step: 60, then 40 + 60, each as far as it fits, in order. */
Test(rules, token_limit)
{
    check(&(struct rule){.max_num_batched_tokens = 100,
                         .n_rows = 3,
                         .n_steps = 2,
                         .rows = {{0, 60, 1, 0, {60}, 60, 0},
                                  {0, 41, 1, 60, {160}, 160, 0},
                                  {0, 59, 1, 60, {160}, 160, 0}},
                         .order = {0, 1, 2}});
}

/* Limit: a prompt over the token limit is admitted, alone, neither cut nor refused. */
Test(rules, prompt_over_the_token_limit_goes_alone)
{
    check(&(struct rule){.max_num_batched_tokens = 100,
                         .n_rows = 3,
                         .n_steps = 3,
                         .rows = {{0, 10, 1, 0, {10}, 10, 0},
                                  {0, 250, 1, 10, {260}, 260, 0},
                                  {0, 5, 1, 260, {265}, 265, 0}},
                         .order = {0, 1, 2}});
}

/* Policy static: the batch of rows 0 and 1 (prefill 0-30, decode 10 + 11 + 21 = 72, then row 1
 * alone 10 + 22 = 104) is finished before row 2, which was there at 1, is taken. */
Test(rules, static_batches)
{
    check(&(struct rule){.policy = "static",
                         .n_rows = 3,
                         .n_steps = 4,
                         .rows = {{0, 10, 2, 0, {30, 72}, 72, 0},
                                  {0, 20, 3, 0, {30, 72, 104}, 104, 0},
                                  {1, 10, 1, 104, {114}, 114, 0}},
                         .order = {0, 1, 2}});
}

/* Policy static: max_num_seqs and max_num_batched_tokens bound the batch. */
Test(rules, static_limits)
{
    check(&(struct rule){.policy = "static",
                         .max_num_seqs = 2,
                         .max_num_batched_tokens = 25,
                         .n_rows = 4,
                         .n_steps = 3,
                         .rows = {{0, 10, 1, 0, {20}, 20, 0},
                                  {0, 10, 1, 0, {20}, 20, 0},
                                  {0, 10, 1, 20, {30}, 30, 0},
                                  {0, 20, 1, 30, {50}, 50, 0}},
                         .order = {0, 1, 2, 3}});
}

/* Policy continuous: two prefill steps in a row while decodes pause; all three decode together:
 * 10 + 101 + 91 + 31 = 233. */
Test(rules, continuous_prefills_first)
{
    check(&(struct rule){.max_num_batched_tokens = 100,
                         .n_rows = 3,
                         .n_steps = 4,
                         .rows = {{0, 100, 2, 0, {100, 453}, 453, 0},
                                  {1, 90, 2, 100, {190, 453}, 453, 0},
                                  {2, 30, 2, 190, {220, 453}, 453, 0}},
                         .order = {0, 1, 2}});
}

/* Policy mixed: a budget of 50. Row 0's prompt of 120 goes in chunks 50, 50 and 20; row 1 (from 1)
 * gets what is left of the third step, 30, ending at 150. Row 0 then decodes beside chunks of 49:
 * 10 + 121 + 49 = 180, to 330; and beside the last 21: 10 + 122 + 21 = 153, to 483, which is its
 * end, and gives row 1 its first token; row 1 then decodes alone: 10 + 101 = 111. */
Test(rules, mixed_fills_the_budget_with_chunks)
{
    check(&(struct rule){
        .policy = "mixed",
        .max_num_batched_tokens = 50,
        .n_rows = 2,
        .n_steps = 6,
        .rows = {{0, 120, 3, 0, {150, 330, 483}, 483, 0}, {1, 100, 2, 100, {483, 594}, 594, 0}},
        .order = {0, 1}});
}

/* Policy mixed: no chunk is longer than the threshold of 20, so two prompts share a step of 40 and
 * then one of 20 (row 0's last 10 and row 1's last 10). */
Test(rules, mixed_long_prefill_threshold)
{
    check(&(struct rule){.policy = "mixed",
                         .max_num_batched_tokens = 100,
                         .long_prefill_token_threshold = 20,
                         .n_rows = 2,
                         .n_steps = 2,
                         .rows = {{0, 30, 1, 0, {60}, 60, 0}, {0, 30, 1, 0, {60}, 60, 0}},
                         .order = {0, 1}});
}

/* Policy mixed: two decoding requests use up a budget of 2, and the third waits without a chunk
 * until one of them ends. Rows 0 and 1 (prompts of 1) are prefilled together 0-2; they decode 10 +
 * 2 + 2 = 14, to 16, and row 1 ends; row 2 is prefilled beside row 0's next: 10 + 3 + 1, to 30. */
Test(rules, mixed_budget_used_up_by_decodes)
{
    check(&(struct rule){.policy = "mixed",
                         .max_num_batched_tokens = 2,
                         .n_rows = 3,
                         .n_steps = 3,
                         .rows = {{0, 1, 3, 0, {2, 16, 30}, 30, 0},
                                  {0, 1, 2, 0, {2, 16}, 16, 0},
                                  {0, 1, 1, 16, {30}, 30, 0}},
                         .order = {1, 0, 2}});
}

/* KV memory: 4 blocks of 4 tokens; each prompt of 7 takes 2. The first decode step (10 + 8 + 8, to
 * 40) fills all four; the next one wants two more and there is none, so row 1, admitted last, is
 * preempted. Row 0 goes on alone, 10 + 9 = 19, to 59, which is its end. Row 1 is processed again:
 * its prompt of 7 and the 2 tokens that it had made, 9 ms, to 68, which gives its third token; then
 * 10 + 10, to 88. */
Test(rules, preemption_by_recomputation)
{
    check(&(struct rule){
        .num_gpu_blocks = 4,
        .block_size = 4,
        .n_rows = 2,
        .n_steps = 5,
        .rows = {{0, 7, 3, 0, {14, 40, 59}, 59, 0}, {0, 7, 4, 0, {14, 40, 68, 88}, 88, 1}},
        .order = {0, 1}});
}

/* The final token needs no place: a prompt of 4 and 5 output tokens fill 2 blocks of 4 exactly. */
Test(rules, the_final_token_needs_no_block)
{
    check(&(struct rule){.num_gpu_blocks = 2,
                         .block_size = 4,
                         .n_rows = 1,
                         .n_steps = 5,
                         .rows = {{0, 4, 5, 0, {4, 19, 35, 52, 70}, 70, 0}},
                         .order = {0}});
}

/* Admission waits for blocks: the prompt of row 1 needs 2 of the 3, of which row 0 has 2 until it
 * ends with its second token, 6 + 10 + 7 = 23. */
Test(rules, admission_waits_for_blocks)
{
    check(&(struct rule){.num_gpu_blocks = 3,
                         .block_size = 4,
                         .n_rows = 2,
                         .n_steps = 3,
                         .rows = {{0, 6, 2, 0, {6, 23}, 23, 0}, {0, 5, 1, 23, {28}, 28, 0}},
                         .order = {0, 1}});
}

/* The watermark holds a block back from everybody but the first: without it row 1 would share the
 * prefill of row 0. */
Test(rules, watermark)
{
    check(&(struct rule){.num_gpu_blocks = 2,
                         .kv_watermark_blocks = 1,
                         .block_size = 4,
                         .n_rows = 2,
                         .n_steps = 2,
                         .rows = {{0, 4, 1, 0, {4}, 4, 0}, {0, 4, 1, 4, {8}, 8, 0}},
                         .order = {0, 1}});
}

/* A prompt or an output that could never fit is rejected, counted, and does not stop the queue. */
Test(rules, a_request_that_can_never_fit_is_rejected)
{
    static const struct llmsim_request requests[] = {
        {.row = 0, .prompt_tokens = 9, .output_tokens = 1},
        {.row = 1, .prompt_tokens = 4, .output_tokens = 6},
        {.row = 2, .prompt_tokens = 4, .output_tokens = 1},
    };
    static const char *const engines[] = {"step", "fast"};
    for (size_t e = 0; e < 2; e++) {
        struct llmsim_replay_config config = {.cost = easy_cost(),
                                              .engine = engines[e],
                                              .max_num_seqs = 8,
                                              .max_num_batched_tokens = 100,
                                              .num_gpu_blocks = 2,
                                              .block_size = 4};
        struct collected c;
        cr_assert_eq(collect_run(&config, requests, 3, &c, NULL), LLMSIM_OK);
        cr_assert_eq(c.n_requests, 3);
        cr_assert_eq(collected_row(&c, 0)->result.outcome, LLMSIM_OUTCOME_REJECTED_TOO_LONG);
        cr_assert_eq(collected_row(&c, 1)->result.outcome, LLMSIM_OUTCOME_REJECTED_TOO_LONG);
        cr_assert_eq(collected_row(&c, 2)->result.outcome, LLMSIM_OUTCOME_COMPLETED);
        cr_assert_eq(c.totals.n_completed, 1);
        collected_fini(&c);
    }
}

/* Where the time went, of the two requests of preemption_by_recomputation: row 1 decodes 26 ms
 * beside row 0, is preempted from 40 to its token at 68, and decodes 20 ms alone. And of a request
 * whose decode stands still for another's prompt: its prefill 0-100, the other's 100-130, then a
 * step of 10 + 101 + 31 together. */
Test(rules, attribution)
{
    static const struct llmsim_request paged[] = {
        {.row = 0, .prompt_tokens = 7, .output_tokens = 3},
        {.row = 1, .prompt_tokens = 7, .output_tokens = 4},
    };
    static const struct llmsim_request late[] = {
        {.row = 0, .prompt_tokens = 100, .output_tokens = 2},
        {.row = 1, .arrival_ns = 1 * MS, .prompt_tokens = 30, .output_tokens = 2},
    };
    static const char *const engines[] = {"step", "fast"};
    for (size_t e = 0; e < 2; e++) {
        struct llmsim_replay_config config = {.cost = easy_cost(),
                                              .engine = engines[e],
                                              .max_num_seqs = 8,
                                              .max_num_batched_tokens = 8192};
        struct collected c;
        cr_assert_eq(collect_run(&config, late, 2, &c, NULL), LLMSIM_OK);
        struct llmsim_attribution a = collected_row(&c, 0)->attribution;
        cr_assert(a.wait_ns == 0 && a.prefill_ns == 100 * MS && a.decode_ns == 142 * MS &&
                  a.interference_ns == 30 * MS && a.preempted_ns == 0);
        a = collected_row(&c, 1)->attribution;
        cr_assert(a.wait_ns == 99 * MS && a.prefill_ns == 30 * MS && a.decode_ns == 142 * MS &&
                  a.interference_ns == 0 && a.preempted_ns == 0);
        collected_fini(&c);

        config.num_gpu_blocks = config.block_size = 4;
        cr_assert_eq(collect_run(&config, paged, 2, &c, NULL), LLMSIM_OK);
        a = collected_row(&c, 1)->attribution;
        cr_assert(a.wait_ns == 0 && a.prefill_ns == 14 * MS && a.decode_ns == 46 * MS &&
                  a.interference_ns == 0 && a.preempted_ns == 28 * MS);
        collected_fini(&c);
    }
}

/* Queue orders, one place in the running set: row 0 is taken at 0, the others wait and go in the
 * order of their keys; equal keys by arrival. A request that failed in the trace is not simulated.
 */
Test(rules, queue_orders)
{
    static const struct llmsim_request requests[] = {
        {.row = 0, .prompt_tokens = 50, .output_tokens = 1, .deadline_ns = LLMSIM_NO_DEADLINE},
        {.row = 1,
         .arrival_ns = 1 * MS,
         .prompt_tokens = 30,
         .output_tokens = 1,
         .priority = 1,
         .deadline_ns = LLMSIM_NO_DEADLINE},
        {.row = 2,
         .arrival_ns = 2 * MS,
         .prompt_tokens = 20,
         .output_tokens = 3,
         .priority = 1,
         .deadline_ns = 900 * MS},
        {.row = 3,
         .arrival_ns = 3 * MS,
         .prompt_tokens = 40,
         .output_tokens = 2,
         .priority = -1,
         .deadline_ns = 800 * MS},
        {.row = 4,
         .arrival_ns = 4 * MS,
         .prompt_tokens = 30,
         .output_tokens = 9,
         .is_failed = true,
         .deadline_ns = LLMSIM_NO_DEADLINE},
    };
    static const struct {
        const char *order;
        uint64_t rows[4]; /* in order of completion */
    } cases[] = {
        {"fcfs", {0, 1, 2, 3}},       {"priority", {0, 3, 1, 2}}, {"sjf", {0, 2, 1, 3}},
        {"sjf-oracle", {0, 1, 3, 2}}, {"edf", {0, 3, 2, 1}},
    };
    static const char *const engines[] = {"step", "fast"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t e = 0; e < 2; e++) {
            struct llmsim_replay_config config = {.cost = easy_cost(),
                                                  .engine = engines[e],
                                                  .queue_order = cases[i].order,
                                                  .max_num_seqs = 1,
                                                  .max_num_batched_tokens = 100};
            struct collected c;
            size_t n_completed = 0;
            cr_assert_eq(collect_run(&config, requests, 5, &c, NULL), LLMSIM_OK);
            cr_assert_eq(c.n_requests, 5);
            cr_assert_eq(collected_row(&c, 4)->result.outcome, LLMSIM_OUTCOME_FAILED_IN_TRACE);
            for (size_t j = 0; j < 5; j++)
                if (c.requests[j].result.outcome == LLMSIM_OUTCOME_COMPLETED)
                    cr_assert_eq(c.requests[j].result.request.row, cases[i].rows[n_completed++],
                                 "%s, %s", cases[i].order, engines[e]);
            cr_assert_eq(n_completed, 4);
            collected_fini(&c);
        }
    }
}

/* An empty prompt takes no time to prefill: a step of length 0 must not stop the clock for good. */
Test(rules, empty_prompt)
{
    check(&(struct rule){.n_rows = 2,
                         .n_steps = 3,
                         .rows = {{3, 0, 0, 3, {0}, 3, 0}, {3, 0, 3, 3, {3, 14, 26}, 26, 0}},
                         .order = {0, 1}});
}
