/* sink_classes.c: the numbers of summary.json for each class of the trace. */
#include <stdlib.h>
#include <string.h>

#include "sinks.h"

static enum llmsim_status classes_begin(void *self, const struct llmsim_run_view *view,
                                        struct llmsim_error *err)
{
    struct classes_sink *sink = self;
    sink->source = *view->source;
    if (sink->source.class_name == NULL)
        return LLMSIM_OK;
    sink->classes = calloc(LLMSIM_MAX_CLASSES + 1, sizeof *sink->classes);
    return sink->classes != NULL ? LLMSIM_OK : llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
}

/* Classes that no request has take no memory to speak of. */
static void start_class(struct classes_sink *sink, uint16_t class_id,
                        struct llmsim_class_summary *c)
{
    llmsim_stat_init_growing(&c->ttft);
    llmsim_stat_init_growing(&c->tpot);
    llmsim_stat_init_growing(&c->e2e);
    llmsim_stat_init_growing(&c->queue);
    if (class_id != 0)
        (void)strncpy(c->name, sink->source.class_name(sink->source.self, class_id),
                      sizeof c->name - 1);
}

static enum llmsim_status add(struct llmsim_stat *stat, int64_t value, struct llmsim_error *err)
{
    enum llmsim_status status = llmsim_stat_reserve(stat, err);
    if (status == LLMSIM_OK)
        llmsim_stat_add(stat, (uint64_t)value);
    return status;
}

static enum llmsim_status classes_request(void *self, const struct llmsim_result *r,
                                          struct llmsim_error *err)
{
    struct classes_sink *sink = self;
    uint16_t class_id = r->request.class_id <= LLMSIM_MAX_CLASSES ? r->request.class_id : 0;
    if (sink->classes == NULL)
        return LLMSIM_OK;
    struct llmsim_class_summary *c = &sink->classes[class_id];
    if (c->n_requests++ == 0)
        start_class(sink, class_id, c);
    c->outcomes[r->outcome]++;
    c->n_slo_undecided +=
        r->outcome == LLMSIM_OUTCOME_UNFINISHED && llmsim_slo_is_undecided(&sink->summary->slo, r);
    if (r->outcome != LLMSIM_OUTCOME_COMPLETED)
        return LLMSIM_OK;
    c->n_slo_met += llmsim_slo_is_met(&sink->summary->slo, r);
    enum llmsim_status status = add(&c->queue, llmsim_result_queue_ns(r), err);
    if (status == LLMSIM_OK)
        status = add(&c->e2e, llmsim_result_e2e_ns(r), err);
    if (status == LLMSIM_OK && r->request.output_tokens > 0)
        status = add(&c->ttft, llmsim_result_ttft_ns(r), err);
    if (status == LLMSIM_OK && r->request.output_tokens > 1)
        status = add(&c->tpot, r->tpot_ns, err);
    return status;
}

/* Those that had a request, in the order of the trace; the requests without a class come last. */
static enum llmsim_status classes_end(void *self, const struct llmsim_totals *totals,
                                      struct llmsim_error *err)
{
    struct classes_sink *sink = self;
    struct llmsim_class_summary *classes = sink->classes;
    size_t n = 0;
    (void)totals;
    (void)err;
    if (classes == NULL)
        return LLMSIM_OK;
    struct llmsim_class_summary none = classes[0];
    classes[0] = (struct llmsim_class_summary){.n_requests = 0};
    for (size_t i = 1; i <= LLMSIM_MAX_CLASSES; i++) {
        struct llmsim_class_summary c = classes[i];
        classes[i].n_requests = 0;
        if (c.n_requests > 0)
            classes[n++] = c;
    }
    if (none.n_requests > 0)
        classes[n++] = none;
    sink->summary->classes = classes;
    sink->summary->n_classes = n;
    return LLMSIM_OK;
}

void llmsim_classes_sink_fini(struct classes_sink *sink)
{
    for (size_t i = 0; sink->classes != NULL && i <= LLMSIM_MAX_CLASSES; i++) {
        if (sink->classes[i].n_requests == 0)
            continue;
        llmsim_stat_fini(&sink->classes[i].ttft);
        llmsim_stat_fini(&sink->classes[i].tpot);
        llmsim_stat_fini(&sink->classes[i].e2e);
        llmsim_stat_fini(&sink->classes[i].queue);
    }
    free(sink->classes);
    *sink = (struct classes_sink){.classes = NULL};
}

const struct llmsim_sink_ops llmsim_classes_sink_ops = {
    .name = "classes",
    .begin = classes_begin,
    .request = classes_request,
    .end = classes_end,
};
