#include "llmsim/expense.h"

#define JOULES_PER_KWH 3.6e6

static double per(double amount, uint64_t count)
{
    return count > 0 ? amount / (double)count : 0;
}

struct llmsim_expense llmsim_expense(const struct llmsim_totals *t, uint64_t n_gpus,
                                     const struct llmsim_gpu_price *price)
{
    struct llmsim_expense e = {.gpu_hours = (double)n_gpus * llmsim_totals_makespan_s(t) / 3600};
    e.usd = e.gpu_hours * price->usd_per_hour;
    e.usd_per_million_output_tokens = per(1e6 * e.usd, t->output_tokens);
    e.usd_per_million_tokens = per(1e6 * e.usd, t->prompt_tokens + t->output_tokens);
    e.kwh_at_most = e.gpu_hours * price->watts / 1000;
    if (e.kwh_at_most > 0)
        e.output_tokens_per_joule_at_least =
            (double)t->output_tokens / (e.kwh_at_most * JOULES_PER_KWH);
    return e;
}
