/* Structs that a program has not filled in: an error that names the part, before anything is
 * written. */
#include <criterion/criterion.h>

#include "support/collect.h"
#include "support/errors.h"
#include "support/files.h"

static const struct llmsim_model model = {.name = "m"};
static const struct llmsim_gpu gpu = {.name = "g"};

static struct llmsim_replay_config right_config(void)
{
    return (struct llmsim_replay_config){
        .cost = easy_cost(), .max_num_seqs = 1, .max_num_batched_tokens = 1};
}

Test(missing_parts, replay)
{
    struct llmsim_replay_config config = right_config();
    struct llmsim_array_cursor cursor = {.requests = NULL};
    struct llmsim_source source = llmsim_source_from_array(&cursor);
    struct llmsim_sink sink = {.ops = NULL};
    struct llmsim_error err;
    expect_error(llmsim_replay(&config, &source, &sink, 1, &err), LLMSIM_USAGE, &err,
                 "a sink has no functions");
    source.read = NULL;
    expect_error(llmsim_replay(&config, &source, NULL, 0, &err), LLMSIM_USAGE, &err,
                 "the source of a replay has no function read");
    config.cost.model = NULL;
    expect_error(llmsim_replay_check(&config, &err), LLMSIM_USAGE, &err,
                 "the configuration of a replay has no cost model");
    expect_error(llmsim_replay(&config, &source, NULL, 0, &err), LLMSIM_USAGE, &err,
                 "the configuration of a replay has no cost model");
}

Test(missing_parts, cost)
{
    struct llmsim_cost cost = {.model = NULL};
    const struct llmsim_cost_change change = {.prefill_speed = 2, .bandwidth = 2};
    struct llmsim_error err;
    expect_error(llmsim_cost_apply(&cost, &change, &err), LLMSIM_USAGE, &err,
                 "a cost has no cost model");
}

Test(missing_parts, validation)
{
    struct llmsim_replay_config config = {.max_num_seqs = 1, .max_num_batched_tokens = 1};
    struct llmsim_request request = {.prompt_tokens = 1, .output_tokens = 1};
    struct llmsim_latencies latencies = {1, 1, 1}, simulated;
    const struct llmsim_measured_run run = {.requests = &request, .latencies = &latencies, .n = 1};
    const struct llmsim_tuning tuning = llmsim_tuning_none();
    const struct llmsim_validation_part part = {.name = "all"};
    struct llmsim_calibration calibration;
    struct llmsim_error err;
    expect_error(llmsim_validate_replay(&config, &run, &simulated, &err), LLMSIM_USAGE, &err,
                 "the configuration of a replay has no cost model");
    expect_error(llmsim_validate_tuned(&config, &run, &tuning, &simulated, &err), LLMSIM_USAGE,
                 &err, "a cost has no cost model");
    expect_error(llmsim_calibrate(&config, &run, (struct llmsim_span){0, 1},
                                  1u << LLMSIM_TUNABLE_BW, &calibration, &err),
                 LLMSIM_USAGE, &err, "a cost has no cost model");
    expect_error(llmsim_validate_write("/nonexistent/x.csv", &part, 1, &err), LLMSIM_USAGE, &err,
                 "a part of a validation has no measured run");
}

/* Nothing lies in the directory afterwards, under no name. */
static void expect_no_results(const char *dir, const struct llmsim_run_description *description,
                              const char *expected)
{
    struct llmsim_results_options options = {.dir = dir, .requests = true};
    struct llmsim_results *results;
    struct llmsim_error err;
    char text[1024];
    expect_error(llmsim_results_open(&options, description, &results, &err), LLMSIM_USAGE, &err,
                 expected);
    cr_expect_null(results);
    (void)snprintf(text, sizeof text, "test -z \"$(ls -A '%s')\"", dir);
    cr_expect_eq(system(text), 0, "files are left");
}

Test(missing_parts, results)
{
    char *dir = scratch_dir();
    struct llmsim_replay_config config = right_config();
    const struct llmsim_setting no_name = {.text = "x"};
    const struct llmsim_setting no_text = {.name = "x", .kind = LLMSIM_SETTING_TEXT};
    const struct llmsim_run_description right = {
        .config = &config, .model = &model, .gpu = &gpu, .trace_name = "t"};
    struct llmsim_run_description d;
    struct llmsim_results *results;
    struct llmsim_error err;
    d = right, d.config = NULL;
    expect_no_results(dir, &d, "the description of a run has no configuration");
    d = right, d.model = NULL;
    expect_no_results(dir, &d, "the description of a run has no model");
    d = right, d.gpu = NULL;
    expect_no_results(dir, &d, "the description of a run has no GPU");
    d = right, d.trace_name = NULL;
    expect_no_results(dir, &d, "the description of a run has no name of the trace");
    d = right, d.n_settings = 1;
    expect_no_results(dir, &d, "the description of a run has no settings");
    d.settings = &no_name;
    expect_no_results(dir, &d, "a setting has no name");
    d.settings = &no_text;
    expect_no_results(dir, &d, "a setting has no text");
    config.cost.model = NULL;
    expect_no_results(dir, &right, "the description of a run has no cost model");
    const struct llmsim_results_options options = {.requests = true};
    expect_error(llmsim_results_open(&options, &right, &results, &err), LLMSIM_USAGE, &err,
                 "a set of results has no directory");
    remove_dir(dir);
}

static enum llmsim_status good(void *ctx, uint64_t value, bool *is_good, struct llmsim_error *err)
{
    (void)ctx, (void)value, (void)err;
    *is_good = true;
    return LLMSIM_OK;
}

Test(missing_parts, sweep)
{
    char *dir = scratch_dir();
    struct llmsim_json_document manifest;
    struct llmsim_sweep *sweep;
    struct llmsim_grid *grid;
    struct llmsim_error err;
    llmsim_json_document_init(&manifest);
    const struct llmsim_sweep_options right = {
        .dir = dir, .file_name = "t.csv", .header = "x", .manifest = &manifest, .n_points = 1};
    struct llmsim_sweep_options o;
    o = right, o.dir = NULL;
    expect_error(llmsim_sweep_open(&o, &sweep, &err), LLMSIM_USAGE, &err,
                 "a sweep has no directory");
    o = right, o.file_name = NULL;
    expect_error(llmsim_sweep_open(&o, &sweep, &err), LLMSIM_USAGE, &err,
                 "a sweep has no name of its table");
    o = right, o.header = NULL;
    expect_error(llmsim_sweep_open(&o, &sweep, &err), LLMSIM_USAGE, &err, "a sweep has no header");
    o = right, o.manifest = NULL;
    expect_error(llmsim_sweep_open(&o, &sweep, &err), LLMSIM_USAGE, &err,
                 "a sweep has no manifest");
    cr_assert_eq(llmsim_sweep_open(&right, &sweep, &err), LLMSIM_OK, "%s", err.message);
    const struct llmsim_sweep_work work = {.compute = NULL};
    expect_error(llmsim_sweep_run(sweep, &work, 1, &err), LLMSIM_USAGE, &err,
                 "the work of a sweep has no function compute");
    llmsim_sweep_close(sweep);
    llmsim_json_document_fini(&manifest);

    const struct llmsim_memory_trace memory = {.n = 0};
    struct llmsim_run_description description = {.config = NULL};
    struct llmsim_point point = {.n_replicas = 1};
    expect_error(llmsim_simulate_point(&memory, &description, &point, &err), LLMSIM_USAGE, &err,
                 "a point has no configuration");
    expect_error(llmsim_point_write_summary(&point, &description, dir, 1, &err), LLMSIM_USAGE, &err,
                 "the description of a run has no configuration");

    struct llmsim_grid_keys keys = {.name = NULL};
    cr_assert_eq(llmsim_grid_create(&grid, &err), LLMSIM_OK);
    expect_error(llmsim_grid_load(grid, "/nonexistent", &keys, &err), LLMSIM_USAGE, &err,
                 "the set of keys has no function name");
    llmsim_grid_destroy(grid);

    struct llmsim_search search = {.min = 1, .max = 2, .start = 1};
    struct llmsim_search_result result;
    expect_error(llmsim_search_border(&search, &result, &err), LLMSIM_USAGE, &err,
                 "a search has no function is_good");
    search.is_good = good;
    cr_expect_eq(llmsim_search_border(&search, &result, &err), LLMSIM_OK);
    remove_dir(dir);
}

Test(missing_parts, files)
{
    struct llmsim_error err;
    struct llmsim_plot_report *report;
    struct llmsim_plot_options plot = {.dir = NULL};
    expect_error(llmsim_plot(&plot, &report, &err), LLMSIM_USAGE, &err,
                 "a plot has no directory of results");
    llmsim_plot_report_destroy(report);
    plot = (struct llmsim_plot_options){.dir = "/nonexistent", .n_requests = 1};
    expect_error(llmsim_plot(&plot, &report, &err), LLMSIM_USAGE, &err,
                 "a plot's request has no id");
    llmsim_plot_report_destroy(report);
    plot.requests[0] = "a";
    plot.n_requests = LLMSIM_PLOT_MAX_REQUESTS + 1;
    for (size_t i = 0; i < LLMSIM_PLOT_MAX_REQUESTS; i++)
        plot.requests[i] = "a";
    expect_error(llmsim_plot(&plot, &report, &err), LLMSIM_USAGE, &err,
                 "13 requests to draw: expected at most 12");
    llmsim_plot_report_destroy(report);

    const struct llmsim_model_source source = {.name = "m"};
    struct llmsim_model_shape shape;
    expect_error(llmsim_model_from_config(&source, &shape, &err), LLMSIM_USAGE, &err,
                 "the source of a model has no config_path");

    struct llmsim_fit_profile profile;
    expect_error(llmsim_fit_profile_read(NULL, 0, &profile, &err), LLMSIM_USAGE, &err,
                 "no profile was named");
    llmsim_fit_profile_close(&profile);

    const struct llmsim_kernels_source kernels = {.tables = "/nonexistent", .engine = "vllm"};
    expect_error(llmsim_kernels_fit(&kernels, "/nonexistent", NULL, NULL, &err), LLMSIM_USAGE, &err,
                 "the source of a kernel catalogue has no system");

    const struct llmsim_generate_options generate = {.n_requests = 1,
                                                     .rate_per_s = 1,
                                                     .prompt = {.kind = LLMSIM_LENGTHS_EMPIRICAL},
                                                     .output = {.kind = LLMSIM_LENGTHS_EMPIRICAL},
                                                     .n_sample = 1};
    struct llmsim_generator *generator;
    expect_error(llmsim_generator_create(&generate, &generator, &err), LLMSIM_USAGE, &err,
                 "empirical lengths: expected a trace with at least one request");
}

/* A group without measurements has nothing to fit. */
Test(missing_parts, fit)
{
    const struct llmsim_fit_group group = {.n_rows = 0};
    const struct llmsim_fit_sizes sizes = {0};
    struct llmsim_fit_report report;
    struct llmsim_error err = {0};
    cr_expect_eq(llmsim_fit_group_run(&group, &sizes, &report, &err), LLMSIM_CATALOGUE, "%s",
                 err.message);
}
