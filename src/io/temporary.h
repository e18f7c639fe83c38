/* temporary.h: a file that is not finished, beside the place that it is for.
 *
 * It is PATH.tmp.llmsim.N with the least N that is free, made by O_EXCL, so never through a link.
 * Its maker keeps it locked (flock) until it has its name or is gone. A file of such a name that is
 * not locked was left by a run that was killed: the next run that writes PATH removes it. Where the
 * file system has no locks, it stays. */
#ifndef LLMSIM_IO_TEMPORARY_H
#define LLMSIM_IO_TEMPORARY_H

struct llmsim_temporary {
    char *path;  /* NULL: there is none */
    int lock_fd; /* -1: none */
};

/* Make an empty one for `path`, which must be no symbolic link, and open it to read and write. It
 * has the mode, and where possible the owner and group, of the regular file at `path`; where there
 * is none, those of a new file. Returns 0, or an errno: EPERM also where the file at `path` is not
 * ours to replace. */
int llmsim_temporary_make(struct llmsim_temporary *temporary, const char *path, int *fd);
/* Name it `path`. Returns 0 or an errno; it is then as it was. */
int llmsim_temporary_name(struct llmsim_temporary *temporary, const char *path);
/* Move the file at `path` to it, so that llmsim_temporary_name can bring it back. Returns 0 or an
 * errno. */
int llmsim_temporary_set_aside(struct llmsim_temporary *temporary, const char *path);
/* Let it be, with its name. */
void llmsim_temporary_leave(struct llmsim_temporary *temporary);
/* Remove it, if there is one. */
void llmsim_temporary_remove(struct llmsim_temporary *temporary);
/* Remove what killed runs have left for `path`. */
void llmsim_temporary_clean(const char *path);

#endif
