/* parts.h: structs of the public headers that a program fills in, and what it may have left out. */
#ifndef LLMSIM_BASE_PARTS_H
#define LLMSIM_BASE_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "llmsim/status.h"

struct llmsim_part {
    bool is_there;
    const char *name;
};

/* LLMSIM_USAGE for the first that is not there: "WHOLE has no NAME". Here, so that an analyzer of
 * one source file sees what is there afterwards. */
LLMSIM_MUST_CHECK static inline enum llmsim_status
llmsim_check_parts(const char *whole, const struct llmsim_part *parts, size_t n,
                   struct llmsim_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (!parts[i].is_there)
            return llmsim_fail(err, LLMSIM_USAGE, "%s has no %s", whole, parts[i].name);
    return LLMSIM_OK;
}

/* llmsim_check_parts of {pointer, name} pairs. */
#define LLMSIM_CHECK_PARTS(whole, err, ...)                                                        \
    llmsim_check_parts(                                                                            \
        whole, (const struct llmsim_part[]){__VA_ARGS__},                                          \
        sizeof((const struct llmsim_part[]){__VA_ARGS__}) / sizeof(struct llmsim_part), err)

#endif
