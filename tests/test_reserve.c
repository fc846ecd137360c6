/* Values that are built in place, and what becomes of the memory that they were built in. */
#include "tests/harness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

static struct harness_daemon *server;
static struct memstore *store;

static void setup(void)
{
    harness_setup();
    server = harness_start("--max-size", "256M");
    store = harness_open(server);
}

static void teardown(void)
{
    memstore_close(store);
    harness_teardown();
}

static struct memstore_reservation *reserve(const char *key, size_t size, void **ret_place)
{
    struct memstore_reservation *reservation = NULL;
    int r = memstore_reserve(store, key, strlen(key), size, NULL, &reservation, ret_place);

    ck_assert_msg(r == 0, "reserve %s: %s", key, memstore_message());
    return reservation;
}

static void build(const char *key, size_t size, uint64_t seed)
{
    struct memstore_object *object = NULL;
    void *place = NULL;
    struct memstore_reservation *reservation = reserve(key, size, &place);
    int r;

    harness_fill(place, size, seed);
    r = memstore_commit(reservation, &object);
    ck_assert_msg(r == 0, "commit: %s", memstore_message());
    ck_assert_uint_eq(memstore_object_size(object), size);
    memstore_object_free(object);
}

static void expect_filled(const char *key, size_t size, uint64_t seed)
{
    struct memstore_object *object = NULL;
    size_t length;
    const void *value;

    ck_assert_int_eq(memstore_get(store, key, strlen(key), 0, MEMSTORE_TO_END, &object), 0);
    value = memstore_object_value(object, &length);
    ck_assert_uint_eq(length, size);
    ck_assert(harness_is_filled(value, size, seed));
    memstore_object_free(object);
}

START_TEST(values_of_any_size_are_built_in_place)
{
    static const size_t sizes[] = {
        0, 1, 2047, 2048, 8192, 8193, 1 << 16, 256 << 10, (256 << 10) + 1, MIB + 1, 70 * MIB};
    const size_t count = sizeof(sizes) / sizeof(sizes[0]);

    for (size_t i = 0; i < count; i++) {
        char key[32];

        snprintf(key, sizeof(key), "%zu", sizes[i]);
        build(key, sizes[i], i);
        expect_filled(key, sizes[i], i);
    }
}
END_TEST

START_TEST(same_bytes_have_the_etag_of_a_put)
{
    struct memstore_object *built = NULL, *put = NULL;
    uint8_t *bytes = malloc(MIB);

    build("built", MIB, 7);
    harness_fill(bytes, MIB, 7);
    ck_assert_int_eq(memstore_put(store, "put", 3, bytes, MIB, NULL, &put), 0);
    ck_assert_int_eq(memstore_info(store, "built", 5, &built), 0);
    ck_assert_str_eq(memstore_object_etag(built), memstore_object_etag(put));
    memstore_object_free(built);
    memstore_object_free(put);
    free(bytes);
}
END_TEST

START_TEST(nothing_is_seen_before_the_commit)
{
    void *place;
    struct memstore_reservation *reservation;

    harness_put(store, "k", "old");
    reservation = reserve("k", 3, &place);
    memcpy(place, "new", 3);
    harness_expect(store, "k", "old");
    memstore_cancel(reservation);
    harness_expect(store, "k", "old");
    reservation = reserve("k", 3, &place);
    memcpy(place, "new", 3);
    ck_assert_int_eq(memstore_commit(reservation, NULL), 0);
    harness_expect(store, "k", "new");
}
END_TEST

START_TEST(refused_commit_changes_nothing)
{
    struct memstore_stats before = harness_stats(store), after;
    struct memstore_reservation *reservation;
    void *place;

    reservation = reserve("k", 300 * MIB, &place);
    ck_assert_int_eq(memstore_commit(reservation, NULL), -EDQUOT);
    ck_assert_msg(strstr(memstore_message(), "would be exceeded"), "%s", memstore_message());
    after = harness_stats(store);
    ck_assert_uint_eq(after.used, before.used);
    ck_assert_int_eq(memstore_exists(store, "k", 1), 0);
    build("k", MIB, 1);
    expect_filled("k", MIB, 1);
}
END_TEST

START_TEST(wrong_arguments_are_refused)
{
    struct memstore_reservation *reservation = NULL;
    void *place = NULL;
    char key[MEMSTORE_KEY_MAX + 1] = {0};

    ck_assert_int_eq(memstore_reserve(store, key, sizeof(key), 1, NULL, &reservation, &place),
                     -ENAMETOOLONG);
    ck_assert_int_eq(
        memstore_reserve(store, "k", 1, MEMSTORE_VALUE_MAX + 1, NULL, &reservation, &place),
        -EFBIG);
    ck_assert_ptr_null(reservation);
    ck_assert_ptr_null(place);
    memstore_cancel(NULL);
}
END_TEST

START_TEST(several_at_once_do_not_meet)
{
    struct memstore_reservation *reservations[4];
    void *places[4];

    for (size_t i = 0; i < 4; i++)
        reservations[i] = reserve((const char[]){(char)('a' + i), 0}, MIB, &places[i]);
    for (size_t i = 0; i < 4; i++)
        harness_fill(places[i], MIB, i);
    build("between", MIB, 9);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(memstore_commit(reservations[i], NULL), 0);
    for (size_t i = 0; i < 4; i++)
        expect_filled((const char[]){(char)('a' + i), 0}, MIB, i);
    expect_filled("between", MIB, 9);
}
END_TEST

static int cancel_in_child(int index, void *argument)
{
    (void)index;
    memstore_cancel(argument);
    memstore_close(store);
    return 0;
}

START_TEST(a_child_cannot_end_its_parents)
{
    struct memstore_reservation *reservation;
    void *place;

    build("before", MIB, 3); /* there is a connection that is used again */
    reservation = reserve("k", MIB, &place);
    harness_fill(place, MIB, 4);
    harness_processes(1, cancel_in_child, reservation);
    ck_assert_int_eq(memstore_commit(reservation, NULL), 0);
    expect_filled("k", MIB, 4);
}
END_TEST

/* ---- memory ---- */

/* Bytes of memory that the bulk buffers of this process have. */
static uint64_t bulk_memory(void)
{
    uint64_t sum = 0;

    for (int fd = 3; fd < 256; fd++) {
        char path[32], target[64] = "";
        struct stat info;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (readlink(path, target, sizeof(target) - 1) > 0 && strstr(target, "memstore-bulk") &&
            fstat(fd, &info) == 0)
            sum += (uint64_t)info.st_blocks * 512;
    }
    return sum;
}

static bool is_given_back(void *argument)
{
    (void)argument;
    return bulk_memory() < 256 << 10;
}

static bool is_one_left(void *argument)
{
    (void)argument;
    return bulk_memory() < 40 * MIB;
}

START_TEST(memory_of_an_idle_client_is_given_back)
{
    uint8_t *bytes = malloc(8 * MIB);

    harness_fill(bytes, 8 * MIB, 5);
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(memstore_put(store, "k", 1, bytes, 8 * MIB, NULL, NULL), 0);
        build("built", 20 * MIB, 6);
    }
    ck_assert_uint_ge(bulk_memory(), MIB);
    harness_await(is_given_back, NULL, "bulk buffers keep their memory");
    build("built", 20 * MIB, 8);
    expect_filled("built", 20 * MIB, 8);
    expect_filled("k", 8 * MIB, 5);
    free(bytes);
}
END_TEST

START_TEST(memory_of_a_reservation_is_not_taken_away)
{
    struct memstore_reservation *reservation;
    void *place;

    build("k", 20 * MIB, 1);
    build("k", 20 * MIB, 1);
    build("k", 20 * MIB, 1);
    build("k", 20 * MIB, 1);
    build("k", 20 * MIB, 1);
    reservation = reserve("k", 20 * MIB, &place);
    harness_fill(place, 20 * MIB, 2);
    /* The memory of another client, used later, is given back: then this one's had its time. */
    {
        struct memstore *mine = store;

        store = harness_open(server);
        for (int i = 0; i < 8; i++)
            build("other", 20 * MIB, 3);
        ck_assert_uint_ge(bulk_memory(), 40 * MIB);
        harness_await(is_one_left, NULL, "the other's bulk buffer keeps its memory");
        memstore_close(store);
        store = mine;
    }
    ck_assert(harness_is_filled(place, 20 * MIB, 2));
    ck_assert_int_eq(memstore_commit(reservation, NULL), 0);
    expect_filled("k", 20 * MIB, 2);
}
END_TEST

START_TEST(memory_of_what_is_cancelled_is_given_back_at_once)
{
    void *place;
    struct memstore_reservation *reservation = reserve("k", 20 * MIB, &place);

    harness_fill(place, 20 * MIB, 2);
    ck_assert_uint_ge(bulk_memory(), 20 * MIB);
    memstore_cancel(reservation);
    ck_assert(is_given_back(NULL));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("reserve");
    TCase *values = tcase_create("values");
    TCase *memory = tcase_create("memory");

    suite_add_tcase(suite, values);
    suite_add_tcase(suite, memory);
    tcase_add_checked_fixture(values, setup, teardown);
    tcase_add_checked_fixture(memory, setup, teardown);
    tcase_set_timeout(values, 60);
    tcase_set_timeout(memory, 60);
    tcase_add_test(values, values_of_any_size_are_built_in_place);
    tcase_add_test(values, same_bytes_have_the_etag_of_a_put);
    tcase_add_test(values, nothing_is_seen_before_the_commit);
    tcase_add_test(values, refused_commit_changes_nothing);
    tcase_add_test(values, wrong_arguments_are_refused);
    tcase_add_test(values, several_at_once_do_not_meet);
    tcase_add_test(values, a_child_cannot_end_its_parents);
    tcase_add_test(memory, memory_of_what_is_cancelled_is_given_back_at_once);
    if (!harness_calls_by_socket()) {
        tcase_add_test(memory, memory_of_an_idle_client_is_given_back);
        tcase_add_test(memory, memory_of_a_reservation_is_not_taken_away);
    }
    return suite;
}

int main(void)
{
    return harness_main(make_suite());
}
