/* fuzz_profile.c: a profile of measured steps, and what is fitted to a small one. */
#include <math.h>

#include "fuzz.h"

#define MAX_ROWS 24 /* that are fitted: some hundred regressions each */

static void check_group(const struct llmsim_fit_group *group, bool fits)
{
    EXPECT(group->n_rows > 0 && group->key.tensor_parallel_size >= 1);
    for (size_t i = 0; i < group->n_rows; i++)
        EXPECT(group->rows[i].latency_s > 0 && isfinite(group->rows[i].latency_s));
    if (!fits || group->n_rows > MAX_ROWS)
        return;
    const struct llmsim_fit_sizes sizes = {1e9, 1e5};
    struct llmsim_fit_report report;
    struct llmsim_error err = {0};
    enum llmsim_status status = llmsim_fit_group_run(group, &sizes, &report, &err);
    if (status != LLMSIM_OK) {
        fuzz_check_error(status, &err);
        return;
    }
    for (size_t i = 0; i < LLMSIM_FIT_N_COEFFICIENTS; i++)
        EXPECT(report.coefficients[i].value >= 0 && isfinite(report.coefficients[i].value));
    for (size_t i = 0; i < group->n_rows; i++)
        EXPECT(isfinite(report.predicted_s[i]));
    llmsim_fit_report_fini(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    bool fits = fuzz_byte(&in) == 'f'; /* seldom: it takes a thousand times as long */
    const char *path = fuzz_file(0, in.data, in.size);
    struct llmsim_fit_profile profile;
    struct llmsim_error err = {0};
    enum llmsim_status status = llmsim_fit_profile_read(&path, 1, &profile, &err);
    if (status != LLMSIM_OK) {
        fuzz_check_error(status, &err);
        return 0;
    }
    EXPECT(profile.n_groups > 0);
    for (size_t i = 0; i < profile.n_groups; i++)
        check_group(&profile.groups[i], fits && i == 0);
    llmsim_fit_profile_close(&profile);
    return 0;
}
