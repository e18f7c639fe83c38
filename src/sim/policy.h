/* policy.h: which requests the next step takes.
 *
 * A policy is a row of the table in policy.c and a file policy_*.c. Both engines ask it the same
 * question at every step boundary, so that it decides and they only keep time. It sees a request's
 * prompt but has no business with its output_tokens: a server does not know them. */
#ifndef LLMSIM_SIM_POLICY_H
#define LLMSIM_SIM_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "llmsim/replay.h"
#include "prefix_cache.h"

/* A request whose prompt is being processed. After a preemption its prompt is followed by the
 * tokens that it had made: they are processed again, together. */
struct prefill {
    struct llmsim_request request;
    int64_t scheduled_ns;    /* start of its first step; kept by the engine, as is the next */
    void *resumed;           /* the engine's memory of a preempted request, or NULL */
    uint64_t admission;      /* counts admissions; the latest is the first to be preempted */
    uint32_t n_generated;    /* tokens made before */
    uint32_t tokens_left;    /* to be processed; those before them are in the KV cache */
    uint32_t chunk;          /* of them, those that the next step processes */
    uint32_t cached_tokens;  /* that the prefix cache had when it was admitted */
    struct prefix_hold hold; /* what it has of the prefix cache */
};

/* Blocks of KV cache. A request holds those for its stored tokens: prompt and all tokens but the
 * latest, which needs no place before it is read. */
struct kv {
    uint32_t block_size;
    uint64_t total; /* 0: no limit, and nothing is counted */
    uint64_t free;
    uint64_t watermark;
};

static inline uint64_t llmsim_kv_blocks(const struct kv *kv, uint64_t tokens)
{
    return kv->total == 0 ? 0 : (tokens + kv->block_size - 1) / kv->block_size;
}

/* What is known at a step boundary, and, once `form` has run, the next step. */
struct boundary {
    /* The head of the waiting queue, NULL where nobody waits, and what is left of its former turn.
     * A policy looks at it only while there is a place. `take` removes it and sets the next;
     * `reject` reports it as an outcome and takes it. */
    const struct llmsim_request *head;
    uint32_t head_generated;
    void *head_resumed;
    /* With a prefix cache, what it has of the head's prompt: blocks, and how many of them count as
     * free until the head is admitted. `look_up` sets them; `hold` takes them for the prompt, and
     * returns the blocks that are no longer free; `evict` sees to it that the cache has no more
     * than what is free. NULL without one. */
    uint64_t head_cached_blocks, head_unheld_blocks;
    void (*look_up)(struct boundary *b);
    uint64_t (*hold)(struct boundary *b, struct prefill *p);
    void (*evict)(struct boundary *b);
    void (*take)(struct boundary *b);
    void (*reject)(struct boundary *b, enum llmsim_outcome outcome);
    void *engine;
    uint64_t n_admissions;
    struct kv kv;
    uint32_t max_num_seqs;
    uint32_t max_num_batched_tokens;
    uint32_t long_prefill_token_threshold; /* 0: none */
    uint32_t n_decoding;                   /* requests that have their first token, and want more */
    /* Prompts under way, in order of admission; the policy sets their chunks and appends those that
     * it admits. Room for max_num_seqs in all. */
    struct prefill *prefills;
    uint32_t n_prefills;
    /* The step, of which `begin_step` makes an empty one: the chunks above, and one token for every
     * decoding request if `decodes`. A prompt may have to sit a step out (a chunk of 0); an empty
     * prompt is a chunk of 0 that counts. */
    uint32_t n_chunks;
    uint64_t prefill_tokens;
    uint64_t prefill_sum_sq;
    uint64_t longest_prefill_context; /* of llmsim_step_shape.longest_context */
    bool decodes;
};

struct policy {
    struct llmsim_choice choice;
    bool mixes; /* decodes go on beside prompts, and have the first claim on KV blocks */
    /* Set the step of the boundary, its last members from n_chunks on. An empty step means that
     * there is nothing to do.
     */
    void (*form)(struct boundary *b);
    /* Would a request that arrives now, with nobody ahead of it, be admitted at this boundary? An
     * engine that jumps may cut a run short where this says yes and be right; never the reverse. */
    bool (*admits)(const struct boundary *b);
};

/* The first for no name (NULL); NULL if there is no policy of that name. */
const struct policy *llmsim_policy_find(const char *name);

/* With a place in the running set: the first request of the queue that can be served at all (others
 * are rejected on the way) if there are blocks for its prompt, else NULL. */
const struct llmsim_request *llmsim_policy_next_checked(struct boundary *b);
static inline const struct llmsim_request *llmsim_policy_next(struct boundary *b)
{
    bool is_plain = b->head == NULL || (b->kv.total == 0 && !b->head->is_failed);
    return is_plain ? b->head : llmsim_policy_next_checked(b);
}
/* Tokens that the head has to process: its prompt, and after a preemption what it had made, but for
 * what the prefix cache has. */
static inline uint32_t llmsim_policy_head_tokens(const struct boundary *b)
{
    return b->head->prompt_tokens + b->head_generated -
           (uint32_t)b->head_cached_blocks * b->kv.block_size;
}
/* Forget the step before. */
void llmsim_policy_begin_step(struct boundary *b);
/* The step processes so many tokens of this prompt. */
void llmsim_policy_add_chunk(struct boundary *b, struct prefill *p, uint32_t chunk);
/* Take the head of the queue into the step, with so many tokens of its prompt. */
void llmsim_policy_admit(struct boundary *b, uint32_t chunk);

/* Does the next step process this prompt, or its end? */
static inline bool llmsim_prefill_has_chunk(const struct prefill *p)
{
    return p->chunk > 0 || p->tokens_left == 0;
}

/* Prefill first, shared by policies: take waiting requests from the head while both limits of
 * docs/scheduling.md allow: requests of the running set, new tokens of the step. A prompt over the
 * token limit goes alone. The step decodes only if nobody was admitted. */
void llmsim_policy_prefill_or_decode(struct boundary *b);

/* Is there a place in the running set? */
static inline bool llmsim_policy_has_place(const struct boundary *b)
{
    return b->n_decoding + b->n_prefills < b->max_num_seqs;
}

extern const struct policy llmsim_policy_static, llmsim_policy_continuous, llmsim_policy_mixed;

#endif
