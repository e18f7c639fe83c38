/* Names in a hash table: found whatever their case, and refused a second time. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "name_table.h"

Test(name_table, finds_names)
{
    enum { N = 5000 };
    static char names[N][16];
    static const int values[N];
    struct llmsim_name_table table = {.slots = NULL};
    cr_expect_null(llmsim_name_table_find(&table, "a"));
    cr_assert(llmsim_name_table_init(&table, N));
    for (size_t i = 0; i < N; i++) {
        (void)snprintf(names[i], sizeof names[i], "Name-%zu", i);
        cr_assert_null(llmsim_name_table_add(&table, names[i], &values[i]));
    }
    for (size_t i = 0; i < N; i++) {
        char other_case[16];
        (void)snprintf(other_case, sizeof other_case, "nAmE-%zu", i);
        const struct llmsim_named *found = llmsim_name_table_find(&table, other_case);
        cr_assert_not_null(found);
        cr_expect(found->name == names[i] && found->value == &values[i]);
        cr_expect_eq(llmsim_name_table_add(&table, other_case, NULL), found);
    }
    cr_expect_null(llmsim_name_table_find(&table, "Name-5000"));
    cr_expect_null(llmsim_name_table_find(&table, ""));
    llmsim_name_table_fini(&table);
    llmsim_name_table_fini(&table);
}
