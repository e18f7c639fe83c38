/* fitted.h: what a fit of measured steps says: the coefficients of the richer cost model, the range
 * in which they were measured, and how good they are. An entry of ptps.json holds one
 * (docs/catalogues.md); docs/model.md has the formula. */
#ifndef LLMSIM_FITTED_H
#define LLMSIM_FITTED_H

#include <stdbool.h>
#include <stdint.h>

#include "llmsim/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(n): numbers of new tokens at which a step takes rise_<n>_s more than at half of it. */
#define LLMSIM_FITTED_RISE_LIST(X) X(2) X(4) X(8) X(16) X(32) X(64) X(128) X(256)

/* X(name): the coefficients of formula 9, in the order of docs/model.md. None is negative. What
 * ends in _s is in seconds for one of what it is named after. */
#define LLMSIM_FITTED_LIST(X)                                                                      \
    X(step_s)   /* every step */                                                                   \
    X(rise_2_s) /* a step of 2 new tokens or more, over one of 1 */                                \
    X(rise_4_s) /* of 4 or more, over one of 2; linear in between; and so on */                    \
    X(rise_8_s)                                                                                    \
    X(rise_16_s)                                                                                   \
    X(rise_32_s)                                                                                   \
    X(rise_64_s)                                                                                   \
    X(rise_128_s)                                                                                  \
    X(rise_256_s)                                                                                  \
    X(seq_s)           /* a sequence of the step */                                                \
    X(token_s)         /* a new token */                                                           \
    X(weights_s)       /* one read of the weights */                                               \
    X(ridge_tokens)    /* new tokens whose arithmetic takes as long as that read; over 0 */        \
    X(spill_s)         /* a new token of a step of far more than spill_tokens, on top */           \
    X(spill_tokens)    /* over 0 */                                                                \
    X(split_s)         /* a prompt token of a step of many prompts, on top of one of one prompt */ \
    X(attention_s)     /* attention of prompts: a unit of prefill_sum_sq */                        \
    X(walk_s)          /* a KV token of the longest sequence, in steps that have prompts */        \
    X(context_s)       /* a KV token that a decode reads, in steps without prompts */              \
    X(mixed_seq_s)     /* a decode in a step that has prompts, on top */                           \
    X(mixed_context_s) /* a KV token that a decode reads, in a step that has prompts */

struct llmsim_fitted {
#define X(name) double name;
    LLMSIM_FITTED_LIST(X)
#undef X
};

/* The steps that were measured. A pair of 0 and 0: none of that kind. */
struct llmsim_profile_range {
    uint64_t min_prefill_tokens; /* new prompt tokens of a step */
    uint64_t max_prefill_tokens;
    uint64_t min_decode_seqs;
    uint64_t max_decode_seqs;
    uint64_t min_context_tokens; /* KV tokens that the decodes of a step read */
    uint64_t max_context_tokens;
    uint64_t max_longest_context; /* of one sequence, in a step with prompts */
    bool mixed;                   /* also steps with both */
};

static inline bool llmsim_profile_is_known(const struct llmsim_profile_range *range)
{
    return range->max_prefill_tokens > 0 || range->max_decode_seqs > 0;
}

/* How good the fit is: relative errors in %, of single measurements. */
struct llmsim_fit_diagnostics {
    uint64_t measurements;
    double r_squared;
    double mape_percent;
    double p95_percent;
    double worst_percent;
    double held_out_mape_percent;   /* each fifth of them predicted from the other four */
    uint64_t held_out_measurements; /* of them, those that could be: four fifths can be too few */
    double condition_number;
};

#define LLMSIM_SHA256_HEX 64
/* GPUs of a replica. */
#define LLMSIM_MAX_TENSOR_PARALLEL_SIZE 1024u

/* Most prompt tokens per second of an entry of ptps.json. */
#define LLMSIM_MAX_PTPS 1e9

/* An entry of ptps.json for a model, a GPU and a tensor parallel size. */
struct llmsim_fit {
    double ptps_tokens_per_s; /* of the two-number model; 0: not there */
    bool has_coefficients;    /* and a range, and maybe what follows it */
    struct llmsim_fitted coefficients;
    struct llmsim_profile_range range;
    bool has_diagnostics;
    struct llmsim_fit_diagnostics diagnostics;
    char profile_sha256[LLMSIM_SHA256_HEX + 1]; /* "": not there */
};

#ifdef __cplusplus
}
#endif
#endif
