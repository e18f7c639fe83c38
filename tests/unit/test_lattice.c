/* The lattice: values between its nodes by hand, and fits of what it can hold. */
#include "lattice.h"

#include <criterion/criterion.h>
#include <math.h>

#include "random.h"

static struct llmsim_error err;

static void expect_at(const struct llmsim_lattice *lattice, double x, double y, double expected)
{
    double value = llmsim_lattice_at(lattice, (double[]){x, y});
    cr_expect_float_eq(value, expected, 1e-12, "(%g, %g): %.15g; expected %g", x, y, value,
                       expected);
}

/* Nodes 1, 4 and 1, 16, 64. Halfway in the logarithm are 2 of 1 to 4, 4 of 1 to 16, 32 of 16 to 64.
 */
Test(lattice, values_by_hand)
{
    struct llmsim_lattice lattice = {0};
    llmsim_lattice_add_axis(&lattice, (double[]){1, 4}, 2);
    llmsim_lattice_add_axis(&lattice, (double[]){1, 16, 64}, 3);
    cr_assert_eq(llmsim_lattice_alloc(&lattice, &err), LLMSIM_OK);
    cr_assert_eq(lattice.n_values, 6);
    const double values[] = {0, 1, 5, 2, 3, -7};
    for (unsigned i = 0; i < 6; i++)
        lattice.values[i] = values[i];
    expect_at(&lattice, 1, 1, 0);
    expect_at(&lattice, 4, 64, -7);
    expect_at(&lattice, 1, 4, 0.5);
    expect_at(&lattice, 2, 1, 1);
    expect_at(&lattice, 2, 4, 1.5);   /* (0 + 1 + 2 + 3) / 4 */
    expect_at(&lattice, 2, 32, 0.5);  /* (1 + 5 + 3 - 7) / 4 */
    expect_at(&lattice, 2, 2, 1.25);  /* 3/4 of 1 and 1/4 of 2 */
    expect_at(&lattice, 0.1, 1e9, 5); /* beyond the nodes: the nearest */
    expect_at(&lattice, 1e9, 0.1, 2);
    expect_at(&lattice, 1e9, 4, 2.5);
    llmsim_lattice_fini(&lattice);
}

Test(lattice, an_axis_of_one_node_changes_nothing)
{
    struct llmsim_lattice lattice = {0};
    llmsim_lattice_add_axis(&lattice, (double[]){8}, 1);
    llmsim_lattice_add_axis(&lattice, (double[]){1, 4}, 2);
    cr_assert_eq(llmsim_lattice_alloc(&lattice, &err), LLMSIM_OK);
    lattice.values[0] = 3;
    lattice.values[1] = 5;
    expect_at(&lattice, 1, 2, 4);
    expect_at(&lattice, 100, 2, 4);
    llmsim_lattice_fini(&lattice);
}

#define N_SAMPLES 4000

/* Multilinear in the logarithms, with all its products. */
static double multilinear(const double *point)
{
    double x = log(point[0]), y = log(point[1]), z = log(point[2]);
    return 0.3 - 0.2 * x + 0.05 * y + 0.4 * z + 0.03 * x * y - 0.02 * y * z + 0.01 * x * z +
           0.005 * x * y * z;
}

Test(lattice, a_fit_holds_a_multilinear_function)
{
    struct llmsim_lattice lattice = {0};
    struct llmsim_lattice_sample samples[N_SAMPLES] = {{{0}, 0, {0}}};
    struct llmsim_random random;
    const double nodes[] = {1, 3, 20, 100, 1000};
    cr_assert(llmsim_random_init(&random, 7, 0));
    for (unsigned a = 0; a < 3; a++)
        llmsim_lattice_add_axis(&lattice, nodes, 5);
    cr_assert_eq(llmsim_lattice_alloc(&lattice, &err), LLMSIM_OK);
    for (unsigned i = 0; i < N_SAMPLES; i++) {
        for (unsigned a = 0; a < 3; a++)
            samples[i].point[a] = exp(log(1000) * llmsim_random_uniform(&random));
        samples[i].value = multilinear(samples[i].point);
    }
    llmsim_random_fini(&random);
    cr_assert_eq(llmsim_lattice_fit(&lattice, samples, N_SAMPLES, &err), LLMSIM_OK);
    for (unsigned i = 0; i < 125; i++) {
        const double point[] = {nodes[i / 25], nodes[i / 5 % 5], nodes[i % 5]};
        cr_expect_float_eq(lattice.values[i], multilinear(point), 8e-3, "node %u: %g; expected %g",
                           i, lattice.values[i], multilinear(point));
    }
    llmsim_lattice_fini(&lattice);
}

/* What no sample says anything of: halfway between the neighbours; beyond the last sample on with
 * their slope for a while, but not for ever. */
Test(lattice, nodes_without_samples_continue_their_neighbours)
{
    struct llmsim_lattice lattice = {0};
    struct llmsim_lattice_sample samples[3] = {{{1}, 0, {0}}, {{2}, 0.5, {0}}, {{8}, 1.5, {0}}};
    llmsim_lattice_add_axis(&lattice, (double[]){1, 2, 4, 8, 16, 32, 1e6}, 7);
    cr_assert_eq(llmsim_lattice_alloc(&lattice, &err), LLMSIM_OK);
    cr_assert_eq(llmsim_lattice_fit(&lattice, samples, 3, &err), LLMSIM_OK);
    const double *v = lattice.values;
    cr_expect_float_eq(v[0], 0, 0.02);
    cr_expect_float_eq(v[1], 0.5, 0.02);
    cr_expect_float_eq(v[2], 1, 0.05);
    cr_expect_float_eq(v[3], 1.5, 0.02);
    cr_expect(v[3] < v[4] && v[4] < 2, "%g", v[4]);
    cr_expect(v[4] <= v[5] && v[5] < 2.5, "%g", v[5]);
    cr_expect_lt(fabs(v[6] - v[5]), 0.5, "%g, %g", v[5], v[6]);
    llmsim_lattice_fini(&lattice);
}
