#include <math.h>

#include "llmsim/replay.h"

enum llmsim_status llmsim_kv_capacity(const struct llmsim_kv_memory *memory,
                                      const struct llmsim_model *model,
                                      const struct llmsim_gpu *gpu, uint64_t *num_blocks,
                                      struct llmsim_error *err)
{
    uint32_t n_gpus = memory->n_gpus > 0 ? memory->n_gpus : 1;
    double free_GB = n_gpus * (gpu->memory_cap_GB * memory->utilization - memory->activation_GB) -
                     model->model_size_GB;
    double block_bytes = memory->block_size * model->kvc_size_KB * 1024;
    double blocks = floor(free_GB * 1e9 / block_bytes);
    if (!(blocks >= 1))
        return llmsim_fail(err, LLMSIM_CATALOGUE,
                           "no room for a KV block: %u x %s with %g GB, of which %g, less the "
                           "weights of %s (%g GB) and %g GB of each for activations, leaves %.3g "
                           "GB",
                           n_gpus, gpu->name, gpu->memory_cap_GB, memory->utilization, model->name,
                           model->model_size_GB, memory->activation_GB, free_GB);
    *num_blocks = (uint64_t)blocks;
    return LLMSIM_OK;
}
