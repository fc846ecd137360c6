/*
 * What one client does to the time of the others: descriptors that are slow to close, values that
 * take long, requests whose sender has stopped talking, messages that nobody reads.
 */
#include "tests/raw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LARGE_SIZE (30 << 20)
#define LARGE_COUNT 40

/* ---- slow to close ---- */

static void make_tcp_pair(int pair[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, length), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(pair[0], (struct sockaddr *)&address, length), 0);
    pair[1] = accept(listener, NULL, NULL);
    ck_assert_int_ge(pair[1], 0);
    close(listener);
}

/* A socket whose last close waits for a minute: what it should send is not taken. */
static int make_lingering(int *ret_peer)
{
    static char bytes[1 << 20];
    struct linger linger = {.l_onoff = 1, .l_linger = 60};
    int pair[2];

    make_tcp_pair(pair);
    ck_assert_int_eq(setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    ck_assert_int_eq(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
    while (send(pair[0], bytes, sizeof(bytes), MSG_NOSIGNAL) > 0)
        ;
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(fcntl(pair[0], F_SETFL, 0), 0);
    *ret_peer = pair[1];
    return pair[0];
}

/* What happens between these two finds the daemon asleep, and is there at once when it wakes. */
static void stop_daemon(void)
{
    ck_assert_int_eq(kill(raw_server->pid, SIGSTOP), 0);
}

static void continue_daemon(void)
{
    ck_assert_int_eq(kill(raw_server->pid, SIGCONT), 0);
}

START_TEST(descriptor_that_is_slow_to_close_holds_up_nobody)
{
    struct frame_header header = raw_header(OPERATION_ATTACH, 0);
    int peer;
    int slow = make_lingering(&peer);
    int fd = raw_open();

    stop_daemon(); /* its close is to be the last one, not ours */
    ck_assert(raw_send_fds(fd, &header, sizeof(header), &slow, 1));
    close(slow);
    continue_daemon();
    raw_expect_answer(fd, &header, -EINVAL);
    raw_expect_witness();
    raw_done(fd);
    close(peer); /* ends the wait, so that the daemon has its descriptor back */
}
END_TEST

START_TEST(descriptor_that_came_with_a_hangup_holds_up_nobody)
{
    int peer;
    int slow = make_lingering(&peer);
    int fd = raw_open();

    stop_daemon();
    ck_assert(raw_send_fds(fd, "x", 1, &slow, 1));
    close(slow);
    close(fd);
    continue_daemon();
    raw_expect_witness();
    raw_expect_witness();
    close(peer);
}
END_TEST

/* ---- large values ---- */

static void put_large(void)
{
    char *bytes = malloc(LARGE_SIZE);
    int r;

    harness_fill(bytes, LARGE_SIZE, 1);
    r = memstore_put(raw_witness, "large", 5, bytes, LARGE_SIZE, NULL, NULL);
    ck_assert_msg(r == 0, "%s", memstore_message());
    free(bytes);
}

/* Asks for the large value, into a buffer that all share. */
static void ask_for_large(int fd)
{
    struct body body = body_get("large", 0, UINT64_MAX);
    struct frame_header header = raw_header(OPERATION_GET, body.length);

    header.flags = FRAME_BULK;
    header.bulk_length = LARGE_SIZE;
    ck_assert(raw_send_frame(fd, &header, &body));
}

/* Small requests come between large ones: these are not all done before the first of those. */
START_TEST(small_requests_do_not_wait_for_all_large_ones)
{
    struct frame_header small = raw_header(OPERATION_STATS, 0);
    int memfd = raw_buffer(LARGE_SIZE);
    struct pollfd large[LARGE_COUNT];
    int fd = raw_open();

    put_large();
    for (int i = 0; i < LARGE_COUNT; i++) {
        large[i] = (struct pollfd){.fd = raw_open(), .events = POLLIN};
        raw_attach_fds(large[i].fd, &memfd, 1, 0);
    }
    stop_daemon();
    for (int i = 0; i < LARGE_COUNT; i++)
        ask_for_large(large[i].fd);
    ck_assert(raw_send_frame(fd, &small, NULL));
    continue_daemon();
    raw_expect_answer(fd, &small, 0);
    ck_assert_int_lt(poll(large, LARGE_COUNT, 0), LARGE_COUNT);
    for (int i = 0; i < LARGE_COUNT; i++) {
        ck_assert(raw_receive(large[i].fd));
        ck_assert_int_eq(raw_answer.header.status, 0);
        ck_assert_uint_eq(raw_answer.header.bulk_length, LARGE_SIZE);
        raw_done(large[i].fd);
    }
    ck_assert_int_eq(memstore_delete(raw_witness, "large", 5), 0);
    raw_done(fd);
    close(memfd);
}
END_TEST

/* ---- half closed ---- */

START_TEST(requests_of_who_has_stopped_talking_are_answered)
{
    static char value[8000];
    struct body body = body_get("medium", 0, UINT64_MAX);
    int fd = raw_open();

    ck_assert_int_eq(memstore_put(raw_witness, "medium", 6, value, sizeof(value), NULL, NULL), 0);
    for (int i = 0; i < 200; i++) {
        struct frame_header header = raw_header(OPERATION_GET, body.length);

        ck_assert(raw_send_frame(fd, &header, &body));
    }
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    raw_expect_witness();
    for (int i = 0; i < 200; i++) {
        ck_assert_msg(raw_receive(fd), "only %d answers came", i);
        ck_assert_int_eq(raw_answer.header.status, 0);
    }
    raw_expect_closed(fd);
    ck_assert_int_eq(memstore_delete(raw_witness, "medium", 6), 0);
}
END_TEST

/* ---- messages ---- */

static pid_t start_with_stderr(const char *socket, int fd)
{
    char program[256], data[128];
    pid_t pid;

    snprintf(program, sizeof(program), "%s/memstored", harness_build());
    snprintf(data, sizeof(data), "%s/silent-data", harness_folder);
    pid = fork();
    if (pid == 0) {
        dup2(fd, STDERR_FILENO);
        execl(program, "memstored", "--socket", socket, "--data", data, "--max-size", "1M",
              "--client-timeout", "1", NULL);
        _exit(127);
    }
    return pid;
}

static bool answers(void *socket)
{
    struct memstore_options options = {.size = sizeof(options), .socket = socket};
    struct memstore *store;

    if (memstore_open(&options, &store) < 0)
        return false;
    memstore_close(store);
    return true;
}

/* The daemon warns of a client that says nothing; nobody is there to read it. */
START_TEST(messages_that_nobody_reads_do_not_end_the_daemon)
{
    struct harness_daemon silent = {0};
    char *socket = silent.socket;
    int ends[2];
    int fd, status;

    snprintf(silent.socket, sizeof(silent.socket), "%s/silent", harness_folder);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    silent.pid = start_with_stderr(socket, ends[1]);
    close(ends[0]);
    close(ends[1]);
    harness_await(answers, socket, "the daemon without a reader");
    fd = harness_connect(&silent);
    raw_expect_closed(fd);
    ck_assert(answers(socket));
    kill(silent.pid, SIGTERM);
    ck_assert_int_eq(waitpid(silent.pid, &status, 0), silent.pid);
    ck_assert_int_eq(status, 0);
}
END_TEST

/* ---- nothing to do ---- */

static unsigned long cpu_ticks(void)
{
    unsigned long user = 0, system = 0;
    char path[64];
    char *stat;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)raw_server->pid);
    stat = harness_read_file(path);
    ck_assert_int_eq(sscanf(strrchr(stat, ')'),
                            ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                            &system),
                     2);
    free(stat);
    return user + system;
}

/* One that looks round and round uses up ten ticks in this time. */
static bool is_asleep(void *argument)
{
    unsigned long before = cpu_ticks();

    (void)argument;
    poll(NULL, 0, 100);
    return cpu_ticks() == before;
}

START_TEST(daemon_with_nothing_to_do_sleeps)
{
    struct memstore *reader;

    harness_await(is_asleep, NULL, "a daemon that sleeps");
    reader = harness_open_reads(raw_server, MEMSTORE_READS_DIRECT);
    harness_expect(reader, "small canary", "tweet");
    harness_await(is_asleep, NULL, "a daemon that sleeps beside a direct reader");
    memstore_close(reader);
    harness_await(is_asleep, NULL, "a daemon that sleeps after a direct reader");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("patience");
    TCase *tests = tcase_create("patience");

    tcase_add_checked_fixture(tests, raw_setup, raw_teardown);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(s, tests);
    tcase_add_test(tests, descriptor_that_is_slow_to_close_holds_up_nobody);
    tcase_add_test(tests, descriptor_that_came_with_a_hangup_holds_up_nobody);
    tcase_add_test(tests, small_requests_do_not_wait_for_all_large_ones);
    tcase_add_test(tests, requests_of_who_has_stopped_talking_are_answered);
    tcase_add_test(tests, daemon_with_nothing_to_do_sleeps);
    tcase_add_test(tests, messages_that_nobody_reads_do_not_end_the_daemon);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
