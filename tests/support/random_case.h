/* random_case.h: random traces, costs and limits, small but nasty: bursts, ties, arrivals at the
 * very end of a step, empty prompts and outputs, limits of 1. A case is its seed. */
#ifndef LLMSIM_TESTS_RANDOM_CASE_H
#define LLMSIM_TESTS_RANDOM_CASE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "llmsim/llmsim.h"

#define CASE_MAX_REQUESTS 800
#define CASE_MAX_PREFIX 40

/* Its own source, so that requests can have ids: handle i stands for ids[i - 1]. */
struct random_case {
    struct llmsim_replay_config config;
    struct llmsim_request requests[CASE_MAX_REQUESTS];
    char ids[CASE_MAX_REQUESTS][16];
    uint8_t n_references[CASE_MAX_REQUESTS]; /* of each id: 1 from read to release */
    /* Likewise prefix i stands for prefixes[i - 1], where there are any. */
    uint64_t prefixes[CASE_MAX_REQUESTS][CASE_MAX_PREFIX];
    uint8_t n_prefix_references[CASE_MAX_REQUESTS];
    uint32_t hash_block_tokens; /* 0: no prefixes */
    size_t n_requests;
    size_t next;
};

static inline uint64_t case_random(uint64_t *state, uint64_t below)
{
    /* splitmix64 */
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (z ^ (z >> 31)) % below;
}

/* In half of the cases all times are whole microseconds, so that arrivals and step ends coincide
 * often; in the others the coefficients are arbitrary fractions. */
static inline struct llmsim_cost case_cost(uint64_t *state, bool is_round)
{
    uint64_t unit = is_round ? (uint64_t)llmsim_time_from_ns(1000) : 1;
    uint64_t spread = is_round ? 1 : (uint64_t)llmsim_time_from_ns(1000);
    return (struct llmsim_cost){
        .model = &llmsim_cost_models[0],
        .prefill_per_token = unit * case_random(state, 20 * spread),
        .decode_any_batch = {.base =
                                 (llmsim_time)unit * (llmsim_time)case_random(state, 300 * spread),
                             .per_context_token = unit * case_random(state, 3 * spread)},
    };
}

/* Any coefficient may be 0; a profile's range about as large as the steps of a case. */
static inline struct llmsim_cost case_fitted_cost(uint64_t *state)
{
    const double most[] = {1e-3, 2e-4, 2e-4, 2e-4, 2e-4, 2e-4, 2e-4, 2e-4, 2e-4, 2e-5, 1e-5,
                           1e-3, 300,  1e-5, 300,  1e-5, 1e-7, 1e-5, 2e-6, 2e-5, 3e-6};
    double values[sizeof most / sizeof *most];
    struct llmsim_fit fit = {.has_coefficients = true};
    struct llmsim_cost cost;
    for (size_t i = 0; i < sizeof most / sizeof *most; i++)
        values[i] = case_random(state, 4) == 0
                        ? 0
                        : most[i] * (double)(1 + case_random(state, 1000000)) / 1e6;
    memcpy(&fit.coefficients, values, sizeof values);
    fit.coefficients.ridge_tokens += 0.01 + 1000 * fit.coefficients.weights_s;
    fit.coefficients.spill_tokens += 0.01;
    fit.range = (struct llmsim_profile_range){
        .min_prefill_tokens = case_random(state, 50),
        .max_prefill_tokens = 50 + case_random(state, 500),
        .min_decode_seqs = case_random(state, 4),
        .max_decode_seqs = 4 + case_random(state, 8),
        .min_context_tokens = case_random(state, 300),
        .max_context_tokens = 300 + case_random(state, 2000),
        .max_longest_context = case_random(state, 600),
        .mixed = case_random(state, 2) == 0,
    };
    if (llmsim_cost_init_fitted(&cost, &fit, NULL) != LLMSIM_OK)
        abort();
    return cost;
}
_Static_assert(sizeof(struct llmsim_fitted) == 21 * sizeof(double), "most[] above has them all");

/* Kernels added up, of a small model of a random kind on a random small GPU, which takes about as
 * long a step as the other costs do. */
static inline struct llmsim_cost case_composed_cost(uint64_t *state)
{
    const unsigned heads = 1u << case_random(state, 4);
    const struct llmsim_attention_shape attention = {
        .layers = 2,
        .num_heads = heads,
        .num_kv_heads = 1,
        .head_dim = 64,
        .v_head_dim = 64,
    };
    struct llmsim_model model = {.name = "random",
                                 .shape = {.is_known = true,
                                           .hidden_size = 64 * heads,
                                           .num_hidden_layers = 2,
                                           .vocab_size = 1000,
                                           .full = attention,
                                           .dense_layers = 2,
                                           .intermediate_size = 256 * heads}};
    struct llmsim_shape *shape = &model.shape;
    if (case_random(state, 3) == 0) {
        shape->full.layers = 1;
        shape->windowed = attention;
        shape->windowed.layers = 1;
        shape->windowed.window = 1 + (unsigned)case_random(state, 200);
    }
    if (case_random(state, 3) == 0) {
        shape->dense_layers = 0;
        shape->moe = (struct llmsim_moe_shape){
            .layers = 2, .num_experts = 8, .num_experts_per_tok = 2, .moe_intermediate_size = 128};
    }
    const struct llmsim_gpu gpu = {.name = "random",
                                   .memory_bw_GBps = 1 + (double)case_random(state, 100),
                                   .bf16_tflops = 0.01 + (double)case_random(state, 100) / 100,
                                   .link_bw = 1,
                                   .link_latency_us = 1};
    const struct llmsim_server server = {
        .choice = {"random", ""},
        .step_s = 1e-6 * (double)case_random(state, 300),
        .seq_s = 1e-6 * (double)case_random(state, 20),
        .small_kernel_s = 1e-6 * (double)case_random(state, 5),
        .max_graph_tokens = (uint32_t)case_random(state, 3) * 256,
    };
    const struct llmsim_parallelism parallelism = {
        .tensor = heads > 1 ? 1 + (unsigned)case_random(state, 2) : 1,
        .pipeline = 1 + (unsigned)case_random(state, 2),
        .data = shape->moe.layers > 0 ? 1 + (unsigned)case_random(state, 2) : 1,
    };
    struct llmsim_composed composed;
    struct llmsim_cost cost;
    if (llmsim_compose(&model, &gpu, &server, true, &parallelism, NULL, &composed, NULL) !=
            LLMSIM_OK ||
        llmsim_cost_init_composed(&cost, &composed, NULL) != LLMSIM_OK)
        abort();
    return cost;
}

static inline enum llmsim_status case_read(void *self, struct llmsim_request *requests,
                                           size_t capacity, size_t *n, struct llmsim_error *err)
{
    struct random_case *c = self;
    (void)err;
    for (*n = 0; *n < capacity && c->next < c->n_requests; c->next++) {
        requests[(*n)++] = c->requests[c->next];
        c->n_references[c->next]++;
        c->n_prefix_references[c->next]++;
    }
    return LLMSIM_OK;
}

static inline const char *case_id_text(const void *self, uint32_t id, size_t *length)
{
    const struct random_case *c = self;
    if (c->n_references[id - 1] != 1)
        abort(); /* asked after its release */
    *length = strlen(c->ids[id - 1]);
    return c->ids[id - 1];
}

static inline void case_release(void *self, uint32_t id)
{
    ((struct random_case *)self)->n_references[id - 1]--;
}

static inline void case_prefix(const void *self, uint32_t handle, struct llmsim_prefix *prefix)
{
    const struct random_case *c = self;
    if (c->n_prefix_references[handle - 1] != 1)
        abort(); /* asked after its release */
    uint32_t prompt_tokens = c->requests[handle - 1].prompt_tokens;
    *prefix = (struct llmsim_prefix){.blocks = c->prefixes[handle - 1],
                                     .n_blocks = (prompt_tokens + c->hash_block_tokens - 1) /
                                                 c->hash_block_tokens,
                                     .block_tokens = c->hash_block_tokens};
}

static inline void case_release_prefix(void *self, uint32_t handle)
{
    ((struct random_case *)self)->n_prefix_references[handle - 1]--;
}

static inline struct llmsim_source case_source(struct random_case *c)
{
    c->next = 0;
    memset(c->n_references, 0, sizeof c->n_references);
    memset(c->n_prefix_references, 0, sizeof c->n_prefix_references);
    return (struct llmsim_source){.self = c,
                                  .read = case_read,
                                  .id_text = case_id_text,
                                  .release = case_release,
                                  .prefix = c->hash_block_tokens > 0 ? case_prefix : NULL,
                                  .release_prefix =
                                      c->hash_block_tokens > 0 ? case_release_prefix : NULL};
}

/* Prompts of a few conversations, each the beginning of one of them and then something else; some
 * ids make no sense. At least 8 tokens an id, so that a prompt of 300 has no more than there is
 * room for. */
static inline void case_make_prefixes(struct random_case *c, uint64_t *state)
{
    uint32_t size = c->config.block_size;
    uint64_t n_conversations = 1 + case_random(state, 6), next_id = 1000000;
    c->config.enable_prefix_caching = true;
    c->hash_block_tokens = size * ((7 + size) / size + (uint32_t)case_random(state, 4));
    for (size_t i = 0; i < c->n_requests; i++) {
        uint64_t conversation = case_random(state, n_conversations);
        uint64_t n_shared = case_random(state, CASE_MAX_PREFIX);
        c->requests[i].prefix = case_random(state, 8) == 0 ? LLMSIM_NO_PREFIX : (uint32_t)i + 1;
        for (uint64_t k = 0; k < CASE_MAX_PREFIX; k++)
            c->prefixes[i][k] = k < n_shared ? conversation * 1000 + k : next_id++;
        if (case_random(state, 20) == 0)
            c->prefixes[i][case_random(state, 4)] = case_random(state, 3);
    }
}

/* Numbers with and without leading zeros, texts, and some of both twice. */
static inline void case_make_ids(struct random_case *c, uint64_t *state)
{
    for (size_t i = 0; i < c->n_requests; i++) {
        c->requests[i].id = (uint32_t)i + 1;
        (void)snprintf(c->ids[i], sizeof c->ids[i],
                       case_random(state, 3) == 0   ? "%llu"
                       : case_random(state, 2) == 0 ? "%04llu"
                                                    : "%llux",
                       (unsigned long long)case_random(state, 2 * c->n_requests));
    }
}

/* A token's KV cache has 1000 bytes; in round cases it takes whole microseconds. */
static inline double case_bytes_per_s(uint64_t *state, bool is_round)
{
    uint64_t ns = 1 + case_random(state, 20000);
    return 1000 / ((double)(is_round ? 1000 * (1 + ns / 1000) : ns) / 1e9);
}

static inline void case_make_replicas(struct random_case *c, uint64_t *state, bool is_round)
{
    struct llmsim_replay_config *config = &c->config;
    config->kv_bytes_per_token = 1000;
    config->preemption = case_random(state, 2) == 0 ? "recompute" : "swap";
    config->swap_bytes_per_s = case_bytes_per_s(state, is_round);
    config->router = llmsim_router_choice(case_random(state, 5))->name;
    config->seed = case_random(state, 100);
    if (case_random(state, 3) == 0) {
        config->prefill_replicas = 1 + (uint32_t)case_random(state, 3);
        config->decode_replicas = 1 + (uint32_t)case_random(state, 3);
        config->link_bytes_per_s = case_bytes_per_s(state, is_round);
        config->link_latency_s = (double)case_random(state, 300) * 1e-6;
    } else if (case_random(state, 2) == 0) {
        config->n_replicas = (uint32_t)case_random(state, 5);
    }
}

static inline uint32_t case_n_replicas(const struct llmsim_replay_config *config)
{
    uint32_t n = config->prefill_replicas + config->decode_replicas;
    return n > 0 ? n : config->n_replicas > 0 ? config->n_replicas : 1;
}

static inline void case_make(struct random_case *c, uint64_t seed)
{
    static const char *const policies[] = {"continuous", "static", "mixed"};
    uint64_t state = seed;
    c->hash_block_tokens = 0;
    bool is_round = case_random(&state, 2) == 0;
    c->config = (struct llmsim_replay_config){
        .cost = case_cost(&state, is_round),
        .policy = policies[case_random(&state, 3)],
        .max_num_seqs = 1 + (uint32_t)case_random(&state, 1 + case_random(&state, 12)),
        .max_num_batched_tokens = 1 + (uint32_t)case_random(&state, 1 + case_random(&state, 600)),
    };
    if (case_random(&state, 3) == 0)
        c->config.cost = case_fitted_cost(&state);
    /* Of a state of its own, so that the rest of a case is what its seed has always made. */
    uint64_t composed_state = ~seed;
    if (case_random(&composed_state, 4) == 0)
        c->config.cost = case_composed_cost(&composed_state);
    c->config.queue_order =
        case_random(&state, 2) == 0 ? "fcfs" : llmsim_order_choice(case_random(&state, 5))->name;
    if (case_random(&state, 2) == 0) {
        c->config.block_size = 1 + (uint32_t)case_random(&state, 1 + case_random(&state, 20));
        c->config.num_gpu_blocks =
            1 + case_random(&state, 2000) / (c->config.block_size * (1 + case_random(&state, 4)));
        c->config.kv_watermark_blocks = case_random(&state, 1 + c->config.num_gpu_blocks / 10);
    }
    case_make_replicas(c, &state, is_round);
    if (case_random(&state, 4) == 0)
        c->config.long_prefill_token_threshold = 1 + (uint32_t)case_random(&state, 100);
    /* As a rule few, because small cases show as much in less time. */
    c->n_requests = case_random(&state, case_random(&state, 50) == 0 ? CASE_MAX_REQUESTS + 1 : 80);
    uint64_t gap_us = 1 + case_random(&state, 4000);
    uint32_t max_prompt = 1 + (uint32_t)case_random(&state, 300);
    uint32_t max_output = 1 + (uint32_t)case_random(&state, 60);
    uint64_t failures = case_random(&state, 2);
    int64_t arrival_ns = 0;
    for (size_t i = 0; i < c->n_requests; i++) {
        if (case_random(&state, 3) != 0)
            arrival_ns += (int64_t)(is_round ? 1000 * case_random(&state, gap_us)
                                             : case_random(&state, 1000 * gap_us));
        c->requests[i] = (struct llmsim_request){
            .arrival_ns = arrival_ns,
            .row = i,
            .prompt_tokens = (uint32_t)case_random(&state, max_prompt),
            .output_tokens = (uint32_t)case_random(&state, max_output),
            .priority = (int32_t)case_random(&state, 5) - 2,
            .deadline_ns = arrival_ns + (int64_t)case_random(&state, 10000000),
            .is_failed = failures != 0 && case_random(&state, 8) == 0,
        };
    }
    if (case_random(&state, 2) == 0)
        case_make_ids(c, &state);
    if (c->config.num_gpu_blocks > 0 && case_random(&state, 2) == 0)
        case_make_prefixes(c, &state);
    if (case_random(&state, 5) == 0) {
        uint64_t span_ns = (uint64_t)arrival_ns + 2000000;
        c->config.from_ns = (int64_t)(case_random(&state, 2) * case_random(&state, span_ns) / 2);
        c->config.until_ns = c->config.from_ns + 1 + (int64_t)case_random(&state, 2 * span_ns);
    }
    if (case_random(&state, 6) == 0)
        c->config.max_concurrency = 1 + (uint32_t)case_random(&state, 16);
}

/* How many cases to try: many more with LLMSIM_LONG in the environment, fewer in the builds with
 * assertions or sanitizers, where each takes up to six times as long. */
static inline uint64_t case_count(uint64_t usual)
{
#ifndef NDEBUG
    usual /= 5;
#endif
    return getenv("LLMSIM_LONG") != NULL ? 50 * usual : usual;
}

#endif
