/* lattice.c: values between the nodes, and the values that fit measurements best. */
#include "lattice.h"

#include <gsl/gsl_errno.h>
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "detmath.h"
#include "gsl_errors.h"

#define MAX_CORNERS (2u << LLMSIM_LATTICE_MAX_AXES) /* of the two terms of a sum */

void llmsim_lattice_add_axis(struct llmsim_lattice *lattice, const double *nodes, unsigned n)
{
    struct llmsim_lattice_axis *axis = &lattice->axes[lattice->n_axes++];
    axis->n = n;
    for (unsigned i = 0; i < n; i++) {
        axis->node[i] = nodes[i];
        axis->log_node[i] = llmsim_log(nodes[i]);
    }
}

enum llmsim_status llmsim_lattice_alloc(struct llmsim_lattice *lattice, struct llmsim_error *err)
{
    lattice->n_values = 1;
    for (unsigned a = 0; a < lattice->n_axes; a++)
        lattice->n_values *= lattice->axes[a].n;
    lattice->values = calloc(lattice->n_values, sizeof *lattice->values);
    return lattice->values != NULL ? LLMSIM_OK
                                   : llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
}

void llmsim_lattice_fini(struct llmsim_lattice *lattice)
{
    free(lattice->values);
    *lattice = (struct llmsim_lattice){0};
}

/* The nodes around a point and their shares of it, which add up to 1. */
struct corners {
    unsigned n;
    size_t index[MAX_CORNERS];
    double share[MAX_CORNERS];
};

static void find_corners(const struct llmsim_lattice *lattice, const double *point,
                         struct corners *c)
{
    c->n = 1;
    c->index[0] = 0;
    c->share[0] = 1;
    for (unsigned a = 0; a < lattice->n_axes; a++) {
        const struct llmsim_lattice_axis *axis = &lattice->axes[a];
        double x = llmsim_log(point[a]);
        unsigned i = 0;
        while (i + 2 < axis->n && x >= axis->log_node[i + 1])
            i++;
        double share = 0;
        if (axis->n > 1)
            share = (x - axis->log_node[i]) / (axis->log_node[i + 1] - axis->log_node[i]);
        share = share < 0 ? 0 : share > 1 ? 1 : share;
        unsigned n = c->n;
        for (unsigned j = 0; j < n; j++) {
            c->index[j] = c->index[j] * axis->n + i;
            if (share > 0) {
                c->index[c->n] = c->index[j] + 1;
                c->share[c->n++] = c->share[j] * share;
                c->share[j] *= 1 - share;
            }
        }
    }
}

double llmsim_lattice_at(const struct llmsim_lattice *lattice, const double *point)
{
    struct corners c;
    double value = 0;
    find_corners(lattice, point, &c);
    for (unsigned j = 0; j < c.n; j++)
        value += c.share[j] * lattice->values[c.index[j]];
    return value;
}

/* ---- the fit ---- */

/* A term of a sum, and the corners that its logarithm is interpolated between. */
static double find_term(const struct llmsim_lattice *lattice,
                        const struct llmsim_lattice_sample *sample, unsigned part,
                        struct corners *c)
{
    double point[LLMSIM_LATTICE_MAX_AXES], value = 0;
    memcpy(point, sample->point, sizeof point);
    point[lattice->n_axes - 1] = part + 1;
    find_corners(lattice, point, c);
    for (unsigned j = 0; j < c->n; j++)
        value += c->share[j] * lattice->values[c->index[j]];
    return sample->parts[part] * exp(value);
}

static bool is_sum(const struct llmsim_lattice_sample *sample)
{
    return sample->parts[0] > 0;
}

double llmsim_lattice_predict(const struct llmsim_lattice *lattice,
                              const struct llmsim_lattice_sample *sample)
{
    struct corners c;
    if (!is_sum(sample))
        return llmsim_lattice_at(lattice, sample->point);
    double first = find_term(lattice, sample, 0, &c);
    return log(first + find_term(lattice, sample, 1, &c));
}

/* The sample as a linear equation: shares of the lattice's values that add up to a right side. The
 * logarithm of a sum changes with that of a term as the term's share of the sum. */
static double find_equation(const struct llmsim_lattice *lattice,
                            const struct llmsim_lattice_sample *sample, struct corners *c)
{
    struct corners second;
    if (!is_sum(sample)) {
        find_corners(lattice, sample->point, c);
        return sample->value;
    }
    double terms[] = {find_term(lattice, sample, 0, c), find_term(lattice, sample, 1, &second)};
    double sum = terms[0] + terms[1], right = sample->value - log(sum);
    for (unsigned j = 0; j < c->n; j++)
        c->share[j] *= terms[0] / sum;
    for (unsigned j = 0; j < second.n; j++) {
        c->index[c->n] = second.index[j];
        c->share[c->n++] = second.share[j] * terms[1] / sum;
    }
    for (unsigned j = 0; j < c->n; j++)
        right += c->share[j] * lattice->values[c->index[j]];
    return right;
}

/* How much a second difference counts beside a sample, and how little a value itself. */
#define SMOOTHNESS 1e-2
#define SMOOTHNESS_OF_SUMS 0.3
#define FLATNESS 1e-2
#define DAMPING 1e-4
/* Errors below this are as good as none: their samples weigh no more than that. */
#define FINE_ERROR 0.02
#define N_ROUNDS 4
/* Sums are linear in no round: more of them, of steps no longer than this. */
#define N_ROUNDS_OF_SUMS 12
#define MAX_STEP 1.0

/* The normal equations: a symmetric matrix of which row i holds the elements (i + j, i), the lower
 * band, as GSL has them; a node's neighbours are at most two steps of the first axis away. */
struct normal {
    gsl_matrix *band;
    gsl_vector *right, *solution;
};

static void add_equation(struct normal *e, const size_t *index, const double *share, unsigned n,
                         double value, double weight)
{
    for (unsigned j = 0; j < n; j++) {
        double w = weight * share[j];
        *gsl_vector_ptr(e->right, index[j]) += w * value;
        for (unsigned k = 0; k < n; k++)
            if (index[k] >= index[j])
                *gsl_matrix_ptr(e->band, index[j], index[k] - index[j]) += w * share[k];
    }
}

/* The second difference at each inner node of each axis is to be 0. */
static void add_smoothness(const struct llmsim_lattice *lattice, double weight, struct normal *e)
{
    size_t stride = lattice->n_values;
    for (unsigned a = 0; a < lattice->n_axes; a++) {
        const struct llmsim_lattice_axis *axis = &lattice->axes[a];
        stride /= axis->n;
        for (size_t v = 0; v < lattice->n_values; v++) {
            size_t i = v / stride % axis->n;
            if (i + 1 >= axis->n)
                continue;
            /* Where no sample is, no slope goes on: it would lead anywhere. */
            add_equation(e, (size_t[]){v, v + stride}, (double[]){-1, 1}, 2, 0, FLATNESS);
            if (i == 0)
                continue;
            double before = 1 / (axis->log_node[i] - axis->log_node[i - 1]);
            double after = 1 / (axis->log_node[i + 1] - axis->log_node[i]);
            add_equation(e, (size_t[]){v - stride, v, v + stride},
                         (double[]){before, -before - after, after}, 3, 0, weight);
        }
    }
}

static bool solve_round(struct llmsim_lattice *lattice, const struct llmsim_lattice_sample *samples,
                        size_t n_samples, bool is_first, struct normal *e)
{
    bool are_sums = is_sum(&samples[0]);
    double longest = are_sums ? MAX_STEP : INFINITY;
    gsl_matrix_set_zero(e->band);
    gsl_vector_set_zero(e->right);
    for (size_t v = 0; v < lattice->n_values; v++)
        gsl_matrix_set(e->band, v, 0, DAMPING);
    add_smoothness(lattice, are_sums ? SMOOTHNESS_OF_SUMS : SMOOTHNESS, e);
    for (size_t i = 0; i < n_samples; i++) {
        struct corners c;
        double right = find_equation(lattice, &samples[i], &c), error = FINE_ERROR;
        if (!is_first)
            error = fabs(llmsim_lattice_predict(lattice, &samples[i]) - samples[i].value);
        add_equation(e, c.index, c.share, c.n, right, is_first ? 1 : 1 / fmax(error, FINE_ERROR));
    }
    if (gsl_linalg_cholesky_band_decomp(e->band) != GSL_SUCCESS ||
        gsl_linalg_cholesky_band_solve(e->band, e->right, e->solution) != GSL_SUCCESS)
        return false;
    for (size_t v = 0; v < lattice->n_values; v++)
        lattice->values[v] +=
            fmax(-longest, fmin(longest, gsl_vector_get(e->solution, v) - lattice->values[v]));
    return true;
}

enum llmsim_status llmsim_lattice_fit(struct llmsim_lattice *lattice,
                                      const struct llmsim_lattice_sample *samples, size_t n_samples,
                                      struct llmsim_error *err)
{
    size_t n = lattice->n_values;
    size_t width = 2 * (n / lattice->axes[0].n) + 1;
    if (width > n)
        width = n;
    llmsim_gsl_return_errors();
    struct normal e = {gsl_matrix_alloc(n, width), gsl_vector_alloc(n), gsl_vector_alloc(n)};
    enum llmsim_status status = LLMSIM_OK;
    if (e.band == NULL || e.right == NULL || e.solution == NULL)
        status = llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    unsigned n_rounds = n_samples > 0 && is_sum(&samples[0]) ? N_ROUNDS_OF_SUMS : N_ROUNDS;
    for (unsigned round = 0; round < n_rounds && status == LLMSIM_OK; round++)
        if (!solve_round(lattice, samples, n_samples, round == 0, &e))
            status = llmsim_fail(err, LLMSIM_RUN_FAILED,
                                 "the lattice's normal equations have no solution");
    gsl_vector_free(e.solution);
    gsl_vector_free(e.right);
    gsl_matrix_free(e.band);
    return status;
}
