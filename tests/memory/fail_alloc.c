/* fail_alloc.c: a library for LD_PRELOAD that has no memory for the Nth allocation of a program.
 *
 * FAIL_ALLOC_AT: N, counted from 1 at the beginning of main, over all threads.
 * FAIL_ALLOC_PROGRAM: the name of the program; others (its children) are left alone.
 * FAIL_ALLOC_MARK: a file that is made when it happens. Without it the program had fewer.
 * FAIL_ALLOC_COUNT: set: nothing fails; FAIL_ALLOC_MARK is made all the same.
 * FAIL_ALLOC_STICKY: set: all later ones fail, too.
 * FAIL_ALLOC_TRACE: set: a backtrace to stderr.
 *
 * glibc's own allocations (strdup, asprintf, getline, fopen) come through malloc and so through
 * here. */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static _Atomic long n_left; /* 0: not counting */
static _Atomic bool is_sticky, has_failed;
static const char *mark;
static bool with_trace, only_counts;

static void note(void)
{
    if (mark != NULL) {
        int fd = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd >= 0)
            (void)close(fd);
    }
    if (with_trace) {
        void *frames[40];
        bool was_sticky = atomic_exchange(&is_sticky, false);
        backtrace_symbols_fd(frames, backtrace(frames, 40), STDERR_FILENO);
        atomic_store(&is_sticky, was_sticky);
    }
}

/* Is this the one? */
static bool fails(void)
{
    bool now = false;
    if (atomic_load_explicit(&n_left, memory_order_relaxed) > 0)
        now = atomic_fetch_sub(&n_left, 1) == 1;
    if (now) {
        note();
        atomic_store(&has_failed, !only_counts);
    }
    if (only_counts)
        return false;
    now = now || (atomic_load(&has_failed) && atomic_load(&is_sticky));
    if (now)
        errno = ENOMEM;
    return now;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
    return fails() ? NULL : __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    if (fails())
        return ENOMEM;
    *memory = __libc_memalign(alignment, size);
    return *memory != NULL ? 0 : ENOMEM;
}

typedef int main_function(int argc, char **argv, char **env);
static main_function *real_main;

static int counted_main(int argc, char **argv, char **env)
{
    const char *at = getenv("FAIL_ALLOC_AT"), *program = getenv("FAIL_ALLOC_PROGRAM");
    const char *slash = strrchr(argv[0], '/');
    if (program != NULL && strcmp(program, slash != NULL ? slash + 1 : argv[0]) == 0) {
        mark = getenv("FAIL_ALLOC_MARK");
        with_trace = getenv("FAIL_ALLOC_TRACE") != NULL;
        only_counts = getenv("FAIL_ALLOC_COUNT") != NULL;
        atomic_store(&is_sticky, getenv("FAIL_ALLOC_STICKY") != NULL);
        if (with_trace) { /* loads libgcc */
            void *frame;
            (void)backtrace(&frame, 1);
        }
        atomic_store(&n_left, at != NULL ? strtol(at, NULL, 10) : 0);
    }
    return real_main(argc, argv, env);
}

typedef int start_function(main_function *main, int argc, char **argv, void (*init)(void),
                           void (*fini)(void), void (*rtld_fini)(void), void *stack_end);
start_function __libc_start_main;

int __libc_start_main(main_function *main, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
    start_function *next;
    void *symbol = dlsym(RTLD_NEXT, "__libc_start_main");
    memcpy(&next, &symbol, sizeof next); /* ISO C has no conversion */
    real_main = main;
    return next(counted_main, argc, argv, init, fini, rtld_fini, stack_end);
}
