/* Things that are found by a bucket and a name: keys that are waited for, locks. */
#ifndef MEMSTORED_TABLE_H
#define MEMSTORED_TABLE_H

#include "store.h"

#include <stddef.h>
#include <stdint.h>

/* A part of what is in the table, which owns it; the table has a pointer. */
struct table_entry {
    struct table_entry *next;
    uint64_t hash;
    struct store_key key; /* where its owner keeps it */
};

struct table {
    struct table_entry **heads;
    size_t size; /* a power of two, or 0 */
    size_t count;
    uint64_t seed; /* nobody can choose names that all come together */
};

/* Negative errno. */
int table_init(struct table *table);

/* Drops the table; the entries are their owners'. */
void table_finish(struct table *table);

struct table_entry *table_find(const struct table *table, const struct store_key *key);

/* Adds an entry whose key is set, and not in the table. -ENOMEM. */
int table_add(struct table *table, struct table_entry *entry);

/* The entry behind that one, in no order; NULL: the first one; after the last one it returns NULL.
 * Others may be removed meanwhile. */
struct table_entry *table_next(const struct table *table, const struct table_entry *entry);

void table_remove(struct table *table, struct table_entry *entry);

#endif
