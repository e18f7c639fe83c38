/* time_axis.h: a stretch of simulated time, cut into equal spans. Where it begins far from 0 (the
 * arrivals of a trace may be seconds since 1970) its values count from its beginning. */
#ifndef LLMSIM_PLOT_TIME_AXIS_H
#define LLMSIM_PLOT_TIME_AXIS_H

#include <stdint.h>

struct time_axis {
    int64_t low_ns, high_ns; /* low < high */
    int64_t origin_ns;       /* 0, or low_ns */
    const char *unit;        /* that suits how long it is: "s", "min", "h", "days" */
    double unit_ns;
};

struct time_axis time_axis_make(int64_t low_ns, int64_t high_ns);

/* Where span k of n begins; k = n is the end of the last. */
int64_t time_axis_edge(const struct time_axis *axis, unsigned k, unsigned n);
/* The span of a time; what is outside counts to the first or the last. */
unsigned time_axis_span(const struct time_axis *axis, int64_t ns, unsigned n);
/* How long a span is, in ns. */
static inline double time_axis_width(const struct time_axis *axis, unsigned k, unsigned n)
{
    return (double)(time_axis_edge(axis, k + 1, n) - time_axis_edge(axis, k, n));
}
/* In the axis's unit, from its origin. */
double time_axis_value(const struct time_axis *axis, int64_t ns);

/* Means over spans of a quantity that is a sum of steps: of the number of requests that wait, each
 * from its arrival to its first step, for example. An interval costs the same however many spans it
 * covers: its ends are added to theirs, and the whole spans between are marked at both ends. */
#define TIME_SPANS 480u
struct span_means {
    double partial[TIME_SPANS];    /* value × ns */
    double change[TIME_SPANS + 1]; /* of the value in whole spans, against the span before */
};
void span_means_add(struct span_means *means, const struct time_axis *axis, int64_t begin_ns,
                    int64_t end_ns, double value);
/* Value × ns in each span. */
void span_means_finish(const struct span_means *means, const struct time_axis *axis,
                       double totals[static TIME_SPANS]);

#endif
