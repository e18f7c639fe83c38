/* kernels.c: reading the files of data/kernels. */
#include "llmsim/kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_file.h"
#include "kernel_kinds.h"
#include "kernels_file.h"
#include "llmsim/catalogue.h"

#define MAX_TEXT (LLMSIM_MAX_NAME + 1)

struct kernel_entry {
    enum kernel_kind_row kind;
    char variant[KERNEL_MAX_VARIANT];
    struct llmsim_lattice lattice;
};

struct llmsim_kernels {
    char system[MAX_TEXT], gpu[MAX_TEXT], engine[MAX_TEXT], version[MAX_TEXT];
    struct llmsim_peaks peaks;
    struct kernel_entry *entries;
    size_t n_entries;
};

/* ---- reading ---- */

struct file_head {
    unsigned schema;
    char system[MAX_TEXT], gpu[MAX_TEXT], engine[MAX_TEXT], version[MAX_TEXT];
    char source[MAX_TEXT], license[MAX_TEXT];
    double memory_bw, bf16_tflops, fp8_tflops, fp4_tflops, cache_mb;
    const cJSON *kernels;
};

static const struct llmsim_json_key head_keys[] = {
    {.name = "schema",
     .kind = LLMSIM_JSON_COUNT,
     .max = 1000,
     .offset = offsetof(struct file_head, schema)},
    {.name = "system", .kind = LLMSIM_JSON_NAME, .offset = offsetof(struct file_head, system)},
    {.name = "gpu", .kind = LLMSIM_JSON_NAME, .offset = offsetof(struct file_head, gpu)},
    {.name = "engine", .kind = LLMSIM_JSON_NAME, .offset = offsetof(struct file_head, engine)},
    {.name = "engine_version",
     .kind = LLMSIM_JSON_NAME,
     .offset = offsetof(struct file_head, version)},
    {.name = "source", .kind = LLMSIM_JSON_NAME, .offset = offsetof(struct file_head, source)},
    {.name = "license", .kind = LLMSIM_JSON_NAME, .offset = offsetof(struct file_head, license)},
    {.name = "memory_bw",
     .kind = LLMSIM_JSON_POSITIVE,
     .max = 1e6,
     .offset = offsetof(struct file_head, memory_bw)},
    {.name = "bf16_tflops",
     .kind = LLMSIM_JSON_POSITIVE,
     .max = 1e6,
     .offset = offsetof(struct file_head, bf16_tflops)},
    {.name = "fp8_tflops",
     .kind = LLMSIM_JSON_AMOUNT,
     .max = 1e6,
     .offset = offsetof(struct file_head, fp8_tflops)},
    {.name = "fp4_tflops",
     .kind = LLMSIM_JSON_AMOUNT,
     .max = 1e6,
     .offset = offsetof(struct file_head, fp4_tflops)},
    {.name = "cache_mb",
     .kind = LLMSIM_JSON_AMOUNT,
     .max = 1e6,
     .optional = true,
     .offset = offsetof(struct file_head, cache_mb)},
    {.name = "kernels", .kind = LLMSIM_JSON_ARRAY, .offset = offsetof(struct file_head, kernels)},
    LLMSIM_JSON_KEY_END,
};

struct file_entry {
    char kernel[MAX_TEXT], variant[MAX_TEXT];
    const cJSON *axes, *values, *held_out;
    uint64_t rows;
};

static const struct llmsim_json_key entry_keys[] = {
    {.name = "kernel", .kind = LLMSIM_JSON_NAME, .offset = offsetof(struct file_entry, kernel)},
    {.name = "variant", .kind = LLMSIM_JSON_NAME, .offset = offsetof(struct file_entry, variant)},
    {.name = "rows",
     .kind = LLMSIM_JSON_WHOLE,
     .max = 1e9,
     .offset = offsetof(struct file_entry, rows)},
    {.name = "held_out",
     .kind = LLMSIM_JSON_OBJECT,
     .optional = true,
     .offset = offsetof(struct file_entry, held_out)},
    {.name = "axes", .kind = LLMSIM_JSON_OBJECT, .offset = offsetof(struct file_entry, axes)},
    {.name = "values", .kind = LLMSIM_JSON_ARRAY, .offset = offsetof(struct file_entry, values)},
    LLMSIM_JSON_KEY_END,
};

static enum llmsim_status read_axis(const struct llmsim_json *json, const cJSON *axis,
                                    struct llmsim_lattice *lattice, struct llmsim_error *err)
{
    double nodes[LLMSIM_LATTICE_MAX_NODES];
    unsigned n = 0;
    const cJSON *node;
    if (!cJSON_IsArray(axis) || lattice->n_axes == LLMSIM_LATTICE_MAX_AXES)
        return llmsim_json_fail(json, axis, err, "expected at most %d axes, arrays of numbers",
                                LLMSIM_LATTICE_MAX_AXES);
    cJSON_ArrayForEach(node, axis)
    {
        bool fits = cJSON_IsNumber(node) && n < LLMSIM_LATTICE_MAX_NODES &&
                    node->valuedouble >= 1e-9 && node->valuedouble <= 1e15 &&
                    (n == 0 || node->valuedouble > nodes[n - 1]);
        if (!fits)
            return llmsim_json_fail(json, node, err,
                                    "expected at most %d ascending numbers from 1e-9 to 1e15",
                                    LLMSIM_LATTICE_MAX_NODES);
        nodes[n++] = node->valuedouble;
    }
    if (n == 0)
        return llmsim_json_fail(json, axis, err, "the axis has no nodes; expected one at least");
    llmsim_lattice_add_axis(lattice, nodes, n);
    return LLMSIM_OK;
}

static enum llmsim_status read_values(const struct llmsim_json *json, const cJSON *values,
                                      struct llmsim_lattice *lattice, struct llmsim_error *err)
{
    size_t i = 0;
    const cJSON *value;
    if ((size_t)cJSON_GetArraySize(values) != lattice->n_values)
        return llmsim_json_fail(json, values, err, "%d values; expected %zu, as the axes say",
                                cJSON_GetArraySize(values), lattice->n_values);
    cJSON_ArrayForEach(value, values)
    {
        if (!cJSON_IsNumber(value) || !(fabs(value->valuedouble) <= 20 * KERNELS_VALUE_UNITS))
            return llmsim_json_fail(json, value, err, "expected a number from -%d to %d",
                                    20 * KERNELS_VALUE_UNITS, 20 * KERNELS_VALUE_UNITS);
        lattice->values[i++] = value->valuedouble / KERNELS_VALUE_UNITS;
    }
    return LLMSIM_OK;
}

/* Do the axes of the file have the names and the order that the program looks things up by? */
static enum llmsim_status check_axis_names(const struct llmsim_json *json, const cJSON *axes,
                                           const struct kernel_kind *kind, struct llmsim_error *err)
{
    size_t a = 0;
    const cJSON *axis;
    cJSON_ArrayForEach(axis, axes)
    {
        if (a == LLMSIM_LATTICE_MAX_AXES || kind->axes[a].name == NULL ||
            strcmp(axis->string, kind->axes[a].name) != 0)
            return llmsim_json_fail(
                json, axis, err, "axis %s of %s; expected %s", axis->string, kind->name,
                a < LLMSIM_LATTICE_MAX_AXES && kind->axes[a].name != NULL ? kind->axes[a].name
                                                                          : "no more");
        a++;
    }
    if (a < LLMSIM_LATTICE_MAX_AXES && kind->axes[a].name != NULL)
        return llmsim_json_fail(json, axes, err, "%s has no axis %s", kind->name,
                                kind->axes[a].name);
    return LLMSIM_OK;
}

static enum llmsim_status read_entry(const struct llmsim_json *json, const cJSON *object,
                                     struct kernel_entry *entry, struct llmsim_error *err)
{
    struct file_entry file = {.rows = 0};
    if (!cJSON_IsObject(object))
        return llmsim_json_fail(json, object, err, "expected an object, {…}");
    enum llmsim_status status =
        llmsim_json_read(json, object, entry_keys, LLMSIM_JSON_REFUSE_UNKNOWN, &file, err);
    if (status != LLMSIM_OK)
        return status;
    while (entry->kind < N_KERNEL_KINDS && strcmp(kernel_kinds[entry->kind].name, file.kernel) != 0)
        entry->kind++;
    if (entry->kind == N_KERNEL_KINDS || strlen(file.variant) >= sizeof entry->variant)
        return llmsim_json_fail(json, object, err, "no kernel has the name '%s', variant '%s'",
                                file.kernel, file.variant);
    memcpy(entry->variant, file.variant, strlen(file.variant) + 1);
    status = check_axis_names(json, file.axes, &kernel_kinds[entry->kind], err);
    const cJSON *axis;
    cJSON_ArrayForEach(axis, file.axes)
    {
        if (status == LLMSIM_OK)
            status = read_axis(json, axis, &entry->lattice, err);
    }
    if (status == LLMSIM_OK)
        status = llmsim_lattice_alloc(&entry->lattice, err);
    if (status == LLMSIM_OK)
        status = read_values(json, file.values, &entry->lattice, err);
    return status;
}

static enum llmsim_status read_file(const struct llmsim_json *json, struct llmsim_kernels *k,
                                    struct llmsim_error *err)
{
    struct file_head head = {.schema = 0};
    enum llmsim_status status =
        llmsim_json_read(json, json->root, head_keys, LLMSIM_JSON_REFUSE_UNKNOWN, &head, err);
    if (status != LLMSIM_OK)
        return status;
    if (head.schema != KERNELS_SCHEMA)
        return llmsim_json_fail(json, json->root, err,
                                "schema %u; this version reads %d: make the file anew with "
                                "llmsim fit kernels, or update llmsim",
                                head.schema, KERNELS_SCHEMA);
    memcpy(k->system, head.system, sizeof k->system);
    memcpy(k->gpu, head.gpu, sizeof k->gpu);
    memcpy(k->engine, head.engine, sizeof k->engine);
    memcpy(k->version, head.version, sizeof k->version);
    k->peaks =
        (struct llmsim_peaks){head.memory_bw * 1e9, head.bf16_tflops * 1e12, head.fp8_tflops * 1e12,
                              head.fp4_tflops * 1e12, head.cache_mb * 1e6};
    size_t n = (size_t)cJSON_GetArraySize(head.kernels);
    k->entries = calloc(n + 1, sizeof *k->entries);
    if (k->entries == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    const cJSON *object;
    cJSON_ArrayForEach(object, head.kernels)
    {
        if (status == LLMSIM_OK)
            status = read_entry(json, object, &k->entries[k->n_entries++], err);
    }
    return status;
}

enum llmsim_status llmsim_kernels_open(const char *data_dir, const char *system, const char *engine,
                                       struct llmsim_kernels **kernels, struct llmsim_error *err)
{
    char dir[LLMSIM_ERROR_FILE_MAX], path[LLMSIM_ERROR_FILE_MAX + 2 * MAX_TEXT];
    struct llmsim_json json;
    *kernels = NULL;
    enum llmsim_status status = llmsim_catalogue_find_dir(data_dir, dir, sizeof dir, err);
    if (status != LLMSIM_OK)
        return status;
    (void)snprintf(path, sizeof path, "%s/kernels/%s_%s.json", dir, system, engine);
    status = llmsim_json_load(&json, path, err);
    if (status != LLMSIM_OK)
        return status;
    struct llmsim_kernels *k = calloc(1, sizeof *k);
    status =
        k != NULL ? read_file(&json, k, err) : llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    llmsim_json_fini(&json);
    if (status != LLMSIM_OK)
        llmsim_kernels_close(k);
    else
        *kernels = k;
    return status;
}

void llmsim_kernels_close(struct llmsim_kernels *kernels)
{
    if (kernels == NULL)
        return;
    for (size_t i = 0; i < kernels->n_entries; i++)
        llmsim_lattice_fini(&kernels->entries[i].lattice);
    free(kernels->entries);
    free(kernels);
}

const char *llmsim_kernels_system(const struct llmsim_kernels *kernels)
{
    return kernels->system;
}

const char *llmsim_kernels_gpu(const struct llmsim_kernels *kernels)
{
    return kernels->gpu;
}

const char *llmsim_kernels_engine(const struct llmsim_kernels *kernels)
{
    return kernels->engine;
}

const char *llmsim_kernels_version(const struct llmsim_kernels *kernels)
{
    return kernels->version;
}

const struct llmsim_peaks *llmsim_kernels_peaks(const struct llmsim_kernels *kernels)
{
    return &kernels->peaks;
}

const struct llmsim_lattice *llmsim_kernels_find(const struct llmsim_kernels *kernels,
                                                 enum kernel_kind_row kind, const char *variant)
{
    for (size_t i = 0; kernels != NULL && i < kernels->n_entries; i++)
        if (kernels->entries[i].kind == kind && strcmp(kernels->entries[i].variant, variant) == 0)
            return &kernels->entries[i].lattice;
    return NULL;
}
