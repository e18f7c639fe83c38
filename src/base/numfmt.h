/* numfmt.h: numbers to text, without printf.
 *
 * Eight digits at a time inside one 64-bit register ("SWAR"): a row of requests.csv costs about a
 * hundred bytes of digits, and printf would take ten times what the simulation of that request
 * takes. Each function writes at `p`, needs the room that its comment names (it may write past the
 * returned end, inside that room), adds no NUL and returns the end. */
#ifndef LLMSIM_BASE_NUMFMT_H
#define LLMSIM_BASE_NUMFMT_H

#include <stdint.h>
#include <string.h>

/* The eight decimal digits of x < 10^8, most significant in the lowest byte, values 0 to 9. Each
 * line splits every lane in two: by 10^4, by 10^2 (÷100 as ×5243 >> 19), by 10 (÷10 as ×103 >> 10),
 * exact for the lanes' ranges. */
static inline uint64_t llmsim_digits8(uint32_t x)
{
    uint64_t v = (uint64_t)(x / 10000) | (uint64_t)(x % 10000) << 32;
    uint64_t hundreds = ((v * 5243) >> 19) & 0x0000007F0000007Full;
    v = hundreds | (v - hundreds * 100) << 16;
    uint64_t tens = ((v * 103) >> 10) & 0x000F000F000F000Full;
    return tens | (v - tens * 10) << 8;
}

static inline char *llmsim_store8(char *p, uint64_t digits)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    digits = __builtin_bswap64(digits);
#endif
    memcpy(p, &digits, 8);
    return p + 8;
}

/* Exactly 8 digits, leading zeros kept. Room: 8. */
static inline char *llmsim_put_8digits(char *p, uint32_t x)
{
    return llmsim_store8(p, llmsim_digits8(x) | 0x3030303030303030ull);
}

/* x < 10^8 without leading zeros. Room: 8. */
static inline char *llmsim_put_small(char *p, uint32_t x)
{
    uint64_t digits = llmsim_digits8(x);
    /* The last digit always stays, so the shift is at most 56. */
    unsigned skip = (unsigned)__builtin_ctzll(digits | 1ull << 56) & ~7u;
    llmsim_store8(p, (digits | 0x3030303030303030ull) >> skip);
    return p + 8 - skip / 8;
}

/* Any x. Room: 24. */
static inline char *llmsim_put_u64(char *p, uint64_t x)
{
    if (x < 100000000u)
        return llmsim_put_small(p, (uint32_t)x);
    p = llmsim_put_u64(p, x / 100000000u);
    return llmsim_put_8digits(p, (uint32_t)(x % 100000000u));
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
    uint32_t fraction = (uint32_t)(u % 1000000000u);
    /* Under three years, as a rule: said here so that no call is needed. */
    p = seconds < 100000000u ? llmsim_put_small(p, (uint32_t)seconds) : llmsim_put_u64(p, seconds);
    p[0] = '.';
    p[1] = (char)('0' + fraction / 100000000u);
    return llmsim_put_8digits(p + 2, fraction % 100000000u);
}

/* Millionths with 6 decimals, for ratios. Room: 32. */
static inline char *llmsim_put_millionths(char *p, uint64_t millionths)
{
    uint32_t fraction = (uint32_t)(millionths % 1000000u);
    p = llmsim_put_u64(p, millionths / 1000000u);
    /* 8 digits of which the first is overwritten by the point: ".0dddddd" would be one too many. */
    char digits[8];
    llmsim_put_8digits(digits, fraction);
    *p++ = '.';
    memcpy(p, digits + 2, 6);
    return p + 6;
}

#endif
