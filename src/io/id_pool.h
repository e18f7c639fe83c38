/* id_pool.h: the texts of request ids that are in flight. */
#ifndef LLMSIM_IO_ID_POOL_H
#define LLMSIM_IO_ID_POOL_H

#include "llmsim/trace.h"
#include "slot_pool.h"

/* Handles are slots: LLMSIM_NO_ID is none. All zero: an empty pool. */
struct llmsim_id_pool {
    struct llmsim_slot_pool slots;
};

void llmsim_id_pool_fini(struct llmsim_id_pool *pool);
/* Store `text`, quoted as a CSV field where it has to be. LLMSIM_NO_ID: out of memory, or it takes
 * more than LLMSIM_MAX_REQUEST_ID bytes (then *too_long). */
uint32_t llmsim_id_pool_add(struct llmsim_id_pool *pool, const char *text, size_t n,
                            bool *too_long);
const char *llmsim_id_pool_text(const struct llmsim_id_pool *pool, uint32_t id, size_t *length);
void llmsim_id_pool_release(struct llmsim_id_pool *pool, uint32_t id);

#endif
