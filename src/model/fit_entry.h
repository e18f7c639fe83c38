/* fit_entry.h: an entry of ptps.json with fitted coefficients, from and to JSON. */
#ifndef LLMSIM_MODEL_FIT_ENTRY_H
#define LLMSIM_MODEL_FIT_ENTRY_H

#include "json_file.h"
#include "llmsim/fitted.h"

/* Is the member's key a tensor parallel size: "1", "2", …? 0: it is not. */
unsigned llmsim_fit_entry_size(const cJSON *member);

/* The value of such a member. LLMSIM_CATALOGUE at its place. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_fit_entry_read(const struct llmsim_json *json,
                                                           const cJSON *entry,
                                                           struct llmsim_fit *fit,
                                                           struct llmsim_error *err);

/* The same as a tree that the caller deletes; NULL without memory. */
cJSON *llmsim_fit_entry_make(const struct llmsim_fit *fit);

/* {"1": {"ptps": …}}, as which a plain number is meant. NULL without memory. */
cJSON *llmsim_fit_entry_make_plain(double ptps_tokens_per_s);

#endif
