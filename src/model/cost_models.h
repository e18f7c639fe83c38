/* cost_models.h: the functions that the rows of llmsim_cost_models name. */
#ifndef LLMSIM_MODEL_COST_MODELS_H
#define LLMSIM_MODEL_COST_MODELS_H

#include "llmsim/cost.h"

llmsim_time llmsim_cost_ptps_step(const struct llmsim_cost *cost,
                                  const struct llmsim_step_shape *shape);
struct llmsim_decode_cost llmsim_cost_ptps_decode(const struct llmsim_cost *cost, uint32_t n_seqs);
enum llmsim_status llmsim_cost_ptps_scale(struct llmsim_cost *cost, double prefill_speed,
                                          double bandwidth, struct llmsim_error *err);

llmsim_time llmsim_cost_fitted_step(const struct llmsim_cost *cost,
                                    const struct llmsim_step_shape *shape);
struct llmsim_decode_cost llmsim_cost_fitted_decode(const struct llmsim_cost *cost,
                                                    uint32_t n_seqs);
enum llmsim_status llmsim_cost_fitted_scale(struct llmsim_cost *cost, double prefill_speed,
                                            double bandwidth, struct llmsim_error *err);
llmsim_time llmsim_cost_composed_step(const struct llmsim_cost *cost,
                                      const struct llmsim_step_shape *shape);
struct llmsim_decode_cost llmsim_cost_composed_decode(const struct llmsim_cost *cost,
                                                      uint32_t n_seqs);
enum llmsim_status llmsim_cost_composed_scale(struct llmsim_cost *cost, double prefill_speed,
                                              double bandwidth, struct llmsim_error *err);
/* From 0 at n / 2 tokens to 1 at n: the share of rise_<n>_s that a step of so many takes. */
double llmsim_rise(double tokens, double n);
/* Prompt tokens beyond those of one prompt, were all as long: N_p (1 - 1/p). */
double llmsim_split_tokens(const struct llmsim_step_shape *shape);
/* The fourth root of a^4 + b^4: the larger of the two, but where they are near each other. */
double llmsim_smooth_max(double a, double b);

/* Bounds of the integer coefficients, in seconds: they keep every sum of a run inside 128 bits
 * (docs/model.md, section "Time") and are far outside what hardware does. */
#define LLMSIM_MAX_S_PER_PROMPT_TOKEN 1.0
#define LLMSIM_MAX_S_PER_CONTEXT_TOKEN 4e-3
#define LLMSIM_MAX_S_PER_STEP 1000.0

/* LLMSIM_CATALOGUE unless `seconds` is from 0 to `limit`. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_cost_check(const char *what, double seconds,
                                                       double limit, struct llmsim_error *err);

#endif
