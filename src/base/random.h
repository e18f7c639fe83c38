/* random.h: random numbers whose bits depend on the seed alone. */
#ifndef LLMSIM_BASE_RANDOM_H
#define LLMSIM_BASE_RANDOM_H

#include <gsl/gsl_rng.h>
#include <stdbool.h>
#include <stdint.h>

struct llmsim_random {
    gsl_rng *rng;
    double spare; /* normal numbers come in pairs */
    bool has_spare;
};

/* Streams of one seed are independent of each other. false: out of memory. */
bool llmsim_random_init(struct llmsim_random *random, uint64_t seed, uint64_t stream);
void llmsim_random_fini(struct llmsim_random *random);

/* In (0, 1), a multiple of 2^-53; never 0 or 1. */
double llmsim_random_uniform(struct llmsim_random *random);
/* From 0 to n - 1, n > 0. */
uint64_t llmsim_random_below(struct llmsim_random *random, uint64_t n);
/* Mean 1. */
double llmsim_random_exponential(struct llmsim_random *random);
/* Mean 0, standard deviation 1. */
double llmsim_random_normal(struct llmsim_random *random);
/* Mean `shape`, scale 1; shape > 0. */
double llmsim_random_gamma(struct llmsim_random *random, double shape);

#endif
