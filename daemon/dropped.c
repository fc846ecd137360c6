/*
 * Dropped buckets: what rows their objects have left. Nobody sees these rows, as whoever looks for
 * an object looks for its bucket first, and nothing counts them. They go a share at a time, in
 * transactions between those of others; a row in a table of its own tells a daemon that starts
 * where the last one was.
 */
#include "store_private.h"

#include "boottime.h"

#include <errno.h>
#include <string.h>

/* Rows that one call removes at most, bytes of their values, and about how long it may take,
 * microseconds. */
#define SHARE 256
#define SHARE_BYTES (16U << 20)
#define SHARE_TIME 1000

int dropped_add(struct store *store, uint32_t id)
{
    MDB_val key = {.mv_data = &id, .mv_size = sizeof(id)};
    MDB_val none = {0};

    store->totals.dropped++;
    return store_error(mdb_put(store->change, store->dropped, &key, &none, 0));
}

bool store_has_dropped(const struct store *store)
{
    return store->totals.dropped > 0;
}

/* The bucket to go on with. */
static int first_dropped(struct store *store, uint32_t *ret_id)
{
    MDB_cursor *cursor = NULL;
    MDB_val key, data;
    MDB_txn *txn;
    int r = store_reader(store, &txn);

    if (r == 0)
        r = store_error(mdb_cursor_open(txn, store->dropped, &cursor));
    if (r < 0)
        return r;
    r = store_error(mdb_cursor_get(cursor, &key, &data, MDB_FIRST));
    if (r == 0 && key.mv_size != sizeof(*ret_id))
        r = -EUCLEAN;
    if (r == 0)
        memcpy(ret_id, key.mv_data, sizeof(*ret_id));
    mdb_cursor_close(cursor);
    return r == -ENOENT ? -EUCLEAN : r;
}

/* What it takes to remove so many rows that stand side by side: each may have a page of its own;
 * what leads to blobs and ends may be anywhere in its table. */
static int claim_for(struct store *store, uint64_t rows, struct claim *ret_claim)
{
    const MDB_dbi tables[] = {store->objects, store->blobs, store->refs, store->garbage,
                              store->ends};
    MDB_stat stat;
    MDB_txn *txn;
    int r = store_reader(store, &txn);

    *ret_claim = (struct claim){.blobs = true, .frees = true};
    for (size_t i = 0; r == 0 && i < sizeof(tables) / sizeof(tables[0]); i++) {
        r = store_error(mdb_stat(txn, tables[i], &stat));
        if (r == 0) {
            uint64_t all = stat.ms_branch_pages + stat.ms_leaf_pages;
            uint64_t ways =
                tables[i] == store->objects ? rows + 4 * stat.ms_depth : rows * 2 * stat.ms_depth;

            ret_claim->pages += ways < all ? ways : all;
        }
    }
    return r;
}

/* Removes the first row of the bucket. Returns 1, or 0 if there is none. */
static int remove_row(struct store *store, uint32_t id, uint64_t *bytes)
{
    struct row_key row;
    struct record record;
    MDB_val key, data;
    int r = row_cursor(store);

    if (r < 0)
        return r;
    row_key_init(&row, &(struct store_key){.bucket = id});
    key = row.val;
    r = store_error(mdb_cursor_get(store->cursor, &key, &data, MDB_SET_RANGE));
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    if (key.mv_size < row.val.mv_size || memcmp(key.mv_data, row.bytes, row.val.mv_size) != 0)
        return 0;
    if (key.mv_size > sizeof(row.bytes))
        return -EUCLEAN;
    memcpy(row.bytes, key.mv_data, key.mv_size);
    row.val.mv_size = key.mv_size;
    r = record_read(data.mv_data, data.mv_size, &record);
    if (r == 0)
        r = blob_unref(store, &record);
    if (r == 0)
        r = store_error(mdb_cursor_del(store->cursor, 0));
    if (r == 0)
        r = ends_change(store, &row, &record, &(struct record){0});
    *bytes += record.size;
    return r < 0 ? r : 1;
}

/* Removes rows of the bucket; after the last one the bucket is no more. Returns how many. */
static int remove_rows(struct store *store, uint32_t id, int share)
{
    const int64_t end = boottime_now() + SHARE_TIME;
    MDB_val key = {.mv_data = &id, .mv_size = sizeof(id)};
    uint64_t bytes = 0;
    int r = 1;

    for (int count = 0; r > 0; count++) {
        if (count == share || bytes >= SHARE_BYTES || (count % 16 == 15 && boottime_now() > end))
            return count;
        r = remove_row(store, id, &bytes);
    }
    if (r == 0)
        r = store_error(mdb_del(store->change, store->dropped, &key, NULL));
    store->totals.dropped--;
    return r < 0 ? r : 1;
}

static int clear(struct store *store, int share)
{
    struct claim claim;
    uint32_t id = 0;
    int r = first_dropped(store, &id);

    if (r == 0)
        r = claim_for(store, (uint64_t)share, &claim);
    if (r == 0)
        r = store_begin(store, &claim);
    if (r < 0)
        return r;
    r = remove_rows(store, id, share);
    return r < 0 ? store_drop(store, r) : r;
}

int store_clear_dropped(struct store *store)
{
    int r;

    if (store->totals.dropped == 0)
        return 0;
    r = clear(store, SHARE);
    /* Where memory is short a few rows may still go, one by one in the end. */
    for (int share = SHARE / 4; r == -ENOSPC && share > 0; share /= 4) {
        reserve_last_resort(store);
        r = clear(store, share);
    }
    return r;
}
