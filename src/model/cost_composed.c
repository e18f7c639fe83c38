/* cost_composed.c: what a step costs, looked up in the tables that compose.c made of kernels. */
#include <string.h>

#include "cost_models.h"

const char *llmsim_composed_method(const struct llmsim_composed *composed)
{
    return composed->is_estimate ? "roofline" : "kernels";
}

uint64_t llmsim_captured_size(uint64_t n_tokens)
{
    if (n_tokens <= 2)
        return n_tokens;
    if (n_tokens <= 4)
        return 4;
    uint64_t multiple = n_tokens <= 256 ? 8 : 16;
    return (n_tokens + multiple - 1) / multiple * multiple;
}

static uint64_t padded(const struct llmsim_composed *c, uint64_t n_tokens)
{
    return n_tokens <= c->max_graph_tokens ? llmsim_captured_size(n_tokens) : n_tokens;
}

/* The power of two at or below x > 0. */
static unsigned octave(uint64_t x)
{
    return 63u - (unsigned)__builtin_clzll(x);
}

/* Linear between the sizes, and on beyond the last. */
static double at_size(const double table[static LLMSIM_N_SIZES], uint64_t size)
{
    if (size < LLMSIM_SIZES_AN_OCTAVE)
        return table[size];
    unsigned shift = octave(size) - 4;
    unsigned i = LLMSIM_SIZES_AN_OCTAVE * shift + (unsigned)(size >> shift);
    if (i > LLMSIM_N_SIZES - 2)
        i = LLMSIM_N_SIZES - 2;
    double low = (double)llmsim_size_at(i), high = (double)llmsim_size_at(i + 1);
    return table[i] + (table[i + 1] - table[i]) * (((double)size - low) / (high - low));
}

/* Of a token that attends to `length` others, counted twice. */
static double at_length(const double table[static LLMSIM_N_LENGTH_SIZES], double length)
{
    unsigned i = octave((uint64_t)length);
    if (i > LLMSIM_N_LENGTH_SIZES - 2)
        i = LLMSIM_N_LENGTH_SIZES - 2;
    double low = (double)(1ull << i);
    return table[i] + (table[i + 1] - table[i]) * ((length - low) / low);
}

static double prefill_attention_s(const struct llmsim_composed *c,
                                  const struct llmsim_step_shape *s)
{
    double length = (double)s->prefill_sum_sq / (double)s->prefill_tokens;
    length = length < 1 ? 1 : length;
    unsigned i = octave(s->prefill_seqs);
    if (i > LLMSIM_N_PROMPT_SIZES - 2)
        return (double)s->prefill_tokens *
               at_length(c->prefill_s[LLMSIM_N_PROMPT_SIZES - 1], length);
    double low = (double)(1ull << i), share = ((double)s->prefill_seqs - low) / low;
    double few = at_length(c->prefill_s[i], length);
    double many = share > 0 ? at_length(c->prefill_s[i + 1], length) : few;
    return (double)s->prefill_tokens * (few + (many - few) * share);
}

/* All of a step but what its decodes read of the KV cache. */
static double base_s(const struct llmsim_composed *c, uint64_t n_tokens, uint64_t n_seqs,
                     uint32_t decode_seqs)
{
    return c->step_s + c->seq_s * (double)n_seqs + at_size(c->tokens_s, padded(c, n_tokens)) +
           at_size(c->head_s, n_seqs) + at_size(c->decode_s, decode_seqs);
}

struct llmsim_decode_cost llmsim_cost_composed_decode(const struct llmsim_cost *cost,
                                                      uint32_t n_seqs)
{
    const struct llmsim_composed *c = &cost->composed;
    return (struct llmsim_decode_cost){
        .base = llmsim_time_from_seconds(base_s(c, n_seqs, n_seqs, n_seqs)),
        .per_context_token = (uint64_t)llmsim_time_from_seconds(at_size(c->context_s, n_seqs)),
    };
}

llmsim_time llmsim_cost_composed_step(const struct llmsim_cost *cost,
                                      const struct llmsim_step_shape *shape)
{
    const struct llmsim_composed *c = &cost->composed;
    if (shape->prefill_tokens == 0) {
        struct llmsim_decode_cost d = llmsim_cost_composed_decode(cost, shape->decode_seqs);
        return d.base + (llmsim_time)d.per_context_token * (llmsim_time)shape->context_tokens;
    }
    uint64_t n_tokens = shape->prefill_tokens + shape->decode_seqs;
    uint64_t n_seqs = (uint64_t)shape->prefill_seqs + shape->decode_seqs;
    uint64_t per_context_token =
        (uint64_t)llmsim_time_from_seconds(at_size(c->context_s, shape->decode_seqs));
    return llmsim_time_from_seconds(base_s(c, n_tokens, n_seqs, shape->decode_seqs) +
                                    prefill_attention_s(c, shape)) +
           (llmsim_time)per_context_token * (llmsim_time)shape->context_tokens;
}

/* What no step may take or be: the bounds that keep the sums of a run inside 128 bits. A table over
 * what a step has may take what a coefficient of the step and one of each token may, together. */
static enum llmsim_status check_tables(const struct llmsim_composed *c, struct llmsim_error *err)
{
    const struct {
        const char *what;
        const double *table;
        size_t n;
        double limit, limit_a_token;
    } tables[] = {
        {"the CPU time of a step", &c->step_s, 1, LLMSIM_MAX_S_PER_STEP, 0},
        {"the CPU time of a sequence", &c->seq_s, 1, LLMSIM_MAX_S_PER_PROMPT_TOKEN, 0},
        {"a step without its attention", c->tokens_s, LLMSIM_N_SIZES, LLMSIM_MAX_S_PER_STEP,
         LLMSIM_MAX_S_PER_PROMPT_TOKEN},
        {"the head", c->head_s, LLMSIM_N_SIZES, LLMSIM_MAX_S_PER_STEP,
         LLMSIM_MAX_S_PER_PROMPT_TOKEN},
        {"attention of decodes", c->decode_s, LLMSIM_N_SIZES, LLMSIM_MAX_S_PER_STEP,
         LLMSIM_MAX_S_PER_PROMPT_TOKEN},
        {"one token of KV cache", c->context_s, LLMSIM_N_SIZES, LLMSIM_MAX_S_PER_CONTEXT_TOKEN, 0},
        {"attention of one prompt token", &c->prefill_s[0][0],
         (size_t)LLMSIM_N_PROMPT_SIZES * LLMSIM_N_LENGTH_SIZES, LLMSIM_MAX_S_PER_PROMPT_TOKEN, 0},
    };
    enum llmsim_status status = LLMSIM_OK;
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (size_t i = 0; i < tables[t].n && status == LLMSIM_OK; i++)
            status = llmsim_cost_check(tables[t].what, tables[t].table[i],
                                       tables[t].limit + tables[t].limit_a_token *
                                                             (double)llmsim_size_at((unsigned)i),
                                       err);
    return status;
}

enum llmsim_status llmsim_cost_init_composed(struct llmsim_cost *cost,
                                             const struct llmsim_composed *composed,
                                             struct llmsim_error *err)
{
    *cost = (struct llmsim_cost){
        .model = &llmsim_cost_models[LLMSIM_COST_COMPOSED],
        .composed = *composed,
    };
    return check_tables(&cost->composed, err);
}

/* A step of one token reads the weights and does next to no arithmetic, so that is the share which
 * more bandwidth makes faster; what larger steps take on top is arithmetic. */
static void scale_table(double table[static LLMSIM_N_SIZES], double prefill_speed, double bandwidth)
{
    double read = table[1];
    for (size_t i = 0; i < LLMSIM_N_SIZES; i++)
        table[i] = table[i] <= read ? table[i] / bandwidth
                                    : read / bandwidth + (table[i] - read) / prefill_speed;
}

enum llmsim_status llmsim_cost_composed_scale(struct llmsim_cost *cost, double prefill_speed,
                                              double bandwidth, struct llmsim_error *err)
{
    struct llmsim_composed *c = &cost->composed;
    scale_table(c->tokens_s, prefill_speed, bandwidth);
    scale_table(c->head_s, prefill_speed, bandwidth);
    for (size_t i = 0; i < LLMSIM_N_SIZES; i++) {
        c->decode_s[i] /= bandwidth;
        c->context_s[i] /= bandwidth;
    }
    for (size_t i = 0; i < LLMSIM_N_PROMPT_SIZES; i++)
        for (size_t j = 0; j < LLMSIM_N_LENGTH_SIZES; j++)
            c->prefill_s[i][j] /= prefill_speed;
    return check_tables(c, err);
}
