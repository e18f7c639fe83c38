/* packer.c: the thread takes full slots, compresses them and writes them. Level 1, because results
 * are written once at the speed of the simulation and the higher levels are several times slower
 * for a tenth of the size. */
#include "packer.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

struct llmsim_packer {
    struct llmsim_ring ring;
    pthread_t thread;
    int fd;
    atomic_int error_number;
    ZSTD_CCtx *zstd;
    char *packed; /* ZSTD_CStreamOutSize() bytes */
};

int llmsim_write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, bytes, n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno;
        bytes += written;
        n -= (size_t)written;
    }
    return 0;
}

/* Compress `in` and write what comes out; 0 or an errno. */
static int pack(struct llmsim_packer *packer, ZSTD_inBuffer in, ZSTD_EndDirective directive)
{
    for (;;) {
        ZSTD_outBuffer out = {packer->packed, ZSTD_CStreamOutSize(), 0};
        size_t left = ZSTD_compressStream2(packer->zstd, &out, &in, directive);
        if (ZSTD_isError(left))
            return ENOMEM; /* the only way in which level 1 can fail */
        int error_number = llmsim_write_all(packer->fd, packer->packed, out.pos);
        if (error_number != 0)
            return error_number;
        if (directive == ZSTD_e_end ? left == 0 : in.pos == in.size)
            return 0;
    }
}

static void *run(void *argument)
{
    struct llmsim_packer *packer = argument;
    int error_number = 0;
    size_t n;
    const char *bytes;
    /* After a failure the slots are still taken, so that the writer never waits for ever. */
    while ((bytes = llmsim_ring_take(&packer->ring, &n)) != NULL) {
        if (error_number == 0)
            error_number = pack(packer, (ZSTD_inBuffer){bytes, n, 0}, ZSTD_e_continue);
        atomic_store(&packer->error_number, error_number);
        llmsim_ring_give_back(&packer->ring);
    }
    if (error_number == 0)
        error_number = pack(packer, (ZSTD_inBuffer){NULL, 0, 0}, ZSTD_e_end);
    atomic_store(&packer->error_number, error_number);
    return NULL;
}

static void destroy(struct llmsim_packer *packer)
{
    (void)ZSTD_freeCCtx(packer->zstd);
    free(packer->packed);
    llmsim_ring_fini(&packer->ring);
    free(packer);
}

struct llmsim_packer *llmsim_packer_create(int fd)
{
    struct llmsim_packer *packer = calloc(1, sizeof *packer);
    if (packer == NULL)
        return NULL;
    packer->fd = fd;
    packer->zstd = ZSTD_createCCtx();
    packer->packed = malloc(ZSTD_CStreamOutSize());
    if (packer->zstd == NULL || packer->packed == NULL || !llmsim_ring_init(&packer->ring) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(packer->zstd, ZSTD_c_compressionLevel, 1)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(packer->zstd, ZSTD_c_checksumFlag, 1)) ||
        !llmsim_thread_start(&packer->thread, run, packer)) {
        destroy(packer);
        return NULL;
    }
    return packer;
}

struct llmsim_ring *llmsim_packer_ring(struct llmsim_packer *packer)
{
    return &packer->ring;
}

int llmsim_packer_error(const struct llmsim_packer *packer)
{
    return atomic_load(&packer->error_number);
}

int llmsim_packer_finish(struct llmsim_packer *packer)
{
    llmsim_ring_finish(&packer->ring);
    (void)pthread_join(packer->thread, NULL);
    int error_number = atomic_load(&packer->error_number);
    destroy(packer);
    return error_number;
}
