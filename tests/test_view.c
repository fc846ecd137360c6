/*
 * Views: values read in place never change under their holder, whatever others do and whatever
 * becomes of the daemon; and each keeps its own value's memory and nothing else.
 */
#include "tests/harness.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define LARGE 100000
#define SMALL_MAX 2047 /* bytes of a value that is copied */
#define PINS 2046      /* views in place that a process can hold */
#define THREADS 8

static struct harness_daemon *server;
static struct memstore *store;

static void setup(void)
{
    harness_setup();
}

static void setup_server(void)
{
    harness_setup();
    server = harness_start("--max-size", "256M");
    store = harness_open_reads(server, MEMSTORE_READS_DIRECT);
}

static void teardown_server(void)
{
    memstore_close(store);
    harness_teardown();
}

static uint64_t next_random(uint64_t *state)
{
    harness_fill(state, sizeof(*state), *state);
    return *state;
}

/* ---- what a view is ---- */

static const size_t sizes[] = {0,    1,      15,      16, 2046, SMALL_MAX, SMALL_MAX + 1,
                               4096, 100000, 16 * MIB};

START_TEST(view_shows_value_and_info)
{
    static const struct memstore_metadata metadata = {"colour", "green"};
    const struct memstore_put_options options = {.size = sizeof(options),
                                                 .content_type = "image/png",
                                                 .metadata = &metadata,
                                                 .metadata_count = 1};
    struct memstore_object *object;
    struct memstore_view *view;
    const struct memstore_object *info;
    char *bytes = malloc(sizes[_i] + 1);
    size_t size;

    harness_fill(bytes, sizes[_i], 1);
    ck_assert_int_eq(memstore_put(store, "k", 1, bytes, sizes[_i], &options, &object), 0);
    view = harness_view(store, "k");
    ck_assert(harness_view_shows(view, sizes[_i], 1));
    ck_assert_uint_eq((uintptr_t)memstore_view_value(view, &size) % 16, 0);
    ck_assert_ptr_nonnull(memstore_view_value(view, NULL));
    ck_assert_int_eq(memstore_view_is_direct(view), sizes[_i] > SMALL_MAX);
    info = memstore_view_object(view);
    ck_assert_str_eq(memstore_object_key(info, NULL), "k");
    ck_assert_str_eq(memstore_object_etag(info), memstore_object_etag(object));
    ck_assert_str_eq(memstore_object_content_type(info), "image/png");
    ck_assert_str_eq(memstore_object_metadata(info, "colour"), "green");
    ck_assert_uint_eq(memstore_object_size(info), sizes[_i]);
    ck_assert_uint_eq(memstore_object_version(info), memstore_object_version(object));
    ck_assert_int_eq(memstore_object_modified(info), memstore_object_modified(object));
    ck_assert_ptr_null(memstore_object_value(info, &size));
    ck_assert_uint_eq(size, 0);
    memstore_object_free(object);
    memstore_view_release(view);
    free(bytes);
}
END_TEST

START_TEST(view_of_nothing_is_an_error)
{
    char key[MEMSTORE_KEY_MAX + 1] = {0};
    struct memstore_view *view = NULL;

    ck_assert_int_eq(memstore_view(store, "none", 4, &view), -ENOENT);
    ck_assert_msg(strstr(memstore_message(), "none"), "%s", memstore_message());
    ck_assert_int_eq(memstore_view(store, key, sizeof(key), &view), -ENAMETOOLONG);
    ck_assert_ptr_null(view);
    memstore_view_release(NULL);
}
END_TEST

/* The same calls give the same to who asks over the socket: a copy. */
START_TEST(view_of_a_handle_that_asks_is_a_copy)
{
    struct memstore *asking = harness_open_reads(server, MEMSTORE_READS_SOCKET);
    struct memstore_view *view;
    size_t size;

    harness_put_filled(store, "k", LARGE, 1);
    view = harness_view(asking, "k");
    ck_assert_int_eq(memstore_view_is_direct(view), 0);
    ck_assert_uint_eq((uintptr_t)memstore_view_value(view, &size) % 16, 0);
    ck_assert_ptr_null(memstore_object_value(memstore_view_object(view), &size));
    harness_put_filled(store, "k", LARGE, 2);
    memstore_close(asking);
    ck_assert(harness_view_shows(view, LARGE, 1));
    memstore_view_release(view);
}
END_TEST

/* ---- nothing changes under it ---- */

/* Values of about the view's size, until none fits: whatever is free gets other bytes. */
static void fill_up(struct memstore *writer)
{
    char *bytes = malloc(MIB);
    int r = 0;

    memset(bytes, 'x', MIB);
    for (size_t size = MIB; size >= 64; size /= 4) {
        for (int i = 0; r == 0 && i < 100000; i++) {
            char key[32];

            snprintf(key, sizeof(key), "fill-%zu-%d", size, i);
            r = memstore_put(writer, key, strlen(key), bytes, size, NULL, NULL);
        }
        ck_assert_msg(r == -ENOSPC, "%d: %s", r, memstore_message());
        r = 0;
    }
    free(bytes);
}

static void delete_fill(struct memstore *writer)
{
    struct memstore_list *list;

    ck_assert_int_eq(memstore_list(writer, "fill-", 5, NULL, &list), 0);
    for (size_t i = 0; i < memstore_list_count(list); i++) {
        size_t length;
        const void *key = memstore_object_key(memstore_list_at(list, i), &length);

        memstore_delete(writer, key, length); /* in a full store it may need memory itself */
    }
    memstore_list_free(list);
}

START_TEST(value_stays_whatever_others_do)
{
    struct harness_daemon *small = harness_start("--max-size", "none", "--max-memory", "32M");
    struct memstore *writer = harness_open_reads(small, MEMSTORE_READS_SOCKET);
    struct memstore *reader = harness_open_reads(small, MEMSTORE_READS_DIRECT);
    struct memstore_view *views[4];
    uint64_t random = 1;

    for (int i = 0; i < 4; i++) {
        char key[8];

        snprintf(key, sizeof(key), "v%d", i);
        harness_put_filled(writer, key, LARGE, (uint64_t)i);
        views[i] = harness_view(reader, key);
    }
    harness_put_filled(writer, "v0", LARGE, 100);
    ck_assert_int_eq(memstore_delete(writer, "v1", 2), 0);
    ck_assert_int_eq(memstore_copy(writer, "v0", 2, "v2", 2, NULL), 0);
    ck_assert_int_eq(memstore_move(writer, "v0", 2, "v3", 2, NULL), 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 300; i++)
            harness_put_filled(writer, "churn", next_random(&random) % 300000, random);
        fill_up(writer);
        for (int i = 0; i < 4; i++)
            ck_assert(harness_view_shows(views[i], LARGE, (uint64_t)i));
        delete_fill(writer);
    }
    memstore_close(reader);
    for (int i = 0; i < 4; i++) {
        ck_assert(harness_view_shows(views[i], LARGE, (uint64_t)i));
        memstore_view_release(views[i]);
    }
    memstore_close(writer);
}
END_TEST

static void churn(struct memstore *writer, int puts)
{
    uint64_t random = 7;

    for (int i = 0; i < puts; i++) {
        char key[16];

        snprintf(key, sizeof(key), "c%d", (int)(next_random(&random) % 20));
        harness_put_filled(writer, key, random % 300000, random);
    }
}

/* _i: whether it is stopped or killed, and whether the next one keeps the store. */
START_TEST(value_stays_when_the_daemon_goes)
{
    bool kill_it = _i % 2;
    bool keep = _i / 2;
    struct harness_daemon *daemon = harness_start(keep ? "--keep" : NULL);
    struct memstore *reader = harness_open_reads(daemon, MEMSTORE_READS_AUTO);
    struct memstore_view *view;

    harness_put_filled(reader, "k", LARGE, 1);
    view = harness_view(reader, "k");
    ck_assert(memstore_view_is_direct(view));
    for (int i = 0; i < 3; i++) {
        if (kill_it)
            harness_kill(daemon);
        else
            ck_assert_int_eq(harness_stop(daemon), 0);
        ck_assert(harness_view_shows(view, LARGE, 1));
        daemon = harness_start(keep ? "--keep" : NULL);
        harness_put_filled(reader, "k", LARGE, 2);
        churn(reader, 300);
        ck_assert(harness_view_shows(view, LARGE, 1));
    }
    memstore_close(reader);
    ck_assert(harness_view_shows(view, LARGE, 1));
    memstore_view_release(view);
}
END_TEST

struct viewer {
    struct memstore *store;
    _Atomic bool *done;
    uint64_t seed;
    uint64_t views;
    const char *failed;
};

#define HELD 16

/* Takes views and holds the last few: each shows its seed's bytes from its begin to its end. */
static void *view_until_done(void *argument)
{
    struct viewer *viewer = argument;
    struct memstore_view *held[HELD] = {NULL};
    uint64_t seeds[HELD];

    while (!*viewer->done && !viewer->failed) {
        unsigned i = next_random(&viewer->seed) % HELD;
        size_t size;

        if (held[i] &&
            (memstore_view_value(held[i], &size), !harness_view_shows(held[i], size, seeds[i])))
            viewer->failed = "a view changed";
        memstore_view_release(held[i]);
        held[i] = NULL;
        if (memstore_view(viewer->store, "k", 1, &held[i]) < 0) {
            viewer->failed = "no view";
            break;
        }
        /* Its size is its seed. */
        memstore_view_value(held[i], &size);
        seeds[i] = size;
        if (!harness_view_shows(held[i], size, size))
            viewer->failed = "a mix came back";
        viewer->views++;
    }
    for (int i = 0; i < HELD; i++)
        memstore_view_release(held[i]);
    return NULL;
}

START_TEST(values_stay_under_many_threads)
{
    _Atomic bool done = false;
    struct viewer viewers[THREADS];
    pthread_t ids[THREADS];
    uint64_t random = 1;

    harness_put_filled(store, "k", 5000, 5000);
    for (int i = 0; i < THREADS; i++) {
        viewers[i] = (struct viewer){.store = store, .done = &done, .seed = (uint64_t)i};
        ck_assert_int_eq(pthread_create(&ids[i], NULL, view_until_done, &viewers[i]), 0);
    }
    for (int i = 0; i < 5000; i++) {
        size_t size = SMALL_MAX - 100 + next_random(&random) % 20000;

        harness_put_filled(store, "k", size, size);
    }
    done = true;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(ids[i], NULL);
        ck_assert_msg(!viewers[i].failed, "%s", viewers[i].failed);
        ck_assert_uint_gt(viewers[i].views, 0);
    }
    ck_assert_uint_eq(harness_stats(store).views, 0);
    ck_assert_uint_eq(harness_stats(store).socket_reads, 0);
}
END_TEST

/* ---- stray writes ---- */

static int write_into_a_view(int index, void *argument)
{
    struct memstore *own = harness_open_reads(server, MEMSTORE_READS_DIRECT);
    struct memstore_view *view = harness_view(own, "k");
    const char *bytes = memstore_view_value(view, NULL);
    size_t offset = index == 0 ? 0 : index == 1 ? LARGE / 2 : LARGE - 1;

    (void)argument;
    signal(SIGSEGV, SIG_DFL); /* a sanitizer would make an exit of it */
    *(volatile char *)(uintptr_t)(bytes + offset) = 'x';
    return 0;
}

START_TEST(stray_write_faults_and_harms_nothing)
{
    struct memstore_object *object;
    pid_t pid;
    int status;

    harness_put_filled(store, "k", LARGE, 1);
    pid = harness_fork(write_into_a_view, _i, NULL);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGSEGV);
    ck_assert_int_eq(memstore_get(store, "k", 1, 0, MEMSTORE_TO_END, &object), 0);
    ck_assert(harness_is_filled(memstore_object_value(object, NULL), LARGE, 1));
    memstore_object_free(object);
    harness_put_filled(store, "k", LARGE, 2);
}
END_TEST

/* ---- what it costs ---- */

/* Values take up to half as much again in pages, and the file grows in steps. */
static void expect_memory_bounded(const struct memstore_stats *stats)
{
    uint64_t bound = (stats->used + stats->pinned) / 2 * 3 + 64 * MIB;

    ck_assert_msg(stats->memory <= bound, "memory %llu, used %llu, pinned %llu",
                  (unsigned long long)stats->memory, (unsigned long long)stats->used,
                  (unsigned long long)stats->pinned);
}

/* Sizes as a cache has them: most small, some large. */
static size_t mixed_size(uint64_t random)
{
    if (random % 100 < 80)
        return random / 100 % 2000;
    return random % 100 < 98 ? random / 100 % 20000 : random / 100 % 500000;
}

static void churn_and_watch(int puts)
{
    static char bytes[500000];
    uint64_t random = 3;

    for (int i = 0; i < puts; i++) {
        size_t size = mixed_size(next_random(&random));
        char key[32];
        int r;

        snprintf(key, sizeof(key), "churn-%d", (int)(random / 7 % 1000));
        memcpy(bytes, &random, sizeof(random));
        r = memstore_put(store, key, strlen(key), bytes, size, NULL, NULL);
        ck_assert_msg(r == 0, "put %d: %s", i, memstore_message());
        if (i % 1000 == 0) {
            struct memstore_stats stats = harness_stats(store);

            expect_memory_bounded(&stats);
        }
    }
}

START_TEST(held_view_costs_its_own_value)
{
    struct memstore_view *view;
    struct memstore_stats stats;

    harness_put_filled(store, "k", MIB, 1);
    view = harness_view(store, "k");
    ck_assert(memstore_view_is_direct(view));
    harness_put_filled(store, "k", MIB, 2);
    churn_and_watch(harness_is_slow() ? 20000 : 100000);
    ck_assert(harness_view_shows(view, MIB, 1));
    stats = harness_stats(store);
    ck_assert_uint_eq(stats.views, 1);
    ck_assert_uint_eq(stats.pinned, MIB);
    memstore_view_release(view);
    ck_assert_uint_eq(harness_stats(store).views, 0);
    ck_assert_uint_eq(harness_stats(store).pinned, 0);
}
END_TEST

static bool nothing_waits(void *argument)
{
    (void)argument;
    return harness_stats(store).garbage == 0;
}

/* More than a process can hold in place: the others are copies, and all are right. */
START_TEST(views_beyond_the_pin_table_are_copies)
{
    enum { VIEWS = PINS + 100 };
    struct memstore_view *views[VIEWS];
    int direct = 0;

    for (int i = 0; i < VIEWS; i++) {
        harness_put_filled(store, "k", 8192, (uint64_t)i);
        views[i] = harness_view(store, "k");
        direct += memstore_view_is_direct(views[i]);
    }
    ck_assert_int_eq(direct, PINS);
    ck_assert_uint_eq(harness_stats(store).views, PINS);
    ck_assert_uint_eq(harness_stats(store).pinned, (uint64_t)PINS * 8192);
    churn_and_watch(harness_is_slow() ? 5000 : 30000);
    for (int i = 0; i < VIEWS; i++) {
        ck_assert(harness_view_shows(views[i], 8192, (uint64_t)i));
        memstore_view_release(views[i]);
    }
    harness_await(nothing_waits, NULL, "the memory of released views");
    ck_assert_uint_eq(harness_stats(store).views, 0);
}
END_TEST

/* The views keep nearly all memory there is; what they gave back is used again. */
START_TEST(memory_of_a_released_view_is_used_again)
{
    struct harness_daemon *small = harness_start("--max-size", "none", "--max-memory", "64M");
    struct memstore *own = harness_open_reads(small, MEMSTORE_READS_DIRECT);

    for (int round = 0; round < 20; round++) {
        struct memstore_view *views[20];

        for (int i = 0; i < 20; i++) {
            harness_put_filled(own, "k", 2 * MIB, (uint64_t)round * 20 + (uint64_t)i);
            views[i] = harness_view(own, "k");
        }
        for (int i = 0; i < 20; i++) {
            ck_assert(harness_view_shows(views[i], 2 * MIB, (uint64_t)(round * 20 + i)));
            memstore_view_release(views[i]);
        }
    }
    memstore_close(own);
}
END_TEST

START_TEST(failed_put_names_who_keeps_the_memory)
{
    struct harness_daemon *small = harness_start("--max-size", "none", "--max-memory", "32M");
    struct memstore *own = harness_open_reads(small, MEMSTORE_READS_DIRECT);
    struct memstore_view *view;
    char *bytes = malloc(12 * MIB);
    char text[64];

    harness_put_filled(own, "k", 12 * MIB, 1);
    view = harness_view(own, "k");
    ck_assert_int_eq(memstore_delete(own, "k", 1), 0);
    harness_fill(bytes, 12 * MIB, 2);
    ck_assert_int_eq(memstore_put(own, "a", 1, bytes, 12 * MIB, NULL, NULL), 0);
    ck_assert_int_eq(memstore_put(own, "b", 1, bytes, 12 * MIB, NULL, NULL), -ENOSPC);
    snprintf(text, sizeof(text), "%zu bytes", 12 * MIB);
    ck_assert_msg(strstr(memstore_message(), text), "%s", memstore_message());
    snprintf(text, sizeof(text), "%d", (int)getpid());
    ck_assert_msg(strstr(memstore_message(), text), "%s", memstore_message());
    ck_assert(harness_view_shows(view, 12 * MIB, 1));
    memstore_view_release(view);
    ck_assert_msg(memstore_put(own, "b", 1, bytes, 12 * MIB, NULL, NULL) == 0, "%s",
                  memstore_message());
    ck_assert_int_eq(memstore_put(own, "c", 1, bytes, 12 * MIB, NULL, NULL), -ENOSPC);
    ck_assert_msg(!strstr(memstore_message(), "views"), "%s", memstore_message());
    free(bytes);
    memstore_close(own);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("view");
    TCase *alone = tcase_create("alone");
    TCase *together = tcase_create("with a daemon");

    tcase_add_checked_fixture(alone, setup, harness_teardown);
    tcase_add_checked_fixture(together, setup_server, teardown_server);
    suite_add_tcase(s, alone);
    suite_add_tcase(s, together);
    tcase_add_test(alone, value_stays_whatever_others_do);
    tcase_add_loop_test(alone, value_stays_when_the_daemon_goes, 0, 4);
    tcase_add_test(alone, memory_of_a_released_view_is_used_again);
    tcase_add_test(alone, failed_put_names_who_keeps_the_memory);
    tcase_add_loop_test(together, view_shows_value_and_info, 0, sizeof(sizes) / sizeof(sizes[0]));
    tcase_add_test(together, view_of_nothing_is_an_error);
    tcase_add_test(together, view_of_a_handle_that_asks_is_a_copy);
    tcase_add_test(together, values_stay_under_many_threads);
    tcase_add_loop_test(together, stray_write_faults_and_harms_nothing, 0, 3);
    tcase_add_test(together, held_view_costs_its_own_value);
    tcase_add_test(together, views_beyond_the_pin_table_are_copies);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
