/* The profilers' plans: networks from configs, points, splits, layers and memory. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "llmsim/profiler.h"
#include "step.h"
#include "support/errors.h"

static struct llmsim_error err;

static struct llmsim_model_shape shape_of(const char *name)
{
    char path[512];
    struct llmsim_model_shape shape;
    (void)snprintf(path, sizeof path, "%s/tests/data/configs/%s.json", LLMSIM_TEST_SOURCE_DIR,
                   name);
    const struct llmsim_model_source source = {
        .config_path = path, .name = name, .dtype = "bfloat16"};
    cr_assert_eq(llmsim_model_from_config(&source, &shape, &err), LLMSIM_OK, "%s", err.message);
    return shape;
}

static struct llmsim_network network_of(const char *name)
{
    struct llmsim_model_shape shape = shape_of(name);
    struct llmsim_network network;
    cr_assert_eq(llmsim_network_init(&network, &shape, LLMSIM_BFLOAT16, &err), LLMSIM_OK, "%s",
                 err.message);
    return network;
}

/* ---- networks ---- */

Test(profile_plan, the_shape_has_what_a_forward_pass_needs)
{
    struct llmsim_model_shape llama = shape_of("meta-llama/Llama-3.1-8B");
    cr_expect_eq(llama.model.hidden_size, 4096);
    cr_expect_eq(llama.model.shape.intermediate_size, 14336);
    cr_expect_eq(llama.model.shape.vocab_size, 128256);
    cr_expect_eq(llama.model.num_experts, 0);
    cr_expect_not(llama.model.shape.mlp_is_not_gated);
    cr_expect_not(llama.model.shape.tie_word_embeddings);
    struct llmsim_model_shape bloom = shape_of("bigscience/bloom-7b1");
    cr_expect_eq(bloom.model.shape.intermediate_size, 16384);
    cr_expect(bloom.model.shape.mlp_is_not_gated);
    cr_expect(bloom.model.shape.tie_word_embeddings);
    cr_expect_eq(shape_of("facebook/opt-13b").model.shape.intermediate_size, 20480);
    cr_expect_eq(shape_of("Qwen/Qwen-7B").model.shape.intermediate_size, 11008);
    cr_expect_eq(shape_of("mistralai/Mixtral-8x7B-v0.1").model.num_experts, 8);
}

Test(profile_plan, a_shape_without_kernels_is_refused)
{
    struct llmsim_network network;
    struct llmsim_model_shape shape = shape_of("mistralai/Mixtral-8x7B-v0.1");
    expect_error(llmsim_network_init(&network, &shape, LLMSIM_BFLOAT16, &err), LLMSIM_CATALOGUE,
                 &err,
                 "mistralai/Mixtral-8x7B-v0.1 is a mixture of 8 experts; the profilers run dense "
                 "models only");
    shape = shape_of("facebook/opt-125m");
    shape.model.shape.full.head_dim = 48;
    expect_error(llmsim_network_init(&network, &shape, LLMSIM_FLOAT16, &err), LLMSIM_CATALOGUE,
                 &err,
                 "facebook/opt-125m has heads 48 wide; the attention kernels are for 64, 80, 96, "
                 "128");
    shape = shape_of("facebook/opt-125m");
    shape.model.shape.hidden_size = 769;
    expect_error(llmsim_network_init(&network, &shape, LLMSIM_FLOAT16, &err), LLMSIM_CATALOGUE,
                 &err,
                 "facebook/opt-125m has a hidden size of 769 and an MLP 3072 wide; the kernels "
                 "take multiples of 8");
    shape = shape_of("facebook/opt-125m");
    shape.model.shape.full.num_heads = 34;
    shape.model.shape.full.num_kv_heads = 2;
    expect_error(llmsim_network_init(&network, &shape, LLMSIM_FLOAT16, &err), LLMSIM_CATALOGUE,
                 &err,
                 "facebook/opt-125m has 34 heads for 2 of keys and values; the decode kernel takes "
                 "a whole number, at most 16, for each");
}

/* Every dense model that ships can be profiled. */
Test(profile_plan, shipped_models_have_kernels)
{
    static const char *const names[] = {
        "facebook/opt-125m",
        "facebook/opt-2.7b",
        "facebook/opt-66b",
        "bigscience/bloom-1b1",
        "bigscience/bloom-3b",
        "bigscience/bloom",
        "meta-llama/Llama-2-70b-hf",
        "meta-llama/Llama-3.1-405B",
        "codellama/CodeLlama-34b-hf",
        "Qwen/Qwen2.5-0.5B",
        "Qwen/Qwen2.5-1.5B",
        "Qwen/Qwen3-32B",
        "Qwen/Qwen-7B",
        "mistralai/Mistral-7B-v0.3",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        (void)network_of(names[i]);
}

/* All the weights but the embedding, which a step looks up a few rows of: 8,030,261,248 parameters
 * less 128,256 · 4,096; and 128 KB of KV cache a token. */
Test(profile_plan, bytes_of_a_step)
{
    struct llmsim_network network = network_of("meta-llama/Llama-3.1-8B");
    struct llmsim_profile_point prompt = {LLMSIM_PROFILE_PREFILL, 2, 512};
    struct llmsim_profile_point decode = {LLMSIM_PROFILE_DECODE, 3, 1000};
    cr_expect_eq(llmsim_profile_point_bytes(&network, &prompt), 15009849344);
    cr_expect_eq(llmsim_profile_point_bytes(&network, &decode), 15009849344 + 3000 * 131072ULL);
}

/* ---- splits ---- */

/* 132 multiprocessors want 528 blocks. */
Test(profile_plan, contexts_are_split_to_fill_the_device)
{
    struct llmsim_network network = network_of("meta-llama/Llama-3.1-8B"); /* 8 KV heads */
    static const struct {
        uint64_t batch_size, tokens_each, n, tokens;
    } cases[] = {
        {1, 1, 1, 64},       /* one unit */
        {1, 1024, 16, 64},   /* 66 wanted, 16 units */
        {1, 8192, 64, 128},  /* 66 wanted of 128 units: 2 each */
        {4, 8192, 16, 512},  /* 32 blocks: 17 wanted, 8 units each make 16 */
        {66, 8192, 1, 8192}, /* 528 blocks already */
        {256, 100, 1, 128},  /* more than enough */
        {2, 1000, 16, 64},   /* 33 wanted of 16 units; the last has 40 keys */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct llmsim_profile_point point = {LLMSIM_PROFILE_DECODE, cases[i].batch_size,
                                             cases[i].tokens_each};
        struct split split = llmsim_split_context(&network, &point, 132);
        cr_expect_eq(split.n, cases[i].n, "case %zu: %llu parts", i, (unsigned long long)split.n);
        cr_expect_eq(split.tokens, cases[i].tokens, "case %zu: %llu tokens", i,
                     (unsigned long long)split.tokens);
    }
}

/* No part is empty, and together they are the context. */
Test(profile_plan, parts_cover_the_context)
{
    struct llmsim_network network = network_of("Qwen/Qwen2.5-0.5B");
    for (uint64_t batch_size = 1; batch_size < 300; batch_size = batch_size * 3 / 2 + 1)
        for (uint64_t tokens = 1; tokens < 5000; tokens += 1 + tokens / 7) {
            struct llmsim_profile_point point = {LLMSIM_PROFILE_DECODE, batch_size, tokens};
            struct split s = llmsim_split_context(&network, &point, 108);
            cr_assert_eq(s.tokens % 64, 0);
            cr_assert((s.n - 1) * s.tokens < tokens && s.n * s.tokens >= tokens,
                      "%llu in %llu parts of %llu", (unsigned long long)tokens,
                      (unsigned long long)s.n, (unsigned long long)s.tokens);
        }
}

/* ---- points ---- */

static void expect_points(const struct llmsim_profile_plan *plan,
                          const struct llmsim_profile_point *points, size_t n)
{
    cr_assert_eq(plan->n_points, n, "%zu points", plan->n_points);
    for (size_t i = 0; i < n; i++) {
        cr_expect_eq(plan->points[i].phase, points[i].phase);
        cr_expect_eq(plan->points[i].batch_size, points[i].batch_size, "point %zu", i);
        cr_expect_eq(plan->points[i].tokens_each, points[i].tokens_each, "point %zu", i);
    }
}

Test(profile_plan, prompts_are_split_over_batches)
{
    struct llmsim_network network = network_of("facebook/opt-125m");
    struct llmsim_profile_sweep sweep = {
        .phase = LLMSIM_PROFILE_PREFILL, .max_tokens = 95, .max_batch = 16, .n_multiprocessors = 8};
    static const struct llmsim_profile_point expected[] = {
        {LLMSIM_PROFILE_PREFILL, 1, 16}, {LLMSIM_PROFILE_PREFILL, 1, 24},
        {LLMSIM_PROFILE_PREFILL, 1, 32}, {LLMSIM_PROFILE_PREFILL, 2, 16},
        {LLMSIM_PROFILE_PREFILL, 1, 48}, {LLMSIM_PROFILE_PREFILL, 2, 24},
        {LLMSIM_PROFILE_PREFILL, 1, 64}, {LLMSIM_PROFILE_PREFILL, 2, 32},
        {LLMSIM_PROFILE_PREFILL, 4, 16},
    };
    struct llmsim_profile_plan plan;
    cr_assert_eq(llmsim_profile_plan_init(&plan, &network, &sweep, 1 << 30, &err), LLMSIM_OK);
    expect_points(&plan, expected, sizeof expected / sizeof *expected);
    cr_expect_eq(plan.n_left_out, 0);
    llmsim_profile_plan_fini(&plan);
}

Test(profile_plan, decodes_sweep_contexts_and_batches)
{
    struct llmsim_network network = network_of("facebook/opt-125m");
    struct llmsim_profile_sweep sweep = {
        .phase = LLMSIM_PROFILE_DECODE, .max_tokens = 128, .max_batch = 7, .n_multiprocessors = 8};
    static const struct llmsim_profile_point expected[] = {
        {LLMSIM_PROFILE_DECODE, 1, 64},  {LLMSIM_PROFILE_DECODE, 2, 64},
        {LLMSIM_PROFILE_DECODE, 3, 64},  {LLMSIM_PROFILE_DECODE, 4, 64},
        {LLMSIM_PROFILE_DECODE, 6, 64},  {LLMSIM_PROFILE_DECODE, 1, 128},
        {LLMSIM_PROFILE_DECODE, 2, 128}, {LLMSIM_PROFILE_DECODE, 3, 128},
        {LLMSIM_PROFILE_DECODE, 4, 128}, {LLMSIM_PROFILE_DECODE, 6, 128},
    };
    struct llmsim_profile_plan plan;
    cr_assert_eq(llmsim_profile_plan_init(&plan, &network, &sweep, 1 << 30, &err), LLMSIM_OK);
    expect_points(&plan, expected, sizeof expected / sizeof *expected);
    llmsim_profile_plan_fini(&plan);
}

Test(profile_plan, nothing_to_measure)
{
    struct llmsim_network network = network_of("facebook/opt-125m");
    struct llmsim_profile_plan plan;
    struct llmsim_profile_sweep sweep = {
        .phase = LLMSIM_PROFILE_PREFILL, .max_tokens = 15, .max_batch = 16, .n_multiprocessors = 8};
    expect_error(llmsim_profile_plan_init(&plan, &network, &sweep, 1 << 30, &err), LLMSIM_USAGE,
                 &err, "there is nothing to measure below 16 tokens");
    llmsim_profile_plan_fini(&plan);
}

/* ---- memory ---- */

/* Sizes that are multiples of 256 bytes, so that the layout can be added up: a network with
 * h = q = 128, f = 256, V = 512, 2 heads of 64 on one of keys and values. In bytes, a layer:
 * norms 2 · 256, qkv 256 · 128 · 2, output 128 · 128 · 2, up 2 · 256 · 128 · 2, down the half:
 * 512 + 65,536 + 32,768 + 131,072 + 65,536 = 295,424. Outside: V · h · 2 twice and the final norm,
 * 2 · 131,072 + 256 = 262,400. */
static const struct llmsim_network tiny = {
    .name = "tiny",
    .n_layers = 4,
    .hidden_size = 128,
    .intermediate_size = 256,
    .vocab_size = 512,
    .n_heads = 2,
    .n_kv_heads = 1,
    .head_dim = 64,
    .has_gated_mlp = true,
};
#define LAYER 295424
#define OUTSIDE 262400
/* One prompt of 64 tokens: ids 256; state, normed, added and attended 64 · 256 each; q, k, v
 * 64 · 512; widened 64 · 1,024; activated 64 · 512; logits 1,024. A layer's cache: 64 · 256. */
#define ACTIVATIONS_64 (256 + 4 * 16384 + 32768 + 65536 + 32768 + 1024)
#define CACHE_64 16384

static struct llmsim_profile_plan plan_tiny(uint64_t budget, enum llmsim_status expected)
{
    /* 16, 24, 32, 48 and 64 tokens, of one prompt */
    struct llmsim_profile_sweep sweep = {
        .phase = LLMSIM_PROFILE_PREFILL, .max_tokens = 64, .max_batch = 1, .n_multiprocessors = 8};
    struct llmsim_profile_plan plan;
    cr_assert_eq(llmsim_profile_plan_init(&plan, &tiny, &sweep, budget, &err), expected);
    return plan;
}

Test(profile_plan, memory_is_what_the_parts_add_up_to)
{
    uint64_t whole = OUTSIDE + ACTIVATIONS_64 + 4 * (LAYER + CACHE_64);
    struct llmsim_profile_plan plan = plan_tiny(whole, LLMSIM_OK);
    cr_expect_eq(plan.layout.total, whole, "%llu", (unsigned long long)plan.layout.total);
    cr_expect_eq(plan.layout.layer_stride, LAYER + CACHE_64);
    cr_expect_eq(plan.n_layers, 4);
    cr_expect_eq(plan.n_fewer_layers, 0);
    cr_expect_eq(plan.n_points, 5);
    cr_expect_eq(plan.n_left_out, 0);
    llmsim_profile_plan_fini(&plan);
}

/* One byte less, and the model still runs whole, without the largest point. */
Test(profile_plan, points_that_do_not_fit_are_left_out)
{
    uint64_t whole = OUTSIDE + ACTIVATIONS_64 + 4 * (LAYER + CACHE_64);
    struct llmsim_profile_plan plan = plan_tiny(whole - 1, LLMSIM_OK);
    cr_expect_eq(plan.n_layers, 4);
    cr_expect_eq(plan.n_points, 4);
    cr_expect_eq(plan.points[3].tokens_each, 48);
    cr_expect_eq(plan.n_left_out, 1);
    cr_expect_eq(plan.least_left_out, whole);
    cr_expect(plan.layout.total < whole);
    llmsim_profile_plan_fini(&plan);
}

/* Three layers with all points, where four do not fit with one. */
Test(profile_plan, a_large_model_runs_fewer_layers)
{
    uint64_t three = OUTSIDE + ACTIVATIONS_64 + 3 * (LAYER + CACHE_64);
    struct llmsim_profile_plan plan = plan_tiny(three, LLMSIM_OK);
    cr_expect_eq(plan.n_layers, 3);
    cr_expect_eq(plan.n_fewer_layers, 1);
    cr_expect_eq(plan.n_points, 5);
    cr_expect_eq(plan.layout.total, three);
    llmsim_profile_plan_fini(&plan);
}

Test(profile_plan, two_layers_are_the_least)
{
    /* With 16 tokens: the rows' quarter, and a cache of 4,096 a layer. */
    uint64_t two = OUTSIDE + 256 + (ACTIVATIONS_64 - 256 - 1024) / 4 + 1024 + 2 * (LAYER + 4096);
    struct llmsim_profile_plan plan = plan_tiny(two, LLMSIM_OK);
    cr_expect_eq(plan.n_layers, 2);
    cr_expect_eq(plan.n_fewer_layers, 1);
    cr_expect_eq(plan.n_points, 1);
    cr_expect_eq(plan.n_left_out, 4);
    llmsim_profile_plan_fini(&plan);
    plan = plan_tiny(two - 1, LLMSIM_RUN_FAILED);
    expect_error(
        LLMSIM_RUN_FAILED, LLMSIM_RUN_FAILED, &err,
        "tiny: 2 layers and the smallest step need 0.001 GB of memory, and 0.001 GB may be "
        "used");
}

Test(profile_plan, a_part_of_the_memory_stays_free)
{
    cr_expect_eq(llmsim_profile_budget(1073741824), 0);
    cr_expect_eq(llmsim_profile_budget(80000000000), 78926258176);
}
