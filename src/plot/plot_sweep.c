/* plot_sweep.c: the results of a sweep: a picture for each axis, and throughput against latency. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "plot_kinds.h"
#include "run_title.h"
#include "sweep_points.h"

/* The range of a metric over all points, p50 and p99, and whether there is anything to draw. */
static void put_range(const struct sweep_points *p, size_t metric, struct llmsim_output *out)
{
    double low = -1, high = -1;
    bool has_saturated = false, has_others = false;
    for (size_t i = 0; i < p->n_points; i++) {
        double p50 = p->points[i].p50[metric], p99 = p->points[i].p99[metric];
        if (p50 > 0 && (low < 0 || p50 < low))
            low = p50;
        if (p99 > high)
            high = p99;
        has_saturated = has_saturated || (p99 > 0 && p->points[i].is_saturated);
        has_others = has_others || (p99 > 0 && !p->points[i].is_saturated);
    }
    plot_put(out, "%s_has_saturated = %d\n%s_has_others = %d\n", sweep_metric_names[metric],
             has_saturated, sweep_metric_names[metric], has_others);
    plot_put(out, "%s_n = %d\n", sweep_metric_names[metric], high > 0);
    if (high > 0)
        plot_put(out, "%s_low = %.9g\n%s_high = %.9g\n", sweep_metric_names[metric],
                 low > 0 ? low : high, sweep_metric_names[metric], high);
}

/* "conv.csv, 48 of 48 points: policy (2), rate_scale (4)" */
static void put_subtitle(const struct sweep_points *p, const char *trace, struct llmsim_output *out)
{
    char text[1024], cut[4 * SUBTITLE_WIDTH];
    size_t used = (size_t)snprintf(text, sizeof text, "%.100s, %zu of %llu points", trace,
                                   p->n_points, (unsigned long long)p->n_rows);
    for (size_t i = 0; i < p->n_axes && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s %.200s (%zu)",
                                 i > 0 ? "," : ":", p->axes[i].title, p->axes[i].values.n);
    gnuplot_text_cut(cut, sizeof cut, text, SUBTITLE_WIDTH);
    plot_put_text(out, "subtitle", cut, GNUPLOT_TEXT);
}

static const char *text_or(const cJSON *root, const char *object, const char *name,
                           const char *otherwise)
{
    const cJSON *parent = cJSON_GetObjectItemCaseSensitive(root, object);
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(parent, name));
    return text != NULL ? text : otherwise;
}

static enum llmsim_status write_run(const struct sweep_points *p, const cJSON *manifest,
                                    const struct plot_files *files, struct llmsim_error *err)
{
    char heading[320];
    struct llmsim_output out;
    enum llmsim_status status = plot_files_begin(files, "run.gp", &out, err);
    if (status != LLMSIM_OK)
        return status;
    plot_put(&out, "# run.gp: what was run, and the ranges of its data, in seconds.\n");
    (void)snprintf(heading, sizeof heading, "%.127s on %.127s",
                   text_or(manifest, "settings", "model", "several models"),
                   text_or(manifest, "settings", "gpu", "several GPUs"));
    char cut[4 * HEADING_WIDTH];
    gnuplot_text_cut(cut, sizeof cut, heading, HEADING_WIDTH);
    plot_put_text(&out, "heading", manifest != NULL ? cut : "sweep", GNUPLOT_TEXT);
    put_subtitle(p, text_or(manifest, "trace", "name", "sweep.csv"), &out);
    for (size_t m = 0; m < SWEEP_N_METRICS; m++)
        put_range(p, m, &out);
    return plot_files_end(&out, LLMSIM_OK, err);
}

/* manifest.json says what all points share; a sweep.csv that was copied lacks it. */
static enum llmsim_status write_described(struct sweep_points *p, const char *dir,
                                          const struct plot_files *files, struct llmsim_error *err)
{
    char *path;
    struct llmsim_json manifest = {0};
    if (asprintf(&path, "%s/manifest.json", dir) < 0)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    enum llmsim_status status = LLMSIM_OK;
    bool is_there = access(path, F_OK) == 0;
    if (is_there)
        status = llmsim_json_load(&manifest, path, err);
    if (status == LLMSIM_OK) {
        status = sweep_axes_find(p, manifest.root, err);
        if (status == LLMSIM_OK)
            status = write_run(p, manifest.root, files, err);
        if (is_there)
            llmsim_json_fini(&manifest);
    }
    free(path);
    return status;
}

enum llmsim_status plot_sweep(const struct llmsim_plot_options *options, struct plot_files *files,
                              struct llmsim_error *err)
{
    struct sweep_points points;
    if (options->n_requests > 0)
        return llmsim_fail(err, LLMSIM_USAGE,
                           "--requests: %s is a sweep; expected the results of one replay",
                           options->dir);
    enum llmsim_status status = sweep_points_read(&points, options->dir, err);
    if (status == LLMSIM_OK && points.n_points == 0)
        status = llmsim_fail_at(err, LLMSIM_IO, options->dir, 0, 0,
                                "sweep.csv has no point that was run to its end");
    if (status == LLMSIM_OK)
        status = write_described(&points, options->dir, files, err);
    if (status == LLMSIM_OK)
        status = sweep_fronts_find(&points, err);
    if (status == LLMSIM_OK)
        status = plot_files_add_part(files, "axis", err);
    for (size_t i = 0; i < points.n_axes && status == LLMSIM_OK; i++)
        status = sweep_axis_write(&points, i, files, err);
    if (status == LLMSIM_OK)
        status = sweep_pareto_write(&points, options->dir, files, err);
    sweep_points_fini(&points);
    return status;
}
