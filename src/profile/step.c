/* step.c: the forward pass of a network as a list of launches. */
#include "step.h"

const char *llmsim_launch_name(enum llmsim_launch_kind kind)
{
    static const char *const names[] = {
#define X(name, text) [LLMSIM_LAUNCH_##name] = (text),
        LLMSIM_LAUNCH_LIST(X)
#undef X
    };
    return names[kind];
}

struct builder {
    const struct llmsim_profile_plan *plan;
    const struct llmsim_network *network;
    const struct llmsim_profile_point *point;
    char *base; /* of the device: not to be followed here; NULL: only count */
    uint64_t rows;
    struct llmsim_launch *launches; /* NULL: only count */
    size_t n;
};

static void *at(const struct builder *b, uint64_t offset)
{
    return b->base != NULL ? b->base + offset : NULL;
}

/* What stands in layer i. */
static void *in_layer(const struct builder *b, uint64_t offset, unsigned layer)
{
    return at(b, offset + layer * b->plan->layout.layer_stride);
}

static void add(struct builder *b, struct llmsim_launch launch)
{
    launch.dtype = b->network->dtype;
    if (b->launches != NULL)
        b->launches[b->n] = launch;
    b->n++;
}

static void add_norm(struct builder *b, const void *weights, const void *in, uint64_t rows,
                     uint64_t stride)
{
    add(b, (struct llmsim_launch){.kind = LLMSIM_LAUNCH_NORM,
                                  .rows = rows,
                                  .outputs = b->network->hidden_size,
                                  .stride = stride,
                                  .in = in,
                                  .weights = weights,
                                  .state = at(b, b->plan->layout.state),
                                  .out = at(b, b->plan->layout.normed)});
}

static void add_gemm(struct builder *b, uint64_t rows, const void *in, uint64_t inputs,
                     const void *weights, uint64_t outputs, void *out)
{
    add(b, (struct llmsim_launch){.kind = LLMSIM_LAUNCH_GEMM,
                                  .rows = rows,
                                  .inputs = inputs,
                                  .outputs = outputs,
                                  .in = in,
                                  .weights = weights,
                                  .out = out});
}

/* Store the step's keys and values in the cache, and attend: prompts to themselves, decodes to the
 * cache. */
static void add_attention(struct builder *b, unsigned layer)
{
    const struct llmsim_profile_layout *l = &b->plan->layout;
    struct llmsim_launch launch = {
        .rows = b->rows,
        .batch_size = b->point->batch_size,
        .tokens_each = b->point->tokens_each,
        .n_heads = b->network->n_heads,
        .n_kv_heads = b->network->n_kv_heads,
        .head_dim = b->network->head_dim,
        .in = at(b, l->projected),
    };
    struct llmsim_launch store = launch, attend = launch, combine = launch;
    store.kind = LLMSIM_LAUNCH_STORE_KV;
    store.keys = in_layer(b, l->keys, layer);
    store.values = in_layer(b, l->values, layer);
    add(b, store);
    if (b->point->phase == LLMSIM_PROFILE_PREFILL) {
        attend.kind = LLMSIM_LAUNCH_ATTEND_PROMPT;
        attend.out = at(b, l->attended);
        add(b, attend);
        return;
    }
    struct split split = llmsim_split_context(b->network, b->point, b->plan->n_multiprocessors);
    attend.kind = LLMSIM_LAUNCH_ATTEND_CONTEXT;
    attend.keys = store.keys;
    attend.values = store.values;
    combine.kind = LLMSIM_LAUNCH_COMBINE;
    combine.in = NULL;
    combine.out = at(b, l->attended);
    attend.partials = combine.partials = at(b, l->partials);
    attend.n_splits = combine.n_splits = split.n;
    attend.split_tokens = combine.split_tokens = split.tokens;
    add(b, attend);
    add(b, combine);
}

static void add_layer(struct builder *b, unsigned i)
{
    const struct llmsim_profile_layout *l = &b->plan->layout;
    const struct llmsim_network *n = b->network;
    uint64_t q = (uint64_t)n->n_heads * n->head_dim, kv = (uint64_t)n->n_kv_heads * n->head_dim;
    uint64_t h = n->hidden_size, f = n->intermediate_size;
    void *normed = at(b, l->normed), *added = at(b, l->added), *widened = at(b, l->widened);

    add_norm(b, in_layer(b, l->norm1, i), i > 0 ? added : NULL, b->rows, 1);
    add_gemm(b, b->rows, normed, h, in_layer(b, l->qkv, i), q + 2 * kv, at(b, l->projected));
    add_attention(b, i);
    add_gemm(b, b->rows, at(b, l->attended), q, in_layer(b, l->output, i), h, added);

    add_norm(b, in_layer(b, l->norm2, i), added, b->rows, 1);
    add_gemm(b, b->rows, normed, h, in_layer(b, l->up, i), n->has_gated_mlp ? 2 * f : f, widened);
    add(b, (struct llmsim_launch){.kind = LLMSIM_LAUNCH_ACTIVATE,
                                  .rows = b->rows,
                                  .outputs = f,
                                  .gated = n->has_gated_mlp,
                                  .in = widened,
                                  .out = at(b, l->activated)});
    add_gemm(b, b->rows, at(b, l->activated), f, in_layer(b, l->down, i), h, added);
}

size_t llmsim_profile_step(const struct llmsim_profile_plan *plan,
                           const struct llmsim_profile_point *point, unsigned n_layers, void *base,
                           struct llmsim_launch *launches)
{
    const struct llmsim_network *n = &plan->network;
    const struct llmsim_profile_layout *l = &plan->layout;
    bool is_decode = point->phase == LLMSIM_PROFILE_DECODE;
    struct builder b = {
        .plan = plan,
        .network = n,
        .point = point,
        .base = base,
        .rows = point->batch_size * (is_decode ? 1 : point->tokens_each),
        .launches = launches,
    };
    add(&b, (struct llmsim_launch){.kind = LLMSIM_LAUNCH_EMBED,
                                   .rows = b.rows,
                                   .inputs = n->vocab_size,
                                   .outputs = n->hidden_size,
                                   .in = at(&b, l->ids),
                                   .weights = at(&b, l->embedding),
                                   .out = at(&b, l->state)});
    for (unsigned i = 0; i < n_layers; i++)
        add_layer(&b, i);
    /* Only the last token of each sequence has to say what comes next. */
    add_norm(&b, at(&b, l->final_norm), at(&b, l->added), point->batch_size,
             is_decode ? 1 : point->tokens_each);
    add_gemm(&b, point->batch_size, at(&b, l->normed), n->hidden_size, at(&b, l->lm_head),
             n->vocab_size, at(&b, l->logits));
    return b.n;
}
