#include "gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
    const char *end;
    const char *terminal;
    unsigned pixels_per_unit; /* pdfcairo counts in inches */
} terminals[] = {{".png", "pngcairo", 1}, {".svg", "svg", 1}, {".pdf", "pdfcairo", 100}};
#define N_TERMINALS (sizeof terminals / sizeof *terminals)

void gnuplot_string(FILE *script, const char *text)
{
    (void)fputc('"', script);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            (void)fputc('\\', script);
        (void)fputc((unsigned char)*text < ' ' ? ' ' : *text, script);
    }
    (void)fputc('"', script);
}

/* Start gnuplot with its standard input from g->script. Returns 0 or an errno. */
static int start(struct gnuplot *g)
{
    char *const argv[] = {(char[]){"gnuplot"}, NULL};
    posix_spawn_file_actions_t actions;
    int ends[2], error;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    error = posix_spawn_file_actions_init(&actions);
    if (error == 0) {
        error = posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
        if (error == 0)
            error = posix_spawnp(&g->pid, argv[0], &actions, NULL, argv, environ);
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    (void)close(ends[0]);
    if (error != 0) {
        (void)close(ends[1]);
        return error;
    }
    g->script = fdopen(ends[1], "w");
    if (g->script != NULL)
        return 0;
    error = errno;
    (void)close(ends[1]); /* which ends gnuplot */
    (void)waitpid(g->pid, NULL, 0);
    return error;
}

enum llmsim_status gnuplot_open(struct gnuplot *g, const char *path, unsigned width,
                                unsigned height, struct llmsim_error *err)
{
    size_t length = strlen(path), i = 0;
    while (i < N_TERMINALS && (length <= 4 || strcmp(path + length - 4, terminals[i].end) != 0))
        i++;
    if (i == N_TERMINALS)
        return llmsim_fail(err, LLMSIM_USAGE,
                           "picture '%s': expected a name that ends in .png, .svg or .pdf", path);
    *g = (struct gnuplot){.path = path};
    int n =
        snprintf(g->temporary_path, sizeof g->temporary_path, "%s.tmp.%ld", path, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof g->temporary_path)
        return llmsim_fail(err, LLMSIM_USAGE, "the path %.40s… is too long", path);
    /* gnuplot would say it in five lines. */
    FILE *picture = fopen(g->temporary_path, "we");
    if (picture == NULL)
        return llmsim_fail_at(err, LLMSIM_IO, path, 0, 0, "cannot open for writing: %s",
                              strerror(errno));
    (void)fclose(picture);
    int error = start(g);
    if (error != 0) {
        (void)unlink(g->temporary_path);
        return llmsim_fail_at(err, LLMSIM_IO, path, 0, 0, "cannot be drawn: %s",
                              error == ENOENT ? "gnuplot is not installed" : strerror(error));
    }
    (void)fprintf(g->script, "set terminal %s size %g,%g noenhanced font \"sans,11\"\nset output ",
                  terminals[i].terminal, width / (double)terminals[i].pixels_per_unit,
                  height / (double)terminals[i].pixels_per_unit);
    gnuplot_string(g->script, g->temporary_path);
    (void)fputs("\nset grid linetype 1 linecolor rgb \"#DDDDDD\" linewidth 0.7\n"
                "set border 3 linecolor rgb \"#444444\"\nset tics nomirror\n",
                g->script);
    return LLMSIM_OK;
}

enum llmsim_status gnuplot_close(struct gnuplot *g, struct llmsim_error *err)
{
    int result = 0;
    (void)fputs("\nunset output\n", g->script);
    bool is_written = fclose(g->script) == 0;
    while (waitpid(g->pid, &result, 0) < 0 && errno == EINTR)
        continue;
    if (!is_written || result != 0) {
        (void)unlink(g->temporary_path);
        return llmsim_fail_at(err, LLMSIM_IO, g->path, 0, 0, "cannot be drawn: gnuplot failed");
    }
    if (rename(g->temporary_path, g->path) == 0)
        return LLMSIM_OK;
    int error = errno;
    (void)unlink(g->temporary_path);
    return llmsim_fail_at(err, LLMSIM_IO, g->path, 0, 0, "cannot be written: %s", strerror(error));
}
