/* policy_mixed.c: chunked prefill (Sarathi-Serve, OSDI 2024; vLLM V1). Every step takes one token
 * for each decoding request; the rest of the token budget goes to prompts, a chunk each: those
 * under way first, then new requests, in order. */
#include "policy.h"

/* The next chunk of a prompt, given what the budget has left. */
static uint32_t next_chunk(const struct boundary *b, uint32_t tokens_left, uint64_t budget)
{
    uint64_t chunk = tokens_left < budget ? tokens_left : budget;
    if (b->long_prefill_token_threshold != 0 && chunk > b->long_prefill_token_threshold)
        chunk = b->long_prefill_token_threshold;
    return (uint32_t)chunk;
}

static void form(struct boundary *b)
{
    uint64_t budget = b->max_num_batched_tokens;
    budget -= b->n_decoding < budget ? b->n_decoding : budget;
    llmsim_policy_begin_step(b);
    b->decodes = b->n_decoding > 0;
    for (uint32_t i = 0; i < b->n_prefills; i++) {
        struct prefill *p = &b->prefills[i];
        llmsim_policy_add_chunk(b, p, next_chunk(b, p->tokens_left, budget - b->prefill_tokens));
    }
    while (llmsim_policy_has_place(b) && llmsim_policy_next(b) != NULL) {
        uint32_t tokens = llmsim_policy_head_tokens(b);
        uint32_t chunk = next_chunk(b, tokens, budget - b->prefill_tokens);
        if (chunk == 0 && tokens > 0)
            break;
        llmsim_policy_admit(b, chunk);
    }
}

const struct policy llmsim_policy_mixed = {
    .choice = {"mixed", "join at every step; prompts in chunks beside the decodes"},
    .mixes = true,
    .form = form,
    .admits = llmsim_policy_has_place,
};
