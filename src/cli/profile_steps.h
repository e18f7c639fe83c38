/* profile_steps.h: `profile prompt` and `profile decode` behind their options. */
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

LLMSIM_MUST_CHECK enum llmsim_status profile_steps(const struct profile_options *options,
                                                   enum llmsim_profile_phase phase,
                                                   struct llmsim_error *err);

/* Hold the device's kernels against the reference; says on stderr how many agree. */
LLMSIM_MUST_CHECK enum llmsim_status cli_self_test(const struct llmsim_device *device,
                                                   struct llmsim_error *err);

#endif
