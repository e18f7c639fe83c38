#include "start_gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

static int add_actions(posix_spawn_file_actions_t *actions, const struct gnuplot_start *start)
{
    int error = 0;
    if (start->dir != NULL)
        error = posix_spawn_file_actions_addchdir_np(actions, start->dir);
    if (error == 0 && start->stdin_fd >= 0)
        error = posix_spawn_file_actions_adddup2(actions, start->stdin_fd, STDIN_FILENO);
    else if (error == 0)
        error = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (error == 0 && start->stdout_fd >= 0)
        error = posix_spawn_file_actions_adddup2(actions, start->stdout_fd, STDOUT_FILENO);
    else if (error == 0)
        error = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (error == 0 && start->stderr_fd >= 0)
        error = posix_spawn_file_actions_adddup2(actions, start->stderr_fd, STDERR_FILENO);
    return error;
}

int gnuplot_start(const struct gnuplot_start *start, pid_t *pid)
{
    char locale[] = "LC_ALL=C.UTF-8";
    char **environment = make_environment(locale);
    posix_spawn_file_actions_t actions;
    if (environment == NULL)
        return ENOMEM;
    int error = posix_spawn_file_actions_init(&actions);
    if (error == 0) {
        error = add_actions(&actions, start);
        if (error == 0)
            error = posix_spawnp(pid, start->argv[0], &actions, NULL, start->argv, environment);
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    free(environment);
    return error;
}

int gnuplot_wait(pid_t pid, bool *good)
{
    int wait_status;
    while (waitpid(pid, &wait_status, 0) < 0)
        if (errno != EINTR)
            return errno;
    *good = wait_status == 0;
    return 0;
}

bool gnuplot_has_drawn(int picture_fd)
{
    struct stat info;
    return fstat(picture_fd, &info) == 0 && (!S_ISREG(info.st_mode) || info.st_size > 0);
}
