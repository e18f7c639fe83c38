/* reference.c: every launch in double, on the CPU, in the plainest way. device.h has the
 * definitions. */
#include "reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "half.h"

#define NORM_EPSILON 1e-5

/* ---- operands ---- */

static uint64_t n_qkv(const struct llmsim_launch *l)
{
    return l->rows * (l->n_heads + 2 * (uint64_t)l->n_kv_heads) * l->head_dim;
}

static uint64_t n_cached(const struct llmsim_launch *l)
{
    return l->batch_size * l->n_kv_heads * l->tokens_each * l->head_dim;
}

static uint64_t n_attended(const struct llmsim_launch *l)
{
    return l->rows * l->n_heads * l->head_dim;
}

static uint64_t n_partials(const struct llmsim_launch *l)
{
    return l->batch_size * l->n_heads * l->n_splits * (l->head_dim + 2);
}

enum operand { IN, WEIGHTS, STATE, OUT, KEYS, VALUES, PARTIALS };

#define READS(count, kind) ((struct llmsim_operand){count, LLMSIM_OPERAND_##kind, false, true})
#define WRITES(count, kind) ((struct llmsim_operand){count, LLMSIM_OPERAND_##kind, true, false})
#define CHANGES(count, kind) ((struct llmsim_operand){count, LLMSIM_OPERAND_##kind, true, true})

void llmsim_launch_operands(const struct llmsim_launch *l,
                            struct llmsim_operand o[static LLMSIM_OPERANDS])
{
    uint64_t area = l->rows * l->outputs;
    memset(o, 0, LLMSIM_OPERANDS * sizeof *o);
    switch (l->kind) {
    case LLMSIM_LAUNCH_EMBED:
        o[IN] = READS(l->rows, WORD);
        o[WEIGHTS] = READS(l->inputs * l->outputs, HALF);
        o[OUT] = WRITES(area, HALF);
        return;
    case LLMSIM_LAUNCH_NORM:
        o[IN] = READS(l->in != NULL ? area * l->stride : 0, HALF);
        o[WEIGHTS] = READS(l->outputs, HALF);
        o[STATE] = CHANGES(area * l->stride, HALF);
        o[OUT] = WRITES(area, HALF);
        return;
    case LLMSIM_LAUNCH_GEMM:
        o[IN] = READS(l->rows * l->inputs, HALF);
        o[WEIGHTS] = READS(l->outputs * l->inputs, HALF);
        o[OUT] = WRITES(area, HALF);
        return;
    case LLMSIM_LAUNCH_ACTIVATE:
        o[IN] = READS(area * (l->gated ? 2 : 1), HALF);
        o[OUT] = WRITES(area, HALF);
        return;
    case LLMSIM_LAUNCH_STORE_KV:
        o[IN] = READS(n_qkv(l), HALF);
        o[KEYS] = o[VALUES] = CHANGES(n_cached(l), HALF);
        return;
    case LLMSIM_LAUNCH_ATTEND_PROMPT:
        o[IN] = READS(n_qkv(l), HALF);
        o[OUT] = WRITES(n_attended(l), HALF);
        return;
    case LLMSIM_LAUNCH_ATTEND_CONTEXT:
        o[IN] = READS(n_qkv(l), HALF);
        o[KEYS] = o[VALUES] = READS(n_cached(l), HALF);
        o[PARTIALS] = WRITES(n_partials(l), FLOAT);
        return;
    case LLMSIM_LAUNCH_COMBINE:
        o[PARTIALS] = READS(n_partials(l), FLOAT);
        o[OUT] = WRITES(n_attended(l), HALF);
        return;
    case LLMSIM_LAUNCH_READ:
        o[IN] = READS(l->bytes / 4, WORD);
        o[OUT] = CHANGES(1, WORD);
        return;
    case LLMSIM_LAUNCH_COPY:
        o[IN] = READS(l->bytes / 4, WORD);
        o[OUT] = WRITES(l->bytes / 4, WORD);
        return;
    case LLMSIM_LAUNCH_TRIAD:
        o[IN] = o[WEIGHTS] = READS(l->bytes / 4, FLOAT);
        o[OUT] = WRITES(l->bytes / 4, FLOAT);
        return;
    }
}

const void *llmsim_launch_operand(const struct llmsim_launch *l, unsigned i)
{
    const void *const all[] = {l->in,   l->weights, l->state,   l->out,
                               l->keys, l->values,  l->partials};
    return all[i];
}

void llmsim_launch_set_operand(struct llmsim_launch *l, unsigned i, void *memory)
{
    const void **const reads[] = {&l->in, &l->weights};
    void **const all[] = {NULL, NULL, &l->state, &l->out, &l->keys, &l->values};
    if (i < 2)
        *reads[i] = memory;
    else if (i < PARTIALS)
        *all[i] = memory;
    else
        l->partials = memory;
}

/* ---- elements ---- */

static double get(const struct llmsim_launch *l, const void *from, uint64_t i)
{
    return (double)llmsim_half_to_float(((const uint16_t *)from)[i], l->dtype);
}

static void put(const struct llmsim_launch *l, void *to, uint64_t i, double value)
{
    ((uint16_t *)to)[i] = llmsim_half_from_float((float)value, l->dtype);
}

/* Element of q, k or v of one row; `head` counts q's, then k's, then v's. */
static double get_qkv(const struct llmsim_launch *l, uint64_t row, unsigned head, unsigned d)
{
    uint64_t heads = l->n_heads + 2 * (uint64_t)l->n_kv_heads;
    return get(l, l->in, (row * heads + head) * l->head_dim + d);
}

static uint64_t cache_index(const struct llmsim_launch *l, uint64_t sequence, unsigned kv_head,
                            uint64_t token)
{
    return ((sequence * l->n_kv_heads + kv_head) * l->tokens_each + token) * l->head_dim;
}

/* ---- kinds ---- */

static void embed(const struct llmsim_launch *l)
{
    const uint16_t *table = l->weights;
    for (uint64_t r = 0; r < l->rows; r++)
        memcpy((uint16_t *)l->out + r * l->outputs,
               table + ((const uint32_t *)l->in)[r] * l->outputs, l->outputs * sizeof *table);
}

static void norm(const struct llmsim_launch *l)
{
    for (uint64_t r = 0; r < l->rows; r++) {
        uint64_t from = (r * l->stride + l->stride - 1) * l->outputs;
        double squares = 0;
        for (uint64_t i = 0; i < l->outputs; i++) {
            double x = get(l, l->state, from + i) + (l->in != NULL ? get(l, l->in, from + i) : 0);
            squares += x * x;
        }
        double factor = 1 / sqrt(squares / (double)l->outputs + NORM_EPSILON);
        for (uint64_t i = 0; i < l->outputs; i++) {
            double x = get(l, l->state, from + i) + (l->in != NULL ? get(l, l->in, from + i) : 0);
            put(l, l->state, from + i, x);
            put(l, l->out, r * l->outputs + i, x * factor * get(l, l->weights, i));
        }
    }
}

static void gemm(const struct llmsim_launch *l)
{
    for (uint64_t r = 0; r < l->rows; r++)
        for (uint64_t o = 0; o < l->outputs; o++) {
            double sum = 0;
            for (uint64_t i = 0; i < l->inputs; i++)
                sum += get(l, l->in, r * l->inputs + i) * get(l, l->weights, o * l->inputs + i);
            put(l, l->out, r * l->outputs + o, sum);
        }
}

static void activate(const struct llmsim_launch *l)
{
    for (uint64_t r = 0; r < l->rows; r++)
        for (uint64_t i = 0; i < l->outputs; i++) {
            double x = get(l, l->in, r * l->outputs * (l->gated ? 2 : 1) + i), y;
            if (l->gated)
                y = x / (1 + exp(-x)) * get(l, l->in, (2 * r + 1) * l->outputs + i);
            else
                y = x > 0 ? x : 0;
            put(l, l->out, r * l->outputs + i, y);
        }
}

static void store_kv(const struct llmsim_launch *l)
{
    uint64_t n_new = l->rows / l->batch_size;
    for (uint64_t r = 0; r < l->rows; r++)
        for (unsigned head = 0; head < l->n_kv_heads; head++) {
            uint64_t to = cache_index(l, r / n_new, head, l->tokens_each - n_new + r % n_new);
            for (unsigned d = 0; d < l->head_dim; d++) {
                put(l, l->keys, to + d, get_qkv(l, r, l->n_heads + head, d));
                put(l, l->values, to + d, get_qkv(l, r, l->n_heads + l->n_kv_heads + head, d));
            }
        }
}

/* Keys [first, end) of one head of keys and values: in the cache, or in the rows of a prompt. */
struct keys {
    const struct llmsim_launch *l;
    uint64_t sequence;
    unsigned kv_head;
    bool is_cached;
    uint64_t first, end;
};

static double key_element(const struct keys *k, uint64_t token, unsigned d)
{
    if (k->is_cached)
        return get(k->l, k->l->keys, cache_index(k->l, k->sequence, k->kv_head, token) + d);
    return get_qkv(k->l, k->sequence * k->l->tokens_each + token, k->l->n_heads + k->kv_head, d);
}

static double value_element(const struct keys *k, uint64_t token, unsigned d)
{
    if (k->is_cached)
        return get(k->l, k->l->values, cache_index(k->l, k->sequence, k->kv_head, token) + d);
    return get_qkv(k->l, k->sequence * k->l->tokens_each + token,
                   k->l->n_heads + k->l->n_kv_heads + k->kv_head, d);
}

static double score(const struct keys *k, uint64_t row, unsigned head, uint64_t token)
{
    double sum = 0;
    for (unsigned d = 0; d < k->l->head_dim; d++)
        sum += get_qkv(k->l, row, head, d) * key_element(k, token, d);
    return sum / sqrt(k->l->head_dim);
}

/* part[0 … head_dim − 1]: the values' sums weighted by exp(score − greatest); then the greatest
 * score and the weights' sum. */
static void attend(const struct keys *k, uint64_t row, unsigned head, double *part)
{
    unsigned dim = k->l->head_dim;
    double greatest = -INFINITY;
    for (uint64_t t = k->first; t < k->end; t++)
        greatest = fmax(greatest, score(k, row, head, t));
    memset(part, 0, (dim + 2) * sizeof *part);
    part[dim] = greatest;
    for (uint64_t t = k->first; t < k->end; t++) {
        double weight = exp(score(k, row, head, t) - greatest);
        part[dim + 1] += weight;
        for (unsigned d = 0; d < dim; d++)
            part[d] += weight * value_element(k, t, d);
    }
}

#define MAX_HEAD_DIM 256

static void attend_prompt(const struct llmsim_launch *l)
{
    double part[MAX_HEAD_DIM + 2];
    for (uint64_t r = 0; r < l->rows; r++)
        for (unsigned head = 0; head < l->n_heads; head++) {
            struct keys k = {.l = l,
                             .sequence = r / l->tokens_each,
                             .kv_head = head / (l->n_heads / l->n_kv_heads),
                             .end = r % l->tokens_each + 1};
            attend(&k, r, head, part);
            for (unsigned d = 0; d < l->head_dim; d++)
                put(l, l->out, (r * l->n_heads + head) * l->head_dim + d,
                    part[d] / part[l->head_dim + 1]);
        }
}

static void attend_context(const struct llmsim_launch *l)
{
    double part[MAX_HEAD_DIM + 2];
    float *to = l->partials;
    for (uint64_t s = 0; s < l->batch_size; s++)
        for (unsigned head = 0; head < l->n_heads; head++)
            for (uint64_t split = 0; split < l->n_splits; split++) {
                uint64_t end = (split + 1) * l->split_tokens;
                struct keys k = {.l = l,
                                 .sequence = s,
                                 .kv_head = head / (l->n_heads / l->n_kv_heads),
                                 .is_cached = true,
                                 .first = split * l->split_tokens,
                                 .end = end < l->tokens_each ? end : l->tokens_each};
                attend(&k, s, head, part);
                for (unsigned d = 0; d < l->head_dim + 2; d++)
                    *to++ = (float)part[d];
            }
}

static void combine(const struct llmsim_launch *l)
{
    unsigned dim = l->head_dim;
    for (uint64_t i = 0; i < l->batch_size * l->n_heads; i++) {
        const float *parts = l->partials + i * l->n_splits * (dim + 2);
        double greatest = -INFINITY, weights = 0;
        for (uint64_t s = 0; s < l->n_splits; s++)
            greatest = fmax(greatest, (double)parts[s * (dim + 2) + dim]);
        for (unsigned d = 0; d < dim; d++) {
            double sum = 0;
            weights = 0;
            for (uint64_t s = 0; s < l->n_splits; s++) {
                const float *part = parts + s * (dim + 2);
                double factor = exp((double)part[dim] - greatest);
                sum += factor * (double)part[d];
                weights += factor * (double)part[dim + 1];
            }
            put(l, l->out, i * dim + d, sum / weights);
        }
    }
}

static void read_words(const struct llmsim_launch *l)
{
    for (uint64_t i = 0; i < l->bytes / 4; i++)
        *(uint32_t *)l->out += ((const uint32_t *)l->in)[i];
}

static void copy(const struct llmsim_launch *l)
{
    memcpy(l->out, l->in, l->bytes);
}

static void triad(const struct llmsim_launch *l)
{
    for (uint64_t i = 0; i < l->bytes / 4; i++)
        ((float *)l->out)[i] =
            (float)((double)((const float *)l->in)[i] + 3 * (double)((const float *)l->weights)[i]);
}

void llmsim_reference_launch(const struct llmsim_launch *launch)
{
    static void (*const kinds[])(const struct llmsim_launch *l) = {
        [LLMSIM_LAUNCH_EMBED] = embed,
        [LLMSIM_LAUNCH_NORM] = norm,
        [LLMSIM_LAUNCH_GEMM] = gemm,
        [LLMSIM_LAUNCH_ACTIVATE] = activate,
        [LLMSIM_LAUNCH_STORE_KV] = store_kv,
        [LLMSIM_LAUNCH_ATTEND_PROMPT] = attend_prompt,
        [LLMSIM_LAUNCH_ATTEND_CONTEXT] = attend_context,
        [LLMSIM_LAUNCH_COMBINE] = combine,
        [LLMSIM_LAUNCH_READ] = read_words,
        [LLMSIM_LAUNCH_COPY] = copy,
        [LLMSIM_LAUNCH_TRIAD] = triad,
    };
    kinds[launch->kind](launch);
}
