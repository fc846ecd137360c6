/*
 * fork: parent and child go on with the handle that was opened before, both at once, and what one
 * of them does, its end included, is nothing to the other's reads and views.
 */
#include "tests/harness.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LARGE 100000
#define THREADS 4

/* Memory that the test shares with its processes. */
struct shared {
    _Atomic int released; /* views that the other side has released */
    _Atomic int done;
    _Atomic pid_t child;
};

static struct harness_daemon *server;
static struct shared *shared;
static struct memstore *store; /* the handle that is inherited */

static enum memstore_reads way(int index)
{
    return index % 2 ? MEMSTORE_READS_SOCKET : MEMSTORE_READS_DIRECT;
}

static void setup(void)
{
    harness_setup();
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
    server = harness_start("--max-size", "128M");
}

static void teardown(void)
{
    memstore_close(store); /* NULL in a test that was skipped */
    munmap(shared, sizeof(*shared));
    harness_teardown();
}

static void open_and_read(enum memstore_reads reads)
{
    store = harness_open_reads(server, reads);
    harness_put(store, "k", "v");
    harness_put_filled(store, "large", LARGE, 1);
    harness_expect(store, "k", "v");
}

/* Puts and reads a few times: each sees its own, and what was there before the fork. */
static int use(int index, void *argument)
{
    char key[16];

    (void)argument;
    snprintf(key, sizeof(key), "own-%d", index);
    for (int i = 0; i < 20; i++) {
        struct memstore_view *view;
        char text[16];

        snprintf(text, sizeof(text), "%d", i);
        harness_put(store, key, text);
        harness_expect(store, key, text);
        harness_expect(store, "k", "v");
        view = harness_view(store, "large");
        if (!harness_view_shows(view, LARGE, 1))
            return 1;
        memstore_view_release(view);
    }
    return 0;
}

static void expect_end(pid_t pid)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

/* ---- both at once ---- */

static int use_and_close(int index, void *argument)
{
    int r = use(index, argument);

    memstore_close(store);
    return r;
}

START_TEST(parent_and_children_read_at_once)
{
    pid_t children[8];

    open_and_read(way(_i));
    for (int i = 0; i < 8; i++)
        children[i] = harness_fork(use_and_close, i, NULL);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(use(100, NULL), 0);
    for (int i = 0; i < 8; i++)
        expect_end(children[i]);
    ck_assert_int_eq(use(100, NULL), 0);
    if (way(_i) == MEMSTORE_READS_DIRECT)
        ck_assert_uint_eq(harness_stats(store).socket_reads, 0);
}
END_TEST

/* ---- the child's end ---- */

static int end_untouched(int index, void *argument)
{
    (void)index;
    (void)argument;
    return 0; /* by _exit */
}

static int end_by_exit(int index, void *argument)
{
    (void)index;
    (void)argument;
    exit(0);
}

static int use_and_exit(int index, void *argument)
{
    if (use(index, argument) == 0)
        exit(0);
    return 1;
}

static int use_and_die(int index, void *argument)
{
    if (use(index, argument) == 0)
        raise(SIGKILL);
    return 1;
}

START_TEST(end_of_a_child_is_nothing_to_its_parent)
{
    static int (*const ends[])(int index, void *argument) = {
        end_untouched, end_by_exit, use, use_and_exit, use_and_close, use_and_die};
    struct memstore_view *view;

    open_and_read(way(_i));
    view = harness_view(store, "large");
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        pid_t pid = harness_fork(ends[i], (int)i, NULL);
        int status;

        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(status == 0 || (WIFSIGNALED(status) && ends[i] == use_and_die));
        ck_assert(harness_view_shows(view, LARGE, 1));
        harness_put_filled(store, "churn", LARGE, i);
        ck_assert_int_eq(use(100, NULL), 0);
    }
    if (way(_i) == MEMSTORE_READS_DIRECT) {
        ck_assert_uint_eq(harness_stats(store).socket_reads, 0);
        ck_assert_uint_eq(harness_stats(store).views, 1);
    }
    memstore_view_release(view);
}
END_TEST

/* ---- views ---- */

static bool other_has_released(void *argument)
{
    (void)argument;
    return shared->released > 0;
}

/* Whatever memory is free gets other bytes. */
static void churn(struct memstore *writer)
{
    for (int i = 0; i < 400; i++) {
        char key[16];

        snprintf(key, sizeof(key), "churn-%d", i % 20);
        harness_put_filled(writer, key, LARGE - 100 * (i % 30), (uint64_t)i + 1000);
    }
}

struct inherited {
    struct memstore_view *views[3];
    int stays; /* the side that holds its views longer: 0 the parent, 1 the child */
};

static bool shows_all(const struct inherited *inherited)
{
    for (int i = 0; i < 3; i++) {
        if (!harness_view_shows(inherited->views[i], LARGE, (uint64_t)i + 10))
            return false;
    }
    return true;
}

/* One side: releases its views at once, or holds them while the other's are gone. */
static int hold_or_release(int side, void *argument)
{
    struct inherited *inherited = argument;

    if (!shows_all(inherited))
        return 1;
    if (side == inherited->stays) {
        struct memstore *writer;

        harness_await(other_has_released, NULL, "the other side's release");
        writer = harness_open_reads(server, MEMSTORE_READS_SOCKET);
        churn(writer);
        memstore_close(writer);
        if (!shows_all(inherited))
            return 2;
    }
    for (int i = 0; i < 3; i++)
        memstore_view_release(inherited->views[i]);
    shared->released = 1;
    return 0;
}

static bool nothing_is_held(void *argument)
{
    struct memstore_stats stats = harness_stats(argument);

    return stats.views == 0 && stats.pinned == 0 && stats.garbage == 0;
}

static void take_views(struct inherited *inherited)
{
    for (int i = 0; i < 3; i++) {
        harness_put_filled(store, "inherited", LARGE, (uint64_t)i + 10);
        inherited->views[i] = harness_view(store, "inherited");
    }
    harness_put(store, "inherited", "something else");
}

START_TEST(views_are_of_both_sides)
{
    struct inherited inherited = {.stays = _i / 2};
    pid_t pid;

    open_and_read(way(_i));
    take_views(&inherited);
    pid = harness_fork(hold_or_release, 1, &inherited);
    ck_assert_int_eq(hold_or_release(0, &inherited), 0);
    expect_end(pid);
    harness_await(nothing_is_held, store, "memory of views that both sides released");
}
END_TEST

/* A child that reads makes a session of its own; its inherited views are another matter. */
static int read_then_hold(int index, void *argument)
{
    struct inherited *inherited = argument;

    harness_expect(store, "k", "v");
    if (use(index, NULL) != 0)
        return 3;
    memstore_close(store);
    return hold_or_release(1, inherited);
}

START_TEST(views_outlive_the_childs_own_reads)
{
    struct inherited inherited = {.stays = 1};
    pid_t pid;

    open_and_read(MEMSTORE_READS_DIRECT);
    take_views(&inherited);
    pid = harness_fork(read_then_hold, 1, &inherited);
    ck_assert_int_eq(hold_or_release(0, &inherited), 0);
    expect_end(pid);
    harness_await(nothing_is_held, store, "memory of views that both sides released");
}
END_TEST

/* The parent is gone, its child gone as well: the grandchild still has them. */
static int hand_on(int index, void *argument)
{
    pid_t pid;

    if (index < 3) {
        int status;

        pid = harness_fork(hand_on, index + 1, argument);
        shared->released = 1;
        for (int i = 0; i < 3; i++)
            memstore_view_release(((struct inherited *)argument)->views[i]);
        if (waitpid(pid, &status, 0) != pid)
            return 4;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 5;
    }
    return hold_or_release(1, argument);
}

START_TEST(grandchildren_have_the_views)
{
    struct inherited inherited = {.stays = 1};

    open_and_read(MEMSTORE_READS_DIRECT);
    take_views(&inherited);
    ck_assert_int_eq(hand_on(0, &inherited), 0);
    harness_await(nothing_is_held, store, "memory of views that all released");
}
END_TEST

static int die_with_views(int index, void *argument)
{
    (void)argument;
    if (index % 2)
        use(index, NULL);
    raise(SIGKILL);
    return 1;
}

START_TEST(views_of_killed_children_are_given_back)
{
    struct inherited inherited;

    open_and_read(MEMSTORE_READS_DIRECT);
    for (int round = 0; round < 20; round++) {
        pid_t pids[4];

        take_views(&inherited);
        for (int i = 0; i < 4; i++)
            pids[i] = harness_fork(die_with_views, i, NULL);
        for (int i = 0; i < 4; i++)
            ck_assert_int_eq(waitpid(pids[i], NULL, 0), pids[i]);
        ck_assert(shows_all(&inherited));
        for (int i = 0; i < 3; i++)
            memstore_view_release(inherited.views[i]);
    }
    harness_await(nothing_is_held, store, "memory of views of dead processes");
    ck_assert_uint_eq(harness_stats(store).readers, 1);
}
END_TEST

static int die_before_the_child(int index, void *argument)
{
    struct memstore *own = harness_open_reads(server, MEMSTORE_READS_DIRECT);

    (void)argument;
    (void)index;
    harness_expect(own, "k", "v");
    if (fork() == 0) {
        shared->child = getpid();
        for (;;)
            pause();
    }
    while (!shared->child)
        usleep(1000);
    harness_view(own, "large");
    raise(SIGKILL);
    return 1;
}

/* The connection that the daemon watches is the parent's alone. */
START_TEST(death_is_noticed_though_a_child_lives)
{
    pid_t pid;

    open_and_read(MEMSTORE_READS_SOCKET);
    pid = harness_fork(die_before_the_child, 0, NULL);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_int_gt(shared->child, 0);
    harness_await(nothing_is_held, store, "views of a dead process whose child lives");
    ck_assert_uint_eq(harness_stats(store).readers, 0);
    ck_assert_int_eq(kill(shared->child, SIGKILL), 0);
}
END_TEST

static void *wait_for_ever(void *of)
{
    memstore_wait(of, "never", 5, MEMSTORE_UNTIL_EXISTS, 0, 60000, NULL);
    return NULL;
}

/* With connections of every kind, and a child that has copies of them all. */
static int die_with_connections(int index, void *argument)
{
    struct memstore *own = harness_open(server);
    struct memstore_watch *watch;
    struct memstore_writer *writer;
    pthread_t thread;

    (void)argument;
    (void)index;
    for (int i = 0; i < 20; i++)
        harness_put(own, "k", "v");
    ck_assert_int_eq(memstore_watch(own, "", 0, 0, &watch), 0);
    ck_assert_int_eq(memstore_writer_open(own, "k", 1, NULL, &writer), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_ever, own), 0);
    while (harness_stats(own).waiting == 0)
        usleep(1000);
    if (fork() == 0) {
        shared->child = getpid();
        for (;;)
            pause();
    }
    while (!shared->child)
        usleep(1000);
    raise(SIGKILL);
    return 1;
}

static bool all_others_are_gone(void *argument)
{
    struct memstore_stats stats = harness_stats(store);

    (void)argument;
    return stats.clients == 1 && stats.waiting == 0 && stats.watching == 0;
}

START_TEST(connections_end_though_a_child_lives)
{
    pid_t pid;

    open_and_read(MEMSTORE_READS_SOCKET);
    pid = harness_fork(die_with_connections, 0, NULL);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_int_gt(shared->child, 0);
    harness_await(all_others_are_gone, NULL, "connections of a dead process whose child lives");
    ck_assert_int_eq(kill(shared->child, SIGKILL), 0);
}
END_TEST

/* In the child the numbers of the parent's sockets are free, and go to its files. */
static int keep_files(int index, void *argument)
{
    struct stat before[50], after;
    int fds[50];

    (void)argument;
    (void)index;
    for (int i = 0; i < 50; i++) {
        fds[i] = memfd_create("a file of the child", MFD_CLOEXEC);
        if (fds[i] < 0 || fstat(fds[i], &before[i]) < 0)
            return 1;
    }
    harness_put(store, "of the child", "v");
    harness_expect(store, "of the child", "v");
    memstore_close(store);
    for (int i = 0; i < 50; i++)
        if (fstat(fds[i], &after) < 0 || after.st_ino != before[i].st_ino)
            return 2;
    return 0;
}

START_TEST(child_keeps_its_own_files)
{
    struct memstore_writer *writer;

    open_and_read(way(_i));
    for (int i = 0; i < 20; i++)
        harness_put(store, "k", "v");
    ck_assert_int_eq(memstore_writer_open(store, "w", 1, NULL, &writer), 0);
    harness_processes(2, keep_files, NULL);
    ck_assert_int_eq(memstore_writer_commit(writer, NULL), 0);
    harness_expect(store, "of the child", "v");
}
END_TEST

/* ---- storms ---- */

static bool only_parent_is_left(void *argument)
{
    struct memstore_stats stats = harness_stats(store);
    size_t count;
    struct memstore_holder *holders = harness_holders(store, &count);
    uint64_t expected = way(*(int *)argument) == MEMSTORE_READS_DIRECT ? 1 : 0;
    bool alone = stats.readers == expected && stats.clients == expected + 1 && count == expected;

    free(holders);
    return alone;
}

START_TEST(hundred_children_in_a_row)
{
    struct memstore_view *view;

    open_and_read(way(_i));
    view = harness_view(store, "large");
    for (int i = 0; i < 100; i++) {
        expect_end(harness_fork(use, i, NULL));
        harness_expect(store, "k", "v");
    }
    ck_assert(harness_view_shows(view, LARGE, 1));
    memstore_view_release(view);
    harness_await(only_parent_is_left, &_i, "the children's connections are closed");
}
END_TEST

static int use_with_children(int index, void *argument)
{
    pid_t pid = harness_fork(use, 100 + index, argument);
    int r = use(index, argument);
    int status;

    if (waitpid(pid, &status, 0) != pid || status != 0)
        return 9;
    return r;
}

START_TEST(twenty_children_and_grandchildren_at_once)
{
    open_and_read(way(_i));
    harness_processes(20, use_with_children, NULL);
    ck_assert_int_eq(use(0, NULL), 0);
    harness_await(only_parent_is_left, &_i, "the children's connections are closed");
}
END_TEST

static void *read_until_done(void *argument)
{
    (void)argument;
    while (!shared->done) {
        struct memstore_view *view = NULL;

        if (memstore_exists(store, "k", 1) != 1 || memstore_view(store, "large", 5, &view) < 0)
            return store;
        if (!harness_view_shows(view, LARGE, 1))
            return store;
        memstore_view_release(view);
    }
    return NULL;
}

/* Whatever the other threads are in the middle of, the child finds nothing locked for ever. */
START_TEST(fork_while_threads_read)
{
    const char *sanitizer = getenv("SAN");
    pthread_t ids[THREADS];
    void *failed;

    if (sanitizer && strstr(sanitizer, "address")) {
        harness_skip("fork_while_threads_read", "the sanitizer's own locks do not survive a fork");
        return;
    }
    open_and_read(way(_i));
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&ids[i], NULL, read_until_done, NULL), 0);
    for (int i = 0; i < 50; i++)
        expect_end(harness_fork(use, i, NULL));
    shared->done = 1;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(ids[i], &failed);
        ck_assert_ptr_null(failed);
    }
    harness_await(only_parent_is_left, &_i, "the children's connections are closed");
}
END_TEST

/* A view that is held may not make a fork fail, nor hang, when the daemon does not answer. */
START_TEST(fork_without_a_daemon)
{
    struct inherited inherited = {.stays = 1};
    pid_t pid;

    open_and_read(MEMSTORE_READS_DIRECT);
    take_views(&inherited);
    harness_kill(server);
    pid = harness_fork(end_untouched, 0, NULL);
    expect_end(pid);
    ck_assert(shows_all(&inherited));
    for (int i = 0; i < 3; i++)
        memstore_view_release(inherited.views[i]);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("fork");
    TCase *forks = tcase_create("fork");

    tcase_add_checked_fixture(forks, setup, teardown);
    suite_add_tcase(s, forks);
    /* Loops of two: direct, and over the socket. */
    tcase_add_loop_test(forks, parent_and_children_read_at_once, 0, 2);
    tcase_add_loop_test(forks, end_of_a_child_is_nothing_to_its_parent, 0, 2);
    tcase_add_loop_test(forks, views_are_of_both_sides, 0, 4);
    tcase_add_test(forks, views_outlive_the_childs_own_reads);
    tcase_add_test(forks, grandchildren_have_the_views);
    tcase_add_test(forks, views_of_killed_children_are_given_back);
    tcase_add_test(forks, death_is_noticed_though_a_child_lives);
    tcase_add_test(forks, connections_end_though_a_child_lives);
    tcase_add_loop_test(forks, child_keeps_its_own_files, 0, 2);
    tcase_add_loop_test(forks, hundred_children_in_a_row, 0, 2);
    tcase_add_loop_test(forks, twenty_children_and_grandchildren_at_once, 0, 2);
    tcase_add_loop_test(forks, fork_while_threads_read, 0, 2);
    tcase_add_test(forks, fork_without_a_daemon);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
