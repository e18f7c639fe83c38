/* trace_fields.h: token counts, seconds and dates from the text of a field.
 *
 * Each has two readers that agree and share no code, so that a test can hold the one against the
 * other. The scanners take the plain form (digits, points, the punctuation of a date) from the
 * front of any text that ends in a byte which is none of those, and return where it stopped, or
 * NULL where the form is not plain. The parsers take a whole field (NUL-terminated, as libcsv
 * leaves it) in any form that docs/formats.md allows, and say what is wrong with one that is not
 * allowed. strptime, sscanf and strtod would cost five times as much, depend on the locale, and
 * round twice. */
#ifndef LLMSIM_IO_TRACE_FIELDS_H
#define LLMSIM_IO_TRACE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "llmsim/time.h"
#include "llmsim/trace.h"
#include "time_unit.h"

/* The scanners may read, without using, this many bytes from where a text begins. */
#define LLMSIM_SCAN_BYTES 64u

/* Consecutive rows mostly share their date, so the last one is kept with its value. */
struct llmsim_day_cache {
    char text[10];  /* YYYY-MM-DD; NULs at first */
    int64_t day_ns; /* since 1970-01-01 */
};

/* NULL if `text` is a valid value, else what is wrong with it and what was expected: a phrase that
 * follows the text in a message. */
const char *llmsim_parse_tokens(const char *text, size_t n, uint32_t *tokens);
const char *llmsim_parse_time(const char *text, size_t n, const struct llmsim_time_unit *unit,
                              int64_t *ns);
const char *llmsim_parse_seconds(const char *text, size_t n, int64_t *ns);
const char *llmsim_parse_milliseconds(const char *text, size_t n, int64_t *ns);
/* A name in double quotes; NULL: it is none. */
const struct llmsim_time_unit *llmsim_parse_time_unit(const char *text, size_t n);
/* "[1, 2]", already known to be JSON, or "1 2". `ids` has room for (n + 1) / 2, or is NULL: then
 * they are only counted. What is wrong is at text[*at]. */
const char *llmsim_parse_hash_ids(const char *text, size_t n, bool is_json, uint64_t *ids,
                                  size_t *n_ids, size_t *at);
const char *llmsim_parse_priority(const char *text, size_t n, int32_t *priority);
const char *llmsim_parse_date(struct llmsim_day_cache *cache, const char *text, size_t n,
                              int64_t *ns);

static inline bool llmsim_is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* The value of the eight decimal digits (0 to 9, not '0' to '9') in the bytes of x, the first in
 * the lowest: pairs, fours, eight. */
static inline uint32_t llmsim_value8(uint64_t x)
{
    x = x * 10 + (x >> 8);
    return (uint32_t)(((x & 0x000000FF000000FFu) * 0x000F424000000064u +
                       (x >> 16 & 0x000000FF000000FFu) * 0x0000271000000001u) >>
                      32);
}

/* 1 to 9 digits. Eight at a time in one register: the lengths of token counts are random, and a
 * loop over the digits would cost a mispredicted branch a field. */
static inline const char *llmsim_scan_tokens(const char *p, uint32_t *tokens)
{
    uint64_t x;
    memcpy(&x, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    x ^= 0x3030303030303030u; /* a digit's byte is now 0 to 9 */
    /* The top bit of each byte that is no digit. A carry may add wrong ones, but only above. */
    uint64_t others = (x | (x + 0x7676767676767676u)) & 0x8080808080808080u;
    if (others == 0) {
        *tokens = llmsim_value8(x);
        p += 8;
        if (llmsim_is_digit(*p))
            *tokens = *tokens * 10 + (uint32_t)(*p++ - '0');
        return llmsim_is_digit(*p) ? NULL : p;
    }
    unsigned n_bits = (unsigned)__builtin_ctzll(others) & ~7u;
    if (n_bits == 0)
        return NULL;
    *tokens = llmsim_value8(x << (64 - n_bits)); /* zeros come in before the digits */
    return p + n_bits / 8;
}

/* 1 to 9 digits after a decimal point, as nanoseconds. */
static inline const char *llmsim_scan_fraction(const char *p, int64_t *ns)
{
    static const uint32_t scale[10] = {0,     100000000, 10000000, 1000000, 100000,
                                       10000, 1000,      100,      10,      1};
    uint32_t value;
    const char *end = llmsim_scan_tokens(p, &value);
    if (end == NULL)
        return NULL;
    *ns = (int64_t)value * scale[end - p];
    return end;
}

/* 1 to 9 digits, then perhaps a point and 1 to 9 digits. */
static inline const char *llmsim_scan_seconds(const char *p, int64_t *ns)
{
    uint32_t seconds;
    int64_t fraction = 0;
    p = llmsim_scan_tokens(p, &seconds);
    if (p == NULL)
        return NULL;
    if (*p == '.')
        p = llmsim_scan_fraction(p + 1, &fraction);
    *ns = seconds * LLMSIM_NS_PER_S + fraction;
    return p;
}

/* 1 to 9 digits, perhaps behind a minus. */
static inline const char *llmsim_scan_priority(const char *p, int32_t *priority)
{
    uint32_t value;
    bool negative = *p == '-';
    p = llmsim_scan_tokens(p + negative, &value);
    if (p != NULL)
        *priority = negative ? -(int32_t)value : (int32_t)value;
    return p;
}

/* "HH:MM:SS", all eight bytes in one register: after the exclusive or with the pattern a digit's
 * byte is 0 to 9 and a colon's is 0. */
static inline bool llmsim_scan_clock(const char *p, int64_t *seconds)
{
    unsigned char b[8];
    uint64_t x;
    memcpy(&x, p, 8);
    x ^= 0x30303A30303A3030u; /* a palindrome, so the byte order does not matter */
    memcpy(b, &x, 8);
    unsigned hours = b[0] * 10u + b[1], minutes = b[3] * 10u + b[4], s = b[6] * 10u + b[7];
    *seconds = (int64_t)(hours * 3600 + minutes * 60 + s);
    return ((x | (x + 0x0606000606000606u)) & 0xF0F0FFF0F0FFF0F0u) == 0 && hours < 24 &&
           minutes < 60 && s < 60;
}

/* "YYYY-MM-DD HH:MM:SS" or with a 'T', then perhaps a fraction, then perhaps "+00:00" or 'Z'. Only
 * the date of the cache. */
static inline const char *llmsim_scan_date(const struct llmsim_day_cache *cache, const char *p,
                                           int64_t *ns)
{
    int64_t clock_s, fraction = 0;
    if (!llmsim_is_digit(*p) || memcmp(p, cache->text, 10) != 0 || (p[10] != ' ' && p[10] != 'T') ||
        !llmsim_scan_clock(p + 11, &clock_s))
        return NULL;
    p += 19;
    if (*p == '.')
        p = llmsim_scan_fraction(p + 1, &fraction);
    if (p == NULL)
        return NULL;
    *ns = cache->day_ns + clock_s * LLMSIM_NS_PER_S + fraction;
    if (*p == 'Z')
        return p + 1;
    return memcmp(p, "+00:00", 6) == 0 ? p + 6 : p;
}

#endif
