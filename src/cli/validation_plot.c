/* validation_plot.c: the distributions of a validation, measured and simulated. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "validation.h"

/* Points of a distribution function; more rows than this give no other curve. */
#define MAX_POINTS 500u

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Latencies are shown in ms where all but a few are below a second. */
static bool is_short(const struct llmsim_comparison *c)
{
    return c->measured_s[LLMSIM_COMPARED_P99] < 1;
}

/* $NAME: (latency, share of the requests with at most that). */
static void write_distribution(FILE *f, const char *name, int64_t *values, size_t n, double unit_ns)
{
    qsort(values, n, sizeof *values, by_size);
    size_t n_points = n < MAX_POINTS ? n : MAX_POINTS;
    (void)fprintf(f, "$%s << EOD\n", name);
    for (size_t i = 1; i <= n_points; i++) {
        size_t at = n * i / n_points;
        (void)fprintf(f, "%.9g %.6g\n", (double)values[at - 1] / unit_ns, (double)at / (double)n);
    }
    (void)fputs("EOD\n", f);
}

static void write_data(FILE *f, const struct llmsim_validation_part *part,
                       enum llmsim_metric metric, int64_t *room, double unit_ns)
{
    const struct llmsim_latencies *of[] = {part->run->latencies, part->simulated};
    const char *const names[] = {"measured", "simulated"};
    for (size_t j = 0; j < 2; j++) {
        char name[64];
        size_t n = 0;
        for (size_t i = part->span.first; i < part->span.last; i++)
            if (llmsim_latency_ns(&of[0][i], metric) >= 0 &&
                llmsim_latency_ns(&of[1][i], metric) >= 0)
                room[n++] = llmsim_latency_ns(&of[j][i], metric);
        (void)snprintf(name, sizeof name, "%s_%s", names[j], llmsim_metric_name(metric));
        write_distribution(f, name, room, n, unit_ns);
    }
}

static void write_panel(FILE *f, size_t i, const struct llmsim_comparison *c)
{
    const char *name = llmsim_metric_name((enum llmsim_metric)i);
    double left = 0.055 + 0.325 * (double)i;
    (void)fprintf(f,
                  "set lmargin at screen %.3f\nset rmargin at screen %.3f\n"
                  "set title \"%s of %zu requests\\nerror:",
                  left, left + 0.27, name, c->n);
    for (size_t j = 0; j < LLMSIM_N_COMPARED; j++) {
        enum llmsim_compared compared = (enum llmsim_compared)j;
        (void)fprintf(f, "%s %s ", j > 0 ? "," : "", llmsim_compared_name(compared));
        if (llmsim_has_error_percent(c, compared))
            (void)fprintf(f, "%+.1f %%", llmsim_error_percent(c, compared));
        else
            (void)fputc('-', f);
    }
    (void)fprintf(f, "\"\nset xlabel \"%s (%s)\"\n", name, is_short(c) ? "ms" : "s");
    /* An axis that spans decades is logarithmic. */
    (void)fprintf(f, "set %s x\n",
                  c->measured_s[LLMSIM_COMPARED_P99] > 20 * c->measured_s[LLMSIM_COMPARED_P50]
                      ? "logscale"
                      : "nologscale");
    (void)fprintf(f,
                  "plot $measured_%s using 1:2 with lines linewidth 3 linecolor rgb \"%s\" "
                  "title \"measured\", $simulated_%s using 1:2 with lines linewidth 2 dashtype 2 "
                  "linecolor rgb \"%s\" title \"simulated\"\n",
                  name, LLMSIM_PICTURE_BLUE, name, LLMSIM_PICTURE_VERMILION);
}

enum llmsim_status validation_plot(const struct validation *w, const char *path,
                                   struct llmsim_error *err)
{
    struct llmsim_picture picture;
    char title[512];
    const struct llmsim_validation_part *part = &w->parts[w->n_parts - 1];
    const struct llmsim_comparison *c = w->comparisons[w->n_parts - 1];
    const char *slash = strrchr(w->measured_name, '/');
    int64_t *room = calloc(part->span.last - part->span.first, sizeof *room);
    if (room == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    enum llmsim_status status = llmsim_picture_open(&picture, path, 1500, 560, err);
    if (status != LLMSIM_OK)
        goto out;
    char count[16] = "";
    if (w->setup->n_gpus > 1)
        (void)snprintf(count, sizeof count, "%u x ", (unsigned)w->setup->n_gpus);
    (void)snprintf(title, sizeof title, "%s, %s on %s%s%s",
                   slash != NULL ? slash + 1 : w->measured_name, w->setup->model.name, count,
                   w->setup->gpu.name,
                   w->is_calibrated ? ": the requests that were predicted" : "");
    (void)fputs("set multiplot layout 1,3 title ", picture.script);
    llmsim_picture_string(picture.script, title);
    (void)fputs(" font \"sans,14\"\nset yrange [0:1]\nset ylabel \"share of requests\"\n"
                "set tmargin at screen 0.78\nset bmargin at screen 0.2\n"
                "set key at graph 0.5, -0.18 center top horizontal samplen 3\n",
                picture.script);
    for (size_t i = 0; i < LLMSIM_N_METRICS; i++)
        if (c[i].n > 0) {
            write_data(picture.script, part, (enum llmsim_metric)i, room,
                       is_short(&c[i]) ? 1e6 : 1e9);
            write_panel(picture.script, i, &c[i]);
        }
    (void)fputs("unset multiplot\n", picture.script);
    status = llmsim_picture_close(&picture, err);
out:
    free(room);
    return status;
}
