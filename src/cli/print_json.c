/* print_json.c: a document to stdout. */
#include <stdio.h>

#include "cli.h"

enum llmsim_status cli_print_json(struct llmsim_json_document *json, struct llmsim_error *err)
{
    const char *text;
    enum llmsim_status status = llmsim_json_text(json, &text, err);
    if (status == LLMSIM_OK)
        (void)puts(text); /* main checks stdout */
    llmsim_json_document_fini(json);
    return status;
}
