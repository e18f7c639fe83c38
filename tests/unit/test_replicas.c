/* Several replicas: where requests go, and what a prefill replica hands to a decode replica. */
#include "support/hand_worked.h"

/* One after the other: prompts of 10 and 30 share a step on replica 0, 20 and 40 one on replica 1.
 */
Test(replicas, round_robin)
{
    hand_check(&(struct hand_case){
        .config = {.n_replicas = 2},
        .n_rows = 4,
        .n_steps = 2,
        .rows = {{.prompt = 10, .output = 1, .token_ms = {40}},
                 {.prompt = 20, .output = 1, .token_ms = {60}, .replica = 1, .prefill_replica = 1},
                 {.prompt = 30, .output = 1, .token_ms = {40}},
                 {.prompt = 40, .output = 1, .token_ms = {60}, .replica = 1, .prefill_replica = 1}},
        .steps = {{0, LLMSIM_STEP_PREFILL, 0, 40}, {1, LLMSIM_STEP_PREFILL, 0, 60}}});
}

/* A call that failed in the trace goes nowhere, so row 2 is the second to be routed. */
Test(replicas, failed_calls_are_not_routed)
{
    hand_check(&(struct hand_case){
        .config = {.n_replicas = 2},
        .n_rows = 3,
        .n_steps = 2,
        .rows = {
            {.prompt = 10, .output = 1, .token_ms = {10}},
            {.prompt = 20,
             .output = 1,
             .is_failed = true,
             .outcome = LLMSIM_OUTCOME_FAILED_IN_TRACE},
            {.prompt = 30, .output = 1, .token_ms = {30}, .replica = 1, .prefill_replica = 1}}});
}

/* At 0 the first three find 0, 1 and 2 requests ahead of them: each sees those of its own time. Row
 * 2 ends at 20, before row 3 arrives at 20, so replica 2 is empty. At 25 all three have one: the
 * first gets row 4, which waits to 100. At 60 replicas 1 and 2 are empty: the first of them. */
Test(replicas, least_outstanding)
{
    hand_check(&(struct hand_case){
        .config = {.n_replicas = 3, .router = "least-outstanding"},
        .n_rows = 6,
        .n_steps = 6,
        .rows = {
            {.prompt = 100, .output = 1, .token_ms = {100}},
            {.prompt = 50, .output = 1, .token_ms = {50}, .replica = 1, .prefill_replica = 1},
            {.prompt = 20, .output = 1, .token_ms = {20}, .replica = 2, .prefill_replica = 2},
            {.arrival_ms = 20,
             .prompt = 10,
             .output = 1,
             .scheduled_ms = 20,
             .token_ms = {30},
             .replica = 2,
             .prefill_replica = 2},
            {.arrival_ms = 25, .prompt = 10, .output = 1, .scheduled_ms = 100, .token_ms = {110}},
            {.arrival_ms = 60,
             .prompt = 10,
             .output = 1,
             .scheduled_ms = 60,
             .token_ms = {70},
             .replica = 1,
             .prefill_replica = 1}}});
}

/* Tokens on replicas 0 and 1 when a request arrives: row 1: 100, 0. Row 2: 100, 60. Row 3: 100, 60
 * + 50. It is prefilled 100-110; row 0 then decodes, 10 + 101, to 221. Row 4 at 150: 100 + 1, 0.
 * Row 5 at 220: the step under way counts for nothing, so 101, 101, and the first gets it; it is
 * prefilled 221-226, and row 0's last token takes 10 + 102, to 338. Row 6 at 230: 100 + 2, 101; it
 * waits for row 4, to 251. */
Test(replicas, least_kv)
{
    hand_check(&(struct hand_case){
        .config = {.n_replicas = 2, .router = "least-kv"},
        .n_rows = 7,
        .n_steps = 9,
        .rows = {
            {.prompt = 100, .output = 3, .token_ms = {100, 221, 338}},
            {.arrival_ms = 1,
             .prompt = 60,
             .output = 1,
             .scheduled_ms = 1,
             .token_ms = {61},
             .replica = 1,
             .prefill_replica = 1},
            {.arrival_ms = 2,
             .prompt = 50,
             .output = 1,
             .scheduled_ms = 61,
             .token_ms = {111},
             .replica = 1,
             .prefill_replica = 1},
            {.arrival_ms = 3, .prompt = 10, .output = 1, .scheduled_ms = 100, .token_ms = {110}},
            {.arrival_ms = 150,
             .prompt = 101,
             .output = 1,
             .scheduled_ms = 150,
             .token_ms = {251},
             .replica = 1,
             .prefill_replica = 1},
            {.arrival_ms = 220, .prompt = 5, .output = 1, .scheduled_ms = 221, .token_ms = {226}},
            {.arrival_ms = 230,
             .prompt = 5,
             .output = 1,
             .scheduled_ms = 251,
             .token_ms = {256},
             .replica = 1,
             .prefill_replica = 1}}});
}

/* Where `n` requests went that all arrive at 0. */
static void route_all(const struct llmsim_replay_config *settings, const char *engine,
                      const struct llmsim_prefix *prefixes, const struct llmsim_request *requests,
                      size_t n, uint32_t *replicas)
{
    struct llmsim_replay_config config = *settings;
    struct llmsim_array_cursor cursor = {.requests = requests, .n = n, .prefixes = prefixes};
    struct collected c;
    config.cost = easy_cost();
    config.engine = engine;
    config.max_num_seqs = 256;
    config.max_num_batched_tokens = 8192;
    cr_assert_eq(collect_source(&config, llmsim_source_from_array(&cursor), &c, NULL), LLMSIM_OK);
    for (size_t i = 0; i < n; i++)
        replicas[i] = collected_row(&c, i)->result.replica;
    collected_fini(&c);
}

/* Of 400 requests each of 4 replicas gets about 100: the standard deviation of a count is √(400 · ¼
 * · ¾) = 8.7, and 40 is over four of them. Another seed gives another sequence, the same seed the
 * same, on either engine. */
Test(replicas, random_by_seed)
{
    enum { N = 400 };
    static struct llmsim_request requests[N];
    static uint32_t by_seed[3][N];
    const char *const engines[] = {"step", "fast", "fast"};
    for (size_t i = 0; i < N; i++)
        requests[i] = (struct llmsim_request){.row = i, .prompt_tokens = 1, .output_tokens = 1};
    for (size_t i = 0; i < 3; i++) {
        const struct llmsim_replay_config config = {
            .n_replicas = 4, .router = "random", .seed = i < 2 ? 7 : 8};
        size_t counts[4] = {0};
        route_all(&config, engines[i], NULL, requests, N, by_seed[i]);
        for (size_t j = 0; j < N; j++)
            counts[by_seed[i][j]]++;
        for (size_t j = 0; j < 4; j++)
            cr_expect(counts[j] > 60 && counts[j] < 140, "replica %zu got %zu", j, counts[j]);
    }
    cr_expect_arr_eq(by_seed[0], by_seed[1], sizeof by_seed[0]);
    cr_expect_arr_neq(by_seed[0], by_seed[2], sizeof by_seed[0]);
}

/* Units of one block of 4. The prompt of row 0 leaves units 1 and 2 on replica 0, which is idle
 * from 9 on. At 20 rows 1 and 2 go after them, although replica 1 has nothing to do, and compute
 * one token each, in one step; of row 3 nobody has anything, so it goes where there are fewer. */
Test(replicas, prefix_affinity)
{
    static const uint64_t old_ids[] = {1, 2, 3}, new_ids[] = {7, 8, 9};
    static const struct llmsim_prefix prefixes[] = {{0}, {old_ids, 3, 4}, {new_ids, 3, 4}};
    hand_check(
        &(struct hand_case){.config = {.n_replicas = 2,
                                       .router = "prefix-affinity",
                                       .num_gpu_blocks = 100,
                                       .block_size = 4,
                                       .enable_prefix_caching = true},
                            .prefixes = prefixes,
                            .n_rows = 4,
                            .n_steps = 3,
                            .rows = {{.prompt = 9, .output = 1, .prefix = 1, .token_ms = {9}},
                                     {.arrival_ms = 20,
                                      .prompt = 9,
                                      .output = 1,
                                      .prefix = 1,
                                      .scheduled_ms = 20,
                                      .token_ms = {22},
                                      .cached_tokens = 8},
                                     {.arrival_ms = 20,
                                      .prompt = 9,
                                      .output = 1,
                                      .prefix = 1,
                                      .scheduled_ms = 20,
                                      .token_ms = {22},
                                      .cached_tokens = 8},
                                     {.arrival_ms = 20,
                                      .prompt = 9,
                                      .output = 1,
                                      .prefix = 2,
                                      .scheduled_ms = 20,
                                      .token_ms = {29},
                                      .replica = 1,
                                      .prefill_replica = 1}}});
}

/* Row 0 leaves its prefix on replica 0. `n_plain` requests without one then go to both in turn, and
 * others with the prefix to replica 0, as long as that has at most 32 more than replica 1, or at
 * most 1.5 times as many.
 *
 * From 0 and 0: 33 are let in, as the last of them finds 32; then replica 1 gets one (33 > 0 + 32),
 * replica 0 one (33 is not over 1 + 32), replica 1 (34 > 33), and so on in turn.
 * From 150 and 150: as long as it has at most 225, so 76 are let in. 226 is over that, and goes to
 * replica 1; 226 is not over 1.5 · 151 = 226.5; 227 is; 227 is not over 1.5 · 152 = 228, nor is
 * 228; 229 is. */
Test(replicas, prefix_affinity_keeps_a_balance)
{
    enum { MOST = 400 };
    static const uint64_t ids[] = {1, 2, 3};
    static const struct llmsim_prefix prefixes[] = {{0}, {ids, 3, 4}};
    static const struct {
        size_t n_plain, n_first;
        const char *then;
    } cases[] = {{0, 33, "1010101"}, {300, 76, "1010010"}};
    const struct llmsim_replay_config config = {.n_replicas = 2,
                                                .router = "prefix-affinity",
                                                .num_gpu_blocks = 10000,
                                                .block_size = 4,
                                                .enable_prefix_caching = true};
    const char *const engines[] = {"step", "fast"};
    for (size_t i = 0; i < 4; i++) {
        static struct llmsim_request requests[MOST];
        static uint32_t replicas[MOST];
        size_t n_plain = cases[i / 2].n_plain, n_first = cases[i / 2].n_first;
        size_t n_then = strlen(cases[i / 2].then), n = 1 + n_plain + n_first + n_then;
        for (size_t j = 0; j < n; j++)
            requests[j] = (struct llmsim_request){.row = j,
                                                  .arrival_ns = j > 0 ? 100 * MS : 0,
                                                  .prompt_tokens = 9,
                                                  .output_tokens = 1,
                                                  .prefix = j == 0 || j > n_plain};
        route_all(&config, engines[i % 2], prefixes, requests, n, replicas);
        for (size_t j = 1; j <= n_plain; j++)
            cr_expect_eq(replicas[j], (j + 1) % 2, "plain %zu", j);
        for (size_t j = 1 + n_plain; j < 1 + n_plain + n_first; j++)
            cr_expect_eq(replicas[j], 0, "request %zu", j);
        for (size_t j = 0; j < n_then; j++)
            cr_expect_eq(replicas[n - n_then + j], (uint32_t)(cases[i / 2].then[j] - '0'),
                         "request %zu of %zu", n - n_then + j, n);
    }
}

/* A token's KV cache takes 1 ms over the link. */
#define LINK .kv_bytes_per_token = 1, .link_bytes_per_s = 1000

/* The prompts of 10, 20 and 5 are one step, to 35, of which all have a first token; row 2 has no
 * other and ends there. Over the link row 0 goes 35-45 and is there 5 ms later, at 50; row 1 goes
 * 45-65, not waiting for that latency, and is there at 70. Row 0 decodes on replica 1: 10 + 11, 10
 * + 12; row 1 on replica 2: 10 + 21. */
Test(replicas, link_is_first_in_first_out)
{
    hand_check(&(struct hand_case){
        .config = {.prefill_replicas = 1, .decode_replicas = 2, LINK, .link_latency_s = 0.005},
        .n_rows = 3,
        .n_steps = 4,
        .rows =
            {{.prompt = 10, .output = 3, .token_ms = {35, 71, 93}, .replica = 1, .transfer_ms = 15},
             {.prompt = 20, .output = 2, .token_ms = {35, 101}, .replica = 2, .transfer_ms = 35},
             {.prompt = 5, .output = 1, .token_ms = {35}}},
        .steps = {{0, LLMSIM_STEP_PREFILL, 0, 35},
                  {1, LLMSIM_STEP_DECODE, 50, 71},
                  {2, LLMSIM_STEP_DECODE, 70, 101},
                  {1, LLMSIM_STEP_DECODE, 71, 93}}});
}

/* Row 0 is prefilled 0-10 and there at 20; row 1 is prefilled 10-20 and there at 30, while row 0
 * decodes 20-41. It joins at 41: both, 10 + 12 + 11, to 74; row 0 alone, 10 + 13, to 97. */
Test(replicas, a_moved_request_joins_at_a_step_boundary)
{
    hand_check(&(struct hand_case){.config = {.prefill_replicas = 1, .decode_replicas = 1, LINK},
                                   .n_rows = 2,
                                   .n_steps = 5,
                                   .rows = {{.prompt = 10,
                                             .output = 4,
                                             .token_ms = {10, 41, 74, 97},
                                             .replica = 1,
                                             .transfer_ms = 10},
                                            {.arrival_ms = 1,
                                             .prompt = 10,
                                             .output = 2,
                                             .scheduled_ms = 10,
                                             .token_ms = {20, 74},
                                             .replica = 1,
                                             .transfer_ms = 21}}});
}

/* 3 blocks of 4 on each replica; a prompt of 8 takes 2. Row 0 is prefilled 0-8, and its KV cache is
 * away at 18: 8 on the link and 2 of latency. Only then are there blocks for row 1: 18-26, and
 * there at 36. Row 0 decodes 10 + 9, to 37, with 3 blocks, all that replica 1 has, so row 1 joins
 * at 37. */
Test(replicas, kv_blocks_stay_until_the_transfer_is_over)
{
    hand_check(&(struct hand_case){
        .config = {.prefill_replicas = 1,
                   .decode_replicas = 1,
                   LINK,
                   .link_latency_s = 0.002,
                   .num_gpu_blocks = 3,
                   .block_size = 4},
        .n_rows = 2,
        .n_steps = 4,
        .rows = {{.prompt = 8, .output = 2, .token_ms = {8, 37}, .replica = 1, .transfer_ms = 10},
                 {.prompt = 8,
                  .output = 2,
                  .scheduled_ms = 18,
                  .token_ms = {26, 56},
                  .replica = 1,
                  .transfer_ms = 11}}});
}

/* Row 0 ends on replica 1 at 41, when the prefill of row 1 on replica 0 ends too, 10-41. All that
 * ends at 41 has ended before row 1 is routed: both decode replicas are empty, and it goes to the
 * first. It is there at 72: 10 + 32, 10 + 33. */
Test(replicas, the_decode_replica_is_chosen_when_all_steps_of_that_time_have_ended)
{
    hand_check(&(struct hand_case){
        .config =
            {.prefill_replicas = 1, .decode_replicas = 2, LINK, .router = "least-outstanding"},
        .n_rows = 2,
        .n_steps = 5,
        .rows = {{.prompt = 10, .output = 2, .token_ms = {10, 41}, .replica = 1, .transfer_ms = 10},
                 {.arrival_ms = 1,
                  .prompt = 31,
                  .output = 3,
                  .scheduled_ms = 10,
                  .token_ms = {41, 114, 157},
                  .replica = 1,
                  .transfer_ms = 31}}});
}

/* 4 blocks of 4; both prompts of 7 are prefilled 0-14, and the KV caches come at 21 and 28. Row 0
 * decodes 21-39 (10 + 8) and then wants a third block, so row 1, which needs 2, does not fit before
 * row 0 has ended, at 58 (10 + 9). */
Test(replicas, a_moved_request_waits_for_blocks)
{
    hand_check(&(struct hand_case){
        .config = {.prefill_replicas = 1,
                   .decode_replicas = 1,
                   LINK,
                   .num_gpu_blocks = 4,
                   .block_size = 4},
        .n_rows = 2,
        .n_steps = 4,
        .rows = {
            {.prompt = 7, .output = 3, .token_ms = {14, 39, 58}, .replica = 1, .transfer_ms = 7},
            {.prompt = 7, .output = 2, .token_ms = {14, 76}, .replica = 1, .transfer_ms = 44}}});
}

/* 5 blocks, prompts of 7 and 6, prefilled 0-13; over the link 13-20 and 20-26. Row 0 decodes 20-38
 * (10 + 8) and then wants a third block; row 1 brings 2 and joins at 38: 10 + 9 + 7, to 64. 10 + 10
 * + 8, to 92: row 1 has filled its blocks, 8 tokens, and there is no third. It came last and is
 * preempted, with 3 tokens. Row 0: 10 + 11, to 113, its end. Row 1 is processed again on the decode
 * replica: 6 + 3 tokens, to 122, its fourth token and end. */
Test(replicas, a_request_preempted_on_a_decode_replica_is_processed_again_there)
{
    hand_check(&(struct hand_case){.config = {.prefill_replicas = 1,
                                              .decode_replicas = 1,
                                              LINK,
                                              .num_gpu_blocks = 5,
                                              .block_size = 4},
                                   .n_rows = 2,
                                   .n_steps = 6,
                                   .rows = {{.prompt = 7,
                                             .output = 5,
                                             .token_ms = {13, 38, 64, 92, 113},
                                             .replica = 1,
                                             .transfer_ms = 7},
                                            {.prompt = 6,
                                             .output = 4,
                                             .token_ms = {13, 64, 92, 122},
                                             .replica = 1,
                                             .preemptions = 1,
                                             .transfer_ms = 25,
                                             .preempted_ms = 30}},
                                   .steps = {{0, LLMSIM_STEP_PREFILL, 0, 13},
                                             {1, LLMSIM_STEP_DECODE, 20, 38},
                                             {1, LLMSIM_STEP_DECODE, 38, 64},
                                             {1, LLMSIM_STEP_DECODE, 64, 92},
                                             {1, LLMSIM_STEP_DECODE, 92, 113},
                                             {1, LLMSIM_STEP_PREFILL, 113, 122}}});
}
