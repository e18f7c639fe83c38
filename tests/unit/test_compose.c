/* The composed cost: kernels added up by hand, without measured kernels; what holds of any of its
 * tables; and two times that real servers take, with the measured ones. */
#include <criterion/criterion.h>
#include <math.h>

#include "llmsim/llmsim.h"
#include "support/errors.h"
#include "support/files.h"
#include "support/random_case.h"

static struct llmsim_error err;

/* Without measured kernels: 80 % of 1000 GB/s, 70 % of 100 Tflop/s. */
#define BYTES_PER_S 800e9
#define OPERATIONS_PER_S 70e12
#define LAUNCH_S 2e-6 /* of every kernel in the roofline */
#define STEP_S 1e-3
#define SEQ_S 1e-5
#define SMALL_S 3e-6

static const struct llmsim_gpu gpu = {.name = "toy",
                                      .memory_bw_GBps = 1000,
                                      .bf16_tflops = 100,
                                      .link_bw = 100,
                                      .link_latency_us = 1};
static const struct llmsim_server server = {.choice = {"toy", "of this test"},
                                            .step_s = STEP_S,
                                            .seq_s = SEQ_S,
                                            .waiting_step_s = 2 * STEP_S,
                                            .waiting_seq_s = 3 * SEQ_S,
                                            .small_kernel_s = SMALL_S};
static const struct llmsim_parallelism one_gpu = {.tensor = 1, .pipeline = 1, .data = 1};

static const struct llmsim_attention_shape attention = {
    .layers = 2, .num_heads = 8, .num_kv_heads = 2, .head_dim = 128, .v_head_dim = 128};

/* Two layers of 1024, 16 bits. */
static struct llmsim_model dense_model(void)
{
    return (struct llmsim_model){.name = "toy",
                                 .shape = {.is_known = true,
                                           .hidden_size = 1024,
                                           .num_hidden_layers = 2,
                                           .vocab_size = 32000,
                                           .full = attention,
                                           .dense_layers = 2,
                                           .intermediate_size = 4096}};
}

/* The same with 8 experts of 512 in place of the MLPs, 2 of them a token. */
static struct llmsim_model experts_model(void)
{
    struct llmsim_model model = dense_model();
    model.shape.dense_layers = 0;
    model.shape.moe = (struct llmsim_moe_shape){
        .layers = 2, .num_experts = 8, .num_experts_per_tok = 2, .moe_intermediate_size = 512};
    return model;
}

static struct llmsim_composed compose(const struct llmsim_model *model,
                                      const struct llmsim_parallelism *parallelism)
{
    struct llmsim_composed composed;
    cr_assert_eq(llmsim_compose(model, &gpu, &server, true, parallelism, NULL, &composed, &err),
                 LLMSIM_OK, "%s", err.message);
    return composed;
}

static struct llmsim_cost cost_of(const struct llmsim_composed *composed)
{
    struct llmsim_cost cost;
    cr_assert_eq(llmsim_cost_init_composed(&cost, composed, &err), LLMSIM_OK, "%s", err.message);
    return cost;
}

static unsigned index_of(uint64_t size)
{
    for (unsigned i = 0; i < LLMSIM_N_SIZES; i++)
        if (llmsim_size_at(i) == size)
            return i;
    cr_assert(false, "%llu is no size", (unsigned long long)size);
    return 0;
}

static void must(enum llmsim_status status)
{
    cr_assert_eq(status, LLMSIM_OK, "%s", err.message);
}

static void expect_near(double got, double expected, double relative, const char *what)
{
    cr_expect(fabs(got - expected) <= relative * fabs(expected), "%s: %.9g instead of %.9g", what,
              got, expected);
}

static double step_s(const struct llmsim_cost *cost, const struct llmsim_step_shape *shape)
{
    return llmsim_time_to_seconds(llmsim_cost_step(cost, shape));
}

/* ---- sizes ---- */

Test(compose, sizes)
{
    static const struct {
        unsigned i;
        uint64_t size;
    } rows[] = {{0, 0},    {1, 1},    {15, 15},  {16, 16},       {17, 17},
                {31, 31},  {32, 32},  {33, 34},  {47, 62},       {48, 64},
                {49, 68},  {64, 128}, {65, 136}, {80, 256},      {81, 272},
                {95, 496}, {96, 512}, {97, 544}, {287, 2031616}, {288, 2097152}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        cr_expect_eq(llmsim_size_at(rows[r].i), rows[r].size, "size %u", rows[r].i);
}

static void expect_captured(uint64_t tokens, uint64_t size)
{
    cr_expect_eq(llmsim_captured_size(tokens), size, "%llu", (unsigned long long)tokens);
    (void)index_of(size); /* a table has it */
}

/* What vLLM captures: 1, 2, 4, 8, 16, then steps of 8 to 256 and of 16 to 512. */
Test(compose, captured_sizes)
{
    uint64_t captured[64] = {1, 2, 4, 8, 16};
    size_t n = 5;
    for (uint64_t size = 24; size <= 256; size += 8)
        captured[n++] = size;
    for (uint64_t size = 272; size <= 512; size += 16)
        captured[n++] = size;
    cr_assert_eq(n, 51);
    cr_expect_eq(llmsim_captured_size(0), 0);
    for (uint64_t tokens = 1, i = 0; tokens <= 512; tokens++) {
        i += tokens > captured[i];
        expect_captured(tokens, captured[i]);
    }
}

/* Of a table with a value of its own at every size, steps of no more than a decode see those at the
 * sizes, and between two of them what lies between. */
Test(compose, tables_are_linear_between_the_sizes)
{
    struct llmsim_composed composed = {.step_s = 0};
    for (unsigned i = 0; i < LLMSIM_N_SIZES; i++)
        composed.tokens_s[i] = 1e-3 * i + 1e-6 * (i * i % 7);
    struct llmsim_cost cost = cost_of(&composed);
    for (unsigned i = 0; i + 1 < LLMSIM_N_SIZES; i++) {
        uint64_t low = llmsim_size_at(i), high = llmsim_size_at(i + 1);
        cr_expect_eq(llmsim_cost_decode(&cost, (uint32_t)low).base,
                     llmsim_time_from_seconds(composed.tokens_s[i]), "size %u", i);
        for (uint64_t k = 1; k < 4 && low + k < high; k++) {
            double part = (double)k / (double)(high - low);
            expect_near(llmsim_time_to_seconds(llmsim_cost_decode(&cost, (uint32_t)(low + k)).base),
                        composed.tokens_s[i] * (1 - part) + composed.tokens_s[i + 1] * part, 1e-9,
                        "between sizes");
        }
    }
}

/* ---- by hand ---- */

/* Projections of q, k and v (1024 to 1536), o (1024 to 1024), gate and up (1024 to 8192), down
 * (4096 to 1024), five small kernels a layer. One token waits for memory alone: weights and
 * activations of the four are 3,145,728 + 5,120, 2,097,152 + 4,096, 16,777,216 + 18,432 and
 * 8,388,608 + 10,240 bytes. 512 tokens wait for arithmetic: 1,610,612,736, 1,073,741,824,
 * 8,589,934,592 and 4,294,967,296 operations. */
Test(compose, tokens_of_a_dense_model)
{
    const struct llmsim_model model = dense_model();
    const struct llmsim_composed c = compose(&model, &one_gpu);
    cr_expect_eq(c.tokens_s[0], 0);
    expect_near(c.tokens_s[1],
                2 * (4 * LAUNCH_S + 30446592 / BYTES_PER_S) + 10 * (SMALL_S + 4096 / BYTES_PER_S),
                1e-12, "1 token");
    expect_near(c.tokens_s[index_of(512)],
                2 * (4 * LAUNCH_S + 15569256448 / OPERATIONS_PER_S) +
                    10 * (SMALL_S + 2097152 / BYTES_PER_S),
                1e-12, "512 tokens");
    /* 1024 to 32,000: 65,536,000 + 66,048 bytes. */
    expect_near(c.head_s[1], LAUNCH_S + 65602048 / BYTES_PER_S, 1e-12, "head");
    expect_near(c.head_s[index_of(512)], LAUNCH_S + 33554432000 / OPERATIONS_PER_S, 1e-12,
                "head of 512");
    cr_expect(c.is_estimate && strcmp(llmsim_composed_method(&c), "roofline") == 0);
}

/* Four decodes: queries and outputs of 4 × 1024 numbers, 16,384 bytes a layer; a token of the KV
 * cache has 2 × 2 × 128 numbers, 1,024 bytes a layer. */
Test(compose, decode_by_hand)
{
    const struct llmsim_model model = dense_model();
    const struct llmsim_composed c = compose(&model, &one_gpu);
    const struct llmsim_cost cost = cost_of(&c);
    const double attention_s = 2 * (LAUNCH_S + 16384 / BYTES_PER_S);
    expect_near(c.decode_s[4], attention_s, 1e-12, "fixed");
    expect_near(c.context_s[4], 2048 / BYTES_PER_S, 1e-12, "a token of the context");
    const struct llmsim_step_shape step = {.decode_seqs = 4, .context_tokens = 5000};
    expect_near(step_s(&cost, &step),
                STEP_S + 4 * SEQ_S + c.tokens_s[4] + c.head_s[4] + attention_s +
                    5000 * 2048 / BYTES_PER_S,
                1e-6, "a step");
}

/* 2048 tokens that see 1024.5 tokens each: 2 × 2048² × 1024 operations a layer. A chunk of 1024
 * tokens that has 512 ahead of it sees as much a token as a prompt of 2048 does. */
Test(compose, prefill_by_hand)
{
    const struct llmsim_model model = dense_model();
    const struct llmsim_composed c = compose(&model, &one_gpu);
    const struct llmsim_cost cost = cost_of(&c);
    const double attention_s = 2 * (LAUNCH_S + 8589934592 / OPERATIONS_PER_S);
    struct llmsim_step_shape step = {
        .prefill_tokens = 2048, .prefill_seqs = 1, .prefill_sum_sq = (uint64_t)2048 * 2048};
    expect_near(step_s(&cost, &step),
                STEP_S + SEQ_S + c.tokens_s[index_of(2048)] + c.head_s[1] + attention_s, 1e-9,
                "a prompt");
    step.prefill_tokens = 1024;
    step.prefill_sum_sq = 1536u * 1536 - 512 * 512;
    expect_near(step_s(&cost, &step),
                STEP_S + SEQ_S + c.tokens_s[index_of(1024)] + c.head_s[1] + attention_s / 2, 1e-9,
                "a chunk");
}

Test(compose, without_asynchronous_scheduling)
{
    const struct llmsim_model model = dense_model();
    struct llmsim_composed c;
    cr_assert_eq(llmsim_compose(&model, &gpu, &server, false, &one_gpu, NULL, &c, &err), LLMSIM_OK);
    cr_expect_eq(c.step_s, 2 * STEP_S);
    cr_expect_eq(c.seq_s, 3 * SEQ_S);
}

/* Each has half of the heads and of the width: 1,576,448 + 1,051,648 + 8,398,848 + 4,200,448 bytes.
 * Four all-reduces of 2,048 bytes, formula 10: 2 (2 - 1) messages of half of them. */
Test(compose, tensor_parallel)
{
    const struct llmsim_model model = dense_model();
    const struct llmsim_parallelism two = {.tensor = 2, .pipeline = 1, .data = 1};
    const struct llmsim_composed c = compose(&model, &two);
    expect_near(c.tokens_s[1],
                2 * (4 * LAUNCH_S + 15227392 / BYTES_PER_S) + 10 * (SMALL_S + 4096 / BYTES_PER_S) +
                    4 * 2 * (1e-6 + 1024 / 100e9),
                1e-12, "1 token");
    expect_near(c.head_s[1], LAUNCH_S + (32768000 + 34048) / BYTES_PER_S, 1e-12, "head");
    expect_near(c.context_s[4], 1024 / BYTES_PER_S, 1e-12, "a token of the context");
    /* More than there are heads of the KV cache: those are copied. */
    const struct llmsim_parallelism four = {.tensor = 4, .pipeline = 1, .data = 1};
    expect_near(compose(&model, &four).context_s[4], 1024 / BYTES_PER_S, 1e-12, "copied heads");
}

/* Routed experts, T tokens: 8 (1 - (3/4)^T) of them are read, 3 × 1024 × 512 numbers each; 2 T
 * visits with 2 × 1024 + 512 numbers of activations and 2 × 3 × 1024 × 512 operations each. */
static double experts_s(double distinct, double tokens)
{
    return 15e-6 + (distinct * 3145728 + 2 * tokens * 5120) / BYTES_PER_S +
           2 * tokens * 3145728 / OPERATIONS_PER_S;
}

/* Besides: 3,150,848 + 2,101,248 bytes of attention, 18,448 of the router; two small kernels more a
 * layer. Of 64 tokens: 3,473,408 + 2,359,296 and 148,480 bytes. */
Test(compose, experts)
{
    const struct llmsim_model model = experts_model();
    const struct llmsim_composed c = compose(&model, &one_gpu);
    expect_near(c.tokens_s[1],
                2 * (3 * LAUNCH_S + (5252096 + 18448) / BYTES_PER_S + experts_s(2, 1)) +
                    14 * (SMALL_S + 4096 / BYTES_PER_S),
                1e-12, "1 token");
    /* 8 (1 - 27/64) = 4.625; a token more has 5,120 + 4,096 + 2,064 bytes in matrices. */
    expect_near(c.tokens_s[3] - c.tokens_s[1],
                2 * ((2 * 5120 + 2 * 4096 + 2 * 2064) / BYTES_PER_S + experts_s(4.625, 3) -
                     experts_s(2, 1)) +
                    14 * 2 * 4096 / BYTES_PER_S,
                1e-9, "3 tokens");
    expect_near(c.tokens_s[index_of(64)],
                2 * (3 * LAUNCH_S + (5832704 + 148480) / BYTES_PER_S +
                     experts_s(8 * (1 - pow(0.75, 64)), 64)) +
                    14 * (SMALL_S + 262144 / BYTES_PER_S),
                1e-12, "64 tokens");
}

/* A full window of 512 tokens, whatever the context. Prompts see no more than it: 4096 tokens of
 * 2 × 512 at most. */
Test(compose, windowed_layers)
{
    struct llmsim_model model = dense_model();
    model.shape.windowed = attention;
    model.shape.windowed.window = 512;
    model.shape.full = (struct llmsim_attention_shape){.layers = 0};
    const struct llmsim_composed c = compose(&model, &one_gpu);
    cr_expect(c.context_s[4] == 0 && c.context_s[LLMSIM_N_SIZES - 1] == 0);
    expect_near(c.decode_s[4], 2 * (LAUNCH_S + 16384 / BYTES_PER_S + 4 * 512 * 1024 / BYTES_PER_S),
                1e-12, "decode");
    cr_expect(c.prefill_s[0][12] == c.prefill_s[0][10] && c.prefill_s[0][10] > 0);
}

/* Stages have half of the requests each, and pass a token's 2,048 bytes on once. */
Test(compose, pipeline_parallel)
{
    const struct llmsim_model model = dense_model();
    const struct llmsim_parallelism two = {.tensor = 1, .pipeline = 2, .data = 1};
    const struct llmsim_composed alone = compose(&model, &one_gpu), c = compose(&model, &two);
    expect_near(c.tokens_s[8], alone.tokens_s[4] + 1e-6 + 4 * 2048 / 100e9, 1e-12, "tokens");
    expect_near(c.head_s[8], alone.head_s[4], 1e-12, "head");
    expect_near(c.decode_s[8], alone.decode_s[4], 1e-12, "decodes");
    expect_near(c.context_s[8], alone.context_s[4] / 2, 1e-12, "context");
    expect_near(c.prefill_s[1][11], alone.prefill_s[0][11] / 2, 1e-12, "prompts");
    expect_near(c.tokens_s[1], alone.tokens_s[1] + 1e-6 + 2048 / 100e9, 1e-12, "no half tokens");
}

/* Two groups of one GPU, a token each: attention as alone; experts in halves for both tokens, of
 * which 8 (1 - (3/4)²) = 3.5 are read, 3 × 1024 × 256 numbers each, 4 visits; the two tokens go to
 * both, and back, over a ring. With whole experts spread instead, 1.75 of the GPU's four. */
Test(compose, data_parallel)
{
    const struct llmsim_model model = experts_model();
    struct llmsim_parallelism two = {.tensor = 1, .pipeline = 1, .data = 2};
    double rest = 2 * (3 * LAUNCH_S + (5252096 + 18448) / BYTES_PER_S) +
                  14 * (SMALL_S + 4096 / BYTES_PER_S) + 2 * 2 * (1e-6 + 4096 / (2 * 100e9));
    double arithmetic_s = 8 * 786432 / OPERATIONS_PER_S;
    expect_near(compose(&model, &two).tokens_s[2],
                rest + 2 * (15e-6 + (5505024 + 4 * 2 * (2048 + 256)) / BYTES_PER_S + arithmetic_s),
                1e-12, "slices of experts");
    two.expert = true;
    expect_near(compose(&model, &two).tokens_s[2],
                rest + 2 * (15e-6 + (5505024 + 2 * 2 * (2048 + 512)) / BYTES_PER_S + arithmetic_s),
                1e-12, "whole experts");
}

static void expect_tables_rise(const struct llmsim_composed *c)
{
    bool rise = true;
    for (unsigned i = 1; i < LLMSIM_N_SIZES; i++)
        rise = rise && isfinite(c->tokens_s[i]) && c->tokens_s[i] > c->tokens_s[i - 1] &&
               isfinite(c->decode_s[i]) && c->decode_s[i] > 0;
    for (unsigned j = 0; j < LLMSIM_N_LENGTH_SIZES; j++)
        rise = rise && isfinite(c->prefill_s[0][j]) && c->prefill_s[0][j] > 0;
    cr_expect(rise);
}

Test(compose, every_kind_of_attention)
{
    struct llmsim_model model = experts_model();
    model.shape.full.layers = 0;
    model.shape.mla = (struct llmsim_mla_shape){.layers = 1,
                                                .num_heads = 8,
                                                .q_lora_rank = 256,
                                                .kv_lora_rank = 512,
                                                .qk_nope_head_dim = 128,
                                                .qk_rope_head_dim = 64,
                                                .v_head_dim = 128};
    model.shape.linear = (struct llmsim_linear_shape){.layers = 1,
                                                      .num_key_heads = 4,
                                                      .key_head_dim = 128,
                                                      .num_value_heads = 8,
                                                      .value_head_dim = 128,
                                                      .conv_kernel_dim = 4};
    const struct llmsim_composed c = compose(&model, &one_gpu);
    expect_tables_rise(&c);
    /* One layer's latent of 512 + 64 numbers. */
    expect_near(c.context_s[4], 1152 / BYTES_PER_S, 1e-12, "latent");
    /* An indexer reads its own keys, 128 bytes and a scale of 4, of every token; attention no more
     * than 64 tokens. */
    model.shape.indexer =
        (struct llmsim_indexer_shape){.layers = 1, .num_heads = 4, .head_dim = 128, .topk = 64};
    const struct llmsim_composed sparse = compose(&model, &one_gpu);
    expect_near(sparse.context_s[4], 132 / BYTES_PER_S, 1e-12, "indexer");
    expect_near(sparse.decode_s[4], c.decode_s[4] + 4 * 64 * 1152 / BYTES_PER_S, 1e-12, "sparse");
}

/* ---- whatever the tables ---- */

static struct llmsim_cost measured_cost(const char *model_name, const char *gpu_name,
                                        const char *system)
{
    struct llmsim_catalogue *catalogue;
    struct llmsim_kernels *kernels;
    struct llmsim_model model;
    struct llmsim_gpu its_gpu;
    struct llmsim_composed composed;
    const char *data = LLMSIM_TEST_SOURCE_DIR "/data";
    must(llmsim_catalogue_open(data, &catalogue, &err));
    must(llmsim_catalogue_model(catalogue, model_name, &model, &err));
    must(llmsim_catalogue_gpu(catalogue, gpu_name, &its_gpu, &err));
    must(llmsim_kernels_open(data, system, "vllm", &kernels, &err));
    must(llmsim_compose(&model, &its_gpu, llmsim_server_at(0), true, &one_gpu, kernels, &composed,
                        &err));
    cr_expect(!composed.is_estimate && strcmp(composed.system, system) == 0);
    llmsim_kernels_close(kernels);
    llmsim_catalogue_close(catalogue);
    return cost_of(&composed);
}

/* The engine steps over runs of decodes by their line. */
Test(compose, decodes_are_on_their_line)
{
    struct llmsim_cost cost =
        measured_cost("meta-llama/Llama-3.1-8B", "NVIDIA H100 80GB HBM3", "h100_sxm");
    uint64_t state = 1;
    for (unsigned i = 0; i < 20000; i++) {
        const struct llmsim_step_shape step = {
            .decode_seqs = 1 + (uint32_t)case_random(&state, 1 + case_random(&state, 3000)),
            .context_tokens = case_random(&state, 1u << 24)};
        struct llmsim_decode_cost d = llmsim_cost_decode(&cost, step.decode_seqs);
        cr_assert(llmsim_cost_step(&cost, &step) ==
                      d.base + (llmsim_time)d.per_context_token * (llmsim_time)step.context_tokens,
                  "%u decodes", step.decode_seqs);
    }
}

/* Not so of every measured kernel: some run slower at a size than at the next. */
static void expect_monotone(const struct llmsim_cost *cost, const char *what)
{
    llmsim_time before = 0, decode_before = 0;
    for (uint64_t n = 1; n <= 1u << 15; n += n < 1100 ? 1 : n / 40) {
        const struct llmsim_step_shape prompts = {
            .prefill_tokens = n, .prefill_seqs = 1, .prefill_sum_sq = 512 * n};
        const struct llmsim_step_shape decodes = {.decode_seqs = (uint32_t)n,
                                                  .context_tokens = 1000 * n};
        llmsim_time t = llmsim_cost_step(cost, &prompts), d = llmsim_cost_step(cost, &decodes);
        cr_expect(t >= before && d >= decode_before, "%s: %llu tokens take less than a few less",
                  what, (unsigned long long)n);
        before = t;
        decode_before = d;
    }
}

Test(compose, more_tokens_take_no_less)
{
    const struct llmsim_model dense = dense_model(), experts = experts_model();
    const struct llmsim_composed of_dense = compose(&dense, &one_gpu);
    const struct llmsim_composed of_experts = compose(&experts, &one_gpu);
    struct llmsim_cost cost = cost_of(&of_dense);
    expect_monotone(&cost, "dense");
    cost = cost_of(&of_experts);
    expect_monotone(&cost, "experts");
    cost = measured_cost("meta-llama/Llama-3.1-8B", "NVIDIA H100 80GB HBM3", "h100_sxm");
    expect_monotone(&cost, "Llama-3.1-8B on an H100");
}

/* Half of what one token takes, as it waits for memory; the server's CPU time stays. Of 512 tokens,
 * what they take beyond one, which is arithmetic, is halved by faster prefill. */
Test(compose, scaled)
{
    const struct llmsim_model model = dense_model();
    const struct llmsim_composed c = compose(&model, &one_gpu);
    const struct llmsim_cost_change bandwidth = {.prefill_speed = 1, .bandwidth = 2};
    const struct llmsim_cost_change prefill = {.prefill_speed = 2, .bandwidth = 1};
    struct llmsim_cost cost = cost_of(&c);
    cr_assert_eq(llmsim_cost_apply(&cost, &bandwidth, &err), LLMSIM_OK);
    const struct llmsim_step_shape decode = {.decode_seqs = 1, .context_tokens = 1000};
    expect_near(step_s(&cost, &decode),
                STEP_S + SEQ_S +
                    (c.tokens_s[1] + c.head_s[1] + c.decode_s[1] + 1000 * c.context_s[1]) / 2,
                1e-6, "bandwidth");
    cost = cost_of(&c);
    cr_assert_eq(llmsim_cost_apply(&cost, &prefill, &err), LLMSIM_OK);
    const struct llmsim_step_shape prompt = {
        .prefill_tokens = 512, .prefill_seqs = 1, .prefill_sum_sq = (uint64_t)512 * 512};
    expect_near(step_s(&cost, &prompt),
                STEP_S + SEQ_S + c.tokens_s[1] + (c.tokens_s[index_of(512)] - c.tokens_s[1]) / 2 +
                    c.head_s[1] + 512 * c.prefill_s[0][9] / 2,
                1e-9, "prefill");
}

/* ---- what does not fit ---- */

static void expect_no_fit(const struct llmsim_model *model, struct llmsim_parallelism p,
                          const char *message)
{
    expect_error(llmsim_parallelism_check(&p, &model->shape, &err), LLMSIM_USAGE, &err, message);
}

Test(compose, parallelism_that_does_not_fit)
{
    const struct llmsim_model dense = dense_model(), experts = experts_model();
    expect_no_fit(&dense, (struct llmsim_parallelism){.tensor = 3, .pipeline = 1, .data = 1},
                  "--tensor-parallel-size 3 does not divide the 8 heads");
    expect_no_fit(&dense, (struct llmsim_parallelism){.tensor = 1, .pipeline = 3, .data = 1},
                  "--pipeline-parallel-size 3: the model has 2 layers");
    const char *no_experts = "--enable-expert-parallel and --data-parallel-size: the model has no "
                             "experts; --replicas are copies that share nothing";
    expect_no_fit(&dense, (struct llmsim_parallelism){.tensor = 1, .pipeline = 1, .data = 2},
                  no_experts);
    expect_no_fit(
        &dense, (struct llmsim_parallelism){.tensor = 1, .pipeline = 1, .data = 1, .expert = true},
        no_experts);
    expect_no_fit(
        &experts,
        (struct llmsim_parallelism){.tensor = 1, .pipeline = 1, .data = 3, .expert = true},
        "3 GPUs do not divide the 8 experts");
    const struct llmsim_parallelism all = {.tensor = 2, .pipeline = 2, .data = 2, .expert = true};
    cr_expect_eq(llmsim_parallelism_check(&all, &experts.shape, &err), LLMSIM_OK);
    cr_expect_eq(llmsim_parallelism_gpus(&all), 8);
}

Test(compose, what_is_not_known)
{
    struct llmsim_model model = dense_model();
    struct llmsim_gpu without_peak = gpu;
    struct llmsim_composed c;
    without_peak.bf16_tflops = 0;
    expect_error(llmsim_compose(&model, &without_peak, &server, true, &one_gpu, NULL, &c, &err),
                 LLMSIM_CATALOGUE, &err, "gpu.json has no bf16_tflops for toy");
    model.shape.is_known = false;
    expect_error(llmsim_compose(&model, &gpu, &server, true, &one_gpu, NULL, &c, &err),
                 LLMSIM_CATALOGUE, &err,
                 "model.json has no shape for toy; llmsim profile model --config writes it");
}

/* Experts once, 2 layers × 8 × 3 × 1024 × 512 × 2 bytes; all else in every group. */
Test(compose, weights_of_data_parallel_groups)
{
    const struct llmsim_model model = experts_model();
    const struct llmsim_parallelism two = {.tensor = 1, .pipeline = 1, .data = 2};
    double all = llmsim_shape_weight_bytes(&model.shape);
    expect_near(llmsim_replica_weight_bytes(&model.shape, &one_gpu), all, 1e-15, "one group");
    expect_near(llmsim_replica_weight_bytes(&model.shape, &two), 2 * all - 50331648, 1e-15,
                "two groups");
}

/* A large model on a slow GPU, whose table goes on to steps that take 20 minutes and more: 2^21
 * tokens at up to a second each. One token may take no more than 1000 s and one of its own. */
Test(compose, bounds)
{
    struct llmsim_model model = dense_model();
    model.shape.num_hidden_layers = model.shape.full.layers = model.shape.dense_layers = 200;
    struct llmsim_composed c = compose(&model, &one_gpu);
    for (unsigned i = 0; i < LLMSIM_N_SIZES; i++)
        c.tokens_s[i] *= 50;
    cr_assert(c.tokens_s[1] < 1 && c.tokens_s[LLMSIM_N_SIZES - 1] > 1000);
    struct llmsim_cost cost = cost_of(&c);
    cr_expect_gt(llmsim_time_to_seconds(llmsim_cost_decode(&cost, 1u << 21).base), 1000);
    c.tokens_s[1] = 1002;
    expect_error(llmsim_cost_init_composed(&cost, &c, &err), LLMSIM_CATALOGUE, &err,
                 "a step without its attention takes 1002 s: expected 0 to 1001 s");
    c.tokens_s[1] = NAN;
    expect_error(llmsim_cost_init_composed(&cost, &c, &err), LLMSIM_CATALOGUE, &err,
                 "a step without its attention is not a number: expected 0 to 1001 s");
}

/* ---- errors.json ---- */

static void expect_expected(const char *dir, const char *kind, double tpot_median, double ttft_p90)
{
    struct llmsim_expected_error expected = {.tpot_median_percent = 1};
    must(llmsim_expected_error(dir, "kernels", kind, &expected, &err));
    cr_expect(expected.tpot_median_percent == tpot_median && expected.ttft_p90_percent == ttft_p90,
              "%s", kind);
}

static void expect_bad_entry(const char *dir, const char *kind, uint64_t line)
{
    struct llmsim_expected_error expected;
    enum llmsim_status status = llmsim_expected_error(dir, "roofline", kind, &expected, &err);
    cr_expect(status == LLMSIM_CATALOGUE && strstr(err.file, "errors.json") != NULL &&
                  err.line == line && expected.tpot_median_percent == 0,
              "%s:%u: %s", err.file, (unsigned)err.line, err.message);
}

Test(compose, expected_errors)
{
    char *dir = scratch_dir();
    write_text(dir, "gpu.json", "{}");
    expect_expected(dir, "dense", 0, 0); /* there is no file */
    write_text(dir, "errors.json",
               "{\"kernels dense\": {\"runs\": 9, \"tpot_median_percent\": 4.5, "
               "\"tpot_p90_percent\": 12, \"ttft_median_percent\": 30, \"ttft_p90_percent\": 80},\n"
               "\"roofline dense\": [],\n"
               "\"roofline experts\": {\"runs\": 9, \"tpot_median_percent\": -1}}\n");
    expect_expected(dir, "dense", 4.5, 80);
    expect_expected(dir, "experts", 0, 0); /* nor an entry */
    expect_bad_entry(dir, "dense", 2);
    expect_bad_entry(dir, "experts", 3);
    remove_dir(dir);
}

/* ---- right when measured ---- */

/* Llama-3.1-8B in 16 bits under vLLM on one H100: what servers were seen to take for a prompt of
 * 2,048 tokens, and for a step of 32 decodes at 2,048 tokens each. */
Test(compose, llama_on_an_h100)
{
    struct llmsim_cost cost =
        measured_cost("meta-llama/Llama-3.1-8B", "NVIDIA H100 80GB HBM3", "h100_sxm");
    const struct llmsim_step_shape prompt = {
        .prefill_tokens = 2048, .prefill_seqs = 1, .prefill_sum_sq = (uint64_t)2048 * 2048};
    const struct llmsim_step_shape decodes = {.decode_seqs = 32,
                                              .context_tokens = (uint64_t)32 * 2048};
    expect_near(step_s(&cost, &prompt), 43e-3, 0.08, "a prompt");
    expect_near(step_s(&cost, &decodes), 9.6e-3, 0.08, "decodes");
}
