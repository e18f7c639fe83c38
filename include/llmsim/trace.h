/* trace.h: request traces in, and made.
 *
 * A trace is read as a stream of `struct llmsim_request`, in time order, with memory that does not
 * grow with the file. The formats are rows of a table (llmsim_trace_format_choice); a file's format
 * is found from its header, or named. docs/formats.md describes each. */
#ifndef LLMSIM_TRACE_H
#define LLMSIM_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llmsim/choice.h"
#include "llmsim/ratio.h"
#include "llmsim/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Larger token counts are refused as rubbish; the bound keeps every sum inside 128 bits. */
#define LLMSIM_MAX_TOKENS 1000000000u
/* Nor does a trace go on for longer than 100 years of 365 days. */
#define LLMSIM_MAX_ARRIVAL_NS (INT64_C(3153600000) * 1000000000)
/* A trace whose first request arrives later than this, a year after the file's time 0, is on a
 * calendar's clock (Unix time, as a rule): its arrivals count from that of the first. */
#define LLMSIM_MAX_START_NS (INT64_C(31536000) * 1000000000)
/* Bytes of a request's own id, as a CSV field. */
#define LLMSIM_MAX_REQUEST_ID 63
/* Of a request's class: bytes of its name, as a CSV field; different ones in a trace. */
#define LLMSIM_MAX_CLASS_NAME 63
#define LLMSIM_MAX_CLASSES 1000u
/* A prompt of a million tokens with an id for each 16 of them takes less than 2 MB. */
#define LLMSIM_MAX_ROW_BYTES (1u << 24)
#define LLMSIM_NO_ID 0u
#define LLMSIM_NO_PREFIX 0u
/* Prompt tokens of a block that has a hash id, in Mooncake's traces. */
#define LLMSIM_HASH_BLOCK_TOKENS 512u
#define LLMSIM_NO_DEADLINE INT64_MAX

/* One data row. */
struct llmsim_request {
    int64_t arrival_ns;     /* since the trace's time 0, never decreasing */
    uint64_t row;           /* 0-based data row, the request's id where the trace has none */
    uint32_t prompt_tokens; /* 0 to LLMSIM_MAX_TOKENS */
    uint32_t output_tokens; /* likewise */
    uint32_t id;         /* the trace's own request_id: a handle for the source, or LLMSIM_NO_ID */
    int32_t priority;    /* lower is earlier; 0 where the trace has none */
    int64_t deadline_ns; /* since time 0, at or after the arrival; or LLMSIM_NO_DEADLINE */
    bool is_failed;      /* the trace says that this call failed: not simulated */
    uint16_t class_id;   /* of the trace's column class; 0: none */
    uint32_t prefix; /* what its prompt begins with: a handle for the source, or LLMSIM_NO_PREFIX */
};

/* What a request's prompt begins with: an id for each block of block_tokens of its tokens, the last
 * block perhaps begun only. Equal ids stand for equal tokens in the block and in all before it. */
struct llmsim_prefix {
    const uint64_t *blocks;
    size_t n_blocks;
    uint32_t block_tokens;
};

/* A block's id, mixed for a hash table, since ids are often counted up: the finaliser of
 * MurmurHash3. */
static inline uint64_t llmsim_block_hash(uint64_t id)
{
    uint64_t hash = (id ^ id >> 33) * UINT64_C(0xFF51AFD7ED558CCD);
    hash = (hash ^ hash >> 33) * UINT64_C(0xC4CEB9FE1A85EC53);
    return hash ^ hash >> 33;
}

/* Where requests come from: a file, a generator or an array. All calls are the caller's thread.
 *
 * read: up to `capacity` requests into `requests`; *n = 0 says that the source has ended.
 * id_text: the text of a handle that read gave and release has not yet taken back; not
 *          NUL-terminated, already quoted as a CSV field where it has to be.
 * release: the caller has no more use for this handle. Never called with LLMSIM_NO_ID.
 * class_name: the name of a class_id that read gave, from 1 to LLMSIM_MAX_CLASSES; it lives as long
 *             as the source. NULL: no request of this source has a class.
 * prefix: the ids of a handle that read gave; they live until release_prefix takes it back. NULL,
 *         and release_prefix with it: no request of this source has one, whatever its handle says.
 * release_prefix: like release. */
struct llmsim_source {
    void *self;
    enum llmsim_status (*read)(void *self, struct llmsim_request *requests, size_t capacity,
                               size_t *n, struct llmsim_error *err);
    const char *(*id_text)(const void *self, uint32_t id, size_t *length);
    void (*release)(void *self, uint32_t id);
    const char *(*class_name)(const void *self, uint16_t class_id);
    void (*prefix)(const void *self, uint32_t handle, struct llmsim_prefix *prefix);
    void (*release_prefix)(void *self, uint32_t handle);
};

/* A source over arrays in memory, borrowed: `cursor` is its state, which the caller owns. To
 * release something does nothing. */
struct llmsim_array_cursor {
    const struct llmsim_request *requests;
    size_t n;
    size_t next;
    const struct llmsim_prefix *prefixes; /* by handle, so the first has no use; NULL: none */
};
LLMSIM_API struct llmsim_source llmsim_source_from_array(struct llmsim_array_cursor *cursor);

/* A row that was refused. The texts live for the call. */
struct llmsim_trace_reject {
    uint64_t line;   /* from 1 */
    uint64_t column; /* byte in the line, from 1; 0: the whole row */
    const char *reason;
    const char *row; /* without its line end */
    size_t row_length;
};

/* What arrivals count: row 0 is seconds. */
LLMSIM_API const struct llmsim_choice *llmsim_time_unit_choice(size_t i);

struct llmsim_trace_options {
    const char *format; /* a name of llmsim_trace_format_choice, or NULL: from the header */
    /* A name of llmsim_time_unit_choice for arrivals and deadlines that are numbers, or NULL: what
     * the format says; of JSON lines, what can be found out from the first 256 KiB. */
    const char *time_unit;
    struct llmsim_ratio rate_scale; /* arrivals this many times as fast; {0, 0} means 1 */
    uint64_t limit;                 /* data rows to read; 0: all */
    /* NULL: the first bad row is an error. Otherwise it is called for each bad row, which is then
     * skipped; a status other than LLMSIM_OK ends the reading with that. */
    enum llmsim_status (*on_reject)(void *ctx, const struct llmsim_trace_reject *reject,
                                    struct llmsim_error *err);
    void *on_reject_ctx;
    bool with_prefixes;         /* read the hash ids; else they may be anything */
    uint32_t hash_block_tokens; /* of a block with a hash id; 0: LLMSIM_HASH_BLOCK_TOKENS */
    bool only_lengths;          /* arrivals are not read, and may be missing: they are 0 */
    bool only_libcsv;           /* never the short path for plain lines: for tests */
};

/* The i-th format; NULL behind the last. */
LLMSIM_API const struct llmsim_choice *llmsim_trace_format_choice(size_t i);

struct llmsim_trace;

/* Open `path` ("-": stdin; .gz and .zst are unpacked on the way) and read its header.
 * Errors: LLMSIM_IO (cannot be read), LLMSIM_TRACE (header), LLMSIM_USAGE (unknown format name,
 * time unit for dates). */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_trace_open(const char *path, const struct llmsim_trace_options *options,
                  struct llmsim_trace **trace, struct llmsim_error *err);
LLMSIM_API void llmsim_trace_close(struct llmsim_trace *trace);
/* The trace as a source; errors of its read are LLMSIM_TRACE with FILE:LINE:COLUMN, or LLMSIM_IO.
 * *n then counts the requests that came before the error. */
LLMSIM_API struct llmsim_source llmsim_trace_source(struct llmsim_trace *trace);

/* What is known of a trace so far; complete once read has returned 0 requests. */
struct llmsim_trace_status {
    const char *format;   /* name */
    uint64_t rows;        /* data rows given out */
    uint64_t failed;      /* of these, calls that failed */
    uint64_t rejected;    /* data rows refused */
    uint64_t bytes_read;  /* of the file as it lies on disk */
    uint64_t bytes_total; /* likewise; 0: not known (a pipe) */
    bool has_request_ids;
    bool has_priorities;
    bool has_deadlines;
    bool has_classes;
    bool has_prefixes;          /* has hash ids; of JSON lines: some row so far, or the first */
    bool has_dates;             /* arrivals are dates; time 0 is the first row's */
    const char *time_unit;      /* of the arrivals, where it is not that of the format, else NULL */
    int64_t origin_ns;          /* time 0 on the file's own clock, of dates since 1970; 0 unless it
                                 * is the first row's. Known once a request was read */
    const char *unused_columns; /* of the header, by name, with commas between; "": none. Lives as
                                 * long as the trace */
    char sha256[65]; /* of the unpacked bytes up to the last line used; "" before the end */
};
LLMSIM_API void llmsim_trace_get_status(const struct llmsim_trace *trace,
                                        struct llmsim_trace_status *status);

/* Is `path` the file that the trace is read from, by whatever name? A pipe is at no path. */
LLMSIM_API bool llmsim_trace_is_at(const struct llmsim_trace *trace, const char *path);

/* Writes a trace, in any of the formats: arrivals to the nanosecond. A format with dates counts
 * them from 1970-01-01. */
struct llmsim_trace_writer;
struct llmsim_trace_writer_options {
    const char *format;    /* NULL: native */
    bool with_request_ids; /* a column for them, where the format has one. A format that cannot do
                            * without gets numbers from 0 if this is false */
    bool zstd;             /* compressed */
    bool with_priorities;  /* like with_request_ids */
    bool with_deadlines;   /* likewise */
    bool with_classes;     /* likewise */
    bool with_prefixes;    /* likewise */
};

/* `path` "-" is stdout; a file gets its name at commit only. LLMSIM_IO, LLMSIM_USAGE (format). */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_trace_writer_open(const char *path, const struct llmsim_trace_writer_options *options,
                         struct llmsim_trace_writer **writer, struct llmsim_error *err);
/* Append n requests; `source` gives the texts of their ids, and their prefixes. Errors: LLMSIM_IO;
 * LLMSIM_RUN_FAILED: a row would be longer than LLMSIM_MAX_ROW_BYTES. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_trace_writer_add(struct llmsim_trace_writer *writer, const struct llmsim_source *source,
                        const struct llmsim_request *requests, size_t n, struct llmsim_error *err);
/* What it writes of that for which not every format has a place. */
struct llmsim_trace_writer_status {
    bool has_request_ids;
    bool has_priorities;
    bool has_deadlines;
    bool has_classes;
    bool has_prefixes;
    uint64_t prefixes_lost; /* requests whose hash ids had no place */
    uint64_t failed_lost;   /* calls that failed, which are now requests with 0 output tokens */
    uint64_t failed_made;   /* the other way round */
};
LLMSIM_API void llmsim_trace_writer_get_status(const struct llmsim_trace_writer *writer,
                                               struct llmsim_trace_writer_status *status);
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_trace_writer_commit(struct llmsim_trace_writer *writer, struct llmsim_error *err);
/* Removes the file unless it is committed. */
LLMSIM_API void llmsim_trace_writer_close(struct llmsim_trace_writer *writer);

#ifdef __cplusplus
}
#endif
#endif
