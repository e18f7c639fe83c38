#include "fail_errno.h"

#include <errno.h>
#include <string.h>

enum llmsim_status llmsim_fail_errno(struct llmsim_error *err, const char *file, const char *what,
                                     int error_number)
{
    if (error_number == ENOMEM)
        return llmsim_fail_at(err, LLMSIM_RUN_FAILED, file, 0, 0, "out of memory");
    return llmsim_fail_at(err, LLMSIM_IO, file, 0, 0, "cannot %s: %s", what,
                          strerror(error_number));
}
