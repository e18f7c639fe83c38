/* A document, and that none comes out with a member missing. */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <stdlib.h>

#include "llmsim/json_document.h"

static const char expected[] = "{\n"
                               "\t\"name\":\t\"a \\\"b\\\"\",\n"
                               "\t\"inner\":\t{\n"
                               "\t\t\"one\":\t1,\n"
                               "\t\t\"empty\":\t{\n\t\t}\n"
                               "\t},\n"
                               "\t\"list\":\t[0.5, 2],\n"
                               "\t\"last\":\t1e+300\n"
                               "}";

static enum llmsim_status make(struct llmsim_json_document *d, const char **text,
                               struct llmsim_error *err)
{
    llmsim_json_document_init(d);
    llmsim_json_add_string(d, d->root, "name", "a \"b\"");
    struct cJSON *inner = llmsim_json_add_object(d, d->root, "inner");
    llmsim_json_add_number(d, inner, "one", 1);
    (void)llmsim_json_add_object(d, inner, "empty");
    struct cJSON *list = llmsim_json_add_array(d, d->root, "list");
    llmsim_json_append_number(d, list, 0.5);
    llmsim_json_append_number(d, list, 2);
    llmsim_json_add_number(d, d->root, "last", 1e300);
    return llmsim_json_text(d, text, err);
}

Test(json_document, text)
{
    struct llmsim_json_document d;
    struct llmsim_error err;
    const char *text;
    cr_assert_eq(make(&d, &text, &err), LLMSIM_OK);
    cr_expect_str_eq(text, expected);
    cr_assert_eq(llmsim_json_text(&d, &text, &err), LLMSIM_OK); /* again: fine */
    cr_expect_str_eq(text, expected);
    llmsim_json_document_fini(&d);
}

static size_t n_allocations, failing;

static void *allocate(size_t size)
{
    return n_allocations++ == failing ? NULL : malloc(size);
}

/* One allocation after the other fails, and no other. */
Test(json_document, out_of_memory)
{
    struct llmsim_json_document d;
    const char *text;
    enum llmsim_status status = LLMSIM_RUN_FAILED;
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = allocate, .free_fn = free});
    for (failing = 0; status != LLMSIM_OK; failing++) {
        struct llmsim_error err = {.message = ""};
        n_allocations = 0;
        status = make(&d, &text, &err);
        if (status != LLMSIM_OK) {
            cr_assert_eq(status, LLMSIM_RUN_FAILED);
            cr_assert_null(text);
            cr_expect_str_eq(err.message, "out of memory");
        } else {
            cr_expect_str_eq(text, expected);
            cr_expect_lt(n_allocations, failing + 1);
        }
        llmsim_json_document_fini(&d);
    }
    cr_expect_gt(failing, 15); /* each member takes one or two */
    cJSON_InitHooks(NULL);
}
