/* stat.h: count, mean, extremes and percentiles of a stream of integers, in bounded memory.
 *
 * Count, mean, minimum and maximum are exact. Percentiles interpolate linearly at p(n - 1). They
 * are exact while there are at most LLMSIM_STAT_EXACT values; beyond that they come from a
 * log-linear histogram (the idea of HdrHistogram): 512 buckets an octave, a bucket's midpoint
 * stands for its values, so that a percentile is off by at most 1/1024 of itself, under 0.1 %.
 *
 * A stat takes 750 KB, or 230 KB without kept values. One that grows takes what its values need, up
 * to as much. */
#ifndef LLMSIM_STAT_H
#define LLMSIM_STAT_H

#include <stdbool.h>
#include <stdint.h>

#include "llmsim/status.h"
#include "llmsim/time.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LLMSIM_STAT_EXACT 65536u
#define LLMSIM_STAT_BUCKETS 28672u

struct llmsim_stat {
    uint64_t n;
    uint64_t min, max; /* of no meaning while n is 0 */
    __extension__ unsigned __int128 sum;
    uint64_t *values; /* all values, up to LLMSIM_STAT_EXACT; NULL once there were more */
    uint64_t
        *counts; /* LLMSIM_STAT_BUCKETS counters; NULL while a stat that grows has few values */
    uint32_t capacity; /* values that there is room for; LLMSIM_STAT_EXACT: for any number */
};

/* `keep_values` false: the histogram from the first value on. LLMSIM_RUN_FAILED: out of memory. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_stat_init(struct llmsim_stat *stat, bool keep_values, struct llmsim_error *err);
LLMSIM_API void llmsim_stat_fini(struct llmsim_stat *stat);

/* For many stats of few values each: keeps values, and takes memory as they come. Before each
 * llmsim_stat_add the caller makes sure of it. */
LLMSIM_API void llmsim_stat_init_growing(struct llmsim_stat *stat);
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status llmsim_stat_grow(struct llmsim_stat *stat,
                                                                 struct llmsim_error *err);
/* Room for one value more. LLMSIM_RUN_FAILED: out of memory. */
static inline LLMSIM_MUST_CHECK enum llmsim_status llmsim_stat_reserve(struct llmsim_stat *stat,
                                                                       struct llmsim_error *err)
{
    return stat->n < stat->capacity || stat->capacity == LLMSIM_STAT_EXACT
               ? LLMSIM_OK
               : llmsim_stat_grow(stat, err);
}

/* Bucket k: below 1024 the value itself; above, the top 10 bits of the value (the leading one and
 * nine more) and how far they were shifted. Consecutive buckets adjoin. */
#define LLMSIM_STAT_SUB_BITS 9
static inline unsigned llmsim_stat_bucket(uint64_t value)
{
    uint64_t at_least = value | 1u << LLMSIM_STAT_SUB_BITS; /* a shift of 0 needs no branch */
    unsigned shift = 63 - LLMSIM_STAT_SUB_BITS - (unsigned)__builtin_clzll(at_least);
    return (shift << LLMSIM_STAT_SUB_BITS) + (unsigned)(value >> shift);
}

/* The part of llmsim_stat_add that keeps the value itself, for as long as there is room. */
LLMSIM_API void llmsim_stat_keep(struct llmsim_stat *stat, uint64_t value);

/* Add one value: some nanoseconds. */
static inline void llmsim_stat_add(struct llmsim_stat *stat, uint64_t value)
{
    if (stat->values != NULL)
        llmsim_stat_keep(stat, value);
    if (stat->counts != NULL)
        stat->counts[llmsim_stat_bucket(value)]++;
    stat->n++;
    stat->sum += value;
    stat->min = value < stat->min ? value : stat->min;
    stat->max = value > stat->max ? value : stat->max;
}

/* Count a value `weight` times, without keep_values; the sum and the extremes stay the caller's to
 * keep. */
static inline void llmsim_stat_count(struct llmsim_stat *stat, uint64_t value, uint64_t weight)
{
    stat->counts[llmsim_stat_bucket(value)] += weight;
    stat->n += weight;
}

/* The same for the `n` values first, first + increment, … in nanoseconds rounded down. Costs a few
 * nanoseconds a bucket that the values reach, not a value. */
LLMSIM_API void llmsim_stat_count_progression(struct llmsim_stat *stat, llmsim_time first,
                                              uint64_t increment, uint64_t n, uint64_t weight);

/* 0 if there are no values. `p` from 0 to 1. percentile may sort the kept values. */
LLMSIM_API double llmsim_stat_mean(const struct llmsim_stat *stat);
LLMSIM_API double llmsim_stat_percentile(struct llmsim_stat *stat, double p);

#ifdef __cplusplus
}
#endif
#endif
