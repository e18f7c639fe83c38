/* cmd_validate.c: a simulation held against a measured run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "keep_inputs.h"
#include "replay_settings.h"
#include "validation.h"

struct values {
    struct replay_settings settings;
    const char *columns[LLMSIM_N_MEASURED_COLUMNS];
    const char *calibrate_on, *tune, *requests, *plot;
    struct cli_choice format;
};

static const char first_part[] = "first:";

/* ---- options ---- */

/* "bw,step" as a set of 1 << LLMSIM_TUNABLE_…. */
static enum llmsim_status parse_tunables(const char *text, unsigned *set, struct llmsim_error *err)
{
    *set = 0;
    for (const char *p = text; p != NULL;) {
        char name[32], names[128];
        size_t length = strcspn(p, ","), i;
        (void)snprintf(name, sizeof name, "%.*s", (int)(length < 31 ? length : 31), p);
        if (!llmsim_choice_find(llmsim_tunable_choice, name, &i))
            return llmsim_fail(err, LLMSIM_USAGE, "--tune '%s': expected names of %s", name,
                               llmsim_choice_names(llmsim_tunable_choice, names, sizeof names));
        if ((*set >> i & 1) != 0)
            return llmsim_fail(err, LLMSIM_USAGE, "--tune: %s is given twice; expected it once",
                               name);
        *set |= 1u << i;
        p = p[length] == ',' ? p + length + 1 : NULL;
    }
    return LLMSIM_OK;
}

/* "first:1/3" or "first:100" of n requests. */
static enum llmsim_status parse_first(const char *text, size_t n, size_t *n_first,
                                      struct llmsim_error *err)
{
    char head[32];
    uint64_t numerator = 0, denominator = 1;
    size_t length = strcspn(text, "/");
    (void)snprintf(head, sizeof head, "%.*s", (int)(length < 31 ? length : 31), text);
    bool good = cli_parse_u64(head, &numerator) && numerator <= UINT32_MAX;
    if (good && text[length] == '/')
        good = cli_parse_u64(text + length + 1, &denominator) && denominator <= UINT32_MAX &&
               numerator < denominator;
    *n_first = (size_t)(text[length] == '/' ? n * numerator / (denominator > 0 ? denominator : 1)
                                            : numerator);
    if (!good || *n_first == 0 || *n_first >= n)
        return llmsim_fail(err, LLMSIM_USAGE,
                           "--calibrate-on first:%s: expected a share such as first:1/3, or a "
                           "number of requests, that leaves some of the %zu on either side",
                           text, n);
    return LLMSIM_OK;
}

static enum llmsim_status check_options(const struct values *v, struct llmsim_error *err)
{
    if (v->calibrate_on != NULL && v->tune == NULL)
        return llmsim_fail(err, LLMSIM_USAGE, "--calibrate-on goes with --tune: what to tune");
    if (v->tune != NULL && v->calibrate_on == NULL)
        return llmsim_fail(err, LLMSIM_USAGE,
                           "--tune goes with --calibrate-on: what to tune it on");
    if (v->columns[LLMSIM_MEASURED_CACHED] != NULL && !v->settings.enable_prefix_caching)
        return llmsim_fail(err, LLMSIM_USAGE, "--cached-column goes with --enable-prefix-caching");
    if (v->settings.enable_prefix_caching && v->columns[LLMSIM_MEASURED_CACHED] == NULL)
        return llmsim_fail(err, LLMSIM_USAGE,
                           "--enable-prefix-caching goes with --cached-column: what to find");
    if (v->requests != NULL && strcmp(v->requests, "-") == 0)
        return llmsim_fail(err, LLMSIM_USAGE,
                           "--requests -: expected a file, as the comparison goes to stdout");
    return v->plot != NULL ? llmsim_picture_check(v->plot, err) : LLMSIM_OK;
}

/* "first:1/3" and the like: a part of the measured run, not another. */
static bool is_part(const char *calibrate_on)
{
    return strncmp(calibrate_on, first_part, strlen(first_part)) == 0;
}

static enum llmsim_status keep_inputs(const struct values *v, const char *measured,
                                      struct llmsim_error *err)
{
    const struct cli_output outputs[] = {
        {"--requests", v->requests}, {"--plot", v->plot}, {"the comparison", "-"}};
    const size_t n = sizeof outputs / sizeof *outputs;
    enum llmsim_status status = cli_keep_input(outputs, n, "the measured run", measured, err);
    if (status == LLMSIM_OK && v->calibrate_on != NULL && !is_part(v->calibrate_on))
        status = cli_keep_input(outputs, n, "the run of --calibrate-on", v->calibrate_on, err);
    if (status == LLMSIM_OK)
        status = cli_keep_catalogue(outputs, n, v->settings.catalogue.data_dir, NULL, err);
    return status == LLMSIM_OK ? cli_keep_apart(outputs, n, err) : status;
}

/* ---- the work ---- */

static enum llmsim_status open_measured(const struct values *v, const char *path,
                                        struct llmsim_measured_run *run, struct llmsim_error *err)
{
    struct llmsim_measured_options options;
    memcpy(options.columns, v->columns, sizeof options.columns);
    return llmsim_measured_open(run, path, &options, err);
}

/* Replay `run` with the tuning found, and make the requests of `span` a part. */
static enum llmsim_status add_part(struct validation *w, const char *name,
                                   const struct llmsim_measured_run *run, struct llmsim_span span,
                                   struct llmsim_error *err)
{
    struct llmsim_latencies *simulated = calloc(run->n, sizeof *simulated);
    if (simulated == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    struct llmsim_validation_part *part = &w->parts[w->n_parts];
    *part = (struct llmsim_validation_part){name, run, simulated, span};
    w->owned[w->n_parts++] = simulated;
    enum llmsim_status status =
        llmsim_validate_tuned(&w->setup->config, run, &w->calibration.tuning, simulated, err);
    struct llmsim_comparison *c = w->comparisons[w->n_parts - 1];
    size_t n_compared = 0;
    for (size_t i = 0; i < LLMSIM_N_METRICS && status == LLMSIM_OK; i++) {
        status = llmsim_compare(run->latencies, simulated, span, (enum llmsim_metric)i, &c[i], err);
        n_compared += c[i].n;
    }
    if (status == LLMSIM_OK && n_compared == 0)
        return llmsim_fail_at(err, LLMSIM_TRACE, w->measured_name, 0, 0,
                              "of %zu requests (%s) no latency was measured and simulated",
                              span.last - span.first, name);
    return status;
}

static enum llmsim_status calibrate(struct validation *w, const struct llmsim_measured_run *run,
                                    struct llmsim_span span, struct llmsim_error *err)
{
    w->is_calibrated = true;
    return llmsim_calibrate(&w->setup->config, run, span, w->tunables, &w->calibration, err);
}

/* The parts: all of the run; or what it was tuned on, and what it then predicts. */
static enum llmsim_status make_parts(const struct values *v, struct validation *w,
                                     struct llmsim_error *err)
{
    struct llmsim_span all = {0, w->run.n}, tuned_on = {0, 0}, rest = all;
    const struct llmsim_measured_run *other = &w->other;
    enum llmsim_status status;
    if (v->calibrate_on == NULL)
        return add_part(w, "all", &w->run, all, err);
    if (is_part(v->calibrate_on)) {
        status = parse_first(v->calibrate_on + strlen(first_part), w->run.n, &tuned_on.last, err);
        rest.first = tuned_on.last;
        other = &w->run;
    } else {
        status = open_measured(v, v->calibrate_on, &w->other, err);
        tuned_on.last = w->other.n;
    }
    if (status == LLMSIM_OK)
        status = calibrate(w, other, tuned_on, err);
    if (status == LLMSIM_OK)
        status = add_part(w, "calibrated", other, tuned_on, err);
    if (status == LLMSIM_OK)
        status = add_part(w, "predicted", &w->run, rest, err);
    return status;
}

static enum llmsim_status report(const struct values *v, const struct validation *w,
                                 struct llmsim_error *err)
{
    enum llmsim_status status = LLMSIM_OK;
    if (v->requests != NULL)
        status = llmsim_validate_write(v->requests, w->parts, w->n_parts, err);
    if (status == LLMSIM_OK && v->plot != NULL)
        status = validation_plot(w, v->plot, err);
    if (status == LLMSIM_OK)
        status = validation_formats[v->format.row].print(w, err);
    return status;
}

static enum llmsim_status run(const void *values, const char *const *operands, size_t n_operands,
                              struct llmsim_error *err)
{
    const struct values *v = values;
    struct replay_setup setup;
    const struct llmsim_trace_status trace = {.has_prefixes = v->settings.enable_prefix_caching};
    struct validation w = {.setup = &setup,
                           .measured_name = operands[0],
                           .calibrated_on = v->calibrate_on,
                           .calibration = {.tuning = llmsim_tuning_none()}};
    (void)n_operands;
    enum llmsim_status status = check_options(v, err);
    if (status == LLMSIM_OK)
        status = parse_tunables(v->tune, &w.tunables, err);
    if (status == LLMSIM_OK)
        status = keep_inputs(v, operands[0], err);
    if (status == LLMSIM_OK)
        status = replay_setup_init(&setup, &v->settings, operands[0], NULL, err);
    if (status == LLMSIM_OK)
        status = replay_setup_check(&v->settings, &trace, err);
    if (status == LLMSIM_OK)
        replay_setup_warn(&setup);
    if (status == LLMSIM_OK)
        status = open_measured(v, operands[0], &w.run, err);
    if (status == LLMSIM_OK)
        status = make_parts(v, &w, err);
    if (status == LLMSIM_OK)
        status = report(v, &w, err);
    for (size_t i = 0; i < w.n_parts; i++)
        free(w.owned[i]);
    llmsim_measured_close(&w.run);
    llmsim_measured_close(&w.other);
    return status;
}

static const struct llmsim_choice *format_choice(size_t i)
{
    return validation_formats[i].choice.name != NULL ? &validation_formats[i].choice : NULL;
}

#define COLUMN(option, column, what)                                                               \
    {                                                                                              \
        .name = option, .argument = "NAME", .help = "column of " what, .kind = CLI_STRING,         \
        .offset = offsetof(struct values, columns[LLMSIM_MEASURED_##column])                       \
    }

static const struct cli_option options[] = {
    CLI_SERVER_SETTINGS(struct values, settings),
    {.name = "calibrate-on",
     .argument = "WHERE",
     .help = "tune on a part and predict the rest: first:1/3, first:N (requests, by arrival), or "
             "another measured FILE",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, calibrate_on)},
    {.name = "tune",
     .argument = "NAMES",
     .help = "what to tune, with commas between: overhead, step, bw, ptps",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, tune)},
    COLUMN("arrival-column", ARRIVAL, "arrivals at the engine [queued_s, arrival_s]"),
    COLUMN("prompt-column", PROMPT, "prompt tokens [prompt_tokens, input_tokens]"),
    COLUMN("output-column", OUTPUT, "output tokens [output_tokens]"),
    COLUMN("ttft-column", TTFT, "measured TTFT, in _s or _ms [ttft_s, ttft_ms]"),
    COLUMN("tpot-column", TPOT, "measured TPOT [tpot_s, tpot_ms, or from the others]"),
    COLUMN("e2e-column", E2E, "measured E2E [e2e_s, e2e_ms]"),
    COLUMN("cached-column", CACHED, "prompt tokens that --enable-prefix-caching is to find"),
    {.name = "format",
     .argument = "NAME",
     .help = "how to print",
     .kind = CLI_CHOICE,
     .choice = format_choice,
     .initial = "text",
     .offset = offsetof(struct values, format)},
    {.name = "requests",
     .argument = "FILE",
     .help = "write every request there, measured and simulated",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, requests)},
    {.name = "plot",
     .argument = "FILE",
     .help = "draw both distributions there: .png, .svg or .pdf, by gnuplot",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, plot)},
    CLI_OPTION_END,
};

const struct cli_command cli_validate = {
    .name = "validate",
    .help = "replay a measured run and compare: TTFT, TPOT and E2E, with signed errors",
    .operands = "MEASURED.csv",
    .example = "llmsim validate measured.csv --model meta-llama/Llama-3.1-8B --gpu 'rtx pro 6000' "
               "--policy mixed --max-num-seqs 128 --max-num-batched-tokens 2048 "
               "--calibrate-on first:1/3 --tune bw,ptps,step",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
