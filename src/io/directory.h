/* directory.h: directories, and lists of the files that the program has made in one. */
#ifndef LLMSIM_IO_DIRECTORY_H
#define LLMSIM_IO_DIRECTORY_H

#include "llmsim/status.h"

/* mkdir -p. LLMSIM_IO if there is no such directory afterwards. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_make_directories(const char *path,
                                                             struct llmsim_error *err);

/* A file with the names of files of its directory that the program has made and may remove, one a
 * line. A name goes in before its file is made, so that a run that is killed leaves none out. */
#define LLMSIM_MADE_FILES "made.txt"
/* Where, inside a directory of results, their pictures are. */
#define LLMSIM_PLOTS_DIR "plots"

/* Add `name` to the list of `dir`, unless it is there. LLMSIM_IO, LLMSIM_RUN_FAILED (memory). */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_made_files_add(const char *dir, const char *name,
                                                           struct llmsim_error *err);
/* Remove the files of the list, the list, and the directory if it is empty then. Without a list
 * nothing is done. LLMSIM_IO, LLMSIM_RUN_FAILED (memory). */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_made_files_remove(const char *dir,
                                                              struct llmsim_error *err);
/* The same for the pictures of the results in `dir`. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_plots_remove(const char *dir, struct llmsim_error *err);

#endif
