/* memory_trace.c: a trace in memory, once for all points. */
#include <stdlib.h>

#include "llmsim/sweep.h"

#define FIRST_CAPACITY 4096

/* Room for some requests more. */
static enum llmsim_status grow(struct llmsim_memory_trace *memory, size_t *capacity,
                               struct llmsim_error *err)
{
    if (memory->n < *capacity)
        return LLMSIM_OK;
    size_t wanted = *capacity == 0 ? FIRST_CAPACITY : *capacity + *capacity / 2;
    struct llmsim_request *larger = realloc(memory->requests, wanted * sizeof *larger);
    if (larger == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory for a trace of %zu requests",
                           memory->n);
    memory->requests = larger;
    *capacity = wanted;
    return LLMSIM_OK;
}

/* Nothing reads the ids: they order requests that end at the same time, which no count, sum or
 * percentile can tell. */
static void drop_ids(const struct llmsim_source *source, struct llmsim_request *requests, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (requests[i].id != LLMSIM_NO_ID)
            source->release(source->self, requests[i].id);
        requests[i].id = LLMSIM_NO_ID;
    }
}

enum llmsim_status llmsim_memory_trace_read(struct llmsim_trace *trace,
                                            struct llmsim_memory_trace *memory,
                                            struct llmsim_error *err)
{
    struct llmsim_source source = llmsim_trace_source(trace);
    size_t capacity = 0, n = 1;
    *memory = (struct llmsim_memory_trace){.trace = trace, .source = source};
    enum llmsim_status status = LLMSIM_OK;
    while (status == LLMSIM_OK && n > 0) {
        status = grow(memory, &capacity, err);
        if (status != LLMSIM_OK)
            break;
        struct llmsim_request *end = memory->requests + memory->n;
        status = source.read(source.self, end, capacity - memory->n, &n, err);
        drop_ids(&source, end, n);
        memory->n += n;
    }
    if (status != LLMSIM_OK) {
        llmsim_memory_trace_fini(memory);
        return status;
    }
    llmsim_trace_get_status(trace, &memory->status);
    return LLMSIM_OK;
}

void llmsim_memory_trace_fini(struct llmsim_memory_trace *memory)
{
    free(memory->requests);
    *memory = (struct llmsim_memory_trace){0};
}

static enum llmsim_status read_memory(void *self, struct llmsim_request *requests, size_t capacity,
                                      size_t *n, struct llmsim_error *err)
{
    struct llmsim_memory_cursor *cursor = self;
    const struct llmsim_memory_trace *memory = cursor->memory;
    size_t left = memory->n - cursor->next;
    *n = left < capacity ? left : capacity;
    for (size_t i = 0; i < *n; i++) {
        struct llmsim_request r = memory->requests[cursor->next + i];
        int64_t scaled_ns = llmsim_ratio_scale_arrival(cursor->rate_scale, r.arrival_ns);
        int64_t lead_ns = r.deadline_ns != LLMSIM_NO_DEADLINE ? r.deadline_ns - r.arrival_ns : 0;
        if (scaled_ns > LLMSIM_MAX_ARRIVAL_NS - lead_ns) {
            *n = 0;
            return llmsim_fail(err, LLMSIM_TRACE,
                               "at this rate, row %llu arrives more than 100 years after time 0; "
                               "expected less",
                               (unsigned long long)r.row);
        }
        r.arrival_ns = scaled_ns;
        if (r.deadline_ns != LLMSIM_NO_DEADLINE)
            r.deadline_ns = scaled_ns + lead_ns;
        requests[i] = r;
    }
    cursor->next += *n;
    return LLMSIM_OK;
}

static const char *class_name(const void *self, uint16_t class_id)
{
    const struct llmsim_memory_cursor *cursor = self;
    const struct llmsim_source *source = &cursor->memory->source;
    return source->class_name(source->self, class_id);
}

static void get_prefix(const void *self, uint32_t handle, struct llmsim_prefix *prefix)
{
    const struct llmsim_memory_cursor *cursor = self;
    const struct llmsim_source *source = &cursor->memory->source;
    source->prefix(source->self, handle, prefix);
}

struct llmsim_source llmsim_memory_source(struct llmsim_memory_cursor *cursor)
{
    if (cursor->rate_scale.denominator == 0)
        cursor->rate_scale = (struct llmsim_ratio){1, 1};
    const struct llmsim_source *source = &cursor->memory->source;
    struct llmsim_source result = llmsim_source_from_array(NULL); /* for requests without ids */
    result.self = cursor;
    result.read = read_memory;
    if (source->class_name != NULL)
        result.class_name = class_name;
    if (source->prefix != NULL) {
        result.prefix = get_prefix;
        result.release_prefix = result.release; /* which does nothing */
    }
    return result;
}
