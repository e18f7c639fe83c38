/* unpacker.h: gzip and zstd files, unpacked in a thread of their own. */
#ifndef LLMSIM_IO_UNPACKER_H
#define LLMSIM_IO_UNPACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmsim/status.h"

#define LLMSIM_MAGIC_BYTES 4u

struct llmsim_unpacker;

/* Is a file that begins with these bytes (all that it has, up to LLMSIM_MAGIC_BYTES) packed? */
bool llmsim_unpacker_knows(const unsigned char *head, size_t n);

/* Unpack `fd` (borrowed until destroy), of which `head` is already read. `name` (borrowed) is for
 * error messages. LLMSIM_RUN_FAILED: out of memory or threads. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_unpacker_create(int fd, const unsigned char *head,
                                                            size_t n, const char *name,
                                                            struct llmsim_unpacker **unpacker,
                                                            struct llmsim_error *err);
/* As llmsim_input_read and llmsim_input_position. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_unpacker_read(struct llmsim_unpacker *unpacker,
                                                          char *bytes, size_t capacity, size_t *n,
                                                          struct llmsim_error *err);
uint64_t llmsim_unpacker_position(const struct llmsim_unpacker *unpacker);
/* Stops the thread, also where it waits for a pipe. */
void llmsim_unpacker_destroy(struct llmsim_unpacker *unpacker);

#endif
