/* kernels.h: the kernel catalogue: how long the kernels of a serving engine take on a GPU system.
 *
 * A file of data/kernels, SYSTEM_ENGINE.json, has for each kernel and number format a lattice of
 * the logarithm of measured time / roofline. `llmsim fit kernels` makes it from measured tables;
 * docs/kernels.md says how, and how good it is. */
#ifndef LLMSIM_KERNELS_H
#define LLMSIM_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#include "llmsim/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a GPU can do at most, as the datasheet says. */
struct llmsim_peaks {
    double bytes_per_s;
    double bf16_per_s, fp8_per_s, fp4_per_s; /* dense operations; 0: it has no such units */
    double cache_bytes;                      /* the last cache before memory; 0: not known */
};

struct llmsim_kernels;

/* Read DIR/kernels/SYSTEM_ENGINE.json of the catalogue directory (llmsim_catalogue_find_dir).
 * Errors, which leave *kernels NULL: LLMSIM_IO where there is none; LLMSIM_CATALOGUE. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_kernels_open(const char *data_dir, const char *system, const char *engine,
                    struct llmsim_kernels **kernels, struct llmsim_error *err);
LLMSIM_API void llmsim_kernels_close(struct llmsim_kernels *kernels);

LLMSIM_API const char *llmsim_kernels_system(const struct llmsim_kernels *kernels);
/* The GPU that was measured, by its name in gpu.json. */
LLMSIM_API const char *llmsim_kernels_gpu(const struct llmsim_kernels *kernels);
LLMSIM_API const char *llmsim_kernels_engine(const struct llmsim_kernels *kernels);
LLMSIM_API const char *llmsim_kernels_version(const struct llmsim_kernels *kernels);
/* Those of the system that was measured. */
LLMSIM_API const struct llmsim_peaks *llmsim_kernels_peaks(const struct llmsim_kernels *kernels);

/* How to make a file. */
struct llmsim_kernels_source {
    const char *tables; /* a folder with gemm.csv.zst and its like (or .csv) */
    const char *system, *gpu, *engine, *version;
    struct llmsim_peaks peaks;
    const char *source, *license; /* texts for the file */
};

/* Of one lattice: how far off it was for shapes that a fit without them had not seen. */
struct llmsim_kernels_error {
    const char *kernel, *variant;
    size_t n_rows, n_held_out;
    double mean_percent, p90_percent, bias_percent;
};

/* Fit all tables of the folder and write `path`, under a temporary name and renamed. on_kernel, if
 * not NULL, hears of each lattice. Errors: LLMSIM_IO; LLMSIM_TRACE with the place in a table;
 * LLMSIM_RUN_FAILED. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_kernels_fit(const struct llmsim_kernels_source *source, const char *path,
                   void (*on_kernel)(void *ctx, const struct llmsim_kernels_error *error),
                   void *ctx, struct llmsim_error *err);

#ifdef __cplusplus
}
#endif
#endif
