/* json_line.c: recursive descent; every scan_ function leaves `p` behind what it took, or at the
 * fault. */
#include "json_line.h"

#include <string.h>

struct scan {
    const char *p, *end;
    const char *fault; /* NULL: none so far */
};

static bool fail(struct scan *s, const char *fault)
{
    s->fault = fault;
    return false;
}

static void skip_blanks(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t'))
        s->p++;
}

static bool take(struct scan *s, char c)
{
    if (s->p == s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

static bool take_digits(struct scan *s)
{
    const char *first = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return s->p > first;
}

/* What follows a backslash. */
static bool scan_escape(struct scan *s)
{
    static const char *const expected = "unknown escape in a string; expected one of JSON's";
    if (s->p == s->end || *s->p == '\0' || strchr("\"\\/bfnrtu", *s->p) == NULL)
        return fail(s, expected);
    if (*s->p++ != 'u')
        return true;
    for (int i = 0; i < 4; i++, s->p++)
        if (s->p == s->end || *s->p == '\0' || strchr("0123456789abcdefABCDEF", *s->p) == NULL)
            return fail(s, expected);
    return true;
}

static bool scan_string(struct scan *s)
{
    if (!take(s, '"'))
        return fail(s, "not a string; expected one in double quotes");
    while (s->p < s->end) {
        unsigned char c = (unsigned char)*s->p;
        if (c < 0x20)
            return fail(s, "control character; expected text");
        s->p++;
        if (c == '"')
            return true;
        if (c == '\\' && !scan_escape(s))
            return false;
    }
    return fail(s, "string does not end; expected a closing quote on the same line");
}

static bool scan_number(struct scan *s)
{
    static const char *const expected = "not a number; expected one such as 12.5";
    const char *first = s->p;
    bool good = true;
    (void)take(s, '-');
    if (!take(s, '0'))
        good = take_digits(s);
    if (good && take(s, '.'))
        good = take_digits(s);
    if (good && (take(s, 'e') || take(s, 'E'))) {
        if (!take(s, '+'))
            (void)take(s, '-');
        good = take_digits(s);
    }
    /* "01", "1x", "0x1": the whole word is at fault. */
    if (good && s->p < s->end && strchr(" \t,]}", *s->p) != NULL && *s->p != '\0')
        return true;
    if (good && s->p == s->end)
        return true;
    s->p = first;
    return fail(s, expected);
}

static bool scan_word(struct scan *s, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
        return fail(s,
                    "not a value; expected a number, string, array, object, true, false or null");
    s->p += n;
    return true;
}

static bool scan_value(struct scan *s, int depth);

/* What a value in an object or array is followed by: a comma (*more) or the end. */
static bool scan_next(struct scan *s, char end, bool *more)
{
    skip_blanks(s);
    *more = take(s, ',');
    if (*more)
        skip_blanks(s);
    else if (!take(s, end))
        return fail(s, end == '}' ? "object does not go on; expected a comma or }"
                                  : "array does not go on; expected a comma or ]");
    return true;
}

static bool scan_array(struct scan *s, int depth)
{
    s->p++;
    skip_blanks(s);
    bool more = !take(s, ']');
    while (more)
        if (!scan_value(s, depth) || !scan_next(s, ']', &more))
            return false;
    return true;
}

/* A member at `p`, which is a quote if all is well. */
static bool scan_member(struct scan *s, int depth, struct llmsim_json_member *member)
{
    member->key = s->p + 1;
    if (s->p == s->end || *s->p != '"')
        return fail(s, "not a key; expected one in double quotes");
    if (!scan_string(s))
        return false;
    member->key_length = (size_t)(s->p - 1 - member->key);
    skip_blanks(s);
    if (!take(s, ':'))
        return fail(s, "key without a value; expected a colon");
    skip_blanks(s);
    member->value = s->p;
    if (!scan_value(s, depth))
        return false;
    member->value_length = (size_t)(s->p - member->value);
    return true;
}

/* `line` NULL: its members are not wanted. */
static bool scan_object(struct scan *s, int depth, struct llmsim_json_line *line)
{
    s->p++;
    skip_blanks(s);
    bool more = !take(s, '}');
    while (more) {
        struct llmsim_json_member member;
        if (line != NULL && line->n_members == LLMSIM_JSON_MAX_MEMBERS)
            return fail(s, "object has too many keys; expected at most 64");
        if (!scan_member(s, depth, &member) || !scan_next(s, '}', &more))
            return false;
        if (line != NULL)
            line->members[line->n_members++] = member;
    }
    return true;
}
_Static_assert(LLMSIM_JSON_MAX_MEMBERS == 64, "scan_object names the limit");

static bool scan_value(struct scan *s, int depth)
{
    if (depth == LLMSIM_JSON_MAX_DEPTH)
        return fail(s, "nested too deep; expected at most 16 levels");
    switch (s->p < s->end ? *s->p : '\0') {
    case '{':
        return scan_object(s, depth + 1, NULL);
    case '[':
        return scan_array(s, depth + 1);
    case '"':
        return scan_string(s);
    case 't':
        return scan_word(s, "true");
    case 'f':
        return scan_word(s, "false");
    case 'n':
        return scan_word(s, "null");
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return scan_number(s);
    default:
        return scan_word(s, "null"); /* fails */
    }
}
_Static_assert(LLMSIM_JSON_MAX_DEPTH == 16, "scan_value names the limit");

const char *llmsim_json_line_parse(struct llmsim_json_line *line, const char *bytes, size_t n,
                                   size_t *column)
{
    struct scan s = {.p = bytes, .end = bytes + n};
    line->n_members = 0;
    skip_blanks(&s);
    line->is_blank = s.p == s.end;
    if (line->is_blank)
        return NULL;
    if (*s.p != '{')
        (void)fail(&s, "not a JSON object; expected one on each line");
    else if (scan_object(&s, 1, line))
        skip_blanks(&s);
    if (s.fault == NULL && s.p < s.end)
        (void)fail(&s, "text after the object; expected the line's end");
    *column = (size_t)(s.p - bytes) + 1;
    return s.fault;
}
