/* cmd_trace_convert.c: a trace in another format, perhaps several times end to end. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "interrupt.h"
#include "keep_inputs.h"

struct values {
    struct cli_trace_options trace;
    struct cli_trace_output_options out;
    uint64_t repeat;
};

struct conversion {
    const struct values *v;
    const char *path;
    struct llmsim_trace_writer *writer;
    int64_t shift_ns; /* added to the arrivals of the copy under way */
    int64_t first_ns, last_ns;
    uint64_t n;      /* requests of a copy */
    char sha256[65]; /* of the file, as the first copy was read */
};

static enum llmsim_status fail_too_long(struct llmsim_error *err)
{
    return llmsim_fail(err, LLMSIM_USAGE, "--repeat: the copies go on for more than 100 years");
}

static enum llmsim_status shift(const struct conversion *c, struct llmsim_request *requests,
                                size_t n, struct llmsim_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (requests[i].arrival_ns > LLMSIM_MAX_ARRIVAL_NS - c->shift_ns)
            return fail_too_long(err);
        requests[i].arrival_ns += c->shift_ns;
        if (requests[i].deadline_ns == LLMSIM_NO_DEADLINE)
            continue;
        if (requests[i].deadline_ns > LLMSIM_MAX_ARRIVAL_NS - c->shift_ns)
            return fail_too_long(err);
        requests[i].deadline_ns += c->shift_ns;
    }
    return LLMSIM_OK;
}

static enum llmsim_status open_trace(const struct conversion *c, struct llmsim_trace **trace,
                                     struct llmsim_error *err)
{
    struct llmsim_trace_options options = cli_reader_options(&c->v->trace);
    options.with_prefixes = true;
    return llmsim_trace_open(c->path, &options, trace, err);
}

/* Write the whole trace once. */
static enum llmsim_status copy_trace(struct conversion *c, struct llmsim_trace *trace,
                                     struct llmsim_error *err)
{
    struct llmsim_request requests[1024];
    struct llmsim_source source = llmsim_trace_source(trace);
    size_t n;
    c->n = 0;
    do {
        enum llmsim_status status = source.read(source.self, requests, 1024, &n, err);
        if (status == LLMSIM_OK && n > 0) {
            if (c->n == 0)
                c->first_ns = requests[0].arrival_ns;
            c->last_ns = requests[n - 1].arrival_ns;
            c->n += n;
            status = shift(c, requests, n, err);
        }
        if (status == LLMSIM_OK)
            status = llmsim_trace_writer_add(c->writer, &source, requests, n, err);
        if (status == LLMSIM_INTERRUPTED || (status == LLMSIM_OK && interrupt_seen() != 0))
            status = llmsim_fail(err, LLMSIM_INTERRUPTED, "interrupted; no trace was written");
        if (status != LLMSIM_OK)
            return status;
        for (size_t i = 0; i < n; i++) {
            if (requests[i].id != LLMSIM_NO_ID)
                source.release(source.self, requests[i].id);
            if (requests[i].prefix != LLMSIM_NO_PREFIX)
                source.release_prefix(source.self, requests[i].prefix);
        }
    } while (n > 0);
    return LLMSIM_OK;
}

/* Copies of two files would be none of either. */
static enum llmsim_status check_unchanged(const struct conversion *c,
                                          const struct llmsim_trace *trace,
                                          struct llmsim_error *err)
{
    struct llmsim_trace_status now;
    llmsim_trace_get_status(trace, &now);
    if (strcmp(now.sha256, c->sha256) == 0)
        return LLMSIM_OK;
    return llmsim_fail_at(
        err, LLMSIM_IO, c->path, 0, 0,
        "the trace changed while it was repeated; expected the same for each copy");
}

/* All copies but the first, each from the file anew, so that memory stays small. */
static enum llmsim_status repeat(struct conversion *c, struct llmsim_error *err)
{
    for (uint64_t k = 1; k < c->v->repeat && c->n > 0; k++) {
        struct llmsim_trace *trace;
        int64_t span_ns = c->last_ns - c->first_ns;
        int64_t mean_gap_ns = c->n > 1 ? span_ns / (int64_t)(c->n - 1) : 0;
        if (span_ns + mean_gap_ns > LLMSIM_MAX_ARRIVAL_NS - c->shift_ns)
            return fail_too_long(err);
        c->shift_ns += span_ns + mean_gap_ns;
        enum llmsim_status status = open_trace(c, &trace, err);
        if (status != LLMSIM_OK)
            return status;
        status = copy_trace(c, trace, err);
        if (status == LLMSIM_OK)
            status = check_unchanged(c, trace, err);
        llmsim_trace_close(trace);
        if (status != LLMSIM_OK)
            return status;
    }
    return LLMSIM_OK;
}

/* Say what the new file does not have. */
static void note_losses(const struct conversion *c, const struct llmsim_trace_status *status)
{
    struct llmsim_trace_writer_status written;
    llmsim_trace_writer_get_status(c->writer, &written);
    if (status->unused_columns[0] != '\0') {
        (void)fputs("llmsim: not converted: columns ", stderr);
        cli_put_line(stderr, status->unused_columns);
    }
    if (status->has_request_ids && !written.has_request_ids)
        (void)fprintf(stderr, "llmsim: not converted: request ids%s\n",
                      c->v->repeat > 1 ? ", which would repeat" : "");
    if (status->has_priorities && !written.has_priorities)
        (void)fprintf(stderr, "llmsim: not converted: priorities\n");
    if (status->has_deadlines && !written.has_deadlines)
        (void)fprintf(stderr, "llmsim: not converted: deadlines\n");
    if (status->has_classes && !written.has_classes)
        (void)fprintf(stderr, "llmsim: not converted: classes\n");
    if (written.prefixes_lost > 0)
        (void)fprintf(stderr, "llmsim: not converted: hash ids of %llu requests\n",
                      (unsigned long long)written.prefixes_lost);
    if (written.failed_lost > 0)
        (void)fprintf(stderr,
                      "llmsim: not converted: the failure of %llu calls, which are now requests "
                      "with 0 output tokens\n",
                      (unsigned long long)written.failed_lost);
    if (written.failed_made > 0)
        (void)fprintf(stderr,
                      "llmsim: not converted: the success of %llu requests with 0 output tokens, "
                      "which are failed calls in the new format\n",
                      (unsigned long long)written.failed_made);
    cli_note_origin(status);
    if (status->has_dates)
        (void)fprintf(stderr, "llmsim: not converted: the date of the first request\n");
    if (status->rejected > 0)
        (void)fprintf(stderr, "llmsim: not converted: %llu bad rows\n",
                      (unsigned long long)status->rejected);
}

static enum llmsim_status convert(struct conversion *c, struct llmsim_trace *trace,
                                  struct llmsim_error *err)
{
    struct llmsim_trace_status status_now;
    llmsim_trace_get_status(trace, &status_now);
    struct llmsim_trace_writer_options options = {
        .format = c->v->out.to.name,
        .with_request_ids = status_now.has_request_ids && c->v->repeat == 1,
        .zstd = c->v->out.compress.row == CLI_COMPRESS_ZST,
        .with_priorities = status_now.has_priorities,
        .with_deadlines = status_now.has_deadlines,
        .with_classes = status_now.has_classes,
        .with_prefixes = status_now.has_prefixes,
    };
    enum llmsim_status status = llmsim_trace_writer_open(c->v->out.path, &options, &c->writer, err);
    if (status != LLMSIM_OK)
        return status;
    status = copy_trace(c, trace, err);
    llmsim_trace_get_status(trace, &status_now);
    memcpy(c->sha256, status_now.sha256, sizeof c->sha256);
    if (status == LLMSIM_OK)
        status = cli_check_hash_ids(&c->v->trace, trace, err);
    if (status == LLMSIM_OK)
        status = repeat(c, err);
    if (status == LLMSIM_OK)
        status = llmsim_trace_writer_commit(c->writer, err);
    if (status == LLMSIM_OK)
        note_losses(c, &status_now);
    llmsim_trace_writer_close(c->writer);
    return status;
}

static enum llmsim_status run(const void *values, const char *const *operands, size_t n_operands,
                              struct llmsim_error *err)
{
    struct conversion c = {.v = values, .path = operands[0]};
    struct llmsim_trace *trace;
    struct stat info;
    (void)n_operands;
    if (c.v->repeat > 1 &&
        (strcmp(c.path, "-") == 0 || (stat(c.path, &info) == 0 && !S_ISREG(info.st_mode))))
        return llmsim_fail(err, LLMSIM_USAGE,
                           "--repeat %llu reads the trace as often; expected a file, not '%s'",
                           (unsigned long long)c.v->repeat, c.path);
    const struct cli_output output = {"the new one", c.v->out.path};
    enum llmsim_status status = cli_keep_input(&output, 1, "the trace", c.path, err);
    if (status == LLMSIM_OK)
        status = open_trace(&c, &trace, err);
    if (status != LLMSIM_OK)
        return status;
    interrupt_catch();
    status = convert(&c, trace, err);
    interrupt_release();
    llmsim_trace_close(trace);
    return status;
}

static const struct cli_option options[] = {
    CLI_TRACE_OUTPUT_OPTIONS(struct values, out),
    {.name = "repeat",
     .argument = "N",
     .help = "N copies end to end, each a mean gap after the one before",
     .kind = CLI_U64,
     .initial = "1",
     .min = 1,
     .max = 1000000000,
     .offset = offsetof(struct values, repeat)},
    CLI_TRACE_OPTIONS(struct values, trace),
    CLI_OPTION_END,
};

const struct cli_command cli_trace_convert = {
    .name = "trace convert",
    .help = "a trace in another format, perhaps repeated",
    .operands = "TRACE",
    .example = "llmsim trace convert AzureLLMInferenceTrace_conv.csv --repeat 100 --output big.csv",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
