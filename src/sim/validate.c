/* validate.c: the latencies of a replay beside those of a measured run. */
#include "llmsim/validate.h"

#include "llmsim/stat.h"

static enum llmsim_status keep_latencies(void *self, const struct llmsim_result *result,
                                         struct llmsim_error *err)
{
    struct llmsim_latencies *l = (struct llmsim_latencies *)self + result->request.row;
    (void)err;
    if (result->outcome != LLMSIM_OUTCOME_COMPLETED)
        return LLMSIM_OK;
    l->e2e_ns = llmsim_result_e2e_ns(result);
    if (result->request.output_tokens > 0)
        l->ttft_ns = llmsim_result_ttft_ns(result);
    if (result->request.output_tokens > 1)
        l->tpot_ns = result->tpot_ns;
    return LLMSIM_OK;
}

static const struct llmsim_sink_ops keep_ops = {.name = "latencies", .request = keep_latencies};

enum llmsim_status llmsim_validate_replay(const struct llmsim_replay_config *config,
                                          const struct llmsim_measured_run *run,
                                          struct llmsim_latencies *simulated,
                                          struct llmsim_error *err)
{
    struct llmsim_array_cursor cursor = {
        .requests = run->requests, .n = run->n, .prefixes = run->prefixes};
    struct llmsim_source source = llmsim_source_from_array(&cursor);
    struct llmsim_sink sink = {&keep_ops, simulated};
    for (size_t i = 0; i < run->n; i++)
        simulated[i] = (struct llmsim_latencies){LLMSIM_NOT_MEASURED, LLMSIM_NOT_MEASURED,
                                                 LLMSIM_NOT_MEASURED};
    return llmsim_replay(config, &source, &sink, 1, err);
}

const char *llmsim_metric_name(enum llmsim_metric metric)
{
    static const char *const names[] = {
#define X(name, text) text,
        LLMSIM_METRIC_LIST(X)
#undef X
    };
    return names[metric];
}

const char *llmsim_compared_name(enum llmsim_compared compared)
{
    static const char *const names[] = {
#define X(name, text) text,
        LLMSIM_COMPARED_LIST(X)
#undef X
    };
    return names[compared];
}

int64_t llmsim_latency_ns(const struct llmsim_latencies *latencies, enum llmsim_metric metric)
{
    switch (metric) {
    case LLMSIM_METRIC_TTFT:
        return latencies->ttft_ns;
    case LLMSIM_METRIC_TPOT:
        return latencies->tpot_ns;
    default:
        return latencies->e2e_ns;
    }
}

static void describe(struct llmsim_stat *stat, double described_s[LLMSIM_N_COMPARED])
{
    static const double p[] = {
        [LLMSIM_COMPARED_P50] = 0.5, [LLMSIM_COMPARED_P90] = 0.9, [LLMSIM_COMPARED_P99] = 0.99};
    described_s[LLMSIM_COMPARED_MEAN] = llmsim_stat_mean(stat) / 1e9;
    for (size_t i = LLMSIM_COMPARED_P50; i < LLMSIM_N_COMPARED; i++)
        described_s[i] = llmsim_stat_percentile(stat, p[i]) / 1e9;
}

enum llmsim_status llmsim_compare(const struct llmsim_latencies *measured,
                                  const struct llmsim_latencies *simulated, struct llmsim_span span,
                                  enum llmsim_metric metric, struct llmsim_comparison *comparison,
                                  struct llmsim_error *err)
{
    struct llmsim_stat m, s;
    double error_ns = 0, relative = 0;
    *comparison = (struct llmsim_comparison){.n = 0};
    enum llmsim_status status = llmsim_stat_init(&m, true, err);
    if (status != LLMSIM_OK)
        return status;
    status = llmsim_stat_init(&s, true, err);
    if (status != LLMSIM_OK)
        goto out;
    for (size_t i = span.first; i < span.last; i++) {
        int64_t m_ns = llmsim_latency_ns(&measured[i], metric);
        int64_t s_ns = llmsim_latency_ns(&simulated[i], metric);
        if (m_ns < 0 || s_ns < 0)
            continue;
        int64_t absolute_ns = s_ns > m_ns ? s_ns - m_ns : m_ns - s_ns;
        llmsim_stat_add(&m, (uint64_t)m_ns);
        llmsim_stat_add(&s, (uint64_t)s_ns);
        error_ns += (double)absolute_ns;
        if (m_ns > 0) {
            relative += (double)absolute_ns / (double)m_ns;
            comparison->n_relative++;
        }
        comparison->n++;
    }
    describe(&m, comparison->measured_s);
    describe(&s, comparison->simulated_s);
    if (comparison->n > 0)
        comparison->mean_absolute_error_s = error_ns / (double)comparison->n / 1e9;
    if (comparison->n_relative > 0)
        comparison->mape_percent = 100 * relative / (double)comparison->n_relative;
    llmsim_stat_fini(&s);
out:
    llmsim_stat_fini(&m);
    return status;
}
