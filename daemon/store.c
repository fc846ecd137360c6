#include "store_private.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ENV_FLAGS (MDB_WRITEMAP | MDB_NOSYNC | MDB_NOTLS | MDB_NOMEMINIT)
#define DATABASES_MAX 16

/* With more buckets a store is not started afresh: it would take too long. */
#define RENEW_BUCKETS_MAX 1024

/* Changes in one transaction; LMDB's own limit is on the pages they touch. */
#define CHANGES_MAX 4096

int store_error(int code)
{
    switch (code) {
    case MDB_SUCCESS:
        return 0;
    case MDB_NOTFOUND:
        return -ENOENT;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
        return -ENOSPC;
    case MDB_READERS_FULL:
        return -EUSERS;
    case MDB_KEYEXIST:
    case MDB_BAD_VALSIZE:
    case MDB_BAD_TXN:
    case MDB_BAD_DBI:
        return -ENOTRECOVERABLE; /* a mistake of ours */
    default:
        return code > 0 ? -code : -EUCLEAN;
    }
}

/* ---- transactions ---- */

void store_stop_looking(struct store *store)
{
    if (store->looking)
        mdb_txn_reset(store->look);
    store->looking = false;
}

int store_reader(struct store *store, MDB_txn **ret_txn)
{
    int r;

    if (store->change) {
        *ret_txn = store->change;
        return 0;
    }
    if (!store->looking) {
        r = store_error(mdb_txn_renew(store->look));
        if (r < 0)
            return r;
        store->looking = true;
    }
    *ret_txn = store->look;
    return 0;
}

/* Forgets what the running transaction changed, for that reason. */
static int store_forget(struct store *store, int error)
{
    MDB_txn *txn;
    int r = 0;

    store->change = NULL;
    store->cursor = NULL;
    store->changes = 0;
    store->totals = store->committed;
    open_buckets_forget(store);
    store->buckets_moving = false;
    if (store->next_committed < store->next_expiry)
        store->next_expiry = store->next_committed;
    uploads_forget(store, error);
    events_forget(&store->events);
    if (store->counted) {
        r = store_reader(store, &txn);
        if (r == 0)
            r = counters_forget(store, txn);
    }
    store->counted = r < 0;
    store_stop_looking(store);
    return r;
}

int store_drop(struct store *store, int error)
{
    bool alone = store->changes == 1 && !store->grouping;
    int r;

    if (store->change)
        mdb_txn_abort(store->change);
    r = store_forget(store, error);
    if (r < 0)
        error = r;
    /* Earlier changes are gone with this one; whoever waits for them must hear of it. */
    if (!alone)
        store->failed = error;
    return error;
}

int store_prepare(struct store *store)
{
    if (store->failed)
        return store->failed;
    if (store->change)
        return 0;
    store_stop_looking(store);
    return store_error(mdb_txn_begin(store->env, NULL, 0, &store->change));
}

void store_unprepare(struct store *store)
{
    if (store->change)
        mdb_txn_abort(store->change);
    store->change = NULL;
    store->cursor = NULL;
}

int store_begin(struct store *store, const struct claim *claim)
{
    int r;

    if (store->failed)
        return store->failed;
    if (store->changes >= CHANGES_MAX)
        return -EAGAIN;
    r = store->grouping ? 0 : reserve_claim(store, claim);
    if (r == 0)
        r = store_prepare(store);
    if (r == 0)
        store->changes++;
    return r;
}

static int store_write_counters(struct store *store)
{
    int r = open_buckets_write(store);

    return r < 0 ? r : counters_write_totals(store);
}

int store_commit(struct store *store)
{
    int r = store->failed;

    store->failed = 0;
    if (store->changes == 0) {
        store->next_committed = store->next_expiry; /* which may have been looked up */
        store_unprepare(store);
        store_stop_looking(store);
        return r;
    }
    r = store_write_counters(store);
    if (r < 0)
        mdb_txn_abort(store->change);
    else
        r = store_error(mdb_txn_commit(store->change));
    if (r < 0) {
        int error = store_forget(store, r);

        return error < 0 ? error : r;
    }
    store->change = NULL;
    store->cursor = NULL;
    store->changes = 0;
    store->counted = false;
    store->committed = store->totals;
    store->buckets_moved |= store->buckets_moving;
    store->buckets_moving = false;
    counters_settle(store);
    store->next_committed = store->next_expiry;
    store->commits++;
    uploads_settle(store);
    events_commit(&store->events);
    return 0;
}

/* ---- counters ---- */

void store_stamp(struct store *store, struct record *record)
{
    struct timespec now;
    int64_t modified;

    clock_gettime(CLOCK_REALTIME, &now);
    modified = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    if (modified <= store->totals.last_modified)
        modified = store->totals.last_modified + 1;
    store->totals.last_modified = modified;
    record->modified = modified;
    record->version = ++store->totals.version;
}

struct events *store_events(struct store *store)
{
    return &store->events;
}

int store_take_version(struct store *store, uint64_t *ret_version)
{
    int r = store_begin(store, &(struct claim){.rows = 1, .frees = true});

    if (r < 0)
        return r;
    r = store_dirty(store);
    if (r < 0)
        return store_drop(store, r);
    *ret_version = ++store->totals.version;
    return 0;
}

const struct store_limits *store_limits(const struct store *store)
{
    return &store->limits;
}

void store_status(struct store *store, struct store_status *ret_status)
{
    struct stat file = {0};

    *ret_status = (struct store_status){.used = store->totals.used,
                                        .objects = store->totals.objects,
                                        .version = store->totals.version,
                                        .buckets = store->totals.buckets,
                                        .garbage = store_garbage(store),
                                        .garbage_bytes = store_garbage_bytes(store),
                                        .map_size = store->reserve.map * store->page_size,
                                        .commits = store->commits};
    memcpy(ret_status->id, store->head.id, STORE_ID_BYTES);
    if (fstat(store->data_fd, &file) == 0)
        ret_status->memory = (uint64_t)file.st_blocks * 512;
}

/* ---- opening ---- */

static int store_open_databases(struct store *store, bool fresh)
{
    const struct {
        const char *name;
        unsigned flags;
        MDB_dbi *database;
    } databases[] = {
        {NULL, 0, &store->objects},
        {"blobs", MDB_INTEGERKEY, &store->blobs},
        {"refs", MDB_INTEGERKEY, &store->refs},
        {"buckets", MDB_INTEGERKEY, &store->buckets},
        {"names", 0, &store->names},
        {"dropped", MDB_INTEGERKEY, &store->dropped},
        {"counters", MDB_INTEGERKEY, &store->counters},
        {"garbage", 0, &store->garbage},
        {"ends", 0, &store->ends},
    };
    int r = 0;

    for (size_t i = 0; r == 0 && i < sizeof(databases) / sizeof(databases[0]); i++)
        r = store_error(mdb_dbi_open(store->change, databases[i].name,
                                     databases[i].flags | (fresh ? MDB_CREATE : 0),
                                     databases[i].database));
    return r == -ENOENT ? -EUCLEAN : r;
}

int store_dirty(struct store *store)
{
    struct row_key row;
    MDB_val head = {.mv_data = &store->head, .mv_size = sizeof(store->head)};

    row_key_init(&row, &(struct store_key){.bucket = STORE_HEAD_BUCKET});
    return store_error(mdb_put(store->change, store->objects, &row.val, &head, 0));
}

/* Fills a fresh environment: the head, the counters, and the buckets. */
static int store_make(struct store *store, const struct kept_buckets *kept)
{
    int r;

    /* A store that starts afresh goes on counting: versions and ids never come again. */
    store->head.format = STORE_FORMAT;
    store->totals.spare_bytes = 0;
    if (store->totals.version == 0 &&
        getrandom(store->head.id, STORE_ID_BYTES, 0) != STORE_ID_BYTES)
        return -errno;
    r = store_dirty(store);
    if (r == 0)
        r = counters_make(store);
    if (r == 0)
        r = buckets_make(store, kept);
    return r < 0 ? r : counters_write_totals(store);
}

static int store_load(struct store *store)
{
    struct row_key row;
    MDB_val head;
    int r;

    row_key_init(&row, &(struct store_key){.bucket = STORE_HEAD_BUCKET});
    r = store_error(mdb_get(store->change, store->objects, &row.val, &head));
    if (r < 0)
        return r == -ENOENT ? -EUCLEAN : r;
    if (head.mv_size != sizeof(store->head))
        return -EUCLEAN;
    memcpy(&store->head, head.mv_data, sizeof(store->head));
    if (store->head.format != STORE_FORMAT)
        return -EUCLEAN;
    r = counters_forget_all(store, store->change);
    return r < 0 ? r : counters_read_totals(store, store->change);
}

/* Opens the databases, reads what is there or makes it, all in one transaction. */
static int store_begin_use(struct store *store, const struct kept_buckets *kept)
{
    MDB_stat stat;
    bool fresh;
    int r = store_error(mdb_txn_begin(store->env, NULL, 0, &store->change));

    if (r < 0)
        return r;
    mdb_env_stat(store->env, &stat);
    fresh = stat.ms_entries == 0;
    r = store_open_databases(store, fresh);
    if (r == 0)
        r = fresh ? store_make(store, kept) : store_load(store);
    if (r < 0)
        mdb_txn_abort(store->change);
    else
        r = store_error(mdb_txn_commit(store->change));
    store->change = NULL;
    if (r < 0)
        return r;
    store->committed = store->totals;
    store->next_expiry = store->next_committed = 0;
    r = store_error(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &store->look));
    if (r < 0)
        return r;
    mdb_txn_reset(store->look);
    return store_scan_init(store);
}

/* Opens the environment in a folder and begins to use it. */
static int store_start(struct store *store, const char *folder, const struct kept_buckets *kept)
{
    int r = store_error(mdb_env_create(&store->env));

    if (r < 0)
        return r;
    r = reserve_open(store, folder, ENV_FLAGS, DATABASES_MAX);
    return r < 0 ? r : store_begin_use(store, kept);
}

static void store_stop(struct store *store)
{
    if (store->change)
        mdb_txn_abort(store->change);
    if (store->look)
        mdb_txn_abort(store->look);
    store_scan_finish(store);
    if (store->env)
        mdb_env_close(store->env);
    store->change = store->look = NULL;
    store->cursor = NULL;
    store->looking = store->counted = false;
    store->places = (struct counters_places){0};
    store->env = NULL;
}

int store_open(const char *folder, const struct store_limits *limits, struct store **ret_store)
{
    struct store *store = calloc(1, sizeof(*store));
    int r;

    if (!store)
        return -ENOMEM;
    store->limits = *limits;
    store->uses.fd = -1;
    store->defers_from = UINT64_MAX;
    TAILQ_INIT(&store->uploads);
    hands_start(store);
    store->folder = strdup(folder);
    r = store->folder ? store_start(store, folder, &(struct kept_buckets){0}) : -ENOMEM;
    if (r == 0)
        r = uses_start(store);
    if (r < 0) {
        store_close(store);
        return r;
    }
    *ret_store = store;
    return 0;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    store_stop(store);
    uses_stop(store);
    hands_finish(store);
    events_finish(&store->events);
    free(store->folder);
    free(store);
}

/* ---- starting afresh ---- */

static int store_path(const struct store *store, const char *name, char path[PATH_MAX])
{
    return snprintf(path, PATH_MAX, "%s/%s", store->folder, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* Moves a file of the new environment to the place of the old one. */
static int store_move_file(const struct store *store, const char *name, const char *new_name)
{
    char from[PATH_MAX], to[PATH_MAX];

    if (store_path(store, new_name, from) < 0 || store_path(store, name, to) < 0)
        return -ENAMETOOLONG;
    return rename(from, to) < 0 ? -errno : 0;
}

static void store_remove_new(const struct store *store)
{
    char path[PATH_MAX];

    if (store_path(store, "new/lock.mdb", path) == 0)
        unlink(path);
    if (store_path(store, "new/data.mdb", path) == 0)
        unlink(path);
    if (store_path(store, "new", path) == 0)
        rmdir(path);
}

/* Makes the new environment beside the old one and then puts it in its place, so that there is one
 * at every moment. */
static int store_start_afresh(struct store *store, const struct kept_buckets *kept)
{
    char path[PATH_MAX];
    int r = store_path(store, "new", path);

    if (r < 0)
        return r;
    store_remove_new(store); /* that a crash may have left */
    if (mkdir(path, 0700) < 0)
        return -errno;
    r = store_start(store, path, kept);
    if (r == 0)
        r = store_move_file(store, "lock.mdb", "new/lock.mdb");
    if (r == 0)
        r = store_move_file(store, "data.mdb", "new/data.mdb");
    store_remove_new(store);
    return r;
}

int store_renew(struct store *store)
{
    struct kept_buckets kept;
    int r;

    if (store->changes > 0 || store->scans > 0 || store->totals.objects > 0 ||
        store->totals.dropped > 0 || store->totals.garbage > 0 ||
        store->totals.buckets > RENEW_BUCKETS_MAX || !reserve_is_worn(store))
        return 0;
    r = buckets_keep(store, &kept);
    if (r < 0)
        return r == -ENOMEM ? 0 : -ENOTRECOVERABLE;
    store_stop(store);
    open_buckets_forget(store);
    r = store_start_afresh(store, &kept);
    free(kept.buckets);
    if (r == 0)
        return 1;
    /* There was no room for it; the old one is still in place. */
    store_stop(store);
    return store_start(store, store->folder, &(struct kept_buckets){0}) < 0 ? -ENOTRECOVERABLE : 0;
}
