#include "environment.h"

#include "common/boottime.h"
#include "common/protocol.h"
#include "fork.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DATABASES_MAX 16

#define ROW_KEY_MAX (sizeof(uint32_t) + KEY_MAX)

struct environment {
    MDB_env *env;
    MDB_dbi objects;
    MDB_dbi blobs;
    MDB_dbi buckets;
    unsigned users;
    unsigned generation; /* the process that opened it */
    dev_t device;        /* of data.mdb */
    ino_t inode;
    struct environment *next;
};

static pthread_mutex_t environments_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct environment *environments;

static int lmdb_error(int code)
{
    if (code == MDB_NOTFOUND)
        return -ENOENT;
    return code > 0 ? -code : code < 0 ? -EIO : 0;
}

/* A row's key. */
static MDB_val row_key(uint8_t bytes[ROW_KEY_MAX], uint32_t bucket, const void *key,
                       size_t key_length)
{
    uint32_t prefix = __builtin_bswap32(ROW_BUCKET(bucket));

    memcpy(bytes, &prefix, sizeof(prefix));
    if (key_length > 0)
        memcpy(bytes + sizeof(prefix), key, key_length);
    return (MDB_val){.mv_data = bytes, .mv_size = sizeof(prefix) + key_length};
}

/* ---- opening ---- */

/* Whether it is a store of the form that this library knows. */
static bool is_known(MDB_txn *txn, MDB_dbi objects)
{
    uint8_t bytes[ROW_KEY_MAX];
    MDB_val row = row_key(bytes, STORE_HEAD_BUCKET, NULL, 0);
    struct store_head head;
    MDB_val data;

    if (mdb_get(txn, objects, &row, &data) != 0 || data.mv_size != sizeof(head))
        return false;
    memcpy(&head, data.mv_data, sizeof(head));
    return head.format == STORE_FORMAT;
}

static int open_databases(struct environment *environment)
{
    MDB_txn *txn;
    int r = lmdb_error(mdb_txn_begin(environment->env, NULL, MDB_RDONLY, &txn));

    if (r < 0)
        return r;
    r = mdb_dbi_open(txn, NULL, 0, &environment->objects); /* the main one */
    if (r == 0)
        r = mdb_dbi_open(txn, "blobs", MDB_INTEGERKEY, &environment->blobs);
    if (r == 0)
        r = mdb_dbi_open(txn, "buckets", MDB_INTEGERKEY, &environment->buckets);
    if (r != 0 || !is_known(txn, environment->objects)) {
        mdb_txn_abort(txn);
        return -EIO; /* not -ENOENT, which means an object's absence */
    }
    return lmdb_error(mdb_txn_commit(txn)); /* so that the databases stay open */
}

static int environment_create(const char *path, uint64_t map_size,
                              struct environment **ret_environment)
{
    struct environment *environment = calloc(1, sizeof(*environment));
    mdb_filehandle_t fd;
    int r;

    if (!environment)
        return -ENOMEM;
    r = lmdb_error(mdb_env_create(&environment->env));
    if (r < 0)
        goto fail;
    mdb_env_set_maxdbs(environment->env, DATABASES_MAX);
    mdb_env_set_mapsize(environment->env, map_size);
    r = lmdb_error(mdb_env_open(environment->env, path, MDB_RDONLY | MDB_NOTLS, 0600));
    /* LMDB leaves this one open to programs that are executed; they would keep the store's memory.
     */
    if (r == 0 && mdb_env_get_fd(environment->env, &fd) == 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (r == 0)
        r = open_databases(environment);
    if (r < 0)
        goto fail_env;
    environment->users = 1;
    environment->generation = fork_generation();
    *ret_environment = environment;
    return 0;

fail_env:
    mdb_env_close(environment->env);
fail:
    free(environment);
    return r == -ENOENT ? -EIO : r;
}

/* One of this process; a parent's is of no use to its child. */
static struct environment *find_open(const struct stat *file)
{
    struct environment *environment = environments;

    while (environment &&
           (environment->device != file->st_dev || environment->inode != file->st_ino ||
            environment->generation != fork_generation()))
        environment = environment->next;
    return environment;
}

static int open_or_share(const char *path, const struct stat *file, uint64_t map_size,
                         struct environment **ret_environment)
{
    struct environment *environment = find_open(file);
    int r;

    if (environment) {
        environment->users++;
        *ret_environment = environment;
        return 0;
    }
    r = environment_create(path, map_size, &environment);
    if (r < 0)
        return r;
    environment->device = file->st_dev;
    environment->inode = file->st_ino;
    environment->next = environments;
    environments = environment;
    *ret_environment = environment;
    return 0;
}

int environment_open(int folder, uint64_t map_size, struct environment **ret_environment)
{
    char path[64], file_path[80];
    struct stat file;
    int r;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", folder);
    snprintf(file_path, sizeof(file_path), "%s/data.mdb", path);
    if (stat(file_path, &file) < 0)
        return -EIO;
    pthread_mutex_lock(&environments_mutex);
    r = open_or_share(path, &file, map_size, ret_environment);
    pthread_mutex_unlock(&environments_mutex);
    return r;
}

static void environment_destroy(struct environment *environment)
{
    struct environment **place = &environments;

    while (*place != environment)
        place = &(*place)->next;
    *place = environment->next;
    mdb_env_close(environment->env);
    free(environment);
}

void environment_close(struct environment *environment)
{
    if (!environment)
        return;
    pthread_mutex_lock(&environments_mutex);
    /* A child leaves its parent's alone: to close it would free the parent's reader slots. */
    if (--environment->users == 0 && environment->generation == fork_generation())
        environment_destroy(environment);
    pthread_mutex_unlock(&environments_mutex);
}

void environment_lock(void)
{
    pthread_mutex_lock(&environments_mutex);
}

void environment_unlock(void)
{
    pthread_mutex_unlock(&environments_mutex);
}

/* ---- reading ---- */

int reading_create(struct environment *environment, struct reading *ret_reading)
{
    MDB_txn *txn;

    if (mdb_txn_begin(environment->env, NULL, MDB_RDONLY, &txn) != 0)
        return -EIO;
    *ret_reading = (struct reading){.environment = environment, .txn = txn};
    return 0;
}

int reading_begin(struct reading *reading)
{
    return mdb_txn_renew(reading->txn) == 0 ? 0 : -EIO;
}

void reading_end(struct reading *reading)
{
    mdb_txn_reset(reading->txn);
}

void reading_destroy(struct reading *reading)
{
    /* A child leaves its parent's alone: to abort one would free the parent's reader slot. */
    if (reading->environment->generation == fork_generation())
        mdb_txn_abort(reading->txn);
}

int reading_find(struct reading *reading, uint32_t bucket, const void *key, size_t key_length,
                 struct record *ret_record)
{
    uint8_t bytes[ROW_KEY_MAX];
    MDB_val row = row_key(bytes, bucket, key, key_length);
    MDB_val data;
    int r = lmdb_error(mdb_get(reading->txn, reading->environment->objects, &row, &data));

    if (r == 0)
        r = record_read(data.mv_data, data.mv_size, ret_record);
    if (r == 0 && ret_record->expires != 0 && record_is_over(ret_record, boottime_now()))
        r = -ENOENT;
    return r;
}

int reading_bucket(struct reading *reading, uint32_t bucket, struct bucket *ret_bucket)
{
    MDB_val key = {.mv_data = &bucket, .mv_size = sizeof(bucket)};
    MDB_val row;
    int r = lmdb_error(mdb_get(reading->txn, reading->environment->buckets, &key, &row));

    if (r < 0)
        return r;
    if (row.mv_size != sizeof(*ret_bucket))
        return -EIO;
    memcpy(ret_bucket, row.mv_data, sizeof(*ret_bucket));
    return 0;
}

int reading_value(struct reading *reading, const struct record *record, const uint8_t **ret_value)
{
    uint64_t id = record->blob;
    MDB_val key = {.mv_data = &id, .mv_size = sizeof(id)};
    MDB_val data;

    if (!record->blob) {
        *ret_value = record->value;
        return 0;
    }
    if (mdb_get(reading->txn, reading->environment->blobs, &key, &data) != 0 ||
        data.mv_size < record->size)
        return -EIO;
    *ret_value = data.mv_data;
    return 0;
}

/* Moves to the first row of the prefix, or to the first one behind `after`. */
static int scan_first(MDB_cursor *cursor, const MDB_val *start, bool skip_start, MDB_val *key,
                      MDB_val *data)
{
    int r;

    *key = *start;
    r = mdb_cursor_get(cursor, key, data, MDB_SET_RANGE);
    if (r == 0 && skip_start && key->mv_size == start->mv_size &&
        memcmp(key->mv_data, start->mv_data, key->mv_size) == 0)
        r = mdb_cursor_get(cursor, key, data, MDB_NEXT);
    return r;
}

static bool starts_with(const MDB_val *key, const MDB_val *prefix)
{
    return key->mv_size >= prefix->mv_size &&
           memcmp(key->mv_data, prefix->mv_data, prefix->mv_size) == 0;
}

int reading_scan(struct reading *reading, uint32_t bucket, const void *prefix, size_t prefix_length,
                 const void *after, size_t after_length,
                 int (*visit)(void *context, const void *key, size_t key_length,
                              const struct record *record),
                 void *context)
{
    uint8_t prefix_bytes[ROW_KEY_MAX], after_bytes[ROW_KEY_MAX];
    MDB_dbi objects = reading->environment->objects;
    MDB_val prefix_row = row_key(prefix_bytes, bucket, prefix, prefix_length);
    MDB_val after_row = row_key(after_bytes, bucket, after, after ? after_length : 0);
    bool has_after = after && mdb_cmp(reading->txn, objects, &after_row, &prefix_row) >= 0;
    int64_t now = boottime_now();
    MDB_cursor *cursor;
    MDB_val key, data;
    struct record record;
    int r;

    if (mdb_cursor_open(reading->txn, objects, &cursor) != 0)
        return -EIO;
    r = lmdb_error(
        scan_first(cursor, has_after ? &after_row : &prefix_row, has_after, &key, &data));
    while (r == 0 && starts_with(&key, &prefix_row)) {
        r = record_read(data.mv_data, data.mv_size, &record);
        if (r == 0 && !record_is_over(&record, now))
            r = visit(context, (const uint8_t *)key.mv_data + sizeof(uint32_t),
                      key.mv_size - sizeof(uint32_t), &record);
        if (r == 0)
            r = lmdb_error(mdb_cursor_get(cursor, &key, &data, MDB_NEXT));
    }
    mdb_cursor_close(cursor);
    return r == -ENOENT ? 0 : r;
}
