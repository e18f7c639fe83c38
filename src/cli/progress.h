/* progress.h: a line on stderr while a run goes on, and the end of it when a signal came. */
#ifndef LLMSIM_PROGRESS_H
#define LLMSIM_PROGRESS_H

#include <stdbool.h>
#include <time.h>

#include "llmsim/llmsim.h"

struct progress {
    const struct llmsim_trace *trace;
    bool is_terminal;
    bool is_shown;
    struct timespec start, last;
};

/* Watch a run: sets the config's observe members. `progress` must outlive the run. */
void progress_start(struct progress *progress, const struct llmsim_trace *trace,
                    struct llmsim_replay_config *config);
/* Clear the line. */
void progress_stop(struct progress *progress);

#endif
