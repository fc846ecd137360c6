/* Buckets whose policy is lru: what goes when they are full, and what stays. */
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIB ((size_t)1024)
#define MIB (KIB * KIB)
#define CACHE "cache"

static struct harness_daemon *server;
static struct memstore *store;
static char *bytes; /* a few MiB of them */

static void setup(void)
{
    harness_setup();
    bytes = malloc(4 * MIB);
    harness_fill(bytes, 4 * MIB, 5);
}

static void teardown(void)
{
    memstore_close(store);
    free(bytes);
    harness_teardown();
}

/* ---- short forms ---- */

static struct memstore *open_reads(const char *name, enum memstore_reads reads)
{
    const struct memstore_options options = {
        .size = sizeof(options), .socket = server->socket, .bucket = name, .reads = reads};
    struct memstore *opened;

    ck_assert_msg(memstore_open(&options, &opened) == 0, "%s", memstore_message());
    return opened;
}

static struct memstore *open_bucket(const char *name)
{
    return open_reads(name, MEMSTORE_READS_AUTO);
}

static void create(const char *name, uint64_t max_size, uint64_t max_objects)
{
    const struct memstore_bucket_options options = {.size = sizeof(options),
                                                    .has_max_size = max_size != UINT64_MAX,
                                                    .max_size = max_size,
                                                    .has_max_objects = max_objects != UINT64_MAX,
                                                    .max_objects = max_objects,
                                                    .has_policy = 1,
                                                    .policy = MEMSTORE_POLICY_LRU};
    struct memstore *admin = harness_open(server);

    ck_assert_msg(memstore_bucket_create(admin, name, &options) == 0, "%s", memstore_message());
    memstore_close(admin);
}

/* A daemon, and a bucket in it that evicts. */
static void start(uint64_t max_size, uint64_t max_objects)
{
    server = harness_start(NULL);
    create(CACHE, max_size, max_objects);
    store = open_bucket(CACHE);
}

static int put_into(struct memstore *handle, const char *key, size_t size)
{
    return memstore_put(handle, key, strlen(key), bytes, size, NULL, NULL);
}

static void put(const char *key, size_t size)
{
    ck_assert_msg(put_into(store, key, size) == 0, "put %s: %s", key, memstore_message());
}

static void put_number(int number, size_t size)
{
    char key[16];

    snprintf(key, sizeof(key), "%06d", number);
    put(key, size);
}

static void get_from(struct memstore *handle, const char *key)
{
    struct memstore_object *object;

    ck_assert_msg(memstore_get(handle, key, strlen(key), 0, MEMSTORE_TO_END, &object) == 0,
                  "get %s: %s", key, memstore_message());
    memstore_object_free(object);
}

static void get_number(int number)
{
    char key[16];

    snprintf(key, sizeof(key), "%06d", number);
    get_from(store, key);
}

static bool has(const char *key)
{
    int r = memstore_exists(store, key, strlen(key));

    ck_assert_int_ge(r, 0);
    return r;
}

static bool has_number(int number)
{
    char key[16];

    snprintf(key, sizeof(key), "%06d", number);
    return has(key);
}

/* Whether exactly these keys, of one letter each, are there. */
static void expect(const char *keys)
{
    char key[2] = "";

    for (*key = 'a'; *key <= 'z'; ++*key)
        ck_assert_msg(has(key) == (strchr(keys, *key) != NULL), "of %s: %s is %sthere", keys, key,
                      has(key) ? "" : "not ");
}

static struct memstore_bucket_info info_of(const char *name)
{
    struct memstore_bucket_info info;

    ck_assert_int_eq(memstore_bucket_info(store, name, &info, sizeof(info)), 0);
    return info;
}

static struct memstore_bucket_info info(void)
{
    return info_of(CACHE);
}

static void set(const struct memstore_bucket_options *options)
{
    ck_assert_msg(memstore_bucket_set(store, CACHE, options) == 0, "%s", memstore_message());
}

/* ---- what goes ---- */

START_TEST(what_was_used_least_recently_goes_first)
{
    start(UINT64_MAX, 3);
    put("a", 10);
    put("b", 10);
    put("c", 10);
    get_from(store, "a");
    put("d", 10);
    expect("acd");
    get_from(store, "c");
    put("e", 10);
    expect("cde");
    put("d", 10); /* a use as well, and nothing has to go */
    expect("cde");
    put("f", 10);
    expect("def");
    ck_assert_uint_eq(info().evicted, 3);
    ck_assert_uint_eq(info().objects, 3);
    ck_assert_uint_eq(info().used, 30);
}
END_TEST

START_TEST(looking_whether_it_is_there_is_no_use)
{
    struct memstore_object *object;

    start(UINT64_MAX, 2);
    put("a", 1);
    put("b", 1);
    ck_assert_int_eq(memstore_exists(store, "a", 1), 1);
    ck_assert_int_eq(memstore_info(store, "a", 1, &object), 0);
    memstore_object_free(object);
    put("c", 1);
    expect("bc");
}
END_TEST

START_TEST(a_view_is_a_use)
{
    start(UINT64_MAX, 2);
    put("a", 1);
    put("b", 1);
    memstore_view_release(harness_view(store, "a"));
    put("c", 1);
    expect("ac");
}
END_TEST

START_TEST(the_order_of_reads_is_the_order_of_eviction)
{
    enum { COUNT = 200 };
    int order[COUNT];

    start(UINT64_MAX, COUNT);
    for (int i = 0; i < COUNT; i++) {
        put_number(i, 10);
        order[i] = i * 77 % COUNT; /* each once */
    }
    for (int i = 0; i < COUNT; i++)
        get_number(order[i]);
    for (int i = 0; i < COUNT; i++) {
        ck_assert(has_number(order[i]));
        put_number(COUNT + i, 10);
        ck_assert_msg(!has_number(order[i]), "eviction %d", i);
        ck_assert_uint_eq(info().objects, COUNT);
    }
    ck_assert_uint_eq(info().evicted, COUNT);
}
END_TEST

START_TEST(a_put_makes_as_much_room_as_it_needs)
{
    start(100, UINT64_MAX);
    put("a", 40);
    put("b", 30);
    put("c", 30);
    put("d", 60);
    expect("cd");
    ck_assert_uint_eq(info().used, 90);
    put("e", 10); /* fits as it is */
    expect("cde");
    put("f", 100);
    expect("f");
    put("g", 0);
    expect("fg");
    ck_assert_uint_eq(info().evicted, 5);
}
END_TEST

START_TEST(an_object_that_grows_makes_room_and_stays)
{
    start(100, UINT64_MAX);
    put("a", 40);
    put("b", 30);
    put("c", 30);
    put("a", 80);
    expect("a");
    ck_assert_uint_eq(info().used, 80);
    put("a", 100);
    expect("a");
}
END_TEST

START_TEST(what_can_never_fit_is_refused_and_nothing_goes)
{
    start(100, UINT64_MAX);
    put("a", 50);
    put("b", 50);
    ck_assert_int_eq(put_into(store, "c", 101), -EDQUOT);
    ck_assert_int_eq(put_into(store, "a", 101), -EDQUOT);
    ck_assert_int_eq(put_into(store, "c", 3 * MIB), -EDQUOT);
    ck_assert_int_eq(put_into(store, "c", 100 * KIB), -EDQUOT);
    expect("ab");
    ck_assert_uint_eq(info().used, 100);
    ck_assert_uint_eq(info().evicted, 0);
    ck_assert_uint_eq(info().refused, 4);
}
END_TEST

START_TEST(a_bucket_of_no_objects_takes_none)
{
    start(UINT64_MAX, 0);
    ck_assert_int_eq(put_into(store, "a", 1), -EDQUOT);
    ck_assert_uint_eq(info().objects, 0);
}
END_TEST

START_TEST(large_values_make_room)
{
    start(8 * MIB, UINT64_MAX);
    for (int i = 0; i < 40; i++) {
        put_number(i, MIB + (size_t)i);
        ck_assert_uint_le(info().used, 8 * MIB);
    }
    for (int i = 0; i < 40; i++)
        ck_assert_msg(has_number(i) == (i >= 33), "object %d", i);
    ck_assert_uint_eq(info().evicted, 33);
}
END_TEST

START_TEST(a_large_value_takes_the_place_of_many_small_ones)
{
    enum { COUNT = 3000 };

    start(COUNT * 100, UINT64_MAX);
    for (int i = 0; i < COUNT; i++)
        put_number(i, 100);
    ck_assert_uint_eq(info().evicted, 0);
    put("large", COUNT * 100 - 50); /* through an upload */
    ck_assert(has("large"));
    ck_assert_uint_eq(info().objects, 1);
    ck_assert_uint_eq(info().evicted, COUNT);
    ck_assert_uint_eq(info().used, COUNT * 100 - 50);
}
END_TEST

START_TEST(a_small_value_takes_the_place_of_many_tiny_ones)
{
    enum { COUNT = 4000 };

    start(COUNT, UINT64_MAX);
    for (int i = 0; i < COUNT; i++)
        put_number(i, 1);
    put("a", COUNT); /* in its frame */
    ck_assert_uint_eq(info().objects, 1);
    ck_assert_uint_eq(info().evicted, COUNT);
}
END_TEST

START_TEST(copies_and_moves_make_room)
{
    start(100, UINT64_MAX);
    put("a", 40);
    put("b", 30);
    put("c", 30);
    ck_assert_int_eq(memstore_copy(store, "a", 1, "d", 1, NULL), 0);
    expect("ad"); /* the source was just used */
    put("e", 20);
    ck_assert_int_eq(memstore_move(store, "d", 1, "f", 1, NULL), 0);
    expect("aef");
    ck_assert_uint_eq(info().used, 100);
}
END_TEST

START_TEST(a_copy_that_leaves_no_room_for_its_source_is_refused)
{
    start(100, UINT64_MAX);
    put("a", 60);
    put("b", 40);
    ck_assert_int_eq(memstore_copy(store, "a", 1, "d", 1, NULL), -EDQUOT);
    expect("ab");
}
END_TEST

/* ---- what stays ---- */

START_TEST(expired_objects_go_first)
{
    struct memstore_put_options options = {.size = sizeof(options), .ttl_ms = 20};

    start(UINT64_MAX, 3);
    put("a", 1);
    put("b", 1);
    ck_assert_int_eq(memstore_put(store, "c", 1, bytes, 1, &options, NULL), 0);
    while (has("c"))
        usleep(1000);
    usleep(1000); /* the index of ends has a grain of 256 us */
    put("d", 1);
    expect("abd");
    ck_assert_uint_eq(info().evicted, 0);
}
END_TEST

START_TEST(ephemeral_objects_stay)
{
    struct memstore_put_options options = {.size = sizeof(options), .ephemeral = 1};

    start(UINT64_MAX, 3);
    ck_assert_int_eq(memstore_put(store, "a", 1, bytes, 1, &options, NULL), 0);
    for (int i = 0; i < 20; i++)
        put_number(i, 1);
    ck_assert(has("a"));
    ck_assert_int_eq(memstore_put(store, "b", 1, bytes, 1, &options, NULL), 0);
    ck_assert_int_eq(memstore_put(store, "c", 1, bytes, 1, &options, NULL), 0);
    expect("abc");
    ck_assert_int_eq(put_into(store, "d", 1), -EDQUOT);
    ck_assert_int_eq(memstore_delete(store, "b", 1), 0);
    put("d", 1);
    put("e", 1);
    expect("ace");
}
END_TEST

static bool reads_by_socket(void)
{
    const char *reads = getenv("MEMSTORE_READS");

    return reads && strcmp(reads, "socket") == 0;
}

START_TEST(what_is_viewed_in_place_stays)
{
    struct memstore_view *view;

    start(UINT64_MAX, 3);
    if (reads_by_socket())
        return; /* a view is a copy then */
    put("a", 100 * KIB);
    view = harness_view(store, "a");
    for (int i = 0; i < 20; i++)
        put_number(i, 10 * KIB);
    ck_assert(has("a"));
    ck_assert(memcmp(memstore_view_value(view, NULL), bytes, 100 * KIB) == 0);
    memstore_view_release(view);
    for (int i = 20; i < 23; i++)
        put_number(i, 10 * KIB);
    ck_assert(!has("a"));
}
END_TEST

START_TEST(where_all_is_viewed_a_put_is_refused)
{
    struct memstore_view *views[2];

    start(UINT64_MAX, 2);
    if (reads_by_socket())
        return;
    put("a", 100 * KIB);
    put("b", 100 * KIB);
    views[0] = harness_view(store, "a");
    views[1] = harness_view(store, "b");
    ck_assert_int_eq(put_into(store, "c", 1), -EDQUOT);
    expect("ab");
    memstore_view_release(views[0]);
    put("c", 1);
    expect("bc");
    memstore_view_release(views[1]);
}
END_TEST

START_TEST(reads_of_another_process_protect)
{
    enum { COUNT = 1000 };
    struct memstore *other;

    start(UINT64_MAX, COUNT);
    for (int i = 0; i < COUNT; i++)
        put_number(i, 10);
    other = open_bucket(CACHE);
    for (int i = 0; i < 10 * COUNT; i++) {
        if (i % 50 == 0) {
            get_from(other, "000000");
            get_from(other, "000500");
            get_from(other, "000999");
        }
        put_number(COUNT + i, 10);
    }
    memstore_close(other);
    ck_assert(has_number(0));
    ck_assert(has_number(500));
    ck_assert(has_number(999));
    ck_assert_uint_eq(info().objects, COUNT);
    ck_assert_uint_eq(info().evicted, 10 * COUNT);
}
END_TEST

START_TEST(a_bucket_that_refuses_evicts_nothing)
{
    const struct memstore_bucket_options refuse = {
        .size = sizeof(refuse), .has_policy = 1, .policy = MEMSTORE_POLICY_REFUSE};
    const struct memstore_bucket_options evict = {
        .size = sizeof(evict), .has_policy = 1, .policy = MEMSTORE_POLICY_LRU};

    start(UINT64_MAX, 2);
    put("a", 1);
    put("b", 1);
    set(&refuse);
    ck_assert_int_eq(put_into(store, "c", 1), -EDQUOT);
    expect("ab");
    get_from(store, "a"); /* is not noted */
    set(&evict);
    get_from(store, "a");
    put("c", 1);
    expect("ac");
    set(&refuse);
    ck_assert_int_eq(put_into(store, "d", 1), -EDQUOT);
    expect("ac");
}
END_TEST

START_TEST(a_limit_that_is_lowered_is_met_by_the_next_put)
{
    enum { COUNT = 1000 };
    const struct memstore_bucket_options few = {
        .size = sizeof(few), .has_max_objects = 1, .max_objects = 10};
    const struct memstore_bucket_options small = {
        .size = sizeof(small), .has_max_size = 1, .max_size = 50};

    start(UINT64_MAX, COUNT);
    for (int i = 0; i < COUNT; i++)
        put_number(i, 10);
    set(&few);
    ck_assert_uint_eq(info().objects, COUNT);
    put_number(COUNT - 1, 10); /* does not grow */
    put("new", 10);
    ck_assert_uint_eq(info().objects, 10);
    ck_assert(has("new"));
    ck_assert_uint_eq(info().evicted, COUNT - 9);
    set(&small);
    put("a", 20);
    ck_assert_uint_eq(info().used, 50);
    ck_assert(has("new"));
    ck_assert(has("a"));
}
END_TEST

/* ---- the store's own limits ---- */

START_TEST(at_the_limit_of_the_store_a_bucket_evicts_its_own)
{
    struct memstore *other;

    server = harness_start("--max-size", "100");
    create(CACHE, UINT64_MAX, UINT64_MAX);
    store = open_bucket(CACHE);
    other = open_bucket("default");
    ck_assert_int_eq(put_into(other, "mine", 60), 0);
    put("a", 20);
    put("b", 20);
    put("c", 20);
    expect("bc");
    ck_assert_int_eq(put_into(store, "d", 41), -EDQUOT);
    expect("bc");
    put("d", 40);
    expect("d");
    get_from(other, "mine");
    ck_assert_int_eq(put_into(other, "x", 1), -EDQUOT);
    memstore_close(other);
}
END_TEST

/* ---- batches ---- */

/* Puts `count` objects of that size in one step. */
static int put_together(int from, int count, size_t size)
{
    const struct memstore_batch_options options = {.size = sizeof(options), .atomic = 1};
    struct memstore_batch *batch;
    char key[16];
    int r;

    ck_assert_int_eq(memstore_batch_create(store, &options, &batch), 0);
    for (int i = from; i < from + count; i++) {
        snprintf(key, sizeof(key), "%06d", i);
        ck_assert_int_ge(memstore_batch_put(batch, key, 6, bytes, size, NULL), 0);
    }
    r = memstore_batch_run(batch);
    memstore_batch_destroy(batch);
    return r;
}

START_TEST(without_memory_a_bucket_evicts_its_own)
{
    server = harness_start("--max-memory", "16M", "--max-size", "none");
    create(CACHE, UINT64_MAX, UINT64_MAX);
    store = open_bucket(CACHE);
    for (int i = 0; i < 30000; i++)
        put_number(i, 1000);
    ck_assert_uint_gt(info().objects, 2000);
    ck_assert(has_number(29999));
    for (int i = 0; i < 100; i++)
        put_number(i, 20 * KIB + (size_t)i * 1000);
    for (int i = 0; i < 20; i++)
        put_number(i, 500 * KIB);
    ck_assert(has_number(19));
    for (int i = 0; i < 10000; i += 100)
        ck_assert_int_eq(put_together(i, 100, 1000), 0);
    ck_assert(has_number(9999));
}
END_TEST

START_TEST(a_batch_makes_room_for_all_of_it)
{
    start(UINT64_MAX, 100);
    ck_assert_int_eq(put_together(0, 100, 10), 0);
    ck_assert_int_eq(put_together(100, 30, 10), 0);
    for (int i = 0; i < 130; i++)
        ck_assert_msg(has_number(i) == (i >= 30), "object %d", i);
    ck_assert_int_eq(put_together(120, 30, 10), 0); /* ten of them are there */
    ck_assert_uint_eq(info().objects, 100);
    ck_assert_uint_eq(info().evicted, 50);
    ck_assert_int_eq(put_together(200, 100, 10), 0);
    ck_assert_uint_eq(info().objects, 100);
    for (int i = 200; i < 300; i++)
        ck_assert(has_number(i));
}
END_TEST

START_TEST(a_batch_that_can_never_fit_evicts_nothing)
{
    start(UINT64_MAX, 100);
    ck_assert_int_eq(put_together(0, 100, 10), 0);
    ck_assert_int_eq(put_together(100, 101, 10), -EDQUOT);
    for (int i = 0; i < 201; i++)
        ck_assert_msg(has_number(i) == (i < 100), "object %d", i);
    ck_assert_uint_eq(info().evicted, 0);
}
END_TEST

START_TEST(a_batch_of_large_values_takes_the_place_of_many_small_ones)
{
    enum { COUNT = 5000 };

    start(COUNT * 100, UINT64_MAX);
    for (int i = 0; i < COUNT; i++)
        put_number(i, 100);
    ck_assert_int_eq(put_together(COUNT, 4, (size_t)COUNT * 25), 0);
    ck_assert_uint_eq(info().objects, 4);
    ck_assert_uint_eq(info().used, COUNT * 100);
}
END_TEST

/* ---- what others hear, and what is left ---- */

static void expect_event(struct memstore_watch *watch, enum memstore_event_kind kind, char key)
{
    const struct memstore_event *event;

    ck_assert_int_eq(memstore_watch_next(watch, 5000, &event), 0);
    ck_assert_int_eq(event->kind, kind);
    ck_assert_uint_eq(event->key_length, 1);
    ck_assert_int_eq(*(const char *)event->key, key);
}

START_TEST(evictions_are_events)
{
    struct memstore_watch *watch;

    start(UINT64_MAX, 2);
    ck_assert_int_eq(memstore_watch(store, "", 0, MEMSTORE_FROM_NOW, &watch), 0);
    put("a", 1);
    put("b", 1);
    get_from(store, "a");
    put("c", 1);
    expect_event(watch, MEMSTORE_EVENT_PUT, 'a');
    expect_event(watch, MEMSTORE_EVENT_PUT, 'b');
    expect_event(watch, MEMSTORE_EVENT_EVICT, 'b');
    expect_event(watch, MEMSTORE_EVENT_PUT, 'c');
    memstore_watch_close(watch);
}
END_TEST

START_TEST(a_restart_remembers_what_was_used)
{
    enum { COUNT = 100 };

    start(UINT64_MAX, COUNT);
    for (int i = 0; i < COUNT; i++)
        put_number(i, 10);
    for (int i = 0; i < COUNT; i += 2)
        get_number(i);
    harness_kill(server);
    server = harness_start(NULL);
    for (int i = 0; i < COUNT / 2; i++)
        put_number(COUNT + i, 10);
    for (int i = 0; i < COUNT; i++)
        ck_assert_msg(has_number(i) == (i % 2 == 0), "object %d", i);
    ck_assert_uint_eq(info().objects, COUNT);
}
END_TEST

/* ---- marks ---- */

/* The file of marks, as anybody can open it who reads directly. */
static int open_marks(void)
{
    char path[256];
    int fd;

    snprintf(path, sizeof(path), "%s/data/marks", harness_folder);
    fd = open(path, O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    return fd;
}

START_TEST(marks_that_somebody_scribbles_on_do_no_harm)
{
    enum { COUNT = 500, ROUNDS = 50 };
    uint64_t words[1024];
    struct stat file;
    uint64_t seed = 1;
    int fd;

    start(UINT64_MAX, COUNT);
    fd = open_marks();
    for (int round = 0; round < ROUNDS; round++) {
        ck_assert_int_eq(fstat(fd, &file), 0);
        for (off_t at = 0; at < file.st_size; at += (off_t)sizeof(words)) {
            harness_fill(words, sizeof(words), seed++);
            if (round % 3 == 1)
                memset(words, round % 2 ? 0xff : 0, sizeof(words));
            ck_assert_int_eq(pwrite(fd, words, sizeof(words), at), sizeof(words));
        }
        for (int i = 0; i < COUNT / 5; i++)
            put_number(round * COUNT / 5 + i, 10);
        ck_assert_uint_le(info().objects, COUNT);
        ck_assert_uint_eq(info().used, info().objects * 10);
    }
    ck_assert_uint_eq(info().objects, COUNT);
    close(fd);
}
END_TEST

START_TEST(marks_that_somebody_cuts_do_the_daemon_no_harm)
{
    enum { COUNT = 500 };
    struct memstore *asking;
    struct stat file;
    int fd;

    start(UINT64_MAX, COUNT);
    asking = open_reads(CACHE, MEMSTORE_READS_SOCKET);
    fd = open_marks();
    for (int i = 0; i < 3 * COUNT; i++) {
        put_number(i, 10);
        if (i % 100 == 0)
            ck_assert_int_eq(ftruncate(fd, i % 200 ? 0 : 4096), 0);
        if (i > 1) {
            char key[16];

            snprintf(key, sizeof(key), "%06d", i - 1);
            get_from(asking, key);
        }
    }
    ck_assert_uint_eq(info().objects, COUNT);
    ck_assert_int_eq(fstat(fd, &file), 0);
    ck_assert_int_ge(file.st_size, 64 * KIB); /* it was mended */
    memstore_close(asking);
    close(fd);
}
END_TEST

/* ---- many at once ---- */

#define CROWD 8
#define CROWD_PUTS 3000
#define CROWD_SIZE (64 * KIB)

static int crowd(int index, void *argument)
{
    struct memstore *own = open_bucket(CACHE);
    unsigned seed = (unsigned)index + 1;
    char key[16];

    (void)argument;
    for (int i = 0; i < CROWD_PUTS; i++) {
        struct memstore_object *object;
        int r;

        snprintf(key, sizeof(key), "%04d", rand_r(&seed) % 2000);
        r = memstore_get(own, key, 4, 0, MEMSTORE_TO_END, &object);
        if (r == 0)
            memstore_object_free(object);
        else if (r != -ENOENT)
            return 1;
        if (r == -ENOENT && put_into(own, key, (size_t)rand_r(&seed) % 2000) < 0)
            return 2;
        if (i % 100 == 0) {
            struct memstore_bucket_info now;

            if (memstore_bucket_info(own, CACHE, &now, sizeof(now)) < 0 || now.used > CROWD_SIZE)
                return 3;
        }
    }
    memstore_close(own);
    return 0;
}

START_TEST(many_processes_never_exceed_the_limit)
{
    struct memstore_list *list;
    const struct memstore_object *object;
    uint64_t used = 0, count = 0;

    start(CROWD_SIZE, UINT64_MAX);
    harness_processes(CROWD, crowd, NULL);
    ck_assert_int_eq(memstore_list(store, "", 0, NULL, &list), 0);
    for (; (object = memstore_list_at(list, count)); count++)
        used += memstore_object_size(object);
    memstore_list_free(list);
    ck_assert_uint_eq(info().used, used);
    ck_assert_uint_eq(info().objects, count);
    ck_assert_uint_le(used, CROWD_SIZE);
    ck_assert_uint_gt(used, CROWD_SIZE - 2000);
    ck_assert_uint_gt(info().evicted, 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("evict");
    TCase *tests = tcase_create("evict");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, what_was_used_least_recently_goes_first);
    tcase_add_test(tests, looking_whether_it_is_there_is_no_use);
    tcase_add_test(tests, a_view_is_a_use);
    tcase_add_test(tests, the_order_of_reads_is_the_order_of_eviction);
    tcase_add_test(tests, a_put_makes_as_much_room_as_it_needs);
    tcase_add_test(tests, an_object_that_grows_makes_room_and_stays);
    tcase_add_test(tests, what_can_never_fit_is_refused_and_nothing_goes);
    tcase_add_test(tests, a_bucket_of_no_objects_takes_none);
    tcase_add_test(tests, large_values_make_room);
    tcase_add_test(tests, a_large_value_takes_the_place_of_many_small_ones);
    tcase_add_test(tests, a_small_value_takes_the_place_of_many_tiny_ones);
    tcase_add_test(tests, copies_and_moves_make_room);
    tcase_add_test(tests, a_copy_that_leaves_no_room_for_its_source_is_refused);
    tcase_add_test(tests, expired_objects_go_first);
    tcase_add_test(tests, ephemeral_objects_stay);
    tcase_add_test(tests, what_is_viewed_in_place_stays);
    tcase_add_test(tests, where_all_is_viewed_a_put_is_refused);
    tcase_add_test(tests, reads_of_another_process_protect);
    tcase_add_test(tests, a_bucket_that_refuses_evicts_nothing);
    tcase_add_test(tests, a_limit_that_is_lowered_is_met_by_the_next_put);
    tcase_add_test(tests, at_the_limit_of_the_store_a_bucket_evicts_its_own);
    tcase_add_test(tests, without_memory_a_bucket_evicts_its_own);
    tcase_add_test(tests, a_batch_makes_room_for_all_of_it);
    tcase_add_test(tests, a_batch_that_can_never_fit_evicts_nothing);
    tcase_add_test(tests, a_batch_of_large_values_takes_the_place_of_many_small_ones);
    tcase_add_test(tests, evictions_are_events);
    tcase_add_test(tests, a_restart_remembers_what_was_used);
    tcase_add_test(tests, marks_that_somebody_scribbles_on_do_no_harm);
    tcase_add_test(tests, marks_that_somebody_cuts_do_the_daemon_no_harm);
    tcase_add_test(tests, many_processes_never_exceed_the_limit);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    return harness_main(suite());
}
