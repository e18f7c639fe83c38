/* catalogue.c: gpu.json, model.json and ptps.json. */
#include "llmsim/catalogue.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "directory.h"
#include "fit_entry.h"
#include "json_file.h"
#include "llmsim/cost.h"
#include "llmsim/nearest.h"
#include "model_entry.h"
#include "name_table.h"
#include "output.h"
#include "utf8.h"

/* Names that an error lists. */
#define MAX_LISTED 5

struct gpu_entry {
    struct llmsim_gpu gpu;
    const cJSON *aliases; /* array of strings, or NULL */
};

/* The trees stay: aliases and ptps are read from them. */
struct llmsim_catalogue {
    struct llmsim_json gpu_json, model_json, ptps_json;
    struct gpu_entry *gpus;
    struct llmsim_model *models;
    size_t n_gpus, n_models;
    struct llmsim_name_table gpu_names, aliases; /* of struct gpu_entry */
    struct llmsim_name_table model_names;        /* of struct llmsim_model */
};

/* ---- the files ---- */

static const struct llmsim_json_key gpu_keys[] = {
    {.name = "memory_cap",
     .kind = LLMSIM_JSON_POSITIVE,
     .max = 1e6,
     .offset = offsetof(struct gpu_entry, gpu.memory_cap_GB)},
    {.name = "memory_bw",
     .kind = LLMSIM_JSON_POSITIVE,
     .max = 1e6,
     .offset = offsetof(struct gpu_entry, gpu.memory_bw_GBps)},
    {.name = "memory_bw_util",
     .kind = LLMSIM_JSON_POSITIVE,
     .max = 100,
     .offset = offsetof(struct gpu_entry, gpu.memory_bw_util_percent)},
    {.name = "aliases",
     .kind = LLMSIM_JSON_NAMES,
     .optional = true,
     .offset = offsetof(struct gpu_entry, aliases)},
#define X(key)                                                                                     \
    {.name = #key,                                                                                 \
     .kind = LLMSIM_JSON_POSITIVE,                                                                 \
     .optional = true,                                                                             \
     .max = 1e6,                                                                                   \
     .offset = offsetof(struct gpu_entry, gpu.key)},
    LLMSIM_GPU_OPTIONAL_LIST(X)
#undef X
        {.name = "kernels_like",
         .kind = LLMSIM_JSON_NAME,
         .optional = true,
         .offset = offsetof(struct gpu_entry, gpu.kernels_like)},
    LLMSIM_JSON_KEY_END,
};

static bool is_ptps(const cJSON *value)
{
    return cJSON_IsNumber(value) && value->valuedouble > 0 && value->valuedouble <= LLMSIM_MAX_PTPS;
}

static enum llmsim_status out_of_memory(struct llmsim_error *err)
{
    return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
}

/* DIR/FILE. */
static enum llmsim_status join_path(const char *dir, const char *file, char *path, size_t capacity,
                                    struct llmsim_error *err)
{
    int n = snprintf(path, capacity, "%s/%s", dir, file);
    if (n < 0 || (size_t)n >= capacity)
        return llmsim_fail(err, LLMSIM_USAGE, "the path %.40s… is too long", dir);
    return LLMSIM_OK;
}

static bool has_file(const char *dir, const char *file)
{
    char path[LLMSIM_ERROR_FILE_MAX];
    return join_path(dir, file, path, sizeof path, NULL) == LLMSIM_OK && access(path, F_OK) == 0;
}

static bool has_gpu_json(const char *dir)
{
    return has_file(dir, "gpu.json");
}

enum llmsim_status llmsim_catalogue_find_dir(const char *data_dir, char *path, size_t capacity,
                                             struct llmsim_error *err)
{
    const char *variable = getenv("LLMSIM_DATA");
    const char *named = data_dir;
    if (named == NULL && variable != NULL && variable[0] != '\0')
        named = variable;
    const char *dir;
    /* A directory that somebody named is the one or an error: another in its place would give
     * results from numbers that nobody asked for. */
    if (named != NULL && !has_gpu_json(named))
        return llmsim_fail(err, LLMSIM_CATALOGUE, "%s '%s' has no gpu.json",
                           data_dir != NULL ? "the data directory" : "LLMSIM_DATA:", named);
    if (named != NULL)
        dir = named;
    else if (has_gpu_json(LLMSIM_INSTALLED_DATA))
        dir = LLMSIM_INSTALLED_DATA;
    else if (has_gpu_json(LLMSIM_SOURCE_DATA))
        dir = LLMSIM_SOURCE_DATA;
    else
        return llmsim_fail(err, LLMSIM_CATALOGUE, "no gpu.json in %s nor in %s; name a directory",
                           LLMSIM_INSTALLED_DATA, LLMSIM_SOURCE_DATA);
    if (strlen(dir) >= capacity)
        return llmsim_fail(err, LLMSIM_USAGE, "the path %.40s… is too long", dir);
    memcpy(path, dir, strlen(dir) + 1);
    return LLMSIM_OK;
}

/* The name of an entry, which is also refused where it equals another's but for the case; `value`
 * is what it stands for. */
static enum llmsim_status read_name(const struct llmsim_json *json, const cJSON *entry,
                                    struct llmsim_name_table *names, const void *value,
                                    char name[static LLMSIM_MAX_NAME + 1], struct llmsim_error *err)
{
    size_t length = strlen(entry->string);
    if (length == 0 || length > LLMSIM_MAX_NAME)
        return llmsim_json_fail(json, entry, err, "a name has 1 to %d bytes, this one has %zu",
                                LLMSIM_MAX_NAME, length);
    if (!llmsim_utf8_is_plain(entry->string, length))
        return llmsim_json_fail(json, entry, err,
                                "the name \"%s\" is no plain text; expected one without control "
                                "characters",
                                entry->string);
    const struct llmsim_named *other = llmsim_name_table_add(names, entry->string, value);
    if (other != NULL)
        return llmsim_json_fail(json, entry, err,
                                "\"%s\" and \"%s\" differ in case only, which names ignore",
                                other->name, entry->string);
    memcpy(name, entry->string, length + 1);
    return LLMSIM_OK;
}

/* Load a file whose root has to be an object. */
static enum llmsim_status load_object_at(const char *path, struct llmsim_json *json,
                                         struct llmsim_error *err)
{
    enum llmsim_status status = llmsim_json_load(json, path, err);
    if (status == LLMSIM_OK && !cJSON_IsObject(json->root)) {
        status = llmsim_json_fail(json, json->root, err, "expected an object, {…}");
        llmsim_json_fini(json);
    }
    return status;
}

/* The same of DIR/FILE. */
static enum llmsim_status load_object(const char *dir, const char *file, struct llmsim_json *json,
                                      struct llmsim_error *err)
{
    char path[LLMSIM_ERROR_FILE_MAX];
    enum llmsim_status status = join_path(dir, file, path, sizeof path, err);
    if (status == LLMSIM_OK && !has_file(dir, file))
        status = llmsim_fail(err, LLMSIM_CATALOGUE, "the data directory '%s' has no %s", dir, file);
    if (status == LLMSIM_OK)
        status = load_object_at(path, json, err);
    return status;
}

static enum llmsim_status read_gpus(struct llmsim_catalogue *c, struct llmsim_error *err)
{
    const cJSON *entry;
    size_t n = (size_t)cJSON_GetArraySize(c->gpu_json.root);
    c->gpus = calloc(n + 1, sizeof *c->gpus);
    if (c->gpus == NULL || !llmsim_name_table_init(&c->gpu_names, n))
        return out_of_memory(err);
    cJSON_ArrayForEach(entry, c->gpu_json.root)
    {
        struct gpu_entry *e = &c->gpus[c->n_gpus++];
        enum llmsim_status status =
            read_name(&c->gpu_json, entry, &c->gpu_names, e, e->gpu.name, err);
        if (status == LLMSIM_OK)
            status =
                llmsim_json_read(&c->gpu_json, entry, gpu_keys, LLMSIM_JSON_REFUSE_UNKNOWN, e, err);
        if (status != LLMSIM_OK)
            return status;
    }
    return LLMSIM_OK;
}

/* An alias may be a word that several names have (that is what it decides), but not a whole name
 * or another entry's alias. */
static enum llmsim_status read_alias(struct llmsim_catalogue *c, const struct gpu_entry *e,
                                     const cJSON *alias, struct llmsim_error *err)
{
    const struct llmsim_named *other = llmsim_name_table_find(&c->gpu_names, alias->valuestring);
    if (other == NULL)
        other = llmsim_name_table_add(&c->aliases, alias->valuestring, e);
    if (other == NULL || (other->value == e && strcasecmp(other->name, e->gpu.name) != 0))
        return LLMSIM_OK; /* its own, twice */
    return llmsim_json_fail(&c->gpu_json, alias, err,
                            "alias \"%s\" of \"%s\" already stands for \"%s\"", alias->valuestring,
                            e->gpu.name, ((const struct gpu_entry *)other->value)->gpu.name);
}

static enum llmsim_status read_aliases(struct llmsim_catalogue *c, struct llmsim_error *err)
{
    enum llmsim_status status = LLMSIM_OK;
    size_t n = 0;
    for (size_t i = 0; i < c->n_gpus; i++)
        n += c->gpus[i].aliases != NULL ? (size_t)cJSON_GetArraySize(c->gpus[i].aliases) : 0;
    if (!llmsim_name_table_init(&c->aliases, n))
        return out_of_memory(err);
    for (size_t i = 0; i < c->n_gpus; i++) {
        const cJSON *alias = c->gpus[i].aliases != NULL ? c->gpus[i].aliases->child : NULL;
        for (; alias != NULL && status == LLMSIM_OK; alias = alias->next)
            status = read_alias(c, &c->gpus[i], alias, err);
    }
    return status;
}

static enum llmsim_status read_models(struct llmsim_catalogue *c, struct llmsim_error *err)
{
    const cJSON *entry;
    size_t n = (size_t)cJSON_GetArraySize(c->model_json.root);
    c->models = calloc(n + 1, sizeof *c->models);
    if (c->models == NULL || !llmsim_name_table_init(&c->model_names, n))
        return out_of_memory(err);
    cJSON_ArrayForEach(entry, c->model_json.root)
    {
        struct llmsim_model *m = &c->models[c->n_models++];
        enum llmsim_status status =
            read_name(&c->model_json, entry, &c->model_names, m, m->name, err);
        if (status == LLMSIM_OK)
            status = llmsim_model_entry_read(&c->model_json, entry, m, err);
        if (status != LLMSIM_OK)
            return status;
    }
    return LLMSIM_OK;
}

static enum llmsim_status check_fits(const struct llmsim_json *json, const cJSON *gpu,
                                     struct llmsim_error *err)
{
    const cJSON *entry;
    struct llmsim_fit fit;
    enum llmsim_status status = LLMSIM_OK;
    cJSON_ArrayForEach(entry, gpu)
    {
        if (llmsim_fit_entry_size(entry) == 0)
            return llmsim_json_fail(json, entry, err,
                                    "\"%.127s\": expected a tensor parallel size, \"1\" to \"%u\"",
                                    entry->string, LLMSIM_MAX_TENSOR_PARALLEL_SIZE);
        if (status == LLMSIM_OK)
            status = llmsim_fit_entry_read(json, entry, &fit, err);
    }
    return status;
}

/* The keys of an object by their names; those of no object are any. */
struct keys {
    const cJSON *object;
    struct llmsim_name_table names;
};

static bool keys_init(struct keys *keys, const cJSON *object)
{
    const cJSON *member;
    *keys = (struct keys){.object = object};
    if (object == NULL)
        return true;
    if (!llmsim_name_table_init(&keys->names, (size_t)cJSON_GetArraySize(object)))
        return false;
    cJSON_ArrayForEach(member, object)(void)
        llmsim_name_table_add(&keys->names, member->string, member);
    return true;
}

static bool has_key(const struct keys *keys, const char *name)
{
    const struct llmsim_named *found = llmsim_name_table_find(&keys->names, name);
    return keys->object == NULL || (found != NULL && strcmp(found->name, name) == 0);
}

/* Without model.json and gpu.json the names may be any. */
static enum llmsim_status check_ptps_of_model(const struct llmsim_json *json,
                                              const struct keys *models, const struct keys *gpus,
                                              const cJSON *model, struct llmsim_error *err)
{
    const cJSON *gpu;
    if (!has_key(models, model->string))
        return llmsim_json_fail(json, model, err, "model \"%.127s\" is not in model.json",
                                model->string);
    if (!cJSON_IsObject(model))
        return llmsim_json_fail(json, model, err, "\"%s\": expected an object, {GPU: tokens/s}",
                                model->string);
    cJSON_ArrayForEach(gpu, model)
    {
        if (!has_key(gpus, gpu->string))
            return llmsim_json_fail(json, gpu, err, "\"%s\": GPU \"%.127s\" is not in gpu.json",
                                    model->string, gpu->string);
        if (!is_ptps(gpu) && !cJSON_IsObject(gpu))
            return llmsim_json_fail(
                json, gpu, err,
                "\"%s\" on \"%s\": expected tokens/s, a number greater than 0 and at most %.15g, "
                "or an object, {tensor parallel size: fit}",
                model->string, gpu->string, LLMSIM_MAX_PTPS);
        enum llmsim_status status = check_fits(json, gpu, err);
        if (status != LLMSIM_OK)
            return status;
    }
    return LLMSIM_OK;
}

static enum llmsim_status check_ptps(const struct llmsim_catalogue *c, struct llmsim_error *err)
{
    const cJSON *model;
    struct keys models, gpus = {.object = NULL};
    enum llmsim_status status = LLMSIM_OK;
    if (!keys_init(&models, c->model_json.root) || !keys_init(&gpus, c->gpu_json.root))
        status = out_of_memory(err);
    cJSON_ArrayForEach(model, c->ptps_json.root)
    {
        if (status == LLMSIM_OK)
            status = check_ptps_of_model(&c->ptps_json, &models, &gpus, model, err);
    }
    llmsim_name_table_fini(&models.names);
    llmsim_name_table_fini(&gpus.names);
    return status;
}

enum llmsim_status llmsim_catalogue_open(const char *data_dir, struct llmsim_catalogue **catalogue,
                                         struct llmsim_error *err)
{
    char dir[LLMSIM_ERROR_FILE_MAX];
    struct llmsim_catalogue *c = calloc(1, sizeof *c);
    *catalogue = NULL;
    if (c == NULL)
        return out_of_memory(err);
    enum llmsim_status status = llmsim_catalogue_find_dir(data_dir, dir, sizeof dir, err);
    if (status == LLMSIM_OK)
        status = load_object(dir, "gpu.json", &c->gpu_json, err);
    if (status == LLMSIM_OK)
        status = read_gpus(c, err);
    if (status == LLMSIM_OK)
        status = read_aliases(c, err);
    if (status == LLMSIM_OK)
        status = load_object(dir, "model.json", &c->model_json, err);
    if (status == LLMSIM_OK)
        status = read_models(c, err);
    if (status == LLMSIM_OK)
        status = load_object(dir, "ptps.json", &c->ptps_json, err);
    if (status == LLMSIM_OK)
        status = check_ptps(c, err);
    if (status != LLMSIM_OK) {
        llmsim_catalogue_close(c);
        return status;
    }
    *catalogue = c;
    return LLMSIM_OK;
}

const char *llmsim_catalogue_gpu_name(const struct llmsim_catalogue *catalogue, size_t i)
{
    return i < catalogue->n_gpus ? catalogue->gpus[i].gpu.name : NULL;
}

const char *llmsim_catalogue_model_name(const struct llmsim_catalogue *catalogue, size_t i)
{
    return i < catalogue->n_models ? catalogue->models[i].name : NULL;
}

static void free_entries(struct llmsim_catalogue *c)
{
    free(c->gpus);
    free(c->models);
    llmsim_name_table_fini(&c->gpu_names);
    llmsim_name_table_fini(&c->aliases);
    llmsim_name_table_fini(&c->model_names);
}

void llmsim_catalogue_close(struct llmsim_catalogue *catalogue)
{
    if (catalogue == NULL)
        return;
    llmsim_json_fini(&catalogue->gpu_json);
    llmsim_json_fini(&catalogue->model_json);
    llmsim_json_fini(&catalogue->ptps_json);
    free_entries(catalogue);
    free(catalogue);
}

/* ---- names ---- */

/* The names that an error lists: the best of those offered, in order of their score. */
struct listing {
    const char *names[MAX_LISTED];
    size_t scores[MAX_LISTED];
    size_t n;
    size_t offered;
};

static void offer(struct listing *l, const char *name, size_t score)
{
    size_t at = l->n < MAX_LISTED ? l->n++ : MAX_LISTED;
    l->offered++;
    for (; at > 0 && l->scores[at - 1] > score; at--)
        if (at < MAX_LISTED) {
            l->names[at] = l->names[at - 1];
            l->scores[at] = l->scores[at - 1];
        }
    if (at < MAX_LISTED) {
        l->names[at] = name;
        l->scores[at] = score;
    }
}

#define LISTING_TEXT_MAX (MAX_LISTED * (LLMSIM_MAX_NAME + 2) + 1)

/* Those that are hardly further away than the best: the rest would only be noise. */
static void print_listing(const struct listing *l, char text[static LISTING_TEXT_MAX])
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < l->n && l->scores[i] <= l->scores[0] + 1; i++)
        used += (size_t)snprintf(text + used, LISTING_TEXT_MAX - used, "%s%s", i == 0 ? "" : ", ",
                                 l->names[i]);
}

/* A search for the entry of which `wanted` names a part. */
struct search {
    const char *wanted;
    size_t found;
    struct listing fits;
    struct listing nearest; /* where none fits */
};

static enum llmsim_status conclude(const struct search *s, const char *what, const char *file,
                                   struct llmsim_error *err)
{
    char list[LISTING_TEXT_MAX];
    if (s->fits.offered == 1)
        return LLMSIM_OK;
    if (s->fits.offered == 0) {
        print_listing(&s->nearest, list);
        return llmsim_fail_at(err, LLMSIM_CATALOGUE, file, 0, 0,
                              "no %s has the name '%.127s'; the nearest: %s", what, s->wanted,
                              list);
    }
    print_listing(&s->fits, list);
    return llmsim_fail_at(err, LLMSIM_CATALOGUE, file, 0, 0, "%s '%.127s' fits %zu entries: %s%s",
                          what, s->wanted, s->fits.offered, list,
                          s->fits.offered > s->fits.n ? ", …" : "");
}

/* How far `wanted` is from `name`: 0 if it is a part of it, else the edits to the nearest of `name`
 * and its tails that begin after a space or a '/'. */
static size_t distance_to(const char *name, const char *wanted)
{
    if (strcasestr(name, wanted) != NULL)
        return 0;
    size_t best = llmsim_edit_distance(wanted, name);
    for (const char *p = strpbrk(name, " /"); p != NULL; p = strpbrk(p, " /")) {
        size_t distance = llmsim_edit_distance(wanted, ++p);
        best = distance < best ? distance : best;
    }
    return best;
}

/* Does `wanted` stand in `name` as a word, or as several in a row? A word ends where letters and
 * digits end, so that "a100" is one in "NVIDIA A100-SXM4-80GB". */
static bool has_word(const char *name, const char *wanted)
{
    size_t length = strlen(wanted);
    if (length == 0)
        return false;
    for (const char *p = strcasestr(name, wanted); p != NULL; p = strcasestr(p + 1, wanted))
        if ((p == name || !isalnum((unsigned char)p[-1])) && !isalnum((unsigned char)p[length]))
            return true;
    return false;
}

static size_t distance_to_gpu(const struct gpu_entry *e, const char *wanted)
{
    size_t distance = distance_to(e->gpu.name, wanted);
    const cJSON *alias;
    cJSON_ArrayForEach(alias, e->aliases)
    {
        size_t d = distance_to(alias->valuestring, wanted);
        distance = d < distance ? d : distance;
    }
    return distance;
}

enum llmsim_status llmsim_catalogue_gpu(const struct llmsim_catalogue *catalogue, const char *name,
                                        struct llmsim_gpu *gpu, struct llmsim_error *err)
{
    const struct llmsim_named *exact = llmsim_name_table_find(&catalogue->gpu_names, name);
    if (exact == NULL)
        exact = llmsim_name_table_find(&catalogue->aliases, name);
    if (exact != NULL) {
        *gpu = ((const struct gpu_entry *)exact->value)->gpu;
        return LLMSIM_OK;
    }
    struct search search = {.wanted = name};
    for (size_t i = 0; i < catalogue->n_gpus; i++)
        if (has_word(catalogue->gpus[i].gpu.name, name)) {
            offer(&search.fits, catalogue->gpus[i].gpu.name, 0);
            search.found = i;
        }
    for (size_t i = 0; i < catalogue->n_gpus && search.fits.offered == 0; i++)
        offer(&search.nearest, catalogue->gpus[i].gpu.name,
              distance_to_gpu(&catalogue->gpus[i], name));
    enum llmsim_status status = conclude(&search, "GPU", catalogue->gpu_json.path, err);
    if (status == LLMSIM_OK)
        *gpu = catalogue->gpus[search.found].gpu;
    return status;
}

enum llmsim_status llmsim_catalogue_model(const struct llmsim_catalogue *catalogue,
                                          const char *name, struct llmsim_model *model,
                                          struct llmsim_error *err)
{
    const struct llmsim_named *exact = llmsim_name_table_find(&catalogue->model_names, name);
    if (exact != NULL) {
        *model = *(const struct llmsim_model *)exact->value;
        return LLMSIM_OK;
    }
    struct search search = {.wanted = name};
    for (size_t i = 0; i < catalogue->n_models; i++) {
        const char *slash = strrchr(catalogue->models[i].name, '/');
        if (slash == NULL || strcasecmp(slash + 1, name) != 0)
            continue;
        offer(&search.fits, catalogue->models[i].name, 0);
        search.found = i;
    }
    for (size_t i = 0; i < catalogue->n_models && search.fits.offered == 0; i++)
        offer(&search.nearest, catalogue->models[i].name,
              distance_to(catalogue->models[i].name, name));
    enum llmsim_status status = conclude(&search, "model", catalogue->model_json.path, err);
    if (status == LLMSIM_OK)
        *model = catalogue->models[search.found];
    return status;
}

/* ---- PTPS and fits ---- */

/* What ptps.json has of a model on a GPU at a tensor parallel size; all zero where it has nothing.
 * It was checked when the catalogue was opened. */
static void find_fit(const struct llmsim_catalogue *c, const char *model, const char *gpu,
                     unsigned tensor_parallel_size, struct llmsim_fit *fit)
{
    const cJSON *of_model = cJSON_GetObjectItemCaseSensitive(c->ptps_json.root, model);
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(of_model, gpu);
    const cJSON *entry = value != NULL ? value->child : NULL;
    *fit = (struct llmsim_fit){.has_coefficients = false};
    if (value != NULL && cJSON_IsNumber(value) && tensor_parallel_size == 1)
        fit->ptps_tokens_per_s = value->valuedouble;
    while (entry != NULL && llmsim_fit_entry_size(entry) != tensor_parallel_size)
        entry = entry->next;
    if (entry != NULL && llmsim_fit_entry_read(&c->ptps_json, entry, fit, NULL) != LLMSIM_OK)
        *fit = (struct llmsim_fit){.has_coefficients = false};
}

/* "; --tensor-parallel-size 2, 4 has" where only others were measured on the GPU, or nothing. */
static void list_sizes(const cJSON *of_gpu, size_t capacity, char *text)
{
    size_t n = 0;
    text[0] = '\0';
    if (!cJSON_IsObject(of_gpu))
        return;
    for (const cJSON *entry = of_gpu->child; entry != NULL && n + 24 < capacity;
         entry = entry->next)
        n += (size_t)snprintf(text + n, capacity - n, "%s %u",
                              n == 0 ? "; --tensor-parallel-size" : ",",
                              llmsim_fit_entry_size(entry));
    if (n > 0)
        (void)snprintf(text + n, capacity - n, " was measured");
}

/* "none on any GPU", or those that have what the caller looks for. */
static enum llmsim_status fail_without(const struct llmsim_catalogue *c, const char *what,
                                       const char *model, const char *gpu,
                                       unsigned tensor_parallel_size, bool is_fit,
                                       struct llmsim_error *err)
{
    struct listing measured = {.n = 0};
    char list[LISTING_TEXT_MAX], how[64] = "", sizes[160];
    const cJSON *value;
    cJSON_ArrayForEach(value, cJSON_GetObjectItemCaseSensitive(c->ptps_json.root, model))
    {
        struct llmsim_fit fit;
        find_fit(c, model, value->string, tensor_parallel_size, &fit);
        if (is_fit ? cJSON_IsObject(value) : fit.ptps_tokens_per_s > 0)
            offer(&measured, value->string, 0);
    }
    print_listing(&measured, list);
    const cJSON *of_model = cJSON_GetObjectItemCaseSensitive(c->ptps_json.root, model);
    list_sizes(cJSON_GetObjectItemCaseSensitive(of_model, gpu), sizeof sizes, sizes);
    if (measured.n > 0 || sizes[0] == '\0')
        (void)snprintf(sizes, sizeof sizes, "; this model has %s",
                       measured.n > 0 ? "one on: " : "none on any GPU");
    if (is_fit || tensor_parallel_size > 1)
        (void)snprintf(how, sizeof how, " at tensor parallel size %u", tensor_parallel_size);
    return llmsim_fail_at(err, LLMSIM_CATALOGUE, c->ptps_json.path, 0, 0,
                          "no %s for %.127s on %.127s%s%s%s", what, model, gpu, how, sizes,
                          measured.n > 0 ? list : "");
}

enum llmsim_status llmsim_catalogue_ptps(const struct llmsim_catalogue *catalogue,
                                         const char *model, const char *gpu,
                                         unsigned tensor_parallel_size, double *tokens_per_s,
                                         struct llmsim_error *err)
{
    struct llmsim_fit fit;
    find_fit(catalogue, model, gpu, tensor_parallel_size, &fit);
    if (!(fit.ptps_tokens_per_s > 0))
        return fail_without(catalogue, "PTPS", model, gpu, tensor_parallel_size, false, err);
    *tokens_per_s = fit.ptps_tokens_per_s;
    return LLMSIM_OK;
}

enum llmsim_status llmsim_catalogue_fit(const struct llmsim_catalogue *catalogue, const char *model,
                                        const char *gpu, unsigned tensor_parallel_size,
                                        struct llmsim_fit *fit, struct llmsim_error *err)
{
    find_fit(catalogue, model, gpu, tensor_parallel_size, fit);
    if (fit->has_coefficients)
        return LLMSIM_OK;
    return fail_without(catalogue, "fitted coefficients", model, gpu, tensor_parallel_size, true,
                        err);
}

/* ---- writing ---- */

/* A value in the style of our files, indented by `depth` levels of 4 spaces. cJSON prints what is
 * in it: it escapes strings, gives the fewest digits that read back as the same number, and heeds
 * no locale. */
static bool print_value(FILE *f, const cJSON *value, int depth)
{
    bool all = true;
    if (!cJSON_IsObject(value)) {
        char *text = cJSON_Print(value);
        all = text != NULL && fputs(text, f) >= 0;
        cJSON_free(text);
        return all;
    }
    for (const cJSON *member = value->child; member != NULL; member = member->next) {
        cJSON *name = cJSON_CreateString(member->string);
        (void)fprintf(f, "%s\n%*s", member == value->child ? "{" : ",", 4 * (depth + 1), "");
        all = name != NULL && print_value(f, name, 0) && fputs(": ", f) >= 0 &&
              print_value(f, member, depth + 1) && all;
        cJSON_Delete(name);
    }
    if (value->child == NULL)
        return fputs("{}", f) >= 0;
    return fprintf(f, "\n%*s}", 4 * depth, "") > 0 && all;
}

/* The member `"NAME": VALUE` of a file's object. NULL without memory. */
static char *print_member(const char *name, const cJSON *value)
{
    char *text = NULL;
    size_t length;
    cJSON *string = cJSON_CreateString(name);
    FILE *f = open_memstream(&text, &length);
    bool all = string != NULL && f != NULL && print_value(f, string, 0) && fputs(": ", f) >= 0 &&
               print_value(f, value, 1);
    if (f != NULL && fclose(f) != 0)
        all = false;
    cJSON_Delete(string);
    if (all)
        return text;
    free(text);
    return NULL;
}

/* A member of an entry: a number. */
struct number {
    const char *key;
    double value; /* 0: there is none */
};

/* The same for an object of numbers, and then of what else `old`, if it is not NULL, has. */
static char *print_entry(const char *name, const struct number *numbers, size_t n, const cJSON *old)
{
    cJSON *object = cJSON_CreateObject();
    const cJSON *member;
    bool all = object != NULL;
    for (size_t i = 0; i < n; i++)
        if (numbers[i].value > 0)
            all = all && cJSON_AddNumberToObject(object, numbers[i].key, numbers[i].value) != NULL;
    cJSON_ArrayForEach(member, old)
    {
        if (cJSON_GetObjectItemCaseSensitive(object, member->string) == NULL)
            all =
                all && cJSON_AddItemToObject(object, member->string, cJSON_Duplicate(member, true));
    }
    char *text = all ? print_member(name, object) : NULL;
    cJSON_Delete(object);
    return text;
}

/* The file's text with the entry in the place of the one that has its name, or after the last one.
 * All other bytes stay as they are. */
static char *splice_entry(const struct llmsim_json *json, const char *name, const char *entry)
{
    const cJSON *last = json->root->child, *same;
    struct llmsim_json_span at;
    const char *before = "", *after = "";
    char *text = NULL;
    same = cJSON_GetObjectItemCaseSensitive(json->root, name);
    while (last != NULL && last->next != NULL)
        last = last->next;
    if (same != NULL) {
        at = llmsim_json_find(json, same);
    } else if (last != NULL) {
        at = llmsim_json_find(json, last);
        at.key = at.end;
        before = ",\n    ";
    } else {
        at = llmsim_json_find(json, json->root);
        at.key = at.begin + 1;
        at.end--;
        before = "\n    ";
        after = "\n";
    }
    if (asprintf(&text, "%.*s%s%s%s%s", (int)at.key, json->text, before, entry, after,
                 json->text + at.end) < 0)
        return NULL;
    return text;
}

static enum llmsim_status write_text(const char *path, const char *text, struct llmsim_error *err)
{
    struct llmsim_output out;
    enum llmsim_status status = llmsim_output_open(&out, path, LLMSIM_COMPRESS_NONE, err);
    if (status != LLMSIM_OK)
        return status;
    llmsim_output_text(&out, text);
    status = llmsim_output_finish(&out, err);
    if (status == LLMSIM_OK)
        status = llmsim_output_commit(&out, err);
    llmsim_output_close(&out);
    return status;
}

/* Would the catalogue be right with this text? Nothing is written if not. */
static enum llmsim_status check_models(const struct llmsim_json *json, struct llmsim_error *err)
{
    struct llmsim_catalogue c = {.model_json = *json};
    enum llmsim_status status = read_models(&c, err);
    free_entries(&c);
    return status;
}

static enum llmsim_status check_gpus(const struct llmsim_json *json, struct llmsim_error *err)
{
    struct llmsim_catalogue c = {.gpu_json = *json};
    enum llmsim_status status = read_gpus(&c, err);
    if (status == LLMSIM_OK)
        status = read_aliases(&c, err);
    free_entries(&c);
    return status;
}

typedef enum llmsim_status check_file(const struct llmsim_json *json, struct llmsim_error *err);

static enum llmsim_status check_text(const char *path, const char *text, check_file *check,
                                     struct llmsim_error *err)
{
    struct llmsim_json json;
    char *copy = strdup(text);
    if (copy == NULL)
        return out_of_memory(err);
    enum llmsim_status status = llmsim_json_parse(&json, path, copy, strlen(copy), err);
    if (status != LLMSIM_OK)
        return status;
    status = check(&json, err);
    llmsim_json_fini(&json);
    return status;
}

/* Put an entry into a loaded file, on disk, if the file is then right. Takes `entry`. */
static enum llmsim_status put_entry(const struct llmsim_json *json, const char *name, char *entry,
                                    check_file *check, struct llmsim_error *err)
{
    char *text = entry != NULL ? splice_entry(json, name, entry) : NULL;
    enum llmsim_status status =
        text != NULL ? check_text(json->path, text, check, err) : out_of_memory(err);
    if (status == LLMSIM_OK)
        status = write_text(json->path, text, err);
    free(text);
    free(entry);
    return status;
}

/* A file of the catalogue, locked from before it is read until after it is replaced: of two that
 * add an entry at one time, the second has to see the first's. */
static enum llmsim_status load_to_change(const char *data_dir, const char *file,
                                         char dir[static LLMSIM_ERROR_FILE_MAX],
                                         struct llmsim_json *json, int *lock,
                                         struct llmsim_error *err)
{
    char path[LLMSIM_ERROR_FILE_MAX];
    *lock = -1;
    enum llmsim_status status =
        llmsim_catalogue_find_dir(data_dir, dir, LLMSIM_ERROR_FILE_MAX, err);
    if (status == LLMSIM_OK)
        status = join_path(dir, file, path, sizeof path, err);
    if (status != LLMSIM_OK)
        return status;
    *lock = llmsim_directory_lock_of(path);
    return load_object(dir, file, json, err);
}

/* The same for any other file of that kind; one that is not there is empty. */
static enum llmsim_status load_or_begin(const char *path, struct llmsim_json *json, int *lock,
                                        struct llmsim_error *err)
{
    *lock = llmsim_directory_lock_of(path);
    if (access(path, F_OK) == 0 || errno != ENOENT)
        return load_object_at(path, json, err);
    char *empty = strdup("{}\n");
    return empty != NULL ? llmsim_json_parse(json, path, empty, strlen(empty), err)
                         : out_of_memory(err);
}

enum llmsim_status llmsim_catalogue_put_model(const char *data_dir,
                                              const struct llmsim_model *model,
                                              struct llmsim_error *err)
{
    char dir[LLMSIM_ERROR_FILE_MAX];
    struct llmsim_json json;
    int lock;
    enum llmsim_status status = load_to_change(data_dir, "model.json", dir, &json, &lock, err);
    if (status != LLMSIM_OK) {
        llmsim_directory_unlock(lock);
        return status;
    }
    cJSON *entry = llmsim_model_entry_make(model);
    status = put_entry(&json, model->name, entry != NULL ? print_member(model->name, entry) : NULL,
                       check_models, err);
    cJSON_Delete(entry);
    llmsim_directory_unlock(lock);
    llmsim_json_fini(&json);
    return status;
}

enum llmsim_status llmsim_catalogue_put_gpu(const char *data_dir, const struct llmsim_gpu *gpu,
                                            struct llmsim_error *err)
{
    char dir[LLMSIM_ERROR_FILE_MAX];
    struct llmsim_json json;
    int lock;
    enum llmsim_status status = load_to_change(data_dir, "gpu.json", dir, &json, &lock, err);
    if (status != LLMSIM_OK) {
        llmsim_directory_unlock(lock);
        return status;
    }
    const cJSON *old = cJSON_GetObjectItemCaseSensitive(json.root, gpu->name);
    const struct number numbers[] = {{"memory_cap", gpu->memory_cap_GB},
                                     {"memory_bw", gpu->memory_bw_GBps},
                                     {"memory_bw_util", gpu->memory_bw_util_percent},
#define X(key) {#key, gpu->key},
                                     LLMSIM_GPU_OPTIONAL_LIST(X)
#undef X
    };
    status = put_entry(&json, gpu->name,
                       print_entry(gpu->name, numbers, sizeof numbers / sizeof *numbers, old),
                       check_gpus, err);
    llmsim_directory_unlock(lock);
    llmsim_json_fini(&json);
    return status;
}

/* `"MODEL": {…}` of the file, with the fit in it. NULL without memory. */
static char *print_fits(const cJSON *root, const struct llmsim_fit_key *key,
                        const struct llmsim_fit *fit)
{
    char *text = NULL, size[16];
    const cJSON *old = cJSON_GetObjectItemCaseSensitive(root, key->model);
    cJSON *model = old != NULL ? cJSON_Duplicate(old, true) : cJSON_CreateObject();
    cJSON *entry = llmsim_fit_entry_make(fit);
    const cJSON *plain = cJSON_GetObjectItemCaseSensitive(model, key->gpu);
    (void)snprintf(size, sizeof size, "%u", key->tensor_parallel_size);
    bool all = model != NULL && entry != NULL;
    if (all && cJSON_IsNumber(plain)) {
        cJSON *sizes = llmsim_fit_entry_make_plain(plain->valuedouble);
        all = sizes != NULL && cJSON_ReplaceItemInObjectCaseSensitive(model, key->gpu, sizes);
    } else if (all && plain == NULL) {
        all = cJSON_AddObjectToObject(model, key->gpu) != NULL;
    }
    cJSON *sizes = cJSON_GetObjectItemCaseSensitive(model, key->gpu);
    cJSON_DeleteItemFromObjectCaseSensitive(sizes, size);
    if (all && cJSON_AddItemToObject(sizes, size, entry)) {
        entry = NULL;
        text = print_member(key->model, model);
    }
    cJSON_Delete(entry);
    cJSON_Delete(model);
    return text;
}

/* Would the catalogue be right with this ptps.json? Where the file is one of its own, its names are
 * the caller's. */
static enum llmsim_status check_ptps_text(const char *dir, const char *path, const char *text,
                                          struct llmsim_error *err)
{
    struct llmsim_catalogue c = {.n_gpus = 0};
    char *copy = strdup(text);
    if (copy == NULL)
        return out_of_memory(err);
    enum llmsim_status status = llmsim_json_parse(&c.ptps_json, path, copy, strlen(copy), err);
    if (status == LLMSIM_OK && dir != NULL)
        status = load_object(dir, "gpu.json", &c.gpu_json, err);
    if (status == LLMSIM_OK && dir != NULL)
        status = load_object(dir, "model.json", &c.model_json, err);
    if (status == LLMSIM_OK)
        status = check_ptps(&c, err);
    llmsim_json_fini(&c.gpu_json);
    llmsim_json_fini(&c.model_json);
    llmsim_json_fini(&c.ptps_json);
    return status;
}

/* Is there an object, or nothing, where the fit goes, in a file that is right? */
static enum llmsim_status check_place(const struct llmsim_json *json,
                                      const struct llmsim_fit_key *key, struct llmsim_error *err)
{
    const struct llmsim_catalogue c = {.ptps_json = *json};
    const cJSON *model = cJSON_GetObjectItemCaseSensitive(json->root, key->model);
    const cJSON *gpu = cJSON_GetObjectItemCaseSensitive(model, key->gpu);
    if (model != NULL && !cJSON_IsObject(model))
        return llmsim_json_fail(json, model, err, "expected an object, {GPU: …}");
    if (gpu != NULL && !cJSON_IsObject(gpu) && !is_ptps(gpu))
        return llmsim_json_fail(json, gpu, err, "expected tokens/s or an object");
    return check_ptps(&c, err);
}

enum llmsim_status llmsim_catalogue_check_fit(const struct llmsim_fit_key *key,
                                              const struct llmsim_fit *fit,
                                              struct llmsim_error *err)
{
    struct llmsim_cost cost;
    struct llmsim_error fault;
    enum llmsim_status status = LLMSIM_OK;
    if (fit->has_coefficients)
        status = llmsim_cost_init_fitted(&cost, fit, &fault);
    if (status == LLMSIM_OK && fit->ptps_tokens_per_s > LLMSIM_MAX_PTPS)
        status = llmsim_fail(&fault, LLMSIM_CATALOGUE, "ptps %g tokens/s: expected at most %g",
                             fit->ptps_tokens_per_s, LLMSIM_MAX_PTPS);
    if (status == LLMSIM_OK)
        return LLMSIM_OK;
    return llmsim_fail(err, status, "%s on %s, tp %u: %s", key->model, key->gpu,
                       key->tensor_parallel_size, fault.message);
}

enum llmsim_status llmsim_catalogue_put_fit(const char *data_dir, const char *file,
                                            const struct llmsim_fit_key *key,
                                            const struct llmsim_fit *fit, struct llmsim_error *err)
{
    char dir[LLMSIM_ERROR_FILE_MAX];
    char *entry = NULL, *text = NULL;
    struct llmsim_json json = {0};
    int lock = -1;
    enum llmsim_status status = llmsim_catalogue_check_fit(key, fit, err);
    if (status != LLMSIM_OK)
        return status;
    if (file == NULL)
        status = load_to_change(data_dir, "ptps.json", dir, &json, &lock, err);
    else
        status = load_or_begin(file, &json, &lock, err);
    if (status == LLMSIM_OK)
        status = check_place(&json, key, err);
    if (status != LLMSIM_OK)
        goto out;
    if ((entry = print_fits(json.root, key, fit)) == NULL ||
        (text = splice_entry(&json, key->model, entry)) == NULL) {
        status = out_of_memory(err);
        goto out;
    }
    status = check_ptps_text(file == NULL ? dir : NULL, json.path, text, err);
    if (status == LLMSIM_OK)
        status = write_text(json.path, text, err);
out:
    llmsim_directory_unlock(lock);
    free(text);
    free(entry);
    llmsim_json_fini(&json);
    return status;
}
