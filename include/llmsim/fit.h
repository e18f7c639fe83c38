/* fit.h: from measured steps to the coefficients of a cost model (docs/fit.md).
 *
 * A profile is a CSV file of measurements; it is read, grouped by model, GPU and tensor parallel
 * size, and each group is fitted: the two-number model by plain regression, and formula 9 of
 * docs/model.md by regression with coefficients of 0 or more, relative errors and weights that keep
 * outliers small. */
#ifndef LLMSIM_FIT_H
#define LLMSIM_FIT_H

#include "llmsim/catalogue.h"
#include "llmsim/cost.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, text in the file): what a measurement is of. */
#define LLMSIM_FIT_PHASE_LIST(X)                                                                   \
    X(PREFILL, "prefill") /* a step of batch_size prompts */                                       \
    X(DECODE, "decode")   /* a step of batch_size decodes */                                       \
    X(MIXED, "mixed")     /* a step of one prompt's chunk beside batch_size decodes */             \
    X(BATCH, "batch")     /* a whole batch: the prompts' step, and all decode steps after it */

enum llmsim_fit_phase {
#define X(name, text) LLMSIM_FIT_##name,
    LLMSIM_FIT_PHASE_LIST(X)
#undef X
        LLMSIM_FIT_N_PHASES
};
LLMSIM_API const char *llmsim_fit_phase_name(enum llmsim_fit_phase phase);

/* A measurement. */
struct llmsim_fit_row {
    enum llmsim_fit_phase phase;
    struct llmsim_step_shape shape; /* the step; BATCH: that of the prompts */
    /* BATCH: the decode steps after it, all of decode_seqs requests. */
    uint64_t n_decode_steps;
    uint32_t decode_seqs;
    uint64_t context_tokens; /* of all of them together */
    double latency_s;        /* over 0 */
};

/* The measurements of a model on so many GPUs of a kind, in the order of the file. */
struct llmsim_fit_group {
    struct llmsim_fit_key key;
    struct llmsim_fit_row *rows;
    size_t n_rows;
};

struct llmsim_fit_profile {
    struct llmsim_fit_group *groups; /* in the order of their first rows */
    size_t n_groups;
    /* Of the file; of several, that of their SHA-256s in hexadecimal, a line each. */
    char sha256[LLMSIM_SHA256_HEX + 1];
};

/* Read profiles. Errors: LLMSIM_CATALOGUE with FILE:LINE:COLUMN, LLMSIM_IO. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_fit_profile_read(const char *const *paths, size_t n_paths,
                        struct llmsim_fit_profile *profile, struct llmsim_error *err);
LLMSIM_API void llmsim_fit_profile_close(struct llmsim_fit_profile *profile);

/* Relative errors of a set of measurements, in %. */
struct llmsim_fit_errors {
    size_t n;
    double mape;
    double p95;
    double worst;
};

/* The sets that errors are given for. */
enum llmsim_fit_set {
    LLMSIM_FIT_SET_ALL,
    LLMSIM_FIT_SET_PREFILL,
    LLMSIM_FIT_SET_LONG_PREFILL, /* over 256 prompt tokens in the step */
    LLMSIM_FIT_SET_DECODE,
    LLMSIM_FIT_SET_MIXED,
    LLMSIM_FIT_SET_BATCH,
    LLMSIM_FIT_N_SETS
};
#define LLMSIM_FIT_LONG_PREFILL 256u
LLMSIM_API const char *llmsim_fit_set_name(enum llmsim_fit_set set);

/* A model's errors on what it was fitted to, and on each fifth of it fitted without that fifth. */
struct llmsim_fit_model_errors {
    struct llmsim_fit_errors fitted[LLMSIM_FIT_N_SETS];
    struct llmsim_fit_errors held_out[LLMSIM_FIT_N_SETS];
};

#define LLMSIM_FIT_N_COEFFICIENTS (sizeof(struct llmsim_fitted) / sizeof(double))

/* A coefficient of struct llmsim_fitted, in its order. */
struct llmsim_fit_coefficient {
    const char *name;
    double value;
    double low, high;     /* 95 % confidence, not below 0; both 0 where it is at a bound */
    bool is_at_bound;     /* 0, or mixed_context_s as small as context_s */
    const char *left_out; /* why it was not fitted; NULL: it was, though it may be 0 */
    bool is_tied;         /* left out, but not 0: it is another one */
};

struct llmsim_fit_report {
    struct llmsim_fit fit; /* for the catalogue, but for profile_sha256 */
    struct llmsim_fit_coefficient coefficients[LLMSIM_FIT_N_COEFFICIENTS];
    double ptps_low, ptps_high; /* 95 % confidence of fit.ptps_tokens_per_s; 0: no prefill rows */
    /* Effective bandwidth of the two-number model, of all GPUs together; 0: sizes or decodes are
     * not known. */
    double bandwidth_bytes_per_s;
    struct llmsim_fit_model_errors richer, two_number; /* of the latter only sets that it can do */
    double *predicted_s;                               /* of each row, by the richer model */
};

/* What the two-number model needs to know; 0 and 0: its decodes are left out. */
struct llmsim_fit_sizes {
    double weight_bytes;
    double kv_bytes_per_token;
};

/* Fit a group. LLMSIM_CATALOGUE if the measurements cannot tell a coefficient; the message says
 * which others would. Cost: some hundred regressions, 3 s for 5,000 rows. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_fit_group_run(const struct llmsim_fit_group *group, const struct llmsim_fit_sizes *sizes,
                     struct llmsim_fit_report *report, struct llmsim_error *err);
LLMSIM_API void llmsim_fit_report_fini(struct llmsim_fit_report *report);

/* What a cost says of a measurement, in seconds. */
LLMSIM_API double llmsim_fit_predict(const struct llmsim_fitted *fitted,
                                     const struct llmsim_fit_row *row);

#ifdef __cplusplus
}
#endif
#endif
