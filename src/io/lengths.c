/* lengths.c: one row a distribution: how it is written, what it allows, how it is drawn. */
#include "lengths.h"

#include <math.h>
#include <string.h>

#include "detmath.h"
#include "trace_fields.h"

#define MAX_DRAWS 1000

/* Our own reader of seconds: no locale, and the same double everywhere. */
bool llmsim_lengths_read_number(const char **p, const char *end_at, double *value)
{
    size_t n = strcspn(*p, end_at);
    char text[32];
    int64_t billionths;
    if (n >= sizeof text)
        return false;
    memcpy(text, *p, n);
    memset(text + n, 0, sizeof text - n);
    *p += n;
    if (llmsim_parse_seconds(text, n, &billionths) != NULL)
        return false;
    *value = (double)billionths / 1e9;
    return true;
}

/* "A,B,…": up to `capacity` numbers to the end of the text; 0 if it is anything else. */
static size_t read_list(const char *p, double *values, size_t capacity)
{
    for (size_t n = 0; n < capacity && llmsim_lengths_read_number(&p, ",", &values[n]); p++) {
        n++;
        if (*p == '\0')
            return n;
    }
    return 0;
}

static bool is_count(double x)
{
    return x >= 0 && x <= LLMSIM_MAX_TOKENS && x == floor(x);
}

static bool parse_fixed(const char *text, struct llmsim_length_spec *spec)
{
    return read_list(text, &spec->mean, 1) == 1;
}

static bool check_fixed(const struct llmsim_length_spec *spec)
{
    return is_count(spec->mean);
}

static uint32_t draw_fixed(const struct llmsim_length_spec *spec, struct llmsim_random *random)
{
    (void)random;
    return (uint32_t)spec->mean;
}

static bool parse_lognormal(const char *text, struct llmsim_length_spec *spec)
{
    double v[4] = {0, 0, 1, LLMSIM_MAX_TOKENS};
    size_t n = read_list(text, v, 4);
    if ((n != 2 && n != 4) || !is_count(v[2]) || !is_count(v[3]))
        return false;
    spec->mean = v[0];
    spec->sigma = v[1];
    spec->min = (uint32_t)v[2];
    spec->max = (uint32_t)v[3];
    return true;
}

static bool check_lognormal(const struct llmsim_length_spec *spec)
{
    return spec->mean > 0 && spec->mean <= LLMSIM_MAX_TOKENS && spec->sigma >= 0 &&
           spec->sigma <= 10 && spec->min <= spec->max && spec->max <= LLMSIM_MAX_TOKENS;
}

static uint32_t draw_lognormal(const struct llmsim_length_spec *spec, struct llmsim_random *random)
{
    /* exp(mu + sigma z) has the mean exp(mu + sigma²/2). */
    double shift = spec->sigma * spec->sigma / 2;
    for (int i = 0; i < MAX_DRAWS; i++) {
        double z = llmsim_random_normal(random);
        double x = floor(spec->mean * llmsim_exp(spec->sigma * z - shift) + 0.5);
        if (x >= spec->min && x <= spec->max)
            return (uint32_t)x;
    }
    return LLMSIM_NO_LENGTH;
}

static bool parse_quantiles(const char *text, struct llmsim_length_spec *spec)
{
    for (const char *p = text;; p++) {
        uint32_t i = spec->n_quantiles;
        if (i == LLMSIM_MAX_QUANTILES || !llmsim_lengths_read_number(&p, "=,", &spec->p[i]) ||
            *p++ != '=' || !llmsim_lengths_read_number(&p, ",", &spec->tokens[i]))
            return false;
        spec->n_quantiles++;
        if (*p == '\0')
            return true;
    }
}

static bool check_quantiles(const struct llmsim_length_spec *spec)
{
    uint32_t n = spec->n_quantiles;
    if (n < 2 || n > LLMSIM_MAX_QUANTILES || !(spec->p[0] <= 0) || !(spec->p[0] >= 0) ||
        !(spec->p[n - 1] >= 1) || !(spec->p[n - 1] <= 1))
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (!is_count(spec->tokens[i]) ||
            (i > 0 && !(spec->p[i] > spec->p[i - 1] && spec->tokens[i] >= spec->tokens[i - 1])))
            return false;
    return true;
}

static uint32_t draw_quantiles(const struct llmsim_length_spec *spec, struct llmsim_random *random)
{
    double u = llmsim_random_uniform(random);
    uint32_t i = 1;
    while (u > spec->p[i])
        i++;
    double share = (u - spec->p[i - 1]) / (spec->p[i] - spec->p[i - 1]);
    double x = spec->tokens[i - 1] + share * (spec->tokens[i] - spec->tokens[i - 1]);
    return (uint32_t)floor(x + 0.5);
}

/* By enum llmsim_lengths. */
static const struct {
    const char *prefix;
    const char *expected;
    bool (*parse)(const char *text, struct llmsim_length_spec *spec);
    bool (*check)(const struct llmsim_length_spec *spec);
    uint32_t (*draw)(const struct llmsim_length_spec *spec, struct llmsim_random *random);
} kinds[] = {
    [LLMSIM_LENGTHS_FIXED] = {"fixed:", "fixed:N with a whole number of at most 1000000000",
                              parse_fixed, check_fixed, draw_fixed},
    [LLMSIM_LENGTHS_LOGNORMAL] = {"lognormal:",
                                  "lognormal:MEAN,SIGMA[,MIN,MAX] with a mean above 0, a sigma of "
                                  "at most 10, and whole numbers MIN <= MAX",
                                  parse_lognormal, check_lognormal, draw_lognormal},
    [LLMSIM_LENGTHS_QUANTILES] = {"quantiles:",
                                  "quantiles:0=TOKENS,P=TOKENS,...,1=TOKENS with at most 32 rising "
                                  "points",
                                  parse_quantiles, check_quantiles, draw_quantiles},
};
#define N_KINDS (sizeof kinds / sizeof *kinds)
_Static_assert(LLMSIM_MAX_QUANTILES == 32, "the text above names it");

enum llmsim_status llmsim_length_spec_parse(const char *text, struct llmsim_length_spec *spec,
                                            struct llmsim_error *err)
{
    for (size_t i = 0; i < N_KINDS; i++) {
        size_t n = strlen(kinds[i].prefix);
        if (strncmp(text, kinds[i].prefix, n) != 0)
            continue;
        *spec = (struct llmsim_length_spec){.kind = (enum llmsim_lengths)i};
        if (kinds[i].parse(text + n, spec) && kinds[i].check(spec))
            return LLMSIM_OK;
        return llmsim_fail(err, LLMSIM_USAGE, "'%s': expected %s", text, kinds[i].expected);
    }
    return llmsim_fail(err, LLMSIM_USAGE,
                       "'%s': expected fixed:N, lognormal:MEAN,SIGMA[,MIN,MAX] or "
                       "quantiles:0=TOKENS,P=TOKENS,...,1=TOKENS",
                       text);
}

enum llmsim_status llmsim_lengths_check(const struct llmsim_length_spec *spec, const char *what,
                                        struct llmsim_error *err)
{
    if (spec->kind == LLMSIM_LENGTHS_EMPIRICAL)
        return LLMSIM_OK;
    if ((size_t)spec->kind >= N_KINDS)
        return llmsim_fail(err, LLMSIM_USAGE, "%s: unknown distribution", what);
    if (!kinds[spec->kind].check(spec))
        return llmsim_fail(err, LLMSIM_USAGE, "%s: expected %s", what, kinds[spec->kind].expected);
    return LLMSIM_OK;
}

uint32_t llmsim_lengths_draw(const struct llmsim_length_spec *spec, struct llmsim_random *random)
{
    return kinds[spec->kind].draw(spec, random);
}
