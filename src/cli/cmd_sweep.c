/* cmd_sweep.c: many configurations over one trace. */
#include <stdio.h>

#include "sweep_plan.h"

struct values {
    struct sweep_options sweep;
    bool summaries;
};

struct sweep_run {
    struct sweep_plan plan;
    size_t n_columns; /* behind `error` */
};

static enum llmsim_status simulate(const struct sweep_run *r, uint64_t number,
                                   struct llmsim_csv_row *row, struct llmsim_error *err)
{
    struct replay_setup setup;
    struct llmsim_point point;
    enum llmsim_status status = sweep_plan_setup(&r->plan, number, NULL, &setup, err);
    if (status == LLMSIM_OK)
        status = llmsim_simulate_point(&r->plan.memory, &setup.description, &point, err);
    if (status != LLMSIM_OK)
        return status;
    if (r->plan.summaries) {
        char dir[sizeof r->plan.dir + 16];
        (void)snprintf(dir, sizeof dir, "%s/summaries", r->plan.dir);
        status = llmsim_point_write_summary(&point, &setup.description, dir, number, err);
    }
    if (status == LLMSIM_OK) {
        llmsim_csv_row_text(row, "ok");
        llmsim_csv_row_empty(row, 1);
        const struct llmsim_point_price price = {setup.n_gpus, replay_gpu_price(&setup)};
        llmsim_point_row(row, &point, &price);
        sweep_put_warnings(row, &setup, &point.summary);
    }
    llmsim_point_fini(&point);
    return status;
}

static enum llmsim_status compute(void *ctx, uint64_t number, struct llmsim_csv_row *row,
                                  enum llmsim_status *outcome, struct llmsim_error *err)
{
    const struct sweep_run *r = ctx;
    struct llmsim_error why;
    sweep_plan_row(&r->plan, number, row);
    *outcome = simulate(r, number, row, &why);
    if (*outcome == LLMSIM_OK)
        return LLMSIM_OK;
    return sweep_fail_point(*outcome, &why, r->n_columns, row, err);
}

static enum llmsim_status run(const void *values, const char *const *operands, size_t n_operands,
                              struct llmsim_error *err)
{
    const struct values *v = values;
    struct llmsim_csv_row header = {0};
    struct sweep_run r = {
        .plan = {.command = "sweep", .options = &v->sweep, .summaries = v->summaries},
    };
    struct sweep_table table = {.file_name = "sweep.csv", .work = {.ctx = &r, .compute = compute}};
    enum llmsim_status status = sweep_plan_init(&r.plan, n_operands > 0 ? operands[0] : NULL, err);
    if (status == LLMSIM_OK) {
        sweep_plan_header(&r.plan, &header);
        llmsim_csv_row_text(&header, "status");
        llmsim_csv_row_text(&header, "error");
        r.n_columns = llmsim_point_header(&header) + 1;
        llmsim_csv_row_text(&header, "warnings");
        table.header = header.text;
        if (header.failed)
            status = llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    }
    if (status == LLMSIM_OK)
        status = sweep_plan_run(&r.plan, &table, err);
    llmsim_csv_row_fini(&header);
    sweep_plan_fini(&r.plan);
    return status;
}

static const struct cli_option options[] = {
    CLI_SWEEP_OPTIONS(struct values, sweep),
    {.name = "summaries",
     .help = "write DIR/summaries/POINT.json, the summary.json of each replay",
     .kind = CLI_FLAG,
     .offset = offsetof(struct values, summaries)},
    CLI_OPTION_END,
};

const struct cli_command cli_sweep = {
    .name = "sweep",
    .help = "replay a trace through many configurations; write sweep.csv",
    .operands = "[SPEC.json]",
    .example = "llmsim sweep --trace traces/azure_conv_like.csv --model meta-llama/Llama-2-13b-hf "
               "--gpu a6000 --max-num-seqs 8,16,32,64 --rate-scale 0.05,0.1,0.15",
    .min_operands = 0,
    .max_operands = 1,
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
