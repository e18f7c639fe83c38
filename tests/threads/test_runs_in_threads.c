/* A run is one context and no globals: runs in several threads at a time, and errors in them, give
 * what each gives alone. A plain main, for ThreadSanitizer. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "llmsim/llmsim.h"

#define N_THREADS 4
#define N_REQUESTS 300

struct job {
    const char *policy;
    const char *engine;
    uint64_t hash; /* FNV-1a of every result */
    uint64_t n_results;
    enum llmsim_status status;
    enum llmsim_status bad_status;
    struct llmsim_error bad; /* of a run that cannot start */
};

static void mix(struct job *job, uint64_t value)
{
    job->hash = (job->hash ^ value) * 0x100000001b3ull;
}

static enum llmsim_status take_request(void *self, const struct llmsim_result *result,
                                       struct llmsim_error *err)
{
    struct job *job = self;
    (void)err;
    job->n_results++;
    mix(job, result->request.row);
    mix(job, (uint64_t)result->scheduled_ns);
    mix(job, (uint64_t)result->first_token_ns);
    mix(job, (uint64_t)result->end_ns);
    return LLMSIM_OK;
}

static void fill(struct llmsim_request *requests, struct llmsim_array_cursor *cursor)
{
    uint32_t x = 12345;
    for (uint64_t i = 0; i < N_REQUESTS; i++) {
        x = x * 1664525u + 1013904223u;
        requests[i] = (struct llmsim_request){
            .arrival_ns = (int64_t)i * 200000000,
            .row = i,
            .prompt_tokens = 1 + (x >> 8) % 1500,
            .output_tokens = (x >> 20) % 200,
        };
    }
    *cursor = (struct llmsim_array_cursor){.requests = requests, .n = N_REQUESTS};
}

static void *work(void *arg)
{
    static const struct llmsim_sink_ops ops = {.name = "hash", .request = take_request};
    const struct llmsim_model model = {.name = "m",
                                       .num_hidden_layers = 40,
                                       .num_heads = 40,
                                       .model_size_GB = 26,
                                       .kvc_size_KB = 800};
    const struct llmsim_gpu gpu = {
        .name = "g", .memory_cap_GB = 48, .memory_bw_GBps = 768, .memory_bw_util_percent = 70};
    struct job *job = arg;
    struct llmsim_request requests[N_REQUESTS];
    struct llmsim_array_cursor cursor;
    fill(requests, &cursor);
    struct llmsim_replay_config config = {.policy = job->policy,
                                          .engine = job->engine,
                                          .max_num_seqs = 16,
                                          .max_num_batched_tokens = 4096};
    struct llmsim_source source = llmsim_source_from_array(&cursor);
    struct llmsim_sink sink = {.ops = &ops, .self = job};
    job->status = llmsim_cost_init_ptps(&config.cost, &model, &gpu, 5000, NULL);
    if (job->status == LLMSIM_OK)
        job->status = llmsim_replay(&config, &source, &sink, 1, NULL);
    config.policy = "no such policy";
    job->bad_status = llmsim_replay(&config, &source, &sink, 1, &job->bad);
    return NULL;
}

static bool check(const struct job *job, const struct job *alone)
{
    if (job->status == LLMSIM_OK && job->n_results == N_REQUESTS && job->hash == alone->hash &&
        job->bad_status == LLMSIM_USAGE && strcmp(job->bad.message, alone->bad.message) == 0)
        return true;
    (void)fprintf(stderr, "%s, %s: status %d, %llu results, hash %016llx, alone %016llx, \"%s\"\n",
                  job->policy, job->engine, (int)job->status, (unsigned long long)job->n_results,
                  (unsigned long long)job->hash, (unsigned long long)alone->hash, job->bad.message);
    return false;
}

static bool run_threads(const char *policy, const char *engine)
{
    struct job alone = {.policy = policy, .engine = engine};
    struct job jobs[N_THREADS];
    pthread_t threads[N_THREADS];
    work(&alone);
    bool good = check(&alone, &alone);
    for (int i = 0; i < N_THREADS; i++) {
        jobs[i] = (struct job){.policy = policy, .engine = engine};
        if (pthread_create(&threads[i], NULL, work, &jobs[i]) != 0)
            abort();
    }
    for (int i = 0; i < N_THREADS; i++) {
        if (pthread_join(threads[i], NULL) != 0)
            abort();
        good = check(&jobs[i], &alone) && good;
    }
    return good;
}

int main(void)
{
    bool good = true;
    for (size_t p = 0; llmsim_policy_choice(p) != NULL; p++)
        for (size_t e = 0; llmsim_engine_choice(e) != NULL; e++)
            good =
                run_threads(llmsim_policy_choice(p)->name, llmsim_engine_choice(e)->name) && good;
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
