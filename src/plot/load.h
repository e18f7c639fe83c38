/* load.h: how much there is to do over time: waiting and running requests, batch sizes, and how
 * busy replicas are: together, by pool (with prefill replicas), and the least and the most of a
 * replica. */
#ifndef LLMSIM_PLOT_LOAD_H
#define LLMSIM_PLOT_LOAD_H

#include <stdbool.h>

#include "plot_files.h"
#include "time_axis.h"

/* More replicas than this are shown together only: one takes 30 kB. */
#define LOAD_MAX_TRACKED 1024u

enum { LOAD_PREFILL, LOAD_OTHERS, LOAD_N_POOLS }; /* LOAD_OTHERS: all without prefill replicas */

struct replica_load {
    struct span_means waiting, running;
    struct span_means batch, decoding; /* of decode steps: requests × time, and time */
    struct span_means busy;            /* of all steps: time */
};

struct load {
    uint32_t n_replicas, n_prefill; /* these come first */
    uint32_t n_tracked;             /* replicas in `each`; 0: they are not shown one by one */
    struct replica_load *each, all;
    struct span_means busy[LOAD_N_POOLS];
    double batch_max[TIME_SPANS];
    bool has_steps;   /* steps.csv is there */
    bool has_batches; /* and some of its steps decode */
};

/* LLMSIM_RUN_FAILED: out of memory; fini is fine all the same, as on a zeroed struct. */
LLMSIM_MUST_CHECK enum llmsim_status load_init(struct load *load, uint32_t n_replicas,
                                               uint32_t n_prefill, struct llmsim_error *err);
void load_fini(struct load *load);

/* `queue` is the replica that it waits for, `replica` the one where it ends. */
void load_add_request(struct load *load, const struct time_axis *axis, uint32_t queue,
                      uint32_t replica, int64_t arrival_ns, int64_t scheduled_ns, int64_t end_ns);
/* batch_size: requests that decode in it; 0: none does. */
void load_add_step(struct load *load, const struct time_axis *axis, uint32_t replica,
                   int64_t begin_ns, int64_t end_ns, double batch_size);
/* load.csv: a row a span, its columns as its header names them; empty where nothing decodes, or
 * where one replica is all there is. */
LLMSIM_MUST_CHECK enum llmsim_status load_write(const struct load *load,
                                                const struct time_axis *axis,
                                                const struct plot_files *files,
                                                struct llmsim_error *err);

#endif
