/*
 * Spares: large blobs whose bytes nobody needs any more, kept for the next values of about their
 * size. Freed, their pages would go to LMDB's list of free pages, which is searched for pages that
 * lie together, and written anew by every commit for as long as it is long: with a few large values
 * coming and going, small puts pay for thousands of pages. A spare is taken and given back by one
 * row of the garbage table; its pages stay where they are, and warm.
 */
#include "store_private.h"

#include <errno.h>
#include <string.h>

/* In the place of the transaction in a row's key: a spare, and its bytes. Behind all garbage. */
#define SPARE_BIT (UINT64_C(1) << 63)

/* Part of the memory that spares may take. */
#define SPARES_PART 8

/* Freed in one call. */
#define SHARE 64

static MDB_val spare_row(struct garbage_key *row, uint64_t size, uint64_t blob)
{
    *row = (struct garbage_key){.txn = __builtin_bswap64(SPARE_BIT | size),
                                .blob = __builtin_bswap64(blob)};
    return (MDB_val){.mv_data = row, .mv_size = sizeof(*row)};
}

bool garbage_is_spare(const struct garbage_key *row)
{
    return __builtin_bswap64(row->txn) & SPARE_BIT;
}

uint64_t spare_size_for(uint64_t size)
{
    uint64_t step = 4096;

    if (size < SPARE_MIN)
        return size;
    while (step * 32 <= size)
        step *= 2;
    return (size + step - 1) / step * step;
}

bool spares_have_room(const struct store *store, uint64_t size)
{
    uint64_t most = store->limits.max_memory / SPARES_PART;

    return size >= SPARE_MIN && store->totals.spare_bytes <= most &&
           size <= most - store->totals.spare_bytes;
}

int spares_add(struct store *store, uint64_t blob, uint64_t size)
{
    struct garbage_key row;
    MDB_val key = spare_row(&row, size, blob);
    MDB_val data = {.mv_data = &size, .mv_size = sizeof(size)};
    int r = store_error(mdb_put(store->change, store->garbage, &key, &data, 0));

    if (r == 0)
        store->totals.spare_bytes += size;
    return r;
}

/* The first spare from a size on. Returns 1 and its row, or 0. */
static int spares_first(struct store *store, uint64_t size, struct garbage_key *ret_row)
{
    MDB_val key = spare_row(ret_row, size, 0);
    MDB_cursor *cursor = NULL;
    MDB_val data;
    MDB_txn *txn;
    int r = store_reader(store, &txn);

    if (r == 0)
        r = store_error(mdb_cursor_open(txn, store->garbage, &cursor));
    if (r < 0)
        return r;
    r = store_error(mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE));
    if (r == 0 && key.mv_size != sizeof(*ret_row))
        r = -EUCLEAN;
    if (r == 0)
        memcpy(ret_row, key.mv_data, sizeof(*ret_row));
    mdb_cursor_close(cursor);
    return r == 0 ? 1 : r == -ENOENT ? 0 : r;
}

int spares_find(struct store *store, uint64_t size, struct garbage_key *ret_row)
{
    int r;

    if (size < SPARE_MIN || store->totals.spare_bytes < size)
        return 0;
    r = spares_first(store, size, ret_row);
    /* One that is much larger would be a waste. */
    return r == 1 && (__builtin_bswap64(ret_row->txn) & ~SPARE_BIT) > size + size / 4 ? 0 : r;
}

int spares_take(struct store *store, const struct garbage_key *row, uint64_t *ret_blob)
{
    struct garbage_key copy = *row;
    MDB_val key = {.mv_data = &copy, .mv_size = sizeof(copy)};
    int r = store_error(mdb_del(store->change, store->garbage, &key, NULL));

    if (r < 0)
        return r == -ENOENT ? -EUCLEAN : r;
    store->totals.spare_bytes -= __builtin_bswap64(row->txn) & ~SPARE_BIT;
    *ret_blob = __builtin_bswap64(row->blob);
    return 0;
}

int store_free_spares(struct store *store)
{
    const struct claim claim = {.rows = SHARE, .blobs = true, .frees = true};
    struct garbage_key row;
    uint64_t blob;
    int freed = 0;
    int r;

    if (store->totals.spare_bytes == 0)
        return 0;
    r = store_begin(store, &claim);
    if (r < 0)
        return r;
    for (; r == 0 && freed < SHARE && store->totals.spare_bytes > 0; freed++) {
        r = spares_first(store, 0, &row);
        if (r == 1)
            r = spares_take(store, &row, &blob);
        else if (r == 0)
            r = -EUCLEAN; /* they are counted, and not there */
        if (r == 0)
            r = blob_free(store, blob);
    }
    return r < 0 ? store_drop(store, r) : freed;
}
