/* plot.h: pictures of results, by gnuplot.
 *
 * What gnuplot gets is small, however large the results are: quantiles, and means and quantiles of
 * spans of time. The reduced data (CSV), the scripts and the pictures lie in one directory, so that
 * people can change a script and run it again: `cd DIR/plots && gnuplot latency_cdf.gp`. The files
 * are listed in DIR/plots/made.txt; a replay into DIR removes them, so that no picture stays beside
 * results that it does not show. docs/plots.md describes the pictures. */
#ifndef LLMSIM_PLOT_H
#define LLMSIM_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "llmsim/choice.h"
#include "llmsim/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The kinds of pictures: row i of llmsim_plot_format_choice. */
enum llmsim_plot_format {
    LLMSIM_PLOT_PNG,
    LLMSIM_PLOT_SVG,
    LLMSIM_PLOT_TEXT,
    LLMSIM_N_PLOT_FORMATS
};
/* "png", "svg", "txt"; NULL behind the last. */
LLMSIM_API const struct llmsim_choice *llmsim_plot_format_choice(size_t i);

#define LLMSIM_PLOT_MAX_REQUESTS 12u

struct llmsim_plot_options {
    const char *dir;    /* results of a replay or a sweep */
    const char *output; /* NULL: DIR/plots */
    bool formats[LLMSIM_N_PLOT_FORMATS];
    unsigned columns, rows; /* characters of a text picture; 0: 100 and 30 */
    /* Requests whose tokens are drawn; borrowed. With them DIR must have tokens.csv. */
    const char *requests[LLMSIM_PLOT_MAX_REQUESTS];
    size_t n_requests;
};

/* What was made. */
struct llmsim_plot_report;

/* Reduce the results, write data and scripts, run gnuplot. *report is to be destroyed in any case
 * and tells of what was made until the error.
 * Errors: LLMSIM_IO (files; results that are not as docs/formats.md says, with FILE:LINE:COLUMN),
 * LLMSIM_CATALOGUE (summary.json is no JSON), LLMSIM_USAGE (a request that is not there),
 * LLMSIM_RUN_FAILED (memory; gnuplot is missing, data and scripts are there then; gnuplot failed).
 */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_plot(const struct llmsim_plot_options *options, struct llmsim_plot_report **report,
            struct llmsim_error *err);
/* Paths of the pictures; NULL behind the last. */
LLMSIM_API const char *llmsim_plot_picture(const struct llmsim_plot_report *report, size_t i);
/* What could not be drawn for want of data and how to get it, and what gnuplot said; whole lines
 * without their ends, NULL behind the last. */
LLMSIM_API const char *llmsim_plot_note(const struct llmsim_plot_report *report, size_t i);
LLMSIM_API void llmsim_plot_report_destroy(struct llmsim_plot_report *report);

struct llmsim_output;

/* One picture of another kind, from a script that the caller writes. */
struct llmsim_picture {
    FILE *script;              /* write to it */
    struct llmsim_output *out; /* where gnuplot writes it */
    pid_t pid;
};

/* Okabe and Ito's colours, which colour-blind readers can tell apart. */
#define LLMSIM_PICTURE_BLUE "#0072B2"
#define LLMSIM_PICTURE_VERMILION "#D55E00"

/* Does the end of its name say what it is, .png, .svg or .pdf? LLMSIM_USAGE. For a command that has
 * much to do before it draws. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status llmsim_picture_check(const char *path,
                                                                     struct llmsim_error *err);
/* Start a picture of width × height pixels; the end of its name says what it is: .png, .svg or
 * .pdf. Errors: LLMSIM_USAGE (the name), LLMSIM_IO, LLMSIM_RUN_FAILED (memory). */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status llmsim_picture_open(struct llmsim_picture *picture,
                                                                    const char *path,
                                                                    unsigned width, unsigned height,
                                                                    struct llmsim_error *err);
/* `text` in a script, as a string in single quotes, in which gnuplot takes nothing for a command.
 * Write no text of others into a script in any other way. Control characters and what is no UTF-8
 * become blanks. */
LLMSIM_API void llmsim_picture_string(FILE *script, const char *text);
/* Draw it and give it its name. LLMSIM_IO if gnuplot is not there or failed. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status llmsim_picture_close(struct llmsim_picture *picture,
                                                                     struct llmsim_error *err);

#ifdef __cplusplus
}
#endif
#endif
