/* Rows by name. */
#include <criterion/criterion.h>

#include "llmsim/choice.h"

static const struct llmsim_choice *row(size_t i)
{
    static const struct llmsim_choice rows[] = {{"one", "1"}, {"two", "2"}, {"three", "3"}};
    return i < 3 ? &rows[i] : NULL;
}

static const struct llmsim_choice *no_row(size_t i)
{
    (void)i;
    return NULL;
}

Test(choice, find)
{
    size_t i;
    cr_expect(llmsim_choice_find(row, "one", &i) && i == 0);
    cr_expect(llmsim_choice_find(row, "three", &i) && i == 2);
    cr_expect(llmsim_choice_find(row, NULL, &i) && i == 0);
    cr_expect(!llmsim_choice_find(row, "tw", &i));
    cr_expect(!llmsim_choice_find(row, "", &i));
    cr_expect(!llmsim_choice_find(no_row, NULL, &i));
}

Test(choice, names)
{
    char text[16];
    cr_expect_str_eq(llmsim_choice_names(row, text, sizeof text), "one, two, three");
    cr_expect_str_eq(llmsim_choice_names(row, text, 8), "one, tw");
    cr_expect_str_eq(llmsim_choice_names(no_row, text, sizeof text), "");
}
