/* How a checkpoint says that its weights are quantized, in each dialect, and what follows for the
 * roles of the weights and the KV cache. */
#include <criterion/criterion.h>
#include <string.h>

#include "llmsim/catalogue.h"
#include "support/errors.h"
#include "support/files.h"

static char *scratch;
static struct llmsim_error err;

static void enter_scratch(void)
{
    scratch = scratch_dir();
    cr_assert_eq(chdir(scratch), 0);
}

static void leave_scratch(void)
{
    cr_assert_eq(chdir("/"), 0);
    remove_dir(scratch);
}

TestSuite(quantization, .init = enter_scratch, .fini = leave_scratch);

#define LLAMA                                                                                      \
    "\"_name_or_path\": \"tiny\", \"torch_dtype\": \"bfloat16\","                                  \
    " \"architectures\": [\"LlamaForCausalLM\"], \"hidden_size\": 8, \"intermediate_size\": 16,"   \
    " \"num_hidden_layers\": 2, \"num_attention_heads\": 2, \"vocab_size\": 10"
/* Layer 0 is dense; 1 and 2 have experts and a shared one. */
#define DEEPSEEK                                                                                   \
    "\"_name_or_path\": \"tiny\", \"torch_dtype\": \"bfloat16\","                                  \
    " \"architectures\": [\"DeepseekV3ForCausalLM\"], \"hidden_size\": 8,"                         \
    " \"intermediate_size\": 16, \"num_hidden_layers\": 3, \"num_attention_heads\": 2,"            \
    " \"vocab_size\": 10, \"q_lora_rank\": 4, \"kv_lora_rank\": 4, \"qk_nope_head_dim\": 2,"       \
    " \"qk_rope_head_dim\": 2, \"v_head_dim\": 2, \"n_routed_experts\": 4,"                        \
    " \"num_experts_per_tok\": 1, \"n_shared_experts\": 1, \"first_k_dense_replace\": 1,"          \
    " \"moe_intermediate_size\": 4"
/* Every second layer keeps a state. */
#define QWEN                                                                                       \
    "\"_name_or_path\": \"tiny\", \"torch_dtype\": \"bfloat16\","                                  \
    " \"architectures\": [\"Qwen3_5ForConditionalGeneration\"], \"text_config\": {"                \
    " \"hidden_size\": 8, \"intermediate_size\": 16, \"num_hidden_layers\": 4,"                    \
    " \"num_attention_heads\": 2, \"num_key_value_heads\": 1, \"head_dim\": 4,"                    \
    " \"vocab_size\": 10, \"full_attention_interval\": 2, \"linear_num_key_heads\": 1,"            \
    " \"linear_key_head_dim\": 4, \"linear_num_value_heads\": 1, \"linear_value_head_dim\": 4,"    \
    " \"linear_conv_kernel_dim\": 4}"
#define CONFIG(model, quantization) "{" model ", \"quantization_config\": " quantization "}"
#define GROUP(weights, activations)                                                                \
    "{\"quant_method\": \"compressed-tensors\", \"ignore\": [\"lm_head\"], \"config_groups\": {"   \
    "\"group_0\": {\"targets\": [\"Linear\"], \"weights\": {" weights "},"                         \
    " \"input_activations\": " activations "}}}"
#define SOME "{\"num_bits\": 8}"

static struct llmsim_shape read_shape(const char *config)
{
    struct llmsim_model_shape shape = {.is_part = false};
    write_text(".", "config.json", config);
    struct llmsim_model_source source = {.config_path = "config.json"};
    cr_assert_eq(llmsim_model_from_config(&source, &shape, &err), LLMSIM_OK, "%s: %s", config,
                 err.message);
    return shape.model.shape;
}

#define F(name) LLMSIM_FORMAT_##name

/* Of attention, its output, the MLP, shared experts, experts, the LM head, and the KV cache. */
static const struct {
    const char *config;
    enum llmsim_format attention, output, mlp, shared, experts, head, kv_cache;
} cases[] = {
    /* The LM head is not of the linear layers that a method takes unless it says so. */
    {CONFIG(LLAMA, "{\"quant_method\": \"fp8\"}"), F(FP8), F(FP8), F(FP8), F(BF16), F(BF16),
     F(BF16), F(BF16)},
    {CONFIG(DEEPSEEK, "{\"quant_method\": \"fp8\", \"weight_block_size\": [128, 128]}"),
     F(FP8_BLOCK), F(FP8_BLOCK), F(FP8_BLOCK), F(FP8_BLOCK), F(FP8_BLOCK), F(BF16), F(BF16)},
    /* "gate" is a router, not a gate_proj. */
    {CONFIG(DEEPSEEK, "{\"quant_method\": \"fp8\", \"modules_to_not_convert\":"
                      " [\"gate\", \"self_attn\"]}"),
     F(BF16), F(BF16), F(FP8), F(FP8), F(FP8), F(BF16), F(BF16)},
    {CONFIG(LLAMA, "{\"quant_method\": \"awq\", \"bits\": 4, \"group_size\": 64}"), F(INT4_WO),
     F(INT4_WO), F(INT4_WO), F(BF16), F(BF16), F(BF16), F(BF16)},
    {CONFIG(LLAMA, "{\"quant_method\": \"gptq\", \"bits\": 8, \"group_size\": -1}"), F(INT8_WO),
     F(INT8_WO), F(INT8_WO), F(BF16), F(BF16), F(BF16), F(BF16)},
    {CONFIG(LLAMA, GROUP("\"num_bits\": 8, \"type\": \"float\"", SOME)), F(FP8), F(FP8), F(FP8),
     F(BF16), F(BF16), F(BF16), F(BF16)},
    {CONFIG(LLAMA, GROUP("\"num_bits\": 8, \"type\": \"float\", \"strategy\": \"block\"", SOME)),
     F(FP8_BLOCK), F(FP8_BLOCK), F(FP8_BLOCK), F(BF16), F(BF16), F(BF16), F(BF16)},
    {CONFIG(LLAMA, GROUP("\"num_bits\": 8, \"type\": \"int\"", SOME)), F(INT8), F(INT8), F(INT8),
     F(BF16), F(BF16), F(BF16), F(BF16)},
    {CONFIG(LLAMA, GROUP("\"num_bits\": 8, \"type\": \"int\"", "null")), F(INT8_WO), F(INT8_WO),
     F(INT8_WO), F(BF16), F(BF16), F(BF16), F(BF16)},
    {CONFIG(LLAMA, GROUP("\"num_bits\": 4, \"type\": \"float\", \"group_size\": 16", "null")),
     F(NVFP4_WO), F(NVFP4_WO), F(NVFP4_WO), F(BF16), F(BF16), F(BF16), F(BF16)},
    {CONFIG(LLAMA, GROUP("\"num_bits\": 4, \"type\": \"float\", \"group_size\": 32", SOME)),
     F(MXFP4), F(MXFP4), F(MXFP4), F(BF16), F(BF16), F(BF16), F(BF16)},
    /* Expressions: a dense MLP is left out, experts are not; as Kimi K2.5 has it. */
    {CONFIG(DEEPSEEK, "{\"quant_method\": \"compressed-tensors\", \"ignore\": [\"lm_head\","
                      " \"re:.*self_attn.*\", \"re:.*shared_experts.*\","
                      " \"re:model.layers.\\\\d+.mlp\\\\.(gate|up|gate_up|down)_proj.*\"],"
                      " \"config_groups\": {\"group_0\": {\"targets\": [\"Linear\"], \"weights\":"
                      " {\"num_bits\": 4, \"type\": \"int\", \"group_size\": 32}}}}"),
     F(BF16), F(BF16), F(BF16), F(BF16), F(INT4_WO), F(BF16), F(BF16)},
    /* Two groups, one of a name. */
    {CONFIG(LLAMA,
            "{\"quant_method\": \"compressed-tensors\", \"config_groups\": {"
            "\"a\": {\"targets\": [\"re:.*o_proj\", \"lm_head\"], \"weights\": {\"num_bits\":"
            " 8, \"type\": \"float\"}, \"input_activations\": {}},"
            " \"b\": {\"targets\": [\"Linear\"], \"weights\": {\"num_bits\": 4,"
            " \"type\": \"int\"}}}}"),
     F(INT4_WO), F(FP8), F(INT4_WO), F(BF16), F(BF16), F(FP8), F(BF16)},
    /* modelopt: patterns of the shell; prefixes of multimodal models; a layer by its number. */
    {CONFIG(DEEPSEEK,
            "{\"quant_method\": \"modelopt\", \"quant_algo\": \"NVFP4\", \"ignore\":"
            " [\"language_model.model.layers.0*\", \"model.layers.0.self_attn.q_b_proj\","
            " \"model.layers.1.self_attn.q_b_proj\", \"model.layers.2.self_attn.q_b_proj\","
            " \"language_model.model.layers.*.mlp.shared_experts*\"],"
            " \"kv_cache_scheme\": {\"num_bits\": 8}}"),
     F(BF16), F(NVFP4), F(BF16), F(BF16), F(NVFP4), F(BF16), F(FP8)},
    {CONFIG(DEEPSEEK, "{\"quant_algo\": \"FP8\", \"ignore\": [\"lm_head\"],"
                      " \"kv_cache_scheme\": \"FP8\"}"),
     F(FP8), F(FP8), F(FP8), F(FP8), F(FP8), F(BF16), F(FP8)},
    {CONFIG(DEEPSEEK, "{\"quant_method\": \"mxfp4\", \"modules_to_not_convert\":"
                      " [\"model.layers.*.self_attn\", \"lm_head\"]}"),
     F(BF16), F(BF16), F(MXFP4), F(MXFP4), F(MXFP4), F(BF16), F(BF16)},
    /* Layers that keep a state have modules of their own. */
    {CONFIG(QWEN, "{\"quant_method\": \"modelopt\", \"quant_algo\": \"FP8\", \"ignore\":"
                  " [\"model.language_model.layers.0.linear_attn*\","
                  " \"model.language_model.layers.2.linear_attn*\","
                  " \"model.language_model.layers.1.self_attn*\", \"mtp.layers.0*\"]}"),
     F(BF16), F(BF16), F(FP8), F(BF16), F(BF16), F(BF16), F(BF16)},
    /* An algorithm a layer; most of a role's win. */
    {CONFIG(
         QWEN,
         "{\"quant_method\": \"modelopt\", \"quant_algo\": \"MIXED_PRECISION\","
         " \"quantized_layers\": {\"a.layers.0.linear_attn.in_proj_z\": {\"quant_algo\": \"FP8\"},"
         " \"a.layers.1.self_attn.o_proj\": {\"quant_algo\": \"MXFP8\"},"
         " \"a.layers.0.mlp.up_proj\": {\"quant_algo\": \"FP8\"},"
         " \"a.layers.1.mlp.up_proj\": {\"quant_algo\": \"W4A16_NVFP4\"},"
         " \"a.layers.2.mlp.up_proj\": {\"quant_algo\": \"W4A16_NVFP4\"},"
         " \"lm_head\": {\"quant_algo\": \"NVFP4\"}}}"),
     F(FP8), F(MXFP8), F(NVFP4_WO), F(BF16), F(BF16), F(NVFP4), F(BF16)},
};

Test(quantization, formats_by_role)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct llmsim_shape s = read_shape(cases[i].config);
        bool has_experts = s.moe.layers > 0;
        cr_expect_eq(s.formats[LLMSIM_WEIGHTS_ATTENTION], cases[i].attention, "%zu", i);
        cr_expect_eq(s.formats[LLMSIM_WEIGHTS_ATTENTION_OUTPUT], cases[i].output, "%zu", i);
        cr_expect_eq(s.formats[LLMSIM_WEIGHTS_MLP], cases[i].mlp, "%zu", i);
        if (has_experts) {
            cr_expect_eq(s.formats[LLMSIM_WEIGHTS_SHARED_EXPERTS], cases[i].shared, "%zu", i);
            cr_expect_eq(s.formats[LLMSIM_WEIGHTS_EXPERTS], cases[i].experts, "%zu", i);
        }
        cr_expect_eq(s.formats[LLMSIM_WEIGHTS_LM_HEAD], cases[i].head, "%zu", i);
        cr_expect_eq(s.formats[LLMSIM_WEIGHTS_OTHER], LLMSIM_FORMAT_BF16, "%zu", i);
        cr_expect_eq(s.kv_cache_format, cases[i].kv_cache, "%zu", i);
    }
}

Test(quantization, groups_of_integers)
{
    cr_expect_eq(read_shape(cases[3].config).group_size, 64);
    cr_expect_eq(read_shape(cases[11].config).group_size, 32);
}

/* hf_quant_config.json beside the config, under either name; the config's own goes before, but for
 * the KV cache where it says nothing of it. */
Test(quantization, a_file_beside_the_config)
{
    const char *beside = "{\"quantization\": {\"quant_algo\": \"NVFP4\", \"kv_cache_quant_algo\":"
                         " \"FP8\", \"exclude_modules\": [\"lm_head\", \"*.self_attn*\"]}}";
    write_text(".", "hf_quant_config.json", beside);
    struct llmsim_shape s = read_shape("{" DEEPSEEK "}");
    cr_expect_eq(s.formats[LLMSIM_WEIGHTS_ATTENTION], LLMSIM_FORMAT_BF16);
    cr_expect_eq(s.formats[LLMSIM_WEIGHTS_EXPERTS], LLMSIM_FORMAT_NVFP4);
    cr_expect_eq(s.kv_cache_format, LLMSIM_FORMAT_FP8);
    s = read_shape(CONFIG(DEEPSEEK, "{\"quant_method\": \"fp8\"}"));
    cr_expect_eq(s.formats[LLMSIM_WEIGHTS_EXPERTS], LLMSIM_FORMAT_FP8);
    cr_expect_eq(s.kv_cache_format, LLMSIM_FORMAT_FP8);

    struct llmsim_model_shape shape;
    struct llmsim_model_source source = {.config_path = "org_m_config.json"};
    write_text(".", "org_m_config.json", "{" LLAMA "}");
    cr_assert_eq(llmsim_model_from_config(&source, &shape, &err), LLMSIM_OK);
    cr_expect_eq(shape.model.shape.formats[LLMSIM_WEIGHTS_MLP], LLMSIM_FORMAT_BF16);
    write_text(".", "org_m_hf_quant_config.json", beside);
    cr_assert_eq(llmsim_model_from_config(&source, &shape, &err), LLMSIM_OK);
    cr_expect_eq(shape.model.shape.formats[LLMSIM_WEIGHTS_MLP], LLMSIM_FORMAT_NVFP4);
}

Test(quantization, refused)
{
    static const struct {
        const char *config, *expected;
    } refusals[] = {
        {CONFIG(LLAMA, "{\"quant_algo\": \"INT3\"}"), "\"quant_algo\": \"INT3\" is not known"},
        {CONFIG(LLAMA, "{\"quant_method\": \"awq\", \"bits\": 3}"), "expected \"bits\" of 4 or 8"},
        {CONFIG(LLAMA, "{\"quant_method\": \"compressed-tensors\"}"),
         "key \"config_groups\" is missing"},
        {CONFIG(LLAMA, "{\"quant_algo\": \"MIXED_PRECISION\"}"),
         "key \"quantized_layers\" is missing"},
        {CONFIG(LLAMA, GROUP("\"num_bits\": 2, \"type\": \"int\"", "null")),
         "weights of 2 bits of type \"int\" are not known"},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct llmsim_model_shape shape;
        struct llmsim_model_source source = {.config_path = "config.json"};
        write_text(".", "config.json", refusals[i].config);
        cr_expect_eq(llmsim_model_from_config(&source, &shape, &err), LLMSIM_CATALOGUE);
        cr_expect_str_eq(err.message, refusals[i].expected, "%s", err.message);
    }
}

/* A method that is not known leaves the entry without a shape where a file gives the size. */
Test(quantization, an_unknown_method_with_a_size)
{
    struct llmsim_model_shape shape;
    struct llmsim_model_source source = {.config_path = "config.json",
                                         .safetensors_path = "index.json"};
    write_text(".", "config.json", CONFIG(LLAMA, "{\"quant_method\": \"bitsandbytes\"}"));
    write_text(".", "index.json", "{\"metadata\": {\"total_size\": 1000}}");
    cr_assert_eq(llmsim_model_from_config(&source, &shape, &err), LLMSIM_OK);
    cr_expect_not(shape.model.shape.is_known);
    cr_expect_eq(shape.model.model_size_GB, 1e-6);
}

/* Python writes them; where a count is wanted they are refused as they stand. */
Test(quantization, numbers_that_are_none)
{
    struct llmsim_model_shape shape;
    struct llmsim_model_source source = {.config_path = "config.json"};
    (void)read_shape("{" LLAMA ", \"limits\": [0.0, Infinity, -Infinity], \"a\": NaN, \"b\":\n"
                     " \"NaN, \\\"Infinity\"}");
    write_text(".", "config.json", "{" LLAMA ",\n\"num_key_value_heads\": Infinity}");
    expect_error(llmsim_model_from_config(&source, &shape, &err), LLMSIM_CATALOGUE, &err,
                 "config.json:2:1: \"num_key_value_heads\" is Infinity, expected a whole number "
                 "from 1 to 1024");
    write_text(".", "config.json", "{" LLAMA ",\n\"a\": Nan}");
    expect_error(llmsim_model_from_config(&source, &shape, &err), LLMSIM_CATALOGUE, &err,
                 "config.json:2:6: JSON syntax error at 'Nan}'");
}

/* Of a config of more than text, the text; what it does not say the whole says. */
Test(quantization, the_text_part)
{
    struct llmsim_model_shape shape;
    struct llmsim_model_source source = {.config_path = "config.json"};
    write_text(".", "config.json", "{" QWEN ", \"tie_word_embeddings\": true}");
    cr_assert_eq(llmsim_model_from_config(&source, &shape, &err), LLMSIM_OK, "%s", err.message);
    cr_expect(shape.is_part);
    cr_expect(shape.model.shape.tie_word_embeddings);
    cr_expect_eq(shape.model.shape.linear.layers, 2);
    cr_expect_eq(shape.model.shape.full.layers, 2);
}
