/* Things that are found by a bucket and a name: keys that are waited for, locks; and those of a
 * bucket one after the other, for when it goes. */
#ifndef MEMSTORED_TABLE_H
#define MEMSTORED_TABLE_H

#include "store.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* A part of what is in the table, which owns it; the table has a pointer. */
struct table_entry {
    struct table_entry *next;
    LIST_ENTRY(table_entry) beside; /* those of the same bucket, and of some others */
    uint64_t hash;
    struct store_key key; /* where its owner keeps it */
};

LIST_HEAD(table_list, table_entry);

struct table {
    struct table_entry **heads;
    struct table_list *buckets; /* as many */
    size_t size;                /* a power of two, or 0 */
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

void table_remove(struct table *table, struct table_entry *entry);

/* The entry of a bucket behind that one, in no order; NULL: the first one. After the last one it
 * returns NULL. Entries that are behind it must not be added or removed meanwhile. */
struct table_entry *table_next(const struct table *table, uint32_t bucket,
                               const struct table_entry *entry);

#endif
