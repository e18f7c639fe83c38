/* cmd_replay.c: the main job. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "interrupt.h"
#include "progress.h"

struct values {
    struct cli_catalogue_options catalogue;
    struct cli_trace_options trace;
    struct cli_choice policy, queue_order, engine, compress, kv_cache;
    const char *output, *tokens_output, *slo;
    uint64_t max_num_seqs, max_num_batched_tokens, long_prefill_token_threshold;
    uint64_t block_size, num_gpu_blocks;
    double gpu_memory_utilization, activation_GB, watermark;
    bool no_tokens, no_requests, steps;
};

/* "results/conv" for "dir/conv.csv.zst". */
static void default_output(const char *trace, char *path, size_t capacity)
{
    static const char *const packed[] = {".zst", ".gz"};
    char stem[256];
    const char *slash = strrchr(trace, '/');
    (void)snprintf(stem, sizeof stem, "%s",
                   strcmp(trace, "-") == 0 ? "stdin" : (slash != NULL ? slash + 1 : trace));
    for (size_t i = 0; i < sizeof packed / sizeof *packed; i++) {
        char *end = stem + strlen(stem) - strlen(packed[i]);
        if (end > stem && strcmp(end, packed[i]) == 0)
            *end = '\0';
    }
    char *dot = strrchr(stem, '.');
    if (dot != NULL && dot != stem)
        *dot = '\0';
    bool is_name = strspn(stem, ".") < strlen(stem); /* "..csv" and "...csv" leave "." and ".." */
    (void)snprintf(path, capacity, "results/%s", is_name ? stem : "trace");
}

static void print_row(FILE *f, const char *name, struct llmsim_stat *stat, double unit)
{
    if (stat->n == 0)
        return;
    (void)fprintf(f, "%-14s %10.4f %10.4f %10.4f %10.4f %10.4f %10.4f\n", name,
                  llmsim_stat_mean(stat) / unit, llmsim_stat_percentile(stat, 0.50) / unit,
                  llmsim_stat_percentile(stat, 0.90) / unit,
                  llmsim_stat_percentile(stat, 0.95) / unit,
                  llmsim_stat_percentile(stat, 0.99) / unit, (double)stat->max / unit);
}

static void print_summary(FILE *f, const struct llmsim_results *results, struct llmsim_summary *s,
                          const struct llmsim_trace_status *trace)
{
    const struct llmsim_totals *t = &s->totals;
    (void)fprintf(f, "rows           %llu in the trace (%s):",
                  (unsigned long long)(trace->rows + trace->rejected), trace->format);
    for (size_t i = 0; i < LLMSIM_N_OUTCOMES; i++)
        if (s->outcomes[i] > 0)
            (void)fprintf(f, " %llu %s", (unsigned long long)s->outcomes[i],
                          llmsim_outcome_name((enum llmsim_outcome)i));
    (void)fprintf(f, "\ntokens         %llu prompt, %llu output\n",
                  (unsigned long long)t->prompt_tokens, (unsigned long long)t->output_tokens);
    (void)fprintf(f, "makespan       %.3f s, %llu steps\n", llmsim_totals_makespan_s(t),
                  (unsigned long long)t->n_steps);
    (void)fprintf(f, "throughput     %.3f requests/s, %.1f output tokens/s\n\n",
                  llmsim_totals_per_s(t, t->n_completed), llmsim_totals_per_s(t, t->output_tokens));
    (void)fprintf(f, "%-14s %10s %10s %10s %10s %10s %10s\n", "", "mean", "p50", "p90", "p95",
                  "p99", "max");
    print_row(f, "TTFT (s)", &s->ttft, 1e9);
    print_row(f, "ITL (s)", &s->itl, 1e9);
    print_row(f, "TPOT (s)", &s->tpot, 1e9);
    print_row(f, "E2E (s)", &s->e2e, 1e9);
    print_row(f, "queue (s)", &s->queue, 1e9);
    print_row(f, "slowdown", &s->slowdown, 1e6);
    if (s->slo.ttft_ns != 0 || s->slo.tpot_ns != 0 || s->slo.e2e_ns != 0)
        (void)fprintf(f, "\nSLO            met by %.2f %%, goodput %.3f requests/s\n",
                      100 * llmsim_summary_attainment(s), llmsim_totals_per_s(t, s->n_slo_met));
    (void)fputc('\n', f);
    for (size_t i = 0; llmsim_results_path(results, i) != NULL; i++)
        (void)fprintf(f, "%s\n", llmsim_results_path(results, i));
}

/* The replay proper: from an open trace into open results. */
static enum llmsim_status run_open(const struct values *v,
                                   const struct llmsim_replay_config *config,
                                   struct llmsim_trace *trace, struct llmsim_results *results,
                                   struct llmsim_error *err)
{
    size_t n_sinks;
    const struct llmsim_sink *sinks = llmsim_results_sinks(results, &n_sinks);
    struct llmsim_source source = llmsim_trace_source(trace);
    struct progress progress;
    struct llmsim_replay_config watched = *config;
    progress_start(&progress, trace, &watched);
    enum llmsim_status status = llmsim_replay(&watched, &source, sinks, n_sinks, err);
    progress_stop(&progress);
    if (status == LLMSIM_OK)
        status = llmsim_results_commit(results, err);
    if (status != LLMSIM_OK)
        return status;
    struct llmsim_trace_status trace_status;
    llmsim_trace_get_status(trace, &trace_status);
    bool stdout_taken = v->tokens_output != NULL && strcmp(v->tokens_output, "-") == 0;
    print_summary(stdout_taken ? stderr : stdout, results, llmsim_results_summary(results),
                  &trace_status);
    return LLMSIM_OK;
}

/* Results want the trace for its checksum, and the trace wants the results for the rows that it
 * rejects: `results` is filled after the trace is open and before it is read. */
static enum llmsim_status on_reject(void *ctx, const struct llmsim_trace_reject *reject,
                                    struct llmsim_error *err)
{
    return llmsim_results_reject(*(struct llmsim_results **)ctx, reject, err);
}

static enum llmsim_status open_trace(const struct values *v, const char *path,
                                     struct llmsim_results **results, struct llmsim_trace **trace,
                                     struct llmsim_error *err)
{
    struct llmsim_trace_options options = cli_reader_options(&v->trace);
    if (options.on_reject != NULL) {
        options.on_reject = on_reject;
        options.on_reject_ctx = results;
    }
    return llmsim_trace_open(path, &options, trace, err);
}

static enum llmsim_status open_results(const struct values *v, const char *trace_path,
                                       const struct llmsim_run_description *description,
                                       struct llmsim_results **results, struct llmsim_error *err)
{
    char dir[512];
    default_output(trace_path, dir, sizeof dir);
    struct llmsim_results_options options = {
        .dir = v->output != NULL ? v->output : dir,
        .requests = !v->no_requests,
        .tokens = !v->no_tokens,
        .tokens_path = v->tokens_output,
        .steps = v->steps,
        .zstd = v->compress.row == CLI_COMPRESS_ZST,
    };
    return llmsim_results_open(&options, description, results, err);
}

/* "ttft=0.5,tpot=0.05": any of ttft, tpot and e2e, in seconds. */
static enum llmsim_status parse_slo(const char *text, struct llmsim_slo *slo,
                                    struct llmsim_error *err)
{
    const struct {
        const char *name;
        int64_t *ns;
    } bounds[] = {{"ttft=", &slo->ttft_ns}, {"tpot=", &slo->tpot_ns}, {"e2e=", &slo->e2e_ns}};
    for (const char *p = text; p != NULL && *p != '\0';) {
        char item[64];
        size_t length = strcspn(p, ","), i = 0;
        (void)snprintf(item, sizeof item, "%.*s", (int)(length < 63 ? length : 63), p);
        while (i < 3 && strncmp(item, bounds[i].name, strlen(bounds[i].name)) != 0)
            i++;
        double seconds = 0;
        if (i == 3 || !cli_parse_double(item + strlen(bounds[i].name), &seconds) ||
            !(seconds >= 1e-9 && seconds <= 1e9))
            return llmsim_fail(err, LLMSIM_USAGE,
                               "--slo '%s': expected ttft=S, tpot=S or e2e=S, in seconds, with "
                               "commas between",
                               item);
        *bounds[i].ns = (int64_t)(seconds * 1e9 + 0.5);
        p += length + (p[length] == ',');
    }
    return LLMSIM_OK;
}

enum { KV_UNLIMITED, KV_PAGED };

static const struct llmsim_choice *kv_cache_choice(size_t i)
{
    static const struct llmsim_choice rows[] = {
        [KV_UNLIMITED] = {"unlimited", "every request fits"},
        [KV_PAGED] = {"paged", "blocks of tokens; a request waits for its prompt's, and is "
                               "preempted when none is left"},
    };
    return i < sizeof rows / sizeof *rows ? &rows[i] : NULL;
}

/* The blocks that the options ask for: a number, or what the GPU's memory leaves. */
static enum llmsim_status set_kv_cache(const struct values *v, const struct llmsim_model *model,
                                       const struct llmsim_gpu *gpu,
                                       struct llmsim_replay_config *config,
                                       struct llmsim_error *err)
{
    const struct llmsim_kv_memory memory = {.utilization = v->gpu_memory_utilization,
                                            .activation_GB = v->activation_GB,
                                            .block_size = (uint32_t)v->block_size};
    enum llmsim_status status = LLMSIM_OK;
    if (v->kv_cache.row == KV_UNLIMITED) {
        if (v->num_gpu_blocks > 0)
            return llmsim_fail(err, LLMSIM_USAGE, "--num-gpu-blocks goes with --kv-cache paged");
        return LLMSIM_OK;
    }
    if (!(v->gpu_memory_utilization <= 1) || !(v->watermark < 1))
        return llmsim_fail(err, LLMSIM_USAGE,
                           "--gpu-memory-utilization %g, --watermark %g: expected shares of 1",
                           v->gpu_memory_utilization, v->watermark);
    config->block_size = memory.block_size;
    config->num_gpu_blocks = v->num_gpu_blocks;
    if (v->num_gpu_blocks == 0)
        status = llmsim_kv_capacity(&memory, model, gpu, &config->num_gpu_blocks, err);
    config->kv_watermark_blocks = (uint64_t)(v->watermark * (double)config->num_gpu_blocks);
    return status;
}

/* An option that would change nothing is a mistake, not a wish. */
static enum llmsim_status check_used(const struct values *v, const struct llmsim_trace *trace,
                                     struct llmsim_error *err)
{
    struct llmsim_trace_status status;
    llmsim_trace_get_status(trace, &status);
    if (v->long_prefill_token_threshold > 0 && strcmp(v->policy.name, "mixed") != 0)
        return llmsim_fail(err, LLMSIM_USAGE,
                           "--long-prefill-token-threshold goes with --policy mixed");
    if (strcmp(v->queue_order.name, "priority") == 0 && !status.has_priorities)
        return llmsim_fail(err, LLMSIM_USAGE,
                           "--queue-order priority: the trace has no column priority");
    if (strcmp(v->queue_order.name, "edf") == 0 && !status.has_deadlines)
        return llmsim_fail(err, LLMSIM_USAGE,
                           "--queue-order edf: the trace has no column deadline_s");
    return LLMSIM_OK;
}

static enum llmsim_status run(const void *values, const char *const *operands, size_t n_operands,
                              struct llmsim_error *err)
{
    const struct values *v = values;
    const char *path = operands[0];
    (void)n_operands;
    struct llmsim_model model;
    struct llmsim_gpu gpu;
    struct llmsim_replay_config config = {
        .policy = v->policy.name,
        .queue_order = v->queue_order.name,
        .engine = v->engine.name,
        .max_num_seqs = (uint32_t)v->max_num_seqs,
        .max_num_batched_tokens = (uint32_t)v->max_num_batched_tokens,
        .long_prefill_token_threshold = (uint32_t)v->long_prefill_token_threshold,
    };
    struct llmsim_run_description description = {
        .config = &config,
        .model = &model,
        .gpu = &gpu,
        .trace_name = strcmp(path, "-") == 0 ? "stdin" : path,
        .rate_scale = v->trace.rate_scale,
        .limit = v->trace.limit,
        .on_bad_row = v->trace.on_bad_row.name,
    };
    struct llmsim_results *results = NULL;
    struct llmsim_trace *trace = NULL;
    enum llmsim_status status = cli_open_cost(&v->catalogue, &model, &gpu, &config.cost, err);
    if (status == LLMSIM_OK)
        status = parse_slo(v->slo, &description.slo, err);
    if (status == LLMSIM_OK)
        status = set_kv_cache(v, &model, &gpu, &config, err);
    if (status == LLMSIM_OK)
        status = open_trace(v, path, &results, &trace, err);
    if (status == LLMSIM_OK)
        status = check_used(v, trace, err);
    description.trace = trace;
    /* From before the first temporary file to after the last: a signal that comes when the results
     * get their names comes too late. */
    interrupt_catch();
    if (status == LLMSIM_OK)
        status = open_results(v, path, &description, &results, err);
    if (status == LLMSIM_OK)
        status = run_open(v, &config, trace, results, err);
    llmsim_results_close(results);
    interrupt_release();
    llmsim_trace_close(trace);
    return status;
}

static const struct cli_option options[] = {
    CLI_CATALOGUE_OPTIONS(struct values, catalogue),
    {.name = "policy",
     .argument = "P",
     .help = "how requests are batched",
     .kind = CLI_CHOICE,
     .choice = llmsim_policy_choice,
     .initial = "continuous",
     .offset = offsetof(struct values, policy)},
    {.name = "queue-order",
     .argument = "ORDER",
     .help = "who of the waiting requests goes first",
     .kind = CLI_CHOICE,
     .choice = llmsim_order_choice,
     .initial = "fcfs",
     .offset = offsetof(struct values, queue_order)},
    {.name = "max-num-seqs",
     .argument = "N",
     .help = "most requests in the running set",
     .kind = CLI_U64,
     .initial = "256",
     .min = 1,
     .max = LLMSIM_MAX_NUM_SEQS,
     .offset = offsetof(struct values, max_num_seqs)},
    {.name = "max-num-batched-tokens",
     .argument = "N",
     .help = "most new tokens in a step; a longer prompt goes alone, or in chunks (mixed)",
     .kind = CLI_U64,
     .initial = "8192",
     .min = 1,
     .max = UINT32_MAX,
     .offset = offsetof(struct values, max_num_batched_tokens)},
    {.name = "long-prefill-token-threshold",
     .argument = "N",
     .help = "mixed: most tokens of one prompt in a step (0: no bound of its own)",
     .kind = CLI_U64,
     .initial = "0",
     .max = UINT32_MAX,
     .offset = offsetof(struct values, long_prefill_token_threshold)},
    {.name = "kv-cache",
     .argument = "KIND",
     .help = "memory for the KV cache",
     .kind = CLI_CHOICE,
     .choice = kv_cache_choice,
     .initial = "unlimited",
     .offset = offsetof(struct values, kv_cache)},
    {.name = "block-size",
     .argument = "N",
     .help = "paged: tokens in a block",
     .kind = CLI_U64,
     .initial = "16",
     .min = 1,
     .max = LLMSIM_MAX_BLOCK_SIZE,
     .offset = offsetof(struct values, block_size)},
    {.name = "num-gpu-blocks",
     .argument = "N",
     .help = "paged: blocks (0: as many as the GPU's memory has room for)",
     .kind = CLI_U64,
     .initial = "0",
     .max = 1000000000000,
     .offset = offsetof(struct values, num_gpu_blocks)},
    {.name = "gpu-memory-utilization",
     .argument = "X",
     .help = "paged: share of memory_cap for weights, activations and KV cache",
     .kind = CLI_DOUBLE,
     .initial = "0.9",
     .offset = offsetof(struct values, gpu_memory_utilization)},
    {.name = "activation-gb",
     .argument = "GB",
     .help = "paged: memory for activations and the runtime",
     .kind = CLI_DOUBLE,
     .allows_zero = true,
     .initial = "1",
     .offset = offsetof(struct values, activation_GB)},
    {.name = "watermark",
     .argument = "X",
     .help = "paged: share of the blocks that admission leaves free",
     .kind = CLI_DOUBLE,
     .allows_zero = true,
     .initial = "0.01",
     .offset = offsetof(struct values, watermark)},
    {.name = "slo",
     .argument = "BOUNDS",
     .help = "ttft=S,tpot=S,e2e=S: report goodput and the share of requests within",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, slo)},
    {.name = "output",
     .argument = "DIR",
     .help = "where the results go; else results/<name of the trace>",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, output)},
    {.name = "no-tokens",
     .help = "do not write tokens.csv",
     .kind = CLI_FLAG,
     .offset = offsetof(struct values, no_tokens)},
    {.name = "tokens-output",
     .argument = "FILE",
     .help = "write the rows of tokens.csv there; - is stdout",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, tokens_output)},
    {.name = "no-requests",
     .help = "do not write requests.csv",
     .kind = CLI_FLAG,
     .offset = offsetof(struct values, no_requests)},
    {.name = "steps",
     .help = "write steps.csv",
     .kind = CLI_FLAG,
     .offset = offsetof(struct values, steps)},
    {.name = "compress",
     .argument = "HOW",
     .help = "how the CSV files are written; with zst they end in .csv.zst",
     .kind = CLI_CHOICE,
     .choice = cli_compress_choice,
     .initial = "none",
     .offset = offsetof(struct values, compress)},
    CLI_TRACE_OPTIONS(struct values, trace),
    {.name = "engine",
     .argument = "NAME",
     .help = "how the time is computed; the results are the same",
     .kind = CLI_CHOICE,
     .choice = llmsim_engine_choice,
     .initial = "fast",
     .offset = offsetof(struct values, engine)},
    CLI_OPTION_END,
};

const struct cli_command cli_replay = {
    .name = "replay",
    .help = "replay a trace through a replica; write tokens.csv, requests.csv and summary.json",
    .operands = "TRACE",
    .example = "llmsim replay traces/azure_conv_like.csv --model meta-llama/Llama-2-13b-hf "
               "--gpu a6000 --rate-scale 0.2",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
