/* file_kind.c: the first bytes, as file(1) knows them. */
#include "file_kind.h"

#include <stdbool.h>
#include <string.h>

#define TEXT_EXPECTED "; expected CSV or JSON lines, perhaps packed by gzip or zstd"
#define KIND(bytes, what)                                                                          \
    {                                                                                              \
        bytes, sizeof(bytes) - 1, "the file is " what TEXT_EXPECTED                                \
    }
#define UTF16 "the file is UTF-16 text; expected UTF-8"

static const struct {
    const char *bytes;
    size_t n;
    const char *fault;
} kinds[] = {
    KIND("PAR1", "Parquet"),
    KIND("ARROW1", "Arrow"),
    KIND("SQLite format 3", "an SQLite database"),
    KIND("\x89HDF", "HDF5"),
    KIND("PK\x03\x04", "a ZIP archive, as .xlsx and .npz are"),
    KIND("BZh", "packed by bzip2"),
    KIND("\xFD\x37zXZ", "packed by xz"),
    {"\xFF\xFE", 2, UTF16},
    {"\xFE\xFF", 2, UTF16},
};

/* UTF-16 without a mark: of ASCII every other byte is 0. */
static bool is_wide(const char *bytes, size_t n)
{
    return n >= 4 && (bytes[0] == '\0') != (bytes[1] == '\0') &&
           (bytes[0] == '\0') == (bytes[2] == '\0') && (bytes[1] == '\0') == (bytes[3] == '\0');
}

const char *llmsim_file_kind_fault(const char *bytes, size_t n)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (n >= kinds[i].n && memcmp(bytes, kinds[i].bytes, kinds[i].n) == 0)
            return kinds[i].fault;
    if (is_wide(bytes, n))
        return UTF16;
    size_t first = n >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    while (first < n && (bytes[first] == ' ' || bytes[first] == '\t'))
        first++;
    if (first == n || (bytes[first] != '[' && bytes[first] != '{'))
        return NULL;
    if (bytes[first] == '[')
        return "the file is a JSON array; expected JSON lines: an object on each line, without "
               "brackets around them and commas between";
    while (n > first && (bytes[n - 1] == ' ' || bytes[n - 1] == '\t' || bytes[n - 1] == '\r'))
        n--;
    return strchr("{[,:", bytes[n - 1]) != NULL
               ? "the file has a JSON object over several lines; expected JSON lines: an object on "
                 "each line"
               : NULL;
}

const char *llmsim_file_kind_separator_fault(const char *header, size_t n)
{
    static const struct {
        char separator;
        const char *fault;
    } separators[] = {
        {'\t', "columns are separated by tabs; expected commas"},
        {';', "columns are separated by semicolons; expected commas"},
        {'|', "columns are separated by bars; expected commas"},
    };
    for (size_t i = 0; i < sizeof separators / sizeof *separators; i++)
        if (memchr(header, separators[i].separator, n) != NULL)
            return separators[i].fault;
    return NULL;
}
