/* fuzz_replay.c: a trace of any format through both engines, under settings that the first three
 * bytes choose: the same steps, requests and tokens; and for one setting in 16, since files take
 * ten times as long, the same bytes in every file. */
#include "fuzz.h"
#include "support/random_case.h"

/* The source of a trace, with token counts that the step engine is done with in no time. Prompts
 * with hash ids keep theirs, which have to fit. */
struct bounded {
    struct llmsim_source source;
};

static enum llmsim_status read_bounded(void *self, struct llmsim_request *requests, size_t capacity,
                                       size_t *n, struct llmsim_error *err)
{
    const struct bounded *b = self;
    enum llmsim_status status = b->source.read(b->source.self, requests, capacity, n, err);
    for (size_t i = 0; i < *n; i++) {
        if (requests[i].prefix == LLMSIM_NO_PREFIX)
            requests[i].prompt_tokens %= 301;
        requests[i].output_tokens %= 41;
    }
    return status;
}

static const char *id_text(const void *self, uint32_t id, size_t *length)
{
    const struct bounded *b = self;
    return b->source.id_text(b->source.self, id, length);
}

static void release(void *self, uint32_t id)
{
    struct bounded *b = self;
    b->source.release(b->source.self, id);
}

static const char *class_name(const void *self, uint16_t class_id)
{
    const struct bounded *b = self;
    return b->source.class_name(b->source.self, class_id);
}

static void prefix(const void *self, uint32_t handle, struct llmsim_prefix *p)
{
    const struct bounded *b = self;
    b->source.prefix(b->source.self, handle, p);
}

static void release_prefix(void *self, uint32_t handle)
{
    struct bounded *b = self;
    b->source.release_prefix(b->source.self, handle);
}

static struct llmsim_source bounded_source(struct bounded *b, struct llmsim_trace *trace)
{
    b->source = llmsim_trace_source(trace);
    return (struct llmsim_source){
        .self = b,
        .read = read_bounded,
        .id_text = id_text,
        .release = release,
        .class_name = b->source.class_name != NULL ? class_name : NULL,
        .prefix = b->source.prefix != NULL ? prefix : NULL,
        .release_prefix = b->source.release_prefix != NULL ? release_prefix : NULL,
    };
}

/* ---- what a run reports, as sums ---- */

#define MAX_REPLICAS 16
#define MAX_DECODE_STEPS (1u << 14)

/* Order counts: among requests, and among the steps of a replica. */
struct digest {
    uint64_t requests, totals;
    uint64_t steps[MAX_REPLICAS];
    int64_t *decode_end_ns[MAX_REPLICAS]; /* MAX_DECODE_STEPS each */
    size_t n_decode_steps[MAX_REPLICAS];
};

static void digest_init(struct digest *d)
{
    d->requests = d->totals = 0;
    for (size_t i = 0; i < MAX_REPLICAS; i++) {
        d->steps[i] = d->n_decode_steps[i] = 0;
        if (d->decode_end_ns[i] == NULL)
            d->decode_end_ns[i] = malloc(MAX_DECODE_STEPS * sizeof *d->decode_end_ns[i]);
        EXPECT(d->decode_end_ns[i] != NULL);
    }
}

static void mix(uint64_t *sum, uint64_t value)
{
    *sum = llmsim_block_hash(*sum ^ value) + value;
}

static enum llmsim_status digest_steps(void *self, const struct llmsim_step_run *run,
                                       struct llmsim_error *err)
{
    struct digest *d = self;
    (void)err;
    EXPECT(run->replica < MAX_REPLICAS);
    uint64_t *sum = &d->steps[run->replica];
    for (uint64_t i = 0; i < run->n_steps; i++) {
        llmsim_time start = run->start + llmsim_decode_run_time(run->durations, i);
        llmsim_time end =
            start + run->durations.first + (llmsim_time)run->durations.increment * (llmsim_time)i;
        mix(sum, run->first_step_id + i);
        mix(sum, (uint64_t)start);
        mix(sum, (uint64_t)end);
        mix(sum, (uint64_t)run->kind << 8 | run->is_reported);
        mix(sum, run->shape.prefill_tokens);
        mix(sum, run->shape.decode_seqs);
        mix(sum, run->shape.context_tokens + i * run->shape.decode_seqs);
        size_t *n = &d->n_decode_steps[run->replica];
        if (run->shape.decode_seqs > 0 && *n < MAX_DECODE_STEPS)
            d->decode_end_ns[run->replica][(*n)++] = llmsim_time_to_ns(end);
    }
    return LLMSIM_OK;
}

/* When token `index` of a segment came. */
static int64_t token_time(const struct digest *d, const struct llmsim_result *r,
                          const struct llmsim_token_segment *segment, uint32_t index)
{
    bool is_prefill = segment->kind == LLMSIM_SEGMENT_PREFILL;
    if (is_prefill && index == 0)
        return segment->start_ns;
    uint64_t step = segment->first_decode_step + index - is_prefill;
    EXPECT(r->replica < MAX_REPLICAS);
    if (step >= MAX_DECODE_STEPS)
        return 0;
    EXPECT(step < d->n_decode_steps[r->replica]);
    return d->decode_end_ns[r->replica][step];
}

static void digest_tokens(struct digest *d, const struct llmsim_result *r)
{
    uint32_t n = 0;
    for (; r->token_ns != NULL && n < r->n_tokens; n++)
        mix(&d->requests, (uint64_t)r->token_ns[n]);
    for (size_t i = 0; i < r->n_segments && n < r->n_tokens; i++)
        for (uint32_t k = 0; k < r->segments[i].n_tokens && n < r->n_tokens; k++, n++)
            mix(&d->requests, (uint64_t)token_time(d, r, &r->segments[i], k));
    EXPECT(n == r->n_tokens);
}

static enum llmsim_status digest_request(void *self, const struct llmsim_result *r,
                                         struct llmsim_error *err)
{
    struct digest *d = self;
    const uint64_t values[] = {
        r->request.row,
        (uint64_t)r->request.arrival_ns,
        (uint64_t)r->outcome << 32 | r->preemptions,
        (uint64_t)r->replica << 32 | r->prefill_replica,
        (uint64_t)r->n_tokens << 32 | r->cached_tokens,
        (uint64_t)r->scheduled_ns,
        (uint64_t)r->end_ns,
        (uint64_t)r->unloaded_ns,
        (uint64_t)r->decode_ns,
        r->n_tokens > 0 ? (uint64_t)r->first_token_ns : 0,
        r->n_tokens > 0 ? (uint64_t)r->last_token_ns : 0,
    };
    (void)err;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        mix(&d->requests, values[i]);
    for (size_t i = 0; i < r->id_length; i++)
        mix(&d->requests, (unsigned char)r->id[i]);
    if (r->n_tokens > 0)
        digest_tokens(d, r);
    return LLMSIM_OK;
}

static enum llmsim_status digest_end(void *self, const struct llmsim_totals *totals,
                                     struct llmsim_error *err)
{
    const uint64_t *values = (const uint64_t *)totals;
    (void)err;
    _Static_assert(sizeof *totals % sizeof *values == 0, "no padding");
    for (size_t i = 0; i < sizeof *totals / sizeof *values; i++)
        mix(&((struct digest *)self)->totals, values[i]);
    return LLMSIM_OK;
}

static const struct llmsim_sink_ops digest_ops = {
    .name = "digest", .steps = digest_steps, .request = digest_request, .end = digest_end};

static void expect_same_digests(const struct digest *a, const struct digest *b)
{
    EXPECT(a->requests == b->requests);
    EXPECT(a->totals == b->totals);
    for (size_t i = 0; i < MAX_REPLICAS; i++)
        EXPECT(a->steps[i] == b->steps[i]);
}

/* ---- files ---- */

static const char *const files[] = {"tokens.csv", "requests.csv", "steps.csv", "summary.json"};
#define N_FILES (sizeof files / sizeof *files)

static enum llmsim_status replay_to_files(const char *dir, struct llmsim_trace *trace,
                                          const struct llmsim_source *source,
                                          const struct llmsim_replay_config *config,
                                          struct llmsim_error *err)
{
    static const struct llmsim_model model = {.name = "fuzz/model",
                                              .num_hidden_layers = 1,
                                              .num_heads = 1,
                                              .model_size_GB = 1,
                                              .kvc_size_KB = 1};
    static const struct llmsim_gpu gpu = {
        .name = "fuzz gpu", .memory_cap_GB = 1, .memory_bw_GBps = 1, .memory_bw_util_percent = 100};
    struct llmsim_results *results;
    struct llmsim_run_description description = {.config = config,
                                                 .model = &model,
                                                 .gpu = &gpu,
                                                 .trace = trace,
                                                 .trace_name = "fuzz",
                                                 .slo = {.ttft_ns = 5000000}};
    struct llmsim_results_options options = {
        .dir = dir, .requests = true, .tokens = true, .steps = true};
    EXPECT(llmsim_results_open(&options, &description, &results, err) == LLMSIM_OK);
    size_t n_sinks;
    const struct llmsim_sink *sinks = llmsim_results_sinks(results, &n_sinks);
    enum llmsim_status status = llmsim_replay(config, source, sinks, n_sinks, err);
    if (status == LLMSIM_OK)
        EXPECT(llmsim_results_commit(results, err) == LLMSIM_OK);
    llmsim_results_close(results);
    return status;
}

/* Into a digest, or where that is NULL into files. */
static enum llmsim_status replay_into(struct digest *digest, const char *dir, const char *engine,
                                      const char *trace_path,
                                      const struct llmsim_trace_options *options,
                                      struct llmsim_replay_config config, struct llmsim_error *err)
{
    struct llmsim_trace *trace;
    struct bounded bounded;
    enum llmsim_status status = llmsim_trace_open(trace_path, options, &trace, err);
    if (status != LLMSIM_OK)
        return status;
    config.engine = engine;
    struct llmsim_source source = bounded_source(&bounded, trace);
    if (digest != NULL) {
        struct llmsim_sink sink = {&digest_ops, digest};
        digest_init(digest);
        status = llmsim_replay(&config, &source, &sink, 1, err);
    } else {
        status = replay_to_files(dir, trace, &source, &config, err);
    }
    llmsim_trace_close(trace);
    return status;
}

static size_t read_whole(const char *path, char *bytes, size_t capacity)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    EXPECT(fd >= 0);
    ssize_t n = read(fd, bytes, capacity);
    (void)close(fd);
    EXPECT(n >= 0 && (size_t)n < capacity);
    return (size_t)n;
}

static void expect_same_files(const char *step_dir, const char *fast_dir)
{
    static char step[1 << 22], fast[1 << 22];
    for (size_t i = 0; i < N_FILES; i++) {
        size_t n_step = read_whole(fuzz_path(step_dir, files[i]), step, sizeof step);
        size_t n_fast = read_whole(fuzz_path(fast_dir, files[i]), fast, sizeof fast);
        EXPECT(n_step == n_fast && memcmp(step, fast, n_step) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct random_case c;
    struct fuzz_input in = {data, size};
    uint64_t seed = fuzz_byte(&in);
    seed = seed << 16 | (uint64_t)fuzz_byte(&in) << 8;
    seed |= fuzz_byte(&in);
    case_make(&c, seed);
    struct llmsim_trace_options options = {
        .with_prefixes = c.config.enable_prefix_caching,
        .hash_block_tokens = c.config.enable_prefix_caching ? c.hash_block_tokens : 0,
    };
    const char *path = fuzz_file(0, in.data, in.size);
    static struct digest digests[2];
    const char *const engines[] = {"step", "fast"};
    bool to_files = seed % 16 == 0;
    struct llmsim_error err[2] = {{0}, {0}};
    enum llmsim_status status[2];
    for (size_t i = 0; i < 2; i++)
        status[i] = replay_into(to_files ? NULL : &digests[i], fuzz_dir(i), engines[i], path,
                                &options, c.config, &err[i]);
    EXPECT(status[0] == status[1] && strcmp(err[0].message, err[1].message) == 0);
    if (status[0] != LLMSIM_OK)
        fuzz_check_error(status[0], &err[0]);
    else if (to_files)
        expect_same_files(fuzz_dir(0), fuzz_dir(1));
    else
        expect_same_digests(&digests[0], &digests[1]);
    return 0;
}
