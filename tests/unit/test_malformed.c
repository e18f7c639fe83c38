/* Every trace of tests/malformed gives exactly the error in the file beside it. */
#include <criterion/criterion.h>
#include <dirent.h>

#include "llmsim/trace.h"
#include "support/files.h"

static enum llmsim_status skip(void *ctx, const struct llmsim_trace_reject *reject,
                               struct llmsim_error *err)
{
    (void)reject;
    (void)err;
    ++*(uint64_t *)ctx;
    return LLMSIM_OK;
}

/* Read all of it; the number of requests. */
static enum llmsim_status read_all(const char *path, const struct llmsim_trace_options *options,
                                   uint64_t *n_requests, struct llmsim_error *err)
{
    struct llmsim_trace *trace;
    struct llmsim_request requests[16];
    size_t n = 0;
    *n_requests = 0;
    enum llmsim_status status = llmsim_trace_open(path, options, &trace, err);
    if (status != LLMSIM_OK)
        return status;
    struct llmsim_source source = llmsim_trace_source(trace);
    do {
        status = source.read(source.self, requests, 16, &n, err);
        *n_requests += n;
    } while (status == LLMSIM_OK && n > 0);
    llmsim_trace_close(trace);
    return status;
}

static void check_file(const char *csv_name, bool is_json)
{
    char error_name[300], text[2048];
    struct llmsim_error err = {0};
    uint64_t n_requests, n_rejects = 0;
    size_t n;
    (void)snprintf(error_name, sizeof error_name, "%.*s.error",
                   (int)(strrchr(csv_name, '.') - csv_name), csv_name);
    char *expected = read_file(error_name, &n);
    cr_assert(expected != NULL, "%s is missing", error_name);
    expected[strcspn(expected, "\n")] = '\0';

    for (int only_libcsv = 0; only_libcsv <= 1; only_libcsv++) {
        struct llmsim_trace_options options = {.with_prefixes = true, .only_libcsv = only_libcsv};
        enum llmsim_status status = read_all(csv_name, &options, &n_requests, &err);
        llmsim_error_format(&err, text, sizeof text);
        cr_expect_str_eq(text, expected);
        cr_expect(status == LLMSIM_TRACE || status == LLMSIM_IO, "%s: status %d", csv_name, status);
    }

    /* A bad row can be skipped, a bad header cannot. JSON lines have none. */
    bool row_error = err.status == LLMSIM_TRACE && (err.line > 1 || is_json);
    struct llmsim_trace_options options = {
        .with_prefixes = true, .on_reject = skip, .on_reject_ctx = &n_rejects};
    enum llmsim_status status = read_all(csv_name, &options, &n_requests, &err);
    if (row_error && strstr(text, "no header") == NULL)
        cr_expect(status == (n_requests > 0 ? LLMSIM_OK : LLMSIM_TRACE) && n_rejects > 0,
                  "%s: status %d, %d rejects", csv_name, status, (int)n_rejects);
    else
        cr_expect(status != LLMSIM_OK && n_rejects == 0, "%s: status %d", csv_name, status);
    free(expected);
}

Test(malformed, every_file_gives_its_error)
{
    int n_files = 0;
    cr_assert(chdir(LLMSIM_TEST_SOURCE_DIR "/tests/malformed") == 0);
    DIR *dir = opendir(".");
    cr_assert(dir != NULL);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        const char *ending = strrchr(entry->d_name, '.');
        bool is_json = ending != NULL && strcmp(ending, ".jsonl") == 0;
        if (is_json || (ending != NULL && strcmp(ending, ".csv") == 0)) {
            check_file(entry->d_name, is_json);
            n_files++;
        }
    }
    (void)closedir(dir);
    cr_expect(n_files >= 40, "only %d files", n_files);
}
