/* network.c: the shape of a model as the profilers' kernels see it. */
#include <stdio.h>
#include <string.h>

#include "kernel_limits.h"
#include "llmsim/profiler.h"

const struct llmsim_choice *llmsim_dtype_choice(size_t i)
{
    static const struct llmsim_choice rows[] = {
        [LLMSIM_BFLOAT16] = {"bf16", "bfloat16"},
        [LLMSIM_FLOAT16] = {"fp16", "float16"},
    };
    return i < sizeof rows / sizeof *rows ? &rows[i] : NULL;
}

const struct llmsim_choice *llmsim_launch_mode_choice(size_t i)
{
    static const struct llmsim_choice rows[] = {
        [LLMSIM_LAUNCH_PLAIN] = {"plain", "each kernel by itself"},
        [LLMSIM_LAUNCH_GRAPH] = {"graph", "all kernels of a step as one CUDA graph"},
    };
    return i < sizeof rows / sizeof *rows ? &rows[i] : NULL;
}

static bool has_kernel_for(unsigned head_dim)
{
#define X(dim)                                                                                     \
    if (head_dim == (dim))                                                                         \
        return true;
    LLMSIM_HEAD_DIMS(X)
#undef X
    return false;
}

static enum llmsim_status check_heads(const struct llmsim_network *n, struct llmsim_error *err)
{
    if (!has_kernel_for(n->head_dim)) {
        char dims[64] = "";
#define X(dim)                                                                                     \
    (void)snprintf(dims + strlen(dims), sizeof dims - strlen(dims), "%s" #dim,                     \
                   dims[0] == '\0' ? "" : ", ");
        LLMSIM_HEAD_DIMS(X)
#undef X
        return llmsim_fail(err, LLMSIM_CATALOGUE,
                           "%s has heads %u wide; the attention kernels are for %s", n->name,
                           n->head_dim, dims);
    }
    if (n->n_kv_heads == 0 || n->n_heads % n->n_kv_heads != 0 ||
        n->n_heads / n->n_kv_heads > LLMSIM_MAX_GROUP)
        return llmsim_fail(err, LLMSIM_CATALOGUE,
                           "%s has %u heads for %u of keys and values; the decode kernel takes a "
                           "whole number, at most %d, for each",
                           n->name, n->n_heads, n->n_kv_heads, LLMSIM_MAX_GROUP);
    return LLMSIM_OK;
}

enum llmsim_status llmsim_network_init(struct llmsim_network *network,
                                       const struct llmsim_model_shape *shape,
                                       enum llmsim_dtype dtype, struct llmsim_error *err)
{
    const struct llmsim_shape *s = &shape->model.shape;
    /* A window bounds what attention reads, not what it does with it. */
    bool all_windowed = s->windowed.layers == s->num_hidden_layers;
    const struct llmsim_attention_shape *attention = all_windowed ? &s->windowed : &s->full;
    *network = (struct llmsim_network){
        .dtype = dtype,
        .n_layers = s->num_hidden_layers,
        .hidden_size = s->hidden_size,
        .intermediate_size = s->intermediate_size,
        .vocab_size = s->vocab_size,
        .n_heads = attention->num_heads,
        .n_kv_heads = attention->num_kv_heads,
        .head_dim = attention->head_dim,
        .has_gated_mlp = !s->mlp_is_not_gated,
        .ties_embeddings = s->tie_word_embeddings,
    };
    memcpy(network->name, shape->model.name, sizeof network->name);
    if (s->moe.layers > 0)
        return llmsim_fail(err, LLMSIM_CATALOGUE,
                           "%s is a mixture of %u experts; the profilers run dense models only",
                           network->name, s->moe.num_experts);
    if (attention->layers != s->num_hidden_layers || s->dense_layers != s->num_hidden_layers ||
        s->attn_output_gate || s->indexer.layers > 0)
        return llmsim_fail(err, LLMSIM_CATALOGUE,
                           "%s has layers of several kinds; the profilers run models whose layers "
                           "are alike, attention and an MLP",
                           network->name);
    /* Loads of 16 bytes. */
    if (network->hidden_size % 8 != 0 || network->intermediate_size % 8 != 0)
        return llmsim_fail(err, LLMSIM_CATALOGUE,
                           "%s has a hidden size of %u and an MLP %u wide; the kernels take "
                           "multiples of 8",
                           network->name, network->hidden_size, network->intermediate_size);
    return check_heads(network, err);
}
