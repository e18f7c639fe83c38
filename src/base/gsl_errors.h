/* gsl_errors.h: GSL that reports errors. */
#ifndef LLMSIM_BASE_GSL_ERRORS_H
#define LLMSIM_BASE_GSL_ERRORS_H

/* GSL's default is to print and to abort, for want of memory, too. From the first call on it
 * returns a status or NULL instead. A handler that the program has set stays: it is the program's.
 * To be called before anything of GSL that can fail; thread-safe, and next to nothing after the
 * first time. */
void llmsim_gsl_return_errors(void);

#endif
