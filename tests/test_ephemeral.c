/* Objects and buckets that end with the client that made them. */
#include "tests/harness.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define LIMIT 65536

static struct harness_daemon *server;
static struct memstore *store; /* of somebody who looks on */

static void setup(void)
{
    harness_setup();
    server = harness_start("--max-size", "none", "--keep");
    store = harness_open(server);
}

static void teardown(void)
{
    memstore_close(store);
    harness_teardown();
}

static int put_ephemeral(struct memstore *owner, const char *key, const void *value, size_t size)
{
    const struct memstore_put_options options = {.size = sizeof(options), .ephemeral = 1};

    return memstore_put(owner, key, strlen(key), value, size, &options, NULL);
}

static void must_put(struct memstore *owner, const char *key, const char *value)
{
    ck_assert_msg(put_ephemeral(owner, key, value, strlen(value)) == 0, "%s", memstore_message());
}

static bool exists(const char *key)
{
    int r = memstore_exists(store, key, strlen(key));

    ck_assert_int_ge(r, 0);
    return r;
}

/* How many objects the store has. */
struct count {
    uint64_t objects;
};

static bool has_count(void *argument)
{
    const struct count *count = argument;

    return harness_stats(store).objects == count->objects;
}

static void await_objects(uint64_t objects)
{
    struct count count = {objects};

    harness_await(has_count, &count, "so many objects");
}

START_TEST(ends_with_its_handle)
{
    struct memstore *owner = harness_open(server);

    harness_put(store, "stays", "1");
    harness_put(owner, "stays too", "22");
    must_put(owner, "mark", "here");
    harness_expect(store, "mark", "here");
    memstore_close(owner);
    await_objects(2);
    ck_assert(!exists("mark"));
    harness_expect(store, "stays", "1");
    harness_expect(store, "stays too", "22");
    ck_assert_uint_eq(harness_stats(store).used, 3);
}
END_TEST

START_TEST(stays_while_others_come_and_go)
{
    struct memstore *owner = harness_open(server), *other = harness_open(server);

    must_put(owner, "mine", "1");
    must_put(other, "theirs", "2");
    memstore_close(other);
    await_objects(1);
    harness_expect(store, "mine", "1");
    memstore_close(owner);
    await_objects(0);
}
END_TEST

#define MANY 3000

/* Says that all is there, and waits for its end. */
static int put_many(int index, void *argument)
{
    struct memstore *owner = harness_open(server);
    char key[32];

    (void)argument;
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof(key), "%d/%d", index, i);
        must_put(owner, key, "value");
    }
    snprintf(key, sizeof(key), "ready/%d", index);
    harness_put(owner, key, "");
    pause();
    return 1;
}

START_TEST(ends_with_a_killed_process)
{
    pid_t killed = harness_fork(put_many, 1, NULL), other = harness_fork(put_many, 2, NULL);

    await_objects(2 * MANY + 2);
    kill(killed, SIGKILL);
    waitpid(killed, NULL, 0);
    await_objects(MANY + 2);
    ck_assert(!exists("1/0"));
    ck_assert(exists("2/0"));
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
    await_objects(2);
    ck_assert_uint_eq(harness_stats(store).used, 0);
}
END_TEST

START_TEST(whoever_puts_over_it_has_it)
{
    struct memstore *first = harness_open(server), *second = harness_open(server);

    must_put(first, "ordinary", "1");
    must_put(first, "handed on", "1");
    harness_put(store, "ordinary", "2");
    must_put(second, "handed on", "2");
    memstore_close(first);
    harness_put(store, "later", "");
    harness_expect(store, "handed on", "2");
    memstore_close(second);
    await_objects(2);
    harness_expect(store, "ordinary", "2");
}
END_TEST

START_TEST(deleted_and_made_anew_by_another_it_stays)
{
    struct memstore *owner = harness_open(server);

    must_put(owner, "a", "1");
    must_put(owner, "b", "1");
    ck_assert_int_eq(memstore_delete(store, "a", 1), 0);
    harness_put(store, "a", "2");
    memstore_close(owner);
    await_objects(1);
    harness_expect(store, "a", "2");
}
END_TEST

START_TEST(a_copy_is_ordinary_and_a_move_is_not)
{
    struct memstore *owner = harness_open(server);

    must_put(owner, "a", "1");
    must_put(owner, "b", "22");
    ck_assert_int_eq(memstore_copy(store, "a", 1, "copy", 4, NULL), 0);
    ck_assert_int_eq(memstore_move(store, "b", 1, "moved", 5, NULL), 0);
    ck_assert_uint_eq(harness_stats(store).objects, 3);
    memstore_close(owner);
    await_objects(1);
    harness_expect(store, "copy", "1");
    ck_assert_uint_eq(harness_stats(store).used, 1);
}
END_TEST

START_TEST(of_any_size_and_with_a_lifetime)
{
    struct memstore *owner = harness_open(server);
    const struct memstore_put_options options = {
        .size = sizeof(options), .ephemeral = 1, .ttl_ms = 3600000};
    char *value = malloc(2 * MIB);

    ck_assert_ptr_nonnull(value);
    harness_fill(value, 2 * MIB, 7);
    ck_assert_int_eq(put_ephemeral(owner, "large", value, 2 * MIB), 0);
    ck_assert_int_eq(put_ephemeral(owner, "middle", value, 100000), 0);
    ck_assert_int_eq(memstore_put(owner, "both", 4, "x", 1, &options, NULL), 0);
    ck_assert_int_eq(memstore_touch(store, "both", 4, 1800000, NULL, NULL), 0);
    await_objects(3);
    memstore_close(owner);
    await_objects(0);
    ck_assert_uint_eq(harness_stats(store).used, 0);
    free(value);
}
END_TEST

static int end_at_once(int index, void *argument)
{
    (void)index;
    return exists("mark") && memstore_exists(argument, "mark", 4) == 1 ? 0 : 1;
}

START_TEST(a_forked_child_has_no_part_in_it)
{
    struct memstore *owner = harness_open(server);
    pid_t child;
    int status;

    must_put(owner, "mark", "here");
    child = harness_fork(end_at_once, 0, owner);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    harness_put(store, "later", "");
    ck_assert(exists("mark"));
    memstore_close(owner);
    await_objects(1);
}
END_TEST

static int outlive(int index, void *argument)
{
    (void)index;
    (void)argument;
    pause();
    return 1;
}

START_TEST(ends_with_a_parent_whose_child_lives_on)
{
    struct memstore *owner = harness_open(server);
    pid_t child;

    must_put(owner, "mark", "here");
    child = harness_fork(outlive, 0, NULL);
    memstore_close(owner);
    await_objects(0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}
END_TEST

START_TEST(gone_when_a_daemon_starts_anew)
{
    struct memstore *owner = harness_open(server);

    must_put(owner, "mark", "here");
    must_put(owner, "another", "there");
    harness_put(owner, "stays", "1");
    harness_kill(server);
    server = harness_start("--max-size", "none", "--keep");
    ck_assert(!exists("mark"));
    ck_assert_uint_eq(harness_stats(store).objects, 1);
    ck_assert_uint_eq(harness_stats(store).used, 1);
    /* The handle is good for more. */
    must_put(owner, "mark", "again");
    harness_expect(store, "mark", "again");
    memstore_close(owner);
    await_objects(1);
}
END_TEST

START_TEST(not_where_another_connection_puts)
{
    const struct memstore_put_options options = {.size = sizeof(options), .ephemeral = 1};
    struct memstore_reservation *reservation;
    struct memstore_writer *writer;
    struct memstore_batch *batch;
    void *place;

    ck_assert_int_eq(memstore_writer_open(store, "k", 1, &options, &writer), -EINVAL);
    ck_assert_ptr_nonnull(strstr(memstore_message(), "memstore_put"));
    ck_assert_int_eq(memstore_reserve(store, "k", 1, 10, &options, &reservation, &place), -EINVAL);
    ck_assert_int_eq(memstore_batch_create(store, NULL, &batch), 0);
    ck_assert_int_eq(memstore_batch_put(batch, "k", 1, "v", 1, &options), -EINVAL);
    ck_assert_uint_eq(memstore_batch_count(batch), 0);
    memstore_batch_destroy(batch);
}
END_TEST

static bool can_put_one_more(void *owner)
{
    int r = put_ephemeral(owner, "one more", "", 0);

    ck_assert(r == 0 || r == -EDQUOT);
    return r == 0;
}

START_TEST(so_many_and_no_more)
{
    struct memstore *owner = harness_open(server), *other = harness_open(server);
    char key[32];

    for (int i = 0; i < LIMIT; i++) {
        snprintf(key, sizeof(key), "%d", i);
        must_put(owner, key, "");
    }
    ck_assert_int_eq(put_ephemeral(owner, "more", "", 0), -EDQUOT);
    ck_assert_ptr_nonnull(strstr(memstore_message(), "65536"));
    ck_assert(!exists("more"));
    must_put(other, "more", "");
    harness_put(owner, "ordinary", "");
    ck_assert_int_eq(memstore_delete(store, "17", 2), 0);
    harness_await(can_put_one_more, owner, "room for one more");
    memstore_close(owner);
    await_objects(2);
    memstore_close(other);
    await_objects(1);
}
END_TEST

/* What is put again and again is one, however often in a second. */
START_TEST(one_that_is_put_often_is_one)
{
    const int puts = harness_calls_by_socket() ? 1000 : 2 * LIMIT + 1000;
    struct memstore *owner = harness_open(server);

    for (int i = 0; i < puts; i++)
        must_put(owner, "mark", "here");
    memstore_close(owner);
    await_objects(0);
}
END_TEST

/* ---- buckets ---- */

static int create_ephemeral(struct memstore *owner, const char *name)
{
    const struct memstore_bucket_options options = {.size = sizeof(options), .ephemeral = 1};

    return memstore_bucket_create(owner, name, &options);
}

static struct memstore *open_bucket(const char *name)
{
    const struct memstore_options options = {
        .size = sizeof(options), .socket = server->socket, .bucket = name};
    struct memstore *bucket;

    ck_assert_msg(memstore_open(&options, &bucket) == 0, "%s", memstore_message());
    return bucket;
}

static bool is_there(const char *name)
{
    struct memstore_bucket_info info;
    int r = memstore_bucket_info(store, name, &info, sizeof(info));

    ck_assert(r == 0 || r == -ENOENT);
    return r == 0;
}

static bool has_buckets(void *argument)
{
    const uint64_t *count = argument;

    return harness_stats(store).buckets == *count;
}

static void await_buckets(uint64_t count)
{
    harness_await(has_buckets, &count, "so many buckets");
}

START_TEST(bucket_ends_with_its_handle)
{
    struct memstore *owner = harness_open(server), *inside;

    ck_assert_int_eq(create_ephemeral(owner, "corner"), 0);
    inside = open_bucket("corner");
    harness_put(inside, "a", "12345");
    harness_put(store, "a", "1");
    memstore_close(owner);
    await_buckets(1);
    ck_assert(!is_there("corner"));
    ck_assert_uint_eq(harness_stats(store).used, 1);
    ck_assert_uint_eq(harness_stats(store).objects, 1);
    ck_assert_int_eq(memstore_exists(inside, "a", 1), -ENXIO);
    memstore_close(inside);
    harness_expect(store, "a", "1");
}
END_TEST

START_TEST(bucket_says_what_it_is)
{
    struct memstore *owner = harness_open(server);
    struct memstore_bucket_info info, *all;
    size_t count;

    ck_assert_int_eq(create_ephemeral(owner, "corner"), 0);
    ck_assert_int_eq(create_ephemeral(owner, "corner"), -EEXIST);
    ck_assert_int_eq(memstore_bucket_info(store, "corner", &info, sizeof(info)), 0);
    ck_assert_int_eq(info.ephemeral, 1);
    ck_assert_int_eq(memstore_bucket_info(store, "default", &info, sizeof(info)), 0);
    ck_assert_int_eq(info.ephemeral, 0);
    ck_assert_int_eq(memstore_bucket_list(store, &all, &count, sizeof(*all)), 0);
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(all[0].ephemeral, 1);
    ck_assert_int_eq(all[1].ephemeral, 0);
    free(all);
    memstore_close(owner);
    await_buckets(1);
}
END_TEST

START_TEST(bucket_of_that_name_made_later_stays)
{
    struct memstore *owner = harness_open(server);

    ck_assert_int_eq(create_ephemeral(owner, "corner"), 0);
    ck_assert_int_eq(memstore_bucket_drop(store, "corner"), 0);
    ck_assert_int_eq(memstore_bucket_create(store, "corner", NULL), 0);
    ck_assert_int_eq(create_ephemeral(owner, "another"), 0);
    memstore_close(owner);
    await_buckets(2);
    ck_assert(is_there("corner"));
}
END_TEST

START_TEST(one_that_was_there_is_not_taken_over)
{
    const struct memstore_bucket_options options = {
        .size = sizeof(options), .ephemeral = 1, .exist_ok = 1};
    struct memstore *owner = harness_open(server);

    ck_assert_int_eq(memstore_bucket_create(store, "room", NULL), 0);
    ck_assert_int_eq(memstore_bucket_create(owner, "room", &options), 0);
    ck_assert_int_eq(create_ephemeral(owner, "corner"), 0);
    memstore_close(owner);
    await_buckets(2);
    ck_assert(is_there("room"));
}
END_TEST

START_TEST(kept_by_its_handle_alone)
{
    const struct memstore_bucket_options options = {.size = sizeof(options), .ephemeral = 1};
    struct memstore *owner = harness_open(server), *other = harness_open(server), *inside;

    ck_assert_int_eq(create_ephemeral(owner, "corner"), 0);
    ck_assert_int_eq(create_ephemeral(owner, "another"), 0);
    ck_assert_int_eq(create_ephemeral(other, "theirs"), 0);
    inside = open_bucket("corner");
    harness_put(inside, "a", "1");
    ck_assert_int_eq(memstore_bucket_keep(other, "corner"), -EPERM);
    ck_assert_int_eq(memstore_bucket_keep(store, "corner"), -EPERM);
    ck_assert_int_eq(memstore_bucket_keep(owner, "default"), -EPERM);
    ck_assert_int_eq(memstore_bucket_keep(owner, "none"), -ENOENT);
    ck_assert_int_eq(memstore_bucket_keep(owner, "no name"), -EINVAL);
    ck_assert_int_eq(memstore_bucket_set(owner, "corner", &options), -EINVAL);
    ck_assert_int_eq(memstore_bucket_keep(owner, "corner"), 0);
    ck_assert_int_eq(memstore_bucket_keep(owner, "corner"), -EPERM);
    memstore_close(owner);
    await_buckets(3);
    harness_expect(inside, "a", "1");
    memstore_close(inside);
    memstore_close(other);
    await_buckets(2);
    ck_assert(is_there("corner"));
}
END_TEST

START_TEST(what_is_ephemeral_in_it_goes_with_either)
{
    struct memstore *owner = harness_open(server), *inside;

    ck_assert_int_eq(create_ephemeral(owner, "corner"), 0);
    inside = open_bucket("corner");
    must_put(inside, "mark", "here");
    must_put(inside, "another", "there");
    ck_assert_int_eq(memstore_delete(inside, "mark", 4), 0);
    memstore_close(owner);
    await_buckets(1);
    memstore_close(inside);
    ck_assert_uint_eq(harness_stats(store).used, 0);
    ck_assert_uint_eq(harness_stats(store).objects, 0);
}
END_TEST

START_TEST(buckets_are_gone_when_a_daemon_starts_anew)
{
    struct memstore *owner = harness_open(server), *inside;

    ck_assert_int_eq(create_ephemeral(owner, "corner"), 0);
    ck_assert_int_eq(memstore_bucket_create(owner, "room", NULL), 0);
    inside = open_bucket("corner");
    harness_put(inside, "a", "1");
    memstore_close(inside);
    inside = open_bucket("room");
    harness_put(inside, "a", "22");
    harness_kill(server);
    server = harness_start("--max-size", "none", "--keep");
    ck_assert_uint_eq(harness_stats(store).buckets, 2);
    ck_assert_uint_eq(harness_stats(store).used, 2);
    ck_assert(!is_there("corner"));
    harness_expect(inside, "a", "22");
    memstore_close(inside);
    memstore_close(owner);
}
END_TEST

START_TEST(so_many_buckets_and_no_more)
{
    struct memstore *owner = harness_open(server);
    char name[32];

    for (int i = 0; i < LIMIT / 16; i++) {
        snprintf(name, sizeof(name), "corner-%d", i);
        ck_assert_int_eq(create_ephemeral(owner, name), 0);
    }
    ck_assert_int_eq(create_ephemeral(owner, "more"), -EDQUOT);
    ck_assert_int_eq(put_ephemeral(owner, "more", "", 0), -EDQUOT);
    ck_assert(!is_there("more"));
    ck_assert_int_eq(memstore_bucket_create(owner, "more", NULL), 0);
    memstore_close(owner);
    await_buckets(2);
}
END_TEST

/* ---- workers ---- */

#define WORKERS 8
#define ROUNDS 5
#define EACH 200

/* Fills a corner of its own and one place in the room of all, until it is killed. */
static int work(int index, void *argument)
{
    struct memstore *room = harness_open(server), *corner;
    char name[32], key[32], value[512];

    snprintf(name, sizeof(name), "worker-%d", index);
    ck_assert_int_eq(create_ephemeral(room, name), 0);
    corner = open_bucket(name);
    memset(value, 'v', sizeof(value));
    for (int i = 0;; i = (i + 1) % EACH) {
        snprintf(key, sizeof(key), "%d", i);
        ck_assert_int_eq(
            memstore_put(corner, key, strlen(key), value, (size_t)(i % 500), NULL, NULL), 0);
        must_put(room, name, key);
        if (i == 20) {
            snprintf(key, sizeof(key), "lasting/%d", index);
            harness_put(room, key, "12345");
        }
        (void)argument;
    }
}

static bool all_are_at_it(void *argument)
{
    (void)argument;
    for (int i = 0; i < WORKERS; i++) {
        char key[32];

        snprintf(key, sizeof(key), "lasting/%d", i);
        if (!exists(key))
            return false;
    }
    return true;
}

START_TEST(killed_workers_leave_what_is_not_theirs_alone)
{
    for (int round = 0; round < ROUNDS; round++) {
        pid_t workers[WORKERS];
        struct memstore_stats stats;

        for (int i = 0; i < WORKERS; i++)
            workers[i] = harness_fork(work, i, NULL);
        harness_await(all_are_at_it, NULL, "the marks of all workers");
        for (int i = 0; i < WORKERS; i++)
            kill(workers[i], SIGKILL);
        for (int i = 0; i < WORKERS; i++)
            waitpid(workers[i], NULL, 0);
        await_buckets(1);
        await_objects(WORKERS);
        stats = harness_stats(store);
        ck_assert_uint_eq(stats.used, WORKERS * 5);
        for (int i = 0; i < WORKERS; i++) {
            char key[32];

            snprintf(key, sizeof(key), "lasting/%d", i);
            harness_expect(store, key, "12345");
            ck_assert_int_eq(memstore_delete(store, key, strlen(key)), 0);
        }
    }
    ck_assert_uint_eq(harness_stats(store).used, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ephemeral");
    TCase *cases = tcase_create("objects");

    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, ends_with_its_handle);
    tcase_add_test(cases, stays_while_others_come_and_go);
    tcase_add_test(cases, ends_with_a_killed_process);
    tcase_add_test(cases, whoever_puts_over_it_has_it);
    tcase_add_test(cases, deleted_and_made_anew_by_another_it_stays);
    tcase_add_test(cases, a_copy_is_ordinary_and_a_move_is_not);
    tcase_add_test(cases, of_any_size_and_with_a_lifetime);
    tcase_add_test(cases, a_forked_child_has_no_part_in_it);
    tcase_add_test(cases, ends_with_a_parent_whose_child_lives_on);
    tcase_add_test(cases, gone_when_a_daemon_starts_anew);
    tcase_add_test(cases, not_where_another_connection_puts);
    tcase_add_test(cases, so_many_and_no_more);
    tcase_add_test(cases, one_that_is_put_often_is_one);
    suite_add_tcase(suite, cases);
    cases = tcase_create("buckets");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, bucket_ends_with_its_handle);
    tcase_add_test(cases, bucket_says_what_it_is);
    tcase_add_test(cases, bucket_of_that_name_made_later_stays);
    tcase_add_test(cases, one_that_was_there_is_not_taken_over);
    tcase_add_test(cases, kept_by_its_handle_alone);
    tcase_add_test(cases, what_is_ephemeral_in_it_goes_with_either);
    tcase_add_test(cases, buckets_are_gone_when_a_daemon_starts_anew);
    tcase_add_test(cases, so_many_buckets_and_no_more);
    tcase_add_test(cases, killed_workers_leave_what_is_not_theirs_alone);
    suite_add_tcase(suite, cases);
    return harness_main(suite);
}
