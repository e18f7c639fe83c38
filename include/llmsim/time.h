/* time.h: simulated time.
 *
 * A time is a signed 128-bit integer that counts units of 2^-32 ns. The range is 2^95 ns (10^12
 * years) and the resolution 2.3e-10 ns, so a cost coefficient of 1 ns a token is kept to 10 digits
 * and sums of products of coefficients and token counts are exact: the sum of the steps of a decode
 * run and its closed form are the same integer (docs/model.md, section "Time"). Floating point
 * enters at one place, llmsim_time_from_seconds, where coefficients are converted. */
#ifndef LLMSIM_TIME_H
#define LLMSIM_TIME_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

__extension__ typedef __int128 llmsim_time;

#define LLMSIM_NS_PER_S INT64_C(1000000000)
#define LLMSIM_TIME_FRACTION_BITS 32
#define LLMSIM_TIME_ONE_NS ((llmsim_time)1 << LLMSIM_TIME_FRACTION_BITS)

static inline llmsim_time llmsim_time_from_ns(int64_t ns)
{
    return (llmsim_time)ns * LLMSIM_TIME_ONE_NS;
}

/* Nearest nanosecond, halves up. This is what every file prints. */
static inline int64_t llmsim_time_to_ns(llmsim_time t)
{
    return (int64_t)((t + LLMSIM_TIME_ONE_NS / 2) >> LLMSIM_TIME_FRACTION_BITS);
}

/* For `seconds` in [0, 1e15]: the nearest representable time. */
static inline llmsim_time llmsim_time_from_seconds(double seconds)
{
    return (llmsim_time)(seconds * 1e9 * 4294967296.0 + 0.5);
}

static inline double llmsim_time_to_seconds(llmsim_time t)
{
    return (double)t / 4294967296.0 / 1e9;
}

#ifdef __cplusplus
}
#endif
#endif
