/* model_run.c: a plan carried out: weights, then every point, then the rows. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profile_csv.h"
#include "step.h"

struct run {
    const struct llmsim_profile_plan *plan;
    const struct llmsim_device *device;
    const struct llmsim_profile_config *config;
    char *base; /* of the device: not to be followed here */
    struct llmsim_launch *launches;
    double *seconds, *sorted, *fewer; /* n_repeats each */
};

/* ---- what the device holds ---- */

/* The deviation that keeps what a weight's layer puts out as large as what comes in. */
static float scale_for(uint64_t inputs)
{
    return sqrtf(3.0F / (float)inputs);
}

static enum llmsim_status fill(const struct run *r, uint64_t offset, uint64_t n, float scale,
                               uint64_t *seed, struct llmsim_error *err)
{
    return r->device->ops->fill(r->device->self, r->base + offset, n, r->plan->network.dtype,
                                (*seed)++, scale, err);
}

static enum llmsim_status fill_layer(const struct run *r, unsigned layer, uint64_t *seed,
                                     struct llmsim_error *err)
{
    const struct llmsim_profile_layout *l = &r->plan->layout;
    const struct llmsim_network *n = &r->plan->network;
    uint64_t q = (uint64_t)n->n_heads * n->head_dim, kv = (uint64_t)n->n_kv_heads * n->head_dim;
    uint64_t h = n->hidden_size, f = n->intermediate_size;
    uint64_t kv_elements = (l->values - l->keys) / 2;
    const struct {
        uint64_t offset, n_elements;
        float scale;
    } parts[] = {
        {l->norm1, h, 1},
        {l->qkv, (q + 2 * kv) * h, scale_for(h)},
        {l->output, h * q, scale_for(q)},
        {l->norm2, h, 1},
        {l->up, (n->has_gated_mlp ? 2 : 1) * f * h, scale_for(h)},
        {l->down, h * f, scale_for(f)},
        {l->keys, kv_elements, 1},
        {l->values, kv_elements, 1},
    };
    enum llmsim_status status = LLMSIM_OK;
    for (size_t i = 0; i < sizeof parts / sizeof *parts && status == LLMSIM_OK; i++)
        status = fill(r, parts[i].offset + layer * l->layer_stride, parts[i].n_elements,
                      parts[i].scale, seed, err);
    return status;
}

/* Tokens all over the vocabulary. */
static enum llmsim_status upload_ids(const struct run *r, struct llmsim_error *err)
{
    const struct llmsim_profile_layout *l = &r->plan->layout;
    uint64_t n = (l->state - l->ids) / sizeof(uint32_t);
    uint32_t *ids = calloc(n, sizeof *ids);
    if (ids == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    for (uint64_t i = 0; i < n; i++)
        ids[i] = (uint32_t)(i * 2654435761U % r->plan->network.vocab_size);
    enum llmsim_status status =
        r->device->ops->upload(r->device->self, r->base + l->ids, ids, n * sizeof *ids, err);
    free(ids);
    return status;
}

static enum llmsim_status fill_all(const struct run *r, struct llmsim_error *err)
{
    const struct llmsim_profile_layout *l = &r->plan->layout;
    const struct llmsim_network *n = &r->plan->network;
    uint64_t seed = 1, table = (uint64_t)n->vocab_size * n->hidden_size;
    enum llmsim_status status = upload_ids(r, err);
    if (status == LLMSIM_OK)
        status = fill(r, l->embedding, table, 1, &seed, err);
    if (status == LLMSIM_OK && !n->ties_embeddings)
        status = fill(r, l->lm_head, table, scale_for(n->hidden_size), &seed, err);
    if (status == LLMSIM_OK)
        status = fill(r, l->final_norm, n->hidden_size, 1, &seed, err);
    for (unsigned i = 0; i < r->plan->n_layers && status == LLMSIM_OK; i++)
        status = fill_layer(r, i, &seed, err);
    return status;
}

/* ---- the points ---- */

static enum llmsim_status time_layers(const struct run *r, const struct llmsim_profile_point *point,
                                      unsigned n_layers, double *seconds, struct llmsim_error *err)
{
    size_t n = llmsim_profile_step(r->plan, point, n_layers, r->base, r->launches);
    return r->device->ops->time(r->device->self, r->launches, n, r->config->mode,
                                r->config->n_warmups, r->config->n_repeats, seconds, err);
}

static double median_of(const struct run *r, const double *seconds)
{
    memcpy(r->sorted, seconds, r->config->n_repeats * sizeof *seconds);
    return llmsim_median(r->sorted, r->config->n_repeats);
}

/* Where not all layers fit, two counts of layers give the time of one, and that of the others is
 * added. */
static enum llmsim_status add_missing_layers(const struct run *r,
                                             const struct llmsim_profile_point *point,
                                             struct llmsim_error *err)
{
    const struct llmsim_profile_plan *plan = r->plan;
    enum llmsim_status status = time_layers(r, point, plan->n_fewer_layers, r->fewer, err);
    if (status != LLMSIM_OK)
        return status;
    double more_s = median_of(r, r->seconds), fewer_s = median_of(r, r->fewer);
    if (!(more_s > fewer_s))
        return llmsim_fail(err, LLMSIM_RUN_FAILED,
                           "%u layers took %.9f s and %u layers %.9f s: there is no telling what "
                           "%u would take",
                           plan->n_layers, more_s, plan->n_fewer_layers, fewer_s,
                           plan->network.n_layers);
    double layer_s = (more_s - fewer_s) / (plan->n_layers - plan->n_fewer_layers);
    for (unsigned i = 0; i < r->config->n_repeats; i++)
        r->seconds[i] += layer_s * (plan->network.n_layers - plan->n_layers);
    return LLMSIM_OK;
}

static enum llmsim_status measure_points(const struct run *r, struct profile_csv *csv,
                                         struct llmsim_error *err)
{
    const struct llmsim_profile_config *config = r->config;
    enum llmsim_status status = LLMSIM_OK;
    for (size_t i = 0; i < r->plan->n_points && status == LLMSIM_OK; i++) {
        const struct llmsim_profile_point *point = &r->plan->points[i];
        status = time_layers(r, point, r->plan->n_layers, r->seconds, err);
        if (status == LLMSIM_OK && r->plan->n_fewer_layers > 0)
            status = add_missing_layers(r, point, err);
        if (status != LLMSIM_OK)
            break;
        profile_csv_add(csv, point, r->seconds, config->n_repeats);
        struct llmsim_profile_progress progress = {i + 1, r->plan->n_points, point,
                                                   median_of(r, r->seconds)};
        if (config->observe != NULL && !config->observe(config->observe_ctx, &progress))
            status = llmsim_fail(err, LLMSIM_INTERRUPTED, "interrupted; no file was written");
    }
    return status;
}

/* ---- the whole ---- */

static enum llmsim_status reserve(struct run *r, struct llmsim_error *err)
{
    size_t most = llmsim_profile_step(r->plan, &r->plan->points[0], r->plan->n_layers, NULL, NULL);
    void *memory = NULL;
    r->launches = calloc(most, sizeof *r->launches);
    r->seconds = calloc(r->config->n_repeats, sizeof *r->seconds);
    r->sorted = calloc(r->config->n_repeats, sizeof *r->sorted);
    r->fewer = calloc(r->config->n_repeats, sizeof *r->fewer);
    if (r->launches == NULL || r->seconds == NULL || r->sorted == NULL || r->fewer == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    enum llmsim_status status =
        r->device->ops->allocate(r->device->self, r->plan->layout.total, &memory, err);
    r->base = memory;
    return status;
}

static void release(struct run *r)
{
    r->device->ops->release(r->device->self, r->base);
    free(r->launches);
    free(r->seconds);
    free(r->sorted);
    free(r->fewer);
}

enum llmsim_status llmsim_profile_run(const struct llmsim_profile_plan *plan,
                                      const struct llmsim_device *device,
                                      const struct llmsim_profile_config *config,
                                      struct llmsim_error *err)
{
    struct run r = {.plan = plan, .device = device, .config = config};
    struct llmsim_device_info info;
    struct profile_csv csv;
    enum llmsim_status status = device->ops->describe(device->self, &info, err);
    if (status != LLMSIM_OK)
        return status;
    status = profile_csv_open(&csv, config->output, plan, config, &info, err);
    if (status != LLMSIM_OK)
        return status;
    status = reserve(&r, err);
    if (status == LLMSIM_OK)
        status = fill_all(&r, err);
    if (status == LLMSIM_OK)
        status = measure_points(&r, &csv, err);
    if (status == LLMSIM_OK)
        status = profile_csv_commit(&csv, err);
    release(&r);
    profile_csv_close(&csv);
    return status;
}
