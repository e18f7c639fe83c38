/* fit_profile.c: profile CSV into groups of measurements. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fit_entry.h"
#include "llmsim/fit.h"
#include "table.h"
#include "trace_fields.h"
#include "utf8.h"

/* X(name): the columns of a profile. */
#define COLUMN_LIST(X)                                                                             \
    X(model)                                                                                       \
    X(gpu)                                                                                         \
    X(tp)                                                                                          \
    X(phase)                                                                                       \
    X(batch_size)                                                                                  \
    X(new_tokens)                                                                                  \
    X(context_tokens)                                                                              \
    X(sum_sq_tokens)                                                                               \
    X(latency_s)                                                                                   \
    X(repeat)                                                                                      \
    X(source)

enum column {
#define X(name) COLUMN_##name,
    COLUMN_LIST(X)
#undef X
        N_COLUMNS
};
static const char *const column_names[N_COLUMNS] = {
#define X(name) #name,
    COLUMN_LIST(X)
#undef X
};

/* Far above what a step does, and small enough for sums of products in 64 bits. */
#define MAX_TOKENS UINT64_C(1000000000000)
#define MAX_SUM_SQ UINT64_C(4000000000000000000)

__extension__ typedef unsigned __int128 wide;

struct reader {
    struct llmsim_table table;
    size_t at[N_COLUMNS];
};

const char *llmsim_fit_phase_name(enum llmsim_fit_phase phase)
{
    static const char *const names[] = {
#define X(name, text) text,
        LLMSIM_FIT_PHASE_LIST(X)
#undef X
    };
    return names[phase];
}

static enum llmsim_status fail_field(const struct reader *r, enum column column, const char *fault,
                                     struct llmsim_error *err)
{
    return llmsim_table_fail(&r->table, r->at[column], fault, err);
}

static enum llmsim_status read_whole(const struct reader *r, enum column column, uint64_t min,
                                     uint64_t max, uint64_t *value, struct llmsim_error *err)
{
    const struct llmsim_csv_field *f = llmsim_table_field(&r->table, r->at[column]);
    bool fits = f->length >= 1 && f->length <= 19;
    *value = 0;
    for (size_t i = 0; i < f->length && fits; i++) {
        fits = f->text[i] >= '0' && f->text[i] <= '9';
        if (fits)
            *value = *value * 10 + (uint64_t)(f->text[i] - '0');
    }
    if (fits && *value >= min && *value <= max)
        return LLMSIM_OK;
    char fault[96];
    (void)snprintf(fault, sizeof fault, "is not a whole number; expected %llu to %llu",
                   (unsigned long long)min, (unsigned long long)max);
    return fail_field(r, column, fault, err);
}

static enum llmsim_status read_name(const struct reader *r, enum column column,
                                    char name[static LLMSIM_MAX_NAME + 1], struct llmsim_error *err)
{
    const struct llmsim_csv_field *f = llmsim_table_field(&r->table, r->at[column]);
    if (f->length < 1 || f->length > LLMSIM_MAX_NAME)
        return fail_field(r, column, "is no name; expected 1 to 127 bytes", err);
    if (!llmsim_utf8_is_plain(f->text, f->length))
        return fail_field(r, column, "is no plain UTF-8 text; expected a name", err);
    memcpy(name, f->text, f->length + 1);
    return LLMSIM_OK;
}

static enum llmsim_status read_phase(const struct reader *r, enum llmsim_fit_phase *phase,
                                     struct llmsim_error *err)
{
    const struct llmsim_csv_field *f = llmsim_table_field(&r->table, r->at[COLUMN_phase]);
    for (int i = 0; i < LLMSIM_FIT_N_PHASES; i++)
        if (strcmp(f->text, llmsim_fit_phase_name((enum llmsim_fit_phase)i)) == 0) {
            *phase = (enum llmsim_fit_phase)i;
            return LLMSIM_OK;
        }
    return fail_field(r, COLUMN_phase, "is no phase; expected prefill, decode, mixed or batch",
                      err);
}

/* n_steps steps of n_seqs requests that read `first` tokens in the first of them: the sum of what
 * they read is n_steps · first + n_seqs · n_steps (n_steps - 1) / 2. Is there such a number? */
static bool find_steps(uint64_t n_seqs, uint64_t first, uint64_t sum, uint64_t *n_steps)
{
    uint64_t low = 0, high = 1000000000;
    while (low < high) {
        uint64_t n = low + (high - low) / 2;
        wide reads = (wide)n * first + (wide)n_seqs * (n == 0 ? 0 : n * (n - 1) / 2);
        if (reads < sum)
            low = n + 1;
        else
            high = n;
    }
    *n_steps = low;
    return (wide)low * first + (wide)n_seqs * (low == 0 ? 0 : low * (low - 1) / 2) == sum;
}

/* The attention work of `batch_size` prompts of `new_tokens` in all, none of them 0: least where
 * they are equal, most where all but one have one token. */
static bool is_sum_sq(uint64_t batch_size, uint64_t new_tokens, uint64_t sum_sq)
{
    wide tokens = new_tokens, longest = new_tokens - (batch_size - 1);
    return (wide)sum_sq * batch_size >= tokens * tokens &&
           sum_sq <= longest * longest + (batch_size - 1);
}

/* docs/fit.md says what each phase's numbers are. */
static enum llmsim_status set_shape(const struct reader *r, uint64_t batch_size,
                                    uint64_t new_tokens, uint64_t context_tokens, uint64_t sum_sq,
                                    struct llmsim_fit_row *row, struct llmsim_error *err)
{
    if (row->phase == LLMSIM_FIT_DECODE) {
        if (new_tokens != batch_size)
            return fail_field(r, COLUMN_new_tokens,
                              "of a decode step; expected batch_size, a token each", err);
        if (sum_sq != 0)
            return fail_field(r, COLUMN_sum_sq_tokens, "of a decode step; expected 0", err);
        if (context_tokens < batch_size)
            return fail_field(r, COLUMN_context_tokens,
                              "is too few; expected a token a sequence or more", err);
        row->shape = (struct llmsim_step_shape){.decode_seqs = (uint32_t)batch_size,
                                                .context_tokens = context_tokens};
        return LLMSIM_OK;
    }
    if (row->phase != LLMSIM_FIT_MIXED && new_tokens < batch_size)
        return fail_field(r, COLUMN_new_tokens, "is too few; expected a token a prompt or more",
                          err);
    if (new_tokens == 0)
        return fail_field(r, COLUMN_new_tokens, "is no prompt; expected 1 or more", err);
    row->shape = (struct llmsim_step_shape){.prefill_tokens = new_tokens,
                                            .prefill_seqs = (uint32_t)batch_size,
                                            .prefill_sum_sq = sum_sq};
    if (row->phase == LLMSIM_FIT_MIXED) {
        /* (c + n)² - c² = n (2c + n) */
        uint64_t twice_c = sum_sq / new_tokens - new_tokens;
        if (sum_sq % new_tokens != 0 || sum_sq / new_tokens < new_tokens || twice_c % 2 != 0)
            return fail_field(r, COLUMN_sum_sq_tokens,
                              "is of no chunk of new_tokens; expected (c + n)^2 - c^2", err);
        row->shape.prefill_seqs = 1;
        row->shape.decode_seqs = (uint32_t)batch_size;
        row->shape.context_tokens = context_tokens;
        row->shape.longest_context = context_tokens / batch_size;
        if (row->shape.longest_context < twice_c / 2)
            row->shape.longest_context = twice_c / 2;
        return LLMSIM_OK;
    }
    if (row->phase == LLMSIM_FIT_BATCH) {
        row->decode_seqs = (uint32_t)batch_size;
        row->context_tokens = context_tokens;
        if (!is_sum_sq(batch_size, new_tokens, sum_sq))
            return fail_field(r, COLUMN_sum_sq_tokens,
                              "is not of batch_size prompts of new_tokens in all", err);
        if (!find_steps(batch_size, new_tokens + batch_size, context_tokens, &row->n_decode_steps))
            return fail_field(r, COLUMN_context_tokens,
                              "is not the sum over whole decode steps of what each reads", err);
        return LLMSIM_OK;
    }
    row->shape.longest_context = context_tokens / batch_size;
    if (context_tokens == 0 && !is_sum_sq(batch_size, new_tokens, sum_sq))
        return fail_field(r, COLUMN_sum_sq_tokens,
                          "is not of batch_size prompts of new_tokens in all", err);
    if (batch_size == 1 && (wide)new_tokens * (2 * context_tokens + new_tokens) != sum_sq)
        return fail_field(r, COLUMN_sum_sq_tokens,
                          "is not that of the chunk; expected (c + n)^2 - c^2 with c of "
                          "context_tokens and n of new_tokens",
                          err);
    return LLMSIM_OK;
}

static enum llmsim_status parse_row(const struct reader *r, struct llmsim_fit_key *key,
                                    struct llmsim_fit_row *row, struct llmsim_error *err)
{
    uint64_t tp = 0, batch_size = 0, new_tokens = 0, context_tokens = 0, sum_sq = 0;
    int64_t latency_ns = 0;
    *row = (struct llmsim_fit_row){.latency_s = 0};
    enum llmsim_status status = read_name(r, COLUMN_model, key->model, err);
    if (status == LLMSIM_OK)
        status = read_name(r, COLUMN_gpu, key->gpu, err);
    if (status == LLMSIM_OK)
        status = read_whole(r, COLUMN_tp, 1, LLMSIM_MAX_TENSOR_PARALLEL_SIZE, &tp, err);
    if (status == LLMSIM_OK)
        status = read_phase(r, &row->phase, err);
    if (status == LLMSIM_OK)
        status = read_whole(r, COLUMN_batch_size, 1, 1000000, &batch_size, err);
    if (status == LLMSIM_OK)
        status = read_whole(r, COLUMN_new_tokens, 0, MAX_TOKENS, &new_tokens, err);
    if (status == LLMSIM_OK)
        status = read_whole(r, COLUMN_context_tokens, 0, MAX_TOKENS, &context_tokens, err);
    if (status == LLMSIM_OK)
        status = read_whole(r, COLUMN_sum_sq_tokens, 0, MAX_SUM_SQ, &sum_sq, err);
    if (status == LLMSIM_OK)
        status = set_shape(r, batch_size, new_tokens, context_tokens, sum_sq, row, err);
    if (status != LLMSIM_OK)
        return status;
    key->tensor_parallel_size = (unsigned)tp;
    const struct llmsim_csv_field *f = llmsim_table_field(&r->table, r->at[COLUMN_latency_s]);
    const char *fault = llmsim_parse_seconds(f->text, f->length, &latency_ns);
    if (fault == NULL && latency_ns == 0)
        fault = "is not over 0; expected seconds";
    if (fault != NULL)
        return fail_field(r, COLUMN_latency_s, fault, err);
    row->latency_s = (double)latency_ns / 1e9;
    return LLMSIM_OK;
}

static enum llmsim_status out_of_memory(struct llmsim_error *err)
{
    return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
}

static bool is_same(const struct llmsim_fit_key *a, const struct llmsim_fit_key *b)
{
    return strcmp(a->model, b->model) == 0 && strcmp(a->gpu, b->gpu) == 0 &&
           a->tensor_parallel_size == b->tensor_parallel_size;
}

/* A group's room doubles when its count is a power of 2. */
static enum llmsim_status add_row(struct llmsim_fit_profile *p, const struct llmsim_fit_key *key,
                                  const struct llmsim_fit_row *row, struct llmsim_error *err)
{
    size_t i = 0;
    while (i < p->n_groups && !is_same(&p->groups[i].key, key))
        i++;
    if (i == p->n_groups) {
        struct llmsim_fit_group *groups = realloc(p->groups, (i + 1) * sizeof *groups);
        if (groups == NULL)
            return out_of_memory(err);
        groups[i] = (struct llmsim_fit_group){.key = *key};
        p->groups = groups;
        p->n_groups++;
    }
    struct llmsim_fit_group *g = &p->groups[i];
    if (g->n_rows == 0 || (g->n_rows & (g->n_rows - 1)) == 0) {
        struct llmsim_fit_row *rows =
            realloc(g->rows, (g->n_rows == 0 ? 1 : 2 * g->n_rows) * sizeof *rows);
        if (rows == NULL)
            return out_of_memory(err);
        g->rows = rows;
    }
    g->rows[g->n_rows++] = *row;
    return LLMSIM_OK;
}

static enum llmsim_status find_columns(struct reader *r, struct llmsim_error *err)
{
    for (size_t i = 0; i < N_COLUMNS; i++) {
        r->at[i] = llmsim_table_column(&r->table, column_names[i]);
        if (r->at[i] == LLMSIM_NO_COLUMN)
            return llmsim_table_fail_header(&r->table, err, "the header has no column %s",
                                            column_names[i]);
    }
    return LLMSIM_OK;
}

static enum llmsim_status read_file(const char *path, struct llmsim_fit_profile *p,
                                    char sha256[static LLMSIM_SHA256_HEX + 1],
                                    struct llmsim_error *err)
{
    struct reader r;
    bool ended = false;
    enum llmsim_status status = llmsim_table_open(&r.table, path, err);
    if (status != LLMSIM_OK)
        return status;
    status = find_columns(&r, err);
    while (status == LLMSIM_OK) {
        struct llmsim_fit_key key;
        struct llmsim_fit_row row;
        status = llmsim_table_next(&r.table, &ended, err);
        if (status != LLMSIM_OK || ended)
            break;
        status = parse_row(&r, &key, &row, err);
        if (status == LLMSIM_OK)
            status = add_row(p, &key, &row, err);
    }
    if (status == LLMSIM_OK)
        llmsim_lines_sha256(&r.table.lines, sha256);
    llmsim_table_close(&r.table);
    return status;
}

static void hash_text(const char *text, size_t n, char sha256[static LLMSIM_SHA256_HEX + 1])
{
    struct llmsim_sha256 sha;
    llmsim_sha256_init(&sha);
    llmsim_sha256_update(&sha, text, n);
    llmsim_sha256_final(&sha, sha256);
}

enum llmsim_status llmsim_fit_profile_read(const char *const *paths, size_t n_paths,
                                           struct llmsim_fit_profile *profile,
                                           struct llmsim_error *err)
{
    struct llmsim_fit_profile p = {.n_groups = 0};
    *profile = p;
    if (n_paths == 0)
        return llmsim_fail(err, LLMSIM_USAGE, "no profile was named");
    size_t line = LLMSIM_SHA256_HEX + 1;
    char *hashes = malloc(n_paths * line + 1);
    enum llmsim_status status = hashes != NULL ? LLMSIM_OK : out_of_memory(err);
    for (size_t i = 0; i < n_paths && status == LLMSIM_OK; i++) {
        status = read_file(paths[i], &p, hashes + i * line, err);
        if (status == LLMSIM_OK && n_paths == 1)
            memcpy(p.sha256, hashes, line);
        hashes[i * line + LLMSIM_SHA256_HEX] = '\n';
    }
    if (status == LLMSIM_OK && n_paths > 1)
        hash_text(hashes, n_paths * line, p.sha256);
    if (status == LLMSIM_OK && p.n_groups == 0)
        status = llmsim_fail_at(err, LLMSIM_CATALOGUE, paths[0], 0, 0,
                                "the profile has no measurements");
    free(hashes);
    /* The tables are of measurements, whose faults are a bad trace elsewhere. */
    if (status == LLMSIM_TRACE) {
        status = LLMSIM_CATALOGUE;
        if (err != NULL)
            err->status = status;
    }
    if (status != LLMSIM_OK)
        llmsim_fit_profile_close(&p);
    *profile = p;
    return status;
}

void llmsim_fit_profile_close(struct llmsim_fit_profile *profile)
{
    for (size_t i = 0; i < profile->n_groups; i++)
        free(profile->groups[i].rows);
    free(profile->groups);
    *profile = (struct llmsim_fit_profile){.n_groups = 0};
}
