/* slot_pool.c: chunks that never move, and a free list through the free slots. */
#include "slot_pool.h"

#include <stdlib.h>
#include <string.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

/* Chunks have 64 KiB, or one slot where that is larger. */
#define CHUNK_CLASS 10u

static unsigned chunk_shift(const struct llmsim_slot_pool *pool)
{
    return pool->size_class < CHUNK_CLASS ? CHUNK_CLASS - pool->size_class : 0;
}

void *llmsim_slot_pool_at(const struct llmsim_slot_pool *pool, uint32_t slot)
{
    unsigned shift = chunk_shift(pool);
    size_t within = (slot - 1) & ((1u << shift) - 1);
    return pool->chunks[(slot - 1) >> shift] + within * llmsim_slot_bytes(pool);
}

static bool grow(struct llmsim_slot_pool *pool)
{
    unsigned shift = chunk_shift(pool);
    uint32_t n = pool->n_chunks;
    if (n == UINT32_MAX >> shift)
        return false;
    if (n == 0 || (n & (n - 1)) == 0) {
        unsigned char **chunks =
            realloc(pool->chunks, (n > 0 ? 2 * (size_t)n : 1) * sizeof *chunks);
        if (chunks == NULL)
            return false;
        pool->chunks = chunks;
    }
    pool->chunks[n] = malloc(llmsim_slot_bytes(pool) << shift);
    if (pool->chunks[n] == NULL)
        return false;
    pool->n_chunks++;
    for (uint32_t slot = (n + 1) << shift; slot > n << shift; slot--)
        llmsim_slot_pool_release(pool, slot);
    return true;
}

void llmsim_slot_pool_fini(struct llmsim_slot_pool *pool)
{
    for (uint32_t i = 0; i < pool->n_chunks; i++) {
        ASAN_UNPOISON_MEMORY_REGION(pool->chunks[i], llmsim_slot_bytes(pool) << chunk_shift(pool));
        free(pool->chunks[i]);
    }
    free(pool->chunks);
    *pool = (struct llmsim_slot_pool){.size_class = pool->size_class};
}

uint32_t llmsim_slot_pool_take(struct llmsim_slot_pool *pool)
{
    if (pool->first_free == 0 && !grow(pool))
        return 0;
    uint32_t slot = pool->first_free;
    void *bytes = llmsim_slot_pool_at(pool, slot);
    ASAN_UNPOISON_MEMORY_REGION(bytes, llmsim_slot_bytes(pool));
    memcpy(&pool->first_free, bytes, sizeof pool->first_free);
    return slot;
}

void llmsim_slot_pool_release(struct llmsim_slot_pool *pool, uint32_t slot)
{
    void *bytes = llmsim_slot_pool_at(pool, slot);
    memcpy(bytes, &pool->first_free, sizeof pool->first_free);
    ASAN_POISON_MEMORY_REGION(bytes, llmsim_slot_bytes(pool));
    pool->first_free = slot;
}
