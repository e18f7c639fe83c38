/* sweep_axis.c: latencies against one swept setting: a line for each combination of the others. Of
 * more lines than can be told apart those with the most points on a Pareto front have names and
 * colours, and the others are grey. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "sweep_points.h"

#define MAX_LINES 16u
#define MAX_BEST 8u
#define MAX_OTHERS 500u
#define MAX_TICS 50u
/* Of style.gp, and of gnuplot. */
#define MAX_COLOURS 8u
#define MAX_DASHES 5u
/* Of axis.gp: pixels of a panel, and of a character in a tic's label. */
#define PANEL_PIXELS 216.0
#define CHARACTER_PIXELS 8.0
/* Characters of a line beside the panels. */
#define LEGEND_WIDTH 34u
#define AXIS_WIDTH 38u /* and below one of them */
#define KEY_WIDTH ((size_t)42)
#define MAX_KEY_LINES 20u
/* Of a point: p50 of all metrics, then p99. */
#define N_VALUES ((size_t)2 * SWEEP_N_METRICS)

/* The points of order[first] to order[end - 1]. */
struct line {
    size_t first, end;
    size_t n_front; /* fronts that its points are on */
    double e2e_s;   /* the greatest p99 */
    bool is_named;
};

struct axis_plot {
    const struct sweep_points *points;
    const struct sweep_axis *axis;
    const char *name; /* of the files: "axis_SETTING" */
    double *x;        /* of each value: a number, or its place */
    bool is_numeric;
    size_t *order; /* of the points: by the other settings, then by x */
    struct line *lines;
    size_t n_lines, n_named;
};

static int compare_x(const struct axis_plot *a, size_t i, size_t k)
{
    double x = a->x[a->axis->of[i]], y = a->x[a->axis->of[k]];
    return (x > y) - (x < y);
}

/* By the other settings. */
static int compare_lines(const struct axis_plot *a, size_t i, size_t k)
{
    for (size_t n = 0; n < a->points->n_axes; n++) {
        const struct sweep_axis *axis = &a->points->axes[n];
        if (axis != a->axis && axis->of[i] != axis->of[k])
            return axis->of[i] < axis->of[k] ? -1 : 1;
    }
    return 0;
}

static int compare_points(const void *left, const void *right, void *ctx)
{
    const struct axis_plot *a = ctx;
    size_t i = *(const size_t *)left, k = *(const size_t *)right;
    int order = compare_lines(a, i, k);
    if (order == 0)
        order = compare_x(a, i, k);
    return order != 0 ? order : (i > k) - (i < k);
}

/* The best first: more points on a front, then the least E2E. */
static int compare_quality(const void *left, const void *right)
{
    const struct line *a = *(struct line *const *)left, *b = *(struct line *const *)right;
    if (a->n_front != b->n_front)
        return a->n_front > b->n_front ? -1 : 1;
    if (a->e2e_s < b->e2e_s || a->e2e_s > b->e2e_s)
        return a->e2e_s < b->e2e_s ? -1 : 1;
    return (a->first > b->first) - (a->first < b->first);
}

/* Settings that are numbers have their places on the axis, others are evenly spaced. */
static void set_x(struct axis_plot *a)
{
    const struct text_list *values = &a->axis->values;
    bool differ = false;
    a->is_numeric = true;
    for (size_t i = 0; i < values->n; i++) {
        char *end;
        a->x[i] = strtod(values->items[i], &end);
        if (*end != '\0' || end == values->items[i] || !isfinite(a->x[i]))
            a->is_numeric = false;
        differ = differ || a->x[i] < a->x[0] || a->x[i] > a->x[0];
    }
    a->is_numeric = a->is_numeric && differ; /* "8" and "8.0" have no axis of numbers */
    for (size_t i = 0; i < values->n && !a->is_numeric; i++)
        a->x[i] = (double)i + 1;
}

/* Which lines there are, and what is in them. */
static void find_lines(struct axis_plot *a)
{
    for (size_t i = 0; i < a->points->n_points; i++) {
        const struct sweep_point *point = &a->points->points[a->order[i]];
        if (i == 0 || compare_lines(a, a->order[i - 1], a->order[i]) != 0)
            a->lines[a->n_lines++] = (struct line){.first = i};
        struct line *line = &a->lines[a->n_lines - 1];
        line->end = i + 1;
        for (unsigned m = 0; m < SWEEP_N_METRICS; m++)
            line->n_front += point->fronts >> m & 1;
        if (point->p99[SWEEP_E2E] > line->e2e_s)
            line->e2e_s = point->p99[SWEEP_E2E];
    }
}

static double value_of(const struct sweep_point *point, size_t i)
{
    return i < SWEEP_N_METRICS ? point->p50[i] : point->p99[i - SWEEP_N_METRICS];
}

static bool same_values(const struct sweep_point *one, const struct sweep_point *other)
{
    for (size_t i = 0; i < N_VALUES; i++)
        if (value_of(one, i) < value_of(other, i) || value_of(one, i) > value_of(other, i))
            return false;
    return true;
}

/* A setting that changes nothing gives lines that lie on each other: one of them is enough. */
static bool are_equal(const struct axis_plot *a, const struct line *one, const struct line *other)
{
    const size_t *i = &a->order[one->first], *k = &a->order[other->first];
    size_t n = one->end - one->first;
    bool equal = other->end - other->first == n;
    for (; n > 0 && equal; n--, i++, k++)
        equal = compare_x(a, *i, *k) == 0 &&
                same_values(&a->points->points[*i], &a->points->points[*k]);
    return equal;
}

static void name_best(struct axis_plot *a, struct line **best)
{
    for (size_t i = 0; i < a->n_lines && a->n_named < MAX_BEST; i++) {
        bool is_new = true;
        for (size_t k = 0; k < i && is_new; k++)
            is_new = !best[k]->is_named || !are_equal(a, best[i], best[k]);
        best[i]->is_named = is_new;
        a->n_named += is_new;
    }
}

static enum llmsim_status choose_lines(struct axis_plot *a, struct llmsim_error *err)
{
    if (a->n_lines <= MAX_LINES) {
        for (; a->n_named < a->n_lines; a->n_named++)
            a->lines[a->n_named].is_named = true;
        return LLMSIM_OK;
    }
    struct line **best = malloc(a->n_lines * sizeof *best);
    if (best == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    for (size_t i = 0; i < a->n_lines; i++)
        best[i] = &a->lines[i];
    qsort(best, a->n_lines, sizeof *best, compare_quality);
    name_best(a, best);
    free(best);
    return LLMSIM_OK;
}

static void put_points(const struct axis_plot *a, const struct line *line,
                       struct llmsim_output *out)
{
    for (size_t i = line->first; i < line->end; i++) {
        const struct sweep_point *point = &a->points->points[a->order[i]];
        plot_put(out, "%.9g,%d", a->x[a->axis->of[a->order[i]]], point->is_saturated ? 6 : 7);
        for (size_t k = 0; k < N_VALUES; k++)
            if (value_of(point, k) >= 0)
                plot_put(out, ",%.9g", value_of(point, k));
            else
                plot_put(out, ",");
        plot_put(out, "\n");
    }
}

static void put_header(const struct axis_plot *a, struct llmsim_output *out)
{
    plot_put(out, "%s,point_type,ttft_p50_s,itl_p50_s,e2e_p50_s,ttft_p99_s,itl_p99_s,e2e_p99_s\n",
             a->name + strlen("axis_"));
}

/* A block for each line that has a name. */
static void put_named(const struct axis_plot *a, struct llmsim_output *out)
{
    for (size_t i = 0, n = 0; i < a->n_lines; i++) {
        if (!a->lines[i].is_named)
            continue;
        plot_put(out, "%s", n++ > 0 ? "\n\n" : "");
        put_header(a, out);
        put_points(a, &a->lines[i], out);
    }
}

/* The others, evenly taken, with a blank line between them. */
static void put_others(const struct axis_plot *a, struct llmsim_output *out)
{
    size_t n = 0, stride = 1 + (a->n_lines - a->n_named) / MAX_OTHERS;
    put_header(a, out);
    for (size_t i = 0; i < a->n_lines; i++)
        if (!a->lines[i].is_named && n++ % stride == 0) {
            put_points(a, &a->lines[i], out);
            plot_put(out, "\n");
        }
}

static enum llmsim_status
write_data(const struct axis_plot *a, const struct plot_files *files, const char *suffix,
           void (*put)(const struct axis_plot *a, struct llmsim_output *out),
           struct llmsim_error *err)
{
    char file[160];
    struct llmsim_output out;
    (void)snprintf(file, sizeof file, "%s%s.csv", a->name, suffix);
    enum llmsim_status status = plot_files_begin(files, file, &out, err);
    if (status != LLMSIM_OK)
        return status;
    put(a, &out);
    return plot_files_end(&out, LLMSIM_OK, err);
}

/* Values of the other settings at a point, or, without one, their names, with commas between. */
static void join_others(const struct axis_plot *a, const size_t *point, char *text, size_t room)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < a->points->n_axes && used < room; i++) {
        const struct sweep_axis *axis = &a->points->axes[i];
        char label[64];
        if (axis == a->axis)
            continue;
        if (point != NULL)
            sweep_axis_label(axis, axis->of[*point], label);
        used += (size_t)snprintf(text + used, room - used, "%s%.100s", used > 0 ? ", " : "",
                                 point != NULL ? label : axis->name);
    }
}

struct line_style {
    size_t colour, dash; /* from 1 */
};

/* Do the lines of two points differ in another setting than `apart`? */
static bool differ(const struct axis_plot *a, const struct sweep_axis *apart, size_t i, size_t k)
{
    for (size_t n = 0; n < a->points->n_axes; n++) {
        const struct sweep_axis *axis = &a->points->axes[n];
        if (axis != a->axis && axis != apart && axis->of[i] != axis->of[k])
            return true;
    }
    return false;
}

/* The colour is that of the other setting with most values, and dashes tell the rest apart; where
 * there are not as many kinds of dashes, or where not all lines have names, each has its own. */
static void choose_styles(const struct axis_plot *a, struct line_style styles[static MAX_LINES])
{
    const struct sweep_axis *most = NULL;
    size_t n_dashes = 0, firsts[MAX_LINES];
    for (size_t i = 0; i < a->points->n_axes; i++) {
        const struct sweep_axis *axis = &a->points->axes[i];
        if (axis != a->axis && (most == NULL || axis->values.n >= most->values.n))
            most = axis;
    }
    for (size_t i = 0; i < a->n_named && a->n_named == a->n_lines && most != NULL; i++) {
        size_t point = a->order[a->lines[i].first], dash = 0;
        while (dash < n_dashes && differ(a, most, point, firsts[dash]))
            dash++;
        if (dash == n_dashes)
            firsts[n_dashes++] = point;
        styles[i] = (struct line_style){1 + most->of[point] % MAX_COLOURS,
                                        1 + dash + most->of[point] / MAX_COLOURS};
    }
    size_t n_colours = most != NULL ? (most->values.n + MAX_COLOURS - 1) / MAX_COLOURS : 1;
    if (n_dashes > 0 && (n_dashes == 1 || n_colours == 1) && n_dashes * n_colours <= MAX_DASHES)
        return;
    for (size_t i = 0; i < a->n_named; i++)
        styles[i] = (struct line_style){1 + i % MAX_COLOURS, 1 + i / MAX_COLOURS};
}

/* lines[1] = 'mixed, 64' */
static void put_lines(const struct axis_plot *a, struct llmsim_output *out)
{
    char name[32], title[256], cut[4 * LEGEND_WIDTH];
    struct line_style styles[MAX_LINES];
    plot_put(out,
             "n_lines = %zu\narray lines[n_lines]\narray line_colours[n_lines]\n"
             "array line_dashes[n_lines]\n",
             a->n_named);
    choose_styles(a, styles);
    for (size_t i = 0, n = 0; i < a->n_lines; i++) {
        if (!a->lines[i].is_named)
            continue;
        join_others(a, &a->order[a->lines[i].first], title, sizeof title);
        gnuplot_text_cut(cut, sizeof cut, title[0] != '\0' ? title : "all points", LEGEND_WIDTH);
        (void)snprintf(name, sizeof name, "lines[%zu]", n + 1);
        plot_put_text(out, name, cut, GNUPLOT_TEXT);
        plot_put(out, "line_colours[%zu] = %zu\nline_dashes[%zu] = %zu\n", n + 1, styles[n].colour,
                 n + 1, styles[n].dash);
        n++;
    }
}

/* What letters stand for, of this axis and the others: key = "A: …\nB: …". */
static void put_key(const struct axis_plot *a, struct llmsim_output *out)
{
    size_t n_lines = 0;
    plot_put(out, "key_text = ''\n");
    for (size_t i = 0; i < a->points->n_axes; i++) {
        const struct sweep_axis *axis = &a->points->axes[i];
        if (!axis->has_letters)
            continue;
        plot_put_text(out, "part", axis->title, GNUPLOT_TEXT);
        plot_put(out, "key_text = key_text.part.\"\\n\"\n");
        n_lines++;
        for (uint32_t k = 0; k < axis->values.n && n_lines < MAX_KEY_LINES; k++) {
            char label[64], cut[512], text[600];
            sweep_axis_label(axis, k, label);
            gnuplot_text_cut(cut, sizeof cut, axis->values.items[k], 3 * (KEY_WIDTH - 8));
            (void)snprintf(text, sizeof text, "%s: %s", label, cut);
            n_lines += plot_put_wrapped(out, "part", text, KEY_WIDTH);
            plot_put(out, "key_text = key_text.part.\"\\n\"\n");
        }
        if (n_lines >= MAX_KEY_LINES) {
            plot_put(out, "key_text = key_text.\"\u2026 (sweep.csv has all)\\n\"\n");
            n_lines++;
            break;
        }
    }
    plot_put(out, "n_key_lines = %zu\n", n_lines);
}

/* Labels below the axis, as many as do not run into each other; the first of them always. */
static void put_tics(const struct axis_plot *a, struct llmsim_output *out)
{
    const struct text_list *values = &a->axis->values;
    double low = a->x[0], high = a->x[0];
    for (size_t i = 0; i < values->n; i++) {
        low = a->x[i] < low ? a->x[i] : low;
        high = a->x[i] > high ? a->x[i] : high;
    }
    bool is_log = a->is_numeric && low > 0 && high / low > 5;
    double margin = a->is_numeric ? 0.05 : 0.3 / (double)(values->n - 1);
    plot_put(out, "low = %.9g\nhigh = %.9g\nx_is_log = %d\nx_margin = %g\n", low, high, is_log,
             margin);
    if (a->is_numeric && values->n > MAX_TICS) {
        plot_put(out, "set xtics autofreq\n");
        return;
    }
    plot_put(out, "set xtics ()\n");
    double pixels[MAX_TICS];
    size_t lengths[MAX_TICS] = {0}, n = values->n < MAX_TICS ? values->n : MAX_TICS;
    for (size_t i = 0; i < n; i++) {
        char label[64];
        double place =
            is_log ? log(a->x[i] / low) / log(high / low) : (a->x[i] - low) / (high - low);
        sweep_axis_label(a->axis, (uint32_t)i, label);
        pixels[i] = place * PANEL_PIXELS / (1 + 2 * margin);
        size_t length = strlen(label);
        for (size_t k = 0; k < i; k++)
            if (lengths[k] > 0 && fabs(pixels[i] - pixels[k]) <
                                      CHARACTER_PIXELS / 2 * (double)(length + lengths[k] + 1))
                length = 0;
        lengths[i] = length;
        plot_put_text(out, "label", length > 0 ? label : "", GNUPLOT_TIC_LABEL);
        plot_put(out, "set xtics add (label %.9g)\n", a->x[i]);
    }
}

/* What the numbers of a setting are of, where its name does not say. */
static const char *find_unit(const char *setting)
{
    static const struct {
        const char *setting, *unit;
    } units[] = {
        {"rate_scale", "× the trace's"},
        {"max_num_seqs", "requests"},
        {"max_num_batched_tokens", "tokens"},
        {"long_prefill_token_threshold", "tokens"},
        {"block_size", "tokens"},
        {"num_gpu_blocks", "blocks"},
        {"max_concurrency", "requests"},
        {"tensor_parallel_size", "GPUs of a replica"},
        {"ptps", "prompt tokens/s"},
        {"gpu_memory_utilization", "share"},
        {"watermark", "share"},
        {"kv_link_gbps", "Gbit/s"},
    };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(units[i].setting, setting) == 0)
            return units[i].unit;
    return NULL;
}

static void put_titles(const struct axis_plot *a, struct llmsim_output *out)
{
    char text[640], cut[4 * AXIS_WIDTH];
    const char *unit = find_unit(a->axis->name);
    (void)snprintf(text, sizeof text, unit != NULL ? "%s (%s)" : "%s", a->axis->name, unit);
    gnuplot_text_cut(cut, sizeof cut, text, AXIS_WIDTH);
    plot_put_text(out, "axis", cut, GNUPLOT_TEXT);
    join_others(a, NULL, text, sizeof text);
    (void)plot_put_wrapped(out, "others", text, LEGEND_WIDTH);
    if (a->n_named == a->n_lines)
        return;
    (void)snprintf(text, sizeof text, "best of %zu: most points on Pareto fronts", a->n_lines);
    (void)plot_put_wrapped(out, "part", text, LEGEND_WIDTH);
    plot_put(out, "others = others.\"\\n\".part\n");
}

/* What axis.gp needs, and then that. */
static enum llmsim_status write_script(const struct axis_plot *a, struct plot_files *files,
                                       struct llmsim_error *err)
{
    char file[160];
    struct llmsim_output out;
    (void)snprintf(file, sizeof file, "%s.gp", a->name);
    enum llmsim_status status = plot_files_begin(files, file, &out, err);
    if (status != LLMSIM_OK)
        return status;
    plot_put(&out,
             "# %s: latencies against a swept setting. Run it with `gnuplot %s` in its\n"
             "# directory. llmsim replaces this file: keep a changed one under another name.\n",
             file, file);
    plot_put(&out, "name = '%s'\n", a->name);
    put_titles(a, &out);
    put_tics(a, &out);
    put_lines(a, &out);
    plot_put(&out, "has_others = %d\n", a->n_named < a->n_lines);
    put_key(a, &out);
    plot_put(&out, "load 'axis.gp'\n");
    status = plot_files_end(&out, LLMSIM_OK, err);
    return status == LLMSIM_OK ? plot_files_add_made(files, a->name, err) : status;
}

static enum llmsim_status write_all(struct axis_plot *a, struct plot_files *files,
                                    struct llmsim_error *err)
{
    set_x(a);
    for (size_t i = 0; i < a->points->n_points; i++)
        a->order[i] = i;
    qsort_r(a->order, a->points->n_points, sizeof *a->order, compare_points, a);
    find_lines(a);
    enum llmsim_status status = choose_lines(a, err);
    if (status == LLMSIM_OK)
        status = write_data(a, files, "", put_named, err);
    if (status == LLMSIM_OK && a->n_named < a->n_lines)
        status = write_data(a, files, "_others", put_others, err);
    return status == LLMSIM_OK ? write_script(a, files, err) : status;
}

enum llmsim_status sweep_axis_write(const struct sweep_points *points, size_t axis,
                                    struct plot_files *files, struct llmsim_error *err)
{
    const struct sweep_axis *setting = &points->axes[axis];
    char name[128];
    (void)snprintf(name, sizeof name, "axis_%.100s", setting->name);
    for (char *c = name; *c != '\0'; c++) /* a file's name, and a script's text */
        if (strchr("abcdefghijklmnopqrstuvwxyz0123456789_", *c) == NULL)
            *c = '_';
    struct axis_plot a = {.points = points,
                          .axis = setting,
                          .name = name,
                          .x = malloc(setting->values.n * sizeof *a.x),
                          .order = malloc(points->n_points * sizeof *a.order),
                          .lines = malloc(points->n_points * sizeof *a.lines)};
    enum llmsim_status status = LLMSIM_OK;
    if (a.x == NULL || a.order == NULL || a.lines == NULL)
        status = llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    else
        status = write_all(&a, files, err);
    free(a.x);
    free(a.order);
    free(a.lines);
    return status;
}
