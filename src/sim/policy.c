#include "policy.h"

static const struct policy *const policies[] = {
    &llmsim_policy_continuous,
    &llmsim_policy_static,
    &llmsim_policy_mixed,
};
#define N_POLICIES (sizeof policies / sizeof *policies)

const struct policy *llmsim_policy_find(const char *name)
{
    size_t i;
    return llmsim_choice_find(llmsim_policy_choice, name, &i) ? policies[i] : NULL;
}

const struct llmsim_choice *llmsim_policy_choice(size_t i)
{
    return i < N_POLICIES ? &policies[i]->choice : NULL;
}

void llmsim_policy_admit(struct boundary *b, uint32_t chunk)
{
    struct prefill *p = &b->prefills[b->n_prefills++];
    p->request = *b->head;
    p->tokens_left = b->head->prompt_tokens;
    p->chunk = chunk;
    b->prefill_tokens += chunk;
    b->n_chunks++;
    b->head = b->take(b->queue);
}

void llmsim_policy_prefill_or_decode(struct boundary *b)
{
    b->n_chunks = 0;
    b->prefill_tokens = 0;
    while (b->head != NULL && llmsim_policy_has_place(b)) {
        uint32_t prompt_tokens = b->head->prompt_tokens;
        if (b->prefill_tokens + prompt_tokens > b->max_num_batched_tokens && b->n_prefills > 0)
            break;
        llmsim_policy_admit(b, prompt_tokens);
    }
    b->decodes = b->n_prefills == 0 && b->n_decoding > 0;
}
