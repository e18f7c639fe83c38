/* lengths.h: distributions of token counts, as rows of a table. */
#ifndef LLMSIM_IO_LENGTHS_H
#define LLMSIM_IO_LENGTHS_H

#include "llmsim/generate.h"
#include "random.h"

/* LLMSIM_USAGE if a number of the spec is out of its range. `what` names it in the message. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_lengths_check(const struct llmsim_length_spec *spec,
                                                          const char *what,
                                                          struct llmsim_error *err);

/* A decimal number of 0 or more at *p, up to a byte of `end_at` or the end of the text; *p is moved
 * behind it. */
bool llmsim_lengths_read_number(const char **p, const char *end_at, double *value);

#define LLMSIM_NO_LENGTH UINT32_MAX
/* One token count of a checked spec that is not empirical; LLMSIM_NO_LENGTH: a thousand draws all
 * fell outside min to max. */
uint32_t llmsim_lengths_draw(const struct llmsim_length_spec *spec, struct llmsim_random *random);

#endif
