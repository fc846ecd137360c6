#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <xxhash.h>

#define SIZE_MIN 64

int table_init(struct table *table)
{
    *table = (struct table){0};
    if (getrandom(&table->seed, sizeof(table->seed), 0) != sizeof(table->seed))
        return -errno;
    return 0;
}

void table_finish(struct table *table)
{
    free(table->heads);
    free(table->buckets);
    *table = (struct table){0};
}

static uint64_t hash_of(const struct table *table, const struct store_key *key)
{
    return XXH3_64bits_withSeed(key->data, key->length, table->seed + key->bucket);
}

static struct table_entry **head_of(const struct table *table, uint64_t hash)
{
    return &table->heads[hash & (table->size - 1)];
}

static struct table_list *list_of(const struct table *table, uint32_t bucket)
{
    uint64_t hash = XXH3_64bits_withSeed(&bucket, sizeof(bucket), table->seed);

    return &table->buckets[hash & (table->size - 1)];
}

static bool is_key_of(const struct table_entry *entry, const struct store_key *key)
{
    return entry->key.bucket == key->bucket && entry->key.length == key->length &&
           (key->length == 0 || memcmp(entry->key.data, key->data, key->length) == 0);
}

struct table_entry *table_find(const struct table *table, const struct store_key *key)
{
    struct table_entry *entry;
    uint64_t hash;

    if (table->count == 0)
        return NULL;
    hash = hash_of(table, key);
    entry = *head_of(table, hash);
    while (entry && (entry->hash != hash || !is_key_of(entry, key)))
        entry = entry->next;
    return entry;
}

static void insert(struct table *table, struct table_entry *entry)
{
    struct table_entry **head = head_of(table, entry->hash);

    entry->next = *head;
    *head = entry;
    LIST_INSERT_HEAD(list_of(table, entry->key.bucket), entry, beside);
}

/* Without the memory for more heads their lists get longer. */
static int grow(struct table *table)
{
    size_t size = table->size > 0 ? table->size * 2 : SIZE_MIN;
    struct table old = *table;
    struct table_entry **heads = calloc(size, sizeof(struct table_entry *));
    struct table_list *buckets = calloc(size, sizeof(struct table_list));

    if (!heads || !buckets) {
        free(heads);
        free(buckets);
        return table->size > 0 ? 0 : -ENOMEM;
    }
    table->heads = heads;
    table->buckets = buckets;
    table->size = size;
    for (size_t i = 0; i < old.size; i++) {
        struct table_entry *entry, *next;

        for (entry = old.heads[i]; entry; entry = next) {
            next = entry->next;
            insert(table, entry);
        }
    }
    free(old.heads);
    free(old.buckets);
    return 0;
}

int table_add(struct table *table, struct table_entry *entry)
{
    int r = table->count >= table->size ? grow(table) : 0;

    if (r < 0)
        return r;
    entry->hash = hash_of(table, &entry->key);
    insert(table, entry);
    table->count++;
    return 0;
}

void table_remove(struct table *table, struct table_entry *entry)
{
    struct table_entry **place = head_of(table, entry->hash);

    while (*place != entry)
        place = &(*place)->next;
    *place = entry->next;
    LIST_REMOVE(entry, beside);
    table->count--;
}

struct table_entry *table_next(const struct table *table, uint32_t bucket,
                               const struct table_entry *entry)
{
    struct table_entry *next = NULL;

    if (entry)
        next = LIST_NEXT(entry, beside);
    else if (table->count > 0)
        next = LIST_FIRST(list_of(table, bucket));
    while (next && next->key.bucket != bucket)
        next = LIST_NEXT(next, beside);
    return next;
}
