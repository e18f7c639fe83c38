#include "policy.h"

#include <string.h>

static const struct policy *const policies[] = {
    &llmsim_policy_continuous,
    &llmsim_policy_static,
};
#define N_POLICIES (sizeof policies / sizeof *policies)

const struct policy *llmsim_policy_find(const char *name)
{
    for (size_t i = 0; i < N_POLICIES; i++)
        if (strcmp(policies[i]->choice.name, name) == 0)
            return policies[i];
    return NULL;
}

const struct llmsim_choice *llmsim_policy_choice(size_t i)
{
    return i < N_POLICIES ? &policies[i]->choice : NULL;
}

void llmsim_policy_prefill_or_decode(struct boundary *b)
{
    b->n_admitted = 0;
    b->prefill_tokens = 0;
    while (b->head != NULL && b->n_running + b->n_admitted < b->max_num_seqs) {
        uint64_t tokens = b->prefill_tokens + b->head->prompt_tokens;
        if (tokens > b->max_num_batched_tokens && b->n_admitted > 0)
            break;
        b->admitted[b->n_admitted++] = *b->head;
        b->prefill_tokens = tokens;
        b->head = b->take(b->queue);
    }
    b->decodes = b->n_admitted == 0 && b->n_running > 0;
}
