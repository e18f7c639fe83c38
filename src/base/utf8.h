/* utf8.h: is a text UTF-8? */
#ifndef LLMSIM_BASE_UTF8_H
#define LLMSIM_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the well-formed character at `text` (1 to 4); 0: there is none, or the text ends. */
size_t llmsim_utf8_length(const char *text);
bool llmsim_utf8_is_valid(const char *text);
/* A copy with U+FFFD in the place of every byte that is part of no character; NULL without memory.
 */
char *llmsim_utf8_repair(const char *text);

#endif
