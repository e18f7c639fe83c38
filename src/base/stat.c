#include "llmsim/stat.h"

#include <stdlib.h>
#include <string.h>

#define SUB_BITS LLMSIM_STAT_SUB_BITS

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
    *stat = (struct llmsim_stat){.min = UINT64_MAX, .capacity = LLMSIM_STAT_EXACT};
    stat->counts = calloc(LLMSIM_STAT_BUCKETS, sizeof *stat->counts);
    if (keep_values)
        stat->values = malloc(LLMSIM_STAT_EXACT * sizeof *stat->values);
    if (stat->counts == NULL || (keep_values && stat->values == NULL))
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    return LLMSIM_OK;
}

void llmsim_stat_init_growing(struct llmsim_stat *stat)
{
    *stat = (struct llmsim_stat){.min = UINT64_MAX};
}

void llmsim_stat_fini(struct llmsim_stat *stat)
{
    free(stat->values);
    free(stat->counts);
    *stat = (struct llmsim_stat){0};
}

/* Values that grow by doubling; beyond some pages the counters come to save the sorting. */
#define FEWEST 16u
#define MOST_UNCOUNTED 4096u

enum llmsim_status llmsim_stat_grow(struct llmsim_stat *stat, struct llmsim_error *err)
{
    uint32_t capacity = stat->capacity == 0 ? FEWEST : 2 * stat->capacity;
    uint64_t *values = realloc(stat->values, capacity * sizeof *values);
    if (values == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    stat->values = values;
    if (stat->n >= MOST_UNCOUNTED && stat->counts == NULL) {
        stat->counts = calloc(LLMSIM_STAT_BUCKETS, sizeof *stat->counts);
        if (stat->counts == NULL)
            return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
        for (uint64_t i = 0; i < stat->n; i++)
            stat->counts[llmsim_stat_bucket(values[i])]++;
    }
    stat->capacity = capacity;
    return LLMSIM_OK;
}
_Static_assert((LLMSIM_STAT_EXACT & (LLMSIM_STAT_EXACT - 1)) == 0, "doubling reaches it");

void llmsim_stat_keep(struct llmsim_stat *stat, uint64_t value)
{
    if (stat->n < LLMSIM_STAT_EXACT) {
        stat->values[stat->n] = value;
        return;
    }
    free(stat->values);
    stat->values = NULL;
}

/* Values of one octave, whose buckets all have the same width, wider than the increment. Where one
 * bucket ends, the next value is `over` past the border; the next bucket then holds width/increment
 * values, rounded down or up, and hands on its own remainder: Bresenham's line, without a division
 * a bucket. Returns how many values it has counted, up to the end of the octave. */
static uint64_t count_octave(uint64_t *counts, unsigned bucket, uint64_t to_border, unsigned shift,
                             uint64_t increment, uint64_t n, uint64_t weight)
{
    uint64_t counted = (to_border + increment - 1) / increment;
    if (counted >= n) {
        counts[bucket] += n * weight;
        return n;
    }
    counts[bucket++] += counted * weight;
    uint64_t width = 1ull << (shift + LLMSIM_TIME_FRACTION_BITS);
    uint64_t over = counted * increment - to_border;
    uint64_t quotient = width / increment, remainder = width % increment;
    /* Buckets that are filled to their end: those that the last value is past. */
    llmsim_time span = (llmsim_time)increment * (llmsim_time)(n - counted - 1) + (llmsim_time)over;
    uint64_t n_full = (uint64_t)(span >> (shift + LLMSIM_TIME_FRACTION_BITS));
    uint64_t n_left = (1u << SUB_BITS) - bucket % (1u << SUB_BITS);
    if (bucket % (1u << SUB_BITS) == 0)
        return counted;
    bool all_fit = n_full < n_left;
    for (uint64_t i = all_fit ? n_full : n_left; i > 0; i--) {
        uint64_t one_more = over < remainder;
        over = one_more != 0 ? over + (increment - remainder) : over - remainder;
        counts[bucket++] += (quotient + one_more) * weight;
        counted += quotient + one_more;
    }
    if (all_fit)
        counts[bucket] += (n - counted) * weight;
    return all_fit ? n : counted;
}

void llmsim_stat_count_progression(struct llmsim_stat *stat, llmsim_time first, uint64_t increment,
                                   uint64_t n, uint64_t weight)
{
    llmsim_time value = first;
    stat->n += n * weight;
    while (n > 0) {
        uint64_t ns = (uint64_t)(value >> LLMSIM_TIME_FRACTION_BITS);
        unsigned bucket = llmsim_stat_bucket(ns);
        unsigned shift = bucket_shift(bucket);
        uint64_t counted = increment == 0 ? n : 1;
        /* Up to 2^40 ns the width of a bucket fits 64 bits as a time. */
        if (increment != 0 && n > 1 && shift < 31 &&
            increment < 1ull << (shift + LLMSIM_TIME_FRACTION_BITS)) {
            llmsim_time border =
                llmsim_time_from_ns((int64_t)(bucket_floor(bucket) + (1ull << shift)));
            counted = count_octave(stat->counts, bucket, (uint64_t)(border - value), shift,
                                   increment, n, weight);
        } else {
            stat->counts[bucket] += counted * weight;
        }
        value += (llmsim_time)increment * (llmsim_time)counted;
        n -= counted;
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

/* The kept value of rank `rank` (from 0) among those in `bucket`: they are brought to the front and
 * sorted, so a percentile costs one pass over the values and the sort of a few of them. */
static double kept_value(struct llmsim_stat *stat, unsigned bucket, uint64_t rank)
{
    uint64_t n_front = 0;
    for (uint64_t i = 0; i < stat->n; i++) {
        uint64_t value = stat->values[i];
        if (llmsim_stat_bucket(value) != bucket)
            continue;
        stat->values[i] = stat->values[n_front];
        stat->values[n_front++] = value;
    }
    qsort(stat->values, n_front, sizeof *stat->values, compare_u64);
    return (double)stat->values[rank];
}

/* Of a few values, which one sort orders for all percentiles. */
static double sorted_value(struct llmsim_stat *stat, uint64_t rank)
{
    bool is_sorted = true;
    for (uint64_t i = 1; i < stat->n; i++)
        is_sorted = is_sorted && stat->values[i - 1] <= stat->values[i];
    if (!is_sorted)
        qsort(stat->values, stat->n, sizeof *stat->values, compare_u64);
    return (double)stat->values[rank];
}

/* The value of rank `rank` (from 0). */
static double value_at(struct llmsim_stat *stat, uint64_t rank)
{
    if (stat->counts == NULL)
        return sorted_value(stat, rank);
    unsigned bucket = llmsim_stat_bucket(stat->min);
    uint64_t below = 0;
    while (bucket + 1 < LLMSIM_STAT_BUCKETS && below + stat->counts[bucket] <= rank)
        below += stat->counts[bucket++];
    if (stat->values != NULL)
        return kept_value(stat, bucket, rank - below);
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
    double low = value_at(stat, rank);
    double high = rank + 1 < stat->n ? value_at(stat, rank + 1) : low;
    return low + (high - low) * (position - (double)rank);
}
