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

static void print_shape(const struct llmsim_model_shape *s)
{
    (void)printf("model              %s\n", s->model.name);
    (void)printf("architecture       %s\n", s->architecture);
    (void)printf("layers             %u\n", s->model.num_hidden_layers);
    (void)printf("heads              %u, %u for keys and values, %u wide\n", s->model.num_heads,
                 s->num_kv_heads, s->head_dim);
    (void)printf("hidden size        %u\n", s->model.hidden_size);
    print_known("max positions", s->model.max_positions);
    print_known("experts", s->model.num_experts);
    (void)printf("parameters         %llu\n", (unsigned long long)s->parameters_total);
    (void)printf("active parameters  %llu\n", (unsigned long long)s->parameters_active);
    (void)printf("model_size_GB      %.15g\n", s->model.model_size_GB);
    (void)printf("kvc_size_KB        %.15g\n", s->model.kvc_size_KB);
}

static enum llmsim_status run(const void *values, const char *const *operands, size_t n_operands,
                              struct llmsim_error *err)
{
    const struct values *v = values;
    struct llmsim_model_shape shape;
    char dir[LLMSIM_ERROR_FILE_MAX];
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
    (void)printf("entry written to   %s/model.json\n", dir);
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
