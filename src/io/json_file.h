/* json_file.h: JSON files, read strictly and changed without touching the rest.
 *
 * cJSON parses. What it lacks is here: the place of every value, so that any error can name
 * FILE:LINE:COLUMN, not only a syntax error; the refusal of repeated keys; objects read through a
 * table of keys. All errors about the content are LLMSIM_CATALOGUE. */
#ifndef LLMSIM_IO_JSON_FILE_H
#define LLMSIM_IO_JSON_FILE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "llmsim/status.h"

/* A parsed file. `root` is cJSON's tree of `text`; both live until fini. */
struct llmsim_json {
    char *path;
    char *text; /* the file's bytes and a NUL */
    cJSON *root;
};

/* Read and parse `path`. LLMSIM_IO if it cannot be read or is larger than 256 MiB;
 * LLMSIM_CATALOGUE if it is not JSON or an object in it has a key twice. On failure there is
 * nothing to fini. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_json_load(struct llmsim_json *json, const char *path,
                                                      struct llmsim_error *err);

/* The same for text that the caller has: `length` bytes from malloc and a NUL after them. Takes
 * `text`, also on failure. `path` is for the messages only. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_json_parse(struct llmsim_json *json, const char *path,
                                                       char *text, size_t length,
                                                       struct llmsim_error *err);
/* As load, of a file that somebody else wrote: NaN, Infinity and -Infinity, which Python writes and
 * JSON has not, are numbers, though none that any kind of key below accepts. */
LLMSIM_MUST_CHECK enum llmsim_status
llmsim_json_load_of_others(struct llmsim_json *json, const char *path, struct llmsim_error *err);
void llmsim_json_fini(struct llmsim_json *json);

/* Where a node of the tree stands in the text: its key (SIZE_MAX in an array and for the root) and
 * the bytes [begin, end) of its value. Cost: a walk over the text. */
struct llmsim_json_span {
    size_t key;
    size_t begin;
    size_t end;
};
struct llmsim_json_span llmsim_json_find(const struct llmsim_json *json, const cJSON *node);

/* Give every number the text that it is written as: its `valuestring`, which cJSON leaves empty. A
 * double does not have all of it. LLMSIM_RUN_FAILED (memory). */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_json_keep_numbers(struct llmsim_json *json,
                                                              struct llmsim_error *err);

/* LLMSIM_CATALOGUE at the place of `node`. */
enum llmsim_status llmsim_json_fail(const struct llmsim_json *json, const cJSON *node,
                                    struct llmsim_error *err, const char *format, ...)
    LLMSIM_PRINTF(4, 5);

/* Doubles, as which cJSON reads all numbers, hold whole numbers exactly up to here. */
#define LLMSIM_JSON_MAX_WHOLE 9007199254740992.0

/* What a key's value has to be, and the type that it is stored as. */
enum llmsim_json_kind {
    LLMSIM_JSON_POSITIVE, /* double: a number > 0, at most `max` */
    LLMSIM_JSON_AMOUNT,   /* double: a number from 0 to `max` */
    LLMSIM_JSON_COUNT,    /* unsigned: a whole number from 1 to `max` */
    LLMSIM_JSON_BYTES,    /* uint64_t: a whole number from 0 to LLMSIM_JSON_MAX_WHOLE */
    LLMSIM_JSON_WHOLE,    /* uint64_t: a whole number from 0 to `max` */
    LLMSIM_JSON_FLAG,     /* bool */
    LLMSIM_JSON_NAME,     /* char[LLMSIM_MAX_NAME + 1]: a string that is not empty */
    LLMSIM_JSON_NAMES,    /* const cJSON *, borrowed: an array of such strings */
    LLMSIM_JSON_INDICES,  /* const cJSON *, borrowed: an array of whole numbers from 0 to `max` */
    LLMSIM_JSON_OBJECT,   /* const cJSON *, borrowed: an object */
    LLMSIM_JSON_ARRAY,    /* const cJSON *, borrowed: an array of anything */
};

struct llmsim_json_key {
    const char *name;
    const char *also; /* a second name for the same, NULL: none */
    enum llmsim_json_kind kind;
    bool optional; /* where it is absent or null the target stays as it was */
    double max;    /* of LLMSIM_JSON_POSITIVE, _AMOUNT, _COUNT, _WHOLE and _INDICES */
    size_t offset; /* in the target */
};
#define LLMSIM_JSON_KEY_END                                                                        \
    {                                                                                              \
        .name = NULL                                                                               \
    }

/* Keys that are not in the table: refused in our own files, skipped in those of others. */
enum llmsim_json_unknown { LLMSIM_JSON_REFUSE_UNKNOWN, LLMSIM_JSON_SKIP_UNKNOWN };

/* Read `object` into `target` by a table that ends with LLMSIM_JSON_KEY_END. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_json_read(const struct llmsim_json *json,
                                                      const cJSON *object,
                                                      const struct llmsim_json_key *keys,
                                                      enum llmsim_json_unknown unknown,
                                                      void *target, struct llmsim_error *err);

#endif
