/* Every format but the two of test_trace.c: a file of each in tests/formats, read and written. */
#include <criterion/criterion.h>
#include <inttypes.h>

#include "llmsim/trace.h"
#include "support/files.h"

#define MAX_REQUESTS 8

struct reading {
    struct llmsim_request requests[MAX_REQUESTS];
    size_t n;
    struct llmsim_trace_status status;
    char unused_columns[128];
    char ids[MAX_REQUESTS][64];
};

static void read_trace(const char *path, const char *format, bool only_libcsv, struct reading *r)
{
    struct llmsim_trace *trace;
    struct llmsim_error err = {0};
    struct llmsim_trace_options options = {.format = format, .only_libcsv = only_libcsv};
    size_t n;
    memset(r, 0, sizeof *r);
    cr_assert(llmsim_trace_open(path, &options, &trace, &err) == LLMSIM_OK, "%s", err.message);
    struct llmsim_source source = llmsim_trace_source(trace);
    do {
        cr_assert(source.read(source.self, r->requests + r->n, 2, &n, &err) == LLMSIM_OK, "%s",
                  err.message);
        r->n += n;
        cr_assert(r->n + 2 <= MAX_REQUESTS);
    } while (n > 0);
    for (size_t i = 0; i < r->n; i++) {
        size_t length;
        if (r->requests[i].id == LLMSIM_NO_ID)
            continue;
        const char *id = source.id_text(source.self, r->requests[i].id, &length);
        memcpy(r->ids[i], id, length);
        source.release(source.self, r->requests[i].id);
        r->requests[i].id = LLMSIM_NO_ID;
    }
    llmsim_trace_get_status(trace, &r->status);
    (void)snprintf(r->unused_columns, sizeof r->unused_columns, "%s", r->status.unused_columns);
    llmsim_trace_close(trace);
}

struct row {
    int64_t arrival_ns;
    uint32_t prompt_tokens, output_tokens;
    bool is_failed;
};

struct fixture {
    const char *file, *format, *unused_columns;
    size_t n;
    bool has_ids;
    struct row rows[5];
};

static const struct fixture fixtures[] = {
    {"azure_2024.csv",
     "azure",
     "",
     5,
     false,
     {{0, 2162, 5, false},
      {7405000, 2399, 6, false},
      {218050000, 2390, 13, false},
      {990070000, 7345, 2, false},
      {86399990071000, 1, 0, false}}},
    {"mooncake.jsonl",
     "mooncake",
     "session",
     4,
     false,
     {{0, 1300, 500, false},
      {27000000, 1024, 1, false},
      {1027500000, 0, 7, false},
      {3000000000, 513, 0, false}}},
    {"burstgpt.csv",
     "burstgpt",
     "Session ID,Elapsed time,Model",
     5,
     false,
     {{5000000000, 472, 18, false},
      {45000000000, 1087, 230, false},
      {118000000000, 417, 276, false},
      {118000000000, 1360, 0, true},
      {185500000000, 185, 0, true}}},
    {"burstgpt_1.csv",
     "burstgpt",
     "Model",
     3,
     false,
     {{5000000000, 472, 18, false}, {45000000000, 1087, 230, false}, {118000000000, 417, 0, true}}},
    {"vidur.csv",
     "vidur",
     "num_total_tokens,pd_ratio",
     3,
     false,
     {{0, 374, 44, false}, {315253940, 396, 109, false}, {12000000000, 879, 55, false}}},
    {"splitwise.csv",
     "splitwise",
     "request_type,application_id",
     3,
     true,
     {{0, 374, 44, false}, {71428571, 396, 109, false}, {4314579000, 879, 55, false}}},
    {"servegen.csv",
     "servegen",
     "",
     3,
     true,
     {{18300000, 512, 77, false}, {225100000, 31, 402, false}, {225100000, 10240, 1, false}}},
};
#define N_FIXTURES (sizeof fixtures / sizeof *fixtures)

static void fixture_path(const struct fixture *fixture, char path[512])
{
    (void)snprintf(path, 512, "%s/tests/formats/%s", LLMSIM_TEST_SOURCE_DIR, fixture->file);
}

Test(trace_formats, fixtures)
{
    for (size_t i = 0; i < 2 * N_FIXTURES; i++) {
        const struct fixture *f = &fixtures[i / 2];
        char path[512], id[24];
        struct reading r;
        fixture_path(f, path);
        read_trace(path, NULL, i % 2 == 1, &r);
        cr_expect_str_eq(r.status.format, f->format, "%s", f->file);
        cr_expect_str_eq(r.unused_columns, f->unused_columns, "%s", f->file);
        cr_expect(r.n == f->n && r.status.has_request_ids == f->has_ids, "%s", f->file);
        uint64_t n_failed = 0;
        for (size_t k = 0; k < f->n; k++) {
            const struct llmsim_request *q = &r.requests[k];
            const struct row *row = &f->rows[k];
            cr_expect(q->arrival_ns == row->arrival_ns && q->prompt_tokens == row->prompt_tokens &&
                          q->output_tokens == row->output_tokens && q->row == k &&
                          q->is_failed == row->is_failed && q->deadline_ns == LLMSIM_NO_DEADLINE,
                      "%s row %zu: %" PRId64, f->file, k, q->arrival_ns);
            n_failed += row->is_failed;
            (void)snprintf(id, sizeof id, "%zu", k);
            cr_expect_str_eq(r.ids[k], f->has_ids ? id : "");
        }
        cr_expect(r.status.failed == n_failed);
    }
}

static void write_trace(const char *path, const char *format, const struct llmsim_request *requests,
                        size_t n, struct llmsim_trace_writer_status *status)
{
    struct llmsim_trace_writer *writer;
    struct llmsim_trace_writer_options options = {.format = format};
    struct llmsim_source source = llmsim_source_from_array(NULL);
    cr_assert(llmsim_trace_writer_open(path, &options, &writer, NULL) == LLMSIM_OK);
    cr_assert(llmsim_trace_writer_add(writer, &source, requests, n, NULL) == LLMSIM_OK);
    cr_assert(llmsim_trace_writer_commit(writer, NULL) == LLMSIM_OK);
    llmsim_trace_writer_get_status(writer, status);
    llmsim_trace_writer_close(writer);
}

/* From every fixture to every format and back. */
Test(trace_formats, round_trips)
{
    char *path = temp_file("", 0);
    const struct llmsim_choice *format;
    for (size_t i = 0; i < N_FIXTURES; i++) {
        char original[512];
        struct reading r, again;
        struct llmsim_trace_writer_status status;
        fixture_path(&fixtures[i], original);
        read_trace(original, NULL, false, &r);
        for (size_t k = 0; (format = llmsim_trace_format_choice(k)) != NULL; k++) {
            write_trace(path, format->name, r.requests, r.n, &status);
            read_trace(path, NULL, false, &again);
            cr_expect_str_eq(again.status.format, format->name);
            cr_assert(again.n == r.n);
            int64_t zero = again.status.has_dates ? r.requests[0].arrival_ns : 0;
            for (size_t q = 0; q < r.n; q++)
                cr_expect(again.requests[q].arrival_ns == r.requests[q].arrival_ns - zero &&
                              again.requests[q].prompt_tokens == r.requests[q].prompt_tokens &&
                              again.requests[q].output_tokens == r.requests[q].output_tokens,
                          "%s to %s, row %zu", fixtures[i].file, format->name, q);
        }
    }
    remove_temp(path);
}

/* The columns that the programs of these formats expect, those unknown to a request included. */
Test(trace_formats, what_is_written)
{
    static const struct {
        const char *format, *text;
    } cases[] = {
        {"mooncake", "{\"timestamp\": 500, \"input_length\": 1000000000, \"output_length\": 20}\n"
                     "{\"timestamp\": 12000.000001, \"input_length\": 7, \"output_length\": 0, "
                     "\"time_unit\": \"ms\"}\n"},
        {"burstgpt", "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
                     "0.500000000,,1000000000,20,1000000020,\n"
                     "12.000000001,,7,0,7,\n"},
        {"vidur", "arrived_at,num_prefill_tokens,num_decode_tokens\n"
                  "0.500000000,1000000000,20\n"
                  "12.000000001,7,0\n"},
        {"splitwise", "request_id,request_type,application_id,arrival_timestamp,batch_size,"
                      "prompt_size,token_size\n"
                      "0,2,0,0.500000000,1,1000000000,20\n"
                      "1,2,0,12.000000001,1,7,0\n"},
        {"servegen", "timestamp,input_tokens,output_tokens\n"
                     "0.500000000,1000000000,20\n"
                     "12.000000001,7,0\n"},
    };
    static const struct llmsim_request requests[] = {
        {.arrival_ns = 500000000, .row = 3, .prompt_tokens = 1000000000, .output_tokens = 20},
        {.arrival_ns = 12000000001, .row = 5, .prompt_tokens = 7}};
    char *path = temp_file("", 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct llmsim_trace_writer_status status;
        size_t n;
        write_trace(path, cases[i].format, requests, 2, &status);
        char *text = read_file(path, &n);
        cr_expect_str_eq(text, cases[i].text);
        free(text);
        cr_expect(!status.has_request_ids);
        cr_expect(status.failed_made == (strcmp(cases[i].format, "burstgpt") == 0));
    }
    remove_temp(path);
}

Test(trace_formats, failed_calls_are_lost_where_no_output_does_not_mean_failure)
{
    static const struct llmsim_request requests[] = {
        {.prompt_tokens = 1, .is_failed = true}, {.prompt_tokens = 2}, {.output_tokens = 3}};
    struct llmsim_trace_writer_status status;
    char *path = temp_file("", 0);
    write_trace(path, "native", requests, 3, &status);
    cr_expect(status.failed_lost == 1 && status.failed_made == 0);
    write_trace(path, "burstgpt", requests, 3, &status);
    cr_expect(status.failed_lost == 0 && status.failed_made == 1);
    remove_temp(path);
}

/* A header that fits two formats is read as the one that is named. */
Test(trace_formats, an_ambiguous_header_can_be_named)
{
    static const char text[] = "arrival_s,prompt_tokens,output_tokens,arrived_at,"
                               "num_prefill_tokens,num_decode_tokens\n1,2,3,4,5,6\n";
    char *path = temp_file(text, strlen(text));
    struct reading r;
    read_trace(path, "native", false, &r);
    cr_expect(r.n == 1 && r.requests[0].arrival_ns == 1000000000);
    read_trace(path, "vidur", false, &r);
    cr_expect(r.n == 1 && r.requests[0].arrival_ns == 4000000000 &&
              r.requests[0].output_tokens == 6);
    cr_expect_str_eq(r.unused_columns, "arrival_s,prompt_tokens,output_tokens");
    remove_temp(path);
}

/* An empty file is a trace of no requests if it is said to be JSON lines; a byte order mark, CR LF
 * and no end of the last line are fine there too. */
Test(trace_formats, json_lines_as_files)
{
    static const char text[] = "\xEF\xBB\xBF{\"timestamp\":1000,\"input_length\":2,"
                               "\"output_length\":3}\r\n\r\n"
                               "{\"timestamp\":4000,\"input_length\":5,\"output_length\":6}";
    char *path = temp_file("", 0);
    struct reading r;
    read_trace(path, "mooncake", false, &r);
    cr_expect(r.n == 0 && strlen(r.status.sha256) == 64);
    write_file(path, text, sizeof text - 1);
    read_trace(path, NULL, false, &r);
    cr_expect(r.n == 2 && r.requests[0].arrival_ns == 1000000000 && r.requests[0].row == 0);
    cr_expect(r.requests[1].output_tokens == 6 && r.requests[1].row == 1);
    cr_expect_str_eq(r.unused_columns, "");
    cr_expect(r.status.bytes_read == sizeof text - 1);
    remove_temp(path);
}

/* Counted with Python's json and with sha256sum. */
Test(trace_formats, the_public_mooncake_traces)
{
    static const struct {
        const char *name, *sha256;
        uint64_t rows, prompt, output;
        int64_t last_ns;
    } cases[] = {
        {"conversation", "b8cbb061a85206d729d91cdc2981f43c9e0d99209dce588d3af5f7934408b9df", 12031,
         144793823, 4122048, 3536999000000},
        {"synthetic", "bd070915a98fc0ed264d7cfef2ce746002eb3076a695ec31ba2674c0111ec131", 3993,
         61194628, 595432, 1022025000000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[512];
        struct llmsim_trace *trace;
        struct llmsim_trace_status status;
        struct llmsim_request request = {0};
        struct llmsim_error err = {0};
        uint64_t prompt = 0, output = 0;
        (void)snprintf(path, sizeof path, "%s/traces/mooncake_%s.jsonl", LLMSIM_TEST_SHARED_DIR,
                       cases[i].name);
        if (access(path, R_OK) != 0)
            cr_skip_test("%s is absent", path);
        cr_assert(llmsim_trace_open(path, &(struct llmsim_trace_options){0}, &trace, &err) ==
                  LLMSIM_OK);
        struct llmsim_source source = llmsim_trace_source(trace);
        for (size_t n = 1; n > 0;) {
            cr_assert(source.read(source.self, &request, 1, &n, &err) == LLMSIM_OK, "%s",
                      err.message);
            prompt += n * request.prompt_tokens;
            output += n * request.output_tokens;
        }
        llmsim_trace_get_status(trace, &status);
        cr_expect(status.rows == cases[i].rows && status.rejected == 0);
        cr_expect(prompt == cases[i].prompt && output == cases[i].output);
        cr_expect(request.arrival_ns == cases[i].last_ns);
        cr_expect_str_eq(status.sha256, cases[i].sha256);
        cr_expect_str_eq(status.unused_columns, "");
        llmsim_trace_close(trace);
    }
}

/* BurstGPT's Log Type is the class: of five calls the second and fourth came by the API. */
Test(trace_formats, log_type_is_the_class)
{
    for (int only_libcsv = 0; only_libcsv <= 1; only_libcsv++) {
        struct llmsim_trace *trace;
        struct llmsim_request requests[8];
        struct llmsim_trace_options options = {.only_libcsv = only_libcsv};
        size_t n;
        cr_assert(llmsim_trace_open(LLMSIM_TEST_SOURCE_DIR "/tests/formats/burstgpt.csv", &options,
                                    &trace, NULL) == LLMSIM_OK);
        struct llmsim_source source = llmsim_trace_source(trace);
        cr_assert(source.read(source.self, requests, 8, &n, NULL) == LLMSIM_OK && n == 5);
        cr_expect(requests[0].class_id == 1);
        cr_expect_str_eq(source.class_name(source.self, 1), "Conversation log");
        llmsim_trace_close(trace);
    }
}
