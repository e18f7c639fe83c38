/* The table of classes of summary.json, worked out by hand, and sums over it. */
#include <criterion/criterion.h>
#include <math.h>

#include "sinks.h"
#include "support/collect.h"

static const char *letter(const void *self, uint16_t class_id)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    (void)self;
    return names[class_id - 1];
}

/* Replay with a sink for the summary and one for the classes. */
static void run(const char *engine, const char *policy, const struct llmsim_request *requests,
                size_t n, const struct llmsim_slo *slo, struct llmsim_summary *summary,
                struct classes_sink *classes)
{
    struct llmsim_replay_config config = {.cost = easy_cost(),
                                          .engine = engine,
                                          .policy = policy,
                                          .max_num_seqs = 8,
                                          .max_num_batched_tokens = 100};
    struct llmsim_array_cursor cursor = {.requests = requests, .n = n};
    struct llmsim_source source = llmsim_source_from_array(&cursor);
    struct llmsim_sink sinks[] = {{&llmsim_summary_sink_ops, summary},
                                  {&llmsim_classes_sink_ops, classes}};
    struct llmsim_error err = {0};
    source.class_name = letter;
    *classes = (struct classes_sink){.summary = summary};
    cr_assert(llmsim_summary_init(summary, NULL) == LLMSIM_OK);
    summary->slo = *slo;
    cr_assert(llmsim_replay(&config, &source, sinks, 2, &err) == LLMSIM_OK, "%s", err.message);
}

static void fini(struct llmsim_summary *summary, struct classes_sink *classes)
{
    llmsim_classes_sink_fini(classes);
    llmsim_summary_fini(summary);
}

/* Far apart, so each is alone. A prompt token takes 1 ms; a decode step 10 ms and 1 ms a token of
 * context. Class b: 5 + 1 tokens, E2E 5 ms; 10 + 2 tokens, TTFT 10 ms and a step of 10 + 11 ms.
 * Class a: 20 + 1 tokens, 20 ms. One without a class, which failed in the trace. */
Test(classes, by_hand)
{
    const struct llmsim_request requests[] = {
        {.arrival_ns = 0, .row = 0, .prompt_tokens = 5, .output_tokens = 1, .class_id = 2},
        {.arrival_ns = 1000 * MS, .row = 1, .prompt_tokens = 20, .output_tokens = 1, .class_id = 1},
        {.arrival_ns = 2000 * MS, .row = 2, .prompt_tokens = 10, .output_tokens = 2, .class_id = 2},
        {.arrival_ns = 2500 * MS, .row = 3, .prompt_tokens = 9, .is_failed = true},
    };
    const struct llmsim_slo slo = {.ttft_ns = 9 * MS};
    static const char *const engines[] = {"fast", "step"};
    for (size_t i = 0; i < 2; i++) {
        struct llmsim_summary s;
        struct classes_sink sink;
        run(engines[i], "continuous", requests, 4, &slo, &s, &sink);
        cr_assert(s.n_classes == 3);
        struct llmsim_class_summary *a = &s.classes[0], *b = &s.classes[1], *none = &s.classes[2];
        cr_expect_str_eq(a->name, "a");
        cr_expect_str_eq(b->name, "b");
        cr_expect_str_eq(none->name, "");
        cr_expect(a->n_requests == 1 && a->outcomes[LLMSIM_OUTCOME_COMPLETED] == 1);
        cr_expect(b->n_requests == 2 && b->outcomes[LLMSIM_OUTCOME_COMPLETED] == 2);
        cr_expect(none->n_requests == 1 && none->outcomes[LLMSIM_OUTCOME_FAILED_IN_TRACE] == 1);
        cr_expect(a->n_slo_met == 0 && b->n_slo_met == 1 && none->n_slo_met == 0);
        cr_expect(a->tpot.n == 0 && none->e2e.n == 0);
        cr_expect(b->tpot.n == 1 && b->tpot.max == 21 * MS);
        cr_expect(b->e2e.n == 2 && b->e2e.min == 5 * MS && b->e2e.max == 31 * MS);
        cr_expect(b->queue.n == 2 && b->queue.max == 0);
        cr_expect_float_eq(llmsim_stat_percentile(&b->e2e, 0.5), 18e6, 1e-3);
        cr_expect_float_eq(llmsim_stat_percentile(&b->ttft, 0.9), 9.5e6, 1e-3);
        fini(&s, &sink);
    }
}

/* Over random requests, policies and engines: what the classes have adds up to the whole. */
Test(classes, add_up)
{
    static const char *const engines[] = {"fast", "step"};
    enum { N = 200 };
    static struct llmsim_request requests[N];
    uint64_t state = 1;
    const struct llmsim_slo slo = {.ttft_ns = 300 * MS, .e2e_ns = 3000 * MS};
    for (unsigned k = 0; k < 60; k++) {
        int64_t arrival_ns = 0;
        for (size_t i = 0; i < N; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            uint32_t x = (uint32_t)(state >> 33);
            arrival_ns += (int64_t)(x % 97) * MS;
            requests[i] = (struct llmsim_request){.arrival_ns = arrival_ns,
                                                  .row = i,
                                                  .prompt_tokens = x % 31,
                                                  .output_tokens = x % 7,
                                                  .is_failed = x % 29 == 0,
                                                  .class_id = (uint16_t)(x % 5)};
        }
        const struct llmsim_choice *policy;
        for (size_t p = 0; (policy = llmsim_policy_choice(p)) != NULL; p++) {
            struct llmsim_summary s;
            struct classes_sink sink;
            run(engines[k % 2], policy->name, requests, N, &slo, &s, &sink);
            struct llmsim_class_summary sum = {.n_requests = 0};
            for (size_t i = 0; i < s.n_classes; i++) {
                const struct llmsim_class_summary *c = &s.classes[i];
                sum.n_requests += c->n_requests;
                sum.n_slo_met += c->n_slo_met;
                for (size_t o = 0; o < LLMSIM_N_OUTCOMES; o++)
                    sum.outcomes[o] += c->outcomes[o];
                sum.ttft.n += c->ttft.n, sum.ttft.sum += c->ttft.sum;
                sum.tpot.n += c->tpot.n, sum.tpot.sum += c->tpot.sum;
                sum.e2e.n += c->e2e.n, sum.e2e.sum += c->e2e.sum;
                sum.queue.n += c->queue.n, sum.queue.sum += c->queue.sum;
            }
            cr_expect(sum.n_requests == N && sum.n_requests == s.totals.n_requests);
            cr_expect(sum.n_slo_met == s.n_slo_met);
            cr_expect_arr_eq(sum.outcomes, s.outcomes, sizeof s.outcomes);
            cr_expect(sum.ttft.n == s.ttft.n && sum.ttft.sum == s.ttft.sum);
            cr_expect(sum.tpot.n == s.tpot.n && sum.tpot.sum == s.tpot.sum);
            cr_expect(sum.e2e.n == s.e2e.n && sum.e2e.sum == s.e2e.sum);
            cr_expect(sum.queue.n == s.queue.n && sum.queue.sum == s.queue.sum);
            fini(&s, &sink);
        }
    }
}
