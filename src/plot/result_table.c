#include "result_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "llmsim/trace.h"
#include "trace_fields.h"

static enum llmsim_status fail_at(const struct result_table *table, size_t column,
                                  struct llmsim_error *err, const char *what)
{
    return llmsim_fail_at(err, LLMSIM_IO, table->path, table->lines.n_lines, column, "%s", what);
}

/* The row's fields, straight from the line as long as nothing in it is quoted. */
static enum llmsim_status split(struct result_table *table, struct llmsim_error *err)
{
    const char *p = table->line.text, *end = p + table->line.length;
    size_t n = 0, column = 0;
    if (memchr(p, '"', table->line.length) != NULL) {
        const char *fault = llmsim_csv_line_parse(&table->csv, p, table->line.length, &column);
        table->fields = table->csv.fields;
        n = table->csv.n_fields;
        if (fault == llmsim_csv_out_of_memory)
            return llmsim_fail(err, LLMSIM_RUN_FAILED, "%s", fault);
        if (fault != NULL)
            return fail_at(table, column, err, fault);
    } else {
        table->fields = table->plain;
        for (const char *comma; p <= end; p = comma + 1, n++) {
            comma = memchr(p, ',', (size_t)(end - p));
            if (comma == NULL)
                comma = end;
            if (n < LLMSIM_CSV_MAX_FIELDS)
                table->plain[n] = (struct llmsim_csv_field){p, (size_t)(comma - p)};
        }
    }
    if (table->n_columns == 0 && n <= LLMSIM_CSV_MAX_FIELDS)
        table->n_columns = n;
    if (n == table->n_columns)
        return LLMSIM_OK;
    return llmsim_fail_at(err, LLMSIM_IO, table->path, table->lines.n_lines, 1,
                          "row has %zu fields; expected %zu, as in the header", n,
                          table->n_columns);
}

enum llmsim_status result_table_next(struct result_table *table, bool *ended,
                                     struct llmsim_error *err)
{
    enum llmsim_status status = llmsim_lines_next(&table->lines, &table->line, ended, err);
    if (status != LLMSIM_OK || *ended)
        return status;
    if (table->line.too_long)
        return fail_at(table, LLMSIM_MAX_ROW_BYTES + 1, err, "row is too long");
    return split(table, err);
}

static enum llmsim_status read_header(struct result_table *table, struct llmsim_error *err)
{
    bool ended;
    enum llmsim_status status = result_table_next(table, &ended, err);
    if (status != LLMSIM_OK)
        return status;
    if (ended)
        return fail_at(table, 0, err, "is empty; expected a header");
    table->names = calloc(table->n_columns + 1, sizeof *table->names);
    for (size_t i = 0; i < table->n_columns && table->names != NULL; i++) {
        table->names[i] = strndup(table->fields[i].text, table->fields[i].length);
        if (table->names[i] == NULL)
            return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    }
    return table->names != NULL ? LLMSIM_OK : llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
}

enum llmsim_status result_table_open(struct result_table *table, const char *dir, const char *name,
                                     bool *found, struct llmsim_error *err)
{
    *table = (struct result_table){0};
    *found = false;
    for (int zstd = 0; zstd <= 1 && !*found; zstd++) {
        free(table->path);
        if (asprintf(&table->path, "%s/%s%s", dir, name, zstd ? ".zst" : "") < 0) {
            table->path = NULL;
            return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
        }
        *found = access(table->path, F_OK) == 0;
    }
    if (!*found) {
        result_table_close(table);
        return LLMSIM_OK;
    }
    enum llmsim_status status = llmsim_lines_open(&table->lines, table->path, err);
    if (status == LLMSIM_OK && !llmsim_csv_line_init(&table->csv))
        status = llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    if (status == LLMSIM_OK)
        status = read_header(table, err);
    if (status != LLMSIM_OK)
        result_table_close(table);
    return status;
}

void result_table_close(struct result_table *table)
{
    for (size_t i = 0; table->names != NULL && i < table->n_columns; i++)
        free(table->names[i]);
    free(table->names);
    llmsim_csv_line_fini(&table->csv);
    llmsim_lines_close(&table->lines);
    free(table->path);
    *table = (struct result_table){0};
}

size_t result_table_find(const struct result_table *table, const char *name)
{
    for (size_t i = 0; i < table->n_columns; i++)
        if (strcmp(table->names[i], name) == 0)
            return i;
    return RESULT_TABLE_NO_COLUMN;
}

enum llmsim_status result_table_require(const struct result_table *table, const char *const *names,
                                        size_t *columns, size_t n, struct llmsim_error *err)
{
    for (size_t i = 0; i < n; i++) {
        columns[i] = result_table_find(table, names[i]);
        if (columns[i] == RESULT_TABLE_NO_COLUMN)
            return llmsim_fail_at(err, LLMSIM_IO, table->path, 1, 0,
                                  "column %s is missing; expected a file that llmsim has written",
                                  names[i]);
    }
    return LLMSIM_OK;
}

bool result_table_is(const struct result_table *table, size_t column, const char *text)
{
    size_t n = strlen(text);
    return table->fields[column].length == n && memcmp(table->fields[column].text, text, n) == 0;
}

static enum llmsim_status fail_field(const struct result_table *table, size_t column,
                                     const char *fault, struct llmsim_error *err)
{
    const struct llmsim_csv_field *f = &table->fields[column];
    return llmsim_fail_at(err, LLMSIM_IO, table->path, table->lines.n_lines,
                          llmsim_csv_column(table->line.text, table->line.length, column),
                          "%s '%.*s' %s", table->names[column],
                          (int)(f->length < 40 ? f->length : 40), f->text, fault);
}

enum llmsim_status result_table_ns(const struct result_table *table, size_t column, int64_t *ns,
                                   struct llmsim_error *err)
{
    const struct llmsim_csv_field *f = &table->fields[column];
    if (f->length > 0 && llmsim_scan_seconds(f->text, ns) == f->text + f->length)
        return LLMSIM_OK;
    const char *fault = llmsim_parse_seconds(f->text, f->length, ns);
    return fault == NULL ? LLMSIM_OK : fail_field(table, column, fault, err);
}

enum llmsim_status result_table_count(const struct result_table *table, size_t column,
                                      uint32_t *count, struct llmsim_error *err)
{
    const struct llmsim_csv_field *f = &table->fields[column];
    const char *fault = llmsim_parse_tokens(f->text, f->length, count);
    return fault == NULL ? LLMSIM_OK : fail_field(table, column, fault, err);
}

bool result_table_number(const struct result_table *table, size_t column, double *value)
{
    const struct llmsim_csv_field *f = &table->fields[column];
    char text[64], *end;
    if (f->length == 0 || f->length >= sizeof text)
        return false;
    memcpy(text, f->text, f->length);
    text[f->length] = '\0';
    *value = strtod(text, &end);
    return *end == '\0' && *value - *value == 0; /* neither infinite nor no number */
}
