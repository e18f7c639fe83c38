/* trace.c: rows of a trace file into requests.
 *
 * Two paths over the same buffer. Plain rows (digits and the punctuation of numbers and dates, as
 * every public trace has them) are scanned in place. Whatever the scanner does not know, from a
 * quote to a mistake, it leaves to the other path, which takes one line through libcsv and is the
 * only one that reports errors; so there is one list of them. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "class_names.h"
#include "csv_line.h"
#include "id_pool.h"
#include "json_line.h"
#include "lines.h"
#include "llmsim/trace.h"
#include "prefix_pool.h"
#include "time_unit.h"
#include "trace_fields.h"
#include "trace_format.h"
#include "trace_header.h"
#include "utf8.h"

_Static_assert(sizeof(struct llmsim_request) <= 48, "the engines keep many of them");
_Static_assert(LLMSIM_LINES_SLACK >= LLMSIM_SCAN_BYTES && LLMSIM_CSV_SLACK >= LLMSIM_SCAN_BYTES,
               "scanners may look that far");

struct llmsim_trace {
    struct llmsim_lines lines;
    struct llmsim_csv_line csv;
    struct llmsim_json_line json;
    struct llmsim_csv_field json_fields[LLMSIM_FORMAT_MAX_COLUMNS]; /* text NULL: absent */
    struct llmsim_trace_options options;
    struct llmsim_trace_header header;
    struct llmsim_day_cache day;
    struct llmsim_time_finding time; /* of arrivals that are numbers */
    struct llmsim_id_pool ids;
    struct llmsim_class_names *classes; /* NULL: the trace has none */
    struct llmsim_prefix_pool prefixes;
    uint64_t *hash_ids; /* those of the row under way */
    size_t hash_ids_room;
    bool has_zero;       /* zero_ns is known */
    int64_t zero_ns;     /* what the file calls the trace's time 0 */
    int64_t last_ns;     /* arrival of the last good row, before scaling */
    size_t fault_offset; /* bytes into a field, of what is wrong with it */
    char fault[128];     /* its text, where that has a number in it */
    uint64_t rows;
    uint64_t failed;
    uint64_t rejected;
    struct llmsim_error first_reject; /* if there is one */
    bool out_of_memory;
    bool ended;
    char sha256[65];
};

/* A data row, as it stands in the file. */
struct row {
    int64_t time_ns;
    int64_t deadline_ns; /* on the same clock, or LLMSIM_NO_DEADLINE */
    uint32_t prompt_tokens;
    uint32_t output_tokens;
    const char *id; /* NULL: none */
    size_t id_length;
    const char *class_name; /* NULL: none */
    size_t class_length;
    int32_t priority;
    const char *hash_ids; /* NULL: none */
    size_t hash_ids_length;
};
#define EMPTY_ROW ((struct row){.deadline_ns = LLMSIM_NO_DEADLINE})

static const char *name_of(const struct llmsim_trace *t)
{
    return llmsim_input_name(t->lines.input);
}

/* A deadline keeps its distance from the arrival. */
static const char *place_deadline(const struct row *row, int64_t scaled_ns, int64_t *deadline_ns)
{
    *deadline_ns = LLMSIM_NO_DEADLINE;
    if (row->deadline_ns == LLMSIM_NO_DEADLINE)
        return NULL;
    if (row->deadline_ns < row->time_ns)
        return "is before the arrival; expected no less than that";
    *deadline_ns = scaled_ns + (row->deadline_ns - row->time_ns);
    return *deadline_ns <= LLMSIM_MAX_ARRIVAL_NS
               ? NULL
               : "is more than 100 years after time 0; expected less";
}

/* Room in t->hash_ids for those of a text of so many bytes: a digit and a blank each. */
static bool make_hash_ids_room(struct llmsim_trace *t, size_t n_bytes)
{
    size_t n = n_bytes / 2 + 1;
    if (n <= t->hash_ids_room)
        return true;
    n = n > 2 * t->hash_ids_room ? n : 2 * t->hash_ids_room;
    free(t->hash_ids);
    t->hash_ids = malloc(n * sizeof *t->hash_ids);
    t->hash_ids_room = t->hash_ids != NULL ? n : 0;
    return t->hash_ids != NULL;
}

/* How many hash ids the row has, and they into t->hash_ids. Who has not asked for them gets none:
 * then nothing is wrong with blocks of another size either. */
static const char *read_hash_ids(struct llmsim_trace *t, const struct row *row, size_t *n)
{
    *n = 0;
    if (row->hash_ids == NULL)
        return NULL;
    bool is_json = t->header.format->is_json;
    t->header.has_prefixes = true;
    if (!t->options.with_prefixes)
        return NULL;
    t->out_of_memory = !make_hash_ids_room(t, row->hash_ids_length);
    if (t->out_of_memory)
        return "do not fit in memory";
    const char *fault = llmsim_parse_hash_ids(row->hash_ids, row->hash_ids_length, is_json,
                                              t->hash_ids, n, &t->fault_offset);
    if (fault != NULL || (*n == 0 && !is_json)) /* an empty field is no ids */
        return fault;
    uint32_t block_tokens = t->options.hash_block_tokens;
    if (*n == ((size_t)row->prompt_tokens + block_tokens - 1) / block_tokens)
        return NULL;
    (void)snprintf(t->fault, sizeof t->fault,
                   "does not fit the prompt; expected one id for each %lu tokens begun (or "
                   "--hash-block-tokens)",
                   (unsigned long)block_tokens);
    return t->fault;
}

/* What the file calls time 0: the first request's arrival where that is a date, or so far from the
 * file's own 0 that it is one in other words. Rates and windows are of the times from there on. */
static int64_t find_zero(const struct llmsim_trace *t, const struct row *row)
{
    if (t->has_zero)
        return t->zero_ns;
    bool is_first_row = t->header.format->starts_at_first_row || row->time_ns > LLMSIM_MAX_START_NS;
    return is_first_row ? row->time_ns : 0;
}

/* Turn a row into the trace's next request. Returns NULL, or what is wrong with column *where;
 * then nothing has changed. */
static const char *place_row(struct llmsim_trace *t, const struct row *row,
                             struct llmsim_request *request, size_t *where)
{
    int64_t zero_ns = find_zero(t, row);
    int64_t arrival_ns = row->time_ns - zero_ns;
    int64_t scaled_ns = llmsim_ratio_scale_arrival(t->options.rate_scale, arrival_ns);
    int64_t deadline_ns;
    *where = t->header.arrival_column;
    if (arrival_ns < t->last_ns)
        return "goes back in time; expected rows in order of arrival";
    if (arrival_ns > LLMSIM_MAX_ARRIVAL_NS || scaled_ns > LLMSIM_MAX_ARRIVAL_NS)
        return "is more than 100 years after time 0; expected less";

    const char *fault = place_deadline(row, scaled_ns, &deadline_ns);
    if (fault != NULL) {
        *where = t->header.deadline_column;
        return fault;
    }
    size_t n_hash_ids;
    fault = read_hash_ids(t, row, &n_hash_ids);
    if (fault != NULL) {
        *where = t->header.hash_column;
        return fault;
    }
    uint32_t id = LLMSIM_NO_ID;
    if (row->id != NULL) {
        bool too_long;
        *where = t->header.id_column;
        id = llmsim_id_pool_add(&t->ids, row->id, row->id_length, &too_long);
        t->out_of_memory = id == LLMSIM_NO_ID && !too_long;
        if (id == LLMSIM_NO_ID)
            return "is too long; expected at most 63 bytes";
    }
    uint16_t class_id = 0;
    if (row->class_name != NULL) {
        *where = t->header.class_column;
        class_id = llmsim_class_names_add(t->classes, row->class_name, row->class_length, &fault);
        if (fault != NULL) {
            if (id != LLMSIM_NO_ID)
                llmsim_id_pool_release(&t->ids, id);
            return fault;
        }
    }
    uint32_t prefix = LLMSIM_NO_PREFIX;
    if (n_hash_ids > 0) {
        prefix = llmsim_prefix_pool_add(&t->prefixes, t->hash_ids, n_hash_ids);
        t->out_of_memory = prefix == LLMSIM_NO_PREFIX;
        if (t->out_of_memory)
            return "does not fit in memory";
    }
    t->has_zero = true;
    t->zero_ns = zero_ns;
    t->last_ns = arrival_ns;
    *request = (struct llmsim_request){
        .arrival_ns = scaled_ns,
        .row = t->rows + t->rejected,
        .prompt_tokens = row->prompt_tokens,
        .output_tokens = row->output_tokens,
        .id = id,
        .priority = row->priority,
        .class_id = class_id,
        .deadline_ns = deadline_ns,
        .prefix = prefix,
    };
    if (row->output_tokens == 0 && t->header.format->no_output_is_failed) {
        request->is_failed = true;
        t->failed++;
    }
    t->rows++;
    return NULL;
}

/* ---- plain rows ---- */

/* The end of a bare field of plain bytes; NULL: it has others. `blanks`: they are plain too. */
static const char *scan_text(const char *p, bool blanks)
{
    for (; *p != ',' && *p != '\n' && *p != '\r'; p++)
        if ((unsigned char)*p < ' ' || *p == '"' || *p == 0x7f || (*p == ' ' && !blanks))
            return NULL;
    return p;
}

/* The end of a bare field of plain ASCII; `first`: the least byte of it. */
static const char *scan_ascii(const char *p, signed char first)
{
    for (; *p != ',' && *p != '\n' && *p != '\r'; p++)
        if ((signed char)*p < first || *p == '"' || *p == 0x7f)
            return NULL;
    return p;
}

static const char *scan_id(const char *p)
{
    return scan_ascii(p, '!');
}

/* NULL too where there are blanks to trim. */
static const char *scan_class(const char *p)
{
    const char *end = scan_ascii(p, ' ');
    return end != NULL && end > p && (*p == ' ' || end[-1] == ' ') ? NULL : end;
}

static bool ends_field(char c)
{
    return c == ',' || c == '\n' || c == '\r';
}

/* One plain row at `p`. Returns where the next line begins, or NULL. */
static const char *scan_row(const struct llmsim_trace *t, const char *p, struct row *row)
{
    const char *start = p;
    for (size_t i = 0; i < t->header.n_columns; i++) {
        if (i > 0 && *p++ != ',')
            return NULL;
        const char *field = p;
        switch ((enum llmsim_column_kind)t->header.kinds[i]) {
        case LLMSIM_COLUMN_SECONDS:
            p = llmsim_scan_seconds(p, &row->time_ns);
            break;
        case LLMSIM_COLUMN_DATE:
            p = llmsim_scan_date(&t->day, p, &row->time_ns);
            break;
        case LLMSIM_COLUMN_PROMPT_TOKENS:
            p = llmsim_scan_tokens(p, &row->prompt_tokens);
            break;
        case LLMSIM_COLUMN_OUTPUT_TOKENS:
            p = llmsim_scan_tokens(p, &row->output_tokens);
            break;
        case LLMSIM_COLUMN_REQUEST_ID:
            p = scan_id(p);
            row->id = field;
            row->id_length = p != NULL ? (size_t)(p - field) : 0;
            break;
        case LLMSIM_COLUMN_CLASS:
            p = scan_class(p);
            row->class_name = field;
            row->class_length = p != NULL ? (size_t)(p - field) : 0;
            break;
        case LLMSIM_COLUMN_PRIORITY:
            p = ends_field(*p) ? p : llmsim_scan_priority(p, &row->priority);
            break;
        case LLMSIM_COLUMN_DEADLINE:
            p = ends_field(*p) ? p : llmsim_scan_seconds(p, &row->deadline_ns);
            break;
        case LLMSIM_COLUMN_BATCH_SIZE:
            p = *p == '1' ? p + 1 : NULL;
            break;
        case LLMSIM_COLUMN_TOTAL_TOKENS:
        case LLMSIM_COLUMN_IGNORED:
            p = scan_text(p, true);
            break;
        case LLMSIM_COLUMN_HASH_IDS:
            p = scan_text(p, true);
            row->hash_ids = field;
            row->hash_ids_length = p != NULL ? (size_t)(p - field) : 0;
            break;
        case LLMSIM_COLUMN_MILLISECONDS:
        case LLMSIM_COLUMN_TIME_UNIT:
            return NULL; /* only in JSON */
        }
        if (p == NULL)
            return NULL;
    }
    bool short_enough = p - start <= (ptrdiff_t)LLMSIM_MAX_ROW_BYTES;
    bool id_good = row->id == NULL || row->id_length > 0;
    p += *p == '\r';
    return *p == '\n' && short_enough && id_good ? p + 1 : NULL;
}

/* Plain rows from the buffer, up to `capacity` or the first line that is anything else. */
static size_t read_plain_rows(struct llmsim_trace *t, struct llmsim_request *requests,
                              size_t capacity)
{
    size_t n = 0;
    const char *p = t->lines.buffer + t->lines.begin;
    while (n < capacity) {
        struct row row = EMPTY_ROW;
        size_t where;
        const char *next = scan_row(t, p, &row);
        if (next == NULL || place_row(t, &row, &requests[n], &where) != NULL)
            break;
        p = next;
        n++;
    }
    t->lines.begin = (size_t)(p - t->lines.buffer);
    t->lines.n_lines += n;
    return n;
}

/* ---- any row, and its errors ---- */

/* `text` for a message: at most 40 bytes, not cut inside a UTF-8 character. */
static const char *shorten(const char *text, size_t n, char shown[48])
{
    size_t kept = n;
    if (n > 40)
        for (kept = 40; kept > 36 && ((unsigned char)text[kept] & 0xC0) == 0x80;)
            kept--;
    memcpy(shown, text, kept);
    strcpy(shown + kept, n > kept ? "..." : "");
    return shown;
}

/* A bad row: the end of the reading, or one for the caller to count. */
static enum llmsim_status reject(struct llmsim_trace *t, const struct llmsim_line *line,
                                 size_t column, struct llmsim_error *err, const char *format, ...)
    LLMSIM_PRINTF(5, 6);
static enum llmsim_status reject(struct llmsim_trace *t, const struct llmsim_line *line,
                                 size_t column, struct llmsim_error *err, const char *format, ...)
{
    char reason[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    if (t->options.on_reject == NULL)
        return llmsim_fail_at(err, LLMSIM_TRACE, name_of(t), t->lines.n_lines, column, "%s",
                              reason);
    struct llmsim_trace_reject what = {.line = t->lines.n_lines,
                                       .column = column,
                                       .reason = reason,
                                       .row = line->text,
                                       .row_length = line->length};
    if (t->rejected++ == 0)
        (void)llmsim_fail_at(&t->first_reject, LLMSIM_TRACE, name_of(t), what.line, what.column,
                             "%s", reason);
    return t->options.on_reject(t->options.on_reject_ctx, &what, err);
}

/* A field of the line that was taken last. */
static const struct llmsim_csv_field *field_at(const struct llmsim_trace *t, size_t field)
{
    return t->header.format->is_json ? &t->json_fields[field] : &t->csv.fields[field];
}

static enum llmsim_status reject_field(struct llmsim_trace *t, const struct llmsim_line *line,
                                       size_t field, const char *fault, struct llmsim_error *err)
{
    char shown[48];
    const struct llmsim_csv_field *f = field_at(t, field);
    const char *name = t->header.names[field];
    size_t column = t->header.format->is_json ? (size_t)(f->text - line->text) + 1 + t->fault_offset
                                              : llmsim_csv_column(line->text, line->length, field);
    if (f->length == 0)
        return reject(t, line, column, err, "%s %s", name, fault);
    return reject(t, line, column, err, "%s '%s' %s", name, shorten(f->text, f->length, shown),
                  fault);
}

/* One field into the row; NULL, or what is wrong with it. */
static const char *parse_arrival(struct llmsim_trace *t, const struct llmsim_csv_field *f,
                                 int64_t *ns)
{
    const char *fault = llmsim_parse_time(f->text, f->length, t->time.unit, ns);
    int64_t step_ns = LLMSIM_NS_PER_S;
    for (int i = 0; i < t->time.unit->exponent; i++)
        step_ns /= 10;
    if (fault == NULL && t->time.from_whole_numbers && *ns % step_ns != 0)
        return "is no whole number, as those before are, from which the unit was told; expected "
               "one, or --time-unit";
    return fault;
}

static const char *parse_field(struct llmsim_trace *t, size_t field, struct row *row)
{
    const struct llmsim_csv_field *f = field_at(t, field);
    t->fault_offset = 0;
    switch ((enum llmsim_column_kind)t->header.kinds[field]) {
    case LLMSIM_COLUMN_SECONDS:
    case LLMSIM_COLUMN_MILLISECONDS:
        return parse_arrival(t, f, &row->time_ns);
    case LLMSIM_COLUMN_TIME_UNIT:
        return llmsim_parse_time_unit(f->text, f->length) == t->time.unit
                   ? NULL
                   : "is not the unit of the file; expected \"s\", \"ms\", \"us\" or \"ns\", the "
                     "same in all rows";
    case LLMSIM_COLUMN_DATE:
        return llmsim_parse_date(&t->day, f->text, f->length, &row->time_ns);
    case LLMSIM_COLUMN_PROMPT_TOKENS:
        return llmsim_parse_tokens(f->text, f->length, &row->prompt_tokens);
    case LLMSIM_COLUMN_OUTPUT_TOKENS:
        return llmsim_parse_tokens(f->text, f->length, &row->output_tokens);
    case LLMSIM_COLUMN_REQUEST_ID:
        row->id = f->text;
        row->id_length = f->length;
        if (f->length > 0 && !llmsim_utf8_is_plain(f->text, f->length))
            return "is no plain UTF-8 text; expected the request's id without control characters";
        return f->length > 0 ? NULL : "is empty; expected the request's id";
    case LLMSIM_COLUMN_CLASS:
        row->class_name = f->text;
        row->class_length = f->length;
        return NULL;
    case LLMSIM_COLUMN_PRIORITY:
        return f->length > 0 ? llmsim_parse_priority(f->text, f->length, &row->priority) : NULL;
    case LLMSIM_COLUMN_DEADLINE:
        return f->length > 0
                   ? llmsim_parse_time(f->text, f->length, t->time.unit, &row->deadline_ns)
                   : NULL;
    case LLMSIM_COLUMN_BATCH_SIZE:
        return strcmp(f->text, "1") == 0 ? NULL : "is not 1; expected 1: a row is one request";
    case LLMSIM_COLUMN_HASH_IDS: /* place_row reads them: the prompt's length may stand behind */
        row->hash_ids = f->text;
        row->hash_ids_length = f->length;
        break;
    case LLMSIM_COLUMN_TOTAL_TOKENS:
    case LLMSIM_COLUMN_IGNORED:
        break;
    }
    return NULL;
}

static enum llmsim_status take_fields(struct llmsim_trace *t, const struct llmsim_line *line,
                                      struct llmsim_request *request, bool *taken,
                                      struct llmsim_error *err)
{
    struct row row = EMPTY_ROW;
    size_t where;
    const char *fault;
    for (size_t i = 0; i < t->header.n_columns; i++)
        if (field_at(t, i)->text != NULL && (fault = parse_field(t, i, &row)) != NULL)
            return reject_field(t, line, i, fault, err);
    fault = place_row(t, &row, request, &where);
    if (t->out_of_memory)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory for request ids or hash ids");
    *taken = fault == NULL;
    if (*taken)
        return LLMSIM_OK;
    return reject_field(t, line, where, fault, err);
}

/* To skip every row is no reading of a trace. */
static enum llmsim_status end_trace(struct llmsim_trace *t, struct llmsim_error *err)
{
    const struct llmsim_error *first = &t->first_reject;
    t->ended = true;
    llmsim_lines_sha256(&t->lines, t->sha256);
    if (t->rows > 0 || t->rejected == 0)
        return LLMSIM_OK;
    return llmsim_fail_at(err, LLMSIM_TRACE, name_of(t), first->line, first->column,
                          "no row is good, and %llu are bad; the first: %s",
                          (unsigned long long)t->rejected, first->message);
}

/* Split a line into t->csv.fields: *good if it makes a row. */
static enum llmsim_status split_csv(struct llmsim_trace *t, const struct llmsim_line *line,
                                    bool *good, struct llmsim_error *err)
{
    size_t column = 0;
    const char *fault = llmsim_csv_line_parse(&t->csv, line->text, line->length, &column);
    if (fault == llmsim_csv_out_of_memory)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "%s", fault);
    if (fault != NULL)
        return reject(t, line, column, err, "%s", fault);
    *good = t->csv.n_fields == t->header.n_columns;
    if (*good || t->csv.n_fields == 0)
        return LLMSIM_OK;
    bool more = t->csv.n_fields > t->header.n_columns;
    column =
        llmsim_csv_column(line->text, line->length, more ? t->header.n_columns : t->csv.n_fields);
    return reject(t, line, column, err, "row has %zu fields; expected %zu, as in the header",
                  t->csv.n_fields, t->header.n_columns);
}

/* One member of a JSON line to its column; false: it is there already. */
static bool place_member(struct llmsim_trace *t, const struct llmsim_json_member *member)
{
    for (size_t i = 0; i < t->header.n_columns; i++) {
        const char *name = t->header.names[i];
        if (name == NULL || strncmp(name, member->key, member->key_length) != 0 ||
            name[member->key_length] != '\0')
            continue;
        if (t->json_fields[i].text != NULL)
            return false;
        t->json_fields[i] = (struct llmsim_csv_field){member->value, member->value_length};
        return true;
    }
    llmsim_trace_header_note_unused(&t->header, member->key, member->key_length);
    return true;
}

/* Likewise, into t->json_fields. */
static enum llmsim_status split_json(struct llmsim_trace *t, const struct llmsim_line *line,
                                     bool *good, struct llmsim_error *err)
{
    const struct llmsim_trace_format *format = t->header.format;
    size_t n_bom = t->lines.n_lines == 1 ? t->header.n_bom : 0;
    size_t column = 0;
    memset(t->json_fields, 0, sizeof t->json_fields);
    const char *fault =
        llmsim_json_line_parse(&t->json, line->text + n_bom, line->length - n_bom, &column);
    if (fault != NULL)
        return reject(t, line, column + n_bom, err, "%s", fault);
    if (t->json.is_blank)
        return LLMSIM_OK;
    for (size_t i = 0; i < t->json.n_members; i++) {
        const struct llmsim_json_member *m = &t->json.members[i];
        if (!place_member(t, m))
            return reject(t, line, (size_t)(m->key - line->text), err,
                          "key %.*s is repeated; expected it once", (int)m->key_length, m->key);
    }
    for (size_t i = 0; i < t->header.n_columns; i++) {
        char expected[256];
        if (t->json_fields[i].text == NULL && !format->columns[i].optional &&
            t->header.names[i] != NULL)
            return reject(t, line, 1, err, "key %s is missing; expected %s", t->header.names[i],
                          llmsim_trace_format_expected(format, expected, sizeof expected));
    }
    *good = true;
    return LLMSIM_OK;
}

static enum llmsim_status next_line(struct llmsim_trace *t, struct llmsim_line *line, bool *ended,
                                    struct llmsim_error *err)
{
    if (t->header.first_row.text == NULL)
        return llmsim_lines_next(&t->lines, line, ended, err);
    *line = t->header.first_row;
    *ended = false;
    t->header.first_row.text = NULL;
    return LLMSIM_OK;
}

/* The next line, whatever it is: *taken if it made a request. */
static enum llmsim_status read_line(struct llmsim_trace *t, struct llmsim_request *request,
                                    bool *taken, struct llmsim_error *err)
{
    struct llmsim_line line;
    bool ended, good = false;
    *taken = false;
    enum llmsim_status status = next_line(t, &line, &ended, err);
    if (status != LLMSIM_OK)
        return status;
    if (ended)
        return end_trace(t, err);
    if (line.too_long)
        return reject(t, &line, LLMSIM_MAX_ROW_BYTES + 1, err,
                      "row is too long; expected at most %u bytes", LLMSIM_MAX_ROW_BYTES);
    status = (t->header.format->is_json ? split_json : split_csv)(t, &line, &good, err);
    return good ? take_fields(t, &line, request, taken, err) : status;
}

/* How many of `wanted` requests the limit still allows. */
static size_t within_limit(const struct llmsim_trace *t, size_t wanted)
{
    if (t->options.limit == 0)
        return wanted;
    uint64_t left = t->options.limit - t->rows - t->rejected;
    return left < wanted ? (size_t)left : wanted;
}

static enum llmsim_status read_trace(void *self, struct llmsim_request *requests, size_t capacity,
                                     size_t *n, struct llmsim_error *err)
{
    struct llmsim_trace *t = self;
    enum llmsim_status status = LLMSIM_OK;
    *n = 0;
    while (status == LLMSIM_OK && *n < capacity && !t->ended) {
        size_t wanted = within_limit(t, capacity - *n);
        if (wanted == 0)
            return end_trace(t, err);
        size_t n_plain =
            t->options.only_libcsv || t->header.format->is_json || t->time.unit->exponent != 0
                ? 0
                : read_plain_rows(t, requests + *n, wanted);
        *n += n_plain;
        if (n_plain < wanted) {
            bool taken;
            status = read_line(t, requests + *n, &taken, err);
            *n += taken;
        }
    }
    return status;
}

static const char *id_text(const void *self, uint32_t id, size_t *length)
{
    const struct llmsim_trace *t = self;
    return llmsim_id_pool_text(&t->ids, id, length);
}

static void release_id(void *self, uint32_t id)
{
    struct llmsim_trace *t = self;
    llmsim_id_pool_release(&t->ids, id);
}

static const char *class_name(const void *self, uint16_t class_id)
{
    const struct llmsim_trace *t = self;
    return t->classes->names[class_id].text;
}

static void get_prefix(const void *self, uint32_t handle, struct llmsim_prefix *prefix)
{
    const struct llmsim_trace *t = self;
    prefix->blocks = llmsim_prefix_pool_blocks(&t->prefixes, handle, &prefix->n_blocks);
    prefix->block_tokens = t->options.hash_block_tokens;
}

static void release_prefix(void *self, uint32_t handle)
{
    struct llmsim_trace *t = self;
    llmsim_prefix_pool_release(&t->prefixes, handle);
}

struct llmsim_source llmsim_trace_source(struct llmsim_trace *trace)
{
    bool with_prefixes = trace->options.with_prefixes;
    return (struct llmsim_source){
        .self = trace,
        .read = read_trace,
        .id_text = id_text,
        .release = release_id,
        .class_name = trace->classes != NULL ? class_name : NULL,
        .prefix = with_prefixes ? get_prefix : NULL,
        .release_prefix = with_prefixes ? release_prefix : NULL,
    };
}

/* ---- opening ---- */

/* Of JSON lines the first is the only one that can say beforehand what they have. */
static void look_at_first_row(struct llmsim_trace *t)
{
    const struct llmsim_line *line = &t->header.first_row;
    size_t n_bom = t->header.n_bom, column;
    if (line->text == NULL || t->header.kinds[t->header.hash_column] != LLMSIM_COLUMN_HASH_IDS ||
        llmsim_json_line_parse(&t->json, line->text + n_bom, line->length - n_bom, &column) != NULL)
        return;
    for (size_t i = 0; i < t->json.n_members; i++)
        (void)place_member(t, &t->json.members[i]);
    t->header.has_prefixes = t->json_fields[t->header.hash_column].text != NULL;
}

static enum llmsim_column_kind arrival_kind(const struct llmsim_trace *t)
{
    return (enum llmsim_column_kind)t->header.kinds[t->header.arrival_column];
}

/* What the format says. */
static const struct llmsim_time_unit *own_unit(const struct llmsim_trace *t)
{
    return &llmsim_time_units[arrival_kind(t) == LLMSIM_COLUMN_MILLISECONDS ? LLMSIM_UNIT_MS
                                                                            : LLMSIM_UNIT_S];
}

static enum llmsim_status set_time_unit(struct llmsim_trace *t, struct llmsim_error *err)
{
    const struct llmsim_line *first = &t->header.first_row;
    const char *named = t->options.time_unit;
    t->time.unit = own_unit(t);
    if (named != NULL && arrival_kind(t) == LLMSIM_COLUMN_DATE)
        return llmsim_fail(err, LLMSIM_USAGE,
                           "--time-unit %s: the arrivals of format %s are dates, which have none",
                           named, t->header.format->choice.name);
    if (named != NULL)
        return llmsim_time_unit_named(named, &t->time.unit, err);
    if (!t->header.format->is_json || first->text == NULL || t->options.only_lengths)
        return LLMSIM_OK;
    if (first->too_long) /* and so cannot be looked at */
        return llmsim_fail_at(err, LLMSIM_TRACE, name_of(t), t->lines.n_lines,
                              LLMSIM_MAX_ROW_BYTES + 1,
                              "row is too long; expected at most %u bytes", LLMSIM_MAX_ROW_BYTES);
    return llmsim_time_unit_find(&t->lines, &t->header.first_row, t->header.n_bom, t->header.format,
                                 &t->json, &t->time, err);
}

enum llmsim_status llmsim_trace_open(const char *path, const struct llmsim_trace_options *options,
                                     struct llmsim_trace **trace, struct llmsim_error *err)
{
    *trace = NULL;
    const struct llmsim_trace_format *named = NULL;
    enum llmsim_status status = llmsim_trace_format_named(options->format, &named, err);
    if (status != LLMSIM_OK)
        return status;
    struct llmsim_trace *t = calloc(1, sizeof *t);
    if (t == NULL || !llmsim_csv_line_init(&t->csv)) {
        llmsim_trace_close(t);
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    }
    t->options = *options;
    if (options->rate_scale.numerator == 0 || options->rate_scale.denominator == 0)
        t->options.rate_scale = (struct llmsim_ratio){1, 1};
    if (options->hash_block_tokens == 0)
        t->options.hash_block_tokens = LLMSIM_HASH_BLOCK_TOKENS;
    status = llmsim_lines_open(&t->lines, path, err);
    if (status == LLMSIM_OK)
        status = llmsim_trace_header_read(&t->header, &t->lines, &t->csv, named,
                                          options->only_lengths, err);
    if (status == LLMSIM_OK)
        status = set_time_unit(t, err);
    if (status == LLMSIM_OK && t->header.has_classes &&
        (t->classes = calloc(1, sizeof *t->classes)) == NULL)
        status = llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    if (status != LLMSIM_OK) {
        llmsim_trace_close(t);
        return status;
    }
    if (t->header.format->is_json)
        look_at_first_row(t);
    *trace = t;
    return LLMSIM_OK;
}

void llmsim_trace_close(struct llmsim_trace *trace)
{
    if (trace == NULL)
        return;
    llmsim_trace_header_fini(&trace->header);
    llmsim_csv_line_fini(&trace->csv);
    llmsim_lines_close(&trace->lines);
    llmsim_id_pool_fini(&trace->ids);
    free(trace->classes);
    llmsim_prefix_pool_fini(&trace->prefixes);
    free(trace->hash_ids);
    free(trace);
}

void llmsim_trace_get_status(const struct llmsim_trace *trace, struct llmsim_trace_status *status)
{
    *status = (struct llmsim_trace_status){
        .format = trace->header.format->choice.name,
        .rows = trace->rows,
        .failed = trace->failed,
        .rejected = trace->rejected,
        .bytes_read = llmsim_input_position(trace->lines.input),
        .bytes_total = llmsim_input_size(trace->lines.input),
        .has_request_ids = trace->header.has_request_ids,
        .has_priorities = trace->header.has_priorities,
        .has_deadlines = trace->header.has_deadlines,
        .has_classes = trace->header.has_classes,
        .has_prefixes = trace->header.has_prefixes,
        .has_dates = arrival_kind(trace) == LLMSIM_COLUMN_DATE,
        .time_unit = trace->time.unit != own_unit(trace) ? trace->time.unit->choice.name : NULL,
        .origin_ns = trace->zero_ns,
        .unused_columns = trace->header.unused_columns,
    };
    memcpy(status->sha256, trace->sha256, sizeof status->sha256);
}

bool llmsim_trace_is_at(const struct llmsim_trace *trace, const char *path)
{
    return llmsim_input_is_at(trace->lines.input, path);
}
