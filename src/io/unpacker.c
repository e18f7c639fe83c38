/* unpacker.c: a table of codecs, and the thread that reads, unpacks and fills the ring. */
#include "unpacker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define ZLIB_CONST /* zlib never writes to its input */
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "fail_errno.h"
#include "ring.h"

#define PACKED_BYTES ((size_t)64 << 10)

/* What a step returns that is no fault of the data. */
static const char out_of_memory[] = "out of memory";

/* Bytes on their way through a codec. */
struct flow {
    const unsigned char *in;
    size_t n_in;
    char *out;
    size_t n_out;
    bool complete; /* all that began has ended: the file may end here */
};

struct codec {
    const char *name;
    unsigned char magic[LLMSIM_MAGIC_BYTES];
    size_t n_magic;
    unsigned char first_mask; /* the bits of the first byte that count */
    void *(*create)(void);
    /* Take from `in`, give to `out`, as much as goes. NULL, or why the data cannot be right. */
    const char *(*step)(void *state, struct flow *flow);
    void (*destroy)(void *state);
};

static void *gzip_create(void)
{
    z_stream *z = calloc(1, sizeof *z);
    if (z != NULL && inflateInit2(z, 15 + 16) != Z_OK) { /* 32 KiB window, gzip headers only */
        free(z);
        return NULL;
    }
    return z;
}

static const char *gzip_step(void *state, struct flow *flow)
{
    z_stream *z = state;
    /* Zeros fill up the last block of a tape, and gzip ignores them, too. */
    for (; flow->complete && flow->n_in > 0 && *flow->in == 0; flow->n_in--)
        flow->in++;
    if (flow->complete && flow->n_in == 0)
        return NULL;
    if (flow->complete && inflateReset(z) != Z_OK) /* another member of the file begins */
        return "cannot start";
    z->next_in = flow->in;
    z->avail_in = (uInt)flow->n_in;
    z->next_out = (Bytef *)flow->out;
    z->avail_out = (uInt)flow->n_out;
    int result = inflate(z, Z_NO_FLUSH);
    flow->in = z->next_in;
    flow->n_in = z->avail_in;
    flow->out = (char *)z->next_out;
    flow->n_out = z->avail_out;
    flow->complete = result == Z_STREAM_END;
    if (result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR)
        return NULL;
    return result == Z_MEM_ERROR || z->msg == NULL ? out_of_memory : z->msg;
}

static void gzip_destroy(void *state)
{
    (void)inflateEnd(state);
    free(state);
}

/* Of zstd --long=31, too: what a frame says that it needs is taken when it comes, up to 2 GiB. */
static void *zstd_create(void)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    int most = ZSTD_dParam_getBounds(ZSTD_d_windowLogMax).upperBound;
    if (context != NULL)
        (void)ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, most);
    return context;
}

static const char *zstd_step(void *state, struct flow *flow)
{
    ZSTD_inBuffer in = {flow->in, flow->n_in, 0};
    ZSTD_outBuffer out = {flow->out, flow->n_out, 0};
    size_t result = ZSTD_decompressStream(state, &out, &in);
    if (ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation)
        return out_of_memory;
    if (ZSTD_isError(result))
        return ZSTD_getErrorName(result);
    flow->in += in.pos;
    flow->n_in -= in.pos;
    flow->out += out.pos;
    flow->n_out -= out.pos;
    flow->complete = result == 0;
    return NULL;
}

static void zstd_destroy(void *state)
{
    (void)ZSTD_freeDCtx(state);
}

static const struct codec codecs[] = {
    {"gzip", {0x1f, 0x8b}, 2, 0xff, gzip_create, gzip_step, gzip_destroy},
    {"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4, 0xff, zstd_create, zstd_step, zstd_destroy},
    /* A skippable frame, with which pzstd begins its files. */
    {"zstd", {0x50, 0x2a, 0x4d, 0x18}, 4, 0xf0, zstd_create, zstd_step, zstd_destroy},
};

struct llmsim_unpacker {
    struct llmsim_ring ring;
    const struct codec *codec;
    void *state;
    const char *name;
    int fd;
    int stop_pipe[2]; /* its reading end becomes readable when the thread has to stop */
    pthread_t thread;
    atomic_uint_least64_t position;
    size_t n_packed; /* at `packed`, read and not yet unpacked */
    unsigned char packed[PACKED_BYTES];

    /* The thread's last words; read by the other side only when the ring has ended. */
    struct llmsim_error err;

    /* The emptying side's slot. */
    const char *slot;
    size_t slot_taken, slot_n;
};

static bool has_magic(const struct codec *codec, const unsigned char *head, size_t n)
{
    return n >= codec->n_magic && (head[0] & codec->first_mask) == codec->magic[0] &&
           memcmp(head + 1, codec->magic + 1, codec->n_magic - 1) == 0;
}

static const struct codec *find_codec(const unsigned char *head, size_t n)
{
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
        if (has_magic(&codecs[i], head, n))
            return &codecs[i];
    return NULL;
}

bool llmsim_unpacker_knows(const unsigned char *head, size_t n)
{
    return find_codec(head, n) != NULL;
}

/* Wait for input without being deaf to destroy. false: stop. */
static bool wait_readable(const struct llmsim_unpacker *u)
{
    struct pollfd waits[2] = {{.fd = u->fd, .events = POLLIN},
                              {.fd = u->stop_pipe[0], .events = POLLIN}};
    while (poll(waits, 2, -1) < 0 && errno == EINTR)
        ;
    return waits[1].revents == 0;
}

/* More packed bytes; n_packed = 0 is the end of the file. */
static enum llmsim_status read_packed(struct llmsim_unpacker *u)
{
    ssize_t n;
    do
        n = read(u->fd, u->packed, PACKED_BYTES);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return llmsim_fail_errno(&u->err, u->name, "read", errno);
    u->n_packed = (size_t)n;
    atomic_fetch_add(&u->position, (uint_least64_t)n);
    return LLMSIM_OK;
}

/* Unpack what is at `packed` into slots of the ring. *gone: nobody wants it any more. */
static enum llmsim_status unpack(struct llmsim_unpacker *u, bool *complete, bool *gone)
{
    struct flow flow = {.in = u->packed, .n_in = u->n_packed, .complete = *complete};
    do {
        flow.out = llmsim_ring_reserve(&u->ring);
        flow.n_out = LLMSIM_RING_SLOT_BYTES;
        *gone = flow.out == NULL;
        if (*gone)
            return LLMSIM_OK;
        const char *fault = u->codec->step(u->state, &flow);
        if (fault == out_of_memory)
            return llmsim_fail_at(&u->err, LLMSIM_RUN_FAILED, u->name, 0, 0,
                                  "out of memory to unpack %s data", u->codec->name);
        if (fault != NULL)
            return llmsim_fail_at(&u->err, LLMSIM_IO, u->name, 0, 0, "damaged %s data: %s",
                                  u->codec->name, fault);
        if (flow.n_out < LLMSIM_RING_SLOT_BYTES)
            llmsim_ring_publish(&u->ring, LLMSIM_RING_SLOT_BYTES - flow.n_out);
    } while (flow.n_in > 0 || (flow.n_out == 0 && !flow.complete));
    *complete = flow.complete;
    return LLMSIM_OK;
}

static void *run(void *argument)
{
    struct llmsim_unpacker *u = argument;
    bool complete = false, gone = false;
    enum llmsim_status status = LLMSIM_OK;
    while (status == LLMSIM_OK && u->n_packed > 0) {
        status = unpack(u, &complete, &gone);
        if (status != LLMSIM_OK || gone || !wait_readable(u))
            break;
        status = read_packed(u);
    }
    if (status == LLMSIM_OK && !gone && u->n_packed == 0 && !complete)
        (void)llmsim_fail_at(&u->err, LLMSIM_IO, u->name, 0, 0,
                             "%s data ends too early: the file is cut off", u->codec->name);
    llmsim_ring_finish(&u->ring);
    return NULL;
}

static void free_unpacker(struct llmsim_unpacker *u)
{
    if (u->state != NULL)
        u->codec->destroy(u->state);
    for (int i = 0; i < 2; i++)
        if (u->stop_pipe[i] >= 0)
            (void)close(u->stop_pipe[i]);
    llmsim_ring_fini(&u->ring);
    free(u);
}

enum llmsim_status llmsim_unpacker_create(int fd, const unsigned char *head, size_t n,
                                          const char *name, struct llmsim_unpacker **unpacker,
                                          struct llmsim_error *err)
{
    *unpacker = NULL;
    struct llmsim_unpacker *u = calloc(1, sizeof *u);
    if (u == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    u->codec = find_codec(head, n);
    u->name = name;
    u->fd = fd;
    u->n_packed = n;
    memcpy(u->packed, head, n);
    atomic_init(&u->position, n);
    u->state = u->codec->create();
    if (pipe2(u->stop_pipe, O_CLOEXEC) != 0)
        u->stop_pipe[0] = u->stop_pipe[1] = -1;
    if (u->state == NULL || u->stop_pipe[0] < 0 || !llmsim_ring_init(&u->ring) ||
        !llmsim_thread_start(&u->thread, run, u)) {
        free_unpacker(u);
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory, threads or file descriptors");
    }
    *unpacker = u;
    return LLMSIM_OK;
}

enum llmsim_status llmsim_unpacker_read(struct llmsim_unpacker *u, char *bytes, size_t capacity,
                                        size_t *n, struct llmsim_error *err)
{
    *n = 0;
    if (u->slot == NULL) {
        if (!llmsim_ring_wait(&u->ring))
            return llmsim_fail_at(err, LLMSIM_INTERRUPTED, u->name, 0, 0, "interrupted");
        u->slot = llmsim_ring_take(&u->ring, &u->slot_n);
        u->slot_taken = 0;
    }
    if (u->slot == NULL) {
        if (u->err.status != LLMSIM_OK && err != NULL)
            *err = u->err;
        return u->err.status;
    }
    size_t left = u->slot_n - u->slot_taken;
    *n = left < capacity ? left : capacity;
    memcpy(bytes, u->slot + u->slot_taken, *n);
    u->slot_taken += *n;
    if (u->slot_taken == u->slot_n) {
        llmsim_ring_give_back(&u->ring);
        u->slot = NULL;
    }
    return LLMSIM_OK;
}

uint64_t llmsim_unpacker_position(const struct llmsim_unpacker *u)
{
    return atomic_load(&u->position);
}

void llmsim_unpacker_destroy(struct llmsim_unpacker *u)
{
    if (u == NULL)
        return;
    llmsim_ring_leave(&u->ring);
    (void)close(u->stop_pipe[1]); /* poll sees the other end hang up */
    u->stop_pipe[1] = -1;
    (void)pthread_join(u->thread, NULL);
    free_unpacker(u);
}
