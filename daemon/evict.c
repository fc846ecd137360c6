/*
 * Eviction: a bucket whose policy is lru makes room for what is put into it by giving up what was
 * used least recently (hand.c).
 */
#include "store_private.h"

#include "boottime.h"

#include <errno.h>
#include <limits.h>

/* Objects that are evicted before others have their turn. */
#define EVICTIONS_MAX 64
#define EVICTIONS_MAX_AHEAD 256 /* for a batch, which begins anew then */

#define ROW_BYTES 64 /* that an object has besides its value, at least */

/* What there is to be room for. */
struct room {
    int (*check)(struct store *store, const struct room *room); /* -EDQUOT: there is none yet */
    const struct evict_put *put;                                /* for one value; or NULL */
    const struct group_bucket *group;
    uint64_t used; /* for others: what the bucket may have before */
    uint64_t objects;
    int evicted;
};

/* By how much a total is over a limit. */
static uint64_t excess(uint64_t total, uint64_t limit)
{
    return total > limit ? total - limit : 0;
}

static bool evicts(const struct store *store)
{
    return store->bucket->row.settings.policy == POLICY_LRU;
}

static int evict_row(struct store *store, struct row_key *row, const struct record *record)
{
    const uint32_t id = store->bucket->id;
    int r;

    if (store->grouping && store->group.evictions-- == 0) {
        store->group.evictions = 0;
        return -EINPROGRESS;
    }
    r = row_remove(store, row, record, EVENT_EVICT);
    if (r != -ENOSPC || !reserve_last_resort(store))
        return r;
    /* With the transaction the bucket was forgotten. */
    r = store_open_bucket(store, id);
    return r < 0 ? r : row_remove(store, row, record, EVENT_EVICT);
}

/* Evicts the next object that the hand finds. */
static int evict_next(struct store *store, struct hand *hand, struct room *room)
{
    struct record record;
    struct row_key row;
    int r = hand_find(store, hand, &row, &record);

    if (r == 0)
        r = evict_row(store, &row, &record);
    if (r < 0)
        return r;
    hand_pass(hand);
    room->evicted++;
    return 0;
}

/* Evicts objects of the bucket at hand until there is room. -ENOENT: none is left that may go;
 * -EINPROGRESS: `most` of them are gone, or the hand has looked long. */
static int evict(struct store *store, struct room *room, int most)
{
    struct hand *hand = hand_of(store, room->put);
    int r;

    if (!hand)
        return -ENOMEM;
    while ((r = room->check(store, room)) == -EDQUOT) {
        r = room->evicted < most ? evict_next(store, hand, room) : -EINPROGRESS;
        if (r < 0)
            break;
    }
    return r == -EAGAIN && room->evicted > 0 ? -EINPROGRESS : r;
}

/* ---- for one value ---- */

int evict_check(struct store *store, const struct evict_put *put)
{
    return put->moves ? quota_check_bucket(store, put->old_size, put->size, put->adds)
                      : quota_check(store, put->old_size, put->size, put->adds);
}

static int check_put(struct store *store, const struct room *room)
{
    return evict_check(store, room->put);
}

bool evict_could(const struct store *store, const struct evict_put *put)
{
    const struct bucket_settings *settings = &store->bucket->row.settings;
    const uint64_t others = store->totals.used - store->bucket->counters.used;
    const uint64_t least = put->size + put->source_size;
    const uint64_t objects = 1 + (put->source != NULL);

    return evicts(store) && least <= settings->max_size &&
           (!put->adds || objects <= settings->max_objects) &&
           (put->moves ||
            (others <= store->limits.max_size && least <= store->limits.max_size - others));
}

/* What is over goes first. Returns 1 if something of it is gone. */
static int evict_expired(struct store *store)
{
    const uint32_t id = store->bucket->id;
    int r, opened;

    if (store->next_expiry == INT64_MAX || store->next_expiry > boottime_now())
        return 0;
    r = store_expire(store);
    opened = store_open_bucket(store, id);
    return opened < 0 ? opened : r;
}

int evict_for(struct store *store, const struct evict_put *put)
{
    struct room room = {.check = check_put, .put = put};
    int r;

    if (!evict_could(store, put))
        return -EDQUOT;
    r = evict_expired(store);
    if (r < 0)
        return r;
    if (r > 0)
        return check_put(store, &room) < 0 ? -EINPROGRESS : 0;
    r = evict(store, &room, EVICTIONS_MAX);
    return r == -ENOENT ? -EDQUOT : r;
}

/* ---- for a group ---- */

/* More than the group may evict has to go: what the bucket may have before the group begins anew.
 */
static int want_room(struct store *store, const struct group_bucket *bucket, uint64_t size,
                     uint64_t objects)
{
    if (size > bucket->before.used || objects > bucket->before.objects)
        return -EDQUOT;
    store->wanted = (struct group_bucket){.id = bucket->id,
                                          .before = {.used = bucket->before.used - size,
                                                     .objects = bucket->before.objects - objects}};
    return -EINPROGRESS;
}

static int check_group_bucket(struct store *store, const struct room *room)
{
    return quota_check_group_bucket(store, room->group);
}

static int check_group_total(struct store *store, const struct room *room)
{
    (void)room;
    return quota_check_group_total(store);
}

/* Evicts from one of the group's buckets, which is at hand and lacks so much. */
static int evict_in_group(struct store *store, struct room *room, uint64_t size, uint64_t objects)
{
    int r = -EINPROGRESS;

    /* What is over goes first, and before the group begins. */
    if (store->next_expiry > store->group_time)
        r = evict(store, room, INT_MAX);
    if (r == -EINPROGRESS)
        r = want_room(store, room->group, size, objects);
    return r == -ENOENT ? -EDQUOT : r;
}

static int make_bucket_fit(struct store *store, const struct group_bucket *bucket)
{
    struct room room = {.check = check_group_bucket, .group = bucket};
    const struct bucket_settings *settings;
    const struct bucket_counters *now;
    int r = store_open_bucket(store, bucket->id);

    if (r == 0)
        r = check_group_bucket(store, &room);
    if (r != -EDQUOT || !evicts(store))
        return r;
    settings = &store->bucket->row.settings;
    now = &store->bucket->counters;
    return evict_in_group(store, &room, excess(now->used, settings->max_size),
                          excess(now->objects, settings->max_objects));
}

/* The limit of the store: what the group has put into goes on giving. */
static int make_total_fit(struct store *store)
{
    struct room room = {.check = check_group_total};
    int r = check_group_total(store, &room);

    for (size_t i = 0; r == -EDQUOT && i < store->group_buckets_count; i++) {
        room.group = &store->group_buckets[i];
        r = store_open_bucket(store, room.group->id);
        if (r == 0)
            r = evicts(store)
                    ? evict_in_group(store, &room,
                                     excess(store->totals.used, store->limits.max_size), 0)
                    : -EDQUOT;
    }
    return r;
}

int evict_for_group(struct store *store)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < store->group_buckets_count; i++)
        r = make_bucket_fit(store, &store->group_buckets[i]);
    return r < 0 ? r : make_total_fit(store);
}

/* ---- in changes of their own ---- */

static int check_counters(struct store *store, const struct room *room)
{
    const struct bucket_counters *counters = &store->bucket->counters;

    return counters->used > room->used || counters->objects > room->objects ? -EDQUOT : 0;
}

/* Evicts until the bucket has no more than what the room says. */
static int evict_ahead(struct store *store, uint32_t bucket, struct room *room)
{
    int r = store_open_bucket(store, bucket);

    if (r == 0)
        r = store_prepare(store);
    if (r == 0)
        r = evict_expired(store);
    return r < 0 || !evicts(store) ? r : evict(store, room, EVICTIONS_MAX_AHEAD);
}

int store_group_make_room(struct store *store)
{
    struct room room = {.check = check_counters,
                        .used = store->wanted.before.used,
                        .objects = store->wanted.before.objects};
    const uint32_t bucket = store->wanted.id;
    int r;

    store->wanted.id = 0;
    r = bucket ? evict_ahead(store, bucket, &room) : 0;

    return r == -ENOENT ? -EDQUOT : r;
}

int64_t store_evict(struct store *store, uint32_t bucket, uint64_t size)
{
    struct room room = {.check = check_counters, .objects = UINT64_MAX};
    uint64_t before;
    int r = store_open_bucket(store, bucket);

    if (r < 0)
        return r;
    before = store->bucket->counters.used;
    room.used = excess(before, size);
    r = evict_ahead(store, bucket, &room);
    if (room.evicted == 0 || store->failed)
        return r;
    return (int64_t)(before - store->bucket->counters.used) + ROW_BYTES * room.evicted;
}

void store_set_pins(struct store *store, const struct store_pins *pins)
{
    store->pins = *pins;
}

bool store_evicts(struct store *store, uint32_t bucket)
{
    return store_open_bucket(store, bucket) == 0 && evicts(store);
}
