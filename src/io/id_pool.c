/* id_pool.c: chunks that never move, and a free list through the free slots. */
#include "id_pool.h"

#include <stdlib.h>
#include <string.h>

#include "csv_line.h"

static struct llmsim_id_slot *slot_at(const struct llmsim_id_pool *pool, uint32_t id)
{
    return &pool->chunks[id / LLMSIM_ID_CHUNK_SLOTS][id % LLMSIM_ID_CHUNK_SLOTS];
}

static bool grow(struct llmsim_id_pool *pool)
{
    if (pool->n_chunks == UINT32_MAX / LLMSIM_ID_CHUNK_SLOTS)
        return false;
    struct llmsim_id_slot **chunks =
        realloc(pool->chunks, (pool->n_chunks + 1) * sizeof(struct llmsim_id_slot *));
    if (chunks == NULL)
        return false;
    pool->chunks = chunks;
    chunks[pool->n_chunks] = malloc(LLMSIM_ID_CHUNK_SLOTS * sizeof(struct llmsim_id_slot));
    if (chunks[pool->n_chunks] == NULL)
        return false;
    uint32_t first = pool->n_chunks++ * LLMSIM_ID_CHUNK_SLOTS;
    for (uint32_t id = first + LLMSIM_ID_CHUNK_SLOTS - 1; id > first; id--)
        llmsim_id_pool_release(pool, id);
    if (first != LLMSIM_NO_ID)
        llmsim_id_pool_release(pool, first);
    return true;
}

void llmsim_id_pool_fini(struct llmsim_id_pool *pool)
{
    for (uint32_t i = 0; i < pool->n_chunks; i++)
        free(pool->chunks[i]);
    free(pool->chunks);
    *pool = (struct llmsim_id_pool){0};
}

uint32_t llmsim_id_pool_add(struct llmsim_id_pool *pool, const char *text, size_t n, bool *too_long)
{
    char field[LLMSIM_MAX_REQUEST_ID];
    size_t length = llmsim_csv_quote(text, n, field, sizeof field);
    *too_long = length == 0;
    if (*too_long || (pool->first_free == 0 && !grow(pool)))
        return LLMSIM_NO_ID;
    uint32_t id = pool->first_free;
    struct llmsim_id_slot *slot = slot_at(pool, id);
    memcpy(&pool->first_free, slot->text, sizeof pool->first_free);
    slot->length = (unsigned char)length;
    memcpy(slot->text, field, length);
    return id;
}

const char *llmsim_id_pool_text(const struct llmsim_id_pool *pool, uint32_t id, size_t *length)
{
    const struct llmsim_id_slot *slot = slot_at(pool, id);
    *length = slot->length;
    return slot->text;
}

void llmsim_id_pool_release(struct llmsim_id_pool *pool, uint32_t id)
{
    memcpy(slot_at(pool, id)->text, &pool->first_free, sizeof pool->first_free);
    pool->first_free = id;
}
