/* fail_errno.h: the failure of a system call as an error. */
#ifndef LLMSIM_BASE_FAIL_ERRNO_H
#define LLMSIM_BASE_FAIL_ERRNO_H

#include "llmsim/status.h"

/* "cannot <what>: <why>" as LLMSIM_IO at `file` (NULL: none). Where the C library ran out of memory
 * on the way, the error is that: LLMSIM_RUN_FAILED, "out of memory". */
enum llmsim_status llmsim_fail_errno(struct llmsim_error *err, const char *file, const char *what,
                                     int error_number);

#endif
