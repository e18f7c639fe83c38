/* cmd_trace_info.c: what is in a trace. */
#include <math.h>
#include <stdio.h>

#include "cli.h"
#include "prefix_share.h"

/* Lines of the table of classes. */
#define MOST_CLASSES 20u

struct values {
    struct cli_trace_options trace;
    struct cli_choice output_format;
};

struct info {
    const char *path;
    struct llmsim_trace_status status;
    int64_t first_ns, last_ns;
    double gap_mean_ns, gap_square_sum; /* Welford's running variance */
    /* Arrivals in each of the last 60 seconds, the last of which is number `second` from the first
     * arrival on; their sum; the largest sum so far. */
    uint64_t n_in_second[60], n_in_minute, busiest_minute;
    int64_t second;
    struct llmsim_stat prompt, output;
    struct prefix_share share;
    struct llmsim_source source;
    uint64_t n_of_class[LLMSIM_MAX_CLASSES + 1]; /* by class_id; 0: without one */
};

/* The busiest minute is any 60 seconds on end, not one of those that a clock begins. */
static void count_in_minute(struct info *info, int64_t since_first_ns)
{
    int64_t second = since_first_ns / LLMSIM_NS_PER_S;
    int64_t n_new = second - info->second;
    for (int64_t i = 1; i <= (n_new < 60 ? n_new : 60); i++) {
        uint64_t *oldest = &info->n_in_second[(info->second + i) % 60];
        info->n_in_minute -= *oldest;
        *oldest = 0;
    }
    info->second = second;
    info->n_in_second[second % 60]++;
    if (++info->n_in_minute > info->busiest_minute)
        info->busiest_minute = info->n_in_minute;
}

static void add_arrival(struct info *info, int64_t arrival_ns)
{
    uint64_t n_before = info->prompt.n;
    if (n_before == 0) {
        info->first_ns = arrival_ns;
    } else {
        double gap = (double)(arrival_ns - info->last_ns);
        double delta = gap - info->gap_mean_ns;
        info->gap_mean_ns += delta / (double)n_before;
        info->gap_square_sum += delta * (gap - info->gap_mean_ns);
    }
    count_in_minute(info, arrival_ns - info->first_ns);
    info->last_ns = arrival_ns;
}

static enum llmsim_status add_prefix(struct info *info, const struct llmsim_request *request,
                                     struct llmsim_error *err)
{
    struct llmsim_prefix prefix;
    if (request->prefix == LLMSIM_NO_PREFIX)
        return LLMSIM_OK;
    info->source.prefix(info->source.self, request->prefix, &prefix);
    enum llmsim_status status =
        prefix_share_add(&info->share, &prefix, request->prompt_tokens, err);
    info->source.release_prefix(info->source.self, request->prefix);
    return status;
}

static enum llmsim_status read_all(struct info *info, struct llmsim_trace *trace,
                                   struct llmsim_error *err)
{
    struct llmsim_request requests[1024];
    struct llmsim_source source = info->source = llmsim_trace_source(trace);
    size_t n;
    do {
        enum llmsim_status status = source.read(source.self, requests, 1024, &n, err);
        if (status != LLMSIM_OK)
            return status;
        for (size_t i = 0; i < n && status == LLMSIM_OK; i++) {
            add_arrival(info, requests[i].arrival_ns);
            llmsim_stat_add(&info->prompt, requests[i].prompt_tokens);
            llmsim_stat_add(&info->output, requests[i].output_tokens);
            info->n_of_class[requests[i].class_id]++;
            if (requests[i].id != LLMSIM_NO_ID)
                source.release(source.self, requests[i].id);
            status = add_prefix(info, &requests[i], err);
        }
        if (status != LLMSIM_OK)
            return status;
    } while (n > 0);
    llmsim_trace_get_status(trace, &info->status);
    return LLMSIM_OK;
}

static double span_s(const struct info *info)
{
    return (double)(info->last_ns - info->first_ns) / 1e9;
}

/* Requests per second between the first and the last arrival. */
static double mean_rate(const struct info *info)
{
    return info->gap_mean_ns > 0 ? 1e9 / info->gap_mean_ns : 0;
}

/* A trace of less than a minute has no busiest one: it is the whole. */
static double busiest_rate(const struct info *info)
{
    return info->last_ns - info->first_ns < 60 * LLMSIM_NS_PER_S
               ? mean_rate(info)
               : (double)info->busiest_minute / 60;
}

static double gap_cv(const struct info *info)
{
    if (info->prompt.n < 3 || !(info->gap_mean_ns > 0))
        return 0;
    return sqrt(info->gap_square_sum / (double)(info->prompt.n - 1)) / info->gap_mean_ns;
}

static const struct {
    const char *name;
    double p;
} percentiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}};
#define N_PERCENTILES (sizeof percentiles / sizeof *percentiles)

static void print_tokens(const char *name, struct llmsim_stat *stat)
{
    (void)printf("%-14s %12llu %10.2f", name, (unsigned long long)stat->sum,
                 llmsim_stat_mean(stat));
    for (size_t i = 0; i < N_PERCENTILES; i++)
        (void)printf(" %10.2f", llmsim_stat_percentile(stat, percentiles[i].p));
    (void)printf(" %10llu\n", (unsigned long long)(stat->n > 0 ? stat->max : 0));
}

/* The class_ids are numbered as the trace has them, so the first that no request has ends them. */
static uint16_t count_classes(const struct info *info)
{
    uint16_t n = 0;
    while (n < LLMSIM_MAX_CLASSES && info->n_of_class[n + 1] > 0)
        n++;
    return n;
}

static void print_classes(const struct info *info)
{
    uint16_t n = count_classes(info);
    (void)printf("\nclasses        %u\n", n);
    for (uint16_t i = 1; i <= n && i <= MOST_CLASSES; i++)
        (void)printf("%12llu   %s\n", (unsigned long long)info->n_of_class[i],
                     info->source.class_name(info->source.self, i));
    if (n > MOST_CLASSES)
        (void)printf("%12s   and %u more\n", "", n - MOST_CLASSES);
    if (info->n_of_class[0] > 0)
        (void)printf("%12llu   (none)\n", (unsigned long long)info->n_of_class[0]);
}

static double shared_share(const struct info *info)
{
    double n_tokens = (double)info->prompt.sum;
    return n_tokens > 0 ? (double)info->share.shared_tokens / n_tokens : 0;
}

static void print_prefixes(const struct info *info)
{
    const struct prefix_share *share = &info->share;
    (void)printf("\nhash ids       %llu requests, %llu different full blocks of %u tokens\n",
                 (unsigned long long)share->n_requests, (unsigned long long)share->n_blocks,
                 share->block_tokens);
    (void)printf(
        "shared         %llu prompt tokens, %.2f %%, in blocks that an earlier request had\n",
        (unsigned long long)share->shared_tokens, 100 * shared_share(info));
}

/* With 9 decimals, of which a double would not have all. */
static void print_ns(int64_t ns)
{
    (void)printf("%lld.%09lld", (long long)(ns / LLMSIM_NS_PER_S),
                 (long long)(ns % LLMSIM_NS_PER_S));
}

static enum llmsim_status print_text(struct info *info, struct llmsim_error *err)
{
    char shown[CLI_SHOWN_MAX];
    (void)err;
    (void)printf("trace          %s\n", llmsim_shown(info->path, shown, sizeof shown));
    (void)printf("format         %s\n", info->status.format);
    if (info->status.time_unit != NULL)
        (void)printf("time unit      %s\n", info->status.time_unit);
    if (info->status.unused_columns[0] != '\0')
        (void)printf("unused columns %s\n",
                     llmsim_shown(info->status.unused_columns, shown, sizeof shown));
    (void)printf("sha256         %s\n", info->status.sha256);
    if (info->status.origin_ns != 0 && !info->status.has_dates)
        (void)printf("origin         %lld.%09lld s in the trace is time 0\n",
                     (long long)(info->status.origin_ns / LLMSIM_NS_PER_S),
                     (long long)(info->status.origin_ns % LLMSIM_NS_PER_S));
    (void)printf("rows           %llu good, %llu rejected\n", (unsigned long long)info->status.rows,
                 (unsigned long long)info->status.rejected);
    if (info->status.failed > 0)
        (void)printf("failed calls   %llu of the good rows\n",
                     (unsigned long long)info->status.failed);
    (void)printf("arrivals       ");
    print_ns(info->first_ns);
    (void)printf(" s to ");
    print_ns(info->last_ns);
    (void)printf(" s: %.3f s\n", span_s(info));
    (void)printf("rate           %.4f requests/s; %.4f in the busiest minute\n", mean_rate(info),
                 busiest_rate(info));
    (void)printf("gaps           coefficient of variation %.3f\n\n", gap_cv(info));
    (void)printf("%-14s %12s %10s", "", "total", "mean");
    for (size_t i = 0; i < N_PERCENTILES; i++)
        (void)printf(" %10s", percentiles[i].name);
    (void)printf(" %10s\n", "max");
    print_tokens("prompt tokens", &info->prompt);
    print_tokens("output tokens", &info->output);
    if (info->status.has_classes)
        print_classes(info);
    if (info->share.n_requests > 0)
        print_prefixes(info);
    return LLMSIM_OK;
}

static void add_tokens(struct llmsim_json_document *json, const char *name,
                       struct llmsim_stat *stat)
{
    struct cJSON *object = llmsim_json_add_object(json, json->root, name);
    llmsim_json_add_number(json, object, "total", (double)stat->sum);
    llmsim_json_add_number(json, object, "mean", llmsim_stat_mean(stat));
    for (size_t i = 0; i < N_PERCENTILES; i++)
        llmsim_json_add_number(json, object, percentiles[i].name,
                               llmsim_stat_percentile(stat, percentiles[i].p));
    llmsim_json_add_number(json, object, "max", stat->n > 0 ? (double)stat->max : 0);
}

/* Requests without a class are those of the class "". */
static void add_classes(struct llmsim_json_document *json, const struct info *info)
{
    struct cJSON *object = llmsim_json_add_object(json, json->root, "classes");
    uint16_t n = count_classes(info);
    for (uint16_t i = 1; i <= n; i++)
        llmsim_json_add_number(json, object, info->source.class_name(info->source.self, i),
                               (double)info->n_of_class[i]);
    if (info->n_of_class[0] > 0)
        llmsim_json_add_number(json, object, "", (double)info->n_of_class[0]);
}

static void add_prefixes(struct llmsim_json_document *json, const struct info *info)
{
    const struct prefix_share *share = &info->share;
    struct cJSON *object = llmsim_json_add_object(json, json->root, "prefixes");
    llmsim_json_add_number(json, object, "requests", (double)share->n_requests);
    llmsim_json_add_number(json, object, "block_tokens", (double)share->block_tokens);
    llmsim_json_add_number(json, object, "different_blocks", (double)share->n_blocks);
    llmsim_json_add_number(json, object, "shared_prompt_tokens", (double)share->shared_tokens);
    llmsim_json_add_number(json, object, "shared_prompt_share", shared_share(info));
}

static enum llmsim_status print_json(struct info *info, struct llmsim_error *err)
{
    struct llmsim_json_document json;
    llmsim_json_document_init(&json);
    llmsim_json_add_string(&json, json.root, "trace", info->path);
    llmsim_json_add_string(&json, json.root, "format", info->status.format);
    if (info->status.time_unit != NULL)
        llmsim_json_add_string(&json, json.root, "time_unit", info->status.time_unit);
    llmsim_json_add_string(&json, json.root, "unused_columns", info->status.unused_columns);
    llmsim_json_add_string(&json, json.root, "sha256", info->status.sha256);
    llmsim_json_add_number(&json, json.root, "rows", (double)info->status.rows);
    llmsim_json_add_number(&json, json.root, "rejected", (double)info->status.rejected);
    llmsim_json_add_number(&json, json.root, "failed", (double)info->status.failed);
    if (info->status.origin_ns != 0)
        llmsim_json_add_ns(&json, json.root, "origin_s", info->status.origin_ns);
    llmsim_json_add_ns(&json, json.root, "first_arrival_s", info->first_ns);
    llmsim_json_add_ns(&json, json.root, "last_arrival_s", info->last_ns);
    llmsim_json_add_ns(&json, json.root, "span_s", info->last_ns - info->first_ns);
    llmsim_json_add_number(&json, json.root, "mean_rate_per_s", mean_rate(info));
    llmsim_json_add_number(&json, json.root, "busiest_minute_rate_per_s", busiest_rate(info));
    llmsim_json_add_number(&json, json.root, "gap_cv", gap_cv(info));
    add_tokens(&json, "prompt_tokens", &info->prompt);
    add_tokens(&json, "output_tokens", &info->output);
    if (info->status.has_classes)
        add_classes(&json, info);
    if (info->share.n_requests > 0)
        add_prefixes(&json, info);
    return cli_print_json(&json, err);
}

static const struct {
    struct llmsim_choice choice;
    enum llmsim_status (*print)(struct info *info, struct llmsim_error *err);
} output_formats[] = {
    {{"text", "a few lines"}, print_text},
    {{"json", "one object"}, print_json},
};
#define N_OUTPUT_FORMATS (sizeof output_formats / sizeof *output_formats)

static const struct llmsim_choice *output_format_choice(size_t i)
{
    return i < N_OUTPUT_FORMATS ? &output_formats[i].choice : NULL;
}

static enum llmsim_status run(const void *values, const char *const *operands, size_t n_operands,
                              struct llmsim_error *err)
{
    const struct values *v = values;
    struct llmsim_trace *trace = NULL;
    struct llmsim_trace_options reader_options = cli_reader_options(&v->trace);
    reader_options.with_prefixes = true;
    struct info info = {.path = operands[0]};
    (void)n_operands;
    enum llmsim_status status = llmsim_stat_init(&info.prompt, true, err);
    if (status == LLMSIM_OK)
        status = llmsim_stat_init(&info.output, true, err);
    if (status == LLMSIM_OK)
        status = llmsim_trace_open(operands[0], &reader_options, &trace, err);
    if (status == LLMSIM_OK)
        status = read_all(&info, trace, err);
    if (status == LLMSIM_OK)
        status = cli_check_hash_ids(&v->trace, trace, err);
    if (status == LLMSIM_OK)
        status = output_formats[v->output_format.row].print(&info, err);
    llmsim_trace_close(trace);
    llmsim_stat_fini(&info.prompt);
    llmsim_stat_fini(&info.output);
    prefix_share_fini(&info.share);
    return status;
}

static const struct cli_option options[] = {
    CLI_TRACE_OPTIONS(struct values, trace),
    {.name = "output-format",
     .argument = "NAME",
     .help = "how to print",
     .kind = CLI_CHOICE,
     .choice = output_format_choice,
     .initial = "text",
     .offset = offsetof(struct values, output_format)},
    CLI_OPTION_END,
};

const struct cli_command cli_trace_info = {
    .name = "trace info",
    .help = "what is in a trace: rows, rates, tokens",
    .operands = "TRACE",
    .example = "llmsim trace info traces/azure_conv_like.csv",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
