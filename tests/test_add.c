/* Adding to numbers, through the library. */
#include "tests/harness.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static int64_t add(const char *key, int64_t delta)
{
    int64_t value = 0;
    int r = memstore_add(store, key, strlen(key), delta, &value);

    ck_assert_msg(r == 0, "add %" PRId64 " to %s: %s", delta, key, memstore_message());
    return value;
}

/* The sum is told, and is the value, with all that goes with it. */
START_TEST(sums_are_stored)
{
    static const struct {
        int64_t delta, sum;
        const char *text;
    } steps[] = {
        {5, 5, "5"},
        {0, 5, "5"},
        {-17, -12, "-12"},
        {12, 0, "0"},
        {0, 0, "0"},
        {INT64_MAX, INT64_MAX, "9223372036854775807"},
        {INT64_MIN, -1, "-1"},
        {INT64_MIN + 1, INT64_MIN, "-9223372036854775808"},
        {0, INT64_MIN, "-9223372036854775808"},
        {INT64_MAX, -1, "-1"},
        {1000001, 1000000, "1000000"},
    };
    struct memstore_object *put = NULL, *sum = NULL;

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        int64_t value = 0;

        ck_assert_int_eq(memstore_add_if(store, "n", 1, steps[i].delta, NULL, &value, &sum), 0);
        ck_assert_int_eq(value, steps[i].sum);
        harness_expect(store, "n", steps[i].text);
        ck_assert_int_eq(
            memstore_put(store, "p", 1, steps[i].text, strlen(steps[i].text), NULL, &put), 0);
        ck_assert_str_eq(memstore_object_etag(sum), memstore_object_etag(put));
        ck_assert_uint_eq(memstore_object_size(sum), strlen(steps[i].text));
        ck_assert_uint_eq(memstore_object_version(sum), memstore_object_version(put) - 1);
        ck_assert_str_eq(memstore_object_key(sum, NULL), "n");
        ck_assert_uint_eq(harness_stats(store).used, 2 * strlen(steps[i].text));
        memstore_object_free(put);
        memstore_object_free(sum);
    }
    ck_assert_uint_eq(harness_stats(store).objects, 2);
    ck_assert_int_eq(memstore_add(store, "n", 1, 1, NULL), 0);
    harness_expect(store, "n", "1000001");
}
END_TEST

START_TEST(missing_one_is_made_of_nothing)
{
    struct memstore_object *object = NULL;

    ck_assert_int_eq(add("", 7), 7);
    ck_assert_int_eq(memstore_info(store, "", 0, &object), 0);
    ck_assert_ptr_null(memstore_object_content_type(object));
    ck_assert_uint_eq(memstore_object_metadata_count(object), 0);
    ck_assert_int_eq(memstore_object_expires(object), 0);
    memstore_object_free(object);
    ck_assert_int_eq(add("zero", 0), 0);
    harness_expect(store, "zero", "0");
}
END_TEST

START_TEST(what_goes_with_the_number_stays)
{
    static char name[20000], text[12000];
    const struct memstore_metadata metadata[] = {{"unit", "m"}, {name, text}};
    struct memstore_put_options options = {.size = sizeof(options),
                                           .content_type = "text/plain",
                                           .metadata = metadata,
                                           .metadata_count = 2,
                                           .ttl_ms = 60000};
    struct memstore_object *before = NULL, *after = NULL;

    memset(name, 'n', sizeof(name) - 1);
    memset(text, 't', sizeof(text) - 1);
    ck_assert_int_eq(memstore_put(store, "n", 1, "99", 2, &options, &before), 0);
    for (int i = 0; i < 3; i++)
        add("n", 1);
    ck_assert_int_eq(memstore_info(store, "n", 1, &after), 0);
    ck_assert_str_eq(memstore_object_content_type(after), "text/plain");
    ck_assert_uint_eq(memstore_object_metadata_count(after), 2);
    ck_assert_str_eq(memstore_object_metadata(after, "unit"), "m");
    ck_assert_str_eq(memstore_object_metadata(after, name), text);
    ck_assert_uint_eq(memstore_object_version(after), memstore_object_version(before) + 3);
    ck_assert_int_gt(memstore_object_modified(after), memstore_object_modified(before));
    ck_assert_int_lt(llabs(memstore_object_expires(after) - memstore_object_expires(before)),
                     5000000); /* the same, as far as the date was not set */
    harness_expect(store, "n", "102");
    memstore_object_free(before);
    memstore_object_free(after);
}
END_TEST

/* Nothing changes then. */
static void expect_failure(int64_t delta, int status, const char *words)
{
    struct memstore_stats before = harness_stats(store), after;
    struct memstore_object *object = NULL;
    int64_t value = 42;

    ck_assert_int_eq(memstore_add_if(store, "n", 1, delta, NULL, &value, &object), status);
    ck_assert_int_eq(value, 42);
    ck_assert_ptr_null(object);
    ck_assert_msg(strstr(memstore_message(), words) && strstr(memstore_message(), "\"n\""), "%s",
                  memstore_message());
    after = harness_stats(store);
    ck_assert_uint_eq(after.version, before.version);
}

START_TEST(values_that_are_no_numbers_stay)
{
    static const struct {
        const char *text;
        size_t size;
    } values[] = {
        {"", 0},
        {"-", 1},
        {"+5", 2},
        {"007", 3},
        {"00", 2},
        {"-0", 2},
        {"-01", 3},
        {" 5", 2},
        {"5 ", 2},
        {"5\n", 2},
        {"5\0", 2},
        {"\0", 1},
        {"5.0", 3},
        {"1e3", 3},
        {"0x10", 4},
        {"--5", 3},
        {"5-", 2},
        {"1,000", 5},
        {"\xd9\xa5", 2},
        {"ten", 3},
        {"12/", 3},
        {"1:", 2},
        {"9223372036854775808", 19},
        {"-9223372036854775809", 20},
        {"99999999999999999999", 20},
        {"00000000000000000001", 20},
        {"000000000000000000001", 21},
        {"-99223372036854775808", 21},
    };

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct memstore_object *object = NULL;

        ck_assert_int_eq(memstore_put(store, "n", 1, values[i].text, values[i].size, NULL, NULL),
                         0);
        expect_failure(1, -EINVAL, "not a number");
        ck_assert_int_eq(memstore_get(store, "n", 1, 0, MEMSTORE_TO_END, &object), 0);
        ck_assert_uint_eq(memstore_object_size(object), values[i].size);
        ck_assert_mem_eq(memstore_object_value(object, NULL), values[i].text, values[i].size);
        memstore_object_free(object);
    }
    harness_put_filled(store, "n", 5000, 1);
    expect_failure(1, -EINVAL, "not a number");
    harness_put_filled(store, "n", 1 << 20, 1);
    expect_failure(1, -EINVAL, "not a number");
}
END_TEST

START_TEST(sums_beyond_the_ends_are_refused)
{
    static const struct {
        const char *value;
        int64_t delta;
    } sums[] = {
        {"9223372036854775807", 1},   {"9223372036854775807", INT64_MAX},  {"1", INT64_MAX},
        {"-9223372036854775808", -1}, {"-9223372036854775808", INT64_MIN}, {"-1", INT64_MIN},
    };

    for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
        harness_put(store, "n", sums[i].value);
        expect_failure(sums[i].delta, -EOVERFLOW, "64 bits");
        harness_expect(store, "n", sums[i].value);
    }
}
END_TEST

START_TEST(digits_count_towards_the_limit)
{
    memstore_close(store);
    harness_stop(server);
    server = harness_start("--max-size", "10");
    store = harness_open(server);
    harness_put(store, "rest", "12345678");
    ck_assert_int_eq(add("n", 99), 99);
    expect_failure(1, -EDQUOT, "Max size 10 would be exceeded");
    harness_expect(store, "n", "99");
    ck_assert_int_eq(memstore_add(store, "m", 1, 1, NULL), -EDQUOT);
    ck_assert_int_eq(memstore_exists(store, "m", 1), 0);
    ck_assert_int_eq(add("n", -1), 98);
    ck_assert_int_eq(add("n", -90), 8);
    ck_assert_int_eq(add("m", 1), 1);
    ck_assert_uint_eq(harness_stats(store).used, 10);
    ck_assert_uint_eq(harness_stats(store).refused, 2);
}
END_TEST

START_TEST(keys_are_checked)
{
    static const char key[501];

    ck_assert_int_eq(memstore_add(store, key, 501, 1, NULL), -ENAMETOOLONG);
    ck_assert_int_eq(memstore_add(store, NULL, 1, 1, NULL), -EINVAL);
    ck_assert_int_eq(memstore_add(store, key, 500, 1, NULL), 0);
}
END_TEST

#define ADDERS 4
#define ADDS (harness_is_slow() ? 5000 : 100000)

static int add_many(int index, void *argument)
{
    struct memstore *own = harness_open(server);
    int64_t last = 0;

    (void)argument;
    for (int i = 0; i < ADDS; i++) {
        int64_t value;

        if (memstore_add(own, "count", 5, index + 1, &value) < 0 || value <= last)
            return 1;
        last = value;
    }
    memstore_close(own);
    return 0;
}

START_TEST(no_addition_is_lost)
{
    char expected[32];

    harness_processes(ADDERS, add_many, NULL);
    snprintf(expected, sizeof(expected), "%d", ADDS * (1 + 2 + 3 + 4));
    harness_expect(store, "count", expected);
    ck_assert_uint_eq(harness_stats(store).version, (uint64_t)(ADDERS * ADDS));
    ck_assert_uint_eq(harness_stats(store).used, strlen(expected));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("add");
    TCase *tests = tcase_create("add");
    TCase *many = tcase_create("many");

    tcase_add_checked_fixture(tests, setup, teardown);
    suite_add_tcase(s, tests);
    tcase_add_test(tests, sums_are_stored);
    tcase_add_test(tests, missing_one_is_made_of_nothing);
    tcase_add_test(tests, what_goes_with_the_number_stays);
    tcase_add_test(tests, values_that_are_no_numbers_stay);
    tcase_add_test(tests, sums_beyond_the_ends_are_refused);
    tcase_add_test(tests, digits_count_towards_the_limit);
    tcase_add_test(tests, keys_are_checked);
    tcase_add_checked_fixture(many, setup, teardown);
    tcase_set_timeout(many, 120);
    suite_add_tcase(s, many);
    tcase_add_test(many, no_addition_is_lost);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
