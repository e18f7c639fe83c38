/* linear_fit.h: linear least squares, plain and with coefficients of 0 or more. */
#ifndef LLMSIM_MODEL_LINEAR_FIT_H
#define LLMSIM_MODEL_LINEAR_FIT_H

#include <stdbool.h>
#include <stddef.h>

#include "llmsim/status.h"

#define LLMSIM_LINEAR_MAX_TERMS 24u

struct llmsim_linear_fit {
    double x[LLMSIM_LINEAR_MAX_TERMS];
    double standard_error[LLMSIM_LINEAR_MAX_TERMS];
    double chi_squared; /* the weighted sum of squared residuals */
};

/* x that makes the sum of w_i (a_i · x - b_i)² least; `a` is n × p, row by row, n >= p. By the
 * singular values of the balanced matrix. LLMSIM_RUN_FAILED: out of memory, or values that are no
 * numbers. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_linear_fit(const double *a, const double *b,
                                                       const double *w, size_t n, size_t p,
                                                       struct llmsim_linear_fit *fit,
                                                       struct llmsim_error *err);

/* The same with all x >= 0, from the normal equations: gram is Aᵀ W A (p × p), at_b is Aᵀ W b, both
 * of columns of about the same length. By Lawson and Hanson's active set; a column that those in
 * the set already span stays out. */
void llmsim_nnls(const double *gram, const double *at_b, size_t p, double *x);

/* Singular values of `a` with its columns scaled to length 1: their ratio (the condition number),
 * and inverse[p × p], (AᵀA)⁻¹. `weakest` gets the two columns that the data can tell apart least.
 * LLMSIM_RUN_FAILED as above. */
struct llmsim_condition {
    double number;
    double inverse[LLMSIM_LINEAR_MAX_TERMS * LLMSIM_LINEAR_MAX_TERMS];
    size_t weakest[2];
};
LLMSIM_MUST_CHECK enum llmsim_status llmsim_linear_condition(const double *a, size_t n, size_t p,
                                                             struct llmsim_condition *condition,
                                                             struct llmsim_error *err);

#endif
