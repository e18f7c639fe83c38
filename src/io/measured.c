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
    uint32_t cached_tokens;
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
    return column != LLMSIM_MEASURED_PROMPT && column != LLMSIM_MEASURED_OUTPUT &&
           column != LLMSIM_MEASURED_CACHED;
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
    bool is_optional = column == LLMSIM_MEASURED_TPOT || column == LLMSIM_MEASURED_CACHED;
    if (r->at[column] != LLMSIM_NO_COLUMN || (name == NULL && is_optional))
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
    if (status == LLMSIM_OK && r->at[LLMSIM_MEASURED_CACHED] != LLMSIM_NO_COLUMN)
        status = read_tokens(r, LLMSIM_MEASURED_CACHED, &row->cached_tokens, err);
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
    if (row->cached_tokens > row->request.prompt_tokens)
        return llmsim_table_fail(&r->table, r->at[LLMSIM_MEASURED_CACHED],
                                 "is more than the prompt has", err);
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

/* ---- prefixes ---- */

static size_t full_blocks(uint32_t tokens)
{
    return tokens / LLMSIM_MEASURED_BLOCK_TOKENS;
}

/* Ids of the full blocks of request i's prompt: its own, but for those that were cached, which are
 * those of a request before it. false: there is none whose prompt is long enough. */
static bool set_prefix(struct llmsim_measured_run *run, size_t i, uint32_t cached_tokens,
                       uint64_t *blocks)
{
    struct llmsim_prefix *prefix = &run->prefixes[i + 1];
    size_t n_cached = full_blocks(cached_tokens), donor = 0;
    *prefix = (struct llmsim_prefix){.blocks = blocks,
                                     .n_blocks = full_blocks(run->requests[i].prompt_tokens),
                                     .block_tokens = LLMSIM_MEASURED_BLOCK_TOKENS};
    while (n_cached > 0 && donor < i && run->prefixes[donor + 1].n_blocks < n_cached)
        donor++;
    if (n_cached > 0 && donor == i)
        return false;
    for (size_t k = 0; k < prefix->n_blocks; k++)
        blocks[k] = k < n_cached ? run->prefixes[donor + 1].blocks[k] : (uint64_t)i << 32 | k;
    if (prefix->n_blocks > 0)
        run->requests[i].prefix = (uint32_t)(i + 1);
    return true;
}

static enum llmsim_status keep_prefixes(struct llmsim_measured_run *run, const struct reader *r,
                                        struct llmsim_error *err)
{
    size_t n_blocks = 0, used = 0;
    if (r->at[LLMSIM_MEASURED_CACHED] == LLMSIM_NO_COLUMN)
        return LLMSIM_OK;
    for (size_t i = 0; i < r->n; i++)
        n_blocks += full_blocks(r->rows[i].request.prompt_tokens);
    run->prefixes = calloc(r->n + 1, sizeof *run->prefixes);
    run->prefix_blocks = calloc(n_blocks + 1, sizeof *run->prefix_blocks);
    if (run->prefixes == NULL || run->prefix_blocks == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    for (size_t i = 0; i < r->n; i++) {
        if (!set_prefix(run, i, r->rows[i].cached_tokens, run->prefix_blocks + used))
            return llmsim_fail_at(err, LLMSIM_TRACE, llmsim_table_name(&r->table), 0, 0,
                                  "data row %llu: %u cached tokens, but no request before it has "
                                  "as long a prompt",
                                  (unsigned long long)run->rows[i], r->rows[i].cached_tokens);
        used += run->prefixes[i + 1].n_blocks;
    }
    return LLMSIM_OK;
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
    return keep_prefixes(run, r, err);
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
    free(run->prefixes);
    free(run->prefix_blocks);
    *run = (struct llmsim_measured_run){.n = 0};
}
