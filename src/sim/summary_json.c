/* summary_json.c: summary.json. Nothing in it depends on the machine, the clock, the engine or
 * where the files lie, so that equal inputs give equal bytes. */
#include <cjson/cJSON.h>
#include <stdlib.h>

#include "llmsim/version.h"
#include "sinks.h"

/* mean, p50, … of a stat whose integers count `unit`ths. */
static void add_stat(cJSON *parent, const char *name, struct llmsim_stat *stat, double unit)
{
    static const struct {
        const char *name;
        double p;
    } percentiles[] = {{"p50", 0.50}, {"p90", 0.90}, {"p95", 0.95}, {"p99", 0.99}};
    cJSON *object = cJSON_AddObjectToObject(parent, name);
    cJSON_AddNumberToObject(object, "count", (double)stat->n);
    if (stat->n == 0)
        return;
    cJSON_AddNumberToObject(object, "mean", llmsim_stat_mean(stat) / unit);
    cJSON_AddNumberToObject(object, "min", (double)stat->min / unit);
    for (size_t i = 0; i < sizeof percentiles / sizeof *percentiles; i++)
        cJSON_AddNumberToObject(object, percentiles[i].name,
                                llmsim_stat_percentile(stat, percentiles[i].p) / unit);
    cJSON_AddNumberToObject(object, "max", (double)stat->max / unit);
}

static void add_counts(cJSON *root, const struct llmsim_summary *s)
{
    const struct llmsim_totals *t = &s->totals;
    uint64_t n_rows = 0;
    cJSON *outcomes = cJSON_AddObjectToObject(root, "outcomes");
    for (size_t i = 0; i < LLMSIM_N_OUTCOMES; i++) {
        cJSON_AddNumberToObject(outcomes, llmsim_outcome_name((enum llmsim_outcome)i),
                                (double)s->outcomes[i]);
        n_rows += s->outcomes[i];
    }
    cJSON_AddNumberToObject(root, "rows", (double)n_rows);
    cJSON *tokens = cJSON_AddObjectToObject(root, "tokens");
    cJSON_AddNumberToObject(tokens, "prompt", (double)t->prompt_tokens);
    cJSON_AddNumberToObject(tokens, "output", (double)t->output_tokens);
    cJSON *steps = cJSON_AddObjectToObject(root, "steps");
    cJSON_AddNumberToObject(steps, "total", (double)t->n_steps);
    cJSON_AddNumberToObject(steps, "with_prefill", (double)t->n_prefill_steps);
    cJSON_AddNumberToObject(steps, "with_decode", (double)t->n_decode_steps);
    cJSON_AddNumberToObject(root, "makespan_s", llmsim_totals_makespan_s(t));
    cJSON *throughput = cJSON_AddObjectToObject(root, "throughput");
    cJSON_AddNumberToObject(throughput, "requests_per_s", llmsim_totals_per_s(t, t->n_requests));
    cJSON_AddNumberToObject(throughput, "prompt_tokens_per_s",
                            llmsim_totals_per_s(t, t->prompt_tokens));
    cJSON_AddNumberToObject(throughput, "output_tokens_per_s",
                            llmsim_totals_per_s(t, t->output_tokens));
}

static void add_settings(cJSON *root, const struct llmsim_run_description *d)
{
    const char *policy = d->config->policy;
    cJSON *settings = cJSON_AddObjectToObject(root, "settings");
    cJSON_AddStringToObject(settings, "policy",
                            policy != NULL ? policy : llmsim_policy_choice(0)->name);
    cJSON_AddNumberToObject(settings, "max_num_seqs", d->config->max_num_seqs);
    cJSON_AddNumberToObject(settings, "max_num_batched_tokens", d->config->max_num_batched_tokens);
    cJSON_AddNumberToObject(settings, "long_prefill_token_threshold",
                            d->config->long_prefill_token_threshold);
    cJSON_AddNumberToObject(settings, "rate_scale",
                            d->rate_scale.denominator == 0 ? 1
                                                           : (double)d->rate_scale.numerator /
                                                                 (double)d->rate_scale.denominator);
    cJSON_AddNumberToObject(settings, "limit", (double)d->limit);
    cJSON_AddStringToObject(settings, "on_bad_row", d->on_bad_row != NULL ? d->on_bad_row : "stop");
}

static void add_entries(cJSON *root, const struct llmsim_run_description *d)
{
    cJSON *gpu = cJSON_AddObjectToObject(root, "gpu");
    cJSON_AddStringToObject(gpu, "name", d->gpu->name);
    cJSON_AddNumberToObject(gpu, "memory_cap", d->gpu->memory_cap_GB);
    cJSON_AddNumberToObject(gpu, "memory_bw", d->gpu->memory_bw_GBps);
    cJSON_AddNumberToObject(gpu, "memory_bw_util", d->gpu->memory_bw_util_percent);
    cJSON *model = cJSON_AddObjectToObject(root, "model");
    cJSON_AddStringToObject(model, "name", d->model->name);
    cJSON_AddNumberToObject(model, "num_hidden_layers", d->model->num_hidden_layers);
    cJSON_AddNumberToObject(model, "num_heads", d->model->num_heads);
    cJSON_AddNumberToObject(model, "model_size_GB", d->model->model_size_GB);
    cJSON_AddNumberToObject(model, "kvc_size_KB", d->model->kvc_size_KB);
    cJSON *cost = cJSON_AddObjectToObject(root, "cost");
    cJSON_AddStringToObject(cost, "name", d->config->cost.model->name);
    cJSON_AddNumberToObject(cost, "ptps", d->config->cost.ptps_tokens_per_s);
    cJSON_AddNumberToObject(cost, "effective_bandwidth_GBps",
                            d->config->cost.bandwidth_bytes_per_s / 1e9);
}

static void add_trace(cJSON *root, const struct llmsim_run_description *d)
{
    cJSON *trace = cJSON_AddObjectToObject(root, "trace");
    const char *slash = strrchr(d->trace_name, '/');
    cJSON_AddStringToObject(trace, "name", slash != NULL ? slash + 1 : d->trace_name);
    if (d->trace == NULL)
        return;
    struct llmsim_trace_status status;
    llmsim_trace_get_status(d->trace, &status);
    cJSON_AddStringToObject(trace, "format", status.format);
    cJSON_AddStringToObject(trace, "sha256", status.sha256);
}

enum llmsim_status llmsim_summary_write(struct llmsim_summary *summary,
                                        const struct llmsim_run_description *description,
                                        struct llmsim_output *out, struct llmsim_error *err)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "llmsim_version", LLMSIM_VERSION);
    add_trace(root, description);
    add_entries(root, description);
    add_settings(root, description);
    add_counts(root, summary);
    add_stat(root, "ttft_s", &summary->ttft, 1e9);
    add_stat(root, "itl_s", &summary->itl, 1e9);
    add_stat(root, "tpot_s", &summary->tpot, 1e9);
    add_stat(root, "e2e_s", &summary->e2e, 1e9);
    add_stat(root, "queue_s", &summary->queue, 1e9);
    add_stat(root, "slowdown", &summary->slowdown, 1e6);
    char *text = cJSON_Print(root);
    cJSON_Delete(root);
    /* cJSON drops what it has no memory for and says so at the end, by printing nothing. */
    if (text == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    llmsim_output_text(out, text);
    llmsim_output_text(out, "\n");
    cJSON_free(text);
    return llmsim_output_check(out, err);
}
