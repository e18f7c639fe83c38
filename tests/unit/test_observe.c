/* When the observer of a run is called. */
#include <criterion/criterion.h>

#include <unistd.h>

#include "support/collect.h"
#include "support/files.h"

struct looks {
    uint64_t n;
    uint64_t last_n_ended;
    bool go_on;
};

static bool look(void *ctx, const struct llmsim_observation *o)
{
    struct looks *looks = ctx;
    looks->n++;
    looks->last_n_ended = o->n_ended;
    return looks->go_on;
}

/* Eight requests of 300,000 tokens, which end together. */
static enum llmsim_status run_long(uint32_t observe_every, struct looks *looks,
                                   struct llmsim_error *err)
{
    struct llmsim_request requests[8];
    for (uint64_t i = 0; i < 8; i++)
        requests[i] =
            (struct llmsim_request){.row = i, .prompt_tokens = 1, .output_tokens = 300000};
    struct llmsim_array_cursor cursor = {.requests = requests, .n = 8};
    struct llmsim_source source = llmsim_source_from_array(&cursor);
    struct llmsim_replay_config config = {.cost = easy_cost(),
                                          .max_num_seqs = 8,
                                          .max_num_batched_tokens = 100,
                                          .observe = look,
                                          .observe_ctx = looks,
                                          .observe_every = observe_every};
    return llmsim_replay(&config, &source, NULL, 0, err);
}

Test(observe, within_an_event_that_writes_millions_of_tokens)
{
    struct llmsim_error err;
    struct looks looks = {.go_on = true};
    cr_assert_eq(run_long(UINT32_MAX, &looks, &err), LLMSIM_OK);
    cr_assert_eq(looks.n, 2); /* after the 4th request and the 8th */
    looks = (struct looks){.go_on = false};
    cr_assert_eq(run_long(UINT32_MAX, &looks, &err), LLMSIM_INTERRUPTED);
    cr_assert_eq(looks.n, 1);
    cr_assert(strstr(err.message, ": 4 requests had ended") != NULL, "%s", err.message);
}

/* What it is shown there is a state that the run was in. */
Test(observe, within_an_event_the_last_state_again)
{
    struct looks looks = {.go_on = true};
    cr_assert_eq(run_long(1, &looks, NULL), LLMSIM_OK);
    cr_assert_gt(looks.n, 2);
    cr_assert_eq(looks.last_n_ended, 8);
}

static bool look_until(void *ctx, const struct llmsim_observation *o)
{
    uint64_t *n_left = ctx;
    (void)o;
    return (*n_left)-- > 1;
}

/* One request of 3 × 2^20 + 9 tokens: the sink looks after every 2^20 steps, then after every 2^20
 * rows, and the run looks once when the request is over. At the fifth look no request has ended. */
Test(observe, within_a_request_that_writes_millions_of_tokens)
{
    char *path = temp_file("", 0);
    char dir[300];
    (void)snprintf(dir, sizeof dir, "%s.out", path);
    struct llmsim_request request = {.prompt_tokens = 1, .output_tokens = (3u << 20) + 9};
    struct llmsim_results_options options = {.dir = dir, .tokens_path = "/dev/null"};
    static const char *const engines[] = {"fast", "step"};
    for (int engine = 0; engine < 2; engine++) {
        struct llmsim_array_cursor cursor = {.requests = &request, .n = 1};
        struct llmsim_source source = llmsim_source_from_array(&cursor);
        struct llmsim_error err;
        uint64_t n_left = engine == 0 ? 5 : 2; /* the step engine gives times, no steps to keep */
        struct llmsim_replay_config config = {.cost = easy_cost(),
                                              .engine = engines[engine],
                                              .max_num_seqs = 8,
                                              .max_num_batched_tokens = 100,
                                              .observe = look_until,
                                              .observe_ctx = &n_left,
                                              .observe_every = UINT32_MAX};
        config.cost.decode_any_batch.per_context_token = 0; /* or it would take 1000 years */
        const struct llmsim_model model = {.name = "m"};
        const struct llmsim_gpu gpu = {.name = "g"};
        struct llmsim_run_description description = {
            .config = &config, .model = &model, .gpu = &gpu, .trace_name = "none"};
        struct llmsim_results *results;
        size_t n_sinks;
        cr_assert_eq(llmsim_results_open(&options, &description, &results, &err), LLMSIM_OK, "%s",
                     err.message);
        const struct llmsim_sink *sinks = llmsim_results_sinks(results, &n_sinks);
        cr_expect_eq(llmsim_replay(&config, &source, sinks, n_sinks, &err), LLMSIM_INTERRUPTED);
        cr_expect(strstr(err.message, ": 0 requests had ended") != NULL, "%s", err.message);
        cr_expect_eq(n_left, 0, "%s: %d", engines[engine], (int)n_left);
        llmsim_results_close(results);
    }
    cr_assert_eq(rmdir(dir), 0);
    remove_temp(path);
}
