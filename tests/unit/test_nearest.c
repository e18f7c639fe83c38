/* Distances, and the nearest of several words. */
#include <criterion/criterion.h>

#include "llmsim/nearest.h"

Test(nearest, distance)
{
    cr_expect_eq(llmsim_edit_distance("", ""), 0);
    cr_expect_eq(llmsim_edit_distance("abc", ""), 3);
    cr_expect_eq(llmsim_edit_distance("", "abc"), 3);
    cr_expect_eq(llmsim_edit_distance("A6000", "a6000"), 0);
    cr_expect_eq(llmsim_edit_distance("kitten", "sitting"), 3);
}

Test(nearest, the_first_of_the_nearest)
{
    struct llmsim_nearest nearest = {.typed = "polcy"};
    llmsim_nearest_offer(&nearest, "max-num-seqs");
    cr_expect_null(nearest.word);
    llmsim_nearest_offer(&nearest, "polity");
    cr_expect_str_eq(nearest.word, "polity");
    llmsim_nearest_offer(&nearest, "policy");
    cr_expect_str_eq(nearest.word, "policy");
    cr_expect_eq(nearest.n_edits, 1);
    llmsim_nearest_offer(&nearest, "polcyx");
    cr_expect_str_eq(nearest.word, "policy");
}

Test(nearest, not_too_far)
{
    struct llmsim_nearest nearest = {.typed = "abcd"};
    llmsim_nearest_offer(&nearest, "wxyz");
    cr_expect_null(nearest.word);
    llmsim_nearest_offer(&nearest, "axyz");
    cr_expect_str_eq(nearest.word, "axyz");
}
