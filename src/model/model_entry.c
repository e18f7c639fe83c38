/* model_entry.c: the keys of an entry of model.json.
 *
 * A key is a row of one table, which reads and writes it. What a shape leaves out is 0, false, or
 * what the row takes it from: values as wide as keys, weights stored as the rest. */
#include "model_entry.h"

#include <string.h>

#include "llmsim/json_document.h"
#include "model_limits.h"

/* What a row's value is kept as. */
enum row_kind { COUNT, NUMBER, WHOLE, FLAG, FORMAT };

#define NO_DEFAULT SIZE_MAX

struct row {
    const char *name;
    enum row_kind kind;
    bool is_required;
    double max;
    size_t offset;       /* in struct llmsim_model */
    size_t default_from; /* where the value stands that an absent one has */
};

#define AT(member) offsetof(struct llmsim_model, member)
#define FORMAT_AT(role) AT(shape.formats) + sizeof(enum llmsim_format) * (role)

static const struct row rows[] = {
    {"num_hidden_layers", COUNT, true, 1e4, AT(num_hidden_layers), NO_DEFAULT},
    {"num_heads", COUNT, true, 1e4, AT(num_heads), NO_DEFAULT},
    {"model_size_GB", NUMBER, true, 1e6, AT(model_size_GB), NO_DEFAULT},
    {"kvc_size_KB", NUMBER, true, 1e6, AT(kvc_size_KB), NO_DEFAULT},
    {"hidden_size", COUNT, false, 1e6, AT(hidden_size), NO_DEFAULT},
    {"max_position_embeddings", COUNT, false, 1e9, AT(max_positions), NO_DEFAULT},
    {"num_experts", COUNT, false, 1e4, AT(num_experts), NO_DEFAULT},
#define FIRST_SHAPE_ROW 7
    {"vocab_size", COUNT, false, MAX_VOCABULARY, AT(shape.vocab_size), NO_DEFAULT},
    {"tie_word_embeddings", FLAG, false, 0, AT(shape.tie_word_embeddings), NO_DEFAULT},
    {"parallel_blocks", FLAG, false, 0, AT(shape.parallel_blocks), NO_DEFAULT},
    {"full_attention_layers", COUNT, false, MAX_LAYERS, AT(shape.full.layers), NO_DEFAULT},
    {"num_key_value_heads", COUNT, false, MAX_HEADS, AT(shape.full.num_kv_heads), NO_DEFAULT},
    {"head_dim", COUNT, false, MAX_WIDTH, AT(shape.full.head_dim), NO_DEFAULT},
    {"v_head_dim", COUNT, false, MAX_WIDTH, AT(shape.full.v_head_dim), AT(shape.full.head_dim)},
    {"attn_output_gate", FLAG, false, 0, AT(shape.attn_output_gate), NO_DEFAULT},
    {"attention_k_eq_v", FLAG, false, 0, AT(shape.attention_k_eq_v), NO_DEFAULT},
    {"sliding_attention_layers", COUNT, false, MAX_LAYERS, AT(shape.windowed.layers), NO_DEFAULT},
    {"sliding_window", COUNT, false, MAX_POSITIONS, AT(shape.windowed.window), NO_DEFAULT},
    {"sliding_num_key_value_heads", COUNT, false, MAX_HEADS, AT(shape.windowed.num_kv_heads),
     AT(shape.full.num_kv_heads)},
    {"sliding_head_dim", COUNT, false, MAX_WIDTH, AT(shape.windowed.head_dim),
     AT(shape.full.head_dim)},
    {"sliding_v_head_dim", COUNT, false, MAX_WIDTH, AT(shape.windowed.v_head_dim),
     AT(shape.windowed.head_dim)},
    {"latent_attention_layers", COUNT, false, MAX_LAYERS, AT(shape.mla.layers), NO_DEFAULT},
    {"q_lora_rank", COUNT, false, MAX_WIDTH, AT(shape.mla.q_lora_rank), NO_DEFAULT},
    {"kv_lora_rank", COUNT, false, MAX_WIDTH, AT(shape.mla.kv_lora_rank), NO_DEFAULT},
    {"qk_nope_head_dim", COUNT, false, MAX_WIDTH, AT(shape.mla.qk_nope_head_dim), NO_DEFAULT},
    {"qk_rope_head_dim", COUNT, false, MAX_WIDTH, AT(shape.mla.qk_rope_head_dim), NO_DEFAULT},
    {"index_layers", COUNT, false, MAX_LAYERS, AT(shape.indexer.layers), NO_DEFAULT},
    {"index_n_heads", COUNT, false, MAX_HEADS, AT(shape.indexer.num_heads), NO_DEFAULT},
    {"index_head_dim", COUNT, false, MAX_WIDTH, AT(shape.indexer.head_dim), NO_DEFAULT},
    {"index_topk", COUNT, false, MAX_POSITIONS, AT(shape.indexer.topk), NO_DEFAULT},
    {"linear_attention_layers", COUNT, false, MAX_LAYERS, AT(shape.linear.layers), NO_DEFAULT},
    {"linear_num_key_heads", COUNT, false, MAX_HEADS, AT(shape.linear.num_key_heads), NO_DEFAULT},
    {"linear_key_head_dim", COUNT, false, MAX_WIDTH, AT(shape.linear.key_head_dim), NO_DEFAULT},
    {"linear_num_value_heads", COUNT, false, MAX_HEADS, AT(shape.linear.num_value_heads),
     NO_DEFAULT},
    {"linear_value_head_dim", COUNT, false, MAX_WIDTH, AT(shape.linear.value_head_dim), NO_DEFAULT},
    {"linear_conv_kernel_dim", COUNT, false, MAX_HEADS, AT(shape.linear.conv_kernel_dim),
     NO_DEFAULT},
    {"dense_layers", COUNT, false, MAX_LAYERS, AT(shape.dense_layers), NO_DEFAULT},
    {"intermediate_size", COUNT, false, MAX_WIDTH, AT(shape.intermediate_size), NO_DEFAULT},
    {"mlp_is_not_gated", FLAG, false, 0, AT(shape.mlp_is_not_gated), NO_DEFAULT},
    {"moe_layers", COUNT, false, MAX_LAYERS, AT(shape.moe.layers), NO_DEFAULT},
    {"num_experts_per_tok", COUNT, false, MAX_EXPERTS, AT(shape.moe.num_experts_per_tok),
     NO_DEFAULT},
    {"moe_intermediate_size", COUNT, false, MAX_WIDTH, AT(shape.moe.moe_intermediate_size),
     NO_DEFAULT},
    {"shared_expert_intermediate_size", COUNT, false, MAX_WIDTH,
     AT(shape.moe.shared_expert_intermediate_size), NO_DEFAULT},
    {"parameters", WHOLE, false, LLMSIM_JSON_MAX_WHOLE, AT(shape.parameters), NO_DEFAULT},
    {"active_parameters", WHOLE, false, LLMSIM_JSON_MAX_WHOLE, AT(shape.active_parameters),
     AT(shape.parameters)},
    {"dtype", FORMAT, false, 0, FORMAT_AT(LLMSIM_WEIGHTS_OTHER), NO_DEFAULT},
    {"attention_dtype", FORMAT, false, 0, FORMAT_AT(LLMSIM_WEIGHTS_ATTENTION),
     FORMAT_AT(LLMSIM_WEIGHTS_OTHER)},
    {"attention_output_dtype", FORMAT, false, 0, FORMAT_AT(LLMSIM_WEIGHTS_ATTENTION_OUTPUT),
     FORMAT_AT(LLMSIM_WEIGHTS_ATTENTION)},
    {"mlp_dtype", FORMAT, false, 0, FORMAT_AT(LLMSIM_WEIGHTS_MLP), FORMAT_AT(LLMSIM_WEIGHTS_OTHER)},
    {"shared_expert_dtype", FORMAT, false, 0, FORMAT_AT(LLMSIM_WEIGHTS_SHARED_EXPERTS),
     FORMAT_AT(LLMSIM_WEIGHTS_MLP)},
    {"experts_dtype", FORMAT, false, 0, FORMAT_AT(LLMSIM_WEIGHTS_EXPERTS),
     FORMAT_AT(LLMSIM_WEIGHTS_MLP)},
    {"lm_head_dtype", FORMAT, false, 0, FORMAT_AT(LLMSIM_WEIGHTS_LM_HEAD),
     FORMAT_AT(LLMSIM_WEIGHTS_OTHER)},
    {"kv_cache_dtype", FORMAT, false, 0, AT(shape.kv_cache_format),
     FORMAT_AT(LLMSIM_WEIGHTS_OTHER)},
    {"quantization_group_size", COUNT, false, MAX_WIDTH, AT(shape.group_size), NO_DEFAULT},
};
#define N_ROWS (sizeof rows / sizeof *rows)

/* How a kind is read, and its size, which is that of the member. */
static const struct {
    enum llmsim_json_kind json;
    size_t size;
} kinds[] = {
    [COUNT] = {LLMSIM_JSON_COUNT, sizeof(unsigned)},
    [NUMBER] = {LLMSIM_JSON_POSITIVE, sizeof(double)},
    [WHOLE] = {LLMSIM_JSON_WHOLE, sizeof(uint64_t)},
    [FLAG] = {LLMSIM_JSON_FLAG, sizeof(bool)},
    [FORMAT] = {LLMSIM_JSON_NAME, sizeof(enum llmsim_format)},
};

/* Formats are names in the file. */
struct staging {
    struct llmsim_model model;
    char formats[N_ROWS][LLMSIM_MAX_NAME + 1];
};

static void make_keys(struct llmsim_json_key keys[N_ROWS + 1])
{
    for (size_t i = 0; i < N_ROWS; i++)
        keys[i] = (struct llmsim_json_key){
            .name = rows[i].name,
            .kind = kinds[rows[i].kind].json,
            .optional = !rows[i].is_required,
            .max = rows[i].max,
            .offset = rows[i].kind == FORMAT
                          ? offsetof(struct staging, formats) + i * (LLMSIM_MAX_NAME + 1)
                          : rows[i].offset,
        };
    keys[N_ROWS] = (struct llmsim_json_key)LLMSIM_JSON_KEY_END;
}

static enum llmsim_status read_formats(const struct llmsim_json *json, const cJSON *entry,
                                       struct staging *s, struct llmsim_error *err)
{
    for (size_t i = 0; i < N_ROWS; i++) {
        size_t format;
        char names[256];
        if (s->formats[i][0] == '\0')
            continue;
        if (!llmsim_choice_find(llmsim_format_choice, s->formats[i], &format))
            return llmsim_json_fail(json, cJSON_GetObjectItemCaseSensitive(entry, rows[i].name),
                                    err, "\"%s\": \"%s\" is \"%s\", expected one of %s",
                                    entry->string, rows[i].name, s->formats[i],
                                    llmsim_choice_names(llmsim_format_choice, names, sizeof names));
        *(enum llmsim_format *)((char *)&s->model + rows[i].offset) = (enum llmsim_format)format;
    }
    return LLMSIM_OK;
}

/* Rows stand after those that they take their values from. */
static void take_defaults(const cJSON *entry, struct llmsim_model *model)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (rows[i].default_from != NO_DEFAULT && !llmsim_json_has(entry, rows[i].name))
            memcpy((char *)model + rows[i].offset, (const char *)model + rows[i].default_from,
                   kinds[rows[i].kind].size);
}

/* The kinds of layers share what the entry says once. */
static enum llmsim_status complete_shape(const struct llmsim_json *json, const cJSON *entry,
                                         struct llmsim_model *model, struct llmsim_error *err)
{
    struct llmsim_shape *s = &model->shape;
    struct llmsim_error fault;
    s->is_known = true;
    s->hidden_size = model->hidden_size;
    s->num_hidden_layers = model->num_hidden_layers;
    s->full.num_heads = s->windowed.num_heads = s->mla.num_heads = model->num_heads;
    if (s->mla.layers > 0)
        s->mla.v_head_dim = s->full.v_head_dim;
    s->moe.num_experts = model->num_experts;
    if (llmsim_shape_check(s, &fault) == LLMSIM_OK)
        return LLMSIM_OK;
    return llmsim_json_fail(json, entry, err, "\"%s\": %s", entry->string, fault.message);
}

enum llmsim_status llmsim_model_entry_read(const struct llmsim_json *json, const cJSON *entry,
                                           struct llmsim_model *model, struct llmsim_error *err)
{
    struct llmsim_json_key keys[N_ROWS + 1];
    struct staging s = {.model = *model};
    bool has_shape = false;
    make_keys(keys);
    enum llmsim_status status =
        llmsim_json_read(json, entry, keys, LLMSIM_JSON_REFUSE_UNKNOWN, &s, err);
    if (status == LLMSIM_OK)
        status = read_formats(json, entry, &s, err);
    if (status != LLMSIM_OK)
        return status;
    for (size_t i = FIRST_SHAPE_ROW; i < N_ROWS; i++)
        has_shape = has_shape || llmsim_json_has(entry, rows[i].name);
    if (has_shape) {
        take_defaults(entry, &s.model);
        status = complete_shape(json, entry, &s.model, err);
    }
    *model = s.model;
    return status;
}

/* ---- writing ---- */

static cJSON *make_value(const struct row *row, const void *value)
{
    switch (row->kind) {
    case COUNT:
        return cJSON_CreateNumber(*(const unsigned *)value);
    case NUMBER:
        return cJSON_CreateNumber(*(const double *)value);
    case WHOLE:
        return cJSON_CreateNumber((double)*(const uint64_t *)value);
    case FLAG:
        return cJSON_CreateBool(*(const bool *)value);
    case FORMAT:
        break;
    }
    return cJSON_CreateString(llmsim_format_choice(*(const enum llmsim_format *)value)->name);
}

/* Would a reader have it anyway? A dtype is written in any case, as the one that others follow. */
static bool is_implied(const struct row *row, const struct llmsim_model *model)
{
    static const char zeros[sizeof(uint64_t)];
    const char *value = (const char *)model + row->offset;
    if (row->default_from != NO_DEFAULT)
        return memcmp(value, (const char *)model + row->default_from, kinds[row->kind].size) == 0;
    return row->kind != FORMAT && memcmp(value, zeros, kinds[row->kind].size) == 0;
}

cJSON *llmsim_model_entry_make(const struct llmsim_model *model)
{
    cJSON *object = cJSON_CreateObject();
    size_t n = model->shape.is_known ? N_ROWS : FIRST_SHAPE_ROW;
    bool all = object != NULL;
    for (size_t i = 0; i < n && all; i++) {
        if (is_implied(&rows[i], model))
            continue;
        cJSON *value = make_value(&rows[i], (const char *)model + rows[i].offset);
        all = value != NULL && cJSON_AddItemToObject(object, rows[i].name, value);
        if (!all)
            cJSON_Delete(value);
    }
    if (all)
        return object;
    cJSON_Delete(object);
    return NULL;
}
