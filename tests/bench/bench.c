/* bench.c: how fast the parts of a replay are, and what a command costs.
 *
 *   bench TRACE [--only NAME,...] [--rate-scale X] [--repeat K] [--scratch DIR]
 *         [--model M] [--gpu G] [--data DIR]
 *   bench exec STATS STDOUT COMMAND [ARGUMENT...]
 *
 * The first runs the benchmarks of the table below over one trace, in turn, K times (default 5),
 * and prints of each the quickest, a line of six words: name, seconds, CPU seconds of all threads,
 * rows, output tokens, bytes. TRACE may be - where only "replay" is asked for, once. The second
 * runs a command with its output in the file STDOUT (-: left where it is), and writes to the file
 * STATS (-: standard output) a line of four numbers: seconds, seconds in user mode, in the kernel,
 * and the most memory it had, in KB. tests/bench/bench.sh makes a table of both. */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "llmsim/llmsim.h"

enum { BATCH = 256, MAX_REPEATS = 1000, EXIT_NO_COMMAND = 127 };

struct bench {
    const char *trace_path, *scratch, *data_dir, *model_name, *gpu_name, *only;
    unsigned long n_repeats;
    struct llmsim_ratio rate_scale;
    struct llmsim_model model;
    struct llmsim_gpu gpu;
    struct llmsim_replay_config config;
    /* The trace in memory, for those that ask for it, and room for a copy. */
    struct llmsim_request *requests, *copy;
    size_t n_requests;
    uint64_t n_output_tokens;
};

struct sample {
    double seconds, cpu_seconds;
    uint64_t rows, tokens, bytes;
};

static double clock_s(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void start(struct sample *s)
{
    s->cpu_seconds = -clock_s(CLOCK_PROCESS_CPUTIME_ID);
    s->seconds = -clock_s(CLOCK_MONOTONIC);
}

static void stop(struct sample *s)
{
    s->seconds += clock_s(CLOCK_MONOTONIC);
    s->cpu_seconds += clock_s(CLOCK_PROCESS_CPUTIME_ID);
}

static enum llmsim_status open_trace(const struct bench *b, bool only_libcsv,
                                     struct llmsim_trace **trace, struct llmsim_error *err)
{
    struct llmsim_trace_options options = {.rate_scale = b->rate_scale, .only_libcsv = only_libcsv};
    return llmsim_trace_open(b->trace_path, &options, trace, err);
}

/* Open, read all rows, and forget them. */
static enum llmsim_status parse(const struct bench *b, bool only_libcsv, struct sample *s,
                                struct llmsim_error *err)
{
    struct llmsim_request requests[BATCH];
    struct llmsim_trace *trace;
    size_t n = 0;
    start(s);
    enum llmsim_status status = open_trace(b, only_libcsv, &trace, err);
    if (status != LLMSIM_OK)
        return status;
    struct llmsim_source source = llmsim_trace_source(trace);
    do {
        status = source.read(source.self, requests, BATCH, &n, err);
        for (size_t i = 0; i < n; i++) {
            s->tokens += requests[i].output_tokens;
            if (requests[i].id != LLMSIM_NO_ID)
                source.release(source.self, requests[i].id);
        }
        s->rows += n;
    } while (status == LLMSIM_OK && n > 0);
    stop(s);
    struct llmsim_trace_status trace_status;
    llmsim_trace_get_status(trace, &trace_status);
    s->bytes = trace_status.bytes_read;
    llmsim_trace_close(trace);
    return status;
}

static enum llmsim_status run_parse(struct bench *b, struct sample *s, struct llmsim_error *err)
{
    return parse(b, false, s, err);
}

static enum llmsim_status run_parse_libcsv(struct bench *b, struct sample *s,
                                           struct llmsim_error *err)
{
    return parse(b, true, s, err);
}

/* Requests from memory through an engine to the sinks. */
static enum llmsim_status replay_array(const struct bench *b, const char *engine,
                                       const struct llmsim_sink *sinks, size_t n_sinks,
                                       struct sample *s, struct llmsim_error *err)
{
    struct llmsim_array_cursor cursor = {.requests = b->requests, .n = b->n_requests};
    struct llmsim_source source = llmsim_source_from_array(&cursor);
    struct llmsim_replay_config config = b->config;
    config.engine = engine;
    s->rows = b->n_requests;
    s->tokens = b->n_output_tokens;
    s->bytes = b->n_requests * sizeof *b->requests;
    start(s);
    enum llmsim_status status = llmsim_replay(&config, &source, sinks, n_sinks, err);
    stop(s);
    return status;
}

static enum llmsim_status run_engine(struct bench *b, struct sample *s, struct llmsim_error *err)
{
    return replay_array(b, "fast", NULL, 0, s, err);
}

static enum llmsim_status run_engine_step(struct bench *b, struct sample *s,
                                          struct llmsim_error *err)
{
    return replay_array(b, "step", NULL, 0, s, err);
}

/* Results with summary.json alone. */
static enum llmsim_status open_results(const struct bench *b, const struct llmsim_trace *trace,
                                       struct llmsim_results **results, struct llmsim_error *err)
{
    struct llmsim_results_options options = {.dir = b->scratch};
    struct llmsim_run_description description = {
        .config = &b->config,
        .model = &b->model,
        .gpu = &b->gpu,
        .trace = trace,
        .trace_name = b->trace_path,
        .rate_scale = b->rate_scale,
        .on_bad_row = "stop",
    };
    return llmsim_results_open(&options, &description, results, err);
}

static enum llmsim_status run_summary(struct bench *b, struct sample *s, struct llmsim_error *err)
{
    struct llmsim_results *results;
    enum llmsim_status status = open_results(b, NULL, &results, err);
    if (status != LLMSIM_OK)
        return status;
    size_t n_sinks;
    const struct llmsim_sink *sinks = llmsim_results_sinks(results, &n_sinks);
    status = replay_array(b, "fast", sinks, n_sinks, s, err);
    llmsim_results_close(results);
    return status;
}

/* What `llmsim replay --no-tokens --no-requests` does, from the file to summary.json. */
static enum llmsim_status run_replay(struct bench *b, struct sample *s, struct llmsim_error *err)
{
    struct llmsim_trace *trace;
    struct llmsim_results *results = NULL;
    start(s);
    enum llmsim_status status = open_trace(b, false, &trace, err);
    if (status != LLMSIM_OK)
        return status;
    status = open_results(b, trace, &results, err);
    if (status == LLMSIM_OK) {
        size_t n_sinks;
        const struct llmsim_sink *sinks = llmsim_results_sinks(results, &n_sinks);
        struct llmsim_source source = llmsim_trace_source(trace);
        status = llmsim_replay(&b->config, &source, sinks, n_sinks, err);
    }
    if (status == LLMSIM_OK)
        status = llmsim_results_commit(results, err);
    stop(s);
    if (status == LLMSIM_OK) {
        struct llmsim_trace_status trace_status;
        const struct llmsim_summary *summary = llmsim_results_summary(results);
        llmsim_trace_get_status(trace, &trace_status);
        s->rows = summary->totals.n_requests;
        s->tokens = summary->totals.output_tokens;
        s->bytes = trace_status.bytes_read;
    }
    llmsim_results_close(results);
    llmsim_trace_close(trace);
    return status;
}

/* The yardstick of the engine: its input, copied once. */
static enum llmsim_status run_memcpy(struct bench *b, struct sample *s, struct llmsim_error *err)
{
    (void)err;
    s->rows = b->n_requests;
    s->bytes = b->n_requests * sizeof *b->requests;
    start(s);
    if (s->bytes > 0)
        memcpy(b->copy, b->requests, s->bytes);
    __asm__ volatile("" : : "r"(b->copy) : "memory");
    stop(s);
    return LLMSIM_OK;
}

struct benchmark {
    const char *name;
    const char *help;
    bool from_memory;
    enum llmsim_status (*run)(struct bench *b, struct sample *s, struct llmsim_error *err);
};

static const struct benchmark benchmarks[] = {
    {"parse", "the trace file, read and forgotten", false, run_parse},
    {"parse-libcsv", "the same without the short path for plain lines", false, run_parse_libcsv},
    {"engine", "the fast engine over requests in memory, no sink", true, run_engine},
    {"engine-step", "the step engine likewise", true, run_engine_step},
    {"summary", "the fast engine over requests in memory, the numbers of summary.json", true,
     run_summary},
    {"replay", "from the trace file to summary.json", false, run_replay},
    {"memcpy", "the requests in memory, copied", true, run_memcpy},
};
enum { N_BENCHMARKS = sizeof benchmarks / sizeof *benchmarks };

/* Is `name` among the words of `list`, which commas separate? NULL lists all. */
static bool is_listed(const char *list, const char *name)
{
    size_t length = strlen(name);
    if (list == NULL)
        return true;
    for (const char *p = list; p != NULL; p = strchr(p, ',')) {
        p += *p == ',';
        if (strncmp(p, name, length) == 0 && (p[length] == '\0' || p[length] == ','))
            return true;
    }
    return false;
}

static enum llmsim_status load(struct bench *b, struct llmsim_error *err)
{
    struct llmsim_trace *trace;
    size_t capacity = 0, n = 0;
    enum llmsim_status status = open_trace(b, false, &trace, err);
    if (status != LLMSIM_OK)
        return status;
    struct llmsim_source source = llmsim_trace_source(trace);
    do {
        if (capacity - b->n_requests < BATCH) {
            capacity = 2 * capacity + BATCH;
            struct llmsim_request *more = realloc(b->requests, capacity * sizeof *more);
            if (more == NULL) {
                status = llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
                break;
            }
            b->requests = more;
        }
        status = source.read(source.self, b->requests + b->n_requests, BATCH, &n, err);
        for (size_t i = b->n_requests; i < b->n_requests + n; i++) {
            b->requests[i].id = LLMSIM_NO_ID;
            b->n_output_tokens += b->requests[i].output_tokens;
        }
        b->n_requests += n;
    } while (status == LLMSIM_OK && n > 0);
    llmsim_trace_close(trace);
    if (status != LLMSIM_OK)
        return status;
    /* Written once here, so that the first copy does not pay for the pages. */
    b->copy = malloc(capacity * sizeof *b->copy);
    if (b->copy == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    memset(b->copy, 1, capacity * sizeof *b->copy);
    return LLMSIM_OK;
}

static enum llmsim_status set_cost(struct bench *b, struct llmsim_error *err)
{
    struct llmsim_catalogue *catalogue;
    enum llmsim_status status = llmsim_catalogue_open(b->data_dir, &catalogue, err);
    if (status != LLMSIM_OK)
        return status;
    double ptps = 0;
    status = llmsim_catalogue_model(catalogue, b->model_name, &b->model, err);
    if (status == LLMSIM_OK)
        status = llmsim_catalogue_gpu(catalogue, b->gpu_name, &b->gpu, err);
    if (status == LLMSIM_OK)
        status = llmsim_catalogue_ptps(catalogue, b->model.name, b->gpu.name, 1, &ptps, err);
    if (status == LLMSIM_OK)
        status = llmsim_cost_init_ptps(&b->config.cost, &b->model, &b->gpu, ptps, err);
    llmsim_catalogue_close(catalogue);
    return status;
}

/* The repeats are the outer loop: a slow moment of the machine then hits all benchmarks alike. */
static enum llmsim_status run_all(struct bench *b, struct llmsim_error *err)
{
    struct sample best[N_BENCHMARKS];
    bool in_memory = false;
    for (size_t i = 0; i < N_BENCHMARKS; i++)
        in_memory |= benchmarks[i].from_memory && is_listed(b->only, benchmarks[i].name);
    enum llmsim_status status = set_cost(b, err);
    if (status == LLMSIM_OK && in_memory)
        status = load(b, err);
    for (unsigned long k = 0; k < b->n_repeats; k++) {
        for (size_t i = 0; i < N_BENCHMARKS && status == LLMSIM_OK; i++) {
            if (!is_listed(b->only, benchmarks[i].name))
                continue;
            struct sample s = {0};
            status = benchmarks[i].run(b, &s, err);
            if (k == 0 || s.seconds < best[i].seconds)
                best[i] = s;
        }
    }
    for (size_t i = 0; i < N_BENCHMARKS && status == LLMSIM_OK; i++)
        if (is_listed(b->only, benchmarks[i].name))
            (void)printf("%s %.9f %.9f %llu %llu %llu\n", benchmarks[i].name, best[i].seconds,
                         best[i].cpu_seconds, (unsigned long long)best[i].rows,
                         (unsigned long long)best[i].tokens, (unsigned long long)best[i].bytes);
    return status;
}

static int usage(void)
{
    (void)fprintf(stderr, "usage: bench TRACE [--only NAME,...] [--rate-scale X] [--repeat K] "
                          "[--scratch DIR]\n"
                          "             [--model M] [--gpu G] [--data DIR]\n"
                          "       bench exec STATS STDOUT COMMAND [ARGUMENT...]\n\n");
    for (size_t i = 0; i < N_BENCHMARKS; i++)
        (void)fprintf(stderr, "  %-13s %s\n", benchmarks[i].name, benchmarks[i].help);
    return LLMSIM_USAGE;
}

static enum llmsim_status set_options(struct bench *b, int argc, char **argv,
                                      struct llmsim_error *err)
{
    static const struct option options[] = {
        {"only", required_argument, NULL, 'o'},   {"rate-scale", required_argument, NULL, 'x'},
        {"repeat", required_argument, NULL, 'r'}, {"scratch", required_argument, NULL, 's'},
        {"model", required_argument, NULL, 'm'},  {"gpu", required_argument, NULL, 'g'},
        {"data", required_argument, NULL, 'd'},   {NULL, 0, NULL, 0},
    };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'o')
            b->only = optarg;
        else if (c == 'r')
            b->n_repeats = strtoul(optarg, NULL, 10);
        else if (c == 's')
            b->scratch = optarg;
        else if (c == 'm')
            b->model_name = optarg;
        else if (c == 'g')
            b->gpu_name = optarg;
        else if (c == 'd')
            b->data_dir = optarg;
        else if (c != 'x')
            return llmsim_fail(err, LLMSIM_USAGE, "see the usage");
        else if (llmsim_ratio_parse(optarg, &b->rate_scale, err) != LLMSIM_OK)
            return LLMSIM_USAGE;
    }
    if (optind + 1 != argc || b->n_repeats < 1 || b->n_repeats > MAX_REPEATS)
        return llmsim_fail(err, LLMSIM_USAGE, "expected one trace and 1 to %d repeats",
                           MAX_REPEATS);
    b->trace_path = argv[optind];
    return LLMSIM_OK;
}

static int run_benchmarks(int argc, char **argv)
{
    struct bench b = {
        .scratch = ".",
        .model_name = "meta-llama/Llama-2-13b-hf",
        .gpu_name = "a6000",
        .n_repeats = 5,
        .rate_scale = {1, 1},
        .config = {.engine = "fast",
                   .policy = "continuous",
                   .max_num_seqs = 256,
                   .max_num_batched_tokens = 8192},
    };
    struct llmsim_error err = {0};
    enum llmsim_status status = set_options(&b, argc, argv, &err);
    if (status == LLMSIM_USAGE)
        (void)usage();
    else
        status = run_all(&b, &err);
    if (status != LLMSIM_OK) {
        char text[LLMSIM_ERROR_FILE_MAX + LLMSIM_ERROR_MESSAGE_MAX + 64];
        llmsim_error_format(&err, text, sizeof text);
        (void)fprintf(stderr, "bench: %s\n", text);
    }
    free(b.requests);
    free(b.copy);
    return (int)status;
}

static int fail_errno(const char *what)
{
    perror(what);
    return LLMSIM_IO;
}

/* The kernel counts a process's memory from its fork on, not from its exec: this one is small. */
static int run_command(char **argv)
{
    const char *stats_path = argv[0], *output = argv[1];
    double seconds = -clock_s(CLOCK_MONOTONIC);
    pid_t pid = fork();
    if (pid < 0)
        return fail_errno("fork");
    if (pid == 0) {
        int fd = STDOUT_FILENO;
        if (strcmp(output, "-") != 0)
            fd = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0666);
        if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0) {
            perror(output);
            _exit(EXIT_NO_COMMAND);
        }
        (void)execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(EXIT_NO_COMMAND);
    }
    int status;
    struct rusage usage;
    if (wait4(pid, &status, 0, &usage) < 0)
        return fail_errno("wait4");
    seconds += clock_s(CLOCK_MONOTONIC);
    FILE *stats = strcmp(stats_path, "-") == 0 ? stdout : fopen(stats_path, "w");
    if (stats == NULL)
        return fail_errno(stats_path);
    (void)fprintf(stats, "%.6f %.6f %.6f %ld\n", seconds,
                  (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6,
                  (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6,
                  usage.ru_maxrss);
    if (fclose(stats) != 0)
        return fail_errno(stats_path);
    return WIFEXITED(status) ? WEXITSTATUS(status) : LLMSIM_RUN_FAILED;
}

int main(int argc, char **argv)
{
    if (argc >= 5 && strcmp(argv[1], "exec") == 0)
        return run_command(argv + 2);
    return run_benchmarks(argc, argv);
}
