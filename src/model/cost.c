/* cost.c: the table of cost models, and what follows from any of them. */
#include "llmsim/cost.h"

#include "cost_models.h"

const struct llmsim_cost_model llmsim_cost_models[] = {
    {"ptps", "two numbers: prompt tokens per second and effective memory bandwidth",
     llmsim_cost_ptps_step, llmsim_cost_ptps_decode},
    {NULL, NULL, NULL, NULL},
};

llmsim_time llmsim_cost_unloaded(const struct llmsim_cost *cost, uint32_t prompt_tokens,
                                 uint32_t output_tokens)
{
    struct llmsim_step_shape prefill = {
        .prefill_tokens = prompt_tokens,
        .prefill_seqs = 1,
        .prefill_sum_sq = (uint64_t)prompt_tokens * prompt_tokens,
    };
    llmsim_time t = llmsim_cost_step(cost, &prefill);
    if (output_tokens > 1)
        t += llmsim_decode_run_time(llmsim_cost_decode_run(cost, 1, (uint64_t)prompt_tokens + 1),
                                    output_tokens - 1);
    return t;
}

struct llmsim_closed_form llmsim_cost_closed_form(const struct llmsim_cost *cost,
                                                  uint32_t prompt_tokens)
{
    double kv_s = cost->kv_bytes_per_token / cost->bandwidth_bytes_per_s;
    return (struct llmsim_closed_form){
        .alpha = kv_s / 2,
        .beta = (prompt_tokens + 0.5) * kv_s,
        .c = cost->weight_bytes / cost->bandwidth_bytes_per_s,
    };
}

double llmsim_closed_form_decode_s(struct llmsim_closed_form form, uint32_t batch_size,
                                   uint32_t n_steps)
{
    double n = n_steps, b = batch_size;
    return b * form.alpha * n * n + (b * form.beta + form.c) * n;
}
