/* results.c: the files of a run: opened together, named together, or gone together. */
#include "llmsim/results.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "backlog.h"
#include "csv_line.h"
#include "directory.h"
#include "file_set.h"
#include "numfmt.h"
#include "sinks.h"
#include "utf8.h"

/* The order is that of commit: summary.json comes last and seals the set: where it is, all is. */
enum {
    FILE_TOKENS,
    FILE_REQUESTS,
    FILE_STEPS,
    FILE_REJECTS,
    FILE_TRACE_EVENTS, /* has no name of its own in the directory */
    FILE_SUMMARY,
    N_FILES
};
static const char *const file_names[N_FILES] = {"tokens.csv",  "requests.csv", "steps.csv",
                                                "rejects.csv", NULL,           "summary.json"};

struct llmsim_results {
    struct llmsim_run_description description;
    char *dir;
    bool zstd;
    struct llmsim_output files[N_FILES];
    bool is_open[N_FILES];
    struct requests_sink requests;
    struct tokens_sink tokens;
    struct steps_sink steps;
    struct trace_events_sink trace_events;
    struct classes_sink classes;
    struct backlog_sink backlog;
    struct llmsim_summary summary;
    struct llmsim_sink sinks[7];
    size_t n_sinks;
    const char *paths[N_FILES + 1];
    char kept[LLMSIM_ERROR_FILE_MAX];
};

static bool is_packed(const struct llmsim_results *r, int file)
{
    return r->zstd && file != FILE_SUMMARY && file != FILE_TRACE_EVENTS;
}

/* DIR/NAME[.zst], to be freed by the caller; NULL without memory. */
static char *file_path(const struct llmsim_results *r, int file, bool zstd)
{
    char *path;
    const char *suffix = zstd && file != FILE_SUMMARY ? ".zst" : "";
    return asprintf(&path, "%s/%s%s", r->dir, file_names[file], suffix) < 0 ? NULL : path;
}

static enum llmsim_status open_file(struct llmsim_results *r, int file, const char *path,
                                    struct llmsim_error *err)
{
    char *own_path = path == NULL ? file_path(r, file, r->zstd) : NULL;
    if (path == NULL && own_path == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    enum llmsim_status status =
        llmsim_output_open(&r->files[file], path != NULL ? path : own_path,
                           is_packed(r, file) ? LLMSIM_COMPRESS_ZSTD : LLMSIM_COMPRESS_NONE, err);
    r->is_open[file] = status == LLMSIM_OK;
    free(own_path);
    return status;
}

/* A file outside the directory may go anywhere but to the name of another result, whether this run
 * writes that or would remove it. */
static enum llmsim_status check_own_path(const struct llmsim_results *r, int file,
                                         struct llmsim_error *err)
{
    enum llmsim_status status = LLMSIM_OK;
    if (file == FILE_TRACE_EVENTS && r->is_open[FILE_TOKENS] &&
        llmsim_output_is_at(&r->files[file], r->files[FILE_TOKENS].path))
        return llmsim_fail_at(err, LLMSIM_IO, r->files[file].path, 0, 0,
                              "is where the tokens go; expected a file of their own for the "
                              "trace events");
    for (int i = 0; i < N_FILES && status == LLMSIM_OK; i++) {
        bool is_other = i != file && file_names[i] != NULL;
        for (int zstd = 0; zstd <= 1 && is_other && status == LLMSIM_OK; zstd++) {
            char *path = file_path(r, i, zstd);
            if (path == NULL)
                return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
            if (llmsim_output_is_at(&r->files[file], path))
                status = llmsim_fail_at(err, LLMSIM_IO, path, 0, 0,
                                        "is where another result goes; expected a file of their "
                                        "own for the %s",
                                        file == FILE_TOKENS ? "tokens" : "trace events");
            free(path);
        }
    }
    return status;
}

static enum llmsim_status refuse_trace(const struct llmsim_results *r, const char *path,
                                       struct llmsim_error *err)
{
    if (!llmsim_trace_is_at(r->description.trace, path))
        return LLMSIM_OK;
    return llmsim_fail_at(err, LLMSIM_IO, path, 0, 0,
                          "is the trace itself (%s); expected another place for the results",
                          r->description.trace_name);
}

/* No result may replace the trace, nor drop_stale take it for an earlier one. */
static enum llmsim_status check_trace_path(const struct llmsim_results *r,
                                           const struct llmsim_results_options *options,
                                           struct llmsim_error *err)
{
    const char *const own_paths[] = {options->tokens_path, options->trace_events_path};
    enum llmsim_status status = LLMSIM_OK;
    if (r->description.trace == NULL)
        return LLMSIM_OK;
    for (size_t i = 0; i < sizeof own_paths / sizeof *own_paths && status == LLMSIM_OK; i++)
        if (own_paths[i] != NULL && strcmp(own_paths[i], "-") != 0)
            status = refuse_trace(r, own_paths[i], err);
    for (int i = 0; i < N_FILES && status == LLMSIM_OK; i++) {
        for (int zstd = 0; zstd <= 1 && file_names[i] != NULL && status == LLMSIM_OK; zstd++) {
            char *path = file_path(r, i, zstd);
            if (path == NULL)
                return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
            status = refuse_trace(r, path, err);
            free(path);
        }
    }
    return status;
}

static void add_sink(struct llmsim_results *r, const struct llmsim_sink_ops *ops, void *self)
{
    r->sinks[r->n_sinks++] = (struct llmsim_sink){ops, self};
}

static enum llmsim_status open_sinks(struct llmsim_results *r,
                                     const struct llmsim_results_options *options,
                                     struct llmsim_error *err)
{
    enum llmsim_status status = llmsim_summary_init(&r->summary, err);
    r->summary.slo = r->description.slo;
    if (r->description.model != NULL)
        r->summary.max_positions = r->description.model->max_positions;
    r->summary.profile = r->description.config->cost.range;
    if (status != LLMSIM_OK)
        return status;
    add_sink(r, &llmsim_summary_sink_ops, &r->summary);
    r->classes.summary = &r->summary;
    add_sink(r, &llmsim_classes_sink_ops, &r->classes);
    status = llmsim_backlog_init(&r->backlog, r->description.config, &r->summary, err);
    if (status != LLMSIM_OK)
        return status;
    add_sink(r, &llmsim_backlog_sink_ops, &r->backlog);
    if (options->tokens || options->tokens_path != NULL) {
        status = open_file(r, FILE_TOKENS, options->tokens_path, err);
        if (status == LLMSIM_OK)
            status = check_own_path(r, FILE_TOKENS, err);
        if (status != LLMSIM_OK)
            return status;
        r->tokens.out = &r->files[FILE_TOKENS];
        add_sink(r, &llmsim_tokens_sink_ops, &r->tokens);
    }
    if (options->requests) {
        status = open_file(r, FILE_REQUESTS, NULL, err);
        if (status != LLMSIM_OK)
            return status;
        r->requests.out = &r->files[FILE_REQUESTS];
        r->requests.trace = options->trace_times ? r->description.trace : NULL;
        add_sink(r, &llmsim_requests_sink_ops, &r->requests);
    }
    if (options->steps) {
        status = open_file(r, FILE_STEPS, NULL, err);
        if (status != LLMSIM_OK)
            return status;
        r->steps.out = &r->files[FILE_STEPS];
        add_sink(r, &llmsim_steps_sink_ops, &r->steps);
    }
    if (options->trace_events_path != NULL) {
        status = open_file(r, FILE_TRACE_EVENTS, options->trace_events_path, err);
        if (status == LLMSIM_OK)
            status = check_own_path(r, FILE_TRACE_EVENTS, err);
        if (status != LLMSIM_OK)
            return status;
        r->trace_events.out = &r->files[FILE_TRACE_EVENTS];
        r->trace_events.n_request_tracks = options->trace_events_n_requests;
        add_sink(r, &llmsim_trace_events_sink_ops, &r->trace_events);
    }
    return open_file(r, FILE_SUMMARY, NULL, err);
}

enum llmsim_status llmsim_results_open(const struct llmsim_results_options *options,
                                       const struct llmsim_run_description *description,
                                       struct llmsim_results **results, struct llmsim_error *err)
{
    *results = NULL;
    if (options->dir == NULL)
        return llmsim_fail(err, LLMSIM_USAGE, "a set of results has no directory");
    enum llmsim_status status = llmsim_summary_check(description, err);
    if (status != LLMSIM_OK)
        return status;
    struct llmsim_results *r = calloc(1, sizeof *r);
    if (r == NULL || (r->dir = strdup(options->dir)) == NULL) {
        free(r);
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    }
    r->description = *description;
    r->zstd = options->zstd;
    status = check_trace_path(r, options, err);
    if (status == LLMSIM_OK)
        status = llmsim_make_directories(r->dir, err);
    if (status == LLMSIM_OK)
        status = open_sinks(r, options, err);
    if (status != LLMSIM_OK) {
        llmsim_results_close(r);
        return status;
    }
    *results = r;
    return LLMSIM_OK;
}

const struct llmsim_sink *llmsim_results_sinks(const struct llmsim_results *results, size_t *n)
{
    *n = results->n_sinks;
    return results->sinks;
}

/* `text` as a quoted field of plain text, which no spreadsheet takes for a formula
 * (docs/formats.md): what begins like one gets a ' in front, and what is not shown is \xHH, byte by
 * byte. */
static void put_quoted(struct llmsim_output *out, const char *text, size_t length)
{
    static const char begins_formula[] = {'=', '+', '-', '@', '\t', '\r'};
    bool is_formula = length > 0 && memchr(begins_formula, text[0], sizeof begins_formula) != NULL;
    llmsim_output_text(out, is_formula ? "\"'" : "\"");
    for (size_t i = 0; i < length;) {
        size_t n = llmsim_utf8_shown(text + i);
        char *p = llmsim_output_room(out, 8);
        if (n == 0 || n > length - i)
            p += sprintf(p, "\\x%02x", (unsigned char)text[i]);
        else if (text[i] == '"')
            p = stpcpy(p, "\"\"");
        else
            p = mempcpy(p, text + i, n);
        llmsim_output_advance(out, p);
        i += n == 0 || n > length - i ? 1 : n;
    }
    llmsim_output_text(out, "\"");
}

enum llmsim_status llmsim_results_reject(void *results, const struct llmsim_trace_reject *reject,
                                         struct llmsim_error *err)
{
    struct llmsim_results *r = results;
    struct llmsim_output *out = &r->files[FILE_REJECTS];
    if (!r->is_open[FILE_REJECTS]) {
        enum llmsim_status status = open_file(r, FILE_REJECTS, NULL, err);
        if (status != LLMSIM_OK)
            return status;
        llmsim_output_text(out, "line,column,reason,row\n");
    }
    char *p = llmsim_output_room(out, 64);
    p = llmsim_put_u64(p, reject->line);
    *p++ = ',';
    p = llmsim_put_u64(p, reject->column);
    *p++ = ',';
    llmsim_output_advance(out, p);
    put_quoted(out, reject->reason, strlen(reject->reason));
    llmsim_output_text(out, ",");
    put_quoted(out, reject->row, reject->row_length);
    llmsim_output_text(out, "\n");
    r->summary.outcomes[LLMSIM_OUTCOME_BAD_ROW]++;
    return llmsim_output_check(out, err);
}

/* Is `path` the place of this run's file, which may be a device that a link leads to? */
static bool is_written(const struct llmsim_results *r, int file, const char *path)
{
    struct stat own, there;
    const struct llmsim_output *out = &r->files[file];
    if (!r->is_open[file] || out->temporary.path != NULL)
        return r->is_open[file] && llmsim_output_is_at(out, path);
    return stat(out->path, &own) == 0 && stat(path, &there) == 0 && own.st_dev == there.st_dev &&
           own.st_ino == there.st_ino;
}

/* What an earlier run left in the directory must not be taken for this run's, whose files have
 * their names; nor may pictures of it stay. */
static enum llmsim_status drop_stale(const struct llmsim_results *r, struct llmsim_file_set *set,
                                     struct llmsim_error *err)
{
    enum llmsim_status status = LLMSIM_OK;
    for (int i = 0; i < N_FILES && status == LLMSIM_OK; i++) {
        int n_kinds = file_names[i] == NULL ? 0 : i == FILE_SUMMARY ? 1 : 2;
        for (int zstd = 0; zstd < n_kinds && status == LLMSIM_OK; zstd++) {
            char *path = file_path(r, i, zstd);
            if (path == NULL)
                return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
            if (!is_written(r, i, path))
                status = llmsim_file_set_drop(set, path, err);
            free(path);
        }
    }
    return status == LLMSIM_OK ? llmsim_plots_drop(r->dir, set, err) : status;
}

static enum llmsim_status gather(struct llmsim_results *r, struct llmsim_file_set *set,
                                 struct llmsim_error *err)
{
    enum llmsim_status status =
        llmsim_summary_write(&r->summary, &r->description, &r->files[FILE_SUMMARY], err);
    for (int i = 0; i < N_FILES && status == LLMSIM_OK; i++) {
        if (!r->is_open[i])
            continue;
        status = llmsim_output_finish(&r->files[i], err);
        if (status == LLMSIM_OK)
            status = llmsim_file_set_put(set, &r->files[i], err);
    }
    return status == LLMSIM_OK ? drop_stale(r, set, err) : status;
}

enum llmsim_status llmsim_results_commit(struct llmsim_results *r, struct llmsim_error *err)
{
    struct llmsim_file_set set = {0};
    enum llmsim_status status = gather(r, &set, err);
    if (status == LLMSIM_OK)
        status = llmsim_file_set_commit(&set, r->dir, err);
    if (status == LLMSIM_OK) {
        llmsim_plots_forget(r->dir);
        if (set.kept != NULL)
            (void)snprintf(r->kept, sizeof r->kept, "%s", set.kept);
    }
    llmsim_file_set_fini(&set);
    size_t n_paths = 0;
    for (int i = 0; i < N_FILES && status == LLMSIM_OK; i++)
        if (r->is_open[i])
            r->paths[n_paths++] = r->files[i].path;
    return status;
}

const char *llmsim_results_kept(const struct llmsim_results *results)
{
    return results->kept[0] != '\0' ? results->kept : NULL;
}

struct llmsim_summary *llmsim_results_summary(struct llmsim_results *results)
{
    return &results->summary;
}

const char *llmsim_results_path(const struct llmsim_results *results, size_t i)
{
    return results->paths[i];
}

void llmsim_results_close(struct llmsim_results *results)
{
    if (results == NULL)
        return;
    for (int i = 0; i < N_FILES; i++)
        if (results->is_open[i])
            llmsim_output_close(&results->files[i]);
    llmsim_tokens_sink_fini(&results->tokens);
    llmsim_steps_sink_fini(&results->steps);
    llmsim_trace_events_sink_fini(&results->trace_events);
    llmsim_classes_sink_fini(&results->classes);
    llmsim_backlog_fini(&results->backlog);
    llmsim_summary_fini(&results->summary);
    free(results->dir);
    free(results);
}
