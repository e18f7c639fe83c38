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

/* What is known at a step boundary, and, once `form` has run, the next step. */
struct boundary {
    /* The head of the waiting queue, NULL where nobody waits. `take` removes it and returns the
     * next, which the policy puts here. */
    const struct llmsim_request *head;
    const struct llmsim_request *(*take)(void *queue);
    void *queue;
    uint32_t max_num_seqs;
    uint32_t max_num_batched_tokens;
    uint32_t n_running;
    /* The step: these requests' prompts, and one token for every running request if `decodes`. */
    struct llmsim_request *admitted; /* room for max_num_seqs */
    uint32_t n_admitted;
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

/* NULL if there is no policy of that name. */
const struct policy *llmsim_policy_find(const char *name);

/* Prefill first, shared by policies: take waiting requests from the head while both limits of
 * DESIGN rule 4 allow; a prompt over the token limit goes alone. The step decodes only if nobody
 * was admitted. */
void llmsim_policy_prefill_or_decode(struct boundary *b);

extern const struct policy llmsim_policy_static, llmsim_policy_continuous;

#endif
