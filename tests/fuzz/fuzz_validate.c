/* fuzz_validate.c: a measured run, simulated by both engines under settings that the first three
 * bytes choose: the same latencies, and comparisons that are numbers. */
#include <math.h>

#include "fuzz.h"
#include "support/random_case.h"

/* Token counts that the step engine is done with in no time. Those with a prefix keep theirs. */
static bool bound_tokens(struct llmsim_measured_run *run)
{
    for (size_t i = 0; i < run->n; i++) {
        struct llmsim_request *r = &run->requests[i];
        EXPECT(r->row == i && r->prompt_tokens <= LLMSIM_MAX_TOKENS);
        EXPECT(i == 0 || r->arrival_ns >= run->requests[i - 1].arrival_ns);
        if (r->prefix == LLMSIM_NO_PREFIX)
            r->prompt_tokens %= 301;
        else if (r->prompt_tokens > 5000)
            return false;
        r->output_tokens %= 41;
    }
    return true;
}

static void compare(const struct llmsim_measured_run *run, const struct llmsim_latencies *simulated)
{
    for (size_t metric = 0; metric < LLMSIM_N_METRICS; metric++) {
        struct llmsim_comparison c;
        const struct llmsim_span span = {0, run->n};
        EXPECT(llmsim_compare(run->latencies, simulated, span, (enum llmsim_metric)metric, &c,
                              NULL) == LLMSIM_OK);
        EXPECT(c.n <= run->n && c.n_relative <= c.n && isfinite(c.mape_percent) &&
               isfinite(c.mean_absolute_error_s));
        for (size_t i = 0; i < LLMSIM_N_COMPARED; i++)
            EXPECT(isfinite(c.measured_s[i]) && isfinite(c.simulated_s[i]));
    }
}

static void validate(struct llmsim_replay_config config, const struct llmsim_measured_run *run)
{
    struct llmsim_latencies *simulated[2];
    enum llmsim_status status[2];
    struct llmsim_error err[2] = {{0}, {0}};
    const char *const engines[] = {"step", "fast"};
    for (size_t i = 0; i < 2; i++) {
        simulated[i] = calloc(run->n, sizeof **simulated);
        EXPECT(simulated[i] != NULL);
        config.engine = engines[i];
        status[i] = llmsim_validate_replay(&config, run, simulated[i], &err[i]);
    }
    EXPECT(status[0] == status[1] && strcmp(err[0].message, err[1].message) == 0);
    if (status[0] == LLMSIM_OK) {
        EXPECT(memcmp(simulated[0], simulated[1], run->n * sizeof **simulated) == 0);
        compare(run, simulated[0]);
    } else {
        fuzz_check_error(status[0], &err[0]);
    }
    free(simulated[0]);
    free(simulated[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct random_case c;
    struct fuzz_input in = {data, size};
    uint64_t seed = fuzz_byte(&in);
    seed = seed << 16 | (uint64_t)fuzz_byte(&in) << 8;
    seed |= fuzz_byte(&in);
    case_make(&c, seed);
    if (LLMSIM_MEASURED_BLOCK_TOKENS % (c.config.block_size + (c.config.block_size == 0)) != 0)
        c.config.block_size = LLMSIM_MEASURED_BLOCK_TOKENS;
    struct llmsim_measured_options options = {0};
    if (c.config.enable_prefix_caching)
        options.columns[LLMSIM_MEASURED_CACHED] = "cached";
    struct llmsim_measured_run run = {0};
    struct llmsim_error err = {0};
    const char *path = fuzz_file(0, in.data, in.size);
    enum llmsim_status status = llmsim_measured_open(&run, path, &options, &err);
    if (status != LLMSIM_OK)
        fuzz_check_error(status, &err);
    else if (bound_tokens(&run))
        validate(c.config, &run);
    llmsim_measured_close(&run);
    return 0;
}
