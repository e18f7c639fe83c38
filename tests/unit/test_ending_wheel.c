/* The timing wheel against a plain list of what it holds. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "ending_wheel.h"

static struct ending_wheel wheel;

Test(wheel, nearest_of_two)
{
    wheel = (struct ending_wheel){0};
    cr_assert_eq(llmsim_wheel_put(&wheel, 10, 1), LLMSIM_NO_SLOT);
    cr_assert_eq(llmsim_wheel_put(&wheel, 7, 2), LLMSIM_NO_SLOT);
    cr_assert_eq(llmsim_wheel_distance(&wheel, 3), 4);
    cr_assert_eq(llmsim_wheel_distance(&wheel, 7), 3);
    cr_assert_eq(llmsim_wheel_take(&wheel, 7), 2);
    cr_assert_eq(llmsim_wheel_distance(&wheel, 3), 7);
}

Test(wheel, a_bucket_is_a_list_the_latest_first)
{
    wheel = (struct ending_wheel){0};
    cr_assert_eq(llmsim_wheel_put(&wheel, 5, 8), LLMSIM_NO_SLOT);
    cr_assert_eq(llmsim_wheel_put(&wheel, 5 + LLMSIM_WHEEL_STEPS, 9), 8);
    cr_assert_eq(llmsim_wheel_take(&wheel, 5), 9);
    cr_assert_eq(llmsim_wheel_take(&wheel, 5), LLMSIM_NO_SLOT);
}

/* All by itself in the bucket of `step`: a whole turn away. */
Test(wheel, a_whole_turn)
{
    wheel = (struct ending_wheel){0};
    cr_assert_eq(llmsim_wheel_put(&wheel, 64, 0), LLMSIM_NO_SLOT);
    cr_assert_eq(llmsim_wheel_distance(&wheel, 64), LLMSIM_WHEEL_STEPS);
}

/* Distances from every position with one, two and many buckets taken, by search. */
Test(wheel, distance_equals_a_search)
{
    static bool taken[LLMSIM_WHEEL_STEPS];
    unsigned state = 1;
    for (int round = 0; round < 200; round++) {
        wheel = (struct ending_wheel){0};
        for (size_t i = 0; i < LLMSIM_WHEEL_STEPS; i++)
            taken[i] = false;
        for (int i = 0; i < 1 + round / 4; i++) {
            state = state * 1103515245u + 12345u;
            uint64_t step = state >> 8;
            taken[step % LLMSIM_WHEEL_STEPS] = true;
            (void)llmsim_wheel_put(&wheel, step, (uint32_t)i);
        }
        for (uint64_t step = 100000; step < 100000 + LLMSIM_WHEEL_STEPS; step++) {
            uint32_t distance = 1;
            while (!taken[(step + distance) % LLMSIM_WHEEL_STEPS])
                distance++;
            cr_assert_eq(llmsim_wheel_distance(&wheel, step), distance);
        }
    }
}
