/* emulated_gpu.h: enough of a GPU to run the profilers' kernels on the CPU.
 *
 * Each thread of a block is a fiber; they change only where a thread waits for its warp or its
 * block. Who goes on first is the test's to choose, and so is when an asynchronous copy lands: at
 * once, or not before somebody waits for it. So a kernel that lacks a barrier or a wait computes
 * something else in one of the cases. */
#ifndef LLMSIM_TESTS_EMULATED_GPU_H
#define LLMSIM_TESTS_EMULATED_GPU_H

#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

#include "half.h"

/* ---- the language ---- */

#define __global__
#define __device__
#define __shared__ static /* blocks run one after the other */
#define __launch_bounds__(n)

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
    {
    }
};

struct alignas(16) uint4 {
    uint32_t x, y, z, w;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
inline float4 make_float4(float x, float y, float z, float w)
{
    return {x, y, z, w};
}

template <int Dtype> struct emulated_half {
    uint16_t bits;
};
using __nv_bfloat16 = emulated_half<LLMSIM_BFLOAT16>;
using __half = emulated_half<LLMSIM_FLOAT16>;

inline float __bfloat162float(__nv_bfloat16 x)
{
    return llmsim_half_to_float(x.bits, LLMSIM_BFLOAT16);
}
inline float __half2float(__half x)
{
    return llmsim_half_to_float(x.bits, LLMSIM_FLOAT16);
}
inline __nv_bfloat16 __float2bfloat16_rn(float x)
{
    return {llmsim_bf16_from_float(x)};
}
inline __half __float2half_rn(float x)
{
    return {llmsim_fp16_from_float(x)};
}
inline float rsqrtf(float x)
{
    return 1 / std::sqrt(x);
}
inline float __expf(float x)
{
    return std::exp(x);
}
using std::min;

/* ---- threads ---- */

namespace emulated
{

constexpr int WARP = 32;
constexpr size_t STACK_BYTES = 96 << 10;
constexpr int SLOTS = 2; /* an exchange is read before the next but one is written */

struct barrier {
    int wanted = 0, arrived = 0;
    uint64_t generation = 0;
};

struct copy {
    void *to;
    unsigned char bytes[16];
};

struct thread {
    ucontext_t context;
    std::vector<unsigned char> stack;
    barrier *waits_for = nullptr;
    uint64_t generation = 0;
    bool ended = false;
    uint64_t n_exchanges = 0;
    std::vector<std::vector<copy>> groups; /* of asynchronous copies; the last is not committed */
};

/* What a lane shows the others of its warp. */
union shown {
    uint32_t words[10];
    float numbers[10];
    const void *address;
};

struct block {
    std::vector<thread> threads;
    std::vector<barrier> warps;
    barrier all;
    std::vector<shown> exchange[SLOTS];
    std::function<void()> kernel;
    ucontext_t scheduler;
    int current = 0;
};

inline block *running; /* the test has one thread */
inline dim3 block_index, grid_size, block_size;
inline bool copies_land_late, last_thread_first;
alignas(256) inline unsigned char dynamic_shared[256 << 10];

inline thread &self()
{
    return running->threads[(size_t)running->current];
}

inline int lane()
{
    return running->current % WARP;
}

inline void wait(barrier &b)
{
    thread &t = self();
    if (++b.arrived == b.wanted) {
        b.arrived = 0;
        b.generation++;
        return;
    }
    t.waits_for = &b;
    t.generation = b.generation;
    swapcontext(&t.context, &running->scheduler);
}

inline void sync_warp()
{
    wait(running->warps[(size_t)(running->current / WARP)]);
}

/* Show `mine` to the warp; what lane i shows is exchanged(slot, i). */
inline size_t show(const shown &mine)
{
    const size_t slot = self().n_exchanges++ % SLOTS;
    running->exchange[slot][(size_t)running->current] = mine;
    sync_warp();
    return slot;
}

inline const shown &exchanged(size_t slot, int of_lane)
{
    return running->exchange[slot][(size_t)(running->current - lane() + of_lane)];
}

inline void begin_thread()
{
    running->kernel();
    self().ended = true;
    swapcontext(&self().context, &running->scheduler);
}

/* The first thread, from either end, that waits for nothing. */
inline bool run_one(block &b)
{
    const int n = (int)b.threads.size();
    for (int k = 0; k < n; k++) {
        const int i = last_thread_first ? n - 1 - k : k;
        thread &t = b.threads[(size_t)i];
        if (t.ended || (t.waits_for != nullptr && t.waits_for->generation == t.generation))
            continue;
        t.waits_for = nullptr;
        b.current = i;
        swapcontext(&b.scheduler, &t.context);
        return true;
    }
    return false;
}

inline void run_block(block &b)
{
    const size_t n = b.threads.size();
    b.warps.assign((n + WARP - 1) / WARP, barrier());
    for (size_t i = 0; i < b.warps.size(); i++)
        b.warps[i].wanted = (int)std::min((size_t)WARP, n - i * WARP);
    b.all = barrier();
    b.all.wanted = (int)n;
    for (thread &t : b.threads) {
        t.waits_for = nullptr;
        t.ended = false;
        t.n_exchanges = 0;
        t.groups.assign(1, {});
        getcontext(&t.context);
        t.context.uc_stack.ss_sp = t.stack.data();
        t.context.uc_stack.ss_size = t.stack.size();
        t.context.uc_link = nullptr;
        makecontext(&t.context, begin_thread, 0);
    }
    std::memset(dynamic_shared, 0xff, sizeof dynamic_shared); /* NaN */
    while (run_one(b)) {
    }
    for (const thread &t : b.threads)
        if (!t.ended) {
            (void)std::fprintf(stderr, "threads of a block wait for each other\n");
            std::abort();
        }
}

template <typename Kernel> void run_grid(dim3 grid, unsigned threads, Kernel kernel)
{
    block b;
    b.threads.resize(threads);
    for (thread &t : b.threads)
        t.stack.resize(STACK_BYTES);
    for (std::vector<shown> &slot : b.exchange)
        slot.resize(threads);
    b.kernel = kernel;
    running = &b;
    grid_size = grid;
    block_size = dim3(threads);
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x; x++) {
                block_index = dim3(x, y, z);
                run_block(b);
            }
    running = nullptr;
}

} // namespace emulated

#define threadIdx (dim3((unsigned)emulated::running->current, 0, 0))
#define blockIdx emulated::block_index
#define gridDim emulated::grid_size
#define blockDim emulated::block_size

inline void __syncthreads()
{
    emulated::wait(emulated::running->all);
}

inline void __syncwarp()
{
    emulated::sync_warp();
}

inline float __shfl_xor_sync(uint32_t, float mine, int distance)
{
    emulated::shown shown;
    shown.numbers[0] = mine;
    size_t slot = emulated::show(shown);
    return emulated::exchanged(slot, emulated::lane() ^ distance).numbers[0];
}

inline uint32_t __shfl_xor_sync(uint32_t, uint32_t mine, int distance)
{
    emulated::shown shown;
    shown.words[0] = mine;
    size_t slot = emulated::show(shown);
    return emulated::exchanged(slot, emulated::lane() ^ distance).words[0];
}

inline void atomicAdd(uint32_t *to, uint32_t value)
{
    *to += value;
}

#endif
