/* trace_format.c: docs/formats.md describes each row in full. */
#include "trace_format.h"

#include <stdio.h>
#include <string.h>

#include "llmsim/trace.h"

static const struct llmsim_trace_format formats[] = {
    {
        .choice = {"native", "arrival_s,prompt_tokens,output_tokens[,request_id][,priority]"
                             "[,deadline_s]: llmsim's own"},
        .columns = {{"arrival_s", LLMSIM_COLUMN_SECONDS, false},
                    {"prompt_tokens", LLMSIM_COLUMN_PROMPT_TOKENS, false},
                    {"output_tokens", LLMSIM_COLUMN_OUTPUT_TOKENS, false},
                    {"request_id", LLMSIM_COLUMN_REQUEST_ID, true},
                    {"priority", LLMSIM_COLUMN_PRIORITY, true},
                    {"deadline_s", LLMSIM_COLUMN_DEADLINE, true}},
    },
    {
        .choice = {"azure", "TIMESTAMP,ContextTokens,GeneratedTokens: Azure's public traces"},
        .starts_at_first_row = true,
        .columns = {{"TIMESTAMP", LLMSIM_COLUMN_DATE, false},
                    {"ContextTokens", LLMSIM_COLUMN_PROMPT_TOKENS, false},
                    {"GeneratedTokens", LLMSIM_COLUMN_OUTPUT_TOKENS, false}},
    },
};
#define N_FORMATS (sizeof formats / sizeof *formats)

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

const struct llmsim_trace_format *llmsim_trace_format_detect(const struct llmsim_csv_line *header)
{
    const struct llmsim_trace_format *nearest = NULL;
    int nearest_score = 0;
    for (size_t i = 0; i < N_FORMATS; i++) {
        int n_found = 0, n_missing = 0;
        for (const struct llmsim_trace_column *c = formats[i].columns; c->name != NULL; c++) {
            bool found = llmsim_trace_format_column(header, c->name, 0) < header->n_fields;
            n_found += found;
            n_missing += !found && !c->optional;
        }
        /* A format that fits beats all that do not; then the one that uses more columns wins. */
        int score = n_found == 0 ? 0 : n_found + (n_missing == 0 ? LLMSIM_FORMAT_MAX_COLUMNS : 0);
        if (score > nearest_score) {
            nearest = &formats[i];
            nearest_score = score;
        }
    }
    return nearest;
}

const char *llmsim_trace_format_expected(const struct llmsim_trace_format *format, char *text,
                                         size_t capacity)
{
    text[0] = '\0';
    for (size_t i = 0; i < N_FORMATS; i++) {
        if (format != NULL && format != &formats[i])
            continue;
        if (format == NULL) {
            append(text, capacity, i > 0 ? " or " : "");
            append(text, capacity, formats[i].choice.name);
            append(text, capacity, "'s ");
        }
        for (const struct llmsim_trace_column *c = formats[i].columns; c->name != NULL; c++) {
            append(text, capacity, c->optional ? "[" : "");
            append(text, capacity, c == formats[i].columns ? "" : ",");
            append(text, capacity, c->name);
            append(text, capacity, c->optional ? "]" : "");
        }
    }
    return text;
}
