/* The model with fitted coefficients: the formula, and what holds whatever they are. */
#include <criterion/criterion.h>
#include <math.h>

#include "llmsim/llmsim.h"
#include "sinks.h"
#include "support/errors.h"
#include "support/random_case.h"

static struct llmsim_error err;

static const struct llmsim_fit plain = {
    .has_coefficients = true,
    .coefficients = {.step_s = 1e-3,
                     .rise_2_s = 5e-4,
                     .rise_128_s = 3.2e-4,
                     .rise_256_s = 7e-4,
                     .seq_s = 1e-4,
                     .token_s = 1e-5,
                     .weights_s = 1e-2,
                     .ridge_tokens = 100,
                     .spill_s = 1e-5,
                     .spill_tokens = 100,
                     .split_s = 4e-6,
                     .attention_s = 1e-8,
                     .walk_s = 1e-6,
                     .context_s = 2e-7,
                     .mixed_seq_s = 5e-5,
                     .mixed_context_s = 3e-7},
};

static struct llmsim_cost make(const struct llmsim_fit *fit)
{
    struct llmsim_cost cost;
    cr_assert_eq(llmsim_cost_init_fitted(&cost, fit, &err), LLMSIM_OK, "%s", err.message);
    return cost;
}

/* Chunks of 64 tokens after 200 and of 32 after none, beside 4 decodes that read 1000, one of them
 * 400: 1 ms, 0.5 ms for being 2 tokens or more and 36/64 of 0.32 ms on the way from 64 to 128, 6
 * sequences of 0.1 ms, 100 tokens of 10 us, 10 ms · 2^(1/4), 1 ms / 2 of spill, half of 96 · 4 us
 * for being two prompts, 4 · 50 us for the decodes, and (S · 10 ns + 1000 · 0.3 us, 400 us) in the
 * 4-norm, where S is 64² + 2 · 64 · 200 + 32² = 30720. The four alone: 100/4 = 25 for the spill,
 * 4/100 for the ridge. */
Test(cost_fitted, values_by_hand)
{
    struct llmsim_cost cost = make(&plain);
    const struct llmsim_step_shape mixed = {.prefill_tokens = 96,
                                            .prefill_seqs = 2,
                                            .decode_seqs = 4,
                                            .context_tokens = 1000,
                                            .prefill_sum_sq = 30720,
                                            .longest_context = 400};
    const struct llmsim_step_shape decode = {.decode_seqs = 4, .context_tokens = 1000};
    double attention = pow(pow(6.072e-4, 4) + pow(4e-4, 4), 0.25);
    double expected = 1e-3 + 5e-4 + 1.8e-4 + 6e-4 + 1e-3 + 1e-2 * pow(2, 0.25) + 5e-4 + 1.92e-4 +
                      2e-4 + attention;
    cr_expect_float_eq(llmsim_time_to_seconds(llmsim_cost_step(&cost, &mixed)), expected, 1e-14);
    cr_expect_float_eq(llmsim_cost_fitted_step_s(&plain.coefficients, &mixed), expected, 1e-14);
    expected = 1e-3 + 5e-4 + 4e-4 + 4e-5 + 1e-2 * pow(1 + pow(0.04, 4), 0.25) + 4e-5 / 15626 + 2e-4;
    cr_expect_float_eq(llmsim_time_to_seconds(llmsim_cost_step(&cost, &decode)), expected, 1e-14);
    cr_expect_float_eq(llmsim_cost_fitted_step_s(&plain.coefficients, &decode), expected, 1e-14);
}

/* A step with prompts reads the KV cache of its decodes no faster than one without: 1000 tokens of
 * 0.2 us where all else of the attention is free. */
Test(cost_fitted, a_mixed_step_reads_all_context)
{
    const struct llmsim_fit fit = {
        .has_coefficients = true,
        .coefficients = {.ridge_tokens = 1, .spill_tokens = 1, .context_s = 2e-7}};
    struct llmsim_cost cost = make(&fit);
    const struct llmsim_step_shape mixed = {.prefill_tokens = 8,
                                            .prefill_seqs = 1,
                                            .decode_seqs = 1,
                                            .context_tokens = 1000,
                                            .prefill_sum_sq = 64,
                                            .longest_context = 1000};
    cr_expect_float_eq(llmsim_time_to_seconds(llmsim_cost_step(&cost, &mixed)), 2e-4, 1e-14);
    cr_expect_float_eq(llmsim_cost_fitted_step_s(&fit.coefficients, &mixed), 2e-4, 1e-14);
}

static void lengthen(struct llmsim_step_shape *s, uint64_t context)
{
    if (context > s->longest_context)
        s->longest_context = context;
}

static struct llmsim_step_shape add_chunk(struct llmsim_step_shape s, uint64_t n, uint64_t c)
{
    s.prefill_tokens += n;
    s.prefill_seqs++;
    s.prefill_sum_sq += n * (2 * c + n);
    lengthen(&s, c);
    return s;
}

static struct llmsim_step_shape random_shape(uint64_t *state)
{
    struct llmsim_step_shape s = {.decode_seqs = (uint32_t)case_random(state, 300)};
    if (s.decode_seqs > 0) {
        s.longest_context = 1 + case_random(state, 5000);
        s.context_tokens = s.decode_seqs * s.longest_context;
    }
    for (uint64_t i = case_random(state, 4); i > 0; i--)
        s = add_chunk(s, case_random(state, 3000), case_random(state, 20000));
    return s;
}

/* More work is never cheaper: a longer chunk, one more, more before it, another sequence, another
 * token of context. And a step is never cheaper than its decodes alone. */
Test(cost_fitted, more_work_costs_no_less)
{
    uint64_t state = 7;
    for (int i = 0; i < 200000; i++) {
        struct llmsim_cost cost = case_fitted_cost(&state);
        struct llmsim_step_shape s = random_shape(&state), more = s;
        llmsim_time t = llmsim_cost_step(&cost, &s);
        if (s.decode_seqs > 0)
            cr_assert(t >= llmsim_cost_decode_run(&cost, s.decode_seqs, s.context_tokens).first);
        uint64_t n = case_random(&state, 50), c = case_random(&state, 3000);
        struct llmsim_step_shape longer = add_chunk(s, n, c);
        cr_assert(llmsim_cost_step(&cost, &longer) >= t);
        cr_assert(llmsim_cost_step(&cost, &(struct llmsim_step_shape){0}) <= t);
        struct llmsim_step_shape a = add_chunk(s, n, c + 1), b = add_chunk(s, n + 1, c);
        cr_assert(llmsim_cost_step(&cost, &a) >= llmsim_cost_step(&cost, &longer));
        cr_assert(llmsim_cost_step(&cost, &b) >= llmsim_cost_step(&cost, &longer));
        more.decode_seqs++;
        cr_assert(llmsim_cost_step(&cost, &more) >= t);
        more.context_tokens += 1 + c;
        lengthen(&more, 1 + c);
        cr_assert(llmsim_cost_step(&cost, &more) >= t);
    }
}

/* The engine takes a run by formula 6: it has to be the sum of the steps. */
Test(cost_fitted, decode_steps_are_affine)
{
    uint64_t state = 8;
    for (int i = 0; i < 300; i++) {
        struct llmsim_cost cost = case_fitted_cost(&state);
        uint32_t n = 1 + (uint32_t)case_random(&state, 400);
        uint64_t context = n * (1 + case_random(&state, 9000));
        struct llmsim_decode_run run = llmsim_cost_decode_run(&cost, n, context);
        llmsim_time sum = 0;
        for (uint64_t j = 0; j < 100; j++) {
            const struct llmsim_step_shape step = {.decode_seqs = n,
                                                   .context_tokens = context + j * n};
            sum += llmsim_cost_step(&cost, &step);
            cr_assert(sum == llmsim_decode_run_time(run, j + 1));
        }
    }
}

/* The largest coefficients that are let in, and the largest step that a trace can ask for. */
Test(cost_fitted, nothing_overflows)
{
    const struct llmsim_fit huge = {
        .has_coefficients = true,
        .coefficients = {.step_s = 1000,
#define X(n) .rise_##n##_s = 1000,
                         LLMSIM_FITTED_RISE_LIST(X)
#undef X
                             .seq_s = 1,
                         .token_s = 1,
                         .weights_s = 1000,
                         .ridge_tokens = 1000,
                         .spill_s = 1,
                         .spill_tokens = 1e-3,
                         .split_s = 1,
                         .attention_s = 1e-6,
                         .walk_s = 4e-3,
                         .context_s = 4e-3,
                         .mixed_seq_s = 1,
                         .mixed_context_s = 4e-3},
    };
    const struct llmsim_step_shape step = {.prefill_tokens = UINT64_C(65535) * 1000000000,
                                           .prefill_seqs = 65535,
                                           .decode_seqs = 65535,
                                           .context_tokens = UINT64_C(65535) * 2000000000,
                                           .prefill_sum_sq = UINT64_MAX,
                                           .longest_context = 2000000000};
    struct llmsim_cost cost = make(&huge);
    llmsim_time t = llmsim_cost_step(&cost, &step);
    /* 4 · 6.6e13 s of tokens, 1e9 less for one prompt of 65535, and 5.2e11 s of context beside
     * attention of 1.8e13 s. */
    cr_assert_float_eq(llmsim_time_to_seconds(t), 4 * 6.5535e13 - 1e9 + 5.2428e11 + 1.8446744e13,
                       1e8);
    /* A run of as many steps as a request can have tokens stays under 2^126, with as many sequences
     * as llmsim_replay lets in. */
    struct llmsim_decode_run run = llmsim_cost_decode_run(&cost, 268, UINT64_C(268) * 2000000000);
    cr_assert(llmsim_decode_run_time(run, 1000000000) > 0);
    cr_assert(llmsim_decode_run_time(run, 1000000000) < (llmsim_time)1 << 126);
}

Test(cost_fitted, bounds)
{
    struct llmsim_cost cost;
    struct llmsim_fit bad = plain;
    bad.coefficients.token_s = 2;
    expect_error(llmsim_cost_init_fitted(&cost, &bad, &err), LLMSIM_CATALOGUE, &err,
                 "token_s takes 2 s: expected 0 to 1 s");
    bad = plain;
    bad.coefficients.context_s = -1e-9;
    expect_error(llmsim_cost_init_fitted(&cost, &bad, &err), LLMSIM_CATALOGUE, &err,
                 "context_s takes -1e-09 s: expected 0 to 0.004 s");
    bad = plain;
    bad.coefficients.step_s = NAN;
    cr_expect_eq(llmsim_cost_init_fitted(&cost, &bad, NULL), LLMSIM_CATALOGUE);
    bad = plain;
    bad.coefficients.spill_tokens = 0;
    expect_error(llmsim_cost_init_fitted(&cost, &bad, &err), LLMSIM_CATALOGUE, &err,
                 "ridge_tokens 100, spill_tokens 0: expected 0.001 to 1e12");
    bad = plain;
    bad.coefficients.ridge_tokens = 1e-3;
    expect_error(llmsim_cost_init_fitted(&cost, &bad, &err), LLMSIM_CATALOGUE, &err,
                 "weights_s / ridge_tokens, the arithmetic of a token, takes 10 s: expected 0 to "
                 "1 s");
}

/* Twice the arithmetic and four times the bandwidth: a long prefill takes half, a decode of much
 * context a quarter, and the constants stay. */
Test(cost_fitted, scale)
{
    struct llmsim_fit fit = plain;
    fit.coefficients.step_s = fit.coefficients.seq_s = 0;
#define X(n) fit.coefficients.rise_##n##_s = 0;
    LLMSIM_FITTED_RISE_LIST(X)
#undef X

    struct llmsim_cost cost = make(&fit), faster = cost;
    const struct llmsim_cost_change change = {2, 4, 0, 0};
    const struct llmsim_step_shape prefill = {
        .prefill_tokens = 1000000, .prefill_seqs = 1, .prefill_sum_sq = 1000000000000};
    const struct llmsim_step_shape decode = {.decode_seqs = 1, .context_tokens = 1000000000};
    cr_assert_eq(llmsim_cost_apply(&faster, &change, &err), LLMSIM_OK);
    double t = llmsim_time_to_seconds(llmsim_cost_step(&cost, &prefill));
    cr_expect_float_eq(llmsim_time_to_seconds(llmsim_cost_step(&faster, &prefill)), t / 2,
                       1e-6 * t);
    t = llmsim_time_to_seconds(llmsim_cost_step(&cost, &decode));
    cr_expect_float_eq(llmsim_time_to_seconds(llmsim_cost_step(&faster, &decode)), t / 4, 1e-6 * t);
}

/* ---- the profiled range ---- */

static uint64_t count_outside(const struct llmsim_profile_range *range,
                              const struct llmsim_step_run *run)
{
    struct llmsim_summary summary;
    cr_assert_eq(llmsim_summary_init(&summary, NULL), LLMSIM_OK);
    summary.profile = *range;
    cr_assert_eq(llmsim_summary_sink_ops.steps(&summary, run, NULL), LLMSIM_OK);
    uint64_t n = summary.n_steps_outside_profile;
    llmsim_summary_fini(&summary);
    return n;
}

/* One by one, by the words of fitted.h. */
static bool is_outside(const struct llmsim_profile_range *r, const struct llmsim_step_shape *s)
{
    bool outside = false;
    if (s->prefill_seqs > 0)
        outside = s->prefill_tokens < r->min_prefill_tokens ||
                  s->prefill_tokens > r->max_prefill_tokens ||
                  s->longest_context > r->max_longest_context;
    if (s->decode_seqs > 0)
        outside =
            outside || s->decode_seqs < r->min_decode_seqs || s->decode_seqs > r->max_decode_seqs ||
            s->context_tokens < r->min_context_tokens || s->context_tokens > r->max_context_tokens;
    if (s->prefill_seqs > 0 && s->decode_seqs > 0)
        outside = outside || !r->mixed;
    return outside;
}

Test(cost_fitted, steps_outside_the_profile)
{
    uint64_t state = 9;
    for (int i = 0; i < 20000; i++) {
        struct llmsim_profile_range range = {.min_prefill_tokens = case_random(&state, 10),
                                             .min_decode_seqs = case_random(&state, 3),
                                             .min_context_tokens = case_random(&state, 40),
                                             .max_longest_context = case_random(&state, 100),
                                             .mixed = case_random(&state, 2) == 0};
        range.max_prefill_tokens = range.min_prefill_tokens + 1 + case_random(&state, 10);
        range.max_decode_seqs = range.min_decode_seqs + case_random(&state, 5);
        range.max_context_tokens = range.min_context_tokens + case_random(&state, 40);
        struct llmsim_step_run run = {
            .is_reported = true, .n_steps = 1, .start = 0, .durations = {.first = 1}};
        run.shape.decode_seqs = (uint32_t)case_random(&state, 7);
        run.shape.context_tokens = run.shape.decode_seqs * case_random(&state, 30);
        if (case_random(&state, 2) == 0 || run.shape.decode_seqs == 0) {
            run.shape.prefill_seqs = 1;
            run.shape.prefill_tokens = case_random(&state, 25);
            run.shape.longest_context = case_random(&state, 50);
        } else {
            run.n_steps = 1 + case_random(&state, 30);
        }
        uint64_t expected = 0;
        struct llmsim_step_shape shape = run.shape;
        for (uint64_t j = 0; j < run.n_steps; j++) {
            expected += is_outside(&range, &shape);
            shape.context_tokens += shape.decode_seqs;
        }
        cr_assert_eq(count_outside(&range, &run), expected);
    }
}

Test(cost_fitted, no_profile_counts_nothing)
{
    const struct llmsim_step_run run = {
        .is_reported = true, .n_steps = 5, .shape = {.decode_seqs = 1}};
    cr_assert_eq(count_outside(&(struct llmsim_profile_range){.mixed = false}, &run), 0);
}
