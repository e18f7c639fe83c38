/* spill.h: what comes back is each track's bytes, in order, whatever the pieces were. */
#include <criterion/criterion.h>

#include "spill.h"
#include "support/files.h"
#include "support/random_case.h"

#define N_TRACKS 5

Test(spill, tracks_come_back_whole)
{
    char *dir = scratch_dir(), path[512], piece[40000];
    char *expected[N_TRACKS];
    size_t lengths[N_TRACKS] = {0};
    struct llmsim_spill *spill;
    struct llmsim_output out;
    uint64_t state = 1;
    (void)snprintf(path, sizeof path, "%s/file", dir);
    for (size_t t = 0; t < N_TRACKS; t++)
        expected[t] = malloc(200 * sizeof piece);
    cr_assert_eq(llmsim_spill_create(path, &spill, NULL), LLMSIM_OK);
    cr_expect_neq(access(path, F_OK), 0, "it has no name");
    for (int i = 0; i < 200; i++) {
        uint64_t t = case_random(&state, N_TRACKS);
        size_t n = (size_t)case_random(&state, case_random(&state, 4) == 0 ? sizeof piece : 50);
        for (size_t k = 0; k < n; k++)
            piece[k] = (char)('a' + case_random(&state, 26));
        memcpy(expected[t] + lengths[t], piece, n);
        lengths[t] += n;
        cr_assert_eq(llmsim_spill_append(spill, t << 40, piece, n, NULL), LLMSIM_OK);
    }
    cr_assert_eq(llmsim_output_open(&out, path, LLMSIM_COMPRESS_NONE, NULL), LLMSIM_OK);
    cr_assert_eq(llmsim_spill_copy(spill, &out, NULL), LLMSIM_OK);
    cr_assert_eq(llmsim_output_commit(&out, NULL), LLMSIM_OK);
    llmsim_output_close(&out);
    llmsim_spill_destroy(spill);

    size_t length, at = 0;
    char *text = read_file(path, &length);
    for (size_t t = 0; t < N_TRACKS; t++) {
        cr_assert_leq(at + lengths[t], length);
        cr_expect_eq(memcmp(text + at, expected[t], lengths[t]), 0, "track %zu", t);
        at += lengths[t];
        free(expected[t]);
    }
    cr_expect_eq(at, length);
    free(text);
    remove_dir(dir);
}

Test(spill, nothing)
{
    char *dir = scratch_dir(), path[512];
    struct llmsim_spill *spill;
    struct llmsim_output out;
    size_t length;
    (void)snprintf(path, sizeof path, "%s/file", dir);
    cr_assert_eq(llmsim_spill_create("/no/such/place/file", &spill, NULL), LLMSIM_OK,
                 "the system has another place");
    cr_assert_eq(llmsim_output_open(&out, path, LLMSIM_COMPRESS_NONE, NULL), LLMSIM_OK);
    cr_assert_eq(llmsim_spill_copy(spill, &out, NULL), LLMSIM_OK);
    cr_assert_eq(llmsim_output_commit(&out, NULL), LLMSIM_OK);
    llmsim_output_close(&out);
    llmsim_spill_destroy(spill);
    free(read_file(path, &length));
    cr_expect_eq(length, 0);
    remove_dir(dir);
}
