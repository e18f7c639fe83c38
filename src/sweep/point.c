/* point.c: one configuration over the trace in memory. */
#include <stdio.h>
#include <stdlib.h>

#include "backlog.h"
#include "directory.h"
#include "llmsim/sweep.h"
#include "output.h"
#include "parts.h"
#include "sinks.h"

/* What the summary's classes live in. */
struct llmsim_point_classes {
    struct classes_sink sink;
};

static enum llmsim_status point_init(struct llmsim_point *point,
                                     const struct llmsim_memory_trace *memory,
                                     const struct llmsim_run_description *description,
                                     struct llmsim_error *err)
{
    *point = (struct llmsim_point){.n_replicas = llmsim_config_replicas(description->config)};
    enum llmsim_status status = llmsim_summary_init(&point->summary, err);
    point->summary.slo = description->slo;
    if (description->model != NULL)
        point->summary.max_positions = description->model->max_positions;
    point->summary.profile = description->config->cost.range;
    point->summary.outcomes[LLMSIM_OUTCOME_BAD_ROW] = memory->status.rejected;
    point->classes = calloc(1, sizeof *point->classes);
    if (point->classes == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    point->classes->sink.summary = &point->summary;
    return status;
}

enum llmsim_status llmsim_simulate_point(const struct llmsim_memory_trace *memory,
                                         struct llmsim_run_description *description,
                                         struct llmsim_point *point, struct llmsim_error *err)
{
    *point = (struct llmsim_point){.n_replicas = 0};
    enum llmsim_status status =
        LLMSIM_CHECK_PARTS("a point", err, {description->config != NULL, "configuration"});
    if (status != LLMSIM_OK)
        return status;
    struct llmsim_memory_cursor cursor = {.memory = memory, .rate_scale = description->rate_scale};
    struct llmsim_source source = llmsim_memory_source(&cursor);
    struct backlog_sink backlog = {.stride = 1};
    description->trace = memory->trace;
    status = point_init(point, memory, description, err);
    const struct llmsim_sink sinks[] = {
        {&llmsim_summary_sink_ops, &point->summary},
        {&llmsim_classes_sink_ops, point->classes},
        {&llmsim_backlog_sink_ops, &backlog},
    };
    if (status == LLMSIM_OK)
        status = llmsim_backlog_init(&backlog, description->config, &point->summary, err);
    if (status == LLMSIM_OK)
        status =
            llmsim_replay(description->config, &source, sinks, sizeof sinks / sizeof *sinks, err);
    llmsim_backlog_fini(&backlog);
    if (status != LLMSIM_OK)
        llmsim_point_fini(point);
    return status;
}

void llmsim_point_fini(struct llmsim_point *point)
{
    if (point->classes != NULL)
        llmsim_classes_sink_fini(&point->classes->sink);
    free(point->classes);
    llmsim_summary_fini(&point->summary);
    *point = (struct llmsim_point){.n_replicas = 0};
}

static enum llmsim_status write_summary(struct llmsim_point *point,
                                        const struct llmsim_run_description *description,
                                        const char *path, struct llmsim_error *err)
{
    struct llmsim_output out;
    enum llmsim_status status = llmsim_output_open(&out, path, LLMSIM_COMPRESS_NONE, err);
    if (status != LLMSIM_OK)
        return status;
    status = llmsim_summary_write(&point->summary, description, &out, err);
    if (status == LLMSIM_OK)
        status = llmsim_output_finish(&out, err);
    if (status == LLMSIM_OK)
        status = llmsim_output_commit(&out, err);
    llmsim_output_close(&out);
    return status;
}

enum llmsim_status llmsim_point_write_summary(struct llmsim_point *point,
                                              const struct llmsim_run_description *description,
                                              const char *dir, uint64_t number,
                                              struct llmsim_error *err)
{
    char *path = NULL;
    enum llmsim_status status = llmsim_summary_check(description, err);
    if (status == LLMSIM_OK)
        status = llmsim_make_directories(dir, err);
    if (status != LLMSIM_OK)
        return status;
    if (asprintf(&path, "%s/%06llu.json", dir, (unsigned long long)number) < 0)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    status = write_summary(point, description, path, err);
    free(path);
    return status;
}
