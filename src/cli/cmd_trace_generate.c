/* cmd_trace_generate.c: a synthetic trace. */
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "interrupt.h"
#include "keep_inputs.h"

struct values {
    const char *prompt, *output_tokens, *lengths_from, *classes;
    struct cli_trace_output_options out;
    struct cli_choice arrivals;
    uint64_t requests, seed;
    double rate, cv, day_amplitude, day_period, day_peak;
};

/* Without the calls that failed. Returns how many are left. */
static size_t drop_failed(struct llmsim_request *requests, size_t n)
{
    size_t n_kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!requests[i].is_failed)
            requests[n_kept++] = requests[i];
    return n_kept;
}

/* All requests of a trace, for lengths drawn from it. */
static enum llmsim_status read_sample(const char *path, struct llmsim_request **sample, uint64_t *n,
                                      struct llmsim_error *err)
{
    struct llmsim_trace *trace;
    struct llmsim_trace_options options = {.only_lengths = true};
    size_t capacity = 0, n_read = 0;
    *sample = NULL;
    *n = 0;
    enum llmsim_status status = llmsim_trace_open(path, &options, &trace, err);
    if (status != LLMSIM_OK)
        return status;
    struct llmsim_source source = llmsim_trace_source(trace);
    do {
        if (capacity - *n < 1024) {
            capacity = capacity < 1024 ? 4096 : 2 * capacity;
            struct llmsim_request *more = realloc(*sample, capacity * sizeof *more);
            if (more == NULL) {
                status = llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
                break;
            }
            *sample = more;
        }
        status = source.read(source.self, *sample + *n, capacity - *n, &n_read, err);
        if (status == LLMSIM_OK)
            *n += drop_failed(*sample + *n, n_read);
    } while (status == LLMSIM_OK && n_read > 0);
    if (status == LLMSIM_OK && *n == 0)
        status = llmsim_fail_at(err, LLMSIM_TRACE, path, 0, 0,
                                "has no request; expected one or more to draw lengths from");
    llmsim_trace_close(trace);
    return status;
}

static enum llmsim_status set_lengths(const char *option, const char *text,
                                      const char *lengths_from, struct llmsim_length_spec *spec,
                                      struct llmsim_error *err)
{
    struct llmsim_error inner;
    if (text == NULL) {
        spec->kind = LLMSIM_LENGTHS_EMPIRICAL;
        if (lengths_from == NULL)
            return llmsim_fail(err, LLMSIM_USAGE,
                               "--%s is missing; expected it, or --lengths-from TRACE", option);
    } else if (llmsim_length_spec_parse(text, spec, &inner) != LLMSIM_OK) {
        return llmsim_fail(err, LLMSIM_USAGE, "--%s %s", option, inner.message);
    }
    return LLMSIM_OK;
}

static enum llmsim_status set_options(const struct values *v, struct llmsim_generate_options *o,
                                      struct llmsim_error *err)
{
    *o = (struct llmsim_generate_options){
        .n_requests = v->requests,
        .arrivals = (enum llmsim_arrivals)v->arrivals.row,
        .seed = v->seed,
        .rate_per_s = v->rate,
        .cv = v->cv,
        .day_amplitude = v->day_amplitude,
        .day_period_s = v->day_period,
        .day_peak_s = v->day_peak,
    };
    enum llmsim_status status =
        set_lengths("prompt-tokens", v->prompt, v->lengths_from, &o->prompt, err);
    if (status == LLMSIM_OK)
        status = set_lengths("output-tokens", v->output_tokens, v->lengths_from, &o->output, err);
    if (status == LLMSIM_OK && v->lengths_from != NULL && v->prompt != NULL &&
        v->output_tokens != NULL)
        return llmsim_fail(err, LLMSIM_USAGE,
                           "--lengths-from has no use beside --prompt-tokens and --output-tokens");
    return status;
}

static enum llmsim_status parse_classes(const char *text, struct llmsim_class_mix **classes,
                                        struct llmsim_error *err)
{
    struct llmsim_error inner;
    enum llmsim_status status = llmsim_class_mix_parse(text, classes, &inner);
    return status == LLMSIM_OK ? LLMSIM_OK
                               : llmsim_fail(err, status, "--classes %s", inner.message);
}

/* Say what the new file does not have, as convert does. */
static void note_losses(const struct values *v, const struct llmsim_trace_writer *writer)
{
    struct llmsim_trace_writer_status status;
    llmsim_trace_writer_get_status(writer, &status);
    if (v->classes != NULL && !status.has_classes)
        (void)fprintf(stderr, "llmsim: not written: classes\n");
}

static enum llmsim_status write_all(struct llmsim_generator *generator,
                                    struct llmsim_trace_writer *writer, struct llmsim_error *err)
{
    struct llmsim_request requests[1024];
    struct llmsim_source source = llmsim_generator_source(generator);
    size_t n;
    do {
        enum llmsim_status status = source.read(source.self, requests, 1024, &n, err);
        if (status == LLMSIM_OK)
            status = llmsim_trace_writer_add(writer, &source, requests, n, err);
        if (status == LLMSIM_OK && interrupt_seen() != 0)
            status = llmsim_fail(err, LLMSIM_INTERRUPTED, "interrupted; no trace was written");
        if (status != LLMSIM_OK)
            return status;
    } while (n > 0);
    return llmsim_trace_writer_commit(writer, err);
}

static enum llmsim_status run(const void *values, const char *const *operands, size_t n_operands,
                              struct llmsim_error *err)
{
    const struct values *v = values;
    struct llmsim_generate_options generate_options;
    struct llmsim_trace_writer_options writer_options = {
        .format = v->out.to.name,
        .zstd = v->out.compress.row == CLI_COMPRESS_ZST,
        .with_classes = v->classes != NULL,
    };
    struct llmsim_class_mix *classes = NULL;
    struct llmsim_request *sample = NULL;
    struct llmsim_generator *generator = NULL;
    struct llmsim_trace_writer *writer = NULL;
    (void)operands;
    (void)n_operands;
    const struct cli_output output = {"the new one", v->out.path};
    enum llmsim_status status = set_options(v, &generate_options, err);
    if (status == LLMSIM_OK)
        status = cli_keep_input(&output, 1, "the trace of --lengths-from", v->lengths_from, err);
    if (status == LLMSIM_OK && v->lengths_from != NULL)
        status = read_sample(v->lengths_from, &sample, &generate_options.n_sample, err);
    if (status == LLMSIM_OK && v->classes != NULL)
        status = parse_classes(v->classes, &classes, err);
    generate_options.sample = sample;
    generate_options.classes = classes;
    if (status == LLMSIM_OK)
        status = llmsim_generator_create(&generate_options, &generator, err);
    interrupt_catch();
    if (status == LLMSIM_OK)
        status = llmsim_trace_writer_open(v->out.path, &writer_options, &writer, err);
    if (status == LLMSIM_OK)
        status = write_all(generator, writer, err);
    if (status == LLMSIM_OK)
        note_losses(v, writer);
    llmsim_trace_writer_close(writer);
    interrupt_release();
    llmsim_generator_destroy(generator);
    llmsim_class_mix_destroy(classes);
    free(sample);
    return status;
}

static const struct cli_option options[] = {
    {.name = "requests",
     .argument = "N",
     .help = "how many",
     .kind = CLI_U64,
     .required = true,
     .max = UINT64_C(1000000000000),
     .offset = offsetof(struct values, requests)},
    {.name = "rate",
     .argument = "R",
     .help = "requests per second, on average",
     .kind = CLI_DOUBLE,
     .required = true,
     .offset = offsetof(struct values, rate)},
    {.name = "arrivals",
     .argument = "KIND",
     .help = "how they come; the first comes at 0",
     .kind = CLI_CHOICE,
     .choice = llmsim_arrivals_choice,
     .initial = "poisson",
     .offset = offsetof(struct values, arrivals)},
    {.name = "cv",
     .argument = "X",
     .help = "standard deviation of the gaps over their mean",
     .kind = CLI_DOUBLE,
     .offset = offsetof(struct values, cv)},
    {.name = "day-amplitude",
     .argument = "A",
     .help = "the rate swings by this share of it, up to 0.99",
     .kind = CLI_DOUBLE,
     .offset = offsetof(struct values, day_amplitude)},
    {.name = "day-period",
     .argument = "S",
     .help = "seconds from one peak of the rate to the next",
     .kind = CLI_DOUBLE,
     .initial = "86400",
     .goes_with = "day-amplitude",
     .offset = offsetof(struct values, day_period)},
    {.name = "day-peak",
     .argument = "S",
     .help = "time of a peak",
     .kind = CLI_DOUBLE,
     .initial = "50400",
     .allows_zero = true,
     .goes_with = "day-amplitude",
     .offset = offsetof(struct values, day_peak)},
    {.name = "prompt-tokens",
     .argument = "SPEC",
     .help = "fixed:N, lognormal:MEAN,SIGMA[,MIN,MAX], or quantiles:0=N,P=N,...,1=N",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, prompt)},
    {.name = "output-tokens",
     .argument = "SPEC",
     .help = "likewise",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, output_tokens)},
    {.name = "lengths-from",
     .argument = "TRACE",
     .help = "draw (prompt, output) pairs of this trace, where no SPEC is given",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, lengths_from)},
    {.name = "classes",
     .argument = "NAME=SHARE,...",
     .help = "each request is of a class, with these shares",
     .kind = CLI_STRING,
     .offset = offsetof(struct values, classes)},
    {.name = "seed",
     .argument = "N",
     .help = "the same seed gives the same bytes",
     .kind = CLI_U64,
     .initial = "0",
     .max = UINT64_MAX,
     .offset = offsetof(struct values, seed)},
    CLI_TRACE_OUTPUT_OPTIONS(struct values, out),
    CLI_OPTION_END,
};

const struct cli_command cli_trace_generate = {
    .name = "trace generate",
    .help = "make a trace: arrivals and lengths from distributions",
    .operands = "",
    .example = "llmsim trace generate --requests 10000 --rate 5 --prompt-tokens fixed:1000 \\\n"
               "      --output-tokens lognormal:200,1,1,2000 --seed 1 --output made.csv",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
