/* The kernel catalogue: lattices and lines that are fitted to times of known formulas. */
#include <criterion/criterion.h>
#include <math.h>
#include <sys/stat.h>

#include "kernel_kinds.h"
#include "support/files.h"

static struct llmsim_error err;

static void expect_near(double value, double expected, double share, const char *what)
{
    cr_expect(fabs(value / expected - 1) <= share, "%s: %.6g; expected %.6g", what, value,
              expected);
}

static struct llmsim_lattice lattice_of(const double *nodes, unsigned n, bool has_parts)
{
    struct llmsim_lattice lattice = {0};
    llmsim_lattice_add_axis(&lattice, nodes, n);
    if (has_parts)
        llmsim_lattice_add_axis(&lattice, (double[]){1, 2}, 2);
    cr_assert_eq(llmsim_lattice_alloc(&lattice, &err), LLMSIM_OK);
    return lattice;
}

/* Piecewise linear in the logarithm: what a lattice holds as it is. */
Test(kernel_fit, a_lattice_goes_through_what_it_can_hold)
{
    struct llmsim_lattice lattice = lattice_of((double[]){1, 8, 64, 512}, 4, false);
    struct llmsim_lattice_sample samples[40] = {{{0}, 0, {0}}};
    const double slopes[] = {0.5, -0.25, 0.125};
    for (unsigned i = 0; i < 40; i++) {
        double x = log(512) * i / 39, value = 0.3;
        for (unsigned s = 0; s < 3; s++)
            value += slopes[s] * fmin(fmax(x - s * log(8), 0), log(8));
        samples[i] = (struct llmsim_lattice_sample){{exp(x)}, value, {0}};
    }
    samples[20].value += 5; /* a spike in a measurement */
    cr_assert_eq(llmsim_lattice_fit(&lattice, samples, 40, &err), LLMSIM_OK);
    for (unsigned i = 0; i < 40; i++)
        cr_expect(i == 20 ||
                  fabs(llmsim_lattice_predict(&lattice, &samples[i]) - samples[i].value) < 0.005);
    cr_expect_float_eq(llmsim_lattice_at(&lattice, (double[]){1e6}), lattice.values[3], 1e-12);
    llmsim_lattice_fini(&lattice);
}

/* 20 µs × √b and 3 ns × b^-0.1 for each token, as 10 × 2 µs and 3 × 1 ns. */
Test(kernel_fit, a_sum_is_taken_apart)
{
    struct llmsim_lattice lattice = lattice_of((double[]){1, 16, 256}, 3, true);
    struct llmsim_lattice_sample samples[9 * 10];
    size_t n = 0;
    for (double batch = 1; batch <= 256; batch *= 2)
        for (double context = 128; context <= 65536; context *= 2) {
            double tokens = batch * context;
            double s = 20e-6 * sqrt(batch) + 3e-9 * pow(batch, -0.1) * tokens;
            samples[n++] = (struct llmsim_lattice_sample){{batch}, log(s), {2e-6, 1e-9 * tokens}};
        }
    samples[33].value += 3;
    samples[44].value -= 1;
    cr_assert_eq(llmsim_lattice_fit(&lattice, samples, n, &err), LLMSIM_OK);
    const struct decode_line roofline = {2e-6, 1e-9};
    for (double batch = 1; batch <= 256; batch *= 1.5) {
        struct decode_line line = kernel_line_at(&lattice, &batch, &roofline);
        expect_near(line.fixed_s, 20e-6 * sqrt(batch), 0.02, "fixed");
        expect_near(line.per_token_s, 3e-9 * pow(batch, -0.1), 0.02, "per token");
    }
    llmsim_lattice_fini(&lattice);
}

Test(kernel_fit, no_token_is_faster_than_the_roofline)
{
    struct llmsim_lattice lattice = lattice_of((double[]){1, 2}, 2, true);
    for (unsigned i = 0; i < 4; i++)
        lattice.values[i] = i % 2 == 0 ? -1 : -0.5;
    const struct decode_line roofline = {2e-6, 1e-9};
    struct decode_line line = kernel_line_at(&lattice, (double[]){1}, &roofline);
    expect_near(line.fixed_s, 2e-6 * exp(-1), 1e-12, "fixed");
    expect_near(line.per_token_s, 1e-9, 1e-12, "per token");
    llmsim_lattice_fini(&lattice);
}

#define BANDWIDTH 1e12
#define CACHE_BYTES 64e6
#define HEAD_DIM 128

/* A GPU that takes 10 µs and reads the KV cache at 0.8 of its peak, from its cache 1.5 times as
 * fast as the peak. */
static void write_table(const char *path)
{
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    (void)fputs("batch_size,isl,num_heads,num_key_value_heads,head_dim,attn_dtype,kv_cache_dtype,"
                "step,latency_ms\n",
                f);
    for (unsigned kv_heads = 1; kv_heads <= 8; kv_heads *= 2)
        for (unsigned batch = 1; batch <= 256; batch *= 2)
            for (unsigned context = 2; context <= 65536; context *= 2) {
                double bytes = 2.0 * batch * context * kv_heads * HEAD_DIM * 2;
                double rate = BANDWIDTH * (bytes < CACHE_BYTES ? 1.5 : 0.8);
                (void)fprintf(f, "%u,1,%u,%u,%u,bfloat16,bfloat16,%u,%.6g\n", batch, 4 * kv_heads,
                              kv_heads, HEAD_DIM, context - 1, 1000 * (10e-6 + bytes / rate));
            }
    cr_assert_eq(fclose(f), 0);
}

static struct decode_line line_of_table(const char *dir, double cache_bytes)
{
    const struct llmsim_kernels_source source = {
        .tables = dir,
        .system = "s",
        .gpu = "Some GPU",
        .engine = "e",
        .version = "1",
        .peaks = {.bytes_per_s = BANDWIDTH, .bf16_per_s = 1e15, .cache_bytes = cache_bytes},
        .source = "test",
        .license = "none"};
    char path[300];
    struct llmsim_kernels *kernels;
    (void)snprintf(path, sizeof path, "%s/kernels/s_e.json", dir);
    cr_assert_eq(llmsim_kernels_fit(&source, path, NULL, NULL, &err), LLMSIM_OK, "%s", err.message);
    cr_assert_eq(llmsim_kernels_open(dir, "s", "e", &kernels, &err), LLMSIM_OK, "%s", err.message);
    const struct llmsim_lattice *lattice =
        llmsim_kernels_find(kernels, KERNEL_DECODE_ATTENTION, "bf16 128");
    cr_assert_not_null(lattice);
    const struct attention_sizes sizes = {16, 4, HEAD_DIM, 2};
    struct decode_line roofline =
        roofline_decode_attention(llmsim_kernels_peaks(kernels), &sizes, 8);
    struct decode_line line = kernel_line_at(lattice, (double[]){8 * 4, 4, 4}, &roofline);
    llmsim_kernels_close(kernels);
    return line;
}

Test(kernel_fit, what_was_read_from_a_cache_does_not_count)
{
    char *dir = scratch_dir(), path[300];
    write_text(dir, "gpu.json", "{}");
    (void)snprintf(path, sizeof path, "%s/kernels", dir);
    cr_assert_eq(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/generation_attention.csv", dir);
    write_table(path);
    const double token_bytes = 2 * 4 * HEAD_DIM * 2;
    struct decode_line line = line_of_table(dir, CACHE_BYTES);
    expect_near(line.per_token_s, token_bytes / (0.8 * BANDWIDTH), 0.02, "per token");
    expect_near(line.fixed_s, 10e-6, 0.1, "fixed");
    remove_dir(dir);
}
