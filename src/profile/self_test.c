/* self_test.c: each kernel of a device on small random operands, against the reference. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "half.h"
#include "kernel_limits.h"
#include "llmsim/profiler.h"
#include "reference.h"
#include "step.h"

/* ‖out − reference‖ / ‖reference‖ above which a result is wrong: twice what rounding of operands
 * and results to 8 or 11 bits comes to. */
static double bound_for(const struct llmsim_launch *l, enum llmsim_operand_type type)
{
    if (l->kind == LLMSIM_LAUNCH_TRIAD)
        return 1e-6;
    if (type == LLMSIM_OPERAND_WORD || l->kind == LLMSIM_LAUNCH_EMBED ||
        l->kind == LLMSIM_LAUNCH_STORE_KV)
        return 0; /* copied */
    return l->dtype == LLMSIM_BFLOAT16 ? 1e-2 : 2e-3;
}

struct operand_memory {
    struct llmsim_operand shape;
    size_t bytes;
    void *reference, *result; /* of the CPU */
    void *device;
};

struct trial {
    const struct llmsim_device *device;
    struct llmsim_launch launch;
    struct operand_memory operands[LLMSIM_OPERANDS];
    uint64_t random;
};

static size_t element_bytes(enum llmsim_operand_type type)
{
    return type == LLMSIM_OPERAND_HALF ? 2 : 4;
}

/* From −1 to 1 (Knuth's MMIX generator; its upper bits). */
static float draw(struct trial *t)
{
    t->random = t->random * 6364136223846793005U + 1442695040888963407U;
    return (float)(t->random >> 40) / (float)(1 << 23) - 1;
}

/* Partial results that could be: what is summed up is positive. */
static void fill_operand(struct trial *t, struct operand_memory *m)
{
    for (uint64_t i = 0; i < m->shape.n; i++) {
        float x = draw(t);
        if (m->shape.type == LLMSIM_OPERAND_HALF)
            ((uint16_t *)m->reference)[i] = llmsim_half_from_float(x, t->launch.dtype);
        else if (m->shape.type == LLMSIM_OPERAND_FLOAT)
            ((float *)m->reference)[i] = t->launch.kind == LLMSIM_LAUNCH_COMBINE ? x + 1.5F : x;
        else if (t->launch.kind == LLMSIM_LAUNCH_EMBED)
            ((uint32_t *)m->reference)[i] = (uint32_t)((t->random >> 32) % t->launch.inputs);
        else
            ((uint32_t *)m->reference)[i] = (uint32_t)(t->random >> 32);
    }
}

/* What the launch only writes begins as NaN, so that what it leaves out shows. */
static enum llmsim_status prepare(struct trial *t, struct operand_memory *m,
                                  struct llmsim_error *err)
{
    const struct llmsim_device *d = t->device;
    m->bytes = m->shape.n * element_bytes(m->shape.type);
    m->reference = malloc(m->bytes);
    m->result = malloc(m->bytes);
    if (m->reference == NULL || m->result == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    if (m->shape.is_read)
        fill_operand(t, m);
    else
        memset(m->reference, 0xff, m->bytes);
    enum llmsim_status status = d->ops->allocate(d->self, m->bytes, &m->device, err);
    if (status == LLMSIM_OK)
        status = d->ops->upload(d->self, m->device, m->reference, m->bytes, err);
    return status;
}

static double element(const struct trial *t, const struct operand_memory *m, const void *from,
                      uint64_t i)
{
    if (m->shape.type == LLMSIM_OPERAND_HALF)
        return (double)llmsim_half_to_float(((const uint16_t *)from)[i], t->launch.dtype);
    return (double)((const float *)from)[i];
}

/* NaN if there is one anywhere. */
static double distance(const struct trial *t, const struct operand_memory *m)
{
    double difference = 0, size = 0;
    if (memcmp(m->reference, m->result, m->bytes) == 0)
        return 0;
    if (m->shape.type == LLMSIM_OPERAND_WORD)
        return INFINITY;
    for (uint64_t i = 0; i < m->shape.n; i++) {
        double wanted = element(t, m, m->reference, i), is = element(t, m, m->result, i);
        difference += (is - wanted) * (is - wanted);
        size += wanted * wanted;
    }
    return sqrt(difference / size);
}

static enum llmsim_status compare(const struct trial *t, struct llmsim_error *err)
{
    static const char *const names[] = {"in",   "weights", "state",   "out",
                                        "keys", "values",  "partials"};
    const struct llmsim_launch *l = &t->launch;
    for (unsigned i = 0; i < LLMSIM_OPERANDS; i++) {
        const struct operand_memory *m = &t->operands[i];
        double bound = m->shape.is_written ? bound_for(l, m->shape.type) : 0;
        double d = m->shape.n > 0 ? distance(t, m) : 0;
        if (!(d <= bound))
            return llmsim_fail(
                err, LLMSIM_RUN_FAILED,
                "self-test: kernel %s is wrong: ‖%s − reference‖ / ‖reference‖ is "
                "%.2g, over %.2g (%s; rows %llu; inputs %llu; outputs %llu; heads %u "
                "of %u for %u; tokens %llu in %llu parts; bytes %llu)",
                llmsim_launch_name(l->kind), names[i], d, bound,
                llmsim_dtype_choice(l->dtype)->name, (unsigned long long)l->rows,
                (unsigned long long)l->inputs, (unsigned long long)l->outputs, l->n_heads,
                l->head_dim, l->n_kv_heads, (unsigned long long)l->tokens_each,
                (unsigned long long)l->n_splits, (unsigned long long)l->bytes);
    }
    return LLMSIM_OK;
}

static enum llmsim_status run_both(struct trial *t, struct llmsim_error *err)
{
    const struct llmsim_device *d = t->device;
    struct llmsim_launch of_device = t->launch, of_cpu = t->launch;
    double seconds;
    enum llmsim_status status = LLMSIM_OK;
    for (unsigned i = 0; i < LLMSIM_OPERANDS; i++) {
        llmsim_launch_set_operand(&of_device, i, t->operands[i].device);
        llmsim_launch_set_operand(&of_cpu, i, t->operands[i].reference);
    }
    status = d->ops->time(d->self, &of_device, 1, LLMSIM_LAUNCH_PLAIN, 0, 1, &seconds, err);
    for (unsigned i = 0; i < LLMSIM_OPERANDS && status == LLMSIM_OK; i++)
        if (t->operands[i].shape.n > 0)
            status = d->ops->download(d->self, t->operands[i].result, t->operands[i].device,
                                      t->operands[i].bytes, err);
    if (status == LLMSIM_OK)
        llmsim_reference_launch(&of_cpu);
    return status;
}

static enum llmsim_status try_launch(const struct llmsim_device *device,
                                     const struct llmsim_launch *launch, struct llmsim_error *err)
{
    struct trial t = {.device = device, .launch = *launch, .random = 12345};
    struct llmsim_operand shapes[LLMSIM_OPERANDS];
    enum llmsim_status status = LLMSIM_OK;
    llmsim_launch_operands(launch, shapes);
    for (unsigned i = 0; i < LLMSIM_OPERANDS; i++) {
        t.operands[i].shape = shapes[i];
        if (shapes[i].n > 0 && status == LLMSIM_OK)
            status = prepare(&t, &t.operands[i], err);
    }
    if (status == LLMSIM_OK)
        status = run_both(&t, err);
    if (status == LLMSIM_OK)
        status = compare(&t, err);
    for (unsigned i = 0; i < LLMSIM_OPERANDS; i++) {
        free(t.operands[i].reference);
        free(t.operands[i].result);
        device->ops->release(device->self, t.operands[i].device);
    }
    return status;
}

/* ---- the cases ---- */

/* For NORM: that there is something to add. */
static const char some_memory;

#define CASE(kind_, ...)                                                                           \
    {                                                                                              \
        .kind = LLMSIM_LAUNCH_##kind_, __VA_ARGS__                                                 \
    }
static const struct llmsim_launch plain_cases[] = {
    CASE(EMBED, .rows = 5, .inputs = 11, .outputs = 96),
    CASE(NORM, .rows = 7, .outputs = 520, .stride = 1),
    CASE(NORM, .rows = 3, .outputs = 2056, .stride = 1, .in = &some_memory),
    CASE(NORM, .rows = 3, .outputs = 64, .stride = 4, .in = &some_memory),
    CASE(GEMM, .rows = 1, .inputs = 256, .outputs = 136),
    CASE(GEMM, .rows = 33, .inputs = 192, .outputs = 136),
    CASE(ACTIVATE, .rows = 5, .outputs = 264),
    CASE(ACTIVATE, .rows = 5, .outputs = 264, .gated = true),
    CASE(READ, .bytes = 4096),
    CASE(READ, .bytes = 1052672),
    CASE(COPY, .bytes = 1052672),
    CASE(TRIAD, .bytes = 1052672),
};

/* Tokens beside the ends of tiles, and heads that share keys and values or do not. */
static const struct {
    uint64_t batch_size, prompt_tokens, context_tokens;
    unsigned n_heads, n_kv_heads;
} attention_cases[] = {
    {1, 1, 1, 2, 2},      {2, 63, 63, 4, 2}, {3, 64, 64, 3, 1},
    {1, 65, 1025, 16, 1}, {2, 2, 200, 5, 5}, {1, 130, 333, 4, 2},
};

static enum llmsim_status try_and_count(const struct llmsim_device *device,
                                        struct llmsim_launch launch, enum llmsim_dtype dtype,
                                        size_t *n, struct llmsim_error *err)
{
    launch.dtype = dtype;
    enum llmsim_status status = try_launch(device, &launch, err);
    *n += status == LLMSIM_OK;
    return status;
}

/* All kernels of one attention, of a prompt and of a decode. */
static enum llmsim_status try_attention(const struct llmsim_device *device, size_t i,
                                        unsigned head_dim, enum llmsim_dtype dtype, size_t *n,
                                        struct llmsim_error *err)
{
    uint64_t batch_size = attention_cases[i].batch_size;
    uint64_t context_tokens = attention_cases[i].context_tokens;
    struct llmsim_launch prompt = {
        .batch_size = batch_size,
        .tokens_each = attention_cases[i].prompt_tokens,
        .n_heads = attention_cases[i].n_heads,
        .n_kv_heads = attention_cases[i].n_kv_heads,
        .head_dim = head_dim,
        .rows = batch_size * attention_cases[i].prompt_tokens,
    };
    struct llmsim_launch decode = prompt;
    decode.rows = batch_size;
    decode.tokens_each = context_tokens;
    decode.split_tokens = i % 2 == 0 ? LLMSIM_SPLIT_UNIT : 2 * LLMSIM_SPLIT_UNIT;
    decode.n_splits = (context_tokens + decode.split_tokens - 1) / decode.split_tokens;
    const struct {
        const struct llmsim_launch *launch;
        enum llmsim_launch_kind kind;
    } kinds[] = {
        {&prompt, LLMSIM_LAUNCH_STORE_KV}, {&prompt, LLMSIM_LAUNCH_ATTEND_PROMPT},
        {&decode, LLMSIM_LAUNCH_STORE_KV}, {&decode, LLMSIM_LAUNCH_ATTEND_CONTEXT},
        {&decode, LLMSIM_LAUNCH_COMBINE},
    };
    enum llmsim_status status = LLMSIM_OK;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds && status == LLMSIM_OK; k++) {
        struct llmsim_launch launch = *kinds[k].launch;
        launch.kind = kinds[k].kind;
        status = try_and_count(device, launch, dtype, n, err);
    }
    return status;
}

enum llmsim_status llmsim_device_self_test(const struct llmsim_device *device, size_t *n_cases,
                                           struct llmsim_error *err)
{
    static const unsigned head_dims[] = {
#define X(dim) dim,
        LLMSIM_HEAD_DIMS(X)
#undef X
    };
    enum llmsim_status status = LLMSIM_OK;
    *n_cases = 0;
    for (size_t dtype = 0; llmsim_dtype_choice(dtype) != NULL; dtype++) {
        for (size_t i = 0; i < sizeof plain_cases / sizeof *plain_cases && status == LLMSIM_OK; i++)
            status = try_and_count(device, plain_cases[i], (enum llmsim_dtype)dtype, n_cases, err);
        for (size_t d = 0; d < sizeof head_dims / sizeof *head_dims; d++)
            for (size_t i = 0;
                 i < sizeof attention_cases / sizeof *attention_cases && status == LLMSIM_OK; i++)
                status =
                    try_attention(device, i, head_dims[d], (enum llmsim_dtype)dtype, n_cases, err);
    }
    return status;
}
