/* fuzz_catalogue.c: gpu.json, model.json or ptps.json, as the first byte says; the other two are
 * right. What can be read can be added to, and then be read again. */
#include "fuzz.h"

static const char *const names[] = {"gpu.json", "model.json", "ptps.json"};
static const char right_gpu[] =
    "{\"g one\": {\"memory_cap\": 48, \"memory_bw\": 768, \"memory_bw_util\": 60}}";
static const char right_model[] =
    "{\"o/m\": {\"num_hidden_layers\": 40, \"num_heads\": 40, \"model_size_GB\": 26, "
    "\"kvc_size_KB\": 800}}";
static const char right_ptps[] = "{\"o/m\": {\"g one\": 4000}}";
static const char *const right[] = {right_gpu, right_model, right_ptps};

static void put_files(const char *dir, size_t which, const struct fuzz_input *in)
{
    for (size_t i = 0; i < 3; i++)
        if (i == which)
            fuzz_put(dir, names[i], in->data, in->size);
        else
            fuzz_put(dir, names[i], right[i], strlen(right[i]));
}

/* Look for everything under a name: ours, or the end of the input. */
static void look_up(const struct llmsim_catalogue *catalogue, const char *gpu_name,
                    const char *model_name)
{
    struct llmsim_gpu gpu = {0};
    struct llmsim_model model = {0};
    struct llmsim_fit fit;
    struct llmsim_cost cost;
    struct llmsim_error err = {0};
    double ptps;
    enum llmsim_status status = llmsim_catalogue_gpu(catalogue, gpu_name, &gpu, &err);
    if (status != LLMSIM_OK)
        fuzz_check_error(status, &err);
    status = llmsim_catalogue_model(catalogue, model_name, &model, &err);
    if (status != LLMSIM_OK)
        fuzz_check_error(status, &err);
    status = llmsim_catalogue_ptps(catalogue, model.name, gpu.name, 1, &ptps, &err);
    if (status == LLMSIM_OK && model.name[0] != '\0' && gpu.name[0] != '\0')
        (void)!llmsim_cost_init_ptps(&cost, &model, &gpu, ptps, &err);
    status = llmsim_catalogue_fit(catalogue, model.name, gpu.name, 1, &fit, &err);
    if (status == LLMSIM_OK && fit.has_coefficients)
        (void)!llmsim_cost_init_fitted(&cost, &fit, &err);
}

static void add_and_reopen(const char *dir)
{
    const struct llmsim_model model = {.name = "o/new",
                                       .num_hidden_layers = 2,
                                       .num_heads = 2,
                                       .model_size_GB = 1,
                                       .kvc_size_KB = 1};
    const struct llmsim_gpu gpu = {
        .name = "new gpu", .memory_cap_GB = 1, .memory_bw_GBps = 1, .memory_bw_util_percent = 100};
    const struct llmsim_fit_key key = {"o/m", "g one", 2};
    const struct llmsim_fit fit = {.ptps_tokens_per_s = 100};
    struct llmsim_error err = {0};
    struct llmsim_catalogue *catalogue;
    enum llmsim_status status = llmsim_catalogue_put_model(dir, &model, &err);
    if (status == LLMSIM_OK)
        status = llmsim_catalogue_put_gpu(dir, &gpu, &err);
    if (status == LLMSIM_OK)
        status = llmsim_catalogue_put_fit(dir, NULL, &key, &fit, &err);
    if (status != LLMSIM_OK) {
        fuzz_check_error(status, &err);
        return;
    }
    EXPECT(llmsim_catalogue_open(dir, &catalogue, &err) == LLMSIM_OK);
    llmsim_catalogue_close(catalogue);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint8_t flags = fuzz_byte(&in);
    const char *dir = fuzz_dir(0);
    struct llmsim_catalogue *catalogue;
    struct llmsim_error err = {0};
    char tail[33] = "";
    memcpy(tail, in.data + in.size - (in.size < 32 ? in.size : 32), in.size < 32 ? in.size : 32);
    put_files(dir, flags % 3, &in);
    enum llmsim_status status = llmsim_catalogue_open(dir, &catalogue, &err);
    if (status != LLMSIM_OK) {
        fuzz_check_error(status, &err);
        return 0;
    }
    look_up(catalogue, "g one", "o/m");
    look_up(catalogue, tail, tail);
    llmsim_catalogue_close(catalogue);
    if (flags & 64)
        add_and_reopen(dir);
    return 0;
}
