/* cmd_costs.c: what models on GPUs cost, where that comes from, and what fits the memory. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "llmsim/replay.h"

#define PROMPT_TOKENS 2048
#define UTILIZATION 0.9
#define ACTIVATION_GB 1.0
#define BLOCK_SIZE 16

struct values {
    struct cli_catalogue_options catalogue;
    struct cli_choice format;
};

enum { FORMAT_TEXT, FORMAT_CSV };

static const struct llmsim_choice *format_choice(size_t i)
{
    static const struct llmsim_choice rows[] = {
        [FORMAT_TEXT] = {"text", "a table"},
        [FORMAT_CSV] = {"csv", "a row a pair, units in the columns' names"},
    };
    return i < sizeof rows / sizeof *rows ? &rows[i] : NULL;
}

/* A pair of a model and a GPU. */
struct pair {
    struct llmsim_model model;
    struct llmsim_gpu gpu;
    struct llmsim_cost cost;
    const char *method; /* "none": `error` says why */
    double prefill_tokens_per_s, decode_ms[3], error_percent;
    uint64_t kv_tokens; /* 0: the weights do not leave room for any */
    struct llmsim_error error;
};
static const uint32_t batches[] = {1, 32, 128};

static double prefill_s(const struct llmsim_cost *cost)
{
    const struct llmsim_step_shape step = {.prefill_tokens = PROMPT_TOKENS,
                                           .prefill_seqs = 1,
                                           .prefill_sum_sq =
                                               (uint64_t)PROMPT_TOKENS * PROMPT_TOKENS};
    return llmsim_time_to_seconds(llmsim_cost_step(cost, &step));
}

static double decode_s(const struct llmsim_cost *cost, uint32_t batch)
{
    const struct llmsim_step_shape step = {.decode_seqs = batch,
                                           .context_tokens = (uint64_t)batch * PROMPT_TOKENS};
    return llmsim_time_to_seconds(llmsim_cost_step(cost, &step));
}

static void compute(const struct cli_catalogue_options *options,
                    const struct llmsim_catalogue *catalogue, struct pair *p)
{
    memset(p, 0, sizeof *p);
    p->method = "none";
    if (cli_open_cost(options, catalogue, &p->model, &p->gpu, &p->cost, &p->error) != LLMSIM_OK)
        return;
    bool is_composed = p->cost.model == &llmsim_cost_models[LLMSIM_COST_COMPOSED];
    p->method = is_composed ? llmsim_composed_method(&p->cost.composed) : p->cost.model->name;
    p->error_percent = is_composed ? p->cost.composed.expected.tpot_median_percent : 0;
    p->prefill_tokens_per_s = PROMPT_TOKENS / prefill_s(&p->cost);
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++)
        p->decode_ms[i] = 1000 * decode_s(&p->cost, batches[i]);
    const struct llmsim_kv_memory memory = {UTILIZATION, ACTIVATION_GB, BLOCK_SIZE,
                                            cli_replica_gpus(options)};
    uint64_t blocks = 0;
    if (llmsim_kv_capacity(&memory, &p->model, &p->gpu, &blocks, NULL) == LLMSIM_OK)
        p->kv_tokens = blocks * BLOCK_SIZE;
}

static void print_header(bool is_csv)
{
    if (is_csv)
        (void)printf("model,gpu,gpus,weights_GB,kv_KB_per_token,method,prefill_tokens_per_s,"
                     "decode_1_ms,decode_32_ms,decode_128_ms,kv_tokens,tpot_error_percent,error\n");
    else
        (void)printf("%-44s %-30s %10s %9s %-9s %10s %9s %9s %9s %10s %6s\n", "model", "gpu",
                     "weights GB", "KV KB", "method", "prefill/s", "1: ms", "32: ms", "128: ms",
                     "KV tokens", "off %");
}

static void print_csv(const struct pair *p, unsigned n_gpus)
{
    struct llmsim_csv_row row = {0};
    llmsim_csv_row_text(&row, p->model.name);
    llmsim_csv_row_text(&row, p->gpu.name);
    llmsim_csv_row_u64(&row, n_gpus);
    llmsim_csv_row_decimal(&row, p->model.model_size_GB);
    llmsim_csv_row_decimal(&row, p->model.kvc_size_KB);
    llmsim_csv_row_text(&row, p->method);
    if (strcmp(p->method, "none") == 0) {
        llmsim_csv_row_empty(&row, 6);
        llmsim_csv_row_text(&row, p->error.message);
    } else {
        llmsim_csv_row_decimal(&row, p->prefill_tokens_per_s);
        for (size_t i = 0; i < sizeof batches / sizeof *batches; i++)
            llmsim_csv_row_decimal(&row, p->decode_ms[i]);
        llmsim_csv_row_u64(&row, p->kv_tokens);
        if (p->error_percent > 0)
            llmsim_csv_row_decimal(&row, p->error_percent);
        else
            llmsim_csv_row_empty(&row, 1);
        llmsim_csv_row_empty(&row, 1);
    }
    (void)printf("%s\n", row.text != NULL ? row.text : "");
    llmsim_csv_row_fini(&row);
}

static void print_text(const struct pair *p)
{
    (void)printf("%-44s %-30s %10.2f %9.1f %-9s", p->model.name, p->gpu.name,
                 p->model.model_size_GB, p->model.kvc_size_KB, p->method);
    if (strcmp(p->method, "none") == 0) {
        (void)printf(" %s\n", p->error.message);
        return;
    }
    (void)printf(" %10.0f %9.2f %9.2f %9.2f", p->prefill_tokens_per_s, p->decode_ms[0],
                 p->decode_ms[1], p->decode_ms[2]);
    if (p->kv_tokens > 0)
        (void)printf(" %10llu", (unsigned long long)p->kv_tokens);
    else
        (void)printf(" %10s", "no room");
    if (p->error_percent > 0)
        (void)printf(" %6.0f", p->error_percent);
    (void)printf("\n");
}

static void print_pair(const struct values *v, const struct llmsim_catalogue *catalogue,
                       const char *model, const char *gpu)
{
    struct cli_catalogue_options options = v->catalogue;
    struct pair p;
    options.model = model;
    options.gpu = gpu;
    compute(&options, catalogue, &p);
    if (v->format.row == FORMAT_CSV)
        print_csv(&p, cli_replica_gpus(&options));
    else
        print_text(&p);
}

static enum llmsim_status run(const void *values, const char *const *operands, size_t n_operands,
                              struct llmsim_error *err)
{
    const struct values *v = values;
    const struct cli_catalogue_options *o = &v->catalogue;
    struct llmsim_catalogue *catalogue;
    struct llmsim_model model;
    struct llmsim_gpu gpu;
    (void)operands;
    (void)n_operands;
    if (o->model == NULL && o->gpu == NULL)
        return llmsim_fail(err, LLMSIM_USAGE, "expected --model, --gpu, or both");
    enum llmsim_status status = llmsim_catalogue_open(o->data_dir, &catalogue, err);
    if (status == LLMSIM_OK && o->model != NULL)
        status = llmsim_catalogue_model(catalogue, o->model, &model, err);
    if (status == LLMSIM_OK && o->gpu != NULL)
        status = llmsim_catalogue_gpu(catalogue, o->gpu, &gpu, err);
    if (status == LLMSIM_OK)
        print_header(v->format.row == FORMAT_CSV);
    if (status == LLMSIM_OK && o->model != NULL && o->gpu != NULL)
        print_pair(v, catalogue, model.name, gpu.name);
    const char *name;
    for (size_t i = 0; status == LLMSIM_OK && o->model == NULL &&
                       (name = llmsim_catalogue_model_name(catalogue, i)) != NULL;
         i++)
        print_pair(v, catalogue, name, gpu.name);
    for (size_t i = 0; status == LLMSIM_OK && o->gpu == NULL &&
                       (name = llmsim_catalogue_gpu_name(catalogue, i)) != NULL;
         i++)
        print_pair(v, catalogue, model.name, name);
    llmsim_catalogue_close(catalogue);
    return status;
}

static const struct cli_option options[] = {
    CLI_CATALOGUE_CHOICE_OPTIONS(struct values, catalogue),
    {.name = "format",
     .argument = "NAME",
     .help = "how to print",
     .kind = CLI_CHOICE,
     .choice = format_choice,
     .initial = "text",
     .offset = offsetof(struct values, format)},
    CLI_OPTION_END,
};

const struct cli_command cli_costs = {
    .name = "costs",
    .help = "what a model on a GPU costs, or all models on it, or a model on all GPUs",
    .operands = "",
    .example = "llmsim costs --model meta-llama/Llama-3.1-8B --dtype fp8",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
