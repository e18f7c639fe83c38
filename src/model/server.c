/* server.c: the inference servers that the composed cost knows. */
#include <stddef.h>

#include "llmsim/compose.h"

static const struct llmsim_server servers[] = {
    {.choice = {"vllm", "vLLM's kernels and CPU time"},
     .kernels = "vllm",
     .step_s = 0.3e-3,
     .seq_s = 19e-6,
     .waiting_step_s = 1.4e-3,
     .waiting_seq_s = 38e-6,
     .small_kernel_s = 2.2e-6,
     .max_graph_tokens = 512},
    {.choice = {"sglang", "SGLang's"},
     .kernels = "sglang",
     .step_s = 0.6e-3,
     .seq_s = 16e-6,
     .waiting_step_s = 1.2e-3,
     .waiting_seq_s = 25e-6,
     .small_kernel_s = 2.2e-6,
     .max_graph_tokens = 512},
    {.choice = {"trtllm", "TensorRT-LLM's"},
     .kernels = "trtllm",
     .step_s = 2.0e-3,
     .seq_s = 30e-6,
     .waiting_step_s = 2.0e-3,
     .waiting_seq_s = 30e-6,
     .small_kernel_s = 2.2e-6,
     .max_graph_tokens = 512},
    {.choice = {"formulas", "none: the two published numbers, or what was fitted"}},
};

const struct llmsim_server *llmsim_server_at(size_t i)
{
    return i < sizeof servers / sizeof *servers ? &servers[i] : NULL;
}

const struct llmsim_choice *llmsim_server_choice(size_t i)
{
    return i < sizeof servers / sizeof *servers ? &servers[i].choice : NULL;
}
