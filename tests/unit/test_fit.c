/* llmsim fit: profiles read strictly, coefficients found again, refusals. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "llmsim/llmsim.h"
#include "support/errors.h"
#include "support/files.h"
#include "support/random_case.h"

static struct llmsim_error err;
static const struct llmsim_fit_sizes no_sizes = {0, 0};

#define HEADER                                                                                     \
    "model,gpu,tp,phase,batch_size,new_tokens,context_tokens,sum_sq_tokens,latency_s,repeat,"      \
    "source\n"

/* ---- profiles ---- */

static char *scratch;

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

TestSuite(fit, .init = enter_scratch, .fini = leave_scratch);

static enum llmsim_status read_profile(const char *text, struct llmsim_fit_profile *profile)
{
    const char *const paths[] = {"p.csv"};
    write_text(".", "p.csv", text);
    return llmsim_fit_profile_read(paths, 1, profile, &err);
}

/* By hand: two prompts of 30 and 10 tokens; 3 decodes that read 60; 5 tokens after 10 beside them:
 * 15² - 10² = 125; a batch of 2 prompts of 4 tokens and 3 steps that read 10, 12 and 14. */
Test(fit, profile)
{
    struct llmsim_fit_profile p;
    cr_assert_eq(read_profile(HEADER "m,g,1,prefill,2,40,0,1000,0.5,0,hand\n"
                                     "m,g,2,prefill,1,5,10,125,1e-3,1,hand\n"
                                     "m,g,1,decode,3,3,60,0,.25,0,\"by, hand\"\n"
                                     "m,g,1,mixed,3,5,60,125,0.75,0,hand\n"
                                     "m,g,1,batch,2,8,36,32,2,0,hand\n",
                              &p),
                 LLMSIM_OK, "%s", err.message);
    cr_assert_eq(p.n_groups, 2);
    cr_expect_str_eq(p.groups[0].key.model, "m");
    cr_expect_eq(p.groups[1].key.tensor_parallel_size, 2);
    cr_assert_eq(p.groups[0].n_rows, 4);
    const struct llmsim_fit_row *r = p.groups[0].rows;
    cr_expect_eq(r[0].shape.prefill_tokens, 40);
    cr_expect_eq(r[0].shape.prefill_seqs, 2);
    cr_expect_eq(r[0].shape.prefill_sum_sq, 1000);
    cr_expect_eq(r[0].latency_s, 0.5);
    cr_expect_eq(r[1].shape.decode_seqs, 3);
    cr_expect_eq(r[1].shape.context_tokens, 60);
    cr_expect_eq(r[2].shape.prefill_seqs, 1);
    cr_expect_eq(r[2].shape.longest_context, 20);
    cr_expect_eq(r[2].shape.decode_seqs, 3);
    cr_expect_eq(r[3].n_decode_steps, 3);
    cr_expect_eq(r[3].decode_seqs, 2);
    cr_expect_eq(p.groups[1].rows[0].shape.longest_context, 10);
    llmsim_fit_profile_close(&p);
}

static const struct {
    const char *text, *expected;
} malformed[] = {
    {"", "p.csv:1:1: the file is empty; expected a header with the names of its columns"},
    {HEADER, "p.csv: the profile has no measurements"},
    {"model,gpu\n", "p.csv:1:1: the header has no column tp"},
    {HEADER "m,g,1,prefill,1,4,0,16,0.5,0\n",
     "p.csv:2:29: row has 10 fields; expected 11, as in the header"},
    {HEADER ",g,1,prefill,1,4,0,16,0.5,0,s\n",
     "p.csv:2:1: model is no name; expected 1 to 127 bytes"},
    {HEADER "m,g,0,prefill,1,4,0,16,0.5,0,s\n",
     "p.csv:2:5: tp '0' is not a whole number; expected 1 to 1024"},
    {HEADER "m,g,1,prompt,1,4,0,16,0.5,0,s\n",
     "p.csv:2:7: phase 'prompt' is no phase; expected prefill, decode, mixed or batch"},
    {HEADER "m,g,1,prefill,1.5,4,0,16,0.5,0,s\n",
     "p.csv:2:15: batch_size '1.5' is not a whole number; expected 1 to 1000000"},
    {HEADER "m,g,1,prefill,2,1,0,1,0.5,0,s\n",
     "p.csv:2:17: new_tokens '1' is too few; expected a token a prompt or more"},
    {HEADER "m,g,1,prefill,1,4,0,17,0.5,0,s\n",
     "p.csv:2:21: sum_sq_tokens '17' is not of batch_size prompts of new_tokens in all"},
    {HEADER "m,g,1,prefill,2,4,0,7,0.5,0,s\n",
     "p.csv:2:21: sum_sq_tokens '7' is not of batch_size prompts of new_tokens in all"},
    {HEADER "m,g,1,prefill,1,4,3,16,0.5,0,s\n",
     "p.csv:2:21: sum_sq_tokens '16' is not that of the chunk; expected (c + n)^2 - c^2 with c of "
     "context_tokens and n of new_tokens"},
    {HEADER "m,g,1,decode,3,1,60,0,0.5,0,s\n",
     "p.csv:2:16: new_tokens '1' of a decode step; expected batch_size, a token each"},
    {HEADER "m,g,1,decode,3,3,60,9,0.5,0,s\n",
     "p.csv:2:21: sum_sq_tokens '9' of a decode step; expected 0"},
    {HEADER "m,g,1,mixed,3,5,60,126,0.5,0,s\n",
     "p.csv:2:20: sum_sq_tokens '126' is of no chunk of new_tokens; expected (c + n)^2 - c^2"},
    {HEADER "m,g,1,mixed,3,0,60,0,0.5,0,s\n",
     "p.csv:2:15: new_tokens '0' is no prompt; expected 1 or more"},
    {HEADER "m,g,1,batch,2,8,35,32,0.5,0,s\n",
     "p.csv:2:17: context_tokens '35' is not the sum over whole decode steps of what each reads"},
    {HEADER "m,g,1,prefill,1,4,0,16,0,0,s\n",
     "p.csv:2:24: latency_s '0' is not over 0; expected seconds"},
};

Test(fit, malformed_profiles)
{
    struct llmsim_fit_profile p;
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
        expect_error(read_profile(malformed[i].text, &p), LLMSIM_CATALOGUE, &err,
                     malformed[i].expected);
}

/* ---- synthetic profiles ---- */

#define MAX_ROWS 2000

struct synthetic {
    struct llmsim_fit_row rows[MAX_ROWS];
    struct llmsim_fit_group group;
};

static void add(struct synthetic *s, struct llmsim_fit_row row)
{
    cr_assert_lt(s->group.n_rows, MAX_ROWS);
    s->rows[s->group.n_rows++] = row;
}

static void begin(struct synthetic *s)
{
    s->group = (struct llmsim_fit_group){
        .key = {.model = "m", .gpu = "g", .tensor_parallel_size = 1}, .rows = s->rows};
}

static void add_prefill(struct synthetic *s, uint64_t n, uint64_t c, uint32_t seqs)
{
    const struct llmsim_step_shape shape = {.prefill_tokens = seqs * n,
                                            .prefill_seqs = seqs,
                                            .prefill_sum_sq = seqs * n * (2 * c + n),
                                            .longest_context = c};
    add(s, (struct llmsim_fit_row){.phase = LLMSIM_FIT_PREFILL, .shape = shape});
}

static void add_decode(struct synthetic *s, uint32_t n, uint64_t context)
{
    const struct llmsim_step_shape shape = {.decode_seqs = n, .context_tokens = n * context};
    add(s, (struct llmsim_fit_row){.phase = LLMSIM_FIT_DECODE, .shape = shape});
}

static void add_mixed(struct synthetic *s, uint64_t n, uint64_t c, uint32_t seqs, uint64_t context)
{
    const struct llmsim_step_shape shape = {.prefill_tokens = n,
                                            .prefill_seqs = 1,
                                            .prefill_sum_sq = n * (2 * c + n),
                                            .decode_seqs = seqs,
                                            .context_tokens = seqs * context,
                                            .longest_context = c > context ? c : context};
    add(s, (struct llmsim_fit_row){.phase = LLMSIM_FIT_MIXED, .shape = shape});
}

/* A grid as a profiler would measure it. */
static void add_grid(struct synthetic *s)
{
    begin(s);
    for (uint64_t n = 16; n <= 16384; n *= 2)
        for (uint64_t c = 0; c <= 8192; c = c == 0 ? 512 : 2 * c)
            add_prefill(s, n, c, 1);
    for (uint32_t seqs = 1; seqs <= 16; seqs *= 2)
        add_prefill(s, 1024 / seqs, 0, seqs);
    for (uint32_t n = 1; n <= 256; n *= 2)
        for (uint64_t context = 64; context <= 8192; context *= 2)
            add_decode(s, n, context);
    for (uint64_t n = 64; n <= 2048; n *= 2)
        for (uint32_t seqs = 1; seqs <= 128; seqs *= 4)
            for (uint64_t context = 128; context <= 8192; context *= 8)
                add_mixed(s, n, context, seqs, context);
}

static const struct llmsim_fitted truth = {
    .step_s = 4e-3,
    .rise_2_s = 5e-4,
    .rise_16_s = 8e-4,
    .rise_64_s = 3e-4,
    .seq_s = 2e-5,
    .token_s = 8e-6,
    .weights_s = 9e-3,
    .ridge_tokens = 300,
    .spill_s = 2e-5,
    .spill_tokens = 4000,
    .split_s = 6e-6,
    .attention_s = 1.5e-9,
    .walk_s = 6e-7,
    .context_s = 8e-8,
    .mixed_seq_s = 2e-5,
    .mixed_context_s = 1.3e-7,
};

/* Normal noise of that deviation, and every `outliers`-th measurement three times too slow. */
static void measure_server(struct synthetic *s, const struct llmsim_fitted *server, double noise,
                           uint64_t outliers, uint64_t seed)
{
    for (size_t i = 0; i < s->group.n_rows; i++) {
        double u = 0;
        for (int k = 0; k < 12; k++) /* about normal, of variance 1 */
            u += (double)case_random(&seed, 1000001) / 1e6 - 0.5;
        s->rows[i].latency_s = llmsim_fit_predict(server, &s->rows[i]) * (1 + noise * u);
        if (outliers > 0 && case_random(&seed, outliers) == 0)
            s->rows[i].latency_s *= 3;
    }
}

static void measure(struct synthetic *s, double noise, uint64_t outliers, uint64_t seed)
{
    measure_server(s, &truth, noise, outliers, seed);
}

static void expect_near(const struct llmsim_fit_report *r, const char *name, double value,
                        double tolerance)
{
    for (size_t i = 0; i < LLMSIM_FIT_N_COEFFICIENTS; i++)
        if (strcmp(r->coefficients[i].name, name) == 0) {
            cr_expect_null(r->coefficients[i].left_out);
            cr_expect_float_eq(r->coefficients[i].value, value, tolerance * value, "%s is %g", name,
                               r->coefficients[i].value);
            return;
        }
    cr_assert(false, "no coefficient %s", name);
}

/* Without noise they come back, to the digits that the search stops at. */
Test(fit, known_coefficients_without_noise)
{
    static struct synthetic s;
    struct llmsim_fit_report r;
    add_grid(&s);
    measure(&s, 0, 0, 1);
    cr_assert_eq(llmsim_fit_group_run(&s.group, &no_sizes, &r, &err), LLMSIM_OK, "%s", err.message);
    cr_expect_lt(r.richer.fitted[LLMSIM_FIT_SET_ALL].worst, 0.5);
    cr_expect_lt(r.richer.held_out[LLMSIM_FIT_SET_ALL].worst, 1.0);
    cr_expect_gt(r.fit.diagnostics.r_squared, 0.9999);
    expect_near(&r, "context_s", 8e-8, 0.01);
    expect_near(&r, "attention_s", 1.5e-9, 0.02);
    expect_near(&r, "walk_s", 6e-7, 0.02);
    expect_near(&r, "mixed_context_s", 1.3e-7, 0.02);
    expect_near(&r, "mixed_seq_s", 2e-5, 0.05);
    expect_near(&r, "rise_16_s", 8e-4, 0.1);
    expect_near(&r, "split_s", 6e-6, 0.1);
    expect_near(&r, "ridge_tokens", 300, 0.05);
    /* What a step takes and a read of the weights differ little, but their sum is sharp. */
    expect_near(&r, "weights_s", 9e-3, 0.1);
    cr_expect_float_eq(r.fit.coefficients.step_s + r.fit.coefficients.weights_s, 13e-3, 1e-4);
    llmsim_fit_report_fini(&r);
}

/* With noise and outliers: predictions of new steps stay within the noise, and most intervals hold
 * the truth. */
Test(fit, known_coefficients_with_noise_and_outliers)
{
    static struct synthetic s;
    size_t n_inside = 0, n_free = 0;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct llmsim_fit_report r;
        add_grid(&s);
        measure(&s, 0.01, 30, seed);
        cr_assert_eq(llmsim_fit_group_run(&s.group, &no_sizes, &r, &err), LLMSIM_OK, "%s",
                     err.message);
        const double *true_values = (const double *)&truth;
        for (size_t i = 0; i < LLMSIM_FIT_N_COEFFICIENTS; i++) {
            const struct llmsim_fit_coefficient *c = &r.coefficients[i];
            n_free += c->value > 0;
            n_inside += c->value > 0 && c->low <= true_values[i] && true_values[i] <= c->high;
        }
        uint64_t state = 100 + seed;
        for (int i = 0; i < 1000; i++) {
            struct llmsim_fit_row row = {.phase = LLMSIM_FIT_MIXED};
            uint64_t n = 16 + case_random(&state, 4000), c = case_random(&state, 8000);
            uint64_t context = case_random(&state, 8000);
            row.shape =
                (struct llmsim_step_shape){.prefill_tokens = n,
                                           .prefill_seqs = 1,
                                           .prefill_sum_sq = n * (2 * c + n),
                                           .decode_seqs = (uint32_t)case_random(&state, 200),
                                           .longest_context = c > context ? c : context};
            row.shape.context_tokens = row.shape.decode_seqs * context;
            double expected = llmsim_fit_predict(&truth, &row);
            cr_assert_float_eq(llmsim_fit_predict(&r.fit.coefficients, &row), expected,
                               0.02 * expected);
        }
        llmsim_fit_report_fini(&r);
    }
    cr_expect_gt((double)n_inside, 0.75 * (double)n_free, "%zu of %zu", n_inside, n_free);
}

/* 1,024 tokens as so many prompts of equal length. */
static double split_s(const struct llmsim_fitted *f, uint32_t n_prompts)
{
    struct llmsim_fit_row row = {.phase = LLMSIM_FIT_PREFILL};
    row.shape = (struct llmsim_step_shape){.prefill_tokens = 1024,
                                           .prefill_seqs = n_prompts,
                                           .prefill_sum_sq = 1024 * 1024 / n_prompts};
    return llmsim_fit_predict(f, &row);
}

/* What Splitwise's file looks like: prompts alone of 128 to 8,192 tokens, and batches of 512-token
 * prompts, here 20 ms slower for each prompt after the first. Of 1,024 tokens there are only 1 and
 * 2 prompts. 20 ms of 512 tokens are some 40 us a token, and as much for all of 1,024 tokens,
 * however many prompts they are: not 15 times 20 ms. */
Test(fit, cost_of_many_prompts_is_not_extrapolated)
{
    static struct synthetic s;
    struct llmsim_fitted server = truth;
    struct llmsim_fit_report r;
    server.split_s = 0;
    begin(&s);
    for (uint64_t n = 128; n <= 8192; n *= 2)
        add_prefill(&s, n, 0, 1);
    for (uint32_t seqs = 2; seqs <= 16; seqs *= 2)
        add_prefill(&s, 512, 0, seqs);
    for (uint32_t n = 1; n <= 64; n *= 2)
        for (uint64_t context = 256; context <= 4096; context *= 2)
            add_decode(&s, n, context);
    measure_server(&s, &server, 0, 0, 1);
    for (size_t i = 0; i < s.group.n_rows; i++)
        if (s.rows[i].shape.prefill_seqs > 1)
            s.rows[i].latency_s += 0.02 * (s.rows[i].shape.prefill_seqs - 1);
    cr_assert_eq(llmsim_fit_group_run(&s.group, &no_sizes, &r, &err), LLMSIM_OK, "%s", err.message);
    const struct llmsim_fitted *f = &r.fit.coefficients;
    cr_expect_gt(f->split_s, 2e-5);
    cr_expect_lt(split_s(f, 16) - split_s(f, 1), 0.08);
    llmsim_fit_report_fini(&r);
}

/* What the engines use and what the fit predicts are one formula. */
Test(fit, predicts_what_the_cost_model_takes)
{
    struct llmsim_cost cost;
    const struct llmsim_fit fit = {.has_coefficients = true, .coefficients = truth};
    static struct synthetic s;
    cr_assert_eq(llmsim_cost_init_fitted(&cost, &fit, &err), LLMSIM_OK);
    add_grid(&s);
    for (size_t i = 0; i < s.group.n_rows; i++) {
        double t = llmsim_fit_predict(&truth, &s.rows[i]);
        cr_assert_float_eq(llmsim_time_to_seconds(llmsim_cost_step(&cost, &s.rows[i].shape)), t,
                           1e-9 * t);
    }
    /* A batch: its prompts' step and its decode steps, one by one. */
    const struct llmsim_fit_row batch = {
        .phase = LLMSIM_FIT_BATCH,
        .shape = {.prefill_tokens = 400, .prefill_seqs = 4, .prefill_sum_sq = 40000},
        .n_decode_steps = 3,
        .decode_seqs = 4,
        .context_tokens = 404 + 408 + 412};
    llmsim_time sum = llmsim_cost_step(&cost, &batch.shape);
    for (uint64_t i = 1; i <= 3; i++)
        sum += llmsim_cost_step(
            &cost, &(struct llmsim_step_shape){.decode_seqs = 4, .context_tokens = 400 + 4 * i});
    cr_expect_float_eq(llmsim_fit_predict(&truth, &batch), llmsim_time_to_seconds(sum), 1e-9);
}

/* The two numbers: prompts at 1000 tokens/s, and 2 GB of weights and 1 KB of KV a token at 4 GB/s,
 * exactly. */
Test(fit, two_numbers)
{
    static struct synthetic s;
    const struct llmsim_fit_sizes sizes = {2e9, 1000};
    struct llmsim_fit_report r;
    begin(&s);
    for (uint64_t n = 100; n <= 900; n += 100)
        add_prefill(&s, n, 0, 1);
    for (uint32_t n = 1; n <= 8; n++)
        for (uint64_t context = 1000; context <= 100000; context *= 10)
            add_decode(&s, n, context);
    for (size_t i = 0; i < s.group.n_rows; i++) {
        const struct llmsim_step_shape *shape = &s.rows[i].shape;
        s.rows[i].latency_s = shape->prefill_seqs > 0
                                  ? (double)shape->prefill_tokens / 1000
                                  : (2e9 + 1000 * (double)shape->context_tokens) / 4e9;
    }
    cr_assert_eq(llmsim_fit_group_run(&s.group, &sizes, &r, &err), LLMSIM_OK, "%s", err.message);
    cr_expect_float_eq(r.fit.ptps_tokens_per_s, 1000, 1e-6);
    cr_expect_float_eq(r.bandwidth_bytes_per_s, 4e9, 1);
    cr_expect_lt(r.two_number.held_out[LLMSIM_FIT_SET_ALL].worst, 1e-6);
    cr_expect_eq(r.fit.range.min_prefill_tokens, 100);
    cr_expect_eq(r.fit.range.max_prefill_tokens, 900);
    cr_expect_eq(r.fit.range.max_decode_seqs, 8);
    cr_expect_eq(r.fit.range.min_context_tokens, 1000);
    cr_expect_eq(r.fit.range.max_context_tokens, 800000);
    cr_expect_not(r.fit.range.mixed);
    llmsim_fit_report_fini(&r);
}

/* ---- refusals ---- */

static void expect_refusal(struct synthetic *s, const char *what)
{
    struct llmsim_fit_report r;
    char expected[512];
    measure(s, 0, 0, 1);
    (void)snprintf(expected, sizeof expected, "the profile of m on g, tp 1, %s", what);
    expect_error(llmsim_fit_group_run(&s->group, &no_sizes, &r, &err), LLMSIM_CATALOGUE, &err,
                 expected);
}

Test(fit, refuses_what_a_profile_cannot_tell)
{
    static struct synthetic s;
    begin(&s);
    for (uint64_t n = 100; n <= 2000; n += 100)
        add_prefill(&s, n, 0, 1);
    expect_refusal(&s, "has no decode steps: expected rows of phase decode, of two batch sizes or "
                       "more with two contexts or more");
    for (uint64_t context = 100; context <= 1000; context += 100)
        add_decode(&s, 4, context);
    expect_refusal(&s, "cannot tell what a sequence costs from what a step costs: expected decode "
                       "steps of two batch sizes or more");
    begin(&s);
    for (uint32_t n = 1; n <= 10; n++)
        for (uint64_t context = 100; context <= 400; context += 100)
            add_decode(&s, n, context);
    expect_refusal(&s,
                   "has no prompts: expected rows of phase prefill, of two numbers of tokens or "
                   "more");
    add_prefill(&s, 500, 0, 1);
    expect_refusal(&s, "cannot tell what a prompt token costs from what a step costs: expected "
                       "prompts of two numbers of tokens or more");
    /* The context grows with the batch alone. */
    begin(&s);
    for (uint64_t n = 100; n <= 2000; n += 100)
        add_prefill(&s, n, 0, 1);
    for (uint32_t n = 1; n <= 64; n *= 2)
        add_decode(&s, n, 0);
    expect_refusal(&s, "cannot tell what reading the KV cache costs: expected decode steps of the "
                       "same batch sizes with different contexts");
}
