/* Buckets through the library against a real daemon: names, settings, limits, counters, drops. */
#include "tests/harness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

typedef struct memstore_bucket_options options;

static struct harness_daemon *server;
static struct memstore *store; /* on "default" */

static void setup(void)
{
    harness_setup();
    server = harness_start("--max-size", "none", "--max-memory", "512M");
    store = harness_open(server);
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

static int create_with(const char *name, options wanted)
{
    wanted.size = sizeof(wanted);
    return memstore_bucket_create(store, name, &wanted);
}

static int set(const char *name, options wanted)
{
    wanted.size = sizeof(wanted);
    return memstore_bucket_set(store, name, &wanted);
}

static void drop(const char *name)
{
    ck_assert_msg(memstore_bucket_drop(store, name) == 0, "%s", memstore_message());
}

static struct memstore_bucket_info info(const char *name)
{
    struct memstore_bucket_info ret;

    ck_assert_msg(memstore_bucket_info(store, name, &ret, sizeof(ret)) == 0, "%s",
                  memstore_message());
    return ret;
}

static void expect_counters(const char *name, uint64_t used, uint64_t objects)
{
    struct memstore_bucket_info now = info(name);

    ck_assert_uint_eq(now.used, used);
    ck_assert_uint_eq(now.objects, objects);
}

static void expect_totals(uint64_t used, uint64_t objects)
{
    struct memstore_stats now = harness_stats(store);

    ck_assert_uint_eq(now.used, used);
    ck_assert_uint_eq(now.objects, objects);
}

static int put(struct memstore *bucket, const char *key, size_t size)
{
    static char bytes[2 * MIB];

    return memstore_put(bucket, key, strlen(key), bytes, size, NULL, NULL);
}

static int get(struct memstore *bucket, const char *key)
{
    struct memstore_object *object = NULL;
    int r = memstore_get(bucket, key, strlen(key), 0, MEMSTORE_TO_END, &object);

    memstore_object_free(object);
    return r;
}

static bool has_no_garbage(void *argument)
{
    (void)argument;
    return harness_stats(store).garbage == 0;
}

/* ---- names ---- */

START_TEST(a_bucket_has_keys_of_its_own)
{
    struct memstore *a, *b;

    create("a");
    create("b");
    a = harness_open_bucket(server, "a");
    b = harness_open_bucket(server, "b");
    harness_put(store, "key", "default's");
    harness_put(a, "key", "a's");
    harness_put(b, "key", "b's");
    harness_expect(store, "key", "default's");
    harness_expect(a, "key", "a's");
    harness_expect(b, "key", "b's");
    ck_assert_int_eq(memstore_delete(a, "key", 3), 0);
    ck_assert_int_eq(memstore_exists(a, "key", 3), 0);
    harness_expect(b, "key", "b's");
    expect_counters("a", 0, 0);
    expect_counters("b", 3, 1);
    expect_counters("default", 9, 1);
    expect_totals(12, 2);
    memstore_close(a);
    memstore_close(b);
}
END_TEST

START_TEST(the_environment_may_choose)
{
    struct memstore_options chosen = {.size = sizeof(chosen), .bucket = "default"};
    struct memstore *other;

    create("b");
    setenv("MEMSTORE_BUCKET", "b", 1);
    other = harness_open(server);
    harness_put(other, "key", "b's");
    memstore_close(other);
    chosen.socket = server->socket;
    ck_assert_int_eq(memstore_open(&chosen, &other), 0);
    ck_assert_int_eq(memstore_exists(other, "key", 3), 0);
    memstore_close(other);
    expect_counters("b", 3, 1);
    chosen.bucket = NULL;
    setenv("MEMSTORE_BUCKET", "a b", 1);
    ck_assert_int_eq(memstore_open(&chosen, &other), -EINVAL);
    setenv("MEMSTORE_BUCKET", "none", 1);
    ck_assert_int_eq(memstore_open(&chosen, &other), -ENOENT);
    setenv("MEMSTORE_BUCKET", "", 1);
    ck_assert_int_eq(memstore_open(&chosen, &other), 0);
    ck_assert_int_eq(memstore_exists(other, "key", 3), 0);
    memstore_close(other);
}
END_TEST

START_TEST(names_that_are_not_allowed)
{
    static const char *const wrong[] = {"", "a b", "a/b", "\xc3\xa9", "a\n", "a*", "'", ":", "a%"};
    static const char *const right[] = {"a", "Z", "0", ".", "..", "-", "_", "-a.B_9"};
    char name[MEMSTORE_BUCKET_NAME_MAX + 2] = "";
    struct memstore_bucket_info now;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct memstore_options opens = {
            .size = sizeof(opens), .socket = server->socket, .bucket = wrong[i]};
        struct memstore *other = NULL;

        ck_assert_int_eq(memstore_bucket_create(store, wrong[i], NULL), -EINVAL);
        ck_assert_int_eq(memstore_bucket_drop(store, wrong[i]), -EINVAL);
        ck_assert_int_eq(set(wrong[i], (options){.has_ttl = 1}), -EINVAL);
        ck_assert_int_eq(memstore_bucket_info(store, wrong[i], &now, sizeof(now)), -EINVAL);
        ck_assert_int_eq(memstore_open(&opens, &other), -EINVAL);
    }
    ck_assert_int_eq(memstore_bucket_create(store, NULL, NULL), -EINVAL);
    memset(name, 'n', MEMSTORE_BUCKET_NAME_MAX + 1);
    ck_assert_int_eq(memstore_bucket_create(store, name, NULL), -ENAMETOOLONG);
    name[MEMSTORE_BUCKET_NAME_MAX] = '\0';
    create(name);
    ck_assert_str_eq(info(name).name, name);
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
        create(right[i]);
    ck_assert_uint_eq(harness_stats(store).buckets, 10);
}
END_TEST

START_TEST(missing_ones_and_those_that_are_there)
{
    struct memstore_bucket_info now;

    ck_assert_int_eq(memstore_bucket_drop(store, "a"), -ENOENT);
    ck_assert_ptr_nonnull(strstr(memstore_message(), "'a'"));
    ck_assert_int_eq(set("a", (options){.has_ttl = 1}), -ENOENT);
    ck_assert_int_eq(memstore_bucket_info(store, "a", &now, sizeof(now)), -ENOENT);
    create("a");
    ck_assert_int_eq(memstore_bucket_create(store, "a", NULL), -EEXIST);
    ck_assert_int_eq(create_with("a", (options){.exist_ok = 1, .has_max_size = 1, .max_size = 7}),
                     0);
    ck_assert_uint_eq(info("a").max_size, UINT64_MAX);
    ck_assert_int_eq(memstore_bucket_create(store, "default", NULL), -EEXIST);
    ck_assert_int_eq(memstore_bucket_drop(store, "default"), -EPERM);
    drop("a");
    ck_assert_int_eq(memstore_bucket_drop(store, "a"), -ENOENT);
    ck_assert_uint_eq(harness_stats(store).buckets, 1);
}
END_TEST

START_TEST(listed_by_name)
{
    static const char *const names[] = {"-", ".", "0", "A", "_", "a", "aa", "ab", "b", "default"};
    const size_t count = sizeof(names) / sizeof(names[0]);
    struct memstore_bucket_info *buckets;
    size_t found;

    for (size_t i = count - 1; i-- > 0;)
        create(names[i]);
    ck_assert_int_eq(memstore_bucket_list(store, &buckets, &found, sizeof(*buckets)), 0);
    ck_assert_uint_eq(found, count);
    for (size_t i = 0; i < count; i++)
        ck_assert_str_eq(buckets[i].name, names[i]);
    free(buckets);
    ck_assert_int_eq(memstore_bucket_list(store, &buckets, &found, 0), -EINVAL);
}
END_TEST

/* ---- settings ---- */

START_TEST(settings_are_told_and_changed)
{
    struct memstore_bucket_info now;

    ck_assert_int_eq(create_with("a", (options){.has_max_size = 1,
                                                .max_size = 100,
                                                .has_max_objects = 1,
                                                .max_objects = 5,
                                                .has_policy = 1,
                                                .policy = MEMSTORE_POLICY_LRU,
                                                .has_ttl = 1,
                                                .ttl_ms = 5000}),
                     0);
    now = info("a");
    ck_assert_str_eq(now.name, "a");
    ck_assert_uint_eq(now.max_size, 100);
    ck_assert_uint_eq(now.max_objects, 5);
    ck_assert_int_eq(now.policy, MEMSTORE_POLICY_LRU);
    ck_assert_int_eq(now.ttl_ms, 5000);
    ck_assert_int_eq(set("a", (options){.has_max_objects = 1, .max_objects = UINT64_MAX}), 0);
    ck_assert_int_eq(set("a", (options){.has_policy = 1}), 0);
    now = info("a");
    ck_assert_uint_eq(now.max_size, 100);
    ck_assert_uint_eq(now.max_objects, UINT64_MAX);
    ck_assert_int_eq(now.policy, MEMSTORE_POLICY_REFUSE);
    ck_assert_int_eq(now.ttl_ms, 5000);
    ck_assert_int_eq(set("a", (options){.has_ttl = 1}), 0);
    ck_assert_int_eq(info("a").ttl_ms, 0);
}
END_TEST

START_TEST(settings_that_are_none)
{
    options unsized_options = {.has_ttl = 1};

    ck_assert_int_eq(create_with("a", (options){.has_ttl = 1, .ttl_ms = -1}), -EINVAL);
    ck_assert_int_eq(create_with("a", (options){.has_ttl = 1, .ttl_ms = MEMSTORE_TTL_MAX + 1}),
                     -EINVAL);
    ck_assert_int_eq(create_with("a", (options){.has_policy = 1, .policy = 2}), -EINVAL);
    ck_assert_int_eq(memstore_bucket_create(store, "a", &unsized_options), -EINVAL);
    ck_assert_int_eq(set("default", (options){0}), -EINVAL);
    ck_assert_int_eq(memstore_bucket_set(store, "default", NULL), -EINVAL);
    ck_assert_int_eq(set("default", (options){.has_ttl = 1, .exist_ok = 1}), -EINVAL);
    ck_assert_uint_eq(harness_stats(store).buckets, 1);
}
END_TEST

START_TEST(the_default_bucket_can_be_set)
{
    ck_assert_int_eq(set("default", (options){.has_max_size = 1, .max_size = 10}), 0);
    ck_assert_int_eq(put(store, "a", 11), -EDQUOT);
    ck_assert_int_eq(put(store, "a", 10), 0);
    ck_assert_int_eq(set("default", (options){.has_max_size = 1, .max_size = UINT64_MAX}), 0);
    ck_assert_int_eq(put(store, "a", 11), 0);
}
END_TEST

START_TEST(a_bucket_gives_its_objects_a_lifetime)
{
    const struct memstore_put_options never = {.size = sizeof(never), .ttl_ms = -1};
    struct memstore_object *object;
    struct memstore *a;

    ck_assert_int_eq(create_with("a", (options){.has_ttl = 1, .ttl_ms = 3600000}), 0);
    a = harness_open_bucket(server, "a");
    ck_assert_int_eq(memstore_put(a, "k", 1, "v", 1, NULL, &object), 0);
    ck_assert_int_gt(memstore_object_expires(object), memstore_object_modified(object));
    memstore_object_free(object);
    ck_assert_int_eq(memstore_put(a, "k", 1, "v", 1, &never, &object), 0);
    ck_assert_int_eq(memstore_object_expires(object), 0);
    memstore_object_free(object);
    ck_assert_int_eq(memstore_touch(a, "k", 1, 0, NULL, &object), 0);
    ck_assert_int_gt(memstore_object_expires(object), 0);
    memstore_object_free(object);
    memstore_close(a);
}
END_TEST

/* ---- limits ---- */

START_TEST(a_buckets_size_is_limited)
{
    struct memstore *a;

    ck_assert_int_eq(create_with("a", (options){.has_max_size = 1, .max_size = 100}), 0);
    a = harness_open_bucket(server, "a");
    ck_assert_int_eq(put(a, "x", 60), 0);
    ck_assert_int_eq(put(a, "y", 41), -EDQUOT);
    ck_assert_ptr_nonnull(strstr(memstore_message(), "Max size 100 would be exceeded (bucket a)"));
    ck_assert_int_eq(put(a, "y", 40), 0);
    ck_assert_int_eq(put(a, "z", 0), 0);
    ck_assert_int_eq(put(a, "x", 61), -EDQUOT);
    ck_assert_int_eq(memstore_copy(a, "y", 1, "z", 1, NULL), -EDQUOT);
    ck_assert_int_eq(memstore_move(a, "y", 1, "z", 1, NULL), 0);
    ck_assert_int_eq(put(store, "x", 200), 0);
    expect_counters("a", 100, 2);
    expect_counters("default", 200, 1);
    memstore_close(a);
}
END_TEST

START_TEST(a_buckets_objects_are_limited)
{
    struct memstore *a;

    ck_assert_int_eq(create_with("a", (options){.has_max_objects = 1, .max_objects = 2}), 0);
    a = harness_open_bucket(server, "a");
    ck_assert_int_eq(put(a, "x", 60), 0);
    ck_assert_int_eq(put(a, "y", 60), 0);
    ck_assert_int_eq(put(a, "z", 0), -EDQUOT);
    ck_assert_ptr_nonnull(strstr(memstore_message(), "Max objects 2 would be exceeded (bucket a)"));
    ck_assert_int_eq(put(a, "z", 2 * MIB), -EDQUOT);
    ck_assert_int_eq(put(a, "x", 100), 0);
    ck_assert_int_eq(memstore_copy(a, "x", 1, "z", 1, NULL), -EDQUOT);
    ck_assert_int_eq(memstore_copy(a, "x", 1, "y", 1, NULL), 0);
    ck_assert_int_eq(memstore_move(a, "x", 1, "z", 1, NULL), 0);
    expect_counters("a", 200, 2);
    memstore_close(a);
}
END_TEST

START_TEST(limits_below_what_is_used)
{
    struct memstore *a;

    create("a");
    a = harness_open_bucket(server, "a");
    ck_assert_int_eq(put(a, "x", 100), 0);
    ck_assert_int_eq(put(a, "y", 100), 0);
    ck_assert_int_eq(
        set("a",
            (options){.has_max_size = 1, .max_size = 50, .has_max_objects = 1, .max_objects = 1}),
        0);
    expect_counters("a", 200, 2);
    ck_assert_int_eq(put(a, "x", 101), -EDQUOT);
    ck_assert_int_eq(put(a, "z", 0), -EDQUOT);
    ck_assert_int_eq(put(a, "x", 100), 0);
    ck_assert_int_eq(put(a, "x", 20), 0);
    ck_assert_int_eq(put(a, "x", 21), -EDQUOT);
    ck_assert_int_eq(memstore_delete(a, "y", 1), 0);
    ck_assert_int_eq(put(a, "x", 50), 0);
    ck_assert_int_eq(put(a, "z", 0), -EDQUOT);
    ck_assert_int_eq(memstore_delete(a, "x", 1), 0);
    ck_assert_int_eq(put(a, "z", 50), 0);
    memstore_close(a);
}
END_TEST

START_TEST(a_batch_keeps_to_the_buckets_limits)
{
    struct memstore_batch_options atomic = {.size = sizeof(atomic), .atomic = 1};
    struct memstore_batch *batch;
    struct memstore *a;

    ck_assert_int_eq(
        create_with(
            "a",
            (options){.has_max_size = 1, .max_size = 100, .has_max_objects = 1, .max_objects = 2}),
        0);
    a = harness_open_bucket(server, "a");
    ck_assert_int_eq(put(a, "x", 100), 0);
    ck_assert_int_eq(memstore_batch_create(a, &atomic, &batch), 0);
    /* Room that a later change makes counts for an earlier one. */
    ck_assert_int_eq(memstore_batch_put(batch, "y", 1, "1234", 4, NULL), 0);
    ck_assert_int_eq(memstore_batch_put(batch, "z", 1, "1234", 4, NULL), 0);
    ck_assert_int_eq(memstore_batch_run(batch), -EDQUOT);
    ck_assert_ptr_nonnull(strstr(memstore_message(), "(bucket a)"));
    expect_counters("a", 100, 1);
    ck_assert_int_eq(memstore_batch_delete(batch, "x", 1), 0);
    ck_assert_int_eq(memstore_batch_run(batch), 0);
    expect_counters("a", 8, 2);
    memstore_batch_destroy(batch);
    memstore_close(a);
}
END_TEST

START_TEST(the_stores_limit_holds_above_all)
{
    struct memstore *a;

    memstore_close(store);
    harness_stop(server);
    server = harness_start("--max-size", "100");
    store = harness_open(server);
    ck_assert_int_eq(create_with("a", (options){.has_max_size = 1, .max_size = 90}), 0);
    a = harness_open_bucket(server, "a");
    ck_assert_int_eq(put(store, "x", 50), 0);
    ck_assert_int_eq(put(a, "x", 51), -EDQUOT);
    ck_assert_ptr_nonnull(strstr(memstore_message(), "Max size 100 would be exceeded"));
    ck_assert_ptr_null(strstr(memstore_message(), "bucket a"));
    ck_assert_int_eq(put(a, "x", 91), -EDQUOT);
    ck_assert_ptr_nonnull(strstr(memstore_message(), "Max size 90"));
    ck_assert_int_eq(put(a, "x", 50), 0);
    drop("a");
    ck_assert_int_eq(put(store, "y", 50), 0);
    memstore_close(a);
}
END_TEST

/* ---- statistics ---- */

START_TEST(what_happens_is_counted)
{
    const struct memstore_put_options shortly = {.size = sizeof(shortly), .ttl_ms = 1};
    struct memstore_bucket_info now;
    struct memstore_view *view;
    struct memstore *a, *b;
    struct memstore_object *object;

    ck_assert_int_eq(create_with("a", (options){.has_max_objects = 1,
                                                .max_objects = 3,
                                                .has_policy = 1,
                                                .policy = MEMSTORE_POLICY_LRU}),
                     0);
    ck_assert_int_eq(create_with("b", (options){.has_max_size = 1, .max_size = 10}), 0);
    a = harness_open_bucket(server, "a");
    b = harness_open_bucket(server, "b");
    for (int i = 0; i < 5; i++) {
        char key[2] = {(char)('0' + i), '\0'};

        ck_assert_int_eq(put(a, key, 1), 0);
    }
    ck_assert_int_eq(get(a, "4"), 0);
    ck_assert_int_eq(get(a, "none"), -ENOENT);
    ck_assert_int_eq(memstore_exists(a, "4", 1), 1);
    ck_assert_int_eq(memstore_exists(a, "none", 4), 0);
    ck_assert_int_eq(memstore_info(a, "4", 1, &object), 0);
    memstore_object_free(object);
    view = harness_view(a, "4");
    memstore_view_release(view);
    now = info("a");
    ck_assert_uint_eq(now.puts, 5);
    ck_assert_uint_eq(now.evicted, 2);
    ck_assert_uint_eq(now.hits, 4);
    ck_assert_uint_eq(now.misses, 2);
    ck_assert_uint_eq(now.refused, 0);
    ck_assert_int_eq(put(b, "x", 11), -EDQUOT);
    ck_assert_int_eq(memstore_put(b, "x", 1, "", 0, &shortly, NULL), 0);
    ck_assert_int_eq(memstore_wait(b, "x", 1, MEMSTORE_UNTIL_GONE, 0, 10000, NULL), 0);
    memstore_close(a); /* what it has counted stays */
    memstore_close(b);
    now = info("a");
    ck_assert_uint_eq(now.hits, 4);
    now = info("b");
    ck_assert_uint_eq(now.refused, 1);
    ck_assert_uint_eq(now.puts, 1);
    ck_assert_uint_eq(now.expired, 1);
    drop("a");
    create("a");
    ck_assert_uint_eq(info("a").puts, 0);
}
END_TEST

static int read_often(int index, void *argument)
{
    struct memstore *a = harness_open_bucket(server, "a");

    (void)argument;
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(get(a, index % 2 ? "key" : "none"), index % 2 ? 0 : -ENOENT);
    memstore_close(a);
    return 0;
}

START_TEST(reads_of_many_processes_are_counted)
{
    struct memstore_bucket_info *buckets;
    struct memstore *a;
    size_t count;

    create("a");
    a = harness_open_bucket(server, "a");
    harness_put(a, "key", "value");
    harness_processes(8, read_often, NULL);
    ck_assert_int_eq(memstore_bucket_list(store, &buckets, &count, sizeof(*buckets)), 0);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(buckets[0].name, "a");
    ck_assert_uint_eq(buckets[0].hits, 4000);
    ck_assert_uint_eq(buckets[0].misses, 4000);
    ck_assert_uint_eq(buckets[0].puts, 1);
    free(buckets);
    memstore_close(a);
}
END_TEST

/* ---- from bucket to bucket ---- */

static int copy_to(struct memstore *from, const char *source, const char *bucket,
                   const char *target)
{
    const struct memstore_pair_options to = {.size = sizeof(to), .bucket = bucket};

    return memstore_copy_to(from, source, strlen(source), target, strlen(target), &to, NULL);
}

static int move_to(struct memstore *from, const char *source, const char *bucket,
                   const char *target)
{
    const struct memstore_pair_options to = {.size = sizeof(to), .bucket = bucket};

    return memstore_move_to(from, source, strlen(source), target, strlen(target), &to, NULL);
}

START_TEST(copies_and_moves_between_buckets)
{
    struct memstore *a;

    create("a");
    a = harness_open_bucket(server, "a");
    harness_put(store, "small", "value");
    harness_put_filled(store, "large", MIB, 3);
    ck_assert_int_eq(copy_to(store, "small", "a", "small"), 0);
    ck_assert_int_eq(copy_to(store, "large", "a", "l"), 0);
    harness_expect(a, "small", "value");
    harness_expect(store, "small", "value");
    expect_counters("a", MIB + 5, 2);
    expect_counters("default", MIB + 5, 2);
    ck_assert_int_eq(move_to(store, "large", "a", "l"), 0); /* over the copy */
    ck_assert_int_eq(memstore_exists(store, "large", 5), 0);
    expect_counters("a", MIB + 5, 2);
    expect_counters("default", 5, 1);
    ck_assert_int_eq(move_to(a, "l", "default", "large"), 0);
    ck_assert_int_eq(move_to(a, "small", "default", "small"), 0);
    expect_counters("a", 0, 0);
    expect_counters("default", MIB + 5, 2);
    expect_totals(MIB + 5, 2);
    /* The same bucket, by name. */
    ck_assert_int_eq(move_to(store, "small", "default", "small"), 0);
    ck_assert_int_eq(copy_to(store, "large", "default", "large"), 0);
    expect_counters("default", MIB + 5, 2);
    drop("a");
    harness_await(has_no_garbage, NULL, "nothing else to be kept");
    expect_totals(MIB + 5, 2);
    memstore_close(a);
}
END_TEST

START_TEST(limits_of_the_targets_bucket)
{
    ck_assert_int_eq(
        create_with(
            "a",
            (options){.has_max_size = 1, .max_size = 10, .has_max_objects = 1, .max_objects = 2}),
        0);
    ck_assert_int_eq(put(store, "x", 8), 0);
    ck_assert_int_eq(put(store, "y", 3), 0);
    ck_assert_int_eq(copy_to(store, "x", "a", "x"), 0);
    ck_assert_int_eq(copy_to(store, "y", "a", "y"), -EDQUOT);
    ck_assert_ptr_nonnull(strstr(memstore_message(), "Max size 10 would be exceeded (bucket a)"));
    ck_assert_int_eq(move_to(store, "y", "a", "y"), -EDQUOT);
    ck_assert_int_eq(move_to(store, "y", "a", "x"), 0);
    ck_assert_int_eq(put(store, "y", 0), 0);
    ck_assert_int_eq(move_to(store, "y", "a", "y"), 0);
    ck_assert_int_eq(put(store, "y", 0), 0);
    ck_assert_int_eq(move_to(store, "y", "a", "z"), -EDQUOT);
    ck_assert_ptr_nonnull(strstr(memstore_message(), "Max objects 2"));
    ck_assert_int_eq(copy_to(store, "y", "a", "z"), -EDQUOT);
    expect_counters("a", 3, 2);
    expect_counters("default", 8, 2);
}
END_TEST

START_TEST(the_stores_limit_for_copies_between_buckets)
{
    memstore_close(store);
    harness_stop(server);
    server = harness_start("--max-size", "10");
    store = harness_open(server);
    create("a");
    ck_assert_int_eq(put(store, "x", 6), 0);
    ck_assert_int_eq(copy_to(store, "x", "a", "x"), -EDQUOT);
    ck_assert_int_eq(move_to(store, "x", "a", "x"), 0);
    expect_counters("a", 6, 1);
    expect_counters("default", 0, 0);
}
END_TEST

START_TEST(a_targets_bucket_that_evicts)
{
    memstore_close(store);
    harness_stop(server);
    server = harness_start("--max-size", "20");
    store = harness_open(server);
    ck_assert_int_eq(create_with("a", (options){.has_max_size = 1,
                                                .max_size = 10,
                                                .has_policy = 1,
                                                .policy = MEMSTORE_POLICY_LRU}),
                     0);
    ck_assert_int_eq(put(store, "x", 8), 0);
    ck_assert_int_eq(copy_to(store, "x", "a", "first"), 0);
    ck_assert_int_eq(put(store, "y", 4), 0);
    ck_assert_int_eq(move_to(store, "y", "a", "second"), 0); /* and the first one goes */
    expect_counters("a", 4, 1);
    ck_assert_int_eq(put(store, "y", 8), 0);
    ck_assert_int_eq(move_to(store, "y", "a", "third"), 0);
    expect_counters("a", 8, 1);
    expect_counters("default", 8, 1);
    ck_assert_int_eq(put(store, "y", 11), -EDQUOT);
    ck_assert_int_eq(put(store, "x", 12), 0);
    ck_assert_int_eq(move_to(store, "x", "a", "x"), -EDQUOT); /* which nothing helps */
    expect_counters("a", 8, 1);
}
END_TEST

START_TEST(targets_that_are_nowhere)
{
    struct memstore *a;

    harness_put(store, "x", "value");
    ck_assert_int_eq(copy_to(store, "x", "a", "x"), -ENXIO);
    ck_assert_str_eq(memstore_message(), "there is no bucket 'a'");
    ck_assert_int_eq(move_to(store, "x", "a", "x"), -ENXIO);
    ck_assert_int_eq(move_to(store, "x", "a b", "x"), -EINVAL);
    ck_assert_int_eq(move_to(store, "none", "default", "x"), -ENOENT);
    create("a");
    a = harness_open_bucket(server, "a");
    ck_assert_int_eq(copy_to(store, "x", "a", "x"), 0);
    drop("a");
    ck_assert_int_eq(copy_to(a, "x", "default", "y"), -ENXIO);
    ck_assert_str_eq(memstore_message(), "the bucket 'a' was dropped; open it anew");
    create("a");
    ck_assert_int_eq(move_to(store, "x", "a", "x"), 0);
    expect_counters("a", 5, 1);
    expect_counters("default", 0, 0);
    memstore_close(a);
}
END_TEST

/* ---- dropping ---- */

START_TEST(a_dropped_bucket_is_gone_at_once)
{
    struct memstore *a, *anew;
    char key[32];

    harness_put(store, "mine", "still here");
    create("a");
    a = harness_open_bucket(server, "a");
    for (int i = 0; i < 3000; i++) {
        snprintf(key, sizeof(key), "key %d", i);
        ck_assert_int_eq(put(a, key, i % 100 == 0 ? MIB : 100), 0);
    }
    expect_counters("a", 30 * MIB + 2970 * 100, 3000);
    drop("a");
    expect_totals(10, 1);
    create("a");
    expect_counters("a", 0, 0);
    anew = harness_open_bucket(server, "a");
    ck_assert_int_eq(get(anew, "key 1"), -ENOENT);
    harness_put(anew, "key 1", "another");
    harness_await(has_no_garbage, NULL, "the dropped values to be free");
    harness_expect(anew, "key 1", "another");
    harness_expect(store, "mine", "still here");
    expect_totals(17, 2);
    memstore_close(a);
    memstore_close(anew);
}
END_TEST

/* Every call on a handle whose bucket is gone. */
static void expect_dropped(struct memstore *a)
{
    struct memstore_batch_options atomic = {.size = sizeof(atomic), .atomic = 1};
    struct memstore_batch *batch;
    struct memstore_object *object;
    struct memstore_writer *writer;
    struct memstore_list *list;
    struct memstore_view *view;
    struct memstore_watch *watch;
    struct memstore_lock *lock;

    ck_assert_int_eq(get(a, "key"), -ENXIO);
    ck_assert_str_eq(memstore_message(), "the bucket 'a' was dropped; open it anew");
    ck_assert_int_eq(put(a, "key", 1), -ENXIO);
    ck_assert_str_eq(memstore_message(), "the bucket 'a' was dropped; open it anew");
    ck_assert_int_eq(put(a, "key", 2 * MIB), -ENXIO);
    ck_assert_int_eq(memstore_exists(a, "key", 3), -ENXIO);
    ck_assert_int_eq(memstore_info(a, "key", 3, &object), -ENXIO);
    ck_assert_int_eq(memstore_view(a, "key", 3, &view), -ENXIO);
    ck_assert_int_eq(memstore_list(a, "", 0, NULL, &list), -ENXIO);
    ck_assert_int_eq(memstore_delete(a, "key", 3), -ENXIO);
    ck_assert_int_eq(memstore_copy(a, "key", 3, "k", 1, NULL), -ENXIO);
    ck_assert_int_eq(memstore_move(a, "key", 3, "k", 1, NULL), -ENXIO);
    ck_assert_int_eq(memstore_touch(a, "key", 3, 1, NULL, NULL), -ENXIO);
    ck_assert_int_eq(memstore_wait(a, "key", 3, MEMSTORE_UNTIL_EXISTS, 0, 10000, NULL), -ENXIO);
    ck_assert_int_eq(memstore_watch(a, "", 0, MEMSTORE_FROM_NOW, &watch), -ENXIO);
    ck_assert_int_eq(memstore_lock(a, "key", 3, 10000, &lock), -ENXIO);
    ck_assert_int_eq(memstore_writer_open(a, "key", 3, NULL, &writer), -ENXIO);
    ck_assert_int_eq(memstore_batch_create(a, NULL, &batch), 0);
    ck_assert_int_eq(memstore_batch_get(batch, "key", 3), 0);
    ck_assert_int_eq(memstore_batch_delete(batch, "key", 3), 0);
    if (memstore_batch_run(batch) == 0) { /* otherwise there is not even a connection */
        ck_assert_int_eq(memstore_batch_status(batch, 0), -ENXIO);
        ck_assert_int_eq(memstore_batch_status(batch, 1), -ENXIO);
    }
    ck_assert_str_eq(memstore_message(), "the bucket 'a' was dropped; open it anew");
    memstore_batch_destroy(batch);
    ck_assert_int_eq(memstore_batch_create(a, &atomic, &batch), 0);
    ck_assert_int_eq(memstore_batch_delete(batch, "key", 3), 0);
    ck_assert_int_eq(memstore_batch_run(batch), -ENXIO);
    memstore_batch_destroy(batch);
}

START_TEST(handles_of_a_dropped_bucket)
{
    struct memstore *a, *fresh, *anew;

    create("a");
    a = harness_open_bucket(server, "a");
    fresh = harness_open_bucket(server, "a"); /* has not asked for anything yet */
    harness_put(a, "key", "value");
    harness_expect(a, "key", "value");
    drop("a");
    expect_dropped(a);
    create("a");
    anew = harness_open_bucket(server, "a");
    harness_put(anew, "key", "another");
    expect_dropped(a);
    expect_dropped(fresh);
    harness_expect(anew, "key", "another");
    expect_counters("a", 7, 1);
    memstore_close(a);
    memstore_close(fresh);
    memstore_close(anew);
}
END_TEST

/* A drop is seen by the next read, whoever made it: there is no moment between. */
START_TEST(readers_see_a_drop_at_once)
{
    for (int i = 0; i < 500; i++) {
        struct memstore *a;

        create("a");
        a = harness_open_bucket(server, "a");
        harness_put(a, "key", "value");
        harness_expect(a, "key", "value");
        drop("a");
        ck_assert_int_eq(get(a, "key"), -ENXIO);
        memstore_close(a);
    }
}
END_TEST

START_TEST(a_writer_whose_bucket_is_dropped)
{
    struct memstore_writer *writer;
    char bytes[1000] = "";
    struct memstore *a;

    create("a");
    a = harness_open_bucket(server, "a");
    ck_assert_int_eq(memstore_writer_open(a, "key", 3, NULL, &writer), 0);
    ck_assert_int_eq(memstore_writer_write(writer, bytes, sizeof(bytes)), 0);
    drop("a");
    ck_assert_int_eq(memstore_writer_commit(writer, NULL), -ENXIO);
    ck_assert_str_eq(memstore_message(), "the bucket 'a' was dropped; open it anew");
    memstore_close(a);
}
END_TEST

START_TEST(views_outlive_their_bucket)
{
    struct memstore_view *view;
    struct memstore *a;

    create("a");
    a = harness_open_bucket(server, "a");
    harness_put_filled(a, "key", MIB, 7);
    view = harness_view(a, "key");
    drop("a");
    create("b");
    memstore_close(a);
    a = harness_open_bucket(server, "b");
    for (int i = 0; i < 50; i++)
        harness_put_filled(a, "key", MIB, 8);
    ck_assert(harness_view_shows(view, MIB, 7));
    memstore_view_release(view);
    memstore_close(a);
}
END_TEST

/* ---- daemons that come and go ---- */

static void restart(void)
{
    harness_kill(server);
    server = harness_start("--max-size", "none", "--max-memory", "512M");
}

/* The store, and the buckets in it, outlive the daemon. */
START_TEST(handles_follow_a_daemon_that_comes_back)
{
    struct memstore *a;

    create("a");
    ck_assert_int_eq(set("a", (options){.has_max_objects = 1, .max_objects = 3}), 0);
    a = harness_open_bucket(server, "a");
    harness_put(a, "key", "value");
    restart();
    harness_expect(a, "key", "value");
    harness_put(a, "k", "v");
    expect_counters("a", 6, 2);
    ck_assert_uint_eq(info("a").max_objects, 3);
    drop("a");
    restart();
    create("a");
    expect_dropped(a);
    memstore_close(a);
}
END_TEST

START_TEST(handles_follow_a_daemon_with_another_store)
{
    struct memstore *a;

    create("a");
    create("b"); /* so that ids differ */
    a = harness_open_bucket(server, "a");
    harness_put(a, "key", "value");
    harness_stop(server);
    server = harness_start("--max-size", "none", "--max-memory", "512M");
    ck_assert_int_eq(get(a, "key"), -ENXIO);
    create("c");
    create("a");
    ck_assert_int_eq(get(a, "key"), -ENOENT);
    harness_put(a, "key", "another");
    harness_expect(a, "key", "another");
    memstore_close(a);
}
END_TEST

/* ---- those who wait ---- */

static int wait_in_bucket(int index, void *argument)
{
    struct memstore *a = harness_open_bucket(server, "a");
    const struct memstore_event *event;
    struct memstore_watch *watch = NULL;
    struct memstore_lock *lock = NULL;
    int *told = argument;
    int r;

    if (index == 1)
        r = memstore_watch(a, "", 0, MEMSTORE_FROM_NOW, &watch);
    else
        r = 0;
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(write(told[1], "", 1), 1);
    if (index == 0)
        r = memstore_wait(a, "key", 3, MEMSTORE_UNTIL_EXISTS, 0, 60000, NULL);
    else if (index == 1)
        r = memstore_watch_next(watch, 60000, &event);
    else
        r = memstore_lock(a, "lock", 4, 60000, &lock);
    ck_assert_str_eq(memstore_message(), "the bucket 'a' was dropped; open it anew");
    memstore_watch_close(watch);
    memstore_close(a);
    return r == -ENXIO ? 0 : 1;
}

START_TEST(a_drop_ends_waits_watches_and_locks)
{
    struct memstore_lock *lock;
    struct memstore *a;
    pid_t waiters[3];
    int told[2];
    char byte;

    create("a");
    a = harness_open_bucket(server, "a");
    ck_assert_int_eq(memstore_lock(a, "lock", 4, 1000, &lock), 0);
    ck_assert_int_eq(pipe(told), 0);
    for (int i = 0; i < 3; i++)
        waiters[i] = harness_fork(wait_in_bucket, i, told);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(read(told[0], &byte, 1), 1);
    drop("a");
    for (int i = 0; i < 3; i++) {
        int status;

        ck_assert_int_eq(waitpid(waiters[i], &status, 0), waiters[i]);
        ck_assert_msg(status == 0, "waiter %d: %d", i, status);
    }
    ck_assert_int_eq(memstore_unlock(lock), -ENXIO);
    create("a");
    memstore_close(a);
    a = harness_open_bucket(server, "a");
    ck_assert_int_eq(memstore_lock(a, "lock", 4, 0, &lock), 0);
    ck_assert_int_eq(memstore_unlock(lock), 0);
    memstore_close(a);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("bucket");
    TCase *tcase = tcase_create("bucket");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_bucket_has_keys_of_its_own);
    tcase_add_test(tcase, the_environment_may_choose);
    tcase_add_test(tcase, names_that_are_not_allowed);
    tcase_add_test(tcase, missing_ones_and_those_that_are_there);
    tcase_add_test(tcase, listed_by_name);
    tcase_add_test(tcase, settings_are_told_and_changed);
    tcase_add_test(tcase, settings_that_are_none);
    tcase_add_test(tcase, the_default_bucket_can_be_set);
    tcase_add_test(tcase, a_bucket_gives_its_objects_a_lifetime);
    tcase_add_test(tcase, a_buckets_size_is_limited);
    tcase_add_test(tcase, a_buckets_objects_are_limited);
    tcase_add_test(tcase, limits_below_what_is_used);
    tcase_add_test(tcase, a_batch_keeps_to_the_buckets_limits);
    tcase_add_test(tcase, the_stores_limit_holds_above_all);
    tcase_add_test(tcase, what_happens_is_counted);
    tcase_add_test(tcase, reads_of_many_processes_are_counted);
    tcase_add_test(tcase, copies_and_moves_between_buckets);
    tcase_add_test(tcase, limits_of_the_targets_bucket);
    tcase_add_test(tcase, the_stores_limit_for_copies_between_buckets);
    tcase_add_test(tcase, a_targets_bucket_that_evicts);
    tcase_add_test(tcase, targets_that_are_nowhere);
    tcase_add_test(tcase, a_dropped_bucket_is_gone_at_once);
    tcase_add_test(tcase, handles_of_a_dropped_bucket);
    tcase_add_test(tcase, readers_see_a_drop_at_once);
    tcase_add_test(tcase, a_writer_whose_bucket_is_dropped);
    tcase_add_test(tcase, views_outlive_their_bucket);
    tcase_add_test(tcase, handles_follow_a_daemon_that_comes_back);
    tcase_add_test(tcase, handles_follow_a_daemon_with_another_store);
    tcase_add_test(tcase, a_drop_ends_waits_watches_and_locks);
    suite_add_tcase(s, tcase);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
