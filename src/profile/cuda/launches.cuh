/* launches.cuh: which kernel a launch is, with which grid. The includer has `struct cuda_device`,
 * with n_multiprocessors, and two functions on it:
 *
 *   launch_gemm(d, launch, err)
 *   start(d, kernel, grid, threads, dynamic shared bytes, err, arguments…)
 */
#ifndef LLMSIM_PROFILE_LAUNCHES_CUH
#define LLMSIM_PROFILE_LAUNCHES_CUH

#include <cmath>

#include "attention.cuh"
#include "bandwidth.cuh"
#include "llmsim/device.h"
#include "pointwise.cuh"

namespace
{

using launch_status = enum llmsim_status;

inline unsigned blocks_for(uint64_t n, unsigned a_block)
{
    return (unsigned)((n + a_block - 1) / a_block);
}

inline unsigned bandwidth_blocks(const cuda_device *d)
{
    return (unsigned)d->n_multiprocessors * bandwidth::BLOCKS_PER_MULTIPROCESSOR;
}

template <typename T> T *to(void *memory)
{
    return static_cast<T *>(memory);
}

template <typename T> const T *from(const void *memory)
{
    return static_cast<const T *>(memory);
}

constexpr float LN_2 = 0.693147181F;

template <typename T, int D>
launch_status launch_prompt(cuda_device *d, const llmsim_launch *l, struct llmsim_error *err)
{
    const dim3 grid(blocks_for(l->tokens_each, attention::TILE), l->n_heads,
                    (unsigned)l->batch_size);
    return start(d, attention::prompt<T, D>, grid, attention::THREADS,
                 attention::prompt_shared_bytes<D>, err, from<T>(l->in), (int)l->tokens_each,
                 (int)l->n_heads, (int)l->n_kv_heads, 1 / (std::sqrt((float)D) * LN_2),
                 to<T>(l->out));
}

template <typename T, int D>
launch_status launch_context(cuda_device *d, const llmsim_launch *l, struct llmsim_error *err)
{
    const float scale = 1 / std::sqrt((float)D);
    const dim3 grid((unsigned)l->n_splits, l->n_kv_heads, (unsigned)l->batch_size);
    return start(d, attention::context<T, D>, grid, attention::THREADS,
                 attention::context_shared_bytes<D>, err, from<T>(l->in), from<T>(l->keys),
                 from<T>(l->values), (int)l->tokens_each, (int)l->split_tokens, (int)l->n_heads,
                 (int)l->n_kv_heads, scale, scale / LN_2, l->partials);
}

template <typename T>
launch_status launch_attention(cuda_device *d, const llmsim_launch *l, struct llmsim_error *err)
{
    const bool is_prompt = l->kind == LLMSIM_LAUNCH_ATTEND_PROMPT;
    switch (l->head_dim) {
#define X(dim)                                                                                     \
    case dim:                                                                                      \
        return is_prompt ? launch_prompt<T, dim>(d, l, err) : launch_context<T, dim>(d, l, err);
        LLMSIM_HEAD_DIMS(X)
#undef X
    default:
        return llmsim_fail(err, LLMSIM_INTERNAL, "no kernel for heads %u wide", l->head_dim);
    }
}

template <typename T>
launch_status launch_activate(cuda_device *d, const llmsim_launch *l, struct llmsim_error *err)
{
    const uint64_t n_vectors = l->rows * l->outputs / VECTOR;
    return start(d, pointwise::activate<T>, blocks_for(n_vectors, pointwise::THREADS),
                 pointwise::THREADS, 0, err, from<T>(l->in), n_vectors, (uint32_t)l->outputs,
                 l->gated, to<T>(l->out));
}

template <typename T>
launch_status launch_store_kv(cuda_device *d, const llmsim_launch *l, struct llmsim_error *err)
{
    const uint64_t n_vectors = l->rows * 2 * l->n_kv_heads * (l->head_dim / VECTOR);
    return start(d, pointwise::store_kv<T>, blocks_for(n_vectors, pointwise::THREADS),
                 pointwise::THREADS, 0, err, from<T>(l->in), n_vectors,
                 (uint32_t)(l->rows / l->batch_size), l->tokens_each, l->n_heads, l->n_kv_heads,
                 l->head_dim, to<T>(l->keys), to<T>(l->values));
}

/* The kinds whose kernels depend on the elements' type. */
template <typename T>
launch_status launch_typed(cuda_device *d, const llmsim_launch *l, struct llmsim_error *err)
{
    switch (l->kind) {
    case LLMSIM_LAUNCH_EMBED:
        return start(d, pointwise::embed<T>, (unsigned)l->rows, pointwise::THREADS, 0, err,
                     from<uint32_t>(l->in), from<T>(l->weights), (uint32_t)l->outputs,
                     to<T>(l->out));
    case LLMSIM_LAUNCH_NORM:
        return start(d, pointwise::norm<T>, (unsigned)l->rows, pointwise::THREADS, 0, err,
                     to<T>(l->state), from<T>(l->in), from<T>(l->weights), (uint32_t)l->outputs,
                     l->stride, to<T>(l->out));
    case LLMSIM_LAUNCH_ACTIVATE:
        return launch_activate<T>(d, l, err);
    case LLMSIM_LAUNCH_STORE_KV:
        return launch_store_kv<T>(d, l, err);
    case LLMSIM_LAUNCH_ATTEND_PROMPT:
    case LLMSIM_LAUNCH_ATTEND_CONTEXT:
        return launch_attention<T>(d, l, err);
    case LLMSIM_LAUNCH_COMBINE:
        return start(d, attention::combine<T>, (unsigned)(l->batch_size * l->n_heads), l->head_dim,
                     0, err, l->partials, (int)l->n_splits, to<T>(l->out));
    default:
        return llmsim_fail(err, LLMSIM_INTERNAL, "a launch of no known kind");
    }
}

launch_status launch(cuda_device *d, const llmsim_launch *l, struct llmsim_error *err)
{
    const unsigned blocks = bandwidth_blocks(d), threads = bandwidth::THREADS;
    const uint64_t n_vectors = l->bytes / 16;
    switch (l->kind) {
    case LLMSIM_LAUNCH_GEMM:
        return launch_gemm(d, l, err);
    case LLMSIM_LAUNCH_READ:
        return start(d, bandwidth::read, blocks, threads, 0, err, from<uint4>(l->in), n_vectors,
                     to<uint32_t>(l->out));
    case LLMSIM_LAUNCH_COPY:
        return start(d, bandwidth::copy, blocks, threads, 0, err, from<uint4>(l->in), n_vectors,
                     to<uint4>(l->out));
    case LLMSIM_LAUNCH_TRIAD:
        return start(d, bandwidth::triad, blocks, threads, 0, err, from<float4>(l->in),
                     from<float4>(l->weights), n_vectors, to<float4>(l->out));
    default:
        return l->dtype == LLMSIM_BFLOAT16 ? launch_typed<bf16>(d, l, err)
                                           : launch_typed<fp16>(d, l, err);
    }
}

} // namespace

#endif
