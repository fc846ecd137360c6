/*
 * Quotas: the limits of a bucket, then that of the store. Both count value bytes only; a bucket may
 * have a limit of objects too. A limit can be below what is used: then nothing may grow.
 */
#include "store_private.h"

#include <errno.h>
#include <string.h>

const struct store_refusal *store_refusal(const struct store *store)
{
    return &store->refusal;
}

static int refuse(struct store *store, const char *what, uint64_t limit)
{
    store->refusal = (struct store_refusal){.what = what, .limit = limit};
    return -EDQUOT;
}

static int refuse_by_bucket(struct store *store, const char *what, uint64_t limit)
{
    const struct bucket *row = &store->bucket->row;

    refuse(store, what, limit);
    store->refusal.id = store->bucket->id;
    memcpy(store->refusal.bucket, row->name, row->name_length);
    return -EDQUOT;
}

/* Whether a total that goes from the old size to the new one is beyond the limit. */
static bool exceeds(uint64_t limit, uint64_t total, uint64_t old_size, uint64_t new_size)
{
    uint64_t rest = total - old_size;

    return limit != STORE_NO_LIMIT && new_size > old_size &&
           (rest > limit || new_size > limit - rest);
}

int quota_check_bucket(struct store *store, uint64_t old_size, uint64_t new_size, bool adds)
{
    const struct bucket_settings *settings = &store->bucket->row.settings;
    const struct bucket_counters *counters = &store->bucket->counters;

    if (store->grouping)
        return 0;
    if (exceeds(settings->max_size, counters->used, old_size, new_size))
        return refuse_by_bucket(store, "size", settings->max_size);
    if (adds && counters->objects >= settings->max_objects)
        return refuse_by_bucket(store, "objects", settings->max_objects);
    return 0;
}

int quota_check(struct store *store, uint64_t old_size, uint64_t new_size, bool adds)
{
    int r = quota_check_bucket(store, old_size, new_size, adds);

    if (r == 0 && !store->grouping &&
        exceeds(store->limits.max_size, store->totals.used, old_size, new_size))
        r = refuse(store, "size", store->limits.max_size);
    return r;
}

/* ---- groups ---- */

void quota_note(struct store *store)
{
    const struct open_bucket *bucket = store->bucket;

    for (size_t i = 0; i < store->group_buckets_count; i++) {
        if (store->group_buckets[i].id == bucket->id)
            return;
    }
    /* A group has no more changes than that. */
    if (store->group_buckets_count < BATCH_COUNT_MAX)
        store->group_buckets[store->group_buckets_count++] =
            (struct group_bucket){.id = bucket->id, .before = bucket->counters};
}

int quota_check_group_bucket(struct store *store, const struct group_bucket *bucket)
{
    const struct bucket_settings *settings = &store->bucket->row.settings;
    const struct bucket_counters *now = &store->bucket->counters;

    if (now->used > settings->max_size && now->used > bucket->before.used)
        return refuse_by_bucket(store, "size", settings->max_size);
    if (now->objects > settings->max_objects && now->objects > bucket->before.objects)
        return refuse_by_bucket(store, "objects", settings->max_objects);
    return 0;
}

int quota_check_group_total(struct store *store)
{
    uint64_t used = store->totals.used;

    return used > store->limits.max_size && used > store->committed.used
               ? refuse(store, "size", store->limits.max_size)
               : 0;
}
