/* plot_files.h: the directory of the pictures: what is written there, and what is said of it. */
#ifndef LLMSIM_PLOT_PLOT_FILES_H
#define LLMSIM_PLOT_PLOT_FILES_H

#include <stddef.h>

#include "gnuplot_text.h"
#include "llmsim/plot.h"
#include "output.h"

/* Texts that are owned; items has a NULL behind the last. */
struct text_list {
    char **items;
    size_t n;
};

struct llmsim_plot_report {
    struct text_list pictures, notes;
};

struct plot_files {
    const char *dir;
    struct llmsim_plot_report *report;
    struct text_list scripts; /* names without ".gp" */
};

/* Add a formatted text. LLMSIM_RUN_FAILED: out of memory. */
LLMSIM_MUST_CHECK enum llmsim_status text_list_add(struct text_list *list, struct llmsim_error *err,
                                                   const char *format, ...) LLMSIM_PRINTF(3, 4);
void text_list_fini(struct text_list *list);

/* Open DIR/NAME for writing; end gives it its name if `status` is LLMSIM_OK, and removes it if not.
 * Returns the first of the two that is an error. */
LLMSIM_MUST_CHECK enum llmsim_status plot_files_begin(const struct plot_files *files,
                                                      const char *name, struct llmsim_output *out,
                                                      struct llmsim_error *err);
LLMSIM_MUST_CHECK enum llmsim_status
plot_files_end(struct llmsim_output *out, enum llmsim_status status, struct llmsim_error *err);
/* printf, of at most 2,000 bytes. */
void plot_put(struct llmsim_output *out, const char *format, ...) LLMSIM_PRINTF(2, 3);
/* NAME = 'text' of a script (gnuplot_text.h). */
void plot_put_text(struct llmsim_output *out, const char *name, const char *text,
                   enum gnuplot_text_kind kind);
/* The same with line ends, for lines of at most `width` characters; how many. */
size_t plot_put_wrapped(struct llmsim_output *out, const char *name, const char *text,
                        size_t width);

/* Write the script of a picture, to be run at the end: NAME.gp as it lies in the source tree. */
LLMSIM_MUST_CHECK enum llmsim_status
plot_files_add_script(struct plot_files *files, const char *name, struct llmsim_error *err);
/* The same for a text that other scripts load. */
LLMSIM_MUST_CHECK enum llmsim_status
plot_files_add_part(const struct plot_files *files, const char *name, struct llmsim_error *err);
/* NAME.gp, which the caller has written, is to be run at the end. */
LLMSIM_MUST_CHECK enum llmsim_status plot_files_add_made(struct plot_files *files, const char *name,
                                                         struct llmsim_error *err);

/* Run all scripts in all formats that the options ask for. */
LLMSIM_MUST_CHECK enum llmsim_status plot_files_draw(const struct plot_files *files,
                                                     const struct llmsim_plot_options *options,
                                                     struct llmsim_error *err);

#endif
