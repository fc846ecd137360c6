/* Lifetimes: objects that end by themselves, through the library against a real daemon. */
#include "tests/harness.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define MIB ((size_t)1 << 20)
#define SHORT 30       /* milliseconds: over before long */
#define SOON 700       /* not before the next few calls */
#define LONG 3600000   /* not in this test */
#define SECOND 1000000 /* microseconds: what the clocks may differ by */

static struct harness_daemon *server;
static struct memstore *store;

static void start(const char *max_size)
{
    server = harness_start("--max-size", max_size);
    store = harness_open(server);
}

static void setup(void)
{
    harness_setup();
    start("none");
}

static void setup_bare(void)
{
    harness_setup();
}

static void teardown(void)
{
    memstore_close(store);
    harness_teardown();
}

static int put_for(const char *key, const void *value, size_t size, int64_t ttl)
{
    const struct memstore_put_options options = {.size = sizeof(options), .ttl_ms = ttl};

    return memstore_put(store, key, strlen(key), value, size, &options, NULL);
}

static void put(const char *key, const char *value, int64_t ttl)
{
    ck_assert_msg(put_for(key, value, strlen(value), ttl) == 0, "%s", memstore_message());
}

static int touch(const char *key, int64_t ttl)
{
    return memstore_touch(store, key, strlen(key), ttl, NULL, NULL);
}

static bool exists(const char *key)
{
    int r = memstore_exists(store, key, strlen(key));

    ck_assert_int_ge(r, 0);
    return r;
}

static bool is_gone(void *key)
{
    return !exists(key);
}

static void await_end(const char *key)
{
    harness_await(is_gone, (void *)(uintptr_t)key, key);
}

/* Waits until all that had this lifetime until now is over. */
static void await_lifetime(int64_t ttl)
{
    put("mark", "", ttl);
    await_end("mark");
}

static bool is_empty(void *argument)
{
    struct memstore_stats stats = harness_stats(store);

    (void)argument;
    return stats.objects == 0 && stats.used == 0 && stats.garbage == 0;
}

static void await_empty(void)
{
    harness_await(is_empty, NULL, "the store to be empty");
}

static int64_t utc_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static struct memstore_object *info(const char *key)
{
    struct memstore_object *object;
    int r = memstore_info(store, key, strlen(key), &object);

    ck_assert_msg(r == 0, "%s", memstore_message());
    return object;
}

static int64_t end_of(const char *key)
{
    struct memstore_object *object = info(key);
    int64_t expires = memstore_object_expires(object);

    memstore_object_free(object);
    return expires;
}

static void expect_end(int64_t expires, int64_t wanted)
{
    ck_assert_int_gt(expires, wanted - SECOND);
    ck_assert_int_lt(expires, wanted + SECOND);
}

/* ---- what lifetimes there are ---- */

static const int64_t wrong[] = {-2, MEMSTORE_TTL_MAX + 1, INT64_MIN, INT64_MAX};

static void expect_refused(int r)
{
    ck_assert_int_eq(r, -EINVAL);
    ck_assert_msg(strstr(memstore_message(), "lifetime"), "%s", memstore_message());
}

START_TEST(lifetimes_that_are_none_are_refused)
{
    const struct memstore_put_options options = {.size = sizeof(options), .ttl_ms = wrong[_i]};
    struct memstore_reservation *reservation;
    struct memstore_writer *writer;
    struct memstore_batch *batch;
    void *place;

    put("k", "old", 0);
    expect_refused(put_for("k", "new", 3, wrong[_i]));
    expect_refused(memstore_writer_open(store, "k", 1, &options, &writer));
    expect_refused(memstore_reserve(store, "k", 1, 3, &options, &reservation, &place));
    expect_refused(touch("k", wrong[_i]));
    ck_assert_int_eq(memstore_batch_create(store, NULL, &batch), 0);
    expect_refused(memstore_batch_put(batch, "k", 1, "new", 3, &options));
    memstore_batch_destroy(batch);
    harness_expect(store, "k", "old");
    ck_assert_int_eq(end_of("k"), 0);
}
END_TEST

START_TEST(no_end_is_the_default)
{
    put("default", "", 0);
    put("never", "", -1);
    ck_assert_int_eq(end_of("default"), 0);
    ck_assert_int_eq(end_of("never"), 0);
    await_lifetime(SHORT);
    ck_assert(exists("default") && exists("never"));
}
END_TEST

START_TEST(longest_lifetime)
{
    put("k", "v", MEMSTORE_TTL_MAX);
    expect_end(end_of("k"), utc_now() + MEMSTORE_TTL_MAX * 1000);
    ck_assert_int_eq(touch("k", LONG), 0);
    ck_assert_int_eq(touch("k", MEMSTORE_TTL_MAX), 0);
    expect_end(end_of("k"), utc_now() + MEMSTORE_TTL_MAX * 1000);
    ck_assert_int_eq(memstore_delete(store, "k", 1), 0);
}
END_TEST

START_TEST(shortest_lifetime)
{
    put("k", "v", 1);
    await_end("k");
    await_empty();
}
END_TEST

START_TEST(everybody_tells_the_end)
{
    const struct memstore_put_options options = {.size = sizeof(options), .ttl_ms = LONG};
    int64_t wanted = utc_now() + LONG * INT64_C(1000);
    struct memstore_object *object;
    struct memstore_view *view;
    struct memstore_list *list;

    ck_assert_int_eq(memstore_put(store, "k", 1, "v", 1, &options, &object), 0);
    expect_end(memstore_object_expires(object), wanted);
    memstore_object_free(object);
    expect_end(end_of("k"), wanted);
    ck_assert_int_eq(memstore_get(store, "k", 1, 0, MEMSTORE_TO_END, &object), 0);
    expect_end(memstore_object_expires(object), wanted);
    memstore_object_free(object);
    view = harness_view(store, "k");
    expect_end(memstore_object_expires(memstore_view_object(view)), wanted);
    memstore_view_release(view);
    ck_assert_int_eq(memstore_list(store, "", 0, NULL, &list), 0);
    expect_end(memstore_object_expires(memstore_list_at(list, 0)), wanted);
    memstore_list_free(list);
    ck_assert_int_eq(memstore_touch(store, "k", 1, 2 * LONG, NULL, &object), 0);
    expect_end(memstore_object_expires(object), wanted + LONG * INT64_C(1000));
    memstore_object_free(object);
}
END_TEST

/* ---- the end ---- */

START_TEST(what_is_over_is_not_there)
{
    struct memstore_object *object;
    struct memstore_view *view;
    struct memstore_list *list;

    put("other", "lives", 0);
    put("k", "v", SOON);
    harness_expect(store, "k", "v");
    await_end("k");
    ck_assert_int_eq(memstore_get(store, "k", 1, 0, MEMSTORE_TO_END, &object), -ENOENT);
    ck_assert_int_eq(memstore_info(store, "k", 1, &object), -ENOENT);
    ck_assert_int_eq(memstore_view(store, "k", 1, &view), -ENOENT);
    ck_assert_int_eq(memstore_delete(store, "k", 1), -ENOENT);
    ck_assert_int_eq(memstore_copy(store, "k", 1, "other", 5, NULL), -ENOENT);
    ck_assert_int_eq(memstore_move(store, "k", 1, "other", 5, NULL), -ENOENT);
    ck_assert_int_eq(touch("k", LONG), -ENOENT);
    ck_assert_int_eq(memstore_list(store, "", 0, NULL, &list), 0);
    ck_assert_uint_eq(memstore_list_count(list), 1);
    memstore_list_free(list);
    harness_expect(store, "other", "lives");
}
END_TEST

/* A direct reader needs no daemon for that. */
START_TEST(readers_see_the_end_for_themselves)
{
    struct memstore *reader = harness_open_reads(server, MEMSTORE_READS_DIRECT);
    struct memstore_list_options options = {.size = sizeof(options), .limit = 2, .has_limit = 1};
    struct memstore_object *object;
    struct memstore_view *view;
    struct memstore_list *list;

    put("a", "v", SOON);
    put("b", "v", LONG);
    put("c", "v", SOON);
    put("d", "v", 0);
    ck_assert_int_eq(memstore_exists(reader, "a", 1), 1);
    ck_assert_int_eq(kill(server->pid, SIGSTOP), 0);
    while (memstore_exists(reader, "a", 1) == 1 || memstore_exists(reader, "c", 1) == 1)
        poll(NULL, 0, 5);
    ck_assert_int_eq(memstore_exists(reader, "a", 1), 0);
    ck_assert_int_eq(memstore_get(reader, "a", 1, 0, MEMSTORE_TO_END, &object), -ENOENT);
    ck_assert_int_eq(memstore_info(reader, "a", 1, &object), -ENOENT);
    ck_assert_int_eq(memstore_view(reader, "a", 1, &view), -ENOENT);
    ck_assert_int_eq(memstore_list(reader, "", 0, &options, &list), 0);
    ck_assert_uint_eq(memstore_list_count(list), 2);
    ck_assert_str_eq(memstore_object_key(memstore_list_at(list, 0), NULL), "b");
    ck_assert_str_eq(memstore_object_key(memstore_list_at(list, 1), NULL), "d");
    memstore_list_free(list);
    ck_assert_int_eq(kill(server->pid, SIGCONT), 0);
    memstore_close(reader);
}
END_TEST

static const size_t sizes[] = {0, 100, 5000, 3 * MIB};

START_TEST(memory_comes_back_by_itself)
{
    char *value = calloc(1, sizes[_i] + 1);
    char key[16];

    for (int i = 0; i < 20; i++) {
        snprintf(key, sizeof(key), "%d", i);
        ck_assert_int_eq(put_for(key, value, sizes[_i], SHORT), 0);
    }
    await_empty();
    free(value);
}
END_TEST

static bool is_asleep(void *argument)
{
    uint64_t before = harness_cpu(server->pid);

    (void)argument;
    poll(NULL, 0, 50);
    return harness_cpu(server->pid) == before;
}

START_TEST(nobody_wakes_for_nothing)
{
    put("k", "v", LONG);
    put("over", "v", SHORT);
    await_end("over");
    harness_await(is_asleep, NULL, "a daemon that sleeps");
}
END_TEST

START_TEST(lists_count_what_is_there)
{
    struct memstore_list_options options = {.size = sizeof(options), .limit = 3, .has_limit = 1};
    struct memstore_list *list;
    char key[16];

    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "%03d", i);
        put(key, "", i % 100 == 99 ? 0 : SHORT);
    }
    await_lifetime(SHORT);
    ck_assert_int_eq(memstore_list(store, "", 0, &options, &list), 0);
    ck_assert_uint_eq(memstore_list_count(list), 3);
    ck_assert_str_eq(memstore_object_key(memstore_list_at(list, 2), NULL), "299");
    memstore_list_free(list);
}
END_TEST

START_TEST(view_outlives_its_object)
{
    struct memstore_view *view;
    char *bytes = malloc(MIB);

    harness_fill(bytes, MIB, 1);
    ck_assert_int_eq(put_for("k", bytes, MIB, SOON), 0);
    view = harness_view(store, "k");
    await_end("k");
    for (int i = 0; i < 20; i++)
        harness_put_filled(store, "k", MIB, (uint64_t)i + 2);
    ck_assert(harness_view_shows(view, MIB, 1));
    memstore_view_release(view);
    ck_assert_int_eq(memstore_delete(store, "k", 1), 0);
    await_empty();
    free(bytes);
}
END_TEST

/* ---- changes ---- */

START_TEST(touch_changes_the_end_and_nothing_else)
{
    const struct memstore_metadata pair = {"name", "value"};
    const struct memstore_put_options options = {.size = sizeof(options),
                                                 .content_type = "text/plain",
                                                 .metadata = &pair,
                                                 .metadata_count = 1};
    size_t size = sizes[_i];
    char *bytes = malloc(size + 1);
    struct memstore_object *before, *after;
    uint64_t version;

    harness_fill(bytes, size, 5);
    ck_assert_int_eq(memstore_put(store, "k", 1, bytes, size, &options, &before), 0);
    version = harness_stats(store).version;
    ck_assert_int_eq(memstore_touch(store, "k", 1, LONG, NULL, &after), 0);
    ck_assert_uint_eq(harness_stats(store).version, version);
    ck_assert_uint_eq(memstore_object_version(after), memstore_object_version(before));
    ck_assert_int_eq(memstore_object_modified(after), memstore_object_modified(before));
    memstore_object_free(after);
    ck_assert_int_eq(memstore_get(store, "k", 1, 0, MEMSTORE_TO_END, &after), 0);
    ck_assert_uint_eq(memstore_object_size(after), size);
    ck_assert_mem_eq(memstore_object_value(after, NULL), bytes, size);
    ck_assert_str_eq(memstore_object_etag(after), memstore_object_etag(before));
    ck_assert_str_eq(memstore_object_content_type(after), "text/plain");
    ck_assert_str_eq(memstore_object_metadata(after, "name"), "value");
    memstore_object_free(before);
    memstore_object_free(after);
    ck_assert_int_eq(touch("k", SHORT), 0);
    await_empty();
    free(bytes);
}
END_TEST

START_TEST(touch_makes_lives_longer_and_shorter)
{
    put("longer", "v", SOON);
    put("for ever", "v", SOON);
    put("default", "v", SOON);
    put("shorter", "v", LONG);
    ck_assert_int_eq(touch("longer", LONG), 0);
    ck_assert_int_eq(touch("for ever", -1), 0);
    ck_assert_int_eq(touch("default", 0), 0);
    ck_assert_int_eq(touch("shorter", SHORT), 0);
    await_lifetime(SOON);
    ck_assert(exists("longer") && exists("for ever") && exists("default"));
    ck_assert(!exists("shorter"));
    ck_assert_int_eq(end_of("for ever"), 0);
    ck_assert_int_eq(end_of("default"), 0);
    ck_assert_int_eq(touch("for ever", SHORT), 0);
    await_end("for ever");
    ck_assert_int_eq(touch("none", SHORT), -ENOENT);
    ck_assert_msg(strstr(memstore_message(), "none"), "%s", memstore_message());
}
END_TEST

START_TEST(new_object_has_its_own_end)
{
    put("for ever", "old", SOON);
    put("longer", "old", SOON);
    put("shorter", "old", LONG);
    put("deleted", "old", SOON);
    put("for ever", "new", 0);
    put("longer", "new", LONG);
    put("shorter", "new", SHORT);
    ck_assert_int_eq(memstore_delete(store, "deleted", 7), 0);
    put("deleted", "new", 0);
    await_lifetime(SOON);
    harness_expect(store, "for ever", "new");
    harness_expect(store, "longer", "new");
    harness_expect(store, "deleted", "new");
    ck_assert(!exists("shorter"));
    ck_assert_int_eq(memstore_delete(store, "for ever", 8), 0);
    ck_assert_int_eq(memstore_delete(store, "longer", 6), 0);
    ck_assert_int_eq(memstore_delete(store, "deleted", 7), 0);
    await_empty();
}
END_TEST

START_TEST(copies_and_moves_end_like_their_source)
{
    int64_t end;

    put("source", "v", LONG);
    put("target", "old", SHORT);
    end = end_of("source");
    ck_assert_int_eq(memstore_copy(store, "source", 6, "target", 6, NULL), 0);
    expect_end(end_of("target"), end);
    ck_assert_int_eq(memstore_move(store, "source", 6, "moved", 5, NULL), 0);
    expect_end(end_of("moved"), end);
    ck_assert_int_eq(memstore_move(store, "moved", 5, "moved", 5, NULL), 0);
    expect_end(end_of("moved"), end);
    await_lifetime(SHORT);
    harness_expect(store, "target", "v");
    put("source", "v", 0);
    ck_assert_int_eq(memstore_copy(store, "source", 6, "target", 6, NULL), 0);
    ck_assert_int_eq(end_of("target"), 0);
    put("source", "v", SOON);
    ck_assert_int_eq(memstore_copy(store, "source", 6, "target", 6, NULL), 0);
    ck_assert_int_eq(memstore_move(store, "source", 6, "moved", 5, NULL), 0);
    await_end("target");
    await_end("moved");
    await_empty();
}
END_TEST

/* Every way to put. */
START_TEST(all_puts_have_lifetimes)
{
    const struct memstore_condition absent = {.size = sizeof(absent), .if_absent = 1};
    const struct memstore_put_options options = {.size = sizeof(options), .ttl_ms = SOON};
    const struct memstore_put_options fresh = {
        .size = sizeof(fresh), .ttl_ms = SOON, .condition = &absent};
    const struct memstore_batch_options atomic = {.size = sizeof(atomic), .atomic = 1};
    struct memstore_reservation *reservation;
    struct memstore_writer *writer;
    struct memstore_batch *batch;
    char *large = calloc(1, MIB);
    void *place;

    ck_assert_int_eq(memstore_writer_open(store, "writer", 6, &options, &writer), 0);
    ck_assert_int_eq(memstore_writer_write(writer, large, MIB), 0);
    ck_assert_int_eq(memstore_writer_commit(writer, NULL), 0);
    ck_assert_int_eq(memstore_reserve(store, "reserve", 7, 10, &options, &reservation, &place), 0);
    memset(place, 0, 10);
    ck_assert_int_eq(memstore_commit(reservation, NULL), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(memstore_batch_create(store, i ? &atomic : NULL, &batch), 0);
        ck_assert_int_eq(memstore_batch_put(batch, "small", 5, "v", 1, &options), 0);
        ck_assert_int_eq(memstore_batch_put(batch, "large", 5, large, MIB, &options), 0);
        ck_assert_int_eq(memstore_batch_get(batch, "small", 5), 0);
        ck_assert_int_eq(memstore_batch_put(batch, "fresh", 5, "v", 1, &fresh), 0);
        ck_assert_msg(memstore_batch_run(batch) == 0, "%s", memstore_message());
        ck_assert_uint_eq(memstore_batch_failed(batch), 4);
        ck_assert_int_eq(memstore_batch_status(batch, 2), 0);
        expect_end(memstore_object_expires(memstore_batch_object(batch, 2)),
                   utc_now() + SOON * 1000);
        memstore_batch_destroy(batch);
        await_empty();
    }
    free(large);
}
END_TEST

/* The writer took longer than that. */
START_TEST(lifetime_begins_with_the_object)
{
    const struct memstore_put_options options = {.size = sizeof(options), .ttl_ms = SOON};
    struct memstore_writer *writer;

    ck_assert_int_eq(memstore_writer_open(store, "k", 1, &options, &writer), 0);
    await_lifetime(SOON + 50);
    ck_assert_int_eq(memstore_writer_commit(writer, NULL), 0);
    ck_assert(exists("k"));
    await_end("k");
}
END_TEST

/* ---- with what else there is ---- */

START_TEST(condition_sees_no_object_that_is_over)
{
    struct memstore_condition condition = {.size = sizeof(condition), .if_present = 1};
    struct memstore_put_options options = {.size = sizeof(options), .condition = &condition};
    int64_t sum;

    put("k", "41", SHORT);
    await_end("k");
    ck_assert_int_eq(memstore_put(store, "k", 1, "new", 3, &options, NULL), -ENOENT);
    ck_assert_int_eq(memstore_delete_if(store, "k", 1, &condition), -ENOENT);
    ck_assert_int_eq(memstore_touch(store, "k", 1, LONG, &condition, NULL), -ENOENT);
    ck_assert_uint_eq(memstore_conflict_version(), 0);
    condition = (struct memstore_condition){.size = sizeof(condition), .if_absent = 1};
    ck_assert_int_eq(memstore_put(store, "k", 1, "41", 2, &options, NULL), 0);
    ck_assert_int_eq(memstore_put(store, "k", 1, "42", 2, &options, NULL), -EEXIST);
    ck_assert_int_eq(touch("k", SHORT), 0);
    await_end("k");
    ck_assert_int_eq(memstore_add(store, "k", 1, 1, &sum), 0);
    ck_assert_int_eq(sum, 1);
    ck_assert_int_eq(end_of("k"), 0);
}
END_TEST

START_TEST(touch_can_have_a_condition)
{
    struct memstore_condition condition = {.size = sizeof(condition), .has_version = 1};
    struct memstore_object *object;

    put("k", "v", 0);
    object = info("k");
    condition.version = memstore_object_version(object) + 1;
    ck_assert_int_eq(memstore_touch(store, "k", 1, LONG, &condition, NULL), -ESTALE);
    ck_assert_uint_eq(memstore_conflict_version(), memstore_object_version(object));
    ck_assert_int_eq(end_of("k"), 0);
    condition.version--;
    ck_assert_int_eq(memstore_touch(store, "k", 1, LONG, &condition, NULL), 0);
    ck_assert_int_gt(end_of("k"), 0);
    memstore_object_free(object);
}
END_TEST

START_TEST(bucket_gives_a_lifetime)
{
    struct memstore_bucket_options bucket = {.size = sizeof(bucket), .has_ttl = 1, .ttl_ms = SOON};
    const struct memstore_batch_options atomic = {.size = sizeof(atomic), .atomic = 1};
    struct memstore_batch *batch;
    int64_t sum;

    ck_assert_int_eq(memstore_bucket_set(store, "default", &bucket), 0);
    put("put", "v", 0);
    put("never", "v", -1);
    put("own", "v", LONG);
    put("touched", "v", LONG);
    ck_assert_int_eq(touch("touched", 0), 0);
    ck_assert_int_eq(memstore_add(store, "added", 5, 1, &sum), 0);
    ck_assert_int_eq(memstore_batch_create(store, &atomic, &batch), 0);
    ck_assert_int_eq(memstore_batch_put(batch, "batch", 5, "v", 1, NULL), 0);
    ck_assert_msg(memstore_batch_run(batch) == 0, "%s", memstore_message());
    memstore_batch_destroy(batch);
    bucket.ttl_ms = 0;
    ck_assert_int_eq(memstore_bucket_set(store, "default", &bucket), 0);
    put("later", "v", 0);
    await_lifetime(SOON);
    ck_assert(!exists("put") && !exists("touched") && !exists("added") && !exists("batch"));
    ck_assert(exists("never") && exists("own") && exists("later"));
}
END_TEST

/* What is in it when it is dropped ends with it, and what ends later in a bucket of the same name
 * is not taken for it. */
START_TEST(bucket_may_be_dropped_before_its_objects_end)
{
    const struct memstore_bucket_options bucket = {.size = sizeof(bucket)};
    struct memstore *own;

    for (int i = 0; i < 3; i++) {
        struct memstore_put_options options = {.size = sizeof(options), .ttl_ms = 1 + i * SHORT};
        struct memstore_options handle = {
            .size = sizeof(handle), .socket = server->socket, .bucket = "b"};

        ck_assert_int_eq(memstore_bucket_create(store, "b", &bucket), 0);
        ck_assert_int_eq(memstore_open(&handle, &own), 0);
        for (int k = 0; k < 1000; k++)
            ck_assert_int_eq(memstore_put(own, &k, sizeof(k), "v", 1, &options, NULL), 0);
        memstore_close(own);
        ck_assert_int_eq(memstore_bucket_drop(store, "b"), 0);
    }
    put("k", "v", 0);
    await_lifetime(SOON);
    harness_expect(store, "k", "v");
    ck_assert_uint_le(harness_stats(store).objects, 2); /* and the mark */
    ck_assert_int_eq(memstore_delete(store, "k", 1), 0);
    await_empty();
}
END_TEST

static void expect_event(struct memstore_watch *watch, enum memstore_event_kind kind,
                         uint64_t *version)
{
    const struct memstore_event *event;

    ck_assert_msg(memstore_watch_next(watch, 10000, &event) == 0, "%s", memstore_message());
    ck_assert_int_eq(event->kind, kind);
    ck_assert_str_eq(event->key, "k");
    ck_assert_uint_gt(event->version, *version);
    *version = event->version;
}

START_TEST(end_is_told_to_those_who_wait)
{
    struct memstore_object *object = NULL;
    struct memstore_watch *watch;
    uint64_t version = 0;

    ck_assert_int_eq(memstore_watch(store, "k", 1, MEMSTORE_FROM_NOW, &watch), 0);
    put("k", "v", SOON);
    ck_assert_int_eq(touch("k", SOON), 0); /* is no event */
    ck_assert_int_eq(memstore_wait(store, "k", 1, MEMSTORE_UNTIL_GONE, 0, 10000, &object), 0);
    ck_assert_ptr_null(object);
    ck_assert(!exists("k"));
    expect_event(watch, MEMSTORE_EVENT_PUT, &version);
    expect_event(watch, MEMSTORE_EVENT_EXPIRE, &version);
    put("k", "v", SHORT);
    expect_event(watch, MEMSTORE_EVENT_PUT, &version);
    expect_event(watch, MEMSTORE_EVENT_EXPIRE, &version);
    memstore_watch_close(watch);
}
END_TEST

/* ---- limits ---- */

/* Lifetimes from `ttl` on, of which the last is `spread` longer. */
static void fill_spread(int count, size_t size, int64_t ttl, int64_t spread)
{
    struct memstore_put_options options = {.size = sizeof(options)};
    struct memstore_batch *batch;
    char *value = calloc(1, size + 1);
    char key[16];

    ck_assert_int_eq(memstore_batch_create(store, NULL, &batch), 0);
    for (int i = 0; i < count; i++) {
        int length = snprintf(key, sizeof(key), "fill-%d", i);

        options.ttl_ms = ttl + spread * i / count;
        ck_assert_int_eq(memstore_batch_put(batch, key, (size_t)length, value, size, &options), 0);
    }
    ck_assert_int_eq(memstore_batch_run(batch), 0);
    ck_assert_uint_eq(memstore_batch_failed(batch), (size_t)count);
    memstore_batch_destroy(batch);
    free(value);
}

static void fill(int count, size_t size, int64_t ttl)
{
    fill_spread(count, size, ttl, 0);
}

static int wake_server(int index, void *argument)
{
    (void)index;
    (void)argument;
    poll(NULL, 0, 100);
    return kill(server->pid, SIGCONT);
}

/* Fills the store with what is over when the daemon gets the next request, which it will at once.
 */
static pid_t fill_with_what_is_over(void)
{
    int64_t ttl = (int64_t)(harness_seconds(1) * 1000);

    fill(20000, 20, ttl);
    ck_assert_int_eq(kill(server->pid, SIGSTOP), 0);
    poll(NULL, 0, (int)ttl);
    return harness_fork(wake_server, 0, NULL);
}

/* What is over makes room for a put, in all forms of a put. */
START_TEST(what_is_over_does_not_count)
{
    const struct memstore_batch_options atomic = {.size = sizeof(atomic), .atomic = 1};
    char *large = calloc(1, 400000);
    struct memstore_batch *batch;
    pid_t waker;

    start("400000");
    waker = fill_with_what_is_over();
    if (_i == 2) {
        ck_assert_int_eq(memstore_batch_create(store, &atomic, &batch), 0);
        ck_assert_int_eq(memstore_batch_put(batch, "k", 1, large, 400000, NULL), 0);
        ck_assert_msg(memstore_batch_run(batch) == 0, "%s", memstore_message());
        memstore_batch_destroy(batch);
    } else {
        /* The larger one comes piece by piece. */
        ck_assert_msg(put_for("k", large, _i == 0 ? 250000 : 400000, 0) == 0, "%s",
                      memstore_message());
    }
    ck_assert_int_eq(waitpid(waker, NULL, 0), waker);
    ck_assert_int_eq(put_for("more", large, 400000, 0), -EDQUOT);
    ck_assert_uint_eq(harness_stats(store).objects, 1);
    free(large);
}
END_TEST

/* Others whose time comes all the while do not keep a put from its answer. */
START_TEST(what_does_not_fit_is_refused_all_the_same)
{
    char *large = calloc(1, 1000);

    start("1000");
    ck_assert_int_eq(put_for("k", large, 900, 0), 0);
    fill_spread(100000, 0, SOON, (int64_t)(harness_seconds(4) * 1000));
    await_end("fill-0");
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(put_for("large", large, 101, 0), -EDQUOT);
    ck_assert(exists("fill-99999"));
    free(large);
}
END_TEST

START_TEST(memory_of_what_is_over_is_used_again)
{
    size_t size = _i ? 3 * MIB : 5000;
    char *value = calloc(1, size);
    int64_t ttl = (int64_t)harness_seconds(1) * 1000;
    char key[16];
    int count = 0;
    int r;

    server = harness_start("--max-size", "none", "--max-memory", "24M");
    store = harness_open(server);
    for (int round = 0; round < 2; round++) {
        count = 0;
        do {
            snprintf(key, sizeof(key), "%d", count++);
            r = put_for(key, value, size, ttl);
        } while (r == 0);
        ck_assert_int_eq(r, -ENOSPC);
        ck_assert_int_gt(count, 3);
        snprintf(key, sizeof(key), "%d", count / 2);
        await_end(key);
        ck_assert_msg(put_for("0", value, size, 0) == 0, "%s", memstore_message());
        ck_assert_int_eq(memstore_delete(store, "0", 1), 0);
        await_empty();
    }
    free(value);
}
END_TEST

/* ---- many, and the daemon's end ---- */

static int use_store(int index, void *argument)
{
    struct memstore *own = harness_open(server);
    int r = 0;
    char key[16];

    (void)argument;
    snprintf(key, sizeof(key), "own-%d", index);
    while (r == 0 && memstore_exists(own, "fill-99999", 10) == 1) {
        harness_put(own, key, key);
        harness_expect(own, key, key);
        r = memstore_delete(own, key, strlen(key));
    }
    memstore_close(own);
    return r;
}

START_TEST(many_end_together_while_others_go_on)
{
    pid_t others[2];

    fill(100000, 10, LONG);
    for (int i = 0; i < 2; i++)
        others[i] = harness_fork(use_store, i, NULL);
    fill(100000, 10, 2000);
    await_empty();
    for (int i = 0; i < 2; i++) {
        int status;

        ck_assert_int_eq(waitpid(others[i], &status, 0), others[i]);
        ck_assert_int_eq(status, 0);
    }
    await_empty();
}
END_TEST

START_TEST(ends_outlive_the_daemon)
{
    int64_t end;

    put("long", "v", LONG);
    put("for ever", "v", 0);
    fill(1000, 3000, 100);
    end = end_of("long");
    harness_kill(server);
    poll(NULL, 0, 100);
    server = harness_start("--max-size", "none");
    expect_end(end_of("long"), end);
    ck_assert_int_eq(end_of("for ever"), 0);
    ck_assert(!exists("fill-0") && !exists("fill-999"));
    ck_assert_int_eq(touch("long", SHORT), 0);
    ck_assert_int_eq(memstore_delete(store, "for ever", 8), 0);
    await_empty();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("expiry");
    TCase *tcase = tcase_create("expiry");
    TCase *limits = tcase_create("limits");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, lifetimes_that_are_none_are_refused, 0, 4);
    tcase_add_test(tcase, no_end_is_the_default);
    tcase_add_test(tcase, longest_lifetime);
    tcase_add_test(tcase, shortest_lifetime);
    tcase_add_test(tcase, everybody_tells_the_end);
    tcase_add_test(tcase, what_is_over_is_not_there);
    tcase_add_test(tcase, readers_see_the_end_for_themselves);
    tcase_add_loop_test(tcase, memory_comes_back_by_itself, 0, 4);
    tcase_add_test(tcase, nobody_wakes_for_nothing);
    tcase_add_test(tcase, lists_count_what_is_there);
    tcase_add_test(tcase, view_outlives_its_object);
    tcase_add_loop_test(tcase, touch_changes_the_end_and_nothing_else, 0, 4);
    tcase_add_test(tcase, touch_makes_lives_longer_and_shorter);
    tcase_add_test(tcase, new_object_has_its_own_end);
    tcase_add_test(tcase, copies_and_moves_end_like_their_source);
    tcase_add_test(tcase, all_puts_have_lifetimes);
    tcase_add_test(tcase, lifetime_begins_with_the_object);
    tcase_add_test(tcase, condition_sees_no_object_that_is_over);
    tcase_add_test(tcase, touch_can_have_a_condition);
    tcase_add_test(tcase, bucket_gives_a_lifetime);
    tcase_add_test(tcase, bucket_may_be_dropped_before_its_objects_end);
    tcase_add_test(tcase, end_is_told_to_those_who_wait);
    tcase_add_test(tcase, many_end_together_while_others_go_on);
    tcase_add_test(tcase, ends_outlive_the_daemon);
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(limits, 60);
    tcase_add_checked_fixture(limits, setup_bare, teardown);
    tcase_add_loop_test(limits, what_is_over_does_not_count, 0, 3);
    tcase_add_test(limits, what_does_not_fit_is_refused_all_the_same);
    tcase_add_loop_test(limits, memory_of_what_is_over_is_used_again, 0, 2);
    suite_add_tcase(suite, limits);
    return harness_main(suite);
}
