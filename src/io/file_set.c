#include "file_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "directory.h"
#include "fail_errno.h"

static enum llmsim_status add(struct llmsim_file_set *set, struct llmsim_output *out,
                              const char *path, struct llmsim_error *err)
{
    if (set->n == set->capacity) {
        size_t capacity = set->capacity > 0 ? 2 * set->capacity : 16;
        struct llmsim_file_set_entry *entries =
            realloc(set->entries, capacity * sizeof *set->entries);
        if (entries == NULL)
            return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
        set->entries = entries;
        set->capacity = capacity;
    }
    char *copy = strdup(path);
    if (copy == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    set->entries[set->n++] =
        (struct llmsim_file_set_entry){.out = out, .path = copy, .aside.lock_fd = -1};
    return LLMSIM_OK;
}

enum llmsim_status llmsim_file_set_put(struct llmsim_file_set *set, struct llmsim_output *out,
                                       struct llmsim_error *err)
{
    return add(set, out, out->path, err);
}

enum llmsim_status llmsim_file_set_drop(struct llmsim_file_set *set, const char *path,
                                        struct llmsim_error *err)
{
    return add(set, NULL, path, err);
}

static bool is_in_place(const struct llmsim_file_set_entry *e)
{
    return e->out != NULL && e->out->temporary.path == NULL;
}

static enum llmsim_status set_aside(struct llmsim_file_set *set, struct llmsim_file_set_entry *e,
                                    struct llmsim_error *err)
{
    struct stat info;
    if (is_in_place(e) || lstat(e->path, &info) != 0 || S_ISDIR(info.st_mode))
        return LLMSIM_OK; /* where a directory is in the way of a new file, naming that fails */
    int error = llmsim_temporary_set_aside(&e->aside, e->path);
    if (error == 0 || error == ENOENT)
        return LLMSIM_OK;
    if (e->out == NULL && (error == EACCES || error == EPERM || error == EROFS)) {
        set->kept = e->path;
        return LLMSIM_OK;
    }
    const char *what = e->out != NULL ? "replace an earlier result" : "remove an earlier result";
    return llmsim_fail_errno(err, e->path, what, error);
}

static enum llmsim_status name(struct llmsim_file_set_entry *e, struct llmsim_error *err)
{
    if (e->out == NULL || is_in_place(e))
        return LLMSIM_OK;
    enum llmsim_status status = llmsim_output_commit(e->out, err);
    e->is_named = status == LLMSIM_OK;
    return status;
}

static struct llmsim_file_set_entry *find_seal(struct llmsim_file_set *set)
{
    size_t i = set->n;
    while (i > 0 && set->entries[i - 1].out == NULL)
        i--;
    return i > 0 ? &set->entries[i - 1] : NULL;
}

/* What cannot be brought back stays aside: better there than nowhere. */
static void undo(struct llmsim_file_set_entry *e)
{
    if (e->is_named)
        (void)unlink(e->path);
    if (e->aside.path != NULL && llmsim_temporary_name(&e->aside, e->path) != 0)
        llmsim_temporary_leave(&e->aside);
}

static enum llmsim_status change(struct llmsim_file_set *set, struct llmsim_file_set_entry *seal,
                                 struct llmsim_error *err)
{
    enum llmsim_status status = seal != NULL ? set_aside(set, seal, err) : LLMSIM_OK;
    for (size_t i = 0; i < set->n && status == LLMSIM_OK; i++)
        if (&set->entries[i] != seal)
            status = set_aside(set, &set->entries[i], err);
    for (size_t i = 0; i < set->n && status == LLMSIM_OK; i++)
        if (&set->entries[i] != seal)
            status = name(&set->entries[i], err);
    return status == LLMSIM_OK && seal != NULL ? name(seal, err) : status;
}

enum llmsim_status llmsim_file_set_commit(struct llmsim_file_set *set, const char *dir,
                                          struct llmsim_error *err)
{
    struct llmsim_file_set_entry *seal = find_seal(set);
    int lock = llmsim_directory_lock(dir);
    enum llmsim_status status = change(set, seal, err);
    for (size_t i = 0; i < set->n && status != LLMSIM_OK; i++)
        if (&set->entries[i] != seal)
            undo(&set->entries[i]);
    if (status != LLMSIM_OK && seal != NULL)
        undo(seal);
    for (size_t i = 0; i < set->n && status == LLMSIM_OK; i++) {
        llmsim_temporary_remove(&set->entries[i].aside);
        llmsim_temporary_clean(set->entries[i].path);
    }
    llmsim_directory_unlock(lock);
    return status;
}

void llmsim_file_set_fini(struct llmsim_file_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        free(set->entries[i].path);
    free(set->entries);
    *set = (struct llmsim_file_set){0};
}
