#include "run_gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* Our environment, in a locale with UTF-8, which titles may hold, and points in numbers; the array
 * to be freed. NULL: out of memory. */
static char **make_environment(char *locale)
{
    size_t n = 0, used = 0;
    while (environ[n] != NULL)
        n++;
    char **copy = malloc((n + 2) * sizeof *copy);
    for (size_t i = 0; i < n && copy != NULL; i++)
        if (strncmp(environ[i], "LC_ALL=", 7) != 0)
            copy[used++] = environ[i];
    if (copy != NULL) {
        copy[used++] = locale;
        copy[used] = NULL;
    }
    return copy;
}

static int spawn(const struct gnuplot_call *call, int stderr_fd, pid_t *pid)
{
    char settings[128], script[256];
    char program[] = "gnuplot", no_init_files[] = "-d", execute[] = "-e";
    char *const argv[] = {program, no_init_files, execute, settings, script, NULL};
    char locale[] = "LC_ALL=C.UTF-8";
    char **environment = make_environment(locale);
    posix_spawn_file_actions_t actions;
    if (environment == NULL)
        return ENOMEM;
    (void)snprintf(settings, sizeof settings, "format = '%s'; columns = %u; rows = %u",
                   call->format, call->columns, call->rows);
    (void)snprintf(script, sizeof script, "%s.gp", call->script);
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) {
        free(environment);
        return error;
    }
    error = posix_spawn_file_actions_addchdir_np(&actions, call->dir);
    if (error == 0)
        error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (error == 0)
        error = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(&actions, stderr_fd, STDERR_FILENO);
    if (error == 0)
        error = posix_spawnp(pid, program, &actions, NULL, argv, environment);
    (void)posix_spawn_file_actions_destroy(&actions);
    free(environment);
    return error;
}

enum llmsim_status gnuplot_run(const struct gnuplot_call *call, char said[static GNUPLOT_MAX_TEXT],
                               struct llmsim_error *err)
{
    int fds[2], wait_status;
    pid_t pid;
    said[0] = '\0';
    if (pipe2(fds, O_CLOEXEC) != 0)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "cannot start gnuplot: %s", strerror(errno));
    int error = spawn(call, fds[1], &pid);
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
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "cannot start gnuplot: %s", strerror(error));
    while (waitpid(pid, &wait_status, 0) < 0)
        if (errno != EINTR)
            return llmsim_fail(err, LLMSIM_RUN_FAILED, "gnuplot was lost: %s", strerror(errno));
    if (wait_status != 0)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "gnuplot failed at %s/%s.gp: %s", call->dir,
                           call->script, said[0] != '\0' ? said : "it did not say why");
    return LLMSIM_OK;
}
