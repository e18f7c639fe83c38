/* KV blocks that the memory of one GPU, and of several, has room for. */
#include <criterion/criterion.h>

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
