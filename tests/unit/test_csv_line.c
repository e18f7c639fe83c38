/* One line of CSV into fields, and where each begins. */
#include <criterion/criterion.h>
#include <string.h>

#include "csv_line.h"

static struct llmsim_csv_line line;

static void setup(void)
{
    cr_assert(llmsim_csv_line_init(&line));
}

static void teardown(void)
{
    llmsim_csv_line_fini(&line);
}

TestSuite(csv_line, .init = setup, .fini = teardown);

static void expect_fields(const char *text, size_t n, const char *const *fields)
{
    size_t column;
    const char *fault = llmsim_csv_line_parse(&line, text, strlen(text), &column);
    cr_assert(fault == NULL, "[%s]: %s", text, fault);
    cr_assert(line.n_fields == n, "[%s]: %zu fields", text, line.n_fields);
    for (size_t i = 0; i < n; i++) {
        cr_expect_str_eq(line.fields[i].text, fields[i]);
        cr_expect(line.fields[i].length == strlen(fields[i]));
    }
}

Test(csv_line, fields)
{
    expect_fields("a,b,c", 3, (const char *[]){"a", "b", "c"});
    expect_fields(" a ,\tb c\t, ", 3, (const char *[]){"a", "b c", ""});
    expect_fields("\"a,b\",\" c \"", 2, (const char *[]){"a,b", " c "});
    expect_fields("\"say \"\"hi\"\"\", \"x\" ,", 3, (const char *[]){"say \"hi\"", "x", ""});
    expect_fields(",", 2, (const char *[]){"", ""});
    expect_fields("", 0, NULL);
    expect_fields("  \t ", 0, NULL);
}

Test(csv_line, the_longest_line_fits)
{
    char text[101];
    memset(text, ',', 100);
    text[100] = '\0';
    size_t column;
    cr_expect(llmsim_csv_line_parse(&line, text, 100, &column) == NULL);
    cr_expect(line.n_fields == 101);
    memset(text, 'x', 100);
    expect_fields(text, 1, (const char *[]){text});
}

Test(csv_line, fields_beyond_the_maximum_are_counted)
{
    struct llmsim_csv_line wide;
    char text[3 * LLMSIM_CSV_MAX_FIELDS];
    size_t column;
    cr_assert(llmsim_csv_line_init(&wide));
    memset(text, ',', sizeof text);
    cr_expect(llmsim_csv_line_parse(&wide, text, sizeof text, &column) == NULL);
    cr_expect(wide.n_fields == sizeof text + 1);
    llmsim_csv_line_fini(&wide);
}

/* After each fault the next line must parse as if nothing had been. */
Test(csv_line, faults_have_a_column_and_leave_no_trace)
{
    static const struct {
        const char *text;
        size_t column;
    } faults[] = {
        {"a,\"b", 3},     {"a,\"b\"c", 6}, {"a,b\"c", 4},  {"a\"", 2},
        {"a,\"b\"\"", 3}, {"a\rb", 2},     {"a,b\x01", 4}, {"\x7f", 1},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        size_t column = 0;
        const char *fault =
            llmsim_csv_line_parse(&line, faults[i].text, strlen(faults[i].text), &column);
        cr_expect(fault != NULL, "[%s]", faults[i].text);
        cr_expect(column == faults[i].column, "[%s]: %zu", faults[i].text, column);
        expect_fields("a,b", 2, (const char *[]){"a", "b"});
    }
}

Test(csv_line, columns)
{
    const char *text = "a, b,\"c,d\",,  ,e";
    static const size_t columns[] = {1, 4, 6, 12, 13, 16, 17};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        cr_expect(llmsim_csv_column(text, strlen(text), i) == columns[i], "field %zu: %zu", i,
                  llmsim_csv_column(text, strlen(text), i));
}

Test(csv_line, quoting)
{
    static const struct {
        const char *text, *field;
    } cases[] = {
        {"abc", "abc"},     {"a,b", "\"a,b\""}, {"a\"b", "\"a\"\"b\""}, {" a", "\" a\""},
        {"a\t", "\"a\t\""}, {"a b", "a b"},     {"", "\"\""},           {"\"", "\"\"\"\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char field[16] = "";
        size_t n = llmsim_csv_quote(cases[i].text, strlen(cases[i].text), field, sizeof field);
        cr_expect(n == strlen(cases[i].field) && memcmp(field, cases[i].field, n) == 0,
                  "[%s] -> [%s]", cases[i].text, field);
        cr_expect(llmsim_csv_quote(cases[i].text, strlen(cases[i].text), field, n - 1) == 0);
    }
}
