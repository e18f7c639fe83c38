/* cli.h: commands and options as tables.
 *
 * A command is a row of the table in main.c; its options are rows of a table in its own file, from
 * which the parser, the defaults and the help text all come. To add a command: one cmd_*.c with a
 * `const struct cli_command`, and its row in main.c. */
#ifndef LLMSIM_CLI_H
#define LLMSIM_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "llmsim/llmsim.h"

enum cli_option_kind {
    CLI_FLAG,   /* bool */
    CLI_STRING, /* const char * */
    CLI_U64,    /* uint64_t, between min and max */
    CLI_DOUBLE, /* double, over 0, or from 0 if allows_zero */
    CLI_RATIO,  /* struct llmsim_ratio */
    CLI_CHOICE, /* struct cli_choice, one of the rows that `choice` gives */
    /* No options: the rows of `table` stand here, their values in a struct at `offset`. */
    CLI_TABLE,
    /* Likewise, but as texts, unread: const char *[CLI_MAX_OPTIONS], NULL where a row is not given.
     * The kinds are those that its rows become. */
    CLI_TEXTS,
    CLI_TEXT,
    CLI_TEXT_FLAG,
};

struct cli_choice {
    const char *name; /* NULL: none is chosen */
    size_t row;       /* its number in the table */
};

struct cli_option {
    const char *name;     /* without the dashes */
    const char *argument; /* "N" in the help; NULL for a flag */
    const char *help;
    const char *initial; /* the default, as a user would write it; NULL: none (zero or false) */
    const struct llmsim_choice *(*choice)(
        size_t i);                  /* CLI_CHOICE only: row i, NULL behind the last */
    const struct cli_option *table; /* CLI_TABLE and CLI_TEXTS only: ends with CLI_OPTION_END */
    size_t offset;                  /* of the value in the command's struct */
    uint64_t min, max;              /* CLI_U64; CLI_DOUBLE: max only, 0: no bound */
    enum cli_option_kind kind;
    bool required;
    bool allows_zero; /* CLI_DOUBLE only */
    bool is_alias;    /* same target as the row before it, not shown in the help */
    /* summary.json does not have it among the settings: it says it elsewhere, or no number depends
     * on it. */
    bool is_no_setting;
    /* "kv-cache=paged", or "prefill-replicas" for a number that is not 0, a text that is given or a
     * flag that is on: without that, it would change nothing. A command that has no such option
     * uses it as it is. */
    const char *goes_with;
    bool may_be_idle; /* it says how a file is: given without that it is no mistake */
    bool one_value;   /* a sweep, which reads its trace and catalogues once, cannot vary it */
    bool has_commas;  /* a comma is part of its value, not between values of a sweep */
};
#define CLI_OPTION_END                                                                             \
    {                                                                                              \
        .name = NULL                                                                               \
    }

#define CLI_MAX_OPERANDS 4096
#define CLI_MAX_OPTIONS 96

struct cli_command {
    const char *name;     /* "replay", "trace info" */
    const char *help;     /* one line for the list of commands */
    const char *operands; /* "TRACE", or "" */
    const char *example;  /* a whole command line, then anything that --help should add */
    size_t min_operands, max_operands;
    const struct cli_option *options; /* ends with CLI_OPTION_END */
    size_t values_size;
    enum llmsim_status (*run)(const void *values, const char *const *operands, size_t n_operands,
                              struct llmsim_error *err);
};

/* Fill `values` (values_size bytes) with defaults, then with what argv (after the command's name)
 * says. *wants_help is set by --help, whatever else is wrong. LLMSIM_USAGE on a mistake. */
LLMSIM_MUST_CHECK enum llmsim_status cli_parse(const struct cli_command *command, int argc,
                                               char **argv, void *values, const char **operands,
                                               size_t *n_operands, bool *wants_help,
                                               struct llmsim_error *err);
/* The values of a table's options, for summary.json, without those that are not given or change
 * nothing; how many. */
size_t cli_list_settings(const struct cli_option *table, const void *values,
                         struct llmsim_setting settings[static CLI_MAX_OPTIONS]);
void cli_print_help(const struct cli_command *command, FILE *f);

/* The rows of a table, those of the tables in it included, with CLI_OPTION_END. */
struct cli_option_list {
    struct cli_option rows[CLI_MAX_OPTIONS + 1];
};
void cli_list_options(const struct cli_option *table, struct cli_option_list *list);

/* The values of such rows, as a sweep sets them: defaults, then one option at a time. A flag takes
 * "true" and "false". LLMSIM_USAGE as from cli_parse. */
LLMSIM_MUST_CHECK enum llmsim_status cli_set_defaults(const struct cli_option *rows, void *values,
                                                      struct llmsim_error *err);
LLMSIM_MUST_CHECK enum llmsim_status cli_set_option(const struct cli_option *row, const char *text,
                                                    void *values, struct llmsim_error *err);
/* Room for llmsim_shown of a path or a list of columns. */
#define CLI_SHOWN_MAX 4096
/* `text` on a line of its own, as a terminal may have it. */
void cli_put_line(FILE *f, const char *text);

/* Does a row, as it is set, ask for something? A flag that is off, and a 0 that is the default, do
 * not. And without the option that it goes with? cli_parse fails with that: LLMSIM_USAGE. */
bool cli_asks(const struct cli_option *row, const void *values);
bool cli_is_in_vain(const struct cli_option *rows, size_t i, const void *values);
enum llmsim_status cli_fail_in_vain(const struct cli_option *row, struct llmsim_error *err);

/* Print a document, and fini it. */
LLMSIM_MUST_CHECK enum llmsim_status cli_print_json(struct llmsim_json_document *json,
                                                    struct llmsim_error *err);

/* Text to number with the whole text used. false: it is not one. */
bool cli_parse_u64(const char *text, uint64_t *value);
bool cli_parse_double(const char *text, double *value);

/* Options that every command which reads catalogues, or a trace, shares. Put the member
 * `struct cli_catalogue_options c` (or `t`) in the values struct and name it here. */
struct cli_catalogue_options {
    const char *model, *gpu, *data_dir;
    struct cli_choice cost, server, dtype, kv_cache_dtype;
    double ptps;
    uint64_t tensor_parallel_size, pipeline_parallel_size, data_parallel_size;
    bool enable_expert_parallel, no_async_scheduling;
};
const struct llmsim_choice *cli_cost_choice(size_t i);
const struct llmsim_choice *cli_dtype_choice(size_t i);
const struct llmsim_choice *cli_kv_dtype_choice(size_t i);
/* GPUs of a replica. */
unsigned cli_replica_gpus(const struct cli_catalogue_options *options);
#define CLI_CATALOGUE_OPTIONS_OF(type, member, is_required)                                        \
    {.name = "model",                                                                              \
     .argument = "M",                                                                              \
     .kind = CLI_STRING,                                                                           \
     .is_no_setting = true,                                                                        \
     .required = is_required,                                                                      \
     .help = "model, a name in model.json (or its part after the '/')",                            \
     .offset = offsetof(type, member.model)},                                                      \
        {.name = "model-name",                                                                     \
         .argument = "M",                                                                          \
         .kind = CLI_STRING,                                                                       \
         .is_alias = true,                                                                         \
         .offset = offsetof(type, member.model)},                                                  \
        {.name = "gpu",                                                                            \
         .argument = "G",                                                                          \
         .kind = CLI_STRING,                                                                       \
         .is_no_setting = true,                                                                    \
         .required = is_required,                                                                  \
         .help = "GPU, a name or alias in gpu.json, or a word of its name",                        \
         .offset = offsetof(type, member.gpu)},                                                    \
        {.name = "gpu-name",                                                                       \
         .argument = "G",                                                                          \
         .kind = CLI_STRING,                                                                       \
         .is_alias = true,                                                                         \
         .offset = offsetof(type, member.gpu)},                                                    \
        {.name = "ptps",                                                                           \
         .argument = "TOKENS/S",                                                                   \
         .kind = CLI_DOUBLE,                                                                       \
         .is_no_setting = true,                                                                    \
         .max = (uint64_t)LLMSIM_MAX_PTPS,                                                         \
         .help = "prompt tokens per second of one GPU, in place of the entry in ptps.json",        \
         .offset = offsetof(type, member.ptps)},                                                   \
        {.name = "cost",                                                                           \
         .argument = "NAME",                                                                       \
         .help = "what a step costs",                                                              \
         .kind = CLI_CHOICE,                                                                       \
         .is_no_setting = true,                                                                    \
         .choice = cli_cost_choice,                                                                \
         .initial = "auto",                                                                        \
         .offset = offsetof(type, member.cost)},                                                   \
        {.name = "server",                                                                         \
         .argument = "NAME",                                                                       \
         .kind = CLI_CHOICE,                                                                       \
         .choice = llmsim_server_choice,                                                           \
         .help = "whose kernels and CPU time a composed cost has",                                 \
         .initial = "vllm",                                                                        \
         .offset = offsetof(type, member.server)},                                                 \
        {.name = "dtype",                                                                          \
         .argument = "NAME",                                                                       \
         .kind = CLI_CHOICE,                                                                       \
         .choice = cli_dtype_choice,                                                               \
         .help = "how the weights of the linear layers are stored",                                \
         .initial = "auto",                                                                        \
         .offset = offsetof(type, member.dtype)},                                                  \
        {.name = "kv-cache-dtype",                                                                 \
         .argument = "NAME",                                                                       \
         .kind = CLI_CHOICE,                                                                       \
         .choice = cli_kv_dtype_choice,                                                            \
         .help = "how the KV cache is stored",                                                     \
         .initial = "auto",                                                                        \
         .offset = offsetof(type, member.kv_cache_dtype)},                                         \
        {.name = "tensor-parallel-size",                                                           \
         .argument = "N",                                                                          \
         .help = "GPUs of a replica, each with its share of every layer",                          \
         .kind = CLI_U64,                                                                          \
         .initial = "1",                                                                           \
         .min = 1,                                                                                 \
         .max = LLMSIM_MAX_TENSOR_PARALLEL_SIZE,                                                   \
         .offset = offsetof(type, member.tensor_parallel_size)},                                   \
        {.name = "pipeline-parallel-size",                                                         \
         .argument = "N",                                                                          \
         .help = "stages of a replica, each with its share of the layers",                         \
         .kind = CLI_U64,                                                                          \
         .initial = "1",                                                                           \
         .min = 1,                                                                                 \
         .max = 64,                                                                                \
         .offset = offsetof(type, member.pipeline_parallel_size)},                                 \
        {.name = "data-parallel-size",                                                             \
         .argument = "N",                                                                          \
         .help = "groups of GPUs with requests of their own, that share the experts",              \
         .kind = CLI_U64,                                                                          \
         .initial = "1",                                                                           \
         .min = 1,                                                                                 \
         .max = 64,                                                                                \
         .offset = offsetof(type, member.data_parallel_size)},                                     \
        {.name = "no-async-scheduling",                                                            \
         .kind = CLI_FLAG,                                                                         \
         .help = "the server prepares a step when the last one is done, not while it runs",        \
         .offset = offsetof(type, member.no_async_scheduling)},                                    \
        {.name = "enable-expert-parallel",                                                         \
         .kind = CLI_FLAG,                                                                         \
         .help = "experts are spread over the GPUs whole, not in slices",                          \
         .offset = offsetof(type, member.enable_expert_parallel)},                                 \
    {                                                                                              \
        .name = "data", .argument = "DIR", .kind = CLI_STRING, .is_no_setting = true,              \
        .help = "directory of the catalogues (else $LLMSIM_DATA, else the installed one)",         \
        .one_value = true, .offset = offsetof(type, member.data_dir)                               \
    }
/* The model and the GPU have to be given. */
#define CLI_CATALOGUE_OPTIONS(type, member) CLI_CATALOGUE_OPTIONS_OF(type, member, true)
/* Neither has to. */
#define CLI_CATALOGUE_CHOICE_OPTIONS(type, member) CLI_CATALOGUE_OPTIONS_OF(type, member, false)

enum { CLI_BAD_ROW_STOP, CLI_BAD_ROW_SKIP };
const struct llmsim_choice *cli_on_bad_row(size_t i);

struct cli_trace_options {
    struct cli_choice format, time_unit;
    struct llmsim_ratio rate_scale;
    uint64_t limit;
    struct cli_choice on_bad_row;
    uint64_t hash_block_tokens;
};
#define CLI_TRACE_OPTIONS(type, member)                                                            \
    {.name = "format",                                                                             \
     .argument = "NAME",                                                                           \
     .kind = CLI_CHOICE,                                                                           \
     .is_no_setting = true,                                                                        \
     .choice = llmsim_trace_format_choice,                                                         \
     .help = "trace format, where it is not to be found from the header",                          \
     .offset = offsetof(type, member.format)},                                                     \
        {.name = "time-unit",                                                                      \
         .argument = "UNIT",                                                                       \
         .kind = CLI_CHOICE,                                                                       \
         .is_no_setting = true,                                                                    \
         .choice = llmsim_time_unit_choice,                                                        \
         .help = "what the numbers of the arrivals count, where it is not what the format says",   \
         .one_value = true,                                                                        \
         .offset = offsetof(type, member.time_unit)},                                              \
        {.name = "rate-scale",                                                                     \
         .argument = "X",                                                                          \
         .kind = CLI_RATIO,                                                                        \
         .initial = "1",                                                                           \
         .help = "let requests arrive X times as fast",                                            \
         .offset = offsetof(type, member.rate_scale)},                                             \
        {.name = "limit",                                                                          \
         .argument = "N",                                                                          \
         .kind = CLI_U64,                                                                          \
         .max = UINT64_MAX,                                                                        \
         .initial = "0",                                                                           \
         .help = "read N data rows only (0: all)",                                                 \
         .one_value = true,                                                                        \
         .offset = offsetof(type, member.limit)},                                                  \
        {.name = "hash-block-tokens",                                                              \
         .argument = "N",                                                                          \
         .kind = CLI_U64,                                                                          \
         .min = 1,                                                                                 \
         .max = LLMSIM_MAX_TOKENS,                                                                 \
         .initial = "512",                                                                         \
         .help = "prompt tokens that a hash id of the trace stands for",                           \
         .goes_with = "enable-prefix-caching",                                                     \
         .may_be_idle = true,                                                                      \
         .one_value = true,                                                                        \
         .offset = offsetof(type, member.hash_block_tokens)},                                      \
    {                                                                                              \
        .name = "on-bad-row", .argument = "stop|skip", .kind = CLI_CHOICE,                         \
        .choice = cli_on_bad_row, .initial = "stop",                                               \
        .help = "at a bad row: stop with an error, or skip and count it", .one_value = true,       \
        .offset = offsetof(type, member.on_bad_row)                                                \
    }

/* How a CSV file is written. */
enum { CLI_COMPRESS_NONE, CLI_COMPRESS_ZST };
const struct llmsim_choice *cli_compress_choice(size_t i);

/* What the options say to the library; on_reject is set where bad rows are skipped. */
struct llmsim_trace_options cli_reader_options(const struct cli_trace_options *options);

/* Say on stderr where a trace's times count from, if that is not where its own do. Dates need no
 * word. */
void cli_note_origin(const struct llmsim_trace_status *trace);

/* LLMSIM_USAGE where they say something about hash ids that the trace, read to its end, did not
 * have.
 */
LLMSIM_MUST_CHECK enum llmsim_status cli_check_hash_ids(const struct cli_trace_options *options,
                                                        const struct llmsim_trace *trace,
                                                        struct llmsim_error *err);

/* Where results go if nobody says: "results/conv" and the suffix for "dir/conv.csv.zst". */
void cli_default_output(const char *path, const char *suffix, char *dir, size_t capacity);

/* How commands that write a trace write it. */
struct cli_trace_output_options {
    const char *path;
    struct cli_choice to, compress;
};
#define CLI_TRACE_OUTPUT_OPTIONS(type, member)                                                     \
    {.name = "to",                                                                                 \
     .argument = "NAME",                                                                           \
     .help = "format of the trace that is written",                                                \
     .kind = CLI_CHOICE,                                                                           \
     .choice = llmsim_trace_format_choice,                                                         \
     .initial = "native",                                                                          \
     .offset = offsetof(type, member.to)},                                                         \
        {.name = "output",                                                                         \
         .argument = "FILE",                                                                       \
         .help = "where it goes; - is stdout",                                                     \
         .kind = CLI_STRING,                                                                       \
         .initial = "-",                                                                           \
         .offset = offsetof(type, member.path)},                                                   \
    {                                                                                              \
        .name = "compress", .argument = "HOW", .help = "how the file is written",                  \
        .kind = CLI_CHOICE, .choice = cli_compress_choice, .initial = "none",                      \
        .offset = offsetof(type, member.compress)                                                  \
    }

/* The catalogue entries that the options name, and the cost model made of them. `catalogue` NULL:
 * the one that the options name. */
LLMSIM_MUST_CHECK enum llmsim_status cli_open_cost(const struct cli_catalogue_options *options,
                                                   const struct llmsim_catalogue *catalogue,
                                                   struct llmsim_model *model,
                                                   struct llmsim_gpu *gpu, struct llmsim_cost *cost,
                                                   struct llmsim_error *err);
/* What a composed cost is made of and how far to trust it, in a line; false: it is none. */
bool cli_describe_cost(const struct llmsim_cost *cost, char *text, size_t capacity);
/* Bytes of a line of warning, with its NUL. */
#define CLI_MAX_WARNING 512
/* Is there something to say, and what? One line, without its end: that a cost was not measured, but
 * extrapolated; that it takes all experts in each step; that so many of `n` requests are longer
 * than a model can be asked for. */
bool cli_extrapolation_warning(const struct llmsim_cost *cost, const struct llmsim_model *model,
                               const struct llmsim_gpu *gpu, char *text, size_t capacity);
bool cli_experts_warning(const struct llmsim_cost *cost, const struct llmsim_model *model,
                         char *text, size_t capacity);
bool cli_positions_warning(const struct llmsim_model *model, uint64_t n_over, uint64_t n,
                           char *text, size_t capacity);
/* Say the first two on stderr. */
void cli_warn_cost(const struct llmsim_cost *cost, const struct llmsim_model *model,
                   const struct llmsim_gpu *gpu);

/* Say on stderr that so many of `n` requests are longer than a model can be asked for. */
void cli_warn_positions(const struct llmsim_model *model, uint64_t n_over, uint64_t n);

extern const struct cli_command cli_simulate, cli_replay, cli_validate, cli_plot, cli_profile_gpu,
    cli_profile_model, cli_profile_prompt, cli_profile_decode, cli_trace_info, cli_trace_convert,
    cli_trace_generate, cli_sweep, cli_sweep_merge, cli_capacity, cli_fit, cli_fit_kernels,
    cli_costs;

#endif
