/* lines.c: one buffer, in which the tail of a read is moved to the front before the next. */
#include "lines.h"

#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES ((size_t)256 << 10)
/* A whole line, its end, and a byte of what is too long. */
#define MAX_BUFFER_BYTES ((size_t)LLMSIM_MAX_ROW_BYTES + 4)

enum llmsim_status llmsim_lines_open(struct llmsim_lines *lines, const char *path,
                                     struct llmsim_error *err)
{
    *lines = (struct llmsim_lines){.buffer = calloc(1, BUFFER_BYTES + LLMSIM_LINES_SLACK),
                                   .capacity = BUFFER_BYTES};
    if (lines->buffer == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    llmsim_sha256_init(&lines->sha);
    enum llmsim_status status = llmsim_input_open(path, &lines->input, err);
    if (status != LLMSIM_OK)
        llmsim_lines_close(lines);
    return status;
}

static void hash_taken(struct llmsim_lines *lines)
{
    llmsim_sha256_update(&lines->sha, lines->buffer + lines->hashed, lines->begin - lines->hashed);
    lines->hashed = lines->begin;
}

static enum llmsim_status grow(struct llmsim_lines *lines, struct llmsim_error *err)
{
    size_t capacity =
        2 * lines->capacity < MAX_BUFFER_BYTES ? 2 * lines->capacity : MAX_BUFFER_BYTES;
    char *buffer = realloc(lines->buffer, capacity + LLMSIM_LINES_SLACK);
    if (buffer == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    /* A scanner may look at them; what it sees there decides nothing. */
    memset(buffer + lines->end, 0, capacity + LLMSIM_LINES_SLACK - lines->end);
    lines->buffer = buffer;
    lines->capacity = capacity;
    return LLMSIM_OK;
}

/* Drop what is taken and read on. */
static enum llmsim_status refill(struct llmsim_lines *lines, struct llmsim_error *err)
{
    size_t n = 0;
    enum llmsim_status status = LLMSIM_OK;
    hash_taken(lines);
    memmove(lines->buffer, lines->buffer + lines->begin, lines->end - lines->begin);
    lines->end -= lines->begin;
    lines->begin = lines->hashed = 0;
    if (lines->end == lines->capacity)
        status = grow(lines, err);
    if (status == LLMSIM_OK)
        status = llmsim_input_read(lines->input, lines->buffer + lines->end,
                                   lines->capacity - lines->end, &n, err);
    lines->input_ended = status == LLMSIM_OK && n == 0;
    lines->end += n;
    lines->buffer[lines->end] = '\0';
    return status;
}

/* Take n bytes and then `n_end` bytes of line end. */
static void take(struct llmsim_lines *lines, size_t n, size_t n_end, struct llmsim_line *line)
{
    line->text = lines->buffer + lines->begin;
    line->length = n;
    if (n > 0 && line->text[n - 1] == '\r' && (n_end > 0 || lines->input_ended))
        line->length--;
    line->too_long = line->length > LLMSIM_MAX_ROW_BYTES;
    if (line->too_long)
        line->length = LLMSIM_MAX_ROW_BYTES;
    lines->begin += n + n_end;
}

static enum llmsim_status skip_rest(struct llmsim_lines *lines, struct llmsim_error *err)
{
    enum llmsim_status status = LLMSIM_OK;
    while (lines->inside_long_line && status == LLMSIM_OK) {
        const char *start = lines->buffer + lines->begin;
        const char *newline = memchr(start, '\n', lines->end - lines->begin);
        lines->begin = newline != NULL ? (size_t)(newline + 1 - lines->buffer) : lines->end;
        lines->inside_long_line = newline == NULL && !lines->input_ended;
        if (lines->inside_long_line)
            status = refill(lines, err);
    }
    return status;
}

enum llmsim_status llmsim_lines_next(struct llmsim_lines *lines, struct llmsim_line *line,
                                     bool *ended, struct llmsim_error *err)
{
    enum llmsim_status status = skip_rest(lines, err);
    size_t searched = 0;
    *ended = false;
    while (status == LLMSIM_OK) {
        size_t n = lines->end - lines->begin;
        const char *start = lines->buffer + lines->begin;
        const char *newline = memchr(start + searched, '\n', n - searched);
        if (newline != NULL) {
            take(lines, (size_t)(newline - start), 1, line);
            break;
        }
        lines->inside_long_line = n > LLMSIM_MAX_ROW_BYTES + 1 && !lines->input_ended;
        if (lines->inside_long_line || lines->input_ended) {
            *ended = n == 0;
            take(lines, n, 0, line);
            break;
        }
        searched = n;
        status = refill(lines, err);
    }
    lines->n_lines += status == LLMSIM_OK && !*ended;
    return status;
}

void llmsim_lines_put_back(struct llmsim_lines *lines, const struct llmsim_line *line)
{
    lines->begin = (size_t)(line->text - lines->buffer);
    lines->n_lines--;
}

enum llmsim_status llmsim_lines_fill(struct llmsim_lines *lines, struct llmsim_error *err)
{
    enum llmsim_status status = LLMSIM_OK;
    while (status == LLMSIM_OK && !lines->input_ended &&
           lines->end - lines->begin < lines->capacity)
        status = refill(lines, err);
    return status;
}

void llmsim_lines_sha256(struct llmsim_lines *lines, char hex[static LLMSIM_SHA256_TEXT])
{
    hash_taken(lines);
    llmsim_sha256_final(&lines->sha, hex);
}

void llmsim_lines_close(struct llmsim_lines *lines)
{
    llmsim_input_close(lines->input);
    free(lines->buffer);
    *lines = (struct llmsim_lines){0};
}
