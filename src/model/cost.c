/* cost.c: the table of cost models, and what follows from any of them. */
#include "llmsim/cost.h"

#include <math.h>

#include "cost_models.h"
#include "parts.h"

const struct llmsim_cost_model llmsim_cost_models[] = {
    [LLMSIM_COST_PTPS] = {"ptps",
                          "two numbers: prompt tokens per second and effective memory bandwidth",
                          false, llmsim_cost_ptps_step, llmsim_cost_ptps_decode,
                          llmsim_cost_ptps_scale},
    [LLMSIM_COST_FITTED] = {"fitted", "the coefficients that llmsim fit found in measured steps",
                            true, llmsim_cost_fitted_step, llmsim_cost_fitted_decode,
                            llmsim_cost_fitted_scale},
    [LLMSIM_COST_COMPOSED] = {"composed",
                              "the kernels that a step of this model runs on this GPU, added up",
                              false, llmsim_cost_composed_step, llmsim_cost_composed_decode,
                              llmsim_cost_composed_scale},
    {NULL, NULL, false, NULL, NULL, NULL},
};

enum llmsim_status llmsim_cost_check(const char *what, double seconds, double limit,
                                     struct llmsim_error *err)
{
    if (isfinite(seconds) && seconds >= 0 && seconds <= limit)
        return LLMSIM_OK;
    if (isnan(seconds)) /* of which %g would print a sign that compilers do not agree on */
        return llmsim_fail(err, LLMSIM_CATALOGUE, "%s is not a number: expected 0 to %g s", what,
                           limit);
    return llmsim_fail(err, LLMSIM_CATALOGUE, "%s takes %g s: expected 0 to %g s", what, seconds,
                       limit);
}

enum llmsim_status llmsim_cost_apply(struct llmsim_cost *cost,
                                     const struct llmsim_cost_change *change,
                                     struct llmsim_error *err)
{
    struct llmsim_cost changed = *cost;
    enum llmsim_status status =
        LLMSIM_CHECK_PARTS("a cost", err, {cost->model != NULL, "cost model"});
    if (status == LLMSIM_OK)
        status = llmsim_cost_check("the constant of a step", change->extra_s_per_step,
                                   LLMSIM_MAX_S_PER_STEP, err);
    if (status == LLMSIM_OK)
        status = llmsim_cost_check("the constant of a token", change->extra_s_per_token,
                                   LLMSIM_MAX_S_PER_PROMPT_TOKEN, err);
    /* As they are, to the last bit, where nothing changes. */
    if (status == LLMSIM_OK && (change->prefill_speed != 1 || change->bandwidth != 1))
        status = cost->model->scale(&changed, change->prefill_speed, change->bandwidth, err);
    if (status != LLMSIM_OK)
        return status;
    changed.extra_per_step += llmsim_time_from_seconds(change->extra_s_per_step);
    changed.extra_per_token += (uint64_t)llmsim_time_from_seconds(change->extra_s_per_token);
    *cost = changed;
    return LLMSIM_OK;
}

llmsim_time llmsim_cost_unloaded_by(const struct llmsim_cost *cost, struct llmsim_decode_cost alone,
                                    uint32_t prompt_tokens, uint32_t output_tokens)
{
    struct llmsim_step_shape prefill = {
        .prefill_tokens = prompt_tokens,
        .prefill_seqs = 1,
        .prefill_sum_sq = (uint64_t)prompt_tokens * prompt_tokens,
    };
    llmsim_time t = llmsim_cost_step(cost, &prefill);
    if (output_tokens > 1)
        t += llmsim_decode_run_time(llmsim_decode_cost_run(alone, 1, (uint64_t)prompt_tokens + 1),
                                    output_tokens - 1);
    return t;
}

llmsim_time llmsim_cost_unloaded(const struct llmsim_cost *cost, uint32_t prompt_tokens,
                                 uint32_t output_tokens)
{
    return llmsim_cost_unloaded_by(cost, llmsim_cost_decode(cost, 1), prompt_tokens, output_tokens);
}

struct llmsim_closed_form llmsim_cost_closed_form(const struct llmsim_cost *cost,
                                                  uint32_t batch_size, uint32_t prompt_tokens)
{
    double kv_s, base_s;
    if (cost->model == &llmsim_cost_models[LLMSIM_COST_PTPS]) { /* from the numbers as given */
        kv_s = cost->kv_bytes_per_token / cost->bandwidth_bytes_per_s;
        base_s = cost->weight_bytes / cost->bandwidth_bytes_per_s;
    } else {
        struct llmsim_decode_cost d = cost->model->decode(cost, batch_size);
        kv_s = llmsim_time_to_seconds((llmsim_time)d.per_context_token);
        base_s = llmsim_time_to_seconds(d.base);
    }
    return (struct llmsim_closed_form){
        .alpha = kv_s / 2,
        .beta = (prompt_tokens + 0.5) * kv_s +
                llmsim_time_to_seconds((llmsim_time)cost->extra_per_token),
        .c = base_s + llmsim_time_to_seconds(cost->extra_per_step),
    };
}

double llmsim_closed_form_decode_s(struct llmsim_closed_form form, uint32_t batch_size,
                                   uint32_t n_steps)
{
    double n = n_steps, b = batch_size;
    return b * form.alpha * n * n + (b * form.beta + form.c) * n;
}
