/* json_document.h: JSON made member by member: summary.json, and what commands print as JSON.
 *
 * cJSON makes the tree and the text. Where it has no memory for a member it returns NULL and goes
 * on, so that the text would lack a key; the document remembers that, and llmsim_json_text fails.
 * The calls before it need no check. */
#ifndef LLMSIM_JSON_DOCUMENT_H
#define LLMSIM_JSON_DOCUMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "llmsim/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cJSON;

struct llmsim_json_document {
    struct cJSON *root; /* an object */
    char *text;
    bool failed;
};

LLMSIM_API void llmsim_json_document_init(struct llmsim_json_document *document);
LLMSIM_API void llmsim_json_document_fini(struct llmsim_json_document *document);

/* Add a member to an object of the document: `parent` is its root or what add_object returned.
 * `name` and `text` are copied; bytes of the text that are not UTF-8 become U+FFFD. */
LLMSIM_API void llmsim_json_add_number(struct llmsim_json_document *document, struct cJSON *parent,
                                       const char *name, double value);
/* Nanoseconds as seconds, with all digits that there are: a double has 16 of them, and Unix time in
 * nanoseconds 19. */
LLMSIM_API void llmsim_json_add_ns(struct llmsim_json_document *document, struct cJSON *parent,
                                   const char *name, int64_t ns);
LLMSIM_API void llmsim_json_add_bool(struct llmsim_json_document *document, struct cJSON *parent,
                                     const char *name, bool value);
LLMSIM_API void llmsim_json_add_string(struct llmsim_json_document *document, struct cJSON *parent,
                                       const char *name, const char *text);
LLMSIM_API struct cJSON *llmsim_json_add_object(struct llmsim_json_document *document,
                                                struct cJSON *parent, const char *name);
LLMSIM_API struct cJSON *llmsim_json_add_array(struct llmsim_json_document *document,
                                               struct cJSON *parent, const char *name);
/* Has this object a member of this name? */
LLMSIM_API bool llmsim_json_has(const struct cJSON *object, const char *name);
/* Add an element to what add_array returned. */
LLMSIM_API void llmsim_json_append_number(struct llmsim_json_document *document,
                                          struct cJSON *array, double value);
LLMSIM_API void llmsim_json_append_string(struct llmsim_json_document *document,
                                          struct cJSON *array, const char *text);

/* The whole, indented, without a newline at its end; lives as long as the document.
 * LLMSIM_RUN_FAILED if memory ran out, here or in any call before. */
LLMSIM_API LLMSIM_MUST_CHECK enum llmsim_status
llmsim_json_text(struct llmsim_json_document *document, const char **text,
                 struct llmsim_error *err);

#ifdef __cplusplus
}
#endif
#endif
