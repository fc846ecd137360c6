/* How objects end in the store by itself: what is seen of them before they are taken away, and the
 * index that leads to them (ends.c). */
#include "common/boottime.h"
#include "daemon/store_private.h"
#include "tests/harness.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MIB (1024U * 1024)
#define LONG 3600000 /* milliseconds: not in this test */

static struct store *store;
static uint8_t bytes[MIB];

/* The date is what the test says. */
static time_t date_shift; /* seconds */

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): not the C library's */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    int r = (int)syscall(SYS_clock_gettime, clock, now);

    if (clock == CLOCK_REALTIME)
        now->tv_sec += date_shift;
    return r;
}

static void open_store(uint64_t max_memory)
{
    struct store_limits limits = {.max_size = STORE_NO_LIMIT, .max_memory = max_memory};

    ck_assert_int_eq(store_open(harness_folder, &limits, &store), 0);
}

static void close_store(void)
{
    store_close(store);
    store = NULL;
}

static void setup(void)
{
    harness_setup();
    harness_fill(bytes, sizeof(bytes), 1);
}

static void teardown(void)
{
    close_store();
    harness_teardown();
}

static struct store_key key_of(const char *text)
{
    return (struct store_key){.bucket = DEFAULT_BUCKET, .data = text, .length = strlen(text)};
}

static void commit(void)
{
    ck_assert_int_eq(store_commit(store), 0);
}

/* ---- changes, as the server makes them: one that asks for it gets its commit first ---- */

static int put_once(const char *key, size_t size, const struct store_terms *terms)
{
    struct record attributes = {.size = size, .type_length = NO_CONTENT_TYPE};
    struct store_key name = key_of(key);
    struct record record;

    return store_put(store, &name, &attributes, terms, bytes, &record);
}

static int put_owned(const char *key, size_t size, int64_t ttl, uint32_t owner)
{
    const struct store_terms terms = {.ttl = ttl, .owner = owner};
    int r = put_once(key, size, &terms);

    if (r != -EAGAIN)
        return r;
    commit();
    return put_once(key, size, &terms);
}

static int put(const char *key, size_t size, int64_t ttl)
{
    return put_owned(key, size, ttl, 0);
}

static int delete_key(const char *key)
{
    struct store_key name = key_of(key);
    int r = store_delete(store, &name, NULL);

    if (r != -EAGAIN)
        return r;
    commit();
    return store_delete(store, &name, NULL);
}

static int touch(const char *key, int64_t ttl)
{
    struct store_key name = key_of(key);
    struct record record;
    int r = store_touch(store, &name, ttl, NULL, &record);

    if (r != -EAGAIN)
        return r;
    commit();
    return store_touch(store, &name, ttl, NULL, &record);
}

static int change_pair(bool copies, const char *from, const char *to)
{
    struct store_key source = key_of(from), target = key_of(to);
    struct record record;

    return copies ? store_copy(store, &source, &target, NULL, &record)
                  : store_move(store, &source, &target, NULL, &record);
}

static int pair(bool copies, const char *from, const char *to)
{
    int r = change_pair(copies, from, to);

    if (r != -EAGAIN)
        return r;
    commit();
    return change_pair(copies, from, to);
}

static int upload(const char *key, size_t size, int64_t ttl)
{
    struct record attributes = {.type_length = NO_CONTENT_TYPE};
    const struct store_terms terms = {.ttl = ttl};
    struct store_key name = key_of(key);
    struct store_upload one = {0};
    struct record record;
    int r;

    commit();
    while ((r = store_upload_begin(store, &name, size, NULL, &one)) == 1)
        continue;
    if (r < 0)
        return r;
    commit();
    r = store_upload_finish(store, &one, &name, &attributes, &terms, &record);
    if (r < 0)
        store_upload_cancel(store, &one);
    return r;
}

/* Takes away all that is over; returns how many. */
static int expire_all(void)
{
    int count = 0;
    int r;

    do {
        commit();
        r = store_expire(store);
        ck_assert_int_ge(r, 0);
        count += r;
    } while (r > 0);
    commit();
    return count;
}

static bool exists(const char *key)
{
    struct store_key name = key_of(key);
    struct record record;
    int r = store_get(store, &name, &record, NULL);

    ck_assert(r == 0 || r == -ENOENT);
    return r == 0;
}

static bool is_gone(void *key)
{
    return !exists(key);
}

static void await_end(const char *key)
{
    harness_await(is_gone, (void *)(uintptr_t)key, key);
    poll(NULL, 0, 1); /* the index is a little behind */
}

static struct store_status status_now(void)
{
    struct store_status status;

    store_status(store, &status);
    return status;
}

/* ---- what the tables say ---- */

static size_t count_rows(MDB_txn *txn, MDB_dbi database)
{
    MDB_stat stat;

    ck_assert_int_eq(mdb_stat(txn, database, &stat), 0);
    return stat.ms_entries;
}

/* Whether the index has a row for that end of the object. */
static void expect_end(MDB_txn *txn, const MDB_val *key, uint64_t end)
{
    struct row_key row;
    struct end_key ends;
    MDB_val data;

    memcpy(row.bytes, key->mv_data, key->mv_size);
    row.val = (MDB_val){.mv_data = row.bytes, .mv_size = key->mv_size};
    end_key_init(&ends, end, &row);
    ck_assert_int_eq(mdb_get(txn, store->ends, &ends.val, &data), 0);
}

/* Of what is committed: each end has its row and each row its end, and the counters are right. */
static void expect_exact(void)
{
    uint64_t used = 0, objects = 0;
    size_t ends = 0;
    MDB_cursor *cursor;
    MDB_val key, data;
    MDB_txn *txn;

    commit();
    ck_assert_int_eq(store_reader(store, &txn), 0);
    ck_assert_int_eq(mdb_cursor_open(txn, store->objects, &cursor), 0);
    while (mdb_cursor_get(cursor, &key, &data, MDB_NEXT) == 0) {
        struct record record;
        uint32_t bucket;

        memcpy(&bucket, key.mv_data, sizeof(bucket));
        if (__builtin_bswap32(bucket) <= ROW_BUCKET(STORE_HEAD_BUCKET))
            continue; /* not an object */
        ck_assert_int_eq(record_read(data.mv_data, data.mv_size, &record), 0);
        if (record.expires)
            expect_end(txn, &key, end_of_time(record.expires));
        if (record.owner)
            expect_end(txn, &key, end_of_owner(record.owner));
        ends += (record.expires != 0) + (record.owner != 0);
        used += record.size;
        objects++;
    }
    mdb_cursor_close(cursor);
    ck_assert_uint_eq(count_rows(txn, store->ends), ends);
    ck_assert_uint_eq(status_now().used, used);
    ck_assert_uint_eq(status_now().objects, objects);
}

/* ---- before they are taken away ---- */

START_TEST(what_is_over_is_not_there)
{
    struct store_key all = {.bucket = DEFAULT_BUCKET};
    struct store_scan *scan;
    struct record record;
    const uint8_t *key;
    size_t length;

    open_store(64 * MIB);
    ck_assert_int_eq(put("a", 10, 1), 0);
    ck_assert_int_eq(put("b", 20, 0), 0);
    ck_assert_int_eq(put("c", 30, 1), 0);
    commit();
    await_end("a");
    await_end("c");
    ck_assert_int_eq(delete_key("a"), -ENOENT);
    ck_assert_int_eq(touch("a", LONG), -ENOENT);
    ck_assert_int_eq(pair(true, "a", "b"), -ENOENT);
    ck_assert_int_eq(pair(false, "a", "b"), -ENOENT);
    commit();
    ck_assert_int_eq(store_scan_open(store, &all, NULL, &scan), 0);
    ck_assert_int_eq(store_scan_next(scan, &key, &length, &record), 2);
    ck_assert_int_eq(store_scan_next(scan, &key, &length, &record), 1);
    ck_assert_mem_eq(key, "b", 1);
    ck_assert_int_eq(store_scan_next(scan, &key, &length, &record), 2);
    ck_assert_int_eq(store_scan_next(scan, &key, &length, &record), 0);
    store_scan_close(scan);
    ck_assert_uint_eq(status_now().objects, 3); /* until then they count */
    ck_assert_uint_eq(status_now().used, 60);
    ck_assert_int_eq(expire_all(), 2);
    ck_assert_uint_eq(status_now().objects, 1);
    ck_assert_uint_eq(status_now().used, 20);
}
END_TEST

/* The events of what happened to the object, and then no more of them. */
static void expect_events(const char *key, const enum event_kind *kinds, size_t count)
{
    const struct event *event = events_first(&store->events);
    uint64_t version = 0;

    for (; event; event = events_next(&store->events, event)) {
        if (event->key_length != strlen(key) || memcmp(event->key, key, event->key_length) != 0)
            continue;
        ck_assert_uint_gt(count, 0);
        ck_assert_int_eq(event->kind, *kinds);
        ck_assert_uint_gt(event->version, version);
        version = event->version;
        kinds++;
        count--;
    }
    ck_assert_uint_eq(count, 0);
}

START_TEST(what_is_over_can_be_replaced)
{
    const enum event_kind kinds[] = {EVENT_EXPIRE, EVENT_PUT};

    open_store(64 * MIB);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(put("a", 5000, 1), 0);
        ck_assert_int_eq(put("source", 10, 0), 0);
        await_end("a");
        commit();
        events_clear(&store->events);
        if (i == 0)
            ck_assert_int_eq(put("a", 10, 0), 0);
        else if (i == 1)
            ck_assert_int_eq(upload("a", 300000, LONG), 0);
        else
            ck_assert_int_eq(pair(i == 2, "source", "a"), 0);
        ck_assert(exists("a"));
        expect_exact();
        expect_events("a", kinds, 2);
        ck_assert_int_eq(expire_all(), 0);
        ck_assert(exists("a"));
    }
}
END_TEST

START_TEST(date_may_be_set)
{
    const time_t year = 365 * 86400;
    const time_t dates[] = {year, -year, -60 * year};

    open_store(64 * MIB);
    for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
        struct store_key name = key_of("long");
        struct record record;
        int64_t told;

        date_shift = 0;
        ck_assert_int_eq(put("long", 10, LONG), 0);
        ck_assert_int_eq(put("short", 10, 20), 0);
        ck_assert_int_eq(store_get(store, &name, &record, NULL), 0);
        told = boottime_to_utc(record.expires);
        date_shift = dates[i];
        ck_assert_int_eq(expire_all(), 0);
        ck_assert(exists("short"));
        ck_assert_int_lt(
            llabs(boottime_to_utc(record.expires) - told - (int64_t)dates[i] * 1000000), 1000000);
        await_end("short");
        ck_assert_int_eq(expire_all(), 1);
        ck_assert(exists("long"));
        expect_exact();
    }
}
END_TEST

/* Nothing ends in the middle of a group. */
START_TEST(group_is_of_one_moment)
{
    const struct store_group group = {.changes = 4, .puts = 4, .lifetimes = 4, .bytes = 1000};

    open_store(64 * MIB);
    ck_assert_int_eq(put("before", 10, 1), 0);
    await_end("before");
    ck_assert_int_eq(put("during", 10, 20), 0);
    commit();
    ck_assert_int_eq(store_group_begin(store, &group), 0);
    ck_assert(!exists("before"));
    ck_assert(exists("during"));
    poll(NULL, 0, 30);
    ck_assert(exists("during"));
    ck_assert_int_eq(put("inside", 10, 1), 0);
    poll(NULL, 0, 5);
    ck_assert(exists("inside"));
    ck_assert_int_eq(store_group_end(store), 0);
    commit();
    ck_assert(!exists("during"));
    ck_assert(!exists("inside"));
    ck_assert_int_eq(expire_all(), 3);
    expect_exact();
}
END_TEST

/* ---- the index ---- */

static const int64_t ttls[] = {0, TTL_NEVER, 1, 2, 5, LONG, TTL_MAX};

static int64_t random_ttl(void)
{
    return ttls[(size_t)random() % (sizeof(ttls) / sizeof(ttls[0]))];
}

/* Some are refused in the middle of a transaction, and take it along. */
static void change_at_random(size_t size)
{
    char key[16], other[16];

    snprintf(key, sizeof(key), "%ld", random() % 50);
    snprintf(other, sizeof(other), "%ld", random() % 50);
    switch (random() % 8) {
    case 0:
    case 1:
        ck_assert_int_eq(put(key, (size_t)random() % size, random_ttl()), 0);
        break;
    case 2:
        ck_assert_int_eq(put_owned(key, 10, random_ttl(), 1 + (uint32_t)random() % 2), 0);
        break;
    case 3:
        ck_assert_int_eq(upload(key, 260000, random_ttl()), 0);
        break;
    case 4:
        delete_key(key);
        break;
    case 5:
        pair(true, key, other);
        break;
    case 6:
        pair(false, key, other);
        break;
    default:
        touch(key, random_ttl());
        break;
    }
}

static void group_at_random(void)
{
    const struct store_group group = {.changes = 10, .puts = 10, .lifetimes = 10, .bytes = 1 << 16};
    char key[16];

    commit();
    ck_assert_int_eq(store_group_begin(store, &group), 0);
    for (int i = 0; i < 10; i++) {
        snprintf(key, sizeof(key), "%ld", random() % 50);
        if (random() % 3 == 0)
            delete_key(key);
        else
            ck_assert_int_eq(put(key, 100, random_ttl()), 0);
    }
    if (random() % 2 == 0)
        ck_assert_int_eq(store_group_end(store), 0);
    else
        ck_assert_int_eq(store_group_abort(store), 0);
}

START_TEST(index_follows_the_objects)
{
    open_store(64 * MIB);
    srandom((unsigned)_i);
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 20; i++)
            change_at_random(_i % 2 ? 300 : 8000);
        if (round % 3 == 0)
            group_at_random();
        if (round % 5 == 0) {
            store_drop(store, -EIO); /* as after an error */
            store_commit(store);
        }
        expect_exact();
        if (round % 4 == 0)
            expire_all();
        if (round % 7 == 0) {
            ck_assert_int_ge(store_bury(store, 1), 0);
            expect_exact();
        }
        if (round % 10 == 0) {
            close_store();
            open_store(64 * MIB);
        }
        while (store_collect(store, UINT64_MAX, NULL, 0) > 0)
            commit();
    }
    for (int i = 0; i < 50; i++) {
        char key[16];

        snprintf(key, sizeof(key), "%d", i);
        touch(key, 1);
    }
    poll(NULL, 0, 10);
    expire_all();
    expect_exact();
    ck_assert_uint_eq(status_now().objects, 0);
    ck_assert_int_eq(store_next_expiry(store), INT64_MAX);
}
END_TEST

/* A row whose object says something else, or is not there, or in no bucket. */
static void add_stale(uint32_t bucket, const char *text)
{
    struct store_key name = {.bucket = bucket, .data = text, .length = strlen(text)};
    struct end_key key;
    struct row_key row;
    MDB_val none = {0};

    row_key_init(&row, &name);
    end_key_init(&key, end_of_time(1), &row);
    ck_assert_int_eq(store_begin(store, &(struct claim){.rows = 1, .ends = 1}), 0);
    ck_assert_int_eq(mdb_put(store->change, store->ends, &key.val, &none, 0), 0);
    expiry_note(store, end_of_time(1));
}

START_TEST(stale_rows_do_no_harm)
{
    open_store(64 * MIB);
    ck_assert_int_eq(put("for ever", 10, 0), 0);
    ck_assert_int_eq(put("long", 10, LONG), 0);
    ck_assert_int_eq(put("over", 10, 1), 0);
    add_stale(DEFAULT_BUCKET, "for ever");
    add_stale(DEFAULT_BUCKET, "long");
    add_stale(DEFAULT_BUCKET, "none");
    add_stale(DEFAULT_BUCKET, "");
    add_stale(12345, "none");
    commit();
    await_end("over");
    expire_all();
    ck_assert(exists("for ever") && exists("long"));
    ck_assert_uint_eq(status_now().objects, 2);
    expect_exact();
}
END_TEST

/* One that a commit has to come before takes nothing back of what was done so far. */
START_TEST(stale_rows_wait_for_a_commit)
{
    uint64_t version;
    int r;

    open_store(64 * MIB);
    add_stale(12345, "none");
    commit();
    ck_assert_int_eq(put("before", 10, 0), 0);
    do
        r = store_take_version(store, &version);
    while (r == 0);
    ck_assert_int_eq(r, -EAGAIN);
    ck_assert_int_eq(store_expire(store), -EAGAIN);
    commit();
    ck_assert(exists("before"));
    expire_all();
    expect_exact();
}
END_TEST

/* ---- memory ---- */

/* Long keys, so that few rows fill a page of either tree. */
static bool is_due(void *then)
{
    return boottime_now() > *(int64_t *)then;
}

/* An object that ended is gone by a delete. Once that was looked at there is nothing left to wait
 * for, also after a transaction that was dropped: who lacks room would wait for ever. */
START_TEST(what_was_looked_at_is_not_due_again)
{
    const struct store_group group = {.changes = 1, .puts = 1, .bytes = 16};
    int64_t then;

    open_store(64 * MIB);
    ck_assert_int_eq(put("a", 1, 20), 0);
    commit();
    then = store_next_expiry(store);
    ck_assert_int_eq(delete_key("a"), 0);
    commit();
    harness_await(is_due, &then, "the end of a lifetime");
    ck_assert_int_eq(store_expire(store), 0);
    commit();
    ck_assert_int_eq(store_next_expiry(store), INT64_MAX);
    ck_assert_int_eq(store_group_begin(store, &group), 0);
    ck_assert_int_eq(put_once("b", 1, &(struct store_terms){0}), 0);
    ck_assert_int_eq(store_group_abort(store), 0);
    ck_assert_int_eq(store_next_expiry(store), INT64_MAX);
}
END_TEST

static void long_key(char key[KEY_MAX + 1], int number)
{
    memset(key, 'k', KEY_MAX);
    key[KEY_MAX] = '\0';
    snprintf(key, 16, "%08x", (unsigned)number * 2654435761U);
    key[8] = '-';
}

/* Until memory is used up, with as many in a transaction as go. What was taken stays, and all of it
 * can be taken away again. */
START_TEST(memory_used_up_by_what_ends)
{
    static const size_t sizes[] = {0, 1000, 5000, 200000};
    char key[KEY_MAX + 1];
    int before = 0;

    open_store(16 * MIB);
    for (int round = 0; round < 3; round++) {
        int count = 0;
        int r;

        do {
            long_key(key, count);
            r = put(key, sizes[_i], LONG);
            if (r == 0 && ++count % 5 == 0)
                commit();
        } while (r == 0);
        ck_assert_int_eq(r, -ENOSPC);
        ck_assert_int_gt(count, round == 0 ? 20 : before / 2);
        before = count;
        expect_exact();
        ck_assert_uint_eq(status_now().objects, (uint64_t)count);
        ck_assert_uint_le(status_now().memory, 16 * MIB);
        /* As if the time had come. */
        for (int i = 0; i < count; i++) {
            long_key(key, i);
            r = touch(key, 1);
            ck_assert_msg(r == 0 || r == -ENOSPC, "touch: %d", r);
            if (r < 0)
                ck_assert_int_eq(delete_key(key), 0);
            commit();
        }
        poll(NULL, 0, 3);
        expire_all();
        expect_exact();
        ck_assert_uint_eq(status_now().objects, 0);
        while (store_collect(store, UINT64_MAX, NULL, 0) > 0)
            commit();
    }
}
END_TEST

START_TEST(many_take_several_turns)
{
    char key[16];
    int turns = 0;

    open_store(64 * MIB);
    for (int i = 0; i < 2000; i++) {
        snprintf(key, sizeof(key), "%d", i);
        ck_assert_int_eq(put(key, 100, 1), 0);
    }
    await_end("1999");
    commit();
    for (int left = 2000; left > 0; turns++) {
        int r = store_expire(store);

        ck_assert_int_gt(r, 0);
        ck_assert_int_le(r, 256);
        left -= r;
        commit();
        ck_assert_uint_eq(status_now().objects, (uint64_t)left);
    }
    ck_assert_int_ge(turns, 8);
    ck_assert_int_eq(store_expire(store), 0);
}
END_TEST

/* ---- the daemon that finds them ---- */

/* Puts an object that ended when the machine started. */
static void put_of_old(const char *text)
{
    struct store_key name = key_of(text);
    struct record record = {.type_length = NO_CONTENT_TYPE, .size = 10, .value = bytes};
    struct slot slot;

    commit();
    ck_assert_int_eq(slot_find(store, &name, NULL, &slot), 0);
    record.expires = 1;
    ck_assert_int_eq(store_begin(store, &(struct claim){.rows = 1, .ends = 1}), 0);
    ck_assert_int_eq(slot_fill(store, &slot, &record), 0);
    commit();
}

static bool has_one(void *handle)
{
    return harness_stats(handle).objects == 1;
}

START_TEST(daemon_takes_away_what_ended_long_ago)
{
    struct memstore *handle;
    char key[16];

    open_store(64 * MIB);
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "%d", i);
        put_of_old(key);
    }
    ck_assert_int_eq(put("for ever", 10, 0), 0);
    commit();
    ck_assert_uint_eq(status_now().objects, 1001);
    close_store();
    handle = harness_open(harness_start("--data", harness_folder));
    ck_assert_int_eq(memstore_exists(handle, "0", 1), 0);
    ck_assert_int_eq(memstore_exists(handle, "for ever", 8), 1);
    harness_await(has_one, handle, "the others to be taken away");
    memstore_close(handle);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lifetimes");
    TCase *tcase = tcase_create("lifetimes");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, what_is_over_is_not_there);
    tcase_add_test(tcase, what_is_over_can_be_replaced);
    tcase_add_test(tcase, date_may_be_set);
    tcase_add_test(tcase, group_is_of_one_moment);
    tcase_add_loop_test(tcase, index_follows_the_objects, 0, 6);
    tcase_add_test(tcase, stale_rows_do_no_harm);
    tcase_add_test(tcase, stale_rows_wait_for_a_commit);
    tcase_add_test(tcase, what_was_looked_at_is_not_due_again);
    tcase_add_loop_test(tcase, memory_used_up_by_what_ends, 0, 4);
    tcase_add_test(tcase, many_take_several_turns);
    tcase_add_test(tcase, daemon_takes_away_what_ended_long_ago);
    suite_add_tcase(suite, tcase);
    return harness_main(suite);
}
