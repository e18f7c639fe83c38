/* The scanner of plain rows and the libcsv path give the same requests and the same errors, on
 * random files of plain and odd lines. LLMSIM_CASES=N runs N files, LLMSIM_SEED=S begins at S. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "llmsim/trace.h"
#include "support/files.h"

#define MAX_LINES 40
/* So large that most prompts are of one block, and a hash id fits most rows. */
#define BLOCK_TOKENS 20000000

struct random {
    uint64_t state;
};

static uint32_t below(struct random *r, uint32_t n)
{
    r->state = r->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((r->state >> 33) % n);
}

/* ---- a random file ---- */

struct text {
    char bytes[MAX_LINES * 600];
    size_t n;
};

static void put(struct text *t, const char *s)
{
    size_t n = strlen(s);
    memcpy(t->bytes + t->n, s, n);
    t->n += n;
}

static const char *pick(struct random *r, const char *const *list, uint32_t n)
{
    return list[below(r, n)];
}
#define PICK(r, list) pick(r, list, (uint32_t)(sizeof list / sizeof *list))

static void put_tokens(struct random *r, struct text *t)
{
    static const char *const odd[] = {
        "",    " 12",        "12 ", "\"12\"",     "-1",  "+1",   "1.0",  "1000000000",
        "abc", "0012",       "1e3", "1000000001", "\t7", "1 2",  "7\"",  "\"7\"\"",
        "١",   "4294967297", "\"7", "999999999",  "1\r", "\x01", "\"\"", "000000000012"};
    char number[16];
    if (below(r, 12) == 0) {
        put(t, PICK(r, odd));
        return;
    }
    uint32_t bound = 1;
    for (uint32_t digits = below(r, 9); digits > 0; digits--)
        bound *= 10;
    (void)snprintf(number, sizeof number, "%" PRIu32, below(r, bound + 1));
    put(t, number);
}

static void put_seconds(struct random *r, struct text *t, uint64_t ns)
{
    static const char *const odd[] = {"", "-1", "nan", "1e300", ".", "1..2", "\"1\"", "0x1", "1,5"};
    static const char *const form[] = {"%.0f",  "%.1f",     "%.3f",  "%.6f",  "%.9f",
                                       "%.9f",  "%.9f",     "%.12f", " %.3f", "%.3f ",
                                       "+%.2f", "\"%.9f\"", "%.12e", "%.17g"};
    char number[64];
    if (below(r, 20) == 0) {
        put(t, PICK(r, odd));
        return;
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(number, sizeof number, PICK(r, form), (double)ns / 1e9);
#pragma GCC diagnostic pop
    put(t, number);
}

static void put_date(struct random *r, struct text *t, uint64_t ns)
{
    static const char *const odd[] = {"",
                                      "2023-11-16",
                                      "2023-02-30 00:00:00",
                                      "2023-11-17 24:00:00",
                                      "2023-11-17 00:00:60",
                                      "2023-11-17 00:60:00",
                                      "2023-11-17 29:00:00",
                                      "2023-11-17  00:00:00",
                                      "2023-11-17 00:00:00.",
                                      "2023-11-17 00:00:00x",
                                      "2023-11-17 0:00:00",
                                      "12",
                                      "2023-11-17 00:00:00+0",
                                      "2023-11-17 00:00:00+00:0"};
    static const char *const zones[] = {"", "", "", "", "Z", "+00:00", "+00:00", "-00:00", "+0000"};
    char text[96], fraction[24];
    if (below(r, 20) == 0) {
        put(t, PICK(r, odd));
        return;
    }
    uint64_t s = ns / 1000000000 + 86390; /* midnight comes soon */
    (void)snprintf(fraction, sizeof fraction, ".%09" PRIu64, ns % 1000000000);
    if (below(r, 3) == 0)
        (void)snprintf(fraction, sizeof fraction, ".%012" PRIu64, ns % 1000000000 * 1000 + 500);
    else
        fraction[below(r, 10) + (below(r, 8) > 0)] = '\0';
    if (below(r, 10) == 0)
        fraction[0] = '\0';
    bool quoted = below(r, 12) == 0;
    (void)snprintf(text, sizeof text,
                   "%s2023-11-%02" PRIu64 "%c%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 "%s%s%s",
                   quoted ? "\"" : "", 16 + s / 86400 % 14, below(r, 4) == 0 ? 'T' : ' ',
                   s / 3600 % 24, s / 60 % 60, s % 60, fraction, PICK(r, zones),
                   quoted ? "\"" : "");
    put(t, text);
}

static void put_id(struct random *r, struct text *t)
{
    static const char *const ids[] = {
        "a",
        "req-17",
        "\"x,y\"",
        "",
        "two words",
        " trimmed ",
        "\"\"\"\"",
        "é",
        "a\"",
        "\" b\"",
        "\t",
        "\x7f",
        "a\tb",
        "123456789012345678901234567890123456789012345678901234567890123",
        "1234567890123456789012345678901234567890123456789012345678901234"};
    put(t, below(r, 3) > 0 ? "id" : PICK(r, ids));
}

static void put_other(struct random *r, struct text *t)
{
    static const char *const texts[] = {"",  "x",    "a b",  " ",    "\"q,q\"", "1.5", "\"",
                                        "é", "a\tb", "\x02", "a\"b", "\"a\"b",  "x",   "y"};
    put(t, PICK(r, texts));
}

static void put_priority(struct random *r, struct text *t)
{
    static const char *const texts[] = {
        "",      "0",    "-1",          "7",          "+3", " 5", "x",
        "-",     "1.5",  "-2147483648", "2147483648", "12", "-0", "--1",
        "\"2\"", "-\t1", "999999999",   "-999999999", "00", "1"};
    put(t, PICK(r, texts));
}

static void put_class(struct random *r, struct text *t)
{
    static const char *const texts[] = {
        "",
        "chat",
        "batch",
        "chat ",
        " chat",
        "\"chat\"",
        "\" chat\"",
        "two words",
        "\"a,b\"",
        "\"q\"\"q\"",
        "a\tb",
        "\xff",
        "é",
        "\xc3",
        "\x7f",
        "\"\"",
        " ",
        "x\"",
        "123456789012345678901234567890123456789012345678901234567890123",
        "1234567890123456789012345678901234567890123456789012345678901234"};
    put(t, below(r, 3) > 0 ? "chat" : PICK(r, texts));
}

static void put_hash_ids(struct random *r, struct text *t)
{
    static const char *const one[] = {"0",
                                      "7",
                                      "18446744073709551615",
                                      "18446744073709551616",
                                      "99999999999999999999",
                                      "000007",
                                      " 7",
                                      "7 ",
                                      "\t7",
                                      "\"7\"",
                                      "\" 7 \"",
                                      "7\t",
                                      "-7",
                                      "+7",
                                      "7.0",
                                      "x",
                                      "[7]",
                                      "7,",
                                      "\xff",
                                      "7\"",
                                      "",
                                      "  ",
                                      "\"\"",
                                      "7;",
                                      "0x7"};
    static const char *const many[] = {"1 2",       "1  2",       "1\t2", "1 2 ",    "\"1 2\"",
                                       "1 2 3",     "1 -2",       "1 x",  "1, 2",    "1 2 3 4",
                                       "1 2 3 4 5", "\"1\t2 3\"", "1 1",  "2 1 \x01"};
    if (below(r, 3) > 0)
        put(t, "42");
    else if (below(r, 2) > 0)
        put(t, PICK(r, one));
    else
        put(t, PICK(r, many));
}

enum column { TIME, PROMPT, OUTPUT, ID, OTHER, PRIORITY, DEADLINE, CLASS, HASH_IDS, N_COLUMNS };

static void put_line(struct random *r, struct text *t, const enum column *columns, size_t n,
                     bool azure, uint64_t ns)
{
    static const char *const blank[] = {"", " ", "\t", ",", "\"\"", ",,,,,,,,", "\xff\xfe"};
    if (below(r, 15) == 0) {
        put(t, PICK(r, blank));
        return;
    }
    if (below(r, 30) == 0)
        n += below(r, 2) > 0 ? 1 : (size_t)-1;
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            put(t, ",");
        switch (columns[i]) {
        case TIME:
            (azure ? put_date : put_seconds)(r, t, ns);
            break;
        case PROMPT:
        case OUTPUT:
            put_tokens(r, t);
            break;
        case ID:
            put_id(r, t);
            break;
        case OTHER:
            put_other(r, t);
            break;
        case PRIORITY:
            put_priority(r, t);
            break;
        case N_COLUMNS:
            break;
        case CLASS:
            put_class(r, t);
            break;
        case HASH_IDS:
            put_hash_ids(r, t);
            break;
        case DEADLINE:
            if (below(r, 4) > 0)
                put_seconds(r, t, ns + (uint64_t)below(r, 2000000000));
            break;
        }
    }
}

/* Change one byte of what was put since `start`. */
static void spoil(struct random *r, struct text *t, size_t start)
{
    static const char others[] = "0123456789999:-.,+ TZe\"x\r\n";
    if (t->n > start)
        t->bytes[start + below(r, (uint32_t)(t->n - start))] = others[below(r, sizeof others)];
}

static void swap(size_t *order, size_t i, size_t j)
{
    size_t kept = order[i];
    order[i] = order[j];
    order[j] = kept;
}

static void make_file(struct random *r, struct text *t)
{
    static const char *const names[2][N_COLUMNS] = {
        {"arrival_s", "prompt_tokens", "output_tokens", "request_id", "other", "priority",
         "deadline_s", "class", "hash_ids"},
        {"TIMESTAMP", "ContextTokens", "GeneratedTokens", "other1", "other2", "other3", "other4",
         "other5", "other6"}};
    static const char *const ends[] = {"\n", "\r\n"};
    enum column columns[N_COLUMNS] = {TIME,     PROMPT,   OUTPUT, ID,      OTHER,
                                      PRIORITY, DEADLINE, CLASS,  HASH_IDS};
    bool azure = below(r, 2) > 0;
    for (size_t i = ID; i < N_COLUMNS && azure; i++)
        columns[i] = OTHER;
    size_t n = 3 + below(r, N_COLUMNS - 2);
    t->n = 0;
    const char *end = PICK(r, ends);
    size_t order[N_COLUMNS];
    for (size_t i = 0; i < N_COLUMNS; i++)
        order[i] = i;
    for (size_t i = ID; i < n; i++) /* some of those that need not be there */
        swap(order, i, i + below(r, (uint32_t)(N_COLUMNS - i)));
    for (size_t i = n - 1; i > 0 && below(r, 2) > 0; i--)
        swap(order, i, below(r, (uint32_t)i + 1));
    /* One more than n, for rows with a field too many. */
    enum column shuffled[N_COLUMNS + 1];
    for (size_t i = 0; i <= N_COLUMNS; i++)
        shuffled[i] = OTHER;
    for (size_t i = 0; i < n; i++) {
        put(t, i > 0 ? "," : "");
        put(t, names[azure][order[i]]);
        shuffled[i] = columns[order[i]];
    }
    put(t, end);
    uint64_t ns = 0;
    for (uint32_t i = 1 + below(r, MAX_LINES - 2); i > 0; i--) {
        ns += (uint64_t)below(r, 1000000000) * below(r, 4);
        size_t start = t->n;
        put_line(r, t, shuffled, n, azure, below(r, 40) > 0 ? ns : ns / 2);
        if (below(r, 6) == 0)
            spoil(r, t, start);
        put(t, i > 1 || below(r, 2) > 0 ? end : "");
    }
}

/* ---- what a reading gives, as text ---- */

struct log {
    char bytes[MAX_LINES * 1600];
    size_t n;
};

static void say(struct log *log, const char *format, ...) LLMSIM_PRINTF(2, 3);
static void say(struct log *log, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(log->bytes + log->n, sizeof log->bytes - log->n, format, arguments);
    va_end(arguments);
    cr_assert(n >= 0 && (size_t)n < sizeof log->bytes - log->n);
    log->n += (size_t)n;
}

static enum llmsim_status log_reject(void *ctx, const struct llmsim_trace_reject *reject,
                                     struct llmsim_error *err)
{
    (void)err;
    say(ctx, "%" PRIu64 ":%" PRIu64 ": %s [%.*s]\n", reject->line, reject->column, reject->reason,
        (int)reject->row_length, reject->row);
    return LLMSIM_OK;
}

static void log_prefix(struct log *log, const struct llmsim_source *source,
                       const struct llmsim_request *request)
{
    struct llmsim_prefix prefix;
    if (request->prefix == LLMSIM_NO_PREFIX)
        return;
    source->prefix(source->self, request->prefix, &prefix);
    for (size_t i = 0; i < prefix.n_blocks; i++)
        say(log, "%s%" PRIu64, i > 0 ? " " : "hash ids ", prefix.blocks[i]);
    say(log, " of %" PRIu32 "\n", prefix.block_tokens);
    source->release_prefix(source->self, request->prefix);
}

static void read_file_into(const char *path, struct llmsim_trace_options *options, bool skip,
                           size_t capacity, struct log *log)
{
    struct llmsim_trace *trace;
    struct llmsim_error err = {0};
    struct llmsim_request requests[MAX_LINES];
    log->n = 0;
    options->on_reject = skip ? log_reject : NULL;
    options->on_reject_ctx = log;
    enum llmsim_status status = llmsim_trace_open(path, options, &trace, &err);
    cr_assert(status == LLMSIM_OK, "%s", err.message);
    struct llmsim_source source = llmsim_trace_source(trace);
    size_t n;
    do {
        status = source.read(source.self, requests, capacity, &n, &err);
        for (size_t i = 0; i < n; i++) {
            size_t length = 0;
            const char *id = "";
            if (requests[i].id != LLMSIM_NO_ID)
                id = source.id_text(source.self, requests[i].id, &length);
            const char *name = "(none)";
            if (requests[i].class_id != 0)
                name = source.class_name(source.self, requests[i].class_id);
            say(log, "%" PRId64 " %" PRIu64 " %" PRIu32 " %" PRIu32 " %d %" PRId64 " %.*s %u %s\n",
                requests[i].arrival_ns, requests[i].row, requests[i].prompt_tokens,
                requests[i].output_tokens, requests[i].priority, requests[i].deadline_ns,
                (int)length, id, requests[i].class_id, name);
            if (requests[i].id != LLMSIM_NO_ID)
                source.release(source.self, requests[i].id);
            log_prefix(log, &source, &requests[i]);
        }
    } while (status == LLMSIM_OK && n > 0);
    if (status != LLMSIM_OK)
        say(log, "%d %" PRIu64 ":%" PRIu64 ": %s\n", (int)status, err.line, err.column,
            err.message);
    struct llmsim_trace_status end;
    llmsim_trace_get_status(trace, &end);
    say(log, "%" PRIu64 " %" PRIu64 " %s\n", end.rows, end.rejected, end.sha256);
    llmsim_trace_close(trace);
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

Test(trace_paths, both_give_the_same, .timeout = 3600)
{
    static struct text text;
    static struct log plain, libcsv;
    uint64_t n_cases = from_environment("LLMSIM_CASES", 4000);
    uint64_t seed = from_environment("LLMSIM_SEED", 1);
    char *path = temp_file("", 0);
    for (uint64_t i = seed; i < seed + n_cases; i++) {
        struct random r = {i * 0x9E3779B97F4A7C15u};
        make_file(&r, &text);
        (void)remove(path); /* else ext4 waits for the disk */
        write_file(path, text.bytes, text.n);
        struct llmsim_trace_options options = {.limit = below(&r, 4) == 0 ? below(&r, 20) : 0,
                                               .with_prefixes = below(&r, 4) > 0,
                                               .hash_block_tokens = BLOCK_TOKENS};
        if (below(&r, 3) == 0)
            options.rate_scale = (struct llmsim_ratio){1 + below(&r, 9), 1 + below(&r, 9)};
        size_t capacity = 1 + below(&r, MAX_LINES);
        for (int skip = 0; skip <= 1; skip++) {
            options.only_libcsv = false;
            read_file_into(path, &options, skip, capacity, &plain);
            options.only_libcsv = true;
            read_file_into(path, &options, skip, capacity, &libcsv);
            cr_assert(plain.n == libcsv.n && memcmp(plain.bytes, libcsv.bytes, plain.n) == 0,
                      "LLMSIM_SEED=%" PRIu64 ", skip %d\n%.*s\nscanner:\n%.*s\nlibcsv:\n%.*s", i,
                      skip, (int)text.n, text.bytes, (int)plain.n, plain.bytes, (int)libcsv.n,
                      libcsv.bytes);
        }
    }
    remove_temp(path);
}
