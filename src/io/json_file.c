#include "json_file.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail_errno.h"
#include "json_syntax.h"
#include "llmsim/choice.h"
#include "llmsim/nearest.h"
#include "utf8.h"

#define MAX_FILE_BYTES ((size_t)256 << 20)

/* ---- places ---- */

static void find_line(const char *text, size_t at, uint64_t *line, uint64_t *column)
{
    *line = 1;
    size_t line_begin = 0;
    for (size_t i = 0; i < at; i++)
        if (text[i] == '\n') {
            (*line)++;
            line_begin = i + 1;
        }
    *column = at - line_begin + 1;
}

/* cJSON keeps no places, but its tree has the order of the text, so a walk over both finds them.
 * The text is known to be valid: the scanners below need no checks. */
struct walk {
    const cJSON *wanted; /* NULL: none, but numbers are to keep their texts */
    const char *text;
    struct llmsim_json_span found;
    bool out_of_memory;
};

static const char *skip_space(const char *p)
{
    while (*p != '\0' && (unsigned char)*p <= ' ')
        p++;
    return p;
}

static const char *skip_string(const char *p)
{
    for (p++; *p != '"'; p++)
        if (*p == '\\')
            p++;
    return p + 1;
}

static const char *skip_member(struct walk *walk, const char *p, const cJSON *parent, cJSON *node);

static const char *skip_scalar(struct walk *walk, const char *p, cJSON *node)
{
    size_t length = strcspn(p, ",]} \t\r\n");
    if (walk->wanted == NULL && cJSON_IsNumber(node) && node->valuestring == NULL) {
        char *text = cJSON_malloc(length + 1);
        walk->out_of_memory = walk->out_of_memory || text == NULL;
        if (text != NULL) {
            memcpy(text, p, length);
            text[length] = '\0';
        }
        node->valuestring = text;
    }
    return p + length;
}

/* From the first byte of `node`'s value to the byte after it. */
static const char *skip_value(struct walk *walk, const char *p, cJSON *node)
{
    if (cJSON_IsString(node))
        return skip_string(p);
    if (!cJSON_IsObject(node) && !cJSON_IsArray(node))
        return skip_scalar(walk, p, node);
    p = skip_space(p + 1);
    for (cJSON *child = node->child; child != NULL; child = child->next) {
        p = skip_space(skip_member(walk, p, node, child));
        if (*p == ',')
            p = skip_space(p + 1);
    }
    return p + 1;
}

static const char *skip_member(struct walk *walk, const char *p, const cJSON *parent, cJSON *node)
{
    struct llmsim_json_span span = {.key = SIZE_MAX};
    if (parent != NULL && cJSON_IsObject(parent)) {
        span.key = (size_t)(p - walk->text);
        p = skip_space(skip_space(skip_string(p)) + 1);
    }
    span.begin = (size_t)(p - walk->text);
    p = skip_value(walk, p, node);
    span.end = (size_t)(p - walk->text);
    if (node == walk->wanted)
        walk->found = span;
    return p;
}

static void walk_over(struct walk *walk, const struct llmsim_json *json)
{
    bool has_bom = strncmp(json->text, "\xEF\xBB\xBF", 3) == 0;
    walk->text = json->text;
    (void)skip_member(walk, skip_space(json->text + (has_bom ? 3 : 0)), NULL, json->root);
}

struct llmsim_json_span llmsim_json_find(const struct llmsim_json *json, const cJSON *node)
{
    struct walk walk = {.wanted = node};
    walk_over(&walk, json);
    return walk.found;
}

enum llmsim_status llmsim_json_keep_numbers(struct llmsim_json *json, struct llmsim_error *err)
{
    struct walk walk = {.wanted = NULL};
    walk_over(&walk, json);
    return walk.out_of_memory ? llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory") : LLMSIM_OK;
}

enum llmsim_status llmsim_json_fail(const struct llmsim_json *json, const cJSON *node,
                                    struct llmsim_error *err, const char *format, ...)
{
    char message[LLMSIM_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    struct llmsim_json_span span = llmsim_json_find(json, node);
    uint64_t line, column;
    find_line(json->text, span.key != SIZE_MAX ? span.key : span.begin, &line, &column);
    return llmsim_fail_at(err, LLMSIM_CATALOGUE, json->path, line, column, "%s", message);
}

/* ---- files ---- */

static enum llmsim_status read_file(const char *path, char **text, size_t *length,
                                    struct llmsim_error *err)
{
    enum llmsim_status status = LLMSIM_OK;
    size_t capacity = 1 << 16;
    char *bytes = NULL;
    *length = 0;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return llmsim_fail_errno(err, path, "open", errno);
    for (;;) {
        char *larger = realloc(bytes, capacity + 1);
        if (larger == NULL) {
            status = llmsim_fail_at(err, LLMSIM_RUN_FAILED, path, 0, 0, "out of memory");
            goto out;
        }
        bytes = larger;
        *length += fread(bytes + *length, 1, capacity - *length, file);
        if (*length < capacity)
            break;
        if (capacity >= MAX_FILE_BYTES) {
            status =
                llmsim_fail_at(err, LLMSIM_IO, path, 0, 0, "larger than %zu bytes", MAX_FILE_BYTES);
            goto out;
        }
        capacity *= 2;
    }
    if (ferror(file)) {
        status = llmsim_fail_errno(err, path, "read", errno);
        goto out;
    }
    bytes[*length] = '\0';
    *text = bytes;
    bytes = NULL;
out:
    free(bytes);
    (void)fclose(file);
    return status;
}

static int compare_keys(const void *a, const void *b)
{
    const cJSON *x = *(const cJSON *const *)a, *y = *(const cJSON *const *)b;
    return strcmp(x->string, y->string);
}

/* Sorted, because the index of a large mixture of experts has tens of thousands of keys. */
static enum llmsim_status check_repeated_keys(const struct llmsim_json *json, const cJSON *object,
                                              struct llmsim_error *err)
{
    size_t n = 0;
    const cJSON *child;
    cJSON_ArrayForEach(child, object) n++;
    if (n < 2)
        return LLMSIM_OK;
    const cJSON **members = malloc(n * sizeof *members);
    if (members == NULL)
        return llmsim_fail_at(err, LLMSIM_RUN_FAILED, json->path, 0, 0, "out of memory");
    size_t i = 0;
    cJSON_ArrayForEach(child, object) members[i++] = child;
    qsort(members, n, sizeof *members, compare_keys);
    enum llmsim_status status = LLMSIM_OK;
    for (i = 1; i < n && status == LLMSIM_OK; i++)
        if (compare_keys(&members[i - 1], &members[i]) == 0) {
            struct llmsim_json_span a = llmsim_json_find(json, members[i - 1]);
            struct llmsim_json_span b = llmsim_json_find(json, members[i]);
            const cJSON *later = members[a.key < b.key ? i : i - 1];
            status = llmsim_json_fail(json, later, err, "\"%s\" stands here a second time",
                                      later->string);
        }
    free(members);
    return status;
}

static enum llmsim_status check_repeated_keys_below(const struct llmsim_json *json,
                                                    const cJSON *node, struct llmsim_error *err)
{
    enum llmsim_status status = LLMSIM_OK;
    if (cJSON_IsObject(node))
        status = check_repeated_keys(json, node, err);
    for (const cJSON *c = node->child; c != NULL && status == LLMSIM_OK; c = c->next)
        status = check_repeated_keys_below(json, c, err);
    return status;
}

static enum llmsim_status fail_syntax(const struct llmsim_json *json, const char *p,
                                      const char *reason, struct llmsim_error *err)
{
    uint64_t line, column;
    find_line(json->text, (size_t)(p - json->text), &line, &column);
    if (reason != NULL)
        return llmsim_fail_at(err, LLMSIM_CATALOGUE, json->path, line, column,
                              "JSON syntax error: %s", reason);
    if (*p == '\0')
        return llmsim_fail_at(err, LLMSIM_CATALOGUE, json->path, line, column,
                              "JSON syntax error: the file ends too early");
    size_t length = strcspn(p, " \t\r\n");
    return llmsim_fail_at(err, LLMSIM_CATALOGUE, json->path, line, column,
                          "JSON syntax error at '%.*s'", (int)(length < 32 ? length : 32), p);
}

/* The first NUL that is written as an escape, which would end a C string; NULL: there is none. In
 * JSON a backslash stands in strings only. */
static const char *find_escaped_nul(const char *text)
{
    for (const char *p = strchr(text, '\\'); p != NULL; p = strchr(p + 2, '\\'))
        if (strncmp(p, "\\u0000", 6) == 0)
            return p;
    return NULL;
}

static enum llmsim_status fail_zero_byte(const struct llmsim_json *json, const char *where,
                                         const char *instead, struct llmsim_error *err)
{
    uint64_t line, column;
    find_line(json->text, (size_t)(where - json->text), &line, &column);
    return llmsim_fail_at(err, LLMSIM_CATALOGUE, json->path, line, column,
                          "a zero byte, where %s was expected", instead);
}

/* Is it JSON, and nothing that cJSON takes for white space or cannot hold? `readable` is
 * json->text, byte for byte, but for what JSON does not have. */
static enum llmsim_status check_text(const struct llmsim_json *json, const char *readable,
                                     size_t length, struct llmsim_error *err)
{
    const char *fault = memchr(json->text, '\0', length), *reason = NULL;
    if (fault != NULL)
        return fail_zero_byte(json, fault, "JSON text", err);
    fault = llmsim_json_find_fault(readable, &reason);
    if (fault != NULL)
        return fail_syntax(json, json->text + (fault - readable), reason, err);
    fault = find_escaped_nul(json->text);
    return fault != NULL ? fail_zero_byte(json, fault, "a character", err) : LLMSIM_OK;
}

static enum llmsim_status parse(struct llmsim_json *json, const char *readable, size_t length,
                                struct llmsim_error *err)
{
    enum llmsim_status status = check_text(json, readable, length, err);
    if (status != LLMSIM_OK)
        return status;
    json->root = cJSON_ParseWithLength(readable, length + 1);
    if (json->root == NULL)
        return llmsim_fail_at(err, LLMSIM_RUN_FAILED, json->path, 0, 0, "out of memory");
    return check_repeated_keys_below(json, json->root, err);
}

enum llmsim_status llmsim_json_parse(struct llmsim_json *json, const char *path, char *text,
                                     size_t length, struct llmsim_error *err)
{
    *json = (struct llmsim_json){.path = strdup(path), .text = text};
    enum llmsim_status status =
        json->path != NULL ? parse(json, text, length, err)
                           : llmsim_fail_at(err, LLMSIM_RUN_FAILED, path, 0, 0, "out of memory");
    if (status != LLMSIM_OK)
        llmsim_json_fini(json);
    return status;
}

/* A number that is none becomes -1, which no key takes, and spaces. */
static void replace_non_numbers(char *text)
{
    static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
    bool is_string = false;
    for (char *p = text; *p != '\0'; p++) {
        if (is_string && p[0] == '\\' && p[1] != '\0')
            p++;
        else if (*p == '"')
            is_string = !is_string;
        for (size_t i = 0; i < sizeof words / sizeof *words && !is_string; i++) {
            size_t n = strlen(words[i]);
            if (strncmp(p, words[i], n) == 0 && strchr(",]} \t\r\n", p[n]) != NULL) {
                memset(p, ' ', n);
                memcpy(p, "-1", 2);
            }
        }
    }
}

enum llmsim_status llmsim_json_load_of_others(struct llmsim_json *json, const char *path,
                                              struct llmsim_error *err)
{
    char *text = NULL;
    size_t length = 0;
    enum llmsim_status status = read_file(path, &text, &length, err);
    if (status != LLMSIM_OK)
        return status;
    char *readable = malloc(length + 1);
    *json = (struct llmsim_json){.path = strdup(path), .text = text};
    if (readable == NULL || json->path == NULL) {
        status = llmsim_fail_at(err, LLMSIM_RUN_FAILED, path, 0, 0, "out of memory");
    } else {
        memcpy(readable, text, length + 1);
        replace_non_numbers(readable);
        status = parse(json, readable, length, err);
    }
    free(readable);
    if (status != LLMSIM_OK)
        llmsim_json_fini(json);
    return status;
}

enum llmsim_status llmsim_json_load(struct llmsim_json *json, const char *path,
                                    struct llmsim_error *err)
{
    char *text = NULL;
    size_t length = 0;
    enum llmsim_status status = read_file(path, &text, &length, err);
    if (status != LLMSIM_OK)
        return status;
    return llmsim_json_parse(json, path, text, length, err);
}

void llmsim_json_fini(struct llmsim_json *json)
{
    cJSON_Delete(json->root);
    free(json->text);
    free(json->path);
    *json = (struct llmsim_json){0};
}

/* ---- objects by a table of keys ---- */

static bool is_whole(const cJSON *value, double min, double max)
{
    return cJSON_IsNumber(value) && value->valuedouble >= min && value->valuedouble <= max &&
           floor(value->valuedouble) == value->valuedouble;
}

static bool is_index(const cJSON *value, double max)
{
    return is_whole(value, 0, max);
}

static bool is_name(const cJSON *value, double max)
{
    (void)max;
    return cJSON_IsString(value) && value->valuestring[0] != '\0' &&
           strlen(value->valuestring) <= LLMSIM_MAX_NAME &&
           llmsim_utf8_is_plain(value->valuestring, strlen(value->valuestring));
}

static bool store_positive(const cJSON *value, double max, void *target)
{
    if (!cJSON_IsNumber(value) || !(value->valuedouble > 0 && value->valuedouble <= max))
        return false;
    *(double *)target = value->valuedouble;
    return true;
}

static bool store_amount(const cJSON *value, double max, void *target)
{
    if (!cJSON_IsNumber(value) || !(value->valuedouble >= 0 && value->valuedouble <= max))
        return false;
    *(double *)target = value->valuedouble;
    return true;
}

static bool store_count(const cJSON *value, double max, void *target)
{
    if (!is_whole(value, 1, max))
        return false;
    *(unsigned *)target = (unsigned)value->valuedouble;
    return true;
}

static bool store_whole(const cJSON *value, double max, void *target)
{
    if (!is_whole(value, 0, max))
        return false;
    *(uint64_t *)target = (uint64_t)value->valuedouble;
    return true;
}

static bool store_bytes(const cJSON *value, double max, void *target)
{
    (void)max;
    return store_whole(value, LLMSIM_JSON_MAX_WHOLE, target);
}

static bool store_flag(const cJSON *value, double max, void *target)
{
    (void)max;
    if (!cJSON_IsBool(value))
        return false;
    *(bool *)target = cJSON_IsTrue(value);
    return true;
}

static bool store_name(const cJSON *value, double max, void *target)
{
    if (!is_name(value, max))
        return false;
    memcpy(target, value->valuestring, strlen(value->valuestring) + 1);
    return true;
}

static bool store_array(const cJSON *value, bool (*is_right)(const cJSON *, double), double max,
                        const cJSON **target)
{
    const cJSON *element;
    bool all = cJSON_IsArray(value);
    cJSON_ArrayForEach(element, value) all = all && is_right(element, max);
    if (all)
        *target = value;
    return all;
}

static bool store_names(const cJSON *value, double max, void *target)
{
    return store_array(value, is_name, max, target);
}

static bool store_indices(const cJSON *value, double max, void *target)
{
    return store_array(value, is_index, max, target);
}

static bool store_object(const cJSON *value, double max, void *target)
{
    (void)max;
    if (!cJSON_IsObject(value))
        return false;
    *(const cJSON **)target = value;
    return true;
}

static bool store_any_array(const cJSON *value, double max, void *target)
{
    (void)max;
    if (!cJSON_IsArray(value))
        return false;
    *(const cJSON **)target = value;
    return true;
}

static const struct {
    bool (*store)(const cJSON *value, double max, void *target);
    const char *expected;
    bool has_max;
} kinds[] = {
    [LLMSIM_JSON_POSITIVE] = {store_positive, "a number greater than 0 and at most ", true},
    [LLMSIM_JSON_AMOUNT] = {store_amount, "a number from 0 to ", true},
    [LLMSIM_JSON_COUNT] = {store_count, "a whole number from 1 to ", true},
    [LLMSIM_JSON_BYTES] = {store_bytes, "a number of bytes", false},
    [LLMSIM_JSON_WHOLE] = {store_whole, "a whole number from 0 to ", true},
    [LLMSIM_JSON_FLAG] = {store_flag, "true or false", false},
    [LLMSIM_JSON_NAME] = {store_name, "a string of 1 to 127 bytes of plain text", false},
    [LLMSIM_JSON_NAMES] = {store_names, "an array of strings of 1 to 127 bytes of plain text",
                           false},
    [LLMSIM_JSON_INDICES] = {store_indices, "an array of whole numbers from 0 to ", true},
    [LLMSIM_JSON_OBJECT] = {store_object, "an object, {…}", false},
    [LLMSIM_JSON_ARRAY] = {store_any_array, "an array, […]", false},
};
_Static_assert(LLMSIM_MAX_NAME == 127, "the limit that the texts above name");

#define OWNER_MAX (LLMSIM_MAX_NAME + 8)

/* The start of a message about an object: which member of the file it is. */
static void quote_owner(const cJSON *object, char text[static OWNER_MAX])
{
    text[0] = '\0';
    if (object->string != NULL)
        (void)snprintf(text, OWNER_MAX, "\"%.127s\": ", object->string);
}

static enum llmsim_status fail_value(const struct llmsim_json *json, const char *owner,
                                     const struct llmsim_json_key *key, const cJSON *value,
                                     struct llmsim_error *err)
{
    char max[32] = "";
    struct llmsim_json_span span = llmsim_json_find(json, value);
    size_t length = span.end - span.begin;
    if (kinds[key->kind].has_max)
        (void)snprintf(max, sizeof max, "%.15g", key->max);
    return llmsim_json_fail(json, value, err, "%s\"%s\" is %.*s%s, expected %s%s", owner,
                            value->string, (int)(length < 40 ? length : 40),
                            json->text + span.begin, length <= 40 ? "" : "…",
                            kinds[key->kind].expected, max);
}

static bool is_known(const struct llmsim_json_key *keys, const char *name)
{
    for (const struct llmsim_json_key *key = keys; key->name != NULL; key++)
        if (strcmp(name, key->name) == 0 || (key->also != NULL && strcmp(name, key->also) == 0))
            return true;
    return false;
}

static enum llmsim_status check_unknown(const struct llmsim_json *json, const cJSON *object,
                                        const struct llmsim_json_key *keys,
                                        struct llmsim_error *err)
{
    char owner[OWNER_MAX];
    const cJSON *member;
    cJSON_ArrayForEach(member, object)
    {
        struct llmsim_nearest nearest = {.typed = member->string};
        if (is_known(keys, member->string))
            continue;
        for (const struct llmsim_json_key *key = keys; key->name != NULL; key++)
            llmsim_nearest_offer(&nearest, key->name);
        quote_owner(object, owner);
        if (nearest.word == NULL)
            return llmsim_json_fail(json, member, err, "%sunknown key \"%.127s\"", owner,
                                    member->string);
        return llmsim_json_fail(json, member, err,
                                "%sunknown key \"%.127s\" (did you mean \"%s\"?)", owner,
                                member->string, nearest.word);
    }
    return LLMSIM_OK;
}

static const cJSON *get_value(const cJSON *object, const struct llmsim_json_key *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key->name);
    if (value == NULL && key->also != NULL)
        value = cJSON_GetObjectItemCaseSensitive(object, key->also);
    return value;
}

enum llmsim_status llmsim_json_read(const struct llmsim_json *json, const cJSON *object,
                                    const struct llmsim_json_key *keys,
                                    enum llmsim_json_unknown unknown, void *target,
                                    struct llmsim_error *err)
{
    char owner[OWNER_MAX];
    quote_owner(object, owner);
    if (!cJSON_IsObject(object))
        return llmsim_json_fail(json, object, err, "%sexpected an object, {…}", owner);
    enum llmsim_status status = LLMSIM_OK;
    if (unknown == LLMSIM_JSON_REFUSE_UNKNOWN)
        status = check_unknown(json, object, keys, err);
    for (const struct llmsim_json_key *key = keys; key->name != NULL && status == LLMSIM_OK;
         key++) {
        const cJSON *value = get_value(object, key);
        if (key->optional && (value == NULL || cJSON_IsNull(value)))
            continue;
        if (value == NULL)
            status =
                llmsim_json_fail(json, object, err, "%skey \"%s\" is missing", owner, key->name);
        else if (!kinds[key->kind].store(value, key->max, (char *)target + key->offset))
            status = fail_value(json, owner, key, value, err);
    }
    return status;
}
