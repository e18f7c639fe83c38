/* result_table.h: a CSV file of results, read row by row, its columns found by name.
 *
 * Every error is LLMSIM_IO with FILE:LINE:COLUMN, or LLMSIM_RUN_FAILED (memory). */
#ifndef LLMSIM_PLOT_RESULT_TABLE_H
#define LLMSIM_PLOT_RESULT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "csv_line.h"
#include "lines.h"
#include "llmsim/status.h"

#define RESULT_TABLE_NO_COLUMN SIZE_MAX

struct result_table {
    struct llmsim_lines lines;
    struct llmsim_line line; /* of the row at hand */
    struct llmsim_csv_line csv;
    struct llmsim_csv_field *fields; /* of the row at hand; not NUL-terminated */
    struct llmsim_csv_field plain[LLMSIM_CSV_MAX_FIELDS];
    char **names; /* of the columns */
    size_t n_columns;
    char *path;
};

/* DIR/NAME, or DIR/NAME.zst where that is not there. *found false: neither is; nothing is open. */
LLMSIM_MUST_CHECK enum llmsim_status result_table_open(struct result_table *table, const char *dir,
                                                       const char *name, bool *found,
                                                       struct llmsim_error *err);
/* Fine on a zeroed struct. */
void result_table_close(struct result_table *table);

/* The column of this name, or RESULT_TABLE_NO_COLUMN. */
size_t result_table_find(const struct result_table *table, const char *name);
/* The same for n columns that have to be there. */
LLMSIM_MUST_CHECK enum llmsim_status result_table_require(const struct result_table *table,
                                                          const char *const *names, size_t *columns,
                                                          size_t n, struct llmsim_error *err);

/* Go to the next row; *ended: there is none. */
LLMSIM_MUST_CHECK enum llmsim_status result_table_next(struct result_table *table, bool *ended,
                                                       struct llmsim_error *err);

/* Fields of the row at hand. */
static inline bool result_table_is_empty(const struct result_table *table, size_t column)
{
    return table->fields[column].length == 0;
}
bool result_table_is(const struct result_table *table, size_t column, const char *text);
/* Seconds, as nanoseconds. */
LLMSIM_MUST_CHECK enum llmsim_status result_table_ns(const struct result_table *table,
                                                     size_t column, int64_t *ns,
                                                     struct llmsim_error *err);
/* A whole number up to LLMSIM_MAX_TOKENS. */
LLMSIM_MUST_CHECK enum llmsim_status result_table_count(const struct result_table *table,
                                                        size_t column, uint32_t *count,
                                                        struct llmsim_error *err);
/* A number of any kind. false: it is none. */
bool result_table_number(const struct result_table *table, size_t column, double *value);

#endif
