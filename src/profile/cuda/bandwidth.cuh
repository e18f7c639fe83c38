/* bandwidth.cuh: read, copy and triad: four loads of 16 bytes under way in every thread. */
#ifndef LLMSIM_PROFILE_BANDWIDTH_CUH
#define LLMSIM_PROFILE_BANDWIDTH_CUH

#include <cstdint>

namespace bandwidth
{

constexpr int THREADS = 512;
constexpr int BLOCKS_PER_MULTIPROCESSOR = 8;
constexpr int UNROLL = 4;

/* What a thread does: whole rounds of UNROLL vectors, the grid's width apart, then single ones. */
template <typename Body> __device__ inline void for_each_round(uint64_t n, Body body)
{
    const uint64_t step = (uint64_t)gridDim.x * blockDim.x;
    uint64_t i = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x;
    for (; i + (UNROLL - 1) * step < n; i += UNROLL * step)
        body(i, step, UNROLL);
    for (; i < n; i += step)
        body(i, step, 1);
}

/* The sum keeps the loads alive; n_vectors of 16 bytes. */
__global__ void __launch_bounds__(THREADS) read(const uint4 *in, uint64_t n_vectors, uint32_t *sum)
{
    uint32_t mine = 0;
    for_each_round(n_vectors, [&](uint64_t i, uint64_t step, int n) {
        uint4 v[UNROLL];
#pragma unroll
        for (int k = 0; k < UNROLL; k++)
            if (k < n)
                v[k] = in[i + k * step];
#pragma unroll
        for (int k = 0; k < UNROLL; k++)
            if (k < n)
                mine += v[k].x + v[k].y + v[k].z + v[k].w;
    });
    for (int distance = 16; distance > 0; distance /= 2)
        mine += __shfl_xor_sync(0xffffffffU, mine, distance);
    if (threadIdx.x % 32 == 0)
        atomicAdd(sum, mine);
}

__global__ void __launch_bounds__(THREADS) copy(const uint4 *in, uint64_t n_vectors, uint4 *out)
{
    for_each_round(n_vectors, [&](uint64_t i, uint64_t step, int n) {
        uint4 v[UNROLL];
#pragma unroll
        for (int k = 0; k < UNROLL; k++)
            if (k < n)
                v[k] = in[i + k * step];
#pragma unroll
        for (int k = 0; k < UNROLL; k++)
            if (k < n)
                out[i + k * step] = v[k];
    });
}

__global__ void __launch_bounds__(THREADS)
    triad(const float4 *a, const float4 *b, uint64_t n_vectors, float4 *out)
{
    for_each_round(n_vectors, [&](uint64_t i, uint64_t step, int n) {
        float4 x[UNROLL], y[UNROLL];
#pragma unroll
        for (int k = 0; k < UNROLL; k++)
            if (k < n) {
                x[k] = a[i + k * step];
                y[k] = b[i + k * step];
            }
#pragma unroll
        for (int k = 0; k < UNROLL; k++)
            if (k < n)
                out[i + k * step] = make_float4(x[k].x + 3 * y[k].x, x[k].y + 3 * y[k].y,
                                                x[k].z + 3 * y[k].z, x[k].w + 3 * y[k].w);
    });
}

} // namespace bandwidth

#endif
