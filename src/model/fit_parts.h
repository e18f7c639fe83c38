/* fit_parts.h: what the files of the fit share. */
#ifndef LLMSIM_MODEL_FIT_PARTS_H
#define LLMSIM_MODEL_FIT_PARTS_H

#include "llmsim/fit.h"

/* In ascending order. */
void llmsim_fit_sort(double *values, size_t n);

/* The errors of predictions, set by set; a prediction of 0 is none. `room` has place for all. */
void llmsim_fit_set_errors(const struct llmsim_fit_group *group, const double *predicted_s,
                           double *room, struct llmsim_fit_errors errors[static LLMSIM_FIT_N_SETS]);

/* The range, R² and errors of report->fit, from the rest of the report. */
void llmsim_fit_set_diagnostics(const struct llmsim_fit_group *group,
                                struct llmsim_fit_report *report);

/* The two-number model beside it: k by least squares over the prefill steps, the bandwidth over the
 * decode steps. `folds` says which row is held out when. */
void llmsim_fit_two_number(const struct llmsim_fit_group *group,
                           const struct llmsim_fit_sizes *sizes, const uint8_t *folds,
                           unsigned n_folds, double *predicted_s, double *room,
                           struct llmsim_fit_report *report);

#endif
