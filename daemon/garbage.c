/*
 * Blobs that no object has any more, while somebody may still read them in place: each has a row in
 * the garbage table until it can be freed (pins.h). The table is in the store so that a daemon
 * that starts again after a crash goes on where the last one was.
 */
#include "store_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Rows visited and bytes freed in one call, so that a call stays short. */
#define SHARE 1024
#define SHARE_BYTES (64U << 20)

/* The transaction in the rows of uploads: no snapshot leads to their blobs. */
#define UPLOAD_TXN 0

/* The key of a row. It must outlive the call that uses the value. */
static MDB_val garbage_row(struct garbage_key *row, uint64_t txn, uint64_t id)
{
    *row = (struct garbage_key){.txn = __builtin_bswap64(txn), .blob = __builtin_bswap64(id)};
    return (MDB_val){.mv_data = row, .mv_size = sizeof(*row)};
}

static int add_row(struct store *store, uint64_t txn, uint64_t id, uint64_t size)
{
    struct garbage_key row;
    MDB_val key = garbage_row(&row, txn, id);
    MDB_val data = {.mv_data = &size, .mv_size = sizeof(size)};
    int r = store_error(mdb_put(store->change, store->garbage, &key, &data, 0));

    if (r < 0)
        return r;
    store->totals.garbage++;
    store->totals.garbage_bytes += size;
    return 0;
}

int garbage_add(struct store *store, uint64_t id, uint64_t size)
{
    if (size < store->defers_from)
        return blob_free(store, id);
    return add_row(store, mdb_txn_id(store->change), id, size);
}

int garbage_add_upload(struct store *store, uint64_t id, uint64_t size)
{
    return add_row(store, UPLOAD_TXN, id, size);
}

int garbage_take_upload(struct store *store, uint64_t id, uint64_t size)
{
    struct garbage_key row;
    MDB_val key = garbage_row(&row, UPLOAD_TXN, id);
    int r = store_error(mdb_del(store->change, store->garbage, &key, NULL));

    if (r < 0)
        return r == -ENOENT ? -EUCLEAN : r;
    store->totals.garbage--;
    store->totals.garbage_bytes -= size;
    return 0;
}

void store_defer_frees(struct store *store, uint64_t from)
{
    store->defers_from = from;
}

/* ---- readers ---- */

struct reader_walk {
    void (*visit)(void *context, pid_t pid, uint64_t txn);
    void *context;
};

/* A line of mdb_reader_list: process id, thread, transaction or "-"; or a heading. */
static int visit_line(const char *line, void *context)
{
    const struct reader_walk *walk = context;
    const char *last = strrchr(line, ' ');

    if (last && last[1] >= '0' && last[1] <= '9')
        walk->visit(walk->context, (pid_t)strtol(line, NULL, 10), strtoull(last, NULL, 10));
    return 0;
}

void store_readers(struct store *store, void (*visit)(void *context, pid_t pid, uint64_t txn),
                   void *context)
{
    struct reader_walk walk = {.visit = visit, .context = context};

    mdb_reader_list(store->env, visit_line, &walk);
}

void store_check_readers(struct store *store)
{
    int dead;

    mdb_reader_check(store->env, &dead);
}

static void note_oldest(void *context, pid_t pid, uint64_t txn)
{
    uint64_t *oldest = context;

    (void)pid;
    if (txn < *oldest)
        *oldest = txn;
}

uint64_t store_oldest_reader(struct store *store)
{
    uint64_t oldest = UINT64_MAX;

    store_readers(store, note_oldest, &oldest);
    return oldest;
}

/* ---- collecting ---- */

int store_compare_blobs(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

/* Blobs to become spares, when the cursor has done its round. */
struct spared {
    uint64_t blobs[SHARE];
    uint64_t sizes[SHARE];
    uint64_t bytes;
    size_t count;
};

/* Frees a blob, or spares it. */
static int free_or_spare(struct store *store, uint64_t blob, struct spared *spared)
{
    uint64_t size = 0;
    int r = store_blob_size(store, blob, &size);

    if (r < 0)
        return r == -ENOENT ? -EUCLEAN : r;
    if (size < SPARE_MIN || !spares_have_room(store, spared->bytes + size))
        return blob_free(store, blob);
    spared->blobs[spared->count] = blob;
    spared->sizes[spared->count++] = size;
    spared->bytes += size;
    return 0;
}

static int add_spared(struct store *store, const struct spared *spared)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < spared->count; i++)
        r = spares_add(store, spared->blobs[i], spared->sizes[i]);
    return r;
}

/* Frees one row's blob, or spares it. The cursor stands on the row. */
static int collect_row(struct store *store, MDB_cursor *cursor, uint64_t blob, const MDB_val *data,
                       struct spared *spared)
{
    uint64_t size;
    int r;

    if (data->mv_size != sizeof(size))
        return -EUCLEAN;
    memcpy(&size, data->mv_data, sizeof(size));
    r = store_error(mdb_cursor_del(cursor, 0));
    if (r == 0)
        r = free_or_spare(store, blob, spared);
    if (r < 0)
        return r;
    store->totals.garbage--;
    store->totals.garbage_bytes -= size;
    return 1;
}

/* Goes on behind the rows of the last call: those that are pinned must not hide the others. */
static int collect_first(struct store *store, MDB_cursor *cursor, MDB_val *key, MDB_val *data)
{
    *key = (MDB_val){.mv_data = &store->collected, .mv_size = sizeof(store->collected)};
    return store_error(mdb_cursor_get(cursor, key, data, MDB_SET_RANGE));
}

static bool is_kept(const struct store *store, uint64_t txn, uint64_t blob, const uint64_t *pinned,
                    size_t count)
{
    if (txn == UPLOAD_TXN && uploads_have(store, blob))
        return true;
    return count > 0 && bsearch(&blob, pinned, count, sizeof(blob), store_compare_blobs);
}

/* Returns how many were freed. */
static int collect_rows(struct store *store, MDB_cursor *cursor, uint64_t oldest,
                        const uint64_t *pinned, size_t count, struct spared *spared)
{
    const uint64_t before = store->totals.garbage_bytes;
    struct garbage_key row;
    MDB_val key, data;
    int freed = 0;
    int r = collect_first(store, cursor, &key, &data);

    store->collected = (struct garbage_key){0};
    for (int i = 0; r == 0; i++) {
        uint64_t txn, blob;

        if (key.mv_size != sizeof(row))
            return -EUCLEAN;
        memcpy(&row, key.mv_data, sizeof(row));
        if (i == SHARE || before - store->totals.garbage_bytes >= SHARE_BYTES) {
            store->collected = row;
            return freed;
        }
        txn = __builtin_bswap64(row.txn);
        blob = __builtin_bswap64(row.blob);
        if (garbage_is_spare(&row))
            return freed;
        if (txn > oldest)
            return freed; /* a snapshot may still lead to it, and to all behind it */
        if (!is_kept(store, txn, blob, pinned, count)) {
            r = collect_row(store, cursor, blob, &data, spared);
            if (r < 0)
                return r;
            freed += r;
        }
        r = store_error(mdb_cursor_get(cursor, &key, &data, MDB_NEXT));
    }
    return r < 0 && r != -ENOENT ? r : freed;
}

/* What it takes to free so many blobs: pages of two tables are copied, with those beside them. */
static int claim_to_free(struct store *store, uint64_t count, struct claim *ret_claim)
{
    const MDB_dbi tables[] = {store->blobs, store->garbage};
    MDB_stat stat;
    MDB_txn *txn;
    int r = store_reader(store, &txn);

    *ret_claim = (struct claim){.blobs = true, .frees = true};
    for (size_t i = 0; r == 0 && i < sizeof(tables) / sizeof(tables[0]); i++) {
        r = store_error(mdb_stat(txn, tables[i], &stat));
        if (r == 0) {
            uint64_t all = stat.ms_branch_pages + stat.ms_leaf_pages;
            uint64_t ways = count * 2 * stat.ms_depth;

            ret_claim->pages += ways < all ? ways : all;
        }
    }
    return r;
}

int store_collect(struct store *store, uint64_t oldest, uint64_t *pinned, size_t count)
{
    uint64_t garbage = store_garbage(store);
    struct spared spared = {0};
    struct claim claim;
    MDB_cursor *cursor;
    int r;

    if (garbage == 0) {
        store->collected = (struct garbage_key){0};
        return 0;
    }
    if (count > 0)
        qsort(pinned, count, sizeof(*pinned), store_compare_blobs);
    r = claim_to_free(store, garbage < SHARE ? garbage : SHARE, &claim);
    if (r == 0)
        r = store_begin(store, &claim);
    if (r < 0)
        return r;
    r = store_error(mdb_cursor_open(store->change, store->garbage, &cursor));
    if (r == 0) {
        r = collect_rows(store, cursor, oldest, pinned, count, &spared);
        mdb_cursor_close(cursor);
    }
    if (r > 0) {
        int added = add_spared(store, &spared);

        r = added < 0 ? added : r;
    }
    if (r < 0 || (r == 0 && store->changes == 1))
        return store_drop(store, r);
    return r;
}

bool store_collects_on(const struct store *store)
{
    return store->collected.blob != 0;
}

int store_settle(struct store *store)
{
    int r = store_begin(store, &(struct claim){.rows = 1, .frees = true});

    if (r < 0)
        return r;
    r = store_dirty(store);
    return r < 0 ? store_drop(store, r) : 0;
}

uint64_t store_garbage_bytes(const struct store *store)
{
    return store->totals.garbage_bytes - store->uploads_bytes;
}

uint64_t store_garbage(const struct store *store)
{
    return store->totals.garbage - store->uploads_count;
}

uint64_t store_last_commit(struct store *store)
{
    MDB_envinfo info;

    mdb_env_info(store->env, &info);
    return info.me_last_txnid;
}

int store_blob_size(struct store *store, uint64_t id, uint64_t *ret_size)
{
    MDB_val key = {.mv_data = &id, .mv_size = sizeof(id)};
    MDB_val data;
    MDB_txn *txn;
    int r = store_reader(store, &txn);

    if (r == 0)
        r = store_error(mdb_get(txn, store->blobs, &key, &data));
    if (r == 0)
        *ret_size = data.mv_size;
    return r;
}
