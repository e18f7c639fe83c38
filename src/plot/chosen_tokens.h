/* chosen_tokens.h: the tokens of a few requests. */
#ifndef LLMSIM_PLOT_CHOSEN_TOKENS_H
#define LLMSIM_PLOT_CHOSEN_TOKENS_H

#include <stdint.h>

#include "llmsim/plot.h"
#include "result_table.h"

/* Tokens kept of a request: where it has more, runs of them are one, with their longest gap. */
#define CHOSEN_MAX_TOKENS 2000u

struct chosen_token {
    uint32_t index;
    int64_t time_ns; /* at the end of the longest gap of the tokens that it stands for */
    int64_t gap_ns;
};

struct chosen_request {
    const char *id;
    int64_t arrival_ns;
    uint32_t prompt_tokens, output_tokens;
    bool is_found;
    struct chosen_token *tokens;
    size_t n_tokens;
};

struct chosen_tokens {
    struct chosen_request requests[LLMSIM_PLOT_MAX_REQUESTS];
    size_t n_requests;
};

/* Keep a token of a request; *r may be NULL. */
LLMSIM_MUST_CHECK enum llmsim_status chosen_tokens_add(struct chosen_request *r, uint32_t index,
                                                       int64_t time_ns, int64_t gap_ns,
                                                       struct llmsim_error *err);
void chosen_tokens_fini(struct chosen_tokens *chosen);

#endif
