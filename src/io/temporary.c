#include "temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_NAMES 1000
/* So many runs at once, all killed, are cleaned up after. */
#define N_CLEANED 4

static char *make_name(const char *path, int n)
{
    char *name;
    return asprintf(&name, "%s.tmp.llmsim.%d", path, n) < 0 ? NULL : name;
}

/* Does the name still mean the open file? */
static bool is_at(int fd, const char *name)
{
    struct stat open_file, there;
    return fstat(fd, &open_file) == 0 && lstat(name, &there) == 0 &&
           open_file.st_dev == there.st_dev && open_file.st_ino == there.st_ino;
}

/* Its maker has it locked; where that cannot be known, it stays. While it is locked here, nobody
 * else removes it, so the name means this file until it is gone. */
static void remove_stale(const char *name)
{
    struct stat info;
    const int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = open(name, O_RDWR | flags); /* to write, as NFS has no exclusive lock otherwise */
    if (fd < 0 && errno == EACCES)
        fd = open(name, O_RDONLY | flags);
    if (fd < 0)
        return;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == geteuid() &&
        flock(fd, LOCK_EX | LOCK_NB) == 0 && is_at(fd, name))
        (void)unlink(name);
    (void)close(fd);
}

void llmsim_temporary_clean(const char *path)
{
    for (int n = 0; n < N_CLEANED; n++) {
        char *name = make_name(path, n);
        if (name != NULL)
            remove_stale(name);
        free(name);
    }
}

/* In a directory with the sticky bit, as /tmp, another user's file cannot be renamed or replaced.
 * Better said before hours of work than after. */
static bool is_ours_to_replace(const char *path, const struct stat *old)
{
    struct stat dir;
    const char *slash = strrchr(path, '/');
    char *parent = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    bool is_sticky = parent != NULL && stat(parent, &dir) == 0 && (dir.st_mode & S_ISVTX) != 0;
    free(parent);
    return !is_sticky || geteuid() == 0 || old->st_uid == geteuid() || dir.st_uid == geteuid();
}

/* As far as it may be done: only root gives files away. A group that cannot be kept gets no more
 * rights than everybody has. */
static void resemble(int fd, const struct stat *old)
{
    struct stat made;
    mode_t mode = old->st_mode & 0777;
    if (fstat(fd, &made) != 0)
        return;
    bool is_same = made.st_uid == old->st_uid && made.st_gid == old->st_gid;
    if (!is_same && fchown(fd, old->st_uid, old->st_gid) != 0 &&
        fchown(fd, (uid_t)-1, old->st_gid) != 0)
        mode &= 0707 | (mode & 07) << 3;
    (void)fchmod(fd, mode);
}

/* Lock a file that was just made. false: it is being removed by one who has found it unlocked. */
static bool lock_new(struct llmsim_temporary *temporary, int fd)
{
    struct stat info;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return errno != EWOULDBLOCK; /* a file system without locks */
    if (fstat(fd, &info) != 0 || info.st_nlink == 0)
        return false;
    /* The lock is to outlive `fd`, which is closed, for the errors of that, before the renaming. */
    temporary->lock_fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    return true;
}

int llmsim_temporary_make(struct llmsim_temporary *temporary, const char *path, int *fd)
{
    struct stat old;
    bool has_old = lstat(path, &old) == 0 && S_ISREG(old.st_mode);
    *temporary = (struct llmsim_temporary){.lock_fd = -1};
    if (has_old && !is_ours_to_replace(path, &old))
        return EPERM;
    llmsim_temporary_clean(path);
    for (int n = 0; n < MAX_NAMES; n++) {
        char *name = make_name(path, n);
        if (name == NULL)
            return ENOMEM;
        *fd = open(name, O_RDWR | O_CLOEXEC | O_CREAT | O_EXCL, has_old ? 0600 : 0666);
        int error = errno;
        if (*fd >= 0 && lock_new(temporary, *fd)) {
            if (has_old)
                resemble(*fd, &old);
            temporary->path = name;
            return 0;
        }
        free(name);
        if (*fd >= 0)
            (void)close(*fd);
        else if (error != EEXIST)
            return error;
    }
    return EEXIST;
}

void llmsim_temporary_leave(struct llmsim_temporary *temporary)
{
    if (temporary->path != NULL && temporary->lock_fd >= 0)
        (void)close(temporary->lock_fd);
    free(temporary->path);
    *temporary = (struct llmsim_temporary){.lock_fd = -1};
}

int llmsim_temporary_name(struct llmsim_temporary *temporary, const char *path)
{
    if (rename(temporary->path, path) != 0)
        return errno;
    llmsim_temporary_leave(temporary);
    return 0;
}

int llmsim_temporary_set_aside(struct llmsim_temporary *temporary, const char *path)
{
    int fd, error = llmsim_temporary_make(temporary, path, &fd);
    if (error != 0)
        return error;
    (void)close(fd);
    /* The lock that counts from now on is one of the file itself. */
    int lock_fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (lock_fd >= 0)
        (void)flock(lock_fd, LOCK_EX | LOCK_NB);
    if (rename(path, temporary->path) != 0) {
        error = errno;
        if (lock_fd >= 0)
            (void)close(lock_fd);
        llmsim_temporary_remove(temporary);
        return error;
    }
    if (temporary->lock_fd >= 0)
        (void)close(temporary->lock_fd);
    temporary->lock_fd = lock_fd;
    return 0;
}

void llmsim_temporary_remove(struct llmsim_temporary *temporary)
{
    if (temporary->path != NULL)
        (void)unlink(temporary->path);
    llmsim_temporary_leave(temporary);
}
