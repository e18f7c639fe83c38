#include "name_table.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <strings.h>

/* FNV-1a. */
static uint64_t hash(const char *text)
{
    uint64_t h = 14695981039346656037u;
    for (; *text != '\0'; text++)
        h = (h ^ (uint64_t)tolower((unsigned char)*text)) * 1099511628211u;
    return h ^ h >> 32;
}

bool llmsim_name_table_init(struct llmsim_name_table *table, size_t n)
{
    *table = (struct llmsim_name_table){.n_slots = 8};
    while (table->n_slots / 2 < n)
        table->n_slots *= 2;
    table->slots = calloc(table->n_slots, sizeof *table->slots);
    return table->slots != NULL;
}

void llmsim_name_table_fini(struct llmsim_name_table *table)
{
    free(table->slots);
    *table = (struct llmsim_name_table){.slots = NULL};
}

/* The slot that has the name, or that it would go to. */
static struct llmsim_named *slot_of(const struct llmsim_name_table *table, const char *name)
{
    size_t mask = table->n_slots - 1, i = (size_t)hash(name) & mask;
    while (table->slots[i].name != NULL && strcasecmp(table->slots[i].name, name) != 0)
        i = (i + 1) & mask;
    return &table->slots[i];
}

const struct llmsim_named *llmsim_name_table_find(const struct llmsim_name_table *table,
                                                  const char *name)
{
    if (table->slots == NULL)
        return NULL;
    const struct llmsim_named *slot = slot_of(table, name);
    return slot->name != NULL ? slot : NULL;
}

const struct llmsim_named *llmsim_name_table_add(struct llmsim_name_table *table, const char *name,
                                                 const void *value)
{
    struct llmsim_named *slot = slot_of(table, name);
    if (slot->name != NULL)
        return slot;
    *slot = (struct llmsim_named){name, value};
    return NULL;
}
