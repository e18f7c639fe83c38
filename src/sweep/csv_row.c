/* csv_row.c: a row of a CSV file as text, and what a point's row says of its simulation. */
#include <stdlib.h>
#include <string.h>

#include "csv_line.h"
#include "llmsim/sweep.h"
#include "numfmt.h"
#include "utf8.h"

/* Room for n bytes more and a NUL, or NULL; then the row has failed. */
static char *room(struct llmsim_csv_row *row, size_t n)
{
    if (row->failed)
        return NULL;
    if (row->length + n + 1 > row->capacity) {
        size_t capacity = 2 * (row->length + n + 1);
        char *larger = realloc(row->text, capacity);
        row->failed = larger == NULL;
        if (row->failed)
            return NULL;
        row->text = larger;
        row->capacity = capacity;
    }
    return row->text + row->length;
}

static void advance(struct llmsim_csv_row *row, char *end)
{
    row->length = (size_t)(end - row->text);
    *end = '\0';
    row->n_fields++;
}

/* Room for a field of n bytes, behind its comma. */
static char *begin_field(struct llmsim_csv_row *row, size_t n)
{
    char *p = room(row, n + 1);
    if (p != NULL && row->n_fields > 0)
        *p++ = ',';
    return p;
}

void llmsim_csv_row_text(struct llmsim_csv_row *row, const char *text)
{
    size_t n = strlen(text), capacity = 2 * n + 2;
    char *p = begin_field(row, capacity);
    if (p == NULL)
        return;
    /* An empty field is an absent value, and stays bare. A line end would end the row. */
    size_t length = n > 0 ? llmsim_csv_quote(text, n, p, capacity) : 0;
    advance(row, p + llmsim_utf8_mask(p, length));
}

void llmsim_csv_row_u64(struct llmsim_csv_row *row, uint64_t value)
{
    char *p = begin_field(row, 24);
    if (p != NULL)
        advance(row, llmsim_put_u64(p, value));
}

void llmsim_csv_row_ns(struct llmsim_csv_row *row, int64_t ns)
{
    char *p = begin_field(row, 32);
    if (p != NULL)
        advance(row, llmsim_put_ns(p, ns));
}

/* Values that a file can hold are far below 10^12; what is not says so by being 10^12. */
void llmsim_csv_row_decimal(struct llmsim_csv_row *row, double value)
{
    double size = value < 0 ? -value : value;
    uint64_t millionths = (uint64_t)((size < 1e12 ? size : 1e12) * 1e6 + 0.5);
    char *p = begin_field(row, 33);
    if (p == NULL)
        return;
    if (value < 0 && millionths > 0)
        *p++ = '-';
    advance(row, llmsim_put_millionths(p, millionths));
}

void llmsim_csv_row_empty(struct llmsim_csv_row *row, size_t n)
{
    for (size_t i = 0; i < n; i++)
        llmsim_csv_row_text(row, "");
}

void llmsim_csv_row_fini(struct llmsim_csv_row *row)
{
    free(row->text);
    *row = (struct llmsim_csv_row){0};
}

/* ---- a point's numbers ---- */

static const struct {
    const char *name;
    size_t offset; /* of its struct llmsim_stat in the summary */
    bool is_ratio; /* counted in millionths, not in ns */
} stats[] = {
    {"ttft", offsetof(struct llmsim_summary, ttft), false},
    {"itl", offsetof(struct llmsim_summary, itl), false},
    {"tpot", offsetof(struct llmsim_summary, tpot), false},
    {"e2e", offsetof(struct llmsim_summary, e2e), false},
    {"queue", offsetof(struct llmsim_summary, queue), false},
    {"slowdown", offsetof(struct llmsim_summary, slowdown), true},
};
#define N_STATS (sizeof stats / sizeof *stats)

static const char *const stat_values[] = {"mean", "min", "p50", "p90", "p95", "p99", "max"};
#define N_STAT_VALUES (sizeof stat_values / sizeof *stat_values)

static const char *const count_columns[] = {
    "gpus",
    "saturated",
    "backlog_growth",
    "requests",
    "completed",
    "prompt_tokens",
    "output_tokens",
    "steps",
    "preemptions",
    "makespan_s",
    "requests_per_s",
    "prompt_tokens_per_s",
    "output_tokens_per_s",
    "goodput_requests_per_s",
    "slo_attainment",
    "gpu_s",
    "cost_usd",
    "usd_per_million_output_tokens",
};
#define N_COUNT_COLUMNS (sizeof count_columns / sizeof *count_columns)

/* Those that came later: columns are added at the end. */
static const char *const later_columns[] = {"slo_judged",
                                            "backlog_peak",
                                            "late_p90_s",
                                            "stretch_share",
                                            "drain_s",
                                            "arrivals_per_s",
                                            "served_per_s",
                                            "steps_outside_profile",
                                            "requests_over_max_positions",
                                            "usd_per_million_tokens",
                                            "kwh_at_most",
                                            "output_tokens_per_joule_at_least"};
#define N_LATER_COLUMNS (sizeof later_columns / sizeof *later_columns)

size_t llmsim_point_header(struct llmsim_csv_row *row)
{
    char name[64];
    size_t before = row->n_fields;
    for (size_t i = 0; i < N_COUNT_COLUMNS; i++)
        llmsim_csv_row_text(row, count_columns[i]);
    for (size_t i = 0; i < N_STATS; i++) {
        for (size_t j = 0; j < N_STAT_VALUES; j++) {
            (void)snprintf(name, sizeof name, "%s_%s%s", stats[i].name, stat_values[j],
                           stats[i].is_ratio ? "" : "_s");
            llmsim_csv_row_text(row, name);
        }
    }
    for (int i = 0; i < LLMSIM_N_OUTCOMES; i++) {
        if (i == LLMSIM_OUTCOME_COMPLETED)
            continue;
        (void)snprintf(name, sizeof name, "n_%s", llmsim_outcome_name((enum llmsim_outcome)i));
        llmsim_csv_row_text(row, name);
    }
    for (size_t i = 0; i < N_LATER_COLUMNS; i++)
        llmsim_csv_row_text(row, later_columns[i]);
    return row->n_fields - before;
}

static void put_stat_value(struct llmsim_csv_row *row, double value, bool is_ratio)
{
    if (is_ratio)
        llmsim_csv_row_decimal(row, value / 1e6);
    else
        llmsim_csv_row_ns(row, (int64_t)(value + 0.5));
}

static void put_stat(struct llmsim_csv_row *row, struct llmsim_stat *stat, bool is_ratio)
{
    static const double percentiles[] = {0.50, 0.90, 0.95, 0.99};
    if (stat->n == 0) {
        llmsim_csv_row_empty(row, N_STAT_VALUES);
        return;
    }
    put_stat_value(row, llmsim_stat_mean(stat), is_ratio);
    put_stat_value(row, (double)stat->min, is_ratio);
    for (size_t i = 0; i < sizeof percentiles / sizeof *percentiles; i++)
        put_stat_value(row, llmsim_stat_percentile(stat, percentiles[i]), is_ratio);
    put_stat_value(row, (double)stat->max, is_ratio);
}

/* A number, or nothing where it is not known. */
static void put_known(struct llmsim_csv_row *row, bool is_known, double value)
{
    if (is_known)
        llmsim_csv_row_decimal(row, value);
    else
        llmsim_csv_row_empty(row, 1);
}

static void put_cost(struct llmsim_csv_row *row, const struct llmsim_totals *t, uint64_t n_gpus,
                     const struct llmsim_gpu_price *price, const struct llmsim_expense *expense)
{
    bool is_known = price->usd_per_hour > 0;
    llmsim_time gpu_ns = (llmsim_time)(t->last_end_ns - t->first_arrival_ns) * (int64_t)n_gpus;
    if (gpu_ns <= INT64_MAX)
        llmsim_csv_row_ns(row, (int64_t)gpu_ns);
    else /* 64 bits hold a day of a hundred thousand GPUs */
        llmsim_csv_row_decimal(row, expense->gpu_hours * 3600);
    put_known(row, is_known, expense->usd);
    put_known(row, is_known && t->output_tokens > 0, expense->usd_per_million_output_tokens);
}

static void put_later_cost(struct llmsim_csv_row *row, const struct llmsim_totals *t,
                           const struct llmsim_gpu_price *price,
                           const struct llmsim_expense *expense)
{
    put_known(row, price->usd_per_hour > 0 && t->prompt_tokens + t->output_tokens > 0,
              expense->usd_per_million_tokens);
    put_known(row, price->watts > 0, expense->kwh_at_most);
    put_known(row, expense->kwh_at_most > 0, expense->output_tokens_per_joule_at_least);
}

static void put_later_columns(struct llmsim_csv_row *row, const struct llmsim_summary *s)
{
    const struct llmsim_backlog *b = &s->backlog;
    if (llmsim_slo_is_set(&s->slo))
        llmsim_csv_row_u64(row, llmsim_summary_judged(s));
    else
        llmsim_csv_row_empty(row, 1);
    llmsim_csv_row_u64(row, b->peak);
    llmsim_csv_row_ns(row, (int64_t)(b->late_p90_s * 1e9 + 0.5));
    llmsim_csv_row_decimal(row, b->stretch_share);
    llmsim_csv_row_ns(row, (int64_t)(b->drain_s * 1e9 + 0.5));
    if (b->arrivals_per_s > 0) {
        llmsim_csv_row_decimal(row, b->arrivals_per_s);
        llmsim_csv_row_decimal(row, b->served_per_s);
    } else {
        llmsim_csv_row_empty(row, 2);
    }
    if (llmsim_profile_is_known(&s->profile))
        llmsim_csv_row_u64(row, s->n_steps_outside_profile);
    else
        llmsim_csv_row_empty(row, 1);
    if (s->max_positions > 0)
        llmsim_csv_row_u64(row, s->n_over_positions);
    else
        llmsim_csv_row_empty(row, 1);
}

void llmsim_point_row(struct llmsim_csv_row *row, struct llmsim_point *point,
                      const struct llmsim_point_price *price)
{
    struct llmsim_summary *s = &point->summary;
    const struct llmsim_totals *t = &s->totals;
    uint64_t n_requests = 0, n_gpus = point->n_replicas * price->gpus_per_replica;
    const struct llmsim_expense expense = llmsim_expense(t, n_gpus, &price->gpu);
    for (size_t i = 0; i < LLMSIM_N_OUTCOMES; i++)
        n_requests += s->outcomes[i];
    llmsim_csv_row_u64(row, n_gpus);
    llmsim_csv_row_text(row, s->backlog.is_saturated ? "yes" : "no");
    llmsim_csv_row_decimal(row, s->backlog.growth);
    llmsim_csv_row_u64(row, n_requests);
    llmsim_csv_row_u64(row, t->n_completed);
    llmsim_csv_row_u64(row, t->prompt_tokens);
    llmsim_csv_row_u64(row, t->output_tokens);
    llmsim_csv_row_u64(row, t->n_steps);
    llmsim_csv_row_u64(row, t->n_preemptions);
    llmsim_csv_row_ns(row, t->last_end_ns - t->first_arrival_ns);
    llmsim_csv_row_decimal(row, llmsim_totals_per_s(t, t->n_completed));
    llmsim_csv_row_decimal(row, llmsim_totals_per_s(t, t->prompt_tokens));
    llmsim_csv_row_decimal(row, llmsim_totals_per_s(t, t->output_tokens));
    if (llmsim_slo_is_set(&s->slo)) {
        llmsim_csv_row_decimal(row, llmsim_totals_per_s(t, s->n_slo_met));
        if (llmsim_summary_judged(s) > 0)
            llmsim_csv_row_decimal(row, llmsim_attainment(s->n_slo_met, llmsim_summary_judged(s)));
        else
            llmsim_csv_row_empty(row, 1);
    } else {
        llmsim_csv_row_empty(row, 2);
    }
    put_cost(row, t, n_gpus, &price->gpu, &expense);
    for (size_t i = 0; i < N_STATS; i++)
        put_stat(row, (struct llmsim_stat *)(void *)((char *)s + stats[i].offset),
                 stats[i].is_ratio);
    for (int i = 0; i < LLMSIM_N_OUTCOMES; i++)
        if (i != LLMSIM_OUTCOME_COMPLETED)
            llmsim_csv_row_u64(row, s->outcomes[i]);
    put_later_columns(row, s);
    put_later_cost(row, t, &price->gpu, &expense);
}
