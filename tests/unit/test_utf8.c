/* Well-formed characters, and every way to be none. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "utf8.h"

Test(utf8, length)
{
    static const struct {
        const char *text;
        size_t length;
    } cases[] = {
        {"", 0},
        {"a", 1},
        {"\x7f", 1},
        {"\x80", 0},
        {"\xc1\xbf", 0},
        {"\xc2\x80", 2},
        {"\xc3", 0},
        {"\xc3\x28", 0},
        {"\xdf\xbf", 2},
        {"\xe0\x9f\xbf", 0},
        {"\xe0\xa0\x80", 3},
        {"\xe2\x82", 0},
        {"\xed\x9f\xbf", 3},
        {"\xed\xa0\x80", 0},
        {"\xef\xbf\xbf", 3},
        {"\xf0\x8f\xbf\xbf", 0},
        {"\xf0\x90\x80\x80", 4},
        {"\xf0\x90\x80", 0},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\xf4\x90\x80\x80", 0},
        {"\xf5\x80\x80\x80", 0},
        {"\xff", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(llmsim_utf8_length(cases[i].text), cases[i].length, "case %zu", i);
}

Test(utf8, repair)
{
    char *text = llmsim_utf8_repair("a\xff\xc3\xa9\xe2\x82");
    cr_expect_str_eq(text, "a\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd");
    cr_expect(llmsim_utf8_is_valid(text));
    cr_expect(llmsim_utf8_is_valid(""));
    cr_expect_not(llmsim_utf8_is_valid("ab\xff"));
    free(text);
}
