/* time_unit.c: the units, and how to tell seconds from milliseconds. docs/formats.md has the rules
 * in full, with what each relies on. */
#include "time_unit.h"

#include <stdio.h>
#include <string.h>

#include "trace_fields.h"

/* clang-format off */
#define UNIT(name, words, digits, example, most)                                                   \
    {{name, words}, digits,                                                                        \
     "is empty; expected " words ", such as " example,                                             \
     "is not a number; expected " words ", such as " example,                                      \
     "is negative; expected 0 or more " words,                                                     \
     "is too large; expected at most " most " " words ", which is 100 years"}
const struct llmsim_time_unit llmsim_time_units[] = {
    [LLMSIM_UNIT_S] = UNIT("s", "seconds", 0, "12.5", "3153600000"),
    [LLMSIM_UNIT_MS] = UNIT("ms", "milliseconds", 3, "27482", "3153600000000"),
    [LLMSIM_UNIT_US] = UNIT("us", "microseconds", 6, "27482", "3153600000000000"),
    [LLMSIM_UNIT_NS] = UNIT("ns", "nanoseconds", 9, "27482", "3153600000000000000"),
};
/* clang-format on */
#define N_UNITS (sizeof llmsim_time_units / sizeof *llmsim_time_units)

const struct llmsim_choice *llmsim_time_unit_choice(size_t i)
{
    return i < N_UNITS ? &llmsim_time_units[i].choice : NULL;
}

enum llmsim_status llmsim_time_unit_named(const char *name, const struct llmsim_time_unit **unit,
                                          struct llmsim_error *err)
{
    char names[64];
    size_t i;
    if (!llmsim_choice_find(llmsim_time_unit_choice, name, &i))
        return llmsim_fail(err, LLMSIM_USAGE, "unknown time unit '%s'; expected one of %s", name,
                           llmsim_choice_names(llmsim_time_unit_choice, names, sizeof names));
    *unit = &llmsim_time_units[i];
    return LLMSIM_OK;
}

/* Stamps are compared in thousandths of their unit, whatever that is. */
#define PER_UNIT INT64_C(1000)
/* A hundred years of seconds, which no trace goes beyond. */
#define MOST_SECONDS INT64_C(3153600000)
/* Seconds from 1970 to 2001: from there on a time of day of today, or 11 days of milliseconds
 * before the first request. */
#define UNIX_SECONDS INT64_C(1000000000)
/* No service gets so many requests a second, and a burst has them at one time. */
#define MOST_PER_S 10000
#define UNLIKELY_PER_S 1000
#define FEWEST_FOR_RATE 100
/* Ten minutes from one request to the next, on average: no load on a server. */
#define LONG_GAP INT64_C(600)
/* A day of milliseconds: then they are rather microseconds or nanoseconds. */
#define IDLE_GAP INT64_C(86400000)

struct sample {
    const struct llmsim_trace_format *format;
    const struct llmsim_time_unit *named; /* by a row */
    bool is_whole;                        /* it is the whole file */
    bool has_conversations;               /* the keys of Qwen's traces */
    bool has_fractions, has_odd;          /* odd: that 1,000 does not divide */
    bool has_prefixes, has_other_blocks;  /* more than one id; not as many as Mooncake has */
    bool is_huge;                         /* some stamp is beyond any unit's range */
    uint64_t n;
    int64_t least, greatest;
};

static bool is_key(const struct llmsim_json_member *m, const char *name)
{
    return m->key_length == strlen(name) && memcmp(m->key, name, m->key_length) == 0;
}

static const struct llmsim_json_member *find_member(const struct llmsim_json_line *json,
                                                    const char *name)
{
    for (size_t i = 0; i < json->n_members; i++)
        if (is_key(&json->members[i], name))
            return &json->members[i];
    return NULL;
}

static const struct llmsim_json_member *
find_kind(const struct sample *s, const struct llmsim_json_line *json, enum llmsim_column_kind kind)
{
    for (const struct llmsim_trace_column *c = s->format->columns; c->name != NULL; c++)
        if (c->kind == kind)
            return find_member(json, c->name);
    return NULL;
}

static void look_at_stamp(struct sample *s, const struct llmsim_json_member *stamp)
{
    int64_t value;
    /* As microseconds it comes in thousandths of whatever it is. */
    const char *fault = llmsim_parse_time(stamp->value, stamp->value_length,
                                          &llmsim_time_units[LLMSIM_UNIT_US], &value);
    s->is_huge = s->is_huge || fault == llmsim_time_units[LLMSIM_UNIT_US].too_large;
    if (fault != NULL)
        return;
    for (size_t i = 0; i < stamp->value_length; i++)
        s->has_fractions = s->has_fractions || strchr(".eE", stamp->value[i]) != NULL;
    s->has_odd = s->has_odd || value % (1000 * PER_UNIT) != 0;
    if (s->n == 0 || value < s->least)
        s->least = value;
    if (s->n == 0 || value > s->greatest)
        s->greatest = value;
    s->n++;
}

/* Mooncake has an id for each 512 tokens begun, in all rows. */
static void look_at_blocks(struct sample *s, const struct llmsim_json_member *tokens,
                           const struct llmsim_json_member *ids)
{
    uint32_t n_tokens;
    size_t n_ids, at;
    if (llmsim_parse_tokens(tokens->value, tokens->value_length, &n_tokens) != NULL ||
        llmsim_parse_hash_ids(ids->value, ids->value_length, true, NULL, &n_ids, &at) != NULL)
        return;
    s->has_prefixes = s->has_prefixes || n_ids > 1;
    s->has_other_blocks =
        s->has_other_blocks ||
        n_ids != ((size_t)n_tokens + LLMSIM_HASH_BLOCK_TOKENS - 1) / LLMSIM_HASH_BLOCK_TOKENS;
}

static void look_at_row(struct sample *s, const struct llmsim_json_line *json)
{
    const struct llmsim_json_member *stamp = find_kind(s, json, LLMSIM_COLUMN_MILLISECONDS),
                                    *tokens = find_kind(s, json, LLMSIM_COLUMN_PROMPT_TOKENS),
                                    *ids = find_kind(s, json, LLMSIM_COLUMN_HASH_IDS),
                                    *unit = find_kind(s, json, LLMSIM_COLUMN_TIME_UNIT);
    if (stamp != NULL)
        look_at_stamp(s, stamp);
    if (tokens != NULL && ids != NULL)
        look_at_blocks(s, tokens, ids);
    if (unit != NULL && s->named == NULL)
        s->named = llmsim_parse_time_unit(unit->value, unit->value_length);
    s->has_conversations = s->has_conversations || (find_member(json, "chat_id") != NULL &&
                                                    find_member(json, "turn") != NULL);
}

/* The whole lines from `begin` on; what is no row says nothing. */
static void look_at_buffer(struct sample *s, const struct llmsim_lines *lines, size_t n_bom,
                           struct llmsim_json_line *json)
{
    const char *p = lines->buffer + lines->begin + n_bom, *end = lines->buffer + lines->end;
    while (p < end) {
        const char *line_end = memchr(p, '\n', (size_t)(end - p));
        size_t column;
        if (line_end == NULL && !lines->input_ended)
            break;
        if (line_end == NULL)
            line_end = end;
        size_t n = (size_t)(line_end - p);
        n -= n > 0 && p[n - 1] == '\r';
        if (llmsim_json_line_parse(json, p, n, &column) == NULL && !json->is_blank)
            look_at_row(s, json);
        p = line_end + 1;
    }
    s->is_whole = lines->input_ended;
}

/* Is a request so many units behind the one before, on average? */
static bool has_gap(const struct sample *s, int64_t units)
{
    return s->n > 1 && (s->greatest - s->least) / PER_UNIT / (int64_t)(s->n - 1) >= units;
}

/* Requests a second if the stamps count milliseconds. */
static double rate_of_ms(const struct sample *s)
{
    double span_s = (double)(s->greatest - s->least) / (double)PER_UNIT / 1e3;
    return span_s > 0 ? (double)(s->n - 1) / span_s : 0;
}

static bool is_faster_than(const struct sample *s, double per_s)
{
    return s->n >= FEWEST_FOR_RATE && rate_of_ms(s) > per_s;
}

static bool is_seconds(const struct sample *s)
{
    return s->has_conversations ||
           (s->n > 0 && !s->is_huge && s->least >= UNIX_SECONDS * PER_UNIT &&
            s->greatest <= MOST_SECONDS * PER_UNIT) ||
           is_faster_than(s, MOST_PER_S);
}

static bool is_milliseconds(const struct sample *s)
{
    bool has_mooncake_blocks = s->has_prefixes && !s->has_other_blocks;
    if (s->n == 0 || s->is_huge || (s->is_whole && s->greatest == 0))
        return true;
    if (has_gap(s, IDLE_GAP) || is_faster_than(s, UNLIKELY_PER_S))
        return false;
    if (s->greatest > MOST_SECONDS * PER_UNIT)
        return true;
    return !s->has_fractions &&
           (has_mooncake_blocks || (!s->has_odd && s->greatest > 0) || has_gap(s, LONG_GAP));
}

static enum llmsim_status decide(const struct sample *s, const struct llmsim_lines *lines,
                                 struct llmsim_time_finding *finding, struct llmsim_error *err)
{
    double rate = rate_of_ms(s);
    char rates[96] = "";
    *finding = (struct llmsim_time_finding){.unit = s->named};
    if (s->named != NULL)
        return LLMSIM_OK;
    bool may_be_s = is_seconds(s), may_be_ms = !may_be_s && is_milliseconds(s);
    if (may_be_s || may_be_ms) {
        finding->unit = &llmsim_time_units[may_be_s ? LLMSIM_UNIT_S : LLMSIM_UNIT_MS];
        finding->from_whole_numbers = may_be_ms && s->n > 0 && !s->has_fractions;
        return LLMSIM_OK;
    }
    if (rate > 0)
        (void)snprintf(rates, sizeof rates, " (%.6g requests/s, or %.6g)", rate / 1e3, rate);
    return llmsim_fail_at(err, LLMSIM_TRACE, llmsim_input_name(lines->input), lines->n_lines, 0,
                          "it cannot be told whether timestamps are seconds or milliseconds%s; "
                          "expected --time-unit s, ms, us or ns",
                          rates);
}

enum llmsim_status llmsim_time_unit_find(struct llmsim_lines *lines, struct llmsim_line *first,
                                         size_t n_bom, const struct llmsim_trace_format *format,
                                         struct llmsim_json_line *json,
                                         struct llmsim_time_finding *finding,
                                         struct llmsim_error *err)
{
    struct sample sample = {.format = format};
    bool ended;
    llmsim_lines_put_back(lines, first);
    enum llmsim_status status = llmsim_lines_fill(lines, err);
    if (status != LLMSIM_OK)
        return status;
    look_at_buffer(&sample, lines, n_bom, json);
    status = llmsim_lines_next(lines, first, &ended, err);
    return status == LLMSIM_OK ? decide(&sample, lines, finding, err) : status;
}
