/* search.c: the border between good and bad values, by bisection. */
#include "llmsim/sweep.h"
#include "parts.h"

struct run {
    const struct llmsim_search *search;
    struct llmsim_search_result *result;
    struct llmsim_error *err;
};

static enum llmsim_status ask(const struct run *run, uint64_t value, bool *good)
{
    run->result->n_probes++;
    return run->search->is_good(run->search->ctx, value, good, run->err);
}

/* Twice or half the value, inside the bounds. */
static uint64_t leap(const struct llmsim_search *s, uint64_t value, bool up)
{
    uint64_t next = up ? value * 2 : value / 2;
    next = next < s->min ? s->min : next;
    return next > s->max ? s->max : next;
}

/* From the start away from what it is until the other answer comes, or the bounds. */
static enum llmsim_status bracket(const struct run *run)
{
    const struct llmsim_search *s = run->search;
    struct llmsim_search_result *r = run->result;
    bool good = false;
    enum llmsim_status status = ask(run, s->start, &good);
    bool up = good != s->larger_is_good;
    for (uint64_t value = s->start; status == LLMSIM_OK;) {
        *(good ? &r->good : &r->bad) = value;
        uint64_t next = leap(s, value, up);
        if ((r->good != 0 && r->bad != 0) || next == value)
            break;
        value = next;
        status = ask(run, value, &good);
    }
    return status;
}

static bool is_close(const struct llmsim_search *s, uint64_t a, uint64_t b)
{
    uint64_t low = a < b ? a : b, high = a < b ? b : a;
    return high - low <= 1 || (double)high <= (double)low * (1 + s->tolerance);
}

static enum llmsim_status bisect(const struct run *run)
{
    struct llmsim_search_result *r = run->result;
    enum llmsim_status status = LLMSIM_OK;
    while (status == LLMSIM_OK && !is_close(run->search, r->good, r->bad)) {
        bool good = false;
        uint64_t middle = (r->good + r->bad) / 2;
        status = ask(run, middle, &good);
        if (status == LLMSIM_OK)
            *(good ? &r->good : &r->bad) = middle;
    }
    return status;
}

/* On the side of `from` that is away from the border every value should be as `from` is. */
static enum llmsim_status check_side(const struct run *run, uint64_t from, bool expected)
{
    static const unsigned percent[] = {110, 125, 150, 200};
    const struct llmsim_search *s = run->search;
    struct llmsim_search_result *r = run->result;
    bool up = expected == s->larger_is_good;
    uint64_t last = from;
    enum llmsim_status status = LLMSIM_OK;
    for (size_t i = 0; i < sizeof percent / sizeof *percent && status == LLMSIM_OK; i++) {
        bool good = false;
        double away = (double)percent[i] / 100;
        uint64_t value = (uint64_t)(up ? (double)from * away : (double)from / away);
        if (value == last || value < s->min || value > s->max)
            continue;
        last = value;
        status = ask(run, value, &good);
        if (status == LLMSIM_OK && good != expected)
            r->violations[r->n_violations++] = value;
    }
    return status;
}
_Static_assert(LLMSIM_SEARCH_MAX_VIOLATIONS >= 8, "check_side asks for four values on either side");

enum llmsim_status llmsim_search_border(const struct llmsim_search *search,
                                        struct llmsim_search_result *result,
                                        struct llmsim_error *err)
{
    const struct run run = {search, result, err};
    *result = (struct llmsim_search_result){0};
    enum llmsim_status status =
        LLMSIM_CHECK_PARTS("a search", err, {search->is_good != NULL, "function is_good"});
    if (status == LLMSIM_OK)
        status = bracket(&run);
    if (status == LLMSIM_OK && result->good != 0 && result->bad != 0)
        status = bisect(&run);
    if (status == LLMSIM_OK && result->good != 0)
        status = check_side(&run, result->good, true);
    if (status == LLMSIM_OK && result->bad != 0)
        status = check_side(&run, result->bad, false);
    return status;
}
