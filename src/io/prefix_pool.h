/* prefix_pool.h: the hash ids of requests that are in flight.
 *
 * Memory follows the requests between read and release, not the trace: at most twice their ids and
 * a few words each, at the most that there ever were of each size. */
#ifndef LLMSIM_IO_PREFIX_POOL_H
#define LLMSIM_IO_PREFIX_POOL_H

#include "llmsim/trace.h"
#include "slot_pool.h"

/* Slots of 7, 15, … ids; the last holds as many as a row of a trace could have. */
#define LLMSIM_PREFIX_CLASSES 22u
#define LLMSIM_PREFIX_MAX_BLOCKS ((8u << (LLMSIM_PREFIX_CLASSES - 1)) - 1)

/* A handle is a slot and its class: 0 is none. All zero: an empty pool. */
struct llmsim_prefix_pool {
    struct llmsim_slot_pool classes[LLMSIM_PREFIX_CLASSES];
};

void llmsim_prefix_pool_fini(struct llmsim_prefix_pool *pool);
/* Store n ids, 1 to LLMSIM_PREFIX_MAX_BLOCKS. 0: out of memory. */
uint32_t llmsim_prefix_pool_add(struct llmsim_prefix_pool *pool, const uint64_t *blocks, size_t n);
const uint64_t *llmsim_prefix_pool_blocks(const struct llmsim_prefix_pool *pool, uint32_t handle,
                                          size_t *n);
void llmsim_prefix_pool_release(struct llmsim_prefix_pool *pool, uint32_t handle);

#endif
