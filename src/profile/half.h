/* half.h: the two 16-bit formats as floats, on the CPU. */
#ifndef LLMSIM_PROFILE_HALF_H
#define LLMSIM_PROFILE_HALF_H

#include <stdint.h>
#include <string.h>

#include "llmsim/device.h"

static inline float llmsim_bits_to_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t llmsim_float_to_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* fp16: 5 bits of exponent, 10 of fraction. A subnormal one is fraction · 2^-24. */
static inline float llmsim_fp16_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000U) << 16, exponent = half >> 10 & 31U;
    uint32_t fraction = half & 0x3ffU;
    if (exponent == 31)
        return llmsim_bits_to_float(sign | 0x7f800000U | fraction << 13);
    if (exponent > 0)
        return llmsim_bits_to_float(sign | (exponent + 112) << 23 | fraction << 13);
    float small = (float)fraction * 0x1p-24F;
    return sign != 0 ? -small : small;
}

static inline float llmsim_half_to_float(uint16_t half, enum llmsim_dtype dtype)
{
    return dtype == LLMSIM_BFLOAT16 ? llmsim_bits_to_float((uint32_t)half << 16)
                                    : llmsim_fp16_to_float(half);
}

/* Half of the last place that stays, less one where that place is even: to the nearest, ties to
 * even. NaN stays NaN. */
static inline uint16_t llmsim_bf16_from_float(float value)
{
    uint32_t bits = llmsim_float_to_bits(value);
    if (value != value)
        return 0x7fff;
    return (uint16_t)((bits + 0x7fffU + (bits >> 16 & 1)) >> 16);
}

static inline uint16_t llmsim_fp16_from_float(float value)
{
    uint32_t bits = llmsim_float_to_bits(value), sign = bits >> 16 & 0x8000U;
    float size = value < 0 ? -value : value;
    if (value != value)
        return 0x7fff;
    if (size >= 65520.0F)
        return (uint16_t)(sign | 0x7c00U);
    if (size < 0x1p-14F) /* adding 0.5 leaves 2^-24 as the last place, and rounds */
        return (uint16_t)(sign | (llmsim_float_to_bits(size + 0.5F) & 0x7fffU));
    bits &= 0x7fffffffU;
    return (uint16_t)(sign | (((bits + 0xfffU + (bits >> 13 & 1)) >> 13) - (112U << 10)));
}

static inline uint16_t llmsim_half_from_float(float value, enum llmsim_dtype dtype)
{
    return dtype == LLMSIM_BFLOAT16 ? llmsim_bf16_from_float(value) : llmsim_fp16_from_float(value);
}

#endif
