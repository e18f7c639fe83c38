/* model_from_config.c: the shape of a model from its Hugging Face config.json.
 *
 * An architecture is a row of a table: the class name that the config gives, the keys that its
 * parameter count depends on, what they are where the class has a default of its own, and the
 * function that counts. A key that has no default in the class, or whose default was taken from one
 * particular model, has to be there. docs/catalogues.md has the counts as formulas. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_file.h"
#include "llmsim/catalogue.h"
#include "utf8.h"

/* Limits four times and more above any published model, and low enough that no product of them
 * that is formed below exceeds 64 bits. */
#define MAX_WIDTH (1 << 18)
#define MAX_VOCABULARY (1 << 22)
#define MAX_LAYERS (1 << 10)
#define MAX_HEADS (1 << 10)
#define MAX_EXPERTS (1 << 10)
#define MAX_POSITIONS (1 << 26)

/* What the counts depend on. Zero or false where an architecture has no such thing. */
struct config {
    unsigned hidden_size;
    unsigned intermediate_size;
    unsigned n_layers;
    unsigned n_heads;
    unsigned n_kv_heads;
    unsigned head_dim;
    unsigned vocab_size;
    unsigned n_positions;
    unsigned embedding_size;
    unsigned n_experts;
    unsigned n_experts_per_token;
    unsigned expert_size;
    unsigned sparse_step;      /* every so many layers, the layer has experts … */
    const cJSON *dense_layers; /* … but for those in this array */
    bool ties_embeddings;
    bool has_qkv_bias;       /* Qwen 2 */
    bool has_attention_bias; /* on q, k, v and the output */
    bool has_mlp_bias;
    bool has_qk_norm;
    bool has_no_bias; /* Qwen 1: all but q, k, v */
    bool has_norm_before;
    bool lacks_final_norm;
    bool has_linear_bias; /* OPT */
    bool has_norm_weights;
};

/* Parameters, and the MLP that most layers have. */
struct count {
    uint64_t total;
    uint64_t active;
    unsigned mlp_size;
    bool has_gated_mlp;
};

struct architecture {
    const char *name;
    const struct llmsim_json_key *keys;
    struct config defaults;
    struct count (*count)(const struct config *c);
};

/* ---- counts ---- */

/* A linear layer, weights and bias. */
static uint64_t linear(uint64_t in, uint64_t out, bool has_bias)
{
    return in * out + (has_bias ? out : 0);
}

static uint64_t count_attention(const struct config *c)
{
    uint64_t h = c->hidden_size;
    uint64_t q = (uint64_t)c->n_heads * c->head_dim, kv = (uint64_t)c->n_kv_heads * c->head_dim;
    bool has_qkv_bias = c->has_qkv_bias || c->has_attention_bias;
    return linear(h, q, has_qkv_bias) + 2 * linear(h, kv, has_qkv_bias) +
           linear(q, h, c->has_attention_bias) + (c->has_qk_norm ? 2 * (uint64_t)c->head_dim : 0);
}

/* gate, up and down. */
static uint64_t count_gated_mlp(const struct config *c, uint64_t size)
{
    return 2 * linear(c->hidden_size, size, c->has_mlp_bias) +
           linear(size, c->hidden_size, c->has_mlp_bias);
}

static bool is_listed(const cJSON *indices, unsigned index)
{
    const cJSON *element;
    cJSON_ArrayForEach(element, indices)
    {
        if (element->valuedouble == index)
            return true;
    }
    return false;
}

static unsigned count_sparse_layers(const struct config *c)
{
    unsigned n = 0;
    for (unsigned i = 0; i < c->n_layers && c->n_experts > 0; i++)
        n += (i + 1) % c->sparse_step == 0 && !is_listed(c->dense_layers, i);
    return n;
}

/* Llama and what descends from it: RMS norms before attention and MLP and after the last layer. */
static struct count count_llama(const struct config *c)
{
    uint64_t h = c->hidden_size, embedding = c->vocab_size * h;
    uint64_t sparse_layers = count_sparse_layers(c);
    uint64_t dense_layers = c->n_layers - sparse_layers;
    uint64_t expert = count_gated_mlp(c, c->expert_size);
    uint64_t idle_experts = sparse_layers * (c->n_experts - c->n_experts_per_token);

    uint64_t total = embedding * (c->ties_embeddings ? 1 : 2) + h +
                     c->n_layers * (count_attention(c) + 2 * h) +
                     dense_layers * count_gated_mlp(c, c->intermediate_size) +
                     sparse_layers * c->n_experts * (h + expert);
    return (struct count){total, total - idle_experts * expert, c->intermediate_size, true};
}

/* Mixtral's experts have the size that Llama's MLP has, and every layer has them. */
static struct count count_mixtral(const struct config *c)
{
    struct config all_sparse = *c;
    all_sparse.expert_size = c->intermediate_size;
    all_sparse.sparse_step = 1;
    return count_llama(&all_sparse);
}

/* The first Qwen: intermediate_size counts gate and up together. */
static struct count count_qwen1(const struct config *c)
{
    struct config halved = *c;
    halved.intermediate_size = c->intermediate_size / 2;
    halved.has_qkv_bias = true;
    halved.has_mlp_bias = !c->has_no_bias;
    struct count count = count_llama(&halved);
    uint64_t output_bias = c->has_no_bias ? 0 : (uint64_t)c->n_layers * c->hidden_size;
    count.total += output_bias;
    count.active += output_bias;
    return count;
}

/* OPT: learned positions with an offset of 2; layer norms and linear layers have biases. The 350M
 * model normalizes after each block, so it has no final norm, and has narrower embeddings, with a
 * projection on either side. */
static struct count count_opt(const struct config *c)
{
    uint64_t h = c->hidden_size, f = c->intermediate_size;
    uint64_t e = c->embedding_size > 0 ? c->embedding_size : h;
    uint64_t norm = c->has_norm_weights ? 2 * h : 0;
    uint64_t layer = 4 * linear(h, h, c->has_linear_bias) + linear(h, f, c->has_linear_bias) +
                     linear(f, h, c->has_linear_bias) + 2 * norm;
    uint64_t embeddings = c->vocab_size * e * (c->ties_embeddings ? 1 : 2) +
                          ((uint64_t)c->n_positions + 2) * h + (e != h ? 2 * e * h : 0);
    bool has_final_norm = c->has_norm_before && !c->lacks_final_norm;
    uint64_t total = embeddings + c->n_layers * layer + (has_final_norm ? norm : 0);
    return (struct count){total, total, c->intermediate_size, false};
}

/* BLOOM: ALiBi has no parameters; the embedding has a norm of its own; the MLP is 4 times as wide
 * as the model. */
static struct count count_bloom(const struct config *c)
{
    uint64_t h = c->hidden_size, norm = 2 * h;
    uint64_t layer =
        4 * linear(h, h, true) + linear(h, 4 * h, true) + linear(4 * h, h, true) + 2 * norm;
    uint64_t total =
        c->vocab_size * h * (c->ties_embeddings ? 1 : 2) + norm + c->n_layers * layer + norm;
    return (struct count){total, total, 4 * c->hidden_size, false};
}

/* ---- the keys of each architecture ---- */

#define COUNT(key, member, limit)                                                                  \
    {                                                                                              \
        .name = key, .kind = LLMSIM_JSON_COUNT, .max = limit,                                      \
        .offset = offsetof(struct config, member)                                                  \
    }
#define OPTIONAL_COUNT(key, member, limit)                                                         \
    {                                                                                              \
        .name = key, .kind = LLMSIM_JSON_COUNT, .max = limit, .optional = true,                    \
        .offset = offsetof(struct config, member)                                                  \
    }
#define FLAG(key, member)                                                                          \
    {                                                                                              \
        .name = key, .kind = LLMSIM_JSON_FLAG, .optional = true,                                   \
        .offset = offsetof(struct config, member)                                                  \
    }
#define COMMON_KEYS                                                                                \
    COUNT("hidden_size", hidden_size, MAX_WIDTH), COUNT("vocab_size", vocab_size, MAX_VOCABULARY), \
        COUNT("num_hidden_layers", n_layers, MAX_LAYERS),                                          \
        COUNT("num_attention_heads", n_heads, MAX_HEADS),                                          \
        FLAG("tie_word_embeddings", ties_embeddings)
#define POSITIONS_KEY OPTIONAL_COUNT("max_position_embeddings", n_positions, MAX_POSITIONS)
#define MLP_KEY COUNT("intermediate_size", intermediate_size, MAX_WIDTH)

static const struct llmsim_json_key llama_keys[] = {
    COMMON_KEYS,
    MLP_KEY,
    POSITIONS_KEY,
    OPTIONAL_COUNT("num_key_value_heads", n_kv_heads, MAX_HEADS),
    OPTIONAL_COUNT("head_dim", head_dim, MAX_WIDTH),
    FLAG("attention_bias", has_attention_bias),
    FLAG("mlp_bias", has_mlp_bias),
    LLMSIM_JSON_KEY_END,
};

static const struct llmsim_json_key mistral_keys[] = {
    COMMON_KEYS,
    MLP_KEY,
    POSITIONS_KEY,
    COUNT("num_key_value_heads", n_kv_heads, MAX_HEADS),
    OPTIONAL_COUNT("head_dim", head_dim, MAX_WIDTH),
    LLMSIM_JSON_KEY_END,
};

static const struct llmsim_json_key mixtral_keys[] = {
    COMMON_KEYS,
    MLP_KEY,
    POSITIONS_KEY,
    COUNT("num_key_value_heads", n_kv_heads, MAX_HEADS),
    OPTIONAL_COUNT("head_dim", head_dim, MAX_WIDTH),
    COUNT("num_local_experts", n_experts, MAX_EXPERTS),
    COUNT("num_experts_per_tok", n_experts_per_token, MAX_EXPERTS),
    LLMSIM_JSON_KEY_END,
};

static const struct llmsim_json_key qwen3_keys[] = {
    COMMON_KEYS,
    MLP_KEY,
    POSITIONS_KEY,
    COUNT("num_key_value_heads", n_kv_heads, MAX_HEADS),
    COUNT("head_dim", head_dim, MAX_WIDTH),
    FLAG("attention_bias", has_attention_bias),
    LLMSIM_JSON_KEY_END,
};

static const struct llmsim_json_key qwen3_moe_keys[] = {
    COMMON_KEYS,
    MLP_KEY,
    POSITIONS_KEY,
    COUNT("num_key_value_heads", n_kv_heads, MAX_HEADS),
    COUNT("head_dim", head_dim, MAX_WIDTH),
    FLAG("attention_bias", has_attention_bias),
    COUNT("num_experts", n_experts, MAX_EXPERTS),
    COUNT("num_experts_per_tok", n_experts_per_token, MAX_EXPERTS),
    COUNT("moe_intermediate_size", expert_size, MAX_WIDTH),
    OPTIONAL_COUNT("decoder_sparse_step", sparse_step, MAX_LAYERS),
    {.name = "mlp_only_layers",
     .kind = LLMSIM_JSON_INDICES,
     .max = MAX_LAYERS,
     .optional = true,
     .offset = offsetof(struct config, dense_layers)},
    LLMSIM_JSON_KEY_END,
};

static const struct llmsim_json_key qwen1_keys[] = {
    COMMON_KEYS,
    MLP_KEY,
    POSITIONS_KEY,
    COUNT("kv_channels", head_dim, MAX_WIDTH),
    FLAG("no_bias", has_no_bias),
    LLMSIM_JSON_KEY_END,
};

static const struct llmsim_json_key opt_keys[] = {
    COMMON_KEYS,
    COUNT("ffn_dim", intermediate_size, MAX_WIDTH),
    COUNT("max_position_embeddings", n_positions, MAX_POSITIONS),
    OPTIONAL_COUNT("word_embed_proj_dim", embedding_size, MAX_WIDTH),
    FLAG("do_layer_norm_before", has_norm_before),
    FLAG("_remove_final_layer_norm", lacks_final_norm),
    FLAG("enable_bias", has_linear_bias),
    FLAG("layer_norm_elementwise_affine", has_norm_weights),
    LLMSIM_JSON_KEY_END,
};

static const struct llmsim_json_key bloom_keys[] = {
    {.name = "hidden_size",
     .also = "n_embed",
     .kind = LLMSIM_JSON_COUNT,
     .max = MAX_WIDTH,
     .offset = offsetof(struct config, hidden_size)},
    {.name = "n_layer",
     .also = "num_hidden_layers",
     .kind = LLMSIM_JSON_COUNT,
     .max = MAX_LAYERS,
     .offset = offsetof(struct config, n_layers)},
    {.name = "n_head",
     .also = "num_attention_heads",
     .kind = LLMSIM_JSON_COUNT,
     .max = MAX_HEADS,
     .offset = offsetof(struct config, n_heads)},
    COUNT("vocab_size", vocab_size, MAX_VOCABULARY),
    FLAG("tie_word_embeddings", ties_embeddings),
    LLMSIM_JSON_KEY_END,
};

static const struct architecture architectures[] = {
    {"LlamaForCausalLM", llama_keys, {0}, count_llama},
    {"MistralForCausalLM", mistral_keys, {0}, count_llama},
    {"MixtralForCausalLM", mixtral_keys, {0}, count_mixtral},
    {"Qwen2ForCausalLM", mistral_keys, {.has_qkv_bias = true}, count_llama},
    {"Qwen3ForCausalLM", qwen3_keys, {.has_qk_norm = true}, count_llama},
    {"Qwen3MoeForCausalLM", qwen3_moe_keys, {.has_qk_norm = true, .sparse_step = 1}, count_llama},
    {"QWenLMHeadModel", qwen1_keys, {.has_no_bias = true}, count_qwen1},
    {"OPTForCausalLM",
     opt_keys,
     {.ties_embeddings = true,
      .has_norm_before = true,
      .has_linear_bias = true,
      .has_norm_weights = true},
     count_opt},
    {"BloomForCausalLM", bloom_keys, {.ties_embeddings = true}, count_bloom},
};
#define N_ARCHITECTURES (sizeof architectures / sizeof *architectures)

/* ---- the weights' size from safetensors ---- */

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
        return llmsim_fail_at(err, LLMSIM_IO, path, 0, 0, "cannot open: %s", strerror(errno));
    if (fread(prefix, 1, sizeof prefix, file) == sizeof prefix)
        for (size_t i = sizeof prefix; i-- > 0;)
            n = n << 8 | prefix[i];
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

static enum llmsim_status size_from_safetensors(const char *path, uint64_t *bytes,
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

/* ---- the whole ---- */

static enum llmsim_status find_architecture(const struct llmsim_json *json,
                                            const struct architecture **found,
                                            struct llmsim_error *err)
{
    static const struct llmsim_json_key keys[] = {
        {.name = "architectures", .kind = LLMSIM_JSON_NAMES},
        LLMSIM_JSON_KEY_END,
    };
    const cJSON *names;
    char known[N_ARCHITECTURES * 32] = "";
    enum llmsim_status status =
        llmsim_json_read(json, json->root, keys, LLMSIM_JSON_SKIP_UNKNOWN, &names, err);
    if (status != LLMSIM_OK)
        return status;
    if (cJSON_GetArraySize(names) != 1)
        return llmsim_json_fail(json, names, err, "expected one name in \"architectures\"");
    for (size_t i = 0; i < N_ARCHITECTURES; i++) {
        if (strcmp(architectures[i].name, names->child->valuestring) == 0) {
            *found = &architectures[i];
            return LLMSIM_OK;
        }
        (void)strncat(known, i == 0 ? "" : ", ", sizeof known - strlen(known) - 1);
        (void)strncat(known, architectures[i].name, sizeof known - strlen(known) - 1);
    }
    return llmsim_json_fail(json, names, err,
                            "\"architectures\": \"%s\" is not known; those that are: %s",
                            names->child->valuestring, known);
}

/* Check what one key cannot say alone, and derive what the config may leave out. */
static enum llmsim_status complete(const struct llmsim_json *json, struct config *c,
                                   struct llmsim_error *err)
{
    if (c->n_kv_heads == 0)
        c->n_kv_heads = c->n_heads;
    if (c->n_heads % c->n_kv_heads != 0)
        return llmsim_json_fail(json, json->root, err,
                                "%u attention heads do not share %u key-value heads evenly",
                                c->n_heads, c->n_kv_heads);
    if (c->head_dim == 0 && c->hidden_size % c->n_heads != 0)
        return llmsim_json_fail(
            json, json->root, err,
            "key \"head_dim\" is missing, and %u is not a multiple of %u attention heads",
            c->hidden_size, c->n_heads);
    if (c->head_dim == 0)
        c->head_dim = c->hidden_size / c->n_heads;
    if (c->n_experts_per_token > c->n_experts)
        return llmsim_json_fail(json, json->root, err, "%u experts a token, but only %u experts",
                                c->n_experts_per_token, c->n_experts);
    return LLMSIM_OK;
}

#define DTYPE_NAMES "bfloat16, float16 or float32"

/* 0: not one of DTYPE_NAMES. */
static unsigned bytes_of_dtype(const char *name)
{
    if (strcmp(name, "bfloat16") == 0 || strcmp(name, "float16") == 0)
        return 2;
    return strcmp(name, "float32") == 0 ? 4 : 0;
}

static enum llmsim_status read_dtype(const struct llmsim_json *json, const char *given,
                                     unsigned *bytes, struct llmsim_error *err)
{
    static const struct llmsim_json_key keys[] = {
        {.name = "torch_dtype", .also = "dtype", .kind = LLMSIM_JSON_NAME, .optional = true},
        LLMSIM_JSON_KEY_END,
    };
    char name[LLMSIM_MAX_NAME + 1] = "";
    if (given != NULL) {
        *bytes = bytes_of_dtype(given);
        return *bytes != 0
                   ? LLMSIM_OK
                   : llmsim_fail(err, LLMSIM_USAGE, "dtype '%s': expected " DTYPE_NAMES, given);
    }
    enum llmsim_status status =
        llmsim_json_read(json, json->root, keys, LLMSIM_JSON_SKIP_UNKNOWN, name, err);
    if (status != LLMSIM_OK)
        return status;
    if (name[0] == '\0')
        return llmsim_json_fail(json, json->root, err,
                                "key \"torch_dtype\" is missing, and no dtype was given");
    *bytes = bytes_of_dtype(name);
    if (*bytes == 0)
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
    if (status == LLMSIM_OK && !llmsim_utf8_is_valid(name))
        return given != NULL
                   ? llmsim_fail(err, LLMSIM_USAGE, "the model's name '%s' is not UTF-8", name)
                   : llmsim_json_fail(json, json->root, err, "\"_name_or_path\" is not UTF-8");
    return status;
}

static enum llmsim_status read_weight_bytes(const struct llmsim_json *json, const char *safetensors,
                                            uint64_t counted, uint64_t *bytes,
                                            struct llmsim_error *err)
{
    if (safetensors != NULL)
        return size_from_safetensors(safetensors, bytes, err);
    const cJSON *quantization = cJSON_GetObjectItemCaseSensitive(json->root, "quantization_config");
    if (quantization != NULL && !cJSON_IsNull(quantization))
        return llmsim_json_fail(json, quantization, err,
                                "the weights are quantized (\"quantization_config\"): only a "
                                "safetensors index or file gives their size");
    *bytes = counted;
    return LLMSIM_OK;
}

static enum llmsim_status read_shape(const struct llmsim_json *json,
                                     const struct llmsim_model_source *source,
                                     struct llmsim_model_shape *shape, struct llmsim_error *err)
{
    const struct architecture *architecture = NULL;
    struct config c;
    uint64_t weight_bytes = 0;
    enum llmsim_status status = find_architecture(json, &architecture, err);
    if (status != LLMSIM_OK)
        return status;
    /* Set if the status is ok. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    c = architecture->defaults;
    status =
        llmsim_json_read(json, json->root, architecture->keys, LLMSIM_JSON_SKIP_UNKNOWN, &c, err);
    if (status == LLMSIM_OK)
        status = complete(json, &c, err);
    if (status == LLMSIM_OK)
        status = read_dtype(json, source->dtype, &shape->bytes_per_parameter, err);
    if (status == LLMSIM_OK)
        status = read_name(json, source->name, shape->model.name, err);
    if (status != LLMSIM_OK)
        return status;

    struct count count = architecture->count(&c);
    uint64_t kv_bytes =
        2 * (uint64_t)c.n_layers * c.n_kv_heads * c.head_dim * shape->bytes_per_parameter;
    shape->parameters_total = count.total;
    shape->parameters_active = count.active;
    shape->num_kv_heads = c.n_kv_heads;
    shape->head_dim = c.head_dim;
    shape->intermediate_size = count.mlp_size;
    shape->vocab_size = c.vocab_size;
    shape->has_gated_mlp = count.has_gated_mlp;
    shape->ties_embeddings = c.ties_embeddings;
    (void)snprintf(shape->architecture, sizeof shape->architecture, "%s", architecture->name);
    shape->model.num_hidden_layers = c.n_layers;
    shape->model.num_heads = c.n_heads;
    shape->model.hidden_size = c.hidden_size;
    shape->model.max_positions = c.n_positions;
    shape->model.num_experts = c.n_experts;
    shape->model.kvc_size_KB = (double)kv_bytes / 1024;
    status = read_weight_bytes(json, source->safetensors_path,
                               count.total * shape->bytes_per_parameter, &weight_bytes, err);
    shape->model.model_size_GB = (double)weight_bytes / 1e9;
    return status;
}

enum llmsim_status llmsim_model_from_config(const struct llmsim_model_source *source,
                                            struct llmsim_model_shape *shape,
                                            struct llmsim_error *err)
{
    struct llmsim_json json;
    enum llmsim_status status = llmsim_json_load(&json, source->config_path, err);
    if (status != LLMSIM_OK)
        return status;
    *shape = (struct llmsim_model_shape){0};
    status = read_shape(&json, source, shape, err);
    llmsim_json_fini(&json);
    return status;
}
