/* A sweep in several threads: the same table as in one, and an error in one of them ends all. A
 * plain main, for ThreadSanitizer. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "llmsim/llmsim.h"

#define N_REQUESTS 200
#define N_POINTS 60

struct job {
    struct llmsim_memory_trace memory;
    struct llmsim_cost cost;
    uint64_t fail_at; /* a point that ends the sweep */
    atomic_uint n_computed;
    unsigned n_shown; /* not atomic: calls of on_progress exclude each other */
};

static enum llmsim_status compute(void *ctx, uint64_t number, struct llmsim_csv_row *row,
                                  enum llmsim_status *outcome, struct llmsim_error *err)
{
    struct job *job = ctx;
    const struct llmsim_replay_config config = {
        .cost = job->cost,
        .policy = llmsim_policy_choice((size_t)(number % 3))->name,
        .max_num_seqs = (uint32_t)(1 + number / 3),
        .max_num_batched_tokens = 2048,
    };
    struct llmsim_run_description description = {.config = &config, .rate_scale = {3, 2}};
    const struct llmsim_point_price price = {1, {2, 300}};
    struct llmsim_point point;
    atomic_fetch_add(&job->n_computed, 1);
    llmsim_csv_row_u64(row, number);
    if (number == job->fail_at)
        return llmsim_fail(err, LLMSIM_INTERRUPTED, "enough");
    *outcome = llmsim_simulate_point(&job->memory, &description, &point, err);
    if (*outcome != LLMSIM_OK)
        return *outcome;
    llmsim_point_row(row, &point, &price);
    llmsim_point_fini(&point);
    return LLMSIM_OK;
}

static void count_shown(void *ctx, const struct llmsim_sweep_progress *progress)
{
    struct job *job = ctx;
    if (progress->n_points == N_POINTS)
        job->n_shown++;
}

static void fill(struct job *job, struct llmsim_request *requests)
{
    const struct llmsim_model model = {.name = "m", .model_size_GB = 26, .kvc_size_KB = 800};
    const struct llmsim_gpu gpu = {
        .name = "g", .memory_cap_GB = 48, .memory_bw_GBps = 768, .memory_bw_util_percent = 70};
    uint32_t x = 12345;
    for (uint64_t i = 0; i < N_REQUESTS; i++) {
        x = x * 1664525u + 1013904223u;
        requests[i] = (struct llmsim_request){.arrival_ns = (int64_t)i * 200000000,
                                              .row = i,
                                              .prompt_tokens = 1 + (x >> 8) % 1500,
                                              .output_tokens = (x >> 20) % 200,
                                              .deadline_ns = LLMSIM_NO_DEADLINE};
    }
    job->memory = (struct llmsim_memory_trace){.requests = requests, .n = N_REQUESTS};
    if (llmsim_cost_init_ptps(&job->cost, &model, &gpu, 5000, NULL) != LLMSIM_OK)
        abort();
}

/* The status of a sweep in `dir`, which may be begun. */
static enum llmsim_status sweep(struct job *job, const char *dir, unsigned n_jobs)
{
    struct llmsim_error err = {0};
    struct llmsim_json_document manifest;
    struct llmsim_csv_row header = {0};
    struct llmsim_sweep *sweep = NULL;
    const struct llmsim_sweep_work work = {job, compute, count_shown};
    llmsim_json_document_init(&manifest);
    llmsim_csv_row_text(&header, "point");
    (void)llmsim_point_header(&header);
    const struct llmsim_sweep_options options = {.dir = dir,
                                                 .file_name = "sweep.csv",
                                                 .header = header.text,
                                                 .manifest = &manifest,
                                                 .n_points = N_POINTS};
    enum llmsim_status status = llmsim_sweep_open(&options, &sweep, &err);
    if (status == LLMSIM_OK)
        status = llmsim_sweep_run(sweep, &work, n_jobs, &err);
    if (status == LLMSIM_OK)
        status = llmsim_sweep_finish(sweep, &err);
    if (status != LLMSIM_OK && status != LLMSIM_INTERRUPTED)
        (void)fprintf(stderr, "%s\n", err.message);
    llmsim_sweep_close(sweep);
    llmsim_csv_row_fini(&header);
    llmsim_json_document_fini(&manifest);
    return status;
}

static char *read_table(const char *dir)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/sweep.csv", dir);
    char *text = calloc(1, 1 << 20);
    FILE *f = fopen(path, "r");
    if (f != NULL && text != NULL && fread(text, 1, (1 << 20) - 1, f) == 0)
        abort();
    if (f != NULL)
        (void)fclose(f);
    return text;
}

static void remove_dir(const char *dir)
{
    static const char *const names[] = {"sweep.csv", "journal", "manifest.json"};
    char path[256];
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
}

int main(void)
{
    static struct llmsim_request requests[N_REQUESTS];
    struct job job = {.fail_at = UINT64_MAX};
    char alone[] = "/tmp/llmsim-sweep-1-XXXXXX", many[] = "/tmp/llmsim-sweep-5-XXXXXX";
    if (mkdtemp(alone) == NULL || mkdtemp(many) == NULL)
        abort();
    fill(&job, requests);
    bool good = sweep(&job, alone, 1) == LLMSIM_OK && job.n_computed == N_POINTS;
    /* Stopped at a point by one thread, then done to the end: no point is done twice. */
    struct job stopped = {.memory = job.memory, .cost = job.cost, .fail_at = 20};
    good = good && sweep(&stopped, many, 5) == LLMSIM_INTERRUPTED;
    unsigned n_kept = stopped.n_shown;
    stopped.fail_at = UINT64_MAX;
    atomic_store(&stopped.n_computed, 0);
    good = good && sweep(&stopped, many, 5) == LLMSIM_OK;
    good = good && n_kept < N_POINTS && stopped.n_computed == N_POINTS - n_kept &&
           stopped.n_shown == N_POINTS;
    char *one = read_table(alone), *five = read_table(many);
    good = good && one != NULL && five != NULL && strlen(one) > 1000 && strcmp(one, five) == 0;
    if (!good)
        (void)fprintf(stderr, "%u computed, %u kept, tables %s\n", stopped.n_computed, n_kept,
                      one != NULL && five != NULL && strcmp(one, five) == 0 ? "same" : "differ");
    free(one);
    free(five);
    remove_dir(alone);
    remove_dir(many);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
