/* What each call does, through the library against a real daemon. */
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A literal with its length, which may have NULs in it. */
#define TEXT(literal) (literal), sizeof(literal) - 1

#define ETAG_EMPTY "99aa06d3014798d86001c324468d497f"       /* of "" */
#define ETAG_HELLO_WORLD "df8d09e93f874900a99b8775cc15b6c7" /* of "hello world" */
#define ETAG_ZERO_BYTE "a6cd5e9392000f6ac44bdff4074eecdb"   /* of one NUL */
#define ETAG_MILLION "920cb88ff73086570014632cbe8126c2"     /* of harness_fill(1000000, 1) */
#define MILLION 1000000

static struct harness_daemon *server;
static struct memstore *store;

static void setup(void)
{
    harness_setup();
    server = harness_start("--max-size", "64M");
    store = harness_open(server);
}

static void teardown(void)
{
    memstore_close(store);
    harness_teardown();
}

/* Stores bytes under a key; the new object's info. */
static struct memstore_object *put(const void *key, size_t key_length, const void *value,
                                   size_t size, const struct memstore_put_options *options)
{
    struct memstore_object *object = NULL;
    int r = memstore_put(store, key, key_length, value, size, options, &object);

    ck_assert_msg(r == 0, "put: %s", memstore_message());
    return object;
}

static struct memstore_object *get(const void *key, size_t key_length)
{
    struct memstore_object *object = NULL;
    int r = memstore_get(store, key, key_length, 0, MEMSTORE_TO_END, &object);

    ck_assert_msg(r == 0, "get: %s", memstore_message());
    return object;
}

static struct memstore_object *info(const char *key)
{
    struct memstore_object *object = NULL;
    int r = memstore_info(store, key, strlen(key), &object);

    ck_assert_msg(r == 0, "info %s: %s", key, memstore_message());
    return object;
}

static void expect_bytes(const void *key, size_t key_length, const void *value, size_t size)
{
    struct memstore_object *object = get(key, key_length);
    size_t got;
    const void *bytes = memstore_object_value(object, &got);

    ck_assert_uint_eq(got, size);
    ck_assert_uint_eq(memstore_object_size(object), size);
    ck_assert_mem_eq(bytes, value, size);
    memstore_object_free(object);
}

static void expect_missing(const char *key)
{
    struct memstore_object *object = NULL;

    ck_assert_int_eq(memstore_get(store, key, strlen(key), 0, MEMSTORE_TO_END, &object), -ENOENT);
    ck_assert_ptr_null(object);
}

static void put_attributes(const char *key, const char *value, const char *content_type,
                           const struct memstore_metadata *metadata, size_t count)
{
    struct memstore_put_options options = {.size = sizeof(options),
                                           .content_type = content_type,
                                           .metadata = metadata,
                                           .metadata_count = count};

    memstore_object_free(put(key, strlen(key), value, strlen(value), &options));
}

static struct memstore_stats stats(void)
{
    struct memstore_stats result;

    ck_assert_int_eq(memstore_stats(store, &result, sizeof(result)), 0);
    return result;
}

static int64_t clock_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- put, get, info ---- */

START_TEST(put_tells_what_it_stored)
{
    int64_t before = clock_now();
    struct memstore_object *object = put(TEXT("test.txt"), TEXT("hello world"), NULL);
    size_t length = 1;

    ck_assert_uint_eq(memstore_object_size(object), 11);
    ck_assert_ptr_null(memstore_object_content_type(object));
    ck_assert_str_eq(memstore_object_etag(object), ETAG_HELLO_WORLD);
    ck_assert_uint_eq(memstore_object_metadata_count(object), 0);
    ck_assert_ptr_null(memstore_object_metadata_at(object, 0));
    ck_assert_uint_gt(memstore_object_version(object), 0);
    ck_assert_int_eq(memstore_object_expires(object), 0);
    ck_assert_int_ge(memstore_object_modified(object), before);
    ck_assert_int_le(memstore_object_modified(object), clock_now());
    ck_assert_ptr_null(memstore_object_value(object, &length));
    ck_assert_uint_eq(length, 0);
    ck_assert_str_eq(memstore_object_key(object, &length), "test.txt");
    ck_assert_uint_eq(length, 8);
    memstore_object_free(object);
}
END_TEST

START_TEST(info_is_what_put_told)
{
    struct memstore_metadata pair = {"a", "1"};
    struct memstore_put_options options = {.size = sizeof(options),
                                           .content_type = "text/plain",
                                           .metadata = &pair,
                                           .metadata_count = 1};
    struct memstore_object *told = put(TEXT("k"), TEXT("value"), &options);
    struct memstore_object *found = info("k");
    struct memstore_object *whole = get(TEXT("k"));
    struct memstore_object *all[] = {found, whole};

    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(memstore_object_size(all[i]), 5);
        ck_assert_str_eq(memstore_object_etag(all[i]), memstore_object_etag(told));
        ck_assert_uint_eq(memstore_object_version(all[i]), memstore_object_version(told));
        ck_assert_int_eq(memstore_object_modified(all[i]), memstore_object_modified(told));
        ck_assert_str_eq(memstore_object_content_type(all[i]), "text/plain");
        ck_assert_str_eq(memstore_object_metadata(all[i], "a"), "1");
        ck_assert_str_eq(memstore_object_key(all[i], NULL), "k");
    }
    ck_assert_ptr_null(memstore_object_value(found, NULL));
    memstore_object_free(told);
    memstore_object_free(found);
    memstore_object_free(whole);
}
END_TEST

START_TEST(get_returns_exactly_the_bytes_every_time)
{
    uint8_t bytes[256];

    for (int i = 0; i < 256; i++)
        bytes[i] = (uint8_t)i;
    memstore_object_free(put(TEXT("bytes"), bytes, sizeof(bytes), NULL));
    for (int i = 0; i < 10; i++)
        expect_bytes(TEXT("bytes"), bytes, sizeof(bytes));
}
END_TEST

START_TEST(value_is_followed_by_a_nul)
{
    struct memstore_object *object;
    size_t size;
    const char *value;

    memstore_object_free(put(TEXT("k"), TEXT("ab\0cd"), NULL));
    object = get(TEXT("k"));
    value = memstore_object_value(object, &size);
    ck_assert_uint_eq(size, 5);
    ck_assert_int_eq(value[5], 0);
    memstore_object_free(object);
}
END_TEST

START_TEST(empty_value_is_an_object)
{
    memstore_object_free(put(TEXT("empty"), NULL, 0, NULL));
    ck_assert_int_eq(memstore_exists(store, TEXT("empty")), 1);
    expect_bytes(TEXT("empty"), "", 0);
    harness_expect(store, "empty", "");
}
END_TEST

START_TEST(put_replaces_everything)
{
    struct memstore_metadata pairs[] = {{"a", "1"}, {"b", "2"}};
    struct memstore_metadata other = {"c", "3"};
    struct memstore_object *before;
    struct memstore_object *after;
    struct memstore_list *list;

    put_attributes("k", "a longer value", "text/html", pairs, 2);
    before = info("k");
    put_attributes("k", "short", NULL, &other, 1);
    after = info("k");
    harness_expect(store, "k", "short");
    ck_assert_ptr_null(memstore_object_content_type(after));
    ck_assert_uint_eq(memstore_object_metadata_count(after), 1);
    ck_assert_str_eq(memstore_object_metadata(after, "c"), "3");
    ck_assert_ptr_null(memstore_object_metadata(after, "a"));
    ck_assert_int_gt(memstore_object_modified(after), memstore_object_modified(before));
    ck_assert_int_eq(memstore_list(store, "", 0, NULL, &list), 0);
    ck_assert_uint_eq(memstore_list_count(list), 1);
    ck_assert_uint_eq(stats().objects, 1);
    ck_assert_uint_eq(stats().used, 5);
    memstore_list_free(list);
    memstore_object_free(before);
    memstore_object_free(after);
}
END_TEST

/* Small and large values change places: each kind is kept in another way. */
START_TEST(put_replaces_small_with_large_and_back)
{
    char *large = malloc(MILLION);

    harness_fill(large, MILLION, 1);
    for (int i = 0; i < 3; i++) {
        memstore_object_free(put(TEXT("k"), TEXT("small"), NULL));
        harness_expect(store, "k", "small");
        ck_assert_uint_eq(stats().used, 5);
        memstore_object_free(put(TEXT("k"), large, MILLION, NULL));
        expect_bytes(TEXT("k"), large, MILLION);
        ck_assert_uint_eq(stats().used, MILLION);
    }
    free(large);
}
END_TEST

START_TEST(put_of_identical_bytes_is_a_change)
{
    struct memstore_object *before = put(TEXT("k"), TEXT("same"), NULL);

    for (int i = 0; i < 1000; i++) {
        struct memstore_object *after = put(TEXT("k"), TEXT("same"), NULL);

        ck_assert_str_eq(memstore_object_etag(after), memstore_object_etag(before));
        ck_assert_int_gt(memstore_object_modified(after), memstore_object_modified(before));
        ck_assert_uint_gt(memstore_object_version(after), memstore_object_version(before));
        memstore_object_free(before);
        before = after;
    }
    memstore_object_free(before);
}
END_TEST

START_TEST(get_takes_a_range)
{
    static const struct {
        uint64_t offset;
        uint64_t length;
        const char *expected;
    } cases[] = {{0, 5, "hello"},
                 {6, 5, "world"},
                 {6, 500, "world"},
                 {6, MEMSTORE_TO_END, "world"},
                 {6, MEMSTORE_TO_END - 1, "world"},
                 {10, 1, "d"},
                 {11, 1, ""},
                 {11, MEMSTORE_TO_END, ""},
                 {4, 0, ""},
                 {0, 0, ""}};

    harness_put(store, "k", "hello world");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct memstore_object *object;
        size_t size;

        ck_assert_int_eq(memstore_get(store, TEXT("k"), cases[i].offset, cases[i].length, &object),
                         0);
        ck_assert_str_eq(memstore_object_value(object, &size), cases[i].expected);
        ck_assert_uint_eq(size, strlen(cases[i].expected));
        ck_assert_uint_eq(memstore_object_size(object), 11);
        ck_assert_str_eq(memstore_object_etag(object), ETAG_HELLO_WORLD);
        memstore_object_free(object);
    }
}
END_TEST

START_TEST(get_refuses_a_range_beyond_the_end)
{
    struct memstore_object *object = NULL;

    harness_put(store, "k", "hello world");
    ck_assert_int_eq(memstore_get(store, TEXT("k"), 12, 1, &object), -ERANGE);
    ck_assert_int_eq(memstore_get(store, TEXT("k"), 12, 0, &object), -ERANGE);
    ck_assert_int_eq(memstore_get(store, TEXT("k"), UINT64_MAX, UINT64_MAX, &object), -ERANGE);
    ck_assert_int_eq(memstore_get(store, TEXT("k"), UINT64_MAX, 1, &object), -ERANGE);
    ck_assert_ptr_null(object);
    harness_expect(store, "k", "hello world");
}
END_TEST

/* ---- etag, version, content type, metadata ---- */

static void expect_etag(const char *key, const void *value, size_t size, const char *etag)
{
    struct memstore_object *object = put(key, strlen(key), value, size, NULL);

    ck_assert_str_eq(memstore_object_etag(object), etag);
    memstore_object_free(object);
}

START_TEST(etag_is_xxh3_128_of_the_bytes)
{
    char *million = malloc(MILLION);

    harness_fill(million, MILLION, 1);
    expect_etag("a", "", 0, ETAG_EMPTY);
    expect_etag("a", TEXT("hello world"), ETAG_HELLO_WORLD);
    expect_etag("a", "", 1, ETAG_ZERO_BYTE);
    expect_etag("a", million, MILLION, ETAG_MILLION);
    free(million);
}
END_TEST

START_TEST(etag_depends_on_nothing_but_the_bytes)
{
    struct memstore_metadata pair = {"a", "1"};
    struct harness_daemon *other = harness_start_apart("other", NULL);
    struct memstore *elsewhere = harness_open(other);
    struct memstore_object *object;

    expect_etag("another key", TEXT("hello world"), ETAG_HELLO_WORLD);
    put_attributes("k", "hello world", "text/plain", &pair, 1);
    object = info("k");
    ck_assert_str_eq(memstore_object_etag(object), ETAG_HELLO_WORLD);
    memstore_object_free(object);
    ck_assert_int_eq(memstore_put(elsewhere, TEXT("x"), TEXT("hello world"), NULL, &object), 0);
    ck_assert_str_eq(memstore_object_etag(object), ETAG_HELLO_WORLD);
    memstore_object_free(object);
    memstore_close(elsewhere);
}
END_TEST

START_TEST(etag_differs_for_different_bytes)
{
    char etags[256][MEMSTORE_ETAG_SIZE];
    uint8_t bytes[100] = {0};

    for (int i = 0; i < 256; i++) {
        struct memstore_object *object;

        bytes[50] = (uint8_t)i;
        object = put(TEXT("k"), bytes, sizeof(bytes), NULL);
        strcpy(etags[i], memstore_object_etag(object));
        ck_assert_uint_eq(strspn(etags[i], "0123456789abcdef"), 32);
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(etags[i], etags[j]);
        memstore_object_free(object);
    }
}
END_TEST

static uint64_t version_of(struct memstore_object *object)
{
    uint64_t version = memstore_object_version(object);

    memstore_object_free(object);
    return version;
}

static uint64_t copied(const char *source, const char *target)
{
    struct memstore_object *object = NULL;

    ck_assert_int_eq(memstore_copy(store, source, strlen(source), target, strlen(target), &object),
                     0);
    return version_of(object);
}

static uint64_t moved(const char *source, const char *target)
{
    struct memstore_object *object = NULL;

    ck_assert_int_eq(memstore_move(store, source, strlen(source), target, strlen(target), &object),
                     0);
    return version_of(object);
}

START_TEST(version_grows_with_every_change)
{
    uint64_t last = stats().version;

    for (int i = 0; i < 50; i++) {
        uint64_t versions[6];

        versions[0] = version_of(put(TEXT("a"), TEXT("A"), NULL));
        versions[1] = version_of(put(TEXT("b"), TEXT("B"), NULL));
        versions[2] = copied("a", "c");
        versions[3] = moved("c", "d");
        versions[4] = moved("d", "d");
        ck_assert_int_eq(memstore_delete(store, TEXT("a")), 0);
        versions[5] = stats().version;
        for (int j = 0; j < 6; j++) {
            ck_assert_uint_gt(versions[j], last);
            last = versions[j];
        }
    }
}
END_TEST

START_TEST(version_is_not_used_again_after_a_delete)
{
    uint64_t first = version_of(put(TEXT("k"), TEXT("A"), NULL));

    ck_assert_int_eq(memstore_delete(store, TEXT("k")), 0);
    ck_assert_uint_gt(version_of(put(TEXT("k"), TEXT("A"), NULL)), first);
}
END_TEST

START_TEST(reading_changes_neither_version_nor_time)
{
    struct memstore_object *before;
    struct memstore_object *after;
    struct memstore_list *list;
    uint64_t version;

    harness_put(store, "k", "v");
    version = stats().version;
    before = info("k");
    harness_expect(store, "k", "v");
    ck_assert_int_eq(memstore_exists(store, TEXT("k")), 1);
    ck_assert_int_eq(memstore_list(store, "", 0, NULL, &list), 0);
    memstore_list_free(list);
    after = info("k");
    ck_assert_uint_eq(stats().version, version);
    ck_assert_uint_eq(memstore_object_version(after), version);
    ck_assert_int_eq(memstore_object_modified(after), memstore_object_modified(before));
    memstore_object_free(before);
    memstore_object_free(after);
}
END_TEST

static void expect_type(const char *key, const char *given)
{
    struct memstore_object *object;

    put_attributes(key, "v", given, NULL, 0);
    object = info(key);
    if (given)
        ck_assert_pstr_eq(memstore_object_content_type(object), given);
    else
        ck_assert_ptr_null(memstore_object_content_type(object));
    memstore_object_free(object);
}

START_TEST(content_type_is_kept_as_given)
{
    char longest[MEMSTORE_CONTENT_TYPE_MAX + 1];

    memset(longest, 't', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    expect_type("page.html", NULL);
    expect_type("page.html", "");
    expect_type("page.html", "text/plain; charset=utf-8");
    expect_type("page.html", "no such  TYPE é");
    expect_type("page.html", longest);
    expect_type("page.html", NULL);
}
END_TEST

START_TEST(content_type_too_long_is_refused)
{
    char text[MEMSTORE_CONTENT_TYPE_MAX + 2];
    struct memstore_put_options options = {.size = sizeof(options), .content_type = text};

    memset(text, 't', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    harness_put(store, "k", "old");
    ck_assert_int_eq(memstore_put(store, TEXT("k"), TEXT("new"), &options, NULL), -E2BIG);
    harness_expect(store, "k", "old");
}
END_TEST

START_TEST(metadata_round_trips_in_order_of_names)
{
    struct memstore_metadata given[] = {{"zebra", "1"}, {"", "empty name"}, {"a", ""},
                                        {"é", "ü"},     {"ab", "x y=z"},    {"B", "2"}};
    static const char *const order[] = {"", "B", "a", "ab", "zebra", "é"};
    struct memstore_object *object;

    put_attributes("k", "v", NULL, given, 6);
    object = get(TEXT("k"));
    ck_assert_uint_eq(memstore_object_metadata_count(object), 6);
    for (size_t i = 0; i < 6; i++) {
        ck_assert_str_eq(memstore_object_metadata_at(object, i)->name, order[i]);
        ck_assert_str_eq(memstore_object_metadata(object, given[i].name), given[i].value);
    }
    ck_assert_ptr_null(memstore_object_metadata_at(object, 6));
    ck_assert_ptr_null(memstore_object_metadata_at(object, SIZE_MAX));
    ck_assert_ptr_null(memstore_object_metadata(object, "none"));
    memstore_object_free(object);
}
END_TEST

START_TEST(metadata_needs_no_content_type)
{
    struct memstore_metadata pair = {"a", "1"};
    struct memstore_put_options options = {
        .size = sizeof(options), .metadata = &pair, .metadata_count = 1};
    const size_t sizes[] = {5, 5000, MILLION};
    struct memstore_object *object;
    uint8_t *bytes = malloc(MILLION);

    harness_fill(bytes, MILLION, 1);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        memstore_object_free(put("k", 1, bytes, sizes[i], &options));
        object = get("k", 1);
        ck_assert_ptr_null(memstore_object_content_type(object));
        ck_assert_uint_eq(memstore_object_metadata_count(object), 1);
        ck_assert_str_eq(memstore_object_metadata(object, "a"), "1");
        ck_assert_uint_eq(memstore_object_size(object), sizes[i]);
        memstore_object_free(object);
    }
    free(bytes);
}
END_TEST

static int put_with_pairs(const struct memstore_metadata *pairs, size_t count)
{
    struct memstore_put_options options = {
        .size = sizeof(options), .metadata = pairs, .metadata_count = count};

    return memstore_put(store, TEXT("k"), TEXT("new"), &options, NULL);
}

START_TEST(wrong_metadata_is_refused)
{
    struct memstore_metadata twice[] = {{"a", "1"}, {"b", "2"}, {"a", "3"}};
    struct memstore_metadata no_name[] = {{NULL, "1"}};
    char *text = calloc(1, MEMSTORE_METADATA_MAX + 1);
    struct memstore_metadata large[] = {{"n", text}};
    struct memstore_object *object;

    harness_put(store, "k", "old");
    ck_assert_int_eq(put_with_pairs(twice, 3), -EINVAL);
    ck_assert_int_eq(put_with_pairs(no_name, 1), -EINVAL);
    memset(text, 'v', MEMSTORE_METADATA_MAX - 4);
    ck_assert_int_eq(put_with_pairs(large, 1), -E2BIG);
    harness_expect(store, "k", "old");
    text[MEMSTORE_METADATA_MAX - 5] = '\0'; /* one byte less is what just fits */
    ck_assert_int_eq(put_with_pairs(large, 1), 0);
    object = info("k");
    ck_assert_str_eq(memstore_object_metadata(object, "n"), text);
    memstore_object_free(object);
    free(text);
}
END_TEST

/* ---- keys ---- */

START_TEST(keys_are_taken_literally)
{
    static const struct {
        const char *key;
        size_t length;
    } keys[] = {{TEXT("")},     {TEXT("\0")},        {TEXT("\0\0")},     {TEXT("a")},
                {TEXT("a\0")},  {TEXT("a\0b")},      {TEXT("/a")},       {TEXT("d")},
                {TEXT("d/")},   {TEXT("d/x")},       {TEXT("D")},        {TEXT("../../etc/passwd")},
                {TEXT("d//x")}, {TEXT("d/./x")},     {TEXT(" ")},        {TEXT("\n")},
                {TEXT("\xff")}, {TEXT("\x80")},      {TEXT("\xc3\xa9")}, {TEXT("e\xcc\x81")},
                {TEXT("%41")},  {TEXT("memory://a")}};
    size_t count = sizeof(keys) / sizeof(keys[0]);

    for (size_t i = 0; i < count; i++)
        memstore_object_free(put(keys[i].key, keys[i].length, &i, sizeof(i), NULL));
    ck_assert_uint_eq(stats().objects, count);
    for (size_t i = 0; i < count; i++) {
        struct memstore_object *object = get(keys[i].key, keys[i].length);
        size_t length;
        const char *key = memstore_object_key(object, &length);

        ck_assert_mem_eq(memstore_object_value(object, NULL), &i, sizeof(i));
        ck_assert_uint_eq(length, keys[i].length);
        ck_assert_mem_eq(key, keys[i].key, length);
        ck_assert_int_eq(key[length], 0);
        memstore_object_free(object);
    }
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(memstore_delete(store, keys[i].key, keys[i].length), 0);
    ck_assert_uint_eq(stats().objects, 0);
}
END_TEST

START_TEST(longest_key_works_in_every_call)
{
    char key[500];
    char other[500];
    struct memstore_object *object;
    struct memstore_list *list;

    memset(key, 0xff, sizeof(key));
    memset(other, 0, sizeof(other));
    memstore_object_free(put(key, 500, TEXT("v"), NULL));
    expect_bytes(key, 500, TEXT("v"));
    ck_assert_int_eq(memstore_exists(store, key, 500), 1);
    ck_assert_int_eq(memstore_exists(store, key, 499), 0);
    ck_assert_int_eq(memstore_copy(store, key, 500, other, 500, NULL), 0);
    ck_assert_int_eq(memstore_move(store, other, 500, other, 499, NULL), 0);
    ck_assert_int_eq(memstore_info(store, other, 499, &object), 0);
    memstore_object_free(object);
    ck_assert_int_eq(memstore_list(store, key, 500, NULL, &list), 0);
    ck_assert_uint_eq(memstore_list_count(list), 1);
    ck_assert_mem_eq(memstore_object_key(memstore_list_at(list, 0), NULL), key, 500);
    memstore_list_free(list);
    ck_assert_int_eq(memstore_delete(store, key, 500), 0);
}
END_TEST

START_TEST(longer_keys_are_refused_in_every_call)
{
    char key[501];
    struct memstore_list_options after = {
        .size = sizeof(after), .after = key, .after_length = sizeof(key)};
    struct memstore_object *object = NULL;
    struct memstore_list *list = NULL;
    struct memstore_writer *writer = NULL;
    char *url = NULL;

    memset(key, 'k', sizeof(key));
    harness_put(store, "a", "v");
    ck_assert_int_eq(memstore_put(store, key, 501, "v", 1, NULL, &object), -ENAMETOOLONG);
    ck_assert_int_eq(memstore_get(store, key, 501, 0, 1, &object), -ENAMETOOLONG);
    ck_assert_int_eq(memstore_info(store, key, 501, &object), -ENAMETOOLONG);
    ck_assert_int_eq(memstore_exists(store, key, 501), -ENAMETOOLONG);
    ck_assert_int_eq(memstore_exists(store, key, SIZE_MAX), -ENAMETOOLONG);
    ck_assert_int_eq(memstore_delete(store, key, 501), -ENAMETOOLONG);
    ck_assert_int_eq(memstore_copy(store, key, 501, "b", 1, &object), -ENAMETOOLONG);
    ck_assert_int_eq(memstore_copy(store, "a", 1, key, 501, &object), -ENAMETOOLONG);
    ck_assert_int_eq(memstore_move(store, key, 501, "b", 1, &object), -ENAMETOOLONG);
    ck_assert_int_eq(memstore_move(store, "a", 1, key, 501, &object), -ENAMETOOLONG);
    ck_assert_int_eq(memstore_list(store, key, 501, NULL, &list), -ENAMETOOLONG);
    ck_assert_int_eq(memstore_list(store, "", 0, &after, &list), -ENAMETOOLONG);
    ck_assert_int_eq(memstore_url(key, 501, 0, &url, NULL), -ENAMETOOLONG);
    ck_assert_int_eq(memstore_writer_open(store, key, 501, NULL, &writer), -ENAMETOOLONG);
    ck_assert(!object && !list && !writer && !url);
    ck_assert_uint_eq(stats().objects, 1);
    harness_expect(store, "a", "v");
}
END_TEST

/* ---- exists, delete, missing keys ---- */

START_TEST(exists_of_a_missing_key_is_no_error)
{
    ck_assert_int_eq(memstore_exists(store, TEXT("k")), 0);
    harness_put(store, "k", "v");
    ck_assert_int_eq(memstore_exists(store, TEXT("k")), 1);
    ck_assert_int_eq(memstore_delete(store, TEXT("k")), 0);
    ck_assert_int_eq(memstore_exists(store, TEXT("k")), 0);
}
END_TEST

START_TEST(missing_keys_are_not_found_and_named)
{
    struct memstore_object *object = NULL;
    int results[5];

    for (int i = 0; i < 5; i++) {
        const char *key = "the-missing-one";

        harness_put(store, "other", "v");
        memstore_delete(store, TEXT("nothing")); /* so that the message is of the call below */
        results[0] = i == 0 ? memstore_get(store, key, 15, 0, 1, &object) : -ENOENT;
        results[1] = i == 1 ? memstore_info(store, key, 15, &object) : -ENOENT;
        results[2] = i == 2 ? memstore_delete(store, key, 15) : -ENOENT;
        results[3] = i == 3 ? memstore_copy(store, key, 15, TEXT("other"), &object) : -ENOENT;
        results[4] = i == 4 ? memstore_move(store, key, 15, TEXT("other"), &object) : -ENOENT;
        ck_assert_int_eq(results[i], -ENOENT);
        ck_assert_ptr_null(object);
        ck_assert_msg(strstr(memstore_message(), key), "call %d: %s", i, memstore_message());
    }
    harness_expect(store, "other", "v");
}
END_TEST

START_TEST(second_delete_is_not_found)
{
    harness_put(store, "k", "v");
    ck_assert_int_eq(memstore_delete(store, TEXT("k")), 0);
    ck_assert_int_eq(memstore_delete(store, TEXT("k")), -ENOENT);
    expect_missing("k");
    ck_assert_uint_eq(stats().objects, 0);
}
END_TEST

/* ---- url ---- */

static void expect_url(const void *key, size_t length, uint64_t expires_in, const char *expected,
                       size_t expected_length)
{
    char *url = NULL;
    size_t url_length;

    ck_assert_int_eq(memstore_url(key, length, expires_in, &url, &url_length), 0);
    ck_assert_uint_eq(url_length, expected_length);
    ck_assert_mem_eq(url, expected, expected_length + 1);
    free(url);
    ck_assert_int_eq(memstore_url(key, length, expires_in, &url, NULL), 0);
    free(url);
}

START_TEST(url_is_the_key_as_it_is)
{
    expect_url(TEXT("test.txt"), 0, TEXT("memory://test.txt"));
    expect_url(TEXT("a b%20é?x=1#f"), 0, TEXT("memory://a b%20é?x=1#f"));
    expect_url(TEXT("/a/b"), 0, TEXT("memory:///a/b"));
    expect_url(TEXT(""), 0, TEXT("memory://"));
    expect_url(TEXT("a\0b"), 0, TEXT("memory://a\0b"));
    expect_url(TEXT("test.txt"), 3600, TEXT("memory://test.txt"));
    expect_url(TEXT("test.txt"), UINT64_MAX, TEXT("memory://test.txt"));
}
END_TEST

/* ---- list ---- */

/* Lists and compares: the keys expected, one space between them, since no key here has one. */
static void expect_list(const void *prefix, size_t length,
                        const struct memstore_list_options *options, const char *expected)
{
    struct memstore_list *list = NULL;
    char found[4096] = "";

    ck_assert_int_eq(memstore_list(store, prefix, length, options, &list), 0);
    for (size_t i = 0; i < memstore_list_count(list); i++) {
        strcat(found, i > 0 ? " " : "");
        strcat(found, memstore_object_key(memstore_list_at(list, i), NULL));
    }
    ck_assert_ptr_null(memstore_list_at(list, memstore_list_count(list)));
    ck_assert_str_eq(found, expected);
    memstore_list_free(list);
}

static void put_keys(const char *const *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        harness_put(store, keys[i], keys[i]);
}

static const char *const some_keys[] = {"images/y", "b",     "images/x", "a",     "é",
                                        "im",       "image", "B",        "imagf", "ab"};
#define SOME_KEYS 10

START_TEST(list_is_in_the_order_of_bytes)
{
    expect_list("", 0, NULL, "");
    put_keys(some_keys, SOME_KEYS);
    expect_list("", 0, NULL, "B a ab b im image images/x images/y imagf é");
    expect_list(NULL, 0, NULL, "B a ab b im image images/x images/y imagf é");
}
END_TEST

START_TEST(list_takes_a_prefix)
{
    put_keys(some_keys, SOME_KEYS);
    expect_list(TEXT("im"), NULL, "im image images/x images/y imagf");
    expect_list(TEXT("images/"), NULL, "images/x images/y");
    expect_list(TEXT("images/x"), NULL, "images/x");
    expect_list(TEXT("images/x/"), NULL, "");
    expect_list(TEXT("b"), NULL, "b");
    expect_list(TEXT("\xc3"), NULL, "é");
    expect_list(TEXT("zzz"), NULL, "");
}
END_TEST

START_TEST(list_prefix_of_high_bytes_and_nuls)
{
    struct memstore_list *list;

    memstore_object_free(put(TEXT("\xff"), "1", 1, NULL));
    memstore_object_free(put(TEXT("\xff\xff"), "2", 1, NULL));
    memstore_object_free(put(TEXT("\xfe\xff"), "3", 1, NULL));
    memstore_object_free(put(TEXT("\0"), "4", 1, NULL));
    memstore_object_free(put(TEXT("\0a"), "5", 1, NULL));
    memstore_object_free(put(TEXT(""), "6", 1, NULL));
    ck_assert_int_eq(memstore_list(store, TEXT("\xff"), NULL, &list), 0);
    ck_assert_uint_eq(memstore_list_count(list), 2);
    memstore_list_free(list);
    ck_assert_int_eq(memstore_list(store, TEXT("\0"), NULL, &list), 0);
    ck_assert_uint_eq(memstore_list_count(list), 2);
    memstore_list_free(list);
    ck_assert_int_eq(memstore_list(store, TEXT(""), NULL, &list), 0);
    ck_assert_uint_eq(memstore_list_count(list), 6);
    memstore_list_free(list);
}
END_TEST

static void expect_limited(const char *prefix, uint64_t limit, const char *expected)
{
    struct memstore_list_options options = {
        .size = sizeof(options), .limit = limit, .has_limit = 1};

    expect_list(prefix, strlen(prefix), &options, expected);
}

START_TEST(list_limit_counts_matches)
{
    struct memstore_list_options ignored = {.size = sizeof(ignored), .limit = 1};

    put_keys(some_keys, SOME_KEYS);
    expect_limited("", 0, "");
    expect_limited("", 1, "B");
    expect_limited("im", 0, "");
    expect_limited("im", 1, "im");
    expect_limited("im", 3, "im image images/x");
    expect_limited("im", 5, "im image images/x images/y imagf");
    expect_limited("im", 6, "im image images/x images/y imagf");
    expect_limited("im", MEMSTORE_TO_END, "im image images/x images/y imagf");
    expect_list(TEXT("images"), &ignored, "images/x images/y");
}
END_TEST

static void expect_after(const char *prefix, const char *after, const char *expected)
{
    struct memstore_list_options options = {
        .size = sizeof(options), .after = after, .after_length = strlen(after)};

    expect_list(prefix, strlen(prefix), &options, expected);
}

START_TEST(list_continues_after_a_key)
{
    put_keys(some_keys, SOME_KEYS);
    memstore_object_free(put("", 0, "", 0, NULL));
    expect_after("im", "image", "images/x images/y imagf");
    expect_after("im", "imagd", "image images/x images/y imagf");
    expect_after("im", "imagf", "");
    expect_after("im", "zzz", "");
    expect_after("im", "a", "im image images/x images/y imagf");
    expect_after("im", "", "im image images/x images/y imagf");
    expect_after("", "imagf", "é");
    expect_after("", "", "B a ab b im image images/x images/y imagf é");
    expect_after("images/", "images/x", "images/y");
}
END_TEST

START_TEST(list_pages_through_everything)
{
    struct memstore_list_options options = {.size = sizeof(options), .limit = 7, .has_limit = 1};
    char key[32] = "";
    int seen = 0;

    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "key-%03d", (i * 37) % 100);
        harness_put(store, key, "v");
    }
    for (;;) {
        struct memstore_list *list;
        size_t count;

        ck_assert_int_eq(memstore_list(store, TEXT("key-"), &options, &list), 0);
        count = memstore_list_count(list);
        for (size_t i = 0; i < count; i++) {
            char expected[32];

            snprintf(expected, sizeof(expected), "key-%03d", seen++);
            strcpy(key, memstore_object_key(memstore_list_at(list, i), NULL));
            ck_assert_str_eq(key, expected);
        }
        memstore_list_free(list);
        if (count == 0)
            break;
        options.after = key;
        options.after_length = strlen(key);
    }
    ck_assert_int_eq(seen, 100);
}
END_TEST

START_TEST(list_tells_what_info_tells)
{
    struct memstore_metadata pairs[] = {{"a", "1"}, {"b", "2"}};
    struct memstore_list *list;
    const struct memstore_object *entry;
    struct memstore_object *object;

    put_attributes("k", "hello world", "text/plain", pairs, 2);
    put_attributes("l", "", NULL, NULL, 0);
    object = info("k");
    ck_assert_int_eq(memstore_list(store, "", 0, NULL, &list), 0);
    ck_assert_uint_eq(memstore_list_count(list), 2);
    entry = memstore_list_at(list, 0);
    ck_assert_uint_eq(memstore_object_size(entry), 11);
    ck_assert_str_eq(memstore_object_etag(entry), ETAG_HELLO_WORLD);
    ck_assert_uint_eq(memstore_object_version(entry), memstore_object_version(object));
    ck_assert_int_eq(memstore_object_modified(entry), memstore_object_modified(object));
    ck_assert_str_eq(memstore_object_content_type(entry), "text/plain");
    ck_assert_str_eq(memstore_object_metadata(entry, "b"), "2");
    ck_assert_ptr_null(memstore_object_value(entry, NULL));
    ck_assert_ptr_null(memstore_object_content_type(memstore_list_at(list, 1)));
    memstore_list_free(list);
    memstore_object_free(object);
}
END_TEST

START_TEST(list_stays_as_it_was)
{
    struct memstore_list *list;

    put_keys(some_keys, SOME_KEYS);
    ck_assert_int_eq(memstore_list(store, "", 0, NULL, &list), 0);
    for (int i = 0; i < SOME_KEYS; i++)
        ck_assert_int_eq(memstore_delete(store, some_keys[i], strlen(some_keys[i])), 0);
    ck_assert_uint_eq(memstore_list_count(list), SOME_KEYS);
    ck_assert_str_eq(memstore_object_key(memstore_list_at(list, 0), NULL), "B");
    memstore_list_free(list);
}
END_TEST

START_TEST(list_refuses_options_it_cannot_read)
{
    struct memstore_list_options options = {.size = 0};
    struct memstore_list *list = NULL;

    ck_assert_int_eq(memstore_list(store, "", 0, &options, &list), -EINVAL);
    ck_assert_ptr_null(list);
}
END_TEST

/* ---- copy and move ---- */

START_TEST(copy_is_the_same_object)
{
    struct memstore_metadata pair = {"a", "1"};
    struct memstore_object *source;
    struct memstore_object *target = NULL;

    put_attributes("src", "hello world", "text/plain", &pair, 1);
    put_attributes("dst", "old", "old/type", NULL, 0);
    source = info("src");
    ck_assert_int_eq(memstore_copy(store, TEXT("src"), TEXT("dst"), &target), 0);
    ck_assert_str_eq(memstore_object_key(target, NULL), "dst");
    ck_assert_str_eq(memstore_object_etag(target), ETAG_HELLO_WORLD);
    ck_assert_uint_eq(memstore_object_size(target), 11);
    ck_assert_str_eq(memstore_object_content_type(target), "text/plain");
    ck_assert_str_eq(memstore_object_metadata(target, "a"), "1");
    ck_assert_int_gt(memstore_object_modified(target), memstore_object_modified(source));
    ck_assert_uint_gt(memstore_object_version(target), memstore_object_version(source));
    harness_expect(store, "src", "hello world");
    harness_expect(store, "dst", "hello world");
    ck_assert_uint_eq(stats().used, 22);
    memstore_object_free(source);
    memstore_object_free(target);
    source = info("src");
    ck_assert_str_eq(memstore_object_content_type(source), "text/plain");
    memstore_object_free(source);
}
END_TEST

START_TEST(copy_of_a_missing_source_leaves_the_target)
{
    struct memstore_object *before = put(TEXT("dst"), TEXT("old"), NULL);
    struct memstore_object *after;

    ck_assert_int_eq(memstore_copy(store, TEXT("src"), TEXT("dst"), NULL), -ENOENT);
    ck_assert_int_eq(memstore_move(store, TEXT("src"), TEXT("dst"), NULL), -ENOENT);
    after = info("dst");
    harness_expect(store, "dst", "old");
    ck_assert_uint_eq(memstore_object_version(after), memstore_object_version(before));
    memstore_object_free(before);
    memstore_object_free(after);
}
END_TEST

/* Of sizes that are kept in different ways: with the object, and in a row that copies share. */
static const size_t kept_sizes[] = {5, 2000, 5000, 100000};
#define KEPT_SIZES 4

START_TEST(copies_live_on_without_each_other)
{
    size_t size = kept_sizes[_i];
    char *first = malloc(size);
    char *second = malloc(size);

    harness_fill(first, size, 1);
    harness_fill(second, size, 2);
    memstore_object_free(put(TEXT("a"), first, size, NULL));
    copied("a", "b");
    copied("b", "c");
    copied("a", "a");
    memstore_object_free(put(TEXT("a"), second, size, NULL));
    expect_bytes(TEXT("b"), first, size);
    ck_assert_int_eq(memstore_delete(store, TEXT("b")), 0);
    expect_bytes(TEXT("c"), first, size);
    moved("c", "d");
    copied("d", "a");
    ck_assert_int_eq(memstore_delete(store, TEXT("d")), 0);
    expect_bytes(TEXT("a"), first, size);
    copied("a", "a");
    expect_bytes(TEXT("a"), first, size);
    ck_assert_uint_eq(stats().used, size);
    ck_assert_uint_eq(stats().objects, 1);
    free(first);
    free(second);
}
END_TEST

START_TEST(move_takes_the_source_away)
{
    struct memstore_metadata pair = {"a", "1"};
    struct memstore_object *before;
    struct memstore_object *after = NULL;

    put_attributes("src", "hello world", "", &pair, 1);
    harness_put(store, "dst", "old value");
    before = info("src");
    ck_assert_int_eq(memstore_move(store, TEXT("src"), TEXT("dst"), &after), 0);
    expect_missing("src");
    harness_expect(store, "dst", "hello world");
    ck_assert_str_eq(memstore_object_key(after, NULL), "dst");
    ck_assert_str_eq(memstore_object_content_type(after), "");
    ck_assert_str_eq(memstore_object_metadata(after, "a"), "1");
    ck_assert_str_eq(memstore_object_etag(after), ETAG_HELLO_WORLD);
    ck_assert_int_gt(memstore_object_modified(after), memstore_object_modified(before));
    ck_assert_uint_gt(memstore_object_version(after), memstore_object_version(before));
    ck_assert_uint_eq(stats().used, 11);
    ck_assert_uint_eq(stats().objects, 1);
    memstore_object_free(before);
    memstore_object_free(after);
}
END_TEST

START_TEST(move_onto_itself_keeps_the_object)
{
    size_t size = kept_sizes[_i];
    char *bytes = malloc(size);
    struct memstore_object *before;
    struct memstore_object *after = NULL;

    harness_fill(bytes, size, 7);
    before = put(TEXT("k"), bytes, size, NULL);
    ck_assert_int_eq(memstore_move(store, TEXT("k"), TEXT("k"), &after), 0);
    expect_bytes(TEXT("k"), bytes, size);
    ck_assert_uint_gt(memstore_object_version(after), memstore_object_version(before));
    ck_assert_str_eq(memstore_object_etag(after), memstore_object_etag(before));
    ck_assert_uint_eq(stats().used, size);
    ck_assert_uint_eq(stats().objects, 1);
    memstore_object_free(before);
    memstore_object_free(after);
    free(bytes);
}
END_TEST

/* ---- a handle, stats, messages ---- */

START_TEST(close_leaves_the_objects_to_the_others)
{
    struct memstore *other = harness_open(server);

    harness_put(other, "k", "v");
    memstore_close(other);
    memstore_close(NULL);
    harness_expect(store, "k", "v");
    other = harness_open(server);
    harness_expect(other, "k", "v");
    memstore_close(other);
}
END_TEST

static struct memstore_stats put_large_and_count(const char *key, size_t size)
{
    char *bytes = calloc(1, size);

    memstore_object_free(put(key, strlen(key), bytes, size, NULL));
    free(bytes);
    return stats();
}

START_TEST(stats_count)
{
    size_t large = 40 << 20;
    struct memstore_stats before = put_large_and_count("large", large);
    struct memstore *other = harness_open(server);
    struct memstore_stats after;

    harness_put(store, "a", "12345");
    harness_put(other, "b", "123");
    memstore_delete(store, TEXT("none")); /* no refusal: nothing lacks room */
    ck_assert_int_eq(memstore_copy(other, TEXT("large"), TEXT("c"), NULL), -EDQUOT);
    after = stats();
    ck_assert_uint_eq(after.max_size, 64 << 20);
    ck_assert_uint_eq(after.max_memory, (96 << 20) + (64 << 20));
    ck_assert_uint_eq(after.used, large + 8);
    ck_assert_uint_eq(after.objects, 3);
    ck_assert_uint_ge(after.memory, after.used);
    ck_assert_uint_le(after.memory, after.max_memory);
    ck_assert_uint_gt(after.version, before.version);
    ck_assert_uint_eq(after.buckets, 1);
    ck_assert_uint_eq(before.clients, 1);
    ck_assert_uint_eq(after.clients, 2);
    ck_assert_uint_ge(after.requests, before.requests + 4);
    ck_assert_uint_ge(after.commits, before.commits + 2);
    ck_assert_uint_eq(after.refused, before.refused + 1);
    ck_assert_uint_gt(after.uptime, before.uptime);
    memstore_close(other);
}
END_TEST

START_TEST(stats_fill_as_much_as_the_caller_knows)
{
    struct {
        struct memstore_stats known;
        uint64_t later;
    } larger;
    struct memstore_stats some;

    memset(&larger, 0xee, sizeof(larger));
    memset(&some, 0xee, sizeof(some));
    harness_put(store, "k", "v");
    ck_assert_int_eq(memstore_stats(store, &larger.known, sizeof(larger)), 0);
    ck_assert_uint_eq(larger.known.used, 1);
    ck_assert_uint_eq(larger.later, 0);
    ck_assert_int_eq(memstore_stats(store, &some, offsetof(struct memstore_stats, objects)), 0);
    ck_assert_uint_eq(some.used, 1);
    ck_assert_uint_eq(some.objects, 0xeeeeeeeeeeeeeeee);
    ck_assert_int_eq(memstore_stats(store, &some, 0), -EINVAL);
}
END_TEST

START_TEST(errors_have_words)
{
    static const int errors[] = {ENOENT, EDQUOT,    ENOSPC, ENAMETOOLONG, EFBIG,
                                 EINVAL, ETIMEDOUT, EPROTO, ECONNREFUSED, ECONNRESET,
                                 ERANGE, E2BIG,     0,      99999};

    ck_assert_str_eq(memstore_message(), "");
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        ck_assert_ptr_nonnull(memstore_strerror(-errors[i]));
        ck_assert_uint_gt(strlen(memstore_strerror(-errors[i])), 0);
    }
    ck_assert_str_ne(memstore_strerror(-ENOENT), memstore_strerror(-EDQUOT));
}
END_TEST

START_TEST(ends_of_nothing_are_fine)
{
    memstore_object_free(NULL);
    memstore_list_free(NULL);
    memstore_writer_abort(NULL);
    memstore_close(NULL);
    ck_assert_str_eq(memstore_version(), "1.0.0");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("behaviour");
    TCase *values = tcase_create("values");
    TCase *attributes = tcase_create("attributes");
    TCase *keys = tcase_create("keys");
    TCase *lists = tcase_create("lists");
    TCase *pairs = tcase_create("pairs");
    TCase *rest = tcase_create("rest");
    TCase *all[] = {values, attributes, keys, lists, pairs, rest};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        tcase_add_checked_fixture(all[i], setup, teardown);
        suite_add_tcase(s, all[i]);
    }
    tcase_add_test(values, put_tells_what_it_stored);
    tcase_add_test(values, info_is_what_put_told);
    tcase_add_test(values, get_returns_exactly_the_bytes_every_time);
    tcase_add_test(values, value_is_followed_by_a_nul);
    tcase_add_test(values, empty_value_is_an_object);
    tcase_add_test(values, put_replaces_everything);
    tcase_add_test(values, put_replaces_small_with_large_and_back);
    tcase_add_test(values, put_of_identical_bytes_is_a_change);
    tcase_add_test(values, get_takes_a_range);
    tcase_add_test(values, get_refuses_a_range_beyond_the_end);
    tcase_add_test(attributes, etag_is_xxh3_128_of_the_bytes);
    tcase_add_test(attributes, etag_depends_on_nothing_but_the_bytes);
    tcase_add_test(attributes, etag_differs_for_different_bytes);
    tcase_add_test(attributes, version_grows_with_every_change);
    tcase_add_test(attributes, version_is_not_used_again_after_a_delete);
    tcase_add_test(attributes, reading_changes_neither_version_nor_time);
    tcase_add_test(attributes, content_type_is_kept_as_given);
    tcase_add_test(attributes, content_type_too_long_is_refused);
    tcase_add_test(attributes, metadata_round_trips_in_order_of_names);
    tcase_add_test(attributes, metadata_needs_no_content_type);
    tcase_add_test(attributes, wrong_metadata_is_refused);
    tcase_add_test(keys, keys_are_taken_literally);
    tcase_add_test(keys, longest_key_works_in_every_call);
    tcase_add_test(keys, longer_keys_are_refused_in_every_call);
    tcase_add_test(keys, exists_of_a_missing_key_is_no_error);
    tcase_add_test(keys, missing_keys_are_not_found_and_named);
    tcase_add_test(keys, second_delete_is_not_found);
    tcase_add_test(keys, url_is_the_key_as_it_is);
    tcase_add_test(lists, list_is_in_the_order_of_bytes);
    tcase_add_test(lists, list_takes_a_prefix);
    tcase_add_test(lists, list_prefix_of_high_bytes_and_nuls);
    tcase_add_test(lists, list_limit_counts_matches);
    tcase_add_test(lists, list_continues_after_a_key);
    tcase_add_test(lists, list_pages_through_everything);
    tcase_add_test(lists, list_tells_what_info_tells);
    tcase_add_test(lists, list_stays_as_it_was);
    tcase_add_test(lists, list_refuses_options_it_cannot_read);
    tcase_add_test(pairs, copy_is_the_same_object);
    tcase_add_test(pairs, copy_of_a_missing_source_leaves_the_target);
    tcase_add_loop_test(pairs, copies_live_on_without_each_other, 0, KEPT_SIZES);
    tcase_add_test(pairs, move_takes_the_source_away);
    tcase_add_loop_test(pairs, move_onto_itself_keeps_the_object, 0, KEPT_SIZES);
    tcase_add_test(rest, close_leaves_the_objects_to_the_others);
    tcase_add_test(rest, stats_count);
    tcase_add_test(rest, stats_fill_as_much_as_the_caller_knows);
    tcase_add_test(rest, errors_have_words);
    tcase_add_test(rest, ends_of_nothing_are_fine);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
