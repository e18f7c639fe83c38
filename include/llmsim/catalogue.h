/* catalogue.h: the catalogues gpu.json, model.json and ptps.json.
 *
 * Strict: an unknown key, a missing key, a wrong type, a value out of range or an entry that stands
 * twice is LLMSIM_CATALOGUE with FILE:LINE:COLUMN where JSON syntax gives a place, and otherwise
 * with the file and the entry's name. */
#ifndef LLMSIM_CATALOGUE_H
#define LLMSIM_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmsim/choice.h"
#include "llmsim/fitted.h"
#include "llmsim/shape.h"
#include "llmsim/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(key): the numbers that an entry of gpu.json may have beside those that it has to have. */
#define LLMSIM_GPU_OPTIONAL_LIST(X)                                                                \
    X(pcie_bw)         /* GB/s to and from the host, each way, effective */                        \
    X(link_bw)         /* GB/s to the other GPUs of the machine, each way, effective */            \
    X(link_latency_us) /* of one message over that link */                                         \
    X(bf16_tflops)     /* 10^12 operations/s, dense, as the datasheet says */                      \
    X(fp8_tflops)      /* the same with 8-bit floats */                                            \
    X(fp4_tflops)      /* with 4-bit floats */                                                     \
    X(int8_tops)       /* with 8-bit integers */                                                   \
    X(watts)           /* the board's power */                                                     \
    X(usd_per_hour)

struct llmsim_gpu {
    char name[LLMSIM_MAX_NAME + 1]; /* CUDA device name */
    double memory_cap_GB;           /* that programs can have, as the driver says; 10^9 bytes */
    double memory_bw_GBps;          /* 10^9 bytes/s, from the datasheet */
    double memory_bw_util_percent;  /* effective bandwidth / memory_bw × 100 */
    /* Of what follows, 0 says that the catalogue does not give it. */
#define X(key) double key;
    LLMSIM_GPU_OPTIONAL_LIST(X)
#undef X
    /* The system of data/kernels whose efficiencies this GPU is taken to have, as none was measured
     * on it; empty: none is like it. */
    char kernels_like[LLMSIM_MAX_NAME + 1];
};

struct llmsim_model {
    char name[LLMSIM_MAX_NAME + 1];
    unsigned num_hidden_layers;
    unsigned num_heads;
    double model_size_GB; /* weights, 10^9 bytes */
    double kvc_size_KB;   /* KV cache of one token, all layers, 1024 bytes */
    /* Of what follows, 0 says that the catalogue does not give it. */
    unsigned hidden_size;   /* width of the layers' output */
    unsigned max_positions; /* prompt and output tokens of one request, at most */
    unsigned num_experts;   /* of a layer; 0 also of a model that is no mixture of experts */
    struct llmsim_shape shape;
};

struct llmsim_catalogue;

/* The directory that holds the catalogues: `data_dir` if not NULL, else $LLMSIM_DATA if not
 * empty, else the installed share directory, else the source tree's data/. LLMSIM_CATALOGUE if none
 * has a gpu.json. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status llmsim_catalogue_find_dir(const char *data_dir,
                                                                          char *path,
                                                                          size_t capacity,
                                                                          struct llmsim_error *err);

/* Read the three files. Errors, which leave *catalogue NULL: LLMSIM_CATALOGUE, LLMSIM_IO. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_catalogue_open(const char *data_dir, struct llmsim_catalogue **catalogue,
                      struct llmsim_error *err);
LLMSIM_API void llmsim_catalogue_close(struct llmsim_catalogue *catalogue);

/* A GPU by its device name, an alias, or a word of its name that only one entry has; case does not
 * matter. LLMSIM_CATALOGUE with the near names if none or several fit. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_catalogue_gpu(const struct llmsim_catalogue *catalogue, const char *name,
                     struct llmsim_gpu *gpu, struct llmsim_error *err);

/* A model by its full name, or by the part after the '/' where only one entry has it; case does not
 * matter. LLMSIM_CATALOGUE with the near names otherwise. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_catalogue_model(const struct llmsim_catalogue *catalogue, const char *name,
                       struct llmsim_model *model, struct llmsim_error *err);

/* The name of the i-th entry, in the order of the file; NULL behind the last. */
LLMSIM_API const char *llmsim_catalogue_gpu_name(const struct llmsim_catalogue *catalogue,
                                                 size_t i);
LLMSIM_API const char *llmsim_catalogue_model_name(const struct llmsim_catalogue *catalogue,
                                                   size_t i);

/* PTPS in tokens/s of a model on so many GPUs (1 to 1024), both by their full names.
 * LLMSIM_CATALOGUE if there is no measurement; the message lists the GPUs that have one for this
 * model. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_catalogue_ptps(const struct llmsim_catalogue *catalogue, const char *model, const char *gpu,
                      unsigned tensor_parallel_size, double *tokens_per_s,
                      struct llmsim_error *err);

/* The fitted coefficients for so many GPUs (1 to 1024), with what else the entry has. Errors as
 * above. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_catalogue_fit(const struct llmsim_catalogue *catalogue, const char *model, const char *gpu,
                     unsigned tensor_parallel_size, struct llmsim_fit *fit,
                     struct llmsim_error *err);

struct llmsim_fit_key {
    char model[LLMSIM_MAX_NAME + 1];
    char gpu[LLMSIM_MAX_NAME + 1];
    unsigned tensor_parallel_size;
};

/* Could a replay use it? LLMSIM_CATALOGUE, with the key in the message. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_catalogue_check_fit(const struct llmsim_fit_key *key, const struct llmsim_fit *fit,
                           struct llmsim_error *err);

/* Add a fit to DIR/ptps.json, or replace the one of that key; every other model keeps its bytes.
 * Its names have to be in DIR's other files. With `file` not NULL, the same in that file, which is
 * made if it is not there, and whose names nobody checks. It is written under a temporary name and
 * renamed. LLMSIM_CATALOGUE where a replay could not use the fit, or the file as it is. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_catalogue_put_fit(const char *data_dir, const char *file, const struct llmsim_fit_key *key,
                         const struct llmsim_fit *fit, struct llmsim_error *err);

/* Where the shape of a model comes from. */
struct llmsim_model_source {
    const char *config_path;      /* a Hugging Face config.json */
    const char *safetensors_path; /* NULL, or the weights' index (*.json) or single file */
    const char *name;             /* NULL: the config's _name_or_path */
    const char *dtype;            /* NULL: the config's torch_dtype (or dtype) */
};

struct llmsim_model_shape {
    struct llmsim_model model; /* its shape is not known where only safetensors_path gives a size */
    char architecture[LLMSIM_MAX_NAME + 1];
    bool is_part; /* the config is of more than text: this is its text part */
};

/* Count a model's parameters from the architecture in its config.json. The weights' bytes follow
 * from them and from how the checkpoint says that it is quantized: in the config, or in an
 * hf_quant_config.json beside it; safetensors_path gives the exact size. Errors: LLMSIM_CATALOGUE
 * names the key that is missing or the architecture or quantization that is not known; LLMSIM_IO.
 */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_model_from_config(const struct llmsim_model_source *source, struct llmsim_model_shape *shape,
                         struct llmsim_error *err);

/* Add `model` to DIR/model.json, or replace the entry of that name; every other entry stays as it
 * is. The file is written under a temporary name and renamed, with its directory locked from before
 * it is read, so that two that add entries at one time both do. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_catalogue_put_model(const char *data_dir, const struct llmsim_model *model,
                           struct llmsim_error *err);

/* The same for DIR/gpu.json. Of an entry that is replaced, what `gpu` does not give stays: aliases,
 * and what is 0. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_catalogue_put_gpu(const char *data_dir, const struct llmsim_gpu *gpu,
                         struct llmsim_error *err);

#ifdef __cplusplus
}
#endif
#endif
