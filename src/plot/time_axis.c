#include "time_axis.h"

#include <stdbool.h>
#include <stddef.h>

#include "llmsim/time.h"

/* Lengths of the axis between 0 and its beginning. */
#define FAR_FROM_0 50

struct time_axis time_axis_make(int64_t low_ns, int64_t high_ns)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"days", 86400 * LLMSIM_NS_PER_S},
                 {"h", 3600 * LLMSIM_NS_PER_S},
                 {"min", 60 * LLMSIM_NS_PER_S},
                 {"s", LLMSIM_NS_PER_S}};
    if (high_ns <= low_ns)
        high_ns = low_ns + LLMSIM_NS_PER_S;
    size_t i = 0;
    while (i + 1 < sizeof units / sizeof *units && (high_ns - low_ns) / 3 < units[i].ns)
        i++;
    /* Digits of the tics would be the same from one end to the other. */
    bool is_far = low_ns / FAR_FROM_0 > high_ns - low_ns;
    return (struct time_axis){low_ns, high_ns, is_far ? low_ns : 0, units[i].name,
                              (double)units[i].ns};
}

int64_t time_axis_edge(const struct time_axis *axis, unsigned k, unsigned n)
{
    return axis->low_ns + (int64_t)((llmsim_time)(axis->high_ns - axis->low_ns) * k / n);
}

unsigned time_axis_span(const struct time_axis *axis, int64_t ns, unsigned n)
{
    if (ns < axis->low_ns)
        return 0;
    if (ns >= axis->high_ns)
        return n - 1;
    unsigned k = (unsigned)((llmsim_time)(ns - axis->low_ns) * n / (axis->high_ns - axis->low_ns));
    /* Edges are rounded down, so a time at one may seem to lie before it. */
    while (k + 1 < n && time_axis_edge(axis, k + 1, n) <= ns)
        k++;
    return k;
}

double time_axis_value(const struct time_axis *axis, int64_t ns)
{
    return (double)(ns - axis->origin_ns) / axis->unit_ns;
}

void span_means_add(struct span_means *means, const struct time_axis *axis, int64_t begin_ns,
                    int64_t end_ns, double value)
{
    unsigned first = time_axis_span(axis, begin_ns, TIME_SPANS);
    unsigned last = time_axis_span(axis, end_ns, TIME_SPANS);
    if (first == last) {
        means->partial[first] += value * (double)(end_ns - begin_ns);
        return;
    }
    means->partial[first] +=
        value * (double)(time_axis_edge(axis, first + 1, TIME_SPANS) - begin_ns);
    means->partial[last] += value * (double)(end_ns - time_axis_edge(axis, last, TIME_SPANS));
    means->change[first + 1] += value;
    means->change[last] -= value;
}

void span_means_finish(const struct span_means *means, const struct time_axis *axis,
                       double totals[static TIME_SPANS])
{
    double whole = 0;
    for (unsigned k = 0; k < TIME_SPANS; k++) {
        whole += means->change[k];
        totals[k] = means->partial[k] + whole * (double)(time_axis_edge(axis, k + 1, TIME_SPANS) -
                                                         time_axis_edge(axis, k, TIME_SPANS));
    }
}
