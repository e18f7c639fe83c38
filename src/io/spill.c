/* spill.c: a file without a name, and a list of which piece belongs to which track. */
#include "spill.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fail_errno.h"
#include "packer.h"
#include "temporary.h"

#define BUFFER_BYTES ((size_t)64 << 10)

struct piece {
    uint64_t track;
    uint64_t offset; /* in the file; grows from piece to piece */
    uint64_t length;
};

struct llmsim_spill {
    int fd;
    struct piece *pieces;
    size_t n_pieces, capacity;
    uint64_t written; /* bytes of the file */
    size_t used;      /* of the buffer, which goes to its end */
    char buffer[BUFFER_BYTES];
};

static enum llmsim_status fail_errno(const char *what, int error_number, struct llmsim_error *err)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%s a temporary file", what);
    return llmsim_fail_errno(err, NULL, text, error_number);
}

/* A descriptor, or -1. */
static int open_beside(const char *path)
{
    struct llmsim_temporary temporary;
    char *name;
    int fd = -1;
    if (asprintf(&name, "%s.spill", path) < 0)
        return -1;
    if (llmsim_temporary_make(&temporary, name, &fd) == 0)
        llmsim_temporary_remove(&temporary);
    free(name);
    return fd;
}

static int open_anywhere(void)
{
    FILE *f = tmpfile();
    if (f == NULL)
        return -1;
    int fd = fcntl(fileno(f), F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    (void)fclose(f);
    return fd;
}

enum llmsim_status llmsim_spill_create(const char *path, struct llmsim_spill **spill,
                                       struct llmsim_error *err)
{
    struct llmsim_spill *s = *spill = calloc(1, sizeof *s);
    if (s == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    s->fd = open_beside(path);
    if (s->fd < 0)
        s->fd = open_anywhere();
    if (s->fd >= 0)
        return LLMSIM_OK;
    enum llmsim_status status = fail_errno("make", errno, err);
    llmsim_spill_destroy(s);
    *spill = NULL;
    return status;
}

static enum llmsim_status flush(struct llmsim_spill *s, struct llmsim_error *err)
{
    int error_number = llmsim_write_all(s->fd, s->buffer, s->used);
    if (error_number != 0)
        return fail_errno("write", error_number, err);
    s->written += s->used;
    s->used = 0;
    return LLMSIM_OK;
}

static enum llmsim_status add_piece(struct llmsim_spill *s, uint64_t track, size_t n,
                                    struct llmsim_error *err)
{
    struct piece *last = s->n_pieces > 0 ? &s->pieces[s->n_pieces - 1] : NULL;
    if (last != NULL && last->track == track) {
        last->length += n;
        return LLMSIM_OK;
    }
    if (s->n_pieces == s->capacity) {
        size_t capacity = s->capacity > 0 ? 2 * s->capacity : 256;
        struct piece *pieces = realloc(s->pieces, capacity * sizeof *pieces);
        if (pieces == NULL)
            return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
        s->pieces = pieces;
        s->capacity = capacity;
    }
    assert(s->pieces != NULL); /* there is room */
    s->pieces[s->n_pieces++] = (struct piece){track, s->written + s->used, n};
    return LLMSIM_OK;
}

enum llmsim_status llmsim_spill_append(struct llmsim_spill *s, uint64_t track, const char *bytes,
                                       size_t n, struct llmsim_error *err)
{
    enum llmsim_status status = add_piece(s, track, n, err);
    while (n > 0 && status == LLMSIM_OK) {
        size_t part = n < BUFFER_BYTES - s->used ? n : BUFFER_BYTES - s->used;
        memcpy(s->buffer + s->used, bytes, part);
        s->used += part;
        bytes += part;
        n -= part;
        if (s->used == BUFFER_BYTES)
            status = flush(s, err);
    }
    return status;
}

static int compare_pieces(const void *left, const void *right)
{
    const struct piece *a = left, *b = right;
    if (a->track != b->track)
        return a->track < b->track ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

static enum llmsim_status copy_piece(struct llmsim_spill *s, struct piece piece,
                                     struct llmsim_output *out, struct llmsim_error *err)
{
    while (piece.length > 0) {
        size_t part = piece.length < BUFFER_BYTES ? (size_t)piece.length : BUFFER_BYTES;
        ssize_t n = pread(s->fd, s->buffer, part, (off_t)piece.offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_errno("read", n < 0 ? errno : EIO, err);
        llmsim_output_bytes(out, s->buffer, (size_t)n);
        piece.offset += (uint64_t)n;
        piece.length -= (uint64_t)n;
    }
    return llmsim_output_check(out, err);
}

enum llmsim_status llmsim_spill_copy(struct llmsim_spill *s, struct llmsim_output *out,
                                     struct llmsim_error *err)
{
    enum llmsim_status status = flush(s, err);
    if (s->n_pieces > 1)
        qsort(s->pieces, s->n_pieces, sizeof *s->pieces, compare_pieces);
    for (size_t i = 0; i < s->n_pieces && status == LLMSIM_OK; i++)
        status = copy_piece(s, s->pieces[i], out, err);
    return status;
}

void llmsim_spill_destroy(struct llmsim_spill *s)
{
    if (s == NULL)
        return;
    if (s->fd >= 0)
        (void)close(s->fd);
    free(s->pieces);
    free(s);
}
