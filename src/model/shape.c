/* shape.c: what follows from the shape of a model: its weights and its KV cache. */
#include "llmsim/shape.h"

/* ---- formats ---- */

const struct llmsim_choice *llmsim_format_choice(size_t i)
{
    static const struct llmsim_choice rows[] = {
#define X(constant, name, bits, group, scale_bits, help) [LLMSIM_FORMAT_##constant] = {name, help},
        LLMSIM_FORMAT_LIST(X)
#undef X
    };
    return i < sizeof rows / sizeof *rows ? &rows[i] : NULL;
}

double llmsim_format_bits(enum llmsim_format format, unsigned group_size)
{
    static const struct {
        double bits;
        unsigned group;
        double scale_bits;
    } rows[] = {
#define X(constant, name, bits, group, scale_bits, help)                                           \
    [LLMSIM_FORMAT_##constant] = {bits, group, scale_bits},
        LLMSIM_FORMAT_LIST(X)
#undef X
    };
    unsigned group =
        group_size > 0 && format == LLMSIM_FORMAT_INT4_WO ? group_size : rows[format].group;
    return rows[format].bits + (group > 0 ? rows[format].scale_bits / group : 0);
}

/* ---- weights ---- */

static void count_attention(const struct llmsim_shape *s, const struct llmsim_attention_shape *a,
                            uint64_t parameters[LLMSIM_N_WEIGHTS])
{
    uint64_t inputs = (uint64_t)a->layers * s->hidden_size;
    uint64_t q = (uint64_t)a->num_heads * a->head_dim;
    uint64_t k = (uint64_t)a->num_kv_heads * a->head_dim;
    uint64_t v = (uint64_t)a->num_kv_heads * a->v_head_dim;
    bool is_full = a == &s->full;
    parameters[LLMSIM_WEIGHTS_ATTENTION] += inputs * (q * (is_full && s->attn_output_gate ? 2 : 1) +
                                                      k + (is_full && s->attention_k_eq_v ? 0 : v));
    parameters[LLMSIM_WEIGHTS_ATTENTION_OUTPUT] += inputs * a->num_heads * a->v_head_dim;
}

static void count_mla(const struct llmsim_shape *s, uint64_t parameters[LLMSIM_N_WEIGHTS])
{
    const struct llmsim_mla_shape *m = &s->mla;
    uint64_t h = s->hidden_size, layers = m->layers, n = m->num_heads;
    uint64_t q = n * (m->qk_nope_head_dim + m->qk_rope_head_dim);
    uint64_t queries = m->q_lora_rank > 0 ? (h + q) * m->q_lora_rank : h * q;
    uint64_t latent = h * (m->kv_lora_rank + m->qk_rope_head_dim);
    uint64_t widening = m->kv_lora_rank * n * (m->qk_nope_head_dim + m->v_head_dim);
    parameters[LLMSIM_WEIGHTS_ATTENTION] += layers * (queries + latent + widening);
    parameters[LLMSIM_WEIGHTS_ATTENTION_OUTPUT] += layers * n * m->v_head_dim * h;
}

/* Queries from the latent of the attention's own, where it has one; keys, and for latent attention
 * a weight a head, from the hidden state. */
static void count_indexer(const struct llmsim_shape *s, uint64_t parameters[LLMSIM_N_WEIGHTS])
{
    const struct llmsim_indexer_shape *i = &s->indexer;
    bool has_latent = s->mla.layers > 0 && s->mla.q_lora_rank > 0;
    uint64_t h = s->hidden_size, from = has_latent ? s->mla.q_lora_rank : h;
    uint64_t queries = from * i->num_heads * i->head_dim;
    uint64_t keys = h * i->head_dim;
    uint64_t head_weights = s->mla.layers > 0 ? h * i->num_heads : 0;
    parameters[LLMSIM_WEIGHTS_ATTENTION] += i->layers * (queries + keys + head_weights);
}

/* q, k, v and the gate; what the state decays and learns by is a few columns, and counts as other.
 */
static void count_linear(const struct llmsim_shape *s, uint64_t parameters[LLMSIM_N_WEIGHTS])
{
    const struct llmsim_linear_shape *l = &s->linear;
    uint64_t inputs = (uint64_t)l->layers * s->hidden_size;
    uint64_t k = (uint64_t)l->num_key_heads * l->key_head_dim;
    uint64_t v = (uint64_t)l->num_value_heads * l->value_head_dim;
    parameters[LLMSIM_WEIGHTS_ATTENTION] += inputs * 2 * (k + v);
    parameters[LLMSIM_WEIGHTS_ATTENTION_OUTPUT] += inputs * v;
}

void llmsim_shape_count(const struct llmsim_shape *s, uint64_t parameters[LLMSIM_N_WEIGHTS])
{
    uint64_t h = s->hidden_size, sum = 0;
    uint64_t column = (s->mlp_is_not_gated ? 2 : 3) * h;
    const struct llmsim_moe_shape *m = &s->moe;
    for (size_t i = 0; i < LLMSIM_N_WEIGHTS; i++)
        parameters[i] = 0;
    count_attention(s, &s->full, parameters);
    count_attention(s, &s->windowed, parameters);
    count_mla(s, parameters);
    count_indexer(s, parameters);
    count_linear(s, parameters);
    parameters[LLMSIM_WEIGHTS_MLP] = column * s->dense_layers * s->intermediate_size;
    parameters[LLMSIM_WEIGHTS_SHARED_EXPERTS] =
        column * m->layers * m->shared_expert_intermediate_size;
    parameters[LLMSIM_WEIGHTS_EXPERTS] =
        column * m->layers * m->num_experts * m->moe_intermediate_size;
    parameters[LLMSIM_WEIGHTS_LM_HEAD] = s->tie_word_embeddings ? 0 : h * s->vocab_size;
    for (size_t i = 0; i < LLMSIM_N_WEIGHTS; i++)
        sum += parameters[i];
    parameters[LLMSIM_WEIGHTS_OTHER] = s->parameters > sum ? s->parameters - sum : 0;
}

double llmsim_shape_weight_bytes(const struct llmsim_shape *shape)
{
    uint64_t parameters[LLMSIM_N_WEIGHTS];
    double bytes = 0;
    llmsim_shape_count(shape, parameters);
    for (size_t i = 0; i < LLMSIM_N_WEIGHTS; i++)
        bytes +=
            (double)parameters[i] * llmsim_format_bits(shape->formats[i], shape->group_size) / 8;
    return bytes;
}

/* ---- KV cache ---- */

static double kv_number_bytes(const struct llmsim_shape *s)
{
    return llmsim_format_bits(s->kv_cache_format, 0) / 8;
}

/* Of a token, in all layers of the kind. */
static double attention_kv_bytes(const struct llmsim_shape *s,
                                 const struct llmsim_attention_shape *a)
{
    return (double)a->layers * a->num_kv_heads * (a->head_dim + a->v_head_dim) * kv_number_bytes(s);
}

/* Of a token, in the layers that keep all tokens. */
static double growing_kv_bytes(const struct llmsim_shape *s)
{
    const double scale_bytes = 4;
    return attention_kv_bytes(s, &s->full) +
           (double)s->mla.layers * (s->mla.kv_lora_rank + s->mla.qk_rope_head_dim) *
               kv_number_bytes(s) +
           (s->indexer.layers > 0 ? s->indexer.layers * (s->indexer.head_dim + scale_bytes) : 0);
}

double llmsim_shape_kv_bytes_per_token(const struct llmsim_shape *shape)
{
    return growing_kv_bytes(shape) + attention_kv_bytes(shape, &shape->windowed);
}

double llmsim_shape_state_bytes(const struct llmsim_shape *shape)
{
    const struct llmsim_linear_shape *l = &shape->linear;
    double k = (double)l->num_key_heads * l->key_head_dim;
    double v = (double)l->num_value_heads * l->value_head_dim;
    double past_inputs = l->conv_kernel_dim > 0 ? l->conv_kernel_dim - 1 : 0;
    double input_bytes = llmsim_format_bits(shape->formats[LLMSIM_WEIGHTS_OTHER], 0) / 8;
    return l->layers * (4 * v * l->key_head_dim + past_inputs * (2 * k + v) * input_bytes);
}

double llmsim_shape_kv_bytes(const struct llmsim_shape *shape, uint64_t tokens)
{
    uint64_t window = shape->windowed.window;
    uint64_t kept = window > 0 && tokens > window ? window : tokens;
    return (double)tokens * growing_kv_bytes(shape) +
           (double)kept * attention_kv_bytes(shape, &shape->windowed) +
           llmsim_shape_state_bytes(shape);
}

/* ---- checks ---- */

static enum llmsim_status check_attention(const char *kind, const struct llmsim_attention_shape *a,
                                          struct llmsim_error *err)
{
    if (a->layers == 0)
        return LLMSIM_OK;
    if (a->num_heads == 0 || a->num_kv_heads == 0 || a->head_dim == 0 || a->v_head_dim == 0)
        return llmsim_fail(err, LLMSIM_CATALOGUE, "%s attention lacks heads or their size", kind);
    if (a->num_heads % a->num_kv_heads != 0)
        return llmsim_fail(err, LLMSIM_CATALOGUE,
                           "%u attention heads do not share %u key-value heads evenly",
                           a->num_heads, a->num_kv_heads);
    return LLMSIM_OK;
}

static enum llmsim_status check_layers(const struct llmsim_shape *s, struct llmsim_error *err)
{
    uint64_t with_attention =
        (uint64_t)s->full.layers + s->windowed.layers + s->mla.layers + s->linear.layers;
    if (with_attention == 0)
        return llmsim_fail(err, LLMSIM_CATALOGUE, "no layer has attention");
    if (with_attention > s->num_hidden_layers)
        return llmsim_fail(err, LLMSIM_CATALOGUE, "%llu layers with attention, but only %u layers",
                           (unsigned long long)with_attention, s->num_hidden_layers);
    if ((uint64_t)s->dense_layers + s->moe.layers > s->num_hidden_layers)
        return llmsim_fail(err, LLMSIM_CATALOGUE,
                           "%u dense layers and %u with experts, but only %u layers",
                           s->dense_layers, s->moe.layers, s->num_hidden_layers);
    if (s->indexer.layers > (uint64_t)s->mla.layers + s->full.layers)
        return llmsim_fail(err, LLMSIM_CATALOGUE, "%u indexers, but only %u layers to index",
                           s->indexer.layers, s->mla.layers + s->full.layers);
    return LLMSIM_OK;
}

/* Counts that a kind of layer needs, where there are such layers. */
struct need {
    unsigned layers;
    unsigned count;
    const char *key;
};

static enum llmsim_status check_needs(const struct llmsim_shape *s, struct llmsim_error *err)
{
    const struct need needs[] = {
        {1, s->hidden_size, "hidden_size"},
        {1, s->vocab_size, "vocab_size"},
        {s->windowed.layers, s->windowed.window, "sliding_window"},
        {s->mla.layers, s->mla.num_heads, "num_heads"},
        {s->mla.layers, s->mla.kv_lora_rank, "kv_lora_rank"},
        {s->mla.layers, s->mla.qk_nope_head_dim, "qk_nope_head_dim"},
        {s->mla.layers, s->mla.qk_rope_head_dim, "qk_rope_head_dim"},
        {s->mla.layers, s->mla.v_head_dim, "v_head_dim"},
        {s->indexer.layers, s->indexer.num_heads, "index_n_heads"},
        {s->indexer.layers, s->indexer.head_dim, "index_head_dim"},
        {s->indexer.layers, s->indexer.topk, "index_topk"},
        {s->linear.layers, s->linear.num_key_heads, "linear_num_key_heads"},
        {s->linear.layers, s->linear.key_head_dim, "linear_key_head_dim"},
        {s->linear.layers, s->linear.num_value_heads, "linear_num_value_heads"},
        {s->linear.layers, s->linear.value_head_dim, "linear_value_head_dim"},
        {s->linear.layers, s->linear.conv_kernel_dim, "linear_conv_kernel_dim"},
        {s->dense_layers, s->intermediate_size, "intermediate_size"},
        {s->moe.layers, s->moe.num_experts, "num_experts"},
        {s->moe.layers, s->moe.num_experts_per_tok, "num_experts_per_tok"},
        {s->moe.layers, s->moe.moe_intermediate_size, "moe_intermediate_size"},
    };
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
        if (needs[i].layers > 0 && needs[i].count == 0)
            return llmsim_fail(err, LLMSIM_CATALOGUE, "key \"%s\" is missing", needs[i].key);
    return LLMSIM_OK;
}

static enum llmsim_status check_parameters(const struct llmsim_shape *s, struct llmsim_error *err)
{
    uint64_t parameters[LLMSIM_N_WEIGHTS], matrices = 0;
    llmsim_shape_count(s, parameters);
    for (size_t i = 0; i < LLMSIM_WEIGHTS_OTHER; i++)
        matrices += parameters[i];
    if (s->parameters < matrices)
        return llmsim_fail(err, LLMSIM_CATALOGUE,
                           "%llu parameters, but the matrices alone have %llu",
                           (unsigned long long)s->parameters, (unsigned long long)matrices);
    if (s->active_parameters > s->parameters)
        return llmsim_fail(err, LLMSIM_CATALOGUE, "%llu active parameters of %llu",
                           (unsigned long long)s->active_parameters,
                           (unsigned long long)s->parameters);
    return LLMSIM_OK;
}

enum llmsim_status llmsim_shape_check(const struct llmsim_shape *shape, struct llmsim_error *err)
{
    enum llmsim_status status = check_layers(shape, err);
    if (status == LLMSIM_OK)
        status = check_needs(shape, err);
    if (status == LLMSIM_OK)
        status = check_attention("full", &shape->full, err);
    if (status == LLMSIM_OK)
        status = check_attention("windowed", &shape->windowed, err);
    if (status == LLMSIM_OK && shape->moe.num_experts_per_tok > shape->moe.num_experts)
        status = llmsim_fail(err, LLMSIM_CATALOGUE, "%u experts a token, but only %u experts",
                             shape->moe.num_experts_per_tok, shape->moe.num_experts);
    if (status == LLMSIM_OK)
        status = check_parameters(shape, err);
    return status;
}
