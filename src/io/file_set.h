/* file_set.h: files of a directory that get their names, or go, together.
 *
 * The last one that is put seals the set: it has its name only while all others have theirs. What
 * was at the seal's name is moved aside first, then what was at the other names, then the new files
 * get their names, the seal last. If a step fails, all of it is undone, and everything is as it
 * was. A process that is killed meanwhile leaves no seal. Two that commit into one directory wait
 * for each other. */
#ifndef LLMSIM_IO_FILE_SET_H
#define LLMSIM_IO_FILE_SET_H

#include <stdbool.h>

#include "output.h"

struct llmsim_file_set_entry {
    struct llmsim_output *out; /* NULL: a file that goes */
    char *path;
    struct llmsim_temporary aside; /* what was there */
    bool is_named;
};

struct llmsim_file_set {
    struct llmsim_file_set_entry *entries;
    size_t n, capacity;
    const char *kept; /* the path of a file that should go and may not be removed, or NULL */
};

/* A finished output, borrowed. LLMSIM_RUN_FAILED (memory). */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_file_set_put(struct llmsim_file_set *set,
                                                         struct llmsim_output *out,
                                                         struct llmsim_error *err);
/* The file at `path` goes, if there is one. A directory of that name stays, and so does a file that
 * the system does not let us remove, which is then `kept`. LLMSIM_RUN_FAILED (memory). */
LLMSIM_MUST_CHECK enum llmsim_status
llmsim_file_set_drop(struct llmsim_file_set *set, const char *path, struct llmsim_error *err);
/* LLMSIM_IO: nothing has changed. */
LLMSIM_MUST_CHECK enum llmsim_status
llmsim_file_set_commit(struct llmsim_file_set *set, const char *dir, struct llmsim_error *err);
void llmsim_file_set_fini(struct llmsim_file_set *set);

#endif
