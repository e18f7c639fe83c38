/* directory.h: directories, locks of them, and lists of the files that the program has made in one.
 */
#ifndef LLMSIM_IO_DIRECTORY_H
#define LLMSIM_IO_DIRECTORY_H

#include "llmsim/status.h"

/* mkdir -p. LLMSIM_IO if there is no such directory afterwards. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_make_directories(const char *path,
                                                             struct llmsim_error *err);

/* Wait until nobody else has the directory locked, and lock it, for a moment. Returns what unlocks
 * it; -1 where the file system has no locks, or somebody does not let it go. */
int llmsim_directory_lock(const char *path);
/* The same for the directory of a file, which may be a symbolic link to one elsewhere. */
int llmsim_directory_lock_of(const char *file);
void llmsim_directory_unlock(int lock);

/* A file with the names of files of its directory that the program has made and may remove, one a
 * line. A name goes in before its file is made, so that a run that is killed leaves none out. */
#define LLMSIM_MADE_FILES "made.txt"
/* Where, inside a directory of results, their pictures are. */
#define LLMSIM_PLOTS_DIR "plots"

struct llmsim_file_set;

/* Add `name` to the list of `dir`, unless it is there. LLMSIM_IO, also where a file of the list's
 * name is none; LLMSIM_RUN_FAILED (memory). */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_made_files_add(const char *dir, const char *name,
                                                           struct llmsim_error *err);
/* The pictures of the results in `dir`, and all else on their list, are to go with a set.
 * LLMSIM_IO, LLMSIM_RUN_FAILED (memory). */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_plots_drop(const char *dir, struct llmsim_file_set *set,
                                                       struct llmsim_error *err);
/* When they are gone: remove the list, and the directory of the pictures if it is empty then. */
void llmsim_plots_forget(const char *dir);

#endif
