/* trace_writer.c: rows by the columns of a format's table, the mirror of trace.c. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv_line.h"
#include "llmsim/time.h"
#include "llmsim/trace.h"
#include "numfmt.h"
#include "output.h"
#include "trace_format.h"

#define NS_PER_DAY (86400 * LLMSIM_NS_PER_S)
/* What stands before a field: a comma, or a key of JSON. */
#define LEAD_ROOM 32
/* The longest row but for hash ids: a date or number of 32 bytes a column, the id, the class and
 * the line's end. */
#define ROW_ROOM                                                                                   \
    (LLMSIM_FORMAT_MAX_COLUMNS * (32 + LEAD_ROOM) + LLMSIM_MAX_REQUEST_ID +                        \
     LLMSIM_MAX_CLASS_NAME + 2)

struct lead {
    char text[LEAD_ROOM];
    size_t length;
};

struct llmsim_trace_writer {
    struct llmsim_output out;
    bool with_request_ids;
    bool with_prefixes; /* asked for, and the format has a column for them */
    const struct llmsim_trace_format *format;
    struct llmsim_trace_column columns[LLMSIM_FORMAT_MAX_COLUMNS]; /* those that are written */
    struct lead leads[LLMSIM_FORMAT_MAX_COLUMNS];
    size_t n_columns;
    uint64_t n_rows, failed_lost, failed_made, prefixes_lost;
    char *part;       /* where the part of the row that is not yet in `out` begins */
    size_t row_bytes; /* those before it */
    int64_t day;      /* number of the day whose date is `date`, from 1970-01-01 */
    char date[11];    /* "YYYY-MM-DD " */
};

/* Two digits; room: 2. */
static char *put_two(char *p, uint32_t x)
{
    *p++ = (char)('0' + x / 10);
    *p++ = (char)('0' + x % 10);
    return p;
}

/* Days from 1970-01-01 to the Gregorian calendar; the inverse of trace_fields.c's days_from_date
 * and from the same source. */
static void put_date(char *date, int64_t day)
{
    uint32_t z = (uint32_t)(day + 719468);
    uint32_t day_of_era = z % 146097;
    uint32_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t m = (5 * day_of_year + 2) / 153; /* from March */
    uint32_t month = m < 10 ? m + 3 : m - 9;
    uint32_t year = year_of_era + z / 146097 * 400 + (month <= 2);
    char *p = put_two(put_two(date, year / 100), year % 100);
    *p++ = '-';
    p = put_two(p, month);
    *p++ = '-';
    p = put_two(p, day_of_year - (153 * m + 2) / 5 + 1);
    *p = ' ';
}

/* "YYYY-MM-DD HH:MM:SS.nnnnnnnnn" */
static char *put_time(struct llmsim_trace_writer *writer, char *p, int64_t ns)
{
    if (ns / NS_PER_DAY != writer->day) {
        writer->day = ns / NS_PER_DAY;
        put_date(writer->date, writer->day);
    }
    memcpy(p, writer->date, sizeof writer->date);
    uint32_t s = (uint32_t)(ns % NS_PER_DAY / LLMSIM_NS_PER_S);
    p = put_two(p + sizeof writer->date, s / 3600);
    *p++ = ':';
    p = put_two(p, s / 60 % 60);
    *p++ = ':';
    p = put_two(p, s % 60);
    char fraction[32]; /* "0.nnnnnnnnn" */
    size_t n = (size_t)(llmsim_put_ns(fraction, ns % LLMSIM_NS_PER_S) - fraction);
    memcpy(p, fraction + 1, n - 1);
    return p + n - 1;
}

/* With a fraction only where there is one: Mooncake's are whole. */
static char *put_milliseconds(char *p, int64_t ns)
{
    uint32_t fraction = (uint32_t)(ns % 1000000);
    p = llmsim_put_u64(p, (uint64_t)ns / 1000000);
    if (fraction == 0)
        return p;
    *p++ = '.';
    p = llmsim_put_3digits(p, fraction / 1000);
    return llmsim_put_3digits(p, fraction % 1000);
}

static char *put_priority(char *p, int32_t priority)
{
    if (priority >= 0)
        return llmsim_put_u64(p, (uint64_t)priority);
    *p++ = '-';
    return llmsim_put_u64(p, (uint64_t) - (int64_t)priority);
}

static char *put_id(const struct llmsim_trace_writer *writer, char *p,
                    const struct llmsim_request *request, const struct llmsim_source *source)
{
    size_t length;
    if (!writer->with_request_ids)
        return llmsim_put_u64(p, writer->n_rows);
    if (request->id == LLMSIM_NO_ID)
        return llmsim_put_u64(p, request->row);
    const char *text = source->id_text(source->self, request->id, &length);
    memcpy(p, text, length);
    return p + length;
}

static char *put_class(char *p, const struct llmsim_trace_column *column,
                       const struct llmsim_request *request, const struct llmsim_source *source)
{
    if (request->class_id == 0 || source->class_name == NULL)
        return stpcpy(p, column->fill != NULL ? column->fill : "");
    const char *name = source->class_name(source->self, request->class_id);
    return p + llmsim_csv_quote(name, strlen(name), p, LLMSIM_MAX_CLASS_NAME);
}

/* Room in the buffer for one more part of the row, whose part so far ends at `p`. */
static char *begin_part(struct llmsim_trace_writer *writer, const char *p)
{
    writer->row_bytes += (size_t)(p - writer->part);
    llmsim_output_advance(&writer->out, p);
    writer->part = llmsim_output_room(&writer->out, ROW_ROOM);
    return writer->part;
}

static bool has_prefix(const struct llmsim_request *request, const struct llmsim_source *source)
{
    return request->prefix != LLMSIM_NO_PREFIX && source->prefix != NULL;
}

/* "[1, 2]", or "1 2" in CSV */
static char *put_hash_ids(struct llmsim_trace_writer *writer, char *p,
                          const struct llmsim_request *request, const struct llmsim_source *source)
{
    bool is_json = writer->format->is_json;
    struct llmsim_prefix prefix = {0};
    if (has_prefix(request, source))
        source->prefix(source->self, request->prefix, &prefix);
    if (is_json)
        *p++ = '[';
    for (size_t i = 0; i < prefix.n_blocks; i++) {
        if (i > 0)
            p = stpcpy(p, is_json ? ", " : " ");
        p = begin_part(writer, llmsim_put_u64(p, prefix.blocks[i]));
    }
    if (is_json)
        *p++ = ']';
    return p;
}

static char *put_field(struct llmsim_trace_writer *writer, char *p,
                       const struct llmsim_trace_column *column,
                       const struct llmsim_request *request, const struct llmsim_source *source)
{
    switch (column->kind) {
    case LLMSIM_COLUMN_SECONDS:
        return llmsim_put_ns(p, request->arrival_ns);
    case LLMSIM_COLUMN_MILLISECONDS:
        return put_milliseconds(p, request->arrival_ns);
    case LLMSIM_COLUMN_TIME_UNIT:
        return stpcpy(p, "\"ms\"");
    case LLMSIM_COLUMN_DATE:
        return put_time(writer, p, request->arrival_ns);
    case LLMSIM_COLUMN_PROMPT_TOKENS:
        return llmsim_put_u64(p, request->prompt_tokens);
    case LLMSIM_COLUMN_OUTPUT_TOKENS:
        return llmsim_put_u64(p, request->output_tokens);
    case LLMSIM_COLUMN_REQUEST_ID:
        return put_id(writer, p, request, source);
    case LLMSIM_COLUMN_PRIORITY:
        return put_priority(p, request->priority);
    case LLMSIM_COLUMN_DEADLINE:
        return request->deadline_ns != LLMSIM_NO_DEADLINE ? llmsim_put_ns(p, request->deadline_ns)
                                                          : p;
    case LLMSIM_COLUMN_CLASS:
        return put_class(p, column, request, source);
    case LLMSIM_COLUMN_TOTAL_TOKENS:
        return llmsim_put_u64(p, (uint64_t)request->prompt_tokens + request->output_tokens);
    case LLMSIM_COLUMN_BATCH_SIZE:
        *p = '1';
        return p + 1;
    case LLMSIM_COLUMN_IGNORED:
        return stpcpy(p, column->fill);
    case LLMSIM_COLUMN_HASH_IDS:
        return put_hash_ids(writer, p, request, source);
    }
    return p;
}

/* Is this column of the format one of the new trace? */
static bool is_written(const struct llmsim_trace_column *column,
                       const struct llmsim_trace_writer_options *options)
{
    switch (column->kind) {
    case LLMSIM_COLUMN_REQUEST_ID:
        return options->with_request_ids || !column->optional;
    case LLMSIM_COLUMN_PRIORITY:
        return options->with_priorities;
    case LLMSIM_COLUMN_DEADLINE:
        return options->with_deadlines;
    case LLMSIM_COLUMN_CLASS:
        return options->with_classes || column->fill != NULL;
    case LLMSIM_COLUMN_HASH_IDS:
        return options->with_prefixes;
    default:
        return true;
    }
}

/* As Python's json.dumps and Mooncake's own files have it: {"timestamp": 0, "input_length": 1} */
static void set_leads(struct llmsim_trace_writer *writer)
{
    for (size_t i = 0; i < writer->n_columns; i++) {
        struct lead *lead = &writer->leads[i];
        int n = writer->format->is_json
                    ? snprintf(lead->text, LEAD_ROOM, "%s\"%s\": ", i > 0 ? ", " : "{",
                               writer->columns[i].name)
                    : snprintf(lead->text, LEAD_ROOM, "%s", i > 0 ? "," : "");
        assert(n >= 0 && n < LEAD_ROOM);
        lead->length = (size_t)n;
    }
}

static void put_header(struct llmsim_trace_writer *writer)
{
    if (writer->format->is_json)
        return;
    for (size_t i = 0; i < writer->n_columns; i++) {
        llmsim_output_text(&writer->out, i > 0 ? "," : "");
        llmsim_output_text(&writer->out, writer->columns[i].name);
    }
    llmsim_output_text(&writer->out, "\n");
}

static bool has_column(const struct llmsim_trace_writer *writer, enum llmsim_column_kind kind)
{
    for (size_t i = 0; i < writer->n_columns; i++)
        if (writer->columns[i].kind == kind)
            return true;
    return false;
}

enum llmsim_status llmsim_trace_writer_open(const char *path,
                                            const struct llmsim_trace_writer_options *options,
                                            struct llmsim_trace_writer **writer,
                                            struct llmsim_error *err)
{
    *writer = NULL;
    const struct llmsim_trace_format *format;
    enum llmsim_status status = llmsim_trace_format_named(
        options->format != NULL ? options->format : "native", &format, err);
    if (status != LLMSIM_OK)
        return status;
    struct llmsim_trace_writer *w = calloc(1, sizeof *w);
    if (w == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    w->with_request_ids = options->with_request_ids;
    w->format = format;
    w->day = -1;
    for (const struct llmsim_trace_column *c = format->columns; c->name != NULL; c++)
        if (is_written(c, options))
            w->columns[w->n_columns++] = *c;
    w->with_prefixes = has_column(w, LLMSIM_COLUMN_HASH_IDS);
    status = llmsim_output_open(&w->out, path,
                                options->zstd ? LLMSIM_COMPRESS_ZSTD : LLMSIM_COMPRESS_NONE, err);
    if (status != LLMSIM_OK) {
        free(w);
        return status;
    }
    set_leads(w);
    put_header(w);
    *writer = w;
    return LLMSIM_OK;
}

/* A JSON object without hash ids has no key for them; an empty array says that the prompt is empty.
 * A fraction of a millisecond would make a reader ask for the unit. */
static bool is_absent(const struct llmsim_trace_writer *writer,
                      const struct llmsim_trace_column *column,
                      const struct llmsim_request *request, const struct llmsim_source *source)
{
    if (column->kind == LLMSIM_COLUMN_TIME_UNIT)
        return request->arrival_ns % 1000000 == 0;
    return column->kind == LLMSIM_COLUMN_HASH_IDS && writer->format->is_json &&
           request->prompt_tokens > 0 && !has_prefix(request, source);
}

static enum llmsim_status put_row(struct llmsim_trace_writer *writer,
                                  const struct llmsim_request *request,
                                  const struct llmsim_source *source, struct llmsim_error *err)
{
    char *p = writer->part = llmsim_output_room(&writer->out, ROW_ROOM);
    writer->row_bytes = 0;
    for (size_t c = 0; c < writer->n_columns; c++) {
        if (is_absent(writer, &writer->columns[c], request, source))
            continue;
        memcpy(p, writer->leads[c].text, LEAD_ROOM);
        p += writer->leads[c].length;
        p = put_field(writer, p, &writer->columns[c], request, source);
    }
    if (writer->format->is_json)
        *p++ = '}';
    if (writer->row_bytes + (size_t)(p - writer->part) > LLMSIM_MAX_ROW_BYTES)
        return llmsim_fail(err, LLMSIM_RUN_FAILED,
                           "row %llu is too long with its hash ids; expected at most %u bytes",
                           (unsigned long long)writer->n_rows, LLMSIM_MAX_ROW_BYTES);
    *p++ = '\n';
    llmsim_output_advance(&writer->out, p);
    writer->n_rows++;
    return LLMSIM_OK;
}

enum llmsim_status llmsim_trace_writer_add(struct llmsim_trace_writer *writer,
                                           const struct llmsim_source *source,
                                           const struct llmsim_request *requests, size_t n,
                                           struct llmsim_error *err)
{
    bool failed_here = writer->format->no_output_is_failed;
    for (size_t i = 0; i < n; i++) {
        enum llmsim_status status = put_row(writer, &requests[i], source, err);
        if (status != LLMSIM_OK)
            return status;
        bool reads_failed = failed_here && requests[i].output_tokens == 0;
        writer->failed_lost += requests[i].is_failed && !reads_failed;
        writer->failed_made += reads_failed && !requests[i].is_failed;
        writer->prefixes_lost += !writer->with_prefixes && has_prefix(&requests[i], source);
    }
    return llmsim_output_check(&writer->out, err);
}

void llmsim_trace_writer_get_status(const struct llmsim_trace_writer *writer,
                                    struct llmsim_trace_writer_status *status)
{
    *status = (struct llmsim_trace_writer_status){
        .has_request_ids = writer->with_request_ids && has_column(writer, LLMSIM_COLUMN_REQUEST_ID),
        .has_priorities = has_column(writer, LLMSIM_COLUMN_PRIORITY),
        .has_deadlines = has_column(writer, LLMSIM_COLUMN_DEADLINE),
        .has_classes = has_column(writer, LLMSIM_COLUMN_CLASS),
        .has_prefixes = writer->with_prefixes,
        .prefixes_lost = writer->prefixes_lost,
        .failed_lost = writer->failed_lost,
        .failed_made = writer->failed_made,
    };
}

enum llmsim_status llmsim_trace_writer_commit(struct llmsim_trace_writer *writer,
                                              struct llmsim_error *err)
{
    return llmsim_output_commit(&writer->out, err);
}

void llmsim_trace_writer_close(struct llmsim_trace_writer *writer)
{
    if (writer == NULL)
        return;
    llmsim_output_close(&writer->out);
    free(writer);
}
