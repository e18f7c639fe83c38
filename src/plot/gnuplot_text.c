#include "gnuplot_text.h"

#include <stdbool.h>
#include <string.h>

#include "utf8.h"

const char *gnuplot_text_next(const char **text, enum gnuplot_text_kind kind, size_t *n)
{
    const char *character = *text;
    size_t length = llmsim_utf8_length(character);
    if (*character == '\0') {
        *n = 0;
        return character;
    }
    *text += length > 0 ? length : 1;
    *n = 2;
    if (*character == '\'')
        return "''";
    if (*character == '%' && kind == GNUPLOT_TIC_LABEL)
        return "%%";
    bool is_shown = llmsim_utf8_shown(character) > 0;
    *n = is_shown ? length : 1;
    return is_shown ? character : " ";
}

void gnuplot_text_cut(char *cut, size_t room, const char *text, size_t most)
{
    static const char mark[] = "\u2026";
    size_t used = 0, last = 0; /* last: where character number `most` begins */
    for (size_t n = 0; *text != '\0'; n++) {
        size_t length = llmsim_utf8_length(text);
        length = length > 0 ? length : 1;
        if (n + 1 == most)
            last = used;
        if (n == most || used + length + sizeof mark > room) {
            used = n == most ? last : used;
            memcpy(cut + used, mark, sizeof mark);
            return;
        }
        memcpy(cut + used, text, length);
        used += length;
        text += length;
    }
    cut[used] = '\0';
}
