#include "sweep_plan.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "interrupt.h"
#include "keep_inputs.h"

#define MANY_POINTS 1000000
/* An event takes some tens of nanoseconds. */
#define EVENTS_BETWEEN_LOOKS 4096
#define SECONDS_BETWEEN_LINES 0.2

const struct cli_option sweep_options_table[] = {
    {.name = "trace",
     .argument = "FILE",
     .help = "the trace that all points replay",
     .kind = CLI_STRING,
     .offset = offsetof(struct sweep_options, trace)},
    {.name = "output",
     .argument = "DIR",
     .help = "where the results go; else results/<name of the spec or trace>-<command>",
     .kind = CLI_STRING,
     .offset = offsetof(struct sweep_options, output)},
    {.name = "jobs",
     .argument = "N",
     .help = "threads (0: one for each core)",
     .kind = CLI_U64,
     .initial = "0",
     .max = 4096,
     .offset = offsetof(struct sweep_options, jobs)},
    {.name = "shard",
     .argument = "I/N",
     .help = "only the I-th of N shares of the points (I from 0); `llmsim sweep merge` joins them",
     .kind = CLI_STRING,
     .offset = offsetof(struct sweep_options, shard)},
    {.name = "dry-run",
     .help = "print the number of points, and the points, and do nothing",
     .kind = CLI_FLAG,
     .offset = offsetof(struct sweep_options, dry_run)},
    {.name = "yes",
     .help = "go on with more than a million points",
     .kind = CLI_FLAG,
     .offset = offsetof(struct sweep_options, yes)},
    CLI_OPTION_END,
};

/* ---- the grid ---- */

/* The replay's option of this name; NULL for "trace", which is none. */
static const struct cli_option *find_row(const struct sweep_plan *plan, const char *name)
{
    for (const struct cli_option *o = plan->replay.rows; o->name != NULL; o++)
        if (strcmp(o->name, name) == 0)
            return o;
    return NULL;
}

/* The keys of a spec: "trace" and the options, by their first names. */
static const char *known_name(void *ctx, size_t i)
{
    const struct sweep_plan *plan = ctx;
    if (i == 0)
        return "trace";
    for (const struct cli_option *o = plan->replay.rows; o->name != NULL; o++)
        if (!o->is_alias && --i == 0)
            return o->name;
    return NULL;
}

static enum llmsim_status check_value(void *ctx, const char *name, const char *value,
                                      struct llmsim_error *err)
{
    const struct sweep_plan *plan = ctx;
    struct replay_settings unused;
    if (plan->not_swept != NULL && strcmp(name, plan->not_swept) == 0)
        return llmsim_fail(err, LLMSIM_USAGE, "--%s is what %s finds; expected other settings",
                           name, plan->command);
    const struct cli_option *row = find_row(plan, name);
    return row != NULL ? cli_set_option(row, value, &unused, err) : LLMSIM_OK;
}

/* An option of the command line: values with commas between, or one. */
static enum llmsim_status add_option(struct sweep_plan *plan, const struct cli_option *row,
                                     const char *typed, struct llmsim_error *err)
{
    enum llmsim_status status = LLMSIM_OK;
    size_t n = 1, i = 0;
    bool one = row->one_value || row->has_commas;
    for (const char *p = typed; !one && *p != '\0'; p++)
        n += *p == ',';
    char *copy = strdup(typed);
    const char **values = calloc(n, sizeof *values);
    if (copy == NULL || values == NULL)
        status = llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    for (char *p = copy; status == LLMSIM_OK && i < n; i++) {
        values[i] = p;
        p += one ? strlen(p) : strcspn(p, ",");
        if (*p != '\0')
            *p++ = '\0';
        status = check_value(plan, row->name, values[i], err);
    }
    if (status == LLMSIM_OK)
        status = n == 1 ? llmsim_grid_fix(plan->grid, row->name, values[0], err)
                        : llmsim_grid_add_axis(plan->grid, row->name, values, n, err);
    free(values);
    free(copy);
    return status;
}

static enum llmsim_status add_options(struct sweep_plan *plan, struct llmsim_error *err)
{
    enum llmsim_status status = LLMSIM_OK;
    if (plan->options->trace != NULL)
        status = llmsim_grid_fix(plan->grid, "trace", plan->options->trace, err);
    for (size_t i = 0; plan->replay.rows[i].name != NULL && status == LLMSIM_OK; i++)
        if (plan->options->texts[i] != NULL)
            status = add_option(plan, &plan->replay.rows[i], plan->options->texts[i], err);
    return status;
}

/* Does every point have what a replay must have, and is what is read once the same in all? */
static enum llmsim_status check_grid(struct sweep_plan *plan, struct llmsim_error *err)
{
    bool has[CLI_MAX_OPTIONS] = {false};
    for (size_t i = 0; i < llmsim_grid_n_settings(plan->grid); i++) {
        const char *name = llmsim_grid_name(plan->grid, i);
        const struct cli_option *row = find_row(plan, name);
        if (row == NULL)
            plan->trace_path = llmsim_grid_value(plan->grid, 0, i);
        else
            has[row - plan->replay.rows] = true;
        if ((row == NULL || row->one_value) && !llmsim_grid_is_fixed(plan->grid, i))
            return llmsim_fail(err, LLMSIM_USAGE,
                               "--%s is the same for all points; expected one value", name);
    }
    if (plan->trace_path == NULL || plan->trace_path[0] == '\0')
        return llmsim_fail(err, LLMSIM_USAGE, "%s: --trace FILE is missing; see `llmsim %s --help`",
                           plan->command, plan->command);
    for (const struct cli_option *o = plan->replay.rows; o->name != NULL; o++)
        if (o->required && !has[o - plan->replay.rows])
            return llmsim_fail(err, LLMSIM_USAGE, "%s: --%s %s is missing; see `llmsim %s --help`",
                               plan->command, o->name, o->argument, plan->command);
    return LLMSIM_OK;
}

static enum llmsim_status parse_shard(struct sweep_plan *plan, struct llmsim_error *err)
{
    const char *text = plan->options->shard;
    char first[32];
    plan->n_shards = 1;
    if (text == NULL)
        return LLMSIM_OK;
    size_t length = strcspn(text, "/");
    (void)snprintf(first, sizeof first, "%.*s", (int)(length < 31 ? length : 31), text);
    if (text[length] == '/' && cli_parse_u64(first, &plan->shard) &&
        cli_parse_u64(text + length + 1, &plan->n_shards) && plan->shard < plan->n_shards &&
        plan->n_shards <= LLMSIM_MAX_POINTS)
        return LLMSIM_OK;
    return llmsim_fail(err, LLMSIM_USAGE, "--shard '%s': expected I/N with I from 0 to N-1", text);
}

/* An option that goes with one that this point does not have asks for nothing: it has its default
 * there. Until nothing changes, as one that is put back may be what another goes with. */
static enum llmsim_status put_back_unused(const struct cli_option *rows, bool *used,
                                          struct replay_settings *settings,
                                          struct llmsim_error *err)
{
    enum llmsim_status status = LLMSIM_OK;
    for (bool changed = true; changed && status == LLMSIM_OK;) {
        changed = false;
        for (size_t i = 0; rows[i].name != NULL && status == LLMSIM_OK; i++) {
            if (!used[i] || !cli_is_in_vain(rows, i, settings))
                continue;
            used[i] = false;
            changed = true;
            status = cli_set_option(&rows[i], rows[i].kind == CLI_FLAG ? "false" : rows[i].initial,
                                    settings, err);
        }
    }
    return status;
}

/* The values that the options have at a point; `found` is that of the one that is not swept. In
 * `used` those that the grid gives, and the point makes use of. */
static enum llmsim_status set_point(const struct sweep_plan *plan, uint64_t point,
                                    const char *found, struct replay_settings *settings,
                                    bool used[static CLI_MAX_OPTIONS], struct llmsim_error *err)
{
    const struct cli_option *rows = plan->replay.rows;
    memset(settings, 0, sizeof *settings);
    memset(used, 0, CLI_MAX_OPTIONS * sizeof *used);
    enum llmsim_status status = cli_set_defaults(rows, settings, err);
    for (size_t i = 0; i < llmsim_grid_n_settings(plan->grid) && status == LLMSIM_OK; i++) {
        const struct cli_option *row = find_row(plan, llmsim_grid_name(plan->grid, i));
        const char *value = llmsim_grid_value(plan->grid, point, i);
        if (row == NULL || value == NULL)
            continue;
        used[row - rows] = true;
        status = cli_set_option(row, value, settings, err);
    }
    for (size_t i = 0; rows[i].name != NULL && found != NULL && status == LLMSIM_OK; i++)
        if (strcmp(rows[i].name, plan->not_swept) == 0) {
            used[i] = true;
            status = cli_set_option(&rows[i], found, settings, err);
        }
    for (size_t i = 0; rows[i].name != NULL && status == LLMSIM_OK; i++)
        if (rows[i].required && !used[i])
            status = llmsim_fail(err, LLMSIM_USAGE, "--%s %s is missing", rows[i].name,
                                 rows[i].argument);
    return status == LLMSIM_OK ? put_back_unused(rows, used, settings, err) : status;
}

/* An option that no point makes use of is a mistake. Looks at points until each has been used. */
static enum llmsim_status check_used(const struct sweep_plan *plan, struct llmsim_error *err)
{
    const struct cli_option *rows = plan->replay.rows;
    bool used[CLI_MAX_OPTIONS], is_open[CLI_MAX_OPTIONS] = {false},
                                in_vain[CLI_MAX_OPTIONS] = {false};
    struct replay_settings settings;
    size_t n_open = 0;
    for (size_t i = 0; i < llmsim_grid_n_settings(plan->grid); i++) {
        const struct cli_option *row = find_row(plan, llmsim_grid_name(plan->grid, i));
        if (row != NULL && row->goes_with != NULL && !row->may_be_idle) {
            is_open[row - rows] = true;
            n_open++;
        }
    }
    for (uint64_t p = 0; p < llmsim_grid_n_points(plan->grid) && n_open > 0; p++) {
        if (set_point(plan, p, NULL, &settings, used, NULL) != LLMSIM_OK)
            continue; /* which the point says */
        for (size_t i = 0; i < llmsim_grid_n_settings(plan->grid); i++) {
            const struct cli_option *row = find_row(plan, llmsim_grid_name(plan->grid, i));
            size_t at = row != NULL ? (size_t)(row - rows) : 0;
            if (row == NULL || !is_open[at] || llmsim_grid_value(plan->grid, p, i) == NULL)
                continue;
            in_vain[at] = in_vain[at] || !used[at];
            is_open[at] = !used[at] || !cli_asks(row, &settings);
            n_open -= !is_open[at];
        }
    }
    for (size_t i = 0; rows[i].name != NULL && n_open > 0; i++)
        if (is_open[i] && in_vain[i])
            return cli_fail_in_vain(&rows[i], err);
    return LLMSIM_OK;
}

static enum llmsim_status check_size(const struct sweep_plan *plan, struct llmsim_error *err)
{
    uint64_t n_points = llmsim_grid_n_points(plan->grid);
    if (n_points <= MANY_POINTS || plan->options->yes || plan->options->dry_run)
        return LLMSIM_OK;
    return llmsim_fail(err, LLMSIM_USAGE, "%s: the grid has %llu points; with --yes it goes on",
                       plan->command, (unsigned long long)n_points);
}

enum llmsim_status sweep_plan_init(struct sweep_plan *plan, const char *spec_path,
                                   struct llmsim_error *err)
{
    const struct llmsim_grid_keys keys = {plan, known_name, check_value};
    plan->spec_path = spec_path;
    cli_list_options(replay_settings_options, &plan->replay);
    enum llmsim_status status = llmsim_grid_create(&plan->grid, err);
    if (status == LLMSIM_OK && spec_path != NULL)
        status = llmsim_grid_load(plan->grid, spec_path, &keys, err);
    if (status == LLMSIM_OK)
        status = add_options(plan, err);
    if (status == LLMSIM_OK)
        status = check_grid(plan, err);
    if (status == LLMSIM_OK)
        status = check_size(plan, err);
    if (status == LLMSIM_OK)
        status = check_used(plan, err);
    if (status == LLMSIM_OK)
        status = parse_shard(plan, err);
    if (status != LLMSIM_OK)
        return status;
    char suffix[32];
    (void)snprintf(suffix, sizeof suffix, "-%s", plan->command);
    if (plan->options->output != NULL)
        (void)snprintf(plan->dir, sizeof plan->dir, "%s", plan->options->output);
    else
        cli_default_output(spec_path != NULL ? spec_path : plan->trace_path, suffix, plan->dir,
                           sizeof plan->dir);
    return LLMSIM_OK;
}

/* ---- what is read once ---- */

/* Those values that are the same at all points; the others are their defaults. */
static enum llmsim_status set_common(const struct sweep_plan *plan,
                                     struct replay_settings *settings, struct llmsim_error *err)
{
    memset(settings, 0, sizeof *settings);
    enum llmsim_status status = cli_set_defaults(plan->replay.rows, settings, err);
    for (size_t i = 0; i < llmsim_grid_n_settings(plan->grid) && status == LLMSIM_OK; i++) {
        const struct cli_option *row = find_row(plan, llmsim_grid_name(plan->grid, i));
        if (row != NULL && row->one_value)
            status = cli_set_option(row, llmsim_grid_value(plan->grid, 0, i), settings, err);
    }
    return status;
}

/* Does a point ask for the trace's hash ids? */
static bool wants_prefixes(const struct sweep_plan *plan)
{
    for (size_t i = 0; i < llmsim_grid_n_settings(plan->grid); i++) {
        if (strcmp(llmsim_grid_name(plan->grid, i), "enable-prefix-caching") != 0)
            continue;
        for (uint64_t p = 0; p < llmsim_grid_n_points(plan->grid); p++) {
            const char *value = llmsim_grid_value(plan->grid, p, i);
            if (value != NULL && strcmp(value, "false") != 0)
                return true;
        }
    }
    return false;
}

static enum llmsim_status open_trace(struct sweep_plan *plan,
                                     const struct cli_trace_options *common,
                                     struct llmsim_error *err)
{
    struct llmsim_trace_options options = cli_reader_options(common);
    options.with_prefixes = wants_prefixes(plan);
    return llmsim_trace_open(plan->trace_path, &options, &plan->trace, err);
}

enum llmsim_status sweep_plan_load(struct sweep_plan *plan, struct llmsim_error *err)
{
    struct replay_settings common;
    enum llmsim_status status = set_common(plan, &common, err);
    if (status == LLMSIM_OK)
        status = llmsim_catalogue_open(common.catalogue.data_dir, &plan->catalogue, err);
    if (status == LLMSIM_OK)
        status = open_trace(plan, &common.trace, err);
    if (status == LLMSIM_OK)
        status = llmsim_memory_trace_read(plan->trace, &plan->memory, err);
    return status;
}

void sweep_plan_fini(struct sweep_plan *plan)
{
    llmsim_memory_trace_fini(&plan->memory);
    llmsim_trace_close(plan->trace);
    llmsim_catalogue_close(plan->catalogue);
    llmsim_grid_destroy(plan->grid);
}

/* ---- points ---- */

static bool observe(void *ctx, const struct llmsim_observation *observation)
{
    (void)ctx;
    (void)observation;
    return interrupt_seen() == 0;
}

enum llmsim_status sweep_plan_setup(const struct sweep_plan *plan, uint64_t point,
                                    const char *found, struct replay_setup *setup,
                                    struct llmsim_error *err)
{
    struct replay_settings settings;
    bool used[CLI_MAX_OPTIONS];
    enum llmsim_status status = set_point(plan, point, found, &settings, used, err);
    if (status == LLMSIM_OK)
        status = replay_setup_init(setup, &settings, plan->trace_path, plan->catalogue, err);
    if (status == LLMSIM_OK)
        status = replay_setup_check(&settings, &plan->memory.status, err);
    if (status == LLMSIM_OK)
        status = llmsim_replay_check(&setup->config, err);
    if (status == LLMSIM_OK && plan->not_swept != NULL && setup->config.max_concurrency > 0 &&
        (setup->config.from_ns > 0 || setup->config.until_ns > 0))
        status =
            llmsim_fail(err, LLMSIM_USAGE,
                        "%s: --from, --until: in a closed loop they have other requests at "
                        "each value that is tried; expected none (--limit N takes the first N)",
                        plan->command);
    if (status == LLMSIM_OK && plan->needs_slo && !llmsim_slo_is_set(&setup->description.slo))
        status =
            llmsim_fail(err, LLMSIM_USAGE, "%s: --slo BOUNDS is missing; see `llmsim %s --help`",
                        plan->command, plan->command);
    setup->config.observe = observe;
    setup->config.observe_every = EVENTS_BETWEEN_LOOKS;
    return status;
}

/* What is wrong with every point is wrong with the sweep, which then does not begin. */
static enum llmsim_status check_points(const struct sweep_plan *plan, struct llmsim_error *err)
{
    struct replay_setup setup;
    struct llmsim_error why;
    enum llmsim_status status = sweep_plan_setup(plan, 0, plan->probe, &setup, err);
    for (uint64_t p = 1; p < llmsim_grid_n_points(plan->grid) && status != LLMSIM_OK; p++)
        if (sweep_plan_setup(plan, p, plan->probe, &setup, &why) == LLMSIM_OK)
            return LLMSIM_OK;
    return status;
}

/* Points by what replay_setup_warning looks at, as a setup takes too long to make one of each of a
 * million points. */
#define MAX_KINDS 64
static const char *const settings_that_matter[] = {
    "model", "gpu", "tensor-parallel-size", "kv-cache", "num-gpu-blocks", "cost", "ptps"};
#define N_THAT_MATTER (sizeof settings_that_matter / sizeof *settings_that_matter)

/* Of how many points a warning is due, and the first of them. */
struct warned {
    uint64_t n, first;
    char text[CLI_MAX_WARNING]; /* of that */
};

struct warnings {
    size_t settings[N_THAT_MATTER]; /* of the grid */
    size_t n_settings;
    struct {
        uint64_t point; /* the first of the kind */
        bool is_due[REPLAY_N_WARNINGS];
    } kinds[MAX_KINDS];
    size_t n_kinds;
    struct warned due[REPLAY_N_WARNINGS];
};

static void list_settings_that_matter(const struct sweep_plan *plan, struct warnings *w)
{
    w->n_settings = 0;
    for (size_t i = 0; i < llmsim_grid_n_settings(plan->grid); i++)
        for (size_t j = 0; j < N_THAT_MATTER; j++)
            if (!llmsim_grid_is_fixed(plan->grid, i) &&
                strcmp(llmsim_grid_name(plan->grid, i), settings_that_matter[j]) == 0)
                w->settings[w->n_settings++] = i;
}

static bool is_alike(const struct sweep_plan *plan, const struct warnings *w, uint64_t a,
                     uint64_t b)
{
    for (size_t i = 0; i < w->n_settings; i++) {
        const char *of_a = llmsim_grid_value(plan->grid, a, w->settings[i]);
        const char *of_b = llmsim_grid_value(plan->grid, b, w->settings[i]);
        if (of_a != of_b && (of_a == NULL || of_b == NULL || strcmp(of_a, of_b) != 0))
            return false;
    }
    return true;
}

static void count_warned(struct warned *w, uint64_t point, const char *text)
{
    if (w->n++ > 0)
        return;
    w->first = point;
    (void)snprintf(w->text, sizeof w->text, "%s", text);
}

static void print_warned(const struct sweep_plan *plan, const struct warned *w)
{
    if (w->n > 0)
        (void)fprintf(stderr, "llmsim: warning: %llu of %llu points, the first of them %llu: %s\n",
                      (unsigned long long)w->n,
                      (unsigned long long)llmsim_grid_n_points(plan->grid),
                      (unsigned long long)w->first, w->text);
}

static void look_at_point(const struct sweep_plan *plan, struct warnings *w, uint64_t point)
{
    struct replay_setup setup;
    struct llmsim_error why;
    char text[CLI_MAX_WARNING];
    bool is_due[REPLAY_N_WARNINGS];
    for (size_t k = 0; k < w->n_kinds; k++) {
        if (!is_alike(plan, w, w->kinds[k].point, point))
            continue;
        for (size_t i = 0; i < REPLAY_N_WARNINGS; i++)
            w->due[i].n += w->kinds[k].is_due[i]; /* its first point has been counted */
        return;
    }
    /* Where this point is not sound, another of its kind may be. */
    if (sweep_plan_setup(plan, point, plan->probe, &setup, &why) != LLMSIM_OK)
        return;
    for (size_t i = 0; i < REPLAY_N_WARNINGS; i++) {
        is_due[i] = replay_setup_warning(&setup, i, text, sizeof text) != NULL;
        if (is_due[i])
            count_warned(&w->due[i], point, text);
    }
    if (w->n_kinds < MAX_KINDS) {
        w->kinds[w->n_kinds].point = point;
        memcpy(w->kinds[w->n_kinds++].is_due, is_due, sizeof is_due);
    }
}

/* What replay would say of each point is said once, of the first, with how many there are. A point
 * that fails says why in its row. */
static void warn(const struct sweep_plan *plan)
{
    struct warnings w = {.n_kinds = 0};
    uint64_t n_points = llmsim_grid_n_points(plan->grid);
    list_settings_that_matter(plan, &w);
    for (uint64_t p = 0; p < n_points; p++)
        look_at_point(plan, &w, p);
    for (size_t i = 0; i < REPLAY_N_WARNINGS; i++)
        print_warned(plan, &w.due[i]);
}

/* ---- columns of the table ---- */

void sweep_put_warnings(struct llmsim_csv_row *row, const struct replay_setup *setup,
                        const struct llmsim_summary *summary)
{
    char names[CLI_MAX_WARNING] = "", text[CLI_MAX_WARNING];
    uint64_t n[REPLAY_N_END_WARNINGS], n_all[REPLAY_N_END_WARNINGS];
    const char *due[REPLAY_N_WARNINGS + REPLAY_N_END_WARNINGS];
    for (size_t i = 0; i < REPLAY_N_WARNINGS; i++)
        due[i] = replay_setup_warning(setup, i, text, sizeof text);
    replay_count_warnings(summary, n, n_all);
    for (size_t i = 0; i < REPLAY_N_END_WARNINGS; i++)
        due[REPLAY_N_WARNINGS + i] = n[i] > 0 ? replay_end_warnings[i].column : NULL;
    for (size_t i = 0; i < sizeof due / sizeof *due; i++) {
        size_t used = strlen(names);
        if (due[i] != NULL)
            (void)snprintf(names + used, sizeof names - used, "%s%s", used > 0 ? " " : "", due[i]);
    }
    llmsim_csv_row_text(row, names);
}

/* To the comma behind a field, or the end of the row. */
static const char *skip_field(const char *p)
{
    bool is_quoted = false;
    for (; *p != '\0' && (is_quoted || *p != ','); p++)
        is_quoted = is_quoted != (*p == '"'); /* a doubled quote ends and begins */
    return p;
}

const char *sweep_row_field(const char *header, const char *row, const char *name, size_t *length)
{
    size_t n_name = strlen(name);
    for (;;) {
        const char *header_end = skip_field(header), *row_end = skip_field(row);
        if ((size_t)(header_end - header) == n_name && memcmp(header, name, n_name) == 0) {
            *length = (size_t)(row_end - row);
            return row;
        }
        if (*header_end == '\0' || *row_end == '\0')
            break;
        header = header_end + 1;
        row = row_end + 1;
    }
    *length = 0;
    return "";
}

static uint64_t number_in(const char *header, const char *row, const char *name)
{
    size_t length;
    return strtoull(sweep_row_field(header, row, name, &length), NULL, 10);
}

/* What a replay says when it is over. The setup is made anew, for the first of the points. */
static void look_at_end(const struct sweep_plan *plan, const char *header, const char *row,
                        uint64_t point, struct warned due[static REPLAY_N_END_WARNINGS])
{
    struct replay_setup setup;
    char text[CLI_MAX_WARNING] = "";
    for (size_t i = 0; i < REPLAY_N_END_WARNINGS; i++) {
        const struct replay_end_warning *w = &replay_end_warnings[i];
        uint64_t n = number_in(header, row, w->column);
        if (n == 0)
            continue;
        if (due[i].n == 0 &&
            (sweep_plan_setup(plan, point, plan->probe, &setup, NULL) != LLMSIM_OK ||
             !w->is_due(&setup, n, number_in(header, row, w->column_of_all), text, sizeof text)))
            continue;
        count_warned(&due[i], point, text);
    }
}

bool sweep_plan_has_option(const struct sweep_plan *plan, const char *name)
{
    return find_row(plan, name) != NULL;
}

enum llmsim_status sweep_fail_point(enum llmsim_status outcome, const struct llmsim_error *why,
                                    size_t n_columns, struct llmsim_csv_row *row,
                                    struct llmsim_error *err)
{
    char text[LLMSIM_ERROR_FILE_MAX + LLMSIM_ERROR_MESSAGE_MAX + 64];
    if (outcome == LLMSIM_INTERRUPTED) {
        *err = *why;
        return LLMSIM_INTERRUPTED;
    }
    llmsim_error_format(why, text, sizeof text);
    llmsim_csv_row_text(row, "failed");
    llmsim_csv_row_text(row, text);
    llmsim_csv_row_empty(row, n_columns);
    return LLMSIM_OK;
}

static bool is_swept(const struct sweep_plan *plan, const char *name, size_t length);

/* Not all points have the same value of this setting, or make use of it. */
static bool has_column(const struct sweep_plan *plan, size_t setting)
{
    const struct cli_option *row = find_row(plan, llmsim_grid_name(plan->grid, setting));
    return !llmsim_grid_is_fixed(plan->grid, setting) ||
           (row != NULL && row->goes_with != NULL &&
            is_swept(plan, row->goes_with, strcspn(row->goes_with, "=")));
}

/* Is the option with this name swept? */
static bool is_swept(const struct sweep_plan *plan, const char *name, size_t length)
{
    for (size_t i = 0; i < llmsim_grid_n_settings(plan->grid); i++) {
        const char *other = llmsim_grid_name(plan->grid, i);
        if (strncmp(other, name, length) == 0 && other[length] == '\0')
            return has_column(plan, i);
    }
    return false;
}

void sweep_plan_header(const struct sweep_plan *plan, struct llmsim_csv_row *row)
{
    llmsim_csv_row_text(row, "point");
    for (size_t i = 0; i < llmsim_grid_n_settings(plan->grid); i++) {
        char name[64];
        if (!has_column(plan, i))
            continue;
        (void)snprintf(name, sizeof name, "%s", llmsim_grid_name(plan->grid, i));
        for (char *p = name; *p != '\0'; p++)
            if (*p == '-')
                *p = '_';
        llmsim_csv_row_text(row, name);
    }
}

void sweep_plan_row(const struct sweep_plan *plan, uint64_t point, struct llmsim_csv_row *row)
{
    struct replay_settings settings;
    bool used[CLI_MAX_OPTIONS];
    bool all = set_point(plan, point, NULL, &settings, used, NULL) != LLMSIM_OK;
    llmsim_csv_row_u64(row, point);
    for (size_t i = 0; i < llmsim_grid_n_settings(plan->grid); i++) {
        const struct cli_option *option = find_row(plan, llmsim_grid_name(plan->grid, i));
        const char *value = llmsim_grid_value(plan->grid, point, i);
        if (has_column(plan, i))
            llmsim_csv_row_text(
                row, value != NULL && (all || used[option - plan->replay.rows]) ? value : "");
    }
}

/* ---- the whole ---- */

/* The number of points, then a table of them. */
static enum llmsim_status print_points(const struct sweep_plan *plan, struct llmsim_error *err)
{
    struct llmsim_csv_row row = {0};
    uint64_t n_points = llmsim_grid_n_points(plan->grid);
    (void)printf("points         %llu\n", (unsigned long long)n_points);
    sweep_plan_header(plan, &row);
    (void)printf("%s\n", row.failed ? "" : row.text);
    for (uint64_t p = 0; p < n_points && !row.failed && ferror(stdout) == 0; p++) {
        if (!llmsim_sweep_is_in_shard(p, plan->shard, plan->n_shards))
            continue;
        llmsim_csv_row_fini(&row);
        sweep_plan_row(plan, p, &row);
        if (!row.failed)
            (void)printf("%s\n", row.text);
    }
    bool failed = row.failed;
    llmsim_csv_row_fini(&row);
    return failed ? llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory") : LLMSIM_OK;
}

/* Files that have a bearing on the numbers, by what is in them: the catalogues, and whatever files
 * options name. */
static enum llmsim_status add_files(const struct sweep_plan *plan,
                                    struct llmsim_json_document *manifest, struct llmsim_error *err)
{
    struct replay_settings common;
    const char *name;
    char dir[LLMSIM_ERROR_FILE_MAX], path[LLMSIM_ERROR_FILE_MAX + 16];
    enum llmsim_status status = set_common(plan, &common, err);
    if (status == LLMSIM_OK)
        status = llmsim_catalogue_find_dir(common.catalogue.data_dir, dir, sizeof dir, err);
    for (size_t i = 0; (name = cli_catalogue_file(i)) != NULL && status == LLMSIM_OK; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, name);
        status = llmsim_manifest_add_file(manifest, path, err);
    }
    for (size_t i = 0; i < llmsim_grid_n_settings(plan->grid) && status == LLMSIM_OK; i++) {
        const struct cli_option *row = find_row(plan, llmsim_grid_name(plan->grid, i));
        if (row != NULL && row->kind == CLI_STRING && llmsim_grid_is_fixed(plan->grid, i))
            status = llmsim_manifest_add_file(manifest, llmsim_grid_value(plan->grid, 0, i), err);
    }
    return status;
}

/* DIR/summaries/POINT.json: is `path` one? */
static bool is_summary(const struct sweep_plan *plan, const char *path, char *own, size_t capacity)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    (void)snprintf(own, capacity, "%s/summaries/%s", plan->dir, name);
    return plan->summaries && strcmp(name + strspn(name, "0123456789"), ".json") == 0;
}

/* The files of the directory are none of those that are read. */
static enum llmsim_status keep_inputs(const struct sweep_plan *plan, const char *file_name,
                                      struct llmsim_error *err)
{
    enum { N_FILES = 3, N_READ = 2 };
    const char *const names[N_FILES] = {file_name, "journal", "manifest.json"};
    const char *const read[N_READ] = {plan->trace_path, plan->spec_path};
    const char *const read_as[N_READ] = {"the trace", "the spec"};
    char paths[N_FILES + 1][sizeof plan->dir + LLMSIM_ERROR_FILE_MAX];
    struct cli_output outputs[N_FILES + 1];
    struct replay_settings common;
    for (size_t i = 0; i <= N_FILES; i++)
        outputs[i] = (struct cli_output){"the results", paths[i]};
    for (size_t i = 0; i < N_FILES; i++)
        (void)snprintf(paths[i], sizeof paths[i], "%s/%s", plan->dir, names[i]);
    enum llmsim_status status = set_common(plan, &common, err);
    for (size_t i = 0; i < N_READ && status == LLMSIM_OK; i++) {
        bool also = read[i] != NULL && is_summary(plan, read[i], paths[N_FILES], sizeof *paths);
        status = cli_keep_input(outputs, N_FILES + also, read_as[i], read[i], err);
    }
    if (status == LLMSIM_OK)
        status = cli_keep_catalogue(outputs, N_FILES, common.catalogue.data_dir, NULL, err);
    return status;
}

static enum llmsim_status open_dir(const struct sweep_plan *plan, const struct sweep_table *table,
                                   struct llmsim_json_document *manifest,
                                   struct llmsim_sweep **sweep, struct llmsim_error *err)
{
    llmsim_manifest_describe(manifest, plan->command, plan->grid, &plan->memory, plan->trace_path);
    if (plan->goal != NULL)
        llmsim_json_add_string(manifest, manifest->root, "goal", plan->goal);
    if (plan->summaries)
        llmsim_json_add_string(manifest, manifest->root, "summaries", "yes");
    enum llmsim_status status = add_files(plan, manifest, err);
    if (status != LLMSIM_OK)
        return status;
    const struct llmsim_sweep_options options = {
        .dir = plan->dir,
        .file_name = table->file_name,
        .header = table->header,
        .manifest = manifest,
        .n_points = llmsim_grid_n_points(plan->grid),
        .shard = plan->shard,
        .n_shards = plan->n_shards,
    };
    return llmsim_sweep_open(&options, sweep, err);
}

static unsigned count_cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

static enum llmsim_status fail_interrupted(const struct sweep_plan *plan,
                                           const struct llmsim_sweep *sweep,
                                           struct llmsim_error *err)
{
    struct llmsim_sweep_progress progress = llmsim_sweep_get_progress(sweep);
    return llmsim_fail(err, LLMSIM_INTERRUPTED,
                       "interrupted: %llu of %llu points are finished and kept in %s; the same "
                       "command goes on from there",
                       (unsigned long long)progress.n_finished,
                       (unsigned long long)progress.n_points, plan->dir);
}

static void say_before(const struct sweep_plan *plan, const struct llmsim_sweep *sweep)
{
    struct llmsim_sweep_progress progress = llmsim_sweep_get_progress(sweep);
    char dir[CLI_SHOWN_MAX];
    if (progress.n_finished > 0)
        (void)fprintf(stderr, "%s: %llu of %llu points were finished before\n",
                      llmsim_shown(plan->dir, dir, sizeof dir),
                      (unsigned long long)progress.n_finished,
                      (unsigned long long)progress.n_points);
}

/* By the threads of this process, or by the other ranks. */
static enum llmsim_status fill(const struct sweep_plan *plan, const struct llmsim_sweep_work *work,
                               struct llmsim_sweep *sweep, struct llmsim_error *err)
{
    unsigned n_jobs = (unsigned)plan->options->jobs;
    enum llmsim_status status;
    if (plan->ranks.size > 1)
        status = ranks_run(&plan->ranks, sweep, work, err);
    else
        status = llmsim_sweep_run(sweep, work, n_jobs > 0 ? n_jobs : count_cores(), err);
    if (status == LLMSIM_INTERRUPTED && sweep != NULL)
        return fail_interrupted(plan, sweep, err);
    return status;
}

enum llmsim_status sweep_report(const struct llmsim_sweep_progress *p, const char *dir,
                                const char *file_name, struct llmsim_error *err)
{
    char shown[CLI_SHOWN_MAX];
    (void)printf("points         %llu: %llu ok, %llu failed\n%s/%s\n",
                 (unsigned long long)p->n_points, (unsigned long long)(p->n_points - p->n_failed),
                 (unsigned long long)p->n_failed, llmsim_shown(dir, shown, sizeof shown),
                 file_name);
    if (p->n_failed == 0)
        return LLMSIM_OK;
    return llmsim_fail(
        err, LLMSIM_RUN_FAILED, "%llu of %llu points failed; the column error of %s/%s says why",
        (unsigned long long)p->n_failed, (unsigned long long)p->n_points, dir, file_name);
}

static enum llmsim_status look_at_rows(const struct sweep_plan *plan,
                                       const struct sweep_table *table,
                                       const struct llmsim_sweep *sweep, struct llmsim_error *err)
{
    char *row = NULL;
    size_t capacity = 0;
    struct warned due[REPLAY_N_END_WARNINGS] = {{.n = 0}};
    enum llmsim_status status = LLMSIM_OK;
    uint64_t n_points = llmsim_grid_n_points(plan->grid);
    for (uint64_t p = 0; p < n_points && status == LLMSIM_OK; p++) {
        if (!llmsim_sweep_is_in_shard(p, plan->shard, plan->n_shards))
            continue;
        status = llmsim_sweep_row(sweep, p, &row, &capacity, err);
        if (status != LLMSIM_OK)
            break;
        look_at_end(plan, table->header, row, p, due);
        if (table->look != NULL)
            table->look(table->look_ctx, row);
    }
    free(row);
    for (size_t i = 0; i < REPLAY_N_END_WARNINGS && status == LLMSIM_OK; i++)
        print_warned(plan, &due[i]);
    return status;
}

/* What only rank 0 does: the directory is its own. */
static enum llmsim_status finish(const struct sweep_plan *plan, const struct sweep_table *table,
                                 struct llmsim_sweep *sweep, struct llmsim_error *err)
{
    enum llmsim_status status = llmsim_sweep_finish(sweep, err);
    if (status == LLMSIM_OK)
        status = look_at_rows(plan, table, sweep, err);
    if (status != LLMSIM_OK)
        return status;
    struct llmsim_sweep_progress progress = llmsim_sweep_get_progress(sweep);
    return sweep_report(&progress, plan->dir, table->file_name, err);
}

static double seconds_since(const struct timespec *then)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - then->tv_sec) + (double)(now.tv_nsec - then->tv_nsec) / 1e9;
}

/* The table's work, with a line on the terminal. */
struct shown_work {
    const struct llmsim_sweep_work *work;
    struct timespec start, last;
    uint64_t n_before; /* points that were finished at the start */
    bool is_terminal, is_shown;
};

static enum llmsim_status compute_shown(void *ctx, uint64_t point, struct llmsim_csv_row *row,
                                        enum llmsim_status *outcome, struct llmsim_error *err)
{
    const struct llmsim_sweep_work *work = ((struct shown_work *)ctx)->work;
    return work->compute(work->ctx, point, row, outcome, err);
}

static void show_progress(void *ctx, const struct llmsim_sweep_progress *p)
{
    struct shown_work *shown = ctx;
    if (!shown->is_terminal || seconds_since(&shown->last) < SECONDS_BETWEEN_LINES)
        return;
    double rate = (double)(p->n_finished - shown->n_before) / seconds_since(&shown->start);
    (void)clock_gettime(CLOCK_MONOTONIC, &shown->last);
    (void)fprintf(stderr, "\r%llu of %llu points, %llu failed, %.1f points/s, %.0f s to go \033[K",
                  (unsigned long long)p->n_finished, (unsigned long long)p->n_points,
                  (unsigned long long)p->n_failed, rate,
                  (double)(p->n_points - p->n_finished) / rate);
    shown->is_shown = true;
}

static enum llmsim_status fill_shown(const struct sweep_plan *plan,
                                     const struct llmsim_sweep_work *work,
                                     struct llmsim_sweep *sweep, struct llmsim_error *err)
{
    struct shown_work shown = {.work = work, .is_terminal = isatty(STDERR_FILENO) == 1};
    const struct llmsim_sweep_work wrapped = {&shown, compute_shown, show_progress};
    if (sweep != NULL)
        shown.n_before = llmsim_sweep_get_progress(sweep).n_finished;
    (void)clock_gettime(CLOCK_MONOTONIC, &shown.start);
    shown.last = shown.start;
    enum llmsim_status status = fill(plan, &wrapped, sweep, err);
    if (shown.is_shown)
        (void)fputs("\r\033[K", stderr);
    return status;
}

static enum llmsim_status run_ranks(struct sweep_plan *plan, const struct sweep_table *table,
                                    struct llmsim_json_document *manifest,
                                    struct llmsim_sweep **sweep, struct llmsim_error *err)
{
    bool is_first = plan->ranks.rank == 0;
    enum llmsim_status status = LLMSIM_OK;
    if (plan->ranks.size > 1 && strcmp(plan->trace_path, "-") == 0)
        status = llmsim_fail(err, LLMSIM_USAGE, "--trace -: several processes cannot read stdin");
    if (status == LLMSIM_OK && is_first)
        status = keep_inputs(plan, table->file_name, err);
    if (status == LLMSIM_OK)
        status = sweep_plan_load(plan, err);
    if (status == LLMSIM_OK)
        status = check_points(plan, err);
    if (status == LLMSIM_OK && is_first)
        status = open_dir(plan, table, manifest, sweep, err);
    status = ranks_agree(&plan->ranks, status, err);
    if (status == LLMSIM_OK && is_first) {
        say_before(plan, *sweep);
        cli_note_origin(&plan->memory.status);
        warn(plan);
    }
    if (status == LLMSIM_OK)
        status = fill_shown(plan, &table->work, *sweep, err);
    return status == LLMSIM_OK && is_first ? finish(plan, table, *sweep, err) : status;
}

enum llmsim_status sweep_plan_run(struct sweep_plan *plan, const struct sweep_table *table,
                                  struct llmsim_error *err)
{
    struct llmsim_sweep *sweep = NULL;
    struct llmsim_json_document manifest;
    if (plan->options->dry_run)
        return print_points(plan, err);
    enum llmsim_status status = ranks_join(&plan->ranks, err);
    if (status != LLMSIM_OK)
        return status;
    llmsim_json_document_init(&manifest);
    interrupt_catch();
    status = run_ranks(plan, table, &manifest, &sweep, err);
    llmsim_sweep_close(sweep);
    ranks_leave(&plan->ranks, status);
    interrupt_release();
    llmsim_json_document_fini(&manifest);
    return status;
}
