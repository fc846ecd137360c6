/* Requests about buckets, raw: what no library would send. */
#include "tests/raw.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct body body_bucket(const char *name)
{
    struct bucket_request request = {.settings = {.max_size = NO_LIMIT, .max_objects = NO_LIMIT},
                                     .name_length = (uint16_t)strlen(name)};
    struct body body = {.length = 0};

    body_add(&body, &request, sizeof(request));
    body_add(&body, name, strlen(name));
    return body;
}

static struct body body_name(const char *name, size_t length)
{
    struct bucket_name_request request = {.name_length = (uint16_t)length};
    struct body body = {.length = 0};

    body_add(&body, &request, sizeof(request));
    body_add(&body, name, length);
    return body;
}

static const struct {
    uint16_t operation;
    int status; /* of a good request, when there is no bucket */
} by_name[] = {{OPERATION_BUCKET_DROP, -ENOENT},
               {OPERATION_BUCKET_INFO, -ENOENT},
               {OPERATION_BUCKET_KEEP, -ENOENT},
               {OPERATION_BUCKET_LIST, 0}};
#define BY_NAME (int)(sizeof(by_name) / sizeof(by_name[0]))

static void expect_buckets(uint64_t count)
{
    ck_assert_uint_eq(harness_stats(raw_witness).buckets, count);
}

static void expect_lengths_matter(int fd, uint16_t operation, const struct body *good)
{
    struct body body = *good;

    for (size_t length = 0; length < good->length; length++) {
        body.length = length;
        raw_call(fd, operation, &body, -EPROTO);
    }
    body = *good;
    body_add_filler(&body, 1);
    raw_call(fd, operation, &body, -EPROTO);
    body_add_filler(&body, 5000);
    raw_call(fd, operation, &body, -EPROTO);
}

START_TEST(lengths_matter)
{
    struct body body = body_bucket("a");
    int fd = raw_open();

    expect_lengths_matter(fd, OPERATION_BUCKET_CREATE, &body);
    expect_lengths_matter(fd, OPERATION_BUCKET_SET, &body);
    body = body_name("a", 1);
    for (int i = 0; i < BY_NAME; i++)
        expect_lengths_matter(fd, by_name[i].operation, &body);
    expect_buckets(1);
    raw_done(fd);
}
END_TEST

/* Lengths that are far beyond the frame. */
START_TEST(lengths_that_lie)
{
    const uint16_t length = 0xffff;
    struct body body = body_bucket("a");
    int fd = raw_open();

    memcpy(body.bytes + offsetof(struct bucket_request, name_length), &length, sizeof(length));
    raw_call(fd, OPERATION_BUCKET_CREATE, &body, -EPROTO);
    raw_call(fd, OPERATION_BUCKET_SET, &body, -EPROTO);
    body = body_name("a", 1);
    memcpy(body.bytes, &length, sizeof(length));
    for (int i = 0; i < BY_NAME; i++)
        raw_call(fd, by_name[i].operation, &body, -EPROTO);
    body = body_pair("small canary", "k");
    memcpy(body.bytes + offsetof(struct pair_request, name_length), &length, sizeof(length));
    raw_call(fd, OPERATION_COPY, &body, -EPROTO);
    raw_call(fd, OPERATION_MOVE, &body, -EPROTO);
    expect_buckets(1);
    raw_done(fd);
}
END_TEST

static void expect_byte_refused(int fd, uint16_t operation, struct body body, size_t offset)
{
    body.bytes[offset] ^= 0x80;
    raw_call(fd, operation, &body, -EPROTO);
}

START_TEST(reserved_fields_and_unknown_bits)
{
    const uint16_t all = BUCKET_SET_MAX_SIZE;
    struct body body = body_bucket("a"), set = body_bucket("default");
    int fd = raw_open();

    memcpy(set.bytes + offsetof(struct bucket_request, which), &all, sizeof(all));
    raw_call(fd, OPERATION_BUCKET_SET, &set, 0);
    for (size_t i = 0; i < 4; i++) {
        size_t reserved = offsetof(struct bucket_settings, reserved) + i;

        expect_byte_refused(fd, OPERATION_BUCKET_CREATE, body, reserved);
        expect_byte_refused(fd, OPERATION_BUCKET_SET, set, reserved);
    }
    for (size_t i = 0; i < 2; i++) {
        expect_byte_refused(fd, OPERATION_BUCKET_CREATE, body,
                            offsetof(struct bucket_request, reserved) + i);
        expect_byte_refused(fd, OPERATION_BUCKET_CREATE, body,
                            offsetof(struct bucket_request, which) + i);
        expect_byte_refused(fd, OPERATION_BUCKET_CREATE, body,
                            offsetof(struct bucket_request, flags) + i);
        expect_byte_refused(fd, OPERATION_BUCKET_SET, set,
                            offsetof(struct bucket_request, reserved) + i);
        expect_byte_refused(fd, OPERATION_BUCKET_SET, set,
                            offsetof(struct bucket_request, which) + i);
        expect_byte_refused(fd, OPERATION_BUCKET_SET, set,
                            offsetof(struct bucket_request, flags) + i);
        for (int n = 0; n < BY_NAME; n++)
            expect_byte_refused(fd, by_name[n].operation, body_name("a", 1),
                                offsetof(struct bucket_name_request, reserved) + i);
        expect_byte_refused(fd, OPERATION_COPY, body_pair("small canary", "k"),
                            offsetof(struct pair_request, reserved) + i);
    }
    /* Nothing to set. */
    body = body_bucket("default");
    raw_call(fd, OPERATION_BUCKET_SET, &body, -EPROTO);
    expect_buckets(1);
    raw_done(fd);
}
END_TEST

START_TEST(settings_that_are_none)
{
    static const int64_t ttls[] = {-1, INT64_MIN, TTL_MAX + 1, INT64_MAX};
    static const uint32_t policies[] = {2, 0x100, 0xffffffff};
    struct body body;
    int fd = raw_open();

    for (size_t i = 0; i < sizeof(ttls) / sizeof(ttls[0]); i++) {
        body = body_bucket("a");
        memcpy(body.bytes + offsetof(struct bucket_settings, ttl), &ttls[i], sizeof(ttls[i]));
        raw_call(fd, OPERATION_BUCKET_CREATE, &body, -EINVAL);
    }
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        body = body_bucket("a");
        memcpy(body.bytes + offsetof(struct bucket_settings, policy), &policies[i],
               sizeof(policies[i]));
        raw_call(fd, OPERATION_BUCKET_CREATE, &body, -EINVAL);
    }
    expect_buckets(1);
    raw_done(fd);
}
END_TEST

START_TEST(names_that_are_not_allowed)
{
    char name[BUCKET_NAME_MAX + 1];
    int fd = raw_open();

    for (int c = 0; c < 256; c++) {
        bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_' || c == '-';
        char bad[3] = {'a', (char)c, 'b'};
        struct body body = body_name(bad, sizeof(bad));
        struct body create = body_bucket("");
        struct body pair = body_pair("small canary", "k");
        uint16_t length = sizeof(bad);

        for (int i = 0; i < BY_NAME; i++)
            if (by_name[i].operation != OPERATION_BUCKET_LIST)
                raw_call(fd, by_name[i].operation, &body, allowed ? by_name[i].status : -EINVAL);
        if (allowed)
            continue;
        memcpy(create.bytes + offsetof(struct bucket_request, name_length), &length,
               sizeof(length));
        body_add(&create, bad, sizeof(bad));
        raw_call(fd, OPERATION_BUCKET_CREATE, &create, -EINVAL);
        memcpy(pair.bytes + offsetof(struct pair_request, name_length), &length, sizeof(length));
        body_add(&pair, bad, sizeof(bad));
        raw_call(fd, OPERATION_COPY, &pair, -EINVAL);
    }
    memset(name, 'n', sizeof(name));
    for (int i = 0; i < BY_NAME; i++) {
        struct body body = body_name(name, sizeof(name));

        raw_call(fd, by_name[i].operation, &body, -ENAMETOOLONG);
        body = body_name("", 0);
        raw_call(fd, by_name[i].operation, &body,
                 by_name[i].operation == OPERATION_BUCKET_LIST ? 0 : -EINVAL);
    }
    expect_buckets(1);
    raw_done(fd);
}
END_TEST

/* An id is good on any connection, and never again after the drop. */
START_TEST(ids_are_never_used_again)
{
    struct body create = body_bucket("a"), drop = body_name("a", 1);
    uint32_t last = raw_bucket;
    int fd = raw_open();

    for (int i = 0; i < 200; i++) {
        struct body put = body_put("k", "", 0, 3), get = body_get("k", 0, UINT64_MAX);
        struct bucket_info info;

        raw_call(fd, OPERATION_BUCKET_CREATE, &create, 0);
        ck_assert_uint_eq(raw_answer.length, sizeof(info));
        memcpy(&info, raw_answer.body, sizeof(info));
        ck_assert_uint_gt(info.bucket, last);
        last = info.bucket;
        memcpy(put.bytes, &last, sizeof(last));
        memcpy(get.bytes, &last, sizeof(last));
        raw_call(fd, OPERATION_PUT, &put, 0);
        raw_call(fd, OPERATION_GET, &get, 0);
        raw_call(fd, OPERATION_BUCKET_DROP, &drop, 0);
        raw_call(fd, OPERATION_PUT, &put, -ENXIO);
        raw_call(fd, OPERATION_GET, &get, -ENXIO);
    }
    expect_buckets(1);
    raw_done(fd);
}
END_TEST

START_TEST(a_list_can_begin_anywhere)
{
    static const struct {
        const char *after;
        uint64_t count;
    } cases[] = {{"", 3},  {"a", 2},       {"aa", 2}, {"b", 1},
                 {"c", 1}, {"default", 0}, {"z", 0},  {"\xff/*", 0}};
    struct body body = body_bucket("a");
    struct list_answer answer;
    int fd = raw_open();

    raw_call(fd, OPERATION_BUCKET_CREATE, &body, 0);
    body = body_bucket("b");
    raw_call(fd, OPERATION_BUCKET_CREATE, &body, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        body = body_name(cases[i].after, strlen(cases[i].after));
        raw_call(fd, OPERATION_BUCKET_LIST, &body, 0);
        ck_assert_uint_ge(raw_answer.length, sizeof(answer));
        memcpy(&answer, raw_answer.body, sizeof(answer));
        ck_assert_uint_eq(answer.count, cases[i].count);
    }
    body = body_name("a", 1);
    raw_call(fd, OPERATION_BUCKET_DROP, &body, 0);
    body = body_name("b", 1);
    raw_call(fd, OPERATION_BUCKET_DROP, &body, 0);
    raw_done(fd);
}
END_TEST

START_TEST(not_in_a_batch_and_not_before_hello)
{
    struct body body = body_name("default", 7);
    struct frame_header header = raw_header(OPERATION_BUCKET_INFO, body.length);
    struct batch_request one = {.count = 1};
    struct body batch = {.length = 0};
    int fd = raw_open();
    uint8_t *map = raw_attach(fd, 65536);

    memcpy(map, &header, sizeof(header));
    memcpy(map + sizeof(header), body.bytes, body.length);
    body_add(&batch, &one, sizeof(one));
    raw_call_bulk(fd, OPERATION_BATCH, &batch, 0, (uint32_t)(sizeof(header) + body.length),
                  -EPROTO);
    raw_call_bulk(fd, OPERATION_BUCKET_INFO, &body, 0, 16, -EPROTO);
    raw_done(fd);
    fd = raw_connect();
    raw_call(fd, OPERATION_BUCKET_DROP, &body, -EPROTO);
    raw_expect_closed(fd);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("bucket_raw");
    TCase *tcase = tcase_create("bucket_raw");

    tcase_add_checked_fixture(tcase, raw_setup, raw_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, lengths_matter);
    tcase_add_test(tcase, lengths_that_lie);
    tcase_add_test(tcase, reserved_fields_and_unknown_bits);
    tcase_add_test(tcase, settings_that_are_none);
    tcase_add_test(tcase, names_that_are_not_allowed);
    tcase_add_test(tcase, ids_are_never_used_again);
    tcase_add_test(tcase, a_list_can_begin_anywhere);
    tcase_add_test(tcase, not_in_a_batch_and_not_before_hello);
    suite_add_tcase(s, tcase);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
