/* The profilers' runs, on a device that computes on the CPU: what is launched, in which order, with
 * which operands; the CSV; what becomes of errors. */
#include <criterion/criterion.h>
#include <math.h>

#include "llmsim/profiler.h"
#include "llmsim/version.h"
#include "step.h"
#include "support/cpu_device.h"
#include "support/errors.h"
#include "support/files.h"

static struct llmsim_error err;
static char *scratch;

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

TestSuite(profile_run, .init = enter_scratch, .fini = leave_scratch);

static const struct llmsim_network tiny = {
    .name = "tiny",
    .dtype = LLMSIM_FLOAT16,
    .n_layers = 2,
    .hidden_size = 72,
    .intermediate_size = 136,
    .vocab_size = 50,
    .n_heads = 4,
    .n_kv_heads = 2,
    .head_dim = 64,
    .has_gated_mlp = true,
};

static struct llmsim_profile_plan plan_of(const struct llmsim_network *network,
                                          enum llmsim_profile_phase phase, uint64_t max_tokens,
                                          uint64_t max_batch, uint64_t budget)
{
    struct llmsim_profile_sweep sweep = {
        .phase = phase, .max_tokens = max_tokens, .max_batch = max_batch, .n_multiprocessors = 2};
    struct llmsim_profile_plan plan;
    cr_assert_eq(llmsim_profile_plan_init(&plan, network, &sweep, budget, &err), LLMSIM_OK, "%s",
                 err.message);
    return plan;
}

/* ---- launches ---- */

static void expect_kinds(const struct llmsim_launch *launches, size_t n,
                         const enum llmsim_launch_kind *kinds, size_t n_kinds)
{
    cr_assert_eq(n, n_kinds, "%zu launches", n);
    for (size_t i = 0; i < n; i++)
        cr_expect_eq(launches[i].kind, kinds[i], "launch %zu is %s", i,
                     llmsim_launch_name(launches[i].kind));
}

/* Addresses count from here; nothing is read or written. */
static char some_memory[1];

#define K(name) LLMSIM_LAUNCH_##name

Test(profile_run, the_launches_of_a_prompt)
{
    struct llmsim_profile_plan plan =
        plan_of(&tiny, LLMSIM_PROFILE_PREFILL, 32, 2, UINT64_C(1) << 30);
    struct llmsim_profile_point point = {LLMSIM_PROFILE_PREFILL, 2, 16};
    struct llmsim_launch l[64];
    size_t n = llmsim_profile_step(&plan, &point, 1, some_memory, l);
    static const enum llmsim_launch_kind kinds[] = {
        K(EMBED), K(NORM), K(GEMM),     K(STORE_KV), K(ATTEND_PROMPT), K(GEMM),
        K(NORM),  K(GEMM), K(ACTIVATE), K(GEMM),     K(NORM),          K(GEMM),
    };
    expect_kinds(l, n, kinds, sizeof kinds / sizeof *kinds);
    /* rows, inputs, outputs: 32 tokens; 4 · 64 + 2 · 2 · 64 = 512 for q, k and v */
    static const uint64_t gemms[][4] = {
        {2, 32, 72, 512}, {5, 32, 256, 72}, {7, 32, 72, 272}, {9, 32, 136, 72}, {11, 2, 72, 50}};
    for (size_t i = 0; i < sizeof gemms / sizeof *gemms; i++) {
        const struct llmsim_launch *g = &l[gemms[i][0]];
        cr_expect(g->rows == gemms[i][1] && g->inputs == gemms[i][2] && g->outputs == gemms[i][3],
                  "matrix product %zu", i);
    }
    cr_expect_eq(l[10].rows, 2); /* the last tokens */
    cr_expect_eq(l[10].stride, 16);
    cr_expect_eq(l[1].stride, 1);
    cr_expect_null(l[1].in); /* nothing to add before the first layer */
    cr_expect_eq(l[6].in, l[5].out);
    cr_expect_eq(l[10].in, l[9].out);
    cr_expect_eq(l[4].batch_size, 2);
    cr_expect_eq(l[4].tokens_each, 16);
    cr_expect_eq(llmsim_profile_step(&plan, &point, 2, NULL, NULL), n + 9);
    llmsim_profile_plan_fini(&plan);
}

Test(profile_run, the_launches_of_a_decode)
{
    struct llmsim_profile_plan plan =
        plan_of(&tiny, LLMSIM_PROFILE_DECODE, 256, 3, UINT64_C(1) << 30);
    struct llmsim_profile_point point = {LLMSIM_PROFILE_DECODE, 3, 256};
    struct llmsim_launch l[64];
    size_t n = llmsim_profile_step(&plan, &point, 1, some_memory, l);
    static const enum llmsim_launch_kind kinds[] = {
        K(EMBED), K(NORM), K(GEMM),     K(STORE_KV), K(ATTEND_CONTEXT), K(COMBINE), K(GEMM),
        K(NORM),  K(GEMM), K(ACTIVATE), K(GEMM),     K(NORM),           K(GEMM),
    };
    expect_kinds(l, n, kinds, sizeof kinds / sizeof *kinds);
    /* 2 multiprocessors want 8 blocks, 3 sequences of 2 heads give 6: two parts of 2 units each */
    cr_expect_eq(l[4].n_splits, 2);
    cr_expect_eq(l[4].split_tokens, 128);
    cr_expect_eq(l[4].partials, l[5].partials);
    cr_expect_eq(l[3].keys, l[4].keys);
    cr_expect_eq(l[3].rows, 3);
    cr_expect_eq(l[3].tokens_each, 256);
    cr_expect_eq(l[11].stride, 1);
    llmsim_profile_plan_fini(&plan);
}

/* Every operand of every launch lies in the memory of the plan, on a multiple of 16 bytes, and what
 * a launch writes is nothing else that it has, but for what it changes in place. */
static void check_operands(const struct llmsim_profile_plan *plan, const char *base)
{
    struct llmsim_launch l[64];
    for (size_t i = 0; i < plan->n_points; i++) {
        size_t n =
            llmsim_profile_step(plan, &plan->points[i], plan->n_layers, (void *)(uintptr_t)base, l);
        for (size_t k = 0; k < n; k++) {
            struct llmsim_operand o[LLMSIM_OPERANDS];
            uintptr_t begin[LLMSIM_OPERANDS], end[LLMSIM_OPERANDS];
            llmsim_launch_operands(&l[k], o);
            for (unsigned a = 0; a < LLMSIM_OPERANDS; a++) {
                begin[a] = (uintptr_t)llmsim_launch_operand(&l[k], a);
                end[a] = begin[a] + o[a].n * (o[a].type == LLMSIM_OPERAND_HALF ? 2 : 4);
                cr_assert_eq(o[a].n == 0, begin[a] == 0, "launch %zu, operand %u", k, a);
                if (o[a].n == 0)
                    continue;
                cr_assert(begin[a] >= (uintptr_t)base &&
                              end[a] <= (uintptr_t)base + plan->layout.total && begin[a] % 16 == 0,
                          "launch %zu, operand %u", k, a);
            }
            for (unsigned a = 0; a < LLMSIM_OPERANDS; a++)
                for (unsigned b = 0; b < LLMSIM_OPERANDS; b++)
                    cr_assert(a == b || o[a].n == 0 || o[b].n == 0 || !o[a].is_written ||
                                  end[a] <= begin[b] || end[b] <= begin[a],
                              "launch %zu (%s): operands %u and %u overlap", k,
                              llmsim_launch_name(l[k].kind), a, b);
        }
    }
}

Test(profile_run, operands_lie_in_the_plans_memory)
{
    static _Alignas(256) const char base[256];
    struct llmsim_network tied = tiny;
    tied.ties_embeddings = true;
    tied.has_gated_mlp = false;
    const struct llmsim_network *networks[] = {&tiny, &tied};
    for (size_t i = 0; i < 2; i++)
        for (unsigned phase = 0; phase < 2; phase++) {
            struct llmsim_profile_plan plan =
                plan_of(networks[i], (enum llmsim_profile_phase)phase, 512, 8, UINT64_C(1) << 30);
            check_operands(&plan, base);
            llmsim_profile_plan_fini(&plan);
        }
}

/* ---- a step is a transformer's ---- */

static void run_step(const struct llmsim_profile_plan *plan,
                     const struct llmsim_profile_point *point, void *base, double *logits)
{
    struct llmsim_launch l[64];
    size_t n = llmsim_profile_step(plan, point, plan->n_layers, base, l);
    for (size_t i = 0; i < n; i++)
        llmsim_reference_launch(&l[i]);
    const uint16_t *out = l[n - 1].out;
    for (size_t i = 0; i < plan->network.vocab_size; i++)
        logits[i] = (double)llmsim_half_to_float(out[i], plan->network.dtype);
}

/* The next token's logits are the same, whether a sequence is read at once, or its last token by
 * itself after the others. */
Test(profile_run, a_decode_goes_on_where_a_prompt_ends)
{
    enum { N = 128 };
    struct llmsim_profile_plan plan =
        plan_of(&tiny, LLMSIM_PROFILE_PREFILL, N, 1, UINT64_C(1) << 30);
    struct llmsim_profile_plan decodes =
        plan_of(&tiny, LLMSIM_PROFILE_DECODE, N, 1, UINT64_C(1) << 30);
    /* One memory for both: the prompt's, with room for a decode's partial results. */
    struct cpu_device self = {.info = cpu_info()};
    struct llmsim_device device = cpu_device(&self);
    double at_once[64], step_by_step[64], difference = 0, size = 0;
    void *base;
    decodes.layout = plan.layout;
    decodes.layout.partials = plan.layout.total;
    cr_assert_eq(device.ops->allocate(&self, plan.layout.total + 65536, &base, &err), LLMSIM_OK);
    cr_assert_eq(
        device.ops->fill(&self, base, plan.layout.total / 2, LLMSIM_FLOAT16, 5, 0.3F, &err),
        LLMSIM_OK);
    uint32_t *ids = (uint32_t *)((char *)base + plan.layout.ids);
    for (uint32_t i = 0; i < N; i++)
        ids[i] = i * 7 % 50;
    struct llmsim_profile_point prompt = {LLMSIM_PROFILE_PREFILL, 1, N};
    struct llmsim_profile_point decode = {LLMSIM_PROFILE_DECODE, 1, N};
    run_step(&plan, &prompt, base, at_once);
    ids[0] = ids[N - 1];
    run_step(&decodes, &decode, base, step_by_step);
    for (size_t i = 0; i < tiny.vocab_size; i++) {
        difference += (at_once[i] - step_by_step[i]) * (at_once[i] - step_by_step[i]);
        size += at_once[i] * at_once[i];
    }
    cr_expect(size > 0 && sqrt(difference / size) < 2e-3, "they differ by %g",
              sqrt(difference / size));
    device.ops->release(&self, base);
    device.ops->close(&self);
    llmsim_profile_plan_fini(&plan);
    llmsim_profile_plan_fini(&decodes);
}

/* ---- runs ---- */

static const struct llmsim_profile_config usual = {.output = "out.csv",
                                                   .date = "2026-01-02",
                                                   .n_warmups = 1,
                                                   .n_repeats = 2,
                                                   .mode = LLMSIM_LAUNCH_GRAPH};

/* 1 ms and a row's microsecond, and a microsecond more in the second repeat. */
static double by_rows(const struct llmsim_launch *launches, size_t n, unsigned repeat)
{
    (void)n;
    return 1e-3 + 1e-6 * (double)launches[0].rows + 1e-6 * repeat;
}

static void expect_file(const char *expected)
{
    char *text = read_text(".", "out.csv", NULL);
    cr_assert_not_null(text);
    cr_expect_str_eq(text, expected);
    free(text);
}

#define HEADER                                                                                     \
    "model,gpu,tp,phase,batch_size,new_tokens,context_tokens,sum_sq_tokens,latency_s,repeat,"      \
    "source\n"
#define SOURCE(launches, layers)                                                                   \
    ",llmsim profile " LLMSIM_VERSION "; " launches " launches; fp16; " layers                     \
    "; driver 1.2  really; CUDA 3.4; core 1500 MHz; memory 1000 MHz; 2026-01-02\n"

Test(profile_run, a_decode_profile)
{
    struct llmsim_profile_plan plan =
        plan_of(&tiny, LLMSIM_PROFILE_DECODE, 64, 2, UINT64_C(1) << 30);
    struct cpu_device self = {.info = cpu_info(), .seconds = by_rows, .computes = true};
    struct llmsim_device device = cpu_device(&self);
    cr_assert_eq(llmsim_profile_run(&plan, &device, &usual, &err), LLMSIM_OK, "%s", err.message);
    expect_file(HEADER "tiny,Test GPU,1,decode,1,1,64,0,0.001001000,0" SOURCE(
        "graph", "2 of 2 layers") "tiny,"
                                  "Test "
                                  "GPU,1,"
                                  "decode,1,"
                                  "1,64,0,0."
                                  "001002000"
                                  ","
                                  "1" SOURCE("graph",
                                             "2 of 2 layers") "tiny,Test "
                                                              "GPU,1,decode,2,2,128,0,0.001002000,"
                                                              "0" SOURCE("grap"
                                                                         "h",
                                                                         "2 of "
                                                                         "2 "
                                                                         "layer"
                                                                         "s") "tiny,Test "
                                                                              "GPU,1,decode,2,2,"
                                                                              "128,0,0.001003000,"
                                                                              "1" SOURCE("graph",
                                                                                         "2 of 2 "
                                                                                         "layers"));
    cr_expect_eq(self.n_timed, 2);
    cr_expect_eq(self.mode, LLMSIM_LAUNCH_GRAPH);
    cr_expect_eq(self.n_warmups, 1);
    cr_expect_eq(self.n_allocated, 0);
    /* Two tables of 50 · 72; the final norm; a layer: 2 · 72 + 512 · 72 + 256 · 72 + 3 · 136 · 72
     * and, for two sequences of 64 tokens, 2 · 128 · 128 of cache. */
    cr_expect_eq(self.n_filled, 2 * 3600 + 72 + 2 * (144 + 36864 + 18432 + 29376 + 32768));
    device.ops->close(&self);
    llmsim_profile_plan_fini(&plan);
}

Test(profile_run, a_prompt_profile)
{
    struct llmsim_network network = tiny;
    (void)snprintf(network.name, sizeof network.name, "a, \"b\"");
    struct llmsim_profile_plan plan =
        plan_of(&network, LLMSIM_PROFILE_PREFILL, 32, 2, UINT64_C(1) << 30);
    struct cpu_device self = {.info = cpu_info(), .seconds = by_rows};
    struct llmsim_device device = cpu_device(&self);
    struct llmsim_profile_config config = usual;
    config.n_repeats = 1;
    config.mode = LLMSIM_LAUNCH_PLAIN;
    cr_assert_eq(llmsim_profile_run(&plan, &device, &config, &err), LLMSIM_OK, "%s", err.message);
#define NAMES "\"a, \"\"b\"\"\",Test GPU,1,prefill,"
    expect_file(HEADER NAMES "1,16,0,256,0.001016000,0" SOURCE("plain", "2 of 2 layers") NAMES
                "1,24,0,576,0.001024000,0" SOURCE("plain", "2 of 2 layers") NAMES
                "1,32,0,1024,0.001032000,0" SOURCE("plain", "2 of 2 layers") NAMES
                "2,32,0,512,0.001032000,0" SOURCE("plain", "2 of 2 layers"));
    device.ops->close(&self);
    llmsim_profile_plan_fini(&plan);
}

/* 5 ms, and 2 ms a layer, of which each has four matrix products beside the last of all. */
static double by_layers(const struct llmsim_launch *launches, size_t n, unsigned repeat)
{
    size_t n_gemms = 0;
    for (size_t i = 0; i < n; i++)
        n_gemms += launches[i].kind == LLMSIM_LAUNCH_GEMM;
    return 5e-3 + 2e-3 * (double)((n_gemms - 1) / 4) + 1e-6 * repeat;
}

/* A model of 30 layers of which some fit: the profile is of all 30, 65 ms a step. */
Test(profile_run, layers_that_do_not_fit_are_added)
{
    struct llmsim_network network = tiny;
    network.n_layers = 30;
    struct llmsim_profile_plan plan = plan_of(&network, LLMSIM_PROFILE_DECODE, 64, 1, 2000000);
    struct cpu_device self = {.info = cpu_info(), .seconds = by_layers};
    struct llmsim_device device = cpu_device(&self);
    cr_assert(plan.n_layers > 2 && plan.n_layers < 30);
    cr_assert_eq(llmsim_profile_run(&plan, &device, &usual, &err), LLMSIM_OK, "%s", err.message);
    char expected[2048], layers[64];
    (void)snprintf(layers, sizeof layers, "%u of 30 layers measured and scaled", plan.n_layers);
    (void)snprintf(
        expected, sizeof expected,
        HEADER "tiny,Test GPU,1,decode,1,1,64,0,0.065000000,0" SOURCE(
            "graph", "%s") "tiny,Test GPU,1,decode,1,1,64,0,0.065001000,1" SOURCE("graph", "%s"),
        layers, layers);
    expect_file(expected);
    cr_expect_eq(self.n_timed, 2);
    device.ops->close(&self);
    llmsim_profile_plan_fini(&plan);
}

Test(profile_run, layers_that_take_no_time_are_an_error)
{
    struct llmsim_network network = tiny;
    network.n_layers = 30;
    struct llmsim_profile_plan plan = plan_of(&network, LLMSIM_PROFILE_DECODE, 64, 1, 2000000);
    struct cpu_device self = {.info = cpu_info()};
    struct llmsim_device device = cpu_device(&self);
    char expected[256];
    (void)snprintf(expected, sizeof expected,
                   "%u layers took 0.001000000 s and %u layers 0.001000000 s: there is no telling "
                   "what 30 would take",
                   plan.n_layers, plan.n_fewer_layers);
    expect_error(llmsim_profile_run(&plan, &device, &usual, &err), LLMSIM_RUN_FAILED, &err,
                 expected);
    cr_expect_null(read_text(".", "out.csv", NULL));
    device.ops->close(&self);
    llmsim_profile_plan_fini(&plan);
}

Test(profile_run, a_failed_launch_leaves_no_file)
{
    struct llmsim_profile_plan plan =
        plan_of(&tiny, LLMSIM_PROFILE_DECODE, 64, 2, UINT64_C(1) << 30);
    struct cpu_device self = {.info = cpu_info(), .fails_after = LLMSIM_LAUNCH_COMBINE};
    struct llmsim_device device = cpu_device(&self);
    expect_error(llmsim_profile_run(&plan, &device, &usual, &err), LLMSIM_RUN_FAILED, &err,
                 "cpu_device.h:7: a launch failed");
    cr_expect_null(read_text(".", "out.csv", NULL));
    cr_expect_eq(self.n_allocated, 0);
    self.info.free_bytes = 1;
    expect_error(llmsim_profile_run(&plan, &device, &usual, &err), LLMSIM_RUN_FAILED, &err,
                 "cpu device: no memory");
    device.ops->close(&self);
    llmsim_profile_plan_fini(&plan);
}

static bool stop_after_first(void *ctx, const struct llmsim_profile_progress *progress)
{
    *(struct llmsim_profile_progress *)ctx = *progress;
    return false;
}

Test(profile_run, an_interrupted_run_leaves_no_file)
{
    struct llmsim_profile_plan plan =
        plan_of(&tiny, LLMSIM_PROFILE_DECODE, 64, 2, UINT64_C(1) << 30);
    struct cpu_device self = {.info = cpu_info(), .seconds = by_rows};
    struct llmsim_device device = cpu_device(&self);
    struct llmsim_profile_progress seen = {0};
    struct llmsim_profile_config config = usual;
    config.observe = stop_after_first;
    config.observe_ctx = &seen;
    expect_error(llmsim_profile_run(&plan, &device, &config, &err), LLMSIM_INTERRUPTED, &err,
                 "interrupted; no file was written");
    cr_expect_null(read_text(".", "out.csv", NULL));
    cr_expect_eq(seen.n_done, 1);
    cr_expect_eq(seen.n_points, 2);
    cr_expect_float_eq(seen.latency_s, 0.0010015, 1e-12); /* of 1.001 and 1.002 ms */
    device.ops->close(&self);
    llmsim_profile_plan_fini(&plan);
}

/* ---- bandwidth ---- */

/* 8,192 bytes an array. The peak is 2 · 1 GHz · 64 bytes = 128 GB/s; read takes 80 ns, 102.4 GB/s;
 * copy 256 ns for twice and triad 192 ns for three times the bytes. */
static double by_kernel(const struct llmsim_launch *launches, size_t n, unsigned repeat)
{
    static const double outliers[] = {1, 0.5, 1, 9, 1};
    double ns = launches[0].kind == LLMSIM_LAUNCH_READ   ? 80
                : launches[0].kind == LLMSIM_LAUNCH_COPY ? 256
                                                         : 192;
    (void)n;
    return ns * 1e-9 * outliers[repeat % 5];
}

Test(profile_run, bandwidth)
{
    struct cpu_device self = {.info = cpu_info(), .seconds = by_kernel, .computes = true};
    struct llmsim_device device = cpu_device(&self);
    struct llmsim_bandwidth_config config = {.bytes = 8200, .n_repeats = 5};
    struct llmsim_bandwidth b;
    cr_assert_eq(llmsim_profile_bandwidth(&device, &config, &b, &err), LLMSIM_OK, "%s",
                 err.message);
    cr_expect_str_eq(b.gpu.name, "Test GPU");
    cr_expect_eq(b.bytes, 8192);
    cr_expect_float_eq(b.read_GBps, 102.4, 1e-9);
    cr_expect_float_eq(b.copy_GBps, 64, 1e-9);
    cr_expect_float_eq(b.triad_GBps, 128, 1e-9);
    cr_expect_float_eq(b.gpu.memory_bw_GBps, 128, 1e-9);
    cr_expect_float_eq(b.gpu.memory_bw_util_percent, 80, 1e-9);
    cr_expect_float_eq(b.gpu.memory_cap_GB, 8.0, 1e-9); /* 8.000123456 to three decimals */
    cr_expect_eq(self.n_warmups, 2);
    cr_expect_eq(self.n_allocated, 0);
    device.ops->close(&self);
}

Test(profile_run, bandwidth_errors)
{
    struct cpu_device self = {.info = cpu_info(), .seconds = by_kernel};
    struct llmsim_device device = cpu_device(&self);
    struct llmsim_bandwidth_config config = {.bytes = 8192, .n_repeats = 5, .memory_bw_GBps = 100};
    struct llmsim_bandwidth b;
    expect_error(llmsim_profile_bandwidth(&device, &config, &b, &err), LLMSIM_RUN_FAILED, &err,
                 "the read kernel ran at 102.4 GB/s, over the peak of 100.0 GB/s: that peak is "
                 "wrong");
    self.info.memory_clock_MHz = 0;
    config.memory_bw_GBps = 0;
    expect_error(llmsim_profile_bandwidth(&device, &config, &b, &err), LLMSIM_RUN_FAILED, &err,
                 "Test GPU does not say its memory clock and bus width; give the peak bandwidth of "
                 "its datasheet");
    config.memory_bw_GBps = 128;
    config.bytes = 4000000000;
    expect_error(llmsim_profile_bandwidth(&device, &config, &b, &err), LLMSIM_RUN_FAILED, &err,
                 "three arrays of 4.000 GB do not fit: 7.000 GB of memory are free");
    cr_expect_eq(self.n_allocated, 0);
    device.ops->close(&self);
}

Test(profile_run, medians)
{
    cr_expect_float_eq(llmsim_median((double[]){3, 1, 2}, 3), 2, 0);
    cr_expect_float_eq(llmsim_median((double[]){4, 1, 3, 2}, 4), 2.5, 0);
    cr_expect_float_eq(llmsim_median((double[]){7}, 1), 7, 0);
}
