/* lines.h: the lines of an input, straight out of its read buffer, and the SHA-256 of what was
 * taken. */
#ifndef LLMSIM_IO_LINES_H
#define LLMSIM_IO_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "input.h"
#include "llmsim/status.h"
#include "llmsim/trace.h"
#include "sha256.h"

/* Bytes after the buffer that exist, so that a scanner may load whole words. */
#define LLMSIM_LINES_SLACK 64u

/* A scanner of whole lines may look at buffer[begin] to buffer[end], which is always NUL, and take
 * lines by moving begin and n_lines. */
struct llmsim_lines {
    char *buffer;
    size_t capacity; /* grows with the longest line, up to LLMSIM_MAX_ROW_BYTES and its end */
    size_t begin;    /* what is not yet taken */
    size_t end;
    uint64_t n_lines; /* taken so far: the number, from 1, of the line that was taken last */
    struct llmsim_input *input;
    size_t hashed; /* the hash has all before this place */
    bool input_ended;
    bool inside_long_line; /* its rest is still to be skipped */
    struct llmsim_sha256 sha;
};

struct llmsim_line {
    const char *text; /* without its line end (LF or CR LF); lives until the next call */
    size_t length;
    bool too_long; /* longer than LLMSIM_MAX_ROW_BYTES, and cut there */
};

LLMSIM_MUST_CHECK enum llmsim_status llmsim_lines_open(struct llmsim_lines *lines, const char *path,
                                                       struct llmsim_error *err);
/* The next line; *ended: there is none. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_lines_next(struct llmsim_lines *lines,
                                                       struct llmsim_line *line, bool *ended,
                                                       struct llmsim_error *err);
/* Put back the line that was taken last, which must not be one that is too long. */
void llmsim_lines_put_back(struct llmsim_lines *lines, const struct llmsim_line *line);
/* Read on until the buffer is full or the input has ended; lines taken before are lost. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_lines_fill(struct llmsim_lines *lines,
                                                       struct llmsim_error *err);
/* SHA-256, in hexadecimal, of the unpacked bytes of all lines taken. Ends the reading. */
void llmsim_lines_sha256(struct llmsim_lines *lines, char hex[static LLMSIM_SHA256_TEXT]);
/* Fine on a zeroed struct. */
void llmsim_lines_close(struct llmsim_lines *lines);

#endif
