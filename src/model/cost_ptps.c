/* cost_ptps.c: the two-number model, formulas 1 to 3 of docs/model.md. */
#include <math.h>

#include "cost_models.h"

/* Bounds of the integer coefficients, in seconds: they keep every sum of a run inside 128 bits
 * (docs/model.md, section "Time") and are far outside what hardware does. */
#define MAX_S_PER_PROMPT_TOKEN 1.0
#define MAX_S_PER_CONTEXT_TOKEN 4e-3
#define MAX_S_PER_WEIGHT_READ 1000.0

struct llmsim_decode_cost llmsim_cost_ptps_decode(const struct llmsim_cost *cost, uint32_t n_seqs)
{
    (void)n_seqs; /* the two-number model has no term for each sequence */
    return cost->decode_any_batch;
}

/* Formula 1 for the prompts and formula 3 for the decodes; a mixed step is their sum. */
llmsim_time llmsim_cost_ptps_step(const struct llmsim_cost *cost,
                                  const struct llmsim_step_shape *shape)
{
    llmsim_time t = (llmsim_time)cost->prefill_per_token * (llmsim_time)shape->prefill_tokens;
    if (shape->decode_seqs > 0)
        t += cost->decode_any_batch.base + (llmsim_time)cost->decode_any_batch.per_context_token *
                                               (llmsim_time)shape->context_tokens;
    return t;
}

static enum llmsim_status check(const char *what, double seconds, double limit,
                                struct llmsim_error *err)
{
    if (isfinite(seconds) && seconds >= 0 && seconds <= limit)
        return LLMSIM_OK;
    return llmsim_fail(err, LLMSIM_CATALOGUE, "%s takes %g s: expected 0 to %g s", what, seconds,
                       limit);
}

enum llmsim_status llmsim_cost_init_ptps(struct llmsim_cost *cost, const struct llmsim_model *model,
                                         const struct llmsim_gpu *gpu, double ptps_tokens_per_s,
                                         struct llmsim_error *err)
{
    double bandwidth = gpu->memory_bw_GBps * 1e9 * gpu->memory_bw_util_percent / 100;
    double weights = model->model_size_GB * 1e9;
    double kv = model->kvc_size_KB * 1024;

    enum llmsim_status status =
        check("one prompt token", 1 / ptps_tokens_per_s, MAX_S_PER_PROMPT_TOKEN, err);
    if (status == LLMSIM_OK)
        status = check("one read of the weights", weights / bandwidth, MAX_S_PER_WEIGHT_READ, err);
    if (status == LLMSIM_OK)
        status = check("one token of KV cache", kv / bandwidth, MAX_S_PER_CONTEXT_TOKEN, err);
    if (status != LLMSIM_OK)
        return status;

    *cost = (struct llmsim_cost){
        .model = &llmsim_cost_models[0],
        .ptps_tokens_per_s = ptps_tokens_per_s,
        .bandwidth_bytes_per_s = bandwidth,
        .weight_bytes = weights,
        .kv_bytes_per_token = kv,
        .prefill_per_token = (uint64_t)llmsim_time_from_seconds(1 / ptps_tokens_per_s),
        .decode_any_batch =
            {
                .base = llmsim_time_from_seconds(weights / bandwidth),
                .per_context_token = (uint64_t)llmsim_time_from_seconds(kv / bandwidth),
            },
    };
    return LLMSIM_OK;
}
