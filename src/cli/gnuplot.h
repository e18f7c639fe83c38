/* gnuplot.h: a picture, drawn by gnuplot from a script that is written to it. */
#ifndef LLMSIM_GNUPLOT_H
#define LLMSIM_GNUPLOT_H

#include <stdio.h>
#include <sys/types.h>

#include "llmsim/status.h"

/* Okabe and Ito's colours, which colour-blind readers can tell apart. */
#define GNUPLOT_BLUE "#0072B2"
#define GNUPLOT_VERMILION "#D55E00"

struct gnuplot {
    FILE *script; /* write to it */
    const char *path;
    char temporary_path[512];
    pid_t pid;
};

/* Start a picture of width × height pixels; the end of its name says what it is: .png, .svg or
 * .pdf. `path` is borrowed until close. Errors: LLMSIM_USAGE (the name), LLMSIM_IO. */
LLMSIM_MUST_CHECK enum llmsim_status gnuplot_open(struct gnuplot *g, const char *path,
                                                  unsigned width, unsigned height,
                                                  struct llmsim_error *err);
/* Draw it and give it its name. LLMSIM_IO if gnuplot is not there or failed. */
LLMSIM_MUST_CHECK enum llmsim_status gnuplot_close(struct gnuplot *g, struct llmsim_error *err);
/* `text` in a script, as a string in double quotes. */
void gnuplot_string(FILE *script, const char *text);

#endif
