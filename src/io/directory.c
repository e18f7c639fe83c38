#include "directory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
        status = llmsim_fail_at(err, LLMSIM_IO, path, 0, 0, "cannot make the directory: %s",
                                strerror(errno));
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

/* The next name of a list, without its line end; false: there is none. */
static bool next_name(FILE *list, char **line, size_t *capacity)
{
    ssize_t n = getline(line, capacity, list);
    if (n > 0 && (*line)[n - 1] == '\n')
        (*line)[n - 1] = '\0';
    return n >= 0;
}

static enum llmsim_status append_name(FILE *list, const char *path, const char *name,
                                      struct llmsim_error *err)
{
    char *line = NULL;
    size_t capacity = 0;
    bool is_there = false;
    while (!is_there && next_name(list, &line, &capacity))
        is_there = strcmp(line, name) == 0;
    free(line);
    if (is_there)
        return LLMSIM_OK;
    if (fprintf(list, "%s\n", name) < 0 || fflush(list) != 0)
        return llmsim_fail_at(err, LLMSIM_IO, path, 0, 0, "cannot write: %s", strerror(errno));
    return LLMSIM_OK;
}

enum llmsim_status llmsim_made_files_add(const char *dir, const char *name,
                                         struct llmsim_error *err)
{
    char *path = join(dir, LLMSIM_MADE_FILES);
    if (path == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    FILE *list = fopen(path, "a+e");
    enum llmsim_status status =
        list != NULL ? append_name(list, path, name, err)
                     : llmsim_fail_at(err, LLMSIM_IO, path, 0, 0, "cannot open for writing: %s",
                                      strerror(errno));
    if (list != NULL)
        (void)fclose(list);
    free(path);
    return status;
}

static enum llmsim_status remove_file(const char *dir, const char *name, struct llmsim_error *err)
{
    char *path = join(dir, name);
    enum llmsim_status status = LLMSIM_OK;
    if (path == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    if (unlink(path) != 0 && errno != ENOENT)
        status =
            llmsim_fail_at(err, LLMSIM_IO, path, 0, 0, "cannot remove it: %s", strerror(errno));
    free(path);
    return status;
}

enum llmsim_status llmsim_made_files_remove(const char *dir, struct llmsim_error *err)
{
    char *path = join(dir, LLMSIM_MADE_FILES), *line = NULL;
    size_t capacity = 0;
    enum llmsim_status status = LLMSIM_OK;
    if (path == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    FILE *list = fopen(path, "re");
    free(path);
    if (list == NULL)
        return LLMSIM_OK;
    /* A name with a slash is none that the program has put there. */
    while (status == LLMSIM_OK && next_name(list, &line, &capacity))
        if (line[0] != '\0' && strchr(line, '/') == NULL)
            status = remove_file(dir, line, err);
    (void)fclose(list);
    free(line);
    if (status == LLMSIM_OK)
        status = remove_file(dir, LLMSIM_MADE_FILES, err);
    if (status == LLMSIM_OK)
        (void)rmdir(dir); /* unless there is something else in it */
    return status;
}

enum llmsim_status llmsim_plots_remove(const char *dir, struct llmsim_error *err)
{
    char *path = join(dir, LLMSIM_PLOTS_DIR);
    if (path == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    enum llmsim_status status = llmsim_made_files_remove(path, err);
    free(path);
    return status;
}
