/* quantization.c: how the weights of a checkpoint are stored, by role, and its KV cache.
 *
 * Checkpoints say it in four dialects: `quant_method` fp8, mxfp4, awq, gptq (one format, modules
 * that are left out); compressed-tensors (groups of targets); modelopt, in the config or in
 * hf_quant_config.json beside it (an algorithm, or one a layer). Each is turned into rules. For
 * each role the module that stands for it is looked up in every layer that has one; the format of
 * most layers is the role's. */
#include <fnmatch.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model_config.h"
#include "model_limits.h"

#define MODULE_MAX 256
#define N_FORMATS (LLMSIM_FORMAT_MXFP4 + 1)

struct rules {
    enum llmsim_format rest; /* of what is not quantized */
    enum llmsim_format base; /* of all linear layers but … */
    const cJSON *ignore;     /* … these; NULL: none */
    const cJSON *groups;     /* compressed-tensors: of these targets; NULL: all have `base` */
    const cJSON *layers;     /* modelopt: name, algorithm; NULL: as above */
    unsigned group_size;     /* of int4_wo */
};

/* ---- names of modules ---- */

/* Names before "layers.": multimodal models have one more. */
static const char *const prefixes[] = {"model.language_model.", "language_model.model.", "model.",
                                       "language_model."};
#define N_PREFIXES (sizeof prefixes / sizeof *prefixes)

static const char *without_prefix(const char *name)
{
    for (size_t i = 0; i < N_PREFIXES; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return name + strlen(prefixes[i]);
    return name;
}

/* A Python expression, matched from the start. Of what POSIX lacks, names of modules need \d. */
static bool matches_expression(const char *expression, const char *module)
{
    char text[4 * MODULE_MAX] = "^(", name[MODULE_MAX];
    size_t n = strlen(text);
    regex_t regex;
    bool matches = false;
    for (const char *p = expression; *p != '\0' && n + 8 < sizeof text; p++) {
        if (p[0] == '\\' && p[1] == 'd') {
            memcpy(text + n, "[0-9]", 5);
            n += 5;
            p++;
        } else {
            text[n++] = *p;
        }
    }
    memcpy(text + n, ")", 2);
    if (regcomp(&regex, text, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    for (size_t i = 0; i < N_PREFIXES && !matches; i++) {
        (void)snprintf(name, sizeof name, "%s%s", prefixes[i], module);
        matches = regexec(&regex, name, 0, NULL, 0) == 0;
    }
    matches = matches || regexec(&regex, module, 0, NULL, 0) == 0;
    regfree(&regex);
    return matches;
}

/* "re:…" is an expression; else a pattern of the shell that fits the module or a run of its
 * components: "lm_head", "mlp.gate", "model.layers.0*". */
static bool matches(const char *pattern, const char *module)
{
    char around[MODULE_MAX], dotted[MODULE_MAX];
    if (strncmp(pattern, "re:", 3) == 0)
        return matches_expression(pattern + 3, module);
    pattern = without_prefix(pattern);
    if (strpbrk(pattern, "*?[") == NULL) {
        const char *at = strstr(module, pattern);
        size_t n = strlen(pattern);
        return at != NULL && (at == module || at[-1] == '.') && (at[n] == '\0' || at[n] == '.');
    }
    (void)snprintf(around, sizeof around, "*.%s.*", pattern);
    (void)snprintf(dotted, sizeof dotted, ".%s.", module);
    return fnmatch(around, dotted, 0) == 0;
}

static bool is_any(const cJSON *patterns, const char *module)
{
    const cJSON *pattern;
    cJSON_ArrayForEach(pattern, patterns)
    {
        if (cJSON_IsString(pattern) && matches(pattern->valuestring, module))
            return true;
    }
    return false;
}

/* ---- formats ---- */

static const struct {
    const char *name;
    enum llmsim_format format;
} algorithms[] = {
    {"FP8", LLMSIM_FORMAT_FP8},
    {"FP8_PER_CHANNEL_PER_TOKEN", LLMSIM_FORMAT_FP8},
    {"FP8_PB_WO", LLMSIM_FORMAT_FP8_BLOCK},
    {"FP8_PB_REAL", LLMSIM_FORMAT_FP8_BLOCK},
    {"MXFP8", LLMSIM_FORMAT_MXFP8},
    {"NVFP4", LLMSIM_FORMAT_NVFP4},
    {"NVFP4_AWQ", LLMSIM_FORMAT_NVFP4},
    {"W4A16_NVFP4", LLMSIM_FORMAT_NVFP4_WO},
    {"MXFP4", LLMSIM_FORMAT_MXFP4},
    {"W4A8_MXFP4_FP8", LLMSIM_FORMAT_MXFP4},
    {"INT8_SQ", LLMSIM_FORMAT_INT8},
    {"W8A8_SQ_PER_CHANNEL", LLMSIM_FORMAT_INT8},
    {"W8A16", LLMSIM_FORMAT_INT8_WO},
    {"W4A16", LLMSIM_FORMAT_INT4_WO},
    {"W4A16_AWQ", LLMSIM_FORMAT_INT4_WO},
    {"W4A8_AWQ", LLMSIM_FORMAT_INT4_WO},
};

static enum llmsim_status read_algorithm(const struct llmsim_json *json, const cJSON *object,
                                         enum llmsim_format *format, struct llmsim_error *err)
{
    static const struct llmsim_json_key keys[] = {
        {.name = "quant_algo", .kind = LLMSIM_JSON_NAME},
        LLMSIM_JSON_KEY_END,
    };
    char name[LLMSIM_MAX_NAME + 1];
    enum llmsim_status status =
        llmsim_json_read(json, object, keys, LLMSIM_JSON_SKIP_UNKNOWN, name, err);
    if (status != LLMSIM_OK)
        return status;
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
        if (strcmp(algorithms[i].name, name) == 0) {
            *format = algorithms[i].format;
            return LLMSIM_OK;
        }
    return llmsim_json_fail(json, object, err, "\"quant_algo\": \"%s\" is not known", name);
}

/* Numbers of a group of compressed-tensors. */
struct numbers {
    unsigned num_bits;
    unsigned group_size;
    char type[LLMSIM_MAX_NAME + 1];
    char strategy[LLMSIM_MAX_NAME + 1];
};

static enum llmsim_status read_group(const struct llmsim_json *json, const cJSON *group,
                                     enum llmsim_format *format, unsigned *group_size,
                                     struct llmsim_error *err)
{
    static const struct llmsim_json_key keys[] = {
        {.name = "num_bits",
         .kind = LLMSIM_JSON_COUNT,
         .max = 64,
         .offset = offsetof(struct numbers, num_bits)},
        {.name = "group_size",
         .kind = LLMSIM_JSON_COUNT,
         .max = MAX_WIDTH,
         .optional = true,
         .offset = offsetof(struct numbers, group_size)},
        {.name = "type", .kind = LLMSIM_JSON_NAME, .offset = offsetof(struct numbers, type)},
        {.name = "strategy",
         .kind = LLMSIM_JSON_NAME,
         .optional = true,
         .offset = offsetof(struct numbers, strategy)},
        LLMSIM_JSON_KEY_END,
    };
    static const struct {
        const char *type;
        unsigned num_bits;
        bool has_activations;
        enum llmsim_format format;
    } formats[] = {
        {"float", 8, true, LLMSIM_FORMAT_FP8},   {"float", 8, false, LLMSIM_FORMAT_FP8},
        {"float", 4, true, LLMSIM_FORMAT_NVFP4}, {"float", 4, false, LLMSIM_FORMAT_NVFP4_WO},
        {"int", 8, true, LLMSIM_FORMAT_INT8},    {"int", 8, false, LLMSIM_FORMAT_INT8_WO},
        {"int", 4, true, LLMSIM_FORMAT_INT4_WO}, {"int", 4, false, LLMSIM_FORMAT_INT4_WO},
    };
    const cJSON *weights = cJSON_GetObjectItemCaseSensitive(group, "weights");
    bool has_activations =
        cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(group, "input_activations"));
    struct numbers n = {.num_bits = 0};
    if (weights == NULL)
        return llmsim_json_fail(json, group, err, "key \"weights\" is missing");
    enum llmsim_status status =
        llmsim_json_read(json, weights, keys, LLMSIM_JSON_SKIP_UNKNOWN, &n, err);
    if (status != LLMSIM_OK)
        return status;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (strcmp(formats[i].type, n.type) != 0 || formats[i].num_bits != n.num_bits ||
            formats[i].has_activations != has_activations)
            continue;
        *format = formats[i].format;
        if (*format == LLMSIM_FORMAT_FP8 && strcmp(n.strategy, "block") == 0)
            *format = LLMSIM_FORMAT_FP8_BLOCK;
        else if (*format == LLMSIM_FORMAT_FP8 && n.group_size == 32)
            *format = LLMSIM_FORMAT_MXFP8;
        else if (n.num_bits == 4 && n.group_size == 32 && strcmp(n.type, "float") == 0)
            *format = LLMSIM_FORMAT_MXFP4;
        if (*format == LLMSIM_FORMAT_INT4_WO && n.group_size > 0)
            *group_size = n.group_size;
        return LLMSIM_OK;
    }
    return llmsim_json_fail(json, weights, err, "weights of %u bits of type \"%s\" are not known",
                            n.num_bits, n.type);
}

/* ---- rules from each dialect ---- */

struct header {
    char method[LLMSIM_MAX_NAME + 1];
    unsigned bits, group_size;
    const cJSON *block, *ignore, *not_converted, *excluded, *groups, *layers;
};

static const struct llmsim_json_key header_keys[] = {
    {.name = "quant_method",
     .kind = LLMSIM_JSON_NAME,
     .optional = true,
     .offset = offsetof(struct header, method)},
    {.name = "bits",
     .kind = LLMSIM_JSON_COUNT,
     .max = 16,
     .optional = true,
     .offset = offsetof(struct header, bits)},
    {.name = "weight_block_size",
     .kind = LLMSIM_JSON_INDICES,
     .max = MAX_WIDTH,
     .optional = true,
     .offset = offsetof(struct header, block)},
    {.name = "ignore",
     .kind = LLMSIM_JSON_NAMES,
     .optional = true,
     .offset = offsetof(struct header, ignore)},
    {.name = "modules_to_not_convert",
     .kind = LLMSIM_JSON_NAMES,
     .optional = true,
     .offset = offsetof(struct header, not_converted)},
    {.name = "exclude_modules",
     .kind = LLMSIM_JSON_NAMES,
     .optional = true,
     .offset = offsetof(struct header, excluded)},
    {.name = "config_groups",
     .kind = LLMSIM_JSON_OBJECT,
     .optional = true,
     .offset = offsetof(struct header, groups)},
    {.name = "quantized_layers",
     .kind = LLMSIM_JSON_OBJECT,
     .optional = true,
     .offset = offsetof(struct header, layers)},
    LLMSIM_JSON_KEY_END,
};

static enum llmsim_status rules_of_fp8(const struct llmsim_json *json, const cJSON *object,
                                       const struct header *h, struct rules *r,
                                       struct llmsim_error *err)
{
    (void)json, (void)object, (void)err;
    r->base = h->block != NULL ? LLMSIM_FORMAT_FP8_BLOCK : LLMSIM_FORMAT_FP8;
    return LLMSIM_OK;
}

static enum llmsim_status rules_of_mxfp4(const struct llmsim_json *json, const cJSON *object,
                                         const struct header *h, struct rules *r,
                                         struct llmsim_error *err)
{
    (void)json, (void)object, (void)h, (void)err;
    r->base = LLMSIM_FORMAT_MXFP4;
    return LLMSIM_OK;
}

/* A group of -1: one scale a column. */
static enum llmsim_status rules_of_integers(const struct llmsim_json *json, const cJSON *object,
                                            const struct header *h, struct rules *r,
                                            struct llmsim_error *err)
{
    const cJSON *group = cJSON_GetObjectItemCaseSensitive(object, "group_size");
    if (h->bits != 4 && h->bits != 8)
        return llmsim_json_fail(json, object, err, "expected \"bits\" of 4 or 8");
    r->base = h->bits == 4 ? LLMSIM_FORMAT_INT4_WO : LLMSIM_FORMAT_INT8_WO;
    if (cJSON_IsNumber(group) && h->bits == 4)
        r->group_size = group->valuedouble >= 1 && group->valuedouble <= MAX_WIDTH
                            ? (unsigned)group->valuedouble
                            : MAX_WIDTH;
    return LLMSIM_OK;
}

static enum llmsim_status rules_of_compressed(const struct llmsim_json *json, const cJSON *object,
                                              const struct header *h, struct rules *r,
                                              struct llmsim_error *err)
{
    const cJSON *group;
    enum llmsim_format format;
    enum llmsim_status status = LLMSIM_OK;
    r->groups = h->groups;
    if (h->groups == NULL)
        return llmsim_json_fail(json, object, err, "key \"config_groups\" is missing");
    cJSON_ArrayForEach(group, h->groups)
    {
        if (status == LLMSIM_OK)
            status = read_group(json, group, &format, &r->group_size, err);
    }
    return status;
}

static enum llmsim_status rules_of_modelopt(const struct llmsim_json *json, const cJSON *object,
                                            const struct header *h, struct rules *r,
                                            struct llmsim_error *err)
{
    const cJSON *algorithm = cJSON_GetObjectItemCaseSensitive(object, "quant_algo");
    if (cJSON_IsString(algorithm) && strcmp(algorithm->valuestring, "MIXED_PRECISION") == 0) {
        r->layers = h->layers;
        return h->layers != NULL
                   ? LLMSIM_OK
                   : llmsim_json_fail(json, object, err, "key \"quantized_layers\" is missing");
    }
    return read_algorithm(json, object, &r->base, err);
}

static const struct {
    const char *method;
    enum llmsim_status (*read)(const struct llmsim_json *json, const cJSON *object,
                               const struct header *h, struct rules *r, struct llmsim_error *err);
} dialects[] = {
    {"fp8", rules_of_fp8},           {"fbgemm_fp8", rules_of_fp8},
    {"mxfp4", rules_of_mxfp4},       {"awq", rules_of_integers},
    {"gptq", rules_of_integers},     {"compressed-tensors", rules_of_compressed},
    {"modelopt", rules_of_modelopt},
};

static enum llmsim_status read_rules(const struct llmsim_json *json, const cJSON *object,
                                     struct rules *r, struct llmsim_error *err)
{
    struct header h = {.bits = 0};
    enum llmsim_status status =
        llmsim_json_read(json, object, header_keys, LLMSIM_JSON_SKIP_UNKNOWN, &h, err);
    if (status != LLMSIM_OK)
        return status;
    r->ignore = h.ignore != NULL          ? h.ignore
                : h.not_converted != NULL ? h.not_converted
                                          : h.excluded;
    if (cJSON_GetObjectItemCaseSensitive(object, "quant_algo") != NULL)
        return rules_of_modelopt(json, object, &h, r, err);
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++)
        if (strcmp(dialects[i].method, h.method) == 0)
            return dialects[i].read(json, object, &h, r, err);
    if (h.method[0] == '\0')
        return llmsim_json_fail(json, object, err, "key \"quant_method\" is missing");
    return llmsim_json_fail(json, object, err,
                            "the weights are quantized by \"%s\", which is not known: only a "
                            "safetensors index or file gives their size",
                            h.method);
}

/* ---- rules to roles ---- */

static bool names_linear(const cJSON *targets)
{
    const cJSON *target;
    cJSON_ArrayForEach(target, targets)
    {
        if (cJSON_IsString(target) && strcmp(target->valuestring, "Linear") == 0)
            return true;
    }
    return false;
}

/* The LM head is left out unless a rule names it. */
static enum llmsim_format format_of_module(const struct llmsim_json *json, const struct rules *r,
                                           const char *module)
{
    const cJSON *group;
    bool is_head = strcmp(module, "lm_head") == 0;
    if (is_any(r->ignore, module) || (is_head && r->groups == NULL))
        return r->rest;
    if (r->groups == NULL)
        return r->base;
    cJSON_ArrayForEach(group, r->groups)
    {
        enum llmsim_format format = r->rest;
        unsigned group_size;
        const cJSON *targets = cJSON_GetObjectItemCaseSensitive(group, "targets");
        if ((!is_head && names_linear(targets)) || is_any(targets, module))
            return read_group(json, group, &format, &group_size, NULL) == LLMSIM_OK ? format
                                                                                    : r->rest;
    }
    return r->rest;
}

struct tally {
    unsigned n[LLMSIM_N_WEIGHTS][N_FORMATS];
};

/* `parent` and `name` below a layer: "mlp" and ".gate_proj". */
static void tally_module(const struct llmsim_json *json, const struct rules *r, unsigned layer,
                         const char *parent, const char *name, enum llmsim_weights role,
                         struct tally *t)
{
    char module[MODULE_MAX];
    (void)snprintf(module, sizeof module, "layers.%u.%s%s", layer, parent, name);
    t->n[role][format_of_module(json, r, module)]++;
}

static const char *either(const char *given, const char *usual)
{
    return given != NULL ? given : usual;
}

static void tally_layer(const struct llmsim_model_class *row, const struct llmsim_json *json,
                        const struct rules *r, const struct llmsim_config *c, unsigned layer,
                        struct tally *t)
{
    bool is_linear = llmsim_config_is_linear(c, layer);
    const char *attention = is_linear ? "linear_attn" : "self_attn";
    const char *q = c->shape.mla.q_lora_rank > 0 ? ".q_b_proj" : ".q_proj";
    tally_module(json, r, layer, attention, is_linear ? ".in_proj_qkv" : q,
                 LLMSIM_WEIGHTS_ATTENTION, t);
    tally_module(json, r, layer, attention, is_linear ? ".out_proj" : ".o_proj",
                 LLMSIM_WEIGHTS_ATTENTION_OUTPUT, t);
    if (!llmsim_config_has_experts(c, layer)) {
        tally_module(json, r, layer, either(row->mlp, "mlp"), ".gate_proj", LLMSIM_WEIGHTS_MLP, t);
        return;
    }
    tally_module(json, r, layer, either(row->experts, "mlp.experts"), ".0.gate_proj",
                 LLMSIM_WEIGHTS_EXPERTS, t);
    tally_module(json, r, layer, either(row->shared_experts, "mlp.shared_experts"), ".gate_proj",
                 LLMSIM_WEIGHTS_SHARED_EXPERTS, t);
}

/* The role of a module that a list of layers names, by the words in its name. */
static enum llmsim_weights role_of_name(const struct llmsim_model_class *row,
                                        const struct llmsim_config *c, const char *name)
{
    static const struct {
        const char *word;
        enum llmsim_weights role;
    } words[] = {
        {"shared_expert", LLMSIM_WEIGHTS_SHARED_EXPERTS},
        {"experts", LLMSIM_WEIGHTS_EXPERTS},
        {"o_proj", LLMSIM_WEIGHTS_ATTENTION_OUTPUT},
        {"out_proj", LLMSIM_WEIGHTS_ATTENTION_OUTPUT},
        {"attn", LLMSIM_WEIGHTS_ATTENTION},
        {"lm_head", LLMSIM_WEIGHTS_LM_HEAD},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(name, words[i].word) != NULL)
            return words[i].role;
    bool is_shared = c->shape.dense_layers == 0 && row->shared_experts != NULL;
    return is_shared ? LLMSIM_WEIGHTS_SHARED_EXPERTS : LLMSIM_WEIGHTS_MLP;
}

static enum llmsim_status tally_listed(const struct llmsim_model_class *row,
                                       const struct llmsim_json *json, const struct rules *r,
                                       const struct llmsim_config *c, struct tally *t,
                                       struct llmsim_error *err)
{
    const cJSON *layer;
    enum llmsim_format format = r->rest;
    cJSON_ArrayForEach(layer, r->layers)
    {
        if (!cJSON_IsObject(layer)) /* a note of whoever shortened the list */
            continue;
        enum llmsim_status status = read_algorithm(json, layer, &format, err);
        if (status != LLMSIM_OK)
            return status;
        t->n[role_of_name(row, c, layer->string)][format]++;
    }
    return LLMSIM_OK;
}

static enum llmsim_format most_frequent(const unsigned n[N_FORMATS], enum llmsim_format otherwise)
{
    enum llmsim_format most = otherwise;
    for (unsigned i = 0; i < N_FORMATS; i++)
        if (n[i] > n[most])
            most = (enum llmsim_format)i;
    return most;
}

static enum llmsim_status apply_rules(const struct llmsim_model_class *row,
                                      const struct llmsim_json *json, const struct rules *r,
                                      struct llmsim_config *c, struct llmsim_error *err)
{
    struct tally t = {.n = {{0}}};
    enum llmsim_status status = LLMSIM_OK;
    if (r->layers != NULL) {
        status = tally_listed(row, json, r, c, &t, err);
    } else {
        for (unsigned i = 0; i < c->shape.num_hidden_layers; i++)
            tally_layer(row, json, r, c, i, &t);
        t.n[LLMSIM_WEIGHTS_LM_HEAD][format_of_module(json, r, "lm_head")]++;
    }
    for (size_t role = 0; role < LLMSIM_N_WEIGHTS; role++)
        c->shape.formats[role] = most_frequent(t.n[role], r->rest);
    c->shape.formats[LLMSIM_WEIGHTS_OTHER] = r->rest;
    c->shape.group_size = r->group_size;
    return status;
}

/* ---- the KV cache ---- */

/* kv_cache_scheme: an object with num_bits, or a name; kv_cache_quant_algo: a name. */
static void read_kv_cache(const cJSON *object, enum llmsim_format *format)
{
    static const char *const keys[] = {"kv_cache_scheme", "kv_cache_quant_algo"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, keys[i]);
        const cJSON *bits = cJSON_GetObjectItemCaseSensitive(value, "num_bits");
        if ((cJSON_IsNumber(bits) && bits->valuedouble == 8) ||
            (cJSON_IsString(value) && strcmp(value->valuestring, "FP8") == 0))
            *format = LLMSIM_FORMAT_FP8;
        if (cJSON_IsString(value) && strcmp(value->valuestring, "NVFP4") == 0)
            *format = LLMSIM_FORMAT_NVFP4;
    }
}

/* ---- the whole ---- */

/* "hf_quant_config.json" beside "config.json"; a config under another name has it as a part of its
 * own, "X_config.json" and "X_hf_quant_config.json". NULL: there is none, or no memory. */
static char *find_beside(const char *config_path)
{
    static const char suffix[] = "config.json";
    size_t length = strlen(config_path), n = sizeof suffix - 1;
    char *path = NULL;
    if (length < n || strcmp(config_path + length - n, suffix) != 0 ||
        asprintf(&path, "%.*shf_quant_config.json", (int)(length - n), config_path) < 0)
        return NULL;
    if (access(path, F_OK) == 0)
        return path;
    free(path);
    return NULL;
}

static const cJSON *find_object(const struct llmsim_json *json, const cJSON *text)
{
    const cJSON *object = cJSON_GetObjectItemCaseSensitive(json->root, "quantization_config");
    if (!cJSON_IsObject(object))
        object = cJSON_GetObjectItemCaseSensitive(text, "quantization_config");
    return cJSON_IsObject(object) ? object : NULL;
}

static enum llmsim_status read_beside(const struct llmsim_model_class *row, const char *path,
                                      bool has_object, const struct rules *defaults,
                                      struct llmsim_config *c, struct llmsim_error *err)
{
    struct llmsim_json json;
    struct rules r = *defaults;
    enum llmsim_status status = llmsim_json_load(&json, path, err);
    if (status != LLMSIM_OK)
        return status;
    const cJSON *object = cJSON_GetObjectItemCaseSensitive(json.root, "quantization");
    if (object == NULL)
        status = llmsim_json_fail(&json, json.root, err, "key \"quantization\" is missing");
    if (status == LLMSIM_OK)
        read_kv_cache(object, &c->shape.kv_cache_format);
    if (status == LLMSIM_OK && !has_object)
        status = read_rules(&json, object, &r, err);
    if (status == LLMSIM_OK && !has_object)
        status = apply_rules(row, &json, &r, c, err);
    llmsim_json_fini(&json);
    return status;
}

enum llmsim_status llmsim_config_quantization(const struct llmsim_model_class *row,
                                              const struct llmsim_json *json, const cJSON *text,
                                              enum llmsim_format dtype, struct llmsim_config *c,
                                              struct llmsim_error *err)
{
    struct rules r = {.rest = dtype, .base = dtype};
    const cJSON *object = find_object(json, text);
    char *beside = find_beside(json->path);
    enum llmsim_status status = LLMSIM_OK;
    for (size_t role = 0; role < LLMSIM_N_WEIGHTS; role++)
        c->shape.formats[role] = dtype;
    c->shape.kv_cache_format = dtype;
    if (beside != NULL)
        status = read_beside(row, beside, object != NULL, &r, c, err);
    if (status == LLMSIM_OK && object != NULL) {
        read_kv_cache(object, &c->shape.kv_cache_format);
        status = read_rules(json, object, &r, err);
        if (status == LLMSIM_OK)
            status = apply_rules(row, json, &r, c, err);
    }
    free(beside);
    return status;
}
