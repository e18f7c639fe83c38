#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "fail_errno.h"

/* A power cut may cost what was finished since the last of these; a kill costs nothing. */
#define SECONDS_BETWEEN_SYNCS 1
#define MAX_PREFIX 64

static enum llmsim_status fail_errno(const struct llmsim_journal *j, const char *what,
                                     struct llmsim_error *err)
{
    return llmsim_fail_errno(err, j->path, what, errno);
}

static uint32_t checksum(uint64_t point, unsigned status, const char *row, size_t length)
{
    char prefix[MAX_PREFIX];
    int n = snprintf(prefix, sizeof prefix, "%" PRIu64 " %u ", point, status);
    uLong crc = crc32(0, (const unsigned char *)prefix, (uInt)n);
    return (uint32_t)crc32(crc, (const unsigned char *)row, (uInt)length);
}

/* A number and the blank behind it; false: it is none. */
static bool read_number(const char **p, int base, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull(*p, &end, base);
    bool good = errno == 0 && end != *p && *end == ' ';
    *p = good ? end + 1 : *p;
    return good;
}

/* One line, its '\n' replaced by NUL. Points that failed for want of memory or of a disk are not
 * kept: another time they may do well. */
static bool read_line(struct llmsim_journal *j, const char *line, size_t length, uint64_t end)
{
    uint64_t point, status, crc;
    const char *row = line;
    if (!read_number(&row, 10, &point) || !read_number(&row, 10, &status) ||
        !read_number(&row, 16, &crc) || point >= j->n_points || status > UINT8_MAX)
        return false;
    size_t row_length = length - (size_t)(row - line);
    if (checksum(point, (unsigned)status, row, row_length) != crc)
        return false;
    j->ends[point] = status == LLMSIM_RUN_FAILED || status == LLMSIM_IO ? 0 : end;
    j->lengths[point] = (uint32_t)row_length;
    j->statuses[point] = (unsigned char)status;
    return true;
}

/* All whole lines; j->length is then the end of the last. A bad one, from a disk that has lied, is
 * passed over: its point is done again. *n_good counts the others. */
static enum llmsim_status read_lines(struct llmsim_journal *j, FILE *f, uint64_t *n_good,
                                     struct llmsim_error *err)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t n;
    errno = 0;
    while ((n = getline(&line, &capacity, f)) > 0 && line[n - 1] == '\n') {
        line[n - 1] = '\0';
        j->length += (uint64_t)n;
        *n_good += read_line(j, line, (size_t)n - 1, j->length);
    }
    free(line);
    if (feof(f) != 0) /* getline says the same where memory ends */
        return LLMSIM_OK;
    return errno == ENOMEM ? llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory")
                           : fail_errno(j, "read", err);
}

static enum llmsim_status cut_torn_line(const struct llmsim_journal *j, struct llmsim_error *err)
{
    struct stat info;
    if (fstat(j->fd, &info) != 0)
        return fail_errno(j, "read", err);
    if ((uint64_t)info.st_size > j->length && ftruncate(j->fd, (off_t)j->length) != 0)
        return fail_errno(j, "truncate", err);
    return LLMSIM_OK;
}

enum llmsim_status llmsim_journal_read(struct llmsim_journal *journal, struct llmsim_error *err)
{
    uint64_t n_good = 0;
    int fd = fcntl(journal->fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (f == NULL) {
        enum llmsim_status status = fail_errno(journal, "read", err);
        if (fd >= 0)
            (void)close(fd);
        return status;
    }
    enum llmsim_status status = read_lines(journal, f, &n_good, err);
    (void)fclose(f);
    if (status == LLMSIM_OK && journal->length > 0 && n_good == 0)
        status = llmsim_fail_at(err, LLMSIM_IO, journal->path, 0, 0,
                                "is no journal of this sweep; expected another --output");
    return status == LLMSIM_OK && !journal->reads_only ? cut_torn_line(journal, err) : status;
}

static enum llmsim_status init(struct llmsim_journal *j, const char *dir, uint64_t n_points,
                               struct llmsim_error *err)
{
    *j = (struct llmsim_journal){.fd = -1, .n_points = n_points};
    if (asprintf(&j->path, "%s/journal", dir) < 0)
        j->path = NULL;
    j->ends = calloc(n_points, sizeof *j->ends);
    j->lengths = calloc(n_points, sizeof *j->lengths);
    j->statuses = calloc(n_points, sizeof *j->statuses);
    if (j->path != NULL && j->ends != NULL && j->lengths != NULL && j->statuses != NULL)
        return LLMSIM_OK;
    llmsim_journal_close(j);
    return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory for %" PRIu64 " points", n_points);
}

/* Alone to add to it; with others to read it, which needs no lock where there are none. */
static enum llmsim_status lock(const struct llmsim_journal *j, struct llmsim_error *err)
{
    if (flock(j->fd, (j->reads_only ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0)
        return LLMSIM_OK;
    if (errno == EWOULDBLOCK)
        return llmsim_fail_at(err, LLMSIM_IO, j->path, 0, 0,
                              "another sweep is at work here; expected to be alone in the "
                              "directory (shards take one each)");
    return j->reads_only ? LLMSIM_OK : fail_errno(j, "lock", err);
}

static enum llmsim_status check_kind(const struct llmsim_journal *j, struct llmsim_error *err)
{
    struct stat info;
    if (fstat(j->fd, &info) != 0)
        return fail_errno(j, "open", err);
    if (S_ISREG(info.st_mode))
        return LLMSIM_OK;
    return llmsim_fail_at(err, LLMSIM_IO, j->path, 0, 0,
                          "is no regular file; expected another --output");
}

/* A link could lead to anything that is then written to, and a pipe would wait. */
static enum llmsim_status open_file(struct llmsim_journal *j, int flags, struct llmsim_error *err)
{
    if (!j->reads_only)
        flags |= O_NOFOLLOW;
    j->fd = open(j->path, flags | O_CLOEXEC | O_NONBLOCK, 0666);
    if (j->fd < 0 && errno == ELOOP)
        return llmsim_fail_at(err, LLMSIM_IO, j->path, 0, 0,
                              "is a symbolic link; expected a journal, or another --output");
    if (j->fd < 0)
        return fail_errno(j, "open", err);
    enum llmsim_status status = check_kind(j, err);
    return status == LLMSIM_OK ? lock(j, err) : status;
}

enum llmsim_status llmsim_journal_open(struct llmsim_journal *journal, const char *dir,
                                       uint64_t n_points, bool reads_only, bool *found,
                                       struct llmsim_error *err)
{
    struct stat info;
    enum llmsim_status status = init(journal, dir, n_points, err);
    *found = false;
    if (status != LLMSIM_OK)
        return status;
    journal->reads_only = reads_only;
    *found = lstat(journal->path, &info) == 0 || errno != ENOENT;
    if (*found)
        status = open_file(journal, reads_only ? O_RDONLY : O_RDWR | O_APPEND, err);
    if (!*found || status != LLMSIM_OK)
        llmsim_journal_close(journal);
    return status;
}

enum llmsim_status llmsim_journal_make(struct llmsim_journal *journal, const char *dir,
                                       uint64_t n_points, struct llmsim_error *err)
{
    enum llmsim_status status = init(journal, dir, n_points, err);
    if (status != LLMSIM_OK)
        return status;
    status = open_file(journal, O_RDWR | O_APPEND | O_CREAT | O_EXCL, err);
    if (status != LLMSIM_OK)
        llmsim_journal_close(journal);
    return status;
}

void llmsim_journal_close(struct llmsim_journal *journal)
{
    if (journal->fd >= 0 && !journal->reads_only)
        (void)fdatasync(journal->fd);
    if (journal->fd >= 0)
        (void)close(journal->fd);
    free(journal->path);
    free(journal->ends);
    free(journal->lengths);
    free(journal->statuses);
    *journal = (struct llmsim_journal){.fd = -1};
}

/* false: errno says why. What was written of the line is taken back. */
static bool append(struct llmsim_journal *j, const char *line, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t written = write(j->fd, line + done, n - done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            int error_number = errno;
            (void)ftruncate(j->fd, (off_t)j->length);
            errno = error_number;
            return false;
        }
        done += (size_t)written;
    }
    j->length += n;
    return true;
}

static void sync_now_and_then(struct llmsim_journal *j)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec - j->last_sync.tv_sec < SECONDS_BETWEEN_SYNCS)
        return;
    j->last_sync = now;
    (void)fdatasync(j->fd);
}

enum llmsim_status llmsim_journal_add(struct llmsim_journal *journal, uint64_t point,
                                      enum llmsim_status status, const char *row,
                                      struct llmsim_error *err)
{
    char *line;
    size_t length = strlen(row);
    int n = asprintf(&line, "%" PRIu64 " %u %08" PRIx32 " %s\n", point, (unsigned)status,
                     checksum(point, (unsigned)status, row, length), row);
    if (n < 0)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    bool good = append(journal, line, (size_t)n);
    free(line);
    if (!good)
        return fail_errno(journal, "write", err);
    journal->ends[point] = journal->length;
    journal->lengths[point] = (uint32_t)length;
    journal->statuses[point] = (unsigned char)status;
    sync_now_and_then(journal);
    return LLMSIM_OK;
}

enum llmsim_status llmsim_journal_row(const struct llmsim_journal *journal, uint64_t point,
                                      char **row, size_t *capacity, struct llmsim_error *err)
{
    size_t length = journal->lengths[point], done = 0;
    off_t begin = (off_t)(journal->ends[point] - 1 - length);
    if (length + 1 > *capacity) {
        char *larger = realloc(*row, 2 * length + 1);
        if (larger == NULL)
            return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
        *row = larger;
        *capacity = 2 * length + 1;
    }
    while (done < length) {
        ssize_t n = pread(journal->fd, *row + done, length - done, begin + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0
                       ? fail_errno(journal, "read", err)
                       : llmsim_fail_at(err, LLMSIM_IO, journal->path, 0, 0, "has become shorter");
        done += (size_t)n;
    }
    (*row)[length] = '\0';
    return LLMSIM_OK;
}
