/* measured.c: requests and latencies out of a table. */
#include "llmsim/measured.h"

#include <stdlib.h>
#include <string.h>

#include "table.h"
#include "trace_fields.h"

static const struct {
    const char *text;
    const char *names; /* with commas between */
} columns[] = {
#define X(name, text, names) {text, names},
    LLMSIM_MEASURED_COLUMN_LIST(X)
#undef X
};

struct row {
    struct llmsim_request request;
    struct llmsim_latencies latencies;
};

struct reader {
    struct llmsim_table table;
    size_t at[LLMSIM_N_MEASURED_COLUMNS]; /* in the table, or LLMSIM_NO_COLUMN */
    struct row *rows;
    size_t n, capacity;
};

/* ---- the header ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), n_end = strlen(end);
    return n >= n_end && strcmp(text + n - n_end, end) == 0;
}

static bool holds_time(size_t column)
{
    return column != LLMSIM_MEASURED_PROMPT && column != LLMSIM_MEASURED_OUTPUT;
}

/* The first of the usual names that the table has. */
static size_t find_usual(const struct llmsim_table *table, size_t column)
{
    size_t at = LLMSIM_NO_COLUMN;
    for (const char *p = columns[column].names; *p != '\0' && at == LLMSIM_NO_COLUMN;) {
        char name[32];
        size_t length = strcspn(p, ",");
        memcpy(name, p, length);
        name[length] = '\0';
        at = llmsim_table_column(table, name);
        p += length + (p[length] == ',');
    }
    return at;
}

static enum llmsim_status find_column(struct reader *r, const char *name, size_t column,
                                      struct llmsim_error *err)
{
    if (name != NULL && holds_time(column) && !ends_with(name, "_s") && !ends_with(name, "_ms"))
        return llmsim_fail(err, LLMSIM_USAGE,
                           "column '%s' of the %s: expected a name that ends in _s or _ms, the "
                           "unit",
                           name, columns[column].text);
    r->at[column] =
        name != NULL ? llmsim_table_column(&r->table, name) : find_usual(&r->table, column);
    if (r->at[column] != LLMSIM_NO_COLUMN || (name == NULL && column == LLMSIM_MEASURED_TPOT))
        return LLMSIM_OK;
    return llmsim_table_fail_header(&r->table, err, "the header has no column %s for the %s",
                                    name != NULL ? name : columns[column].names,
                                    columns[column].text);
}

/* ---- the rows ---- */

/* Seconds or milliseconds, as the column's name says. */
static enum llmsim_status read_time(struct reader *r, size_t column, int64_t *ns,
                                    struct llmsim_error *err)
{
    size_t at = r->at[column];
    const struct llmsim_csv_field *f = llmsim_table_field(&r->table, at);
    const char *fault = ends_with(r->table.names[at], "_ms")
                            ? llmsim_parse_milliseconds(f->text, f->length, ns)
                            : llmsim_parse_seconds(f->text, f->length, ns);
    return fault == NULL ? LLMSIM_OK : llmsim_table_fail(&r->table, at, fault, err);
}

static enum llmsim_status read_latency(struct reader *r, size_t column, int64_t *ns,
                                       struct llmsim_error *err)
{
    *ns = LLMSIM_NOT_MEASURED;
    if (r->at[column] == LLMSIM_NO_COLUMN ||
        llmsim_table_field(&r->table, r->at[column])->length == 0)
        return LLMSIM_OK;
    return read_time(r, column, ns, err);
}

static enum llmsim_status read_tokens(struct reader *r, size_t column, uint32_t *tokens,
                                      struct llmsim_error *err)
{
    const struct llmsim_csv_field *f = llmsim_table_field(&r->table, r->at[column]);
    const char *fault = llmsim_parse_tokens(f->text, f->length, tokens);
    return fault == NULL ? LLMSIM_OK : llmsim_table_fail(&r->table, r->at[column], fault, err);
}

/* What the row's other columns say of the time per output token. */
static void derive_tpot(const struct reader *r, struct row *row)
{
    struct llmsim_latencies *l = &row->latencies;
    int64_t gaps = (int64_t)row->request.output_tokens - 1;
    if (gaps < 1 || l->ttft_ns < 0 || l->e2e_ns < 0) {
        if (gaps < 1)
            l->tpot_ns = LLMSIM_NOT_MEASURED;
        return;
    }
    if (r->at[LLMSIM_MEASURED_TPOT] == LLMSIM_NO_COLUMN)
        l->tpot_ns = (l->e2e_ns - l->ttft_ns + gaps / 2) / gaps;
}

static enum llmsim_status read_row(struct reader *r, struct row *row, struct llmsim_error *err)
{
    struct llmsim_latencies *l = &row->latencies;
    *row = (struct row){.request = {.row = r->n, .deadline_ns = LLMSIM_NO_DEADLINE}};
    enum llmsim_status status =
        read_time(r, LLMSIM_MEASURED_ARRIVAL, &row->request.arrival_ns, err);
    if (status == LLMSIM_OK)
        status = read_tokens(r, LLMSIM_MEASURED_PROMPT, &row->request.prompt_tokens, err);
    if (status == LLMSIM_OK)
        status = read_tokens(r, LLMSIM_MEASURED_OUTPUT, &row->request.output_tokens, err);
    if (status == LLMSIM_OK)
        status = read_latency(r, LLMSIM_MEASURED_TTFT, &l->ttft_ns, err);
    if (status == LLMSIM_OK)
        status = read_latency(r, LLMSIM_MEASURED_TPOT, &l->tpot_ns, err);
    if (status == LLMSIM_OK)
        status = read_latency(r, LLMSIM_MEASURED_E2E, &l->e2e_ns, err);
    if (status != LLMSIM_OK)
        return status;
    if (l->ttft_ns >= 0 && l->e2e_ns >= 0 && l->e2e_ns < l->ttft_ns)
        return llmsim_table_fail(&r->table, r->at[LLMSIM_MEASURED_E2E],
                                 "is less than the time to first token", err);
    derive_tpot(r, row);
    return LLMSIM_OK;
}

static enum llmsim_status add_row(struct reader *r, struct llmsim_error *err)
{
    if (r->n == r->capacity) {
        size_t capacity = r->capacity > 0 ? 2 * r->capacity : 1024;
        struct row *larger = realloc(r->rows, capacity * sizeof *larger);
        if (larger == NULL)
            return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
        r->rows = larger;
        r->capacity = capacity;
    }
    enum llmsim_status status = read_row(r, &r->rows[r->n], err);
    r->n += status == LLMSIM_OK;
    return status;
}

static int by_arrival(const void *a, const void *b)
{
    const struct llmsim_request *x = &((const struct row *)a)->request,
                                *y = &((const struct row *)b)->request;
    if (x->arrival_ns != y->arrival_ns)
        return x->arrival_ns < y->arrival_ns ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static enum llmsim_status keep_rows(struct llmsim_measured_run *run, struct reader *r,
                                    struct llmsim_error *err)
{
    run->requests = calloc(r->n, sizeof *run->requests);
    run->latencies = calloc(r->n, sizeof *run->latencies);
    run->rows = calloc(r->n, sizeof *run->rows);
    if (run->requests == NULL || run->latencies == NULL || run->rows == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    qsort(r->rows, r->n, sizeof *r->rows, by_arrival);
    for (size_t i = 0; i < r->n; i++) {
        run->requests[i] = r->rows[i].request;
        run->latencies[i] = r->rows[i].latencies;
        run->rows[i] = r->rows[i].request.row;
        run->requests[i].row = i;
    }
    run->n = r->n;
    return LLMSIM_OK;
}

enum llmsim_status llmsim_measured_open(struct llmsim_measured_run *run, const char *path,
                                        const struct llmsim_measured_options *options,
                                        struct llmsim_error *err)
{
    struct reader r = {.n = 0};
    bool ended = false;
    *run = (struct llmsim_measured_run){.n = 0};
    enum llmsim_status status = llmsim_table_open(&r.table, path, err);
    if (status != LLMSIM_OK)
        return status;
    for (size_t i = 0; i < LLMSIM_N_MEASURED_COLUMNS && status == LLMSIM_OK; i++)
        status = find_column(&r, options->columns[i], i, err);
    while (status == LLMSIM_OK) {
        status = llmsim_table_next(&r.table, &ended, err);
        if (ended || status != LLMSIM_OK)
            break;
        status = add_row(&r, err);
    }
    if (status == LLMSIM_OK && r.n == 0)
        status = llmsim_fail_at(err, LLMSIM_TRACE, llmsim_table_name(&r.table), 0, 0,
                                "no data row; expected one or more");
    if (status == LLMSIM_OK)
        status = keep_rows(run, &r, err);
    if (status == LLMSIM_OK)
        llmsim_lines_sha256(&r.table.lines, run->sha256);
    else
        llmsim_measured_close(run);
    llmsim_table_close(&r.table);
    free(r.rows);
    return status;
}

void llmsim_measured_close(struct llmsim_measured_run *run)
{
    free(run->requests);
    free(run->latencies);
    free(run->rows);
    *run = (struct llmsim_measured_run){.n = 0};
}
