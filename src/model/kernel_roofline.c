/* kernel_roofline.c: arithmetic or bytes, whichever takes longer, after a launch. */
#include "kernel_roofline.h"

#include <string.h>

#include "detmath.h"

#define ACTIVATION_BYTES 2

struct format_row {
    const char *name;
    double bytes; /* a weight, its share of the scales included */
    enum { BF16, FP8, FP4 } arithmetic;
};

static const struct format_row *find_format(const char *name)
{
    static const struct format_row rows[] = {
        {"bf16", 2, BF16},          {"fp32", 4, BF16},         {"fp8", 1, FP8},
        {"fp8_block", 1, FP8},      {"mxfp8", 1.03125, FP8},   {"int8", 1, FP8},
        {"int8_wo", 1, BF16},       {"int4_wo", 0.5156, BF16}, {"nvfp4", 0.5625, FP4},
        {"nvfp4_wo", 0.5625, BF16}, {"mxfp4", 0.53125, BF16},  {"mxfp4_mxfp8", 0.53125, FP8},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return &rows[0];
}

/* A format for which the GPU has no units is computed in the next wider one. */
static double operations_per_s(const struct llmsim_peaks *peaks, const struct format_row *format)
{
    if (format->arithmetic == FP4 && peaks->fp4_per_s > 0)
        return peaks->fp4_per_s;
    if (format->arithmetic != BF16 && peaks->fp8_per_s > 0)
        return peaks->fp8_per_s;
    return peaks->bf16_per_s;
}

static double longer(double operations, double operations_per_second, double bytes,
                     double bytes_per_s)
{
    double arithmetic_s = operations / operations_per_second, memory_s = bytes / bytes_per_s;
    return ROOFLINE_LAUNCH_S + (arithmetic_s > memory_s ? arithmetic_s : memory_s);
}

bool kernel_gemm_is_aligned(double m)
{
    return m <= 8 ? m == 1 || m == 2 || m == 4 || m == 8
                  : (double)(unsigned long long)(m / 16) * 16 == m;
}

double roofline_gemm_s(const struct llmsim_peaks *peaks, const char *format, double m, double n,
                       double k)
{
    const struct format_row *row = find_format(format);
    return longer(2 * m * n * k, operations_per_s(peaks, row),
                  n * k * row->bytes + ACTIVATION_BYTES * m * (n + k), peaks->bytes_per_s);
}

double gemm_weight_bytes(const char *format, double n, double k)
{
    return n * k * find_format(format)->bytes;
}

double roofline_all_reduce_s(double bytes)
{
    return ROOFLINE_LAUNCH_S + bytes / 100e9;
}

/* Of a token in the cache: its share of the scores and values, or its bytes. */
static double token_s(const struct llmsim_peaks *peaks, double operations, double bytes)
{
    return longer(operations, peaks->bf16_per_s, bytes, peaks->bytes_per_s) - ROOFLINE_LAUNCH_S;
}

struct decode_line roofline_decode_attention(const struct llmsim_peaks *peaks,
                                             const struct attention_sizes *s, double batch)
{
    double width = s->heads * s->head_dim;
    return (struct decode_line){
        ROOFLINE_LAUNCH_S + 2 * ACTIVATION_BYTES * batch * width / peaks->bytes_per_s,
        token_s(peaks, 4 * width, 2 * s->kv_heads * s->head_dim * s->kv_bytes)};
}

/* Half of the scores are masked. */
double roofline_prefill_attention_s(const struct llmsim_peaks *peaks,
                                    const struct attention_sizes *s, double prompts, double length)
{
    double tokens = prompts * length;
    return longer(2 * tokens * length * s->heads * s->head_dim, peaks->bf16_per_s,
                  2 * ACTIVATION_BYTES * tokens * (s->heads + s->kv_heads) * s->head_dim,
                  peaks->bytes_per_s);
}

#define LATENT (512 + 64)
#define LATENT_VALUES 512
#define HEAD (128 + 64)
#define HEAD_VALUES 128

struct decode_line roofline_decode_mla(const struct llmsim_peaks *peaks, double heads,
                                       double kv_bytes, double batch)
{
    double width = heads * (LATENT + LATENT_VALUES);
    return (struct decode_line){ROOFLINE_LAUNCH_S +
                                    ACTIVATION_BYTES * batch * width / peaks->bytes_per_s,
                                token_s(peaks, 2 * width, LATENT * kv_bytes)};
}

double roofline_prefill_mla_s(const struct llmsim_peaks *peaks, double heads, double prompts,
                              double length)
{
    double tokens = prompts * length;
    return longer(tokens * length * heads * (HEAD + HEAD_VALUES), peaks->bf16_per_s,
                  ACTIVATION_BYTES * tokens * heads * 2 * (HEAD + HEAD_VALUES), peaks->bytes_per_s);
}

/* A token goes to topk of the experts; the expected number that at least one token goes to is read
 * (from an even router: an uneven one touches fewer, and the lattice has that). */
double experts_weight_bytes(const char *format, const struct experts_sizes *s)
{
    double miss = 1 - s->topk / s->experts;
    double untouched = miss > 0 ? llmsim_exp(s->tokens * llmsim_log(miss)) : 0;
    return s->experts / s->groups * (1 - untouched) * s->matrices * s->hidden * s->slice *
           find_format(format)->bytes;
}

/* Sorting the tokens by expert, two products, an activation between, and a sum. */
#define EXPERTS_LAUNCH_S 15e-6

/* Some experts wait for memory and others for arithmetic, so that the two add up. */
double roofline_experts_s(const struct llmsim_peaks *peaks, const char *format,
                          const struct experts_sizes *s)
{
    double visits = s->tokens * s->topk / s->groups;
    double bytes =
        experts_weight_bytes(format, s) + ACTIVATION_BYTES * visits * (2 * s->hidden + s->slice);
    return EXPERTS_LAUNCH_S + bytes / peaks->bytes_per_s +
           2 * visits * s->matrices * s->hidden * s->slice /
               operations_per_s(peaks, find_format(format));
}
