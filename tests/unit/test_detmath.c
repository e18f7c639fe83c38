/* Our log, exp and sin against the C library's. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdint.h>

#include "detmath.h"

/* Numbers spread over all magnitudes; any generator will do. */
static double next_number(uint64_t *state, double low, double high)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return low + (high - low) * ((double)(*state >> 11) * 0x1p-53);
}

Test(detmath, log_is_libms_to_1e_15)
{
    uint64_t state = 1;
    for (int i = 0; i < 1000000; i++) {
        double x = exp2(next_number(&state, -1022, 1023));
        if (i % 2 == 0)
            x = next_number(&state, 0.5, 2); /* where cancellation would show */
        cr_assert(fabs(llmsim_log(x) - log(x)) <= 1e-15 * fabs(log(x)), "log(%.17g) = %.17g", x,
                  llmsim_log(x));
    }
    cr_expect(llmsim_log(1) <= 0 && llmsim_log(1) >= 0);
}

Test(detmath, exp_is_libms_to_1e_15)
{
    uint64_t state = 2;
    for (int i = 0; i < 1000000; i++) {
        double x = next_number(&state, -708, 709);
        if (i % 2 == 0)
            x = next_number(&state, -1, 1);
        cr_assert(fabs(llmsim_exp(x) - exp(x)) <= 1e-15 * exp(x), "exp(%.17g) = %.17g", x,
                  llmsim_exp(x));
    }
    cr_expect(llmsim_exp(0) >= 1 && llmsim_exp(0) <= 1);
    cr_expect(llmsim_exp(-1e9) <= 0 && llmsim_exp(1e9) >= DBL_MAX);
}

Test(detmath, sin_is_libms_to_1e_15)
{
    uint64_t state = 3;
    for (int i = 0; i < 1000000; i++) {
        double turns = next_number(&state, -1, 1); /* libm's own argument is exact enough here */
        cr_assert(fabs(llmsim_sin_turns(turns) - sin(2 * M_PI * turns)) <= 1e-15, "sin(2 pi %.17g)",
                  turns);
    }
    /* Whole turns change nothing, a quarter turn is the top. */
    for (double whole = -1e6; whole <= 1e6; whole += 1e5) {
        cr_expect(fabs(llmsim_sin_turns(whole)) <= 0);
        cr_expect(fabs(llmsim_sin_turns(whole + 0.25) - 1) <= 1e-15);
        cr_expect(fabs(llmsim_sin_turns(whole - 0.25) + 1) <= 1e-15);
    }
}
