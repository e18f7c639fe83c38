/* Files of the kernel catalogue: what is refused, and where; which nodes a fit takes. */
#include "llmsim/kernels.h"

#include <criterion/criterion.h>
#include <math.h>
#include <sys/stat.h>

#include "kernel_kinds.h"
#include "support/files.h"

static struct llmsim_error err;

/* ---- the reader ---- */

#define HEAD                                                                                       \
    "{\"schema\": 1, \"system\": \"s\", \"gpu\": \"g\", \"engine\": \"e\",\n"                      \
    " \"engine_version\": \"1\", \"source\": \"x\", \"license\": \"y\", \"memory_bw\": 1000,\n"    \
    " \"bf16_tflops\": 100, \"fp8_tflops\": 0, \"fp4_tflops\": 0, \"cache_mb\": 0, \"kernels\": "  \
    "[\n"
#define ENTRY                                                                                      \
    "{\"kernel\": \"all_reduce\", \"variant\": \"bf16\", \"rows\": 3,\n"                           \
    " \"axes\": {\"bytes\": [1024, 4096], \"gpus\": [2]},\n"                                       \
    " \"values\": [100, -250]}"
#define TAIL "\n]}\n"

static char *catalogue_dir(void)
{
    char *dir = scratch_dir(), path[300];
    write_text(dir, "gpu.json", "{}");
    (void)snprintf(path, sizeof path, "%s/kernels", dir);
    cr_assert_eq(mkdir(path, 0700), 0);
    return dir;
}

/* Read a file in which `from` became `to`. */
static enum llmsim_status open_changed(const char *from, const char *to,
                                       struct llmsim_kernels **kernels)
{
    const char *text = HEAD ENTRY TAIL, *at = strstr(text, from);
    char *dir = catalogue_dir(), changed[2000];
    cr_assert_not_null(at, "%s", from);
    (void)snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, to,
                   at + strlen(from));
    write_text(dir, "kernels/s_e.json", changed);
    enum llmsim_status status = llmsim_kernels_open(dir, "s", "e", kernels, &err);
    remove_dir(dir);
    return status;
}

Test(kernel_files, a_file_is_read)
{
    struct llmsim_kernels *kernels;
    cr_assert_eq(open_changed("s", "s", &kernels), LLMSIM_OK, "%s", err.message);
    cr_expect_str_eq(llmsim_kernels_system(kernels), "s");
    cr_expect_str_eq(llmsim_kernels_gpu(kernels), "g");
    cr_expect_str_eq(llmsim_kernels_engine(kernels), "e");
    cr_expect_str_eq(llmsim_kernels_version(kernels), "1");
    cr_expect_eq(llmsim_kernels_peaks(kernels)->bytes_per_s, 1e12);
    cr_expect_eq(llmsim_kernels_peaks(kernels)->bf16_per_s, 1e14);
    const struct llmsim_lattice *lattice = llmsim_kernels_find(kernels, KERNEL_ALL_REDUCE, "bf16");
    cr_assert_not_null(lattice);
    cr_expect_float_eq(llmsim_lattice_at(lattice, (double[]){2048, 2}), -0.075, 1e-12);
    cr_expect_null(llmsim_kernels_find(kernels, KERNEL_ALL_REDUCE, "fp8"));
    cr_expect_null(llmsim_kernels_find(kernels, KERNEL_GEMM, "bf16"));
    llmsim_kernels_close(kernels);
}

static const struct {
    const char *from, *to, *message;
    unsigned line;
} bad[] = {
    {"\"schema\": 1", "\"schema\": 2", "schema 2; this version reads 1", 1},
    {"\"schema\": 1, ", "", "key \"schema\" is missing", 1},
    {"\"memory_bw\": 1000", "\"memory_bw\": 0", "memory_bw", 2},
    {"\"license\": \"y\"", "\"license\": \"y\", \"mood\": 1", "mood", 2},
    {"\"all_reduce\"", "\"all_produce\"", "no kernel has the name 'all_produce'", 4},
    {"\"bytes\": [", "\"octets\": [", "axis octets of all_reduce; expected bytes", 5},
    {", \"gpus\": [2]", "", "all_reduce has no axis gpus", 5},
    {"\"gpus\": [2]", "\"gpus\": [2], \"more\": [1]", "axis more of all_reduce; expected no more",
     5},
    {"[1024, 4096]", "[4096, 1024]", "ascending numbers", 5},
    {"[1024, 4096]", "[0, 4096]", "ascending numbers", 5},
    {"[1024, 4096]", "[]", "the axis has no nodes", 5},
    {"[1024, 4096]", "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25]",
     "expected at most 24", 5},
    {"[100, -250]", "[100]", "1 values; expected 2, as the axes say", 6},
    {"[100, -250]", "[100, -250, 3]", "3 values; expected 2, as the axes say", 6},
    {"[100, -250]", "[100, \"x\"]", "expected a number from -20000 to 20000", 6},
    {"[100, -250]", "[100, 20001]", "expected a number from -20000 to 20000", 6},
    {"{\"kernel\"", "7, {\"kernel\"", "expected an object", 4},
};

Test(kernel_files, what_is_refused_and_where)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct llmsim_kernels *kernels;
        cr_expect_eq(open_changed(bad[i].from, bad[i].to, &kernels), LLMSIM_CATALOGUE, "%s",
                     bad[i].to);
        cr_expect_null(kernels);
        cr_expect_not_null(strstr(err.message, bad[i].message), "%s; expected %s", err.message,
                           bad[i].message);
        cr_expect_eq(err.line, bad[i].line, "%s: line %u; expected %u", bad[i].to,
                     (unsigned)err.line, bad[i].line);
        cr_expect_not_null(strstr(err.file, "s_e.json"));
    }
}

Test(kernel_files, an_engine_that_was_not_measured)
{
    struct llmsim_kernels *kernels;
    char *dir = catalogue_dir();
    cr_expect_eq(llmsim_kernels_open(dir, "s", "e", &kernels, &err), LLMSIM_IO);
    cr_expect_null(kernels);
    remove_dir(dir);
}

/* ---- the fit ---- */

#define BANDWIDTH 1e12
#define OPERATIONS 1e14
#define CACHE_BYTES 96e6

/* Of a GPU that takes 2 µs and then reads weights at 0.8 of its peak (in the benchmark's cache 1.6
 * times as fast) and multiplies at 0.5 of it. */
static double gemm_s(double m, double n, double k, bool in_cache)
{
    double bytes = 2 * n * k + 2 * m * (n + k);
    return 2e-6 +
           fmax(bytes / (BANDWIDTH * (in_cache ? 1.6 : 0.8)), 2 * m * n * k / (0.5 * OPERATIONS));
}

static const double sizes_of_table[] = {1024, 1536, 2048, 2560, 3072,
                                        4096, 5120, 6144, 8192, 12288};
#define N_SIZES (sizeof sizes_of_table / sizeof *sizes_of_table)

/* slow: what one in three widths takes longer. */
static void write_gemms(const char *dir, double slow, bool has_cache)
{
    char path[300];
    (void)snprintf(path, sizeof path, "%s/gemm.csv", dir);
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    (void)fputs("gemm_dtype,m,n,k,latency_ms\n", f);
    for (double m = 1; m <= 8192; m *= 2)
        for (size_t i = 0; i < N_SIZES; i++)
            for (size_t j = 0; j < N_SIZES; j++) {
                double n = sizes_of_table[i], k = sizes_of_table[j];
                double s = gemm_s(m, n, k, has_cache && 6 * 2 * n * k < CACHE_BYTES);
                (void)fprintf(f, "bfloat16,%.0f,%.0f,%.0f,%.9g\n", m, n, k,
                              1000 * s * (i % 3 == 1 ? slow : 1));
            }
    cr_assert_eq(fclose(f), 0);
}

static void keep_error(void *ctx, const struct llmsim_kernels_error *error)
{
    *(struct llmsim_kernels_error *)ctx = *error;
}

static struct llmsim_kernels_source source_of(const char *dir)
{
    return (struct llmsim_kernels_source){
        .tables = dir,
        .system = "s",
        .gpu = "g",
        .engine = "e",
        .version = "1",
        .peaks = {.bytes_per_s = BANDWIDTH, .bf16_per_s = OPERATIONS, .cache_bytes = CACHE_BYTES},
        .source = "test",
        .license = "none"};
}

/* Fit the tables of a folder and read the file. */
static struct llmsim_kernels *fit_tables(const char *dir, struct llmsim_kernels_error *error)
{
    const struct llmsim_kernels_source source = source_of(dir);
    struct llmsim_kernels *kernels;
    char path[300];
    (void)snprintf(path, sizeof path, "%s/kernels/s_e.json", dir);
    cr_assert_eq(llmsim_kernels_fit(&source, path, keep_error, error, &err), LLMSIM_OK, "%s",
                 err.message);
    cr_assert_eq(llmsim_kernels_open(dir, "s", "e", &kernels, &err), LLMSIM_OK, "%s", err.message);
    return kernels;
}

static double predicted_s(const struct llmsim_kernels *kernels, double m, double n, double k)
{
    const struct llmsim_lattice *lattice = llmsim_kernels_find(kernels, KERNEL_GEMM, "bf16");
    cr_assert_not_null(lattice);
    return roofline_gemm_s(llmsim_kernels_peaks(kernels), "bf16", m, n, k) *
           exp(llmsim_lattice_at(lattice, (double[]){m, n, k}));
}

/* A server's weights come from memory, also those that the benchmark's cache could hold. */
Test(kernel_files, weights_that_stayed_in_the_cache_do_not_count)
{
    char *dir = catalogue_dir();
    struct llmsim_kernels_error error;
    write_gemms(dir, 1, true);
    struct llmsim_kernels *kernels = fit_tables(dir, &error);
    cr_expect_lt(error.n_rows, 14 * N_SIZES * N_SIZES);
    cr_expect_lt(error.mean_percent, 3);
    for (double m = 1; m <= 32; m *= 4)
        for (double n = 2048; n <= 8192; n *= 2) {
            double s = predicted_s(kernels, m, n, 2048), expected = gemm_s(m, n, 2048, false);
            cr_expect_lt(fabs(s / expected - 1), 0.08, "%g × %g: %g s; expected %g", m, n, s,
                         expected);
        }
    llmsim_kernels_close(kernels);
    remove_dir(dir);
}

static unsigned n_widths(const struct llmsim_kernels *kernels)
{
    return llmsim_kernels_find(kernels, KERNEL_GEMM, "bf16")->axes[1].n;
}

/* Widths that go by a slower kernel, in between others: coarse nodes cannot follow. */
Test(kernel_files, fine_nodes_are_taken_where_they_pay)
{
    char *dir = catalogue_dir();
    struct llmsim_kernels_error smooth, erratic;
    write_gemms(dir, 1, false);
    struct llmsim_kernels *kernels = fit_tables(dir, &smooth);
    unsigned n_coarse = n_widths(kernels);
    llmsim_kernels_close(kernels);
    write_gemms(dir, 2, false);
    kernels = fit_tables(dir, &erratic);
    cr_expect_gt(n_widths(kernels), n_coarse);
    cr_expect_lt(smooth.mean_percent, 4);
    cr_expect_lt(erratic.mean_percent, 8);
    cr_expect_lt(fabs(predicted_s(kernels, 64, 2048, 8192) / gemm_s(64, 2048, 8192, false) - 1),
                 0.08);
    cr_expect_lt(
        fabs(predicted_s(kernels, 64, 1536, 8192) / (2 * gemm_s(64, 1536, 8192, false)) - 1), 0.08);
    llmsim_kernels_close(kernels);
    remove_dir(dir);
}

/* An all-reduce of 10 µs and 200 GB/s, and one that no server runs. */
static void write_all_reduces(const char *dir, unsigned most_gpus, double most_elements)
{
    char path[300];
    (void)snprintf(path, sizeof path, "%s/custom_allreduce.csv", dir);
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    (void)fputs("num_gpus,message_size,backend,latency_ms\n", f);
    for (unsigned gpus = 2; gpus <= most_gpus; gpus *= 2)
        for (double elements = 128; elements <= most_elements; elements *= 2) {
            double s = 10e-6 + 2 * elements / 200e9;
            (void)fprintf(f, "%u,%.0f,graph,%.9g\n%u,%.0f,eager,1\n", gpus, elements, 1000 * s,
                          gpus, elements);
        }
    cr_assert_eq(fclose(f), 0);
}

/* Too few rows for a tenth to judge them: all of them are judged, each by a fit without it. */
Test(kernel_files, small_tables_are_judged_on_every_row)
{
    char *dir = catalogue_dir();
    struct llmsim_kernels_error error;
    write_all_reduces(dir, 8, 1 << 28);
    struct llmsim_kernels *kernels = fit_tables(dir, &error);
    cr_expect_eq(error.n_rows, 3 * 22);
    cr_expect_eq(error.n_held_out, 3 * 22);
    cr_expect_lt(error.mean_percent, 3);
    const struct llmsim_lattice *lattice = llmsim_kernels_find(kernels, KERNEL_ALL_REDUCE, "bf16");
    cr_assert_not_null(lattice);
    double bytes = 1 << 20;
    double s = roofline_all_reduce_s(bytes) * exp(llmsim_lattice_at(lattice, (double[]){bytes, 4}));
    cr_expect_lt(fabs(s / (10e-6 + bytes / 200e9) - 1), 0.03, "%g s", s);
    llmsim_kernels_close(kernels);
    remove_dir(dir);
}

/* Two axes: 20 rows at least. */
Test(kernel_files, ten_rows_an_axis_are_the_least)
{
    char *dir = catalogue_dir();
    struct llmsim_kernels_error error;
    write_all_reduces(dir, 4, 128 << 9);
    llmsim_kernels_close(fit_tables(dir, &error));
    cr_expect_eq(error.n_rows, 20);
    write_all_reduces(dir, 2, 128 << 18);
    const struct llmsim_kernels_source source = source_of(dir);
    char path[300];
    (void)snprintf(path, sizeof path, "%s/kernels/few.json", dir);
    cr_expect_eq(llmsim_kernels_fit(&source, path, NULL, NULL, &err), LLMSIM_IO);
    cr_expect_eq(access(path, F_OK), -1);
    remove_dir(dir);
}
