#include "gnuplot_text.h"

#include <stdbool.h>
#include <string.h>

#include "utf8.h"

/* Characters of `length` bytes, in order, from first to last. */
static const struct {
    const char *first, *last;
    size_t length;
} unprintable[] = {
    {"\x01", "\x1f", 1},                 /* C0: line ends, escapes */
    {"\x7f", "\x7f", 1},                 /* DEL */
    {"\xc2\x80", "\xc2\x9f", 2},         /* C1: U+009B is a terminal's escape, too */
    {"\xe2\x80\xa8", "\xe2\x80\xae", 3}, /* line and paragraph ends; U+202E and the like */
    {"\xe2\x81\xa6", "\xe2\x81\xa9", 3}, /* isolates: U+2066 and so on */
    {"\xef\xbf\xbe", "\xef\xbf\xbf", 3}, /* no characters, which XML, and so SVG, forbids */
};

static bool is_printable(const char *character, size_t length)
{
    for (size_t i = 0; i < sizeof unprintable / sizeof *unprintable; i++)
        if (unprintable[i].length == length &&
            memcmp(character, unprintable[i].first, length) >= 0 &&
            memcmp(character, unprintable[i].last, length) <= 0)
            return false;
    return true;
}

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
    bool is_shown = length > 0 && is_printable(character, length);
    *n = is_shown ? length : 1;
    return is_shown ? character : " ";
}
