/* class_names.h: the different texts of a trace's column `class`, numbered as they come. */
#ifndef LLMSIM_IO_CLASS_NAMES_H
#define LLMSIM_IO_CLASS_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "llmsim/trace.h"

#define LLMSIM_CLASS_SLOTS 2048u
_Static_assert(LLMSIM_CLASS_SLOTS >= 2 * LLMSIM_MAX_CLASSES, "so that probing is short");

struct llmsim_class_name {
    unsigned char length;
    char text[LLMSIM_MAX_CLASS_NAME + 1];
};

/* All zero: no names. Texts stay where they are. */
struct llmsim_class_names {
    uint16_t n, last;                   /* the name that was asked for last, as a rule again */
    uint16_t slots[LLMSIM_CLASS_SLOTS]; /* open addressing by hash; 0: free */
    struct llmsim_class_name names[LLMSIM_MAX_CLASSES + 1]; /* by class_id, from 1 */
};

/* The number of a text, a new one if need be; 0 for an empty text. Where the text cannot be a
 * class, *fault says why (else it is NULL), and nothing changes. */
uint16_t llmsim_class_names_add(struct llmsim_class_names *names, const char *text, size_t n,
                                const char **fault);

#endif
