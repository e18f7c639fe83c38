/* safetensors_size.c: the bytes of a model's weights, from the index or the header of its files. */
#include "safetensors_size.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail_errno.h"
#include "json_file.h"

/* An index: {"metadata": {"total_size": BYTES}, "weight_map": …}. */
static enum llmsim_status size_from_index(const char *path, uint64_t *bytes,
                                          struct llmsim_error *err)
{
    static const struct llmsim_json_key keys[] = {
        {.name = "total_size", .kind = LLMSIM_JSON_BYTES},
        LLMSIM_JSON_KEY_END,
    };
    struct llmsim_json json;
    enum llmsim_status status = llmsim_json_load(&json, path, err);
    if (status != LLMSIM_OK)
        return status;
    const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(json.root, "metadata");
    if (metadata == NULL)
        status = llmsim_json_fail(&json, json.root, err, "key \"metadata\" is missing");
    else
        status = llmsim_json_read(&json, metadata, keys, LLMSIM_JSON_SKIP_UNKNOWN, bytes, err);
    llmsim_json_fini(&json);
    return status;
}

/* The header: its length in 8 bytes, least significant first, and that many bytes of JSON. */
static enum llmsim_status read_header(const char *path, char **text, size_t *length,
                                      struct llmsim_error *err)
{
    const uint64_t max_length = 100000000; /* the format's own limit */
    unsigned char prefix[8];
    enum llmsim_status status = LLMSIM_OK;
    uint64_t n = 0;
    *text = NULL;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return llmsim_fail_errno(err, path, "open", errno);
    if (fread(prefix, 1, sizeof prefix, file) == sizeof prefix)
        for (size_t i = sizeof prefix; i > 0; i--)
            n = n << 8 | prefix[i - 1];
    if (n == 0 || n > max_length)
        status = llmsim_fail_at(err, LLMSIM_CATALOGUE, path, 0, 0,
                                "not a safetensors file: its header's length is not in 1 to %llu",
                                (unsigned long long)max_length);
    else if ((*text = calloc(n + 1, 1)) == NULL)
        status = llmsim_fail_at(err, LLMSIM_RUN_FAILED, path, 0, 0, "out of memory");
    else if (fread(*text, 1, n, file) != n)
        status = llmsim_fail_at(err, LLMSIM_CATALOGUE, path, 0, 0,
                                "the safetensors header of %llu bytes is not complete",
                                (unsigned long long)n);
    (void)fclose(file);
    if (status != LLMSIM_OK) {
        free(*text);
        *text = NULL;
    }
    *length = n;
    return status;
}

/* The header's tensors: {NAME: {"data_offsets": [BEGIN, END], …}, …}. */
static enum llmsim_status sum_tensors(const struct llmsim_json *json, uint64_t *bytes,
                                      struct llmsim_error *err)
{
    static const struct llmsim_json_key keys[] = {
        {.name = "data_offsets", .kind = LLMSIM_JSON_INDICES, .max = LLMSIM_JSON_MAX_WHOLE},
        LLMSIM_JSON_KEY_END,
    };
    const cJSON *tensor, *offsets;
    *bytes = 0;
    if (!cJSON_IsObject(json->root))
        return llmsim_json_fail(json, json->root, err, "expected an object, {…}");
    cJSON_ArrayForEach(tensor, json->root)
    {
        if (strcmp(tensor->string, "__metadata__") == 0)
            continue;
        enum llmsim_status status =
            llmsim_json_read(json, tensor, keys, LLMSIM_JSON_SKIP_UNKNOWN, &offsets, err);
        if (status != LLMSIM_OK)
            return status;
        if (cJSON_GetArraySize(offsets) != 2 ||
            offsets->child->valuedouble > offsets->child->next->valuedouble)
            return llmsim_json_fail(json, offsets, err,
                                    "\"%.127s\": expected \"data_offsets\": [BEGIN, END]",
                                    tensor->string);
        *bytes += (uint64_t)(offsets->child->next->valuedouble - offsets->child->valuedouble);
    }
    return LLMSIM_OK;
}

static enum llmsim_status size_from_header(const char *path, uint64_t *bytes,
                                           struct llmsim_error *err)
{
    struct llmsim_json json;
    char *text = NULL;
    size_t length = 0;
    enum llmsim_status status = read_header(path, &text, &length, err);
    if (status == LLMSIM_OK)
        status = llmsim_json_parse(&json, path, text, length, err);
    if (status != LLMSIM_OK)
        return status;
    status = sum_tensors(&json, bytes, err);
    llmsim_json_fini(&json);
    return status;
}

/* model-00001-of-00004.safetensors and the like hold a part of the weights. */
static bool is_shard(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *of = strstr(slash != NULL ? slash : path, "-of-");
    return of != NULL && strtoul(of + 4, NULL, 10) > 1;
}

enum llmsim_status llmsim_safetensors_size(const char *path, uint64_t *bytes,
                                           struct llmsim_error *err)
{
    size_t length = strlen(path);
    enum llmsim_status status;
    if (length > 5 && strcmp(path + length - 5, ".json") == 0)
        status = size_from_index(path, bytes, err);
    else if (is_shard(path))
        status = llmsim_fail_at(err, LLMSIM_CATALOGUE, path, 0, 0,
                                "one of several files; give their index, *.safetensors.index.json");
    else
        status = size_from_header(path, bytes, err);
    if (status == LLMSIM_OK && *bytes == 0)
        return llmsim_fail_at(err, LLMSIM_CATALOGUE, path, 0, 0, "the weights have no bytes");
    return status;
}
