/* Classes of a trace: their numbers, what cannot be one, and that both ways of reading agree. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "class_names.h"
#include "support/files.h"

static struct llmsim_class_names *new_names(void)
{
    struct llmsim_class_names *names = calloc(1, sizeof *names);
    cr_assert(names != NULL);
    return names;
}

static uint16_t add(struct llmsim_class_names *names, const char *text)
{
    const char *fault;
    uint16_t id = llmsim_class_names_add(names, text, strlen(text), &fault);
    cr_assert(fault == NULL, "%s", fault);
    return id;
}

Test(class_names, numbered_as_they_come)
{
    struct llmsim_class_names *names = new_names();
    cr_expect(add(names, "") == 0);
    cr_expect(add(names, "chat") == 1);
    cr_expect(add(names, "batch") == 2);
    cr_expect(add(names, "chat") == 1);
    cr_expect(add(names, "chat ") == 3);
    cr_expect(add(names, "chatty") == 4);
    cr_expect(add(names, "") == 0);
    cr_expect_str_eq(names->names[2].text, "batch");
    free(names);
}

/* A thousand have their numbers, in whatever order they are asked for; the next is one too many. */
Test(class_names, a_thousand)
{
    struct llmsim_class_names *names = new_names();
    char text[16];
    const char *fault;
    for (unsigned i = 1; i <= LLMSIM_MAX_CLASSES; i++) {
        (void)snprintf(text, sizeof text, "class %u", i);
        cr_assert(add(names, text) == i);
    }
    cr_expect(llmsim_class_names_add(names, "another", 7, &fault) == 0);
    cr_expect_str_eq(fault, "is one class too many; expected at most 1000 different ones");
    for (unsigned i = LLMSIM_MAX_CLASSES; i >= 1; i--) {
        (void)snprintf(text, sizeof text, "class %u", i);
        cr_assert(add(names, text) == i);
    }
    free(names);
}

/* 63 bytes as a CSV field: quotes and doubled quotes count. */
Test(class_names, faults)
{
    static const char *const long_ones[] = {
        "1234567890123456789012345678901234567890123456789012345678901234",
        "12345678901234567890123456789012345678901234567890123456789,12"};
    struct llmsim_class_names *names = new_names();
    const char *fault;
    for (size_t i = 0; i < 2; i++) {
        cr_expect(llmsim_class_names_add(names, long_ones[i], strlen(long_ones[i]), &fault) == 0);
        cr_expect(fault != NULL && strstr(fault, "too long") != NULL);
    }
    cr_expect(add(names, "12345678901234567890123456789012345678901234567890123456789,1") == 1);
    cr_expect(add(names, "123456789012345678901234567890123456789012345678901234567890123") == 2);
    cr_expect(llmsim_class_names_add(names, "\xff", 1, &fault) == 0);
    cr_expect(fault != NULL && strstr(fault, "UTF-8") != NULL);
    free(names);
}

/* The 1001st class of a file is an error at its place, or a row to be skipped. */
Test(class_names, too_many_in_a_file)
{
    static char text[64 << 10];
    size_t n = (size_t)snprintf(text, sizeof text,
                                "arrival_s,prompt_tokens,output_tokens,class\n0,1,1,\n");
    for (unsigned i = 0; i <= LLMSIM_MAX_CLASSES; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "0,1,1,%u\n", i);
    n += (size_t)snprintf(text + n, sizeof text - n, "0,1,1,7\n");
    char *path = temp_file(text, n);
    for (int only_libcsv = 0; only_libcsv <= 1; only_libcsv++) {
        struct llmsim_trace *trace;
        struct llmsim_error err;
        static struct llmsim_request requests[2000];
        struct llmsim_trace_options options = {.only_libcsv = only_libcsv};
        cr_assert(llmsim_trace_open(path, &options, &trace, &err) == LLMSIM_OK);
        struct llmsim_source source = llmsim_trace_source(trace);
        cr_expect(source.read(source.self, requests, 2000, &n, &err) == LLMSIM_TRACE);
        cr_expect(n == 1001 && requests[0].class_id == 0 && requests[1000].class_id == 1000);
        cr_expect_str_eq(source.class_name(source.self, 1000), "999");
        cr_expect(err.line == 1003 && err.column == 7, "%d:%d", (int)err.line, (int)err.column);
        cr_expect_str_eq(err.message, "class '1000' is one class too many; expected at most 1000 "
                                      "different ones");
        cr_expect(source.read(source.self, requests, 2000, &n, &err) == LLMSIM_OK);
        cr_expect(n == 1 && requests[0].class_id == 8);
        llmsim_trace_close(trace);
    }
    remove_temp(path);
}
