/* The printed digits: what is in the files must hold together without the program's help. The CSVs
 * are read back as text, and a time as an integer of nanoseconds. */
#include <criterion/criterion.h>

#include "support/files.h"
#include "support/random_case.h"

/* "12.345678901" with exactly nine decimals. */
static int64_t parse_ns(const char **p)
{
    int64_t ns = 0;
    cr_assert(**p >= '0' && **p <= '9', "a digit expected at '%.20s'", *p);
    for (; **p >= '0' && **p <= '9'; ++*p)
        ns = 10 * ns + (**p - '0');
    cr_assert_eq(*(*p)++, '.');
    for (int i = 0; i < 9; i++, ++*p) {
        cr_assert(**p >= '0' && **p <= '9');
        ns = 10 * ns + (**p - '0');
    }
    return ns;
}

static int64_t parse_int(const char **p)
{
    int64_t value = 0;
    cr_assert(**p >= '0' && **p <= '9', "a digit expected at '%.20s'", *p);
    for (; **p >= '0' && **p <= '9'; ++*p)
        value = 10 * value + (**p - '0');
    return value;
}

static void expect(const char **p, const char *text)
{
    cr_assert(strncmp(*p, text, strlen(text)) == 0, "'%s' expected at '%.40s'", text, *p);
    *p += strlen(text);
}

/* The token rows of one request: indices 0, 1, …; each latency is the difference of two printed
 * times, the first from the arrival; together they are the E2E. */
static void check_tokens(const char **tokens, int64_t id, int64_t arrival_ns, int64_t n,
                         int64_t ttft_ns, int64_t e2e_ns)
{
    int64_t before_ns = arrival_ns, sum_ns = 0;
    for (int64_t i = 0; i < n; i++) {
        cr_assert_eq(parse_int(tokens), id);
        expect(tokens, ",");
        cr_assert_eq(parse_int(tokens), i);
        expect(tokens, ",");
        int64_t time_ns = parse_ns(tokens);
        expect(tokens, ",");
        int64_t latency_ns = parse_ns(tokens);
        expect(tokens, "\n");
        cr_assert_eq(latency_ns, time_ns - before_ns);
        if (i == 0)
            cr_assert_eq(latency_ns, ttft_ns);
        before_ns = time_ns;
        sum_ns += latency_ns;
    }
    if (n > 0)
        cr_assert_eq(sum_ns, e2e_ns);
}

/* ",wait,prefill,decode,interference,preempted,transfer": they add up to the E2E, the first two to
 * the TTFT. */
static void check_attribution(const char **p, int64_t queue_ns, int64_t ttft_ns, int64_t e2e_ns)
{
    int64_t sum_ns = 0;
    for (int i = 0; i < 6; i++) {
        expect(p, ",");
        int64_t part_ns = parse_ns(p);
        if (i == 0)
            cr_assert_eq(part_ns, queue_ns);
        sum_ns += part_ns;
        if (i == 1)
            cr_assert_eq(sum_ns, ttft_ns);
    }
    cr_assert_eq(sum_ns, e2e_ns);
}

/* ",replica,prefill_replica,cached_tokens\n" */
static void skip_rest(const char **p)
{
    expect(p, ",");
    (void)parse_int(p);
    expect(p, ",");
    (void)parse_int(p);
    expect(p, ",");
    (void)parse_int(p);
    expect(p, "\n");
}

/* requests.csv beside tokens.csv; returns the number of requests. */
static size_t check_files(const char *dir)
{
    char *requests_text = read_text(dir, "requests.csv", NULL);
    char *tokens_text = read_text(dir, "tokens.csv", NULL);
    cr_assert(requests_text != NULL && tokens_text != NULL);
    const char *r = requests_text, *t = tokens_text;
    size_t n_requests = 0;
    int64_t last_end_ns = -1, last_id = -1;
    expect(&r, "request_id,arrival_s,prompt_tokens,output_tokens,outcome,queue_s,ttft_s,tpot_s,"
               "e2e_s,preemptions,unloaded_e2e_s,slowdown,wait_s,prefill_s,decode_s,interference_s,"
               "preempted_s,transfer_s,replica,prefill_replica,cached_tokens\n");
    expect(&t, "request_id,token_index,time_s,latency_s\n");
    for (; *r != '\0'; n_requests++) {
        int64_t id = parse_int(&r), ttft_ns = 0;
        expect(&r, ",");
        int64_t arrival_ns = parse_ns(&r);
        expect(&r, ",");
        (void)parse_int(&r);
        expect(&r, ",");
        int64_t n = parse_int(&r);
        if (strncmp(r, ",rejected_too_long,", 19) == 0) {
            expect(&r, ",rejected_too_long,,,,,0,,,,,,,,");
            skip_rest(&r);
            continue;
        }
        expect(&r, ",completed,");
        int64_t queue_ns = parse_ns(&r);
        expect(&r, ",");
        if (n > 0)
            ttft_ns = parse_ns(&r);
        expect(&r, ",");
        int64_t tpot_ns = n > 1 ? parse_ns(&r) : 0;
        expect(&r, ",");
        int64_t e2e_ns = parse_ns(&r);
        expect(&r, ",");
        (void)parse_int(&r); /* preemptions */
        expect(&r, ",");
        (void)parse_ns(&r);
        expect(&r, ",");
        r += strcspn(r, ",");
        check_attribution(&r, queue_ns, n > 0 ? ttft_ns : e2e_ns, e2e_ns);
        skip_rest(&r);
        cr_assert_leq(queue_ns, n > 0 ? ttft_ns : e2e_ns);
        if (n == 1)
            cr_assert_eq(ttft_ns, e2e_ns);
        if (n > 1)
            cr_assert_leq(llabs((n - 1) * tpot_ns - (e2e_ns - ttft_ns)), (n - 1) / 2 + 1);
        int64_t end_ns = arrival_ns + e2e_ns;
        cr_assert(end_ns > last_end_ns || (end_ns == last_end_ns && id > last_id));
        last_end_ns = end_ns;
        last_id = id;
        check_tokens(&t, id, arrival_ns, n, ttft_ns, e2e_ns);
    }
    cr_assert_eq(*t, '\0', "tokens of nobody: '%.40s'", t);
    free(requests_text);
    free(tokens_text);
    return n_requests;
}

static void replay_into(const char *dir, const struct llmsim_replay_config *config,
                        const struct llmsim_source *source)
{
    const struct llmsim_model model = {.name = "tests/model",
                                       .num_hidden_layers = 1,
                                       .num_heads = 1,
                                       .model_size_GB = 1,
                                       .kvc_size_KB = 1};
    const struct llmsim_gpu gpu = {.name = "tests gpu",
                                   .memory_cap_GB = 1,
                                   .memory_bw_GBps = 1,
                                   .memory_bw_util_percent = 100};
    struct llmsim_error err;
    struct llmsim_run_description description = {
        .config = config, .model = &model, .gpu = &gpu, .trace_name = "memory"};
    struct llmsim_results_options options = {.dir = dir, .requests = true, .tokens = true};
    struct llmsim_results *results;
    size_t n_sinks;
    cr_assert_eq(llmsim_results_open(&options, &description, &results, &err), LLMSIM_OK);
    const struct llmsim_sink *sinks = llmsim_results_sinks(results, &n_sinks);
    cr_assert_eq(llmsim_replay(config, source, sinks, n_sinks, &err), LLMSIM_OK, "%s", err.message);
    cr_assert_eq(llmsim_results_commit(results, &err), LLMSIM_OK, "%s", err.message);
    llmsim_results_close(results);
}

Test(result_files, random)
{
    char *dir = scratch_dir();
    struct random_case c;
    for (uint64_t seed = 1; seed <= case_count(1000); seed++) {
        case_make(&c, seed);
        /* Steps of no length would let two requests end at one time out of the order of ids. */
        c.config.cost.decode_any_batch.base += LLMSIM_TIME_ONE_NS;
        c.config.cost.prefill_per_token += (uint64_t)LLMSIM_TIME_ONE_NS;
        for (size_t i = 0; i < c.n_requests; i++) {
            c.requests[i].prompt_tokens++;
            c.requests[i].id = LLMSIM_NO_ID;
            c.requests[i].is_failed = false;
        }
        c.config.from_ns = c.config.until_ns = 0;
        struct llmsim_source source = case_source(&c);
        replay_into(dir, &c.config, &source);
        cr_assert_eq(check_files(dir), c.n_requests);
    }
    remove_dir(dir);
}

static void check_trace(const char *name, const char *policy, size_t n_expected)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/traces/%s", LLMSIM_TEST_SHARED_DIR, name);
    if (access(path, R_OK) != 0)
        cr_skip_test("skipped: %s is not there", path);
    char *dir = scratch_dir();
    struct llmsim_replay_config config = {
        .policy = policy, .max_num_seqs = 256, .max_num_batched_tokens = 8192};
    const struct llmsim_model llama = {.name = "llama",
                                       .num_hidden_layers = 40,
                                       .num_heads = 40,
                                       .model_size_GB = 26,
                                       .kvc_size_KB = 800};
    const struct llmsim_gpu a6000 = {
        .name = "a6000", .memory_cap_GB = 48, .memory_bw_GBps = 768, .memory_bw_util_percent = 60};
    struct llmsim_trace_options options = {0};
    struct llmsim_trace *trace;
    struct llmsim_error err;
    cr_assert_eq(llmsim_cost_init_ptps(&config.cost, &llama, &a6000, 4164.15309163167, &err),
                 LLMSIM_OK);
    cr_assert_eq(llmsim_trace_open(path, &options, &trace, &err), LLMSIM_OK, "%s", err.message);
    struct llmsim_source source = llmsim_trace_source(trace);
    replay_into(dir, &config, &source);
    cr_assert_eq(check_files(dir), n_expected);
    llmsim_trace_close(trace);
    remove_dir(dir);
}

Test(result_files, azure_conv)
{
    check_trace("AzureLLMInferenceTrace_conv.csv", "continuous", 19366);
}
Test(result_files, azure_code)
{
    check_trace("AzureLLMInferenceTrace_code.csv", "continuous", 8819);
}
Test(result_files, azure_conv_static)
{
    check_trace("AzureLLMInferenceTrace_conv.csv", "static", 19366);
}
