/* Saturation: what the sink counts against what the rows of a run say, and its verdict on loads of
 * which the answer is known. docs/sweeps.md, "Saturated". */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "backlog.h"
#include "sinks.h"
#include "support/collect.h"
#include "support/random_case.h"

static struct llmsim_backlog run(const struct llmsim_replay_config *config,
                                 const struct llmsim_source *source, struct llmsim_sink also)
{
    struct llmsim_summary summary;
    struct backlog_sink backlog;
    struct llmsim_error err;
    cr_assert(llmsim_summary_init(&summary, &err) == LLMSIM_OK);
    cr_assert(llmsim_backlog_init(&backlog, config, &summary, &err) == LLMSIM_OK);
    const struct llmsim_sink sinks[] = {
        {&llmsim_summary_sink_ops, &summary}, {&llmsim_backlog_sink_ops, &backlog}, also};
    cr_assert(llmsim_replay(config, source, sinks, also.ops != NULL ? 3 : 2, &err) == LLMSIM_OK,
              "%s", err.message);
    struct llmsim_backlog result = summary.backlog;
    llmsim_backlog_fini(&backlog);
    llmsim_summary_fini(&summary);
    return result;
}

/* ---- against the rows ---- */

struct rows {
    struct {
        uint64_t row;
        int64_t arrival_ns, end_ns;
        bool has_ended;
    } rows[CASE_MAX_REQUESTS];
    size_t n;
};

static enum llmsim_status keep_row(void *self, const struct llmsim_result *r,
                                   struct llmsim_error *err)
{
    struct rows *rows = self;
    (void)err;
    if (r->outcome == LLMSIM_OUTCOME_FAILED_IN_TRACE)
        return LLMSIM_OK;
    rows->rows[rows->n].row = r->request.row;
    rows->rows[rows->n].arrival_ns = r->request.arrival_ns;
    rows->rows[rows->n].end_ns = r->end_ns;
    rows->rows[rows->n++].has_ended = r->outcome != LLMSIM_OUTCOME_UNFINISHED;
    return LLMSIM_OK;
}
static const struct llmsim_sink_ops rows_ops = {.name = "rows", .request = keep_row};

/* Requests in the system when row i comes: those of lower rows, less all that have ended by then.
 */
static uint64_t in_system(const struct rows *rows, size_t i)
{
    uint64_t n_ended = 0;
    for (size_t j = 0; j < rows->n; j++)
        n_ended += rows->rows[j].has_ended && rows->rows[j].end_ns <= rows->rows[i].arrival_ns;
    return i > n_ended ? i - n_ended : 0;
}

static int by_row(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static double slope_of(const uint64_t *y, size_t n)
{
    double sum = 0, mean_x = (double)(n - 1) / 2, xx = 0, xy = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)y[i];
    for (size_t i = 0; i < n; i++) {
        double dx = (double)i - mean_x;
        xx += dx * dx;
        xy += dx * ((double)y[i] - sum / (double)n);
    }
    return xy / xx;
}

Test(backlog, counts_what_the_rows_say)
{
    static struct random_case c;
    uint64_t n_checked = 0, n_late_reads = 0;
    for (uint64_t seed = 1; seed <= case_count(1000); seed++) {
        struct rows rows = {.n = 0};
        uint64_t found[CASE_MAX_REQUESTS], peak = 0;
        case_make(&c, seed);
        c.config.max_concurrency = 0;
        struct llmsim_source source = case_source(&c);
        struct llmsim_backlog b = run(&c.config, &source, (struct llmsim_sink){&rows_ops, &rows});
        qsort(rows.rows, rows.n, sizeof *rows.rows, by_row);
        for (size_t i = 0; i < rows.n; i++) {
            found[i] = in_system(&rows, i);
            peak = found[i] > peak ? found[i] : peak;
        }
        cr_assert(b.peak == peak, "seed %d: peak %d, expected %d", (int)seed, (int)b.peak,
                  (int)peak);
        size_t half = rows.n - rows.n / 2;
        if (half < 2)
            continue;
        n_checked++;
        n_late_reads += c.config.max_num_seqs == 1;
        cr_assert(b.n_arrivals == half);
        cr_assert_float_eq(b.growth, slope_of(found + rows.n / 2, half), 1e-9, "seed %d",
                           (int)seed);
    }
    cr_assert(n_checked > 20 && n_late_reads > 0);
}

/* ---- verdicts ---- */

/* A server that takes 0.1 s for each request, one after the other. */
#define SERVICE_NS (100 * MS)
static const struct llmsim_request one_service = {.prompt_tokens = 100,
                                                  .deadline_ns = LLMSIM_NO_DEADLINE};

static struct llmsim_backlog run_queue(const struct llmsim_request *requests, size_t n)
{
    struct llmsim_array_cursor cursor = {.requests = requests, .n = n};
    struct llmsim_source source = llmsim_source_from_array(&cursor);
    const struct llmsim_replay_config config = {
        .cost = easy_cost(), .max_num_seqs = 1, .max_num_batched_tokens = 1000};
    return run(&config, &source, (struct llmsim_sink){NULL, NULL});
}

/* Poisson arrivals: of `load` for the first `share` of the requests, then of `later`. */
struct poisson {
    size_t n;
    double load, share, later;
    bool is_saturated;
};

static struct llmsim_backlog run_poisson(const struct poisson *p, uint64_t seed)
{
    struct llmsim_request *requests = malloc(p->n * sizeof *requests);
    uint64_t state = seed;
    double now_ns = 0;
    cr_assert(requests != NULL);
    for (size_t i = 0; i < p->n; i++) {
        double load = (double)i < p->share * (double)p->n ? p->load : p->later;
        double u = ((double)case_random(&state, (uint64_t)1 << 40) + 0.5) / (double)(1ull << 40);
        now_ns -= log(u) * (double)SERVICE_NS / load;
        requests[i] = one_service;
        requests[i].row = i;
        requests[i].arrival_ns = (int64_t)now_ns;
    }
    struct llmsim_backlog b = run_queue(requests, p->n);
    free(requests);
    return b;
}

Test(backlog, verdicts_on_poisson_arrivals)
{
    static const struct poisson cases[] = {{100, 0.3, 1, 0, false},
                                           {100, 0.7, 1, 0, false},
                                           {1000, 0.3, 1, 0, false},
                                           {1000, 0.7, 1, 0, false},
                                           {1000, 0.9, 1, 0, false},
                                           {20000, 0.3, 1, 0, false},
                                           {20000, 0.7, 1, 0, false},
                                           {20000, 0.9, 1, 0, false},
                                           {20000, 0.95, 1, 0, false},
                                           {20000, 1.1, 1, 0, true},
                                           {1000, 2, 1, 0, true},
                                           {20000, 2, 1, 0, true},
                                           /* It eases off, with time to drain. */
                                           {10000, 1.3, 0.8, 0.2, true},
                                           {10000, 2, 0.4, 0.2, true},
                                           {20000, 1.2, 0.5, 0.5, true},
                                           {10000, 0.8, 0.8, 0.2, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct poisson *p = &cases[i];
        for (uint64_t seed = 1; seed <= 20; seed++) {
            struct llmsim_backlog b = run_poisson(p, seed);
            cr_assert(b.is_saturated == p->is_saturated,
                      "load %g then %g, %zu requests, seed %d: growth %g, peak %d, late %g s, "
                      "stretch %g, drain %g s",
                      p->load, p->later, p->n, (int)seed, b.growth, (int)b.peak, b.late_p90_s,
                      b.stretch_share, b.drain_s);
            /* What comes and what is served, by their definition: load and 1, in 0.1 s each. */
            if (b.is_saturated) {
                cr_assert(fabs(b.served_per_s - 10) < 0.5, "%g", b.served_per_s);
                cr_assert(fabs(b.arrivals_per_s / (10 * p->load) - 1) < 0.15, "load %g: %g",
                          p->load, b.arrivals_per_s);
            }
        }
    }
}

/* Bursts that are over before the next one comes. */
Test(backlog, bursts_that_drain_are_no_overload)
{
    static const struct {
        size_t n_bursts, size;
        double gap_s;
    } cases[] = {{10, 200, 30}, {10, 40, 6}, {100, 40, 5}, {1000, 10, 1.5}, {4, 300, 60}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = cases[i].n_bursts * cases[i].size;
        struct llmsim_request *requests = malloc(n * sizeof *requests);
        cr_assert(requests != NULL);
        for (size_t k = 0; k < n; k++) {
            requests[k] = one_service;
            requests[k].row = k;
            requests[k].arrival_ns = (int64_t)((double)(k / cases[i].size) * cases[i].gap_s * 1e9);
        }
        struct llmsim_backlog b = run_queue(requests, n);
        free(requests);
        /* The last burst's requests have no gap behind them: four bursts are too few to say. */
        cr_assert(b.is_saturated == (cases[i].n_bursts == 4),
                  "%zu bursts: growth %g, peak %d, late %g s, stretch %g, drain %g s",
                  cases[i].n_bursts, b.growth, (int)b.peak, b.late_p90_s, b.stretch_share,
                  b.drain_s);
    }
}

Test(backlog, all_at_once_is_saturated_without_a_rate)
{
    struct llmsim_request requests[40];
    for (size_t i = 0; i < 40; i++) {
        requests[i] = one_service;
        requests[i].row = i;
    }
    struct llmsim_backlog b = run_queue(requests, 40);
    cr_assert(b.is_saturated && b.peak == 39 && b.arrivals_per_s <= 0);
    cr_assert_float_eq(b.drain_s, 4, 1e-9);
}

/* Either pool of a disaggregated server at a load of 2, for the first half of the requests; then
 * none to speak of. Prompts of 20 tokens take 20 ms; of 1 token and 5 output tokens the 4 decode
 * steps take 12, 13, 14 and 15 ms or so. */
Test(backlog, pools_apart)
{
    static const struct {
        uint32_t prompt_tokens, output_tokens;
        int64_t service_ns;
    } pools[] = {{20, 1, 20 * MS}, {1, 5, 54 * MS}};
    enum { N = 2000 };
    static struct llmsim_request requests[N];
    for (size_t pool = 0; pool < 2; pool++) {
        for (int load_percent = 50; load_percent <= 200; load_percent += 150) {
            int64_t gap_ns = pools[pool].service_ns * 100 / load_percent, now_ns = 0;
            for (size_t i = 0; i < N; i++) {
                requests[i] = one_service;
                requests[i].row = i;
                requests[i].prompt_tokens = pools[pool].prompt_tokens;
                requests[i].output_tokens = pools[pool].output_tokens;
                requests[i].arrival_ns = now_ns;
                now_ns += i < N / 2 ? gap_ns : 4 * pools[pool].service_ns;
            }
            struct llmsim_array_cursor cursor = {.requests = requests, .n = N};
            struct llmsim_source source = llmsim_source_from_array(&cursor);
            const struct llmsim_replay_config config = {.cost = easy_cost(),
                                                        .max_num_seqs = 1,
                                                        .max_num_batched_tokens = 1000,
                                                        .prefill_replicas = 1,
                                                        .decode_replicas = 1,
                                                        .kv_bytes_per_token = 1,
                                                        .link_bytes_per_s = 1e12};
            struct llmsim_backlog b = run(&config, &source, (struct llmsim_sink){NULL, NULL});
            cr_assert(b.is_saturated == (load_percent > 100), "pool %zu, load %d %%", pool,
                      load_percent);
        }
    }
}

/* ---- a real trace ---- */

/* The most prompt tokens in any window of so much of the trace's time, per second. */
static double busiest(const struct llmsim_memory_trace *m, double share)
{
    int64_t span_ns = m->requests[m->n - 1].arrival_ns - m->requests[0].arrival_ns;
    int64_t window_ns = (int64_t)(share * (double)span_ns);
    double sum = 0, most = 0;
    for (size_t first = 0, last = 0; last < m->n; last++) {
        sum += m->requests[last].prompt_tokens;
        for (; m->requests[last].arrival_ns - m->requests[first].arrival_ns > window_ns; first++)
            sum -= m->requests[first].prompt_tokens;
        most = sum > most ? sum : most;
    }
    return most / ((double)window_ns / 1e9);
}

/* Azure's code trace, which comes in bursts: 30 points. Of the prompts alone, whatever the decodes
 * take: where a tenth of the time has more than can be processed, the point is saturated; where not
 * even a hundredth has a third of it, it is not. The others are for the rules to say. */
Test(backlog, points_of_a_trace_of_bursts)
{
    const double tokens_per_s = 4164;
    static const char path[] = LLMSIM_TEST_SHARED_DIR "/traces/AzureLLMInferenceTrace_code.csv";
    static const unsigned percent[] = {2, 5, 10, 20, 30, 40, 50, 70, 100, 200};
    struct llmsim_trace *trace;
    struct llmsim_memory_trace memory;
    struct llmsim_error err;
    int n_sure_yes = 0, n_sure_no = 0;
    if (llmsim_trace_open(path, &(struct llmsim_trace_options){0}, &trace, &err) != LLMSIM_OK)
        cr_skip_test("%s is not there", path);
    cr_assert(llmsim_memory_trace_read(trace, &memory, &err) == LLMSIM_OK, "%s", err.message);
    struct llmsim_cost cost = {
        .model = &llmsim_cost_models[0],
        .prefill_per_token = (uint64_t)llmsim_time_from_seconds(1 / tokens_per_s),
        .decode_any_batch = {.base = llmsim_time_from_seconds(0.0564),
                             .per_context_token = (uint64_t)llmsim_time_from_seconds(1.78e-6)}};
    for (uint32_t replicas = 1; replicas <= 4; replicas *= 2) {
        for (size_t i = 0; i < sizeof percent / sizeof *percent; i++) {
            const struct llmsim_replay_config config = {.cost = cost,
                                                        .max_num_seqs = 64,
                                                        .max_num_batched_tokens = 8192,
                                                        .n_replicas = replicas};
            struct llmsim_memory_cursor cursor = {.memory = &memory,
                                                  .rate_scale = {percent[i], 100}};
            struct llmsim_source source = llmsim_memory_source(&cursor);
            struct llmsim_backlog b = run(&config, &source, (struct llmsim_sink){NULL, NULL});
            double unit = (double)percent[i] / 100 / (tokens_per_s * replicas);
            bool is_sure_yes = busiest(&memory, 0.1) * unit > 1;
            bool is_sure_no = busiest(&memory, 0.01) * unit < 1.0 / 3;
            n_sure_yes += is_sure_yes;
            n_sure_no += is_sure_no;
            if (is_sure_yes || is_sure_no)
                cr_assert(b.is_saturated == is_sure_yes,
                          "%u replicas, %u %%: growth %g, peak %d, late %g s, stretch %g, drain %g",
                          replicas, percent[i], b.growth, (int)b.peak, b.late_p90_s,
                          b.stretch_share, b.drain_s);
        }
    }
    cr_assert(n_sure_yes >= 6 && n_sure_no >= 6, "%d and %d are sure", n_sure_yes, n_sure_no);
    llmsim_memory_trace_fini(&memory);
    llmsim_trace_close(trace);
}
