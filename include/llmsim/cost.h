/* cost.h: what a step costs.
 *
 * A cost model is a row of llmsim_cost_models. Whatever a model does with prefill and mixed steps,
 * a step that only decodes is affine in the context tokens for a fixed batch size, so that a run of
 * decode steps has a closed form; docs/model.md has the formulas, which comments cite by number. */
#ifndef LLMSIM_COST_H
#define LLMSIM_COST_H

#include <stdint.h>

#include "llmsim/catalogue.h"
#include "llmsim/composed.h"
#include "llmsim/fitted.h"
#include "llmsim/status.h"
#include "llmsim/time.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What one step does. */
struct llmsim_step_shape {
    uint64_t prefill_tokens; /* new prompt tokens, all requests together */
    uint32_t prefill_seqs;   /* requests they belong to */
    uint32_t decode_seqs;    /* requests that decode one token each */
    uint64_t context_tokens; /* KV tokens that the decodes read: the sum of n_p + i */
    /* Attention of the prompts: the sum of (c + n)^2 - c^2 over chunks of n tokens that c tokens of
     * the same prompt are ahead of; n^2 for a prompt in one piece. */
    uint64_t prefill_sum_sq;
    /* KV tokens of the sequence that has most: the largest of those c, and of the n_p + i of the
     * decodes. Only of steps with prompts, and for a model that says so. */
    uint64_t longest_context;
};

/* The duration of a decode step: base + context_tokens × per_context_token. */
struct llmsim_decode_cost {
    llmsim_time base;
    uint64_t per_context_token; /* units of llmsim_time */
};

struct llmsim_cost;

struct llmsim_cost_model {
    const char *name;
    const char *help;
    bool uses_longest_context;
    llmsim_time (*step)(const struct llmsim_cost *cost, const struct llmsim_step_shape *shape);
    struct llmsim_decode_cost (*decode)(const struct llmsim_cost *cost, uint32_t n_seqs);
    /* Make prefill so many times as fast, and the bandwidth so many times as large. */
    enum llmsim_status (*scale)(struct llmsim_cost *cost, double prefill_speed, double bandwidth,
                                struct llmsim_error *err);
};

enum { LLMSIM_COST_PTPS, LLMSIM_COST_FITTED, LLMSIM_COST_COMPOSED }; /* rows of the table */

/* Terminated by a row whose name is NULL. */
LLMSIM_API extern const struct llmsim_cost_model llmsim_cost_models[];

/* A cost model with its coefficients. A value type: copy it freely. */
struct llmsim_cost {
    const struct llmsim_cost_model *model;
    /* Physical coefficients of "ptps", as given. */
    double ptps_tokens_per_s;
    double bandwidth_bytes_per_s; /* effective */
    double weight_bytes;          /* S_MW */
    double kv_bytes_per_token;    /* s_KVC */
    /* The same as integers: all that the engine uses. */
    uint64_t prefill_per_token; /* units of llmsim_time */
    struct llmsim_decode_cost decode_any_batch;
    /* The coefficients of "fitted", those that are linear as integers, and where they come from. */
    struct llmsim_fitted fitted;
    uint64_t per_seq, per_mixed_seq, per_context_token; /* units of time */
    struct llmsim_profile_range range;
    char profile_sha256[LLMSIM_SHA256_HEX + 1];
    struct llmsim_composed composed; /* the tables of "composed" */
    /* On top of any model: of every step, and of every new token in it (of a prompt, or decoded).
     */
    llmsim_time extra_per_step;
    uint64_t extra_per_token;   /* units of llmsim_time */
    unsigned extrapolated_gpus; /* this many GPUs, from what one was measured at; 0: not so */
};

/* The two-number model of a model on a GPU (name "ptps"), from its catalogue entries.
 * LLMSIM_CATALOGUE if a coefficient is outside what the integers can hold (docs/model.md). */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_cost_init_ptps(struct llmsim_cost *cost, const struct llmsim_model *model,
                      const struct llmsim_gpu *gpu, double ptps_tokens_per_s,
                      struct llmsim_error *err);

/* The model with fitted coefficients (name "fitted"). LLMSIM_CATALOGUE as above. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_cost_init_fitted(struct llmsim_cost *cost, const struct llmsim_fit *fit,
                        struct llmsim_error *err);
/* Its formula in floating point: seconds of a step. What the engines use is rounded to their time
 * term by term. */
LLMSIM_API double llmsim_cost_fitted_step_s(const struct llmsim_fitted *fitted,
                                            const struct llmsim_step_shape *shape);

/* The model composed of kernels (name "composed"), from tables that llmsim_compose made.
 * LLMSIM_CATALOGUE as above. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_cost_init_composed(struct llmsim_cost *cost, const struct llmsim_composed *composed,
                          struct llmsim_error *err);

/* How to change a cost model: to tune it, or to put more GPUs to the work. */
struct llmsim_cost_change {
    double prefill_speed; /* factors */
    double bandwidth;
    double extra_s_per_step; /* 0 or more, added to what there is */
    double extra_s_per_token;
};

/* LLMSIM_CATALOGUE if a coefficient is then outside what the integers can hold; *cost is then as it
 * was. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_cost_apply(struct llmsim_cost *cost, const struct llmsim_cost_change *change,
                  struct llmsim_error *err);

/* Put n_gpus to the work of one, by tensor parallelism: each does its share of the arithmetic and
 * reads its share of the bytes, and after attention and MLP of every layer they add up their
 * results (formulas 10 and 11). An extrapolation, where nobody has measured so many.
 * LLMSIM_CATALOGUE if the model's width or the bandwidth between the GPUs is not known. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_cost_extrapolate(struct llmsim_cost *cost, unsigned n_gpus, const struct llmsim_model *model,
                        const struct llmsim_gpu *gpu, struct llmsim_error *err);

/* Duration of one step. */
static inline llmsim_time llmsim_cost_step(const struct llmsim_cost *cost,
                                           const struct llmsim_step_shape *shape)
{
    return cost->model->step(cost, shape) + cost->extra_per_step +
           (llmsim_time)cost->extra_per_token *
               (llmsim_time)(shape->prefill_tokens + shape->decode_seqs);
}

/* Duration of a decode step of n_seqs requests, as a function of its context tokens. */
static inline struct llmsim_decode_cost llmsim_cost_decode(const struct llmsim_cost *cost,
                                                           uint32_t n_seqs)
{
    struct llmsim_decode_cost d = cost->model->decode(cost, n_seqs);
    d.base += cost->extra_per_step + (llmsim_time)cost->extra_per_token * (llmsim_time)n_seqs;
    return d;
}

/* A run of decode steps of a fixed batch: step j (from 0) takes first + j × increment. */
struct llmsim_decode_run {
    llmsim_time first;
    uint64_t increment; /* units of llmsim_time */
};

/* Of n_seqs requests whose decode cost is d; `context_tokens` is what the first of the steps reads,
 * each reads n_seqs more (formula 5). */
static inline struct llmsim_decode_run
llmsim_decode_cost_run(struct llmsim_decode_cost d, uint32_t n_seqs, uint64_t context_tokens)
{
    struct llmsim_decode_run run;
    run.first = d.base + (llmsim_time)d.per_context_token * (llmsim_time)context_tokens;
    run.increment = d.per_context_token * n_seqs;
    return run;
}

static inline struct llmsim_decode_run
llmsim_cost_decode_run(const struct llmsim_cost *cost, uint32_t n_seqs, uint64_t context_tokens)
{
    return llmsim_decode_cost_run(llmsim_cost_decode(cost, n_seqs), n_seqs, context_tokens);
}

/* Time of the first n steps of the run, exactly the sum of their durations (formula 6). n_steps is
 * at most LLMSIM_MAX_TOKENS, so the count of increments fits 64 bits. */
static inline llmsim_time llmsim_decode_run_time(struct llmsim_decode_run run, uint64_t n_steps)
{
    uint64_t n_increments = (n_steps * n_steps - n_steps) / 2;
    return (llmsim_time)n_steps * run.first +
           (llmsim_time)run.increment * (llmsim_time)n_increments;
}

/* E2E of a request alone on an idle replica: the denominator of the slowdown. 0 output tokens:
 * prefill only. */
LLMSIM_API llmsim_time llmsim_cost_unloaded(const struct llmsim_cost *cost, uint32_t prompt_tokens,
                                            uint32_t output_tokens);
/* The same for who asks often and keeps llmsim_cost_decode(cost, 1). */
LLMSIM_API llmsim_time llmsim_cost_unloaded_by(const struct llmsim_cost *cost,
                                               struct llmsim_decode_cost alone,
                                               uint32_t prompt_tokens, uint32_t output_tokens);

/* The published closed form L_t = bsz·α·n_t² + (bsz·β + C)·n_t in floating point (formula 4), to
 * set beside the integer sum. Seconds. With fitted coefficients, C is that of the batch size. */
struct llmsim_closed_form {
    double alpha; /* s/token² */
    double beta;  /* s/token */
    double c;     /* s */
};
LLMSIM_API struct llmsim_closed_form llmsim_cost_closed_form(const struct llmsim_cost *cost,
                                                             uint32_t batch_size,
                                                             uint32_t prompt_tokens);
LLMSIM_API double llmsim_closed_form_decode_s(struct llmsim_closed_form form, uint32_t batch_size,
                                              uint32_t n_steps);

#ifdef __cplusplus
}
#endif
#endif
