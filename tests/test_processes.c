/* What several processes see of each other, and what is left when one of them is killed. */
#include "tests/harness.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* A value to put; each process has its own. */
static char scratch[1000000];

#define PROCESSES_MAX 8
#define KEYS 20

static const int process_counts[] = {4, 8};
#define COUNTS 2

/* Memory that the test shares with its processes. */
struct shared {
    pthread_barrier_t barrier;
    int results[PROCESSES_MAX];
    volatile uint64_t started[PROCESSES_MAX][KEYS];      /* round of the newest put */
    volatile uint64_t acknowledged[PROCESSES_MAX][KEYS]; /* round of the newest answer */
    volatile uint64_t done;
    int opened; /* processes that have a handle */
    uint64_t versions[PROCESSES_MAX][500];
};

static struct harness_daemon *server;
static struct shared *shared;

static void setup(void)
{
    harness_setup();
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
}

static void setup_server(void)
{
    setup();
    server = harness_start("--max-size", "256M");
}

static void teardown(void)
{
    munmap(shared, sizeof(*shared));
    harness_teardown();
}

static void make_barrier(int count)
{
    pthread_barrierattr_t attributes;

    pthread_barrierattr_init(&attributes);
    pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&shared->barrier, &attributes, (unsigned)count);
    pthread_barrierattr_destroy(&attributes);
}

static uint64_t next_random(uint64_t *state)
{
    harness_fill(state, sizeof(*state), *state);
    return *state;
}

/* ---- seeing each other ---- */

struct awaited {
    struct memstore *store;
    const char *key;
};

static bool key_exists(void *argument)
{
    struct awaited *awaited = argument;

    return memstore_exists(awaited->store, awaited->key, strlen(awaited->key)) == 1;
}

static int put_or_see(int index, void *argument)
{
    struct memstore *store = harness_open(server);
    struct awaited awaited = {store, "shared.txt"};

    (void)argument;
    if (index == 0)
        harness_put(store, "shared.txt", "from process 1");
    else
        harness_await(key_exists, &awaited, "shared.txt");
    harness_expect(store, "shared.txt", "from process 1");
    memstore_close(store);
    return 0;
}

START_TEST(what_one_process_puts_the_others_see)
{
    harness_processes(process_counts[_i], put_or_see, NULL);
}
END_TEST

static void name_key(char key[32], int process, int index)
{
    snprintf(key, 32, "key-%d-%d", process, index);
}

static int put_own_see_all(int index, void *argument)
{
    int count = *(int *)argument;
    struct memstore *store = harness_open(server);
    char key[32];

    for (int i = 0; i < 100; i++) {
        name_key(key, index, i);
        harness_put(store, key, key);
    }
    pthread_barrier_wait(&shared->barrier);
    for (int i = 0; i < 100 * count; i++) {
        name_key(key, i / 100, i % 100);
        harness_expect(store, key, key);
    }
    memstore_close(store);
    return 0;
}

START_TEST(every_process_sees_what_all_put)
{
    int count = process_counts[_i];

    make_barrier(count);
    harness_processes(count, put_own_see_all, &count);
}
END_TEST

static int collect_versions(int index, void *argument)
{
    struct memstore *store = harness_open(server);

    (void)argument;
    for (int i = 0; i < 500; i++) {
        struct memstore_object *object = NULL;

        if (memstore_put(store, "k", 1, &i, sizeof(i), NULL, &object) < 0)
            return 1;
        shared->versions[index][i] = memstore_object_version(object);
        if (i > 0 && shared->versions[index][i] <= shared->versions[index][i - 1])
            return 2;
        memstore_object_free(object);
    }
    memstore_close(store);
    return 0;
}

static int compare_versions(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

START_TEST(no_version_is_used_twice)
{
    size_t count = (size_t)process_counts[_i] * 500;
    uint64_t *versions = &shared->versions[0][0];

    harness_processes(process_counts[_i], collect_versions, NULL);
    qsort(versions, count, sizeof(*versions), compare_versions);
    for (size_t i = 1; i < count; i++)
        ck_assert_uint_ne(versions[i], versions[i - 1]);
}
END_TEST

/* ---- the limit ---- */

struct race {
    int count;
    int rounds;
    size_t size;
};

/* The first process looks at what all got, and makes room for the next round. */
static int judge_race(struct memstore *store, const struct race *race)
{
    int successes = 0;

    for (int i = 0; i < race->count; i++) {
        if (shared->results[i] == 0)
            successes++;
        else if (shared->results[i] != -EDQUOT)
            return 10;
    }
    if (successes != 1)
        return 11;
    for (int i = 0; i < race->count; i++) {
        char key[32];

        name_key(key, i, 0);
        memstore_delete(store, key, strlen(key));
    }
    return 0;
}

static int race_for_the_room(int index, void *argument)
{
    const struct race *race = argument;
    struct memstore *store = harness_open(server);
    char *bytes = scratch;
    char key[32];
    int r = 0;

    name_key(key, index, 0);
    for (int i = 0; i < race->rounds && r == 0; i++) {
        pthread_barrier_wait(&shared->barrier);
        shared->results[index] =
            memstore_put(store, key, strlen(key), bytes, race->size, NULL, NULL);
        pthread_barrier_wait(&shared->barrier);
        if (index == 0)
            r = judge_race(store, race);
    }
    memstore_close(store);
    return r;
}

static void run_race(int count, int rounds, size_t size)
{
    struct race race = {.count = count, .rounds = rounds, .size = size};

    make_barrier(count);
    harness_processes(count, race_for_the_room, &race);
}

START_TEST(limit_is_decided_in_one_place)
{
    server = harness_start("--max-size", "100");
    run_race(process_counts[_i], harness_is_slow() ? 100 : 500, 60);
}
END_TEST

START_TEST(limit_is_decided_in_one_place_for_large_values)
{
    server = harness_start("--max-size", "1M");
    run_race(process_counts[_i], 50, 600000);
}
END_TEST

/* ---- whole values ---- */

static const size_t whole_sizes[] = {100, 3000, 20000, 300000, 1000000};

/* A value of one byte many times: which byte tells how many. */
static int overwrite(struct memstore *store, uint64_t random, char *bytes)
{
    int kind = (int)(random % 5);
    char type[2] = {(char)('0' + kind), '\0'};
    struct memstore_put_options options = {.size = sizeof(options), .content_type = type};

    memset(bytes, '0' + kind, whole_sizes[kind]);
    return memstore_put(store, "k", 1, bytes, whole_sizes[kind], &options, NULL);
}

static bool is_whole(const struct memstore_object *object)
{
    size_t size;
    const char *value = memstore_object_value(object, &size);
    const char *type = memstore_object_content_type(object);

    if (size == 0 || !type || type[0] != value[0] || value[0] < '0' || value[0] > '4')
        return false;
    return size == whole_sizes[value[0] - '0'] && size == memstore_object_size(object) &&
           memcmp(value, value + 1, size - 1) == 0;
}

static int overwrite_or_read(int index, void *argument)
{
    struct memstore *store = harness_open(server);
    char *bytes = scratch;
    uint64_t random = (uint64_t)index;

    (void)argument;
    for (int i = 0; i < (harness_is_slow() ? 50 : 300); i++) {
        struct memstore_object *object = NULL;

        if (index % 2 == 0) {
            if (overwrite(store, next_random(&random), bytes) < 0)
                return 1;
            continue;
        }
        if (memstore_get(store, "k", 1, 0, MEMSTORE_TO_END, &object) < 0)
            return 2;
        if (!is_whole(object))
            return 3;
        memstore_object_free(object);
    }
    memstore_close(store);
    return 0;
}

START_TEST(get_returns_one_whole_value)
{
    struct memstore *store = harness_open(server);
    char *bytes = scratch;

    ck_assert_int_eq(overwrite(store, 0, bytes), 0);
    harness_processes(process_counts[_i], overwrite_or_read, NULL);
    memstore_close(store);
}
END_TEST

/* ---- snapshots ---- */

/* Moves objects around a ring of keys that has some free places. */
static int move_around(struct memstore *store, int index, uint64_t *random)
{
    for (int i = 0; i < 1000; i++) {
        char source[32];
        char target[32];
        int r;

        name_key(source, 0, (int)(next_random(random) % KEYS));
        /* A target of its own: two processes that met at one would lose an object, and rightly. */
        name_key(target, 1 + index, (int)(next_random(random) % 1000000));
        r = memstore_move(store, source, strlen(source), target, strlen(target), NULL);
        if (r == -ENOENT)
            continue;
        if (r == 0)
            r = memstore_move(store, target, strlen(target), source, strlen(source), NULL);
        if (r < 0)
            return 1;
    }
    return 0;
}

static int count_always(struct memstore *store)
{
    for (int i = 0; i < 300; i++) {
        struct memstore_list *list = NULL;
        struct memstore_stats stats;
        size_t count;

        if (memstore_list(store, "", 0, NULL, &list) < 0 ||
            memstore_stats(store, &stats, sizeof(stats)) < 0)
            return 2;
        count = memstore_list_count(list);
        memstore_list_free(list);
        if (count != KEYS || stats.objects != KEYS)
            return 3;
    }
    return 0;
}

static int move_or_count(int index, void *argument)
{
    struct memstore *store = harness_open(server);
    uint64_t random = (uint64_t)index;
    int r;

    (void)argument;
    r = index % 2 == 0 ? move_around(store, index, &random) : count_always(store);
    memstore_close(store);
    return r;
}

START_TEST(nobody_sees_half_of_a_move)
{
    struct memstore *store = harness_open(server);
    char key[32];

    for (int i = 0; i < KEYS; i++) {
        name_key(key, 0, i);
        harness_put(store, key, key);
    }
    harness_processes(process_counts[_i], move_or_count, NULL);
    for (int i = 0; i < KEYS; i++) {
        name_key(key, 0, i);
        harness_expect(store, key, key);
    }
    memstore_close(store);
}
END_TEST

static bool is_ascending(const struct memstore_list *list)
{
    for (size_t i = 1; i < memstore_list_count(list); i++) {
        if (strcmp(memstore_object_key(memstore_list_at(list, i - 1), NULL),
                   memstore_object_key(memstore_list_at(list, i), NULL)) >= 0)
            return false;
    }
    return true;
}

/* The even ones put and delete pairs of keys, the odd ones list: what is listed is in order, and
 * the objects that nobody touches are always all there. */
static int change_or_list(int index, void *argument)
{
    struct memstore *store = harness_open(server);
    char key[32];

    (void)argument;
    for (int i = 0; i < (harness_is_slow() ? 50 : 200); i++) {
        struct memstore_list *list = NULL;
        size_t fixed = 0;

        if (index % 2 == 0) {
            name_key(key, index, i % 50);
            harness_put(store, key, key);
            name_key(key, index, (i * 7) % 50);
            memstore_delete(store, key, strlen(key));
            continue;
        }
        if (memstore_list(store, "", 0, NULL, &list) < 0 || !is_ascending(list))
            return 1;
        for (size_t j = 0; j < memstore_list_count(list); j++)
            fixed += memcmp(memstore_object_key(memstore_list_at(list, j), NULL), "fix", 3) == 0;
        memstore_list_free(list);
        if (fixed != 2000)
            return 2;
    }
    memstore_close(store);
    return 0;
}

START_TEST(list_is_undisturbed_by_changes)
{
    struct memstore *store = harness_open(server);

    for (int i = 0; i < 2000; i++) {
        char key[32];

        snprintf(key, sizeof(key), "%s-%d", i % 2 ? "fix" : "fixed", i);
        harness_put(store, key, "v");
    }
    harness_processes(process_counts[_i], change_or_list, NULL);
    memstore_close(store);
}
END_TEST

/* ---- totals ---- */

static void expect_totals(struct memstore *store)
{
    struct memstore_list *list = NULL;
    struct memstore_stats stats;
    uint64_t used = 0;

    ck_assert_int_eq(memstore_list(store, "", 0, NULL, &list), 0);
    ck_assert_int_eq(memstore_stats(store, &stats, sizeof(stats)), 0);
    for (size_t i = 0; i < memstore_list_count(list); i++)
        used += memstore_object_size(memstore_list_at(list, i));
    ck_assert_uint_eq(stats.used, used);
    ck_assert_uint_eq(stats.objects, memstore_list_count(list));
    memstore_list_free(list);
}

/* Any change to any of a few keys; false if it failed for another reason than a missing key. */
static bool change_anything(struct memstore *store, uint64_t *random, const char *bytes)
{
    char source[32];
    char target[32];
    int r;

    name_key(source, 0, (int)(next_random(random) % KEYS));
    name_key(target, 0, (int)(next_random(random) % KEYS));
    switch (next_random(random) % 5) {
    case 0:
        r = memstore_delete(store, source, strlen(source));
        break;
    case 1:
        r = memstore_copy(store, source, strlen(source), target, strlen(target), NULL);
        break;
    case 2:
        r = memstore_move(store, source, strlen(source), target, strlen(target), NULL);
        break;
    default:
        r = memstore_put(store, source, strlen(source), bytes, whole_sizes[next_random(random) % 4],
                         NULL, NULL);
    }
    return r == 0 || r == -ENOENT;
}

static int change_at_random(int index, void *argument)
{
    struct memstore *store = harness_open(server);
    char *bytes = scratch;
    uint64_t random = (uint64_t)index;

    (void)argument;
    for (int i = 0; i < 500; i++) {
        if (!change_anything(store, &random, bytes))
            return 1;
    }
    memstore_close(store);
    return 0;
}

START_TEST(totals_are_right_after_any_changes)
{
    struct memstore *store = harness_open(server);

    harness_processes(process_counts[_i], change_at_random, NULL);
    expect_totals(store);
    memstore_close(store);
}
END_TEST

/* ---- killed clients ---- */

static int overwrite_for_ever(int index, void *argument)
{
    struct memstore *store = harness_open(server);
    char *bytes = scratch;
    uint64_t random = (uint64_t)index;

    (void)argument;
    while (overwrite(store, next_random(&random), bytes) == 0)
        shared->done++;
    return 1;
}

static bool enough_is_done(void *argument)
{
    return shared->done >= *(uint64_t *)argument;
}

/* A handle that reads directly has a second connection for that. */
static bool is_alone(void *store)
{
    struct memstore_stats stats = harness_stats(store);

    return stats.readers <= 1 && stats.clients == 1 + stats.readers;
}

START_TEST(killed_client_leaves_a_whole_value)
{
    struct memstore *store = harness_open(server);
    uint64_t random = 1;

    for (int i = 0; i < 30; i++) {
        struct memstore_object *object = NULL;
        uint64_t enough = 1 + next_random(&random) % 20;
        pid_t pid;

        shared->done = 0;
        pid = harness_fork(overwrite_for_ever, i, NULL);
        harness_await(enough_is_done, &enough, "puts of the process to be killed");
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        harness_await(is_alone, store, "the killed process is still connected");
        ck_assert_int_eq(memstore_get(store, "k", 1, 0, MEMSTORE_TO_END, &object), 0);
        ck_assert_msg(is_whole(object), "round %d", i);
        memstore_object_free(object);
        expect_totals(store);
    }
    memstore_close(store);
}
END_TEST

static int stream_for_ever(int index, void *argument)
{
    struct memstore *store = harness_open(server);
    char *bytes = scratch;
    struct memstore_writer *writer;

    (void)argument;
    memset(bytes, '0' + index % 5, 100000);
    if (memstore_writer_open(store, "k", 1, NULL, &writer) < 0)
        return 1;
    while (memstore_writer_write(writer, bytes, 100000) == 0 && shared->done < 200)
        shared->done++;
    pause();
    return 1;
}

START_TEST(writer_killed_in_the_middle_leaves_the_old_value)
{
    struct memstore *store = harness_open(server);
    uint64_t random = 2;

    harness_put(store, "k", "old");
    for (int i = 0; i < 20; i++) {
        uint64_t enough = 1 + next_random(&random) % 50;
        pid_t pid;

        shared->done = 0;
        pid = harness_fork(stream_for_ever, i, NULL);
        harness_await(enough_is_done, &enough, "pieces of the process to be killed");
        harness_expect(store, "k", "old");
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        harness_await(is_alone, store, "the killed process is still connected");
        harness_expect(store, "k", "old");
        expect_totals(store);
    }
    memstore_close(store);
}
END_TEST

/* ---- a killed daemon ---- */

struct numbered {
    uint64_t round;
    uint64_t process;
    uint64_t key;
};

/* A value that tells who put it and when; the rest depends on that. */
static void fill_numbered(char *bytes, size_t size, const struct numbered *numbered)
{
    harness_fill(bytes, size, numbered->round * 1000 + numbered->process * 100 + numbered->key);
    memcpy(bytes, numbered, sizeof(*numbered));
}

static size_t numbered_size(const struct numbered *numbered)
{
    return whole_sizes[(numbered->round + numbered->key) % 4];
}

/* Puts on and on; what was answered is noted, until the daemon is gone. */
static int put_until_killed(int index, void *argument)
{
    struct memstore *store = harness_open(server);
    char *bytes = scratch;
    char key[32];
    uint64_t round = shared->started[index][0];

    (void)argument;
    __atomic_add_fetch(&shared->opened, 1, __ATOMIC_RELAXED);
    for (;;) {
        round++;
        for (int i = 0; i < KEYS; i++) {
            struct numbered numbered = {round, (uint64_t)index, (uint64_t)i};

            name_key(key, index, i);
            fill_numbered(bytes, numbered_size(&numbered), &numbered);
            shared->started[index][i] = round;
            if (memstore_put(store, key, strlen(key), bytes, numbered_size(&numbered), NULL, NULL) <
                0)
                return 0;
            shared->acknowledged[index][i] = round;
            __atomic_add_fetch(&shared->done, 1, __ATOMIC_RELAXED);
        }
    }
}

static void expect_numbered(struct memstore *store, int process, int index)
{
    uint64_t acknowledged = shared->acknowledged[process][index];
    struct memstore_object *object = NULL;
    struct numbered numbered;
    char *expected;
    char key[32];
    int r;

    name_key(key, process, index);
    r = memstore_get(store, key, strlen(key), 0, MEMSTORE_TO_END, &object);
    if (r == -ENOENT && acknowledged == 0)
        return;
    ck_assert_msg(r == 0, "%s, which was acknowledged: %s", key, memstore_message());
    memcpy(&numbered, memstore_object_value(object, NULL), sizeof(numbered));
    ck_assert_uint_ge(numbered.round, acknowledged);
    ck_assert_uint_le(numbered.round, shared->started[process][index]);
    ck_assert_uint_eq(numbered.process, (uint64_t)process);
    ck_assert_uint_eq(memstore_object_size(object), numbered_size(&numbered));
    expected = malloc(numbered_size(&numbered));
    fill_numbered(expected, numbered_size(&numbered), &numbered);
    ck_assert_int_eq(
        memcmp(memstore_object_value(object, NULL), expected, numbered_size(&numbered)), 0);
    free(expected);
    memstore_object_free(object);
}

static bool all_are_open(void *argument)
{
    return __atomic_load_n(&shared->opened, __ATOMIC_RELAXED) == *(int *)argument;
}

static void load_and_kill(int count, uint64_t enough)
{
    pid_t pids[PROCESSES_MAX] = {0};
    int status;

    shared->done = 0;
    shared->opened = 0;
    for (int i = 0; i < count; i++)
        pids[i] = harness_fork(put_until_killed, i, NULL);
    harness_await(all_are_open, &count, "processes that open the store");
    harness_await(enough_is_done, &enough, "puts before the daemon is killed");
    harness_kill(server);
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert_int_eq(status, 0);
    }
}

START_TEST(acknowledged_puts_survive_a_killed_daemon)
{
    int count = process_counts[_i];
    uint64_t version = 0;
    uint64_t random = 3;

    for (int round = 0; round < 8; round++) {
        struct memstore *store;
        struct memstore_stats stats;

        server = harness_start("--max-size", "256M");
        load_and_kill(count, (uint64_t)count * KEYS + next_random(&random) % 300);
        server = harness_start("--max-size", "256M");
        store = harness_open(server);
        for (int i = 0; i < count * KEYS; i++)
            expect_numbered(store, i / KEYS, i % KEYS);
        expect_totals(store);
        ck_assert_int_eq(memstore_stats(store, &stats, sizeof(stats)), 0);
        ck_assert_uint_gt(stats.version, version);
        version = stats.version;
        memstore_close(store);
        harness_kill(server);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("processes");
    TCase *together = tcase_create("together");
    TCase *own_server = tcase_create("with a daemon of its own");

    tcase_add_checked_fixture(together, setup_server, teardown);
    tcase_add_checked_fixture(own_server, setup, teardown);
    suite_add_tcase(s, together);
    suite_add_tcase(s, own_server);
    tcase_add_loop_test(together, what_one_process_puts_the_others_see, 0, COUNTS);
    tcase_add_loop_test(together, every_process_sees_what_all_put, 0, COUNTS);
    tcase_add_loop_test(together, no_version_is_used_twice, 0, COUNTS);
    tcase_add_loop_test(together, get_returns_one_whole_value, 0, COUNTS);
    tcase_add_loop_test(together, nobody_sees_half_of_a_move, 0, COUNTS);
    tcase_add_loop_test(together, list_is_undisturbed_by_changes, 0, COUNTS);
    tcase_add_loop_test(together, totals_are_right_after_any_changes, 0, COUNTS);
    tcase_add_test(together, killed_client_leaves_a_whole_value);
    tcase_add_test(together, writer_killed_in_the_middle_leaves_the_old_value);
    tcase_add_loop_test(own_server, limit_is_decided_in_one_place, 0, COUNTS);
    tcase_add_loop_test(own_server, limit_is_decided_in_one_place_for_large_values, 0, COUNTS);
    tcase_add_loop_test(own_server, acknowledged_puts_survive_a_killed_daemon, 0, COUNTS);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
