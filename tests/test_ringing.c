/*
 * Calls through a ring, with a real daemon: that they do go through it, that both sides sleep, that
 * deadlines are kept and ends are noticed, one core, many processes, threads, forks.
 */
#include "common/ring.h"
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SOCKET_CALLS 4 /* before a handle makes a ring by itself */
#define IDLE_CLIENTS 50
#define THREADS 8
#define KEYS 100 /* of each writer */

static struct harness_daemon *server;

static void setup(void)
{
    harness_setup();
    unsetenv("MEMSTORE_CALLS");
    unsetenv("MEMSTORE_READS");
}

static void start(const char *option, const char *value)
{
    server = harness_start(option, value);
}

static struct memstore *open_calls(enum memstore_calls calls, double seconds)
{
    struct memstore_options options = {.size = sizeof(options),
                                       .socket = server->socket,
                                       .timeout_ms = (int)(harness_seconds(seconds) * 1000),
                                       .reads = MEMSTORE_READS_SOCKET,
                                       .calls = calls};
    struct memstore *store = NULL;

    ck_assert_msg(memstore_open(&options, &store) == 0, "%s", memstore_message());
    return store;
}

static struct memstore *open_ringing(void)
{
    return open_calls(MEMSTORE_CALLS_RING, 30);
}

/* The rings that this process has mapped; the inode of the last one. */
static int count_rings(unsigned long *ret_inode)
{
    char *maps = harness_read_file("/proc/self/maps");
    char *state = NULL;
    int count = 0;

    for (char *line = strtok_r(maps, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        if (!strstr(line, "memfd:memstore-ring"))
            continue;
        count++;
        if (ret_inode)
            ck_assert_int_eq(sscanf(line, "%*s %*s %*s %*s %lu", ret_inode), 1);
    }
    free(maps);
    return count;
}

static void put_number(struct memstore *store, const char *name, int number)
{
    char key[32], value[32];

    snprintf(key, sizeof(key), "%s %d", name, number);
    snprintf(value, sizeof(value), "value of %d", number);
    harness_put(store, key, value);
}

static void expect_number(struct memstore *store, const char *name, int number)
{
    char key[32], value[32];

    snprintf(key, sizeof(key), "%s %d", name, number);
    snprintf(value, sizeof(value), "value of %d", number);
    harness_expect(store, key, value);
}

static void put_and_expect(struct memstore *store, const char *name, int count)
{
    for (int i = 0; i < count; i++) {
        put_number(store, name, i);
        expect_number(store, name, i);
    }
}

/* ---- having one ---- */

START_TEST(handle_that_calls_often_makes_a_ring)
{
    struct memstore *store;

    start(NULL, NULL);
    store = open_calls(MEMSTORE_CALLS_AUTO, 30);
    for (int i = 0; i < SOCKET_CALLS; i++) {
        put_number(store, "k", i);
        ck_assert_int_eq(count_rings(NULL), 0);
    }
    put_and_expect(store, "k", 10);
    ck_assert_int_eq(count_rings(NULL), 1);
    memstore_close(store);
    ck_assert_int_eq(count_rings(NULL), 0);
}
END_TEST

START_TEST(calls_may_insist_on_a_ring_or_on_the_socket)
{
    struct memstore *store;

    start(NULL, NULL);
    store = open_calls(MEMSTORE_CALLS_RING, 30);
    put_number(store, "k", 0);
    ck_assert_int_eq(count_rings(NULL), 1);
    memstore_close(store);
    store = open_calls(MEMSTORE_CALLS_SOCKET, 30);
    put_and_expect(store, "k", 20);
    ck_assert_int_eq(count_rings(NULL), 0);
    memstore_close(store);
}
END_TEST

/* The kernel refuses to pass a descriptor where too many are on their way. */
static int passing_fails; /* so many times */

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (passing_fails > 0 && message->msg_controllen > 0) {
        passing_fails--;
        errno = ETOOMANYREFS;
        return -1;
    }
    return syscall(SYS_sendmsg, fd, message, flags);
}

/* That call fails, and its connection is given up: what was to be passed is still queued there. */
START_TEST(ring_that_cannot_be_passed_spoils_nothing)
{
    struct memstore *store;
    int errors = 0;

    start(NULL, NULL);
    store = open_calls(MEMSTORE_CALLS_AUTO, 30);
    passing_fails = 2;
    for (int i = 0; i < 4 * SOCKET_CALLS; i++) {
        int r = memstore_exists(store, "none", 4);

        ck_assert(r == 0 || r == -ETOOMANYREFS);
        errors += r < 0;
    }
    ck_assert_int_eq(errors, 2);
    put_and_expect(store, "k", 10);
    ck_assert_int_eq(count_rings(NULL), 1);
    memstore_close(store);
}
END_TEST

/* ---- sleeping ---- */

static bool is_daemon_asleep(void *argument)
{
    uint64_t before = harness_cpu(server->pid);

    (void)argument;
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    return harness_cpu(server->pid) == before;
}

/* 10 ms in 10 s, in a shorter time. */
/* A file beyond the limit is SIGXFSZ, which ends programs that did nothing wrong. */
START_TEST(limit_on_file_sizes_ends_no_program)
{
    const int made = _i;
    struct rlimit limit, before;
    struct memstore *store;

    start(NULL, NULL);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = made ? RING_FILE_SIZE : RING_FILE_SIZE - 1;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    store = open_calls(MEMSTORE_CALLS_AUTO, 30);
    put_and_expect(store, "k", 10);
    ck_assert_int_eq(count_rings(NULL), made);
    memstore_close(store);
    store = open_ringing();
    ck_assert_int_eq(memstore_put(store, "k", 1, "v", 1, NULL, NULL), made ? 0 : -EOPNOTSUPP);
    memstore_close(store);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
}
END_TEST

START_TEST(who_is_idle_uses_no_time)
{
    struct memstore *stores[IDLE_CLIENTS];
    const uint64_t little = (uint64_t)(harness_seconds(0.002) * 1e9);
    uint64_t daemon, ours;

    start(NULL, NULL);
    for (int i = 0; i < IDLE_CLIENTS; i++) {
        stores[i] = open_ringing();
        put_and_expect(stores[i], "k", 10);
    }
    ck_assert_int_eq(count_rings(NULL), IDLE_CLIENTS);
    harness_await(is_daemon_asleep, NULL, "a daemon that sleeps beside rings");
    daemon = harness_cpu(server->pid);
    ours = harness_cpu(getpid());
    nanosleep(&(struct timespec){.tv_sec = 2}, NULL);
    ck_assert_uint_le(harness_cpu(server->pid) - daemon, little);
    ck_assert_uint_le(harness_cpu(getpid()) - ours, little);
    for (int i = 0; i < IDLE_CLIENTS; i++) {
        put_and_expect(stores[i], "k", 1);
        memstore_close(stores[i]);
    }
}
END_TEST

/* Each call finds the daemon asleep. */
START_TEST(daemon_that_does_not_look_is_woken)
{
    struct memstore *store;

    start("--spin-us", "0");
    store = open_ringing();
    put_and_expect(store, "k", 1000);
    for (int i = 0; i < 20; i++) {
        harness_await(is_daemon_asleep, NULL, "a daemon that sleeps");
        put_and_expect(store, "k", 1);
    }
    memstore_close(store);
}
END_TEST

static int write_keys(int index, void *argument)
{
    struct memstore *store = open_ringing();
    char name[16];

    (void)argument;
    snprintf(name, sizeof(name), "w%d", index);
    put_and_expect(store, name, KEYS);
    memstore_close(store);
    return 0;
}

static void expect_keys(int writers)
{
    struct memstore *store = open_ringing();
    char name[16];

    for (int i = 0; i < writers; i++) {
        snprintf(name, sizeof(name), "w%d", i);
        for (int j = 0; j < KEYS; j++)
            expect_number(store, name, j);
    }
    ck_assert_uint_eq(harness_stats(store).objects, (uint64_t)(writers * KEYS));
    memstore_close(store);
}

/* Who looks there keeps the other from what is looked for; so nobody does. */
START_TEST(one_core_is_enough)
{
    cpu_set_t all, one;
    int core = 0;

    ck_assert_int_eq(sched_getaffinity(0, sizeof(all), &all), 0);
    while (!CPU_ISSET(core, &all))
        core++;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
    start(NULL, NULL);
    harness_processes(4, write_keys, NULL);
    expect_keys(4);
    harness_await(is_daemon_asleep, NULL, "a daemon that sleeps on one core");
}
END_TEST

/* ---- many ---- */

START_TEST(processes_write_at_once)
{
    int writers = 1 << _i;

    start(NULL, NULL);
    harness_processes(writers, write_keys, NULL);
    expect_keys(writers);
}
END_TEST

struct worker {
    struct memstore *store;
    int index;
};

static void *work(void *argument)
{
    const struct worker *worker = argument;
    char name[16];

    snprintf(name, sizeof(name), "w%d", worker->index);
    put_and_expect(worker->store, name, KEYS);
    return NULL;
}

START_TEST(threads_share_a_ring)
{
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    struct memstore *store;

    start(NULL, NULL);
    store = open_ringing();
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.store = store, .index = i};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(count_rings(NULL), 1);
    memstore_close(store);
    expect_keys(THREADS);
}
END_TEST

/* ---- forks ---- */

static struct memstore *inherited;
static unsigned long parents_ring;

/* The child has a ring of its own, in the place of its parent's. */
static int call_in_child(int index, void *argument)
{
    unsigned long ring = 0;
    char name[16];

    (void)argument;
    snprintf(name, sizeof(name), "w%d", index);
    put_and_expect(inherited, name, KEYS);
    ck_assert_int_eq(count_rings(&ring), 1);
    ck_assert_uint_ne(ring, parents_ring);
    memstore_close(inherited);
    ck_assert_int_eq(count_rings(NULL), 0);
    return 0;
}

/* Parent and child call at once, each through its own. */
START_TEST(forked_child_leaves_its_parents_ring_alone)
{
    unsigned long ring = 0;
    int status = -1;
    pid_t pid;

    start(NULL, NULL);
    inherited = open_ringing();
    put_and_expect(inherited, "w0", KEYS);
    ck_assert_int_eq(count_rings(&parents_ring), 1);
    for (int i = 1; i <= 3; i++) {
        pid = harness_fork(call_in_child, i, NULL);
        while (waitpid(pid, &status, WNOHANG) == 0)
            put_and_expect(inherited, "w0", KEYS);
        ck_assert_int_eq(status, 0);
    }
    put_and_expect(inherited, "w0", KEYS);
    ck_assert_int_eq(count_rings(&ring), 1);
    ck_assert_uint_eq(ring, parents_ring);
    memstore_close(inherited);
    expect_keys(4);
}
END_TEST

/* A child that never calls and outlives its parent's handle. */
static int wait_in_child(int pipe_end, void *argument)
{
    char byte;

    (void)argument;
    return read(pipe_end, &byte, 1) == 1 ? 0 : 1;
}

START_TEST(child_that_never_calls_is_no_hindrance)
{
    struct memstore *store;
    int ends[2];
    int status = -1;
    pid_t pid;

    start(NULL, NULL);
    store = open_ringing();
    put_and_expect(store, "w0", 10);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid = harness_fork(wait_in_child, ends[0], NULL);
    put_and_expect(store, "w0", KEYS);
    memstore_close(store);
    expect_keys(1);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

/* ---- deadlines and ends ---- */

static void signal_daemon(int number)
{
    ck_assert_int_eq(kill(server->pid, number), 0);
}

START_TEST(daemon_that_stands_still_is_waited_for_up_to_the_deadline)
{
    const double timeouts[] = {0.02, 0.1, 0.7}; /* less and more than a look at the socket takes */
    struct memstore *store;
    int64_t started, took;
    int timeout;

    start(NULL, NULL);
    store = open_calls(MEMSTORE_CALLS_RING, timeouts[_i]);
    timeout = (int)(harness_seconds(timeouts[_i]) * 1000);
    put_and_expect(store, "k", 10);
    signal_daemon(SIGSTOP);
    started = harness_now();
    ck_assert_int_eq(memstore_delete(store, "k 1", 3), -ETIMEDOUT);
    took = harness_now() - started;
    signal_daemon(SIGCONT);
    ck_assert_int_ge(took, timeout - 1);
    ck_assert_int_le(took, timeout + (int64_t)(harness_seconds(0.3) * 1000));
    memstore_close(store);
    store = open_ringing();
    put_and_expect(store, "k", 10);
    memstore_close(store);
}
END_TEST

static bool is_asleep(pid_t pid)
{
    char path[64];
    char *stat;
    bool asleep;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    stat = harness_read_file(path);
    asleep = strstr(stat, ") S ") != NULL;
    free(stat);
    return asleep;
}

static bool caller_is_asleep(void *pid)
{
    return is_asleep(*(pid_t *)pid);
}

enum call { CALL_EXISTS, CALL_DELETE, CALL_PUT_LARGE };

/* Calls when it is told to; the exit status says what came. */
static int call_when_told(int pipe_end, void *argument)
{
    enum call call = *(enum call *)argument;
    static char value[3000000];
    struct memstore *store = open_ringing();
    char byte;
    int r;

    put_and_expect(store, "k", 10);
    if (read(pipe_end, &byte, 1) != 1)
        return 1;
    switch (call) {
    case CALL_EXISTS:
        r = memstore_exists(store, "k 1", 3);
        r = r == 1 ? 0 : r;
        break;
    case CALL_DELETE:
        r = memstore_delete(store, "k 1", 3);
        break;
    default:
        r = memstore_put(store, "large", 5, value, sizeof(value), NULL, NULL);
        break;
    }
    memstore_close(store);
    return -r;
}

struct caller {
    pid_t pid;
    int ends[2];
};

/* Somebody who sleeps in a call that the daemon, which stands still, has not taken. */
static struct caller caller_start(enum call call)
{
    struct caller caller;

    ck_assert_int_eq(pipe2(caller.ends, O_CLOEXEC), 0);
    caller.pid = harness_fork(call_when_told, caller.ends[0], &call);
    harness_await(caller_is_asleep, &caller.pid, "a caller that waits to be told");
    harness_await(is_daemon_asleep, NULL, "a daemon that sleeps");
    signal_daemon(SIGSTOP);
    ck_assert_int_eq(write(caller.ends[1], "x", 1), 1);
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    harness_await(caller_is_asleep, &caller.pid, "a caller that sleeps");
    return caller;
}

/* Its end, soon; its exit status. */
static int caller_end(struct caller *caller, double seconds)
{
    int64_t deadline = harness_now() + (int64_t)(harness_seconds(seconds) * 1000);
    int status = -1;

    while (waitpid(caller->pid, &status, WNOHANG) == 0) {
        ck_assert_msg(harness_now() < deadline, "it waits for a daemon that is gone");
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    close(caller->ends[0]);
    close(caller->ends[1]);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* It cannot wake who sleeps. What it had not taken is tried again, on a socket where nobody is. */
START_TEST(end_of_the_daemon_is_noticed_by_who_sleeps)
{
    struct caller caller;

    start(NULL, NULL);
    caller = caller_start((enum call)_i);
    harness_kill(server);
    ck_assert_int_eq(caller_end(&caller, 1), ECONNREFUSED);
}
END_TEST

/* What came before the signal is answered or not; nobody waits. */
START_TEST(stop_of_the_daemon_is_noticed_by_who_sleeps)
{
    struct caller caller;
    int r;

    start(NULL, NULL);
    caller = caller_start((enum call)_i);
    signal_daemon(SIGTERM);
    signal_daemon(SIGCONT);
    ck_assert_int_eq(harness_stop(server), 0);
    r = caller_end(&caller, 1);
    ck_assert_msg(r == 0 || r == ECONNREFUSED || r == ENOENT || r == ECONNRESET, "%d", r);
}
END_TEST

static int listen_for(char *path, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(path, size, "%s/listening", harness_folder);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(fd, 16), 0);
    return fd;
}

static void start_listening(int listener, const char *path)
{
    harness_activate(listener);
    server = harness_start("--keep");
    snprintf(server->socket, sizeof(server->socket), "%s", path);
}

/* The socket stays, so that nobody is refused: the call goes to the next daemon. */
START_TEST(request_that_was_not_taken_goes_to_the_next_daemon)
{
    struct caller caller;
    struct memstore *store;
    char path[100];
    int listener;

    listener = listen_for(path, sizeof(path));
    start_listening(listener, path);
    caller = caller_start((enum call)_i);
    harness_kill(server);
    start_listening(listener, path);
    ck_assert_int_eq(caller_end(&caller, 20), 0);
    store = open_ringing();
    ck_assert_int_eq(memstore_exists(store, "k 1", 3), _i != CALL_DELETE);
    ck_assert_int_eq(memstore_exists(store, "large", 5), _i == CALL_PUT_LARGE);
    memstore_close(store);
    close(listener);
}
END_TEST

START_TEST(handle_goes_on_with_the_next_daemon)
{
    struct memstore *store;
    unsigned long before = 0, after = 0;

    start("--keep", NULL);
    store = open_ringing();
    put_and_expect(store, "w0", KEYS);
    ck_assert_int_eq(count_rings(&before), 1);
    for (int i = 0; i < 3; i++) {
        harness_kill(server);
        start("--keep", NULL);
        put_and_expect(store, "w0", KEYS);
        ck_assert_int_eq(count_rings(&after), 1);
        ck_assert_uint_ne(before, after);
    }
    memstore_close(store);
    expect_keys(1);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("ringing");
    TCase *tests = tcase_create("ringing");

    tcase_add_checked_fixture(tests, setup, harness_teardown);
    suite_add_tcase(s, tests);
    tcase_add_test(tests, handle_that_calls_often_makes_a_ring);
    tcase_add_test(tests, calls_may_insist_on_a_ring_or_on_the_socket);
    tcase_add_test(tests, ring_that_cannot_be_passed_spoils_nothing);
    tcase_add_loop_test(tests, limit_on_file_sizes_ends_no_program, 0, 2);
    tcase_add_test(tests, who_is_idle_uses_no_time);
    tcase_add_test(tests, daemon_that_does_not_look_is_woken);
    tcase_add_test(tests, one_core_is_enough);
    tcase_add_loop_test(tests, processes_write_at_once, 0, 5);
    tcase_add_test(tests, threads_share_a_ring);
    tcase_add_test(tests, forked_child_leaves_its_parents_ring_alone);
    tcase_add_test(tests, child_that_never_calls_is_no_hindrance);
    tcase_add_loop_test(tests, daemon_that_stands_still_is_waited_for_up_to_the_deadline, 0, 3);
    tcase_add_loop_test(tests, end_of_the_daemon_is_noticed_by_who_sleeps, 0, 3);
    tcase_add_loop_test(tests, stop_of_the_daemon_is_noticed_by_who_sleeps, 0, 3);
    tcase_add_loop_test(tests, request_that_was_not_taken_goes_to_the_next_daemon, 0, 3);
    tcase_add_test(tests, handle_goes_on_with_the_next_daemon);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
