/* numfmt.h: numbers to text, without printf.
 *
 * A row of requests.csv holds a hundred digits, and printf would take ten times what the simulation
 * of that request takes. Three digits at a time, because their table fits the first-level cache
 * (4 KB) and its entries one load and one store, which takes a third of the instructions of eight
 * digits at a time in a register. Each function writes at `p`, needs the room that its comment
 * names (it may write past the returned end, inside that room), adds no NUL and returns the end. */
#ifndef LLMSIM_BASE_NUMFMT_H
#define LLMSIM_BASE_NUMFMT_H

#include <stdint.h>
#include <string.h>

/* "000" to "999", each with its NUL. */
extern const char llmsim_3digits[1000][4];

/* Exactly 3 digits of x < 1000. Room: 4. */
static inline char *llmsim_put_3digits(char *p, uint32_t x)
{
    memcpy(p, llmsim_3digits[x], 4);
    return p + 3;
}

/* x < 1000 without leading zeros. Room: 4. */
static inline char *llmsim_put_below_1000(char *p, uint32_t x)
{
    /* A shift, not an offset into the table: it stays inside the entry. */
    unsigned n_zeros = (unsigned)(x < 100) + (unsigned)(x < 10);
    uint32_t text;
    memcpy(&text, llmsim_3digits[x], 4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    text <<= 8 * n_zeros;
#else
    text >>= 8 * n_zeros;
#endif
    memcpy(p, &text, 4);
    return p + 3 - n_zeros;
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

/* Nanoseconds as seconds with 9 decimals. Room: 32. */
static inline char *llmsim_put_ns(char *p, int64_t ns)
{
    uint64_t u = (uint64_t)ns;
    if (ns < 0) {
        *p++ = '-';
        u = -u;
    }
    uint64_t seconds = u / 1000000000u;
    uint32_t fraction = (uint32_t)(u - seconds * 1000000000u);
    p = llmsim_put_u64(p, seconds);
    *p++ = '.';
    p = llmsim_put_3digits(p, fraction / 1000000);
    p = llmsim_put_3digits(p, fraction / 1000 % 1000);
    return llmsim_put_3digits(p, fraction % 1000);
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
