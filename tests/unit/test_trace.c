/* Traces as a whole: headers, arrivals, ids, limits, what is known at the end. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "llmsim/trace.h"
#include "support/files.h"

#define NATIVE "arrival_s,prompt_tokens,output_tokens\n"
#define AZURE "TIMESTAMP,ContextTokens,GeneratedTokens\n"

/* A trace from text, read at once. */
struct reading {
    enum llmsim_status status;
    struct llmsim_error err;
    struct llmsim_request requests[64];
    size_t n;
    char ids[64][80];
    struct llmsim_trace_status trace;
};

static void read_options(const char *text, const struct llmsim_trace_options *options,
                         struct reading *r)
{
    char *path = temp_file(text, strlen(text));
    struct llmsim_trace *trace = NULL;
    memset(r, 0, sizeof *r);
    r->status = llmsim_trace_open(path, options, &trace, &r->err);
    remove_temp(path);
    if (r->status != LLMSIM_OK)
        return;
    struct llmsim_source source = llmsim_trace_source(trace);
    size_t n;
    do {
        /* Small reads, so that state has to live from one to the next. */
        r->status = source.read(source.self, r->requests + r->n, 3, &n, &r->err);
        r->n += n;
    } while (r->status == LLMSIM_OK && n > 0);
    for (size_t i = 0; i < r->n; i++) {
        if (r->requests[i].id == LLMSIM_NO_ID)
            continue;
        size_t length;
        const char *id = source.id_text(source.self, r->requests[i].id, &length);
        memcpy(r->ids[i], id, length);
        source.release(source.self, r->requests[i].id);
    }
    llmsim_trace_get_status(trace, &r->trace);
    r->trace.unused_columns = NULL; /* it dies with the trace */
    llmsim_trace_close(trace);
}

static void read_requests_of(const char *text, struct reading *r)
{
    read_options(text, &(struct llmsim_trace_options){0}, r);
    cr_assert(r->status == LLMSIM_OK, "%s", r->err.message);
}

static void expect_request(const struct reading *r, size_t i, int64_t arrival_ns, uint32_t prompt,
                           uint32_t output)
{
    const struct llmsim_request *q = &r->requests[i];
    cr_expect(i < r->n && q->arrival_ns == arrival_ns && q->prompt_tokens == prompt &&
                  q->output_tokens == output,
              "request %zu: %" PRId64 " %u %u", i, q->arrival_ns, q->prompt_tokens,
              q->output_tokens);
}

Test(trace, native)
{
    struct reading r;
    read_requests_of(NATIVE "0.5,100,20\n1.25,7,0\n", &r);
    cr_expect(r.n == 2);
    expect_request(&r, 0, 500000000, 100, 20);
    expect_request(&r, 1, 1250000000, 7, 0);
    cr_expect(r.requests[0].row == 0 && r.requests[1].row == 1);
    cr_expect(r.requests[0].id == LLMSIM_NO_ID);
    cr_expect_str_eq(r.trace.format, "native");
    cr_expect(r.trace.rows == 2 && r.trace.rejected == 0);
    cr_expect(!r.trace.has_dates && !r.trace.has_request_ids);
    cr_expect(r.trace.bytes_read == r.trace.bytes_total && r.trace.bytes_total == 58);
}

Test(trace, azure_counts_from_its_first_row)
{
    struct reading r;
    read_requests_of(
        AZURE "2023-11-16 23:59:59.9999999,374,44\r\n2023-11-17 00:00:00.0000001,396,109", &r);
    cr_expect(r.n == 2);
    expect_request(&r, 0, 0, 374, 44);
    expect_request(&r, 1, 200, 396, 109);
    cr_expect_str_eq(r.trace.format, "azure");
    cr_expect(r.trace.has_dates);
}

Test(trace, zones_count)
{
    struct reading r;
    read_requests_of(AZURE "2023-11-17 00:30:00+01:00,1,2\n2023-11-16T23:30:01Z,1,2\n"
                           "2023-11-16 23:30:02,1,2\n2023-11-16 18:00:03-05:30,1,2\n",
                     &r);
    cr_expect(r.n == 4);
    for (size_t i = 0; i < 4; i++)
        expect_request(&r, i, (int64_t)i * 1000000000, 1, 2);
}

Test(trace, columns_in_any_order_with_others_between)
{
    struct reading r;
    read_requests_of("model,output_tokens,user,arrival_s,prompt_tokens\nx,3,\"a,b\",1,2\n,6,,4,5\n",
                     &r);
    cr_expect(r.n == 2);
    expect_request(&r, 0, 1000000000, 2, 3);
    expect_request(&r, 1, 4000000000, 5, 6);
}

Test(trace, unused_columns_are_named)
{
    const char *text = "model,output_tokens,\"a,b\",arrival_s,prompt_tokens\n";
    char *path = temp_file(text, strlen(text));
    struct llmsim_trace *trace;
    struct llmsim_trace_status status;
    cr_assert(llmsim_trace_open(path, &(struct llmsim_trace_options){0}, &trace, NULL) ==
              LLMSIM_OK);
    llmsim_trace_get_status(trace, &status);
    cr_expect_str_eq(status.unused_columns, "model,a,b");
    cr_expect_str_eq(status.sha256, ""); /* not at its end yet */
    llmsim_trace_close(trace);
    remove_temp(path);
}

/* BOM, CR LF, blank lines, blanks, quotes, no line end at the end. */
Test(trace, spreadsheets)
{
    struct reading r;
    read_requests_of("\xEF\xBB\xBF\"arrival_s\", prompt_tokens ,output_tokens\r\n\r\n"
                     " 1 ,\t2\t, \"3\" \r\n   \r\n\"4\",5,6",
                     &r);
    cr_expect(r.n == 2);
    expect_request(&r, 0, 1000000000, 2, 3);
    expect_request(&r, 1, 4000000000, 5, 6);
}

Test(trace, blank_lines_before_the_header)
{
    struct reading r;
    read_requests_of("\n\r\n" NATIVE "1,2,3\n", &r);
    cr_expect(r.n == 1);
}

Test(trace, a_header_alone_is_a_trace_of_no_requests)
{
    struct reading r;
    read_requests_of(NATIVE, &r);
    cr_expect(r.n == 0 && r.trace.rows == 0);
    /* sha256sum of that line */
    cr_expect(strlen(r.trace.sha256) == 64);
}

Test(trace, equal_arrivals_are_fine)
{
    struct reading r;
    read_requests_of(NATIVE "1,1,1\n1,2,2\n1,3,3\n", &r);
    cr_expect(r.n == 3);
}

Test(trace, ids_are_kept_and_quoted)
{
    struct reading r;
    read_requests_of("request_id,arrival_s,prompt_tokens,output_tokens\n"
                     "abc-1,0,1,2\n\"a,b\",0,1,2\n\"say \"\"hi\"\"\",0,1,2\n two words ,0,1,2\n"
                     "\" edge\",0,1,2\n7,0,1,2\n"
                     "123456789012345678901234567890123456789012345678901234567890123,0,1,2\n",
                     &r);
    cr_expect(r.n == 7);
    cr_expect(r.trace.has_request_ids);
    cr_expect_str_eq(r.ids[0], "abc-1");
    cr_expect_str_eq(r.ids[1], "\"a,b\"");
    cr_expect_str_eq(r.ids[2], "\"say \"\"hi\"\"\"");
    cr_expect_str_eq(r.ids[3], "two words");
    cr_expect_str_eq(r.ids[4], "\" edge\"");
    cr_expect_str_eq(r.ids[5], "7");
    cr_expect_str_eq(r.ids[6], "123456789012345678901234567890123456789012345678901234567890123");
}

/* Ids in flight keep their texts while others come and go; memory follows the number in flight. */
Test(trace, ids_in_flight)
{
    enum { N = 20000, IN_FLIGHT = 3000 };
    char *text = malloc(64 + N * 24);
    int used = sprintf(text, "arrival_s,prompt_tokens,output_tokens,request_id\n");
    for (int i = 0; i < N; i++)
        used += sprintf(text + used, "%d,1,1,id%d\n", i, i);
    char *path = temp_file(text, (size_t)used);
    struct llmsim_trace *trace;
    cr_assert(llmsim_trace_open(path, &(struct llmsim_trace_options){0}, &trace, NULL) ==
              LLMSIM_OK);
    struct llmsim_source source = llmsim_trace_source(trace);
    static uint32_t flying[IN_FLIGHT];
    uint32_t highest = 0;
    for (int i = 0; i < N; i++) {
        struct llmsim_request request;
        size_t n, length;
        char expected[24];
        cr_assert(source.read(source.self, &request, 1, &n, NULL) == LLMSIM_OK && n == 1);
        cr_assert(request.id != LLMSIM_NO_ID);
        highest = request.id > highest ? request.id : highest;
        uint32_t *slot = &flying[i % IN_FLIGHT];
        if (i >= IN_FLIGHT) {
            (void)sprintf(expected, "id%d", i - IN_FLIGHT);
            const char *id = source.id_text(source.self, *slot, &length);
            cr_assert(length == strlen(expected) && memcmp(id, expected, length) == 0);
            source.release(source.self, *slot);
        }
        *slot = request.id;
    }
    cr_expect(highest < IN_FLIGHT + 2048, "handle %u", highest);
    llmsim_trace_close(trace);
    remove_temp(path);
    free(text);
}

Test(trace, rate_scale_rounds_to_the_nearest_ns)
{
    struct reading r;
    struct llmsim_trace_options options = {.rate_scale = {3, 1}};
    read_options(NATIVE "0.000000001,1,1\n0.000000002,1,1\n0.000000003,1,1\n10,1,1\n", &options,
                 &r);
    cr_expect(r.n == 4);
    expect_request(&r, 0, 0, 1, 1); /* 1/3 */
    expect_request(&r, 1, 1, 1, 1); /* 2/3 */
    expect_request(&r, 2, 1, 1, 1);
    expect_request(&r, 3, 3333333333, 1, 1);
    options.rate_scale = (struct llmsim_ratio){2, 1};
    read_options(NATIVE "0.000000001,1,1\n", &options, &r);
    expect_request(&r, 0, 1, 1, 1); /* halves up */
    options.rate_scale = (struct llmsim_ratio){1, 4};
    read_options(NATIVE "0.000000001,1,1\n100,1,1\n", &options, &r);
    expect_request(&r, 0, 4, 1, 1);
    expect_request(&r, 1, 400000000000, 1, 1);
}

/* Unix time: everything is measured from the first arrival, so the rate scales the gaps alone. */
Test(trace, times_of_a_calendar_count_from_the_first_arrival)
{
    static const char text[] = "arrival_s,prompt_tokens,output_tokens,deadline_s\n"
                               "1700000000.25,1,1,1700000001.25\n1700000001,2,1,\n"
                               "1700000010.25,3,1,1700000010.25\n";
    struct reading r;
    for (int only_libcsv = 0; only_libcsv <= 1; only_libcsv++) {
        struct llmsim_trace_options options = {.rate_scale = {1, 4}, .only_libcsv = only_libcsv};
        read_options(text, &options, &r);
        cr_assert(r.n == 3, "%s", r.err.message);
        expect_request(&r, 0, 0, 1, 1);
        expect_request(&r, 1, 3000000000, 2, 1);
        expect_request(&r, 2, 40000000000, 3, 1);
        cr_expect(r.requests[0].deadline_ns == 1000000000);
        cr_expect(r.requests[2].deadline_ns == 40000000000);
        cr_expect(r.trace.origin_ns == INT64_C(1700000000250000000));
    }
    struct llmsim_trace_options options = {.rate_scale = {1, 1}};
    read_options("{\"timestamp\": 1700000000250, \"input_length\": 1, \"output_length\": 1}\n"
                 "{\"timestamp\": 1700000001250, \"input_length\": 1, \"output_length\": 1}\n",
                 &options, &r);
    cr_assert(r.n == 2, "%s", r.err.message);
    expect_request(&r, 0, 0, 1, 1);
    expect_request(&r, 1, 1000000000, 1, 1);
    cr_expect(r.trace.origin_ns == INT64_C(1700000000250000000));
}

Test(trace, a_trace_that_begins_within_a_year_keeps_its_times)
{
    struct reading r;
    struct llmsim_trace_options options = {.rate_scale = {2, 1}};
    read_options(NATIVE "31536000,1,1\n40000000,1,1\n", &options, &r);
    cr_assert(r.n == 2 && r.trace.origin_ns == 0);
    expect_request(&r, 0, INT64_C(15768000000000000), 1, 1);
    expect_request(&r, 1, INT64_C(20000000000000000), 1, 1);
    read_options(NATIVE "31536000.000000001,1,1\n31536001,1,1\n", &options, &r);
    cr_assert(r.n == 2 && r.trace.origin_ns == LLMSIM_MAX_START_NS + 1);
    expect_request(&r, 0, 0, 1, 1);
    expect_request(&r, 1, 500000000, 1, 1); /* 0.999999999 / 2, halves up */
}

Test(trace, scaled_arrivals_have_a_limit)
{
    struct reading r;
    struct llmsim_trace_options options = {.rate_scale = {1, 1000000000}};
    read_options(NATIVE "1,1,1\n4,1,1\n", &options, &r);
    cr_expect(r.status == LLMSIM_TRACE && r.err.line == 3 && r.n == 1, "%s", r.err.message);
}

Test(trace, priorities_and_deadlines)
{
    static const char text[] = "deadline_s,arrival_s,prompt_tokens,output_tokens,priority\n"
                               "3.5,1,1,1,-2\n,2,1,1,\n2.25,2.25,1,1,+7\n";
    struct reading r;
    for (int only_libcsv = 0; only_libcsv <= 1; only_libcsv++) {
        struct llmsim_trace_options options = {.rate_scale = {2, 1}, .only_libcsv = only_libcsv};
        read_options(text, &options, &r);
        cr_assert(r.n == 3 && r.trace.has_priorities && r.trace.has_deadlines);
        expect_request(&r, 0, 500000000, 1, 1);
        cr_expect(r.requests[0].priority == -2 && r.requests[0].deadline_ns == 3000000000);
        cr_expect(r.requests[1].priority == 0 && r.requests[1].deadline_ns == LLMSIM_NO_DEADLINE);
        cr_expect(r.requests[2].priority == 7 && r.requests[2].deadline_ns == 1125000000);
    }
    read_requests_of(NATIVE "1,1,1\n", &r);
    cr_expect(!r.trace.has_priorities && !r.trace.has_deadlines);
    cr_expect(r.requests[0].priority == 0 && r.requests[0].deadline_ns == LLMSIM_NO_DEADLINE);
}

Test(trace, ratios)
{
    static const struct {
        const char *text;
        struct llmsim_ratio ratio;
    } cases[] = {{"1", {1, 1}},
                 {"0.5", {1, 2}},
                 {"2.50", {5, 2}},
                 {".3", {3, 10}},
                 {"0.000000001", {1, 1000000000}},
                 {"999999999.999999999", {999999999999999999, 1000000000}}};
    struct llmsim_ratio ratio;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect(llmsim_ratio_parse(cases[i].text, &ratio, NULL) == LLMSIM_OK &&
                      ratio.numerator == cases[i].ratio.numerator &&
                      ratio.denominator == cases[i].ratio.denominator,
                  "%s", cases[i].text);
    static const char *const faults[] = {"",    "0",   "0.0", "-1", "1.",         ".",
                                         "1e3", "nan", "1x",  "1 ", "1234567890", "0.1234567891"};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        cr_expect(llmsim_ratio_parse(faults[i], &ratio, NULL) == LLMSIM_USAGE, "%s", faults[i]);
}

static enum llmsim_status count_reject(void *ctx, const struct llmsim_trace_reject *reject,
                                       struct llmsim_error *err)
{
    int *n = ctx;
    ++*n;
    if (*n == 1) {
        cr_expect(reject->line == 3 && reject->column == 3);
        cr_expect_str_eq(reject->reason,
                         "prompt_tokens 'x' is not a whole number; expected a whole number from 0 "
                         "to 1000000000");
        cr_expect(reject->row_length == 5 && memcmp(reject->row, "9,x,1", 5) == 0);
    }
    return *n < 3 ? LLMSIM_OK : llmsim_fail(err, LLMSIM_RUN_FAILED, "three are too many");
}

/* A bad row keeps its number but not its time. */
Test(trace, bad_rows_can_be_skipped)
{
    struct reading r;
    int n = 0;
    struct llmsim_trace_options options = {.on_reject = count_reject, .on_reject_ctx = &n};
    read_options(NATIVE "1,1,1\n9,x,1\n2,2,2\n1.5,1,1\n3,3,3\n", &options, &r);
    cr_expect(r.status == LLMSIM_OK && r.n == 3 && n == 2);
    cr_expect(r.trace.rows == 3 && r.trace.rejected == 2);
    cr_expect(r.requests[0].row == 0 && r.requests[1].row == 2 && r.requests[2].row == 4);
    expect_request(&r, 1, 2000000000, 2, 2);
}

Test(trace, the_callback_can_end_it)
{
    struct reading r;
    int n = 1;
    struct llmsim_trace_options options = {.on_reject = count_reject, .on_reject_ctx = &n};
    read_options(NATIVE "1,1,1\nx\ny\nz\n2,2,2\n", &options, &r);
    cr_expect(r.status == LLMSIM_RUN_FAILED && r.n == 1 && n == 3);
    cr_expect_str_eq(r.err.message, "three are too many");
}

Test(trace, a_bad_first_row_is_not_time_0)
{
    struct reading r;
    int n = 1;
    struct llmsim_trace_options options = {.on_reject = count_reject, .on_reject_ctx = &n};
    read_options(AZURE "2023-11-16 00:00:00,x,1\n2023-11-16 00:00:05,1,1\n", &options, &r);
    cr_expect(r.status == LLMSIM_OK && r.n == 1);
    expect_request(&r, 0, 0, 1, 1);
}

Test(trace, requests_before_an_error_are_given_out)
{
    struct reading r;
    read_options(NATIVE "1,1,1\n2,2,2\n3,3,x\n", &(struct llmsim_trace_options){0}, &r);
    cr_expect(r.status == LLMSIM_TRACE && r.n == 2);
}

/* SHA-256 of the header and the two rows, by sha256sum. */
Test(trace, limit)
{
    struct reading r;
    struct llmsim_trace_options options = {.limit = 2};
    read_options(NATIVE "1,1,1\n2,2,2\n3,3,3\n", &options, &r);
    cr_expect(r.status == LLMSIM_OK && r.n == 2 && r.trace.rows == 2);
    struct reading two;
    read_requests_of(NATIVE "1,1,1\n2,2,2\n", &two);
    cr_expect_str_eq(r.trace.sha256, two.trace.sha256);
    cr_expect_str_eq(two.trace.sha256,
                     "c9afd0fd96f474aae73bdbf8fb0f397de112a7ea785e0d205e34128649862722");
    int n = 1;
    options.on_reject = count_reject;
    options.on_reject_ctx = &n;
    read_options(NATIVE "x\n1,1,1\n2,2,2\n", &options, &r);
    cr_expect(r.n == 1 && r.trace.rejected == 1, "a bad row counts");
}

Test(trace, formats_by_name)
{
    struct reading r;
    struct llmsim_trace_options options = {.format = "azure"};
    read_options(NATIVE "1,1,1\n", &options, &r);
    cr_expect(r.status == LLMSIM_TRACE);
    cr_expect_str_eq(r.err.message, "column TIMESTAMP is missing; expected "
                                    "TIMESTAMP,ContextTokens,GeneratedTokens");
    options.format = "csv";
    read_options(NATIVE "1,1,1\n", &options, &r);
    cr_expect(r.status == LLMSIM_USAGE);
    cr_expect_str_eq(r.err.message, "unknown trace format 'csv'; expected one of native, azure, "
                                    "mooncake, burstgpt, vidur, splitwise, servegen");
}

/* Lines as long as allowed, and one byte longer. */
Test(trace, long_lines)
{
    struct reading r;
    size_t n_header = strlen("arrival_s,prompt_tokens,output_tokens,x\n");
    char *text = malloc(n_header + 4 * LLMSIM_MAX_ROW_BYTES);
    for (int plain = 0; plain < 2; plain++) {
        for (unsigned over = 0; over < 2; over++) {
            char *p = stpcpy(text, "arrival_s,prompt_tokens,output_tokens,x\n");
            char *row = p;
            p = stpcpy(p, plain ? "1,2,3," : "1, 2,3,");
            size_t left = LLMSIM_MAX_ROW_BYTES + over - (size_t)(p - row);
            memset(p, 'y', left);
            p = stpcpy(p + left, "\r\n4,5,6,z\n");
            int n = 1;
            struct llmsim_trace_options options = {.on_reject = count_reject, .on_reject_ctx = &n};
            read_options(text, &options, &r);
            cr_expect(r.status == LLMSIM_OK && r.n == 2 - over && n == 1 + (int)over);
            cr_expect(r.trace.bytes_read == (uint64_t)(p - text));
        }
    }
    /* Far longer than the buffer: skipped in pieces, and the next line is found. */
    free(text);
    size_t huge = 3 * (size_t)LLMSIM_MAX_ROW_BYTES;
    text = malloc(huge + 200);
    char *p = stpcpy(text, NATIVE);
    memset(p, 'y', huge);
    (void)stpcpy(p + huge, "\n4,5,6\n");
    int n = 1;
    struct llmsim_trace_options options = {.on_reject = count_reject, .on_reject_ctx = &n};
    read_options(text, &options, &r);
    cr_expect(r.status == LLMSIM_OK && r.n == 1 && n == 2);
    read_options(text, &(struct llmsim_trace_options){0}, &r);
    cr_expect(r.status == LLMSIM_TRACE && r.err.line == 2);
    cr_expect_str_eq(r.err.message, "row is too long; expected at most 16777216 bytes");
    free(text);
}

static enum llmsim_status skip_any(void *ctx, const struct llmsim_trace_reject *reject,
                                   struct llmsim_error *e)
{
    (void)ctx;
    (void)reject;
    (void)e;
    return LLMSIM_OK;
}

/* To leave out every row is no reading of a trace. */
Test(trace, every_row_is_bad)
{
    struct reading r;
    struct llmsim_trace_options options = {.on_reject = skip_any};
    read_options(NATIVE "x,1,1\n1,x,1\n", &options, &r);
    cr_expect(r.status == LLMSIM_TRACE && r.err.line == 2 && r.err.column == 1);
    cr_expect_str_eq(r.err.message, "no row is good, and 2 are bad; the first: arrival_s 'x' is "
                                    "not a number; expected seconds, such as 12.5");
    /* The rows that a limit leaves count. */
    options.limit = 1;
    read_options(NATIVE "x,1,1\n1,1,1\n", &options, &r);
    cr_expect(r.status == LLMSIM_TRACE);
    options.limit = 2;
    read_options(NATIVE "x,1,1\n1,1,1\n", &options, &r);
    cr_expect(r.status == LLMSIM_OK && r.n == 1);
    read_options(NATIVE, &options, &r);
    cr_expect(r.status == LLMSIM_OK && r.n == 0);
}

Test(trace, too_many_columns)
{
    struct reading r;
    char text[1024] = "arrival_s,prompt_tokens,output_tokens";
    memset(text + strlen(text), ',', 254);
    read_options(text, &(struct llmsim_trace_options){0}, &r);
    cr_expect(r.status == LLMSIM_TRACE);
    cr_expect_str_eq(r.err.message, "header has 257 columns; expected at most 256");
}

Test(trace, a_file_that_cannot_be_read)
{
    struct llmsim_trace *trace;
    struct llmsim_error err;
    cr_expect(llmsim_trace_open("/nonexistent/t.csv", &(struct llmsim_trace_options){0}, &trace,
                                &err) == LLMSIM_IO);
    char text[600];
    llmsim_error_format(&err, text, sizeof text);
    cr_expect_str_eq(text, "/nonexistent/t.csv: cannot open: No such file or directory");
    cr_expect(llmsim_trace_open("/tmp", &(struct llmsim_trace_options){0}, &trace, &err) ==
              LLMSIM_IO);
    llmsim_error_format(&err, text, sizeof text);
    cr_expect_str_eq(text, "/tmp: cannot read: Is a directory");
    llmsim_trace_close(NULL);
}

/* Counted with `wc -l`, `awk` and `sha256sum`. */
Test(trace, the_public_azure_traces)
{
    static const struct {
        const char *name, *sha256;
        uint64_t rows, prompt, output;
        int64_t last_ns;
    } cases[] = {
        {"conv", "2f1e5b666d4e3055fdbba98598ce2ec307767b9064e03e2fa46676dbcc7d0bf8", 19366,
         22361870, 4088665, 3501721937000},
        {"code", "54e9a6d2a4bd06ba1e060304b900abbc74cbea53de96506e60fe5bb4f2277fb6", 8819, 18059974,
         245896, 3435948056000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/traces/AzureLLMInferenceTrace_%s.csv",
                       LLMSIM_TEST_SHARED_DIR, cases[i].name);
        struct llmsim_trace *trace;
        struct llmsim_request request = {0};
        if (access(path, R_OK) != 0)
            cr_skip_test("%s is absent", path);
        cr_assert(llmsim_trace_open(path, &(struct llmsim_trace_options){0}, &trace, NULL) ==
                  LLMSIM_OK);
        struct llmsim_source source = llmsim_trace_source(trace);
        uint64_t prompt = 0, output = 0;
        for (size_t n = 1; n > 0;) {
            int64_t before = request.arrival_ns;
            cr_assert(source.read(source.self, &request, 1, &n, NULL) == LLMSIM_OK);
            cr_assert(request.arrival_ns >= before);
            prompt += n * request.prompt_tokens;
            output += n * request.output_tokens;
        }
        struct llmsim_trace_status status;
        llmsim_trace_get_status(trace, &status);
        cr_expect(status.rows == cases[i].rows && status.rejected == 0);
        cr_expect(prompt == cases[i].prompt && output == cases[i].output);
        cr_expect(request.arrival_ns == cases[i].last_ns);
        cr_expect_str_eq(status.sha256, cases[i].sha256);
        llmsim_trace_close(trace);
    }
}

Test(trace, an_array_is_a_source)
{
    struct llmsim_request requests[5] = {
        {.row = 0}, {.row = 1}, {.row = 2}, {.row = 3}, {.row = 4}};
    struct llmsim_array_cursor cursor = {.requests = requests, .n = 5};
    struct llmsim_source source = llmsim_source_from_array(&cursor);
    struct llmsim_request got[3];
    size_t n, length;
    cr_expect(source.read(source.self, got, 3, &n, NULL) == LLMSIM_OK && n == 3 && got[2].row == 2);
    cr_expect(source.read(source.self, got, 3, &n, NULL) == LLMSIM_OK && n == 2 && got[1].row == 4);
    cr_expect(source.read(source.self, got, 3, &n, NULL) == LLMSIM_OK && n == 0);
    cr_expect(source.id_text(source.self, 1, &length) != NULL && length == 0);
}
