/* slot_pool.h: memory for things that live from a read to a release, under numbers. */
#ifndef LLMSIM_IO_SLOT_POOL_H
#define LLMSIM_IO_SLOT_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Slots are numbered from 1. They stay where they are while the pool grows, chunk by chunk, and are
 * used again, the last that was freed first. All zero: an empty pool of slots of 64 bytes. */
struct llmsim_slot_pool {
    unsigned char **chunks;
    uint32_t n_chunks;
    uint32_t first_free; /* a free slot begins with the number of the next; 0: none */
    unsigned size_class; /* a slot has 64 << size_class bytes */
};

static inline size_t llmsim_slot_bytes(const struct llmsim_slot_pool *pool)
{
    return (size_t)64 << pool->size_class;
}

void llmsim_slot_pool_fini(struct llmsim_slot_pool *pool);
/* A slot, aligned for any integer, with anything in it. 0: out of memory. */
uint32_t llmsim_slot_pool_take(struct llmsim_slot_pool *pool);
void *llmsim_slot_pool_at(const struct llmsim_slot_pool *pool, uint32_t slot);
/* AddressSanitizer then refuses what is still read or written there. */
void llmsim_slot_pool_release(struct llmsim_slot_pool *pool, uint32_t slot);

#endif
