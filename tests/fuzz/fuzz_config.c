/* fuzz_config.c: a model's config.json, and behind a byte 0xff (which no JSON has) the index of its
 * weights. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const dtypes[] = {NULL, "float16", "float32", "int8"};
    struct fuzz_input in = {data, size};
    uint8_t flags = fuzz_byte(&in);
    const uint8_t *border = in.size > 0 ? memchr(in.data, 0xff, in.size) : NULL;
    size_t length = border != NULL ? (size_t)(border - in.data) : in.size;
    struct llmsim_model_source source = {
        .config_path = fuzz_file(0, in.data, length),
        .name = flags & 4 ? "fuzz/model" : NULL,
        .dtype = dtypes[flags % 4],
    };
    const char *dir = fuzz_dir(0);
    if (border != NULL) {
        const char *name = flags & 8 ? "model.safetensors" : "index.json";
        fuzz_put(dir, name, border + 1, in.size - length - 1);
        source.safetensors_path = fuzz_path(dir, name);
    }
    struct llmsim_model_shape shape;
    struct llmsim_error err = {0};
    enum llmsim_status status = llmsim_model_from_config(&source, &shape, &err);
    if (status != LLMSIM_OK) {
        fuzz_check_error(status, &err);
        return 0;
    }
    EXPECT(shape.model.model_size_GB > 0 && shape.model.kvc_size_KB >= 0);
    return 0;
}
