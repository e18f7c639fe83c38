/* cmd_profile_decode.c: how long a model's decode steps take on the GPU of this machine. */
#include "profile_steps.h"

static enum llmsim_status run(const void *values, const char *const *operands, size_t n_operands,
                              struct llmsim_error *err)
{
    (void)operands;
    (void)n_operands;
    return profile_steps(values, LLMSIM_PROFILE_DECODE, err);
}

static const struct cli_option options[] = {
    {.name = "max-context",
     .argument = "N",
     .kind = CLI_U64,
     .min = 1,
     .max = 1 << 20,
     .initial = "8192",
     .help = "tokens of KV cache that each sequence reads, at most; it begins with 64",
     .offset = offsetof(struct profile_options, max_tokens)},
    {.name = "max-batch",
     .argument = "N",
     .kind = CLI_U64,
     .min = 1,
     .max = 4096,
     .initial = "256",
     .help = "sequences of a step, at most",
     .offset = offsetof(struct profile_options, max_batch)},
    PROFILE_OPTIONS("graph"),
    CLI_OPTION_END,
};

const struct cli_command cli_profile_decode = {
    .name = "profile decode",
    .help = "measure a model's decode steps on a GPU, with random weights; write profile CSV",
    .operands = "",
    .example =
        "llmsim profile decode --model llama-3.1-8b --config config.json --output decode.csv\n"
        "\n"
        "Needs a GPU and an llmsim built with CUDA. It has compiled, but not yet run on a\n"
        "GPU: use --self-test. docs/profiles.md says what is measured, and how.",
    .options = options,
    .values_size = sizeof(struct profile_options),
    .run = run,
};
