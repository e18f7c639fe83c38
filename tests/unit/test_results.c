/* rejects.csv, for rows that are longer than a piece of what is written at once. */
#include <criterion/criterion.h>

#include "llmsim/llmsim.h"
#include "support/collect.h"
#include "support/files.h"

Test(results, a_long_rejected_row)
{
    char *dir = scratch_dir();
    size_t n = LLMSIM_MAX_ROW_BYTES, length;
    char *row = malloc(n);
    struct llmsim_replay_config config = {.cost = easy_cost()};
    struct llmsim_model model = {.name = "m"};
    struct llmsim_gpu gpu = {.name = "g"};
    struct llmsim_run_description description = {
        .config = &config, .model = &model, .gpu = &gpu, .trace_name = "t"};
    struct llmsim_results *results;
    struct llmsim_error err;
    cr_assert_eq(llmsim_results_open(&(struct llmsim_results_options){.dir = dir}, &description,
                                     &results, &err),
                 LLMSIM_OK, "%s", err.message);
    memset(row, '"', n);
    memset(row, 'x', 9);
    cr_assert_eq(llmsim_results_reject(
                     results,
                     &(struct llmsim_trace_reject){
                         .line = 7, .column = 2, .reason = "a \"b\"", .row = row, .row_length = n},
                     &err),
                 LLMSIM_OK);
    cr_assert_eq(llmsim_results_commit(results, &err), LLMSIM_OK, "%s", err.message);
    llmsim_results_close(results);

    static const char start[] = "line,column,reason,row\n7,2,\"a \"\"b\"\"\",\"xxxxxxxxx";
    size_t n_start = sizeof start - 1, n_quotes = 2 * (n - 9);
    char *text = read_text(dir, "rejects.csv", &length);
    cr_assert_eq(length, n_start + n_quotes + 2);
    cr_expect_eq(memcmp(text, start, n_start), 0);
    cr_expect_eq(strspn(text + n_start, "\""), n_quotes + 1);
    cr_expect_eq(text[length - 1], '\n');
    free(text);
    free(row);
    remove_dir(dir);
}
