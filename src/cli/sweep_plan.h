/* sweep_plan.h: what sweep and capacity share: the options that make a grid, the trace and the
 * catalogues, each read once, and the settings of a point. */
#ifndef LLMSIM_SWEEP_PLAN_H
#define LLMSIM_SWEEP_PLAN_H

#include "cli.h"
#include "ranks.h"
#include "replay_settings.h"

struct sweep_options {
    const char *texts[CLI_MAX_OPTIONS]; /* of the replay's options, as they were typed */
    const char *trace, *output, *shard;
    uint64_t jobs;
    bool dry_run, yes;
};
extern const struct cli_option sweep_options_table[];
/* Rows of a command's table for them; `texts` is the member `texts` of the options. */
#define CLI_SWEEP_OPTIONS(type, member)                                                            \
    {.name = "",                                                                                   \
     .kind = CLI_TABLE,                                                                            \
     .table = sweep_options_table,                                                                 \
     .offset = offsetof(type, member)},                                                            \
    {                                                                                              \
        .name = "", .kind = CLI_TEXTS, .table = replay_settings_options,                           \
        .offset = offsetof(type, member.texts)                                                     \
    }

struct sweep_plan {
    const char *command;   /* "sweep" */
    const char *not_swept; /* an option whose values the command finds itself; NULL: none */
    const char *probe;     /* a value of it that shows what does not go with it */
    bool needs_slo;
    const struct sweep_options *options;
    const char *goal;              /* of the command, for the manifest; NULL: none */
    bool summaries;                /* the command writes them; for the manifest */
    struct cli_option_list replay; /* the options of a replay */
    struct llmsim_grid *grid;
    const char *spec_path; /* NULL: none */
    const char *trace_path;
    uint64_t shard, n_shards;
    char dir[512]; /* where the results go */
    struct ranks ranks;
    struct llmsim_catalogue *catalogue;
    struct llmsim_trace *trace;
    struct llmsim_memory_trace memory;
};

/* The grid, from the spec (NULL: none) and the options; nothing else is opened. `plan` begins with
 * command, not_swept and options. On failure, too, fini it. */
LLMSIM_MUST_CHECK enum llmsim_status sweep_plan_init(struct sweep_plan *plan, const char *spec_path,
                                                     struct llmsim_error *err);
/* Read the trace and the catalogues. */
LLMSIM_MUST_CHECK enum llmsim_status sweep_plan_load(struct sweep_plan *plan,
                                                     struct llmsim_error *err);
void sweep_plan_fini(struct sweep_plan *plan);

/* What a point stands for; `found` is the value of the option that is not swept (NULL: its
 * default). `setup` stays where it is; the texts in it are those of the plan. A run of it ends when
 * a signal comes. Thread-safe. */
LLMSIM_MUST_CHECK enum llmsim_status sweep_plan_setup(const struct sweep_plan *plan, uint64_t point,
                                                      const char *found, struct replay_setup *setup,
                                                      struct llmsim_error *err);
/* Has a replay an option of this name? */
bool sweep_plan_has_option(const struct sweep_plan *plan, const char *name);

/* A point's row behind its settings, where it failed: status, error, n_columns empty fields.
 * Returns LLMSIM_OK, or LLMSIM_INTERRUPTED with the error, which fails no point but ends all. */
LLMSIM_MUST_CHECK enum llmsim_status sweep_fail_point(enum llmsim_status outcome,
                                                      const struct llmsim_error *why,
                                                      size_t n_columns, struct llmsim_csv_row *row,
                                                      struct llmsim_error *err);

/* Beginnings of the table: "point" and the swept settings, and those that go with a swept one, as
 * not every point uses them; the point and its values, which are empty where it does not. */
void sweep_plan_header(const struct sweep_plan *plan, struct llmsim_csv_row *row);
void sweep_plan_row(const struct sweep_plan *plan, uint64_t point, struct llmsim_csv_row *row);

/* The column `warnings`: the names of those that are due, with blanks between. */
void sweep_put_warnings(struct llmsim_csv_row *row, const struct replay_setup *setup,
                        const struct llmsim_summary *summary);
/* A field of a row by its column's name, quotes included, not NUL-terminated; empty if there is
 * none. */
const char *sweep_row_field(const char *header, const char *row, const char *name, size_t *length);

/* Everything after sweep_plan_init. Print the points (--dry-run), or load the plan, open its
 * directory, compute what is not finished, and write the table `file_name`. LLMSIM_RUN_FAILED if
 * points failed. */
struct sweep_table {
    const char *file_name;
    const char *header;
    struct llmsim_sweep_work work;
    /* Of the process that writes the table: each row of it, before anything is printed. NULL: no.
     */
    void (*look)(void *ctx, const char *row);
    void *look_ctx;
};
LLMSIM_MUST_CHECK enum llmsim_status
sweep_plan_run(struct sweep_plan *plan, const struct sweep_table *table, struct llmsim_error *err);

/* Print what is in a directory whose points are all finished. LLMSIM_RUN_FAILED if some failed. */
LLMSIM_MUST_CHECK enum llmsim_status sweep_report(const struct llmsim_sweep_progress *progress,
                                                  const char *dir, const char *file_name,
                                                  struct llmsim_error *err);

#endif
