/* sink_summary.c: the numbers of summary.json.
 *
 * The ITL's distribution is counted from the steps, a bucket of the histogram at a time; its mean
 * comes from the requests, since a request's ITLs add up to E2E - TTFT; its extremes are those of
 * printed times, which takes care at the ends of a run, see below. */
#include "sinks.h"

enum llmsim_status llmsim_summary_init(struct llmsim_summary *summary, struct llmsim_error *err)
{
    *summary = (struct llmsim_summary){0};
    struct llmsim_stat *exact[] = {&summary->ttft, &summary->tpot, &summary->e2e, &summary->queue,
                                   &summary->slowdown};
    enum llmsim_status status = llmsim_stat_init(&summary->itl, false, err);
    for (size_t i = 0; i < sizeof exact / sizeof *exact && status == LLMSIM_OK; i++)
        status = llmsim_stat_init(exact[i], true, err);
    return status;
}

void llmsim_summary_fini(struct llmsim_summary *summary)
{
    llmsim_stat_fini(&summary->ttft);
    llmsim_stat_fini(&summary->itl);
    llmsim_stat_fini(&summary->tpot);
    llmsim_stat_fini(&summary->e2e);
    llmsim_stat_fini(&summary->queue);
    llmsim_stat_fini(&summary->slowdown);
}

static void widen(struct llmsim_stat *stat, int64_t value)
{
    stat->min = (uint64_t)value < stat->min ? (uint64_t)value : stat->min;
    stat->max = (uint64_t)value > stat->max ? (uint64_t)value : stat->max;
}

/* The extremes of the printed durations of steps `from` to `to` - 1 of a run. Printed times are
 * rounded, so a printed duration is the true one rounded down or up, and the longest printed one
 * need not be that of the longest step. The true ones only grow: the search for the maximum starts
 * at the end, goes on while a step could still print a new maximum, and likewise from the start for
 * the minimum. As a rule neither takes more than a look. */
static void widen_by_run(struct llmsim_stat *stat, const struct llmsim_step_run *steps,
                         uint64_t from, uint64_t to)
{
    const struct llmsim_decode_run d = steps->durations;
    for (uint64_t i = to; i > from; i--) {
        llmsim_time duration = d.first + (llmsim_time)d.increment * (llmsim_time)(i - 1);
        if (((duration + LLMSIM_TIME_ONE_NS - 1) >> LLMSIM_TIME_FRACTION_BITS) <=
            (llmsim_time)stat->max)
            break;
        llmsim_time start = steps->start + llmsim_decode_run_time(d, i - 1);
        widen(stat, llmsim_time_to_ns(start + duration) - llmsim_time_to_ns(start));
    }
    for (uint64_t i = from; i < to; i++) {
        llmsim_time duration = d.first + (llmsim_time)d.increment * (llmsim_time)i;
        if (duration >> LLMSIM_TIME_FRACTION_BITS >= (llmsim_time)stat->min)
            break;
        llmsim_time start = steps->start + llmsim_decode_run_time(d, i);
        widen(stat, llmsim_time_to_ns(start + duration) - llmsim_time_to_ns(start));
    }
}

/* The gaps that end with the first step of a run. */
static void count_gap(struct llmsim_stat *itl, llmsim_time since, llmsim_time now, uint32_t n_seqs)
{
    if (n_seqs == 0)
        return;
    llmsim_stat_count(itl, (uint64_t)((now - since) >> LLMSIM_TIME_FRACTION_BITS), n_seqs);
    widen(itl, llmsim_time_to_ns(now) - llmsim_time_to_ns(since));
}

/* Steps of a run that lie outside the range that the cost model's profile measured. Those that
 * decode read n_seqs more context tokens each, so those inside are an interval. */
static uint64_t count_outside(const struct llmsim_profile_range *range,
                              const struct llmsim_step_run *steps)
{
    const struct llmsim_step_shape *shape = &steps->shape;
    uint64_t n_seqs = shape->decode_seqs, context = shape->context_tokens;
    bool prefills = shape->prefill_seqs > 0;
    if (!llmsim_profile_is_known(range))
        return 0;
    if (prefills && (shape->prefill_tokens < range->min_prefill_tokens ||
                     shape->prefill_tokens > range->max_prefill_tokens ||
                     shape->longest_context > range->max_longest_context))
        return steps->n_steps;
    if (n_seqs == 0)
        return 0;
    if ((prefills && !range->mixed) || n_seqs < range->min_decode_seqs ||
        n_seqs > range->max_decode_seqs || context > range->max_context_tokens)
        return steps->n_steps;
    uint64_t n_below = context < range->min_context_tokens
                           ? (range->min_context_tokens - context + n_seqs - 1) / n_seqs
                           : 0;
    uint64_t n_to_end = (range->max_context_tokens - context) / n_seqs + 1;
    n_to_end = n_to_end < steps->n_steps ? n_to_end : steps->n_steps;
    return steps->n_steps - (n_to_end > n_below ? n_to_end - n_below : 0);
}

static enum llmsim_status summary_steps(void *self, const struct llmsim_step_run *steps,
                                        struct llmsim_error *err)
{
    struct llmsim_summary *s = self;
    struct llmsim_stat *itl = &s->itl;
    (void)err;
    if (steps->is_reported)
        s->n_steps_outside_profile += count_outside(&s->profile, steps);
    if (steps->shape.decode_seqs == 0 || steps->n_reported == 0)
        return LLMSIM_OK;
    llmsim_time first_end = steps->start + steps->durations.first;
    uint32_t n_steady = steps->n_reported;
    for (size_t i = 0; i < steps->n_gaps; i++) {
        count_gap(itl, steps->gaps[i].since, first_end, steps->gaps[i].n_seqs);
        n_steady -= steps->gaps[i].n_seqs;
    }
    count_gap(itl, steps->previous_decode_end, first_end, n_steady);
    if (steps->n_steps > 1) {
        llmsim_stat_count_progression(
            itl, steps->durations.first + (llmsim_time)steps->durations.increment,
            steps->durations.increment, steps->n_steps - 1, steps->n_reported);
        widen_by_run(itl, steps, 1, steps->n_steps);
    }
    return LLMSIM_OK;
}

/* The share of a request's tokens in the ITL that its decode steps do not see. */
static void add_itl(struct llmsim_summary *s, const struct llmsim_result *r)
{
    if (r->n_tokens > 1)
        s->itl.sum += (uint64_t)(r->last_token_ns - r->first_token_ns);
    /* The gaps from a preemption to the token of the next prefill. */
    for (size_t i = 1; i < r->n_segments; i++) {
        if (r->segments[i].kind != LLMSIM_SEGMENT_PREFILL)
            continue;
        llmsim_stat_count(&s->itl, (uint64_t)r->segments[i].gap_ns, 1);
        widen(&s->itl, r->segments[i].gap_ns);
    }
}

static enum llmsim_status summary_request(void *self, const struct llmsim_result *r,
                                          struct llmsim_error *err)
{
    struct llmsim_summary *s = self;
    (void)err;
    s->outcomes[r->outcome]++;
    s->n_over_positions +=
        r->outcome != LLMSIM_OUTCOME_FAILED_IN_TRACE && s->max_positions > 0 &&
        (uint64_t)r->request.prompt_tokens + r->request.output_tokens > s->max_positions;
    add_itl(s, r);
    s->n_slo_undecided +=
        r->outcome == LLMSIM_OUTCOME_UNFINISHED && llmsim_slo_is_undecided(&s->slo, r);
    if (r->outcome != LLMSIM_OUTCOME_COMPLETED)
        return LLMSIM_OK;
    s->n_slo_met += llmsim_slo_is_met(&s->slo, r);
    llmsim_stat_add(&s->queue, (uint64_t)llmsim_result_queue_ns(r));
    llmsim_stat_add(&s->e2e, (uint64_t)llmsim_result_e2e_ns(r));
    if (llmsim_result_has_slowdown(r))
        llmsim_stat_add(&s->slowdown, r->slowdown_millionths);
    if (r->request.output_tokens > 0)
        llmsim_stat_add(&s->ttft, (uint64_t)llmsim_result_ttft_ns(r));
    if (r->request.output_tokens > 1)
        llmsim_stat_add(&s->tpot, (uint64_t)r->tpot_ns);
    return LLMSIM_OK;
}

static enum llmsim_status summary_end(void *self, const struct llmsim_totals *totals,
                                      struct llmsim_error *err)
{
    struct llmsim_summary *s = self;
    (void)err;
    s->totals = *totals;
    s->outcomes[LLMSIM_OUTCOME_OUTSIDE_WINDOW] = totals->n_outside_window;
    return LLMSIM_OK;
}

const struct llmsim_sink_ops llmsim_summary_sink_ops = {
    .name = "summary",
    .steps = summary_steps,
    .request = summary_request,
    .end = summary_end,
};
