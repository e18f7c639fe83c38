/* plot.c: which kind of results, then data, scripts and gnuplot. */
#include "llmsim/plot.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "directory.h"
#include "parts.h"
#include "plot_kinds.h"

/* A directory of results is of the kind whose file is there, perhaps packed. */
static const struct {
    const char *file;
    enum llmsim_status (*write)(const struct llmsim_plot_options *options, struct plot_files *files,
                                struct llmsim_error *err);
} kinds[] = {
    {"requests.csv", plot_replay},
    {"sweep.csv", plot_sweep},
};
#define N_KINDS (sizeof kinds / sizeof *kinds)

const struct llmsim_choice *llmsim_plot_format_choice(size_t i)
{
    static const struct llmsim_choice rows[] = {
        [LLMSIM_PLOT_PNG] = {"png", "pixels"},
        [LLMSIM_PLOT_SVG] = {"svg", "vector graphics, for web pages and papers"},
        [LLMSIM_PLOT_TEXT] = {"txt", "characters"},
    };
    return i < LLMSIM_N_PLOT_FORMATS ? &rows[i] : NULL;
}

static bool is_there(const char *dir, const char *file, const char *suffix)
{
    char *path;
    if (asprintf(&path, "%s/%s%s", dir, file, suffix) < 0)
        return false;
    bool is_there = access(path, F_OK) == 0;
    free(path);
    return is_there;
}

static enum llmsim_status write_kind(const struct llmsim_plot_options *options,
                                     struct plot_files *files, struct llmsim_error *err)
{
    size_t kind = 0;
    while (kind < N_KINDS && !is_there(options->dir, kinds[kind].file, "") &&
           !is_there(options->dir, kinds[kind].file, ".zst"))
        kind++;
    if (kind == N_KINDS)
        return llmsim_fail_at(err, LLMSIM_IO, options->dir, 0, 0,
                              "has neither requests.csv nor sweep.csv; expected the results of "
                              "llmsim replay or llmsim sweep");
    enum llmsim_status status = llmsim_make_directories(files->dir, err);
    if (status == LLMSIM_OK)
        status = plot_files_add_part(files, "style", err);
    return status == LLMSIM_OK ? kinds[kind].write(options, files, err) : status;
}

enum llmsim_status llmsim_plot(const struct llmsim_plot_options *options,
                               struct llmsim_plot_report **report, struct llmsim_error *err)
{
    char *dir;
    *report = calloc(1, sizeof **report);
    if (*report == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    enum llmsim_status status =
        LLMSIM_CHECK_PARTS("a plot", err, {options->dir != NULL, "directory of results"});
    if (status == LLMSIM_OK && options->n_requests > LLMSIM_PLOT_MAX_REQUESTS)
        status = llmsim_fail(err, LLMSIM_USAGE, "%zu requests to draw: expected at most %u",
                             options->n_requests, LLMSIM_PLOT_MAX_REQUESTS);
    for (size_t i = 0; i < options->n_requests && status == LLMSIM_OK; i++)
        status = LLMSIM_CHECK_PARTS("a plot's request", err, {options->requests[i] != NULL, "id"});
    if (status != LLMSIM_OK)
        return status;
    if (asprintf(&dir, "%s%s%s", options->output != NULL ? options->output : options->dir,
                 options->output != NULL ? "" : "/",
                 options->output != NULL ? "" : LLMSIM_PLOTS_DIR) < 0)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    struct plot_files files = {.dir = dir, .report = *report};
    status = write_kind(options, &files, err);
    if (status == LLMSIM_OK)
        status = plot_files_draw(&files, options, err);
    text_list_fini(&files.scripts);
    free(dir);
    return status;
}

const char *llmsim_plot_picture(const struct llmsim_plot_report *report, size_t i)
{
    return report != NULL && i < report->pictures.n ? report->pictures.items[i] : NULL;
}

const char *llmsim_plot_note(const struct llmsim_plot_report *report, size_t i)
{
    return report != NULL && i < report->notes.n ? report->notes.items[i] : NULL;
}

void llmsim_plot_report_destroy(struct llmsim_plot_report *report)
{
    if (report == NULL)
        return;
    text_list_fini(&report->pictures);
    text_list_fini(&report->notes);
    free(report);
}
