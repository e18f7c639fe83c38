/* shape.h: the architecture of a model: what a step's cost is composed from.
 *
 * Every layer has attention of one kind, or none, and an MLP of one kind, or none; the shape counts
 * the layers of each kind. Layers that predict further tokens (MTP, nextn) are left out: a server
 * does not run them unless it decodes speculatively, and published totals leave them out, too.
 * Plain values, no pointers; what a model has not is 0 or false. docs/catalogues.md names the keys
 * of model.json that hold it. */
#ifndef LLMSIM_SHAPE_H
#define LLMSIM_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmsim/choice.h"
#include "llmsim/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How numbers are stored. X(constant, name, bits, group, scale bits a group, help): a number takes
 * bits + scale bits / group. A group of 0: one scale for a whole matrix or channel. "_wo" are
 * weight-only: the arithmetic is that of the model's 16 bits. */
#define LLMSIM_FORMAT_LIST(X)                                                                      \
    X(BF16, "bf16", 16, 0, 0, "16 bits, bfloat16 or float16")                                      \
    X(FP32, "fp32", 32, 0, 0, "32 bits")                                                           \
    X(FP8, "fp8", 8, 0, 0, "8-bit floats, a scale a matrix or channel")                            \
    X(FP8_BLOCK, "fp8_block", 8, 16384, 32, "8-bit floats, a 32-bit scale a block of 128 x 128")   \
    X(MXFP8, "mxfp8", 8, 32, 8, "8-bit floats, an 8-bit scale 32 numbers")                         \
    X(INT8, "int8", 8, 0, 0, "8-bit integers, weights and activations")                            \
    X(INT8_WO, "int8_wo", 8, 0, 0, "8-bit integers, weights only")                                 \
    X(INT4_WO, "int4_wo", 4, 128, 16, "4-bit integers, weights only (AWQ, GPTQ)")                  \
    X(NVFP4, "nvfp4", 4, 16, 8, "4-bit floats, an 8-bit scale 16 numbers")                         \
    X(NVFP4_WO, "nvfp4_wo", 4, 16, 8, "the same, weights only")                                    \
    X(MXFP4, "mxfp4", 4, 32, 8, "4-bit floats, an 8-bit scale 32 numbers")

enum llmsim_format {
#define X(constant, name, bits, group, scale_bits, help) LLMSIM_FORMAT_##constant,
    LLMSIM_FORMAT_LIST(X)
#undef X
};

LLMSIM_API const struct llmsim_choice *llmsim_format_choice(size_t i);

/* Bits a number, its share of the scales included. `group_size` 0: the format's own. */
LLMSIM_API double llmsim_format_bits(enum llmsim_format format, unsigned group_size);

/* The weights by what they are for. X(constant, key of its format in model.json) */
#define LLMSIM_WEIGHTS_LIST(X)                                                                     \
    X(ATTENTION, "attention_dtype")               /* q, k, v, and what stands for them */          \
    X(ATTENTION_OUTPUT, "attention_output_dtype") /* o */                                          \
    X(MLP, "mlp_dtype")                           /* of layers without experts */                  \
    X(SHARED_EXPERTS, "shared_expert_dtype")                                                       \
    X(EXPERTS, "experts_dtype") /* routed ones */                                                  \
    X(LM_HEAD, "lm_head_dtype") /* none where it is the embedding */                               \
    X(OTHER, "dtype")           /* embedding, norms, biases, routers, convolutions; activations */

enum llmsim_weights {
#define X(constant, key) LLMSIM_WEIGHTS_##constant,
    LLMSIM_WEIGHTS_LIST(X)
#undef X
        LLMSIM_N_WEIGHTS
};

/* Multi-head and grouped-query attention. */
struct llmsim_attention_shape {
    unsigned layers;
    unsigned num_heads;
    unsigned num_kv_heads;
    unsigned head_dim; /* of queries and keys */
    unsigned v_head_dim;
    unsigned window; /* tokens that a token sees at most; 0: all before it */
};

/* Multi-head latent attention; a token's KV cache is kv_lora_rank + qk_rope_head_dim numbers. */
struct llmsim_mla_shape {
    unsigned layers;
    unsigned num_heads;
    unsigned q_lora_rank; /* 0: queries are projected in one piece */
    unsigned kv_lora_rank;
    unsigned qk_nope_head_dim;
    unsigned qk_rope_head_dim;
    unsigned v_head_dim;
};

/* Sparse attention: an indexer scores all tokens before, and attention reads the best. Some layers
 * take the choice of a layer before. The keys that it keeps of a token are head_dim bytes (fp8) and
 * a 32-bit scale. */
struct llmsim_indexer_shape {
    unsigned layers; /* that have an indexer of their own */
    unsigned num_heads;
    unsigned head_dim;
    unsigned topk; /* tokens that attention reads at most */
};

/* Linear attention (Gated DeltaNet): a state of a fixed size a sequence, no KV cache. */
struct llmsim_linear_shape {
    unsigned layers;
    unsigned num_key_heads;
    unsigned key_head_dim;
    unsigned num_value_heads;
    unsigned value_head_dim;
    unsigned conv_kernel_dim;
};

struct llmsim_moe_shape {
    unsigned layers;
    unsigned num_experts;
    unsigned num_experts_per_tok;
    unsigned moe_intermediate_size;           /* of one expert */
    unsigned shared_expert_intermediate_size; /* of all shared experts together */
};

struct llmsim_shape {
    bool is_known; /* false: the catalogue has no shape, and nothing below counts */
    unsigned hidden_size;
    unsigned num_hidden_layers;
    unsigned vocab_size;
    bool tie_word_embeddings; /* the LM head has the embedding's weights */
    bool parallel_blocks;     /* attention and MLP side by side: one all-reduce a layer */
    bool attn_output_gate;    /* of `full`: the q projection is twice as wide */
    bool attention_k_eq_v;    /* of `full`: no v projection; the cache has K and V */
    bool mlp_is_not_gated;    /* up and down only; else gate, up and down */

    struct llmsim_attention_shape full;
    struct llmsim_attention_shape windowed; /* sliding window or chunks */
    struct llmsim_mla_shape mla;
    struct llmsim_indexer_shape indexer;
    struct llmsim_linear_shape linear;

    unsigned dense_layers;      /* layers with an MLP that every token passes, and no experts */
    unsigned intermediate_size; /* of it; of gate and up each, where it is gated */
    struct llmsim_moe_shape moe;

    enum llmsim_format formats[LLMSIM_N_WEIGHTS];
    enum llmsim_format kv_cache_format;
    unsigned group_size; /* of int4_wo; 0: the format's own */

    uint64_t parameters;
    uint64_t active_parameters; /* that a token meets: without the experts that it does not visit */
};

/* Parameters by what they are for; their sum is `parameters`. */
LLMSIM_API void llmsim_shape_count(const struct llmsim_shape *shape,
                                   uint64_t parameters[LLMSIM_N_WEIGHTS]);
LLMSIM_API double llmsim_shape_weight_bytes(const struct llmsim_shape *shape);

/* KV cache of one token in all layers that have one, windowed layers included. */
LLMSIM_API double llmsim_shape_kv_bytes_per_token(const struct llmsim_shape *shape);
/* Of a sequence of so many tokens, where a server frees what has left a window, and with the states
 * of linear attention. */
LLMSIM_API double llmsim_shape_kv_bytes(const struct llmsim_shape *shape, uint64_t tokens);
/* States of linear attention of one sequence, 32 bits a number as servers keep them, and the last
 * inputs of the convolution. */
LLMSIM_API double llmsim_shape_state_bytes(const struct llmsim_shape *shape);

/* Do the numbers make a model? LLMSIM_CATALOGUE with what does not fit; no place. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status llmsim_shape_check(const struct llmsim_shape *shape,
                                                                   struct llmsim_error *err);

#ifdef __cplusplus
}
#endif
#endif
