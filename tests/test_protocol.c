/*
 * Frames and bodies against a real daemon: whatever a client sends, it gets a typed error or its
 * own connection is closed, and nobody else notices.
 */
#include "tests/raw.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the first frame ---- */

START_TEST(hello_agrees_on_a_version)
{
    static const uint16_t ranges[][2] = {{1, 1}, {0, 1}, {1, 2}, {0, 65535}};
    struct body body = body_hello(ranges[_i][0], ranges[_i][1], "default");
    int fd = raw_connect();

    raw_call(fd, OPERATION_HELLO, &body, 0);
    raw_done(fd);
}
END_TEST

START_TEST(hello_of_another_version_is_refused)
{
    static const uint16_t ranges[][2] = {{2, 2}, {2, 65535}, {0, 0}};
    struct body body = body_hello(ranges[_i][0], ranges[_i][1], "default");
    int fd = raw_connect();

    raw_call(fd, OPERATION_HELLO, &body, -EPROTONOSUPPORT);
    raw_expect_closed(fd);
}
END_TEST

START_TEST(hello_to_a_bucket_that_does_not_exist_is_refused)
{
    struct body body = body_hello(1, 1, "nothing-like-it");
    int fd = raw_connect();

    raw_call(fd, OPERATION_HELLO, &body, -ENOENT);
    raw_expect_closed(fd);
}
END_TEST

/* Sends a first frame that is none; an error, and the connection ends. */
static void expect_no_hello(uint16_t operation, const struct body *body, int status)
{
    struct frame_header header = raw_header(operation, body ? body->length : 0);
    int fd = raw_connect();

    ck_assert(raw_send_frame(fd, &header, body));
    ck_assert(raw_receive(fd));
    ck_assert_uint_eq(raw_answer.header.id, header.id);
    if (status)
        ck_assert_int_eq(raw_answer.header.status, status);
    else
        ck_assert_int_lt(raw_answer.header.status, 0);
    raw_expect_closed(fd);
}

START_TEST(hello_that_is_malformed_is_refused)
{
    struct body body = body_hello(1, 1, "default");

    expect_no_hello(OPERATION_HELLO, NULL, -EPROTO);
    body.length -= 1; /* a name shorter than it says */
    expect_no_hello(OPERATION_HELLO, &body, -EPROTO);
    body.length = sizeof(struct hello_request) - 1;
    expect_no_hello(OPERATION_HELLO, &body, -EPROTO);
    body = body_hello(1, 1, "default");
    body_add_filler(&body, 1);
    expect_no_hello(OPERATION_HELLO, &body, -EPROTO);
    body = body_hello(1, 1, "default");
    body.bytes[0] ^= 1; /* the magic */
    expect_no_hello(OPERATION_HELLO, &body, -EPROTO);
    body = body_hello(1, 1, "default");
    body.bytes[offsetof(struct hello_request, reserved)] = 1;
    expect_no_hello(OPERATION_HELLO, &body, -EPROTO);
    body = body_hello(1, 1, "");
    expect_no_hello(OPERATION_HELLO, &body, 0);
    body = body_hello(9, 1, "default");
    expect_no_hello(OPERATION_HELLO, &body, 0);
    body = body_hello(1, 1, "12345678901234567890123456789012345678901234567890123456789012345");
    expect_no_hello(OPERATION_HELLO, &body, 0);
}
END_TEST

START_TEST(nothing_goes_before_hello)
{
    struct body body = body_key("small canary");

    expect_no_hello(OPERATION_EXISTS, &body, -EPROTO);
    expect_no_hello(OPERATION_DELETE, &body, -EPROTO);
    expect_no_hello(OPERATION_STATS, NULL, -EPROTO);
    expect_no_hello(OPERATION_ATTACH, NULL, -EPROTO);
    expect_no_hello(0, NULL, -EPROTO);
    expect_no_hello(4711, &body, -EPROTO);
    harness_expect(raw_witness, "small canary", "tweet");
}
END_TEST

START_TEST(hello_comes_once)
{
    struct body body = body_hello(1, 1, "default");
    int fd = raw_open();

    raw_call(fd, OPERATION_HELLO, &body, -EPROTO);
    raw_done(fd);
}
END_TEST

/* ---- frames that are none ---- */

START_TEST(impossible_length_ends_the_connection)
{
    static const uint32_t lengths[] = {0, 1, 31, FRAME_MAX + 1, 1 << 20, UINT32_MAX};
    struct frame_header header = raw_header(OPERATION_STATS, 0);
    int fd = _i % 2 ? raw_connect() : raw_open();

    header.length = lengths[_i / 2];
    ck_assert(raw_send_frame(fd, &header, NULL));
    ck_assert(raw_receive(fd));
    ck_assert_int_eq(raw_answer.header.status, -EPROTO);
    raw_expect_closed(fd);
}
END_TEST

START_TEST(garbage_ends_the_connection)
{
    static const char *const texts[] = {
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 more and more"};
    int fd = raw_connect();

    raw_send(fd, texts[_i], strlen(texts[_i]));
    shutdown(fd, SHUT_WR);
    raw_expect_closed(fd);
}
END_TEST

START_TEST(truncated_frames_end_with_their_connection)
{
    struct body body = body_put("small canary", "", 0, 3000);
    struct frame_header header = raw_header(OPERATION_PUT, body.length);
    uint8_t frame[sizeof(header) + sizeof(body.bytes)];
    size_t length = sizeof(header) + body.length;

    memcpy(frame, &header, sizeof(header));
    memcpy(frame + sizeof(header), body.bytes, body.length);
    for (size_t cut = 1; cut < length; cut += cut < 64 ? 1 : 97) {
        int fd = raw_open();

        ck_assert(raw_send(fd, frame, cut));
        if (cut % 2)
            shutdown(fd, SHUT_WR);
        close(fd);
    }
    harness_expect(raw_witness, "small canary", "tweet");
}
END_TEST

START_TEST(frames_arrive_byte_by_byte)
{
    struct body body = body_get("small canary", 0, UINT64_MAX);
    struct frame_header header = raw_header(OPERATION_GET, body.length);
    int fd = raw_open();

    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof(header); i++)
            ck_assert(raw_send(fd, (const uint8_t *)&header + i, 1));
        for (size_t i = 0; i < body.length; i++)
            ck_assert(raw_send(fd, body.bytes + i, 1));
        raw_expect_answer(fd, &header, 0);
        ck_assert_mem_eq(raw_answer.body + raw_answer.length - 5, "tweet", 5);
    }
    raw_done(fd);
}
END_TEST

START_TEST(largest_frame_is_taken)
{
    struct body body = body_put("k", "", 0, BODY_MAX - sizeof(struct put_request) - 1);
    int fd = raw_open();
    struct memstore_object *object;

    ck_assert_uint_eq(body.length, BODY_MAX);
    raw_call(fd, OPERATION_PUT, &body, 0);
    ck_assert_int_eq(memstore_info(raw_witness, "k", 1, &object), 0);
    ck_assert_uint_eq(memstore_object_size(object), BODY_MAX - sizeof(struct put_request) - 1);
    memstore_object_free(object);
    raw_done(fd);
}
END_TEST

START_TEST(unknown_operations_are_told)
{
    static const uint16_t operations[] = {0, 28, 100, 0x7fff, 0xffff};
    struct body body = body_key("small canary");
    int fd = raw_open();

    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        raw_call(fd, operations[i], NULL, -EOPNOTSUPP);
        raw_call(fd, operations[i], &body, -EOPNOTSUPP);
    }
    raw_done(fd);
}
END_TEST

START_TEST(unknown_flags_are_refused)
{
    struct body body = body_key("small canary");
    int fd = raw_open();

    for (int bit = 0; bit < 16; bit++) {
        struct frame_header header = raw_header(OPERATION_DELETE, body.length);

        if (1 << bit == FRAME_BULK || 1 << bit == FRAME_CHAINED)
            continue;
        header.flags = (uint16_t)(1 << bit); /* FRAME_ANSWER among them */
        ck_assert(raw_send_frame(fd, &header, &body));
        raw_expect_answer(fd, &header, -EPROTO);
    }
    harness_expect(raw_witness, "small canary", "tweet");
    raw_done(fd);
}
END_TEST

static void call_chained(int fd, uint16_t operation, const struct body *body, int status)
{
    struct frame_header header = raw_header(operation, body->length);

    header.flags = FRAME_CHAINED;
    ck_assert(raw_send_frame(fd, &header, body));
    raw_expect_answer(fd, &header, status);
}

START_TEST(what_is_chained_to_an_answer_that_does_not_fit_is_not_done)
{
    struct body large = body_get("canary", 0, UINT64_MAX);
    struct body missing = body_get("none", 0, UINT64_MAX);
    struct body key = body_key("small canary");
    int fd = raw_open();

    call_chained(fd, OPERATION_EXISTS, &key, 0); /* to what went well */
    call_chained(fd, OPERATION_GET, &missing, -ENOENT);
    call_chained(fd, OPERATION_GET, &large, -EMSGSIZE);
    call_chained(fd, OPERATION_DELETE, &key, -ECANCELED);
    call_chained(fd, OPERATION_GET, &large, -ECANCELED);
    call_chained(fd, OPERATION_DELETE, &key, -ECANCELED);
    raw_call(fd, OPERATION_EXISTS, &key, 0);
    call_chained(fd, OPERATION_EXISTS, &key, 0);
    raw_done(fd);
}
END_TEST

static void expect_header_refused(int fd, struct frame_header header, const struct body *body)
{
    ck_assert(raw_send_frame(fd, &header, body));
    raw_expect_answer(fd, &header, -EPROTO);
}

START_TEST(header_fields_without_meaning_must_be_zero)
{
    struct body body = body_key("small canary");
    struct frame_header header = raw_header(OPERATION_DELETE, body.length);
    struct frame_header changed = header;
    int fd = raw_open();

    changed.status = -1;
    expect_header_refused(fd, changed, &body);
    changed = header;
    changed.bulk_length = 1;
    expect_header_refused(fd, changed, &body);
    changed = header;
    changed.bulk_offset = 1;
    expect_header_refused(fd, changed, &body);
    changed = header;
    changed.flags = FRAME_BULK; /* an operation without bulk */
    expect_header_refused(fd, changed, &body);
    harness_expect(raw_witness, "small canary", "tweet");
    raw_done(fd);
}
END_TEST

/* ---- bodies that do not add up ---- */

/* The body with one byte less, half of it, nothing of it, and (unless more is allowed) one more. */
static void expect_lengths_matter(int fd, uint16_t operation, const struct body *good, bool more)
{
    struct body body = *good;

    body.length = good->length - 1;
    raw_call(fd, operation, &body, -EPROTO);
    body.length = good->length / 2;
    raw_call(fd, operation, &body, -EPROTO);
    body.length = 1;
    raw_call(fd, operation, &body, -EPROTO);
    body.length = 0;
    raw_call(fd, operation, &body, -EPROTO);
    if (more)
        return;
    body = *good;
    body_add_filler(&body, 1);
    raw_call(fd, operation, &body, -EPROTO);
    body_add_filler(&body, 5000);
    raw_call(fd, operation, &body, -EPROTO);
}

START_TEST(bodies_must_be_as_long_as_they_say)
{
    struct body body = body_key("small canary");
    int fd = raw_open();

    expect_lengths_matter(fd, OPERATION_EXISTS, &body, false);
    expect_lengths_matter(fd, OPERATION_DELETE, &body, false);
    expect_lengths_matter(fd, OPERATION_INFO, &body, false);
    body = body_get("small canary", 0, UINT64_MAX);
    expect_lengths_matter(fd, OPERATION_GET, &body, false);
    body = body_put("small canary", "", 0, 0);
    expect_lengths_matter(fd, OPERATION_PUT, &body, true);
    body = body_pair("small canary", "canary");
    expect_lengths_matter(fd, OPERATION_COPY, &body, false);
    expect_lengths_matter(fd, OPERATION_MOVE, &body, false);
    body = body_touch("small canary", TTL_NEVER);
    expect_lengths_matter(fd, OPERATION_TOUCH, &body, false);
    body = body_list("small");
    expect_lengths_matter(fd, OPERATION_LIST, &body, false);
    body.length = 1;
    raw_call(fd, OPERATION_STATS, &body, -EPROTO);
    raw_call(fd, OPERATION_ATTACH, &body, -EPROTO);
    raw_done(fd);
}
END_TEST

START_TEST(reserved_fields_must_be_zero)
{
    struct body body = body_key("small canary");
    int fd = raw_open();

    body.bytes[offsetof(struct key_request, reserved)] = 1;
    raw_call(fd, OPERATION_EXISTS, &body, -EPROTO);
    raw_call(fd, OPERATION_DELETE, &body, -EPROTO);
    raw_call(fd, OPERATION_INFO, &body, -EPROTO);
    body = body_get("small canary", 0, UINT64_MAX);
    body.bytes[offsetof(struct get_request, reserved) + 1] = 0x80;
    raw_call(fd, OPERATION_GET, &body, -EPROTO);
    body = body_touch("small canary", TTL_NEVER);
    body.bytes[offsetof(struct touch_request, reserved) + 1] = 0x80;
    raw_call(fd, OPERATION_TOUCH, &body, -EPROTO);
    body = body_put("small canary", "", 0, 10);
    body.bytes[offsetof(struct put_request, window) + 3] = 0x80;
    raw_call(fd, OPERATION_PUT, &body, -EPROTO);
    raw_done(fd);
}
END_TEST

/* Lengths so large that sums of them do not fit a smaller number. */
START_TEST(lengths_that_overflow_are_refused)
{
    struct body body = body_put("k", "", 0, 100);
    struct put_request request;
    int fd = raw_open();

    memcpy(&request, body.bytes, sizeof(request));
    for (int i = 0; i < 3; i++) {
        static const uint32_t metadata_lengths[] = {UINT32_MAX, UINT32_MAX - 117, 1U << 31};
        struct frame_header header = raw_header(OPERATION_PUT, body.length);

        request.metadata_length = metadata_lengths[i];
        memcpy(body.bytes, &request, sizeof(request));
        ck_assert(raw_send_frame(fd, &header, &body));
        ck_assert(raw_receive(fd));
        ck_assert(raw_answer.header.status == -EPROTO || raw_answer.header.status == -E2BIG);
    }
    ck_assert_int_eq(memstore_exists(raw_witness, "k", 1), 0);
    raw_done(fd);
}
END_TEST

/* ---- what the bodies say ---- */

START_TEST(keys_too_long_are_refused)
{
    char key[KEY_MAX + 2];
    struct body body;
    int fd = raw_open();

    memset(key, 'k', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    body = body_key(key);
    raw_call(fd, OPERATION_EXISTS, &body, -ENAMETOOLONG);
    raw_call(fd, OPERATION_DELETE, &body, -ENAMETOOLONG);
    raw_call(fd, OPERATION_INFO, &body, -ENAMETOOLONG);
    body = body_get(key, 0, 1);
    raw_call(fd, OPERATION_GET, &body, -ENAMETOOLONG);
    body = body_put(key, "", 0, 1);
    raw_call(fd, OPERATION_PUT, &body, -ENAMETOOLONG);
    body = body_pair(key, "k");
    raw_call(fd, OPERATION_COPY, &body, -ENAMETOOLONG);
    raw_call(fd, OPERATION_MOVE, &body, -ENAMETOOLONG);
    body = body_pair("small canary", key);
    raw_call(fd, OPERATION_COPY, &body, -ENAMETOOLONG);
    raw_call(fd, OPERATION_MOVE, &body, -ENAMETOOLONG);
    body = body_touch(key, 1);
    raw_call(fd, OPERATION_TOUCH, &body, -ENAMETOOLONG);
    body = body_list(key);
    raw_call(fd, OPERATION_LIST, &body, -ENAMETOOLONG);
    key[KEY_MAX] = '\0';
    body = body_put(key, "", 0, 1);
    raw_call(fd, OPERATION_PUT, &body, 0);
    raw_done(fd);
}
END_TEST

static void expect_no_bucket(int fd, uint16_t operation, struct body body, uint32_t id)
{
    memcpy(body.bytes, &id, sizeof(id)); /* it comes first in every request */
    raw_call(fd, operation, &body, -ENXIO);
    ck_assert_ptr_nonnull(memmem(raw_answer.body, raw_answer.length, "bucket", 6));
}

START_TEST(buckets_that_do_not_exist_are_refused)
{
    int fd = raw_open();
    uint32_t ids[] = {raw_bucket + 1, UINT32_MAX, raw_bucket ^ 0x01000000};

    for (int i = 0; i < 3; i++) {
        expect_no_bucket(fd, OPERATION_EXISTS, body_key("small canary"), ids[i]);
        expect_no_bucket(fd, OPERATION_DELETE, body_key("small canary"), ids[i]);
        expect_no_bucket(fd, OPERATION_INFO, body_key("small canary"), ids[i]);
        expect_no_bucket(fd, OPERATION_GET, body_get("small canary", 0, 1), ids[i]);
        expect_no_bucket(fd, OPERATION_PUT, body_put("small canary", "", 0, 1), ids[i]);
        expect_no_bucket(fd, OPERATION_COPY, body_pair("small canary", "k"), ids[i]);
        expect_no_bucket(fd, OPERATION_MOVE, body_pair("small canary", "k"), ids[i]);
        expect_no_bucket(fd, OPERATION_TOUCH, body_touch("small canary", 1), ids[i]);
        expect_no_bucket(fd, OPERATION_LIST, body_list(""), ids[i]);
    }
    raw_done(fd);
}
END_TEST

START_TEST(lifetimes_that_are_none_are_refused)
{
    static const int64_t ttls[] = {-2, TTL_MAX + 1, INT64_MIN, INT64_MAX};
    int fd = raw_open();

    for (int i = 0; i < 4; i++) {
        struct body body = body_put("small canary", "", 0, 1);

        memcpy(body.bytes + offsetof(struct put_request, ttl), &ttls[i], sizeof(ttls[i]));
        raw_call(fd, OPERATION_PUT, &body, -EINVAL);
        body = body_touch("small canary", ttls[i]);
        raw_call(fd, OPERATION_TOUCH, &body, -EINVAL);
    }
    harness_expect(raw_witness, "small canary", "tweet");
    raw_done(fd);
}
END_TEST

START_TEST(flags_of_a_put_are_known_ones)
{
    static const uint32_t fields[][2] = {{0x2, 0}, {PUT_EPHEMERAL | 0x80000000U, 0}, {0, 1}};
    int fd = raw_open();

    for (int i = 0; i < 3; i++) {
        struct body body = body_put("small canary", "", 0, 1);

        memcpy(body.bytes + offsetof(struct put_request, flags), fields[i], sizeof(fields[i]));
        raw_call(fd, OPERATION_PUT, &body, -EPROTO);
    }
    harness_expect(raw_witness, "small canary", "tweet");
    raw_done(fd);
}
END_TEST

START_TEST(ranges_beyond_the_end_are_refused)
{
    struct body body = body_get("small canary", 6, 1);
    int fd = raw_open();

    raw_call(fd, OPERATION_GET, &body, -ERANGE);
    body = body_get("small canary", 6, 0);
    raw_call(fd, OPERATION_GET, &body, -ERANGE);
    body = body_get("small canary", UINT64_MAX, UINT64_MAX);
    raw_call(fd, OPERATION_GET, &body, -ERANGE);
    body = body_get("small canary", UINT64_MAX - 1, 3);
    raw_call(fd, OPERATION_GET, &body, -ERANGE);
    body = body_get("small canary", 5, UINT64_MAX);
    raw_call(fd, OPERATION_GET, &body, 0);
    ck_assert_uint_eq(raw_answer.length, sizeof(struct object_info));
    body = body_get("small canary", 3, UINT64_MAX - 1);
    raw_call(fd, OPERATION_GET, &body, 0);
    ck_assert_uint_eq(raw_answer.length, sizeof(struct object_info) + 2);
    raw_done(fd);
}
END_TEST

static void put_block(int fd, const struct body *block, int status)
{
    struct body body = body_put("small canary", block->bytes, block->length, 10);

    raw_call(fd, OPERATION_PUT, &body, status);
}

START_TEST(wrong_metadata_is_refused)
{
    static const char *const descending[] = {"b=1", "a=2", NULL};
    static const char *const twice[] = {"a=1", "a=2", NULL};
    static const char *const prefix_last[] = {"ab=1", "a=2", NULL};
    static const char *const unsigned_order[] = {"\xc3\xa9=1", "z=2", NULL};
    static const char *const good[] = {"a=1", "b=2", NULL};
    static const char *const *const blocks[] = {descending, twice, prefix_last, unsigned_order};
    struct body block;
    int fd = raw_open();

    for (int i = 0; i < 4; i++) {
        block = body_metadata(blocks[i]);
        put_block(fd, &block, -EINVAL);
    }
    block = body_metadata(good);
    block.bytes[sizeof(struct metadata_entry)] = '\0'; /* a NUL for a name */
    put_block(fd, &block, -EINVAL);
    block = body_metadata(good);
    block.bytes[sizeof(struct metadata_entry) + 1] = '\0'; /* and for a value */
    put_block(fd, &block, -EINVAL);
    block = body_metadata(good);
    block.length -= 1;
    put_block(fd, &block, -EINVAL);
    block.length = 2;
    put_block(fd, &block, -EINVAL);
    block.length = sizeof(struct metadata_entry);
    put_block(fd, &block, -EINVAL);
    harness_expect(raw_witness, "small canary", "tweet");
    block = body_metadata(good);
    put_block(fd, &block, 0);
    harness_put(raw_witness, "small canary", "tweet");
    raw_done(fd);
}
END_TEST

START_TEST(attributes_too_long_are_refused)
{
    struct metadata_entry entry = {.name_length = 1, .value_length = METADATA_MAX - 4};
    struct put_request request = {.bucket = raw_bucket, .key_length = 1, .type_length = 1025};
    struct body block = {.length = 0};
    struct body body = {.length = 0};
    int fd = raw_open();

    body_add(&block, &entry, sizeof(entry));
    body_add_filler(&block, METADATA_MAX - 3);
    body = body_put("k", block.bytes, block.length, 10);
    raw_call(fd, OPERATION_PUT, &body, -E2BIG);
    body.length = 0;
    body_add(&body, &request, sizeof(request));
    body_add_filler(&body, 1 + 1025);
    raw_call(fd, OPERATION_PUT, &body, -E2BIG);
    request.type_length = 3;
    body.length = 0;
    body_add(&body, &request, sizeof(request));
    body_add(&body, "kt\0t", 4); /* a NUL in the content type */
    raw_call(fd, OPERATION_PUT, &body, -EINVAL);
    ck_assert_int_eq(memstore_exists(raw_witness, "k", 1), 0);
    raw_done(fd);
}
END_TEST

/* ---- order ---- */

START_TEST(answers_come_in_the_order_of_requests)
{
    struct body put = body_put("ordered", "", 0, 10);
    struct body get = body_get("ordered", 0, UINT64_MAX);
    struct body list = body_list("ordered");
    struct frame_header headers[300];
    int fd = raw_open();

    for (int i = 0; i < 300; i++) {
        const struct body *bodies[] = {&put, &get, &list};
        static const uint16_t operations[] = {OPERATION_PUT, OPERATION_GET, OPERATION_LIST};

        headers[i] = raw_header(operations[i % 3], bodies[i % 3]->length);
        put.bytes[put.length - 1] = (uint8_t)i; /* each get sees the put before it */
        ck_assert(raw_send_frame(fd, &headers[i], bodies[i % 3]));
    }
    for (int i = 0; i < 300; i++) {
        raw_expect_answer(fd, &headers[i], 0);
        if (i % 3 == 1)
            ck_assert_uint_eq(raw_answer.body[raw_answer.length - 1], (uint8_t)(i - 1));
        if (i % 3 == 2)
            ck_assert_uint_eq(raw_answer.body[0], 1);
    }
    raw_done(fd);
}
END_TEST

/* Puts that come at once are committed together, and are changes of their own nonetheless. */
START_TEST(puts_of_one_moment_differ_in_version_and_time)
{
    struct body put = body_put("moment", "", 0, 1);
    struct object_info last = {.version = 0};
    struct frame_header headers[200];
    struct body frames = {.length = 0};
    int fd = raw_open();

    for (int i = 0; i < 200; i++) {
        headers[i] = raw_header(OPERATION_PUT, put.length);
        body_add(&frames, &headers[i], sizeof(headers[i]));
        body_add(&frames, put.bytes, put.length);
    }
    ck_assert(raw_send(fd, frames.bytes, frames.length));
    for (int i = 0; i < 200; i++) {
        struct object_info info;

        raw_expect_answer(fd, &headers[i], 0);
        ck_assert_uint_eq(raw_answer.length, sizeof(info));
        memcpy(&info, raw_answer.body, sizeof(info));
        ck_assert_uint_gt(info.version, last.version);
        ck_assert_int_gt(info.modified, last.modified);
        last = info;
    }
    raw_done(fd);
}
END_TEST

START_TEST(ids_are_the_clients_choice)
{
    static const uint64_t ids[] = {0, 0, UINT64_MAX, 1ULL << 63};
    int fd = raw_open();

    for (int i = 0; i < 4; i++) {
        struct frame_header header = raw_header(OPERATION_STATS, 0);

        header.id = ids[i];
        ck_assert(raw_send_frame(fd, &header, NULL));
        raw_expect_answer(fd, &header, 0);
        ck_assert_uint_eq(raw_answer.length, sizeof(struct stats_answer));
    }
    raw_done(fd);
}
END_TEST

START_TEST(clients_that_hang_up_are_forgotten)
{
    struct body body = body_get("canary", 0, 60000);

    for (int i = 0; i < 200; i++) {
        int fd = raw_open();

        for (int j = 0; j < i % 20; j++) {
            struct frame_header header = raw_header(OPERATION_GET, body.length);

            ck_assert(raw_send_frame(fd, &header, &body));
        }
        close(fd);
    }
}
END_TEST

/* ---- conditions ---- */

static struct body body_add_request(const char *key, uint16_t key_length, int64_t delta)
{
    struct add_request request = {.bucket = raw_bucket, .key_length = key_length, .delta = delta};
    struct body body = {.length = 0};

    body_add(&body, &request, sizeof(request));
    body_add(&body, key, strlen(key));
    return body;
}

static struct body with_condition(struct condition condition, struct body plain)
{
    struct body body = {.length = 0};

    body_add(&body, &condition, sizeof(condition));
    body_add(&body, plain.bytes, plain.length);
    return body;
}

static void call_with_flags(int fd, uint16_t operation, uint16_t flags, struct body body,
                            int status)
{
    struct frame_header header = raw_header(operation, body.length);

    header.flags = flags;
    ck_assert(raw_send_frame(fd, &header, &body));
    raw_expect_answer(fd, &header, status);
}

static void call_if(int fd, uint16_t operation, struct condition condition, struct body body,
                    int status)
{
    call_with_flags(fd, operation, FRAME_CONDITION, with_condition(condition, body), status);
}

/* The answer says so, and what is there. */
static void expect_conflict(uint64_t version)
{
    struct condition_failure failure;

    ck_assert_uint_eq(raw_answer.header.flags, FRAME_ANSWER | FRAME_CONDITION);
    ck_assert_uint_gt(raw_answer.length, sizeof(failure));
    memcpy(&failure, raw_answer.body, sizeof(failure));
    ck_assert_uint_eq(failure.version, version);
}

static uint64_t canary_version(void)
{
    struct memstore_object *object = NULL;
    uint64_t version;

    ck_assert_int_eq(memstore_info(raw_witness, "small canary", 12, &object), 0);
    version = memstore_object_version(object);
    memstore_object_free(object);
    return version;
}

static struct body body_of(uint16_t operation)
{
    switch (operation) {
    case OPERATION_PUT:
        return body_put("small canary", "", 0, 10);
    case OPERATION_COPY:
    case OPERATION_MOVE:
        return body_pair("canary", "small canary");
    case OPERATION_GET:
        return body_get("small canary", 0, UINT64_MAX);
    case OPERATION_LIST:
        return body_list("");
    case OPERATION_ADD:
        return body_add_request("small canary", 12, 1);
    case OPERATION_TOUCH:
        return body_touch("small canary", TTL_NEVER);
    default:
        return body_key("small canary");
    }
}

START_TEST(conditions_that_fail_are_told_with_the_version)
{
    static const uint16_t changes[] = {OPERATION_PUT,  OPERATION_DELETE, OPERATION_COPY,
                                       OPERATION_MOVE, OPERATION_ADD,    OPERATION_TOUCH};
    uint64_t version = canary_version();
    const struct condition newer = {.kinds = CONDITION_NOT_VERSION, .version = version};
    const struct condition other = {.kinds = CONDITION_VERSION, .version = version - 1};
    int fd = raw_open();

    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct body body = body_of(changes[i]);

        call_if(fd, changes[i], (struct condition){.kinds = CONDITION_ABSENT}, body, -EEXIST);
        expect_conflict(version);
        call_if(fd, changes[i], other, body, -ESTALE);
        expect_conflict(version);
        call_if(fd, changes[i], (struct condition){.kinds = CONDITION_ETAG}, body, -ESTALE);
        expect_conflict(version);
    }
    call_if(fd, OPERATION_DELETE, (struct condition){.kinds = CONDITION_PRESENT}, body_key("none"),
            -ENOENT);
    expect_conflict(0);
    call_if(fd, OPERATION_DELETE, (struct condition){.kinds = CONDITION_ABSENT}, body_key("none"),
            -ENOENT);
    ck_assert_uint_eq(raw_answer.header.flags, FRAME_ANSWER); /* that condition holds */
    call_if(fd, OPERATION_GET, newer, body_get("small canary", 0, UINT64_MAX), -EALREADY);
    expect_conflict(version);
    call_if(fd, OPERATION_INFO, newer, body_key("small canary"), -EALREADY);
    expect_conflict(version);
    call_if(fd, OPERATION_INFO, other, body_key("small canary"), -EINVAL);
    call_if(fd, OPERATION_INFO, (struct condition){.kinds = CONDITION_NOT_VERSION},
            body_key("small canary"), 0);
    call_if(fd, OPERATION_GET, newer, body_get("none", 0, UINT64_MAX), -ENOENT);
    ck_assert_uint_eq(raw_answer.header.flags, FRAME_ANSWER);
    harness_expect(raw_witness, "small canary", "tweet");
    raw_done(fd);
}
END_TEST

START_TEST(conditions_that_contradict_themselves_are_refused)
{
    static const uint16_t changes[] = {OPERATION_PUT,  OPERATION_DELETE, OPERATION_COPY,
                                       OPERATION_MOVE, OPERATION_ADD,    OPERATION_TOUCH};
    const struct condition wrong[] = {
        {.kinds = 0},
        {.kinds = 32},
        {.kinds = UINT32_MAX},
        {.kinds = CONDITION_PRESENT | 1U << 31},
        {.kinds = CONDITION_ABSENT | CONDITION_PRESENT},
        {.kinds = CONDITION_ABSENT | CONDITION_VERSION, .version = 1},
        {.kinds = CONDITION_ABSENT | CONDITION_ETAG},
        {.kinds = CONDITION_NOT_VERSION, .version = 1},
        {.kinds = CONDITION_VERSION | CONDITION_NOT_VERSION, .version = 1},
        {.kinds = CONDITION_VERSION},
        {.kinds = CONDITION_VERSION | CONDITION_PRESENT},
    };
    int fd = raw_open();

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        for (size_t j = 0; j < sizeof(changes) / sizeof(changes[0]); j++)
            call_if(fd, changes[j], wrong[i], body_of(changes[j]), -EINVAL);
        if (wrong[i].kinds != CONDITION_NOT_VERSION)
            call_if(fd, OPERATION_GET, wrong[i], body_of(OPERATION_GET), -EINVAL);
    }
    harness_expect(raw_witness, "small canary", "tweet");
    raw_done(fd);
}
END_TEST

START_TEST(conditions_that_are_malformed_are_refused)
{
    static const uint16_t none[] = {OPERATION_EXISTS, OPERATION_LIST, OPERATION_STATS,
                                    OPERATION_HOLDERS};
    const struct condition present = {.kinds = CONDITION_PRESENT};
    const struct condition reserved = {.kinds = CONDITION_PRESENT, .reserved = 1};
    struct body whole = with_condition(present, body_of(OPERATION_DELETE));
    int fd = raw_open();

    for (size_t cut = 0; cut < whole.length; cut++) {
        struct body body = whole;

        body.length = cut;
        call_with_flags(fd, OPERATION_DELETE, FRAME_CONDITION, body, -EPROTO);
    }
    call_if(fd, OPERATION_DELETE, reserved, body_of(OPERATION_DELETE), -EPROTO);
    /* One that is not announced, and one that does not belong there. */
    call_with_flags(fd, OPERATION_DELETE, 0, whole, -EPROTO);
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        call_if(fd, none[i], present, body_of(none[i]), -EPROTO);
    harness_expect(raw_witness, "small canary", "tweet");
    raw_done(fd);
}
END_TEST

START_TEST(add_that_is_malformed_is_refused)
{
    static const char key[KEY_MAX + 2] = "";
    struct body body = body_add_request("number", 6, INT64_MIN);
    struct add_answer sum;
    int fd = raw_open();

    raw_call(fd, OPERATION_ADD, &body, 0);
    memcpy(&sum, raw_answer.body, sizeof(sum));
    ck_assert_int_eq(sum.value, INT64_MIN);
    ck_assert_uint_eq(raw_answer.length, sizeof(sum) + sizeof(struct object_info));
    for (size_t cut = 0; cut < body.length; cut++) {
        struct body part = body;

        part.length = cut;
        raw_call(fd, OPERATION_ADD, &part, -EPROTO);
    }
    body_add(&body, "", 1);
    raw_call(fd, OPERATION_ADD, &body, -EPROTO);
    body = body_add_request("number", 6, 1);
    body.bytes[offsetof(struct add_request, reserved)] = 1;
    raw_call(fd, OPERATION_ADD, &body, -EPROTO);
    body = body_add_request("", KEY_MAX + 1, 1);
    body_add(&body, key, KEY_MAX + 1);
    raw_call(fd, OPERATION_ADD, &body, -ENAMETOOLONG);
    body = body_add_request("number", 6, 1);
    memset(body.bytes, 0xff, sizeof(uint32_t)); /* another bucket */
    raw_call(fd, OPERATION_ADD, &body, -ENXIO);
    body = body_add_request("small canary", 12, 1);
    raw_call(fd, OPERATION_ADD, &body, -EINVAL);
    harness_expect(raw_witness, "number", "-9223372036854775808");
    ck_assert_int_eq(memstore_delete(raw_witness, "number", 6), 0);
    raw_done(fd);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("protocol");
    TCase *frames = tcase_create("frames");
    TCase *bodies = tcase_create("bodies");

    tcase_add_checked_fixture(frames, raw_setup, raw_teardown);
    suite_add_tcase(s, frames);
    tcase_add_checked_fixture(bodies, raw_setup, raw_teardown);
    suite_add_tcase(s, bodies);
    tcase_add_loop_test(frames, hello_agrees_on_a_version, 0, 4);
    tcase_add_loop_test(frames, hello_of_another_version_is_refused, 0, 3);
    tcase_add_test(frames, hello_to_a_bucket_that_does_not_exist_is_refused);
    tcase_add_test(frames, hello_that_is_malformed_is_refused);
    tcase_add_test(frames, nothing_goes_before_hello);
    tcase_add_test(frames, hello_comes_once);
    tcase_add_loop_test(frames, impossible_length_ends_the_connection, 0, 12);
    tcase_add_loop_test(frames, garbage_ends_the_connection, 0, 3);
    tcase_add_test(frames, truncated_frames_end_with_their_connection);
    tcase_add_test(frames, frames_arrive_byte_by_byte);
    tcase_add_test(frames, largest_frame_is_taken);
    tcase_add_test(frames, unknown_operations_are_told);
    tcase_add_test(frames, unknown_flags_are_refused);
    tcase_add_test(frames, what_is_chained_to_an_answer_that_does_not_fit_is_not_done);
    tcase_add_test(frames, header_fields_without_meaning_must_be_zero);
    tcase_add_test(frames, answers_come_in_the_order_of_requests);
    tcase_add_test(frames, puts_of_one_moment_differ_in_version_and_time);
    tcase_add_test(frames, ids_are_the_clients_choice);
    tcase_add_test(frames, clients_that_hang_up_are_forgotten);
    tcase_add_test(bodies, bodies_must_be_as_long_as_they_say);
    tcase_add_test(bodies, reserved_fields_must_be_zero);
    tcase_add_test(bodies, lengths_that_overflow_are_refused);
    tcase_add_test(bodies, keys_too_long_are_refused);
    tcase_add_test(bodies, buckets_that_do_not_exist_are_refused);
    tcase_add_test(bodies, lifetimes_that_are_none_are_refused);
    tcase_add_test(bodies, flags_of_a_put_are_known_ones);
    tcase_add_test(bodies, ranges_beyond_the_end_are_refused);
    tcase_add_test(bodies, wrong_metadata_is_refused);
    tcase_add_test(bodies, attributes_too_long_are_refused);
    tcase_add_test(bodies, conditions_that_fail_are_told_with_the_version);
    tcase_add_test(bodies, conditions_that_contradict_themselves_are_refused);
    tcase_add_test(bodies, conditions_that_are_malformed_are_refused);
    tcase_add_test(bodies, add_that_is_malformed_is_refused);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
