/* The calls on objects: look up, check the quota, change the rows, count. */
#include "store_private.h"

#include "boottime.h"
#include "etag.h"

#include <errno.h>
#include <string.h>

/* Where there is no object. */
static const struct record none;

void row_key_init(struct row_key *row, const struct store_key *key)
{
    uint32_t bucket = __builtin_bswap32(ROW_BUCKET(key->bucket));

    assert(key->length <= KEY_MAX);
    memcpy(row->bytes, &bucket, sizeof(bucket));
    if (key->length > 0)
        memcpy(row->bytes + sizeof(bucket), key->data, key->length);
    row->val = (MDB_val){.mv_data = row->bytes, .mv_size = sizeof(bucket) + key->length};
}

void row_key_copy(struct row_key *row, const MDB_val *key)
{
    memcpy(row->bytes, key->mv_data, key->mv_size);
    row->val = (MDB_val){.mv_data = row->bytes, .mv_size = key->mv_size};
}

int row_cursor(struct store *store)
{
    if (store->cursor)
        return 0;
    return store_error(mdb_cursor_open(store->change, store->objects, &store->cursor));
}

/* Finds a row in the running transaction. The cursor stands on it then, or where it would be. */
static int find_row_by_cursor(struct store *store, const struct row_key *row, MDB_val *ret_data)
{
    MDB_val key = row->val;
    int r = row_cursor(store);

    return r < 0 ? r : store_error(mdb_cursor_get(store->cursor, &key, ret_data, MDB_SET));
}

int row_find(struct store *store, struct row_key *row, struct record *ret_record)
{
    MDB_val data = {0};
    MDB_txn *txn;
    int r;

    if (store->change) {
        r = find_row_by_cursor(store, row, &data);
    } else {
        r = store_reader(store, &txn);
        if (r == 0)
            r = store_error(mdb_get(txn, store->objects, &row->val, &data));
    }
    return r < 0 ? r : record_read(data.mv_data, data.mv_size, ret_record);
}

static bool is_over(const struct store *store, const struct record *record)
{
    return record->expires != 0 &&
           record_is_over(record, store->grouping ? store->group_time : boottime_now());
}

int row_find_object(struct store *store, struct row_key *row, struct record *ret_record)
{
    int r = row_find(store, row, ret_record);

    return r == 0 && is_over(store, ret_record) ? -ENOENT : r;
}

/* As row_find, for a row that may be missing: the record is empty then. Returns 1 if it is there.
 */
static int find_row_or_none(struct store *store, struct row_key *row, struct record *ret_record)
{
    int r = row_find(store, row, ret_record);

    if (r == -ENOENT) {
        *ret_record = (struct record){0};
        return 0;
    }
    return r < 0 ? r : 1;
}

int store_get(struct store *store, const struct store_key *key, struct record *ret_record,
              const uint8_t **ret_value)
{
    struct row_key row;
    uint8_t *place;
    int r = store_open_bucket(store, key->bucket);

    if (r < 0)
        return r;
    row_key_init(&row, key);
    r = row_find_object(store, &row, ret_record);
    if (r < 0 || !ret_value)
        return r;
    if (!ret_record->blob) {
        *ret_value = ret_record->value;
        return 0;
    }
    r = blob_find(store, ret_record->blob, ret_record->size, &place);
    if (r == 0)
        *ret_value = place;
    return r;
}

/* ---- changes ---- */

/* Bytes of what the caller gives for an object, its key aside. */
static uint64_t bytes_of(const struct record *record)
{
    size_t type_length = record->type_length == NO_CONTENT_TYPE ? 0 : record->type_length;

    return type_length + record->metadata_length + record->size;
}

/* Records of more bytes may stand alone. */
#define RECORD_SHARES (1U << 10)
static_assert(2 * (RECORD_SHARES + KEY_MAX + 16) < 4000, "two of them fit the smallest page");

uint64_t record_pages(const struct store *store, const struct record *record)
{
    size_t length = record_length(record);

    return length > RECORD_SHARES ? store_pages_for(store, length) : 0;
}

/* What it takes to put an object there, whose blob is still to be made. */
static struct claim claim_of_put(const struct store *store, const struct slot *slot,
                                 const struct record *record)
{
    bool is_large = record->size > RECORD_VALUE_MAX;
    struct record row = *record;
    struct claim claim = {
        .rows = 1, .ends = ends_rows(&slot->old, record), .blobs = is_large || slot->old.blob};

    row.blob = is_large;
    claim.pages = record_pages(store, &row) + (is_large ? store_pages_for(store, record->size) : 0);
    return claim;
}

/* Writes a record whose value is in it already, or in a blob. `existed`: the row was there, and was
 * the last one looked up. */
static int write_row(struct store *store, struct row_key *row, const struct record *record,
                     bool existed)
{
    unsigned here = existed && store->cursor ? MDB_CURRENT : 0;
    MDB_val place = {.mv_size = record_length(record)};
    int r = row_cursor(store);
    uint8_t *value;

    if (r == 0)
        r = store_error(mdb_cursor_put(store->cursor, &row->val, &place, MDB_RESERVE | here));
    if (r < 0)
        return r;
    value = record_write(record, place.mv_data);
    if (!record->blob && record->size > 0)
        memcpy(value, record->value, record->size);
    return 0;
}

/* Takes the value in: as a blob, or into our own memory, to go into the row. Nothing that was there
 * has changed yet, so that a value that cannot be read is its client's trouble alone. */
static int take_value(struct store *store, struct record *record, const void *value)
{
    if (record->size > RECORD_VALUE_MAX)
        return blob_put(store, value, record);
    record->value = store->scratch;
    return etag_copy(store->scratch, value, record->size, record->etag);
}

/* Whether the object (NULL: none) is as the condition says. */
static int decide(struct store_condition *condition, const struct record *object)
{
    return condition ? condition_decide(condition, object) : 0;
}

/* Finds what is in a place. */
static int slot_look(struct store *store, struct slot *slot)
{
    int r = store_prepare(store);

    if (r < 0)
        return r;
    slot->existed = find_row_or_none(store, &slot->row, &slot->old);
    slot->object = slot->existed > 0 && !is_over(store, &slot->old) ? &slot->old : NULL;
    return slot->existed < 0 ? slot->existed : 0;
}

int slot_find(struct store *store, const struct store_key *key, struct store_condition *condition,
              struct slot *slot)
{
    int r = store_open_bucket(store, key->bucket);

    if (r < 0)
        return r;
    row_key_init(&slot->row, key);
    r = slot_look(store, slot);
    return r < 0 ? r : decide(condition, slot->object);
}

/* What a value of that size has to have room for in its place. */
static struct evict_put put_into(const struct slot *slot, uint64_t size)
{
    return (struct evict_put){
        .row = &slot->row, .old_size = slot->old.size, .size = size, .adds = !slot->existed};
}

int slot_may_have(struct store *store, const struct slot *slot, uint64_t size)
{
    const struct evict_put put = put_into(slot, size);
    int r = quota_check(store, put.old_size, put.size, put.adds);

    return r == -EDQUOT && evict_could(store, &put) ? 0 : r;
}

int slot_admit(struct store *store, struct slot *slot, uint64_t size)
{
    const struct evict_put put = put_into(slot, size);
    int r = quota_check(store, put.old_size, put.size, put.adds);

    if (r != -EDQUOT)
        return r;
    r = evict_for(store, &put);
    /* Where nothing was there is nothing to find anew. */
    return r < 0 || !slot->existed ? r : slot_look(store, slot);
}

int store_note(struct store *store, enum event_kind kind, const struct row_key *row,
               uint64_t version)
{
    struct event event = {.version = version,
                          .kind = (uint16_t)kind,
                          .key_length = (uint16_t)(row->val.mv_size - sizeof(event.bucket))};

    memcpy(&event.bucket, row->bytes, sizeof(event.bucket));
    event.bucket = __builtin_bswap32(event.bucket) & ~ROW_BUCKET(0);
    return events_add(&store->events, &event, row->bytes + sizeof(event.bucket));
}

/* What is replaced may have ended before, and nobody have taken it away yet. */
static int note_end(struct store *store, const struct row_key *row, const struct record *old)
{
    return is_over(store, old) ? store_note(store, EVENT_EXPIRE, row, ++store->totals.version) : 0;
}

int slot_fill(struct store *store, struct slot *slot, struct record *record)
{
    int r;

    r = note_end(store, &slot->row, &slot->old);
    store_stamp(store, record);
    if (r == 0)
        r = blob_unref(store, &slot->old);
    if (r == 0)
        r = write_row(store, &slot->row, record, slot->existed);
    if (r == 0)
        r = ends_change(store, &slot->row, &slot->old, record);
    if (r == 0)
        r = store_note(store, EVENT_PUT, &slot->row, record->version);
    if (r < 0)
        return store_drop(store, r);
    store_count(store, (int64_t)record->size - (int64_t)slot->old.size, !slot->existed);
    if (!slot->existed && store->bucket->row.settings.policy == POLICY_LRU)
        hand_note(store, &slot->row);
    return 0;
}

int store_put(struct store *store, const struct store_key *key, const struct record *attributes,
              const struct store_terms *terms, const void *value, struct record *ret_record)
{
    struct record record = {.size = attributes->size,
                            .type = attributes->type,
                            .type_length = attributes->type_length,
                            .metadata = attributes->metadata,
                            .metadata_length = attributes->metadata_length};
    struct claim claim;
    struct slot slot;
    int r = slot_find(store, key, terms->condition, &slot);

    if (r == 0)
        r = slot_admit(store, &slot, record.size);
    if (r < 0)
        return r;
    record.expires = expiry_of(store, terms->ttl);
    record.owner = terms->owner;
    claim = claim_of_put(store, &slot, &record);
    r = group_take(store, key->length + bytes_of(&record), record.expires || record.owner);
    if (r == 0)
        r = store_begin(store, &claim);
    if (r < 0)
        return r;
    r = take_value(store, &record, value);
    if (r == -EFAULT)
        return r;
    if (r < 0)
        return store_drop(store, r);
    r = slot_fill(store, &slot, &record);
    if (r == 0)
        *ret_record = record;
    return r;
}

/* Deletes a row that is there, and was the last one looked up. */
static int delete_row(struct store *store, struct row_key *row)
{
    if (store->cursor)
        return store_error(mdb_cursor_del(store->cursor, 0));
    return store_error(mdb_del(store->change, store->objects, &row->val, NULL));
}

int row_remove(struct store *store, struct row_key *row, const struct record *record,
               enum event_kind kind)
{
    int r = store_begin(store, &(struct claim){.rows = 2,
                                               .ends = ends_rows(record, &none),
                                               .blobs = record->blob,
                                               .frees = true});

    if (r < 0)
        return r;
    store->totals.version++;
    r = blob_unref(store, record);
    if (r == 0)
        r = delete_row(store, row);
    if (r == 0)
        r = ends_change(store, row, record, &none);
    if (r == 0)
        r = store_note(store, kind, row, store->totals.version);
    if (r < 0)
        return store_drop(store, r);
    store_count(store, -(int64_t)record->size, -1);
    return 0;
}

/* The same about what row_find_object found, or not; r is its result, and the call's where the
 * condition holds. */
static int decide_found(struct store_condition *condition, int r, const struct record *record)
{
    int decided = r == 0 || r == -ENOENT ? decide(condition, r == 0 ? record : NULL) : 0;

    return decided < 0 ? decided : r;
}

static int delete_once(struct store *store, const struct store_key *key,
                       struct store_condition *condition)
{
    struct row_key row;
    struct record old;
    int r = store_open_bucket(store, key->bucket);

    if (r < 0)
        return r;
    row_key_init(&row, key);
    r = store_prepare(store);
    if (r == 0)
        r = row_find_object(store, &row, &old);
    r = decide_found(condition, r, &old);
    if (r == 0)
        r = group_take(store, 0, false);
    return r != 0 ? r : row_remove(store, &row, &old, EVENT_DELETE);
}

int store_delete(struct store *store, const struct store_key *key,
                 struct store_condition *condition)
{
    int r = delete_once(store, key, condition);

    if (r == -ENOSPC && reserve_last_resort(store))
        r = delete_once(store, key, condition);
    return r;
}

uint8_t *record_keep(struct store *store, struct record *record)
{
    uint8_t *place = store->scratch;
    size_t type_length = record->type_length == NO_CONTENT_TYPE ? 0 : record->type_length;

    memcpy(place, record->type, type_length);
    record->type = (const char *)place;
    place += type_length;
    if (record->metadata_length > 0)
        memcpy(place, record->metadata, record->metadata_length);
    record->metadata = place;
    place += record->metadata_length;
    if (record->blob)
        return place;
    memcpy(place, record->value, record->size);
    record->value = place;
    return place + record->size;
}

/* ---- lifetimes ---- */

static int touch_once(struct store *store, struct row_key *row, int64_t ttl,
                      struct store_condition *condition, struct record *ret_record)
{
    struct record record;
    struct record old;
    int r = store_prepare(store);

    if (r == 0)
        r = row_find_object(store, row, &record);
    r = decide_found(condition, r, &record);
    if (r != 0)
        return r;
    record_keep(store, &record);
    old = record;
    record.expires = expiry_of(store, ttl);
    r = store_begin(store, &(struct claim){.rows = 1,
                                           .ends = ends_rows(&old, &record),
                                           .pages = record_pages(store, &record)});
    if (r < 0)
        return r;
    r = write_row(store, row, &record, true);
    if (r == 0)
        r = ends_change(store, row, &old, &record);
    if (r < 0)
        return store_drop(store, r);
    *ret_record = record;
    return 0;
}

int store_touch(struct store *store, const struct store_key *key, int64_t ttl,
                struct store_condition *condition, struct record *ret_record)
{
    struct row_key row;
    int r = store_open_bucket(store, key->bucket);

    if (r < 0)
        return r;
    row_key_init(&row, key);
    return touch_once(store, &row, ttl, condition, ret_record);
}
