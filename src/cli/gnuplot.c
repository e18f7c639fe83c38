#include "gnuplot.h"

#include <errno.h>
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
    g->script = popen("gnuplot", "we");
    if (g->script == NULL)
        return llmsim_fail(err, LLMSIM_IO, "cannot start gnuplot: %s", strerror(errno));
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
    (void)fputs("\nunset output\n", g->script);
    int result = pclose(g->script);
    if (result == 0 && rename(g->temporary_path, g->path) == 0)
        return LLMSIM_OK;
    int error = errno;
    (void)unlink(g->temporary_path);
    if (result == 0)
        return llmsim_fail_at(err, LLMSIM_IO, g->path, 0, 0, "cannot be written: %s",
                              strerror(error));
    if (WIFEXITED(result) && WEXITSTATUS(result) == 127)
        return llmsim_fail_at(err, LLMSIM_IO, g->path, 0, 0,
                              "cannot be drawn: gnuplot is not installed");
    return llmsim_fail_at(err, LLMSIM_IO, g->path, 0, 0, "cannot be drawn: gnuplot failed");
}
