#include "llmsim/choice.h"

#include <stdio.h>
#include <string.h>

bool llmsim_choice_find(const struct llmsim_choice *(*row)(size_t i), const char *name, size_t *i)
{
    for (*i = 0; row(*i) != NULL; (*i)++)
        if (name == NULL || strcmp(row(*i)->name, name) == 0)
            return true;
    return false;
}

const char *llmsim_choice_names(const struct llmsim_choice *(*row)(size_t i), char *text,
                                size_t capacity)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; row(i) != NULL && used < capacity; i++)
        used +=
            (size_t)snprintf(text + used, capacity - used, "%s%s", i > 0 ? ", " : "", row(i)->name);
    return text;
}
