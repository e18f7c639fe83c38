/* Token counts, seconds and dates, in every form that is allowed. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "trace_fields.h"

/* The readers may look at LLMSIM_SCAN_BYTES. */
static const char *padded(const char *text)
{
    static char buffer[4096];
    memset(buffer, 0, sizeof buffer);
    return strcpy(buffer, text);
}

static void expect_seconds(const char *text, int64_t expected)
{
    int64_t ns = -1;
    const char *fault = llmsim_parse_seconds(padded(text), strlen(text), &ns);
    cr_expect(fault == NULL && ns == expected, "%s: %" PRId64 " %s", text, ns,
              fault != NULL ? fault : "");
}

Test(trace_fields, priorities)
{
    static const struct {
        const char *text;
        int64_t expected; /* INT64_MIN: refused */
    } cases[] = {{"0", 0},
                 {"-0", 0},
                 {"+12", 12},
                 {"2147483647", INT32_MAX},
                 {"-999999999", -999999999},
                 {"-2147483648", INT32_MIN},
                 {"2147483648", INT64_MIN},
                 {"-2147483649", INT64_MIN},
                 {"99999999999999999999", INT64_MIN},
                 {"-", INT64_MIN},
                 {"1.0", INT64_MIN},
                 {"--1", INT64_MIN},
                 {"high", INT64_MIN}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = padded(cases[i].text);
        int32_t value = 1, scanned = 1;
        const char *fault = llmsim_parse_priority(text, strlen(text), &value);
        const char *end = llmsim_scan_priority(text, &scanned);
        cr_expect((fault != NULL) == (cases[i].expected == INT64_MIN), "%s", text);
        cr_expect(fault != NULL || value == cases[i].expected, "%s", text);
        cr_expect(end == NULL || *end != '\0' || scanned == value, "%s", text);
    }
}

Test(trace_fields, seconds)
{
    expect_seconds("0", 0);
    expect_seconds("12", 12000000000);
    expect_seconds("12.5", 12500000000);
    expect_seconds("0.000000001", 1);
    expect_seconds("00012.500", 12500000000);
    expect_seconds("12.", 12000000000);
    expect_seconds(".5", 500000000);
    expect_seconds("+3.25", 3250000000);
    expect_seconds("-0.0", 0);
    expect_seconds("999999999.999999999", 999999999999999999);
    expect_seconds("1700158546.680590", 1700158546680590000);
    expect_seconds("3153600000", 3153600000000000000);
}

/* More than nine digits: the nearest nanosecond, halves up, however many digits follow. */
Test(trace_fields, seconds_are_rounded_once)
{
    expect_seconds("0.0000000005", 1);
    expect_seconds("0.00000000049999999999999999", 0);
    expect_seconds("0.99999999949999999", 999999999);
    expect_seconds("0.9999999995", 1000000000);
    expect_seconds("3.1415926535897931", 3141592654);
    expect_seconds("0.30000000000000004", 300000000);
}

Test(trace_fields, seconds_with_an_exponent)
{
    expect_seconds("1e3", 1000000000000);
    expect_seconds("1.5E+2", 150000000000);
    expect_seconds("1e-05", 10000);
    expect_seconds("123456.789e-4", 12345678900);
    expect_seconds("5e-10", 1);
    expect_seconds("4.9e-10", 0);
    expect_seconds("1e-400", 0);
    expect_seconds("0e999999999999", 0);
    expect_seconds("0.000000000000000000000000000001e30", 1000000000);
}

Test(trace_fields, seconds_of_very_many_digits)
{
    char text[2100] = "0.";
    memset(text + 2, '0', 2000);
    strcpy(text + 2002, "1e2001");
    expect_seconds(text, 1000000000);
    memset(text, '0', 2000);
    strcpy(text + 2000, "7.5");
    expect_seconds(text, 7500000000);
}

Test(trace_fields, what_is_no_number_of_seconds)
{
    static const char *const faults[] = {
        "",    "x",   "1x",  ".",   "-",  "+",     "1e",    "1e+",  "e5",         "1.2.3", "0x1",
        "nan", "inf", "1 2", "--1", "-1", "-1e-9", "1e300", "1e10", "3153600001", "1,5",   "١"};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        int64_t ns;
        cr_expect(llmsim_parse_seconds(padded(faults[i]), strlen(faults[i]), &ns) != NULL, "%s",
                  faults[i]);
    }
}

Test(trace_fields, tokens)
{
    static const struct {
        const char *text;
        uint32_t tokens;
    } cases[] = {{"0", 0},
                 {"7", 7},
                 {"374", 374},
                 {"12345678", 12345678},
                 {"123456789", 123456789},
                 {"999999999", 999999999},
                 {"1000000000", 1000000000},
                 {"0000000000000042", 42},
                 {"00000000001000000000", 1000000000},
                 {"00000000000000", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t tokens = 1;
        const char *fault =
            llmsim_parse_tokens(padded(cases[i].text), strlen(cases[i].text), &tokens);
        cr_expect(fault == NULL && tokens == cases[i].tokens, "%s: %" PRIu32, cases[i].text,
                  tokens);
    }
    static const char *const faults[] = {"",
                                         "-",
                                         "-1",
                                         "+1",
                                         "1.0",
                                         "1e3",
                                         "1000000001",
                                         "1 2",
                                         "1a",
                                         "a1",
                                         "0x10",
                                         "2000000000",
                                         "99999999999999999999999"};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        uint32_t tokens;
        cr_expect(llmsim_parse_tokens(padded(faults[i]), strlen(faults[i]), &tokens) != NULL, "%s",
                  faults[i]);
    }
}

/* The scanner takes a number of any length in front of any byte. */
Test(trace_fields, scanned_tokens)
{
    char text[80];
    for (int digits = 1; digits <= 9; digits++) {
        for (int next = 0; next < 256; next++) {
            uint32_t value = 0, expected = 0;
            if (next >= '0' && next <= '9')
                continue;
            memset(text, '9', sizeof text); /* digits behind the end must not count */
            for (int i = 0; i < digits; i++) {
                text[i] = (char)('1' + i % 9);
                expected = expected * 10 + (uint32_t)(1 + i % 9);
            }
            text[digits] = (char)next;
            cr_assert(llmsim_scan_tokens(text, &value) == text + digits && value == expected,
                      "%d digits before byte %d: %" PRIu32, digits, next, value);
        }
    }
    memset(text, '1', sizeof text);
    uint32_t value;
    cr_expect(llmsim_scan_tokens(text, &value) == NULL);
    text[0] = ',';
    cr_expect(llmsim_scan_tokens(text, &value) == NULL);
}

static void expect_date(const char *text, int64_t expected)
{
    struct llmsim_day_cache cache = {0};
    int64_t ns = -1;
    const char *fault = llmsim_parse_date(&cache, padded(text), strlen(text), &ns);
    cr_expect(fault == NULL && ns == expected, "%s: %" PRId64 " %s", text, ns,
              fault != NULL ? fault : "");
}

/* Seconds since 1970 as `date -u +%s -d …` prints them. */
Test(trace_fields, dates)
{
    expect_date("1970-01-01 00:00:00", 0);
    expect_date("2023-11-16 18:15:46.6805900", 1700158546680590000);
    expect_date("2023-11-16T18:15:46.6805900Z", 1700158546680590000);
    expect_date("2024-05-10 00:00:00.009930+00:00", 1715299200009930000);
    expect_date("2024-05-10 02:00:00+02:00", 1715299200000000000);
    expect_date("2024-05-09 18:30:00.5-05:30", 1715299200500000000);
    expect_date("2024-02-29 23:59:59.999999999", 1709251199999999999);
    expect_date("2024-02-29 23:59:59.9999999996", 1709251200000000000);
    expect_date("2000-02-29 00:00:00", 951782400000000000);
    expect_date("1900-03-01 00:00:00", -2203891200000000000);
    expect_date("1900-01-01 00:00:00", -2208988800000000000);
    expect_date("2100-12-31 23:59:59", 4133980799000000000);
}

/* Every day of the calendar, against the C library. */
Test(trace_fields, all_days)
{
    struct llmsim_day_cache cache = {0};
    for (int64_t day = -25567; day <= 47846; day++) { /* 1900-01-01 to 2100-12-31 */
        time_t seconds = (time_t)(day * 86400);
        struct tm tm;
        char text[96] = "";
        int64_t ns;
        cr_assert(gmtime_r(&seconds, &tm) != NULL);
        cr_assert(strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm) == 19);
        cr_assert(llmsim_parse_date(&cache, text, 19, &ns) == NULL, "%s", text);
        cr_assert(ns == day * 86400 * LLMSIM_NS_PER_S, "%s: %" PRId64, text, ns);
    }
}

Test(trace_fields, a_bad_date_does_not_spoil_the_cache)
{
    struct llmsim_day_cache cache = {0};
    int64_t ns;
    cr_expect(llmsim_parse_date(&cache, padded("2023-11-16 00:00:00"), 19, &ns) == NULL);
    cr_expect(llmsim_parse_date(&cache, padded("2023-11-31 00:00:00"), 19, &ns) != NULL);
    cr_expect(llmsim_parse_date(&cache, padded("2023-11-31 00:00:00"), 19, &ns) != NULL);
    cr_expect(llmsim_parse_date(&cache, padded("2023-11-16 00:00:01"), 19, &ns) == NULL);
    cr_expect(ns == 1700092801000000000);
}
