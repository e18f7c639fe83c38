/* fuzz.h: what the fuzz targets share.
 *
 * A target is a file with one function, LLVMFuzzerTestOneInput, which libFuzzer calls with bytes
 * that it has made up (preset fuzz) and replay_corpus.c with the files of the corpus (ctest). It
 * aborts where a property does not hold; the sanitizers see the rest. */
#ifndef LLMSIM_TESTS_FUZZ_H
#define LLMSIM_TESTS_FUZZ_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "llmsim/llmsim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Settings that come before the text of a file in an input. */
struct fuzz_input {
    const uint8_t *data;
    size_t size;
};

static inline uint8_t fuzz_byte(struct fuzz_input *in)
{
    if (in->size == 0)
        return 0;
    in->size--;
    return *in->data++;
}

static inline void fuzz_write_fd(int fd, const void *bytes, size_t size)
{
    EXPECT(ftruncate(fd, 0) == 0);
    EXPECT(pwrite(fd, bytes, size, 0) == (ssize_t)size);
}

/* A file with these bytes, in memory: its path, valid until the next call with this `slot`. */
#define FUZZ_SLOTS 2
static inline const char *fuzz_file(unsigned slot, const void *bytes, size_t size)
{
    static int fds[FUZZ_SLOTS];
    static char paths[FUZZ_SLOTS][32];
    if (fds[slot] == 0) {
        fds[slot] = memfd_create("fuzz", MFD_CLOEXEC);
        EXPECT(fds[slot] > 0);
        (void)snprintf(paths[slot], sizeof paths[slot], "/proc/self/fd/%d", fds[slot]);
    }
    fuzz_write_fd(fds[slot], bytes, size);
    return paths[slot];
}

/* Directories of the process, in memory where the system has such a place. They go when it ends
 * well; after a finding they stay. */
#define FUZZ_DIRS 2
static char fuzz_dirs[FUZZ_DIRS][64];

static inline void fuzz_remove_dirs(void)
{
    char command[160];
    for (size_t i = 0; i < FUZZ_DIRS; i++) {
        (void)snprintf(command, sizeof command, "rm -rf '%s'", fuzz_dirs[i]);
        if (fuzz_dirs[i][0] != '\0' && system(command) != 0)
            (void)fprintf(stderr, "%s failed\n", command);
    }
}

static inline const char *fuzz_dir(size_t i)
{
    if (fuzz_dirs[i][0] == '\0') {
        const char *place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        (void)snprintf(fuzz_dirs[i], sizeof fuzz_dirs[i], "%s/llmsim-fuzz-XXXXXX", place);
        EXPECT(mkdtemp(fuzz_dirs[i]) != NULL);
        if (i == 0)
            (void)atexit(fuzz_remove_dirs);
    }
    return fuzz_dirs[i];
}

static inline const char *fuzz_path(const char *dir, const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static inline void fuzz_put(const char *dir, const char *name, const void *bytes, size_t size)
{
    int fd = open(fuzz_path(dir, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    EXPECT(fd >= 0);
    fuzz_write_fd(fd, bytes, size);
    (void)close(fd);
}

/* An error says what is wrong, in one line of text without control characters. */
static inline void fuzz_check_error(enum llmsim_status status, const struct llmsim_error *err)
{
    EXPECT(status == err->status);
    EXPECT(status != LLMSIM_INTERNAL);
    EXPECT(err->message[0] != '\0');
    for (const unsigned char *c = (const unsigned char *)err->message; *c != '\0'; c++)
        EXPECT(*c >= ' ' && *c != 0x7f);
}

#endif
