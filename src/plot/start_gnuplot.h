/* start_gnuplot.h: gnuplot as a child process. */
#ifndef LLMSIM_PLOT_START_GNUPLOT_H
#define LLMSIM_PLOT_START_GNUPLOT_H

#include <stdbool.h>
#include <sys/types.h>

struct gnuplot_start {
    const char *dir;   /* where it runs; NULL: here */
    char *const *argv; /* with the program's name, NULL behind the last */
    int stdin_fd;      /* -1: nothing to read */
    int stdout_fd;     /* -1: nowhere */
    int stderr_fd;     /* -1: our own */
};

/* Start it, without its user's settings, in a locale with UTF-8 and points in numbers. Returns 0 or
 * an errno; ENOENT: it is not installed. */
int gnuplot_start(const struct gnuplot_start *start, pid_t *pid);
/* Wait for its end; *good: it went well. Returns 0 or an errno. */
int gnuplot_wait(pid_t pid, bool *good);
/* Is there a picture in the file? gnuplot may end well without one. */
bool gnuplot_has_drawn(int picture_fd);

#endif
