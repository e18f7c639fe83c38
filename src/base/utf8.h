/* utf8.h: is a text UTF-8? */
#ifndef LLMSIM_BASE_UTF8_H
#define LLMSIM_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the well-formed character at `text` (1 to 4); 0: there is none, or the text ends. */
size_t llmsim_utf8_length(const char *text);
bool llmsim_utf8_is_valid(const char *text);

/* The same of a character that is shown, and nothing else: 0 also for controls (C0, DEL, C1: some
 * terminals take U+009B for an escape), ends of lines, marks that turn the direction of writing,
 * and what is no character. */
size_t llmsim_utf8_shown(const char *text);
/* Of the first n bytes of `text`, which has a byte behind them that is no part of their last
 * character. Names that we read have to be such. */
bool llmsim_utf8_is_plain(const char *text, size_t n);
/* '?' for everything among the first n bytes that is not; returns how many bytes are left. */
size_t llmsim_utf8_mask(char *text, size_t n);
/* A copy with U+FFFD for everything that is not, but for C0 controls, which JSON escapes; NULL
 * without memory. */
char *llmsim_utf8_repair(const char *text);

#endif
