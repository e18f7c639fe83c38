/* choice.h: tables whose rows users choose by name: policies, engines, trace formats.
 *
 * Such a table is a function that gives row i, and NULL behind the last. */
#ifndef LLMSIM_CHOICE_H
#define LLMSIM_CHOICE_H

#include <stdbool.h>
#include <stddef.h>

#include "llmsim/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of the name of a catalogue's row: a GPU, a model. */
#define LLMSIM_MAX_NAME 127

/* What each row of a table begins with. */
struct llmsim_choice {
    const char *name;
    const char *help; /* one line */
};

/* The number of the row with this name, or, for NULL, of the first, which is the default. false:
 * there is none. */
LLMSIM_API bool llmsim_choice_find(const struct llmsim_choice *(*row)(size_t i), const char *name,
                                   size_t *i);

/* "continuous, static, mixed": the names of all rows, for an error message. Writes at most
 * `capacity` bytes, NUL included, and returns `text`. */
LLMSIM_API const char *llmsim_choice_names(const struct llmsim_choice *(*row)(size_t i), char *text,
                                           size_t capacity);

#ifdef __cplusplus
}
#endif
#endif
