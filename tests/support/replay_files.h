/* replay_files.h: a replay's result files, for tests that compare bytes. */
#ifndef LLMSIM_TESTS_REPLAY_FILES_H
#define LLMSIM_TESTS_REPLAY_FILES_H

#include <criterion/criterion.h>

#include "files.h"
#include "llmsim/llmsim.h"

static const struct llmsim_model files_model = {.name = "tests/model",
                                                .num_hidden_layers = 1,
                                                .num_heads = 1,
                                                .model_size_GB = 1,
                                                .kvc_size_KB = 1};
static const struct llmsim_gpu files_gpu = {
    .name = "tests gpu", .memory_cap_GB = 1, .memory_bw_GBps = 1, .memory_bw_util_percent = 100};

/* All result files, into a directory that is there. */
static inline void replay_into(const char *dir, const char *engine,
                               struct llmsim_replay_config config,
                               const struct llmsim_source *source)
{
    struct llmsim_error err;
    config.engine = engine;
    struct llmsim_run_description description = {
        .config = &config, .model = &files_model, .gpu = &files_gpu, .trace_name = "memory"};
    struct llmsim_results_options options = {
        .dir = dir, .requests = true, .tokens = true, .steps = true};
    struct llmsim_results *results;
    cr_assert_eq(llmsim_results_open(&options, &description, &results, &err), LLMSIM_OK, "%s",
                 err.message);
    size_t n_sinks;
    const struct llmsim_sink *sinks = llmsim_results_sinks(results, &n_sinks);
    cr_assert_eq(llmsim_replay(&config, source, sinks, n_sinks, &err), LLMSIM_OK, "%s",
                 err.message);
    cr_assert_eq(llmsim_results_commit(results, &err), LLMSIM_OK, "%s", err.message);
    llmsim_results_close(results);
}

#endif
