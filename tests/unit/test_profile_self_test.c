/* The self-test: that it lets a right device pass and finds a wrong kernel of any kind; the
 * reference and the 16-bit formats that it holds results against. */
#include <criterion/criterion.h>
#include <math.h>

#include "llmsim/profiler.h"
#include "step.h"
#include "support/cpu_device.h"

static struct llmsim_error err;

Test(profile_self_test, a_right_device_passes)
{
    struct cpu_device self = {.info = cpu_info(), .computes = true};
    struct llmsim_device device = cpu_device(&self);
    size_t n_cases;
    cr_assert_eq(llmsim_device_self_test(&device, &n_cases, &err), LLMSIM_OK, "%s", err.message);
    /* Two formats; 12 cases, and 5 launches for each of 6 attentions of 4 head sizes. */
    cr_expect_eq(n_cases, 2 * (12 + 4 * 6 * 5));
    cr_expect_eq(self.n_allocated, 0);
    bool seen[LLMSIM_LAUNCH_TRIAD + 1] = {false};
    for (size_t i = 0; i < self.n_launches; i++)
        seen[self.launches[i].kind] = true;
    for (unsigned kind = 0; kind <= LLMSIM_LAUNCH_TRIAD; kind++)
        cr_expect(seen[kind], "no %s", llmsim_launch_name((enum llmsim_launch_kind)kind));
    device.ops->close(&self);
}

/* One wrong number in the first result. */
Test(profile_self_test, a_wrong_kernel_is_found)
{
    for (unsigned kind = 0; kind <= LLMSIM_LAUNCH_TRIAD; kind++) {
        struct cpu_device self = {.info = cpu_info(),
                                  .computes = true,
                                  .spoils = true,
                                  .spoiled = (enum llmsim_launch_kind)kind};
        struct llmsim_device device = cpu_device(&self);
        char expected[64];
        size_t n_cases;
        (void)snprintf(expected, sizeof expected, "self-test: kernel %s is wrong: ",
                       llmsim_launch_name((enum llmsim_launch_kind)kind));
        cr_expect_eq(llmsim_device_self_test(&device, &n_cases, &err), LLMSIM_RUN_FAILED);
        cr_expect_eq(strncmp(err.message, expected, strlen(expected)), 0, "%s", err.message);
        cr_expect_eq(self.n_allocated, 0);
        device.ops->close(&self);
    }
}

Test(profile_self_test, a_device_that_does_nothing_is_found)
{
    struct cpu_device self = {.info = cpu_info()};
    struct llmsim_device device = cpu_device(&self);
    size_t n_cases;
    cr_expect_eq(llmsim_device_self_test(&device, &n_cases, &err), LLMSIM_RUN_FAILED);
    cr_expect_eq(n_cases, 0);
    device.ops->close(&self);
}

/* ---- 16-bit formats ---- */

Test(profile_self_test, every_16_bit_number_survives)
{
    for (unsigned dtype = 0; dtype < 2; dtype++)
        for (unsigned bits = 0; bits < 65536; bits++) {
            float value = llmsim_half_to_float((uint16_t)bits, (enum llmsim_dtype)dtype);
            uint16_t back = llmsim_half_from_float(value, (enum llmsim_dtype)dtype);
            if (isnan(value))
                cr_assert(isnan(llmsim_half_to_float(back, (enum llmsim_dtype)dtype)));
            else
                cr_assert_eq(back, bits, "%#x became %#x", bits, back);
        }
}

Test(profile_self_test, rounding_to_16_bits)
{
    /* The values are the formats' definitions: 1.5 is sign 0, exponent 0, fraction 100…. */
    cr_expect_eq(llmsim_fp16_from_float(1.5F), 0x3e00);
    cr_expect_eq(llmsim_bf16_from_float(1.5F), 0x3fc0);
    cr_expect_eq(llmsim_fp16_from_float(65504), 0x7bff); /* the largest */
    cr_expect_eq(llmsim_fp16_from_float(65519.9F), 0x7bff);
    cr_expect_eq(llmsim_fp16_from_float(65520), 0x7c00); /* a tie goes to the even, infinity */
    cr_expect_eq(llmsim_fp16_from_float(1 + 0x1p-11F), 0x3c00);
    cr_expect_eq(llmsim_fp16_from_float(1 + 0x3p-11F), 0x3c02);
    cr_expect_eq(llmsim_fp16_from_float(0x1p-25F), 0);
    cr_expect_eq(llmsim_fp16_from_float(-0x1.8p-25F), 0x8001);
    cr_expect_eq(llmsim_bf16_from_float(1 + 0x1p-8F), 0x3f80);
    cr_expect_eq(llmsim_bf16_from_float(1 + 0x3p-8F), 0x3f82);
    cr_expect_eq(llmsim_bf16_from_float(3.4e38F), 0x7f80);
}

/* ---- the reference ---- */

/* Three scores of 0, 0 and ln 3 after the scale: weights 1/5, 1/5, 3/5. */
Test(profile_self_test, attention_by_hand)
{
    enum { DIM = 64, TOKENS = 3 };
    uint16_t qkv[TOKENS][3][DIM] = {{{0}}}, out[TOKENS][DIM];
    const double ln3 = 1.0986122886681098;
    for (int i = 0; i < TOKENS; i++) {
        qkv[i][0][0] = llmsim_fp16_from_float(8); /* scale 1/8 */
        qkv[i][2][5] = llmsim_fp16_from_float((float)(i + 1));
    }
    qkv[2][1][0] = llmsim_fp16_from_float((float)ln3);
    struct llmsim_launch l = {.kind = LLMSIM_LAUNCH_ATTEND_PROMPT,
                              .dtype = LLMSIM_FLOAT16,
                              .rows = TOKENS,
                              .batch_size = 1,
                              .tokens_each = TOKENS,
                              .n_heads = 1,
                              .n_kv_heads = 1,
                              .head_dim = DIM,
                              .in = qkv,
                              .out = out};
    llmsim_reference_launch(&l);
    cr_expect_float_eq(llmsim_fp16_to_float(out[0][5]), 1, 1e-3);
    cr_expect_float_eq(llmsim_fp16_to_float(out[1][5]), 1.5, 1e-3);
    cr_expect_float_eq(llmsim_fp16_to_float(out[2][5]), 0.2 + 0.4 + 1.8, 2e-3);
    cr_expect_eq(out[2][6], 0);
}

/* (3, 4) has a mean square of 12.5. */
Test(profile_self_test, a_norm_by_hand)
{
    uint16_t state[2], more[2], weights[2], out[2];
    const float values[2][2] = {{1, 5}, {2, -1}};
    for (int i = 0; i < 2; i++) {
        state[i] = llmsim_fp16_from_float(values[0][i]);
        more[i] = llmsim_fp16_from_float(values[1][i]);
        weights[i] = llmsim_fp16_from_float((float)(i + 1));
    }
    struct llmsim_launch l = {.kind = LLMSIM_LAUNCH_NORM,
                              .dtype = LLMSIM_FLOAT16,
                              .rows = 1,
                              .outputs = 2,
                              .stride = 1,
                              .in = more,
                              .weights = weights,
                              .state = state,
                              .out = out};
    llmsim_reference_launch(&l);
    cr_expect_float_eq(llmsim_fp16_to_float(state[0]), 3, 0);
    cr_expect_float_eq(llmsim_fp16_to_float(state[1]), 4, 0);
    cr_expect_float_eq(llmsim_fp16_to_float(out[0]), 3 / sqrt(12.5), 1e-3);
    cr_expect_float_eq(llmsim_fp16_to_float(out[1]), 8 / sqrt(12.5), 2e-3);
}
