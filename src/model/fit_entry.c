/* fit_entry.c: the tables behind an entry with fitted coefficients; docs/catalogues.md. */
#include "fit_entry.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "llmsim/cost.h"

/* The members of an entry. */
struct parts {
    double ptps;
    const cJSON *coefficients, *range, *diagnostics;
    char profile_sha256[LLMSIM_MAX_NAME + 1];
};

static const struct llmsim_json_key part_keys[] = {
    {.name = "ptps",
     .kind = LLMSIM_JSON_POSITIVE,
     .optional = true,
     .max = LLMSIM_MAX_PTPS,
     .offset = offsetof(struct parts, ptps)},
    {.name = "coefficients",
     .kind = LLMSIM_JSON_OBJECT,
     .optional = true,
     .offset = offsetof(struct parts, coefficients)},
    {.name = "range",
     .kind = LLMSIM_JSON_OBJECT,
     .optional = true,
     .offset = offsetof(struct parts, range)},
    {.name = "diagnostics",
     .kind = LLMSIM_JSON_OBJECT,
     .optional = true,
     .offset = offsetof(struct parts, diagnostics)},
    {.name = "profile_sha256",
     .kind = LLMSIM_JSON_NAME,
     .optional = true,
     .offset = offsetof(struct parts, profile_sha256)},
    LLMSIM_JSON_KEY_END,
};

/* The bounds of each are checked where the cost model is made of them. */
static const struct llmsim_json_key coefficient_keys[] = {
#define X(member)                                                                                  \
    {.name = #member,                                                                              \
     .kind = LLMSIM_JSON_AMOUNT,                                                                   \
     .max = 1e12,                                                                                  \
     .offset = offsetof(struct llmsim_fitted, member)},
    LLMSIM_FITTED_LIST(X)
#undef X
        LLMSIM_JSON_KEY_END,
};

#define RANGE_KEY(member)                                                                          \
    {                                                                                              \
        .name = #member, .kind = LLMSIM_JSON_WHOLE, .max = LLMSIM_JSON_MAX_WHOLE,                  \
        .offset = offsetof(struct llmsim_profile_range, member)                                    \
    }
static const struct llmsim_json_key range_keys[] = {
    RANGE_KEY(min_prefill_tokens),
    RANGE_KEY(max_prefill_tokens),
    RANGE_KEY(min_decode_seqs),
    RANGE_KEY(max_decode_seqs),
    RANGE_KEY(min_context_tokens),
    RANGE_KEY(max_context_tokens),
    RANGE_KEY(max_longest_context),
    {.name = "mixed",
     .kind = LLMSIM_JSON_FLAG,
     .offset = offsetof(struct llmsim_profile_range, mixed)},
    LLMSIM_JSON_KEY_END,
};

#define DIAGNOSTIC_KEY(member, of_kind, most)                                                      \
    {                                                                                              \
        .name = #member, .kind = of_kind, .max = most,                                             \
        .offset = offsetof(struct llmsim_fit_diagnostics, member)                                  \
    }
static const struct llmsim_json_key diagnostic_keys[] = {
    DIAGNOSTIC_KEY(measurements, LLMSIM_JSON_WHOLE, LLMSIM_JSON_MAX_WHOLE),
    DIAGNOSTIC_KEY(r_squared, LLMSIM_JSON_AMOUNT, 1),
    DIAGNOSTIC_KEY(mape_percent, LLMSIM_JSON_AMOUNT, 1e300),
    DIAGNOSTIC_KEY(p95_percent, LLMSIM_JSON_AMOUNT, 1e300),
    DIAGNOSTIC_KEY(worst_percent, LLMSIM_JSON_AMOUNT, 1e300),
    DIAGNOSTIC_KEY(held_out_mape_percent, LLMSIM_JSON_AMOUNT, 1e300),
    DIAGNOSTIC_KEY(held_out_measurements, LLMSIM_JSON_WHOLE, LLMSIM_JSON_MAX_WHOLE),
    DIAGNOSTIC_KEY(condition_number, LLMSIM_JSON_AMOUNT, 1e300),
    LLMSIM_JSON_KEY_END,
};

unsigned llmsim_fit_entry_size(const cJSON *member)
{
    const char *text = member->string;
    size_t length = strlen(text);
    if (length < 1 || length > 4 || text[0] == '0' || strspn(text, "0123456789") != length)
        return 0;
    unsigned long size = strtoul(text, NULL, 10);
    return size <= LLMSIM_MAX_TENSOR_PARALLEL_SIZE ? (unsigned)size : 0;
}

static enum llmsim_status read_coefficients(const struct llmsim_json *json,
                                            const struct parts *parts, struct llmsim_fit *fit,
                                            struct llmsim_error *err)
{
    struct llmsim_cost cost;
    struct llmsim_error fault;
    enum llmsim_status status =
        llmsim_json_read(json, parts->coefficients, coefficient_keys, LLMSIM_JSON_REFUSE_UNKNOWN,
                         &fit->coefficients, err);
    if (status != LLMSIM_OK)
        return status;
    if (llmsim_cost_init_fitted(&cost, fit, &fault) != LLMSIM_OK)
        return llmsim_json_fail(json, parts->coefficients, err, "%s", fault.message);
    fit->has_coefficients = true;
    return LLMSIM_OK;
}

enum llmsim_status llmsim_fit_entry_read(const struct llmsim_json *json, const cJSON *entry,
                                         struct llmsim_fit *fit, struct llmsim_error *err)
{
    struct parts parts = {.ptps = 0};
    *fit = (struct llmsim_fit){.has_coefficients = false};
    enum llmsim_status status =
        llmsim_json_read(json, entry, part_keys, LLMSIM_JSON_REFUSE_UNKNOWN, &parts, err);
    if (status != LLMSIM_OK)
        return status;
    fit->ptps_tokens_per_s = parts.ptps;
    if (parts.coefficients == NULL && parts.ptps <= 0)
        return llmsim_json_fail(json, entry, err, "expected \"ptps\", \"coefficients\" or both");
    size_t n_hex = strspn(parts.profile_sha256, "0123456789abcdef");
    if (parts.profile_sha256[n_hex] != '\0' || (n_hex != 0 && n_hex != LLMSIM_SHA256_HEX))
        return llmsim_json_fail(json, entry, err,
                                "\"profile_sha256\": expected 64 digits of 0 to 9 and a to f");
    memcpy(fit->profile_sha256, parts.profile_sha256, n_hex + 1);
    if (parts.coefficients != NULL)
        status = read_coefficients(json, &parts, fit, err);
    if (status == LLMSIM_OK && parts.range != NULL)
        status = llmsim_json_read(json, parts.range, range_keys, LLMSIM_JSON_REFUSE_UNKNOWN,
                                  &fit->range, err);
    fit->has_diagnostics = parts.diagnostics != NULL;
    if (status == LLMSIM_OK && fit->has_diagnostics)
        status = llmsim_json_read(json, parts.diagnostics, diagnostic_keys,
                                  LLMSIM_JSON_REFUSE_UNKNOWN, &fit->diagnostics, err);
    return status;
}

/* An object with a member for each row of a table, from the struct that the table reads into. */
static bool add_by_keys(cJSON *parent, const char *name, const struct llmsim_json_key *keys,
                        const void *source)
{
    cJSON *object = cJSON_AddObjectToObject(parent, name);
    bool all = object != NULL;
    for (const struct llmsim_json_key *key = keys; key->name != NULL; key++) {
        const char *at = (const char *)source + key->offset;
        const cJSON *added = NULL;
        if (key->kind == LLMSIM_JSON_FLAG)
            added = cJSON_AddBoolToObject(object, key->name, *(const bool *)at);
        else if (key->kind == LLMSIM_JSON_WHOLE)
            added = cJSON_AddNumberToObject(object, key->name, (double)*(const uint64_t *)at);
        else
            added = cJSON_AddNumberToObject(object, key->name, *(const double *)at);
        all = all && added != NULL;
    }
    return all;
}

cJSON *llmsim_fit_entry_make(const struct llmsim_fit *fit)
{
    cJSON *entry = cJSON_CreateObject();
    bool all = entry != NULL;
    if (fit->ptps_tokens_per_s > 0)
        all = cJSON_AddNumberToObject(entry, "ptps", fit->ptps_tokens_per_s) != NULL && all;
    if (fit->has_coefficients)
        all = add_by_keys(entry, "coefficients", coefficient_keys, &fit->coefficients) &&
              add_by_keys(entry, "range", range_keys, &fit->range) && all;
    if (fit->has_diagnostics)
        all = add_by_keys(entry, "diagnostics", diagnostic_keys, &fit->diagnostics) && all;
    if (fit->profile_sha256[0] != '\0')
        all = cJSON_AddStringToObject(entry, "profile_sha256", fit->profile_sha256) != NULL && all;
    if (all)
        return entry;
    cJSON_Delete(entry);
    return NULL;
}

cJSON *llmsim_fit_entry_make_plain(double ptps_tokens_per_s)
{
    cJSON *sizes = cJSON_CreateObject();
    cJSON *entry = cJSON_AddObjectToObject(sizes, "1");
    if (cJSON_AddNumberToObject(entry, "ptps", ptps_tokens_per_s) != NULL)
        return sizes;
    cJSON_Delete(sizes);
    return NULL;
}
