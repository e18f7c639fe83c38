/* trace_header.c: columns by name, in any order; unknown ones are ignored and remembered. */
#include "trace_header.h"

#include <stdlib.h>
#include <string.h>

#include "file_kind.h"

#define EXPECTED_MAX 640
#define UNUSED_KEYS_MAX 1024

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

/* The first line that is not blank; text NULL: there is none. */
static enum llmsim_status find_line(struct llmsim_trace_header *header, struct llmsim_lines *lines,
                                    struct llmsim_line *line, struct llmsim_error *err)
{
    size_t n_blanks;
    do {
        bool ended;
        enum llmsim_status status = llmsim_lines_next(lines, line, &ended, err);
        if (status != LLMSIM_OK)
            return status;
        if (ended) {
            line->text = NULL;
            return LLMSIM_OK;
        }
        header->n_bom = 0; /* 3: the UTF-8 byte order mark that spreadsheets write */
        if (lines->n_lines == 1 && line->length >= 3 && memcmp(line->text, "\xEF\xBB\xBF", 3) == 0)
            header->n_bom = 3;
        for (n_blanks = header->n_bom; n_blanks < line->length; n_blanks++)
            if (line->text[n_blanks] != ' ' && line->text[n_blanks] != '\t')
                break;
    } while (n_blanks == line->length);
    if (header->format == NULL && line->text[n_blanks] == '{')
        header->format = llmsim_trace_format_json();
    return LLMSIM_OK;
}

/* The header's line, split into fields. */
static enum llmsim_status split(const struct llmsim_trace_header *header,
                                const struct llmsim_lines *lines, struct llmsim_csv_line *csv,
                                const struct llmsim_line *line, struct llmsim_error *err)
{
    const char *name = llmsim_input_name(lines->input);
    size_t column;
    if (line->too_long)
        return llmsim_fail_at(err, LLMSIM_TRACE, name, lines->n_lines, LLMSIM_MAX_ROW_BYTES + 1,
                              "header is too long; expected at most %u bytes",
                              LLMSIM_MAX_ROW_BYTES);
    const char *fault = llmsim_csv_line_parse(csv, line->text + header->n_bom,
                                              line->length - header->n_bom, &column);
    if (fault == llmsim_csv_out_of_memory)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "%s", fault);
    if (fault != NULL)
        return llmsim_fail_at(err, LLMSIM_TRACE, name, lines->n_lines, column + header->n_bom, "%s",
                              fault);
    fault = csv->n_fields == 1 ? llmsim_file_kind_separator_fault(line->text, line->length) : NULL;
    if (fault != NULL)
        return llmsim_fail_at(err, LLMSIM_TRACE, name, lines->n_lines, 1, "%s", fault);
    if (csv->n_fields > LLMSIM_CSV_MAX_FIELDS)
        return llmsim_fail_at(err, LLMSIM_TRACE, name, lines->n_lines, 1,
                              "header has %zu columns; expected at most %u", csv->n_fields,
                              LLMSIM_CSV_MAX_FIELDS);
    return LLMSIM_OK;
}

/* The one format that the header fits, or that it is nearest to. */
static enum llmsim_status detect(struct llmsim_trace_header *header, bool only_lengths,
                                 const struct llmsim_csv_line *csv,
                                 const struct llmsim_lines *lines, struct llmsim_error *err)
{
    struct llmsim_format_list list;
    bool nearest;
    char text[EXPECTED_MAX];
    const char *name = llmsim_input_name(lines->input);
    llmsim_trace_format_detect(csv, only_lengths, &list, &nearest);
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

static void set_column(struct llmsim_trace_header *header, size_t at,
                       const struct llmsim_trace_column *column)
{
    header->kinds[at] = (unsigned char)column->kind;
    header->names[at] = column->name;
    switch (column->kind) {
    case LLMSIM_COLUMN_SECONDS:
    case LLMSIM_COLUMN_MILLISECONDS:
    case LLMSIM_COLUMN_DATE:
        header->arrival_column = at;
        break;
    case LLMSIM_COLUMN_REQUEST_ID:
        header->id_column = at;
        header->has_request_ids = true;
        break;
    case LLMSIM_COLUMN_DEADLINE:
        header->deadline_column = at;
        header->has_deadlines = true;
        break;
    case LLMSIM_COLUMN_PRIORITY:
        header->has_priorities = true;
        break;
    case LLMSIM_COLUMN_CLASS:
        header->class_column = at;
        header->has_classes = true;
        break;
    case LLMSIM_COLUMN_HASH_IDS:
        header->hash_column = at;
        header->has_prefixes = !header->format->is_json;
        break;
    default:
        break;
    }
}

/* Has the header prompt and output tokens of this format? */
static bool has_lengths(const struct llmsim_trace_format *format, const struct llmsim_csv_line *csv)
{
    bool has = true;
    for (const struct llmsim_trace_column *c = format->columns; c->name != NULL; c++)
        if (c->kind == LLMSIM_COLUMN_PROMPT_TOKENS || c->kind == LLMSIM_COLUMN_OUTPUT_TOKENS)
            has = has && llmsim_trace_format_column(csv, c->name, 0) < csv->n_fields;
    return has;
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
        return llmsim_fail_at(
            err, LLMSIM_TRACE, file, n_line, 1, "column %s is missing%s; expected %s", column->name,
            llmsim_column_is_arrival(column->kind) && has_lengths(header->format, csv)
                ? " (lengths alone are for trace generate --lengths-from)"
                : "",
            expected);
    }
    size_t again = llmsim_trace_format_column(csv, column->name, at + 1);
    if (again < csv->n_fields)
        return llmsim_fail_at(err, LLMSIM_TRACE, file, n_line,
                              llmsim_csv_column(line->text, line->length, again),
                              "column %s is repeated; expected it once", column->name);
    set_column(header, at, column);
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

/* The keys of the format are the columns, and the line is the first row. */
static enum llmsim_status set_json(struct llmsim_trace_header *header, bool only_lengths,
                                   const struct llmsim_line *line, struct llmsim_error *err)
{
    const struct llmsim_trace_column *columns = header->format->columns;
    header->first_row = *line;
    for (; columns[header->n_columns].name != NULL; header->n_columns++)
        if (!only_lengths || !llmsim_column_is_arrival(columns[header->n_columns].kind))
            set_column(header, header->n_columns, &columns[header->n_columns]);
    header->unused_columns = calloc(1, UNUSED_KEYS_MAX);
    return header->unused_columns != NULL ? LLMSIM_OK
                                          : llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
}

enum llmsim_status llmsim_trace_header_read(struct llmsim_trace_header *header,
                                            struct llmsim_lines *lines, struct llmsim_csv_line *csv,
                                            const struct llmsim_trace_format *format,
                                            bool only_lengths, struct llmsim_error *err)
{
    struct llmsim_line line;
    const char *name = llmsim_input_name(lines->input);
    *header = (struct llmsim_trace_header){.format = format};
    enum llmsim_status status = find_line(header, lines, &line, err);
    if (status != LLMSIM_OK)
        return status;
    const char *fault = line.text != NULL ? llmsim_file_kind_fault(line.text, line.length) : NULL;
    if (fault != NULL)
        return llmsim_fail_at(err, LLMSIM_TRACE, name, lines->n_lines, 1, "%s", fault);
    if (header->format != NULL && header->format->is_json)
        return set_json(header, only_lengths, &line, err);
    if (line.text == NULL)
        return fail_empty(lines, format, err);
    status = split(header, lines, csv, &line, err);
    if (status == LLMSIM_OK && header->format == NULL)
        status = detect(header, only_lengths, csv, lines, err);
    if (status != LLMSIM_OK)
        return status;
    header->n_columns = csv->n_fields;
    for (const struct llmsim_trace_column *c = header->format->columns; c->name != NULL; c++) {
        if (!only_lengths || !llmsim_column_is_arrival(c->kind))
            status = place_column(header, c, csv, name, lines->n_lines, &line, err);
        if (status != LLMSIM_OK)
            return status;
    }
    return list_unused(header, csv, line.length, err);
}

void llmsim_trace_header_note_unused(struct llmsim_trace_header *header, const char *key, size_t n)
{
    char *p = header->unused_columns;
    for (; *p != '\0'; p += *p == ',') {
        size_t length = strcspn(p, ",");
        if (length == n && memcmp(p, key, n) == 0)
            return;
        p += length;
    }
    size_t used = (size_t)(p - header->unused_columns);
    if (used + n + 2 > UNUSED_KEYS_MAX)
        return;
    if (used > 0)
        *p++ = ',';
    memcpy(p, key, n);
    p[n] = '\0';
}

void llmsim_trace_header_fini(struct llmsim_trace_header *header)
{
    free(header->unused_columns);
    header->unused_columns = NULL;
}
