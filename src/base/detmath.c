/* detmath.c: argument reduction as in Sun's fdlibm (e_log.c, e_exp.c), then plain Taylor series. A
 * minimax polynomial would save three or four terms; these coefficients need no table to trust. */
#include "detmath.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* ln 2 in two parts; the first has 32 trailing zero bits, so that its product with an exponent is
 * exact. */
#define LN2_HIGH 6.93147180369123816490e-01
#define LN2_LOW 1.90821492927058770002e-10

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double from_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* c[0] + c[1] x + … + c[n - 1] x^(n - 1) */
static double polynomial(const double *c, int n, double x)
{
    double sum = c[n - 1];
    for (int i = n - 2; i >= 0; i--)
        sum = sum * x + c[i];
    return sum;
}

double llmsim_log(double x)
{
    /* x = 2^k (1 + f) with sqrt(1/2) < 1 + f < sqrt(2); s = f/(2 + f), |s| < 0.172;
     * log(1 + f) = 2 artanh(s) = 2 s (1 + s²/3 + s⁴/5 + …), the rest below 2^-60. */
    static const double c[] = {1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9,  1.0 / 11,
                               1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21};
    uint64_t bits = bits_of(x);
    double k = (double)((int64_t)(bits >> 52) - 1023);
    double m = from_bits((bits & 0x000FFFFFFFFFFFFFu) | 0x3FF0000000000000u);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        k += 1;
    }
    double f = m - 1;
    double s = f / (2 + f);
    double z = s * s;
    /* 2 s = f - s f: the large part exact, the small ones rounded. */
    double small = s * (2 * z * polynomial(c, 10, z) - f);
    return k * LN2_HIGH + (f + (small + k * LN2_LOW));
}

double llmsim_exp(double x)
{
    /* x = k ln 2 + r with |r| < 0.347; exp(r) by its series up to r^13/13!, the rest below 2^-57.
     */
    static const double c[] = {1.0 / 2,       1.0 / 6,        1.0 / 24,        1.0 / 120,
                               1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
                               1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
    if (x < -708)
        return 0;
    if (x > 709)
        return DBL_MAX;
    double k = floor(x * 1.44269504088896338700 + 0.5);
    double r = (x - k * LN2_HIGH) - k * LN2_LOW;
    double e = 1 + (r + r * r * polynomial(c, 12, r));
    return e * from_bits((uint64_t)((int64_t)k + 1023) << 52);
}

double llmsim_sin_turns(double turns)
{
    /* To a quarter turn about 0, exactly; then the series up to x^21/21!, the rest below 2^-56. */
    static const double c[] = {1.0,
                               -1.0 / 6,
                               1.0 / 120,
                               -1.0 / 5040,
                               1.0 / 362880,
                               -1.0 / 39916800,
                               1.0 / 6227020800,
                               -1.0 / 1307674368000,
                               1.0 / 355687428096000,
                               -1.0 / 121645100408832000,
                               1.0 / 51090942171709440000.0};
    double t = turns - floor(turns + 0.5);
    if (t > 0.25)
        t = 0.5 - t;
    else if (t < -0.25)
        t = -0.5 - t;
    double x = t * 6.28318530717958647693;
    return x * polynomial(c, 11, x * x);
}
