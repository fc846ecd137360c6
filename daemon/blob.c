/*
 * Blobs: large values, each in a row of its own, whole and in one place. Several objects may have
 * the same one.
 *
 * A blob can also be made first and filled later, piece by piece: an upload. Its row is committed
 * empty, beside a row of the garbage table that says that no object has it; so what a crash leaves
 * half-way is collected like all garbage. LMDB never moves the pages of such a row, and no reader
 * knows of it, so that it can be filled outside of a transaction.
 */
#include "store_private.h"

#include "etag.h"

#include <errno.h>
#include <string.h>

uint64_t store_pages_for(const struct store *store, uint64_t size)
{
    return size / store->page_size + 2; /* with LMDB's page header */
}

int blob_find(struct store *store, uint64_t id, uint64_t size, uint8_t **ret_place)
{
    MDB_val key = {.mv_data = &id, .mv_size = sizeof(id)};
    MDB_val data = {0};
    MDB_txn *txn;
    int r = store_reader(store, &txn);

    if (r == 0)
        r = store_error(mdb_get(txn, store->blobs, &key, &data));
    if (r < 0)
        return r == -ENOENT ? -EUCLEAN : r;
    if (data.mv_size < size)
        return -EUCLEAN;
    *ret_place = data.mv_data;
    return 0;
}

/* Makes a blob, whose bytes are still to be written. */
static int blob_make(struct store *store, uint64_t size, uint64_t *ret_id, uint8_t **ret_place)
{
    uint64_t id = store->totals.last_blob + 1;
    MDB_val key = {.mv_data = &id, .mv_size = sizeof(id)};
    MDB_val place = {.mv_size = size};
    int r =
        store_error(mdb_put(store->change, store->blobs, &key, &place, MDB_RESERVE | MDB_APPEND));

    if (r < 0)
        return r;
    store->totals.last_blob = id;
    *ret_id = id;
    *ret_place = place.mv_data;
    return 0;
}

int blob_free(struct store *store, uint64_t id)
{
    MDB_val key = {.mv_data = &id, .mv_size = sizeof(id)};
    int r = store_error(mdb_del(store->change, store->blobs, &key, NULL));

    return r == -ENOENT ? -EUCLEAN : r;
}

int blob_put(struct store *store, const void *value, struct record *record)
{
    uint8_t *place;
    int r = blob_make(store, record->size, &record->blob, &place);

    if (r < 0)
        return r;
    r = etag_copy(place, value, record->size, record->etag);
    if (r < 0 && blob_free(store, record->blob) < 0)
        return -ENOTRECOVERABLE;
    return r;
}

/* ---- how many objects have it ---- */

static int blob_count(struct store *store, uint64_t id, uint64_t *ret_count)
{
    MDB_val key = {.mv_data = &id, .mv_size = sizeof(id)};
    MDB_val data;
    int r = store_error(mdb_get(store->change, store->refs, &key, &data));

    *ret_count = 1; /* no row: only one */
    if (r == 0 && data.mv_size != sizeof(*ret_count))
        return -EUCLEAN;
    if (r == 0)
        memcpy(ret_count, data.mv_data, sizeof(*ret_count));
    return r == -ENOENT ? 0 : r;
}

static int blob_set_count(struct store *store, uint64_t id, uint64_t count)
{
    MDB_val key = {.mv_data = &id, .mv_size = sizeof(id)};
    MDB_val data = {.mv_data = &count, .mv_size = sizeof(count)};

    if (count > 1)
        return store_error(mdb_put(store->change, store->refs, &key, &data, 0));
    return store_error(mdb_del(store->change, store->refs, &key, NULL));
}

int blob_ref(struct store *store, uint64_t id)
{
    uint64_t count;
    int r = id ? blob_count(store, id, &count) : 0;

    return r == 0 && id ? blob_set_count(store, id, count + 1) : r;
}

int blob_unref(struct store *store, const struct record *record)
{
    uint64_t id = record->blob;
    uint64_t count;
    int r;

    if (!id)
        return 0;
    r = blob_count(store, id, &count);
    if (r < 0)
        return r;
    if (count > 1)
        return blob_set_count(store, id, count - 1);
    return garbage_add(store, id, record->size);
}

/* ---- uploads ---- */

/* Takes the upload off the list. Its row in the garbage table decides what becomes of the blob. */
static void upload_end(struct store *store, struct store_upload *upload)
{
    if (!upload->blob)
        return;
    TAILQ_REMOVE(&store->uploads, upload, entry);
    store->uploads_count--;
    store->uploads_bytes -= upload->size;
    upload->blob = 0;
}

int store_upload_begin(struct store *store, const struct store_key *key, uint64_t size,
                       struct store_condition *condition, struct store_upload *upload)
{
    const uint64_t blob_size = spare_size_for(size);
    struct claim claim = {.pages = store_pages_for(store, blob_size), .blobs = true};
    struct garbage_key spare;
    struct slot slot;
    uint8_t *place;
    uint64_t id;
    int has_spare;
    int r = slot_find(store, key, condition, &slot);

    if (r == 0)
        r = slot_may_have(store, &slot, size);
    if (r < 0)
        return r;
    has_spare = spares_find(store, size, &spare);
    if (has_spare < 0)
        return has_spare;
    if (has_spare)
        claim.pages = 0;
    else if (reserve_approach(store, &claim))
        return 1;
    r = store_begin(store, &claim);
    if (r < 0)
        return r;
    r = has_spare ? spares_take(store, &spare, &id) : blob_make(store, blob_size, &id, &place);
    if (r == 0)
        r = garbage_add_upload(store, id, size);
    if (r < 0)
        return store_drop(store, r);
    *upload = (struct store_upload){.blob = id, .size = size};
    TAILQ_INSERT_TAIL(&store->uploads, upload, entry);
    store->uploads_count++;
    store->uploads_bytes += size;
    return 0;
}

void uploads_settle(struct store *store)
{
    struct store_upload *upload = TAILQ_LAST(&store->uploads, upload_queue);

    /* Those of the last transaction are at the end. */
    for (; upload && !upload->settled; upload = TAILQ_PREV(upload, upload_queue, entry))
        upload->settled = true;
}

void uploads_forget(struct store *store, int error)
{
    struct store_upload *upload;

    while ((upload = TAILQ_LAST(&store->uploads, upload_queue)) && !upload->settled) {
        upload_end(store, upload);
        upload->error = error;
    }
}

bool uploads_have(const struct store *store, uint64_t blob)
{
    const struct store_upload *upload = TAILQ_FIRST(&store->uploads);

    while (upload && upload->blob != blob)
        upload = TAILQ_NEXT(upload, entry);
    return upload;
}

bool store_upload_is_settled(const struct store_upload *upload)
{
    return upload->settled || upload->error;
}

int store_upload_place(struct store *store, const struct store_upload *upload, uint8_t **ret_place)
{
    if (!upload->blob)
        return upload->error;
    return blob_find(store, upload->blob, upload->size, ret_place);
}

int store_upload_finish(struct store *store, struct store_upload *upload,
                        const struct store_key *key, const struct record *attributes,
                        const struct store_terms *terms, struct record *ret_record)
{
    struct record record = *attributes;
    struct slot slot;
    int r = upload->blob ? slot_find(store, key, terms->condition, &slot) : upload->error;

    if (r == 0)
        r = slot_admit(store, &slot, upload->size);
    if (r < 0)
        return r;
    record.size = upload->size;
    record.blob = upload->blob;
    record.expires = expiry_of(store, terms->ttl);
    record.owner = terms->owner;
    r = store_begin(store, &(struct claim){.rows = 1,
                                           .ends = ends_rows(&slot.old, &record),
                                           .pages = record_pages(store, &record),
                                           .blobs = true});
    if (r < 0)
        return r;
    r = garbage_take_upload(store, upload->blob, upload->size);
    if (r < 0)
        return store_drop(store, r);
    r = slot_fill(store, &slot, &record);
    if (r < 0)
        return r;
    upload_end(store, upload);
    *ret_record = record;
    return 0;
}

void store_upload_cancel(struct store *store, struct store_upload *upload)
{
    upload_end(store, upload);
}
