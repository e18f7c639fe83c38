/* M/D/1: Poisson arrivals, one request at a time, every service equally long. The mean wait is
 * rho · D / (2 (1 - rho)) (Pollaczek and Khinchine); a simulator whose clock or queue is off by a
 * step misses it. One-token outputs, so the service time is the prefill alone. */
#include <criterion/criterion.h>

#include "llmsim/llmsim.h"

struct wait {
    double sum_ns;
    uint64_t n;
};

static enum llmsim_status add_wait(void *self, const struct llmsim_result *result,
                                   struct llmsim_error *err)
{
    struct wait *wait = self;
    (void)err;
    wait->sum_ns += (double)llmsim_result_queue_ns(result);
    wait->n++;
    return LLMSIM_OK;
}

static const struct llmsim_sink_ops wait_ops = {.name = "wait", .request = add_wait};

static double mean_wait_s(const char *engine, double rho, double service_s, uint64_t n)
{
    struct llmsim_generate_options options = {
        .n_requests = n,
        .seed = 12345,
        .arrivals = LLMSIM_ARRIVALS_POISSON,
        .rate_per_s = rho / service_s,
        .prompt = {.kind = LLMSIM_LENGTHS_FIXED, .mean = 1000},
        .output = {.kind = LLMSIM_LENGTHS_FIXED, .mean = 1},
    };
    struct llmsim_generator *generator;
    struct llmsim_error err;
    cr_assert_eq(llmsim_generator_create(&options, &generator, &err), LLMSIM_OK, "%s", err.message);
    struct llmsim_source source = llmsim_generator_source(generator);
    struct wait wait = {0};
    struct llmsim_sink sink = {&wait_ops, &wait};
    struct llmsim_replay_config config = {
        .cost = {.model = &llmsim_cost_models[0],
                 .prefill_per_token = (uint64_t)llmsim_time_from_seconds(service_s / 1000)},
        .engine = engine,
        .max_num_seqs = 1,
        .max_num_batched_tokens = 8192,
    };
    cr_assert_eq(llmsim_replay(&config, &source, &sink, 1, &err), LLMSIM_OK, "%s", err.message);
    llmsim_generator_destroy(generator);
    cr_assert_eq(wait.n, n);
    return wait.sum_ns / 1e9 / (double)wait.n;
}

static void check(double rho)
{
    const double service_s = 0.25;
    double theory_s = rho * service_s / (2 * (1 - rho));
    const char *const engines[] = {"step", "fast"};
    for (size_t i = 0; i < 2; i++) {
        double got_s = mean_wait_s(engines[i], rho, service_s, 2000000);
        cr_assert_float_eq(got_s, theory_s, 0.02 * theory_s, "%s at load %g: %g s, theory %g s",
                           engines[i], rho, got_s, theory_s);
    }
}

Test(md1, load_03)
{
    check(0.3);
}
Test(md1, load_06)
{
    check(0.6);
}
Test(md1, load_09)
{
    check(0.9);
}
