/* sweep.c: a directory of points: opened where it stopped, filled, and made into a table. */
#include <stdlib.h>
#include <string.h>

#include "directory.h"
#include "file_set.h"
#include "journal.h"
#include "manifest.h"
#include "parts.h"

struct llmsim_sweep {
    struct llmsim_sweep_options options;
    struct llmsim_journal journal;
    struct llmsim_sweep_progress progress;
};

static bool is_ours(const struct llmsim_sweep *sweep, uint64_t point)
{
    return llmsim_sweep_is_in_shard(point, sweep->options.shard, sweep->options.n_shards);
}

/* The manifest also has what a merge needs to write the table. */
static void complete_manifest(const struct llmsim_sweep_options *options)
{
    struct llmsim_json_document *m = options->manifest;
    struct cJSON *table = llmsim_json_add_object(m, m->root, "table");
    llmsim_json_add_string(m, table, "file", options->file_name);
    llmsim_json_add_string(m, table, "header", options->header);
    llmsim_json_add_number(m, table, "points", (double)options->n_points);
    if (options->n_shards > 1) {
        struct cJSON *shard = llmsim_json_add_object(m, m->root, "shard");
        llmsim_json_add_number(m, shard, "number", (double)options->shard);
        llmsim_json_add_number(m, shard, "of", (double)options->n_shards);
    }
}

static void count_points(struct llmsim_sweep *sweep)
{
    const struct llmsim_journal *j = &sweep->journal;
    sweep->progress = (struct llmsim_sweep_progress){0};
    for (uint64_t p = 0; p < sweep->options.n_points; p++) {
        if (!is_ours(sweep, p))
            continue;
        sweep->progress.n_points++;
        sweep->progress.n_finished += llmsim_journal_has(j, p);
        sweep->progress.n_failed += llmsim_journal_has(j, p) && j->statuses[p] != LLMSIM_OK;
    }
}

/* A journal is read, and what is torn cut off, only where the manifest says that it is of this very
 * sweep; the manifest is there before the journal is made. */
static enum llmsim_status open_journal(struct llmsim_sweep *s, struct llmsim_error *err)
{
    const struct llmsim_sweep_options *o = &s->options;
    bool found;
    int lock =
        llmsim_directory_lock(o->dir); /* two that begin at once must not mix the two files */
    enum llmsim_status status =
        llmsim_journal_open(&s->journal, o->dir, o->n_points, false, &found, err);
    if (status == LLMSIM_OK)
        status = llmsim_manifest_agree(o->dir, o->manifest, found, err);
    if (status == LLMSIM_OK && !found)
        status = llmsim_journal_make(&s->journal, o->dir, o->n_points, err);
    llmsim_directory_unlock(lock);
    return status == LLMSIM_OK ? llmsim_journal_read(&s->journal, err) : status;
}

enum llmsim_status llmsim_sweep_open(const struct llmsim_sweep_options *options,
                                     struct llmsim_sweep **sweep, struct llmsim_error *err)
{
    *sweep = NULL;
    enum llmsim_status status = LLMSIM_CHECK_PARTS(
        "a sweep", err, {options->dir != NULL, "directory"},
        {options->file_name != NULL, "name of its table"}, {options->header != NULL, "header"},
        {options->manifest != NULL, "manifest"});
    if (status != LLMSIM_OK)
        return status;
    struct llmsim_sweep *s = calloc(1, sizeof *s);
    if (s == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    s->options = *options;
    s->journal.fd = -1;
    status = llmsim_make_directories(options->dir, err);
    if (status == LLMSIM_OK) {
        complete_manifest(options);
        status = open_journal(s, err);
    }
    if (status != LLMSIM_OK) {
        llmsim_sweep_close(s);
        return status;
    }
    count_points(s);
    *sweep = s;
    return LLMSIM_OK;
}

void llmsim_sweep_close(struct llmsim_sweep *sweep)
{
    if (sweep == NULL)
        return;
    llmsim_journal_close(&sweep->journal);
    free(sweep);
}

bool llmsim_sweep_next(const struct llmsim_sweep *sweep, uint64_t *point)
{
    uint64_t p = *point;
    while (p < sweep->options.n_points &&
           (!is_ours(sweep, p) || llmsim_journal_has(&sweep->journal, p)))
        p++;
    *point = p;
    return p < sweep->options.n_points;
}

struct llmsim_sweep_progress llmsim_sweep_get_progress(const struct llmsim_sweep *sweep)
{
    return sweep->progress;
}

enum llmsim_status llmsim_sweep_store(struct llmsim_sweep *sweep, uint64_t point,
                                      enum llmsim_status outcome, const char *row,
                                      struct llmsim_error *err)
{
    enum llmsim_status status = llmsim_journal_add(&sweep->journal, point, outcome, row, err);
    if (status != LLMSIM_OK)
        return status;
    sweep->progress.n_finished++;
    sweep->progress.n_failed += outcome != LLMSIM_OK;
    return LLMSIM_OK;
}

enum llmsim_status llmsim_sweep_row(const struct llmsim_sweep *sweep, uint64_t point, char **row,
                                    size_t *capacity, struct llmsim_error *err)
{
    if (!llmsim_journal_has(&sweep->journal, point))
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "point %llu is not finished",
                           (unsigned long long)point);
    return llmsim_journal_row(&sweep->journal, point, row, capacity, err);
}

static enum llmsim_status put_rows(const struct llmsim_sweep *sweep, struct llmsim_output *out,
                                   struct llmsim_error *err)
{
    char *row = NULL;
    size_t capacity = 0;
    enum llmsim_status status = LLMSIM_OK;
    llmsim_output_text(out, sweep->options.header);
    llmsim_output_text(out, "\n");
    for (uint64_t p = 0; p < sweep->options.n_points && status == LLMSIM_OK; p++) {
        if (!is_ours(sweep, p))
            continue;
        status = llmsim_sweep_row(sweep, p, &row, &capacity, err);
        if (status == LLMSIM_OK) {
            llmsim_output_text(out, row);
            llmsim_output_text(out, "\n");
        }
    }
    free(row);
    return status;
}

/* Pictures of an earlier table must not stay beside this one. */
static enum llmsim_status name_table(const struct llmsim_sweep *sweep, struct llmsim_output *table,
                                     struct llmsim_error *err)
{
    const char *dir = sweep->options.dir;
    struct llmsim_file_set set = {0};
    enum llmsim_status status = llmsim_file_set_put(&set, table, err);
    if (status == LLMSIM_OK)
        status = llmsim_plots_drop(dir, &set, err);
    if (status == LLMSIM_OK)
        status = llmsim_file_set_commit(&set, dir, err);
    if (status == LLMSIM_OK)
        llmsim_plots_forget(dir);
    llmsim_file_set_fini(&set);
    return status;
}

enum llmsim_status llmsim_sweep_finish(struct llmsim_sweep *sweep, struct llmsim_error *err)
{
    char *path;
    struct llmsim_output out;
    if (asprintf(&path, "%s/%s", sweep->options.dir, sweep->options.file_name) < 0)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    enum llmsim_status status = llmsim_output_open(&out, path, LLMSIM_COMPRESS_NONE, err);
    free(path);
    if (status != LLMSIM_OK)
        return status;
    status = put_rows(sweep, &out, err);
    if (status == LLMSIM_OK)
        status = llmsim_output_finish(&out, err);
    if (status == LLMSIM_OK)
        status = name_table(sweep, &out, err);
    llmsim_output_close(&out);
    return status;
}
