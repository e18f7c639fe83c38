/* grid.c: settings and their combinations. */
#include <stdlib.h>
#include <string.h>

#include "grid.h"

struct llmsim_grid {
    struct axis *axes;
    size_t n_axes;
    struct setting *settings;
    size_t n_settings;
    uint64_t n_points;
};

/* Rows of values that change together. */
struct axis {
    size_t n_rows, n_columns;
    char **values; /* row by row; NULL where a row does not say */
    bool is_fixed;
};

struct setting {
    char *name;
    size_t axis, column;
};

enum llmsim_status llmsim_grid_create(struct llmsim_grid **grid, struct llmsim_error *err)
{
    *grid = calloc(1, sizeof **grid);
    if (*grid == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    (*grid)->n_points = 1;
    return LLMSIM_OK;
}

void llmsim_grid_destroy(struct llmsim_grid *grid)
{
    if (grid == NULL)
        return;
    for (size_t i = 0; i < grid->n_axes; i++) {
        for (size_t j = 0; j < grid->axes[i].n_rows * grid->axes[i].n_columns; j++)
            free(grid->axes[i].values[j]);
        free(grid->axes[i].values);
    }
    for (size_t i = 0; i < grid->n_settings; i++)
        free(grid->settings[i].name);
    free(grid->axes);
    free(grid->settings);
    free(grid);
}

static enum llmsim_status check_new(const struct llmsim_grid *grid,
                                    const struct llmsim_grid_axis *axis, size_t column,
                                    struct llmsim_error *err)
{
    const char *name = axis->names[column];
    bool is_new = true;
    for (size_t i = 0; i < grid->n_settings; i++)
        is_new = is_new && strcmp(grid->settings[i].name, name) != 0;
    for (size_t i = 0; i < column; i++)
        is_new = is_new && strcmp(axis->names[i], name) != 0;
    if (is_new)
        return LLMSIM_OK;
    return llmsim_fail(err, LLMSIM_USAGE, "%s is given twice; expected it once", name);
}

/* A copy; NULL and *failed without memory. NULL for NULL. */
static char *copy_text(const char *text, bool *failed)
{
    char *copy = text != NULL ? strdup(text) : NULL;
    *failed = *failed || (text != NULL && copy == NULL);
    return copy;
}

/* The arrays have room for them. What is in the grid is freed with it, so that a copy that fails
 * half-way needs no more care. */
static bool fill_axis(struct llmsim_grid *grid, const struct llmsim_grid_axis *from)
{
    bool failed = false;
    size_t n_values = from->n_rows * from->n_columns;
    struct axis *axis = &grid->axes[grid->n_axes];
    *axis = (struct axis){.is_fixed = from->is_fixed};
    axis->values = calloc(n_values, sizeof *axis->values);
    if (axis->values == NULL)
        return false;
    axis->n_rows = from->n_rows;
    axis->n_columns = from->n_columns;
    for (size_t i = 0; i < n_values; i++)
        axis->values[i] = copy_text(from->values[i], &failed);
    for (size_t i = 0; i < from->n_columns; i++)
        grid->settings[grid->n_settings++] =
            (struct setting){copy_text(from->names[i], &failed), grid->n_axes, i};
    grid->n_axes++;
    return !failed;
}

enum llmsim_status llmsim_grid_add(struct llmsim_grid *grid, const struct llmsim_grid_axis *from,
                                   struct llmsim_error *err)
{
    enum llmsim_status status = LLMSIM_OK;
    for (size_t i = 0; i < from->n_columns && status == LLMSIM_OK; i++)
        status = check_new(grid, from, i, err);
    if (status != LLMSIM_OK)
        return status;
    if (from->n_rows > LLMSIM_MAX_POINTS / grid->n_points)
        return llmsim_fail(err, LLMSIM_USAGE, "the grid has more than %llu points; expected fewer",
                           (unsigned long long)LLMSIM_MAX_POINTS);
    struct axis *axes = realloc(grid->axes, (grid->n_axes + 1) * sizeof *axes);
    if (axes != NULL)
        grid->axes = axes;
    struct setting *settings =
        realloc(grid->settings, (grid->n_settings + from->n_columns) * sizeof *settings);
    if (settings != NULL)
        grid->settings = settings;
    if (axes == NULL || settings == NULL || !fill_axis(grid, from))
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory for the grid");
    grid->n_points *= from->n_rows;
    return LLMSIM_OK;
}

enum llmsim_status llmsim_grid_fix(struct llmsim_grid *grid, const char *name, const char *value,
                                   struct llmsim_error *err)
{
    const struct llmsim_grid_axis axis = {&name, &value, 1, 1, true};
    return llmsim_grid_add(grid, &axis, err);
}

enum llmsim_status llmsim_grid_add_axis(struct llmsim_grid *grid, const char *name,
                                        const char *const *values, size_t n,
                                        struct llmsim_error *err)
{
    const struct llmsim_grid_axis axis = {&name, values, n, 1, false};
    return llmsim_grid_add(grid, &axis, err);
}

uint64_t llmsim_grid_n_points(const struct llmsim_grid *grid)
{
    return grid->n_points;
}

size_t llmsim_grid_n_settings(const struct llmsim_grid *grid)
{
    return grid->n_settings;
}

const char *llmsim_grid_name(const struct llmsim_grid *grid, size_t setting)
{
    return grid->settings[setting].name;
}

bool llmsim_grid_is_fixed(const struct llmsim_grid *grid, size_t setting)
{
    return grid->axes[grid->settings[setting].axis].is_fixed;
}

const char *llmsim_grid_value(const struct llmsim_grid *grid, uint64_t point, size_t setting)
{
    const struct setting *s = &grid->settings[setting];
    const struct axis *axis = &grid->axes[s->axis];
    for (size_t i = grid->n_axes - 1; i > s->axis; i--)
        point /= grid->axes[i].n_rows;
    return axis->values[(size_t)(point % axis->n_rows) * axis->n_columns + s->column];
}

void llmsim_grid_describe_axis(const struct llmsim_grid *grid, size_t setting,
                               struct llmsim_json_document *document, struct cJSON *parent)
{
    const struct setting *s = &grid->settings[setting];
    const struct axis *axis = &grid->axes[s->axis];
    struct cJSON *object = llmsim_json_add_object(document, parent, s->name);
    llmsim_json_add_number(document, object, "axis", (double)s->axis);
    struct cJSON *values = llmsim_json_add_array(document, object, "values");
    for (size_t i = 0; i < axis->n_rows; i++) {
        const char *value = axis->values[i * axis->n_columns + s->column];
        llmsim_json_append_string(document, values, value != NULL ? value : "");
    }
}
