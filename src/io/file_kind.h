/* file_kind.h: files that are no CSV and no JSON lines, by how they begin; so that the error says
 * what the file is, and not which of its bytes is no text. */
#ifndef LLMSIM_IO_FILE_KIND_H
#define LLMSIM_IO_FILE_KIND_H

#include <stddef.h>

/* What is wrong with a file whose first n bytes, up to a line's end at most, are these; NULL: no
 * kind that is known. A phrase of its own, with what was expected. */
const char *llmsim_file_kind_fault(const char *bytes, size_t n);

/* Of a header that is one field: the separator that its columns seem to have in place of commas. A
 * phrase of its own; NULL: none. */
const char *llmsim_file_kind_separator_fault(const char *header, size_t n);

#endif
