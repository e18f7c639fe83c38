#include "manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fail_errno.h"
#include "grid.h"
#include "llmsim/version.h"
#include "output.h"
#include "sha256.h"

static void describe_settings(struct llmsim_json_document *manifest, const struct llmsim_grid *grid)
{
    struct cJSON *fixed = llmsim_json_add_object(manifest, manifest->root, "settings");
    struct cJSON *swept = llmsim_json_add_object(manifest, manifest->root, "swept");
    for (size_t i = 0; i < llmsim_grid_n_settings(grid); i++) {
        const char *name = llmsim_grid_name(grid, i);
        if (strcmp(name, "trace") == 0) /* described by what is in it, wherever it lies */
            continue;
        if (llmsim_grid_is_fixed(grid, i))
            llmsim_json_add_string(manifest, fixed, name, llmsim_grid_value(grid, 0, i));
        else
            llmsim_grid_describe_axis(grid, i, manifest, swept);
    }
}

void llmsim_manifest_describe(struct llmsim_json_document *manifest, const char *command,
                              const struct llmsim_grid *grid,
                              const struct llmsim_memory_trace *memory, const char *trace_name)
{
    const char *slash = strrchr(trace_name, '/');
    llmsim_json_add_string(manifest, manifest->root, "llmsim_version", LLMSIM_VERSION);
    llmsim_json_add_string(manifest, manifest->root, "command", command);
    struct cJSON *trace = llmsim_json_add_object(manifest, manifest->root, "trace");
    llmsim_json_add_string(manifest, trace, "name", slash != NULL ? slash + 1 : trace_name);
    llmsim_json_add_string(manifest, trace, "format", memory->status.format);
    if (memory->status.time_unit != NULL)
        llmsim_json_add_string(manifest, trace, "time_unit", memory->status.time_unit);
    llmsim_json_add_string(manifest, trace, "sha256", memory->status.sha256);
    describe_settings(manifest, grid);
}

static bool hash_file(FILE *f, char hex[static LLMSIM_SHA256_TEXT])
{
    unsigned char buffer[1 << 14];
    struct llmsim_sha256 sha;
    llmsim_sha256_init(&sha);
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, f)) > 0;)
        llmsim_sha256_update(&sha, buffer, n);
    llmsim_sha256_final(&sha, hex);
    return ferror(f) == 0;
}

enum llmsim_status llmsim_manifest_add_file(struct llmsim_json_document *manifest, const char *path,
                                            struct llmsim_error *err)
{
    struct stat info;
    char hex[LLMSIM_SHA256_TEXT];
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return LLMSIM_OK;
    FILE *f = fopen(path, "rb");
    bool good = f != NULL && hash_file(f, hex);
    int error_number = errno;
    if (f != NULL)
        (void)fclose(f);
    if (!good)
        return llmsim_fail_errno(err, path, "read", error_number);
    const char *slash = strrchr(path, '/');
    char name[LLMSIM_ERROR_FILE_MAX];
    (void)snprintf(name, sizeof name, "sha256 of %s", slash != NULL ? slash + 1 : path);
    llmsim_json_add_string(manifest, manifest->root, name, hex);
    return LLMSIM_OK;
}

static char *manifest_path(const char *dir)
{
    char *path;
    return asprintf(&path, "%s/manifest.json", dir) < 0 ? NULL : path;
}

enum llmsim_status llmsim_manifest_load(const char *dir, struct llmsim_json *manifest,
                                        struct llmsim_error *err)
{
    char *path = manifest_path(dir);
    if (path == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    enum llmsim_status status = llmsim_json_load(manifest, path, err);
    free(path);
    return status;
}

/* Is there a member of `a` that `b` lacks or has another value for? */
static const char *find_difference(const cJSON *a, const cJSON *b, const char *except)
{
    const cJSON *member;
    cJSON_ArrayForEach(member, a)
    {
        const cJSON *other = cJSON_GetObjectItemCaseSensitive(b, member->string);
        if (strcmp(member->string, except) != 0 && !cJSON_Compare(member, other, true))
            return member->string;
    }
    return NULL;
}

const char *llmsim_manifest_difference(const cJSON *a, const cJSON *b, const char *except)
{
    const char *difference = find_difference(a, b, except);
    return difference != NULL ? difference : find_difference(b, a, except);
}

static enum llmsim_status write_manifest(const char *path, const char *text,
                                         struct llmsim_error *err)
{
    struct llmsim_output out;
    enum llmsim_status status = llmsim_output_open(&out, path, LLMSIM_COMPRESS_NONE, err);
    if (status != LLMSIM_OK)
        return status;
    llmsim_output_text(&out, text);
    llmsim_output_text(&out, "\n");
    status = llmsim_output_finish(&out, err);
    if (status == LLMSIM_OK)
        status = llmsim_output_commit(&out, err);
    llmsim_output_close(&out);
    return status;
}

static enum llmsim_status compare(const char *path, const struct llmsim_json_document *manifest,
                                  struct llmsim_error *err)
{
    struct llmsim_json old;
    enum llmsim_status status = llmsim_json_load(&old, path, err);
    if (status != LLMSIM_OK)
        return status;
    const char *difference = llmsim_manifest_difference(manifest->root, old.root, "");
    if (difference != NULL)
        status = llmsim_fail_at(err, LLMSIM_USAGE, path, 0, 0,
                                "the directory is of another run: \"%s\" differs; expected the "
                                "same as then, or another --output",
                                difference);
    llmsim_json_fini(&old);
    return status;
}

enum llmsim_status llmsim_manifest_agree(const char *dir, struct llmsim_json_document *manifest,
                                         bool has_journal, struct llmsim_error *err)
{
    struct stat info;
    const char *text;
    enum llmsim_status status = llmsim_json_text(manifest, &text, err);
    if (status != LLMSIM_OK)
        return status;
    char *path = manifest_path(dir);
    if (path == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    if (stat(path, &info) == 0)
        status = compare(path, manifest, err);
    else if (errno != ENOENT)
        status = llmsim_fail_errno(err, path, "open", errno);
    else if (has_journal)
        status = llmsim_fail_at(err, LLMSIM_USAGE, path, 0, 0,
                                "is missing, but there is a file named journal, which may be "
                                "anybody's; expected both, or another --output");
    else
        status = write_manifest(path, text, err);
    free(path);
    return status;
}
