/* open_cost.c: where the cost of a model on GPUs comes from.
 *
 * What was measured of this very pair goes first: fitted coefficients, then its PTPS. Else the cost
 * is composed: of the kernels that were measured on this GPU, or by the roofline of its peaks with
 * the efficiencies of a GPU that it is like. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "llmsim/compose.h"
#include "llmsim/kernels.h"

enum { COST_AUTO, COST_PTPS, COST_FITTED, COST_COMPOSED, COST_ROOFLINE };

const struct llmsim_choice *cli_cost_choice(size_t i)
{
    static const struct llmsim_choice rows[] = {
        [COST_AUTO] = {"auto", "what was measured of the model on the GPU, else composed, else "
                               "roofline"},
        [COST_PTPS] = {"ptps", "two numbers: prompt tokens per second, effective memory bandwidth"},
        [COST_FITTED] = {"fitted", "the coefficients that llmsim fit found in measured steps"},
        [COST_COMPOSED] = {"composed", "the step's kernels, as measured on this GPU, added up"},
        [COST_ROOFLINE] = {"roofline", "the same by the GPU's peaks: an estimate"},
    };
    return i < sizeof rows / sizeof *rows ? &rows[i] : NULL;
}

/* What the options of the same name take: ours, and vLLM's names for 16 bits. */
static const struct {
    struct llmsim_choice choice;
    enum llmsim_format format;
} dtypes[] = {
    {{"auto", "as the checkpoint has them"}, LLMSIM_FORMAT_BF16},
    {{"bfloat16", "16 bits"}, LLMSIM_FORMAT_BF16},
    {{"float16", "16 bits"}, LLMSIM_FORMAT_BF16},
    {{"bf16", "16 bits"}, LLMSIM_FORMAT_BF16},
    {{"fp8", "8-bit floats, a scale a matrix or channel"}, LLMSIM_FORMAT_FP8},
    {{"fp8_block", "8-bit floats, a scale a block"}, LLMSIM_FORMAT_FP8_BLOCK},
    {{"int8", "8-bit integers, weights and activations"}, LLMSIM_FORMAT_INT8},
    {{"int8_wo", "8-bit integers, weights only"}, LLMSIM_FORMAT_INT8_WO},
    {{"int4_wo", "4-bit integers, weights only (AWQ, GPTQ)"}, LLMSIM_FORMAT_INT4_WO},
    {{"nvfp4", "4-bit floats, a scale 16 numbers"}, LLMSIM_FORMAT_NVFP4},
    {{"mxfp4", "4-bit floats, a scale 32 numbers, activations of 16 bits"}, LLMSIM_FORMAT_MXFP4},
};
#define DTYPE_AUTO 0

const struct llmsim_choice *cli_dtype_choice(size_t i)
{
    return i < sizeof dtypes / sizeof *dtypes ? &dtypes[i].choice : NULL;
}

const struct llmsim_choice *cli_kv_dtype_choice(size_t i)
{
    return i < 5 ? cli_dtype_choice(i) : NULL; /* 16 bits and fp8 */
}

unsigned cli_replica_gpus(const struct cli_catalogue_options *o)
{
    return (unsigned)(o->tensor_parallel_size * o->pipeline_parallel_size * o->data_parallel_size);
}

static struct llmsim_parallelism parallelism_of(const struct cli_catalogue_options *o)
{
    return (struct llmsim_parallelism){
        .tensor = (unsigned)o->tensor_parallel_size,
        .pipeline = (unsigned)o->pipeline_parallel_size,
        .data = (unsigned)o->data_parallel_size,
        .expert = o->enable_expert_parallel,
    };
}

/* The library does not know of options. */
static enum llmsim_status append_hint(enum llmsim_status status, const char *hint,
                                      struct llmsim_error *err)
{
    if (status != LLMSIM_OK) {
        size_t used = strlen(err->message);
        (void)snprintf(err->message + used, sizeof err->message - used, "%s", hint);
    }
    return status;
}

/* ---- what was measured of this very pair ---- */

/* Fitted coefficients for so many GPUs, or, from one, extrapolated to them. */
static enum llmsim_status init_fitted(unsigned n_gpus, const struct llmsim_catalogue *catalogue,
                                      const struct llmsim_model *model,
                                      const struct llmsim_gpu *gpu, struct llmsim_cost *cost,
                                      struct llmsim_error *err)
{
    struct llmsim_fit fit;
    if (llmsim_catalogue_fit(catalogue, model->name, gpu->name, n_gpus, &fit, err) == LLMSIM_OK)
        return llmsim_cost_init_fitted(cost, &fit, err);
    if (n_gpus == 1 ||
        llmsim_catalogue_fit(catalogue, model->name, gpu->name, 1, &fit, NULL) != LLMSIM_OK)
        return append_hint(LLMSIM_CATALOGUE, "; llmsim fit makes them from measured steps", err);
    enum llmsim_status status = llmsim_cost_init_fitted(cost, &fit, err);
    return status == LLMSIM_OK ? llmsim_cost_extrapolate(cost, n_gpus, model, gpu, err) : status;
}

/* Two numbers: the PTPS given, which is that of one GPU; or of so many; or of one. */
static enum llmsim_status init_ptps(double ptps, unsigned n_gpus,
                                    const struct llmsim_catalogue *catalogue,
                                    const struct llmsim_model *model, const struct llmsim_gpu *gpu,
                                    struct llmsim_cost *cost, struct llmsim_error *err)
{
    bool is_measured = !(ptps > 0) && llmsim_catalogue_ptps(catalogue, model->name, gpu->name,
                                                            n_gpus, &ptps, err) == LLMSIM_OK;
    enum llmsim_status status = LLMSIM_OK;
    if (!(ptps > 0) && n_gpus > 1)
        status = llmsim_catalogue_ptps(catalogue, model->name, gpu->name, 1, &ptps, err);
    if (!(ptps > 0))
        return append_hint(LLMSIM_CATALOGUE, "; --ptps TOKENS/S gives one", err);
    if (status == LLMSIM_OK)
        status = llmsim_cost_init_ptps(cost, model, gpu, ptps, err);
    if (status != LLMSIM_OK || n_gpus == 1)
        return status;
    if (!is_measured)
        return llmsim_cost_extrapolate(cost, n_gpus, model, gpu, err);
    const struct llmsim_cost_change all_bandwidth = {.prefill_speed = 1, .bandwidth = n_gpus};
    return llmsim_cost_apply(cost, &all_bandwidth, err);
}

/* ---- composed ---- */

/* The kernels of the server's engine on the system that the GPU is, or is like; where nobody
 * measured that engine there, vLLM's. NULL without an error: there are none. */
static enum llmsim_status open_kernels(const struct cli_catalogue_options *o,
                                       const struct llmsim_gpu *gpu,
                                       struct llmsim_kernels **kernels, struct llmsim_error *err)
{
    const char *const engines[] = {llmsim_server_at(o->server.row)->kernels, "vllm"};
    enum llmsim_status status = LLMSIM_IO;
    *kernels = NULL;
    for (size_t i = 0; i < 2 && gpu->kernels_like[0] != '\0' && status == LLMSIM_IO; i++)
        if (engines[i] != NULL)
            status = llmsim_kernels_open(o->data_dir, gpu->kernels_like, engines[i], kernels, err);
    return status == LLMSIM_IO ? LLMSIM_OK : status;
}

static enum llmsim_status init_composed(const struct cli_catalogue_options *o,
                                        const struct llmsim_model *model,
                                        const struct llmsim_gpu *gpu, struct llmsim_cost *cost,
                                        struct llmsim_error *err)
{
    struct llmsim_composed composed;
    struct llmsim_kernels *kernels;
    const struct llmsim_parallelism parallelism = parallelism_of(o);
    enum llmsim_status status = open_kernels(o, gpu, &kernels, err);
    if (status != LLMSIM_OK)
        return status;
    bool is_measured = kernels != NULL && strcmp(llmsim_kernels_gpu(kernels), gpu->name) == 0;
    if (o->cost.row == COST_COMPOSED && !is_measured)
        status = llmsim_fail(err, LLMSIM_CATALOGUE,
                             "no kernels were measured on %s; --cost roofline estimates them",
                             gpu->name);
    if (status == LLMSIM_OK)
        status = llmsim_compose(model, gpu, llmsim_server_at(o->server.row),
                                !o->no_async_scheduling, &parallelism, kernels, &composed, err);
    if (status == LLMSIM_OK)
        status = llmsim_expected_error(o->data_dir, llmsim_composed_method(&composed),
                                       model->shape.moe.layers > 0 ? "experts" : "dense",
                                       &composed.expected, err);
    if (status == LLMSIM_OK)
        status = llmsim_cost_init_composed(cost, &composed, err);
    llmsim_kernels_close(kernels);
    return status;
}

static bool can_compose(const struct cli_catalogue_options *o, const struct llmsim_model *model,
                        const struct llmsim_gpu *gpu)
{
    return model->shape.is_known && gpu->bf16_tflops > 0 &&
           llmsim_server_at(o->server.row)->kernels != NULL;
}

/* Something that only a composed cost can take into account. */
static bool wants_composed(const struct cli_catalogue_options *o)
{
    return o->dtype.row != DTYPE_AUTO || o->kv_cache_dtype.row != DTYPE_AUTO ||
           o->pipeline_parallel_size > 1 || o->data_parallel_size > 1 ||
           o->enable_expert_parallel || o->no_async_scheduling;
}

/* ---- which ---- */

static int choose(const struct cli_catalogue_options *o, const struct llmsim_catalogue *catalogue,
                  const struct llmsim_model *model, const struct llmsim_gpu *gpu)
{
    unsigned n_gpus = cli_replica_gpus(o);
    struct llmsim_fit fit;
    double ptps;
    if (o->cost.row != COST_AUTO)
        return (int)o->cost.row;
    if (wants_composed(o))
        return COST_ROOFLINE;
    if (o->ptps > 0)
        return COST_PTPS;
    if (llmsim_catalogue_fit(catalogue, model->name, gpu->name, n_gpus, &fit, NULL) == LLMSIM_OK)
        return COST_FITTED;
    if (llmsim_catalogue_ptps(catalogue, model->name, gpu->name, n_gpus, &ptps, NULL) == LLMSIM_OK)
        return COST_PTPS;
    if (can_compose(o, model, gpu))
        return COST_ROOFLINE; /* composed, where the kernels were measured */
    if (llmsim_catalogue_fit(catalogue, model->name, gpu->name, 1, &fit, NULL) == LLMSIM_OK)
        return COST_FITTED;
    return COST_PTPS;
}

static enum llmsim_status check_options(const struct cli_catalogue_options *o, int chosen,
                                        struct llmsim_error *err)
{
    bool composes = chosen == COST_COMPOSED || chosen == COST_ROOFLINE;
    if (o->ptps > 0 && chosen != COST_PTPS)
        return llmsim_fail(err, LLMSIM_USAGE, "--ptps does not go with --cost %s",
                           cli_cost_choice((size_t)chosen)->name);
    if (!composes && wants_composed(o))
        return llmsim_fail(err, LLMSIM_USAGE,
                           "--dtype, --kv-cache-dtype, --pipeline-parallel-size, "
                           "--data-parallel-size, --enable-expert-parallel and "
                           "--no-async-scheduling have no effect with "
                           "--cost %s; expected composed or roofline",
                           cli_cost_choice((size_t)chosen)->name);
    return LLMSIM_OK;
}

static enum llmsim_status init_cost(const struct cli_catalogue_options *o,
                                    const struct llmsim_catalogue *catalogue,
                                    const struct llmsim_model *model, const struct llmsim_gpu *gpu,
                                    struct llmsim_cost *cost, struct llmsim_error *err)
{
    int chosen = choose(o, catalogue, model, gpu);
    enum llmsim_status status = check_options(o, chosen, err);
    if (status != LLMSIM_OK)
        return status;
    if (chosen == COST_FITTED)
        return init_fitted(cli_replica_gpus(o), catalogue, model, gpu, cost, err);
    if (chosen == COST_PTPS)
        return init_ptps(o->ptps, cli_replica_gpus(o), catalogue, model, gpu, cost, err);
    return init_composed(o, model, gpu, cost, err);
}

/* The formats that the options ask for, in the place of the checkpoint's, and what is then in
 * memory: all linear layers in one format; the embedding, the norms and the head stay. */
static enum llmsim_status set_formats(const struct cli_catalogue_options *o,
                                      struct llmsim_model *model, struct llmsim_error *err)
{
    struct llmsim_shape *shape = &model->shape;
    const struct llmsim_parallelism parallelism = parallelism_of(o);
    if (!wants_composed(o))
        return LLMSIM_OK;
    if (!shape->is_known)
        return llmsim_fail(err, LLMSIM_CATALOGUE,
                           "model.json has no shape for %s, which --dtype and its like need; "
                           "llmsim profile model --config writes it",
                           model->name);
    for (size_t w = 0; w < LLMSIM_N_WEIGHTS && o->dtype.row != DTYPE_AUTO; w++)
        if (w != LLMSIM_WEIGHTS_OTHER && w != LLMSIM_WEIGHTS_LM_HEAD)
            shape->formats[w] = dtypes[o->dtype.row].format;
    if (o->kv_cache_dtype.row != DTYPE_AUTO)
        shape->kv_cache_format = dtypes[o->kv_cache_dtype.row].format;
    model->model_size_GB = llmsim_replica_weight_bytes(shape, &parallelism) / 1e9;
    model->kvc_size_KB = llmsim_shape_kv_bytes_per_token(shape) / 1024;
    return LLMSIM_OK;
}

bool cli_describe_cost(const struct llmsim_cost *cost, char *text, size_t capacity)
{
    const struct llmsim_composed *c = &cost->composed;
    if (cost->model != &llmsim_cost_models[LLMSIM_COST_COMPOSED])
        return false;
    size_t used = (size_t)snprintf(text, capacity, "%s",
                                   c->is_estimate ? "estimate by the roofline" : "composed");
    if (c->system[0] != '\0')
        used += (size_t)snprintf(text + used, capacity - used, "%s kernels of %s (%s %s)",
                                 c->is_estimate ? ", with the efficiency of the" : " of the",
                                 c->system, c->engine, c->version);
    if (used < capacity && c->expected.tpot_median_percent > 0)
        (void)snprintf(
            text + used, capacity - used,
            "; expect TPOT within %.0f %% (half of the servers measured), %.0f %% (9 of 10)",
            c->expected.tpot_median_percent, c->expected.tpot_p90_percent);
    return true;
}

bool cli_extrapolation_warning(const struct llmsim_cost *cost, const struct llmsim_model *model,
                               const struct llmsim_gpu *gpu, char *text, size_t capacity)
{
    if (cost->extrapolated_gpus == 0)
        return false;
    (void)snprintf(text, capacity,
                   "nothing was measured of %s on %u x %s: costs are extrapolated from one GPU",
                   model->name, cost->extrapolated_gpus, gpu->name);
    return true;
}

/* What was measured of a mixture of experts has it right; two numbers, made of the bytes of all
 * weights, have not. */
bool cli_experts_warning(const struct llmsim_cost *cost, const struct llmsim_model *model,
                         char *text, size_t capacity)
{
    if (model->num_experts == 0 || cost->model != &llmsim_cost_models[LLMSIM_COST_PTPS])
        return false;
    (void)snprintf(text, capacity,
                   "every decode step reads all %u experts of each layer of %s: those of small "
                   "batches come out too slow",
                   model->num_experts, model->name);
    return true;
}

bool cli_positions_warning(const struct llmsim_model *model, uint64_t n_over, uint64_t n,
                           char *text, size_t capacity)
{
    if (n_over == 0)
        return false;
    (void)snprintf(text, capacity,
                   "%llu of %llu requests have more prompt and output tokens than the %u positions "
                   "of %s: a server would refuse them",
                   (unsigned long long)n_over, (unsigned long long)n, model->max_positions,
                   model->name);
    return true;
}

void cli_warn_cost(const struct llmsim_cost *cost, const struct llmsim_model *model,
                   const struct llmsim_gpu *gpu)
{
    char text[CLI_MAX_WARNING];
    if (cli_extrapolation_warning(cost, model, gpu, text, sizeof text))
        (void)fprintf(stderr, "llmsim: warning: %s\n", text);
    if (cli_experts_warning(cost, model, text, sizeof text))
        (void)fprintf(stderr, "llmsim: warning: %s\n", text);
}

void cli_warn_positions(const struct llmsim_model *model, uint64_t n_over, uint64_t n)
{
    char text[CLI_MAX_WARNING];
    if (cli_positions_warning(model, n_over, n, text, sizeof text))
        (void)fprintf(stderr, "llmsim: warning: %s\n", text);
}

enum llmsim_status cli_open_cost(const struct cli_catalogue_options *options,
                                 const struct llmsim_catalogue *catalogue,
                                 struct llmsim_model *model, struct llmsim_gpu *gpu,
                                 struct llmsim_cost *cost, struct llmsim_error *err)
{
    struct llmsim_catalogue *own = NULL;
    enum llmsim_status status = LLMSIM_OK;
    if (catalogue == NULL) {
        status = llmsim_catalogue_open(options->data_dir, &own, err);
        catalogue = own;
    }
    if (status != LLMSIM_OK)
        return status;
    status = llmsim_catalogue_model(catalogue, options->model, model, err);
    if (status == LLMSIM_OK)
        status = llmsim_catalogue_gpu(catalogue, options->gpu, gpu, err);
    if (status == LLMSIM_OK)
        status = set_formats(options, model, err);
    if (status == LLMSIM_OK)
        status = init_cost(options, catalogue, model, gpu, cost, err);
    llmsim_catalogue_close(own);
    return status;
}
