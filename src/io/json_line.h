/* json_line.h: one JSON object a line, split into its members where it stands.
 *
 * A scanner of its own and not cJSON, because an error has to say at which byte it is, and because
 * a member's text goes to the same readers as a field of a CSV file: no number passes through a
 * double. It takes exactly the grammar of RFC 8259, up to a depth. */
#ifndef LLMSIM_IO_JSON_LINE_H
#define LLMSIM_IO_JSON_LINE_H

#include <stdbool.h>
#include <stddef.h>

#define LLMSIM_JSON_MAX_MEMBERS 64u
#define LLMSIM_JSON_MAX_DEPTH 16

/* Texts inside the line: the key without its quotes, its escapes as they stand; the value from its
 * first byte to its last. */
struct llmsim_json_member {
    const char *key;
    size_t key_length;
    const char *value;
    size_t value_length;
};

struct llmsim_json_line {
    struct llmsim_json_member members[LLMSIM_JSON_MAX_MEMBERS];
    size_t n_members;
    bool is_blank; /* only blanks: no object */
};

/* Split n bytes (without the line end). Returns NULL, or what is wrong with the line, with the byte
 * where it is in *column (from 1). */
const char *llmsim_json_line_parse(struct llmsim_json_line *line, const char *bytes, size_t n,
                                   size_t *column);

#endif
