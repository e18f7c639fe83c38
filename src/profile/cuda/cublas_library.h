/* cublas_library.h: the part of cuBLAS that a forward pass needs, loaded when it is needed: a
 * program that were linked with it would not start on a machine without it. */
#ifndef LLMSIM_PROFILE_CUBLAS_LIBRARY_H
#define LLMSIM_PROFILE_CUBLAS_LIBRARY_H

#include <cublas_v2.h>

#include "llmsim/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cublas_library {
    void *handle; /* dlopen's */
    cublasStatus_t (*create)(cublasHandle_t *handle);
    cublasStatus_t (*destroy)(cublasHandle_t handle);
    cublasStatus_t (*set_stream)(cublasHandle_t handle, cudaStream_t stream);
    cublasStatus_t (*set_workspace)(cublasHandle_t handle, void *memory, size_t bytes);
    cublasStatus_t (*gemm)(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b,
                           int m, int n, int k, const void *alpha, const void *a,
                           cudaDataType_t type_a, int ld_a, const void *b, cudaDataType_t type_b,
                           int ld_b, const void *beta, void *c, cudaDataType_t type_c, int ld_c,
                           cublasComputeType_t compute, cublasGemmAlgo_t algorithm);
    const char *(*status_text)(cublasStatus_t status);
};

/* LLMSIM_CATALOGUE if cuBLAS, of the version that this was compiled for, is not there. */
LLMSIM_MUST_CHECK enum llmsim_status cublas_library_open(struct cublas_library *library,
                                                         struct llmsim_error *err);
/* Fine on a zeroed struct. */
void cublas_library_close(struct cublas_library *library);

#ifdef __cplusplus
}
#endif
#endif
