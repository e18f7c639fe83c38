/* cmd_sweep_merge.c: the shards of a sweep into one table. */
#include "sweep_plan.h"

struct values {
    const char *output;
};

static enum llmsim_status run(const void *values, const char *const *operands, size_t n_operands,
                              struct llmsim_error *err)
{
    const struct values *v = values;
    struct llmsim_merged merged;
    enum llmsim_status status = llmsim_sweep_merge(v->output, operands, n_operands, &merged, err);
    return status == LLMSIM_OK ? sweep_report(&merged.progress, v->output, merged.file_name, err)
                               : status;
}

static const struct cli_option options[] = {
    {.name = "output",
     .argument = "DIR",
     .help = "where the whole goes; none of the shards' directories",
     .kind = CLI_STRING,
     .required = true,
     .offset = offsetof(struct values, output)},
    CLI_OPTION_END,
};

const struct cli_command cli_sweep_merge = {
    .name = "sweep merge",
    .help = "the shards of a sweep into one table",
    .operands = "DIR...",
    .example = "llmsim sweep merge results/shard-* --output results/whole",
    .min_operands = 1,
    .max_operands = CLI_MAX_OPERANDS,
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
