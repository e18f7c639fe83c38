/* bandwidth.c: what a device's memory delivers, and what it could at the most. */
#include <stdlib.h>
#include <string.h>

#include "llmsim/profiler.h"

#define MAX_ARRAY_BYTES UINT64_C(4000000000)
#define UNIT 4096u /* arrays are a multiple of it: every load is of 16 bytes */
#define MEGA 1e6

struct arrays {
    void *a, *b, *c;
};

/* The bus takes two transfers a clock. 0: the device does not say. */
static double peak_GBps(const struct llmsim_device_info *info)
{
    return 2 * info->memory_clock_MHz * MEGA * info->memory_bus_bits / 8 / 1e9;
}

/* bytes over the median time, in GB/s. */
static enum llmsim_status measure(const struct llmsim_device *device, struct llmsim_launch launch,
                                  uint64_t bytes_moved, unsigned n_repeats, double *GBps,
                                  struct llmsim_error *err)
{
    double *seconds = calloc(n_repeats, sizeof *seconds);
    if (seconds == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    enum llmsim_status status = device->ops->time(device->self, &launch, 1, LLMSIM_LAUNCH_PLAIN,
                                                  n_repeats / 5 + 1, n_repeats, seconds, err);
    if (status == LLMSIM_OK) {
        double median_s = llmsim_median(seconds, n_repeats);
        if (median_s > 0)
            *GBps = (double)bytes_moved / median_s / 1e9;
        else
            status = llmsim_fail(err, LLMSIM_RUN_FAILED, "a kernel over %.3f GB took no time",
                                 (double)bytes_moved / 1e9);
    }
    free(seconds);
    return status;
}

/* Random numbers, since memory may be faster with zeros. */
static enum llmsim_status prepare(const struct llmsim_device *device, uint64_t bytes,
                                  struct arrays *arrays, struct llmsim_error *err)
{
    void **all[] = {&arrays->a, &arrays->b, &arrays->c};
    enum llmsim_status status = LLMSIM_OK;
    for (size_t i = 0; i < 3 && status == LLMSIM_OK; i++) {
        status = device->ops->allocate(device->self, bytes, all[i], err);
        if (status == LLMSIM_OK)
            status =
                device->ops->fill(device->self, *all[i], bytes / 2, LLMSIM_BFLOAT16, i + 1, 1, err);
    }
    return status;
}

static enum llmsim_status measure_all(const struct llmsim_device *device, unsigned n_repeats,
                                      struct llmsim_bandwidth *b, struct llmsim_error *err)
{
    struct arrays arrays = {0};
    enum llmsim_status status = prepare(device, b->bytes, &arrays, err);
    const struct llmsim_launch read = {
        .kind = LLMSIM_LAUNCH_READ, .bytes = b->bytes, .in = arrays.a, .out = arrays.c};
    const struct llmsim_launch copy = {
        .kind = LLMSIM_LAUNCH_COPY, .bytes = b->bytes, .in = arrays.a, .out = arrays.c};
    const struct llmsim_launch triad = {.kind = LLMSIM_LAUNCH_TRIAD,
                                        .bytes = b->bytes,
                                        .in = arrays.a,
                                        .weights = arrays.b,
                                        .out = arrays.c};
    if (status == LLMSIM_OK)
        status = measure(device, read, b->bytes, n_repeats, &b->read_GBps, err);
    if (status == LLMSIM_OK)
        status = measure(device, copy, 2 * b->bytes, n_repeats, &b->copy_GBps, err);
    if (status == LLMSIM_OK)
        status = measure(device, triad, 3 * b->bytes, n_repeats, &b->triad_GBps, err);
    device->ops->release(device->self, arrays.a);
    device->ops->release(device->self, arrays.b);
    device->ops->release(device->self, arrays.c);
    return status;
}

static enum llmsim_status choose_bytes(const struct llmsim_bandwidth_config *config,
                                       struct llmsim_bandwidth *b, struct llmsim_error *err)
{
    uint64_t quarter = b->info.free_bytes / 4;
    b->bytes = config->bytes > 0 ? config->bytes : quarter;
    if (config->bytes == 0 && b->bytes > MAX_ARRAY_BYTES)
        b->bytes = MAX_ARRAY_BYTES;
    b->bytes -= b->bytes % UNIT;
    if (b->bytes == 0 || b->bytes > b->info.free_bytes / 3)
        return llmsim_fail(err, LLMSIM_RUN_FAILED,
                           "three arrays of %.3f GB do not fit: %.3f GB of memory are free",
                           (double)b->bytes / 1e9, (double)b->info.free_bytes / 1e9);
    return LLMSIM_OK;
}

/* To the nearest 1 / parts. */
static double round_to(double value, double parts)
{
    return (double)(uint64_t)(value * parts + 0.5) / parts;
}

static enum llmsim_status conclude(struct llmsim_bandwidth *b, double peak,
                                   struct llmsim_error *err)
{
    double util = 100 * b->read_GBps / peak;
    if (!(util <= 100))
        return llmsim_fail(
            err, LLMSIM_RUN_FAILED,
            "the read kernel ran at %.1f GB/s, over the peak of %.1f GB/s: that peak "
            "is wrong",
            b->read_GBps, peak);
    b->gpu.memory_cap_GB = round_to((double)b->info.memory_bytes / 1e9, 1000);
    b->gpu.memory_bw_GBps = round_to(peak, 1000);
    b->gpu.memory_bw_util_percent = round_to(util, 100);
    return LLMSIM_OK;
}

enum llmsim_status llmsim_profile_bandwidth(const struct llmsim_device *device,
                                            const struct llmsim_bandwidth_config *config,
                                            struct llmsim_bandwidth *bandwidth,
                                            struct llmsim_error *err)
{
    *bandwidth = (struct llmsim_bandwidth){0};
    enum llmsim_status status = device->ops->describe(device->self, &bandwidth->info, err);
    if (status != LLMSIM_OK)
        return status;
    memcpy(bandwidth->gpu.name, bandwidth->info.name, sizeof bandwidth->gpu.name);
    double peak = config->memory_bw_GBps > 0 ? config->memory_bw_GBps : peak_GBps(&bandwidth->info);
    if (!(peak > 0))
        return llmsim_fail(
            err, LLMSIM_RUN_FAILED,
            "%s does not say its memory clock and bus width; give the peak bandwidth "
            "of its datasheet",
            bandwidth->info.name);
    status = choose_bytes(config, bandwidth, err);
    if (status == LLMSIM_OK)
        status = measure_all(device, config->n_repeats, bandwidth, err);
    return status == LLMSIM_OK ? conclude(bandwidth, peak, err) : status;
}
