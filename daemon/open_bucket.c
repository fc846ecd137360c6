/*
 * Open buckets: their rows and counters as they were read last, some of them at a time, so that
 * those who work on different buckets in one turn do not cost each other anything. What changes
 * their rows or drops the running transaction forgets them.
 */
#include "store_private.h"

#include <errno.h>
#include <string.h>

static_assert(OPEN_BUCKETS <= 64, "a bit of store->open_changed for each");

static uint64_t bit_of(const struct store *store, const struct open_bucket *bucket)
{
    return UINT64_C(1) << (bucket - store->open);
}

/* Writes the counters, if they were changed. */
static int write_counters(struct store *store, const struct open_bucket *bucket)
{
    int r;

    if (!(store->open_changed & bit_of(store, bucket)))
        return 0;
    r = counters_write_bucket(store, bucket->row.place, &bucket->counters);
    if (r == 0)
        store->open_changed &= ~bit_of(store, bucket);
    return r;
}

static int read_bucket(struct store *store, uint32_t id, struct open_bucket *ret_bucket)
{
    MDB_val key = {.mv_data = &id, .mv_size = sizeof(id)};
    MDB_val row = {0};
    MDB_txn *txn;
    int r = store_reader(store, &txn);

    if (r == 0)
        r = store_error(mdb_get(txn, store->buckets, &key, &row));
    if (r < 0)
        return r == -ENOENT ? -ENXIO : r;
    if (row.mv_size != sizeof(ret_bucket->row))
        return -EUCLEAN;
    *ret_bucket = (struct open_bucket){.id = id};
    memcpy(&ret_bucket->row, row.mv_data, sizeof(ret_bucket->row));
    return counters_read_bucket(store, txn, ret_bucket->row.place, &ret_bucket->counters);
}

int store_open_bucket(struct store *store, uint32_t id)
{
    struct open_bucket *place = &store->open[id % OPEN_BUCKETS];
    struct open_bucket bucket;
    int r;

    if (place->id != id || id == 0) {
        r = read_bucket(store, id, &bucket);
        if (r < 0)
            return r;
        r = write_counters(store, place);
        if (r < 0)
            return store_drop(store, r);
        *place = bucket;
    }
    store->bucket = place;
    return 0;
}

void store_count(struct store *store, int64_t bytes, int64_t objects)
{
    struct open_bucket *bucket = store->bucket;

    if (store->grouping && !(store->open_changed & bit_of(store, bucket)))
        quota_note(store);
    store->open_changed |= bit_of(store, bucket);
    bucket->counters.used += (uint64_t)bytes;
    bucket->counters.objects += (uint64_t)objects;
    store->totals.used += (uint64_t)bytes;
    store->totals.objects += (uint64_t)objects;
}

int open_buckets_write(struct store *store)
{
    int r = 0;

    while (r == 0 && store->open_changed)
        r = write_counters(store, &store->open[__builtin_ctzll(store->open_changed)]);
    return r;
}

void open_bucket_forget(struct store *store, uint32_t id)
{
    struct open_bucket *place = &store->open[id % OPEN_BUCKETS];

    if (place->id != id)
        return;
    store->open_changed &= ~bit_of(store, place);
    *place = (struct open_bucket){0};
}

void open_buckets_forget(struct store *store)
{
    store->open_changed = 0;
    for (size_t i = 0; i < OPEN_BUCKETS; i++)
        store->open[i] = (struct open_bucket){0};
}
