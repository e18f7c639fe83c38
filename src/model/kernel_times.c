/* kernel_times.c: the roofline of each kernel times what its lattice says of it. */
#include "kernel_times.h"

#include <stdio.h>

#include "detmath.h"
#include "kernel_kinds.h"
#include "kernel_roofline.h"

/* Without a lattice: shares of the peaks that large kernels reach on the GPUs that were measured.
 */
#define MEMORY_EFFICIENCY 0.8
#define ARITHMETIC_EFFICIENCY 0.7

static struct llmsim_peaks lower(const struct llmsim_peaks *peaks)
{
    return (struct llmsim_peaks){peaks->bytes_per_s * MEMORY_EFFICIENCY,
                                 peaks->bf16_per_s * ARITHMETIC_EFFICIENCY,
                                 peaks->fp8_per_s * ARITHMETIC_EFFICIENCY,
                                 peaks->fp4_per_s * ARITHMETIC_EFFICIENCY, peaks->cache_bytes};
}

static double by_lattice(const struct llmsim_lattice *lattice, const double *point,
                         double roofline_s)
{
    return roofline_s * llmsim_exp(llmsim_lattice_at(lattice, point));
}

/* ---- matrices ---- */

/* Formats by the measured ones whose kernels are most like theirs, nearest first; the roofline has
 * the bytes. */
#define MAX_LIKE 4
static const char *const like_formats[][MAX_LIKE] = {
    [LLMSIM_FORMAT_BF16] = {"bf16"},
    [LLMSIM_FORMAT_FP32] = {"bf16"},
    [LLMSIM_FORMAT_FP8] = {"fp8", "fp8_block", "bf16"},
    [LLMSIM_FORMAT_FP8_BLOCK] = {"fp8_block", "fp8", "bf16"},
    [LLMSIM_FORMAT_MXFP8] = {"fp8_block", "fp8", "bf16"},
    [LLMSIM_FORMAT_INT8] = {"fp8", "bf16"},
    [LLMSIM_FORMAT_INT8_WO] = {"bf16"},
    [LLMSIM_FORMAT_INT4_WO] = {"int4_wo", "bf16"},
    [LLMSIM_FORMAT_NVFP4] = {"nvfp4", "fp8", "fp8_block", "bf16"},
    [LLMSIM_FORMAT_NVFP4_WO] = {"int4_wo", "bf16"},
    [LLMSIM_FORMAT_MXFP4] = {"mxfp4", "mxfp4_mxfp8", "int4_wo", "bf16"},
};

static const struct llmsim_lattice *find_like(const struct kernel_times *t,
                                              enum kernel_kind_row kind, enum llmsim_format format,
                                              const char *suffix)
{
    const struct llmsim_lattice *found = NULL;
    for (size_t i = 0; i < MAX_LIKE && like_formats[format][i] != NULL && found == NULL; i++) {
        char variant[KERNEL_MAX_VARIANT];
        (void)snprintf(variant, sizeof variant, "%s%s", like_formats[format][i], suffix);
        found = llmsim_kernels_find(t->kernels, kind, variant);
    }
    return found;
}

/* KV caches are read in 16 or 8 bits. */
static enum llmsim_format kv_format(enum llmsim_format format)
{
    return llmsim_format_bits(format, 0) > 9 ? LLMSIM_FORMAT_BF16 : LLMSIM_FORMAT_FP8;
}

static const char *format_name(enum llmsim_format format)
{
    return llmsim_format_choice(format)->name;
}

/* Benchmarks call a kernel alone. What even next to nothing then takes beyond the few kernels that
 * a CUDA graph replays in its place (one to quantise the activations, the matrix kernel) is
 * launches, which a captured graph has not. */
#define KERNELS_OF_A_GEMM 2
static double launches_of_gemm_s(const struct kernel_times *t, const struct llmsim_lattice *lattice,
                                 const char *name)
{
    const double least[] = {16, 128, 128};
    double s =
        by_lattice(lattice, least, roofline_gemm_s(&t->peaks, name, least[0], least[1], least[2])) -
        KERNELS_OF_A_GEMM * t->small_kernel_s;
    return s > 0 ? s : 0;
}

double kernel_gemm_s(const struct kernel_times *t, enum llmsim_format format, double m, double n,
                     double k)
{
    const char *name = format_name(format);
    double roofline_s = roofline_gemm_s(&t->peaks, name, m, n, k);
    const struct llmsim_lattice *lattice = find_like(t, KERNEL_GEMM, format, "");
    if (lattice == NULL) {
        const struct llmsim_peaks peaks = lower(&t->peaks);
        return roofline_gemm_s(&peaks, name, m, n, k);
    }
    double launches_s = launches_of_gemm_s(t, lattice, name);
    const struct llmsim_lattice *unaligned = find_like(t, KERNEL_GEMM, format, " unaligned");
    if (m > KERNEL_MAX_ALIGNED && unaligned != NULL)
        lattice = unaligned;
    double s = by_lattice(lattice, (double[]){m, n, k}, roofline_s) - launches_s;
    return s > roofline_s ? s : roofline_s;
}

double kernel_small_s(const struct kernel_times *t, double bytes)
{
    return t->small_kernel_s + bytes / (t->peaks.bytes_per_s * MEMORY_EFFICIENCY);
}

/* ---- attention ---- */

static struct attention_sizes sizes_of(const struct attention_heads *h)
{
    return (struct attention_sizes){h->heads, h->kv_heads, h->head_dim,
                                    llmsim_format_bits(h->format, 0) / 8};
}

/* The lattice of the nearest width of a head that was measured. */
static const struct llmsim_lattice *find_attention(const struct kernel_times *t,
                                                   enum kernel_kind_row kind,
                                                   const struct attention_heads *h)
{
    static const unsigned widths[] = {64, 128, 192, 256};
    const struct llmsim_lattice *found = NULL;
    double nearest = 0;
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        char suffix[16];
        (void)snprintf(suffix, sizeof suffix, " %u", widths[i]);
        const struct llmsim_lattice *lattice = find_like(t, kind, kv_format(h->format), suffix);
        double ratio = h->head_dim < widths[i] ? widths[i] / h->head_dim : h->head_dim / widths[i];
        if (lattice != NULL && (found == NULL || ratio < nearest)) {
            found = lattice;
            nearest = ratio;
        }
    }
    return found;
}

struct decode_line kernel_decode_attention(const struct kernel_times *t,
                                           const struct attention_heads *heads, double batch)
{
    const struct attention_sizes sizes = sizes_of(heads);
    const struct llmsim_lattice *lattice = find_attention(t, KERNEL_DECODE_ATTENTION, heads);
    const struct llmsim_peaks peaks = lower(&t->peaks);
    if (lattice == NULL)
        return roofline_decode_attention(&peaks, &sizes, batch);
    const struct decode_line roofline = roofline_decode_attention(&t->peaks, &sizes, batch);
    const double point[] = {batch * heads->kv_heads, heads->kv_heads,
                            heads->heads / heads->kv_heads};
    return kernel_line_at(lattice, point, &roofline);
}

double kernel_prefill_attention_s(const struct kernel_times *t, const struct attention_heads *heads,
                                  double prompts, double length)
{
    const struct attention_sizes sizes = sizes_of(heads);
    const struct llmsim_lattice *lattice = find_attention(t, KERNEL_PREFILL_ATTENTION, heads);
    const struct llmsim_peaks peaks = lower(&t->peaks);
    const double point[] = {prompts, heads->heads, heads->heads / heads->kv_heads, length};
    double roofline_s =
        roofline_prefill_attention_s(lattice != NULL ? &t->peaks : &peaks, &sizes, prompts, length);
    double all = lattice != NULL ? by_lattice(lattice, point, roofline_s) : roofline_s;
    return all / (prompts * length);
}

struct decode_line kernel_decode_mla(const struct kernel_times *t, double heads,
                                     enum llmsim_format format, double batch)
{
    double kv_bytes = llmsim_format_bits(format, 0) / 8;
    const struct llmsim_lattice *lattice = find_like(t, KERNEL_DECODE_MLA, kv_format(format), "");
    const struct llmsim_peaks peaks = lower(&t->peaks);
    if (lattice == NULL)
        return roofline_decode_mla(&peaks, heads, kv_bytes, batch);
    const struct decode_line roofline = roofline_decode_mla(&t->peaks, heads, kv_bytes, batch);
    return kernel_line_at(lattice, (double[]){batch, heads}, &roofline);
}

double kernel_prefill_mla_s(const struct kernel_times *t, double heads, double prompts,
                            double length)
{
    const struct llmsim_lattice *lattice = find_like(t, KERNEL_PREFILL_MLA, LLMSIM_FORMAT_BF16, "");
    const struct llmsim_peaks peaks = lower(&t->peaks);
    double roofline_s =
        roofline_prefill_mla_s(lattice != NULL ? &t->peaks : &peaks, heads, prompts, length);
    double all = lattice != NULL
                     ? by_lattice(lattice, (double[]){prompts, heads, length}, roofline_s)
                     : roofline_s;
    return all / (prompts * length);
}

/* Keys of a token, 8 bits each, for all of the indexer's heads. */
double kernel_indexer_context_s(const struct kernel_times *t,
                                const struct llmsim_indexer_shape *indexer)
{
    return (indexer->head_dim + 4) / (t->peaks.bytes_per_s * MEMORY_EFFICIENCY);
}

/* States are read and written once a token, 32 bits a number. */
double kernel_linear_attention_s(const struct kernel_times *t,
                                 const struct llmsim_linear_shape *linear, double n_gpus,
                                 double tokens)
{
    double state =
        2 * 4.0 * linear->num_value_heads * linear->value_head_dim * linear->key_head_dim / n_gpus;
    return 2 * kernel_small_s(t, 0) + tokens * state / (t->peaks.bytes_per_s * MEMORY_EFFICIENCY);
}

/* ---- experts ---- */

/* Routing, sorting, two matrix kernels, the activation function, the sum of a token's experts: what
 * a captured graph replays for one token, beside the weights that it reads. */
#define KERNELS_OF_EXPERTS 6

static double experts_by_lattice_s(const struct kernel_times *t,
                                   const struct llmsim_lattice *lattice, const char *name,
                                   struct experts_sizes sizes, double tokens)
{
    sizes.tokens = tokens;
    const double point[] = {tokens * sizes.topk / sizes.experts, sizes.slice,
                            sizes.experts / sizes.groups, sizes.groups, sizes.hidden};
    return by_lattice(lattice, point, roofline_experts_s(&t->peaks, name, &sizes));
}

static double experts_weight_bytes_of(const char *name, struct experts_sizes sizes, double tokens)
{
    sizes.tokens = tokens;
    return experts_weight_bytes(name, &sizes);
}

double kernel_experts_s(const struct kernel_times *t, const struct experts_work *w)
{
    const char *name = format_name(w->format);
    const struct experts_sizes sizes = {
        .tokens = w->tokens,
        .hidden = w->hidden_size,
        .slice = w->intermediate_size / w->tensor,
        .experts = w->num_experts,
        .topk = w->num_experts_per_tok,
        .groups = w->expert,
        .matrices = w->is_gated ? 3 : 2,
    };
    const struct llmsim_lattice *lattice = find_like(t, KERNEL_EXPERTS, w->format, "");
    if (lattice == NULL) {
        const struct llmsim_peaks peaks = lower(&t->peaks);
        return roofline_experts_s(&peaks, name, &sizes);
    }
    double least_s = experts_by_lattice_s(t, lattice, name, sizes, 1);
    double read_s =
        experts_weight_bytes_of(name, sizes, 1) / (t->peaks.bytes_per_s * MEMORY_EFFICIENCY);
    double launches_s = least_s - read_s - KERNELS_OF_EXPERTS * t->small_kernel_s;
    double s = experts_by_lattice_s(t, lattice, name, sizes, w->tokens);
    double roofline_s = roofline_experts_s(&t->peaks, name, &sizes);
    s -= launches_s > 0 ? launches_s : 0;
    return s > roofline_s ? s : roofline_s;
}

/* ---- between GPUs ---- */

/* Over a ring: n - 1 messages to gather, as many to scatter, each of an n-th of the bytes (formula
 * 10 of docs/model.md). */
static double ring_s(const struct kernel_times *t, unsigned n_gpus, double bytes)
{
    double bandwidth = t->link_bytes_per_s > 0 ? t->link_bytes_per_s : 10e9;
    return 2 * (n_gpus - 1.0) * (t->link_latency_s + bytes / (n_gpus * bandwidth));
}

double kernel_all_reduce_s(const struct kernel_times *t, unsigned n_gpus, double bytes)
{
    if (n_gpus < 2)
        return 0;
    const struct llmsim_lattice *lattice =
        t->has_own_links ? llmsim_kernels_find(t->kernels, KERNEL_ALL_REDUCE, "bf16") : NULL;
    const double point[] = {bytes, n_gpus};
    if (lattice == NULL || n_gpus > KERNEL_MAX_LINKED_GPUS)
        return ring_s(t, n_gpus, bytes);
    return by_lattice(lattice, point, roofline_all_reduce_s(bytes));
}

double kernel_exchange_s(const struct kernel_times *t, unsigned n_gpus, double bytes)
{
    return kernel_all_reduce_s(t, n_gpus, bytes);
}

double kernel_send_s(const struct kernel_times *t, double bytes)
{
    double bandwidth = t->link_bytes_per_s > 0 ? t->link_bytes_per_s : 10e9;
    return t->link_latency_s + bytes / bandwidth;
}
