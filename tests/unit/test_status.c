/* The list of statuses, and an error's one line. */
#include <criterion/criterion.h>

#include "llmsim/status.h"

Test(status, names_and_texts)
{
    cr_expect_str_eq(llmsim_status_name(LLMSIM_OK), "OK");
    cr_expect_str_eq(llmsim_status_text(LLMSIM_OK), "ok");
    cr_expect_str_eq(llmsim_status_name(LLMSIM_TRACE), "TRACE");
    cr_expect_str_eq(llmsim_status_text(LLMSIM_TRACE), "the trace is wrong");
    cr_expect_str_eq(llmsim_status_name(LLMSIM_INTERRUPTED), "INTERRUPTED");
    cr_expect_str_eq(llmsim_status_name((enum llmsim_status)99), "UNKNOWN");
    cr_expect_str_eq(llmsim_status_text((enum llmsim_status)99), "not a status of llmsim");
}

static void expect_line(const char *file, uint64_t line, uint64_t column, const char *expected)
{
    struct llmsim_error err;
    char text[64];
    cr_expect_eq(llmsim_fail_at(&err, LLMSIM_TRACE, file, line, column, "%d\nx", 7), LLMSIM_TRACE);
    llmsim_error_format(&err, text, sizeof text);
    cr_expect_str_eq(text, expected);
}

Test(status, an_error_is_one_line)
{
    expect_line("a.csv", 3, 5, "a.csv:3:5: 7?x");
    expect_line("a.csv", 3, 0, "a.csv:3: 7?x");
    expect_line("a.csv", 0, 0, "a.csv: 7?x");
    expect_line(NULL, 0, 0, "7?x");
    expect_line("a\nb\033.csv", 3, 0, "a?b?.csv:3: 7?x");
    cr_expect_eq(llmsim_fail(NULL, LLMSIM_IO, "x"), LLMSIM_IO);
}
