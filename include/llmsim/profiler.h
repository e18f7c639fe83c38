/* profiler.h: measure a GPU, or a model's steps on one.
 *
 * Three things in order: a network (the shape of a model as far as a step's time depends on it), a
 * plan (which steps are measured, how many layers, where everything lies in memory), and a run
 * over a device (device.h), which makes rows of profile CSV. Only the run needs a device.
 * docs/profiles.md describes the file and the method. */
#ifndef LLMSIM_PROFILER_H
#define LLMSIM_PROFILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmsim/catalogue.h"
#include "llmsim/device.h"
#include "llmsim/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the network ---- */

/* Without biases, positions and the mixture of experts; every norm is an RMS norm. */
struct llmsim_network {
    char name[LLMSIM_MAX_NAME + 1]; /* a key of model.json */
    enum llmsim_dtype dtype;
    unsigned n_layers;
    unsigned hidden_size, intermediate_size, vocab_size;
    unsigned n_heads, n_kv_heads, head_dim;
    bool has_gated_mlp;
    bool ties_embeddings;
};

/* LLMSIM_CATALOGUE if the kernels cannot run the shape: a mixture of experts, a width that is no
 * multiple of 8, a head size or a number of heads for which there is no kernel. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_network_init(struct llmsim_network *network, const struct llmsim_model_shape *shape,
                    enum llmsim_dtype dtype, struct llmsim_error *err);

/* ---- the plan ---- */

enum llmsim_profile_phase { LLMSIM_PROFILE_PREFILL, LLMSIM_PROFILE_DECODE };

/* One step to measure: batch_size prompts of tokens_each tokens, or batch_size sequences that each
 * take one token and read tokens_each tokens of KV cache, their own included. */
struct llmsim_profile_point {
    enum llmsim_profile_phase phase;
    uint64_t batch_size;
    uint64_t tokens_each;
};

/* Offsets in bytes from the beginning of one allocation. Layer i's part begins at i · layer_stride
 * behind that of layer 0. */
struct llmsim_profile_layout {
    uint64_t embedding, lm_head, final_norm;
    uint64_t norm1, qkv, output, norm2, up, down; /* weights of layer 0 */
    uint64_t keys, values;                        /* KV cache of layer 0 */
    uint64_t layer_stride;
    uint64_t ids, state, normed, projected, attended, partials, added, widened, activated, logits;
    uint64_t total;
};

/* Which points a plan begins with (docs/profiles.md): prompts of up to max_tokens tokens together,
 * or decodes of up to max_tokens tokens of context each; up to max_batch of them. */
struct llmsim_profile_sweep {
    enum llmsim_profile_phase phase;
    uint64_t max_tokens;        /* at most 2^20 */
    uint64_t max_batch;         /* at most 2^12 */
    unsigned n_multiprocessors; /* of the device, which decides how a context is split */
};

struct llmsim_profile_plan {
    struct llmsim_network network;
    struct llmsim_profile_point *points; /* owned */
    size_t n_points;
    size_t n_left_out;       /* points of the sweep that do not fit beside the model */
    uint64_t least_left_out; /* bytes that the smallest of them would need; 0: none */
    unsigned n_layers;       /* that are loaded and run */
    unsigned n_fewer_layers; /* a second measurement with so many gives the time of a layer; 0: the
                                model is whole */
    unsigned n_multiprocessors;
    uint64_t budget_bytes;
    struct llmsim_profile_layout layout;
};

/* Which points, with how many layers, in `budget_bytes` of memory (llmsim_profile_budget). A model
 * that fits with the smallest point runs whole, and points that do not fit beside it are left out;
 * one that does not runs as many layers as fit with all points, at least 2. LLMSIM_RUN_FAILED if
 * two layers do not fit with the smallest point, or memory runs out. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_profile_plan_init(struct llmsim_profile_plan *plan, const struct llmsim_network *network,
                         const struct llmsim_profile_sweep *sweep, uint64_t budget_bytes,
                         struct llmsim_error *err);
LLMSIM_API void llmsim_profile_plan_fini(struct llmsim_profile_plan *plan);

/* What a plan may use of the memory that is free: the rest is for what libraries load at first use.
 * 0 if it is too little. */
LLMSIM_API uint64_t llmsim_profile_budget(uint64_t free_bytes);

/* Bytes that a step of all the model's layers reads at the least: weights once, and KV cache. */
LLMSIM_API uint64_t llmsim_profile_point_bytes(const struct llmsim_network *network,
                                               const struct llmsim_profile_point *point);

/* ---- the runs ---- */

struct llmsim_profile_progress {
    size_t n_done, n_points;
    const struct llmsim_profile_point *point; /* the last one that was measured */
    double latency_s;                         /* its median */
};

struct llmsim_profile_config {
    const char *output; /* "-": stdout */
    const char *date;   /* for the source column */
    unsigned n_warmups, n_repeats;
    enum llmsim_launch_mode mode;
    /* Called after each point, may be NULL; false ends the run with LLMSIM_INTERRUPTED. */
    bool (*observe)(void *ctx, const struct llmsim_profile_progress *progress);
    void *observe_ctx;
};

/* Measure every point of the plan, and write the CSV: a row a repeat. Weights and the KV cache are
 * random, and every layer has its own. The file gets its name when it is complete. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_profile_run(const struct llmsim_profile_plan *plan, const struct llmsim_device *device,
                   const struct llmsim_profile_config *config, struct llmsim_error *err);

/* The launches of one step of the first n_layers layers, with memory at `base`; how many. NULL only
 * counts. */
LLMSIM_API size_t llmsim_profile_step(const struct llmsim_profile_plan *plan,
                                      const struct llmsim_profile_point *point, unsigned n_layers,
                                      void *base, struct llmsim_launch *launches);

struct llmsim_bandwidth_config {
    uint64_t bytes;        /* of an array, of which there are three; 0: a quarter of the memory
                              that is free, at most 4 · 10^9 */
    unsigned n_repeats;    /* after a fifth as many to warm up */
    double memory_bw_GBps; /* the peak; 0: from the device's clock and bus width */
};

struct llmsim_bandwidth {
    struct llmsim_gpu gpu; /* memory_bw_util is from the read kernel, as decoding mostly reads */
    struct llmsim_device_info info;
    uint64_t bytes;
    double read_GBps, copy_GBps, triad_GBps; /* bytes read and written over the median time */
};

/* Measure bandwidth. LLMSIM_RUN_FAILED if there is no peak, or more than it was measured. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_profile_bandwidth(const struct llmsim_device *device,
                         const struct llmsim_bandwidth_config *config,
                         struct llmsim_bandwidth *bandwidth, struct llmsim_error *err);

/* Run every kernel of the device once on small random operands, and compare with the same in double
 * on the CPU. The outputs are poisoned before. LLMSIM_RUN_FAILED names the kernel and the case;
 * *n_cases is how many were right. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_device_self_test(const struct llmsim_device *device, size_t *n_cases,
                        struct llmsim_error *err);

/* The middle value, of an even number the mean of the two; sorts `values`. n is not 0. */
LLMSIM_API double llmsim_median(double *values, size_t n);

#ifdef __cplusplus
}
#endif
#endif
