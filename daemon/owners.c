/* Owners: what an object belongs to, ends with it. Owners are numbers here; who they are is the
 * caller's matter. */
#include "store_private.h"

#include <errno.h>
#include <string.h>

/* Takes away the first object of an owner. Returns 1, or 0 if there is none. */
static int take_first(struct store *store, uint64_t owner, uint64_t *bytes)
{
    const uint64_t end = end_of_owner((uint32_t)owner);
    struct end_key key;
    int r = end_first(store, end, &key);

    if (r <= 0)
        return r;
    if (end_of(&key) != end)
        return 0;
    r = end_take_away(store, &key, bytes);
    return r < 0 ? r : 1;
}

int store_bury(struct store *store, uint32_t owner)
{
    return ends_take_share(store, take_first, owner);
}

int store_next_owner(struct store *store, uint32_t from, uint32_t *ret_owner)
{
    struct end_key key;
    int r = end_first(store, end_of_owner(from), &key);

    if (r == 1)
        *ret_owner = (uint32_t)(end_of(&key) - ENDS_OF_OWNERS);
    return r;
}

int64_t store_count_owned(struct store *store, uint32_t owner, int64_t most)
{
    int64_t count = 0;
    MDB_cursor *cursor = NULL;
    struct end_key key;
    MDB_val row, none;
    MDB_txn *txn;
    int r = end_first(store, end_of_owner(owner), &key);

    if (r <= 0 || end_of(&key) != end_of_owner(owner))
        return r < 0 ? r : 0;
    r = store_reader(store, &txn);
    if (r == 0)
        r = store_error(mdb_cursor_open(txn, store->ends, &cursor));
    if (r < 0)
        return r;
    row = key.val;
    r = store_error(mdb_cursor_get(cursor, &row, &none, MDB_SET));
    while (r == 0 && count < most && memcmp(row.mv_data, key.bytes, END_BYTES) == 0) {
        count += end_is_of_bucket(row.mv_data) ? EPHEMERAL_BUCKET : 1;
        r = store_error(mdb_cursor_get(cursor, &row, &none, MDB_NEXT));
    }
    mdb_cursor_close(cursor);
    return r < 0 && r != -ENOENT ? r : count;
}
