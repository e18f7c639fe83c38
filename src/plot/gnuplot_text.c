#include "gnuplot_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "utf8.h"

/* Characters, as the number that their bytes are. */
static const struct {
    uint32_t first, last;
} unprintable[] = {
    {0x01, 0x1f},         /* C0: line ends, escapes */
    {0x7f, 0x7f},         /* DEL */
    {0xc280, 0xc29f},     /* C1: U+009B is a terminal's escape, too */
    {0xe280a8, 0xe280ae}, /* line and paragraph ends; U+202E and the like */
    {0xe281a6, 0xe281a9}, /* isolates: U+2066 and so on */
    {0xefbfbe, 0xefbfbf}, /* no characters, which XML, and so SVG, forbids */
};

static bool is_printable(const char *character, size_t length)
{
    uint32_t bytes = 0;
    for (size_t i = 0; i < length; i++)
        bytes = bytes << 8 | (unsigned char)character[i];
    for (size_t i = 0; i < sizeof unprintable / sizeof *unprintable; i++)
        if (bytes >= unprintable[i].first && bytes <= unprintable[i].last)
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
