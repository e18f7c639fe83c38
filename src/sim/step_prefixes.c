#include "step_prefixes.h"

#include <stdlib.h>

static struct step_unit *find(const struct step_prefixes *cache, uint64_t id)
{
    for (size_t i = 0; i < cache->n; i++)
        if (cache->units[i].id == id)
            return &cache->units[i];
    return NULL;
}

uint64_t step_prefixes_held(const struct step_prefixes *cache)
{
    uint64_t n_blocks = 0;
    for (size_t i = 0; i < cache->n; i++)
        n_blocks += cache->units[i].n_holders > 0 ? cache->units[i].n_blocks : 0;
    return n_blocks;
}

uint64_t step_prefixes_lookup(const struct step_prefixes *cache, const struct llmsim_prefix *prefix,
                              uint64_t n_most, uint64_t *n_unheld)
{
    uint64_t n_in_unit = prefix->block_tokens / cache->block_size, n_hits = 0;
    *n_unheld = 0;
    for (size_t i = 0; i < prefix->n_blocks && n_hits < n_most; i++) {
        const struct step_unit *unit = find(cache, prefix->blocks[i]);
        if (unit == NULL)
            return n_hits;
        uint64_t n_useful = n_most - n_hits < n_in_unit ? n_most - n_hits : n_in_unit;
        if (unit->n_holders > 0 && unit->n_blocks > n_useful)
            return n_hits;
        for (uint64_t j = 0; j < unit->n_blocks && j < n_useful; j++) {
            n_hits++;
            *n_unheld += unit->n_holders == 0;
        }
        if (unit->n_blocks < n_in_unit)
            return n_hits;
    }
    return n_hits;
}

void step_prefixes_take(struct step_prefixes *cache, const struct llmsim_prefix *prefix,
                        uint64_t n_blocks, struct prefix_hold *hold)
{
    uint64_t n_in_unit = prefix->block_tokens / cache->block_size;
    *hold = (struct prefix_hold){0};
    for (; hold->n_blocks < n_blocks; hold->n_blocks++) {
        if (hold->n_blocks % n_in_unit == 0) {
            struct step_unit *unit = find(cache, prefix->blocks[hold->n_units++]);
            uint64_t n_left = n_blocks - hold->n_blocks;
            if (unit->n_holders++ == 0 && n_left < unit->n_blocks)
                unit->n_blocks = n_left;
            hold->last_blocks = 0;
        }
        hold->last_blocks++;
    }
}

/* A block at a time. */
bool step_prefixes_add(struct step_prefixes *cache, const struct llmsim_prefix *prefix,
                       uint64_t n_blocks, struct prefix_hold *hold)
{
    uint64_t n_in_unit = prefix->block_tokens / cache->block_size;
    for (; hold->n_blocks < n_blocks; hold->n_blocks++, hold->last_blocks++) {
        if (hold->n_units > 0 && hold->last_blocks < n_in_unit) {
            struct step_unit *last = find(cache, prefix->blocks[hold->n_units - 1]);
            if (last->n_holders > 1)
                return true;
            last->n_blocks++;
            continue;
        }
        if (hold->n_units == prefix->n_blocks || find(cache, prefix->blocks[hold->n_units]) != NULL)
            return true;
        if (cache->n == cache->capacity) {
            size_t capacity = cache->capacity > 0 ? 2 * cache->capacity : 16;
            struct step_unit *units = realloc(cache->units, capacity * sizeof *units);
            if (units == NULL)
                return false;
            cache->units = units;
            cache->capacity = capacity;
        }
        cache->units[cache->n++] = (struct step_unit){
            .id = prefix->blocks[hold->n_units++], .n_holders = 1, .n_blocks = 1};
        hold->last_blocks = 0;
    }
    return true;
}

void step_prefixes_drop(struct step_prefixes *cache, const struct llmsim_prefix *prefix,
                        struct prefix_hold *hold)
{
    while (hold->n_units > 0) {
        struct step_unit *unit = find(cache, prefix->blocks[--hold->n_units]);
        if (--unit->n_holders == 0)
            unit->let_go = cache->n_let_go++;
    }
    *hold = (struct prefix_hold){0};
}

/* A block at a time. */
void step_prefixes_evict(struct step_prefixes *cache, uint64_t n_free)
{
    for (;;) {
        uint64_t n_unheld = 0;
        size_t oldest = cache->n;
        for (size_t i = 0; i < cache->n; i++) {
            const struct step_unit *unit = &cache->units[i];
            if (unit->n_holders > 0)
                continue;
            n_unheld += unit->n_blocks;
            if (oldest == cache->n || unit->let_go < cache->units[oldest].let_go)
                oldest = i;
        }
        if (n_unheld <= n_free)
            return;
        if (--cache->units[oldest].n_blocks == 0)
            cache->units[oldest] = cache->units[--cache->n];
    }
}
