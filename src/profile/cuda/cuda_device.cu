/* cuda_device.cu: the device of device.h on CUDA. Every call is checked; an error says where the
 * call stands and what CUDA says. */
#include "cuda_device.h"

#include <cuda_runtime.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cublas_library.h"

namespace
{

/* Hopper's matrix products split over the inner dimension want that much. */
constexpr size_t WORKSPACE_BYTES = (size_t)32 << 20;
constexpr int MIN_CAPABILITY = 8; /* bfloat16 in matrix instructions, cp.async */

struct cuda_device {
    int index;
    int n_multiprocessors;
    cudaStream_t stream;
    cudaEvent_t begin, end;
    void *workspace;
    struct cublas_library library;
    cublasHandle_t blas;
};

const char *base_name(const char *path)
{
    const char *slash = std::strrchr(path, '/');
    return slash != nullptr ? slash + 1 : path;
}

enum llmsim_status fail_cuda(cudaError_t error, const char *file, int line, const char *call,
                             struct llmsim_error *err)
{
    return llmsim_fail_at(err, LLMSIM_RUN_FAILED, base_name(file), (uint64_t)line, 0,
                          "CUDA: %s: %s (%s)", call, cudaGetErrorString(error),
                          cudaGetErrorName(error));
}

#define CHECK_CUDA(call)                                                                           \
    do {                                                                                           \
        cudaError_t error_ = (call);                                                               \
        if (error_ != cudaSuccess)                                                                 \
            return fail_cuda(error_, __FILE__, __LINE__, #call, err);                              \
    } while (0)

#define CHECK_CUBLAS(device, call)                                                                 \
    do {                                                                                           \
        cublasStatus_t status_ = (call);                                                           \
        if (status_ != CUBLAS_STATUS_SUCCESS)                                                      \
            return llmsim_fail_at(err, LLMSIM_RUN_FAILED, base_name(__FILE__), __LINE__, 0,        \
                                  "cuBLAS: %s: %s", #call,                                         \
                                  (device)->library.status_text(status_));                         \
    } while (0)

#define CHECK(call)                                                                                \
    do {                                                                                           \
        enum llmsim_status status_ = (call);                                                       \
        if (status_ != LLMSIM_OK)                                                                  \
            return status_;                                                                        \
    } while (0)

/* ---- launches ---- */

/* Row-major out = in · weightsᵀ is column-major outᵀ = weights · inᵀ, and row-major is the
 * transpose of column-major. */
enum llmsim_status launch_gemm(cuda_device *d, const llmsim_launch *l, struct llmsim_error *err)
{
    const cudaDataType_t type = l->dtype == LLMSIM_BFLOAT16 ? CUDA_R_16BF : CUDA_R_16F;
    const float one = 1, zero = 0;
    const int rows = (int)l->rows, inputs = (int)l->inputs, outputs = (int)l->outputs;
    CHECK_CUBLAS(d, d->library.gemm(d->blas, CUBLAS_OP_T, CUBLAS_OP_N, outputs, rows, inputs, &one,
                                    l->weights, type, inputs, l->in, type, inputs, &zero, l->out,
                                    type, outputs, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
    return LLMSIM_OK;
}

template <typename... Parameters, typename... Arguments>
enum llmsim_status start(cuda_device *d, void (*kernel)(Parameters...), dim3 grid, unsigned threads,
                         int shared_bytes, struct llmsim_error *err, Arguments... arguments)
{
    if (shared_bytes > 0) /* more than 48 KB have to be asked for */
        CHECK_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                        shared_bytes));
    kernel<<<grid, threads, (size_t)shared_bytes, d->stream>>>(arguments...);
    CHECK_CUDA(cudaGetLastError());
    return LLMSIM_OK;
}

} // namespace

#include "launches.cuh"

namespace
{

enum llmsim_status launch_all(cuda_device *d, const llmsim_launch *launches, size_t n,
                              struct llmsim_error *err)
{
    for (size_t i = 0; i < n; i++)
        CHECK(launch(d, &launches[i], err));
    return LLMSIM_OK;
}

/* ---- timing ---- */

/* `once` puts all of a step on the stream. */
template <typename Once>
enum llmsim_status time_repeats(cuda_device *d, unsigned n_warmups, unsigned n_repeats,
                                double *seconds, Once once, struct llmsim_error *err)
{
    for (unsigned i = 0; i < n_warmups; i++)
        CHECK(once());
    CHECK_CUDA(cudaStreamSynchronize(d->stream));
    for (unsigned i = 0; i < n_repeats; i++) {
        float ms = 0;
        CHECK_CUDA(cudaEventRecord(d->begin, d->stream));
        CHECK(once());
        CHECK_CUDA(cudaEventRecord(d->end, d->stream));
        CHECK_CUDA(cudaEventSynchronize(d->end));
        CHECK_CUDA(cudaEventElapsedTime(&ms, d->begin, d->end));
        seconds[i] = (double)ms / 1e3;
    }
    return LLMSIM_OK;
}

/* A capture that failed half-way is ended too. */
enum llmsim_status capture(cuda_device *d, const llmsim_launch *launches, size_t n,
                           cudaGraph_t *graph, struct llmsim_error *err)
{
    CHECK_CUDA(cudaStreamBeginCapture(d->stream, cudaStreamCaptureModeThreadLocal));
    enum llmsim_status status = launch_all(d, launches, n, err);
    cudaError_t error = cudaStreamEndCapture(d->stream, graph);
    if (status == LLMSIM_OK && error != cudaSuccess)
        return fail_cuda(error, __FILE__, __LINE__, "cudaStreamEndCapture", err);
    return status;
}

enum llmsim_status time_graph(cuda_device *d, const llmsim_launch *launches, size_t n,
                              unsigned n_warmups, unsigned n_repeats, double *seconds,
                              struct llmsim_error *err)
{
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    /* Once by itself: what is loaded at first use must not be loaded during the capture. */
    CHECK(launch_all(d, launches, n, err));
    CHECK_CUDA(cudaStreamSynchronize(d->stream));
    enum llmsim_status status = capture(d, launches, n, &graph, err);
    if (status == LLMSIM_OK) {
        cudaError_t error = cudaGraphInstantiate(&executable, graph, 0);
        if (error != cudaSuccess)
            status = fail_cuda(error, __FILE__, __LINE__, "cudaGraphInstantiate", err);
    }
    if (status == LLMSIM_OK)
        status = time_repeats(
            d, n_warmups, n_repeats, seconds,
            [&]() -> enum llmsim_status {
                CHECK_CUDA(cudaGraphLaunch(executable, d->stream));
                return LLMSIM_OK;
            },
            err);
    if (executable != nullptr)
        (void)cudaGraphExecDestroy(executable);
    if (graph != nullptr)
        (void)cudaGraphDestroy(graph);
    return status;
}

enum llmsim_status device_time(void *self, const struct llmsim_launch *launches, size_t n,
                               enum llmsim_launch_mode mode, unsigned n_warmups, unsigned n_repeats,
                               double *seconds, struct llmsim_error *err)
{
    cuda_device *d = static_cast<cuda_device *>(self);
    if (mode == LLMSIM_LAUNCH_GRAPH)
        return time_graph(d, launches, n, n_warmups, n_repeats, seconds, err);
    return time_repeats(
        d, n_warmups, n_repeats, seconds, [&]() { return launch_all(d, launches, n, err); }, err);
}

/* ---- memory and description ---- */

/* The driver's own version stands only here; CUDA gives that of the interface. */
void describe_driver(char *text, size_t capacity)
{
    char version[32] = "unknown";
    int cuda = 0;
    FILE *f = std::fopen("/sys/module/nvidia/version", "r");
    if (f != nullptr) {
        if (std::fgets(version, sizeof version, f) == nullptr)
            (void)std::snprintf(version, sizeof version, "unknown");
        (void)std::fclose(f);
    }
    version[std::strcspn(version, "\n")] = '\0';
    (void)cudaDriverGetVersion(&cuda);
    (void)std::snprintf(text, capacity, "driver %s; CUDA %d.%d", version, cuda / 1000,
                        cuda % 1000 / 10);
}

enum llmsim_status device_describe(void *self, struct llmsim_device_info *info,
                                   struct llmsim_error *err)
{
    const cuda_device *d = static_cast<cuda_device *>(self);
    cudaDeviceProp properties;
    size_t free_bytes = 0, bytes = 0;
    int memory_kHz = 0, core_kHz = 0, bus_bits = 0;
    CHECK_CUDA(cudaGetDeviceProperties(&properties, d->index));
    CHECK_CUDA(cudaMemGetInfo(&free_bytes, &bytes));
    CHECK_CUDA(cudaDeviceGetAttribute(&memory_kHz, cudaDevAttrMemoryClockRate, d->index));
    CHECK_CUDA(cudaDeviceGetAttribute(&core_kHz, cudaDevAttrClockRate, d->index));
    CHECK_CUDA(cudaDeviceGetAttribute(&bus_bits, cudaDevAttrGlobalMemoryBusWidth, d->index));
    *info = {};
    (void)std::snprintf(info->name, sizeof info->name, "%.*s", LLMSIM_MAX_NAME, properties.name);
    describe_driver(info->driver, sizeof info->driver);
    info->memory_bytes = bytes;
    info->free_bytes = free_bytes;
    info->n_multiprocessors = (unsigned)d->n_multiprocessors;
    info->memory_bus_bits = (unsigned)bus_bits;
    info->memory_clock_MHz = memory_kHz / 1e3;
    info->core_clock_MHz = core_kHz / 1e3;
    return LLMSIM_OK;
}

enum llmsim_status device_allocate(void *self, uint64_t bytes, void **memory,
                                   struct llmsim_error *err)
{
    (void)self;
    *memory = nullptr;
    CHECK_CUDA(cudaMalloc(memory, bytes));
    return LLMSIM_OK;
}

void device_release(void *self, void *memory)
{
    (void)self;
    (void)cudaFree(memory);
}

enum llmsim_status device_upload(void *self, void *memory, const void *bytes, uint64_t n,
                                 struct llmsim_error *err)
{
    (void)self;
    CHECK_CUDA(cudaMemcpy(memory, bytes, n, cudaMemcpyHostToDevice));
    return LLMSIM_OK;
}

enum llmsim_status device_download(void *self, void *bytes, const void *memory, uint64_t n,
                                   struct llmsim_error *err)
{
    (void)self;
    CHECK_CUDA(cudaMemcpy(bytes, memory, n, cudaMemcpyDeviceToHost));
    return LLMSIM_OK;
}

enum llmsim_status device_fill(void *self, void *memory, uint64_t n, enum llmsim_dtype dtype,
                               uint64_t seed, float scale, struct llmsim_error *err)
{
    cuda_device *d = static_cast<cuda_device *>(self);
    const unsigned blocks = bandwidth_blocks(d);
    if (dtype == LLMSIM_BFLOAT16)
        CHECK(start(d, pointwise::fill<bf16>, blocks, pointwise::THREADS, 0, err, to<bf16>(memory),
                    n, seed, scale));
    else
        CHECK(start(d, pointwise::fill<fp16>, blocks, pointwise::THREADS, 0, err, to<fp16>(memory),
                    n, seed, scale));
    CHECK_CUDA(cudaStreamSynchronize(d->stream));
    return LLMSIM_OK;
}

/* ---- opening and closing ---- */

void device_close(void *self)
{
    cuda_device *d = static_cast<cuda_device *>(self);
    if (d->blas != nullptr)
        (void)d->library.destroy(d->blas);
    cublas_library_close(&d->library);
    (void)cudaFree(d->workspace);
    if (d->begin != nullptr)
        (void)cudaEventDestroy(d->begin);
    if (d->end != nullptr)
        (void)cudaEventDestroy(d->end);
    if (d->stream != nullptr)
        (void)cudaStreamDestroy(d->stream);
    std::free(d);
}

enum llmsim_status find_gpu(unsigned index, struct llmsim_error *err)
{
    int n = 0, major = 0;
    cudaError_t error = cudaGetDeviceCount(&n);
    if (error != cudaSuccess || n == 0)
        return llmsim_fail(err, LLMSIM_CATALOGUE, "there is no GPU to profile: %s",
                           error != cudaSuccess ? cudaGetErrorString(error) : "CUDA finds none");
    if (index >= (unsigned)n)
        return llmsim_fail(err, LLMSIM_CATALOGUE, "there is no GPU number %u; CUDA has 0 to %d",
                           index, n - 1);
    CHECK_CUDA(cudaSetDevice((int)index));
    CHECK_CUDA(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, (int)index));
    if (major < MIN_CAPABILITY)
        return llmsim_fail(err, LLMSIM_CATALOGUE,
                           "GPU number %u has compute capability %d; the kernels need %d or more",
                           index, major, MIN_CAPABILITY);
    return LLMSIM_OK;
}

/* What is made before a failure is device_close's to end. */
enum llmsim_status set_up(cuda_device *d, struct llmsim_error *err)
{
    CHECK_CUDA(
        cudaDeviceGetAttribute(&d->n_multiprocessors, cudaDevAttrMultiProcessorCount, d->index));
    CHECK_CUDA(cudaStreamCreateWithFlags(&d->stream, cudaStreamNonBlocking));
    CHECK_CUDA(cudaEventCreate(&d->begin));
    CHECK_CUDA(cudaEventCreate(&d->end));
    CHECK_CUDA(cudaMalloc(&d->workspace, WORKSPACE_BYTES));
    CHECK(cublas_library_open(&d->library, err));
    CHECK_CUBLAS(d, d->library.create(&d->blas));
    CHECK_CUBLAS(d, d->library.set_stream(d->blas, d->stream));
    CHECK_CUBLAS(d, d->library.set_workspace(d->blas, d->workspace, WORKSPACE_BYTES));
    return LLMSIM_OK;
}

const struct llmsim_device_ops cuda_ops = {
    device_describe, device_allocate, device_release, device_upload,
    device_download, device_fill,     device_time,    device_close,
};

} // namespace

enum llmsim_status cuda_device_open(unsigned index, struct llmsim_device *device,
                                    struct llmsim_error *err)
{
    *device = {};
    CHECK(find_gpu(index, err));
    cuda_device *d = static_cast<cuda_device *>(std::calloc(1, sizeof *d));
    if (d == nullptr)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    d->index = (int)index;
    enum llmsim_status status = set_up(d, err);
    if (status != LLMSIM_OK) {
        device_close(d);
        return status;
    }
    device->self = d;
    device->ops = &cuda_ops;
    return LLMSIM_OK;
}
