/* What follows from a shape: bits, parameters by role, KV cache and state, worked out by hand; its
 * keys in model.json, there and back. */
#include <criterion/criterion.h>
#include <stdlib.h>
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
    write_text(".", "gpu.json", "{}");
    write_text(".", "ptps.json", "{}");
    write_text(".", "model.json", "{}");
}

static void leave_scratch(void)
{
    cr_assert_eq(chdir("/"), 0);
    remove_dir(scratch);
}

TestSuite(shape, .init = enter_scratch, .fini = leave_scratch);

Test(shape, bits_of_formats)
{
    static const struct {
        enum llmsim_format format;
        unsigned group_size;
        double bits;
    } cases[] = {
        {LLMSIM_FORMAT_BF16, 0, 16},
        {LLMSIM_FORMAT_FP32, 0, 32},
        {LLMSIM_FORMAT_FP8, 0, 8},
        {LLMSIM_FORMAT_FP8_BLOCK, 0, 8.001953125},
        {LLMSIM_FORMAT_MXFP8, 0, 8.25},
        {LLMSIM_FORMAT_INT8, 0, 8},
        {LLMSIM_FORMAT_INT8_WO, 0, 8},
        {LLMSIM_FORMAT_INT4_WO, 0, 4.125},
        {LLMSIM_FORMAT_INT4_WO, 32, 4.5},
        {LLMSIM_FORMAT_NVFP4, 0, 4.5},
        {LLMSIM_FORMAT_NVFP4_WO, 0, 4.5},
        {LLMSIM_FORMAT_MXFP4, 0, 4.25},
        /* A group of integers says nothing of floats. */
        {LLMSIM_FORMAT_NVFP4, 32, 4.5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(llmsim_format_bits(cases[i].format, cases[i].group_size), cases[i].bits, "%zu",
                     i);
}

/* 13 layers with all kinds of attention and of MLP, h = 8, 2 heads. */
static const struct llmsim_shape all_kinds = {
    .is_known = true,
    .hidden_size = 8,
    .num_hidden_layers = 13,
    .vocab_size = 10,
    .parallel_blocks = true,
    .attn_output_gate = true,
    .full = {.layers = 2, .num_heads = 2, .num_kv_heads = 1, .head_dim = 4, .v_head_dim = 6},
    .windowed = {.layers = 3,
                 .num_heads = 2,
                 .num_kv_heads = 2,
                 .head_dim = 5,
                 .v_head_dim = 5,
                 .window = 7},
    .mla = {.layers = 4,
            .num_heads = 2,
            .q_lora_rank = 3,
            .kv_lora_rank = 9,
            .qk_nope_head_dim = 2,
            .qk_rope_head_dim = 1,
            .v_head_dim = 6},
    .indexer = {.layers = 2, .num_heads = 3, .head_dim = 4, .topk = 16},
    .linear = {.layers = 1,
               .num_key_heads = 1,
               .key_head_dim = 4,
               .num_value_heads = 2,
               .value_head_dim = 3,
               .conv_kernel_dim = 4},
    .dense_layers = 5,
    .intermediate_size = 16,
    .moe = {.layers = 7,
            .num_experts = 4,
            .num_experts_per_tok = 2,
            .moe_intermediate_size = 5,
            .shared_expert_intermediate_size = 11},
    .formats = {[LLMSIM_WEIGHTS_ATTENTION] = LLMSIM_FORMAT_FP8,
                [LLMSIM_WEIGHTS_ATTENTION_OUTPUT] = LLMSIM_FORMAT_NVFP4,
                [LLMSIM_WEIGHTS_MLP] = LLMSIM_FORMAT_INT8_WO,
                [LLMSIM_WEIGHTS_SHARED_EXPERTS] = LLMSIM_FORMAT_FP32,
                [LLMSIM_WEIGHTS_EXPERTS] = LLMSIM_FORMAT_INT4_WO,
                [LLMSIM_WEIGHTS_LM_HEAD] = LLMSIM_FORMAT_FP8},
    .kv_cache_format = LLMSIM_FORMAT_FP8,
    .group_size = 32,
    .parameters = 12000,
    .active_parameters = 8320,
};

Test(shape, parameters_by_role)
{
    uint64_t n[LLMSIM_N_WEIGHTS];
    llmsim_shape_count(&all_kinds, n);
    /* full: 2 layers x 8 x (2 x 8 with the gate + 4 + 6) = 416; windowed: 3 x 8 x (10 + 10 + 10) =
     * 720; latent: 4 x ((8 + 6) x 3 + 8 x 10 + 9 x 2 x (2 + 6)) = 1064; indexers: 2 x (3 x 12 from
     * the latent + 8 x 4 + 8 x 3) = 184; linear: 8 x (4 + 4 + 6 + 6) = 160 */
    cr_expect_eq(n[LLMSIM_WEIGHTS_ATTENTION], 416 + 720 + 1064 + 184 + 160);
    /* 2 x 12 x 8, 3 x 10 x 8, 4 x 12 x 8, 6 x 8 */
    cr_expect_eq(n[LLMSIM_WEIGHTS_ATTENTION_OUTPUT], 192 + 240 + 384 + 48);
    cr_expect_eq(n[LLMSIM_WEIGHTS_MLP], 5 * 3 * 8 * 16);
    cr_expect_eq(n[LLMSIM_WEIGHTS_SHARED_EXPERTS], 7 * 3 * 8 * 11);
    cr_expect_eq(n[LLMSIM_WEIGHTS_EXPERTS], 7 * 4 * 3 * 8 * 5);
    cr_expect_eq(n[LLMSIM_WEIGHTS_LM_HEAD], 80);
    cr_expect_eq(n[LLMSIM_WEIGHTS_OTHER], 12000 - 10616);
}

Test(shape, gates_and_ties_change_the_matrices)
{
    uint64_t n[LLMSIM_N_WEIGHTS];
    struct llmsim_shape s = all_kinds;
    s.tie_word_embeddings = s.attention_k_eq_v = s.mlp_is_not_gated = true;
    s.attn_output_gate = false;
    s.mla.q_lora_rank = 0;
    llmsim_shape_count(&s, n);
    cr_expect_eq(n[LLMSIM_WEIGHTS_LM_HEAD], 0);
    cr_expect_eq(n[LLMSIM_WEIGHTS_MLP], 5 * 2 * 8 * 16);
    /* full: 2 x 8 x (8 + 4); latent: 4 x (8 x 6 + 80 + 144); indexers: 2 x (8 x 12 + 32 + 24) */
    cr_expect_eq(n[LLMSIM_WEIGHTS_ATTENTION], 192 + 720 + 1088 + 304 + 160);
}

/* A token: full 2 x (4 + 6) = 20 bytes, latent 4 x 10 = 40, indexers 2 x (4 + 4) = 16; windowed
 * 3 x 2 x 10 = 60. State: 4 bytes x 2 x 3 x 4 = 96, and 3 inputs of 2 x 4 + 6 = 14 in 16 bits, 84.
 */
Test(shape, kv_cache_of_a_sequence)
{
    cr_expect_eq(llmsim_shape_kv_bytes_per_token(&all_kinds), 136);
    cr_expect_eq(llmsim_shape_state_bytes(&all_kinds), 180);
    cr_expect_eq(llmsim_shape_kv_bytes(&all_kinds, 0), 180);
    cr_expect_eq(llmsim_shape_kv_bytes(&all_kinds, 7), 180 + 7 * 136);
    cr_expect_eq(llmsim_shape_kv_bytes(&all_kinds, 100), 180 + 100 * 76 + 7 * 60);
    struct llmsim_shape wide = all_kinds;
    wide.kv_cache_format = LLMSIM_FORMAT_BF16;
    /* An indexer's keys stay bytes. */
    cr_expect_eq(llmsim_shape_kv_bytes_per_token(&wide), 2 * 120 + 16);
}

Test(shape, bytes_of_the_weights)
{
    uint64_t n[LLMSIM_N_WEIGHTS];
    llmsim_shape_count(&all_kinds, n);
    double bits = 8.0 * 2544 + 4.5 * 864 + 8.0 * 1920 + 32.0 * 1848 + 4.5 * 3360 + 8.0 * 80 +
                  16.0 * (double)n[LLMSIM_WEIGHTS_OTHER];
    cr_expect_eq(llmsim_shape_weight_bytes(&all_kinds), bits / 8);
}

/* ---- model.json ---- */

static struct llmsim_model read_back(const char *name)
{
    struct llmsim_catalogue *c = NULL;
    struct llmsim_model model = {.num_heads = 0};
    cr_assert_eq(llmsim_catalogue_open(".", &c, &err), LLMSIM_OK, "%s", err.message);
    cr_assert_eq(llmsim_catalogue_model(c, name, &model, &err), LLMSIM_OK, "%s", err.message);
    llmsim_catalogue_close(c);
    return model;
}

Test(shape, every_key_there_and_back)
{
    struct llmsim_model model = {.name = "all",
                                 .num_hidden_layers = 13,
                                 .num_heads = 2,
                                 .model_size_GB = 1,
                                 .kvc_size_KB = 2,
                                 .hidden_size = 8,
                                 .max_positions = 64,
                                 .num_experts = 4,
                                 .shape = all_kinds};
    struct llmsim_shape *s = &model.shape;
    const struct llmsim_shape untouched = all_kinds;
    s->attention_k_eq_v = s->mlp_is_not_gated = s->tie_word_embeddings = true;
    cr_assert_eq(llmsim_catalogue_put_model(".", &model, &err), LLMSIM_OK, "%s", err.message);
    struct llmsim_shape r = read_back("all").shape;
    cr_expect(r.is_known && r.tie_word_embeddings && r.parallel_blocks && r.attn_output_gate &&
              r.attention_k_eq_v && r.mlp_is_not_gated);
    cr_expect_eq(r.hidden_size, 8);
    cr_expect_eq(r.num_hidden_layers, 13);
    cr_expect_eq(r.vocab_size, 10);
    cr_expect_arr_eq(&r.full, &untouched.full, sizeof r.full);
    cr_expect_arr_eq(&r.windowed, &untouched.windowed, sizeof r.windowed);
    cr_expect_arr_eq(&r.mla, &untouched.mla, sizeof r.mla);
    cr_expect_arr_eq(&r.indexer, &untouched.indexer, sizeof r.indexer);
    cr_expect_arr_eq(&r.linear, &untouched.linear, sizeof r.linear);
    cr_expect_arr_eq(&r.moe, &untouched.moe, sizeof r.moe);
    cr_expect_arr_eq(&r.formats, &untouched.formats, sizeof r.formats);
    cr_expect_eq(r.dense_layers, 5);
    cr_expect_eq(r.intermediate_size, 16);
    cr_expect_eq(r.kv_cache_format, LLMSIM_FORMAT_FP8);
    cr_expect_eq(r.group_size, 32);
    cr_expect_eq(r.parameters, 12000);
    cr_expect_eq(r.active_parameters, 8320);
}

#define NUMBERS                                                                                    \
    "\"num_hidden_layers\": 2, \"num_heads\": 2, \"model_size_GB\": 1, \"kvc_size_KB\": 2"
#define SHAPE                                                                                      \
    NUMBERS ", \"hidden_size\": 8, \"vocab_size\": 10, \"full_attention_layers\": 2,"              \
            " \"num_key_value_heads\": 1, \"head_dim\": 4, \"dense_layers\": 2,"                   \
            " \"intermediate_size\": 16"

/* Formats follow one another: the output that of attention, experts that of the MLP. */
Test(shape, what_an_entry_leaves_out)
{
    write_text(".", "model.json",
               "{\"m\": {" SHAPE ", \"parameters\": 2000, \"dtype\": \"fp32\","
               " \"attention_dtype\": \"fp8\", \"mlp_dtype\": \"nvfp4\"}}");
    struct llmsim_shape s = read_back("m").shape;
    cr_expect_eq(s.active_parameters, 2000);
    cr_expect_eq(s.full.v_head_dim, 4);
    cr_expect_eq(s.full.num_heads, 2);
    cr_expect_eq(s.formats[LLMSIM_WEIGHTS_ATTENTION_OUTPUT], LLMSIM_FORMAT_FP8);
    cr_expect_eq(s.formats[LLMSIM_WEIGHTS_EXPERTS], LLMSIM_FORMAT_NVFP4);
    cr_expect_eq(s.formats[LLMSIM_WEIGHTS_LM_HEAD], LLMSIM_FORMAT_FP32);
    cr_expect_eq(s.kv_cache_format, LLMSIM_FORMAT_FP32);
    write_text(".", "model.json", "{\"m\": {" NUMBERS "}}");
    cr_expect_not(read_back("m").shape.is_known);
}

Test(shape, entries_that_are_refused)
{
    static const struct {
        const char *entry, *expected;
    } cases[] = {
        {SHAPE ", \"dtype\": \"fp7\"",
         "\"m\": \"dtype\" is \"fp7\", expected one of bf16, fp32, fp8, fp8_block, mxfp8, int8, "
         "int8_wo, int4_wo, nvfp4, nvfp4_wo, mxfp4"},
        {SHAPE ", \"sliding_windows\": 3",
         "\"m\": unknown key \"sliding_windows\" (did you mean \"sliding_window\"?)"},
        {SHAPE ", \"parameters\": 1.5",
         "\"m\": \"parameters\" is 1.5, expected a whole number from 0 to 9.00719925474099e+15"},
        {SHAPE, "\"m\": 0 parameters, but the matrices alone have 1232"},
        {SHAPE ", \"parameters\": 2000, \"active_parameters\": 2001",
         "\"m\": 2001 active parameters of 2000"},
        {SHAPE ", \"parameters\": 2000, \"sliding_attention_layers\": 1",
         "\"m\": 3 layers with attention, but only 2 layers"},
        {SHAPE ", \"parameters\": 2000, \"moe_layers\": 1",
         "\"m\": 2 dense layers and 1 with experts, but only 2 layers"},
        {SHAPE ", \"parameters\": 2000, \"index_layers\": 3",
         "\"m\": 3 indexers, but only 2 layers to index"},
        {NUMBERS ", \"vocab_size\": 10", "\"m\": no layer has attention"},
        {NUMBERS ", \"full_attention_layers\": 2", "\"m\": key \"hidden_size\" is missing"},
        {NUMBERS ", \"hidden_size\": 8, \"full_attention_layers\": 2",
         "\"m\": key \"vocab_size\" is missing"},
        {NUMBERS ", \"hidden_size\": 8, \"vocab_size\": 10, \"full_attention_layers\": 2",
         "\"m\": full attention lacks heads or their size"},
        {NUMBERS ", \"hidden_size\": 8, \"vocab_size\": 10, \"full_attention_layers\": 2,"
                 " \"num_key_value_heads\": 4, \"head_dim\": 4",
         "\"m\": 2 attention heads do not share 4 key-value heads evenly"},
        {NUMBERS ", \"hidden_size\": 8, \"vocab_size\": 10, \"latent_attention_layers\": 2",
         "\"m\": key \"kv_lora_rank\" is missing"},
        {NUMBERS ", \"hidden_size\": 8, \"vocab_size\": 10, \"linear_attention_layers\": 2",
         "\"m\": key \"linear_num_key_heads\" is missing"},
        {NUMBERS ", \"hidden_size\": 8, \"vocab_size\": 10, \"num_key_value_heads\": 2,"
                 " \"head_dim\": 4, \"sliding_attention_layers\": 2",
         "\"m\": key \"sliding_window\" is missing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct llmsim_catalogue *c = NULL;
        char text[1024], expected[512];
        (void)snprintf(text, sizeof text, "{\"m\": {%s}}", cases[i].entry);
        write_text(".", "model.json", text);
        cr_expect_eq(llmsim_catalogue_open(".", &c, &err), LLMSIM_CATALOGUE, "%s", text);
        (void)snprintf(expected, sizeof expected, "%s", cases[i].expected);
        cr_expect_str_eq(err.message, expected, "%s", err.message);
        llmsim_catalogue_close(c);
    }
}
