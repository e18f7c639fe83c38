/* merge.c: the directories of shards into one, as if all had been done there. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "manifest.h"

struct merge {
    const char *dir;          /* of the result */
    struct llmsim_json first; /* manifest of the first shard */
    struct llmsim_json_document manifest;
    struct llmsim_sweep_options options;
    struct llmsim_sweep *sweep;
    struct llmsim_error *err;
};

static enum llmsim_status fail_manifest(const struct merge *m, const char *dir, const char *what)
{
    return llmsim_fail_at(m->err, LLMSIM_USAGE, dir, 0, 0, "%s", what);
}

/* The result's manifest is that of the shards, without their numbers; "table" is put in again when
 * the directory is opened. */
static enum llmsim_status read_first(struct merge *m, const char *dir)
{
    enum llmsim_status status = llmsim_manifest_load(dir, &m->first, m->err);
    if (status != LLMSIM_OK)
        return status;
    const cJSON *table = cJSON_GetObjectItemCaseSensitive(m->first.root, "table");
    const cJSON *file = cJSON_GetObjectItemCaseSensitive(table, "file");
    const cJSON *header = cJSON_GetObjectItemCaseSensitive(table, "header");
    const cJSON *points = cJSON_GetObjectItemCaseSensitive(table, "points");
    if (!cJSON_IsString(file) || strchr(file->valuestring, '/') != NULL ||
        !cJSON_IsString(header) || !cJSON_IsNumber(points) ||
        !(points->valuedouble >= 1 && points->valuedouble <= (double)LLMSIM_MAX_POINTS))
        return fail_manifest(m, dir,
                             "manifest.json has no \"table\"; expected a sweep's directory");
    m->options = (struct llmsim_sweep_options){
        .dir = m->dir,
        .file_name = file->valuestring,
        .header = header->valuestring,
        .manifest = &m->manifest,
        .n_points = (uint64_t)points->valuedouble,
    };
    cJSON *root = cJSON_Duplicate(m->first.root, true);
    if (root == NULL)
        return llmsim_fail(m->err, LLMSIM_RUN_FAILED, "out of memory");
    cJSON_DeleteItemFromObjectCaseSensitive(root, "table");
    cJSON_DeleteItemFromObjectCaseSensitive(root, "shard");
    m->manifest = (struct llmsim_json_document){.root = root};
    return LLMSIM_OK;
}

static enum llmsim_status check_same(const struct merge *m, const char *dir)
{
    struct llmsim_json other;
    char what[256];
    enum llmsim_status status = llmsim_manifest_load(dir, &other, m->err);
    if (status != LLMSIM_OK)
        return status;
    const char *difference = llmsim_manifest_difference(m->first.root, other.root, "shard");
    if (difference != NULL) {
        (void)snprintf(what, sizeof what,
                       "is of another run: \"%.100s\" differs; expected shards of one sweep",
                       difference);
        status = fail_manifest(m, dir, what);
    }
    llmsim_json_fini(&other);
    return status;
}

/* What the result does not have yet. */
static enum llmsim_status copy_points(const struct merge *m, const struct llmsim_journal *journal)
{
    enum llmsim_status status = LLMSIM_OK;
    char *row = NULL;
    size_t capacity = 0;
    for (uint64_t p = 0; status == LLMSIM_OK && llmsim_sweep_next(m->sweep, &p); p++) {
        if (!llmsim_journal_has(journal, p))
            continue;
        status = llmsim_journal_row(journal, p, &row, &capacity, m->err);
        if (status == LLMSIM_OK)
            status = llmsim_sweep_store(m->sweep, p, (enum llmsim_status)journal->statuses[p], row,
                                        m->err);
    }
    free(row);
    return status;
}

static enum llmsim_status add_shard(const struct merge *m, const char *dir)
{
    struct llmsim_journal journal;
    bool found;
    enum llmsim_status status = check_same(m, dir);
    if (status == LLMSIM_OK)
        status = llmsim_journal_open(&journal, dir, m->options.n_points, true, &found, m->err);
    if (status != LLMSIM_OK || !found) /* without a journal no point is finished */
        return status;
    status = llmsim_journal_read(&journal, m->err);
    if (status == LLMSIM_OK)
        status = copy_points(m, &journal);
    llmsim_journal_close(&journal);
    return status;
}

static enum llmsim_status check_complete(const struct merge *m)
{
    uint64_t missing = 0;
    struct llmsim_sweep_progress p = llmsim_sweep_get_progress(m->sweep);
    if (!llmsim_sweep_next(m->sweep, &missing))
        return LLMSIM_OK;
    return llmsim_fail_at(m->err, LLMSIM_USAGE, m->dir, 0, 0,
                          "%" PRIu64 " of %" PRIu64 " points are missing, the first is %" PRIu64
                          "; expected the directories of all shards, each finished",
                          p.n_points - p.n_finished, p.n_points, missing);
}

enum llmsim_status llmsim_sweep_merge(const char *dir, const char *const *shards, size_t n_shards,
                                      struct llmsim_merged *merged, struct llmsim_error *err)
{
    struct merge m = {.dir = dir, .err = err};
    enum llmsim_status status = read_first(&m, shards[0]);
    /* Before anything is made in `dir`. */
    for (size_t i = 1; i < n_shards && status == LLMSIM_OK; i++)
        status = check_same(&m, shards[i]);
    if (status == LLMSIM_OK)
        status = llmsim_sweep_open(&m.options, &m.sweep, err);
    for (size_t i = 0; i < n_shards && status == LLMSIM_OK; i++)
        status = add_shard(&m, shards[i]);
    if (status == LLMSIM_OK)
        status = check_complete(&m);
    if (status == LLMSIM_OK)
        status = llmsim_sweep_finish(m.sweep, err);
    if (status == LLMSIM_OK) {
        merged->progress = llmsim_sweep_get_progress(m.sweep);
        (void)snprintf(merged->file_name, sizeof merged->file_name, "%s", m.options.file_name);
    }
    llmsim_sweep_close(m.sweep);
    llmsim_json_document_fini(&m.manifest);
    if (m.first.root != NULL)
        llmsim_json_fini(&m.first);
    return status;
}
