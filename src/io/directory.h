/* directory.h: where results go. */
#ifndef LLMSIM_IO_DIRECTORY_H
#define LLMSIM_IO_DIRECTORY_H

#include "llmsim/status.h"

/* mkdir -p. LLMSIM_IO if it cannot be made or is something else; LLMSIM_RUN_FAILED (memory). */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_make_directories(const char *path,
                                                             struct llmsim_error *err);

#endif
