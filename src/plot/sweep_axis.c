/* sweep_axis.c: latencies against one swept setting: a line for each combination of the others, or,
 * where these are too many for a picture, their median and extremes. */
#include <stdio.h>
#include <stdlib.h>

#include "sweep_points.h"

#define MAX_LINES 16u
#define MAX_TICS 12u
/* Of a point: p50 of all metrics, then p99. */
#define N_VALUES ((size_t)2 * SWEEP_N_METRICS)

struct axis_plot {
    const struct sweep_points *points;
    size_t axis;
    const char *column; /* the setting's name, as far as a file's name can have it */
    double *x;          /* of each value: a number, or its place */
    bool is_numeric;
    size_t *order; /* of the points: by the other settings, then by x; or by x */
    size_t n_lines;
};

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static int compare_x(const struct axis_plot *a, size_t i, size_t k)
{
    double x = a->x[sweep_points_value(a->points, i, a->axis)];
    double y = a->x[sweep_points_value(a->points, k, a->axis)];
    return (x > y) - (x < y);
}

/* By the other settings. */
static int compare_lines(const struct axis_plot *a, size_t i, size_t k)
{
    for (size_t axis = 0; axis < a->points->n_axes; axis++) {
        uint32_t v = sweep_points_value(a->points, i, axis);
        uint32_t w = sweep_points_value(a->points, k, axis);
        if (axis != a->axis && v != w)
            return v < w ? -1 : 1;
    }
    return 0;
}

static int compare_by_lines(const void *left, const void *right, void *ctx)
{
    const struct axis_plot *a = ctx;
    size_t i = *(const size_t *)left, k = *(const size_t *)right;
    int order = compare_lines(a, i, k);
    if (order == 0)
        order = compare_x(a, i, k);
    return order != 0 ? order : (i > k) - (i < k);
}

static int compare_by_x(const void *left, const void *right, void *ctx)
{
    size_t i = *(const size_t *)left, k = *(const size_t *)right;
    int order = compare_x(ctx, i, k);
    return order != 0 ? order : (i > k) - (i < k);
}

/* Settings that are numbers have their places on the axis, others are evenly spaced. */
static void set_x(struct axis_plot *a)
{
    const struct text_list *values = &a->points->axes[a->axis].values;
    a->is_numeric = true;
    for (size_t i = 0; i < values->n; i++) {
        char *end;
        a->x[i] = strtod(values->items[i], &end);
        if (*end != '\0' || end == values->items[i] || !(a->x[i] - a->x[i] == 0))
            a->is_numeric = false;
    }
    for (size_t i = 0; i < values->n && !a->is_numeric; i++)
        a->x[i] = (double)i + 1;
}

static void put_values(struct llmsim_output *out, double x, int point_type,
                       const double values[static N_VALUES])
{
    plot_put(out, "%.9g,%d", x, point_type);
    for (size_t i = 0; i < N_VALUES; i++) {
        if (values[i] >= 0)
            plot_put(out, ",%.9g", values[i]);
        else
            plot_put(out, ",");
    }
    plot_put(out, "\n");
}

static double value_of(const struct sweep_point *point, size_t i)
{
    return i < SWEEP_N_METRICS ? point->p50[i] : point->p99[i - SWEEP_N_METRICS];
}

static void put_header(struct llmsim_output *out, const struct axis_plot *a, size_t line)
{
    plot_put(out, "%s%s,point_type,ttft_p50_s,itl_p50_s,e2e_p50_s,ttft_p99_s,itl_p99_s,e2e_p99_s\n",
             line > 0 ? "\n\n" : "", a->column);
}

/* A block for each combination of the other settings. */
static void put_lines(const struct axis_plot *a, struct llmsim_output *out)
{
    for (size_t i = 0, line = 0; i < a->points->n_points; i++) {
        const struct sweep_point *point = &a->points->points[a->order[i]];
        double values[N_VALUES];
        if (i == 0 || compare_lines(a, a->order[i - 1], a->order[i]) != 0)
            put_header(out, a, line++);
        for (size_t k = 0; k < N_VALUES; k++)
            values[k] = value_of(point, k);
        put_values(out, a->x[sweep_points_value(a->points, a->order[i], a->axis)],
                   point->is_saturated ? 6 : 7, values);
    }
}

/* Least, median and greatest of what the points from i to end - 1 have, as a row of a block. */
static void put_extreme(const struct axis_plot *a, size_t i, size_t end, size_t which, double *room,
                        struct llmsim_output *out)
{
    double values[N_VALUES];
    for (size_t k = 0; k < N_VALUES; k++) {
        size_t n = 0;
        for (size_t j = i; j < end; j++) {
            double value = value_of(&a->points->points[a->order[j]], k);
            if (value >= 0)
                room[n++] = value;
        }
        if (n > 1)
            qsort(room, n, sizeof *room, compare_doubles);
        values[k] = n == 0 ? -1 : room[which == 0 ? n - 1 : which == 1 ? (n - 1) / 2 : 0];
    }
    put_values(out, a->x[sweep_points_value(a->points, a->order[i], a->axis)], 7, values);
}

static enum llmsim_status put_extremes(const struct axis_plot *a, struct llmsim_output *out,
                                       struct llmsim_error *err)
{
    size_t n = a->points->n_points, end;
    double *room = malloc(n * sizeof *room);
    if (room == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    for (size_t which = 0; which < 3; which++) {
        put_header(out, a, which);
        for (size_t i = 0; i < n; i = end) {
            for (end = i + 1; end < n && compare_x(a, a->order[i], a->order[end]) == 0;)
                end++;
            put_extreme(a, i, end, which, room, out);
        }
    }
    free(room);
    return LLMSIM_OK;
}

/* Names or values of the settings beside the axis that vary, with commas between. */
static const char *join_others(const struct axis_plot *a, size_t point, bool names, char *text,
                               size_t capacity)
{
    const struct sweep_points *p = a->points;
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < p->n_axes && used < capacity; i++) {
        const struct sweep_axis *axis = &p->axes[i];
        const char *value = axis->values.items[sweep_points_value(p, point, i)];
        if (i != a->axis && axis->values.n > 1)
            used += (size_t)snprintf(text + used, capacity - used, "%s%.40s", used > 0 ? ", " : "",
                                     names ? axis->name : value);
    }
    return text;
}

/* The colour of a line is that of the last of the other settings that varies; its dashes are those
 * of the rest. */
static void put_line_style(const struct axis_plot *a, size_t i, size_t line, size_t *dash,
                           struct llmsim_output *out)
{
    const struct sweep_points *p = a->points;
    size_t last = p->n_axes;
    uint32_t colour = 0;
    for (size_t axis = 0; axis < p->n_axes; axis++)
        if (axis != a->axis && p->axes[axis].values.n > 1)
            last = axis;
    if (last < p->n_axes)
        colour = sweep_points_value(p, a->order[i], last);
    bool is_new = i == 0;
    for (size_t axis = 0; axis < last && i > 0; axis++)
        is_new = is_new || (axis != a->axis && sweep_points_value(p, a->order[i - 1], axis) !=
                                                   sweep_points_value(p, a->order[i], axis));
    *dash += is_new;
    plot_put(out, "line_colours[%zu] = %u\nline_dashes[%zu] = %zu\n", line, colour + 1, line,
             *dash);
}

/* lines[1] = 'mixed, 64' */
static void put_line_titles(const struct axis_plot *a, struct llmsim_output *out)
{
    char name[32], title[256];
    size_t dash = 0;
    for (size_t i = 0, line = 0; i < a->points->n_points; i++) {
        if (i > 0 && compare_lines(a, a->order[i - 1], a->order[i]) == 0)
            continue;
        (void)snprintf(name, sizeof name, "lines[%zu]", ++line);
        put_line_style(a, i, line, &dash, out);
        plot_put_text(out, name, join_others(a, a->order[i], false, title, sizeof title),
                      GNUPLOT_TEXT);
    }
}

static void put_tics(const struct axis_plot *a, struct llmsim_output *out)
{
    const struct text_list *values = &a->points->axes[a->axis].values;
    double low = a->x[0], high = a->x[0];
    for (size_t i = 0; i < values->n; i++) {
        low = a->x[i] < low ? a->x[i] : low;
        high = a->x[i] > high ? a->x[i] : high;
    }
    plot_put(out, "low = %.9g\nhigh = %.9g\nx_is_log = %d\n", low, high,
             a->is_numeric && low > 0 && high / low > 5);
    plot_put(out, "x_margin = %g\n", a->is_numeric ? 0.05 : 0.3 / (double)(values->n - 1));
    if (a->is_numeric && values->n > MAX_TICS) {
        plot_put(out, "set xtics autofreq\n");
        return;
    }
    plot_put(out, "set xtics ()\n");
    for (size_t i = 0; i < values->n && i < 50; i++) {
        char label[32];
        (void)snprintf(label, sizeof label, "%s", values->items[i]);
        plot_put_text(out, "label", label, GNUPLOT_TIC_LABEL);
        plot_put(out, "set xtics add (label %.9g)\n", a->x[i]);
    }
}

/* What axis.gp needs, and then that. */
static enum llmsim_status write_script(const struct axis_plot *a, const char *name,
                                       struct plot_files *files, struct llmsim_error *err)
{
    char file[160];
    struct llmsim_output out;
    (void)snprintf(file, sizeof file, "%s.gp", name);
    enum llmsim_status status = plot_files_begin(files, file, &out, err);
    if (status != LLMSIM_OK)
        return status;
    plot_put(&out,
             "# %s: latencies against a swept setting. Run it with `gnuplot %s` in its\n"
             "# directory. llmsim replaces this file: keep a changed one under another name.\n",
             file, file);
    plot_put(&out, "name = '%s'\n", name);
    plot_put_text(&out, "axis", a->points->axes[a->axis].name, GNUPLOT_TEXT);
    put_tics(a, &out);
    char others[256];
    plot_put_text(&out, "others", join_others(a, 0, true, others, sizeof others), GNUPLOT_TEXT);
    size_t n_lines = a->n_lines <= MAX_LINES ? a->n_lines : 3;
    plot_put(&out,
             "n_lines = %zu\narray lines[n_lines]\narray line_colours[n_lines]\n"
             "array line_dashes[n_lines]\n",
             n_lines);
    if (a->n_lines <= MAX_LINES)
        put_line_titles(a, &out);
    else
        plot_put(&out,
                 "lines[1] = 'greatest of %zu settings'\nlines[2] = 'median'\nlines[3] = 'least'\n"
                 "do for [i = 1 : 3] { line_colours[i] = i; line_dashes[i] = 1 }\n",
                 a->n_lines);
    plot_put(&out, "load 'axis.gp'\n");
    status = plot_files_end(&out, LLMSIM_OK, err);
    return status == LLMSIM_OK ? plot_files_add_made(files, name, err) : status;
}

static enum llmsim_status write_data(struct axis_plot *a, const char *name,
                                     const struct plot_files *files, struct llmsim_error *err)
{
    char file[160];
    struct llmsim_output out;
    size_t n = a->points->n_points;
    for (size_t i = 0; i < n; i++)
        a->order[i] = i;
    qsort_r(a->order, n, sizeof *a->order, compare_by_lines, a);
    a->n_lines = 1;
    for (size_t i = 1; i < n; i++)
        a->n_lines += compare_lines(a, a->order[i - 1], a->order[i]) != 0;
    (void)snprintf(file, sizeof file, "%s.csv", name);
    enum llmsim_status status = plot_files_begin(files, file, &out, err);
    if (status != LLMSIM_OK)
        return status;
    if (a->n_lines <= MAX_LINES) {
        put_lines(a, &out);
    } else {
        qsort_r(a->order, n, sizeof *a->order, compare_by_x, a);
        status = put_extremes(a, &out, err);
    }
    return plot_files_end(&out, status, err);
}

enum llmsim_status sweep_axis_write(const struct sweep_points *points, size_t axis,
                                    struct plot_files *files, struct llmsim_error *err)
{
    const struct sweep_axis *setting = &points->axes[axis];
    char name[128];
    if (setting->values.n < 2)
        return LLMSIM_OK;
    (void)snprintf(name, sizeof name, "axis_%.100s", setting->name);
    for (char *c = name; *c != '\0'; c++) /* a file's name, and a script's text */
        if (strchr("abcdefghijklmnopqrstuvwxyz0123456789_", *c) == NULL)
            *c = '_';
    struct axis_plot a = {.points = points,
                          .axis = axis,
                          .column = name + strlen("axis_"),
                          .x = malloc(setting->values.n * sizeof *a.x),
                          .order = malloc(points->n_points * sizeof *a.order)};
    enum llmsim_status status = LLMSIM_OK;
    if (a.x == NULL || a.order == NULL) {
        status = llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    } else {
        set_x(&a);
        status = write_data(&a, name, files, err);
        if (status == LLMSIM_OK)
            status = write_script(&a, name, files, err);
    }
    free(a.x);
    free(a.order);
    return status;
}
