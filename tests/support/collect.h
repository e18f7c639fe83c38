/* collect.h: run a replay over requests in memory and keep everything that it reports. */
#ifndef LLMSIM_TESTS_COLLECT_H
#define LLMSIM_TESTS_COLLECT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "llmsim/llmsim.h"

#define MS INT64_C(1000000)

/* A cost that can be worked out in the head: a prompt token takes 1 ms, a decode step 10 ms plus
 * 1 ms for every KV token that it reads. All exact in nanoseconds. */
static inline struct llmsim_cost easy_cost(void)
{
    return (struct llmsim_cost){
        .model = &llmsim_cost_models[0],
        .prefill_per_token = (uint64_t)llmsim_time_from_ns(MS),
        .decode_any_batch = {.base = llmsim_time_from_ns(10 * MS),
                             .per_context_token = (uint64_t)llmsim_time_from_ns(MS)},
    };
}

struct collected_request {
    struct llmsim_result result;
    char id[2 * LLMSIM_MAX_REQUEST_ID + 3];
    int64_t *token_ns; /* result.n_tokens of them */
    struct llmsim_attribution attribution;
};

#define COLLECT_MAX_REPLICAS 8

struct collected {
    struct collected_request *requests;
    size_t n_requests;
    struct llmsim_step_run *steps; /* every run split into its steps; gaps are not kept */
    size_t n_steps, steps_capacity;
    int64_t *decode_end_ns[COLLECT_MAX_REPLICAS]; /* of every decode step */
    size_t n_decode_steps[COLLECT_MAX_REPLICAS];
    struct llmsim_totals totals;
};

static inline void *collect_grow(void *array, size_t n, size_t size)
{
    if ((n & (n - 1)) != 0)
        return array;
    array = realloc(array, (n != 0 ? 2 * n : 1) * size);
    if (array == NULL)
        abort();
    return array;
}

static inline enum llmsim_status collect_steps(void *self, const struct llmsim_step_run *run,
                                               struct llmsim_error *err)
{
    struct collected *c = self;
    (void)err;
    for (uint64_t i = 0; i < run->n_steps; i++) {
        struct llmsim_step_run step = *run;
        step.first_step_id += i;
        step.n_steps = 1;
        step.start += llmsim_decode_run_time(run->durations, i);
        step.durations.first += (llmsim_time)run->durations.increment * (llmsim_time)i;
        step.end = step.start + step.durations.first;
        step.shape.context_tokens += i * run->shape.decode_seqs;
        step.gaps = NULL;
        c->steps = collect_grow(c->steps, c->n_steps, sizeof *c->steps);
        c->steps[c->n_steps++] = step;
        if (step.shape.decode_seqs > 0) {
            int64_t **ends = &c->decode_end_ns[run->replica];
            size_t *n = &c->n_decode_steps[run->replica];
            *ends = collect_grow(*ends, *n, sizeof **ends);
            (*ends)[(*n)++] = llmsim_time_to_ns(step.end);
        }
    }
    return LLMSIM_OK;
}

static inline enum llmsim_status collect_request(void *self, const struct llmsim_result *result,
                                                 struct llmsim_error *err)
{
    struct collected *c = self;
    uint32_t n = result->request.output_tokens;
    (void)err;
    c->requests = collect_grow(c->requests, c->n_requests, sizeof *c->requests);
    struct collected_request *r = &c->requests[c->n_requests++];
    *r = (struct collected_request){.result = *result,
                                    .attribution = llmsim_result_attribution(result)};
    memcpy(r->id, result->id, result->id_length);
    r->token_ns = calloc(n + 1, sizeof *r->token_ns);
    uint32_t index = 0;
    for (size_t i = 0; result->token_ns == NULL && i < result->n_segments; i++) {
        const struct llmsim_token_segment *segment = &result->segments[i];
        const int64_t *ends = c->decode_end_ns[result->replica];
        bool is_prefill = segment->kind == LLMSIM_SEGMENT_PREFILL;
        for (uint32_t j = 0; j < segment->n_tokens && index < n; j++)
            r->token_ns[index++] = is_prefill && j == 0
                                       ? segment->start_ns
                                       : ends[segment->first_decode_step + j - is_prefill];
    }
    for (; result->token_ns != NULL && index < result->n_tokens; index++)
        r->token_ns[index] = result->token_ns[index];
    return LLMSIM_OK;
}

static inline enum llmsim_status collect_end(void *self, const struct llmsim_totals *totals,
                                             struct llmsim_error *err)
{
    (void)err;
    ((struct collected *)self)->totals = *totals;
    return LLMSIM_OK;
}

static const struct llmsim_sink_ops collect_ops = {
    .name = "collect", .steps = collect_steps, .request = collect_request, .end = collect_end};

static inline void collected_fini(struct collected *c)
{
    for (size_t i = 0; i < c->n_requests; i++)
        free(c->requests[i].token_ns);
    free(c->requests);
    free(c->steps);
    for (size_t i = 0; i < COLLECT_MAX_REPLICAS; i++)
        free(c->decode_end_ns[i]);
    *c = (struct collected){0};
}

static inline enum llmsim_status collect_source(const struct llmsim_replay_config *config,
                                                struct llmsim_source source, struct collected *c,
                                                struct llmsim_error *err)
{
    struct llmsim_sink sink = {&collect_ops, c};
    *c = (struct collected){0};
    return llmsim_replay(config, &source, &sink, 1, err);
}

static inline enum llmsim_status collect_run(const struct llmsim_replay_config *config,
                                             const struct llmsim_request *requests, size_t n,
                                             struct collected *c, struct llmsim_error *err)
{
    struct llmsim_array_cursor cursor = {.requests = requests, .n = n};
    return collect_source(config, llmsim_source_from_array(&cursor), c, err);
}

/* The request of a trace row; NULL if it did not end. */
static inline const struct collected_request *collected_row(const struct collected *c, uint64_t row)
{
    for (size_t i = 0; i < c->n_requests; i++)
        if (c->requests[i].result.request.row == row)
            return &c->requests[i];
    return NULL;
}

#endif
