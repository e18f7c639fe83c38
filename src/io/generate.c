/* generate.c: arrivals, the day curve, and the source that gives them out. */
#include "llmsim/generate.h"

#include <math.h>
#include <stdlib.h>

#include "class_mix.h"
#include "detmath.h"
#include "lengths.h"
#include "random.h"

#define PI 3.14159265358979323846

struct llmsim_generator {
    struct llmsim_generate_options options;
    struct llmsim_random arrivals, lengths, classes;
    double work_s;    /* the sum of the gaps so far, without the day curve */
    double arrival_s; /* of the last request */
    double wave_at_0; /* the day curve's W(0) must be 0 */
    uint64_t n_given;
};

/* ---- gaps of mean 1 ---- */

static double draw_poisson(struct llmsim_random *random, double cv)
{
    (void)cv;
    return llmsim_random_exponential(random);
}

static double draw_gamma(struct llmsim_random *random, double cv)
{
    double shape = 1 / (cv * cv);
    return llmsim_random_gamma(random, shape) / shape;
}

/* Two kinds of exponential gaps whose contributions to the mean are equal ("balanced means"): a
 * short one with probability p = (1 + sqrt((cv² - 1)/(cv² + 1)))/2, mean 1/(2p), else a long one,
 * mean 1/(2(1 - p)). Whitt, "Approximating a point process by a renewal process", 1982. */
static double draw_hyperexponential(struct llmsim_random *random, double cv)
{
    double p = (1 + sqrt((cv * cv - 1) / (cv * cv + 1))) / 2;
    double share = llmsim_random_uniform(random) < p ? p : 1 - p;
    return llmsim_random_exponential(random) / (2 * share);
}

static double draw_constant(struct llmsim_random *random, double cv)
{
    (void)random;
    (void)cv;
    return 1;
}

static const struct {
    struct llmsim_choice choice;
    double (*draw)(struct llmsim_random *random, double cv);
    double min_cv, max_cv; /* 0, 0: has none to choose */
} arrivals[] = {
    [LLMSIM_ARRIVALS_POISSON] = {{"poisson", "independent arrivals"}, draw_poisson, 0, 0},
    [LLMSIM_ARRIVALS_GAMMA] = {{"gamma", "gamma-distributed gaps of the given --cv (0.01 to 100)"},
                               draw_gamma,
                               0.01,
                               100},
    [LLMSIM_ARRIVALS_HYPEREXPONENTIAL] = {{"hyperexponential",
                                           "bursts and long pauses; --cv is 1 to 100"},
                                          draw_hyperexponential,
                                          1,
                                          100},
    [LLMSIM_ARRIVALS_CONSTANT] = {{"constant", "equal gaps"}, draw_constant, 0, 0},
};
#define N_ARRIVALS (sizeof arrivals / sizeof *arrivals)

const struct llmsim_choice *llmsim_arrivals_choice(size_t i)
{
    return i < N_ARRIVALS ? &arrivals[i].choice : NULL;
}

/* ---- the day curve ---- */

/* With the rate r(t) = rate × (1 + a cos(2π (t - peak)/period)), the integral of r/rate from 0 to t
 * is W(t) = t + a period/2π × (sin(2π (t - peak)/period) + sin(2π peak/period)). If the points w
 * are arrivals at the constant rate, the points t with W(t) = w are arrivals at r(t): exactly so
 * for Poisson arrivals (time rescaling; Brown et al., Neural Computation 14, 2002), and the natural
 * meaning for the others. */
static double work_at(const struct llmsim_generator *g, double t)
{
    const struct llmsim_generate_options *o = &g->options;
    double wave = llmsim_sin_turns((t - o->day_peak_s) / o->day_period_s) + g->wave_at_0;
    return t + o->day_amplitude * o->day_period_s / (2 * PI) * wave;
}

/* W's inverse, by Newton's method inside a shrinking bracket: W rises everywhere, since a < 1. Two
 * or three steps, because the last arrival is a near guess. */
static double time_of_work(const struct llmsim_generator *g)
{
    const struct llmsim_generate_options *o = &g->options;
    double reach = o->day_amplitude * o->day_period_s / PI; /* |W(t) - t| is at most this */
    double low = g->arrival_s, high = g->work_s + reach;
    double t = low;
    for (int i = 0; i < 200; i++) {
        double turns = (t - o->day_peak_s) / o->day_period_s;
        double slope = 1 + o->day_amplitude * llmsim_sin_turns(turns + 0.25);
        double excess = work_at(g, t) - g->work_s;
        double next = t - excess / slope;
        if (fabs(next - t) <= 1e-10 + 4e-16 * t)
            break;
        if (excess > 0)
            high = t;
        else
            low = t;
        t = next > low && next < high ? next : low + (high - low) / 2;
    }
    return t;
}

/* ---- requests ---- */

static double next_arrival(struct llmsim_generator *g)
{
    const struct llmsim_generate_options *o = &g->options;
    if (g->n_given == 0)
        return 0;
    if (o->arrivals == LLMSIM_ARRIVALS_CONSTANT)
        g->work_s = (double)g->n_given / o->rate_per_s; /* no rounding errors to pile up */
    else
        g->work_s += arrivals[o->arrivals].draw(&g->arrivals, o->cv) / o->rate_per_s;
    if (o->day_amplitude > 0)
        return time_of_work(g);
    return g->work_s;
}

static bool is_empirical(const struct llmsim_generate_options *o)
{
    return o->prompt.kind == LLMSIM_LENGTHS_EMPIRICAL || o->output.kind == LLMSIM_LENGTHS_EMPIRICAL;
}

static enum llmsim_status draw_lengths(struct llmsim_generator *g, struct llmsim_request *request,
                                       struct llmsim_error *err)
{
    const struct llmsim_generate_options *o = &g->options;
    struct llmsim_request sample = {0};
    if (is_empirical(o))
        sample = o->sample[llmsim_random_below(&g->lengths, o->n_sample)];
    request->prompt_tokens = o->prompt.kind == LLMSIM_LENGTHS_EMPIRICAL
                                 ? sample.prompt_tokens
                                 : llmsim_lengths_draw(&o->prompt, &g->lengths);
    request->output_tokens = o->output.kind == LLMSIM_LENGTHS_EMPIRICAL
                                 ? sample.output_tokens
                                 : llmsim_lengths_draw(&o->output, &g->lengths);
    if (request->prompt_tokens == LLMSIM_NO_LENGTH || request->output_tokens == LLMSIM_NO_LENGTH)
        return llmsim_fail(err, LLMSIM_USAGE,
                           "%s tokens: a thousand draws in a row fell outside the range; expected "
                           "MIN and MAX around the mean",
                           request->prompt_tokens == LLMSIM_NO_LENGTH ? "prompt" : "output");
    return LLMSIM_OK;
}

static enum llmsim_status read_generator(void *self, struct llmsim_request *requests,
                                         size_t capacity, size_t *n, struct llmsim_error *err)
{
    struct llmsim_generator *g = self;
    for (*n = 0; *n < capacity && g->n_given < g->options.n_requests; ++*n) {
        struct llmsim_request *request = &requests[*n];
        g->arrival_s = next_arrival(g);
        double ns = floor(g->arrival_s * 1e9 + 0.5);
        if (ns > (double)LLMSIM_MAX_ARRIVAL_NS)
            return llmsim_fail(err, LLMSIM_USAGE,
                               "arrivals go on for more than 100 years; expected fewer requests or "
                               "a higher rate");
        *request = (struct llmsim_request){
            .arrival_ns = (int64_t)ns, .row = g->n_given, .deadline_ns = LLMSIM_NO_DEADLINE};
        enum llmsim_status status = draw_lengths(g, request, err);
        if (status != LLMSIM_OK)
            return status;
        if (g->options.classes != NULL)
            request->class_id = llmsim_class_mix_draw(g->options.classes, &g->classes);
        g->n_given++;
    }
    return LLMSIM_OK;
}

static const char *class_name(const void *self, uint16_t class_id)
{
    const struct llmsim_generator *g = self;
    return llmsim_class_mix_name(g->options.classes, class_id);
}

struct llmsim_source llmsim_generator_source(struct llmsim_generator *generator)
{
    struct llmsim_source source = llmsim_source_from_array(NULL); /* for requests without ids */
    source.self = generator;
    source.read = read_generator;
    if (generator->options.classes != NULL)
        source.class_name = class_name;
    return source;
}

/* ---- options ---- */

static enum llmsim_status check_arrivals(const struct llmsim_generate_options *o,
                                         struct llmsim_error *err)
{
    if ((size_t)o->arrivals >= N_ARRIVALS)
        return llmsim_fail(err, LLMSIM_USAGE, "unknown kind of arrivals");
    if (!(o->rate_per_s >= 1e-9 && o->rate_per_s <= 1e9))
        return llmsim_fail(err, LLMSIM_USAGE, "rate: expected 1e-9 to 1e9 requests per second");
    double min = arrivals[o->arrivals].min_cv, max = arrivals[o->arrivals].max_cv;
    if (!(o->cv >= min && o->cv <= max)) {
        const char *name = arrivals[o->arrivals].choice.name;
        if (max > 0)
            return llmsim_fail(err, LLMSIM_USAGE, "%s arrivals: expected a cv from %g to %g", name,
                               min, max);
        return llmsim_fail(err, LLMSIM_USAGE, "%s arrivals: expected no cv", name);
    }
    if (!(o->day_amplitude >= 0 && o->day_amplitude <= 0.99))
        return llmsim_fail(err, LLMSIM_USAGE, "day amplitude: expected 0 to 0.99");
    if (o->day_amplitude > 0 &&
        !(o->day_period_s >= 1e-3 && o->day_period_s <= 1e9 && fabs(o->day_peak_s) <= 1e9))
        return llmsim_fail(
            err, LLMSIM_USAGE,
            "day curve: expected a period of 0.001 to 1e9 s, and a peak below 1e9 s");
    return LLMSIM_OK;
}

static enum llmsim_status check_options(const struct llmsim_generate_options *o,
                                        struct llmsim_error *err)
{
    enum llmsim_status status = check_arrivals(o, err);
    if (status == LLMSIM_OK)
        status = llmsim_lengths_check(&o->prompt, "prompt tokens", err);
    if (status == LLMSIM_OK)
        status = llmsim_lengths_check(&o->output, "output tokens", err);
    if (status == LLMSIM_OK && is_empirical(o) && (o->n_sample == 0 || o->sample == NULL))
        return llmsim_fail(err, LLMSIM_USAGE,
                           "empirical lengths: expected a trace with at least one request");
    return status;
}

enum llmsim_status llmsim_generator_create(const struct llmsim_generate_options *options,
                                           struct llmsim_generator **generator,
                                           struct llmsim_error *err)
{
    *generator = NULL;
    enum llmsim_status status = check_options(options, err);
    if (status != LLMSIM_OK)
        return status;
    struct llmsim_generator *g = calloc(1, sizeof *g);
    if (g == NULL || !llmsim_random_init(&g->arrivals, options->seed, 0) ||
        !llmsim_random_init(&g->lengths, options->seed, 1) ||
        !llmsim_random_init(&g->classes, options->seed, 2)) {
        llmsim_generator_destroy(g);
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    }
    g->options = *options;
    if (options->day_amplitude > 0)
        g->wave_at_0 = llmsim_sin_turns(options->day_peak_s / options->day_period_s);
    *generator = g;
    return LLMSIM_OK;
}

void llmsim_generator_destroy(struct llmsim_generator *generator)
{
    if (generator == NULL)
        return;
    llmsim_random_fini(&generator->arrivals);
    llmsim_random_fini(&generator->lengths);
    llmsim_random_fini(&generator->classes);
    free(generator);
}
