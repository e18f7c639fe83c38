#include "utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What the first byte says, and the range of the second, which keeps out overlong forms,
 * surrogates and what lies past U+10FFFF (Unicode, table 3-7). The others are 80 to BF. */
static const struct {
    unsigned char first, last, second_min, second_max;
    size_t length;
} forms[] = {
    {0x01, 0x7f, 0x00, 0xff, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

size_t llmsim_utf8_length(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t i = 0;
    while (i < sizeof forms / sizeof *forms && (*p < forms[i].first || *p > forms[i].last))
        i++;
    if (i == sizeof forms / sizeof *forms)
        return 0;
    if (forms[i].length > 1 && (p[1] < forms[i].second_min || p[1] > forms[i].second_max))
        return 0;
    for (size_t k = 2; k < forms[i].length; k++)
        if ((p[k] & 0xc0) != 0x80)
            return 0;
    return forms[i].length;
}

bool llmsim_utf8_is_valid(const char *text)
{
    for (size_t n; (n = llmsim_utf8_length(text)) > 0;)
        text += n;
    return *text == '\0';
}

/* Characters, as the number that their bytes are. */
static const struct {
    uint32_t first, last;
} not_shown[] = {
    {0x01, 0x1f},         /* C0: line ends, escapes */
    {0x7f, 0x7f},         /* DEL */
    {0xc280, 0xc29f},     /* C1 */
    {0xd89c, 0xd89c},     /* U+061C, Arabic letter mark */
    {0xe2808e, 0xe2808f}, /* U+200E and U+200F, marks of left to right and right to left */
    {0xe280a8, 0xe280ae}, /* line and paragraph ends; embeddings and overrides to U+202E */
    {0xe281a6, 0xe281a9}, /* isolates: U+2066 to U+2069 */
    {0xefbfbe, 0xefbfbf}, /* no characters, which XML, and so SVG, forbids */
};

size_t llmsim_utf8_shown(const char *text)
{
    size_t length = llmsim_utf8_length(text);
    uint32_t bytes = 0;
    for (size_t i = 0; i < length; i++)
        bytes = bytes << 8 | (unsigned char)text[i];
    for (size_t i = 0; i < sizeof not_shown / sizeof *not_shown; i++)
        if (bytes >= not_shown[i].first && bytes <= not_shown[i].last)
            return 0;
    return length;
}

bool llmsim_utf8_is_plain(const char *text, size_t n)
{
    size_t i = 0;
    for (size_t length; i < n && (length = llmsim_utf8_shown(text + i)) > 0;)
        i += length;
    return i == n;
}

size_t llmsim_utf8_mask(char *text, size_t n)
{
    size_t used = 0;
    for (size_t i = 0; i < n;) {
        size_t length = llmsim_utf8_length(text + i), shown = llmsim_utf8_shown(text + i);
        if (shown > 0)
            memmove(text + used, text + i, shown);
        else
            text[used] = '?';
        used += shown > 0 ? shown : 1;
        i += length > 0 ? length : 1;
    }
    return used;
}

char *llmsim_utf8_repair(const char *text)
{
    static const char replacement[] = "\xef\xbf\xbd";
    char *copy = malloc(3 * strlen(text) + 1), *end = copy;
    if (copy == NULL)
        return NULL;
    while (*text != '\0') {
        size_t length = llmsim_utf8_length(text);
        bool stays = llmsim_utf8_shown(text) > 0 || (unsigned char)*text < ' ';
        end = stays ? mempcpy(end, text, length) : mempcpy(end, replacement, 3);
        text += length > 0 ? length : 1;
    }
    *end = '\0';
    return copy;
}
