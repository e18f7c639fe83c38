/* input.h: bytes from a file or stdin, unpacked on the way where the content is gzip or zstd (told
 * by the magic bytes, not by the name). */
#ifndef LLMSIM_IO_INPUT_H
#define LLMSIM_IO_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmsim/status.h"

struct llmsim_input;

/* `path` "-" is stdin. LLMSIM_IO on failure. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_input_open(const char *path, struct llmsim_input **in,
                                                       struct llmsim_error *err);
/* Up to `capacity` bytes; *n = 0 is the end. LLMSIM_IO on a read error or damaged compression;
 * LLMSIM_INTERRUPTED if a signal handler (without SA_RESTART) ran during the wait. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_input_read(struct llmsim_input *in, char *bytes,
                                                       size_t capacity, size_t *n,
                                                       struct llmsim_error *err);
/* What messages call it: the path, or "<stdin>". Lives as long as `in`. */
const char *llmsim_input_name(const struct llmsim_input *in);
/* Bytes of the file itself: taken so far, and its size (0 where it has none). */
uint64_t llmsim_input_position(const struct llmsim_input *in);
uint64_t llmsim_input_size(const struct llmsim_input *in);
/* Is `path` the regular file that is read, by whatever name? */
bool llmsim_input_is_at(const struct llmsim_input *in, const char *path);
void llmsim_input_close(struct llmsim_input *in);

#endif
