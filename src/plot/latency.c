#include "latency.h"

#include <stdio.h>
#include <stdlib.h>

/* Requests of a span that give a p99 a meaning, more or less. */
#define VALUES_PER_SPAN 50u
#define CDF_STEPS 500

enum llmsim_status latency_init(struct latency *latency, const char *name, uint64_t n,
                                struct llmsim_error *err)
{
    uint64_t n_spans = 1 + n / VALUES_PER_SPAN;
    *latency = (struct latency){.name = name};
    enum llmsim_status status = llmsim_stat_init(&latency->all, true, err);
    latency->n_spans = n_spans < LATENCY_MAX_SPANS ? (unsigned)n_spans : LATENCY_MAX_SPANS;
    latency->spans = calloc(latency->n_spans, sizeof *latency->spans);
    latency->sample = malloc(LATENCY_MAX_SAMPLE * sizeof *latency->sample);
    latency->stride = 1;
    if (latency->spans == NULL || latency->sample == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    for (unsigned i = 0; i < latency->n_spans && status == LLMSIM_OK; i++)
        status = llmsim_stat_init(&latency->spans[i], false, err);
    return status;
}

void latency_fini(struct latency *latency)
{
    llmsim_stat_fini(&latency->all);
    for (unsigned i = 0; latency->spans != NULL && i < latency->n_spans; i++)
        llmsim_stat_fini(&latency->spans[i]);
    free(latency->spans);
    free(latency->sample);
    *latency = (struct latency){0};
}

/* When the sample is full, every other value of it goes. */
static void keep(struct latency *l, int64_t time_ns, int64_t value_ns)
{
    if (l->n_sample == LATENCY_MAX_SAMPLE) {
        for (size_t i = 0; i < LATENCY_MAX_SAMPLE / 2; i++)
            l->sample[i] = l->sample[2 * i];
        l->n_sample = LATENCY_MAX_SAMPLE / 2;
        l->stride *= 2;
        if (l->all.n % l->stride != 0)
            return;
    }
    l->sample[l->n_sample++] = (struct latency_sample){time_ns, value_ns};
}

void latency_add(struct latency *l, const struct time_axis *axis, int64_t time_ns, int64_t value_ns)
{
    if (l->all.n % l->stride == 0)
        keep(l, time_ns, value_ns);
    llmsim_stat_add(&l->all, (uint64_t)value_ns);
    llmsim_stat_add(&l->spans[time_axis_span(axis, time_ns, l->n_spans)], (uint64_t)value_ns);
}

static double seconds(struct llmsim_stat *stat, double p)
{
    return llmsim_stat_percentile(stat, p) / 1e9;
}

static enum llmsim_status write_cdf(struct latency *l, const struct plot_files *files,
                                    struct llmsim_error *err)
{
    static const double tail[] = {0.999, 0.9995, 0.9999, 1};
    char name[64];
    struct llmsim_output out;
    (void)snprintf(name, sizeof name, "%s_cdf.csv", l->name);
    enum llmsim_status status = plot_files_begin(files, name, &out, err);
    if (status != LLMSIM_OK)
        return status;
    plot_put(&out, "share,%s_s\n", l->name);
    for (int i = 0; i < CDF_STEPS && l->all.n > 0; i++)
        plot_put(&out, "%.4f,%.6g\n", (double)i / CDF_STEPS,
                 seconds(&l->all, (double)i / CDF_STEPS));
    for (size_t i = 0; i < sizeof tail / sizeof *tail && l->all.n > 0; i++)
        plot_put(&out, "%.4f,%.6g\n", tail[i], seconds(&l->all, tail[i]));
    return plot_files_end(&out, LLMSIM_OK, err);
}

static enum llmsim_status write_time(struct latency *l, const struct time_axis *axis,
                                     const struct plot_files *files, struct llmsim_error *err)
{
    char name[64];
    struct llmsim_output out;
    (void)snprintf(name, sizeof name, "%s_time.csv", l->name);
    enum llmsim_status status = plot_files_begin(files, name, &out, err);
    if (status != LLMSIM_OK)
        return status;
    plot_put(&out, "time_%s,p50_s,p99_s,count\n", axis->unit);
    for (unsigned i = 0; i < l->n_spans; i++) {
        int64_t begin_ns = time_axis_edge(axis, i, l->n_spans);
        int64_t end_ns = time_axis_edge(axis, i + 1, l->n_spans);
        if (l->spans[i].n == 0) { /* a gap in the curve */
            plot_put(&out, "\n");
            continue;
        }
        plot_put(&out, "%.6g,%.6g,%.6g,%llu\n",
                 time_axis_value(axis, begin_ns + (end_ns - begin_ns) / 2),
                 seconds(&l->spans[i], 0.5), seconds(&l->spans[i], 0.99),
                 (unsigned long long)l->spans[i].n);
    }
    return plot_files_end(&out, LLMSIM_OK, err);
}

static enum llmsim_status write_sample(const struct latency *l, const struct time_axis *axis,
                                       const struct plot_files *files, struct llmsim_error *err)
{
    char name[64];
    struct llmsim_output out;
    (void)snprintf(name, sizeof name, "%s_sample.csv", l->name);
    enum llmsim_status status = plot_files_begin(files, name, &out, err);
    if (status != LLMSIM_OK)
        return status;
    plot_put(&out, "time_%s,%s_s\n", axis->unit, l->name);
    for (size_t i = 0; i < l->n_sample; i++)
        plot_put(&out, "%.6g,%.6g\n", time_axis_value(axis, l->sample[i].time_ns),
                 (double)l->sample[i].value_ns / 1e9);
    return plot_files_end(&out, LLMSIM_OK, err);
}

enum llmsim_status latency_write(struct latency *latency, const struct time_axis *axis,
                                 const struct plot_files *files, struct llmsim_error *err)
{
    enum llmsim_status status = write_cdf(latency, files, err);
    if (status == LLMSIM_OK)
        status = write_time(latency, axis, files, err);
    return status == LLMSIM_OK ? write_sample(latency, axis, files, err) : status;
}

void latency_put(struct latency *l, struct llmsim_output *out)
{
    static const double percentiles[] = {0.5, 0.9, 0.99};
    plot_put(out, "%s_n = %.0f\n", l->name, (double)l->all.n);
    if (l->all.n == 0)
        return;
    /* One in a thousand may be lower: a logarithmic axis would follow it far to the left. */
    plot_put(out, "%s_low = %.6g\n%s_high = %.6g\n", l->name, seconds(&l->all, 0.001), l->name,
             (double)l->all.max / 1e9);
    for (size_t i = 0; i < sizeof percentiles / sizeof *percentiles; i++)
        plot_put(out, "%s_p%.0f = %.6g\n", l->name, 100 * percentiles[i],
                 seconds(&l->all, percentiles[i]));
}
