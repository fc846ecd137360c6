/* What those who wait for others may say and do, at the level of the protocol. */
#include "tests/raw.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
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

static struct body body_watch(const char *prefix, uint64_t from)
{
    struct watch_request request = {
        .bucket = raw_bucket, .prefix_length = (uint16_t)strlen(prefix), .from = from};
    struct body body = {.length = 0};

    body_add(&body, &request, sizeof(request));
    body_add(&body, prefix, strlen(prefix));
    return body;
}

static struct body body_lock(const char *name, uint8_t space, uint8_t flags)
{
    struct lock_request request = {.bucket = raw_bucket,
                                   .name_length = (uint16_t)strlen(name),
                                   .space = space,
                                   .flags = flags};
    struct body body = {.length = 0};

    body_add(&body, &request, sizeof(request));
    body_add(&body, name, strlen(name));
    return body;
}

static bool as_many_wait(void *argument)
{
    return harness_stats(raw_witness).waiting == *(size_t *)argument;
}

static bool as_many_watch(void *argument)
{
    return harness_stats(raw_witness).watching == *(size_t *)argument;
}

static void await_watching(size_t count)
{
    harness_await(as_many_watch, &count, "the number of those who watch");
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
    raw_call(fd, OPERATION_WAIT, &body, -ENXIO);
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

/* More than are told in one turn, and none of them does anything else that would wake the daemon.
 */
START_TEST(crowd_is_woken)
{
    enum { CROWD = 300 };
    struct body wait = body_wait("go", WAIT_EXISTS, 0);
    struct frame_header headers[CROWD];
    int fds[CROWD];

    for (int i = 0; i < CROWD; i++) {
        fds[i] = raw_open();
        headers[i] = send_request(fds[i], OPERATION_WAIT, &wait);
    }
    await_waiting(CROWD);
    harness_put(raw_witness, "go", "x");
    for (int i = 0; i < CROWD; i++)
        raw_expect_answer(fds[i], &headers[i], 0);
    for (int i = 0; i < CROWD; i++)
        close(fds[i]);
}
END_TEST

/* ---- WATCH ---- */

/* The next answer to the request is an event of that kind and key. */
static uint64_t expect_event(int fd, const struct frame_header *request, uint16_t kind,
                             const char *key)
{
    struct watch_event event;

    raw_expect_answer(fd, request, 0);
    ck_assert_uint_eq(raw_answer.length, sizeof(event) + strlen(key));
    memcpy(&event, raw_answer.body, sizeof(event));
    ck_assert_uint_eq(event.kind, kind);
    ck_assert_uint_eq(event.key_length, strlen(key));
    ck_assert_uint_eq(event.reserved, 0);
    ck_assert_int_eq(memcmp(raw_answer.body + sizeof(event), key, strlen(key)), 0);
    return event.version;
}

static uint64_t watch_from(int fd, const char *prefix, uint64_t from, struct frame_header *header)
{
    struct body body = body_watch(prefix, from);
    struct watch_answer answer;

    *header = send_request(fd, OPERATION_WATCH, &body);
    raw_expect_answer(fd, header, 0);
    ck_assert_uint_eq(raw_answer.length, sizeof(answer));
    memcpy(&answer, raw_answer.body, sizeof(answer));
    return answer.version;
}

START_TEST(events_are_answers_to_the_watch)
{
    struct frame_header header;
    int fd = raw_open();
    uint64_t begin = watch_from(fd, "new", WATCH_FROM_NOW, &header);
    uint64_t version;

    ck_assert_uint_eq(begin, harness_stats(raw_witness).version);
    harness_put(raw_witness, "new", "x");
    version = expect_event(fd, &header, EVENT_PUT, "new");
    ck_assert_uint_eq(version, begin + 1);
    ck_assert_int_eq(memstore_delete(raw_witness, "new", 3), 0);
    ck_assert_uint_eq(expect_event(fd, &header, EVENT_DELETE, "new"), version + 1);
    close(fd);
    fd = raw_open();
    ck_assert_uint_eq(watch_from(fd, "", begin, &header), begin);
    ck_assert_uint_eq(expect_event(fd, &header, EVENT_PUT, "new"), version);
    close(fd);
    fd = raw_open();
    ck_assert_uint_eq(watch_from(fd, "", UINT64_MAX - 1, &header), version + 1);
    ck_assert_uint_eq(expect_event(fd, &header, EVENT_GAP, ""), version + 1);
    close(fd);
}
END_TEST

START_TEST(malformed_watches_are_refused)
{
    struct body body = body_watch("", 0);
    char prefix[KEY_MAX + 2] = {0};
    int fd = raw_open();

    body_add_filler(&body, 1);
    raw_call(fd, OPERATION_WATCH, &body, -EPROTO);
    body.length -= 2;
    raw_call(fd, OPERATION_WATCH, &body, -EPROTO);
    raw_call(fd, OPERATION_WATCH, NULL, -EPROTO);
    body = body_watch("", 0);
    body.bytes[offsetof(struct watch_request, reserved)] = 1;
    raw_call(fd, OPERATION_WATCH, &body, -EPROTO);
    body = body_watch("", 0);
    raw_call_bulk(fd, OPERATION_WATCH, &body, 0, 1, -EPROTO);
    memset(prefix, 'k', KEY_MAX + 1);
    body = body_watch(prefix, 0);
    raw_call(fd, OPERATION_WATCH, &body, -ENAMETOOLONG);
    body = body_watch("", 0);
    body.bytes[0] ^= 0xff;
    raw_call(fd, OPERATION_WATCH, &body, -ENXIO);
    ck_assert_uint_gt(raw_answer.length, 0);
    ck_assert_uint_eq(harness_stats(raw_witness).watching, 0);
    raw_done(fd);
}
END_TEST

START_TEST(who_hangs_up_watches_no_longer)
{
    struct body watch = body_watch("", WATCH_FROM_NOW);
    int fds[50];

    for (int i = 0; i < 50; i++) {
        fds[i] = raw_open();
        send_request(fds[i], OPERATION_WATCH, &watch);
        if (i % 3 == 0)
            close(fds[i]);
    }
    for (int i = 0; i < 50; i++) {
        if (i % 3 == 1)
            close(fds[i]);
        else if (i % 3 == 2)
            shutdown(fds[i], SHUT_WR);
    }
    await_watching(0);
    harness_put(raw_witness, "key", "x");
    for (int i = 2; i < 50; i += 3)
        raw_expect_closed(fds[i]);
}
END_TEST

/* Each put is a commit, and an event of 548 bytes for each of them. */
START_TEST(watchers_who_never_read_cost_little)
{
    struct body watch = body_watch("", 0);
    char key[KEY_MAX + 1];
    int fds[50];

    memset(key, 'k', KEY_MAX);
    key[KEY_MAX] = '\0';
    for (int i = 0; i < 50; i++) {
        fds[i] = raw_open();
        send_request(fds[i], OPERATION_WATCH, &watch);
    }
    await_watching(50);
    for (int i = 0; i < 10000; i++)
        harness_put(raw_witness, key, "x");
    raw_expect_witness();
    raw_expect_memory_bounded();
    ck_assert_uint_eq(harness_stats(raw_witness).watching, 50);
    for (int i = 0; i < 50; i++)
        close(fds[i]);
    await_watching(0);
}
END_TEST

/* ---- LOCK, UNLOCK ---- */

static uint64_t answered_token(void)
{
    struct lock_answer answer;

    ck_assert_uint_eq(raw_answer.length, sizeof(answer));
    memcpy(&answer, raw_answer.body, sizeof(answer));
    return answer.token;
}

START_TEST(connection_has_one_lock)
{
    struct body one = body_lock("one", LOCK_NAMED, 0);
    struct body two = body_lock("two", LOCK_NAMED, 0);
    int fd = raw_open();
    uint64_t token;

    raw_call(fd, OPERATION_UNLOCK, NULL, -ENOLCK);
    raw_call(fd, OPERATION_LOCK, &one, 0);
    token = answered_token();
    ck_assert_uint_eq(token, harness_stats(raw_witness).version);
    raw_call(fd, OPERATION_LOCK, &one, -EALREADY);
    raw_call(fd, OPERATION_LOCK, &two, -EALREADY);
    raw_expect_alive(fd);
    raw_call(fd, OPERATION_UNLOCK, NULL, 0);
    ck_assert_uint_eq(raw_answer.length, 0);
    raw_call(fd, OPERATION_UNLOCK, NULL, -ENOLCK);
    raw_call(fd, OPERATION_LOCK, &two, 0);
    ck_assert_uint_gt(answered_token(), token);
    raw_call(fd, OPERATION_UNLOCK, NULL, 0);
    raw_done(fd);
}
END_TEST

START_TEST(malformed_locks_are_refused)
{
    struct body body = body_lock("name", LOCK_SPACES, 0);
    char name[KEY_MAX + 2] = {0};
    int fd = raw_open();

    raw_call(fd, OPERATION_LOCK, &body, -EPROTO);
    body = body_lock("name", 255, 0);
    raw_call(fd, OPERATION_LOCK, &body, -EPROTO);
    body = body_lock("name", LOCK_NAMED, 2);
    raw_call(fd, OPERATION_LOCK, &body, -EPROTO);
    body = body_lock("name", LOCK_NAMED, 0);
    raw_call_bulk(fd, OPERATION_LOCK, &body, 0, 1, -EPROTO);
    raw_call(fd, OPERATION_UNLOCK, &body, -EPROTO);
    body_add_filler(&body, 1);
    raw_call(fd, OPERATION_LOCK, &body, -EPROTO);
    body.length -= 2;
    raw_call(fd, OPERATION_LOCK, &body, -EPROTO);
    raw_call(fd, OPERATION_LOCK, NULL, -EPROTO);
    memset(name, 'n', KEY_MAX + 1);
    body = body_lock(name, LOCK_NAMED, 0);
    raw_call(fd, OPERATION_LOCK, &body, -ENAMETOOLONG);
    body = body_lock("name", LOCK_NAMED, 0);
    body.bytes[0] ^= 0xff;
    raw_call(fd, OPERATION_LOCK, &body, -ENXIO);
    ck_assert_uint_eq(harness_stats(raw_witness).locks, 0);
    raw_call(fd, OPERATION_UNLOCK, NULL, -ENOLCK);
    raw_done(fd);
}
END_TEST

START_TEST(spaces_are_apart)
{
    struct body named = body_lock("name", LOCK_NAMED, LOCK_NOW);
    struct body once = body_lock("name", LOCK_ONCE, LOCK_NOW);
    int first = raw_open(), second = raw_open(), third = raw_open();

    raw_call(first, OPERATION_LOCK, &named, 0);
    raw_call(second, OPERATION_LOCK, &named, -EBUSY);
    raw_call(second, OPERATION_LOCK, &once, 0);
    raw_call(third, OPERATION_LOCK, &once, -EBUSY);
    close(second);
    once = body_lock("name", LOCK_ONCE, 0);
    raw_call(third, OPERATION_LOCK, &once, 0);
    raw_call(first, OPERATION_UNLOCK, NULL, 0);
    raw_done(first);
    raw_done(third);
}
END_TEST

/* All in one piece: the put is done before the lock is given, and it is given up again. */
START_TEST(requests_around_a_lock_keep_their_order)
{
    struct body lock = body_lock("name", LOCK_NAMED, 0);
    struct body put = body_put("own", "", 0, 3);
    struct frame_header headers[4];
    const uint16_t operations[] = {OPERATION_PUT, OPERATION_LOCK, OPERATION_PUT, OPERATION_UNLOCK};
    struct body none = {.length = 0};
    const struct body *bodies[] = {&put, &lock, &put, &none};
    struct body frames = {.length = 0};
    uint64_t versions[3];
    int fd = raw_open();

    for (int i = 0; i < 4; i++) {
        headers[i] = raw_header(operations[i], bodies[i]->length);
        body_add(&frames, &headers[i], sizeof(headers[i]));
        body_add(&frames, bodies[i]->bytes, bodies[i]->length);
    }
    ck_assert(raw_send(fd, frames.bytes, frames.length));
    raw_expect_answer(fd, &headers[0], 0);
    versions[0] = answered_info().version;
    raw_expect_answer(fd, &headers[1], 0);
    versions[1] = answered_token();
    raw_expect_answer(fd, &headers[2], 0);
    versions[2] = answered_info().version;
    raw_expect_answer(fd, &headers[3], 0);
    ck_assert(versions[0] < versions[1] && versions[1] < versions[2]);
    ck_assert_uint_eq(harness_stats(raw_witness).locks, 0);
    raw_done(fd);
}
END_TEST

#define FULL_CLIENTS 64
#define FULL_PUTS 64 /* of each: together as many as one transaction takes */

/* Sends that many puts; the answers are for later. */
static void send_puts(int fd, struct frame_header headers[FULL_PUTS])
{
    struct body put = body_put("own", "", 0, 3);
    struct body frames = {.length = 0};

    for (int i = 0; i < FULL_PUTS; i++) {
        headers[i] = raw_header(OPERATION_PUT, put.length);
        body_add(&frames, &headers[i], sizeof(headers[i]));
        body_add(&frames, put.bytes, put.length);
    }
    ck_assert(raw_send(fd, frames.bytes, frames.length));
}

/* The token is a change too. The store takes more in one transaction from time to time. */
START_TEST(turn_that_is_full_has_locks)
{
    struct body lock = body_lock("name", LOCK_NAMED, 0);
    struct frame_header headers[FULL_CLIENTS][FULL_PUTS], header;
    int fds[FULL_CLIENTS], fd = raw_open();

    for (int i = 0; i < FULL_CLIENTS; i++)
        fds[i] = raw_open();
    for (int round = 0; round < 25; round++) {
        ck_assert_int_eq(kill(raw_server->pid, SIGSTOP), 0);
        for (int i = 0; i < FULL_CLIENTS; i++)
            send_puts(fds[i], headers[i]);
        header = send_request(fd, OPERATION_LOCK, &lock);
        ck_assert_int_eq(kill(raw_server->pid, SIGCONT), 0);
        raw_expect_answer(fd, &header, 0);
        ck_assert_uint_gt(answered_token(), 0);
        raw_call(fd, OPERATION_UNLOCK, NULL, 0);
        for (int i = 0; i < FULL_CLIENTS; i++)
            for (int j = 0; j < FULL_PUTS; j++)
                raw_expect_answer(fds[i], &headers[i][j], 0);
    }
    for (int i = 0; i < FULL_CLIENTS; i++)
        close(fds[i]);
    raw_done(fd);
}
END_TEST

START_TEST(who_hangs_up_leaves_the_line)
{
    struct body lock = body_lock("name", LOCK_NAMED, 0);
    struct frame_header header;
    int holder = raw_open();
    int fds[31];

    raw_call(holder, OPERATION_LOCK, &lock, 0);
    for (int i = 0; i < 31; i++) {
        fds[i] = raw_open();
        header = send_request(fds[i], OPERATION_LOCK, &lock);
    }
    await_waiting(31);
    for (int i = 0; i < 30; i++) {
        if (i % 2 == 0)
            close(fds[i]);
        else
            shutdown(fds[i], SHUT_WR);
    }
    await_waiting(1);
    shutdown(holder, SHUT_WR); /* the holder too */
    raw_expect_answer(fds[30], &header, 0);
    raw_done(fds[30]);
    raw_expect_closed(holder);
    for (int i = 1; i < 30; i += 2)
        raw_expect_closed(fds[i]);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("waiting");
    TCase *waits = tcase_create("waits");
    TCase *watches = tcase_create("watches");
    TCase *locks = tcase_create("locks");

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
    tcase_add_test(waits, crowd_is_woken);
    tcase_add_checked_fixture(watches, raw_setup, raw_teardown);
    tcase_set_timeout(watches, 60);
    suite_add_tcase(s, watches);
    tcase_add_test(watches, events_are_answers_to_the_watch);
    tcase_add_test(watches, malformed_watches_are_refused);
    tcase_add_test(watches, who_hangs_up_watches_no_longer);
    tcase_add_test(watches, watchers_who_never_read_cost_little);
    tcase_add_checked_fixture(locks, raw_setup, raw_teardown);
    suite_add_tcase(s, locks);
    tcase_add_test(locks, connection_has_one_lock);
    tcase_add_test(locks, malformed_locks_are_refused);
    tcase_add_test(locks, spaces_are_apart);
    tcase_add_test(locks, requests_around_a_lock_keep_their_order);
    tcase_add_test(locks, turn_that_is_full_has_locks);
    tcase_add_test(locks, who_hangs_up_leaves_the_line);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
