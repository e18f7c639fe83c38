/* --trace-events, read back with cJSON: slices nest, tracks hold what requests.csv and the steps
 * say, and neither the engine nor how it groups steps shows. */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <math.h>

#include "support/collect.h"
#include "support/files.h"
#include "support/random_case.h"

enum { QUEUE, PREFILL, DECODE, PREEMPTED, TRANSFER, N_PHASES };
static const char *const phase_names[N_PHASES] = {"queue", "prefill", "decode", "preempted",
                                                  "transfer"};

/* What the tracks of a file add up to. */
struct tracks {
    int64_t phase_ns[CASE_MAX_REQUESTS][N_PHASES];
    int64_t begin_ns[CASE_MAX_REQUESTS], end_ns[CASE_MAX_REQUESTS];
    bool has_instant[CASE_MAX_REQUESTS], has_slice[CASE_MAX_REQUESTS];
    uint64_t n_steps, prefill_tokens, decode_tokens;
    int64_t busy_ns;
};

static int64_t number(const cJSON *event, const char *name)
{
    const cJSON *item = cJSON_GetObjectItem(event, name);
    cr_assert(cJSON_IsNumber(item), "%s", name);
    return (int64_t)item->valuedouble;
}

static int64_t time_ns(const cJSON *event)
{
    return llround(cJSON_GetObjectItem(event, "ts")->valuedouble * 1000);
}

static const char *text(const cJSON *event, const char *name)
{
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItem(event, name));
    return value != NULL ? value : "";
}

static void add_step_slice(struct tracks *t, const cJSON *begin, int64_t duration_ns)
{
    const cJSON *args = cJSON_GetObjectItem(begin, "args");
    char name[64];
    (void)snprintf(name, sizeof name, "%s %lld", text(begin, "cat"),
                   (long long)number(args, "batch_size"));
    cr_expect_str_eq(text(begin, "name"), name);
    t->n_steps += (uint64_t)number(args, "steps");
    t->prefill_tokens += (uint64_t)number(args, "prefill_tokens");
    t->decode_tokens += (uint64_t)number(args, "decode_tokens");
    t->busy_ns += duration_ns;
}

static void add_phase(struct tracks *t, int64_t row, const char *name, int64_t duration_ns)
{
    size_t phase = 0;
    while (phase < N_PHASES && strcmp(phase_names[phase], name) != 0)
        phase++;
    cr_assert_lt(phase, N_PHASES, "phase '%s'", name);
    t->phase_ns[row][phase] += duration_ns;
}

/* One event; `open` are the slices that have begun on this track, at most two. */
static void add_event(struct tracks *t, const cJSON *event, const cJSON *open[static 2],
                      size_t *n_open, int64_t *last_ns)
{
    bool is_request = number(event, "pid") == 2;
    int64_t row = number(event, "tid") - 1, now_ns = time_ns(event);
    const char *phase = text(event, "ph");
    cr_assert_geq(now_ns, *last_ns, "a track goes on in time");
    *last_ns = now_ns;
    if (strcmp(phase, "i") == 0) {
        t->has_instant[row] = true;
    } else if (strcmp(phase, "B") == 0) {
        cr_assert_lt(*n_open, is_request ? 2 : 1, "slices nest");
        open[(*n_open)++] = event;
    } else {
        cr_assert_str_eq(phase, "E");
        cr_assert_gt(*n_open, 0);
        const cJSON *begin = open[--*n_open];
        int64_t duration_ns = now_ns - time_ns(begin);
        if (!is_request) {
            add_step_slice(t, begin, duration_ns);
        } else if (*n_open == 1) {
            add_phase(t, row, text(begin, "name"), duration_ns);
        } else {
            cr_assert_not(t->has_slice[row]);
            t->has_slice[row] = true;
            t->begin_ns[row] = time_ns(begin);
            t->end_ns[row] = now_ns;
        }
    }
}

/* The events of a track stand together. */
static struct tracks *read_tracks(const char *json)
{
    struct tracks *t = calloc(1, sizeof *t);
    cJSON *root = cJSON_Parse(json);
    cr_assert(t != NULL && root != NULL, "not JSON near '%.40s'",
              root == NULL && cJSON_GetErrorPtr() != NULL ? cJSON_GetErrorPtr() : "");
    const cJSON *event, *open[2] = {NULL};
    size_t n_open = 0;
    int64_t last_ns = 0, last_track = 0;
    cJSON_ArrayForEach(event, cJSON_GetObjectItem(root, "traceEvents"))
    {
        if (strcmp(text(event, "ph"), "M") == 0) /* names */
            continue;
        int64_t track = number(event, "pid") * 1000000 + number(event, "tid");
        cr_assert_geq(track, last_track);
        if (track > last_track) {
            cr_assert_eq(n_open, 0, "every slice ends");
            last_ns = 0;
        }
        last_track = track;
        add_event(t, event, open, &n_open, &last_ns);
    }
    cr_assert_eq(n_open, 0);
    cJSON_Delete(root);
    return t;
}

static void check_requests(const struct tracks *t, const struct random_case *c,
                           const struct collected *collected, uint64_t limit)
{
    for (uint64_t row = 0; row < c->n_requests; row++) {
        const struct collected_request *r = collected_row(collected, row);
        if (r == NULL) { /* outside the window */
            cr_assert_not(t->has_slice[row] || t->has_instant[row]);
            continue;
        }
        bool is_completed = r->result.outcome == LLMSIM_OUTCOME_COMPLETED;
        cr_assert_eq(t->has_slice[row], row < limit && is_completed);
        cr_assert_eq(t->has_instant[row], row < limit && !is_completed);
        if (row >= limit || !is_completed)
            continue;
        const struct llmsim_attribution *a = &r->attribution;
        cr_assert_eq(t->begin_ns[row], r->result.request.arrival_ns);
        cr_assert_eq(t->end_ns[row], r->result.end_ns);
        cr_assert_eq(t->phase_ns[row][QUEUE], a->wait_ns);
        cr_assert_eq(t->phase_ns[row][PREFILL], a->prefill_ns);
        cr_assert_eq(t->phase_ns[row][DECODE], a->decode_ns + a->interference_ns);
        cr_assert_eq(t->phase_ns[row][PREEMPTED], a->preempted_ns);
        cr_assert_eq(t->phase_ns[row][TRANSFER], a->transfer_ns);
    }
}

static void check_steps(const struct tracks *t, const struct collected *collected)
{
    uint64_t prefill_tokens = 0, decode_tokens = 0, n_steps = 0;
    int64_t busy_ns = 0;
    for (size_t i = 0; i < collected->n_steps; i++) {
        const struct llmsim_step_run *step = &collected->steps[i];
        if (!step->is_reported)
            continue;
        n_steps++;
        prefill_tokens += step->shape.prefill_tokens;
        decode_tokens += step->shape.decode_seqs;
        busy_ns += llmsim_time_to_ns(step->end) - llmsim_time_to_ns(step->start);
    }
    cr_assert_eq(t->n_steps, n_steps);
    cr_assert_eq(t->prefill_tokens, prefill_tokens);
    cr_assert_eq(t->decode_tokens, decode_tokens);
    cr_assert_eq(t->busy_ns, busy_ns);
}

/* The file's text, to be freed. */
static char *run_case(struct random_case *c, const char *dir, const char *engine, uint64_t limit,
                      struct collected *collected)
{
    struct llmsim_model model = {.name = "m"};
    struct llmsim_gpu gpu = {.name = "g"};
    char path[512];
    (void)snprintf(path, sizeof path, "%s/events.json", dir);
    c->config.engine = engine;
    struct llmsim_run_description description = {
        .config = &c->config, .model = &model, .gpu = &gpu, .trace_name = "t"};
    struct llmsim_results_options options = {
        .dir = dir, .trace_events_path = path, .trace_events_n_requests = limit};
    struct llmsim_results *results;
    struct llmsim_error err = {0};
    cr_assert_eq(llmsim_results_open(&options, &description, &results, &err), LLMSIM_OK, "%s",
                 err.message);
    size_t n_sinks;
    const struct llmsim_sink *own = llmsim_results_sinks(results, &n_sinks);
    struct llmsim_sink sinks[8] = {{&collect_ops, collected}};
    *collected = (struct collected){0};
    for (size_t i = 0; i < n_sinks; i++)
        sinks[1 + i] = own[i];
    struct llmsim_source source = case_source(c);
    cr_assert_eq(llmsim_replay(&c->config, &source, sinks, 1 + n_sinks, &err), LLMSIM_OK, "%s",
                 err.message);
    cr_assert_eq(llmsim_results_commit(results, &err), LLMSIM_OK, "%s", err.message);
    llmsim_results_close(results);
    char *json = read_text(dir, "events.json", NULL);
    cr_assert_neq(json, NULL);
    return json;
}

Test(trace_events, random, .timeout = 300)
{
    char *dir = scratch_dir();
    for (uint64_t seed = 1; seed <= case_count(400); seed++) {
        struct random_case c;
        struct collected collected, other;
        case_make(&c, seed);
        uint64_t limit = seed % 3 == 0 ? seed % 20 : CASE_MAX_REQUESTS;
        char *step = run_case(&c, dir, "step", limit, &other);
        char *fast = run_case(&c, dir, "fast", limit, &collected);
        cr_assert_str_eq(step, fast, "case %llu", (unsigned long long)seed);
        struct tracks *t = read_tracks(fast);
        check_requests(t, &c, &collected, limit);
        check_steps(t, &collected);
        free(t);
        free(step);
        free(fast);
        collected_fini(&collected);
        collected_fini(&other);
    }
    remove_dir(dir);
}

/* Runs of one replica each that come in another order, and cut otherwise, give the same file. */
static void report(const struct llmsim_sink *sinks, size_t n_sinks, uint32_t replica,
                   uint64_t start_ms, uint64_t n_steps, uint64_t context_tokens)
{
    struct llmsim_step_run run = {
        .n_steps = n_steps,
        .replica = replica,
        .is_reported = true,
        .start = llmsim_time_from_ns((int64_t)start_ms * MS),
        .end = llmsim_time_from_ns((int64_t)(start_ms + n_steps) * MS),
        .kind = LLMSIM_STEP_DECODE,
        .shape = {.decode_seqs = 3, .context_tokens = context_tokens},
    };
    for (size_t i = 0; i < n_sinks; i++)
        if (sinks[i].ops->steps != NULL)
            cr_assert_eq(sinks[i].ops->steps(sinks[i].self, &run, NULL), LLMSIM_OK);
}

static char *two_replicas(const char *dir, bool is_cut)
{
    struct llmsim_replay_config config = {.cost = easy_cost()};
    struct llmsim_model model = {.name = "m"};
    struct llmsim_gpu gpu = {.name = "g"};
    char path[512];
    (void)snprintf(path, sizeof path, "%s/events.json", dir);
    struct llmsim_run_description description = {
        .config = &config, .model = &model, .gpu = &gpu, .trace_name = "t"};
    struct llmsim_results_options options = {.dir = dir, .trace_events_path = path};
    struct llmsim_results *results;
    size_t n_sinks;
    cr_assert_eq(llmsim_results_open(&options, &description, &results, NULL), LLMSIM_OK);
    const struct llmsim_sink *sinks = llmsim_results_sinks(results, &n_sinks);
    const struct llmsim_sink *last = &sinks[n_sinks - 1];
    const struct llmsim_run_view view = {0};
    cr_assert_eq(last->ops->begin(last->self, &view, NULL), LLMSIM_OK);
    if (is_cut) {
        report(last, 1, 1, 0, 1, 30);
        report(last, 1, 0, 0, 4, 30);
        report(last, 1, 1, 1, 3, 33);
        report(last, 1, 0, 4, 6, 42);
        report(last, 1, 0, 20, 1, 60); /* after a pause */
    } else {
        report(last, 1, 0, 0, 10, 30);
        report(last, 1, 0, 20, 1, 60);
        report(last, 1, 1, 0, 4, 30);
    }
    const struct llmsim_totals totals = {0};
    for (size_t i = 0; i < n_sinks; i++)
        if (sinks[i].ops->end != NULL)
            cr_assert_eq(sinks[i].ops->end(sinks[i].self, &totals, NULL), LLMSIM_OK);
    cr_assert_eq(llmsim_results_commit(results, NULL), LLMSIM_OK);
    llmsim_results_close(results);
    return read_text(dir, "events.json", NULL);
}

Test(trace_events, several_replicas)
{
    char *dir = scratch_dir();
    char *whole = two_replicas(dir, false), *cut = two_replicas(dir, true);
    cr_expect_str_eq(whole, cut);
    struct tracks *t = read_tracks(whole);
    cr_expect_eq(t->n_steps, 15);
    cr_expect_eq(t->decode_tokens, 45);
    cr_expect_eq(t->busy_ns, 15 * MS);
    cr_expect(strstr(whole, "\"name\":\"replica 1\"") != NULL);
    free(t);
    free(whole);
    free(cut);
    remove_dir(dir);
}
