/* picture.c: a picture, drawn by gnuplot from a script that is written to it. */
#include "llmsim/plot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail_errno.h"
#include "gnuplot_text.h"
#include "output.h"
#include "start_gnuplot.h"

static const struct {
    const char *end;
    const char *terminal;
    unsigned pixels_per_unit; /* pdfcairo counts in inches */
} terminals[] = {{".png", "pngcairo", 1}, {".svg", "svg", 1}, {".pdf", "pdfcairo", 100}};
#define N_TERMINALS (sizeof terminals / sizeof *terminals)

void llmsim_picture_string(FILE *script, const char *text)
{
    size_t n;
    (void)fputc('\'', script);
    for (const char *bytes; bytes = gnuplot_text_next(&text, GNUPLOT_TEXT, &n), n > 0;)
        (void)fwrite(bytes, 1, n, script);
    (void)fputc('\'', script);
}

/* Start gnuplot with its standard input from picture->script. The picture goes to its standard
 * output: "set output" would run a name that begins with |. Returns 0 or an errno. */
static int start(struct llmsim_picture *picture, int picture_fd)
{
    char program[] = "gnuplot", no_init_files[] = "-d";
    char *const argv[] = {program, no_init_files, NULL};
    bool good;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    int error =
        gnuplot_start(&(struct gnuplot_start){NULL, argv, ends[0], picture_fd, -1}, &picture->pid);
    (void)close(ends[0]);
    if (error != 0) {
        (void)close(ends[1]);
        return error;
    }
    picture->script = fdopen(ends[1], "w");
    if (picture->script != NULL)
        return 0;
    error = errno;
    (void)close(ends[1]); /* which ends gnuplot */
    (void)gnuplot_wait(picture->pid, &good);
    return error;
}

/* The row of `terminals` for a path; N_TERMINALS: none. */
static size_t find_terminal(const char *path)
{
    size_t length = strlen(path), i = 0;
    while (i < N_TERMINALS && (length <= 4 || strcmp(path + length - 4, terminals[i].end) != 0))
        i++;
    return i;
}

enum llmsim_status llmsim_picture_check(const char *path, struct llmsim_error *err)
{
    if (find_terminal(path) < N_TERMINALS)
        return LLMSIM_OK;
    return llmsim_fail(err, LLMSIM_USAGE,
                       "picture '%s': expected a name that ends in .png, .svg or .pdf", path);
}

static void close_output(struct llmsim_picture *picture)
{
    llmsim_output_close(picture->out);
    free(picture->out);
    picture->out = NULL;
}

enum llmsim_status llmsim_picture_open(struct llmsim_picture *picture, const char *path,
                                       unsigned width, unsigned height, struct llmsim_error *err)
{
    size_t i = find_terminal(path);
    if (i == N_TERMINALS)
        return llmsim_picture_check(path, err);
    *picture = (struct llmsim_picture){.out = malloc(sizeof *picture->out)};
    if (picture->out == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    enum llmsim_status status = llmsim_output_open(picture->out, path, LLMSIM_COMPRESS_NONE, err);
    int error = status == LLMSIM_OK ? start(picture, picture->out->fd) : 0;
    if (error != 0)
        status = error == ENOENT ? llmsim_fail_at(err, LLMSIM_IO, path, 0, 0,
                                                  "cannot be drawn: gnuplot is not installed")
                                 : llmsim_fail_errno(err, path, "be drawn", error);
    if (status != LLMSIM_OK) {
        close_output(picture);
        return status;
    }
    (void)fprintf(picture->script,
                  "set encoding utf8\nset terminal %s size %g,%g noenhanced font \"sans,11\"\n",
                  terminals[i].terminal, width / (double)terminals[i].pixels_per_unit,
                  height / (double)terminals[i].pixels_per_unit);
    (void)fputs("set grid linetype 1 linecolor rgb \"#DDDDDD\" linewidth 0.7\n"
                "set border 3 linecolor rgb \"#444444\"\nset tics nomirror\n",
                picture->script);
    return LLMSIM_OK;
}

enum llmsim_status llmsim_picture_close(struct llmsim_picture *picture, struct llmsim_error *err)
{
    bool good;
    (void)fputs("\nunset output\n", picture->script);
    bool is_written = fclose(picture->script) == 0;
    bool is_lost = gnuplot_wait(picture->pid, &good) != 0;
    enum llmsim_status status = LLMSIM_OK;
    if (!is_written || is_lost || !good || !gnuplot_has_drawn(picture->out->fd))
        status = llmsim_fail_at(err, LLMSIM_IO, picture->out->path, 0, 0,
                                "cannot be drawn: gnuplot failed");
    if (status == LLMSIM_OK)
        status = llmsim_output_commit(picture->out, err);
    close_output(picture);
    return status;
}
