/* cost_fitted.c: the model with fitted coefficients, formula 9 of docs/model.md.
 *
 * One formula for prefill, decode and mixed steps: the arithmetic of all new tokens of a step
 * overlaps with one read of the weights, so a mixed step costs less than the sum of its sides. What
 * is not linear is computed from additions, multiplications, divisions and square roots, which IEEE
 * 754 rounds the same everywhere, and all of these only grow with their argument: so a step never
 * gets cheaper by more work, to the last bit, and a mixed step never cheaper than its decodes,
 * whose KV reads are a lower bound of its attention. */
#include <math.h>
#include <string.h>

#include "cost_models.h"

/* Bounds that keep the floating-point side inside what llmsim_time_from_seconds takes. */
#define MAX_SECONDS 1e15
#define MAX_S_PER_SUM_SQ 1e-6

double llmsim_smooth_max(double a, double b)
{
    double a2 = a * a, b2 = b * b;
    return sqrt(sqrt(a2 * a2 + b2 * b2));
}

double llmsim_rise(double tokens, double n)
{
    if (tokens >= n)
        return 1;
    return 2 * tokens > n ? 2 * tokens / n - 1 : 0;
}

static llmsim_time to_time(double seconds)
{
    return llmsim_time_from_seconds(seconds < MAX_SECONDS ? seconds : MAX_SECONDS);
}

/* What depends on the number of new tokens alone, in seconds. */
static double tokens_s(const struct llmsim_fitted *f, double tokens)
{
    double t = f->step_s + f->token_s * tokens;
#define X(n) t += f->rise_##n##_s * llmsim_rise(tokens, n);
    LLMSIM_FITTED_RISE_LIST(X)
#undef X
    t += f->weights_s * llmsim_smooth_max(1, tokens / f->ridge_tokens);
    if (tokens > 0) {
        double y = f->spill_tokens / tokens;
        t += f->spill_s * tokens / (1 + y * y * y);
    }
    return t;
}

static llmsim_time tokens_time(const struct llmsim_cost *cost, uint64_t n_tokens, uint64_t n_seqs)
{
    return to_time(tokens_s(&cost->fitted, (double)n_tokens)) +
           (llmsim_time)cost->per_seq * (llmsim_time)n_seqs;
}

struct llmsim_decode_cost llmsim_cost_fitted_decode(const struct llmsim_cost *cost, uint32_t n_seqs)
{
    return (struct llmsim_decode_cost){
        .base = tokens_time(cost, n_seqs, n_seqs),
        .per_context_token = cost->per_context_token,
    };
}

double llmsim_split_tokens(const struct llmsim_step_shape *s)
{
    double n_prompts = s->prefill_seqs;
    return (double)s->prefill_tokens * ((n_prompts - 1) / n_prompts);
}

/* All sequences of a step with prompts share a kernel, which is done when all KV tokens are read
 * and all scores are computed, but not before it has walked over the longest sequence. */
static double attention_s(const struct llmsim_fitted *f, const struct llmsim_step_shape *s)
{
    return llmsim_smooth_max(f->attention_s * (double)s->prefill_sum_sq +
                                 f->mixed_context_s * (double)s->context_tokens,
                             f->walk_s * (double)s->longest_context);
}

llmsim_time llmsim_cost_fitted_step(const struct llmsim_cost *cost,
                                    const struct llmsim_step_shape *shape)
{
    const struct llmsim_fitted *f = &cost->fitted;
    llmsim_time t = tokens_time(cost, shape->prefill_tokens + shape->decode_seqs,
                                (uint64_t)shape->prefill_seqs + shape->decode_seqs);
    llmsim_time reads = (llmsim_time)cost->per_context_token * (llmsim_time)shape->context_tokens;
    if (shape->prefill_seqs == 0)
        return t + reads;
    llmsim_time attention = to_time(attention_s(f, shape));
    return t + to_time(f->split_s * llmsim_split_tokens(shape)) +
           (llmsim_time)cost->per_mixed_seq * (llmsim_time)shape->decode_seqs +
           (attention > reads ? attention : reads);
}

/* The bounds of every coefficient, and the integers. */
static enum llmsim_status set_integers(struct llmsim_cost *cost, struct llmsim_error *err)
{
    const struct llmsim_fitted *f = &cost->fitted;
    const struct {
        const char *what;
        double seconds, limit;
    } bounds[] = {
        {"step_s", f->step_s, LLMSIM_MAX_S_PER_STEP},
#define X(n) {"rise_" #n "_s", f->rise_##n##_s, LLMSIM_MAX_S_PER_STEP},
        LLMSIM_FITTED_RISE_LIST(X)
#undef X
            {"seq_s", f->seq_s, LLMSIM_MAX_S_PER_PROMPT_TOKEN},
        {"mixed_seq_s", f->mixed_seq_s, LLMSIM_MAX_S_PER_PROMPT_TOKEN},
        {"token_s", f->token_s, LLMSIM_MAX_S_PER_PROMPT_TOKEN},
        {"weights_s", f->weights_s, LLMSIM_MAX_S_PER_STEP},
        {"weights_s / ridge_tokens, the arithmetic of a token,", f->weights_s / f->ridge_tokens,
         LLMSIM_MAX_S_PER_PROMPT_TOKEN},
        {"spill_s", f->spill_s, LLMSIM_MAX_S_PER_PROMPT_TOKEN},
        {"split_s", f->split_s, LLMSIM_MAX_S_PER_PROMPT_TOKEN},
        {"attention_s", f->attention_s, MAX_S_PER_SUM_SQ},
        {"walk_s", f->walk_s, LLMSIM_MAX_S_PER_CONTEXT_TOKEN},
        {"context_s", f->context_s, LLMSIM_MAX_S_PER_CONTEXT_TOKEN},
        {"mixed_context_s", f->mixed_context_s, LLMSIM_MAX_S_PER_CONTEXT_TOKEN},
    };
    enum llmsim_status status = LLMSIM_OK;
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds && status == LLMSIM_OK; i++)
        status = llmsim_cost_check(bounds[i].what, bounds[i].seconds, bounds[i].limit, err);
    if (status == LLMSIM_OK && !(f->ridge_tokens >= 1e-3 && f->ridge_tokens <= 1e12 &&
                                 f->spill_tokens >= 1e-3 && f->spill_tokens <= 1e12))
        status = llmsim_fail(err, LLMSIM_CATALOGUE,
                             "ridge_tokens %g, spill_tokens %g: expected 0.001 to 1e12",
                             f->ridge_tokens, f->spill_tokens);
    if (status != LLMSIM_OK)
        return status;
    cost->per_seq = (uint64_t)llmsim_time_from_seconds(f->seq_s);
    cost->per_mixed_seq = (uint64_t)llmsim_time_from_seconds(f->mixed_seq_s);
    cost->per_context_token = (uint64_t)llmsim_time_from_seconds(f->context_s);
    return LLMSIM_OK;
}

enum llmsim_status llmsim_cost_init_fitted(struct llmsim_cost *cost, const struct llmsim_fit *fit,
                                           struct llmsim_error *err)
{
    *cost = (struct llmsim_cost){
        .model = &llmsim_cost_models[LLMSIM_COST_FITTED],
        .fitted = fit->coefficients,
        .range = fit->range,
    };
    memcpy(cost->profile_sha256, fit->profile_sha256, sizeof cost->profile_sha256);
    return set_integers(cost, err);
}

/* A factor on the speed of the arithmetic moves the ridge; constants of a step or a sequence are
 * launches and scheduling, which neither factor touches; rises are those of matrix kernels. */
enum llmsim_status llmsim_cost_fitted_scale(struct llmsim_cost *cost, double prefill_speed,
                                            double bandwidth, struct llmsim_error *err)
{
    struct llmsim_fitted *f = &cost->fitted;
    f->weights_s /= bandwidth;
    f->ridge_tokens *= prefill_speed / bandwidth;
#define X(n) f->rise_##n##_s /= prefill_speed;
    LLMSIM_FITTED_RISE_LIST(X)
#undef X
    f->token_s /= prefill_speed;
    f->spill_s /= prefill_speed;
    f->split_s /= prefill_speed;
    f->attention_s /= prefill_speed;
    f->walk_s /= bandwidth;
    f->context_s /= bandwidth;
    f->mixed_context_s /= bandwidth;
    return set_integers(cost, err);
}

double llmsim_cost_fitted_step_s(const struct llmsim_fitted *f,
                                 const struct llmsim_step_shape *shape)
{
    double n_seqs = (double)shape->prefill_seqs + shape->decode_seqs;
    double t = tokens_s(f, (double)shape->prefill_tokens + shape->decode_seqs) + f->seq_s * n_seqs;
    double reads = f->context_s * (double)shape->context_tokens;
    if (shape->prefill_seqs == 0)
        return t + reads;
    return t + f->split_s * llmsim_split_tokens(shape) + f->mixed_seq_s * shape->decode_seqs +
           fmax(attention_s(f, shape), reads);
}
