/*
 * The index of ends: which objects and buckets end by themselves, and when. Each of them has a row
 * in it, which goes and comes with its own, for the time of its end (expiry.c), and one for the
 * client that it ends with (owners.c).
 *
 * The index only says where to look. What it leads to is taken away if its own row says the same; a
 * row that leads to none, or to another, is dropped.
 */
#include "store_private.h"

#include "boottime.h"

#include <errno.h>
#include <string.h>

/* Objects that one call takes away at most, the bytes of their values, and about how long it may
 * take, microseconds. */
#define SHARE 128
#define SHARE_BYTES (4U << 20)
#define SHARE_TIME 1000

/* A row's key: the end, big-endian, and the key of the object's row, or, for a bucket, its id as it
 * stands at the front of such a key, without the bit of the rows (ROW_BUCKET). LMDB's keys have 511
 * bytes at most, so there are seven for the end. */
static_assert(sizeof(((struct end_key *)NULL)->bytes) <= 511, "LMDB's limit");

void end_key_init(struct end_key *key, uint64_t end, const struct row_key *row)
{
    uint64_t bytes = __builtin_bswap64(end << (64 - 8 * END_BYTES));

    memcpy(key->bytes, &bytes, END_BYTES);
    memcpy(key->bytes + END_BYTES, row->bytes, row->val.mv_size);
    key->val = (MDB_val){.mv_data = key->bytes, .mv_size = END_BYTES + row->val.mv_size};
}

uint64_t end_of(const struct end_key *key)
{
    uint64_t end = 0;

    memcpy(&end, key->bytes, END_BYTES);
    return __builtin_bswap64(end) >> (64 - 8 * END_BYTES);
}

int end_first(struct store *store, uint64_t from, struct end_key *ret_key)
{
    uint64_t first = __builtin_bswap64(from << (64 - 8 * END_BYTES));
    MDB_val key = {.mv_data = &first, .mv_size = END_BYTES};
    MDB_cursor *cursor = NULL;
    MDB_val data;
    MDB_txn *txn;
    int r = store_reader(store, &txn);

    if (r == 0)
        r = store_error(mdb_cursor_open(txn, store->ends, &cursor));
    if (r < 0)
        return r;
    r = store_error(mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE));
    if (r == 0 &&
        (key.mv_size < END_BYTES + sizeof(uint32_t) || key.mv_size > sizeof(ret_key->bytes)))
        r = -EUCLEAN;
    if (r == 0) {
        memcpy(ret_key->bytes, key.mv_data, key.mv_size);
        ret_key->val = (MDB_val){.mv_data = ret_key->bytes, .mv_size = key.mv_size};
    }
    mdb_cursor_close(cursor);
    return r == 0 ? 1 : r == -ENOENT ? 0 : r;
}

/* ---- following the objects ---- */

#define ENDS_MAX 2

/* The ends of an object; returns how many. Without one, or without an object: 0. */
static size_t ends_of(const struct record *record, uint64_t ends[ENDS_MAX])
{
    size_t count = 0;

    if (record->expires)
        ends[count++] = end_of_time(record->expires);
    if (record->owner)
        ends[count++] = end_of_owner(record->owner);
    return count;
}

static bool ends_at(const struct record *record, uint64_t end)
{
    return (record->expires && end_of_time(record->expires) == end) ||
           (record->owner && end_of_owner(record->owner) == end);
}

static int remove_row(struct store *store, struct end_key *key)
{
    int r = store_error(mdb_del(store->change, store->ends, &key->val, NULL));

    return r == -ENOENT ? 0 : r;
}

static int add_row(struct store *store, struct end_key *key)
{
    MDB_val none = {0};

    expiry_note(store, end_of(key));
    return store_error(mdb_put(store->change, store->ends, &key->val, &none, 0));
}

int ends_change(struct store *store, const struct row_key *row, const struct record *old,
                const struct record *record)
{
    uint64_t ends[ENDS_MAX];
    struct end_key key;
    size_t count = ends_of(old, ends);
    int r = 0;

    for (size_t i = 0; r == 0 && i < count; i++) {
        end_key_init(&key, ends[i], row);
        if (!ends_at(record, ends[i]))
            r = remove_row(store, &key);
    }
    count = ends_of(record, ends);
    for (size_t i = 0; r == 0 && i < count; i++) {
        end_key_init(&key, ends[i], row);
        if (!ends_at(old, ends[i]))
            r = add_row(store, &key);
    }
    return r;
}

/* A bucket ends with an owner, or does no longer. */
static int change_bucket(struct store *store, uint32_t bucket, uint32_t owner, bool ends)
{
    uint32_t id = __builtin_bswap32(bucket);
    struct row_key row;
    struct end_key key;

    if (owner == 0)
        return 0;
    memcpy(row.bytes, &id, sizeof(id));
    row.val = (MDB_val){.mv_data = row.bytes, .mv_size = sizeof(id)};
    end_key_init(&key, end_of_owner(owner), &row);
    return ends ? add_row(store, &key) : remove_row(store, &key);
}

int ends_add_bucket(struct store *store, uint32_t bucket, uint32_t owner)
{
    return change_bucket(store, bucket, owner, true);
}

int ends_remove_bucket(struct store *store, uint32_t bucket, uint32_t owner)
{
    return change_bucket(store, bucket, owner, false);
}

uint64_t ends_rows(const struct record *old, const struct record *record)
{
    uint64_t ends[ENDS_MAX];

    return 2 * ends_of(old, ends) + ends_of(record, ends);
}

/* ---- taking away ---- */

bool end_is_of_bucket(const uint8_t *key)
{
    return !(key[END_BYTES] & 0x80);
}

/* The object that a row of the index leads to, or the bucket, without a key. */
static void key_of(const struct end_key *key, struct store_key *ret_key)
{
    const uint8_t *row = key->bytes + END_BYTES;
    uint32_t bucket;

    memcpy(&bucket, row, sizeof(bucket));
    *ret_key = (struct store_key){.bucket = __builtin_bswap32(bucket) & ~ROW_BUCKET(0),
                                  .data = row + sizeof(bucket),
                                  .length = key->val.mv_size - END_BYTES - sizeof(bucket)};
}

/* A row that leads nowhere. */
static int drop_row(struct store *store, struct end_key *key)
{
    int r = store_begin(store, &(struct claim){.ends = 2, .frees = true});

    if (r < 0)
        return r;
    r = remove_row(store, key);
    return r < 0 ? store_drop(store, r) : 0;
}

/* The bucket is the one at hand. */
static int take_bucket_away(struct store *store, struct end_key *key)
{
    if (end_of_owner(store->bucket->row.owner) != end_of(key))
        return drop_row(store, key);
    return bucket_drop(store);
}

static int take_away(struct store *store, struct end_key *key, uint64_t *bytes)
{
    struct store_key object;
    struct record record;
    struct row_key row;
    int r;

    key_of(key, &object);
    r = store_open_bucket(store, object.bucket);
    if (r == -ENXIO)
        return drop_row(store, key);
    if (r == 0 && end_is_of_bucket(key->bytes))
        return take_bucket_away(store, key);
    if (r == 0)
        r = store_prepare(store);
    if (r < 0)
        return r;
    row_key_init(&row, &object);
    r = row_find(store, &row, &record);
    if (r == -ENOENT)
        return drop_row(store, key);
    if (r < 0)
        return r;
    if (!ends_at(&record, end_of(key)))
        return drop_row(store, key);
    *bytes += record.size;
    return row_remove(store, &row, &record,
                      end_of(key) < ENDS_OF_OWNERS ? EVENT_EXPIRE : EVENT_DELETE);
}

int end_take_away(struct store *store, struct end_key *key, uint64_t *bytes)
{
    int r = take_away(store, key, bytes);

    return r == -ENOSPC && reserve_last_resort(store) ? take_away(store, key, bytes) : r;
}

int ends_take_share(struct store *store, ends_take_first *take_first, uint64_t which)
{
    int64_t until = boottime_now() + SHARE_TIME;
    uint64_t bytes = 0;
    int count = 0;
    int r;

    /* One at least, however late it is: none means that there is none. */
    do {
        r = take_first(store, which, &bytes);
        if (r > 0)
            count++;
    } while (r > 0 && count < SHARE && bytes < SHARE_BYTES && boottime_now() < until);
    /* What a commit is needed for first comes in the next call. */
    return r < 0 && (count == 0 || store->failed) ? r : count;
}
