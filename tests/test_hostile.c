/*
 * Clients that wait, that flood, that come in crowds, and that send anything at all: the daemon
 * goes on for the others, and its memory stays bounded.
 */
#include "tests/raw_ring.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- clients that wait ---- */

static void expect_closed_after_half_a_frame(size_t sent)
{
    struct body body = body_put("small canary", "", 0, 1000);
    struct frame_header header = raw_header(OPERATION_PUT, body.length);
    uint8_t frame[sizeof(header) + sizeof(body.bytes)];
    int fd = raw_open();

    memcpy(frame, &header, sizeof(header));
    memcpy(frame + sizeof(header), body.bytes, body.length);
    ck_assert(raw_send(fd, frame, sent));
    raw_expect_witness();
    raw_expect_closed(fd);
}

START_TEST(half_a_frame_is_not_waited_for_for_ever)
{
    int idle = raw_open();

    expect_closed_after_half_a_frame(1);
    expect_closed_after_half_a_frame(sizeof(struct frame_header));
    expect_closed_after_half_a_frame(500);
    raw_done(idle); /* who owes nothing may stay */
}
END_TEST

START_TEST(hello_is_not_waited_for_for_ever)
{
    int fds[20];

    for (int i = 0; i < 20; i++)
        fds[i] = raw_connect();
    raw_expect_witness();
    for (int i = 0; i < 20; i++)
        raw_expect_closed(fds[i]);
}
END_TEST

/* Something always comes, and never enough. */
START_TEST(frames_that_drip_are_not_waited_for_for_ever)
{
    struct frame_header header = raw_header(OPERATION_PUT, BODY_MAX);
    int64_t deadline = harness_now() + (int64_t)(harness_seconds(20) * 1000);
    int fd = raw_open();

    ck_assert(raw_send(fd, &header, sizeof(header)));
    while (raw_send(fd, "d", 1)) {
        ck_assert_msg(harness_now() < deadline, "still open");
        poll(NULL, 0, 50);
    }
    raw_expect_closed(fd);
}
END_TEST

/* As send, without waiting. */
static ssize_t send_now(int fd, const void *bytes, size_t length)
{
    size_t n;

    if (!raw_ring_of(fd))
        return send(fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    errno = EPIPE;
    if (raw_is_closed(fd))
        return -1;
    errno = EAGAIN;
    n = raw_ring_put(fd, bytes, length);
    return n > 0 ? (ssize_t)n : -1;
}

/* Sends a frame again and again as long as the other side takes it, from where it got to. True when
 * the other side has closed the connection. */
static bool flood(int fd, const uint8_t *frame, size_t length, size_t *at)
{
    for (;;) {
        ssize_t n = send_now(fd, frame + *at, length - *at);

        if (n < 0)
            return errno != EAGAIN;
        *at = (*at + (size_t)n) % length;
    }
}

/* Twenty clients that send requests without end and read no answer. */
static void expect_flood_is_bounded(const struct frame_header *header, const struct body *body)
{
    int64_t deadline = harness_now() + (int64_t)(harness_seconds(40) * 1000);
    uint8_t frame[sizeof(*header) + sizeof(body->bytes)];
    size_t length = sizeof(*header) + body->length;
    size_t at[20] = {0};
    int fds[20];
    int open_ones = 20;

    memcpy(frame, header, sizeof(*header));
    memcpy(frame + sizeof(*header), body->bytes, body->length);
    for (int i = 0; i < 20; i++)
        fds[i] = raw_open();
    while (open_ones > 0) {
        for (int i = 0; i < 20; i++) {
            if (fds[i] >= 0 && flood(fds[i], frame, length, &at[i])) {
                close(fds[i]);
                fds[i] = -1;
                open_ones--;
            }
        }
        raw_expect_witness();
        raw_expect_memory_bounded();
        ck_assert_msg(harness_now() < deadline, "%d are still connected", open_ones);
    }
}

START_TEST(unread_answers_are_not_kept_for_ever)
{
    struct body small = {.length = 0};
    struct body get = body_get("canary", 0, 60000);
    struct body list = body_list("");
    struct frame_header header;

    if (_i == 0) {
        header = raw_header(OPERATION_STATS, 0);
        expect_flood_is_bounded(&header, &small);
    } else if (_i == 1) {
        header = raw_header(OPERATION_GET, get.length);
        expect_flood_is_bounded(&header, &get);
    } else {
        header = raw_header(OPERATION_LIST, list.length);
        expect_flood_is_bounded(&header, &list);
    }
}
END_TEST

/* ---- too many ---- */

/* Whether a new client is taken in. */
static bool is_welcome(void *argument)
{
    struct body body = body_hello(1, 1, "default");
    struct frame_header header = raw_header(OPERATION_HELLO, body.length);
    int fd = raw_connect();
    bool welcome;

    (void)argument;
    welcome =
        raw_send_frame(fd, &header, &body) && raw_receive(fd) && raw_answer.header.status == 0;
    close(fd);
    return welcome;
}

START_TEST(too_many_clients_are_told)
{
    struct rlimit few = {.rlim_cur = 64, .rlim_max = 64};
    int fds[100];
    int answered = 0;

    ck_assert_int_eq(prlimit(raw_server->pid, RLIMIT_NOFILE, &few, NULL), 0);
    for (int i = 0; i < 100; i++)
        fds[i] = raw_connect();
    raw_expect_witness();
    for (int i = 0; i < 100; i++) {
        struct body body = body_hello(1, 1, "default");
        struct frame_header header = raw_header(OPERATION_HELLO, body.length);

        raw_send_frame(fds[i], &header, &body);
        if (!raw_receive(fds[i]))
            continue;
        ck_assert(raw_answer.header.status == 0 || raw_answer.header.status == -EUSERS);
        answered += raw_answer.header.status == 0;
    }
    ck_assert_int_gt(answered, 20);
    ck_assert_int_lt(answered, 64);
    raw_expect_witness();
    for (int i = 0; i < 100; i++)
        close(fds[i]);
    harness_await(is_welcome, NULL, "room for clients again");
}
END_TEST

/* ---- at random ---- */

static uint64_t random_state;

static uint64_t random_number(void)
{
    harness_fill(&random_state, sizeof(random_state), random_state);
    return random_state;
}

/* A good request, of any kind, on keys that no test looks at. */
static struct body random_good(uint16_t *ret_operation, struct frame_header *header)
{
    static const char *const entries[] = {"a=1", "b=2", NULL};
    struct body block = body_metadata(entries);

    *ret_operation = (uint16_t)(OPERATION_HELLO + random_number() % OPERATION_STATS);
    switch (*ret_operation) {
    case OPERATION_HELLO:
        return body_hello(1, 1, "default");
    case OPERATION_PUT:
        header->flags = random_number() % 3 == 0 ? FRAME_BULK : 0;
        return body_put("fuzz", block.bytes, block.length, header->flags ? 0 : 100);
    case OPERATION_GET:
        header->flags = random_number() % 3 == 0 ? FRAME_BULK : 0;
        return body_get("fuzz", 0, random_number() % 200);
    case OPERATION_EXISTS:
    case OPERATION_DELETE:
    case OPERATION_INFO:
        return body_key("fuzz");
    case OPERATION_LIST:
        header->flags = random_number() % 3 == 0 ? FRAME_BULK : 0;
        return body_list("fuzz");
    case OPERATION_COPY:
    case OPERATION_MOVE:
        return body_pair("fuzz", "fuzzy");
    default:
        return (struct body){.length = 0};
    }
}

/* A good request with some of its bytes changed; its length is mostly left alone. */
static size_t random_mutation(uint8_t *frame)
{
    struct frame_header header = raw_header(0, 0);
    struct body body = random_good(&header.operation, &header);
    size_t length = sizeof(header) + body.length;

    header.length = (uint32_t)length;
    header.bulk_length = header.flags ? (uint32_t)(random_number() % 5000) : 0;
    memcpy(frame, &header, sizeof(header));
    memcpy(frame + sizeof(header), body.bytes, body.length);
    for (uint64_t changes = random_number() % 4; changes > 0; changes--) {
        size_t at = random_number() % length;

        if (at < sizeof(header.length) && random_number() % 8)
            continue;
        frame[at] = (uint8_t)random_number();
    }
    return length;
}

/* A frame of a right length with anything in it. */
static size_t random_frame(uint8_t *frame)
{
    size_t length = sizeof(struct frame_header) + random_number() % 300;
    uint32_t told = (uint32_t)length;

    harness_fill(frame, length, random_number());
    memcpy(frame, &told, sizeof(told));
    if (random_number() % 2)
        memset(frame + offsetof(struct frame_header, flags), 0, sizeof(uint16_t));
    if (random_number() % 2)
        frame[offsetof(struct frame_header, operation) + 1] = 0;
    return length;
}

/* Takes what answers there are, which must be whole and well-formed. */
static bool drain(int fd)
{
    while (raw_has_answer(fd)) {
        if (!raw_receive(fd))
            return false;
    }
    return true;
}

static void fuzz_connection(int memfd)
{
    int fd = raw_open();
    uint8_t frame[2048];

    raw_attach_fds(fd, &memfd, 1, 0);
    for (int i = 0; i < 50; i++) {
        size_t length = random_number() % 2 ? random_mutation(frame) : random_frame(frame);
        bool taken = random_number() % 16 ? raw_send(fd, frame, length)
                                          : raw_send_fds(fd, frame, length, &memfd, 1);

        if (!taken || !drain(fd))
            break;
    }
    close(fd);
}

START_TEST(random_frames_harm_nobody)
{
    int memfd = raw_buffer(4096);

    random_state = (uint64_t)_i;
    for (int i = 0; i < (harness_is_slow() ? 10 : 60); i++) {
        fuzz_connection(memfd);
        if (i % 10 == 0)
            raw_expect_witness();
    }
    close(memfd);
}
END_TEST

START_TEST(random_bytes_harm_nobody)
{
    random_state = 77;
    for (int i = 0; i < 200; i++) {
        uint8_t bytes[5000];
        int fd = i % 2 ? raw_connect() : raw_open();

        harness_fill(bytes, sizeof(bytes), random_number());
        raw_send(fd, bytes, random_number() % sizeof(bytes));
        shutdown(fd, SHUT_WR);
        raw_expect_closed(fd);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("hostile");
    TCase *waiting = tcase_create("waiting");
    TCase *crowds = tcase_create("crowds");
    TCase *random = tcase_create("random");

    tcase_add_checked_fixture(waiting, raw_setup_impatient, raw_teardown);
    suite_add_tcase(s, waiting);
    tcase_add_checked_fixture(crowds, raw_setup, raw_teardown);
    suite_add_tcase(s, crowds);
    tcase_add_checked_fixture(random, raw_setup, raw_teardown);
    suite_add_tcase(s, random);
    tcase_add_test(waiting, half_a_frame_is_not_waited_for_for_ever);
    tcase_add_test(waiting, hello_is_not_waited_for_for_ever);
    tcase_add_test(waiting, frames_that_drip_are_not_waited_for_for_ever);
    tcase_add_loop_test(waiting, unread_answers_are_not_kept_for_ever, 0, 3);
    tcase_add_test(crowds, too_many_clients_are_told);
    tcase_add_loop_test(random, random_frames_harm_nobody, 0, 5);
    tcase_add_test(random, random_bytes_harm_nobody);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
