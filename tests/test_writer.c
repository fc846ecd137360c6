/* Values that arrive piece by piece. */
#include "tests/harness.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

static struct harness_daemon *server;
static struct memstore *store;

static void setup(void)
{
    harness_setup();
    server = harness_start("--max-size", "64M");
    store = harness_open(server);
}

static void teardown(void)
{
    memstore_close(store);
    harness_teardown();
}

static struct memstore_writer *writer_for(const char *key)
{
    struct memstore_writer *writer = NULL;
    int r = memstore_writer_open(store, key, strlen(key), NULL, &writer);

    ck_assert_msg(r == 0, "writer for %s: %s", key, memstore_message());
    return writer;
}

static void write_text(struct memstore_writer *writer, const char *text)
{
    int r = memstore_writer_write(writer, text, strlen(text));

    ck_assert_msg(r == 0, "write: %s", memstore_message());
}

static struct memstore_object *commit(struct memstore_writer *writer)
{
    struct memstore_object *object = NULL;
    int r = memstore_writer_commit(writer, &object);

    ck_assert_msg(r == 0, "commit: %s", memstore_message());
    return object;
}

static struct memstore_stats stats(void)
{
    struct memstore_stats result;

    ck_assert_int_eq(memstore_stats(store, &result, sizeof(result)), 0);
    return result;
}

START_TEST(pieces_become_one_value)
{
    struct memstore_writer *writer = writer_for("k");
    struct memstore_object *object;

    write_text(writer, "hello");
    write_text(writer, "");
    write_text(writer, " ");
    write_text(writer, "world");
    object = commit(writer);
    ck_assert_uint_eq(memstore_object_size(object), 11);
    ck_assert_str_eq(memstore_object_etag(object), "df8d09e93f874900a99b8775cc15b6c7");
    ck_assert_str_eq(memstore_object_key(object, NULL), "k");
    ck_assert_ptr_null(memstore_object_value(object, NULL));
    memstore_object_free(object);
    harness_expect(store, "k", "hello world");
}
END_TEST

START_TEST(no_pieces_are_an_empty_value)
{
    ck_assert_int_eq(memstore_writer_commit(writer_for("k"), NULL), 0);
    harness_expect(store, "k", "");
}
END_TEST

START_TEST(nothing_is_seen_before_the_commit)
{
    struct memstore_writer *fresh = writer_for("new");
    struct memstore_writer *over;
    struct memstore_list *list;
    uint64_t version;

    harness_put(store, "old", "old value");
    version = stats().version;
    over = writer_for("old");
    write_text(fresh, "new value");
    write_text(over, "other value");
    ck_assert_int_eq(memstore_exists(store, "new", 3), 0);
    harness_expect(store, "old", "old value");
    ck_assert_int_eq(memstore_list(store, "", 0, NULL, &list), 0);
    ck_assert_uint_eq(memstore_list_count(list), 1);
    memstore_list_free(list);
    ck_assert_uint_eq(stats().used, 9);
    ck_assert_uint_eq(stats().version, version);
    memstore_object_free(commit(fresh));
    memstore_object_free(commit(over));
    harness_expect(store, "new", "new value");
    harness_expect(store, "old", "other value");
}
END_TEST

START_TEST(abort_leaves_everything_as_it_was)
{
    struct memstore_stats before;
    struct memstore_writer *writer;

    harness_put(store, "k", "old");
    before = stats();
    writer = writer_for("k");
    write_text(writer, "new");
    memstore_writer_abort(writer);
    memstore_writer_abort(writer_for("k"));
    memstore_writer_abort(NULL);
    harness_expect(store, "k", "old");
    ck_assert_uint_eq(stats().used, before.used);
    ck_assert_uint_eq(stats().version, before.version);
}
END_TEST

START_TEST(commit_replaces_everything)
{
    struct memstore_metadata old_pair = {"old", "1"};
    struct memstore_metadata new_pair = {"new", "2"};
    struct memstore_put_options options = {.size = sizeof(options),
                                           .content_type = "old/type",
                                           .metadata = &old_pair,
                                           .metadata_count = 1};
    struct memstore_writer *writer;
    struct memstore_object *object;

    ck_assert_int_eq(memstore_put(store, "k", 1, "old", 3, &options, NULL), 0);
    options.content_type = "new/type";
    options.metadata = &new_pair;
    ck_assert_int_eq(memstore_writer_open(store, "k", 1, &options, &writer), 0);
    new_pair = (struct memstore_metadata){"changed", "afterwards"}; /* it was read, not kept */
    options.content_type = "changed/afterwards";
    write_text(writer, "new");
    object = commit(writer);
    ck_assert_str_eq(memstore_object_content_type(object), "new/type");
    ck_assert_uint_eq(memstore_object_metadata_count(object), 1);
    ck_assert_str_eq(memstore_object_metadata(object, "new"), "2");
    memstore_object_free(object);
    harness_expect(store, "k", "new");
}
END_TEST

static const size_t piece_sizes[] = {1, 1000, 8191, 8192, 65536, 100003, 3 * MIB + 1};
#define PIECE_SIZES 7

START_TEST(pieces_of_every_size)
{
    size_t piece = piece_sizes[_i];
    size_t size = piece * (piece < MIB ? 20 : 4) + 7;
    char *bytes = malloc(size);
    struct memstore_writer *writer = writer_for("k");
    struct memstore_object *object;

    harness_fill(bytes, size, piece);
    for (size_t at = 0; at < size; at += piece) {
        size_t length = size - at < piece ? size - at : piece;

        ck_assert_int_eq(memstore_writer_write(writer, bytes + at, length), 0);
    }
    memstore_object_free(commit(writer));
    ck_assert_int_eq(memstore_get(store, "k", 1, 0, MEMSTORE_TO_END, &object), 0);
    ck_assert_uint_eq(memstore_object_size(object), size);
    ck_assert_int_eq(memcmp(memstore_object_value(object, NULL), bytes, size), 0);
    memstore_object_free(object);
    free(bytes);
}
END_TEST

START_TEST(writers_and_calls_take_turns)
{
    struct memstore_writer *writers[10];
    char *large = malloc(MIB);
    char key[16];

    harness_fill(large, MIB, 1);
    for (int i = 0; i < 10; i++) {
        snprintf(key, sizeof(key), "w%d", i);
        writers[i] = writer_for(key);
    }
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 10; i++) {
            write_text(writers[i], (char[]){(char)('a' + i), '\0'});
            ck_assert_int_eq(memstore_put(store, "large", 5, large, MIB, NULL, NULL), 0);
        }
    }
    for (int i = 9; i >= 0; i--) {
        char expected[11];

        memset(expected, 'a' + i, 10);
        expected[10] = '\0';
        snprintf(key, sizeof(key), "w%d", i);
        memstore_object_free(commit(writers[i]));
        harness_expect(store, key, expected);
    }
    free(large);
}
END_TEST

START_TEST(last_commit_wins)
{
    struct memstore_writer *first = writer_for("k");
    struct memstore_writer *second = writer_for("k");

    write_text(first, "first");
    write_text(second, "second");
    memstore_object_free(commit(second));
    memstore_object_free(commit(first));
    harness_expect(store, "k", "first");
}
END_TEST

START_TEST(refused_commit_ends_the_writer_and_changes_nothing)
{
    struct harness_daemon *small = harness_start_apart("small", "--max-size", "100");
    struct memstore *other = harness_open(small);
    struct memstore_object *object = NULL;
    struct memstore_writer *writer;
    struct memstore_stats after;
    char bytes[200] = {0};

    harness_put(other, "k", "old");
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(memstore_writer_open(other, "k", 1, NULL, &writer), 0);
        ck_assert_int_eq(memstore_writer_write(writer, bytes, sizeof(bytes)), 0);
        ck_assert_int_eq(memstore_writer_commit(writer, &object), -EDQUOT);
        ck_assert_ptr_null(object);
        ck_assert_msg(strstr(memstore_message(), "Max size 100 would be exceeded"), "%s",
                      memstore_message());
    }
    harness_expect(other, "k", "old");
    ck_assert_int_eq(memstore_stats(other, &after, sizeof(after)), 0);
    ck_assert_uint_eq(after.used, 3);
    /* Who reads directly has two, and a handle keeps one writer's connection for the next. */
    ck_assert_uint_eq(after.clients, 2 + after.readers);
    memstore_close(other);
}
END_TEST

START_TEST(open_refuses_what_put_refuses)
{
    struct memstore_metadata twice[] = {{"a", "1"}, {"a", "2"}};
    char type[MEMSTORE_CONTENT_TYPE_MAX + 2];
    struct memstore_put_options options = {
        .size = sizeof(options), .metadata = twice, .metadata_count = 2};
    struct memstore_writer *writer = NULL;

    ck_assert_int_eq(memstore_writer_open(store, "k", 1, &options, &writer), -EINVAL);
    memset(type, 't', sizeof(type) - 1);
    type[sizeof(type) - 1] = '\0';
    options = (struct memstore_put_options){.size = sizeof(options), .content_type = type};
    ck_assert_int_eq(memstore_writer_open(store, "k", 1, &options, &writer), -E2BIG);
    options.size = 0;
    ck_assert_int_eq(memstore_writer_open(store, "k", 1, &options, &writer), -EINVAL);
    ck_assert_ptr_null(writer);
}
END_TEST

START_TEST(too_much_is_refused_and_only_the_end_is_left)
{
    struct memstore_writer *writer = writer_for("k");

    harness_put(store, "k", "old");
    write_text(writer, "some");
    /* Refused for its size alone: there are no such bytes. */
    ck_assert_int_eq(memstore_writer_write(writer, "", MEMSTORE_VALUE_MAX - 3), -EFBIG);
    ck_assert_int_lt(memstore_writer_write(writer, "more", 4), 0);
    ck_assert_int_lt(memstore_writer_commit(writer, NULL), 0);
    harness_expect(store, "k", "old");
    writer = writer_for("k");
    ck_assert_int_eq(memstore_writer_write(writer, "", SIZE_MAX), -EFBIG);
    memstore_writer_abort(writer);
    harness_expect(store, "k", "old");
}
END_TEST

START_TEST(open_without_a_daemon_fails)
{
    struct memstore_writer *writer = NULL;
    int r;

    ck_assert_int_eq(harness_stop(server), 0);
    r = memstore_writer_open(store, "k", 1, NULL, &writer);
    ck_assert_msg(r == -ENOENT || r == -ECONNREFUSED, "%d: %s", r, memstore_message());
    ck_assert_ptr_null(writer);
}
END_TEST

/* The daemon goes while the pieces arrive: an error at the end, and no half of a value. */
START_TEST(daemon_that_restarts_leaves_no_half_value)
{
    struct harness_daemon *kept = harness_start_apart("kept", "--keep");
    struct memstore *other = harness_open(kept);
    struct memstore_writer *writer;
    int r;

    harness_put(other, "k", "old");
    ck_assert_int_eq(memstore_writer_open(other, "k", 1, NULL, &writer), 0);
    write_text(writer, "new ");
    harness_kill(kept);
    harness_start_apart("kept", "--keep");
    r = memstore_writer_write(writer, "value", 5);
    ck_assert_msg(r == 0 || r == -ECONNRESET, "%d: %s", r, memstore_message());
    if (r == 0)
        r = memstore_writer_commit(writer, NULL);
    else
        memstore_writer_abort(writer);
    ck_assert_msg(r == 0 || r == -ECONNRESET, "%d: %s", r, memstore_message());
    harness_expect(other, "k", r == 0 ? "new value" : "old");
    memstore_close(other);
}
END_TEST

static int write_and_wait(int index, void *ready)
{
    struct memstore_writer *writer;
    char *bytes = malloc(MIB);

    (void)index;
    store = harness_open(server);
    writer = writer_for("k");
    for (int i = 0; i < 20; i++) {
        harness_fill(bytes, MIB, 1);
        if (memstore_writer_write(writer, bytes, MIB) < 0)
            return 1;
    }
    if (write(*(int *)ready, "r", 1) != 1)
        return 1;
    pause();
    return 1;
}

static bool is_alone(void *argument)
{
    (void)argument;
    return stats().clients == 1;
}

START_TEST(killed_writer_leaves_no_trace)
{
    struct memstore_stats before;
    char *bytes = calloc(1, 60 * MIB);
    int ready[2];
    char byte;

    harness_put(store, "k", "old");
    before = stats();
    ck_assert_int_eq(pipe(ready), 0);
    for (int i = 0; i < 5; i++) {
        pid_t pid = harness_fork(write_and_wait, i, &ready[1]);

        ck_assert_int_eq(read(ready[0], &byte, 1), 1);
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    }
    harness_await(is_alone, NULL, "the killed writers are still connected");
    harness_expect(store, "k", "old");
    ck_assert_uint_eq(stats().used, before.used);
    ck_assert_uint_eq(stats().version, before.version);
    /* 5 x 20 MiB were on their way; nearly all of the limit is still to be had. */
    ck_assert_int_eq(memstore_put(store, "all", 3, bytes, 60 * MIB, NULL, NULL), 0);
    free(bytes);
    close(ready[0]);
    close(ready[1]);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("writer");
    TCase *writer = tcase_create("writer");

    tcase_add_checked_fixture(writer, setup, teardown);
    suite_add_tcase(s, writer);
    tcase_add_test(writer, pieces_become_one_value);
    tcase_add_test(writer, no_pieces_are_an_empty_value);
    tcase_add_test(writer, nothing_is_seen_before_the_commit);
    tcase_add_test(writer, abort_leaves_everything_as_it_was);
    tcase_add_test(writer, commit_replaces_everything);
    tcase_add_loop_test(writer, pieces_of_every_size, 0, PIECE_SIZES);
    tcase_add_test(writer, writers_and_calls_take_turns);
    tcase_add_test(writer, last_commit_wins);
    tcase_add_test(writer, refused_commit_ends_the_writer_and_changes_nothing);
    tcase_add_test(writer, open_refuses_what_put_refuses);
    tcase_add_test(writer, too_much_is_refused_and_only_the_end_is_left);
    tcase_add_test(writer, open_without_a_daemon_fails);
    tcase_add_test(writer, daemon_that_restarts_leaves_no_half_value);
    tcase_add_test(writer, killed_writer_leaves_no_trace);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
