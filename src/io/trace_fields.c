/* trace_fields.c: the forms that are allowed but not plain, and what is wrong with the others. */
#include "trace_fields.h"

#define EXPECTED_TOKENS "expected a whole number from 0 to 1000000000"
#define EXPECTED_DATE "expected a date and time, such as 2023-11-16 18:15:46.68"
#define EXPECTED_PRIORITY "expected a whole number from -2147483648 to 2147483647"
_Static_assert(LLMSIM_MAX_TOKENS == 1000000000, "EXPECTED_TOKENS names the limit");

static const char *skip_digits(const char *p)
{
    while (llmsim_is_digit(*p))
        p++;
    return p;
}

const char *llmsim_parse_tokens(const char *text, size_t n, uint32_t *tokens)
{
    const char *end = text + n;
    uint64_t value = 0;
    if (n == 0)
        return "is empty; " EXPECTED_TOKENS;
    if (text[0] == '-' && n > 1 && skip_digits(text + 1) == end)
        return "is negative; " EXPECTED_TOKENS;
    if (skip_digits(text) != end)
        return "is not a whole number; " EXPECTED_TOKENS;
    for (; text < end; text++) {
        value = value * 10 + (uint64_t)(*text - '0');
        if (value > LLMSIM_MAX_TOKENS)
            return "is too large; " EXPECTED_TOKENS;
    }
    *tokens = (uint32_t)value;
    return NULL;
}

const char *llmsim_parse_priority(const char *text, size_t n, int32_t *priority)
{
    const char *end = text + n;
    bool negative = *text == '-';
    int64_t value = 0;
    text += *text == '-' || *text == '+';
    if (text == end || skip_digits(text) != end)
        return "is not a whole number; " EXPECTED_PRIORITY;
    for (; text < end; text++) {
        value = value * 10 + (*text - '0');
        if (value > (int64_t)INT32_MAX + negative)
            return "is out of range; " EXPECTED_PRIORITY;
    }
    *priority = (int32_t)(negative ? -value : value);
    return NULL;
}

/* A decimal number: its digits, of which `n_integer` are before the point once the exponent is
 * applied. The digits may hold the point itself, which is to be skipped. */
struct decimal {
    bool negative;
    const char *digits, *end;
    int64_t n_integer;
};

/* [+-]digits[.digits][e[+-]digits], with digits on at least one side of the point. */
static bool scan_decimal(const char *p, const char *end, struct decimal *d)
{
    d->negative = *p == '-';
    p += *p == '-' || *p == '+';
    d->digits = p;
    p = skip_digits(p);
    d->n_integer = p - d->digits;
    int64_t n_digits = d->n_integer;
    if (*p == '.') {
        const char *fraction = p + 1;
        p = skip_digits(fraction);
        n_digits += p - fraction;
    }
    d->end = p;
    if (n_digits == 0)
        return false;
    if (*p == 'e' || *p == 'E') {
        bool negative = p[1] == '-';
        p += p[1] == '-' || p[1] == '+' ? 2 : 1;
        const char *first = p;
        int64_t exponent = 0;
        for (; llmsim_is_digit(*p); p++)
            if (exponent < 1000000) /* far beyond what a line's digits could make up for */
                exponent = exponent * 10 + (*p - '0');
        if (p == first)
            return false;
        d->n_integer += negative ? -exponent : exponent;
    }
    return p == end;
}

/* value × 10 + digit, or -1 for ever once that is beyond any time of a trace. */
static int64_t append_digit(int64_t value, int digit)
{
    if (value < 0 || value > (LLMSIM_MAX_ARRIVAL_NS - digit) / 10)
        return -1;
    return value * 10 + digit;
}

/* `d` in nanoseconds, rounded to the nearest, halves up; -1: too large. Exact for any number of
 * digits, because the one after the last that counts decides. */
static int64_t decimal_to_ns(const struct decimal *d)
{
    int64_t wanted = d->n_integer + 9, value = 0;
    for (const char *p = d->digits; p < d->end && wanted >= 0; p++) {
        if (*p == '.')
            continue;
        if (wanted == 0)
            value += *p >= '5' && value >= 0;
        else
            value = append_digit(value, *p - '0');
        wanted--;
    }
    for (; wanted > 0 && value > 0; wanted--)
        value = append_digit(value, 0);
    return value;
}

const char *llmsim_parse_time(const char *text, size_t n, const struct llmsim_time_unit *unit,
                              int64_t *ns)
{
    struct decimal d;
    if (n == 0)
        return unit->empty;
    if (!scan_decimal(text, text + n, &d))
        return unit->not_number;
    d.n_integer -= unit->exponent;
    *ns = decimal_to_ns(&d);
    if (d.negative && *ns != 0)
        return unit->negative;
    return *ns < 0 ? unit->too_large : NULL;
}

const char *llmsim_parse_seconds(const char *text, size_t n, int64_t *ns)
{
    return llmsim_parse_time(text, n, &llmsim_time_units[LLMSIM_UNIT_S], ns);
}

const char *llmsim_parse_milliseconds(const char *text, size_t n, int64_t *ns)
{
    return llmsim_parse_time(text, n, &llmsim_time_units[LLMSIM_UNIT_MS], ns);
}

const struct llmsim_time_unit *llmsim_parse_time_unit(const char *text, size_t n)
{
    const struct llmsim_choice *row;
    for (size_t i = 0; (row = llmsim_time_unit_choice(i)) != NULL; i++)
        if (n == strlen(row->name) + 2 && text[0] == '"' && text[n - 1] == '"' &&
            memcmp(text + 1, row->name, n - 2) == 0)
            return &llmsim_time_units[i];
    return NULL;
}

/* Digits up to `end`, as many as there are, into a number. false: it is too large. */
static bool parse_id(const char *p, const char *end, uint64_t *id)
{
    *id = 0;
    for (; p < end; p++) {
        unsigned digit = (unsigned)(*p - '0');
        if (*id > (UINT64_MAX - digit) / 10)
            return false;
        *id = *id * 10 + digit;
    }
    return true;
}

const char *llmsim_parse_hash_ids(const char *text, size_t n, bool is_json, uint64_t *ids,
                                  size_t *n_ids, size_t *at)
{
    const char *p = text, *end = text + n;
    *n_ids = *at = 0;
    if (is_json && *p != '[')
        return "is not an array; expected one of whole numbers";
    if (is_json) {
        p++;
        end--;
    }
    while (p < end) {
        uint64_t id;
        if (*p == ' ' || *p == '\t' || (is_json && *p == ',')) {
            p++;
            continue;
        }
        const char *first = p;
        p = skip_digits(p);
        *at = (size_t)(first - text);
        if (p == first || (p < end && *p != ' ' && *p != '\t' && !(is_json && *p == ',')))
            return "has an id that is not a whole number; expected 0 or more";
        if (!parse_id(first, p, &id))
            return "has an id that is too large; expected at most 18446744073709551615";
        if (ids != NULL)
            ids[*n_ids] = id;
        ++*n_ids;
    }
    *at = 0;
    return NULL;
}

/* Exactly two digits. */
static bool scan_two(const char *p, int *value)
{
    if (!llmsim_is_digit(p[0]) || !llmsim_is_digit(p[1]))
        return false;
    *value = (p[0] - '0') * 10 + (p[1] - '0');
    return true;
}

/* Days from 1970-01-01 in the Gregorian calendar, after H. Hinnant, "chrono-compatible low-level
 * date algorithms": years begin in March, so that the leap day is the last. */
static int64_t days_from_date(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year;
    int era_year = y % 400;
    int day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int day_of_era = era_year * 365 + era_year / 4 - era_year / 100 + day_of_year;
    return (int64_t)(y / 400) * 146097 + day_of_era - 719468;
}

/* "YYYY-MM-DD" into the cache. */
static const char *parse_day(struct llmsim_day_cache *cache, const char *p)
{
    static const char month_days[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int century, year, month, day;
    if (!scan_two(p, &century) || !scan_two(p + 2, &year) || p[4] != '-' ||
        !scan_two(p + 5, &month) || p[7] != '-' || !scan_two(p + 8, &day))
        return "is not a date; " EXPECTED_DATE;
    year += 100 * century;
    if (year < 1900 || year > 2100) /* so that any two differ by less than 2^63 ns */
        return "has a year that is out of range; expected 1900 to 2100";
    if (month < 1 || month > 12)
        return "has a month that does not exist; expected 01 to 12";
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day < 1 || day > month_days[month] + (leap && month == 2))
        return "has a day that its month does not have; " EXPECTED_DATE;
    memcpy(cache->text, p, sizeof cache->text);
    cache->day_ns = days_from_date(year, month, day) * 86400 * LLMSIM_NS_PER_S;
    return NULL;
}

/* Nothing, 'Z', "+HH:MM" or "-HH:MM", up to `end`. */
static const char *parse_zone(const char *p, const char *end, int64_t *offset_s)
{
    int hours, minutes;
    *offset_s = 0;
    if (p == end || (*p == 'Z' && p + 1 == end))
        return NULL;
    if ((*p != '+' && *p != '-') || end - p != 6 || !scan_two(p + 1, &hours) || p[3] != ':' ||
        !scan_two(p + 4, &minutes) || hours > 23 || minutes > 59)
        return "does not end as a time; expected nothing more, Z, +HH:MM or -HH:MM";
    *offset_s = (int64_t)(hours * 60 + minutes) * (*p == '-' ? -60 : 60);
    return NULL;
}

/* ".digits", any number of them, rounded to the nearest ns; *p is moved behind. */
static bool parse_fraction(const char **p, int64_t *ns)
{
    struct decimal d = {.digits = *p + 1, .end = skip_digits(*p + 1), .n_integer = 0};
    *p = d.end;
    *ns = decimal_to_ns(&d);
    return d.end > d.digits;
}

const char *llmsim_parse_date(struct llmsim_day_cache *cache, const char *text, size_t n,
                              int64_t *ns)
{
    const char *end = text + n;
    int64_t fraction = 0, offset_s;
    int hours, minutes, seconds;
    if (n == 0)
        return "is empty; " EXPECTED_DATE;
    if (n < 19 || (text[10] != ' ' && text[10] != 'T'))
        return "is not a date and time; " EXPECTED_DATE;
    const char *fault = parse_day(cache, text);
    if (fault != NULL)
        return fault;
    const char *p = text + 11;
    if (!scan_two(p, &hours) || p[2] != ':' || !scan_two(p + 3, &minutes) || p[5] != ':' ||
        !scan_two(p + 6, &seconds))
        return "has no time of the form HH:MM:SS; " EXPECTED_DATE;
    if (hours > 23 || minutes > 59 || seconds > 59)
        return "has a time that no day has; expected 00:00:00 to 23:59:59";
    p += 8;
    if (*p == '.' && !parse_fraction(&p, &fraction))
        return "has no digits after its point; " EXPECTED_DATE;
    fault = parse_zone(p, end, &offset_s);
    if (fault != NULL)
        return fault;
    *ns = cache->day_ns + (hours * 3600 + minutes * 60 + seconds - offset_s) * LLMSIM_NS_PER_S +
          fraction;
    return NULL;
}
