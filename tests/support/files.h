/* files.h: files for tests: a scratch directory, single files, their bytes. */
#ifndef LLMSIM_TESTS_FILES_H
#define LLMSIM_TESTS_FILES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A new directory, in memory where the system has such a place. Not freed. */
static inline char *scratch_dir(void)
{
    char *path;
    if (asprintf(&path, "%s/llmsim-test-XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") < 0 ||
        mkdtemp(path) == NULL)
        abort();
    return path;
}

static inline void remove_dir(char *path)
{
    char command[512];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", path);
    if (system(command) != 0)
        abort();
    free(path);
}

/* A whole file, NUL-terminated, to be freed; NULL: there is none. */
static inline char *read_file(const char *path, size_t *length)
{
    FILE *f = fopen(path, "rb");
    *length = 0;
    if (f == NULL)
        return NULL;
    size_t used = 0, capacity = 1 << 16;
    char *text = malloc(capacity);
    for (size_t n; text != NULL && (n = fread(text + used, 1, capacity - used - 1, f)) > 0;) {
        used += n;
        if (capacity - used == 1)
            text = realloc(text, capacity *= 2);
    }
    if (text == NULL)
        abort();
    (void)fclose(f);
    text[used] = '\0';
    *length = used;
    return text;
}

static inline void write_file(const char *path, const void *bytes, size_t length)
{
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(bytes, 1, length, f) != length || fclose(f) != 0)
        abort();
}

/* A new file with these bytes. */
static inline char *temp_file(const void *bytes, size_t length)
{
    char *path = strdup("/tmp/llmsim-test-XXXXXX");
    int fd = path != NULL ? mkstemp(path) : -1;
    if (fd < 0)
        abort();
    (void)close(fd);
    write_file(path, bytes, length);
    return path;
}

static inline void remove_temp(char *path)
{
    (void)remove(path);
    free(path);
}

/* The same for DIR/NAME; length may be NULL. */
static inline char *read_text(const char *dir, const char *name, size_t *length)
{
    char path[512];
    size_t unused;
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return read_file(path, length != NULL ? length : &unused);
}

static inline void write_bytes(const char *dir, const char *name, const char *bytes, size_t length)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    write_file(path, bytes, length);
}

static inline void write_text(const char *dir, const char *name, const char *text)
{
    write_bytes(dir, name, text, strlen(text));
}

#endif
