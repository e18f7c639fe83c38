/* files.h: a scratch directory, and files as texts. */
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

/* DIR/NAME whole, NUL-terminated; NULL if it is not there. The caller frees it. */
static inline char *read_text(const char *dir, const char *name, size_t *length)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    if (length != NULL)
        *length = 0;
    FILE *f = fopen(path, "rb");
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
    if (length != NULL)
        *length = used;
    return text;
}

/* Make DIR/NAME of `length` bytes. */
static inline void write_bytes(const char *dir, const char *name, const char *bytes, size_t length)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(bytes, 1, length, f) != length || fclose(f) != 0)
        abort();
}

static inline void write_text(const char *dir, const char *name, const char *text)
{
    write_bytes(dir, name, text, strlen(text));
}

#endif
