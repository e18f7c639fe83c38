/* kernel_times.h: how long one call of each kernel takes on one of the GPUs, in seconds.
 *
 * Where the kernel catalogue has the kernel for the engine and the format, its lattice says; else
 * the roofline of the GPU's peaks with the efficiencies below. Sizes need not be whole numbers: a
 * share of a batch, a slice of a matrix. */
#ifndef LLMSIM_MODEL_KERNEL_TIMES_H
#define LLMSIM_MODEL_KERNEL_TIMES_H

#include "kernel_roofline.h"
#include "llmsim/catalogue.h"
#include "llmsim/kernels.h"
#include "llmsim/shape.h"

/* Steps of more tokens are as a rule no multiple of what kernels like; smaller ones are padded. */
#define KERNEL_MAX_ALIGNED 512
/* GPUs that all-reduces were measured between. */
#define KERNEL_MAX_LINKED_GPUS 8

struct kernel_times {
    const struct llmsim_kernels *kernels; /* NULL: none */
    struct llmsim_peaks peaks;            /* of the GPU, which may be another than was measured */
    double small_kernel_s;                /* of a kernel that does nothing, in a CUDA graph */
    double link_bytes_per_s, link_latency_s;
    bool has_own_links; /* all-reduces were measured on this very system */
};

/* [m × k] · [k × n], weights in `format`. */
double kernel_gemm_s(const struct kernel_times *t, enum llmsim_format format, double m, double n,
                     double k);

/* A kernel that moves so many bytes and does next to no arithmetic. */
double kernel_small_s(const struct kernel_times *t, double bytes);

/* Of one GPU. */
struct attention_heads {
    double heads, kv_heads, head_dim;
    enum llmsim_format format; /* of the KV cache */
};

struct decode_line kernel_decode_attention(const struct kernel_times *t,
                                           const struct attention_heads *heads, double batch);
struct decode_line kernel_decode_mla(const struct kernel_times *t, double heads,
                                     enum llmsim_format format, double batch);
/* The indexer's scan, of one KV token. */
double kernel_indexer_context_s(const struct kernel_times *t,
                                const struct llmsim_indexer_shape *indexer);

/* For each new token of `prompts` prompts, of which each attends to `length` tokens, counted twice
 * (the length of the prompt, where nothing is in the cache). */
double kernel_prefill_attention_s(const struct kernel_times *t, const struct attention_heads *heads,
                                  double prompts, double length);
double kernel_prefill_mla_s(const struct kernel_times *t, double heads, double prompts,
                            double length);

double kernel_linear_attention_s(const struct kernel_times *t,
                                 const struct llmsim_linear_shape *linear, double n_gpus,
                                 double tokens);

/* The routed experts of one layer, on one GPU. */
struct experts_work {
    enum llmsim_format format;
    double tokens; /* of all GPUs that share the experts */
    double hidden_size, intermediate_size;
    double num_experts, num_experts_per_tok;
    double tensor, expert; /* slices of each expert, and groups of whole ones */
    bool is_gated;
};
double kernel_experts_s(const struct kernel_times *t, const struct experts_work *work);

/* Between n_gpus; `bytes` is the whole message. 0 for one GPU. */
double kernel_all_reduce_s(const struct kernel_times *t, unsigned n_gpus, double bytes);
/* All tokens to all GPUs, and the sums of their results back. */
double kernel_exchange_s(const struct kernel_times *t, unsigned n_gpus, double bytes);
double kernel_send_s(const struct kernel_times *t, double bytes); /* to one other GPU */

#endif
