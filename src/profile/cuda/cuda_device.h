/* cuda_device.h: the device that the program profiles on. */
#ifndef LLMSIM_PROFILE_CUDA_DEVICE_H
#define LLMSIM_PROFILE_CUDA_DEVICE_H

#include "llmsim/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Open CUDA's device number `index`; device->ops->close closes it. LLMSIM_CATALOGUE says what is
 * missing: CUDA in this build, its libraries, or a GPU. */
LLMSIM_MUST_CHECK enum llmsim_status cuda_device_open(unsigned index, struct llmsim_device *device,
                                                      struct llmsim_error *err);

#ifdef __cplusplus
}
#endif
#endif
