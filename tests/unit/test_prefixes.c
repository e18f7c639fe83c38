/* Hash ids: the pool that keeps them, read in both formats, from memory, written again. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "llmsim/trace.h"
#include "prefix_pool.h"
#include "support/files.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define HAS_ASAN 1
#else
#define HAS_ASAN 0
#define __asan_address_is_poisoned(p) ((void)(p), 0)
#endif

#define NATIVE "arrival_s,prompt_tokens,output_tokens,hash_ids\n"

/* ---- the pool ---- */

/* Ids that say whose they are. */
static uint32_t add_marked(struct llmsim_prefix_pool *pool, size_t n, uint64_t mark)
{
    static uint64_t blocks[LLMSIM_PREFIX_MAX_BLOCKS];
    for (size_t i = 0; i < n; i++)
        blocks[i] = mark << 32 | i;
    uint32_t handle = llmsim_prefix_pool_add(pool, blocks, n);
    cr_assert(handle != LLMSIM_NO_PREFIX);
    return handle;
}

static void expect_marked(const struct llmsim_prefix_pool *pool, uint32_t handle, size_t n,
                          uint64_t mark)
{
    size_t n_blocks;
    const uint64_t *blocks = llmsim_prefix_pool_blocks(pool, handle, &n_blocks);
    cr_assert(n_blocks == n, "%zu ids instead of %zu", n_blocks, n);
    for (size_t i = 0; i < n; i++)
        cr_assert(blocks[i] == (mark << 32 | i));
}

static size_t n_bytes(const struct llmsim_prefix_pool *pool)
{
    size_t n = 0;
    for (size_t i = 0; i < LLMSIM_PREFIX_CLASSES; i++) {
        const struct llmsim_slot_pool *slots = &pool->classes[i];
        size_t chunk = llmsim_slot_bytes(slots);
        n += slots->n_chunks * (chunk > 65536 ? chunk : 65536);
    }
    return n;
}

Test(prefix_pool, every_length)
{
    static const size_t lengths[] = {1,   6,    7,    8,    15,   16,    247,   8190,
                                     255, 4095, 4096, 8191, 8192, 32767, 32768, 65535};
    enum { N = sizeof lengths / sizeof *lengths };
    struct llmsim_prefix_pool pool = {0};
    uint32_t handles[N];
    for (size_t i = 0; i < N; i++)
        handles[i] = add_marked(&pool, lengths[i], i);
    for (size_t i = 0; i < N; i++)
        expect_marked(&pool, handles[i], lengths[i], i);
    llmsim_prefix_pool_fini(&pool);
}

/* A million requests of which at most 64 are in flight: the memory is that of 64. */
Test(prefix_pool, memory_follows_what_is_in_flight)
{
    enum { IN_FLIGHT = 64, N = 1000000 };
    struct llmsim_prefix_pool pool = {0};
    uint32_t handles[IN_FLIGHT] = {0};
    size_t lengths[IN_FLIGHT] = {0};
    uint64_t marks[IN_FLIGHT] = {0}, state = 1;
    for (uint64_t i = 0; i < N; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        size_t k = (size_t)(state >> 33) % IN_FLIGHT;
        if (handles[k] != LLMSIM_NO_PREFIX) {
            expect_marked(&pool, handles[k], lengths[k], marks[k]);
            llmsim_prefix_pool_release(&pool, handles[k]);
        }
        lengths[k] = 1 + (size_t)(state >> 40) % (i % 1000 == 0 ? 300 : 20);
        marks[k] = i;
        handles[k] = add_marked(&pool, lengths[k], i);
    }
    /* Lengths up to 300 take seven sizes (7, 15, 31, 63, 127, 255, 511): a chunk of 64 KiB each. */
    cr_expect(n_bytes(&pool) <= 7 * 65536, "%zu bytes", n_bytes(&pool));
    llmsim_prefix_pool_fini(&pool);
    cr_expect(n_bytes(&pool) == 0);
}

/* What is released is the next to be used; until then AddressSanitizer refuses it. */
Test(prefix_pool, reuse)
{
    struct llmsim_prefix_pool pool = {0};
    size_t n;
    uint32_t a = add_marked(&pool, 14, 1), b = add_marked(&pool, 15, 2);
    const uint64_t *blocks = llmsim_prefix_pool_blocks(&pool, a, &n);
    cr_expect(a != b && !__asan_address_is_poisoned(blocks));
    llmsim_prefix_pool_release(&pool, a);
    cr_expect(__asan_address_is_poisoned(blocks) == HAS_ASAN);
    cr_expect(add_marked(&pool, 16, 3) != a); /* another size */
    cr_expect(__asan_address_is_poisoned(blocks) == HAS_ASAN);
    cr_expect(add_marked(&pool, 8, 4) == a && !__asan_address_is_poisoned(blocks));
    expect_marked(&pool, a, 8, 4);
    expect_marked(&pool, b, 15, 2);
    llmsim_prefix_pool_fini(&pool);
}

/* ---- reading ---- */

struct reading {
    struct llmsim_request requests[16];
    struct llmsim_trace_status status;
    size_t n;
    size_t n_blocks[16];
    uint32_t block_tokens;
    uint64_t blocks[16][8192];
};

static void read_prefixes(const char *text, const struct llmsim_trace_options *options,
                          struct reading *r)
{
    char *path = temp_file(text, strlen(text));
    struct llmsim_trace *trace;
    struct llmsim_error err = {0};
    memset(r, 0, sizeof *r);
    cr_assert(llmsim_trace_open(path, options, &trace, &err) == LLMSIM_OK, "%s", err.message);
    remove_temp(path);
    struct llmsim_source source = llmsim_trace_source(trace);
    cr_expect((source.prefix != NULL) == options->with_prefixes &&
              (source.release_prefix != NULL) == options->with_prefixes);
    cr_assert(source.read(source.self, r->requests, 16, &r->n, &err) == LLMSIM_OK, "%s",
              err.message);
    for (size_t i = 0; i < r->n; i++) {
        struct llmsim_prefix prefix;
        if (r->requests[i].prefix == LLMSIM_NO_PREFIX)
            continue;
        source.prefix(source.self, r->requests[i].prefix, &prefix);
        r->n_blocks[i] = prefix.n_blocks;
        r->block_tokens = prefix.block_tokens;
        cr_assert(prefix.n_blocks <= 8192);
        memcpy(r->blocks[i], prefix.blocks, prefix.n_blocks * sizeof *prefix.blocks);
        source.release_prefix(source.self, r->requests[i].prefix);
    }
    llmsim_trace_get_status(trace, &r->status);
    cr_expect_str_eq(r->status.unused_columns, "");
    llmsim_trace_close(trace);
}

static void expect_blocks(const struct reading *r, size_t i, size_t n, uint64_t first,
                          uint64_t second)
{
    cr_expect(r->n_blocks[i] == n, "row %zu has %zu ids", i, r->n_blocks[i]);
    cr_expect(r->blocks[i][0] == first && r->blocks[i][1] == second, "row %zu", i);
}

/* Blanks and quotes as in any field; an empty one is a request without ids; the largest id; a
 * block that is begun counts. */
Test(prefixes, of_csv)
{
    static const char text[] = NATIVE "0,513,1,7 8\n"
                                      "0,512,1,18446744073709551615\n"
                                      "0,600,1,\n"
                                      "0,600,1, 007\t 8 \n"
                                      "0,600,1,\"9 10\"\n"
                                      "0,0,1,\n"
                                      "0,0,1,  \n";
    struct reading r;
    for (int only_libcsv = 0; only_libcsv <= 1; only_libcsv++) {
        struct llmsim_trace_options options = {.with_prefixes = true, .only_libcsv = only_libcsv};
        read_prefixes(text, &options, &r);
        cr_assert(r.n == 7 && r.status.has_prefixes && r.block_tokens == 512);
        expect_blocks(&r, 0, 2, 7, 8);
        expect_blocks(&r, 1, 1, UINT64_MAX, 0);
        expect_blocks(&r, 2, 0, 0, 0);
        expect_blocks(&r, 3, 2, 7, 8);
        expect_blocks(&r, 4, 2, 9, 10);
        expect_blocks(&r, 5, 0, 0, 0);
        expect_blocks(&r, 6, 0, 0, 0);
    }
}

/* Before the column that says how many they have to be; blocks of another size. */
Test(prefixes, of_other_blocks)
{
    static const char text[] = "hash_ids,arrival_s,prompt_tokens,output_tokens\n"
                               "7 8,0,32,1\n9,0,1,1\n1 2 3,1,33,1\n";
    struct reading r;
    struct llmsim_trace_options options = {.with_prefixes = true, .hash_block_tokens = 16};
    for (int only_libcsv = 0; only_libcsv <= 1; only_libcsv++) {
        options.only_libcsv = only_libcsv;
        read_prefixes(text, &options, &r);
        cr_assert(r.n == 3 && r.block_tokens == 16);
        expect_blocks(&r, 0, 2, 7, 8);
        expect_blocks(&r, 1, 1, 9, 0);
        expect_blocks(&r, 2, 3, 1, 2);
    }
}

Test(prefixes, of_json)
{
    static const char text[] =
        "{\"timestamp\": 0, \"input_length\": 513, \"output_length\": 1, \"hash_ids\": [7, 8]}\n"
        "{\"hash_ids\":[18446744073709551615],\"timestamp\":0,\"input_length\":512,"
        "\"output_length\":1}\n"
        "{\"timestamp\": 0, \"input_length\": 600, \"output_length\": 1}\n"
        "{\"timestamp\": 0, \"input_length\": 0, \"output_length\": 1, \"hash_ids\": [ ]}\n"
        "{\"timestamp\": 0, \"input_length\": 600, \"output_length\": 1, "
        "\"hash_ids\": [ 9\t,10 ]}\n";
    struct reading r;
    read_prefixes(text, &(struct llmsim_trace_options){.with_prefixes = true}, &r);
    cr_assert(r.n == 5 && r.status.has_prefixes);
    expect_blocks(&r, 0, 2, 7, 8);
    expect_blocks(&r, 1, 1, UINT64_MAX, 0);
    expect_blocks(&r, 2, 0, 0, 0);
    expect_blocks(&r, 3, 0, 0, 0);
    expect_blocks(&r, 4, 2, 9, 10);
}

/* Then they may be those of blocks of any size. */
Test(prefixes, not_asked_for)
{
    struct reading r;
    read_prefixes(NATIVE "0,513,1,7 8\n", &(struct llmsim_trace_options){0}, &r);
    cr_expect(r.n == 1 && r.requests[0].prefix == LLMSIM_NO_PREFIX && r.status.has_prefixes);
    struct llmsim_trace *trace;
    char *path = temp_file(NATIVE "0,513,1,7\n", sizeof NATIVE "0,513,1,7\n" - 1);
    struct llmsim_request request;
    size_t n;
    for (int asked = 0; asked < 2; asked++) {
        cr_assert(llmsim_trace_open(path, &(struct llmsim_trace_options){.with_prefixes = asked},
                                    &trace, NULL) == LLMSIM_OK);
        struct llmsim_source source = llmsim_trace_source(trace);
        cr_expect(source.prefix == NULL ? !asked : asked);
        enum llmsim_status status = source.read(source.self, &request, 1, &n, NULL);
        cr_expect(status == (asked ? LLMSIM_TRACE : LLMSIM_OK) && n == !asked);
        llmsim_trace_close(trace);
    }
    remove_temp(path);
}

/* A prompt of 131,072 tokens in blocks of 16: 8,192 ids, a row of 74 KB between short ones. */
Test(prefixes, a_long_prompt_in_small_blocks)
{
    enum { N = 131072 / 16 };
    static char text[100000];
    static const char shorter[] =
        "{\"timestamp\": 0, \"input_length\": 16, \"output_length\": 1, \"hash_ids\": [7]}\n";
    char *p = stpcpy(text, shorter);
    p = stpcpy(p, "{\"timestamp\": 0, \"input_length\": 131072, \"output_length\": 1, "
                  "\"hash_ids\": [");
    for (unsigned i = 0; i < N; i++)
        p += sprintf(p, "%s%u", i > 0 ? ", " : "", 1000000 + i);
    (void)stpcpy(stpcpy(p, "]}\n"), shorter);
    cr_assert(p - text > 73728);
    struct reading r;
    read_prefixes(
        text, &(struct llmsim_trace_options){.with_prefixes = true, .hash_block_tokens = 16}, &r);
    cr_assert(r.n == 3);
    expect_blocks(&r, 0, 1, 7, 0);
    expect_blocks(&r, 1, N, 1000000, 1000001);
    expect_blocks(&r, 2, 1, 7, 0);
}

/* Of JSON lines the first row says what to expect, until another says more. */
Test(prefixes, known_from_the_first_row)
{
    static const char without[] = "{\"timestamp\": 0, \"input_length\": 5, \"output_length\": 1}\n";
    static const char with[] =
        "{\"timestamp\": 0, \"input_length\": 5, \"output_length\": 1, \"hash_ids\": [1]}\n";
    static const struct {
        const char *first, *second;
        bool at_first, at_last;
    } cases[] = {{without, without, false, false},
                 {without, with, false, true},
                 {with, without, true, true},
                 {"{\"hash_ids\": [1], oops\n", with, false, true},
                 {"\xEF\xBB\xBF", with, true, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        struct llmsim_trace *trace;
        struct llmsim_trace_status status;
        struct llmsim_request request;
        size_t n;
        (void)snprintf(text, sizeof text, "%s%s", cases[i].first, cases[i].second);
        char *path = temp_file(text, strlen(text));
        cr_assert(llmsim_trace_open(path, &(struct llmsim_trace_options){.format = "mooncake"},
                                    &trace, NULL) == LLMSIM_OK);
        llmsim_trace_get_status(trace, &status);
        cr_expect(status.has_prefixes == cases[i].at_first, "case %zu", i);
        struct llmsim_source source = llmsim_trace_source(trace);
        if (i == 3) /* the bad row */
            cr_expect(source.read(source.self, &request, 1, &n, NULL) == LLMSIM_TRACE);
        for (n = 1; n > 0;)
            cr_assert(source.read(source.self, &request, 1, &n, NULL) == LLMSIM_OK);
        llmsim_trace_get_status(trace, &status);
        cr_expect(status.has_prefixes == cases[i].at_last, "case %zu", i);
        llmsim_trace_close(trace);
        remove_temp(path);
    }
}

/* ---- writing, and from memory ---- */

static void write_trace(const char *path, const char *format, bool with_prefixes,
                        struct llmsim_source *source, struct llmsim_trace_writer_status *status)
{
    struct llmsim_trace_writer *writer;
    struct llmsim_trace_writer_options options = {.format = format, .with_prefixes = with_prefixes};
    struct llmsim_request requests[7];
    size_t n;
    cr_assert(llmsim_trace_writer_open(path, &options, &writer, NULL) == LLMSIM_OK);
    do {
        cr_assert(source->read(source->self, requests, 7, &n, NULL) == LLMSIM_OK);
        cr_assert(llmsim_trace_writer_add(writer, source, requests, n, NULL) == LLMSIM_OK);
        for (size_t i = 0; i < n; i++)
            if (requests[i].prefix != LLMSIM_NO_PREFIX && source->release_prefix != NULL)
                source->release_prefix(source->self, requests[i].prefix);
    } while (n > 0);
    cr_assert(llmsim_trace_writer_commit(writer, NULL) == LLMSIM_OK);
    llmsim_trace_writer_get_status(writer, status);
    llmsim_trace_writer_close(writer);
}

static void expect_text(const char *path, const char *expected)
{
    size_t n;
    char *text = read_file(path, &n);
    cr_expect_str_eq(text, expected);
    free(text);
}

static const uint64_t two_blocks[] = {1, UINT64_MAX};
static const struct llmsim_prefix from_memory[] = {{0}, {two_blocks, 2, 512}, {two_blocks, 1, 512}};
static const struct llmsim_request four_requests[] = {
    {.prompt_tokens = 600, .prefix = 1, .deadline_ns = LLMSIM_NO_DEADLINE},
    {.prompt_tokens = 5, .prefix = 2, .deadline_ns = LLMSIM_NO_DEADLINE},
    {.prompt_tokens = 5, .deadline_ns = LLMSIM_NO_DEADLINE},
    {.deadline_ns = LLMSIM_NO_DEADLINE}};

Test(prefixes, what_is_written)
{
    char *path = temp_file("", 0);
    struct llmsim_trace_writer_status status;
    struct llmsim_array_cursor cursor = {
        .requests = four_requests, .n = 4, .prefixes = from_memory};
    struct llmsim_source source = llmsim_source_from_array(&cursor);
    write_trace(path, "native", true, &source, &status);
    expect_text(path, NATIVE "0.000000000,600,0,1 18446744073709551615\n0.000000000,5,0,1\n"
                             "0.000000000,5,0,\n0.000000000,0,0,\n");
    cr_expect(status.has_prefixes && status.prefixes_lost == 0);
    cursor.next = 0;
    write_trace(path, "mooncake", true, &source, &status);
    expect_text(
        path, "{\"timestamp\": 0, \"input_length\": 600, \"output_length\": 0, \"hash_ids\": [1, "
              "18446744073709551615]}\n"
              "{\"timestamp\": 0, \"input_length\": 5, \"output_length\": 0, \"hash_ids\": [1]}\n"
              "{\"timestamp\": 0, \"input_length\": 5, \"output_length\": 0}\n"
              "{\"timestamp\": 0, \"input_length\": 0, \"output_length\": 0, \"hash_ids\": []}\n");
    cursor.next = 0;
    write_trace(path, "vidur", true, &source, &status);
    cr_expect(!status.has_prefixes && status.prefixes_lost == 2);
    cursor.next = 0;
    write_trace(path, "native", false, &source, &status);
    cr_expect(!status.has_prefixes && status.prefixes_lost == 2);
    remove_temp(path);
}

/* Without an array of them the handles mean nothing. */
Test(prefixes, of_an_array_without_them)
{
    char *path = temp_file("", 0);
    struct llmsim_trace_writer_status status;
    struct llmsim_array_cursor cursor = {.requests = four_requests, .n = 1};
    struct llmsim_source source = llmsim_source_from_array(&cursor);
    cr_expect(source.prefix == NULL && source.release_prefix == NULL);
    write_trace(path, "native", true, &source, &status);
    expect_text(path, NATIVE "0.000000000,600,0,\n");
    cr_expect(status.prefixes_lost == 0);
    source = llmsim_source_from_array(NULL);
    cr_expect(source.prefix == NULL);
    remove_temp(path);
}

/* A row that no reader would take is not written; the longest that it takes is. */
Test(prefixes, long_rows)
{
    static uint64_t blocks[6000000]; /* zeros: "0, " each in JSON */
    /* "{"timestamp": 0, "input_length": 1, "output_length": 0, "hash_ids": [" has 68 bytes, "]}" 2;
     * n ids take 3n - 2, and one of them a digit more: 3n + 69 = 2^24 for n = 5592382, with 1 to
     * spare. */
    struct llmsim_prefix prefixes[] = {{0}, {blocks, 5592382, 1}};
    struct llmsim_request request = {.prompt_tokens = 1, .prefix = 1};
    struct llmsim_array_cursor cursor = {.requests = &request, .n = 1, .prefixes = prefixes};
    struct llmsim_source source = llmsim_source_from_array(&cursor);
    struct llmsim_trace_writer_options options = {.format = "mooncake", .with_prefixes = true};
    for (uint64_t last = 1; last <= 100; last *= 10) {
        struct llmsim_trace_writer *writer;
        struct llmsim_error err = {0};
        size_t n;
        char *path = temp_file("", 0);
        blocks[0] = last;
        cr_assert(llmsim_trace_writer_open(path, &options, &writer, NULL) == LLMSIM_OK);
        enum llmsim_status status = llmsim_trace_writer_add(writer, &source, &request, 1, &err);
        if (last == 100) {
            cr_expect(status == LLMSIM_RUN_FAILED && strstr(err.message, "too long") != NULL);
        } else {
            cr_expect(status == LLMSIM_OK && llmsim_trace_writer_commit(writer, NULL) == LLMSIM_OK);
            free(read_file(path, &n));
            cr_expect(n == LLMSIM_MAX_ROW_BYTES + (last == 10), "%zu bytes", n);
        }
        llmsim_trace_writer_close(writer);
        remove_temp(path);
    }
}

/* The files that there are come out as they went in, also on a way through the native format. */
Test(prefixes, the_public_mooncake_traces_come_back)
{
    static const char *const names[] = {"conversation", "synthetic"};
    char *copy = temp_file("", 0), *native = temp_file("", 0);
    for (size_t i = 0; i < 2; i++) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/traces/mooncake_%s.jsonl", LLMSIM_TEST_SHARED_DIR,
                       names[i]);
        if (access(path, R_OK) != 0)
            cr_skip_test("%s is absent", path);
        const char *way[][3] = {
            {path, "mooncake", copy}, {path, "native", native}, {native, "mooncake", copy}};
        for (size_t k = 0; k < 3; k++) {
            struct llmsim_trace *trace;
            struct llmsim_trace_writer_status status;
            struct llmsim_trace_options options = {.with_prefixes = true};
            size_t n, n_copy;
            cr_assert(llmsim_trace_open(way[k][0], &options, &trace, NULL) == LLMSIM_OK);
            struct llmsim_source source = llmsim_trace_source(trace);
            write_trace(way[k][2], way[k][1], true, &source, &status);
            cr_expect(status.has_prefixes && status.prefixes_lost == 0);
            llmsim_trace_close(trace);
            char *original = read_file(path, &n), *text = read_file(way[k][2], &n_copy);
            if (way[k][2] == copy)
                cr_expect(n == n_copy && memcmp(original, text, n) == 0, "%s, way %zu", path, k);
            free(original);
            free(text);
        }
    }
    remove_temp(copy);
    remove_temp(native);
}
