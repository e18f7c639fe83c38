/* backlog.h: do requests come faster than they are served? A sink that follows the number of
 * requests in the system. */
#ifndef LLMSIM_SIM_BACKLOG_H
#define LLMSIM_SIM_BACKLOG_H

#include "llmsim/results.h"

/* Of arrivals numbered from 0, the numbers that are multiples of the stride. */
#define LLMSIM_BACKLOG_SAMPLES 4096
struct backlog_sample {
    int64_t arrival_ns;
    int64_t in_system; /* before it */
};

struct backlog_sink {
    struct llmsim_summary *summary; /* where the result goes */
    int64_t from_ns;
    uint32_t max_concurrency;
    bool has_all;       /* the trace has no more */
    uint64_t n_read;    /* arrivals, in the window or not */
    uint64_t n_arrived; /* in it */
    uint64_t n_ended;   /* of these */
    int64_t first_ns, last_ns, last_end_ns;
    int64_t longest_alone_ns; /* of any request, without others */
    struct llmsim_stat late;  /* by how much more than SLOWDOWN times what it takes alone */
    struct backlog_sample *samples;
    size_t n_samples, n_known; /* those ahead of n_known have their in_system */
    uint64_t stride;
    /* Ends later than the last arrival that was read: some engines read one only when they have
     * room for it. */
    int64_t *ends_ns;
    size_t first_end, n_ends, ends_capacity;
};
extern const struct llmsim_sink_ops llmsim_backlog_sink_ops;

/* The result is put into `summary` at the end of the run. LLMSIM_RUN_FAILED: memory; fini is due
 * all the same. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_backlog_init(struct backlog_sink *sink,
                                                         const struct llmsim_replay_config *config,
                                                         struct llmsim_summary *summary,
                                                         struct llmsim_error *err);
void llmsim_backlog_fini(struct backlog_sink *sink);

#endif
