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

#ifdef __cplusplus
}
#endif
#endif
