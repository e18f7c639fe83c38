/* replay_settings.c: the options that say what is simulated, and what the library makes of them. */
#include "replay_settings.h"

#include <stdio.h>
#include <string.h>

/* Without --activation-gb: what activations and the runtime take at least. */
#define ACTIVATION_GB 1.0

/* "ttft=0.5,tpot=0.05": any of ttft, tpot and e2e, in seconds. */
static enum llmsim_status parse_slo(const char *text, struct llmsim_slo *slo,
                                    struct llmsim_error *err)
{
    const struct {
        const char *name;
        int64_t *ns;
    } bounds[] = {{"ttft=", &slo->ttft_ns}, {"tpot=", &slo->tpot_ns}, {"e2e=", &slo->e2e_ns}};
    for (const char *p = text; p != NULL;) {
        char item[64];
        size_t length = strcspn(p, ","), i = 0;
        (void)snprintf(item, sizeof item, "%.*s", (int)(length < 63 ? length : 63), p);
        while (i < 3 && strncmp(item, bounds[i].name, strlen(bounds[i].name)) != 0)
            i++;
        double seconds = 0;
        if (i == 3 || length >= sizeof item ||
            !cli_parse_double(item + strlen(bounds[i].name), &seconds) ||
            !(seconds >= 1e-9 && seconds <= 1e9))
            return llmsim_fail(err, LLMSIM_USAGE,
                               "--slo '%s': expected ttft=S, tpot=S or e2e=S, in seconds, with "
                               "commas between",
                               item);
        if (*bounds[i].ns != 0)
            return llmsim_fail(err, LLMSIM_USAGE,
                               "--slo '%s': %.*s is given twice; expected it once", text,
                               (int)strcspn(item, "="), item);
        *bounds[i].ns = (int64_t)(seconds * 1e9 + 0.5);
        p = p[length] == ',' ? p + length + 1 : NULL;
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
static enum llmsim_status set_kv_cache(const struct replay_settings *s,
                                       const struct llmsim_model *model,
                                       const struct llmsim_gpu *gpu,
                                       struct llmsim_replay_config *config,
                                       struct llmsim_error *err)
{
    const struct llmsim_kv_memory memory = {.utilization = s->gpu_memory_utilization,
                                            .activation_GB = s->activation_GB,
                                            .block_size = (uint32_t)s->block_size,
                                            .n_gpus = cli_replica_gpus(&s->catalogue)};
    enum llmsim_status status = LLMSIM_OK;
    if (s->kv_cache.row == KV_UNLIMITED)
        return LLMSIM_OK;
    if (!(s->gpu_memory_utilization <= 1) || !(s->watermark < 1))
        return llmsim_fail(err, LLMSIM_USAGE,
                           "--gpu-memory-utilization %g, --watermark %g: expected shares of 1",
                           s->gpu_memory_utilization, s->watermark);
    config->block_size = memory.block_size;
    config->num_gpu_blocks = s->num_gpu_blocks;
    if (s->num_gpu_blocks == 0)
        status = llmsim_kv_capacity(&memory, model, gpu, &config->num_gpu_blocks, err);
    config->kv_watermark_blocks = (uint64_t)(s->watermark * (double)config->num_gpu_blocks);
    return status;
}

/* Where KV caches go: to the host and back, and over the links between replicas. */
static enum llmsim_status set_copies(const struct replay_settings *s,
                                     const struct llmsim_model *model, const struct llmsim_gpu *gpu,
                                     struct llmsim_replay_config *config, struct llmsim_error *err)
{
    config->kv_bytes_per_token = model->kvc_size_KB * 1024;
    config->swap_bytes_per_s = gpu->pcie_bw * 1e9;
    config->link_bytes_per_s = s->kv_link_gbps * 1e9 / 8;
    config->link_latency_s = s->kv_link_latency_us / 1e6;
    if (strcmp(s->preemption.name, "swap") == 0 && !(gpu->pcie_bw > 0))
        return llmsim_fail(err, LLMSIM_CATALOGUE,
                           "--preemption swap: gpu.json has no pcie_bw (GB/s) for \"%s\"",
                           gpu->name);
    return LLMSIM_OK;
}

/* Where a time of the trace comes to lie at the run's rate, so that a window has the same requests
 * at any. What holds a closed loop's requests back is the server's clock, and so it is for windows.
 */
static int64_t window_ns(const struct replay_settings *s, double seconds)
{
    const struct llmsim_ratio own_rate = {1, 1};
    return llmsim_ratio_scale_arrival(s->max_concurrency > 0 ? own_rate : s->trace.rate_scale,
                                      (int64_t)(seconds * 1e9 + 0.5));
}

/* Seconds on the command line, to the nanosecond; what is more than nothing stays so. */
static enum llmsim_status set_window(const struct replay_settings *s,
                                     struct llmsim_replay_config *config, struct llmsim_error *err)
{
    const double most_s = (double)LLMSIM_MAX_ARRIVAL_NS / 1e9;
    if (s->from_s > most_s || s->until_s > most_s)
        return llmsim_fail(err, LLMSIM_USAGE, "--from %g, --until %g: expected at most %.0f s",
                           s->from_s, s->until_s, most_s);
    if (s->until_s > 0 && !(s->from_s < s->until_s))
        return llmsim_fail(err, LLMSIM_USAGE,
                           "from %.9f s until %.9f s: expected 0 <= from < until", s->from_s,
                           s->until_s);
    config->from_ns = window_ns(s, s->from_s);
    config->until_ns = window_ns(s, s->until_s);
    if (s->until_s > 0 && config->until_ns <= config->from_ns)
        config->until_ns = config->from_ns + 1;
    return LLMSIM_OK;
}

/* An option that would change nothing is a mistake, not a wish. */
enum llmsim_status replay_setup_check(const struct replay_settings *s,
                                      const struct llmsim_trace_status *trace,
                                      struct llmsim_error *err)
{
    if (strcmp(s->router.name, "prefix-affinity") == 0 && !s->enable_prefix_caching)
        return llmsim_fail(err, LLMSIM_USAGE,
                           "--router prefix-affinity goes with --enable-prefix-caching");
    if (s->enable_prefix_caching && !trace->has_prefixes)
        return llmsim_fail(err, LLMSIM_USAGE,
                           "--enable-prefix-caching: the trace has no hash_ids, which say what "
                           "prompts have in common");
    if (strcmp(s->queue_order.name, "priority") == 0 && !trace->has_priorities)
        return llmsim_fail(err, LLMSIM_USAGE,
                           "--queue-order priority: the trace has no column priority");
    if (strcmp(s->queue_order.name, "edf") == 0 && !trace->has_deadlines)
        return llmsim_fail(err, LLMSIM_USAGE,
                           "--queue-order edf: the trace has no column deadline_s");
    return LLMSIM_OK;
}

enum llmsim_status replay_setup_init(struct replay_setup *setup, const struct replay_settings *s,
                                     const char *trace_path,
                                     const struct llmsim_catalogue *catalogue,
                                     struct llmsim_error *err)
{
    struct llmsim_replay_config *config = &setup->config;
    setup->n_gpus = cli_replica_gpus(&s->catalogue);
    *config = (struct llmsim_replay_config){
        .policy = s->policy.name,
        .queue_order = s->queue_order.name,
        .engine = s->engine.name,
        .max_num_seqs = (uint32_t)s->max_num_seqs,
        .max_num_batched_tokens = (uint32_t)s->max_num_batched_tokens,
        .long_prefill_token_threshold = (uint32_t)s->long_prefill_token_threshold,
        .preemption = s->preemption.name,
        .enable_prefix_caching = s->enable_prefix_caching,
        .n_replicas = (uint32_t)s->replicas,
        .prefill_replicas = (uint32_t)s->prefill_replicas,
        .decode_replicas = (uint32_t)s->decode_replicas,
        .router = s->router.name,
        .seed = s->seed,
        .max_concurrency = (uint32_t)s->max_concurrency,
    };
    setup->description = (struct llmsim_run_description){
        .config = config,
        .model = &setup->model,
        .gpu = &setup->gpu,
        .gpus_per_replica = setup->n_gpus,
        .trace_name = strcmp(trace_path, "-") == 0 ? "stdin" : trace_path,
        .rate_scale = s->trace.rate_scale,
        .limit = s->trace.limit,
        .on_bad_row = s->trace.on_bad_row.name,
    };
    enum llmsim_status status =
        cli_open_cost(&s->catalogue, catalogue, &setup->model, &setup->gpu, &config->cost, err);
    if (s->price > 0)
        setup->gpu.usd_per_hour = s->price;
    if (status == LLMSIM_OK)
        status = parse_slo(s->slo, &setup->description.slo, err);
    if (status == LLMSIM_OK)
        status = set_kv_cache(s, &setup->model, &setup->gpu, config, err);
    if (status == LLMSIM_OK)
        status = set_copies(s, &setup->model, &setup->gpu, config, err);
    if (status == LLMSIM_OK)
        status = set_window(s, config, err);
    setup->description.settings = setup->listed;
    setup->description.n_settings = cli_list_settings(replay_settings_options, s, setup->listed);
    return status;
}

static bool weights_exceed_memory(const struct replay_setup *setup, char *text, size_t capacity)
{
    const struct llmsim_model *model = &setup->model;
    const struct llmsim_gpu *gpu = &setup->gpu;
    double n_gpus = (double)setup->n_gpus;
    if (setup->config.num_gpu_blocks > 0 ||
        model->model_size_GB + n_gpus * ACTIVATION_GB <= n_gpus * gpu->memory_cap_GB)
        return false;
    char count[16] = "";
    if (setup->n_gpus > 1)
        (void)snprintf(count, sizeof count, "%u x ", (unsigned)setup->n_gpus);
    (void)snprintf(text, capacity,
                   "the weights of %s take %.4g GB and the runtime about %g GB, more than the %.4g "
                   "GB of %s%s; without --kv-cache paged the run goes on as if they fitted",
                   model->name, model->model_size_GB, n_gpus * ACTIVATION_GB,
                   n_gpus * gpu->memory_cap_GB, count, gpu->name);
    return true;
}

static bool is_extrapolated(const struct replay_setup *setup, char *text, size_t capacity)
{
    return cli_extrapolation_warning(&setup->config.cost, &setup->model, &setup->gpu, text,
                                     capacity);
}

static bool takes_all_experts(const struct replay_setup *setup, char *text, size_t capacity)
{
    return cli_experts_warning(&setup->config.cost, &setup->model, text, capacity);
}

static const struct {
    const char *name;
    bool (*is_due)(const struct replay_setup *setup, char *text, size_t capacity);
} warnings[] = {
    {"weights_exceed_memory", weights_exceed_memory},
    {"costs_extrapolated", is_extrapolated},
    {"steps_take_all_experts", takes_all_experts},
};
_Static_assert(sizeof warnings / sizeof *warnings == REPLAY_N_WARNINGS, "the header says so");

const char *replay_setup_warning(const struct replay_setup *setup, size_t i, char *text,
                                 size_t capacity)
{
    return warnings[i].is_due(setup, text, capacity) ? warnings[i].name : NULL;
}

void replay_setup_warn(const struct replay_setup *setup)
{
    char text[CLI_MAX_WARNING];
    for (size_t i = 0; i < REPLAY_N_WARNINGS; i++)
        if (replay_setup_warning(setup, i, text, sizeof text) != NULL)
            (void)fprintf(stderr, "llmsim: warning: %s\n", text);
}

static bool is_outside_profile(const struct replay_setup *setup, uint64_t n, uint64_t n_all,
                               char *text, size_t capacity)
{
    (void)setup;
    if (n == 0)
        return false;
    (void)snprintf(text, capacity,
                   "%llu of %llu steps are outside what the profile of the fitted cost measured",
                   (unsigned long long)n, (unsigned long long)n_all);
    return true;
}

static bool is_over_positions(const struct replay_setup *setup, uint64_t n, uint64_t n_all,
                              char *text, size_t capacity)
{
    return cli_positions_warning(&setup->model, n, n_all, text, capacity);
}

const struct replay_end_warning replay_end_warnings[REPLAY_N_END_WARNINGS] = {
    {"steps_outside_profile", "steps", is_outside_profile},
    {"requests_over_max_positions", "requests", is_over_positions},
};

void replay_count_warnings(const struct llmsim_summary *s, uint64_t n[REPLAY_N_END_WARNINGS],
                           uint64_t n_all[REPLAY_N_END_WARNINGS])
{
    n[0] = s->n_steps_outside_profile;
    n_all[0] = s->totals.n_steps;
    n[1] = s->n_over_positions;
    n_all[1] = s->totals.n_requests;
}

void replay_end_warn(const struct replay_setup *setup, const struct llmsim_summary *summary)
{
    uint64_t n[REPLAY_N_END_WARNINGS], n_all[REPLAY_N_END_WARNINGS];
    char text[CLI_MAX_WARNING];
    replay_count_warnings(summary, n, n_all);
    for (size_t i = 0; i < REPLAY_N_END_WARNINGS; i++)
        if (replay_end_warnings[i].is_due(setup, n[i], n_all[i], text, sizeof text))
            (void)fprintf(stderr, "llmsim: warning: %s\n", text);
}

const struct cli_option replay_server_options[] = {
    CLI_CATALOGUE_OPTIONS(struct replay_settings, catalogue),
    {.name = "policy",
     .argument = "P",
     .help = "how requests are batched",
     .kind = CLI_CHOICE,
     .choice = llmsim_policy_choice,
     .initial = "continuous",
     .offset = offsetof(struct replay_settings, policy)},
    {.name = "queue-order",
     .argument = "ORDER",
     .help = "who of the waiting requests goes first",
     .kind = CLI_CHOICE,
     .choice = llmsim_order_choice,
     .initial = "fcfs",
     .offset = offsetof(struct replay_settings, queue_order)},
    {.name = "max-num-seqs",
     .argument = "N",
     .help = "most requests in the running set",
     .kind = CLI_U64,
     .initial = "256",
     .min = 1,
     .max = LLMSIM_MAX_NUM_SEQS,
     .offset = offsetof(struct replay_settings, max_num_seqs)},
    {.name = "max-num-batched-tokens",
     .argument = "N",
     .help = "most new tokens in a step; a longer prompt goes alone, or in chunks (mixed)",
     .kind = CLI_U64,
     .initial = "8192",
     .min = 1,
     .max = UINT32_MAX,
     .offset = offsetof(struct replay_settings, max_num_batched_tokens)},
    {.name = "long-prefill-token-threshold",
     .argument = "N",
     .help = "mixed: most tokens of one prompt in a step (0: no bound of its own)",
     .kind = CLI_U64,
     .initial = "0",
     .max = UINT32_MAX,
     .goes_with = "policy=mixed",
     .offset = offsetof(struct replay_settings, long_prefill_token_threshold)},
    {.name = "kv-cache",
     .argument = "KIND",
     .help = "memory for the KV cache",
     .kind = CLI_CHOICE,
     .choice = kv_cache_choice,
     .initial = "unlimited",
     .offset = offsetof(struct replay_settings, kv_cache)},
    {.name = "block-size",
     .argument = "N",
     .help = "paged: tokens in a block",
     .kind = CLI_U64,
     .initial = "16",
     .min = 1,
     .max = LLMSIM_MAX_BLOCK_SIZE,
     .goes_with = "kv-cache=paged",
     .offset = offsetof(struct replay_settings, block_size)},
    {.name = "num-gpu-blocks",
     .argument = "N",
     .help = "paged: blocks (0: as many as the GPU's memory has room for)",
     .kind = CLI_U64,
     .initial = "0",
     .max = 1000000000000,
     .goes_with = "kv-cache=paged",
     .offset = offsetof(struct replay_settings, num_gpu_blocks)},
    {.name = "gpu-memory-utilization",
     .argument = "X",
     .help = "paged: share of memory_cap for weights, activations and KV cache",
     .kind = CLI_DOUBLE,
     .initial = "0.9",
     .goes_with = "kv-cache=paged",
     .offset = offsetof(struct replay_settings, gpu_memory_utilization)},
    {.name = "activation-gb",
     .argument = "GB",
     .help = "paged: memory for activations and the runtime",
     .kind = CLI_DOUBLE,
     .allows_zero = true,
     .initial = "1",
     .goes_with = "kv-cache=paged",
     .offset = offsetof(struct replay_settings, activation_GB)},
    {.name = "watermark",
     .argument = "X",
     .help = "paged: share of the blocks that admission leaves free",
     .kind = CLI_DOUBLE,
     .allows_zero = true,
     .initial = "0.01",
     .goes_with = "kv-cache=paged",
     .offset = offsetof(struct replay_settings, watermark)},
    {.name = "preemption",
     .argument = "HOW",
     .help = "paged: what becomes of the KV cache of a request that is preempted, because no block "
             "is left",
     .kind = CLI_CHOICE,
     .choice = llmsim_preemption_choice,
     .initial = "recompute",
     .goes_with = "kv-cache=paged",
     .offset = offsetof(struct replay_settings, preemption)},
    {.name = "replicas",
     .argument = "N",
     .help = "copies of the model, each with a queue and a KV cache of its own",
     .kind = CLI_U64,
     .initial = "1",
     .min = 1,
     .max = LLMSIM_MAX_REPLICAS,
     .offset = offsetof(struct replay_settings, replicas)},
    {.name = "router",
     .argument = "R",
     .help = "several replicas: which one a request goes to when it arrives",
     .kind = CLI_CHOICE,
     .choice = llmsim_router_choice,
     .initial = "round-robin",
     .offset = offsetof(struct replay_settings, router)},
    {.name = "seed",
     .argument = "N",
     .help = "router random: number that the sequence is drawn from",
     .kind = CLI_U64,
     .initial = "1",
     .max = UINT64_MAX,
     .goes_with = "router=random",
     .offset = offsetof(struct replay_settings, seed)},
    {.name = "prefill-replicas",
     .argument = "N",
     .help = "in place of --replicas: replicas that process prompts and make first tokens, beside "
             "--decode-replicas",
     .kind = CLI_U64,
     .initial = "0",
     .max = LLMSIM_MAX_REPLICAS / 2,
     .offset = offsetof(struct replay_settings, prefill_replicas)},
    {.name = "decode-replicas",
     .argument = "N",
     .help = "replicas that make the tokens after the first, beside --prefill-replicas",
     .kind = CLI_U64,
     .initial = "0",
     .max = LLMSIM_MAX_REPLICAS / 2,
     .offset = offsetof(struct replay_settings, decode_replicas)},
    {.name = "kv-link-gbps",
     .argument = "X",
     .help = "prefill-replicas: bandwidth of each one's link for KV caches, in 10^9 bits/s",
     .kind = CLI_DOUBLE,
     .initial = "200",
     .goes_with = "prefill-replicas",
     .offset = offsetof(struct replay_settings, kv_link_gbps)},
    {.name = "kv-link-latency-us",
     .argument = "X",
     .help = "prefill-replicas: latency of that link, in microseconds",
     .kind = CLI_DOUBLE,
     .allows_zero = true,
     .initial = "10",
     .goes_with = "prefill-replicas",
     .offset = offsetof(struct replay_settings, kv_link_latency_us)},
    {.name = "enable-prefix-caching",
     .help = "paged: keep prompts' KV blocks for prompts that begin alike, by the trace's hash ids",
     .kind = CLI_FLAG,
     .goes_with = "kv-cache=paged",
     .offset = offsetof(struct replay_settings, enable_prefix_caching)},
    CLI_OPTION_END,
};

const struct cli_option replay_settings_options[] = {
    {.name = "", .kind = CLI_TABLE, .table = replay_server_options},
    {.name = "max-concurrency",
     .argument = "N",
     .help = "closed loop: most requests under way at once; the next one of the trace then arrives "
             "when one has ended (0: no bound)",
     .kind = CLI_U64,
     .initial = "0",
     .max = LLMSIM_MAX_CONCURRENCY,
     .offset = offsetof(struct replay_settings, max_concurrency)},
    {.name = "slo",
     .argument = "BOUNDS",
     .help = "ttft=S,tpot=S,e2e=S: report goodput and the share of requests within",
     .kind = CLI_STRING,
     .is_no_setting = true,
     .has_commas = true,
     .offset = offsetof(struct replay_settings, slo)},
    {.name = "from",
     .argument = "S",
     .help = "report requests that arrive from this second of the trace on; what comes before is "
             "simulated too (closed loop: simulated seconds)",
     .kind = CLI_DOUBLE,
     .allows_zero = true,
     .initial = "0",
     .offset = offsetof(struct replay_settings, from_s)},
    {.name = "until",
     .argument = "S",
     .help = "stop at this second of the trace; requests that have not ended are unfinished (0: no "
             "end)",
     .kind = CLI_DOUBLE,
     .allows_zero = true,
     .initial = "0",
     .offset = offsetof(struct replay_settings, until_s)},
    {.name = "price",
     .argument = "USD",
     .help = "what a GPU costs an hour, in place of gpu.json's usd_per_hour",
     .kind = CLI_DOUBLE,
     .max = 1000000,
     .is_no_setting = true,
     .offset = offsetof(struct replay_settings, price)},
    CLI_TRACE_OPTIONS(struct replay_settings, trace),
    {.name = "engine",
     .argument = "NAME",
     .help = "how the time is computed; the results are the same",
     .kind = CLI_CHOICE,
     .choice = llmsim_engine_choice,
     .initial = "fast",
     .is_no_setting = true,
     .offset = offsetof(struct replay_settings, engine)},
    CLI_OPTION_END,
};
