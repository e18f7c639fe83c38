/* name_table.h: names, whose case does not count, and what each stands for: a hash table of a size
 * that is known when it is made. */
#ifndef LLMSIM_BASE_NAME_TABLE_H
#define LLMSIM_BASE_NAME_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct llmsim_name_table {
    struct llmsim_named {
        const char *name; /* borrowed; NULL: the slot is free */
        const void *value;
    } * slots;
    size_t n_slots; /* a power of two */
};

/* Room for n names. false: out of memory. */
bool llmsim_name_table_init(struct llmsim_name_table *table, size_t n);
/* Fine on a zeroed struct. */
void llmsim_name_table_fini(struct llmsim_name_table *table);
/* NULL: there is none. Fine on a zeroed struct, too. */
const struct llmsim_named *llmsim_name_table_find(const struct llmsim_name_table *table,
                                                  const char *name);
/* Add it, unless it is there: then what is there is returned, and else NULL. */
const struct llmsim_named *llmsim_name_table_add(struct llmsim_name_table *table, const char *name,
                                                 const void *value);

#endif
