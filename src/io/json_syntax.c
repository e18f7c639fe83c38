#include "json_syntax.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "utf8.h"

/* cJSON reads no more of a number. */
#define MAX_NUMBER 63

struct scan {
    const char *p; /* all before it is right */
    const char *reason;
    unsigned depth;
    uint64_t objects[(LLMSIM_JSON_MAX_DEPTH + 63) / 64]; /* a bit for each open container */
};

static bool fail(struct scan *s, const char *reason)
{
    s->reason = reason;
    return false;
}

static void skip_space(struct scan *s)
{
    s->p += strspn(s->p, " \t\r\n");
}

static bool is_in_object(const struct scan *s)
{
    return s->depth > 0 && (s->objects[(s->depth - 1) / 64] >> (s->depth - 1) % 64 & 1) != 0;
}

static bool take_word(struct scan *s, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(s->p, word, length) != 0)
        return false;
    s->p += length;
    return true;
}

static size_t count_digits(const char *p)
{
    return strspn(p, "0123456789");
}

static bool take_number(struct scan *s)
{
    const char *p = s->p + (*s->p == '-');
    size_t n = *p == '0' ? 1 : count_digits(p);
    bool good = n > 0;
    p += n;
    if (good && *p == '.') {
        n = count_digits(p + 1);
        good = n > 0;
        p += 1 + n;
    }
    if (good && (*p == 'e' || *p == 'E')) {
        p += 1 + (p[1] == '+' || p[1] == '-');
        n = count_digits(p);
        good = n > 0;
        p += n;
    }
    if (good && p - s->p > MAX_NUMBER)
        return fail(s, "a number of more than 63 characters");
    if (good)
        s->p = p;
    return good;
}

/* The code of \uXXXX; UINT32_MAX: there is none. */
static uint32_t read_escape(const char *p)
{
    uint32_t code = 0;
    if (p[0] != '\\' || p[1] != 'u')
        return UINT32_MAX;
    for (size_t i = 2; i < 6; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit =
            p[i] != '\0' ? strchr(digits, p[i] | ('A' <= p[i] && p[i] <= 'F' ? 32 : 0)) : NULL;
        if (digit == NULL)
            return UINT32_MAX;
        code = code << 4 | (uint32_t)(digit - digits);
    }
    return code;
}

static bool take_escape(struct scan *s)
{
    if (s->p[1] != '\0' && strchr("\"\\/bfnrt", s->p[1]) != NULL) {
        s->p += 2;
        return true;
    }
    uint32_t code = read_escape(s->p);
    bool is_high = code >= 0xd800 && code < 0xdc00;
    uint32_t low = is_high ? read_escape(s->p + 6) : 0xdc00;
    if (code == UINT32_MAX || (code >= 0xdc00 && code < 0xe000) || low < 0xdc00 || low >= 0xe000)
        return fail(s, "an escape that stands for no character");
    s->p += is_high ? 12 : 6;
    return true;
}

static bool take_string(struct scan *s)
{
    if (*s->p != '"')
        return false;
    s->p++;
    while (*s->p != '"') {
        size_t n = llmsim_utf8_length(s->p);
        if (*s->p == '\0')
            return false;
        if (n == 0)
            return fail(s, "a byte that is not UTF-8");
        if ((unsigned char)*s->p < ' ')
            return fail(s, "a control character in a string");
        if (*s->p != '\\')
            s->p += n;
        else if (!take_escape(s))
            return false;
    }
    s->p++;
    return true;
}

static bool take_key(struct scan *s)
{
    skip_space(s);
    if (!take_string(s))
        return false;
    skip_space(s);
    return take_word(s, ":");
}

/* Past '[', or past '{' and the first key with its ':'; *is_empty: past the end, too. */
static bool open_container(struct scan *s, bool *is_empty)
{
    bool is_object = *s->p == '{';
    if (s->depth == LLMSIM_JSON_MAX_DEPTH)
        return fail(s, "more than 1000 arrays and objects in each other");
    uint64_t bit = (uint64_t)1 << s->depth % 64, *word = &s->objects[s->depth / 64];
    *word = is_object ? *word | bit : *word & ~bit;
    s->depth++;
    s->p++;
    skip_space(s);
    *is_empty = *s->p == (is_object ? '}' : ']');
    return *is_empty || !is_object || take_key(s);
}

/* A scalar, or the beginning of a container; *is_whole: the value ends here. */
static bool take_value(struct scan *s, bool *is_whole)
{
    bool is_empty = false;
    *is_whole = true;
    skip_space(s);
    switch (*s->p) {
    case '{':
    case '[':
        if (!open_container(s, &is_empty))
            return false;
        *is_whole = is_empty;
        return true;
    case '"':
        return take_string(s);
    case 't':
        return take_word(s, "true");
    case 'f':
        return take_word(s, "false");
    case 'n':
        return take_word(s, "null");
    default:
        return take_number(s);
    }
}

/* What follows a value: ends of containers, then a ',' (and in an object the next key) or the end
 * of the text. *more: another value comes. */
static bool take_ends(struct scan *s, bool *more)
{
    for (;; s->p++, s->depth--) {
        skip_space(s);
        *more = s->depth > 0 && *s->p == ',';
        if (s->depth == 0)
            return *s->p == '\0';
        if (*more)
            break;
        if (*s->p != (is_in_object(s) ? '}' : ']'))
            return false;
    }
    s->p++;
    return !is_in_object(s) || take_key(s);
}

const char *llmsim_json_find_fault(const char *text, const char **reason)
{
    struct scan s = {.p = text};
    bool good = true, more = true;
    (void)take_word(&s, "\xEF\xBB\xBF");
    while (good && more) {
        bool is_whole;
        good = take_value(&s, &is_whole);
        if (good && is_whole)
            good = take_ends(&s, &more);
    }
    if (good)
        return NULL;
    if (s.reason == NULL)
        skip_space(&s);
    *reason = s.reason;
    return s.p;
}
