#include "llmsim/nearest.h"

#include <ctype.h>
#include <string.h>

#define MAX_LENGTH 127

static int fold(char c)
{
    return tolower((unsigned char)c);
}

/* Wagner and Fischer's table, of which one row at a time is enough. */
size_t llmsim_edit_distance(const char *a, const char *b)
{
    size_t row[MAX_LENGTH + 1], n = strnlen(b, MAX_LENGTH);
    if (strnlen(a, 2 * (size_t)MAX_LENGTH) == 2 * (size_t)MAX_LENGTH)
        return strlen(a); /* near to nothing */
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t best = diagonal + (fold(a[i]) != fold(b[j]));
            diagonal = row[j + 1];
            if (diagonal + 1 < best)
                best = diagonal + 1;
            if (row[j] + 1 < best)
                best = row[j] + 1;
            row[j + 1] = best;
        }
    }
    return row[n];
}

void llmsim_nearest_offer(struct llmsim_nearest *nearest, const char *word)
{
    size_t n_edits = llmsim_edit_distance(nearest->typed, word);
    size_t limit = nearest->word != NULL ? nearest->n_edits : LLMSIM_NEAREST_MAX_EDITS + 1;
    if (n_edits >= limit)
        return;
    nearest->word = word;
    nearest->n_edits = n_edits;
}
