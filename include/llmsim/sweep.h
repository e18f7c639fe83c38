/* sweep.h: many configurations over one trace: the trace in memory, the grid, the points' numbers,
 * and a directory that keeps what is finished.
 *
 * The parts stand alone. A program that wants a thousand replays: llmsim_memory_trace_read once,
 * then llmsim_simulate_point from as many threads as it likes, each with its own description. One
 * that wants them to survive a kill: llmsim_sweep_open on a directory, and llmsim_sweep_run with
 * what computes a point's row. docs/sweeps.md says what users see. */
#ifndef LLMSIM_SWEEP_H
#define LLMSIM_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmsim/expense.h"
#include "llmsim/json_document.h"
#include "llmsim/ratio.h"
#include "llmsim/results.h"
#include "llmsim/status.h"
#include "llmsim/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the trace, once ---- */

/* All requests of a trace, at its own rate and without the texts of their ids. Read-only once it is
 * read: any number of threads may have sources over it. */
struct llmsim_memory_trace {
    struct llmsim_request *requests;
    size_t n;
    struct llmsim_trace *trace;  /* borrowed; it has to outlive this */
    struct llmsim_source source; /* its names of classes and its prefixes */
    struct llmsim_trace_status status;
};

/* Read `trace`, which must be open with rate_scale 1 and not read before, to its end. Errors: what
 * its read returns; LLMSIM_RUN_FAILED (memory). On failure there is nothing to fini. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_memory_trace_read(struct llmsim_trace *trace, struct llmsim_memory_trace *memory,
                         struct llmsim_error *err);
LLMSIM_API void llmsim_memory_trace_fini(struct llmsim_memory_trace *memory);

/* A source over it, with arrivals rate_scale times as fast, to the nanosecond what a trace that is
 * opened with that rate_scale gives. `cursor` is its state, which the caller owns. LLMSIM_TRACE for
 * an arrival that comes to lie after LLMSIM_MAX_ARRIVAL_NS. */
struct llmsim_memory_cursor {
    const struct llmsim_memory_trace *memory;
    struct llmsim_ratio rate_scale;
    size_t next;
};
LLMSIM_API struct llmsim_source llmsim_memory_source(struct llmsim_memory_cursor *cursor);

/* ---- a point ---- */

struct llmsim_point {
    struct llmsim_summary summary;
    struct llmsim_point_classes *classes; /* behind the summary's */
    uint32_t n_replicas;
};

/* Replay the trace as the description says: its config, its rate_scale, its SLO. Its trace is set
 * to that of `memory`. The summary is that of the same replay alone. Thread-safe. On failure there
 * is nothing to fini. Errors: those of llmsim_replay. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_simulate_point(const struct llmsim_memory_trace *memory,
                      struct llmsim_run_description *description, struct llmsim_point *point,
                      struct llmsim_error *err);
LLMSIM_API void llmsim_point_fini(struct llmsim_point *point);

/* Write the summary.json of the point to DIR/NUMBER.json (six digits or more); DIR is made if it is
 * not there. Errors: LLMSIM_IO, LLMSIM_RUN_FAILED. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_point_write_summary(struct llmsim_point *point,
                           const struct llmsim_run_description *description, const char *dir,
                           uint64_t number, struct llmsim_error *err);

/* ---- the border between good and bad ---- */

#define LLMSIM_SEARCH_MAX_VIOLATIONS 8

/* A question about whole numbers, which is expected to have one answer on one side of a border and
 * the other on the other. */
struct llmsim_search {
    void *ctx;
    enum llmsim_status (*is_good)(void *ctx, uint64_t value, bool *good, struct llmsim_error *err);
    uint64_t min, max;   /* 1 or more; max at most 2^62 */
    uint64_t start;      /* where to begin */
    double tolerance;    /* the border is known when the two sides are within this share; 0: when
                          * they are neighbours */
    bool larger_is_good; /* else the good values are the small ones */
};

struct llmsim_search_result {
    uint64_t good;     /* the last good value before the border; 0: none is good */
    uint64_t bad;      /* the first bad one behind it; 0: none is bad */
    uint64_t n_probes; /* how often is_good was asked */
    /* Values on the good side that are bad, or the other way round: then there is more than one
     * border, and this is one of them. */
    uint64_t violations[LLMSIM_SEARCH_MAX_VIOLATIONS];
    size_t n_violations;
};

/* Doubling or halving from `start` to a good and a bad value, then bisection; then up to four
 * values on either side, a tenth to twice away, are asked, too. Returns what is_good returns. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_search_border(const struct llmsim_search *search, struct llmsim_search_result *result,
                     struct llmsim_error *err);

/* ---- the grid ---- */

/* Points as combinations of settings, all of them texts: names of options and their values, as a
 * user writes them. An axis holds one setting, or several that change together; the points are all
 * combinations of the axes, the last of which changes fastest. */
struct llmsim_grid;

#define LLMSIM_MAX_POINTS UINT64_C(100000000)

/* LLMSIM_RUN_FAILED (memory). */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status llmsim_grid_create(struct llmsim_grid **grid,
                                                                   struct llmsim_error *err);
LLMSIM_API void llmsim_grid_destroy(struct llmsim_grid *grid);

/* One setting, the same in all points; or an axis of n values. Texts are copied. LLMSIM_USAGE if
 * the grid has the setting already, or there are more points than LLMSIM_MAX_POINTS. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status llmsim_grid_fix(struct llmsim_grid *grid,
                                                                const char *name, const char *value,
                                                                struct llmsim_error *err);
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_grid_add_axis(struct llmsim_grid *grid, const char *name, const char *const *values,
                     size_t n, struct llmsim_error *err);

/* What a spec may say. */
struct llmsim_grid_keys {
    void *ctx;
    /* The i-th known name, with '-'; NULL behind the last. */
    const char *(*name)(void *ctx, size_t i);
    /* Is `value` one for it? An error gets the value's place in the spec. */
    enum llmsim_status (*check)(void *ctx, const char *name, const char *value,
                                struct llmsim_error *err);
};

/* Add what a spec says (docs/sweeps.md has its form). Its keys may be written with '_'. Errors:
 * LLMSIM_IO; LLMSIM_CATALOGUE with the place in the file. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_grid_load(struct llmsim_grid *grid, const char *path, const struct llmsim_grid_keys *keys,
                 struct llmsim_error *err);

LLMSIM_API uint64_t llmsim_grid_n_points(const struct llmsim_grid *grid);
/* Settings of all axes and fixed ones, in the order in which they were added. */
LLMSIM_API size_t llmsim_grid_n_settings(const struct llmsim_grid *grid);
LLMSIM_API const char *llmsim_grid_name(const struct llmsim_grid *grid, size_t setting);
LLMSIM_API bool llmsim_grid_is_fixed(const struct llmsim_grid *grid, size_t setting);
/* NULL: this point does not say. */
LLMSIM_API const char *llmsim_grid_value(const struct llmsim_grid *grid, uint64_t point,
                                         size_t setting);

/* ---- rows ---- */

/* A row of CSV that grows field by field. Where memory ends it is marked failed, and the calls do
 * nothing; begin with {0}. */
struct llmsim_csv_row {
    char *text; /* NUL-terminated, without a line end; NULL while there is no field */
    size_t length, capacity;
    size_t n_fields;
    bool failed;
};
LLMSIM_API void llmsim_csv_row_fini(struct llmsim_csv_row *row);
LLMSIM_API void llmsim_csv_row_text(struct llmsim_csv_row *row, const char *text);
LLMSIM_API void llmsim_csv_row_u64(struct llmsim_csv_row *row, uint64_t value);
LLMSIM_API void llmsim_csv_row_ns(struct llmsim_csv_row *row, int64_t ns);        /* as seconds */
LLMSIM_API void llmsim_csv_row_decimal(struct llmsim_csv_row *row, double value); /* 6 decimals */
LLMSIM_API void llmsim_csv_row_empty(struct llmsim_csv_row *row, size_t n_fields);

/* What a configuration takes: GPUs of each replica, and the price of each. */
struct llmsim_point_price {
    uint64_t gpus_per_replica;
    struct llmsim_gpu_price gpu;
};

/* The names of a point's numbers, from "gpus" on (docs/formats.md), and the numbers. Returns how
 * many there are. */
LLMSIM_API size_t llmsim_point_header(struct llmsim_csv_row *row);
LLMSIM_API void llmsim_point_row(struct llmsim_csv_row *row, struct llmsim_point *point,
                                 const struct llmsim_point_price *price);

/* ---- a directory of finished points ---- */

/* What belongs in DIR/manifest.json and has to be the same when the work goes on: the program's
 * version, the trace, the settings. Begin with llmsim_json_document_init; llmsim_manifest_describe
 * puts in what every sweep has. */
LLMSIM_API void llmsim_manifest_describe(struct llmsim_json_document *manifest, const char *command,
                                         const struct llmsim_grid *grid,
                                         const struct llmsim_memory_trace *memory,
                                         const char *trace_name);
/* Add a file that the settings name, by what is in it; nothing if `path` is no regular file.
 * Errors: LLMSIM_IO, LLMSIM_RUN_FAILED. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_manifest_add_file(struct llmsim_json_document *manifest, const char *path,
                         struct llmsim_error *err);

/* Every n-th point, one place further on with each n, so that no shard gets one value of the last
 * axis alone. n_shards 0 or 1: all points. */
static inline bool llmsim_sweep_is_in_shard(uint64_t point, uint64_t shard, uint64_t n_shards)
{
    return n_shards < 2 || (point + point / n_shards) % n_shards == shard;
}

/* All borrowed while the sweep is open. */
struct llmsim_sweep_options {
    const char *dir;       /* made if it is not there */
    const char *file_name; /* of the table: "sweep.csv" */
    const char *header;    /* its first line, without a line end */
    struct llmsim_json_document *manifest;
    uint64_t n_points;
    uint64_t shard, n_shards; /* which of the points are this directory's */
};

struct llmsim_sweep;

/* Open DIR: its finished points stay, if its manifest is the same. Takes a lock, so that one
 * process works in it at a time. Errors: LLMSIM_IO, LLMSIM_USAGE (the directory is another
 * sweep's), LLMSIM_RUN_FAILED. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_sweep_open(const struct llmsim_sweep_options *options, struct llmsim_sweep **sweep,
                  struct llmsim_error *err);
LLMSIM_API void llmsim_sweep_close(struct llmsim_sweep *sweep);

/* The first point from *point on that is this directory's and not finished; false: there is none.
 */
LLMSIM_API bool llmsim_sweep_next(const struct llmsim_sweep *sweep, uint64_t *point);

/* Points of this directory; of these, finished, and failed. */
struct llmsim_sweep_progress {
    uint64_t n_points, n_finished, n_failed;
};
LLMSIM_API struct llmsim_sweep_progress llmsim_sweep_get_progress(const struct llmsim_sweep *sweep);

/* Keep a point: what became of it, and its row. One thread at a time. LLMSIM_IO. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_sweep_store(struct llmsim_sweep *sweep, uint64_t point, enum llmsim_status outcome,
                   const char *row, struct llmsim_error *err);

/* The row of a finished point, into *row, which grows as getline's. LLMSIM_IO, LLMSIM_RUN_FAILED.
 */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status llmsim_sweep_row(const struct llmsim_sweep *sweep,
                                                                 uint64_t point, char **row,
                                                                 size_t *capacity,
                                                                 struct llmsim_error *err);

/* How points are computed. */
struct llmsim_sweep_work {
    void *ctx;
    /* Thread-safe. Fills `row` (which is {0}) whatever becomes of the point, and says in *outcome
     * what did. A status other than LLMSIM_OK ends the sweep with it; the point is then not kept.
     */
    enum llmsim_status (*compute)(void *ctx, uint64_t point, struct llmsim_csv_row *row,
                                  enum llmsim_status *outcome, struct llmsim_error *err);
    /* After each point that is kept, never by two threads at a time; NULL: not at all. */
    void (*on_progress)(void *ctx, const struct llmsim_sweep_progress *progress);
};

/* Compute what is not finished, in n_jobs threads. On any status other than LLMSIM_OK, what had
 * finished is kept. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_sweep_run(struct llmsim_sweep *sweep, const struct llmsim_sweep_work *work, unsigned n_jobs,
                 struct llmsim_error *err);

/* All points of this directory are finished: write the table. LLMSIM_IO, LLMSIM_RUN_FAILED. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status llmsim_sweep_finish(struct llmsim_sweep *sweep,
                                                                    struct llmsim_error *err);

struct llmsim_merged {
    struct llmsim_sweep_progress progress;
    char file_name[LLMSIM_MAX_NAME + 1]; /* of the table */
};

/* Make `dir` of the directories of all shards of one sweep: as if it had been done there, and with
 * its table. Goes on where an earlier merge stopped. LLMSIM_USAGE if they do not belong together,
 * or a point is missing; LLMSIM_IO, LLMSIM_RUN_FAILED. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_sweep_merge(const char *dir, const char *const *shards, size_t n_shards,
                   struct llmsim_merged *merged, struct llmsim_error *err);

#ifdef __cplusplus
}
#endif
#endif
