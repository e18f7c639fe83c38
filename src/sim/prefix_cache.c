#include "prefix_cache.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_BUCKETS 1024u

static struct prefix_unit **bucket_of(const struct prefix_cache *cache, uint64_t id)
{
    return &cache->buckets[llmsim_block_hash(id) & (cache->n_buckets - 1)];
}

static struct prefix_unit *find(const struct prefix_cache *cache, uint64_t id)
{
    struct prefix_unit *unit = cache->n_units > 0 ? *bucket_of(cache, id) : NULL;
    while (unit != NULL && unit->id != id)
        unit = unit->next;
    return unit;
}

static bool grow(struct prefix_cache *cache)
{
    struct prefix_cache larger = {.n_buckets =
                                      cache->n_buckets > 0 ? 2 * cache->n_buckets : FIRST_BUCKETS};
    larger.buckets = calloc(larger.n_buckets, sizeof(struct prefix_unit *));
    if (larger.buckets == NULL)
        return false;
    for (size_t i = 0; i < cache->n_buckets; i++) {
        for (struct prefix_unit *unit = cache->buckets[i], *next; unit != NULL; unit = next) {
            struct prefix_unit **bucket = bucket_of(&larger, unit->id);
            next = unit->next;
            unit->next = *bucket;
            *bucket = unit;
        }
    }
    free(cache->buckets);
    cache->buckets = larger.buckets;
    cache->n_buckets = larger.n_buckets;
    return true;
}

/* A new unit, with one holder. NULL: out of memory. */
static struct prefix_unit *insert(struct prefix_cache *cache, uint64_t id)
{
    if (cache->n_units == cache->n_buckets && !grow(cache))
        return NULL;
    struct prefix_unit *unit = malloc(sizeof *unit);
    if (unit == NULL)
        return NULL;
    struct prefix_unit **bucket = bucket_of(cache, id);
    *unit = (struct prefix_unit){.id = id, .n_holders = 1, .next = *bucket};
    *bucket = unit;
    cache->n_units++;
    return unit;
}

static void put_newest(struct prefix_cache *cache, struct prefix_unit *unit)
{
    unit->older = cache->newest;
    unit->newer = NULL;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = unit;
    cache->newest = unit;
    cache->n_unheld += unit->n_blocks;
}

static void take_out(struct prefix_cache *cache, const struct prefix_unit *unit)
{
    *(unit->older != NULL ? &unit->older->newer : &cache->oldest) = unit->newer;
    *(unit->newer != NULL ? &unit->newer->older : &cache->newest) = unit->older;
    cache->n_unheld -= unit->n_blocks;
}

static void forget_oldest(struct prefix_cache *cache)
{
    struct prefix_unit *unit = cache->oldest;
    struct prefix_unit **link = bucket_of(cache, unit->id);
    while (*link != unit)
        link = &(*link)->next;
    *link = unit->next;
    cache->oldest = unit->newer;
    *(unit->newer != NULL ? &unit->newer->older : &cache->newest) = NULL;
    cache->n_units--;
    free(unit);
}

static uint32_t blocks_in_unit(const struct prefix_cache *cache, const struct llmsim_prefix *prefix)
{
    return prefix->block_tokens / cache->block_size;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t llmsim_prefix_lookup(const struct prefix_cache *cache, const struct llmsim_prefix *prefix,
                              uint64_t n_most, uint64_t *n_unheld)
{
    uint64_t n_in_unit = blocks_in_unit(cache, prefix), n_hits = 0;
    bool is_whole = true;
    *n_unheld = 0;
    for (size_t i = 0; i < prefix->n_blocks && n_hits < n_most && is_whole; i++) {
        const struct prefix_unit *unit = find(cache, prefix->blocks[i]);
        if (unit == NULL)
            break;
        uint64_t n = least(unit->n_blocks, least(n_in_unit, n_most - n_hits));
        if (unit->n_holders > 0 && n < unit->n_blocks)
            break;
        *n_unheld += unit->n_holders == 0 ? n : 0;
        n_hits += n;
        is_whole = unit->n_blocks >= n_in_unit;
    }
    return n_hits;
}

uint64_t llmsim_prefix_take(struct prefix_cache *cache, const struct llmsim_prefix *prefix,
                            uint64_t n_blocks, struct prefix_hold *hold)
{
    uint32_t n_in_unit = blocks_in_unit(cache, prefix);
    uint64_t n_unheld = 0;
    *hold = (struct prefix_hold){0};
    while (hold->n_blocks < n_blocks) {
        struct prefix_unit *unit = find(cache, prefix->blocks[hold->n_units]);
        assert(unit != NULL);
        hold->last_blocks = (uint32_t)least(n_in_unit, n_blocks - hold->n_blocks);
        if (unit->n_holders++ == 0) {
            take_out(cache, unit);
            unit->n_blocks = hold->last_blocks;
            n_unheld += unit->n_blocks;
        }
        hold->n_blocks += hold->last_blocks;
        hold->n_units++;
    }
    return n_unheld;
}

bool llmsim_prefix_add(struct prefix_cache *cache, const struct llmsim_prefix *prefix,
                       uint64_t n_blocks, struct prefix_hold *hold)
{
    uint32_t n_in_unit = blocks_in_unit(cache, prefix);
    while (hold->n_blocks < n_blocks) {
        bool goes_on = hold->n_units > 0 && hold->last_blocks < n_in_unit;
        if (!goes_on && hold->n_units == prefix->n_blocks)
            return true;
        uint64_t id = prefix->blocks[goes_on ? hold->n_units - 1 : hold->n_units];
        struct prefix_unit *unit = find(cache, id);
        if (goes_on ? unit->n_holders > 1 : unit != NULL)
            return true; /* another request has it too, or has brought it */
        if (!goes_on) {
            unit = insert(cache, id);
            if (unit == NULL)
                return false;
            hold->n_units++;
            hold->last_blocks = 0;
        }
        uint32_t n = (uint32_t)least(n_in_unit - hold->last_blocks, n_blocks - hold->n_blocks);
        unit->n_blocks += n;
        hold->last_blocks += n;
        hold->n_blocks += n;
    }
    return true;
}

uint64_t llmsim_prefix_drop(struct prefix_cache *cache, const struct llmsim_prefix *prefix,
                            struct prefix_hold *hold)
{
    uint64_t n_unheld = 0;
    for (; hold->n_units > 0; hold->n_units--) {
        struct prefix_unit *unit = find(cache, prefix->blocks[hold->n_units - 1]);
        if (--unit->n_holders > 0)
            continue;
        n_unheld += unit->n_blocks;
        put_newest(cache, unit);
    }
    *hold = (struct prefix_hold){0};
    return n_unheld;
}

void llmsim_prefix_evict(struct prefix_cache *cache, uint64_t n_free)
{
    while (cache->n_unheld > n_free) {
        struct prefix_unit *unit = cache->oldest;
        uint32_t n = (uint32_t)least(unit->n_blocks, cache->n_unheld - n_free);
        unit->n_blocks -= n;
        cache->n_unheld -= n;
        if (unit->n_blocks > 0)
            return;
        forget_oldest(cache);
    }
}

void llmsim_prefix_cache_fini(struct prefix_cache *cache)
{
    for (size_t i = 0; i < cache->n_buckets; i++) {
        for (struct prefix_unit *unit = cache->buckets[i], *next; unit != NULL; unit = next) {
            next = unit->next;
            free(unit);
        }
    }
    free(cache->buckets);
    *cache = (struct prefix_cache){.block_size = cache->block_size};
}
