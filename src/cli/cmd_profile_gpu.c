/* cmd_profile_gpu.c: the catalogue entry of the GPU of this machine. */
#include <stdio.h>

#include "cuda_device.h"
#include "profile_steps.h"

struct values {
    const char *data_dir;
    uint64_t device, n_repeats;
    double array_GB, memory_bw_GBps;
    bool self_test, dry_run;
};

static void print_bandwidth(const struct llmsim_bandwidth *b)
{
    (void)printf("GPU                %s\n", b->gpu.name);
    (void)printf("driver             %s\n", b->info.driver);
    (void)printf("clocks             core %.0f MHz, memory %.0f MHz, bus of %u bits\n",
                 b->info.core_clock_MHz, b->info.memory_clock_MHz, b->info.memory_bus_bits);
    (void)printf("arrays             %.3f GB each\n", (double)b->bytes / 1e9);
    (void)printf("read               %.1f GB/s\n", b->read_GBps);
    (void)printf("copy               %.1f GB/s\n", b->copy_GBps);
    (void)printf("triad              %.1f GB/s\n", b->triad_GBps);
    (void)printf("memory_cap         %.15g GB\n", b->gpu.memory_cap_GB);
    (void)printf("memory_bw          %.15g GB/s\n", b->gpu.memory_bw_GBps);
    (void)printf("memory_bw_util     %.15g %%\n", b->gpu.memory_bw_util_percent);
}

static enum llmsim_status measure(const struct values *v, struct llmsim_bandwidth *bandwidth,
                                  struct llmsim_error *err)
{
    const struct llmsim_bandwidth_config config = {
        .bytes = (uint64_t)(v->array_GB * 1e9),
        .n_repeats = (unsigned)v->n_repeats,
        .memory_bw_GBps = v->memory_bw_GBps,
    };
    struct llmsim_device device;
    enum llmsim_status status = cuda_device_open((unsigned)v->device, &device, err);
    if (status != LLMSIM_OK)
        return status;
    if (v->self_test)
        status = cli_self_test(&device, err);
    if (status == LLMSIM_OK)
        status = llmsim_profile_bandwidth(&device, &config, bandwidth, err);
    device.ops->close(device.self);
    return status;
}

static enum llmsim_status run(const void *values, const char *const *operands, size_t n_operands,
                              struct llmsim_error *err)
{
    const struct values *v = values;
    struct llmsim_bandwidth bandwidth;
    char dir[LLMSIM_ERROR_FILE_MAX], shown[CLI_SHOWN_MAX];
    (void)operands;
    (void)n_operands;
    enum llmsim_status status = llmsim_catalogue_find_dir(v->data_dir, dir, sizeof dir, err);
    if (status == LLMSIM_OK)
        status = measure(v, &bandwidth, err);
    if (status == LLMSIM_OK && !v->dry_run)
        status = llmsim_catalogue_put_gpu(dir, &bandwidth.gpu, err);
    if (status != LLMSIM_OK)
        return status;
    print_bandwidth(&bandwidth);
    if (!v->dry_run)
        (void)printf("entry written to   %s/gpu.json\n", llmsim_shown(dir, shown, sizeof shown));
    return LLMSIM_OK;
}

static const struct cli_option options[] = {
    {.name = "array",
     .argument = "GB",
     .help = "size of each of the three arrays (else 4, or a quarter of the free memory)",
     .kind = CLI_DOUBLE,
     .offset = offsetof(struct values, array_GB)},
    {.name = "repeats",
     .argument = "N",
     .help = "measurements of each kernel, of which the median counts",
     .kind = CLI_U64,
     .min = 1,
     .max = PROFILE_MAX_REPEATS,
     .initial = "100",
     .offset = offsetof(struct values, n_repeats)},
    {.name = "memory-bw",
     .argument = "GB/S",
     .help = "peak bandwidth, in place of that from the device's clock and bus width",
     .kind = CLI_DOUBLE,
     .offset = offsetof(struct values, memory_bw_GBps)},
    {.name = "device",
     .argument = "N",
     .help = "CUDA's number of the GPU",
     .kind = CLI_U64,
     .max = 1023,
     .initial = "0",
     .offset = offsetof(struct values, device)},
    {.name = "self-test",
     .help = "first hold every kernel against a reference on the CPU",
     .kind = CLI_FLAG,
     .offset = offsetof(struct values, self_test)},
    {.name = "dry-run",
     .help = "measure and print, but leave gpu.json as it is",
     .kind = CLI_FLAG,
     .offset = offsetof(struct values, dry_run)},
    {.name = "data",
     .argument = "DIR",
     .help = "directory of the catalogues (else $LLMSIM_DATA, else the installed one)",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, data_dir)},
    CLI_OPTION_END,
};

const struct cli_command cli_profile_gpu = {
    .name = "profile gpu",
    .help = "measure the memory bandwidth of a GPU and add it to gpu.json",
    .operands = "",
    .example = "llmsim profile gpu --self-test\n"
               "\n"
               "Needs a GPU and an llmsim built with CUDA. It has compiled, but not yet run on a\n"
               "GPU: use --self-test. docs/profiles.md says what is measured, and how.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
