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
        .rate_scale = options->rate_scale,
        .limit = options->limit,
        .on_reject = options->on_bad_row.row == CLI_BAD_ROW_SKIP ? skip_row : NULL,
        .hash_block_tokens = (uint32_t)options->hash_block_tokens,
    };
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

static enum llmsim_status init_cost(const struct cli_catalogue_options *options,
                                    const struct llmsim_catalogue *catalogue,
                                    const struct llmsim_model *model, const struct llmsim_gpu *gpu,
                                    struct llmsim_cost *cost, struct llmsim_error *err)
{
    const unsigned tensor_parallel_size = 1;
    struct llmsim_fit fit;
    double ptps = options->ptps;
    enum llmsim_status status = LLMSIM_OK;
    if (options->cost.row == COST_FITTED && ptps > 0)
        return llmsim_fail(err, LLMSIM_USAGE, "--ptps does not go with --cost fitted");
    bool wants_fit =
        options->cost.row == COST_FITTED || (options->cost.row == COST_AUTO && ptps <= 0);
    bool has_fit = wants_fit && llmsim_catalogue_fit(catalogue, model->name, gpu->name,
                                                     tensor_parallel_size, &fit, err) == LLMSIM_OK;
    if (has_fit)
        return llmsim_cost_init_fitted(cost, &fit, err);
    if (options->cost.row == COST_FITTED)
        return append_hint(LLMSIM_CATALOGUE, "; llmsim fit makes them from measured steps", err);
    if (!(ptps > 0))
        status = append_hint(llmsim_catalogue_ptps(catalogue, model->name, gpu->name, &ptps, err),
                             "; --ptps TOKENS/S gives one", err);
    if (status == LLMSIM_OK)
        status = llmsim_cost_init_ptps(cost, model, gpu, ptps, err);
    return status;
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
