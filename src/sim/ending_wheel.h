/* ending_wheel.h: which running requests end at which decode step.
 *
 * All running requests share one step counter, so the next completion is a lookup by a small
 * integer: a hashed timing wheel (Varghese and Lauck 1987) of LLMSIM_WHEEL_STEPS buckets, each a
 * list of slots, with a bitmap of those that are not empty. Put and find cost a few instructions
 * without an unpredictable branch, where a heap of 256 requests lost 5 to 8 of them a request
 * (docs/performance.md). A request that ends further ahead than the wheel is round shares a bucket
 * with earlier steps: the engine then stops there, finds it not due, and goes on, which splits a
 * run in two and changes no result. */
#ifndef LLMSIM_SIM_ENDING_WHEEL_H
#define LLMSIM_SIM_ENDING_WHEEL_H

#include <stdint.h>

/* 64 words of 64 bits, and one word that tells which are not 0. */
#define LLMSIM_WHEEL_STEPS 4096u
#define LLMSIM_NO_SLOT UINT32_MAX

struct ending_wheel {
    uint32_t heads[LLMSIM_WHEEL_STEPS]; /* valid where the bit is set */
    uint64_t occupied[LLMSIM_WHEEL_STEPS / 64];
    uint64_t occupied_words;
};

/* Slot `slot` ends at decode step `step`; returns what stands behind it in the bucket's list, for
 * the caller to keep. */
static inline uint32_t llmsim_wheel_put(struct ending_wheel *wheel, uint64_t step, uint32_t slot)
{
    uint32_t bucket = (uint32_t)step % LLMSIM_WHEEL_STEPS;
    uint64_t bit = 1ull << bucket % 64;
    uint32_t head = wheel->heads[bucket];
    uint32_t next = wheel->occupied[bucket / 64] & bit ? head : LLMSIM_NO_SLOT;
    wheel->heads[bucket] = slot;
    wheel->occupied[bucket / 64] |= bit;
    wheel->occupied_words |= 1ull << bucket / 64;
    return next;
}

/* Empty the bucket of `step` and return its list, the latest first. */
static inline uint32_t llmsim_wheel_take(struct ending_wheel *wheel, uint64_t step)
{
    uint32_t bucket = (uint32_t)step % LLMSIM_WHEEL_STEPS;
    uint64_t bit = 1ull << bucket % 64;
    if (!(wheel->occupied[bucket / 64] & bit))
        return LLMSIM_NO_SLOT;
    wheel->occupied[bucket / 64] &= ~bit;
    if (wheel->occupied[bucket / 64] == 0)
        wheel->occupied_words &= ~(1ull << bucket / 64);
    return wheel->heads[bucket];
}

/* Steps from `step` (excluded) to the next bucket that is not empty: 1 to LLMSIM_WHEEL_STEPS. The
 * wheel must not be empty. */
static inline uint32_t llmsim_wheel_distance(const struct ending_wheel *wheel, uint64_t step)
{
    uint32_t from = (uint32_t)(step + 1) % LLMSIM_WHEEL_STEPS;
    uint32_t word = from / 64;
    uint64_t bits = wheel->occupied[word] >> from % 64;
    if (bits != 0)
        return 1 + (uint32_t)__builtin_ctzll(bits);
    uint64_t later = wheel->occupied_words & ~(UINT64_MAX >> (63 - word));
    word = (uint32_t)__builtin_ctzll(later != 0 ? later : wheel->occupied_words);
    uint32_t bucket = 64 * word + (uint32_t)__builtin_ctzll(wheel->occupied[word]);
    return 1 + (bucket + LLMSIM_WHEEL_STEPS - from) % LLMSIM_WHEEL_STEPS;
}

#endif
