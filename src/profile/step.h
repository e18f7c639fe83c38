/* step.h: a step as launches, and how a long context is split among blocks. */
#ifndef LLMSIM_PROFILE_STEP_H
#define LLMSIM_PROFILE_STEP_H

#include "llmsim/profiler.h"

/* n parts of `tokens` keys each but for the last, which may have fewer. */
struct split {
    uint64_t n, tokens;
};
struct split llmsim_split_context(const struct llmsim_network *network,
                                  const struct llmsim_profile_point *point,
                                  unsigned n_multiprocessors);

/* What `kind` is called in messages. */
const char *llmsim_launch_name(enum llmsim_launch_kind kind);

#endif
