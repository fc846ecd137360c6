/* Watching what happens to objects, through the library against a real daemon. */
#include "tests/harness.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LONG 60000 /* milliseconds that no test waits */

static struct harness_daemon *server;
static struct memstore *store;
static struct memstore_watch *watch;

static void start_watch(const char *prefix, uint64_t from)
{
    ck_assert_msg(memstore_watch(store, prefix, strlen(prefix), from, &watch) == 0, "%s",
                  memstore_message());
}

static void setup(void)
{
    harness_setup();
    server = harness_start(NULL);
    store = harness_open(server);
    watch = NULL;
}

static void setup_impatient(void)
{
    harness_setup();
    server = harness_start("--client-timeout", "1");
    store = harness_open(server);
    watch = NULL;
}

static void teardown(void)
{
    memstore_watch_close(watch);
    memstore_close(store);
    harness_teardown();
}

/* ---- short forms ---- */

static uint64_t version_of(const char *key)
{
    struct memstore_object *object;
    uint64_t version;

    ck_assert_msg(memstore_info(store, key, strlen(key), &object) == 0, "%s", memstore_message());
    version = memstore_object_version(object);
    memstore_object_free(object);
    return version;
}

static void put(const char *key)
{
    harness_put(store, key, "value");
}

static void delete (const char *key)
{
    ck_assert_msg(memstore_delete(store, key, strlen(key)) == 0, "%s", memstore_message());
}

static const struct memstore_event *next_of(struct memstore_watch *of)
{
    const struct memstore_event *event = NULL;
    int r = memstore_watch_next(of, LONG, &event);

    ck_assert_msg(r == 0, "%d: %s", r, memstore_message());
    return event;
}

static const struct memstore_event *next(void)
{
    return next_of(watch);
}

/* The next event is this one. Returns its version. */
static uint64_t expect_from(struct memstore_watch *of, enum memstore_event_kind kind,
                            const char *key)
{
    const struct memstore_event *event = next_of(of);

    ck_assert_msg(event->kind == kind && event->key_length == strlen(key) &&
                      memcmp(event->key, key, event->key_length + 1) == 0,
                  "event %d of \"%s\", version %llu, and not %d of \"%s\"", (int)event->kind,
                  (const char *)event->key, (unsigned long long)event->version, (int)kind, key);
    return event->version;
}

static uint64_t expect(enum memstore_event_kind kind, const char *key)
{
    return expect_from(watch, kind, key);
}

static void expect_put(const char *key)
{
    ck_assert_uint_eq(expect(MEMSTORE_EVENT_PUT, key), version_of(key));
}

static void expect_nothing(void)
{
    const struct memstore_event *event;

    ck_assert_int_eq(memstore_watch_next(watch, 0, &event), -ETIMEDOUT);
}

/* Nothing comes that a later event does not come behind. */
static void expect_silence(void)
{
    put("mark");
    expect_put("mark");
}

/* ---- events ---- */

START_TEST(each_change_is_an_event)
{
    uint64_t deleted, moved;

    start_watch("", MEMSTORE_FROM_NOW);
    expect_nothing();
    put("one");
    expect_put("one");
    put("one");
    expect_put("one");
    ck_assert_int_eq(memstore_copy(store, "one", 3, "two", 3, NULL), 0);
    expect_put("two");
    delete ("one");
    deleted = expect(MEMSTORE_EVENT_DELETE, "one");
    ck_assert_uint_gt(deleted, version_of("two"));
    ck_assert_int_eq(memstore_move(store, "two", 3, "three", 5, NULL), 0);
    moved = expect(MEMSTORE_EVENT_DELETE, "two");
    ck_assert_uint_gt(moved, deleted);
    expect_put("three");
    ck_assert_uint_gt(version_of("three"), moved);
    ck_assert_int_eq(memstore_move(store, "three", 5, "three", 5, NULL), 0);
    expect_put("three");
    harness_put_filled(store, "large", (size_t)2 << 20, 1);
    expect_put("large");
    expect_nothing();
}
END_TEST

START_TEST(what_does_not_change_is_no_event)
{
    struct memstore_object *object;

    put("key");
    start_watch("", MEMSTORE_FROM_NOW);
    ck_assert_int_eq(memstore_get(store, "key", 3, 0, MEMSTORE_TO_END, &object), 0);
    memstore_object_free(object);
    ck_assert_int_eq(memstore_delete(store, "none", 4), -ENOENT);
    ck_assert_int_eq(memstore_move(store, "none", 4, "key", 3, NULL), -ENOENT);
    expect_silence();
}
END_TEST

START_TEST(prefix_chooses)
{
    start_watch("a/", MEMSTORE_FROM_NOW);
    put("a/1");
    put("a");
    put("b/1");
    put("aa/");
    put("a/");
    ck_assert_int_eq(memstore_move(store, "a/1", 3, "b/2", 3, NULL), 0);
    ck_assert_int_eq(memstore_move(store, "b/2", 3, "a/2", 3, NULL), 0);
    expect(MEMSTORE_EVENT_PUT, "a/1");
    expect(MEMSTORE_EVENT_PUT, "a/");
    expect(MEMSTORE_EVENT_DELETE, "a/1");
    expect(MEMSTORE_EVENT_PUT, "a/2");
    expect_nothing();
}
END_TEST

START_TEST(keys_are_any_bytes)
{
    const struct memstore_event *event;
    char key[MEMSTORE_KEY_MAX];

    memset(key, 0xff, sizeof(key));
    start_watch("", MEMSTORE_FROM_NOW);
    ck_assert_int_eq(memstore_put(store, key, sizeof(key), "x", 1, NULL, NULL), 0);
    ck_assert_int_eq(memstore_put(store, "a\0b", 3, "x", 1, NULL, NULL), 0);
    ck_assert_int_eq(memstore_put(store, NULL, 0, "x", 1, NULL, NULL), 0);
    event = next();
    ck_assert(event->key_length == sizeof(key) && memcmp(event->key, key, sizeof(key)) == 0);
    event = next();
    ck_assert(event->key_length == 3 && memcmp(event->key, "a\0b", 4) == 0);
    event = next();
    ck_assert_uint_eq(event->key_length, 0);
    memstore_watch_close(watch);
    ck_assert_int_eq(memstore_watch(store, key, sizeof(key), MEMSTORE_FROM_NOW, &watch), 0);
    ck_assert_int_eq(memstore_put(store, key, sizeof(key) - 1, "x", 1, NULL, NULL), 0);
    ck_assert_int_eq(memstore_put(store, key, sizeof(key), "x", 1, NULL, NULL), 0);
    ck_assert_uint_eq(next()->key_length, sizeof(key));
}
END_TEST

START_TEST(what_was_since_a_version_is_told)
{
    uint64_t first;

    put("a");
    first = version_of("a");
    put("b");
    put("c");
    delete ("b");
    start_watch("", first);
    expect(MEMSTORE_EVENT_PUT, "b");
    expect(MEMSTORE_EVENT_PUT, "c");
    expect(MEMSTORE_EVENT_DELETE, "b");
    put("d");
    expect_put("d");
    memstore_watch_close(watch);
    start_watch("", 0);
    expect(MEMSTORE_EVENT_PUT, "a");
    memstore_watch_close(watch);
    start_watch("", version_of("d"));
    expect_silence();
    memstore_watch_close(watch);
    start_watch("c", first);
    expect(MEMSTORE_EVENT_PUT, "c");
    expect_nothing();
}
END_TEST

static struct memstore_batch *batch_of_two(const char *first, const char *second)
{
    struct memstore_batch_options options = {.size = sizeof(options), .atomic = 1};
    struct memstore_batch *batch;

    ck_assert_int_eq(memstore_batch_create(store, &options, &batch), 0);
    ck_assert_int_eq(memstore_batch_put(batch, first, strlen(first), "x", 1, NULL), 0);
    ck_assert_int_eq(memstore_batch_delete(batch, second, strlen(second)), 0);
    return batch;
}

/* A batch is one transaction; what it did not do did not happen. */
START_TEST(changes_that_are_dropped_are_no_events)
{
    struct memstore_batch *good, *bad;

    put("here");
    start_watch("", MEMSTORE_FROM_NOW);
    bad = batch_of_two("first", "none");
    ck_assert_int_eq(memstore_batch_run(bad), -ENOENT);
    memstore_batch_destroy(bad);
    expect_nothing();
    good = batch_of_two("second", "here");
    ck_assert_msg(memstore_batch_run(good) == 0, "%s", memstore_message());
    memstore_batch_destroy(good);
    expect_put("second");
    expect(MEMSTORE_EVENT_DELETE, "here");
    expect_silence();
}
END_TEST

START_TEST(deadline_ends_the_wait_for_an_event)
{
    const struct memstore_event *event;
    int64_t begin = harness_now();

    start_watch("", MEMSTORE_FROM_NOW);
    ck_assert_int_eq(memstore_watch_next(watch, 50, &event), -ETIMEDOUT);
    ck_assert_int_ge(harness_now() - begin, 50);
    ck_assert_str_eq(memstore_message(), "no event after 50 ms");
    ck_assert_int_eq(memstore_watch_next(watch, -1, &event), -ETIMEDOUT);
    expect_silence();
}
END_TEST

static bool nobody_watches(void *argument)
{
    (void)argument;
    return harness_stats(store).watching == 0;
}

START_TEST(watch_that_is_closed_is_over)
{
    start_watch("", MEMSTORE_FROM_NOW);
    ck_assert_uint_eq(harness_stats(store).watching, 1);
    memstore_watch_close(watch);
    watch = NULL;
    harness_await(nobody_watches, NULL, "the daemon still tells of events");
    put("key");
}
END_TEST

START_TEST(senseless_watches_are_refused)
{
    char prefix[MEMSTORE_KEY_MAX + 1] = {0};

    ck_assert_int_eq(memstore_watch(store, prefix, sizeof(prefix), 0, &watch), -ENAMETOOLONG);
    ck_assert_int_eq(memstore_watch(store, NULL, 1, 0, &watch), -EINVAL);
    ck_assert_ptr_null(watch);
    ck_assert_int_eq(memstore_watch(store, NULL, 0, 0, &watch), 0);
    put("key");
    expect_put("key");
}
END_TEST

/* ---- many ---- */

#define WRITERS 4
#define ROUNDS 300

static int write_much(int index, void *argument)
{
    struct memstore *own = harness_open(server);
    char key[16];
    int r = 0;

    (void)argument;
    snprintf(key, sizeof(key), "key %d", index);
    for (int i = 0; r == 0 && i < ROUNDS; i++) {
        r = memstore_put(own, key, strlen(key), "x", 1, NULL, NULL);
        if (r == 0)
            r = memstore_delete(own, key, strlen(key));
    }
    memstore_close(own);
    return r ? 1 : 0;
}

/* Each key is put and deleted in turns, as often as its writer did, and versions have no holes. */
static void expect_writers(struct memstore_watch *of, uint64_t version)
{
    int counts[WRITERS] = {0};

    for (int i = 0; i < WRITERS * ROUNDS * 2; i++) {
        const struct memstore_event *event = next_of(of);
        int index = ((const char *)event->key)[4] - '0';

        ck_assert_uint_eq(event->version, version + 1);
        version = event->version;
        ck_assert(index >= 0 && index < WRITERS);
        ck_assert_int_eq(event->kind,
                         counts[index] % 2 == 0 ? MEMSTORE_EVENT_PUT : MEMSTORE_EVENT_DELETE);
        counts[index]++;
    }
}

START_TEST(everybody_sees_the_same_events)
{
    struct memstore_watch *watches[20];
    uint64_t version;

    put("first");
    version = version_of("first");
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(memstore_watch(store, "", 0, version, &watches[i]), 0);
    harness_processes(WRITERS, write_much, NULL);
    for (int i = 0; i < 20; i++) {
        expect_writers(watches[i], version);
        memstore_watch_close(watches[i]);
    }
    start_watch("", version);
    expect_writers(watch, version);
}
END_TEST

/* More than are told in one turn of the daemon. */
START_TEST(crowd_is_told_of_all)
{
    enum { CROWD = 300 };
    struct memstore_watch *watches[CROWD];

    put("first");
    for (int i = 0; i < CROWD; i++)
        ck_assert_msg(memstore_watch(store, "key", 3, version_of("first"), &watches[i]) == 0, "%s",
                      memstore_message());
    for (int round = 0; round < 3; round++) {
        put("key 1");
        put("other");
        put("key 2");
    }
    for (int i = 0; i < CROWD; i++) {
        for (int round = 0; round < 3; round++) {
            expect_from(watches[i], MEMSTORE_EVENT_PUT, "key 1");
            expect_from(watches[i], MEMSTORE_EVENT_PUT, "key 2");
        }
        memstore_watch_close(watches[i]);
    }
}
END_TEST

/* Puts `count` objects with keys as long as can be, as fast as that goes. */
static void put_long_keys_in(struct memstore *bucket, int count)
{
    struct memstore_batch *batch;
    char key[MEMSTORE_KEY_MAX + 1];

    ck_assert_int_eq(memstore_batch_create(bucket, NULL, &batch), 0);
    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "%0*d", MEMSTORE_KEY_MAX, i % 100);
        ck_assert_int_eq(memstore_batch_put(batch, key, MEMSTORE_KEY_MAX, "x", 1, NULL), 0);
    }
    ck_assert_msg(memstore_batch_run(batch) == 0, "%s", memstore_message());
    memstore_batch_destroy(batch);
}

static void put_long_keys(int count)
{
    put_long_keys_in(store, count);
}

/* Reads on to that version; everything is there, but for what the gaps say. */
static int read_to(uint64_t version, uint64_t last)
{
    int gaps = 0;

    while (version < last) {
        const struct memstore_event *event = next();

        if (event->kind == MEMSTORE_EVENT_GAP) {
            ck_assert_uint_gt(event->version, version);
            ck_assert_uint_eq(event->key_length, 0);
            gaps++;
        } else {
            ck_assert_uint_eq(event->version, version + 1);
        }
        version = event->version;
    }
    ck_assert_uint_eq(version, last);
    return gaps;
}

/* The daemon keeps 4 MiB of events, and sockets some more. */
START_TEST(who_reads_too_late_gets_one_gap)
{
    uint64_t begin;

    put("begin");
    begin = version_of("begin");
    start_watch("", begin);
    put_long_keys(20000);
    put("end");
    ck_assert_int_eq(read_to(begin, version_of("end")), 1);
    expect_silence();
    /* And it goes on without one. */
    begin = version_of("mark");
    put_long_keys(1000);
    put("end");
    ck_assert_int_eq(read_to(begin, version_of("end")), 0);
    expect_nothing();
}
END_TEST

START_TEST(who_comes_too_late_gets_one_gap)
{
    uint64_t begin;

    put("begin");
    begin = version_of("begin");
    put_long_keys(10000);
    start_watch("", begin);
    put("end");
    ck_assert_int_eq(read_to(begin, version_of("end")), 1);
    memstore_watch_close(watch);
    begin = version_of("end") - 5000;
    start_watch("", begin);
    ck_assert_int_eq(read_to(begin, version_of("end")), 0);
    expect_silence();
}
END_TEST

/* What was forgotten of others is nothing that was missed. */
START_TEST(who_watches_what_is_quiet_gets_no_gap)
{
    start_watch("quiet", MEMSTORE_FROM_NOW);
    put("quiet 1");
    put_long_keys(20000);
    put("quiet 2");
    expect_put("quiet 1");
    expect_put("quiet 2");
    expect_nothing();
}
END_TEST

START_TEST(what_others_do_in_their_buckets_is_no_gap)
{
    struct memstore *busy;

    ck_assert_int_eq(memstore_bucket_create(store, "busy", NULL), 0);
    busy = harness_open_bucket(server, "busy");
    start_watch("", MEMSTORE_FROM_NOW);
    put("1");
    expect_put("1");
    put_long_keys_in(busy, 20000);
    put("2");
    expect_put("2");
    expect_nothing();
    memstore_close(busy);
}
END_TEST

/* Many small ones, so that their number is the limit. */
START_TEST(small_events_are_kept_in_large_numbers)
{
    struct memstore_batch *batch;
    uint64_t end;

    ck_assert_int_eq(memstore_batch_create(store, NULL, &batch), 0);
    for (int i = 0; i < 70000; i++)
        ck_assert_int_eq(memstore_batch_put(batch, "k", 1, "x", 1, NULL), 0);
    ck_assert_int_eq(memstore_batch_run(batch), 0);
    memstore_batch_destroy(batch);
    end = version_of("k");
    start_watch("", end - 65536);
    ck_assert_int_eq(read_to(end - 65536, end), 0);
    memstore_watch_close(watch);
    start_watch("", end - 65537);
    ck_assert_int_eq(next()->kind, MEMSTORE_EVENT_GAP);
}
END_TEST

/* ---- the daemon's end ---- */

START_TEST(watch_outlives_the_daemon)
{
    start_watch("", MEMSTORE_FROM_NOW);
    put("one");
    expect_put("one");
    harness_kill(server);
    server = harness_start(NULL);
    expect_nothing(); /* nothing was missed, and so there is no gap */
    put("two");
    expect_put("two");
}
END_TEST

START_TEST(what_the_daemon_took_with_it_is_a_gap)
{
    uint64_t last;

    put("one");
    put("two");
    last = version_of("two");
    harness_kill(server);
    server = harness_start(NULL);
    start_watch("", last - 1);
    ck_assert_uint_eq(expect(MEMSTORE_EVENT_GAP, ""), last);
    put("three");
    expect_put("three");
}
END_TEST

/* It ended with its owner's connection, which ended with the daemon. */
START_TEST(what_ended_with_the_daemon_is_told)
{
    const struct memstore_put_options ephemeral = {.size = sizeof(ephemeral), .ephemeral = 1};

    start_watch("", MEMSTORE_FROM_NOW);
    ck_assert_int_eq(memstore_put(store, "mark", 4, "x", 1, &ephemeral, NULL), 0);
    expect(MEMSTORE_EVENT_PUT, "mark");
    harness_kill(server);
    server = harness_start(NULL);
    expect(MEMSTORE_EVENT_DELETE, "mark");
    expect_silence();
}
END_TEST

START_TEST(another_store_is_a_gap)
{
    start_watch("", MEMSTORE_FROM_NOW);
    for (int i = 0; i < 10; i++)
        put("key");
    for (int i = 0; i < 10; i++)
        next();
    ck_assert_int_eq(harness_stop(server), 0); /* its store goes with it */
    server = harness_start(NULL);
    put("other");
    expect(MEMSTORE_EVENT_GAP, "");
    put("key");
    expect_put("key");
    memstore_watch_close(watch);
    start_watch("", 1000); /* a version that there never was */
    ck_assert_uint_eq(expect(MEMSTORE_EVENT_GAP, ""), version_of("key"));
    expect_silence();
}
END_TEST

START_TEST(without_a_daemon_next_says_so)
{
    const struct memstore_event *event;

    start_watch("", MEMSTORE_FROM_NOW);
    harness_kill(server);
    ck_assert_int_eq(memstore_watch_next(watch, 0, &event), -ECONNREFUSED);
    ck_assert_int_eq(memstore_watch_next(watch, 100, &event), -ECONNREFUSED);
    server = harness_start(NULL);
    expect_silence();
}
END_TEST

/* ---- a loop of one's own ---- */

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};

    return poll(&ready, 1, timeout_ms) == 1;
}

START_TEST(descriptor_tells_of_events)
{
    int fd;

    start_watch("", MEMSTORE_FROM_NOW);
    fd = memstore_watch_fd(watch);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(memstore_watch_fd(watch), fd);
    expect_nothing();
    ck_assert(!is_readable(fd, 0));
    put("one");
    put("two");
    ck_assert(is_readable(fd, LONG));
    expect_put("one");
    expect_put("two");
    expect_nothing();
    ck_assert(!is_readable(fd, 0));
}
END_TEST

/* Reads what is there whenever the descriptor says so, as a program's loop would, up to an event of
 * that key. */
static void loop_up_to(int fd, const char *key)
{
    for (;;) {
        const struct memstore_event *event;

        ck_assert(is_readable(fd, LONG));
        while (memstore_watch_next(watch, 0, &event) == 0)
            if (event->key_length == strlen(key) && memcmp(event->key, key, strlen(key)) == 0)
                return;
    }
}

START_TEST(descriptor_stays_when_the_daemon_is_replaced)
{
    const struct memstore_event *event;
    int fd;

    start_watch("", MEMSTORE_FROM_NOW);
    fd = memstore_watch_fd(watch);
    put("one");
    loop_up_to(fd, "one");
    harness_kill(server);
    ck_assert(is_readable(fd, LONG));
    ck_assert_int_eq(memstore_watch_next(watch, 0, &event), -ECONNREFUSED);
    ck_assert(!is_readable(fd, 0));   /* no busy loop meanwhile, */
    ck_assert(is_readable(fd, LONG)); /* but one look after the other */
    server = harness_start(NULL);
    while (memstore_watch_next(watch, 0, &event) == -ECONNREFUSED)
        ck_assert(is_readable(fd, LONG));
    ck_assert(!is_readable(fd, 0));
    put("two");
    loop_up_to(fd, "two");
    ck_assert_int_eq(memstore_watch_fd(watch), fd);
}
END_TEST

START_TEST(descriptor_can_be_had_while_the_daemon_is_away)
{
    const struct memstore_event *event;
    int fd;

    start_watch("", MEMSTORE_FROM_NOW);
    harness_kill(server);
    ck_assert_int_eq(memstore_watch_next(watch, 0, &event), -ECONNREFUSED);
    fd = memstore_watch_fd(watch);
    server = harness_start(NULL);
    put("one");
    loop_up_to(fd, "one");
}
END_TEST

/* ---- others ---- */

static int use_parents_watch(int index, void *argument)
{
    const struct memstore_event *event;

    (void)index;
    (void)argument;
    if (memstore_watch_next(watch, LONG, &event) != -EINVAL || memstore_watch_fd(watch) != -EINVAL)
        return 1;
    memstore_watch_close(watch);
    if (memstore_watch(store, "", 0, MEMSTORE_FROM_NOW, &watch) != 0)
        return 2;
    put("of the child");
    expect_put("of the child");
    memstore_watch_close(watch);
    return 0;
}

START_TEST(watch_is_its_process_own)
{
    start_watch("", MEMSTORE_FROM_NOW);
    ck_assert_int_ge(memstore_watch_fd(watch), 0);
    harness_processes(1, use_parents_watch, NULL);
    expect(MEMSTORE_EVENT_PUT, "of the child");
    expect_silence();
}
END_TEST

static bool is_closed(void *argument)
{
    char byte;

    return recv(*(int *)argument, &byte, 1, MSG_DONTWAIT) == 0;
}

/* Not even if its events are more than the connection takes. */
START_TEST(who_takes_events_late_is_not_closed)
{
    uint64_t begin;
    int fd;

    put("begin");
    begin = version_of("begin");
    start_watch("", begin);
    put_long_keys(4000);
    fd = harness_connect(server);
    ck_assert_int_eq(send(fd, "half", 4, 0), 4);
    harness_await(is_closed, &fd, "the daemon waits on");
    close(fd);
    ck_assert_uint_eq(harness_stats(store).watching, 1);
    put("end");
    ck_assert_int_eq(read_to(begin, version_of("end")), 0);
    ck_assert_ptr_null(strstr(harness_log(server), "did not take its answers"));
}
END_TEST

static void add_tests(TCase *events, TCase *ends)
{
    tcase_add_test(events, each_change_is_an_event);
    tcase_add_test(events, what_does_not_change_is_no_event);
    tcase_add_test(events, prefix_chooses);
    tcase_add_test(events, keys_are_any_bytes);
    tcase_add_test(events, what_was_since_a_version_is_told);
    tcase_add_test(events, changes_that_are_dropped_are_no_events);
    tcase_add_test(events, deadline_ends_the_wait_for_an_event);
    tcase_add_test(events, watch_that_is_closed_is_over);
    tcase_add_test(events, senseless_watches_are_refused);
    tcase_add_test(events, everybody_sees_the_same_events);
    tcase_add_test(events, crowd_is_told_of_all);
    tcase_add_test(events, who_reads_too_late_gets_one_gap);
    tcase_add_test(events, who_comes_too_late_gets_one_gap);
    tcase_add_test(events, who_watches_what_is_quiet_gets_no_gap);
    tcase_add_test(events, what_others_do_in_their_buckets_is_no_gap);
    tcase_add_test(events, small_events_are_kept_in_large_numbers);
    tcase_add_test(events, watch_is_its_process_own);
    tcase_add_test(ends, watch_outlives_the_daemon);
    tcase_add_test(ends, what_the_daemon_took_with_it_is_a_gap);
    tcase_add_test(ends, what_ended_with_the_daemon_is_told);
    tcase_add_test(ends, another_store_is_a_gap);
    tcase_add_test(ends, without_a_daemon_next_says_so);
    tcase_add_test(ends, descriptor_tells_of_events);
    tcase_add_test(ends, descriptor_stays_when_the_daemon_is_replaced);
    tcase_add_test(ends, descriptor_can_be_had_while_the_daemon_is_away);
}

static Suite *suite(void)
{
    Suite *all = suite_create("watch");
    TCase *events = tcase_create("events");
    TCase *ends = tcase_create("ends");
    TCase *impatient = tcase_create("impatient");

    tcase_add_checked_fixture(events, setup, teardown);
    tcase_set_timeout(events, 60);
    suite_add_tcase(all, events);
    tcase_add_checked_fixture(ends, setup, teardown);
    tcase_set_timeout(ends, 60);
    suite_add_tcase(all, ends);
    add_tests(events, ends);
    tcase_add_checked_fixture(impatient, setup_impatient, teardown);
    tcase_set_timeout(impatient, 60);
    tcase_add_test(impatient, who_takes_events_late_is_not_closed);
    suite_add_tcase(all, impatient);
    return all;
}

int main(void)
{
    return harness_main(suite());
}
