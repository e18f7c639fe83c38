/* run_gnuplot.h: a script of a directory, run by gnuplot. */
#ifndef LLMSIM_PLOT_RUN_GNUPLOT_H
#define LLMSIM_PLOT_RUN_GNUPLOT_H

#include "llmsim/status.h"

#define GNUPLOT_MAX_TEXT 512

struct gnuplot_call {
    const char *dir;        /* where it runs */
    const char *script;     /* without ".gp" */
    const char *format;     /* "png", "svg", "txt" */
    unsigned columns, rows; /* of "txt" */
    int picture_fd;         /* where the picture goes */
};

/* Run a script to its end. `said` becomes what gnuplot wrote on stderr, on one line, "" as a rule.
 * LLMSIM_RUN_FAILED: it is not installed, or it failed (the message has what it said). */
LLMSIM_MUST_CHECK enum llmsim_status gnuplot_run(const struct gnuplot_call *call,
                                                 char said[static GNUPLOT_MAX_TEXT],
                                                 struct llmsim_error *err);

#endif
