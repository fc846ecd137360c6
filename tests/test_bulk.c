/* Bytes that travel through shared memory: values and lists of every size, there and back. */
#include "common/protocol.h"
#include "tests/harness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIB ((size_t)1024)
#define MIB (KIB * KIB)

static struct harness_daemon *server;
static struct memstore *store;

static void setup(void)
{
    harness_setup();
    server = harness_start("--max-size", "1G", "--max-memory", "2G");
    store = harness_open(server);
}

/* A handle whose buffer has not grown yet. */
static void open_anew(void)
{
    memstore_close(store);
    store = harness_open(server);
}

static void teardown(void)
{
    memstore_close(store);
    harness_teardown();
}

static const size_t sizes[] = {0,
                               1,
                               INLINE_MAX - 1,
                               INLINE_MAX,
                               INLINE_MAX + 1,
                               64 * KIB - 200, /* what a frame could just hold */
                               64 * KIB - 1,
                               64 * KIB,
                               64 * KIB + 1,
                               MIB,
                               MIB + 1,
                               5 * MIB + 123};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static char *make(size_t size, uint64_t seed)
{
    char *bytes = malloc(size + 1);

    ck_assert_ptr_nonnull(bytes);
    harness_fill(bytes, size, seed);
    return bytes;
}

static void put(const char *key, const char *bytes, size_t size)
{
    struct memstore_object *object = NULL;
    int r = memstore_put(store, key, strlen(key), bytes, size, NULL, &object);

    ck_assert_msg(r == 0, "put of %zu bytes: %s", size, memstore_message());
    ck_assert_uint_eq(memstore_object_size(object), size);
    memstore_object_free(object);
}

/* Gets a range of the object, which has the size and bytes given, and compares. */
static void expect_range(const char *key, const char *bytes, size_t size, uint64_t offset,
                         uint64_t length)
{
    struct memstore_object *object = NULL;
    size_t expected = length < size - offset ? length : size - offset;
    size_t got;
    const char *value;
    int r = memstore_get(store, key, strlen(key), offset, length, &object);

    ck_assert_msg(r == 0, "get %zu+%zu of %zu: %s", (size_t)offset, (size_t)length, size,
                  memstore_message());
    value = memstore_object_value(object, &got);
    ck_assert_uint_eq(got, expected);
    ck_assert_uint_eq(memstore_object_size(object), size);
    ck_assert_msg(memcmp(value, bytes + offset, expected) == 0, "range %zu+%zu of %zu differs",
                  (size_t)offset, (size_t)length, size);
    ck_assert_int_eq(value[got], 0);
    memstore_object_free(object);
}

static void expect(const char *key, const char *bytes, size_t size)
{
    expect_range(key, bytes, size, 0, MEMSTORE_TO_END);
}

START_TEST(value_comes_back)
{
    size_t size = sizes[_i];
    char *bytes = make(size, size);

    put("k", bytes, size);
    for (int i = 0; i < 3; i++)
        expect("k", bytes, size);
    free(bytes);
}
END_TEST

START_TEST(ranges_come_back)
{
    size_t size = sizes[_i];
    char *bytes = make(size, size);

    put("k", bytes, size);
    for (size_t i = 0; i < SIZES; i++) {
        size_t cut = sizes[i];

        if (cut > size)
            break;
        expect_range("k", bytes, size, cut, MEMSTORE_TO_END);
        expect_range("k", bytes, size, 0, cut);
        expect_range("k", bytes, size, cut, 1);
        expect_range("k", bytes, size, cut, size);
        expect_range("k", bytes, size, size - cut, cut);
        expect_range("k", bytes, size, cut / 2, cut);
    }
    free(bytes);
}
END_TEST

/* The buffer is used again and again: nothing of an earlier value may shine through. */
START_TEST(sizes_follow_each_other_in_any_order)
{
    uint64_t random = 11;

    for (int i = 0; i < 200; i++) {
        size_t size;
        char *bytes;

        harness_fill(&random, sizeof(random), random);
        size = sizes[random % SIZES];
        bytes = make(size, random);
        put("k", bytes, size);
        expect("k", bytes, size);
        free(bytes);
    }
}
END_TEST

START_TEST(large_attributes_travel_with_every_size)
{
    size_t size = sizes[_i];
    char *bytes = make(size, size);
    char *text = malloc(MEMSTORE_METADATA_MAX - 4);
    char type[MEMSTORE_CONTENT_TYPE_MAX + 1];
    struct memstore_metadata pair = {"n", text};
    struct memstore_put_options options = {
        .size = sizeof(options), .content_type = type, .metadata = &pair, .metadata_count = 1};
    struct memstore_object *object = NULL;

    memset(text, 'm', MEMSTORE_METADATA_MAX - 5);
    text[MEMSTORE_METADATA_MAX - 5] = '\0';
    memset(type, 't', MEMSTORE_CONTENT_TYPE_MAX);
    type[MEMSTORE_CONTENT_TYPE_MAX] = '\0';
    ck_assert_msg(memstore_put(store, "k", 1, bytes, size, &options, &object) == 0, "%s",
                  memstore_message());
    memstore_object_free(object);
    expect("k", bytes, size);
    ck_assert_int_eq(memstore_get(store, "k", 1, 0, MEMSTORE_TO_END, &object), 0);
    ck_assert_str_eq(memstore_object_metadata(object, "n"), text);
    ck_assert_str_eq(memstore_object_content_type(object), type);
    memstore_object_free(object);
    free(bytes);
    free(text);
}
END_TEST

START_TEST(very_large_value_comes_back)
{
    size_t size = 300 * MIB;
    char *bytes = make(size, 300);

    put("k", bytes, size);
    expect("k", bytes, size);
    open_anew();
    expect("k", bytes, size);
    expect_range("k", bytes, size, 0, 100);
    expect_range("k", bytes, size, 123456789, 64 * KIB + 1);
    expect_range("k", bytes, size, size - 1, MEMSTORE_TO_END);
    expect_range("k", bytes, size, 10 * MIB + 1, 200 * MIB);
    put("small", "v", 1);
    harness_expect(store, "small", "v");
    free(bytes);
}
END_TEST

START_TEST(value_over_the_maximum_is_refused)
{
    struct memstore_object *object = NULL;
    char byte = 0;

    put("k", "old", 3);
    /* Refused for its size alone: there are no such bytes. */
    ck_assert_int_eq(memstore_put(store, "k", 1, &byte, MEMSTORE_VALUE_MAX + 1, NULL, &object),
                     -EFBIG);
    ck_assert_int_eq(memstore_put(store, "k", 1, &byte, SIZE_MAX, NULL, &object), -EFBIG);
    ck_assert_ptr_null(object);
    harness_expect(store, "k", "old");
}
END_TEST

/* ---- lists ---- */

#define ENTRIES 4000
#define ENTRY_KEY 300

static void entry_key(char key[ENTRY_KEY + 1], int index)
{
    char digits[16];
    int length = snprintf(digits, sizeof(digits), "%06d", index);

    memset(key, 'k', ENTRY_KEY);
    memcpy(key + ENTRY_KEY - length, digits, (size_t)length + 1);
}

/* About 5 MiB of list. */
static void put_entries(void)
{
    char text[1001];
    struct memstore_metadata pair = {"name", text};
    struct memstore_put_options options = {.size = sizeof(options),
                                           .content_type = "text/plain",
                                           .metadata = &pair,
                                           .metadata_count = 1};

    for (int i = 0; i < ENTRIES; i++) {
        char key[ENTRY_KEY + 1];

        entry_key(key, i);
        memset(text, 'a' + i % 26, 1000);
        text[1000] = '\0';
        ck_assert_int_eq(memstore_put(store, key, ENTRY_KEY, &i, sizeof(i), &options, NULL), 0);
    }
}

static bool entry_is(const struct memstore_object *entry, int index)
{
    char key[ENTRY_KEY + 1];
    const char *text = memstore_object_metadata(entry, "name");

    entry_key(key, index);
    return strcmp(memstore_object_key(entry, NULL), key) == 0 && text && strlen(text) == 1000 &&
           text[0] == 'a' + index % 26 && text[999] == text[0] &&
           memstore_object_size(entry) == sizeof(index);
}

static void expect_entries(uint64_t limit, int count)
{
    struct memstore_list_options options = {
        .size = sizeof(options), .limit = limit, .has_limit = 1};
    struct memstore_list *list = NULL;

    ck_assert_msg(memstore_list(store, "", 0, &options, &list) == 0, "%s", memstore_message());
    ck_assert_uint_eq(memstore_list_count(list), (size_t)count);
    for (int i = 0; i < count; i++) {
        if (!entry_is(memstore_list_at(list, (size_t)i), i))
            ck_abort_msg("entry %d of %d is another one", i, count);
    }
    memstore_list_free(list);
}

START_TEST(long_lists_come_back)
{
    put_entries();
    expect_entries(MEMSTORE_TO_END, ENTRIES);
    expect_entries(1, 1);
    for (int limit = 30; limit < 70; limit += 3) /* around the size of a frame */
        expect_entries((uint64_t)limit, limit);
    expect_entries(ENTRIES - 1, ENTRIES - 1);
    expect_entries(MEMSTORE_TO_END, ENTRIES);
}
END_TEST

/* More than the room that the library offers at first, and again when the list has grown. */
START_TEST(lists_larger_than_the_buffer_come_back)
{
    char *text = malloc(30001);
    struct memstore_metadata pair = {"name", text};
    struct memstore_put_options options = {
        .size = sizeof(options), .metadata = &pair, .metadata_count = 1};

    memset(text, 'x', 30000);
    text[30000] = '\0';
    for (int count = 1; count <= 5000; count++) {
        struct memstore_list *list = NULL;
        char key[16];

        snprintf(key, sizeof(key), "%04d", count);
        ck_assert_int_eq(memstore_put(store, key, 4, key, 4, &options, NULL), 0);
        if (count % 2500 > 0)
            continue;
        ck_assert_msg(memstore_list(store, "", 0, NULL, &list) == 0, "%s", memstore_message());
        ck_assert_uint_eq(memstore_list_count(list), (size_t)count);
        ck_assert_str_eq(
            memstore_object_metadata(memstore_list_at(list, (size_t)count - 1), "name"), text);
        memstore_list_free(list);
    }
    free(text);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("bulk");
    TCase *values = tcase_create("values");
    TCase *lists = tcase_create("lists");

    tcase_add_checked_fixture(values, setup, teardown);
    tcase_add_checked_fixture(lists, setup, teardown);
    suite_add_tcase(s, values);
    suite_add_tcase(s, lists);
    tcase_add_loop_test(values, value_comes_back, 0, SIZES);
    tcase_add_loop_test(values, ranges_come_back, 0, SIZES);
    tcase_add_test(values, sizes_follow_each_other_in_any_order);
    tcase_add_loop_test(values, large_attributes_travel_with_every_size, 0, SIZES);
    tcase_add_test(values, very_large_value_comes_back);
    tcase_add_test(values, value_over_the_maximum_is_refused);
    tcase_add_test(lists, long_lists_come_back);
    tcase_add_test(lists, lists_larger_than_the_buffer_come_back);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
