/* replay_corpus.c: runs a fuzz target over files and the files of directories, without libFuzzer.
 * usage: PROGRAM FILE_OR_DIRECTORY… */
#include <dirent.h>

#include "fuzz.h"

static unsigned n_run;

static void run_file(const char *path)
{
    struct stat info;
    FILE *f = fopen(path, "rb");
    EXPECT(f != NULL && fstat(fileno(f), &info) == 0);
    size_t size = (size_t)info.st_size;
    uint8_t *bytes = malloc(size + (size == 0)); /* its exact size, for the sanitizer */
    EXPECT(bytes != NULL && fread(bytes, 1, size, f) == size);
    (void)fclose(f);
    (void)fprintf(stderr, "%s\n", path);
    (void)LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    n_run++;
}

static void run(const char *path)
{
    DIR *dir = opendir(path);
    if (dir == NULL) {
        run_file(path);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char file[1024];
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        run(file);
    }
    (void)closedir(dir);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        run(argv[i]);
    (void)printf("%u inputs\n", n_run);
    return n_run > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
