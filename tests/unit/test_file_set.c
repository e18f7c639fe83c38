/* Sets of files that change as one, and what stands in their way. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "directory.h"
#include "file_set.h"
#include "support/files.h"

static char *dir;
static struct llmsim_output outs[3];
static const char *const names[3] = {"a.csv", "b.csv", "seal.json"};

static char *path_of(const char *name)
{
    char *path;
    cr_assert(asprintf(&path, "%s/%s", dir, name) > 0);
    return path;
}

static void setup(void)
{
    dir = scratch_dir();
    for (size_t i = 0; i < 3; i++)
        write_text(dir, names[i], "old");
    write_text(dir, "stale.csv", "old");
}

static void teardown(void)
{
    remove_dir(dir);
}

TestSuite(file_set, .init = setup, .fini = teardown);

/* A directory named `blocked` comes in the way after the outputs are written; NULL: none. */
static enum llmsim_status commit(const char *blocked)
{
    struct llmsim_file_set set = {0};
    for (size_t i = 0; i < 3; i++) {
        char *path = path_of(names[i]);
        cr_assert(llmsim_output_open(&outs[i], path, LLMSIM_COMPRESS_NONE, NULL) == LLMSIM_OK);
        llmsim_output_text(&outs[i], "new");
        cr_assert(llmsim_output_finish(&outs[i], NULL) == LLMSIM_OK);
        cr_assert(llmsim_file_set_put(&set, &outs[i], NULL) == LLMSIM_OK);
        free(path);
    }
    char *path = path_of("stale.csv");
    cr_assert(llmsim_file_set_drop(&set, path, NULL) == LLMSIM_OK);
    free(path);
    if (blocked != NULL)
        cr_assert(unlink(blocked) == 0 && mkdir(blocked, 0700) == 0);
    enum llmsim_status status = llmsim_file_set_commit(&set, dir, NULL);
    cr_expect(set.kept == NULL);
    llmsim_file_set_fini(&set);
    for (size_t i = 0; i < 3; i++)
        llmsim_output_close(&outs[i]);
    return status;
}

static void expect_file(const char *name, const char *expected)
{
    char *text = read_text(dir, name, NULL);
    if (expected == NULL)
        cr_expect(text == NULL, "%s is there", name);
    else
        cr_expect(text != NULL && strcmp(text, expected) == 0, "%s: %s", name, text);
    free(text);
}

static void expect_no_unfinished(void)
{
    char command[600];
    (void)snprintf(command, sizeof command, "! ls -A %s | grep tmp", dir);
    cr_expect(system(command) == 0);
}

Test(file_set, all_at_once)
{
    cr_expect(commit(NULL) == LLMSIM_OK);
    for (size_t i = 0; i < 3; i++)
        expect_file(names[i], "new");
    expect_file("stale.csv", NULL);
    expect_no_unfinished();
}

Test(file_set, nothing_at_all)
{
    for (size_t i = 0; i < 3; i++) {
        char *path = path_of(names[i]);
        cr_expect(commit(path) == LLMSIM_IO);
        cr_assert(rmdir(path) == 0);
        for (size_t k = 0; k < 3; k++)
            expect_file(names[k], k == i ? NULL : "old");
        expect_file("stale.csv", "old");
        expect_no_unfinished();
        write_text(dir, names[i], "old");
        free(path);
    }
}

Test(file_set, a_directory_is_not_dropped)
{
    char *path = path_of("stale.csv");
    cr_expect(commit(path) == LLMSIM_OK);
    cr_expect(access(path, F_OK) == 0);
    free(path);
}
