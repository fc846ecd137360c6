/* Those who wait, watch and lock in a bucket that is dropped. */
#include "tests/harness.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONG 60000 /* milliseconds that no test waits */

static struct harness_daemon *server;
static struct memstore *store;  /* in another bucket */
static struct memstore *doomed; /* in the one that goes */

static void setup(void)
{
    harness_setup();
    server = harness_start(NULL);
    store = harness_open(server);
    ck_assert_int_eq(memstore_bucket_create(store, "doomed", NULL), 0);
    doomed = harness_open_bucket(server, "doomed");
}

static void teardown(void)
{
    memstore_close(doomed);
    memstore_close(store);
    harness_teardown();
}

/* ---- short forms ---- */

static void drop(void)
{
    ck_assert_msg(memstore_bucket_drop(store, "doomed") == 0, "%s", memstore_message());
}

static bool as_many_wait(void *argument)
{
    return harness_stats(store).waiting == *(size_t *)argument;
}

static bool as_many_watch(void *argument)
{
    return harness_stats(store).watching == *(size_t *)argument;
}

static bool as_many_are_held(void *argument)
{
    return harness_stats(store).locks == *(size_t *)argument;
}

/* A call in a thread of its own. */
struct call {
    pthread_t thread;
    int (*make)(const struct call *call, void *got);
    struct memstore *store;
    const char *key;
    uint64_t version;
    void *got; /* a result that the test has to end */
    int result;
    char message[256];
};

static void *run_call(void *argument)
{
    struct call *call = argument;

    call->result = call->make(call, &call->got);
    snprintf(call->message, sizeof(call->message), "%s", memstore_message());
    return NULL;
}

/* Returns when the daemon knows that it waits. */
static void begin(struct call *call)
{
    size_t waiting = harness_stats(store).waiting + 1;

    ck_assert_int_eq(pthread_create(&call->thread, NULL, run_call, call), 0);
    harness_await(as_many_wait, &waiting, "the call to wait");
}

static void expect_end(struct call *call, int result)
{
    pthread_join(call->thread, NULL);
    ck_assert_msg(call->result == result, "%s: %d: %s", call->key, call->result, call->message);
    ck_assert_msg(result == 0 || strstr(call->message, "bucket"), "%s", call->message);
}

/* ---- waiting ---- */

static int wait_until_there(const struct call *call, void *got)
{
    return memstore_wait(call->store, call->key, strlen(call->key), MEMSTORE_UNTIL_EXISTS, 0, LONG,
                         got);
}

static int wait_until_gone(const struct call *call, void *got)
{
    return memstore_wait(call->store, call->key, strlen(call->key), MEMSTORE_UNTIL_GONE, 0, LONG,
                         got);
}

static int wait_until_changed(const struct call *call, void *got)
{
    return memstore_wait(call->store, call->key, strlen(call->key), MEMSTORE_UNTIL_CHANGED,
                         call->version, LONG, got);
}

static uint64_t version_in(struct memstore *bucket, const char *key)
{
    struct memstore_object *object;
    uint64_t version;

    ck_assert_int_eq(memstore_info(bucket, key, strlen(key), &object), 0);
    version = memstore_object_version(object);
    memstore_object_free(object);
    return version;
}

START_TEST(waits_end)
{
    struct call calls[] = {{.make = wait_until_there, .store = doomed, .key = "there"},
                           {.make = wait_until_there, .store = doomed, .key = ""},
                           {.make = wait_until_changed, .store = doomed, .key = "changed"},
                           {.make = wait_until_gone, .store = doomed, .key = "gone"},
                           {.make = wait_until_gone, .store = doomed, .key = "gone"},
                           {.make = wait_until_there, .store = store, .key = "there"},
                           {.make = wait_until_there, .store = store, .key = ""}};
    size_t waiting = 2;

    harness_put(doomed, "changed", "x");
    calls[2].version = version_in(doomed, "changed");
    harness_put(doomed, "gone", "x");
    for (size_t i = 0; i < 7; i++)
        begin(&calls[i]);
    drop();
    for (size_t i = 0; i < 3; i++)
        expect_end(&calls[i], -ENXIO);
    for (size_t i = 3; i < 5; i++) {
        expect_end(&calls[i], 0);
        ck_assert_ptr_null(calls[i].got);
    }
    harness_await(as_many_wait, &waiting, "others wait on");
    harness_put(store, "there", "x");
    harness_put(store, "", "x");
    for (size_t i = 5; i < 7; i++) {
        expect_end(&calls[i], 0);
        memstore_object_free(calls[i].got);
    }
}
END_TEST

START_TEST(who_comes_later_does_not_wait)
{
    struct memstore_object *object;

    drop();
    ck_assert_int_eq(memstore_wait(doomed, "k", 1, MEMSTORE_UNTIL_EXISTS, 0, LONG, &object),
                     -ENXIO);
    ck_assert_int_eq(memstore_wait(doomed, "k", 1, MEMSTORE_UNTIL_GONE, 0, LONG, &object), -ENXIO);
    ck_assert_int_eq(memstore_wait(doomed, "k", 1, MEMSTORE_UNTIL_EXISTS, 0, 0, &object), -ENXIO);
}
END_TEST

/* ---- watching ---- */

static struct memstore_watch *watch_in(struct memstore *bucket)
{
    struct memstore_watch *watch;

    ck_assert_int_eq(memstore_watch(bucket, "", 0, MEMSTORE_FROM_NOW, &watch), 0);
    return watch;
}

static void expect_event(struct memstore_watch *watch, enum memstore_event_kind kind,
                         const char *key)
{
    const struct memstore_event *event;

    ck_assert_msg(memstore_watch_next(watch, LONG, &event) == 0, "%s", memstore_message());
    ck_assert_int_eq(event->kind, kind);
    ck_assert_str_eq(event->key, key);
}

START_TEST(watches_end_behind_the_last_event)
{
    struct memstore_watch *watch = watch_in(doomed), *other = watch_in(store);
    struct pollfd ready = {.fd = memstore_watch_fd(watch), .events = POLLIN};
    const struct memstore_event *event;
    size_t watching = 1;

    harness_put(doomed, "one", "x");
    harness_put(doomed, "two", "x");
    drop();
    ck_assert_int_eq(poll(&ready, 1, LONG), 1);
    expect_event(watch, MEMSTORE_EVENT_PUT, "one");
    expect_event(watch, MEMSTORE_EVENT_PUT, "two");
    ck_assert_int_eq(memstore_watch_next(watch, LONG, &event), -ENXIO);
    ck_assert_ptr_nonnull(strstr(memstore_message(), "bucket"));
    ck_assert_int_eq(memstore_watch_next(watch, 0, &event), -ENXIO);
    harness_await(as_many_watch, &watching, "the other watch alone");
    memstore_watch_close(watch);
    harness_put(store, "three", "x");
    expect_event(other, MEMSTORE_EVENT_PUT, "three");
    memstore_watch_close(other);
    ck_assert_int_eq(memstore_watch(doomed, "", 0, 0, &watch), -ENXIO);
}
END_TEST

/* Puts so much that nobody keeps it for one who does not read. */
static void put_much(struct memstore *bucket)
{
    struct memstore_batch *batch;
    char key[MEMSTORE_KEY_MAX + 1];

    ck_assert_int_eq(memstore_batch_create(bucket, NULL, &batch), 0);
    for (int i = 0; i < 20000; i++) {
        snprintf(key, sizeof(key), "%0*d", MEMSTORE_KEY_MAX, i % 10);
        ck_assert_int_eq(memstore_batch_put(batch, key, MEMSTORE_KEY_MAX, "x", 1, NULL), 0);
    }
    ck_assert_int_eq(memstore_batch_run(batch), 0);
    memstore_batch_destroy(batch);
}

/* By the time it reads, nobody knows any more that the bucket was dropped. */
START_TEST(watch_that_comes_too_late_for_the_end_ends)
{
    struct memstore_watch *watch = watch_in(doomed);
    const struct memstore_event *event;
    int gaps = 0;
    int r;

    put_much(doomed);
    drop();
    put_much(store);
    while ((r = memstore_watch_next(watch, LONG, &event)) == 0)
        gaps += event->kind == MEMSTORE_EVENT_GAP;
    ck_assert_int_eq(r, -ENXIO);
    ck_assert_int_eq(gaps, 1);
    memstore_watch_close(watch);
}
END_TEST

/* ---- locks ---- */

static int take_lock(const struct call *call, void *got)
{
    return memstore_lock(call->store, call->key, strlen(call->key), LONG, got);
}

START_TEST(locks_end)
{
    struct call calls[] = {{.make = take_lock, .store = doomed, .key = "name"},
                           {.make = take_lock, .store = doomed, .key = "name"},
                           {.make = take_lock, .store = store, .key = "name"}};
    struct memstore_lock *lock, *unused, *other;
    size_t held = 1;

    ck_assert_int_eq(memstore_lock(doomed, "name", 4, LONG, &lock), 0);
    ck_assert_int_eq(memstore_lock(doomed, "unused", 6, LONG, &unused), 0);
    ck_assert_int_eq(memstore_lock(store, "name", 4, LONG, &other), 0);
    for (size_t i = 0; i < 3; i++)
        begin(&calls[i]);
    drop();
    expect_end(&calls[0], -ENXIO);
    expect_end(&calls[1], -ENXIO);
    ck_assert_int_eq(memstore_unlock(lock), -ENXIO);
    ck_assert_ptr_nonnull(strstr(memstore_message(), "bucket"));
    ck_assert_int_eq(memstore_unlock(unused), -ENXIO);
    harness_await(as_many_are_held, &held, "the lock of the other bucket alone");
    ck_assert_int_eq(memstore_lock_is_held(other), 1);
    ck_assert_int_eq(memstore_unlock(other), 0);
    expect_end(&calls[2], 0);
    ck_assert_int_eq(memstore_unlock(calls[2].got), 0);
    ck_assert_int_eq(memstore_lock(doomed, "name", 4, LONG, &lock), -ENXIO);
}
END_TEST

static int compute_until_dropped(struct memstore_writer *writer, void *context)
{
    (void)context;
    if (memstore_bucket_drop(store, "doomed") < 0)
        return -EPERM;
    return memstore_writer_write(writer, "value", 5);
}

static int compute(struct memstore_writer *writer, void *context)
{
    (void)context;
    return memstore_writer_write(writer, "value", 5);
}

static int once(const struct call *call, void *got)
{
    return memstore_once(call->store, call->key, strlen(call->key), compute, NULL, NULL, LONG, got);
}

/* What was computed has no place any more, and those who waited for it compute nothing. */
START_TEST(once_ends)
{
    struct call call = {.make = once, .store = doomed, .key = "key"};
    struct memstore_object *object;
    struct memstore_lock *lock;

    ck_assert_int_eq(memstore_lock(store, "key", 3, LONG, &lock), 0);
    ck_assert_int_eq(
        memstore_once(doomed, "other", 5, compute_until_dropped, NULL, NULL, LONG, &object),
        -ENXIO);
    ck_assert_int_eq(once(&call, &object), -ENXIO);
    ck_assert_int_eq(memstore_unlock(lock), 0);
}
END_TEST

/* ---- many ---- */

/* What comes and goes with its bucket leaves nothing behind. */
START_TEST(buckets_come_and_go_with_those_who_wait)
{
    size_t none = 0;

    for (int round = 0; round < 50; round++) {
        struct memstore *own;
        struct memstore_watch *watch;
        struct memstore_lock *lock;
        struct call call = {.make = wait_until_there, .key = "never"};
        char name[32];

        snprintf(name, sizeof(name), "round-%d", round);
        ck_assert_int_eq(memstore_bucket_create(store, name, NULL), 0);
        own = harness_open_bucket(server, name);
        watch = watch_in(own);
        ck_assert_int_eq(memstore_lock(own, "lock", 4, LONG, &lock), 0);
        call.store = own;
        begin(&call);
        ck_assert_int_eq(memstore_bucket_drop(store, name), 0);
        expect_end(&call, -ENXIO);
        memstore_watch_close(watch);
        ck_assert_int_eq(memstore_unlock(lock), -ENXIO);
        memstore_close(own);
    }
    harness_await(as_many_wait, &none, "nobody to wait");
    harness_await(as_many_watch, &none, "nobody to watch");
    harness_await(as_many_are_held, &none, "no lock to be left");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("dropped");
    TCase *ends = tcase_create("ends");

    tcase_add_checked_fixture(ends, setup, teardown);
    tcase_set_timeout(ends, 60);
    suite_add_tcase(all, ends);
    tcase_add_test(ends, waits_end);
    tcase_add_test(ends, who_comes_later_does_not_wait);
    tcase_add_test(ends, watches_end_behind_the_last_event);
    tcase_add_test(ends, watch_that_comes_too_late_for_the_end_ends);
    tcase_add_test(ends, locks_end);
    tcase_add_test(ends, once_ends);
    tcase_add_test(ends, buckets_come_and_go_with_those_who_wait);
    return all;
}

int main(void)
{
    return harness_main(suite());
}
