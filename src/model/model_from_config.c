/* model_from_config.c: a model's entry of the catalogue from its Hugging Face config.json. */
#include <stdio.h>
#include <string.h>

#include "llmsim/catalogue.h"
#include "llmsim/json_document.h"
#include "model_config.h"
#include "parts.h"
#include "safetensors_size.h"
#include "utf8.h"

#define DTYPE_NAMES "bfloat16, float16 or float32"

/* false: not one of DTYPE_NAMES. */
static bool find_dtype(const char *name, enum llmsim_format *format)
{
    bool is_16_bits = strcmp(name, "bfloat16") == 0 || strcmp(name, "float16") == 0;
    *format = is_16_bits ? LLMSIM_FORMAT_BF16 : LLMSIM_FORMAT_FP32;
    return is_16_bits || strcmp(name, "float32") == 0;
}

/* Of what is not quantized. A config of more than text says it of the whole or of the text. */
static enum llmsim_status read_dtype(const struct llmsim_json *json, const cJSON *text,
                                     const struct llmsim_model_class *row, const char *given,
                                     enum llmsim_format *format, struct llmsim_error *err)
{
    static const struct llmsim_json_key keys[] = {
        {.name = "torch_dtype", .also = "dtype", .kind = LLMSIM_JSON_NAME, .optional = true},
        LLMSIM_JSON_KEY_END,
    };
    char name[LLMSIM_MAX_NAME + 1] = "";
    if (given != NULL)
        return find_dtype(given, format)
                   ? LLMSIM_OK
                   : llmsim_fail(err, LLMSIM_USAGE, "dtype '%s': expected " DTYPE_NAMES, given);
    enum llmsim_status status =
        llmsim_json_read(json, json->root, keys, LLMSIM_JSON_SKIP_UNKNOWN, name, err);
    if (status == LLMSIM_OK && name[0] == '\0')
        status = llmsim_json_read(json, text, keys, LLMSIM_JSON_SKIP_UNKNOWN, name, err);
    if (status != LLMSIM_OK)
        return status;
    if (name[0] == '\0' && row->default_dtype != NULL)
        (void)snprintf(name, sizeof name, "%s", row->default_dtype);
    if (name[0] == '\0')
        return llmsim_json_fail(json, json->root, err,
                                "key \"torch_dtype\" is missing, and no dtype was given");
    if (!find_dtype(name, format))
        return llmsim_json_fail(json, json->root, err,
                                "\"torch_dtype\" is \"%s\", expected " DTYPE_NAMES, name);
    return LLMSIM_OK;
}

static enum llmsim_status read_name(const struct llmsim_json *json, const char *given,
                                    char name[static LLMSIM_MAX_NAME + 1], struct llmsim_error *err)
{
    static const struct llmsim_json_key keys[] = {
        {.name = "_name_or_path", .kind = LLMSIM_JSON_NAME, .optional = true},
        LLMSIM_JSON_KEY_END,
    };
    enum llmsim_status status = LLMSIM_OK;
    name[0] = '\0';
    if (given == NULL)
        status = llmsim_json_read(json, json->root, keys, LLMSIM_JSON_SKIP_UNKNOWN, name, err);
    else if (given[0] == '\0' || strlen(given) > LLMSIM_MAX_NAME)
        return llmsim_fail(err, LLMSIM_USAGE, "a model's name has 1 to %d bytes", LLMSIM_MAX_NAME);
    else
        memcpy(name, given, strlen(given) + 1);
    if (status == LLMSIM_OK && name[0] == '\0')
        return llmsim_json_fail(json, json->root, err,
                                "key \"_name_or_path\" is missing, and no name was given");
    if (status == LLMSIM_OK && !llmsim_utf8_is_plain(name, strlen(name)))
        return llmsim_fail(err, LLMSIM_USAGE, "the model's name '%s' is no plain UTF-8 text", name);
    return status;
}

/* What describes the language model: of a multimodal config a part. */
static const cJSON *find_text(const struct llmsim_json *json)
{
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(json->root, "text_config");
    return cJSON_IsObject(text) ? text : json->root;
}

/* Where the quantization is not known, but a file gives the weights' size, the entry is right
 * without a shape. */
static enum llmsim_status read_quantization(const struct llmsim_json *json, const cJSON *text,
                                            const struct llmsim_model_class *row,
                                            const struct llmsim_model_source *source,
                                            struct llmsim_config *c, struct llmsim_error *err)
{
    enum llmsim_format dtype = LLMSIM_FORMAT_BF16;
    enum llmsim_status status = read_dtype(json, text, row, source->dtype, &dtype, err);
    if (status != LLMSIM_OK)
        return status;
    status = llmsim_config_quantization(row, json, text, dtype, c, err);
    if (status == LLMSIM_CATALOGUE && source->safetensors_path != NULL) {
        c->shape.is_known = false;
        status = LLMSIM_OK;
    }
    return status;
}

static enum llmsim_status read_shape(const struct llmsim_json *json,
                                     const struct llmsim_model_source *source,
                                     struct llmsim_model_shape *shape, struct llmsim_error *err)
{
    const struct llmsim_model_class *row = NULL;
    struct llmsim_config c;
    struct llmsim_model *model = &shape->model;
    uint64_t weight_bytes = 0;
    const cJSON *text = find_text(json);
    enum llmsim_status status = llmsim_model_class_find(json, &row, err);
    if (status == LLMSIM_OK)
        status = llmsim_model_class_read(row, json, text, &c, err);
    if (status == LLMSIM_OK)
        status = read_quantization(json, text, row, source, &c, err);
    if (status == LLMSIM_OK)
        status = read_name(json, source->name, model->name, err);
    if (status == LLMSIM_OK && source->safetensors_path != NULL)
        status = llmsim_safetensors_size(source->safetensors_path, &weight_bytes, err);
    if (status != LLMSIM_OK)
        return status;

    (void)snprintf(shape->architecture, sizeof shape->architecture, "%s", row->name);
    shape->is_part = text != json->root;
    model->shape = c.shape;
    model->num_hidden_layers = c.shape.num_hidden_layers;
    model->num_heads = c.num_heads;
    model->hidden_size = c.shape.hidden_size;
    model->max_positions = c.max_positions;
    model->num_experts = c.shape.moe.num_experts;
    model->kvc_size_KB = llmsim_shape_kv_bytes_per_token(&c.shape) / 1024;
    model->model_size_GB =
        (source->safetensors_path != NULL ? (double)weight_bytes
                                          : llmsim_shape_weight_bytes(&c.shape)) /
        1e9;
    return LLMSIM_OK;
}

enum llmsim_status llmsim_model_from_config(const struct llmsim_model_source *source,
                                            struct llmsim_model_shape *shape,
                                            struct llmsim_error *err)
{
    struct llmsim_json json;
    enum llmsim_status status = LLMSIM_CHECK_PARTS("the source of a model", err,
                                                   {source->config_path != NULL, "config_path"});
    if (status == LLMSIM_OK)
        status = llmsim_json_load_of_others(&json, source->config_path, err);
    if (status != LLMSIM_OK)
        return status;
    *shape = (struct llmsim_model_shape){.is_part = false};
    status = read_shape(&json, source, shape, err);
    llmsim_json_fini(&json);
    return status;
}
