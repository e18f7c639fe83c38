/* plot_kinds.h: kinds of results that can be drawn: a row each in plot.c. */
#ifndef LLMSIM_PLOT_PLOT_KINDS_H
#define LLMSIM_PLOT_PLOT_KINDS_H

#include "plot_files.h"

/* Write data and scripts of the results in options->dir. */
LLMSIM_MUST_CHECK enum llmsim_status plot_replay(const struct llmsim_plot_options *options,
                                                 struct plot_files *files,
                                                 struct llmsim_error *err);
LLMSIM_MUST_CHECK enum llmsim_status plot_sweep(const struct llmsim_plot_options *options,
                                                struct plot_files *files, struct llmsim_error *err);

#endif
