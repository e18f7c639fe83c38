/* safetensors_size.h: the bytes of a model's weights. */
#ifndef LLMSIM_MODEL_SAFETENSORS_SIZE_H
#define LLMSIM_MODEL_SAFETENSORS_SIZE_H

#include <stdint.h>

#include "llmsim/status.h"

/* `path`: an index (*.json), or a single safetensors file. LLMSIM_CATALOGUE, LLMSIM_IO. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_safetensors_size(const char *path, uint64_t *bytes,
                                                             struct llmsim_error *err);

#endif
