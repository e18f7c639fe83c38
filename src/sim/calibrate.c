/* calibrate.c: the tuning of a cost model for which a measured run comes out as measured. */
#include <gsl/gsl_multimin.h>
#include <math.h>
#include <stdlib.h>

#include "gsl_errors.h"
#include "llmsim/validate.h"

#define MAX_REPLAYS 3000u
#define N_ROUNDS 8u
/* In steps of the search: a simplex this small cannot change the tables. */
#define SMALL_SIMPLEX 1e-3

static const struct tunable {
    struct llmsim_choice choice;
    const char *unit;
    double initial, step, least, greatest;
} tunables[] = {
#define X(name, text, help, unit, initial, step, least, greatest)                                  \
    {{text, help}, unit, initial, step, least, greatest},
    LLMSIM_TUNABLE_LIST(X)
#undef X
};

const struct llmsim_choice *llmsim_tunable_choice(size_t i)
{
    return i < LLMSIM_N_TUNABLES ? &tunables[i].choice : NULL;
}

const char *llmsim_tunable_unit(enum llmsim_tunable tunable)
{
    return tunables[tunable].unit;
}

struct llmsim_tuning llmsim_tuning_none(void)
{
    struct llmsim_tuning tuning;
    for (size_t i = 0; i < LLMSIM_N_TUNABLES; i++)
        tuning.values[i] = tunables[i].initial;
    return tuning;
}

static void add_overhead(struct llmsim_latencies *l, int64_t overhead_ns)
{
    if (l->ttft_ns >= 0)
        l->ttft_ns += overhead_ns;
    if (l->e2e_ns >= 0)
        l->e2e_ns += overhead_ns;
}

enum llmsim_status llmsim_validate_tuned(const struct llmsim_replay_config *config,
                                         const struct llmsim_measured_run *run,
                                         const struct llmsim_tuning *tuning,
                                         struct llmsim_latencies *simulated,
                                         struct llmsim_error *err)
{
    const struct llmsim_cost_change change = {
        .prefill_speed = tuning->values[LLMSIM_TUNABLE_PTPS],
        .bandwidth = tuning->values[LLMSIM_TUNABLE_BW],
        .extra_s_per_step = tuning->values[LLMSIM_TUNABLE_STEP],
    };
    struct llmsim_replay_config tuned = *config;
    enum llmsim_status status = llmsim_cost_apply(&tuned.cost, &change, err);
    if (status == LLMSIM_OK)
        status = llmsim_validate_replay(&tuned, run, simulated, err);
    int64_t overhead_ns = (int64_t)(tuning->values[LLMSIM_TUNABLE_OVERHEAD] * 1e9 + 0.5);
    for (size_t i = 0; i < run->n && status == LLMSIM_OK; i++)
        add_overhead(&simulated[i], overhead_ns);
    return status;
}

/* ---- the search ---- */

struct search {
    const struct llmsim_replay_config *config;
    const struct llmsim_measured_run *run;
    struct llmsim_span span;
    size_t tuned[LLMSIM_N_TUNABLES]; /* the tunables that the coordinates are */
    size_t n_tuned;
    struct llmsim_latencies *simulated;
    unsigned n_replays;
    enum llmsim_status status; /* of the first replay that failed */
    struct llmsim_error *err;
};

/* A metric's part of the loss: the root of the mean square error, over what was measured in the
 * mean. false: nothing was. */
static bool metric_loss(const struct search *s, enum llmsim_metric metric, double *loss)
{
    double squares = 0, sum_ns = 0, n = 0;
    for (size_t i = s->span.first; i < s->span.last; i++) {
        int64_t m = llmsim_latency_ns(&s->run->latencies[i], metric);
        int64_t x = llmsim_latency_ns(&s->simulated[i], metric);
        if (m < 0 || x < 0)
            continue;
        squares += (double)(x - m) * (double)(x - m);
        sum_ns += (double)m;
        n++;
    }
    *loss = sum_ns > 0 ? sqrt(squares * n) / sum_ns : 0;
    return sum_ns > 0;
}

static double total_loss(const struct search *s)
{
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < LLMSIM_N_METRICS; i++) {
        double loss;
        n += metric_loss(s, (enum llmsim_metric)i, &loss);
        sum += loss;
    }
    return n > 0 ? sum / (double)n : GSL_NAN;
}

/* `x` where it is inside, else folded back at the border that it passed: a search that is stopped
 * at a border flattens there, and stays. */
static double fold(double x, double least, double greatest)
{
    x = least + fabs(x - least);
    return fmax(least, x <= greatest ? x : 2 * greatest - x);
}

/* A point of the search, in steps from the values that change nothing. */
static struct llmsim_tuning tuning_at(const struct search *s, const gsl_vector *x)
{
    struct llmsim_tuning tuning = llmsim_tuning_none();
    for (size_t i = 0; i < s->n_tuned; i++) {
        const struct tunable *t = &tunables[s->tuned[i]];
        tuning.values[s->tuned[i]] =
            fold(t->initial + gsl_vector_get(x, i) * t->step, t->least, t->greatest);
    }
    return tuning;
}

/* What the simplex goes down on. */
static double loss_at(const gsl_vector *x, void *self)
{
    struct search *s = self;
    const struct llmsim_tuning tuning = tuning_at(s, x);
    if (s->status != LLMSIM_OK)
        return 0;
    s->n_replays++;
    s->status = llmsim_validate_tuned(s->config, s->run, &tuning, s->simulated, s->err);
    return s->status == LLMSIM_OK ? total_loss(s) : 0;
}

/* The loss is rough, because a token more or less in a step moves all that follow, and a simplex
 * gets stuck in what is no valley. So each round starts anew where the last one ended, with a
 * simplex of another size that looks the other way. */
static void set_steps(unsigned round, gsl_vector *steps)
{
    static const double sizes[] = {2, 1, 8, 4};
    double size = sizes[round % (sizeof sizes / sizeof *sizes)];
    for (size_t i = 0; i < steps->size; i++)
        gsl_vector_set(steps, i, (round >> i % 3 & 1) != 0 ? -size : size);
}

/* Nelder and Mead from x, which moves to where it ended. */
static void descend(struct search *s, gsl_multimin_fminimizer *minimizer, gsl_vector *x,
                    const gsl_vector *steps, struct llmsim_calibration *calibration)
{
    gsl_multimin_function function = {.f = loss_at, .n = s->n_tuned, .params = s};
    calibration->converged = false;
    if (gsl_multimin_fminimizer_set(minimizer, &function, x, steps) != GSL_SUCCESS)
        return; /* a loss that is no number */
    while (s->status == LLMSIM_OK && s->n_replays < MAX_REPLAYS && !calibration->converged) {
        if (gsl_multimin_fminimizer_iterate(minimizer) != GSL_SUCCESS)
            break;
        calibration->converged = gsl_multimin_fminimizer_size(minimizer) < SMALL_SIMPLEX;
    }
    gsl_vector_memcpy(x, gsl_multimin_fminimizer_x(minimizer));
    calibration->loss = gsl_multimin_fminimizer_minimum(minimizer);
}

static enum llmsim_status search_tuning(struct search *s, struct llmsim_calibration *calibration)
{
    llmsim_gsl_return_errors();
    gsl_vector *x = gsl_vector_calloc(s->n_tuned), *steps = gsl_vector_alloc(s->n_tuned);
    gsl_multimin_fminimizer *minimizer =
        gsl_multimin_fminimizer_alloc(gsl_multimin_fminimizer_nmsimplex2, s->n_tuned);
    if (x == NULL || steps == NULL || minimizer == NULL) {
        s->status = llmsim_fail(s->err, LLMSIM_RUN_FAILED, "out of memory");
        goto out;
    }
    calibration->loss_before = calibration->loss = loss_at(x, s);
    if (s->status == LLMSIM_OK && isnan(calibration->loss_before))
        s->status = llmsim_fail(s->err, LLMSIM_USAGE, "nothing was measured to calibrate on");
    for (unsigned round = 0; round < N_ROUNDS && s->status == LLMSIM_OK; round++) {
        set_steps(round, steps);
        descend(s, minimizer, x, steps, calibration);
    }
    calibration->tuning = tuning_at(s, x);
    calibration->n_replays = s->n_replays;
out:
    if (minimizer != NULL)
        gsl_multimin_fminimizer_free(minimizer);
    gsl_vector_free(steps);
    gsl_vector_free(x);
    return s->status;
}

enum llmsim_status llmsim_calibrate(const struct llmsim_replay_config *config,
                                    const struct llmsim_measured_run *run, struct llmsim_span span,
                                    unsigned tunables_set, struct llmsim_calibration *calibration,
                                    struct llmsim_error *err)
{
    struct search s = {.config = config, .run = run, .span = span, .err = err};
    *calibration = (struct llmsim_calibration){.tuning = llmsim_tuning_none()};
    for (size_t i = 0; i < LLMSIM_N_TUNABLES; i++)
        if ((tunables_set >> i & 1) != 0)
            s.tuned[s.n_tuned++] = i;
    if (s.n_tuned == 0)
        return llmsim_fail(err, LLMSIM_USAGE, "nothing to tune was named");
    s.simulated = calloc(run->n, sizeof *s.simulated);
    if (s.simulated == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    enum llmsim_status status = search_tuning(&s, calibration);
    free(s.simulated);
    return status;
}
