#include "router.h"

static uint32_t round_robin(struct router *router, const struct llmsim_request *request)
{
    (void)request;
    return (uint32_t)(router->n_routed % router->n);
}

static uint32_t at_random(struct router *router, const struct llmsim_request *request)
{
    (void)request;
    return (uint32_t)llmsim_random_below(&router->random, router->n);
}

/* The replica with the least load, of equal ones the first. */
static uint32_t least(const struct router *router,
                      uint64_t (*load)(const void *engine, uint32_t replica))
{
    uint32_t least = 0;
    uint64_t least_load = UINT64_MAX;
    for (uint32_t i = 0; i < router->n && least_load > 0; i++) {
        uint64_t i_load = load(router->view.engine, router->first + i);
        if (i_load < least_load) {
            least_load = i_load;
            least = i;
        }
    }
    return least;
}

static uint32_t least_outstanding(struct router *router, const struct llmsim_request *request)
{
    (void)request;
    return least(router, router->view.outstanding);
}

static uint32_t least_kv(struct router *router, const struct llmsim_request *request)
{
    (void)request;
    return least(router, router->view.kv_tokens);
}

static const struct router_kind routers[] = {
    {{"round-robin", "one after the other"}, round_robin},
    {{"random", "any, by --seed"}, at_random},
    {{"least-outstanding", "the one with the fewest requests that have not ended"},
     least_outstanding},
    {{"least-kv", "the one with the fewest tokens of KV cache, of running and waiting requests"},
     least_kv},
};

const struct llmsim_choice *llmsim_router_choice(size_t i)
{
    return i < sizeof routers / sizeof *routers ? &routers[i].choice : NULL;
}

const struct router_kind *llmsim_router_find(const char *name)
{
    size_t i;
    return llmsim_choice_find(llmsim_router_choice, name, &i) ? &routers[i] : NULL;
}

enum llmsim_status llmsim_router_init(struct router *router,
                                      const struct llmsim_replay_config *config,
                                      const struct router_view *view, uint32_t first, uint32_t n,
                                      struct llmsim_error *err)
{
    *router = (struct router){
        .kind = llmsim_router_find(config->router), .view = *view, .first = first, .n = n};
    if (!llmsim_random_init(&router->random, config->seed, first))
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    return LLMSIM_OK;
}

void llmsim_router_fini(struct router *router)
{
    llmsim_random_fini(&router->random);
}
