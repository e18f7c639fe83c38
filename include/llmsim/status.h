/* status.h: what a fallible call returns, and where it puts the reason.
 *
 * Every fallible function of the library returns `enum llmsim_status` and takes a
 * `struct llmsim_error *` as its last argument; NULL is allowed there and drops the text. The
 * library never prints and never exits. A struct of options that lacks a part which its header does
 * not call optional is LLMSIM_USAGE, with the part's name. The value of a status is the exit code
 * that the program ends with, so one table serves both. */
#ifndef LLMSIM_STATUS_H
#define LLMSIM_STATUS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LLMSIM_API __attribute__((visibility("default")))
#define LLMSIM_MUST_CHECK __attribute__((warn_unused_result))
#define LLMSIM_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define LLMSIM_API
#define LLMSIM_MUST_CHECK
#define LLMSIM_PRINTF(text, first)
#endif

/* X(name, exit code, what it means) */
#define LLMSIM_STATUS_LIST(X)                                                                      \
    X(OK, 0, "ok")                                                                                 \
    X(RUN_FAILED, 1, "the run failed")                                                             \
    X(USAGE, 2, "the command line is wrong")                                                       \
    X(CATALOGUE, 3, "a catalogue, profile or spec is wrong")                                       \
    X(TRACE, 4, "the trace is wrong")                                                              \
    X(IO, 5, "input or output failed")                                                             \
    X(INTERNAL, 6, "an invariant broke; please report this")                                       \
    X(INTERRUPTED, 130, "interrupted")

enum llmsim_status {
#define X(name, code, text) LLMSIM_##name = (code),
    LLMSIM_STATUS_LIST(X)
#undef X
};

#define LLMSIM_ERROR_FILE_MAX 512
#define LLMSIM_ERROR_MESSAGE_MAX 1024

/* One error, on one line. line and column count from 1; 0 means that the error has no such place.
 * column is a byte position in the line, as compilers count. */
struct llmsim_error {
    enum llmsim_status status;
    uint64_t line;
    uint64_t column;
    char file[LLMSIM_ERROR_FILE_MAX];
    char message[LLMSIM_ERROR_MESSAGE_MAX];
};

/* "TRACE" for LLMSIM_TRACE, and its text. Of no status: "UNKNOWN" and a text that says so. */
LLMSIM_API const char *llmsim_status_name(enum llmsim_status status);
LLMSIM_API const char *llmsim_status_text(enum llmsim_status status);

/* Fill `err` (may be NULL) and return `status`, so that a caller can write
 * `return llmsim_fail(err, LLMSIM_IO, "…")`. Of the message and the file's name,
 * what is no plain text (controls, marks that turn the direction of writing, bytes that are not
 * UTF-8) becomes '?', so that the error stays one line, and what it says, whatever it quotes. */
LLMSIM_API enum llmsim_status llmsim_fail(struct llmsim_error *err, enum llmsim_status status,
                                          const char *format, ...) LLMSIM_PRINTF(3, 4);

/* The same with a place. `file` may be NULL; line and column may be 0. */
LLMSIM_API enum llmsim_status llmsim_fail_at(struct llmsim_error *err, enum llmsim_status status,
                                             const char *file, uint64_t line, uint64_t column,
                                             const char *format, ...) LLMSIM_PRINTF(6, 7);

/* clang's analyzer sees one source file at a time and has to be told that a failure returns the
 * status that it is given. */
#ifdef __clang_analyzer__
#define llmsim_fail(err, status, ...) ((void)llmsim_fail(err, status, __VA_ARGS__), (status))
#define llmsim_fail_at(err, status, ...) ((void)llmsim_fail_at(err, status, __VA_ARGS__), (status))
#endif

/* "FILE:LINE:COLUMN: message", without the parts that are not known and without a newline. Writes
 * at most `capacity` bytes, NUL included. */
LLMSIM_API void llmsim_error_format(const struct llmsim_error *err, char *text, size_t capacity);

/* `text` as a terminal may have it: '?' for what is no plain text, as in messages. Names of files
 * and texts out of them need it. Writes at most `capacity` bytes, NUL included, and returns
 * `shown`. */
LLMSIM_API const char *llmsim_shown(const char *text, char *shown, size_t capacity);

#ifdef __cplusplus
}
#endif
#endif
