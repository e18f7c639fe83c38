/* shared_options.c: what the options that several commands share stand for. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

const struct llmsim_choice *cli_on_bad_row(size_t i)
{
    static const struct llmsim_choice rows[] = {
        [CLI_BAD_ROW_STOP] = {"stop", "end with an error that says where"},
        [CLI_BAD_ROW_SKIP] = {"skip",
                              "go on without it and count it (replay keeps it in rejects.csv)"},
    };
    return i < sizeof rows / sizeof *rows ? &rows[i] : NULL;
}

const struct llmsim_choice *cli_compress_choice(size_t i)
{
    static const struct llmsim_choice rows[] = {
        [CLI_COMPRESS_NONE] = {"none", "plain CSV"},
        [CLI_COMPRESS_ZST] = {"zst", "zstd, in a thread of its own"},
    };
    return i < sizeof rows / sizeof *rows ? &rows[i] : NULL;
}

static enum llmsim_status skip_row(void *ctx, const struct llmsim_trace_reject *reject,
                                   struct llmsim_error *err)
{
    (void)ctx;
    (void)reject;
    (void)err;
    return LLMSIM_OK; /* the trace counts it */
}

struct llmsim_trace_options cli_reader_options(const struct cli_trace_options *options)
{
    return (struct llmsim_trace_options){
        .format = options->format.name,
        .time_unit = options->time_unit.name,
        .rate_scale = options->rate_scale,
        .limit = options->limit,
        .on_reject = options->on_bad_row.row == CLI_BAD_ROW_SKIP ? skip_row : NULL,
        .hash_block_tokens = (uint32_t)options->hash_block_tokens,
    };
}

void cli_note_origin(const struct llmsim_trace_status *trace)
{
    if (trace->origin_ns != 0 && !trace->has_dates)
        (void)fprintf(
            stderr,
            "llmsim: times count from the first arrival, which is at %lld.%09lld s in the "
            "trace\n",
            (long long)(trace->origin_ns / LLMSIM_NS_PER_S),
            (long long)(trace->origin_ns % LLMSIM_NS_PER_S));
}

enum llmsim_status cli_check_hash_ids(const struct cli_trace_options *options,
                                      const struct llmsim_trace *trace, struct llmsim_error *err)
{
    struct llmsim_trace_status status;
    llmsim_trace_get_status(trace, &status);
    if (status.has_prefixes || options->hash_block_tokens == LLMSIM_HASH_BLOCK_TOKENS)
        return LLMSIM_OK;
    return llmsim_fail(err, LLMSIM_USAGE, "--hash-block-tokens: the trace has no hash_ids");
}

void cli_default_output(const char *path, const char *suffix, char *dir, size_t capacity)
{
    static const char *const packed[] = {".zst", ".gz"};
    char stem[256];
    const char *slash = strrchr(path, '/');
    (void)snprintf(stem, sizeof stem, "%s",
                   strcmp(path, "-") == 0 ? "stdin" : (slash != NULL ? slash + 1 : path));
    for (size_t i = 0; i < sizeof packed / sizeof *packed; i++) {
        char *end = stem + strlen(stem) - strlen(packed[i]);
        if (end > stem && strcmp(end, packed[i]) == 0)
            *end = '\0';
    }
    char *dot = strrchr(stem, '.');
    if (dot != NULL && dot != stem)
        *dot = '\0';
    bool is_name = strspn(stem, ".") < strlen(stem); /* "..csv" and "...csv" leave "." and ".." */
    (void)snprintf(dir, capacity, "results/%s%s", is_name ? stem : "trace", suffix);
}
