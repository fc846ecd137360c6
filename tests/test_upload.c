/*
 * Uploads: large values come into the store piece by piece. What others do meanwhile happens in
 * between, and what comes in the way of one leaves nothing behind.
 */
#include "tests/raw.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#define KIB ((size_t)1024)
#define MIB (KIB * KIB)
#define LARGE (8 * MIB) /* takes several turns of the daemon */
#define HUGE (300 * MIB)

static struct memstore *store;

static void start_list(const char *const *arguments)
{
    raw_server = harness_start_list(arguments);
    store = harness_open(raw_server);
    close(raw_open()); /* tells the bucket */
}

#define start(...) start_list(HARNESS_LIST(__VA_ARGS__))

static void teardown(void)
{
    memstore_close(store);
    store = NULL;
    harness_teardown();
}

static void put(const char *key, size_t size, uint64_t seed)
{
    harness_put_filled(store, key, size, seed);
}

static void expect(const char *key, size_t size, uint64_t seed)
{
    struct memstore_object *object = NULL;
    const void *value;
    size_t length;
    int r = memstore_get(store, key, strlen(key), 0, MEMSTORE_TO_END, &object);

    ck_assert_msg(r == 0, "%s: %s", key, memstore_message());
    value = memstore_object_value(object, &length);
    ck_assert_uint_eq(length, size);
    ck_assert_msg(harness_is_filled(value, size, seed), "%s: other bytes", key);
    memstore_object_free(object);
}

static bool exists(const char *key)
{
    int r = memstore_exists(store, key, strlen(key));

    ck_assert_int_ge(r, 0);
    return r > 0;
}

static void expect_counts(uint64_t objects, uint64_t used)
{
    struct memstore_stats stats = harness_stats(store);

    ck_assert_uint_eq(stats.objects, objects);
    ck_assert_uint_eq(stats.used, used);
}

/* Nothing is left of who was there before. */
static bool is_clean(void *argument)
{
    struct memstore_stats stats = harness_stats(store);

    (void)argument;
    return stats.garbage == 0 && stats.clients == 1 + stats.readers;
}

static void expect_clean(void)
{
    harness_await(is_clean, NULL, "what an upload left to be collected");
}

/* ---- a client that uploads ---- */

struct uploader {
    int fd;
    uint8_t *map;
    size_t size;
    struct frame_header request;
};

/* Connects, with a value of that size. */
static struct uploader uploader_open(size_t size, uint64_t seed)
{
    struct uploader uploader = {.fd = raw_open(), .size = size};

    uploader.map = raw_attach(uploader.fd, size);
    harness_fill(uploader.map, size, seed);
    return uploader;
}

static void uploader_send(struct uploader *uploader, const char *key)
{
    struct body body = body_put(key, "", 0, 0);

    uploader->request = raw_header(OPERATION_PUT, body.length);
    uploader->request.flags = FRAME_BULK;
    uploader->request.bulk_length = (uint32_t)uploader->size;
    ck_assert(raw_send_frame(uploader->fd, &uploader->request, &body));
}

static void uploader_expect(struct uploader *uploader, int status)
{
    raw_expect_answer(uploader->fd, &uploader->request, status);
}

static void uploader_close(struct uploader *uploader)
{
    munmap(uploader->map, uploader->size);
    close(uploader->fd);
}

static bool is_answered(const struct uploader *uploader)
{
    return raw_has_answer(uploader->fd);
}

/* What is sent between these two is there at once, in this order: what comes behind an upload
 * happens in the middle of it. */
static void stop_daemon(void)
{
    ck_assert_int_eq(kill(raw_server->pid, SIGSTOP), 0);
}

static void continue_daemon(void)
{
    ck_assert_int_eq(kill(raw_server->pid, SIGCONT), 0);
}

/* Another client, whose requests are all sent before the first answer is waited for. */
struct other {
    int fd;
    struct frame_header requests[8];
    int count;
};

static void other_send(struct other *other, uint16_t operation, struct body body)
{
    struct frame_header header = raw_header(operation, body.length);

    ck_assert(raw_send_frame(other->fd, &header, &body));
    other->requests[other->count++] = header;
}

static void other_expect_all(struct other *other)
{
    for (int i = 0; i < other->count; i++)
        raw_expect_answer(other->fd, &other->requests[i], 0);
    close(other->fd);
}

/* ---- values ---- */

static const size_t sizes[] = {
    256 * KIB - 1, 256 * KIB,    256 * KIB + 1, 320 * KIB,   512 * KIB,
    512 * KIB + 1, MIB - 1,      MIB,           MIB + 1,     3 * MIB,
    3 * MIB + 777, 4 * MIB - 16, 4 * MIB - 15,  5 * MIB - 1, 16 * MIB + 1,
};

START_TEST(values_of_all_sizes_come_whole)
{
    struct memstore_put_options options = {.size = sizeof(options), .content_type = "text/plain"};
    struct memstore_metadata metadata = {"colour", "green"};
    struct memstore_object *object = NULL;
    char etag[MEMSTORE_ETAG_SIZE];
    XXH128_canonical_t digest;
    size_t size = sizes[_i];
    char *bytes = malloc(size);

    options.metadata = &metadata;
    options.metadata_count = 1;
    start("--max-size", "64M");
    harness_fill(bytes, size, 5);
    ck_assert_int_eq(memstore_put(store, "k", 1, bytes, size, &options, &object), 0);
    XXH128_canonicalFromHash(&digest, XXH3_128bits(bytes, size));
    for (size_t i = 0; i < sizeof(digest.digest); i++)
        snprintf(etag + 2 * i, 3, "%02x", digest.digest[i]);
    ck_assert_str_eq(memstore_object_etag(object), etag);
    memstore_object_free(object);
    expect("k", size, 5);
    ck_assert_int_eq(memstore_info(store, "k", 1, &object), 0);
    ck_assert_str_eq(memstore_object_etag(object), etag);
    ck_assert_str_eq(memstore_object_content_type(object), "text/plain");
    ck_assert_str_eq(memstore_object_metadata(object, "colour"), "green");
    memstore_object_free(object);
    expect_counts(1, size);
    free(bytes);
}
END_TEST

START_TEST(overwriting_uses_the_memory_again)
{
    uint64_t memory;

    start("--max-size", "200M");
    for (int i = 0; i < 8; i++)
        put("k", 16 * MIB, (uint64_t)i);
    memory = harness_stats(store).memory;
    for (int i = 0; i < 50; i++) {
        put("k", 16 * MIB, (uint64_t)i);
        expect_counts(1, 16 * MIB);
    }
    expect("k", 16 * MIB, 49);
    ck_assert_uint_le(harness_stats(store).memory, memory + 17 * MIB);
    expect_clean();
}
END_TEST

/* ---- beside others ---- */

START_TEST(small_puts_go_on_beside_a_large_one)
{
    struct uploader uploader;
    char key[32];
    int count = 0;

    start("--max-size", "1G");
    uploader = uploader_open(HUGE, 1);
    uploader_send(&uploader, "huge");
    while (!is_answered(&uploader)) {
        snprintf(key, sizeof(key), "%d", count);
        harness_put(store, key, "small");
        count++;
    }
    uploader_expect(&uploader, 0);
    ck_assert_msg(count > 20, "only %d small puts beside a large one", count);
    expect("huge", HUGE, 1);
    expect_counts((uint64_t)count + 1, HUGE + 5 * (uint64_t)count);
    uploader_close(&uploader);
}
END_TEST

START_TEST(requests_behind_an_upload_wait_for_it)
{
    struct body body;
    struct frame_header info;
    struct object_info answer;
    struct uploader uploader;

    start("--max-size", "64M");
    uploader = uploader_open(LARGE, 1);
    body = body_key("k");
    info = raw_header(OPERATION_INFO, body.length);
    stop_daemon();
    uploader_send(&uploader, "k");
    ck_assert(raw_send_frame(uploader.fd, &info, &body));
    ck_assert_int_eq(shutdown(uploader.fd, SHUT_WR), 0);
    continue_daemon();
    uploader_expect(&uploader, 0);
    raw_expect_answer(uploader.fd, &info, 0);
    memcpy(&answer, raw_answer.body, sizeof(answer));
    ck_assert_uint_eq(answer.size, LARGE);
    raw_expect_closed(uploader.fd);
    munmap(uploader.map, uploader.size);
    expect("k", LARGE, 1);
}
END_TEST

#define UPLOADERS 12

START_TEST(many_come_side_by_side)
{
    struct uploader uploaders[UPLOADERS];
    char key[UPLOADERS][8];

    start("--max-size", "200M");
    for (int i = 0; i < UPLOADERS; i++) {
        snprintf(key[i], sizeof(key[i]), "%d", i);
        uploaders[i] = uploader_open((size_t)(i + 1) * MIB + (size_t)i, (uint64_t)i);
    }
    stop_daemon();
    for (int i = 0; i < UPLOADERS; i++)
        uploader_send(&uploaders[i], key[i]);
    continue_daemon();
    for (int i = 0; i < UPLOADERS; i++)
        uploader_expect(&uploaders[i], 0);
    for (int i = 0; i < UPLOADERS; i++) {
        expect(key[i], uploaders[i].size, (uint64_t)i);
        uploader_close(&uploaders[i]);
    }
    expect_clean();
}
END_TEST

START_TEST(of_two_to_one_key_the_last_to_end_stays)
{
    struct uploader longer, shorter;

    start("--max-size", "64M");
    longer = uploader_open(2 * LARGE, 1);
    shorter = uploader_open(LARGE, 2);
    stop_daemon();
    uploader_send(&longer, "k");
    uploader_send(&shorter, "k");
    continue_daemon();
    uploader_expect(&shorter, 0);
    uploader_expect(&longer, 0);
    expect("k", 2 * LARGE, 1);
    expect_counts(1, 2 * LARGE);
    uploader_close(&longer);
    uploader_close(&shorter);
    expect_clean();
}
END_TEST

/* What happens to the key in the middle of an upload happened before it. */
START_TEST(changes_of_the_key_come_before)
{
    struct uploader uploader;
    struct other other = {0};
    struct body body;

    start("--max-size", "64M");
    put("target", LARGE, 1);
    uploader = uploader_open(LARGE, 2);
    other.fd = raw_open();
    stop_daemon();
    uploader_send(&uploader, "target");
    other_send(&other, OPERATION_COPY, body_pair("target", "copy"));
    other_send(&other, OPERATION_MOVE, body_pair("target", "moved"));
    body = body_put("target", "", 0, 100);
    other_send(&other, OPERATION_PUT, body);
    other_send(&other, OPERATION_DELETE, body_key("target"));
    body = body_put("target", "", 0, 10);
    other_send(&other, OPERATION_PUT, body);
    continue_daemon();
    other_expect_all(&other);
    uploader_expect(&uploader, 0);
    expect("target", LARGE, 2);
    expect("copy", LARGE, 1);
    expect("moved", LARGE, 1);
    expect_counts(3, 3 * LARGE);
    uploader_close(&uploader);
    expect_clean();
}
END_TEST

START_TEST(views_of_the_old_value_stay)
{
    struct memstore *reader;
    struct memstore_view *view;

    start("--max-size", "64M");
    put("k", LARGE, 1);
    reader = harness_open_reads(raw_server, MEMSTORE_READS_DIRECT);
    view = harness_view(reader, "k");
    put("k", LARGE, 2);
    put("k", LARGE, 3);
    ck_assert(harness_view_shows(view, LARGE, 1));
    expect("k", LARGE, 3);
    memstore_view_release(view);
    memstore_close(reader);
    expect_clean();
}
END_TEST

/* ---- limits ---- */

START_TEST(quota_is_looked_at_before)
{
    struct uploader uploader;

    start("--max-size", "20M");
    put("a", 10 * MIB, 1);
    uploader = uploader_open(HUGE, 1);
    uploader_send(&uploader, "b");
    uploader_expect(&uploader, -EDQUOT);
    ck_assert_uint_lt(harness_stats(store).memory, 64 * MIB);
    uploader_close(&uploader);
    expect_counts(1, 10 * MIB);
}
END_TEST

/* Both fit when they begin. */
START_TEST(quota_is_decided_at_the_end)
{
    struct uploader longer, shorter;
    uint64_t refused;

    start("--max-size", "20M");
    longer = uploader_open(15 * MIB, 1);
    shorter = uploader_open(10 * MIB, 2);
    stop_daemon();
    uploader_send(&longer, "a");
    uploader_send(&shorter, "b");
    continue_daemon();
    uploader_expect(&shorter, 0);
    uploader_expect(&longer, -EDQUOT);
    ck_assert_msg(strstr((char *)raw_answer.body, "Max size 20971520 would be exceeded"), "%.*s",
                  (int)raw_answer.length, (char *)raw_answer.body);
    refused = harness_stats(store).refused;
    ck_assert_uint_eq(refused, 1);
    ck_assert(!exists("a"));
    expect("b", 10 * MIB, 2);
    uploader_close(&longer);
    uploader_close(&shorter);
    expect_clean();
    expect_counts(1, 10 * MIB);
}
END_TEST

/* The size of the value that is replaced is its size at the end. */
START_TEST(quota_counts_the_value_that_is_there_in_the_end)
{
    struct uploader uploader;
    struct other other = {0};

    start("--max-size", "20M");
    put("a", 12 * MIB, 1);
    uploader = uploader_open(20 * MIB, 2);
    other.fd = raw_open();
    stop_daemon();
    uploader_send(&uploader, "a");
    other_send(&other, OPERATION_DELETE, body_key("a"));
    other_send(&other, OPERATION_PUT, body_put("b", "", 0, 1));
    continue_daemon();
    other_expect_all(&other);
    uploader_expect(&uploader, -EDQUOT);
    ck_assert(!exists("a"));
    expect_counts(1, 1);
    ck_assert_int_eq(memstore_delete(store, "b", 1), 0);
    uploader_send(&uploader, "a");
    uploader_expect(&uploader, 0);
    expect("a", 20 * MIB, 2);
    uploader_close(&uploader);
    expect_clean();
}
END_TEST

START_TEST(what_memory_cannot_hold_is_refused)
{
    struct uploader uploader;

    start("--max-size", "1G", "--max-memory", "40M");
    put("a", 10 * MIB, 1);
    uploader = uploader_open(50 * MIB, 2);
    uploader_send(&uploader, "a");
    uploader_expect(&uploader, -ENOSPC);
    uploader_close(&uploader);
    expect("a", 10 * MIB, 1);
    for (int i = 0; i < 20; i++) {
        put("a", 10 * MIB, (uint64_t)i);
        put("b", 5 * MIB, (uint64_t)i);
    }
    expect("a", 10 * MIB, 19);
    expect("b", 5 * MIB, 19);
    ck_assert_uint_le(harness_stats(store).memory, 40 * MIB);
    expect_clean();
}
END_TEST

/* An empty store whose memory is in pieces is made anew where that helps; not under an upload. */
START_TEST(store_is_not_renewed_under_an_upload)
{
    struct uploader first, second;

    start("--max-size", "1G", "--max-memory", "48M");
    put("a", 10 * MIB, 1);
    ck_assert_int_eq(memstore_delete(store, "a", 1), 0);
    first = uploader_open(20 * MIB, 1);
    second = uploader_open(30 * MIB, 2);
    stop_daemon();
    uploader_send(&first, "first");
    uploader_send(&second, "second");
    continue_daemon();
    uploader_expect(&first, 0);
    uploader_expect(&second, -ENOSPC);
    expect("first", 20 * MIB, 1);
    ck_assert_int_eq(memstore_delete(store, "first", 5), 0);
    uploader_send(&second, "second");
    uploader_expect(&second, 0);
    expect("second", 30 * MIB, 2);
    uploader_close(&first);
    uploader_close(&second);
    expect_clean();
}
END_TEST

/* ---- ends before the end ---- */

/* Sends the request, and is gone when the daemon has begun with it. */
static void send_and_go(const char *key)
{
    struct uploader uploader = uploader_open(2 * LARGE, 2);

    stop_daemon();
    uploader_send(&uploader, key);
    uploader_close(&uploader);
    continue_daemon();
}

/* With and without a direct reader, for whom what is freed has to wait. */
START_TEST(client_that_goes_leaves_nothing)
{
    struct memstore_view *view = NULL;
    struct memstore *reader = NULL;
    uint64_t memory = 0;

    harness_may_ask();
    start("--max-size", "200M", "--direct", _i ? "user" : "off");
    put("k", LARGE, 1);
    for (int i = 0; i < 3; i++) /* so that there is memory, and each begins at once */
        put("other", 2 * LARGE, 1);
    ck_assert_int_eq(memstore_delete(store, "other", 5), 0);
    if (_i) {
        reader = harness_open_reads(raw_server, MEMSTORE_READS_DIRECT);
        view = harness_view(reader, "k");
        memstore_view_release(view);
        memstore_close(reader);
    }
    for (int i = 0; i < 20; i++) {
        send_and_go(i % 2 ? "k" : "other");
        expect_clean();
        expect_counts(1, LARGE);
        harness_put(store, "small", "1");
        ck_assert_int_eq(memstore_delete(store, "small", 5), 0);
        if (i == 3)
            memory = harness_stats(store).memory;
    }
    expect("k", LARGE, 1);
    ck_assert(!exists("other"));
    ck_assert_uint_le(harness_stats(store).memory, memory + 2 * LARGE + MIB);
}
END_TEST

static int put_huge(int index, void *argument)
{
    struct memstore *own = harness_open(raw_server);
    char *bytes = malloc(HUGE);
    int r;

    (void)index;
    (void)argument;
    memset(bytes, 'h', HUGE);
    r = memstore_put(own, "huge", 4, bytes, HUGE, NULL, NULL);
    free(bytes);
    memstore_close(own);
    return r < 0;
}

static bool has_taken_memory(void *argument)
{
    const uint64_t *before = argument;

    return harness_stats(store).memory > *before + 100 * MIB;
}

START_TEST(client_that_is_killed_leaves_nothing)
{
    uint64_t memory;
    pid_t pid;

    start("--max-size", "1G");
    harness_put(store, "huge", "old");
    memory = harness_stats(store).memory;
    pid = harness_fork(put_huge, 0, NULL);
    harness_await(has_taken_memory, &memory, "an upload under way");
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    expect_clean();
    harness_expect(store, "huge", "old");
    expect_counts(1, 3);
}
END_TEST

static bool has_committed(void *argument)
{
    const uint64_t *before = argument;

    return harness_stats(store).commits > *before;
}

START_TEST(daemon_that_is_killed_loses_nothing)
{
    const char *reads = _i ? "user" : "off";
    struct uploader uploader;
    uint64_t commits;

    harness_may_ask();
    /* There is memory for one such value only. */
    start("--max-size", "1G", "--max-memory", "400M", "--keep", "--direct", reads);
    put("huge", LARGE, 1);
    put("large", LARGE, 2);
    expect_clean();
    uploader = uploader_open(HUGE, 3);
    commits = harness_stats(store).commits;
    uploader_send(&uploader, "huge");
    harness_await(has_committed, &commits, "an upload that has begun");
    ck_assert_uint_eq(harness_stats(store).garbage, 0);
    ck_assert(!is_answered(&uploader));
    harness_kill(raw_server);
    uploader_close(&uploader);
    memstore_close(store);
    start("--max-size", "1G", "--max-memory", "400M", "--keep", "--direct", reads);
    expect_clean();
    expect("huge", LARGE, 1);
    expect("large", LARGE, 2);
    expect_counts(2, 2 * LARGE);
    put("huge", HUGE, 4);
    expect("huge", HUGE, 4);
}
END_TEST

START_TEST(stop_in_the_middle_loses_nothing)
{
    struct uploader uploader;

    start("--max-size", "1G", "--keep");
    put("k", LARGE, 1);
    uploader = uploader_open(HUGE, 3);
    stop_daemon();
    uploader_send(&uploader, "k");
    ck_assert_int_eq(kill(raw_server->pid, SIGTERM), 0);
    continue_daemon();
    ck_assert_int_eq(harness_stop(raw_server), 0);
    uploader_close(&uploader);
    memstore_close(store);
    start("--max-size", "1G");
    expect_clean();
    expect("k", LARGE, 1);
    expect_counts(1, LARGE);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("upload");
    TCase *tests = tcase_create("upload");

    tcase_add_checked_fixture(tests, harness_setup, teardown);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(s, tests);
    tcase_add_loop_test(tests, values_of_all_sizes_come_whole, 0,
                        (int)(sizeof(sizes) / sizeof(sizes[0])));
    tcase_add_test(tests, overwriting_uses_the_memory_again);
    tcase_add_test(tests, small_puts_go_on_beside_a_large_one);
    tcase_add_test(tests, requests_behind_an_upload_wait_for_it);
    tcase_add_test(tests, many_come_side_by_side);
    tcase_add_test(tests, of_two_to_one_key_the_last_to_end_stays);
    tcase_add_test(tests, changes_of_the_key_come_before);
    tcase_add_test(tests, views_of_the_old_value_stay);
    tcase_add_test(tests, quota_is_looked_at_before);
    tcase_add_test(tests, quota_is_decided_at_the_end);
    tcase_add_test(tests, quota_counts_the_value_that_is_there_in_the_end);
    tcase_add_test(tests, what_memory_cannot_hold_is_refused);
    tcase_add_test(tests, store_is_not_renewed_under_an_upload);
    tcase_add_loop_test(tests, client_that_goes_leaves_nothing, 0, 2);
    tcase_add_test(tests, client_that_is_killed_leaves_nothing);
    tcase_add_loop_test(tests, daemon_that_is_killed_loses_nothing, 0, 2);
    tcase_add_test(tests, stop_in_the_middle_loses_nothing);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
