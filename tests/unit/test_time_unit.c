/* What the stamps of JSON lines count: where it can be told, where not, and where it is said. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "llmsim/trace.h"
#include "support/errors.h"
#include "support/files.h"

static struct llmsim_error err;

/* The arrival of the last request. */
static enum llmsim_status read_last(const char *text, const char *format, const char *unit,
                                    int64_t *last_ns, const char **found)
{
    char *path = temp_file(text, strlen(text));
    struct llmsim_trace *trace;
    struct llmsim_request requests[16];
    struct llmsim_trace_status status_now;
    size_t n = 0;
    struct llmsim_trace_options options = {.format = format, .time_unit = unit};
    enum llmsim_status status = llmsim_trace_open(path, &options, &trace, &err);
    if (status == LLMSIM_OK) {
        struct llmsim_source source = llmsim_trace_source(trace);
        do {
            status = source.read(source.self, requests, 16, &n, &err);
            if (n > 0)
                *last_ns = requests[n - 1].arrival_ns;
        } while (status == LLMSIM_OK && n > 0);
        llmsim_trace_get_status(trace, &status_now);
        *last_ns += status_now.origin_ns; /* on the trace's own clock */
        *found = status_now.time_unit;
        llmsim_trace_close(trace);
    }
    remove_temp(path);
    return status;
}

#define ROW(stamp) "{\"timestamp\": " stamp ", \"input_length\": 600, \"output_length\": 5}\n"
#define ROW_WITH(stamp, more)                                                                      \
    "{\"timestamp\": " stamp ", \"input_length\": 600, \"output_length\": 5, " more "}\n"
#define CONVERSATION(stamp)                                                                        \
    "{\"chat_id\": 1, \"parent_chat_id\": -1, \"timestamp\": " stamp                               \
    ", \"input_length\": 40, \"output_length\": 5, \"type\": \"text\", \"turn\": 1, "              \
    "\"hash_ids\": [1, 2, 3]}\n"
#define BLOCKS(stamp) ROW_WITH(stamp, "\"hash_ids\": [0, 1]")

#define S INT64_C(1000000000)
#define MS INT64_C(1000000)

Test(time_unit, told_from_the_rows)
{
    static const struct {
        const char *text;
        int64_t last_ns;
        const char *unit; /* NULL: ms, the format's own */
    } cases[] = {
        /* Qwen's traces: seconds. */
        {CONVERSATION("0.0") CONVERSATION("60.5") CONVERSATION("121.25"), 121 * S + 250 * MS, "s"},
        {CONVERSATION("0") CONVERSATION("61"), 61 * S, "s"},
        /* a row says so, before or behind */
        {ROW("0") ROW_WITH("7.5", "\"time_unit\": \"ms\""), 7 * MS + MS / 2, NULL},
        {ROW_WITH("0", "\"time_unit\": \"s\"") ROW("7.5"), 7 * S + 500 * MS, "s"},
        {ROW_WITH("5", "\"time_unit\": \"us\""), 5000, "us"},
        {ROW_WITH("5", "\"time_unit\": \"ns\""), 5, "ns"},
        /* Unix time */
        {ROW("1700000000") ROW("1700000001"), 1700000001 * S, "s"},
        {ROW("1700000000.25") ROW("1700000001.5"), 1700000001 * S + 500 * MS, "s"},
        {ROW("1700000000000") ROW("1700000001500"), 1700000001 * S + 500 * MS, NULL},
        {ROW("1700000000000.5"), 1700000000 * S + MS / 2, NULL},
        /* whatever it is, it is 0 */
        {ROW("0") ROW("0"), 0, NULL},
        {ROW("0.0"), 0, NULL},
        /* ids of blocks of 512 tokens, whole numbers */
        {BLOCKS("0") BLOCKS("27") BLOCKS("40"), 40 * MS, NULL},
        /* only multiples of 1000, or ten minutes apart */
        {ROW("0") ROW("3000"), 3 * S, NULL},
        {ROW("0") ROW("9123"), 9 * S + 123 * MS, NULL},
        {"\xEF\xBB\xBF" ROW("0") "\r\n" ROW("3000"), 3 * S, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t last_ns = -1;
        const char *unit = NULL;
        cr_assert(read_last(cases[i].text, NULL, NULL, &last_ns, &unit) == LLMSIM_OK, "%zu: %s", i,
                  err.message);
        cr_expect(last_ns == cases[i].last_ns, "%zu: %lld", i, (long long)last_ns);
        cr_expect(unit == NULL ? cases[i].unit == NULL
                               : cases[i].unit != NULL && strcmp(unit, cases[i].unit) == 0,
                  "%zu: %s", i, unit);
    }
}

#define CANNOT "it cannot be told whether timestamps are seconds or milliseconds"
#define EXPECTED "; expected --time-unit s, ms, us or ns"

/* And read either way if it is said. */
Test(time_unit, cannot_be_told)
{
    static const struct {
        const char *text, *rates;
    } cases[] = {
        {ROW("0.0") ROW("0.2"), " (5 requests/s, or 5000)"},
        {ROW("0") ROW("60") ROW("121"), " (0.0165289 requests/s, or 16.5289)"},
        {ROW("500"), ""},
        {BLOCKS("0.0") BLOCKS("61.114"), " (0.0163629 requests/s, or 16.3629)"},
        /* as nanoseconds have it */
        {ROW("0") ROW("200000000"), " (5e-09 requests/s, or 5e-06)"},
        /* a prompt of 600 tokens has 2 blocks of 512 */
        {ROW_WITH("0", "\"hash_ids\": [1, 2, 3]") BLOCKS("7"),
         " (0.142857 requests/s, or 142.857)"},
        {ROW_WITH("0", "\"time_unit\": \"h\"") ROW("7"), " (0.142857 requests/s, or 142.857)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[256];
        int64_t as_s = 0, as_ms = 0;
        const char *unit;
        (void)snprintf(expected, sizeof expected, CANNOT "%s" EXPECTED, cases[i].rates);
        cr_expect(read_last(cases[i].text, NULL, NULL, &as_s, &unit) == LLMSIM_TRACE);
        cr_expect_str_eq(err.message, expected);
        cr_expect(err.line == 1);
        if (i == sizeof cases / sizeof *cases - 1)
            break; /* its row is wrong in any unit */
        cr_expect(read_last(cases[i].text, NULL, "s", &as_s, &unit) == LLMSIM_OK);
        cr_expect(read_last(cases[i].text, NULL, "ms", &as_ms, &unit) == LLMSIM_OK);
        cr_expect(unit == NULL && as_s == 1000 * as_ms && as_ms > 0);
    }
}

/* n rows, `per_unit` of them at each stamp. */
static char *many_rows(size_t n, size_t per_unit)
{
    char *text = malloc(n * 80 + 1), *p = text;
    cr_assert(text != NULL);
    *p = '\0';
    for (size_t i = 0; i < n; i++)
        p += sprintf(p, ROW("%zu"), i / per_unit);
    return text;
}

/* More than 10,000 requests in each second are none of any service; a thousand may be. */
Test(time_unit, told_from_the_rate)
{
    static const struct {
        size_t n, per_unit;
        const char *unit;
    } cases[] = {{400, 20, "s"}, {400, 5, NULL}, {60, 20, NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = many_rows(cases[i].n, cases[i].per_unit);
        int64_t last_ns = 0;
        const char *unit = NULL;
        enum llmsim_status status = read_last(text, NULL, NULL, &last_ns, &unit);
        if (cases[i].unit != NULL)
            cr_expect(status == LLMSIM_OK && strcmp(unit, "s") == 0 && last_ns == 19 * S);
        else
            cr_expect(status == LLMSIM_TRACE);
        free(text);
    }
}

/* What follows the first 256 KiB cannot say that those were read wrongly; it is a bad row. */
Test(time_unit, a_fraction_behind_whole_numbers)
{
    enum { N = 5000 };
    char *text = malloc(N * 80 + 100), *p = text;
    int64_t last_ns;
    const char *unit;
    for (int i = 0; i < N; i++)
        p += sprintf(p, ROW("%d"), 1000 * i);
    (void)strcpy(p, ROW("6000000.25"));
    cr_expect(read_last(text, NULL, NULL, &last_ns, &unit) == LLMSIM_TRACE);
    cr_expect(err.line == N + 1);
    cr_expect_str_eq(err.message,
                     "timestamp '6000000.25' is no whole number, as those before are, from which "
                     "the unit was told; expected one, or --time-unit");
    cr_expect(read_last(text, NULL, "ms", &last_ns, &unit) == LLMSIM_OK &&
              last_ns == 6000 * S + MS / 4);
    free(text);
}

/* The option is for all formats with numbers; deadlines are on the same clock. */
Test(time_unit, of_other_formats)
{
    static const char native[] =
        "arrival_s,prompt_tokens,output_tokens,deadline_s\n0,1,1,5\n1500,1,1,1600\n";
    int64_t last_ns = 0;
    const char *unit = NULL;
    cr_expect(read_last(native, NULL, "us", &last_ns, &unit) == LLMSIM_OK);
    cr_expect(last_ns == 1500000 && strcmp(unit, "us") == 0);
    cr_expect(read_last(native, NULL, "s", &last_ns, &unit) == LLMSIM_OK);
    cr_expect(last_ns == 1500 * S && unit == NULL);
    expect_error(read_last(native, NULL, "min", &last_ns, &unit), LLMSIM_USAGE, &err,
                 "unknown time unit 'min'; expected one of s, ms, us, ns");
    expect_error(read_last("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,1,1\n",
                           NULL, "s", &last_ns, &unit),
                 LLMSIM_USAGE, &err,
                 "--time-unit s: the arrivals of format azure are dates, which have none");
    static const char late[] = "arrival_s,prompt_tokens,output_tokens\n3153600000000001,1,1\n";
    cr_expect(read_last(late, NULL, "us", &last_ns, &unit) == LLMSIM_TRACE);
    cr_expect_str_eq(err.message, "arrival_s '3153600000000001' is too large; expected at most "
                                  "3153600000000000 microseconds, which is 100 years");
}
