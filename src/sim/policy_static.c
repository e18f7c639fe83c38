/* policy_static.c: request-level batching. A batch is formed from those waiting when the running
 * set is empty, and nobody joins until all of it is done. */
#include "policy.h"

static bool admits(const struct boundary *b)
{
    return b->n_decoding == 0;
}

static void form(struct boundary *b)
{
    if (admits(b)) {
        llmsim_policy_prefill_or_decode(b);
        return;
    }
    llmsim_policy_begin_step(b);
    b->decodes = true;
}

const struct policy llmsim_policy_static = {
    .choice = {"static", "take a batch, finish all of it, only then take the next"},
    .form = form,
    .admits = admits,
};
