/* gnuplot_text.h: texts of others (names of models, traces and settings) in a gnuplot script.
 *
 * gnuplot runs what stands in backticks in a string in double quotes, takes macros and escapes
 * there, and runs whatever `eval` gets. So a text has one way into a script: as a string in single
 * quotes, in which a quote is doubled and nothing else means anything, which the script then uses
 * through a variable, or as a string, and never as a part of a command. Terminals are set to
 * noenhanced, so that the text is drawn as it stands. */
#ifndef LLMSIM_PLOT_GNUPLOT_TEXT_H
#define LLMSIM_PLOT_GNUPLOT_TEXT_H

#include <stddef.h>

enum gnuplot_text_kind {
    GNUPLOT_TEXT,
    GNUPLOT_TIC_LABEL, /* a format of the tic's value: % is doubled */
};

/* The bytes that stand for the next character of *text between single quotes; *text moves on. What
 * a picture cannot show, or a terminal would obey, becomes a blank: control characters, line ends,
 * marks that turn the direction of writing, and bytes that are no UTF-8. *n 0: the text has ended.
 */
const char *gnuplot_text_next(const char **text, enum gnuplot_text_kind kind, size_t *n);

/* The first characters of a text, `most` at most, of which the last is "…" where it has more. */
void gnuplot_text_cut(char *cut, size_t room, const char *text, size_t most);

#endif
