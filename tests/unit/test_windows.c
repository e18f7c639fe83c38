/* --from and --until: what is simulated, what is reported, and that nothing is lost. */
#include "support/hand_worked.h"
#include "support/random_case.h"
#include "support/replay_files.h"

/* One place. Row 0: prefill to 10, then 10 + 11, 12, 13, 14: 31, 53, 76, 100. At 60 it has three
 * tokens, row 1 none and no first step. Row 2 arrives at 60, and that is too late. Steps that have
 * not ended do not count: the prefill and two decodes do. */
Test(windows, who_has_not_ended_is_unfinished)
{
    hand_check(&(struct hand_case){
        .config = {.max_num_seqs = 1, .until_ns = 60 * MS},
        .n_rows = 4,
        .n_steps = 3,
        .rows = {{.prompt = 10,
                  .output = 5,
                  .outcome = LLMSIM_OUTCOME_UNFINISHED,
                  .n_tokens = 3,
                  .token_ms = {10, 31, 53}},
                 {.arrival_ms = 5,
                  .prompt = 10,
                  .output = 5,
                  .outcome = LLMSIM_OUTCOME_UNFINISHED,
                  .scheduled_ms = -1},
                 {.arrival_ms = 60, .outcome = LLMSIM_OUTCOME_OUTSIDE_WINDOW},
                 {.arrival_ms = 70, .outcome = LLMSIM_OUTCOME_OUTSIDE_WINDOW}}});
}

/* The prefill of both, to 10, then 10 + 6 + 6, to 32, and 10 + 7 + 7, to 56. A step that ends when
 * the window closes has ended: row 0 has its third token, and row 1 is completed. A nanosecond
 * earlier neither is so. */
Test(windows, until_at_the_very_end_of_a_step)
{
    struct hand_case hand = {.config = {.until_ns = 56 * MS},
                             .n_rows = 2,
                             .n_steps = 3,
                             .rows = {{.prompt = 5,
                                       .output = 5,
                                       .outcome = LLMSIM_OUTCOME_UNFINISHED,
                                       .n_tokens = 3,
                                       .token_ms = {10, 32, 56}},
                                      {.prompt = 5, .output = 3, .token_ms = {10, 32, 56}}}};
    hand_check(&hand);
    hand.config.until_ns--;
    hand.n_steps = 2;
    hand.rows[0].n_tokens = 2;
    hand.rows[1].n_tokens = 2;
    hand.rows[1].outcome = LLMSIM_OUTCOME_UNFINISHED;
    hand_check(&hand);
}

/* Without an end. Row 0 decodes 10-31 (10 + 11); row 1 arrives at 20, row 2 at 31, and they share a
 * prefill 31-51: the only step that starts at 31 or later. Rows 0 and 1 are simulated, not
 * reported.
 */
Test(windows, from_without_until)
{
    hand_check(&(struct hand_case){
        .config = {.from_ns = 31 * MS},
        .n_rows = 3,
        .n_steps = 3,
        .rows = {
            {.prompt = 10, .output = 2, .outcome = LLMSIM_OUTCOME_OUTSIDE_WINDOW},
            {.arrival_ms = 20, .prompt = 10, .output = 1, .outcome = LLMSIM_OUTCOME_OUTSIDE_WINDOW},
            {.arrival_ms = 31, .prompt = 10, .output = 1, .scheduled_ms = 31, .token_ms = {51}}}});
}

/* A window behind the last arrival has nothing in it; one that ends before the first, too. */
Test(windows, nobody_in_the_window)
{
    struct hand_case hand = {.config = {.from_ns = 500 * MS},
                             .n_rows = 1,
                             .rows = {{.arrival_ms = 100,
                                       .prompt = 10,
                                       .output = 2,
                                       .outcome = LLMSIM_OUTCOME_OUTSIDE_WINDOW}}};
    hand_check(&hand);
    hand.config.from_ns = 0;
    hand.config.until_ns = 100 * MS;
    hand_check(&hand);
}

/* A request whose KV cache is on the link when the window closes, and one that has come and waits.
 * Both are prefilled 0-20. Row 0 is there at 30 and decodes to 51 (10 + 11); row 1 is there at 40.
 */
Test(windows, requests_on_their_way_are_unfinished)
{
    struct hand_case hand = {.config = {.prefill_replicas = 1,
                                        .decode_replicas = 1,
                                        .kv_bytes_per_token = 1,
                                        .link_bytes_per_s = 1000},
                             .n_rows = 2,
                             .n_steps = 1,
                             .rows = {{.prompt = 10,
                                       .output = 3,
                                       .outcome = LLMSIM_OUTCOME_UNFINISHED,
                                       .n_tokens = 1,
                                       .token_ms = {20},
                                       .replica = 1},
                                      {.prompt = 10,
                                       .output = 3,
                                       .outcome = LLMSIM_OUTCOME_UNFINISHED,
                                       .n_tokens = 1,
                                       .token_ms = {20},
                                       .replica = 1}}};
    hand.config.until_ns = 25 * MS;
    hand_check(&hand);
    hand.config.until_ns = 45 * MS;
    hand_check(&hand);
}

/* The value behind "name": in summary.json, the first there is from `text` on. */
static double number_of(const char *text, const char *name)
{
    char key[64];
    (void)snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = strstr(text, key);
    cr_assert_not_null(at, "%s", name);
    return strtod(at + strlen(key), NULL);
}

/* Of row 0 (see the first test) the gaps 21 and 22 count, although it is unfinished; of row 1,
 * which arrives at 5 and is not among the running, nothing. Requests before the window count for
 * nothing: from 1 on there are no gaps. */
Test(windows, itl_counts_what_came)
{
    static const struct llmsim_request requests[] = {
        {.row = 0, .prompt_tokens = 10, .output_tokens = 5},
        {.row = 1, .arrival_ns = 5 * MS, .prompt_tokens = 10, .output_tokens = 5}};
    const char *const engines[] = {"step", "fast"};
    for (size_t i = 0; i < 4; i++) {
        struct llmsim_replay_config config = {.cost = easy_cost(),
                                              .max_num_seqs = 1,
                                              .max_num_batched_tokens = 8192,
                                              .from_ns = i < 2 ? 0 : 1,
                                              .until_ns = 60 * MS};
        struct llmsim_array_cursor cursor = {.requests = requests, .n = 2};
        struct llmsim_source source = llmsim_source_from_array(&cursor);
        char *dir = scratch_dir();
        size_t length;
        replay_into(dir, engines[i % 2], config, &source);
        char *summary = read_text(dir, "summary.json", &length);
        cr_assert_not_null(summary);
        const char *itl = strstr(summary, "\"itl_s\":");
        cr_assert_not_null(itl);
        cr_expect_eq(number_of(itl, "count"), i < 2 ? 2 : 0);
        if (i < 2) {
            cr_expect_float_eq(number_of(itl, "mean"), 0.0215, 1e-12);
            cr_expect_float_eq(number_of(itl, "min"), 0.021, 1e-12);
            cr_expect_float_eq(number_of(itl, "max"), 0.022, 1e-12);
        }
        cr_expect_eq(number_of(summary, "unfinished"), i < 2 ? 2 : 1);
        cr_expect_eq(number_of(summary, "outside_window"), i < 2 ? 0 : 1);
        cr_expect_eq(number_of(summary, "rows"), 2);
        cr_expect_eq(number_of(summary, "makespan_s"), 0);
        free(summary);
        remove_dir(dir);
    }
}

/* Random cases: a window's rows of requests that complete are those of the whole run, and they are
 * all that arrive in it and have ended by its end. */
static void check_window(struct random_case *c, const char *whole_dir, const char *window_dir,
                         const char *engine, uint64_t seed)
{
    struct llmsim_replay_config whole = c->config;
    struct llmsim_source source;
    size_t n_whole, n_window;
    double n_completed = 0;
    whole.from_ns = whole.until_ns = 0;
    source = case_source(c);
    replay_into(whole_dir, engine, whole, &source);
    source = case_source(c);
    replay_into(window_dir, engine, c->config, &source);
    char *rows = read_text(whole_dir, "requests.csv", &n_whole);
    char *window = read_text(window_dir, "requests.csv", &n_window);
    cr_assert(rows != NULL && window != NULL);
    char *rest;
    for (char *line = strtok_r(window, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (strstr(line, ",completed,") == NULL)
            continue;
        char row[600];
        (void)snprintf(row, sizeof row, "\n%s\n", line);
        cr_assert_not_null(strstr(rows, row), "seed %llu, %s: %s", (unsigned long long)seed, engine,
                           line);
        n_completed++;
    }
    /* Now from the whole run: who is in the window. */
    double n_expected = 0;
    for (char *line = strtok_r(rows, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        const char *fields[9] = {line}; /* arrival_s is number 1, e2e_s number 8 */
        if (strstr(line, ",completed,") == NULL)
            continue;
        for (int i = 1; i < 9; i++)
            fields[i] = strchr(fields[i - 1], ',') + 1;
        int64_t arrival_ns = (int64_t)(strtod(fields[1], NULL) * 1e9 + 0.5);
        int64_t end_ns = arrival_ns + (int64_t)(strtod(fields[8], NULL) * 1e9 + 0.5);
        n_expected += arrival_ns >= c->config.from_ns &&
                      (c->config.until_ns == 0 ||
                       (arrival_ns < c->config.until_ns && end_ns <= c->config.until_ns));
    }
    cr_expect(n_completed == n_expected, "seed %llu, %s: %g, not %g", (unsigned long long)seed,
              engine, n_completed, n_expected);
    char *summary = read_text(window_dir, "summary.json", &n_window);
    cr_expect_eq(number_of(summary, "rows"), (double)c->n_requests);
    cr_expect_eq(number_of(summary, "completed"), n_completed);
    free(summary);
    free(window);
    free(rows);
}

Test(windows, a_window_is_a_part_of_the_whole_run)
{
    char *whole_dir = scratch_dir(), *window_dir = scratch_dir();
    static struct random_case c;
    uint64_t n = case_count(800);
    for (uint64_t seed = 1; seed <= n; seed++) {
        case_make(&c, seed);
        if (c.n_requests == 0)
            continue;
        uint64_t state = seed;
        uint64_t span_ns = (uint64_t)c.requests[c.n_requests - 1].arrival_ns + 2000000;
        c.config.from_ns = (int64_t)case_random(&state, span_ns);
        c.config.until_ns = case_random(&state, 3) == 0
                                ? 0
                                : c.config.from_ns + 1 + (int64_t)case_random(&state, span_ns);
        check_window(&c, whole_dir, window_dir, seed % 2 == 0 ? "step" : "fast", seed);
    }
    remove_dir(whole_dir);
    remove_dir(window_dir);
}
