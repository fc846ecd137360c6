/* Values that one process computes for all, through the library against a real daemon. */
#include "tests/harness.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG 60000 /* milliseconds that no test waits */

/* Memory that the test shares with its processes. */
struct shared {
    _Atomic int computed; /* how often somebody began to */
    _Atomic int go;       /* those who compute may come to an end */
    _Atomic pid_t who;    /* began last */
    _Atomic int fails;    /* so many more will have no value */
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

static void setup_small(void)
{
    setup_with(HARNESS_LIST("--max-size", "10"));
}

static void teardown(void)
{
    memstore_close(store);
    munmap(shared, sizeof(*shared));
    harness_teardown();
}

/* ---- what is computed ---- */

static int compute_text(struct memstore_writer *writer, void *text)
{
    shared->computed++;
    return memstore_writer_write(writer, text, strlen(text));
}

/* Takes as long as the test wants. */
static int compute_slowly(struct memstore_writer *writer, void *text)
{
    int r = memstore_writer_write(writer, text, strlen(text));

    shared->who = getpid();
    shared->computed++;
    while (!shared->go)
        usleep(1000);
    return r;
}

static int compute_maybe(struct memstore_writer *writer, void *text)
{
    int r = compute_slowly(writer, text);

    return r == 0 && shared->fails-- > 0 ? -EHOSTDOWN : r;
}

/* The text as what compute_text and the like get. */
static void *context_of(const char *text)
{
    return (void *)(uintptr_t)text;
}

static int once(const char *key, memstore_compute compute, const char *text,
                struct memstore_object **ret_object)
{
    return memstore_once(store, key, strlen(key), compute, context_of(text), NULL, LONG,
                         ret_object);
}

static bool is_text(const struct memstore_object *object, const char *text)
{
    size_t size;
    const void *value = memstore_object_value(object, &size);

    return size == strlen(text) && memcmp(value, text, size) == 0;
}

static void expect_text(struct memstore_object *object, const char *text)
{
    ck_assert_ptr_nonnull(object);
    ck_assert(is_text(object, text));
    memstore_object_free(object);
}

static void await_computed(int count)
{
    while (shared->computed < count)
        usleep(1000);
}

static bool as_many_wait(void *argument)
{
    return harness_stats(store).waiting == *(size_t *)argument;
}

static void await_waiting(size_t count)
{
    harness_await(as_many_wait, &count, "the number of those who wait");
}

/* ---- alone ---- */

START_TEST(value_is_computed_where_there_is_none)
{
    struct memstore_put_options options = {.size = sizeof(options), .content_type = "text/plain"};
    struct memstore_object *object = NULL;

    ck_assert_int_eq(
        memstore_once(store, "key", 3, compute_text, context_of("value"), &options, LONG, &object),
        0);
    ck_assert_str_eq(memstore_object_content_type(object), "text/plain");
    expect_text(object, "value");
    ck_assert_int_eq(once("key", compute_text, "another", &object), 0);
    expect_text(object, "value");
    ck_assert_int_eq(shared->computed, 1);
    ck_assert_int_eq(memstore_delete(store, "key", 3), 0);
    ck_assert_int_eq(once("key", compute_text, "another", NULL), 0);
    harness_expect(store, "key", "another");
    ck_assert_int_eq(once("key", compute_text, "no more", NULL), 0);
    ck_assert_int_eq(shared->computed, 2);
    ck_assert_uint_eq(harness_stats(store).locks, 0);
}
END_TEST

static int compute_nothing(struct memstore_writer *writer, void *context)
{
    (void)writer;
    (void)context;
    return 0;
}

static int compute_much(struct memstore_writer *writer, void *bytes)
{
    int r = 0;

    for (int i = 0; r == 0 && i < 5; i++)
        r = memstore_writer_write(writer, (const char *)bytes + ((size_t)i << 20), 1 << 20);
    return r;
}

START_TEST(values_are_of_any_size)
{
    char *bytes = malloc((size_t)5 << 20);
    struct memstore_object *object;
    size_t size;

    harness_fill(bytes, (size_t)5 << 20, 1);
    ck_assert_int_eq(memstore_once(store, "large", 5, compute_much, bytes, NULL, LONG, &object), 0);
    ck_assert(harness_is_filled(memstore_object_value(object, &size), (size_t)5 << 20, 1));
    ck_assert_uint_eq(size, (size_t)5 << 20);
    memstore_object_free(object);
    ck_assert_int_eq(once("empty", compute_nothing, NULL, &object), 0);
    expect_text(object, "");
    free(bytes);
}
END_TEST

/* Others' calls on the same handle, and other values, nested. */
static int compute_from_others(struct memstore_writer *writer, void *context)
{
    struct memstore_object *object;
    const void *part;
    size_t size;
    int r = once("part", compute_text, "part", &object);

    (void)context;
    if (r < 0)
        return r;
    harness_put(store, "on the way", "x");
    part = memstore_object_value(object, &size);
    r = memstore_writer_write(writer, part, size);
    memstore_object_free(object);
    return r == 0 ? memstore_writer_write(writer, " and more", 9) : r;
}

START_TEST(one_value_is_computed_from_another)
{
    struct memstore_object *object;

    ck_assert_int_eq(once("whole", compute_from_others, NULL, &object), 0);
    expect_text(object, "part and more");
    harness_expect(store, "part", "part");
    harness_expect(store, "on the way", "x");
}
END_TEST

static int compute_error(struct memstore_writer *writer, void *error)
{
    memstore_writer_write(writer, "half", 4);
    return *(int *)error;
}

START_TEST(error_of_the_computation_is_its_callers)
{
    struct memstore_object *object = NULL;
    int error = -EHOSTDOWN;

    ck_assert_int_eq(memstore_once(store, "key", 3, compute_error, &error, NULL, LONG, &object),
                     -EHOSTDOWN);
    ck_assert_ptr_nonnull(strstr(memstore_message(), "no value for \"key\""));
    error = 17; /* no negative errno */
    ck_assert_int_eq(memstore_once(store, "key", 3, compute_error, &error, NULL, LONG, &object),
                     -EINVAL);
    ck_assert_ptr_null(object);
    ck_assert_int_eq(memstore_exists(store, "key", 3), 0);
    ck_assert_uint_eq(harness_stats(store).locks, 0);
    ck_assert_int_eq(once("key", compute_text, "value", &object), 0);
    expect_text(object, "value");
}
END_TEST

START_TEST(value_that_does_not_fit_is_an_error)
{
    struct memstore_object *object;

    ck_assert_int_eq(once("key", compute_text, "eleven byte", NULL), -EDQUOT);
    ck_assert_ptr_nonnull(strstr(memstore_message(), "Max size 10 would be exceeded"));
    ck_assert_uint_eq(harness_stats(store).locks, 0);
    ck_assert_int_eq(once("key", compute_text, "ten bytes.", &object), 0);
    expect_text(object, "ten bytes.");
}
END_TEST

START_TEST(senseless_calls_are_refused)
{
    char key[MEMSTORE_KEY_MAX + 1] = {0};
    struct memstore_put_options options = {.size = 1};

    ck_assert_int_eq(memstore_once(store, "k", 1, NULL, NULL, NULL, LONG, NULL), -EINVAL);
    ck_assert_int_eq(memstore_once(store, NULL, 1, compute_text, context_of("x"), NULL, LONG, NULL),
                     -EINVAL);
    ck_assert_int_eq(
        memstore_once(store, key, sizeof(key), compute_text, context_of("x"), NULL, LONG, NULL),
        -ENAMETOOLONG);
    ck_assert_int_eq(
        memstore_once(store, "k", 1, compute_text, context_of("x"), &options, LONG, NULL), -EINVAL);
    ck_assert_int_eq(shared->computed, 0);
    ck_assert_uint_eq(harness_stats(store).locks, 0);
}
END_TEST

START_TEST(locks_of_programs_are_others)
{
    struct memstore_lock *lock;

    ck_assert_int_eq(memstore_lock(store, "key", 3, LONG, &lock), 0);
    ck_assert_int_eq(
        memstore_once(store, "key", 3, compute_text, context_of("value"), NULL, 0, NULL), 0);
    ck_assert_int_eq(memstore_unlock(lock), 0);
}
END_TEST

/* ---- together ---- */

static int once_in_process(int index, void *compute)
{
    struct memstore_object *object;
    char text[32];
    int r;

    snprintf(text, sizeof(text), "of %d", index);
    r = memstore_once(store, "key", 3, *(memstore_compute *)compute, text, NULL, LONG, &object);
    if (r < 0)
        return r == -EHOSTDOWN ? 10 : 1;
    r = strncmp(memstore_object_value(object, NULL), "of ", 3) == 0 ? 0 : 2;
    memstore_object_free(object);
    return r;
}

START_TEST(one_of_many_computes)
{
    memstore_compute compute = compute_text;

    harness_processes(16, once_in_process, &compute);
    ck_assert_int_eq(shared->computed, 1);
}
END_TEST

#define CROWD 6

/* Starts some who ask for the same; one of them computes, and the others wait. */
static void crowd_start(pid_t pids[CROWD], memstore_compute compute)
{
    for (int i = 0; i < CROWD; i++)
        pids[i] = harness_fork(once_in_process, i, &compute);
    await_computed(1);
    await_waiting(CROWD - 1);
    ck_assert_int_eq(shared->computed, 1);
}

/* How many ended so. */
static int crowd_join(const pid_t pids[CROWD], int result)
{
    int count = 0;

    for (int i = 0; i < CROWD; i++) {
        int status;

        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        if (result < 0 ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == result)
            count++;
    }
    return count;
}

START_TEST(when_the_one_is_killed_another_computes)
{
    pid_t pids[CROWD];

    crowd_start(pids, compute_slowly);
    kill(shared->who, SIGKILL);
    await_computed(2);
    kill(shared->who, SIGKILL); /* and the next one too */
    await_computed(3);
    shared->go = 1;
    ck_assert_int_eq(crowd_join(pids, 0), CROWD - 2);
    ck_assert_int_eq(shared->computed, 3);
    ck_assert_uint_eq(harness_stats(store).locks, 0);
}
END_TEST

START_TEST(when_the_one_fails_another_computes)
{
    pid_t pids[CROWD];

    shared->fails = 2;
    crowd_start(pids, compute_maybe);
    shared->go = 1;
    ck_assert_int_eq(crowd_join(pids, 10), 2); /* who failed were told so */
    ck_assert_int_eq(shared->computed, 3);
    ck_assert_int_eq(memstore_exists(store, "key", 3), 1);
}
END_TEST

START_TEST(deadline_ends_the_wait_for_others)
{
    memstore_compute compute = compute_slowly;
    pid_t pid = harness_fork(once_in_process, 0, &compute);
    int64_t start = harness_now();
    int status;

    await_computed(1);
    ck_assert_int_eq(
        memstore_once(store, "key", 3, compute_text, context_of("mine"), NULL, 50, NULL),
        -ETIMEDOUT);
    ck_assert_int_ge(harness_now() - start, 50);
    ck_assert_str_eq(memstore_message(), "others compute \"key\" for more than 50 ms");
    ck_assert_int_eq(
        memstore_once(store, "key", 3, compute_text, context_of("mine"), NULL, 0, NULL),
        -ETIMEDOUT);
    ck_assert_int_eq(
        memstore_once(store, "key 2", 5, compute_text, context_of("mine"), NULL, 0, NULL), 0);
    shared->go = 1;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    harness_expect(store, "key", "of 0");
}
END_TEST

/* The lock went with the daemon, so the value is not put, but made anew. */
START_TEST(daemon_that_is_replaced_has_it_computed_anew)
{
    memstore_compute compute = compute_slowly;
    pid_t pid = harness_fork(once_in_process, 7, &compute);
    int status;

    await_computed(1);
    harness_kill(server);
    server = harness_start(NULL);
    shared->go = 1;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(shared->computed, 2);
    harness_expect(store, "key", "of 7");
}
END_TEST

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
    Suite *all = suite_create("once");
    TCase *alone = add_case(all, "alone", setup);
    TCase *together = add_case(all, "together", setup);

    tcase_add_test(alone, value_is_computed_where_there_is_none);
    tcase_add_test(alone, values_are_of_any_size);
    tcase_add_test(alone, one_value_is_computed_from_another);
    tcase_add_test(alone, error_of_the_computation_is_its_callers);
    tcase_add_test(alone, senseless_calls_are_refused);
    tcase_add_test(alone, locks_of_programs_are_others);
    tcase_add_test(add_case(all, "small", setup_small), value_that_does_not_fit_is_an_error);
    tcase_add_test(together, one_of_many_computes);
    tcase_add_test(together, when_the_one_is_killed_another_computes);
    tcase_add_test(together, when_the_one_fails_another_computes);
    tcase_add_test(together, deadline_ends_the_wait_for_others);
    tcase_add_test(together, daemon_that_is_replaced_has_it_computed_anew);
    return all;
}

int main(void)
{
    return harness_main(suite());
}
