/* policy_continuous.c: iteration-level batching, prefill first (Orca; vLLM before chunked prefill).
 * Requests join at any step boundary; while prompts are processed, decodes pause. */
#include "policy.h"

const struct policy llmsim_policy_continuous = {
    .choice = {"continuous", "join at every step; prompts first, decodes pause meanwhile"},
    .form = llmsim_policy_prefill_or_decode,
    .admits = llmsim_policy_has_place,
};
