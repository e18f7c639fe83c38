#include "numfmt.h"

#define ENTRY(a, b, c, last)                                                                       \
    {                                                                                              \
        '0' + (a), '0' + (b), '0' + (c), last                                                      \
    }
#define FULL(a, b, c) ENTRY(a, b, c, '\0')
/* Of one to three digits, filled up with any. */
#define SHORT1(a) ENTRY(a, 0, 0, 1)
#define SHORT2(a, b) ENTRY(a, b, 0, 2)
#define SHORT3(a, b, c) ENTRY(a, b, c, 3)

/* What begins with the digits in `...`, in order. */
#define TEN(F, ...)                                                                                \
    F(__VA_ARGS__, 0), F(__VA_ARGS__, 1), F(__VA_ARGS__, 2), F(__VA_ARGS__, 3), F(__VA_ARGS__, 4), \
        F(__VA_ARGS__, 5), F(__VA_ARGS__, 6), F(__VA_ARGS__, 7), F(__VA_ARGS__, 8),                \
        F(__VA_ARGS__, 9)
#define HUNDRED(F, a)                                                                              \
    TEN(F, a, 0), TEN(F, a, 1), TEN(F, a, 2), TEN(F, a, 3), TEN(F, a, 4), TEN(F, a, 5),            \
        TEN(F, a, 6), TEN(F, a, 7), TEN(F, a, 8), TEN(F, a, 9)
#define NINE_HUNDRED(F)                                                                            \
    HUNDRED(F, 1), HUNDRED(F, 2), HUNDRED(F, 3), HUNDRED(F, 4), HUNDRED(F, 5), HUNDRED(F, 6),      \
        HUNDRED(F, 7), HUNDRED(F, 8), HUNDRED(F, 9)

const char llmsim_3digits[1000][4] = {HUNDRED(FULL, 0), NINE_HUNDRED(FULL)};

const char llmsim_short_digits[1000][4] = {
    SHORT1(0),      SHORT1(1),      SHORT1(2),      SHORT1(3),      SHORT1(4),
    SHORT1(5),      SHORT1(6),      SHORT1(7),      SHORT1(8),      SHORT1(9),
    TEN(SHORT2, 1), TEN(SHORT2, 2), TEN(SHORT2, 3), TEN(SHORT2, 4), TEN(SHORT2, 5),
    TEN(SHORT2, 6), TEN(SHORT2, 7), TEN(SHORT2, 8), TEN(SHORT2, 9), NINE_HUNDRED(SHORT3),
};
