/* cmd_plot.c: pictures of results. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

struct values {
    const char *output, *format, *requests;
    uint64_t columns, rows;
    bool terminal;
};

static enum llmsim_status parse_formats(char *list, struct llmsim_plot_options *options,
                                        struct llmsim_error *err)
{
    size_t format;
    for (char *item; (item = strsep(&list, ",")) != NULL;) {
        if (!llmsim_choice_find(llmsim_plot_format_choice, item, &format))
            return llmsim_fail(err, LLMSIM_USAGE,
                               "--format '%s': expected png, svg or txt, with commas between",
                               item);
        options->formats[format] = true;
    }
    return LLMSIM_OK;
}

static enum llmsim_status parse_requests(char *list, struct llmsim_plot_options *options,
                                         struct llmsim_error *err)
{
    for (char *item; (item = strsep(&list, ",")) != NULL;) {
        if (item[0] == '\0')
            return llmsim_fail(err, LLMSIM_USAGE,
                               "--requests: expected ids of requests, with commas between");
        if (options->n_requests == LLMSIM_PLOT_MAX_REQUESTS)
            return llmsim_fail(err, LLMSIM_USAGE, "--requests: expected at most %u ids",
                               LLMSIM_PLOT_MAX_REQUESTS);
        for (size_t i = 0; i < options->n_requests; i++)
            if (strcmp(options->requests[i], item) == 0)
                return llmsim_fail(err, LLMSIM_USAGE,
                                   "--requests: %s is given twice; expected it once", item);
        options->requests[options->n_requests++] = item;
    }
    return LLMSIM_OK;
}

/* A picture of characters goes to stdout. */
static enum llmsim_status print_picture(const char *path, struct llmsim_error *err)
{
    char bytes[4096];
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return llmsim_fail_at(err, LLMSIM_IO, path, 0, 0, "cannot open what gnuplot has drawn");
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, f)) > 0;)
        (void)fwrite(bytes, 1, n, stdout);
    (void)fclose(f);
    return LLMSIM_OK;
}

static enum llmsim_status print_report(const struct llmsim_plot_report *report, bool terminal,
                                       struct llmsim_error *err)
{
    const char *text;
    enum llmsim_status status = LLMSIM_OK;
    for (size_t i = 0; (text = llmsim_plot_note(report, i)) != NULL; i++) {
        (void)fputs("llmsim: ", stderr);
        cli_put_line(stderr, text);
    }
    for (size_t i = 0; (text = llmsim_plot_picture(report, i)) != NULL; i++) {
        size_t n = strlen(text);
        if (terminal && n > 4 && strcmp(text + n - 4, ".txt") == 0 && status == LLMSIM_OK)
            status = print_picture(text, err);
        else
            cli_put_line(stdout, text);
    }
    return status;
}

static enum llmsim_status run(const void *values, const char *const *operands, size_t n_operands,
                              struct llmsim_error *err)
{
    const struct values *v = values;
    (void)n_operands;
    struct llmsim_plot_options options = {.dir = operands[0],
                                          .output = v->output,
                                          .columns = (unsigned)v->columns,
                                          .rows = (unsigned)v->rows};
    char *formats = strdup(v->format != NULL ? v->format : v->terminal ? "txt" : "png");
    char *requests = v->requests != NULL ? strdup(v->requests) : NULL;
    enum llmsim_status status = LLMSIM_OK;
    if (formats == NULL || (v->requests != NULL && requests == NULL))
        status = llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    if (status == LLMSIM_OK)
        status = parse_formats(formats, &options, err);
    if (status == LLMSIM_OK)
        status = parse_requests(requests, &options, err);
    if (status == LLMSIM_OK) {
        options.formats[LLMSIM_PLOT_TEXT] = options.formats[LLMSIM_PLOT_TEXT] || v->terminal;
        struct llmsim_plot_report *report;
        struct llmsim_error print_err;
        status = llmsim_plot(&options, &report, err);
        enum llmsim_status printed = print_report(report, v->terminal, &print_err);
        if (status == LLMSIM_OK && printed != LLMSIM_OK) {
            status = printed;
            *err = print_err;
        }
        llmsim_plot_report_destroy(report);
    }
    free(formats);
    free(requests);
    return status;
}

static const struct cli_option options[] = {
    {.name = "format",
     .argument = "LIST",
     .help = "kinds of pictures: png, svg, txt, with commas between [png]",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, format)},
    {.name = "terminal",
     .help = "draw with characters, on stdout; without --format nothing else",
     .kind = CLI_FLAG,
     .offset = offsetof(struct values, terminal)},
    {.name = "columns",
     .argument = "N",
     .help = "width of a picture of characters",
     .kind = CLI_U64,
     .initial = "100",
     .min = 40,
     .max = 500,
     .offset = offsetof(struct values, columns)},
    {.name = "rows",
     .argument = "N",
     .help = "height of a picture of characters",
     .kind = CLI_U64,
     .initial = "24",
     .min = 12,
     .max = 200,
     .offset = offsetof(struct values, rows)},
    {.name = "requests",
     .argument = "ID,...",
     .help = "of a replay: draw the tokens of these requests, up to 12, too; needs tokens.csv",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, requests)},
    {.name = "output",
     .argument = "DIR",
     .help = "where pictures, scripts and their data go; else DIR/plots",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, output)},
    CLI_OPTION_END,
};

const struct cli_command cli_plot = {
    .name = "plot",
    .help =
        "draw the results of a replay or a sweep with gnuplot; leave the scripts, to be changed",
    .operands = "DIR",
    .example = "llmsim plot results/azure_conv_like --requests 1,17",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
