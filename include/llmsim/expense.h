/* expense.h: what a run costs in GPU time, money and energy. */
#ifndef LLMSIM_EXPENSE_H
#define LLMSIM_EXPENSE_H

#include <stdint.h>

#include "llmsim/sink.h"
#include "llmsim/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a GPU takes; of both, 0 says that it is not known. */
struct llmsim_gpu_price {
    double usd_per_hour;
    double watts; /* the board's power */
};

/* Of what is not known, or divides by 0, there is 0. */
struct llmsim_expense {
    double gpu_hours; /* GPUs × makespan: they are paid for when idle, too */
    double usd;
    double usd_per_million_output_tokens;
    double usd_per_million_tokens; /* prompt and output tokens of the completed requests */
    /* Bounds, as if every board drew all its power from the first arrival to the last end; the
     * host, its fans and the cooling are not in it. */
    double kwh_at_most;
    double output_tokens_per_joule_at_least;
};

/* Of n_gpus GPUs, all replicas together. */
LLMSIM_API struct llmsim_expense llmsim_expense(const struct llmsim_totals *totals, uint64_t n_gpus,
                                                const struct llmsim_gpu_price *price);

#ifdef __cplusplus
}
#endif
#endif
