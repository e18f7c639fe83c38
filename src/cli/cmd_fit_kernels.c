/* cmd_fit_kernels.c: from tables of measured kernels to a file of the kernel catalogue. */
#include <stdio.h>

#include "cli.h"
#include "llmsim/kernels.h"

struct values {
    struct llmsim_kernels_source source;
    double memory_bw, bf16_tflops, fp8_tflops, fp4_tflops, cache_mb;
    const char *output;
};

static void print_kernel(void *ctx, const struct llmsim_kernels_error *e)
{
    (void)ctx;
    (void)printf("%-18s %-20s %8zu %8zu %7.1f %% %7.1f %% %+7.1f %%\n", e->kernel, e->variant,
                 e->n_rows, e->n_held_out, e->mean_percent, e->p90_percent, e->bias_percent);
}

static enum llmsim_status run(const void *values, const char *const *operands, size_t n_operands,
                              struct llmsim_error *err)
{
    const struct values *v = values;
    struct llmsim_kernels_source source = v->source;
    char path[LLMSIM_ERROR_FILE_MAX];
    (void)n_operands;
    source.tables = operands[0];
    source.peaks =
        (struct llmsim_peaks){v->memory_bw * 1e9, v->bf16_tflops * 1e12, v->fp8_tflops * 1e12,
                              v->fp4_tflops * 1e12, v->cache_mb * 1e6};
    (void)snprintf(path, sizeof path, "%s_%s.json", source.system, source.engine);
    if (v->output != NULL)
        (void)snprintf(path, sizeof path, "%s", v->output);
    (void)printf("%-18s %-20s %8s %8s %9s %9s %9s\n", "kernel", "variant", "rows", "held out",
                 "mean", "p90", "bias");
    enum llmsim_status status = llmsim_kernels_fit(&source, path, print_kernel, NULL, err);
    if (status == LLMSIM_OK) {
        (void)fputs("written to ", stdout);
        cli_put_line(stdout, path);
    }
    return status;
}

static const struct cli_option options[] = {
    {.name = "system",
     .argument = "NAME",
     .help = "the GPU system that was measured: h100_sxm",
     .kind = CLI_STRING,
     .required = true,
     .offset = offsetof(struct values, source.system)},
    {.name = "gpu",
     .argument = "NAME",
     .help = "its GPU, by its name in gpu.json",
     .kind = CLI_STRING,
     .required = true,
     .offset = offsetof(struct values, source.gpu)},
    {.name = "engine",
     .argument = "NAME",
     .help = "the engine whose kernels they are: vllm, sglang or trtllm",
     .kind = CLI_STRING,
     .required = true,
     .offset = offsetof(struct values, source.engine)},
    {.name = "engine-version",
     .argument = "TEXT",
     .kind = CLI_STRING,
     .help = "its version",
     .required = true,
     .offset = offsetof(struct values, source.version)},
    {.name = "memory-bw",
     .argument = "GB/S",
     .help = "the GPU's peak bandwidth, from the datasheet",
     .kind = CLI_DOUBLE,
     .required = true,
     .offset = offsetof(struct values, memory_bw)},
    {.name = "bf16-tflops",
     .argument = "X",
     .help = "its peak in dense 16-bit arithmetic, in 10^12 operations/s",
     .kind = CLI_DOUBLE,
     .required = true,
     .offset = offsetof(struct values, bf16_tflops)},
    {.name = "fp8-tflops",
     .argument = "X",
     .help = "in 8-bit floats (0: it has no such units)",
     .kind = CLI_DOUBLE,
     .allows_zero = true,
     .initial = "0",
     .offset = offsetof(struct values, fp8_tflops)},
    {.name = "fp4-tflops",
     .argument = "X",
     .help = "in 4-bit floats",
     .kind = CLI_DOUBLE,
     .allows_zero = true,
     .initial = "0",
     .offset = offsetof(struct values, fp4_tflops)},
    {.name = "cache-mb",
     .argument = "MB",
     .help =
         "its last cache before memory: rows that were read from it are left out (0: not known)",
     .kind = CLI_DOUBLE,
     .allows_zero = true,
     .initial = "0",
     .offset = offsetof(struct values, cache_mb)},
    {.name = "source",
     .argument = "TEXT",
     .help = "who measured, and where it is published",
     .kind = CLI_STRING,
     .required = true,
     .offset = offsetof(struct values, source.source)},
    {.name = "license",
     .argument = "TEXT",
     .help = "of the tables",
     .kind = CLI_STRING,
     .required = true,
     .offset = offsetof(struct values, source.license)},
    {.name = "output",
     .argument = "FILE",
     .help = "where to write (else SYSTEM_ENGINE.json; data/kernels is where they are looked for)",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, output)},
    CLI_OPTION_END,
};

const struct cli_command cli_fit_kernels = {
    .name = "fit kernels",
    .help = "fit measured kernel times of an engine, for the composed cost",
    .operands = "TABLE_DIR",
    .example = "llmsim fit kernels tables/h100_sxm/vllm --system h100_sxm --gpu 'NVIDIA H100 80GB "
               "HBM3' --engine vllm "
               "--engine-version 0.19.0 --memory-bw 3350 --bf16-tflops 989 --fp8-tflops 1979 "
               "--source 'NVIDIA aiconfigurator' --license Apache-2.0",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
