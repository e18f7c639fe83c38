/* Preemption by swapping. A token's KV cache takes 1 ms to the host or back, a block of 4 so 4 ms.
 */
#include "support/hand_worked.h"

#define SWAP                                                                                       \
    .preemption = "swap", .kv_bytes_per_token = 1, .swap_bytes_per_s = 1000, .block_size = 4

/* 4 blocks of 4; each prompt of 7 takes 2. The prefill to 14; the first decode, 10 + 8 + 8, to 40,
 * fills all four. Both want a fifth: row 1, admitted last, goes to the host, 2 blocks, to 48. Row
 * 0: 10 + 9, to 67, its end; with it row 1 would not have fitted (2, 1 for its next token and 1 for
 * row 0's, of 2 that are free). Row 1 comes back, to 75, and goes on: 10 + 9, 10 + 10. */
Test(swap, out_and_back)
{
    hand_check(&(struct hand_case){.config = {SWAP, .num_gpu_blocks = 4},
                                   .n_rows = 2,
                                   .n_steps = 7,
                                   .rows = {{.prompt = 7, .output = 3, .token_ms = {14, 40, 67}},
                                            {.prompt = 7,
                                             .output = 4,
                                             .token_ms = {14, 40, 94, 114},
                                             .preemptions = 1,
                                             .preempted_ms = 35}},
                                   .steps = {{0, LLMSIM_STEP_PREFILL, 0, 14},
                                             {0, LLMSIM_STEP_DECODE, 14, 40},
                                             {0, LLMSIM_STEP_SWAP, 40, 48},
                                             {0, LLMSIM_STEP_DECODE, 48, 67},
                                             {0, LLMSIM_STEP_SWAP, 67, 75},
                                             {0, LLMSIM_STEP_DECODE, 75, 94},
                                             {0, LLMSIM_STEP_DECODE, 94, 114}}});
}

/* The same, and row 2 arrives at 41. From 48 on there is a block for its prompt, but row 1 is ahead
 * of it, to 75; then its prefill, to 79, while row 1's decode waits. */
Test(swap, nobody_is_admitted_before_those_who_come_back)
{
    hand_check(&(struct hand_case){
        .config = {SWAP, .num_gpu_blocks = 4},
        .n_rows = 3,
        .n_steps = 8,
        .rows = {
            {.prompt = 7, .output = 3, .token_ms = {14, 40, 67}},
            {.prompt = 7,
             .output = 4,
             .token_ms = {14, 40, 98, 118},
             .preemptions = 1,
             .preempted_ms = 35},
            {.arrival_ms = 41, .prompt = 4, .output = 1, .scheduled_ms = 75, .token_ms = {79}}}});
}

/* 6 blocks; three prompts of 7. Prefill to 21, decode 10 + 3 · 8 to 55, and row 2 goes out: 2
 * blocks, to 63. Rows 0 and 1: 10 + 18, 20, 22, 24, to 91, 121, 153, 187, when both have 12 tokens
 * in 3 blocks and want another: row 1 goes out, 3 blocks, to 199. Row 0: 10 + 13, to 222, its end.
 * Row 1, the last to go, is the first to come back, 3 blocks, to 234; row 2 does not fit beside it
 * (2, and 1 for the next token of each, of 3). Row 1: 10 + 13, to 257, its end. Row 2 comes back,
 * to 265: 10 + 9, 10 + 10. */
Test(swap, the_last_to_go_is_the_first_to_come_back)
{
    hand_check(&(struct hand_case){
        .config = {SWAP, .num_gpu_blocks = 6},
        .n_rows = 3,
        .n_steps = 14,
        .rows = {{.prompt = 7, .output = 7, .token_ms = {21, 55, 91, 121, 153, 187, 222}},
                 {.prompt = 7,
                  .output = 7,
                  .token_ms = {21, 55, 91, 121, 153, 187, 257},
                  .preemptions = 1,
                  .preempted_ms = 47},
                 {.prompt = 7,
                  .output = 4,
                  .token_ms = {21, 55, 284, 304},
                  .preemptions = 1,
                  .preempted_ms = 210}}});
}

/* 6 blocks, 1 of them the watermark; prompts of 3, 3 and 8 take 1, 1 and 2. Prefill to 14. Decode
 * 10
 * + 4 + 4 + 9, to 41: row 2 took a third block, and one is free. Rows 0 and 1 want one each, so row
 * 2 goes out, 3 blocks, to 53. Rows 0 and 1: 10 + 5 + 5, to 73, the end of row 1. 4 blocks are
 * free: enough for row 2 and the watermark, and nobody's next token wants one. It comes back, to
 * 85, and both go on: 10 + 6 + 10, to 111, the end of both. */
Test(swap, comes_back_beside_others)
{
    hand_check(
        &(struct hand_case){.config = {SWAP, .num_gpu_blocks = 6, .kv_watermark_blocks = 1},
                            .n_rows = 3,
                            .n_steps = 6,
                            .rows = {{.prompt = 3, .output = 4, .token_ms = {14, 41, 73, 111}},
                                     {.prompt = 3, .output = 3, .token_ms = {14, 41, 73}},
                                     {.prompt = 8,
                                      .output = 3,
                                      .token_ms = {14, 41, 111},
                                      .preemptions = 1,
                                      .preempted_ms = 44}}});
}

/* The same with a watermark of 2: at 73 3 + 2 > 4 keeps row 2 out. Row 0: 10 + 6, to 89, its end.
 * Nobody runs now, so the watermark does not count: back at 101; 10 + 10. */
Test(swap, does_not_come_back_into_the_watermark)
{
    hand_check(
        &(struct hand_case){.config = {SWAP, .num_gpu_blocks = 6, .kv_watermark_blocks = 2},
                            .n_rows = 3,
                            .n_steps = 7,
                            .rows = {{.prompt = 3, .output = 4, .token_ms = {14, 41, 73, 89}},
                                     {.prompt = 3, .output = 3, .token_ms = {14, 41, 73}},
                                     {.prompt = 8,
                                      .output = 3,
                                      .token_ms = {14, 41, 121},
                                      .preemptions = 1,
                                      .preempted_ms = 60}}});
}

/* Mixed, a budget of 3 tokens, 5 blocks of 2. Row 0's prompt of 2 and the first token of row 1's
 * prompt of 6, which takes 3 blocks, to 3. Row 0's decode and 2 more: 10 + 3 + 2, to 18; 10 + 4 +
 * 2, to 34. Row 0 has 4 tokens in 2 blocks and wants a third, and row 1, with 5 of 6 tokens done,
 * was admitted last. Half a prompt is not copied: row 1 begins anew when row 0 has ended, 10 + 5,
 * to 49, in chunks of 3. */
Test(swap, a_prompt_under_way_begins_anew)
{
    hand_check(&(struct hand_case){
        .config = {.policy = "mixed",
                   .max_num_batched_tokens = 3,
                   .preemption = "swap",
                   .kv_bytes_per_token = 1,
                   .swap_bytes_per_s = 1000,
                   .block_size = 2,
                   .num_gpu_blocks = 5},
        .n_rows = 2,
        .rows = {{.prompt = 2, .output = 4, .token_ms = {3, 18, 34, 49}},
                 {.prompt = 6, .output = 1, .token_ms = {55}, .preemptions = 1}},
        .n_steps = 6,
        .steps = {{0, LLMSIM_STEP_PREFILL, 0, 3},
                  {0, LLMSIM_STEP_MIXED, 3, 18},
                  {0, LLMSIM_STEP_MIXED, 18, 34},
                  {0, LLMSIM_STEP_DECODE, 34, 49},
                  {0, LLMSIM_STEP_PREFILL, 49, 52},
                  {0, LLMSIM_STEP_PREFILL, 52, 55}}});
}
