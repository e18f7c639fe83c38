/* Plain and packed inputs, told by their content. The files were packed by gzip and zstd. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "input.h"
#include "support/files.h"

/* All of it, in reads of `piece` bytes; to be freed. */
static char *read_input(const char *path, size_t piece, size_t *n_all)
{
    struct llmsim_input *in;
    size_t n, capacity = 1 << 20;
    char *bytes = malloc(capacity);
    cr_assert(llmsim_input_open(path, &in, NULL) == LLMSIM_OK);
    *n_all = 0;
    do {
        if (capacity - *n_all < piece)
            bytes = realloc(bytes, capacity *= 2);
        cr_assert(llmsim_input_read(in, bytes + *n_all, piece, &n, NULL) == LLMSIM_OK);
        *n_all += n;
    } while (n > 0);
    llmsim_input_close(in);
    return bytes;
}

static void expect_input(const void *file, size_t n_file, const char *expected, size_t n_expected)
{
    static const size_t pieces[] = {1, 3, 4096, 1 << 18};
    char *path = temp_file(file, n_file);
    for (size_t i = n_expected < 10000 ? 0 : 2; i < 4; i++) {
        size_t n;
        char *bytes = read_input(path, pieces[i], &n);
        cr_expect(n == n_expected && memcmp(bytes, expected, n) == 0, "%zu bytes", n);
        free(bytes);
    }
    remove_temp(path);
}

Test(input, plain)
{
    expect_input("", 0, "", 0);
    expect_input("a", 1, "a", 1);
    expect_input("abcde", 5, "abcde", 5);
    expect_input("\x1f", 1, "\x1f", 1); /* half of gzip's magic */
    expect_input("\x28\xb5\x2f\xff text", 9, "\x28\xb5\x2f\xff text", 9);
}

static size_t gzip(const char *text, size_t n, char *packed, size_t capacity)
{
    z_stream z = {0};
    cr_assert(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    char *copy = malloc(n + 1);
    memcpy(copy, text, n);
    z.next_in = (unsigned char *)copy;
    z.avail_in = (unsigned)n;
    z.next_out = (unsigned char *)packed;
    z.avail_out = (unsigned)capacity;
    cr_assert(deflate(&z, Z_FINISH) == Z_STREAM_END);
    size_t used = capacity - z.avail_out;
    (void)deflateEnd(&z);
    free(copy);
    return used;
}

/* One member or frame, several, empty ones among them, and sizes around the ring's slots. */
Test(input, packed)
{
    static const size_t sizes[] = {0, 1, 262143, 262144, 262145, 524288, 3000000};
    size_t capacity = 8000000;
    char *text = malloc(capacity), *packed = malloc(capacity);
    for (size_t i = 0; i < capacity; i++)
        text[i] = (char)('a' + i * i % 19);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = gzip(text, sizes[i], packed, capacity);
        expect_input(packed, n, text, sizes[i]);
        n += gzip("", 0, packed + n, capacity - n);
        n += gzip(text + sizes[i], 1000, packed + n, capacity - n);
        expect_input(packed, n, text, sizes[i] + 1000);

        n = ZSTD_compress(packed, capacity, text, sizes[i], 1);
        expect_input(packed, n, text, sizes[i]);
        n += ZSTD_compress(packed + n, capacity - n, "", 0, 1);
        n += ZSTD_compress(packed + n, capacity - n, text + sizes[i], 1000, 3);
        expect_input(packed, n, text, sizes[i] + 1000);
    }
    free(text);
    free(packed);
}

/* As zstd --long=31 writes it, by hand: a frame header with a window of 2^(10 + 21) bytes, and one
 * raw block, the last, whose header has its length from bit 3 on. */
Test(input, zstd_with_a_window_of_2_GiB)
{
    static const char text[] = "hello, hello";
    char packed[32] = "\x28\xb5\x2f\xfd";
    size_t n = sizeof text - 1;
    packed[5] = (char)(21 << 3);
    packed[6] = (char)(n << 3 | 1);
    memcpy(packed + 9, text, n);
    expect_input(packed, 9 + n, text, n);
}

/* pzstd begins with a frame to skip; a tape ends with zeros, also more than are read at once. */
Test(input, around_packed)
{
    size_t capacity = 200000, n;
    char *packed = calloc(capacity, 1);
    memcpy(packed, "\x5e\x2a\x4d\x18\x04\0\0\0abcd", 12);
    expect_input(packed, 12, "", 0);
    n = 12 + ZSTD_compress(packed + 12, capacity - 12, "hello", 5, 1);
    expect_input(packed, n, "hello", 5);
    memset(packed, 0, capacity);
    n = gzip("hello", 5, packed, capacity);
    expect_input(packed, n + 1, "hello", 5);
    expect_input(packed, capacity, "hello", 5);
    free(packed);
}

/* Every way to cut a packed file short is noticed. */
Test(input, cut_off)
{
    char packed[600];
    const char *text = "arrival_s,prompt_tokens,output_tokens\n0,1,2\n1,2,3\n2,3,4\n";
    for (int kind = 0; kind < 2; kind++) {
        size_t n = kind == 0 ? gzip(text, strlen(text), packed, sizeof packed)
                             : ZSTD_compress(packed, sizeof packed, text, strlen(text), 1);
        for (size_t cut = 4; cut < n; cut++) {
            char *path = temp_file(packed, cut);
            struct llmsim_input *in;
            struct llmsim_error err;
            char bytes[200];
            size_t n_read;
            enum llmsim_status status;
            cr_assert(llmsim_input_open(path, &in, NULL) == LLMSIM_OK);
            do
                status = llmsim_input_read(in, bytes, sizeof bytes, &n_read, &err);
            while (status == LLMSIM_OK && n_read > 0);
            cr_expect(status == LLMSIM_IO, "%zu of %zu bytes", cut, n);
            cr_expect(strstr(err.message, "ends too early") != NULL, "%s", err.message);
            llmsim_input_close(in);
            remove_temp(path);
        }
    }
}

Test(input, position_and_size)
{
    char text[3000], bytes[100];
    size_t n;
    struct llmsim_input *in;
    memset(text, 'x', sizeof text);
    char *path = temp_file(text, sizeof text);
    cr_assert(llmsim_input_open(path, &in, NULL) == LLMSIM_OK);
    cr_expect(llmsim_input_size(in) == 3000);
    for (int i = 0; i < 3; i++)
        cr_expect(llmsim_input_read(in, bytes, sizeof bytes, &n, NULL) == LLMSIM_OK);
    cr_expect(llmsim_input_position(in) > 4 && llmsim_input_position(in) <= 300);
    llmsim_input_close(in);
    remove_temp(path);
    llmsim_input_close(NULL);
}

Test(input, standard_input)
{
    int ends[2];
    size_t n;
    cr_assert(pipe(ends) == 0 && dup2(ends[0], STDIN_FILENO) >= 0);
    cr_assert(write(ends[1], "hello", 5) == 5);
    (void)close(ends[1]);
    char *bytes = read_input("-", 100, &n);
    cr_expect(n == 5 && memcmp(bytes, "hello", 5) == 0);
    free(bytes);
}
