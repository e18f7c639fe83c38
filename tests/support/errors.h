/* errors.h: an error's whole line, as a user sees it. */
#ifndef LLMSIM_TESTS_ERRORS_H
#define LLMSIM_TESTS_ERRORS_H

#include <criterion/criterion.h>

#include "llmsim/status.h"

static inline void expect_error(enum llmsim_status status, enum llmsim_status expected_status,
                                const struct llmsim_error *err, const char *expected)
{
    char text[LLMSIM_ERROR_FILE_MAX + LLMSIM_ERROR_MESSAGE_MAX + 64] = "";
    if (status != LLMSIM_OK)
        llmsim_error_format(err, text, sizeof text);
    cr_expect_eq(status, expected_status, "status %d, not %d, for: %s", (int)status,
                 (int)expected_status, expected);
    cr_expect_str_eq(text, expected);
}

#endif
