/* no_cuda.c: in place of cuda_device.cu where there is no CUDA toolkit. */
#include "cuda_device.h"

enum llmsim_status cuda_device_open(unsigned index, struct llmsim_device *device,
                                    struct llmsim_error *err)
{
    (void)index;
    *device = (struct llmsim_device){0};
    return llmsim_fail(err, LLMSIM_CATALOGUE,
                       "this llmsim was built without CUDA, which profiling a GPU needs; install "
                       "the CUDA toolkit (nvcc and cuBLAS) and build with -DLLMSIM_CUDA=ON");
}
