/* Buckets by the thousand, and by many processes at once: drops under those who use them, a daemon
 * that is killed in the middle. */
#include "tests/harness.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

static struct harness_daemon *server;
static struct memstore *store; /* on "default" */

static void start(void)
{
    server = harness_start("--max-size", "none", "--max-memory", "1G");
}

static void setup(void)
{
    harness_setup();
    start();
    store = harness_open(server);
    harness_put(store, "canary", "alive");
}

static void teardown(void)
{
    memstore_close(store);
    harness_teardown();
}

static void create(const char *name)
{
    ck_assert_msg(memstore_bucket_create(store, name, NULL) == 0, "%s", memstore_message());
}

static void drop(const char *name)
{
    ck_assert_msg(memstore_bucket_drop(store, name) == 0, "%s", memstore_message());
}

/* ---- sums ---- */

static void measure(const char *bucket, uint64_t *ret_used, uint64_t *ret_objects)
{
    struct memstore *handle = harness_open_bucket(server, bucket);
    struct memstore_list *list;

    ck_assert_int_eq(memstore_list(handle, "", 0, NULL, &list), 0);
    *ret_used = 0;
    *ret_objects = memstore_list_count(list);
    for (size_t i = 0; i < memstore_list_count(list); i++)
        *ret_used += memstore_object_size(memstore_list_at(list, i));
    memstore_list_free(list);
    memstore_close(handle);
}

/* Nobody changes anything now: each bucket counts what is in it, and the store all of that. */
static void expect_sums(void)
{
    struct memstore_stats stats = harness_stats(store);
    struct memstore_bucket_info *buckets;
    uint64_t used = 0, objects = 0;
    size_t count;

    ck_assert_int_eq(memstore_bucket_list(store, &buckets, &count, sizeof(*buckets)), 0);
    for (size_t i = 0; i < count; i++) {
        uint64_t there, many;

        measure(buckets[i].name, &there, &many);
        ck_assert_uint_eq(buckets[i].used, there);
        ck_assert_uint_eq(buckets[i].objects, many);
        used += there;
        objects += many;
    }
    free(buckets);
    ck_assert_uint_eq(stats.used, used);
    ck_assert_uint_eq(stats.objects, objects);
    ck_assert_uint_eq(stats.buckets, count);
    harness_expect(store, "canary", "alive");
}

/* ---- many ---- */

#define MANY 100000

START_TEST(a_hundred_thousand_buckets)
{
    const int many = harness_is_slow() ? MANY / 10 : MANY;
    struct memstore_bucket_info *buckets;
    char name[32], last[32] = "";
    size_t count;

    for (int i = 0; i < many; i++) {
        snprintf(name, sizeof(name), "bucket-%d", i);
        create(name);
    }
    for (int i = 0; i < many; i += many / 100) {
        struct memstore *handle;

        snprintf(name, sizeof(name), "bucket-%d", i);
        handle = harness_open_bucket(server, name);
        harness_put(handle, "key", name);
        harness_expect(handle, "key", name);
        memstore_close(handle);
    }
    ck_assert_int_eq(memstore_bucket_list(store, &buckets, &count, sizeof(*buckets)), 0);
    ck_assert_uint_eq(count, (size_t)many + 1);
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_gt(strcmp(buckets[i].name, last), 0);
        strcpy(last, buckets[i].name);
    }
    free(buckets);
    harness_kill(server);
    start();
    ck_assert_uint_eq(harness_stats(store).buckets, (uint64_t)many + 1);
    for (int i = 0; i < many; i++) {
        snprintf(name, sizeof(name), "bucket-%d", i);
        drop(name);
    }
    expect_sums();
}
END_TEST

START_TEST(they_come_and_go_and_leave_nothing)
{
    const int many = harness_is_slow() ? MANY / 10 : MANY;
    uint64_t memory = 0;

    for (int i = 0; i < many; i++) {
        create("bucket");
        drop("bucket");
        if (i == many / 100)
            memory = harness_stats(store).memory;
    }
    ck_assert_uint_le(harness_stats(store).memory, memory + 2 * MIB);
    expect_sums();
}
END_TEST

/* ---- under those who use them ---- */

#define ROUNDS 15
#define LARGE 300000

struct shared {
    _Atomic bool stops;
    _Atomic int rounds[8]; /* that each of the users has seen begin */
};

static struct shared *shared;

/* What a call in a bucket that may go can say. Returns false when it is gone. */
static bool goes_on(int r)
{
    ck_assert_msg(r >= 0 || r == -ENXIO || r == -ENOENT, "%d: %s", r, memstore_message());
    return r != -ENXIO;
}

static void name_key(char key[32], int i)
{
    snprintf(key, 32, "key %d", i % 50);
}

static int put_some(struct memstore *handle, int i)
{
    static char bytes[LARGE];
    char key[32];

    name_key(key, i);
    memset(bytes, i, 100);
    return memstore_put(handle, key, strlen(key), bytes, i % 10 == 0 ? LARGE : 100, NULL, NULL);
}

static int get_some(struct memstore *handle, int i)
{
    struct memstore_object *object = NULL;
    char key[32];
    int r;

    name_key(key, i);
    r = memstore_get(handle, key, strlen(key), 0, MEMSTORE_TO_END, &object);
    memstore_object_free(object);
    return r;
}

static int view_some(struct memstore *handle, int i)
{
    struct memstore_view *view = NULL;
    char key[32];
    int r;

    name_key(key, i / 10 * 10);
    r = memstore_view(handle, key, strlen(key), &view);
    if (r == 0) {
        size_t size;
        const char *value = memstore_view_value(view, &size);

        ck_assert_int_eq(value[0], value[99]); /* whole, whatever becomes of the bucket */
        memstore_view_release(view);
    }
    return r;
}

static int wait_for_some(struct memstore *handle, int i)
{
    char key[32];
    int r;

    name_key(key, i);
    r = memstore_wait(handle, key, strlen(key), MEMSTORE_UNTIL_GONE, 0, 60000, NULL);
    return r == -ETIMEDOUT ? 0 : r;
}

static int list_some(struct memstore *handle, int i)
{
    struct memstore_list *list;
    int r = memstore_list(handle, "", 0, NULL, &list);

    (void)i;
    if (r == 0)
        memstore_list_free(list);
    return r;
}

static int move_some(struct memstore *handle, int i)
{
    const struct memstore_pair_options back = {.size = sizeof(back), .bucket = "default"};
    char key[32];
    int r;

    name_key(key, i);
    r = memstore_copy_to(handle, key, strlen(key), "copied", 6, &back, NULL);
    if (r == 0 || r == -ENOENT)
        r = memstore_move(handle, key, strlen(key), "moved", 5, NULL);
    return r;
}

static int lock_some(struct memstore *handle, int i)
{
    struct memstore_lock *lock = NULL;
    int r = memstore_lock(handle, "lock", 4, 60000, &lock);

    (void)i;
    if (r == 0)
        r = memstore_unlock(lock);
    return r;
}

static int (*const uses[])(struct memstore *handle, int i) = {
    put_some, put_some, get_some, view_some, wait_for_some, list_some, move_some, lock_some};
#define USERS (int)(sizeof(uses) / sizeof(uses[0]))

/* Opens the bucket whenever there is one, and uses it until it is gone. */
static int use_until_gone(int index, void *argument)
{
    struct memstore_options opens = {
        .size = sizeof(opens), .socket = server->socket, .bucket = "doomed", .timeout_ms = 60000};

    (void)argument;
    while (!shared->stops) {
        struct memstore *handle;
        int r = memstore_open(&opens, &handle);

        if (r == -ENOENT)
            continue;
        ck_assert_int_eq(r, 0);
        shared->rounds[index]++;
        for (int i = 0; goes_on(uses[index](handle, i)) && !shared->stops; i++)
            ;
        memstore_close(handle);
    }
    return 0;
}

static bool all_have_begun(void *argument)
{
    const int *before = argument;

    for (int i = 0; i < USERS; i++)
        if (shared->rounds[i] == before[i])
            return false;
    return true;
}

static bool is_empty_but_for_us(void *argument)
{
    (void)argument;
    return harness_stats(store).garbage == 0;
}

START_TEST(drops_under_those_who_use_them)
{
    pid_t users[8];

    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
    for (int i = 0; i < USERS; i++)
        users[i] = harness_fork(use_until_gone, i, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        int before[8];

        for (int i = 0; i < USERS; i++)
            before[i] = shared->rounds[i];
        create("doomed");
        harness_await(all_have_begun, before, "all to use it");
        drop("doomed");
        create("doomed"); /* the name is free at once, and there is nothing in it yet */
        drop("doomed");
    }
    shared->stops = true;
    for (int i = 0; i < USERS; i++) {
        int status;

        ck_assert_int_eq(waitpid(users[i], &status, 0), users[i]);
        ck_assert_msg(status == 0, "user %d: %d", i, status);
    }
    harness_await(is_empty_but_for_us, NULL, "the values to be free");
    memstore_delete(store, "copied", 6);
    ck_assert_uint_eq(harness_stats(store).used, 5);
    expect_sums();
    munmap(shared, sizeof(*shared));
}
END_TEST

/* ---- a daemon that is killed ---- */

#define WORKERS 4
#define KILLS 10

/* Changes what is its own, and moves things to and fro, whoever answers. */
static int change_until_killed(int index, void *argument)
{
    struct memstore_options opens = {
        .size = sizeof(opens), .socket = server->socket, .timeout_ms = 60000};
    const struct memstore_bucket_options exist_ok = {.size = sizeof(exist_ok), .exist_ok = 1};
    struct memstore *common;
    char name[16];

    (void)argument;
    snprintf(name, sizeof(name), "worker-%d", index);
    while (memstore_open(&opens, &common) < 0)
        usleep(1000);
    opens.bucket = name;
    for (int round = 0; round < 1000000; round++) {
        const struct memstore_pair_options to = {.size = sizeof(to),
                                                 .bucket = index % 2 ? "worker-0" : "default"};
        struct memstore *own;

        memstore_bucket_create(common, name, &exist_ok);
        if (memstore_open(&opens, &own) < 0)
            continue;
        for (int i = 0; i < 300; i++) {
            char key[32];

            name_key(key, i * 7);
            put_some(own, i);
            memstore_move_to(own, key, strlen(key), name, strlen(name), &to, NULL);
            if (i % 3 == 0)
                memstore_delete(own, key, strlen(key));
        }
        memstore_close(own);
        if (round % 2)
            memstore_bucket_drop(common, name);
    }
    return 1; /* it is killed long before */
}

START_TEST(counters_are_exact_after_every_kill)
{
    for (int round = 0; round < KILLS; round++) {
        pid_t workers[WORKERS];

        for (int i = 0; i < WORKERS; i++)
            workers[i] = harness_fork(change_until_killed, i, NULL);
        usleep(20000 + 10000 * (useconds_t)round); /* any moment will do */
        harness_kill(server);
        for (int i = 0; i < WORKERS; i++)
            kill(workers[i], SIGKILL);
        for (int i = 0; i < WORKERS; i++)
            waitpid(workers[i], NULL, 0);
        start();
        expect_sums();
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("bucket_load");
    TCase *tcase = tcase_create("bucket_load");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, a_hundred_thousand_buckets);
    tcase_add_test(tcase, they_come_and_go_and_leave_nothing);
    tcase_add_test(tcase, drops_under_those_who_use_them);
    tcase_add_test(tcase, counters_are_exact_after_every_kill);
    suite_add_tcase(s, tcase);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
