/*
 * Groups: changes that happen together or not at all. LMDB has no transactions inside others where
 * it writes through its map, so a group has one to itself until its end, and what fails in the
 * middle drops all of it.
 */
#include "store_private.h"

#include "boottime.h"

#include <errno.h>

/* Objects of so many bytes may have pages of their own. */
#define PAGES_MIN 1024

static uint64_t min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Pages that so many changes add to the tables of blobs and to the index of ends at most: each
 * copies its path, and what stands beside it, and may split a leaf. A page is copied once. */
static int count_pages(struct store *store, const struct store_group *group, uint64_t *ret_pages)
{
    const MDB_dbi trees[] = {store->blobs, store->refs, store->garbage, store->ends};
    uint64_t changes = group->changes + group->evictions;
    uint64_t pages = changes + 2 * group->lifetimes; /* their keys are long: so branches split */
    MDB_stat stat;
    MDB_txn *txn;
    int r = store_reader(store, &txn);

    for (size_t i = 0; r == 0 && i < sizeof(trees) / sizeof(trees[0]); i++) {
        r = store_error(mdb_stat(txn, trees[i], &stat));
        if (r == 0)
            pages += min(stat.ms_branch_pages + stat.ms_leaf_pages, changes * 2 * stat.ms_depth);
    }
    *ret_pages = pages;
    return r;
}

/* Claims the memory for all of it. */
static int claim(struct store *store, const struct store_group *group)
{
    uint64_t values =
        group->bytes / store->page_size + min(2 * group->changes, 2 * (group->bytes / PAGES_MIN));
    struct claim most = {.rows =
                             group->puts + 2 * (group->changes - group->puts + group->evictions),
                         .blobs = true,
                         .frees = group->puts == 0};
    int r = count_pages(store, group, &most.pages);

    if (r < 0)
        return r;
    most.pages += values;
    if (reserve_approach(store, &most))
        return -EINPROGRESS;
    return reserve_claim_group(store, &most, values);
}

int store_group_begin(struct store *store, const struct store_group *group)
{
    int r = 0;

    if (store->failed || store->changes > 0)
        return -EAGAIN;
    if (group->changes > 0)
        r = claim(store, group);
    if (r < 0)
        return r;
    store->group = *group;
    store->group_time = boottime_now();
    store->group_buckets_count = 0;
    store->wanted.id = 0;
    store->grouping = true;
    return 0;
}

int group_take(struct store *store, uint64_t bytes, bool has_lifetime)
{
    struct store_group *group = &store->group;

    if (!store->grouping)
        return 0;
    if (group->changes == 0 || bytes > group->bytes || (has_lifetime && group->lifetimes == 0))
        return -EPROTO;
    group->changes--;
    group->bytes -= bytes;
    group->lifetimes -= has_lifetime;
    return 0;
}

int store_group_end(struct store *store)
{
    int r = store->failed;

    if (r == 0)
        r = evict_for_group(store);
    if (r == 0)
        store->grouping = false;
    return r;
}

int store_group_abort(struct store *store)
{
    int r = store->changes > 0 ? store_drop(store, 0) : 0;

    store_unprepare(store);
    store->grouping = false;
    store->failed = 0;
    return r;
}
