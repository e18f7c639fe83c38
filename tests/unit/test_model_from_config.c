/* Parameter counts: of every shipped entry, and of small shapes worked out by hand; what is
 * refused; exact sizes from safetensors. */
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
}

static void leave_scratch(void)
{
    cr_assert_eq(chdir("/"), 0);
    remove_dir(scratch);
}

TestSuite(model_from_config, .init = enter_scratch, .fini = leave_scratch);

static enum llmsim_status read_config(const char *text, const char *safetensors,
                                      struct llmsim_model_shape *shape)
{
    write_text(".", "config.json", text);
    return llmsim_model_from_config(&(struct llmsim_model_source){.config_path = "config.json",
                                                                  .safetensors_path = safetensors},
                                    shape, &err);
}

/* ---- every shipped entry ---- */

/* The totals are those that the models' cards and checkpoints give; the active ones follow from
 * the experts that a token does not see. */
static const struct {
    const char *name;
    const char *fixture; /* in tests/data/configs; NULL: that of the name */
    uint64_t total, active;
} shipped[] = {
    {"facebook/opt-125m", NULL, 125239296, 125239296},
    {"facebook/opt-350m", NULL, 331196416, 331196416},
    {"facebook/opt-1.3b", NULL, 1315758080, 1315758080},
    {"facebook/opt-2.7b", NULL, 2651596800, 2651596800},
    {"facebook/opt-6.7b", NULL, 6658473984, 6658473984},
    {"facebook/opt-13b", NULL, 12853473280, 12853473280},
    {"facebook/opt-30b", NULL, 29974540288, 29974540288},
    {"facebook/opt-66b", NULL, 65719701504, 65719701504},
    {"bigscience/bloom-560m", NULL, 559214592, 559214592},
    {"bigscience/bloom-1b1", NULL, 1065314304, 1065314304},
    {"bigscience/bloom-1b7", NULL, 1722408960, 1722408960},
    {"bigscience/bloom-3b", NULL, 3002557440, 3002557440},
    {"bigscience/bloom-7b1", NULL, 7069016064, 7069016064},
    {"bigscience/bloom", NULL, 176247271424, 176247271424},
    {"meta-llama/Llama-2-7b-hf", NULL, 6738415616, 6738415616},
    {"meta-llama/Llama-2-7b-chat-hf", "meta-llama/Llama-2-7b-hf", 6738415616, 6738415616},
    {"meta-llama/Llama-2-13b-hf", NULL, 13015864320, 13015864320},
    {"meta-llama/Llama-2-13b-chat-hf", "meta-llama/Llama-2-13b-hf", 13015864320, 13015864320},
    {"meta-llama/Llama-2-70b-hf", NULL, 68976648192, 68976648192},
    {"meta-llama/Llama-2-70b-chat-hf", "meta-llama/Llama-2-70b-hf", 68976648192, 68976648192},
    {"codellama/CodeLlama-34b-hf", NULL, 33743970304, 33743970304},
    {"meta-llama/Meta-Llama-3-8B", NULL, 8030261248, 8030261248},
    {"meta-llama/Meta-Llama-3-8B-Instruct", "meta-llama/Meta-Llama-3-8B", 8030261248, 8030261248},
    {"meta-llama/Meta-Llama-3-70B", NULL, 70553706496, 70553706496},
    {"meta-llama/Meta-Llama-3-70B-Instruct", "meta-llama/Meta-Llama-3-70B", 70553706496,
     70553706496},
    {"meta-llama/Llama-3.1-8B", NULL, 8030261248, 8030261248},
    {"meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B", 8030261248, 8030261248},
    {"meta-llama/Llama-3.1-70B", NULL, 70553706496, 70553706496},
    {"meta-llama/Llama-3.1-70B-Instruct", "meta-llama/Llama-3.1-70B", 70553706496, 70553706496},
    {"meta-llama/Llama-3.1-405B", NULL, 405853388800, 405853388800},
    {"meta-llama/Llama-3.1-405B-Instruct", "meta-llama/Llama-3.1-405B", 405853388800, 405853388800},
    {"mistralai/Mistral-7B-v0.1", NULL, 7241732096, 7241732096},
    {"mistralai/Mistral-7B-Instruct-v0.1", "mistralai/Mistral-7B-v0.1", 7241732096, 7241732096},
    {"mistralai/Mistral-7B-Instruct-v0.2", NULL, 7241732096, 7241732096},
    {"mistralai/Mistral-7B-v0.3", NULL, 7248023552, 7248023552},
    {"mistralai/Mistral-7B-Instruct-v0.3", "mistralai/Mistral-7B-v0.3", 7248023552, 7248023552},
    {"mistralai/Mixtral-8x7B-v0.1", NULL, 46702792704, 12879925248},
    {"mistralai/Mixtral-8x7B-Instruct-v0.1", "mistralai/Mixtral-8x7B-v0.1", 46702792704,
     12879925248},
    {"mistralai/Mixtral-8x22B-v0.1", NULL, 140620634112, 39152031744},
    {"mistralai/Mixtral-8x22B-Instruct-v0.1", NULL, 140630071296, 39161468928},
    {"Qwen/Qwen-7B", NULL, 7721324544, 7721324544},
    {"Qwen/Qwen2-7B", NULL, 7615616512, 7615616512},
    {"Qwen/Qwen2-7B-Instruct", NULL, 7615616512, 7615616512},
    {"Qwen/Qwen2-72B", NULL, 72706203648, 72706203648},
    {"Qwen/Qwen2-72B-Instruct", NULL, 72706203648, 72706203648},
    {"Qwen/Qwen2.5-0.5B", NULL, 494032768, 494032768},
    {"Qwen/Qwen2.5-0.5B-Instruct", "Qwen/Qwen2.5-0.5B", 494032768, 494032768},
    {"Qwen/Qwen2.5-1.5B", NULL, 1543714304, 1543714304},
    {"Qwen/Qwen2.5-1.5B-Instruct", NULL, 1543714304, 1543714304},
    {"Qwen/Qwen2.5-3B", NULL, 3085938688, 3085938688},
    {"Qwen/Qwen2.5-3B-Instruct", "Qwen/Qwen2.5-3B", 3085938688, 3085938688},
    {"Qwen/Qwen2.5-7B", NULL, 7615616512, 7615616512},
    {"Qwen/Qwen2.5-7B-Instruct", NULL, 7615616512, 7615616512},
    {"Qwen/Qwen2.5-14B", NULL, 14770033664, 14770033664},
    {"Qwen/Qwen2.5-14B-Instruct", NULL, 14770033664, 14770033664},
    {"Qwen/Qwen2.5-32B", NULL, 32763876352, 32763876352},
    {"Qwen/Qwen2.5-32B-Instruct", NULL, 32763876352, 32763876352},
    {"Qwen/Qwen2.5-72B", NULL, 72706203648, 72706203648},
    {"Qwen/Qwen2.5-72B-Instruct", NULL, 72706203648, 72706203648},
    {"Qwen/Qwen3-0.6B", NULL, 596049920, 596049920},
    {"Qwen/Qwen3-1.7B", NULL, 1720574976, 1720574976},
    {"Qwen/Qwen3-4B", NULL, 4022468096, 4022468096},
    {"Qwen/Qwen3-8B", NULL, 8190735360, 8190735360},
    {"Qwen/Qwen3-14B", NULL, 14768307200, 14768307200},
    {"Qwen/Qwen3-32B", NULL, 32762123264, 32762123264},
    {"Qwen/Qwen3-30B-A3B", NULL, 30532122624, 3353032704},
    {"Qwen/Qwen3-235B-A22B", NULL, 235093634560, 22190763520},
    {"MiniMaxAI/MiniMax-M2.5", NULL, 228689764864, 11030553088},
    {"MiniMaxAI/MiniMax-M2.7", NULL, 228689764864, 11030553088},
    {"MiniMaxAI/MiniMax-M3", NULL, 426174572928, 25962473856},
    {"Qwen/Qwen3-235B-A22B-FP8", NULL, 235093634560, 22190763520},
    {"Qwen/Qwen3-30B-A3B-FP8", NULL, 30532122624, 3353032704},
    {"Qwen/Qwen3-32B-FP8-Static-PerTensor", NULL, 32762123264, 32762123264},
    {"Qwen/Qwen3-32B-FP8", NULL, 32762123264, 32762123264},
    {"Qwen/Qwen3-Coder-480B-A35B-Instruct", NULL, 480154875392, 35474765312},
    {"Qwen/Qwen3.5-122B-A10B", NULL, 122111526912, 9771288576},
    {"Qwen/Qwen3.5-27B", NULL, 26895998464, 26895998464},
    {"Qwen/Qwen3.5-35B-A3B", NULL, 34660610688, 3454988928},
    {"Qwen/Qwen3.5-397B-A17B", NULL, 396346350336, 17349040896},
    {"deepseek-ai/DeepSeek-R1", NULL, 671026419200, 37552297472},
    {"deepseek-ai/DeepSeek-V3.2", NULL, 671877944064, 38403822336},
    {"deepseek-ai/DeepSeek-V3", NULL, 671026419200, 37552297472},
    {"google/gemma-4-26B-A4B", NULL, 25233141790, 3822530590},
    {"meta-llama/Llama-4-Maverick-17B-128E-Instruct", NULL, 400711848960, 17184691200},
    {"meta-llama/Llama-4-Scout-17B-16E-Instruct", NULL, 107769861120, 17172894720},
    {"meta-llama/Meta-Llama-3.1-405B", "meta-llama/Llama-3.1-405B", 405853388800, 405853388800},
    {"meta-llama/Meta-Llama-3.1-70B", "meta-llama/Llama-3.1-70B", 70553706496, 70553706496},
    {"meta-llama/Meta-Llama-3.1-8B", "meta-llama/Llama-3.1-8B", 8030261248, 8030261248},
    {"moonshotai/Kimi-K2-Instruct", NULL, 1026408232448, 32861500928},
    {"moonshotai/Kimi-K2.5", NULL, 1026408232448, 32861500928},
    {"nvidia/DeepSeek-V3.1-NVFP4", NULL, 671026419200, 37552297472},
    {"nvidia/DeepSeek-V3.2-NVFP4", NULL, 671877944064, 38403822336},
    {"nvidia/GLM-5-NVFP4", NULL, 743911218432, 41784728832},
    {"nvidia/GLM-5.1-NVFP4", NULL, 743911218432, 41784728832},
    {"nvidia/GLM-5.2-NVFP4", NULL, 743377019904, 41250530304},
    {"nvidia/Gemma-4-26B-A4B-NVFP4", NULL, 25233141790, 3822530590},
    {"nvidia/Gemma-4-31B-IT-NVFP4", NULL, 30697345340, 30697345340},
    {"nvidia/Kimi-K2.5-NVFP4", NULL, 1026408232448, 32861500928},
    {"nvidia/Kimi-K2.6-NVFP4", NULL, 1026408232448, 32861500928},
    {"nvidia/Kimi-K2.7-Code-NVFP4", NULL, 1026408232448, 32861500928},
    {"nvidia/Llama-3.1-70B-Instruct-FP8", NULL, 70553706496, 70553706496},
    {"nvidia/Llama-3_3-Nemotron-Super-49B-v1", NULL, 49866752000, 49866752000},
    {"nvidia/MiniMax-M2.5-NVFP4", NULL, 228689764864, 11030553088},
    {"nvidia/MiniMax-M2.7-NVFP4", NULL, 228689764864, 11030553088},
    {"nvidia/Qwen3-235B-A22B-NVFP4", NULL, 235093634560, 22190763520},
    {"nvidia/Qwen3.5-122B-A10B-NVFP4", NULL, 122111526912, 9771288576},
    {"nvidia/Qwen3.5-397B-A17B-NVFP4", NULL, 396346350336, 17349040896},
    {"nvidia/Qwen3.6-27B-NVFP4", NULL, 26895998464, 26895998464},
    {"nvidia/Qwen3.6-35B-A3B-NVFP4", NULL, 34660610688, 3454988928},
    {"openai/gpt-oss-120b", NULL, 116829156672, 5132849472},
    {"openai/gpt-oss-20b", NULL, 20914757184, 3608307264},
    {"zai-org/GLM-5-FP8", NULL, 743911218432, 41784728832},
    {"zai-org/GLM-5.1-FP8", NULL, 743911218432, 41784728832},
    {"zai-org/GLM-5.1", NULL, 743911218432, 41784728832},
    {"zai-org/GLM-5.2-FP8", NULL, 743377019904, 41250530304},
    {"zai-org/GLM-5.2", NULL, 743377019904, 41250530304},
    {"zai-org/GLM-5", NULL, 743911218432, 41784728832},
    {"meta-llama/Llama-3.2-1B", NULL, 1235814400, 1235814400},
    {"meta-llama/Llama-3.2-1B-Instruct", "meta-llama/Llama-3.2-1B", 1235814400, 1235814400},
    {"meta-llama/Llama-3.2-3B", NULL, 3212749824, 3212749824},
    {"meta-llama/Llama-3.2-3B-Instruct", "meta-llama/Llama-3.2-3B", 3212749824, 3212749824},
    {"mistralai/Mistral-Nemo-Instruct-2407", NULL, 12247782400, 12247782400},
    {"mistralai/Mistral-Small-24B-Instruct-2501", NULL, 23572403200, 23572403200},
    {"mistralai/Mistral-Small-3.1-24B-Instruct-2503", NULL, 23572403200, 23572403200},
    {"mistralai/Mistral-Small-3.2-24B-Instruct-2506",
     "mistralai/Mistral-Small-3.1-24B-Instruct-2503", 23572403200, 23572403200},
    {"mistralai/Mistral-Large-Instruct-2407", NULL, 122610069504, 122610069504},
    {"mistralai/Mistral-Small-Instruct-2409", NULL, 22247282688, 22247282688},
    {"google/gemma-2-2b", NULL, 2614341888, 2614341888},
    {"google/gemma-2-2b-it", "google/gemma-2-2b", 2614341888, 2614341888},
    {"google/gemma-2-9b", NULL, 9241705984, 9241705984},
    {"google/gemma-2-9b-it", "google/gemma-2-9b", 9241705984, 9241705984},
    {"google/gemma-2-27b", NULL, 27227128320, 27227128320},
    {"google/gemma-2-27b-it", "google/gemma-2-27b", 27227128320, 27227128320},
    {"google/gemma-3-1b-it", NULL, 999885952, 999885952},
    {"google/gemma-3-4b-it", NULL, 3880263168, 3880263168},
    {"google/gemma-3-12b-it", NULL, 11766034176, 11766034176},
    {"google/gemma-3-27b-it", NULL, 27009346304, 27009346304},
    {"microsoft/phi-4", NULL, 14659507200, 14659507200},
    {"microsoft/Phi-4-mini-instruct", NULL, 3836021760, 3836021760},
    {"microsoft/Phi-3-mini-4k-instruct", NULL, 3821079552, 3821079552},
    {"microsoft/Phi-3-medium-4k-instruct", NULL, 13960238080, 13960238080},
    {"microsoft/Phi-3.5-MoE-instruct", NULL, 41873153344, 6640999744},
    {"Qwen/Qwen1.5-MoE-A2.7B-Chat", NULL, 14315784192, 2689173504},
    {"Qwen/Qwen3-Next-80B-A3B-Instruct", NULL, 79674391296, 3874929408},
    {"Qwen/Qwen3-Next-80B-A3B-Thinking", "Qwen/Qwen3-Next-80B-A3B-Instruct", 79674391296,
     3874929408},
    {"deepseek-ai/DeepSeek-V2-Lite", NULL, 15706484224, 2661150208},
    {"deepseek-ai/DeepSeek-V2-Lite-Chat", "deepseek-ai/DeepSeek-V2-Lite", 15706484224, 2661150208},
    {"deepseek-ai/DeepSeek-V2", NULL, 235741434880, 21375800320},
    {"deepseek-ai/DeepSeek-V2-Chat", "deepseek-ai/DeepSeek-V2", 235741434880, 21375800320},
    {"zai-org/GLM-4.5", NULL, 352797829024, 33632266144},
    {"zai-org/GLM-4.5-Air", NULL, 106852251264, 13424129664},
    {"zai-org/GLM-4-9B-0414", NULL, 9400279040, 9400279040},
    {"CohereForAI/c4ai-command-r-v01", NULL, 34980831232, 34980831232},
    {"CohereForAI/c4ai-command-r-plus", NULL, 103810674688, 103810674688},
    {"tiiuae/falcon-7b", NULL, 6921720704, 6921720704},
    {"tiiuae/falcon-7b-instruct", "tiiuae/falcon-7b", 6921720704, 6921720704},
    {"tiiuae/falcon-40b", NULL, 41303293952, 41303293952},
    {"tiiuae/falcon-40b-instruct", "tiiuae/falcon-40b", 41303293952, 41303293952},
    {"bigcode/starcoder2-3b", NULL, 3030371328, 3030371328},
    {"bigcode/starcoder2-7b", NULL, 7173923840, 7173923840},
    {"bigcode/starcoder2-15b", NULL, 15957889024, 15957889024},
    {"EleutherAI/gpt-neox-20b", NULL, 20554567680, 20554567680},
    {"EleutherAI/pythia-6.9b", NULL, 6857302016, 6857302016},
    {"EleutherAI/gpt-j-6b", NULL, 6050882784, 6050882784},
    {"allenai/OLMo-2-1124-7B-Instruct", NULL, 7298617344, 7298617344},
    {"allenai/OLMo-2-1124-13B-Instruct", NULL, 13716198400, 13716198400},
    {"allenai/OLMoE-1B-7B-0924-Instruct", NULL, 6919161856, 1282017280},
    {"RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8", NULL, 8030261248, 8030261248},
    {"RedHatAI/Meta-Llama-3.1-70B-Instruct-FP8", NULL, 70553706496, 70553706496},
    {"RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w8a8", NULL, 8030261248, 8030261248},
    {"RedHatAI/Meta-Llama-3.1-70B-Instruct-quantized.w8a8", NULL, 70553706496, 70553706496},
    {"hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4", NULL, 8030261248, 8030261248},
    {"hugging-quants/Meta-Llama-3.1-70B-Instruct-AWQ-INT4", NULL, 70553706496, 70553706496},
    {"Qwen/Qwen2.5-7B-Instruct-AWQ", NULL, 7615616512, 7615616512},
    {"Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4", NULL, 7615616512, 7615616512},
    {"Qwen/Qwen3-8B-FP8", NULL, 8190735360, 8190735360},
    {"Qwen/Qwen3-14B-FP8", NULL, 14768307200, 14768307200},
    {"meta-llama/Llama-3.3-70B-Instruct", "meta-llama/Llama-3.1-70B", 70553706496, 70553706496},
    {"deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "meta-llama/Llama-3.1-8B", 8030261248, 8030261248},
    {"deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "meta-llama/Llama-3.1-70B", 70553706496,
     70553706496},
    {"deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", "Qwen/Qwen2.5-32B", 32763876352, 32763876352},
    {"deepseek-ai/DeepSeek-R1-Distill-Qwen-14B", "Qwen/Qwen2.5-14B", 14770033664, 14770033664},
    {"deepseek-ai/DeepSeek-V3-0324", "deepseek-ai/DeepSeek-V3", 671026419200, 37552297472},
    {"deepseek-ai/DeepSeek-R1-0528", "deepseek-ai/DeepSeek-V3", 671026419200, 37552297472},
    {"deepseek-ai/DeepSeek-V3.1", "deepseek-ai/DeepSeek-V3", 671026419200, 37552297472},
    {"Qwen/Qwen2.5-Coder-32B-Instruct", "Qwen/Qwen2.5-32B-Instruct", 32763876352, 32763876352},
    {"mistralai/Mistral-Large-Instruct-2411", "mistralai/Mistral-Large-Instruct-2407", 122610069504,
     122610069504},
};
#define N_SHIPPED (sizeof shipped / sizeof *shipped)

static struct llmsim_model_shape shape_of_shipped(size_t i)
{
    char path[512];
    struct llmsim_model_shape shape = {.is_part = false};
    const char *fixture = shipped[i].fixture;
    (void)snprintf(path, sizeof path, LLMSIM_TEST_SOURCE_DIR "/tests/data/configs/%s.json",
                   fixture != NULL ? fixture : shipped[i].name);
    struct llmsim_model_source source = {.config_path = path,
                                         .name = fixture != NULL ? shipped[i].name : NULL};
    cr_assert_eq(llmsim_model_from_config(&source, &shape, &err), LLMSIM_OK, "%s: %s", path,
                 err.message);
    return shape;
}

Test(model_from_config, counts_of_public_models)
{
    for (size_t i = 0; i < N_SHIPPED; i++) {
        struct llmsim_model_shape shape = shape_of_shipped(i);
        cr_expect_str_eq(shape.model.name, shipped[i].name);
        cr_expect_eq(shape.model.shape.parameters, shipped[i].total, "%s: %llu", shipped[i].name,
                     (unsigned long long)shape.model.shape.parameters);
        cr_expect_eq(shape.model.shape.active_parameters, shipped[i].active, "%s: %llu",
                     shipped[i].name, (unsigned long long)shape.model.shape.active_parameters);
    }
}

/* Every member, as the shape's padding may be any. */
static void expect_same_shape(const struct llmsim_shape *a, const struct llmsim_shape *b,
                              const char *name)
{
#define SAME(member) cr_expect_eq(a->member, b->member, "%s: " #member, name)
#define SAME_PART(member)                                                                          \
    cr_expect_arr_eq(&a->member, &b->member, sizeof a->member, "%s: " #member, name)
    cr_expect(a->is_known && b->is_known, "%s", name);
    SAME(hidden_size);
    SAME(num_hidden_layers);
    SAME(vocab_size);
    SAME(tie_word_embeddings);
    SAME(parallel_blocks);
    SAME(attn_output_gate);
    SAME(attention_k_eq_v);
    SAME(mlp_is_not_gated);
    /* Of counts alone, without padding. */
    SAME_PART(full);
    SAME_PART(windowed);
    SAME_PART(mla);
    SAME_PART(indexer);
    SAME_PART(linear);
    SAME(dense_layers);
    SAME(intermediate_size);
    SAME_PART(moe);
    SAME_PART(formats);
    SAME(kv_cache_format);
    SAME(group_size);
    SAME(parameters);
    SAME(active_parameters);
}

/* model.json is what `profile model` makes of the configs, but for the one size that
 * docs/catalogues.md excepts; and it has no other entries. */
Test(model_from_config, the_catalogue_follows_from_the_configs)
{
    struct llmsim_catalogue *c = NULL;
    cr_assert_eq(llmsim_catalogue_open(LLMSIM_TEST_SOURCE_DIR "/data", &c, &err), LLMSIM_OK);
    for (size_t i = 0; i < N_SHIPPED; i++) {
        struct llmsim_model counted = shape_of_shipped(i).model, entry;
        cr_assert_eq(llmsim_catalogue_model(c, shipped[i].name, &entry, &err), LLMSIM_OK, "%s",
                     err.message);
        bool is_excepted = strcmp(entry.name, "meta-llama/Llama-2-13b-hf") == 0;
        cr_expect_eq(entry.num_hidden_layers, counted.num_hidden_layers, "%s", entry.name);
        cr_expect_eq(entry.num_heads, counted.num_heads, "%s", entry.name);
        cr_expect_eq(entry.model_size_GB, is_excepted ? 26 : counted.model_size_GB, "%s",
                     entry.name);
        cr_expect_eq(entry.kvc_size_KB, counted.kvc_size_KB, "%s", entry.name);
        cr_expect_eq(entry.hidden_size, counted.hidden_size, "%s", entry.name);
        cr_expect_gt(entry.hidden_size, 0, "%s", entry.name);
        cr_expect_eq(entry.max_positions, counted.max_positions, "%s", entry.name);
        cr_expect_eq(entry.num_experts, counted.num_experts, "%s", entry.name);
        expect_same_shape(&entry.shape, &counted.shape, entry.name);
    }
    llmsim_catalogue_close(c);

    char *text = read_text(LLMSIM_TEST_SOURCE_DIR "/data", "model.json", NULL);
    size_t n_entries = 0;
    for (const char *p = text; (p = strstr(p, "num_heads")) != NULL; p++)
        n_entries++;
    cr_expect_eq(n_entries, N_SHIPPED);
    free(text);
}

/* What the models' cards and papers say, and the KV cache of a token by hand: 2 (K and V) x layers
 * x KV heads x head_dim x bytes, for latent attention layers x (512 + 64) x bytes, and 132 bytes
 * for each indexer. Cards round active parameters, and some leave the embedding out. A card that
 * counts a vision tower (Llama 4 Scout: 109 B) stands here with the text's part. */
Test(model_from_config, totals_as_published)
{
    static const struct {
        const char *name;
        double total_B, active_B, kv_bytes;
    } cases[] = {
        {"deepseek-ai/DeepSeek-V3", 671, 37, 61 * 576 * 2},
        {"deepseek-ai/DeepSeek-R1", 671, 37, 61 * 576 * 2},
        {"deepseek-ai/DeepSeek-V3.2", 671, 37, 61 * (576 * 2 + 132)},
        {"deepseek-ai/DeepSeek-V2", 236, 21, 60 * 576 * 2},
        {"deepseek-ai/DeepSeek-V2-Lite", 15.7, 2.66, 27 * 576 * 2},
        {"nvidia/DeepSeek-V3.1-NVFP4", 671, 37, 61 * 576},
        {"moonshotai/Kimi-K2-Instruct", 1026, 32, 61 * 576 * 2},
        {"moonshotai/Kimi-K2.5", 1026, 32, 61 * 576 * 2},
        {"openai/gpt-oss-120b", 116.83, 5.13, 2 * 36 * 8 * 64 * 2},
        {"openai/gpt-oss-20b", 20.91, 3.61, 2 * 24 * 8 * 64 * 2},
        {"Qwen/Qwen3-235B-A22B-FP8", 235, 22, 2 * 94 * 4 * 128 * 2},
        {"Qwen/Qwen3-30B-A3B-FP8", 30.5, 3.3, 2 * 48 * 4 * 128 * 2},
        {"Qwen/Qwen3-Coder-480B-A35B-Instruct", 480, 35, 2 * 62 * 8 * 128 * 2},
        {"Qwen/Qwen3-Next-80B-A3B-Instruct", 79.7, 3.9, 2 * 12 * 2 * 256 * 2},
        {"Qwen/Qwen3.5-27B", 27, 27, 2 * 16 * 4 * 256 * 2},
        {"Qwen/Qwen3.5-35B-A3B", 34.7, 3.4, 2 * 10 * 2 * 256 * 2},
        {"Qwen/Qwen3.5-122B-A10B", 122, 10, 2 * 12 * 2 * 256 * 2},
        {"Qwen/Qwen3.5-397B-A17B", 397, 17, 2 * 15 * 2 * 256 * 2},
        {"Qwen/Qwen1.5-MoE-A2.7B-Chat", 14.3, 2.7, 2 * 24 * 16 * 128 * 2},
        {"meta-llama/Llama-4-Scout-17B-16E-Instruct", 107.77, 17, 2 * 48 * 8 * 128 * 2},
        {"meta-llama/Llama-4-Maverick-17B-128E-Instruct", 400, 17, 2 * 48 * 8 * 128 * 2},
        {"mistralai/Mixtral-8x7B-v0.1", 46.7, 12.9, 2 * 32 * 8 * 128 * 2},
        {"mistralai/Mixtral-8x22B-v0.1", 141, 39, 2 * 56 * 8 * 128 * 2},
        {"MiniMaxAI/MiniMax-M2.5", 229, 11, 2 * 62 * 8 * 128 * 2},
        {"zai-org/GLM-5", 744, 41, 78 * (576 * 2 + 132)},
        {"zai-org/GLM-5.2", 744, 41, 78 * 576 * 2 + 21 * 132},
        {"zai-org/GLM-4.5-Air", 106.85, 13, 2 * 46 * 8 * 128 * 2},
        {"google/gemma-4-26B-A4B", 25.2, 3.8, 2 * 2 * (25 * 8 * 256 + 5 * 2 * 512)},
        {"nvidia/Gemma-4-31B-IT-NVFP4", 30.7, 30.7, 2 * (50 * 16 * 256 + 10 * 4 * 512)},
        {"google/gemma-3-27b-it", 27.0, 27.0, 2 * 62 * 16 * 128 * 2},
        {"nvidia/Llama-3_3-Nemotron-Super-49B-v1", 49.9, 49.9, 2 * 49 * 8 * 128 * 2},
        {"microsoft/Phi-3.5-MoE-instruct", 41.9, 6.6, 2 * 32 * 8 * 128 * 2},
        {"allenai/OLMoE-1B-7B-0924-Instruct", 6.92, 1.28, 2 * 16 * 16 * 128 * 2},
    };
    struct llmsim_catalogue *c = NULL;
    cr_assert_eq(llmsim_catalogue_open(LLMSIM_TEST_SOURCE_DIR "/data", &c, &err), LLMSIM_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct llmsim_model m;
        cr_assert_eq(llmsim_catalogue_model(c, cases[i].name, &m, &err), LLMSIM_OK, "%s",
                     err.message);
        cr_expect_float_eq((double)m.shape.parameters / 1e9 / cases[i].total_B, 1, 0.005,
                           "%s: %llu", m.name, (unsigned long long)m.shape.parameters);
        cr_expect_float_eq((double)m.shape.active_parameters / 1e9 / cases[i].active_B, 1, 0.04,
                           "%s: %llu", m.name, (unsigned long long)m.shape.active_parameters);
        cr_expect_eq(m.kvc_size_KB * 1024, cases[i].kv_bytes, "%s: %g", m.name, m.kvc_size_KB);
    }
    llmsim_catalogue_close(c);
}

/* Bytes of checkpoints on the Hub, in 10^9, without the layers that predict further tokens. */
Test(model_from_config, sizes_of_quantized_checkpoints)
{
    static const struct {
        const char *name;
        double size_GB, tolerance;
    } cases[] = {
        {"openai/gpt-oss-120b", 65.2, 0.005},
        {"openai/gpt-oss-20b", 13.8, 0.005},
        {"moonshotai/Kimi-K2.5", 595, 0.005},
        {"nvidia/Llama-3.1-70B-Instruct-FP8", 72.7, 0.005},
        {"RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8", 9.08, 0.005},
        {"hugging-quants/Meta-Llama-3.1-70B-Instruct-AWQ-INT4", 39.8, 0.01},
        {"hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4", 5.73, 0.01},
    };
    struct llmsim_catalogue *c = NULL;
    cr_assert_eq(llmsim_catalogue_open(LLMSIM_TEST_SOURCE_DIR "/data", &c, &err), LLMSIM_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct llmsim_model m;
        cr_assert_eq(llmsim_catalogue_model(c, cases[i].name, &m, &err), LLMSIM_OK, "%s",
                     err.message);
        cr_expect_float_eq(m.model_size_GB / cases[i].size_GB, 1, cases[i].tolerance, "%s: %g",
                           m.name, m.model_size_GB);
    }
    llmsim_catalogue_close(c);
}

/* As the models' cards say. BLOOM's position biases (ALiBi) end nowhere. */
Test(model_from_config, positions_and_experts_of_public_models)
{
    static const struct {
        const char *name;
        unsigned max_positions, num_experts;
    } cases[] = {
        {"facebook/opt-30b", 2048, 0},
        {"bigscience/bloom", 0, 0},
        {"meta-llama/Llama-2-13b-hf", 4096, 0},
        {"codellama/CodeLlama-34b-hf", 16384, 0},
        {"meta-llama/Meta-Llama-3-8B", 8192, 0},
        {"meta-llama/Llama-3.1-405B-Instruct", 131072, 0},
        {"mistralai/Mistral-7B-Instruct-v0.3", 32768, 0},
        {"mistralai/Mixtral-8x7B-v0.1", 32768, 8},
        {"mistralai/Mixtral-8x22B-Instruct-v0.1", 65536, 8},
        {"Qwen/Qwen2.5-7B", 131072, 0},
        {"Qwen/Qwen2.5-7B-Instruct", 32768, 0},
        {"Qwen/Qwen3-30B-A3B", 40960, 128},
    };
    struct llmsim_catalogue *c = NULL;
    cr_assert_eq(llmsim_catalogue_open(LLMSIM_TEST_SOURCE_DIR "/data", &c, &err), LLMSIM_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct llmsim_model entry;
        cr_assert_eq(llmsim_catalogue_model(c, cases[i].name, &entry, &err), LLMSIM_OK, "%s",
                     err.message);
        cr_expect_eq(entry.max_positions, cases[i].max_positions, "%s", entry.name);
        cr_expect_eq(entry.num_experts, cases[i].num_experts, "%s", entry.name);
    }
    llmsim_catalogue_close(c);
}

/* ---- small shapes, worked out by hand ---- */

#define CONFIG(architecture, keys)                                                                 \
    "{\"_name_or_path\": \"tiny\", \"torch_dtype\": \"bfloat16\",\n\"architectures\": "            \
    "[\"" architecture "\"],\n" keys "}"
/* h = 8, f = 16, 2 layers, 2 heads, 1 KV head of 4, vocabulary 10. A layer: q 64, k 32, v 32, o 64,
 * MLP 3 × 128, two norms of 8, together 592. Embedding and head 80 each, final norm 8. */
#define TINY                                                                                       \
    "\"hidden_size\": 8, \"intermediate_size\": 16, \"num_hidden_layers\": 2,"                     \
    " \"num_attention_heads\": 2, \"vocab_size\": 10"
#define ONE_KV_HEAD ", \"num_key_value_heads\": 1"
#define TINY_GQA TINY ONE_KV_HEAD

#define TINY_OPT                                                                                   \
    "\"hidden_size\": 8, \"ffn_dim\": 16, \"num_hidden_layers\": 2, \"num_attention_heads\": 2,"   \
    " \"vocab_size\": 10, \"max_position_embeddings\": 6"

static const struct {
    const char *config;
    uint64_t total, active;
    double kvc_size_KB; /* 2 (K and V) × layers × KV heads × head_dim × 2 bytes / 1024 */
} tiny[] = {
    /* 2 × 592 + 168 */
    {CONFIG("LlamaForCausalLM", TINY_GQA), 1352, 1352, 32.0 / 1024},
    {CONFIG("MistralForCausalLM", TINY_GQA), 1352, 1352, 32.0 / 1024},
    /* without a head of its own */
    {CONFIG("LlamaForCausalLM", TINY_GQA ", \"tie_word_embeddings\": true"), 1272, 1272,
     32.0 / 1024},
    /* as many KV heads as heads: k and v 64 each, 656 a layer */
    {CONFIG("LlamaForCausalLM", TINY), 1480, 1480, 64.0 / 1024},
    /* heads of 6: q and o 96, k and v 48, 688 a layer */
    {CONFIG("LlamaForCausalLM", TINY_GQA ", \"head_dim\": 6"), 1544, 1544, 48.0 / 1024},
    /* biases: q and o 8, k and v 4; gate and up 16, down 8: 64 more a layer */
    {CONFIG("LlamaForCausalLM", TINY_GQA ", \"attention_bias\": true, \"mlp_bias\": true"), 1480,
     1480, 32.0 / 1024},
    /* null is as good as absent where there is a default */
    {CONFIG("LlamaForCausalLM", TINY_GQA ", \"head_dim\": null, \"quantization_config\": null"),
     1352, 1352, 32.0 / 1024},
    /* biases on q, k, v only: 16 more a layer */
    {CONFIG("Qwen2ForCausalLM", TINY_GQA), 1384, 1384, 32.0 / 1024},
    /* norms of q and k: 4 each, 8 more a layer */
    {CONFIG("Qwen3ForCausalLM", TINY_GQA ", \"head_dim\": 4"), 1368, 1368, 32.0 / 1024},
    /* 4 experts of 384 and a router of 32 a layer, of which a token sees 2: 1776 a layer */
    {CONFIG("MixtralForCausalLM",
            TINY_GQA ", \"num_local_experts\": 4, \"num_experts_per_tok\": 2"),
     3720, 2184, 32.0 / 1024},
    /* 4 layers of which every second has 4 experts of 96, but for layer 3: so layer 1 only.
     * 4 × (192 + 8 + 16) + 3 × 384 + 32 + 4 × 96 + 168; a token sees 1 expert. */
    {CONFIG("Qwen3MoeForCausalLM",
            "\"hidden_size\": 8, \"intermediate_size\": 16, \"num_hidden_layers\": 4,"
            " \"num_attention_heads\": 2, \"vocab_size\": 10" ONE_KV_HEAD
            ", \"head_dim\": 4, \"num_experts\": 4, \"num_experts_per_tok\": 1,"
            " \"moe_intermediate_size\": 4, \"decoder_sparse_step\": 2,"
            " \"mlp_only_layers\": [0, 3, 3, 7]"),
     2600, 2312, 64.0 / 1024},
    /* intermediate_size is gate and up together; 24 biases on q, k, v: 680 a layer */
    {CONFIG("QWenLMHeadModel",
            "\"hidden_size\": 8, \"intermediate_size\": 32, \"num_hidden_layers\": 2,"
            " \"num_attention_heads\": 2, \"vocab_size\": 10, \"kv_channels\": 4"),
     1528, 1528, 64.0 / 1024},
    /* and 8 on the output, 40 in the MLP */
    {CONFIG("QWenLMHeadModel",
            "\"hidden_size\": 8, \"intermediate_size\": 32, \"num_hidden_layers\": 2,"
            " \"num_attention_heads\": 2, \"vocab_size\": 10, \"kv_channels\": 4,"
            " \"no_bias\": false"),
     1624, 1624, 64.0 / 1024},
    /* A layer: 4 × 72, 144, 136, two norms of 16, together 600. Tokens 80, positions (6 + 2) × 8,
     * final norm 16. */
    {CONFIG("OPTForCausalLM", TINY_OPT), 1360, 1360, 64.0 / 1024},
    /* as the 350M model: tokens 40, two projections of 32, no final norm */
    {CONFIG("OPTForCausalLM",
            TINY_OPT ", \"word_embed_proj_dim\": 4, \"do_layer_norm_before\": false"),
     1368, 1368, 64.0 / 1024},
    {CONFIG("OPTForCausalLM", TINY_OPT ", \"_remove_final_layer_norm\": true"), 1344, 1344,
     64.0 / 1024},
    /* 4 × 8 + 16 + 8 biases fewer a layer */
    {CONFIG("OPTForCausalLM", TINY_OPT ", \"enable_bias\": false"), 1248, 1248, 64.0 / 1024},
    {CONFIG("OPTForCausalLM", TINY_OPT ", \"layer_norm_elementwise_affine\": false"), 1280, 1280,
     64.0 / 1024},
    {CONFIG("OPTForCausalLM", TINY_OPT ", \"tie_word_embeddings\": false"), 1440, 1440,
     64.0 / 1024},
    /* A layer: qkv 216, output 72, MLP 288 + 264, two norms of 16, together 872. Tokens 80 and
     * their norm 16, final norm 16. Two spellings of the keys. */
    {CONFIG("BloomForCausalLM", "\"n_embed\": 8, \"n_layer\": 2, \"num_attention_heads\": 2,"
                                " \"vocab_size\": 10"),
     1856, 1856, 64.0 / 1024},
    {CONFIG("BloomForCausalLM", "\"hidden_size\": 8, \"num_hidden_layers\": 2, \"n_head\": 2,"
                                " \"vocab_size\": 10"),
     1856, 1856, 64.0 / 1024},
};

Test(model_from_config, counts_by_hand)
{
    for (size_t i = 0; i < sizeof tiny / sizeof *tiny; i++) {
        struct llmsim_model_shape shape;
        cr_assert_eq(read_config(tiny[i].config, NULL, &shape), LLMSIM_OK, "%s", err.message);
        cr_expect_eq(shape.model.shape.parameters, tiny[i].total, "%s: %llu", tiny[i].config,
                     (unsigned long long)shape.model.shape.parameters);
        cr_expect_eq(shape.model.shape.active_parameters, tiny[i].active, "%s: %llu",
                     tiny[i].config, (unsigned long long)shape.model.shape.active_parameters);
        cr_expect_eq(shape.model.kvc_size_KB, tiny[i].kvc_size_KB, "%s", tiny[i].config);
        cr_expect_eq(shape.model.model_size_GB, (double)(2 * tiny[i].total) / 1e9);
    }
}

/* The largest that the limits let through must not wrap around 64 bits. */
Test(model_from_config, the_largest_shape)
{
    struct llmsim_model_shape shape;
    cr_assert_eq(
        read_config(CONFIG("Qwen3MoeForCausalLM",
                           "\"hidden_size\": 262144, \"intermediate_size\": 262144,"
                           " \"num_hidden_layers\": 1024, \"num_attention_heads\": 1024,"
                           " \"num_key_value_heads\": 1024, \"head_dim\": 262144,"
                           " \"vocab_size\": 4194304, \"num_experts\": 1024,"
                           " \"num_experts_per_tok\": 1, \"moe_intermediate_size\": 262144"),
                    NULL, &shape),
        LLMSIM_OK);
    /* 1024 layers of: attention 4 × 2^46; 1024 experts of 3 × 2^36; and little more. */
    double expected = 1024.0 * (4 * 0x1p46 + 1024 * 3 * 0x1p36);
    cr_expect_float_eq((double)shape.model.shape.parameters / expected, 1, 1e-3);
}

Test(model_from_config, the_whole_shape)
{
    struct llmsim_model_shape shape;
    write_text(".", "config.json", CONFIG("LlamaForCausalLM", TINY_GQA));
    struct llmsim_model_source source = {
        .config_path = "config.json", .name = "org/other", .dtype = "float32"};
    cr_assert_eq(llmsim_model_from_config(&source, &shape, &err), LLMSIM_OK);
    cr_expect_str_eq(shape.model.name, "org/other");
    cr_expect_str_eq(shape.architecture, "LlamaForCausalLM");
    cr_expect_eq(shape.model.num_hidden_layers, 2);
    cr_expect_eq(shape.model.num_heads, 2);
    cr_expect_eq(shape.model.shape.full.num_kv_heads, 1);
    cr_expect_eq(shape.model.shape.full.head_dim, 4);
    cr_expect_eq(shape.model.shape.formats[LLMSIM_WEIGHTS_OTHER], LLMSIM_FORMAT_FP32);
    cr_expect_eq(shape.model.model_size_GB, 1352 * 4 / 1e9);
    cr_expect_eq(shape.model.kvc_size_KB, 64.0 / 1024);
}

/* ---- what is refused ---- */

Test(model_from_config, refused)
{
#define LLAMA(keys) CONFIG("LlamaForCausalLM", keys)
#define NAMED(keys) "{\"_name_or_path\": \"tiny\"" keys "}"
    static const struct {
        const char *config, *expected;
    } cases[] = {
        {"[]", "config.json:1:1: expected an object, {…}"},
        {"{}", "config.json:1:1: key \"architectures\" is missing"},
        {"{\"architectures\": []}", "config.json:1:2: expected one name in \"architectures\""},
        {"{\"architectures\": \"LlamaForCausalLM\"}",
         "config.json:1:2: \"architectures\" is \"LlamaForCausalLM\", expected an array of strings "
         "of 1 to 127 bytes of plain text"},
        {CONFIG("LlamaForCasualLM", TINY),
         "config.json:2:1: \"architectures\": \"LlamaForCasualLM\" is not known (did you mean "
         "\"LlamaForCausalLM\"?)"},
        {CONFIG("T5Encoder", TINY),
         "config.json:2:1: \"architectures\": \"T5Encoder\" is not known; "
         "docs/catalogues.md lists those that are"},
        {CONFIG("NemotronHForCausalLM", TINY),
         "config.json:2:1: \"architectures\": \"NemotronHForCausalLM\" has Mamba layers, which are "
         "not supported"},
        {LLAMA("\"hidden_size\": 8"), "config.json:1:1: key \"vocab_size\" is missing"},
        {CONFIG("MistralForCausalLM", TINY),
         "config.json:1:1: key \"num_key_value_heads\" is missing"},
        {CONFIG("Qwen3ForCausalLM", TINY_GQA), "config.json:1:1: key \"head_dim\" is missing"},
        {CONFIG("MixtralForCausalLM", TINY_GQA),
         "config.json:1:1: key \"num_local_experts\" is missing"},
        {CONFIG("OPTForCausalLM", TINY), "config.json:1:1: key \"ffn_dim\" is missing"},
        {CONFIG("BloomForCausalLM", "\"vocab_size\": 10"),
         "config.json:1:1: key \"hidden_size\" is missing"},
        {LLAMA("\"hidden_size\": \"8\""),
         "config.json:3:1: \"hidden_size\" is \"8\", expected a whole number from 1 to 262144"},
        {LLAMA("\"hidden_size\": 1000000"),
         "config.json:3:1: \"hidden_size\" is 1000000, expected a whole number from 1 to 262144"},
        {LLAMA(TINY ", \"num_key_value_heads\": 3"),
         "config.json:1:1: 2 attention heads do not share 3 key-value heads evenly"},
        {LLAMA("\"hidden_size\": 9, \"intermediate_size\": 16, \"num_hidden_layers\": 2,"
               " \"num_attention_heads\": 2, \"vocab_size\": 10"),
         "config.json:1:1: key \"head_dim\" is missing, and 9 is not a multiple of 2 attention "
         "heads"},
        {CONFIG("MixtralForCausalLM",
                TINY_GQA ", \"num_local_experts\": 2, \"num_experts_per_tok\": 3"),
         "config.json:1:1: 3 experts a token, but only 2 experts"},
        {NAMED(", \"architectures\": [\"LlamaForCausalLM\"], " TINY),
         "config.json:1:1: key \"torch_dtype\" is missing, and no dtype was given"},
        {NAMED(",\n\"dtype\": \"int4\", \"architectures\": [\"LlamaForCausalLM\"], " TINY),
         "config.json:1:1: \"torch_dtype\" is \"int4\", expected bfloat16, float16 or float32"},
        {"{\"dtype\": \"float16\", \"architectures\": [\"LlamaForCausalLM\"], " TINY "}",
         "config.json:1:1: key \"_name_or_path\" is missing, and no name was given"},
        {LLAMA(TINY ",\n\"quantization_config\": {\"quant_method\": \"bitsandbytes\"}"),
         "config.json:4:1: the weights are quantized by \"bitsandbytes\", which is not known: only "
         "a "
         "safetensors index or file gives their size"},
        {LLAMA(TINY ",\n\"quantization_config\": {\"bits\": 4}"),
         "config.json:4:1: key \"quant_method\" is missing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct llmsim_model_shape shape;
        expect_error(read_config(cases[i].config, NULL, &shape), LLMSIM_CATALOGUE, &err,
                     cases[i].expected);
    }
}

Test(model_from_config, arguments_that_are_refused)
{
    struct llmsim_model_shape shape;
    struct llmsim_model_source source = {.config_path = "config.json", .dtype = "fp8"};
    write_text(".", "config.json", LLAMA(TINY));
    expect_error(llmsim_model_from_config(&source, &shape, &err), LLMSIM_USAGE, &err,
                 "dtype 'fp8': expected bfloat16, float16 or float32");
    source = (struct llmsim_model_source){.config_path = "config.json", .name = ""};
    expect_error(llmsim_model_from_config(&source, &shape, &err), LLMSIM_USAGE, &err,
                 "a model's name has 1 to 127 bytes");
    source = (struct llmsim_model_source){.config_path = "none.json"};
    expect_error(llmsim_model_from_config(&source, &shape, &err), LLMSIM_IO, &err,
                 "none.json: cannot open: No such file or directory");
}

/* ---- safetensors ---- */

/* A header with its length before it. */
static void write_safetensors(const char *name, const char *header, size_t length)
{
    char bytes[1024];
    cr_assert_lt(length, 1000);
    cr_assert_lt(strlen(header), 1000);
    for (size_t i = 0; i < 8; i++)
        bytes[i] = (char)(unsigned char)(length >> (8 * i));
    memcpy(bytes + 8, header, strlen(header));
    write_bytes(".", name, bytes, 8 + strlen(header));
}

/* The weights' size is that of the file, also of quantized weights; the KV cache stays 16 bits. */
Test(model_from_config, size_from_an_index)
{
    struct llmsim_model_shape shape;
    write_text(".", "model.safetensors.index.json",
               "{\"metadata\": {\"total_size\": 123456789}, \"weight_map\": {}}");
    cr_assert_eq(read_config(LLAMA(TINY_GQA ", \"quantization_config\": {}"),
                             "model.safetensors.index.json", &shape),
                 LLMSIM_OK, "%s", err.message);
    cr_expect_eq(shape.model.model_size_GB, 0.123456789);
    cr_expect_eq(shape.model.kvc_size_KB, 32.0 / 1024);
    cr_expect_eq(shape.model.shape.parameters, 1352);
}

Test(model_from_config, size_from_a_header)
{
    static const char header[] = "{\"__metadata__\": {\"format\": \"pt\"},"
                                 " \"a\": {\"dtype\": \"BF16\", \"data_offsets\": [0, 200]},"
                                 " \"b\": {\"dtype\": \"BF16\", \"data_offsets\": [200, 1000]}}  ";
    struct llmsim_model_shape shape;
    write_safetensors("model.safetensors", header, strlen(header));
    cr_assert_eq(read_config(LLAMA(TINY_GQA), "model.safetensors", &shape), LLMSIM_OK, "%s",
                 err.message);
    cr_expect_eq(shape.model.model_size_GB, 1000 / 1e9);
}

Test(model_from_config, safetensors_that_are_refused)
{
    static const struct {
        const char *name, *bytes, *expected;
    } indexes[] = {
        {"a.json", "{}", "a.json:1:1: key \"metadata\" is missing"},
        {"a.json", "{\"metadata\": {}}", "a.json:1:2: \"metadata\": key \"total_size\" is missing"},
        {"a.json", "{\"metadata\": {\"total_size\": -1}}",
         "a.json:1:15: \"metadata\": \"total_size\" is -1, expected a number of bytes"},
        {"a.json", "{\"metadata\": {\"total_size\": 0}}", "a.json: the weights have no bytes"},
        {"model-00001-of-00002.safetensors", "",
         "model-00001-of-00002.safetensors: one of several files; give their index, "
         "*.safetensors.index.json"},
        {"short", "1234567",
         "short: not a safetensors file: its header's length is not in 1 to 100000000"},
        {"text", "not a safetensors file",
         "text: not a safetensors file: its header's length is not in 1 to 100000000"},
    };
    static const struct {
        const char *header;
        size_t length;
        const char *expected;
    } headers[] = {
        {"{}", 3, "h: the safetensors header of 3 bytes is not complete"},
        {"{", 1, "h:1:2: JSON syntax error: the file ends too early"},
        {"[]", 2, "h:1:1: expected an object, {…}"},
        {"{}", 2, "h: the weights have no bytes"},
        {"{\"a\":{}}", 8, "h:1:2: \"a\": key \"data_offsets\" is missing"},
        {"{\"a\":{\"data_offsets\":[1]}}", 26,
         "h:1:7: \"a\": expected \"data_offsets\": [BEGIN, END]"},
        {"{\"a\":{\"data_offsets\":[2,1]}}", 28,
         "h:1:7: \"a\": expected \"data_offsets\": [BEGIN, END]"},
    };
    struct llmsim_model_shape shape;
    for (size_t i = 0; i < sizeof indexes / sizeof *indexes; i++) {
        write_text(".", indexes[i].name, indexes[i].bytes);
        expect_error(read_config(LLAMA(TINY_GQA), indexes[i].name, &shape), LLMSIM_CATALOGUE, &err,
                     indexes[i].expected);
    }
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        write_safetensors("h", headers[i].header, headers[i].length);
        expect_error(read_config(LLAMA(TINY_GQA), "h", &shape), LLMSIM_CATALOGUE, &err,
                     headers[i].expected);
    }
    expect_error(read_config(LLAMA(TINY_GQA), "none", &shape), LLMSIM_IO, &err,
                 "none: cannot open: No such file or directory");
}
