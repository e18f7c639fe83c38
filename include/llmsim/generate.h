/* generate.h: synthetic traces, the same bytes on every machine.
 *
 * Uniform numbers are GSL's mt19937 (integer arithmetic, so exact everywhere); log, exp and sin are
 * our own, because a C library's may differ in the last bit from one processor to the next.
 * Arrivals, lengths and classes come from three streams of the seed: a change of the one leaves the
 * others as they were. */
#ifndef LLMSIM_GENERATE_H
#define LLMSIM_GENERATE_H

#include <stddef.h>
#include <stdint.h>

#include "llmsim/choice.h"
#include "llmsim/status.h"
#include "llmsim/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The gaps between arrivals are independent, with mean 1/rate; the first request arrives at 0. */
enum llmsim_arrivals {
    LLMSIM_ARRIVALS_POISSON,          /* exponential gaps */
    LLMSIM_ARRIVALS_GAMMA,            /* gamma-distributed gaps of a given variation */
    LLMSIM_ARRIVALS_HYPEREXPONENTIAL, /* bursts with long pauses: exponential gaps of two kinds */
    LLMSIM_ARRIVALS_CONSTANT,         /* all gaps equal */
};
/* The i-th kind of arrivals, whose enum value is i; NULL behind the last. */
LLMSIM_API const struct llmsim_choice *llmsim_arrivals_choice(size_t i);

enum llmsim_lengths {
    LLMSIM_LENGTHS_FIXED,
    LLMSIM_LENGTHS_LOGNORMAL,
    LLMSIM_LENGTHS_QUANTILES,
    LLMSIM_LENGTHS_EMPIRICAL, /* pairs drawn with replacement from the sample */
};

#define LLMSIM_MAX_QUANTILES 32u

/* Token counts of one kind (prompt or output). */
struct llmsim_length_spec {
    enum llmsim_lengths kind;
    double mean;       /* tokens; fixed: the value itself; lognormal: before min and max apply */
    double sigma;      /* lognormal: standard deviation of the logarithm */
    uint32_t min, max; /* tokens; lognormal: draws outside are drawn again */
    /* Quantiles: the share p[i] of the requests has at most tokens[i]; between two points the share
     * grows linearly. p goes from 0 to 1, both rise. */
    uint32_t n_quantiles;
    double p[LLMSIM_MAX_QUANTILES];
    double tokens[LLMSIM_MAX_QUANTILES];
};

/* "fixed:N", "lognormal:MEAN,SIGMA[,MIN,MAX]" or "quantiles:P=TOKENS,P=TOKENS,…". LLMSIM_USAGE with
 * the reason if it is none of these. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_length_spec_parse(const char *text, struct llmsim_length_spec *spec,
                         struct llmsim_error *err);

/* Classes with their shares of the requests. */
#define LLMSIM_MAX_CLASS_MIX 32u
struct llmsim_class_mix;
/* "NAME=SHARE,NAME=SHARE,…" with any shares above 0: what counts is their ratio. LLMSIM_USAGE with
 * the reason if it is not that. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_class_mix_parse(const char *text, struct llmsim_class_mix **mix, struct llmsim_error *err);
LLMSIM_API void llmsim_class_mix_destroy(struct llmsim_class_mix *mix);

struct llmsim_generate_options {
    uint64_t n_requests;
    uint64_t seed;
    enum llmsim_arrivals arrivals;
    double rate_per_s;
    double cv; /* gamma, hyperexponential: coefficient of variation of the gaps */
    /* Day curve: the rate at time t is rate_per_s × (1 + amplitude × cos(2π (t − peak)/period));
     * amplitude 0 (no curve) to less than 1. */
    double day_amplitude, day_period_s, day_peak_s;
    struct llmsim_length_spec prompt, output;
    /* LLMSIM_LENGTHS_EMPIRICAL: pairs drawn with replacement from these requests, borrowed. */
    const struct llmsim_request *sample;
    uint64_t n_sample;
    /* Each request's class is drawn by itself; NULL: they have none. Borrowed. */
    const struct llmsim_class_mix *classes;
};

struct llmsim_generator;

/* LLMSIM_USAGE with the reason if an option is out of its range. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_generator_create(const struct llmsim_generate_options *options,
                        struct llmsim_generator **generator, struct llmsim_error *err);
LLMSIM_API void llmsim_generator_destroy(struct llmsim_generator *generator);
/* Its read fails with LLMSIM_USAGE where arrivals pass LLMSIM_MAX_ARRIVAL_NS, or where min and max
 * leave next to nothing of a lognormal distribution. */
LLMSIM_API struct llmsim_source llmsim_generator_source(struct llmsim_generator *generator);

#ifdef __cplusplus
}
#endif
#endif
