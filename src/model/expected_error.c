/* expected_error.c: errors.json: what the methods of composing a cost were off on measured servers.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "json_file.h"
#include "llmsim/compose.h"

struct error_entry {
    unsigned runs;
    struct llmsim_expected_error error;
};

#define X(key)                                                                                     \
    {.name = #key,                                                                                 \
     .kind = LLMSIM_JSON_AMOUNT,                                                                   \
     .max = 1e6,                                                                                   \
     .offset = offsetof(struct error_entry, error.key)},
static const struct llmsim_json_key keys[] = {
    {.name = "runs",
     .kind = LLMSIM_JSON_COUNT,
     .max = 1e9,
     .offset = offsetof(struct error_entry, runs)},
    X(tpot_median_percent) X(tpot_p90_percent) X(ttft_median_percent) X(ttft_p90_percent)
        LLMSIM_JSON_KEY_END,
};
#undef X

enum llmsim_status llmsim_expected_error(const char *data_dir, const char *method, const char *kind,
                                         struct llmsim_expected_error *expected,
                                         struct llmsim_error *err)
{
    char dir[LLMSIM_ERROR_FILE_MAX], path[LLMSIM_ERROR_FILE_MAX + 16], name[64];
    struct llmsim_json json;
    struct error_entry entry = {.runs = 0};
    *expected = entry.error;
    enum llmsim_status status = llmsim_catalogue_find_dir(data_dir, dir, sizeof dir, err);
    if (status != LLMSIM_OK)
        return status;
    (void)snprintf(path, sizeof path, "%s/errors.json", dir);
    if (access(path, F_OK) != 0)
        return LLMSIM_OK;
    status = llmsim_json_load(&json, path, err);
    if (status != LLMSIM_OK)
        return status;
    (void)snprintf(name, sizeof name, "%s %s", method, kind);
    const cJSON *object = cJSON_GetObjectItemCaseSensitive(json.root, name);
    if (object != NULL && !cJSON_IsObject(object))
        status = llmsim_json_fail(&json, object, err, "expected an object, {…}");
    else if (object != NULL)
        status = llmsim_json_read(&json, object, keys, LLMSIM_JSON_REFUSE_UNKNOWN, &entry, err);
    if (status == LLMSIM_OK)
        *expected = entry.error;
    llmsim_json_fini(&json);
    return status;
}
