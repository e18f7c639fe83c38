/* model_count.c: the parameters of a model: the matrices, which the shape counts, and beside them
 * the embedding, norms, biases and routers. docs/catalogues.md has the counts as formulas. */
#include "model_config.h"

static uint64_t count_attention_rest(const struct llmsim_config *c,
                                     const struct llmsim_attention_shape *a)
{
    uint64_t q = (uint64_t)a->num_heads * a->head_dim, k = (uint64_t)a->num_kv_heads * a->head_dim;
    uint64_t v = (uint64_t)a->num_kv_heads * a->v_head_dim;
    uint64_t layer = 0;
    if (c->has_qkv_bias)
        layer += q + k + v;
    if (c->has_output_bias)
        layer += c->shape.hidden_size;
    if (c->qk_norm == LLMSIM_QK_NORM_HEAD)
        layer += 2 * (uint64_t)a->head_dim;
    if (c->qk_norm == LLMSIM_QK_NORM_ALL)
        layer += q + k;
    if (c->has_sinks)
        layer += a->num_heads;
    return a->layers * layer;
}

/* Norms of the latents; of an indexer's keys, with a bias, or as those of MiniMax, of queries and
 * keys, without. */
static uint64_t count_latent_rest(const struct llmsim_config *c)
{
    const struct llmsim_mla_shape *m = &c->shape.mla;
    return (uint64_t)m->layers * ((uint64_t)m->q_lora_rank + m->kv_lora_rank) +
           (uint64_t)c->shape.indexer.layers * 2 * c->shape.indexer.head_dim;
}

/* Columns for decay and learning rate of a head; the convolution over q, k and v; the decay's
 * logarithm and bias; the norm of the output. */
static uint64_t count_linear_rest(const struct llmsim_config *c)
{
    const struct llmsim_linear_shape *l = &c->shape.linear;
    uint64_t k = (uint64_t)l->num_key_heads * l->key_head_dim;
    uint64_t v = (uint64_t)l->num_value_heads * l->value_head_dim;
    return l->layers * (2 * (uint64_t)l->num_value_heads * c->shape.hidden_size +
                        l->conv_kernel_dim * (2 * k + v) + 2 * (uint64_t)l->num_value_heads +
                        l->value_head_dim);
}

static uint64_t count_moe_rest(const struct llmsim_config *c)
{
    const struct llmsim_moe_shape *m = &c->shape.moe;
    uint64_t h = c->shape.hidden_size, e = m->num_experts;
    return m->layers * (h * e + c->router_vectors * e + (c->has_shared_expert_gate ? h : 0));
}

static uint64_t count_mlp_bias(const struct llmsim_config *c, uint64_t size)
{
    return (c->shape.mlp_is_not_gated ? 1 : 2) * size + c->shape.hidden_size;
}

/* All but the matrices that the shape counts. */
static uint64_t count_rest(const struct llmsim_config *c)
{
    const struct llmsim_shape *s = &c->shape;
    uint64_t h = s->hidden_size;
    uint64_t width = c->embedding_size > 0 ? c->embedding_size : h;
    uint64_t norms = (uint64_t)s->num_hidden_layers * c->layer_norms + c->outer_norms;
    uint64_t n = s->vocab_size * width + norms * c->norm_vectors * h;
    n += count_attention_rest(c, &s->full) + count_attention_rest(c, &s->windowed);
    n += count_latent_rest(c) + count_linear_rest(c) + count_moe_rest(c);
    if (c->has_mlp_bias)
        n += s->dense_layers * count_mlp_bias(c, s->intermediate_size);
    if (c->has_expert_bias)
        n += (uint64_t)s->moe.layers * s->moe.num_experts *
             count_mlp_bias(c, s->moe.moe_intermediate_size);
    if (c->has_lm_head_bias)
        n += s->vocab_size;
    return n + c->more_parameters;
}

void llmsim_config_count(struct llmsim_config *c)
{
    struct llmsim_shape *s = &c->shape;
    const struct llmsim_moe_shape *m = &s->moe;
    uint64_t matrices[LLMSIM_N_WEIGHTS], idle = 0, total = count_rest(c);
    llmsim_shape_count(s, matrices);
    for (size_t i = 0; i < LLMSIM_WEIGHTS_OTHER; i++)
        total += matrices[i];
    if (m->num_experts > m->num_experts_per_tok) { /* fewer are refused when all is counted */
        uint64_t biases = c->has_expert_bias ? (uint64_t)m->layers * m->num_experts *
                                                   count_mlp_bias(c, m->moe_intermediate_size)
                                             : 0;
        uint64_t one_of_each = (matrices[LLMSIM_WEIGHTS_EXPERTS] + biases) / m->num_experts;
        idle = one_of_each * (m->num_experts - m->num_experts_per_tok);
    }
    if (c->lookup_is_idle)
        idle += (uint64_t)s->vocab_size * s->hidden_size;
    s->parameters = total;
    s->active_parameters = total - idle;
}
