/* ratio.h: exact fractions, for the rate of a trace. */
#ifndef LLMSIM_RATIO_H
#define LLMSIM_RATIO_H

#include <stdint.h>

#include "llmsim/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A rational number > 0, so that scaling arrivals is exact integer work. */
struct llmsim_ratio {
    uint64_t numerator;
    uint64_t denominator;
};
/* "0.5", "2", "1.25", ".3": up to 9 digits before and after the point. LLMSIM_USAGE if it is not
 * that or is 0. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_ratio_parse(const char *text, struct llmsim_ratio *ratio, struct llmsim_error *err);

/* When requests come `rate_scale` times as fast, one of `arrival_ns` (0 or later) comes at
 * round(arrival × denominator / numerator), halves up, INT64_MAX at most. */
LLMSIM_API int64_t llmsim_ratio_scale_arrival(struct llmsim_ratio rate_scale, int64_t arrival_ns);

#ifdef __cplusplus
}
#endif
#endif
