/* Files that get their name when they are complete, and the errors on the way. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "input.h"
#include "output.h"
#include "support/files.h"

static char *dir;
static char path[256];

static void setup(void)
{
    dir = scratch_dir();
    (void)snprintf(path, sizeof path, "%s/out.csv", dir);
    (void)signal(SIGPIPE, SIG_IGN);
}

static void teardown(void)
{
    (void)unlink(path);
    cr_expect(rmdir(dir) == 0, "a temporary file is left");
    free(dir);
}

TestSuite(output, .init = setup, .fini = teardown);

static void expect_bytes(const char *file, const char *expected, size_t n_expected)
{
    size_t n = 0;
    char *bytes = read_file(file, &n);
    cr_assert(bytes != NULL, "%s is missing", file);
    cr_expect(n == n_expected && memcmp(bytes, expected, n) == 0, "%zu bytes", n);
    free(bytes);
}

/* How many files the directory has. */
static int count_files(void)
{
    char command[300];
    (void)snprintf(command, sizeof command, "ls -A %s | wc -l", dir);
    FILE *f = popen(command, "r");
    int n = -1;
    cr_assert(f != NULL && fscanf(f, "%d", &n) == 1);
    (void)pclose(f);
    return n;
}

Test(output, a_file_has_its_name_only_after_commit)
{
    struct llmsim_output out;
    cr_assert(llmsim_output_open(&out, path, LLMSIM_COMPRESS_NONE, NULL) == LLMSIM_OK);
    llmsim_output_text(&out, "a,b\n");
    llmsim_output_flush(&out);
    char *p = llmsim_output_room(&out, 10);
    memcpy(p, "1,2\n", 4);
    llmsim_output_advance(&out, p + 4);
    cr_expect(access(path, F_OK) != 0);
    cr_expect(llmsim_output_finish(&out, NULL) == LLMSIM_OK);
    cr_expect(access(path, F_OK) != 0);
    cr_expect(llmsim_output_commit(&out, NULL) == LLMSIM_OK);
    llmsim_output_close(&out);
    expect_bytes(path, "a,b\n1,2\n", 8);
    cr_expect(count_files() == 1);
}

Test(output, what_is_not_committed_is_removed)
{
    struct llmsim_output out;
    write_file(path, "old", 3);
    cr_assert(llmsim_output_open(&out, path, LLMSIM_COMPRESS_NONE, NULL) == LLMSIM_OK);
    llmsim_output_text(&out, "new");
    llmsim_output_close(&out);
    expect_bytes(path, "old", 3);
    cr_expect(count_files() == 1);
    llmsim_output_close(&out);                       /* again: fine */
    llmsim_output_close(&(struct llmsim_output){0}); /* zeroed: fine */
}

Test(output, more_than_the_buffer)
{
    struct llmsim_output out;
    size_t n = 3000000;
    char *bytes = malloc(n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)('a' + i % 23);
    cr_assert(llmsim_output_open(&out, path, LLMSIM_COMPRESS_NONE, NULL) == LLMSIM_OK);
    llmsim_output_bytes(&out, bytes, 10);
    llmsim_output_bytes(&out, bytes + 10, n - 10);
    cr_expect(llmsim_output_commit(&out, NULL) == LLMSIM_OK);
    llmsim_output_close(&out);
    expect_bytes(path, bytes, n);
    free(bytes);
}

Test(output, a_symbolic_link_stays_one)
{
    char link[256];
    struct llmsim_output out;
    (void)snprintf(link, sizeof link, "%s/link", dir);
    write_file(path, "old", 3);
    cr_assert(symlink(path, link) == 0);
    cr_assert(llmsim_output_open(&out, link, LLMSIM_COMPRESS_NONE, NULL) == LLMSIM_OK);
    llmsim_output_text(&out, "new");
    cr_expect(llmsim_output_commit(&out, NULL) == LLMSIM_OK);
    llmsim_output_close(&out);
    char target[256];
    cr_expect(readlink(link, target, sizeof target) > 0);
    expect_bytes(path, "new", 3);
    (void)unlink(link);
}

Test(output, a_directory_that_is_not_there)
{
    struct llmsim_output out;
    struct llmsim_error err;
    char text[700];
    cr_expect(llmsim_output_open(&out, "/nonexistent/x.csv", LLMSIM_COMPRESS_NONE, &err) ==
              LLMSIM_IO);
    llmsim_error_format(&err, text, sizeof text);
    cr_expect_str_eq(text,
                     "/nonexistent/x.csv: cannot open for writing: No such file or directory");
    llmsim_output_close(&out);
}

static void fill(struct llmsim_output *out, size_t n)
{
    char line[64];
    memset(line, 'x', sizeof line);
    for (size_t i = 0; i < n; i += sizeof line) {
        line[0] = (char)(i >> 6); /* not so regular that zstd makes nothing of it */
        line[1] = (char)(i * 2654435761u >> 20);
        llmsim_output_bytes(out, line, sizeof line);
    }
}

/* The error is kept until somebody asks, and reported with the file's name. */
Test(output, a_full_disk)
{
    for (int compression = 0; compression < 2; compression++) {
        struct llmsim_output out;
        struct llmsim_error err;
        char text[700];
        cr_assert(llmsim_output_open(&out, "/dev/full", (enum llmsim_compression)compression,
                                     &err) == LLMSIM_OK);
        cr_expect(out.temporary.path == NULL, "a device is written in place");
        fill(&out, 20000000);
        cr_expect(compression == LLMSIM_COMPRESS_ZSTD ||
                  llmsim_output_check(&out, &err) == LLMSIM_IO);
        cr_expect(llmsim_output_finish(&out, &err) == LLMSIM_IO);
        llmsim_error_format(&err, text, sizeof text);
        cr_expect_str_eq(text, "/dev/full: cannot write: No space left on device");
        cr_expect(llmsim_output_commit(&out, &err) == LLMSIM_IO);
        llmsim_output_close(&out);
    }
}

Test(output, a_disk_that_fills_only_at_the_end)
{
    struct llmsim_output out;
    cr_assert(llmsim_output_open(&out, "/dev/full", LLMSIM_COMPRESS_NONE, NULL) == LLMSIM_OK);
    llmsim_output_text(&out, "x");
    cr_expect(llmsim_output_check(&out, NULL) == LLMSIM_OK);
    cr_expect(llmsim_output_commit(&out, NULL) == LLMSIM_IO);
    llmsim_output_close(&out);
}

Test(output, a_closed_pipe)
{
    char fifo[256];
    struct llmsim_output out;
    struct llmsim_error err;
    char text[700], expected[400];
    (void)snprintf(fifo, sizeof fifo, "%s/fifo", dir);
    cr_assert(mkfifo(fifo, 0600) == 0);
    int reader = open(fifo, O_RDONLY | O_NONBLOCK);
    cr_assert(llmsim_output_open(&out, fifo, LLMSIM_COMPRESS_NONE, &err) == LLMSIM_OK);
    cr_expect(out.temporary.path == NULL, "a pipe is written in place");
    (void)close(reader);
    fill(&out, 1000000);
    cr_expect(llmsim_output_commit(&out, &err) == LLMSIM_IO);
    llmsim_error_format(&err, text, sizeof text);
    (void)snprintf(expected, sizeof expected, "%s: cannot write: Broken pipe", fifo);
    cr_expect_str_eq(text, expected);
    llmsim_output_close(&out);
    (void)unlink(fifo);
}

static void write_packed(const char *file, size_t n, size_t flush_every)
{
    struct llmsim_output out;
    cr_assert(llmsim_output_open(&out, file, LLMSIM_COMPRESS_ZSTD, NULL) == LLMSIM_OK);
    for (size_t i = 0; i < n; i++) {
        char *p = llmsim_output_room(&out, 64);
        int length = sprintf(p, "%zu,%zu,0.%09zu\n", i, i * i % 1000, i * 7919 % 1000000000);
        llmsim_output_advance(&out, p + length);
        if (flush_every > 0 && i % flush_every == 0)
            llmsim_output_flush(&out);
    }
    cr_expect(llmsim_output_commit(&out, NULL) == LLMSIM_OK);
    llmsim_output_close(&out);
}

/* zstd's own program must be able to read it; twice the same bytes. */
Test(output, zstd)
{
    size_t n_first, n_second, n_read, n_all = 0;
    write_packed(path, 200000, 0);
    char *first = read_file(path, &n_first);
    write_packed(path, 200000, 0);
    char *second = read_file(path, &n_second);
    cr_expect(n_first == n_second && memcmp(first, second, n_first) == 0);
    free(first);
    free(second);

    struct llmsim_input *in;
    char *bytes = malloc(10000000);
    cr_assert(llmsim_input_open(path, &in, NULL) == LLMSIM_OK);
    do {
        cr_assert(llmsim_input_read(in, bytes + n_all, 100000, &n_read, NULL) == LLMSIM_OK);
        n_all += n_read;
    } while (n_read > 0);
    cr_expect(n_all > n_first);
    llmsim_input_close(in);
    char *p = bytes;
    for (size_t i = 0; i < 200000; i++) {
        char line[64];
        int length = sprintf(line, "%zu,%zu,0.%09zu\n", i, i * i % 1000, i * 7919 % 1000000000);
        cr_assert(memcmp(p, line, (size_t)length) == 0, "line %zu", i);
        p += length;
    }
    cr_expect(p == bytes + n_all);
    free(bytes);
}

Test(output, zstd_of_nothing_and_of_many_small_pieces)
{
    struct llmsim_input *in;
    char bytes[64];
    size_t n;
    write_packed(path, 0, 0);
    cr_assert(llmsim_input_open(path, &in, NULL) == LLMSIM_OK);
    cr_expect(llmsim_input_read(in, bytes, sizeof bytes, &n, NULL) == LLMSIM_OK && n == 0);
    llmsim_input_close(in);
    write_packed(path, 5000, 1);
    cr_assert(llmsim_input_open(path, &in, NULL) == LLMSIM_OK);
    cr_expect(llmsim_input_read(in, bytes, 14, &n, NULL) == LLMSIM_OK);
    cr_expect(n == 14 && memcmp(bytes, "0,0,0.00000000", 14) == 0);
    llmsim_input_close(in); /* with the thread still at work */
}

/* "-" is stdout, and stays open. */
Test(output, standard_output)
{
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int fd = open(path, O_WRONLY | O_CREAT, 0600);
        struct llmsim_output out;
        if (dup2(fd, STDOUT_FILENO) < 0 ||
            llmsim_output_open(&out, "-", LLMSIM_COMPRESS_NONE, NULL) != LLMSIM_OK)
            _exit(1);
        llmsim_output_text(&out, "hello ");
        if (llmsim_output_commit(&out, NULL) != LLMSIM_OK)
            _exit(2);
        llmsim_output_close(&out);
        _exit(write(STDOUT_FILENO, "again", 5) == 5 ? 0 : 3);
    }
    int status;
    cr_assert(waitpid(child, &status, 0) == child && status == 0, "status %d", status);
    expect_bytes(path, "hello again", 11);
}

/* A file that gets stdout's number is a file all the same, and is closed. */
Test(output, without_a_standard_output)
{
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct llmsim_output out;
        (void)close(STDOUT_FILENO);
        if (llmsim_output_open(&out, path, LLMSIM_COMPRESS_NONE, NULL) != LLMSIM_OK)
            _exit(1);
        llmsim_output_text(&out, "hello");
        if (out.fd != STDOUT_FILENO || llmsim_output_commit(&out, NULL) != LLMSIM_OK)
            _exit(2);
        llmsim_output_close(&out);
        _exit(write(STDOUT_FILENO, "again", 5) == -1 ? 0 : 3);
    }
    int status;
    cr_assert(waitpid(child, &status, 0) == child && status == 0, "status %d", status);
    expect_bytes(path, "hello", 5);
}

static void temporary_name(char name[static 300], int n)
{
    (void)snprintf(name, 300, "%s.tmp.llmsim.%d", path, n);
}

static void commit_text(const char *text)
{
    struct llmsim_output out;
    cr_assert(llmsim_output_open(&out, path, LLMSIM_COMPRESS_NONE, NULL) == LLMSIM_OK);
    llmsim_output_text(&out, text);
    cr_expect(llmsim_output_commit(&out, NULL) == LLMSIM_OK);
    llmsim_output_close(&out);
    expect_bytes(path, text, strlen(text));
}

/* Unfinished files: one that is locked is somebody's at work; links and directories are nobody's.
 */
Test(output, temporary_names_that_are_taken)
{
    char names[4][300], victim[300];
    for (int n = 0; n < 4; n++)
        temporary_name(names[n], n);
    (void)snprintf(victim, sizeof victim, "%s.victim", path);
    write_file(victim, "victim", 6);
    write_file(names[0], "theirs", 6);
    int lock = open(names[0], O_RDONLY);
    cr_assert(flock(lock, LOCK_EX) == 0);
    cr_assert(symlink(victim, names[1]) == 0 && mkdir(names[2], 0700) == 0);
    commit_text("ours");
    expect_bytes(names[0], "theirs", 6);
    expect_bytes(victim, "victim", 6);
    cr_expect(count_files() == 5);
    (void)close(lock);
    (void)unlink(names[1]);
    (void)rmdir(names[2]);
    (void)unlink(victim);
    commit_text("ours");
    cr_expect(count_files() == 1, "an unlocked one is removed");
}

/* Two outputs of one process to one path, and what a killed run has left between them. */
Test(output, the_lock_is_there_until_the_file_has_its_name)
{
    char name[300];
    struct llmsim_output first, second;
    temporary_name(name, 1);
    cr_assert(llmsim_output_open(&first, path, LLMSIM_COMPRESS_NONE, NULL) == LLMSIM_OK);
    write_file(name, "left", 4);
    llmsim_output_text(&first, "first");
    cr_assert(llmsim_output_finish(&first, NULL) == LLMSIM_OK);
    cr_assert(llmsim_output_open(&second, path, LLMSIM_COMPRESS_NONE, NULL) == LLMSIM_OK);
    llmsim_output_text(&second, "second");
    cr_expect(count_files() == 2);
    cr_expect(llmsim_output_commit(&first, NULL) == LLMSIM_OK);
    expect_bytes(path, "first", 5);
    cr_expect(llmsim_output_commit(&second, NULL) == LLMSIM_OK);
    expect_bytes(path, "second", 6);
    llmsim_output_close(&first);
    llmsim_output_close(&second);
    cr_expect(count_files() == 1);
}

Test(output, a_replaced_file_keeps_its_mode)
{
    static const mode_t modes[] = {0600, 0640, 0444, 0777};
    struct stat info;
    mode_t mask = umask(027);
    commit_text("new");
    cr_assert(stat(path, &info) == 0);
    cr_expect((info.st_mode & 0777) == 0640, "%o", info.st_mode);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        cr_assert(chmod(path, modes[i]) == 0);
        commit_text("newer");
        cr_assert(stat(path, &info) == 0);
        cr_expect((info.st_mode & 0777) == modes[i], "%o", info.st_mode);
    }
    (void)umask(mask);
}

Test(output, is_at)
{
    char other[256], detour[256], link[256];
    struct llmsim_output out, second;
    (void)snprintf(other, sizeof other, "%s/other.csv", dir);
    (void)snprintf(detour, sizeof detour, "%s/../%s/./out.csv", dir, strrchr(dir, '/') + 1);
    (void)snprintf(link, sizeof link, "%s/link", dir);
    write_file(path, "", 0);
    cr_assert(symlink(path, link) == 0);
    cr_assert(llmsim_output_open(&out, path, LLMSIM_COMPRESS_NONE, NULL) == LLMSIM_OK);
    cr_assert(llmsim_output_open(&second, other, LLMSIM_COMPRESS_NONE, NULL) == LLMSIM_OK);
    cr_expect(llmsim_output_is_at(&out, path));
    cr_expect(llmsim_output_is_at(&out, detour));
    cr_expect(llmsim_output_is_at(&out, link));
    cr_expect(!llmsim_output_is_at(&out, other));
    cr_expect(!llmsim_output_is_at(&second, path));
    llmsim_output_close(&second);
    llmsim_output_close(&out);
    cr_assert(llmsim_output_open(&out, "/dev/null", LLMSIM_COMPRESS_NONE, NULL) == LLMSIM_OK);
    cr_expect(!llmsim_output_is_at(&out, "/dev/null"), "it is not renamed");
    llmsim_output_close(&out);
    (void)unlink(link);
}
