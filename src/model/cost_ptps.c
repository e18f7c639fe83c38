/* cost_ptps.c: the two-number model, formulas 1 to 3 of docs/model.md. */
#include "cost_models.h"

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

/* The integers from the physical coefficients. */
static enum llmsim_status set_integers(struct llmsim_cost *cost, struct llmsim_error *err)
{
    double prompt_s = 1 / cost->ptps_tokens_per_s;
    double weights_s = cost->weight_bytes / cost->bandwidth_bytes_per_s;
    double kv_s = cost->kv_bytes_per_token / cost->bandwidth_bytes_per_s;
    enum llmsim_status status =
        llmsim_cost_check("one prompt token", prompt_s, LLMSIM_MAX_S_PER_PROMPT_TOKEN, err);
    if (status == LLMSIM_OK)
        status =
            llmsim_cost_check("one read of the weights", weights_s, LLMSIM_MAX_S_PER_STEP, err);
    if (status == LLMSIM_OK)
        status =
            llmsim_cost_check("one token of KV cache", kv_s, LLMSIM_MAX_S_PER_CONTEXT_TOKEN, err);
    if (status != LLMSIM_OK)
        return status;
    cost->prefill_per_token = (uint64_t)llmsim_time_from_seconds(prompt_s);
    cost->decode_any_batch = (struct llmsim_decode_cost){
        .base = llmsim_time_from_seconds(weights_s),
        .per_context_token = (uint64_t)llmsim_time_from_seconds(kv_s),
    };
    return LLMSIM_OK;
}

enum llmsim_status llmsim_cost_ptps_scale(struct llmsim_cost *cost, double prefill_speed,
                                          double bandwidth, struct llmsim_error *err)
{
    cost->ptps_tokens_per_s *= prefill_speed;
    cost->bandwidth_bytes_per_s *= bandwidth;
    return set_integers(cost, err);
}

enum llmsim_status llmsim_cost_init_ptps(struct llmsim_cost *cost, const struct llmsim_model *model,
                                         const struct llmsim_gpu *gpu, double ptps_tokens_per_s,
                                         struct llmsim_error *err)
{
    *cost = (struct llmsim_cost){
        .model = &llmsim_cost_models[LLMSIM_COST_PTPS],
        .ptps_tokens_per_s = ptps_tokens_per_s,
        .bandwidth_bytes_per_s = gpu->memory_bw_GBps * 1e9 * gpu->memory_bw_util_percent / 100,
        .weight_bytes = model->model_size_GB * 1e9,
        .kv_bytes_per_token = model->kvc_size_KB * 1024,
    };
    return set_integers(cost, err);
}
