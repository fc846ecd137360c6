/*
 * Hands: what a bucket whose policy is lru gives up next.
 *
 * There is no list of the objects in the order of their uses: each read would have to change it,
 * and direct readers cannot. Instead a hand goes round the bucket in the order of keys. It looks at
 * some objects at a time, and those of them that were used longest ago become candidates, to go one
 * after the other. One that was used since then stays, and when there are none left the hand moves
 * on. A bucket of at most LOOK objects is looked at whole: there it is always the one used least
 * recently that goes. In a larger one it is one of the oldest quarter of those that are looked at,
 * which makes next to no difference for what is in use.
 *
 * Objects that were put at the same time often have keys that stand together, as after a scan. Then
 * a part of the round has nothing old in it, and another nothing else. So some of the keys that are
 * new are noted, and when as many objects came since as the bucket has, a second hand, the trail,
 * goes on from there: half of a look is where old objects are, if they stand together.
 *
 * Hands are in memory alone. A daemon that starts again begins with the first key.
 */
#include "store_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP 192 /* objects of a look that the hand goes over, */
#define TRAIL 128 /* and those that the trail does */
#define LOOK (SWEEP + TRAIL)
#define CANDIDATES (LOOK / 4)
#define KEYS_SIZE 4096 /* bytes of the candidates' keys: of long ones there are fewer */

#define LOOKS_MAX 4 /* for one that wants room, before others have their turn */

/* Hands of buckets whose ids end alike: the one used longest ago makes room. */
#define ALIKE_MAX 8

/* Keys that are noted in the time in which as many objects come as there are. */
#define NOTES 32
#define NOTE_LENGTH 63 /* bytes of them; what is longer stands near enough */

struct note {
    uint8_t length;
    uint8_t row[NOTE_LENGTH];
};

struct candidate {
    uint64_t used; /* when, as of marks.h */
    uint16_t key;  /* place among the keys */
    uint16_t length;
};

struct hand {
    uint32_t bucket;
    const struct evict_put *put; /* what wants room; its own rows stay. NULL: something else does */
    int looks;                   /* since it was asked for */
    uint64_t barren;             /* objects looked at since there was a candidate */
    size_t next;                 /* of the candidates; the oldest is first */
    size_t count;
    struct candidate candidates[CANDIDATES];
    uint8_t keys[KEYS_SIZE];
    struct row_key sweep; /* where the next look begins, */
    struct row_key trail; /* and its second part */
    struct note notes[NOTES];
    size_t notes_next; /* the oldest, if all are taken */
    size_t notes_count;
    uint64_t added; /* objects since the last note */
    TAILQ_ENTRY(hand) entry;
};

/* ---- hands ---- */

void hands_start(struct store *store)
{
    for (size_t i = 0; i < HAND_QUEUES; i++)
        TAILQ_INIT(&store->hands[i]);
}

void hands_finish(struct store *store)
{
    struct hand *hand;

    for (size_t i = 0; i < HAND_QUEUES; i++) {
        while ((hand = TAILQ_FIRST(&store->hands[i]))) {
            TAILQ_REMOVE(&store->hands[i], hand, entry);
            free(hand);
        }
    }
}

/* Before the first row of the bucket. */
static void rewind_to(struct row_key *from, uint32_t bucket)
{
    row_key_init(from, &(struct store_key){.bucket = bucket});
}

/* Memory for one more, which may be that of another bucket. */
static struct hand *hand_make(struct hand_queue *queue)
{
    struct hand *hand;
    size_t count = 0;

    TAILQ_FOREACH (hand, queue, entry) {
        count++;
    }
    if (count < ALIKE_MAX)
        return calloc(1, sizeof(*hand));
    hand = TAILQ_LAST(queue, hand_queue);
    TAILQ_REMOVE(queue, hand, entry);
    return hand;
}

static struct hand *hand_create(struct hand_queue *queue, uint32_t bucket)
{
    struct hand *hand = hand_make(queue);

    if (!hand)
        return NULL;
    hand->bucket = bucket;
    rewind_to(&hand->sweep, bucket);
    rewind_to(&hand->trail, bucket);
    hand->barren = hand->added = 0;
    hand->next = hand->count = hand->notes_next = hand->notes_count = 0;
    TAILQ_INSERT_HEAD(queue, hand, entry);
    return hand;
}

/* The hand of the bucket at hand; NULL: it has none yet. */
static struct hand *hand_known(struct store *store, struct hand_queue *queue)
{
    const uint32_t bucket = store->bucket->id;
    struct hand *hand = TAILQ_FIRST(queue);

    while (hand && hand->bucket != bucket)
        hand = TAILQ_NEXT(hand, entry);
    if (hand && hand != TAILQ_FIRST(queue)) {
        TAILQ_REMOVE(queue, hand, entry);
        TAILQ_INSERT_HEAD(queue, hand, entry);
    }
    return hand;
}

static struct hand_queue *queue_of(struct store *store)
{
    return &store->hands[store->bucket->id % HAND_QUEUES];
}

struct hand *hand_of(struct store *store, const struct evict_put *put)
{
    struct hand_queue *queue = queue_of(store);
    struct hand *hand = hand_known(store, queue);

    if (!hand)
        hand = hand_create(queue, store->bucket->id);
    if (!hand)
        return NULL;
    hand->looks = 0;
    hand->put = put;
    return hand;
}

/* Notes a key. The trail goes on from the oldest one that was. */
static void note_write(struct hand *hand, const struct row_key *row)
{
    struct note *note = &hand->notes[hand->notes_next];
    size_t length = row->val.mv_size < NOTE_LENGTH ? row->val.mv_size : NOTE_LENGTH;
    MDB_val oldest = {.mv_data = note->row, .mv_size = note->length};

    if (hand->notes_count == NOTES)
        row_key_copy(&hand->trail, &oldest);
    else
        hand->notes_count++;
    note->length = (uint8_t)length;
    memcpy(note->row, row->bytes, length);
    hand->notes_next = (hand->notes_next + 1) % NOTES;
}

void hand_note(struct store *store, const struct row_key *row)
{
    struct hand *hand = hand_known(store, queue_of(store));

    if (!hand || ++hand->added < store->bucket->counters.objects / NOTES)
        return;
    hand->added = 0;
    note_write(hand, row);
}

/* ---- looking ---- */

/* What is seen in one look: rows where they stand, until the next change. */
struct look {
    struct store *store;
    struct hand *hand;
    size_t count;
    bool has_blobs;
    MDB_val keys[LOOK];
    uint64_t blobs[LOOK];
    struct use uses[LOOK];
    uint16_t order[CANDIDATES]; /* of those that may go, the one used longest ago first */
    size_t oldest;              /* how many these are */
};

static bool is_row(const struct row_key *row, const MDB_val *key)
{
    return row && row->val.mv_size == key->mv_size &&
           memcmp(row->bytes, key->mv_data, key->mv_size) == 0;
}

/* Whether it belongs to what wants room. */
static bool is_kept(const struct hand *hand, const MDB_val *key)
{
    return hand->put && (is_row(hand->put->row, key) || is_row(hand->put->source, key));
}

/* Takes in a row. */
static int look_at(struct look *look, const MDB_val *key, const MDB_val *data)
{
    const struct store *store = look->store;
    struct record record;
    int r = record_read(data->mv_data, data->mv_size, &record);

    if (r < 0)
        return r;
    /* What ends with its owner does so; what a group puts makes no room for the rest of it. */
    if (is_kept(look->hand, key) || record.owner ||
        (store->grouping && record.version > store->committed.version))
        return 0;
    look->keys[look->count] = *key;
    look->blobs[look->count] = record.blob;
    use_init(store, key, &record, &look->uses[look->count]);
    look->count++;
    look->has_blobs |= record.blob != 0;
    return 0;
}

static int move_to(MDB_cursor *cursor, const struct row_key *from, MDB_val *key, MDB_val *data)
{
    *key = from->val;
    return store_error(mdb_cursor_get(cursor, key, data, MDB_SET_RANGE));
}

static bool is_in_bucket(const struct row_key *from, const MDB_val *key)
{
    return memcmp(key->mv_data, from->bytes, sizeof(uint32_t)) == 0;
}

/* Goes on over so many rows, behind the last one of the bucket with the first. */
static int look_along(struct look *look, MDB_cursor *cursor, struct row_key *from, uint64_t rows)
{
    bool again = false;
    MDB_val key, data;
    int r = move_to(cursor, from, &key, &data);

    while (r == 0 || r == -ENOENT) {
        if (r == -ENOENT || !is_in_bucket(from, &key)) {
            rewind_to(from, look->hand->bucket);
            if (again || rows == 0)
                return 0;
            again = true;
            r = move_to(cursor, from, &key, &data);
            continue;
        }
        if (rows-- == 0)
            break;
        r = look_at(look, &key, &data);
        if (r == 0)
            r = store_error(mdb_cursor_get(cursor, &key, &data, MDB_NEXT));
    }
    if (r == 0)
        row_key_copy(from, &key);
    return r;
}

static bool is_pinned(uint64_t blob, const uint64_t *pinned, size_t count)
{
    return blob && count > 0 && bsearch(&blob, pinned, count, sizeof(blob), store_compare_blobs);
}

/* Puts a row into the order, if it is one of the oldest. */
static void order_insert(struct look *look, uint16_t row)
{
    const uint64_t time = look->uses[row].time;
    size_t place = look->oldest;

    while (place > 0 && look->uses[look->order[place - 1]].time > time)
        place--;
    if (place == CANDIDATES)
        return;
    if (look->oldest < CANDIDATES)
        look->oldest++;
    memmove(look->order + place + 1, look->order + place,
            (look->oldest - place - 1) * sizeof(look->order[0]));
    look->order[place] = row;
}

/* Orders what was used longest ago, without what is viewed in place. */
static int look_order(struct look *look)
{
    struct store *store = look->store;
    uint64_t *pinned = NULL;
    size_t count = 0;
    int r = look->has_blobs && store->pins.read
                ? store->pins.read(store->pins.context, &pinned, &count)
                : 0;

    if (r < 0)
        return r;
    if (count > 0)
        qsort(pinned, count, sizeof(*pinned), store_compare_blobs);
    for (size_t i = 0; i < look->count; i++) {
        if (!is_pinned(look->blobs[i], pinned, count))
            order_insert(look, (uint16_t)i);
    }
    free(pinned);
    return 0;
}

/* Makes the first of those that were seen candidates, as many as have room. */
static void hand_choose(struct look *look)
{
    struct hand *hand = look->hand;
    size_t place = 0;

    hand->next = hand->count = 0;
    for (; hand->count < look->oldest; hand->count++) {
        size_t i = look->order[hand->count];
        const MDB_val *key = &look->keys[i];

        if (place + key->mv_size > sizeof(hand->keys))
            break;
        memcpy(hand->keys + place, key->mv_data, key->mv_size);
        hand->candidates[hand->count] = (struct candidate){
            .used = look->uses[i].time, .key = (uint16_t)place, .length = (uint16_t)key->mv_size};
        place += key->mv_size;
    }
}

/* Sees what there is, so many rows of the round and so many along the trail. */
static int look_around(struct look *look, uint64_t sweep, uint64_t trail)
{
    struct store *store = look->store;
    MDB_cursor *cursor;
    int r = store_error(mdb_cursor_open(store->change, store->objects, &cursor));

    if (r < 0)
        return r;
    r = look_along(look, cursor, &look->hand->sweep, sweep);
    if (r == 0 && trail > 0)
        r = look_along(look, cursor, &look->hand->trail, trail);
    mdb_cursor_close(cursor);
    uses_read(store, look->uses, look->count);
    return r;
}

/* Looks for candidates. -ENOENT: none of the bucket's objects may go. */
static int hand_look(struct store *store, struct hand *hand)
{
    const uint64_t objects = store->bucket->counters.objects;
    const uint64_t sweep = objects > LOOK ? SWEEP : objects;
    struct look look;
    int r;

    look.store = store;
    look.hand = hand;
    look.count = look.oldest = 0;
    look.has_blobs = false;
    r = look_around(&look, sweep, objects > LOOK ? TRAIL : 0);
    if (r == 0)
        r = look_order(&look);
    if (r < 0)
        return r;
    hand_choose(&look);
    hand->barren = hand->count > 0 ? 0 : hand->barren + sweep;
    if (hand->barren < objects)
        return 0;
    hand->barren = 0;
    return hand->count > 0 ? 0 : -ENOENT;
}

/* ---- pointing ---- */

/* Finds the candidate. -ENOENT: it is gone, was used meanwhile, or is to stay. */
static int candidate_find(struct store *store, struct hand *hand, struct row_key *ret_row,
                          struct record *ret_record)
{
    const struct candidate *candidate = &hand->candidates[hand->next];
    MDB_val key = {.mv_data = hand->keys + candidate->key, .mv_size = candidate->length};
    struct use use;
    int r;

    row_key_copy(ret_row, &key);
    r = row_find(store, ret_row, ret_record);
    /* While others go on using what they find, somebody has to go in the end: those that were just
     * chosen. */
    if (r == 0 && is_kept(hand, &ret_row->val))
        return -ENOENT;
    if (r < 0 || hand->looks > 0)
        return r;
    use_init(store, &ret_row->val, ret_record, &use);
    uses_read(store, &use, 1);
    return use.time == candidate->used ? 0 : -ENOENT;
}

int hand_find(struct store *store, struct hand *hand, struct row_key *ret_row,
              struct record *ret_record)
{
    int r;

    for (;;) {
        for (; hand->next < hand->count; hand->next++) {
            r = candidate_find(store, hand, ret_row, ret_record);
            if (r != -ENOENT)
                return r;
        }
        if (hand->looks == LOOKS_MAX)
            return -EINPROGRESS;
        hand->looks++;
        r = hand_look(store, hand);
        if (r < 0)
            return r;
    }
}

void hand_pass(struct hand *hand)
{
    hand->next++;
}
