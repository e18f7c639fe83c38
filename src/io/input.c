/* input.c: a descriptor, its first bytes, and an unpacker where those say so. */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail_errno.h"
#include "unpacker.h"

struct llmsim_input {
    int fd;
    const char *name; /* for messages */
    char *path;
    uint64_t position;
    uint64_t size;
    unsigned char head[LLMSIM_MAGIC_BYTES]; /* read to know the format, not yet given out */
    size_t n_head;
    struct llmsim_unpacker *unpacker; /* NULL: plain */
};

static bool is_stdin(const struct llmsim_input *in)
{
    return strcmp(in->path, "-") == 0;
}

static enum llmsim_status fail_errno(const struct llmsim_input *in, const char *what,
                                     struct llmsim_error *err)
{
    return llmsim_fail_errno(err, in->name, what, errno);
}

/* One read(2). A signal whose handler returns ends the wait: the caller has a reason to stop. */
static enum llmsim_status read_some(struct llmsim_input *in, void *bytes, size_t capacity,
                                    size_t *n, struct llmsim_error *err)
{
    *n = 0;
    ssize_t got = read(in->fd, bytes, capacity);
    if (got < 0 && errno == EINTR)
        return llmsim_fail_at(err, LLMSIM_INTERRUPTED, in->name, 0, 0, "interrupted");
    if (got < 0)
        return fail_errno(in, "read", err);
    *n = (size_t)got;
    in->position += *n;
    return LLMSIM_OK;
}

static enum llmsim_status read_head(struct llmsim_input *in, struct llmsim_error *err)
{
    size_t n;
    do {
        enum llmsim_status status =
            read_some(in, in->head + in->n_head, LLMSIM_MAGIC_BYTES - in->n_head, &n, err);
        if (status != LLMSIM_OK)
            return status;
        in->n_head += n;
    } while (n > 0 && in->n_head < LLMSIM_MAGIC_BYTES);
    return LLMSIM_OK;
}

static enum llmsim_status open_descriptor(struct llmsim_input *in, struct llmsim_error *err)
{
    struct stat info;
    in->fd = is_stdin(in) ? STDIN_FILENO : open(in->path, O_RDONLY | O_CLOEXEC);
    if (in->fd < 0)
        return fail_errno(in, "open", err);
    if (fstat(in->fd, &info) == 0 && S_ISREG(info.st_mode))
        in->size = (uint64_t)info.st_size;
    return read_head(in, err);
}

enum llmsim_status llmsim_input_open(const char *path, struct llmsim_input **input,
                                     struct llmsim_error *err)
{
    *input = NULL;
    struct llmsim_input *in = calloc(1, sizeof *in);
    if (in == NULL || (in->path = strdup(path)) == NULL) {
        free(in);
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    }
    in->name = is_stdin(in) ? "<stdin>" : in->path;
    in->fd = -1;
    enum llmsim_status status = open_descriptor(in, err);
    if (status == LLMSIM_OK && llmsim_unpacker_knows(in->head, in->n_head))
        status = llmsim_unpacker_create(in->fd, in->head, in->n_head, in->name, &in->unpacker, err);
    if (status != LLMSIM_OK) {
        llmsim_input_close(in);
        return status;
    }
    *input = in;
    return LLMSIM_OK;
}

enum llmsim_status llmsim_input_read(struct llmsim_input *in, char *bytes, size_t capacity,
                                     size_t *n, struct llmsim_error *err)
{
    if (in->unpacker != NULL)
        return llmsim_unpacker_read(in->unpacker, bytes, capacity, n, err);
    if (in->n_head == 0)
        return read_some(in, bytes, capacity, n, err);
    *n = in->n_head < capacity ? in->n_head : capacity;
    memcpy(bytes, in->head, *n);
    memmove(in->head, in->head + *n, in->n_head - *n);
    in->n_head -= *n;
    return LLMSIM_OK;
}

uint64_t llmsim_input_position(const struct llmsim_input *in)
{
    if (in->unpacker != NULL)
        return llmsim_unpacker_position(in->unpacker);
    return in->position;
}

uint64_t llmsim_input_size(const struct llmsim_input *in)
{
    return in->size;
}

bool llmsim_input_is_at(const struct llmsim_input *in, const char *path)
{
    struct stat own, there;
    return fstat(in->fd, &own) == 0 && S_ISREG(own.st_mode) && stat(path, &there) == 0 &&
           own.st_dev == there.st_dev && own.st_ino == there.st_ino;
}

const char *llmsim_input_name(const struct llmsim_input *in)
{
    return in->name;
}

void llmsim_input_close(struct llmsim_input *in)
{
    if (in == NULL)
        return;
    llmsim_unpacker_destroy(in->unpacker);
    if (in->fd >= 0 && !is_stdin(in))
        (void)close(in->fd);
    free(in->path);
    free(in);
}
