/* What is written reads back as it was. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "llmsim/trace.h"
#include "support/files.h"

#define DAY_NS (INT64_C(86400) * 1000000000)

static void write_trace(const char *path, const char *format, bool ids, bool zstd,
                        struct llmsim_source *source, const struct llmsim_request *requests,
                        size_t n)
{
    struct llmsim_trace_writer *writer;
    struct llmsim_trace_writer_options options = {
        .format = format, .with_request_ids = ids, .zstd = zstd};
    cr_assert(llmsim_trace_writer_open(path, &options, &writer, NULL) == LLMSIM_OK);
    cr_assert(llmsim_trace_writer_add(writer, source, requests, n, NULL) == LLMSIM_OK);
    cr_assert(llmsim_trace_writer_commit(writer, NULL) == LLMSIM_OK);
    llmsim_trace_writer_close(writer);
}

static void expect_text(const char *path, const char *expected)
{
    size_t n;
    char *text = read_file(path, &n);
    cr_expect_str_eq(text, expected);
    free(text);
}

static void expect_same(const char *path, const struct llmsim_request *requests, size_t n)
{
    struct llmsim_trace *trace;
    struct llmsim_request request;
    struct llmsim_error err = {0};
    size_t n_read;
    cr_assert(llmsim_trace_open(path, &(struct llmsim_trace_options){0}, &trace, &err) ==
              LLMSIM_OK);
    struct llmsim_source source = llmsim_trace_source(trace);
    for (size_t i = 0; i < n; i++) {
        cr_assert(source.read(source.self, &request, 1, &n_read, &err) == LLMSIM_OK && n_read == 1,
                  "%s", err.message);
        cr_assert(request.arrival_ns == requests[i].arrival_ns &&
                      request.prompt_tokens == requests[i].prompt_tokens &&
                      request.output_tokens == requests[i].output_tokens,
                  "request %zu: %" PRId64 " instead of %" PRId64, i, request.arrival_ns,
                  requests[i].arrival_ns);
    }
    cr_expect(source.read(source.self, &request, 1, &n_read, NULL) == LLMSIM_OK && n_read == 0);
    llmsim_trace_close(trace);
}

Test(trace_writer, rows)
{
    char *path = temp_file("", 0);
    struct llmsim_source source = llmsim_source_from_array(NULL);
    struct llmsim_request requests[] = {
        {.arrival_ns = 0, .row = 0, .prompt_tokens = 1, .output_tokens = 2},
        {.arrival_ns = DAY_NS * 59 - 1, .row = 7, .prompt_tokens = 1000000000},
        {.arrival_ns = DAY_NS * 789 + 3723000000005, .row = 8, .output_tokens = 44}};
    write_trace(path, NULL, false, false, &source, requests, 3);
    expect_text(path, "arrival_s,prompt_tokens,output_tokens\n0.000000000,1,2\n"
                      "5097599.999999999,1000000000,0\n68173323.000000005,0,44\n");
    write_trace(path, "native", true, false, &source, requests, 2);
    expect_text(path, "arrival_s,prompt_tokens,output_tokens,request_id\n0.000000000,1,2,0\n"
                      "5097599.999999999,1000000000,0,7\n");
    write_trace(path, "azure", true, false, &source, requests, 3);
    expect_text(path, "TIMESTAMP,ContextTokens,GeneratedTokens\n"
                      "1970-01-01 00:00:00.000000000,1,2\n"
                      "1970-02-28 23:59:59.999999999,1000000000,0\n"
                      "1972-02-29 01:02:03.000000005,0,44\n");
    expect_same(path, requests, 3);
    remove_temp(path);
}

Test(trace_writer, priorities_and_deadlines)
{
    char *path = temp_file("", 0);
    struct llmsim_source source = llmsim_source_from_array(NULL);
    struct llmsim_request requests[] = {
        {.prompt_tokens = 1, .priority = INT32_MIN, .deadline_ns = 0},
        {.arrival_ns = 1, .prompt_tokens = 2, .deadline_ns = LLMSIM_NO_DEADLINE},
        {.arrival_ns = 2, .priority = 17, .deadline_ns = LLMSIM_MAX_ARRIVAL_NS}};
    struct llmsim_trace_writer *writer;
    struct llmsim_trace_writer_options options = {.with_priorities = true, .with_deadlines = true};
    cr_assert(llmsim_trace_writer_open(path, &options, &writer, NULL) == LLMSIM_OK);
    struct llmsim_trace_writer_status status;
    llmsim_trace_writer_get_status(writer, &status);
    cr_expect(status.has_priorities && status.has_deadlines && !status.has_request_ids);
    cr_assert(llmsim_trace_writer_add(writer, &source, requests, 3, NULL) == LLMSIM_OK);
    cr_assert(llmsim_trace_writer_commit(writer, NULL) == LLMSIM_OK);
    llmsim_trace_writer_close(writer);
    expect_text(path, "arrival_s,prompt_tokens,output_tokens,priority,deadline_s\n"
                      "0.000000000,1,0,-2147483648,0.000000000\n"
                      "0.000000001,2,0,0,\n"
                      "0.000000002,0,0,17,3153600000.000000000\n");
    struct llmsim_trace *trace;
    struct llmsim_request copy[3];
    size_t n;
    cr_assert(llmsim_trace_open(path, &(struct llmsim_trace_options){0}, &trace, NULL) ==
              LLMSIM_OK);
    source = llmsim_trace_source(trace);
    cr_assert(source.read(source.self, copy, 3, &n, NULL) == LLMSIM_OK && n == 3);
    for (size_t i = 0; i < n; i++)
        cr_expect(copy[i].priority == requests[i].priority &&
                  copy[i].deadline_ns == requests[i].deadline_ns);
    llmsim_trace_close(trace);
    /* No other format has a place for them. */
    options.format = "azure";
    cr_assert(llmsim_trace_writer_open(path, &options, &writer, NULL) == LLMSIM_OK);
    llmsim_trace_writer_get_status(writer, &status);
    cr_expect(!status.has_priorities && !status.has_deadlines);
    llmsim_trace_writer_close(writer);
    remove_temp(path);
}

Test(trace_writer, ids_keep_their_quotes)
{
    const char *text = "request_id,arrival_s,prompt_tokens,output_tokens\n"
                       "plain,0,1,2\n\"a,b\",0,1,2\n\"say \"\"hi\"\"\",0,1,2\n";
    char *path = temp_file(text, strlen(text)), *copy = temp_file("", 0);
    struct llmsim_trace *trace;
    struct llmsim_request requests[8];
    size_t n;
    cr_assert(llmsim_trace_open(path, &(struct llmsim_trace_options){0}, &trace, NULL) ==
              LLMSIM_OK);
    struct llmsim_source source = llmsim_trace_source(trace);
    cr_assert(source.read(source.self, requests, 8, &n, NULL) == LLMSIM_OK && n == 3);
    write_trace(copy, NULL, true, false, &source, requests, n);
    llmsim_trace_close(trace);
    expect_text(copy, "arrival_s,prompt_tokens,output_tokens,request_id\n0.000000000,1,2,plain\n"
                      "0.000000000,1,2,\"a,b\"\n0.000000000,1,2,\"say \"\"hi\"\"\"\n");
    remove_temp(path);
    remove_temp(copy);
}

/* All magnitudes, every format, plain and packed. */
Test(trace_writer, round_trips)
{
    enum { N = 20000 };
    static struct llmsim_request requests[N];
    uint64_t state = 1;
    for (size_t i = 1; i < N; i++) { /* the first is at 0, which dates cannot but make it */
        state = state * 6364136223846793005u + 1442695040888963407u;
        int64_t gap = (int64_t)(state >> (20 + state % 43));
        requests[i].arrival_ns = requests[i - 1].arrival_ns + gap % (100 * DAY_NS);
        if (requests[i].arrival_ns > LLMSIM_MAX_ARRIVAL_NS)
            requests[i].arrival_ns = LLMSIM_MAX_ARRIVAL_NS;
        requests[i].prompt_tokens = (uint32_t)(state >> 33) % (LLMSIM_MAX_TOKENS + 1);
        requests[i].output_tokens = (uint32_t)(state >> 50);
    }
    char *path = temp_file("", 0);
    const struct llmsim_choice *format;
    struct llmsim_source source = llmsim_source_from_array(NULL);
    for (size_t i = 0; (format = llmsim_trace_format_choice(i)) != NULL; i++) {
        for (int zstd = 0; zstd < 2; zstd++) {
            write_trace(path, format->name, false, zstd, &source, requests, N);
            expect_same(path, requests, N);
        }
    }
    remove_temp(path);
}

Test(trace_writer, errors)
{
    struct llmsim_trace_writer *writer;
    struct llmsim_trace_writer_options options = {.format = "parquet"};
    cr_expect(llmsim_trace_writer_open("-", &options, &writer, NULL) == LLMSIM_USAGE);
    options.format = NULL;
    cr_expect(llmsim_trace_writer_open("/nonexistent/x", &options, &writer, NULL) == LLMSIM_IO);
    llmsim_trace_writer_close(NULL);
}
