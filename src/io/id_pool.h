/* id_pool.h: the texts of request ids that are in flight, in slots of 64 bytes. */
#ifndef LLMSIM_IO_ID_POOL_H
#define LLMSIM_IO_ID_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmsim/trace.h"

#define LLMSIM_ID_CHUNK_SLOTS 1024u

struct llmsim_id_slot {
    unsigned char length;
    char text[LLMSIM_MAX_REQUEST_ID];
};
_Static_assert(sizeof(struct llmsim_id_slot) == 64, "one cache line a slot");

/* Handles are slot numbers; slot 0 is never given out, because 0 is LLMSIM_NO_ID. Texts stay where
 * they are while the pool grows, chunk by chunk. All zero: an empty pool. */
struct llmsim_id_pool {
    struct llmsim_id_slot **chunks;
    uint32_t n_chunks;
    uint32_t first_free; /* a free slot's text begins with the number of the next; 0: none */
};

void llmsim_id_pool_fini(struct llmsim_id_pool *pool);
/* Store `text`, quoted as a CSV field where it has to be. LLMSIM_NO_ID: out of memory, or it takes
 * more than LLMSIM_MAX_REQUEST_ID bytes (then *too_long). */
uint32_t llmsim_id_pool_add(struct llmsim_id_pool *pool, const char *text, size_t n,
                            bool *too_long);
const char *llmsim_id_pool_text(const struct llmsim_id_pool *pool, uint32_t id, size_t *length);
void llmsim_id_pool_release(struct llmsim_id_pool *pool, uint32_t id);

#endif
