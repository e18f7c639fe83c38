/* device.h: what the profilers ask of a device: memory, random numbers, and timed launches.
 *
 * The profilers decide everything in plain C: what is allocated, what is launched, in which order
 * and with which sizes. A device does what it is told. The program has a CUDA device; the tests
 * have one that computes on the CPU. A device is used by one thread. */
#ifndef LLMSIM_DEVICE_H
#define LLMSIM_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "llmsim/choice.h"
#include "llmsim/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The element of weights, activations and KV cache: 2 bytes. */
enum llmsim_dtype { LLMSIM_BFLOAT16, LLMSIM_FLOAT16 };
/* Their names, as tables of choices are. */
LLMSIM_API const struct llmsim_choice *llmsim_dtype_choice(size_t i);

struct llmsim_device_info {
    char name[LLMSIM_MAX_NAME + 1]; /* a key of gpu.json */
    char driver[64];                /* versions, for the notes of a profile */
    uint64_t memory_bytes;
    uint64_t free_bytes;
    unsigned n_multiprocessors;
    unsigned memory_bus_bits; /* 0: not known; so are the clocks */
    double memory_clock_MHz;  /* of the bus; two transfers a cycle */
    double core_clock_MHz;
};

/* X(name, text). What each computes, on rows of elements without gaps, all sums in float or wider:
 *
 * EMBED          out[r] = weights[ids[r]]; `in` is uint32_t ids[rows]; outputs = width,
 *                inputs = rows of weights
 * NORM           row r is row r·stride + stride − 1 of `state` and of `in`: state += in (if `in`
 *                is not NULL); out[r] = state / sqrt(mean of state² + 1e-5) · weights
 * GEMM           out[rows][outputs] = in[rows][inputs] · weights[outputs][inputs]ᵀ
 * ACTIVATE       gated: in[rows][2·outputs] is gate and up, out = gate / (1 + exp(−gate)) · up;
 *                else out = max(in, 0)
 * STORE_KV       in[rows][(n_heads + 2·n_kv_heads)·head_dim] is q, k, v of batch_size sequences of
 *                rows / batch_size tokens. Token i of a sequence goes to position tokens_each −
 *                rows / batch_size + i of keys and values, [batch_size][n_kv_heads][tokens_each]
 *                [head_dim] each
 * ATTEND_PROMPT  causal attention of each of batch_size prompts of tokens_each tokens to itself;
 *                in as for STORE_KV; out[rows][n_heads·head_dim]
 * ATTEND_CONTEXT the last token of each sequence to its tokens_each keys and values, in n_splits
 *                parts of split_tokens keys (the last part may be shorter): the weighted sums of
 *                values, and the greatest score and the sum of exp(score − greatest) of each part,
 *                go to `partials`: float [batch_size][n_heads][n_splits][head_dim + 2]
 * COMBINE        out[rows][n_heads·head_dim] from `partials`
 * READ, COPY, TRIAD  over `bytes` bytes an array: read `in`; out = in; out = in + 3 · weights, in
 *                float. READ writes nothing, but leaves the sum of its 32-bit words, modulo 2^32,
 *                added to the uint32_t at `out`. */
#define LLMSIM_LAUNCH_LIST(X)                                                                      \
    X(EMBED, "embed")                                                                              \
    X(NORM, "norm")                                                                                \
    X(GEMM, "gemm")                                                                                \
    X(ACTIVATE, "activate")                                                                        \
    X(STORE_KV, "store_kv")                                                                        \
    X(ATTEND_PROMPT, "attend_prompt")                                                              \
    X(ATTEND_CONTEXT, "attend_context")                                                            \
    X(COMBINE, "combine")                                                                          \
    X(READ, "read")                                                                                \
    X(COPY, "copy")                                                                                \
    X(TRIAD, "triad")

enum llmsim_launch_kind {
#define X(name, text) LLMSIM_LAUNCH_##name,
    LLMSIM_LAUNCH_LIST(X)
#undef X
};

/* One launch. All pointers are the device's; those that a kind does not name are NULL. */
struct llmsim_launch {
    enum llmsim_launch_kind kind;
    enum llmsim_dtype dtype;
    uint64_t bytes;
    uint64_t rows, inputs, outputs;
    uint64_t stride;
    uint64_t batch_size, tokens_each;
    uint64_t n_splits, split_tokens;
    unsigned n_heads, n_kv_heads, head_dim;
    bool gated;
    const void *in, *weights;
    void *state, *out;
    void *keys, *values;
    float *partials;
};

/* How the launches of a step reach the device. */
enum llmsim_launch_mode { LLMSIM_LAUNCH_PLAIN, LLMSIM_LAUNCH_GRAPH };
LLMSIM_API const struct llmsim_choice *llmsim_launch_mode_choice(size_t i);

/* Errors: LLMSIM_RUN_FAILED with the device's own text and where the call stands. */
struct llmsim_device_ops {
    enum llmsim_status (*describe)(void *self, struct llmsim_device_info *info,
                                   struct llmsim_error *err);
    enum llmsim_status (*allocate)(void *self, uint64_t bytes, void **memory,
                                   struct llmsim_error *err);
    void (*release)(void *self, void *memory); /* NULL is fine */
    enum llmsim_status (*upload)(void *self, void *to, const void *from, uint64_t bytes,
                                 struct llmsim_error *err);
    enum llmsim_status (*download)(void *self, void *to, const void *from, uint64_t bytes,
                                   struct llmsim_error *err);
    /* n elements, evenly distributed between −scale and scale, another sequence for each seed */
    enum llmsim_status (*fill)(void *self, void *to, uint64_t n, enum llmsim_dtype dtype,
                               uint64_t seed, float scale, struct llmsim_error *err);
    /* Run all launches in order, n_warmups + n_repeats times; seconds[i] is what the device took
     * for the i-th repeat of them all. */
    enum llmsim_status (*time)(void *self, const struct llmsim_launch *launches, size_t n_launches,
                               enum llmsim_launch_mode mode, unsigned n_warmups, unsigned n_repeats,
                               double *seconds, struct llmsim_error *err);
    void (*close)(void *self);
};

struct llmsim_device {
    void *self;
    const struct llmsim_device_ops *ops;
};

#ifdef __cplusplus
}
#endif
#endif
