/* spill.h: bytes of many tracks, appended as they come and read back track by track.
 *
 * They lie in one temporary file that has no name, so it is gone with the process; in memory is a
 * buffer and, for every piece of a track that stands by itself in the file, some 24 bytes. */
#ifndef LLMSIM_IO_SPILL_H
#define LLMSIM_IO_SPILL_H

#include <stddef.h>
#include <stdint.h>

#include "llmsim/status.h"
#include "output.h"

struct llmsim_spill;

/* The file is made beside `path`, or, where that cannot be, in the system's place for such files.
 * LLMSIM_IO if neither can be, LLMSIM_RUN_FAILED without memory. */
LLMSIM_MUST_CHECK enum llmsim_status
llmsim_spill_create(const char *path, struct llmsim_spill **spill, struct llmsim_error *err);
LLMSIM_MUST_CHECK enum llmsim_status llmsim_spill_append(struct llmsim_spill *spill, uint64_t track,
                                                         const char *bytes, size_t n,
                                                         struct llmsim_error *err);
/* All that was appended: the least track first, each in the order of the calls. */
LLMSIM_MUST_CHECK enum llmsim_status
llmsim_spill_copy(struct llmsim_spill *spill, struct llmsim_output *out, struct llmsim_error *err);
void llmsim_spill_destroy(struct llmsim_spill *spill);

#endif
