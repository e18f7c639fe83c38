/* model_config.h: what a class of Hugging Face configs says of a model, in common terms.
 *
 * config.json -> (model_class.c: a row a class) struct llmsim_config -> (model_count.c) parameters;
 * (quantization.c) formats of the weights. */
#ifndef LLMSIM_MODEL_MODEL_CONFIG_H
#define LLMSIM_MODEL_MODEL_CONFIG_H

#include "json_file.h"
#include "llmsim/shape.h"

/* The norms of queries and keys: none; over a head, the same for all; over all heads together, or
 * with weights for each head. */
enum llmsim_qk_norm { LLMSIM_QK_NORM_NONE, LLMSIM_QK_NORM_HEAD, LLMSIM_QK_NORM_ALL };

/* Zero or false where a class has no such thing. What is read straight from a key stands first. */
struct llmsim_config {
    struct llmsim_shape shape;
    unsigned num_heads;
    unsigned num_kv_heads;
    unsigned head_dim;
    unsigned max_positions;
    unsigned window;           /* of layers that have one */
    unsigned window_interval;  /* every so many layers, one has none */
    unsigned moe_interval;     /* every so many layers, the layer has experts … */
    uint64_t first_dense;      /* … but not the first of this number, … */
    const cJSON *dense_layers; /* … and not those in this array */
    const cJSON *moe_flags;    /* or: 1 for each layer that has, else 0 */
    const cJSON *layer_types;  /* names, one a layer */
    unsigned full_interval;    /* every so many layers, attention is not linear */
    uint64_t n_shared_experts;
    uint64_t shared_expert_size;
    unsigned dense_size;      /* of the MLP of layers without experts, in classes whose
                                 intermediate_size is that of an expert */
    unsigned embedding_size;  /* OPT: narrower than the model */
    unsigned global_kv_heads; /* Gemma 4: of layers without a window */
    unsigned global_head_dim;
    bool uses_window;
    uint64_t window_from_layer; /* Qwen 2: the layers before have none */
    bool uses_qk_norm;
    bool has_bias;       /* Falcon, StarCoder: on all linear layers */
    bool is_multi_query; /* Falcon */
    bool has_new_decoder;
    unsigned norms_in_parallel;
    bool has_no_bias;     /* Qwen 1: all but q, k, v */
    bool has_norm_before; /* OPT */
    bool lacks_final_norm;
    bool has_norm_weights;
    bool has_moe; /* Gemma 4 */
    uint64_t per_layer_input_size;
    uint64_t kv_shared_layers;
    const cJSON *sparse_attention; /* MiniMax M3 */
    const cJSON *index_flags;
    unsigned index_block;
    const cJSON *indexer_types; /* GLM 5.2 */

    /* What the counts take. */
    unsigned norm_vectors; /* of a norm: 1; with biases, 2 */
    unsigned layer_norms;  /* as wide as the model, a layer; those of q and k not counted */
    unsigned outer_norms;  /* after the last layer, and of the embedding */
    enum llmsim_qk_norm qk_norm;
    bool has_qkv_bias;
    bool has_output_bias;
    bool has_mlp_bias;
    bool has_lm_head_bias;
    bool has_sinks; /* a number a head, which softmax adds to its sum */
    bool has_expert_bias;
    unsigned router_vectors; /* as long as there are experts: biases, corrections, scales */
    bool has_shared_expert_gate;
    uint64_t more_parameters; /* of what only one class has */
    bool lookup_is_idle;      /* OpenAI: the embedding is not active */
};

struct llmsim_model_class {
    const char *name;
    const struct llmsim_json_key *keys;
    struct llmsim_config defaults;
    /* From the keys to the shape and the counts; after llmsim_config_complete. NULL: nothing. */
    enum llmsim_status (*adjust)(const struct llmsim_json *json, const cJSON *text,
                                 struct llmsim_config *c, struct llmsim_error *err);
    /* Names of modules below a layer, as quantization configs list them; NULL: the usual. */
    const char *mlp, *shared_experts, *experts;
    const char *default_dtype; /* NULL: the config has to say it */
};

/* The row of the config's class, or an error that names it. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_model_class_find(const struct llmsim_json *json,
                                                             const struct llmsim_model_class **row,
                                                             struct llmsim_error *err);

/* Read `text`, the part of the config that describes the language model, by its class. */
LLMSIM_MUST_CHECK enum llmsim_status
llmsim_model_class_read(const struct llmsim_model_class *row, const struct llmsim_json *json,
                        const cJSON *text, struct llmsim_config *c, struct llmsim_error *err);

/* Of layer i, from 0. */
bool llmsim_config_has_experts(const struct llmsim_config *c, unsigned layer);
bool llmsim_config_is_linear(const struct llmsim_config *c, unsigned layer);

/* Set the shape's parameters, all and active. */
void llmsim_config_count(struct llmsim_config *c);

/* Set the shape's formats by `quantization_config` of the config or of its text, or by the
 * hf_quant_config.json that lies beside it. `dtype` is that of what is not quantized. */
LLMSIM_MUST_CHECK enum llmsim_status
llmsim_config_quantization(const struct llmsim_model_class *row, const struct llmsim_json *json,
                           const cJSON *text, enum llmsim_format dtype, struct llmsim_config *c,
                           struct llmsim_error *err);

#endif
