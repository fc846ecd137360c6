/* A daemon that answers those who wait, watch and lock with what memstored never would. */
#include "common/protocol.h"
#include "tests/harness.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* What is answered to anything but HELLO: an answer's body, and, if `more`, one behind it. */
static struct lie {
    size_t length;
    uint8_t body[64];
    bool more;
    size_t more_length;
    uint8_t more_body[64];
} lie;

static char liar_socket[108];
static struct memstore *store;
static pid_t liar;

/* ---- the daemon ---- */

static void answer(int fd, struct frame_header header, const void *body, size_t length)
{
    header.flags = FRAME_ANSWER;
    header.length = (uint32_t)(sizeof(header) + length);
    send(fd, &header, sizeof(header), MSG_NOSIGNAL);
    if (length > 0)
        send(fd, body, length, MSG_NOSIGNAL);
}

static void *serve(void *argument)
{
    const struct hello_answer hello = {.magic = PROTOCOL_MAGIC, .version = PROTOCOL_VERSION};
    int fd = (int)(intptr_t)argument;
    struct frame_header header;
    uint8_t body[BODY_MAX];

    while (recv(fd, &header, sizeof(header), MSG_WAITALL) == sizeof(header)) {
        size_t length = header.length - sizeof(header);

        if (length > 0 && recv(fd, body, length, MSG_WAITALL) != (ssize_t)length)
            break;
        if (header.operation == OPERATION_HELLO) {
            answer(fd, header, &hello, sizeof(hello));
            continue;
        }
        answer(fd, header, lie.body, lie.length);
        if (lie.more)
            answer(fd, header, lie.more_body, lie.more_length);
    }
    close(fd);
    return NULL;
}

static int run(int index, void *listener)
{
    pthread_t thread;
    int fd;

    (void)index;
    while ((fd = accept(*(int *)listener, NULL, NULL)) >= 0)
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) != 0)
            return 1;
    return 1;
}

static void start_liar(void)
{
    const struct memstore_options options = {
        .size = sizeof(options), .socket = liar_socket, .reads = MEMSTORE_READS_SOCKET};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    snprintf(liar_socket, sizeof(liar_socket), "%s/liar", harness_folder);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", liar_socket);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(fd, 16), 0);
    liar = harness_fork(run, 0, &fd);
    close(fd);
    ck_assert_msg(memstore_open(&options, &store) == 0, "%s", memstore_message());
}

static void teardown(void)
{
    memstore_close(store);
    kill(liar, SIGKILL);
    waitpid(liar, NULL, 0);
    harness_teardown();
}

static void expect_protocol_error(int r)
{
    ck_assert_msg(r == -EPROTO, "%d: %s", r, memstore_message());
    ck_assert_ptr_nonnull(strstr(memstore_message(), "protocol"));
}

/* ---- lies ---- */

static void say(const void *body, size_t length)
{
    memcpy(lie.body, body, length);
    lie.length = length;
}

START_TEST(lies_about_waits_and_locks)
{
    const struct object_info info = {.type_length = NO_CONTENT_TYPE, .version = 7};
    struct memstore_lock *lock;

    say(&info, _i == 0 ? 0 : sizeof(info) - (_i == 3));
    start_liar();
    switch (_i) {
    case 0: /* there is none */
        expect_protocol_error(memstore_wait(store, "k", 1, MEMSTORE_UNTIL_EXISTS, 0, 5000, NULL));
        break;
    case 1: /* there is one */
        expect_protocol_error(memstore_wait(store, "k", 1, MEMSTORE_UNTIL_GONE, 0, 5000, NULL));
        break;
    case 2: /* the one that is known */
        expect_protocol_error(memstore_wait(store, "k", 1, MEMSTORE_UNTIL_CHANGED, 7, 5000, NULL));
        break;
    case 3: /* half of one */
        expect_protocol_error(memstore_wait(store, "k", 1, MEMSTORE_UNTIL_EXISTS, 0, 5000, NULL));
        break;
    default:
        expect_protocol_error(memstore_lock(store, "k", 1, 5000, &lock));
    }
}
END_TEST

START_TEST(lies_instead_of_a_watch)
{
    struct memstore_watch *watch;

    lie.length = sizeof(struct watch_answer) - 1;
    start_liar();
    expect_protocol_error(memstore_watch(store, "p", 1, MEMSTORE_FROM_NOW, &watch));
}
END_TEST

static const struct {
    struct watch_event event;
    const char *key;
} false_events[] = {
    {{.version = 99, .kind = EVENT_PUT, .key_length = 2}, "pa"}, /* from before */
    {{.version = 100, .kind = EVENT_PUT, .key_length = 2}, "pa"},
    {{.version = 101, .kind = EVENT_PUT, .key_length = 2}, "qa"}, /* another prefix */
    {{.version = 101, .kind = EVENT_PUT, .key_length = 0}, ""},
    {{.version = 101, .kind = EVENT_PUT, .key_length = 3}, "pa"}, /* another length */
    {{.version = 101, .kind = 0, .key_length = 2}, "pa"},
    {{.version = 101, .kind = EVENT_GAP + 1, .key_length = 2}, "pa"},
    {{.version = 101, .kind = EVENT_GAP, .key_length = 2}, "pa"},
};
#define FALSE_EVENTS (int)(sizeof(false_events) / sizeof(false_events[0]))

/* The watch is good for more, and its descriptor says when to look again. */
START_TEST(lies_about_events)
{
    const struct watch_answer begin = {.version = 100};
    const struct watch_event *told = &false_events[_i].event;
    const char *key = false_events[_i].key;
    const struct memstore_event *event;
    struct memstore_watch *watch;
    struct pollfd ready = {.events = POLLIN};

    say(&begin, sizeof(begin));
    lie.more = true;
    lie.more_length = sizeof(*told) + strlen(key);
    memcpy(lie.more_body, told, sizeof(*told));
    memcpy(lie.more_body + sizeof(*told), key, strlen(key));
    start_liar();
    ck_assert_int_eq(memstore_watch(store, "p", 1, 100, &watch), 0);
    ready.fd = memstore_watch_fd(watch);
    ck_assert_int_ge(ready.fd, 0);
    for (int i = 0; i < 2; i++) {
        expect_protocol_error(memstore_watch_next(watch, 5000, &event));
        ck_assert_int_eq(poll(&ready, 1, 5000), 1);
    }
    memstore_watch_close(watch);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lies");
    TCase *tcase = tcase_create("lies");

    tcase_add_checked_fixture(tcase, harness_setup, teardown);
    tcase_add_loop_test(tcase, lies_about_waits_and_locks, 0, 5);
    tcase_add_test(tcase, lies_instead_of_a_watch);
    tcase_add_loop_test(tcase, lies_about_events, 0, FALSE_EVENTS);
    suite_add_tcase(suite, tcase);
    return harness_main(suite);
}
