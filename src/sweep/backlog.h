/* backlog.h: is the queue only growing? A sink that follows the number of requests in the system.
 */
#ifndef LLMSIM_SWEEP_BACKLOG_H
#define LLMSIM_SWEEP_BACKLOG_H

#include "llmsim/sweep.h"

struct backlog_sink {
    const struct llmsim_memory_trace *memory;
    struct llmsim_ratio rate_scale;
    size_t begin, end; /* arrivals in the window that is looked at */
    size_t first;      /* arrival of their second half */
    size_t next;       /* arrival to be looked at */
    uint64_t n_ended;
    /* Of the arrivals of the second half, numbered from 0: how many were in the system before each,
     * and that times its number. */
    __extension__ __int128 sum, weighted_sum;
    int64_t last_end_ns, longest_alone_ns; /* the latter: of any request, without others */
};
extern const struct llmsim_sink_ops llmsim_backlog_sink_ops;

void llmsim_backlog_init(struct backlog_sink *sink, const struct llmsim_memory_trace *memory,
                         const struct llmsim_run_description *description);
/* After the run. */
struct llmsim_backlog llmsim_backlog_result(const struct backlog_sink *sink);

#endif
