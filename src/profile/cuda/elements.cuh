/* elements.cuh: the two 16-bit formats, and how memory is read 16 bytes at a time. */
#ifndef LLMSIM_PROFILE_ELEMENTS_CUH
#define LLMSIM_PROFILE_ELEMENTS_CUH

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

using bf16 = __nv_bfloat16;
using fp16 = __half;

__device__ inline float to_float(bf16 x)
{
    return __bfloat162float(x);
}

__device__ inline float to_float(fp16 x)
{
    return __half2float(x);
}

template <typename T> __device__ inline T from_float(float x);

template <> __device__ inline bf16 from_float<bf16>(float x)
{
    return __float2bfloat16_rn(x);
}

template <> __device__ inline fp16 from_float<fp16>(float x)
{
    return __float2half_rn(x);
}

/* Two elements in 32 bits, the first in the lower half. */
template <typename T> __device__ inline uint32_t pack(float first, float second)
{
    union {
        T elements[2];
        uint32_t word;
    } u;
    u.elements[0] = from_float<T>(first);
    u.elements[1] = from_float<T>(second);
    return u.word;
}

/* One load or store of 16 bytes. */
constexpr int VECTOR = 8;
template <typename T> struct alignas(16) vector {
    T element[VECTOR];
};

template <typename T> __device__ inline vector<T> load_vector(const T *from)
{
    return *reinterpret_cast<const vector<T> *>(from);
}

template <typename T> __device__ inline void store_vector(T *to, const vector<T> &v)
{
    *reinterpret_cast<vector<T> *>(to) = v;
}

#endif
