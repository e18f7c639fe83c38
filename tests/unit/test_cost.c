/* The two-number model: published formula, exact sums, and the earlier tool's results. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#include "llmsim/cost.h"
#include "support/errors.h"

static struct llmsim_error err;

static struct llmsim_cost llama_13b_on_a6000(void)
{
    const struct llmsim_model model = {.name = "meta-llama/Llama-2-13b-hf",
                                       .num_hidden_layers = 40,
                                       .num_heads = 40,
                                       .model_size_GB = 26.0,
                                       .kvc_size_KB = 800};
    const struct llmsim_gpu gpu = {.name = "NVIDIA RTX A6000",
                                   .memory_cap_GB = 48,
                                   .memory_bw_GBps = 768,
                                   .memory_bw_util_percent = 60};
    struct llmsim_cost cost;
    cr_assert_eq(llmsim_cost_init_ptps(&cost, &model, &gpu, 4164.15309163167, NULL), LLMSIM_OK);
    return cost;
}

/* By hand: 460.8 GB/s, so C = 26/460.8 s and a KV token takes 819200/460.8e9 s; the prompt phase is
 * N/k. */
Test(cost, physical_values)
{
    struct llmsim_cost cost = llama_13b_on_a6000();
    struct llmsim_step_shape prefill = {.prefill_tokens = 374, .prefill_seqs = 1};
    cr_assert_float_eq(llmsim_time_to_seconds(llmsim_cost_step(&cost, &prefill)),
                       374 / 4164.15309163167, 1e-9 * 0.09);
    struct llmsim_step_shape decode = {.decode_seqs = 2, .context_tokens = 1000};
    cr_assert_float_eq(llmsim_time_to_seconds(llmsim_cost_step(&cost, &decode)),
                       26 / 460.8 + 1000 * 819200 / 460.8e9, 1e-9 * 0.06);
    struct llmsim_step_shape mixed = {
        .prefill_tokens = 374, .prefill_seqs = 1, .decode_seqs = 2, .context_tokens = 1000};
    cr_assert(llmsim_cost_step(&cost, &mixed) ==
              llmsim_cost_step(&cost, &prefill) + llmsim_cost_step(&cost, &decode));
}

/* The sum over the steps and its closed form are the same integer, whatever the coefficients; and
 * the published floating-point form agrees with them. */
Test(cost, closed_form_is_the_sum)
{
    struct llmsim_cost cost = llama_13b_on_a6000();
    for (uint32_t batch = 1; batch <= 256; batch += 51) {
        for (uint32_t prompt = 0; prompt <= 8000; prompt += 799) {
            struct llmsim_decode_run run =
                llmsim_cost_decode_run(&cost, batch, (uint64_t)batch * (prompt + 1));
            struct llmsim_closed_form form = llmsim_cost_closed_form(&cost, batch, prompt);
            llmsim_time sum = 0;
            for (uint32_t i = 1; i <= 1000; i++) {
                struct llmsim_step_shape step = {.decode_seqs = batch,
                                                 .context_tokens = (uint64_t)batch * (prompt + i)};
                sum += llmsim_cost_step(&cost, &step);
                cr_assert(sum == llmsim_decode_run_time(run, i));
            }
            double seconds = llmsim_time_to_seconds(sum);
            cr_assert_float_eq(llmsim_closed_form_decode_s(form, batch, 1000), seconds,
                               1e-9 * seconds);
        }
    }
}

Test(cost, unloaded_request)
{
    struct llmsim_cost cost = llama_13b_on_a6000();
    struct llmsim_step_shape prefill = {.prefill_tokens = 100, .prefill_seqs = 1};
    struct llmsim_step_shape first = {.decode_seqs = 1, .context_tokens = 101};
    struct llmsim_step_shape second = {.decode_seqs = 1, .context_tokens = 102};
    cr_assert(llmsim_cost_unloaded(&cost, 100, 0) == llmsim_cost_step(&cost, &prefill));
    cr_assert(llmsim_cost_unloaded(&cost, 100, 1) == llmsim_cost_step(&cost, &prefill));
    cr_assert(llmsim_cost_unloaded(&cost, 100, 3) == llmsim_cost_step(&cost, &prefill) +
                                                         llmsim_cost_step(&cost, &first) +
                                                         llmsim_cost_step(&cost, &second));
}

Test(cost, absurd_coefficients_are_refused)
{
    const struct llmsim_model model = {.name = "m",
                                       .num_hidden_layers = 1,
                                       .num_heads = 1,
                                       .model_size_GB = 26.0,
                                       .kvc_size_KB = 800};
    const struct llmsim_gpu gpu = {.name = "g",
                                   .memory_cap_GB = 1,
                                   .memory_bw_GBps = 768,
                                   .memory_bw_util_percent = 60},
                            slow = {.name = "g",
                                    .memory_cap_GB = 1,
                                    .memory_bw_GBps = 1e-3,
                                    .memory_bw_util_percent = 1};
    struct llmsim_cost cost;
    cr_assert_eq(llmsim_cost_init_ptps(&cost, &model, &gpu, 0.01, &err), LLMSIM_CATALOGUE);
    cr_assert_str_eq(err.message, "one prompt token takes 100 s: expected 0 to 1 s");
    cr_assert_eq(llmsim_cost_init_ptps(&cost, &model, &slow, 1000, &err), LLMSIM_CATALOGUE);
}

/* The earlier tool's 2,000 unloaded latencies, generated_tokens counting decode steps. Its TTFT is
 * ours. Its mean token latency takes i from 0 where formula 2 takes it from 1, and its KV term
 * turns KB into GB by 1024 twice and GB into bytes by 10^9. With m steps after a prompt of n
 * tokens: ours   C + (n + (m + 1)/2) · 800 · 1024 / BW theirs C + (n + (m - 1)/2) · 800 / 1024² ·
 * 10^9 / BW. */
Test(cost, earlier_tool)
{
    const char *path = LLMSIM_TEST_SHARED_DIR "/data/seed/unloaded_llama-2-13b_rtx-a6000.csv";
    FILE *f = fopen(path, "r");
    if (f == NULL)
        cr_skip_test("skipped: %s is not there", path);
    struct llmsim_cost cost = llama_13b_on_a6000();
    char line[256];
    size_t n_rows = 0;
    double sum_of_ratios = 0;
    cr_assert_not_null(fgets(line, sizeof line, f));
    for (; fgets(line, sizeof line, f) != NULL; n_rows++) {
        unsigned prompt, steps;
        double e2e, ttft, tbt;
        cr_assert_eq(sscanf(line, "%u,%u,%lf,%lf,%lf", &prompt, &steps, &e2e, &ttft, &tbt), 5);
        struct llmsim_step_shape prefill = {.prefill_tokens = prompt, .prefill_seqs = 1};
        double our_ttft = llmsim_time_to_seconds(llmsim_cost_step(&cost, &prefill));
        cr_assert_float_eq(our_ttft, ttft, 1e-9 * ttft);
        cr_assert_gt(steps, 0);
        struct llmsim_decode_run run = llmsim_cost_decode_run(&cost, 1, (uint64_t)prompt + 1);
        double our_tbt = llmsim_time_to_seconds(llmsim_decode_run_time(run, steps)) / steps;
        sum_of_ratios += our_tbt / tbt;
        double c = 26e9 / 460.8e9, kv = 800.0 * 1024 / 460.8e9;
        double ours = c + (prompt + (steps + 1) / 2.0) * kv;
        double theirs = c + (prompt + (steps - 1) / 2.0) * 800 / (1024 * 1024) * 1e9 / 460.8e9;
        cr_assert_float_eq(our_tbt, ours, 1e-9 * ours);
        cr_assert_float_eq(tbt, theirs, 1e-9 * theirs, "%s: theirs would be %.17g", line, theirs);
    }
    cr_assert_eq(n_rows, 2000);
    cr_assert_float_eq(sum_of_ratios / (double)n_rows, 1, 3e-3);
    (void)fclose(f);
}

/* 1 ms a prompt token, 10 ms + 1 ms a context token a decode step; then prefill twice and bandwidth
 * four times as fast, and 3 ms a step and 0.5 ms a new token on top. */
Test(cost, changes)
{
    const struct llmsim_model model = {
        .name = "m", .model_size_GB = 0.01, .kvc_size_KB = 1e6 / 1024};
    const struct llmsim_gpu gpu = {.name = "g", .memory_bw_GBps = 1, .memory_bw_util_percent = 100};
    const struct llmsim_cost_change change = {2, 4, 0.003, 0.0005};
    const struct llmsim_step_shape mixed = {
        .prefill_tokens = 100, .prefill_seqs = 1, .decode_seqs = 4, .context_tokens = 200};
    struct llmsim_cost cost, before;
    cr_assert_eq(llmsim_cost_init_ptps(&cost, &model, &gpu, 1000, NULL), LLMSIM_OK);
    cr_expect_eq(llmsim_time_to_ns(llmsim_cost_step(&cost, &mixed)), 310000000);
    before = cost;
    cr_assert_eq(llmsim_cost_apply(&cost, &change, NULL), LLMSIM_OK);
    /* 100 · 0.5 + 2.5 + 200 · 0.25 + 3 + 104 · 0.5 */
    cr_expect_eq(llmsim_time_to_ns(llmsim_cost_step(&cost, &mixed)), 157500000);
    /* A run of decode steps of the batch of 4: 2.5 + 50 + 3 + 2 the first, 1 more each. */
    struct llmsim_decode_run run = llmsim_cost_decode_run(&cost, 4, 200);
    cr_expect_eq(llmsim_time_to_ns(run.first), 57500000);
    cr_expect_eq(llmsim_time_to_ns((llmsim_time)run.increment), 1000000);
    /* So does the closed form: prompts of 49 tokens, so the first step reads 4 · 50. */
    struct llmsim_closed_form form = llmsim_cost_closed_form(&cost, 1, 49);
    cr_expect_float_eq(llmsim_closed_form_decode_s(form, 4, 10),
                       llmsim_time_to_seconds(llmsim_decode_run_time(run, 10)), 1e-9);
    /* No change is none, to the last bit; a change too far is refused, and changes nothing. */
    cr_assert_eq(llmsim_cost_apply(&before, &(struct llmsim_cost_change){1, 1, 0, 0}, NULL),
                 LLMSIM_OK);
    cr_expect_eq(llmsim_time_to_ns(llmsim_cost_step(&before, &mixed)), 310000000);
    expect_error(llmsim_cost_apply(&before, &(struct llmsim_cost_change){1, 1, -1, 0}, &err),
                 LLMSIM_CATALOGUE, &err, "the constant of a step takes -1 s: expected 0 to 1000 s");
    expect_error(llmsim_cost_apply(&before, &(struct llmsim_cost_change){1, 1, -NAN, 0}, &err),
                 LLMSIM_CATALOGUE, &err,
                 "the constant of a step is not a number: expected 0 to 1000 s");
    expect_error(llmsim_cost_apply(&before, &(struct llmsim_cost_change){1e-4, 1, 0, 0}, &err),
                 LLMSIM_CATALOGUE, &err, "one prompt token takes 10 s: expected 0 to 1 s");
    cr_expect_eq(llmsim_time_to_ns(llmsim_cost_step(&before, &mixed)), 310000000);
}

/* Four GPUs, 10 layers, width 1000, 1 GB/s and 5 us a message. An all-reduce is 6 messages, each of
 * 1000 / 4 elements of 2 bytes a token: 6 (5 us + 0.5 us a token), 20 of them a step: 600 us and
 * 60 us a token. What one GPU takes 310 ms for, they take a fourth of. */
Test(cost, more_gpus)
{
    struct llmsim_model model = {.name = "m",
                                 .num_hidden_layers = 10,
                                 .model_size_GB = 0.01,
                                 .kvc_size_KB = 1e6 / 1024,
                                 .hidden_size = 1000};
    struct llmsim_gpu gpu = {.name = "g",
                             .memory_bw_GBps = 1,
                             .memory_bw_util_percent = 100,
                             .link_bw = 1,
                             .link_latency_us = 5};
    const struct llmsim_step_shape mixed = {
        .prefill_tokens = 100, .prefill_seqs = 1, .decode_seqs = 4, .context_tokens = 200};
    struct llmsim_cost one, cost;
    cr_assert_eq(llmsim_cost_init_ptps(&one, &model, &gpu, 1000, NULL), LLMSIM_OK);
    cost = one;
    cr_assert_eq(llmsim_cost_extrapolate(&cost, 1, &model, &gpu, &err), LLMSIM_OK);
    cr_expect_eq(llmsim_time_to_ns(llmsim_cost_step(&cost, &mixed)), 310000000);
    cr_expect_eq(cost.extrapolated_gpus, 0);
    cr_assert_eq(llmsim_cost_extrapolate(&cost, 4, &model, &gpu, &err), LLMSIM_OK);
    cr_expect_eq(llmsim_time_to_ns(llmsim_cost_step(&cost, &mixed)),
                 310000000 / 4 + 600000 + 104 * 60000);
    cr_expect_eq(cost.extrapolated_gpus, 4);
    /* PCIe where there is no link of their own. */
    cost = one;
    gpu.link_bw = 0;
    gpu.pcie_bw = 2;
    cr_assert_eq(llmsim_cost_extrapolate(&cost, 4, &model, &gpu, &err), LLMSIM_OK);
    cr_expect_eq(llmsim_time_to_ns(llmsim_cost_step(&cost, &mixed)),
                 310000000 / 4 + 600000 + 104 * 30000);
    cost = one;
    gpu.pcie_bw = 0;
    expect_error(llmsim_cost_extrapolate(&cost, 4, &model, &gpu, &err), LLMSIM_CATALOGUE, &err,
                 "gpu.json has neither link_bw nor pcie_bw for g, one of which a replica of 4 GPUs "
                 "needs");
    model.hidden_size = 0;
    expect_error(llmsim_cost_extrapolate(&cost, 4, &model, &gpu, &err), LLMSIM_CATALOGUE, &err,
                 "model.json has no hidden_size for m, which a replica of 4 GPUs needs");
    cr_expect_eq(llmsim_time_to_ns(llmsim_cost_step(&cost, &mixed)), 310000000);
}
