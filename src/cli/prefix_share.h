/* prefix_share.h: how much of the prompts of a trace an earlier request already had. */
#ifndef LLMSIM_PREFIX_SHARE_H
#define LLMSIM_PREFIX_SHARE_H

#include "llmsim/llmsim.h"

/* What a prefix cache that never forgets would hit: the full blocks of a prompt, from the first on,
 * up to the first that no earlier request had. Memory is 16 to 32 bytes for each different block of
 * the trace. All zero: none so far. */
struct prefix_share {
    uint64_t n_requests; /* that have hash ids */
    uint32_t block_tokens;
    uint64_t n_blocks;      /* different full ones */
    uint64_t shared_tokens; /* prompt tokens in blocks that were there before */
    uint64_t *slots;        /* open addressing by a hash of the id; 0: free */
    uint64_t n_slots;       /* a power of two, or 0 */
    bool has_0;             /* the id 0, which has no slot */
};

/* LLMSIM_RUN_FAILED: out of memory. */
LLMSIM_MUST_CHECK enum llmsim_status prefix_share_add(struct prefix_share *share,
                                                      const struct llmsim_prefix *prefix,
                                                      uint32_t prompt_tokens,
                                                      struct llmsim_error *err);
void prefix_share_fini(struct prefix_share *share);

#endif
