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

/* Would the request's last token find a place if it had the replica for itself? The one look at the
 * true output length: a server knows the bound that a client sets, and one that does not end would
 * be preempted for ever. */
static bool can_ever_fit(const struct boundary *b)
{
    uint64_t output_tokens = b->head->output_tokens;
    uint64_t stored = b->head->prompt_tokens + (output_tokens > 0 ? output_tokens - 1 : 0);
    return llmsim_kv_blocks(&b->kv, stored) <= b->kv.total;
}

static uint64_t head_blocks(const struct boundary *b)
{
    return llmsim_kv_blocks(&b->kv, (uint64_t)b->head->prompt_tokens + b->head_generated);
}

const struct llmsim_request *llmsim_policy_next_checked(struct boundary *b)
{
    while (b->head != NULL && (b->head->is_failed || !can_ever_fit(b)))
        b->reject(b, b->head->is_failed ? LLMSIM_OUTCOME_FAILED_IN_TRACE
                                        : LLMSIM_OUTCOME_REJECTED_TOO_LONG);
    if (b->head == NULL)
        return NULL;
    if (b->look_up != NULL)
        b->look_up(b);
    uint64_t wanted = head_blocks(b) - b->head_cached_blocks + b->head_unheld_blocks;
    uint64_t reserve = b->n_decoding + b->n_prefills > 0 ? b->kv.watermark : 0;
    return wanted + reserve <= b->kv.free ? b->head : NULL;
}

void llmsim_policy_begin_step(struct boundary *b)
{
    b->n_chunks = 0;
    b->prefill_tokens = 0;
    b->prefill_sum_sq = 0;
    b->longest_prefill_context = 0;
    b->decodes = false;
}

void llmsim_policy_add_chunk(struct boundary *b, struct prefill *p, uint32_t chunk)
{
    uint64_t done = (uint64_t)p->request.prompt_tokens + p->n_generated - p->tokens_left;
    p->chunk = chunk;
    b->prefill_tokens += chunk;
    b->prefill_sum_sq += chunk * (2 * done + chunk);
    if (chunk > 0 && done > b->longest_prefill_context)
        b->longest_prefill_context = done;
    b->n_chunks += llmsim_prefill_has_chunk(p);
}

/* Member by member: clearing the whole struct first costs a tenth of the request. */
void llmsim_policy_admit(struct boundary *b, uint32_t chunk)
{
    struct prefill *p = &b->prefills[b->n_prefills++];
    p->request = *b->head;
    p->scheduled_ns = LLMSIM_NO_TIME;
    p->resumed = b->head_resumed;
    p->admission = b->n_admissions++;
    p->n_generated = b->head_generated;
    p->tokens_left = llmsim_policy_head_tokens(b);
    p->cached_tokens = (uint32_t)b->head_cached_blocks * b->kv.block_size;
    p->hold = (struct prefix_hold){0};
    b->kv.free -= head_blocks(b) - b->head_cached_blocks;
    if (b->hold != NULL) {
        b->kv.free -= b->hold(b, p);
        b->evict(b);
    }
    llmsim_policy_add_chunk(b, p, chunk);
    b->take(b);
}

void llmsim_policy_prefill_or_decode(struct boundary *b)
{
    llmsim_policy_begin_step(b);
    while (llmsim_policy_has_place(b) && llmsim_policy_next(b) != NULL) {
        uint32_t tokens = llmsim_policy_head_tokens(b);
        if (b->prefill_tokens + tokens > b->max_num_batched_tokens && b->n_prefills > 0)
            break;
        llmsim_policy_admit(b, tokens);
    }
    b->decodes = b->n_prefills == 0 && b->n_decoding > 0;
}
