/*
 * The memory of the store: how much of the file is backed by tmpfs, and how far LMDB may go.
 *
 * LMDB writes through its map. A page of it that tmpfs can't back is a SIGBUS, so memory is taken
 * with fallocate first, in steps, and every change claims the most pages that it can add. While the
 * claims fit what is reserved, LMDB cannot leave it, and its map may be far larger: it is only
 * address space, and readers of any size fit.
 *
 * When no more is to be had (max memory, or tmpfs is full), a change is mostly made alone in a
 * transaction, and the map is cut to what is reserved: the fence. Then LMDB itself finds out
 * whether the free pages inside suffice, and a failure is that one change's. A part of the memory
 * is kept back from puts, because a delete needs pages too before it gives any back.
 */
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* Pages that one change adds to the tables of blobs at most: paths copied, pages split. */
#define BLOB_PAGES 24

/* Values up to so many pages are small: any free pages will do, they need not lie together. */
#define SMALL_PAGES 4

/* Transactions whose pages may not be free for use again yet. */
#define RECENT 8

/* The map in times of max memory. Readers map it too; it costs address space only. */
#define MAP_FACTOR 4

/* Address space that a process has for a map at most, with room for others, bytes. */
#define MAP_MAX (UINT64_C(1) << 45)

#define READERS_MAX 2048
#define LOCK_FILE_SIZE (READERS_MAX * 64 + 4096) /* a reader's slot is a cache line */

#define STEP (1U << 20)       /* bytes taken at once */
#define MORE (2U << 20)       /* the same after a transaction that was short of them */
#define WORN (4U << 20)       /* of a file: pages enough to lie in the way of each other */
#define AHEAD_MAX (16U << 20) /* bytes to have in reserve when there is time */
#define AHEAD_PART 64         /* of the file, where that is less; a step at least */

/* What a commit adds besides its changes: counters, and the list of free pages, which takes 8 bytes
 * for each page of the file at worst. */
static uint64_t commit_pages(uint64_t last)
{
    return 64 + last / 250;
}

static uint64_t min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/*
 * Pages that changes of so many rows more add to a tree at most. Each copies the row's leaf
 * and the branches above it, if no other did before, and may split them all. A branch is split when
 * it is full, which it can be at the start, or has become by splits below it.
 */
static uint64_t tree_pages(const struct reserve_tree *tree, uint64_t more)
{
    uint64_t rows = tree->rows + more;
    uint64_t above = min(rows * (tree->depth - 1), tree->branches);
    uint64_t splits = min(rows * tree->depth, tree->branches + rows + tree->depth);

    return rows > 0 ? 2 * rows + above + splits : 0;
}

/* Pages that the running transaction may add at most, this change of it included. */
static uint64_t pages_with(const struct reserve *reserve, const struct claim *claim)
{
    return tree_pages(&reserve->objects, claim->rows) + tree_pages(&reserve->ends, claim->ends) +
           reserve->claimed + claim->pages + (claim->blobs ? BLOB_PAGES : 0);
}

static void add_claim(struct reserve *reserve, const struct claim *claim)
{
    reserve->objects.rows += claim->rows;
    reserve->ends.rows += claim->ends;
    reserve->claimed += claim->pages + (claim->blobs ? BLOB_PAGES : 0);
}

/* Pages in the file as of the last commit. */
static uint64_t file_pages(struct store *store)
{
    MDB_envinfo info;

    mdb_env_info(store->env, &info);
    return info.me_last_pgno + 1;
}

/* Takes memory up to `pages`. Returns 0 or -ENOSPC and the like. */
static int reserve_grow(struct store *store, uint64_t pages)
{
    struct reserve *reserve = &store->reserve;
    off_t from = (off_t)(reserve->pages * store->page_size);
    off_t length;

    if (pages <= reserve->pages)
        return 0;
    length = (off_t)((pages - reserve->pages) * store->page_size);
    while (fallocate(store->data_fd, FALLOC_FL_KEEP_SIZE, from, length) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    reserve->pages = pages;
    return 0;
}

/* Grows by a step or by what is needed; by that alone if there is no room for more. */
static int reserve_grow_to(struct store *store, uint64_t needed)
{
    struct reserve *reserve = &store->reserve;
    uint64_t step = min(max(needed, reserve->pages + STEP / store->page_size), reserve->max);

    if (needed > reserve->max)
        return -ENOSPC;
    if (reserve_grow(store, step) == 0)
        return 0;
    return step > needed ? reserve_grow(store, needed) : -ENOSPC;
}

/* Sets the size of LMDB's map. No transaction may be open. LMDB cuts the file to the map's size, so
 * what was reserved beyond it is gone, and has to be taken again. */
static int reserve_set_map(struct store *store, uint64_t pages)
{
    struct reserve *reserve = &store->reserve;
    uint64_t reserved = reserve->pages;
    int r;

    store->places = (struct counters_places){0};
    r = store_error(mdb_env_set_mapsize(store->env, pages * store->page_size));
    if (r == 0 && pages < reserved) {
        reserve->pages = pages;
        reserve_grow(store, reserved);
    }
    return r;
}

static int reserve_set_fence(struct store *store, uint64_t fence)
{
    struct reserve *reserve = &store->reserve;
    int r;

    if (reserve->fence == fence)
        return 0;
    r = reserve_set_map(store, fence ? fence : reserve->map);
    if (r < 0)
        return -ENOTRECOVERABLE; /* LMDB has given up the old map already */
    reserve->fence = fence;
    return 0;
}

/* Pages that hold something, the list of free pages included. */
static int reserve_pages_used(struct store *store, uint64_t *ret_pages)
{
    const MDB_dbi databases[] = {0,
                                 store->objects,
                                 store->blobs,
                                 store->refs,
                                 store->buckets,
                                 store->names,
                                 store->dropped,
                                 store->counters,
                                 store->garbage,
                                 store->ends};
    uint64_t pages = 2; /* the two meta pages */
    MDB_stat stat;
    MDB_txn *txn;
    int r = store_reader(store, &txn);

    for (size_t i = 0; r == 0 && i < sizeof(databases) / sizeof(databases[0]); i++) {
        r = store_error(mdb_stat(txn, databases[i], &stat));
        if (r == 0)
            pages += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
    }
    if (r < 0)
        return r;
    *ret_pages = pages;
    return 0;
}

/* Whether a reader keeps more than the last few transactions' pages from being used again. */
static bool reserve_has_old_reader(struct store *store)
{
    uint64_t oldest = store_oldest_reader(store);

    return oldest != UINT64_MAX && oldest + RECENT < store_last_commit(store);
}

/*
 * No more memory: lets the change try with the free pages there are; alone, as it may fail. Only
 * where they are plenty and single ones are needed, others may join it.
 */
static int reserve_claim_inside(struct store *store, const struct claim *claim)
{
    struct reserve *reserve = &store->reserve;
    uint64_t kept_back = commit_pages(reserve->last);
    uint64_t fence = reserve->fence ? reserve->fence : reserve->pages;
    uint64_t used = 0, slack;
    int r;

    if (store->scans > 0)
        return -EBUSY; /* a scan has pointers into the map, and keeps pages from being used */
    r = reserve_pages_used(store, &used);
    if (r < 0)
        return r;
    if (!claim->frees && used + pages_with(reserve, claim) + 2 * kept_back > reserve->pages)
        return -ENOSPC;
    if (!claim->frees)
        fence = max(reserve->pages - kept_back, reserve->last);
    store_stop_looking(store);
    r = reserve_set_fence(store, fence);
    if (r < 0)
        return r;
    slack = reserve->pages > used + 2 * kept_back ? reserve->pages - used - 2 * kept_back : 0;
    if (claim->pages <= SMALL_PAGES && slack >= reserve->pages / 4 &&
        !reserve_has_old_reader(store)) {
        reserve->budget = slack / 4;
        add_claim(reserve, claim);
    } else {
        reserve->claimed = reserve->pages; /* nothing else fits this transaction */
    }
    return 0;
}

static struct reserve_tree tree_of(const MDB_stat *stat)
{
    return (struct reserve_tree){.depth = stat->ms_depth > 0 ? stat->ms_depth : 1,
                                 .branches = stat->ms_branch_pages};
}

/* At the start of a transaction. */
static void reserve_begin(struct store *store)
{
    struct reserve *reserve = &store->reserve;
    MDB_stat stat;

    mdb_env_stat(store->env, &stat);
    reserve->last = file_pages(store);
    reserve->objects = tree_of(&stat);
    reserve->ends = (struct reserve_tree){0};
    reserve->claimed = reserve->budget = 0;
    /* So that transactions are as long as they are wanted. */
    if (reserve->was_short && !reserve->fence)
        reserve_grow(store, min(reserve->pages + MORE / store->page_size, reserve->max));
    reserve->was_short = false;
}

/* Few transactions change the index by time: the first claim to it looks at its tree. */
static int reserve_look(struct store *store, const struct claim *claim)
{
    struct reserve *reserve = &store->reserve;
    MDB_stat stat;
    MDB_txn *txn;
    int r;

    if (claim->ends == 0 || reserve->ends.depth > 0)
        return 0;
    r = store_reader(store, &txn);
    if (r == 0)
        r = store_error(mdb_stat(txn, store->ends, &stat));
    if (r == 0)
        reserve->ends = tree_of(&stat);
    return r;
}

bool reserve_approach(struct store *store, const struct claim *claim)
{
    struct reserve *reserve = &store->reserve;
    uint64_t step = STEP / store->page_size;
    uint64_t most;

    if (store->changes == 0)
        reserve_begin(store);
    most = reserve->last + pages_with(reserve, claim) + 2 * commit_pages(reserve->last);
    if (most > reserve->max || most <= reserve->pages + step)
        return false;
    return reserve_grow(store, reserve->pages + step) == 0;
}

int reserve_claim(struct store *store, const struct claim *claim)
{
    struct reserve *reserve = &store->reserve;
    uint64_t with, most;
    int r;

    if (store->changes == 0)
        reserve_begin(store);
    r = reserve_look(store, claim);
    if (r < 0)
        return r;
    with = pages_with(reserve, claim);
    most = reserve->last + with + commit_pages(reserve->last);
    if (!claim->frees)
        most += commit_pages(reserve->last); /* kept back for deletes */
    if (most <= (reserve->fence ? reserve->fence : reserve->pages) ||
        (claim->pages <= SMALL_PAGES && with <= reserve->budget)) {
        add_claim(reserve, claim);
        return 0;
    }
    /* Claims are the worst case. After a commit it is known how much was really used. */
    if (store->changes > 0) {
        reserve->was_short = claim->pages == 0 && !claim->blobs;
        return -EAGAIN;
    }
    store_unprepare(store);
    if (most <= reserve->max && reserve_grow_to(store, most) == 0) {
        if (reserve->fence && store->scans > 0)
            return -EBUSY;
        store_stop_looking(store);
        r = reserve_set_fence(store, 0);
        if (r == 0)
            add_claim(reserve, claim);
        return r;
    }
    return reserve_claim_inside(store, claim);
}

int reserve_claim_group(struct store *store, const struct claim *most, uint64_t least)
{
    const struct claim first = {.rows = 1, .pages = least, .blobs = true, .frees = most->frees};
    struct reserve *reserve = &store->reserve;
    int r = reserve_claim(store, most);

    /* What it needs at most is far from what it needs: with a fence it can try. */
    if (r == -ENOSPC)
        r = reserve_claim_inside(store, &first);
    if (r == 0 && most->frees && reserve->fence && reserve->fence < reserve->pages)
        r = reserve_set_fence(store, reserve->pages);
    if (r == 0 && reserve->fence)
        reserve->claimed = reserve->pages; /* nothing else fits this transaction */
    return r;
}

bool reserve_is_worn(struct store *store)
{
    return file_pages(store) > WORN / store->page_size;
}

bool reserve_last_resort(struct store *store)
{
    struct reserve *reserve = &store->reserve;

    return !store->change && !store->failed && store->scans == 0 && reserve->fence &&
           reserve->fence < reserve->pages && reserve_set_fence(store, reserve->pages) == 0;
}

int store_reserve_ahead(struct store *store)
{
    struct reserve *reserve = &store->reserve;
    uint64_t last = file_pages(store);
    uint64_t step = STEP / store->page_size;
    uint64_t ahead = min(max(last / AHEAD_PART, step), AHEAD_MAX / store->page_size);
    uint64_t wanted = min(last + ahead, reserve->max);

    if (store->change || reserve->fence || reserve->pages >= wanted)
        return 0;
    return reserve_grow_to(store, min(wanted, reserve->pages + step)) == 0;
}

/* Gives the lock file its memory before LMDB maps it, for the same reason as the data file's.
 * It must not be opened and closed later: that would drop LMDB's locks. */
static int reserve_lock_file(const char *folder)
{
    char path[PATH_MAX];
    int fd;
    int r = 0;

    if (snprintf(path, sizeof(path), "%s/lock.mdb", folder) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    if (fallocate(fd, 0, 0, LOCK_FILE_SIZE) < 0)
        r = -errno;
    close(fd);
    return r;
}

/* A store that was larger before: with less than its file and a little it could not even be
 * emptied. One that has only been full gets no more, or each start would add to it. */
static void reserve_fit(struct store *store)
{
    struct reserve *reserve = &store->reserve;

    if (reserve->last <= 2 * STEP / store->page_size || reserve->max >= reserve->last)
        return;
    reserve->max = reserve->last + 4 * commit_pages(reserve->last);
    store->limits.max_memory = reserve->max * store->page_size;
}

int reserve_open(struct store *store, const char *folder, unsigned flags, unsigned databases)
{
    struct reserve *reserve = &store->reserve;
    MDB_stat stat;
    int r = reserve_lock_file(folder);

    if (r < 0)
        return r;
    store->page_size = (size_t)sysconf(_SC_PAGESIZE);
    *reserve = (struct reserve){.max = store->limits.max_memory / store->page_size};
    reserve->map = max(reserve->max, min(reserve->max * MAP_FACTOR, MAP_MAX / store->page_size));
    mdb_env_set_maxreaders(store->env, READERS_MAX);
    mdb_env_set_maxdbs(store->env, databases);
    r = reserve_set_map(store, reserve->map);
    if (r < 0)
        return r;
    r = store_error(mdb_env_open(store->env, folder, flags, 0600));
    if (r < 0)
        return r;
    mdb_env_get_fd(store->env, &store->data_fd);
    mdb_env_stat(store->env, &stat);
    store->page_size = stat.ms_psize;
    reserve->last = file_pages(store);
    reserve_fit(store);
    /* What is in the file already, and enough for the first transaction. */
    return reserve_grow(
        store, max(reserve->last, min(reserve->max, reserve->last + STEP / store->page_size)));
}
