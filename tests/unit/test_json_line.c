/* JSON lines, held against cJSON. */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json_line.h"

static const char *parse(struct llmsim_json_line *line, const char *text, size_t *column)
{
    *column = 0;
    return llmsim_json_line_parse(line, text, strlen(text), column);
}

static void expect_member(const struct llmsim_json_line *line, size_t i, const char *key,
                          const char *value)
{
    const struct llmsim_json_member *m = &line->members[i];
    cr_expect(i < line->n_members && m->key_length == strlen(key) &&
                  memcmp(m->key, key, m->key_length) == 0 && m->value_length == strlen(value) &&
                  memcmp(m->value, value, m->value_length) == 0,
              "member %zu is not %s: %s", i, key, value);
}

Test(json_line, members)
{
    struct llmsim_json_line line;
    size_t column;
    cr_assert(parse(&line,
                    " {\"a\" : -12.5e+3 ,\t\"b c\":\"x\\\"},\\u00e9\",\"\":[ 1, [2 ],{}], "
                    "\"d\": {\"e\": null, \"f\":[true ,false]} , \"g\":0}\t",
                    &column) == NULL);
    cr_expect(line.n_members == 5 && !line.is_blank);
    expect_member(&line, 0, "a", "-12.5e+3");
    expect_member(&line, 1, "b c", "\"x\\\"},\\u00e9\"");
    expect_member(&line, 2, "", "[ 1, [2 ],{}]");
    expect_member(&line, 3, "d", "{\"e\": null, \"f\":[true ,false]}");
    expect_member(&line, 4, "g", "0");
}

Test(json_line, blank_and_empty)
{
    struct llmsim_json_line line;
    size_t column;
    cr_expect(parse(&line, "", &column) == NULL && line.is_blank);
    cr_expect(parse(&line, " \t ", &column) == NULL && line.is_blank);
    cr_expect(parse(&line, "{ }", &column) == NULL && !line.is_blank && line.n_members == 0);
}

Test(json_line, faults_have_a_place)
{
    static const struct {
        const char *text;
        size_t column;
    } cases[] = {{"{", 2},
                 {"{\"a\"", 5},
                 {"{\"a\":", 6},
                 {"{\"a\":1", 7},
                 {"{\"a\":01}", 6},
                 {"{\"a\":1.}", 6},
                 {"{\"a\":-}", 6},
                 {"{\"a\":1e}", 6},
                 {"{\"a\":+1}", 6},
                 {"{\"a\":.5}", 6},
                 {"{\"a\":tru}", 6},
                 {"{\"a\":\"\\u12g4\"}", 11},
                 {"{\"a\":[1 2]}", 9},
                 {"{\"a\":[1,]}", 9},
                 {"{\"a\":1,}", 8},
                 {"{} {}", 4},
                 {"{\"a\":1}x", 8},
                 {"{\"a\":\"b\tc\"}", 8},
                 {"{a:1}", 2},
                 {"1", 1},
                 {"{\"a\":1x}", 6},
                 {"{\"a\":\"\\", 8},
                 {"{\"a\":[", 7},
                 {"{\"a\":}", 6}};
    struct llmsim_json_line line;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t column;
        const char *fault = parse(&line, cases[i].text, &column);
        cr_expect(fault != NULL && column == cases[i].column, "%s: column %zu, %s", cases[i].text,
                  column, fault != NULL ? fault : "no fault");
    }
}

/* ---- random objects, some of them spoilt ---- */

static uint64_t state = 1;

static uint32_t below(uint32_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((state >> 33) % n);
}

static char *put_value(char *p, int depth)
{
    static const char *const texts[] = {"0",    "-1.5",  "12e3",    "true",        "false",  "null",
                                        "\"\"", "\"x\"", "\"\\n\"", "\"\\u0041\"", "\"{[\"", "7"};
    uint32_t kind = below(depth < 3 ? 4 : 2);
    if (kind < 2)
        return stpcpy(p, texts[below(sizeof texts / sizeof *texts)]);
    *p++ = kind == 2 ? '[' : '{';
    for (uint32_t i = below(4), n = 0; n < i; n++) {
        p = stpcpy(p, n > 0 ? ", " : "");
        if (kind == 3)
            p = stpcpy(p, below(2) > 0 ? "\"k\":" : "\"\\\\\" : ");
        p = put_value(p, depth + 1);
    }
    *p++ = kind == 2 ? ']' : '}';
    *p = '\0';
    return p;
}

/* What it takes, cJSON takes, with the same members. (The reverse does not hold: cJSON is lenient
 * about numbers and control characters.) What is not spoilt it takes. */
Test(json_line, agrees_with_cjson)
{
    static const char others[] = "{}[],:\"\\ 0123456789-+.eEtrufalsn\tx";
    static char text[65536], member[65536];
    size_t n_taken = 0;
    for (int i = 0; i < 20000; i++) {
        struct llmsim_json_line line;
        size_t column;
        char *p = stpcpy(text, "{\"a\":");
        p = stpcpy(put_value(p, 0), ", \"b\":");
        p = stpcpy(put_value(p, 0), "}");
        bool spoilt = below(2) > 0;
        if (spoilt)
            text[below((uint32_t)(p - text))] = others[below(sizeof others - 1)];
        const char *fault = parse(&line, text, &column);
        cr_assert(fault == NULL || spoilt, "%s: %s", text, fault);
        cr_assert(fault == NULL || (column >= 1 && column <= strlen(text) + 1));
        if (fault != NULL)
            continue;
        n_taken++;
        cJSON *json = cJSON_ParseWithOpts(text, NULL, 1);
        cr_assert(json != NULL, "%s", text);
        cr_assert(cJSON_GetArraySize(json) == (int)line.n_members, "%s", text);
        for (size_t k = 0; k < line.n_members; k++) {
            memcpy(member, line.members[k].value, line.members[k].value_length);
            member[line.members[k].value_length] = '\0';
            cJSON *value = cJSON_ParseWithOpts(member, NULL, 1);
            cr_assert(cJSON_Compare(value, cJSON_GetArrayItem(json, (int)k), 1) ||
                          strstr(text, "\"k\"") != NULL || strstr(text, "\\\\") != NULL,
                      "%s", text); /* cJSON_Compare does not hold for repeated keys */
            cJSON_Delete(value);
        }
        cJSON_Delete(json);
    }
    cr_expect(n_taken > 10000);
}
