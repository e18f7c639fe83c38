/* measured.h: a measured run of a server, request by request, to hold a simulation against.
 *
 * A CSV file with a header, columns in any order and found by name: when each request reached the
 * engine, its tokens, and the latencies that were measured, each counted from that arrival. Names
 * end in _s (seconds) or _ms (milliseconds), which says the unit. docs/validation.md has the
 * format. */
#ifndef LLMSIM_MEASURED_H
#define LLMSIM_MEASURED_H

#include <stddef.h>
#include <stdint.h>

#include "llmsim/status.h"
#include "llmsim/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, what it holds, names that are looked for in this order) */
#define LLMSIM_MEASURED_COLUMN_LIST(X)                                                             \
    X(ARRIVAL, "arrival", "queued_s,arrival_s")                                                    \
    X(PROMPT, "prompt tokens", "prompt_tokens,input_tokens")                                       \
    X(OUTPUT, "output tokens", "output_tokens")                                                    \
    X(TTFT, "time to first token", "ttft_s,ttft_ms")                                               \
    X(TPOT, "time per output token", "tpot_s,tpot_ms")                                             \
    X(E2E, "end-to-end latency", "e2e_s,e2e_ms")                                                   \
    X(CACHED, "prompt tokens found in the prefix cache", "")

enum llmsim_measured_column {
#define X(name, text, names) LLMSIM_MEASURED_##name,
    LLMSIM_MEASURED_COLUMN_LIST(X)
#undef X
        LLMSIM_N_MEASURED_COLUMNS
};

#define LLMSIM_NOT_MEASURED (-1)

/* Of one request; LLMSIM_NOT_MEASURED where there is none. */
struct llmsim_latencies {
    int64_t ttft_ns;
    int64_t tpot_ns; /* only with two output tokens or more */
    int64_t e2e_ns;
};

struct llmsim_measured_options {
    /* Names of the columns; NULL: the first of the usual names that the header has. */
    const char *columns[LLMSIM_N_MEASURED_COLUMNS];
};

/* Prompt tokens of a block that is cached or not: vLLM's. Cached tokens are rounded down to it. */
#define LLMSIM_MEASURED_BLOCK_TOKENS 16u

/* In order of arrival, ties in the file's order. requests[i].row is i. */
struct llmsim_measured_run {
    struct llmsim_request *requests;
    struct llmsim_latencies *latencies;
    uint64_t *rows; /* 0-based data row of each request in the file */
    size_t n;
    /* Only with a column of cached tokens: by the requests' handles. Which request had the same
     * beginning of a prompt, the file does not say; it is put down to the first by arrival whose
     * prompt is as long. */
    struct llmsim_prefix *prefixes;
    uint64_t *prefix_blocks;
    char sha256[65]; /* of the unpacked file */
};

/* Read a whole file ("-": stdin; .gz and .zst are unpacked): 1 row or more. Without a column of the
 * time per output token, that is (E2E - TTFT) / (output tokens - 1). An empty latency is one that
 * was not measured. Cached tokens are only read where their column is named. Errors: LLMSIM_USAGE
 * (a name without a unit), LLMSIM_TRACE, LLMSIM_IO, LLMSIM_RUN_FAILED (memory). */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_measured_open(struct llmsim_measured_run *run, const char *path,
                     const struct llmsim_measured_options *options, struct llmsim_error *err);
/* Fine on a zeroed struct. */
LLMSIM_API void llmsim_measured_close(struct llmsim_measured_run *run);

#ifdef __cplusplus
}
#endif
#endif
