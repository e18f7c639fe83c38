/* trace_header.h: the first line of a trace: which format, and what each column holds. A format of
 * JSON lines has no header: its columns are those of the table, and the first line is a row. */
#ifndef LLMSIM_IO_TRACE_HEADER_H
#define LLMSIM_IO_TRACE_HEADER_H

#include "csv_line.h"
#include "lines.h"
#include "trace_format.h"

struct llmsim_trace_header {
    const struct llmsim_trace_format *format;
    size_t n_columns;
    size_t arrival_column;
    size_t id_column;       /* if has_request_ids */
    size_t deadline_column; /* if has_deadlines */
    size_t class_column;    /* if has_classes */
    size_t hash_column;     /* if the format has one and, of CSV, has_prefixes */
    bool has_request_ids;
    bool has_priorities;
    bool has_deadlines;
    bool has_classes;
    bool has_prefixes;                          /* of JSON lines: some row has */
    unsigned char kinds[LLMSIM_CSV_MAX_FIELDS]; /* enum llmsim_column_kind */
    const char *names[LLMSIM_CSV_MAX_FIELDS];   /* the format's; NULL: ignored */
    char *unused_columns;                       /* with commas between */
    struct llmsim_line first_row;               /* taken with the header; text NULL: none */
    size_t n_bom;                               /* bytes of its byte order mark */
};

/* Take the header from `lines`. `format` NULL: the one that fits. `only_lengths`: arrivals may be
 * missing, and count as ignored where they are. All errors are LLMSIM_TRACE or
 * LLMSIM_IO and final: without a header no row means anything. */
LLMSIM_MUST_CHECK enum llmsim_status
llmsim_trace_header_read(struct llmsim_trace_header *header, struct llmsim_lines *lines,
                         struct llmsim_csv_line *csv, const struct llmsim_trace_format *format,
                         bool only_lengths, struct llmsim_error *err);
/* A key of a JSON line that is not used: name it once, as long as there is room. */
void llmsim_trace_header_note_unused(struct llmsim_trace_header *header, const char *key, size_t n);
void llmsim_trace_header_fini(struct llmsim_trace_header *header);

#endif
