/* pointwise.cuh: all of a forward pass that is neither a matrix product nor attention. device.h
 * defines what each computes. Widths are multiples of 8. */
#ifndef LLMSIM_PROFILE_POINTWISE_CUH
#define LLMSIM_PROFILE_POINTWISE_CUH

#include "elements.cuh"

namespace pointwise
{

constexpr int THREADS = 256;

/* A number for each element, from its index alone (Steele's SplitMix64). */
template <typename T> __global__ void fill(T *to, uint64_t n, uint64_t seed, float scale)
{
    const uint64_t step = (uint64_t)gridDim.x * blockDim.x;
    for (uint64_t i = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
        uint64_t x = (i + 1) * 0x9e3779b97f4a7c15U + seed * 0xd1342543de82ef95U;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
        x ^= x >> 31;
        float unit = (float)(uint32_t)(x >> 40) * 0x1p-23F - 1; /* from −1 to 1 */
        to[i] = from_float<T>(scale * unit);
    }
}

/* A block a row. */
template <typename T>
__global__ void embed(const uint32_t *ids, const T *table, uint32_t width, T *out)
{
    const T *from = table + (uint64_t)ids[blockIdx.x] * width;
    T *to = out + (uint64_t)blockIdx.x * width;
    for (uint32_t i = threadIdx.x * VECTOR; i < width; i += blockDim.x * VECTOR)
        store_vector(to + i, load_vector(from + i));
}

/* The sum over a block of THREADS threads, in all of them. */
__device__ inline float sum_of_block(float mine)
{
    __shared__ float of_warp[THREADS / 32];
    for (int distance = 16; distance > 0; distance /= 2)
        mine += __shfl_xor_sync(0xffffffffU, mine, distance);
    if (threadIdx.x % 32 == 0)
        of_warp[threadIdx.x / 32] = mine;
    __syncthreads();
    float sum = 0;
    for (int i = 0; i < THREADS / 32; i++)
        sum += of_warp[i];
    return sum;
}

/* A block a row. Each thread reads again only what it has written. */
template <typename T>
__global__ void __launch_bounds__(THREADS)
    norm(T *state, const T *in, const T *weights, uint32_t width, uint64_t stride, T *out)
{
    const uint64_t row = (blockIdx.x + 1) * stride - 1;
    T *of_state = state + row * width;
    float squares = 0;
    for (uint32_t i = threadIdx.x * VECTOR; i < width; i += THREADS * VECTOR) {
        vector<T> x = load_vector(of_state + i);
        if (in != nullptr) {
            vector<T> more = load_vector(in + row * width + i);
            for (int k = 0; k < VECTOR; k++)
                x.element[k] = from_float<T>(to_float(x.element[k]) + to_float(more.element[k]));
            store_vector(of_state + i, x);
        }
        for (int k = 0; k < VECTOR; k++)
            squares += to_float(x.element[k]) * to_float(x.element[k]);
    }
    const float factor = rsqrtf(sum_of_block(squares) / (float)width + 1e-5F);
    for (uint32_t i = threadIdx.x * VECTOR; i < width; i += THREADS * VECTOR) {
        vector<T> x = load_vector(of_state + i), w = load_vector(weights + i), y;
        for (int k = 0; k < VECTOR; k++)
            y.element[k] = from_float<T>(to_float(x.element[k]) * factor * to_float(w.element[k]));
        store_vector(out + (uint64_t)blockIdx.x * width + i, y);
    }
}

/* A thread a vector of the output; n_vectors of them. */
template <typename T>
__global__ void activate(const T *in, uint64_t n_vectors, uint32_t width, bool gated, T *out)
{
    const uint64_t i = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n_vectors)
        return;
    const uint64_t row = i * VECTOR / width, column = i * VECTOR % width;
    const T *from = in + row * (gated ? 2 : 1) * width + column;
    vector<T> x = load_vector(from), y;
    if (gated) {
        vector<T> up = load_vector(from + width);
        for (int k = 0; k < VECTOR; k++) {
            float gate = to_float(x.element[k]);
            y.element[k] = from_float<T>(gate / (1 + __expf(-gate)) * to_float(up.element[k]));
        }
    } else {
        for (int k = 0; k < VECTOR; k++)
            y.element[k] = from_float<T>(fmaxf(to_float(x.element[k]), 0));
    }
    store_vector(out + i * VECTOR, y);
}

/* A thread a vector of the step's keys and values; n_vectors of both together. */
template <typename T>
__global__ void store_kv(const T *in, uint64_t n_vectors, uint32_t n_new, uint64_t tokens_each,
                         uint32_t n_heads, uint32_t n_kv_heads, uint32_t head_dim, T *keys,
                         T *values)
{
    const uint64_t i = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n_vectors)
        return;
    const uint32_t per_head = head_dim / VECTOR;
    const uint32_t d = (uint32_t)(i % per_head) * VECTOR;
    const uint32_t head = (uint32_t)(i / per_head % (2 * n_kv_heads)); /* keys', then values' */
    const uint64_t row = i / per_head / (2 * n_kv_heads);
    const T *from = in + (row * (n_heads + 2 * n_kv_heads) + n_heads + head) * head_dim + d;
    const uint64_t sequence = row / n_new, token = tokens_each - n_new + row % n_new;
    T *to = head < n_kv_heads ? keys : values;
    to += ((sequence * n_kv_heads + head % n_kv_heads) * tokens_each + token) * head_dim + d;
    store_vector(to, load_vector(from));
}

} // namespace pointwise

#endif
