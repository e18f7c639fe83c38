/* json_syntax.h: is a text JSON? Asked before cJSON parses it, which says the same thing, and at a
 * vague place, of a syntax error and of memory that ran out; so that what fails after this is for
 * want of memory. */
#ifndef LLMSIM_IO_JSON_SYNTAX_H
#define LLMSIM_IO_JSON_SYNTAX_H

/* Arrays and objects in each other: cJSON's own limit. */
#define LLMSIM_JSON_MAX_DEPTH 1000u

/* Where `text` stops to be JSON as RFC 8259 has it, in UTF-8 (a byte order mark may come first),
 * and in *reason why, or NULL there for what is plain from the place; NULL: it is JSON. */
const char *llmsim_json_find_fault(const char *text, const char **reason);

#endif
