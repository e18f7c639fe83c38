/* prefix_pool.c: a slot is the number of ids, then the ids. */
#include "prefix_pool.h"

#include <string.h>

#define CLASS_BITS 5u
_Static_assert(LLMSIM_PREFIX_CLASSES <= 1u << CLASS_BITS, "a handle has that many bits for it");
_Static_assert(LLMSIM_PREFIX_MAX_BLOCKS >= LLMSIM_MAX_ROW_BYTES / 2, "a digit and a blank each");

static unsigned class_of(uint32_t handle)
{
    return handle & ((1u << CLASS_BITS) - 1);
}

static uint64_t *words_at(const struct llmsim_prefix_pool *pool, uint32_t handle)
{
    return llmsim_slot_pool_at(&pool->classes[class_of(handle)], handle >> CLASS_BITS);
}

void llmsim_prefix_pool_fini(struct llmsim_prefix_pool *pool)
{
    for (size_t i = 0; i < LLMSIM_PREFIX_CLASSES; i++)
        llmsim_slot_pool_fini(&pool->classes[i]);
}

uint32_t llmsim_prefix_pool_add(struct llmsim_prefix_pool *pool, const uint64_t *blocks, size_t n)
{
    unsigned class = 0;
    while ((size_t)8 << class < n + 1)
        class ++;
    pool->classes[class].size_class = class;
    uint32_t slot = llmsim_slot_pool_take(&pool->classes[class]);
    if (slot == 0 || slot > UINT32_MAX >> CLASS_BITS)
        return 0;
    uint32_t handle = slot << CLASS_BITS | class;
    uint64_t *words = words_at(pool, handle);
    words[0] = n;
    memcpy(words + 1, blocks, n * sizeof *blocks);
    return handle;
}

const uint64_t *llmsim_prefix_pool_blocks(const struct llmsim_prefix_pool *pool, uint32_t handle,
                                          size_t *n)
{
    const uint64_t *words = words_at(pool, handle);
    *n = (size_t)words[0];
    return words + 1;
}

void llmsim_prefix_pool_release(struct llmsim_prefix_pool *pool, uint32_t handle)
{
    llmsim_slot_pool_release(&pool->classes[class_of(handle)], handle >> CLASS_BITS);
}
