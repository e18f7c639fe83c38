#include "plot_files.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "directory.h"
#include "plot_scripts.h"
#include "run_gnuplot.h"
#include "start_gnuplot.h"
#include "utf8.h"

#define LINE_ROOM 2048

enum llmsim_status text_list_add(struct text_list *list, struct llmsim_error *err,
                                 const char *format, ...)
{
    char **items = realloc(list->items, (list->n + 2) * sizeof *items), *text;
    if (items == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    list->items = items;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0) {
        items[list->n] = NULL;
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    }
    items[list->n++] = text;
    items[list->n] = NULL;
    return LLMSIM_OK;
}

void text_list_fini(struct text_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct text_list){0};
}

enum llmsim_status plot_files_begin(const struct plot_files *files, const char *name,
                                    struct llmsim_output *out, struct llmsim_error *err)
{
    char *path;
    *out = (struct llmsim_output){.fd = -1};
    enum llmsim_status status = llmsim_made_files_add(files->dir, name, err);
    if (status != LLMSIM_OK)
        return status;
    if (asprintf(&path, "%s/%s", files->dir, name) < 0)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    status = llmsim_output_open(out, path, LLMSIM_COMPRESS_NONE, err);
    free(path);
    return status;
}

enum llmsim_status plot_files_end(struct llmsim_output *out, enum llmsim_status status,
                                  struct llmsim_error *err)
{
    if (status == LLMSIM_OK)
        status = llmsim_output_commit(out, err);
    llmsim_output_close(out);
    return status;
}

void plot_put(struct llmsim_output *out, const char *format, ...)
{
    char *p = llmsim_output_room(out, LINE_ROOM);
    va_list args;
    va_start(args, format);
    int length = vsnprintf(p, LINE_ROOM, format, args);
    va_end(args);
    llmsim_output_advance(out, p + (length < LINE_ROOM ? length : LINE_ROOM - 1));
}

void plot_put_text(struct llmsim_output *out, const char *name, const char *text,
                   enum gnuplot_text_kind kind)
{
    size_t n;
    plot_put(out, "%s = '", name);
    for (const char *bytes; bytes = gnuplot_text_next(&text, kind, &n), n > 0;)
        llmsim_output_bytes(out, bytes, n);
    plot_put(out, "'\n");
}

/* Bytes of a text's next line: up to the last blank within `width` characters, or `width`. */
static size_t line_length(const char *text, size_t width)
{
    size_t used = 0, blank = 0, n = 0;
    while (text[used] != '\0' && n < width) {
        size_t length = llmsim_utf8_length(text + used);
        if (text[used] == ' ')
            blank = used + 1;
        used += length > 0 ? length : 1;
        n++;
    }
    return text[used] == '\0' || text[used] == ' ' || blank == 0 ? used : blank;
}

size_t plot_put_wrapped(struct llmsim_output *out, const char *name, const char *text, size_t width)
{
    size_t n = 0;
    plot_put(out, "%s = %s", name, *text == '\0' ? "''" : "");
    for (size_t length, piece; *text != '\0'; text += length, n++) {
        length = line_length(text, n == 0 ? width : width - 4);
        const char *rest = text;
        plot_put(out, "%s'%s", n > 0 ? ".\"\\n\"." : "", n > 0 ? "    " : "");
        while (rest < text + length) {
            const char *bytes = gnuplot_text_next(&rest, GNUPLOT_TEXT, &piece);
            llmsim_output_bytes(out, bytes, piece);
        }
        plot_put(out, "'");
    }
    plot_put(out, "\n");
    return n;
}

static enum llmsim_status write_file(const struct plot_files *files, const char *name,
                                     const char *text, size_t n, struct llmsim_error *err)
{
    struct llmsim_output out;
    enum llmsim_status status = plot_files_begin(files, name, &out, err);
    if (status != LLMSIM_OK)
        return status;
    llmsim_output_bytes(&out, text, n);
    return plot_files_end(&out, LLMSIM_OK, err);
}

enum llmsim_status plot_files_add_part(const struct plot_files *files, const char *name,
                                       struct llmsim_error *err)
{
    char file[128];
    const struct plot_script *script = plot_scripts;
    while (script->name != NULL && strcmp(script->name, name) != 0)
        script++;
    if (script->name == NULL)
        return llmsim_fail(err, LLMSIM_INTERNAL, "there is no script %s.gp", name);
    (void)snprintf(file, sizeof file, "%s.gp", name);
    return write_file(files, file, (const char *)script->bytes, script->n_bytes, err);
}

enum llmsim_status plot_files_add_made(struct plot_files *files, const char *name,
                                       struct llmsim_error *err)
{
    return text_list_add(&files->scripts, err, "%s", name);
}

enum llmsim_status plot_files_add_script(struct plot_files *files, const char *name,
                                         struct llmsim_error *err)
{
    enum llmsim_status status = plot_files_add_part(files, name, err);
    return status == LLMSIM_OK ? plot_files_add_made(files, name, err) : status;
}

/* Into an open file; `said` becomes what gnuplot had to say. */
static enum llmsim_status run_script(const struct plot_files *files, const char *script,
                                     const char *format, const struct llmsim_plot_options *options,
                                     struct llmsim_output *picture,
                                     char said[static GNUPLOT_MAX_TEXT], struct llmsim_error *err)
{
    struct gnuplot_call call = {.dir = files->dir,
                                .script = script,
                                .format = format,
                                .columns = options->columns != 0 ? options->columns : 100,
                                .rows = options->rows != 0 ? options->rows : 30,
                                .picture_fd = picture->fd};
    /* An earlier picture is not to be taken for this one, if there is none. */
    if (picture->temporary.path != NULL)
        (void)unlink(picture->path);
    enum llmsim_status status = gnuplot_run(&call, said, err);
    if (status == LLMSIM_OK && !gnuplot_has_drawn(picture->fd))
        status = llmsim_fail_at(err, LLMSIM_IO, picture->path, 0, 0, "gnuplot has not drawn it%s%s",
                                said[0] != '\0' ? ": " : "", said);
    return status;
}

static enum llmsim_status draw(const struct plot_files *files, const char *script, size_t format,
                               const struct llmsim_plot_options *options, struct llmsim_error *err)
{
    char name[LLMSIM_MAX_NAME + 8], said[GNUPLOT_MAX_TEXT] = "";
    const char *kind = llmsim_plot_format_choice(format)->name;
    struct llmsim_output picture;
    (void)snprintf(name, sizeof name, "%s.%s", script, kind);
    enum llmsim_status status = plot_files_begin(files, name, &picture, err);
    if (status == LLMSIM_OK)
        status = run_script(files, script, kind, options, &picture, said, err);
    status = plot_files_end(&picture, status, err);
    if (status == LLMSIM_OK && said[0] != '\0')
        status = text_list_add(&files->report->notes, err, "gnuplot %s.gp: %s", script, said);
    if (status == LLMSIM_OK)
        status = text_list_add(&files->report->pictures, err, "%s/%s", files->dir, name);
    return status;
}

enum llmsim_status plot_files_draw(const struct plot_files *files,
                                   const struct llmsim_plot_options *options,
                                   struct llmsim_error *err)
{
    enum llmsim_status status = LLMSIM_OK;
    for (size_t i = 0; i < files->scripts.n; i++)
        for (size_t format = 0; format < LLMSIM_N_PLOT_FORMATS; format++)
            if (options->formats[format] && status == LLMSIM_OK)
                status = draw(files, files->scripts.items[i], format, options, err);
    return status;
}
