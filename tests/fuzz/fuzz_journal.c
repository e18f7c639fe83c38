/* fuzz_journal.c: a directory of finished points whose journal (or, as the first byte says, whose
 * manifest) is anything. Lines of the journal may be given their right checksums. */
#include <zlib.h>

#include "fuzz.h"

#define N_POINTS 8

/* "POINT STATUS ROW" as "POINT STATUS CRC32 ROW"; other lines as they are. */
static size_t with_checksums(const struct fuzz_input *in, char *text, size_t capacity)
{
    size_t used = 0;
    for (const uint8_t *p = in->data, *end = in->data + in->size; p < end;) {
        const uint8_t *line_end = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((line_end != NULL ? line_end : end) - p);
        const uint8_t *blank = memchr(p, ' ', n);
        blank = blank != NULL ? memchr(blank + 1, ' ', (size_t)(p + n - blank - 1)) : NULL;
        size_t head = blank != NULL ? (size_t)(blank + 1 - p) : 0;
        char sum[16] = "";
        if (head > 0)
            (void)snprintf(sum, sizeof sum, "%08lx ", crc32(0, p, (uInt)n));
        if (used + n + sizeof sum > capacity)
            break;
        memcpy(text + used, p, head);
        memcpy(text + used + head, sum, strlen(sum));
        memcpy(text + used + head + strlen(sum), p + head, n - head);
        used += n + strlen(sum);
        if (line_end != NULL)
            text[used++] = '\n';
        p += n + (line_end != NULL);
    }
    return used;
}

static enum llmsim_status open_sweep(struct llmsim_sweep **sweep, struct llmsim_error *err)
{
    struct llmsim_json_document manifest;
    llmsim_json_document_init(&manifest);
    llmsim_json_add_string(&manifest, manifest.root, "command", "fuzz");
    const struct llmsim_sweep_options options = {.dir = fuzz_dir(0),
                                                 .file_name = "sweep.csv",
                                                 .header = "point,x",
                                                 .manifest = &manifest,
                                                 .n_points = N_POINTS};
    enum llmsim_status status = llmsim_sweep_open(&options, sweep, err);
    llmsim_json_document_fini(&manifest);
    return status;
}

/* The manifest that a new directory gets. */
static size_t right_manifest(char *text, size_t capacity)
{
    struct llmsim_sweep *sweep;
    struct llmsim_error err;
    const char *path = fuzz_path(fuzz_dir(0), "manifest.json");
    EXPECT(open_sweep(&sweep, &err) == LLMSIM_OK);
    llmsim_sweep_close(sweep);
    FILE *f = fopen(path, "rb");
    EXPECT(f != NULL);
    size_t n = fread(text, 1, capacity, f);
    (void)fclose(f);
    EXPECT(n > 0 && n < capacity);
    return n;
}

static void read_rows(const struct llmsim_sweep *sweep)
{
    char *row = NULL;
    size_t capacity = 0;
    uint64_t next = 0;
    bool more = llmsim_sweep_next(sweep, &next);
    for (uint64_t point = 0; point < N_POINTS; point++) {
        if (more && point == next) { /* not finished */
            next++;
            more = llmsim_sweep_next(sweep, &next);
            continue;
        }
        EXPECT(llmsim_sweep_row(sweep, point, &row, &capacity, NULL) == LLMSIM_OK);
        EXPECT(strlen(row) < capacity);
    }
    free(row);
}

/* What is kept is found again. */
static void store_and_reopen(struct llmsim_sweep *sweep)
{
    struct llmsim_error err;
    uint64_t point = 0, n_before = llmsim_sweep_get_progress(sweep).n_finished;
    bool more = llmsim_sweep_next(sweep, &point);
    if (more)
        EXPECT(llmsim_sweep_store(sweep, point, LLMSIM_OK, "1,2", &err) == LLMSIM_OK);
    llmsim_sweep_close(sweep);
    EXPECT(open_sweep(&sweep, &err) == LLMSIM_OK);
    EXPECT(llmsim_sweep_get_progress(sweep).n_finished == n_before + more);
    read_rows(sweep);
    llmsim_sweep_close(sweep);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[1 << 16];
    static char manifest[1024];
    static size_t n_manifest;
    struct fuzz_input in = {data, size};
    uint8_t flags = fuzz_byte(&in);
    bool is_manifest = flags & 1;
    struct llmsim_sweep *sweep;
    struct llmsim_error err = {0};
    if (n_manifest == 0)
        n_manifest = right_manifest(manifest, sizeof manifest);
    if (is_manifest) {
        fuzz_put(fuzz_dir(0), "manifest.json", in.data, in.size);
        fuzz_put(fuzz_dir(0), "journal", "", 0);
    } else {
        fuzz_put(fuzz_dir(0), "manifest.json", manifest, n_manifest);
        size_t n = flags & 2 ? with_checksums(&in, text, sizeof text) : 0;
        fuzz_put(fuzz_dir(0), "journal", flags & 2 ? (const void *)text : in.data,
                 flags & 2 ? n : in.size);
    }
    enum llmsim_status status = open_sweep(&sweep, &err);
    if (status != LLMSIM_OK) {
        fuzz_check_error(status, &err);
        return 0;
    }
    read_rows(sweep);
    store_and_reopen(sweep);
    return 0;
}
