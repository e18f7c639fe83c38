/* cuda_device.cu: the device of device.h on CUDA. Every call is checked; an error says where the
 * call stands and what CUDA says. */
#include "cuda_device.h"

#include <cuda_runtime.h>

#include <climits>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "attention.cuh"
#include "bandwidth.cuh"
#include "cublas_library.h"
#include "pointwise.cuh"

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

unsigned blocks_for(uint64_t n, unsigned a_block)
{
    return (unsigned)((n + a_block - 1) / a_block);
}

unsigned bandwidth_blocks(const cuda_device *d)
{
    return (unsigned)d->n_multiprocessors * bandwidth::BLOCKS_PER_MULTIPROCESSOR;
}

template <typename T> T *to(void *memory)
{
    return static_cast<T *>(memory);
}

template <typename T> const T *from(const void *memory)
{
    return static_cast<const T *>(memory);
}

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

template <typename T, int D>
enum llmsim_status launch_prompt(cuda_device *d, const llmsim_launch *l, struct llmsim_error *err)
{
    constexpr int bytes = attention::prompt_shared_bytes<D>;
    const float scale_log2 = 1 / (std::sqrt((float)D) * 0.693147181F);
    const dim3 grid(blocks_for(l->tokens_each, attention::TILE), l->n_heads,
                    (unsigned)l->batch_size);
    CHECK_CUDA(cudaFuncSetAttribute(attention::prompt<T, D>,
                                    cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
    attention::prompt<T, D><<<grid, attention::THREADS, bytes, d->stream>>>(
        from<T>(l->in), (int)l->tokens_each, (int)l->n_heads, (int)l->n_kv_heads, scale_log2,
        to<T>(l->out));
    return LLMSIM_OK;
}

template <typename T, int D>
enum llmsim_status launch_context(cuda_device *d, const llmsim_launch *l, struct llmsim_error *err)
{
    constexpr int bytes = attention::context_shared_bytes<D>;
    const float scale = 1 / std::sqrt((float)D);
    const dim3 grid((unsigned)l->n_splits, l->n_kv_heads, (unsigned)l->batch_size);
    CHECK_CUDA(cudaFuncSetAttribute(attention::context<T, D>,
                                    cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
    attention::context<T, D><<<grid, attention::THREADS, bytes, d->stream>>>(
        from<T>(l->in), from<T>(l->keys), from<T>(l->values), (int)l->tokens_each,
        (int)l->split_tokens, (int)l->n_heads, (int)l->n_kv_heads, scale, scale / 0.693147181F,
        l->partials);
    return LLMSIM_OK;
}

template <typename T>
enum llmsim_status launch_attention(cuda_device *d, const llmsim_launch *l,
                                    struct llmsim_error *err)
{
    const bool is_prompt = l->kind == LLMSIM_LAUNCH_ATTEND_PROMPT;
    switch (l->head_dim) {
#define X(dim)                                                                                     \
    case dim:                                                                                      \
        return is_prompt ? launch_prompt<T, dim>(d, l, err) : launch_context<T, dim>(d, l, err);
        LLMSIM_HEAD_DIMS(X)
#undef X
    default:
        return llmsim_fail(err, LLMSIM_INTERNAL, "no kernel for heads %u wide", l->head_dim);
    }
}

template <typename T> void launch_norm(cuda_device *d, const llmsim_launch *l)
{
    pointwise::norm<T><<<(unsigned)l->rows, pointwise::THREADS, 0, d->stream>>>(
        to<T>(l->state), from<T>(l->in), from<T>(l->weights), (uint32_t)l->outputs, l->stride,
        to<T>(l->out));
}

template <typename T> void launch_activate(cuda_device *d, const llmsim_launch *l)
{
    const uint64_t n_vectors = l->rows * l->outputs / VECTOR;
    pointwise::activate<T>
        <<<blocks_for(n_vectors, pointwise::THREADS), pointwise::THREADS, 0, d->stream>>>(
            from<T>(l->in), n_vectors, (uint32_t)l->outputs, l->gated, to<T>(l->out));
}

template <typename T> void launch_store_kv(cuda_device *d, const llmsim_launch *l)
{
    const uint64_t n_vectors = l->rows * 2 * l->n_kv_heads * (l->head_dim / VECTOR);
    pointwise::store_kv<T>
        <<<blocks_for(n_vectors, pointwise::THREADS), pointwise::THREADS, 0, d->stream>>>(
            from<T>(l->in), n_vectors, (uint32_t)(l->rows / l->batch_size), l->tokens_each,
            l->n_heads, l->n_kv_heads, l->head_dim, to<T>(l->keys), to<T>(l->values));
}

/* The kinds whose kernels depend on the elements' type. */
template <typename T>
enum llmsim_status launch_typed(cuda_device *d, const llmsim_launch *l, struct llmsim_error *err)
{
    switch (l->kind) {
    case LLMSIM_LAUNCH_EMBED:
        pointwise::embed<T><<<(unsigned)l->rows, pointwise::THREADS, 0, d->stream>>>(
            from<uint32_t>(l->in), from<T>(l->weights), (uint32_t)l->outputs, to<T>(l->out));
        return LLMSIM_OK;
    case LLMSIM_LAUNCH_NORM:
        launch_norm<T>(d, l);
        return LLMSIM_OK;
    case LLMSIM_LAUNCH_ACTIVATE:
        launch_activate<T>(d, l);
        return LLMSIM_OK;
    case LLMSIM_LAUNCH_STORE_KV:
        launch_store_kv<T>(d, l);
        return LLMSIM_OK;
    case LLMSIM_LAUNCH_ATTEND_PROMPT:
    case LLMSIM_LAUNCH_ATTEND_CONTEXT:
        return launch_attention<T>(d, l, err);
    case LLMSIM_LAUNCH_COMBINE:
        attention::combine<T>
            <<<(unsigned)(l->batch_size * l->n_heads), l->head_dim, 0, d->stream>>>(
                l->partials, (int)l->n_splits, to<T>(l->out));
        return LLMSIM_OK;
    default:
        return llmsim_fail(err, LLMSIM_INTERNAL, "a launch of no known kind");
    }
}

/* Put one launch on the stream. */
enum llmsim_status launch(cuda_device *d, const llmsim_launch *l, struct llmsim_error *err)
{
    const unsigned blocks = bandwidth_blocks(d);
    const uint64_t n_vectors = l->bytes / 16;
    switch (l->kind) {
    case LLMSIM_LAUNCH_GEMM:
        return launch_gemm(d, l, err);
    case LLMSIM_LAUNCH_READ:
        bandwidth::read<<<blocks, bandwidth::THREADS, 0, d->stream>>>(from<uint4>(l->in), n_vectors,
                                                                      to<uint32_t>(l->out));
        break;
    case LLMSIM_LAUNCH_COPY:
        bandwidth::copy<<<blocks, bandwidth::THREADS, 0, d->stream>>>(from<uint4>(l->in), n_vectors,
                                                                      to<uint4>(l->out));
        break;
    case LLMSIM_LAUNCH_TRIAD:
        bandwidth::triad<<<blocks, bandwidth::THREADS, 0, d->stream>>>(
            from<float4>(l->in), from<float4>(l->weights), n_vectors, to<float4>(l->out));
        break;
    default:
        CHECK(l->dtype == LLMSIM_BFLOAT16 ? launch_typed<bf16>(d, l, err)
                                          : launch_typed<fp16>(d, l, err));
    }
    CHECK_CUDA(cudaGetLastError());
    return LLMSIM_OK;
}

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
    const cuda_device *d = static_cast<cuda_device *>(self);
    const unsigned blocks = bandwidth_blocks(d);
    if (dtype == LLMSIM_BFLOAT16)
        pointwise::fill<<<blocks, pointwise::THREADS, 0, d->stream>>>(to<bf16>(memory), n, seed,
                                                                      scale);
    else
        pointwise::fill<<<blocks, pointwise::THREADS, 0, d->stream>>>(to<fp16>(memory), n, seed,
                                                                      scale);
    CHECK_CUDA(cudaGetLastError());
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
