#include "llmsim/json_document.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

#include "numfmt.h"
#include "utf8.h"

void llmsim_json_document_init(struct llmsim_json_document *document)
{
    *document = (struct llmsim_json_document){.root = cJSON_CreateObject()};
    document->failed = document->root == NULL;
}

void llmsim_json_document_fini(struct llmsim_json_document *document)
{
    cJSON_Delete(document->root);
    cJSON_free(document->text);
    *document = (struct llmsim_json_document){.root = NULL};
}

/* A parent that failed is NULL, and cJSON then fails for its members, too. */
static cJSON *note(struct llmsim_json_document *document, cJSON *added)
{
    document->failed = document->failed || added == NULL;
    return added;
}

void llmsim_json_add_number(struct llmsim_json_document *document, cJSON *parent, const char *name,
                            double value)
{
    (void)note(document, cJSON_AddNumberToObject(parent, name, value));
}

void llmsim_json_add_ns(struct llmsim_json_document *document, cJSON *parent, const char *name,
                        int64_t ns)
{
    char text[40];
    char *end = llmsim_put_ns(text, ns);
    while (end[-1] == '0')
        end--;
    end -= end[-1] == '.';
    *end = '\0';
    (void)note(document, cJSON_AddRawToObject(parent, name, text));
}

void llmsim_json_add_bool(struct llmsim_json_document *document, cJSON *parent, const char *name,
                          bool value)
{
    (void)note(document, cJSON_AddBoolToObject(parent, name, value));
}

bool llmsim_json_has(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name) != NULL;
}

void llmsim_json_add_string(struct llmsim_json_document *document, cJSON *parent, const char *name,
                            const char *text)
{
    char *repaired = llmsim_utf8_repair(text);
    (void)note(document, repaired != NULL ? cJSON_AddStringToObject(parent, name, repaired) : NULL);
    free(repaired);
}

cJSON *llmsim_json_add_object(struct llmsim_json_document *document, cJSON *parent,
                              const char *name)
{
    return note(document, cJSON_AddObjectToObject(parent, name));
}

cJSON *llmsim_json_add_array(struct llmsim_json_document *document, cJSON *parent, const char *name)
{
    return note(document, cJSON_AddArrayToObject(parent, name));
}

static void append(struct llmsim_json_document *document, cJSON *array, cJSON *element)
{
    if (note(document, element) == NULL || cJSON_AddItemToArray(array, element))
        return;
    cJSON_Delete(element);
    document->failed = true;
}

void llmsim_json_append_number(struct llmsim_json_document *document, cJSON *array, double value)
{
    append(document, array, cJSON_CreateNumber(value));
}

void llmsim_json_append_string(struct llmsim_json_document *document, cJSON *array,
                               const char *text)
{
    char *repaired = llmsim_utf8_repair(text);
    append(document, array, repaired != NULL ? cJSON_CreateString(repaired) : NULL);
    free(repaired);
}

enum llmsim_status llmsim_json_text(struct llmsim_json_document *document, const char **text,
                                    struct llmsim_error *err)
{
    cJSON_free(document->text);
    document->text = document->failed ? NULL : cJSON_Print(document->root);
    *text = document->text;
    if (document->text == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    return LLMSIM_OK;
}
