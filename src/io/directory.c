#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fail_errno.h"
#include "file_set.h"

#define LOCK_WAIT_MS 60000
#define LOCK_PAUSE_MS 5

/* What a list of ours begins with. */
#define LIST_TITLE "# made by llmsim plot, and removed with the results that it is of:"

enum llmsim_status llmsim_make_directories(const char *path, struct llmsim_error *err)
{
    char *copy = strdup(path);
    if (copy == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    bool failed = false;
    for (char *p = copy + strspn(copy, "/"); !failed && *p != '\0'; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        failed = mkdir(copy, 0777) != 0 && errno != EEXIST;
        *p = '/';
    }
    if (!failed)
        failed = mkdir(copy, 0777) != 0 && errno != EEXIST;
    enum llmsim_status status = LLMSIM_OK;
    struct stat info;
    if (failed)
        status = llmsim_fail_errno(err, path, "make the directory", errno);
    else if (stat(path, &info) == 0 && !S_ISDIR(info.st_mode))
        status = llmsim_fail_at(err, LLMSIM_IO, path, 0, 0, "is no directory");
    free(copy);
    return status;
}

/* DIR/NAME, to be freed; NULL without memory. */
static char *join(const char *dir, const char *name)
{
    char *path;
    return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

/* Wait for the lock of an open file. false: it cannot be locked, or somebody has it for longer than
 * any of our changes takes (`flock DIR llmsim …` would wait for itself). */
static bool lock_file(int fd)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
    int result;
    for (int n = 0; (result = flock(fd, LOCK_EX | LOCK_NB)) != 0 && errno == EWOULDBLOCK &&
                    n < LOCK_WAIT_MS / LOCK_PAUSE_MS;
         n++)
        (void)nanosleep(&pause, NULL);
    return result == 0;
}

int llmsim_directory_lock(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && lock_file(fd))
        return fd;
    bool is_held = fd >= 0 && errno == EWOULDBLOCK;
    if (fd >= 0)
        (void)close(fd);
    if (is_held)
        return -1;
    /* NFS locks only what is open for writing, which a directory never is. */
    char *name = join(path, ".llmsim.lock");
    fd = name != NULL ? open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666) : -1;
    free(name);
    if (fd < 0 || lock_file(fd))
        return fd;
    (void)close(fd);
    return -1;
}

int llmsim_directory_lock_of(const char *file)
{
    char *resolved = realpath(file, NULL), *dir = resolved != NULL ? resolved : strdup(file);
    char *slash = dir != NULL ? strrchr(dir, '/') : NULL;
    if (slash != NULL)
        slash[slash == dir] = '\0';
    int lock = dir != NULL ? llmsim_directory_lock(slash != NULL ? dir : ".") : -1;
    free(dir);
    return lock;
}

void llmsim_directory_unlock(int lock)
{
    if (lock >= 0)
        (void)close(lock);
}

/* The next line of a list, without its end; *ended where there is none. */
static enum llmsim_status next_line(FILE *list, const char *path, char **line, size_t *capacity,
                                    bool *ended, struct llmsim_error *err)
{
    errno = 0;
    ssize_t n = getline(line, capacity, list);
    *ended = n < 0;
    if (n > 0 && (*line)[n - 1] == '\n')
        (*line)[n - 1] = '\0';
    if (n >= 0 || feof(list) != 0)
        return LLMSIM_OK;
    return llmsim_fail_errno(err, path, "read", errno);
}

/* Open the list of a directory and read its title. NULL with LLMSIM_OK: there is none, or, where it
 * is not to be made, a file of its name that is no list of ours, or may not be read. */
static enum llmsim_status open_list(const char *path, bool make, FILE **list,
                                    struct llmsim_error *err)
{
    struct stat info;
    char title[sizeof LIST_TITLE + 1] = "";
    *list = NULL;
    int fd = open(
        path, (make ? O_RDWR | O_APPEND | O_CREAT : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
        0666);
    if (fd < 0 && !make)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == EACCES
                   ? LLMSIM_OK
                   : llmsim_fail_errno(err, path, "open", errno);
    if (fd < 0 || fstat(fd, &info) != 0 || (*list = fdopen(fd, make ? "a+" : "r")) == NULL) {
        int error = errno;
        if (fd >= 0)
            (void)close(fd);
        return llmsim_fail_errno(err, path, "open for writing", error);
    }
    if (S_ISREG(info.st_mode) && info.st_size == 0 && make && fputs(LIST_TITLE "\n", *list) >= 0) {
        rewind(*list); /* between writing and reading */
        return LLMSIM_OK;
    }
    if (S_ISREG(info.st_mode) && fgets(title, sizeof title, *list) != NULL &&
        strcmp(title, LIST_TITLE "\n") == 0)
        return LLMSIM_OK;
    (void)fclose(*list);
    *list = NULL;
    if (!make)
        return LLMSIM_OK;
    return llmsim_fail_at(err, LLMSIM_IO, path, 0, 0,
                          "is not the list that llmsim plot keeps here; expected another "
                          "--output");
}

static enum llmsim_status append_name(FILE *list, const char *path, const char *name,
                                      struct llmsim_error *err)
{
    char *line = NULL;
    size_t capacity = 0;
    bool is_there = false, ended = false;
    enum llmsim_status status = LLMSIM_OK;
    while (status == LLMSIM_OK && !ended && !is_there) {
        status = next_line(list, path, &line, &capacity, &ended, err);
        is_there = status == LLMSIM_OK && !ended && strcmp(line, name) == 0;
    }
    free(line);
    if (is_there || status != LLMSIM_OK)
        return status;
    (void)fseek(list, 0, SEEK_END); /* between reading and writing */
    if (fprintf(list, "%s\n", name) < 0 || fflush(list) != 0)
        return llmsim_fail_errno(err, path, "write", errno);
    return LLMSIM_OK;
}

enum llmsim_status llmsim_made_files_add(const char *dir, const char *name,
                                         struct llmsim_error *err)
{
    FILE *list;
    char *path = join(dir, LLMSIM_MADE_FILES);
    if (path == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    enum llmsim_status status = open_list(path, true, &list, err);
    if (status == LLMSIM_OK)
        status = append_name(list, path, name, err);
    if (list != NULL)
        (void)fclose(list);
    free(path);
    return status;
}

static enum llmsim_status drop_file(const char *dir, const char *name, struct llmsim_file_set *set,
                                    struct llmsim_error *err)
{
    char *path = join(dir, name);
    if (path == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    enum llmsim_status status = llmsim_file_set_drop(set, path, err);
    free(path);
    return status;
}

static enum llmsim_status drop_files(const char *dir, FILE *list, const char *path,
                                     struct llmsim_file_set *set, struct llmsim_error *err)
{
    char *line = NULL;
    size_t capacity = 0;
    bool ended = false;
    enum llmsim_status status = LLMSIM_OK;
    while (status == LLMSIM_OK && !ended) {
        status = next_line(list, path, &line, &capacity, &ended, err);
        /* A name with a slash is none that the program has put there; nor is a title. */
        if (status == LLMSIM_OK && !ended && line[0] != '\0' && line[0] != '#' &&
            strchr(line, '/') == NULL)
            status = drop_file(dir, line, set, err);
    }
    free(line);
    return status;
}

enum llmsim_status llmsim_plots_drop(const char *dir, struct llmsim_file_set *set,
                                     struct llmsim_error *err)
{
    FILE *list = NULL;
    char *plots = join(dir, LLMSIM_PLOTS_DIR);
    char *path = plots != NULL ? join(plots, LLMSIM_MADE_FILES) : NULL;
    enum llmsim_status status = path != NULL ? open_list(path, false, &list, err)
                                             : llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    if (list != NULL) {
        status = drop_files(plots, list, path, set, err);
        (void)fclose(list);
    }
    free(path);
    free(plots);
    return status;
}

void llmsim_plots_forget(const char *dir)
{
    FILE *list = NULL;
    char *plots = join(dir, LLMSIM_PLOTS_DIR);
    char *path = plots != NULL ? join(plots, LLMSIM_MADE_FILES) : NULL;
    if (path != NULL && open_list(path, false, &list, NULL) == LLMSIM_OK && list != NULL) {
        (void)fclose(list);
        (void)unlink(path);
        (void)rmdir(plots); /* unless there is something else in it */
    }
    free(path);
    free(plots);
}
