/* fit_step.c: the coefficients of formula 9 (docs/model.md) from measured steps.
 *
 * With ridge_tokens, spill_tokens and the shares of attention_s in walk_s and mixed_context_s
 * given, the formula is linear in the other coefficients, so the search is over four numbers and
 * each trial of them is a regression. A trial minimises the sum of absolute relative errors
 * (squared ones below DELTA): a slow outlier pulls no more than any other measurement, 32,000-token
 * prompts weigh no more than short ones, and each phase counts the same however many rows it has.
 * It does so by reweighting: least squares with weights 1 / |error|, again and again. */
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cost_models.h"
#include "detmath.h"
#include "fit_parts.h"
#include "linear_fit.h"
#include "random.h"

/* Relative errors below this count by their square: measurements repeat no better. */
#define DELTA 0.002
/* What a step takes in any case is the last thing to blame: where a step's constant and a read of
 * the weights explain the measurements about as well, the read is it, which more GPUs share. To the
 * search, a constant that is all of a step is as bad as this share more of error. */
#define STEP_PENALTY 0.05
/* Reweightings of a trial, and of the last fit. */
#define TRIAL_ROUNDS 6
#define LAST_ROUNDS 30
/* A column is left out where those before it say all but this share of it. */
#define SPANNED_SHARE 1e-3
/* A term that is never more than this share of a measurement is none. */
#define NO_SHARE 1e-6
/* From here on no digit of a coefficient can be trusted. */
#define MAX_CONDITION 1e8
#define N_FOLDS 5u

/* What the formula is linear in: coefficients of struct llmsim_fitted. The later ones are the first
 * to go where a profile has too few measurements for all. */
#define RISE_TERM(n) X(rise_##n##_s)
#define TERM_LIST(X)                                                                               \
    X(step_s)                                                                                      \
    X(token_s)                                                                                     \
    X(context_s) /* these three are always there */                                                \
    X(seq_s)                                                                                       \
    X(weights_s)                                                                                   \
    X(attention_s)                                                                                 \
    X(mixed_seq_s)                                                                                 \
    X(spill_s)                                                                                     \
    X(split_s)                                                                                     \
    LLMSIM_FITTED_RISE_LIST(RISE_TERM)

enum term {
#define X(name) TERM_##name,
    TERM_LIST(X)
#undef X
        N_TERMS
};
#define N_REQUIRED_TERMS 3u
#define MEMBER(name) (offsetof(struct llmsim_fitted, name) / sizeof(double))
static const size_t members_of_terms[N_TERMS] = {
#define X(name) MEMBER(name),
    TERM_LIST(X)
#undef X
};
/* Of the terms from TERM_rise_2_s on. */
static const unsigned rise_tokens[] = {
#define X(n) n,
    LLMSIM_FITTED_RISE_LIST(X)
#undef X
};

/* What the formula is not linear in. */
enum bend { BEND_RIDGE, BEND_WALK, BEND_MIXED, BEND_SPILL, N_BENDS };
struct bends {
    double ridge_tokens;
    double walk;  /* walk_s / attention_s; 0: no sequence is walked over */
    double mixed; /* mixed_context_s / attention_s; 0: it is context_s */
    double spill_tokens;
};

struct trial {
    struct bends bends;
    double x[N_TERMS];
    double loss;
};

/* What the measurements can tell. */
struct choice {
    const char *left_out[N_TERMS];       /* why not; NULL: it is used */
    const char *bends_left_out[N_BENDS]; /* likewise */
    enum term leaders[N_TERMS]; /* the term that has the same coefficient, or the term itself */
};

/* Rows to fit, with the room that it takes. */
struct problem {
    const struct llmsim_fit_row **rows;
    size_t n;
    double *base_weights; /* each phase adds up to 1 */
    double *weights;
    double *a; /* n × N_TERMS */
    double *ones;
    double *room;
    struct choice choice;
    double most_tokens; /* of any step */
};

static bool uses(const struct problem *p, size_t term)
{
    return p->choice.left_out[term] == NULL;
}

static bool fits(const struct problem *p, enum bend bend)
{
    return p->choice.bends_left_out[bend] == NULL;
}

_Static_assert(N_TERMS <= LLMSIM_LINEAR_MAX_TERMS &&
                   LLMSIM_FIT_N_COEFFICIENTS <= LLMSIM_LINEAR_MAX_TERMS,
               "linear_fit.h has room for all");

/* ---- the columns ---- */

static void add_tokens(const struct problem *p, const struct bends *bends, double tokens,
                       double times, double *f)
{
    double y = bends->spill_tokens / tokens;
    f[TERM_step_s] += times;
    f[TERM_token_s] += times * tokens;
    f[TERM_weights_s] += times * llmsim_smooth_max(1, tokens / bends->ridge_tokens);
    f[TERM_spill_s] += times * tokens / (1 + y * y * y);
    for (size_t j = TERM_rise_2_s; j < N_TERMS; j++)
        f[p->choice.leaders[j]] += times * llmsim_rise(tokens, rise_tokens[j - TERM_rise_2_s]);
}

/* What each coefficient is multiplied with in a measurement. */
static void set_columns(const struct problem *p, const struct bends *bends,
                        const struct llmsim_fit_row *row, double f[static N_TERMS])
{
    const struct llmsim_step_shape *s = &row->shape;
    double context = (double)s->context_tokens;
    bool is_one_kernel = s->prefill_seqs > 0 && bends->mixed > 0;
    memset(f, 0, N_TERMS * sizeof *f);
    add_tokens(p, bends, (double)s->prefill_tokens + s->decode_seqs, 1, f);
    f[TERM_seq_s] = (double)s->prefill_seqs + s->decode_seqs;
    f[TERM_context_s] = is_one_kernel ? 0 : context;
    if (s->prefill_seqs > 0) {
        double work = (double)s->prefill_sum_sq + bends->mixed * context;
        f[TERM_attention_s] = llmsim_smooth_max(work, bends->walk * (double)s->longest_context);
        f[TERM_mixed_seq_s] = s->decode_seqs;
        f[TERM_split_s] = llmsim_split_tokens(s);
    }
    if (row->n_decode_steps > 0) {
        add_tokens(p, bends, row->decode_seqs, (double)row->n_decode_steps, f);
        f[TERM_seq_s] += (double)row->n_decode_steps * row->decode_seqs;
        f[TERM_context_s] += (double)row->context_tokens;
    }
}

/* ---- one trial ---- */

/* Relative columns: what a row's share of the right side, 1, is made of. */
static void fill_matrix(struct problem *p, const struct bends *bends)
{
    for (size_t i = 0; i < p->n; i++) {
        double *f = p->a + i * N_TERMS;
        set_columns(p, bends, p->rows[i], f);
        for (size_t j = 0; j < N_TERMS; j++)
            f[j] = uses(p, j) ? f[j] / p->rows[i]->latency_s : 0;
    }
}

static double residual(const struct problem *p, size_t i, const double *x)
{
    double sum = -1;
    for (size_t j = 0; j < N_TERMS; j++)
        sum += p->a[i * N_TERMS + j] * x[j];
    return sum;
}

static void solve_weighted(const struct problem *p, const double scale[static N_TERMS],
                           double penalty, double *x)
{
    double gram[N_TERMS * N_TERMS] = {0}, at_b[N_TERMS] = {0};
    for (size_t i = 0; i < p->n; i++) {
        double f[N_TERMS];
        for (size_t j = 0; j < N_TERMS; j++)
            f[j] = p->a[i * N_TERMS + j] * scale[j];
        for (size_t j = 0; j < N_TERMS; j++) {
            at_b[j] += p->weights[i] * f[j];
            for (size_t k = 0; k <= j; k++)
                gram[j * N_TERMS + k] += p->weights[i] * f[j] * f[k];
        }
    }
    for (size_t j = 0; j < N_TERMS; j++)
        for (size_t k = 0; k < j; k++)
            gram[k * N_TERMS + j] = gram[j * N_TERMS + k];
    at_b[TERM_step_s] -= penalty;
    llmsim_nnls(gram, at_b, N_TERMS, x);
    for (size_t j = 0; j < N_TERMS; j++)
        x[j] *= scale[j];
}

static void run_trial(struct problem *p, const struct bends *bends, unsigned rounds, double penalty,
                      struct trial *trial)
{
    double scale[N_TERMS];
    fill_matrix(p, bends);
    trial->bends = *bends;
    for (size_t j = 0; j < N_TERMS; j++) {
        double sum = 0;
        for (size_t i = 0; i < p->n; i++)
            sum += p->base_weights[i] * p->a[i * N_TERMS + j] * p->a[i * N_TERMS + j];
        scale[j] = sum > 0 ? 1 / sqrt(sum) : 0;
    }
    memcpy(p->weights, p->base_weights, p->n * sizeof *p->weights);
    for (unsigned round = 0; round < rounds; round++) {
        solve_weighted(p, scale, penalty, trial->x);
        trial->loss = penalty * trial->x[TERM_step_s] / scale[TERM_step_s];
        for (size_t i = 0; i < p->n; i++) {
            double size = fabs(residual(p, i, trial->x));
            p->weights[i] = p->base_weights[i] / (size > DELTA ? size : DELTA);
            trial->loss +=
                p->base_weights[i] * (size > DELTA ? size - DELTA / 2 : size * size / (2 * DELTA));
        }
    }
}

/* ---- the search ---- */

static struct bends first_bends(const struct problem *p, double spill_tokens)
{
    return (struct bends){200, fits(p, BEND_WALK) ? 400 : 0, fits(p, BEND_MIXED) ? 100 : 0,
                          spill_tokens};
}

static double *bend_of(struct bends *bends, enum bend which)
{
    double *const members[] = {&bends->ridge_tokens, &bends->walk, &bends->mixed,
                               &bends->spill_tokens};
    return members[which];
}

/* Try `n` values from `low` to `high`, in equal ratios. */
static void search_bend(struct problem *p, enum bend which, double low, double high, unsigned n,
                        double penalty, struct trial *best)
{
    struct bends bends = best->bends;
    for (unsigned i = 0; i < n; i++) {
        struct trial trial;
        *bend_of(&bends, which) = low * llmsim_exp(llmsim_log(high / low) * i / (n - 1));
        run_trial(p, &bends, TRIAL_ROUNDS, penalty, &trial);
        if (trial.loss < best->loss * (1 - 1e-6))
            *best = trial;
    }
}

static void search(struct problem *p, struct trial *best)
{
    const double low[N_BENDS] = {1, 1, 1, 256};
    const double high[N_BENDS] = {1e4, 4096, 1e5, p->most_tokens > 512 ? p->most_tokens : 512};
    const double ratio[] = {0, 0, 2, 1.15, 1.02}; /* 0: the whole range */
    const struct bends start = first_bends(p, sqrt(low[BEND_SPILL] * high[BEND_SPILL]));
    best->bends = start;
    for (size_t round = 0; round < sizeof ratio / sizeof *ratio; round++) {
        /* A share of the error as it is without it. */
        struct bends at_best = best->bends;
        run_trial(p, &at_best, TRIAL_ROUNDS, 0, best);
        double penalty = STEP_PENALTY * best->loss;
        run_trial(p, &at_best, TRIAL_ROUNDS, penalty, best);
        for (int which = 0; which < N_BENDS; which++) {
            double at = *bend_of(&best->bends, (enum bend)which);
            if (!fits(p, (enum bend)which))
                continue;
            if (ratio[round] > 0)
                search_bend(p, (enum bend)which, at / ratio[round], at * ratio[round], 9, penalty,
                            best);
            else
                search_bend(p, (enum bend)which, low[which], high[which], 14, penalty, best);
        }
    }
    struct bends bends = best->bends;
    run_trial(p, &bends, LAST_ROUNDS, 0, best);
}

/* ---- what the measurements can tell ---- */

/* How many different values of a number there are, up to 64. */
static size_t count_different(const struct problem *p,
                              bool (*value)(const struct llmsim_fit_row *row, double *value))
{
    double seen[64];
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        double v;
        size_t j = 0;
        if (!value(p->rows[i], &v))
            continue;
        while (j < n && seen[j] != v)
            j++;
        if (j == n && n < 64)
            seen[n++] = v;
    }
    return n;
}

static bool prompt_tokens(const struct llmsim_fit_row *row, double *value)
{
    *value = (double)row->shape.prefill_tokens;
    return row->shape.prefill_tokens > 0;
}

static bool step_prompt_tokens(const struct llmsim_fit_row *row, double *value)
{
    return row->phase != LLMSIM_FIT_BATCH && prompt_tokens(row, value);
}

static bool step_prompts(const struct llmsim_fit_row *row, double *value)
{
    *value = row->shape.prefill_seqs;
    return row->phase != LLMSIM_FIT_BATCH && row->shape.prefill_seqs > 0;
}

static bool decode_batch(const struct llmsim_fit_row *row, double *value)
{
    *value = row->phase == LLMSIM_FIT_BATCH ? row->decode_seqs : row->shape.decode_seqs;
    return *value > 0 && (row->phase != LLMSIM_FIT_BATCH || row->n_decode_steps > 0);
}

static bool single_step_batch(const struct llmsim_fit_row *row, double *value)
{
    return row->phase == LLMSIM_FIT_DECODE && decode_batch(row, value);
}

static bool longest_context(const struct llmsim_fit_row *row, double *value)
{
    *value = (double)row->shape.longest_context;
    return *value > 0;
}

static bool mixed_context(const struct llmsim_fit_row *row, double *value)
{
    *value = (double)row->shape.context_tokens;
    return row->phase == LLMSIM_FIT_MIXED;
}

/* Some number that is as good as certainly different for different shapes. */
static bool any_shape(const struct llmsim_fit_row *row, double *value)
{
    const struct llmsim_step_shape *s = &row->shape;
    *value = (double)s->prefill_tokens + 1.1 * s->prefill_seqs + 1e3 * s->decode_seqs +
             1e-3 * (double)s->context_tokens + 1e-6 * (double)s->prefill_sum_sq +
             1e6 * (double)row->n_decode_steps + 1e7 * (int)row->phase;
    return true;
}

/* The share of a column that those before it, which are in use, do not say. */
static double share_left(const struct problem *p, size_t column)
{
    double whole = 0, left = 0;
    for (size_t i = 0; i < p->n; i++)
        p->room[i] = p->a[i * N_TERMS + column];
    for (size_t i = 0; i < p->n; i++)
        whole += p->base_weights[i] * p->room[i] * p->room[i];
    /* Orthogonal columns are kept in the place of the used ones. */
    for (size_t j = 0; j < column; j++) {
        double dot = 0, length = 0;
        for (size_t i = 0; i < p->n; i++) {
            dot += p->base_weights[i] * p->room[i] * p->a[i * N_TERMS + j];
            length += p->base_weights[i] * p->a[i * N_TERMS + j] * p->a[i * N_TERMS + j];
        }
        for (size_t i = 0; i < p->n && length > 0; i++)
            p->room[i] -= dot / length * p->a[i * N_TERMS + j];
    }
    for (size_t i = 0; i < p->n; i++) {
        left += p->base_weights[i] * p->room[i] * p->room[i];
        p->a[i * N_TERMS + column] = p->room[i];
    }
    return whole > 0 ? sqrt(left / whole) : 0;
}

static enum llmsim_status refuse(const struct llmsim_fit_group *g, struct llmsim_error *err,
                                 const char *what)
{
    return llmsim_fail(err, LLMSIM_CATALOGUE, "the profile of %.60s on %.60s, tp %u, %s",
                       g->key.model, g->key.gpu, g->key.tensor_parallel_size, what);
}

static enum llmsim_status check_required(const struct llmsim_fit_group *g, const struct problem *p,
                                         struct llmsim_error *err)
{
    if (count_different(p, decode_batch) == 0)
        return refuse(g, err,
                      "has no decode steps: expected rows of phase decode, of two batch sizes or "
                      "more with two contexts or more");
    if (count_different(p, prompt_tokens) == 0)
        return refuse(g, err,
                      "has no prompts: expected rows of phase prefill, of two numbers of tokens or "
                      "more");
    if (count_different(p, decode_batch) == 1)
        return refuse(g, err,
                      "cannot tell what a sequence costs from what a step costs: expected decode "
                      "steps of two batch sizes or more");
    if (count_different(p, prompt_tokens) == 1)
        return refuse(g, err,
                      "cannot tell what a prompt token costs from what a step costs: expected "
                      "prompts of two numbers of tokens or more");
    return LLMSIM_OK;
}

static bool is_about(double tokens, double n)
{
    return tokens > 0.75 * n && tokens <= 1.5 * n;
}

/* Was there a step of about so many tokens? */
static bool has_tokens(const struct problem *p, double n)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct llmsim_fit_row *row = p->rows[i];
        if (is_about((double)row->shape.prefill_tokens + row->shape.decode_seqs, n) ||
            (row->n_decode_steps > 0 && is_about(row->decode_seqs, n)))
            return true;
    }
    return false;
}

/* Where nothing was measured near a number of tokens, the rises on both sides of it are taken to be
 * equal: who runs 8 and 32 sequences, but not 16, gets 16 half way between. */
static void choose_leaders(struct problem *p)
{
    for (size_t j = 0; j < N_TERMS; j++)
        p->choice.leaders[j] = (enum term)j;
    for (size_t j = N_TERMS - 1; j-- > TERM_rise_2_s;)
        if (!has_tokens(p, rise_tokens[j - TERM_rise_2_s]))
            p->choice.leaders[j] = p->choice.leaders[j + 1];
}

/* Sets the choice, unless the measurements cannot tell the first terms. */
static enum llmsim_status choose_terms(const struct llmsim_fit_group *g, struct problem *p,
                                       struct llmsim_error *err)
{
    const char **left_out = p->choice.left_out;
    enum llmsim_status status = check_required(g, p, err);
    if (status != LLMSIM_OK)
        return status;
    size_t n_lengths = count_different(p, step_prompt_tokens), n_terms = 0;
    size_t n_shapes = count_different(p, any_shape),
           n_batches = count_different(p, single_step_batch);
    const char **bends_left_out = p->choice.bends_left_out;
    bends_left_out[BEND_WALK] = count_different(p, longest_context) >= 3
                                    ? NULL
                                    : "prompt steps of fewer than 3 longest contexts";
    bends_left_out[BEND_MIXED] = count_different(p, mixed_context) >= 1 ? NULL : "no mixed steps";
    const struct {
        bool can;
        const char *why_not;
    } wants[N_TERMS] = {
        [TERM_step_s] = {true, NULL},
        [TERM_token_s] = {true, NULL},
        [TERM_context_s] = {true, NULL},
        [TERM_seq_s] = {true, NULL},
        [TERM_weights_s] = {n_lengths >= 4, "prompt steps of fewer than 4 numbers of tokens"},
        [TERM_attention_s] = {n_lengths >= 4, "prompt steps of fewer than 4 numbers of tokens"},
        [TERM_mixed_seq_s] = {fits(p, BEND_MIXED), "no mixed steps"},
        [TERM_spill_s] = {n_lengths >= 8, "prompt steps of fewer than 8 numbers of tokens"},
        [TERM_split_s] = {count_different(p, step_prompts) >= 3,
                          "prompt steps of fewer than 3 numbers of prompts"},
#define X(n) [TERM_rise_##n##_s] = {n_batches >= 4, "decode steps of fewer than 4 batch sizes"},
        LLMSIM_FITTED_RISE_LIST(X)
#undef X
    };
    static const char *const tied_to[] = {
#define X(n) "no steps of about so many tokens, taken as rise_" #n "_s",
        LLMSIM_FITTED_RISE_LIST(X)
#undef X
    };
    memset(p->choice.left_out, 0, sizeof p->choice.left_out);
    choose_leaders(p);
    const struct bends bends = first_bends(p, p->most_tokens / 2);
    fill_matrix(p, &bends);
    for (size_t j = 0; j < N_TERMS; j++) {
        if (!wants[j].can)
            left_out[j] = wants[j].why_not;
        else if (p->choice.leaders[j] != j)
            left_out[j] = tied_to[p->choice.leaders[j] - TERM_rise_2_s];
        else if (j >= N_REQUIRED_TERMS && n_shapes < 2 * (n_terms + 2))
            left_out[j] = "too few different measurements";
        else if (share_left(p, j) < SPANNED_SHARE)
            left_out[j] = "the profile cannot tell it from the others";
        for (size_t i = 0; i < p->n && !uses(p, j); i++)
            p->a[i * N_TERMS + j] = 0;
        n_terms += uses(p, j);
    }
    if (!uses(p, TERM_token_s) || n_shapes < N_REQUIRED_TERMS)
        return refuse(g, err,
                      "cannot tell what a token costs from what a step costs: expected prompts and "
                      "batches of more sizes");
    if (!uses(p, TERM_context_s))
        return refuse(g, err,
                      "cannot tell what reading the KV cache costs: expected decode steps of the "
                      "same batch sizes with different contexts");
    bends_left_out[BEND_RIDGE] = left_out[TERM_weights_s];
    bends_left_out[BEND_SPILL] = left_out[TERM_spill_s];
    if (!uses(p, TERM_attention_s)) {
        const char *why = "attention_s is left out";
        bends_left_out[BEND_WALK] =
            bends_left_out[BEND_WALK] != NULL ? bends_left_out[BEND_WALK] : why;
        bends_left_out[BEND_MIXED] =
            bends_left_out[BEND_MIXED] != NULL ? bends_left_out[BEND_MIXED] : why;
    }
    return LLMSIM_OK;
}

/* ---- setting up ---- */

static void problem_fini(struct problem *p)
{
    free(p->rows);
    free(p->base_weights);
    free(p->weights);
    free(p->a);
    free(p->ones);
    free(p->room);
}

/* To be ended by fini, also on failure. */
static enum llmsim_status problem_init(struct problem *p, size_t n, struct llmsim_error *err)
{
    *p = (struct problem){
        .rows = malloc((n + 1) * sizeof *p->rows),
        .base_weights = malloc((n + 1) * sizeof *p->base_weights),
        .weights = malloc((n + 1) * sizeof *p->weights),
        .a = malloc((n + 1) * N_TERMS * sizeof *p->a),
        .ones = malloc((n + 1) * sizeof *p->ones),
        .room = malloc((n + 1) * sizeof *p->room),
    };
    if (p->rows != NULL && p->base_weights != NULL && p->weights != NULL && p->a != NULL &&
        p->ones != NULL && p->room != NULL)
        return LLMSIM_OK;
    return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
}

/* All rows but those of a fold (N_FOLDS: all). */
static void take_rows(struct problem *p, const struct llmsim_fit_group *g, const uint8_t *folds,
                      unsigned without)
{
    size_t counts[LLMSIM_FIT_N_PHASES] = {0};
    p->n = 0;
    p->most_tokens = 1;
    for (size_t i = 0; i < g->n_rows; i++) {
        const struct llmsim_fit_row *row = &g->rows[i];
        if (folds[i] == without)
            continue;
        counts[row->phase]++;
        if ((double)row->shape.prefill_tokens > p->most_tokens)
            p->most_tokens = (double)row->shape.prefill_tokens;
        p->ones[p->n] = 1;
        p->rows[p->n++] = row;
    }
    for (size_t i = 0; i < p->n; i++)
        p->base_weights[i] = 1 / (double)counts[p->rows[i]->phase];
}

/* Six digits, which is more than the measurements have: the last ones of a double would depend on
 * the version of GSL. */
static double round_digits(double value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%.5e", value);
    return strtod(text, NULL);
}

static struct llmsim_fitted make_coefficients(const struct problem *p, const struct trial *t)
{
    const double *x = t->x;
    struct llmsim_fitted f = {
        .ridge_tokens = x[TERM_weights_s] > 0 ? t->bends.ridge_tokens : 1,
        .spill_tokens = x[TERM_spill_s] > 0 ? t->bends.spill_tokens : 1,
        .walk_s = x[TERM_attention_s] * t->bends.walk,
        .mixed_context_s = fmax(x[TERM_context_s], x[TERM_attention_s] * t->bends.mixed),
    };
    double *members = (double *)&f;
    for (size_t j = 0; j < N_TERMS; j++)
        members[members_of_terms[j]] = x[p->choice.leaders[j]];
    for (size_t i = 0; i < LLMSIM_FIT_N_COEFFICIENTS; i++)
        members[i] = round_digits(members[i]);
    return f;
}

/* The largest share of a term in any measurement. */
static double largest_share(const struct problem *p, const struct trial *t, size_t term)
{
    double largest = 0;
    for (size_t i = 0; i < p->n; i++)
        largest = fmax(largest, p->a[i * N_TERMS + term] * t->x[term]);
    return largest;
}

/* The last fit once more on the columns that it uses, by GSL: the search works with normal
 * equations, which lose half of the digits. What they leave of a term that should be 0 goes. */
static enum llmsim_status polish(struct problem *p, struct trial *t, struct llmsim_error *err)
{
    size_t terms[N_TERMS], k = 0;
    struct llmsim_linear_fit fit = {.chi_squared = 0};
    for (size_t j = 0; j < N_TERMS; j++) {
        if (largest_share(p, t, j) < NO_SHARE)
            t->x[j] = 0;
        if (t->x[j] > 0)
            terms[k++] = j;
    }
    double *columns = malloc(p->n * k * sizeof *columns + 1);
    if (columns == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    for (size_t i = 0; i < p->n; i++)
        for (size_t j = 0; j < k; j++)
            columns[i * k + j] = p->a[i * N_TERMS + terms[j]];
    enum llmsim_status status = LLMSIM_OK;
    if (k > 0 && p->n >= k)
        status = llmsim_linear_fit(columns, p->ones, p->weights, p->n, k, &fit, err);
    for (size_t j = 0; j < k && status == LLMSIM_OK && p->n >= k; j++)
        if (fit.x[j] > 0)
            t->x[terms[j]] = fit.x[j];
    free(columns);
    return status;
}

/* ---- predictions and their errors ---- */

double llmsim_fit_predict(const struct llmsim_fitted *fitted, const struct llmsim_fit_row *row)
{
    double t = llmsim_cost_fitted_step_s(fitted, &row->shape);
    if (row->n_decode_steps > 0) {
        const struct llmsim_step_shape decode = {.decode_seqs = row->decode_seqs};
        t += (double)row->n_decode_steps * llmsim_cost_fitted_step_s(fitted, &decode) +
             fitted->context_s * (double)row->context_tokens;
    }
    return t;
}

/* ---- confidence ---- */

/* The median of |error| over the rows of a phase, as the standard deviation of a normal one. */
static double scatter(const struct problem *p, const struct llmsim_fitted *f,
                      enum llmsim_fit_phase phase)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->rows[i]->phase == phase)
            p->room[n++] = fabs(llmsim_fit_predict(f, p->rows[i]) / p->rows[i]->latency_s - 1);
    if (n == 0)
        return 0;
    llmsim_fit_sort(p->room, n);
    return p->room[n / 2] / 0.67449;
}

/* A coefficient, and those that go with it. */
static void set_member(const struct problem *p, struct llmsim_fitted *f, size_t member,
                       double value)
{
    double *members = (double *)f;
    members[member] = value;
    for (size_t j = 0; j < N_TERMS; j++)
        if (members_of_terms[p->choice.leaders[j]] == member)
            members[members_of_terms[j]] = value;
}

/* Linearised: errors of least absolute deviations scatter by √(π/2) of what least squares would,
 * with each phase's scatter its own. */
static enum llmsim_status set_confidence(const struct llmsim_fit_group *g, const struct problem *p,
                                         struct llmsim_fit_report *report, struct llmsim_error *err)
{
    const double pi_half = 1.5707963267948966;
    struct llmsim_fitted f = report->fit.coefficients;
    size_t free_ones[LLMSIM_FIT_N_COEFFICIENTS], k = 0;
    for (size_t j = 0; j < LLMSIM_FIT_N_COEFFICIENTS; j++)
        if (!report->coefficients[j].is_at_bound && report->coefficients[j].left_out == NULL)
            free_ones[k++] = j;
    double *jacobian = malloc(p->n * k * sizeof *jacobian + 1);
    struct llmsim_condition condition;
    if (jacobian == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    double sigma[LLMSIM_FIT_N_PHASES];
    for (int i = 0; i < LLMSIM_FIT_N_PHASES; i++)
        sigma[i] = scatter(p, &f, (enum llmsim_fit_phase)i);
    for (size_t j = 0; j < k; j++) {
        double value = ((const double *)&f)[free_ones[j]], h = 1e-4 * value;
        for (size_t i = 0; i < p->n; i++) {
            set_member(p, &f, free_ones[j], value + h);
            double up = llmsim_fit_predict(&f, p->rows[i]);
            set_member(p, &f, free_ones[j], value - h);
            double down = llmsim_fit_predict(&f, p->rows[i]);
            jacobian[i * k + j] =
                sqrt(p->base_weights[i]) * (up - down) / (2 * h) / p->rows[i]->latency_s;
        }
        set_member(p, &f, free_ones[j], value);
    }
    enum llmsim_status status = llmsim_linear_condition(jacobian, p->n, k, &condition, err);
    if (status == LLMSIM_OK && !(condition.number < MAX_CONDITION)) {
        char text[160];
        (void)snprintf(text, sizeof text,
                       "cannot tell %s from %s (condition number %.1e): expected more different "
                       "steps",
                       report->coefficients[free_ones[condition.weakest[0]]].name,
                       report->coefficients[free_ones[condition.weakest[1]]].name,
                       condition.number);
        status = refuse(g, err, text);
    }
    double quantile = p->n > k ? gsl_cdf_tdist_Pinv(0.975, (double)(p->n - k)) : 0;
    for (size_t j = 0; j < k && status == LLMSIM_OK; j++) {
        /* (JᵀJ)⁻¹ Jᵀ Σ J (JᵀJ)⁻¹, of which the j-th on the diagonal is a sum over the rows. */
        double variance = 0;
        for (size_t i = 0; i < p->n; i++) {
            double sum = 0;
            for (size_t m = 0; m < k; m++)
                sum += condition.inverse[j * k + m] * jacobian[i * k + m];
            double s = sigma[p->rows[i]->phase];
            variance += p->base_weights[i] * s * s * sum * sum;
        }
        double half = quantile * sqrt(pi_half * variance);
        struct llmsim_fit_coefficient *c = &report->coefficients[free_ones[j]];
        c->low = c->value > half ? c->value - half : 0;
        c->high = c->value + half;
    }
    report->fit.diagnostics.condition_number = round_digits(condition.number);
    free(jacobian);
    return status;
}

/* ---- the whole ---- */

/* Each fifth of the rows, in an order that is shuffled but always the same. */
static enum llmsim_status assign_folds(uint8_t *folds, size_t n, struct llmsim_error *err)
{
    struct llmsim_random random;
    if (!llmsim_random_init(&random, 5, 0))
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    for (size_t i = 0; i < n; i++)
        folds[i] = (uint8_t)(i % N_FOLDS);
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)llmsim_random_below(&random, i);
        uint8_t swapped = folds[i - 1];
        folds[i - 1] = folds[j];
        folds[j] = swapped;
    }
    llmsim_random_fini(&random);
    return LLMSIM_OK;
}

static void name_coefficients(struct llmsim_fit_report *report, const struct problem *p)
{
    static const char *const names[] = {
#define X(name) #name,
        LLMSIM_FITTED_LIST(X)
#undef X
    };
    const double *members = (const double *)&report->fit.coefficients;
    for (size_t i = 0; i < LLMSIM_FIT_N_COEFFICIENTS; i++) {
        struct llmsim_fit_coefficient *c = &report->coefficients[i];
        *c = (struct llmsim_fit_coefficient){.name = names[i], .value = members[i]};
        for (size_t j = 0; j < N_TERMS; j++)
            if (members_of_terms[j] == i) {
                c->is_tied = p->choice.leaders[j] != j && uses(p, p->choice.leaders[j]);
                c->left_out = p->choice.left_out[c->is_tied ? j : p->choice.leaders[j]];
            }
        c->is_at_bound = c->value <= 0;
        if (i == MEMBER(ridge_tokens) && report->fit.coefficients.weights_s <= 0)
            c->left_out = "weights_s is 0";
        if (i == MEMBER(spill_tokens) && report->fit.coefficients.spill_s <= 0)
            c->left_out = "spill_s is 0";
        if (i == MEMBER(walk_s))
            c->left_out = p->choice.bends_left_out[BEND_WALK];
        if (i == MEMBER(mixed_context_s)) {
            c->is_at_bound = c->value <= report->fit.coefficients.context_s;
            c->is_tied = !fits(p, BEND_MIXED);
            c->left_out = p->choice.bends_left_out[BEND_MIXED];
        }
    }
}

/* A fit of all rows but those of a fold. */
static enum llmsim_status fit_without(struct problem *p, const struct llmsim_fit_group *g,
                                      const uint8_t *folds, unsigned without, struct trial *best,
                                      struct llmsim_error *err)
{
    take_rows(p, g, folds, without);
    enum llmsim_status status = choose_terms(g, p, err);
    if (status != LLMSIM_OK)
        return status;
    search(p, best);
    return polish(p, best, err);
}

/* Each fold predicted by a fit of the others; 0 where these alone would be refused. */
static enum llmsim_status hold_out(struct problem *p, const struct llmsim_fit_group *g,
                                   const uint8_t *folds, double *predicted,
                                   struct llmsim_error *err)
{
    for (unsigned k = 0; k < N_FOLDS; k++) {
        struct trial t;
        enum llmsim_status status = fit_without(p, g, folds, k, &t, err);
        if (status != LLMSIM_OK && status != LLMSIM_CATALOGUE)
            return status;
        struct llmsim_fitted f = {0};
        if (status == LLMSIM_OK)
            f = make_coefficients(p, &t);
        for (size_t i = 0; i < g->n_rows; i++)
            if (folds[i] == k)
                predicted[i] = status == LLMSIM_OK ? llmsim_fit_predict(&f, &g->rows[i]) : 0;
    }
    return LLMSIM_OK;
}

enum llmsim_status llmsim_fit_group_run(const struct llmsim_fit_group *group,
                                        const struct llmsim_fit_sizes *sizes,
                                        struct llmsim_fit_report *report, struct llmsim_error *err)
{
    size_t n = group->n_rows;
    struct problem p = {.n = 0};
    struct trial best;
    uint8_t *folds = malloc(n + 1);
    double *held_out = malloc((n + 1) * sizeof *held_out);
    *report = (struct llmsim_fit_report){.predicted_s = malloc((n + 1) * sizeof(double))};
    enum llmsim_status status = LLMSIM_OK;
    if (folds == NULL || held_out == NULL || report->predicted_s == NULL)
        status = llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    if (status == LLMSIM_OK)
        status = problem_init(&p, n, err);
    if (status == LLMSIM_OK)
        status = assign_folds(folds, n, err);
    if (status == LLMSIM_OK)
        status = fit_without(&p, group, folds, N_FOLDS, &best, err);
    if (status == LLMSIM_OK) {
        report->fit.has_coefficients = true;
        report->fit.coefficients = make_coefficients(&p, &best);
        name_coefficients(report, &p);
        status = set_confidence(group, &p, report, err);
    }
    if (status == LLMSIM_OK)
        status = hold_out(&p, group, folds, held_out, err);
    if (status == LLMSIM_OK) {
        for (size_t i = 0; i < n; i++)
            report->predicted_s[i] = llmsim_fit_predict(&report->fit.coefficients, &group->rows[i]);
        llmsim_fit_set_errors(group, report->predicted_s, p.room, report->richer.fitted);
        llmsim_fit_set_errors(group, held_out, p.room, report->richer.held_out);
        llmsim_fit_set_diagnostics(group, report);
        llmsim_fit_two_number(group, sizes, folds, N_FOLDS, held_out, p.room, report);
    }
    free(held_out);
    free(folds);
    problem_fini(&p);
    if (status != LLMSIM_OK)
        llmsim_fit_report_fini(report);
    return status;
}

void llmsim_fit_report_fini(struct llmsim_fit_report *report)
{
    free(report->predicted_s);
    report->predicted_s = NULL;
}
