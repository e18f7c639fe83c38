#include "llmsim/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

static const struct {
    enum llmsim_status status;
    const char *name;
    const char *text;
} statuses[] = {
#define X(name, code, text) {LLMSIM_##name, #name, text},
    LLMSIM_STATUS_LIST(X)
#undef X
        {0, "UNKNOWN", "not a status of llmsim"},
};

/* The row of a status, or the last. */
static size_t find_status(enum llmsim_status status)
{
    size_t i = 0;
    while (i + 1 < sizeof statuses / sizeof *statuses && statuses[i].status != status)
        i++;
    return i;
}

const char *llmsim_status_name(enum llmsim_status status)
{
    return statuses[find_status(status)].name;
}

const char *llmsim_status_text(enum llmsim_status status)
{
    return statuses[find_status(status)].text;
}

/* A message quotes what files have in them, which need not be text; nor need its end be, where it
 * was cut off. */
static void mask(char *text)
{
    text[llmsim_utf8_mask(text, strlen(text))] = '\0';
}

static void fill(struct llmsim_error *err, enum llmsim_status status, const char *file,
                 uint64_t line, uint64_t column, const char *format, va_list args)
{
    if (err == NULL)
        return;
    err->status = status;
    err->line = line;
    err->column = column;
    (void)snprintf(err->file, sizeof err->file, "%s", file != NULL ? file : "");
    (void)vsnprintf(err->message, sizeof err->message, format, args);
    mask(err->file);
    mask(err->message);
}

#undef llmsim_fail /* of the analyzer */
enum llmsim_status llmsim_fail(struct llmsim_error *err, enum llmsim_status status,
                               const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(err, status, NULL, 0, 0, format, args);
    va_end(args);
    return status;
}

#undef llmsim_fail_at
enum llmsim_status llmsim_fail_at(struct llmsim_error *err, enum llmsim_status status,
                                  const char *file, uint64_t line, uint64_t column,
                                  const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(err, status, file, line, column, format, args);
    va_end(args);
    return status;
}

void llmsim_error_format(const struct llmsim_error *err, char *text, size_t capacity)
{
    char place[LLMSIM_ERROR_FILE_MAX + 64] = "";
    size_t used = 0;
    if (err->file[0] != '\0') {
        used = (size_t)snprintf(place, sizeof place, "%s:", err->file);
        if (err->line != 0)
            used += (size_t)snprintf(place + used, sizeof place - used,
                                     "%llu:", (unsigned long long)err->line);
        if (err->line != 0 && err->column != 0)
            used += (size_t)snprintf(place + used, sizeof place - used,
                                     "%llu:", (unsigned long long)err->column);
        (void)snprintf(place + used, sizeof place - used, " ");
    }
    (void)snprintf(text, capacity, "%s%s", place, err->message);
}

const char *llmsim_shown(const char *text, char *shown, size_t capacity)
{
    (void)snprintf(shown, capacity, "%s", text);
    mask(shown);
    return shown;
}
