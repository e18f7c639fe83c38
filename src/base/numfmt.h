/* numfmt.h: numbers to text, without printf.
 *
 * A row of requests.csv holds a hundred digits, and printf would take ten times what the simulation
 * of that request takes. Three digits at a time, because their tables fit the first-level cache
 * (4 KB each) and an entry is one load and one store, which takes a third of the instructions of
 * eight digits at a time in a register. Each function writes at `p`, needs the room that its
 * comment names (it may write past the returned end, inside that room), adds no NUL and returns the
 * end. */
#ifndef LLMSIM_BASE_NUMFMT_H
#define LLMSIM_BASE_NUMFMT_H

#include <stdint.h>
#include <string.h>

/* "000" to "999", each with its NUL. */
extern const char llmsim_3digits[1000][4];
/* "0" to "999", each with its length as the last byte. */
extern const char llmsim_short_digits[1000][4];

/* Exactly 3 digits of x < 1000. Room: 4. */
static inline char *llmsim_put_3digits(char *p, uint32_t x)
{
    memcpy(p, llmsim_3digits[x], 4);
    return p + 3;
}

/* x < 1000 without leading zeros. Room: 4. */
static inline char *llmsim_put_below_1000(char *p, uint32_t x)
{
    memcpy(p, llmsim_short_digits[x], 4);
    return p + llmsim_short_digits[x][3];
}

/* Any x. Room: 24. */
static inline char *llmsim_put_u64(char *p, uint64_t x)
{
    if (x < 1000)
        return llmsim_put_below_1000(p, (uint32_t)x);
    if (x < 1000000) {
        p = llmsim_put_below_1000(p, (uint32_t)x / 1000);
        return llmsim_put_3digits(p, (uint32_t)x % 1000);
    }
    p = llmsim_put_u64(p, x / 1000000);
    p = llmsim_put_3digits(p, (uint32_t)(x % 1000000) / 1000);
    return llmsim_put_3digits(p, (uint32_t)(x % 1000));
}

/* Nanoseconds as seconds with 9 decimals. Room: 32.
 *
 * One product with 2^93/10^9, rounded up, is the time in seconds as a binary fraction: less than
 * 2^-30 s too much, so its first nine decimals are right. Each further product takes three of them
 * out of the fraction, without a division or a remainder. */
static inline char *llmsim_put_ns(char *p, int64_t ns)
{
    __extension__ typedef unsigned __int128 u128;
    uint64_t u = (uint64_t)ns;
    if (ns < 0) {
        *p++ = '-';
        u = (uint64_t)(-(ns + 1)) + 1; /* the least number has no negative */
    }
    u128 product = (u128)u * UINT64_C(9903520314283042200);
    uint64_t fraction = (uint64_t)(product >> 29) + 1; /* 1: the bits that are cut off */
    p = llmsim_put_u64(p, (uint64_t)(product >> 93));
    *p++ = '.';
    for (int i = 0; i < 3; i++) {
        product = (u128)fraction * 1000;
        fraction = (uint64_t)product;
        p = llmsim_put_3digits(p, (uint32_t)(product >> 64));
    }
    return p;
}

/* Millionths with 6 decimals, for ratios. Room: 32. */
static inline char *llmsim_put_millionths(char *p, uint64_t millionths)
{
    uint32_t fraction = (uint32_t)(millionths % 1000000u);
    p = llmsim_put_u64(p, millionths / 1000000u);
    *p++ = '.';
    p = llmsim_put_3digits(p, fraction / 1000);
    return llmsim_put_3digits(p, fraction % 1000);
}

#endif
