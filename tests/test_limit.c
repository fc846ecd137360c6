/* The limit of all value bytes (max size), through the library against a real daemon. */
#include "tests/harness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct harness_daemon *server;
static struct memstore *store;
static char *bytes; /* a MiB of them */

#define KIB ((size_t)1024)
#define MIB (KIB * KIB)

static void setup(void)
{
    harness_setup();
    bytes = malloc(2 * MIB);
    harness_fill(bytes, 2 * MIB, 3);
}

static void teardown(void)
{
    memstore_close(store);
    free(bytes);
    harness_teardown();
}

static void start(const char *max_size)
{
    server = harness_start("--max-size", max_size);
    store = harness_open(server);
}

static int put(const char *key, size_t size)
{
    return memstore_put(store, key, strlen(key), bytes, size, NULL, NULL);
}

static uint64_t used(void)
{
    struct memstore_stats stats;

    ck_assert_int_eq(memstore_stats(store, &stats, sizeof(stats)), 0);
    return stats.used;
}

static int copy(const char *source, const char *target)
{
    return memstore_copy(store, source, strlen(source), target, strlen(target), NULL);
}

static int move(const char *source, const char *target)
{
    return memstore_move(store, source, strlen(source), target, strlen(target), NULL);
}

START_TEST(exactly_at_the_limit_fits)
{
    start("100");
    ck_assert_int_eq(put("a", 100), 0);
    ck_assert_int_eq(put("b", 1), -EDQUOT);
    ck_assert_int_eq(put("c", 0), 0);
    ck_assert_uint_eq(used(), 100);
    ck_assert_int_eq(memstore_exists(store, "b", 1), 0);
    ck_assert_int_eq(memstore_exists(store, "c", 1), 1);
}
END_TEST

START_TEST(one_byte_over_the_limit_does_not_fit)
{
    start("100");
    ck_assert_int_eq(put("a", 101), -EDQUOT);
    ck_assert_uint_eq(used(), 0);
    ck_assert_int_eq(put("a", 100), 0);
    ck_assert_int_eq(put("a", 101), -EDQUOT);
    ck_assert_uint_eq(used(), 100);
}
END_TEST

START_TEST(large_values_count_the_same)
{
    start("1M");
    ck_assert_int_eq(put("1", 256 * KIB), 0);
    ck_assert_int_eq(put("2", 256 * KIB), 0);
    ck_assert_int_eq(put("3", 256 * KIB), 0);
    ck_assert_int_eq(put("4", 256 * KIB), 0);
    ck_assert_int_eq(put("5", 256 * KIB), -EDQUOT);
    ck_assert_msg(strstr(memstore_message(), "Max size 1048576 would be exceeded"), "%s",
                  memstore_message());
    ck_assert_int_eq(memstore_delete(store, "2", 1), 0);
    ck_assert_int_eq(put("5", 256 * KIB), 0);
    ck_assert_uint_eq(used(), MIB);
    ck_assert_int_eq(put("6", 1), -EDQUOT);
}
END_TEST

/* As the first thing that is asked, too, with all that has to be agreed on before. */
START_TEST(what_is_far_too_large_is_refused_at_once)
{
    start("1M");
    ck_assert_int_eq(put("a", 2 * MIB), -EDQUOT);
    ck_assert_int_eq(put("a", 2 * MIB), -EDQUOT);
    ck_assert_int_eq(put("a", MIB), 0);
    ck_assert_int_eq(put("b", 2 * MIB), -EDQUOT);
    ck_assert_uint_eq(used(), MIB);
}
END_TEST

START_TEST(overwrite_counts_the_difference)
{
    start("100");
    ck_assert_int_eq(put("a", 60), 0);
    ck_assert_int_eq(put("a", 50), 0);
    ck_assert_uint_eq(used(), 50);
    ck_assert_int_eq(put("a", 60), 0);
    ck_assert_int_eq(put("a", 40), 0);
    ck_assert_int_eq(put("b", 60), 0);
    ck_assert_int_eq(put("c", 1), -EDQUOT);
    ck_assert_uint_eq(used(), 100);
}
END_TEST

START_TEST(overwrite_at_the_limit_fits)
{
    start("100");
    ck_assert_int_eq(put("a", 100), 0);
    harness_fill(bytes, 100, 99);
    ck_assert_int_eq(put("a", 100), 0);
    ck_assert_int_eq(put("a", 1), 0);
    ck_assert_uint_eq(used(), 1);
}
END_TEST

START_TEST(keys_and_metadata_are_free)
{
    char key[400];
    char value[1025];
    struct memstore_metadata pair = {"name", value};
    struct memstore_put_options options = {.size = sizeof(options),
                                           .content_type = "text/plain",
                                           .metadata = &pair,
                                           .metadata_count = 1};

    memset(key, 'k', sizeof(key));
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    start("10");
    ck_assert_int_eq(memstore_put(store, key, sizeof(key), bytes, 10, &options, NULL), 0);
    ck_assert_uint_eq(used(), 10);
}
END_TEST

START_TEST(limit_zero_takes_empty_values_only)
{
    start("0");
    ck_assert_int_eq(put("a", 1), -EDQUOT);
    ck_assert_int_eq(put("a", 0), 0);
    ck_assert_int_eq(copy("a", "b"), 0);
    ck_assert_int_eq(move("a", "c"), 0);
    ck_assert_uint_eq(used(), 0);
    harness_expect(store, "b", "");
    harness_expect(store, "c", "");
}
END_TEST

START_TEST(copy_counts)
{
    start("100");
    ck_assert_int_eq(put("a", 60), 0);
    ck_assert_int_eq(copy("a", "b"), -EDQUOT);
    ck_assert_msg(strstr(memstore_message(), "Max size 100 would be exceeded"), "%s",
                  memstore_message());
    ck_assert_int_eq(memstore_exists(store, "b", 1), 0);
    ck_assert_uint_eq(used(), 60);
    ck_assert_int_eq(copy("a", "a"), 0);
    ck_assert_int_eq(put("b", 40), 0);
    ck_assert_int_eq(copy("b", "a"), 0); /* 40 instead of 60 */
    ck_assert_uint_eq(used(), 80);
    ck_assert_int_eq(put("c", 20), 0);
    ck_assert_int_eq(copy("a", "c"), -EDQUOT); /* 40 instead of 20 */
    ck_assert_int_eq(copy("c", "a"), 0);
    ck_assert_uint_eq(used(), 80);
}
END_TEST

START_TEST(copies_of_a_large_value_count_each)
{
    start("1M");
    ck_assert_int_eq(put("a", 300 * KIB), 0);
    ck_assert_int_eq(copy("a", "b"), 0);
    ck_assert_int_eq(copy("a", "c"), 0);
    ck_assert_uint_eq(used(), 900 * KIB);
    ck_assert_int_eq(copy("a", "d"), -EDQUOT);
    ck_assert_int_eq(memstore_delete(store, "a", 1), 0);
    ck_assert_uint_eq(used(), 600 * KIB);
    ck_assert_int_eq(copy("b", "d"), 0);
    ck_assert_int_eq(memstore_delete(store, "b", 1), 0);
    ck_assert_int_eq(memstore_delete(store, "c", 1), 0);
    ck_assert_int_eq(memstore_delete(store, "d", 1), 0);
    ck_assert_uint_eq(used(), 0);
    ck_assert_int_eq(put("e", MIB), 0);
}
END_TEST

START_TEST(move_at_the_limit_fits)
{
    start("100");
    ck_assert_int_eq(put("a", 60), 0);
    ck_assert_int_eq(put("b", 40), 0);
    ck_assert_int_eq(move("a", "c"), 0);
    ck_assert_uint_eq(used(), 100);
    ck_assert_int_eq(move("c", "c"), 0);
    ck_assert_uint_eq(used(), 100);
    ck_assert_int_eq(move("b", "c"), 0); /* what was under c is gone */
    ck_assert_uint_eq(used(), 40);
    ck_assert_int_eq(put("d", 60), 0);
}
END_TEST

static void expect_unchanged(const struct memstore_object *before)
{
    struct memstore_object *after;

    ck_assert_int_eq(memstore_get(store, "a", 1, 0, MEMSTORE_TO_END, &after), 0);
    ck_assert_str_eq(memstore_object_etag(after), memstore_object_etag(before));
    ck_assert_uint_eq(memstore_object_version(after), memstore_object_version(before));
    ck_assert_int_eq(memstore_object_modified(after), memstore_object_modified(before));
    ck_assert_str_eq(memstore_object_content_type(after), "old/type");
    ck_assert_uint_eq(memstore_object_size(after), 60);
    ck_assert_mem_eq(memstore_object_value(after, NULL), bytes, 60);
    ck_assert_uint_eq(used(), 60);
    memstore_object_free(after);
}

START_TEST(refused_put_changes_nothing)
{
    struct memstore_put_options options = {.size = sizeof(options), .content_type = "old/type"};
    struct memstore_object *before;
    struct memstore_object *refused = NULL;
    struct memstore_writer *writer;

    start("100");
    ck_assert_int_eq(memstore_put(store, "a", 1, bytes, 60, &options, &before), 0);
    options.content_type = "new/type";
    ck_assert_int_eq(memstore_put(store, "a", 1, bytes, 101, &options, &refused), -EDQUOT);
    ck_assert_msg(strstr(memstore_message(), "Max size 100 would be exceeded"), "%s",
                  memstore_message());
    expect_unchanged(before);
    ck_assert_int_eq(memstore_put(store, "a", 1, bytes, MIB, &options, &refused), -EDQUOT);
    expect_unchanged(before);
    ck_assert_int_eq(memstore_writer_open(store, "a", 1, NULL, &writer), 0);
    ck_assert_int_eq(memstore_writer_write(writer, bytes, 101), 0);
    ck_assert_int_eq(memstore_writer_commit(writer, &refused), -EDQUOT);
    expect_unchanged(before);
    ck_assert_ptr_null(refused);
    memstore_object_free(before);
}
END_TEST

START_TEST(delete_frees_at_once)
{
    start("1M");
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(put("a", MIB), 0);
        ck_assert_int_eq(put("b", 1), -EDQUOT);
        ck_assert_int_eq(memstore_delete(store, "a", 1), 0);
        ck_assert_uint_eq(used(), 0);
    }
}
END_TEST

/* Values of many sizes come and go at nine tenths of the limit: bytes used are not pages used, and
 * no put that the limit allows may fail for want of them. */
START_TEST(a_store_below_its_limit_is_never_full)
{
    static const size_t sizes[] = {100, 4000, 9000, 70000, 300000, 1500000};
    size_t held[40] = {0};
    size_t total = 0;
    uint64_t random = 5;
    size_t limit = 16 * MIB;

    start("16M");
    for (int i = 0; i < (harness_is_slow() ? 500 : 3000); i++) {
        size_t slot;
        size_t size;
        char key[16];

        harness_fill(&random, sizeof(random), random);
        slot = random % 40;
        size = sizes[(random >> 8) % 6] + (random >> 16) % 1000;
        if (total - held[slot] + size > limit)
            size = 0;
        snprintf(key, sizeof(key), "%zu", slot);
        ck_assert_msg(put(key, size) == 0, "put %d of %zu bytes: %s", i, size, memstore_message());
        total = total - held[slot] + size;
        held[slot] = size;
    }
    ck_assert_uint_eq(used(), total);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("limit");
    TCase *limit = tcase_create("limit");

    tcase_add_checked_fixture(limit, setup, teardown);
    suite_add_tcase(s, limit);
    tcase_add_test(limit, exactly_at_the_limit_fits);
    tcase_add_test(limit, one_byte_over_the_limit_does_not_fit);
    tcase_add_test(limit, large_values_count_the_same);
    tcase_add_test(limit, what_is_far_too_large_is_refused_at_once);
    tcase_add_test(limit, overwrite_counts_the_difference);
    tcase_add_test(limit, overwrite_at_the_limit_fits);
    tcase_add_test(limit, keys_and_metadata_are_free);
    tcase_add_test(limit, limit_zero_takes_empty_values_only);
    tcase_add_test(limit, copy_counts);
    tcase_add_test(limit, copies_of_a_large_value_count_each);
    tcase_add_test(limit, move_at_the_limit_fits);
    tcase_add_test(limit, refused_put_changes_nothing);
    tcase_add_test(limit, delete_frees_at_once);
    tcase_add_test(limit, a_store_below_its_limit_is_never_full);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
