/* cmd_fit.c: measured steps to the coefficients of a cost model. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"
#include "keep_inputs.h"
#include "llmsim/fit.h"

struct values {
    const char *model, *gpu, *data_dir, *output, *plot;
    uint64_t tensor_parallel_size; /* 0: any */
};

/* A group of the profile, as the options and the catalogue see it. */
struct job {
    const struct llmsim_fit_group *group;
    struct llmsim_fit_key key; /* with the catalogue's names, where it has them */
    struct llmsim_fit_sizes sizes;
    struct llmsim_fit_report report;
};

static bool is_wanted(const struct values *v, const struct llmsim_fit_key *key)
{
    return (v->model == NULL || strcasecmp(v->model, key->model) == 0) &&
           (v->gpu == NULL || strcasecmp(v->gpu, key->gpu) == 0) &&
           (v->tensor_parallel_size == 0 || v->tensor_parallel_size == key->tensor_parallel_size);
}

/* The catalogue's names and sizes. Only an entry of the catalogue itself needs them. */
static enum llmsim_status look_up(const struct values *v, const struct llmsim_catalogue *catalogue,
                                  struct job *job, struct llmsim_error *err)
{
    bool must = v->data_dir != NULL && v->output == NULL;
    struct llmsim_model model;
    struct llmsim_gpu gpu;
    job->key = job->group->key;
    enum llmsim_status status = LLMSIM_CATALOGUE;
    if (catalogue != NULL)
        status = llmsim_catalogue_model(catalogue, job->key.model, &model, err);
    if (status == LLMSIM_OK) {
        job->sizes = (struct llmsim_fit_sizes){model.model_size_GB * 1e9, model.kvc_size_KB * 1024};
        if (must)
            memcpy(job->key.model, model.name, sizeof model.name);
        status = llmsim_catalogue_gpu(catalogue, job->key.gpu, &gpu, err);
    }
    if (status == LLMSIM_OK && must)
        memcpy(job->key.gpu, gpu.name, sizeof gpu.name);
    return must ? status : LLMSIM_OK;
}

static void print_errors(const char *name, const struct llmsim_fit_model_errors *e)
{
    (void)printf("\n%-22s %6s %9s %9s %9s   %s\n", name, "rows", "MAPE", "p95", "worst",
                 "held out: MAPE       p95     worst");
    for (int set = 0; set < LLMSIM_FIT_N_SETS; set++) {
        const struct llmsim_fit_errors *f = &e->fitted[set], *h = &e->held_out[set];
        if (f->n == 0)
            continue;
        (void)printf("%-22s %6zu %7.2f %% %7.2f %% %7.2f %%",
                     llmsim_fit_set_name((enum llmsim_fit_set)set), f->n, f->mape, f->p95,
                     f->worst);
        if (h->n > 0)
            (void)printf("   %12.2f %% %7.2f %% %7.2f %%", h->mape, h->p95, h->worst);
        if (h->n < f->n)
            (void)printf("   of %zu, the others are too few to do without", h->n);
        (void)printf("\n");
    }
}

static void print_report(const struct job *job)
{
    const struct llmsim_fit_report *r = &job->report;
    const struct llmsim_fit_diagnostics *d = &r->fit.diagnostics;
    (void)printf("%s on %s, tensor parallel size %u: %zu measurements\n\n", job->key.model,
                 job->key.gpu, job->key.tensor_parallel_size, job->group->n_rows);
    (void)printf("%-16s %14s   %s\n", "coefficient", "value", "95 % confidence");
    for (size_t i = 0; i < LLMSIM_FIT_N_COEFFICIENTS; i++) {
        const struct llmsim_fit_coefficient *c = &r->coefficients[i];
        if (c->is_tied)
            (void)printf("%-16s %14.5e   not fitted: %s\n", c->name, c->value, c->left_out);
        else if (c->left_out != NULL)
            (void)printf("%-16s %14s   left out: %s\n", c->name, "-", c->left_out);
        else if (c->value <= 0)
            (void)printf("%-16s %14s   at its bound\n", c->name, "0");
        else if (c->is_at_bound)
            (void)printf("%-16s %14.5e   at its bound, context_s\n", c->name, c->value);
        else
            (void)printf("%-16s %14.5e   %.2e to %.2e\n", c->name, c->value, c->low, c->high);
    }
    (void)printf("\nR^2 %.6f, condition number %.1e\n", d->r_squared, d->condition_number);
    print_errors("fitted", &r->richer);
    if (r->fit.ptps_tokens_per_s <= 0)
        return;
    (void)printf("\nptps %.6g tokens/s (95 %%: %.6g to %.6g)", r->fit.ptps_tokens_per_s,
                 r->ptps_low, r->ptps_high);
    if (r->bandwidth_bytes_per_s > 0)
        (void)printf(", effective bandwidth %.6g GB/s", r->bandwidth_bytes_per_s / 1e9);
    (void)putchar('\n');
    print_errors("ptps", &r->two_number);
}

/* Signed errors over the measured latency, a colour a phase. */
static enum llmsim_status draw(const struct job *jobs, size_t n_jobs, const char *path,
                               struct llmsim_error *err)
{
    static const char *const colours[LLMSIM_FIT_N_PHASES] = {
        LLMSIM_PICTURE_BLUE, LLMSIM_PICTURE_VERMILION, "#009E73", "#CC79A7"};
    struct llmsim_picture picture;
    size_t counts[LLMSIM_FIT_N_PHASES] = {0};
    enum llmsim_status status = llmsim_picture_open(&picture, path, 900, 500, err);
    if (status != LLMSIM_OK)
        return status;
    for (int phase = 0; phase < LLMSIM_FIT_N_PHASES; phase++) {
        (void)fprintf(picture.script, "$%s << EOD\n",
                      llmsim_fit_phase_name((enum llmsim_fit_phase)phase));
        for (const struct job *job = jobs; job < jobs + n_jobs; job++)
            for (size_t i = 0; i < job->group->n_rows; i++) {
                const struct llmsim_fit_row *row = &job->group->rows[i];
                if ((int)row->phase != phase)
                    continue;
                (void)fprintf(picture.script, "%.6g %.6g\n", row->latency_s,
                              100 * (job->report.predicted_s[i] / row->latency_s - 1));
                counts[phase]++;
            }
        (void)fputs("EOD\n", picture.script);
    }
    char title[2 * LLMSIM_MAX_NAME + 64];
    (void)snprintf(title, sizeof title, "%s on %s, tp %u", jobs->key.model, jobs->key.gpu,
                   jobs->key.tensor_parallel_size);
    (void)fputs("set title ", picture.script);
    llmsim_picture_string(picture.script, n_jobs == 1 ? title : "all groups of the profile");
    (void)fputs("\nset logscale x\nset xlabel \"measured latency (s)\"\n"
                "set ylabel \"error of the fit (%)\"\nset key outside right\nplot 0 with lines "
                "linecolor rgb \"#444444\" notitle",
                picture.script);
    for (int phase = 0; phase < LLMSIM_FIT_N_PHASES; phase++)
        if (counts[phase] > 0)
            (void)fprintf(picture.script,
                          ", $%s using 1:2 with points pointtype 7 pointsize 0.4 linecolor rgb "
                          "\"%s\" title \"%s\"",
                          llmsim_fit_phase_name((enum llmsim_fit_phase)phase), colours[phase],
                          llmsim_fit_phase_name((enum llmsim_fit_phase)phase));
    return llmsim_picture_close(&picture, err);
}

/* All is fitted, and would be taken, before anything is written. */
static enum llmsim_status write_fits(const struct values *v, const char *sha256, struct job *jobs,
                                     size_t n_jobs, struct llmsim_error *err)
{
    enum llmsim_status status = LLMSIM_OK;
    for (size_t i = 0; i < n_jobs && status == LLMSIM_OK; i++)
        status = llmsim_catalogue_check_fit(&jobs[i].key, &jobs[i].report.fit, err);
    for (size_t i = 0; i < n_jobs && status == LLMSIM_OK; i++) {
        struct llmsim_fit *fit = &jobs[i].report.fit;
        memcpy(fit->profile_sha256, sha256, sizeof fit->profile_sha256);
        status = llmsim_catalogue_put_fit(v->data_dir, v->output, &jobs[i].key, fit, err);
    }
    char shown[CLI_SHOWN_MAX];
    if (status == LLMSIM_OK)
        (void)printf("\n%zu %s written to %s%s\n", n_jobs, n_jobs == 1 ? "entry" : "entries",
                     llmsim_shown(v->output != NULL ? v->output : v->data_dir, shown, sizeof shown),
                     v->output != NULL ? "" : "/ptps.json");
    return status;
}

/* Two names of the profile may be one of the catalogue. */
static enum llmsim_status check_names(const struct job *jobs, size_t n_jobs, const struct job *job,
                                      struct llmsim_error *err)
{
    for (size_t i = 0; i < n_jobs; i++) {
        const struct llmsim_fit_key *other = &jobs[i].key, *key = &job->key;
        if (strcmp(other->model, key->model) == 0 && strcmp(other->gpu, key->gpu) == 0 &&
            other->tensor_parallel_size == key->tensor_parallel_size)
            return llmsim_fail(
                err, LLMSIM_CATALOGUE,
                "the profile's %.60s on %.60s and %.60s on %.60s are one entry of the "
                "catalogue; expected one name for both",
                jobs[i].group->key.model, jobs[i].group->key.gpu, job->group->key.model,
                job->group->key.gpu);
    }
    return LLMSIM_OK;
}

static enum llmsim_status fit_all(const struct values *v, const struct llmsim_fit_profile *profile,
                                  const struct llmsim_catalogue *catalogue, struct job *jobs,
                                  size_t *n_jobs, struct llmsim_error *err)
{
    enum llmsim_status status = LLMSIM_OK;
    for (size_t i = 0; i < profile->n_groups && status == LLMSIM_OK; i++) {
        struct job *job = &jobs[*n_jobs];
        if (!is_wanted(v, &profile->groups[i].key))
            continue;
        *job = (struct job){.group = &profile->groups[i]};
        status = look_up(v, catalogue, job, err);
        if (status == LLMSIM_OK)
            status = check_names(jobs, *n_jobs, job, err);
        if (status == LLMSIM_OK)
            status = llmsim_fit_group_run(job->group, &job->sizes, &job->report, err);
        if (status != LLMSIM_OK)
            break;
        if ((*n_jobs)++ > 0)
            (void)putchar('\n');
        print_report(job);
    }
    if (status == LLMSIM_OK && *n_jobs == 0)
        status = llmsim_fail(err, LLMSIM_CATALOGUE,
                             "the profile has no measurements of this --model, --gpu and --tp");
    return status;
}

static enum llmsim_status check_options(const struct values *v, struct llmsim_error *err)
{
    if (v->output != NULL && strcmp(v->output, "-") == 0)
        return llmsim_fail(err, LLMSIM_USAGE,
                           "--output -: expected a file, as the report goes to stdout");
    return v->plot != NULL ? llmsim_picture_check(v->plot, err) : LLMSIM_OK;
}

/* --output may be a ptps.json, to which the entries are added. */
static enum llmsim_status keep_inputs(const struct values *v, const char *const *profiles, size_t n,
                                      struct llmsim_error *err)
{
    const struct cli_output outputs[] = {
        {"--output", v->output}, {"--plot", v->plot}, {"the report", "-"}};
    const size_t n_outputs = sizeof outputs / sizeof *outputs;
    enum llmsim_status status = LLMSIM_OK;
    for (size_t i = 0; i < n && status == LLMSIM_OK; i++)
        status = cli_keep_input(outputs, n_outputs, "a profile", profiles[i], err);
    if (status == LLMSIM_OK)
        status = cli_keep_catalogue(outputs, 1, v->data_dir, "ptps.json", err);
    if (status == LLMSIM_OK)
        status = cli_keep_catalogue(outputs + 1, n_outputs - 1, v->data_dir, NULL, err);
    return status == LLMSIM_OK ? cli_keep_apart(outputs, n_outputs, err) : status;
}

static enum llmsim_status run(const void *values, const char *const *operands, size_t n_operands,
                              struct llmsim_error *err)
{
    const struct values *v = values;
    struct llmsim_fit_profile profile;
    struct llmsim_catalogue *catalogue = NULL;
    struct job *jobs = NULL;
    size_t n_jobs = 0;
    enum llmsim_status status = check_options(v, err);
    if (status == LLMSIM_OK)
        status = keep_inputs(v, operands, n_operands, err);
    if (status != LLMSIM_OK)
        return status;
    status = llmsim_fit_profile_read(operands, n_operands, &profile, err);
    if (status != LLMSIM_OK)
        return status;
    /* Without --data the catalogue only adds the model's sizes, if it is there. */
    if (llmsim_catalogue_open(v->data_dir, &catalogue, err) != LLMSIM_OK &&
        (v->data_dir != NULL || err->status == LLMSIM_RUN_FAILED))
        status = err->status;
    jobs = calloc(profile.n_groups, sizeof *jobs);
    if (status == LLMSIM_OK && jobs == NULL)
        status = llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    if (status == LLMSIM_OK)
        status = fit_all(v, &profile, catalogue, jobs, &n_jobs, err);
    if (status == LLMSIM_OK && v->plot != NULL)
        status = draw(jobs, n_jobs, v->plot, err);
    if (status == LLMSIM_OK && (v->output != NULL || v->data_dir != NULL))
        status = write_fits(v, profile.sha256, jobs, n_jobs, err);
    for (size_t i = 0; i < n_jobs; i++)
        llmsim_fit_report_fini(&jobs[i].report);
    free(jobs);
    llmsim_catalogue_close(catalogue);
    llmsim_fit_profile_close(&profile);
    return status;
}

static const struct cli_option options[] = {
    {.name = "model",
     .argument = "M",
     .help = "only this model, by its name in the profile",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, model)},
    {.name = "gpu",
     .argument = "G",
     .help = "only this GPU, by its name in the profile",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, gpu)},
    {.name = "tp",
     .argument = "N",
     .help = "only this tensor parallel size (0: any)",
     .kind = CLI_U64,
     .initial = "0",
     .max = 1024,
     .offset = offsetof(struct values, tensor_parallel_size)},
    {.name = "data",
     .argument = "DIR",
     .help = "write the entries to DIR/ptps.json, under the names of DIR's other catalogues",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, data_dir)},
    {.name = "output",
     .argument = "FILE",
     .help = "write the entries to FILE instead, under the profile's names",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, output)},
    {.name = "plot",
     .argument = "FILE",
     .help = "draw the errors there: .png, .svg or .pdf, by gnuplot",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, plot)},
    CLI_OPTION_END,
};

const struct cli_command cli_fit = {
    .name = "fit",
    .help = "coefficients of a cost model from measured steps, with how good they are",
    .operands = "PROFILE.csv...",
    .min_operands = 1,
    .max_operands = CLI_MAX_OPERANDS,
    .example = "llmsim fit profile.csv --data data --plot errors.svg",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
