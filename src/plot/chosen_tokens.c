#include "chosen_tokens.h"

#include <stdlib.h>

enum llmsim_status chosen_tokens_add(struct chosen_request *r, uint32_t index, int64_t time_ns,
                                     int64_t gap_ns, struct llmsim_error *err)
{
    uint32_t group = 1 + (r->output_tokens - 1) / CHOSEN_MAX_TOKENS;
    struct chosen_token token = {index, time_ns, gap_ns};
    if (r->tokens == NULL)
        r->tokens = calloc(CHOSEN_MAX_TOKENS + 1, sizeof *r->tokens);
    if (r->tokens == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    struct chosen_token *last = r->n_tokens > 0 ? &r->tokens[r->n_tokens - 1] : NULL;
    if (last != NULL && last->index / group == index / group) {
        if (gap_ns > last->gap_ns)
            *last = token;
    } else if (r->n_tokens <= CHOSEN_MAX_TOKENS) {
        r->tokens[r->n_tokens++] = token;
    }
    return LLMSIM_OK;
}

void chosen_tokens_fini(struct chosen_tokens *chosen)
{
    for (size_t i = 0; i < chosen->n_requests; i++)
        free(chosen->requests[i].tokens);
}
