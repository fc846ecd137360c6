/* Copies and moves: changes of two objects, which may be in two buckets. */
#include "store_private.h"

#include <errno.h>
#include <string.h>

static const struct record none;

/* What a copy and a move work on. */
struct pair {
    struct row_key source;
    struct slot target;
    struct record record; /* the source's, out of the map; then the target's */
};

static bool is_same(const struct store_key *source, const struct store_key *target)
{
    return source->bucket == target->bucket && source->length == target->length &&
           memcmp(source->data, target->data, source->length) == 0;
}

/* Finds source and target. The bucket at hand is the target's then. */
static int find(struct store *store, struct pair *pair, const struct store_key *source,
                const struct store_key *target, struct store_condition *condition)
{
    int r = store_open_bucket(store, source->bucket);

    if (r < 0)
        return r;
    row_key_init(&pair->source, source);
    r = store_prepare(store);
    if (r == 0)
        r = row_find_object(store, &pair->source, &pair->record);
    return r < 0 ? r : slot_find(store, target, condition, &pair->target);
}

/* Makes room for the target, to which the source does not fall. What moves is in the store's total
 * already. */
static int admit(struct store *store, struct pair *pair, const struct store_key *source,
                 const struct store_key *target, bool moves)
{
    bool is_beside = source->bucket == target->bucket;
    const struct evict_put put = {.row = &pair->target.row,
                                  .source = is_beside ? &pair->source : NULL,
                                  .source_size = is_beside ? pair->record.size : 0,
                                  .old_size = pair->target.old.size,
                                  .size = pair->record.size,
                                  .adds = !pair->target.existed,
                                  .moves = moves};
    int r = evict_check(store, &put);

    if (r != -EDQUOT)
        return r;
    r = evict_for(store, &put);
    return r < 0 ? r : find(store, pair, source, target, NULL);
}

static int begin(struct store *store, struct pair *pair, uint64_t rows)
{
    record_keep(store, &pair->record);
    return store_begin(store, &(struct claim){.rows = rows,
                                              .ends = ends_rows(&pair->target.old, &pair->record) +
                                                      ends_rows(&pair->record, &none),
                                              .pages = record_pages(store, &pair->record),
                                              .blobs = pair->record.blob || pair->target.old.blob});
}

/* The target gets what the source has, which stays. */
static int fill(struct store *store, struct pair *pair, struct record *ret_record)
{
    int r = blob_ref(store, pair->record.blob);

    if (r < 0)
        return store_drop(store, r);
    r = slot_fill(store, &pair->target, &pair->record);
    if (r == 0)
        *ret_record = pair->record;
    return r;
}

int store_copy(struct store *store, const struct store_key *source, const struct store_key *target,
               struct store_condition *condition, struct record *ret_record)
{
    struct pair pair;
    int r = find(store, &pair, source, target, condition);

    if (r == 0)
        r = admit(store, &pair, source, target, false);
    if (r == 0)
        r = begin(store, &pair, 1);
    if (r < 0)
        return r;
    pair.record.owner = 0;
    return fill(store, &pair, ret_record);
}

/* Takes the source away, but for its blob, and finds the target's place once more. */
static int take_source(struct store *store, struct pair *pair, const struct store_key *source,
                       const struct store_key *target)
{
    int r = store_error(mdb_del(store->change, store->objects, &pair->source.val, NULL));

    if (r == 0)
        r = ends_change(store, &pair->source, &pair->record, &none);
    if (r == 0)
        r = store_note(store, EVENT_DELETE, &pair->source, ++store->totals.version);
    if (r == 0)
        r = store_open_bucket(store, source->bucket);
    if (r < 0)
        return r;
    store_count(store, -(int64_t)pair->record.size, -1);
    return slot_find(store, target, NULL, &pair->target);
}

int store_move(struct store *store, const struct store_key *source, const struct store_key *target,
               struct store_condition *condition, struct record *ret_record)
{
    bool onto_itself = is_same(source, target);
    struct pair pair;
    int r = find(store, &pair, source, target, condition);

    if (r == 0 && source->bucket != target->bucket)
        r = admit(store, &pair, source, target, true);
    if (r == 0)
        r = begin(store, &pair, 3);
    if (r < 0)
        return r;
    if (onto_itself)
        return fill(store, &pair, ret_record);
    r = take_source(store, &pair, source, target);
    if (r < 0)
        return store_drop(store, r);
    r = slot_fill(store, &pair.target, &pair.record);
    if (r == 0)
        *ret_record = pair.record;
    return r;
}
