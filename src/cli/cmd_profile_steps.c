/* cmd_profile_steps.c: how long a model's prefill steps, and its decode steps, take on the GPU of
 * this machine. */
#include "profile_steps.h"

#define NOTE                                                                                       \
    "\n"                                                                                           \
    "Needs a GPU and an llmsim built with CUDA. It has compiled, but not yet run on a\n"           \
    "GPU: use --self-test. docs/profiles.md says what is measured, and how."

/* All but what a sweep goes over, and how kernels reach the GPU unless one says. */
static const struct cli_option shared_options[] = {
    {.name = "model",
     .argument = "M",
     .kind = CLI_STRING,
     .required = true,
     .help = "model, a name in model.json (or its part after the '/')",
     .offset = offsetof(struct profile_options, model)},
    {.name = "config",
     .argument = "FILE",
     .kind = CLI_STRING,
     .required = true,
     .help = "the model's Hugging Face config.json, for the widths of its layers",
     .offset = offsetof(struct profile_options, config_path)},
    {.name = "dtype",
     .argument = "NAME",
     .kind = CLI_CHOICE,
     .choice = llmsim_dtype_choice,
     .initial = "bf16",
     .help = "of weights, activations and KV cache",
     .offset = offsetof(struct profile_options, dtype)},
    {.name = "repeats",
     .argument = "N",
     .kind = CLI_U64,
     .min = 1,
     .max = PROFILE_MAX_REPEATS,
     .initial = "10",
     .help = "measurements of each step, a row each",
     .offset = offsetof(struct profile_options, n_repeats)},
    {.name = "warmups",
     .argument = "N",
     .kind = CLI_U64,
     .max = PROFILE_MAX_REPEATS,
     .initial = "3",
     .help = "runs of each step before they are measured",
     .offset = offsetof(struct profile_options, n_warmups)},
    {.name = "output",
     .argument = "FILE",
     .kind = CLI_STRING,
     .initial = "-",
     .help = "where the profile CSV goes; - is stdout",
     .offset = offsetof(struct profile_options, output)},
    {.name = "device",
     .argument = "N",
     .kind = CLI_U64,
     .max = 1023,
     .initial = "0",
     .help = "CUDA's number of the GPU",
     .offset = offsetof(struct profile_options, device)},
    {.name = "self-test",
     .kind = CLI_FLAG,
     .help = "first hold every kernel against a reference on the CPU",
     .offset = offsetof(struct profile_options, self_test)},
    {.name = "plan-for",
     .argument = "G",
     .kind = CLI_STRING,
     .help = "only print what would be measured on this GPU of gpu.json; needs no GPU",
     .offset = offsetof(struct profile_options, plan_for)},
    {.name = "data",
     .argument = "DIR",
     .kind = CLI_STRING,
     .help = "directory of the catalogues (else $LLMSIM_DATA, else the installed one)",
     .offset = offsetof(struct profile_options, data_dir)},
    CLI_OPTION_END,
};

#define TOKENS_OPTION(text, initially, what)                                                       \
    {                                                                                              \
        .name = (text), .argument = "N", .kind = CLI_U64, .min = 1, .max = 1 << 20,                \
        .initial = (initially), .help = (what),                                                    \
        .offset = offsetof(struct profile_options, max_tokens)                                     \
    }
#define BATCH_OPTION(most, initially, what)                                                        \
    {                                                                                              \
        .name = "max-batch", .argument = "N", .kind = CLI_U64, .min = 1, .max = (most),            \
        .initial = (initially), .help = (what),                                                    \
        .offset = offsetof(struct profile_options, max_batch)                                      \
    }
#define LAUNCH_OPTION(initially)                                                                   \
    {                                                                                              \
        .name = "launch", .argument = "HOW", .kind = CLI_CHOICE,                                   \
        .choice = llmsim_launch_mode_choice, .initial = (initially),                               \
        .help = "how the kernels of a step reach the GPU",                                         \
        .offset = offsetof(struct profile_options, launches)                                       \
    }
#define SHARED_OPTIONS                                                                             \
    {                                                                                              \
        .name = "", .kind = CLI_TABLE, .table = shared_options                                     \
    }

static const struct cli_option prompt_options[] = {
    TOKENS_OPTION("max-tokens", "16384", "prompt tokens of a step, at most; it begins with 16"),
    BATCH_OPTION(16, "16", "prompts that the tokens of a step are split over, at most"),
    LAUNCH_OPTION("plain"),
    SHARED_OPTIONS,
    CLI_OPTION_END,
};

static const struct cli_option decode_options[] = {
    TOKENS_OPTION("max-context", "8192",
                  "tokens of KV cache that each sequence reads, at most; it begins with 64"),
    BATCH_OPTION(4096, "256", "sequences of a step, at most"),
    LAUNCH_OPTION("graph"),
    SHARED_OPTIONS,
    CLI_OPTION_END,
};

static enum llmsim_status run_prompt(const void *values, const char *const *operands,
                                     size_t n_operands, struct llmsim_error *err)
{
    (void)operands;
    (void)n_operands;
    return profile_steps(values, LLMSIM_PROFILE_PREFILL, err);
}

static enum llmsim_status run_decode(const void *values, const char *const *operands,
                                     size_t n_operands, struct llmsim_error *err)
{
    (void)operands;
    (void)n_operands;
    return profile_steps(values, LLMSIM_PROFILE_DECODE, err);
}

const struct cli_command cli_profile_prompt = {
    .name = "profile prompt",
    .help = "measure a model's prefill steps on a GPU, with random weights; write profile CSV",
    .operands = "",
    .example = "llmsim profile prompt --model llama-3.1-8b --config config.json --output "
               "prompt.csv\n" NOTE,
    .options = prompt_options,
    .values_size = sizeof(struct profile_options),
    .run = run_prompt,
};

const struct cli_command cli_profile_decode = {
    .name = "profile decode",
    .help = "measure a model's decode steps on a GPU, with random weights; write profile CSV",
    .operands = "",
    .example = "llmsim profile decode --model llama-3.1-8b --config config.json --output "
               "decode.csv\n" NOTE,
    .options = decode_options,
    .values_size = sizeof(struct profile_options),
    .run = run_decode,
};
