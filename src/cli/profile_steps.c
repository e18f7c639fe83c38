/* profile_steps.c: plan and measure the steps of `profile prompt` and `profile decode`. */
#include "profile_steps.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cuda_device.h"
#include "interrupt.h"
#include "keep_inputs.h"

/* What --plan-for takes for granted, where no device says it: it decides how contexts are split. */
#define USUAL_MULTIPROCESSORS 132

/* ---- the network ---- */

/* The profile's rows are for the catalogue's entry: the config has to be that model's. */
static enum llmsim_status check_same_model(const struct profile_options *options,
                                           const struct llmsim_model *entry,
                                           const struct llmsim_model *config,
                                           struct llmsim_error *err)
{
    if (entry->num_hidden_layers == config->num_hidden_layers &&
        entry->num_heads == config->num_heads)
        return LLMSIM_OK;
    return llmsim_fail_at(err, LLMSIM_CATALOGUE, options->config_path, 0, 0,
                          "%u layers and %u heads, but model.json says of %s that it has %u and %u",
                          config->num_hidden_layers, config->num_heads, entry->name,
                          entry->num_hidden_layers, entry->num_heads);
}

static enum llmsim_status open_network(const struct profile_options *options,
                                       const struct llmsim_catalogue *catalogue,
                                       struct llmsim_network *network, struct llmsim_error *err)
{
    struct llmsim_model entry;
    struct llmsim_model_shape shape;
    enum llmsim_status status = llmsim_catalogue_model(catalogue, options->model, &entry, err);
    if (status != LLMSIM_OK)
        return status;
    const struct llmsim_model_source source = {
        .config_path = options->config_path, .name = entry.name, .dtype = "bfloat16"};
    status = llmsim_model_from_config(&source, &shape, err);
    if (status == LLMSIM_OK)
        status = check_same_model(options, &entry, &shape.model, err);
    if (status == LLMSIM_OK)
        status = llmsim_network_init(network, &shape, (enum llmsim_dtype)options->dtype.row, err);
    return status;
}

/* ---- the plan ---- */

static void describe_plan(const struct llmsim_profile_plan *plan, FILE *f)
{
    const struct llmsim_network *n = &plan->network;
    (void)fprintf(f, "model   %s, %s\n", n->name, llmsim_dtype_choice(n->dtype)->name);
    (void)fprintf(f, "memory  %.3f GB of the %.3f GB that may be used\n",
                  (double)plan->layout.total / 1e9, (double)plan->budget_bytes / 1e9);
    if (plan->n_fewer_layers == 0)
        (void)fprintf(f, "layers  all %u\n", n->n_layers);
    else
        (void)fprintf(f,
                      "layers  %u and %u of %u, since all do not fit; the time of the others is "
                      "that of the difference\n",
                      plan->n_layers, plan->n_fewer_layers, n->n_layers);
    (void)fprintf(f, "steps   %zu", plan->n_points);
    if (plan->n_left_out > 0)
        (void)fprintf(f, " of %zu; the smallest of the others would need %.3f GB",
                      plan->n_points + plan->n_left_out, (double)plan->least_left_out / 1e9);
    (void)fputc('\n', f);
}

static void print_points(const struct llmsim_profile_plan *plan)
{
    (void)printf("\nbatch_size  tokens_each  launches  least_read_GB\n");
    for (size_t i = 0; i < plan->n_points; i++) {
        const struct llmsim_profile_point *p = &plan->points[i];
        (void)printf("%10llu  %11llu  %8zu  %13.3f\n", (unsigned long long)p->batch_size,
                     (unsigned long long)p->tokens_each,
                     llmsim_profile_step(plan, p, plan->n_layers, NULL, NULL),
                     (double)llmsim_profile_point_bytes(&plan->network, p) / 1e9);
    }
}

static enum llmsim_status print_plan(const struct llmsim_catalogue *catalogue, const char *gpu_name,
                                     const struct llmsim_network *network,
                                     struct llmsim_profile_sweep *sweep, struct llmsim_error *err)
{
    struct llmsim_gpu gpu;
    struct llmsim_profile_plan plan;
    enum llmsim_status status = llmsim_catalogue_gpu(catalogue, gpu_name, &gpu, err);
    if (status != LLMSIM_OK)
        return status;
    sweep->n_multiprocessors = USUAL_MULTIPROCESSORS;
    uint64_t budget = llmsim_profile_budget((uint64_t)(gpu.memory_cap_GB * 1e9));
    status = llmsim_profile_plan_init(&plan, network, sweep, budget, err);
    if (status != LLMSIM_OK)
        return status;
    describe_plan(&plan, stdout);
    print_points(&plan);
    llmsim_profile_plan_fini(&plan);
    return LLMSIM_OK;
}

/* ---- the run ---- */

static bool observe(void *ctx, const struct llmsim_profile_progress *p)
{
    const bool *is_terminal = ctx;
    if (*is_terminal)
        (void)fprintf(stderr, "\r%zu of %zu steps; %llu × %llu tokens took %.6f s\033[K%s",
                      p->n_done, p->n_points, (unsigned long long)p->point->batch_size,
                      (unsigned long long)p->point->tokens_each, p->latency_s,
                      p->n_done == p->n_points ? "\r\033[K" : "");
    return interrupt_seen() == 0;
}

static enum llmsim_status run_plan(const struct profile_options *options,
                                   const struct llmsim_device *device,
                                   const struct llmsim_profile_plan *plan, struct llmsim_error *err)
{
    char date[16] = "";
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc) != NULL)
        (void)strftime(date, sizeof date, "%Y-%m-%d", &utc);
    bool is_terminal = isatty(STDERR_FILENO) == 1;
    const struct llmsim_profile_config config = {
        .output = options->output,
        .date = date,
        .n_warmups = (unsigned)options->n_warmups,
        .n_repeats = (unsigned)options->n_repeats,
        .mode = (enum llmsim_launch_mode)options->launches.row,
        .observe = observe,
        .observe_ctx = &is_terminal,
    };
    interrupt_catch();
    enum llmsim_status status = llmsim_profile_run(plan, device, &config, err);
    interrupt_release();
    return status;
}

enum llmsim_status cli_self_test(const struct llmsim_device *device, struct llmsim_error *err)
{
    size_t n_cases;
    enum llmsim_status status = llmsim_device_self_test(device, &n_cases, err);
    if (status == LLMSIM_OK)
        (void)fprintf(stderr, "self-test: %zu launches agree with the reference\n", n_cases);
    return status;
}

static enum llmsim_status measure(const struct profile_options *options,
                                  const struct llmsim_network *network,
                                  struct llmsim_profile_sweep *sweep, struct llmsim_error *err)
{
    struct llmsim_device device;
    struct llmsim_device_info info;
    struct llmsim_profile_plan plan = {0};
    enum llmsim_status status = cuda_device_open((unsigned)options->device, &device, err);
    if (status != LLMSIM_OK)
        return status;
    if (options->self_test)
        status = cli_self_test(&device, err);
    if (status == LLMSIM_OK)
        status = device.ops->describe(device.self, &info, err);
    if (status == LLMSIM_OK) {
        sweep->n_multiprocessors = info.n_multiprocessors;
        status = llmsim_profile_plan_init(&plan, network, sweep,
                                          llmsim_profile_budget(info.free_bytes), err);
    }
    if (status == LLMSIM_OK) {
        describe_plan(&plan, stderr);
        status = run_plan(options, &device, &plan, err);
    }
    llmsim_profile_plan_fini(&plan);
    device.ops->close(device.self);
    return status;
}

enum llmsim_status profile_steps(const struct profile_options *options,
                                 enum llmsim_profile_phase phase, struct llmsim_error *err)
{
    struct llmsim_catalogue *catalogue;
    struct llmsim_network network;
    struct llmsim_profile_sweep sweep = {
        .phase = phase, .max_tokens = options->max_tokens, .max_batch = options->max_batch};
    const struct cli_output output = {"the profile", options->output};
    enum llmsim_status status =
        cli_keep_input(&output, 1, "the model's config", options->config_path, err);
    if (status == LLMSIM_OK)
        status = cli_keep_catalogue(&output, 1, options->data_dir, NULL, err);
    if (status == LLMSIM_OK)
        status = llmsim_catalogue_open(options->data_dir, &catalogue, err);
    if (status != LLMSIM_OK)
        return status;
    status = open_network(options, catalogue, &network, err);
    if (status == LLMSIM_OK && options->plan_for != NULL)
        status = print_plan(catalogue, options->plan_for, &network, &sweep, err);
    else if (status == LLMSIM_OK)
        status = measure(options, &network, &sweep, err);
    llmsim_catalogue_close(catalogue);
    return status;
}
