/* The store by itself, in an environment of its own: quota, counters, blobs, memory, scans. */
#include "daemon/condition.h"
#include "daemon/store.h"
#include "harness.h"
#include "protocol.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lmdb.h>

#define MIB (1024U * 1024)

static struct store *store;
static const struct store_terms terms = {.ttl = TTL_NEVER};
static uint8_t bytes[8 * MIB];

static void open_store(uint64_t max_size, uint64_t max_memory)
{
    struct store_limits limits = {.max_size = max_size, .max_memory = max_memory};

    ck_assert_int_eq(store_open(harness_folder, &limits, &store), 0);
}

static void setup(void)
{
    harness_setup();
    harness_fill(bytes, sizeof(bytes), 1);
}

static void teardown(void)
{
    store_close(store);
    store = NULL;
    harness_teardown();
}

static struct store_key key_of(const char *text)
{
    return (struct store_key){.bucket = 1, .data = text, .length = strlen(text)};
}

/* As the server does it: a change that asks for it gets its commit first. */
static int put_record(const char *key, const struct record *attributes, const void *value,
                      struct record *ret_record)
{
    struct store_key name = key_of(key);
    int r = store_put(store, &name, attributes, &terms, value, ret_record);

    if (r == -EAGAIN) {
        ck_assert_int_eq(store_commit(store), 0);
        r = store_put(store, &name, attributes, &terms, value, ret_record);
    }
    return r;
}

static int put(const char *key, size_t size)
{
    struct record attributes = {.size = size, .type_length = NO_CONTENT_TYPE};
    struct record record;

    return put_record(key, &attributes, bytes, &record);
}

static int remove_key(const char *key)
{
    struct store_key name = key_of(key);
    int r = store_delete(store, &name, NULL);

    if (r == -EAGAIN) {
        ck_assert_int_eq(store_commit(store), 0);
        r = store_delete(store, &name, NULL);
    }
    return r;
}

static int change_pair(int (*change)(struct store *, const struct store_key *,
                                     const struct store_key *, struct store_condition *,
                                     struct record *),
                       const char *from, const char *to)
{
    struct store_key source = key_of(from), target = key_of(to);
    struct record record;
    int r = change(store, &source, &target, NULL, &record);

    if (r == -EAGAIN) {
        ck_assert_int_eq(store_commit(store), 0);
        r = change(store, &source, &target, NULL, &record);
    }
    return r;
}

static int copy(const char *from, const char *to)
{
    return change_pair(store_copy, from, to);
}

static int move(const char *from, const char *to)
{
    return change_pair(store_move, from, to);
}

static struct store_status status_now(void)
{
    struct store_status status;

    store_status(store, &status);
    return status;
}

static void expect_value(const char *key, size_t size)
{
    struct store_key name = key_of(key);
    const uint8_t *value;
    struct record record;

    ck_assert_int_eq(store_get(store, &name, &record, &value), 0);
    ck_assert_uint_eq(record.size, size);
    ck_assert(size == 0 || memcmp(value, bytes, size) == 0);
}

/* The counters must be what a walk over all objects finds. */
static void expect_counters_exact(void)
{
    const struct store_bucket_name name = {"default", 7};
    struct store_key all = {.bucket = 1};
    struct store_bucket bucket;
    struct store_scan *scan;
    struct record record;
    uint64_t used = 0, objects = 0;
    const uint8_t *key;
    size_t length;
    int r;

    ck_assert_int_eq(store_commit(store), 0);
    ck_assert_int_eq(store_scan_open(store, &all, NULL, &scan), 0);
    while ((r = store_scan_next(scan, &key, &length, &record)) > 0) {
        used += record.size;
        objects++;
    }
    store_scan_close(scan);
    ck_assert_int_eq(r, 0);
    ck_assert_uint_eq(status_now().used, used);
    ck_assert_uint_eq(status_now().objects, objects);
    ck_assert_int_eq(store_bucket_info(store, &name, &bucket), 0);
    ck_assert_uint_eq(bucket.used, used);
    ck_assert_uint_eq(bucket.objects, objects);
}

START_TEST(quota_counts_value_bytes)
{
    open_store(100, 64 * MIB);
    ck_assert_int_eq(put("a", 100), 0);
    ck_assert_int_eq(put("b", 1), -EDQUOT);
    ck_assert_int_eq(put("empty", 0), 0);
    ck_assert_int_eq(put("a", 100), 0);
    ck_assert_int_eq(put("a", 60), 0);
    ck_assert_int_eq(put("a", 40), 0);
    ck_assert_int_eq(put("b", 60), 0);
    ck_assert_int_eq(put("c", 1), -EDQUOT);
    ck_assert_int_eq(copy("a", "d"), -EDQUOT);
    ck_assert_int_eq(copy("a", "b"), 0);
    ck_assert_int_eq(put("c", 20), 0);
    ck_assert_int_eq(remove_key("c"), 0);
    expect_counters_exact();
    ck_assert_uint_eq(status_now().used, 80);
}
END_TEST

START_TEST(refused_put_changes_nothing)
{
    struct store_status before;

    open_store(100, 64 * MIB);
    ck_assert_int_eq(put("a", 80), 0);
    before = status_now();
    ck_assert_int_eq(put("a", 101), -EDQUOT);
    ck_assert_uint_eq(status_now().version, before.version);
    ck_assert_uint_eq(status_now().used, 80);
    expect_value("a", 80);
}
END_TEST

START_TEST(limit_zero_takes_empty_values)
{
    open_store(0, 64 * MIB);
    ck_assert_int_eq(put("empty", 0), 0);
    ck_assert_int_eq(put("one", 1), -EDQUOT);
    expect_value("empty", 0);
}
END_TEST

START_TEST(sizes_around_the_blob_threshold)
{
    const size_t sizes[] = {0,
                            1,
                            RECORD_VALUE_MAX - 1,
                            RECORD_VALUE_MAX,
                            RECORD_VALUE_MAX + 1,
                            4079,
                            4080,
                            4081,
                            65535,
                            65536,
                            65537,
                            3 * MIB};
    char key[32];

    open_store(STORE_NO_LIMIT, 64 * MIB);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        snprintf(key, sizeof(key), "%zu", sizes[i]);
        ck_assert_int_eq(put(key, sizes[i]), 0);
        expect_value(key, sizes[i]);
    }
    ck_assert_int_eq(store_commit(store), 0);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        snprintf(key, sizeof(key), "%zu", sizes[i]);
        expect_value(key, sizes[i]);
    }
    expect_counters_exact();
}
END_TEST

START_TEST(largest_attributes_fit)
{
    struct record attributes = {
        .size = RECORD_VALUE_MAX, .type_length = CONTENT_TYPE_MAX, .metadata_length = METADATA_MAX};
    char *type = malloc(CONTENT_TYPE_MAX);
    uint8_t *metadata = malloc(METADATA_MAX);
    struct store_key name = key_of("k");
    struct record record;

    memset(type, 't', CONTENT_TYPE_MAX);
    memset(metadata, 'm', METADATA_MAX);
    attributes.type = type;
    attributes.metadata = metadata;
    open_store(STORE_NO_LIMIT, 64 * MIB);
    ck_assert_int_eq(put_record("k", &attributes, bytes, &record), 0);
    ck_assert_int_eq(copy("k", "l"), 0);
    ck_assert_int_eq(move("l", "k"), 0);
    ck_assert_int_eq(store_get(store, &name, &record, NULL), 0);
    ck_assert_uint_eq(record.type_length, CONTENT_TYPE_MAX);
    ck_assert_mem_eq(record.type, type, CONTENT_TYPE_MAX);
    ck_assert_uint_eq(record.metadata_length, METADATA_MAX);
    ck_assert_mem_eq(record.metadata, metadata, METADATA_MAX);
    expect_value("k", RECORD_VALUE_MAX);
    free(type);
    free(metadata);
}
END_TEST

START_TEST(copies_share_their_bytes)
{
    uint64_t memory;
    char key[32];

    open_store(STORE_NO_LIMIT, 64 * MIB);
    ck_assert_int_eq(put("a", 4 * MIB), 0);
    ck_assert_int_eq(store_commit(store), 0);
    memory = status_now().memory;
    for (int i = 0; i < 50; i++) {
        snprintf(key, sizeof(key), "copy%d", i);
        ck_assert_int_eq(copy("a", key), 0);
    }
    ck_assert_int_eq(store_commit(store), 0);
    ck_assert_uint_le(status_now().memory, memory + MIB);
    ck_assert_uint_eq(status_now().used, 51ULL * 4 * MIB);
    /* The bytes live until the last of them goes. */
    ck_assert_int_eq(remove_key("a"), 0);
    ck_assert_int_eq(put("copy0", 5), 0);
    ck_assert_int_eq(move("copy1", "copy2"), 0);
    ck_assert_int_eq(copy("copy3", "copy3"), 0);
    for (int i = 3; i < 50; i++) {
        snprintf(key, sizeof(key), "copy%d", i);
        expect_value(key, 4 * MIB);
        ck_assert_int_eq(remove_key(key), 0);
    }
    expect_value("copy2", 4 * MIB);
    ck_assert_int_eq(remove_key("copy2"), 0);
    expect_counters_exact();
    ck_assert_uint_eq(status_now().used, 5);
    /* And then they are free for others. */
    for (int i = 0; i < 40; i++)
        ck_assert_int_eq(put("b", 8 * MIB), 0);
}
END_TEST

START_TEST(move_onto_itself_keeps_the_object)
{
    uint64_t version;

    open_store(10, 64 * MIB);
    ck_assert_int_eq(put("k", 10), 0);
    version = status_now().version;
    ck_assert_int_eq(move("k", "k"), 0);
    expect_value("k", 10);
    ck_assert_uint_gt(status_now().version, version);
    ck_assert_int_eq(put("l", 0), 0);
    ck_assert_int_eq(move("k", "l"), 0);
    expect_counters_exact();
    ck_assert_uint_eq(status_now().objects, 1);
    ck_assert_int_eq(move("k", "l"), -ENOENT);
    ck_assert_int_eq(copy("k", "l"), -ENOENT);
    expect_value("l", 10);
}
END_TEST

START_TEST(uncommitted_changes_are_not_kept)
{
    open_store(STORE_NO_LIMIT, 64 * MIB);
    ck_assert_int_eq(put("kept", 3 * MIB), 0);
    ck_assert_int_eq(store_commit(store), 0);
    ck_assert_int_eq(put("lost", 10), 0);
    ck_assert_int_eq(remove_key("kept"), 0);
    store_close(store);
    open_store(STORE_NO_LIMIT, 64 * MIB);
    expect_value("kept", 3 * MIB);
    expect_counters_exact();
    ck_assert_uint_eq(status_now().objects, 1);
}
END_TEST

/* LMDB's commit, for a process that dies in front of it. */
static bool dies_at_commit;

int mdb_txn_commit(MDB_txn *txn)
{
    int (*commit)(MDB_txn *) = (int (*)(MDB_txn *))dlsym(RTLD_NEXT, "mdb_txn_commit");

    if (dies_at_commit)
        _exit(9);
    return commit(txn);
}

START_TEST(counters_of_a_commit_cut_short_are_not_kept)
{
    uint64_t version;
    int status;
    pid_t pid;

    open_store(STORE_NO_LIMIT, 64 * MIB);
    ck_assert_int_eq(put("kept", 10), 0);
    ck_assert_int_eq(put("gone", 7), 0);
    ck_assert_int_eq(store_commit(store), 0);
    version = status_now().version;
    store_close(store);
    pid = fork();
    if (pid == 0) {
        open_store(STORE_NO_LIMIT, 64 * MIB);
        put("lost", 1000);
        dies_at_commit = true;
        store_commit(store);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(WEXITSTATUS(status), 9);
    open_store(STORE_NO_LIMIT, 64 * MIB);
    ck_assert_uint_eq(status_now().version, version);
    expect_counters_exact();
    /* The next transaction has the number of the one that was cut short. */
    ck_assert_int_eq(remove_key("gone"), 0);
    expect_counters_exact();
    store_close(store);
    open_store(STORE_NO_LIMIT, 64 * MIB);
    expect_counters_exact();
    ck_assert_uint_eq(status_now().used, 10);
    ck_assert_uint_eq(status_now().version, version + 1);
}
END_TEST

START_TEST(store_of_another_form_is_left_alone)
{
    struct store_limits limits = {.max_size = 1, .max_memory = 8 * MIB};
    const uint32_t other = STORE_FORMAT - 1;
    struct store_head head = {.format = STORE_FORMAT};
    char path[128];
    uint8_t *data = malloc(MIB);
    uint8_t *place;
    size_t length;
    FILE *file;

    open_store(STORE_NO_LIMIT, 8 * MIB);
    memcpy(head.id, status_now().id, sizeof(head.id));
    store_close(store);
    store = NULL;
    snprintf(path, sizeof(path), "%s/data.mdb", harness_folder);
    file = fopen(path, "r+");
    length = fread(data, 1, MIB, file);
    place = memmem(data, length, &head, sizeof(head));
    ck_assert_ptr_nonnull(place);
    fseek(file, place - data, SEEK_SET);
    fwrite(&other, sizeof(other), 1, file);
    fclose(file);
    free(data);
    ck_assert_int_eq(store_open(harness_folder, &limits, &store), -EUCLEAN);
}
END_TEST

START_TEST(unknown_bucket)
{
    struct store_key nowhere = {.bucket = 7, .data = "k", .length = 1};
    struct record attributes = {.type_length = NO_CONTENT_TYPE};
    struct store_scan *scan;
    struct record record;
    uint32_t id;

    open_store(STORE_NO_LIMIT, 64 * MIB);
    ck_assert_int_eq(store_put(store, &nowhere, &attributes, &terms, "", &record), -ENXIO);
    ck_assert_int_eq(store_get(store, &nowhere, &record, NULL), -ENXIO);
    ck_assert_int_eq(store_delete(store, &nowhere, NULL), -ENXIO);
    ck_assert_int_eq(store_copy(store, &nowhere, &nowhere, NULL, &record), -ENXIO);
    ck_assert_int_eq(store_scan_open(store, &nowhere, NULL, &scan), -ENXIO);
    nowhere.bucket = 0;
    ck_assert_int_eq(store_get(store, &nowhere, &record, NULL), -ENXIO);
    ck_assert_int_eq(store_bucket_find(store, &(struct store_bucket_name){"default", 7}, &id), 0);
    ck_assert_uint_eq(id, 1);
    ck_assert_int_eq(store_bucket_find(store, &(struct store_bucket_name){"other", 5}, &id),
                     -ENOENT);
}
END_TEST

/* Fills the store until its memory is used up; returns how many objects of that size fit. */
static int fill(size_t size, int limit)
{
    char key[32];

    for (int i = 0; i < limit; i++) {
        int r;

        snprintf(key, sizeof(key), "%zu/%d", size, i);
        r = put(key, size);
        if (r == -ENOSPC)
            return i;
        ck_assert_int_eq(r, 0);
        ck_assert_int_eq(store_commit(store), 0);
    }
    ck_abort_msg("the memory limit was never reached");
    return -1;
}

/* Max memory is a bound, what is in it stays usable, and deletes always work. */
static void use_up(size_t size)
{
    const uint64_t max_memory = 24 * MIB;
    char key[32];
    int count;

    open_store(STORE_NO_LIMIT, max_memory);
    for (int round = 0; round < 3; round++) {
        count = fill(size, 1000000);
        ck_assert_int_gt(count, (int)(max_memory * 6 / 10 / (size < 8192 ? 8192 : size)));
        ck_assert_uint_le(status_now().memory, max_memory);
        ck_assert_int_eq(put("one more", size), -ENOSPC);
        expect_counters_exact();
        snprintf(key, sizeof(key), "%zu/%d", size, count - 1);
        expect_value(key, size);
        for (int i = 0; i < count; i++) {
            snprintf(key, sizeof(key), "%zu/%d", size, i);
            ck_assert_msg(remove_key(key) == 0, "delete of %s (of %d) failed", key, count);
            ck_assert_int_eq(store_commit(store), 0);
        }
        expect_counters_exact();
        ck_assert_uint_eq(status_now().objects, 0);
    }
}

START_TEST(memory_used_up_by_tiny_values)
{
    use_up(10);
}
END_TEST

START_TEST(memory_used_up_by_small_values)
{
    use_up(1500);
}
END_TEST

START_TEST(memory_used_up_by_pages)
{
    use_up(4096);
}
END_TEST

START_TEST(memory_used_up_by_large_values)
{
    use_up(MIB);
}
END_TEST

/* A process with a snapshot of the store, for whose sake no page is used again. */
static pid_t hold_snapshot(void)
{
    MDB_env *env;
    MDB_txn *txn;
    int ready[2];
    char byte;
    pid_t pid;

    ck_assert_int_eq(pipe(ready), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (mdb_env_create(&env) == 0 && mdb_env_set_mapsize(env, 64 * MIB) == 0 &&
            mdb_env_open(env, harness_folder, MDB_RDONLY, 0) == 0 &&
            mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == 0 && write(ready[1], "r", 1) == 1)
            pause();
        _exit(1);
    }
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

/* Puts, overwrites and deletes at the edge of the memory. */
static void churn(int changes)
{
    char key[32];

    srandom(1);
    for (int i = 0; i < changes; i++) {
        snprintf(key, sizeof(key), "%ld", random() % 400);
        if (random() % 3 == 0)
            remove_key(key);
        else
            put(key, (size_t)(random() % 200000));
        if (i % 3 == 0)
            store_commit(store);
    }
}

/* Deletes use up what is kept back for them. Each of them happens whole, or not at all. */
START_TEST(deletes_beside_a_snapshot)
{
    int deleted = 0, refused = 0;
    pid_t reader;
    char key[32];

    open_store(STORE_NO_LIMIT, 16 * MIB);
    churn(5000);
    ck_assert_int_eq(store_commit(store), 0);
    reader = hold_snapshot();
    for (int i = 0; i < 400 && refused == 0; i++) {
        int r;

        snprintf(key, sizeof(key), "%d", i);
        r = remove_key(key);
        if (r == 0)
            r = store_commit(store);
        deleted += r == 0;
        refused += r == -ENOSPC;
        ck_assert_msg(r == 0 || r == -ENOENT || r == -ENOSPC, "delete: %d", r);
        expect_counters_exact();
    }
    ck_assert_int_gt(deleted, 10);
    ck_assert_int_eq(refused, 1);
    kill(reader, SIGKILL);
    ck_assert_int_eq(waitpid(reader, NULL, 0), reader);
}
END_TEST

/* Changes in one transaction, as the server gathers them, at the edge of the memory: each is whole
 * or refused, and none takes others with it. */
START_TEST(memory_used_up_in_groups)
{
    char key[32];
    int refused = 0;

    open_store(STORE_NO_LIMIT, 16 * MIB);
    srandom(1);
    for (int i = 0; i < 20000; i++) {
        int r;

        snprintf(key, sizeof(key), "%ld", random() % 400);
        if (random() % 3 == 0) {
            r = remove_key(key);
            ck_assert_msg(r == 0 || r == -ENOENT, "delete: %d", r);
        } else {
            r = put(key, (size_t)(random() % 200000));
            ck_assert_msg(r == 0 || r == -ENOSPC, "put: %d", r);
            refused += r == -ENOSPC;
        }
        if (i % 7 == 0)
            ck_assert_int_eq(store_commit(store), 0);
        ck_assert_uint_le(status_now().memory, 16 * MIB);
    }
    ck_assert_int_gt(refused, 100);
    expect_counters_exact();
}
END_TEST

static void remove_all(int count, size_t size)
{
    char key[32];

    /* In an order that leaves pages free here and there: 7919 is prime to any count below it. */
    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "%zu/%d", size, (int)((long)i * 7919 % count));
        ck_assert_int_eq(remove_key(key), 0);
        ck_assert_int_eq(store_commit(store), 0);
    }
}

START_TEST(emptied_store_has_room_in_one_piece)
{
    struct store_status before;
    int count;

    open_store(STORE_NO_LIMIT, 24 * MIB);
    count = fill(1000, 1000000);
    remove_all(count, 1000);
    before = status_now();
    ck_assert_uint_eq(before.objects, 0);
    if (put("large", 8 * MIB) == -ENOSPC) {
        ck_assert_int_eq(store_renew(store), 1);
        ck_assert_int_eq(put("large", 8 * MIB), 0);
    }
    expect_value("large", 8 * MIB);
    expect_counters_exact();
    ck_assert_uint_gt(status_now().version, before.version);
    ck_assert_mem_eq(status_now().id, before.id, STORE_ID_BYTES);
    store_close(store);
    open_store(STORE_NO_LIMIT, 24 * MIB);
    expect_value("large", 8 * MIB);
}
END_TEST

START_TEST(store_with_objects_is_not_renewed)
{
    open_store(STORE_NO_LIMIT, 24 * MIB);
    ck_assert_int_eq(store_renew(store), 0);
    fill(100000, 1000);
    ck_assert_int_eq(store_renew(store), 0);
    expect_counters_exact();
    expect_value("100000/0", 100000);
}
END_TEST

START_TEST(large_store_can_be_emptied_with_less_memory)
{
    int count;

    open_store(STORE_NO_LIMIT, 20 * MIB);
    count = fill(3000, 1000000);
    store_close(store);
    open_store(100, 4 * MIB);
    ck_assert_int_eq(put("one more", 3000), -EDQUOT);
    remove_all(count, 3000);
    expect_counters_exact();
    ck_assert_uint_eq(status_now().objects, 0);
    ck_assert_int_eq(put("fits", 100), 0);
}
END_TEST

START_TEST(changes_go_in_groups)
{
    uint64_t commits;
    char key[32];

    open_store(STORE_NO_LIMIT, 64 * MIB);
    commits = status_now().commits;
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof(key), "%d", i * 7919 % 5000);
        ck_assert_int_eq(put(key, 100), 0);
        if (i % 100 == 99)
            ck_assert_int_eq(store_commit(store), 0);
    }
    ck_assert_uint_le(status_now().commits - commits, 50 + 5);
    ck_assert_uint_le(status_now().memory, 16 * MIB);
}
END_TEST

START_TEST(rows_in_ascending_order_fill_their_pages)
{
    char key[32];

    open_store(STORE_NO_LIMIT, 64 * MIB);
    for (int i = 0; i < 100000; i++) {
        snprintf(key, sizeof(key), "%016d", i);
        ck_assert_int_eq(put(key, 100), 0);
        if (i % 10 == 9)
            ck_assert_int_eq(store_commit(store), 0);
    }
    ck_assert_uint_le(status_now().memory, 100000 * 220);
}
END_TEST

START_TEST(changes_go_in_groups_after_it_was_full)
{
    uint64_t commits;
    char key[32];
    int count;

    open_store(STORE_NO_LIMIT, 24 * MIB);
    count = fill(1500, 1000000);
    remove_all(count, 1500);
    commits = status_now().commits;
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "%d", i);
        ck_assert_int_eq(put(key, 100), 0);
    }
    ck_assert_int_eq(store_commit(store), 0);
    ck_assert_uint_lt(status_now().commits - commits, 100);
    expect_counters_exact();
}
END_TEST

START_TEST(large_blobs_are_freed_later)
{
    open_store(STORE_NO_LIMIT, 64 * MIB);
    store_defer_frees(store, MIB);
    ck_assert_int_eq(put("small", MIB - 1), 0);
    ck_assert_int_eq(put("large", MIB), 0);
    ck_assert_int_eq(store_commit(store), 0);
    ck_assert_int_eq(remove_key("small"), 0);
    ck_assert_uint_eq(store_garbage(store), 0);
    ck_assert_int_eq(remove_key("large"), 0);
    ck_assert_uint_eq(store_garbage(store), 1);
    ck_assert_uint_eq(store_garbage_bytes(store), MIB);
    ck_assert_int_eq(store_commit(store), 0);
    ck_assert_int_eq(store_collect(store, store_oldest_reader(store), NULL, 0), 1);
    expect_counters_exact();
    ck_assert_uint_eq(store_garbage(store), 0);
    ck_assert_uint_eq(store_garbage_bytes(store), 0);
}
END_TEST

/* Rows move about while the transaction goes on. */
START_TEST(numbers_keep_what_goes_with_them)
{
    static const int64_t deltas[] = {1, 90, 900, -2000, 1000, 1000000000, 0, -1};
    struct record attributes = {.size = 1, .type = "text/plain", .type_length = 10};
    struct store_key key = key_of("k");
    int64_t number = 9, sum;
    char metadata[60], text[32];
    struct record record;

    memset(metadata, 'm', sizeof(metadata));
    attributes.metadata = (const uint8_t *)metadata;
    attributes.metadata_length = sizeof(metadata);
    open_store(STORE_NO_LIMIT, 64 * MIB);
    ck_assert_int_eq(put("j", 300), 0);
    ck_assert_int_eq(put_record("k", &attributes, "9", &record), 0);
    ck_assert_int_eq(put("l", 300), 0);
    for (size_t i = 0; i < sizeof(deltas) / sizeof(deltas[0]); i++) {
        ck_assert_int_eq(store_add(store, &key, deltas[i], NULL, &sum, &record), 0);
        number += deltas[i];
        ck_assert_int_eq(sum, number);
        ck_assert_int_eq(store_get(store, &key, &record, NULL), 0);
        snprintf(text, sizeof(text), "%lld", (long long)number);
        ck_assert_uint_eq(record.size, strlen(text));
        ck_assert_mem_eq(record.value, text, record.size);
        ck_assert_uint_eq(record.type_length, 10);
        ck_assert_mem_eq(record.type, "text/plain", 10);
        ck_assert_uint_eq(record.metadata_length, sizeof(metadata));
        ck_assert_mem_eq(record.metadata, metadata, sizeof(metadata));
    }
    ck_assert_int_eq(store_commit(store), 0);
}
END_TEST

/* An object that is over, whose row is still there. */
static void put_over(const char *key, const char *value)
{
    const struct store_terms shortest = {.ttl = 1};
    struct record attributes = {
        .size = strlen(value), .type = "text", .type_length = 4, .metadata = (const uint8_t *)""};
    struct store_key name = key_of(key);
    struct record record;

    while (store_put(store, &name, &attributes, &shortest, value, &record) == -EAGAIN)
        ck_assert_int_eq(store_commit(store), 0);
    ck_assert_int_eq(store_commit(store), 0);
    while (store_get(store, &name, &record, NULL) == 0)
        ;
}

START_TEST(what_is_over_is_absent)
{
    struct store_condition absent = {.wanted = {.kinds = CONDITION_ABSENT}};
    struct store_condition present = {.wanted = {.kinds = CONDITION_PRESENT}};
    struct store_key key = key_of("k"), other = key_of("other");
    struct store_terms conditional = {.ttl = TTL_NEVER, .condition = &present};
    struct record attributes = {.size = 3, .type_length = NO_CONTENT_TYPE};
    struct store_upload upload = {0};
    struct record record;
    int64_t sum;

    open_store(STORE_NO_LIMIT, 64 * MIB);
    ck_assert_int_eq(put("other", 3), 0);
    put_over("k", "41");
    ck_assert_int_eq(store_put(store, &key, &attributes, &conditional, "new", &record), -ENOENT);
    ck_assert(present.failed);
    ck_assert_uint_eq(present.version, 0);
    ck_assert_int_eq(store_delete(store, &key, &present), -ENOENT);
    ck_assert(present.failed);
    ck_assert_int_eq(store_delete(store, &key, &absent), -ENOENT);
    ck_assert(!absent.failed);
    ck_assert_int_eq(store_touch(store, &key, TTL_NEVER, &present, &record), -ENOENT);
    ck_assert_int_eq(store_copy(store, &other, &key, &present, &record), -ENOENT);
    ck_assert_int_eq(store_move(store, &other, &key, &present, &record), -ENOENT);
    ck_assert_int_eq(store_upload_begin(store, &key, MIB, &present, &upload), -ENOENT);
    ck_assert_int_eq(store_add(store, &key, 1, &present, &sum, &record), -ENOENT);
    ck_assert_int_eq(store_add(store, &key, 1, &absent, &sum, &record), 0);
    ck_assert_int_eq(sum, 1);
    ck_assert_uint_eq(record.type_length, NO_CONTENT_TYPE);
    ck_assert_int_eq(record.expires, 0);
    conditional.condition = &absent;
    put_over("k", "41");
    ck_assert_int_eq(store_put(store, &key, &attributes, &conditional, "new", &record), 0);
    put_over("k", "41");
    ck_assert_int_eq(store_copy(store, &other, &key, &absent, &record), 0);
    put_over("k", "41");
    ck_assert_int_eq(store_move(store, &other, &key, &absent, &record), 0);
    ck_assert_int_eq(store_commit(store), 0);
}
END_TEST

START_TEST(scan_is_a_snapshot_in_order)
{
    struct store_key images = key_of("im"), after = key_of("images/b"), none = key_of("zz");
    const char *expected[] = {"images/c", "images/d", "imprint"};
    struct store_scan *scan;
    struct record record;
    const uint8_t *key;
    size_t length;

    open_store(STORE_NO_LIMIT, 64 * MIB);
    put("images/d", 1), put("images/b", 1), put("IM", 1), put("imprint", 1), put("images/c", 1);
    put("in", 1), put("images/a", 1);
    ck_assert_int_eq(store_commit(store), 0);
    ck_assert_int_eq(store_scan_open(store, &images, &after, &scan), 0);
    ck_assert_uint_eq(store_scans(store), 1);
    ck_assert_int_eq(remove_key("images/c"), 0);
    ck_assert_int_eq(put("images/cc", 1), 0);
    ck_assert_int_eq(store_commit(store), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(store_scan_next(scan, &key, &length, &record), 1);
        ck_assert_uint_eq(length, strlen(expected[i]));
        ck_assert_mem_eq(key, expected[i], length);
    }
    ck_assert_int_eq(store_scan_next(scan, &key, &length, &record), 0);
    store_scan_close(scan);
    ck_assert_uint_eq(store_scans(store), 0);
    ck_assert_int_eq(store_scan_open(store, &none, NULL, &scan), 0);
    ck_assert_int_eq(store_scan_next(scan, &key, &length, &record), 0);
    store_scan_close(scan);
}
END_TEST

START_TEST(scan_waits_for_no_memory)
{
    struct store_key all = {.bucket = 1};
    struct store_scan *scan;

    open_store(STORE_NO_LIMIT, 8 * MIB);
    fill(100000, 1000);
    ck_assert_int_eq(store_scan_open(store, &all, NULL, &scan), 0);
    ck_assert_int_eq(put("more", 100000), -EBUSY);
    store_scan_close(scan);
    ck_assert_int_eq(put("more", 100000), -ENOSPC);
}
END_TEST

START_TEST(damage_is_noticed)
{
    struct store_limits limits = {.max_size = 1, .max_memory = 8 * MIB};
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/data.mdb", harness_folder);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, 100000, file), 100000);
    fclose(file);
    ck_assert_int_eq(store_open(harness_folder, &limits, &store), -EUCLEAN);
}
END_TEST

START_TEST(records_are_checked)
{
    struct record record = {.version = 3,
                            .modified = INT64_C(1) << 54,
                            .type = "text",
                            .type_length = 4,
                            .expires = 99,
                            .metadata = bytes,
                            .metadata_length = 100};
    struct record read;
    uint8_t place[300];
    size_t length = record_length(&record);

    /* A small value is all that is left. */
    memcpy(record_write(&record, place), "12345", 5);
    ck_assert_int_eq(record_read(place, length + 5, &read), 0);
    ck_assert_uint_eq(read.size, 5);
    ck_assert_mem_eq(read.value, "12345", 5);
    ck_assert_int_eq(read.expires, 99);
    ck_assert_int_eq(read.modified, record.modified);
    ck_assert_uint_eq(read.type_length, 4);
    ck_assert_mem_eq(read.type, "text", 4);
    ck_assert_mem_eq(read.metadata, bytes, 100);
    ck_assert_ptr_eq(read.type + 4, read.metadata);
    for (size_t cut = 0; cut < length; cut++)
        ck_assert_int_eq(record_read(place, cut, &read), -EUCLEAN);
    record.type_length = NO_CONTENT_TYPE;
    record_write(&record, place);
    ck_assert_int_eq(record_read(place, record_length(&record), &read), 0);
    ck_assert_uint_eq(read.type_length, NO_CONTENT_TYPE);
    ck_assert_ptr_eq(read.type, read.metadata);
    ck_assert_mem_eq(read.metadata, bytes, 100);
    record.blob = 7;
    record.size = UINT32_MAX;
    record.modified = -1;
    length = record_length(&record);
    record_write(&record, place);
    ck_assert_int_eq(record_read(place, length, &read), 0);
    ck_assert_uint_eq(read.size, UINT32_MAX);
    ck_assert_uint_eq(read.blob, 7);
    ck_assert_int_eq(read.modified, -1);
    ck_assert_ptr_null(read.value);
    for (size_t cut = 0; cut < length; cut++)
        ck_assert_int_eq(record_read(place, cut, &read), -EUCLEAN);
    ck_assert_int_eq(record_read(place, length + 1, &read), -EUCLEAN);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store");
    TCase *tcase = tcase_create("store");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, quota_counts_value_bytes);
    tcase_add_test(tcase, refused_put_changes_nothing);
    tcase_add_test(tcase, limit_zero_takes_empty_values);
    tcase_add_test(tcase, sizes_around_the_blob_threshold);
    tcase_add_test(tcase, largest_attributes_fit);
    tcase_add_test(tcase, copies_share_their_bytes);
    tcase_add_test(tcase, move_onto_itself_keeps_the_object);
    tcase_add_test(tcase, uncommitted_changes_are_not_kept);
    tcase_add_test(tcase, counters_of_a_commit_cut_short_are_not_kept);
    tcase_add_test(tcase, store_of_another_form_is_left_alone);
    tcase_add_test(tcase, unknown_bucket);
    tcase_add_test(tcase, memory_used_up_by_tiny_values);
    tcase_add_test(tcase, memory_used_up_by_small_values);
    tcase_add_test(tcase, memory_used_up_by_pages);
    tcase_add_test(tcase, memory_used_up_by_large_values);
    tcase_add_test(tcase, memory_used_up_in_groups);
    tcase_add_test(tcase, deletes_beside_a_snapshot);
    tcase_add_test(tcase, emptied_store_has_room_in_one_piece);
    tcase_add_test(tcase, store_with_objects_is_not_renewed);
    tcase_add_test(tcase, large_store_can_be_emptied_with_less_memory);
    tcase_add_test(tcase, changes_go_in_groups);
    tcase_add_test(tcase, rows_in_ascending_order_fill_their_pages);
    tcase_add_test(tcase, changes_go_in_groups_after_it_was_full);
    tcase_add_test(tcase, large_blobs_are_freed_later);
    tcase_add_test(tcase, numbers_keep_what_goes_with_them);
    tcase_add_test(tcase, what_is_over_is_absent);
    tcase_add_test(tcase, scan_is_a_snapshot_in_order);
    tcase_add_test(tcase, scan_waits_for_no_memory);
    tcase_add_test(tcase, damage_is_noticed);
    tcase_add_test(tcase, records_are_checked);
    suite_add_tcase(suite, tcase);
    return harness_main(suite);
}
