/* compose.h: from a model's shape, a GPU and the way in which it is served, what its steps cost.
 *
 * llmsim_compose adds up the kernels of a step (docs/model.md, "The composed model") and leaves the
 * tables that the cost model "composed" looks up. */
#ifndef LLMSIM_COMPOSE_H
#define LLMSIM_COMPOSE_H

#include <stdbool.h>
#include <stddef.h>

#include "llmsim/catalogue.h"
#include "llmsim/choice.h"
#include "llmsim/composed.h"
#include "llmsim/kernels.h"
#include "llmsim/shape.h"
#include "llmsim/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What an inference server is to the composed cost. */
struct llmsim_server {
    struct llmsim_choice choice; /* name and help */
    const char *kernels;         /* whose kernels of data/kernels; NULL: none, only formulas */
    /* CPU time that the GPU waits for: of a step, and of a sequence in it, where the next step is
     * prepared while the GPU still works on this one (asynchronous scheduling); and where it is
     * not. The only numbers of this model that were set by servers; docs/accuracy.md says by which.
     */
    double step_s, seq_s;
    double waiting_step_s, waiting_seq_s;
    double small_kernel_s;     /* of a norm and its like in a CUDA graph, beside its bytes */
    uint32_t max_graph_tokens; /* steps up to here run as a captured CUDA graph, padded */
};

/* The i-th server; NULL behind the last. */
LLMSIM_API const struct llmsim_server *llmsim_server_at(size_t i);
LLMSIM_API const struct llmsim_choice *llmsim_server_choice(size_t i);

/* How a replica is spread over GPUs. All of them 1 or more. */
struct llmsim_parallelism {
    unsigned tensor;   /* GPUs that share every layer */
    unsigned pipeline; /* stages, each with its share of the layers */
    unsigned data; /* groups of `tensor` GPUs, each with its share of the requests, that share the
                    * experts */
    bool expert;   /* experts are spread over the GPUs whole, not in slices */
};

static inline unsigned llmsim_parallelism_gpus(const struct llmsim_parallelism *p)
{
    return p->tensor * p->pipeline * p->data;
}

/* Does the shape fit the parallelism? LLMSIM_USAGE with what does not. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_parallelism_check(const struct llmsim_parallelism *p, const struct llmsim_shape *shape,
                         struct llmsim_error *err);

/* Weights of a replica in bytes: what every data-parallel group keeps a copy of counts as often. */
LLMSIM_API double llmsim_replica_weight_bytes(const struct llmsim_shape *shape,
                                              const struct llmsim_parallelism *p);

/* The tables. `kernels` are those of the GPU, or of one that it is like, whose efficiencies are
 * then taken to be those of the GPU, too, under its own peaks; NULL: none, and every kernel is a
 * share of the peaks. LLMSIM_CATALOGUE where the model has no shape or the GPU no peaks. Takes
 * about a millisecond. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_compose(const struct llmsim_model *model, const struct llmsim_gpu *gpu,
               const struct llmsim_server *server, bool is_asynchronous,
               const struct llmsim_parallelism *parallelism, const struct llmsim_kernels *kernels,
               struct llmsim_composed *composed, struct llmsim_error *err);

/* What a method ("kernels", "roofline") was off for models of a kind ("dense", "experts") on
 * measured servers, from DIR/errors.json, which scripts/accuracy_silicon.sh makes; zeros where it
 * does not say, or is not there. LLMSIM_CATALOGUE, LLMSIM_IO. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_expected_error(const char *data_dir, const char *method, const char *kind,
                      struct llmsim_expected_error *expected, struct llmsim_error *err);

#ifdef __cplusplus
}
#endif
#endif
