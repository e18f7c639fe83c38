/* The packing and unpacking threads: data through both, readers that leave early, writers that
 * meet a full disk, a producer that never says another word. For ThreadSanitizer and for ASan. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "input.h"
#include "output.h"
#include "support/files.h"

static void require(bool good, const char *what)
{
    if (good)
        return;
    (void)fprintf(stderr, "failed: %s\n", what);
    exit(1);
}

static void write_numbers(const char *path, uint32_t n, struct llmsim_output *out)
{
    require(llmsim_output_open(out, path, LLMSIM_COMPRESS_ZSTD, NULL) == LLMSIM_OK, "open");
    for (uint32_t i = 0; i < n; i++) {
        char *p = llmsim_output_room(out, 4);
        memcpy(p, &i, 4);
        llmsim_output_advance(out, p + 4);
        if (i % 100000 == 0)
            require(llmsim_output_check(out, NULL) == LLMSIM_OK || path[1] == 'd', "check");
    }
}

static void round_trip(const char *path)
{
    struct llmsim_output out;
    struct llmsim_input *in;
    uint32_t n = 2000000, expected = 0;
    write_numbers(path, n, &out);
    require(llmsim_output_commit(&out, NULL) == LLMSIM_OK, "commit");
    llmsim_output_close(&out);

    require(llmsim_input_open(path, &in, NULL) == LLMSIM_OK, "open what was written");
    for (size_t n_read = 1; n_read > 0;) {
        uint32_t numbers[1000];
        size_t filled = 0;
        do { /* whole numbers, though reads may end anywhere */
            require(llmsim_input_read(in, (char *)numbers + filled, sizeof numbers - filled,
                                      &n_read, NULL) == LLMSIM_OK,
                    "read");
            filled += n_read;
        } while (n_read > 0 && filled < sizeof numbers);
        for (size_t i = 0; i < filled / 4; i++)
            require(numbers[i] == expected++, "the same numbers");
        require(llmsim_input_position(in) > 0, "position");
    }
    require(expected == n, "all numbers");
    llmsim_input_close(in);
}

static void leave_early(const char *path)
{
    for (int n_reads = 0; n_reads < 20; n_reads++) {
        struct llmsim_input *in;
        char bytes[5000];
        size_t n;
        require(llmsim_input_open(path, &in, NULL) == LLMSIM_OK, "open to leave early");
        for (int i = 0; i < n_reads; i++)
            require(llmsim_input_read(in, bytes, sizeof bytes, &n, NULL) == LLMSIM_OK, "read");
        llmsim_input_close(in);
    }
}

static void full_disk(void)
{
    struct llmsim_output out;
    write_numbers("/dev/full", 3000000, &out);
    require(llmsim_output_commit(&out, NULL) == LLMSIM_IO, "a full disk is an error");
    llmsim_output_close(&out);
}

static void abandon(const char *path)
{
    struct llmsim_output out;
    write_numbers(path, 300000, &out);
    llmsim_output_close(&out);
}

static void ignore_alarm(int signal_number)
{
    (void)signal_number;
}

/* A signal ends the wait, as it ends a read. */
static void read_until_interrupted(struct llmsim_input *in)
{
    struct sigaction action = {.sa_handler = ignore_alarm}, before;
    struct itimerval often = {{0, 10000}, {0, 10000}}, never = {0};
    enum llmsim_status status = LLMSIM_OK;
    char bytes[5000];
    size_t n = 1;
    require(sigaction(SIGALRM, &action, &before) == 0, "handler");
    require(setitimer(ITIMER_REAL, &often, NULL) == 0, "timer");
    while (status == LLMSIM_OK && n > 0)
        status = llmsim_input_read(in, bytes, sizeof bytes, &n, NULL);
    require(setitimer(ITIMER_REAL, &never, NULL) == 0, "timer off");
    require(sigaction(SIGALRM, &before, NULL) == 0, "no handler");
    require(status == LLMSIM_INTERRUPTED, "a signal ends the wait");
}

/* The thread waits in read; close has to wake it. */
static void silent_pipe(const char *packed_path)
{
    char fifo[] = "/tmp/llmsim-test-fifo-XXXXXX";
    size_t n_packed;
    struct llmsim_input *in;
    require(mkdtemp(fifo) != NULL && rmdir(fifo) == 0 && mkfifo(fifo, 0600) == 0, "fifo");
    int writer = open(fifo, O_RDWR);
    char *packed = read_file(packed_path, &n_packed);
    require(writer >= 0 && packed != NULL && n_packed > 30000, "something to write");
    require(write(writer, packed, 30000) == 30000, "write");
    require(llmsim_input_open(fifo, &in, NULL) == LLMSIM_OK, "open the fifo");
    (void)unlink(fifo);
    read_until_interrupted(in);
    llmsim_input_close(in);
    (void)close(writer);
    free(packed);
}

int main(void)
{
    char *path = temp_file("", 0);
    round_trip(path);
    leave_early(path);
    silent_pipe(path);
    full_disk();
    abandon(path);
    remove_temp(path);
    (void)printf("ok\n");
    return 0;
}
