/* What gnuplot gets: spans of time against their definition, quantiles, thinned tokens. */
#include <criterion/criterion.h>

#include "chosen_tokens.h"
#include "latency.h"
#include "load.h"
#include "result_table.h"
#include "support/files.h"
#include "support/random_case.h"
#include "time_axis.h"

Test(time_axis, units)
{
    cr_expect_str_eq(time_axis_make(0, 179 * LLMSIM_NS_PER_S).unit, "s");
    cr_expect_str_eq(time_axis_make(0, 180 * LLMSIM_NS_PER_S).unit, "min");
    cr_expect_str_eq(time_axis_make(5, 5 + 10800 * LLMSIM_NS_PER_S).unit, "h");
    cr_expect_str_eq(time_axis_make(0, 7 * 86400 * LLMSIM_NS_PER_S).unit, "days");
    struct time_axis empty = time_axis_make(7, 7);
    cr_expect_lt(empty.low_ns, empty.high_ns);
}

/* A time is in the span whose edges it lies between, whatever the rounding of edges. */
Test(time_axis, spans)
{
    uint64_t state = 1;
    for (int i = 0; i < 100000; i++) {
        int64_t low = (int64_t)case_random(&state, 1000000000000000);
        int64_t high = low + 1 + (int64_t)case_random(&state, i % 2 == 0 ? 1000 : 1000000000000000);
        struct time_axis axis = time_axis_make(low, high);
        unsigned n = 1 + (unsigned)case_random(&state, TIME_SPANS);
        int64_t t = low + (int64_t)case_random(&state, (uint64_t)(high - low));
        unsigned k = time_axis_span(&axis, t, n);
        cr_assert_lt(k, n);
        cr_assert(time_axis_edge(&axis, k, n) <= t);
        cr_assert(k + 1 == n || t < time_axis_edge(&axis, k + 1, n));
    }
    struct time_axis axis = time_axis_make(100, 200);
    cr_expect_eq(time_axis_span(&axis, 0, 10), 0);
    cr_expect_eq(time_axis_span(&axis, 200, 10), 9);
    cr_expect_eq(time_axis_span(&axis, 999, 10), 9);
    cr_expect_eq(time_axis_edge(&axis, 10, 10), 200);
}

/* Sums over spans against intervals cut by hand, edge by edge. */
Test(time_axis, means)
{
    static struct span_means means;
    static double expected[TIME_SPANS], totals[TIME_SPANS];
    uint64_t state = 2;
    struct time_axis axis = time_axis_make(1000, 1000 + 480 * 70 + 13);
    for (int i = 0; i < 500; i++) {
        int64_t begin = axis.low_ns + (int64_t)case_random(&state, 33000);
        int64_t end = begin + (int64_t)case_random(&state, (uint64_t)(axis.high_ns - begin) + 1);
        double value = (double)(1 + case_random(&state, 9));
        span_means_add(&means, &axis, begin, end, value);
        for (unsigned k = 0; k < TIME_SPANS; k++) {
            int64_t from = time_axis_edge(&axis, k, TIME_SPANS);
            int64_t to = time_axis_edge(&axis, k + 1, TIME_SPANS);
            from = from < begin ? begin : from;
            to = to > end ? end : to;
            expected[k] += to > from ? value * (double)(to - from) : 0;
        }
    }
    span_means_finish(&means, &axis, totals);
    for (unsigned k = 0; k < TIME_SPANS; k++)
        cr_assert_float_eq(totals[k], expected[k], 1e-6, "span %u: %g, not %g", k, totals[k],
                           expected[k]);
}

/* 1 s to 20000 s, a second apart: medians of equal spans, and a sample over all of them. */
Test(latency, spans_and_sample)
{
    struct latency latency;
    struct time_axis axis = time_axis_make(0, 20000 * LLMSIM_NS_PER_S);
    cr_assert_eq(latency_init(&latency, "ttft", 20000, NULL), LLMSIM_OK);
    for (int64_t t = 0; t < 20000; t++)
        latency_add(&latency, &axis, t * LLMSIM_NS_PER_S, (t + 1) * LLMSIM_NS_PER_S);
    cr_expect_eq(latency.n_spans, LATENCY_MAX_SPANS);
    for (unsigned k = 0; k < latency.n_spans; k++) {
        double middle = (k + 0.5) * 20000 / LATENCY_MAX_SPANS;
        double median = llmsim_stat_percentile(&latency.spans[k], 0.5) / 1e9;
        cr_expect_float_eq(median, middle, 1 + median / 1000);
    }
    cr_expect(latency.n_sample > LATENCY_MAX_SAMPLE / 2);
    for (size_t i = 0; i < latency.n_sample; i++) {
        cr_assert_eq(latency.sample[i].time_ns, (int64_t)(i * latency.stride) * LLMSIM_NS_PER_S);
        cr_assert_eq(latency.sample[i].value_ns, latency.sample[i].time_ns + LLMSIM_NS_PER_S);
    }
    latency_fini(&latency);
}

/* However many tokens there are, the longest gap is kept. */
Test(chosen_tokens, longest_gap_is_kept)
{
    for (uint32_t n = 1; n <= 100000; n = n * 7 + 1) {
        struct chosen_request r = {.output_tokens = n};
        uint32_t longest = n / 3;
        bool is_kept = false;
        for (uint32_t i = 0; i < n; i++)
            cr_assert_eq(chosen_tokens_add(&r, i, i * 10, i == longest ? 99 : 10, NULL), LLMSIM_OK);
        cr_assert_leq(r.n_tokens, CHOSEN_MAX_TOKENS);
        cr_assert(n > CHOSEN_MAX_TOKENS || r.n_tokens == n);
        for (size_t i = 0; i < r.n_tokens; i++) {
            cr_assert_eq(r.tokens[i].time_ns, r.tokens[i].index * 10);
            is_kept = is_kept || (r.tokens[i].index == longest && r.tokens[i].gap_ns == 99);
        }
        cr_expect(is_kept);
        free(r.tokens);
    }
}

Test(result_table, plain_and_quoted)
{
    char *dir = scratch_dir();
    struct result_table table;
    bool found, ended;
    size_t columns[2];
    int64_t ns;
    uint32_t count;
    double value;
    write_text(dir, "a.csv", "id,t_s\n\"x, \"\"y\"\"\",1.5\n7,0.000000001\n,\n");
    cr_assert_eq(result_table_open(&table, dir, "a.csv", &found, NULL), LLMSIM_OK);
    cr_assert(found);
    const char *const names[] = {"t_s", "id"};
    cr_assert_eq(result_table_require(&table, names, columns, 2, NULL), LLMSIM_OK);
    cr_expect_eq(result_table_find(&table, "none"), RESULT_TABLE_NO_COLUMN);
    cr_assert_eq(result_table_next(&table, &ended, NULL), LLMSIM_OK);
    cr_expect(result_table_is(&table, columns[1], "x, \"y\""));
    cr_assert_eq(result_table_ns(&table, columns[0], &ns, NULL), LLMSIM_OK);
    cr_expect_eq(ns, 1500000000);
    cr_expect(result_table_number(&table, columns[0], &value));
    cr_expect_eq(value, 1.5);
    cr_assert_eq(result_table_next(&table, &ended, NULL), LLMSIM_OK);
    cr_expect_eq(result_table_count(&table, columns[1], &count, NULL), LLMSIM_OK);
    cr_expect_eq(count, 7);
    struct llmsim_error err;
    enum llmsim_status status = result_table_count(&table, columns[0], &count, &err);
    cr_expect_eq(status, LLMSIM_IO);
    cr_expect_eq(err.line, 3);
    cr_expect_eq(err.column, 3);
    cr_assert_eq(result_table_next(&table, &ended, NULL), LLMSIM_OK);
    cr_expect(result_table_is_empty(&table, 0) && result_table_is_empty(&table, 1));
    cr_expect_not(result_table_number(&table, 0, &value));
    cr_assert_eq(result_table_next(&table, &ended, NULL), LLMSIM_OK);
    cr_expect(ended);
    result_table_close(&table);
    cr_assert_eq(result_table_open(&table, dir, "b.csv", &found, NULL), LLMSIM_OK);
    cr_expect_not(found);
    remove_dir(dir);
}

/* Far from 0 the axis counts from its beginning; a window of a long trace keeps the trace's time.
 */
Test(time_axis, origin)
{
    int64_t epoch = 1700000000 * LLMSIM_NS_PER_S, hour = 3600 * LLMSIM_NS_PER_S;
    struct time_axis far = time_axis_make(epoch, epoch + hour);
    cr_expect_eq(far.origin_ns, epoch);
    cr_expect_float_eq(time_axis_value(&far, epoch + hour / 2), 30, 1e-9); /* min */
    struct time_axis window = time_axis_make(20 * hour, 21 * hour);
    cr_expect_eq(window.origin_ns, 0);
    cr_expect_float_eq(time_axis_value(&window, 21 * hour), 1260, 1e-9);
}

/* Row k of a CSV file of numbers, after the header; -1 where a field is empty. */
static void read_row(const char *dir, const char *name, size_t k, double *values, size_t n)
{
    char path[512];
    size_t length;
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    char *text = read_file(path, &length), *line = text;
    cr_assert_not_null(text);
    for (size_t i = 0; i <= k; i++)
        line = strchr(line, '\n') + 1;
    for (size_t i = 0; i < n; i++) {
        char *end;
        values[i] = strtod(line, &end);
        if (end == line)
            values[i] = -1;
        line = end + 1;
    }
    free(text);
}

/* Spans of 1 s. Prefill replica 0 works all of span 0. Decode replica 1 has 4 requests in its steps
 * for 2 s, decode replica 2 has 2 requests for 1 s; afterwards nothing runs. In span 0 two requests
 * wait for replica 0 and one for replica 1; they run on 1, 1 and 2. */
Test(load, replicas_and_pools)
{
    static struct load load;
    struct llmsim_plot_report report = {0};
    char *dir = scratch_dir();
    struct plot_files files = {.dir = dir, .report = &report};
    const int64_t s = LLMSIM_NS_PER_S;
    struct time_axis axis = time_axis_make(0, TIME_SPANS * s);
    cr_assert_eq(load_init(&load, 3, 1, NULL), LLMSIM_OK);
    load.has_steps = true;
    load_add_step(&load, &axis, 0, 0, s, 0);
    load_add_step(&load, &axis, 1, 0, 2 * s, 4);
    load_add_step(&load, &axis, 2, 0, s, 2);
    load_add_request(&load, &axis, 0, 1, 0, s, 2 * s);
    load_add_request(&load, &axis, 0, 1, 0, s, 2 * s);
    load_add_request(&load, &axis, 1, 2, 0, s, 2 * s);
    cr_assert_eq(load_write(&load, &axis, &files, NULL), LLMSIM_OK);
    /* time, waiting, running, batch_mean, batch_max, most_waiting, most_running, least_batch,
     * most_batch, busy, busy_prefill, least_busy, most_busy */
    static const double expected[3][13] = {
        {0, 3, 0, 3, 4, 2, 0, 2, 4, 1, 1, 1, 1},
        {0, 0, 3, 4, 4, 0, 2, 4, 4, 0.5, 0, 0, 1},
        {0, 0, 0, -1, -1, 0, 0, -1, -1, 0, 0, 0, 0},
    };
    for (size_t k = 0; k < 3; k++) {
        double values[13];
        read_row(dir, "load.csv", k, values, 13);
        for (size_t i = 1; i < 13; i++)
            cr_expect_float_eq(values[i], expected[k][i], 1e-6, "span %zu, column %zu: %g, not %g",
                               k, i, values[i], expected[k][i]);
    }
    load_fini(&load);
    remove_dir(dir);
}
