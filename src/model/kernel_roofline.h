/* kernel_roofline.h: the least that a kernel can take, in seconds, and the floor of a launch.
 *
 * What the lattices of the kernel catalogue are set against: a kernel does its arithmetic at the
 * peak of its number format or moves its bytes at the memory's peak, whichever takes longer (S.
 * Williams, A. Waterman, D. Patterson, Roofline, CACM 2009), after a launch. */
#ifndef LLMSIM_MODEL_KERNEL_ROOFLINE_H
#define LLMSIM_MODEL_KERNEL_ROOFLINE_H

#include <stdbool.h>

#include "llmsim/kernels.h"

/* Formats by their names in llmsim/shape.h; mxfp4_mxfp8: 4-bit weights, activations of 8 bits. */

#define ROOFLINE_LAUNCH_S 2e-6

/* Rows of the left matrix that fast kernels take as they are; others are padded first, or run in a
 * slower kernel. */
bool kernel_gemm_is_aligned(double m);
double roofline_gemm_s(const struct llmsim_peaks *peaks, const char *format, double m, double n,
                       double k);

double gemm_weight_bytes(const char *format, double n, double k);

/* Of the message alone: what a link takes depends on the machine. */
double roofline_all_reduce_s(double bytes);

/* Of one GPU. */
struct attention_sizes {
    double heads, kv_heads, head_dim, kv_bytes; /* bytes of a number in the KV cache */
};
/* Decode steps of a fixed batch: some time, and more for each token of the sum of contexts. */
struct decode_line {
    double fixed_s, per_token_s;
};
struct decode_line roofline_decode_attention(const struct llmsim_peaks *peaks,
                                             const struct attention_sizes *sizes, double batch);
double roofline_prefill_attention_s(const struct llmsim_peaks *peaks,
                                    const struct attention_sizes *sizes, double prompts,
                                    double length);
/* Latent attention as DeepSeek has it: 512 + 64 numbers a token, heads of 128 + 64. */
struct decode_line roofline_decode_mla(const struct llmsim_peaks *peaks, double heads,
                                       double kv_bytes, double batch);
double roofline_prefill_mla_s(const struct llmsim_peaks *peaks, double heads, double prompts,
                              double length);

struct experts_sizes {
    double tokens, hidden;
    double slice; /* of an expert's width that a GPU has */
    double experts, topk;
    double groups;   /* of GPUs, which share the experts whole */
    double matrices; /* of an expert: 3 where it is gated */
};
double roofline_experts_s(const struct llmsim_peaks *peaks, const char *format,
                          const struct experts_sizes *sizes);
/* Of the experts that tokens go to. */
double experts_weight_bytes(const char *format, const struct experts_sizes *sizes);

#endif
