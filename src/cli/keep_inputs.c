#include "keep_inputs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of the file at `path`, or, if that is "-", of `standard`. Regular files only. */
static bool find_file(const char *path, int standard, struct stat *info)
{
    bool is_there = strcmp(path, "-") == 0 ? fstat(standard, info) == 0 : stat(path, info) == 0;
    return is_there && S_ISREG(info->st_mode);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

enum llmsim_status cli_keep_input(const struct cli_output *outputs, size_t n, const char *what,
                                  const char *path, struct llmsim_error *err)
{
    struct stat in, out;
    if (path == NULL || !find_file(path, STDIN_FILENO, &in))
        return LLMSIM_OK;
    for (size_t i = 0; i < n; i++)
        if (outputs[i].path != NULL && find_file(outputs[i].path, STDOUT_FILENO, &out) &&
            is_same(&in, &out))
            return llmsim_fail_at(err, LLMSIM_IO,
                                  strcmp(outputs[i].path, "-") == 0 ? "<stdout>" : outputs[i].path,
                                  0, 0, "is %s itself (%s); expected another place for %s", what,
                                  strcmp(path, "-") == 0 ? "stdin" : path, outputs[i].what);
    return LLMSIM_OK;
}

const char *cli_catalogue_file(size_t i)
{
    static const char *const names[] = {"gpu.json", "model.json", "ptps.json"};
    return i < sizeof names / sizeof *names ? names[i] : NULL;
}

enum llmsim_status cli_keep_catalogue(const struct cli_output *outputs, size_t n,
                                      const char *data_dir, const char *except,
                                      struct llmsim_error *err)
{
    char dir[LLMSIM_ERROR_FILE_MAX], path[LLMSIM_ERROR_FILE_MAX + 16];
    enum llmsim_status status = LLMSIM_OK;
    const char *name;
    if (llmsim_catalogue_find_dir(data_dir, dir, sizeof dir, NULL) != LLMSIM_OK)
        return LLMSIM_OK; /* who needs one says so */
    for (size_t i = 0; (name = cli_catalogue_file(i)) != NULL && status == LLMSIM_OK; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, name);
        if (except == NULL || strcmp(name, except) != 0)
            status = cli_keep_input(outputs, n, "the catalogue", path, err);
    }
    return status;
}

/* The directory that a path's last name is in, and that name. */
static bool find_place(const char *path, struct stat *dir, const char **name)
{
    const char *slash = strrchr(path, '/');
    *name = slash != NULL ? slash + 1 : path;
    char *parent = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    bool is_there = parent != NULL && stat(parent, dir) == 0;
    free(parent);
    return is_there;
}

static bool is_one_place(const char *a, const char *b)
{
    struct stat info_a, info_b;
    const char *name_a, *name_b;
    if (strcmp(a, "-") == 0 || strcmp(b, "-") == 0)
        return strcmp(a, b) == 0;
    bool has_a = stat(a, &info_a) == 0, has_b = stat(b, &info_b) == 0;
    if (has_a && has_b)
        return S_ISREG(info_a.st_mode) && is_same(&info_a, &info_b);
    return !has_a && !has_b && find_place(a, &info_a, &name_a) && find_place(b, &info_b, &name_b) &&
           is_same(&info_a, &info_b) && strcmp(name_a, name_b) == 0;
}

enum llmsim_status cli_keep_apart(const struct cli_output *outputs, size_t n,
                                  struct llmsim_error *err)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if (outputs[i].path != NULL && outputs[j].path != NULL &&
                is_one_place(outputs[i].path, outputs[j].path))
                return llmsim_fail_at(err, LLMSIM_IO, outputs[i].path, 0, 0,
                                      "is where %s goes, too; expected another place for %s",
                                      outputs[j].what, outputs[i].what);
    return LLMSIM_OK;
}

void cli_new_directories_init(struct cli_new_directories *dirs, const char *path)
{
    struct stat info;
    *dirs = (struct cli_new_directories){.path = strdup(path)};
    if (dirs->path == NULL)
        return; /* an empty directory may stay */
    size_t length = strlen(path);
    while (length > 0) {
        char kept = dirs->path[length];
        dirs->path[length] = '\0';
        bool is_there = stat(dirs->path, &info) == 0;
        dirs->path[length] = kept;
        if (is_there)
            break;
        while (length > 0 && dirs->path[--length] != '/') {
        }
    }
    dirs->n_old = length;
}

void cli_new_directories_remove(const struct cli_new_directories *dirs)
{
    for (size_t n = dirs->path != NULL ? strlen(dirs->path) : 0; n > dirs->n_old;) {
        dirs->path[n] = '\0';
        (void)rmdir(dirs->path); /* fails if there is something in it, or for a second slash */
        while (n > 0 && dirs->path[--n] != '/') {
        }
    }
}

void cli_new_directories_fini(struct cli_new_directories *dirs)
{
    free(dirs->path);
    dirs->path = NULL;
}
