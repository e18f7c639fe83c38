/* cublas_library.c: cuBLAS by dlopen: by its name, then in the toolkit that this was built with. */
#include "cublas_library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define NAME "libcublas.so." TEXT(CUBLAS_VER_MAJOR)

/* ISO C has no way from an object's address to a function's; POSIX says that the bytes are it. */
static int find(void *handle, const char *name, void *function)
{
    void *address = dlsym(handle, name);
    memcpy(function, &address, sizeof address);
    return address != NULL;
}

enum llmsim_status cublas_library_open(struct cublas_library *library, struct llmsim_error *err)
{
    static const char *const paths[] = {NAME, LLMSIM_CUBLAS_DIR "/" NAME};
    *library = (struct cublas_library){0};
    for (size_t i = 0; i < sizeof paths / sizeof *paths && library->handle == NULL; i++)
        library->handle = dlopen(paths[i], RTLD_NOW | RTLD_LOCAL);
    if (library->handle == NULL)
        return llmsim_fail(err, LLMSIM_CATALOGUE,
                           NAME " of the CUDA toolkit is missing, which profiling a GPU needs");
    if (find(library->handle, "cublasCreate_v2", &library->create) &&
        find(library->handle, "cublasDestroy_v2", &library->destroy) &&
        find(library->handle, "cublasSetStream_v2", &library->set_stream) &&
        find(library->handle, "cublasSetWorkspace_v2", &library->set_workspace) &&
        find(library->handle, "cublasGemmEx", &library->gemm) &&
        find(library->handle, "cublasGetStatusString", &library->status_text))
        return LLMSIM_OK;
    cublas_library_close(library);
    return llmsim_fail(err, LLMSIM_CATALOGUE,
                       NAME " lacks functions that profiling a GPU needs; expected cuBLAS "
                            "from 11.4.2 on");
}

void cublas_library_close(struct cublas_library *library)
{
    if (library->handle != NULL)
        (void)dlclose(library->handle);
    library->handle = NULL;
}
