/* fuzz_spec.c: the spec of a sweep. */
#include "fuzz.h"

static const char *key_name(void *ctx, size_t i)
{
    static const char *const names[] = {"model", "gpu",        "max-num-seqs", "policy",
                                        "trace", "rate-scale", "steps",        NULL};
    (void)ctx;
    return names[i];
}

static enum llmsim_status check_value(void *ctx, const char *name, const char *value,
                                      struct llmsim_error *err)
{
    (void)ctx;
    if (strcmp(name, "max-num-seqs") == 0 && strspn(value, "0123456789") != strlen(value))
        return llmsim_fail(err, LLMSIM_USAGE, "'%s': expected a whole number", value);
    return LLMSIM_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct llmsim_grid_keys keys = {NULL, key_name, check_value};
    struct llmsim_grid *grid;
    struct llmsim_error err = {0};
    EXPECT(llmsim_grid_create(&grid, &err) == LLMSIM_OK);
    enum llmsim_status status = llmsim_grid_load(grid, fuzz_file(0, data, size), &keys, &err);
    if (status != LLMSIM_OK)
        fuzz_check_error(status, &err);
    uint64_t n_points = llmsim_grid_n_points(grid);
    EXPECT(n_points <= LLMSIM_MAX_POINTS);
    for (uint64_t k = 0; status == LLMSIM_OK && k < 16; k++)
        for (size_t i = 0; i < llmsim_grid_n_settings(grid); i++) {
            const char *value = llmsim_grid_value(grid, k * (n_points - 1) / 15, i);
            EXPECT(value != NULL || !llmsim_grid_is_fixed(grid, i));
            EXPECT(value == NULL ||
                   check_value(NULL, llmsim_grid_name(grid, i), value, NULL) == LLMSIM_OK);
        }
    llmsim_grid_destroy(grid);
    return 0;
}
