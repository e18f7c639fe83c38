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

/* By the code points that Unicode calls controls, Bidi_Control, line and paragraph ends, and no
 * characters. */
Test(utf8, shown)
{
    static const struct {
        const char *text;
        bool is_shown;
    } cases[] = {
        {"a", true},
        {"~", true},
        {" ", true},
        {"\t", false},
        {"\n", false},
        {"\x1b", false},
        {"\x7f", false},
        {"\xc2\x80", false},
        {"\xc2\x9b", false},
        {"\xc2\x9f", false},
        {"\xc2\xa0", true},
        {"\u00e9", true},
        {"\u061b", true},
        {"\u061c", false},
        {"\u061d", true},
        {"\u200d", true},
        {"\u200e", false},
        {"\u200f", false},
        {"\u2010", true},
        {"\u2027", true},
        {"\u2028", false},
        {"\u2029", false},
        {"\u202a", false},
        {"\u202e", false},
        {"\u202f", true},
        {"\u2065", true},
        {"\u2066", false},
        {"\u2069", false},
        {"\u206a", true},
        {"\ufffd", true},
        {"\xef\xbf\xbe", false},
        {"\U0001f600", true},
        {"\xff", false},
        {"\xed\xa0\x80", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = strlen(cases[i].text);
        cr_expect_eq(llmsim_utf8_shown(cases[i].text), cases[i].is_shown ? n : 0, "case %zu", i);
        cr_expect_eq(llmsim_utf8_is_plain(cases[i].text, n), cases[i].is_shown || n == 0,
                     "case %zu", i);
    }
    cr_expect(llmsim_utf8_is_plain("a\u00e9,\x1b", 4), "what is behind it does not count");
    cr_expect_not(llmsim_utf8_is_plain("a\u00e9", 2), "a character is cut off");
}

Test(utf8, mask)
{
    char text[] = "a\x1b[31m\u202eb\xff\xc2\x9b\u00e9\xe2\x80";
    text[llmsim_utf8_mask(text, strlen(text))] = '\0';
    cr_expect_str_eq(text, "a?[31m?b??\u00e9??");
}
