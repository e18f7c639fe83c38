/* Measured runs: reading them, comparing with them, and tuning to them. Every expected number is
 * worked out by hand beside it. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "llmsim/llmsim.h"
#include "support/errors.h"
#include "support/files.h"

#define MS INT64_C(1000000)

static char *scratch;
static struct llmsim_error err;

static void enter_scratch(void)
{
    scratch = scratch_dir();
    cr_assert_eq(chdir(scratch), 0);
}

static void leave_scratch(void)
{
    cr_assert_eq(chdir("/"), 0);
    remove_dir(scratch);
}

TestSuite(validate, .init = enter_scratch, .fini = leave_scratch);

/* ---- reading ---- */

static enum llmsim_status open_text(struct llmsim_measured_run *run, const char *text,
                                    const struct llmsim_measured_options *options)
{
    static const struct llmsim_measured_options usual;
    write_text(".", "m.csv", text);
    return llmsim_measured_open(run, "m.csv", options != NULL ? options : &usual, &err);
}

/* Any order of columns, others between them, arrivals out of order, two of the same time; a row
 * without latencies; a TPOT that follows from the others: (30 - 10) / (3 - 1) ms. */
Test(validate, reads_by_name)
{
    struct llmsim_measured_run run;
    cr_assert_eq(open_text(&run,
                           "\xEF\xBB\xBFnote,e2e_ms,ttft_ms,output_tokens,input_tokens,queued_s\n"
                           "\n"
                           "a,30,10,3,100,2.5\n"
                           "b,,,7,50,0.25\r\n"
                           "\"c,c\",12.5,12.5,1,60,2.5\n",
                           NULL),
                 LLMSIM_OK, "%s", err.message);
    cr_assert_eq(run.n, 3);
    static const int64_t arrivals_ns[] = {250 * MS, 2500 * MS, 2500 * MS};
    static const uint64_t rows[] = {1, 0, 2};
    static const uint32_t prompts[] = {50, 100, 60}, outputs[] = {7, 3, 1};
    static const int64_t ttfts_ns[] = {-1, 10 * MS, 12500000}, e2es_ns[] = {-1, 30 * MS, 12500000},
                         tpots_ns[] = {-1, 10 * MS, -1};
    for (size_t i = 0; i < 3; i++) {
        cr_expect_eq(run.requests[i].row, i);
        cr_expect_eq(run.requests[i].arrival_ns, arrivals_ns[i]);
        cr_expect_eq(run.requests[i].prompt_tokens, prompts[i]);
        cr_expect_eq(run.requests[i].output_tokens, outputs[i]);
        cr_expect_eq(run.requests[i].deadline_ns, LLMSIM_NO_DEADLINE);
        cr_expect_eq(run.rows[i], rows[i]);
        cr_expect_eq(run.latencies[i].ttft_ns, ttfts_ns[i]);
        cr_expect_eq(run.latencies[i].tpot_ns, tpots_ns[i]);
        cr_expect_eq(run.latencies[i].e2e_ns, e2es_ns[i]);
    }
    llmsim_measured_close(&run);
}

Test(validate, reads_named_columns)
{
    struct llmsim_measured_run run;
    const struct llmsim_measured_options options = {
        .columns = {"at_ms", "in", "out", "first_s", "gap_ms", "all_s"}};
    cr_assert_eq(
        open_text(&run, "in,out,at_ms,first_s,gap_ms,all_s\n5,2,1500,0.5,20,0.6\n", &options),
        LLMSIM_OK, "%s", err.message);
    cr_expect_eq(run.requests[0].arrival_ns, 1500 * MS);
    cr_expect_eq(run.latencies[0].ttft_ns, 500 * MS);
    cr_expect_eq(run.latencies[0].tpot_ns, 20 * MS); /* as measured, not (0.6 - 0.5) / 1 */
    cr_expect_eq(run.latencies[0].e2e_ns, 600 * MS);
    /* printf 'in,out,at_ms,first_s,gap_ms,all_s\n5,2,1500,0.5,20,0.6\n' | sha256sum */
    cr_expect_str_eq(run.sha256,
                     "a3bf246b854049bb3bfb71a715e4352e5b0dd541e712cbdc6d205eb1ddd5df87");
    llmsim_measured_close(&run);
}

#define HEADER "arrival_s,prompt_tokens,output_tokens,ttft_s,e2e_s\n"

Test(validate, malformed_runs)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", "m.csv:1:1: the file is empty; expected a header with the names of its columns"},
        {HEADER, "m.csv: no data row; expected one or more"},
        {"arrival_s,prompt_tokens,ttft_s,e2e_s\n1,1,1,1\n",
         "m.csv:1:1: the header has no column output_tokens for the output tokens"},
        {"prompt_tokens,output_tokens,ttft_s,e2e_s\n1,1,1,1\n",
         "m.csv:1:1: the header has no column queued_s,arrival_s for the arrival"},
        {"a,b,a\n1,1,1\n", "m.csv:1:5: column a is repeated; expected it once"},
        {HEADER "1,2,3,4\n", "m.csv:2:8: row has 4 fields; expected 5, as in the header"},
        {HEADER "1,2,3,4,5,6\n", "m.csv:2:11: row has 6 fields; expected 5, as in the header"},
        {HEADER "0,1,1,1,1\n0,1,x,1,1\n",
         "m.csv:3:5: output_tokens 'x' is not a whole number; expected a whole number from 0 to "
         "1000000000"},
        {HEADER "-1,1,1,1,1\n",
         "m.csv:2:1: arrival_s '-1' is negative; expected 0 or more seconds"},
        {HEADER ",1,1,1,1\n", "m.csv:2:1: arrival_s is empty; expected seconds, such as 12.5"},
        {HEADER "1,1,1,nan,1\n",
         "m.csv:2:7: ttft_s 'nan' is not a number; expected seconds, such as 12.5"},
        {HEADER "1,1,1,2,1.5\n", "m.csv:2:9: e2e_s '1.5' is less than the time to first token"},
        {HEADER "1,1,1,\"2,1.5\n",
         "m.csv:2:7: quoted field does not end; expected a closing quote on the same line"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct llmsim_measured_run run;
        expect_error(open_text(&run, cases[i].text, NULL), LLMSIM_TRACE, &err, cases[i].expected);
        cr_expect_null(run.requests);
    }
}

Test(validate, a_time_needs_a_unit)
{
    struct llmsim_measured_run run;
    const struct llmsim_measured_options options = {.columns = {[LLMSIM_MEASURED_TTFT] = "ttft"}};
    expect_error(open_text(&run, HEADER "1,1,1,1,1\n", &options), LLMSIM_USAGE, &err,
                 "column 'ttft' of the time to first token: expected a name that ends in _s or "
                 "_ms, the unit");
    expect_error(llmsim_measured_open(&run, "no.csv", &options, &err), LLMSIM_IO, &err,
                 "no.csv: cannot open: No such file or directory");
}

/* ---- comparing ---- */

/* Means 2.5 and 2.65; p50 between the second and the third; p90 at 0.9 · 3 = 2.7: 3 + 0.7 · 1 and
 * 3.3 + 0.7 · 1.1; p99 at 2.97. Each request is 10 % off, by 0.1, 0.2, 0.3 and 0.4 s. The fifth and
 * the sixth lack one side; what lies outside of the span does not count. */
Test(validate, compares)
{
    const struct llmsim_latencies measured[] = {
        {.ttft_ns = 99},    {1000 * MS, -1, 0}, {2000 * MS, -1, 0}, {3000 * MS, -1, 0},
        {4000 * MS, -1, 0}, {-1, -1, 0},        {5000 * MS, -1, 0}};
    const struct llmsim_latencies simulated[] = {
        {.ttft_ns = 99},   {1100 * MS, 1, 0}, {1800 * MS, 1, 0}, {3300 * MS, 1, 0},
        {4400 * MS, 1, 5}, {5000 * MS, 1, 0}, {-1, 1, 0}};
    static const double m[] = {2.5, 2.5, 3.7, 3.97}, s[] = {2.65, 2.55, 4.07, 4.367},
                        e[] = {6, 2, 10, 10};
    const struct llmsim_span span = {1, 7};
    struct llmsim_comparison c;
    cr_assert_eq(llmsim_compare(measured, simulated, span, LLMSIM_METRIC_TTFT, &c, &err),
                 LLMSIM_OK);
    cr_expect_eq(c.n, 4);
    for (size_t i = 0; i < LLMSIM_N_COMPARED; i++) {
        cr_expect_float_eq(c.measured_s[i], m[i], 1e-12);
        cr_expect_float_eq(c.simulated_s[i], s[i], 1e-12);
        cr_expect_float_eq(llmsim_error_percent(&c, (enum llmsim_compared)i), e[i], 1e-9);
    }
    cr_expect_float_eq(c.mean_absolute_error_s, 0.25, 1e-12);
    cr_expect_float_eq(c.mape_percent, 10, 1e-9);
    /* Nothing measured; and measured as 0, of which nothing is a share. */
    cr_assert_eq(llmsim_compare(measured, simulated, span, LLMSIM_METRIC_TPOT, &c, &err),
                 LLMSIM_OK);
    cr_expect_eq(c.n, 0);
    cr_expect_eq(llmsim_error_percent(&c, LLMSIM_COMPARED_MEAN), 0);
    cr_assert_eq(llmsim_compare(measured, simulated, span, LLMSIM_METRIC_E2E, &c, &err), LLMSIM_OK);
    cr_expect_eq(c.n, 6);
    cr_expect_eq(c.mape_percent, 0);
    cr_expect_eq(llmsim_error_percent(&c, LLMSIM_COMPARED_MEAN), 0);
}

/* ---- replaying ---- */

/* 1 ms a prompt token; 10 ms and 1 ms for each context token a decode step. */
static struct llmsim_replay_config config(void)
{
    const struct llmsim_model model = {
        .name = "m", .model_size_GB = 0.01, .kvc_size_KB = 1e6 / 1024};
    const struct llmsim_gpu gpu = {.name = "g", .memory_bw_GBps = 1, .memory_bw_util_percent = 100};
    struct llmsim_replay_config c = {.max_num_seqs = 8, .max_num_batched_tokens = 1000};
    cr_assert_eq(llmsim_cost_init_ptps(&c.cost, &model, &gpu, 1000, &err), LLMSIM_OK);
    return c;
}

/* Alone: 10 prompt tokens 10 ms, then decodes that read 11 and 12 tokens, 21 and 22 ms. With
 * prefill five and bandwidth two times as fast, 2 ms a step more and 7 ms outside: 2 + 2 ms for the
 * prompt, then 10.5 + 2 and 11 + 2 ms. */
Test(validate, replays_and_tunes)
{
    struct llmsim_measured_run run;
    struct llmsim_latencies s[3];
    const struct llmsim_replay_config c = config();
    struct llmsim_tuning tuning = llmsim_tuning_none();
    cr_assert_eq(open_text(&run, HEADER "0,10,3,,\n5,5,1,,\n9,10,0,,\n", NULL), LLMSIM_OK);
    cr_assert_eq(llmsim_validate_replay(&c, &run, s, &err), LLMSIM_OK);
    cr_expect_eq(s[0].ttft_ns, 10 * MS);
    cr_expect_eq(s[0].tpot_ns, 21500000);
    cr_expect_eq(s[0].e2e_ns, 53 * MS);
    cr_expect_eq(s[1].ttft_ns, 5 * MS);
    cr_expect_eq(s[1].tpot_ns, LLMSIM_NOT_MEASURED);
    cr_expect_eq(s[1].e2e_ns, 5 * MS);
    cr_expect_eq(s[2].ttft_ns, LLMSIM_NOT_MEASURED);
    cr_expect_eq(s[2].e2e_ns, 10 * MS);
    struct llmsim_latencies again[3];
    cr_assert_eq(llmsim_validate_tuned(&c, &run, &tuning, again, &err), LLMSIM_OK);
    cr_expect_arr_eq(again, s, sizeof s);
    tuning.values[LLMSIM_TUNABLE_OVERHEAD] = 0.007;
    tuning.values[LLMSIM_TUNABLE_STEP] = 0.002;
    tuning.values[LLMSIM_TUNABLE_BW] = 2;
    tuning.values[LLMSIM_TUNABLE_PTPS] = 5;
    cr_assert_eq(llmsim_validate_tuned(&c, &run, &tuning, s, &err), LLMSIM_OK);
    cr_expect_eq(s[0].ttft_ns, 11 * MS);
    cr_expect_eq(s[0].tpot_ns, 12750000);
    cr_expect_eq(s[0].e2e_ns, 36500000);
    cr_expect_eq(s[2].ttft_ns, LLMSIM_NOT_MEASURED);
    cr_expect_eq(s[2].e2e_ns, 11 * MS);
    llmsim_measured_close(&run);
}

/* The second prompt has 64 tokens, four blocks, of the first's; the third 70, of which four blocks
 * are whole; the fourth all of its 32, of which one token is computed in any case, so a block. At 1
 * ms a prompt token. */
Test(validate, cached_tokens_are_found)
{
    struct llmsim_measured_run run;
    struct llmsim_latencies s[4];
    struct llmsim_replay_config c = config();
    const struct llmsim_measured_options options = {
        .columns = {[LLMSIM_MEASURED_CACHED] = "cached"}};
    static const char header[] = "arrival_s,prompt_tokens,output_tokens,ttft_s,e2e_s,cached\n";
    char text[512];
    (void)snprintf(text, sizeof text, "%s0,100,1,,,0\n5,100,1,,,64\n9,80,1,,,70\n12,32,1,,,32\n",
                   header);
    c.num_gpu_blocks = 1000;
    c.block_size = 16;
    c.enable_prefix_caching = true;
    cr_assert_eq(open_text(&run, text, &options), LLMSIM_OK, "%s", err.message);
    cr_assert_eq(llmsim_validate_replay(&c, &run, s, &err), LLMSIM_OK, "%s", err.message);
    static const int64_t ttfts_ms[] = {100, 36, 16, 16};
    for (size_t i = 0; i < 4; i++)
        cr_expect_eq(s[i].ttft_ns, ttfts_ms[i] * MS, "%zu: %lld", i, (long long)s[i].ttft_ns);
    /* Without the cache they are read and not used. */
    c.enable_prefix_caching = false;
    cr_assert_eq(llmsim_validate_replay(&c, &run, s, &err), LLMSIM_OK, "%s", err.message);
    cr_expect_eq(s[1].ttft_ns, 100 * MS);
    llmsim_measured_close(&run);
    (void)snprintf(text, sizeof text, "%s0,100,1,,,101\n", header);
    expect_error(open_text(&run, text, &options), LLMSIM_TRACE, &err,
                 "m.csv:2:11: cached '101' is more than the prompt has");
    (void)snprintf(text, sizeof text, "%s3,100,1,,,16\n5,100,1,,,0\n", header);
    expect_error(open_text(&run, text, &options), LLMSIM_TRACE, &err,
                 "m.csv: data row 0: 16 cached tokens, but no request before it has as long a "
                 "prompt");
}

/* What a tuned model made is found again by the search, from the first half of it, and then
 * predicts the other half. */
Test(validate, calibration_finds_what_was_hidden)
{
    struct llmsim_measured_run run;
    struct llmsim_calibration found;
    struct llmsim_latencies predicted[40];
    const struct llmsim_replay_config c = config();
    struct llmsim_tuning hidden = llmsim_tuning_none();
    char text[4096] = HEADER;
    for (int i = 0; i < 40; i++)
        (void)sprintf(text + strlen(text), "%d.%d,%d,%d,,\n", i / 2, 5 * (i % 2), 20 + 37 * i % 50,
                      5 + 23 * i % 30);
    cr_assert_eq(open_text(&run, text, NULL), LLMSIM_OK);
    hidden.values[LLMSIM_TUNABLE_OVERHEAD] = 0.015;
    hidden.values[LLMSIM_TUNABLE_STEP] = 0.004;
    hidden.values[LLMSIM_TUNABLE_BW] = 1.3;
    hidden.values[LLMSIM_TUNABLE_PTPS] = 0.8;
    cr_assert_eq(llmsim_validate_tuned(&c, &run, &hidden, run.latencies, &err), LLMSIM_OK);
    cr_assert_eq(llmsim_calibrate(&c, &run, (struct llmsim_span){0, 20},
                                  (1u << LLMSIM_N_TUNABLES) - 1, &found, &err),
                 LLMSIM_OK, "%s", err.message);
    cr_expect_gt(found.loss_before, 0.05);
    cr_expect_lt(found.loss, 0.002);
    for (size_t i = 0; i < LLMSIM_N_TUNABLES; i++)
        cr_expect_float_eq(found.tuning.values[i], hidden.values[i], 0.05 * hidden.values[i],
                           "%s: %g, hidden %g", llmsim_tunable_choice(i)->name,
                           found.tuning.values[i], hidden.values[i]);
    cr_assert_eq(llmsim_validate_tuned(&c, &run, &found.tuning, predicted, &err), LLMSIM_OK);
    for (size_t i = 0; i < LLMSIM_N_METRICS; i++) {
        struct llmsim_comparison compared;
        cr_assert_eq(llmsim_compare(run.latencies, predicted, (struct llmsim_span){20, 40},
                                    (enum llmsim_metric)i, &compared, &err),
                     LLMSIM_OK);
        cr_expect_lt(compared.mape_percent, 0.5);
    }
    /* Twice the same. */
    struct llmsim_calibration again;
    cr_assert_eq(llmsim_calibrate(&c, &run, (struct llmsim_span){0, 20},
                                  (1u << LLMSIM_N_TUNABLES) - 1, &again, &err),
                 LLMSIM_OK);
    cr_expect_arr_eq(again.tuning.values, found.tuning.values, sizeof found.tuning.values);
    cr_expect(again.loss == found.loss && again.n_replays == found.n_replays);
    llmsim_measured_close(&run);
}

Test(validate, calibration_needs_something)
{
    struct llmsim_measured_run run;
    struct llmsim_calibration found;
    const struct llmsim_replay_config c = config();
    cr_assert_eq(open_text(&run, HEADER "0,10,3,,\n5,5,1,1,2\n", NULL), LLMSIM_OK);
    expect_error(llmsim_calibrate(&c, &run, (struct llmsim_span){0, 2}, 0, &found, &err),
                 LLMSIM_USAGE, &err, "nothing to tune was named");
    expect_error(llmsim_calibrate(&c, &run, (struct llmsim_span){0, 1}, 1, &found, &err),
                 LLMSIM_USAGE, &err, "nothing was measured to calibrate on");
    llmsim_measured_close(&run);
}

/* ---- writing ---- */

Test(validate, writes_requests)
{
    struct llmsim_measured_run run;
    struct llmsim_latencies s[2] = {{10 * MS, -1, 53 * MS}, {-1, -1, -1}};
    cr_assert_eq(open_text(&run, HEADER "5,5,1,1,2\n0,10,3,0.25,0.75\n", NULL), LLMSIM_OK);
    const struct llmsim_validation_part parts[] = {{"one", &run, s, {0, 1}},
                                                   {"two", &run, s, {1, 2}}};
    cr_assert_eq(llmsim_validate_write("out.csv", parts, 2, &err), LLMSIM_OK, "%s", err.message);
    char *text = read_text(".", "out.csv", NULL);
    cr_expect_str_eq(text, "part,row,arrival_s,prompt_tokens,output_tokens,measured_ttft_s,"
                           "simulated_ttft_s,measured_tpot_s,simulated_tpot_s,measured_e2e_s,"
                           "simulated_e2e_s\n"
                           "one,1,0.000000000,10,3,0.250000000,0.010000000,0.250000000,,"
                           "0.750000000,0.053000000\n"
                           "two,0,5.000000000,5,1,1.000000000,,,,2.000000000,\n");
    free(text);
    llmsim_measured_close(&run);
}

/* ---- real runs ---- */

/* A third of a measured run of vLLM predicts the rest: the two-number model, its bandwidth and
 * prefill speed and a constant of a step tuned. */
static void predict_vllm_run(const char *name, const char *model_name, double ptps, double n_gpus)
{
    char path[512];
    struct llmsim_measured_run run;
    struct llmsim_catalogue *catalogue;
    struct llmsim_model model;
    struct llmsim_gpu gpu;
    struct llmsim_calibration found;
    struct llmsim_latencies predicted[300];
    const struct llmsim_measured_options usual = {.columns = {NULL}};
    struct llmsim_replay_config c = {
        .policy = "mixed", .max_num_seqs = 128, .max_num_batched_tokens = 2048};
    (void)snprintf(path, sizeof path, "%s/data/truth/%s.csv", LLMSIM_TEST_SHARED_DIR, name);
    if (access(path, R_OK) != 0)
        cr_skip_test("skipped: %s is not there", path);
    cr_assert_eq(llmsim_measured_open(&run, path, &usual, &err), LLMSIM_OK, "%s", err.message);
    cr_assert_eq(run.n, 300);
    cr_assert_eq(llmsim_catalogue_open(LLMSIM_TEST_SOURCE_DIR "/data", &catalogue, &err),
                 LLMSIM_OK);
    cr_assert_eq(llmsim_catalogue_model(catalogue, model_name, &model, &err), LLMSIM_OK);
    cr_assert_eq(llmsim_catalogue_gpu(catalogue, "rtx pro 6000", &gpu, &err), LLMSIM_OK);
    llmsim_catalogue_close(catalogue);
    gpu.memory_bw_GBps *= n_gpus;
    cr_assert_eq(llmsim_cost_init_ptps(&c.cost, &model, &gpu, ptps, &err), LLMSIM_OK);
    cr_assert_eq(llmsim_calibrate(&c, &run, (struct llmsim_span){0, 100},
                                  1u << LLMSIM_TUNABLE_BW | 1u << LLMSIM_TUNABLE_PTPS |
                                      1u << LLMSIM_TUNABLE_STEP,
                                  &found, &err),
                 LLMSIM_OK, "%s", err.message);
    cr_assert_eq(llmsim_validate_tuned(&c, &run, &found.tuning, predicted, &err), LLMSIM_OK);
    for (size_t i = 0; i < LLMSIM_N_METRICS; i++) {
        struct llmsim_comparison r;
        cr_assert_eq(llmsim_compare(run.latencies, predicted, (struct llmsim_span){100, 300},
                                    (enum llmsim_metric)i, &r, &err),
                     LLMSIM_OK);
        double mean = llmsim_error_percent(&r, LLMSIM_COMPARED_MEAN);
        double p99 = llmsim_error_percent(&r, LLMSIM_COMPARED_P99);
        cr_expect(mean >= -3 && mean <= 3, "%s: mean %s %+.2f %%", name,
                  llmsim_metric_name((enum llmsim_metric)i), mean);
        cr_expect(p99 >= -8 && p99 <= 8, "%s: p99 %s %+.2f %%", name,
                  llmsim_metric_name((enum llmsim_metric)i), p99);
    }
    llmsim_measured_close(&run);
}

Test(validate, a_third_predicts_the_rest)
{
    predict_vllm_run("e2e_vllm_rtxpro6000_llama-3.1-8b", "Llama-3.1-8B", 20000, 1);
    predict_vllm_run("e2e_vllm_rtxpro6000_qwen3-32b_tp2", "Qwen3-32B", 8000, 2);
}
