/*
 * The counters: what the store and each bucket hold, exact at every commit. Nearly each transaction
 * changes them. As ordinary rows they would cost it a copied page each, and the pages above; so
 * they are written in place. Their rows fill a page of their own, which LMDB leaves where it is as
 * long as the row stays, and the row is never changed: only the page's bytes are.
 *
 * Each counter has two copies, with the number of the transaction that wrote them. A transaction
 * writes over the older one, and the newer one holds. If the transaction is dropped, or the
 * process dies before its commit, what it wrote must not be taken for that of the next one, which
 * gets the same number: counters_forget.
 */
#include "store_private.h"

#include <errno.h>
#include <string.h>

/* Numbers of the rows. */
#define TOTALS_ROW 0
#define FIRST_BUCKETS_ROW 1

/* Buckets have places in the rows behind, in the order in which they come. The place of one that is
 * dropped is used again: the free ones are a chain, whose next is in `used`. */
#define BUCKETS_IN_ROW 64

struct totals_copy {
    uint64_t txn; /* first */
    struct totals totals;
};

struct bucket_copy {
    uint64_t txn; /* first */
    struct bucket_counters counters;
};
static_assert(BUCKETS_IN_ROW * 2 * sizeof(struct bucket_copy) <= 4000, "fits the smallest page");

/* With LMDB's head of a page, more than half of one: such a row shares its page with no other. */
static size_t row_size(const struct store *store)
{
    return store->page_size - 64;
}

/* Of the copies of a counter, the newer one. */
static int newer(uint64_t first, uint64_t second)
{
    return second > first;
}

/* And the one that the running transaction writes. */
static int to_write(const struct store *store, uint64_t first, uint64_t second)
{
    int last = newer(first, second);

    return (last == 0 ? first : second) == mdb_txn_id(store->change) ? last : !last;
}

/* ---- rows ---- */

static int make_row(struct store *store, uint32_t number)
{
    MDB_val key = {.mv_data = &number, .mv_size = sizeof(number)};
    MDB_val row = {.mv_size = row_size(store)};
    int r = store_error(mdb_put(store->change, store->counters, &key, &row, MDB_RESERVE));

    if (r == 0)
        memset(row.mv_data, 0, row.mv_size);
    return r;
}

static int find_row(struct store *store, MDB_txn *txn, uint32_t number, void **ret_row)
{
    MDB_val key = {.mv_data = &number, .mv_size = sizeof(number)};
    MDB_val row;
    int r = store_error(mdb_get(txn, store->counters, &key, &row));

    if (r < 0)
        return r == -ENOENT ? -EUCLEAN : r;
    if (row.mv_size != row_size(store))
        return -EUCLEAN;
    *ret_row = row.mv_data;
    return 0;
}

/* The copies of the totals; their place is kept. */
static int find_totals(struct store *store, MDB_txn *txn, struct totals_copy **ret_copies)
{
    struct counters_places *places = &store->places;
    int r = places->totals ? 0 : find_row(store, txn, TOTALS_ROW, &places->totals);

    if (r == 0)
        *ret_copies = places->totals;
    return r;
}

/* The copies of a bucket's counters. */
static int find_bucket(struct store *store, MDB_txn *txn, uint32_t place,
                       struct bucket_copy **ret_copies)
{
    struct counters_places *places = &store->places;
    uint32_t number = FIRST_BUCKETS_ROW + place / BUCKETS_IN_ROW;
    int r = 0;

    if (!places->buckets || places->buckets_row != number)
        r = find_row(store, txn, number, &places->buckets);
    if (r < 0)
        return r;
    places->buckets_row = number;
    *ret_copies = (struct bucket_copy *)places->buckets + (size_t)2 * (place % BUCKETS_IN_ROW);
    return 0;
}

int counters_make(struct store *store)
{
    store->totals.places = store->totals.free_place = 0;
    return make_row(store, TOTALS_ROW);
}

/* ---- reading and writing ---- */

int counters_read_totals(struct store *store, MDB_txn *txn)
{
    struct totals_copy *copies;
    int r = find_totals(store, txn, &copies);

    if (r == 0)
        store->totals = copies[newer(copies[0].txn, copies[1].txn)].totals;
    return r;
}

int counters_read_bucket(struct store *store, MDB_txn *txn, uint32_t place,
                         struct bucket_counters *ret_counters)
{
    struct bucket_copy *copies;
    int r = find_bucket(store, txn, place, &copies);

    if (r == 0)
        *ret_counters = copies[newer(copies[0].txn, copies[1].txn)].counters;
    return r;
}

int counters_write_totals(struct store *store)
{
    struct totals_copy *copies;
    int r = find_totals(store, store->change, &copies);

    store->counted = true;
    if (r == 0)
        copies[to_write(store, copies[0].txn, copies[1].txn)] =
            (struct totals_copy){.txn = mdb_txn_id(store->change), .totals = store->totals};
    return r;
}

int counters_write_bucket(struct store *store, uint32_t place,
                          const struct bucket_counters *counters)
{
    struct counters_places *places = &store->places;
    struct bucket_copy *copies;
    int r = find_bucket(store, store->change, place, &copies);

    store->counted = true;
    if (r < 0)
        return r;
    copies[to_write(store, copies[0].txn, copies[1].txn)] =
        (struct bucket_copy){.txn = mdb_txn_id(store->change), .counters = *counters};
    if (places->first_written == 0 || places->buckets_row < places->first_written)
        places->first_written = places->buckets_row;
    if (places->buckets_row > places->last_written)
        places->last_written = places->buckets_row;
    return 0;
}

/* ---- places ---- */

int counters_take_place(struct store *store, uint32_t *ret_place)
{
    struct bucket_counters counters;
    uint32_t place = store->totals.free_place;
    int r;

    if (place == 0) {
        place = store->totals.places;
        r = place % BUCKETS_IN_ROW > 0
                ? 0
                : make_row(store, FIRST_BUCKETS_ROW + place / BUCKETS_IN_ROW);
        if (r == 0)
            store->totals.places++;
    } else {
        r = counters_read_bucket(store, store->change, place, &counters);
        if (r == 0)
            store->totals.free_place = (uint32_t)counters.used;
    }
    if (r == 0)
        r = counters_write_bucket(store, place, &(struct bucket_counters){0});
    if (r == 0)
        *ret_place = place;
    return r;
}

int counters_give_place(struct store *store, uint32_t place)
{
    int r = counters_write_bucket(store, place,
                                  &(struct bucket_counters){.used = store->totals.free_place});

    if (r == 0)
        store->totals.free_place = place;
    return r;
}

/* ---- what was not committed ---- */

static int forget_row(const MDB_val *key, const MDB_val *row, uint64_t last)
{
    uint32_t number;
    size_t size;

    if (key->mv_size != sizeof(number))
        return -EUCLEAN;
    memcpy(&number, key->mv_data, sizeof(number));
    size = number == TOTALS_ROW ? sizeof(struct totals_copy) : sizeof(struct bucket_copy);
    for (size_t at = 0; at + size <= row->mv_size; at += size) {
        uint64_t *txn = (uint64_t *)((uint8_t *)row->mv_data + at);

        if (*txn > last)
            *txn = 0;
    }
    return 0;
}

/* The rows from the first to the last one. */
static int forget_rows(struct store *store, MDB_txn *txn, uint32_t first, uint32_t last)
{
    uint64_t committed = store_last_commit(store);
    uint32_t number = first;
    MDB_val key = {.mv_data = &number, .mv_size = sizeof(number)};
    MDB_cursor *cursor;
    MDB_val row;
    int r = store_error(mdb_cursor_open(txn, store->counters, &cursor));

    if (r < 0)
        return r;
    r = store_error(mdb_cursor_get(cursor, &key, &row, MDB_SET_RANGE));
    while (r == 0) {
        memcpy(&number, key.mv_data, sizeof(number));
        if (number > last)
            break;
        r = forget_row(&key, &row, committed);
        if (r == 0)
            r = store_error(mdb_cursor_get(cursor, &key, &row, MDB_NEXT));
    }
    mdb_cursor_close(cursor);
    return r == -ENOENT ? 0 : r;
}

int counters_forget_all(struct store *store, MDB_txn *txn)
{
    return forget_rows(store, txn, TOTALS_ROW, UINT32_MAX);
}

int counters_forget(struct store *store, MDB_txn *txn)
{
    struct counters_places *places = &store->places;
    int r = forget_rows(store, txn, TOTALS_ROW, TOTALS_ROW);

    if (r == 0 && places->first_written)
        r = forget_rows(store, txn, places->first_written, places->last_written);
    /* Rows that the transaction made are gone. */
    if (r == 0)
        *places = (struct counters_places){0};
    return r;
}

void counters_settle(struct store *store)
{
    store->places.first_written = store->places.last_written = 0;
}
