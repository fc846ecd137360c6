/* Conditions, through the library: what holds, what fails, and that failing costs nothing. */
#include "tests/harness.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define KIB ((size_t)1024)
#define MIB (KIB * KIB)
#define ETAG_OTHER "0123456789abcdef0123456789abcdef"

static struct harness_daemon *server;
static struct memstore *store;

static void setup(void)
{
    harness_setup();
    server = harness_start(NULL);
    store = harness_open(server);
}

static void teardown(void)
{
    memstore_close(store);
    harness_teardown();
}

/* ---- conditions ---- */

static struct memstore_condition absent(void)
{
    return (struct memstore_condition){.size = sizeof(struct memstore_condition), .if_absent = 1};
}

static struct memstore_condition present(void)
{
    return (struct memstore_condition){.size = sizeof(struct memstore_condition), .if_present = 1};
}

static struct memstore_condition of_version(uint64_t version)
{
    return (struct memstore_condition){
        .size = sizeof(struct memstore_condition), .has_version = 1, .version = version};
}

static struct memstore_condition of_etag(const char *etag)
{
    return (struct memstore_condition){.size = sizeof(struct memstore_condition), .etag = etag};
}

static uint64_t version_of(const char *key)
{
    struct memstore_object *object = NULL;
    uint64_t version;

    ck_assert_msg(memstore_info(store, key, strlen(key), &object) == 0, "%s", memstore_message());
    version = memstore_object_version(object);
    memstore_object_free(object);
    return version;
}

static void etag_of(const char *key, char etag[MEMSTORE_ETAG_SIZE])
{
    struct memstore_object *object = NULL;

    ck_assert_int_eq(memstore_info(store, key, strlen(key), &object), 0);
    snprintf(etag, MEMSTORE_ETAG_SIZE, "%s", memstore_object_etag(object));
    memstore_object_free(object);
}

/* ---- changes ---- */

static char value[4 * MIB];
static size_t value_size = 3; /* of what is put */

static int put(const char *key, const struct memstore_condition *condition)
{
    struct memstore_put_options options = {.size = sizeof(options), .condition = condition};

    return memstore_put(store, key, strlen(key), value, value_size, &options, NULL);
}

static int put_by_writer(const char *key, const struct memstore_condition *condition)
{
    struct memstore_put_options options = {.size = sizeof(options), .condition = condition};
    struct memstore_writer *writer = NULL;
    int r = memstore_writer_open(store, key, strlen(key), &options, &writer);

    if (r < 0)
        return r;
    ck_assert_int_eq(memstore_writer_write(writer, value, value_size), 0);
    return memstore_writer_commit(writer, NULL);
}

static int put_in_place(const char *key, const struct memstore_condition *condition)
{
    struct memstore_put_options options = {.size = sizeof(options), .condition = condition};
    struct memstore_reservation *reservation = NULL;
    void *place;
    int r = memstore_reserve(store, key, strlen(key), value_size, &options, &reservation, &place);

    if (r < 0)
        return r;
    memcpy(place, value, value_size);
    return memstore_commit(reservation, NULL);
}

static int put_in_batch_of(const char *key, const struct memstore_condition *condition, int atomic)
{
    struct memstore_put_options options = {.size = sizeof(options), .condition = condition};
    struct memstore_batch_options batch_options = {.size = sizeof(batch_options), .atomic = atomic};
    struct memstore_batch *batch = NULL;
    int r;

    ck_assert_int_eq(memstore_batch_create(store, &batch_options, &batch), 0);
    r = memstore_batch_put(batch, key, strlen(key), value, value_size, &options);
    if (r == 0)
        r = memstore_batch_run(batch);
    if (r == 0)
        r = memstore_batch_status(batch, 0);
    memstore_batch_destroy(batch);
    return r;
}

static int put_in_batch(const char *key, const struct memstore_condition *condition)
{
    return put_in_batch_of(key, condition, 0);
}

static int put_in_atomic_batch(const char *key, const struct memstore_condition *condition)
{
    return put_in_batch_of(key, condition, 1);
}

static int delete_key(const char *key, const struct memstore_condition *condition)
{
    return memstore_delete_if(store, key, strlen(key), condition);
}

static int copy(const char *key, const struct memstore_condition *condition)
{
    struct memstore_pair_options options = {.size = sizeof(options), .condition = condition};

    return memstore_copy_to(store, "source", 6, key, strlen(key), &options, NULL);
}

static int move(const char *key, const struct memstore_condition *condition)
{
    struct memstore_pair_options options = {.size = sizeof(options), .condition = condition};

    return memstore_move_to(store, "source", 6, key, strlen(key), &options, NULL);
}

static int add(const char *key, const struct memstore_condition *condition)
{
    return memstore_add_if(store, key, strlen(key), 1, condition, NULL, NULL);
}

static int touch(const char *key, const struct memstore_condition *condition)
{
    return memstore_touch(store, key, strlen(key), 60000, condition, NULL);
}

static const struct change {
    int (*make)(const char *key, const struct memstore_condition *condition);
    size_t size; /* of a value that is put */
} changes[] = {
    {put, 3},
    {put, 20 * KIB},
    {put, 300 * KIB},
    {put, 3 * MIB},
    {put_by_writer, 3},
    {put_by_writer, 3 * MIB},
    {put_in_place, 3},
    {put_in_place, 3 * MIB},
    {put_in_batch, 3},
    {put_in_batch, 20 * KIB},
    {put_in_batch, 3 * MIB},
    {put_in_atomic_batch, 3},
    {put_in_atomic_batch, 20 * KIB},
    {put_in_atomic_batch, 3 * MIB},
    {delete_key, 0},
    {copy, 0},
    {move, 0},
    {add, 0},
    {touch, 0},
};
#define CHANGES ((int)(sizeof(changes) / sizeof(changes[0])))

/* Every change finds what it needs. */
static const struct change *prepare(int index)
{
    memset(value, 'v', sizeof(value));
    value_size = changes[index].size;
    harness_put(store, "source", "5");
    return &changes[index];
}

/* ---- tests ---- */

/* It fails so, says what is there, and nothing has happened. */
static void expect_failure(const struct change *change, const char *key,
                           struct memstore_condition condition, int status, uint64_t version)
{
    struct memstore_stats before = harness_stats(store), after;
    int r = change->make(key, &condition);

    ck_assert_msg(r == status, "%d instead of %d: %s", r, status, memstore_message());
    ck_assert_uint_eq(memstore_conflict_version(), version);
    ck_assert_ptr_nonnull(strstr(memstore_message(), key));
    after = harness_stats(store);
    ck_assert_uint_eq(after.version, before.version);
    ck_assert_uint_eq(after.objects, before.objects);
    ck_assert_uint_eq(after.used, before.used);
    ck_assert_uint_eq(after.refused, before.refused);
    ck_assert_uint_eq(after.garbage, before.garbage);
}

START_TEST(what_does_not_hold_changes_nothing)
{
    const struct change *change = prepare(_i);
    struct memstore_condition both;
    char etag[MEMSTORE_ETAG_SIZE];
    uint64_t version;

    harness_put(store, "target", "1");
    version = version_of("target");
    etag_of("target", etag);
    harness_stats(store); /* the first few calls make a ring */
    expect_failure(change, "target", absent(), -EEXIST, version);
    expect_failure(change, "target", of_version(version + 1), -ESTALE, version);
    expect_failure(change, "target", of_version(UINT64_MAX), -ESTALE, version);
    expect_failure(change, "target", of_etag(ETAG_OTHER), -ESTALE, version);
    both = of_version(version);
    both.etag = ETAG_OTHER;
    expect_failure(change, "target", both, -ESTALE, version);
    both = of_version(version - 1);
    both.etag = etag;
    expect_failure(change, "target", both, -ESTALE, version);
    harness_expect(store, "target", "1");
    expect_failure(change, "none", present(), -ENOENT, 0);
    expect_failure(change, "none", of_version(version), -ENOENT, 0);
    expect_failure(change, "none", of_etag(etag), -ENOENT, 0);
    ck_assert_int_eq(memstore_exists(store, "none", 4), 0);
    harness_expect(store, "source", "5");
}
END_TEST

START_TEST(what_holds_is_done)
{
    struct memstore_condition condition;
    char etag[MEMSTORE_ETAG_SIZE];

    for (int kind = 0; kind < 6; kind++) {
        const struct change *change = prepare(_i);
        const char *key = kind < 5 ? "target" : "new";

        harness_put(store, "target", "1");
        etag_of("target", etag);
        condition = kind == 0   ? present()
                    : kind == 1 ? of_version(version_of("target"))
                    : kind == 2 ? of_etag(etag)
                    : kind == 5 ? absent()
                                : present();
        if (kind >= 3 && kind < 5) {
            condition = of_version(version_of("target"));
            condition.if_present = kind == 4;
            condition.etag = etag;
        }
        if (kind == 4) /* digits of any case */
            for (char *c = etag; *c; c++)
                *c = *c >= 'a' ? (char)(*c - 'a' + 'A') : *c;
        if ((change->make == delete_key || change->make == touch) && kind == 5) {
            ck_assert_int_eq(change->make(key, &condition), -ENOENT);
            continue;
        }
        ck_assert_msg(change->make(key, &condition) == 0, "%d: %s", kind, memstore_message());
        ck_assert_int_eq(memstore_exists(store, key, strlen(key)), change->make != delete_key);
    }
}
END_TEST

START_TEST(changes_without_a_condition_are_as_ever)
{
    const struct change *change = prepare(_i);

    harness_put(store, "target", "1");
    ck_assert_int_eq(change->make("target", NULL), 0);
}
END_TEST

START_TEST(conditions_that_are_none_are_refused)
{
    static const char too_long[] = ETAG_OTHER "0";
    const size_t size = sizeof(struct memstore_condition);
    struct {
        struct memstore_condition known;
        uint64_t unknown;
    } newer = {.known = {.size = sizeof(newer), .if_present = 1}, .unknown = 1};
    const struct memstore_condition wrong[] = {
        {.size = size},
        {.size = size, .version = 5}, /* has_version was forgotten */
        {.size = 0, .if_present = 1},
        {.size = size, .if_absent = 1, .if_present = 1},
        {.size = size, .if_absent = 1, .has_version = 1, .version = 5},
        {.size = size, .if_absent = 1, .etag = ETAG_OTHER},
        {.size = size, .has_version = 1},
        {.size = size, .if_present = 1, .has_version = 1},
        {.size = size, .etag = ""},
        {.size = size, .etag = "0123456789abcdef0123456789abcde"},
        {.size = size, .etag = too_long},
        {.size = size, .etag = "0123456789abcdef0123456789abcdeg"},
        {.size = size, .etag = " 123456789abcdef0123456789abcdef"},
    };
    const struct change *change = prepare(_i);
    struct memstore_stats before, after;

    harness_put(store, "target", "1");
    before = harness_stats(store);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int r = change->make("target", &wrong[i]);

        ck_assert_msg(r == -EINVAL, "%zu: %d %s", i, r, memstore_message());
        ck_assert_str_ne(memstore_message(), "");
    }
    ck_assert_int_eq(change->make("target", &newer.known), -EINVAL);
    newer.unknown = 0;
    ck_assert_int_eq(change->make("target", &newer.known), 0);
    after = harness_stats(store);
    /* The daemon knows nothing of them: it was asked for the change that was made, and the stats.
     */
    ck_assert_uint_le(after.requests, before.requests + 6);
}
END_TEST

/* A program that was built before there were conditions. */
START_TEST(options_without_a_condition_are_taken)
{
    struct memstore_put_options options = {.size = offsetof(struct memstore_put_options, condition),
                                           .condition =
                                               (const struct memstore_condition *)(uintptr_t)1};

    ck_assert_int_eq(memstore_put(store, "k", 1, "v", 1, &options, NULL), 0);
    harness_expect(store, "k", "v");
}
END_TEST

START_TEST(source_that_is_missing_is_told_first)
{
    struct memstore_condition condition = present();
    struct memstore_pair_options options = {.size = sizeof(options), .condition = &condition};
    int (*const calls[])(struct memstore *, const void *, size_t, const void *, size_t,
                         const struct memstore_pair_options *,
                         struct memstore_object **) = {memstore_copy_to, memstore_move_to};

    harness_put(store, "there", "1");
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(calls[i](store, "source", 6, "target", 6, &options, NULL), -ENOENT);
        ck_assert_ptr_nonnull(strstr(memstore_message(), "\"source\""));
        ck_assert_int_eq(calls[i](store, "there", 5, "target", 6, &options, NULL), -ENOENT);
        ck_assert_ptr_nonnull(strstr(memstore_message(), "\"target\""));
    }
    condition = absent();
    ck_assert_int_eq(memstore_move_to(store, "there", 5, "there", 5, &options, NULL), -EEXIST);
    condition = of_version(version_of("there"));
    ck_assert_int_eq(memstore_move_to(store, "there", 5, "there", 5, &options, NULL), 0);
    harness_expect(store, "there", "1");
}
END_TEST

START_TEST(condition_is_of_the_target_in_its_bucket)
{
    struct memstore_condition condition = absent();
    struct memstore_pair_options options = {
        .size = sizeof(options), .bucket = "other", .condition = &condition};
    struct memstore_object *object = NULL;
    uint64_t version;

    ck_assert_int_eq(memstore_bucket_create(store, "other", NULL), 0);
    harness_put(store, "source", "5");
    harness_put(store, "target", "1");
    ck_assert_int_eq(memstore_copy_to(store, "source", 6, "target", 6, &options, &object), 0);
    version = memstore_object_version(object);
    memstore_object_free(object);
    ck_assert_int_eq(memstore_copy_to(store, "source", 6, "target", 6, &options, NULL), -EEXIST);
    ck_assert_uint_eq(memstore_conflict_version(), version);
    ck_assert_int_eq(memstore_move_to(store, "source", 6, "target", 6, &options, NULL), -EEXIST);
    condition = of_version(version_of("target"));
    ck_assert_int_eq(memstore_move_to(store, "source", 6, "target", 6, &options, NULL), -ESTALE);
    ck_assert_uint_eq(memstore_conflict_version(), version);
    harness_expect(store, "source", "5");
    harness_expect(store, "target", "1");
    condition = of_version(version);
    ck_assert_int_eq(memstore_move_to(store, "source", 6, "target", 6, &options, NULL), 0);
    ck_assert_int_eq(memstore_exists(store, "source", 6), 0);
}
END_TEST

/* What does not hold is told, and not that there is no room either. */
START_TEST(conditions_come_before_limits)
{
    const size_t sizes[] = {200, 20 * KIB, 3 * MIB};
    struct memstore_condition condition = absent();

    memstore_close(store);
    harness_stop(server);
    server = harness_start("--max-size", "100");
    store = harness_open(server);
    harness_put(store, "target", "1");
    for (int i = 0; i < 3; i++) {
        value_size = sizes[i];
        ck_assert_int_eq(put("target", NULL), -EDQUOT);
        ck_assert_int_eq(put("target", &condition), -EEXIST);
        ck_assert_int_eq(put_in_atomic_batch("target", &condition), -EEXIST);
    }
    ck_assert_uint_eq(harness_stats(store).refused, 3);
}
END_TEST

/* Nor is memory taken for it. */
START_TEST(conditions_come_before_memory)
{
    struct memstore_condition condition = absent();

    memstore_close(store);
    harness_stop(server);
    server = harness_start("--max-size", "none", "--max-memory", "4M");
    store = harness_open(server);
    harness_put(store, "target", "1");
    value_size = sizeof(value);
    ck_assert_int_eq(put("target", NULL), -ENOSPC);
    ck_assert_int_eq(put("target", &condition), -EEXIST);
    ck_assert_int_eq(put_by_writer("target", &condition), -EEXIST);
    ck_assert_uint_eq(harness_stats(store).refused, 1);
    ck_assert_int_eq(delete_key("target", &condition), -EEXIST);
    condition = present();
    ck_assert_int_eq(delete_key("target", &condition), 0);
}
END_TEST

/* A writer that states what it read, and a change between that and its commit. */
START_TEST(writer_comes_too_late)
{
    const size_t sizes[] = {10, 20 * KIB, 3 * MIB};
    struct memstore_condition condition;
    struct memstore_put_options options = {.size = sizeof(options), .condition = &condition};
    struct memstore_writer *writer = NULL;

    harness_put(store, "k", "1");
    condition = of_version(version_of("k"));
    ck_assert_int_eq(memstore_writer_open(store, "k", 1, &options, &writer), 0);
    memset(&condition, 0xff, sizeof(condition)); /* it was copied */
    ck_assert_int_eq(memstore_writer_write(writer, value, sizes[_i]), 0);
    harness_put(store, "k", "2");
    ck_assert_int_eq(memstore_writer_commit(writer, NULL), -ESTALE);
    ck_assert_uint_eq(memstore_conflict_version(), version_of("k"));
    harness_expect(store, "k", "2");
}
END_TEST

static int put_mark(struct memstore *handle)
{
    struct memstore_condition condition = absent();
    struct memstore_put_options options = {
        .size = sizeof(options), .ephemeral = 1, .condition = &condition};

    return memstore_put(handle, "mark", 4, "here", 4, &options, NULL);
}

static bool is_gone(void *key)
{
    return memstore_exists(store, key, strlen(key)) == 0;
}

START_TEST(mark_is_of_the_first_until_its_end)
{
    static char key[] = "mark";
    struct memstore *first = harness_open(server);

    ck_assert_int_eq(put_mark(first), 0);
    ck_assert_int_eq(put_mark(store), -EEXIST);
    ck_assert_int_eq(put_mark(first), -EEXIST);
    memstore_close(first);
    harness_await(is_gone, key, "the mark to go");
    ck_assert_int_eq(put_mark(store), 0);
}
END_TEST

/* ---- batches ---- */

static void append(struct memstore_batch *batch, const char *key, const char *text,
                   const struct memstore_condition *condition)
{
    struct memstore_put_options options = {.size = sizeof(options), .condition = condition};

    ck_assert_int_eq(memstore_batch_put(batch, key, strlen(key), text, strlen(text), &options), 0);
}

static struct memstore_batch *make_batch(int atomic)
{
    struct memstore_batch_options options = {.size = sizeof(options), .atomic = atomic};
    struct memstore_batch *batch = NULL;

    ck_assert_int_eq(memstore_batch_create(store, &options, &batch), 0);
    return batch;
}

START_TEST(plain_batch_goes_on)
{
    struct memstore_condition none = absent(), old;
    struct memstore_batch *batch = make_batch(0);

    harness_put(store, "a", "1");
    old = of_version(version_of("a"));
    append(batch, "a", "2", &none);
    append(batch, "b", "2", &none);
    append(batch, "b", "3", &none); /* it sees the one before */
    append(batch, "a", "3", &old);
    append(batch, "a", "4", &old);
    ck_assert_int_eq(memstore_batch_get(batch, "a", 1), 0);
    ck_assert_int_eq(memstore_batch_run(batch), 0);
    ck_assert_uint_eq(memstore_batch_failed(batch), 0);
    ck_assert_int_eq(memstore_batch_status(batch, 4), -ESTALE);
    ck_assert_uint_eq(memstore_conflict_version(),
                      memstore_object_version(memstore_batch_object(batch, 3)));
    ck_assert_int_eq(memstore_batch_status(batch, 0), -EEXIST);
    ck_assert_uint_eq(memstore_conflict_version(), old.version);
    ck_assert_msg(strstr(memstore_message(), "\"a\""), "%s", memstore_message());
    ck_assert_int_eq(memstore_batch_status(batch, 1), 0);
    ck_assert_int_eq(memstore_batch_status(batch, 2), -EEXIST);
    ck_assert_uint_eq(memstore_conflict_version(), version_of("b"));
    ck_assert_int_eq(memstore_batch_status(batch, 3), 0);
    ck_assert_int_eq(memstore_batch_status(batch, 5), 0);
    harness_expect(store, "a", "3");
    harness_expect(store, "b", "2");
    memstore_batch_destroy(batch);
}
END_TEST

START_TEST(atomic_batch_is_undone_whole)
{
    struct memstore_condition none = absent(), old;
    struct memstore_batch *batch = make_batch(1);
    struct memstore_stats before, after;

    harness_put(store, "a", "1");
    harness_put(store, "c", "1");
    old = of_version(version_of("a"));
    harness_put(store, "a", "2");
    append(batch, "b", "2", NULL);
    ck_assert_int_eq(memstore_batch_delete(batch, "c", 1), 0);
    append(batch, "a", "3", &old);
    append(batch, "d", "2", NULL);
    before = harness_stats(store);
    ck_assert_int_eq(memstore_batch_run(batch), -ESTALE);
    ck_assert_uint_eq(memstore_conflict_version(), version_of("a"));
    ck_assert_msg(strstr(memstore_message(), "\"a\""), "%s", memstore_message());
    ck_assert_uint_eq(memstore_batch_failed(batch), 2);
    ck_assert_int_eq(memstore_batch_status(batch, 0), -ECANCELED);
    ck_assert_int_eq(memstore_batch_status(batch, 2), -ESTALE);
    ck_assert_uint_eq(memstore_conflict_version(), version_of("a"));
    after = harness_stats(store);
    ck_assert_uint_eq(after.version, before.version);
    ck_assert_uint_eq(after.objects, before.objects);
    harness_expect(store, "a", "2");
    harness_expect(store, "c", "1");

    /* It sees what the batch has done before. */
    memstore_batch_clear(batch);
    append(batch, "e", "1", &none);
    append(batch, "e", "2", &none);
    ck_assert_int_eq(memstore_batch_run(batch), -EEXIST);
    ck_assert_uint_eq(memstore_batch_failed(batch), 1);
    ck_assert_int_eq(memstore_exists(store, "e", 1), 0);
    memstore_batch_clear(batch);
    ck_assert_int_eq(memstore_batch_delete(batch, "a", 1), 0);
    append(batch, "a", "5", &none);
    ck_assert_int_eq(memstore_batch_run(batch), 0);
    harness_expect(store, "a", "5");
    memstore_batch_destroy(batch);
}
END_TEST

/* ---- reads ---- */

static int get_newer(const char *key, uint64_t version)
{
    struct memstore_object *object = NULL;
    int r = memstore_get_newer(store, key, strlen(key), version, &object);

    if (r == 0)
        ck_assert_uint_eq(memstore_object_version(object), version_of(key));
    memstore_object_free(object);
    return r;
}

static int view_newer(const char *key, uint64_t version)
{
    struct memstore_view *view = NULL;
    int r = memstore_view_newer(store, key, strlen(key), version, &view);

    if (r == 0)
        ck_assert_uint_eq(memstore_object_version(memstore_view_object(view)), version_of(key));
    memstore_view_release(view);
    return r;
}

START_TEST(reader_that_has_it_gets_nothing)
{
    const size_t sizes[] = {0, 3, 2048, 20 * KIB, 3 * MIB};
    int (*const reads[])(const char *, uint64_t) = {get_newer, view_newer};

    for (int i = 0; i < 10; i++) {
        int (*read)(const char *, uint64_t) = reads[i % 2];
        uint64_t version;

        harness_put_filled(store, "k", sizes[i / 2], 1);
        version = version_of("k");
        ck_assert_int_eq(read("k", 0), 0);
        ck_assert_int_eq(read("k", version), -EALREADY);
        ck_assert_uint_eq(memstore_conflict_version(), version);
        ck_assert_msg(strstr(memstore_message(), "\"k\""), "%s", memstore_message());
        ck_assert_int_eq(read("k", version - 1), 0);
        ck_assert_int_eq(read("k", version + 1), 0);
        harness_put_filled(store, "k", sizes[i / 2], 1);
        ck_assert_int_eq(read("k", version), 0);
        ck_assert_int_eq(read("none", version), -ENOENT);
    }
}
END_TEST

/* Who reads directly asks nobody. */
START_TEST(reader_that_has_it_costs_the_daemon_nothing)
{
    struct memstore_stats before, after;
    uint64_t version;

    harness_put_filled(store, "k", 3 * MIB, 1);
    version = version_of("k");
    before = harness_stats(store);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(get_newer("k", version), -EALREADY);
        ck_assert_int_eq(view_newer("k", version), -EALREADY);
    }
    after = harness_stats(store);
    ck_assert_uint_eq(after.views, 0);
    ck_assert_uint_eq(after.direct_reads + after.socket_reads,
                      before.direct_reads + before.socket_reads + 100);
    if (before.direct_reads > 0) {
        ck_assert_uint_eq(after.socket_reads, before.socket_reads);
        ck_assert_uint_le(after.requests, before.requests + 3); /* the stats, maybe a ring */
    }
}
END_TEST

/* So it is not what goes when its bucket needs room. */
START_TEST(reader_that_has_it_uses_it)
{
    const struct memstore_bucket_options limits = {.size = sizeof(limits),
                                                   .has_max_objects = 1,
                                                   .max_objects = 3,
                                                   .has_policy = 1,
                                                   .policy = MEMSTORE_POLICY_LRU};
    struct memstore *reader;
    struct memstore_object *object = NULL;
    uint64_t version;
    char key[8];

    ck_assert_int_eq(memstore_bucket_set(store, "default", &limits), 0);
    reader = harness_open_reads(server, MEMSTORE_READS_SOCKET);
    harness_put(store, "kept", "1");
    version = version_of("kept");
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(memstore_get_newer(reader, "kept", 4, version, &object), -EALREADY);
        snprintf(key, sizeof(key), "%d", i);
        harness_put(store, key, "1");
    }
    ck_assert_int_eq(memstore_get_newer(reader, "kept", 4, version, &object), -EALREADY);
    ck_assert_uint_eq(harness_stats(store).objects, 3);
    memstore_close(reader);
}
END_TEST

/* ---- who waits ---- */

/* Of all that was tried, only what was done is an event. */
START_TEST(what_does_not_hold_is_no_event)
{
    const struct memstore_event *event = NULL;
    struct memstore_watch *watch = NULL;
    struct memstore_condition none = absent(), old;
    uint64_t version;

    harness_put(store, "target", "1");
    harness_put(store, "source", "5");
    old = of_version(version_of("source"));
    ck_assert_int_eq(memstore_watch(store, "", 0, old.version, &watch), 0);
    for (int i = 0; i < CHANGES; i++) {
        value_size = changes[i].size;
        ck_assert_int_lt(changes[i].make("target", &none), 0);
        ck_assert_int_lt(changes[i].make("target", &old), 0);
    }
    ck_assert_int_eq(add("target", NULL), 0);
    version = version_of("target");
    ck_assert_int_eq(memstore_watch_next(watch, 10000, &event), 0);
    ck_assert_int_eq((int)event->kind, MEMSTORE_EVENT_PUT);
    ck_assert_uint_eq(event->version, version);
    ck_assert_uint_eq(version, old.version + 1);
    ck_assert_mem_eq(event->key, "target", 6);
    ck_assert_int_eq(memstore_watch_next(watch, 0, &event), -ETIMEDOUT);
    memstore_watch_close(watch);
}
END_TEST

/* ---- threads and processes ---- */

static void *fail_elsewhere(void *argument)
{
    struct memstore_condition condition = absent();

    ck_assert_uint_eq(memstore_conflict_version(), 0);
    ck_assert_int_eq(put(argument, &condition), -EEXIST);
    ck_assert_uint_eq(memstore_conflict_version(), version_of(argument));
    return NULL;
}

START_TEST(each_thread_has_its_own_conflict)
{
    static char other[] = "other";
    struct memstore_condition condition = absent();
    uint64_t version;
    pthread_t thread;

    harness_put(store, "k", "1");
    harness_put(store, other, "1");
    ck_assert_int_eq(put("k", &condition), -EEXIST);
    version = version_of("k");
    ck_assert_uint_eq(memstore_conflict_version(), version);
    ck_assert_int_eq(pthread_create(&thread, NULL, fail_elsewhere, other), 0);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(memstore_conflict_version(), version);
}
END_TEST

#define RACERS 4
#define RACES 200
#define STEPS 500

/* Each key has one winner: the one whose number it is. */
static int race_for_keys(int index, void *argument)
{
    struct memstore *own = harness_open(server);
    struct memstore_condition condition = absent();
    struct memstore_put_options options = {.size = sizeof(options), .condition = &condition};
    int *wins = argument;

    for (int i = 0; i < RACES; i++) {
        char key[16];
        int r;

        snprintf(key, sizeof(key), "race-%d", i);
        r = memstore_put(own, key, strlen(key), &index, sizeof(index), &options, NULL);
        if (r == 0)
            __atomic_fetch_add(&wins[i], 1, __ATOMIC_SEQ_CST);
        else if (r != -EEXIST)
            return 1;
    }
    memstore_close(own);
    return 0;
}

/* A counter that everybody reads, and puts back only if nobody was faster. */
static int count_up(int index, void *argument)
{
    struct memstore *own = harness_open(server);
    struct memstore_condition condition;
    struct memstore_put_options options = {.size = sizeof(options), .condition = &condition};

    (void)index;
    (void)argument;
    for (int i = 0; i < STEPS;) {
        struct memstore_object *object = NULL;
        uint64_t count;
        int r;

        if (memstore_get(own, "count", 5, 0, MEMSTORE_TO_END, &object) < 0)
            return 1;
        memcpy(&count, memstore_object_value(object, NULL), sizeof(count));
        count++;
        condition = of_version(memstore_object_version(object));
        memstore_object_free(object);
        r = memstore_put(own, "count", 5, &count, sizeof(count), &options, NULL);
        if (r < 0 && r != -ESTALE)
            return 1;
        if (r == -ESTALE && memstore_conflict_version() <= condition.version)
            return 1;
        i += r == 0;
    }
    memstore_close(own);
    return 0;
}

START_TEST(one_of_many_wins)
{
    int *wins =
        mmap(NULL, RACES * sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    harness_processes(RACERS, race_for_keys, wins);
    for (int i = 0; i < RACES; i++)
        ck_assert_int_eq(wins[i], 1);
    munmap(wins, RACES * sizeof(int));
}
END_TEST

START_TEST(no_update_is_lost)
{
    const uint64_t nothing = 0;
    struct memstore_object *object = NULL;
    uint64_t count;

    ck_assert_int_eq(memstore_put(store, "count", 5, &nothing, sizeof(nothing), NULL, NULL), 0);
    harness_processes(RACERS, count_up, NULL);
    ck_assert_int_eq(memstore_get(store, "count", 5, 0, MEMSTORE_TO_END, &object), 0);
    memcpy(&count, memstore_object_value(object, NULL), sizeof(count));
    ck_assert_uint_eq(count, RACERS * STEPS);
    memstore_object_free(object);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("condition");
    TCase *tests = tcase_create("condition");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(s, tests);
    tcase_add_loop_test(tests, what_does_not_hold_changes_nothing, 0, CHANGES);
    tcase_add_loop_test(tests, what_holds_is_done, 0, CHANGES);
    tcase_add_loop_test(tests, changes_without_a_condition_are_as_ever, 0, CHANGES);
    tcase_add_loop_test(tests, conditions_that_are_none_are_refused, 0, CHANGES);
    tcase_add_test(tests, options_without_a_condition_are_taken);
    tcase_add_test(tests, source_that_is_missing_is_told_first);
    tcase_add_test(tests, condition_is_of_the_target_in_its_bucket);
    tcase_add_test(tests, conditions_come_before_limits);
    tcase_add_test(tests, conditions_come_before_memory);
    tcase_add_loop_test(tests, writer_comes_too_late, 0, 3);
    tcase_add_test(tests, mark_is_of_the_first_until_its_end);
    tcase_add_test(tests, plain_batch_goes_on);
    tcase_add_test(tests, atomic_batch_is_undone_whole);
    tcase_add_test(tests, reader_that_has_it_gets_nothing);
    tcase_add_test(tests, reader_that_has_it_costs_the_daemon_nothing);
    tcase_add_test(tests, reader_that_has_it_uses_it);
    tcase_add_test(tests, what_does_not_hold_is_no_event);
    tcase_add_test(tests, each_thread_has_its_own_conflict);
    tcase_add_test(tests, one_of_many_wins);
    tcase_add_test(tests, no_update_is_lost);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
