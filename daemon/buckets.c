/*
 * Buckets: a row by id, a row by name, and a place for the counters. A bucket that is dropped loses
 * all three in one change; what rows its objects have left is nobody's (dropped.c).
 */
#include "store_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Pages that a change to the tables of buckets and counters adds at most: paths copied, pages
 * split, a row of counters. */
#define BUCKET_PAGES 48

static const struct bucket_settings no_limits = {.max_size = NO_LIMIT, .max_objects = NO_LIMIT};

static MDB_val val_of_name(const struct store_bucket_name *name)
{
    return (MDB_val){.mv_data = (void *)(uintptr_t)name->text, .mv_size = name->length};
}

static MDB_val val_of_id(uint32_t *id)
{
    return (MDB_val){.mv_data = id, .mv_size = sizeof(*id)};
}

static int begin(struct store *store, bool frees)
{
    return store_begin(store, &(struct claim){.ends = 2, .pages = BUCKET_PAGES, .frees = frees});
}

/* The change is made, or failed in the middle. */
static int end(struct store *store, int r)
{
    if (r < 0)
        return store_drop(store, r);
    store->totals.version++;
    return 0;
}

/* ---- looking up ---- */

int store_bucket_find(struct store *store, const struct store_bucket_name *name, uint32_t *ret_id)
{
    MDB_val key = val_of_name(name);
    MDB_val row;
    MDB_txn *txn;
    int r = store_reader(store, &txn);

    if (r < 0)
        return r;
    if (name->length == 0 || name->length > BUCKET_NAME_MAX)
        return -ENOENT;
    r = store_error(mdb_get(txn, store->names, &key, &row));
    if (r < 0)
        return r;
    if (row.mv_size != sizeof(*ret_id))
        return -EUCLEAN;
    memcpy(ret_id, row.mv_data, sizeof(*ret_id));
    return 0;
}

/* Makes it the one at hand. -ENOENT. */
static int open_by_name(struct store *store, const struct store_bucket_name *name)
{
    uint32_t id = 0;
    int r = store_bucket_find(store, name, &id);

    if (r == 0)
        r = store_open_bucket(store, id);
    return r == -ENXIO ? -EUCLEAN : r;
}

static void describe(const struct open_bucket *bucket, struct store_bucket *ret_bucket)
{
    *ret_bucket = (struct store_bucket){.id = bucket->id,
                                        .settings = bucket->row.settings,
                                        .is_ephemeral = bucket->row.owner != 0,
                                        .used = bucket->counters.used,
                                        .objects = bucket->counters.objects,
                                        .name_length = bucket->row.name_length};
    memcpy(ret_bucket->name, bucket->row.name, bucket->row.name_length);
}

int store_bucket_info(struct store *store, const struct store_bucket_name *name,
                      struct store_bucket *ret_bucket)
{
    int r = open_by_name(store, name);

    if (r == 0)
        describe(store->bucket, ret_bucket);
    return r;
}

static int find_next(MDB_cursor *cursor, const struct store_bucket_name *after, MDB_val *row)
{
    MDB_val key = val_of_name(after);
    int r;

    if (after->length == 0)
        return store_error(mdb_cursor_get(cursor, &key, row, MDB_FIRST));
    r = store_error(mdb_cursor_get(cursor, &key, row, MDB_SET_RANGE));
    if (r == 0 && key.mv_size == after->length &&
        memcmp(key.mv_data, after->text, after->length) == 0)
        r = store_error(mdb_cursor_get(cursor, &key, row, MDB_NEXT));
    return r;
}

int store_bucket_next(struct store *store, const struct store_bucket_name *after,
                      struct store_bucket *ret_bucket)
{
    MDB_cursor *cursor = NULL;
    MDB_val row = {0};
    MDB_txn *txn;
    uint32_t id = 0;
    int r = store_reader(store, &txn);

    if (r == 0)
        r = store_error(mdb_cursor_open(txn, store->names, &cursor));
    if (r < 0)
        return r;
    r = find_next(cursor, after, &row);
    mdb_cursor_close(cursor);
    if (r < 0)
        return r;
    if (row.mv_size != sizeof(id))
        return -EUCLEAN;
    memcpy(&id, row.mv_data, sizeof(id));
    r = store_open_bucket(store, id);
    if (r == 0)
        describe(store->bucket, ret_bucket);
    return r == -ENXIO ? -EUCLEAN : r;
}

int store_check_bucket(struct store *store, uint32_t id)
{
    return store_open_bucket(store, id);
}

int64_t store_bucket_ttl(struct store *store, uint32_t id)
{
    return store_open_bucket(store, id) == 0 ? store->bucket->row.settings.ttl : 0;
}

bool store_buckets_moved(struct store *store)
{
    bool moved = store->buckets_moved;

    store->buckets_moved = false;
    return moved;
}

/* ---- changes ---- */

static int write_row(struct store *store, uint32_t id, const struct bucket *bucket)
{
    MDB_val key = val_of_id(&id);
    MDB_val row = {.mv_data = (void *)(uintptr_t)bucket, .mv_size = sizeof(*bucket)};

    open_bucket_forget(store, id);
    return store_error(mdb_put(store->change, store->buckets, &key, &row, 0));
}

/* Adds a bucket whose row lacks nothing but a place. */
static int add_bucket(struct store *store, uint32_t id, struct bucket *bucket)
{
    const struct store_bucket_name name = {bucket->name, bucket->name_length};
    MDB_val name_val = val_of_name(&name);
    MDB_val id_val = val_of_id(&id);
    int r = counters_take_place(store, &bucket->place);

    if (r == 0)
        r = write_row(store, id, bucket);
    if (r == 0)
        r = store_error(mdb_put(store->change, store->names, &name_val, &id_val, 0));
    if (r == 0)
        r = ends_add_bucket(store, id, bucket->owner);
    store->totals.buckets++;
    return r;
}

int store_bucket_create(struct store *store, const struct store_bucket_name *name,
                        const struct bucket_settings *settings, uint32_t owner)
{
    struct bucket bucket = {
        .settings = *settings, .owner = owner, .name_length = (uint32_t)name->length};
    uint32_t id = 0;
    int r = store_bucket_find(store, name, &id);

    if (r != -ENOENT)
        return r < 0 ? r : -EEXIST;
    if (store->totals.buckets >= BUCKETS_MAX || store->totals.last_bucket >= BUCKET_ID_MAX)
        return -EUSERS;
    r = begin(store, false);
    if (r < 0)
        return r;
    memcpy(bucket.name, name->text, name->length);
    if (bucket.settings.policy == POLICY_LRU)
        uses_begin(store);
    return end(store, add_bucket(store, ++store->totals.last_bucket, &bucket));
}

int store_bucket_set(struct store *store, const struct store_bucket_name *name, unsigned which,
                     const struct bucket_settings *settings)
{
    struct bucket bucket;
    uint32_t id = 0;
    int r = open_by_name(store, name);

    if (r < 0)
        return r;
    id = store->bucket->id;
    bucket = store->bucket->row;
    if (which & BUCKET_SET_MAX_SIZE)
        bucket.settings.max_size = settings->max_size;
    if (which & BUCKET_SET_MAX_OBJECTS)
        bucket.settings.max_objects = settings->max_objects;
    if (which & BUCKET_SET_TTL)
        bucket.settings.ttl = settings->ttl;
    if (which & BUCKET_SET_POLICY)
        bucket.settings.policy = settings->policy;
    r = begin(store, true);
    if (r < 0)
        return r;
    if (bucket.settings.policy == POLICY_LRU)
        uses_begin(store);
    store->buckets_moving = true;
    r = open_buckets_write(store);
    return end(store, r < 0 ? r : write_row(store, id, &bucket));
}

static int note_drop(struct store *store, uint32_t id)
{
    const struct event event = {
        .version = store->totals.version + 1, .kind = EVENT_DROPPED, .bucket = id};

    return events_add(&store->events, &event, NULL);
}

int bucket_drop(struct store *store)
{
    const struct open_bucket bucket = *store->bucket;
    const struct store_bucket_name name = {bucket.row.name, bucket.row.name_length};
    MDB_val name_val = val_of_name(&name);
    uint32_t id = bucket.id;
    MDB_val id_val = val_of_id(&id);
    int r = begin(store, true);

    if (r < 0)
        return r;
    open_bucket_forget(store, id);
    r = store_error(mdb_del(store->change, store->names, &name_val, NULL));
    if (r == 0)
        r = store_error(mdb_del(store->change, store->buckets, &id_val, NULL));
    if (r == 0)
        r = ends_remove_bucket(store, id, bucket.row.owner);
    if (r == 0)
        r = counters_give_place(store, bucket.row.place);
    if (r == 0 && bucket.counters.objects > 0)
        r = dropped_add(store, id);
    store->totals.used -= bucket.counters.used;
    store->totals.objects -= bucket.counters.objects;
    store->totals.buckets--;
    store->buckets_moving = true;
    if (r == 0)
        r = note_drop(store, id);
    return end(store, r == -ENOENT ? -EUCLEAN : r);
}

int store_bucket_drop(struct store *store, const struct store_bucket_name *name)
{
    int r = open_by_name(store, name);

    if (r < 0)
        return r;
    if (store->bucket->id == DEFAULT_BUCKET)
        return -EPERM;
    r = bucket_drop(store);
    if (r == -ENOSPC && reserve_last_resort(store)) {
        r = open_by_name(store, name);
        if (r == 0)
            r = bucket_drop(store);
    }
    return r;
}

int store_bucket_keep(struct store *store, const struct store_bucket_name *name, uint32_t owner)
{
    struct bucket bucket;
    uint32_t id = 0;
    int r = open_by_name(store, name);

    if (r < 0)
        return r;
    id = store->bucket->id;
    bucket = store->bucket->row;
    if (owner == 0 || bucket.owner != owner)
        return -EPERM;
    r = begin(store, true);
    if (r < 0)
        return r;
    r = ends_remove_bucket(store, id, owner);
    bucket.owner = 0;
    if (r == 0)
        r = open_buckets_write(store);
    return end(store, r < 0 ? r : write_row(store, id, &bucket));
}

/* ---- a fresh store ---- */

struct kept_bucket {
    uint32_t id;
    struct bucket row;
};

int buckets_keep(struct store *store, struct kept_buckets *ret_kept)
{
    struct kept_buckets kept = {0};
    MDB_cursor *cursor = NULL;
    MDB_val key, row;
    MDB_txn *txn;
    int r = store_reader(store, &txn);

    if (r == 0)
        r = store_error(mdb_cursor_open(txn, store->buckets, &cursor));
    if (r < 0)
        return r;
    kept.buckets = calloc(store->totals.buckets, sizeof(*kept.buckets));
    r = kept.buckets ? 0 : -ENOMEM;
    while (r == 0 && (r = store_error(mdb_cursor_get(cursor, &key, &row, MDB_NEXT))) == 0) {
        struct kept_bucket *bucket = &kept.buckets[kept.count];

        if (kept.count++ == store->totals.buckets || key.mv_size != sizeof(bucket->id) ||
            row.mv_size != sizeof(bucket->row)) {
            r = -EUCLEAN;
            break;
        }
        memcpy(&bucket->id, key.mv_data, sizeof(bucket->id));
        memcpy(&bucket->row, row.mv_data, sizeof(bucket->row));
    }
    mdb_cursor_close(cursor);
    if (r != -ENOENT) {
        free(kept.buckets);
        return r;
    }
    *ret_kept = kept;
    return 0;
}

int buckets_make(struct store *store, const struct kept_buckets *kept)
{
    static const char name[] = "default";
    struct bucket bucket = {.settings = no_limits, .name_length = sizeof(name) - 1};
    int r = 0;

    store->totals.buckets = 0;
    for (size_t i = 0; r == 0 && i < kept->count; i++)
        r = add_bucket(store, kept->buckets[i].id, &kept->buckets[i].row);
    if (kept->count > 0)
        return r;
    memcpy(bucket.name, name, bucket.name_length);
    store->totals.last_bucket = DEFAULT_BUCKET;
    return add_bucket(store, DEFAULT_BUCKET, &bucket);
}
