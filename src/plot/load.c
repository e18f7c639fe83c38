#include "load.h"

#include <stdlib.h>

enum llmsim_status load_init(struct load *load, uint32_t n_replicas, uint32_t n_prefill,
                             struct llmsim_error *err)
{
    *load = (struct load){.n_replicas = n_replicas, .n_prefill = n_prefill};
    if (n_replicas < 2 || n_replicas > LOAD_MAX_TRACKED)
        return LLMSIM_OK;
    load->each = calloc(n_replicas, sizeof *load->each);
    if (load->each == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    load->n_tracked = n_replicas;
    return LLMSIM_OK;
}

void load_fini(struct load *load)
{
    free(load->each);
    load->each = NULL;
}

void load_add_request(struct load *load, const struct time_axis *axis, uint32_t queue,
                      uint32_t replica, int64_t arrival_ns, int64_t scheduled_ns, int64_t end_ns)
{
    span_means_add(&load->all.waiting, axis, arrival_ns, scheduled_ns, 1);
    span_means_add(&load->all.running, axis, scheduled_ns, end_ns, 1);
    if (queue < load->n_tracked)
        span_means_add(&load->each[queue].waiting, axis, arrival_ns, scheduled_ns, 1);
    if (replica < load->n_tracked)
        span_means_add(&load->each[replica].running, axis, scheduled_ns, end_ns, 1);
}

static void add_step(struct replica_load *load, const struct time_axis *axis, int64_t begin_ns,
                     int64_t end_ns, double batch_size)
{
    span_means_add(&load->busy, axis, begin_ns, end_ns, 1);
    if (batch_size > 0) {
        span_means_add(&load->batch, axis, begin_ns, end_ns, batch_size);
        span_means_add(&load->decoding, axis, begin_ns, end_ns, 1);
    }
}

void load_add_step(struct load *load, const struct time_axis *axis, uint32_t replica,
                   int64_t begin_ns, int64_t end_ns, double batch_size)
{
    add_step(&load->all, axis, begin_ns, end_ns, batch_size);
    if (replica < load->n_tracked)
        add_step(&load->each[replica], axis, begin_ns, end_ns, batch_size);
    span_means_add(&load->busy[replica < load->n_prefill ? LOAD_PREFILL : LOAD_OTHERS], axis,
                   begin_ns, end_ns, 1);
    if (batch_size <= 0)
        return;
    load->has_batches = true;
    unsigned last = time_axis_span(axis, end_ns, TIME_SPANS);
    for (unsigned k = time_axis_span(axis, begin_ns, TIME_SPANS); k <= last; k++)
        if (load->batch_max[k] < batch_size)
            load->batch_max[k] = batch_size;
}

/* What load.csv has of a span. */
struct span {
    double waiting, running, batch, busy[LOAD_N_POOLS];
    /* Of the replica that has least, or most; negative: of none. */
    double most_waiting, most_running, least_batch, most_batch, least_busy, most_busy;
};

/* Sums of value × time, divided by how long it was; negative: it was no time. Under half a
 * nanosecond is what sums have lost to rounding. */
static double mean(double total, double ns)
{
    return ns > 0.5 ? total / ns : -1;
}

static void put_least(double *least, double value)
{
    if (value >= 0 && (*least < 0 || value < *least))
        *least = value;
}

static void put_most(double *most, double value)
{
    if (value > *most)
        *most = value;
}

/* A replica's share in what is said of all of them. A prefill replica is no idle one of those that
 * decode: the least and the most busy are of the others. */
static void add_replica(struct span *spans, const struct replica_load *load, bool is_prefill,
                        const struct time_axis *axis)
{
    double waiting[TIME_SPANS], running[TIME_SPANS], batch[TIME_SPANS], decoding[TIME_SPANS],
        busy[TIME_SPANS];
    span_means_finish(&load->waiting, axis, waiting);
    span_means_finish(&load->running, axis, running);
    span_means_finish(&load->batch, axis, batch);
    span_means_finish(&load->decoding, axis, decoding);
    span_means_finish(&load->busy, axis, busy);
    for (unsigned k = 0; k < TIME_SPANS; k++) {
        double width_ns = time_axis_width(axis, k, TIME_SPANS);
        put_most(&spans[k].most_waiting, mean(waiting[k], width_ns));
        put_most(&spans[k].most_running, mean(running[k], width_ns));
        put_least(&spans[k].least_batch, mean(batch[k], decoding[k]));
        put_most(&spans[k].most_batch, mean(batch[k], decoding[k]));
        if (!is_prefill) {
            put_least(&spans[k].least_busy, mean(busy[k], width_ns));
            put_most(&spans[k].most_busy, mean(busy[k], width_ns));
        }
    }
}

static void add_all(struct span *spans, const struct load *load, const struct time_axis *axis)
{
    double waiting[TIME_SPANS], running[TIME_SPANS], batch[TIME_SPANS], decoding[TIME_SPANS],
        busy[LOAD_N_POOLS][TIME_SPANS];
    double n[LOAD_N_POOLS] = {
        [LOAD_PREFILL] = load->n_prefill, [LOAD_OTHERS] = load->n_replicas - load->n_prefill};
    span_means_finish(&load->all.waiting, axis, waiting);
    span_means_finish(&load->all.running, axis, running);
    span_means_finish(&load->all.batch, axis, batch);
    span_means_finish(&load->all.decoding, axis, decoding);
    for (size_t pool = 0; pool < LOAD_N_POOLS; pool++)
        span_means_finish(&load->busy[pool], axis, busy[pool]);
    for (unsigned k = 0; k < TIME_SPANS; k++) {
        double width_ns = time_axis_width(axis, k, TIME_SPANS);
        spans[k] = (struct span){.waiting = mean(waiting[k], width_ns),
                                 .running = mean(running[k], width_ns),
                                 .batch = mean(batch[k], decoding[k]),
                                 .most_waiting = -1,
                                 .most_running = -1,
                                 .least_batch = -1,
                                 .most_batch = -1,
                                 .least_busy = -1,
                                 .most_busy = -1};
        for (size_t pool = 0; pool < LOAD_N_POOLS; pool++)
            spans[k].busy[pool] = load->has_steps ? mean(busy[pool][k], n[pool] * width_ns) : -1;
    }
}

static void put_span(struct llmsim_output *out, const struct load *load,
                     const struct time_axis *axis, unsigned k, const struct span *span)
{
    const double batch_max = span->batch >= 0 ? load->batch_max[k] : -1;
    const double values[] = {span->waiting,
                             span->running,
                             span->batch,
                             batch_max,
                             span->most_waiting,
                             span->most_running,
                             span->least_batch,
                             span->most_batch,
                             span->busy[LOAD_OTHERS],
                             span->busy[LOAD_PREFILL],
                             load->has_steps ? span->least_busy : -1,
                             load->has_steps ? span->most_busy : -1};
    int64_t begin_ns = time_axis_edge(axis, k, TIME_SPANS);
    int64_t end_ns = time_axis_edge(axis, k + 1, TIME_SPANS);
    plot_put(out, "%.6g", time_axis_value(axis, begin_ns + (end_ns - begin_ns) / 2));
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (values[i] >= 0)
            plot_put(out, ",%.6g", values[i]);
        else
            plot_put(out, ",");
    plot_put(out, "\n");
}

enum llmsim_status load_write(const struct load *load, const struct time_axis *axis,
                              const struct plot_files *files, struct llmsim_error *err)
{
    struct span spans[TIME_SPANS];
    struct llmsim_output out;
    enum llmsim_status status = plot_files_begin(files, "load.csv", &out, err);
    if (status != LLMSIM_OK)
        return status;
    add_all(spans, load, axis);
    for (uint32_t i = 0; i < load->n_tracked; i++)
        add_replica(spans, &load->each[i], i < load->n_prefill, axis);
    plot_put(&out,
             "time_%s,waiting,running,batch_mean,batch_max,most_waiting,most_running,least_batch,"
             "most_batch,busy,busy_prefill,least_busy,most_busy\n",
             axis->unit);
    for (unsigned k = 0; k < TIME_SPANS; k++)
        put_span(&out, load, axis, k, &spans[k]);
    return plot_files_end(&out, LLMSIM_OK, err);
}
