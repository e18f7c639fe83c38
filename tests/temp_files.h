/* temp_files.h: files for tests, in /tmp. */
#ifndef LLMSIM_TESTS_TEMP_FILES_H
#define LLMSIM_TESTS_TEMP_FILES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A new directory, which the caller removes. */
static inline char *temp_dir(void)
{
    char *path = strdup("/tmp/llmsim-test-XXXXXX");
    if (path == NULL || mkdtemp(path) == NULL)
        abort();
    return path;
}

static inline void write_file(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(bytes, 1, n, f) != n || fclose(f) != 0)
        abort();
}

/* A new file with these bytes; the caller unlinks it and frees the path. */
static inline char *temp_file(const void *bytes, size_t n)
{
    char *path = strdup("/tmp/llmsim-test-XXXXXX");
    int fd = path != NULL ? mkstemp(path) : -1;
    if (fd < 0)
        abort();
    (void)close(fd);
    write_file(path, bytes, n);
    return path;
}

static inline void remove_temp(char *path)
{
    (void)remove(path);
    free(path);
}

/* The whole file, NUL-terminated, to be freed; NULL: there is none. */
static inline char *read_file(const char *path, size_t *n)
{
    struct stat info;
    FILE *f = fopen(path, "rb");
    *n = 0;
    if (f == NULL)
        return NULL;
    if (fstat(fileno(f), &info) != 0)
        abort();
    char *bytes = malloc((size_t)info.st_size + 1);
    if (bytes == NULL || fread(bytes, 1, (size_t)info.st_size, f) != (size_t)info.st_size)
        abort();
    bytes[info.st_size] = '\0';
    *n = (size_t)info.st_size;
    (void)fclose(f);
    return bytes;
}

#endif
