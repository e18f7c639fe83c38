/* load.h: how much a replica has to do over time: waiting and running requests, batch sizes. */
#ifndef LLMSIM_PLOT_LOAD_H
#define LLMSIM_PLOT_LOAD_H

#include <stdbool.h>

#include "plot_files.h"
#include "time_axis.h"

struct load {
    struct span_means waiting, running;
    struct span_means batch, busy; /* of decode steps: requests × time, and time */
    double batch_max[TIME_SPANS];
    bool has_steps;   /* steps.csv is there */
    bool has_batches; /* and some of its steps decode */
};

void load_add_request(struct load *load, const struct time_axis *axis, int64_t arrival_ns,
                      int64_t scheduled_ns, int64_t end_ns);
void load_add_decode_step(struct load *load, const struct time_axis *axis, int64_t begin_ns,
                          int64_t end_ns, double batch_size);
/* load.csv: the middle of a span; means of waiting and running requests; mean and greatest batch of
 * the decode steps, empty where there are none. */
LLMSIM_MUST_CHECK enum llmsim_status load_write(const struct load *load,
                                                const struct time_axis *axis,
                                                const struct plot_files *files,
                                                struct llmsim_error *err);

#endif
