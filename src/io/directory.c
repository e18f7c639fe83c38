#include "directory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
