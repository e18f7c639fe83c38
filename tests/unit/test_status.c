/* The list of statuses, and an error's one line. */
#include <criterion/criterion.h>
#include <string.h>

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

/* Characters stay whole; what is none, or is cut off at the end of the room, is masked. */
Test(status, a_message_is_utf8)
{
    struct llmsim_error err;
    char text[LLMSIM_ERROR_MESSAGE_MAX + 8];
    (void)llmsim_fail(&err, LLMSIM_IO, "%s", "caf\xc3\xa9 \x1f\x8b\xff \xc3");
    cr_expect_str_eq(err.message, "caf\xc3\xa9 ??? ?");
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 3);
    (void)llmsim_fail(&err, LLMSIM_IO, "%s", text);
    size_t length = strlen(err.message);
    cr_expect_eq(length, LLMSIM_ERROR_MESSAGE_MAX - 1);
    cr_expect_str_eq(err.message + length - 3, "\xc3\xa9?");
}
