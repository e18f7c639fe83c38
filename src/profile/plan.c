/* plan.c: which steps are measured, with how many layers, and where all of it lies in memory. */
#include <stdlib.h>

#include "kernel_limits.h"
#include "step.h"

#define ELEMENT UINT64_C(2) /* bytes */
#define MIN_LAYERS 2u
#define RESERVE_BYTES (UINT64_C(1) << 30)
#define FIRST_PROMPT_TOKENS 16u
#define MAX_PROMPTS 16u
#define FIRST_CONTEXT 64u

uint64_t llmsim_profile_budget(uint64_t free_bytes)
{
    return free_bytes > RESERVE_BYTES ? free_bytes - RESERVE_BYTES : 0;
}

/* 4 blocks a multiprocessor, so that the last ones to run are few among all. A part has at least
 * one unit of keys. */
struct split llmsim_split_context(const struct llmsim_network *network,
                                  const struct llmsim_profile_point *point,
                                  unsigned n_multiprocessors)
{
    uint64_t unsplit = point->batch_size * network->n_kv_heads;
    uint64_t units = (point->tokens_each + LLMSIM_SPLIT_UNIT - 1) / LLMSIM_SPLIT_UNIT;
    uint64_t wanted = (4 * (uint64_t)n_multiprocessors + unsplit - 1) / unsplit;
    wanted = wanted < 1 ? 1 : wanted;
    uint64_t units_a_part = (units + wanted - 1) / wanted;
    return (struct split){
        .n = (units + units_a_part - 1) / units_a_part,
        .tokens = units_a_part * LLMSIM_SPLIT_UNIT,
    };
}

/* ---- sizes ---- */

/* The greatest of what the points of a plan need. */
struct extent {
    uint64_t rows, batch_size, kv_tokens, partials;
};

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static struct extent extend(struct extent e, const struct llmsim_network *network,
                            const struct llmsim_profile_point *p, unsigned n_multiprocessors)
{
    uint64_t tokens = p->batch_size * p->tokens_each;
    bool is_decode = p->phase == LLMSIM_PROFILE_DECODE;
    e.rows = larger(e.rows, is_decode ? p->batch_size : tokens);
    e.batch_size = larger(e.batch_size, p->batch_size);
    e.kv_tokens = larger(e.kv_tokens, tokens);
    if (is_decode)
        e.partials = larger(e.partials, p->batch_size * network->n_heads *
                                            llmsim_split_context(network, p, n_multiprocessors).n *
                                            (network->head_dim + 2) * sizeof(float));
    return e;
}

/* The next `bytes`, from a multiple of 256 on as allocations begin. */
static uint64_t take(uint64_t *used, uint64_t bytes)
{
    uint64_t at = *used;
    *used += (bytes + 255) / 256 * 256;
    return at;
}

static struct llmsim_profile_layout lay_out(const struct llmsim_network *n, unsigned n_layers,
                                            struct extent e)
{
    struct llmsim_profile_layout l;
    uint64_t used = 0, h = n->hidden_size, f = n->intermediate_size;
    uint64_t q = (uint64_t)n->n_heads * n->head_dim, kv = (uint64_t)n->n_kv_heads * n->head_dim;
    uint64_t widened = n->has_gated_mlp ? 2 * f : f;
    l.embedding = take(&used, ELEMENT * n->vocab_size * h);
    l.lm_head = n->ties_embeddings ? l.embedding : take(&used, ELEMENT * n->vocab_size * h);
    l.final_norm = take(&used, ELEMENT * h);
    l.ids = take(&used, sizeof(uint32_t) * e.rows);
    l.state = take(&used, ELEMENT * e.rows * h);
    l.normed = take(&used, ELEMENT * e.rows * h);
    l.projected = take(&used, ELEMENT * e.rows * (q + 2 * kv));
    l.attended = take(&used, ELEMENT * e.rows * q);
    l.partials = take(&used, e.partials);
    l.added = take(&used, ELEMENT * e.rows * h);
    l.widened = take(&used, ELEMENT * e.rows * widened);
    l.activated = take(&used, ELEMENT * e.rows * f);
    l.logits = take(&used, ELEMENT * e.batch_size * n->vocab_size);
    uint64_t first = used;
    l.norm1 = take(&used, ELEMENT * h);
    l.qkv = take(&used, ELEMENT * (q + 2 * kv) * h);
    l.output = take(&used, ELEMENT * h * q);
    l.norm2 = take(&used, ELEMENT * h);
    l.up = take(&used, ELEMENT * widened * h);
    l.down = take(&used, ELEMENT * h * f);
    l.keys = take(&used, ELEMENT * e.kv_tokens * kv);
    l.values = take(&used, ELEMENT * e.kv_tokens * kv);
    l.layer_stride = used - first;
    l.total = first + n_layers * l.layer_stride;
    return l;
}

uint64_t llmsim_profile_point_bytes(const struct llmsim_network *n,
                                    const struct llmsim_profile_point *point)
{
    uint64_t h = n->hidden_size, f = n->intermediate_size;
    uint64_t q = (uint64_t)n->n_heads * n->head_dim, kv = (uint64_t)n->n_kv_heads * n->head_dim;
    uint64_t layer = (q + 2 * kv) * h + h * q + (n->has_gated_mlp ? 3 : 2) * f * h + 2 * h;
    uint64_t kv_read =
        point->phase == LLMSIM_PROFILE_DECODE ? 2 * kv * point->batch_size * point->tokens_each : 0;
    return ELEMENT * (n->n_layers * (layer + kv_read) + n->vocab_size * h + h);
}

/* ---- points ---- */

/* 1, 2, 3, 4, 6, 8, 12, …: a power of 2, and in the middle to the next. */
static uint64_t next_size(uint64_t size)
{
    if (size == 1)
        return 2;
    return (size & (size - 1)) == 0 ? size / 2 * 3 : size / 3 * 4;
}

static void add_point(struct llmsim_profile_plan *plan, size_t capacity, uint64_t batch_size,
                      uint64_t tokens_each, enum llmsim_profile_phase phase)
{
    if (plan->n_points < capacity)
        plan->points[plan->n_points] =
            (struct llmsim_profile_point){phase, batch_size, tokens_each};
    plan->n_points++;
}

/* Totals, each split over 1, 2, … 16 prompts of at least 16 tokens. */
static void sweep_prompts(struct llmsim_profile_plan *plan, size_t capacity,
                          const struct llmsim_profile_sweep *sweep)
{
    for (uint64_t total = FIRST_PROMPT_TOKENS; total <= sweep->max_tokens; total = next_size(total))
        for (uint64_t batch = 1; batch <= MAX_PROMPTS && batch <= sweep->max_batch; batch *= 2)
            if (total % batch == 0 && total / batch >= FIRST_PROMPT_TOKENS)
                add_point(plan, capacity, batch, total / batch, LLMSIM_PROFILE_PREFILL);
}

static void sweep_decodes(struct llmsim_profile_plan *plan, size_t capacity,
                          const struct llmsim_profile_sweep *sweep)
{
    for (uint64_t context = FIRST_CONTEXT; context <= sweep->max_tokens; context *= 2)
        for (uint64_t batch = 1; batch <= sweep->max_batch; batch = next_size(batch))
            add_point(plan, capacity, batch, context, LLMSIM_PROFILE_DECODE);
}

/* Count, then fill. */
static enum llmsim_status list_points(struct llmsim_profile_plan *plan,
                                      const struct llmsim_profile_sweep *sweep,
                                      struct llmsim_error *err)
{
    size_t capacity = 0;
    for (int pass = 0; pass < 2; pass++) {
        plan->n_points = 0;
        if (sweep->phase == LLMSIM_PROFILE_PREFILL)
            sweep_prompts(plan, capacity, sweep);
        else
            sweep_decodes(plan, capacity, sweep);
        if (pass == 0) {
            capacity = plan->n_points;
            plan->points = calloc(capacity + 1, sizeof *plan->points);
            if (plan->points == NULL)
                return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
        }
    }
    if (plan->n_points > 0)
        return LLMSIM_OK;
    return llmsim_fail(err, LLMSIM_USAGE, "there is nothing to measure below %u tokens",
                       sweep->phase == LLMSIM_PROFILE_PREFILL ? FIRST_PROMPT_TOKENS
                                                              : FIRST_CONTEXT);
}

/* ---- the whole ---- */

static struct extent extent_of_all(const struct llmsim_profile_plan *plan)
{
    struct extent e = {0};
    for (size_t i = 0; i < plan->n_points; i++)
        e = extend(e, &plan->network, &plan->points[i], plan->n_multiprocessors);
    return e;
}

static uint64_t bytes_of(const struct llmsim_profile_plan *plan, unsigned n_layers, struct extent e)
{
    return lay_out(&plan->network, n_layers, e).total;
}

static struct extent extent_of(const struct llmsim_profile_plan *plan,
                               const struct llmsim_profile_point *point)
{
    return extend((struct extent){0}, &plan->network, point, plan->n_multiprocessors);
}

static unsigned choose_layers(const struct llmsim_profile_plan *plan)
{
    unsigned n = plan->network.n_layers;
    if (bytes_of(plan, n, extent_of(plan, &plan->points[0])) <= plan->budget_bytes)
        return n;
    while (n > MIN_LAYERS && bytes_of(plan, n, extent_of_all(plan)) > plan->budget_bytes)
        n--;
    return n;
}

/* Keep, in order, the points that fit beside the layers and the points before them. */
static struct extent drop_points(struct llmsim_profile_plan *plan)
{
    struct extent kept = {0};
    size_t n = 0;
    for (size_t i = 0; i < plan->n_points; i++) {
        const struct llmsim_profile_point *p = &plan->points[i];
        struct extent with = extend(kept, &plan->network, p, plan->n_multiprocessors);
        if (bytes_of(plan, plan->n_layers, with) <= plan->budget_bytes) {
            kept = with;
            plan->points[n++] = *p;
            continue;
        }
        uint64_t bytes = bytes_of(plan, plan->n_layers, extent_of(plan, p));
        if (plan->n_left_out++ == 0 || bytes < plan->least_left_out)
            plan->least_left_out = bytes;
    }
    plan->n_points = n;
    return kept;
}

enum llmsim_status llmsim_profile_plan_init(struct llmsim_profile_plan *plan,
                                            const struct llmsim_network *network,
                                            const struct llmsim_profile_sweep *sweep,
                                            uint64_t budget_bytes, struct llmsim_error *err)
{
    *plan = (struct llmsim_profile_plan){.network = *network,
                                         .n_multiprocessors = sweep->n_multiprocessors,
                                         .budget_bytes = budget_bytes};
    enum llmsim_status status = list_points(plan, sweep, err);
    if (status != LLMSIM_OK)
        return status;
    plan->n_layers = choose_layers(plan);
    if (plan->n_layers < network->n_layers)
        plan->n_fewer_layers = plan->n_layers / 2;
    uint64_t least = bytes_of(plan, plan->n_layers, extent_of(plan, &plan->points[0]));
    struct extent kept = drop_points(plan);
    if (plan->n_points == 0) {
        llmsim_profile_plan_fini(plan);
        return llmsim_fail(
            err, LLMSIM_RUN_FAILED,
            "%s: %u layers and the smallest step need %.3f GB of memory, and %.3f GB "
            "may be used",
            network->name, plan->n_layers, (double)least / 1e9, (double)budget_bytes / 1e9);
    }
    plan->layout = lay_out(network, plan->n_layers, kept);
    return LLMSIM_OK;
}

void llmsim_profile_plan_fini(struct llmsim_profile_plan *plan)
{
    free(plan->points);
    plan->points = NULL;
    plan->n_points = 0;
}
