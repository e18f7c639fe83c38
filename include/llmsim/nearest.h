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

/* The word nearest to `typed` among those that are offered. Begin with {.typed = …}. */
struct llmsim_nearest {
    const char *typed;
    const char *word; /* NULL: none was within LLMSIM_NEAREST_MAX_EDITS */
    size_t n_edits;   /* from `typed` to `word` */
};
LLMSIM_API void llmsim_nearest_offer(struct llmsim_nearest *nearest, const char *word);

/* Insertions, deletions and replacements of one character that turn `a` into `b`; case does not
 * count. Characters of `b` after the 127th are left out; of an `a` of 254 and more it is the
 * length. Cost: strlen(a) × strlen(b), of short ones. */
LLMSIM_API size_t llmsim_edit_distance(const char *a, const char *b);

#ifdef __cplusplus
}
#endif
#endif
