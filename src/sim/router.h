/* router.h: which replica a request goes to.
 *
 * A router is a row of the table in router.c. It decides when the request arrives, from what is
 * known at that time, and never again. */
#ifndef LLMSIM_SIM_ROUTER_H
#define LLMSIM_SIM_ROUTER_H

#include <stdbool.h>

#include "llmsim/replay.h"
#include "random.h"

/* What a router may ask of the engine. */
struct router_view {
    const void *engine;
    /* Requests sent to the replica that have not left it. */
    uint64_t (*outstanding)(const void *engine, uint32_t replica);
    /* Tokens of KV cache that its running requests hold and its waiting ones will need first. */
    uint64_t (*kv_tokens)(const void *engine, uint32_t replica);
    /* Tokens of the request's prompt that the replica's prefix cache has. */
    uint64_t (*cached_tokens)(const void *engine, uint32_t replica,
                              const struct llmsim_request *request);
};

/* Routes among `n` replicas from `first` on. */
struct router {
    const struct router_kind *kind;
    struct router_view view;
    uint32_t first, n;
    uint64_t n_routed;
    struct llmsim_random random;
};

struct router_kind {
    struct llmsim_choice choice;
    /* From 0 to n - 1. */
    uint32_t (*route)(struct router *router, const struct llmsim_request *request);
};

/* The first row for no name (NULL); NULL if there is no router of that name. */
const struct router_kind *llmsim_router_find(const char *name);

/* LLMSIM_RUN_FAILED: out of memory. A zeroed router needs no fini. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_router_init(struct router *router,
                                                        const struct llmsim_replay_config *config,
                                                        const struct router_view *view,
                                                        uint32_t first, uint32_t n,
                                                        struct llmsim_error *err);
void llmsim_router_fini(struct router *router);

/* The number of the replica. */
static inline uint32_t llmsim_route(struct router *router, const struct llmsim_request *request)
{
    uint32_t replica = router->n > 1 ? router->kind->route(router, request) : 0;
    router->n_routed++;
    return router->first + replica;
}

#endif
