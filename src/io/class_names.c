/* class_names.c: a small hash table. */
#include "class_names.h"

#include <stdbool.h>
#include <string.h>

#include "csv_line.h"
#include "utf8.h"

/* FNV-1a. */
static uint32_t hash(const char *text, size_t n)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)text[i]) * 16777619u;
    return h;
}

static bool is_name(const struct llmsim_class_names *names, uint16_t id, const char *text, size_t n)
{
    const struct llmsim_class_name *name = &names->names[id];
    return name->length == n && memcmp(name->text, text, n) == 0;
}

/* summary.json has the name as a key, and a converted trace has it as a field. */
static const char *check(const char *text, size_t n)
{
    char field[LLMSIM_MAX_CLASS_NAME], copy[LLMSIM_MAX_CLASS_NAME + 1];
    if (llmsim_csv_quote(text, n, field, sizeof field) == 0)
        return "is too long; expected at most 63 bytes";
    memcpy(copy, text, n);
    copy[n] = '\0';
    return llmsim_utf8_is_plain(copy, n)
               ? NULL
               : "is no plain UTF-8 text; expected the name of a class without control characters";
}
_Static_assert(LLMSIM_MAX_CLASS_NAME == 63, "check names the limit");
_Static_assert(LLMSIM_MAX_CLASSES == 1000, "llmsim_class_names_add names the limit");

uint16_t llmsim_class_names_add(struct llmsim_class_names *names, const char *text, size_t n,
                                const char **fault)
{
    *fault = NULL;
    if (n == 0)
        return 0;
    if (names->last != 0 && is_name(names, names->last, text, n))
        return names->last;
    uint32_t slot = hash(text, n) % LLMSIM_CLASS_SLOTS;
    for (; names->slots[slot] != 0; slot = (slot + 1) % LLMSIM_CLASS_SLOTS)
        if (is_name(names, names->slots[slot], text, n))
            return names->last = names->slots[slot];
    *fault = check(text, n);
    if (*fault == NULL && names->n == LLMSIM_MAX_CLASSES)
        *fault = "is one class too many; expected at most 1000 different ones";
    if (*fault != NULL)
        return 0;
    names->last = names->slots[slot] = ++names->n;
    names->names[names->n].length = (unsigned char)n;
    memcpy(names->names[names->n].text, text, n);
    return names->n;
}
