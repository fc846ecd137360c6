/* Buckets in the store by itself: counters whatever happens to a transaction, rows of what was
 * dropped, a store that starts afresh. */
#include "daemon/store.h"
#include "harness.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1024U * 1024)

static const struct bucket_settings no_limits = {.max_size = NO_LIMIT, .max_objects = NO_LIMIT};

static struct store *store;
static uint8_t bytes[2 * MIB];

static void open_store(uint64_t max_memory)
{
    struct store_limits limits = {.max_size = STORE_NO_LIMIT, .max_memory = max_memory};

    ck_assert_int_eq(store_open(harness_folder, &limits, &store), 0);
}

static void reopen(uint64_t max_memory)
{
    store_close(store);
    open_store(max_memory);
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

/* ---- short forms; as the server does it, a change that asks for it gets its commit first ---- */

static bool dies_instead; /* of committing */

static void commit(void)
{
    if (dies_instead)
        raise(SIGKILL);
    ck_assert_int_eq(store_commit(store), 0);
}

static struct store_bucket_name name_of(const char *name)
{
    return (struct store_bucket_name){name, strlen(name)};
}

static int create_with(const char *name, const struct bucket_settings *settings)
{
    struct store_bucket_name text = name_of(name);
    int r = store_bucket_create(store, &text, settings, 0);

    if (r == -EAGAIN) {
        commit();
        r = store_bucket_create(store, &text, settings, 0);
    }
    return r;
}

static int create(const char *name)
{
    return create_with(name, &no_limits);
}

static int drop(const char *name)
{
    struct store_bucket_name text = name_of(name);
    int r = store_bucket_drop(store, &text);

    if (r == -EAGAIN) {
        commit();
        r = store_bucket_drop(store, &text);
    }
    return r;
}

static uint32_t id_of(const char *name)
{
    struct store_bucket_name text = name_of(name);
    uint32_t id;

    ck_assert_int_eq(store_bucket_find(store, &text, &id), 0);
    return id;
}

static int put(uint32_t bucket, const char *key, size_t size)
{
    const struct store_terms terms = {.ttl = TTL_DEFAULT};
    struct record attributes = {.size = size, .type_length = NO_CONTENT_TYPE};
    struct store_key place = {.bucket = bucket, .data = key, .length = strlen(key)};
    struct record record;
    int r = store_put(store, &place, &attributes, &terms, bytes, &record);

    if (r == -EAGAIN) {
        commit();
        r = store_put(store, &place, &attributes, &terms, bytes, &record);
    }
    return r;
}

static void expect(const char *name, uint64_t used, uint64_t objects)
{
    struct store_bucket_name text = name_of(name);
    struct store_bucket bucket;

    ck_assert_int_eq(store_bucket_info(store, &text, &bucket), 0);
    ck_assert_uint_eq(bucket.used, used);
    ck_assert_uint_eq(bucket.objects, objects);
}

/* The store's counters are the sums of its buckets', and these are what a scan finds. */
static void expect_sums(void)
{
    struct store_bucket_name after = {"", 0};
    struct store_bucket bucket = {.name_length = 0};
    struct store_status status;
    uint64_t used = 0, objects = 0, buckets = 0;
    char last[BUCKET_NAME_MAX];

    while (store_bucket_next(store, &after, &bucket) == 0) {
        struct store_key all = {.bucket = bucket.id};
        uint64_t size = 0, count = 0;
        struct store_scan *scan;
        struct record record;
        const uint8_t *key;
        size_t length;

        ck_assert_int_eq(store_scan_open(store, &all, NULL, &scan), 0);
        for (; store_scan_next(scan, &key, &length, &record) == 1; count++)
            size += record.size;
        store_scan_close(scan);
        ck_assert_uint_eq(bucket.used, size);
        ck_assert_uint_eq(bucket.objects, count);
        used += size;
        objects += count;
        buckets++;
        memcpy(last, bucket.name, bucket.name_length);
        after = (struct store_bucket_name){last, bucket.name_length};
    }
    store_status(store, &status);
    ck_assert_uint_eq(status.used, used);
    ck_assert_uint_eq(status.objects, objects);
    ck_assert_uint_eq(status.buckets, buckets);
}

/* Until nothing of what was dropped is left. */
static void clear(void)
{
    int r = 1;

    while (r > 0 || store_has_dropped(store)) {
        r = store_clear_dropped(store);
        ck_assert_msg(r >= 0, "%d", r);
        commit();
    }
    while (store_garbage(store) > 0) {
        ck_assert_int_ge(store_collect(store, UINT64_MAX, NULL, 0), 0);
        commit();
    }
}

/* ---- counters ---- */

/* More buckets in one transaction than are kept open. */
START_TEST(many_buckets_in_one_transaction)
{
    char name[16], key[16];

    open_store(64 * MIB);
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "b%d", i);
        ck_assert_int_eq(create(name), 0);
    }
    commit();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 500; i++) {
            snprintf(name, sizeof(name), "b%d", i);
            snprintf(key, sizeof(key), "key %d", round);
            ck_assert_int_eq(put(id_of(name), key, (size_t)i), 0);
        }
    }
    expect("b499", 3 * 499, 3);
    commit();
    expect_sums();
    reopen(64 * MIB);
    expect("b0", 0, 3);
    expect("b499", 3 * 499, 3);
    expect_sums();
}
END_TEST

/* A process that dies before its commit, or where it would need one, whatever it had changed. */
static void change_and_die(void)
{
    char name[16];

    dies_instead = true;
    ck_assert_int_eq(put(id_of("a"), "2", 20), 0);
    ck_assert_int_eq(put(id_of("b"), "1", 7), 0);
    ck_assert_int_eq(drop("b"), 0);
    ck_assert_int_eq(create("b"), 0);
    ck_assert_int_eq(put(id_of("b"), "2", 9), 0);
    for (int i = 0;; i++) {
        snprintf(name, sizeof(name), "new%d", i);
        ck_assert_int_eq(create(name), 0);
        ck_assert_int_eq(put(id_of(name), "key", 3), 0);
    }
}

START_TEST(nothing_of_what_was_not_committed)
{
    open_store(64 * MIB);
    ck_assert_int_eq(create("a"), 0);
    ck_assert_int_eq(create("b"), 0);
    ck_assert_int_eq(put(id_of("a"), "1", 10), 0);
    ck_assert_int_eq(put(id_of("b"), "1", 5), 0);
    commit();
    store_close(store);
    store = NULL;
    for (int round = 0; round < 3; round++) {
        pid_t child = fork();

        if (child == 0) {
            open_store(64 * MIB);
            change_and_die();
        }
        waitpid(child, NULL, 0);
        open_store(64 * MIB);
        expect("a", 10, 1);
        expect("b", 5, 1);
        expect_sums();
        /* The next transaction has the number of the one that was not committed. */
        ck_assert_int_eq(create("c"), 0);
        ck_assert_int_eq(put(id_of("c"), "1", 4), 0);
        commit();
        expect_sums();
        ck_assert_int_eq(drop("c"), 0);
        commit();
        clear();
        store_close(store);
        store = NULL;
    }
}
END_TEST

/* A transaction that is dropped, with rows of counters that it made. */
START_TEST(nothing_of_what_was_dropped)
{
    const struct store_group group = {.changes = 1000, .puts = 1000, .bytes = MIB};
    char name[16];
    int r;

    open_store(64 * MIB);
    ck_assert_int_eq(create("a"), 0);
    ck_assert_int_eq(put(id_of("a"), "1", 10), 0);
    commit();
    for (int round = 0; round < 3; round++) {
        do
            r = store_group_begin(store, &group);
        while (r == -EINPROGRESS);
        ck_assert_int_eq(r, 0);
        ck_assert_int_eq(put(id_of("a"), "2", 20), 0);
        for (int i = 0; i < 200; i++) {
            snprintf(name, sizeof(name), "new%d", i);
            ck_assert_int_eq(create(name), 0);
            ck_assert_int_eq(put(id_of(name), "key", 3), 0);
        }
        expect("a", 30, 2);
        ck_assert_int_eq(store_group_abort(store), 0);
        expect("a", 10, 1);
        expect_sums();
    }
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "new%d", i);
        ck_assert_int_eq(create(name), 0);
        ck_assert_int_eq(put(id_of(name), "key", (size_t)i), 0);
    }
    commit();
    expect_sums();
}
END_TEST

/* And one that has changed no more than the places of counters. */
START_TEST(places_of_what_was_dropped)
{
    const struct store_group group = {.changes = 10};

    open_store(64 * MIB);
    ck_assert_int_eq(create("a"), 0);
    ck_assert_int_eq(create("b"), 0);
    ck_assert_int_eq(put(id_of("a"), "1", 10), 0);
    ck_assert_int_eq(put(id_of("b"), "1", 20), 0);
    commit();
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(store_group_begin(store, &group), 0);
        ck_assert_int_eq(drop("a"), 0);
        if (round == 1)
            ck_assert_int_eq(create("c"), 0);
        ck_assert_int_eq(store_group_abort(store), 0);
        expect("a", 10, 1);
        expect_sums();
        ck_assert_int_eq(put(id_of("b"), "2", (size_t)round), 0);
        commit();
        expect("a", 10, 1);
        expect_sums();
    }
}
END_TEST

/* What fails for lack of memory drops the whole transaction. */
START_TEST(no_memory_for_more_buckets)
{
    struct store_status status;
    char name[80];
    uint64_t made = 0;
    int r = 0;

    open_store(4 * MIB);
    while (r == 0) {
        snprintf(name, sizeof(name), "%060d", (int)made);
        r = create(name);
        if (r == 0) {
            commit();
            made++;
        }
    }
    ck_assert_int_eq(r, -ENOSPC);
    store_commit(store);
    store_status(store, &status);
    ck_assert_uint_eq(status.buckets, made + 1);
    expect_sums();
    for (uint64_t i = 0; i < made; i++) {
        snprintf(name, sizeof(name), "%060d", (int)i);
        ck_assert_int_eq(drop(name), 0);
        commit();
    }
    store_status(store, &status);
    ck_assert_uint_eq(status.buckets, 1);
    for (uint64_t i = 0; i < made / 2; i++) {
        snprintf(name, sizeof(name), "%060d", (int)i);
        ck_assert_int_eq(create(name), 0);
        commit();
    }
    expect_sums();
}
END_TEST

START_TEST(buckets_that_come_and_go_leave_nothing)
{
    struct store_status before, after;

    open_store(64 * MIB);
    for (int i = 0; i < 20000; i++) {
        ck_assert_int_eq(create("a"), 0);
        ck_assert_int_eq(put(id_of("a"), "key", 100), 0);
        if (i % 2)
            commit();
        ck_assert_int_eq(drop("a"), 0);
        commit();
        clear();
        if (i == 1000)
            store_status(store, &before);
    }
    store_status(store, &after);
    ck_assert_uint_eq(after.memory, before.memory);
    ck_assert_uint_eq(after.used, 0);
    ck_assert_uint_eq(after.buckets, 1);
}
END_TEST

/* ---- what was dropped ---- */

START_TEST(a_drop_goes_on_after_a_restart)
{
    char key[32];

    open_store(64 * MIB);
    ck_assert_int_eq(create("a"), 0);
    ck_assert_int_eq(create("b"), 0);
    for (int i = 0; i < 2000; i++) {
        snprintf(key, sizeof(key), "%d", i);
        ck_assert_int_eq(put(id_of("a"), key, i % 100 ? 10 : 100000), 0);
        ck_assert_int_eq(put(id_of("b"), key, 10), 0);
    }
    commit();
    ck_assert_int_eq(drop("a"), 0);
    ck_assert_int_eq(create("a"), 0);
    ck_assert_int_eq(put(id_of("a"), "1", 3), 0);
    commit();
    expect_sums();
    for (int i = 0; i < 3; i++) {
        ck_assert_int_gt(store_clear_dropped(store), 0);
        commit();
        expect_sums();
        reopen(64 * MIB);
        ck_assert(store_has_dropped(store));
        expect_sums();
    }
    clear();
    ck_assert(!store_has_dropped(store));
    expect("a", 3, 1);
    expect("b", 20000, 2000);
    expect_sums();
}
END_TEST

/* Values that several objects have stay as long as one of them is there. */
START_TEST(shared_values_outlive_one_bucket)
{
    struct store_key from, to;
    const uint8_t *value;
    struct record record;

    open_store(64 * MIB);
    ck_assert_int_eq(create("a"), 0);
    ck_assert_int_eq(put(id_of("a"), "k", MIB), 0);
    from = (struct store_key){.bucket = id_of("a"), .data = "k", .length = 1};
    to = (struct store_key){.bucket = id_of("default"), .data = "k", .length = 1};
    ck_assert_int_eq(store_copy(store, &from, &to, NULL, &record), 0);
    commit();
    ck_assert_int_eq(drop("a"), 0);
    commit();
    clear();
    ck_assert_int_eq(store_get(store, &to, &record, &value), 0);
    ck_assert_uint_eq(record.size, MIB);
    ck_assert(harness_is_filled(value, MIB, 1));
    expect_sums();
}
END_TEST

START_TEST(values_of_what_was_dropped_are_free)
{
    open_store(16 * MIB);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(create("a"), 0);
        for (int j = 0; j < 4; j++) {
            char key[8];

            snprintf(key, sizeof(key), "%d", j);
            ck_assert_int_eq(put(id_of("a"), key, MIB), 0);
            commit();
        }
        ck_assert_int_eq(drop("a"), 0);
        commit();
        ck_assert_int_eq(store_renew(store), 0); /* there are rows */
        clear();
    }
    expect_sums();
}
END_TEST

START_TEST(a_full_bucket_goes_where_memory_is_short)
{
    char key[32];
    int count = 0;

    open_store(4 * MIB);
    ck_assert_int_eq(create("a"), 0);
    commit();
    for (int r = 0; r == 0; count++) {
        snprintf(key, sizeof(key), "%d", count);
        r = put(id_of("a"), key, 1000);
        ck_assert(r == 0 || r == -ENOSPC);
        store_commit(store);
    }
    ck_assert_int_eq(drop("a"), 0);
    commit();
    clear();
    ck_assert_int_eq(create("b"), 0);
    commit();
    for (int i = 0; i < count / 2; i++) {
        snprintf(key, sizeof(key), "%d", i);
        ck_assert_int_eq(put(id_of("b"), key, 1000), 0);
        commit();
    }
    expect_sums();
}
END_TEST

/* ---- a store that starts afresh ---- */

START_TEST(buckets_outlive_a_fresh_start)
{
    const struct bucket_settings settings = {
        .max_size = 12345, .max_objects = 6, .ttl = 7, .policy = POLICY_LRU};
    struct store_bucket_name name = name_of("kept");
    struct store_bucket before, after;

    open_store(64 * MIB);
    ck_assert_int_eq(create("gone"), 0);
    ck_assert_int_eq(create_with("kept", &settings), 0);
    ck_assert_int_eq(drop("gone"), 0);
    commit();
    ck_assert_int_eq(store_bucket_info(store, &name, &before), 0);
    for (int i = 0; i < 10; i++) {
        char key[8];

        snprintf(key, sizeof(key), "%d", i);
        ck_assert_int_eq(put(id_of("default"), key, MIB), 0);
        commit();
    }
    for (int i = 0; i < 10; i++) {
        char key[8];
        struct store_key place = {.bucket = id_of("default"), .data = key, .length = 1};

        snprintf(key, sizeof(key), "%d", i);
        ck_assert_int_eq(store_delete(store, &place, NULL), 0);
        commit();
    }
    clear();
    while (store_free_spares(store) > 0)
        commit();
    commit();
    ck_assert_int_eq(store_renew(store), 1);
    ck_assert_int_eq(store_bucket_info(store, &name, &after), 0);
    ck_assert_mem_eq(&before, &after, sizeof(before));
    ck_assert_int_eq(create("another"), 0);
    ck_assert_uint_gt(id_of("another"), before.id);
    commit();
    expect_sums();
    reopen(64 * MIB);
    ck_assert_int_eq(store_bucket_info(store, &name, &after), 0);
    ck_assert_mem_eq(&before, &after, sizeof(before));
    expect_sums();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("bucket_store");
    TCase *tcase = tcase_create("bucket_store");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, many_buckets_in_one_transaction);
    tcase_add_test(tcase, nothing_of_what_was_not_committed);
    tcase_add_test(tcase, nothing_of_what_was_dropped);
    tcase_add_test(tcase, places_of_what_was_dropped);
    tcase_add_test(tcase, no_memory_for_more_buckets);
    tcase_add_test(tcase, buckets_that_come_and_go_leave_nothing);
    tcase_add_test(tcase, a_drop_goes_on_after_a_restart);
    tcase_add_test(tcase, shared_values_outlive_one_bucket);
    tcase_add_test(tcase, values_of_what_was_dropped_are_free);
    tcase_add_test(tcase, a_full_bucket_goes_where_memory_is_short);
    tcase_add_test(tcase, buckets_outlive_a_fresh_start);
    suite_add_tcase(s, tcase);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
