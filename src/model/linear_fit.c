/* linear_fit.c: regression by GSL. */
#include "linear_fit.h"

#include <gsl/gsl_linalg.h>
#include <gsl/gsl_multifit.h>
#include <math.h>
#include <string.h>

#define MAX LLMSIM_LINEAR_MAX_TERMS

static enum llmsim_status out_of_memory(struct llmsim_error *err)
{
    return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
}

enum llmsim_status llmsim_linear_fit(const double *a, const double *b, const double *w, size_t n,
                                     size_t p, struct llmsim_linear_fit *fit,
                                     struct llmsim_error *err)
{
    gsl_multifit_linear_workspace *workspace = gsl_multifit_linear_alloc(n, p);
    gsl_matrix *covariance = gsl_matrix_alloc(p, p);
    enum llmsim_status status = LLMSIM_RUN_FAILED;
    if (workspace == NULL || covariance == NULL) {
        status = out_of_memory(err);
        goto out;
    }
    gsl_matrix_const_view x = gsl_matrix_const_view_array(a, n, p);
    gsl_vector_const_view y = gsl_vector_const_view_array(b, n);
    gsl_vector_const_view weights = gsl_vector_const_view_array(w, n);
    gsl_vector_view c = gsl_vector_view_array(fit->x, p);
    if (gsl_multifit_wlinear(&x.matrix, &weights.vector, &y.vector, &c.vector, covariance,
                             &fit->chi_squared, workspace) != 0) {
        status = llmsim_fail(err, LLMSIM_RUN_FAILED, "the regression found no solution");
        goto out;
    }
    /* GSL's covariance is that of known variances 1 / w; ours are known up to a factor. */
    double variance = n > p ? fit->chi_squared / (double)(n - p) : 0;
    for (size_t i = 0; i < p; i++)
        fit->standard_error[i] = sqrt(variance * gsl_matrix_get(covariance, i, i));
    status = LLMSIM_OK;
out:
    gsl_matrix_free(covariance);
    gsl_multifit_linear_free(workspace);
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
    gsl_matrix *u = gsl_matrix_alloc(n < p ? p : n, p), *v = gsl_matrix_alloc(p, p);
    gsl_vector *s = gsl_vector_alloc(p), *work = gsl_vector_alloc(p);
    double length[MAX];
    enum llmsim_status status = LLMSIM_OK;
    if (u == NULL || v == NULL || s == NULL || work == NULL) {
        status = out_of_memory(err);
        goto out;
    }
    gsl_matrix_set_zero(u);
    for (size_t j = 0; j < p; j++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += a[i * p + j] * a[i * p + j];
        length[j] = sum > 0 ? sqrt(sum) : 1;
        for (size_t i = 0; i < n; i++)
            gsl_matrix_set(u, i, j, a[i * p + j] / length[j]);
    }
    (void)gsl_linalg_SV_decomp(u, v, s, work);
    double least = gsl_vector_get(s, p - 1);
    condition->number = least > 0 ? gsl_vector_get(s, 0) / least : INFINITY;
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j < p; j++) {
            double sum = 0;
            for (size_t m = 0; m < p; m++)
                sum += gsl_matrix_get(v, i, m) * gsl_matrix_get(v, j, m) /
                       (gsl_vector_get(s, m) * gsl_vector_get(s, m));
            condition->inverse[i * p + j] = sum / (length[i] * length[j]);
        }
    condition->weakest[0] = condition->weakest[1] = 0;
    for (size_t i = 1; i < p; i++) {
        double size = fabs(gsl_matrix_get(v, i, p - 1));
        if (size > fabs(gsl_matrix_get(v, condition->weakest[0], p - 1))) {
            condition->weakest[1] = condition->weakest[0];
            condition->weakest[0] = i;
        } else if (condition->weakest[1] == condition->weakest[0] ||
                   size > fabs(gsl_matrix_get(v, condition->weakest[1], p - 1))) {
            condition->weakest[1] = i;
        }
    }
out:
    gsl_vector_free(work);
    gsl_vector_free(s);
    gsl_matrix_free(v);
    gsl_matrix_free(u);
    return status;
}
