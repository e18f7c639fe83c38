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

/* LLMSIM_USAGE for the first that is not there: "WHOLE has no NAME". */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_check_parts(const char *whole,
                                                        const struct llmsim_part *parts, size_t n,
                                                        struct llmsim_error *err);

/* llmsim_check_parts of {pointer, name} pairs. */
#define LLMSIM_CHECK_PARTS(whole, err, ...)                                                        \
    llmsim_check_parts(                                                                            \
        whole, (const struct llmsim_part[]){__VA_ARGS__},                                          \
        sizeof((const struct llmsim_part[]){__VA_ARGS__}) / sizeof(struct llmsim_part), err)

#endif
