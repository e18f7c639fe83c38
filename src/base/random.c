/* random.c: textbook methods over mt19937. GSL's own distributions are not used, because they call
 * libm. */
#include "random.h"

#include <math.h>

#include "detmath.h"
#include "gsl_errors.h"

/* Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014: the finaliser. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

bool llmsim_random_init(struct llmsim_random *random, uint64_t seed, uint64_t stream)
{
    llmsim_gsl_return_errors();
    *random = (struct llmsim_random){.rng = gsl_rng_alloc(gsl_rng_mt19937)};
    if (random->rng == NULL)
        return false;
    /* mt19937 takes 32 bits of seed. */
    gsl_rng_set(random->rng, mix(mix(seed) + stream * 0x9E3779B97F4A7C15u) >> 32);
    return true;
}

void llmsim_random_fini(struct llmsim_random *random)
{
    gsl_rng_free(random->rng);
    random->rng = NULL;
}

static uint64_t next_52_bits(struct llmsim_random *random)
{
    uint64_t high = gsl_rng_get(random->rng) >> 6;
    return high << 26 | gsl_rng_get(random->rng) >> 6;
}

double llmsim_random_uniform(struct llmsim_random *random)
{
    return ((double)next_52_bits(random) + 0.5) * 0x1p-52;
}

uint64_t llmsim_random_below(struct llmsim_random *random, uint64_t n)
{
    __extension__ typedef unsigned __int128 u128;
    return (uint64_t)((u128)next_52_bits(random) * n >> 52);
}

double llmsim_random_exponential(struct llmsim_random *random)
{
    return -llmsim_log(llmsim_random_uniform(random));
}

/* Marsaglia's polar method: a point in the unit disc gives two independent normal numbers. */
double llmsim_random_normal(struct llmsim_random *random)
{
    if (random->has_spare) {
        random->has_spare = false;
        return random->spare;
    }
    double x, y, square;
    do {
        x = 2 * llmsim_random_uniform(random) - 1;
        y = 2 * llmsim_random_uniform(random) - 1;
        square = x * x + y * y;
    } while (square >= 1);
    double factor = sqrt(-2 * llmsim_log(square) / square);
    random->spare = y * factor;
    random->has_spare = true;
    return x * factor;
}

/* Marsaglia and Tsang, "A simple method for generating gamma variables", 2000, for shape >= 1; a
 * smaller shape is one more, times U^(1/shape). */
double llmsim_random_gamma(struct llmsim_random *random, double shape)
{
    double boost = 1;
    if (shape < 1) {
        boost = llmsim_exp(llmsim_log(llmsim_random_uniform(random)) / shape);
        shape += 1;
    }
    double d = shape - 1.0 / 3;
    double c = 1 / sqrt(9 * d);
    for (;;) {
        double x = llmsim_random_normal(random);
        double v = 1 + c * x;
        if (v <= 0)
            continue;
        v = v * v * v;
        double u = llmsim_random_uniform(random);
        if (llmsim_log(u) < 0.5 * x * x + d * (1 - v + llmsim_log(v)))
            return d * v * boost;
    }
}
