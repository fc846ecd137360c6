/* What those who wait for others may say and do, at the level of the protocol. */
#include "tests/raw.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- short forms ---- */

static struct body body_wait(const char *key, uint16_t until, uint64_t version)
{
    struct wait_request request = {.bucket = raw_bucket,
                                   .key_length = (uint16_t)strlen(key),
                                   .until = until,
                                   .version = version};
    struct body body = {.length = 0};

    body_add(&body, &request, sizeof(request));
    body_add(&body, key, strlen(key));
    return body;
}

/* Sends a request whose answer is to come later. */
static struct frame_header send_request(int fd, uint16_t operation, const struct body *body)
{
    struct frame_header header = raw_header(operation, body->length);

    ck_assert(raw_send_frame(fd, &header, body));
    return header;
}

static bool as_many_wait(void *argument)
{
    return harness_stats(raw_witness).waiting == *(size_t *)argument;
}

static void await_waiting(size_t count)
{
    harness_await(as_many_wait, &count, "the number of those who wait");
}

static struct object_info answered_info(void)
{
    struct object_info info;

    ck_assert_uint_eq(raw_answer.length, sizeof(info));
    memcpy(&info, raw_answer.body, sizeof(info));
    return info;
}

/* ---- WAIT ---- */

START_TEST(wait_is_answered_at_once_where_it_holds)
{
    struct body body = body_wait("small canary", WAIT_EXISTS, 0);
    struct object_info info;
    int fd = raw_open();

    raw_call(fd, OPERATION_WAIT, &body, 0);
    info = answered_info();
    ck_assert_uint_eq(info.size, 5);
    body = body_wait("small canary", WAIT_CHANGED, info.version + 1);
    raw_call(fd, OPERATION_WAIT, &body, 0);
    ck_assert_uint_eq(answered_info().version, info.version);
    body = body_wait("none", WAIT_GONE, 0);
    raw_call(fd, OPERATION_WAIT, &body, 0);
    ck_assert_uint_eq(raw_answer.length, 0);
    body = body_wait("none", WAIT_CHANGED, 1);
    raw_call(fd, OPERATION_WAIT, &body, 0);
    ck_assert_uint_eq(raw_answer.length, 0);
    raw_done(fd);
}
END_TEST

START_TEST(malformed_waits_are_refused)
{
    static const uint16_t untils[] = {0, 4, 255, 65535};
    struct body body;
    int fd = raw_open();

    for (size_t i = 0; i < 4; i++) {
        body = body_wait("small canary", untils[i], 0);
        raw_call(fd, OPERATION_WAIT, &body, -EPROTO);
    }
    body = body_wait("small canary", WAIT_EXISTS, 1);
    raw_call(fd, OPERATION_WAIT, &body, -EPROTO);
    body = body_wait("none", WAIT_GONE, 1);
    raw_call(fd, OPERATION_WAIT, &body, -EPROTO);
    body = body_wait("small canary", WAIT_EXISTS, 0);
    body_add_filler(&body, 1);
    raw_call(fd, OPERATION_WAIT, &body, -EPROTO);
    body.length -= 2;
    raw_call(fd, OPERATION_WAIT, &body, -EPROTO);
    body.length = sizeof(struct wait_request) - 1;
    raw_call(fd, OPERATION_WAIT, &body, -EPROTO);
    raw_call(fd, OPERATION_WAIT, NULL, -EPROTO);
    raw_done(fd);
}
END_TEST

START_TEST(wait_for_a_key_too_long_or_in_no_bucket_is_refused)
{
    char key[KEY_MAX + 2] = {0};
    struct body body;
    int fd = raw_open();

    memset(key, 'k', KEY_MAX + 1);
    body = body_wait(key, WAIT_GONE, 0);
    raw_call(fd, OPERATION_WAIT, &body, -ENAMETOOLONG);
    key[KEY_MAX] = '\0';
    body = body_wait(key, WAIT_GONE, 0);
    raw_call(fd, OPERATION_WAIT, &body, 0);
    body.bytes[0] ^= 0xff;
    raw_call(fd, OPERATION_WAIT, &body, -ENOENT);
    ck_assert_uint_gt(raw_answer.length, 0);
    ck_assert_uint_eq(harness_stats(raw_witness).waiting, 0);
    raw_done(fd);
}
END_TEST

START_TEST(bulk_is_not_for_waits)
{
    struct body body = body_wait("small canary", WAIT_EXISTS, 0);
    int fd = raw_open();

    raw_call_bulk(fd, OPERATION_WAIT, &body, 0, 1, -EPROTO);
    raw_done(fd);
}
END_TEST

/* What comes behind a wait waits as well, however much it is. */
START_TEST(requests_behind_a_wait_come_after_it)
{
    struct body wait = body_wait("later", WAIT_EXISTS, 0);
    struct body exists = body_key("later");
    struct frame_header first, second;
    int fd = raw_open();

    first = send_request(fd, OPERATION_WAIT, &wait);
    second = send_request(fd, OPERATION_EXISTS, &exists);
    await_waiting(1);
    for (int i = 0; i < 10; i++)
        raw_expect_witness();
    ck_assert_int_eq(recv(fd, &(char){0}, 1, MSG_DONTWAIT), -1);
    harness_put(raw_witness, "later", "x");
    raw_expect_answer(fd, &first, 0);
    raw_expect_answer(fd, &second, 0);
    raw_done(fd);
}
END_TEST

/* In one piece, and so in one turn of the daemon. */
START_TEST(wait_sees_what_its_own_client_did_before)
{
    struct body put = body_put("own", "", 0, 3);
    struct body wait = body_wait("own", WAIT_EXISTS, 0);
    struct frame_header headers[2];
    struct body frames = {.length = 0};
    int fd = raw_open();

    headers[0] = raw_header(OPERATION_PUT, put.length);
    body_add(&frames, &headers[0], sizeof(headers[0]));
    body_add(&frames, put.bytes, put.length);
    headers[1] = raw_header(OPERATION_WAIT, wait.length);
    body_add(&frames, &headers[1], sizeof(headers[1]));
    body_add(&frames, wait.bytes, wait.length);
    ck_assert(raw_send(fd, frames.bytes, frames.length));
    raw_expect_answer(fd, &headers[0], 0);
    raw_expect_answer(fd, &headers[1], 0);
    ck_assert_uint_eq(answered_info().size, 3);
    raw_done(fd);
}
END_TEST

START_TEST(flood_behind_a_wait_is_not_taken_in)
{
    struct body wait = body_wait("never", WAIT_EXISTS, 0);
    struct body exists = body_key("small canary");
    struct frame_header header;
    int fd = raw_open();

    send_request(fd, OPERATION_WAIT, &wait);
    await_waiting(1);
    header = raw_header(OPERATION_EXISTS, exists.length);
    for (;;) {
        uint8_t frame[sizeof(header) + 64];

        memcpy(frame, &header, sizeof(header));
        memcpy(frame + sizeof(header), exists.bytes, exists.length);
        if (send(fd, frame, sizeof(header) + exists.length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
            break;
    }
    ck_assert_int_eq(errno, EAGAIN);
    raw_expect_witness();
    raw_expect_memory_bounded();
    close(fd);
    await_waiting(0);
}
END_TEST

/* Who says that nothing more comes from it is taken for gone: so its death is seen at once. */
START_TEST(who_hangs_up_waits_no_longer)
{
    struct body wait = body_wait("never", WAIT_EXISTS, 0);
    int fds[50];

    for (int i = 0; i < 50; i++) {
        fds[i] = raw_open();
        send_request(fds[i], OPERATION_WAIT, &wait);
    }
    await_waiting(50);
    for (int i = 0; i < 50; i++) {
        if (i % 2 == 0)
            close(fds[i]);
        else
            shutdown(fds[i], SHUT_WR);
    }
    await_waiting(0);
    for (int i = 1; i < 50; i += 2)
        raw_expect_closed(fds[i]);
}
END_TEST

/* The request and the end come together. */
START_TEST(who_asks_and_hangs_up_at_once_does_not_wait)
{
    struct body wait = body_wait("never", WAIT_EXISTS, 0);

    for (int i = 0; i < 200; i++) {
        int fd = raw_open();

        send_request(fd, OPERATION_WAIT, &wait);
        close(fd);
    }
    await_waiting(0);
    harness_put(raw_witness, "never", "x");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("waiting");
    TCase *waits = tcase_create("waits");

    tcase_add_checked_fixture(waits, raw_setup, raw_teardown);
    suite_add_tcase(s, waits);
    tcase_add_test(waits, wait_is_answered_at_once_where_it_holds);
    tcase_add_test(waits, malformed_waits_are_refused);
    tcase_add_test(waits, wait_for_a_key_too_long_or_in_no_bucket_is_refused);
    tcase_add_test(waits, bulk_is_not_for_waits);
    tcase_add_test(waits, requests_behind_a_wait_come_after_it);
    tcase_add_test(waits, wait_sees_what_its_own_client_did_before);
    tcase_add_test(waits, flood_behind_a_wait_is_not_taken_in);
    tcase_add_test(waits, who_hangs_up_waits_no_longer);
    tcase_add_test(waits, who_asks_and_hangs_up_at_once_does_not_wait);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
