/* step_prefixes.h: the prefix cache of the step engine: the rules of prefix_cache.h over a plain
 * list, with the order in which units were let go as a number. */
#ifndef LLMSIM_SIM_STEP_PREFIXES_H
#define LLMSIM_SIM_STEP_PREFIXES_H

#include "prefix_cache.h"

struct step_unit {
    uint64_t id;
    uint64_t n_holders, n_blocks;
    uint64_t let_go; /* the number of the time, while nobody holds it */
};

struct step_prefixes {
    uint32_t block_size;
    struct step_unit *units;
    size_t n, capacity;
    uint64_t n_let_go;
};

uint64_t step_prefixes_lookup(const struct step_prefixes *cache, const struct llmsim_prefix *prefix,
                              uint64_t n_most, uint64_t *n_unheld);
void step_prefixes_take(struct step_prefixes *cache, const struct llmsim_prefix *prefix,
                        uint64_t n_blocks, struct prefix_hold *hold);
/* false: out of memory. */
bool step_prefixes_add(struct step_prefixes *cache, const struct llmsim_prefix *prefix,
                       uint64_t n_blocks, struct prefix_hold *hold);
void step_prefixes_drop(struct step_prefixes *cache, const struct llmsim_prefix *prefix,
                        struct prefix_hold *hold);
void step_prefixes_evict(struct step_prefixes *cache, uint64_t n_free);
/* Blocks of units that somebody holds. */
uint64_t step_prefixes_held(const struct step_prefixes *cache);

#endif
