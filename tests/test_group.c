/* Batches that are all or nothing, raw: frames that lie, and bytes that change under the daemon. */
#include "tests/raw.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE (20U << 20)   /* of the bulk buffer */
#define VALUES (18U << 20) /* where values stand in it */

static int fd;
static uint8_t *map;

/* The frames of a batch, which stand at the start of the buffer. */
static uint32_t count;
static uint32_t length;
static struct frame_header last; /* of the last frame added */

static void setup(void)
{
    raw_setup();
    fd = raw_open();
    map = raw_attach(fd, SIZE);
    harness_fill(map + VALUES, SIZE - VALUES, 1);
}

static void teardown(void)
{
    munmap(map, SIZE);
    raw_done(fd);
    raw_teardown();
}

/* ---- making batches ---- */

static void clear(void)
{
    count = length = 0;
}

static void add_header(struct frame_header header, const struct body *body)
{
    ck_assert_uint_le(length + sizeof(header) + body->length, VALUES);
    memcpy(map + length, &header, sizeof(header));
    memcpy(map + length + sizeof(header), body->bytes, body->length);
    last = header;
    length += (uint32_t)(sizeof(header) + body->length);
    count++;
}

static void add(uint16_t operation, struct body body)
{
    add_header(raw_header(operation, body.length), &body);
}

static void add_bulk(uint16_t operation, struct body body, uint64_t offset, uint32_t size)
{
    struct frame_header header = raw_header(operation, body.length);

    header.flags = FRAME_BULK;
    header.bulk_offset = offset;
    header.bulk_length = size;
    add_header(header, &body);
}

static void add_put(const char *key)
{
    add(OPERATION_PUT, body_put(key, "", 0, 10));
}

/* ---- asking ---- */

static struct body batch_body(uint32_t requests)
{
    struct batch_request request = {.count = requests};
    struct body body = {.length = 0};

    body_add(&body, &request, sizeof(request));
    return body;
}

/* Asks for the batch; it must fail because of that request. */
static void expect_failure(uint32_t index, int status)
{
    struct body body = batch_body(count);
    struct batch_failure failure;

    raw_call_bulk(fd, OPERATION_BATCH, &body, 0, length, status);
    ck_assert_uint_ge(raw_answer.length, sizeof(failure));
    memcpy(&failure, raw_answer.body, sizeof(failure));
    ck_assert_uint_eq(failure.index, index);
    ck_assert_uint_eq(failure.reserved, 0);
    ck_assert_uint_gt(raw_answer.length, raw_answer.header.status == -EMSGSIZE
                                             ? sizeof(failure) - 1
                                             : sizeof(failure)); /* there are words */
    ck_assert_int_eq(memstore_exists(raw_witness, "new", 3), 0);
    harness_expect(raw_witness, "small canary", "tweet");
}

/* The same for a batch that begins and ends with good requests, with the wrong one in between. */
static void expect_wrong(struct frame_header header, const struct body *body, int status)
{
    clear();
    add_put("new");
    add_header(header, body);
    add_put("new");
    expect_failure(1, status);
}

/* The same, because of that request's condition. */
static void expect_conflict(uint32_t index, int status, uint64_t version)
{
    struct body body = batch_body(count);
    struct condition_failure conflict;
    struct batch_failure failure;

    raw_call_bulk(fd, OPERATION_BATCH, &body, 0, length, status);
    ck_assert_uint_eq(raw_answer.header.flags, FRAME_ANSWER | FRAME_CONDITION);
    ck_assert_uint_gt(raw_answer.length, sizeof(conflict) + sizeof(failure));
    memcpy(&conflict, raw_answer.body, sizeof(conflict));
    memcpy(&failure, raw_answer.body + sizeof(conflict), sizeof(failure));
    ck_assert_uint_eq(conflict.version, version);
    ck_assert_uint_eq(failure.index, index);
    ck_assert_uint_eq(failure.reserved, 0);
    ck_assert_int_eq(memstore_exists(raw_witness, "new", 3), 0);
}

/* Asks for the batch, and looks through its answers: they have these statuses, and all is done. */
static void expect_done(const int *statuses)
{
    struct body body = batch_body(count);
    struct frame_header batch = raw_header(OPERATION_BATCH, body.length);
    struct frame_header request;
    uint32_t at = 0;

    batch.flags = FRAME_BULK;
    batch.bulk_length = length;
    ck_assert(raw_send_frame(fd, &batch, &body));
    for (uint32_t i = 0; i < count; i++) {
        memcpy(&request, map + at, sizeof(request));
        /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): as many as there are requests */
        raw_expect_answer(fd, &request, statuses ? statuses[i] : 0);
        at += request.length;
    }
    raw_expect_answer(fd, &batch, 0);
    ck_assert_uint_eq(raw_answer.length, 0);
}

/* ---- good ones ---- */

START_TEST(each_has_its_answer_and_then_the_batch)
{
    static const int statuses[] = {0, 0, 0, -ENOENT, -ENOENT, 0, 0, 0};
    struct memstore_view *view;

    add_put("a");
    add_bulk(OPERATION_PUT, body_put("b", "", 0, 0), VALUES, 100000);
    add(OPERATION_EXISTS, body_key("b"));
    add(OPERATION_EXISTS, body_key("none"));
    add(OPERATION_GET, body_get("none", 0, UINT64_MAX));
    add_bulk(OPERATION_GET, body_get("b", 0, UINT64_MAX), VALUES + 200000, 100000);
    add(OPERATION_GET, body_get("b", 5, 10));
    add(OPERATION_DELETE, body_key("a"));
    expect_done(statuses);
    ck_assert(harness_is_filled(map + VALUES + 200000, 100000, 1));
    ck_assert_int_eq(memstore_exists(raw_witness, "a", 1), 0);
    view = harness_view(raw_witness, "b");
    ck_assert(harness_view_shows(view, 100000, 1));
    memstore_view_release(view);
}
END_TEST

START_TEST(batches_keep_their_place_among_requests)
{
    struct body key = body_key("a");
    struct body batch;
    struct frame_header headers[3] = {raw_header(OPERATION_EXISTS, key.length),
                                      raw_header(OPERATION_BATCH, sizeof(struct batch_request)),
                                      raw_header(OPERATION_DELETE, key.length)};

    add_put("a");
    batch = batch_body(count);
    headers[1].flags = FRAME_BULK;
    headers[1].bulk_length = length;
    ck_assert(raw_send_frame(fd, &headers[0], &key));
    ck_assert(raw_send_frame(fd, &headers[1], &batch));
    ck_assert(raw_send_frame(fd, &headers[2], &key));
    raw_expect_answer(fd, &headers[0], -ENOENT);
    raw_expect_answer(fd, &last, 0);
    raw_expect_answer(fd, &headers[1], 0);
    raw_expect_answer(fd, &headers[2], 0);
}
END_TEST

/* The daemon takes the frames through a window, whose end may fall anywhere in a frame. */
START_TEST(frames_may_be_of_any_length)
{
    for (size_t size = 0; size < 300; size++)
        add(OPERATION_PUT, body_put("a", "", 0, 7 * size * size % 60000));
    expect_done(NULL);
    clear();
    for (size_t size = 0; size < 64; size++)
        add(OPERATION_PUT, body_put("a", "", 0, BODY_MAX - sizeof(struct put_request) - 1 - size));
    expect_done(NULL);
}
END_TEST

START_TEST(answers_may_be_taken_late)
{
    struct body body;
    struct frame_header batch;

    for (int i = 0; i < 3; i++)
        add(OPERATION_PUT, body_put("a", "", 0, 60000));
    for (int i = 0; i < 60; i++)
        add(OPERATION_GET, body_get("a", 0, UINT64_MAX));
    body = batch_body(count);
    batch = raw_header(OPERATION_BATCH, body.length);
    batch.flags = FRAME_BULK;
    batch.bulk_length = length;
    ck_assert(raw_send_frame(fd, &batch, &body));
    raw_expect_witness(); /* others are served meanwhile */
    raw_expect_memory_bounded();
    for (uint32_t i = 0; i < count; i++)
        ck_assert(raw_receive(fd));
    raw_expect_answer(fd, &batch, 0);
}
END_TEST

START_TEST(whoever_leaves_gets_no_answer)
{
    struct body body;
    struct frame_header batch;

    for (int i = 0; i < 1000; i++)
        add_put("a");
    body = batch_body(count);
    batch = raw_header(OPERATION_BATCH, body.length);
    batch.flags = FRAME_BULK;
    batch.bulk_length = length;
    for (int i = 0; i < 50; i++) {
        ck_assert(raw_send_frame(fd, &batch, &body));
        close(fd);
        munmap(map, SIZE);
        raw_expect_witness();
        fd = raw_open();
        map = raw_attach(fd, SIZE);
        clear();
        for (int j = 0; j < 1000; j++)
            add_put("a");
    }
}
END_TEST

/* ---- bad ones ---- */

static void expect_refused(const struct body *body, uint64_t offset, uint32_t size, int status)
{
    raw_call_bulk(fd, OPERATION_BATCH, body, offset, size, status);
    ck_assert_int_eq(memstore_exists(raw_witness, "new", 3), 0);
}

START_TEST(the_request_must_be_right)
{
    struct body body;
    uint8_t reserved = 1;

    add_put("new");
    body = batch_body(0);
    expect_refused(&body, 0, length, -EPROTO);
    body = batch_body(BATCH_COUNT_MAX + 1);
    expect_refused(&body, 0, length, -E2BIG);
    body = batch_body(UINT32_MAX);
    expect_refused(&body, 0, length, -E2BIG);
    body = batch_body(1);
    body.length--;
    expect_refused(&body, 0, length, -EPROTO);
    body.length += 2;
    expect_refused(&body, 0, length, -EPROTO);
    body.length = 0;
    expect_refused(&body, 0, length, -EPROTO);
    body = batch_body(1);
    raw_call(fd, OPERATION_BATCH, &body, -EPROTO); /* without a part of the buffer */
    memcpy(body.bytes + 4, &reserved, 1);
    expect_refused(&body, 0, length, -EPROTO);
    body = batch_body(1);
    expect_refused(&body, 0, BATCH_BYTES_MAX + 1, -E2BIG);
    expect_refused(&body, 0, UINT32_MAX, -E2BIG);
}
END_TEST

START_TEST(the_frames_must_be_in_the_buffer)
{
    struct body body;
    int other = raw_open();

    add_put("new");
    body = batch_body(count);
    expect_refused(&body, SIZE - length + 1, length, -EINVAL);
    expect_refused(&body, SIZE, length, -EINVAL);
    expect_refused(&body, UINT64_MAX - length + 1, length, -EINVAL);
    expect_refused(&body, UINT64_MAX, length, -EINVAL);
    raw_call_bulk(other, OPERATION_BATCH, &body, 0, length, -EINVAL); /* it has no buffer */
    raw_done(other);
}
END_TEST

START_TEST(count_and_lengths_must_agree)
{
    uint32_t whole, first;

    add_put("new");
    first = length;
    add_put("new");
    whole = length;
    count = 3;
    expect_failure(2, -EPROTO);
    count = 1;
    expect_failure(1, -EPROTO);
    count = 2;
    for (length = 0; length < whole; length += length == 0 ? 1 : length < whole - 2 ? 17 : 1)
        expect_failure(length < first ? 0 : 1, -EPROTO);
    length = whole + 1;
    expect_failure(2, -EPROTO);
    length = whole + 32;
    expect_failure(2, -EPROTO);
}
END_TEST

START_TEST(frames_must_have_possible_lengths)
{
    static const uint32_t lengths[] = {0, 1, 31, FRAME_MAX + 1, 0x80000000, UINT32_MAX};
    struct body body = body_put("new", "", 0, 10);
    struct frame_header header = raw_header(OPERATION_PUT, body.length);

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        header.length = lengths[i];
        expect_wrong(header, &body, -EPROTO);
    }
}
END_TEST

START_TEST(most_operations_cannot_be_in_a_batch)
{
    static const uint16_t good[] = {OPERATION_PUT, OPERATION_GET, OPERATION_EXISTS,
                                    OPERATION_DELETE};
    struct body body = body_key("small canary");

    for (uint16_t operation = 0; operation < 40; operation++) {
        if (memchr(good, operation, 0) || operation == good[0] || operation == good[1] ||
            operation == good[2] || operation == good[3])
            continue;
        expect_wrong(raw_header(operation, body.length), &body, -EPROTO);
    }
    expect_wrong(raw_header(0xffff, body.length), &body, -EPROTO);
    body = batch_body(1);
    expect_wrong(raw_header(OPERATION_BATCH, body.length), &body, -EPROTO);
}
END_TEST

START_TEST(headers_must_be_right)
{
    struct body body = body_key("small canary");
    const struct frame_header header = raw_header(OPERATION_DELETE, body.length);
    struct frame_header wrong;

    for (int bit = 0; bit < 16; bit++) {
        wrong = header;
        wrong.flags = (uint16_t)(1 << bit);
        expect_wrong(wrong, &body, -EPROTO);
    }
    wrong = header;
    wrong.status = -1;
    expect_wrong(wrong, &body, -EPROTO);
    wrong = header;
    wrong.bulk_length = 1;
    expect_wrong(wrong, &body, -EPROTO);
    wrong = header;
    wrong.bulk_offset = 1;
    expect_wrong(wrong, &body, -EPROTO);
}
END_TEST

START_TEST(bodies_must_be_right)
{
    char key[KEY_MAX + 2] = {0};
    struct frame_header header;
    struct put_request put;
    struct body body;

    body = body_key("small canary");
    body.length--;
    expect_wrong(raw_header(OPERATION_DELETE, body.length), &body, -EPROTO);
    body = body_key("small canary");
    body.bytes[body.length++] = 0;
    expect_wrong(raw_header(OPERATION_EXISTS, body.length), &body, -EPROTO);
    memset(key, 'k', KEY_MAX + 1);
    body = body_key(key);
    expect_wrong(raw_header(OPERATION_DELETE, body.length), &body, -ENAMETOOLONG);
    body = body_get("small canary", 6, 1);
    expect_wrong(raw_header(OPERATION_GET, body.length), &body, -ERANGE);
    body = body_key("none");
    expect_wrong(raw_header(OPERATION_DELETE, body.length), &body, -ENOENT);
    body = body_put("new", "garbage", 7, 10);
    expect_wrong(raw_header(OPERATION_PUT, body.length), &body, -EINVAL);
    body = body_put("new", "", 0, 10);
    memcpy(&put, body.bytes, sizeof(put));
    put.metadata_length = UINT32_MAX;
    memcpy(body.bytes, &put, sizeof(put));
    expect_wrong(raw_header(OPERATION_PUT, body.length), &body, -EPROTO);
    body = body_put("new", "", 0, 10);
    memcpy(&put, body.bytes, sizeof(put));
    put.flags = PUT_EPHEMERAL;
    memcpy(body.bytes, &put, sizeof(put));
    expect_wrong(raw_header(OPERATION_PUT, body.length), &body, -EINVAL);
    body = body_put("new", "", 0, 0);
    memcpy(&put, body.bytes, sizeof(put));
    put.window = 4096; /* which goes by itself only */
    memcpy(body.bytes, &put, sizeof(put));
    header = raw_header(OPERATION_PUT, body.length);
    header.flags = FRAME_BULK;
    header.bulk_offset = VALUES;
    header.bulk_length = 100000;
    expect_wrong(header, &body, -EPROTO);
}
END_TEST

static void expect_wrong_part(uint16_t operation, struct body body, uint64_t offset, uint32_t size,
                              int status)
{
    clear();
    add_put("new");
    add_bulk(operation, body, offset, size);
    expect_failure(1, status);
}

START_TEST(parts_must_be_in_the_buffer)
{
    struct body put = body_put("new", "", 0, 0);
    struct body get = body_get("canary", 0, UINT64_MAX);

    expect_wrong_part(OPERATION_PUT, put, SIZE - 9, 10, -EINVAL);
    expect_wrong_part(OPERATION_PUT, put, SIZE + 1, 0, -EINVAL);
    expect_wrong_part(OPERATION_PUT, put, UINT64_MAX, 10, -EINVAL);
    expect_wrong_part(OPERATION_PUT, put, 0, BATCH_BYTES_MAX, -E2BIG);
    expect_wrong_part(OPERATION_PUT, put, 0, UINT32_MAX, -E2BIG);
    expect_wrong_part(OPERATION_GET, get, SIZE - 9, 10, -EINVAL);
    expect_wrong_part(OPERATION_GET, get, UINT64_MAX, UINT32_MAX, -EINVAL);
    expect_wrong_part(OPERATION_PUT, body_put("new", "", 0, 10), VALUES, 10, -EPROTO);
    clear();
    add_put("new");
    for (int i = 0; i < 2; i++)
        add_bulk(OPERATION_PUT, put, 0, BATCH_BYTES_MAX / 2);
    expect_failure(2, -E2BIG);
}
END_TEST

START_TEST(parts_may_overlap)
{
    add_bulk(OPERATION_PUT, body_put("a", "", 0, 0), 0, 300000); /* the frames themselves */
    add_bulk(OPERATION_PUT, body_put("b", "", 0, 0), VALUES, 300000);
    add_bulk(OPERATION_GET, body_get("b", 0, UINT64_MAX), VALUES + 1, 300000); /* over its source */
    add_bulk(OPERATION_PUT, body_put("c", "", 0, 0), VALUES + 1, 300000);
    expect_done(NULL);
    ck_assert_int_eq(memstore_exists(raw_witness, "c", 1), 1);
}
END_TEST

START_TEST(answers_that_do_not_fit_are_told)
{
    clear();
    add_put("new");
    add(OPERATION_GET, body_get("canary", 0, UINT64_MAX));
    expect_failure(1, -EMSGSIZE);
    ck_assert_uint_eq(raw_answer.header.bulk_length, CANARY_SIZE);
    clear();
    add_put("new");
    for (int i = 0; i < 5; i++)
        add_bulk(OPERATION_GET, body_get("canary", 0, UINT64_MAX), VALUES, CANARY_SIZE);
    expect_failure(5, -E2BIG);
}
END_TEST

START_TEST(the_quota_is_of_the_whole)
{
    clear();
    for (int i = 0; i < 5; i++) {
        char key[16];

        snprintf(key, sizeof(key), "k%d", i);
        add_bulk(OPERATION_PUT, body_put(key, "", 0, 0), 0, 3U << 20);
    }
    expect_done(NULL);
    for (int round = 0; round < 3; round++) {
        clear();
        for (int i = 0; i < 5; i++) {
            char key[16];

            snprintf(key, sizeof(key), "%d k%d", round, i);
            add_bulk(OPERATION_PUT, body_put(key, "", 0, 0), 0, 3U << 20);
        }
        expect_done(NULL);
    }
    clear();
    add_put("new");
    for (int i = 0; i < 5; i++) {
        char key[16];

        snprintf(key, sizeof(key), "more %d", i);
        add_bulk(OPERATION_PUT, body_put(key, "", 0, 0), 0, 3U << 20);
    }
    expect_failure(count, -EDQUOT);
}
END_TEST

/* ---- bytes that change ---- */

static _Atomic bool scribbles;

/* Writes over the frames while the daemon reads them: whole words, and good ones for a while. */
static void *scribble(void *argument)
{
    uint32_t good = *(uint32_t *)argument;
    uint8_t *copy = malloc(good);
    uint32_t seed = 1;

    memcpy(copy, map, good);
    while (atomic_load(&scribbles)) {
        seed = seed * 1664525 + 1013904223;
        if (seed % 4 == 0)
            memcpy(map, copy, good);
        else
            memcpy(map + (seed >> 8) % (good - 8) / 4 * 4, &seed, 1 + seed % 4);
    }
    free(copy);
    return NULL;
}

/* Reads all answers of a batch, whichever they are, up to its own. */
static void receive_any(uint64_t id)
{
    do
        ck_assert(raw_receive(fd));
    while (raw_answer.header.id != id || raw_answer.header.operation != OPERATION_BATCH);
}

START_TEST(frames_may_change_while_they_are_read)
{
    pthread_t thread;
    struct body body;

    /* More than a window, so that they are read twice. */
    for (int i = 0; i < 500; i++)
        add(OPERATION_PUT, body_put("a", "", 0, 300));
    body = batch_body(count);
    atomic_store(&scribbles, true);
    ck_assert_int_eq(pthread_create(&thread, NULL, scribble, &length), 0);
    for (int i = 0; i < 2000; i++) {
        struct frame_header batch = raw_header(OPERATION_BATCH, body.length);

        batch.flags = FRAME_BULK;
        batch.bulk_length = length;
        batch.id = UINT64_MAX - (uint64_t)i;
        ck_assert(raw_send_frame(fd, &batch, &body));
        receive_any(batch.id);
    }
    atomic_store(&scribbles, false);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

/* ---- conditions ---- */

static void add_condition(uint16_t operation, struct condition condition, struct body plain)
{
    struct body body = {.length = 0};
    struct frame_header header;

    body_add(&body, &condition, sizeof(condition));
    body_add(&body, plain.bytes, plain.length);
    header = raw_header(operation, body.length);
    header.flags = FRAME_CONDITION;
    add_header(header, &body);
}

static uint64_t canary_version(void)
{
    struct memstore_object *object = NULL;
    uint64_t version;

    ck_assert_int_eq(memstore_info(raw_witness, "small canary", 12, &object), 0);
    version = memstore_object_version(object);
    memstore_object_free(object);
    return version;
}

START_TEST(condition_that_fails_undoes_all)
{
    const struct condition absent = {.kinds = CONDITION_ABSENT};
    const struct condition present = {.kinds = CONDITION_PRESENT};
    const struct condition other = {.kinds = CONDITION_VERSION, .version = 1ULL << 60};
    uint64_t version = canary_version();

    clear();
    add_put("new");
    add_condition(OPERATION_PUT, absent, body_put("small canary", "", 0, 10));
    expect_conflict(1, -EEXIST, version);
    clear();
    add_put("new");
    add_put("new");
    add_condition(OPERATION_DELETE, other, body_key("small canary"));
    expect_conflict(2, -ESTALE, version);
    clear();
    add_condition(OPERATION_PUT, present, body_put("none", "", 0, 10));
    expect_conflict(0, -ENOENT, 0);
    harness_expect(raw_witness, "small canary", "tweet");
}
END_TEST

/* It is no failure, like a GET that finds nothing. */
START_TEST(get_of_what_is_known_fails_no_batch)
{
    static const int statuses[] = {0, -EALREADY, 0};
    const struct condition newer = {.kinds = CONDITION_NOT_VERSION, .version = canary_version()};

    clear();
    add_put("new");
    add_condition(OPERATION_GET, newer, body_get("small canary", 0, UINT64_MAX));
    add(OPERATION_GET, body_get("small canary", 0, UINT64_MAX));
    expect_done(statuses);
    ck_assert_int_eq(memstore_delete(raw_witness, "new", 3), 0);
}
END_TEST

START_TEST(wrong_conditions_fail_the_batch)
{
    const struct condition wrong[] = {
        {.kinds = 0},
        {.kinds = 32},
        {.kinds = CONDITION_ABSENT | CONDITION_PRESENT},
        {.kinds = CONDITION_NOT_VERSION, .version = 1},
        {.kinds = CONDITION_VERSION},
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        clear();
        add_put("new");
        add_condition(OPERATION_PUT, wrong[i], body_put("small canary", "", 0, 10));
        expect_failure(1, -EINVAL);
    }
    clear();
    add_condition(OPERATION_EXISTS, (struct condition){.kinds = CONDITION_PRESENT},
                  body_key("small canary"));
    expect_failure(0, -EPROTO);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("group");
    TCase *good = tcase_create("good");
    TCase *bad = tcase_create("bad");

    tcase_add_checked_fixture(good, setup, teardown);
    tcase_add_test(good, each_has_its_answer_and_then_the_batch);
    tcase_add_test(good, batches_keep_their_place_among_requests);
    tcase_add_test(good, frames_may_be_of_any_length);
    tcase_add_test(good, answers_may_be_taken_late);
    tcase_add_test(good, whoever_leaves_gets_no_answer);
    tcase_set_timeout(good, 60);
    suite_add_tcase(suite, good);
    tcase_add_checked_fixture(bad, setup, teardown);
    tcase_add_test(bad, the_request_must_be_right);
    tcase_add_test(bad, the_frames_must_be_in_the_buffer);
    tcase_add_test(bad, count_and_lengths_must_agree);
    tcase_add_test(bad, frames_must_have_possible_lengths);
    tcase_add_test(bad, most_operations_cannot_be_in_a_batch);
    tcase_add_test(bad, headers_must_be_right);
    tcase_add_test(bad, bodies_must_be_right);
    tcase_add_test(bad, parts_must_be_in_the_buffer);
    tcase_add_test(bad, parts_may_overlap);
    tcase_add_test(bad, answers_that_do_not_fit_are_told);
    tcase_add_test(bad, the_quota_is_of_the_whole);
    tcase_add_test(bad, condition_that_fails_undoes_all);
    tcase_add_test(bad, get_of_what_is_known_fails_no_batch);
    tcase_add_test(bad, wrong_conditions_fail_the_batch);
    tcase_add_test(bad, frames_may_change_while_they_are_read);
    tcase_set_timeout(bad, 60);
    suite_add_tcase(suite, bad);
    return harness_main(suite);
}
