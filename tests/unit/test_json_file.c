/* Places, repeated keys, and objects read by a table. */
#include <criterion/criterion.h>
#include <string.h>

#include "json_file.h"
#include "llmsim/catalogue.h"
#include "support/errors.h"
#include "support/files.h"

static struct llmsim_json parse(const char *text)
{
    struct llmsim_json json;
    struct llmsim_error err;
    cr_assert_eq(llmsim_json_parse(&json, "f.json", strdup(text), strlen(text), &err), LLMSIM_OK,
                 "%s", err.message);
    return json;
}

static void expect_parse_error(const char *text, size_t length, const char *expected)
{
    struct llmsim_json json;
    struct llmsim_error err;
    char *copy = malloc(length + 1);
    cr_assert_not_null(copy);
    memcpy(copy, text, length);
    copy[length] = '\0';
    expect_error(llmsim_json_parse(&json, "f.json", copy, length, &err), LLMSIM_CATALOGUE, &err,
                 expected);
}

Test(json_file, syntax_errors_have_their_place)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", "f.json:1:1: JSON syntax error: the file ends too early"},
        {"{\"a\": 1", "f.json:1:8: JSON syntax error: the file ends too early"},
        {"{\"a\": 1,\n  }", "f.json:2:3: JSON syntax error at '}'"},
        {"{\n \"a\": 1\n \"b\": 2\n}", "f.json:3:2: JSON syntax error at '\"b\":'"},
        {"{\"a\": nul}", "f.json:1:7: JSON syntax error at 'nul}'"},
        {"{,}", "f.json:1:2: JSON syntax error at ',}'"},
        {"[1,,2]", "f.json:1:4: JSON syntax error at ',2]'"},
        {"[1, nul]", "f.json:1:5: JSON syntax error at 'nul]'"},
        {"{\"a\": {x}}", "f.json:1:8: JSON syntax error at 'x}}'"},
        {"no_json_but_a_word_of_over_thirty-two_bytes",
         "f.json:1:1: JSON syntax error at 'no_json_but_a_word_of_over_thirt'"},
        {"{} {}", "f.json:1:4: JSON syntax error at '{}'"},
        {"\x7f"
         "ELF",
         "f.json:1:1: JSON syntax error at '?ELF'"},
        /* RFC 8259 has no such thing, whatever cJSON takes. */
        {"[01]", "f.json:1:3: JSON syntax error at '1]'"},
        {"[+1]", "f.json:1:2: JSON syntax error at '+1]'"},
        {"[1.]", "f.json:1:2: JSON syntax error at '1.]'"},
        {"[1e]", "f.json:1:2: JSON syntax error at '1e]'"},
        {"[1\v]", "f.json:1:3: JSON syntax error at '?]'"},
        {"[\"a\nb\"]", "f.json:1:4: JSON syntax error: a control character in a string"},
        {"[\"\\x\"]", "f.json:1:3: JSON syntax error: an escape that stands for no character"},
        {"[\"\\ud800\\u0041\"]",
         "f.json:1:3: JSON syntax error: an escape that stands for no character"},
        {"[\"\\udc00\"]", "f.json:1:3: JSON syntax error: an escape that stands for no character"},
        {"[\"\xed\xa0\x80\"]", "f.json:1:3: JSON syntax error: a byte that is not UTF-8"},
        {"[\"a", "f.json:1:4: JSON syntax error: the file ends too early"},
        {"[1234567890123456789012345678901234567890123456789012345678901234]",
         "f.json:1:2: JSON syntax error: a number of more than 63 characters"},
        {"{\"a\": 1, \"b\": 2, \"a\": 3}", "f.json:1:18: \"a\" stands here a second time"},
        {"[{\"x\": {\"a\": 1,\n\"a\": 1}}]", "f.json:2:1: \"a\" stands here a second time"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_parse_error(cases[i].text, strlen(cases[i].text), cases[i].expected);
    expect_parse_error("{\"a\\u0000b\": 1}", 15,
                       "f.json:1:4: a zero byte, where a character was expected");
    expect_parse_error("[\"\\\\u0000\", \"\\u0000\"]", 21,
                       "f.json:1:14: a zero byte, where a character was expected");
    expect_parse_error("{\n\0}", 4, "f.json:2:1: a zero byte, where JSON text was expected");
}

/* What RFC 8259 allows, and cJSON's own depth. */
Test(json_file, right_texts)
{
    static const char *const texts[] = {
        "\xEF\xBB\xBF\t{ }\r\n",
        "[]",
        "0",
        "-0.5e+10",
        "1E5",
        "null",
        "[true,false,[{},[[]]]]",
        "\"\\ud83d\\uDE00 \\\" \\\\ \\/ \\b\\f\\n\\r\\t\\u00e9 \xc3\xa9\"",
        "[123456789012345678901234567890123456789012345678901234567890123]"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct llmsim_json json = parse(texts[i]);
        llmsim_json_fini(&json);
    }
    enum { DEPTH = 1000 };
    char deep[2 * DEPTH + 3] = "";
    memset(deep, '[', DEPTH);
    memset(deep + DEPTH, ']', DEPTH);
    struct llmsim_json json = parse(deep);
    llmsim_json_fini(&json);
    memset(deep, '[', DEPTH + 1);
    expect_parse_error(deep, 2 * DEPTH,
                       "f.json:1:1001: JSON syntax error: more than 1000 arrays and objects in "
                       "each other");
}

/* The bytes of every value, past escapes, nesting, empty containers and all kinds of white space.
 */
Test(json_file, finds_values)
{
    struct llmsim_json json = parse("\xEF\xBB\xBF {\"a\\\"}\" :\t[ 1 ,{} , [ ] ],\n"
                                    "\"b\":{\"c\" : \"x\\\\\" , \"d\":-1.5e3}\r\n}");
    const cJSON *b = cJSON_GetObjectItemCaseSensitive(json.root, "b");
    const struct {
        const cJSON *node;
        const char *key, *value;
    } cases[] = {
        {cJSON_GetObjectItemCaseSensitive(json.root, "a\"}"), "\"a\\\"}\" :", "[ 1 ,{} , [ ] ]"},
        {cJSON_GetArrayItem(json.root->child, 1), NULL, "{}"},
        {b, "\"b\":", "{\"c\" : \"x\\\\\" , \"d\":-1.5e3}"},
        {b->child, "\"c\" :", "\"x\\\\\""},
        {b->child->next, "\"d\":", "-1.5e3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct llmsim_json_span span = llmsim_json_find(&json, cases[i].node);
        cr_expect_eq(span.end - span.begin, strlen(cases[i].value), "case %zu", i);
        cr_expect(strncmp(json.text + span.begin, cases[i].value, strlen(cases[i].value)) == 0);
        if (cases[i].key == NULL)
            cr_expect_eq(span.key, SIZE_MAX);
        else
            cr_expect(strncmp(json.text + span.key, cases[i].key, strlen(cases[i].key)) == 0);
    }
    llmsim_json_fini(&json);
}

Test(json_file, files_that_cannot_be_read)
{
    struct llmsim_json json;
    struct llmsim_error err;
    expect_error(llmsim_json_load(&json, "/nonexistent/f.json", &err), LLMSIM_IO, &err,
                 "/nonexistent/f.json: cannot open: No such file or directory");
    expect_error(llmsim_json_load(&json, "/", &err), LLMSIM_IO, &err,
                 "/: cannot read: Is a directory");
    cr_expect_eq(llmsim_json_load(&json, "/nonexistent/f.json", NULL), LLMSIM_IO);
}

Test(json_file, a_file_larger_than_the_first_buffer)
{
    enum { N = 300000 };
    struct llmsim_json json;
    struct llmsim_error err;
    char *text = malloc(N + 1), *dir = scratch_dir(), path[600];
    cr_assert_not_null(text);
    memset(text, ' ', N);
    text[N] = '\0';
    memcpy(text + N - 6, "[true]", 6);
    write_text(dir, "large.json", text);
    (void)snprintf(path, sizeof path, "%s/large.json", dir);
    cr_assert_eq(llmsim_json_load(&json, path, &err), LLMSIM_OK);
    cr_expect_eq(llmsim_json_find(&json, json.root->child).begin, N - 5);
    llmsim_json_fini(&json);
    remove_dir(dir);
    free(text);
}

struct target {
    double positive;
    uint64_t bytes;
    unsigned count;
    bool flag;
    char name[LLMSIM_MAX_NAME + 1];
    const cJSON *names, *indices;
};

static const struct llmsim_json_key keys[] = {
    {.name = "positive",
     .kind = LLMSIM_JSON_POSITIVE,
     .optional = true,
     .max = 1000000,
     .offset = offsetof(struct target, positive)},
    {.name = "count",
     .also = "n",
     .kind = LLMSIM_JSON_COUNT,
     .optional = true,
     .max = 9,
     .offset = offsetof(struct target, count)},
    {.name = "bytes",
     .kind = LLMSIM_JSON_BYTES,
     .optional = true,
     .offset = offsetof(struct target, bytes)},
    {.name = "flag",
     .kind = LLMSIM_JSON_FLAG,
     .optional = true,
     .offset = offsetof(struct target, flag)},
    {.name = "name", .kind = LLMSIM_JSON_NAME, .offset = offsetof(struct target, name)},
    {.name = "names",
     .kind = LLMSIM_JSON_NAMES,
     .optional = true,
     .offset = offsetof(struct target, names)},
    {.name = "indices",
     .kind = LLMSIM_JSON_INDICES,
     .optional = true,
     .max = 5,
     .offset = offsetof(struct target, indices)},
    LLMSIM_JSON_KEY_END,
};

Test(json_file, reads_by_a_table)
{
    struct llmsim_json json =
        parse("{\"name\": \"x\", \"positive\": 0.5, \"n\": 9, \"bytes\": 9007199254740992,"
              " \"flag\": true, \"names\": [\"a\"], \"indices\": [0, 5]}");
    struct target t = {0};
    struct llmsim_error err;
    cr_assert_eq(llmsim_json_read(&json, json.root, keys, LLMSIM_JSON_REFUSE_UNKNOWN, &t, &err),
                 LLMSIM_OK, "%s", err.message);
    cr_expect_eq(t.positive, 0.5);
    cr_expect_eq(t.count, 9);
    cr_expect_eq(t.bytes, UINT64_C(9007199254740992));
    cr_expect(t.flag);
    cr_expect_str_eq(t.name, "x");
    cr_expect_str_eq(t.names->child->valuestring, "a");
    cr_expect_eq(cJSON_GetArraySize(t.indices), 2);
    llmsim_json_fini(&json);
}

/* An optional key that is absent or null leaves the target alone; what is unknown is skipped. */
Test(json_file, defaults_stay)
{
    struct llmsim_json json = parse("{\"name\": \"x\", \"count\": null, \"other\": 1}");
    struct target t = {.count = 7, .flag = true};
    cr_assert_eq(llmsim_json_read(&json, json.root, keys, LLMSIM_JSON_SKIP_UNKNOWN, &t, NULL),
                 LLMSIM_OK);
    cr_expect_eq(t.count, 7);
    cr_expect(t.flag);
    llmsim_json_fini(&json);
}

Test(json_file, refuses_by_a_table)
{
#define POSITIVE "expected a number greater than 0 and at most 1000000"
#define COUNT "expected a whole number from 1 to 9"
#define NAME "expected a string of 1 to 127 bytes of plain text"
#define NAMES "expected an array of strings of 1 to 127 bytes of plain text"
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"[]", "f.json:1:1: expected an object, {…}"},
        {"{}", "f.json:1:1: key \"name\" is missing"},
        {"{\"name\": null}", "f.json:1:2: \"name\" is null, " NAME},
        {"{\"name\": \"\"}", "f.json:1:2: \"name\" is \"\", " NAME},
        {"{\"nam\": \"x\"}", "f.json:1:2: unknown key \"nam\" (did you mean \"name\"?)"},
        {"{\"name\": \"x\",\n  \"temperature\": 1}", "f.json:2:3: unknown key \"temperature\""},
        {"{\"positive\": 0}", "f.json:1:2: \"positive\" is 0, " POSITIVE},
        {"{\"positive\": -1.5}", "f.json:1:2: \"positive\" is -1.5, " POSITIVE},
        {"{\"positive\": 1e999}", "f.json:1:2: \"positive\" is 1e999, " POSITIVE},
        {"{\"positive\": \"1\"}", "f.json:1:2: \"positive\" is \"1\", " POSITIVE},
        {"{\"count\": 0}", "f.json:1:2: \"count\" is 0, " COUNT},
        {"{\"count\": 10}", "f.json:1:2: \"count\" is 10, " COUNT},
        {"{\"n\": 1.5}", "f.json:1:2: \"n\" is 1.5, " COUNT},
        {"{\"bytes\": -1}", "f.json:1:2: \"bytes\" is -1, expected a number of bytes"},
        {"{\"flag\": 1}", "f.json:1:2: \"flag\" is 1, expected true or false"},
        {"{\"name\": \"x\", \"names\": \"a\"}", "f.json:1:15: \"names\" is \"a\", " NAMES},
        {"{\"name\": \"x\", \"names\": [1]}", "f.json:1:15: \"names\" is [1], " NAMES},
        {"{\"name\": \"x\", \"indices\": [6]}",
         "f.json:1:15: \"indices\" is [6], expected an array of whole numbers from 0 to 5"},
        {"{\"flag\": [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18]}",
         "f.json:1:2: \"flag\" is [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,…, "
         "expected true or false"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct llmsim_json json = parse(cases[i].text);
        struct target t = {0};
        struct llmsim_error err;
        expect_error(llmsim_json_read(&json, json.root, keys, LLMSIM_JSON_REFUSE_UNKNOWN, &t, &err),
                     LLMSIM_CATALOGUE, &err, cases[i].expected);
        llmsim_json_fini(&json);
    }
}

/* A member's name begins the message about it. */
Test(json_file, names_the_entry)
{
    struct llmsim_json json = parse("{\"entry\": {\"flag\": 0}}");
    struct target t = {0};
    struct llmsim_error err;
    expect_error(
        llmsim_json_read(&json, json.root->child, keys, LLMSIM_JSON_REFUSE_UNKNOWN, &t, &err),
        LLMSIM_CATALOGUE, &err, "f.json:1:12: \"entry\": \"flag\" is 0, expected true or false");
    llmsim_json_fini(&json);
}
