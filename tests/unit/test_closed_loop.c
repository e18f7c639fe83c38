/* --max-concurrency: when requests arrive that wait for others to end. Times by hand, in the costs
 * of easy_cost(): a prompt token takes 1 ms, a decode step 10 ms and 1 ms for each KV token. */
#include <criterion/criterion.h>

#include "support/collect.h"

struct expected {
    int64_t arrival_ns, end_ns; /* end_ns 0: outside the window */
    enum llmsim_outcome outcome;
};

/* Requests of 10 prompt tokens that the trace has at arrivals_ms. */
static void check(struct llmsim_replay_config config, size_t n, const int64_t *arrivals_ms,
                  const uint32_t *outputs, const struct expected *expected)
{
    static const char *const engines[] = {"step", "fast"};
    struct llmsim_request requests[8];
    for (size_t i = 0; i < n; i++)
        requests[i] = (struct llmsim_request){.arrival_ns = arrivals_ms[i] * MS,
                                              .row = i,
                                              .prompt_tokens = 10,
                                              .output_tokens = outputs[i],
                                              .deadline_ns = LLMSIM_NO_DEADLINE};
    config.cost = easy_cost();
    config.max_num_seqs = 16;
    config.max_num_batched_tokens = 8192;
    for (size_t e = 0; e < 2; e++) {
        struct collected c;
        struct llmsim_error err = {0};
        uint64_t n_outside = 0;
        config.engine = engines[e];
        cr_assert_eq(collect_run(&config, requests, n, &c, &err), LLMSIM_OK, "%s", err.message);
        for (size_t i = 0; i < n; i++) {
            const struct collected_request *got = collected_row(&c, i);
            cr_assert_eq(got == NULL, expected[i].end_ns == 0, "%s: row %zu", engines[e], i);
            n_outside += got == NULL;
            if (got == NULL)
                continue;
            cr_expect_eq(got->result.outcome, expected[i].outcome);
            cr_expect_eq(got->result.request.arrival_ns, expected[i].arrival_ns,
                         "%s: row %zu arrives at %lld", engines[e], i,
                         (long long)got->result.request.arrival_ns);
            cr_expect_eq(got->result.end_ns, expected[i].end_ns, "%s: row %zu ends at %lld",
                         engines[e], i, (long long)got->result.end_ns);
        }
        cr_expect_eq(c.totals.n_outside_window, n_outside);
        collected_fini(&c);
    }
}

/* Each is sent a nanosecond after the end of the one before it, and finds an empty server; the
 * third arrives later than that. */
Test(closed_loop, one_at_a_time)
{
    check((struct llmsim_replay_config){.max_concurrency = 1}, 4, (int64_t[]){0, 0, 70, 70},
          (uint32_t[]){1, 1, 1, 1},
          (struct expected[]){{.arrival_ns = 0, .end_ns = 10 * MS},
                              {.arrival_ns = 10 * MS + 1, .end_ns = 20 * MS + 1},
                              {.arrival_ns = 70 * MS, .end_ns = 80 * MS},
                              {.arrival_ns = 80 * MS + 1, .end_ns = 90 * MS + 1}});
}

/* Two: rows 0 and 1 share a prefill to 20, where row 0 ends. Row 2 is too late for the decode step
 * of row 1 that begins then and takes 10 + 11: prefill from 41 to 51, where it ends. Row 3 is sent
 * then, and row 1 decodes alone once more, 10 + 12, to 73; row 3's prefill takes until 83. */
Test(closed_loop, the_next_misses_the_step_that_begins)
{
    check((struct llmsim_replay_config){.max_concurrency = 2}, 4, (int64_t[]){0, 0, 0, 0},
          (uint32_t[]){1, 3, 1, 1},
          (struct expected[]){{.arrival_ns = 0, .end_ns = 20 * MS},
                              {.arrival_ns = 0, .end_ns = 73 * MS},
                              {.arrival_ns = 20 * MS + 1, .end_ns = 51 * MS},
                              {.arrival_ns = 51 * MS + 1, .end_ns = 83 * MS}});
}

/* Two replicas in turn, each with one request at a time: 0 to 10 both, then both again. */
Test(closed_loop, over_replicas)
{
    check((struct llmsim_replay_config){.max_concurrency = 2, .n_replicas = 2}, 4,
          (int64_t[]){0, 0, 0, 0}, (uint32_t[]){1, 1, 1, 1},
          (struct expected[]){{.arrival_ns = 0, .end_ns = 10 * MS},
                              {.arrival_ns = 0, .end_ns = 10 * MS},
                              {.arrival_ns = 10 * MS + 1, .end_ns = 20 * MS + 1},
                              {.arrival_ns = 10 * MS + 1, .end_ns = 20 * MS + 1}});
}

/* One place and three users, earliest deadline first. Row 3 is sent at 10 ms and a nanosecond, when
 * row 0 ends, with 5 ms to its deadline as in the trace: 15 ms, behind row 1 (12) and ahead of row
 * 2 (30).
 */
Test(closed_loop, a_deadline_moves_with_the_arrival)
{
    const int64_t deadlines_ms[] = {11, 12, 30, 5};
    const int64_t ends_ns[] = {10 * MS, 20 * MS, 40 * MS, 30 * MS};
    static const char *const engines[] = {"step", "fast"};
    struct llmsim_request requests[4];
    for (size_t i = 0; i < 4; i++)
        requests[i] = (struct llmsim_request){
            .row = i, .prompt_tokens = 10, .output_tokens = 1, .deadline_ns = deadlines_ms[i] * MS};
    for (size_t e = 0; e < 2; e++) {
        struct collected c;
        struct llmsim_error err = {0};
        const struct llmsim_replay_config config = {.cost = easy_cost(),
                                                    .engine = engines[e],
                                                    .queue_order = "edf",
                                                    .max_num_seqs = 1,
                                                    .max_num_batched_tokens = 8192,
                                                    .max_concurrency = 3};
        cr_assert_eq(collect_run(&config, requests, 4, &c, &err), LLMSIM_OK, "%s", err.message);
        for (size_t i = 0; i < 4; i++)
            cr_expect_eq(collected_row(&c, i)->result.end_ns, ends_ns[i]);
        collected_fini(&c);
    }
}

/* A bound that nobody feels changes nothing. */
Test(closed_loop, bound_of_all)
{
    check((struct llmsim_replay_config){.max_concurrency = 3}, 3, (int64_t[]){0, 0, 5},
          (uint32_t[]){1, 1, 1},
          (struct expected[]){{.arrival_ns = 0, .end_ns = 20 * MS},
                              {.arrival_ns = 0, .end_ns = 20 * MS},
                              {.arrival_ns = 5 * MS, .end_ns = 30 * MS}});
}

/* At 15 ms the second is under way, and the others have not been sent; at 10 ms and a nanosecond
 * not even the second has. */
Test(closed_loop, a_window_ends_it)
{
    const int64_t arrivals_ms[] = {0, 0, 0, 20};
    const uint32_t outputs[] = {1, 1, 1, 1};
    struct expected expected[] = {
        {.arrival_ns = 0, .end_ns = 10 * MS},
        {.arrival_ns = 10 * MS + 1, .end_ns = 15 * MS, .outcome = LLMSIM_OUTCOME_UNFINISHED},
        {.end_ns = 0},
        {.end_ns = 0}};
    check((struct llmsim_replay_config){.max_concurrency = 1, .until_ns = 15 * MS}, 4, arrivals_ms,
          outputs, expected);
    expected[1].end_ns = 0;
    check((struct llmsim_replay_config){.max_concurrency = 1, .until_ns = 10 * MS + 1}, 4,
          arrivals_ms, outputs, expected);
}

Test(closed_loop, bounds)
{
    struct llmsim_error err;
    const struct llmsim_replay_config config = {.cost = easy_cost(),
                                                .max_num_seqs = 1,
                                                .max_num_batched_tokens = 1,
                                                .max_concurrency = LLMSIM_MAX_CONCURRENCY + 1};
    cr_assert_eq(llmsim_replay_check(&config, &err), LLMSIM_USAGE);
    cr_assert_str_eq(err.message, "max-concurrency 1000001: expected 0 to 1000000");
}
