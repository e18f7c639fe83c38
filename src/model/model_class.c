/* model_class.c: the classes of models, by the name that config.json gives in "architectures".
 *
 * A class is a row: its keys, what they are where the class has a default of its own, and where the
 * keys do not say all, a function that adjusts. A key that has no default in the class, or whose
 * default was taken from one particular model, has to be there. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "llmsim/json_document.h"
#include "llmsim/nearest.h"
#include "model_config.h"
#include "model_limits.h"

/* ---- keys ---- */

#define AT(member) .offset = offsetof(struct llmsim_config, member)
#define COUNT(key, member, limit)                                                                  \
    {                                                                                              \
        .name = key, .kind = LLMSIM_JSON_COUNT, .max = limit, AT(member)                           \
    }
#define OPTIONAL_COUNT(key, member, limit)                                                         \
    {                                                                                              \
        .name = key, .kind = LLMSIM_JSON_COUNT, .max = limit, .optional = true, AT(member)         \
    }
#define RENAMED_COUNT(key, second, member, limit)                                                  \
    {                                                                                              \
        .name = key, .also = second, .kind = LLMSIM_JSON_COUNT, .max = limit, AT(member)           \
    }
#define OPTIONAL_RENAMED(key, second, member, limit)                                               \
    {                                                                                              \
        .name = key, .also = second, .kind = LLMSIM_JSON_COUNT, .max = limit, .optional = true,    \
        AT(member)                                                                                 \
    }
#define OPTIONAL_WHOLE(key, member, limit)                                                         \
    {                                                                                              \
        .name = key, .kind = LLMSIM_JSON_WHOLE, .max = limit, .optional = true, AT(member)         \
    }
#define FLAG(key, member)                                                                          \
    {                                                                                              \
        .name = key, .kind = LLMSIM_JSON_FLAG, .optional = true, AT(member)                        \
    }
#define NAMES(key, member)                                                                         \
    {                                                                                              \
        .name = key, .kind = LLMSIM_JSON_NAMES, .optional = true, AT(member)                       \
    }
#define INDICES(key, member, limit, may_lack)                                                      \
    {                                                                                              \
        .name = key, .kind = LLMSIM_JSON_INDICES, .max = limit, .optional = may_lack, AT(member)   \
    }

#define COMMON_KEYS                                                                                \
    COUNT("hidden_size", shape.hidden_size, MAX_WIDTH),                                            \
        COUNT("vocab_size", shape.vocab_size, MAX_VOCABULARY),                                     \
        COUNT("num_hidden_layers", shape.num_hidden_layers, MAX_LAYERS),                           \
        COUNT("num_attention_heads", num_heads, MAX_HEADS),                                        \
        OPTIONAL_COUNT("max_position_embeddings", max_positions, MAX_POSITIONS)
#define MLP_KEY COUNT("intermediate_size", shape.intermediate_size, MAX_WIDTH)
#define KV_HEADS_KEY COUNT("num_key_value_heads", num_kv_heads, MAX_HEADS)
#define OPTIONAL_KV_HEADS_KEY OPTIONAL_COUNT("num_key_value_heads", num_kv_heads, MAX_HEADS)
#define HEAD_DIM_KEY COUNT("head_dim", head_dim, MAX_WIDTH)
#define OPTIONAL_HEAD_DIM_KEY OPTIONAL_COUNT("head_dim", head_dim, MAX_WIDTH)
#define WINDOW_KEYS                                                                                \
    OPTIONAL_COUNT("sliding_window", window, MAX_POSITIONS), NAMES("layer_types", layer_types),    \
        OPTIONAL_RENAMED("sliding_window_pattern", "_sliding_window_pattern", window_interval,     \
                         MAX_LAYERS)
#define EXPERTS_KEYS(key)                                                                          \
    COUNT(key, shape.moe.num_experts, MAX_EXPERTS),                                                \
        COUNT("num_experts_per_tok", shape.moe.num_experts_per_tok, MAX_EXPERTS)
#define EXPERT_SIZE_KEY COUNT("moe_intermediate_size", shape.moe.moe_intermediate_size, MAX_WIDTH)
#define SPARSE_KEYS                                                                                \
    OPTIONAL_COUNT("decoder_sparse_step", moe_interval, MAX_LAYERS),                               \
        INDICES("mlp_only_layers", dense_layers, MAX_LAYERS, true)
#define BIAS_KEYS                                                                                  \
    FLAG("attention_bias", has_qkv_bias), FLAG("attention_bias", has_output_bias),                 \
        FLAG("mlp_bias", has_mlp_bias)

#define KEYS(name, ...)                                                                            \
    static const struct llmsim_json_key name[] = {__VA_ARGS__, LLMSIM_JSON_KEY_END}

KEYS(llama_keys, COMMON_KEYS, MLP_KEY, OPTIONAL_KV_HEADS_KEY, OPTIONAL_HEAD_DIM_KEY, BIAS_KEYS);

KEYS(mistral_keys, COMMON_KEYS, MLP_KEY, KV_HEADS_KEY, OPTIONAL_HEAD_DIM_KEY, WINDOW_KEYS);

KEYS(mixtral_keys, COMMON_KEYS, MLP_KEY, KV_HEADS_KEY, OPTIONAL_HEAD_DIM_KEY, WINDOW_KEYS,
     EXPERTS_KEYS("num_local_experts"));

KEYS(qwen2_keys, COMMON_KEYS, MLP_KEY, KV_HEADS_KEY, OPTIONAL_HEAD_DIM_KEY, WINDOW_KEYS,
     FLAG("use_sliding_window", uses_window),
     OPTIONAL_WHOLE("max_window_layers", window_from_layer, MAX_LAYERS));

KEYS(qwen2_moe_keys, COMMON_KEYS, MLP_KEY, KV_HEADS_KEY, OPTIONAL_HEAD_DIM_KEY,
     EXPERTS_KEYS("num_experts"), EXPERT_SIZE_KEY, SPARSE_KEYS,
     OPTIONAL_WHOLE("shared_expert_intermediate_size", shared_expert_size, MAX_WIDTH));

KEYS(qwen3_keys, COMMON_KEYS, MLP_KEY, KV_HEADS_KEY, HEAD_DIM_KEY, WINDOW_KEYS,
     FLAG("attention_bias", has_qkv_bias), FLAG("attention_bias", has_output_bias),
     FLAG("use_sliding_window", uses_window),
     OPTIONAL_WHOLE("max_window_layers", window_from_layer, MAX_LAYERS));

KEYS(qwen3_moe_keys, COMMON_KEYS, MLP_KEY, KV_HEADS_KEY, HEAD_DIM_KEY,
     FLAG("attention_bias", has_qkv_bias), FLAG("attention_bias", has_output_bias),
     EXPERTS_KEYS("num_experts"), EXPERT_SIZE_KEY, SPARSE_KEYS);

#define LINEAR_KEYS                                                                                \
    COUNT("linear_num_key_heads", shape.linear.num_key_heads, MAX_HEADS),                          \
        COUNT("linear_key_head_dim", shape.linear.key_head_dim, MAX_WIDTH),                        \
        COUNT("linear_num_value_heads", shape.linear.num_value_heads, MAX_HEADS),                  \
        COUNT("linear_value_head_dim", shape.linear.value_head_dim, MAX_WIDTH),                    \
        COUNT("linear_conv_kernel_dim", shape.linear.conv_kernel_dim, MAX_HEADS),                  \
        OPTIONAL_COUNT("full_attention_interval", full_interval, MAX_LAYERS),                      \
        NAMES("layer_types", layer_types), FLAG("attn_output_gate", shape.attn_output_gate)

KEYS(qwen3_5_keys, COMMON_KEYS, MLP_KEY, KV_HEADS_KEY, HEAD_DIM_KEY, LINEAR_KEYS);

KEYS(qwen3_next_keys, COMMON_KEYS, KV_HEADS_KEY, HEAD_DIM_KEY, LINEAR_KEYS,
     EXPERTS_KEYS("num_experts"), EXPERT_SIZE_KEY, SPARSE_KEYS,
     OPTIONAL_COUNT("intermediate_size", shape.intermediate_size, MAX_WIDTH),
     OPTIONAL_WHOLE("shared_expert_intermediate_size", shared_expert_size, MAX_WIDTH));

KEYS(qwen1_keys, COMMON_KEYS, MLP_KEY, COUNT("kv_channels", head_dim, MAX_WIDTH),
     FLAG("no_bias", has_no_bias));

KEYS(llama4_keys, COMMON_KEYS, KV_HEADS_KEY, HEAD_DIM_KEY, EXPERTS_KEYS("num_local_experts"),
     COUNT("intermediate_size", shape.moe.moe_intermediate_size, MAX_WIDTH),
     COUNT("intermediate_size_mlp", shape.intermediate_size, MAX_WIDTH),
     COUNT("interleave_moe_layer_step", moe_interval, MAX_LAYERS),
     OPTIONAL_COUNT("attention_chunk_size", window, MAX_POSITIONS),
     FLAG("attention_bias", has_qkv_bias), FLAG("attention_bias", has_output_bias));

KEYS(deepseek_keys, COMMON_KEYS, MLP_KEY, EXPERTS_KEYS("n_routed_experts"), EXPERT_SIZE_KEY,
     OPTIONAL_WHOLE("first_k_dense_replace", first_dense, MAX_LAYERS),
     OPTIONAL_WHOLE("n_shared_experts", n_shared_experts, MAX_EXPERTS),
     OPTIONAL_COUNT("q_lora_rank", shape.mla.q_lora_rank, MAX_WIDTH),
     COUNT("kv_lora_rank", shape.mla.kv_lora_rank, MAX_WIDTH),
     COUNT("qk_nope_head_dim", shape.mla.qk_nope_head_dim, MAX_WIDTH),
     COUNT("qk_rope_head_dim", shape.mla.qk_rope_head_dim, MAX_WIDTH),
     COUNT("v_head_dim", shape.mla.v_head_dim, MAX_WIDTH),
     OPTIONAL_COUNT("index_n_heads", shape.indexer.num_heads, MAX_HEADS),
     OPTIONAL_COUNT("index_head_dim", shape.indexer.head_dim, MAX_WIDTH),
     OPTIONAL_COUNT("index_topk", shape.indexer.topk, MAX_POSITIONS),
     NAMES("indexer_types", indexer_types));

KEYS(glm4_keys, COMMON_KEYS, MLP_KEY, KV_HEADS_KEY, OPTIONAL_HEAD_DIM_KEY,
     FLAG("attention_bias", has_qkv_bias));

KEYS(glm4_moe_keys, COMMON_KEYS, MLP_KEY, KV_HEADS_KEY, HEAD_DIM_KEY,
     EXPERTS_KEYS("n_routed_experts"), EXPERT_SIZE_KEY, FLAG("attention_bias", has_qkv_bias),
     FLAG("use_qk_norm", uses_qk_norm),
     OPTIONAL_WHOLE("first_k_dense_replace", first_dense, MAX_LAYERS),
     OPTIONAL_WHOLE("n_shared_experts", n_shared_experts, MAX_EXPERTS));

KEYS(gpt_oss_keys, COMMON_KEYS, KV_HEADS_KEY, HEAD_DIM_KEY, WINDOW_KEYS,
     COUNT("intermediate_size", shape.moe.moe_intermediate_size, MAX_WIDTH),
     EXPERTS_KEYS("num_local_experts"));

KEYS(gemma_keys, COMMON_KEYS, MLP_KEY, KV_HEADS_KEY, HEAD_DIM_KEY, WINDOW_KEYS,
     FLAG("attention_bias", has_qkv_bias), FLAG("attention_bias", has_output_bias));

KEYS(gemma3_keys, COUNT("hidden_size", shape.hidden_size, MAX_WIDTH), MLP_KEY,
     COUNT("num_hidden_layers", shape.num_hidden_layers, MAX_LAYERS),
     OPTIONAL_COUNT("vocab_size", shape.vocab_size, MAX_VOCABULARY),
     OPTIONAL_COUNT("num_attention_heads", num_heads, MAX_HEADS), OPTIONAL_KV_HEADS_KEY,
     OPTIONAL_HEAD_DIM_KEY, WINDOW_KEYS,
     OPTIONAL_COUNT("max_position_embeddings", max_positions, MAX_POSITIONS));

KEYS(gemma4_keys, COMMON_KEYS, MLP_KEY, KV_HEADS_KEY, HEAD_DIM_KEY,
     COUNT("sliding_window", window, MAX_POSITIONS),
     {.name = "layer_types", .kind = LLMSIM_JSON_NAMES, AT(layer_types)},
     OPTIONAL_COUNT("num_global_key_value_heads", global_kv_heads, MAX_HEADS),
     OPTIONAL_COUNT("global_head_dim", global_head_dim, MAX_WIDTH),
     FLAG("attention_k_eq_v", shape.attention_k_eq_v), FLAG("enable_moe_block", has_moe),
     OPTIONAL_COUNT("num_experts", shape.moe.num_experts, MAX_EXPERTS),
     OPTIONAL_COUNT("top_k_experts", shape.moe.num_experts_per_tok, MAX_EXPERTS),
     OPTIONAL_COUNT("moe_intermediate_size", shape.moe.moe_intermediate_size, MAX_WIDTH),
     OPTIONAL_WHOLE("hidden_size_per_layer_input", per_layer_input_size, MAX_WIDTH),
     OPTIONAL_WHOLE("num_kv_shared_layers", kv_shared_layers, MAX_LAYERS));

KEYS(minimax_m2_keys, COMMON_KEYS, KV_HEADS_KEY, HEAD_DIM_KEY, EXPERTS_KEYS("num_local_experts"),
     COUNT("intermediate_size", shape.moe.moe_intermediate_size, MAX_WIDTH));

KEYS(minimax_m3_keys, COMMON_KEYS, KV_HEADS_KEY, HEAD_DIM_KEY, EXPERTS_KEYS("num_local_experts"),
     COUNT("intermediate_size", shape.moe.moe_intermediate_size, MAX_WIDTH),
     COUNT("dense_intermediate_size", shape.intermediate_size, MAX_WIDTH),
     OPTIONAL_WHOLE("n_shared_experts", n_shared_experts, MAX_EXPERTS),
     INDICES("moe_layer_freq", moe_flags, 1, false),
     {.name = "sparse_attention_config",
      .kind = LLMSIM_JSON_OBJECT,
      .optional = true,
      AT(sparse_attention)});

KEYS(phi_moe_keys, COMMON_KEYS, KV_HEADS_KEY, EXPERTS_KEYS("num_local_experts"), WINDOW_KEYS,
     COUNT("intermediate_size", shape.moe.moe_intermediate_size, MAX_WIDTH),
     FLAG("attention_bias", has_qkv_bias), FLAG("attention_bias", has_output_bias),
     FLAG("lm_head_bias", has_lm_head_bias));

KEYS(olmoe_keys, COMMON_KEYS, KV_HEADS_KEY, EXPERTS_KEYS("num_experts"),
     COUNT("intermediate_size", shape.moe.moe_intermediate_size, MAX_WIDTH));

KEYS(cohere_keys, COMMON_KEYS, MLP_KEY, KV_HEADS_KEY, OPTIONAL_HEAD_DIM_KEY, WINDOW_KEYS,
     FLAG("attention_bias", has_qkv_bias), FLAG("attention_bias", has_output_bias),
     FLAG("use_qk_norm", uses_qk_norm));

KEYS(falcon_keys, COMMON_KEYS, OPTIONAL_COUNT("num_kv_heads", num_kv_heads, MAX_HEADS),
     OPTIONAL_COUNT("ffn_hidden_size", shape.intermediate_size, MAX_WIDTH), FLAG("bias", has_bias),
     FLAG("multi_query", is_multi_query), FLAG("new_decoder_architecture", has_new_decoder),
     FLAG("parallel_attn", shape.parallel_blocks),
     OPTIONAL_COUNT("num_ln_in_parallel_attn", norms_in_parallel, 2));

KEYS(starcoder_keys, COMMON_KEYS, MLP_KEY, KV_HEADS_KEY, WINDOW_KEYS, FLAG("use_bias", has_bias));

KEYS(gpt_neox_keys, COMMON_KEYS, MLP_KEY, FLAG("attention_bias", has_qkv_bias),
     FLAG("attention_bias", has_output_bias), FLAG("use_parallel_residual", shape.parallel_blocks));

KEYS(gpt_j_keys, COUNT("n_embd", shape.hidden_size, MAX_WIDTH),
     COUNT("vocab_size", shape.vocab_size, MAX_VOCABULARY),
     COUNT("n_layer", shape.num_hidden_layers, MAX_LAYERS), COUNT("n_head", num_heads, MAX_HEADS),
     OPTIONAL_COUNT("n_positions", max_positions, MAX_POSITIONS),
     OPTIONAL_COUNT("n_inner", shape.intermediate_size, MAX_WIDTH));

KEYS(deci_keys, COMMON_KEYS, FLAG("attention_bias", has_qkv_bias),
     FLAG("attention_bias", has_output_bias), FLAG("mlp_bias", has_mlp_bias));

KEYS(opt_keys, COUNT("hidden_size", shape.hidden_size, MAX_WIDTH),
     COUNT("vocab_size", shape.vocab_size, MAX_VOCABULARY),
     COUNT("num_hidden_layers", shape.num_hidden_layers, MAX_LAYERS),
     COUNT("num_attention_heads", num_heads, MAX_HEADS),
     COUNT("ffn_dim", shape.intermediate_size, MAX_WIDTH),
     COUNT("max_position_embeddings", max_positions, MAX_POSITIONS),
     OPTIONAL_COUNT("word_embed_proj_dim", embedding_size, MAX_WIDTH),
     FLAG("do_layer_norm_before", has_norm_before),
     FLAG("_remove_final_layer_norm", lacks_final_norm), FLAG("enable_bias", has_bias),
     FLAG("layer_norm_elementwise_affine", has_norm_weights));

KEYS(bloom_keys, RENAMED_COUNT("hidden_size", "n_embed", shape.hidden_size, MAX_WIDTH),
     RENAMED_COUNT("n_layer", "num_hidden_layers", shape.num_hidden_layers, MAX_LAYERS),
     RENAMED_COUNT("n_head", "num_attention_heads", num_heads, MAX_HEADS),
     COUNT("vocab_size", shape.vocab_size, MAX_VOCABULARY));

/* ---- kinds of layers ---- */

static bool is_listed(const cJSON *indices, unsigned index)
{
    const cJSON *element;
    cJSON_ArrayForEach(element, indices)
    {
        if (element->valuedouble == index)
            return true;
    }
    return false;
}

static bool is_flagged(const cJSON *flags, unsigned layer)
{
    const cJSON *flag = cJSON_GetArrayItem(flags, (int)layer);
    return flag != NULL && flag->valuedouble > 0;
}

bool llmsim_config_has_experts(const struct llmsim_config *c, unsigned layer)
{
    unsigned interval = c->moe_interval > 0 ? c->moe_interval : 1;
    if (c->moe_flags != NULL)
        return is_flagged(c->moe_flags, layer);
    return c->shape.moe.num_experts > 0 && layer >= c->first_dense && (layer + 1) % interval == 0 &&
           !is_listed(c->dense_layers, layer);
}

/* The interval comes first: files that somebody shortened have it whole. */
bool llmsim_config_is_linear(const struct llmsim_config *c, unsigned layer)
{
    if (c->shape.linear.num_key_heads == 0)
        return false;
    if (c->full_interval > 0)
        return (layer + 1) % c->full_interval != 0;
    const cJSON *type = cJSON_GetArrayItem(c->layer_types, (int)layer);
    return type != NULL && strcmp(type->valuestring, "full_attention") != 0;
}

static enum llmsim_status check_types(const struct llmsim_json *json, const struct llmsim_config *c,
                                      const cJSON *types, struct llmsim_error *err)
{
    int n = cJSON_GetArraySize(types);
    if ((unsigned)n == c->shape.num_hidden_layers)
        return LLMSIM_OK;
    return llmsim_json_fail(json, types, err, "\"%s\" has %d elements for %u layers", types->string,
                            n, c->shape.num_hidden_layers);
}

static unsigned count_named(const cJSON *names, const char *name)
{
    unsigned n = 0;
    const cJSON *element;
    cJSON_ArrayForEach(element, names) n += strcmp(element->valuestring, name) == 0;
    return n;
}

/* So many layers have a window, all else being equal; one as wide as the model's positions is none.
 */
static void set_windowed(struct llmsim_config *c, unsigned layers)
{
    struct llmsim_shape *s = &c->shape;
    if (c->window == 0 || (c->max_positions > 0 && c->window >= c->max_positions))
        return;
    s->windowed = s->full;
    s->windowed.layers = layers;
    s->windowed.window = c->window;
    s->full.layers -= layers;
}

/* By the layers' types, where the config lists them; else all but every so many. */
static enum llmsim_status adjust_windows(const struct llmsim_json *json, const cJSON *text,
                                         struct llmsim_config *c, struct llmsim_error *err)
{
    unsigned layers = c->shape.num_hidden_layers;
    (void)text;
    if (c->layer_types == NULL) {
        set_windowed(c, layers - (c->window_interval > 0 ? layers / c->window_interval : 0));
        return LLMSIM_OK;
    }
    set_windowed(c, layers - count_named(c->layer_types, "full_attention"));
    return check_types(json, c, c->layer_types, err);
}

static enum llmsim_status adjust_qwen2(const struct llmsim_json *json, const cJSON *text,
                                       struct llmsim_config *c, struct llmsim_error *err)
{
    unsigned layers = c->shape.num_hidden_layers;
    if (!c->uses_window)
        return LLMSIM_OK;
    if (c->layer_types != NULL)
        return adjust_windows(json, text, c, err);
    set_windowed(c, c->window_from_layer < layers ? layers - (unsigned)c->window_from_layer : 0);
    return LLMSIM_OK;
}

/* ---- what the keys of a class do not say ---- */

/* Mixtral's experts have the size that Llama's MLP has. */
static enum llmsim_status adjust_mixtral(const struct llmsim_json *json, const cJSON *text,
                                         struct llmsim_config *c, struct llmsim_error *err)
{
    c->shape.moe.moe_intermediate_size = c->shape.intermediate_size;
    c->shape.intermediate_size = 0;
    return adjust_windows(json, text, c, err);
}

/* The first Qwen: intermediate_size counts gate and up together. */
static enum llmsim_status adjust_qwen1(const struct llmsim_json *json, const cJSON *text,
                                       struct llmsim_config *c, struct llmsim_error *err)
{
    (void)json, (void)text, (void)err;
    c->shape.intermediate_size /= 2;
    c->has_mlp_bias = c->has_output_bias = !c->has_no_bias;
    return LLMSIM_OK;
}

/* Every so many layers attend, the others keep a state. */
static enum llmsim_status adjust_linear(const struct llmsim_json *json, const cJSON *text,
                                        struct llmsim_config *c, struct llmsim_error *err)
{
    struct llmsim_shape *s = &c->shape;
    if (c->full_interval == 0 && c->layer_types == NULL)
        return llmsim_json_fail(json, text, err, "key \"full_attention_interval\" is missing");
    for (unsigned i = 0; i < s->num_hidden_layers; i++)
        s->linear.layers += llmsim_config_is_linear(c, i);
    s->full.layers -= s->linear.layers;
    return c->full_interval > 0 ? LLMSIM_OK : check_types(json, c, c->layer_types, err);
}

/* Three of four layers attend in chunks; a shared expert of an expert's size. */
static enum llmsim_status adjust_llama4(const struct llmsim_json *json, const cJSON *text,
                                        struct llmsim_config *c, struct llmsim_error *err)
{
    struct llmsim_moe_shape *m = &c->shape.moe;
    m->shared_expert_intermediate_size = m->moe_intermediate_size;
    return adjust_windows(json, text, c, err);
}

/* Sparse attention, where a class has it: all layers have an indexer unless the config lists them.
 */
static enum llmsim_status adjust_deepseek(const struct llmsim_json *json, const cJSON *text,
                                          struct llmsim_config *c, struct llmsim_error *err)
{
    struct llmsim_shape *s = &c->shape;
    (void)text;
    if (s->indexer.num_heads == 0)
        return LLMSIM_OK;
    s->indexer.layers = s->num_hidden_layers;
    if (c->indexer_types == NULL)
        return LLMSIM_OK;
    s->indexer.layers = count_named(c->indexer_types, "full");
    return check_types(json, c, c->indexer_types, err);
}

static enum llmsim_status adjust_qk_norm(const struct llmsim_json *json, const cJSON *text,
                                         struct llmsim_config *c, struct llmsim_error *err)
{
    (void)json, (void)text, (void)err;
    if (!c->uses_qk_norm)
        c->qk_norm = LLMSIM_QK_NORM_NONE;
    return LLMSIM_OK;
}

static enum llmsim_status adjust_cohere(const struct llmsim_json *json, const cJSON *text,
                                        struct llmsim_config *c, struct llmsim_error *err)
{
    (void)adjust_qk_norm(json, text, c, err);
    return adjust_windows(json, text, c, err);
}

/* Layers without a window have heads of their own and take values from keys; experts stand beside
 * an MLP, which every token passes as a shared expert, and have three more norms and a router that
 * scales its input. A number a layer scales its output. */
static enum llmsim_status adjust_gemma4(const struct llmsim_json *json, const cJSON *text,
                                        struct llmsim_config *c, struct llmsim_error *err)
{
    struct llmsim_shape *s = &c->shape;
    if (c->per_layer_input_size > 0 || c->kv_shared_layers > 0)
        return llmsim_json_fail(json, text, err,
                                "embeddings a layer and layers that share a KV cache "
                                "(Gemma 3n, Gemma 4 E2B and E4B) are not known here");
    enum llmsim_status status = adjust_windows(json, text, c, err);
    if (c->global_head_dim > 0)
        s->full.head_dim = s->full.v_head_dim = c->global_head_dim;
    if (c->global_kv_heads > 0 && s->attention_k_eq_v)
        s->full.num_kv_heads = c->global_kv_heads;
    c->more_parameters = s->num_hidden_layers;
    if (!c->has_moe) {
        s->moe = (struct llmsim_moe_shape){0};
        s->dense_layers = s->num_hidden_layers;
        return status;
    }
    c->layer_norms += 3;
    c->more_parameters += (uint64_t)s->num_hidden_layers * s->hidden_size;
    s->moe.shared_expert_intermediate_size = s->intermediate_size;
    s->intermediate_size = 0;
    return status;
}

/* Sparse attention reads the best blocks. */
static enum llmsim_status adjust_minimax_m3(const struct llmsim_json *json, const cJSON *text,
                                            struct llmsim_config *c, struct llmsim_error *err)
{
    static const struct llmsim_json_key keys[] = {
        COUNT("sparse_num_index_heads", shape.indexer.num_heads, MAX_HEADS),
        COUNT("sparse_index_dim", shape.indexer.head_dim, MAX_WIDTH),
        COUNT("sparse_topk_blocks", shape.indexer.topk, 1 << 13),
        COUNT("sparse_block_size", index_block, 1 << 13),
        INDICES("sparse_attention_freq", index_flags, 1, false),
        LLMSIM_JSON_KEY_END,
    };
    struct llmsim_shape *s = &c->shape;
    (void)text;
    enum llmsim_status status = check_types(json, c, c->moe_flags, err);
    if (status != LLMSIM_OK || c->sparse_attention == NULL)
        return status;
    status = llmsim_json_read(json, c->sparse_attention, keys, LLMSIM_JSON_SKIP_UNKNOWN, c, err);
    if (status == LLMSIM_OK)
        status = check_types(json, c, c->index_flags, err);
    for (unsigned i = 0; i < s->num_hidden_layers && status == LLMSIM_OK; i++)
        s->indexer.layers += is_flagged(c->index_flags, i);
    s->indexer.topk *= c->index_block;
    return status;
}

static enum llmsim_status adjust_falcon(const struct llmsim_json *json, const cJSON *text,
                                        struct llmsim_config *c, struct llmsim_error *err)
{
    struct llmsim_shape *s = &c->shape;
    (void)json, (void)text, (void)err;
    if (!c->has_new_decoder)
        s->full.num_kv_heads = c->is_multi_query ? 1 : c->num_heads;
    if (c->has_new_decoder)
        c->layer_norms = c->norms_in_parallel > 0 ? c->norms_in_parallel : 2;
    else
        c->layer_norms = s->parallel_blocks ? 1 : 2;
    s->parallel_blocks = s->parallel_blocks || c->has_new_decoder;
    if (s->intermediate_size == 0)
        s->intermediate_size = 4 * s->hidden_size;
    c->has_qkv_bias = c->has_output_bias = c->has_mlp_bias = c->has_bias;
    return LLMSIM_OK;
}

static enum llmsim_status adjust_starcoder(const struct llmsim_json *json, const cJSON *text,
                                           struct llmsim_config *c, struct llmsim_error *err)
{
    c->has_qkv_bias = c->has_output_bias = c->has_mlp_bias = c->has_bias;
    return adjust_windows(json, text, c, err);
}

/* BLOOM, and GPT-J unless it says otherwise: the MLP is 4 times as wide as the model. */
static enum llmsim_status adjust_mlp_of_four(const struct llmsim_json *json, const cJSON *text,
                                             struct llmsim_config *c, struct llmsim_error *err)
{
    (void)json, (void)text, (void)err;
    if (c->shape.intermediate_size == 0)
        c->shape.intermediate_size = 4 * c->shape.hidden_size;
    return LLMSIM_OK;
}

/* OPT: learned positions with an offset of 2; layer norms and linear layers have biases. The 350M
 * model normalizes after each block, so it has no final norm, and has narrower embeddings, with a
 * projection on either side. */
static enum llmsim_status adjust_opt(const struct llmsim_json *json, const cJSON *text,
                                     struct llmsim_config *c, struct llmsim_error *err)
{
    uint64_t h = c->shape.hidden_size, width = c->embedding_size;
    (void)json, (void)text, (void)err;
    c->has_qkv_bias = c->has_output_bias = c->has_mlp_bias = c->has_bias;
    c->outer_norms = c->has_norm_before && !c->lacks_final_norm;
    c->norm_vectors = c->has_norm_weights ? 2 : 0;
    c->more_parameters = ((uint64_t)c->max_positions + 2) * h;
    if (width > 0 && width != h)
        c->more_parameters += 2 * width * h;
    return LLMSIM_OK;
}

/* ---- DeciLM: layers from a search, each with a width of its own, or without attention ---- */

struct deci_block {
    bool has_no_attention, has_no_mlp;
    bool has_linear_attention, has_linear_mlp;
    unsigned group;
    double multiple;
};

static enum llmsim_status read_block(const struct llmsim_json *json, const cJSON *block,
                                     struct deci_block *b, struct llmsim_error *err)
{
    static const struct llmsim_json_key attention_keys[] = {
        {.name = "n_heads_in_group",
         .kind = LLMSIM_JSON_COUNT,
         .max = MAX_HEADS,
         .optional = true,
         .offset = offsetof(struct deci_block, group)},
        {.name = "no_op",
         .kind = LLMSIM_JSON_FLAG,
         .optional = true,
         .offset = offsetof(struct deci_block, has_no_attention)},
        {.name = "replace_with_linear",
         .kind = LLMSIM_JSON_FLAG,
         .optional = true,
         .offset = offsetof(struct deci_block, has_linear_attention)},
        LLMSIM_JSON_KEY_END,
    };
    static const struct llmsim_json_key mlp_keys[] = {
        {.name = "ffn_mult",
         .kind = LLMSIM_JSON_POSITIVE,
         .max = 64,
         .optional = true,
         .offset = offsetof(struct deci_block, multiple)},
        {.name = "no_op",
         .kind = LLMSIM_JSON_FLAG,
         .optional = true,
         .offset = offsetof(struct deci_block, has_no_mlp)},
        {.name = "replace_with_linear",
         .kind = LLMSIM_JSON_FLAG,
         .optional = true,
         .offset = offsetof(struct deci_block, has_linear_mlp)},
        LLMSIM_JSON_KEY_END,
    };
    const cJSON *attention = cJSON_GetObjectItemCaseSensitive(block, "attention");
    const cJSON *mlp = cJSON_GetObjectItemCaseSensitive(block, "ffn");
    *b = (struct deci_block){.group = 0};
    if (attention == NULL || mlp == NULL)
        return llmsim_json_fail(json, block, err, "a block lacks \"attention\" or \"ffn\"");
    enum llmsim_status status =
        llmsim_json_read(json, attention, attention_keys, LLMSIM_JSON_SKIP_UNKNOWN, b, err);
    if (status == LLMSIM_OK)
        status = llmsim_json_read(json, mlp, mlp_keys, LLMSIM_JSON_SKIP_UNKNOWN, b, err);
    if (status == LLMSIM_OK &&
        ((!b->has_no_attention && (b->has_linear_attention || b->group == 0)) ||
         (!b->has_no_mlp && (b->has_linear_mlp || !(b->multiple > 0)))))
        status = llmsim_json_fail(json, block, err,
                                  "a block is neither left out nor attention and an MLP");
    return status;
}

/* The MLP's width is 2/3 of a multiple of the model's, up to the next multiple of 256. The shape
 * has the mean of all layers, which gives the same sum. */
static enum llmsim_status adjust_deci(const struct llmsim_json *json, const cJSON *text,
                                      struct llmsim_config *c, struct llmsim_error *err)
{
    struct llmsim_shape *s = &c->shape;
    const cJSON *blocks = cJSON_GetObjectItemCaseSensitive(text, "block_configs"), *block;
    uint64_t width = 0, norms = 1;
    unsigned group = 0;
    if (!cJSON_IsArray(blocks))
        return llmsim_json_fail(json, text, err, "key \"block_configs\" is missing");
    enum llmsim_status status = check_types(json, c, blocks, err);
    s->full.layers = s->dense_layers = 0;
    cJSON_ArrayForEach(block, blocks)
    {
        struct deci_block b;
        if (status == LLMSIM_OK)
            status = read_block(json, block, &b, err);
        if (status == LLMSIM_OK && !b.has_no_attention && group > 0 && b.group != group)
            status = llmsim_json_fail(json, block, err,
                                      "layers with different numbers of key-value heads");
        if (status != LLMSIM_OK)
            return status;
        if (!b.has_no_attention)
            group = b.group;
        s->full.layers += !b.has_no_attention;
        s->dense_layers += !b.has_no_mlp;
        norms += (unsigned)!b.has_no_attention + (unsigned)!b.has_no_mlp;
        if (!b.has_no_mlp)
            width += (uint64_t)ceil(floor(2 * b.multiple * s->hidden_size / 3) / 256) * 256;
    }
    if (group > 0)
        s->full.num_kv_heads = c->num_heads / group;
    if (s->dense_layers > 0)
        s->intermediate_size = (unsigned)((width + s->dense_layers / 2) / s->dense_layers);
    c->more_parameters = norms * s->hidden_size;
    return LLMSIM_OK;
}

/* ---- the rows ---- */

/* Llama and what descends from it: RMS norms before attention and MLP and after the last layer. */
#define LLAMA_NORMS .norm_vectors = 1, .layer_norms = 2, .outer_norms = 1
#define LAYER_NORMS(n) .norm_vectors = 2, .layer_norms = (n), .outer_norms = 1
#define SANDWICH_NORMS .norm_vectors = 1, .layer_norms = 4, .outer_norms = 1
#define TIED .shape.tie_word_embeddings = true
#define NOT_GATED .shape.mlp_is_not_gated = true
#define QK_NORM(of) .qk_norm = LLMSIM_QK_NORM_##of
#define GEMMA3                                                                                     \
    .num_heads = 8, .num_kv_heads = 4, .head_dim = 256, .shape.vocab_size = 262208,                \
    .max_positions = 131072, .window = 4096, .window_interval = 6, TIED, SANDWICH_NORMS,           \
    QK_NORM(HEAD)
#define DEEPSEEK_V3 LLAMA_NORMS, .router_vectors = 1
#define MINIMAX LLAMA_NORMS, .router_vectors = 1

static const struct llmsim_model_class classes[] = {
    {.name = "LlamaForCausalLM", .keys = llama_keys, .defaults = {LLAMA_NORMS}},
    {.name = "MistralForCausalLM",
     .keys = mistral_keys,
     .defaults = {LLAMA_NORMS},
     .adjust = adjust_windows},
    {.name = "Mistral3ForConditionalGeneration",
     .keys = mistral_keys,
     .defaults = {LLAMA_NORMS},
     .adjust = adjust_windows},
    {.name = "MixtralForCausalLM",
     .keys = mixtral_keys,
     .defaults = {LLAMA_NORMS},
     .adjust = adjust_mixtral,
     .experts = "block_sparse_moe.experts"},
    {.name = "Qwen2ForCausalLM",
     .keys = qwen2_keys,
     .defaults = {LLAMA_NORMS, .has_qkv_bias = true},
     .adjust = adjust_qwen2},
    {.name = "Qwen2_5_VLForConditionalGeneration",
     .keys = qwen2_keys,
     .defaults = {LLAMA_NORMS, .has_qkv_bias = true},
     .adjust = adjust_qwen2},
    {.name = "Qwen2MoeForCausalLM",
     .keys = qwen2_moe_keys,
     .defaults = {LLAMA_NORMS, .has_qkv_bias = true, .has_shared_expert_gate = true,
                  .moe_interval = 1},
     .shared_experts = "mlp.shared_expert"},
    {.name = "Qwen3ForCausalLM",
     .keys = qwen3_keys,
     .defaults = {LLAMA_NORMS, QK_NORM(HEAD)},
     .adjust = adjust_qwen2},
    {.name = "Qwen3VLForConditionalGeneration",
     .keys = qwen3_keys,
     .defaults = {LLAMA_NORMS, QK_NORM(HEAD)},
     .adjust = adjust_qwen2},
    {.name = "Qwen3MoeForCausalLM",
     .keys = qwen3_moe_keys,
     .defaults = {LLAMA_NORMS, QK_NORM(HEAD), .moe_interval = 1}},
    {.name = "Qwen3VLMoeForConditionalGeneration",
     .keys = qwen3_moe_keys,
     .defaults = {LLAMA_NORMS, QK_NORM(HEAD), .moe_interval = 1}},
    {.name = "Qwen3NextForCausalLM",
     .keys = qwen3_next_keys,
     .defaults = {LLAMA_NORMS, QK_NORM(HEAD), .moe_interval = 1, .has_shared_expert_gate = true,
                  .shape.attn_output_gate = true},
     .adjust = adjust_linear,
     .shared_experts = "mlp.shared_expert"},
    {.name = "Qwen3_5ForConditionalGeneration",
     .keys = qwen3_5_keys,
     .defaults = {LLAMA_NORMS, QK_NORM(HEAD), .shape.attn_output_gate = true},
     .adjust = adjust_linear},
    {.name = "Qwen3_5MoeForConditionalGeneration",
     .keys = qwen3_next_keys,
     .defaults = {LLAMA_NORMS, QK_NORM(HEAD), .moe_interval = 1, .has_shared_expert_gate = true,
                  .shape.attn_output_gate = true},
     .adjust = adjust_linear,
     .shared_experts = "mlp.shared_expert"},
    {.name = "QWenLMHeadModel",
     .keys = qwen1_keys,
     .defaults = {LLAMA_NORMS, .has_no_bias = true, .has_qkv_bias = true},
     .adjust = adjust_qwen1},
    {.name = "Llama4ForConditionalGeneration",
     .keys = llama4_keys,
     .defaults = {LLAMA_NORMS, .window = 8192, .window_interval = 4},
     .adjust = adjust_llama4,
     .mlp = "feed_forward",
     .shared_experts = "feed_forward.shared_expert",
     .experts = "feed_forward.experts"},
    {.name = "DeepseekV2ForCausalLM",
     .keys = deepseek_keys,
     .defaults = {LLAMA_NORMS},
     .adjust = adjust_deepseek},
    {.name = "DeepseekV3ForCausalLM",
     .keys = deepseek_keys,
     .defaults = {DEEPSEEK_V3},
     .adjust = adjust_deepseek},
    {.name = "DeepseekV32ForCausalLM",
     .keys = deepseek_keys,
     .defaults = {DEEPSEEK_V3},
     .adjust = adjust_deepseek},
    {.name = "KimiK25ForConditionalGeneration",
     .keys = deepseek_keys,
     .defaults = {DEEPSEEK_V3},
     .adjust = adjust_deepseek},
    {.name = "GlmMoeDsaForCausalLM",
     .keys = deepseek_keys,
     .defaults = {DEEPSEEK_V3},
     .adjust = adjust_deepseek},
    {.name = "Glm4MoeLiteForCausalLM",
     .keys = deepseek_keys,
     .defaults = {DEEPSEEK_V3},
     .adjust = adjust_deepseek},
    {.name = "GlmForCausalLM", .keys = glm4_keys, .defaults = {LLAMA_NORMS, .has_qkv_bias = true}},
    {.name = "Glm4ForCausalLM",
     .keys = glm4_keys,
     .defaults = {SANDWICH_NORMS, .has_qkv_bias = true}},
    {.name = "Glm4MoeForCausalLM",
     .keys = glm4_moe_keys,
     .defaults = {LLAMA_NORMS, QK_NORM(HEAD), .router_vectors = 1},
     .adjust = adjust_qk_norm},
    {.name = "GptOssForCausalLM",
     .keys = gpt_oss_keys,
     .defaults = {LLAMA_NORMS, .window_interval = 2, .has_qkv_bias = true, .has_output_bias = true,
                  .has_sinks = true, .has_expert_bias = true, .router_vectors = 1,
                  .lookup_is_idle = true},
     .adjust = adjust_windows,
     .default_dtype = "bfloat16"},
    {.name = "GemmaForCausalLM", .keys = gemma_keys, .defaults = {LLAMA_NORMS, TIED}},
    {.name = "Gemma2ForCausalLM",
     .keys = gemma_keys,
     .defaults = {SANDWICH_NORMS, TIED, .window = 4096, .window_interval = 2},
     .adjust = adjust_windows},
    {.name = "Gemma3ForCausalLM",
     .keys = gemma3_keys,
     .defaults = {GEMMA3},
     .adjust = adjust_windows},
    {.name = "Gemma3ForConditionalGeneration",
     .keys = gemma3_keys,
     .defaults = {GEMMA3},
     .adjust = adjust_windows},
    {.name = "Gemma4ForConditionalGeneration",
     .keys = gemma4_keys,
     .defaults = {SANDWICH_NORMS, TIED, QK_NORM(HEAD), .router_vectors = 1},
     .adjust = adjust_gemma4,
     .shared_experts = "mlp",
     .experts = "experts"},
    {.name = "MiniMaxM2ForCausalLM",
     .keys = minimax_m2_keys,
     .defaults = {MINIMAX, QK_NORM(ALL)},
     .experts = "block_sparse_moe.experts",
     .default_dtype = "bfloat16"},
    {.name = "MiniMaxM3ForCausalLM",
     .keys = minimax_m3_keys,
     .defaults = {MINIMAX, QK_NORM(HEAD)},
     .adjust = adjust_minimax_m3,
     .shared_experts = "block_sparse_moe.shared_experts",
     .experts = "block_sparse_moe.experts"},
    {.name = "MiniMaxM3SparseForConditionalGeneration",
     .keys = minimax_m3_keys,
     .defaults = {MINIMAX, QK_NORM(HEAD)},
     .adjust = adjust_minimax_m3,
     .shared_experts = "block_sparse_moe.shared_experts",
     .experts = "block_sparse_moe.experts"},
    {.name = "Phi3ForCausalLM",
     .keys = mistral_keys,
     .defaults = {LLAMA_NORMS},
     .adjust = adjust_windows},
    {.name = "PhimoeForCausalLM",
     .keys = phi_moe_keys,
     .defaults = {LAYER_NORMS(2)},
     .adjust = adjust_windows,
     .experts = "block_sparse_moe.experts"},
    {.name = "PhiMoEForCausalLM",
     .keys = phi_moe_keys,
     .defaults = {LAYER_NORMS(2)},
     .adjust = adjust_windows,
     .experts = "block_sparse_moe.experts"},
    {.name = "Olmo2ForCausalLM", .keys = mistral_keys, .defaults = {LLAMA_NORMS, QK_NORM(ALL)}},
    {.name = "Olmo3ForCausalLM",
     .keys = mistral_keys,
     .defaults = {LLAMA_NORMS, QK_NORM(ALL)},
     .adjust = adjust_windows},
    {.name = "OlmoeForCausalLM", .keys = olmoe_keys, .defaults = {LLAMA_NORMS, QK_NORM(ALL)}},
    {.name = "CohereForCausalLM",
     .keys = cohere_keys,
     .defaults = {.norm_vectors = 1,
                  .layer_norms = 1,
                  .outer_norms = 1,
                  TIED,
                  QK_NORM(ALL),
                  .shape.parallel_blocks = true},
     .adjust = adjust_cohere},
    {.name = "Cohere2ForCausalLM",
     .keys = cohere_keys,
     .defaults = {.norm_vectors = 1,
                  .layer_norms = 1,
                  .outer_norms = 1,
                  TIED,
                  QK_NORM(ALL),
                  .window_interval = 4,
                  .shape.parallel_blocks = true},
     .adjust = adjust_cohere},
    {.name = "FalconForCausalLM",
     .keys = falcon_keys,
     .defaults = {LAYER_NORMS(1), TIED, NOT_GATED, .is_multi_query = true,
                  .shape.parallel_blocks = true},
     .adjust = adjust_falcon},
    {.name = "Starcoder2ForCausalLM",
     .keys = starcoder_keys,
     .defaults = {LAYER_NORMS(2), TIED, NOT_GATED, .has_bias = true},
     .adjust = adjust_starcoder},
    {.name = "GPTNeoXForCausalLM",
     .keys = gpt_neox_keys,
     .defaults = {LAYER_NORMS(2), NOT_GATED, .has_qkv_bias = true, .has_output_bias = true,
                  .has_mlp_bias = true, .shape.parallel_blocks = true}},
    {.name = "GPTJForCausalLM",
     .keys = gpt_j_keys,
     .defaults = {LAYER_NORMS(1), NOT_GATED, .has_mlp_bias = true, .has_lm_head_bias = true,
                  .shape.parallel_blocks = true},
     .adjust = adjust_mlp_of_four},
    {.name = "NemotronForCausalLM", .keys = llama_keys, .defaults = {LAYER_NORMS(2), NOT_GATED}},
    {.name = "DeciLMForCausalLM",
     .keys = deci_keys,
     .defaults = {.norm_vectors = 0},
     .adjust = adjust_deci},
    {.name = "OPTForCausalLM",
     .keys = opt_keys,
     .defaults = {LAYER_NORMS(2), TIED, NOT_GATED, .has_norm_before = true, .has_bias = true,
                  .has_norm_weights = true},
     .adjust = adjust_opt},
    {.name = "BloomForCausalLM",
     .keys = bloom_keys,
     .defaults = {.norm_vectors = 2,
                  .layer_norms = 2,
                  .outer_norms = 2,
                  TIED,
                  NOT_GATED,
                  .has_qkv_bias = true,
                  .has_output_bias = true,
                  .has_mlp_bias = true},
     .adjust = adjust_mlp_of_four},
};
#define N_CLASSES (sizeof classes / sizeof *classes)

/* Known, and what of them no shape here can say. */
static const struct {
    const char *name;
    const char *reason;
} refused[] = {
    {"NemotronHForCausalLM", "Mamba layers"},
    {"MambaForCausalLM", "Mamba layers"},
    {"Mamba2ForCausalLM", "Mamba layers"},
    {"FalconMambaForCausalLM", "Mamba layers"},
    {"FalconH1ForCausalLM", "Mamba layers"},
    {"JambaForCausalLM", "Mamba layers"},
    {"BambaForCausalLM", "Mamba layers"},
    {"Zamba2ForCausalLM", "Mamba layers"},
    {"GraniteMoeHybridForCausalLM", "Mamba layers"},
    {"MiniMaxText01ForCausalLM", "lightning attention"},
    {"MiniMaxM1ForCausalLM", "lightning attention"},
    {"KimiLinearForCausalLM", "Kimi delta attention"},
};

enum llmsim_status llmsim_model_class_find(const struct llmsim_json *json,
                                           const struct llmsim_model_class **row,
                                           struct llmsim_error *err)
{
    static const struct llmsim_json_key keys[] = {
        {.name = "architectures", .kind = LLMSIM_JSON_NAMES},
        LLMSIM_JSON_KEY_END,
    };
    const cJSON *names;
    enum llmsim_status status =
        llmsim_json_read(json, json->root, keys, LLMSIM_JSON_SKIP_UNKNOWN, &names, err);
    if (status != LLMSIM_OK)
        return status;
    if (cJSON_GetArraySize(names) != 1)
        return llmsim_json_fail(json, names, err, "expected one name in \"architectures\"");
    const char *name = names->child->valuestring;
    struct llmsim_nearest nearest = {.typed = name};
    for (size_t i = 0; i < N_CLASSES; i++) {
        *row = &classes[i];
        if (strcmp(classes[i].name, name) == 0)
            return LLMSIM_OK;
        llmsim_nearest_offer(&nearest, classes[i].name);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strcmp(refused[i].name, name) == 0)
            return llmsim_json_fail(json, names, err,
                                    "\"architectures\": \"%s\" has %s, which are not supported",
                                    name, refused[i].reason);
    if (nearest.word != NULL)
        return llmsim_json_fail(json, names, err,
                                "\"architectures\": \"%s\" is not known (did you mean \"%s\"?)",
                                name, nearest.word);
    return llmsim_json_fail(
        json, names, err,
        "\"architectures\": \"%s\" is not known; docs/catalogues.md lists those that are", name);
}

/* ---- reading ---- */

static void split_layers(struct llmsim_config *c)
{
    struct llmsim_shape *s = &c->shape;
    for (unsigned i = 0; i < s->num_hidden_layers; i++)
        s->moe.layers += llmsim_config_has_experts(c, i);
    s->dense_layers = s->num_hidden_layers - s->moe.layers;
    uint64_t shared = c->shared_expert_size > 0
                          ? c->shared_expert_size
                          : c->n_shared_experts * s->moe.moe_intermediate_size;
    s->moe.shared_expert_intermediate_size = (unsigned)(shared < MAX_WIDTH ? shared : MAX_WIDTH);
}

/* Derive what the config may leave out: attention of one kind in all layers. */
static enum llmsim_status complete(const struct llmsim_json *json, const cJSON *text,
                                   struct llmsim_config *c, struct llmsim_error *err)
{
    struct llmsim_shape *s = &c->shape;
    split_layers(c);
    s->mla.num_heads = s->windowed.num_heads = s->full.num_heads = c->num_heads;
    if (s->mla.kv_lora_rank > 0) {
        s->mla.layers = s->num_hidden_layers;
        s->full.v_head_dim = s->mla.v_head_dim;
        return LLMSIM_OK;
    }
    if (c->head_dim == 0 && s->hidden_size % c->num_heads != 0)
        return llmsim_json_fail(
            json, text, err,
            "key \"head_dim\" is missing, and %u is not a multiple of %u attention heads",
            s->hidden_size, c->num_heads);
    s->full.layers = s->num_hidden_layers;
    s->full.num_kv_heads = c->num_kv_heads > 0 ? c->num_kv_heads : c->num_heads;
    s->full.head_dim = c->head_dim > 0 ? c->head_dim : s->hidden_size / c->num_heads;
    s->full.v_head_dim = s->full.head_dim;
    return LLMSIM_OK;
}

/* A config of more than text says it of the whole. */
static enum llmsim_status read_tie(const struct llmsim_json *json, const cJSON *text,
                                   struct llmsim_config *c, struct llmsim_error *err)
{
    static const struct llmsim_json_key keys[] = {
        FLAG("tie_word_embeddings", shape.tie_word_embeddings),
        LLMSIM_JSON_KEY_END,
    };
    bool has_own = llmsim_json_has(text, keys[0].name);
    return llmsim_json_read(json, has_own ? text : json->root, keys, LLMSIM_JSON_SKIP_UNKNOWN, c,
                            err);
}

enum llmsim_status llmsim_model_class_read(const struct llmsim_model_class *row,
                                           const struct llmsim_json *json, const cJSON *text,
                                           struct llmsim_config *c, struct llmsim_error *err)
{
    struct llmsim_error fault;
    struct llmsim_shape *s = &c->shape;
    *c = row->defaults;
    enum llmsim_status status =
        llmsim_json_read(json, text, row->keys, LLMSIM_JSON_SKIP_UNKNOWN, c, err);
    if (status == LLMSIM_OK)
        status = read_tie(json, text, c, err);
    if (status == LLMSIM_OK)
        status = complete(json, text, c, err);
    if (status == LLMSIM_OK && row->adjust != NULL)
        status = row->adjust(json, text, c, err);
    if (status != LLMSIM_OK)
        return status;
    /* Without a window, heads that the windowed layers would have stay as the others': an entry of
     * the catalogue reads the same. */
    if (s->windowed.layers == 0)
        s->windowed = (struct llmsim_attention_shape){.num_heads = s->full.num_heads,
                                                      .num_kv_heads = s->full.num_kv_heads,
                                                      .head_dim = s->full.head_dim,
                                                      .v_head_dim = s->full.head_dim};
    if (s->dense_layers == 0)
        s->intermediate_size = 0;
    s->is_known = true;
    llmsim_config_count(c);
    if (llmsim_shape_check(s, &fault) != LLMSIM_OK)
        return llmsim_json_fail(json, text, err, "%s", fault.message);
    return LLMSIM_OK;
}
