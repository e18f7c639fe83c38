/* cmd_profile_model.c: a model's catalogue entry from its config.json. */
#include <stdio.h>

#include "cli.h"

struct values {
    struct llmsim_model_source source;
    const char *data_dir;
};

static void print_known(const char *label, unsigned number)
{
    if (number > 0)
        (void)printf("%-19s%u\n", label, number);
}

/* Layers by the kind of their attention, where there are several or it is not the common one. */
static void print_attention(const struct llmsim_shape *s)
{
    const struct llmsim_attention_shape *w = &s->windowed;
    if (s->full.layers > 0)
        (void)printf("heads              %u, %u for keys and values, %u wide\n", s->full.num_heads,
                     s->full.num_kv_heads, s->full.head_dim);
    if (s->full.layers > 0 && s->full.layers < s->num_hidden_layers)
        print_known("  in layers", s->full.layers);
    if (w->layers > 0)
        (void)printf("window             %u tokens in %u layers, %u heads, %u for keys and values, "
                     "%u wide\n",
                     w->window, w->layers, w->num_heads, w->num_kv_heads, w->head_dim);
    if (s->mla.layers > 0)
        (void)printf("latent attention   %u heads, ranks %u for queries, %u for keys and values\n",
                     s->mla.num_heads, s->mla.q_lora_rank, s->mla.kv_lora_rank);
    if (s->indexer.layers > 0)
        (void)printf("sparse attention   %u tokens at most, chosen in %u layers\n", s->indexer.topk,
                     s->indexer.layers);
    if (s->linear.layers > 0)
        (void)printf("linear attention   in %u layers, %u heads for keys, %u for values\n",
                     s->linear.layers, s->linear.num_key_heads, s->linear.num_value_heads);
}

static void print_experts(const struct llmsim_shape *s)
{
    if (s->moe.layers == 0)
        return;
    (void)printf("experts            %u in %u layers, %u a token, %u wide\n", s->moe.num_experts,
                 s->moe.layers, s->moe.num_experts_per_tok, s->moe.moe_intermediate_size);
    print_known("  for every token", s->moe.shared_expert_intermediate_size);
}

/* The formats, each with the weights that have it. */
static void print_formats(const struct llmsim_shape *s)
{
    static const char *const roles[] = {"attention", "attention output", "MLP", "shared experts",
                                        "experts",   "LM head",          "rest"};
    uint64_t parameters[LLMSIM_N_WEIGHTS];
    llmsim_shape_count(s, parameters);
    for (size_t f = 0; llmsim_format_choice(f) != NULL; f++) {
        const char *separator = "";
        for (size_t i = 0; i < LLMSIM_N_WEIGHTS; i++) {
            if (s->formats[i] != f || parameters[i] == 0)
                continue;
            if (separator[0] == '\0')
                (void)printf("%-19s", llmsim_format_choice(f)->name);
            (void)printf("%s%s", separator, roles[i]);
            separator = ", ";
        }
        if (separator[0] != '\0')
            (void)printf("\n");
    }
    (void)printf("KV cache           %s\n", llmsim_format_choice(s->kv_cache_format)->name);
}

static void print_shape(const struct llmsim_model_shape *m)
{
    const struct llmsim_model *model = &m->model;
    const struct llmsim_shape *s = &model->shape;
    (void)printf("model              %s\n", model->name);
    (void)printf("architecture       %s%s\n", m->architecture,
                 m->is_part ? ", its text part only" : "");
    (void)printf("layers             %u\n", model->num_hidden_layers);
    print_attention(s);
    (void)printf("hidden size        %u\n", model->hidden_size);
    print_known("max positions", model->max_positions);
    print_experts(s);
    (void)printf("parameters         %llu\n", (unsigned long long)s->parameters);
    (void)printf("active parameters  %llu\n", (unsigned long long)s->active_parameters);
    if (s->is_known)
        print_formats(s);
    else
        (void)printf("formats            not known: the entry has no shape\n");
    (void)printf("model_size_GB      %.15g\n", model->model_size_GB);
    (void)printf("kvc_size_KB        %.15g\n", model->kvc_size_KB);
}

static enum llmsim_status run(const void *values, const char *const *operands, size_t n_operands,
                              struct llmsim_error *err)
{
    const struct values *v = values;
    struct llmsim_model_shape shape;
    char dir[LLMSIM_ERROR_FILE_MAX], shown[CLI_SHOWN_MAX];
    (void)operands;
    (void)n_operands;
    enum llmsim_status status = llmsim_model_from_config(&v->source, &shape, err);
    if (status == LLMSIM_OK)
        status = llmsim_catalogue_find_dir(v->data_dir, dir, sizeof dir, err);
    if (status == LLMSIM_OK)
        status = llmsim_catalogue_put_model(dir, &shape.model, err);
    if (status != LLMSIM_OK)
        return status;
    print_shape(&shape);
    (void)printf("entry written to   %s/model.json\n", llmsim_shown(dir, shown, sizeof shown));
    return LLMSIM_OK;
}

static const struct cli_option options[] = {
    {.name = "config",
     .argument = "FILE",
     .help = "the model's Hugging Face config.json",
     .kind = CLI_STRING,
     .required = true,
     .offset = offsetof(struct values, source.config_path)},
    {.name = "name",
     .argument = "NAME",
     .help = "name of the entry, else the config's _name_or_path",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, source.name)},
    {.name = "dtype",
     .argument = "NAME",
     .help = "bfloat16, float16 or float32, in place of the config's torch_dtype",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, source.dtype)},
    {.name = "safetensors",
     .argument = "FILE",
     .help = "the weights' *.safetensors.index.json or single file, for the exact size",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, source.safetensors_path)},
    {.name = "data",
     .argument = "DIR",
     .help = "directory of the catalogues (else $LLMSIM_DATA, else the installed one)",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, data_dir)},
    CLI_OPTION_END,
};

const struct cli_command cli_profile_model = {
    .name = "profile model",
    .help = "count a model's parameters from its config.json and add it to model.json",
    .operands = "",
    .example = "llmsim profile model --config config.json --name Qwen/Qwen2.5-7B-Instruct",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
