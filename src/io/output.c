/* output.c: the buffer, the temporary name, and the first error that a write met. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail_errno.h"
#include "packer.h"

/* A write of whole, aligned pages costs the kernel three quarters of one that ends inside a page:
 * it need not find again the page that the write before it began. */
#define PLAIN_WRITE_BYTES ((size_t)256 << 10)
_Static_assert(LLMSIM_RING_SLOT_BYTES > LLMSIM_OUTPUT_MAX_ROOM, "a slot has room for a piece");

static bool is_stdout(const struct llmsim_output *out)
{
    return strcmp(out->path, "-") == 0;
}

static const char *shown_name(const struct llmsim_output *out)
{
    return is_stdout(out) ? "<stdout>" : out->path;
}

static enum llmsim_status fail_errno(const struct llmsim_output *out, struct llmsim_error *err,
                                     const char *what, int error_number)
{
    return llmsim_fail_errno(err, shown_name(out), what, error_number);
}

/* Open the descriptor: stdout, what exists and is no regular file as it is, all else under a
 * temporary name in the same directory. 0 or an errno. */
static int open_file(struct llmsim_output *out)
{
    struct stat info;
    if (is_stdout(out)) {
        out->fd = STDOUT_FILENO;
        return 0;
    }
    if (stat(out->path, &info) != 0 || S_ISREG(info.st_mode))
        return llmsim_temporary_make(&out->temporary, out->path, &out->fd);
    out->fd = open(out->path, O_WRONLY | O_CLOEXEC);
    if (out->fd >= 0 && fstat(out->fd, &info) == 0 && S_ISREG(info.st_mode)) {
        (void)close(out->fd); /* it has come there meanwhile: nothing is written into it */
        out->fd = -1;
        errno = EEXIST;
    }
    return out->fd >= 0 ? 0 : errno;
}

/* A result must replace the file that a symbolic link means, not the link (which may be
 * /dev/stdout). NULL: out of memory. */
static char *resolve(const char *path)
{
    struct stat info;
    char *resolved = NULL;
    if (strcmp(path, "-") != 0 && lstat(path, &info) == 0 && S_ISLNK(info.st_mode))
        resolved = realpath(path, NULL);
    return resolved != NULL ? resolved : strdup(path);
}

enum llmsim_status llmsim_output_open(struct llmsim_output *out, const char *path,
                                      enum llmsim_compression compression, struct llmsim_error *err)
{
    *out = (struct llmsim_output){.fd = -1, .path = resolve(path), .temporary.lock_fd = -1};
    if (out->path == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    int error_number = open_file(out);
    if (error_number != 0) { /* EINTR: of a pipe that nobody reads yet */
        enum llmsim_status status =
            error_number == EINTR
                ? llmsim_fail_at(err, LLMSIM_INTERRUPTED, shown_name(out), 0, 0, "interrupted")
                : fail_errno(out, err, "open for writing", error_number);
        llmsim_output_close(out);
        return status;
    }
    if (compression == LLMSIM_COMPRESS_ZSTD) {
        out->packer = llmsim_packer_create(out->fd);
        out->full = LLMSIM_RING_SLOT_BYTES - LLMSIM_OUTPUT_MAX_ROOM;
        if (out->packer != NULL)
            out->buffer = llmsim_ring_reserve(llmsim_packer_ring(out->packer));
    } else {
        out->full = PLAIN_WRITE_BYTES;
        out->buffer = malloc(PLAIN_WRITE_BYTES + LLMSIM_OUTPUT_MAX_ROOM);
    }
    if (out->buffer != NULL)
        return LLMSIM_OK;
    llmsim_output_close(out);
    return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
}

bool llmsim_output_is_at(const struct llmsim_output *out, const char *path)
{
    struct stat own, there;
    char *resolved = resolve(path), *temporary = NULL;
    /* Its temporary file lies beside `path` if `path` is another way to write out->path. */
    if (out->temporary.path == NULL || resolved == NULL ||
        asprintf(&temporary, "%s%s", resolved, out->temporary.path + strlen(out->path)) < 0)
        temporary = NULL;
    bool is_at = temporary != NULL && stat(out->temporary.path, &own) == 0 &&
                 stat(temporary, &there) == 0 && own.st_dev == there.st_dev &&
                 own.st_ino == there.st_ino;
    free(temporary);
    free(resolved);
    return is_at;
}

void llmsim_output_flush(struct llmsim_output *out)
{
    if (out->used == 0)
        return;
    if (out->packer != NULL) {
        struct llmsim_ring *ring = llmsim_packer_ring(out->packer);
        llmsim_ring_publish(ring, out->used);
        out->buffer = llmsim_ring_reserve(ring); /* the packer never leaves */
    } else if (out->error_number == 0) {
        out->error_number = llmsim_write_all(out->fd, out->buffer, out->used);
    }
    out->used = 0;
}

void llmsim_output_drain(struct llmsim_output *out)
{
    size_t n = out->used - out->full;
    if (out->packer != NULL) { /* a slot's length is any */
        llmsim_output_flush(out);
        return;
    }
    out->used = out->full;
    llmsim_output_flush(out);
    memmove(out->buffer, out->buffer + out->full, n);
    out->used = n;
}

void llmsim_output_bytes(struct llmsim_output *out, const char *bytes, size_t n)
{
    while (n > 0) {
        size_t part = n < LLMSIM_OUTPUT_MAX_ROOM ? n : LLMSIM_OUTPUT_MAX_ROOM;
        memcpy(llmsim_output_room(out, part), bytes, part);
        out->used += part;
        bytes += part;
        n -= part;
    }
}

enum llmsim_status llmsim_output_check_all(const struct llmsim_output *out,
                                           struct llmsim_error *err)
{
    int error_number = out->error_number;
    if (error_number == 0 && out->packer != NULL)
        error_number = llmsim_packer_error(out->packer);
    if (error_number == 0)
        return LLMSIM_OK;
    return fail_errno(out, err, "write", error_number);
}

/* Everything out of the buffers and the descriptor closed, whatever happened before. */
static void end_writing(struct llmsim_output *out)
{
    if (out->fd < 0)
        return;
    if (out->buffer != NULL)
        llmsim_output_flush(out);
    if (out->packer != NULL) {
        int error_number = llmsim_packer_finish(out->packer);
        if (out->error_number == 0)
            out->error_number = error_number;
        out->packer = NULL;
    } else {
        free(out->buffer);
    }
    out->buffer = NULL;
    out->full = 0;
    if (!is_stdout(out) && close(out->fd) != 0 && out->error_number == 0)
        out->error_number = errno;
    out->fd = -1;
}

enum llmsim_status llmsim_output_finish(struct llmsim_output *out, struct llmsim_error *err)
{
    end_writing(out);
    return llmsim_output_check(out, err);
}

enum llmsim_status llmsim_output_commit(struct llmsim_output *out, struct llmsim_error *err)
{
    enum llmsim_status status = llmsim_output_finish(out, err);
    if (status != LLMSIM_OK || out->temporary.path == NULL)
        return status;
    int error_number = llmsim_temporary_name(&out->temporary, out->path);
    return error_number == 0 ? LLMSIM_OK
                             : fail_errno(out, err, "rename the finished file", error_number);
}

void llmsim_output_close(struct llmsim_output *out)
{
    if (out->path == NULL)
        return;
    end_writing(out);
    llmsim_temporary_remove(&out->temporary);
    free(out->path);
    *out = (struct llmsim_output){.fd = -1, .temporary.lock_fd = -1};
}
