/* csv_line.c: libcsv calls back for each field; its text goes to one buffer a line. */
#include "csv_line.h"

#include <stdlib.h>
#include <string.h>

/* By what libcsv's buffer grows. */
#define BUFFER_STEP ((size_t)64 << 10)
/* Our buffer's first size. */
#define USUAL_BYTES 4000

const char llmsim_csv_out_of_memory[] = "out of memory";

/* CSV_STRICT: a quote may not stand in the middle of a field; CSV_STRICT_FINI: a quoted field has
 * to end. */
static bool start_parser(struct csv_parser *parser)
{
    bool started = csv_init(parser, CSV_STRICT | CSV_STRICT_FINI) == 0;
    /* libcsv's buffer grows by steps of 128 bytes unless told otherwise, and may be copied at each.
     */
    if (started)
        csv_set_blk_size(parser, BUFFER_STEP);
    return started;
}

/* Room for the fields of n bytes: a NUL after each takes the place of its comma; the last has
 * none. What was there is lost. */
static bool make_room(struct llmsim_csv_line *line, size_t n)
{
    if (n < line->capacity)
        return true;
    size_t capacity = 2 * line->capacity > n ? 2 * line->capacity : n + 1;
    char *text = calloc(1, capacity + LLMSIM_CSV_SLACK);
    if (text == NULL)
        return false;
    free(line->text);
    line->text = text;
    line->capacity = capacity;
    return true;
}

bool llmsim_csv_line_init(struct llmsim_csv_line *line)
{
    line->n_fields = 0;
    line->used = line->capacity = 0;
    line->text = NULL;
    return make_room(line, USUAL_BYTES) && start_parser(&line->parser);
}

void llmsim_csv_line_fini(struct llmsim_csv_line *line)
{
    if (line->text == NULL)
        return;
    csv_free(&line->parser);
    free(line->text);
    line->text = NULL;
}

static void add_field(void *text, size_t length, void *context)
{
    struct llmsim_csv_line *line = context;
    if (line->n_fields < LLMSIM_CSV_MAX_FIELDS) {
        char *copy = line->text + line->used;
        memcpy(copy, text, length);
        copy[length] = '\0';
        line->used += length + 1;
        line->fields[line->n_fields] = (struct llmsim_csv_field){copy, length};
    }
    line->n_fields++;
}

/* A byte that no text has. A carriage return would be a line break to libcsv. */
static const char *find_control(const char *bytes, size_t n, size_t *column)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            *column = i + 1;
            return c == '\r' ? "carriage return inside a row; expected it before a line feed only"
                             : "control character; expected text";
        }
    }
    return NULL;
}

const char *llmsim_csv_line_parse(struct llmsim_csv_line *line, const char *bytes, size_t n,
                                  size_t *column)
{
    line->n_fields = 0;
    line->used = 0;
    const char *fault = find_control(bytes, n, column);
    if (fault != NULL)
        return fault;
    if (!make_room(line, n))
        return llmsim_csv_out_of_memory;

    size_t done = csv_parse(&line->parser, bytes, n, add_field, NULL, line);
    bool ended = done == n && csv_fini(&line->parser, add_field, NULL, line) == 0;
    if (ended)
        return NULL;
    int error = csv_error(&line->parser);
    csv_free(&line->parser);
    if (!start_parser(&line->parser) || error == CSV_ENOMEM)
        return llmsim_csv_out_of_memory;
    if (done == n) {
        *column = llmsim_csv_column(bytes, n, line->n_fields);
        return "quoted field does not end; expected a closing quote on the same line";
    }
    /* Strict mode stops at a quote in a bare field, or at what follows a closing quote. */
    *column = done + 1;
    return bytes[done] == '"' ? "quote inside a field; expected the whole field in quotes, and "
                                "quotes inside it doubled"
                              : "text after a closing quote; expected a comma or the line's end";
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

size_t llmsim_csv_column(const char *bytes, size_t n, size_t field)
{
    size_t i = 0;
    bool quoted = false;
    for (; i < n && field > 0; i++) {
        if (bytes[i] == '"')
            quoted = !quoted;
        field -= bytes[i] == ',' && !quoted;
    }
    if (field > 0)
        return n + 1;
    size_t first = i;
    while (first < n && is_blank(bytes[first]))
        first++;
    return first < n && bytes[first] != ',' ? first + 1 : i + 1;
}

/* `text` at `p` with its quotes doubled; returns the end. */
static char *double_quotes(char *p, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '"')
            *p++ = '"';
        *p++ = text[i];
    }
    return p;
}

size_t llmsim_csv_quote(const char *text, size_t n, char *field, size_t capacity)
{
    size_t n_quotes = 0;
    bool has_comma = false;
    for (size_t i = 0; i < n; i++) {
        n_quotes += text[i] == '"';
        has_comma = has_comma || text[i] == ',';
    }
    /* A reader trims the blanks of a bare field. */
    bool bare =
        n > 0 && n_quotes == 0 && !has_comma && !is_blank(text[0]) && !is_blank(text[n - 1]);
    size_t length = bare ? n : n + n_quotes + 2;
    if (length > capacity)
        return 0;
    char *p = field;
    if (!bare)
        *p++ = '"';
    p = double_quotes(p, text, n);
    if (!bare)
        *p = '"';
    return length;
}
