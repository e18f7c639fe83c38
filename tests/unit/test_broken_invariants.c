/* Each always-on invariant trips: exit code 6, with the simulated time and the row. */
#include <criterion/criterion.h>

#include "run.h"
#include "support/collect.h"

static llmsim_time backwards(const struct llmsim_cost *cost, const struct llmsim_step_shape *shape)
{
    (void)cost;
    (void)shape;
    return -llmsim_time_from_ns(5);
}

static const struct llmsim_cost_model broken_model = {.name = "broken", .step = backwards};

static void expect_broken(const char *engine, const char *message)
{
    static const struct llmsim_request requests[] = {{.arrival_ns = 1500, .prompt_tokens = 1}};
    struct llmsim_cost_model model = broken_model;
    model.decode = llmsim_cost_models[0].decode;
    struct llmsim_replay_config config = {
        .cost = easy_cost(), .engine = engine, .max_num_seqs = 1, .max_num_batched_tokens = 1};
    config.cost.model = &model;
    struct collected c;
    struct llmsim_error err;
    cr_assert_eq(collect_run(&config, requests, 1, &c, &err), LLMSIM_INTERNAL);
    cr_assert_str_eq(err.message, message);
    collected_fini(&c);
}

Test(broken_invariants, a_step_ends_before_it_starts)
{
    expect_broken("fast", "broken invariant at simulated time 0.000001500 s, row 1: steps->end >= "
                          "steps->start");
}

Test(broken_invariants, an_event_lies_in_the_past)
{
    expect_broken("step",
                  "broken invariant at simulated time 0.000001500 s, row 1: time >= e->now");
}

Test(broken_invariants, a_request_is_lost)
{
    struct llmsim_error err;
    struct run run = {.err = &err, .totals = {.n_requests = 2, .last_end_ns = 7}};
    run.arrivals.n_taken = 2;
    cr_assert_eq(llmsim_run_check_end(&run), LLMSIM_OK);
    run.arrivals.n_taken = 3;
    cr_assert_eq(llmsim_run_check_end(&run), LLMSIM_INTERNAL);
    cr_assert_str_eq(err.message,
                     "broken invariant at simulated time 0.000000007 s, row 3: "
                     "run->totals.n_requests + run->totals.n_outside_window == n_rows");
}
