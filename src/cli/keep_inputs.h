/* keep_inputs.h: a command does not write onto what it reads, and leaves no empty directory behind.
 *
 * Files are compared by device and inode, so that links and "./x" are seen. What is no regular file
 * (a terminal, a pipe, /dev/null) may be both. */
#ifndef LLMSIM_KEEP_INPUTS_H
#define LLMSIM_KEEP_INPUTS_H

#include "cli.h"

/* Where a command is to write: "-" is stdout, NULL nowhere. */
struct cli_output {
    const char *what; /* "--plot", "the results" */
    const char *path;
};

/* LLMSIM_IO if one of the outputs is the file that is read at `path` as `what` ("the trace"); "-"
 * is stdin. NULL: nothing is read. */
LLMSIM_MUST_CHECK enum llmsim_status cli_keep_input(const struct cli_output *outputs, size_t n,
                                                    const char *what, const char *path,
                                                    struct llmsim_error *err);
/* The same for the files of the catalogue that `data_dir` (NULL: none is named) leads to, but for
 * the one named `except` (NULL: for all). Fine if there is no catalogue. */
LLMSIM_MUST_CHECK enum llmsim_status cli_keep_catalogue(const struct cli_output *outputs, size_t n,
                                                        const char *data_dir, const char *except,
                                                        struct llmsim_error *err);
/* LLMSIM_IO if two of the outputs are one file. It need not be there yet. */
LLMSIM_MUST_CHECK enum llmsim_status cli_keep_apart(const struct cli_output *outputs, size_t n,
                                                    struct llmsim_error *err);

/* The files of a catalogue: "gpu.json", ...; NULL behind the last. */
const char *cli_catalogue_file(size_t i);

/* The directories of a path that are not there yet. */
struct cli_new_directories {
    char *path;
    size_t n_old; /* bytes of `path` up to the last that is there */
};
void cli_new_directories_init(struct cli_new_directories *dirs, const char *path);
/* Remove those that are empty; for a command that made them and then failed. */
void cli_new_directories_remove(const struct cli_new_directories *dirs);
void cli_new_directories_fini(struct cli_new_directories *dirs);

#endif
