/* nearest.h: which known word somebody may have meant, for error messages. */
#ifndef LLMSIM_NEAREST_H
#define LLMSIM_NEAREST_H

#include <stddef.h>

#include "llmsim/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A suggestion further away than this is more likely to mislead than to help. */
#define LLMSIM_NEAREST_MAX_EDITS 3

/* Insertions, deletions and replacements of one character that turn `a` into `b`; case does not
 * count. Characters of `b` after the 127th are left out. Cost: strlen(a) × strlen(b). */
LLMSIM_API size_t llmsim_edit_distance(const char *a, const char *b);

#ifdef __cplusplus
}
#endif
#endif
