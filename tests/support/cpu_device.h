/* cpu_device.h: a device that computes with the reference, on the CPU, and takes the time that the
 * test says. */
#ifndef LLMSIM_TESTS_CPU_DEVICE_H
#define LLMSIM_TESTS_CPU_DEVICE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "half.h"
#include "llmsim/profiler.h"
#include "reference.h"

struct cpu_device {
    struct llmsim_device_info info;
    /* Seconds of one repeat of these launches. */
    double (*seconds)(const struct llmsim_launch *launches, size_t n, unsigned repeat);
    bool computes;                       /* else launches do nothing */
    bool spoils;                         /* launches of this kind leave a wrong result */
    enum llmsim_launch_kind spoiled;     /* … */
    enum llmsim_launch_kind fails_after; /* not LLMSIM_LAUNCH_EMBED: fails at this kind */
    struct llmsim_launch *launches;      /* all that ran, each repeat of them */
    size_t n_launches;
    size_t n_timed; /* calls of `time` */
    enum llmsim_launch_mode mode;
    unsigned n_warmups;
    int64_t n_allocated; /* less those released */
    char *memory;        /* the first allocation */
    uint64_t bytes;
    uint64_t n_filled; /* elements */
};

static inline enum llmsim_status cpu_describe(void *self, struct llmsim_device_info *info,
                                              struct llmsim_error *err)
{
    (void)err;
    *info = ((struct cpu_device *)self)->info;
    return LLMSIM_OK;
}

static inline enum llmsim_status cpu_allocate(void *self, uint64_t bytes, void **memory,
                                              struct llmsim_error *err)
{
    struct cpu_device *d = self;
    *memory = NULL;
    if (bytes > d->info.free_bytes)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "cpu device: no memory");
    *memory = aligned_alloc(256, (bytes + 255) / 256 * 256);
    if (*memory == NULL)
        abort();
    memset(*memory, 0xff, (bytes + 255) / 256 * 256);
    d->n_allocated++;
    if (d->memory == NULL) {
        d->memory = *memory;
        d->bytes = bytes;
    }
    return LLMSIM_OK;
}

static inline void cpu_release(void *self, void *memory)
{
    struct cpu_device *d = self;
    if (memory == NULL)
        return;
    if (d->memory == memory)
        d->memory = NULL;
    d->n_allocated--;
    free(memory);
}

static inline enum llmsim_status cpu_copy(void *self, void *to, const void *from, uint64_t bytes,
                                          struct llmsim_error *err)
{
    (void)self;
    (void)err;
    memcpy(to, from, bytes);
    return LLMSIM_OK;
}

static inline enum llmsim_status cpu_fill(void *self, void *to, uint64_t n, enum llmsim_dtype dtype,
                                          uint64_t seed, float scale, struct llmsim_error *err)
{
    struct cpu_device *d = self;
    uint16_t *elements = to;
    uint64_t random = seed * 6364136223846793005U + 1442695040888963407U;
    (void)err;
    for (uint64_t i = 0; i < n; i++) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        elements[i] =
            llmsim_half_from_float(scale * ((float)(random >> 40) / (float)(1 << 23) - 1), dtype);
    }
    d->n_filled += n;
    return LLMSIM_OK;
}

static inline enum llmsim_status cpu_launch(struct cpu_device *d, const struct llmsim_launch *l,
                                            struct llmsim_error *err)
{
    if ((d->n_launches & (d->n_launches - 1)) == 0)
        d->launches = realloc(d->launches, 2 * (d->n_launches + 1) * sizeof *d->launches);
    if (d->launches == NULL)
        abort();
    d->launches[d->n_launches++] = *l;
    if (d->fails_after != LLMSIM_LAUNCH_EMBED && l->kind == d->fails_after)
        return llmsim_fail_at(err, LLMSIM_RUN_FAILED, "cpu_device.h", 7, 0, "a launch failed");
    if (d->computes)
        llmsim_reference_launch(l);
    if (d->spoils && l->kind == d->spoiled) {
        struct llmsim_operand operands[LLMSIM_OPERANDS];
        llmsim_launch_operands(l, operands);
        for (unsigned i = 0; i < LLMSIM_OPERANDS; i++)
            if (operands[i].is_written) {
                uint16_t *first = (uint16_t *)(uintptr_t)llmsim_launch_operand(l, i);
                if (operands[i].type != LLMSIM_OPERAND_HALF)
                    first++;      /* the upper half */
                *first ^= 0xc000; /* the sign, and the exponent's highest bit */
                break;
            }
    }
    return LLMSIM_OK;
}

static inline enum llmsim_status cpu_time(void *self, const struct llmsim_launch *launches,
                                          size_t n, enum llmsim_launch_mode mode,
                                          unsigned n_warmups, unsigned n_repeats, double *seconds,
                                          struct llmsim_error *err)
{
    struct cpu_device *d = self;
    d->mode = mode;
    d->n_warmups = n_warmups;
    d->n_timed++;
    for (unsigned i = 0; i < n_repeats; i++) {
        for (size_t k = 0; k < n; k++) {
            enum llmsim_status status = cpu_launch(d, &launches[k], err);
            if (status != LLMSIM_OK)
                return status;
        }
        seconds[i] = d->seconds != NULL ? d->seconds(launches, n, i) : 1e-3;
    }
    return LLMSIM_OK;
}

static inline void cpu_close(void *self)
{
    free(((struct cpu_device *)self)->launches);
}

static inline struct llmsim_device cpu_device(struct cpu_device *self)
{
    static const struct llmsim_device_ops ops = {
        .describe = cpu_describe,
        .allocate = cpu_allocate,
        .release = cpu_release,
        .upload = cpu_copy,
        .download = cpu_copy,
        .fill = cpu_fill,
        .time = cpu_time,
        .close = cpu_close,
    };
    return (struct llmsim_device){self, &ops};
}

static inline struct llmsim_device_info cpu_info(void)
{
    return (struct llmsim_device_info){
        .name = "Test GPU",
        .driver = "driver 1.2, really; CUDA 3.4",
        .memory_bytes = 8000123456,
        .free_bytes = 7000000000,
        .n_multiprocessors = 2,
        .memory_bus_bits = 512,
        .memory_clock_MHz = 1000,
        .core_clock_MHz = 1500,
    };
}

#endif
