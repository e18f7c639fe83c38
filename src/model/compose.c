/* compose.c: the kernels of a step, added up.
 *
 * A step runs every layer once: projections, attention, MLP or experts, norms, and where several
 * GPUs share a layer, all-reduces. What each takes comes from kernel_times.h; here is which there
 * are, and of what shape. Numbers of tokens and sequences are those of one group of GPUs that share
 * a layer: pipeline stages and data-parallel groups each see their share of the batch. */
#include "llmsim/compose.h"

#include <stdio.h>
#include <string.h>

#include "kernel_times.h"

/* Norms, rotary embedding, the write of the KV cache and the activation function: kernels that read
 * and write a token's activations, in a layer with a dense MLP; routing is two more. */
#define SMALL_KERNELS 5
#define SMALL_KERNELS_OF_EXPERTS 2
/* Left where engines fuse norms with all-reduces and quantisation, as they do on Blackwell. */
#define SMALL_KERNELS_FUSED 3
#define ACTIVATION_BYTES 2

struct composer {
    const struct llmsim_shape *shape;
    const struct llmsim_parallelism *parallel;
    struct kernel_times times;
};

static double at_least_one(double x)
{
    return x < 1 ? 1 : x;
}

static double gemm_s(const struct composer *c, enum llmsim_weights weights, double m, double n,
                     double k)
{
    return kernel_gemm_s(&c->times, c->shape->formats[weights], m, n, k);
}

/* The share of n heads that one of the GPUs has; those that are fewer than the GPUs are copied. */
static double heads_of_a_gpu(const struct composer *c, unsigned n)
{
    return at_least_one((double)n / c->parallel->tensor);
}

/* ---- attention: projections ---- */

static double attention_projections_s(const struct composer *c,
                                      const struct llmsim_attention_shape *a, double m)
{
    double h = c->shape->hidden_size, heads = heads_of_a_gpu(c, a->num_heads);
    double kv_heads = heads_of_a_gpu(c, a->num_kv_heads);
    bool is_full = a == &c->shape->full;
    double q = heads * a->head_dim * (is_full && c->shape->attn_output_gate ? 2 : 1);
    double k = kv_heads * a->head_dim;
    double v = is_full && c->shape->attention_k_eq_v ? 0 : kv_heads * a->v_head_dim;
    return gemm_s(c, LLMSIM_WEIGHTS_ATTENTION, m, q + k + v, h) +
           gemm_s(c, LLMSIM_WEIGHTS_ATTENTION_OUTPUT, m, h, heads * a->v_head_dim);
}

/* The keys' and values' projections out of the latent space are absorbed into queries and outputs,
 * as servers do in decode; in prefill the arithmetic is about the same. */
static double mla_projections_s(const struct composer *c, double m)
{
    const struct llmsim_mla_shape *a = &c->shape->mla;
    double h = c->shape->hidden_size, heads = heads_of_a_gpu(c, a->num_heads);
    double latent = a->kv_lora_rank + a->qk_rope_head_dim;
    double head_dim = a->qk_nope_head_dim + a->qk_rope_head_dim;
    double t = gemm_s(c, LLMSIM_WEIGHTS_ATTENTION_OUTPUT, m, h, heads * a->v_head_dim);
    if (a->q_lora_rank > 0)
        t += gemm_s(c, LLMSIM_WEIGHTS_ATTENTION, m, a->q_lora_rank + latent, h) +
             gemm_s(c, LLMSIM_WEIGHTS_ATTENTION, m, heads * head_dim, a->q_lora_rank);
    else
        t += gemm_s(c, LLMSIM_WEIGHTS_ATTENTION, m, heads * head_dim + latent, h);
    return t + gemm_s(c, LLMSIM_WEIGHTS_OTHER, m, heads * a->kv_lora_rank, a->qk_nope_head_dim) +
           gemm_s(c, LLMSIM_WEIGHTS_OTHER, m, heads * a->v_head_dim, a->kv_lora_rank);
}

static double indexer_projections_s(const struct composer *c, double m)
{
    const struct llmsim_indexer_shape *x = &c->shape->indexer;
    double from = c->shape->mla.q_lora_rank > 0 ? c->shape->mla.q_lora_rank : c->shape->hidden_size;
    return gemm_s(c, LLMSIM_WEIGHTS_ATTENTION, m, (double)x->num_heads * x->head_dim, from) +
           gemm_s(c, LLMSIM_WEIGHTS_OTHER, m, x->head_dim + x->num_heads, c->shape->hidden_size);
}

static double linear_projections_s(const struct composer *c, double m)
{
    const struct llmsim_linear_shape *l = &c->shape->linear;
    double h = c->shape->hidden_size;
    double keys = heads_of_a_gpu(c, l->num_key_heads) * l->key_head_dim;
    double value_heads = heads_of_a_gpu(c, l->num_value_heads);
    double values = value_heads * l->value_head_dim;
    return gemm_s(c, LLMSIM_WEIGHTS_ATTENTION, m, 2 * keys + 2 * values + 2 * value_heads, h) +
           gemm_s(c, LLMSIM_WEIGHTS_ATTENTION_OUTPUT, m, h, values);
}

/* ---- MLPs ---- */

static double mlp_s(const struct composer *c, enum llmsim_weights weights, double m, double width)
{
    double h = c->shape->hidden_size, slice = width / c->parallel->tensor;
    return gemm_s(c, weights, m, (c->shape->mlp_is_not_gated ? 1 : 2) * slice, h) +
           gemm_s(c, weights, m, h, slice);
}

/* Experts belong to all GPUs of a stage, whose groups bring their tokens together. */
static double experts_s(const struct composer *c, double m)
{
    const struct llmsim_moe_shape *e = &c->shape->moe;
    const struct llmsim_parallelism *p = c->parallel;
    double n_gpus = (double)p->tensor * p->data;
    const struct experts_work work = {
        .format = c->shape->formats[LLMSIM_WEIGHTS_EXPERTS],
        .tokens = m * p->data,
        .hidden_size = c->shape->hidden_size,
        .intermediate_size = e->moe_intermediate_size,
        .num_experts = e->num_experts,
        .num_experts_per_tok = e->num_experts_per_tok,
        .tensor = p->expert ? 1 : n_gpus,
        .expert = p->expert ? n_gpus : 1,
        .is_gated = !c->shape->mlp_is_not_gated,
    };
    double t = kernel_experts_s(&c->times, &work) +
               gemm_s(c, LLMSIM_WEIGHTS_OTHER, m, e->num_experts, c->shape->hidden_size);
    if (e->shared_expert_intermediate_size > 0)
        t += mlp_s(c, LLMSIM_WEIGHTS_SHARED_EXPERTS, m, e->shared_expert_intermediate_size);
    return t;
}

/* ---- a step ---- */

static double bytes_of_tokens(const struct composer *c, double m)
{
    return m * c->shape->hidden_size * ACTIVATION_BYTES;
}

static double small_kernels_s(const struct composer *c, double m)
{
    double one = kernel_small_s(&c->times, 2 * bytes_of_tokens(c, m));
    double kernels = c->times.peaks.fp4_per_s > 0 ? SMALL_KERNELS_FUSED : SMALL_KERNELS;
    return one * (kernels * (double)c->shape->num_hidden_layers +
                  SMALL_KERNELS_OF_EXPERTS * (double)c->shape->moe.layers);
}

/* After attention and after the MLP of a layer; tokens that go to experts of other groups are
 * gathered, and their results scattered, in the place of the second. */
static double communication_s(const struct composer *c, double m)
{
    const struct llmsim_shape *s = c->shape;
    const struct llmsim_parallelism *p = c->parallel;
    double layers = s->num_hidden_layers, bytes = bytes_of_tokens(c, m);
    double reduce = kernel_all_reduce_s(&c->times, p->tensor, bytes);
    double n_reduces = s->parallel_blocks ? layers : 2 * layers;
    double t = 0;
    if (p->data > 1) {
        n_reduces -= s->moe.layers;
        t += s->moe.layers * kernel_exchange_s(&c->times, p->tensor * p->data, bytes * p->data);
    }
    t += n_reduces * reduce;
    if (p->pipeline > 1)
        t += (p->pipeline - 1) * kernel_send_s(&c->times, bytes);
    return t;
}

/* All but attention and head, of m new tokens a group and stage. */
static double tokens_s(const struct composer *c, double m)
{
    const struct llmsim_shape *s = c->shape;
    double t = small_kernels_s(c, m) + communication_s(c, m);
    if (s->full.layers > 0)
        t += s->full.layers * attention_projections_s(c, &s->full, m);
    if (s->windowed.layers > 0)
        t += s->windowed.layers * attention_projections_s(c, &s->windowed, m);
    if (s->mla.layers > 0)
        t += s->mla.layers * mla_projections_s(c, m);
    if (s->indexer.layers > 0)
        t += s->indexer.layers * indexer_projections_s(c, m);
    if (s->linear.layers > 0)
        t += s->linear.layers *
             (linear_projections_s(c, m) +
              kernel_linear_attention_s(&c->times, &s->linear, c->parallel->tensor, m));
    if (s->dense_layers > 0)
        t += s->dense_layers * mlp_s(c, LLMSIM_WEIGHTS_MLP, m, s->intermediate_size);
    if (s->moe.layers > 0)
        t += s->moe.layers * experts_s(c, m);
    return t;
}

/* ---- attention ---- */

static struct attention_heads heads_of(const struct composer *c,
                                       const struct llmsim_attention_shape *a)
{
    return (struct attention_heads){
        .heads = heads_of_a_gpu(c, a->num_heads),
        .kv_heads = heads_of_a_gpu(c, a->num_kv_heads),
        .head_dim = (a->head_dim + a->v_head_dim) / 2.0,
        .format = c->shape->kv_cache_format,
    };
}

/* Decodes in windowed layers are taken to have filled their window, so that for a fixed batch their
 * attention does not depend on the context. */
static struct decode_line decode_attention(const struct composer *c, double batch)
{
    const struct llmsim_shape *s = c->shape;
    struct decode_line sum = {0, 0};
    if (s->full.layers > 0) {
        struct attention_heads heads = heads_of(c, &s->full);
        struct decode_line one = kernel_decode_attention(&c->times, &heads, batch);
        sum.fixed_s += s->full.layers * one.fixed_s;
        sum.per_token_s += s->full.layers * one.per_token_s;
    }
    if (s->windowed.layers > 0) {
        struct attention_heads heads = heads_of(c, &s->windowed);
        struct decode_line one = kernel_decode_attention(&c->times, &heads, batch);
        sum.fixed_s +=
            s->windowed.layers * (one.fixed_s + one.per_token_s * batch * s->windowed.window);
    }
    if (s->mla.layers > 0) {
        struct decode_line one = kernel_decode_mla(&c->times, heads_of_a_gpu(c, s->mla.num_heads),
                                                   s->kv_cache_format, batch);
        double sparse = s->indexer.layers > 0 ? s->indexer.topk : 0;
        sum.fixed_s += s->mla.layers * (one.fixed_s + one.per_token_s * batch * sparse);
        sum.per_token_s += sparse > 0 ? 0 : s->mla.layers * one.per_token_s;
    }
    if (s->indexer.layers > 0)
        sum.per_token_s += s->indexer.layers * kernel_indexer_context_s(&c->times, &s->indexer);
    return sum;
}

/* Of one new token of `prompts` prompts, which attends to `length` others, counted twice. */
static double prefill_attention_s(const struct composer *c, double prompts, double length)
{
    const struct llmsim_shape *s = c->shape;
    double t = 0;
    if (s->full.layers > 0) {
        struct attention_heads heads = heads_of(c, &s->full);
        t += s->full.layers * kernel_prefill_attention_s(&c->times, &heads, prompts, length);
    }
    if (s->windowed.layers > 0) {
        struct attention_heads heads = heads_of(c, &s->windowed);
        double seen = length < 2.0 * s->windowed.window ? length : 2.0 * s->windowed.window;
        t += s->windowed.layers * kernel_prefill_attention_s(&c->times, &heads, prompts, seen);
    }
    if (s->mla.layers > 0) {
        double seen = s->indexer.layers > 0 && length > 2.0 * s->indexer.topk
                          ? 2.0 * s->indexer.topk
                          : length;
        t += s->mla.layers *
             kernel_prefill_mla_s(&c->times, heads_of_a_gpu(c, s->mla.num_heads), prompts, seen);
    }
    return t;
}

/* ---- the tables ---- */

/* Pipeline stages work on different batches at the same time, so each has its share of the requests
 * and all of them pass all layers; so do data-parallel groups. */
static double share(const struct composer *c, double n)
{
    return n / ((double)c->parallel->pipeline * c->parallel->data);
}

static void fill_tables(const struct composer *c, struct llmsim_composed *out)
{
    const struct llmsim_shape *s = c->shape;
    double vocabulary = (double)s->vocab_size / c->parallel->tensor;
    enum llmsim_weights head =
        s->tie_word_embeddings ? LLMSIM_WEIGHTS_OTHER : LLMSIM_WEIGHTS_LM_HEAD;
    for (unsigned i = 0; i < LLMSIM_N_SIZES; i++) {
        double n = at_least_one(share(c, (double)llmsim_size_at(i)));
        struct decode_line attention = decode_attention(c, n);
        out->tokens_s[i] = i == 0 ? 0 : tokens_s(c, n);
        out->head_s[i] = i == 0 ? 0 : gemm_s(c, head, n, vocabulary, s->hidden_size);
        out->decode_s[i] = i == 0 ? 0 : attention.fixed_s;
        out->context_s[i] = i == 0 ? 0 : share(c, attention.per_token_s);
    }
    for (unsigned i = 0; i < LLMSIM_N_PROMPT_SIZES; i++)
        for (unsigned j = 0; j < LLMSIM_N_LENGTH_SIZES; j++)
            out->prefill_s[i][j] =
                share(c, prefill_attention_s(c, at_least_one(share(c, (double)(1u << i))),
                                             (double)(1u << j)));
}

static struct kernel_times times_of(const struct llmsim_gpu *gpu,
                                    const struct llmsim_server *server,
                                    const struct llmsim_kernels *kernels, bool is_own)
{
    struct kernel_times t = {
        .kernels = kernels,
        .peaks = {gpu->memory_bw_GBps * 1e9, gpu->bf16_tflops * 1e12, gpu->fp8_tflops * 1e12,
                  gpu->fp4_tflops * 1e12, 0},
        .small_kernel_s = server->small_kernel_s,
        .link_bytes_per_s = 1e9 * (gpu->link_bw > 0 ? gpu->link_bw : gpu->pcie_bw),
        .link_latency_s = 1e-6 * gpu->link_latency_us,
        .has_own_links = is_own,
    };
    if (is_own)
        t.peaks = *llmsim_kernels_peaks(kernels);
    return t;
}

enum llmsim_status llmsim_compose(const struct llmsim_model *model, const struct llmsim_gpu *gpu,
                                  const struct llmsim_server *server, bool is_asynchronous,
                                  const struct llmsim_parallelism *parallelism,
                                  const struct llmsim_kernels *kernels,
                                  struct llmsim_composed *composed, struct llmsim_error *err)
{
    const struct llmsim_shape *shape = &model->shape;
    if (!shape->is_known)
        return llmsim_fail(
            err, LLMSIM_CATALOGUE,
            "model.json has no shape for %s; llmsim profile model --config writes it", model->name);
    if (!(gpu->bf16_tflops > 0))
        return llmsim_fail(err, LLMSIM_CATALOGUE, "gpu.json has no bf16_tflops for %s", gpu->name);
    enum llmsim_status status = llmsim_parallelism_check(parallelism, shape, err);
    if (status != LLMSIM_OK)
        return status;
    bool is_own = kernels != NULL && strcmp(llmsim_kernels_gpu(kernels), gpu->name) == 0;
    struct composer c = {shape, parallelism, times_of(gpu, server, kernels, is_own)};
    memset(composed, 0, sizeof *composed);
    composed->step_s = is_asynchronous ? server->step_s : server->waiting_step_s;
    composed->seq_s = is_asynchronous ? server->seq_s : server->waiting_seq_s;
    composed->max_graph_tokens = server->max_graph_tokens;
    composed->is_estimate = !is_own;
    (void)snprintf(composed->server, sizeof composed->server, "%s", server->choice.name);
    if (kernels != NULL) {
        (void)snprintf(composed->system, sizeof composed->system, "%s",
                       llmsim_kernels_system(kernels));
        (void)snprintf(composed->engine, sizeof composed->engine, "%s",
                       llmsim_kernels_engine(kernels));
        (void)snprintf(composed->version, sizeof composed->version, "%s",
                       llmsim_kernels_version(kernels));
    }
    fill_tables(&c, composed);
    return LLMSIM_OK;
}

/* ---- several GPUs ---- */

enum llmsim_status llmsim_parallelism_check(const struct llmsim_parallelism *p,
                                            const struct llmsim_shape *shape,
                                            struct llmsim_error *err)
{
    const unsigned heads[] = {shape->full.num_heads, shape->windowed.num_heads,
                              shape->mla.num_heads, shape->linear.num_value_heads};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (heads[i] % p->tensor != 0)
            return llmsim_fail(err, LLMSIM_USAGE,
                               "--tensor-parallel-size %u does not divide the %u heads", p->tensor,
                               heads[i]);
    if (p->pipeline > shape->num_hidden_layers)
        return llmsim_fail(err, LLMSIM_USAGE,
                           "--pipeline-parallel-size %u: the model has %u layers", p->pipeline,
                           shape->num_hidden_layers);
    if ((p->expert || p->data > 1) && shape->moe.layers == 0)
        return llmsim_fail(err, LLMSIM_USAGE,
                           "--enable-expert-parallel and --data-parallel-size: the model has no "
                           "experts; --replicas are copies that share nothing");
    if (p->expert && shape->moe.num_experts % (p->tensor * p->data) != 0)
        return llmsim_fail(err, LLMSIM_USAGE, "%u GPUs do not divide the %u experts",
                           p->tensor * p->data, shape->moe.num_experts);
    return LLMSIM_OK;
}

/* All but the routed experts is there once for each data-parallel group. */
double llmsim_replica_weight_bytes(const struct llmsim_shape *shape,
                                   const struct llmsim_parallelism *p)
{
    uint64_t parameters[LLMSIM_N_WEIGHTS];
    llmsim_shape_count(shape, parameters);
    double experts = (double)parameters[LLMSIM_WEIGHTS_EXPERTS] *
                     llmsim_format_bits(shape->formats[LLMSIM_WEIGHTS_EXPERTS], shape->group_size) /
                     8;
    return experts + p->data * (llmsim_shape_weight_bytes(shape) - experts);
}
