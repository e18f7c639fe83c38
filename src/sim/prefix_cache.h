/* prefix_cache.h: KV blocks that outlive their request, for prompts that begin alike.
 *
 * The trace names the content of a prompt in units of some hundred tokens (struct llmsim_prefix); a
 * unit is a few KV blocks. The cache knows, of each unit that it has, how many of its blocks are
 * there, from its beginning, and how many requests hold it. A unit that nobody holds counts as free
 * memory and is the more likely to stay the later it was let go: blocks are evicted from the end of
 * the unit that was let go first, and a request lets go of its last unit first, so that what is
 * left of a prompt is always its beginning.
 *
 * Whoever holds a unit has a use for all of its blocks: a unit that somebody holds is hit whole or
 * not at all, one that nobody holds loses what its next holder has no use for, and it grows only
 * for a single holder. So a request that is alone never holds more blocks than its tokens need.
 */
#ifndef LLMSIM_SIM_PREFIX_CACHE_H
#define LLMSIM_SIM_PREFIX_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmsim/trace.h"

/* What a request holds: units from the beginning of its prompt on, and of their blocks those that
 * are its own. Zeros: nothing. */
struct prefix_hold {
    uint64_t n_blocks;
    uint32_t n_units;
    uint32_t last_blocks; /* of them in the last unit */
};

struct prefix_unit {
    uint64_t id;
    uint64_t n_holders;
    uint32_t n_blocks;
    struct prefix_unit *next;          /* in its bucket */
    struct prefix_unit *older, *newer; /* among those that nobody holds */
};

struct prefix_cache {
    uint32_t block_size; /* tokens */
    struct prefix_unit **buckets;
    size_t n_buckets, n_units;
    struct prefix_unit *oldest, *newest; /* of those that nobody holds */
    uint64_t n_unheld;                   /* blocks of those */
};

/* A struct with all but its block size zero is an empty cache. */
void llmsim_prefix_cache_fini(struct prefix_cache *cache);

/* How many blocks of the prompt are there, at most `n_most`. They take *n_unheld blocks out of what
 * counts as free. */
uint64_t llmsim_prefix_lookup(const struct prefix_cache *cache, const struct llmsim_prefix *prefix,
                              uint64_t n_most, uint64_t *n_unheld);
/* Hold that many of them, as lookup has found. Returns the blocks that are no longer free. */
uint64_t llmsim_prefix_take(struct prefix_cache *cache, const struct llmsim_prefix *prefix,
                            uint64_t n_blocks, struct prefix_hold *hold);
/* The holder has computed its first n_blocks full blocks: those that the cache does not have become
 * units that it holds. The rest of its prompt stays its own where another request has brought the
 * same. false: out of memory. */
bool llmsim_prefix_add(struct prefix_cache *cache, const struct llmsim_prefix *prefix,
                       uint64_t n_blocks, struct prefix_hold *hold);
/* Let go. Returns the blocks that nobody holds now. */
uint64_t llmsim_prefix_drop(struct prefix_cache *cache, const struct llmsim_prefix *prefix,
                            struct prefix_hold *hold);
/* Only so many blocks are free: forget what goes beyond. */
void llmsim_prefix_evict(struct prefix_cache *cache, uint64_t n_free);

#endif
