/* grid.h: adding an axis of several settings, which is how specs make them. */
#ifndef LLMSIM_SWEEP_GRID_H
#define LLMSIM_SWEEP_GRID_H

#include "llmsim/sweep.h"

/* Borrowed; the grid copies. */
struct llmsim_grid_axis {
    const char *const *names;
    const char *const *values; /* n_rows × n_columns, row by row; NULL where a row does not say */
    size_t n_rows, n_columns;
    bool is_fixed;
};
LLMSIM_MUST_CHECK enum llmsim_status llmsim_grid_add(struct llmsim_grid *grid,
                                                     const struct llmsim_grid_axis *axis,
                                                     struct llmsim_error *err);

/* Add the values of a swept setting, row by row of its axis, to an object of the document; an empty
 * text where a row does not say. */
void llmsim_grid_describe_axis(const struct llmsim_grid *grid, size_t setting,
                               struct llmsim_json_document *document, struct cJSON *parent);

#endif
