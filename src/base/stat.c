#include "llmsim/stat.h"

#include <stdlib.h>
#include <string.h>

/* Bucket k: below 1024 the value itself; above, the top 10 bits of the value (the leading one and
 * nine more) and how far they were shifted. Consecutive buckets adjoin. */
#define SUB_BITS 9

static unsigned bucket_of(uint64_t value)
{
    unsigned top = 63 - (unsigned)__builtin_clzll(value | 1);
    unsigned shift = top > SUB_BITS ? top - SUB_BITS : 0;
    return (shift << SUB_BITS) + (unsigned)(value >> shift);
}

static unsigned bucket_shift(unsigned bucket)
{
    return bucket < (2u << SUB_BITS) ? 0 : (bucket >> SUB_BITS) - 1;
}

static uint64_t bucket_floor(unsigned bucket)
{
    unsigned shift = bucket_shift(bucket);
    return (uint64_t)(bucket - (shift << SUB_BITS)) << shift;
}

enum llmsim_status llmsim_stat_init(struct llmsim_stat *stat, bool keep_values,
                                    struct llmsim_error *err)
{
    *stat = (struct llmsim_stat){.min = UINT64_MAX};
    stat->counts = calloc(LLMSIM_STAT_BUCKETS, sizeof *stat->counts);
    if (keep_values)
        stat->values = malloc(LLMSIM_STAT_EXACT * sizeof *stat->values);
    if (stat->counts == NULL || (keep_values && stat->values == NULL))
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    return LLMSIM_OK;
}

void llmsim_stat_fini(struct llmsim_stat *stat)
{
    free(stat->values);
    free(stat->counts);
    *stat = (struct llmsim_stat){0};
}

static void spill(struct llmsim_stat *stat)
{
    for (uint64_t i = 0; i < stat->n; i++)
        stat->counts[bucket_of(stat->values[i])]++;
    free(stat->values);
    stat->values = NULL;
}

void llmsim_stat_add(struct llmsim_stat *stat, uint64_t value)
{
    if (stat->values != NULL && stat->n == LLMSIM_STAT_EXACT)
        spill(stat);
    if (stat->values != NULL)
        stat->values[stat->n] = value;
    else
        stat->counts[bucket_of(value)]++;
    stat->n++;
    stat->sum += value;
    stat->min = value < stat->min ? value : stat->min;
    stat->max = value > stat->max ? value : stat->max;
}

void llmsim_stat_count_progression(struct llmsim_stat *stat, llmsim_time first, uint64_t increment,
                                   uint64_t n, uint64_t weight)
{
    llmsim_time value = first;
    stat->n += n * weight;
    while (n > 0) {
        unsigned bucket = bucket_of((uint64_t)(value >> LLMSIM_TIME_FRACTION_BITS));
        uint64_t end_ns = bucket_floor(bucket) + (1ull << bucket_shift(bucket));
        uint64_t in_bucket = n;
        /* Values before the bucket's end: the quotient rounded up. Short of 1000 s the distance
         * fits 64 bits, whose division is several times as fast. */
        llmsim_time distance = (llmsim_time)end_ns * LLMSIM_TIME_ONE_NS - value;
        if (increment != 0 && distance >> 63 == 0)
            in_bucket = ((uint64_t)distance + increment - 1) / increment;
        else if (increment != 0 && distance / (llmsim_time)increment < (llmsim_time)n)
            in_bucket =
                (uint64_t)((distance + (llmsim_time)increment - 1) / (llmsim_time)increment);
        in_bucket = in_bucket < n ? in_bucket : n;
        stat->counts[bucket] += in_bucket * weight;
        value += (llmsim_time)increment * (llmsim_time)in_bucket;
        n -= in_bucket;
    }
}

double llmsim_stat_mean(const struct llmsim_stat *stat)
{
    return stat->n == 0 ? 0 : (double)stat->sum / (double)stat->n;
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The value of rank `rank` (from 0) by the histogram. */
static double value_at(const struct llmsim_stat *stat, uint64_t rank)
{
    unsigned bucket = 0;
    uint64_t below = 0;
    while (bucket + 1 < LLMSIM_STAT_BUCKETS && below + stat->counts[bucket] <= rank)
        below += stat->counts[bucket++];
    double width = (double)(1ull << bucket_shift(bucket));
    double middle = (double)bucket_floor(bucket) + (width - 1) / 2;
    if (middle < (double)stat->min)
        return (double)stat->min;
    return middle > (double)stat->max ? (double)stat->max : middle;
}

double llmsim_stat_percentile(struct llmsim_stat *stat, double p)
{
    if (stat->n == 0)
        return 0;
    double position = p * (double)(stat->n - 1);
    uint64_t rank = (uint64_t)position;
    uint64_t next = rank + 1 < stat->n ? rank + 1 : rank;
    double low, high;
    if (stat->values != NULL) {
        qsort(stat->values, stat->n, sizeof *stat->values, compare_u64);
        low = (double)stat->values[rank];
        high = (double)stat->values[next];
    } else {
        low = value_at(stat, rank);
        high = value_at(stat, next);
    }
    return low + (high - low) * (position - (double)rank);
}
