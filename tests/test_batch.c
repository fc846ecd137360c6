/* Batches, through the library against a real daemon. */
#include "common/protocol.h"
#include "tests/harness.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KIB ((size_t)1024)
#define MIB (KIB * KIB)

static struct harness_daemon *server;
static struct memstore *store;
static struct memstore_batch *batch;
static char *bytes; /* some MiB of them */
#define BYTES (20 * MIB)

static void make_batch(int atomic)
{
    struct memstore_batch_options options = {.size = sizeof(options), .atomic = atomic};
    int r = memstore_batch_create(store, atomic ? &options : NULL, &batch);

    ck_assert_msg(r == 0, "%s", memstore_message());
}

static void start(int atomic, const char *const *arguments)
{
    harness_setup();
    server = harness_start_list(arguments);
    store = harness_open(server);
    bytes = malloc(BYTES);
    harness_fill(bytes, BYTES, 1);
    make_batch(atomic);
}

static void setup(void)
{
    start(0, HARNESS_LIST(NULL));
}

static void setup_small(void)
{
    start(0, HARNESS_LIST("--max-size", "100"));
}

static void setup_atomic(void)
{
    start(1, HARNESS_LIST(NULL));
}

static void setup_atomic_small(void)
{
    start(1, HARNESS_LIST("--max-size", "100"));
}

static void setup_atomic_tight(void)
{
    start(1, HARNESS_LIST("--max-size", "none", "--max-memory", "20M"));
}

static void teardown(void)
{
    memstore_batch_destroy(batch);
    memstore_close(store);
    free(bytes);
    harness_teardown();
}

/* ---- short forms ---- */

#define ok(call) ck_assert_msg((call) == 0, "%s: %s", #call, memstore_message())

static void add_put(const char *key, const void *value, size_t size)
{
    ok(memstore_batch_put(batch, key, strlen(key), value, size, NULL));
}

static void add_text(const char *key, const char *value)
{
    add_put(key, value, strlen(value));
}

static void add_get(const char *key)
{
    ok(memstore_batch_get(batch, key, strlen(key)));
}

static void add_exists(const char *key)
{
    ok(memstore_batch_exists(batch, key, strlen(key)));
}

static void add_delete(const char *key)
{
    ok(memstore_batch_delete(batch, key, strlen(key)));
}

static void run(void)
{
    ok(memstore_batch_run(batch));
}

static void expect_status(size_t index, int status)
{
    int got = memstore_batch_status(batch, index);

    ck_assert_msg(got == status, "operation %zu: %d and not %d: %s", index, got, status,
                  memstore_message());
}

static void expect_value(size_t index, const void *value, size_t size)
{
    const struct memstore_object *object;
    const void *got;
    size_t got_size;

    expect_status(index, 0);
    object = memstore_batch_object(batch, index);
    ck_assert_ptr_nonnull(object);
    got = memstore_object_value(object, &got_size);
    ck_assert_msg(got_size == size && memcmp(got, value, size) == 0,
                  "operation %zu has another value, of %zu bytes", index, got_size);
}

static void expect_text(size_t index, const char *value)
{
    expect_value(index, value, strlen(value));
}

/* ---- plain ---- */

START_TEST(operations_are_done_in_order)
{
    harness_put(store, "old", "value");
    add_get("old");
    add_exists("a");
    add_text("a", "1");
    add_get("a");
    add_text("a", "22");
    add_get("a");
    add_exists("a");
    add_delete("a");
    add_exists("a");
    add_get("a");
    add_delete("a");
    add_text("a", "");
    add_get("a");
    ck_assert_uint_eq(memstore_batch_count(batch), 13);
    run();
    expect_text(0, "value");
    expect_status(1, 0);
    expect_status(2, 0);
    expect_text(3, "1");
    expect_text(5, "22");
    expect_status(6, 1);
    expect_status(7, 0);
    expect_status(8, 0);
    expect_status(9, -ENOENT);
    expect_status(10, -ENOENT);
    expect_text(12, "");
    ck_assert_uint_eq(memstore_batch_failed(batch), 9);
    harness_expect(store, "a", "");
}
END_TEST

START_TEST(answers_have_objects)
{
    const struct memstore_metadata pairs[] = {{"b", "2"}, {"a", "1"}};
    struct memstore_put_options options = {
        .size = sizeof(options), .content_type = "text/x", .metadata = pairs, .metadata_count = 2};
    const struct memstore_object *put, *got;

    ok(memstore_batch_put(batch, "k\0y", 3, "value", 5, &options));
    ok(memstore_batch_get(batch, "k\0y", 3));
    add_exists("a");
    run();
    put = memstore_batch_object(batch, 0);
    got = memstore_batch_object(batch, 1);
    ck_assert_ptr_nonnull(put);
    ck_assert_ptr_nonnull(got);
    ck_assert_ptr_eq(memstore_batch_object(batch, 1), got);
    ck_assert_ptr_null(memstore_object_value(put, NULL));
    ck_assert_uint_eq(memstore_object_size(put), 5);
    ck_assert_int_eq(memcmp(memstore_object_key(put, NULL), "k\0y", 4), 0);
    ck_assert_uint_eq(memstore_object_version(put), memstore_object_version(got));
    ck_assert_str_eq(memstore_object_etag(put), memstore_object_etag(got));
    ck_assert_str_eq(memstore_object_content_type(got), "text/x");
    ck_assert_uint_eq(memstore_object_metadata_count(got), 2);
    ck_assert_str_eq(memstore_object_metadata(got, "a"), "1");
    ck_assert_str_eq(memstore_object_metadata(put, "b"), "2");
    ck_assert_ptr_null(memstore_batch_object(batch, 2));
    ck_assert_ptr_null(memstore_batch_object(batch, 3));
    expect_status(3, -EINVAL);
}
END_TEST

START_TEST(errors_have_words)
{
    add_text("large", "more than 60 bytes, so that it fits, but leaves no room for others.......");
    add_text("other", "more than 40 bytes in all, .....................");
    add_get("missing");
    expect_status(0, -ECANCELED); /* it was not run */
    run();
    ck_assert_uint_eq(memstore_batch_failed(batch), 1);
    expect_status(1, -EDQUOT);
    ck_assert_msg(strstr(memstore_message(), "\"other\""), "%s", memstore_message());
    ck_assert_msg(strstr(memstore_message(), "Max size 100 would be exceeded"), "%s",
                  memstore_message());
    ck_assert_ptr_null(memstore_batch_object(batch, 1));
    expect_status(2, -ENOENT);
    ck_assert_msg(strstr(memstore_message(), "\"missing\""), "%s", memstore_message());
    expect_status(0, 0);
}
END_TEST

START_TEST(what_cannot_be_appended_leaves_the_batch_as_it_was)
{
    struct memstore_put_options options = {.size = 0};
    const struct memstore_metadata twice[] = {{"a", "1"}, {"a", "2"}};
    char key[KEY_MAX + 1] = {0};

    add_text("a", "1");
    ck_assert_int_eq(memstore_batch_put(batch, key, sizeof(key), "", 0, NULL), -ENAMETOOLONG);
    ck_assert_int_eq(memstore_batch_get(batch, key, sizeof(key)), -ENAMETOOLONG);
    ck_assert_int_eq(memstore_batch_exists(batch, key, sizeof(key)), -ENAMETOOLONG);
    ck_assert_int_eq(memstore_batch_delete(batch, key, sizeof(key)), -ENAMETOOLONG);
    ck_assert_int_eq(memstore_batch_put(batch, "b", 1, NULL, 1, NULL), -EINVAL);
    ck_assert_int_eq(memstore_batch_put(batch, "b", 1, "", MEMSTORE_VALUE_MAX + 1, NULL), -EFBIG);
    ck_assert_int_eq(memstore_batch_put(batch, "b", 1, "", 0, &options), -EINVAL);
    options = (struct memstore_put_options){
        .size = sizeof(options), .metadata = twice, .metadata_count = 2};
    ck_assert_int_eq(memstore_batch_put(batch, "b", 1, "", 0, &options), -EINVAL);
    ck_assert_uint_eq(memstore_batch_count(batch), 1);
    add_get("a");
    run();
    expect_text(1, "1");
}
END_TEST

START_TEST(large_values_keep_their_places)
{
    add_put("a", bytes, 3 * MIB);
    add_get("a");
    add_put("a", bytes + 1, 64 * KIB);
    add_get("a");
    add_put("a", bytes + 2, INLINE_MAX);
    add_get("a");
    add_put("a", bytes + 3, INLINE_MAX + 1);
    add_get("a");
    add_text("a", "small");
    add_get("a");
    add_delete("a");
    add_get("a");
    run();
    expect_value(1, bytes, 3 * MIB);
    expect_value(3, bytes + 1, 64 * KIB);
    expect_value(5, bytes + 2, INLINE_MAX);
    expect_value(7, bytes + 3, INLINE_MAX + 1);
    expect_text(9, "small");
    expect_status(11, -ENOENT);
}
END_TEST

/* The daemon finds out only at the get that its answer does not fit. What comes behind it must not
 * have been done when it is asked for again. */
START_TEST(gets_of_large_values_keep_their_places)
{
    for (int i = 0; i < 3; i++) {
        char key[8];

        snprintf(key, sizeof(key), "k%d", i);
        ok(memstore_put(store, key, 2, bytes + i, 200 * KIB, NULL, NULL));
    }
    add_text("before", "1");
    add_get("k0");
    add_text("k0", "new");
    add_get("k0");
    add_delete("k1");
    add_get("k1");
    add_get("k2");
    add_text("k2", "new");
    add_exists("k1");
    add_get("k2");
    add_get("before");
    run();
    expect_value(1, bytes, 200 * KIB);
    expect_text(3, "new");
    expect_status(4, 0);
    expect_status(5, -ENOENT);
    expect_value(6, bytes + 2, 200 * KIB);
    expect_status(8, 0);
    expect_text(9, "new");
    expect_text(10, "1");
}
END_TEST

static void add_many_puts(int count, size_t size)
{
    char key[16];

    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "key %d", i);
        add_put(key, bytes + i, size);
    }
}

static void add_many_gets(int count)
{
    char key[16];

    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "key %d", i);
        add_get(key);
    }
}

/* Neither side could keep all requests or answers: whoever only wrote would wait for ever. */
START_TEST(a_batch_may_be_long)
{
    const int count = 3000;
    size_t first;

    add_many_puts(count, 7000);
    first = memstore_batch_count(batch);
    add_many_gets(count);
    run();
    ck_assert_uint_eq(memstore_batch_failed(batch), memstore_batch_count(batch));
    for (int i = 0; i < count; i++)
        expect_value(first + (size_t)i, bytes + i, 7000);
    ck_assert_uint_eq(harness_stats(store).objects, (uint64_t)count);
}
END_TEST

START_TEST(answers_may_be_much_more_than_requests)
{
    char key[16];

    for (int i = 0; i < 20; i++) {
        snprintf(key, sizeof(key), "key %d", i);
        ok(memstore_put(store, key, strlen(key), bytes + i, 60000, NULL, NULL));
    }
    add_text("a change", "so that the daemon is asked for all that comes behind it");
    for (int i = 0; i < 20; i++)
        add_many_gets(20);
    run();
    for (int i = 0; i < 400; i++)
        expect_value((size_t)i + 1, bytes + i % 20, 60000);
}
END_TEST

START_TEST(a_batch_can_be_run_again_and_filled_again)
{
    run(); /* an empty one */
    ck_assert_uint_eq(memstore_batch_failed(batch), 0);
    add_put("a", bytes, 100 * KIB);
    add_get("a");
    run();
    expect_value(1, bytes, 100 * KIB);
    ok(memstore_delete(store, "a", 1));
    run();
    expect_value(1, bytes, 100 * KIB);
    memstore_batch_clear(batch);
    ck_assert_uint_eq(memstore_batch_count(batch), 0);
    run();
    add_text("b", "2");
    add_get("b");
    expect_status(1, -ECANCELED);
    ck_assert_ptr_null(memstore_batch_object(batch, 1));
    run();
    expect_text(1, "2");
    harness_expect(store, "b", "2");
}
END_TEST

START_TEST(options_are_checked)
{
    struct memstore_batch_options options = {.size = 0};
    struct memstore_batch *none = NULL;

    ck_assert_int_eq(memstore_batch_create(store, &options, &none), -EINVAL);
    ck_assert_ptr_null(none);
    memstore_batch_destroy(NULL);
}
END_TEST

START_TEST(each_operation_has_a_quota_of_its_own)
{
    add_put("a", bytes, 60);
    add_put("b", bytes, 60);
    add_delete("a");
    add_put("b", bytes, 60);
    add_put("c", bytes, 41);
    add_put("c", bytes, 40);
    run();
    expect_status(0, 0);
    expect_status(1, -EDQUOT);
    expect_status(2, 0);
    expect_status(3, 0);
    expect_status(4, -EDQUOT);
    expect_status(5, 0);
    ck_assert_uint_eq(harness_stats(store).used, 100);
}
END_TEST

/* ---- daemons that go ---- */

static void restart(void)
{
    harness_kill(server);
    server = harness_start(NULL);
}

START_TEST(a_batch_goes_over_a_new_connection_if_the_old_one_is_dead)
{
    harness_put(store, "a", "1");
    restart();
    add_text("b", "2");
    add_get("a");
    add_get("b");
    run();
    expect_text(1, "1");
    expect_text(2, "2");
    restart();
    memstore_batch_clear(batch);
    add_get("a");
    add_exists("b");
    run();
    expect_text(0, "1");
    expect_status(1, 1);
}
END_TEST

START_TEST(without_a_daemon_nothing_is_done)
{
    harness_kill(server);
    add_text("a", "1");
    add_text("b", "2");
    ck_assert_int_lt(memstore_batch_run(batch), 0);
    ck_assert_str_ne(memstore_message(), "");
    ck_assert_int_lt(memstore_batch_status(batch, 0), 0);
    ck_assert_int_lt(memstore_batch_status(batch, 1), 0);
    ck_assert_uint_eq(memstore_batch_failed(batch), 0);
}
END_TEST

START_TEST(what_has_no_answer_in_time_is_open)
{
    struct memstore_options options = {
        .size = sizeof(options), .socket = server->socket, .timeout_ms = 200};

    memstore_batch_destroy(batch);
    memstore_close(store);
    ok(memstore_open(&options, &store));
    make_batch(0);
    add_text("a", "1");
    run();
    memstore_batch_clear(batch);
    add_many_puts(100, 5000);
    ck_assert_int_eq(kill(server->pid, SIGSTOP), 0);
    ck_assert_int_eq(memstore_batch_run(batch), -ETIMEDOUT);
    ck_assert_int_eq(kill(server->pid, SIGCONT), 0);
    expect_status(0, -ETIMEDOUT);
    expect_status(99, -ECANCELED); /* it was not sent */
    harness_may_ask();
    memstore_batch_clear(batch);
    add_text("a", "2");
    run();
    harness_expect(store, "a", "2");
}
END_TEST

static _Atomic bool holds_up;

/* Stops the daemon for moments, again and again. */
static void *hold_up(void *argument)
{
    (void)argument;
    while (atomic_load(&holds_up)) {
        kill(server->pid, SIGSTOP);
        usleep(2000);
        kill(server->pid, SIGCONT);
        usleep(500);
    }
    return NULL;
}

START_TEST(a_daemon_that_is_held_up_forgets_nothing)
{
    pthread_t thread;

    atomic_store(&holds_up, true);
    ck_assert_int_eq(pthread_create(&thread, NULL, hold_up, NULL), 0);
    add_many_puts(3000, 100);
    add_many_gets(3000);
    for (int i = 0; i < 30; i++)
        run();
    atomic_store(&holds_up, false);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

/* A child that runs batches without end, until it is killed or its daemon is. */
static int run_without_end(int index, void *argument)
{
    char key[16];
    int r = 0;

    (void)argument;
    for (int i = 0; r == 0; i++) {
        memstore_batch_clear(batch);
        snprintf(key, sizeof(key), "key %d", index);
        for (int j = 0; j < 1000; j++)
            add_put(key, bytes, (size_t)(i + j) % 5000);
        r = memstore_batch_run(batch);
    }
    return 0;
}

START_TEST(a_killed_client_harms_no_one)
{
    for (int i = 0; i < 5; i++) {
        pid_t pid = harness_fork(run_without_end, i, NULL);
        uint64_t before = harness_stats(store).version;

        while (harness_stats(store).version < before + 2500)
            usleep(100);
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        memstore_batch_clear(batch);
        add_text("a", "1");
        add_get("a");
        run();
        expect_text(1, "1");
    }
}
END_TEST

START_TEST(a_killed_daemon_is_told)
{
    pid_t pid = harness_fork(run_without_end, 0, NULL);
    uint64_t before = harness_stats(store).version;
    int status;

    while (harness_stats(store).version < before + 2500)
        usleep(100);
    harness_kill(server);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
END_TEST

/* ---- threads and processes ---- */

static void *run_in_thread(void *argument)
{
    struct memstore_batch *own;
    char key[16];

    snprintf(key, sizeof(key), "thread %d", *(int *)argument);
    ok(memstore_batch_create(store, NULL, &own));
    for (int i = 0; i < 200; i++) {
        char value[16];

        memstore_batch_clear(own);
        snprintf(value, sizeof(value), "%d", i);
        for (int j = 0; j < 20; j++) {
            ok(memstore_batch_put(own, key, strlen(key), value, strlen(value), NULL));
            ok(memstore_batch_get(own, key, strlen(key)));
        }
        ok(memstore_batch_run(own));
        for (size_t j = 1; j < 40; j += 2)
            ck_assert_str_eq(memstore_object_value(memstore_batch_object(own, j), NULL), value);
    }
    memstore_batch_destroy(own);
    return NULL;
}

START_TEST(threads_run_batches_on_one_handle)
{
    pthread_t threads[4];
    int numbers[4];

    for (int i = 0; i < 4; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_in_thread, &numbers[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

static int run_in_process(int index, void *argument)
{
    (void)argument;
    for (int i = 0; i < 20; i++) {
        memstore_batch_clear(batch);
        add_many_puts(100, 100 + (size_t)index);
        add_many_gets(100);
        run();
        for (size_t j = 0; j < 100; j++)
            ck_assert_ptr_nonnull(memstore_batch_object(batch, 100 + j));
    }
    return 0;
}

START_TEST(processes_run_batches_on_an_inherited_handle)
{
    add_text("a", "1");
    run();
    harness_processes(4, run_in_process, NULL);
    run();
    harness_expect(store, "a", "1");
}
END_TEST

/* ---- all or nothing ---- */

START_TEST(all_of_it_is_done_in_order)
{
    harness_put(store, "old", "value");
    add_exists("a");
    add_text("a", "1");
    add_get("a");
    add_text("a", "22");
    add_get("a");
    add_delete("old");
    add_exists("a");
    add_exists("old");
    add_get("old");
    add_text("empty", "");
    add_get("empty");
    run();
    expect_status(0, 0);
    expect_text(2, "1");
    expect_text(4, "22");
    expect_status(5, 0);
    expect_status(6, 1);
    expect_status(7, 0);
    expect_status(8, -ENOENT); /* which does not fail the others */
    expect_text(10, "");
    ck_assert_uint_eq(memstore_batch_failed(batch), 8);
    ck_assert_uint_gt(memstore_object_version(memstore_batch_object(batch, 9)),
                      memstore_object_version(memstore_batch_object(batch, 3)));
    harness_expect(store, "a", "22");
    ck_assert_int_eq(memstore_exists(store, "old", 3), 0);
    ck_assert_uint_eq(harness_stats(store).objects, 2);
}
END_TEST

START_TEST(one_that_fails_undoes_all)
{
    struct memstore_stats before, after;

    harness_put(store, "a", "old");
    ok(memstore_put(store, "large", 5, bytes, 2 * MIB, NULL, NULL));
    before = harness_stats(store);
    add_text("a", "new");
    add_put("b", bytes, 300 * KIB);
    add_delete("large");
    add_get("a");
    add_delete("missing");
    add_text("c", "new");
    ck_assert_int_eq(memstore_batch_run(batch), -ENOENT);
    ck_assert_msg(strstr(memstore_message(), "\"missing\""), "%s", memstore_message());
    ck_assert_uint_eq(memstore_batch_failed(batch), 4);
    for (size_t i = 0; i < 6; i++)
        expect_status(i, i == 4 ? -ENOENT : -ECANCELED);
    ck_assert_ptr_null(memstore_batch_object(batch, 0));
    ck_assert_ptr_null(memstore_batch_object(batch, 3));
    after = harness_stats(store);
    ck_assert_uint_eq(after.version, before.version);
    ck_assert_uint_eq(after.objects, before.objects);
    ck_assert_uint_eq(after.used, before.used);
    harness_expect(store, "a", "old");
    ck_assert_int_eq(memstore_exists(store, "large", 5), 1);
    ck_assert_int_eq(memstore_exists(store, "b", 1), 0);
    harness_put(store, "missing", "not any more");
    run();
    harness_expect(store, "a", "new");
    harness_expect(store, "c", "new");
    ck_assert_uint_eq(harness_stats(store).used, 6 + 300 * KIB);
}
END_TEST

START_TEST(the_quota_is_that_of_the_whole)
{
    ok(memstore_put(store, "a", 1, bytes, 60, NULL, NULL));
    add_put("b", bytes, 60);
    add_put("c", bytes, 40);
    add_delete("a");
    run();
    ck_assert_uint_eq(harness_stats(store).used, 100);
    memstore_batch_clear(batch);
    add_put("c", bytes, 39);
    add_put("d", bytes, 2);
    ck_assert_int_eq(memstore_batch_run(batch), -EDQUOT);
    ck_assert_msg(strstr(memstore_message(), "Max size 100 would be exceeded"), "%s",
                  memstore_message());
    ck_assert_uint_eq(memstore_batch_failed(batch), 2); /* no single one */
    expect_status(0, -ECANCELED);
    expect_status(1, -ECANCELED);
    ck_assert_uint_eq(harness_stats(store).used, 100);
    ck_assert_uint_eq(harness_stats(store).objects, 2);
    ck_assert_uint_ge(harness_stats(store).refused, 1);
    memstore_batch_clear(batch);
    add_put("d", bytes, 1000);
    add_delete("d");
    run();
    ck_assert_uint_eq(harness_stats(store).used, 100);
}
END_TEST

START_TEST(large_values_come_and_go)
{
    static const size_t sizes[] = {0,     1,     2047,      2048,    INLINE_MAX, INLINE_MAX + 1,
                                   60000, 70000, 256 * KIB, MIB + 1, 2 * MIB};
    const size_t count = sizeof(sizes) / sizeof(sizes[0]);
    char key[16];

    for (size_t i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "k%zu", i);
        add_put(key, bytes + i, sizes[i]);
        add_get(key);
    }
    run();
    for (size_t i = 0; i < count; i++)
        expect_value(2 * i + 1, bytes + i, sizes[i]);
    memstore_batch_clear(batch);
    for (size_t i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "k%zu", i);
        add_get(key);
        add_delete(key);
        add_exists(key);
    }
    run();
    for (size_t i = 0; i < count; i++) {
        expect_value(3 * i, bytes + i, sizes[i]);
        expect_status(3 * i + 2, 0);
    }
    ck_assert_uint_eq(harness_stats(store).used, 0);
}
END_TEST

START_TEST(answers_have_a_limit)
{
    ok(memstore_put(store, "a", 1, bytes, 3 * MIB, NULL, NULL));
    ok(memstore_put(store, "b", 1, bytes, 5 * MIB, NULL, NULL));
    add_delete("b");
    add_get("a");
    add_get("a");
    ck_assert_int_eq(memstore_batch_run(batch), -E2BIG);
    ck_assert_uint_eq(memstore_batch_failed(batch), 2);
    memstore_batch_clear(batch);
    add_delete("a");
    add_get("b");
    ck_assert_int_eq(memstore_batch_run(batch), -E2BIG);
    ck_assert_uint_eq(memstore_batch_failed(batch), 1);
    ck_assert_msg(strstr(memstore_message(), "\"b\""), "%s", memstore_message());
    ck_assert_uint_eq(harness_stats(store).objects, 2);
    memstore_batch_clear(batch);
    for (int i = 0; i < 60; i++)
        ok(memstore_put(store, &"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[i],
                        1, bytes, 60000, NULL, NULL));
    for (int i = 0; i < 60; i++)
        ok(memstore_batch_get(
            batch, &"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[i], 1));
    run();
    for (size_t i = 0; i < 60; i++)
        expect_value(i, bytes, 60000);
}
END_TEST

START_TEST(a_batch_has_limits)
{
    size_t size = BATCH_BYTES_MAX - 200; /* the frame and the key of the put count too */

    for (int i = 0; i < BATCH_COUNT_MAX; i++)
        add_text("a", "1");
    ck_assert_int_eq(memstore_batch_exists(batch, "a", 1), -E2BIG);
    ck_assert_uint_eq(memstore_batch_count(batch), BATCH_COUNT_MAX);
    run();
    memstore_batch_clear(batch);
    add_put("a", bytes, size);
    ck_assert_int_eq(memstore_batch_put(batch, "b", 1, bytes, 200, NULL), -E2BIG);
    ck_assert_msg(strstr(memstore_message(), "16777216"), "%s", memstore_message());
    add_exists("a");
    run();
    expect_status(1, 1);
    memstore_batch_clear(batch);
    add_put("k", bytes, size);
    run();
    ck_assert_uint_eq(harness_stats(store).used, 2 * size);
}
END_TEST

START_TEST(many_small_ones_are_one_change)
{
    uint64_t commits = harness_stats(store).commits;

    for (size_t size = 0; size < 3000; size += 100) {
        memstore_batch_clear(batch);
        add_many_puts(BATCH_COUNT_MAX / 2, size);
        add_many_gets(BATCH_COUNT_MAX / 2);
        run();
        for (size_t i = 0; i < BATCH_COUNT_MAX / 2; i++)
            expect_value(BATCH_COUNT_MAX / 2 + i, bytes + i, size);
    }
    ck_assert_uint_eq(harness_stats(store).objects, BATCH_COUNT_MAX / 2);
    ck_assert_uint_lt(harness_stats(store).commits, commits + 100);
}
END_TEST

START_TEST(without_memory_nothing_is_done)
{
    uint64_t used;
    char key[16];
    int i;

    harness_put(store, "a", "old");
    ok(memstore_put(store, "large", 5, bytes, 6 * MIB, NULL, NULL));
    add_text("a", "new");
    add_put("b", bytes, 8 * MIB);
    add_put("c", bytes, 7 * MIB);
    ck_assert_int_eq(memstore_batch_run(batch), -ENOSPC);
    ck_assert_msg(strstr(memstore_message(), "max memory"), "%s", memstore_message());
    harness_expect(store, "a", "old");
    ck_assert_int_eq(memstore_exists(store, "b", 1), 0);
    /* Small ones fit until there is really no room, however many are in a batch. */
    for (i = 0; i < 10000; i++) {
        memstore_batch_clear(batch);
        for (int j = 0; j < 500; j++) {
            snprintf(key, sizeof(key), "%d %d", i, j);
            add_put(key, bytes, 100);
        }
        used = harness_stats(store).used;
        if (memstore_batch_run(batch) < 0)
            break;
    }
    ck_assert_int_lt(memstore_batch_run(batch), 0);
    ck_assert_int_gt(i, 30);
    ck_assert_uint_eq(harness_stats(store).used, used);
    /* Deletes do, and give the room back. */
    memstore_batch_clear(batch);
    add_delete("large");
    for (int j = 0; j < 500; j++) {
        snprintf(key, sizeof(key), "%d %d", i - 1, j);
        add_delete(key);
    }
    run();
    memstore_batch_clear(batch);
    add_put("b", bytes, 4 * MIB);
    run();
}
END_TEST

START_TEST(an_empty_batch_is_nothing)
{
    run();
    ck_assert_uint_eq(memstore_batch_failed(batch), 0);
    add_text("a", "1");
    run();
    run();
    memstore_batch_clear(batch);
    run();
    harness_expect(store, "a", "1");
}
END_TEST

START_TEST(a_whole_batch_goes_over_a_new_connection_if_the_old_one_is_dead)
{
    add_put("a", bytes, 100 * KIB);
    run();
    restart();
    memstore_batch_clear(batch);
    add_text("b", "2");
    add_get("a");
    run();
    expect_value(1, bytes, 100 * KIB);
    restart();
    run();
    expect_value(1, bytes, 100 * KIB);
    harness_kill(server);
    ck_assert_int_lt(memstore_batch_run(batch), 0);
    expect_status(0, -ECANCELED);
}
END_TEST

START_TEST(a_whole_batch_without_an_answer_in_time_is_open)
{
    struct memstore_options options = {
        .size = sizeof(options), .socket = server->socket, .timeout_ms = 200};
    memstore_batch_destroy(batch);
    memstore_close(store);
    ok(memstore_open(&options, &store));
    make_batch(1);
    add_text("a", "1");
    add_put("b", bytes, 100 * KIB);
    run();
    ck_assert_int_eq(kill(server->pid, SIGSTOP), 0);
    ck_assert_int_eq(memstore_batch_run(batch), -ETIMEDOUT);
    ck_assert_int_eq(kill(server->pid, SIGCONT), 0);
    expect_status(0, -ETIMEDOUT);
    expect_status(1, -ETIMEDOUT);
    harness_may_ask();
    memstore_batch_clear(batch);
    add_text("a", "2");
    add_put("b", bytes + 1, 100 * KIB);
    add_get("b");
    run();
    expect_value(2, bytes + 1, 100 * KIB);
    harness_expect(store, "a", "2");
}
END_TEST

/* ---- nobody sees half ---- */

#define FAMILY 8

/* All of a family's objects have the same size, always. */
static void add_family(size_t size)
{
    char key[16];

    for (int i = 0; i < FAMILY; i++) {
        snprintf(key, sizeof(key), "family %d", i);
        add_put(key, bytes, size);
    }
}

/* A child that changes the family without end, the sizes from 1 to 20000. */
static int change_family(int index, void *argument)
{
    struct memstore_batch_options options = {.size = sizeof(options), .atomic = 1};
    int r = memstore_batch_create(store, &options, &batch);

    (void)argument;
    for (size_t i = (size_t)index; r == 0; i += 7919) {
        memstore_batch_clear(batch);
        if (i % 3 == 0)
            for (int j = 0; j < FAMILY; j++) {
                char key[16];

                snprintf(key, sizeof(key), "family %d", j);
                add_delete(key);
            }
        add_family(1 + i % 20000);
        r = memstore_batch_run(batch);
    }
    return r == -ECONNRESET || r == -ECONNREFUSED || r == -ENOENT ? 0 : 1;
}

static void expect_family_is_one(const struct memstore_list *list)
{
    ck_assert_uint_eq(memstore_list_count(list), FAMILY);
    for (size_t i = 1; i < FAMILY; i++)
        ck_assert_uint_eq(memstore_object_size(memstore_list_at(list, i)),
                          memstore_object_size(memstore_list_at(list, 0)));
}

static void expect_family(void)
{
    struct memstore_list *list;

    ok(memstore_list(store, "family", 6, NULL, &list));
    expect_family_is_one(list);
    memstore_list_free(list);
}

static int watch_family(int index, void *argument)
{
    struct memstore_batch_options options = {.size = sizeof(options), .atomic = 1};

    (void)argument;
    ok(memstore_batch_create(store, &options, &batch));
    for (int i = 0; i < FAMILY; i++) {
        char key[16];

        snprintf(key, sizeof(key), "family %d", i);
        add_get(key);
    }
    for (int round = 0; round < 300; round++) {
        if (index == 0) {
            expect_family();
            continue;
        }
        run();
        for (size_t i = 1; i < FAMILY; i++)
            ck_assert_uint_eq(memstore_object_size(memstore_batch_object(batch, i)),
                              memstore_object_size(memstore_batch_object(batch, 0)));
    }
    return 0;
}

static void end_child(pid_t pid)
{
    int status;

    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFSIGNALED(status) || WEXITSTATUS(status) == 0, "a child failed");
}

START_TEST(others_see_all_or_nothing)
{
    pid_t writers[2];

    add_family(1);
    run();
    for (int i = 0; i < 2; i++)
        writers[i] = harness_fork(change_family, i, NULL);
    harness_processes(2, watch_family, NULL);
    for (int i = 0; i < 2; i++)
        end_child(writers[i]);
    expect_family();
}
END_TEST

START_TEST(a_killed_client_leaves_all_or_nothing)
{
    add_family(1);
    run();
    for (int i = 0; i < 20; i++) {
        pid_t pid = harness_fork(change_family, i, NULL);
        uint64_t before = harness_stats(store).version;

        while (harness_stats(store).version < before + 20)
            usleep(100);
        usleep((useconds_t)(i * 37));
        end_child(pid);
        expect_family();
    }
}
END_TEST

START_TEST(a_killed_daemon_leaves_all_or_nothing)
{
    add_family(1);
    run();
    for (int i = 0; i < 5; i++) {
        pid_t pid = harness_fork(change_family, i, NULL);
        uint64_t before = harness_stats(store).version;

        while (harness_stats(store).version < before + 200)
            usleep(100);
        harness_kill(server);
        end_child(pid);
        server = harness_start(NULL);
        expect_family();
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("batch");
    TCase *plain = tcase_create("plain");
    TCase *small = tcase_create("small");
    TCase *atomic = tcase_create("atomic");
    TCase *atomic_small = tcase_create("atomic, small");
    TCase *atomic_tight = tcase_create("atomic, tight");

    tcase_add_checked_fixture(plain, setup, teardown);
    tcase_add_test(plain, operations_are_done_in_order);
    tcase_add_test(plain, answers_have_objects);
    tcase_add_test(plain, what_cannot_be_appended_leaves_the_batch_as_it_was);
    tcase_add_test(plain, large_values_keep_their_places);
    tcase_add_test(plain, gets_of_large_values_keep_their_places);
    tcase_add_test(plain, a_batch_may_be_long);
    tcase_add_test(plain, answers_may_be_much_more_than_requests);
    tcase_add_test(plain, a_batch_can_be_run_again_and_filled_again);
    tcase_add_test(plain, options_are_checked);
    tcase_add_test(plain, a_batch_goes_over_a_new_connection_if_the_old_one_is_dead);
    tcase_add_test(plain, without_a_daemon_nothing_is_done);
    tcase_add_test(plain, what_has_no_answer_in_time_is_open);
    tcase_add_test(plain, a_daemon_that_is_held_up_forgets_nothing);
    tcase_add_test(plain, a_killed_client_harms_no_one);
    tcase_add_test(plain, a_killed_daemon_is_told);
    tcase_add_test(plain, threads_run_batches_on_one_handle);
    tcase_add_test(plain, processes_run_batches_on_an_inherited_handle);
    tcase_set_timeout(plain, 60);
    tcase_add_checked_fixture(small, setup_small, teardown);
    tcase_add_test(small, errors_have_words);
    tcase_add_test(small, each_operation_has_a_quota_of_its_own);
    suite_add_tcase(suite, plain);
    suite_add_tcase(suite, small);
    tcase_add_checked_fixture(atomic, setup_atomic, teardown);
    tcase_add_test(atomic, all_of_it_is_done_in_order);
    tcase_add_test(atomic, one_that_fails_undoes_all);
    tcase_add_test(atomic, large_values_come_and_go);
    tcase_add_test(atomic, answers_have_a_limit);
    tcase_add_test(atomic, a_batch_has_limits);
    tcase_add_test(atomic, many_small_ones_are_one_change);
    tcase_add_test(atomic, an_empty_batch_is_nothing);
    tcase_add_test(atomic, a_whole_batch_goes_over_a_new_connection_if_the_old_one_is_dead);
    tcase_add_test(atomic, a_whole_batch_without_an_answer_in_time_is_open);
    tcase_add_test(atomic, others_see_all_or_nothing);
    tcase_add_test(atomic, a_killed_client_leaves_all_or_nothing);
    tcase_add_test(atomic, a_killed_daemon_leaves_all_or_nothing);
    tcase_set_timeout(atomic, 60);
    suite_add_tcase(suite, atomic);
    tcase_add_checked_fixture(atomic_small, setup_atomic_small, teardown);
    tcase_add_test(atomic_small, the_quota_is_that_of_the_whole);
    suite_add_tcase(suite, atomic_small);
    tcase_add_checked_fixture(atomic_tight, setup_atomic_tight, teardown);
    tcase_add_test(atomic_tight, without_memory_nothing_is_done);
    tcase_set_timeout(atomic_tight, 60);
    suite_add_tcase(suite, atomic_tight);
    return harness_main(suite);
}
