/* KV blocks that the memory of one GPU, and of several, has room for. */
#include <criterion/criterion.h>

#include "llmsim/catalogue.h"
#include "llmsim/replay.h"
#include "support/errors.h"

/* 0.9 of 100 GB, less 5 GB for activations, less 20 GB of weights: 65 GB, in blocks of 16 tokens of
 * 1 MB: 4062.5. Over two GPUs 2 (90 - 5) - 20 = 150 GB: 9375. */
Test(kv_capacity, by_hand)
{
    const struct llmsim_model model = {.name = "m", .model_size_GB = 20, .kvc_size_KB = 1e6 / 1024};
    struct llmsim_gpu gpu = {.name = "g", .memory_cap_GB = 100};
    struct llmsim_kv_memory memory = {.utilization = 0.9, .activation_GB = 5, .block_size = 16};
    struct llmsim_error err;
    uint64_t n = 0;
    cr_assert_eq(llmsim_kv_capacity(&memory, &model, &gpu, &n, &err), LLMSIM_OK);
    cr_expect_eq(n, 4062);
    memory.n_gpus = 1;
    cr_assert_eq(llmsim_kv_capacity(&memory, &model, &gpu, &n, &err), LLMSIM_OK);
    cr_expect_eq(n, 4062);
    memory.n_gpus = 2;
    cr_assert_eq(llmsim_kv_capacity(&memory, &model, &gpu, &n, &err), LLMSIM_OK);
    cr_expect_eq(n, 9375);
    gpu.memory_cap_GB = 10;
    expect_error(
        llmsim_kv_capacity(&memory, &model, &gpu, &n, &err), LLMSIM_CATALOGUE, &err,
        "no room for a KV block: 2 x g with 10 GB, of which 0.9, less the weights of m (20 "
        "GB) and 5 GB of each for activations, leaves -12 GB");
}

/* What vLLM 0.4 itself counted on an RTX A6000 at a utilization of 0.9 (its pull request 4454). The
 * activations of Llama 3, with steps of 8,192 tokens and 128,256 words, take 2.1 GB. */
Test(kv_capacity, as_vllm_counts)
{
    static const struct {
        const char *model;
        double activation_GB, counted, within;
    } cases[] = {
        {"opt-125m", 1, 75937, 0.005},
        {"Meta-Llama-3-8B", 1, 13248, 0.05},
        {"Meta-Llama-3-8B", 2.1, 13248, 0.005},
    };
    struct llmsim_catalogue *c = NULL;
    struct llmsim_error err;
    cr_assert_eq(llmsim_catalogue_open(LLMSIM_TEST_SOURCE_DIR "/data", &c, &err), LLMSIM_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct llmsim_model model;
        struct llmsim_gpu gpu;
        const struct llmsim_kv_memory memory = {.utilization = 0.9,
                                                .activation_GB = cases[i].activation_GB,
                                                .block_size = 16,
                                                .n_gpus = 1};
        uint64_t n = 0;
        cr_assert_eq(llmsim_catalogue_model(c, cases[i].model, &model, &err), LLMSIM_OK);
        cr_assert_eq(llmsim_catalogue_gpu(c, "a6000", &gpu, &err), LLMSIM_OK);
        cr_assert_eq(llmsim_kv_capacity(&memory, &model, &gpu, &n, &err), LLMSIM_OK);
        cr_expect_float_eq((double)n / cases[i].counted, 1, cases[i].within, "%s: %llu",
                           cases[i].model, (unsigned long long)n);
    }
    llmsim_catalogue_close(c);
}
