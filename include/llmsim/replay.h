/* replay.h: take requests from a source through a replica, and report to sinks. */
#ifndef LLMSIM_REPLAY_H
#define LLMSIM_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "llmsim/choice.h"
#include "llmsim/cost.h"
#include "llmsim/sink.h"
#include "llmsim/status.h"
#include "llmsim/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LLMSIM_MAX_NUM_SEQS 65535u
#define LLMSIM_MAX_CONCURRENCY 1000000u
#define LLMSIM_MAX_BLOCK_SIZE 4096u
#define LLMSIM_MAX_REPLICAS 4096u

/* The state of a run after an event, all replicas together: for tests and progress. */
struct llmsim_observation {
    llmsim_time now;
    uint64_t n_arrived;
    uint64_t n_waiting;
    uint64_t n_running; /* in the running set, or in the step under way */
    uint64_t n_ended;
    uint64_t n_steps;
    uint64_t n_output_tokens; /* of the requests that have ended */
    uint64_t n_preempted;     /* waiting for their second and later turn; n_waiting excludes them */
    uint64_t n_in_transfer;   /* their KV cache is on its way, or waits where it has come */
    uint64_t kv_blocks_used;
    uint64_t kv_blocks_free;
    uint32_t n_in_step; /* replicas that are busy */
};

struct llmsim_replay_config {
    struct llmsim_cost cost;
    const char *policy;                    /* a name of the policy table; NULL: "continuous" */
    const char *engine;                    /* a name of the engine table; NULL: "fast" */
    const char *queue_order;               /* a name of the order table; NULL: "fcfs" */
    uint32_t max_num_seqs;                 /* 1 to LLMSIM_MAX_NUM_SEQS */
    uint32_t max_num_batched_tokens;       /* 1 or more */
    uint32_t long_prefill_token_threshold; /* policy mixed: longest chunk; 0: no bound of its own */
    /* Paged KV cache: num_gpu_blocks blocks of block_size tokens (1 to LLMSIM_MAX_BLOCK_SIZE); 0
     * blocks: memory without limit. Of the blocks, kv_watermark_blocks stay free when a request is
     * admitted to a running set that is not empty. */
    uint64_t num_gpu_blocks;
    uint32_t block_size;
    uint64_t kv_watermark_blocks;
    double kv_bytes_per_token; /* what goes over links and to the host; not looked at otherwise */
    const char *preemption;    /* a name of the preemption table; NULL: "recompute" */
    double swap_bytes_per_s;   /* preemption swap: between the GPU's memory and the host's */
    /* Keep the KV blocks of prompts when their requests have ended, for prompts that begin alike:
     * with num_gpu_blocks, and of requests whose source has their prefixes. */
    bool enable_prefix_caching;
    /* Several replicas: 0 and 1 are one. Or prefill_replicas that process prompts and
     * decode_replicas that do the rest, where neither is 0; the KV cache goes from one to the other
     * over a link that each prefill replica has, one request after the other. */
    uint32_t n_replicas;
    uint32_t prefill_replicas, decode_replicas;
    double link_bytes_per_s;
    double link_latency_s;
    const char *router; /* a name of the router table; NULL: "round-robin" */
    uint64_t seed;      /* of router random */
    /* A closed loop: so many requests under way at most, whatever the source says; the next arrives
     * when one of them has ended. 0 to LLMSIM_MAX_CONCURRENCY; 0: no bound. */
    uint32_t max_concurrency;
    /* What is reported: requests that arrive from from_ns on and before until_ns (0: no end). What
     * came before is simulated all the same; at until_ns the run stops. */
    int64_t from_ns, until_ns;
    /* Called after every event, or every so many (0 is 1); NULL: not at all. The step engine's
     * events are the arrivals and the ends of steps; the fast engine's are its runs, and it reads
     * an arrival only once the scheduler can see it, so its n_arrived and n_waiting count what it
     * has read. Within an event that ends requests of more than a million tokens, it is called
     * again with what it was given last (or zeros). Returning false ends the run with
     * LLMSIM_INTERRUPTED. */
    bool (*observe)(void *ctx, const struct llmsim_observation *observation);
    void *observe_ctx;
    uint32_t observe_every;
};

/* All of them. */
static inline uint32_t llmsim_config_replicas(const struct llmsim_replay_config *config)
{
    uint32_t n_pools = config->prefill_replicas + config->decode_replicas;
    if (n_pools > 0)
        return n_pools;
    return config->n_replicas > 1 ? config->n_replicas : 1;
}

/* Where a replica's KV blocks come from: of memory_cap × utilization, what the weights and
 * activation_GB (10^9 bytes, for activations and the runtime) leave. Over n GPUs, each has its
 * share of the weights and of every block, and its own activations. */
struct llmsim_kv_memory {
    double utilization;   /* over 0, to 1 */
    double activation_GB; /* of one GPU */
    uint32_t block_size;  /* tokens */
    uint32_t n_gpus;      /* of the replica; 0 is 1 */
};
/* Sets *num_blocks to 1 or more. LLMSIM_CATALOGUE if the model leaves no room for a block. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_kv_capacity(const struct llmsim_kv_memory *memory, const struct llmsim_model *model,
                   const struct llmsim_gpu *gpu, uint64_t *num_blocks, struct llmsim_error *err);

/* The i-th policy, engine, queue order, router or way to preempt; NULL behind the last. */
LLMSIM_API const struct llmsim_choice *llmsim_policy_choice(size_t i);
LLMSIM_API const struct llmsim_choice *llmsim_router_choice(size_t i);
LLMSIM_API const struct llmsim_choice *llmsim_preemption_choice(size_t i);
LLMSIM_API const struct llmsim_choice *llmsim_engine_choice(size_t i);
LLMSIM_API const struct llmsim_choice *llmsim_order_choice(size_t i);

/* Can a replay begin with these settings? LLMSIM_USAGE; LLMSIM_CATALOGUE where what makes no sense
 * comes from the model or the GPU. llmsim_replay asks first of all. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_replay_check(const struct llmsim_replay_config *config, struct llmsim_error *err);

/* Run to the end of the source and until every request has ended. Requests must come in time order.
 * Errors: those of llmsim_replay_check, LLMSIM_USAGE (a setting that does not suit the trace),
 * LLMSIM_RUN_FAILED (memory, simulated time past 146 years), LLMSIM_INTERRUPTED, and whatever the
 * source and the sinks return. The fast engine costs some tens
 * of nanoseconds a request; the step engine some nanoseconds a token. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_replay(const struct llmsim_replay_config *config, const struct llmsim_source *source,
              const struct llmsim_sink *sinks, size_t n_sinks, struct llmsim_error *err);

#ifdef __cplusplus
}
#endif
#endif
