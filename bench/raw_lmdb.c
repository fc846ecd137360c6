/*
 * LMDB without anything around it: this process opens an environment itself, that holds records of
 * the same sizes under keys of the same length. What a reader can have at best.
 */
#include "bench/process.h"
#include "bench/run.h"
#include "bench/subject.h"
#include "common/protocol.h"
#include "common/record.h"

#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAP_BYTES (4ULL << 30)
#define READERS 2048

/* As memstore: a bucket's number in front of the key. */
struct row_key {
    uint32_t bucket;
    struct key key;
};

struct raw {
    MDB_env *env;
    MDB_txn *reader; /* NULL: this one writes */
    MDB_dbi dbi;
    void *copy; /* READ_MAX bytes */
};

static struct raw *opened; /* by the last open_first */

static void expect(int code, const char *call)
{
    if (code != MDB_SUCCESS)
        run_fail("raw LMDB: %s: %s", call, mdb_strerror(code));
}

static struct row_key row_key_of(const struct key *key)
{
    return (struct row_key){.bucket = 1, .key = *key};
}

static MDB_val val_of(const struct row_key *key)
{
    return (MDB_val){.mv_data = (void *)(uintptr_t)key, .mv_size = sizeof(*key)};
}

/* What stands in front of a value. */
static size_t head_length(void)
{
    return record_length(&(struct record){.type_length = NO_CONTENT_TYPE});
}

static void open_env(struct raw *raw, unsigned flags)
{
    char path[RUN_PATH];
    MDB_txn *txn;

    run_path(path, "raw-lmdb");
    expect(mdb_env_create(&raw->env), "mdb_env_create");
    mdb_env_set_mapsize(raw->env, MAP_BYTES);
    mdb_env_set_maxreaders(raw->env, READERS);
    expect(mdb_env_open(raw->env, path, flags | MDB_NOTLS, 0600), "mdb_env_open");
    expect(mdb_txn_begin(raw->env, NULL, flags & MDB_RDONLY, &txn), "mdb_txn_begin");
    expect(mdb_dbi_open(txn, NULL, 0, &raw->dbi), "mdb_dbi_open");
    if (flags & MDB_RDONLY)
        raw->reader = txn;
    else
        expect(mdb_txn_commit(txn), "mdb_txn_commit");
}

/* A buffer that earlier connections have used: a fresh one would be paid for in page faults. */
static void *warm_buffer(void)
{
    static void *buffer;

    if (!buffer)
        buffer = memset(run_allocate(READ_MAX), 1, READ_MAX);
    return buffer;
}

static void *open_raw(bool writes)
{
    struct raw *raw = run_allocate(sizeof(*raw));

    raw->copy = warm_buffer();
    open_env(raw, writes ? MDB_WRITEMAP | MDB_NOSYNC | MDB_NOMEMINIT : MDB_RDONLY);
    if (raw->reader)
        mdb_txn_reset(raw->reader);
    return raw;
}

static void close_raw(void *connection)
{
    struct raw *raw = connection;

    if (raw->reader)
        mdb_txn_abort(raw->reader);
    mdb_env_close(raw->env);
    free(raw);
}

static pid_t start(void)
{
    char path[RUN_PATH];

    run_path(path, "raw-lmdb");
    if (mkdir(path, 0700) < 0)
        run_fail("%s: %s", path, strerror(errno));
    close_raw(open_raw(true));
    return 0;
}

/* ---- reads ---- */

/* Finds a value, which stays until the transaction's reset. */
static const uint8_t *find(struct raw *raw, const struct key *key, uint32_t size)
{
    struct row_key row_key = row_key_of(key);
    MDB_val key_val = val_of(&row_key);
    MDB_val row;

    expect(mdb_get(raw->reader, raw->dbi, &key_val, &row), "mdb_get");
    if (row.mv_size != head_length() + size)
        run_fail("raw LMDB: a record has %zu bytes", row.mv_size);
    return (const uint8_t *)row.mv_data + head_length();
}

static void view(void *connection, const struct key *key, uint32_t size)
{
    struct raw *raw = connection;

    expect(mdb_txn_renew(raw->reader), "mdb_txn_renew");
    subject_seen = *find(raw, key, size);
    mdb_txn_reset(raw->reader);
}

static void get(void *connection, const struct key *key, uint32_t size)
{
    struct raw *raw = connection;

    expect(mdb_txn_renew(raw->reader), "mdb_txn_renew");
    memcpy(raw->copy, find(raw, key, size), size);
    subject_seen = *(const uint8_t *)raw->copy;
    mdb_txn_reset(raw->reader);
}

/* Looks at each key and record. */
static void walk(MDB_cursor *cursor, MDB_val key, uint32_t size)
{
    MDB_val row;
    int r = mdb_cursor_get(cursor, &key, &row, MDB_SET_RANGE);

    for (unsigned i = 0; r == 0 && i <= LIST_LENGTH; i++) {
        if (((const struct row_key *)key.mv_data)->key.bytes[0] != 'o')
            return;
        if (row.mv_size != head_length() + size)
            run_fail("raw LMDB: a record in a row has %zu bytes", row.mv_size);
        subject_seen = *(const uint8_t *)row.mv_data;
        r = mdb_cursor_get(cursor, &key, &row, MDB_NEXT);
    }
}

static void list(void *connection, const struct key *key, uint32_t size)
{
    struct raw *raw = connection;
    struct row_key row_key = row_key_of(key);
    MDB_cursor *cursor;

    expect(mdb_txn_renew(raw->reader), "mdb_txn_renew");
    expect(mdb_cursor_open(raw->reader, raw->dbi, &cursor), "mdb_cursor_open");
    walk(cursor, val_of(&row_key), size);
    mdb_cursor_close(cursor);
    mdb_txn_reset(raw->reader);
}

/* ---- opening ---- */

static void open_first(void *connection, const struct key *key, uint32_t size)
{
    (void)connection;
    opened = run_allocate(sizeof(*opened));
    opened->copy = warm_buffer();
    open_env(opened, MDB_RDONLY);
    memcpy(opened->copy, find(opened, key, size), size);
    mdb_txn_reset(opened->reader);
}

static void close_opened(void *connection, const struct key *key, uint32_t size)
{
    (void)connection;
    (void)key;
    (void)size;
    close_raw(opened);
}

/* ---- changes ---- */

static void put_row(struct raw *raw, MDB_txn *txn, const struct key *key, uint32_t size)
{
    struct row_key row_key = row_key_of(key);
    MDB_val key_val = val_of(&row_key);
    MDB_val row = {.mv_size = head_length() + size};

    expect(mdb_put(txn, raw->dbi, &key_val, &row, MDB_RESERVE), "mdb_put");
    memset(row.mv_data, 0, head_length());
    memcpy((uint8_t *)row.mv_data + head_length(), keys_value(), size);
}

static void put(void *connection, const struct key *key, uint32_t size)
{
    struct raw *raw = connection;
    MDB_txn *txn;

    expect(mdb_txn_begin(raw->env, NULL, 0, &txn), "mdb_txn_begin");
    put_row(raw, txn, key, size);
    expect(mdb_txn_commit(txn), "mdb_txn_commit");
}

static void delete (void *connection, const struct key *key, uint32_t size)
{
    struct raw *raw = connection;
    struct row_key row_key = row_key_of(key);
    MDB_val key_val = val_of(&row_key);
    MDB_txn *txn;

    (void)size;
    expect(mdb_txn_begin(raw->env, NULL, 0, &txn), "mdb_txn_begin");
    expect(mdb_del(txn, raw->dbi, &key_val, NULL), "mdb_del");
    expect(mdb_txn_commit(txn), "mdb_txn_commit");
}

static void put_batch(void *connection, const struct key *key, uint32_t size)
{
    struct raw *raw = connection;
    MDB_txn *txn;

    expect(mdb_txn_begin(raw->env, NULL, 0, &txn), "mdb_txn_begin");
    for (unsigned i = 0; i < BATCH_LENGTH; i++) {
        const struct key one = key_in_batch(key, i);

        put_row(raw, txn, &one, size);
    }
    expect(mdb_txn_commit(txn), "mdb_txn_commit");
}

static void fill(const struct objects *objects)
{
    struct raw *raw = open_raw(true);

    for (uint64_t i = objects->from; i < objects->to;) {
        MDB_txn *txn;

        expect(mdb_txn_begin(raw->env, NULL, 0, &txn), "mdb_txn_begin");
        for (unsigned j = 0; j < BATCH_LENGTH && i < objects->to; j++, i++) {
            const struct key key = key_of_object(objects->set, i);

            put_row(raw, txn, &key, objects->size);
        }
        expect(mdb_txn_commit(txn), "mdb_txn_commit");
    }
    close_raw(raw);
}

const struct subject subject_raw = {
    .name = "raw LMDB",
    .id = "raw_lmdb",
    .start = start,
    .open = open_raw,
    .close = close_raw,
    .fill = fill,
    .calls = {[CALL_GET] = get,
              [CALL_VIEW] = view,
              [CALL_EXISTS] = view,
              [CALL_INFO] = view,
              [CALL_LIST] = list,
              [CALL_OPEN] = open_first,
              [CALL_PUT] = put,
              [CALL_DELETE] = delete,
              [CALL_BATCH] = put_batch},
    .before = {[CALL_DELETE] = put},
    .after = {[CALL_OPEN] = close_opened},
};
