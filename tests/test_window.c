/*
 * Values that come through a window of the bulk buffer while the daemon takes them out: every way
 * to fill it, and every way not to.
 */
#include "tests/raw_ring.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BUFFER (1 << 20)
#define OFFSET 4096 /* of the window in the buffer */
#define WINDOW 5000 /* wraps around in the middle of anything */
#define SIZE 100000 /* of a value */
#define SEED 11

/* A PUT on its way. */
struct filler {
    struct ring_page *page;
    uint8_t *buffer;
    uint8_t *window;
    uint8_t *value;
    struct frame_header header;
    int fd;
    uint32_t size;
    uint32_t window_size;
    uint32_t filled;
};

static struct filler filler_open(uint32_t size, uint32_t window_size)
{
    struct filler filler = {.fd = raw_open_ring(), .size = size, .window_size = window_size};

    filler.page = raw_ring_of(filler.fd)->page;
    filler.buffer = raw_attach(filler.fd, BUFFER);
    filler.window = filler.buffer + OFFSET;
    filler.value = malloc(size + 8);
    harness_fill(filler.value, size, SEED);
    return filler;
}

static void filler_free(struct filler *filler)
{
    munmap(filler->buffer, BUFFER);
    free(filler->value);
}

/* Ends it, with a connection that is as good as before. */
static void filler_done(struct filler *filler)
{
    raw_done(filler->fd);
    filler_free(filler);
}

static struct body window_body(const char *key, uint32_t window)
{
    struct body body = body_put(key, "", 0, 0);

    memcpy(body.bytes + offsetof(struct put_request, window), &window, sizeof(window));
    return body;
}

static void filler_ask_as(struct filler *filler, const char *key, uint64_t id)
{
    struct body body = window_body(key, filler->window_size);

    filler->header = raw_header(OPERATION_PUT, body.length);
    filler->header.flags = FRAME_BULK;
    filler->header.bulk_offset = OFFSET;
    filler->header.bulk_length = filler->size;
    filler->header.id = id;
    filler->filled = 0;
    ck_assert(raw_send_frame(filler->fd, &filler->header, &body));
}

static void filler_ask(struct filler *filler, const char *key)
{
    filler_ask_as(filler, key, raw_header(OPERATION_PUT, 0).id);
}

static void tell(struct filler *filler, uint64_t id, uint32_t filled)
{
    atomic_store(&filler->page->filled, RING_PROGRESS(id, filled));
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load(&filler->page->daemon_awaits) & RING_AWAITS_FILLED)
        raw_ring_bell(filler->fd);
}

static uint32_t drained(const struct filler *filler)
{
    uint64_t word = atomic_load(&filler->page->drained);

    return word >> 32 == (uint32_t)filler->header.id ? (uint32_t)word : 0;
}

/* Fills up to so many more bytes, as far as the window has room. */
static void filler_fill(struct filler *filler, uint32_t more)
{
    uint32_t room = filler->window_size - (filler->filled - drained(filler));

    if (more > room)
        more = room;
    if (more > filler->size - filler->filled)
        more = filler->size - filler->filled;
    for (; more > 0; more--, filler->filled++)
        filler->window[filler->filled % filler->window_size] = filler->value[filler->filled];
    tell(filler, filler->header.id, filler->filled);
}

static void filler_fill_all(struct filler *filler, uint32_t step)
{
    while (filler->filled < filler->size) {
        uint32_t changes = atomic_load(&filler->page->changes);

        filler_fill(filler, step);
        if (filler->filled < filler->size &&
            filler->filled - drained(filler) == filler->window_size)
            raw_ring_sleep(filler->fd, changes);
    }
}

static void expect_value(const char *key, size_t size)
{
    struct memstore_object *object = NULL;

    ck_assert_int_eq(memstore_get(raw_witness, key, strlen(key), 0, MEMSTORE_TO_END, &object), 0);
    ck_assert_uint_eq(memstore_object_size(object), size);
    ck_assert(harness_is_filled(memstore_object_value(object, NULL), size, SEED));
    memstore_object_free(object);
}

/* Fills the store with what ends at that time. */
static void fill_until(int64_t until)
{
    struct memstore_put_options options = {.size = sizeof(options)};
    static char bytes[16384];
    int r = 0;

    for (int i = 0; r == 0; i++) {
        options.ttl_ms = until - harness_now();
        r = memstore_put(raw_witness, &i, sizeof(i), bytes, sizeof(bytes), &options, NULL);
    }
    ck_assert_msg(r == -EDQUOT, "%s", memstore_message());
}

/* The room that there was when it began is taken meanwhile, and what took it is over at the end. */
START_TEST(what_is_over_makes_room_at_the_end)
{
    struct filler filler = filler_open(SIZE, WINDOW);
    int64_t until;

    filler_ask(&filler, "k");
    while (filler.filled + WINDOW < filler.size)
        filler_fill(&filler, WINDOW);
    until = harness_now() + (int64_t)(harness_seconds(1) * 1000);
    fill_until(until);
    ck_assert_int_eq(kill(raw_server->pid, SIGSTOP), 0);
    while (harness_now() < until + 1)
        poll(NULL, 0, 10);
    filler_fill(&filler, WINDOW);
    filler_fill(&filler, WINDOW);
    ck_assert_int_eq(kill(raw_server->pid, SIGCONT), 0);
    filler_fill_all(&filler, WINDOW);
    raw_expect_answer(filler.fd, &filler.header, 0);
    expect_value("k", SIZE);
    filler_done(&filler);
}
END_TEST

static bool is_asleep(void *argument)
{
    uint64_t before = harness_cpu(raw_server->pid);

    (void)argument;
    poll(NULL, 0, 50);
    return harness_cpu(raw_server->pid) == before;
}

/* ---- filling ---- */

static const struct {
    uint32_t size, window, step;
} fillings[] = {{0, WINDOW, 1},
                {1, WINDOW, 1},
                {1, 1, 1},
                {300, 1, 1},
                {WINDOW - 1, WINDOW, 100},
                {WINDOW, WINDOW, WINDOW},
                {WINDOW + 1, WINDOW, WINDOW},
                {SIZE, WINDOW, 1},
                {SIZE, WINDOW, 77},
                {SIZE, WINDOW, 4999},
                {SIZE, WINDOW, WINDOW},
                {SIZE, BUFFER - OFFSET, SIZE},
                {3000000, 65536, 10000},
                {3000000, BUFFER - OFFSET, 300000}};

START_TEST(values_of_all_sizes_come_through)
{
    struct filler filler = filler_open(fillings[_i].size, fillings[_i].window);

    for (int i = 0; i < 3; i++) {
        filler_ask(&filler, "through");
        filler_fill_all(&filler, fillings[_i].step);
        raw_expect_answer(filler.fd, &filler.header, 0);
        expect_value("through", filler.size);
        /* There is nothing to tell of a value that is empty. */
        ck_assert(filler.size == 0 || drained(&filler) == filler.size);
    }
    filler_done(&filler);
}
END_TEST

/* Also before the daemon has seen the request. */
START_TEST(window_may_be_full_before_it_is_asked_for)
{
    struct filler filler = filler_open(WINDOW, WINDOW);
    uint64_t id = raw_header(OPERATION_PUT, 0).id;

    memcpy(filler.window, filler.value, WINDOW);
    tell(&filler, id, WINDOW);
    filler_ask_as(&filler, "before", id);
    raw_expect_answer(filler.fd, &filler.header, 0);
    expect_value("before", WINDOW);
    filler_done(&filler);
}
END_TEST

START_TEST(words_are_of_their_request_alone)
{
    const uint64_t ids[] = {0, 1, 0x100000005, UINT64_MAX, UINT64_MAX - 1};
    struct filler filler = filler_open(SIZE, WINDOW);

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        tell(&filler, ids[i] + 1, 100); /* of some other one */
        filler_ask_as(&filler, "mine", ids[i]);
        filler_fill_all(&filler, 1000);
        raw_expect_answer(filler.fd, &filler.header, 0);
        expect_value("mine", SIZE);
    }
    filler_done(&filler);
}
END_TEST

/* The daemon sleeps while nothing is filled, and asks to be woken. */
START_TEST(daemon_sleeps_until_there_is_more)
{
    struct filler filler = filler_open(3 * WINDOW, WINDOW);

    filler_ask(&filler, "sleeps");
    while (filler.filled < filler.size) {
        harness_await(is_asleep, NULL, "a daemon that waits for the window");
        ck_assert_uint_eq(atomic_load(&filler.page->daemon_awaits),
                          RING_AWAITS_REQUESTS | RING_AWAITS_FILLED);
        filler_fill(&filler, WINDOW);
    }
    raw_expect_answer(filler.fd, &filler.header, 0);
    expect_value("sleeps", filler.size);
    filler_done(&filler);
}
END_TEST

START_TEST(requests_behind_it_wait)
{
    struct filler filler = filler_open(SIZE, WINDOW);
    struct body body = body_key("behind");
    struct frame_header exists = raw_header(OPERATION_EXISTS, body.length);

    filler_ask(&filler, "behind");
    ck_assert(raw_send_frame(filler.fd, &exists, &body));
    filler_fill(&filler, 100);
    raw_expect_witness();
    ck_assert(!raw_has_answer(filler.fd));
    filler_fill_all(&filler, WINDOW);
    raw_expect_answer(filler.fd, &filler.header, 0);
    raw_expect_answer(filler.fd, &exists, 0);
    filler_done(&filler);
}
END_TEST

START_TEST(many_windows_are_filled_side_by_side)
{
    struct filler fillers[8];
    char key[8] = "side 0";
    int left = 8;

    for (int i = 0; i < 8; i++) {
        fillers[i] = filler_open(SIZE + (uint32_t)i, WINDOW);
        key[5] = (char)('0' + i);
        filler_ask(&fillers[i], key);
    }
    while (left > 0) {
        left = 0;
        for (int i = 0; i < 8; i++) {
            filler_fill(&fillers[i], 333);
            left += fillers[i].filled < fillers[i].size;
        }
    }
    for (int i = 0; i < 8; i++) {
        raw_expect_answer(fillers[i].fd, &fillers[i].header, 0);
        key[5] = (char)('0' + i);
        expect_value(key, fillers[i].size);
        filler_done(&fillers[i]);
    }
}
END_TEST

/* ---- not wanted ---- */

static void expect_refused(int fd, uint32_t window, uint64_t offset, uint32_t length, int status)
{
    struct body body = window_body("refused", window);

    raw_call_bulk(fd, OPERATION_PUT, &body, offset, length, status);
}

START_TEST(windows_that_cannot_be_are_refused)
{
    struct filler filler = filler_open(1, 1);
    struct body body = window_body("refused", 100);
    struct frame_header header = raw_header(OPERATION_PUT, body.length);
    int fd = filler.fd;

    expect_refused(fd, BUFFER + 1, 0, SIZE, -EINVAL);
    expect_refused(fd, 1, BUFFER, SIZE, -EINVAL);
    expect_refused(fd, 100, BUFFER - 99, SIZE, -EINVAL);
    expect_refused(fd, UINT32_MAX, UINT64_MAX, SIZE, -EINVAL);
    expect_refused(fd, 100, 0, UINT32_MAX, -EFBIG);
    expect_refused(fd, 100, 0, 128 << 20, -EDQUOT); /* before any of it has come */
    ck_assert(raw_send_frame(fd, &header, &body));  /* not in the buffer */
    raw_expect_answer(fd, &header, -EPROTO);
    body_add(&body, "x", 1);
    raw_call_bulk(fd, OPERATION_PUT, &body, 0, SIZE, -EPROTO);
    ck_assert_int_eq(memstore_exists(raw_witness, "refused", 7), 0);
    filler_done(&filler);
}
END_TEST

START_TEST(window_needs_a_ring)
{
    struct body body = window_body("refused", 100);
    int fd = raw_open();

    munmap(raw_attach(fd, BUFFER), BUFFER);
    raw_call_bulk(fd, OPERATION_PUT, &body, 0, SIZE, -EPROTO);
    raw_done(fd);
}
END_TEST

START_TEST(window_needs_a_buffer)
{
    int fd = raw_open_ring();

    expect_refused(fd, 100, 0, SIZE, -EINVAL);
    raw_done(fd);
}
END_TEST

/* ---- not kept to ---- */

static void expect_lie_answered(uint32_t before, uint32_t told)
{
    struct filler filler = filler_open(SIZE, WINDOW);
    uint64_t used = harness_stats(raw_witness).used;

    filler_ask(&filler, "canary");
    while (drained(&filler) < before) {
        uint32_t changes = atomic_load(&filler.page->changes);

        if (filler.filled < before)
            filler_fill(&filler, before - filler.filled);
        else
            raw_ring_sleep(filler.fd, changes);
    }
    tell(&filler, filler.header.id, told);
    raw_expect_answer(filler.fd, &filler.header, -EPROTO);
    ck_assert_uint_eq(harness_stats(raw_witness).used, used);
    filler_done(&filler);
}

START_TEST(what_cannot_have_been_filled_is_an_error)
{
    expect_lie_answered(0, WINDOW + 1);
    expect_lie_answered(0, UINT32_MAX);
    expect_lie_answered(3000, 2999);
    expect_lie_answered(3000, 3000 + WINDOW + 1);
    expect_lie_answered(SIZE - 1000, SIZE + 1);
}
END_TEST

/* Nothing of it is left, and what was there stays. */
/* ---- conditions ---- */

/* As filler_ask, only if there is no such object. */
static void filler_ask_absent(struct filler *filler, const char *key)
{
    const struct condition absent = {.kinds = CONDITION_ABSENT};
    const struct body plain = window_body(key, filler->window_size);
    struct body body = {.length = 0};

    body_add(&body, &absent, sizeof(absent));
    body_add(&body, plain.bytes, plain.length);
    filler->header = raw_header(OPERATION_PUT, body.length);
    filler->header.flags = FRAME_BULK | FRAME_CONDITION;
    filler->header.bulk_offset = OFFSET;
    filler->header.bulk_length = filler->size;
    filler->filled = 0;
    ck_assert(raw_send_frame(filler->fd, &filler->header, &body));
}

static void expect_conflict(struct filler *filler, const char *key)
{
    struct memstore_object *object = NULL;
    struct condition_failure failure;

    ck_assert(raw_receive(filler->fd));
    ck_assert_int_eq(raw_answer.header.status, -EEXIST);
    ck_assert_uint_eq(raw_answer.header.flags, FRAME_ANSWER | FRAME_CONDITION);
    ck_assert_uint_eq(raw_answer.header.id, filler->header.id);
    ck_assert_uint_gt(raw_answer.length, sizeof(failure));
    memcpy(&failure, raw_answer.body, sizeof(failure));
    ck_assert_int_eq(memstore_info(raw_witness, key, strlen(key), &object), 0);
    ck_assert_uint_eq(failure.version, memstore_object_version(object));
    memstore_object_free(object);
}

START_TEST(condition_is_looked_at_before_the_value)
{
    struct filler filler = filler_open(SIZE, WINDOW);

    filler_ask_absent(&filler, "canary");
    expect_conflict(&filler, "canary");
    filler_ask_absent(&filler, "new");
    filler_fill_all(&filler, WINDOW);
    raw_expect_answer(filler.fd, &filler.header, 0);
    expect_value("new", SIZE);
    filler_done(&filler);
}
END_TEST

START_TEST(condition_is_decided_behind_the_value)
{
    struct filler filler = filler_open(SIZE, WINDOW);

    for (int i = 0; i < 20; i++) {
        memstore_delete(raw_witness, "late", 4);
        filler_ask_absent(&filler, "late");
        filler_fill(&filler, WINDOW);
        while (drained(&filler) == 0)
            raw_ring_sleep(filler.fd, atomic_load(&filler.page->changes));
        harness_put(raw_witness, "late", "faster");
        filler_fill_all(&filler, WINDOW);
        expect_conflict(&filler, "late");
        harness_expect(raw_witness, "late", "faster");
    }
    filler_done(&filler);
}
END_TEST

START_TEST(client_that_goes_in_the_middle_leaves_nothing)
{
    struct filler filler = filler_open(30 << 20, BUFFER - OFFSET);
    uint64_t used = harness_stats(raw_witness).used;

    filler_ask(&filler, "canary");
    filler_fill(&filler, 500000);
    if (_i == 1)
        while (drained(&filler) == 0)
            ;
    close(filler.fd);
    filler_free(&filler);
    raw_expect_witness();
    ck_assert_uint_eq(harness_stats(raw_witness).used, used);
}
END_TEST

/* Who fills something now and then is not closed for that it is slow. */
START_TEST(window_is_not_waited_for_for_ever)
{
    struct filler never = filler_open(SIZE, WINDOW);
    struct filler half = filler_open(SIZE, WINDOW);
    struct filler slow = filler_open(8 * WINDOW, WINDOW);

    filler_ask(&never, "canary");
    filler_ask(&half, "canary");
    filler_ask(&slow, "slow");
    filler_fill(&half, WINDOW);
    while (slow.filled < slow.size) {
        filler_fill(&slow, WINDOW);
        poll(NULL, 0, 300);
    }
    raw_expect_answer(slow.fd, &slow.header, 0);
    raw_expect_witness();
    raw_expect_closed(never.fd);
    raw_expect_closed(half.fd);
    filler_free(&never);
    filler_free(&half);
    filler_done(&slow);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("window");
    TCase *tests = tcase_create("window");
    TCase *waiting = tcase_create("waiting");

    tcase_add_checked_fixture(tests, raw_setup, raw_teardown);
    suite_add_tcase(s, tests);
    tcase_add_loop_test(tests, values_of_all_sizes_come_through, 0,
                        (int)(sizeof(fillings) / sizeof(fillings[0])));
    tcase_add_test(tests, window_may_be_full_before_it_is_asked_for);
    tcase_add_test(tests, words_are_of_their_request_alone);
    tcase_add_test(tests, daemon_sleeps_until_there_is_more);
    tcase_add_test(tests, requests_behind_it_wait);
    tcase_add_test(tests, what_is_over_makes_room_at_the_end);
    tcase_add_test(tests, many_windows_are_filled_side_by_side);
    tcase_add_test(tests, windows_that_cannot_be_are_refused);
    tcase_add_test(tests, window_needs_a_ring);
    tcase_add_test(tests, window_needs_a_buffer);
    tcase_add_test(tests, what_cannot_have_been_filled_is_an_error);
    tcase_add_test(tests, condition_is_looked_at_before_the_value);
    tcase_add_test(tests, condition_is_decided_behind_the_value);
    tcase_add_loop_test(tests, client_that_goes_in_the_middle_leaves_nothing, 0, 2);
    tcase_add_checked_fixture(waiting, raw_setup_impatient, raw_teardown);
    suite_add_tcase(s, waiting);
    tcase_add_test(waiting, window_is_not_waited_for_for_ever);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
