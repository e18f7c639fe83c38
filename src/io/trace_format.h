/* trace_format.h: the table of trace formats. To add a CSV format is to add a row. */
#ifndef LLMSIM_IO_TRACE_FORMAT_H
#define LLMSIM_IO_TRACE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include "csv_line.h"
#include "llmsim/choice.h"
#include "llmsim/status.h"

/* What a column holds. */
enum llmsim_column_kind {
    LLMSIM_COLUMN_IGNORED,
    LLMSIM_COLUMN_SECONDS, /* arrival */
    LLMSIM_COLUMN_DATE,    /* arrival */
    LLMSIM_COLUMN_PROMPT_TOKENS,
    LLMSIM_COLUMN_OUTPUT_TOKENS,
    LLMSIM_COLUMN_REQUEST_ID,
    LLMSIM_COLUMN_PRIORITY, /* empty: 0 */
    LLMSIM_COLUMN_DEADLINE, /* seconds, on the clock of the arrivals; empty: none */
};

struct llmsim_trace_column {
    const char *name;
    enum llmsim_column_kind kind;
    bool optional;
};

#define LLMSIM_FORMAT_MAX_COLUMNS 8

struct llmsim_trace_format {
    struct llmsim_choice choice;
    bool starts_at_first_row;                                      /* whose arrival is time 0 */
    struct llmsim_trace_column columns[LLMSIM_FORMAT_MAX_COLUMNS]; /* ends with name NULL */
};

/* The format of this name, or NULL for name NULL. LLMSIM_USAGE: there is none. */
LLMSIM_MUST_CHECK enum llmsim_status
llmsim_trace_format_named(const char *name, const struct llmsim_trace_format **format,
                          struct llmsim_error *err);

/* The format whose columns this header has; if none fits, the nearest one, so that the error can
 * say what it lacks; NULL if the header has no column of any. */
const struct llmsim_trace_format *llmsim_trace_format_detect(const struct llmsim_csv_line *header);

/* Position of a column in the header, from `first` on, or header->n_fields. */
size_t llmsim_trace_format_column(const struct llmsim_csv_line *header, const char *name,
                                  size_t first);

/* "arrival_s,…[,request_id]": what the header of a format has to have, or, for NULL, those of all
 * formats with their names. Writes at most `capacity` bytes, NUL included, and returns `text`. */
const char *llmsim_trace_format_expected(const struct llmsim_trace_format *format, char *text,
                                         size_t capacity);

#endif
