/* shared_options.c: what the options that several commands share stand for. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

const struct llmsim_choice *cli_on_bad_row(size_t i)
{
    static const struct llmsim_choice rows[] = {
        [CLI_BAD_ROW_STOP] = {"stop", "end with an error that says where"},
        [CLI_BAD_ROW_SKIP] = {"skip",
                              "go on without it and count it (replay keeps it in rejects.csv)"},
    };
    return i < sizeof rows / sizeof *rows ? &rows[i] : NULL;
}

const struct llmsim_choice *cli_compress_choice(size_t i)
{
    static const struct llmsim_choice rows[] = {
        [CLI_COMPRESS_NONE] = {"none", "plain CSV"},
        [CLI_COMPRESS_ZST] = {"zst", "zstd, in a thread of its own"},
    };
    return i < sizeof rows / sizeof *rows ? &rows[i] : NULL;
}

static enum llmsim_status skip_row(void *ctx, const struct llmsim_trace_reject *reject,
                                   struct llmsim_error *err)
{
    (void)ctx;
    (void)reject;
    (void)err;
    return LLMSIM_OK; /* the trace counts it */
}

struct llmsim_trace_options cli_reader_options(const struct cli_trace_options *options)
{
    return (struct llmsim_trace_options){
        .format = options->format.name,
        .time_unit = options->time_unit.name,
        .rate_scale = options->rate_scale,
        .limit = options->limit,
        .on_reject = options->on_bad_row.row == CLI_BAD_ROW_SKIP ? skip_row : NULL,
        .hash_block_tokens = (uint32_t)options->hash_block_tokens,
    };
}

void cli_note_origin(const struct llmsim_trace_status *trace)
{
    if (trace->origin_ns != 0 && !trace->has_dates)
        (void)fprintf(
            stderr,
            "llmsim: times count from the first arrival, which is at %lld.%09lld s in the "
            "trace\n",
            (long long)(trace->origin_ns / LLMSIM_NS_PER_S),
            (long long)(trace->origin_ns % LLMSIM_NS_PER_S));
}

enum llmsim_status cli_check_hash_ids(const struct cli_trace_options *options,
                                      const struct llmsim_trace *trace, struct llmsim_error *err)
{
    struct llmsim_trace_status status;
    llmsim_trace_get_status(trace, &status);
    if (status.has_prefixes || options->hash_block_tokens == LLMSIM_HASH_BLOCK_TOKENS)
        return LLMSIM_OK;
    return llmsim_fail(err, LLMSIM_USAGE, "--hash-block-tokens: the trace has no hash_ids");
}

enum { COST_AUTO, COST_PTPS, COST_FITTED };

const struct llmsim_choice *cli_cost_choice(size_t i)
{
    static const struct llmsim_choice rows[] = {
        [COST_AUTO] = {"auto", "fitted where ptps.json has coefficients for the model and the GPU, "
                               "else ptps"},
        [COST_PTPS] = {"ptps", "two numbers: prompt tokens per second, effective memory bandwidth"},
        [COST_FITTED] = {"fitted", "the coefficients that llmsim fit found in measured steps"},
    };
    return i < sizeof rows / sizeof *rows ? &rows[i] : NULL;
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
        return LLMSIM_CATALOGUE;
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

static enum llmsim_status init_cost(const struct cli_catalogue_options *options,
                                    const struct llmsim_catalogue *catalogue,
                                    const struct llmsim_model *model, const struct llmsim_gpu *gpu,
                                    struct llmsim_cost *cost, struct llmsim_error *err)
{
    unsigned n_gpus = (unsigned)options->tensor_parallel_size;
    struct llmsim_fit fit;
    if (options->cost.row == COST_FITTED && options->ptps > 0)
        return llmsim_fail(err, LLMSIM_USAGE, "--ptps does not go with --cost fitted");
    bool has_fit =
        llmsim_catalogue_fit(catalogue, model->name, gpu->name, n_gpus, &fit, err) == LLMSIM_OK ||
        llmsim_catalogue_fit(catalogue, model->name, gpu->name, 1, &fit, NULL) == LLMSIM_OK;
    if (options->cost.row == COST_FITTED && !has_fit)
        return append_hint(LLMSIM_CATALOGUE, "; llmsim fit makes them from measured steps", err);
    if (options->cost.row == COST_FITTED ||
        (options->cost.row == COST_AUTO && has_fit && !(options->ptps > 0)))
        return init_fitted(n_gpus, catalogue, model, gpu, cost, err);
    return init_ptps(options->ptps, n_gpus, catalogue, model, gpu, cost, err);
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
        status = init_cost(options, catalogue, model, gpu, cost, err);
    llmsim_catalogue_close(own);
    return status;
}

void cli_default_output(const char *path, const char *suffix, char *dir, size_t capacity)
{
    static const char *const packed[] = {".zst", ".gz"};
    char stem[256];
    const char *slash = strrchr(path, '/');
    (void)snprintf(stem, sizeof stem, "%s",
                   strcmp(path, "-") == 0 ? "stdin" : (slash != NULL ? slash + 1 : path));
    for (size_t i = 0; i < sizeof packed / sizeof *packed; i++) {
        char *end = stem + strlen(stem) - strlen(packed[i]);
        if (end > stem && strcmp(end, packed[i]) == 0)
            *end = '\0';
    }
    char *dot = strrchr(stem, '.');
    if (dot != NULL && dot != stem)
        *dot = '\0';
    bool is_name = strspn(stem, ".") < strlen(stem); /* "..csv" and "...csv" leave "." and ".." */
    (void)snprintf(dir, capacity, "results/%s%s", is_name ? stem : "trace", suffix);
}
