/* summary_json.c: summary.json. Nothing in it depends on the machine, the clock, the engine or
 * where the files lie, so that equal inputs give equal bytes. */
#include <stdio.h>

#include "llmsim/expense.h"
#include "llmsim/json_document.h"
#include "llmsim/version.h"
#include "parts.h"
#include "sinks.h"

/* mean, p50, … of a stat whose integers count `unit`ths. */
static void add_stat(struct llmsim_json_document *json, struct cJSON *parent, const char *name,
                     struct llmsim_stat *stat, double unit)
{
    static const struct {
        const char *name;
        double p;
    } percentiles[] = {{"p50", 0.50}, {"p90", 0.90}, {"p95", 0.95}, {"p99", 0.99}};
    struct cJSON *object = llmsim_json_add_object(json, parent, name);
    llmsim_json_add_number(json, object, "count", (double)stat->n);
    if (stat->n == 0)
        return;
    llmsim_json_add_number(json, object, "mean", llmsim_stat_mean(stat) / unit);
    llmsim_json_add_number(json, object, "min", (double)stat->min / unit);
    for (size_t i = 0; i < sizeof percentiles / sizeof *percentiles; i++)
        llmsim_json_add_number(json, object, percentiles[i].name,
                               llmsim_stat_percentile(stat, percentiles[i].p) / unit);
    llmsim_json_add_number(json, object, "max", (double)stat->max / unit);
}

static void add_counts(struct llmsim_json_document *json, const struct llmsim_summary *s)
{
    const struct llmsim_totals *t = &s->totals;
    uint64_t n_rows = 0;
    struct cJSON *outcomes = llmsim_json_add_object(json, json->root, "outcomes");
    for (size_t i = 0; i < LLMSIM_N_OUTCOMES; i++) {
        llmsim_json_add_number(json, outcomes, llmsim_outcome_name((enum llmsim_outcome)i),
                               (double)s->outcomes[i]);
        n_rows += s->outcomes[i];
    }
    llmsim_json_add_number(json, json->root, "rows", (double)n_rows);
    struct cJSON *tokens = llmsim_json_add_object(json, json->root, "tokens");
    llmsim_json_add_number(json, tokens, "prompt", (double)t->prompt_tokens);
    llmsim_json_add_number(json, tokens, "output", (double)t->output_tokens);
    struct cJSON *steps = llmsim_json_add_object(json, json->root, "steps");
    llmsim_json_add_number(json, steps, "total", (double)t->n_steps);
    llmsim_json_add_number(json, steps, "with_prefill", (double)t->n_prefill_steps);
    llmsim_json_add_number(json, steps, "with_decode", (double)t->n_decode_steps);
    llmsim_json_add_number(json, json->root, "preemptions", (double)t->n_preemptions);
    if (s->n_over_positions > 0)
        llmsim_json_add_number(json, json->root, "requests_over_max_positions",
                               (double)s->n_over_positions);
    llmsim_json_add_number(json, json->root, "makespan_s", llmsim_totals_makespan_s(t));
    struct cJSON *throughput = llmsim_json_add_object(json, json->root, "throughput");
    llmsim_json_add_number(json, throughput, "requests_per_s",
                           llmsim_totals_per_s(t, t->n_completed));
    llmsim_json_add_number(json, throughput, "prompt_tokens_per_s",
                           llmsim_totals_per_s(t, t->prompt_tokens));
    llmsim_json_add_number(json, throughput, "output_tokens_per_s",
                           llmsim_totals_per_s(t, t->output_tokens));
}

/* Of n_judged requests, n_met were within their bounds. Where there are none to judge, there is no
 * attainment. */
static void add_met(struct llmsim_json_document *json, struct cJSON *object,
                    const struct llmsim_totals *totals, uint64_t n_met, uint64_t n_judged)
{
    llmsim_json_add_number(json, object, "judged", (double)n_judged);
    llmsim_json_add_number(json, object, "met", (double)n_met);
    if (n_judged > 0)
        llmsim_json_add_number(json, object, "attainment", llmsim_attainment(n_met, n_judged));
    llmsim_json_add_number(json, object, "goodput_requests_per_s",
                           llmsim_totals_per_s(totals, n_met));
}

/* What an entry may lack. */
static void add_known(struct llmsim_json_document *json, struct cJSON *object, const char *name,
                      double value)
{
    if (value > 0)
        llmsim_json_add_number(json, object, name, value);
}

uint64_t llmsim_run_gpus(const struct llmsim_run_description *d)
{
    return llmsim_config_replicas(d->config) * (d->gpus_per_replica > 0 ? d->gpus_per_replica : 1);
}

/* Of money and energy, what the GPU's entry has the price of. */
static void add_expense(struct llmsim_json_document *json, const struct llmsim_summary *s,
                        const struct llmsim_run_description *d)
{
    const struct llmsim_gpu_price price = {d->gpu->usd_per_hour, d->gpu->watts};
    uint64_t n_gpus = llmsim_run_gpus(d);
    const struct llmsim_expense e = llmsim_expense(&s->totals, n_gpus, &price);
    struct cJSON *object = llmsim_json_add_object(json, json->root, "cost_and_energy");
    llmsim_json_add_number(json, object, "gpus", (double)n_gpus);
    llmsim_json_add_number(json, object, "gpu_hours", e.gpu_hours);
    add_known(json, object, "usd", e.usd);
    add_known(json, object, "usd_per_million_output_tokens", e.usd_per_million_output_tokens);
    add_known(json, object, "usd_per_million_tokens", e.usd_per_million_tokens);
    add_known(json, object, "kwh_at_most", e.kwh_at_most);
    add_known(json, object, "output_tokens_per_joule_at_least", e.output_tokens_per_joule_at_least);
}

/* Only where an objective was given. */
static void add_slo(struct llmsim_json_document *json, const struct llmsim_summary *s)
{
    const struct llmsim_slo *slo = &s->slo;
    if (!llmsim_slo_is_set(slo))
        return;
    struct cJSON *object = llmsim_json_add_object(json, json->root, "slo");
    if (slo->ttft_ns != 0)
        llmsim_json_add_number(json, object, "ttft_s", (double)slo->ttft_ns / 1e9);
    if (slo->tpot_ns != 0)
        llmsim_json_add_number(json, object, "tpot_s", (double)slo->tpot_ns / 1e9);
    if (slo->e2e_ns != 0)
        llmsim_json_add_number(json, object, "e2e_s", (double)slo->e2e_ns / 1e9);
    add_met(json, object, &s->totals, s->n_slo_met, llmsim_summary_judged(s));
}

static void add_backlog(struct llmsim_json_document *json, const struct llmsim_backlog *b)
{
    struct cJSON *object = llmsim_json_add_object(json, json->root, "backlog");
    llmsim_json_add_bool(json, object, "saturated", b->is_saturated);
    llmsim_json_add_number(json, object, "growth", b->growth);
    llmsim_json_add_number(json, object, "peak", (double)b->peak);
    llmsim_json_add_number(json, object, "late_p90_s", b->late_p90_s);
    llmsim_json_add_number(json, object, "stretch_share", b->stretch_share);
    llmsim_json_add_number(json, object, "drain_s", b->drain_s);
    if (!b->is_saturated)
        return;
    llmsim_json_add_number(json, object, "arrivals_per_s", b->arrivals_per_s);
    llmsim_json_add_number(json, object, "served_per_s", b->served_per_s);
}

static void add_class(struct llmsim_json_document *json, struct cJSON *parent,
                      const struct llmsim_summary *s, struct llmsim_class_summary *c)
{
    struct cJSON *object = llmsim_json_add_object(json, parent, c->name);
    llmsim_json_add_number(json, object, "requests", (double)c->n_requests);
    struct cJSON *outcomes = llmsim_json_add_object(json, object, "outcomes");
    for (size_t i = 0; i < LLMSIM_N_OUTCOMES; i++)
        /* Those are counted without a look at their class, if they have one. */
        if (i != LLMSIM_OUTCOME_BAD_ROW && i != LLMSIM_OUTCOME_OUTSIDE_WINDOW)
            llmsim_json_add_number(json, outcomes, llmsim_outcome_name((enum llmsim_outcome)i),
                                   (double)c->outcomes[i]);
    if (llmsim_slo_is_set(&s->slo))
        add_met(json, llmsim_json_add_object(json, object, "slo"), &s->totals, c->n_slo_met,
                llmsim_class_judged(c));
    add_stat(json, object, "ttft_s", &c->ttft, 1e9);
    add_stat(json, object, "tpot_s", &c->tpot, 1e9);
    add_stat(json, object, "e2e_s", &c->e2e, 1e9);
    add_stat(json, object, "queue_s", &c->queue, 1e9);
}

static void add_classes(struct llmsim_json_document *json, const struct llmsim_summary *s)
{
    if (s->classes == NULL)
        return;
    struct cJSON *object = llmsim_json_add_object(json, json->root, "classes");
    for (size_t i = 0; i < s->n_classes; i++)
        add_class(json, object, s, &s->classes[i]);
}

/* "kv-cache" as kv_cache, unless it is there. */
static void add_setting(struct llmsim_json_document *json, struct cJSON *settings,
                        const struct llmsim_setting *setting)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s", setting->name);
    for (char *p = name; *p != '\0'; p++)
        *p = *p == '-' ? '_' : *p;
    if (llmsim_json_has(settings, name))
        return;
    switch (setting->kind) {
    case LLMSIM_SETTING_NUMBER:
        llmsim_json_add_number(json, settings, name, setting->number);
        break;
    case LLMSIM_SETTING_TEXT:
        llmsim_json_add_string(json, settings, name, setting->text);
        break;
    case LLMSIM_SETTING_FLAG:
        llmsim_json_add_bool(json, settings, name, setting->number != 0);
        break;
    }
}

static void add_settings(struct llmsim_json_document *json, const struct llmsim_run_description *d)
{
    const char *policy = d->config->policy;
    struct cJSON *settings = llmsim_json_add_object(json, json->root, "settings");
    llmsim_json_add_string(json, settings, "policy",
                           policy != NULL ? policy : llmsim_policy_choice(0)->name);
    llmsim_json_add_string(json, settings, "queue_order",
                           d->config->queue_order != NULL ? d->config->queue_order
                                                          : llmsim_order_choice(0)->name);
    llmsim_json_add_number(json, settings, "max_num_seqs", d->config->max_num_seqs);
    llmsim_json_add_number(json, settings, "max_num_batched_tokens",
                           d->config->max_num_batched_tokens);
    llmsim_json_add_number(json, settings, "long_prefill_token_threshold",
                           d->config->long_prefill_token_threshold);
    llmsim_json_add_number(json, settings, "num_gpu_blocks", (double)d->config->num_gpu_blocks);
    llmsim_json_add_number(json, settings, "block_size", d->config->block_size);
    llmsim_json_add_number(json, settings, "kv_watermark_blocks",
                           (double)d->config->kv_watermark_blocks);
    llmsim_json_add_number(json, settings, "rate_scale",
                           d->rate_scale.denominator == 0 ? 1
                                                          : (double)d->rate_scale.numerator /
                                                                (double)d->rate_scale.denominator);
    llmsim_json_add_number(json, settings, "limit", (double)d->limit);
    llmsim_json_add_string(json, settings, "on_bad_row",
                           d->on_bad_row != NULL ? d->on_bad_row : "stop");
    for (size_t i = 0; i < d->n_settings; i++)
        add_setting(json, settings, &d->settings[i]);
}

/* In simulated time, where the settings have the trace's. */
static void add_window(struct llmsim_json_document *json, const struct llmsim_replay_config *config)
{
    if (config->from_ns == 0 && config->until_ns == 0)
        return;
    struct cJSON *window = llmsim_json_add_object(json, json->root, "window");
    llmsim_json_add_ns(json, window, "from_s", config->from_ns);
    if (config->until_ns > 0)
        llmsim_json_add_ns(json, window, "until_s", config->until_ns);
}

static void add_prefix_cache(struct llmsim_json_document *json, const struct llmsim_summary *s,
                             const struct llmsim_run_description *d)
{
    const struct llmsim_totals *t = &s->totals;
    if (!d->config->enable_prefix_caching)
        return;
    struct cJSON *cache = llmsim_json_add_object(json, json->root, "prefix_cache");
    llmsim_json_add_number(json, cache, "prompt_tokens", (double)t->prompt_tokens);
    llmsim_json_add_number(json, cache, "hit_tokens", (double)t->cached_tokens);
    llmsim_json_add_number(json, cache, "hit_rate", llmsim_totals_hit_rate(t));
}

static void add_entries(struct llmsim_json_document *json, const struct llmsim_run_description *d)
{
    struct cJSON *gpu = llmsim_json_add_object(json, json->root, "gpu");
    llmsim_json_add_string(json, gpu, "name", d->gpu->name);
    llmsim_json_add_number(json, gpu, "memory_cap", d->gpu->memory_cap_GB);
    llmsim_json_add_number(json, gpu, "memory_bw", d->gpu->memory_bw_GBps);
    llmsim_json_add_number(json, gpu, "memory_bw_util", d->gpu->memory_bw_util_percent);
#define X(key) add_known(json, gpu, #key, d->gpu->key);
    LLMSIM_GPU_OPTIONAL_LIST(X)
#undef X
    struct cJSON *model = llmsim_json_add_object(json, json->root, "model");
    llmsim_json_add_string(json, model, "name", d->model->name);
    llmsim_json_add_number(json, model, "num_hidden_layers", d->model->num_hidden_layers);
    llmsim_json_add_number(json, model, "num_heads", d->model->num_heads);
    llmsim_json_add_number(json, model, "model_size_GB", d->model->model_size_GB);
    llmsim_json_add_number(json, model, "kvc_size_KB", d->model->kvc_size_KB);
    add_known(json, model, "hidden_size", d->model->hidden_size);
    add_known(json, model, "max_position_embeddings", d->model->max_positions);
    add_known(json, model, "num_experts", d->model->num_experts);
}

static void add_composed(struct llmsim_json_document *json, struct cJSON *cost,
                         const struct llmsim_composed *c)
{
    llmsim_json_add_string(json, cost, "method", llmsim_composed_method(c));
    llmsim_json_add_string(json, cost, "server", c->server);
    if (c->system[0] != '\0') {
        llmsim_json_add_string(json, cost, "kernels_system", c->system);
        llmsim_json_add_string(json, cost, "kernels_engine", c->engine);
        llmsim_json_add_string(json, cost, "kernels_version", c->version);
    }
    llmsim_json_add_number(json, cost, "step_s", c->step_s);
    llmsim_json_add_number(json, cost, "seq_s", c->seq_s);
    if (!(c->expected.tpot_median_percent > 0))
        return;
    struct cJSON *expected = llmsim_json_add_object(json, cost, "expected_error_percent");
    llmsim_json_add_number(json, expected, "tpot_median", c->expected.tpot_median_percent);
    llmsim_json_add_number(json, expected, "tpot_p90", c->expected.tpot_p90_percent);
    llmsim_json_add_number(json, expected, "ttft_median", c->expected.ttft_median_percent);
    llmsim_json_add_number(json, expected, "ttft_p90", c->expected.ttft_p90_percent);
}

static void add_cost(struct llmsim_json_document *json, const struct llmsim_summary *s,
                     const struct llmsim_cost *c)
{
    struct cJSON *cost = llmsim_json_add_object(json, json->root, "cost");
    llmsim_json_add_string(json, cost, "name", c->model->name);
    if (c->extrapolated_gpus > 0)
        llmsim_json_add_number(json, cost, "extrapolated_from_gpus", 1);
    if (c->model == &llmsim_cost_models[LLMSIM_COST_PTPS]) {
        llmsim_json_add_number(json, cost, "ptps", c->ptps_tokens_per_s);
        llmsim_json_add_number(json, cost, "effective_bandwidth_GBps",
                               c->bandwidth_bytes_per_s / 1e9);
        return;
    }
    if (c->model == &llmsim_cost_models[LLMSIM_COST_COMPOSED]) {
        add_composed(json, cost, &c->composed);
        return;
    }
    struct cJSON *coefficients = llmsim_json_add_object(json, cost, "coefficients");
#define X(name) llmsim_json_add_number(json, coefficients, #name, c->fitted.name);
    LLMSIM_FITTED_LIST(X)
#undef X
    if (c->profile_sha256[0] != '\0')
        llmsim_json_add_string(json, cost, "profile_sha256", c->profile_sha256);
    if (llmsim_profile_is_known(&c->range))
        llmsim_json_add_number(json, cost, "steps_outside_profile",
                               (double)s->n_steps_outside_profile);
}

static void add_trace(struct llmsim_json_document *json, const struct llmsim_run_description *d)
{
    struct cJSON *trace = llmsim_json_add_object(json, json->root, "trace");
    const char *slash = strrchr(d->trace_name, '/');
    llmsim_json_add_string(json, trace, "name", slash != NULL ? slash + 1 : d->trace_name);
    if (d->trace == NULL)
        return;
    struct llmsim_trace_status status;
    llmsim_trace_get_status(d->trace, &status);
    llmsim_json_add_string(json, trace, "format", status.format);
    if (status.time_unit != NULL)
        llmsim_json_add_string(json, trace, "time_unit", status.time_unit);
    llmsim_json_add_string(json, trace, "sha256", status.sha256);
    if (status.origin_ns != 0)
        llmsim_json_add_ns(json, trace, "origin_s", status.origin_ns);
}

enum llmsim_status llmsim_summary_check(const struct llmsim_run_description *d,
                                        struct llmsim_error *err)
{
    enum llmsim_status status =
        LLMSIM_CHECK_PARTS("the description of a run", err, {d->config != NULL, "configuration"},
                           {d->config != NULL && d->config->cost.model != NULL, "cost model"},
                           {d->model != NULL, "model"}, {d->gpu != NULL, "GPU"},
                           {d->trace_name != NULL, "name of the trace"});
    if (status == LLMSIM_OK && d->n_settings > 0 && d->settings == NULL)
        return llmsim_fail(err, LLMSIM_USAGE, "the description of a run has no settings");
    for (size_t i = 0; i < d->n_settings && status == LLMSIM_OK; i++) {
        const struct llmsim_setting *setting = &d->settings[i];
        status = LLMSIM_CHECK_PARTS(
            "a setting", err, {setting->name != NULL, "name"},
            {setting->kind != LLMSIM_SETTING_TEXT || setting->text != NULL, "text"});
    }
    return status;
}

enum llmsim_status llmsim_summary_write(struct llmsim_summary *summary,
                                        const struct llmsim_run_description *description,
                                        struct llmsim_output *out, struct llmsim_error *err)
{
    struct llmsim_json_document json;
    const char *text;
    llmsim_json_document_init(&json);
    llmsim_json_add_string(&json, json.root, "llmsim_version", LLMSIM_VERSION);
    add_trace(&json, description);
    add_entries(&json, description);
    add_cost(&json, summary, &description->config->cost);
    add_settings(&json, description);
    add_window(&json, description->config);
    add_counts(&json, summary);
    add_expense(&json, summary, description);
    add_backlog(&json, &summary->backlog);
    add_prefix_cache(&json, summary, description);
    add_slo(&json, summary);
    add_stat(&json, json.root, "ttft_s", &summary->ttft, 1e9);
    add_stat(&json, json.root, "itl_s", &summary->itl, 1e9);
    add_stat(&json, json.root, "tpot_s", &summary->tpot, 1e9);
    add_stat(&json, json.root, "e2e_s", &summary->e2e, 1e9);
    add_stat(&json, json.root, "queue_s", &summary->queue, 1e9);
    add_stat(&json, json.root, "slowdown", &summary->slowdown, 1e6);
    add_classes(&json, summary);
    enum llmsim_status status = llmsim_json_text(&json, &text, err);
    if (status == LLMSIM_OK) {
        llmsim_output_text(out, text);
        llmsim_output_text(out, "\n");
        status = llmsim_output_check(out, err);
    }
    llmsim_json_document_fini(&json);
    return status;
}
