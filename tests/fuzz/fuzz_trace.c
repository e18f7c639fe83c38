/* fuzz_trace.c: all trace formats. The short path for plain lines and libcsv give the same requests
 * and the same error. */
#include "fuzz.h"

#define MAX_REQUESTS 256

struct reading {
    enum llmsim_status status;
    struct llmsim_error err;
    struct llmsim_request requests[MAX_REQUESTS];
    char ids[MAX_REQUESTS][2 * LLMSIM_MAX_REQUEST_ID + 4];
    uint64_t first_blocks[MAX_REQUESTS];
    size_t n;
    uint64_t n_rejected;
    struct llmsim_trace_status trace;
};

static enum llmsim_status count_reject(void *ctx, const struct llmsim_trace_reject *reject,
                                       struct llmsim_error *err)
{
    (void)err;
    EXPECT(reject->reason[0] != '\0' && memchr(reject->row, '\n', reject->row_length) == NULL);
    ++*(uint64_t *)ctx;
    return LLMSIM_OK;
}

/* What a handle stands for, and an end to it. */
static void take_handles(struct reading *r, const struct llmsim_source *source, size_t i)
{
    struct llmsim_request *request = &r->requests[i];
    memset(r->ids[i], 0, sizeof r->ids[i]);
    r->first_blocks[i] = 0;
    if (request->id != LLMSIM_NO_ID) {
        size_t length;
        const char *text = source->id_text(source->self, request->id, &length);
        EXPECT(length < sizeof r->ids[i]);
        memcpy(r->ids[i], text, length);
        source->release(source->self, request->id);
        request->id = 1;
    }
    if (request->class_id != 0)
        EXPECT(source->class_name(source->self, request->class_id)[0] != '\0');
    if (request->prefix != LLMSIM_NO_PREFIX) {
        struct llmsim_prefix prefix;
        source->prefix(source->self, request->prefix, &prefix);
        EXPECT(prefix.n_blocks > 0);
        r->first_blocks[i] = prefix.blocks[0];
        source->release_prefix(source->self, request->prefix);
        request->prefix = 1;
    }
}

static void read_trace(struct reading *r, const char *path, struct llmsim_trace_options options,
                       size_t capacity)
{
    struct llmsim_trace *trace;
    r->err = (struct llmsim_error){0};
    r->n = r->n_rejected = 0;
    memset(&r->trace, 0, sizeof r->trace);
    options.on_reject_ctx = &r->n_rejected;
    r->status = llmsim_trace_open(path, &options, &trace, &r->err);
    if (r->status != LLMSIM_OK) {
        fuzz_check_error(r->status, &r->err);
        return;
    }
    struct llmsim_source source = llmsim_trace_source(trace);
    int64_t last_ns = 0;
    size_t n = 1;
    while (r->status == LLMSIM_OK && n > 0 && r->n + capacity <= MAX_REQUESTS) {
        r->status = source.read(source.self, r->requests + r->n, capacity, &n, &r->err);
        for (size_t end = r->n + n; r->n < end; r->n++) {
            const struct llmsim_request *request = &r->requests[r->n];
            EXPECT(request->arrival_ns >= last_ns && request->arrival_ns <= LLMSIM_MAX_ARRIVAL_NS);
            EXPECT(request->prompt_tokens <= LLMSIM_MAX_TOKENS &&
                   request->output_tokens <= LLMSIM_MAX_TOKENS);
            EXPECT(request->deadline_ns >= request->arrival_ns);
            last_ns = request->arrival_ns;
            take_handles(r, &source, r->n);
        }
    }
    if (r->status != LLMSIM_OK)
        fuzz_check_error(r->status, &r->err);
    llmsim_trace_get_status(trace, &r->trace);
    r->trace.unused_columns = NULL; /* of the trace */
    llmsim_trace_close(trace);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reading plain, libcsv;
    struct fuzz_input in = {data, size};
    uint8_t flags = fuzz_byte(&in);
    size_t capacity = 1 + fuzz_byte(&in) % 64;
    struct llmsim_trace_options options = {
        .on_reject = flags & 1 ? count_reject : NULL,
        .with_prefixes = flags & 2,
        .rate_scale = {flags & 4 ? 3 : 1, flags & 4 ? 7 : 1},
        .hash_block_tokens = flags & 8 ? 16 : 0,
    };
    if (flags & 16) { /* a format by its name, behind the last: from the header */
        const struct llmsim_choice *format = llmsim_trace_format_choice(flags >> 5);
        options.format = format != NULL ? format->name : NULL;
    }
    const char *path = fuzz_file(0, in.data, in.size);
    read_trace(&plain, path, options, capacity);
    options.only_libcsv = true;
    read_trace(&libcsv, path, options, capacity);
    EXPECT(plain.status == libcsv.status && plain.n == libcsv.n);
    EXPECT(plain.n_rejected == libcsv.n_rejected);
    EXPECT(memcmp(plain.requests, libcsv.requests, plain.n * sizeof *plain.requests) == 0);
    EXPECT(memcmp(plain.ids, libcsv.ids, plain.n * sizeof *plain.ids) == 0);
    EXPECT(memcmp(plain.first_blocks, libcsv.first_blocks, plain.n * sizeof *plain.first_blocks) ==
           0);
    EXPECT(strcmp(plain.err.message, libcsv.err.message) == 0 && plain.err.line == libcsv.err.line);
    EXPECT(strcmp(plain.trace.sha256, libcsv.trace.sha256) == 0);
    return 0;
}
