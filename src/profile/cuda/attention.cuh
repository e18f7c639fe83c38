/* attention.cuh: causal attention of prompts, and of one token to a cache.
 *
 * Both go over the keys once, in tiles, and keep a running greatest score, sum of weights and sum
 * of weighted values for each query, so that no matrix of scores is ever in memory (Dao et al.,
 * FlashAttention, 2022; split contexts: Dao et al., Flash-Decoding, 2023). Products are matrix
 * instructions on 16 queries × 16 elements × 8 keys. In their results, lane l of a warp holds for
 * rows l / 4 (numbers 0, 1) and l / 4 + 8 (numbers 2, 3) the columns 2 (l mod 4) and the next: the
 * same that the first operand of the next product wants, so that weights never leave registers. */
#ifndef LLMSIM_PROFILE_ATTENTION_CUH
#define LLMSIM_PROFILE_ATTENTION_CUH

#include "../kernel_limits.h"
#include "elements.cuh"
#include "instructions.cuh"

namespace attention
{

constexpr int WARPS = 4;
constexpr int THREADS = 32 * WARPS;
constexpr int TILE = 64;  /* queries of a block, and keys of a step, of a prompt */
constexpr int CHUNK = 16; /* keys of a step of a warp, of a context */
constexpr int GROUP = LLMSIM_MAX_GROUP;
static_assert(TILE == 16 * WARPS && CHUNK * WARPS == LLMSIM_SPLIT_UNIT && GROUP == 16, "");

/* A row in shared memory is an odd number of 16 bytes long, so that 8 rows touch all banks. */
template <int D> constexpr int PITCH = D + 8;

template <int D> constexpr int prompt_shared_bytes = 3 * TILE *PITCH<D> * 2;
/* Queries, and two stages of keys and values a warp; or, at the end, floats of each warp. */
template <int D> constexpr int context_shared_bytes = (GROUP + WARPS * 4 * CHUNK) * PITCH<D> * 2;
template <int D> constexpr int merge_shared_bytes = WARPS *GROUP *(D + 2) * 4;
static_assert(merge_shared_bytes<128> <= context_shared_bytes<128> &&
                  merge_shared_bytes<64> <= context_shared_bytes<64>,
              "");

/* ---- parts of both kernels ---- */

/* ROWS rows of D elements to shared memory, by `n_threads` threads of which this is `thread`. Rows
 * from n_valid on become zeros; their addresses stay inside. */
template <typename T, int D, int ROWS>
__device__ inline void copy_rows(T *tile, const T *from, uint64_t pitch, int n_valid, int thread,
                                 int n_threads)
{
    constexpr int VECTORS = D / VECTOR;
    for (int i = thread; i < ROWS * VECTORS; i += n_threads) {
        const int row = i / VECTORS, d = i % VECTORS * VECTOR;
        const bool valid = row < n_valid;
        copy_16(tile + row * PITCH<D> + d, from + (valid ? row * pitch : 0) + d, valid);
    }
}

/* 16 queries as first operands, for every 16 of their elements. */
template <typename T, int D>
__device__ inline void load_queries(uint32_t (&q)[D / 16][4], const T *tile, int lane)
{
#pragma unroll
    for (int k = 0; k < D / 16; k++)
        load_matrices(q[k], tile + lane % 16 * PITCH<D> + k * 16 + lane / 16 * 8);
}

/* What a warp knows of its 16 queries; the sums are of this lane's columns only. */
template <int D> struct running {
    float values[D / 8][4];
    float greatest[2], sum[2];

    __device__ inline void clear()
    {
#pragma unroll
        for (int i = 0; i < D / 8; i++)
#pragma unroll
            for (int k = 0; k < 4; k++)
                values[i][k] = 0;
        greatest[0] = greatest[1] = -INFINITY;
        sum[0] = sum[1] = 0;
    }
};

/* scores[16][KEYS] = queries · keysᵀ */
template <typename T, int D, int KEYS>
__device__ inline void score(float (&s)[KEYS / 8][4], const uint32_t (&q)[D / 16][4], const T *keys,
                             int lane)
{
#pragma unroll
    for (int i = 0; i < KEYS / 8; i++)
#pragma unroll
        for (int k = 0; k < 4; k++)
            s[i][k] = 0;
#pragma unroll
    for (int k = 0; k < D / 16; k++)
#pragma unroll
        for (int i = 0; i < KEYS / 16; i++) {
            uint32_t b[4];
            load_matrices(b, keys + (i * 16 + lane % 8 + lane / 16 * 8) * PITCH<D> + k * 16 +
                                 lane / 8 % 2 * 8);
            multiply_add<T>(s[2 * i], q[k], b[0], b[1]);
            multiply_add<T>(s[2 * i + 1], q[k], b[2], b[3]);
        }
}

/* Scores become weights, exp(score · scale − greatest · scale), and what was summed so far is put
 * on the new greatest. Each row has a score that is not −∞. scale_log2 = scale / ln 2. */
template <int D, int KEYS>
__device__ inline void weigh(float (&s)[KEYS / 8][4], running<D> &r, float scale_log2)
{
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float greatest = r.greatest[half];
#pragma unroll
        for (int i = 0; i < KEYS / 8; i++)
            greatest = fmaxf(greatest, fmaxf(s[i][2 * half], s[i][2 * half + 1]));
        greatest = fmaxf(greatest, __shfl_xor_sync(0xffffffffU, greatest, 1));
        greatest = fmaxf(greatest, __shfl_xor_sync(0xffffffffU, greatest, 2));
        const float factor = exp2f((r.greatest[half] - greatest) * scale_log2);
        float sum = 0;
#pragma unroll
        for (int i = 0; i < KEYS / 8; i++)
#pragma unroll
            for (int k = 2 * half; k < 2 * half + 2; k++) {
                s[i][k] = exp2f((s[i][k] - greatest) * scale_log2);
                sum += s[i][k];
            }
        r.greatest[half] = greatest;
        r.sum[half] = r.sum[half] * factor + sum;
#pragma unroll
        for (int i = 0; i < D / 8; i++) {
            r.values[i][2 * half] *= factor;
            r.values[i][2 * half + 1] *= factor;
        }
    }
}

/* values += weights · values of the tile */
template <typename T, int D, int KEYS>
__device__ inline void add_values(running<D> &r, const float (&s)[KEYS / 8][4], const T *values,
                                  int lane)
{
#pragma unroll
    for (int k = 0; k < KEYS / 16; k++) {
        const uint32_t a[4] = {pack<T>(s[2 * k][0], s[2 * k][1]), pack<T>(s[2 * k][2], s[2 * k][3]),
                               pack<T>(s[2 * k + 1][0], s[2 * k + 1][1]),
                               pack<T>(s[2 * k + 1][2], s[2 * k + 1][3])};
#pragma unroll
        for (int i = 0; i < D / 16; i++) {
            uint32_t b[4];
            load_transposed(b, values + (k * 16 + lane % 16) * PITCH<D> + i * 16 + lane / 16 * 8);
            multiply_add<T>(r.values[2 * i], a, b[0], b[1]);
            multiply_add<T>(r.values[2 * i + 1], a, b[2], b[3]);
        }
    }
}

/* The four lanes of a row hold the sums of their own columns. */
__device__ inline float sum_of_row(float mine)
{
    mine += __shfl_xor_sync(0xffffffffU, mine, 1);
    return mine + __shfl_xor_sync(0xffffffffU, mine, 2);
}

/* ---- prompts ---- */

/* A block takes 64 queries of one head of one prompt, a warp 16 of them; the blocks with the most
 * keys begin. While a product runs, the other tile is on its way: values during scores, the next
 * keys during weights. Grid: tiles of queries, heads, prompts. */
template <typename T, int D>
__global__ void __launch_bounds__(THREADS)
    prompt(const T *qkv, int n_tokens, int n_heads, int n_kv_heads, float scale_log2, T *out)
{
    DYNAMIC_SHARED(shared);
    T *q_tile = reinterpret_cast<T *>(shared);
    T *k_tile = q_tile + TILE * PITCH<D>, *v_tile = k_tile + TILE * PITCH<D>;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int block = (int)(gridDim.x - 1 - blockIdx.x), head = (int)blockIdx.y;
    const int first = block * TILE, kv_head = head / (n_heads / n_kv_heads);
    const uint64_t pitch = (uint64_t)(n_heads + 2 * n_kv_heads) * D;
    const T *of_prompt = qkv + blockIdx.z * (uint64_t)n_tokens * pitch;
    const T *keys = of_prompt + (uint64_t)(n_heads + kv_head) * D;
    const T *values = keys + (uint64_t)n_kv_heads * D;

    copy_rows<T, D, TILE>(q_tile, of_prompt + first * pitch + (uint64_t)head * D, pitch,
                          n_tokens - first, (int)threadIdx.x, THREADS);
    copy_rows<T, D, TILE>(k_tile, keys, pitch, n_tokens, (int)threadIdx.x, THREADS);
    commit_copies();
    wait_copies<0>();
    __syncthreads();

    uint32_t q[D / 16][4];
    running<D> r;
    load_queries<T, D>(q, q_tile + warp * 16 * PITCH<D>, lane);
    r.clear();
    for (int tile = 0; tile <= block; tile++) {
        const uint64_t here = (uint64_t)tile * TILE;
        copy_rows<T, D, TILE>(v_tile, values + here * pitch, pitch, n_tokens - (int)here,
                              (int)threadIdx.x, THREADS);
        commit_copies();
        float s[TILE / 8][4];
        score<T, D, TILE>(s, q, k_tile, lane);
        wait_copies<0>();
        __syncthreads(); /* the values are here, and nobody needs the keys any more */
        if (tile < block) {
            copy_rows<T, D, TILE>(k_tile, keys + (here + TILE) * pitch, pitch,
                                  n_tokens - (int)here - TILE, (int)threadIdx.x, THREADS);
            commit_copies();
        } else {
#pragma unroll
            for (int i = 0; i < TILE / 8; i++)
#pragma unroll
                for (int k = 0; k < 4; k++)
                    if (i * 8 + lane % 4 * 2 + k % 2 > warp * 16 + lane / 4 + k / 2 * 8)
                        s[i][k] = -INFINITY; /* a key behind the query */
        }
        weigh<D, TILE>(s, r, scale_log2);
        add_values<T, D, TILE>(r, s, v_tile, lane);
        wait_copies<0>();
        __syncthreads();
    }

#pragma unroll
    for (int half = 0; half < 2; half++) {
        const int row = first + warp * 16 + lane / 4 + half * 8;
        const float factor = 1 / sum_of_row(r.sum[half]);
        T *to = out + ((blockIdx.z * (uint64_t)n_tokens + row) * n_heads + head) * D;
        if (row < n_tokens)
#pragma unroll
            for (int i = 0; i < D / 8; i++)
                *reinterpret_cast<uint32_t *>(to + i * 8 + lane % 4 * 2) =
                    pack<T>(r.values[i][2 * half] * factor, r.values[i][2 * half + 1] * factor);
    }
}

/* ---- contexts ---- */

/* A block takes one part of one sequence's context, for the query heads that share one head of keys
 * and values: the rows of the products, of which those from group_size on are zeros. Each warp
 * takes every fourth chunk of 16 keys, loads it by itself while it computes on the one before, and
 * waits for no other warp until the end. Grid: parts, heads of keys and values, sequences. */
template <typename T, int D>
__global__ void __launch_bounds__(THREADS)
    context(const T *qkv, const T *keys, const T *values, int n_tokens, int split_tokens,
            int n_heads, int n_kv_heads, float scale, float scale_log2, float *partials)
{
    DYNAMIC_SHARED(shared);
    T *q_tile = reinterpret_cast<T *>(shared);
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int group_size = n_heads / n_kv_heads, first_head = (int)blockIdx.y * group_size;
    const int first = (int)blockIdx.x * split_tokens;
    const int n_keys = min(split_tokens, n_tokens - first);
    const uint64_t of_cache =
        ((uint64_t)(blockIdx.z * n_kv_heads + blockIdx.y) * n_tokens + first) * D;
    T *stages = q_tile + (GROUP + warp * 4 * CHUNK) * PITCH<D>; /* keys, values; twice */

    auto copy_chunk = [&](int i) {
        const int start = (i * WARPS + warp) * CHUNK;
        T *stage = stages + i % 2 * 2 * CHUNK * PITCH<D>;
        if (start < n_keys) {
            const uint64_t from = of_cache + (uint64_t)start * D;
            copy_rows<T, D, CHUNK>(stage, keys + from, D, n_keys - start, lane, 32);
            copy_rows<T, D, CHUNK>(stage + CHUNK * PITCH<D>, values + from, D, n_keys - start, lane,
                                   32);
        }
        commit_copies();
    };

    copy_rows<T, D, GROUP>(
        q_tile, qkv + ((uint64_t)blockIdx.z * (n_heads + 2 * n_kv_heads) + first_head) * D, D,
        group_size, (int)threadIdx.x, THREADS);
    commit_copies();
    copy_chunk(0);
    wait_copies<1>();
    __syncthreads();

    uint32_t q[D / 16][4];
    running<D> r;
    load_queries<T, D>(q, q_tile, lane);
    r.clear();
    for (int i = 0; (i * WARPS + warp) * CHUNK < n_keys; i++) {
        copy_chunk(i + 1);
        wait_copies<1>();
        __syncwarp();
        const T *stage = stages + i % 2 * 2 * CHUNK * PITCH<D>;
        const int n_here = n_keys - (i * WARPS + warp) * CHUNK;
        float s[CHUNK / 8][4];
        score<T, D, CHUNK>(s, q, stage, lane);
#pragma unroll
        for (int j = 0; j < CHUNK / 8; j++)
#pragma unroll
            for (int k = 0; k < 4; k++)
                if (j * 8 + lane % 4 * 2 + k % 2 >= n_here)
                    s[j][k] = -INFINITY;
        weigh<D, CHUNK>(s, r, scale_log2);
        add_values<T, D, CHUNK>(r, s, stage + CHUNK * PITCH<D>, lane);
        __syncwarp(); /* before the stage is filled again */
    }
    wait_copies<0>();
    __syncthreads();

    /* Each warp's sums, greatest scores and weights, where tiles were. */
    float *merged = reinterpret_cast<float *>(shared);
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float *row = merged + (warp * GROUP + lane / 4 + half * 8) * (D + 2);
        const float sum = sum_of_row(r.sum[half]);
#pragma unroll
        for (int i = 0; i < D / 8; i++) {
            row[i * 8 + lane % 4 * 2] = r.values[i][2 * half];
            row[i * 8 + lane % 4 * 2 + 1] = r.values[i][2 * half + 1];
        }
        if (lane % 4 == 0) {
            row[D] = r.greatest[half];
            row[D + 1] = sum;
        }
    }
    __syncthreads();
    for (int i = (int)threadIdx.x; i < group_size * (D + 1); i += THREADS) {
        const int head = i / (D + 1), column = i % (D + 1);
        const float *rows = merged + head * (D + 2);
        constexpr int NEXT_WARP = GROUP * (D + 2);
        float greatest = -INFINITY, sum = 0;
        for (int w = 0; w < WARPS; w++)
            greatest = fmaxf(greatest, rows[w * NEXT_WARP + D]);
        const int source = column < D ? column : D + 1;
        for (int w = 0; w < WARPS; w++)
            sum += rows[w * NEXT_WARP + source] *
                   exp2f((rows[w * NEXT_WARP + D] - greatest) * scale_log2);
        float *to = partials + ((uint64_t)(blockIdx.z * n_heads + first_head + head) * gridDim.x +
                                blockIdx.x) *
                                   (D + 2);
        to[source] = sum;
        if (column == D)
            to[D] = greatest * scale;
    }
}

/* A block a head of a sequence, a thread an element. */
template <typename T> __global__ void combine(const float *partials, int n_splits, T *out)
{
    const int dim = (int)blockDim.x, d = (int)threadIdx.x;
    const float *parts = partials + (uint64_t)blockIdx.x * n_splits * (dim + 2);
    float greatest = -INFINITY, values = 0, weights = 0;
    for (int i = 0; i < n_splits; i++)
        greatest = fmaxf(greatest, parts[(uint64_t)i * (dim + 2) + dim]);
    for (int i = 0; i < n_splits; i++) {
        const float *part = parts + (uint64_t)i * (dim + 2);
        const float factor = __expf(part[dim] - greatest);
        values += factor * part[d];
        weights += factor * part[dim + 1];
    }
    out[(uint64_t)blockIdx.x * dim + d] = from_float<T>(values / weights);
}

} // namespace attention

#endif
