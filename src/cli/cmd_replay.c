/* cmd_replay.c: the main job. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "interrupt.h"
#include "keep_inputs.h"
#include "progress.h"
#include "replay_settings.h"

/* Lines of the table of classes on the terminal. */
#define MOST_CLASSES 20u

struct values {
    struct replay_settings settings;
    struct cli_choice compress;
    const char *output, *tokens_output, *trace_events;
    uint64_t trace_events_limit;
    bool no_tokens, no_requests, trace_times, steps;
};

static void print_row(FILE *f, const char *name, struct llmsim_stat *stat, double unit)
{
    if (stat->n == 0)
        return;
    (void)fprintf(f, "%-14s %10.4f %10.4f %10.4f %10.4f %10.4f %10.4f\n", name,
                  llmsim_stat_mean(stat) / unit, llmsim_stat_percentile(stat, 0.50) / unit,
                  llmsim_stat_percentile(stat, 0.90) / unit,
                  llmsim_stat_percentile(stat, 0.95) / unit,
                  llmsim_stat_percentile(stat, 0.99) / unit, (double)stat->max / unit);
}

/* Characters of a UTF-8 text. */
static int count_characters(const char *text)
{
    int n = 0;
    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

/* The fewest columns, at least `width`, that the names of the first `n` classes take. */
static int name_width(const struct llmsim_summary *s, size_t n, int width)
{
    for (size_t i = 0; i < n; i++) {
        int n_characters = count_characters(s->classes[i].name);
        width = n_characters > width ? n_characters : width;
    }
    return width;
}

/* A name, and blanks up to `width`. */
static void print_name(FILE *f, const char *name, int width)
{
    (void)fprintf(f, "%s%*s", name, width - count_characters(name), "");
}

static void print_percentile(FILE *f, struct llmsim_stat *stat, double p)
{
    if (stat->n > 0)
        (void)fprintf(f, " %10.4f", llmsim_stat_percentile(stat, p) / 1e9);
    else
        (void)fprintf(f, " %10s", "-");
}

/* A line for each class, or for the first of many. */
static void print_classes(FILE *f, struct llmsim_summary *s)
{
    size_t n = s->n_classes < MOST_CLASSES ? s->n_classes : MOST_CLASSES;
    int width = name_width(s, n, 14);
    bool has_slo = llmsim_slo_is_set(&s->slo);
    if (n == 0)
        return;
    (void)fprintf(f, "\n%-*s %10s %10s %10s %10s %10s %10s %10s%s\n", width, "class (s)",
                  "requests", "TTFT p50", "p99", "TPOT p50", "p99", "E2E p50", "p99",
                  has_slo ? "    SLO met" : "");
    for (size_t i = 0; i < n; i++) {
        struct llmsim_class_summary *c = &s->classes[i];
        struct llmsim_stat *stats[] = {&c->ttft, &c->tpot, &c->e2e};
        print_name(f, c->name[0] != '\0' ? c->name : "(none)", width);
        (void)fprintf(f, " %10llu", (unsigned long long)c->n_requests);
        for (size_t j = 0; j < sizeof stats / sizeof *stats; j++) {
            print_percentile(f, stats[j], 0.50);
            print_percentile(f, stats[j], 0.99);
        }
        if (has_slo && llmsim_class_judged(c) > 0)
            (void)fprintf(f, " %8.2f %%",
                          100 * llmsim_attainment(c->n_slo_met, llmsim_class_judged(c)));
        else if (has_slo)
            (void)fprintf(f, " %10s", "-");
        (void)fputc('\n', f);
    }
    if (n < s->n_classes)
        (void)fprintf(f, "%zu more classes: summary.json\n", s->n_classes - n);
}

static void print_overload(FILE *f, const struct llmsim_backlog *b)
{
    if (b->is_saturated && b->arrivals_per_s > 0)
        (void)fprintf(f, "overloaded     %.3g requests/s come, %.3g can be served\n",
                      b->arrivals_per_s, b->served_per_s);
    else if (b->is_saturated)
        (void)fputs("overloaded     requests come all at once\n", f);
}

/* With who is not counted, if anyone. */
static void print_slo(FILE *f, const struct llmsim_summary *s)
{
    const struct llmsim_totals *t = &s->totals;
    uint64_t n_judged = llmsim_summary_judged(s);
    uint64_t n_failed = s->outcomes[LLMSIM_OUTCOME_FAILED_IN_TRACE];
    if (!llmsim_slo_is_set(&s->slo))
        return;
    if (n_judged == 0)
        (void)fputs("\nSLO            no request to judge", f);
    else
        (void)fprintf(f, "\nSLO            met by %.2f %%, goodput %.3f requests/s",
                      100 * llmsim_attainment(s->n_slo_met, n_judged),
                      llmsim_totals_per_s(t, s->n_slo_met));
    if (n_failed > 0)
        (void)fprintf(f, "; not counted: %llu failed in the trace", (unsigned long long)n_failed);
    if (s->n_slo_undecided > 0)
        (void)fprintf(
            f, "%s %llu cut off before they had missed it",
            n_failed > 0 ? "," : "; not counted:", (unsigned long long)s->n_slo_undecided);
    (void)fputc('\n', f);
}

/* A line, where the run asks for it: by a price, or by a cost for GPUs that one may not have yet.
 */
static void print_expense(FILE *f, const struct values *v, const struct replay_setup *setup,
                          const struct llmsim_totals *totals)
{
    const struct llmsim_gpu_price price = replay_gpu_price(setup);
    const struct llmsim_expense e =
        llmsim_expense(totals, llmsim_run_gpus(&setup->description), &price);
    bool is_composed = setup->config.cost.model == &llmsim_cost_models[LLMSIM_COST_COMPOSED];
    if (!is_composed && !(v->settings.price > 0))
        return;
    (void)fprintf(f, "expense        %.4g GPU-hours", e.gpu_hours);
    if (price.usd_per_hour > 0)
        (void)fprintf(f, ", $%.4g: $%.4g per million output tokens, $%.4g per million tokens",
                      e.usd, e.usd_per_million_output_tokens, e.usd_per_million_tokens);
    if (price.watts > 0)
        (void)fprintf(
            f, "%s %.4g kWh at most, from board power: %.3g output tokens per joule or more",
            price.usd_per_hour > 0 ? ";" : ",", e.kwh_at_most, e.output_tokens_per_joule_at_least);
    (void)fputc('\n', f);
}

static void print_summary(FILE *f, const struct llmsim_results *results, struct llmsim_summary *s,
                          const struct llmsim_trace_status *trace)
{
    const struct llmsim_totals *t = &s->totals;
    (void)fprintf(f, "rows           %llu in the trace (%s):",
                  (unsigned long long)(trace->rows + trace->rejected), trace->format);
    const char *comma = "";
    for (size_t i = 0; i < LLMSIM_N_OUTCOMES; i++) {
        if (s->outcomes[i] == 0)
            continue;
        (void)fprintf(f, "%s %llu %s", comma, (unsigned long long)s->outcomes[i],
                      llmsim_outcome_name((enum llmsim_outcome)i));
        comma = ",";
    }
    (void)fprintf(f, "\ntokens         %llu prompt, %llu output\n",
                  (unsigned long long)t->prompt_tokens, (unsigned long long)t->output_tokens);
    if (t->cached_tokens > 0)
        (void)fprintf(f, "prefix cache   had %.2f %% of the prompt tokens\n",
                      100 * llmsim_totals_hit_rate(t));
    if (t->n_preemptions > 0)
        (void)fprintf(f, "preemptions    %llu\n", (unsigned long long)t->n_preemptions);
    (void)fprintf(f, "makespan       %.3f s, %llu steps\n", llmsim_totals_makespan_s(t),
                  (unsigned long long)t->n_steps);
    (void)fprintf(f, "throughput     %.3f requests/s, %.1f output tokens/s\n",
                  llmsim_totals_per_s(t, t->n_completed), llmsim_totals_per_s(t, t->output_tokens));
    print_overload(f, &s->backlog);
    (void)fputc('\n', f);
    (void)fprintf(f, "%-14s %10s %10s %10s %10s %10s %10s\n", "", "mean", "p50", "p90", "p95",
                  "p99", "max");
    print_row(f, "TTFT (s)", &s->ttft, 1e9);
    print_row(f, "ITL (s)", &s->itl, 1e9);
    print_row(f, "TPOT (s)", &s->tpot, 1e9);
    print_row(f, "E2E (s)", &s->e2e, 1e9);
    print_row(f, "queue (s)", &s->queue, 1e9);
    print_row(f, "slowdown", &s->slowdown, 1e6);
    print_slo(f, s);
    print_classes(f, s);
    (void)fputc('\n', f);
    for (size_t i = 0; llmsim_results_path(results, i) != NULL; i++)
        cli_put_line(f, llmsim_results_path(results, i));
}

static void warn_kept(const char *path)
{
    if (path != NULL)
        (void)fprintf(stderr,
                      "llmsim: warning: %s is of an earlier run and may not be removed; it does "
                      "not belong to these results\n",
                      path);
}

static bool goes_to_stdout(const char *path)
{
    return path != NULL && strcmp(path, "-") == 0;
}

/* The replay proper: from an open trace into open results. */
static enum llmsim_status run_open(const struct values *v, const struct replay_setup *setup,
                                   struct llmsim_trace *trace, struct llmsim_results *results,
                                   struct llmsim_error *err)
{
    size_t n_sinks;
    const struct llmsim_sink *sinks = llmsim_results_sinks(results, &n_sinks);
    struct llmsim_source source = llmsim_trace_source(trace);
    struct progress progress;
    struct llmsim_replay_config watched = setup->config;
    progress_start(&progress, trace, &watched);
    enum llmsim_status status = llmsim_replay(&watched, &source, sinks, n_sinks, err);
    progress_stop(&progress);
    if (status == LLMSIM_OK)
        status = llmsim_results_commit(results, err);
    if (status != LLMSIM_OK)
        return status;
    struct llmsim_trace_status trace_status;
    llmsim_trace_get_status(trace, &trace_status);
    cli_note_origin(&trace_status);
    bool has_stdout = !goes_to_stdout(v->tokens_output) && !goes_to_stdout(v->trace_events);
    FILE *screen = has_stdout ? stdout : stderr;
    char cost[256];
    if (cli_describe_cost(&setup->config.cost, cost, sizeof cost))
        (void)fprintf(screen, "cost           %s\n", cost);
    print_expense(screen, v, setup, &llmsim_results_summary(results)->totals);
    print_summary(screen, results, llmsim_results_summary(results), &trace_status);
    const struct llmsim_summary *summary = llmsim_results_summary(results);
    replay_end_warn(setup, summary);
    warn_kept(llmsim_results_kept(results));
    if (summary->totals.n_requests == 0 && trace_status.rows > 0)
        (void)fprintf(stderr, "llmsim: warning: no request arrives in the window\n");
    return LLMSIM_OK;
}

/* Results want the trace for its checksum, and the trace wants the results for the rows that it
 * rejects: `results` is filled after the trace is open and before it is read. */
static enum llmsim_status on_reject(void *ctx, const struct llmsim_trace_reject *reject,
                                    struct llmsim_error *err)
{
    return llmsim_results_reject(*(struct llmsim_results **)ctx, reject, err);
}

static enum llmsim_status open_trace(const struct values *v, const char *path,
                                     struct llmsim_results **results, struct llmsim_trace **trace,
                                     struct llmsim_error *err)
{
    struct llmsim_trace_options options = cli_reader_options(&v->settings.trace);
    options.with_prefixes = v->settings.enable_prefix_caching;
    if (options.on_reject != NULL) {
        options.on_reject = on_reject;
        options.on_reject_ctx = results;
    }
    return llmsim_trace_open(path, &options, trace, err);
}

static enum llmsim_status open_results(const struct values *v, const char *dir,
                                       const struct llmsim_run_description *description,
                                       struct llmsim_results **results, struct llmsim_error *err)
{
    struct llmsim_results_options options = {
        .dir = dir,
        .requests = !v->no_requests,
        .trace_times = v->trace_times,
        .tokens = !v->no_tokens,
        .tokens_path = v->tokens_output,
        .steps = v->steps,
        .zstd = v->compress.row == CLI_COMPRESS_ZST,
        .trace_events_path = v->trace_events,
        .trace_events_n_requests = v->trace_events_limit,
    };
    return llmsim_results_open(&options, description, results, err);
}

/* `results` is where rejected rows go while the trace is read. A run that fails leaves no directory
 * that it has made. */
static enum llmsim_status run_into_directory(const struct values *v, const char *trace_path,
                                             const struct replay_setup *setup,
                                             struct llmsim_trace *trace,
                                             struct llmsim_results **results,
                                             struct llmsim_error *err)
{
    char named[512];
    cli_default_output(trace_path, "", named, sizeof named);
    const char *dir = v->output != NULL ? v->output : named;
    struct cli_new_directories made;
    cli_new_directories_init(&made, dir);
    enum llmsim_status status = open_results(v, dir, &setup->description, results, err);
    if (status == LLMSIM_OK)
        status = run_open(v, setup, trace, *results, err);
    llmsim_results_close(*results);
    if (status != LLMSIM_OK)
        cli_new_directories_remove(&made);
    cli_new_directories_fini(&made);
    return status;
}

static enum llmsim_status check_settings(const struct values *v, const struct llmsim_trace *trace,
                                         struct llmsim_error *err)
{
    struct llmsim_trace_status status;
    llmsim_trace_get_status(trace, &status);
    if (goes_to_stdout(v->tokens_output) && goes_to_stdout(v->trace_events))
        return llmsim_fail(err, LLMSIM_USAGE,
                           "--tokens-output -, --trace-events -: expected only one of them on "
                           "stdout");
    return replay_setup_check(&v->settings, &status, err);
}

/* The results in the directory are compared with the trace where they are opened. */
static enum llmsim_status keep_inputs(const struct values *v, const char *trace_path,
                                      struct llmsim_error *err)
{
    const struct cli_output outputs[] = {{"--tokens-output", v->tokens_output},
                                         {"--trace-events", v->trace_events}};
    const size_t n = sizeof outputs / sizeof *outputs;
    enum llmsim_status status = cli_keep_input(outputs, n, "the trace", trace_path, err);
    if (status == LLMSIM_OK)
        status = cli_keep_catalogue(outputs, n, v->settings.catalogue.data_dir, NULL, err);
    return status;
}

static enum llmsim_status run(const void *values, const char *const *operands, size_t n_operands,
                              struct llmsim_error *err)
{
    const struct values *v = values;
    const char *path = operands[0];
    (void)n_operands;
    struct replay_setup setup;
    struct llmsim_results *results = NULL;
    struct llmsim_trace *trace = NULL;
    enum llmsim_status status = keep_inputs(v, path, err);
    if (status == LLMSIM_OK)
        status = replay_setup_init(&setup, &v->settings, path, NULL, err);
    if (status == LLMSIM_OK)
        status = open_trace(v, path, &results, &trace, err);
    if (status == LLMSIM_OK)
        status = check_settings(v, trace, err);
    if (status == LLMSIM_OK)
        replay_setup_warn(&setup);
    setup.description.trace = trace;
    /* From before the first temporary file to after the last: a signal that comes when the results
     * get their names comes too late. */
    interrupt_catch();
    if (status == LLMSIM_OK)
        status = run_into_directory(v, path, &setup, trace, &results, err);
    interrupt_release();
    llmsim_trace_close(trace);
    return status;
}

static const struct cli_option options[] = {
    CLI_REPLAY_SETTINGS(struct values, settings),
    {.name = "output",
     .argument = "DIR",
     .help = "where the results go; else results/<name of the trace>",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, output)},
    {.name = "no-tokens",
     .help = "do not write tokens.csv",
     .kind = CLI_FLAG,
     .offset = offsetof(struct values, no_tokens)},
    {.name = "tokens-output",
     .argument = "FILE",
     .help = "write the rows of tokens.csv there; - is stdout",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, tokens_output)},
    {.name = "no-requests",
     .help = "do not write requests.csv",
     .kind = CLI_FLAG,
     .offset = offsetof(struct values, no_requests)},
    {.name = "trace-times",
     .help = "requests.csv: add trace_time_s, arrivals on the trace's own clock (Unix time, if it "
             "has that)",
     .kind = CLI_FLAG,
     .offset = offsetof(struct values, trace_times)},
    {.name = "steps",
     .help = "write steps.csv",
     .kind = CLI_FLAG,
     .offset = offsetof(struct values, steps)},
    {.name = "trace-events",
     .argument = "FILE",
     .help = "write steps and requests as Chrome trace events, for ui.perfetto.dev; - is stdout",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, trace_events)},
    {.name = "trace-events-limit",
     .argument = "N",
     .help = "trace events: how many of the trace's first rows have a track of their own",
     .kind = CLI_U64,
     .initial = "1000",
     .max = 1000000000,
     .goes_with = "trace-events",
     .offset = offsetof(struct values, trace_events_limit)},
    {.name = "compress",
     .argument = "HOW",
     .help = "how the CSV files are written; with zst they end in .csv.zst",
     .kind = CLI_CHOICE,
     .choice = cli_compress_choice,
     .initial = "none",
     .offset = offsetof(struct values, compress)},
    CLI_OPTION_END,
};

const struct cli_command cli_replay = {
    .name = "replay",
    .help = "replay a trace through one replica or several; write tokens.csv, requests.csv and "
            "summary.json",
    .operands = "TRACE",
    .example = "llmsim replay traces/azure_conv_like.csv --model meta-llama/Llama-2-13b-hf "
               "--gpu a6000 --rate-scale 0.2",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
