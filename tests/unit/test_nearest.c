/* Distances, and the nearest of several words. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

/* A word of 20 MB is as far from all others as it is long, and that is soon said. */
Test(nearest, a_very_long_word)
{
    enum { N = 20000000 };
    char *word = malloc(N + 1);
    cr_assert_not_null(word);
    memset(word, 'x', N);
    word[N] = '\0';
    struct llmsim_nearest nearest = {.typed = word};
    clock_t begin = clock();
    cr_expect_eq(llmsim_edit_distance(word, "max-num-batched-tokens"), N);
    for (int i = 0; i < 50; i++)
        llmsim_nearest_offer(&nearest, "max-num-batched-tokens");
    cr_expect_null(nearest.word);
    double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    cr_expect_lt(seconds, 5, "%g s", seconds); /* by its characters: over a minute */
    free(word);
}
