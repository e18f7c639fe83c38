/* Numbers as text against printf's. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>

#include "numfmt.h"

static void check_u64(uint64_t x)
{
    char got[32], expected[32];
    *llmsim_put_u64(got, x) = '\0';
    (void)snprintf(expected, sizeof expected, "%" PRIu64, x);
    cr_assert_str_eq(got, expected);
}

static void check_ns(int64_t ns)
{
    char got[40], expected[40];
    uint64_t u = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    *llmsim_put_ns(got, ns) = '\0';
    (void)snprintf(expected, sizeof expected, "%s%" PRIu64 ".%09" PRIu64, ns < 0 ? "-" : "",
                   u / 1000000000, u % 1000000000);
    cr_assert_str_eq(got, expected);
}

Test(numfmt, borders)
{
    uint64_t power = 1;
    for (int i = 0; i < 20; i++, power *= 10) {
        check_u64(power - 1);
        check_u64(power);
        check_ns((int64_t)(power - 1));
        check_ns((int64_t)power);
        check_ns(-(int64_t)power);
    }
    check_u64(UINT64_MAX);
    check_ns(INT64_MAX);
    check_ns(INT64_MIN);
}

Test(numfmt, small_numbers)
{
    for (uint64_t x = 0; x < 2000000; x++)
        check_u64(x);
}

Test(numfmt, random)
{
    uint64_t x = 1;
    for (int i = 0; i < 1000000; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        check_u64(x >> i % 64);
        check_ns((int64_t)(x >> i % 64));
        char got[40], expected[40];
        *llmsim_put_millionths(got, x >> i % 64) = '\0';
        (void)snprintf(expected, sizeof expected, "%" PRIu64 ".%06" PRIu64, (x >> i % 64) / 1000000,
                       (x >> i % 64) % 1000000);
        cr_assert_str_eq(got, expected);
    }
}
