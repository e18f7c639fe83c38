/* fit_kernels.c: from tables of measured kernels to a file of data/kernels.
 *
 * Each kind of kernel reads its table; its rows fall into variants (a number format, a regime),
 * each of which becomes a lattice. A tenth of the shapes, by a hash of the shape, is left out of a
 * first fit and judges it; the lattice that is written is fitted to all. Where a kind has two sets
 * of nodes, another tenth chooses. */
#include <errno.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel_kinds.h"
#include "kernels_file.h"
#include "output.h"
#include "parts.h"
#include "table.h"
#include "utf8.h"

#define MAX_VARIANTS 64
#define N_FOLDS 10
#define JUDGING_FOLD 0
#define CHOOSING_FOLD 1
/* A tenth of fewer rows says nothing: each tenth in turn judges a fit to the others. */
#define FEW_ROWS 500
/* What a fine set of nodes, with twice as many values, has to take off the mean error. */
#define SAVED_PERCENT 0.6
/* With fewer for each axis there is no lattice worth having. */
#define MIN_SAMPLES_AN_AXIS 10

struct variant {
    char name[KERNEL_MAX_VARIANT];
    struct kernel_sample *samples;
    size_t n, capacity;
};

struct fitting {
    const struct llmsim_kernels_source *source;
    const struct kernel_kind *kind;
    struct variant variants[MAX_VARIANTS];
    size_t n_variants;
};

static enum llmsim_status out_of_memory(struct llmsim_error *err)
{
    return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
}

/* ---- tables ---- */

static enum llmsim_status add_sample(struct fitting *f, const struct kernel_sample *sample,
                                     struct llmsim_error *err)
{
    size_t i = 0;
    while (i < f->n_variants && strcmp(f->variants[i].name, sample->variant) != 0)
        i++;
    if (i == MAX_VARIANTS)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "%s: more than %d variants", f->kind->name,
                           MAX_VARIANTS);
    struct variant *v = &f->variants[i];
    if (i == f->n_variants) {
        memcpy(v->name, sample->variant, sizeof v->name);
        f->n_variants++;
    }
    if (v->n == v->capacity) {
        size_t capacity = v->capacity * 2 + 1024;
        struct kernel_sample *samples = realloc(v->samples, capacity * sizeof *samples);
        if (samples == NULL)
            return out_of_memory(err);
        v->samples = samples;
        v->capacity = capacity;
    }
    v->samples[v->n++] = *sample;
    return LLMSIM_OK;
}

static enum llmsim_status read_number(const struct llmsim_table *table, size_t column,
                                      double *number, struct llmsim_error *err)
{
    const struct llmsim_csv_field *field = llmsim_table_field(table, column);
    char *end;
    *number = strtod(field->text, &end);
    if (field->length == 0 || *end != '\0' || !(*number > 0 && *number < 1e9))
        return llmsim_table_fail(table, column, "is no time; expected ms, over 0", err);
    return LLMSIM_OK;
}

static enum llmsim_status read_rows(struct fitting *f, struct llmsim_table *table,
                                    struct llmsim_error *err)
{
    size_t columns[KERNEL_MAX_COLUMNS], n = 0;
    for (; f->kind->columns[n] != NULL; n++)
        columns[n] = llmsim_table_column(table, f->kind->columns[n]);
    size_t latency = llmsim_table_column(table, "latency_ms");
    if (latency == LLMSIM_NO_COLUMN)
        return llmsim_table_fail_header(table, err, "column latency_ms is missing");
    for (bool ended = false;;) {
        struct kernel_row row = {.seconds = 0};
        struct kernel_sample sample = {.shape = 0};
        enum llmsim_status status = llmsim_table_next(table, &ended, err);
        if (status != LLMSIM_OK || ended)
            return status;
        double ms;
        status = read_number(table, latency, &ms, err);
        if (status != LLMSIM_OK)
            return status;
        row.seconds = ms / 1000;
        for (size_t i = 0; i < n; i++) {
            row.text[i] =
                columns[i] == LLMSIM_NO_COLUMN ? "" : llmsim_table_field(table, columns[i])->text;
            row.number[i] = strtod(row.text[i], NULL);
        }
        if (f->kind->sample(&row, &f->source->peaks, &sample))
            status = add_sample(f, &sample, err);
        if (status != LLMSIM_OK)
            return status;
    }
}

/* Reads the table of the kind, where the folder has one. */
static enum llmsim_status read_table(struct fitting *f, struct llmsim_error *err)
{
    static const char *const suffixes[] = {".csv.zst", ".csv.gz", ".csv"};
    const char *const names[] = {f->kind->table, f->kind->also};
    for (size_t i = 0; i < 2 && names[i] != NULL; i++)
        for (size_t s = 0; s < sizeof suffixes / sizeof *suffixes; s++) {
            char path[LLMSIM_ERROR_FILE_MAX];
            struct llmsim_table table;
            int length =
                snprintf(path, sizeof path, "%s/%s%s", f->source->tables, names[i], suffixes[s]);
            if (length >= (int)sizeof path)
                return llmsim_fail(err, LLMSIM_USAGE, "the path %.40s… is too long", path);
            if (access(path, F_OK) != 0)
                continue;
            enum llmsim_status status = llmsim_table_open(&table, path, err);
            if (status != LLMSIM_OK)
                return status;
            status = read_rows(f, &table, err);
            llmsim_table_close(&table);
            return status;
        }
    return LLMSIM_OK;
}

/* ---- fits ---- */

static bool has_enough(const struct kernel_kind *kind, const struct variant *v)
{
    size_t n_axes = 0;
    while (n_axes < LLMSIM_LATTICE_MAX_AXES && kind->axes[n_axes].name != NULL)
        n_axes++;
    return v->n >= n_axes * MIN_SAMPLES_AN_AXIS;
}

static unsigned fold_of(const struct kernel_sample *sample)
{
    return (unsigned)(sample->shape % N_FOLDS);
}

/* The axes, each cut to the nodes that the samples reach. */
static void set_axes(const struct kernel_axis *axes, const struct variant *v,
                     struct llmsim_lattice *lattice)
{
    for (unsigned a = 0; a < LLMSIM_LATTICE_MAX_AXES && axes[a].name != NULL; a++) {
        const struct kernel_axis *axis = &axes[a];
        if (strcmp(axis->name, KERNEL_PART_AXIS) == 0) {
            llmsim_lattice_add_axis(lattice, axis->nodes, axis->n);
            continue;
        }
        double low = INFINITY, high = 0;
        for (size_t i = 0; i < v->n; i++) {
            low = fmin(low, v->samples[i].at.point[a]);
            high = fmax(high, v->samples[i].at.point[a]);
        }
        unsigned first = 0, last = axis->n - 1;
        while (first < last && axis->nodes[first + 1] <= low)
            first++;
        while (last > first && axis->nodes[last - 1] >= high)
            last--;
        llmsim_lattice_add_axis(lattice, axis->nodes + first, last - first + 1);
    }
}

/* A lattice of all samples but those of some folds: bit i is of fold i. */
static enum llmsim_status fit_samples(const struct kernel_axis *axes, const struct variant *v,
                                      unsigned left_out, struct llmsim_lattice *lattice,
                                      struct llmsim_error *err)
{
    struct llmsim_lattice_sample *samples = malloc(v->n * sizeof *samples);
    size_t n = 0;
    *lattice = (struct llmsim_lattice){0};
    if (samples == NULL)
        return out_of_memory(err);
    for (size_t i = 0; i < v->n; i++)
        if ((left_out >> fold_of(&v->samples[i]) & 1) == 0)
            samples[n++] = v->samples[i].at;
    set_axes(axes, v, lattice);
    enum llmsim_status status = llmsim_lattice_alloc(lattice, err);
    if (status == LLMSIM_OK)
        status = llmsim_lattice_fit(lattice, samples, n, err);
    free(samples);
    return status;
}

/* How far off predictions are, in per cent of what was measured. */
struct errors {
    double *percent; /* without their signs; room for all samples of a variant */
    double sum;      /* with them */
    size_t n;
};

/* Errors of the shapes of a fold, which the fit has not seen, nor those of the other folds that are
 * left out. */
static enum llmsim_status judge(const struct kernel_axis *axes, const struct variant *v,
                                unsigned fold, unsigned left_out, struct errors *errors,
                                struct llmsim_error *err)
{
    struct llmsim_lattice lattice;
    enum llmsim_status status = fit_samples(axes, v, left_out | 1u << fold, &lattice, err);
    for (size_t i = 0; i < v->n && status == LLMSIM_OK; i++) {
        const struct kernel_sample *s = &v->samples[i];
        if (fold_of(s) != fold || !s->is_judged)
            continue;
        double off = 100 * (exp(llmsim_lattice_predict(&lattice, &s->at) - s->at.value) - 1);
        errors->sum += off;
        errors->percent[errors->n++] = fabs(off);
    }
    llmsim_lattice_fini(&lattice);
    return status;
}

/* The set of nodes to take: the fine one, if the kind has one and it is much better. */
static enum llmsim_status choose_axes(const struct kernel_kind *kind, const struct variant *v,
                                      struct errors *errors, const struct kernel_axis **axes,
                                      struct llmsim_error *err)
{
    const struct kernel_axis *const sets[] = {kind->axes, kind->fine_axes};
    double mean[2] = {0, 0};
    *axes = kind->axes;
    if (kind->fine_axes[0].name == NULL)
        return LLMSIM_OK;
    for (size_t i = 0; i < 2; i++) {
        errors->n = 0;
        enum llmsim_status status =
            judge(sets[i], v, CHOOSING_FOLD, 1u << JUDGING_FOLD, errors, err);
        if (status != LLMSIM_OK)
            return status;
        mean[i] = errors->n > 0 ? gsl_stats_mean(errors->percent, 1, errors->n) : 0;
    }
    if (mean[0] - mean[1] > SAVED_PERCENT)
        *axes = kind->fine_axes;
    return LLMSIM_OK;
}

/* Errors of shapes that the lattice has not seen: of one fold, or of each in turn. */
static enum llmsim_status judge_variant(const struct kernel_axis *axes, const struct variant *v,
                                        struct errors *errors, struct llmsim_kernels_error *error,
                                        struct llmsim_error *err)
{
    enum llmsim_status status = LLMSIM_OK;
    unsigned n_folds = v->n < FEW_ROWS ? N_FOLDS : 1;
    errors->n = 0;
    errors->sum = 0;
    for (unsigned fold = 0; fold < n_folds && status == LLMSIM_OK; fold++)
        status = judge(axes, v, JUDGING_FOLD + fold, 0, errors, err);
    error->n_rows = v->n;
    error->n_held_out = errors->n;
    if (status == LLMSIM_OK && errors->n > 0) {
        gsl_sort(errors->percent, 1, errors->n);
        error->mean_percent = gsl_stats_mean(errors->percent, 1, errors->n);
        error->p90_percent =
            gsl_stats_quantile_from_sorted_data(errors->percent, 1, errors->n, 0.9);
        /* To the digit that is shown: no minus before a zero. */
        error->bias_percent = round(10 * errors->sum / (double)errors->n) / 10 + 0.0;
    }
    return status;
}

/* ---- the file ---- */

static void write_format(struct llmsim_output *out, const char *format, ...) LLMSIM_PRINTF(2, 3);
static void write_format(struct llmsim_output *out, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    llmsim_output_text(out, text);
}

#define FEW_A_LINE 6
static void write_lattice(struct llmsim_output *out, const struct kernel_kind *kind,
                          const struct llmsim_lattice *lattice)
{
    llmsim_output_text(out, "      \"axes\": {");
    for (unsigned a = 0; a < lattice->n_axes; a++) {
        write_format(out, "%s\"%s\": [", a > 0 ? ", " : "", kind->axes[a].name);
        for (unsigned i = 0; i < lattice->axes[a].n; i++)
            write_format(out, "%s%.9g", i > 0 ? ", " : "", lattice->axes[a].node[i]);
        llmsim_output_text(out, "]");
    }
    llmsim_output_text(out, "},\n      \"values\": [");
    const struct llmsim_lattice_axis *last = &lattice->axes[lattice->n_axes - 1];
    unsigned a_line = last->n;
    if (lattice->n_axes > 1 && last->n < FEW_A_LINE)
        a_line *= last[-1].n;
    for (size_t i = 0, column = 0; i < lattice->n_values; i++) {
        write_format(out, "%s%s%.0f", i > 0 ? "," : "", column == 0 ? "\n        " : "",
                     round(lattice->values[i] * KERNELS_VALUE_UNITS) + 0.0);
        column = column + 1 < a_line ? column + 1 : 0;
    }
    llmsim_output_text(out, "]\n    }");
}

static enum llmsim_status write_variant(const struct fitting *f, const struct variant *v,
                                        struct llmsim_output *out, bool is_first,
                                        struct llmsim_kernels_error *error,
                                        struct llmsim_error *err)
{
    struct llmsim_lattice lattice;
    struct errors errors = {.percent = malloc(v->n * sizeof *errors.percent)};
    const struct kernel_axis *axes;
    *error = (struct llmsim_kernels_error){.kernel = f->kind->name, .variant = v->name};
    if (errors.percent == NULL)
        return out_of_memory(err);
    enum llmsim_status status = choose_axes(f->kind, v, &errors, &axes, err);
    if (status == LLMSIM_OK)
        status = judge_variant(axes, v, &errors, error, err);
    free(errors.percent);
    if (status != LLMSIM_OK)
        return status;
    status = fit_samples(axes, v, 0, &lattice, err);
    if (status == LLMSIM_OK) {
        write_format(out,
                     "%s\n    {\n      \"kernel\": \"%s\", \"variant\": \"%s\", \"rows\": %zu,\n",
                     is_first ? "" : ",", error->kernel, error->variant, error->n_rows);
        write_format(out,
                     "      \"held_out\": {\"rows\": %zu, \"mean_percent\": %.1f, \"p90_percent\": "
                     "%.1f, \"bias_percent\": %.1f},\n",
                     error->n_held_out, error->mean_percent, error->p90_percent,
                     error->bias_percent);
        write_lattice(out, f->kind, &lattice);
    }
    llmsim_lattice_fini(&lattice);
    return status;
}

/* Can it stand in quotes as it is? */
static bool is_plain(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && length <= LLMSIM_MAX_NAME && strpbrk(text, "\"\\") == NULL &&
           llmsim_utf8_is_plain(text, length);
}

static void write_head(const struct llmsim_kernels_source *s, struct llmsim_output *out)
{
    write_format(
        out,
        "{\n  \"schema\": %d,\n  \"system\": \"%s\",\n  \"gpu\": \"%s\",\n  \"engine\": \"%s\",\n",
        KERNELS_SCHEMA, s->system, s->gpu, s->engine);
    write_format(out, "  \"engine_version\": \"%s\",\n  \"source\": \"%s\",\n", s->version,
                 s->source);
    write_format(
        out,
        "  \"license\": \"%s\",\n  \"memory_bw\": %.9g,\n  \"bf16_tflops\": %.9g,\n  "
        "\"fp8_tflops\": %.9g,\n  \"fp4_tflops\": %.9g,\n  \"cache_mb\": %.9g,\n  \"kernels\": [",
        s->license, s->peaks.bytes_per_s / 1e9, s->peaks.bf16_per_s / 1e12,
        s->peaks.fp8_per_s / 1e12, s->peaks.fp4_per_s / 1e12, s->peaks.cache_bytes / 1e6);
}

static void free_variants(struct fitting *f)
{
    for (size_t i = 0; i < f->n_variants; i++)
        free(f->variants[i].samples);
    memset(f->variants, 0, sizeof f->variants);
    f->n_variants = 0;
}

enum llmsim_status llmsim_kernels_fit(const struct llmsim_kernels_source *source, const char *path,
                                      void (*on_kernel)(void *ctx,
                                                        const struct llmsim_kernels_error *error),
                                      void *ctx, struct llmsim_error *err)
{
    enum llmsim_status missing = LLMSIM_CHECK_PARTS(
        "the source of a kernel catalogue", err, {source->tables != NULL, "folder of tables"},
        {source->system != NULL, "system"}, {source->engine != NULL, "engine"},
        {source->version != NULL, "version"}, {source->source != NULL, "source"},
        {source->license != NULL, "license"});
    if (missing != LLMSIM_OK)
        return missing;
    struct fitting *f = calloc(1, sizeof *f);
    struct llmsim_output out;
    bool is_first = true;
    const char *const texts[] = {source->system,  source->gpu,    source->engine,
                                 source->version, source->source, source->license};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!is_plain(texts[i])) {
            free(f);
            return llmsim_fail(err, LLMSIM_USAGE,
                               "a text for the file has a quote, a backslash or a control "
                               "character, or is empty or longer than %d bytes",
                               LLMSIM_MAX_NAME);
        }
    if (f == NULL)
        return out_of_memory(err);
    f->source = source;
    enum llmsim_status status = llmsim_output_open(&out, path, LLMSIM_COMPRESS_NONE, err);
    if (status != LLMSIM_OK) {
        free(f);
        return status;
    }
    write_head(source, &out);
    for (size_t k = 0; k < N_KERNEL_KINDS && status == LLMSIM_OK; k++) {
        f->kind = &kernel_kinds[k];
        status = read_table(f, err);
        for (size_t i = 0; i < f->n_variants && status == LLMSIM_OK; i++) {
            struct llmsim_kernels_error error;
            if (!has_enough(f->kind, &f->variants[i]))
                continue;
            status = write_variant(f, &f->variants[i], &out, is_first, &error, err);
            is_first = false;
            if (status == LLMSIM_OK && on_kernel != NULL)
                on_kernel(ctx, &error);
        }
        free_variants(f);
    }
    llmsim_output_text(&out, "\n  ]\n}\n");
    if (status == LLMSIM_OK && is_first)
        status = llmsim_fail(err, LLMSIM_IO, "%s has no table of a kernel that is known",
                             source->tables);
    if (status == LLMSIM_OK)
        status = llmsim_output_finish(&out, err);
    if (status == LLMSIM_OK)
        status = llmsim_output_commit(&out, err);
    llmsim_output_close(&out);
    free(f);
    return status;
}
