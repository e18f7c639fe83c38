/* The prefix cache: its rules by hand, its two implementations against each other on random
 * operations, and replays. */
#include "prefix_cache.h"
#include "step_prefixes.h"
#include "support/hand_worked.h"
#include "support/random_case.h"

/* --- The data structure. Both implementations, side by side. --- */

struct both {
    struct prefix_cache fast;
    struct step_prefixes step;
};

struct both_hold {
    struct prefix_hold fast, step;
};

static void check_hold(const struct both_hold *hold)
{
    cr_assert(hold->fast.n_blocks == hold->step.n_blocks &&
              hold->fast.n_units == hold->step.n_units &&
              (hold->fast.n_units == 0 || hold->fast.last_blocks == hold->step.last_blocks));
}

static struct both both_empty(uint32_t block_size)
{
    return (struct both){{.block_size = block_size}, {.block_size = block_size}};
}

static void both_fini(struct both *b)
{
    llmsim_prefix_cache_fini(&b->fast);
    free(b->step.units);
}

static uint64_t both_lookup(const struct both *b, const struct llmsim_prefix *prefix,
                            uint64_t n_most, uint64_t *n_unheld)
{
    uint64_t step_unheld;
    uint64_t n = llmsim_prefix_lookup(&b->fast, prefix, n_most, n_unheld);
    cr_assert_eq(n, step_prefixes_lookup(&b->step, prefix, n_most, &step_unheld));
    cr_assert_eq(*n_unheld, step_unheld);
    return n;
}

/* As both_lookup, and so many of them nobody holds. */
static void expect_found(const struct both *b, const struct llmsim_prefix *prefix, uint64_t n_most,
                         uint64_t n, uint64_t n_unheld)
{
    uint64_t got_unheld, got = both_lookup(b, prefix, n_most, &got_unheld);
    cr_expect(got == n && got_unheld == n_unheld, "at most %llu: %llu, %llu unheld",
              (unsigned long long)n_most, (unsigned long long)got, (unsigned long long)got_unheld);
}

static uint64_t both_take(struct both *b, const struct llmsim_prefix *prefix, uint64_t n_blocks,
                          struct both_hold *hold)
{
    uint64_t before = step_prefixes_held(&b->step);
    uint64_t n = llmsim_prefix_take(&b->fast, prefix, n_blocks, &hold->fast);
    step_prefixes_take(&b->step, prefix, n_blocks, &hold->step);
    cr_assert_eq(n, step_prefixes_held(&b->step) - before);
    check_hold(hold);
    return n;
}

static void both_add(struct both *b, const struct llmsim_prefix *prefix, uint64_t n_blocks,
                     struct both_hold *hold)
{
    cr_assert(llmsim_prefix_add(&b->fast, prefix, n_blocks, &hold->fast));
    cr_assert(step_prefixes_add(&b->step, prefix, n_blocks, &hold->step));
    check_hold(hold);
}

static uint64_t both_drop(struct both *b, const struct llmsim_prefix *prefix,
                          struct both_hold *hold)
{
    uint64_t before = step_prefixes_held(&b->step);
    uint64_t n = llmsim_prefix_drop(&b->fast, prefix, &hold->fast);
    step_prefixes_drop(&b->step, prefix, &hold->step);
    cr_assert_eq(n, before - step_prefixes_held(&b->step));
    check_hold(hold);
    return n;
}

static void both_evict(struct both *b, uint64_t n_free)
{
    llmsim_prefix_evict(&b->fast, n_free);
    step_prefixes_evict(&b->step, n_free);
}

/* Units of two blocks. */
static const uint64_t abc_ids[] = {1, 2, 3};
static const struct llmsim_prefix abc = {abc_ids, 3, 8};

/* Five blocks of three units are there: the third has one of its two. */
Test(prefix_cache, what_is_added_is_found)
{
    struct both b = both_empty(4);
    struct both_hold hold = {0};
    const uint64_t other_ids[] = {1, 9}, late_ids[] = {2, 3};
    const struct llmsim_prefix other = {other_ids, 2, 8}, late = {late_ids, 2, 8};
    expect_found(&b, &abc, 6, 0, 0);
    both_add(&b, &abc, 5, &hold);
    cr_expect(hold.fast.n_blocks == 5 && hold.fast.n_units == 3 && hold.fast.last_blocks == 1);
    expect_found(&b, &abc, 6, 5, 0);
    expect_found(&b, &abc, 4, 4, 0);
    expect_found(&b, &other, 4, 2, 0); /* up to where they differ */
    expect_found(&b, &late, 2, 2, 0);  /* an id stands for all that is ahead of it, too */
    both_fini(&b);
}

/* Half of a held unit is not hit; of one that nobody holds any part is, and the rest is lost. */
Test(prefix_cache, a_held_unit_is_hit_whole_or_not_at_all)
{
    struct both b = both_empty(4);
    struct both_hold hold = {0}, second = {0};
    both_add(&b, &abc, 6, &hold);
    expect_found(&b, &abc, 5, 4, 0);
    expect_found(&b, &abc, 3, 2, 0);
    expect_found(&b, &abc, 1, 0, 0);
    cr_expect_eq(both_drop(&b, &abc, &hold), 6);
    expect_found(&b, &abc, 5, 5, 5);
    expect_found(&b, &abc, 3, 3, 3);
    cr_expect_eq(both_take(&b, &abc, 3, &second), 3);
    cr_expect_eq(b.fast.n_unheld, 2); /* unit 3; of unit 2 one block is left, and held */
    expect_found(&b, &abc, 6, 3, 0);  /* its end is not there, so unit 3 is out of reach */
    both_fini(&b);
}

/* Two holders of a prefix: its blocks are free when both have let go. */
Test(prefix_cache, blocks_are_free_when_nobody_holds_them)
{
    struct both b = both_empty(4);
    struct both_hold first = {0}, second = {0};
    both_add(&b, &abc, 6, &first);
    cr_expect_eq(both_take(&b, &abc, 4, &second), 0);
    cr_expect_eq(both_drop(&b, &abc, &first), 2);
    expect_found(&b, &abc, 6, 6, 2);
    cr_expect_eq(both_drop(&b, &abc, &second), 4);
    expect_found(&b, &abc, 6, 6, 6);
    cr_expect_eq(b.fast.n_unheld, 6);
    both_fini(&b);
}

/* A unit grows with its one holder, and not while it has two; what another request has brought is
 * not added again. */
Test(prefix_cache, add_stops_where_it_is_not_alone)
{
    struct both b = both_empty(4);
    struct both_hold first = {0}, second = {0}, third = {0};
    both_add(&b, &abc, 3, &first);
    both_take(&b, &abc, 3, &second);
    both_add(&b, &abc, 6, &second);
    cr_expect_eq(second.fast.n_blocks, 3); /* the second block of unit 2 stays its own */
    both_add(&b, &abc, 6, &third);
    cr_expect_eq(third.fast.n_blocks, 0);
    both_drop(&b, &abc, &first);
    both_add(&b, &abc, 6, &second);
    cr_expect_eq(second.fast.n_blocks, 6);
    both_fini(&b);
}

/* Let go of 1, 2, 3 and then of 5, 6: from the end of each, the first prompt first. */
Test(prefix_cache, what_was_let_go_first_is_forgotten_first)
{
    struct both b = both_empty(4);
    struct both_hold hold = {0};
    const uint64_t other_ids[] = {5, 6};
    const struct llmsim_prefix other = {other_ids, 2, 8};
    both_add(&b, &abc, 6, &hold);
    both_drop(&b, &abc, &hold);
    both_add(&b, &other, 4, &hold);
    both_drop(&b, &other, &hold);
    for (uint64_t n_free = 10; n_free > 4; n_free--) {
        both_evict(&b, n_free);
        expect_found(&b, &abc, 6, n_free - 4, n_free - 4);
        expect_found(&b, &other, 4, 4, 4);
    }
    both_evict(&b, 1);
    expect_found(&b, &abc, 6, 0, 0);
    expect_found(&b, &other, 4, 1, 1);
    both_evict(&b, 0);
    cr_expect_eq(b.fast.n_units, 0);
    /* What is taken and let go again is the newest. */
    both_add(&b, &abc, 2, &hold);
    both_drop(&b, &abc, &hold);
    both_add(&b, &other, 2, &hold);
    both_drop(&b, &other, &hold);
    both_take(&b, &abc, 2, &hold);
    both_drop(&b, &abc, &hold);
    both_evict(&b, 2);
    expect_found(&b, &abc, 6, 2, 2);
    expect_found(&b, &other, 4, 0, 0);
    both_fini(&b);
}

/* Against the plain list, over random prompts: those who hold look up first, as requests do. */
Test(prefix_cache, random_operations)
{
    enum { HOLDERS = 12, UNITS = 6 };
    for (uint64_t seed = 1; seed <= case_count(300); seed++) {
        uint64_t state = seed, n_in_unit = 1 + case_random(&state, 4), n_unheld;
        uint64_t ids[HOLDERS][UNITS], n_blocks[HOLDERS] = {0};
        struct both_hold holds[HOLDERS] = {0};
        struct llmsim_prefix prefixes[HOLDERS] = {0};
        struct both b = both_empty(4);
        for (int i = 0; i < 400; i++) {
            size_t h = case_random(&state, HOLDERS);
            struct llmsim_prefix *prefix = &prefixes[h];
            if (case_random(&state, 6) == 0)
                both_evict(&b, case_random(&state, 60));
            if (n_blocks[h] == 0) { /* a new request */
                uint64_t conversation = case_random(&state, 4),
                         n_shared = case_random(&state, UNITS);
                for (uint64_t u = 0; u < UNITS; u++)
                    ids[h][u] =
                        (u < n_shared ? conversation : 100 * (seed + (uint64_t)i)) * 1000 + u;
                *prefix = (struct llmsim_prefix){ids[h], UNITS, (uint32_t)(4 * n_in_unit)};
                n_blocks[h] = 1 + case_random(&state, UNITS * n_in_unit);
                both_take(&b, prefix, both_lookup(&b, prefix, n_blocks[h] - 1, &n_unheld),
                          &holds[h]);
            } else if (case_random(&state, 2) == 0) {
                both_add(&b, prefix, case_random(&state, n_blocks[h] + 1), &holds[h]);
            } else {
                both_drop(&b, prefix, &holds[h]);
                n_blocks[h] = 0;
            }
            uint64_t n_listed = 0;
            for (size_t u = 0; u < b.step.n; u++)
                n_listed += b.step.units[u].n_holders == 0 ? b.step.units[u].n_blocks : 0;
            cr_assert_eq(b.fast.n_unheld, n_listed, "seed %llu", (unsigned long long)seed);
            cr_assert_eq(b.fast.n_units, b.step.n, "seed %llu", (unsigned long long)seed);
        }
        both_fini(&b);
    }
}

/* --- Replays: blocks of 4 tokens, units of 2 blocks. --- */

#define IDS(...)                                                                                   \
    {                                                                                              \
        (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / 8, 8            \
    }
static const struct llmsim_prefix prompts[] = {{0}, IDS(1, 2, 3), IDS(1, 9, 10), IDS(5, 6, 7)};

#define CACHE .enable_prefix_caching = true, .block_size = 4

/* A prompt of 18 has 4 full blocks. The same again finds them, and computes 2 tokens. One of 16 is
 * there to its end, but one token is computed in any case, so its last block is: 4 tokens. Then
 * all 4 blocks are there again. A prompt that has the first unit in common finds 8 tokens. */
Test(prefix_cache, full_blocks_are_hit)
{
    hand_check(&(struct hand_case){
        .config = {CACHE, .num_gpu_blocks = 100},
        .prefixes = prompts,
        .n_rows = 5,
        .n_steps = 5,
        .rows = {
            {.prompt = 18, .output = 1, .prefix = 1, .token_ms = {18}},
            {100, 18, 1, .prefix = 1, .scheduled_ms = 100, .token_ms = {102}, .cached_tokens = 16},
            {200, 16, 1, .prefix = 1, .scheduled_ms = 200, .token_ms = {204}, .cached_tokens = 12},
            {300, 18, 1, .prefix = 1, .scheduled_ms = 300, .token_ms = {302}, .cached_tokens = 16},
            {400, 18, 1, .prefix = 2, .scheduled_ms = 400, .token_ms = {410},
             .cached_tokens = 8}}});
}

/* Row 1 comes while row 0 is processed, and is admitted when that is done: 2 tokens. Rows 2 and 3
 * share a step and compute all of their 36 tokens. */
Test(prefix_cache, blocks_are_shared_when_their_step_has_ended)
{
    hand_check(&(struct hand_case){
        .config = {CACHE, .num_gpu_blocks = 100},
        .prefixes = prompts,
        .n_rows = 4,
        .n_steps = 3,
        .rows = {{.prompt = 18, .output = 1, .prefix = 1, .token_ms = {18}},
                 {5, 18, 1, .prefix = 1, .scheduled_ms = 18, .token_ms = {20}, .cached_tokens = 16},
                 {100, 18, 1, .prefix = 3, .scheduled_ms = 100, .token_ms = {136}},
                 {100, 18, 1, .prefix = 3, .scheduled_ms = 100, .token_ms = {136}}}});
}

/* Row 0 decodes and holds units 1 and 2. Row 1's prompt of 16 ends with unit 2, of which it may use
 * the first block only: it finds unit 1, and computes 8 tokens, 18-26. Then row 0 decodes: 10 + 19,
 * 10 + 20. */
Test(prefix_cache, a_unit_that_is_in_use_is_hit_whole_or_not_at_all)
{
    hand_check(&(struct hand_case){
        .config = {CACHE, .num_gpu_blocks = 100},
        .prefixes = prompts,
        .n_rows = 2,
        .n_steps = 4,
        .rows = {
            {.prompt = 18, .output = 3, .prefix = 1, .token_ms = {18, 55, 85}},
            {1, 16, 1, .prefix = 1, .scheduled_ms = 18, .token_ms = {26}, .cached_tokens = 8}}});
}

/* Prompts of 17, 5 blocks, of which 4 are kept; there are 8 blocks. Row 0 leaves units 1 and 2. Row
 * 1 takes 5 and leaves 3 free, so the end of unit 2 is forgotten, and leaves units 5 and 6. Row 2
 * finds 3 blocks and computes 5 tokens; it takes 2 more blocks, of 8 - 5, so one of the 4 that row
 * 1 left is forgotten: the end of unit 6. Row 3 finds 3, and likewise. */
Test(prefix_cache, the_end_of_the_oldest_prompt_is_evicted)
{
    hand_check(&(struct hand_case){
        .config = {CACHE, .num_gpu_blocks = 8},
        .prefixes = prompts,
        .n_rows = 4,
        .n_steps = 4,
        .rows = {
            {.prompt = 17, .output = 1, .prefix = 1, .token_ms = {17}},
            {100, 17, 1, .prefix = 3, .scheduled_ms = 100, .token_ms = {117}},
            {200, 17, 1, .prefix = 1, .scheduled_ms = 200, .token_ms = {205}, .cached_tokens = 12},
            {300, 17, 1, .prefix = 3, .scheduled_ms = 300, .token_ms = {305},
             .cached_tokens = 12}}});
}

/* 5 blocks; two prompts of 8, 2 blocks each, with nothing in common, to 16. Both want a third block
 * and one is free: row 1 is preempted, and its 2 blocks are kept. Row 0: 10 + 9, 10 + 10, to 55,
 * its end. Row 1, 8 tokens and the one that it had made, finds its prompt and computes one: to 56,
 * its second token; then 10 + 10, 10 + 11. What counts as cached is what was there at first:
 * nothing. */
Test(prefix_cache, a_preempted_request_finds_its_own_prompt)
{
    hand_check(&(struct hand_case){
        .config = {CACHE, .num_gpu_blocks = 5},
        .prefixes = prompts,
        .n_rows = 2,
        .n_steps = 6,
        .rows = {{.prompt = 8, .output = 3, .prefix = 1, .token_ms = {16, 35, 55}},
                 {.prompt = 8,
                  .output = 4,
                  .prefix = 3,
                  .token_ms = {16, 56, 76, 97},
                  .preemptions = 1,
                  .preempted_ms = 40}}});
}

/* Chunks of 12. At 12 three blocks of row 0's prompt are there, unit 1 and the first block of unit
 * 2, and row 1 has a use for them: it computes 6 tokens beside row 0's last 6, to 24. Both hold
 * unit 2, so it does not grow, and row 2 finds 12 tokens too. It is alone, so with it the unit
 * does: row 3 finds 16. */
Test(prefix_cache, chunks_are_shared_one_by_one)
{
    hand_check(&(struct hand_case){
        .config = {CACHE, .num_gpu_blocks = 100, .policy = "mixed", .max_num_batched_tokens = 12},
        .prefixes = prompts,
        .n_rows = 4,
        .n_steps = 4,
        .rows = {
            {.prompt = 18, .output = 1, .prefix = 1, .token_ms = {24}},
            {1, 18, 1, .prefix = 1, .scheduled_ms = 12, .token_ms = {24}, .cached_tokens = 12},
            {100, 18, 1, .prefix = 1, .scheduled_ms = 100, .token_ms = {106}, .cached_tokens = 12},
            {200, 18, 1, .prefix = 1, .scheduled_ms = 200, .token_ms = {202},
             .cached_tokens = 16}}});
}

/* A block size that does not divide a hash id's tokens is a mistake in the settings. */
Test(prefix_cache, blocks_have_to_divide_units)
{
    static const struct llmsim_request request = {
        .prompt_tokens = 18, .output_tokens = 1, .prefix = 1};
    const char *const engines[] = {"step", "fast"};
    for (size_t i = 0; i < 2; i++) {
        struct llmsim_array_cursor cursor = {.requests = &request, .n = 1, .prefixes = prompts};
        struct llmsim_replay_config config = {.cost = easy_cost(),
                                              .engine = engines[i],
                                              .max_num_seqs = 1,
                                              .max_num_batched_tokens = 100,
                                              .num_gpu_blocks = 100,
                                              .block_size = 3,
                                              .enable_prefix_caching = true};
        struct collected c;
        struct llmsim_error err;
        cr_assert_eq(collect_source(&config, llmsim_source_from_array(&cursor), &c, &err),
                     LLMSIM_USAGE);
        cr_expect_str_eq(err.message, "block-size 3 does not divide the 8 tokens of a hash id");
        collected_fini(&c);
    }
}
