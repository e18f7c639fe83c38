/* consumer.c: a program outside the tree that uses the installed library: three requests through a
 * replica. Compiled as C and as C++. usage: consumer MODEL GPU */
#include <stdio.h>
#include <string.h>

#include "llmsim/llmsim.h"

static enum llmsim_status print_request(void *self, const struct llmsim_result *result,
                                        struct llmsim_error *err)
{
    (void)self;
    (void)err;
    (void)printf("%.*s %lld\n", (int)result->id_length, result->id,
                 (long long)llmsim_result_e2e_ns(result));
    return LLMSIM_OK;
}

static enum llmsim_status open_cost(const char *model_name, const char *gpu_name,
                                    struct llmsim_cost *cost, struct llmsim_error *err)
{
    struct llmsim_catalogue *catalogue = NULL;
    struct llmsim_model model;
    struct llmsim_gpu gpu;
    double ptps = 0;
    enum llmsim_status status = llmsim_catalogue_open(NULL, &catalogue, err);
    if (status == LLMSIM_OK)
        status = llmsim_catalogue_model(catalogue, model_name, &model, err);
    if (status == LLMSIM_OK)
        status = llmsim_catalogue_gpu(catalogue, gpu_name, &gpu, err);
    if (status == LLMSIM_OK)
        status = llmsim_catalogue_ptps(catalogue, model.name, gpu.name, 1, &ptps, err);
    if (status == LLMSIM_OK)
        status = llmsim_cost_init_ptps(cost, &model, &gpu, ptps, err);
    llmsim_catalogue_close(catalogue);
    return status;
}

static enum llmsim_status run(const char *model_name, const char *gpu_name,
                              struct llmsim_error *err)
{
    static const uint32_t tokens[3][2] = {{512, 16}, {1024, 1}, {64, 0}};
    struct llmsim_request requests[3];
    memset(requests, 0, sizeof requests);
    for (int i = 0; i < 3; i++) {
        requests[i].arrival_ns = 1000000 * i;
        requests[i].row = (uint64_t)i;
        requests[i].prompt_tokens = tokens[i][0];
        requests[i].output_tokens = tokens[i][1];
        requests[i].deadline_ns = LLMSIM_NO_DEADLINE;
    }
    struct llmsim_array_cursor cursor = {requests, 3, 0, NULL};
    struct llmsim_source source = llmsim_source_from_array(&cursor);
    struct llmsim_sink_ops ops = {"print", NULL, NULL, NULL, print_request, NULL, NULL};
    struct llmsim_sink sink = {&ops, NULL};
    struct llmsim_replay_config config;
    memset(&config, 0, sizeof config);
    config.max_num_seqs = 256;
    config.max_num_batched_tokens = 8192;
    enum llmsim_status status = open_cost(model_name, gpu_name, &config.cost, err);
    if (status == LLMSIM_OK)
        status = llmsim_replay(&config, &source, &sink, 1, err);
    return status;
}

int main(int argc, char **argv)
{
    struct llmsim_error err;
    if (argc != 3)
        return LLMSIM_USAGE;
    enum llmsim_status status = run(argv[1], argv[2], &err);
    if (status != LLMSIM_OK) {
        char text[LLMSIM_ERROR_FILE_MAX + LLMSIM_ERROR_MESSAGE_MAX];
        llmsim_error_format(&err, text, sizeof text);
        (void)fprintf(stderr, "consumer: %s\n", text);
    }
    return status;
}
