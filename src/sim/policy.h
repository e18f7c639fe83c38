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

/* A request whose prompt is being processed. */
struct prefill {
    struct llmsim_request request;
    int64_t scheduled_ns; /* kept by the engine */
    uint32_t tokens_left; /* of the prompt */
    uint32_t chunk;       /* of them, those that the next step processes */
};

/* What is known at a step boundary, and, once `form` has run, the next step. */
struct boundary {
    /* The head of the waiting queue, NULL where nobody waits. `take` removes it and returns the
     * next, which the policy puts here. */
    const struct llmsim_request *head;
    const struct llmsim_request *(*take)(void *queue);
    void *queue;
    uint32_t max_num_seqs;
    uint32_t max_num_batched_tokens;
    uint32_t long_prefill_token_threshold; /* 0: none */
    uint32_t n_decoding;                   /* requests that have their first token, and want more */
    /* Prompts under way, in order of admission; the policy sets their chunks and appends those that
     * it admits. Room for max_num_seqs in all. */
    struct prefill *prefills;
    uint32_t n_prefills;
    /* The step: the chunks above, and one token for every decoding request if `decodes`. A prompt
     * may have to sit a step out (a chunk of 0); an empty prompt is a chunk of 0 that counts. */
    uint32_t n_chunks;
    uint64_t prefill_tokens;
    bool decodes;
};

struct policy {
    struct llmsim_choice choice;
    /* Set the last four members of the boundary. An empty step means that there is nothing to do.
     */
    void (*form)(struct boundary *b);
    /* Would a request that arrives now, with nobody ahead of it, be admitted at this boundary? An
     * engine that jumps may cut a run short where this says yes and be right; never the reverse. */
    bool (*admits)(const struct boundary *b);
};

/* The first for no name (NULL); NULL if there is no policy of that name. */
const struct policy *llmsim_policy_find(const char *name);

/* Take the head of the queue into the step, with so many tokens of its prompt. */
void llmsim_policy_admit(struct boundary *b, uint32_t chunk);

/* Does the next step process this prompt, or its end? */
static inline bool llmsim_prefill_has_chunk(const struct prefill *p)
{
    return p->chunk > 0 || p->tokens_left == 0;
}

/* Prefill first, shared by policies: take waiting requests from the head while both limits of
 * DESIGN rule 4 allow; a prompt over the token limit goes alone. The step decodes only if nobody
 * was admitted. */
void llmsim_policy_prefill_or_decode(struct boundary *b);

/* Is there a place in the running set? */
static inline bool llmsim_policy_has_place(const struct boundary *b)
{
    return b->n_decoding + b->n_prefills < b->max_num_seqs;
}

extern const struct policy llmsim_policy_static, llmsim_policy_continuous, llmsim_policy_mixed;

#endif
