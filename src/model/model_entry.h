/* model_entry.h: an entry of model.json, from and to JSON. */
#ifndef LLMSIM_MODEL_MODEL_ENTRY_H
#define LLMSIM_MODEL_MODEL_ENTRY_H

#include "json_file.h"
#include "llmsim/catalogue.h"

/* All but the name. LLMSIM_CATALOGUE at the entry's place. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_model_entry_read(const struct llmsim_json *json,
                                                             const cJSON *entry,
                                                             struct llmsim_model *model,
                                                             struct llmsim_error *err);

/* The same as a tree that the caller deletes; NULL without memory. */
cJSON *llmsim_model_entry_make(const struct llmsim_model *model);

#endif
