/* trace_format.c: docs/formats.md describes each row in full. */
#include "trace_format.h"

#include <stdio.h>
#include <string.h>

#include "llmsim/trace.h"

static const struct llmsim_trace_format formats[] = {
    {
        .choice = {"native", "arrival_s,prompt_tokens,output_tokens[,request_id][,priority]"
                             "[,deadline_s][,class][,hash_ids]: llmsim's own"},
        .columns = {{"arrival_s", LLMSIM_COLUMN_SECONDS, false, NULL},
                    {"prompt_tokens", LLMSIM_COLUMN_PROMPT_TOKENS, false, NULL},
                    {"output_tokens", LLMSIM_COLUMN_OUTPUT_TOKENS, false, NULL},
                    {"request_id", LLMSIM_COLUMN_REQUEST_ID, true, NULL},
                    {"priority", LLMSIM_COLUMN_PRIORITY, true, NULL},
                    {"deadline_s", LLMSIM_COLUMN_DEADLINE, true, NULL},
                    {"class", LLMSIM_COLUMN_CLASS, true, NULL},
                    {"hash_ids", LLMSIM_COLUMN_HASH_IDS, true, NULL}},
    },
    {
        .choice = {"azure", "TIMESTAMP,ContextTokens,GeneratedTokens: Azure's public traces"},
        .starts_at_first_row = true,
        .columns = {{"TIMESTAMP", LLMSIM_COLUMN_DATE, false, NULL},
                    {"ContextTokens", LLMSIM_COLUMN_PROMPT_TOKENS, false, NULL},
                    {"GeneratedTokens", LLMSIM_COLUMN_OUTPUT_TOKENS, false, NULL}},
    },
    {
        .choice = {"mooncake",
                   "JSON lines of timestamp (ms), input_length, output_length, hash_ids: "
                   "Mooncake's traces"},
        .is_json = true,
        .columns = {{"timestamp", LLMSIM_COLUMN_MILLISECONDS, false, NULL},
                    {"input_length", LLMSIM_COLUMN_PROMPT_TOKENS, false, NULL},
                    {"output_length", LLMSIM_COLUMN_OUTPUT_TOKENS, false, NULL},
                    {"time_unit", LLMSIM_COLUMN_TIME_UNIT, true, NULL},
                    {"hash_ids", LLMSIM_COLUMN_HASH_IDS, true, NULL}},
    },
    {
        .choice = {"burstgpt", "Timestamp,Request tokens,Response tokens,...: BurstGPT's traces"},
        .no_output_is_failed = true,
        .columns = {{"Timestamp", LLMSIM_COLUMN_SECONDS, false, NULL},
                    {"Model", LLMSIM_COLUMN_IGNORED, true, ""},
                    {"Request tokens", LLMSIM_COLUMN_PROMPT_TOKENS, false, NULL},
                    {"Response tokens", LLMSIM_COLUMN_OUTPUT_TOKENS, false, NULL},
                    {"Total tokens", LLMSIM_COLUMN_TOTAL_TOKENS, true, NULL},
                    {"Log Type", LLMSIM_COLUMN_CLASS, true, ""}},
    },
    {
        .choice = {"vidur", "arrived_at,num_prefill_tokens,num_decode_tokens: the simulator Vidur"},
        .columns = {{"arrived_at", LLMSIM_COLUMN_SECONDS, false, NULL},
                    {"num_prefill_tokens", LLMSIM_COLUMN_PROMPT_TOKENS, false, NULL},
                    {"num_decode_tokens", LLMSIM_COLUMN_OUTPUT_TOKENS, false, NULL}},
    },
    {
        /* Its simulator's request types: 0 is computation, 1 a deep network, 2 a language model. */
        .choice = {"splitwise", "request_id,arrival_timestamp,prompt_size,token_size,...: "
                                "the simulator SplitwiseSim"},
        .columns = {{"request_id", LLMSIM_COLUMN_REQUEST_ID, false, NULL},
                    {"request_type", LLMSIM_COLUMN_IGNORED, true, "2"},
                    {"application_id", LLMSIM_COLUMN_IGNORED, true, "0"},
                    {"arrival_timestamp", LLMSIM_COLUMN_SECONDS, false, NULL},
                    {"batch_size", LLMSIM_COLUMN_BATCH_SIZE, true, NULL},
                    {"prompt_size", LLMSIM_COLUMN_PROMPT_TOKENS, false, NULL},
                    {"token_size", LLMSIM_COLUMN_OUTPUT_TOKENS, false, NULL}},
    },
    {
        .choice = {"servegen", "timestamp,input_tokens,output_tokens[,request_id]: the generator "
                               "ServeGen"},
        .columns = {{"request_id", LLMSIM_COLUMN_REQUEST_ID, true, NULL},
                    {"timestamp", LLMSIM_COLUMN_SECONDS, false, NULL},
                    {"input_tokens", LLMSIM_COLUMN_PROMPT_TOKENS, false, NULL},
                    {"output_tokens", LLMSIM_COLUMN_OUTPUT_TOKENS, false, NULL}},
    },
};
#define N_FORMATS (sizeof formats / sizeof *formats)
_Static_assert(N_FORMATS <= LLMSIM_MAX_FORMATS, "a list has to hold them");

const struct llmsim_choice *llmsim_trace_format_choice(size_t i)
{
    return i < N_FORMATS ? &formats[i].choice : NULL;
}

/* Append to a text that has `capacity` bytes; what does not fit is left out. */
static void append(char *text, size_t capacity, const char *more)
{
    size_t used = strlen(text);
    (void)snprintf(text + used, capacity - used, "%s", more);
}

const char *llmsim_trace_format_names(const struct llmsim_format_list *list, char *text,
                                      size_t capacity)
{
    text[0] = '\0';
    for (size_t i = 0; i < list->n; i++) {
        append(text, capacity, i == 0 ? "" : i + 1 < list->n ? ", " : " or ");
        append(text, capacity, list->formats[i]->choice.name);
    }
    return text;
}

void llmsim_trace_format_all(struct llmsim_format_list *list)
{
    for (list->n = 0; list->n < N_FORMATS; list->n++)
        list->formats[list->n] = &formats[list->n];
}

enum llmsim_status llmsim_trace_format_named(const char *name,
                                             const struct llmsim_trace_format **format,
                                             struct llmsim_error *err)
{
    char names[256];
    size_t i;
    *format = NULL;
    if (name == NULL)
        return LLMSIM_OK;
    if (!llmsim_choice_find(llmsim_trace_format_choice, name, &i))
        return llmsim_fail(err, LLMSIM_USAGE, "unknown trace format '%s'; expected one of %s", name,
                           llmsim_choice_names(llmsim_trace_format_choice, names, sizeof names));
    *format = &formats[i];
    return LLMSIM_OK;
}

static size_t n_known(const struct llmsim_csv_line *header)
{
    return header->n_fields < LLMSIM_CSV_MAX_FIELDS ? header->n_fields : LLMSIM_CSV_MAX_FIELDS;
}

size_t llmsim_trace_format_column(const struct llmsim_csv_line *header, const char *name,
                                  size_t first)
{
    for (size_t i = first; i < n_known(header); i++)
        if (strcmp(header->fields[i].text, name) == 0)
            return i;
    return header->n_fields;
}

const struct llmsim_trace_format *llmsim_trace_format_json(void)
{
    size_t i = 0;
    while (!formats[i].is_json)
        i++;
    return &formats[i];
}

/* A format that fits scores more than any that does not; of those the one that has more wins. */
static int score(const struct llmsim_trace_format *format, const struct llmsim_csv_line *header,
                 bool only_lengths)
{
    int n_found = 0, n_missing = 0;
    for (const struct llmsim_trace_column *c = format->columns; c->name != NULL; c++) {
        bool found = llmsim_trace_format_column(header, c->name, 0) < header->n_fields;
        n_found += found;
        n_missing += !found && !c->optional && !(only_lengths && llmsim_column_is_arrival(c->kind));
    }
    return n_missing == 0 ? LLMSIM_FORMAT_MAX_COLUMNS : n_found;
}

void llmsim_trace_format_detect(const struct llmsim_csv_line *header, bool only_lengths,
                                struct llmsim_format_list *list, bool *nearest)
{
    int best = 0;
    list->n = 0;
    for (size_t i = 0; i < N_FORMATS; i++) {
        if (formats[i].is_json)
            continue;
        int score_here = score(&formats[i], header, only_lengths);
        if (score_here > best)
            list->n = 0;
        if (score_here >= best)
            list->formats[list->n++] = &formats[i];
        best = score_here > best ? score_here : best;
    }
    *nearest = best < LLMSIM_FORMAT_MAX_COLUMNS;
}

/* The columns that are read; of the optional ones none, if only_needed. */
static void append_columns(const struct llmsim_trace_format *format, bool only_needed, char *text,
                           size_t capacity)
{
    const char *comma = "";
    for (const struct llmsim_trace_column *c = format->columns; c->name != NULL; c++) {
        if (c->kind == LLMSIM_COLUMN_IGNORED || c->kind == LLMSIM_COLUMN_TOTAL_TOKENS ||
            c->kind == LLMSIM_COLUMN_TIME_UNIT || (c->optional && only_needed))
            continue;
        append(text, capacity, c->optional ? "[" : "");
        append(text, capacity, comma);
        append(text, capacity, c->name);
        append(text, capacity, c->optional ? "]" : "");
        comma = ",";
    }
}

const char *llmsim_trace_format_expected(const struct llmsim_trace_format *format, char *text,
                                         size_t capacity)
{
    text[0] = '\0';
    append_columns(format, false, text, capacity);
    return text;
}

const char *llmsim_trace_format_expected_any(const struct llmsim_format_list *list, char *text,
                                             size_t capacity)
{
    char names[256];
    size_t n = list->n > 3 ? 1 : list->n;
    text[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        append(text, capacity, i == 0 ? "" : i + 1 < n ? ", " : " or ");
        append(text, capacity, list->formats[i]->choice.name);
        append(text, capacity, "'s ");
        append_columns(list->formats[i], true, text, capacity);
    }
    if (n < list->n) {
        struct llmsim_format_list others = {.n = list->n - n};
        memcpy(others.formats, list->formats + n, others.n * sizeof *others.formats);
        append(text, capacity, ", or those of ");
        append(text, capacity, llmsim_trace_format_names(&others, names, sizeof names));
    }
    return text;
}
