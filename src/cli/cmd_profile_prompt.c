/* cmd_profile_prompt.c: how long a model's prefill steps take on the GPU of this machine. */
#include "profile_steps.h"

static enum llmsim_status run(const void *values, const char *const *operands, size_t n_operands,
                              struct llmsim_error *err)
{
    (void)operands;
    (void)n_operands;
    return profile_steps(values, LLMSIM_PROFILE_PREFILL, err);
}

static const struct cli_option options[] = {
    {.name = "max-tokens",
     .argument = "N",
     .kind = CLI_U64,
     .min = 1,
     .max = 1 << 20,
     .initial = "16384",
     .help = "prompt tokens of a step, at most; it begins with 16",
     .offset = offsetof(struct profile_options, max_tokens)},
    {.name = "max-batch",
     .argument = "N",
     .kind = CLI_U64,
     .min = 1,
     .max = 16,
     .initial = "16",
     .help = "prompts that the tokens of a step are split over, at most",
     .offset = offsetof(struct profile_options, max_batch)},
    PROFILE_OPTIONS("plain"),
    CLI_OPTION_END,
};

const struct cli_command cli_profile_prompt = {
    .name = "profile prompt",
    .help = "measure a model's prefill steps on a GPU, with random weights; write profile CSV",
    .operands = "",
    .example =
        "llmsim profile prompt --model llama-3.1-8b --config config.json --output prompt.csv\n"
        "\n"
        "Needs a GPU and an llmsim built with CUDA. It has compiled, but not yet run on a\n"
        "GPU: use --self-test. docs/profiles.md says what is measured, and how.",
    .options = options,
    .values_size = sizeof(struct profile_options),
    .run = run,
};
