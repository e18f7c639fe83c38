/* table.h: a small CSV file with a header, its columns taken by name. All of its errors about the
 * content are LLMSIM_TRACE with FILE:LINE:COLUMN. For the files of measurements; a trace, which may
 * be gigabytes, has a reader of its own. */
#ifndef LLMSIM_IO_TABLE_H
#define LLMSIM_IO_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "csv_line.h"
#include "lines.h"
#include "llmsim/status.h"

#define LLMSIM_NO_COLUMN ((size_t)-1)

struct llmsim_table {
    struct llmsim_lines lines;
    struct llmsim_csv_line csv; /* the row that next gave */
    struct llmsim_line line;    /* the same, as it stands in the file */
    char **names;               /* of the columns */
    size_t n_columns;
};

/* Open `path` ("-": stdin; .gz and .zst are unpacked) and read its header. A name that stands there
 * twice is an error. On failure there is nothing to close. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_table_open(struct llmsim_table *table, const char *path,
                                                       struct llmsim_error *err);
void llmsim_table_close(struct llmsim_table *table);
/* What messages call the file. */
const char *llmsim_table_name(const struct llmsim_table *table);

/* The column of this name, or LLMSIM_NO_COLUMN. */
size_t llmsim_table_column(const struct llmsim_table *table, const char *name);

/* The next row, which has as many fields as the header; blank lines are skipped. *ended: there is
 * none. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_table_next(struct llmsim_table *table, bool *ended,
                                                       struct llmsim_error *err);
/* A field of that row. */
static inline const struct llmsim_csv_field *llmsim_table_field(const struct llmsim_table *table,
                                                                size_t column)
{
    return &table->csv.fields[column];
}
/* "COLUMN 'text' FAULT" at the field's place. */
enum llmsim_status llmsim_table_fail(const struct llmsim_table *table, size_t column,
                                     const char *fault, struct llmsim_error *err);
/* An error about the header. */
enum llmsim_status llmsim_table_fail_header(const struct llmsim_table *table,
                                            struct llmsim_error *err, const char *format, ...)
    LLMSIM_PRINTF(3, 4);

#endif
