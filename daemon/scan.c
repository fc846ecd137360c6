/* Scans: an LMDB read transaction and a cursor in the objects table. */
#include "store_private.h"

#include "boottime.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct store_scan {
    struct store *store;
    MDB_txn *txn;
    MDB_cursor *cursor;
    int64_t time; /* when it was opened */
    bool started;
    bool has_after;
    struct row_key prefix;
    struct row_key after;
};

int store_scan_init(struct store *store)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < SCANS_READY; i++) {
        r = store_error(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &store->scans_ready[i]));
        if (r == 0)
            mdb_txn_reset(store->scans_ready[i]);
    }
    return r;
}

void store_scan_finish(struct store *store)
{
    for (size_t i = 0; i < SCANS_READY; i++) {
        if (store->scans_ready[i])
            mdb_txn_abort(store->scans_ready[i]);
    }
}

static int scan_begin(struct store *store, MDB_txn **ret_txn)
{
    for (size_t i = 0; i < SCANS_READY; i++) {
        if (store->scans_ready[i]) {
            *ret_txn = store->scans_ready[i];
            store->scans_ready[i] = NULL;
            return store_error(mdb_txn_renew(*ret_txn));
        }
    }
    return store_error(mdb_txn_begin(store->env, NULL, MDB_RDONLY, ret_txn));
}

static void scan_end(struct store *store, MDB_txn *txn)
{
    mdb_txn_reset(txn);
    for (size_t i = 0; i < SCANS_READY; i++) {
        if (!store->scans_ready[i]) {
            store->scans_ready[i] = txn;
            return;
        }
    }
    mdb_txn_abort(txn);
}

int store_scan_open(struct store *store, const struct store_key *prefix,
                    const struct store_key *after, struct store_scan **ret_scan)
{
    struct store_scan *scan;
    int r = store_open_bucket(store, prefix->bucket);

    if (r < 0)
        return r;
    scan = calloc(1, sizeof(*scan));
    if (!scan)
        return -ENOMEM;
    scan->store = store;
    scan->time = boottime_now();
    row_key_init(&scan->prefix, prefix);
    if (after)
        row_key_init(&scan->after, after);
    r = scan_begin(store, &scan->txn);
    if (r < 0)
        goto fail;
    r = store_error(mdb_cursor_open(scan->txn, store->objects, &scan->cursor));
    if (r < 0)
        goto fail_txn;
    /* An `after` in front of the whole prefix takes nothing away. */
    scan->has_after =
        after && mdb_cmp(scan->txn, store->objects, &scan->after.val, &scan->prefix.val) >= 0;
    store->scans++;
    *ret_scan = scan;
    return 0;

fail_txn:
    scan_end(store, scan->txn);
fail:
    free(scan);
    return r;
}

/* Moves to the first row: the first one of the prefix, or the first one behind `after`. */
static int scan_first(struct store_scan *scan, MDB_val *key, MDB_val *data)
{
    const MDB_val *start = scan->has_after ? &scan->after.val : &scan->prefix.val;
    int r;

    *key = *start;
    r = mdb_cursor_get(scan->cursor, key, data, MDB_SET_RANGE);
    if (r == 0 && scan->has_after &&
        mdb_cmp(scan->txn, scan->store->objects, key, &scan->after.val) == 0)
        r = mdb_cursor_get(scan->cursor, key, data, MDB_NEXT);
    return r;
}

int store_scan_next(struct store_scan *scan, const uint8_t **ret_key, size_t *ret_length,
                    struct record *ret_record)
{
    MDB_val key, data;
    int r;

    if (scan->started)
        r = store_error(mdb_cursor_get(scan->cursor, &key, &data, MDB_NEXT));
    else
        r = store_error(scan_first(scan, &key, &data));
    scan->started = true;
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    if (key.mv_size < scan->prefix.val.mv_size ||
        memcmp(key.mv_data, scan->prefix.bytes, scan->prefix.val.mv_size) != 0)
        return 0;
    r = record_read(data.mv_data, data.mv_size, ret_record);
    if (r < 0)
        return r;
    *ret_key = (const uint8_t *)key.mv_data + sizeof(uint32_t);
    *ret_length = key.mv_size - sizeof(uint32_t);
    return record_is_over(ret_record, scan->time) ? 2 : 1;
}

void store_scan_close(struct store_scan *scan)
{
    if (!scan)
        return;
    mdb_cursor_close(scan->cursor);
    scan_end(scan->store, scan->txn);
    scan->store->scans--;
    free(scan);
}

size_t store_scans(const struct store *store)
{
    return store->scans;
}
