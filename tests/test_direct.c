/*
 * Direct reads: when reads are direct, that they see every change that was answered, and that
 * whatever stands in their way turns them into questions to the daemon.
 */
#include "tests/harness.h"

#include <errno.h>
#include <grp.h>
#include <lmdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LARGE 100000
#define PROCESSES 4
#define THREADS 16
#define NOBODY 65534
#define CANNOT 77 /* what a process returns that may not do what it has to try */

/* Memory that the test shares with its processes. */
struct shared {
    _Atomic uint64_t answered[PROCESSES];
    _Atomic int held;
    _Atomic int done;
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

/* ---- which way ---- */

/* One of each call that reads. */
static void read_all_ways(struct memstore *store)
{
    struct memstore_object *object;
    struct memstore_list *list;
    struct memstore_view *view;

    ck_assert_int_eq(memstore_exists(store, "k", 1), 1);
    harness_expect(store, "k", "v");
    ck_assert_int_eq(memstore_info(store, "k", 1, &object), 0);
    memstore_object_free(object);
    ck_assert_int_eq(memstore_get(store, "k", 1, 1, 5, &object), 0);
    memstore_object_free(object);
    ck_assert_int_eq(memstore_list(store, "", 0, NULL, &list), 0);
    memstore_list_free(list);
    view = harness_view(store, "k");
    memstore_view_release(view);
}

START_TEST(every_read_goes_the_way_that_was_asked_for)
{
    static const enum memstore_reads ways[] = {MEMSTORE_READS_AUTO, MEMSTORE_READS_DIRECT,
                                               MEMSTORE_READS_SOCKET};
    bool direct = ways[_i] != MEMSTORE_READS_SOCKET;
    struct memstore *store = harness_open_reads(server, ways[_i]);
    struct memstore_stats before, after;

    harness_put(store, "k", "v");
    before = harness_stats(store);
    ck_assert_uint_eq(before.direct_reads, 0);
    ck_assert_uint_eq(before.socket_reads, 0);
    read_all_ways(store);
    after = harness_stats(store);
    ck_assert_uint_eq(after.direct_reads, direct ? 6 : 0);
    ck_assert_uint_eq(after.socket_reads, direct ? 0 : 6);
    ck_assert_uint_eq(after.readers, direct ? 1 : 0);
    /* What is direct, the daemon has no part in: one start of it, and the stats themselves. */
    if (direct)
        ck_assert_uint_le(after.requests - before.requests, 3);
    memstore_close(store);
}
END_TEST

START_TEST(what_is_missing_is_direct_too)
{
    struct memstore *store = harness_open_reads(server, MEMSTORE_READS_DIRECT);
    struct memstore_object *object = NULL;
    struct memstore_view *view = NULL;
    struct memstore_list *list;

    harness_put(store, "k", "v");
    ck_assert_int_eq(memstore_exists(store, "none", 4), 0);
    ck_assert_int_eq(memstore_get(store, "none", 4, 0, 1, &object), -ENOENT);
    ck_assert_msg(strstr(memstore_message(), "none"), "%s", memstore_message());
    ck_assert_int_eq(memstore_info(store, "none", 4, &object), -ENOENT);
    ck_assert_int_eq(memstore_get(store, "k", 1, 2, 1, &object), -ERANGE);
    ck_assert_int_eq(memstore_view(store, "none", 4, &view), -ENOENT);
    ck_assert_int_eq(memstore_list(store, "none", 4, NULL, &list), 0);
    ck_assert_uint_eq(memstore_list_count(list), 0);
    memstore_list_free(list);
    ck_assert_ptr_null(object);
    ck_assert_ptr_null(view);
    ck_assert_uint_eq(harness_stats(store).socket_reads, 0);
    memstore_close(store);
}
END_TEST

START_TEST(environment_chooses_the_way)
{
    struct memstore_options options = {.size = sizeof(options), .socket = server->socket};
    struct memstore *store = NULL;

    setenv("MEMSTORE_READS", "socket", 1);
    store = harness_open(server);
    harness_put(store, "k", "v");
    harness_expect(store, "k", "v");
    ck_assert_uint_eq(harness_stats(store).direct_reads, 0);
    memstore_close(store);
    store = harness_open_reads(server, MEMSTORE_READS_DIRECT); /* the program knows better */
    harness_expect(store, "k", "v");
    ck_assert_uint_eq(harness_stats(store).direct_reads, 1);
    memstore_close(store);
    store = NULL;
    setenv("MEMSTORE_READS", "sideways", 1);
    ck_assert_int_eq(memstore_open(&options, &store), -EINVAL);
    ck_assert_msg(strstr(memstore_message(), "sideways"), "%s", memstore_message());
    unsetenv("MEMSTORE_READS");
    options.reads = (enum memstore_reads)3;
    ck_assert_int_eq(memstore_open(&options, &store), -EINVAL);
    ck_assert_ptr_null(store);
}
END_TEST

/* Works over the socket, and a handle that insists on direct reads is told. */
static void expect_questions(const struct harness_daemon *daemon)
{
    struct memstore *store = harness_open_reads(daemon, MEMSTORE_READS_AUTO);
    struct memstore *strict = harness_open_reads(daemon, MEMSTORE_READS_DIRECT);
    struct memstore_object *object = NULL;

    harness_put(store, "k", "v");
    read_all_ways(store);
    ck_assert_uint_eq(harness_stats(store).direct_reads, 0);
    ck_assert_uint_eq(harness_stats(store).socket_reads, 6);
    ck_assert_int_eq(memstore_exists(strict, "k", 1), -EOPNOTSUPP);
    ck_assert_int_eq(memstore_get(strict, "k", 1, 0, 1, &object), -EOPNOTSUPP);
    ck_assert_msg(strstr(memstore_message(), daemon->socket), "%s", memstore_message());
    memstore_close(strict);
    memstore_close(store);
}

static void expect_direct(const struct harness_daemon *daemon)
{
    struct memstore *store = harness_open_reads(daemon, MEMSTORE_READS_DIRECT);

    harness_put(store, "k", "v");
    read_all_ways(store);
    memstore_close(store);
}

START_TEST(daemon_may_allow_nobody)
{
    expect_questions(harness_start("--direct", "off"));
}
END_TEST

/* Becomes another user, of the socket's group or not. */
static int read_as_other(int in_group, void *daemon)
{
    gid_t group = in_group ? getegid() : NOBODY;

    if (setgroups(0, NULL) < 0 || setresgid(group, group, group) < 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) < 0)
        return CANNOT;
    if (in_group == 2) /* 1: the group, where only the user may */
        expect_direct(daemon);
    else
        expect_questions(daemon);
    return 0;
}

/* Waits for a process; whether it could do what it had to try. */
static bool ended_well(pid_t pid)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status) == CANNOT ? 0 : WEXITSTATUS(status), 0);
    return WEXITSTATUS(status) != CANNOT;
}

START_TEST(other_users_ask_unless_they_are_let_in)
{
    ck_assert_int_eq(chmod(harness_folder, 0711), 0);
    server = harness_start("--socket-mode", "0666", "--direct", _i == 2 ? "group" : "user");
    if (!ended_well(harness_fork(read_as_other, _i, server)))
        harness_skip("other_users_ask_unless_they_are_let_in", "cannot become another user");
    expect_direct(server);
}
END_TEST

/* ---- seeing what others do ---- */

/* Puts, deletes and moves its own key, and sees the newest of all others'. */
static int put_and_look_around(int index, void *argument)
{
    struct memstore *store = harness_open_reads(server, MEMSTORE_READS_DIRECT);
    char key[16];

    (void)argument;
    snprintf(key, sizeof(key), "key-%d", index);
    for (uint64_t round = 1; round <= 2000; round++) {
        size_t size = round % 50 == 0 ? LARGE : sizeof(round);
        char *bytes = calloc(1, size);
        int r;

        memcpy(bytes, &round, sizeof(round));
        r = memstore_put(store, key, strlen(key), bytes, size, NULL, NULL);
        free(bytes);
        if (r < 0)
            return 1;
        shared->answered[index] = round;
        for (int other = 0; other < PROCESSES; other++) {
            uint64_t least = shared->answered[other];
            struct memstore_object *object;
            uint64_t seen;

            if (least == 0)
                continue;
            snprintf(key, sizeof(key), "key-%d", other);
            if (memstore_get(store, key, strlen(key), 0, sizeof(seen), &object) < 0)
                return 2;
            memcpy(&seen, memstore_object_value(object, NULL), sizeof(seen));
            memstore_object_free(object);
            if (seen < least || (other == index && seen != round))
                return 3;
        }
        snprintf(key, sizeof(key), "key-%d", index);
    }
    memstore_close(store);
    return 0;
}

START_TEST(answered_puts_are_seen_by_all)
{
    harness_processes(PROCESSES, put_and_look_around, NULL);
}
END_TEST

/* Whatever the change is: the next look at it, by anybody, sees it. */
START_TEST(answered_changes_are_seen_at_once)
{
    struct memstore *store = harness_open_reads(server, MEMSTORE_READS_DIRECT);
    struct memstore *other = harness_open_reads(server, MEMSTORE_READS_DIRECT);

    for (int i = 0; i < 1000; i++) {
        struct memstore_list *list;

        harness_put(store, "a", "first");
        harness_expect(other, "a", "first");
        harness_put(other, "a", "second");
        harness_expect(store, "a", "second");
        ck_assert_int_eq(memstore_copy(other, "a", 1, "b", 1, NULL), 0);
        harness_expect(store, "b", "second");
        ck_assert_int_eq(memstore_move(store, "a", 1, "c", 1, NULL), 0);
        ck_assert_int_eq(memstore_exists(other, "a", 1), 0);
        ck_assert_int_eq(memstore_exists(other, "c", 1), 1);
        ck_assert_int_eq(memstore_delete(other, "b", 1), 0);
        ck_assert_int_eq(memstore_list(store, "", 0, NULL, &list), 0);
        ck_assert_uint_eq(memstore_list_count(list), 1);
        memstore_list_free(list);
    }
    memstore_close(other);
    memstore_close(store);
}
END_TEST

/* ---- threads ---- */

struct thread {
    struct memstore *store;
    uint64_t reads;
    const char *failed;
};

/* The value's first word is its number, from which the rest follows: whole, and never older. */
static void *read_until_done(void *argument)
{
    struct thread *thread = argument;
    uint64_t newest = 0;

    while (!shared->done && !thread->failed) {
        struct memstore_object *object;
        uint64_t number;
        const char *bytes;
        size_t size;

        if (memstore_get(thread->store, "k", 1, 0, MEMSTORE_TO_END, &object) < 0) {
            thread->failed = "get";
            break;
        }
        bytes = memstore_object_value(object, &size);
        memcpy(&number, bytes, sizeof(number));
        if (number < newest)
            thread->failed = "an older value came back";
        if (!harness_is_filled(bytes + sizeof(number), size - sizeof(number), number))
            thread->failed = "a mix came back";
        newest = number;
        memstore_object_free(object);
        if (memstore_exists(thread->store, "none", 4) != 0)
            thread->failed = "exists";
        thread->reads++;
    }
    return NULL;
}

static void put_numbered(struct memstore *store, uint64_t number)
{
    size_t size = number % 3 == 0 ? 20000 : 200;
    char *bytes = malloc(size);
    int r;

    memcpy(bytes, &number, sizeof(number));
    harness_fill(bytes + sizeof(number), size - sizeof(number), number);
    r = memstore_put(store, "k", 1, bytes, size, NULL, NULL);
    ck_assert_msg(r == 0, "%s", memstore_message());
    free(bytes);
}

START_TEST(threads_read_beside_a_writer)
{
    struct memstore *store = harness_open_reads(server, MEMSTORE_READS_DIRECT);
    struct thread threads[THREADS];
    pthread_t ids[THREADS];

    put_numbered(store, 1);
    for (int i = 0; i < THREADS; i++) {
        threads[i] = (struct thread){.store = store};
        ck_assert_int_eq(pthread_create(&ids[i], NULL, read_until_done, &threads[i]), 0);
    }
    for (uint64_t number = 2; number < 3000; number++)
        put_numbered(store, number);
    shared->done = 1;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(ids[i], NULL);
        ck_assert_msg(!threads[i].failed, "%s", threads[i].failed);
    }
    ck_assert_uint_eq(harness_stats(store).socket_reads, 0);
    memstore_close(store);
}
END_TEST

static void *read_in_a_short_life(void *store)
{
    return memstore_exists(store, "k", 1) == 1 ? NULL : store;
}

/* Threads come and go: what they read with must not be used up. */
START_TEST(threads_come_and_go)
{
    struct memstore *store = harness_open_reads(server, MEMSTORE_READS_DIRECT);

    harness_put(store, "k", "v");
    for (int round = 0; round < 200; round++) {
        pthread_t ids[THREADS];
        void *failed;

        for (int i = 0; i < THREADS; i++)
            ck_assert_int_eq(pthread_create(&ids[i], NULL, read_in_a_short_life, store), 0);
        for (int i = 0; i < THREADS; i++) {
            pthread_join(ids[i], &failed);
            ck_assert_ptr_null(failed);
        }
    }
    memstore_close(store);
}
END_TEST

/* ---- several handles ---- */

START_TEST(handles_on_one_store_are_apart)
{
    struct memstore *first = harness_open_reads(server, MEMSTORE_READS_DIRECT);
    struct memstore *second = harness_open_reads(server, MEMSTORE_READS_DIRECT);
    struct memstore_view *view;

    harness_put_filled(first, "large", LARGE, 1);
    harness_put(first, "k", "v");
    view = harness_view(first, "large");
    harness_expect(second, "k", "v");
    memstore_close(first);
    for (int i = 0; i < 100; i++) {
        struct memstore *third = harness_open_reads(server, MEMSTORE_READS_DIRECT);

        harness_put_filled(third, "large", LARGE, (uint64_t)i);
        harness_expect(third, "k", "v");
        memstore_close(third);
        harness_expect(second, "k", "v");
        ck_assert(harness_view_shows(view, LARGE, 1));
    }
    memstore_view_release(view);
    harness_expect(second, "k", "v");
    memstore_close(second);
}
END_TEST

START_TEST(handles_on_two_stores_are_apart)
{
    struct harness_daemon *another = harness_start_apart("other", NULL);
    struct memstore *first = harness_open_reads(server, MEMSTORE_READS_DIRECT);
    struct memstore *second = harness_open_reads(another, MEMSTORE_READS_DIRECT);

    harness_put(first, "k", "of the first");
    harness_put(second, "k", "of the second");
    for (int i = 0; i < 100; i++) {
        harness_expect(first, "k", "of the first");
        harness_expect(second, "k", "of the second");
    }
    memstore_close(first);
    harness_expect(second, "k", "of the second");
    ck_assert_int_eq(harness_stop(server), 0);
    harness_expect(second, "k", "of the second");
    ck_assert_uint_eq(harness_stats(second).socket_reads, 0);
    memstore_close(second);
}
END_TEST

/* ---- what stands in the way ---- */

static int take_all_slots(int index, void *argument)
{
    struct memstore *store = harness_open_reads(server, MEMSTORE_READS_DIRECT);
    char path[128];
    MDB_env *env;
    MDB_txn *txn;
    int r = 0;

    (void)index;
    (void)argument;
    harness_expect(store, "k", "v"); /* the daemon notices when we end */
    snprintf(path, sizeof(path), "%s/data", harness_folder);
    mdb_env_create(&env);
    mdb_env_set_mapsize(env, (size_t)1 << 30);
    if (mdb_env_open(env, path, MDB_RDONLY | MDB_NOTLS, 0600) != 0)
        return 1;
    while (r == 0)
        r = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
    shared->held = r;
    pause();
    return 1;
}

static bool slots_are_held(void *argument)
{
    (void)argument;
    return shared->held != 0;
}

static bool reads_directly(void *store)
{
    uint64_t before = harness_stats(store).direct_reads;

    harness_expect(store, "k", "v");
    return harness_stats(store).direct_reads > before;
}

START_TEST(reader_slots_may_be_used_up)
{
    struct memstore *writer = harness_open_reads(server, MEMSTORE_READS_SOCKET);
    struct memstore *store;
    pid_t pid;

    harness_put(writer, "k", "v");
    pid = harness_fork(take_all_slots, 0, NULL);
    harness_await(slots_are_held, NULL, "a process that holds all reader slots");
    ck_assert_int_eq(shared->held, MDB_READERS_FULL);
    store = harness_open_reads(server, MEMSTORE_READS_AUTO);
    read_all_ways(store);
    ck_assert_uint_eq(harness_stats(store).direct_reads, 0);
    harness_put(writer, "k", "v");
    read_all_ways(store);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    harness_await(reads_directly, store, "direct reads after the slots are free");
    memstore_close(store);
    memstore_close(writer);
}
END_TEST

static int read_with_little_address_space(int index, void *argument)
{
    struct rlimit limit;

    (void)index;
    (void)argument;
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &limit), 0);
    limit.rlim_cur = (rlim_t)128 << 20; /* the store's map alone is larger */
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    expect_questions(server);
    return 0;
}

START_TEST(map_may_not_fit)
{
    if (harness_is_slow()) {
        harness_skip("map_may_not_fit", "a sanitizer needs the address space");
        return;
    }
    ck_assert(ended_well(harness_fork(read_with_little_address_space, 0, NULL)));
}
END_TEST

/* A mount namespace of our own, where mounts are seen by nobody else. */
static bool enter_mount_namespace(int more)
{
    return unshare(CLONE_NEWNS | more) == 0 &&
           mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static int read_without_proc(int index, void *argument)
{
    (void)index;
    (void)argument;
    if (!enter_mount_namespace(0) || mount("none", "/proc", "tmpfs", 0, NULL) < 0)
        return CANNOT;
    expect_questions(server);
    return 0;
}

START_TEST(proc_may_be_absent)
{
    if (!ended_well(harness_fork(read_without_proc, 0, NULL)))
        harness_skip("proc_may_be_absent", "no mount namespace is to be had");
}
END_TEST

/* As in a container that was given only the socket: the data folder has no path. */
static int read_without_the_folder(int index, void *argument)
{
    struct harness_daemon seen = *server;
    struct memstore *store;
    struct memstore_view *view;

    (void)index;
    (void)argument;
    if (chdir(harness_folder) < 0)
        return 1;
    if (!enter_mount_namespace(0) || mount("none", "/dev/shm", "tmpfs", 0, NULL) < 0)
        return CANNOT;
    if (access(server->socket, F_OK) == 0)
        return 2;
    snprintf(seen.socket, sizeof(seen.socket), "socket");
    store = harness_open_reads(&seen, MEMSTORE_READS_DIRECT);
    harness_put(store, "k", "v");
    read_all_ways(store);
    harness_put_filled(store, "large", LARGE, 1);
    view = harness_view(store, "large");
    harness_put_filled(store, "large", LARGE, 2);
    if (!memstore_view_is_direct(view) || !harness_view_shows(view, LARGE, 1))
        return 3;
    memstore_view_release(view);
    memstore_close(store);
    return 0;
}

START_TEST(socket_alone_is_enough)
{
    if (!ended_well(harness_fork(read_without_the_folder, 0, NULL)))
        harness_skip("socket_alone_is_enough", "no mount namespace is to be had");
}
END_TEST

/* As in a container with process ids of its own: /proc is its own too. */
static int read_in_a_pid_namespace(int index, void *argument)
{
    pid_t pid;
    int status;

    (void)index;
    (void)argument;
    if (!enter_mount_namespace(CLONE_NEWPID))
        return CANNOT;
    pid = fork();
    if (pid == 0) {
        if (mount("none", "/proc", "proc", 0, NULL) < 0)
            _exit(CANNOT);
        expect_direct(server);
        _exit(0);
    }
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return 1;
    return WEXITSTATUS(status);
}

START_TEST(other_process_ids_do_not_matter)
{
    if (!ended_well(harness_fork(read_in_a_pid_namespace, 0, NULL)))
        harness_skip("other_process_ids_do_not_matter", "no process id namespace is to be had");
}
END_TEST

START_TEST(data_folder_may_be_removed)
{
    struct memstore *store = harness_open_reads(server, MEMSTORE_READS_AUTO);
    struct memstore *late = harness_open_reads(server, MEMSTORE_READS_AUTO);

    harness_put(store, "k", "v");
    read_all_ways(store);
    ck_assert_int_eq(harness_shell(NULL, NULL, "rm -rf %s/data", harness_folder), 0);
    read_all_ways(store);
    read_all_ways(late);
    harness_put(late, "k", "w");
    harness_expect(store, "k", "w");
    harness_expect(late, "k", "w");
    ck_assert_uint_eq(harness_stats(late).direct_reads, 0);
    memstore_close(late);
    memstore_close(store);
}
END_TEST

/* ---- another store ---- */

static bool is_gone(void *store)
{
    int r = memstore_exists(store, "k", 1);

    ck_assert_msg(r >= 0, "%s", memstore_message());
    return r == 0;
}

/* A daemon with the next fresh data folder: after a crash the old one would be kept. */
static struct harness_daemon *start_fresh(void)
{
    static int count;
    char folder[128];

    snprintf(folder, sizeof(folder), "%s/data-%d", harness_folder, count++);
    return harness_start("--data", folder);
}

START_TEST(fresh_store_after_a_stop_is_seen_at_once)
{
    struct harness_daemon *first = start_fresh();
    struct memstore *store = harness_open_reads(first, MEMSTORE_READS_DIRECT);

    for (int i = 0; i < 10; i++) {
        harness_put(store, "k", "v");
        harness_expect(store, "k", "v");
        ck_assert_int_eq(harness_stop(first), 0);
        first = i % 2 ? start_fresh() : harness_start(NULL);
        ck_assert(is_gone(store));
    }
    memstore_close(store);
}
END_TEST

START_TEST(fresh_store_after_a_crash_is_seen_soon)
{
    struct harness_daemon *first = start_fresh();
    struct memstore *store = harness_open_reads(first, MEMSTORE_READS_AUTO);

    for (int i = 0; i < 10; i++) {
        harness_put(store, "k", "v");
        harness_expect(store, "k", "v");
        harness_kill(first);
        first = start_fresh();
        harness_await(is_gone, store, "the fresh store");
    }
    ck_assert_uint_gt(harness_stats(store).direct_reads, 10);
    memstore_close(store);
}
END_TEST

/* Whoever got an answer from the new daemon reads in its store, also a moment after a crash. */
START_TEST(own_writes_to_a_fresh_store_are_seen_at_once)
{
    struct harness_daemon *first = start_fresh();
    struct memstore *store = harness_open_reads(first, MEMSTORE_READS_AUTO);

    for (int i = 0; i < 30; i++) {
        char text[16];

        snprintf(text, sizeof(text), "%d", i);
        harness_put(store, "k", text);
        harness_expect(store, "k", text);
        harness_kill(first);
        first = start_fresh();
        harness_put(store, "other", text);
        harness_expect(store, "other", text);
        ck_assert_int_eq(memstore_exists(store, "k", 1), 0);
    }
    memstore_close(store);
}
END_TEST

/* A folder that a daemon opened to the socket's group is its own still. */
START_TEST(daemon_for_a_group_starts_again)
{
    static const char *const modes[] = {"group", "user", "group", "off", "group"};
    struct harness_daemon *daemon = harness_start("--direct", "group", "--keep");
    struct memstore *store = harness_open_reads(daemon, MEMSTORE_READS_SOCKET);
    struct stat info;
    char path[128];

    harness_put(store, "k", "v");
    snprintf(path, sizeof(path), "%s/data", harness_folder);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (i % 2)
            ck_assert_int_eq(harness_stop(daemon), 0);
        else
            harness_kill(daemon);
        daemon = harness_start("--direct", modes[i], "--keep");
        harness_expect(store, "k", "v");
        ck_assert_int_eq(stat(path, &info), 0);
        ck_assert_uint_eq(info.st_mode & 0777, strcmp(modes[i], "group") == 0 ? 0710 : 0700);
    }
    memstore_close(store);
}
END_TEST

START_TEST(kept_store_is_read_on)
{
    struct harness_daemon *first = harness_start("--keep");
    struct memstore *store = harness_open_reads(first, MEMSTORE_READS_AUTO);

    for (int i = 0; i < 10; i++) {
        harness_put(store, "k", "v");
        harness_expect(store, "k", "v");
        if (i % 2)
            ck_assert_int_eq(harness_stop(first), 0);
        else
            harness_kill(first);
        first = harness_start("--keep");
        harness_expect(store, "k", "v");
        harness_put(store, "k", "w");
        harness_expect(store, "k", "w");
    }
    harness_await(reads_directly, (harness_put(store, "k", "v"), store), "direct reads again");
    memstore_close(store);
}
END_TEST

/* The deadline is the call's, not that of each way it tries. */
START_TEST(stopped_daemon_costs_one_deadline)
{
    struct memstore_options options = {
        .size = sizeof(options), .socket = server->socket, .timeout_ms = 1000};
    struct memstore *store;
    int64_t start;

    ck_assert_int_eq(memstore_open(&options, &store), 0);
    kill(server->pid, SIGSTOP);
    start = harness_now();
    ck_assert_int_eq(memstore_exists(store, "k", 1), -ETIMEDOUT);
    ck_assert_int_lt(harness_now() - start, 1900);
    kill(server->pid, SIGCONT);
    memstore_close(store);
}
END_TEST

static void add_alone(TCase *alone)
{
    tcase_add_test(alone, daemon_may_allow_nobody);
    tcase_add_loop_test(alone, other_users_ask_unless_they_are_let_in, 0, 3);
    tcase_add_test(alone, fresh_store_after_a_stop_is_seen_at_once);
    tcase_add_test(alone, fresh_store_after_a_crash_is_seen_soon);
    tcase_add_test(alone, own_writes_to_a_fresh_store_are_seen_at_once);
    tcase_add_test(alone, daemon_for_a_group_starts_again);
    tcase_add_test(alone, kept_store_is_read_on);
}

static Suite *suite(void)
{
    Suite *s = suite_create("direct");
    TCase *alone = tcase_create("alone");
    TCase *together = tcase_create("with a daemon");

    tcase_add_checked_fixture(alone, setup, teardown);
    tcase_add_checked_fixture(together, setup_server, teardown);
    suite_add_tcase(s, alone);
    suite_add_tcase(s, together);
    add_alone(alone);
    tcase_add_loop_test(together, every_read_goes_the_way_that_was_asked_for, 0, 3);
    tcase_add_test(together, what_is_missing_is_direct_too);
    tcase_add_test(together, environment_chooses_the_way);
    tcase_add_test(together, answered_puts_are_seen_by_all);
    tcase_add_test(together, answered_changes_are_seen_at_once);
    tcase_add_test(together, threads_read_beside_a_writer);
    tcase_add_test(together, threads_come_and_go);
    tcase_add_test(together, handles_on_one_store_are_apart);
    tcase_add_test(together, handles_on_two_stores_are_apart);
    tcase_add_test(together, reader_slots_may_be_used_up);
    tcase_add_test(together, map_may_not_fit);
    tcase_add_test(together, proc_may_be_absent);
    tcase_add_test(together, socket_alone_is_enough);
    tcase_add_test(together, other_process_ids_do_not_matter);
    tcase_add_test(together, data_folder_may_be_removed);
    tcase_add_test(together, stopped_daemon_costs_one_deadline);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
