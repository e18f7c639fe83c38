/* array_source.c: requests from memory. */
#include <string.h>

#include "llmsim/trace.h"

static enum llmsim_status read_array(void *self, struct llmsim_request *requests, size_t capacity,
                                     size_t *n, struct llmsim_error *err)
{
    struct llmsim_array_cursor *cursor = self;
    (void)err;
    size_t left = cursor->n - cursor->next;
    *n = left < capacity ? left : capacity;
    if (*n > 0)
        memcpy(requests, cursor->requests + cursor->next, *n * sizeof *requests);
    cursor->next += *n;
    return LLMSIM_OK;
}

static const char *no_id_text(const void *self, uint32_t id, size_t *length)
{
    (void)self;
    (void)id;
    *length = 0;
    return "";
}

static void release_nothing(void *self, uint32_t id)
{
    (void)self;
    (void)id;
}

static void array_prefix(const void *self, uint32_t handle, struct llmsim_prefix *prefix)
{
    const struct llmsim_array_cursor *cursor = self;
    *prefix = cursor->prefixes[handle];
}

struct llmsim_source llmsim_source_from_array(struct llmsim_array_cursor *cursor)
{
    bool has_prefixes = cursor != NULL && cursor->prefixes != NULL;
    return (struct llmsim_source){
        .self = cursor,
        .read = read_array,
        .id_text = no_id_text,
        .release = release_nothing,
        .prefix = has_prefixes ? array_prefix : NULL,
        .release_prefix = has_prefixes ? release_nothing : NULL,
    };
}
