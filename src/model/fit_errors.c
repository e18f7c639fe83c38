/* fit_errors.c: how good a fit is, and the two-number model beside it. */
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>

#include "fit_parts.h"

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void llmsim_fit_sort(double *values, size_t n)
{
    qsort(values, n, sizeof *values, by_size);
}

const char *llmsim_fit_set_name(enum llmsim_fit_set set)
{
    static const char *const names[LLMSIM_FIT_N_SETS] = {
        "all", "prefill", "prefill > 256 tokens", "decode", "mixed", "batch"};
    return names[set];
}

static bool is_in_set(const struct llmsim_fit_row *row, enum llmsim_fit_set set)
{
    static const enum llmsim_fit_phase phases[LLMSIM_FIT_N_SETS] = {
        [LLMSIM_FIT_SET_PREFILL] = LLMSIM_FIT_PREFILL,
        [LLMSIM_FIT_SET_LONG_PREFILL] = LLMSIM_FIT_PREFILL,
        [LLMSIM_FIT_SET_DECODE] = LLMSIM_FIT_DECODE,
        [LLMSIM_FIT_SET_MIXED] = LLMSIM_FIT_MIXED,
        [LLMSIM_FIT_SET_BATCH] = LLMSIM_FIT_BATCH,
    };
    if (set == LLMSIM_FIT_SET_ALL)
        return true;
    return row->phase == phases[set] && (set != LLMSIM_FIT_SET_LONG_PREFILL ||
                                         row->shape.prefill_tokens > LLMSIM_FIT_LONG_PREFILL);
}

/* Linear interpolation at p (n - 1), as everywhere. */
static double percentile(const double *sorted, size_t n, double p)
{
    double at = p * (double)(n - 1);
    size_t i = (size_t)at;
    return i + 1 < n ? sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

void llmsim_fit_set_errors(const struct llmsim_fit_group *group, const double *predicted_s,
                           double *room, struct llmsim_fit_errors errors[static LLMSIM_FIT_N_SETS])
{
    for (int set = 0; set < LLMSIM_FIT_N_SETS; set++) {
        struct llmsim_fit_errors *e = &errors[set];
        *e = (struct llmsim_fit_errors){.n = 0};
        for (size_t i = 0; i < group->n_rows; i++) {
            const struct llmsim_fit_row *row = &group->rows[i];
            if (predicted_s[i] <= 0 || !is_in_set(row, (enum llmsim_fit_set)set))
                continue;
            room[e->n] = 100 * fabs(predicted_s[i] / row->latency_s - 1);
            e->mape += room[e->n++];
        }
        if (e->n == 0)
            continue;
        llmsim_fit_sort(room, e->n);
        e->mape /= (double)e->n;
        e->p95 = percentile(room, e->n, 0.95);
        e->worst = room[e->n - 1];
    }
}

static void widen(uint64_t *min, uint64_t *max, uint64_t value)
{
    if (*max == 0 || value < *min)
        *min = value;
    if (value > *max)
        *max = value;
}

static void widen_range(struct llmsim_profile_range *range, const struct llmsim_fit_row *row)
{
    const struct llmsim_step_shape *s = &row->shape;
    if (s->prefill_seqs > 0 && s->longest_context > range->max_longest_context)
        range->max_longest_context = s->longest_context;
    if (s->prefill_tokens > 0)
        widen(&range->min_prefill_tokens, &range->max_prefill_tokens, s->prefill_tokens);
    if (s->decode_seqs > 0) {
        widen(&range->min_decode_seqs, &range->max_decode_seqs, s->decode_seqs);
        widen(&range->min_context_tokens, &range->max_context_tokens, s->context_tokens);
    }
    if (row->n_decode_steps > 0) {
        uint64_t first = s->prefill_tokens + row->decode_seqs;
        widen(&range->min_decode_seqs, &range->max_decode_seqs, row->decode_seqs);
        widen(&range->min_context_tokens, &range->max_context_tokens, first);
        widen(&range->min_context_tokens, &range->max_context_tokens,
              first + (row->n_decode_steps - 1) * row->decode_seqs);
    }
    range->mixed = range->mixed || row->phase == LLMSIM_FIT_MIXED;
}

void llmsim_fit_set_diagnostics(const struct llmsim_fit_group *group,
                                struct llmsim_fit_report *report)
{
    struct llmsim_fit_diagnostics *d = &report->fit.diagnostics;
    const struct llmsim_fit_errors *fitted = &report->richer.fitted[LLMSIM_FIT_SET_ALL];
    double mean = 0, total = 0, left = 0;
    for (size_t i = 0; i < group->n_rows; i++) {
        mean += group->rows[i].latency_s / (double)group->n_rows;
        widen_range(&report->fit.range, &group->rows[i]);
    }
    for (size_t i = 0; i < group->n_rows; i++) {
        double measured = group->rows[i].latency_s;
        total += (measured - mean) * (measured - mean);
        left += (measured - report->predicted_s[i]) * (measured - report->predicted_s[i]);
    }
    report->fit.has_diagnostics = true;
    d->measurements = group->n_rows;
    d->r_squared = total > left ? 1 - left / total : 0;
    d->mape_percent = fitted->mape;
    d->p95_percent = fitted->p95;
    d->worst_percent = fitted->worst;
    d->held_out_mape_percent = report->richer.held_out[LLMSIM_FIT_SET_ALL].mape;
    d->held_out_measurements = report->richer.held_out[LLMSIM_FIT_SET_ALL].n;
}

/* ---- the two-number model ---- */

/* Least squares of latency = x · size through the origin. */
struct slope {
    double xx, xy, yy;
    size_t n;
};

static void add_point(struct slope *s, double x, double y)
{
    s->xx += x * x;
    s->xy += x * y;
    s->yy += y * y;
    s->n++;
}

/* Seconds of a token, and of a byte; 0: not known. */
struct two_numbers {
    double token_s, byte_s;
};

static double decode_bytes(const struct llmsim_fit_sizes *sizes, double n_steps, double context)
{
    return n_steps * sizes->weight_bytes + context * sizes->kv_bytes_per_token;
}

static void add_row(const struct llmsim_fit_row *row, const struct llmsim_fit_sizes *sizes,
                    struct slope *prefill, struct slope *decode)
{
    if (row->phase == LLMSIM_FIT_PREFILL)
        add_point(prefill, (double)row->shape.prefill_tokens, row->latency_s);
    if (row->phase == LLMSIM_FIT_DECODE && sizes->weight_bytes > 0)
        add_point(decode, decode_bytes(sizes, 1, (double)row->shape.context_tokens),
                  row->latency_s);
}

static struct two_numbers fit_without(const struct llmsim_fit_group *group,
                                      const struct llmsim_fit_sizes *sizes, const uint8_t *folds,
                                      unsigned without, struct slope *prefill)
{
    struct slope decode = {.n = 0};
    *prefill = (struct slope){.n = 0};
    for (size_t i = 0; i < group->n_rows; i++)
        if (folds[i] != without)
            add_row(&group->rows[i], sizes, prefill, &decode);
    return (struct two_numbers){prefill->n > 0 ? prefill->xy / prefill->xx : 0,
                                decode.n > 0 ? decode.xy / decode.xx : 0};
}

/* Formulas 1 and 3, and their sum; 0 where a number is not known. */
static double predict(const struct two_numbers *two, const struct llmsim_fit_sizes *sizes,
                      const struct llmsim_fit_row *row)
{
    double n_steps = (double)row->n_decode_steps + (row->shape.decode_seqs > 0);
    double context = (double)row->shape.context_tokens + (double)row->context_tokens;
    bool has_prompts = row->shape.prefill_tokens > 0;
    if ((has_prompts && two->token_s <= 0) || (n_steps > 0 && two->byte_s <= 0))
        return 0;
    return two->token_s * (double)row->shape.prefill_tokens +
           (n_steps > 0 ? two->byte_s * decode_bytes(sizes, n_steps, context) : 0);
}

void llmsim_fit_two_number(const struct llmsim_fit_group *group,
                           const struct llmsim_fit_sizes *sizes, const uint8_t *folds,
                           unsigned n_folds, double *predicted_s, double *room,
                           struct llmsim_fit_report *report)
{
    struct slope prefill, unused;
    struct two_numbers two = fit_without(group, sizes, folds, n_folds, &prefill);
    for (size_t i = 0; i < group->n_rows; i++)
        predicted_s[i] = predict(&two, sizes, &group->rows[i]);
    llmsim_fit_set_errors(group, predicted_s, room, report->two_number.fitted);
    for (unsigned k = 0; k < n_folds; k++) {
        struct two_numbers without = fit_without(group, sizes, folds, k, &unused);
        for (size_t i = 0; i < group->n_rows; i++)
            if (folds[i] == k)
                predicted_s[i] = predict(&without, sizes, &group->rows[i]);
    }
    llmsim_fit_set_errors(group, predicted_s, room, report->two_number.held_out);
    report->bandwidth_bytes_per_s = two.byte_s > 0 ? 1 / two.byte_s : 0;
    if (two.token_s <= 0)
        return;
    report->fit.ptps_tokens_per_s = 1 / two.token_s;
    double half = 0;
    if (prefill.n > 1) {
        double chi_squared = prefill.yy - prefill.xy * prefill.xy / prefill.xx;
        double variance = chi_squared > 0 ? chi_squared / (double)(prefill.n - 1) : 0;
        half = gsl_cdf_tdist_Pinv(0.975, (double)(prefill.n - 1)) * sqrt(variance / prefill.xx);
    }
    report->ptps_low = 1 / (two.token_s + half);
    report->ptps_high = two.token_s > half ? 1 / (two.token_s - half) : INFINITY;
}
