/* plot_replay.c: the results of one replay, reduced: requests.csv is read twice (once for the range
 * of time), tokens.csv and steps.csv once, in memory that does not grow with them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "chosen_tokens.h"
#include "latency.h"
#include "llmsim/replay.h"
#include "load.h"
#include "plot_kinds.h"
#include "result_table.h"
#include "run_title.h"

/* Columns that a file may lack come last. */
enum {
    REQUEST_ID,
    ARRIVAL,
    PROMPT,
    OUTPUT,
    OUTCOME,
    QUEUE,
    TTFT,
    TPOT,
    E2E,
    REPLICA,
    PREFILL_REPLICA,
    N_REQUEST_COLUMNS
};
static const char *const request_columns[N_REQUEST_COLUMNS] = {
    "request_id", "arrival_s", "prompt_tokens", "output_tokens", "outcome",        "queue_s",
    "ttft_s",     "tpot_s",    "e2e_s",         "replica",       "prefill_replica"};

enum { TOKEN_REQUEST_ID, TOKEN_INDEX, TOKEN_TIME, TOKEN_LATENCY, N_TOKEN_COLUMNS };
static const char *const token_columns[N_TOKEN_COLUMNS] = {"request_id", "token_index", "time_s",
                                                           "latency_s"};

enum { STEP_START, STEP_DURATION, STEP_SEQS, STEP_REPLICA, N_STEP_COLUMNS };
static const char *const step_columns[N_STEP_COLUMNS] = {"start_s", "duration_s", "decode_seqs",
                                                         "replica"};

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

#define MAX_ID 18u /* characters of a request's id in a legend */

struct table_kind {
    const char *file;
    const char *const *columns;
    size_t n_required, n_columns;
};
static const struct table_kind requests_table = {"requests.csv", request_columns, REPLICA,
                                                 N_REQUEST_COLUMNS};
static const struct table_kind tokens_table = {"tokens.csv", token_columns, N_TOKEN_COLUMNS,
                                               N_TOKEN_COLUMNS};
static const struct table_kind steps_table = {"steps.csv", step_columns, STEP_REPLICA,
                                              N_STEP_COLUMNS};

/* Calls `row` for every row. *found false: there is no such file. */
static enum llmsim_status
read_table(struct replay_plot *p, const struct table_kind *kind, bool *found,
           enum llmsim_status (*row)(struct replay_plot *p, const struct result_table *table,
                                     const size_t *columns, struct llmsim_error *err),
           struct llmsim_error *err)
{
    struct result_table table;
    size_t columns[N_REQUEST_COLUMNS];
    bool ended = false;
    enum llmsim_status status = result_table_open(&table, p->options->dir, kind->file, found, err);
    if (status != LLMSIM_OK || !*found)
        return status;
    status = result_table_require(&table, kind->columns, columns, kind->n_required, err);
    for (size_t i = kind->n_required; i < kind->n_columns; i++)
        columns[i] = result_table_find(&table, kind->columns[i]);
    while (status == LLMSIM_OK) {
        status = result_table_next(&table, &ended, err);
        if (status != LLMSIM_OK || ended)
            break;
        status = row(p, &table, columns, err);
    }
    result_table_close(&table);
    return status;
}

/* The number of a replica; 0 where the file does not say. */
static enum llmsim_status read_replica(const struct result_table *table, size_t column,
                                       uint32_t *replica, struct llmsim_error *err)
{
    *replica = 0;
    if (column == RESULT_TABLE_NO_COLUMN || result_table_is_empty(table, column))
        return LLMSIM_OK;
    return result_table_count(table, column, replica, err);
}

/* A whole number of summary.json, from 0 to `most`. */
static uint64_t summary_count(const struct replay_plot *p, const char *object, const char *name,
                              uint64_t most)
{
    double value = run_title_number(p->summary.root, object, name, 0);
    return value < 0 ? 0 : value < (double)most ? (uint64_t)value : most;
}

/* Requests that take part in the run's load: those that completed, and those that its end cut off.
 */
static bool is_unfinished(const struct replay_plot *p, const struct result_table *table,
                          const size_t *columns)
{
    return p->until_ns > 0 && result_table_is(table, columns[OUTCOME], "unfinished");
}

/* Times are read as they stand, so a sum of two may be more than there is room for. */
static int64_t after(int64_t ns, int64_t duration_ns)
{
    return duration_ns < INT64_MAX - ns ? ns + duration_ns : INT64_MAX;
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
    int64_t end_ns = is_cut ? p->until_ns : after(arrival_ns, e2e_ns);
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
    uint32_t replica, queue;
    bool has_begun = !result_table_is_empty(table, columns[QUEUE]);
    enum llmsim_status status = result_table_ns(table, columns[ARRIVAL], &arrival_ns, err);
    if (status == LLMSIM_OK && has_begun)
        status = result_table_ns(table, columns[QUEUE], &queue_ns, err);
    if (status == LLMSIM_OK)
        status = read_replica(table, columns[REPLICA], &replica, err);
    if (status == LLMSIM_OK)
        status = read_replica(table, columns[PREFILL_REPLICA], &queue, err);
    if (status == LLMSIM_OK)
        load_add_request(&p->load, &p->axis, queue, replica, arrival_ns,
                         has_begun ? after(arrival_ns, queue_ns) : p->until_ns, p->until_ns);
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
    uint32_t replica = 0, queue = 0;
    if (status == LLMSIM_OK)
        status = read_replica(table, columns[REPLICA], &replica, err);
    if (status == LLMSIM_OK)
        status = read_replica(table, columns[PREFILL_REPLICA], &queue, err);
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
    load_add_request(&p->load, &p->axis, queue, replica, ns[ARRIVAL], after(ns[ARRIVAL], ns[QUEUE]),
                     after(ns[ARRIVAL], ns[E2E]));
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
    uint32_t n_seqs, replica;
    enum llmsim_status status = result_table_count(table, columns[STEP_SEQS], &n_seqs, err);
    if (status == LLMSIM_OK)
        status = result_table_ns(table, columns[STEP_START], &start_ns, err);
    if (status == LLMSIM_OK)
        status = result_table_ns(table, columns[STEP_DURATION], &duration_ns, err);
    if (status == LLMSIM_OK)
        status = read_replica(table, columns[STEP_REPLICA], &replica, err);
    if (status == LLMSIM_OK)
        load_add_step(&p->load, &p->axis, replica, start_ns, after(start_ns, duration_ns), n_seqs);
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

static enum llmsim_status init_load(struct replay_plot *p, struct llmsim_error *err)
{
    uint64_t n_prefill = summary_count(p, "settings", "prefill_replicas", LLMSIM_MAX_REPLICAS);
    uint64_t n = n_prefill > 0
                     ? summary_count(p, "settings", "decode_replicas", LLMSIM_MAX_REPLICAS)
                     : summary_count(p, "settings", "replicas", LLMSIM_MAX_REPLICAS);
    return load_init(&p->load, (uint32_t)(n_prefill + (n > 0 ? n : 1)), (uint32_t)n_prefill, err);
}

static enum llmsim_status read_all(struct replay_plot *p, struct llmsim_error *err)
{
    bool found;
    struct result_table tokens;
    double until_ns = run_title_number(p->summary.root, "window", "until_s", 0) * 1e9 + 0.5;
    p->until_ns = until_ns > 0 && until_ns < (double)INT64_MAX ? (int64_t)until_ns : 0;
    enum llmsim_status status = read_table(p, &requests_table, &found, widen_axis, err);
    if (status == LLMSIM_OK)
        status = result_table_open(&tokens, p->options->dir, "tokens.csv", &p->has_tokens, err);
    if (status != LLMSIM_OK)
        return status;
    result_table_close(&tokens);
    p->axis = time_axis_make(p->axis.low_ns, p->axis.high_ns);
    uint64_t n_tokens = summary_count(p, "tokens", "output", INT64_MAX);
    status = init_load(p, err);
    if (status == LLMSIM_OK)
        status = latency_init(&p->ttft, "ttft", p->n_completed, err);
    if (status == LLMSIM_OK)
        status = p->has_tokens ? latency_init(&p->gap, "itl", n_tokens, err)
                               : latency_init(&p->gap, "tpot", p->n_completed, err);
    if (status == LLMSIM_OK)
        status = latency_init(&p->e2e, "e2e", p->n_completed, err);
    if (status == LLMSIM_OK)
        status = read_table(p, &requests_table, &found, add_request, err);
    if (status == LLMSIM_OK)
        status = check_chosen(p, err);
    if (status == LLMSIM_OK)
        status = read_table(p, &tokens_table, &found, add_token, err);
    if (status == LLMSIM_OK)
        status = read_table(p, &steps_table, &p->load.has_steps, add_step, err);
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
    char name[32], title[256], id[4 * MAX_ID];
    if (chosen->n_requests == 0)
        return;
    plot_put(out, "n_chosen = %zu\narray chosen[n_chosen]\n", chosen->n_requests);
    put_chosen_range(chosen, out);
    for (size_t i = 0; i < chosen->n_requests; i++) {
        const struct chosen_request *r = &chosen->requests[i];
        (void)snprintf(name, sizeof name, "chosen[%zu]", i + 1);
        gnuplot_text_cut(id, sizeof id, r->id, MAX_ID);
        (void)snprintf(title, sizeof title, "%s: %u prompt, %u output", id, r->prompt_tokens,
                       r->output_tokens);
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

/* The label of an axis of time. */
static void put_origin(struct llmsim_output *out, const struct time_axis *axis)
{
    char text[96];
    if (axis->origin_ns == 0)
        (void)snprintf(text, sizeof text, "time (%s)", axis->unit);
    else
        (void)snprintf(text, sizeof text, "time since the first arrival, at %.3f s (%s)",
                       (double)axis->origin_ns / 1e9, axis->unit);
    plot_put_text(out, "time_label", text, GNUPLOT_TEXT);
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
    plot_put(&out, "time_low = %.9g\ntime_high = %.9g\n", time_axis_value(&p->axis, p->axis.low_ns),
             time_axis_value(&p->axis, p->axis.high_ns));
    put_span(&out, "span_text", &p->axis, p->e2e.n_spans);
    put_span(&out, "load_span_text", &p->axis, TIME_SPANS);
    put_origin(&out, &p->axis);
    plot_put(&out,
             "gap = '%s'\nhas_steps = %d\nhas_batches = %d\nn_replicas = %u\nn_prefill = %u\n"
             "has_each = %d\n",
             p->gap.name, p->load.has_steps, p->load.has_batches, p->load.n_replicas,
             p->load.n_prefill, p->load.n_tracked > 0);
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
    /* It is what vouches that the others are of one run. */
    bool is_there = access(path, F_OK) == 0 || errno != ENOENT;
    enum llmsim_status status =
        is_there ? llmsim_json_load(&p->summary, path, err)
                 : llmsim_fail_at(err, LLMSIM_IO, path, 0, 0,
                                  "is missing, so a run was cut off while it named its files; "
                                  "expected the results of a whole one (run it again)");
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
    load_fini(&p->load);
    latency_fini(&p->ttft);
    latency_fini(&p->gap);
    latency_fini(&p->e2e);
    chosen_tokens_fini(&p->chosen);
    free(p);
    return status;
}
