/* validation.c: the tables of validate. */
#include "validation.h"

#include <stdio.h>
#include <string.h>

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* "first:1/3", or a file's name without its directories. */
static const char *calibrated_on(const struct validation *w)
{
    return w->parts[0].run == &w->run ? w->calibrated_on : base_name(w->calibrated_on);
}

/* ---- text ---- */

static void print_calibration(const struct validation *w)
{
    const struct llmsim_calibration *c = &w->calibration;
    (void)printf("tuned on        %s: loss %.4f, before %.4f, %u replays%s\n", calibrated_on(w),
                 c->loss, c->loss_before, c->n_replays, c->converged ? "" : ", not converged");
    for (size_t i = 0; i < LLMSIM_N_TUNABLES; i++)
        if ((w->tunables >> i & 1) != 0)
            (void)printf("  %-13s %.4g -> %.4g%s%s\n", llmsim_tunable_choice(i)->name,
                         llmsim_tuning_none().values[i], c->tuning.values[i],
                         llmsim_tunable_unit((enum llmsim_tunable)i)[0] != 0 ? " " : "",
                         llmsim_tunable_unit((enum llmsim_tunable)i));
}

/* Without the sign of what is printed as 0. */
static double rounded(double percent)
{
    return percent > -0.005 && percent < 0.005 ? 0 : percent;
}

static void print_comparison(const char *name, const struct llmsim_comparison *c)
{
    if (c->n == 0)
        return;
    (void)printf("%-4s (s)  measured ", name);
    for (size_t i = 0; i < LLMSIM_N_COMPARED; i++)
        (void)printf(" %10.4f", c->measured_s[i]);
    (void)printf("\n          simulated");
    for (size_t i = 0; i < LLMSIM_N_COMPARED; i++)
        (void)printf(" %10.4f", c->simulated_s[i]);
    (void)printf("\n          error (%%)");
    for (size_t i = 0; i < LLMSIM_N_COMPARED; i++)
        if (llmsim_has_error_percent(c, (enum llmsim_compared)i))
            (void)printf(" %+10.2f", rounded(llmsim_error_percent(c, (enum llmsim_compared)i)));
        else
            (void)printf(" %10s", "-");
    if (c->n_relative > 0)
        (void)printf("   each request: %.2f\n", c->mape_percent);
    else
        (void)printf("   each request: -\n");
}

static void print_part(const struct validation *w, size_t i)
{
    static const struct {
        const char *name, *text;
    } headings[] = {{"all", "all requests"},
                    {"calibrated", "tuned on these (no test of the model)"},
                    {"predicted", "predicted"}};
    const struct llmsim_validation_part *part = &w->parts[i];
    const char *heading = part->name;
    for (size_t j = 0; j < sizeof headings / sizeof *headings; j++)
        if (strcmp(headings[j].name, part->name) == 0)
            heading = headings[j].text;
    (void)printf("\n%s: %zu requests\n%-19s", heading, part->span.last - part->span.first, "");
    for (size_t j = 0; j < LLMSIM_N_COMPARED; j++)
        (void)printf(" %10s", llmsim_compared_name((enum llmsim_compared)j));
    (void)putchar('\n');
    for (size_t j = 0; j < LLMSIM_N_METRICS; j++)
        print_comparison(llmsim_metric_name((enum llmsim_metric)j), &w->comparisons[i][j]);
}

static enum llmsim_status print_text(const struct validation *w, struct llmsim_error *err)
{
    char shown[CLI_SHOWN_MAX];
    (void)err;
    (void)printf("measured        %s: %zu requests\n",
                 llmsim_shown(base_name(w->measured_name), shown, sizeof shown), w->run.n);
    (void)printf("model           %s\ngpu             %s\ncost            %s\n",
                 w->setup->model.name, w->setup->gpu.name, w->setup->config.cost.model->name);
    if (w->setup->n_gpus > 1)
        (void)printf("gpus            %llu, %s\n", (unsigned long long)w->setup->n_gpus,
                     w->setup->config.cost.extrapolated_gpus > 0 ? "extrapolated from one"
                                                                 : "measured");
    (void)printf("policy          %s\n", w->setup->config.policy);
    if (w->is_calibrated)
        print_calibration(w);
    for (size_t i = 0; i < w->n_parts; i++)
        print_part(w, i);
    return LLMSIM_OK;
}

/* ---- CSV ---- */

static enum llmsim_status print_csv(const struct validation *w, struct llmsim_error *err)
{
    (void)err;
    (void)printf("part,requests,metric,statistic,measured_s,simulated_s,error_percent\n");
    for (size_t i = 0; i < w->n_parts; i++)
        for (size_t j = 0; j < LLMSIM_N_METRICS; j++)
            for (size_t k = 0; k < LLMSIM_N_COMPARED; k++) {
                const struct llmsim_comparison *c = &w->comparisons[i][j];
                enum llmsim_compared compared = (enum llmsim_compared)k;
                (void)printf("%s,%zu,%s,%s,%.9f,%.9f,", w->parts[i].name, c->n,
                             llmsim_metric_name((enum llmsim_metric)j),
                             llmsim_compared_name(compared), c->measured_s[k], c->simulated_s[k]);
                if (llmsim_has_error_percent(c, compared))
                    (void)printf("%.4f", llmsim_error_percent(c, compared));
                (void)putchar('\n');
            }
    return LLMSIM_OK;
}

/* ---- JSON ---- */

static void add_calibration(struct llmsim_json_document *json, const struct validation *w)
{
    const struct llmsim_calibration *c = &w->calibration;
    struct cJSON *object = llmsim_json_add_object(json, json->root, "calibration");
    llmsim_json_add_string(json, object, "on", calibrated_on(w));
    llmsim_json_add_number(json, object, "loss_before", c->loss_before);
    llmsim_json_add_number(json, object, "loss", c->loss);
    llmsim_json_add_number(json, object, "replays", c->n_replays);
    llmsim_json_add_string(json, object, "ended",
                           c->converged ? "converged" : "at the greatest number of replays");
    struct cJSON *tuned = llmsim_json_add_object(json, object, "tuned");
    for (size_t i = 0; i < LLMSIM_N_TUNABLES; i++) {
        if ((w->tunables >> i & 1) == 0)
            continue;
        struct cJSON *value = llmsim_json_add_object(json, tuned, llmsim_tunable_choice(i)->name);
        llmsim_json_add_number(json, value, "from", llmsim_tuning_none().values[i]);
        llmsim_json_add_number(json, value, "to", c->tuning.values[i]);
        llmsim_json_add_string(json, value, "unit", llmsim_tunable_unit((enum llmsim_tunable)i));
    }
}

static void add_comparison(struct llmsim_json_document *json, struct cJSON *parent,
                           const char *name, const struct llmsim_comparison *c)
{
    struct cJSON *object = llmsim_json_add_object(json, parent, name);
    llmsim_json_add_number(json, object, "requests", (double)c->n);
    if (c->n == 0)
        return;
    for (size_t i = 0; i < LLMSIM_N_COMPARED; i++) {
        enum llmsim_compared compared = (enum llmsim_compared)i;
        struct cJSON *value = llmsim_json_add_object(json, object, llmsim_compared_name(compared));
        llmsim_json_add_number(json, value, "measured_s", c->measured_s[i]);
        llmsim_json_add_number(json, value, "simulated_s", c->simulated_s[i]);
        if (llmsim_has_error_percent(c, compared))
            llmsim_json_add_number(json, value, "error_percent", llmsim_error_percent(c, compared));
    }
    llmsim_json_add_number(json, object, "mean_absolute_error_s", c->mean_absolute_error_s);
    if (c->n_relative > 0)
        llmsim_json_add_number(json, object, "mape_percent", c->mape_percent);
}

static enum llmsim_status print_json(const struct validation *w, struct llmsim_error *err)
{
    struct llmsim_json_document json;
    llmsim_json_document_init(&json);
    llmsim_json_add_string(&json, json.root, "measured", base_name(w->measured_name));
    llmsim_json_add_string(&json, json.root, "sha256", w->run.sha256);
    llmsim_json_add_string(&json, json.root, "model", w->setup->model.name);
    llmsim_json_add_string(&json, json.root, "gpu", w->setup->gpu.name);
    llmsim_json_add_string(&json, json.root, "cost", w->setup->config.cost.model->name);
    llmsim_json_add_number(&json, json.root, "tensor_parallel_size", (double)w->setup->n_gpus);
    llmsim_json_add_bool(&json, json.root, "extrapolated",
                         w->setup->config.cost.extrapolated_gpus > 0);
    llmsim_json_add_string(&json, json.root, "policy", w->setup->config.policy);
    if (w->is_calibrated)
        add_calibration(&json, w);
    for (size_t i = 0; i < w->n_parts; i++) {
        const struct llmsim_validation_part *part = &w->parts[i];
        struct cJSON *object = llmsim_json_add_object(&json, json.root, part->name);
        llmsim_json_add_number(&json, object, "requests",
                               (double)(part->span.last - part->span.first));
        for (size_t j = 0; j < LLMSIM_N_METRICS; j++)
            add_comparison(&json, object, llmsim_metric_name((enum llmsim_metric)j),
                           &w->comparisons[i][j]);
    }
    return cli_print_json(&json, err);
}

const struct validation_format validation_formats[] = {
    {{"text", "tables"}, print_text},
    {{"csv", "a row a number: part,requests,metric,statistic,measured_s,simulated_s,error_percent"},
     print_csv},
    {{"json", "all of it in one object"}, print_json},
    {{NULL, NULL}, NULL},
};
