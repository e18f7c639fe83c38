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

/* A replica that has this many requests more than the least loaded one, and this many times as
 * many, gets no more for the sake of its cache. */
#define MOST_AHEAD 32u
#define MOST_TIMES 1.5

static uint32_t prefix_affinity(struct router *router, const struct llmsim_request *request)
{
    const struct router_view *view = &router->view;
    uint32_t fewest = least(router, view->outstanding), best = fewest;
    uint64_t n_fewest = view->outstanding(view->engine, router->first + fewest);
    uint64_t best_tokens = 0, n_best = n_fewest;
    for (uint32_t i = 0; i < router->n; i++) {
        uint64_t n = view->outstanding(view->engine, router->first + i);
        uint64_t tokens = view->cached_tokens(view->engine, router->first + i, request);
        if (tokens < best_tokens || (tokens == best_tokens && n >= n_best))
            continue;
        if (n > n_fewest + MOST_AHEAD && (double)n > MOST_TIMES * (double)n_fewest)
            continue;
        best = i;
        best_tokens = tokens;
        n_best = n;
    }
    return best;
}

static const struct router_kind routers[] = {
    {{"round-robin", "one after the other"}, round_robin},
    {{"random", "any, by --seed"}, at_random},
    {{"least-outstanding", "the one with the fewest requests that have not ended"},
     least_outstanding},
    {{"least-kv", "the one with the fewest tokens of KV cache, of running and waiting requests"},
     least_kv},
    {{"prefix-affinity",
      "the one whose prefix cache has most of the prompt, unless it is far ahead "
      "in requests; of equal ones that with the fewest requests"},
     prefix_affinity},
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
