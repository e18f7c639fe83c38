/* The three files: what ships, names, malformed files each with its message, and writing. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "llmsim/catalogue.h"
#include "support/errors.h"
#include "support/files.h"

/* Each test runs in a process of its own, so it may change the directory. */
static char *scratch;
static struct llmsim_error err;

static void enter_scratch(void)
{
    (void)unsetenv("LLMSIM_DATA");
    scratch = scratch_dir();
    cr_assert_eq(chdir(scratch), 0);
}

static void leave_scratch(void)
{
    cr_assert_eq(chdir("/"), 0);
    remove_dir(scratch);
}

TestSuite(catalogue, .init = enter_scratch, .fini = leave_scratch);

#define GPU(name) "\"" name "\": {\"memory_cap\": 48, \"memory_bw\": 768, \"memory_bw_util\": 60}"
#define MODEL(name)                                                                                \
    "\"" name "\": {\"num_hidden_layers\": 4, \"num_heads\": 2, \"model_size_GB\": 1.5,"           \
    " \"kvc_size_KB\": 32}"

#define FITTED(step, ridge)                                                                        \
    "{\"step_s\": " step                                                                           \
    ", \"rise_2_s\": 0.5, \"rise_4_s\": 0, \"rise_8_s\": 0, \"rise_16_s\": 0, \"rise_32_s\": 0,"   \
    " \"rise_64_s\": 0, \"rise_128_s\": 0, \"rise_256_s\": 0, \"seq_s\": 0.25, \"token_s\": "      \
    "0.125,"                                                                                       \
    " \"weights_s\": 2, \"ridge_tokens\": " ridge ", \"spill_s\": 0, \"spill_tokens\": 1,"         \
    " \"split_s\": 0, \"attention_s\": 0, \"walk_s\": 0, \"context_s\": 0.001,"                    \
    " \"mixed_seq_s\": 0, \"mixed_context_s\": 0}"

static struct llmsim_catalogue *open_shipped(void)
{
    struct llmsim_catalogue *c = NULL;
    cr_assert_eq(llmsim_catalogue_open(LLMSIM_TEST_SOURCE_DIR "/data", &c, &err), LLMSIM_OK, "%s",
                 err.message);
    return c;
}

static struct llmsim_catalogue *open_texts(const char *gpu, const char *model, const char *ptps)
{
    struct llmsim_catalogue *c = NULL;
    write_text(".", "gpu.json", gpu);
    write_text(".", "model.json", model);
    write_text(".", "ptps.json", ptps);
    cr_assert_eq(llmsim_catalogue_open(".", &c, &err), LLMSIM_OK, "%s", err.message);
    return c;
}

/* ---- the directory ---- */

Test(catalogue, a_named_directory_is_the_one_or_an_error)
{
    char path[256], small[4];
    write_text(".", "gpu.json", "{}");
    cr_assert_eq(llmsim_catalogue_find_dir(".", path, sizeof path, &err), LLMSIM_OK);
    cr_expect_str_eq(path, ".");
    expect_error(llmsim_catalogue_find_dir("/nonexistent", path, sizeof path, &err),
                 LLMSIM_CATALOGUE, &err, "the data directory '/nonexistent' has no gpu.json");
    cr_expect_eq(llmsim_catalogue_find_dir(scratch, small, sizeof small, NULL), LLMSIM_USAGE);
}

Test(catalogue, an_empty_variable_names_none)
{
    char unset[256], empty[256];
    cr_assert_eq(llmsim_catalogue_find_dir(NULL, unset, sizeof unset, &err), LLMSIM_OK);
    cr_assert_eq(setenv("LLMSIM_DATA", "", 1), 0);
    cr_assert_eq(llmsim_catalogue_find_dir(NULL, empty, sizeof empty, &err), LLMSIM_OK);
    cr_expect_str_eq(empty, unset);
}

Test(catalogue, the_environment_names_a_directory)
{
    char path[256];
    write_text(".", "gpu.json", "{}");
    cr_assert_eq(setenv("LLMSIM_DATA", scratch, 1), 0);
    cr_assert_eq(llmsim_catalogue_find_dir(NULL, path, sizeof path, &err), LLMSIM_OK);
    cr_expect_str_eq(path, scratch);
    cr_assert_eq(setenv("LLMSIM_DATA", "/nonexistent", 1), 0);
    expect_error(llmsim_catalogue_find_dir(NULL, path, sizeof path, &err), LLMSIM_CATALOGUE, &err,
                 "LLMSIM_DATA: '/nonexistent' has no gpu.json");
    cr_assert_eq(llmsim_catalogue_find_dir(".", path, sizeof path, &err), LLMSIM_OK);
    cr_expect_str_eq(path, ".");
}

/* ---- what ships ---- */

Test(catalogue, gpu_names)
{
    static const struct {
        const char *wanted, *found;
    } cases[] = {
        {"NVIDIA RTX A6000", "NVIDIA RTX A6000"},
        {"nvidia rtx a6000", "NVIDIA RTX A6000"},
        {"a6000", "NVIDIA RTX A6000"},
        {"RTX A6000", "NVIDIA RTX A6000"},
        {"A100", "NVIDIA A100 80GB PCIe"},
        {"a100", "NVIDIA A100 80GB PCIe"},
        {"NVIDIA A100-SXM4-40GB", "NVIDIA A100-SXM4-40GB"},
        {"a100-sxm4-80gb", "NVIDIA A100-SXM4-80GB"},
        {"H100", "NVIDIA H100 80GB HBM3"},
        {"H100 NVL", "NVIDIA H100 NVL"},
        {"h200", "NVIDIA H200"},
        {"A40", "NVIDIA A40"},
        {"l40s", "NVIDIA L40S"},
        {"4090", "NVIDIA GeForce RTX 4090"},
        {"rtx pro 6000", "NVIDIA RTX PRO 6000 Blackwell Workstation Edition"},
        {"server", "NVIDIA RTX PRO 6000 Blackwell Server Edition"},
        {"MI300X", "AMD Instinct MI300X"},
    };
    struct llmsim_catalogue *c = open_shipped();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct llmsim_gpu gpu = {.name = ""};
        cr_expect_eq(llmsim_catalogue_gpu(c, cases[i].wanted, &gpu, &err), LLMSIM_OK, "%s: %s",
                     cases[i].wanted, err.message);
        cr_expect_str_eq(gpu.name, cases[i].found);
    }
    llmsim_catalogue_close(c);
}

Test(catalogue, shipped_numbers)
{
    struct llmsim_catalogue *c = open_shipped();
    struct llmsim_gpu gpu;
    struct llmsim_model model;
    cr_assert_eq(llmsim_catalogue_gpu(c, "a6000", &gpu, &err), LLMSIM_OK);
    cr_expect_eq(gpu.memory_cap_GB, 51.05);
    cr_expect_eq(gpu.memory_bw_GBps, 768);
    cr_expect_eq(gpu.memory_bw_util_percent, 60);
    cr_assert_eq(llmsim_catalogue_model(c, "llama-2-13b-hf", &model, &err), LLMSIM_OK);
    cr_expect_str_eq(model.name, "meta-llama/Llama-2-13b-hf");
    cr_expect_eq(model.num_hidden_layers, 40);
    cr_expect_eq(model.num_heads, 40);
    cr_expect_eq(model.model_size_GB, 26);
    /* K and V, 40 layers, 40 heads of 128, 2 bytes: 819,200 bytes. */
    cr_expect_eq(model.kvc_size_KB, 800);
    cr_expect_eq(model.hidden_size, 5120); /* 40 heads of 128 */
    llmsim_catalogue_close(c);
}

Test(catalogue, optional_numbers_of_a_gpu)
{
    struct llmsim_catalogue *c =
        open_texts("{" GPU("Plain") ", \"Full\": {\"memory_cap\": 48, \"memory_bw\": 768, "
                                    "\"memory_bw_util\": 60, \"pcie_bw\": 25.5, \"link_bw\": 240, "
                                    "\"link_latency_us\": 2.5, \"usd_per_hour\": 0.79}}",
                   "{}", "{}");
    struct llmsim_gpu gpu;
    cr_assert_eq(llmsim_catalogue_gpu(c, "full", &gpu, &err), LLMSIM_OK);
    cr_expect_eq(gpu.pcie_bw, 25.5);
    cr_expect_eq(gpu.link_bw, 240);
    cr_expect_eq(gpu.link_latency_us, 2.5);
    cr_expect_eq(gpu.usd_per_hour, 0.79);
    cr_assert_eq(llmsim_catalogue_gpu(c, "plain", &gpu, &err), LLMSIM_OK);
    cr_expect_eq(gpu.pcie_bw, 0);
    cr_expect_eq(gpu.link_bw, 0);
    cr_expect_eq(gpu.link_latency_us, 0);
    cr_expect_eq(gpu.usd_per_hour, 0);
    llmsim_catalogue_close(c);
}

/* Every GPU that ships has a PCIe bandwidth; none has a price, which is the reader's to give. */
Test(catalogue, shipped_links)
{
    static const struct {
        const char *gpu;
        double pcie_bw, link_bw;
    } cases[] = {
        {"a6000", 25, 15}, {"A100 SXM", 25, 176}, {"H100", 50, 315}, {"rtx pro 6000", 50, 14}};
    struct llmsim_catalogue *c = open_shipped();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct llmsim_gpu gpu;
        cr_assert_eq(llmsim_catalogue_gpu(c, cases[i].gpu, &gpu, &err), LLMSIM_OK);
        cr_expect_eq(gpu.pcie_bw, cases[i].pcie_bw);
        cr_expect_eq(gpu.link_bw, cases[i].link_bw);
        cr_expect_eq(gpu.usd_per_hour, 0);
    }
    llmsim_catalogue_close(c);
}

Test(catalogue, shipped_ptps)
{
    static const struct {
        const char *model, *gpu;
        double tokens_per_s;
    } cases[] = {
        {"facebook/opt-6.7b", "NVIDIA A100 80GB PCIe", 13036.076255963511},
        {"facebook/opt-6.7b", "NVIDIA RTX A5000", 5916.350915925302},
        {"facebook/opt-125m", "NVIDIA A100 80GB PCIe", 89933.56687251454},
        {"meta-llama/Meta-Llama-3-8B", "NVIDIA RTX A5000", 5498.487945041495},
        {"facebook/opt-30b", "NVIDIA A100 80GB PCIe", 3586.6321915518943},
        {"meta-llama/Llama-2-13b-hf", "NVIDIA RTX A6000", 4164.15309163167},
    };
    struct llmsim_catalogue *c = open_shipped();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double ptps = 0;
        cr_expect_eq(llmsim_catalogue_ptps(c, cases[i].model, cases[i].gpu, 1, &ptps, &err),
                     LLMSIM_OK);
        cr_expect_eq(ptps, cases[i].tokens_per_s);
    }
    llmsim_catalogue_close(c);
}

/* ---- names ---- */

Test(catalogue, gpus_that_no_name_or_several_fit)
{
    static const struct {
        const char *wanted, *expected;
    } cases[] = {
        {"b6000",
         "./gpu.json: no GPU has the name 'b6000'; the nearest: ACME A6000, ACME B600, Big 1"},
        {"", "./gpu.json: no GPU has the name ''; the nearest: ACME A6000, ACME B600, ACME-Two Z9, "
             "Big 1"},
        {"600", "./gpu.json: no GPU has the name '600'; the nearest: ACME A6000, ACME B600, Big 1"},
        {"acme", "./gpu.json: GPU 'acme' fits 3 entries: ACME A6000, ACME B600, ACME-Two Z9"},
    };
    struct llmsim_catalogue *c =
        open_texts("{" GPU("ACME A6000") ", " GPU("ACME B600") ", " GPU(
                       "ACME-Two Z9") ", "
                                      "\"Big 1\": {\"memory_cap\": 1, \"memory_bw\": 1, "
                                      "\"memory_bw_util\": 1, "
                                      "\"aliases\": [\"B6001\"]}}",
                   "{}", "{}");
    struct llmsim_gpu gpu;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_error(llmsim_catalogue_gpu(c, cases[i].wanted, &gpu, &err), LLMSIM_CATALOGUE, &err,
                     cases[i].expected);
    /* An alias decides where a word does not; a part of a word is no word. */
    cr_expect_eq(llmsim_catalogue_gpu(c, "b6001", &gpu, &err), LLMSIM_OK);
    cr_expect_str_eq(gpu.name, "Big 1");
    cr_expect_eq(llmsim_catalogue_gpu(c, "two", &gpu, &err), LLMSIM_OK);
    cr_expect_str_eq(gpu.name, "ACME-Two Z9");
    llmsim_catalogue_close(c);
}

Test(catalogue, at_most_five_names_are_listed)
{
    struct llmsim_catalogue *c = open_texts("{" GPU("X 1") "," GPU("X 2") "," GPU("X 3") "," GPU(
                                                "X 4") "," GPU("X 5") "," GPU("X 6") "}",
                                            "{}", "{}");
    struct llmsim_gpu gpu;
    expect_error(llmsim_catalogue_gpu(c, "x", &gpu, &err), LLMSIM_CATALOGUE, &err,
                 "./gpu.json: GPU 'x' fits 6 entries: X 1, X 2, X 3, X 4, X 5, …");
    llmsim_catalogue_close(c);
}

Test(catalogue, model_names)
{
    struct llmsim_catalogue *c = open_texts(
        "{}", "{" MODEL("a/Small-1b") "," MODEL("b/Small-1b") "," MODEL("b/Large") "}", "{}");
    struct llmsim_model model;
    cr_expect_eq(llmsim_catalogue_model(c, "B/SMALL-1B", &model, &err), LLMSIM_OK);
    cr_expect_str_eq(model.name, "b/Small-1b");
    cr_expect_eq(llmsim_catalogue_model(c, "large", &model, &err), LLMSIM_OK);
    cr_expect_str_eq(model.name, "b/Large");
    expect_error(llmsim_catalogue_model(c, "small-1b", &model, &err), LLMSIM_CATALOGUE, &err,
                 "./model.json: model 'small-1b' fits 2 entries: a/Small-1b, b/Small-1b");
    expect_error(llmsim_catalogue_model(c, "b/Larger", &model, &err), LLMSIM_CATALOGUE, &err,
                 "./model.json: no model has the name 'b/Larger'; the nearest: b/Large");
    llmsim_catalogue_close(c);
}

Test(catalogue, no_measurement)
{
    struct llmsim_catalogue *c =
        open_texts("{" GPU("G 1") "," GPU("G 2") "," GPU("G 3") "}",
                   "{" MODEL("m") "," MODEL("other") "}", "{\"m\": {\"G 1\": 1.5, \"G 2\": 2}}");
    double ptps;
    cr_expect_eq(llmsim_catalogue_ptps(c, "m", "G 2", 1, &ptps, &err), LLMSIM_OK);
    cr_expect_eq(ptps, 2);
    expect_error(llmsim_catalogue_ptps(c, "m", "G 3", 1, &ptps, &err), LLMSIM_CATALOGUE, &err,
                 "./ptps.json: no PTPS for m on G 3; this model has one on: G 1, G 2");
    expect_error(llmsim_catalogue_ptps(c, "other", "G 1", 1, &ptps, &err), LLMSIM_CATALOGUE, &err,
                 "./ptps.json: no PTPS for other on G 1; this model has none on any GPU");
    llmsim_catalogue_close(c);
}

/* ---- malformed files ---- */

#define GPUS "{" GPU("G") "}"
#define MODELS "{" MODEL("m") "}"

static const struct malformed {
    const char *gpu, *model, *ptps, *expected;
} malformed[] = {
    {"{", MODELS, "{}", "./gpu.json:1:2: JSON syntax error: the file ends too early"},
    {"[]", MODELS, "{}", "./gpu.json:1:1: expected an object, {…}"},
    {"{\"G\": 5}", MODELS, "{}", "./gpu.json:1:2: \"G\": expected an object, {…}"},
    {"{" GPU("G") ",\n" GPU("G") "}", MODELS, "{}",
     "./gpu.json:2:1: \"G\" stands here a second time"},
    {"{" GPU("G") ",\n" GPU("g") "}", MODELS, "{}",
     "./gpu.json:2:1: \"G\" and \"g\" differ in case only, which names ignore"},
    {"{" GPU("") "}", MODELS, "{}", "./gpu.json:1:2: a name has 1 to 127 bytes, this one has 0"},
    {"{\"G\": {\n\"memory_cap\": 1,\n\"memory_bw\": 1}}", MODELS, "{}",
     "./gpu.json:1:2: \"G\": key \"memory_bw_util\" is missing"},
    {"{\"G\": {\n\"memory_cap\": 1,\n\"memory_bandwidth\": 1}}", MODELS, "{}",
     "./gpu.json:3:1: \"G\": unknown key \"memory_bandwidth\""},
    {"{\"G\": {\n\"memory_cap\": 1,\n\"memory_bv\": 1}}", MODELS, "{}",
     "./gpu.json:3:1: \"G\": unknown key \"memory_bv\" (did you mean \"memory_bw\"?)"},
    {"{\"G\": {\n\"memory_cap\": 1, \"memory_bw\": 1,\n  \"memory_bw_util\": 101}}", MODELS, "{}",
     "./gpu.json:3:3: \"G\": \"memory_bw_util\" is 101, expected a number greater than 0 and at "
     "most 100"},
    {"{\"G\": {\"memory_cap\": \"48\"}}", MODELS, "{}",
     "./gpu.json:1:8: \"G\": \"memory_cap\" is \"48\", expected a number greater than 0 and at "
     "most 1000000"},
    {"{\"G\": {\"memory_cap\": 1, \"memory_bw\": 1, \"memory_bw_util\": 1,\n\"aliases\": \"x\"}}",
     MODELS, "{}",
     "./gpu.json:2:1: \"G\": \"aliases\" is \"x\", expected an array of strings of 1 to 127 bytes "
     "of plain text"},
    {"{\"G\": {\"memory_cap\": 1, \"memory_bw\": 1, \"memory_bw_util\": 1,\n \"pcie_bw\": 0}}",
     MODELS, "{}",
     "./gpu.json:2:2: \"G\": \"pcie_bw\" is 0, expected a number greater than 0 and at most "
     "1000000"},
    {"{\"G\": {\"memory_cap\": 1, \"memory_bw\": 1, \"memory_bw_util\": 1,\n \"pci_bw\": 2}}",
     MODELS, "{}", "./gpu.json:2:2: \"G\": unknown key \"pci_bw\" (did you mean \"pcie_bw\"?)"},
    {"{" GPU("G") ",\n\"H\": {\"memory_cap\": 1, \"memory_bw\": 1, \"memory_bw_util\": 1,\n"
                  "\"aliases\": [\"X\", \"g\"]}}",
     MODELS, "{}", "./gpu.json:3:18: alias \"g\" of \"H\" already stands for \"G\""},
    {"{\"G\": {\"memory_cap\": 1, \"memory_bw\": 1, \"memory_bw_util\": 1, \"aliases\": [\"X\"]},\n"
     "\"H\": {\"memory_cap\": 1, \"memory_bw\": 1, \"memory_bw_util\": 1, \"aliases\": [\"x\"]}}",
     MODELS, "{}", "./gpu.json:2:73: alias \"x\" of \"H\" already stands for \"G\""},
    {GPUS, "null", "{}", "./model.json:1:1: expected an object, {…}"},
    {GPUS, "{\"m\": {\"num_hidden_layers\": 0}}", "{}",
     "./model.json:1:8: \"m\": \"num_hidden_layers\" is 0, expected a whole number from 1 to "
     "10000"},
    {GPUS, "{\"m\": {\"num_hidden_layers\": 1, \"num_heads\": 2.5}}", "{}",
     "./model.json:1:32: \"m\": \"num_heads\" is 2.5, expected a whole number from 1 to 10000"},
    {GPUS, "{\"m\": {\"num_hidden_layers\": 1, \"num_heads\": 2, \"model_size_GB\": -1}}", "{}",
     "./model.json:1:48: \"m\": \"model_size_GB\" is -1, expected a number greater than 0 and at "
     "most 1000000"},
    {GPUS, "{\"m\": {\"num_hidden_layers\": 1, \"num_heads\": 2, \"model_size_GB\": 1}}", "{}",
     "./model.json:1:2: \"m\": key \"kvc_size_KB\" is missing"},
    {GPUS, "{\"m\": {\"layers\": 1}}", "{}", "./model.json:1:8: \"m\": unknown key \"layers\""},
    {GPUS, MODELS, "{\"m\": 5}", "./ptps.json:1:2: \"m\": expected an object, {GPU: tokens/s}"},
    {GPUS, MODELS, "{\"mm\": {}}", "./ptps.json:1:2: model \"mm\" is not in model.json"},
    {GPUS, MODELS, "{\"M\": {}}", "./ptps.json:1:2: model \"M\" is not in model.json"},
    {GPUS, MODELS, "{\"m\":\n {\"G\": 1, \"H\": 1}}",
     "./ptps.json:2:11: \"m\": GPU \"H\" is not in gpu.json"},
    {GPUS, MODELS, "{\"m\": {\"G\": 0}}",
     "./ptps.json:1:8: \"m\" on \"G\": expected tokens/s, a number greater than 0 and at most "
     "1000000000, or an object, {tensor parallel size: fit}"},
    {GPUS, MODELS, "{\"m\": {\"G\": {\"k\": 1}}}",
     "./ptps.json:1:14: \"k\": expected a tensor parallel size, \"1\" to \"1024\""},
    {GPUS, MODELS, "{\"m\": {\"G\": {\"01\": {}}}}",
     "./ptps.json:1:14: \"01\": expected a tensor parallel size, \"1\" to \"1024\""},
    {GPUS, MODELS, "{\"m\": {\"G\": {\"1025\": {}}}}",
     "./ptps.json:1:14: \"1025\": expected a tensor parallel size, \"1\" to \"1024\""},
    {GPUS, MODELS, "{\"m\": {\"G\": {\"2\": 5}}}",
     "./ptps.json:1:14: \"2\": expected an object, {…}"},
    {GPUS, MODELS, "{\"m\": {\"G\": {\"2\": {}}}}",
     "./ptps.json:1:14: expected \"ptps\", \"coefficients\" or both"},
    {GPUS, MODELS, "{\"m\": {\"G\": {\"2\": {\"ptps\": 1, \"coefs\": {}}}}}",
     "./ptps.json:1:31: \"2\": unknown key \"coefs\""},
    {GPUS, MODELS, "{\"m\": {\"G\": {\"2\": {\"coefficients\": {\"step_s\": 1}}}}}",
     "./ptps.json:1:20: \"coefficients\": key \"rise_2_s\" is missing"},
    {GPUS, MODELS, "{\"m\": {\"G\": {\"2\": {\"coefficients\": " FITTED("-1", "5") "}}}}",
     "./ptps.json:1:37: \"coefficients\": \"step_s\" is -1, expected a number from 0 to "
     "1000000000000"},
    {GPUS, MODELS, "{\"m\": {\"G\": {\"2\": {\"coefficients\": " FITTED("2000", "5") "}}}}",
     "./ptps.json:1:20: step_s takes 2000 s: expected 0 to 1000 s"},
    {GPUS, MODELS,
     "{\"m\": {\"G\": {\"2\": {\"coefficients\": " FITTED("1", "5") ", \"range\": {}}}}}",
     "./ptps.json:1:386: \"range\": key \"min_prefill_tokens\" is missing"},
    {GPUS, MODELS, "{\"m\": {\"G\": {\"2\": {\"ptps\": 1, \"profile_sha256\": \"abc\"}}}}",
     "./ptps.json:1:14: \"profile_sha256\": expected 64 digits of 0 to 9 and a to f"},
    {GPUS, MODELS, "{\"m\": {\"G\": 1, \"G\": 2}}",
     "./ptps.json:1:16: \"G\" stands here a second time"},
};

Test(catalogue, malformed_files)
{
    for (const struct malformed *m = malformed;
         m < malformed + sizeof malformed / sizeof *malformed; m++) {
        struct llmsim_catalogue *c = NULL;
        write_text(".", "gpu.json", m->gpu);
        write_text(".", "model.json", m->model);
        write_text(".", "ptps.json", m->ptps);
        expect_error(llmsim_catalogue_open(".", &c, &err), LLMSIM_CATALOGUE, &err, m->expected);
        cr_expect_null(c);
    }
}

Test(catalogue, a_file_is_not_there)
{
    struct llmsim_catalogue *c = open_shipped(), *shipped = c;
    write_text(".", "gpu.json", "{}");
    write_text(".", "model.json", "{}");
    expect_error(llmsim_catalogue_open(".", &c, &err), LLMSIM_CATALOGUE, &err,
                 "the data directory '.' has no ptps.json");
    cr_expect_null(c);
    llmsim_catalogue_close(shipped);
}

/* ---- fits ---- */

Test(catalogue, fits_by_tensor_parallel_size)
{
    struct llmsim_catalogue *c =
        open_texts("{" GPU("G 1") ", " GPU("G 2") ", " GPU("G 3") "}", "{" MODEL("m") "}",
                   "{\"m\": {\"G 1\": {\"1\": {\"ptps\": 7}, \"2\": {\"coefficients\": " FITTED(
                       "1", "5") "}},"
                                 " \"G 2\": 8, \"G 3\": {\"2\": {\"ptps\": 9}}}}");
    struct llmsim_fit fit;
    double ptps;
    cr_expect_eq(llmsim_catalogue_ptps(c, "m", "G 1", 1, &ptps, &err), LLMSIM_OK);
    cr_expect_eq(ptps, 7);
    cr_expect_eq(llmsim_catalogue_ptps(c, "m", "G 2", 1, &ptps, &err), LLMSIM_OK);
    cr_expect_eq(ptps, 8);
    expect_error(llmsim_catalogue_ptps(c, "m", "G 3", 1, &ptps, &err), LLMSIM_CATALOGUE, &err,
                 "./ptps.json: no PTPS for m on G 3; this model has one on: G 1, G 2");
    cr_expect_eq(llmsim_catalogue_fit(c, "m", "G 1", 2, &fit, &err), LLMSIM_OK);
    cr_expect_eq(fit.coefficients.step_s, 1);
    cr_expect_eq(fit.coefficients.ridge_tokens, 5);
    cr_expect_eq(fit.coefficients.context_s, 0.001);
    cr_expect_not(llmsim_profile_is_known(&fit.range));
    expect_error(llmsim_catalogue_fit(c, "m", "G 1", 1, &fit, &err), LLMSIM_CATALOGUE, &err,
                 "./ptps.json: no fitted coefficients for m on G 1 at tensor parallel size 1; this "
                 "model has one on: G 1, G 3");
    expect_error(llmsim_catalogue_fit(c, "m", "G 2", 1, &fit, &err), LLMSIM_CATALOGUE, &err,
                 "./ptps.json: no fitted coefficients for m on G 2 at tensor parallel size 1; this "
                 "model has one on: G 1, G 3");
    llmsim_catalogue_close(c);
}

/* ---- writing ---- */

/* The plain number stays, as that of one GPU; other models keep their bytes; what is read back is
 * what was written. */
Test(catalogue, put_fit)
{
    const struct llmsim_fit_key key = {.model = "m", .gpu = "G", .tensor_parallel_size = 2};
    const struct llmsim_fit fit = {
        .ptps_tokens_per_s = 12.5,
        .has_coefficients = true,
        .coefficients = {1, 0.1, 0.2,  0.3, 0.4,  0.5,  0.6,  0.7,  0.8,  0.9, 1e-5,
                         2, 5,   1e-6, 7,   2e-6, 1e-9, 1e-7, 1e-6, 1e-5, 3e-7},
        .range = {1, 2, 3, 4, 5, 6, 7, true},
        .has_diagnostics = true,
        .diagnostics = {10, 0.5, 1.5, 2.5, 3.5, 4.5, 8, 1e6},
        .profile_sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"};
    struct llmsim_fit back;
    double ptps;
    llmsim_catalogue_close(open_texts("{" GPU("G") "}", "{" MODEL("m") ", " MODEL("n") "}",
                                      "{\"m\": {\"G\": 5},\n  \"n\":{\"G\":6}}\n"));
    cr_assert_eq(llmsim_catalogue_put_fit(".", NULL, &key, &fit, &err), LLMSIM_OK, "%s",
                 err.message);
    cr_assert_eq(llmsim_catalogue_put_fit(".", NULL, &key, &fit, &err), LLMSIM_OK);
    size_t n;
    char *text = read_text(".", "ptps.json", &n);
    cr_assert_not_null(strstr(text, "},\n  \"n\":{\"G\":6}}\n"));
    cr_assert_not_null(strstr(text, "{\"m\": {\n        \"G\": {\n            \"1\": {\n"
                                    "                \"ptps\": 5\n            },\n"));
    free(text);
    struct llmsim_catalogue *c = NULL;
    cr_assert_eq(llmsim_catalogue_open(".", &c, &err), LLMSIM_OK, "%s", err.message);
    cr_expect_eq(llmsim_catalogue_ptps(c, "m", "G", 1, &ptps, &err), LLMSIM_OK);
    cr_expect_eq(ptps, 5);
    cr_assert_eq(llmsim_catalogue_fit(c, "m", "G", 2, &back, &err), LLMSIM_OK);
    cr_expect_eq(memcmp(&back.coefficients, &fit.coefficients, sizeof back.coefficients), 0);
    cr_expect_eq(back.range.max_context_tokens, 6);
    cr_expect_eq(back.range.max_longest_context, 7);
    cr_expect_eq(back.range.mixed, true);
    cr_expect_eq(back.diagnostics.condition_number, 1e6);
    cr_expect_eq(back.diagnostics.measurements, 10);
    cr_expect_str_eq(back.profile_sha256, fit.profile_sha256);
    llmsim_catalogue_close(c);
}

/* Names that the catalogue does not have are no error in a file of one's own. */
Test(catalogue, put_fit_into_a_file)
{
    const struct llmsim_fit_key key = {.model = "x", .gpu = "y", .tensor_parallel_size = 1};
    const struct llmsim_fit fit = {.ptps_tokens_per_s = 3};
    cr_assert_eq(llmsim_catalogue_put_fit(NULL, "new.json", &key, &fit, &err), LLMSIM_OK, "%s",
                 err.message);
    size_t n;
    char *text = read_text(".", "new.json", &n);
    cr_expect_str_eq(text, "{\n    \"x\": {\n        \"y\": {\n            \"1\": {\n"
                           "                \"ptps\": 3\n            }\n        }\n    }\n}\n");
    free(text);
    write_text(".", "bad.json", "{\"x\": {\"y\": []}}");
    expect_error(llmsim_catalogue_put_fit(NULL, "bad.json", &key, &fit, &err), LLMSIM_CATALOGUE,
                 &err, "bad.json:1:8: expected tokens/s or an object");
    llmsim_catalogue_close(open_texts("{" GPU("G") "}", "{" MODEL("m") "}", "{}"));
    expect_error(llmsim_catalogue_put_fit(".", NULL, &key, &fit, &err), LLMSIM_CATALOGUE, &err,
                 "./ptps.json:2:5: model \"x\" is not in model.json");
    const struct llmsim_fit fast = {.ptps_tokens_per_s = 2e9};
    expect_error(llmsim_catalogue_put_fit(".", NULL, &key, &fast, &err), LLMSIM_CATALOGUE, &err,
                 "x on y, tp 1: ptps 2e+09 tokens/s: expected at most 1e+09");
    text = read_text(".", "ptps.json", &n);
    cr_expect_str_eq(text, "{}");
    free(text);
}

static const struct llmsim_model new_model = {
    .name = "new/\"1\"",
    .num_hidden_layers = 3,
    .num_heads = 4,
    .model_size_GB = 1.234567891,
    .kvc_size_KB = 0.5,
    .hidden_size = 64,
    .max_positions = 131072,
    .num_experts = 8,
};
#define NEW_ENTRY(name)                                                                            \
    name ": {\n        \"num_hidden_layers\": 3,\n        \"num_heads\": 4,\n"                     \
         "        \"model_size_GB\": 1.234567891,\n        \"kvc_size_KB\": 0.5,\n"                \
         "        \"hidden_size\": 64,\n        \"max_position_embeddings\": 131072,\n"            \
         "        \"num_experts\": 8\n    }"

static void expect_model_json(const char *expected)
{
    char *text = read_text(".", "model.json", NULL);
    cr_assert_not_null(text);
    cr_expect_str_eq(text, expected);
    free(text);
}

static size_t count_files(void)
{
    size_t n = 0;
    DIR *dir = opendir(".");
    cr_assert_not_null(dir);
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        n += e->d_name[0] != '.';
    (void)closedir(dir);
    return n;
}

/* Other entries keep their bytes, however they are written. */
Test(catalogue, an_entry_is_added_and_replaced)
{
    struct llmsim_model model = new_model;
    write_text(".", "gpu.json", "{}");
    write_text(".", "model.json", "{}");
    cr_assert_eq(llmsim_catalogue_put_model(".", &new_model, &err), LLMSIM_OK, "%s", err.message);
    expect_model_json("{\n    " NEW_ENTRY("\"new/\\\"1\\\"\"") "\n}");

    write_text(".", "model.json", "{" MODEL("a") "  ,\n\t" MODEL("b") "\n\n}\n");
    (void)strcpy(model.name, "b");
    cr_assert_eq(llmsim_catalogue_put_model(".", &model, &err), LLMSIM_OK, "%s", err.message);
    expect_model_json("{" MODEL("a") "  ,\n\t" NEW_ENTRY("\"b\"") "\n\n}\n");
    (void)strcpy(model.name, "c");
    cr_assert_eq(llmsim_catalogue_put_model(".", &model, &err), LLMSIM_OK, "%s", err.message);
    expect_model_json(
        "{" MODEL("a") "  ,\n\t" NEW_ENTRY("\"b\"") ",\n    " NEW_ENTRY("\"c\"") "\n\n}\n");
    cr_expect_eq(count_files(), 2);
}

Test(catalogue, what_is_written_reads_back)
{
    struct llmsim_model read;
    struct llmsim_catalogue *c = open_texts("{}", "{}", "{}");
    llmsim_catalogue_close(c);
    cr_assert_eq(llmsim_catalogue_put_model(".", &new_model, &err), LLMSIM_OK);
    cr_assert_eq(llmsim_catalogue_open(".", &c, &err), LLMSIM_OK);
    cr_assert_eq(llmsim_catalogue_model(c, new_model.name, &read, &err), LLMSIM_OK);
    cr_expect_eq(read.num_hidden_layers, 3);
    cr_expect_eq(read.num_heads, 4);
    cr_expect_eq(read.model_size_GB, 1.234567891);
    cr_expect_eq(read.kvc_size_KB, 0.5);
    cr_expect_eq(read.hidden_size, 64);
    cr_expect_eq(read.max_positions, 131072);
    cr_expect_eq(read.num_experts, 8);
    llmsim_catalogue_close(c);
    /* What is not known is no key. */
    struct llmsim_model narrow = new_model;
    narrow.hidden_size = narrow.max_positions = narrow.num_experts = 0;
    cr_assert_eq(llmsim_catalogue_put_model(".", &narrow, &err), LLMSIM_OK);
    char *text = read_text(".", "model.json", NULL);
    cr_expect_null(strstr(text, "hidden_size"));
    cr_expect_null(strstr(text, "max_position_embeddings"));
    cr_expect_null(strstr(text, "num_experts"));
    free(text);
}

/* What would make the file wrong is not written, and a file that is wrong is left alone. */
Test(catalogue, a_bad_entry_is_not_written)
{
    struct llmsim_model model = new_model;
    write_text(".", "gpu.json", "{}");
    write_text(".", "model.json", MODELS);
    (void)strcpy(model.name, "M");
    expect_error(llmsim_catalogue_put_model(".", &model, &err), LLMSIM_CATALOGUE, &err,
                 "./model.json:2:5: \"m\" and \"M\" differ in case only, which names ignore");
    model = new_model;
    model.kvc_size_KB = 0;
    cr_expect_eq(llmsim_catalogue_put_model(".", &model, &err), LLMSIM_CATALOGUE);
    expect_model_json(MODELS);
    write_text(".", "model.json", "{\"m\": {}}");
    cr_expect_eq(llmsim_catalogue_put_model(".", &new_model, &err), LLMSIM_CATALOGUE);
    expect_model_json("{\"m\": {}}");
    cr_expect_eq(count_files(), 2);
}

/* Aliases stay, and so do the bytes of the others. */
Test(catalogue, a_gpu_is_added_and_replaced)
{
    const struct llmsim_gpu gpu = {.name = "New GPU",
                                   .memory_cap_GB = 85.52,
                                   .memory_bw_GBps = 3352.32,
                                   .memory_bw_util_percent = 91.5};
    write_text(".", "model.json", "{}");
    write_text(".", "ptps.json", "{}");
    write_text(".", "gpu.json",
               "{\n    \"Old\": {\"memory_cap\":1,\"memory_bw\":2,\"memory_bw_util\":3}\n}\n");
    cr_assert_eq(llmsim_catalogue_put_gpu(".", &gpu, &err), LLMSIM_OK, "%s", err.message);
    char *text = read_text(".", "gpu.json", NULL);
    cr_expect_str_eq(text,
                     "{\n    \"Old\": {\"memory_cap\":1,\"memory_bw\":2,\"memory_bw_util\":3},\n"
                     "    \"New GPU\": {\n"
                     "        \"memory_cap\": 85.52,\n"
                     "        \"memory_bw\": 3352.32,\n"
                     "        \"memory_bw_util\": 91.5\n"
                     "    }\n}\n");
    free(text);
    write_text(".", "gpu.json",
               "{\n    \"New GPU\": {\"aliases\": [\"N\",\"\u00b5\"], \"memory_cap\":1,"
               "\"memory_bw\":2,\"memory_bw_util\":3}\n}\n");
    cr_assert_eq(llmsim_catalogue_put_gpu(".", &gpu, &err), LLMSIM_OK, "%s", err.message);
    text = read_text(".", "gpu.json", NULL);
    cr_expect_str_eq(text, "{\n    \"New GPU\": {\n"
                           "        \"memory_cap\": 85.52,\n"
                           "        \"memory_bw\": 3352.32,\n"
                           "        \"memory_bw_util\": 91.5,\n"
                           "        \"aliases\": [\"N\", \"\u00b5\"]\n"
                           "    }\n}\n");
    free(text);
}

Test(catalogue, a_wrong_gpu_is_not_written)
{
    struct llmsim_gpu gpu = {.name = "A", .memory_cap_GB = 1, .memory_bw_GBps = 2};
    const char *before =
        "{\"B\": {\"memory_cap\":1,\"memory_bw\":2,\"memory_bw_util\":3,\"aliases\":[\"C\"]}}";
    write_text(".", "gpu.json", before);
    cr_expect_eq(llmsim_catalogue_put_gpu(".", &gpu, &err), LLMSIM_CATALOGUE);
    gpu.memory_bw_util_percent = 50;
    (void)snprintf(gpu.name, sizeof gpu.name, "c");
    cr_expect_eq(llmsim_catalogue_put_gpu(".", &gpu, &err), LLMSIM_CATALOGUE);
    cr_expect_not_null(strstr(err.message, "already stands for"), "%s", err.message);
    char *text = read_text(".", "gpu.json", NULL);
    cr_expect_str_eq(text, before);
    free(text);
}

/* Work that grows with the square of the entries took minutes. */
Test(catalogue, a_hundred_thousand_entries)
{
    enum { N = 100000 };
    FILE *gpus = fopen("gpu.json", "w"), *models = fopen("model.json", "w");
    FILE *ptps = fopen("ptps.json", "w");
    cr_assert(gpus != NULL && models != NULL && ptps != NULL);
    for (int i = 0; i < N; i++) {
        const char *begin = i == 0 ? "{" : ",\n";
        (void)fprintf(gpus,
                      "%s\"gpu %d\": {\"memory_cap\": 48, \"memory_bw\": 768, \"memory_bw_util\": "
                      "60, \"aliases\": [\"alias%d\"]}",
                      begin, i, i);
        (void)fprintf(models,
                      "%s\"org/m%d\": {\"num_hidden_layers\": 4, \"num_heads\": 2, "
                      "\"model_size_GB\": 1.5, \"kvc_size_KB\": 32}",
                      begin, i);
        (void)fprintf(ptps, "%s\"org/m%d\": {\"gpu %d\": %d}", begin, i, i, i + 1);
    }
    FILE *const files[] = {gpus, models, ptps};
    for (size_t i = 0; i < 3; i++)
        cr_assert(fputs("}\n", files[i]) >= 0 && fclose(files[i]) == 0);
    struct llmsim_catalogue *c;
    struct llmsim_gpu gpu;
    struct llmsim_model model;
    double tokens_per_s;
    clock_t begin = clock();
    cr_assert_eq(llmsim_catalogue_open(".", &c, &err), LLMSIM_OK, "%s", err.message);
    for (int i = 0; i < N; i += 100) {
        char name[32];
        (void)snprintf(name, sizeof name, "ALIAS%d", i);
        cr_assert_eq(llmsim_catalogue_gpu(c, name, &gpu, &err), LLMSIM_OK);
        (void)snprintf(name, sizeof name, "Org/M%d", i);
        cr_assert_eq(llmsim_catalogue_model(c, name, &model, &err), LLMSIM_OK);
    }
    cr_expect_str_eq(gpu.name, "gpu 99900");
    cr_assert_eq(llmsim_catalogue_ptps(c, model.name, gpu.name, 1, &tokens_per_s, &err), LLMSIM_OK);
    cr_expect_eq(tokens_per_s, 99901);
    llmsim_catalogue_close(c);
    double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    cr_expect_lt(seconds, 20, "%g s", seconds);
}
