/* Regression: NIST's certified values, normal equations in long double, and every active set. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "linear_fit.h"
#include "support/random_case.h"

static struct llmsim_error err;

/* NIST StRD, Longley: 16 observations of employment, ill-conditioned. */
static const double longley[16][7] = {
    {60323, 83.0, 234289, 2356, 1590, 107608, 1947},
    {61122, 88.5, 259426, 2325, 1456, 108632, 1948},
    {60171, 88.2, 258054, 3682, 1616, 109773, 1949},
    {61187, 89.5, 284599, 3351, 1650, 110929, 1950},
    {63221, 96.2, 328975, 2099, 3099, 112075, 1951},
    {63639, 98.1, 346999, 1932, 3594, 113270, 1952},
    {64989, 99.0, 365385, 1870, 3547, 115094, 1953},
    {63761, 100.0, 363112, 3578, 3350, 116219, 1954},
    {66019, 101.2, 397469, 2904, 3048, 117388, 1955},
    {67857, 104.6, 419180, 2822, 2857, 118734, 1956},
    {68169, 108.4, 442769, 2936, 2798, 120445, 1957},
    {66513, 110.8, 444546, 4681, 2637, 121950, 1958},
    {68655, 112.6, 482704, 3813, 2552, 123366, 1959},
    {69564, 114.2, 502601, 3931, 2514, 125368, 1960},
    {69331, 115.7, 518173, 4806, 2572, 127852, 1961},
    {70551, 116.9, 554894, 4007, 2827, 130081, 1962},
};

Test(linear_fit, longley)
{
    const double certified[7] = {-3482258.63459582, 15.0618722713733,  -0.358191792925910E-01,
                                 -2.02022980381683, -1.03322686717359, -0.511041056535807E-01,
                                 1829.15146461355};
    const double certified_errors[7] = {890420.383607373,  84.9149257747669,  0.334910077722432E-01,
                                        0.488399681651699, 0.214274163161675, 0.226073200069370,
                                        455.478499142212};
    double a[16 * 7], y[16], w[16];
    for (size_t i = 0; i < 16; i++) {
        y[i] = longley[i][0];
        w[i] = 1;
        a[i * 7] = 1;
        for (size_t j = 1; j < 7; j++)
            a[i * 7 + j] = longley[i][j];
    }
    struct llmsim_linear_fit fit;
    cr_assert_eq(llmsim_linear_fit(a, y, w, 16, 7, &fit, &err), LLMSIM_OK);
    for (size_t i = 0; i < 7; i++) {
        cr_expect_float_eq(fit.x[i], certified[i], 1e-8 * fabs(certified[i]), "B%zu is %.15g", i,
                           fit.x[i]);
        cr_expect_float_eq(fit.standard_error[i], certified_errors[i], 1e-7 * certified_errors[i]);
    }
    cr_expect_float_eq(fit.chi_squared, 836424.055505915, 1e-3);
    /* The condition number of the scaled columns is known to be about 4.3e4. */
    struct llmsim_condition condition;
    cr_assert_eq(llmsim_linear_condition(a, 16, 7, &condition, &err), LLMSIM_OK);
    cr_expect_gt(condition.number, 4e4);
    cr_expect_lt(condition.number, 4.6e4);
}

#define N 40
#define P 5

struct small_case {
    double a[N * P], b[N], w[N];
};

static void make_small(struct small_case *c, uint64_t *state)
{
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < P; j++)
            c->a[i * P + j] = (double)case_random(state, 2000001) / 1e6 - 1;
        c->b[i] = (double)case_random(state, 2000001) / 1e6 - 1;
        c->w[i] = 0.1 + (double)case_random(state, 1000) / 500;
    }
}

/* Normal equations of the columns in `mask` in long double, by Gauss with pivots. */
static void solve_exactly(const struct small_case *c, unsigned mask, long double x[P])
{
    long double m[P][P + 1] = {{0}};
    size_t columns[P], k = 0;
    for (size_t j = 0; j < P; j++) {
        x[j] = 0;
        if ((mask >> j & 1) != 0)
            columns[k++] = j;
    }
    for (size_t i = 0; i < N; i++)
        for (size_t r = 0; r < k; r++) {
            long double f = (long double)c->w[i] * c->a[i * P + columns[r]];
            for (size_t s = 0; s < k; s++)
                m[r][s] += f * c->a[i * P + columns[s]];
            m[r][k] += f * c->b[i];
        }
    for (size_t r = 0; r < k; r++) {
        size_t pivot = r;
        for (size_t s = r + 1; s < k; s++)
            if (fabsl(m[s][r]) > fabsl(m[pivot][r]))
                pivot = s;
        for (size_t s = 0; s <= k; s++) {
            long double swapped = m[r][s];
            m[r][s] = m[pivot][s];
            m[pivot][s] = swapped;
        }
        for (size_t s = 0; s < k; s++)
            if (s != r) {
                long double f = m[s][r] / m[r][r];
                for (size_t t = r; t <= k; t++)
                    m[s][t] -= f * m[r][t];
            }
    }
    for (size_t r = 0; r < k; r++)
        x[columns[r]] = m[r][k] / m[r][r];
}

static long double loss(const struct small_case *c, const long double x[P])
{
    long double sum = 0;
    for (size_t i = 0; i < N; i++) {
        long double r = -(long double)c->b[i];
        for (size_t j = 0; j < P; j++)
            r += x[j] * c->a[i * P + j];
        sum += c->w[i] * r * r;
    }
    return sum;
}

Test(linear_fit, agrees_with_normal_equations)
{
    uint64_t state = 3;
    for (int n = 0; n < 100; n++) {
        struct small_case c;
        struct llmsim_linear_fit fit;
        long double x[P];
        make_small(&c, &state);
        solve_exactly(&c, (1u << P) - 1, x);
        cr_assert_eq(llmsim_linear_fit(c.a, c.b, c.w, N, P, &fit, &err), LLMSIM_OK);
        for (size_t j = 0; j < P; j++)
            cr_assert_float_eq(fit.x[j], (double)x[j], 1e-12);
        cr_assert_float_eq(fit.chi_squared, (double)loss(&c, x), 1e-12);
    }
}

/* The best of all 2^P active sets whose solution has nothing negative. */
Test(linear_fit, nnls_finds_the_best_active_set)
{
    uint64_t state = 4;
    for (int n = 0; n < 500; n++) {
        struct small_case c;
        double gram[P * P] = {0}, at_b[P] = {0}, found[P];
        long double best = INFINITY, x[P], best_x[P] = {0};
        make_small(&c, &state);
        for (unsigned mask = 0; mask < 1u << P; mask++) {
            bool feasible = true;
            solve_exactly(&c, mask, x);
            for (size_t j = 0; j < P; j++)
                feasible = feasible && x[j] >= 0;
            if (feasible && loss(&c, x) < best) {
                best = loss(&c, x);
                memcpy(best_x, x, sizeof x);
            }
        }
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j < P; j++) {
                at_b[j] += c.w[i] * c.a[i * P + j] * c.b[i];
                for (size_t k = 0; k < P; k++)
                    gram[j * P + k] += c.w[i] * c.a[i * P + j] * c.a[i * P + k];
            }
        llmsim_nnls(gram, at_b, P, found);
        for (size_t j = 0; j < P; j++)
            cr_assert_float_eq(found[j], (double)best_x[j], 1e-10);
    }
}

/* A column twice: one of the two gets it all, and nothing breaks. */
Test(linear_fit, nnls_leaves_out_what_is_spanned)
{
    const double gram[9] = {4, 4, 1, 4, 4, 1, 1, 1, 2}, at_b[3] = {8, 8, 3};
    double x[3];
    llmsim_nnls(gram, at_b, 3, x);
    /* 4s + z = 8, s + 2z = 3: s = 13/7, z = 4/7. */
    cr_expect_float_eq(x[0] + x[1], 13.0 / 7, 1e-12);
    cr_expect_float_eq(x[2], 4.0 / 7, 1e-12);
}
