/* ratio.c: decimal text to an exact fraction in lowest terms. */
#include "llmsim/ratio.h"

#include <stdbool.h>

static bool read_digits(const char **p, uint64_t *value, uint64_t *scale)
{
    const char *start = *p;
    for (; **p >= '0' && **p <= '9' && *p - start <= 9; (*p)++) {
        *value = *value * 10 + (uint64_t)(**p - '0');
        *scale *= 10;
    }
    return *p - start >= 1 && *p - start <= 9;
}

enum llmsim_status llmsim_ratio_parse(const char *text, struct llmsim_ratio *ratio,
                                      struct llmsim_error *err)
{
    uint64_t value = 0, scale = 1, unused = 1;
    const char *p = text;
    bool good = *p == '.' || read_digits(&p, &value, &unused);
    if (good && *p == '.') {
        p++;
        good = read_digits(&p, &value, &scale);
    }
    if (!good || *p != '\0' || value == 0)
        return llmsim_fail(err, LLMSIM_USAGE,
                           "'%s': expected a number greater than 0, such as 2 or 0.25, with at "
                           "most 9 digits before and after its point",
                           text);
    uint64_t a = value, b = scale; /* greatest common divisor */
    while (b != 0) {
        uint64_t remainder = a % b;
        a = b;
        b = remainder;
    }
    *ratio = (struct llmsim_ratio){value / a, scale / a};
    return LLMSIM_OK;
}

int64_t llmsim_ratio_scale_arrival(struct llmsim_ratio rate_scale, int64_t arrival_ns)
{
    __extension__ typedef unsigned __int128 u128;
    /* A time before 0 is for the caller to refuse. */
    if (rate_scale.numerator == rate_scale.denominator || arrival_ns < 0)
        return arrival_ns;
    u128 doubled = (u128)arrival_ns * rate_scale.denominator * 2 + rate_scale.numerator;
    u128 scaled = doubled / ((u128)rate_scale.numerator * 2);
    return scaled > INT64_MAX ? INT64_MAX : (int64_t)scaled;
}
