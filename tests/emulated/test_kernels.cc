/* The CUDA kernels and their grids, on an emulated GPU, by the self-test that a real one has to
 * pass. Matrix products, which are cuBLAS's, are the reference's. */
#include "emulated_gpu.h"
#include "emulated_instructions.h"
#include "llmsim/profiler.h"

extern "C" void llmsim_reference_launch(const struct llmsim_launch *launch);

struct cuda_device {
    int n_multiprocessors;
};

namespace
{

enum llmsim_status launch_gemm(cuda_device *, const llmsim_launch *l, struct llmsim_error *)
{
    llmsim_reference_launch(l);
    return LLMSIM_OK;
}

template <typename... Parameters, typename... Arguments>
enum llmsim_status start(cuda_device *, void (*kernel)(Parameters...), dim3 grid, unsigned threads,
                         int shared_bytes, struct llmsim_error *err, Arguments... arguments)
{
    if ((size_t)shared_bytes > sizeof emulated::dynamic_shared || grid.y > 65535 ||
        grid.z > 65535 || threads > 1024)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "no GPU has such a launch");
    emulated::run_grid(grid, threads, [&]() { kernel(arguments...); });
    return LLMSIM_OK;
}

} // namespace

#include "launches.cuh"

namespace
{

enum llmsim_status allocate(void *, uint64_t bytes, void **memory, struct llmsim_error *)
{
    *memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
    return LLMSIM_OK;
}

void release(void *, void *memory)
{
    std::free(memory);
}

enum llmsim_status move(void *, void *to, const void *from, uint64_t bytes, struct llmsim_error *)
{
    std::memcpy(to, from, bytes);
    return LLMSIM_OK;
}

enum llmsim_status time_all(void *self, const struct llmsim_launch *launches, size_t n,
                            enum llmsim_launch_mode, unsigned, unsigned, double *seconds,
                            struct llmsim_error *err)
{
    enum llmsim_status status = LLMSIM_OK;
    for (size_t i = 0; i < n && status == LLMSIM_OK; i++)
        status = launch(static_cast<cuda_device *>(self), &launches[i], err);
    seconds[0] = 0;
    return status;
}

const struct llmsim_device_ops ops = {
    nullptr, allocate, release, move, move, nullptr, time_all, nullptr,
};

/* Numbers of fill lie between −scale and scale, on both sides of 0. */
bool check_fill()
{
    cuda_device device = {1};
    std::vector<fp16> filled(1000);
    (void)start(&device, pointwise::fill<fp16>, 2, 64, 0, nullptr, filled.data(),
                (uint64_t)filled.size(), (uint64_t)7, 0.5F);
    double sum = 0, greatest = 0;
    for (fp16 x : filled) {
        sum += to_float(x);
        greatest = std::max(greatest, std::abs((double)to_float(x)));
    }
    return greatest <= 0.5 && greatest > 0.49 && std::abs(sum) < 0.05 * (double)filled.size();
}

} // namespace

int main()
{
    cuda_device self = {1};
    const struct llmsim_device device = {&self, &ops};
    struct llmsim_error err;
    size_t n = 0;
    for (int i = 0; i < 2; i++) {
        emulated::copies_land_late = emulated::last_thread_first = i == 1;
        if (llmsim_device_self_test(&device, &n, &err) != LLMSIM_OK) {
            (void)std::fprintf(stderr, "copies land %s, %s thread first: %s\n",
                               i == 1 ? "late" : "at once", i == 1 ? "last" : "first", err.message);
            return 1;
        }
    }
    if (!check_fill()) {
        (void)std::fprintf(stderr, "fill does not give what it says\n");
        return 1;
    }
    (void)std::printf("%zu launches agree with the reference, in both orders\n", n);
    return 0;
}
