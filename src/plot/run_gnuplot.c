#include "run_gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fail_errno.h"
#include "start_gnuplot.h"

/* What comes out of the pipe, until it is closed. The lines are joined; blank ones, and the line of
 * carets under an error, are left out. */
static void read_all(int fd, char said[static GNUPLOT_MAX_TEXT])
{
    char bytes[256];
    size_t used = 0;
    bool is_new_line = false;
    for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) != 0;) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        for (ssize_t i = 0; i < n; i++) {
            char c = bytes[i];
            bool is_blank = c == '\n' || c == ' ' || c == '\t' || c == '^';
            is_new_line = is_new_line || c == '\n';
            if ((is_blank && (is_new_line || used == 0)) || used + 3 > GNUPLOT_MAX_TEXT)
                continue;
            if (is_new_line && used > 0)
                said[used++] = ' ';
            is_new_line = false;
            said[used++] = c;
        }
    }
    said[used] = '\0';
}

static int start(const struct gnuplot_call *call, int stderr_fd, pid_t *pid)
{
    char settings[128], script[256];
    char program[] = "gnuplot", no_init_files[] = "-d", execute[] = "-e";
    char *const argv[] = {program, no_init_files, execute, settings, script, NULL};
    (void)snprintf(settings, sizeof settings,
                   "set encoding utf8; format = '%s'; columns = %u; rows = %u; to_stdout = 1",
                   call->format, call->columns, call->rows);
    (void)snprintf(script, sizeof script, "%s.gp", call->script);
    return gnuplot_start(&(struct gnuplot_start){call->dir, argv, -1, call->picture_fd, stderr_fd},
                         pid);
}

enum llmsim_status gnuplot_run(const struct gnuplot_call *call, char said[static GNUPLOT_MAX_TEXT],
                               struct llmsim_error *err)
{
    int fds[2];
    pid_t pid;
    bool good;
    said[0] = '\0';
    if (pipe2(fds, O_CLOEXEC) != 0)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "cannot start gnuplot: %s", strerror(errno));
    int error = start(call, fds[1], &pid);
    (void)close(fds[1]);
    if (error == 0)
        read_all(fds[0], said);
    (void)close(fds[0]);
    if (error == ENOENT)
        return llmsim_fail(err, LLMSIM_RUN_FAILED,
                           "gnuplot is not there; install it (Debian: apt-get install "
                           "gnuplot-nox), or run the scripts in %s elsewhere",
                           call->dir);
    if (error != 0)
        return error == ENOMEM ? llmsim_fail_errno(err, NULL, "start gnuplot", error)
                               : llmsim_fail(err, LLMSIM_RUN_FAILED, "cannot start gnuplot: %s",
                                             strerror(error));
    error = gnuplot_wait(pid, &good);
    if (error != 0)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "gnuplot was lost: %s", strerror(error));
    if (!good)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "gnuplot failed at %s/%s.gp: %s", call->dir,
                           call->script, said[0] != '\0' ? said : "it did not say why");
    return LLMSIM_OK;
}
