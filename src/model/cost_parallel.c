/* cost_parallel.c: what more GPUs make of a cost that was measured on one. */
#include "llmsim/cost.h"

/* Of attention and of the MLP. */
#define ALL_REDUCES_A_LAYER 2
/* Activations are in 16 bits. */
#define BYTES_PER_ELEMENT 2

/* An all-reduce over a ring of n GPUs is 2 (n - 1) messages after one another, each of an n-th of
 * the bytes (formula 10). */
static struct llmsim_cost_change all_reduces(unsigned n_gpus, const struct llmsim_model *model,
                                             const struct llmsim_gpu *gpu)
{
    double n_messages = 2 * ((double)n_gpus - 1);
    double n_all_reduces = ALL_REDUCES_A_LAYER * (double)model->num_hidden_layers;
    double bandwidth = 1e9 * (gpu->link_bw > 0 ? gpu->link_bw : gpu->pcie_bw);
    double message_bytes = BYTES_PER_ELEMENT * (double)model->hidden_size / n_gpus;
    return (struct llmsim_cost_change){
        .prefill_speed = n_gpus,
        .bandwidth = n_gpus,
        .extra_s_per_step = n_all_reduces * n_messages * gpu->link_latency_us * 1e-6,
        .extra_s_per_token = n_all_reduces * n_messages * message_bytes / bandwidth,
    };
}

enum llmsim_status llmsim_cost_extrapolate(struct llmsim_cost *cost, unsigned n_gpus,
                                           const struct llmsim_model *model,
                                           const struct llmsim_gpu *gpu, struct llmsim_error *err)
{
    if (n_gpus <= 1)
        return LLMSIM_OK;
    if (model->hidden_size == 0)
        return llmsim_fail(err, LLMSIM_CATALOGUE,
                           "model.json has no hidden_size for %s, which a replica of %u GPUs needs",
                           model->name, n_gpus);
    if (gpu->link_bw <= 0 && gpu->pcie_bw <= 0)
        return llmsim_fail(
            err, LLMSIM_CATALOGUE,
            "gpu.json has neither link_bw nor pcie_bw for %s, one of which a replica "
            "of %u GPUs needs",
            gpu->name, n_gpus);
    const struct llmsim_cost_change change = all_reduces(n_gpus, model, gpu);
    enum llmsim_status status = llmsim_cost_apply(cost, &change, err);
    if (status == LLMSIM_OK)
        cost->extrapolated_gpus = n_gpus;
    return status;
}
