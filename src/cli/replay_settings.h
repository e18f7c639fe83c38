/* replay_settings.h: what a replay simulates: its options as a table, and what they stand for.
 *
 * Every command that replays shares them, so a new option is a member of the struct, a row of the
 * table and a line of replay_setup_init, and replay and sweep have it. What only says where results
 * go stays with the command. */
#ifndef LLMSIM_REPLAY_SETTINGS_H
#define LLMSIM_REPLAY_SETTINGS_H

#include "cli.h"

/* The values of the options, as the parser leaves them. */
struct replay_settings {
    struct cli_catalogue_options catalogue;
    struct cli_trace_options trace;
    struct cli_choice policy, queue_order, engine, kv_cache, preemption, router;
    const char *slo;
    uint64_t max_num_seqs, max_num_batched_tokens, long_prefill_token_threshold;
    uint64_t block_size, num_gpu_blocks;
    double gpu_memory_utilization, activation_GB, watermark;
    uint64_t replicas, prefill_replicas, decode_replicas, seed, max_concurrency;
    bool enable_prefix_caching;
    double kv_link_gbps, kv_link_latency_us, from_s, until_s, price;
};
extern const struct cli_option replay_settings_options[];
/* Of these, the ones about the server, and none about the trace: for a command that has no trace.
 */
extern const struct cli_option replay_server_options[];

/* A table's row that puts them among the options of a command; `member` is a struct
 * replay_settings. */
#define CLI_REPLAY_SETTINGS(type, member)                                                          \
    {                                                                                              \
        .name = "", .kind = CLI_TABLE, .table = replay_settings_options,                           \
        .offset = offsetof(type, member)                                                           \
    }

#define CLI_SERVER_SETTINGS(type, member)                                                          \
    {                                                                                              \
        .name = "", .kind = CLI_TABLE, .table = replay_server_options,                             \
        .offset = offsetof(type, member)                                                           \
    }

/* What they stand for. The description points into the struct, so it stays where it is; its texts
 * are those of the settings. */
struct replay_setup {
    struct llmsim_model model;
    struct llmsim_gpu gpu;
    uint64_t n_gpus; /* of a replica */
    struct llmsim_replay_config config;
    struct llmsim_run_description description; /* its `trace` is the caller's to set */
    struct llmsim_setting listed[CLI_MAX_OPTIONS];
};

/* `catalogue` NULL: the one that the settings name. Errors: LLMSIM_USAGE, LLMSIM_CATALOGUE,
 * LLMSIM_IO. */
LLMSIM_MUST_CHECK enum llmsim_status replay_setup_init(struct replay_setup *setup,
                                                       const struct replay_settings *settings,
                                                       const char *trace_path,
                                                       const struct llmsim_catalogue *catalogue,
                                                       struct llmsim_error *err);
/* What one of its GPUs takes. */
static inline struct llmsim_gpu_price replay_gpu_price(const struct replay_setup *setup)
{
    return (struct llmsim_gpu_price){setup->gpu.usd_per_hour, setup->gpu.watts};
}
/* LLMSIM_USAGE where a setting has no effect, or the trace lacks what it needs. */
LLMSIM_MUST_CHECK enum llmsim_status replay_setup_check(const struct replay_settings *settings,
                                                        const struct llmsim_trace_status *trace,
                                                        struct llmsim_error *err);
/* Is there something about the run that its user would not expect? Of the i-th kind: its name in a
 * table, and one line without its end; NULL: no. */
#define REPLAY_N_WARNINGS 3
const char *replay_setup_warning(const struct replay_setup *setup, size_t i, char *text,
                                 size_t capacity);
/* Say all of it on stderr. */
void replay_setup_warn(const struct replay_setup *setup);
/* And what a run shows: `n` of all `n_all` steps or requests. Both are columns of a table. */
#define REPLAY_N_END_WARNINGS 2
struct replay_end_warning {
    const char *column, *column_of_all;
    bool (*is_due)(const struct replay_setup *setup, uint64_t n, uint64_t n_all, char *text,
                   size_t capacity);
};
extern const struct replay_end_warning replay_end_warnings[REPLAY_N_END_WARNINGS];
void replay_count_warnings(const struct llmsim_summary *summary, uint64_t n[REPLAY_N_END_WARNINGS],
                           uint64_t n_all[REPLAY_N_END_WARNINGS]);
/* Say it on stderr. */
void replay_end_warn(const struct replay_setup *setup, const struct llmsim_summary *summary);

#endif
