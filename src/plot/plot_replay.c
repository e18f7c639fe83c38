/* plot_replay.c: the results of one replay, reduced: requests.csv is read twice (once for the range
 * of time), tokens.csv and steps.csv once, in memory that does not grow with them. */
#include <stdio.h>
#include <stdlib.h>

#include "chosen_tokens.h"
#include "latency.h"
#include "load.h"
#include "plot_kinds.h"
#include "result_table.h"
#include "run_title.h"

enum { REQUEST_ID, ARRIVAL, PROMPT, OUTPUT, OUTCOME, QUEUE, TTFT, TPOT, E2E, N_REQUEST_COLUMNS };
static const char *const request_columns[N_REQUEST_COLUMNS] = {
    "request_id", "arrival_s", "prompt_tokens", "output_tokens", "outcome",
    "queue_s",    "ttft_s",    "tpot_s",        "e2e_s"};

enum { TOKEN_REQUEST_ID, TOKEN_INDEX, TOKEN_TIME, TOKEN_LATENCY, N_TOKEN_COLUMNS };
static const char *const token_columns[N_TOKEN_COLUMNS] = {"request_id", "token_index", "time_s",
                                                           "latency_s"};

enum { STEP_START, STEP_DURATION, STEP_SEQS, N_STEP_COLUMNS };
static const char *const step_columns[N_STEP_COLUMNS] = {"start_s", "duration_s", "decode_seqs"};

struct replay_plot {
    const struct llmsim_plot_options *options;
    struct plot_files *files;
    struct llmsim_json summary;
    bool has_tokens;
    int64_t
        until_ns; /* where the run was stopped, which is where unfinished requests end; 0: not */
    uint64_t n_drawn, n_completed;
    struct time_axis axis;
    struct latency ttft, gap, e2e; /* gap: ITL, or TPOT without tokens.csv */
    struct load load;
    struct chosen_tokens chosen;
};

/* Calls `row` for every row. *found false: there is no such file. */
static enum llmsim_status
read_table(struct replay_plot *p, const char *name, const char *const *names, size_t n_names,
           bool *found,
           enum llmsim_status (*row)(struct replay_plot *p, const struct result_table *table,
                                     const size_t *columns, struct llmsim_error *err),
           struct llmsim_error *err)
{
    struct result_table table;
    size_t columns[N_REQUEST_COLUMNS];
    bool ended = false;
    enum llmsim_status status = result_table_open(&table, p->options->dir, name, found, err);
    if (status != LLMSIM_OK || !*found)
        return status;
    status = result_table_require(&table, names, columns, n_names, err);
    while (status == LLMSIM_OK) {
        status = result_table_next(&table, &ended, err);
        if (status != LLMSIM_OK || ended)
            break;
        status = row(p, &table, columns, err);
    }
    result_table_close(&table);
    return status;
}

/* Requests that take part in the run's load: those that completed, and those that its end cut off.
 */
static bool is_unfinished(const struct replay_plot *p, const struct result_table *table,
                          const size_t *columns)
{
    return p->until_ns > 0 && result_table_is(table, columns[OUTCOME], "unfinished");
}

/* First look at requests.csv: how long the run is. */
static enum llmsim_status widen_axis(struct replay_plot *p, const struct result_table *table,
                                     const size_t *columns, struct llmsim_error *err)
{
    int64_t arrival_ns, e2e_ns = 0;
    bool is_cut = is_unfinished(p, table, columns);
    if (!is_cut && !result_table_is(table, columns[OUTCOME], "completed"))
        return LLMSIM_OK;
    enum llmsim_status status = result_table_ns(table, columns[ARRIVAL], &arrival_ns, err);
    if (status == LLMSIM_OK && !is_cut)
        status = result_table_ns(table, columns[E2E], &e2e_ns, err);
    if (status != LLMSIM_OK)
        return status;
    int64_t end_ns = is_cut ? p->until_ns : arrival_ns + e2e_ns;
    if (p->n_drawn++ == 0 || arrival_ns < p->axis.low_ns)
        p->axis.low_ns = arrival_ns;
    if (end_ns > p->axis.high_ns)
        p->axis.high_ns = end_ns;
    p->n_completed += !is_cut;
    return LLMSIM_OK;
}

/* It waits, or runs, to the end of the run. */
static enum llmsim_status add_unfinished(struct replay_plot *p, const struct result_table *table,
                                         const size_t *columns, struct llmsim_error *err)
{
    int64_t arrival_ns, queue_ns = 0;
    bool has_begun = !result_table_is_empty(table, columns[QUEUE]);
    enum llmsim_status status = result_table_ns(table, columns[ARRIVAL], &arrival_ns, err);
    if (status == LLMSIM_OK && has_begun)
        status = result_table_ns(table, columns[QUEUE], &queue_ns, err);
    if (status == LLMSIM_OK)
        load_add_request(&p->load, &p->axis, arrival_ns,
                         has_begun ? arrival_ns + queue_ns : p->until_ns, p->until_ns);
    return status;
}

/* One of the requests that are asked for? NULL: no. */
static struct chosen_request *find_chosen(struct replay_plot *p, const struct result_table *table,
                                          size_t column)
{
    for (size_t i = 0; i < p->chosen.n_requests; i++)
        if (result_table_is(table, column, p->chosen.requests[i].id))
            return &p->chosen.requests[i];
    return NULL;
}

/* Second look at requests.csv. */
static enum llmsim_status add_request(struct replay_plot *p, const struct result_table *table,
                                      const size_t *columns, struct llmsim_error *err)
{
    int64_t ns[N_REQUEST_COLUMNS] = {0};
    static const int times[] = {ARRIVAL, QUEUE, TTFT, TPOT, E2E};
    enum llmsim_status status = LLMSIM_OK;
    if (is_unfinished(p, table, columns))
        return add_unfinished(p, table, columns, err);
    if (!result_table_is(table, columns[OUTCOME], "completed"))
        return LLMSIM_OK;
    for (size_t i = 0; i < sizeof times / sizeof *times && status == LLMSIM_OK; i++) {
        ns[times[i]] = -1;
        if (!result_table_is_empty(table, columns[times[i]]))
            status = result_table_ns(table, columns[times[i]], &ns[times[i]], err);
    }
    struct chosen_request *chosen = find_chosen(p, table, columns[REQUEST_ID]);
    if (chosen != NULL && status == LLMSIM_OK) {
        chosen->is_found = true;
        status = result_table_count(table, columns[PROMPT], &chosen->prompt_tokens, err);
        if (status == LLMSIM_OK)
            status = result_table_count(table, columns[OUTPUT], &chosen->output_tokens, err);
        chosen->arrival_ns = ns[ARRIVAL];
    }
    if (status != LLMSIM_OK)
        return status;
    if (ns[TTFT] >= 0)
        latency_add(&p->ttft, &p->axis, ns[ARRIVAL], ns[TTFT]);
    if (!p->has_tokens && ns[TPOT] >= 0)
        latency_add(&p->gap, &p->axis, ns[ARRIVAL], ns[TPOT]);
    latency_add(&p->e2e, &p->axis, ns[ARRIVAL], ns[E2E]);
    load_add_request(&p->load, &p->axis, ns[ARRIVAL], ns[ARRIVAL] + ns[QUEUE],
                     ns[ARRIVAL] + ns[E2E]);
    return LLMSIM_OK;
}

static enum llmsim_status add_token(struct replay_plot *p, const struct result_table *table,
                                    const size_t *columns, struct llmsim_error *err)
{
    int64_t time_ns, latency_ns;
    uint32_t index;
    enum llmsim_status status = result_table_count(table, columns[TOKEN_INDEX], &index, err);
    if (status == LLMSIM_OK)
        status = result_table_ns(table, columns[TOKEN_TIME], &time_ns, err);
    if (status == LLMSIM_OK)
        status = result_table_ns(table, columns[TOKEN_LATENCY], &latency_ns, err);
    if (status != LLMSIM_OK)
        return status;
    if (index > 0)
        latency_add(&p->gap, &p->axis, time_ns, latency_ns);
    struct chosen_request *chosen = find_chosen(p, table, columns[TOKEN_REQUEST_ID]);
    if (chosen != NULL)
        status = chosen_tokens_add(chosen, index, time_ns, latency_ns, err);
    return status;
}

static enum llmsim_status add_step(struct replay_plot *p, const struct result_table *table,
                                   const size_t *columns, struct llmsim_error *err)
{
    int64_t start_ns, duration_ns;
    uint32_t n_seqs;
    enum llmsim_status status = result_table_count(table, columns[STEP_SEQS], &n_seqs, err);
    if (status != LLMSIM_OK || n_seqs == 0)
        return status;
    status = result_table_ns(table, columns[STEP_START], &start_ns, err);
    if (status == LLMSIM_OK)
        status = result_table_ns(table, columns[STEP_DURATION], &duration_ns, err);
    if (status == LLMSIM_OK)
        load_add_decode_step(&p->load, &p->axis, start_ns, start_ns + duration_ns, n_seqs);
    return status;
}

static enum llmsim_status check_chosen(const struct replay_plot *p, struct llmsim_error *err)
{
    for (size_t i = 0; i < p->chosen.n_requests; i++) {
        const struct chosen_request *r = &p->chosen.requests[i];
        if (!r->is_found)
            return llmsim_fail(err, LLMSIM_USAGE,
                               "--requests %s: no request of this id was completed", r->id);
    }
    if (p->chosen.n_requests > 0 && !p->has_tokens)
        return llmsim_fail_at(err, LLMSIM_IO, p->options->dir, 0, 0,
                              "has no tokens.csv, which --requests draws; llmsim replay without "
                              "--no-tokens writes it");
    return LLMSIM_OK;
}

static enum llmsim_status read_all(struct replay_plot *p, struct llmsim_error *err)
{
    bool found;
    struct result_table tokens;
    double until_ns = run_title_number(p->summary.root, "settings", "until", 0) * 1e9 + 0.5;
    p->until_ns = until_ns > 0 && until_ns < (double)INT64_MAX ? (int64_t)until_ns : 0;
    enum llmsim_status status =
        read_table(p, "requests.csv", request_columns, N_REQUEST_COLUMNS, &found, widen_axis, err);
    if (status == LLMSIM_OK)
        status = result_table_open(&tokens, p->options->dir, "tokens.csv", &p->has_tokens, err);
    if (status != LLMSIM_OK)
        return status;
    result_table_close(&tokens);
    p->axis = time_axis_make(p->axis.low_ns, p->axis.high_ns);
    double n_tokens = run_title_number(p->summary.root, "tokens", "output", 0);
    status = latency_init(&p->ttft, "ttft", p->n_completed, err);
    if (status == LLMSIM_OK)
        status = p->has_tokens ? latency_init(&p->gap, "itl", (uint64_t)n_tokens, err)
                               : latency_init(&p->gap, "tpot", p->n_completed, err);
    if (status == LLMSIM_OK)
        status = latency_init(&p->e2e, "e2e", p->n_completed, err);
    if (status == LLMSIM_OK)
        status = read_table(p, "requests.csv", request_columns, N_REQUEST_COLUMNS, &found,
                            add_request, err);
    if (status == LLMSIM_OK)
        status = check_chosen(p, err);
    if (status == LLMSIM_OK)
        status =
            read_table(p, "tokens.csv", token_columns, N_TOKEN_COLUMNS, &found, add_token, err);
    if (status == LLMSIM_OK)
        status = read_table(p, "steps.csv", step_columns, N_STEP_COLUMNS, &p->load.has_steps,
                            add_step, err);
    return status;
}

/* Without tokens.csv: the few points of the ITL's distribution that summary.json has. */
static enum llmsim_status write_itl_points(struct replay_plot *p, struct llmsim_output *run,
                                           struct llmsim_error *err)
{
    static const struct {
        const char *name;
        double share;
    } points[] = {{"min", 0}, {"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}, {"max", 1}};
    struct llmsim_output out;
    double n = run_title_number(p->summary.root, "itl_s", "count", 0);
    plot_put(run, "itl_is_points = 1\nitl_n = %.0f\n", n);
    enum llmsim_status status = plot_files_begin(p->files, "itl_cdf.csv", &out, err);
    if (status != LLMSIM_OK)
        return status;
    plot_put(&out, "share,itl_s\n");
    for (size_t i = 0; i < sizeof points / sizeof *points && n > 0; i++) {
        double value = run_title_number(p->summary.root, "itl_s", points[i].name, 0);
        plot_put(&out, "%.4f,%.6g\n", points[i].share, value);
        plot_put(run, "itl_%s = %.6g\n",
                 i == 0                                   ? "low"
                 : i + 1 < sizeof points / sizeof *points ? points[i].name
                                                          : "high",
                 value);
    }
    return plot_files_end(&out, LLMSIM_OK, err);
}

/* The range of their gaps, but for those of no time. */
static void put_chosen_range(const struct chosen_tokens *chosen, struct llmsim_output *out)
{
    int64_t low_ns = INT64_MAX, high_ns = 0;
    for (size_t i = 0; i < chosen->n_requests; i++)
        for (size_t k = 0; k < chosen->requests[i].n_tokens; k++) {
            int64_t gap_ns = chosen->requests[i].tokens[k].gap_ns;
            if (gap_ns > 0 && gap_ns < low_ns)
                low_ns = gap_ns;
            if (gap_ns > high_ns)
                high_ns = gap_ns;
        }
    plot_put(out, "chosen_low = %.6g\nchosen_high = %.6g\n",
             (double)(low_ns < high_ns ? low_ns : high_ns) / 1e9, (double)high_ns / 1e9);
}

/* What the script of the chosen requests needs. */
static void put_chosen(const struct chosen_tokens *chosen, struct llmsim_output *out)
{
    char name[32], title[256];
    if (chosen->n_requests == 0)
        return;
    plot_put(out, "n_chosen = %zu\narray chosen[n_chosen]\n", chosen->n_requests);
    put_chosen_range(chosen, out);
    for (size_t i = 0; i < chosen->n_requests; i++) {
        const struct chosen_request *r = &chosen->requests[i];
        (void)snprintf(name, sizeof name, "chosen[%zu]", i + 1);
        (void)snprintf(title, sizeof title, "%.64s: %u prompt, %u output tokens", r->id,
                       r->prompt_tokens, r->output_tokens);
        plot_put_text(out, name, title, GNUPLOT_TEXT);
    }
}

/* How long each of n spans is, as a text. */
static void put_span(struct llmsim_output *out, const char *name, const struct time_axis *axis,
                     unsigned n)
{
    char text[64];
    struct time_axis span = time_axis_make(0, (axis->high_ns - axis->low_ns) / n);
    (void)snprintf(text, sizeof text, "%.3g %s", time_axis_value(&span, span.high_ns), span.unit);
    plot_put_text(out, name, text, GNUPLOT_TEXT);
}

/* run.gp: what all scripts of this run load. */
static enum llmsim_status write_run(struct replay_plot *p, struct llmsim_error *err)
{
    struct llmsim_output out;
    enum llmsim_status status = plot_files_begin(p->files, "run.gp", &out, err);
    if (status != LLMSIM_OK)
        return status;
    plot_put(&out,
             "# run.gp: what was run, and the ranges of its data. Times are seconds, those on "
             "an axis of time %s.\n",
             p->axis.unit);
    run_title_put(&out, p->summary.root);
    plot_put(&out, "time_unit = '%s'\ntime_low = %.9g\ntime_high = %.9g\n", p->axis.unit,
             time_axis_value(&p->axis, p->axis.low_ns), time_axis_value(&p->axis, p->axis.high_ns));
    put_span(&out, "span_text", &p->axis, p->e2e.n_spans);
    put_span(&out, "load_span_text", &p->axis, TIME_SPANS);
    plot_put(&out, "gap = '%s'\nhas_steps = %d\nhas_batches = %d\n", p->gap.name, p->load.has_steps,
             p->load.has_batches);
    latency_put(&p->ttft, &out);
    latency_put(&p->gap, &out);
    latency_put(&p->e2e, &out);
    put_chosen(&p->chosen, &out);
    if (p->has_tokens)
        plot_put(&out, "itl_is_points = 0\n");
    else
        status = write_itl_points(p, &out, err);
    return plot_files_end(&out, status, err);
}

/* A block for each of the chosen requests, with two blank lines between them. */
static enum llmsim_status write_chosen(struct replay_plot *p, struct llmsim_error *err)
{
    struct llmsim_output out;
    enum llmsim_status status = plot_files_begin(p->files, "chosen_tokens.csv", &out, err);
    if (status != LLMSIM_OK)
        return status;
    for (size_t i = 0; i < p->chosen.n_requests; i++) {
        const struct chosen_request *r = &p->chosen.requests[i];
        plot_put(&out, "%stoken,since_arrival_s,gap_s\n", i > 0 ? "\n\n" : "");
        for (size_t k = 0; k < r->n_tokens; k++)
            plot_put(&out, "%u,%.9g,%.9g\n", r->tokens[k].index + 1,
                     (double)(r->tokens[k].time_ns - r->arrival_ns) / 1e9,
                     (double)r->tokens[k].gap_ns / 1e9);
    }
    status = plot_files_end(&out, LLMSIM_OK, err);
    return status == LLMSIM_OK ? plot_files_add_script(p->files, "tokens", err) : status;
}

static enum llmsim_status write_all(struct replay_plot *p, struct llmsim_error *err)
{
    enum llmsim_status status = write_run(p, err);
    struct text_list *notes = &p->files->report->notes;
    if (status == LLMSIM_OK)
        status = latency_write(&p->ttft, &p->axis, p->files, err);
    if (status == LLMSIM_OK)
        status = latency_write(&p->gap, &p->axis, p->files, err);
    if (status == LLMSIM_OK)
        status = latency_write(&p->e2e, &p->axis, p->files, err);
    if (status == LLMSIM_OK)
        status = load_write(&p->load, &p->axis, p->files, err);
    if (status == LLMSIM_OK)
        status = plot_files_add_script(p->files, "latency_cdf", err);
    if (status == LLMSIM_OK)
        status = plot_files_add_script(p->files, "latency_time", err);
    if (status == LLMSIM_OK)
        status = plot_files_add_script(p->files, "load_time", err);
    if (status == LLMSIM_OK && p->chosen.n_requests > 0)
        status = write_chosen(p, err);
    if (status == LLMSIM_OK && !p->has_tokens)
        status = text_list_add(notes, err,
                               "no tokens.csv: of the ITL there are the percentiles of "
                               "summary.json, and TPOT over time; llmsim replay without "
                               "--no-tokens draws the ITL");
    if (status == LLMSIM_OK && !p->load.has_steps)
        status = text_list_add(notes, err,
                               "no steps.csv: no batch size over time; llmsim replay --steps "
                               "draws it");
    return status;
}

static enum llmsim_status load_summary(struct replay_plot *p, struct llmsim_error *err)
{
    char *path;
    if (asprintf(&path, "%s/summary.json", p->options->dir) < 0)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    enum llmsim_status status = llmsim_json_load(&p->summary, path, err);
    free(path);
    return status;
}

enum llmsim_status plot_replay(const struct llmsim_plot_options *options, struct plot_files *files,
                               struct llmsim_error *err)
{
    struct replay_plot *p = calloc(1, sizeof *p);
    if (p == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    p->options = options;
    p->files = files;
    p->chosen.n_requests = options->n_requests;
    for (size_t i = 0; i < options->n_requests; i++)
        p->chosen.requests[i].id = options->requests[i];
    enum llmsim_status status = load_summary(p, err);
    if (status == LLMSIM_OK) {
        status = read_all(p, err);
        if (status == LLMSIM_OK)
            status = write_all(p, err);
        llmsim_json_fini(&p->summary);
    }
    latency_fini(&p->ttft);
    latency_fini(&p->gap);
    latency_fini(&p->e2e);
    chosen_tokens_fini(&p->chosen);
    free(p);
    return status;
}
