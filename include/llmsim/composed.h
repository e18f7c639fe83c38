/* composed.h: what a step costs, composed from the kernels that it runs.
 *
 * All that depends on the model, the GPUs and the server is worked out once, into tables over what
 * a step has: new tokens, sequences, prompts and their length. A step then costs a few look-ups,
 * however many layers and kernels the model has. docs/model.md, "The composed model". */
#ifndef LLMSIM_COMPOSED_H
#define LLMSIM_COMPOSED_H

#include <stdbool.h>
#include <stdint.h>

#include "llmsim/choice.h"
#include "llmsim/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sizes at which a table has a value: each up to 15, then sixteen in every octave. So every batch
 * size of which servers capture a CUDA graph is one; in between a table is linear. */
#define LLMSIM_SIZES_AN_OCTAVE 16
#define LLMSIM_N_SIZES 289 /* up to 2^21 */
/* Prompts of a step, and tokens that a prompt's tokens attend to: the powers of two. */
#define LLMSIM_N_PROMPT_SIZES 11 /* up to 2^10 */
#define LLMSIM_N_LENGTH_SIZES 22 /* up to 2^21 */

/* The i-th size, i from 0. */
static inline uint64_t llmsim_size_at(unsigned i)
{
    if (i < LLMSIM_SIZES_AN_OCTAVE)
        return i;
    return (uint64_t)(LLMSIM_SIZES_AN_OCTAVE + i % LLMSIM_SIZES_AN_OCTAVE)
           << (i / LLMSIM_SIZES_AN_OCTAVE - 1);
}

/* All in seconds, and none negative. */
struct llmsim_composed {
    /* The server's CPU time that the GPU waits for: of a step, and of a sequence in it. */
    double step_s, seq_s;
    /* Of a step with so many new tokens: all kernels but attention and the language model head. */
    double tokens_s[LLMSIM_N_SIZES];
    double head_s[LLMSIM_N_SIZES]; /* of so many sequences: the language model head */
    /* Attention of so many decodes: what does not depend on the context, and a token of it. */
    double decode_s[LLMSIM_N_SIZES];
    double context_s[LLMSIM_N_SIZES];
    /* Attention of prompts: a new token of so many (2^i) prompts that attends to so many (2^j)
     * tokens, counted twice: prefill_sum_sq / prefill_tokens. */
    double prefill_s[LLMSIM_N_PROMPT_SIZES][LLMSIM_N_LENGTH_SIZES];
    uint32_t max_graph_tokens; /* steps of up to so many new tokens are padded to a captured size */
    bool is_estimate;          /* from the peaks of a GPU on which nobody measured kernels */
    /* Where it comes from, for people. */
    char server[32];
    char system[LLMSIM_MAX_NAME + 1]; /* whose kernels they are: "h100_sxm"; empty: none */
    char engine[LLMSIM_MAX_NAME + 1]; /* whose, and of which version */
    char version[LLMSIM_MAX_NAME + 1];
    /* What this method was off on measured servers, for models of this kind: TPOT and TTFT, in
     * per cent; 0: not known. */
    struct llmsim_expected_error {
        double tpot_median_percent, tpot_p90_percent, ttft_median_percent, ttft_p90_percent;
    } expected;
};

/* "kernels" or "roofline": a word for where a composed cost comes from. */
LLMSIM_API const char *llmsim_composed_method(const struct llmsim_composed *composed);

/* The batch size whose CUDA graph a step of n_tokens runs in: 1, 2, 4, then multiples of 8 to 256
 * and of 16 beyond. What vLLM and SGLang capture. */
LLMSIM_API uint64_t llmsim_captured_size(uint64_t n_tokens);

#ifdef __cplusplus
}
#endif
#endif
