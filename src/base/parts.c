#include "parts.h"

enum llmsim_status llmsim_check_parts(const char *whole, const struct llmsim_part *parts, size_t n,
                                      struct llmsim_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (!parts[i].is_there)
            return llmsim_fail(err, LLMSIM_USAGE, "%s has no %s", whole, parts[i].name);
    return LLMSIM_OK;
}
