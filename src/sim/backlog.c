/* backlog.c: whether requests come faster than they are served. docs/sweeps.md, "Saturated", has
 * the rules and what they were tried on.
 *
 * Let L_k be the number of requests in the system when the k-th of n comes. There are three ways to
 * be saturated:
 *
 * 1. The backlog only grows. The least squares line through (k, L_k) of the second half has a slope
 *    b: if the load is rho > 1, one request in rho is served, and b tends to 1 - 1/rho; if it is
 *    below 1, L is stationary and b tends to 0. At a load of exactly 1 with Poisson arrivals L is a
 *    random walk reflected at 0, of about one unit of variance an arrival, so by chance alone it
 *    moves by sqrt(m) in m arrivals, which is a slope of 1/sqrt(m). The bound is three of these,
 * and at least MIN_GROWTH, because over a long trace a running set that grows with the hour of the
 *    day is no overload.
 * 2. It takes long to drain: the run goes on after the last arrival for more than a tenth of the
 *    time in which requests came, and what the longest request takes under load.
 * 3. It grew for a part of the trace, whatever came after: its peak is over three of the deviations
 *    above, a tenth of all requests are late by a share of the trace's time, and the backlog is
 *    more than a tenth of its peak for longer than bursts last.
 *
 * Memory does not grow with the trace: of a long one, every second, fourth, ... arrival is a
 * sample. */
#include "backlog.h"

#include <math.h>
#include <stdlib.h>

#define MIN_GROWTH 0.01
#define N_DEVIATIONS 3
#define DRAIN_SHARE 0.1
/* How much longer a request may take than alone. */
#define SLOWDOWN 4
/* Of rule 3: of the time in which requests come, how late the request at this percentile is; and
 * how long the backlog stays above this share of its peak. */
#define LATE_PERCENTILE 0.9
#define LATE_SHARE 0.01
#define STRETCH_LEVEL 0.1
#define STRETCH_SHARE 0.025

enum llmsim_status llmsim_backlog_init(struct backlog_sink *sink,
                                       const struct llmsim_replay_config *config,
                                       struct llmsim_summary *summary, struct llmsim_error *err)
{
    *sink = (struct backlog_sink){.summary = summary,
                                  .from_ns = config->from_ns,
                                  .max_concurrency = config->max_concurrency,
                                  .stride = 1};
    sink->samples = malloc(LLMSIM_BACKLOG_SAMPLES * sizeof *sink->samples);
    if (sink->samples == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    return llmsim_stat_init(&sink->late, false, err);
}

void llmsim_backlog_fini(struct backlog_sink *sink)
{
    free(sink->samples);
    free(sink->ends_ns);
    llmsim_stat_fini(&sink->late);
    *sink = (struct backlog_sink){.stride = 1};
}

/* ---- while the run goes on ---- */

/* Requests that end as they arrive are not there for those of the same time ahead of them. */
static int64_t in_system(uint64_t n_arrived, uint64_t n_ended)
{
    return n_arrived > n_ended ? (int64_t)(n_arrived - n_ended) : 0;
}

static void drop_every_second(struct backlog_sink *s)
{
    for (size_t i = 0; i < s->n_samples; i += 2)
        s->samples[i / 2] = s->samples[i];
    s->n_samples = (s->n_samples + 1) / 2;
    s->n_known = (s->n_known + 1) / 2;
    s->stride *= 2;
}

/* Requests end in time order, so once one is known to end behind an arrival, all that ended ahead
 * of it or with it are: an end at an arrival's very time is first. */
static void add_sample(struct backlog_sink *s, int64_t arrival_ns)
{
    if (s->n_samples == LLMSIM_BACKLOG_SAMPLES) {
        drop_every_second(s);
        if (s->n_arrived % s->stride != 0)
            return;
    }
    size_t n_behind = s->n_ends - s->first_end;
    s->samples[s->n_samples] =
        (struct backlog_sample){arrival_ns, in_system(s->n_arrived, s->n_ended - n_behind)};
    s->n_known += n_behind > 0;
    s->n_samples++;
}

/* A closed loop sends no faster than it is served, and its requests do not come when the trace
 * says; but for all of the trace at once it is none. */
static bool is_closed(const struct backlog_sink *s)
{
    return s->max_concurrency > 0 && s->max_concurrency < s->n_read;
}

static enum llmsim_status backlog_arrive(void *self, const struct llmsim_request *requests,
                                         size_t n, struct llmsim_error *err)
{
    struct backlog_sink *s = self;
    (void)err;
    s->n_read += n;
    s->has_all = n == 0;
    for (size_t i = 0; i < n && !is_closed(s); i++) {
        int64_t arrival_ns = requests[i].arrival_ns;
        if (arrival_ns < s->from_ns || requests[i].is_failed)
            continue;
        while (s->first_end < s->n_ends && s->ends_ns[s->first_end] <= arrival_ns)
            s->first_end++;
        if (s->n_arrived == 0)
            s->first_ns = arrival_ns;
        if (s->n_arrived % s->stride == 0)
            add_sample(s, arrival_ns);
        s->last_ns = arrival_ns;
        s->n_arrived++;
    }
    return LLMSIM_OK;
}

static enum llmsim_status keep_end(struct backlog_sink *s, int64_t end_ns, struct llmsim_error *err)
{
    if (s->first_end == s->n_ends)
        s->first_end = s->n_ends = 0;
    if (s->has_all || (s->n_arrived > 0 && end_ns <= s->last_ns))
        return LLMSIM_OK;
    if (s->n_ends == s->ends_capacity) {
        size_t capacity = s->ends_capacity > 0 ? 2 * s->ends_capacity : 64;
        int64_t *larger = realloc(s->ends_ns, capacity * sizeof *larger);
        if (larger == NULL)
            return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
        s->ends_ns = larger;
        s->ends_capacity = capacity;
    }
    s->ends_ns[s->n_ends++] = end_ns;
    return LLMSIM_OK;
}

static void know_samples(struct backlog_sink *s, int64_t before_ns)
{
    for (; s->n_known < s->n_samples && s->samples[s->n_known].arrival_ns < before_ns; s->n_known++)
        s->samples[s->n_known].in_system = in_system(s->n_known * s->stride, s->n_ended);
}

static enum llmsim_status backlog_request(void *self, const struct llmsim_result *r,
                                          struct llmsim_error *err)
{
    struct backlog_sink *s = self;
    if (is_closed(s) || r->outcome == LLMSIM_OUTCOME_FAILED_IN_TRACE)
        return LLMSIM_OK;
    bool is_served = r->outcome == LLMSIM_OUTCOME_COMPLETED;
    if (is_served || r->outcome == LLMSIM_OUTCOME_UNFINISHED) {
        int64_t late_ns = llmsim_result_e2e_ns(r) - SLOWDOWN * r->unloaded_ns;
        llmsim_stat_add(&s->late, late_ns > 0 ? (uint64_t)late_ns : 0);
        s->last_end_ns = r->end_ns;
        if (r->unloaded_ns > s->longest_alone_ns)
            s->longest_alone_ns = r->unloaded_ns;
    }
    if (r->outcome == LLMSIM_OUTCOME_UNFINISHED)
        return LLMSIM_OK;
    know_samples(s, r->end_ns);
    s->n_ended++;
    return keep_end(s, r->end_ns, err);
}

/* ---- what it was ---- */

static double span_ns(const struct backlog_sink *s)
{
    return (double)(s->last_ns - s->first_ns);
}

/* Slope over the samples of the second half, in requests for each that arrives. */
static double slope(const struct backlog_sink *s, size_t first)
{
    double m = (double)(s->n_samples - first), sum = 0, weighted_sum = 0;
    if (s->n_samples < first + 2)
        return 0;
    for (size_t i = first; i < s->n_samples; i++) {
        sum += (double)s->samples[i].in_system;
        weighted_sum += (double)s->samples[i].in_system * (double)(i - first);
    }
    /* (m Σ k L - Σ k Σ L) / (m Σ k² - (Σ k)²), with Σ k = m(m - 1)/2 and the denominator
     * m²(m² - 1)/12. */
    double numerator = 2 * weighted_sum - (m - 1) * sum; /* times m/2 */
    return 6 * numerator / (m * (m * m - 1)) / (double)s->stride;
}

/* The longest time for which the backlog stays above a share of its peak, from one sample to
 * another. */
struct stretch {
    size_t first, last;
};

static struct stretch longest_stretch(const struct backlog_sink *s, int64_t peak)
{
    struct stretch longest = {0, 0}, now = {0, 0};
    bool is_open = false;
    for (size_t i = 0; i < s->n_samples; i++) {
        bool is_above = (double)s->samples[i].in_system > STRETCH_LEVEL * (double)peak;
        if (is_above && !is_open)
            now.first = i;
        is_open = is_above;
        now.last = i;
        if (is_open &&
            s->samples[now.last].arrival_ns - s->samples[now.first].arrival_ns >
                s->samples[longest.last].arrival_ns - s->samples[longest.first].arrival_ns)
            longest = now;
    }
    return longest;
}

/* At what rate requests came between two samples, and at what rate they were served. */
static void set_rates(const struct backlog_sink *s, struct llmsim_backlog *b, struct stretch t)
{
    const struct backlog_sample *first = &s->samples[t.first], *last = &s->samples[t.last];
    double seconds = (double)(last->arrival_ns - first->arrival_ns) / 1e9;
    double n = (double)(t.last - t.first) * (double)s->stride;
    if (!(seconds > 0))
        return;
    b->arrivals_per_s = n / seconds;
    b->served_per_s = (n - (double)(last->in_system - first->in_system)) / seconds;
}

/* To where the backlog of a stretch is greatest. */
static struct stretch rise_of(const struct backlog_sink *s, struct stretch stretch)
{
    struct stretch rise = {stretch.first, stretch.first};
    for (size_t i = stretch.first; i <= stretch.last; i++)
        if (s->samples[i].in_system > s->samples[rise.last].in_system)
            rise.last = i;
    return rise;
}

static void judge(struct backlog_sink *s, struct llmsim_backlog *b)
{
    double span = span_ns(s);
    size_t first = (size_t)((s->n_arrived / 2 + s->stride - 1) / s->stride);
    uint64_t n_half = s->n_arrived - s->n_arrived / 2;
    double bound = N_DEVIATIONS / sqrt((double)n_half);
    struct stretch stretch = longest_stretch(s, (int64_t)b->peak);
    double stretch_ns =
        (double)(s->samples[stretch.last].arrival_ns - s->samples[stretch.first].arrival_ns);
    b->n_arrivals = n_half;
    b->growth = slope(s, first);
    b->stretch_share = span > 0 ? stretch_ns / span : 0;
    b->drain_s = s->last_end_ns > s->last_ns ? (double)(s->last_end_ns - s->last_ns) / 1e9 : 0;
    b->late_p90_s = s->late.n > 0 ? llmsim_stat_percentile(&s->late, LATE_PERCENTILE) / 1e9 : 0;

    bool grew = (double)b->peak > N_DEVIATIONS * sqrt((double)s->n_arrived) &&
                b->late_p90_s * 1e9 > LATE_SHARE * span && b->stretch_share > STRETCH_SHARE;
    bool grows = b->growth > (bound > MIN_GROWTH ? bound : MIN_GROWTH);
    bool drains_late =
        b->drain_s * 1e9 > DRAIN_SHARE * span + SLOWDOWN * (double)s->longest_alone_ns;
    b->is_saturated = grew || grows || drains_late;
    if (grew)
        set_rates(s, b, rise_of(s, stretch));
    else if (grows)
        set_rates(s, b, (struct stretch){first, s->n_samples - 1});
    else if (drains_late && span > 0) {
        b->arrivals_per_s = (double)(s->n_arrived - 1) / (span / 1e9);
        b->served_per_s = (double)s->n_ended / ((double)(s->last_end_ns - s->first_ns) / 1e9);
    }
}

static enum llmsim_status backlog_end(void *self, const struct llmsim_totals *totals,
                                      struct llmsim_error *err)
{
    struct backlog_sink *s = self;
    struct llmsim_backlog *b = &s->summary->backlog;
    (void)totals;
    (void)err;
    know_samples(s, INT64_MAX);
    *b = (struct llmsim_backlog){.n_arrivals = 0};
    if (is_closed(s) || s->n_arrived == 0)
        return LLMSIM_OK;
    for (size_t i = 0; i < s->n_samples; i++)
        if (s->samples[i].in_system > (int64_t)b->peak)
            b->peak = (uint64_t)s->samples[i].in_system;
    if (s->n_arrived - s->n_arrived / 2 >= 2)
        judge(s, b);
    return LLMSIM_OK;
}

const struct llmsim_sink_ops llmsim_backlog_sink_ops = {
    .name = "backlog",
    .request = backlog_request,
    .end = backlog_end,
    .arrive = backlog_arrive,
};
