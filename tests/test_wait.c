/* Waiting for an object, through the library against a real daemon. */
#include "tests/harness.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LONG 60000 /* milliseconds that no test waits */
#define CROWD 1000

static struct harness_daemon *server;
static struct memstore *store;

static void setup(void)
{
    harness_setup();
    server = harness_start(NULL);
    store = harness_open(server);
}

static void setup_impatient(void)
{
    harness_setup();
    server = harness_start("--client-timeout", "1");
    store = harness_open(server);
}

static void teardown(void)
{
    memstore_close(store);
    harness_teardown();
}

/* ---- short forms ---- */

static uint64_t version_of(const char *key)
{
    struct memstore_object *object;
    uint64_t version;

    ck_assert_msg(memstore_info(store, key, strlen(key), &object) == 0, "%s", memstore_message());
    version = memstore_object_version(object);
    memstore_object_free(object);
    return version;
}

static bool as_many_wait(void *argument)
{
    return harness_stats(store).waiting == *(size_t *)argument;
}

static void await_waiting(size_t count)
{
    harness_await(as_many_wait, &count, "the number of those who wait");
}

/* A thread that waits. */
struct waiter {
    pthread_t thread;
    const char *key;
    enum memstore_until until;
    uint64_t version;
    int timeout_ms;
    int result;
    struct memstore_object *object;
    char message[256];
};

static void *run_waiter(void *argument)
{
    struct waiter *waiter = argument;

    waiter->result = memstore_wait(store, waiter->key, strlen(waiter->key), waiter->until,
                                   waiter->version, waiter->timeout_ms, &waiter->object);
    snprintf(waiter->message, sizeof(waiter->message), "%s", memstore_message());
    return NULL;
}

static void waiter_launch(struct waiter *waiter)
{
    pthread_attr_t attributes;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)256 << 10);
    ck_assert_int_eq(pthread_create(&waiter->thread, &attributes, run_waiter, waiter), 0);
    pthread_attr_destroy(&attributes);
}

/* Starts one, and returns when the daemon knows of it. */
static struct waiter *waiter_start(const char *key, enum memstore_until until, uint64_t version)
{
    struct waiter *waiter = calloc(1, sizeof(*waiter));
    size_t before = harness_stats(store).waiting;

    *waiter = (struct waiter){.key = key, .until = until, .version = version, .timeout_ms = LONG};
    waiter_launch(waiter);
    await_waiting(before + 1);
    return waiter;
}

/* Waits for its end; its object lives on. */
static struct memstore_object *waiter_join(struct waiter *waiter, int result)
{
    struct memstore_object *object;

    pthread_join(waiter->thread, NULL);
    ck_assert_msg(waiter->result == result, "%d: %s", waiter->result, waiter->message);
    object = waiter->object;
    free(waiter);
    return object;
}

static void expect_version(struct memstore_object *object, const char *key, uint64_t version)
{
    const char *got;
    size_t length;

    ck_assert_ptr_nonnull(object);
    got = memstore_object_key(object, &length);
    ck_assert(length == strlen(key) && memcmp(got, key, length) == 0);
    ck_assert_uint_eq(memstore_object_version(object), version);
    memstore_object_free(object);
}

/* ---- at once ---- */

START_TEST(what_holds_already_is_not_waited_for)
{
    struct memstore_object *object = NULL;

    harness_put(store, "here", "value");
    ck_assert_int_eq(memstore_wait(store, "here", 4, MEMSTORE_UNTIL_EXISTS, 0, LONG, &object), 0);
    expect_version(object, "here", version_of("here"));
    ck_assert_int_eq(memstore_wait(store, "none", 4, MEMSTORE_UNTIL_GONE, 0, LONG, &object), 0);
    ck_assert_ptr_null(object);
    ck_assert_int_eq(memstore_wait(store, "here", 4, MEMSTORE_UNTIL_CHANGED, 1000, LONG, &object),
                     0);
    expect_version(object, "here", version_of("here"));
    ck_assert_int_eq(memstore_wait(store, "none", 4, MEMSTORE_UNTIL_CHANGED, 1000, LONG, &object),
                     0);
    ck_assert_ptr_null(object);
    ck_assert_int_eq(memstore_wait(store, "here", 4, MEMSTORE_UNTIL_EXISTS, 0, LONG, NULL), 0);
}
END_TEST

START_TEST(deadline_in_the_past_only_looks)
{
    const int timeouts[] = {0, -1, -1000000};

    harness_put(store, "here", "value");
    for (size_t i = 0; i < 3; i++) {
        int timeout = timeouts[i];
        uint64_t version = version_of("here");

        ck_assert_int_eq(memstore_wait(store, "here", 4, MEMSTORE_UNTIL_EXISTS, 0, timeout, NULL),
                         0);
        ck_assert_int_eq(memstore_wait(store, "none", 4, MEMSTORE_UNTIL_GONE, 0, timeout, NULL), 0);
        ck_assert_int_eq(memstore_wait(store, "none", 4, MEMSTORE_UNTIL_EXISTS, 0, timeout, NULL),
                         -ETIMEDOUT);
        ck_assert_str_eq(memstore_message(), "there is no object \"none\" after 0 ms");
        ck_assert_int_eq(memstore_wait(store, "here", 4, MEMSTORE_UNTIL_GONE, 0, timeout, NULL),
                         -ETIMEDOUT);
        ck_assert_int_eq(
            memstore_wait(store, "here", 4, MEMSTORE_UNTIL_CHANGED, version, timeout, NULL),
            -ETIMEDOUT);
        ck_assert_int_eq(memstore_wait(store, "none", 4, MEMSTORE_UNTIL_CHANGED, 0, timeout, NULL),
                         -ETIMEDOUT);
    }
    ck_assert_uint_eq(harness_stats(store).waiting, 0);
}
END_TEST

START_TEST(deadline_ends_the_wait)
{
    struct memstore_object *object = (struct memstore_object *)&server;
    int64_t start = harness_now();

    ck_assert_int_eq(memstore_wait(store, "none", 4, MEMSTORE_UNTIL_EXISTS, 0, 50, &object),
                     -ETIMEDOUT);
    ck_assert_int_ge(harness_now() - start, 50);
    ck_assert_str_eq(memstore_message(), "there is no object \"none\" after 50 ms");
    ck_assert_ptr_eq(object, &server); /* untouched */
    await_waiting(0);                  /* it has left */
    harness_put(store, "none", "now");
    harness_expect(store, "none", "now");
}
END_TEST

START_TEST(senseless_waits_are_refused)
{
    char key[MEMSTORE_KEY_MAX + 1] = {0};

    ck_assert_int_eq(memstore_wait(store, "k", 1, (enum memstore_until)0, 0, LONG, NULL), -EINVAL);
    ck_assert_int_eq(memstore_wait(store, "k", 1, (enum memstore_until)4, 0, LONG, NULL), -EINVAL);
    ck_assert_int_eq(memstore_wait(store, "k", 1, MEMSTORE_UNTIL_EXISTS, 1, LONG, NULL), -EINVAL);
    ck_assert_int_eq(memstore_wait(store, "k", 1, MEMSTORE_UNTIL_GONE, 1, LONG, NULL), -EINVAL);
    ck_assert_int_eq(memstore_wait(store, NULL, 1, MEMSTORE_UNTIL_GONE, 0, LONG, NULL), -EINVAL);
    ck_assert_int_eq(memstore_wait(store, key, sizeof(key), MEMSTORE_UNTIL_GONE, 0, LONG, NULL),
                     -ENAMETOOLONG);
    ck_assert_int_eq(
        memstore_wait(store, key, MEMSTORE_KEY_MAX, MEMSTORE_UNTIL_GONE, 0, LONG, NULL), 0);
    ck_assert_int_eq(memstore_wait(store, NULL, 0, MEMSTORE_UNTIL_GONE, 0, LONG, NULL), 0);
}
END_TEST

/* ---- woken ---- */

START_TEST(object_that_comes_wakes)
{
    struct waiter *waiter = waiter_start("new", MEMSTORE_UNTIL_EXISTS, 0);
    struct memstore_object *object;

    harness_put(store, "new", "value");
    object = waiter_join(waiter, 0);
    ck_assert_uint_eq(memstore_object_size(object), 5);
    ck_assert_ptr_null(memstore_object_value(object, NULL)); /* it is an info */
    expect_version(object, "new", version_of("new"));
    ck_assert_uint_eq(harness_stats(store).waiting, 0);
}
END_TEST

START_TEST(object_that_goes_wakes)
{
    struct waiter *deleted, *moved;

    harness_put(store, "one", "1");
    harness_put(store, "two", "2");
    deleted = waiter_start("one", MEMSTORE_UNTIL_GONE, 0);
    moved = waiter_start("two", MEMSTORE_UNTIL_GONE, 0);
    harness_put(store, "one", "another");
    ck_assert_int_eq(memstore_delete(store, "one", 3), 0);
    ck_assert_ptr_null(waiter_join(deleted, 0));
    ck_assert_int_eq(memstore_move(store, "two", 3, "three", 5, NULL), 0);
    ck_assert_ptr_null(waiter_join(moved, 0));
}
END_TEST

START_TEST(each_kind_of_change_wakes)
{
    struct waiter *waiter;

    harness_put(store, "key", "1");
    harness_put(store, "other", "other");
    waiter = waiter_start("key", MEMSTORE_UNTIL_CHANGED, version_of("key"));
    harness_put(store, "key", "1");
    expect_version(waiter_join(waiter, 0), "key", version_of("key"));
    waiter = waiter_start("key", MEMSTORE_UNTIL_CHANGED, version_of("key"));
    ck_assert_int_eq(memstore_copy(store, "other", 5, "key", 3, NULL), 0);
    expect_version(waiter_join(waiter, 0), "key", version_of("key"));
    waiter = waiter_start("key", MEMSTORE_UNTIL_CHANGED, version_of("key"));
    ck_assert_int_eq(memstore_move(store, "key", 3, "key", 3, NULL), 0);
    expect_version(waiter_join(waiter, 0), "key", version_of("key"));
    waiter = waiter_start("key", MEMSTORE_UNTIL_CHANGED, version_of("key"));
    ck_assert_int_eq(memstore_delete(store, "key", 3), 0);
    ck_assert_ptr_null(waiter_join(waiter, 0));
    waiter = waiter_start("key", MEMSTORE_UNTIL_CHANGED, 0);
    ck_assert_int_eq(memstore_move(store, "other", 5, "key", 3, NULL), 0);
    expect_version(waiter_join(waiter, 0), "key", version_of("key"));
}
END_TEST

START_TEST(large_object_wakes_when_it_is_whole)
{
    struct waiter *waiter = waiter_start("large", MEMSTORE_UNTIL_EXISTS, 0);
    struct memstore_writer *writer;

    ck_assert_int_eq(memstore_writer_open(store, "large", 5, NULL, &writer), 0);
    ck_assert_int_eq(memstore_writer_write(writer, "first", 5), 0);
    ck_assert_uint_eq(harness_stats(store).waiting, 1);
    ck_assert_int_eq(memstore_writer_commit(writer, NULL), 0);
    expect_version(waiter_join(waiter, 0), "large", version_of("large"));
    waiter = waiter_start("large", MEMSTORE_UNTIL_CHANGED, version_of("large"));
    harness_put_filled(store, "large", (size_t)3 << 20, 1);
    expect_version(waiter_join(waiter, 0), "large", version_of("large"));
}
END_TEST

START_TEST(other_changes_do_not_wake)
{
    struct waiter *waiter = waiter_start("key", MEMSTORE_UNTIL_EXISTS, 0);

    harness_put(store, "ke", "x");
    harness_put(store, "key2", "x");
    harness_put(store, "", "x");
    ck_assert_int_eq(memstore_delete(store, "ke", 2), 0);
    ck_assert_int_eq(memstore_delete(store, "key", 3), -ENOENT);
    ck_assert_uint_eq(harness_stats(store).waiting, 1);
    harness_put(store, "key", "x");
    expect_version(waiter_join(waiter, 0), "key", version_of("key"));
}
END_TEST

START_TEST(keys_are_any_bytes)
{
    struct memstore_object *object;
    struct waiter *waiter = waiter_start("", MEMSTORE_UNTIL_EXISTS, 0);

    ck_assert_int_eq(memstore_put(store, "\0", 1, "x", 1, NULL, NULL), 0);
    ck_assert_uint_eq(harness_stats(store).waiting, 1);
    ck_assert_int_eq(memstore_put(store, NULL, 0, "x", 1, NULL, NULL), 0);
    object = waiter_join(waiter, 0);
    expect_version(object, "", version_of(""));
}
END_TEST

static int put_when_asked(int index, void *argument)
{
    char answer[32];

    (void)argument;
    snprintf(answer, sizeof(answer), "answer %d", index);
    if (memstore_wait(store, "question", 8, MEMSTORE_UNTIL_EXISTS, 0, LONG, NULL) != 0)
        return 1;
    return memstore_put(store, answer, strlen(answer), "x", 1, NULL, NULL) == 0 ? 0 : 2;
}

/* The handle is the parent's, and was used. */
START_TEST(processes_wait_for_each_other)
{
    pid_t pids[4];
    int status;

    for (int i = 0; i < 4; i++)
        pids[i] = harness_fork(put_when_asked, i, NULL);
    await_waiting(4);
    harness_put(store, "question", "?");
    ck_assert_int_eq(memstore_wait(store, "answer 0", 8, MEMSTORE_UNTIL_EXISTS, 0, LONG, NULL), 0);
    ck_assert_int_eq(memstore_wait(store, "answer 3", 8, MEMSTORE_UNTIL_EXISTS, 0, LONG, NULL), 0);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert_int_eq(status, 0);
    }
}
END_TEST

/* What is seen after a wait is at least as new as what ended it. */
static int count_up(int index, void *argument)
{
    const char *mine = index == 0 ? "ping" : "pong";
    const char *other = index == 0 ? "pong" : "ping";
    struct memstore *own = harness_open(server);
    uint64_t version = 0;
    int r = 0;

    (void)argument;
    for (int i = 0; i < 200 && r == 0; i++) {
        struct memstore_object *object = NULL;
        char text[16];

        snprintf(text, sizeof(text), "%d", i);
        if (index == 0 && memstore_put(own, mine, 4, text, strlen(text), NULL, NULL) != 0)
            r = 1;
        if (r == 0 &&
            memstore_wait(own, other, 4, MEMSTORE_UNTIL_CHANGED, version, LONG, &object) != 0)
            r = 2;
        if (r == 0) {
            version = memstore_object_version(object);
            memstore_object_free(object);
            r = memstore_get(own, other, 4, 0, MEMSTORE_TO_END, &object) == 0 &&
                        strcmp(memstore_object_value(object, NULL), text) == 0
                    ? 0
                    : 3;
            memstore_object_free(object);
        }
        if (r == 0 && index == 1 && memstore_put(own, mine, 4, text, strlen(text), NULL, NULL) != 0)
            r = 4;
    }
    memstore_close(own);
    return r;
}

START_TEST(two_processes_count_in_turns)
{
    harness_processes(2, count_up, NULL);
}
END_TEST

/* ---- many ---- */

static long switches_of_daemon(void)
{
    char path[64];
    char *status, *line;
    long switches;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)server->pid);
    status = harness_read_file(path);
    line = strstr(status, "\nvoluntary_ctxt_switches:");
    ck_assert_ptr_nonnull(line);
    switches = strtol(strchr(line, ':') + 1, NULL, 10);
    free(status);
    return switches;
}

/* Whether the daemon sleeps through a while. */
static bool daemon_sleeps(void *argument)
{
    const struct timespec pause = {.tv_nsec = 300000000};
    long before = switches_of_daemon();

    (void)argument;
    nanosleep(&pause, NULL);
    return switches_of_daemon() == before;
}

static void allow_descriptors(void)
{
    struct rlimit limit;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

START_TEST(a_thousand_cost_nothing_and_are_all_woken)
{
    struct waiter *crowd = calloc(CROWD, sizeof(*crowd));
    struct waiter *apart;

    allow_descriptors();
    for (size_t i = 0; i < CROWD; i++) {
        crowd[i] = (struct waiter){.key = "go", .until = MEMSTORE_UNTIL_EXISTS, .timeout_ms = LONG};
        waiter_launch(&crowd[i]);
    }
    await_waiting(CROWD);
    apart = waiter_start("stay", MEMSTORE_UNTIL_EXISTS, 0);
    harness_await(daemon_sleeps, NULL, "the daemon is busy while nothing happens");
    harness_put(store, "go", "!");
    for (size_t i = 0; i < CROWD; i++) {
        pthread_join(crowd[i].thread, NULL);
        ck_assert_msg(crowd[i].result == 0, "%s", crowd[i].message);
        expect_version(crowd[i].object, "go", version_of("go"));
    }
    free(crowd);
    ck_assert_uint_eq(harness_stats(store).waiting, 1);
    harness_put(store, "stay", "no");
    memstore_object_free(waiter_join(apart, 0));
}
END_TEST

/* One for each key: the table of keys grows, and is empty in the end. */
START_TEST(each_is_woken_by_its_own_key)
{
    enum { COUNT = 300 };
    static char keys[COUNT][16];
    struct waiter *waiters[COUNT];

    allow_descriptors();
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(keys[i], sizeof(keys[i]), "key %zu", i);
        waiters[i] = calloc(1, sizeof(struct waiter));
        *waiters[i] =
            (struct waiter){.key = keys[i], .until = MEMSTORE_UNTIL_EXISTS, .timeout_ms = LONG};
        waiter_launch(waiters[i]);
    }
    await_waiting(COUNT);
    for (size_t i = COUNT; i-- > 0;) {
        harness_put(store, keys[i], "x");
        expect_version(waiter_join(waiters[i], 0), keys[i], version_of(keys[i]));
        ck_assert_uint_eq(harness_stats(store).waiting, i);
    }
}
END_TEST

/* ---- ends ---- */

static int wait_for_ever(int index, void *argument)
{
    (void)index;
    (void)argument;
    return memstore_wait(store, "never", 5, MEMSTORE_UNTIL_EXISTS, 0, LONG, NULL);
}

START_TEST(who_is_killed_waits_no_longer)
{
    pid_t pid = harness_fork(wait_for_ever, 0, NULL);
    struct waiter *waiter;

    await_waiting(1);
    waiter = waiter_start("never", MEMSTORE_UNTIL_EXISTS, 0);
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    await_waiting(1);
    harness_put(store, "never", "x");
    memstore_object_free(waiter_join(waiter, 0));
}
END_TEST

START_TEST(wait_outlives_the_daemon)
{
    struct waiter *comes = waiter_start("comes", MEMSTORE_UNTIL_EXISTS, 0);
    struct waiter *here;

    harness_put(store, "here", "x");
    here = waiter_start("here", MEMSTORE_UNTIL_CHANGED, version_of("here"));
    harness_kill(server);
    server = harness_start(NULL);
    await_waiting(2);
    harness_put(store, "comes", "x");
    expect_version(waiter_join(comes, 0), "comes", version_of("comes"));
    ck_assert_uint_eq(harness_stats(store).waiting, 1);
    harness_put(store, "here", "y");
    expect_version(waiter_join(here, 0), "here", version_of("here"));
}
END_TEST

START_TEST(without_a_daemon_the_wait_ends_in_time)
{
    struct waiter waiter = {.key = "none",
                            .until = MEMSTORE_UNTIL_EXISTS,
                            .timeout_ms = (int)(harness_seconds(1.5) * 1000)};
    struct waiter *before = waiter_start("some", MEMSTORE_UNTIL_EXISTS, 0);

    waiter_launch(&waiter);
    await_waiting(2);
    harness_put(store, "some", "x");
    memstore_object_free(waiter_join(before, 0));
    await_waiting(1);
    harness_kill(server);
    pthread_join(waiter.thread, NULL);
    ck_assert_msg(waiter.result == -ECONNREFUSED, "%d: %s", waiter.result, waiter.message);
    /* And one that never found it does not wait at all, also where a connection is left. */
    waiter.timeout_ms = LONG;
    waiter_launch(&waiter);
    pthread_join(waiter.thread, NULL);
    ck_assert_msg(waiter.result == -ECONNREFUSED, "%d: %s", waiter.result, waiter.message);
    server = harness_start(NULL);
}
END_TEST

static bool is_closed(void *argument)
{
    char byte;

    return recv(*(int *)argument, &byte, 1, MSG_DONTWAIT) == 0;
}

/* The daemon closes who has it wait for the rest of a request, and not who waits for others. */
START_TEST(patience_of_the_daemon_is_not_for_those_who_wait)
{
    struct waiter *waiter = waiter_start("late", MEMSTORE_UNTIL_EXISTS, 0);
    int fd = harness_connect(server);
    const char *log;

    ck_assert_int_eq(send(fd, "half", 4, 0), 4);
    harness_await(is_closed, &fd, "the daemon waits on");
    close(fd);
    log = strstr(harness_log(server), "is closed: ");
    ck_assert_ptr_nonnull(log);
    ck_assert_ptr_null(strstr(log + 1, "is closed: "));
    ck_assert_uint_eq(harness_stats(store).waiting, 1);
    harness_put(store, "late", "x");
    expect_version(waiter_join(waiter, 0), "late", version_of("late"));
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("wait");
    TCase *waits = tcase_create("wait");
    TCase *many = tcase_create("many");
    TCase *impatient = tcase_create("impatient");

    tcase_add_checked_fixture(waits, setup, teardown);
    tcase_set_timeout(waits, 60);
    tcase_add_test(waits, what_holds_already_is_not_waited_for);
    tcase_add_test(waits, deadline_in_the_past_only_looks);
    tcase_add_test(waits, deadline_ends_the_wait);
    tcase_add_test(waits, senseless_waits_are_refused);
    tcase_add_test(waits, object_that_comes_wakes);
    tcase_add_test(waits, object_that_goes_wakes);
    tcase_add_test(waits, each_kind_of_change_wakes);
    tcase_add_test(waits, large_object_wakes_when_it_is_whole);
    tcase_add_test(waits, other_changes_do_not_wake);
    tcase_add_test(waits, keys_are_any_bytes);
    tcase_add_test(waits, processes_wait_for_each_other);
    tcase_add_test(waits, two_processes_count_in_turns);
    tcase_add_test(waits, who_is_killed_waits_no_longer);
    tcase_add_test(waits, wait_outlives_the_daemon);
    tcase_add_test(waits, without_a_daemon_the_wait_ends_in_time);
    suite_add_tcase(all, waits);
    tcase_add_checked_fixture(many, setup, teardown);
    tcase_set_timeout(many, 60);
    tcase_add_test(many, a_thousand_cost_nothing_and_are_all_woken);
    tcase_add_test(many, each_is_woken_by_its_own_key);
    suite_add_tcase(all, many);
    tcase_add_checked_fixture(impatient, setup_impatient, teardown);
    tcase_set_timeout(impatient, 60);
    tcase_add_test(impatient, patience_of_the_daemon_is_not_for_those_who_wait);
    suite_add_tcase(all, impatient);
    return all;
}

int main(void)
{
    return harness_main(suite());
}
