/*
 * Who holds what: holders and stats tell the truth, and when a process dies, at whatever
 * instruction, its reader slots, views and connections are given back.
 */
#include "tests/harness.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LARGE 100000
#define VIEWS 5

/* Memory that the test shares with its processes. */
struct shared {
    _Atomic int ready;
    _Atomic uint64_t rounds;
};

static struct harness_daemon *server;
static struct shared *shared;
static struct memstore *store; /* asks, so that it holds nothing itself */
static int descriptors_before;

static void setup(void)
{
    harness_setup();
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
    server = harness_start("--max-size", "64M");
    store = harness_open_reads(server, MEMSTORE_READS_SOCKET);
}

static void teardown(void)
{
    memstore_close(store);
    munmap(shared, sizeof(*shared));
    harness_teardown();
}

static int daemon_descriptors(void)
{
    char path[64];
    DIR *folder;
    int count = 0;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)server->pid);
    folder = opendir(path);
    ck_assert_ptr_nonnull(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* Nothing of any other process is left: not a connection, slot, view, file or byte. */
static bool all_is_given_back(void *argument)
{
    struct memstore_stats stats = harness_stats(store);
    size_t count;
    struct memstore_holder *holders = harness_holders(store, &count);
    char *output;
    bool none;

    (void)argument;
    free(holders);
    ck_assert_int_ge(harness_shell(NULL, &output, "ls %s/data | grep pins", harness_folder), 0);
    none = stats.readers == 0 && stats.views == 0 && stats.pinned == 0 && stats.garbage == 0 &&
           stats.clients == 1 && count == 0 && !*output &&
           daemon_descriptors() == descriptors_before;
    free(output);
    return none;
}

/* ---- the truth ---- */

static int hold_views(int index, void *argument)
{
    struct memstore *own = harness_open_reads(server, MEMSTORE_READS_DIRECT);
    char name[16];

    (void)argument;
    snprintf(name, sizeof(name), "holder-%d", index);
    prctl(PR_SET_NAME, name);
    for (int i = 0; i < VIEWS * index; i++) {
        harness_put_filled(own, name, LARGE, (uint64_t)i);
        harness_view(own, name);
    }
    harness_expect(own, "k", "v");
    shared->ready++;
    pause();
    return 1;
}

static bool all_are_ready(void *argument)
{
    return shared->ready == *(int *)argument;
}

START_TEST(holders_tell_the_truth)
{
    struct memstore_holder *holders;
    struct memstore_stats stats;
    pid_t pids[3];
    int count = 3;
    size_t found;

    harness_put(store, "k", "v");
    descriptors_before = daemon_descriptors();
    for (int i = 0; i < count; i++)
        pids[i] = harness_fork(hold_views, i, NULL);
    harness_await(all_are_ready, &count, "processes that hold views");
    stats = harness_stats(store);
    ck_assert_uint_eq(stats.readers, 3);
    ck_assert_uint_eq(stats.views, 3 * VIEWS);
    ck_assert_uint_eq(stats.pinned, 3 * VIEWS * LARGE);
    holders = harness_holders(store, &found);
    ck_assert_uint_eq(found, 3);
    for (int i = 0; i < 3; i++) { /* those with the most first */
        const struct memstore_holder *holder = &holders[2 - i];
        char name[16];

        snprintf(name, sizeof(name), "holder-%d", i);
        ck_assert_str_eq(holder->name, name);
        ck_assert_uint_eq(holder->pid, (uint32_t)pids[i]);
        ck_assert_uint_eq(holder->uid, getuid());
        ck_assert_uint_eq(holder->views, VIEWS * (uint64_t)i);
        ck_assert_uint_eq(holder->pinned, VIEWS * (uint64_t)i * LARGE);
        ck_assert_uint_eq(holder->readers, 0); /* a held view is no read under way */
    }
    free(holders);
    for (int i = 0; i < 3; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    harness_await(all_is_given_back, NULL, "what killed holders had");
}
END_TEST

START_TEST(holders_of_older_programs)
{
    struct memstore *own = harness_open_reads(server, MEMSTORE_READS_DIRECT);
    struct memstore_holder *holders = NULL;
    size_t count;
    uint32_t pid;

    harness_put(own, "k", "v");
    harness_expect(own, "k", "v");
    ck_assert_int_eq(memstore_holders(own, &holders, &count, 0), -EINVAL);
    ck_assert_ptr_null(holders);
    ck_assert_int_eq(memstore_holders(own, &holders, &count, sizeof(pid)), 0);
    ck_assert_uint_eq(count, 1);
    memcpy(&pid, holders, sizeof(pid));
    ck_assert_uint_eq(pid, (uint32_t)getpid());
    free(holders);
    memstore_close(own);
}
END_TEST

/* As many as there may be: those with the most pinned bytes come. */
START_TEST(many_holders_fit_an_answer)
{
    struct memstore *many[300];
    struct memstore_view *view;
    struct memstore_holder *holders;
    size_t count;

    harness_put_filled(store, "k", LARGE, 1);
    for (int i = 0; i < 300; i++) {
        many[i] = harness_open_reads(server, MEMSTORE_READS_DIRECT);
        ck_assert_int_eq(memstore_exists(many[i], "k", 1), 1);
    }
    view = harness_view(many[299], "k");
    holders = harness_holders(store, &count);
    ck_assert_uint_eq(count, 300);
    ck_assert_uint_eq(holders[0].views, 1);
    ck_assert_uint_eq(holders[1].views, 0);
    free(holders);
    memstore_view_release(view);
    for (int i = 0; i < 300; i++)
        memstore_close(many[i]);
}
END_TEST

/* The same object twice is one value's memory. */
START_TEST(value_that_is_viewed_twice_is_pinned_once)
{
    struct memstore *own = harness_open_reads(server, MEMSTORE_READS_DIRECT);
    struct memstore *other = harness_open_reads(server, MEMSTORE_READS_DIRECT);
    struct memstore_view *views[3];

    harness_put_filled(own, "k", LARGE, 1);
    views[0] = harness_view(own, "k");
    views[1] = harness_view(own, "k");
    views[2] = harness_view(other, "k");
    ck_assert_uint_eq(harness_stats(store).views, 3);
    ck_assert_uint_eq(harness_stats(store).pinned, LARGE);
    ck_assert_int_eq(memstore_delete(own, "k", 1), 0);
    ck_assert_uint_eq(harness_stats(store).pinned, LARGE);
    ck_assert_uint_eq(harness_stats(store).garbage, LARGE);
    for (int i = 0; i < 3; i++) {
        ck_assert(harness_view_shows(views[i], LARGE, 1));
        memstore_view_release(views[i]);
    }
    ck_assert_uint_eq(harness_stats(store).pinned, 0);
    memstore_close(other);
    memstore_close(own);
}
END_TEST

/* ---- deaths ---- */

/* What a process does over and over until it is killed. */
static void work_once(struct memstore *own, int kind, uint64_t round)
{
    static struct memstore_view *views[8];
    struct memstore_object *object = NULL;
    struct memstore_list *list = NULL;
    unsigned i = round % 8;

    switch (kind) {
    case 0:
        if (memstore_get(own, "large", 5, 0, MEMSTORE_TO_END, &object) == 0)
            memstore_object_free(object);
        break;
    case 1:
        if (memstore_list(own, "", 0, NULL, &list) == 0)
            memstore_list_free(list);
        break;
    case 2:
        memstore_view_release(views[i]);
        views[i] = NULL;
        memstore_view(own, "large", 5, &views[i]);
        break;
    default:
        memstore_exists(own, "large", 5);
    }
}

static void *work_in_a_thread(void *argument)
{
    struct memstore *own = argument;

    for (uint64_t round = 0;; round++)
        work_once(own, (int)(round % 2), round);
    return NULL;
}

#define KINDS 5

static int work_for_ever(int kind, void *argument)
{
    struct memstore *own = NULL;
    pthread_t thread;

    (void)argument;
    if (kind < KINDS - 1)
        own = harness_open_reads(server, MEMSTORE_READS_DIRECT);
    if (kind == 3) /* several at once in one process */
        ck_assert_int_eq(pthread_create(&thread, NULL, work_in_a_thread, own), 0);
    for (uint64_t round = 0;; round++) {
        if (kind == KINDS - 1) /* each time from the start */
            own = harness_open_reads(server, MEMSTORE_READS_DIRECT);
        work_once(own, kind, round);
        if (kind == KINDS - 1)
            memstore_close(own);
        shared->rounds++;
    }
    return 0;
}

static bool enough_rounds(void *argument)
{
    return shared->rounds >= *(uint64_t *)argument;
}

START_TEST(killed_readers_leave_nothing)
{
    uint64_t random = (uint64_t)_i;
    uint64_t readers = 0;

    for (int i = 0; i < 100; i++) {
        char key[16];

        snprintf(key, sizeof(key), "k%d", i);
        harness_put(store, key, "v");
    }
    harness_put_filled(store, "large", LARGE, 1);
    descriptors_before = daemon_descriptors();
    for (int round = 0; round < 40; round++) {
        uint64_t enough;
        pid_t pid;

        harness_fill(&random, sizeof(random), random);
        enough = random % 50;
        shared->rounds = 0;
        pid = harness_fork(work_for_ever, _i, NULL);
        harness_await(enough_rounds, &enough, "reads of the process to be killed");
        usleep((useconds_t)(random / 50 % 300)); /* wherever it is then */
        readers += harness_stats(store).readers;
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        harness_put_filled(store, "large", LARGE, (uint64_t)round);
    }
    ck_assert_uint_gt(readers, 0);
    harness_await(all_is_given_back, NULL, "what killed readers had");
}
END_TEST

/* More deaths than there are reader slots: none is left taken. */
START_TEST(slots_of_the_dead_are_used_again)
{
    uint64_t enough = 20;

    harness_put_filled(store, "large", LARGE, 1);
    descriptors_before = daemon_descriptors();
    for (int round = 0; round < (harness_is_slow() ? 30 : 300); round++) {
        pid_t pids[8];

        shared->rounds = 0;
        for (int i = 0; i < 8; i++)
            pids[i] = harness_fork(work_for_ever, 3, NULL);
        harness_await(enough_rounds, &enough, "reads of the processes to be killed");
        for (int i = 0; i < 8; i++)
            kill(pids[i], SIGKILL);
        for (int i = 0; i < 8; i++)
            ck_assert_int_eq(waitpid(pids[i], NULL, 0), pids[i]);
    }
    harness_await(all_is_given_back, NULL, "what killed readers had");
}
END_TEST

/* A stopped process in the middle of a read keeps memory from being used again, its death gives it
 * back: the same few values go on fitting. */
static int stop_within_a_read(int index, void *argument)
{
    (void)index;
    (void)argument;
    return work_for_ever(1, NULL);
}

static void put_pattern(int rounds)
{
    for (int i = 0; i < rounds; i++) {
        char key[16];

        snprintf(key, sizeof(key), "p%d", i % 8);
        harness_put_filled(store, key, 1 << 20, (uint64_t)i);
    }
}

START_TEST(memory_of_a_killed_reader_is_used_again)
{
    struct memstore_stats stats;
    uint64_t enough = 5;

    put_pattern(8);
    descriptors_before = daemon_descriptors();
    for (int round = 0; round < 10; round++) {
        pid_t pid;

        shared->rounds = 0;
        pid = harness_fork(stop_within_a_read, 0, NULL);
        harness_await(enough_rounds, &enough, "reads of the process to be stopped");
        kill(pid, SIGSTOP);
        put_pattern(8);
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        harness_await(all_is_given_back, NULL, "what the killed reader had");
        put_pattern(16);
    }
    stats = harness_stats(store);
    /* 8 MiB live, as much again for the round in which a reader kept it, and the slack. */
    ck_assert_msg(stats.memory <= ((uint64_t)8 * 3 + 32) << 20, "memory %llu",
                  (unsigned long long)stats.memory);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("holders");
    TCase *truth = tcase_create("truth");
    TCase *deaths = tcase_create("deaths");

    tcase_add_checked_fixture(truth, setup, teardown);
    tcase_add_checked_fixture(deaths, setup, teardown);
    suite_add_tcase(s, truth);
    suite_add_tcase(s, deaths);
    tcase_add_test(truth, holders_tell_the_truth);
    tcase_add_test(truth, holders_of_older_programs);
    tcase_add_test(truth, many_holders_fit_an_answer);
    tcase_add_test(truth, value_that_is_viewed_twice_is_pinned_once);
    tcase_add_loop_test(deaths, killed_readers_leave_nothing, 0, KINDS);
    tcase_add_test(deaths, slots_of_the_dead_are_used_again);
    tcase_add_test(deaths, memory_of_a_killed_reader_is_used_again);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
