/* generate.h: synthetic traces, the same bytes on every machine.
 *
 * Uniform numbers are GSL's mt19937 (integer arithmetic, so exact everywhere); log and exp are our
 * own, because a C library's may differ in the last bit from one processor to the next. */
#ifndef LLMSIM_GENERATE_H
#define LLMSIM_GENERATE_H

#include <stdint.h>

#include "llmsim/status.h"
#include "llmsim/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

enum llmsim_arrivals { LLMSIM_ARRIVALS_POISSON, LLMSIM_ARRIVALS_GAMMA, LLMSIM_ARRIVALS_CONSTANT };
enum llmsim_lengths { LLMSIM_LENGTHS_FIXED, LLMSIM_LENGTHS_LOGNORMAL, LLMSIM_LENGTHS_EMPIRICAL };

/* Token counts of one kind (prompt or output). */
struct llmsim_length_spec {
    enum llmsim_lengths kind;
    double mean;       /* tokens; fixed: the value itself */
    double sigma;      /* lognormal: standard deviation of the logarithm */
    uint32_t min, max; /* tokens; draws outside are drawn again (lognormal) */
};

struct llmsim_generate_options {
    uint64_t n_requests;
    uint64_t seed;
    enum llmsim_arrivals arrivals;
    double rate_per_s;
    double cv; /* gamma: coefficient of variation of the gaps */
    /* Day curve: the rate at time t is rate_per_s × (1 + amplitude × sin(2π (t − peak)/period +
     * π/2)); amplitude 0 (default) to < 1. */
    double day_amplitude, day_period_s, day_peak_s;
    struct llmsim_length_spec prompt, output;
    /* LLMSIM_LENGTHS_EMPIRICAL: pairs drawn with replacement from these requests, borrowed. */
    const struct llmsim_request *sample;
    uint64_t n_sample;
};

struct llmsim_generator;

/* LLMSIM_USAGE with the reason if an option is out of its range. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_generator_create(const struct llmsim_generate_options *options,
                        struct llmsim_generator **generator, struct llmsim_error *err);
LLMSIM_API void llmsim_generator_destroy(struct llmsim_generator *generator);
LLMSIM_API struct llmsim_source llmsim_generator_source(struct llmsim_generator *generator);

#ifdef __cplusplus
}
#endif
#endif
