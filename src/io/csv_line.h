/* csv_line.h: one line of CSV at a time, through libcsv in strict mode.
 *
 * A record is one physical line: a quoted field may hold commas and doubled quotes, but no line
 * break. So every error has a line number, and a forgotten quote cannot swallow the rest of the
 * file. */
#ifndef LLMSIM_IO_CSV_LINE_H
#define LLMSIM_IO_CSV_LINE_H

#include <csv.h>
#include <stdbool.h>
#include <stddef.h>

#define LLMSIM_CSV_MAX_FIELDS 256u
/* Bytes after a field that exist, so that a scanner may load whole words. */
#define LLMSIM_CSV_SLACK 64u

/* A field without its quotes and, where it is not quoted, without the blanks around it. */
struct llmsim_csv_field {
    const char *text; /* NUL-terminated; lives until the next parse */
    size_t length;
};

struct llmsim_csv_line {
    struct llmsim_csv_field fields[LLMSIM_CSV_MAX_FIELDS];
    size_t n_fields; /* also counts those beyond the maximum; 0: a blank line */
    struct csv_parser parser;
    char *text; /* the fields' bytes */
    size_t used;
    size_t capacity; /* of text, but for the slack; grows with the longest line */
};

/* false: out of memory. */
bool llmsim_csv_line_init(struct llmsim_csv_line *line);
void llmsim_csv_line_fini(struct llmsim_csv_line *line);

/* Split n bytes (without the line end) into fields. Returns NULL, or what is wrong with the line,
 * with the byte where it is in *column (from 1); or llmsim_csv_out_of_memory, which is no fault of
 * the line. */
extern const char llmsim_csv_out_of_memory[];
const char *llmsim_csv_line_parse(struct llmsim_csv_line *line, const char *bytes, size_t n,
                                  size_t *column);

/* Byte (from 1) of a well-formed line at which field number `field` (from 0) begins, after any
 * blanks; one past the line's end if it has no such field. */
size_t llmsim_csv_column(const char *bytes, size_t n, size_t field);

/* `text` as a CSV field, in quotes where it needs them. Returns its length, or 0 if it takes more
 * than `capacity` bytes. No NUL is added. */
size_t llmsim_csv_quote(const char *text, size_t n, char *field, size_t capacity);

#endif
