/* The fast engine against the step engine: the same bytes in every file, over random cases and the
 * real traces. */
#include <criterion/criterion.h>

#include "support/files.h"
#include "support/random_case.h"
#include "support/replay_files.h"

static const char *const files[] = {"tokens.csv", "requests.csv", "steps.csv", "summary.json"};
#define N_FILES (sizeof files / sizeof *files)

static void expect_same(const char *step_dir, const char *fast_dir, const char *what)
{
    for (size_t i = 0; i < N_FILES; i++) {
        size_t n_step = 0, n_fast = 0;
        char *step = read_text(step_dir, files[i], &n_step);
        char *fast = read_text(fast_dir, files[i], &n_fast);
        cr_assert(step != NULL && fast != NULL);
        cr_assert(n_step == n_fast && memcmp(step, fast, n_step) == 0, "%s: %s differs", what,
                  files[i]);
        free(step);
        free(fast);
    }
}

static void compare_case(struct random_case *c, const char *step_dir, const char *fast_dir,
                         const char *what)
{
    const char *const engines[] = {"step", "fast"};
    for (size_t i = 0; i < 2; i++) {
        struct llmsim_source source = case_source(c);
        replay_into(i == 0 ? step_dir : fast_dir, engines[i], c->config, &source);
    }
    expect_same(step_dir, fast_dir, what);
}

static void compare_seeds(uint64_t first_seed, uint64_t n)
{
    char *step_dir = scratch_dir(), *fast_dir = scratch_dir();
    struct random_case c;
    for (uint64_t seed = first_seed; seed < first_seed + n; seed++) {
        char what[64];
        (void)snprintf(what, sizeof what, "seed %llu", (unsigned long long)seed);
        case_make(&c, seed);
        compare_case(&c, step_dir, fast_dir, what);
    }
    remove_dir(step_dir);
    remove_dir(fast_dir);
}

/* Four quarters, so that they can run side by side; 10,000 cases in all. */
Test(differential, random_1)
{
    compare_seeds(1, case_count(2500));
}
Test(differential, random_2)
{
    compare_seeds(1000000000, case_count(2500));
}
Test(differential, random_3)
{
    compare_seeds(2000000000, case_count(2500));
}
Test(differential, random_4)
{
    compare_seeds(3000000000, case_count(2500));
}

/* Outputs of many thousand tokens go round the fast engine's timing wheel more than once. */
Test(differential, long_outputs)
{
    char *step_dir = scratch_dir(), *fast_dir = scratch_dir();
    struct random_case c;
    for (uint64_t seed = 4000000000; seed < 4000000000 + case_count(60); seed++) {
        char what[64];
        (void)snprintf(what, sizeof what, "long outputs, seed %llu", (unsigned long long)seed);
        case_make(&c, seed);
        c.n_requests = c.n_requests < 12 ? c.n_requests : 12;
        for (size_t i = 0; i < c.n_requests; i++)
            c.requests[i].output_tokens *= 300;
        compare_case(&c, step_dir, fast_dir, what);
    }
    remove_dir(step_dir);
    remove_dir(fast_dir);
}

/* Llama-2-13b on an RTX A6000, and whatever else the settings say. */
static void compare_trace_with(const char *name, const char *rate, uint64_t limit,
                               struct llmsim_replay_config config)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/traces/%s", LLMSIM_TEST_SHARED_DIR, name);
    if (access(path, R_OK) != 0)
        cr_skip_test("skipped: %s is not there", path);
    char *dirs[2] = {scratch_dir(), scratch_dir()};
    const char *const engines[] = {"step", "fast"};
    const struct llmsim_model llama = {.name = "llama",
                                       .num_hidden_layers = 40,
                                       .num_heads = 40,
                                       .model_size_GB = 26.03,
                                       .kvc_size_KB = 800};
    const struct llmsim_gpu a6000 = {
        .name = "a6000", .memory_cap_GB = 48, .memory_bw_GBps = 768, .memory_bw_util_percent = 60};
    config.max_num_seqs = 256;
    config.max_num_batched_tokens = 8192;
    config.block_size = 16;
    config.kv_watermark_blocks = config.num_gpu_blocks / 100;
    config.kv_bytes_per_token = llama.kvc_size_KB * 1024;
    config.swap_bytes_per_s = config.link_bytes_per_s = 25e9;
    config.link_latency_s = 10e-6;
    cr_assert_eq(llmsim_cost_init_ptps(&config.cost, &llama, &a6000, 4164.15309163167, NULL),
                 LLMSIM_OK);
    for (size_t i = 0; i < 2; i++) {
        struct llmsim_trace_options options = {.limit = limit,
                                               .with_prefixes = config.enable_prefix_caching};
        struct llmsim_trace *trace;
        struct llmsim_error err;
        cr_assert_eq(llmsim_ratio_parse(rate, &options.rate_scale, &err), LLMSIM_OK);
        cr_assert_eq(llmsim_trace_open(path, &options, &trace, &err), LLMSIM_OK, "%s", err.message);
        struct llmsim_source source = llmsim_trace_source(trace);
        replay_into(dirs[i], engines[i], config, &source);
        llmsim_trace_close(trace);
    }
    expect_same(dirs[0], dirs[1], name);
    remove_dir(dirs[0]);
    remove_dir(dirs[1]);
}

static void compare_trace(const char *name, const char *rate, const char *policy, uint64_t n_blocks)
{
    compare_trace_with(name, rate, 0,
                       (struct llmsim_replay_config){.policy = policy, .num_gpu_blocks = n_blocks});
}

/* Whole traces, every policy, with short queues and in overload. */
Test(differential, azure_conv_continuous)
{
    compare_trace("AzureLLMInferenceTrace_conv.csv", "1", "continuous", 0);
    compare_trace("AzureLLMInferenceTrace_conv.csv", "0.15", "continuous", 0);
}
Test(differential, azure_conv_static)
{
    compare_trace("AzureLLMInferenceTrace_conv.csv", "1", "static", 0);
}
Test(differential, azure_conv_mixed)
{
    compare_trace("AzureLLMInferenceTrace_conv.csv", "1", "mixed", 0);
    compare_trace("AzureLLMInferenceTrace_conv.csv", "0.15", "mixed", 0);
}
Test(differential, azure_code)
{
    compare_trace("AzureLLMInferenceTrace_code.csv", "0.5", "continuous", 0);
    compare_trace("AzureLLMInferenceTrace_code.csv", "1", "static", 0);
    compare_trace("AzureLLMInferenceTrace_code.csv", "0.5", "mixed", 0);
}

/* 1235 blocks is what an RTX A6000 has beside Llama-2-13b; 400 hold one long request. */
Test(differential, azure_conv_paged)
{
    compare_trace("AzureLLMInferenceTrace_conv.csv", "0.15", "continuous", 1235);
    compare_trace("AzureLLMInferenceTrace_conv.csv", "1", "mixed", 400);
}
Test(differential, azure_code_paged)
{
    compare_trace("AzureLLMInferenceTrace_code.csv", "1", "static", 1235);
    compare_trace("AzureLLMInferenceTrace_code.csv", "0.3", "mixed", 500);
}

/* Four replicas under a router, each with an RTX A6000's blocks, loaded so that some preempt. */
static void compare_router(const char *router, const char *policy)
{
    compare_trace_with("AzureLLMInferenceTrace_conv.csv", "0.3", 0,
                       (struct llmsim_replay_config){.policy = policy,
                                                     .num_gpu_blocks = 1235,
                                                     .n_replicas = 4,
                                                     .router = router,
                                                     .seed = 1});
}
Test(differential, azure_conv_round_robin)
{
    compare_router("round-robin", "continuous");
}
Test(differential, azure_conv_random)
{
    compare_router("random", "mixed");
}
Test(differential, azure_conv_least_outstanding)
{
    compare_router("least-outstanding", "continuous");
}
Test(differential, azure_conv_least_kv)
{
    compare_router("least-kv", "mixed");
}

/* One replica for the prompts and three for the rest. */
Test(differential, azure_conv_disaggregated)
{
    compare_trace_with("AzureLLMInferenceTrace_conv.csv", "0.3", 0,
                       (struct llmsim_replay_config){.num_gpu_blocks = 1235,
                                                     .prefill_replicas = 1,
                                                     .decode_replicas = 3,
                                                     .router = "least-kv"});
}

Test(differential, azure_conv_swap)
{
    compare_trace_with("AzureLLMInferenceTrace_conv.csv", "0.1", 0,
                       (struct llmsim_replay_config){.num_gpu_blocks = 1235, .preemption = "swap"});
    compare_trace_with(
        "AzureLLMInferenceTrace_conv.csv", "0.3", 0,
        (struct llmsim_replay_config){
            .policy = "mixed", .num_gpu_blocks = 800, .preemption = "swap", .n_replicas = 4});
}

/* Prompts of 14,000 tokens, of which an earlier one had 27 %. There are blocks for some dozens of
 * them, so that what nobody holds is evicted all the time; 5 % are hit. */
Test(differential, mooncake_prefix_caching)
{
    compare_trace_with(
        "mooncake_conversation.jsonl", "0.1", 1500,
        (struct llmsim_replay_config){.num_gpu_blocks = 60000, .enable_prefix_caching = true});
}
Test(differential, mooncake_prefix_affinity)
{
    compare_trace_with("mooncake_conversation.jsonl", "0.3", 1500,
                       (struct llmsim_replay_config){.policy = "mixed",
                                                     .num_gpu_blocks = 40000,
                                                     .enable_prefix_caching = true,
                                                     .n_replicas = 3,
                                                     .router = "prefix-affinity"});
}

static int by_arrival(const void *a, const void *b)
{
    const struct llmsim_request *x = a, *y = b;
    if (x->arrival_ns != y->arrival_ns)
        return x->arrival_ns < y->arrival_ns ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* A measured run of vLLM, its requests by the time at which the engine queued them, under policy
 * mixed with the run's recorded limits: no request is lost, and both engines agree. */
static void replay_vllm_run(const char *name, const struct llmsim_model *served, double bandwidth)
{
    char path[512], line[256];
    (void)snprintf(path, sizeof path, "%s/data/truth/%s.csv", LLMSIM_TEST_SHARED_DIR, name);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        cr_skip_test("skipped: %s is not there", path);
    static struct random_case c;
    c = (struct random_case){
        .config = {.policy = "mixed", .max_num_seqs = 128, .max_num_batched_tokens = 2048}};
    const struct llmsim_gpu pro6000 = {.name = "RTX PRO 6000",
                                       .memory_cap_GB = 96,
                                       .memory_bw_GBps = bandwidth,
                                       .memory_bw_util_percent = 60};
    cr_assert_eq(llmsim_cost_init_ptps(&c.config.cost, served, &pro6000, 20000, NULL), LLMSIM_OK);
    cr_assert_not_null(fgets(line, sizeof line, f));
    while (fgets(line, sizeof line, f) != NULL) {
        unsigned long long row;
        double arrival_s, queued_s;
        unsigned prompt, output;
        cr_assert_eq(
            sscanf(line, "%llu,%lf,%lf,%u,%u", &row, &arrival_s, &queued_s, &prompt, &output), 5);
        c.requests[c.n_requests++] =
            (struct llmsim_request){.arrival_ns = (int64_t)(queued_s * 1e9 + 0.5),
                                    .row = row,
                                    .prompt_tokens = prompt,
                                    .output_tokens = output,
                                    .deadline_ns = LLMSIM_NO_DEADLINE};
    }
    (void)fclose(f);
    cr_assert_eq(c.n_requests, 300);
    qsort(c.requests, c.n_requests, sizeof *c.requests, by_arrival);
    char *dirs[2] = {scratch_dir(), scratch_dir()};
    compare_case(&c, dirs[0], dirs[1], name);
    char *summary = read_text(dirs[1], "summary.json", NULL);
    cr_assert_not_null(strstr(summary, "\"completed\":\t300,"));
    free(summary);
    remove_dir(dirs[0]);
    remove_dir(dirs[1]);
}

Test(differential, vllm_runs)
{
    const struct llmsim_model llama = {.name = "Llama-3.1-8B",
                                       .num_hidden_layers = 32,
                                       .num_heads = 32,
                                       .model_size_GB = 16.06,
                                       .kvc_size_KB = 128};
    const struct llmsim_model qwen = {.name = "Qwen3-32B",
                                      .num_hidden_layers = 64,
                                      .num_heads = 64,
                                      .model_size_GB = 65.52,
                                      .kvc_size_KB = 256};
    replay_vllm_run("e2e_vllm_rtxpro6000_llama-3.1-8b", &llama, 1792);
    replay_vllm_run("e2e_vllm_rtxpro6000_qwen3-32b_tp2", &qwen, 2 * 1792);
}
