/* Locks, through the library against a real daemon. */
#include "tests/harness.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG 60000 /* milliseconds that no test waits */

/* Memory that the test shares with its processes. */
struct shared {
    _Atomic int ready;
    _Atomic int go;
    _Atomic pid_t child;
};

static struct harness_daemon *server;
static struct memstore *store;
static struct shared *shared;

static void setup_with(const char *const *options)
{
    harness_setup();
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
    server = harness_start_list(options);
    store = harness_open(server);
}

static void setup(void)
{
    setup_with(HARNESS_LIST(NULL));
}

static void setup_impatient(void)
{
    setup_with(HARNESS_LIST("--client-timeout", "1"));
}

static void setup_small(void)
{
    setup_with(HARNESS_LIST("--max-size", "none", "--max-memory", "16M"));
}

static void teardown(void)
{
    memstore_close(store);
    munmap(shared, sizeof(*shared));
    harness_teardown();
}

/* ---- short forms ---- */

static struct memstore_lock *take(const char *name)
{
    struct memstore_lock *lock = NULL;

    ck_assert_msg(memstore_lock(store, name, strlen(name), LONG, &lock) == 0, "%s",
                  memstore_message());
    return lock;
}

static void give(struct memstore_lock *lock)
{
    ck_assert_msg(memstore_unlock(lock) == 0, "%s", memstore_message());
}

static void expect_taken(const char *name)
{
    struct memstore_lock *lock;

    ck_assert_int_eq(memstore_lock(store, name, strlen(name), 0, &lock), -ETIMEDOUT);
}

static void expect_free(const char *name)
{
    struct memstore_lock *lock = NULL;

    ck_assert_msg(memstore_lock(store, name, strlen(name), 0, &lock) == 0, "%s",
                  memstore_message());
    give(lock);
}

static bool as_many_wait(void *argument)
{
    return harness_stats(store).waiting == *(size_t *)argument;
}

static void await_waiting(size_t count)
{
    harness_await(as_many_wait, &count, "the number of those who wait");
}

static bool as_many_are_held(void *argument)
{
    return harness_stats(store).locks == *(size_t *)argument;
}

static void await_held(size_t count)
{
    harness_await(as_many_are_held, &count, "the number of locks");
}

static void await_ready(int count)
{
    while (shared->ready < count)
        usleep(1000);
}

/* ---- one at a time ---- */

START_TEST(lock_is_had_by_one)
{
    struct memstore_lock *lock = take("name");

    ck_assert_int_eq(memstore_lock_is_held(lock), 1);
    ck_assert_uint_eq(harness_stats(store).locks, 1);
    expect_taken("name");
    ck_assert_str_eq(memstore_message(), "others have the lock \"name\"");
    expect_free("other");
    give(lock);
    ck_assert_uint_eq(harness_stats(store).locks, 0);
    expect_free("name");
    memstore_unlock(NULL);
}
END_TEST

START_TEST(tokens_grow_with_the_versions)
{
    struct memstore_lock *lock = take("name");
    uint64_t first = memstore_lock_token(lock);
    struct memstore_object *object;

    ck_assert_uint_gt(first, 0);
    ck_assert_int_eq(memstore_put(store, "key", 3, "x", 1, NULL, &object), 0);
    ck_assert_uint_gt(memstore_object_version(object), first);
    give(lock);
    lock = take("name");
    ck_assert_uint_gt(memstore_lock_token(lock), memstore_object_version(object));
    memstore_object_free(object);
    give(lock);
}
END_TEST

START_TEST(names_are_any_bytes_and_no_keys)
{
    char name[MEMSTORE_KEY_MAX + 1] = {0};
    struct memstore_lock *locks[4];

    harness_put(store, "key", "value");
    locks[0] = take("key");
    ck_assert_int_eq(memstore_lock(store, NULL, 0, 0, &locks[1]), 0);
    ck_assert_int_eq(memstore_lock(store, name, 1, 0, &locks[2]), 0);
    ck_assert_int_eq(memstore_lock(store, name, MEMSTORE_KEY_MAX, 0, &locks[3]), 0);
    harness_put(store, "key", "another");
    harness_expect(store, "key", "another");
    ck_assert_int_eq(memstore_delete(store, "key", 3), 0);
    ck_assert_int_eq(memstore_exists(store, "", 0), 0);
    expect_taken("key");
    expect_taken("");
    for (int i = 0; i < 4; i++)
        give(locks[i]);
}
END_TEST

START_TEST(senseless_locks_are_refused)
{
    char name[MEMSTORE_KEY_MAX + 1] = {0};
    struct memstore_lock *lock = NULL;

    ck_assert_int_eq(memstore_lock(store, name, sizeof(name), LONG, &lock), -ENAMETOOLONG);
    ck_assert_int_eq(memstore_lock(store, NULL, 1, LONG, &lock), -EINVAL);
    ck_assert_ptr_null(lock);
    ck_assert_uint_eq(harness_stats(store).locks, 0);
}
END_TEST

START_TEST(connections_are_used_again)
{
    uint64_t clients;

    expect_free("name");
    clients = harness_stats(store).clients;
    for (int i = 0; i < 500; i++)
        give(take("name"));
    ck_assert_uint_eq(harness_stats(store).clients, clients);
}
END_TEST

/* ---- in line ---- */

struct asker {
    pthread_t thread;
    int timeout_ms;
    int result;
    uint64_t token;
    int place; /* in which they had it */
};

static _Atomic int places;

static void *ask(void *argument)
{
    struct asker *asker = argument;
    struct memstore_lock *lock;

    asker->result = memstore_lock(store, "name", 4, asker->timeout_ms, &lock);
    if (asker->result == 0) {
        asker->place = atomic_fetch_add(&places, 1);
        asker->token = memstore_lock_token(lock);
        asker->result = memstore_unlock(lock);
    }
    return NULL;
}

static void asker_start(struct asker *asker, int timeout_ms)
{
    *asker = (struct asker){.timeout_ms = timeout_ms, .place = -1};
    ck_assert_int_eq(pthread_create(&asker->thread, NULL, ask, asker), 0);
}

static void asker_join(struct asker *asker, int result)
{
    pthread_join(asker->thread, NULL);
    ck_assert_int_eq(asker->result, result);
}

START_TEST(lock_is_given_in_the_order_of_asking)
{
    enum { COUNT = 30 };
    struct asker askers[COUNT];
    struct memstore_lock *lock = take("name");
    uint64_t token = memstore_lock_token(lock);

    for (size_t i = 0; i < COUNT; i++) {
        asker_start(&askers[i], LONG);
        await_waiting(i + 1);
    }
    expect_taken("name");
    ck_assert_uint_eq(harness_stats(store).locks, 1);
    give(lock);
    for (int i = 0; i < COUNT; i++) {
        asker_join(&askers[i], 0);
        ck_assert_int_eq(askers[i].place, i);
        ck_assert_uint_gt(askers[i].token, token);
        token = askers[i].token;
    }
    ck_assert_uint_eq(harness_stats(store).locks, 0);
    ck_assert_uint_eq(harness_stats(store).waiting, 0);
}
END_TEST

START_TEST(who_has_waited_enough_leaves_the_line)
{
    struct memstore_lock *lock = take("name");
    struct asker patient, impatient;
    struct memstore_lock *none;
    int64_t start = harness_now();

    asker_start(&impatient, 100);
    asker_join(&impatient, -ETIMEDOUT);
    ck_assert_int_ge(harness_now() - start, 100);
    await_waiting(0);
    asker_start(&patient, LONG);
    await_waiting(1);
    ck_assert_int_eq(memstore_lock(store, "name", 4, 50, &none), -ETIMEDOUT);
    ck_assert_str_eq(memstore_message(), "others have the lock \"name\" after 50 ms");
    await_waiting(1);
    give(lock);
    asker_join(&patient, 0);
    expect_free("name");
}
END_TEST

#define WORKERS 8
#define ROUNDS 50

/* Not an atomic step, were it not for the lock. */
static int count_up(struct memstore *own)
{
    struct memstore_object *object;
    char text[16];
    int r = memstore_get(own, "count", 5, 0, MEMSTORE_TO_END, &object);

    if (r < 0)
        return r;
    snprintf(text, sizeof(text), "%d", atoi(memstore_object_value(object, NULL)) + 1);
    memstore_object_free(object);
    return memstore_put(own, "count", 5, text, strlen(text), NULL, NULL);
}

static int count_with_lock(int index, void *argument)
{
    struct memstore *own = harness_open(server);
    struct memstore_lock *lock;
    int r = 0;

    (void)index;
    (void)argument;
    for (int i = 0; i < ROUNDS && r == 0; i++) {
        r = memstore_lock(own, "count", 5, LONG, &lock);
        if (r == 0)
            r = count_up(own);
        if (r == 0)
            r = memstore_unlock(lock);
    }
    memstore_close(own);
    return r ? 1 : 0;
}

START_TEST(what_the_lock_protects_is_exact)
{
    char expected[16];

    harness_put(store, "count", "0");
    harness_processes(WORKERS, count_with_lock, NULL);
    snprintf(expected, sizeof(expected), "%d", WORKERS * ROUNDS);
    harness_expect(store, "count", expected);
}
END_TEST

/* ---- death ---- */

static int hold(int index, void *argument)
{
    struct memstore *own = harness_open(server);
    struct memstore_lock *lock;

    (void)index;
    (void)argument;
    if (memstore_lock(own, "name", 4, LONG, &lock) != 0)
        return 1;
    shared->ready++;
    for (;;)
        pause();
}

START_TEST(lock_of_a_killed_process_is_free)
{
    pid_t holder = harness_fork(hold, 0, NULL);
    pid_t waiters[3];
    struct memstore_lock *lock;

    await_ready(1);
    for (size_t i = 0; i < 3; i++) {
        waiters[i] = harness_fork(hold, 0, NULL);
        await_waiting(i + 1);
    }
    kill(waiters[1], SIGKILL); /* one who waits */
    await_waiting(2);
    kill(holder, SIGKILL);
    await_ready(2);
    kill(waiters[0], SIGKILL);
    await_ready(3);
    kill(waiters[2], SIGKILL);
    lock = take("name");
    give(lock);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(waitpid(waiters[i], NULL, 0), waiters[i]);
    ck_assert_int_eq(waitpid(holder, NULL, 0), holder);
}
END_TEST

/* Takes it and gives it up without end, and dies somewhere in between. */
static int take_and_give(int index, void *argument)
{
    struct memstore *own = harness_open(server);
    struct memstore_lock *lock;
    char mine[16];

    (void)argument;
    snprintf(mine, sizeof(mine), "of %d", index);
    shared->ready++;
    for (;;) {
        struct memstore_object *object;

        if (memstore_lock(own, "name", 4, LONG, &lock) != 0 ||
            memstore_put(own, "holder", 6, mine, strlen(mine), NULL, NULL) != 0 ||
            memstore_get(own, "holder", 6, 0, MEMSTORE_TO_END, &object) != 0 ||
            strcmp(memstore_object_value(object, NULL), mine) != 0) {
            shared->go = -1; /* two of them have it */
            return 1;
        }
        memstore_object_free(object);
        if (memstore_unlock(lock) != 0)
            return 2;
    }
}

START_TEST(killed_at_any_moment)
{
    pid_t pids[4];

    for (int i = 0; i < 4; i++)
        pids[i] = harness_fork(take_and_give, i, NULL);
    await_ready(4);
    for (int i = 0; i < 40; i++) {
        usleep((useconds_t)(i * 137 % 5000));
        kill(pids[i % 4], SIGKILL);
        ck_assert_int_eq(waitpid(pids[i % 4], NULL, 0), pids[i % 4]);
        ck_assert_int_eq(shared->go, 0);
        pids[i % 4] = harness_fork(take_and_give, i, NULL);
    }
    for (int i = 0; i < 4; i++)
        kill(pids[i], SIGKILL);
    give(take("name"));
    await_held(0);
    await_waiting(0);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(waitpid(pids[i], NULL, 0), pids[i]);
    ck_assert_int_eq(shared->go, 0);
}
END_TEST

/* ---- fork ---- */

static struct memstore_lock *inherited;

static int use_parents_lock(int index, void *argument)
{
    (void)argument;
    if (memstore_lock_is_held(inherited) != 0)
        return 1;
    if (index == 0 && memstore_unlock(inherited) != -EINVAL)
        return 2;
    if (memstore_lock(store, "name", 4, 0, &inherited) != -ETIMEDOUT)
        return 3;
    return 0;
}

START_TEST(child_does_not_have_its_parents_lock)
{
    inherited = take("name");
    harness_processes(2, use_parents_lock, NULL);
    ck_assert_int_eq(memstore_lock_is_held(inherited), 1);
    expect_taken("name");
    give(inherited);
    expect_free("name");
}
END_TEST

static int hold_with_child(int index, void *argument)
{
    struct memstore *own = harness_open(server);
    struct memstore_lock *lock;

    (void)index;
    (void)argument;
    if (memstore_lock(own, "name", 4, LONG, &lock) != 0)
        return 1;
    if (fork() == 0) {
        shared->child = getpid();
        for (;;)
            pause();
    }
    while (!shared->child)
        usleep(1000);
    raise(SIGKILL);
    return 2;
}

START_TEST(lock_ends_with_its_process_though_a_child_lives)
{
    pid_t pid = harness_fork(hold_with_child, 0, NULL);

    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_int_gt(shared->child, 0);
    give(take("name"));
    ck_assert_int_eq(kill(shared->child, 0), 0);
    kill(shared->child, SIGKILL);
}
END_TEST

/* ---- the daemon's end ---- */

START_TEST(lock_is_lost_with_the_daemon)
{
    struct memstore_lock *lock = take("name"), *next;
    uint64_t token = memstore_lock_token(lock);

    harness_kill(server);
    ck_assert_int_eq(memstore_lock_is_held(lock), 0);
    ck_assert_int_eq(memstore_lock(store, "name", 4, LONG, &next), -ECONNREFUSED);
    server = harness_start(NULL);
    ck_assert_int_eq(memstore_lock_is_held(lock), 0);
    next = take("name");
    ck_assert_uint_gt(memstore_lock_token(next), token);
    ck_assert_int_eq(memstore_unlock(lock), -ECONNRESET);
    expect_taken("name"); /* that was not the next one's */
    give(next);
}
END_TEST

START_TEST(waiting_for_a_lock_outlives_the_daemon)
{
    struct memstore_lock *lock = take("name");
    struct asker asker;

    asker_start(&asker, LONG);
    await_waiting(1);
    harness_kill(server);
    server = harness_start(NULL);
    asker_join(&asker, 0);
    ck_assert_int_eq(memstore_unlock(lock), -ECONNRESET);
}
END_TEST

/* ---- others ---- */

static bool is_closed(void *argument)
{
    char byte;

    return recv(*(int *)argument, &byte, 1, MSG_DONTWAIT) == 0;
}

START_TEST(patience_of_the_daemon_is_not_for_locks)
{
    struct memstore_lock *lock = take("name");
    struct asker asker;
    int fd;

    asker_start(&asker, LONG);
    await_waiting(1);
    fd = harness_connect(server);
    ck_assert_int_eq(send(fd, "half", 4, 0), 4);
    harness_await(is_closed, &fd, "the daemon waits on");
    close(fd);
    ck_assert_uint_eq(harness_stats(store).waiting, 1);
    ck_assert_int_eq(memstore_lock_is_held(lock), 1);
    give(lock);
    asker_join(&asker, 0);
}
END_TEST

/* Not even values of a byte fit any more. */
START_TEST(full_store_has_locks)
{
    char value[100000];
    char key[32];
    int r, i = 0;

    harness_fill(value, sizeof(value), 1);
    for (size_t size = sizeof(value); size > 0; size /= 10) {
        do {
            snprintf(key, sizeof(key), "%d", i++);
            r = memstore_put(store, key, strlen(key), value, size, NULL, NULL);
        } while (r == 0);
        ck_assert_int_eq(r, -ENOSPC);
    }
    for (i = 0; i < 20; i++)
        give(take("name"));
}
END_TEST

static void add_tests(TCase *locks, TCase *deaths)
{
    tcase_add_test(locks, lock_is_had_by_one);
    tcase_add_test(locks, tokens_grow_with_the_versions);
    tcase_add_test(locks, names_are_any_bytes_and_no_keys);
    tcase_add_test(locks, senseless_locks_are_refused);
    tcase_add_test(locks, connections_are_used_again);
    tcase_add_test(locks, lock_is_given_in_the_order_of_asking);
    tcase_add_test(locks, who_has_waited_enough_leaves_the_line);
    tcase_add_test(locks, what_the_lock_protects_is_exact);
    tcase_add_test(deaths, lock_of_a_killed_process_is_free);
    tcase_add_test(deaths, killed_at_any_moment);
    tcase_add_test(deaths, child_does_not_have_its_parents_lock);
    tcase_add_test(deaths, lock_ends_with_its_process_though_a_child_lives);
    tcase_add_test(deaths, lock_is_lost_with_the_daemon);
    tcase_add_test(deaths, waiting_for_a_lock_outlives_the_daemon);
}

static TCase *add_case(Suite *suite, const char *name, void (*set_up)(void))
{
    TCase *tests = tcase_create(name);

    tcase_add_checked_fixture(tests, set_up, teardown);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return tests;
}

static Suite *suite(void)
{
    Suite *all = suite_create("lock");

    add_tests(add_case(all, "locks", setup), add_case(all, "deaths", setup));
    tcase_add_test(add_case(all, "impatient", setup_impatient),
                   patience_of_the_daemon_is_not_for_locks);
    tcase_add_test(add_case(all, "small", setup_small), full_store_has_locks);
    return all;
}

int main(void)
{
    return harness_main(suite());
}
