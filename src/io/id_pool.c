/* id_pool.c: an id takes a slot of 64 bytes. */
#include "id_pool.h"

#include <string.h>

#include "csv_line.h"

struct id {
    unsigned char length;
    char text[LLMSIM_MAX_REQUEST_ID];
};
_Static_assert(sizeof(struct id) == 64 && LLMSIM_NO_ID == 0, "one slot an id, and 0 is none");

void llmsim_id_pool_fini(struct llmsim_id_pool *pool)
{
    llmsim_slot_pool_fini(&pool->slots);
}

uint32_t llmsim_id_pool_add(struct llmsim_id_pool *pool, const char *text, size_t n, bool *too_long)
{
    char field[LLMSIM_MAX_REQUEST_ID];
    size_t length = llmsim_csv_quote(text, n, field, sizeof field);
    *too_long = length == 0;
    uint32_t handle = *too_long ? LLMSIM_NO_ID : llmsim_slot_pool_take(&pool->slots);
    if (handle == LLMSIM_NO_ID)
        return LLMSIM_NO_ID;
    struct id *id = llmsim_slot_pool_at(&pool->slots, handle);
    id->length = (unsigned char)length;
    memcpy(id->text, field, length);
    return handle;
}

const char *llmsim_id_pool_text(const struct llmsim_id_pool *pool, uint32_t id, size_t *length)
{
    const struct id *stored = llmsim_slot_pool_at(&pool->slots, id);
    *length = stored->length;
    return stored->text;
}

void llmsim_id_pool_release(struct llmsim_id_pool *pool, uint32_t id)
{
    llmsim_slot_pool_release(&pool->slots, id);
}
