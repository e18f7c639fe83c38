#include "utf8.h"

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

char *llmsim_utf8_repair(const char *text)
{
    static const char replacement[] = "\xef\xbf\xbd";
    char *copy = malloc(3 * strlen(text) + 1), *end = copy;
    if (copy == NULL)
        return NULL;
    while (*text != '\0') {
        size_t n = llmsim_utf8_length(text);
        memcpy(end, n > 0 ? text : replacement, n > 0 ? n : 3);
        end += n > 0 ? n : 3;
        text += n > 0 ? n : 1;
    }
    *end = '\0';
    return copy;
}
