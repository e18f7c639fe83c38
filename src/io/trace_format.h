/* trace_format.h: the table of trace formats. To add a format of CSV or of JSON lines is to add a
 * row. */
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
    LLMSIM_COLUMN_SECONDS,      /* arrival */
    LLMSIM_COLUMN_MILLISECONDS, /* arrival */
    LLMSIM_COLUMN_DATE,         /* arrival */
    LLMSIM_COLUMN_TIME_UNIT,    /* what arrivals count, a name of llmsim_time_unit_choice */
    LLMSIM_COLUMN_PROMPT_TOKENS,
    LLMSIM_COLUMN_OUTPUT_TOKENS,
    LLMSIM_COLUMN_REQUEST_ID,
    LLMSIM_COLUMN_PRIORITY,     /* empty: 0 */
    LLMSIM_COLUMN_DEADLINE,     /* seconds, on the clock of the arrivals; empty: none */
    LLMSIM_COLUMN_CLASS,        /* empty: none */
    LLMSIM_COLUMN_TOTAL_TOKENS, /* prompt and output: written, but not looked at */
    LLMSIM_COLUMN_BATCH_SIZE,   /* 1: a row is one request */
    LLMSIM_COLUMN_HASH_IDS, /* one for each block of the prompt: an array, or with blanks between */
};

static inline bool llmsim_column_is_arrival(enum llmsim_column_kind kind)
{
    return kind == LLMSIM_COLUMN_SECONDS || kind == LLMSIM_COLUMN_MILLISECONDS ||
           kind == LLMSIM_COLUMN_DATE;
}

struct llmsim_trace_column {
    const char *name;
    enum llmsim_column_kind kind;
    bool optional;
    /* What stands there in a new trace where requests have nothing for it; NULL: then it has no
     * such column. Ignored columns have one. */
    const char *fill;
};

#define LLMSIM_FORMAT_MAX_COLUMNS 10

struct llmsim_trace_format {
    struct llmsim_choice choice;
    bool is_json;             /* lines of JSON objects, whose keys are the columns; no header */
    bool starts_at_first_row; /* whose arrival is time 0 */
    bool no_output_is_failed; /* 0 output tokens: a call that failed */
    struct llmsim_trace_column columns[LLMSIM_FORMAT_MAX_COLUMNS]; /* ends with name NULL */
};

#define LLMSIM_MAX_FORMATS 16

/* Formats to choose from. */
struct llmsim_format_list {
    const struct llmsim_trace_format *formats[LLMSIM_MAX_FORMATS];
    size_t n;
};

/* The format of this name, or NULL for name NULL. LLMSIM_USAGE: there is none. */
LLMSIM_MUST_CHECK enum llmsim_status
llmsim_trace_format_named(const char *name, const struct llmsim_trace_format **format,
                          struct llmsim_error *err);

void llmsim_trace_format_all(struct llmsim_format_list *list);

/* The format of JSON lines. */
const struct llmsim_trace_format *llmsim_trace_format_json(void);

/* The CSV formats whose columns this header has: one, unless it is ambiguous. If none fits, then
 * *nearest and those that come as near as any, so that the error can say what is lacking; all CSV
 * formats, if the header has no column of any. only_lengths: arrivals may be missing. */
void llmsim_trace_format_detect(const struct llmsim_csv_line *header, bool only_lengths,
                                struct llmsim_format_list *list, bool *nearest);

/* Position of a column in the header, from `first` on, or header->n_fields. */
size_t llmsim_trace_format_column(const struct llmsim_csv_line *header, const char *name,
                                  size_t first);

/* "arrival_s,…[,request_id]": what the header of a format has to have and may have. These write at
 * most `capacity` bytes, NUL included, and return `text`. */
const char *llmsim_trace_format_expected(const struct llmsim_trace_format *format, char *text,
                                         size_t capacity);
/* "native's arrival_s,… or azure's …": what the headers of these have to have; if they are many,
 * that of the first, and the names of the others. */
const char *llmsim_trace_format_expected_any(const struct llmsim_format_list *list, char *text,
                                             size_t capacity);
/* "native, azure or vidur" */
const char *llmsim_trace_format_names(const struct llmsim_format_list *list, char *text,
                                      size_t capacity);

#endif
