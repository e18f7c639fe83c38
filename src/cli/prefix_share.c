/* prefix_share.c: a set of ids, at most half full. */
#include "prefix_share.h"

#include <stdlib.h>

#define FIRST_SLOTS 1024u

/* Where an id is, or would go. */
static uint64_t *find_slot(const struct prefix_share *share, uint64_t id)
{
    uint64_t i = llmsim_block_hash(id) & (share->n_slots - 1);
    while (share->slots[i] != 0 && share->slots[i] != id)
        i = (i + 1) & (share->n_slots - 1);
    return &share->slots[i];
}

static bool has(const struct prefix_share *share, uint64_t id)
{
    if (id == 0)
        return share->has_0;
    return share->n_slots > 0 && *find_slot(share, id) == id;
}

static bool grow(struct prefix_share *share)
{
    uint64_t *old = share->slots;
    uint64_t n_old = share->n_slots, n = n_old > 0 ? 2 * n_old : FIRST_SLOTS;
    uint64_t *slots = calloc(n, sizeof *slots);
    if (slots == NULL)
        return false;
    share->slots = slots;
    share->n_slots = n;
    for (uint64_t i = 0; i < n_old; i++)
        if (old[i] != 0)
            *find_slot(share, old[i]) = old[i];
    free(old);
    return true;
}

/* false: out of memory. */
static bool insert(struct prefix_share *share, uint64_t id)
{
    if (has(share, id))
        return true;
    if (id == 0)
        share->has_0 = true;
    else if (2 * share->n_blocks >= share->n_slots && !grow(share))
        return false;
    else
        *find_slot(share, id) = id;
    share->n_blocks++;
    return true;
}

enum llmsim_status prefix_share_add(struct prefix_share *share, const struct llmsim_prefix *prefix,
                                    uint32_t prompt_tokens, struct llmsim_error *err)
{
    size_t n_full = prompt_tokens / prefix->block_tokens, n_hits = 0;
    if (n_full > prefix->n_blocks)
        n_full = prefix->n_blocks;
    while (n_hits < n_full && has(share, prefix->blocks[n_hits]))
        n_hits++;
    for (size_t i = n_hits; i < n_full; i++)
        if (!insert(share, prefix->blocks[i]))
            return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory for hash ids");
    share->n_requests++;
    share->block_tokens = prefix->block_tokens;
    share->shared_tokens += (uint64_t)n_hits * prefix->block_tokens;
    return LLMSIM_OK;
}

void prefix_share_fini(struct prefix_share *share)
{
    free(share->slots);
    *share = (struct prefix_share){0};
}
