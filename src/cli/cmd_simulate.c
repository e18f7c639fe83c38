/* cmd_simulate.c: the latencies of one batch alone. */
#include <stdio.h>

#include "cli.h"

struct values {
    struct cli_catalogue_options catalogue;
    uint64_t prompt_length, response_length, batch_size;
    struct cli_choice format;
};

/* One batch of equal prompts: latencies[0] is the prompt phase, then one a decode step. */
struct simulation {
    const struct values *v;
    struct llmsim_model model;
    struct llmsim_gpu gpu;
    struct llmsim_cost cost;
    llmsim_time prefill;
    struct llmsim_decode_run decode;
    struct llmsim_closed_form form;
};

static double latency_s(const struct simulation *s, uint64_t step)
{
    llmsim_time t =
        step == 0 ? s->prefill
                  : s->decode.first + (llmsim_time)s->decode.increment * (llmsim_time)(step - 1);
    return llmsim_time_to_seconds(t);
}

static llmsim_time time_after(const struct simulation *s, uint64_t step)
{
    return s->prefill + llmsim_decode_run_time(s->decode, step);
}

static double closed_form_s(const struct simulation *s)
{
    return llmsim_closed_form_decode_s(s->form, (uint32_t)s->v->batch_size,
                                       (uint32_t)s->v->response_length);
}

static enum llmsim_status print_text(const struct simulation *s, struct llmsim_error *err)
{
    uint64_t r = s->v->response_length;
    double decode_s = llmsim_time_to_seconds(llmsim_decode_run_time(s->decode, r));
    (void)err;
    (void)printf("model           %s\n", s->model.name);
    (void)printf("gpu             %s\n", s->gpu.name);
    char cost[256];
    unsigned n_gpus = cli_replica_gpus(&s->v->catalogue);
    bool is_composed = cli_describe_cost(&s->cost, cost, sizeof cost);
    if (n_gpus > 1 && is_composed)
        (void)printf("gpus            %u\n", n_gpus);
    else if (n_gpus > 1)
        (void)printf("gpus            %u, %s\n", n_gpus,
                     s->cost.extrapolated_gpus > 0 ? "extrapolated from one" : "measured");
    (void)printf("batch           %llu requests, %llu prompt tokens each, %llu decode steps\n",
                 (unsigned long long)s->v->batch_size, (unsigned long long)s->v->prompt_length,
                 (unsigned long long)r);
    if (s->cost.model == &llmsim_cost_models[LLMSIM_COST_FITTED])
        (void)printf("cost            fitted\n");
    if (is_composed)
        (void)printf("cost            %s\n", cost);
    (void)printf("prompt phase    %.9f s\n", llmsim_time_to_seconds(s->prefill));
    if (r > 0)
        (void)printf("decode step     %.9f s the first, %.9f s the last, %.9f s the mean\n",
                     latency_s(s, 1), latency_s(s, r), decode_s / (double)r);
    (void)printf("token phase     %.9f s the sum, %.9f s by the closed form\n", decode_s,
                 closed_form_s(s));
    (void)printf("total           %.9f s\n", llmsim_time_to_seconds(time_after(s, r)));
    (void)printf("closed form     alpha %.6e s, beta %.6e s, C %.6e s\n", s->form.alpha,
                 s->form.beta, s->form.c);
    return LLMSIM_OK;
}

static enum llmsim_status print_csv(const struct simulation *s, struct llmsim_error *err)
{
    (void)err;
    (void)printf("step,latency_s,time_s\n");
    for (uint64_t i = 0; i <= s->v->response_length; i++)
        (void)printf("%llu,%.12f,%.12f\n", (unsigned long long)i, latency_s(s, i),
                     llmsim_time_to_seconds(time_after(s, i)));
    return LLMSIM_OK;
}

static enum llmsim_status print_json(const struct simulation *s, struct llmsim_error *err)
{
    uint64_t r = s->v->response_length;
    struct llmsim_json_document json;
    llmsim_json_document_init(&json);
    llmsim_json_add_string(&json, json.root, "model", s->model.name);
    llmsim_json_add_string(&json, json.root, "gpu", s->gpu.name);
    llmsim_json_add_number(&json, json.root, "prompt_length", (double)s->v->prompt_length);
    llmsim_json_add_number(&json, json.root, "response_length", (double)r);
    llmsim_json_add_number(&json, json.root, "batch_size", (double)s->v->batch_size);
    struct cJSON *latencies = llmsim_json_add_array(&json, json.root, "latencies");
    for (uint64_t i = 0; i <= r; i++)
        llmsim_json_append_number(&json, latencies, latency_s(s, i));
    llmsim_json_add_number(&json, json.root, "prefill_s", llmsim_time_to_seconds(s->prefill));
    llmsim_json_add_number(&json, json.root, "decode_s",
                           llmsim_time_to_seconds(llmsim_decode_run_time(s->decode, r)));
    llmsim_json_add_number(&json, json.root, "total_s", llmsim_time_to_seconds(time_after(s, r)));
    llmsim_json_add_number(&json, json.root, "alpha", s->form.alpha);
    llmsim_json_add_number(&json, json.root, "beta", s->form.beta);
    llmsim_json_add_number(&json, json.root, "c", s->form.c);
    llmsim_json_add_number(&json, json.root, "decode_closed_form_s", closed_form_s(s));
    llmsim_json_add_string(&json, json.root, "cost", s->cost.model->name);
    llmsim_json_add_number(&json, json.root, "tensor_parallel_size",
                           (double)s->v->catalogue.tensor_parallel_size);
    llmsim_json_add_bool(&json, json.root, "extrapolated", s->cost.extrapolated_gpus > 0);
    return cli_print_json(&json, err);
}

static const struct {
    struct llmsim_choice choice;
    enum llmsim_status (*print)(const struct simulation *s, struct llmsim_error *err);
} formats[] = {
    {{"text", "a few lines"}, print_text},
    {{"csv", "a row a step: step,latency_s,time_s"}, print_csv},
    {{"json", "all of it in one object"}, print_json},
};
#define N_FORMATS (sizeof formats / sizeof *formats)

static const struct llmsim_choice *format_choice(size_t i)
{
    return i < N_FORMATS ? &formats[i].choice : NULL;
}

static enum llmsim_status run(const void *values, const char *const *operands, size_t n_operands,
                              struct llmsim_error *err)
{
    const struct values *v = values;
    (void)operands;
    (void)n_operands;
    struct simulation s = {.v = v};
    enum llmsim_status status = cli_open_cost(&v->catalogue, NULL, &s.model, &s.gpu, &s.cost, err);
    if (status != LLMSIM_OK)
        return status;
    cli_warn_cost(&s.cost, &s.model, &s.gpu);
    uint32_t batch_size = (uint32_t)v->batch_size;
    if (s.model.max_positions > 0 &&
        v->prompt_length + v->response_length + 1 > s.model.max_positions)
        cli_warn_positions(&s.model, batch_size, batch_size);
    llmsim_time sum_sq =
        (llmsim_time)v->batch_size * (int64_t)(v->prompt_length * v->prompt_length);
    s.prefill = llmsim_cost_step(
        &s.cost, &(struct llmsim_step_shape){.prefill_tokens = v->batch_size * v->prompt_length,
                                             .prefill_seqs = batch_size,
                                             .prefill_sum_sq = sum_sq < (llmsim_time)UINT64_MAX
                                                                   ? (uint64_t)sum_sq
                                                                   : UINT64_MAX});
    s.decode = llmsim_cost_decode_run(&s.cost, batch_size, v->batch_size * (v->prompt_length + 1));
    s.form = llmsim_cost_closed_form(&s.cost, batch_size, (uint32_t)v->prompt_length);
    return formats[v->format.row].print(&s, err);
}

static const struct cli_option options[] = {
    CLI_CATALOGUE_OPTIONS(struct values, catalogue),
    {.name = "prompt-length",
     .argument = "N",
     .help = "prompt tokens of each request",
     .kind = CLI_U64,
     .required = true,
     .max = LLMSIM_MAX_TOKENS,
     .offset = offsetof(struct values, prompt_length)},
    {.name = "response-length",
     .argument = "R",
     .help = "decode steps after the prompt phase (R + 1 latencies)",
     .kind = CLI_U64,
     .required = true,
     .max = 10000000,
     .offset = offsetof(struct values, response_length)},
    {.name = "batch-size",
     .argument = "B",
     .help = "requests in the batch",
     .kind = CLI_U64,
     .initial = "1",
     .min = 1,
     .max = LLMSIM_MAX_NUM_SEQS,
     .offset = offsetof(struct values, batch_size)},
    {.name = "format",
     .argument = "NAME",
     .help = "how to print",
     .kind = CLI_CHOICE,
     .choice = format_choice,
     .initial = "text",
     .offset = offsetof(struct values, format)},
    CLI_OPTION_END,
};

const struct cli_command cli_simulate = {
    .name = "simulate",
    .help = "latencies of one batch alone: the prompt phase, then each decode step",
    .operands = "",
    .example = "llmsim simulate --model meta-llama/Llama-2-13b-hf --gpu a6000 "
               "--prompt-length 374 --response-length 44",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
