/* profile_steps.h: what `profile prompt` and `profile decode` share: all but the sweep. */
#ifndef LLMSIM_PROFILE_STEPS_H
#define LLMSIM_PROFILE_STEPS_H

#include "cli.h"

struct profile_options {
    const char *model, *config_path, *data_dir, *plan_for, *output;
    struct cli_choice dtype, launches;
    uint64_t max_tokens, max_batch, n_repeats, n_warmups, device;
    bool self_test;
};

#define PROFILE_MAX_REPEATS 10000

#define PROFILE_OPTIONS(launches_default)                                                          \
    {.name = "model",                                                                              \
     .argument = "M",                                                                              \
     .kind = CLI_STRING,                                                                           \
     .required = true,                                                                             \
     .help = "model, a name in model.json (or its part after the '/')",                            \
     .offset = offsetof(struct profile_options, model)},                                           \
        {.name = "config",                                                                         \
         .argument = "FILE",                                                                       \
         .kind = CLI_STRING,                                                                       \
         .required = true,                                                                         \
         .help = "the model's Hugging Face config.json, for the widths of its layers",             \
         .offset = offsetof(struct profile_options, config_path)},                                 \
        {.name = "dtype",                                                                          \
         .argument = "NAME",                                                                       \
         .kind = CLI_CHOICE,                                                                       \
         .choice = llmsim_dtype_choice,                                                            \
         .initial = "bf16",                                                                        \
         .help = "of weights, activations and KV cache",                                           \
         .offset = offsetof(struct profile_options, dtype)},                                       \
        {.name = "launch",                                                                         \
         .argument = "HOW",                                                                        \
         .kind = CLI_CHOICE,                                                                       \
         .choice = llmsim_launch_mode_choice,                                                      \
         .initial = (launches_default),                                                            \
         .help = "how the kernels of a step reach the GPU",                                        \
         .offset = offsetof(struct profile_options, launches)},                                    \
        {.name = "repeats",                                                                        \
         .argument = "N",                                                                          \
         .kind = CLI_U64,                                                                          \
         .min = 1,                                                                                 \
         .max = PROFILE_MAX_REPEATS,                                                               \
         .initial = "10",                                                                          \
         .help = "measurements of each step, a row each",                                          \
         .offset = offsetof(struct profile_options, n_repeats)},                                   \
        {.name = "warmups",                                                                        \
         .argument = "N",                                                                          \
         .kind = CLI_U64,                                                                          \
         .max = PROFILE_MAX_REPEATS,                                                               \
         .initial = "3",                                                                           \
         .help = "runs of each step before they are measured",                                     \
         .offset = offsetof(struct profile_options, n_warmups)},                                   \
        {.name = "output",                                                                         \
         .argument = "FILE",                                                                       \
         .kind = CLI_STRING,                                                                       \
         .initial = "-",                                                                           \
         .help = "where the profile CSV goes; - is stdout",                                        \
         .offset = offsetof(struct profile_options, output)},                                      \
        {.name = "device",                                                                         \
         .argument = "N",                                                                          \
         .kind = CLI_U64,                                                                          \
         .max = 1023,                                                                              \
         .initial = "0",                                                                           \
         .help = "CUDA's number of the GPU",                                                       \
         .offset = offsetof(struct profile_options, device)},                                      \
        {.name = "self-test",                                                                      \
         .kind = CLI_FLAG,                                                                         \
         .help = "first hold every kernel against a reference on the CPU",                         \
         .offset = offsetof(struct profile_options, self_test)},                                   \
        {.name = "plan-for",                                                                       \
         .argument = "G",                                                                          \
         .kind = CLI_STRING,                                                                       \
         .help = "only print what would be measured on this GPU of gpu.json; needs no GPU",        \
         .offset = offsetof(struct profile_options, plan_for)},                                    \
    {                                                                                              \
        .name = "data", .argument = "DIR", .kind = CLI_STRING,                                     \
        .help = "directory of the catalogues (else $LLMSIM_DATA, else the installed one)",         \
        .offset = offsetof(struct profile_options, data_dir)                                       \
    }

LLMSIM_MUST_CHECK enum llmsim_status profile_steps(const struct profile_options *options,
                                                   enum llmsim_profile_phase phase,
                                                   struct llmsim_error *err);

/* Hold the device's kernels against the reference; says on stderr how many agree. */
LLMSIM_MUST_CHECK enum llmsim_status cli_self_test(const struct llmsim_device *device,
                                                   struct llmsim_error *err);

#endif
