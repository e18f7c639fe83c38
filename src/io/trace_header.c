/* trace_header.c: columns by name, in any order; unknown ones are ignored and remembered. */
#include "trace_header.h"

#include <stdlib.h>
#include <string.h>

#define EXPECTED_MAX 640

static enum llmsim_status fail_empty(const struct llmsim_lines *lines,
                                     const struct llmsim_trace_format *format,
                                     struct llmsim_error *err)
{
    char expected[EXPECTED_MAX];
    struct llmsim_format_list list = {.formats = {format}, .n = 1};
    if (format == NULL)
        llmsim_trace_format_all(&list);
    return llmsim_fail_at(err, LLMSIM_TRACE, llmsim_input_name(lines->input), lines->n_lines + 1, 1,
                          "trace has no header; expected %s",
                          llmsim_trace_format_expected_any(&list, expected, sizeof expected));
}

/* The first line that is not blank, split into fields. */
static enum llmsim_status read_fields(struct llmsim_lines *lines, struct llmsim_csv_line *csv,
                                      const struct llmsim_trace_format *format,
                                      struct llmsim_line *line, struct llmsim_error *err)
{
    const char *name = llmsim_input_name(lines->input);
    do {
        bool ended;
        size_t column, n_bom = 0;
        enum llmsim_status status = llmsim_lines_next(lines, line, &ended, err);
        if (status != LLMSIM_OK)
            return status;
        if (ended)
            return fail_empty(lines, format, err);
        if (line->too_long)
            return llmsim_fail_at(err, LLMSIM_TRACE, name, lines->n_lines, LLMSIM_MAX_ROW_BYTES + 1,
                                  "header is too long; expected at most %u bytes",
                                  LLMSIM_MAX_ROW_BYTES);
        if (lines->n_lines == 1 && line->length >= 3 && memcmp(line->text, "\xEF\xBB\xBF", 3) == 0)
            n_bom = 3; /* the UTF-8 byte order mark that spreadsheets write */
        const char *fault =
            llmsim_csv_line_parse(csv, line->text + n_bom, line->length - n_bom, &column);
        if (fault != NULL)
            return llmsim_fail_at(err, LLMSIM_TRACE, name, lines->n_lines, column + n_bom, "%s",
                                  fault);
    } while (csv->n_fields == 0);
    if (csv->n_fields > LLMSIM_CSV_MAX_FIELDS)
        return llmsim_fail_at(err, LLMSIM_TRACE, name, lines->n_lines, 1,
                              "header has %zu columns; expected at most %u", csv->n_fields,
                              LLMSIM_CSV_MAX_FIELDS);
    return LLMSIM_OK;
}

/* The one format that the header fits, or that it is nearest to. */
static enum llmsim_status detect(struct llmsim_trace_header *header,
                                 const struct llmsim_csv_line *csv,
                                 const struct llmsim_lines *lines, struct llmsim_error *err)
{
    struct llmsim_format_list list;
    bool nearest;
    char text[EXPECTED_MAX];
    const char *name = llmsim_input_name(lines->input);
    llmsim_trace_format_detect(csv, &list, &nearest);
    header->format = list.formats[0];
    if (list.n == 1)
        return LLMSIM_OK;
    if (nearest)
        return llmsim_fail_at(err, LLMSIM_TRACE, name, lines->n_lines, 1,
                              "header fits no known format; expected %s",
                              llmsim_trace_format_expected_any(&list, text, sizeof text));
    return llmsim_fail_at(err, LLMSIM_TRACE, name, lines->n_lines, 1,
                          "header fits more than one format; expected it to be named: %s",
                          llmsim_trace_format_names(&list, text, sizeof text));
}

/* Find one column of the format in the header, exactly once. */
static enum llmsim_status place_column(struct llmsim_trace_header *header,
                                       const struct llmsim_trace_column *column,
                                       const struct llmsim_csv_line *csv, const char *file,
                                       uint64_t n_line, const struct llmsim_line *line,
                                       struct llmsim_error *err)
{
    size_t at = llmsim_trace_format_column(csv, column->name, 0);
    if (at == csv->n_fields) {
        char expected[EXPECTED_MAX];
        if (column->optional)
            return LLMSIM_OK;
        llmsim_trace_format_expected(header->format, expected, sizeof expected);
        return llmsim_fail_at(err, LLMSIM_TRACE, file, n_line, 1,
                              "column %s is missing; expected %s", column->name, expected);
    }
    size_t again = llmsim_trace_format_column(csv, column->name, at + 1);
    if (again < csv->n_fields)
        return llmsim_fail_at(err, LLMSIM_TRACE, file, n_line,
                              llmsim_csv_column(line->text, line->length, again),
                              "column %s is repeated; expected it once", column->name);
    header->kinds[at] = (unsigned char)column->kind;
    header->names[at] = column->name;
    if (column->kind == LLMSIM_COLUMN_SECONDS || column->kind == LLMSIM_COLUMN_DATE)
        header->arrival_column = at;
    if (column->kind == LLMSIM_COLUMN_REQUEST_ID) {
        header->id_column = at;
        header->has_request_ids = true;
    }
    if (column->kind == LLMSIM_COLUMN_DEADLINE) {
        header->deadline_column = at;
        header->has_deadlines = true;
    }
    header->has_priorities |= column->kind == LLMSIM_COLUMN_PRIORITY;
    return LLMSIM_OK;
}

static enum llmsim_status list_unused(struct llmsim_trace_header *header,
                                      const struct llmsim_csv_line *csv, size_t header_length,
                                      struct llmsim_error *err)
{
    char *p = header->unused_columns = malloc(header_length + 1);
    if (p == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    for (size_t i = 0; i < csv->n_fields; i++) {
        if (header->kinds[i] != LLMSIM_COLUMN_IGNORED)
            continue;
        if (p > header->unused_columns)
            *p++ = ',';
        memcpy(p, csv->fields[i].text, csv->fields[i].length);
        p += csv->fields[i].length;
    }
    *p = '\0';
    return LLMSIM_OK;
}

enum llmsim_status llmsim_trace_header_read(struct llmsim_trace_header *header,
                                            struct llmsim_lines *lines, struct llmsim_csv_line *csv,
                                            const struct llmsim_trace_format *format,
                                            struct llmsim_error *err)
{
    struct llmsim_line line;
    const char *name = llmsim_input_name(lines->input);
    *header = (struct llmsim_trace_header){.format = format};
    enum llmsim_status status = read_fields(lines, csv, format, &line, err);
    if (status != LLMSIM_OK)
        return status;
    if (format == NULL)
        status = detect(header, csv, lines, err);
    if (status != LLMSIM_OK)
        return status;
    header->n_columns = csv->n_fields;
    for (const struct llmsim_trace_column *c = header->format->columns; c->name != NULL; c++) {
        status = place_column(header, c, csv, name, lines->n_lines, &line, err);
        if (status != LLMSIM_OK)
            return status;
    }
    return list_unused(header, csv, line.length, err);
}

void llmsim_trace_header_fini(struct llmsim_trace_header *header)
{
    free(header->unused_columns);
    header->unused_columns = NULL;
}
