/* faults.c: preloaded into llmsim, it lets one call that changes the file system kill the process
 * or fail, or takes locks away.
 *
 *   LLMSIM_FAULT_KILL_AT=N     the Nth such call does not happen (of a write: half of it), SIGKILL
 * does LLMSIM_FAULT_FAIL_AT=N     the Nth such call fails, with LLMSIM_FAULT_ERRNO (or EIO)
 *   LLMSIM_FAULT_GETLINE_AT=N  the Nth getline fails, with LLMSIM_FAULT_ERRNO (or ENOMEM)
 *   LLMSIM_FAULT_LOCKS=nfs     no exclusive lock on what is open for reading only
 *                     =none    no locks
 *                     =held    somebody has every directory locked for good; time goes by without
 * sleeping
 *
 * What was done is said on stderr, "fault: rename(…)". Calls within the C library are not seen. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static long setting(const char *name)
{
    const char *text = getenv(name);
    return text != NULL ? strtol(text, NULL, 10) : 0;
}

static void say(const char *call, const char *what)
{
    (void)dprintf(STDERR_FILENO, "fault: %s(%s)\n", call, what);
}

static void end_process(void)
{
    (void)kill(getpid(), SIGKILL);
    for (;;)
        (void)pause();
}

static int strike_errno(int otherwise)
{
    long error = setting("LLMSIM_FAULT_ERRNO");
    return error != 0 ? (int)error : otherwise;
}

/* Is it this call's turn? true: it is to fail with the errno that is set. */
static bool strikes(const char *call, const char *what, bool *kills)
{
    static atomic_long n_calls;
    long n = atomic_fetch_add(&n_calls, 1) + 1;
    *kills = n == setting("LLMSIM_FAULT_KILL_AT");
    bool fails = n == setting("LLMSIM_FAULT_FAIL_AT");
    if (*kills || fails)
        say(call, what);
    if (fails)
        errno = strike_errno(EIO);
    return fails;
}

static bool fails(const char *call, const char *what)
{
    bool kills, strike = strikes(call, what, &kills);
    if (kills)
        end_process();
    return strike;
}

#define NEXT(type, name) (__extension__(type) dlsym(RTLD_NEXT, name))

int open(const char *path, int flags, ...)
{
    typedef int function(const char *, int, ...);
    mode_t mode = 0;
    if ((flags & O_CREAT) != 0) {
        va_list args;
        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
        if (fails("open", path))
            return -1;
    }
    return NEXT(function *, "open")(path, flags, mode);
}

int rename(const char *from, const char *to)
{
    typedef int function(const char *, const char *);
    return fails("rename", to) ? -1 : NEXT(function *, "rename")(from, to);
}

int unlink(const char *path)
{
    typedef int function(const char *);
    return fails("unlink", path) ? -1 : NEXT(function *, "unlink")(path);
}

int rmdir(const char *path)
{
    typedef int function(const char *);
    return fails("rmdir", path) ? -1 : NEXT(function *, "rmdir")(path);
}

int mkdir(const char *path, mode_t mode)
{
    typedef int function(const char *, mode_t);
    return fails("mkdir", path) ? -1 : NEXT(function *, "mkdir")(path, mode);
}

int ftruncate(int fd, off_t length)
{
    typedef int function(int, off_t);
    return fails("ftruncate", "") ? -1 : NEXT(function *, "ftruncate")(fd, length);
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    typedef ssize_t function(int, const void *, size_t);
    function *next = NEXT(function *, "write");
    bool kills, strike = strikes("write", "", &kills);
    if (kills) {
        (void)!next(fd, bytes, n / 2);
        end_process();
    }
    return strike ? -1 : next(fd, bytes, n);
}

int flock(int fd, int operation)
{
    typedef int function(int, int);
    const char *locks = getenv("LLMSIM_FAULT_LOCKS");
    if (locks != NULL && strcmp(locks, "none") == 0) {
        errno = ENOLCK;
        return -1;
    }
    struct stat info;
    if (locks != NULL && strcmp(locks, "held") == 0 && fstat(fd, &info) == 0 &&
        S_ISDIR(info.st_mode)) {
        errno = EWOULDBLOCK;
        return -1;
    }
    if (locks != NULL && (operation & LOCK_EX) != 0 &&
        (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY) {
        errno = EBADF;
        return -1;
    }
    return NEXT(function *, "flock")(fd, operation);
}

int nanosleep(const struct timespec *time, struct timespec *left)
{
    typedef int function(const struct timespec *, struct timespec *);
    const char *locks = getenv("LLMSIM_FAULT_LOCKS");
    bool is_held = locks != NULL && strcmp(locks, "held") == 0;
    return is_held ? 0 : NEXT(function *, "nanosleep")(time, left);
}

/* What getline becomes where the C library's header has it inline. */
ssize_t __getdelim(char **line, size_t *capacity, int end, FILE *file)
{
    typedef ssize_t function(char **, size_t *, int, FILE *);
    static atomic_long n_calls;
    if (atomic_fetch_add(&n_calls, 1) + 1 == setting("LLMSIM_FAULT_GETLINE_AT")) {
        say("getline", "");
        errno = strike_errno(ENOMEM);
        return -1;
    }
    return NEXT(function *, "__getdelim")(line, capacity, end, file);
}

ssize_t(getline)(char **line, size_t *capacity, FILE *file)
{
    return __getdelim(line, capacity, '\n', file);
}
