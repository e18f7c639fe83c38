/* Percentiles against sorted values, and the histogram's error bound. */
#include <criterion/criterion.h>
#include <math.h>

#include "llmsim/stat.h"

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 11;
}

Test(stat, empty)
{
    struct llmsim_stat s;
    cr_assert_eq(llmsim_stat_init(&s, true, NULL), LLMSIM_OK);
    cr_assert_eq(llmsim_stat_mean(&s), 0);
    cr_assert_eq(llmsim_stat_percentile(&s, 0.5), 0);
    llmsim_stat_fini(&s);
}

/* Linear interpolation at p(n - 1), worked out by hand: of 10, 20, 30, 40 the rank of p90 is 2.7.
 */
Test(stat, interpolates)
{
    struct llmsim_stat s;
    cr_assert_eq(llmsim_stat_init(&s, true, NULL), LLMSIM_OK);
    llmsim_stat_add(&s, 40);
    llmsim_stat_add(&s, 10);
    llmsim_stat_add(&s, 30);
    llmsim_stat_add(&s, 20);
    cr_assert_float_eq(llmsim_stat_percentile(&s, 0.5), 25, 1e-12);
    cr_assert_float_eq(llmsim_stat_percentile(&s, 0.9), 37, 1e-12);
    cr_assert_float_eq(llmsim_stat_percentile(&s, 0), 10, 1e-12);
    cr_assert_float_eq(llmsim_stat_percentile(&s, 1), 40, 1e-12);
    cr_assert_float_eq(llmsim_stat_mean(&s), 25, 1e-12);
    cr_assert_eq(s.min, 10);
    cr_assert_eq(s.max, 40);
    llmsim_stat_fini(&s);
}

/* As many values as are kept, many of them equal: exactly the interpolated order statistics. */
Test(stat, kept_values_are_exact)
{
    enum { N = LLMSIM_STAT_EXACT };
    static uint64_t values[N];
    struct llmsim_stat s;
    uint64_t state = 3;
    cr_assert_eq(llmsim_stat_init(&s, true, NULL), LLMSIM_OK);
    for (size_t i = 0; i < N; i++) {
        values[i] = next_random(&state) % (i % 2 == 0 ? 100 : 10000000);
        llmsim_stat_add(&s, values[i]);
    }
    qsort(values, N, sizeof *values, compare);
    for (int i = 0; i <= 200; i++) {
        double position = i / 200.0 * (N - 1);
        size_t rank = (size_t)position;
        double low = (double)values[rank], high = (double)values[rank + (rank + 1 < N)];
        cr_assert_float_eq(llmsim_stat_percentile(&s, i / 200.0),
                           low + (high - low) * (position - (double)rank), 1e-9 * low);
    }
    llmsim_stat_fini(&s);
}

/* More values than are kept, over 12 orders of magnitude: still within 0.1 %, ends exact. */
Test(stat, histogram_error_is_under_a_thousandth)
{
    enum { N = 200000 };
    static uint64_t values[N];
    struct llmsim_stat s;
    uint64_t state = 1;
    __extension__ unsigned __int128 sum = 0;
    cr_assert_eq(llmsim_stat_init(&s, true, NULL), LLMSIM_OK);
    for (size_t i = 0; i < N; i++) {
        values[i] = (uint64_t)exp(27 * (double)(next_random(&state) % 1000003) / 1000003);
        sum += values[i];
        llmsim_stat_add(&s, values[i]);
    }
    qsort(values, N, sizeof *values, compare);
    cr_assert_eq(s.n, N);
    cr_assert(s.sum == sum);
    cr_assert_eq(s.min, values[0]);
    cr_assert_eq(s.max, values[N - 1]);
    for (int i = 0; i <= 1000; i++) {
        double p = i / 1000.0, position = p * (N - 1);
        size_t rank = (size_t)position;
        double low = (double)values[rank], high = (double)values[rank + (rank + 1 < N)];
        double exact = low + (high - low) * (position - (double)rank);
        double got = llmsim_stat_percentile(&s, p);
        cr_assert_leq(fabs(got - exact), 1e-3 * exact, "p %g: %g, exactly %g", p, got, exact);
    }
    llmsim_stat_fini(&s);
}

/* A progression counted a bucket at a time is the same as its values one by one. */
Test(stat, progression_equals_its_values)
{
    struct llmsim_stat by_run, by_value;
    uint64_t state = 7;
    for (int i = 0; i < 2000; i++) {
        cr_assert_eq(llmsim_stat_init(&by_run, false, NULL), LLMSIM_OK);
        cr_assert_eq(llmsim_stat_init(&by_value, false, NULL), LLMSIM_OK);
        llmsim_time first = (llmsim_time)(next_random(&state) >> next_random(&state) % 50) << 20;
        uint64_t increment = next_random(&state) >> next_random(&state) % 53;
        uint64_t n = 1 + next_random(&state) % 300, weight = 1 + next_random(&state) % 5;
        if (i % 10 == 0)
            increment = 0;
        if (i % 7 == 0) /* past the distance that fits 64 bits */
            first += llmsim_time_from_ns((int64_t)1 << 45);
        llmsim_stat_count_progression(&by_run, first, increment, n, weight);
        for (uint64_t j = 0; j < n; j++)
            llmsim_stat_count_progression(
                &by_value, first + (llmsim_time)increment * (llmsim_time)j, 0, 1, weight);
        cr_assert_eq(by_run.n, by_value.n);
        cr_assert_arr_eq(by_run.counts, by_value.counts,
                         LLMSIM_STAT_BUCKETS * sizeof *by_run.counts);
        llmsim_stat_fini(&by_run);
        llmsim_stat_fini(&by_value);
    }
}

/* A stat that grows says what one that has its memory from the start says, at every size. */
Test(stat, growing_equals_whole)
{
    struct llmsim_stat whole, growing;
    uint64_t state = 11;
    cr_assert_eq(llmsim_stat_init(&whole, true, NULL), LLMSIM_OK);
    llmsim_stat_init_growing(&growing);
    cr_assert_eq(llmsim_stat_percentile(&growing, 0.5), 0);
    for (uint64_t n = 1; n <= LLMSIM_STAT_EXACT + 1000; n++) {
        uint64_t value = next_random(&state) >> next_random(&state) % 40;
        llmsim_stat_add(&whole, value);
        cr_assert_eq(llmsim_stat_reserve(&growing, NULL), LLMSIM_OK);
        llmsim_stat_add(&growing, value);
        if (n > 40 && (n & (n + 1)) != 0 && n % 9999 != 0)
            continue;
        for (int i = 0; i <= 10; i++)
            cr_assert_eq(llmsim_stat_percentile(&growing, i / 10.0),
                         llmsim_stat_percentile(&whole, i / 10.0), "n %d", (int)n);
        cr_assert(growing.n == whole.n && growing.sum == whole.sum && growing.min == whole.min &&
                  growing.max == whole.max);
    }
    llmsim_stat_fini(&whole);
    llmsim_stat_fini(&growing);
}
