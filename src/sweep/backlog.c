/* backlog.c: whether requests come faster than they are served.
 *
 * Let the second half of the arrivals be m requests, and L_k the number of requests in the system
 * when the k-th of them comes. The least squares line through (k, L_k) has a slope b: requests by
 * which the backlog grows for each that arrives. If the load is rho > 1, one request in rho is
 * served, and b tends to 1 - 1/rho; if it is below 1, L is stationary and b tends to 0.
 *
 * The bound: at a load of exactly 1 with Poisson arrivals L is a random walk reflected at 0, of
 * about one unit of variance an arrival, so by chance alone it moves by sqrt(m), which is a slope
 * of 1/sqrt(m). Three of these, and at least MIN_GROWTH, because over a long trace a running set
 * that grows with the hour of the day is no overload.
 *
 * A trace whose rush is in its first half leaves a backlog that only falls in the second, however
 * long it is. So a run is as well saturated if it goes on for long after the last arrival: for more
 * than a tenth of the time in which requests came, and what the longest request takes under load.
 */
#include "backlog.h"

#include <math.h>

#define MIN_GROWTH 0.01
#define N_DEVIATIONS 3
#define LATE_SHARE 0.1
/* How much longer a request may take than alone. */
#define SLOWDOWN 4

__extension__ typedef __int128 wide;

static int64_t arrival_ns(const struct backlog_sink *s, size_t i)
{
    return llmsim_ratio_scale_arrival(s->rate_scale, s->memory->requests[i].arrival_ns);
}

/* The first arrival at or after `ns`. */
static size_t find_arrival(const struct backlog_sink *s, int64_t ns)
{
    size_t low = 0, high = s->memory->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (arrival_ns(s, middle) < ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void llmsim_backlog_init(struct backlog_sink *sink, const struct llmsim_memory_trace *memory,
                         const struct llmsim_run_description *description)
{
    const struct llmsim_replay_config *config = description->config;
    *sink = (struct backlog_sink){.memory = memory, .rate_scale = description->rate_scale};
    if (sink->rate_scale.denominator == 0)
        sink->rate_scale = (struct llmsim_ratio){1, 1};
    sink->begin = find_arrival(sink, config->from_ns);
    sink->end = config->until_ns != 0 ? find_arrival(sink, config->until_ns) : memory->n;
    /* A closed loop sends no faster than it is served; but for all of the trace at once it is none.
     */
    bool is_closed = config->max_concurrency > 0 && config->max_concurrency < memory->n;
    if (sink->end < sink->begin || is_closed)
        sink->end = sink->begin;
    sink->first = sink->next = sink->begin + (sink->end - sink->begin) / 2;
}

static void look_at_next(struct backlog_sink *s)
{
    wide in_system = (wide)(s->next - s->begin) - (wide)s->n_ended;
    s->sum += in_system;
    s->weighted_sum += in_system * (wide)(s->next - s->first);
    s->next++;
}

/* Requests end in time order: those reported so far had ended when any arrival that is still to be
 * looked at came. One that ends and one that arrives at the same time: the end is first. */
static enum llmsim_status backlog_request(void *self, const struct llmsim_result *result,
                                          struct llmsim_error *err)
{
    struct backlog_sink *s = self;
    (void)err;
    if (result->outcome == LLMSIM_OUTCOME_UNFINISHED)
        return LLMSIM_OK;
    s->last_end_ns = result->end_ns;
    if (result->unloaded_ns > s->longest_alone_ns)
        s->longest_alone_ns = result->unloaded_ns;
    while (s->next < s->end && arrival_ns(s, s->next) < result->end_ns)
        look_at_next(s);
    s->n_ended++;
    return LLMSIM_OK;
}

static enum llmsim_status backlog_end(void *self, const struct llmsim_totals *totals,
                                      struct llmsim_error *err)
{
    struct backlog_sink *s = self;
    (void)totals;
    (void)err;
    while (s->next < s->end)
        look_at_next(s);
    return LLMSIM_OK;
}

const struct llmsim_sink_ops llmsim_backlog_sink_ops = {
    .name = "backlog",
    .request = backlog_request,
    .end = backlog_end,
};

static bool ends_late(const struct backlog_sink *s)
{
    if (s->end != s->memory->n || s->end == s->begin) /* a window ends it, or a closed loop */
        return false;
    int64_t last_ns = arrival_ns(s, s->end - 1);
    double span = (double)(last_ns - arrival_ns(s, s->begin));
    return (double)(s->last_end_ns - last_ns) >
           LATE_SHARE * span + SLOWDOWN * (double)s->longest_alone_ns;
}

/* Slope: (m Σ k L - Σ k Σ L) / (m Σ k² - (Σ k)²), with Σ k = m(m - 1)/2 and the denominator
 * m²(m² - 1)/12. */
struct llmsim_backlog llmsim_backlog_result(const struct backlog_sink *sink)
{
    struct llmsim_backlog backlog = {.n_arrivals = sink->end - sink->first};
    wide m = (wide)backlog.n_arrivals;
    if (m < 2)
        return backlog;
    wide numerator = 2 * sink->weighted_sum - (m - 1) * sink->sum; /* times m/2 */
    backlog.growth = 6 * (double)numerator / ((double)m * (double)(m * m - 1));
    double bound = N_DEVIATIONS / sqrt((double)m);
    backlog.is_saturated =
        backlog.growth > (bound > MIN_GROWTH ? bound : MIN_GROWTH) || ends_late(sink);
    return backlog;
}
