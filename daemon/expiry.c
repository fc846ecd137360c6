/*
 * Expiry: objects whose lifetime is over. Nobody sees them from then on, whoever looks checks the
 * time in their record (record_is_over); what is left is to give back their memory. For that each
 * object with a lifetime has a row in an index by time, which goes and comes with the object's own.
 *
 * The index only says where to look. An object is taken away if its record says that its time is
 * over; a row that leads to none, or to another, is dropped.
 */
#include "store_private.h"

#include "boottime.h"

#include <errno.h>
#include <string.h>

/* Objects that one call takes away at most, the bytes of their values, and about how long it may
 * take, microseconds. */
#define SHARE 256
#define SHARE_BYTES (4U << 20)
#define SHARE_TIME 1000

/*
 * A row's key: the time, big-endian, and the key of the object's row. LMDB's keys have 511 bytes at
 * most, so there are seven for the time: it is in units of 256 microseconds, rounded up.
 */
#define UNIT_BITS 8
#define TIME_BYTES 7

struct expiry_key {
    uint8_t bytes[TIME_BYTES + sizeof(((struct row_key *)NULL)->bytes)];
    MDB_val val; /* those bytes; the struct must not be copied */
};
static_assert(sizeof(((struct expiry_key *)NULL)->bytes) <= 511, "LMDB's limit");

static uint64_t unit_of(int64_t expires)
{
    return ((uint64_t)expires >> UNIT_BITS) + 1;
}

/* The time from which on the row's object is due. */
static int64_t due_of(uint64_t unit)
{
    return (int64_t)(unit << UNIT_BITS);
}

static void expiry_key_init(struct expiry_key *key, const struct row_key *row, int64_t expires)
{
    uint64_t time = __builtin_bswap64(unit_of(expires) << (64 - 8 * TIME_BYTES));

    memcpy(key->bytes, &time, TIME_BYTES);
    memcpy(key->bytes + TIME_BYTES, row->bytes, row->val.mv_size);
    key->val = (MDB_val){.mv_data = key->bytes, .mv_size = TIME_BYTES + row->val.mv_size};
}

static uint64_t unit_in(const struct expiry_key *key)
{
    uint64_t time = 0;

    memcpy(&time, key->bytes, TIME_BYTES);
    return __builtin_bswap64(time) >> (64 - 8 * TIME_BYTES);
}

/* ---- the index ---- */

static int add_row(struct store *store, const struct row_key *row, int64_t expires)
{
    struct expiry_key key;
    MDB_val none = {0};
    int64_t due = due_of(unit_of(expires));

    expiry_key_init(&key, row, expires);
    if (due < store->next_expiry)
        store->next_expiry = due;
    return store_error(mdb_put(store->change, store->expiries, &key.val, &none, 0));
}

static int remove_row(struct store *store, struct expiry_key *key)
{
    int r = store_error(mdb_del(store->change, store->expiries, &key->val, NULL));

    return r == -ENOENT ? 0 : r;
}

int expiry_change(struct store *store, const struct row_key *row, int64_t old, int64_t expires)
{
    struct expiry_key key;
    int r = 0;

    if (old == expires)
        return 0;
    if (old) {
        expiry_key_init(&key, row, old);
        r = remove_row(store, &key);
    }
    return r == 0 && expires ? add_row(store, row, expires) : r;
}

uint64_t expiry_rows(int64_t old, int64_t expires)
{
    return old == expires ? 0 : (old ? 2 : 0) + (expires ? 1 : 0);
}

int64_t expiry_of(int64_t ttl)
{
    return ttl > 0 ? boottime_now() + ttl * 1000 : 0;
}

/* ---- collecting ---- */

/* The first row. Returns 1, or 0 if there is none. */
static int first_row(struct store *store, struct expiry_key *ret_key)
{
    MDB_cursor *cursor;
    MDB_val key, data;
    MDB_txn *txn;
    int r = store_reader(store, &txn);

    if (r == 0)
        r = store_error(mdb_cursor_open(txn, store->expiries, &cursor));
    if (r < 0)
        return r;
    r = store_error(mdb_cursor_get(cursor, &key, &data, MDB_FIRST));
    if (r == 0 &&
        (key.mv_size < TIME_BYTES + sizeof(uint32_t) || key.mv_size > sizeof(ret_key->bytes)))
        r = -EUCLEAN;
    if (r == 0) {
        memcpy(ret_key->bytes, key.mv_data, key.mv_size);
        ret_key->val = (MDB_val){.mv_data = ret_key->bytes, .mv_size = key.mv_size};
    }
    mdb_cursor_close(cursor);
    return r == 0 ? 1 : r == -ENOENT ? 0 : r;
}

/* The object that a row of the index leads to. */
static void key_of(const struct expiry_key *key, struct store_key *ret_key)
{
    const uint8_t *row = key->bytes + TIME_BYTES;
    uint32_t bucket;

    memcpy(&bucket, row, sizeof(bucket));
    *ret_key = (struct store_key){.bucket = ROW_BUCKET(0) ^ __builtin_bswap32(bucket),
                                  .data = row + sizeof(bucket),
                                  .length = key->val.mv_size - TIME_BYTES - sizeof(bucket)};
}

/* A row that leads nowhere. */
static int drop_row(struct store *store, struct expiry_key *key)
{
    int r = store_begin(store, &(struct claim){.expiries = 2, .frees = true});

    if (r == 0)
        r = remove_row(store, key);
    return r < 0 && store->change ? store_drop(store, r) : r;
}

/* Takes away what a row leads to. Adds to *bytes what its value had. */
static int take_away(struct store *store, struct expiry_key *key, uint64_t *bytes)
{
    struct store_key object;
    struct record record;
    struct row_key row;
    int r;

    key_of(key, &object);
    r = store_open_bucket(store, object.bucket);
    if (r == -ENXIO)
        return drop_row(store, key);
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
    if (record.expires == 0 || unit_of(record.expires) != unit_in(key))
        return drop_row(store, key);
    *bytes += record.size;
    return row_remove(store, &row, &record);
}

/* Takes away the first, if it is due. Returns 1, or 0 if none is. */
static int take_first(struct store *store, int64_t now, uint64_t *bytes)
{
    struct expiry_key key;
    int r = first_row(store, &key);

    if (r < 0)
        return r;
    store->next_expiry = r == 0 ? INT64_MAX : due_of(unit_in(&key));
    if (store->next_expiry > now)
        return 0;
    r = take_away(store, &key, bytes);
    if (r == -ENOSPC && reserve_last_resort(store))
        r = take_away(store, &key, bytes);
    return r < 0 ? r : 1;
}

int store_expire(struct store *store)
{
    int64_t start = boottime_now();
    int64_t now = start;
    uint64_t bytes = 0;
    int count = 0;
    int r = 1;

    if (store->next_expiry > start)
        return 0;
    while (count < SHARE && bytes < SHARE_BYTES && now < start + SHARE_TIME) {
        r = take_first(store, now, &bytes);
        if (r <= 0)
            break;
        count++;
        now = boottime_now();
    }
    /* What a commit is needed for first comes in the next call. */
    return r < 0 && (count == 0 || store->failed) ? r : count;
}

int64_t store_next_expiry(const struct store *store)
{
    return store->next_expiry;
}
