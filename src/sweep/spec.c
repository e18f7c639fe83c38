/* spec.c: a grid from a JSON file.
 *
 *   {"model": "…", "max_num_seqs": [8, 16], "zip": {"gpu": […], "ptps": […]}, "list": [{…}, {…}]}
 *
 * A scalar is the same in all points, an array is an axis, an object of arrays below "zip" is one
 * axis of several settings (an array of such objects: several), and so is an array of objects below
 * "list", in which the rows need not name the same settings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grid.h"
#include "json_file.h"
#include "llmsim/nearest.h"
#include "parts.h"
#include "utf8.h"

struct spec {
    struct llmsim_grid *grid;
    const struct llmsim_grid_keys *keys;
    struct llmsim_json json;
    struct llmsim_error *err;
};

/* An axis in the making. */
struct columns {
    char **names;
    char **values; /* rows × columns */
    size_t n_rows, n_columns;
};

static enum llmsim_status out_of_memory(const struct spec *spec)
{
    return llmsim_fail(spec->err, LLMSIM_RUN_FAILED, "out of memory for the grid");
}

static enum llmsim_status columns_init(const struct spec *spec, struct columns *c, size_t n_rows,
                                       size_t n_columns)
{
    *c = (struct columns){.n_rows = n_rows, .n_columns = n_columns};
    c->names = calloc(n_columns, sizeof *c->names);
    c->values = calloc(n_rows * n_columns, sizeof *c->values);
    return c->names != NULL && c->values != NULL ? LLMSIM_OK : out_of_memory(spec);
}

static void columns_fini(struct columns *c)
{
    for (size_t i = 0; c->names != NULL && i < c->n_columns; i++)
        free(c->names[i]);
    for (size_t i = 0; c->values != NULL && i < c->n_rows * c->n_columns; i++)
        free(c->values[i]);
    free(c->names);
    free(c->values);
}

/* The option that a key names, to be freed by the caller. */
static enum llmsim_status read_key(const struct spec *spec, const cJSON *member, char **name)
{
    const struct llmsim_grid_keys *keys = spec->keys;
    struct llmsim_nearest nearest = {.typed = *name = strdup(member->string)};
    const char *known;
    if (*name == NULL)
        return out_of_memory(spec);
    for (char *p = *name; *p != '\0'; p++)
        if (*p == '_')
            *p = '-';
    for (size_t i = 0; (known = keys->name(keys->ctx, i)) != NULL; i++) {
        if (strcmp(*name, known) == 0)
            return LLMSIM_OK;
        llmsim_nearest_offer(&nearest, known);
    }
    llmsim_nearest_offer(&nearest, "zip");
    llmsim_nearest_offer(&nearest, "list");
    if (nearest.word == NULL)
        return llmsim_json_fail(&spec->json, member, spec->err,
                                "unknown key \"%.127s\"; expected the name of an option",
                                member->string);
    return llmsim_json_fail(&spec->json, member, spec->err,
                            "unknown key \"%.127s\" (did you mean \"%s\"?)", member->string,
                            nearest.word);
}

/* How far the point of a number may move. */
#define MOST_ZEROS 32
/* JSON's longest number (json_syntax.c), with zeros on either side. */
#define PLAIN_NUMBER_MAX (64 + 2 * (MOST_ZEROS + 1))

/* "1e-05" as "0.00001" and "8.0" as "8", to the last digit. false: it is below zero or has an
 * exponent beyond that. */
static bool plain_number(const char *text, char plain[static PLAIN_NUMBER_MAX])
{
    size_t length = strcspn(text, "eE"), n_whole = strcspn(text, ".eE"), n = 0, begin = 0;
    long exponent = text[length] != '\0' ? strtol(text + length + 1, NULL, 10) : 0;
    char digits[PLAIN_NUMBER_MAX];
    if (text[0] == '-' || exponent < -MOST_ZEROS || exponent > MOST_ZEROS || length >= 64)
        return false;
    /* Zeros on either side; then the point moves, and those that it does not need go. */
    for (; n <= MOST_ZEROS; n++)
        digits[n] = '0';
    for (size_t i = 0; i < length; i++)
        if (text[i] != '.')
            digits[n++] = text[i];
    for (size_t i = 0; i <= MOST_ZEROS; i++)
        digits[n++] = '0';
    size_t point = (size_t)(MOST_ZEROS + 1 + (long)n_whole + exponent);
    while (begin < point - 1 && digits[begin] == '0')
        begin++;
    while (n > point && digits[n - 1] == '0')
        n--;
    (void)snprintf(plain, PLAIN_NUMBER_MAX, "%.*s%s%.*s", (int)(point - begin), digits + begin,
                   n > point ? "." : "", (int)(n - point), digits + point);
    return true;
}

/* A copy of `text` where the option takes that; NULL and LLMSIM_OK where it does not. */
static enum llmsim_status take(const struct spec *spec, const char *name, const char *text,
                               char **taken, struct llmsim_error *why)
{
    *taken = NULL;
    enum llmsim_status status = spec->keys->check(spec->keys->ctx, name, text, why);
    if (status == LLMSIM_RUN_FAILED) /* memory */
        return out_of_memory(spec);
    if (status == LLMSIM_OK && (*taken = strdup(text)) == NULL)
        return out_of_memory(spec);
    return LLMSIM_OK;
}

/* A value as a user would type it, to be freed by the caller. A number is what is written, or that
 * in plain notation, where the option takes only this. */
static enum llmsim_status read_value(const struct spec *spec, const char *name, const cJSON *value,
                                     char **text)
{
    struct llmsim_error why = {0};
    char plain[PLAIN_NUMBER_MAX];
    bool is_text = cJSON_IsString(value) || cJSON_IsNumber(value);
    if (!is_text && !cJSON_IsBool(value))
        return llmsim_json_fail(&spec->json, value, spec->err,
                                "%s: expected a text, a number, true or false, or an array of them",
                                name);
    if (is_text && !llmsim_utf8_is_plain(value->valuestring, strlen(value->valuestring)))
        return llmsim_json_fail(&spec->json, value, spec->err,
                                "%s: no plain text; expected one without control characters", name);
    const char *written = is_text ? value->valuestring : (cJSON_IsTrue(value) ? "true" : "false");
    enum llmsim_status status = take(spec, name, written, text, &why);
    if (status == LLMSIM_OK && *text == NULL && cJSON_IsNumber(value) &&
        plain_number(written, plain))
        status = take(spec, name, plain, text, NULL);
    if (status != LLMSIM_OK || *text != NULL)
        return status;
    return llmsim_json_fail(&spec->json, value, spec->err, "%s", why.message);
}

/* Column `column` from an array of its values; the axis has as many rows as that has elements. */
static enum llmsim_status read_column(const struct spec *spec, struct columns *c, size_t column,
                                      const cJSON *array)
{
    enum llmsim_status status = LLMSIM_OK;
    const cJSON *value;
    size_t row = 0;
    cJSON_ArrayForEach(value, array)
    {
        if (status == LLMSIM_OK)
            status = read_value(spec, c->names[column], value,
                                &c->values[row++ * c->n_columns + column]);
    }
    return status;
}

static enum llmsim_status add_columns(const struct spec *spec, const struct columns *c,
                                      const cJSON *node, bool is_fixed)
{
    struct llmsim_error inner = {0};
    const struct llmsim_grid_axis axis = {
        .names = (const char *const *)c->names,
        .values = (const char *const *)c->values,
        .n_rows = c->n_rows,
        .n_columns = c->n_columns,
        .is_fixed = is_fixed,
    };
    enum llmsim_status status = llmsim_grid_add(spec->grid, &axis, &inner);
    if (status == LLMSIM_USAGE)
        return llmsim_json_fail(&spec->json, node, spec->err, "%s", inner.message);
    return status == LLMSIM_OK ? status : out_of_memory(spec);
}

static enum llmsim_status fail_empty(const struct spec *spec, const cJSON *node)
{
    return llmsim_json_fail(&spec->json, node, spec->err,
                            "\"%.127s\" is empty; expected one value or more",
                            node->string != NULL ? node->string : "zip");
}

/* "key": value, or "key": [values] */
static enum llmsim_status add_member(const struct spec *spec, const cJSON *member)
{
    struct columns c;
    bool is_axis = cJSON_IsArray(member);
    size_t n_rows = is_axis ? (size_t)cJSON_GetArraySize(member) : 1;
    if (n_rows == 0)
        return fail_empty(spec, member);
    enum llmsim_status status = columns_init(spec, &c, n_rows, 1);
    if (status == LLMSIM_OK)
        status = read_key(spec, member, &c.names[0]);
    if (status == LLMSIM_OK)
        status = is_axis ? read_column(spec, &c, 0, member)
                         : read_value(spec, c.names[0], member, &c.values[0]);
    if (status == LLMSIM_OK)
        status = add_columns(spec, &c, member, !is_axis);
    columns_fini(&c);
    return status;
}

static enum llmsim_status check_zip(const struct spec *spec, const cJSON *object)
{
    const cJSON *first = object->child, *member;
    if (!cJSON_IsObject(object) || first == NULL)
        return llmsim_json_fail(&spec->json, object, spec->err,
                                "expected an object of arrays, {option: [values], ...}");
    cJSON_ArrayForEach(member, object)
    {
        if (!cJSON_IsArray(member))
            return llmsim_json_fail(&spec->json, member, spec->err,
                                    "\"%.127s\" of a zip: expected an array", member->string);
        if (cJSON_GetArraySize(member) != cJSON_GetArraySize(first))
            return llmsim_json_fail(&spec->json, member, spec->err,
                                    "\"%.127s\" of a zip has %d values; expected %d, as "
                                    "\"%.127s\"",
                                    member->string, cJSON_GetArraySize(member),
                                    cJSON_GetArraySize(first), first->string);
    }
    return first->child == NULL ? fail_empty(spec, first) : LLMSIM_OK;
}

static enum llmsim_status add_zip(const struct spec *spec, const cJSON *object)
{
    struct columns c = {0};
    const cJSON *member;
    size_t column = 0;
    enum llmsim_status status = check_zip(spec, object);
    if (status == LLMSIM_OK)
        status = columns_init(spec, &c, (size_t)cJSON_GetArraySize(object->child),
                              (size_t)cJSON_GetArraySize(object));
    cJSON_ArrayForEach(member, object)
    {
        if (status == LLMSIM_OK)
            status = read_key(spec, member, &c.names[column]);
        if (status == LLMSIM_OK)
            status = read_column(spec, &c, column++, member);
    }
    if (status == LLMSIM_OK)
        status = add_columns(spec, &c, object, false);
    columns_fini(&c);
    return status;
}

static enum llmsim_status add_zips(const struct spec *spec, const cJSON *node)
{
    enum llmsim_status status = LLMSIM_OK;
    const cJSON *object;
    if (!cJSON_IsArray(node))
        return add_zip(spec, node);
    cJSON_ArrayForEach(object, node)
    {
        if (status == LLMSIM_OK)
            status = add_zip(spec, object);
    }
    return status;
}

/* The column of a list that `member` goes to; c->n_columns where there is none yet. */
static enum llmsim_status find_column(const struct spec *spec, const struct columns *c,
                                      const cJSON *member, char **name, size_t *column)
{
    enum llmsim_status status = read_key(spec, member, name);
    for (*column = 0; status == LLMSIM_OK && *column < c->n_columns; ++*column)
        if (strcmp(c->names[*column], *name) == 0)
            break;
    return status;
}

/* Go over a row of a list. Without `values`: note the columns that no row before had, for which
 * c->names has room. With them: read the row's. */
static enum llmsim_status read_list_row(const struct spec *spec, struct columns *c,
                                        const cJSON *object, char **values)
{
    const cJSON *member;
    cJSON_ArrayForEach(member, object)
    {
        char *name = NULL;
        size_t column = 0;
        enum llmsim_status status = find_column(spec, c, member, &name, &column);
        if (status == LLMSIM_OK && column == c->n_columns) {
            c->names[c->n_columns++] = name;
            continue;
        }
        free(name);
        if (status == LLMSIM_OK && values != NULL && values[column] != NULL)
            status = llmsim_json_fail(&spec->json, member, spec->err,
                                      "%s is given twice; expected it once", c->names[column]);
        else if (status == LLMSIM_OK && values != NULL)
            status = read_value(spec, c->names[column], member, &values[column]);
        if (status != LLMSIM_OK)
            return status;
    }
    return LLMSIM_OK;
}

static enum llmsim_status list_columns(const struct spec *spec, struct columns *c,
                                       const cJSON *list)
{
    enum llmsim_status status = LLMSIM_OK;
    const cJSON *object;
    size_t n_members = 0;
    cJSON_ArrayForEach(object, list)
    {
        if (!cJSON_IsObject(object))
            return llmsim_json_fail(&spec->json, object, spec->err,
                                    "expected an object, {option: value, ...}");
        n_members += (size_t)cJSON_GetArraySize(object);
    }
    if (n_members == 0)
        return fail_empty(spec, list);
    *c = (struct columns){.names = calloc(n_members, sizeof *c->names)};
    if (c->names == NULL)
        return out_of_memory(spec);
    cJSON_ArrayForEach(object, list)
    {
        if (status == LLMSIM_OK)
            status = read_list_row(spec, c, object, NULL);
    }
    return status;
}

static enum llmsim_status add_list(const struct spec *spec, const cJSON *list)
{
    struct columns c = {0};
    const cJSON *object;
    size_t row = 0;
    if (!cJSON_IsArray(list))
        return llmsim_json_fail(&spec->json, list, spec->err,
                                "\"list\": expected an array of objects");
    enum llmsim_status status = list_columns(spec, &c, list);
    size_t n_rows = (size_t)cJSON_GetArraySize(list);
    if (status == LLMSIM_OK && c.n_columns > 0) { /* as it is, with a member or more */
        c.values = calloc(n_rows * c.n_columns, sizeof *c.values);
        c.n_rows = n_rows;
        if (c.values == NULL)
            status = out_of_memory(spec);
    }
    cJSON_ArrayForEach(object, list)
    {
        if (status == LLMSIM_OK && c.values != NULL)
            status = read_list_row(spec, &c, object, &c.values[row++ * c.n_columns]);
    }
    if (status == LLMSIM_OK)
        status = add_columns(spec, &c, list, false);
    columns_fini(&c);
    return status;
}

enum llmsim_status llmsim_grid_load(struct llmsim_grid *grid, const char *path,
                                    const struct llmsim_grid_keys *keys, struct llmsim_error *err)
{
    struct spec spec = {.grid = grid, .keys = keys, .err = err};
    enum llmsim_status status =
        LLMSIM_CHECK_PARTS("the set of keys", err, {keys->name != NULL, "function name"},
                           {keys->check != NULL, "function check"});
    if (status == LLMSIM_OK)
        status = llmsim_json_load(&spec.json, path, err);
    if (status != LLMSIM_OK)
        return status;
    const cJSON *member;
    status = llmsim_json_keep_numbers(&spec.json, err);
    if (status == LLMSIM_OK && !cJSON_IsObject(spec.json.root))
        status = llmsim_json_fail(&spec.json, spec.json.root, err,
                                  "expected an object, {option: value or [values], ...}");
    cJSON_ArrayForEach(member, spec.json.root)
    {
        if (status != LLMSIM_OK)
            break;
        if (strcmp(member->string, "zip") == 0)
            status = add_zips(&spec, member);
        else if (strcmp(member->string, "list") == 0)
            status = add_list(&spec, member);
        else
            status = add_member(&spec, member);
    }
    llmsim_json_fini(&spec.json);
    return status;
}
