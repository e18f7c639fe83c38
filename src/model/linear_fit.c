/* linear_fit.c: regression by GSL. */
#include "linear_fit.h"

#include <float.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <string.h>

#include "gsl_errors.h"

#define MAX LLMSIM_LINEAR_MAX_TERMS

/* A matrix as Q U S Vᵀ: Householder's Q and R, then the singular values of R by Jacobi's rotations.
 * GSL's own SVD of the whole matrix, which gsl_multifit uses too, allocates a vector on the way and
 * does not look whether it got one. */
struct decomposition {
    gsl_matrix *qr, *u, *v;
    gsl_vector *tau, *s; /* s falls */
};

/* Room for n × p. LLMSIM_RUN_FAILED; to be fini'd in any case. */
static enum llmsim_status decomposition_init(struct decomposition *d, size_t n, size_t p,
                                             struct llmsim_error *err)
{
    llmsim_gsl_return_errors();
    *d = (struct decomposition){gsl_matrix_alloc(n < p ? p : n, p), gsl_matrix_alloc(p, p),
                                gsl_matrix_alloc(p, p), gsl_vector_alloc(p), gsl_vector_alloc(p)};
    if (d->qr == NULL || d->u == NULL || d->v == NULL || d->tau == NULL || d->s == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    gsl_matrix_set_zero(d->qr);
    return LLMSIM_OK;
}

static void decomposition_fini(struct decomposition *d)
{
    gsl_matrix_free(d->qr);
    gsl_matrix_free(d->u);
    gsl_matrix_free(d->v);
    gsl_vector_free(d->tau);
    gsl_vector_free(d->s);
}

/* Of what is in d->qr. */
static enum llmsim_status decompose(struct decomposition *d, struct llmsim_error *err)
{
    size_t p = d->u->size1;
    int failure = gsl_linalg_QR_decomp(d->qr, d->tau);
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j < p; j++)
            gsl_matrix_set(d->u, i, j, i <= j ? gsl_matrix_get(d->qr, i, j) : 0);
    if (failure == 0)
        failure = gsl_linalg_SV_decomp_jacobi(d->u, d->v, d->s);
    return failure == 0
               ? LLMSIM_OK
               : llmsim_fail(err, LLMSIM_RUN_FAILED, "the regression found no solution: %s",
                             gsl_strerror(failure));
}

/* The inverse of a singular value; 0 for one that is next to none beside the largest. */
static double invert(const struct decomposition *d, size_t m)
{
    double value = gsl_vector_get(d->s, m);
    return value > DBL_EPSILON * gsl_vector_get(d->s, 0) ? 1 / value : 0;
}

/* x and its variances, of columns that are scaled by 1 / length; y becomes Qᵀ y. */
static void solve(const struct decomposition *d, gsl_vector *y, const double *length,
                  struct llmsim_linear_fit *fit)
{
    size_t p = d->u->size1;
    (void)gsl_linalg_QR_QTvec(d->qr, d->tau, y);
    for (size_t i = 0; i < p; i++)
        fit->x[i] = fit->standard_error[i] = 0;
    for (size_t m = 0; m < p; m++) {
        double along = 0;
        for (size_t i = 0; i < p; i++)
            along += gsl_matrix_get(d->u, i, m) * gsl_vector_get(y, i);
        for (size_t i = 0; i < p; i++) {
            double step = gsl_matrix_get(d->v, i, m) * invert(d, m) / length[i];
            fit->x[i] += step * along;
            fit->standard_error[i] += step * step;
        }
    }
}

/* Row i of d->qr is row i of `a`, times the root of its weight (NULL: 1), and every column then
 * divided by its length. */
static void set_columns(struct decomposition *d, const double *a, const double *w, size_t n,
                        double *length)
{
    size_t p = d->qr->size2;
    for (size_t j = 0; j < p; j++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += (w != NULL ? w[i] : 1) * a[i * p + j] * a[i * p + j];
        length[j] = sum > 0 ? sqrt(sum) : 1;
        for (size_t i = 0; i < n; i++)
            gsl_matrix_set(d->qr, i, j, (w != NULL ? sqrt(w[i]) : 1) * a[i * p + j] / length[j]);
    }
}

enum llmsim_status llmsim_linear_fit(const double *a, const double *b, const double *w, size_t n,
                                     size_t p, struct llmsim_linear_fit *fit,
                                     struct llmsim_error *err)
{
    struct decomposition d;
    double length[MAX];
    gsl_vector *y = NULL;
    enum llmsim_status status = decomposition_init(&d, n, p, err);
    if (status == LLMSIM_OK && (y = gsl_vector_calloc(d.qr->size1)) == NULL)
        status = llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    if (status == LLMSIM_OK) {
        set_columns(&d, a, w, n, length);
        status = decompose(&d, err);
    }
    if (status != LLMSIM_OK)
        goto out;
    for (size_t i = 0; i < n; i++)
        gsl_vector_set(y, i, sqrt(w[i]) * b[i]);
    solve(&d, y, length, fit);
    fit->chi_squared = 0;
    for (size_t i = 0; i < n; i++) {
        double error = b[i];
        for (size_t j = 0; j < p; j++)
            error -= a[i * p + j] * fit->x[j];
        fit->chi_squared += w[i] * error * error;
    }
    /* The variances are those of known variances 1 / w; ours are known up to a factor. */
    double variance = n > p ? fit->chi_squared / (double)(n - p) : 0;
    for (size_t i = 0; i < p; i++)
        fit->standard_error[i] = sqrt(variance * fit->standard_error[i]);
out:
    gsl_vector_free(y);
    decomposition_fini(&d);
    return status;
}

/* Solve the normal equations of the columns in the set by Cholesky's decomposition. The last of
 * them is left out, and false returned, where the others span it. */
static bool solve_set(const double *gram, const double *at_b, size_t p, const size_t *set, size_t k,
                      double *x)
{
    double l[MAX * MAX], z[MAX];
    for (size_t i = 0; i < k; i++) {
        for (size_t j = 0; j <= i; j++) {
            double sum = gram[set[i] * p + set[j]];
            for (size_t m = 0; m < j; m++)
                sum -= l[i * MAX + m] * l[j * MAX + m];
            if (i == j && !(sum > 1e-11 * gram[set[i] * p + set[i]]))
                return false;
            l[i * MAX + j] = i == j ? sqrt(sum) : sum / l[j * MAX + j];
        }
        z[i] = at_b[set[i]];
        for (size_t m = 0; m < i; m++)
            z[i] -= l[i * MAX + m] * z[m];
        z[i] /= l[i * MAX + i];
    }
    for (size_t n = k; n > 0; n--) {
        size_t i = n - 1;
        for (size_t m = i + 1; m < k; m++)
            z[i] -= l[m * MAX + i] * z[m];
        z[i] /= l[i * MAX + i];
    }
    for (size_t i = 0; i < k; i++)
        x[set[i]] = z[i];
    return true;
}

/* Towards `s`, until the first x of the set would fall below 0; those at 0 leave it. */
static void step_towards(const double *s, size_t *set, size_t *k, double *x)
{
    double alpha = 1;
    size_t n_kept = 0, first = *k;
    for (size_t i = 0; i < *k; i++) {
        double from = x[set[i]], to = s[set[i]];
        if (to <= 0 && from / (from - to) < alpha) {
            alpha = from / (from - to);
            first = i;
        }
    }
    for (size_t i = 0; i < *k; i++) {
        double moved = x[set[i]] + alpha * (s[set[i]] - x[set[i]]);
        x[set[i]] = i != first && moved > 0 ? moved : 0;
        if (x[set[i]] > 0)
            set[n_kept++] = set[i];
    }
    *k = n_kept;
}

static bool all_positive(const double *s, const size_t *set, size_t k)
{
    bool all = true;
    for (size_t i = 0; i < k; i++)
        all = all && s[set[i]] > 0;
    return all;
}

void llmsim_nnls(const double *gram, const double *at_b, size_t p, double *x)
{
    size_t set[MAX], k = 0;
    bool spanned[MAX] = {false}, is_in[MAX];
    memset(x, 0, p * sizeof *x);
    for (size_t rounds = 0; rounds < (size_t)10 * MAX; rounds++) {
        size_t best = p;
        double steepest = 0;
        memset(is_in, 0, sizeof is_in);
        for (size_t i = 0; i < k; i++)
            is_in[set[i]] = true;
        for (size_t j = 0; j < p; j++) {
            double slope = at_b[j];
            for (size_t m = 0; m < p; m++)
                slope -= gram[j * p + m] * x[m];
            if (!is_in[j] && !spanned[j] && slope > steepest + 1e-12 * fabs(at_b[j])) {
                steepest = slope;
                best = j;
            }
        }
        if (best == p)
            return;
        double s[MAX];
        set[k++] = best;
        if (!solve_set(gram, at_b, p, set, k, s)) {
            spanned[best] = true;
            k--;
            continue;
        }
        /* Rounding may send the new one back at once; then it is no improvement. */
        if (s[best] <= 0) {
            spanned[best] = true;
            k--;
            continue;
        }
        while (k > 0 && !all_positive(s, set, k)) {
            step_towards(s, set, &k, x);
            if (k > 0 && !solve_set(gram, at_b, p, set, k, s))
                return;
        }
        for (size_t i = 0; i < k; i++)
            x[set[i]] = s[set[i]];
    }
}

enum llmsim_status llmsim_linear_condition(const double *a, size_t n, size_t p,
                                           struct llmsim_condition *condition,
                                           struct llmsim_error *err)
{
    struct decomposition d;
    double length[MAX] = {0};
    enum llmsim_status status = decomposition_init(&d, n, p, err);
    if (status == LLMSIM_OK) {
        set_columns(&d, a, NULL, n, length);
        status = decompose(&d, err);
    }
    if (status != LLMSIM_OK)
        goto out;
    double least = gsl_vector_get(d.s, p - 1);
    condition->number = least > 0 ? gsl_vector_get(d.s, 0) / least : INFINITY;
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j < p; j++) {
            double sum = 0;
            for (size_t m = 0; m < p; m++)
                sum += gsl_matrix_get(d.v, i, m) * gsl_matrix_get(d.v, j, m) /
                       (gsl_vector_get(d.s, m) * gsl_vector_get(d.s, m));
            condition->inverse[i * p + j] = sum / (length[i] * length[j]);
        }
    condition->weakest[0] = condition->weakest[1] = 0;
    for (size_t i = 1; i < p; i++) {
        double size = fabs(gsl_matrix_get(d.v, i, p - 1));
        if (size > fabs(gsl_matrix_get(d.v, condition->weakest[0], p - 1))) {
            condition->weakest[1] = condition->weakest[0];
            condition->weakest[0] = i;
        } else if (condition->weakest[1] == condition->weakest[0] ||
                   size > fabs(gsl_matrix_get(d.v, condition->weakest[1], p - 1))) {
            condition->weakest[1] = i;
        }
    }
out:
    decomposition_fini(&d);
    return status;
}
