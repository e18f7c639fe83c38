/* When the observer of a run is called. */
#include <criterion/criterion.h>

#include "support/collect.h"

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
