/* Large blobs that are kept for the next values (spares.c). */
#include "daemon/store.h"
#include "protocol.h"
#include "tests/harness.h"

#include <stdio.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)

static struct store *store;
static const struct store_terms terms = {.ttl = TTL_NEVER};

static void open_store(void)
{
    const struct store_limits limits = {.max_size = STORE_NO_LIMIT, .max_memory = 64 * MIB};

    ck_assert_int_eq(store_open(harness_folder, &limits, &store), 0);
    store_defer_frees(store, 0);
}

static void setup(void)
{
    harness_setup();
    open_store();
}

static void teardown(void)
{
    store_close(store);
    harness_teardown();
}

static struct store_key key_of(const char *text)
{
    return (struct store_key){.bucket = 1, .data = text, .length = strlen(text)};
}

static struct store_status status_now(void)
{
    struct store_status status;

    store_status(store, &status);
    return status;
}

static void commit(void)
{
    ck_assert_int_eq(store_commit(store), 0);
}

static int collect(void)
{
    int r = store_collect(store, store_oldest_reader(store), NULL, 0);

    commit();
    return r;
}

/* Uploads a value that is one byte, again and again, and collects what it replaces. */
static void upload(const char *key, uint64_t size, uint8_t value)
{
    struct record attributes = {.type_length = NO_CONTENT_TYPE};
    struct store_key name = key_of(key);
    struct store_upload one = {0};
    struct record record;
    uint8_t *place;
    int r;

    while ((r = store_upload_begin(store, &name, size, NULL, &one)) == 1)
        continue;
    ck_assert_int_eq(r, 0);
    commit();
    ck_assert_int_eq(store_upload_place(store, &one, &place), 0);
    memset(place, value, size);
    ck_assert_int_eq(store_upload_finish(store, &one, &name, &attributes, &terms, &record), 0);
    commit();
    collect();
}

static void expect(const char *key, uint64_t size, uint8_t value)
{
    struct store_key name = key_of(key);
    const uint8_t *place;
    struct record record;
    uint64_t wrong = 0;

    ck_assert_int_eq(store_get(store, &name, &record, &place), 0);
    ck_assert_uint_eq(record.size, size);
    for (uint64_t i = 0; i < size; i++)
        wrong += place[i] != value;
    ck_assert_uint_eq(wrong, 0);
}

static void remove_key(const char *key)
{
    struct store_key name = key_of(key);

    ck_assert_int_eq(store_delete(store, &name, NULL), 0);
    commit();
}

START_TEST(large_values_take_the_place_of_those_before)
{
    const uint64_t size = 6 * MIB;
    struct store_key all = key_of("");
    struct store_scan *scan;
    uint64_t memory;

    upload("a", size, '1');
    upload("a", size, '2'); /* the first one is a spare now */
    /* Nothing that is free in LMDB's eyes can be used while this lasts. */
    ck_assert_int_eq(store_scan_open(store, &all, NULL, &scan), 0);
    memory = status_now().memory;
    upload("c", size - 1000, '3');
    ck_assert_uint_lt(status_now().memory, memory + size / 2);
    expect("a", size, '2');
    expect("c", size - 1000, '3');
    store_scan_close(scan);
}
END_TEST

START_TEST(much_smaller_values_leave_them_alone)
{
    upload("a", 6 * MIB, '1');
    upload("a", 6 * MIB, '2');
    upload("small", MIB, '3');
    ck_assert_int_eq(store_free_spares(store), 1);
    commit();
    expect("a", 6 * MIB, '2');
    expect("small", MIB, '3');
}
END_TEST

START_TEST(they_take_a_part_of_the_memory)
{
    char key[16];

    for (int i = 0; i < 10; i++) {
        snprintf(key, sizeof(key), "%d", i);
        upload(key, 2 * MIB, '1');
    }
    for (int i = 0; i < 10; i++) {
        snprintf(key, sizeof(key), "%d", i);
        remove_key(key);
    }
    ck_assert_uint_eq(store_garbage(store), 10);
    ck_assert_int_eq(collect(), 10);
    ck_assert_uint_eq(store_garbage(store), 0);
    ck_assert_int_eq(store_free_spares(store), 4); /* an eighth of 64 MiB */
    commit();
    ck_assert_int_eq(store_free_spares(store), 0);
    upload("again", 2 * MIB, '2');
    expect("again", 2 * MIB, '2');
}
END_TEST

START_TEST(they_outlive_the_daemon)
{
    upload("a", 2 * MIB, '1');
    upload("a", 2 * MIB, '2');
    store_close(store);
    open_store();
    upload("b", 2 * MIB, '3');
    ck_assert_int_eq(store_free_spares(store), 0); /* it has been taken */
    upload("b", 2 * MIB, '4');
    store_close(store);
    open_store();
    ck_assert_int_eq(store_free_spares(store), 1);
    commit();
    expect("a", 2 * MIB, '2');
    expect("b", 2 * MIB, '4');
}
END_TEST

START_TEST(what_is_dropped_leaves_them_as_they_were)
{
    struct store_key name = key_of("b");
    struct store_upload one = {0};

    upload("a", 2 * MIB, '1');
    upload("a", 2 * MIB, '2');
    ck_assert_int_eq(store_upload_begin(store, &name, 2 * MIB, NULL, &one), 0);
    store_close(store); /* before the commit */
    open_store();
    ck_assert_uint_eq(store_garbage(store), 0);
    ck_assert_int_eq(store_free_spares(store), 1);
    commit();
    expect("a", 2 * MIB, '2');
}
END_TEST

START_TEST(pinned_ones_are_not_taken)
{
    uint64_t blob = 1; /* the first that was made */

    upload("a", 2 * MIB, '1');
    upload("b", 2 * MIB, '2');
    remove_key("a");
    ck_assert_int_eq(store_collect(store, store_oldest_reader(store), &blob, 1), 0);
    ck_assert_uint_eq(store_garbage(store), 1);
    ck_assert_int_eq(store_free_spares(store), 0);
    ck_assert_int_eq(collect(), 1);
    ck_assert_int_eq(store_free_spares(store), 1);
    commit();
    expect("b", 2 * MIB, '2');
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("spares");
    TCase *tcase = tcase_create("spares");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, large_values_take_the_place_of_those_before);
    tcase_add_test(tcase, much_smaller_values_leave_them_alone);
    tcase_add_test(tcase, they_take_a_part_of_the_memory);
    tcase_add_test(tcase, they_outlive_the_daemon);
    tcase_add_test(tcase, what_is_dropped_leaves_them_as_they_were);
    tcase_add_test(tcase, pinned_ones_are_not_taken);
    return suite;
}

int main(void)
{
    return harness_main(make_suite());
}
