/* output.h: a file written through a large buffer, that gets its name only when it is complete.
 *
 * Numbers go in with numfmt.h between llmsim_output_room and llmsim_output_advance; a full disk, a
 * closed pipe and the like are kept, and returned by the next llmsim_output_check or commit, so the
 * row writers carry no error handling. */
#ifndef LLMSIM_IO_OUTPUT_H
#define LLMSIM_IO_OUTPUT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "llmsim/status.h"
#include "temporary.h"

/* What one llmsim_output_room may ask for. */
#define LLMSIM_OUTPUT_MAX_ROOM ((size_t)64 << 10)

struct llmsim_output {
    char *buffer;
    size_t used;
    size_t full; /* from so many bytes on it is to be written; LLMSIM_OUTPUT_MAX_ROOM more fit */
    int fd;
    int error_number;             /* errno of the first failed write, 0 while all is well */
    char *path;                   /* final name, or "-" for stdout */
    struct llmsim_packer *packer; /* NULL: plain */
    /* Without a path where the file is written in place (stdout, a device). */
    struct llmsim_temporary temporary;
};

enum llmsim_compression { LLMSIM_COMPRESS_NONE, LLMSIM_COMPRESS_ZSTD };

/* Open `path` for writing: "-" is stdout; a device or a pipe is written in place; any other file
 * is written under a temporary name and renamed by commit, and keeps the mode of the one that it
 * replaces. A symbolic link stays, and what it leads to is replaced. A compressed output is packed
 * in a thread of its own. LLMSIM_IO on failure, or LLMSIM_INTERRUPTED
 * if a signal handler ran while it waited for the pipe's reader; `out` is then closed. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_output_open(struct llmsim_output *out, const char *path,
                                                        enum llmsim_compression compression,
                                                        struct llmsim_error *err);
/* Will `out` be renamed to `path`, however the two are written? */
bool llmsim_output_is_at(const struct llmsim_output *out, const char *path);
/* Write what is buffered. */
void llmsim_output_flush(struct llmsim_output *out);
/* Write what makes it full. */
void llmsim_output_drain(struct llmsim_output *out);
/* LLMSIM_IO with the file's name if any write failed so far. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_output_check_all(const struct llmsim_output *out,
                                                             struct llmsim_error *err);
static inline LLMSIM_MUST_CHECK enum llmsim_status
llmsim_output_check(const struct llmsim_output *out, struct llmsim_error *err)
{
    return out->error_number == 0 && out->packer == NULL ? LLMSIM_OK
                                                         : llmsim_output_check_all(out, err);
}
/* Flush and close; the file does not have its final name yet. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_output_finish(struct llmsim_output *out,
                                                          struct llmsim_error *err);
/* Give a finished file its final name. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_output_commit(struct llmsim_output *out,
                                                          struct llmsim_error *err);
/* Close and remove what is not committed; free. Fine on a zeroed or committed struct. */
void llmsim_output_close(struct llmsim_output *out);

/* At least n bytes (n at most LLMSIM_OUTPUT_MAX_ROOM) of room to write at; advance says where
 * writing stopped. */
static inline char *llmsim_output_room(struct llmsim_output *out, size_t n)
{
    assert(n <= LLMSIM_OUTPUT_MAX_ROOM);
    (void)n;
    if (out->used >= out->full)
        llmsim_output_drain(out);
    return out->buffer + out->used;
}

static inline void llmsim_output_advance(struct llmsim_output *out, const char *end)
{
    out->used = (size_t)(end - out->buffer);
}

/* Any bytes, any length. */
void llmsim_output_bytes(struct llmsim_output *out, const char *bytes, size_t n);
static inline void llmsim_output_text(struct llmsim_output *out, const char *text)
{
    llmsim_output_bytes(out, text, strlen(text));
}

#endif
