/* Sweeps: the trace in memory, saturation, the search for a border, the grid, rows. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/collect.h"

/* ---- the trace in memory ---- */

static void read_all(const struct llmsim_source *source, struct llmsim_request *into, size_t *n)
{
    struct llmsim_error err;
    size_t got;
    *n = 0;
    do {
        cr_assert(source->read(source->self, into + *n, 7, &got, &err) == LLMSIM_OK, "%s",
                  err.message);
        *n += got;
    } while (got > 0);
}

/* What a trace that is opened with a rate scale gives, to the last bit. */
Test(sweep, memory_scales_as_the_trace_does)
{
    static const struct llmsim_ratio scales[] = {
        {1, 1}, {3, 20}, {7, 3}, {1000000, 1}, {1, 999983}};
    const char *path = "test_sweep_trace.csv";
    FILE *f = fopen(path, "w");
    cr_assert(f != NULL);
    (void)fputs("arrival_s,prompt_tokens,output_tokens,request_id,priority,deadline_s,class\n", f);
    for (int i = 0; i < 100; i++)
        (void)fprintf(f, "%d.%09d,%d,%d,id%d,%d,%s,%s\n", i / 3, i * 9876543, i, i * 2, i, i % 5,
                      i % 2 != 0 ? "1234.567891234" : "", i % 4 == 0 ? "chat" : "");
    (void)fclose(f);
    struct llmsim_error err;
    struct llmsim_trace *trace;
    struct llmsim_memory_trace memory;
    struct llmsim_trace_options options = {.limit = 90};
    cr_assert(llmsim_trace_open(path, &options, &trace, &err) == LLMSIM_OK, "%s", err.message);
    cr_assert(llmsim_memory_trace_read(trace, &memory, &err) == LLMSIM_OK, "%s", err.message);
    cr_assert(memory.n == 90 && memory.status.rows == 90);
    for (size_t k = 0; k < sizeof scales / sizeof *scales; k++) {
        struct llmsim_request direct[100], scaled[100];
        size_t n_direct, n_scaled;
        struct llmsim_trace *again;
        options.rate_scale = scales[k];
        cr_assert(llmsim_trace_open(path, &options, &again, &err) == LLMSIM_OK, "%s", err.message);
        struct llmsim_source source = llmsim_trace_source(again);
        read_all(&source, direct, &n_direct);
        struct llmsim_memory_cursor cursor = {.memory = &memory, .rate_scale = scales[k]};
        struct llmsim_source in_memory = llmsim_memory_source(&cursor);
        read_all(&in_memory, scaled, &n_scaled);
        cr_assert(n_direct == 90 && n_scaled == 90);
        for (size_t i = 0; i < 90; i++) {
            cr_assert(scaled[i].arrival_ns == direct[i].arrival_ns);
            cr_assert(scaled[i].deadline_ns == direct[i].deadline_ns);
            cr_assert(scaled[i].prompt_tokens == direct[i].prompt_tokens);
            cr_assert(scaled[i].priority == direct[i].priority);
            cr_assert(scaled[i].class_id == direct[i].class_id);
            cr_assert(scaled[i].row == direct[i].row);
            if (direct[i].class_id != 0)
                cr_assert_str_eq(in_memory.class_name(in_memory.self, scaled[i].class_id), "chat");
        }
        llmsim_trace_close(again);
    }
    llmsim_memory_trace_fini(&memory);
    llmsim_trace_close(trace);
    (void)unlink(path);
}

Test(sweep, memory_refuses_arrivals_after_a_hundred_years)
{
    struct llmsim_request request = {.arrival_ns = LLMSIM_MAX_ARRIVAL_NS,
                                     .deadline_ns = LLMSIM_NO_DEADLINE};
    const struct llmsim_memory_trace memory = {.requests = &request, .n = 1};
    struct llmsim_memory_cursor cursor = {.memory = &memory, .rate_scale = {1, 2}};
    struct llmsim_source source = llmsim_memory_source(&cursor);
    struct llmsim_request into;
    struct llmsim_error err;
    size_t n = 1;
    cr_assert(source.read(source.self, &into, 1, &n, &err) == LLMSIM_TRACE);
    cr_assert(n == 0);
}

/* ---- saturation ---- */

#define N_MD1 20000

/* A server that takes 0.1 s for each request, one after the other, and Poisson arrivals. */
static struct llmsim_backlog run_md1(double load, uint64_t seed, int64_t from_ns)
{
    struct llmsim_error err;
    struct llmsim_request *requests = malloc(N_MD1 * sizeof *requests);
    struct llmsim_generator *generator;
    const struct llmsim_generate_options options = {
        .n_requests = N_MD1,
        .seed = seed,
        .rate_per_s = 10 * load,
        .prompt = {.kind = LLMSIM_LENGTHS_FIXED, .mean = 100},
        .output = {.kind = LLMSIM_LENGTHS_FIXED, .mean = 0},
    };
    cr_assert(requests != NULL);
    cr_assert(llmsim_generator_create(&options, &generator, &err) == LLMSIM_OK, "%s", err.message);
    struct llmsim_source source = llmsim_generator_source(generator);
    size_t n;
    read_all(&source, requests, &n);
    llmsim_generator_destroy(generator);
    const struct llmsim_memory_trace memory = {.requests = requests, .n = n};
    const struct llmsim_replay_config config = {
        .cost = easy_cost(), .max_num_seqs = 1, .max_num_batched_tokens = 1000, .from_ns = from_ns};
    struct llmsim_run_description description = {.config = &config};
    struct llmsim_point point;
    cr_assert(llmsim_simulate_point(&memory, &description, &point, &err) == LLMSIM_OK, "%s",
              err.message);
    struct llmsim_backlog backlog = point.summary.backlog;
    cr_assert(point.n_replicas == 1);
    llmsim_point_fini(&point);
    free(requests);
    return backlog;
}

Test(sweep, queue_md1_is_saturated_over_load_1_only)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct llmsim_backlog below = run_md1(0.9, seed, 0), above = run_md1(1.1, seed, 0);
        cr_assert(below.n_arrivals == N_MD1 / 2 && above.n_arrivals == N_MD1 / 2);
        cr_assert(!below.is_saturated && fabs(below.growth) < 0.02, "seed %d: %g", (int)seed,
                  below.growth);
        /* 1 - 1/1.1 = 0.0909; a random walk's slope has a deviation of about 1/100 here. */
        cr_assert(above.is_saturated && fabs(above.growth - 0.0909) < 0.05, "seed %d: %g",
                  (int)seed, above.growth);
    }
}

Test(sweep, saturation_of_a_window)
{
    struct llmsim_backlog below = run_md1(0.9, 1, INT64_C(1000) * 1000000000);
    struct llmsim_backlog above = run_md1(1.1, 1, INT64_C(1000) * 1000000000);
    cr_assert(below.n_arrivals < N_MD1 * 3 / 10 && below.n_arrivals > N_MD1 / 5);
    cr_assert(!below.is_saturated);
    cr_assert(above.is_saturated && fabs(above.growth - 0.0909) < 0.05);
}

/* Arrivals 1 s apart, a server that takes 1.5 s for each: the arrivals find 0 1 1 1 2 2 2 3
 * requests, of which the second half, 2 2 2 3, has the least squares slope (4·(0·2 + 1·2 + 2·2 +
 * 3·3) - 6·9)/(4·14 - 36) = 0.3. */
Test(sweep, growth_by_hand)
{
    struct llmsim_request requests[8];
    for (size_t i = 0; i < 8; i++)
        requests[i] = (struct llmsim_request){.arrival_ns = (int64_t)i * 1000 * MS,
                                              .row = i,
                                              .prompt_tokens = 1500,
                                              .deadline_ns = LLMSIM_NO_DEADLINE};
    const struct llmsim_memory_trace memory = {.requests = requests, .n = 8};
    const struct llmsim_replay_config config = {
        .cost = easy_cost(), .max_num_seqs = 1, .max_num_batched_tokens = 1000};
    struct llmsim_run_description description = {.config = &config};
    struct llmsim_point point;
    cr_assert(llmsim_simulate_point(&memory, &description, &point, NULL) == LLMSIM_OK);
    cr_assert(point.summary.backlog.n_arrivals == 4);
    cr_assert_float_eq(point.summary.backlog.growth, 0.3, 1e-12);
    cr_assert(!point.summary.backlog.is_saturated); /* of four arrivals nothing can be said */
    llmsim_point_fini(&point);
}

/* ---- the search ---- */

struct border {
    uint64_t at;   /* the last of the small side */
    uint64_t hole; /* answers the other way; 0: none */
    bool large_good;
    uint64_t n_asked;
};

static enum llmsim_status is_good(void *ctx, uint64_t value, bool *good, struct llmsim_error *err)
{
    struct border *b = ctx;
    (void)err;
    b->n_asked++;
    *good = ((value <= b->at) != b->large_good) != (value == b->hole);
    return LLMSIM_OK;
}

static struct llmsim_search_result search(struct border *b, uint64_t start, double tolerance)
{
    const struct llmsim_search search = {.ctx = b,
                                         .is_good = is_good,
                                         .min = 1,
                                         .max = 1000000,
                                         .start = start,
                                         .tolerance = tolerance,
                                         .larger_is_good = b->large_good};
    struct llmsim_search_result result;
    cr_assert(llmsim_search_border(&search, &result, NULL) == LLMSIM_OK);
    cr_assert(result.n_probes == b->n_asked);
    return result;
}

Test(sweep, search_finds_every_border)
{
    static const uint64_t starts[] = {1, 2, 77, 1000, 999999, 1000000};
    for (uint64_t at = 1; at < 1000000; at += at < 300 ? 1 : at / 7) {
        for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
            struct border small = {.at = at}, large = {.at = at, .large_good = true};
            struct llmsim_search_result a = search(&small, starts[i], 0);
            struct llmsim_search_result b = search(&large, starts[i], 0);
            cr_assert(a.good == at && a.bad == at + 1 && a.n_violations == 0);
            cr_assert(b.good == at + 1 && b.bad == at && b.n_violations == 0);
            struct border rough = {.at = at};
            struct llmsim_search_result c = search(&rough, starts[i], 0.05);
            cr_assert(c.good <= at && c.bad > at);
            cr_assert((double)c.bad <= (double)c.good * 1.05 || c.bad == c.good + 1);
        }
    }
}

Test(sweep, search_without_a_border)
{
    struct border none = {.at = 0}, all = {.at = 1000000};
    struct llmsim_search_result a = search(&none, 1000, 0), b = search(&all, 1000, 0);
    cr_assert(a.good == 0 && a.bad == 1);
    cr_assert(b.good == 1000000 && b.bad == 0);
}

Test(sweep, search_reports_a_second_border)
{
    /* 1.5 times the first bad value is asked, and answers as the good ones do. */
    struct border b = {.at = 999, .hole = 1500};
    struct llmsim_search_result r = search(&b, 1000, 0);
    cr_assert(r.good == 999 && r.bad == 1000);
    cr_assert(r.n_violations == 1 && r.violations[0] == 1500);
}

/* ---- the grid ---- */

Test(sweep, grid_last_axis_is_fastest)
{
    static const char *const a[] = {"1", "2"}, *const b[] = {"x", "y", "z"};
    struct llmsim_grid *grid;
    struct llmsim_error err;
    cr_assert(llmsim_grid_create(&grid, &err) == LLMSIM_OK);
    cr_assert(llmsim_grid_n_points(grid) == 1);
    cr_assert(llmsim_grid_add_axis(grid, "a", a, 2, &err) == LLMSIM_OK);
    cr_assert(llmsim_grid_fix(grid, "f", "0", &err) == LLMSIM_OK);
    cr_assert(llmsim_grid_add_axis(grid, "b", b, 3, &err) == LLMSIM_OK);
    cr_assert(llmsim_grid_fix(grid, "a", "0", &err) == LLMSIM_USAGE);
    cr_assert(llmsim_grid_n_points(grid) == 6 && llmsim_grid_n_settings(grid) == 3);
    for (uint64_t p = 0; p < 6; p++) {
        cr_assert_str_eq(llmsim_grid_value(grid, p, 0), a[p / 3]);
        cr_assert_str_eq(llmsim_grid_value(grid, p, 1), "0");
        cr_assert_str_eq(llmsim_grid_value(grid, p, 2), b[p % 3]);
    }
    cr_assert(llmsim_grid_is_fixed(grid, 1) && !llmsim_grid_is_fixed(grid, 2));
    llmsim_grid_destroy(grid);
}

Test(sweep, shards_are_a_partition)
{
    for (uint64_t n = 1; n < 9; n++)
        for (uint64_t p = 0; p < 200; p++) {
            unsigned n_owners = 0;
            for (uint64_t shard = 0; shard < n; shard++)
                n_owners += llmsim_sweep_is_in_shard(p, shard, n);
            cr_assert(n_owners == 1);
        }
}

/* ---- rows ---- */

Test(sweep, rows)
{
    struct llmsim_csv_row row = {0};
    llmsim_csv_row_u64(&row, 12345678901);
    llmsim_csv_row_empty(&row, 2);
    llmsim_csv_row_text(&row, "plain text");
    llmsim_csv_row_text(&row, "a,\"b\"");
    llmsim_csv_row_ns(&row, 1500000001);
    llmsim_csv_row_decimal(&row, 2.0000005);
    llmsim_csv_row_decimal(&row, -0.25);
    llmsim_csv_row_decimal(&row, -0.0000001);
    llmsim_csv_row_decimal(&row, 1e300);
    cr_assert_str_eq(row.text, "12345678901,,,plain text,\"a,\"\"b\"\"\",1.500000001,2.000001,"
                               "-0.250000,0.000000,1000000000000.000000");
    cr_assert(row.n_fields == 10 && !row.failed);
    llmsim_csv_row_fini(&row);
}

Test(sweep, a_point_has_as_many_numbers_as_names)
{
    struct llmsim_request request = {.prompt_tokens = 10, .deadline_ns = LLMSIM_NO_DEADLINE};
    const struct llmsim_memory_trace memory = {.requests = &request, .n = 1};
    const struct llmsim_replay_config config = {
        .cost = easy_cost(), .max_num_seqs = 1, .max_num_batched_tokens = 1000};
    struct llmsim_point_price price = {.gpus_per_replica = 2};
    for (int i = 0; i < 4; i++) {
        struct llmsim_run_description description = {.config = &config,
                                                     .slo = {.e2e_ns = i / 2 * MS}};
        struct llmsim_csv_row header = {0}, row = {0};
        struct llmsim_point point;
        request.output_tokens = (uint32_t)i;
        price.gpu = (struct llmsim_gpu_price){i % 2 * 3.6, i / 2 * 300};
        cr_assert(llmsim_simulate_point(&memory, &description, &point, NULL) == LLMSIM_OK);
        cr_assert(llmsim_point_header(&header) == header.n_fields);
        llmsim_point_row(&row, &point, &price);
        cr_assert(row.n_fields == header.n_fields);
        llmsim_csv_row_fini(&row);
        llmsim_csv_row_fini(&header);
        llmsim_point_fini(&point);
    }
}
