/* cost_models.h: the functions that the rows of llmsim_cost_models name. */
#ifndef LLMSIM_MODEL_COST_MODELS_H
#define LLMSIM_MODEL_COST_MODELS_H

#include "llmsim/cost.h"

llmsim_time llmsim_cost_ptps_step(const struct llmsim_cost *cost,
                                  const struct llmsim_step_shape *shape);
struct llmsim_decode_cost llmsim_cost_ptps_decode(const struct llmsim_cost *cost, uint32_t n_seqs);

#endif
