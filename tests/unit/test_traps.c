/* Mistakes that other simulators of LLM serving are known for, each with a test of its own: under
 * every policy, by both engines, with KV memory without limit and paged.
 *
 * A prompt token takes 1 ms; a decode step 10 ms plus 1 ms for each KV token read, where a request
 * reads its prompt plus the index of the token that it makes (formula 2). Times below are ms. */
#include <criterion/criterion.h>

#include "support/collect.h"

static const char *const engines[] = {"step", "fast"};
#define N_ENGINES 2

/* What one run of a trap is made with. */
struct trap_run {
    struct llmsim_replay_config config;
    char name[64];
};

/* Run number `i` of all; false behind the last. `blocks` 0: once without limit, and once with so
 * many blocks that they change nothing. */
static bool get_run(size_t i, uint32_t max_num_seqs, uint32_t max_num_batched_tokens,
                    uint64_t blocks, uint32_t block_size, struct trap_run *run)
{
    const struct llmsim_choice *policy = llmsim_policy_choice(i / (2 * N_ENGINES));
    bool is_paged = i / N_ENGINES % 2 == 1 || blocks > 0;
    if (policy == NULL)
        return false;
    run->config = (struct llmsim_replay_config){
        .cost = easy_cost(),
        .policy = policy->name,
        .engine = engines[i % N_ENGINES],
        .max_num_seqs = max_num_seqs,
        .max_num_batched_tokens = max_num_batched_tokens,
        .num_gpu_blocks = blocks > 0 ? blocks
                          : is_paged ? 1000000
                                     : 0,
        .block_size = blocks > 0 ? block_size : 16,
    };
    (void)snprintf(run->name, sizeof run->name, "%s, %s, %s", policy->name, engines[i % N_ENGINES],
                   is_paged ? "paged" : "unlimited");
    return true;
}

static void run_all(const struct trap_run *run, const struct llmsim_request *requests, size_t n,
                    struct collected *c)
{
    struct llmsim_error err = {0};
    cr_assert(collect_run(&run->config, requests, n, c, &err) == LLMSIM_OK, "%s: %s", run->name,
              err.message);
    cr_assert(c->n_requests == n, "%s: %zu requests ended", run->name, c->n_requests);
}

static void expect_end(const struct trap_run *run, const struct collected *c, uint64_t row,
                       int64_t end_ms)
{
    const struct llmsim_result *r = &collected_row(c, row)->result;
    cr_expect(r->outcome == LLMSIM_OUTCOME_COMPLETED && r->end_ns == end_ms * MS,
              "%s: row %d ends at %.3f ms", run->name, (int)row, (double)r->end_ns / 1e6);
}

static void expect_tokens(const struct trap_run *run, const struct collected *c, uint64_t row,
                          const int64_t *token_ms, size_t n)
{
    const struct collected_request *r = collected_row(c, row);
    cr_assert(r->result.outcome == LLMSIM_OUTCOME_COMPLETED && r->result.request.output_tokens == n,
              "%s: row %d", run->name, (int)row);
    for (size_t i = 0; i < n; i++)
        cr_expect(r->token_ns[i] == token_ms[i] * MS, "%s: row %d, token %zu at %.3f ms", run->name,
                  (int)row, i, (double)r->token_ns[i] / 1e6);
    cr_expect(r->result.first_token_ns == token_ms[0] * MS, "%s", run->name);
}

/* Row 0 ends with its prefill, 0-100, and leaves its batch empty; row 1, there from 1 on, starts at
 * 100 all the same. Row 2 (there at 200) decodes 210-231; row 3, which comes in the middle of that,
 * starts at 231, though nobody is left to decode. */
Test(traps, the_gpu_stays_busy_to_the_end_of_a_step_although_its_batch_emptied)
{
    static const struct llmsim_request requests[] = {
        {.row = 0, .prompt_tokens = 100, .output_tokens = 1},
        {.row = 1, .arrival_ns = 1 * MS, .prompt_tokens = 10, .output_tokens = 1},
        {.row = 2, .arrival_ns = 200 * MS, .prompt_tokens = 10, .output_tokens = 2},
        {.row = 3, .arrival_ns = 215 * MS, .prompt_tokens = 5, .output_tokens = 1},
    };
    struct trap_run run;
    for (size_t i = 0; get_run(i, 256, 8192, 0, 0, &run); i++) {
        struct collected c;
        run_all(&run, requests, 4, &c);
        cr_expect(collected_row(&c, 1)->result.scheduled_ns == 100 * MS, "%s", run.name);
        cr_expect(collected_row(&c, 3)->result.scheduled_ns == 231 * MS, "%s", run.name);
        expect_end(&run, &c, 0, 100);
        expect_end(&run, &c, 1, 110);
        expect_end(&run, &c, 2, 231);
        expect_end(&run, &c, 3, 236);
        collected_fini(&c);
    }
}

/* A minute, a day, a year and 99 years after the first: all are served, each alone. */
Test(traps, no_default_horizon_cuts_the_trace)
{
    static const int64_t arrivals_s[] = {0, 60, 86400, 31536000, INT64_C(99) * 31536000};
    struct llmsim_request requests[5];
    struct trap_run run;
    for (size_t i = 0; i < 5; i++)
        requests[i] = (struct llmsim_request){.row = i,
                                              .arrival_ns = arrivals_s[i] * 1000 * MS,
                                              .prompt_tokens = 10,
                                              .output_tokens = 2};
    for (size_t i = 0; get_run(i, 256, 8192, 0, 0, &run); i++) {
        struct collected c;
        run_all(&run, requests, 5, &c);
        for (size_t j = 0; j < 5; j++)
            expect_end(&run, &c, j, arrivals_s[j] * 1000 + 10 + 10 + 11);
        collected_fini(&c);
    }
}

/* A prompt of 100,000 tokens is past the 2,048 of a step, the context of most models and the limit
 * of most tools. Every token of it costs its millisecond, and is read by both decode steps. */
Test(traps, prompts_are_never_truncated_silently)
{
    static const struct llmsim_request request = {.prompt_tokens = 100000, .output_tokens = 3};
    static const int64_t token_ms[] = {100000, 200011, 300023};
    struct trap_run run;
    for (size_t i = 0; get_run(i, 256, 2048, 0, 0, &run); i++) {
        struct collected c;
        uint64_t n_prefilled = 0;
        run_all(&run, &request, 1, &c);
        expect_tokens(&run, &c, 0, token_ms, 3);
        for (size_t j = 0; j < c.n_steps; j++)
            n_prefilled += c.steps[j].shape.prefill_tokens;
        cr_expect(n_prefilled == 100000 && c.totals.prompt_tokens == 100000, "%s", run.name);
        collected_fini(&c);
    }
}

/* Where it cannot be kept, that is said: it needs 100,002 places of KV memory, 6,251 blocks of 16.
 */
Test(traps, a_prompt_that_does_not_fit_is_rejected_not_truncated)
{
    static const struct llmsim_request request = {.prompt_tokens = 100000, .output_tokens = 3};
    static const int64_t token_ms[] = {100000, 200011, 300023};
    struct trap_run run;
    struct collected c;
    for (size_t i = 0; get_run(i, 256, 2048, 6251, 16, &run); i++) {
        run_all(&run, &request, 1, &c);
        expect_tokens(&run, &c, 0, token_ms, 3);
        collected_fini(&c);
    }
    for (size_t i = 0; get_run(i, 256, 2048, 6250, 16, &run); i++) {
        run_all(&run, &request, 1, &c);
        cr_expect(c.requests[0].result.outcome == LLMSIM_OUTCOME_REJECTED_TOO_LONG, "%s", run.name);
        cr_expect(c.totals.n_completed == 0 && c.n_steps == 0, "%s", run.name);
        collected_fini(&c);
    }
}

/* Alone it takes its prefill of 20. In a crowd it takes longer, but its end is still its first
 * token. */
Test(traps, a_one_token_request_s_e2e_equals_its_ttft)
{
    enum { N = 60 };
    struct llmsim_request requests[N] = {{.row = 0, .prompt_tokens = 20, .output_tokens = 1}};
    struct trap_run run;
    for (size_t i = 1; i < N; i++)
        requests[i] = (struct llmsim_request){.row = i,
                                              .arrival_ns = (int64_t)(1000 + 7 * i) * MS,
                                              .prompt_tokens = (uint32_t)(1 + i * 13 % 40),
                                              .output_tokens = i % 3 == 0 ? 1 : (uint32_t)i % 7};
    for (size_t i = 0; get_run(i, 8, 64, 0, 0, &run); i++) {
        struct collected c;
        run_all(&run, requests, N, &c);
        expect_end(&run, &c, 0, 20);
        for (size_t j = 0; j < N; j++) {
            const struct llmsim_result *r = &collected_row(&c, j)->result;
            cr_expect(requests[j].output_tokens != 1 ||
                          llmsim_result_e2e_ns(r) == llmsim_result_ttft_ns(r),
                      "%s: row %zu", run.name, j);
        }
        collected_fini(&c);
    }
}

/* 300 requests come within 0.3 s and take far longer. Prompts of 10 without a decode step: whatever
 * the batches, 3,000 tokens take 3,000 ms without a pause. One at a time with one decode step each:
 * 300 × (10 + 10 + 11). Nobody is lost or left behind, and the run goes on long after the last
 * arrival. */
Test(traps, a_saturated_run_still_ends_every_request)
{
    enum { N = 300 };
    struct llmsim_request requests[N];
    struct trap_run run;
    for (uint32_t n_output = 1; n_output <= 2; n_output++) {
        for (size_t i = 0; i < N; i++)
            requests[i] = (struct llmsim_request){.row = i,
                                                  .arrival_ns = (int64_t)i * MS,
                                                  .prompt_tokens = 10,
                                                  .output_tokens = n_output};
        for (size_t i = 0; get_run(i, n_output == 1 ? 7 : 1, 50, 0, 0, &run); i++) {
            struct collected c;
            run_all(&run, requests, N, &c);
            cr_expect(c.totals.n_completed == N && c.totals.output_tokens == N * n_output, "%s",
                      run.name);
            expect_end(&run, &c, N - 1, n_output == 1 ? 3000 : 300 * 31);
            collected_fini(&c);
        }
    }
}

/* And with KV memory for two of them at most, which preempt each other: prompts of 8 and 9 output
 * tokens need 4 blocks of 4; there are 6. */
Test(traps, a_saturated_run_that_preempts_still_ends_every_request)
{
    enum { N = 100 };
    struct llmsim_request requests[N];
    struct trap_run run;
    for (size_t i = 0; i < N; i++)
        requests[i] = (struct llmsim_request){
            .row = i, .arrival_ns = (int64_t)i * MS, .prompt_tokens = 8, .output_tokens = 9};
    for (size_t i = 0; get_run(i, 4, 50, 6, 4, &run); i++) {
        struct collected c;
        run_all(&run, requests, N, &c);
        cr_expect(c.totals.n_completed == N && c.totals.output_tokens == 9 * N, "%s", run.name);
        cr_expect(c.totals.n_preemptions > 0, "%s", run.name);
        collected_fini(&c);
    }
}

/* 4 blocks of 4 tokens; each prompt of 7 takes 2. The first decode step, 10 + 8 + 8, fills them; at
 * 40 row 1 gives its blocks away and is processed again when row 0 has ended at 59: 7 + 2 tokens,
 * to 68. With memory without limit both would go on together, 10 + 9 + 9 to 68. The two tokens that
 * row 1 had made are the same in both, and so is its TTFT. */
Test(traps, preemption_never_changes_what_was_already_emitted)
{
    static const struct llmsim_request requests[] = {
        {.row = 0, .prompt_tokens = 7, .output_tokens = 3},
        {.row = 1, .prompt_tokens = 7, .output_tokens = 4},
    };
    static const int64_t unlimited_0[] = {14, 40, 68}, unlimited_1[] = {14, 40, 68, 88};
    static const int64_t preempted_0[] = {14, 40, 59}, preempted_1[] = {14, 40, 68, 88};
    struct trap_run run;
    struct collected c;
    for (size_t i = 0; get_run(i, 256, 8192, 0, 0, &run); i++) {
        run_all(&run, requests, 2, &c);
        expect_tokens(&run, &c, 0, unlimited_0, 3);
        expect_tokens(&run, &c, 1, unlimited_1, 4);
        collected_fini(&c);
    }
    for (size_t i = 0; get_run(i, 256, 8192, 4, 4, &run); i++) {
        run_all(&run, requests, 2, &c);
        expect_tokens(&run, &c, 0, preempted_0, 3);
        expect_tokens(&run, &c, 1, preempted_1, 4);
        cr_expect(collected_row(&c, 0)->result.preemptions == 0, "%s", run.name);
        cr_expect(collected_row(&c, 1)->result.preemptions == 1, "%s", run.name);
        collected_fini(&c);
    }
    /* Swapped to the host and back at a byte a millisecond, a byte a token: it comes back later. */
    for (size_t i = 0; get_run(i, 256, 8192, 4, 4, &run); i++) {
        run.config.preemption = "swap";
        run.config.kv_bytes_per_token = 1;
        run.config.swap_bytes_per_s = 1000;
        run_all(&run, requests, 2, &c);
        const struct collected_request *r = collected_row(&c, 1);
        cr_expect(r->result.preemptions == 1 && r->result.outcome == LLMSIM_OUTCOME_COMPLETED &&
                      r->result.first_token_ns == 14 * MS && r->token_ns[0] == 14 * MS &&
                      r->token_ns[1] == 40 * MS && r->token_ns[2] > 59 * MS &&
                      r->token_ns[3] > r->token_ns[2],
                  "%s", run.name);
        collected_fini(&c);
    }
}

/* Of a request's tokens the last is never read, so a prompt of 4 and 5 output tokens take 8 places:
 * 2 blocks of 4, to the brim. Two such requests fill 4 blocks and nobody is preempted: the prefill
 * of 8, then steps of 10 + 5 + 5, and 2 more each. A sixth output token would need a third block.
 */
Test(traps, the_final_token_needs_no_kv_slot_of_its_own)
{
    struct llmsim_request requests[] = {{.row = 0, .prompt_tokens = 4, .output_tokens = 5},
                                        {.row = 1, .prompt_tokens = 4, .output_tokens = 5}};
    static const int64_t alone_ms[] = {4, 19, 35, 52, 70}, together_ms[] = {8, 28, 50, 74, 100};
    struct trap_run run;
    struct collected c;
    for (size_t i = 0; get_run(i, 256, 8192, 2, 4, &run); i++) {
        run_all(&run, requests, 1, &c);
        expect_tokens(&run, &c, 0, alone_ms, 5);
        collected_fini(&c);
    }
    for (size_t i = 0; get_run(i, 256, 8192, 4, 4, &run); i++) {
        run_all(&run, requests, 2, &c);
        expect_tokens(&run, &c, 0, together_ms, 5);
        expect_tokens(&run, &c, 1, together_ms, 5);
        cr_expect(c.totals.n_preemptions == 0, "%s", run.name);
        collected_fini(&c);
    }
    requests[0].output_tokens = 6;
    for (size_t i = 0; get_run(i, 256, 8192, 2, 4, &run); i++) {
        run_all(&run, requests, 1, &c);
        cr_expect(c.requests[0].result.outcome == LLMSIM_OUTCOME_REJECTED_TOO_LONG, "%s", run.name);
        collected_fini(&c);
    }
}
