#include "load.h"

void load_add_request(struct load *load, const struct time_axis *axis, int64_t arrival_ns,
                      int64_t scheduled_ns, int64_t end_ns)
{
    span_means_add(&load->waiting, axis, arrival_ns, scheduled_ns, 1);
    span_means_add(&load->running, axis, scheduled_ns, end_ns, 1);
}

void load_add_decode_step(struct load *load, const struct time_axis *axis, int64_t begin_ns,
                          int64_t end_ns, double batch_size)
{
    load->has_batches = true;
    span_means_add(&load->batch, axis, begin_ns, end_ns, batch_size);
    span_means_add(&load->busy, axis, begin_ns, end_ns, 1);
    unsigned last = time_axis_span(axis, end_ns, TIME_SPANS);
    for (unsigned k = time_axis_span(axis, begin_ns, TIME_SPANS); k <= last; k++)
        if (load->batch_max[k] < batch_size)
            load->batch_max[k] = batch_size;
}

enum llmsim_status load_write(const struct load *load, const struct time_axis *axis,
                              const struct plot_files *files, struct llmsim_error *err)
{
    double waiting[TIME_SPANS], running[TIME_SPANS], batch[TIME_SPANS], busy[TIME_SPANS];
    struct llmsim_output out;
    enum llmsim_status status = plot_files_begin(files, "load.csv", &out, err);
    if (status != LLMSIM_OK)
        return status;
    span_means_finish(&load->waiting, axis, waiting);
    span_means_finish(&load->running, axis, running);
    span_means_finish(&load->batch, axis, batch);
    span_means_finish(&load->busy, axis, busy);
    plot_put(&out, "time_%s,waiting,running,batch_mean,batch_max\n", axis->unit);
    for (unsigned k = 0; k < TIME_SPANS; k++) {
        int64_t begin_ns = time_axis_edge(axis, k, TIME_SPANS);
        int64_t width_ns = time_axis_edge(axis, k + 1, TIME_SPANS) - begin_ns;
        plot_put(&out, "%.6g,%.6g,%.6g", time_axis_value(axis, begin_ns + width_ns / 2),
                 waiting[k] / (double)width_ns, running[k] / (double)width_ns);
        /* Under half a nanosecond is what the sums have lost to rounding. */
        if (busy[k] > 0.5)
            plot_put(&out, ",%.6g,%g\n", batch[k] / busy[k], load->batch_max[k]);
        else
            plot_put(&out, ",,\n");
    }
    return plot_files_end(&out, LLMSIM_OK, err);
}
