#include "table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file_kind.h"

/* Take the next line that is not blank into table->csv. */
static enum llmsim_status take_line(struct llmsim_table *t, bool *ended, struct llmsim_error *err)
{
    size_t column;
    do {
        enum llmsim_status status = llmsim_lines_next(&t->lines, &t->line, ended, err);
        if (status != LLMSIM_OK || *ended)
            return status;
        if (t->line.too_long)
            return llmsim_fail_at(
                err, LLMSIM_TRACE, llmsim_table_name(t), t->lines.n_lines, LLMSIM_MAX_ROW_BYTES + 1,
                "line is too long; expected at most %u bytes", LLMSIM_MAX_ROW_BYTES);
        const char *kind =
            t->lines.n_lines == 1 ? llmsim_file_kind_fault(t->line.text, t->line.length) : NULL;
        if (kind != NULL)
            return llmsim_fail_at(err, LLMSIM_TRACE, llmsim_table_name(t), 1, 1, "%s", kind);
        /* The byte order mark that spreadsheets write. */
        if (t->lines.n_lines == 1 && t->line.length >= 3 &&
            memcmp(t->line.text, "\xEF\xBB\xBF", 3) == 0) {
            t->line.text += 3;
            t->line.length -= 3;
        }
        const char *fault = llmsim_csv_line_parse(&t->csv, t->line.text, t->line.length, &column);
        if (fault == llmsim_csv_out_of_memory)
            return llmsim_fail(err, LLMSIM_RUN_FAILED, "%s", fault);
        if (fault != NULL)
            return llmsim_fail_at(err, LLMSIM_TRACE, llmsim_table_name(t), t->lines.n_lines, column,
                                  "%s", fault);
    } while (t->csv.n_fields == 0);
    return LLMSIM_OK;
}

static enum llmsim_status read_header(struct llmsim_table *t, struct llmsim_error *err)
{
    bool ended;
    enum llmsim_status status = take_line(t, &ended, err);
    if (status != LLMSIM_OK)
        return status;
    if (ended)
        return llmsim_fail_at(err, LLMSIM_TRACE, llmsim_table_name(t), t->lines.n_lines + 1, 1,
                              "the file is empty; expected a header with the names of its columns");
    const char *separator = t->csv.n_fields == 1
                                ? llmsim_file_kind_separator_fault(t->line.text, t->line.length)
                                : NULL;
    if (separator != NULL)
        return llmsim_table_fail_header(t, err, "%s", separator);
    if (t->csv.n_fields > LLMSIM_CSV_MAX_FIELDS)
        return llmsim_table_fail_header(t, err, "header has %zu columns; expected at most %u",
                                        t->csv.n_fields, LLMSIM_CSV_MAX_FIELDS);
    size_t n = t->csv.n_fields;
    t->names = calloc(n, sizeof *t->names);
    if (t->names == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    for (t->n_columns = 0; t->n_columns < n; t->n_columns++) {
        const char *name = t->csv.fields[t->n_columns].text;
        if (llmsim_table_column(t, name) != LLMSIM_NO_COLUMN)
            return llmsim_fail_at(err, LLMSIM_TRACE, llmsim_table_name(t), t->lines.n_lines,
                                  llmsim_csv_column(t->line.text, t->line.length, t->n_columns),
                                  "column %s is repeated; expected it once", name);
        char *copy = strdup(name);
        if (copy == NULL)
            return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
        t->names[t->n_columns] = copy;
    }
    return LLMSIM_OK;
}

enum llmsim_status llmsim_table_open(struct llmsim_table *table, const char *path,
                                     struct llmsim_error *err)
{
    *table = (struct llmsim_table){.n_columns = 0};
    enum llmsim_status status = llmsim_lines_open(&table->lines, path, err);
    if (status == LLMSIM_OK && !llmsim_csv_line_init(&table->csv))
        status = llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    if (status == LLMSIM_OK)
        status = read_header(table, err);
    if (status != LLMSIM_OK)
        llmsim_table_close(table);
    return status;
}

void llmsim_table_close(struct llmsim_table *table)
{
    for (size_t i = 0; i < table->n_columns; i++)
        free(table->names[i]);
    free(table->names);
    llmsim_csv_line_fini(&table->csv);
    llmsim_lines_close(&table->lines);
    *table = (struct llmsim_table){.n_columns = 0};
}

const char *llmsim_table_name(const struct llmsim_table *table)
{
    return llmsim_input_name(table->lines.input);
}

size_t llmsim_table_column(const struct llmsim_table *table, const char *name)
{
    for (size_t i = 0; i < table->n_columns; i++)
        if (strcmp(table->names[i], name) == 0)
            return i;
    return LLMSIM_NO_COLUMN;
}

enum llmsim_status llmsim_table_next(struct llmsim_table *table, bool *ended,
                                     struct llmsim_error *err)
{
    enum llmsim_status status = take_line(table, ended, err);
    if (status != LLMSIM_OK || *ended || table->csv.n_fields == table->n_columns)
        return status;
    bool more = table->csv.n_fields > table->n_columns;
    return llmsim_fail_at(err, LLMSIM_TRACE, llmsim_table_name(table), table->lines.n_lines,
                          llmsim_csv_column(table->line.text, table->line.length,
                                            more ? table->n_columns : table->csv.n_fields),
                          "row has %zu fields; expected %zu, as in the header", table->csv.n_fields,
                          table->n_columns);
}

enum llmsim_status llmsim_table_fail(const struct llmsim_table *table, size_t column,
                                     const char *fault, struct llmsim_error *err)
{
    const struct llmsim_csv_field *field = llmsim_table_field(table, column);
    size_t at = llmsim_csv_column(table->line.text, table->line.length, column);
    if (field->length == 0)
        return llmsim_fail_at(err, LLMSIM_TRACE, llmsim_table_name(table), table->lines.n_lines, at,
                              "%s %s", table->names[column], fault);
    return llmsim_fail_at(err, LLMSIM_TRACE, llmsim_table_name(table), table->lines.n_lines, at,
                          "%s '%.40s' %s", table->names[column], field->text, fault);
}

enum llmsim_status llmsim_table_fail_header(const struct llmsim_table *table,
                                            struct llmsim_error *err, const char *format, ...)
{
    char message[LLMSIM_ERROR_MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return llmsim_fail_at(err, LLMSIM_TRACE, llmsim_table_name(table), table->lines.n_lines, 1,
                          "%s", message);
}
