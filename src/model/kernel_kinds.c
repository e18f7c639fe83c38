/* kernel_kinds.c: what each kernel's measurements are set against, and where in its lattice. */
#include "kernel_kinds.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "detmath.h"

/* The tables' names of number formats, and ours. */
static const char *format_name(const char *text)
{
    static const char *const names[][2] = {
        {"bfloat16", "bf16"},     {"float16", "bf16"},
        {"fp8", "fp8"},           {"fp8_block", "fp8_block"},
        {"int8_wo", "int8_wo"},   {"int4_wo", "int4_wo"},
        {"w4a16_mxfp4", "mxfp4"}, {"w4a8_mxfp4_mxfp8", "mxfp4_mxfp8"},
        {"nvfp4", "nvfp4"},       {"sq", "int8"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i][0]) == 0)
            return names[i][1];
    return NULL;
}

/* FNV-1a over the bits of numbers and a text: what makes two rows the same shape. */
static uint64_t hash_shape(const char *text, const double *numbers, size_t n)
{
    uint64_t hash = 14695981039346656037u;
    for (const char *p = text; *p != '\0'; p++)
        hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    for (size_t i = 0; i < n; i++)
        for (uint64_t bits = (uint64_t)(numbers[i] * 64); bits != 0; bits >>= 8)
            hash = (hash ^ (bits & 255)) * 1099511628211u;
    return hash ^ hash >> 29;
}

static void set_sample(struct kernel_sample *sample, const double *point, size_t n, double seconds,
                       double roofline_s)
{
    memcpy(sample->at.point, point, n * sizeof *point);
    sample->at.value = log(seconds / roofline_s);
    sample->shape = hash_shape(sample->variant, point, n);
}

/* Of a time that is a line in the sum of contexts. The shape is the line's: lines are held out
 * whole. */
static void set_line(struct kernel_sample *sample, const double *point, size_t n, double seconds,
                     const struct decode_line *line, double tokens)
{
    memcpy(sample->at.point, point, n * sizeof *point);
    sample->at.point[n] = 1;
    sample->at.value = log(seconds);
    sample->at.parts[0] = line->fixed_s;
    sample->at.parts[1] = line->per_token_s * tokens;
    sample->shape = hash_shape(sample->variant, point, n);
}

struct decode_line kernel_line_at(const struct llmsim_lattice *lattice, const double *point,
                                  const struct decode_line *roofline)
{
    double at[LLMSIM_LATTICE_MAX_AXES];
    memcpy(at, point, (lattice->n_axes - 1) * sizeof *at);
    at[lattice->n_axes - 1] = 1;
    double fixed = llmsim_lattice_at(lattice, at);
    at[lattice->n_axes - 1] = 2;
    double per_token = fmax(0, llmsim_lattice_at(lattice, at));
    return (struct decode_line){roofline->fixed_s * llmsim_exp(fixed),
                                roofline->per_token_s * llmsim_exp(per_token)};
}

/* Was it measured as no server finds it? Benchmarks run a kernel over and over on the same data. A
 * cache that holds all of them makes it faster than it is between the kernels of the other layers,
 * unless it takes its time from something else. And nothing is faster than the peaks. */
#define CACHED_SHARE 0.25
#define HOLDS 1.25
static bool is_cached(const struct llmsim_peaks *peaks, double bytes, double seconds)
{
    double read_s = bytes / peaks->bytes_per_s;
    return read_s > seconds ||
           (bytes < HOLDS * peaks->cache_bytes && read_s > CACHED_SHARE * seconds);
}

/* ---- gemm_dtype, m, n, k ---- */

/* A benchmark multiplies by so many matrices of weights in turn. Where a cache holds all of them
 * and they were read about as fast as memory can at most, or faster, it was not from memory. */
#define N_MATRICES 6
#define CACHE_FILLED 1.1
#define FAST_READ 1.3
static bool is_cached_gemm(const struct llmsim_peaks *peaks, double weight_bytes, double seconds)
{
    double read_s = weight_bytes / peaks->bytes_per_s;
    return read_s > seconds ||
           (N_MATRICES * weight_bytes < CACHE_FILLED * peaks->cache_bytes &&
            read_s > CACHED_SHARE * seconds && FAST_READ * (ROOFLINE_LAUNCH_S + read_s) > seconds);
}

static bool sample_gemm(const struct kernel_row *row, const struct llmsim_peaks *peaks,
                        struct kernel_sample *sample)
{
    const char *format = format_name(row->text[0]);
    const double point[] = {row->number[1], row->number[2], row->number[3]};
    if (format == NULL || !(point[0] > 0 && point[1] > 0 && point[2] > 0) ||
        is_cached_gemm(peaks, gemm_weight_bytes(format, point[1], point[2]), row->seconds))
        return false;
    (void)snprintf(sample->variant, sizeof sample->variant, "%s%s", format,
                   kernel_gemm_is_aligned(point[0]) ? "" : " unaligned");
    set_sample(sample, point, 3, row->seconds,
               roofline_gemm_s(peaks, format, point[0], point[1], point[2]));
    sample->is_judged = point[1] >= 1024 && point[2] >= 1024;
    return true;
}

/* ---- message_size, num_gpus, backend ---- */

#define BYTES_OF_AN_ELEMENT 2

static bool sample_all_reduce(const struct kernel_row *row, const struct llmsim_peaks *peaks,
                              struct kernel_sample *sample)
{
    (void)peaks;
    const double point[] = {row->number[0] * BYTES_OF_AN_ELEMENT, row->number[1]};
    if (strstr(row->text[2], "eager") != NULL || !(point[0] > 0 && point[1] > 1))
        return false; /* servers run them from CUDA graphs */
    (void)snprintf(sample->variant, sizeof sample->variant, "bf16");
    set_sample(sample, point, 2, row->seconds, roofline_all_reduce_s(point[0]));
    sample->is_judged = true;
    return true;
}

/* ---- attention: batch_size, isl, step, num_heads, num_key_value_heads, head_dim, kv_cache_dtype,
 * window_size, attn_dtype, kernel_source ---- */

static bool set_attention_variant(const struct kernel_row *row, struct kernel_sample *sample)
{
    const char *format = format_name(row->text[6]);
    if (format == NULL || row->number[7] > 0 || !(row->number[3] > 0 && row->number[4] > 0))
        return false;
    (void)snprintf(sample->variant, sizeof sample->variant, "%s %.0f", format, row->number[5]);
    return true;
}

/* Shorter contexts say nothing that those at the limit do not. */
#define SHORTEST_CONTEXT 32
#define SHORTEST_JUDGED 128
#define LONGEST_JUDGED 65536

static bool is_judged_context(double context)
{
    return context >= SHORTEST_JUDGED && context <= LONGEST_JUDGED + 1;
}

static bool sample_decode_attention(const struct kernel_row *row, const struct llmsim_peaks *peaks,
                                    struct kernel_sample *sample)
{
    double batch = row->number[0], context = row->number[1] + row->number[2];
    double heads = row->number[3], kv_heads = row->number[4];
    const double point[] = {batch * kv_heads, kv_heads, heads / kv_heads};
    if (!set_attention_variant(row, sample) || context < SHORTEST_CONTEXT)
        return false;
    const struct attention_sizes sizes = {heads, kv_heads, row->number[5],
                                          strcmp(row->text[6], "fp8") == 0 ? 1 : 2};
    double bytes = 2 * batch * context * kv_heads * sizes.head_dim * sizes.kv_bytes;
    if (is_cached(peaks, bytes, row->seconds))
        return false;
    const struct decode_line line = roofline_decode_attention(peaks, &sizes, batch);
    set_line(sample, point, 3, row->seconds, &line, batch * context);
    sample->is_judged = is_judged_context(context);
    return true;
}

/* SGLang's rows of this source are linear in the length (B200: 65,536 tokens take 0.48 ms as 256
 * prompts and as 4, up to 8 times the peak): only a window before each token is computed. */
#define WINDOWED_SOURCE "trtllm_mha"

static bool sample_prefill_attention(const struct kernel_row *row, const struct llmsim_peaks *peaks,
                                     struct kernel_sample *sample)
{
    double heads = row->number[3];
    const double point[] = {row->number[0], heads, heads / row->number[4], row->number[1]};
    if (!set_attention_variant(row, sample) || row->number[2] > 0 ||
        (row->text[8][0] != '\0' && strcmp(row->text[8], "bfloat16") != 0))
        return false;
    const struct attention_sizes sizes = {heads, row->number[4], row->number[5],
                                          strcmp(row->text[6], "fp8") == 0 ? 1 : 2};
    double roofline_s = roofline_prefill_attention_s(peaks, &sizes, point[0], point[3]);
    if (row->seconds < roofline_s || strcmp(row->text[9], WINDOWED_SOURCE) == 0)
        return false;
    set_sample(sample, point, 4, row->seconds, roofline_s);
    sample->is_judged = point[3] >= 512;
    return true;
}

/* ---- MLA: batch_size, isl, step, num_heads, kv_cache_dtype, gemm_type, mla_dtype: the kernel of
 * attention, and all of the block of DeepSeek V3, its projections included ---- */

static bool set_mla_variant(const struct kernel_row *row, struct kernel_sample *sample)
{
    const char *kv = format_name(row->text[4]), *gemm = format_name(row->text[5]);
    if (kv == NULL || strcmp(row->text[6], "bfloat16") != 0 || !(row->number[3] > 0))
        return false;
    (void)snprintf(sample->variant, sizeof sample->variant, "%s%s%s", gemm != NULL ? gemm : "",
                   gemm != NULL ? " " : "", kv);
    return true;
}

static bool sample_decode_mla(const struct kernel_row *row, const struct llmsim_peaks *peaks,
                              struct kernel_sample *sample)
{
    double batch = row->number[0], context = row->number[1] + row->number[2];
    const double point[] = {batch, row->number[3]};
    if (!set_mla_variant(row, sample) || context < SHORTEST_CONTEXT)
        return false;
    const struct decode_line line =
        roofline_decode_mla(peaks, row->number[3], strcmp(row->text[4], "fp8") == 0 ? 1 : 2, batch);
    if (is_cached(peaks, line.per_token_s * batch * context * peaks->bytes_per_s, row->seconds))
        return false;
    set_line(sample, point, 2, row->seconds, &line, batch * context);
    sample->is_judged = is_judged_context(context);
    return true;
}

static bool sample_prefill_mla(const struct kernel_row *row, const struct llmsim_peaks *peaks,
                               struct kernel_sample *sample)
{
    const double point[] = {row->number[0], row->number[3], row->number[1]};
    if (!set_mla_variant(row, sample) || row->number[2] > 0)
        return false;
    set_sample(sample, point, 3, row->seconds,
               roofline_prefill_mla_s(peaks, row->number[3], point[0], point[2]));
    sample->is_judged = point[2] >= 512;
    return true;
}

/* ---- experts: moe_dtype, num_tokens, hidden_size, inter_size, topk, num_experts, moe_tp_size,
 * moe_ep_size, distribution, kernel_source ---- */

/* Rows that are not what they say, or of what is no expert of today's models: vLLM's mxfp4 rows do
 * not change with moe_ep_size, so all but the first are wrong; TensorRT-LLM runs its kernel for the
 * least latency where it is told to. */
static bool is_left_out(const char *source, double groups)
{
    return strstr(source, "nongated") != NULL || strstr(source, "min_latency") != NULL ||
           (strcmp(source, "vllm_mxfp4_moe") == 0 && groups > 1);
}

static bool sample_experts(const struct kernel_row *row, const struct llmsim_peaks *peaks,
                           struct kernel_sample *sample)
{
    const char *format = format_name(row->text[0]);
    const double *x = row->number;
    /* Routers of real models are as uneven as a power law. */
    if (format == NULL || strstr(row->text[8], "power_law_1") == NULL ||
        is_left_out(row->text[9], x[7]))
        return false;
    const struct experts_sizes sizes = {x[1], x[2], x[3] / x[6], x[5], x[4], x[7], 3};
    if (is_cached(peaks, experts_weight_bytes(format, &sizes), row->seconds))
        return false;
    /* With several groups, the time of the one that most tokens go to. */
    const double point[] = {x[1] * x[4] / x[5], sizes.slice, x[5] / x[7], x[7], x[2]};
    (void)snprintf(sample->variant, sizeof sample->variant, "%s", format);
    set_sample(sample, point, 5, row->seconds, roofline_experts_s(peaks, format, &sizes));
    const double shape[] = {x[1], x[2], x[3], x[4], x[5], x[6], x[7]};
    sample->shape = hash_shape(sample->variant, shape, 7);
    sample->is_judged = true;
    return true;
}

#define ATTENTION_COLUMNS                                                                          \
    {                                                                                              \
        "batch_size", "isl", "step", "num_heads", "num_key_value_heads", "head_dim",               \
            "kv_cache_dtype", "window_size", "attn_dtype", "kernel_source", NULL                   \
    }
#define MLA_COLUMNS                                                                                \
    {                                                                                              \
        "batch_size", "isl", "step", "num_heads", "kv_cache_dtype", "gemm_type", "mla_dtype", NULL \
    }

#define PART_AXIS                                                                                  \
    {                                                                                              \
        KERNEL_PART_AXIS, 2,                                                                       \
        {                                                                                          \
            1, 2                                                                                   \
        }                                                                                          \
    }
#define DECODE_MLA_AXES                                                                            \
    {                                                                                              \
        {"batch", 11, {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}},                              \
            {"heads", 8, {1, 2, 4, 8, 16, 32, 64, 128}}, PART_AXIS                                 \
    }
#define PREFILL_MLA_AXES                                                                           \
    {                                                                                              \
        {"prompts", 5, {1, 4, 16, 64, 256}}, {"heads", 4, {1, 8, 32, 128}},                        \
        {                                                                                          \
            "length", 10,                                                                          \
            {                                                                                      \
                1, 16, 64, 256, 512, 1024, 2048, 4096, 8192, 16384                                 \
            }                                                                                      \
        }                                                                                          \
    }

const struct kernel_kind kernel_kinds[N_KERNEL_KINDS] = {
    [KERNEL_GEMM] =
        {.name = "gemm",
         .table = "gemm",
         .columns = {"gemm_dtype", "m", "n", "k", NULL},
         .sample = sample_gemm,
         .axes = {{"m", 13, {1, 16, 64, 128, 192, 256, 512, 1024, 1536, 2048, 4096, 8192, 32768}},
                  {"n", 10, {32, 128, 512, 1024, 2048, 4096, 8192, 12288, 16384, 65536}},
                  {"k", 9, {32, 128, 512, 1024, 2048, 4096, 8192, 16384, 65536}}},
         .fine_axes = {{"m",
                        19,
                        {1, 8, 16, 32, 64, 96, 128, 160, 192, 256, 384, 512, 768, 1024, 1536, 2048,
                         4096, 8192, 32768}},
                       {"n",
                        18,
                        {32, 128, 512, 1024, 1536, 2048, 2560, 3072, 3584, 4096, 5120, 6144, 7168,
                         8192, 10240, 12288, 16384, 65536}},
                       {"k", 8, {32, 256, 1024, 2048, 3584, 7168, 8192, 65536}}}},
    [KERNEL_ALL_REDUCE] = {.name = "all_reduce",
                           .table = "custom_allreduce",
                           .columns = {"message_size", "num_gpus", "backend", NULL},
                           .sample = sample_all_reduce,
                           .axes = {{"bytes",
                                     14,
                                     {256, 4096, 16384, 65536, 131072, 262144, 524288, 1048576,
                                      4194304, 8388608, 16777216, 67108864, 268435456, 1073741824}},
                                    {"gpus", 3, {2, 4, 8}}}},
    [KERNEL_DECODE_ATTENTION] =
        {.name = "decode_attention",
         .table = "generation_attention",
         .columns = ATTENTION_COLUMNS,
         .sample = sample_decode_attention,
         .axes = {{"streams", 14, {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192}},
                  {"kv_heads", 4, {1, 2, 8, 64}},
                  {"heads_per_kv_head", 10, {1, 2, 4, 8, 10, 12, 16, 32, 64, 128}},
                  PART_AXIS}},
    [KERNEL_PREFILL_ATTENTION] =
        {.name = "prefill_attention",
         .table = "context_attention",
         .columns = ATTENTION_COLUMNS,
         .sample = sample_prefill_attention,
         .axes = {{"prompts", 5, {1, 4, 16, 64, 256}},
                  {"heads", 4, {1, 4, 16, 64}},
                  {"heads_per_kv_head", 3, {1, 4, 16}},
                  {"length", 10, {1, 16, 64, 256, 512, 1024, 2048, 4096, 8192, 16384}}}},
    [KERNEL_DECODE_MLA] = {.name = "decode_mla",
                           .table = "generation_mla",
                           .columns = MLA_COLUMNS,
                           .sample = sample_decode_mla,
                           .axes = DECODE_MLA_AXES},
    [KERNEL_PREFILL_MLA] = {.name = "prefill_mla",
                            .table = "context_mla",
                            .columns = MLA_COLUMNS,
                            .sample = sample_prefill_mla,
                            .axes = PREFILL_MLA_AXES},
    [KERNEL_DECODE_MLA_BLOCK] = {.name = "decode_mla_block",
                                 .table = "mla_generation_module",
                                 .columns = MLA_COLUMNS,
                                 .sample = sample_decode_mla,
                                 .axes = DECODE_MLA_AXES},
    [KERNEL_PREFILL_MLA_BLOCK] = {.name = "prefill_mla_block",
                                  .table = "mla_context_module",
                                  .columns = MLA_COLUMNS,
                                  .sample = sample_prefill_mla,
                                  .axes = PREFILL_MLA_AXES},
    [KERNEL_EXPERTS] = {.name = "experts",
                        .table = "moe",
                        .columns = {"moe_dtype", "num_tokens", "hidden_size", "inter_size", "topk",
                                    "num_experts", "moe_tp_size", "moe_ep_size", "distribution",
                                    "kernel_source", NULL},
                        .sample = sample_experts,
                        .axes = {{"tokens_per_expert", 8, {0.0625, 0.25, 1, 4, 16, 64, 256, 1024}},
                                 {"slice", 5, {64, 256, 768, 2048, 16384}},
                                 {"experts", 4, {1, 8, 64, 512}},
                                 {"groups", 3, {1, 4, 64}},
                                 {"hidden", 2, {2048, 7168}}}},
};
