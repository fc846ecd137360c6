/*
 * A live ring whose every field somebody rewrites at random, while requests run on it: the daemon
 * goes on, and what it has for others stays right.
 */
#include "tests/raw_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SCRIBBLES 1000000
#define PHASE 500         /* scribbles of one kind */
#define BUFFER (1 << 20)  /* bytes of the bulk buffer */
#define BEHAVED 40        /* objects of the client that behaves well */
#define REQUESTS_EACH 300 /* on one connection */

/* What the test's processes tell each other. */
static struct shared {
    _Atomic bool is_over;
    _Atomic int rounds; /* of the client that behaves well */
} * shared;

static uint64_t random_state;
static int ring_file;

static uint64_t random_number(void)
{
    harness_fill(&random_state, sizeof(random_state), random_state);
    return random_state;
}

/* ---- the scribbler ---- */

static void scribble_anything(struct ring_page *page)
{
    uint8_t *file = (uint8_t *)page;
    uint64_t size = random_number() % 2 ? sizeof(*page) : RING_FILE_SIZE;
    uint32_t word = (uint32_t)random_number();

    memcpy(file + random_number() % (size / sizeof(word)) * sizeof(word), &word, sizeof(word));
}

/* Positions that are possible. */
static void scribble_positions(struct ring_page *page)
{
    uint32_t distance = (uint32_t)(random_number() % (RING_SIZE + 1));

    if (random_number() % 2)
        atomic_store(&page->requests_end, atomic_load(&page->requests_start) + distance);
    else
        atomic_store(&page->answers_start, atomic_load(&page->answers_end) - distance);
}

/* Who sleeps, and who has the buffer. */
static void scribble_states(struct ring_page *page)
{
    _Atomic uint32_t *const words[] = {&page->client_sleeps, &page->client_core,
                                       &page->daemon_awaits, &page->changes,
                                       &page->is_crowded,    &page->bulk_use};

    atomic_store(words[random_number() % 6], (uint32_t)(random_number() % 8));
}

static void scribble_window(struct ring_page *page)
{
    uint64_t id = atomic_load(&page->filled) >> 32;
    uint64_t bytes = random_number() % (random_number() % 8 ? 100000 : UINT32_MAX);

    atomic_store(random_number() % 4 ? &page->filled : &page->drained, RING_PROGRESS(id, bytes));
}

static void scribble_bytes(struct ring_page *page)
{
    uint8_t *bytes = (uint8_t *)page + RING_REQUESTS;

    bytes[random_number() % (2 * RING_SIZE)] = (uint8_t)random_number();
}

/* A page that is gone is full of zeros. */
static void scribble_page(struct ring_page *page)
{
    off_t at = (off_t)(random_number() % (RING_FILE_SIZE / 4096)) * 4096;

    if (random_number() % 64 == 0)
        fallocate(ring_file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, 4096);
    else
        scribble_states(page);
}

static int scribble(int count, void *page)
{
    static void (*const kinds[])(struct ring_page *) = {scribble_anything, scribble_positions,
                                                        scribble_states,   scribble_window,
                                                        scribble_bytes,    scribble_page};

    random_state = 1;
    for (int i = 0; i < count; i++) {
        kinds[i / PHASE % 6](page);
        for (uint64_t j = random_number() % 512; j > 0; j--)
            ring_pause();
    }
    return 0;
}

/* ---- requests on that ring ---- */

static struct body random_request(struct frame_header *header)
{
    static const uint16_t operations[] = {OPERATION_PUT,  OPERATION_GET,   OPERATION_EXISTS,
                                          OPERATION_INFO, OPERATION_LIST,  OPERATION_COPY,
                                          OPERATION_MOVE, OPERATION_STATS, OPERATION_DELETE};
    const struct put_request window = {.window = 8192};
    struct body body = {.length = 0};

    *header = raw_header(operations[random_number() % 9], 0);
    switch (header->operation) {
    case OPERATION_PUT:
        header->flags = random_number() % 2 ? FRAME_BULK : 0;
        body = body_put("fuzz", "", 0, header->flags ? 0 : random_number() % 3000);
        if (header->flags && random_number() % 2)
            memcpy(body.bytes + offsetof(struct put_request, window), &window.window,
                   sizeof(window.window));
        break;
    case OPERATION_GET:
        header->flags = random_number() % 2 ? FRAME_BULK : 0;
        body = body_get("fuzz", 0, UINT64_MAX);
        break;
    case OPERATION_LIST:
        header->flags = random_number() % 2 ? FRAME_BULK : 0;
        body = body_list("fuzz");
        break;
    case OPERATION_COPY:
    case OPERATION_MOVE:
        body = body_pair("fuzz", "fuzzy");
        break;
    case OPERATION_STATS:
        break;
    default:
        body = body_key("fuzz");
        break;
    }
    header->length += (uint32_t)body.length;
    header->bulk_length = header->flags ? (uint32_t)(random_number() % BUFFER) : 0;
    return body;
}

/* Puts it where we are, whatever the words say, and takes what answers there are, unread. */
static void put_blindly(struct raw_ring *ring, const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        ring->requests[(ring->end + i) % RING_SIZE] = ((const uint8_t *)bytes)[i];
    ring->end += (uint32_t)length;
    atomic_store(&ring->page->requests_end, ring->end);
    atomic_store(&ring->page->answers_start, atomic_load(&ring->page->answers_end));
}

static bool is_open(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* Requests on a connection with that ring, until it ends or there were enough. */
static void use_ring(int buffer, struct ring_page *page)
{
    int fd = raw_open();
    struct raw_ring ring = {.page = page,
                            .requests = (uint8_t *)page + RING_REQUESTS,
                            .answers = (uint8_t *)page + RING_ANSWERS};

    raw_attach_fds(fd, &buffer, 1, 0);
    raw_ring_request(fd, &ring_file, 1, 0);
    for (int i = 0; i < REQUESTS_EACH && is_open(fd); i++) {
        struct frame_header header;
        struct body body = random_request(&header);

        if (header.operation == OPERATION_PUT && header.flags)
            atomic_store(&page->filled, RING_PROGRESS(header.id, 0));
        put_blindly(&ring, &header, sizeof(header));
        put_blindly(&ring, body.bytes, body.length);
        raw_ring_bell(fd);
        if (random_number() % 8 == 0)
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    close(fd);
}

/* ---- one that behaves well ---- */

static void behave_once(struct memstore *store, int round)
{
    size_t size = (size_t)(round * 997) % (round % 16 ? 5000 : 300000);
    char key[32];
    struct memstore_object *object;

    snprintf(key, sizeof(key), "behaved %d", round % BEHAVED);
    harness_put_filled(store, key, size, (uint64_t)round);
    ck_assert_int_eq(memstore_get(store, key, strlen(key), 0, MEMSTORE_TO_END, &object), 0);
    ck_assert_uint_eq(memstore_object_size(object), size);
    ck_assert(harness_is_filled(memstore_object_value(object, NULL), size, (uint64_t)round));
    memstore_object_free(object);
}

static int behave(int index, void *argument)
{
    struct memstore_options options = {.size = sizeof(options),
                                       .socket = raw_server->socket,
                                       .timeout_ms = (int)(harness_seconds(30) * 1000),
                                       .reads = MEMSTORE_READS_SOCKET,
                                       .calls = MEMSTORE_CALLS_RING};
    struct memstore *store = NULL;
    int round = 0;

    (void)index;
    (void)argument;
    ck_assert_msg(memstore_open(&options, &store) == 0, "%s", memstore_message());
    while (!atomic_load(&shared->is_over)) {
        behave_once(store, round);
        atomic_store(&shared->rounds, ++round);
    }
    memstore_close(store);
    return 0;
}

/* ---- together ---- */

static bool has_ended(pid_t pid, int *ret_status)
{
    pid_t r = waitpid(pid, ret_status, WNOHANG);

    ck_assert_int_ge(r, 0);
    return r == pid;
}

/* What the list says of all objects is what the counters say. */
static void expect_counters_right(void)
{
    struct memstore_stats stats;
    struct memstore_list *list;
    uint64_t used = 0;

    ck_assert_int_eq(memstore_list(raw_witness, "", 0, NULL, &list), 0);
    stats = harness_stats(raw_witness);
    for (size_t i = 0; i < memstore_list_count(list); i++)
        used += memstore_object_size(memstore_list_at(list, i));
    ck_assert_uint_eq(stats.objects, memstore_list_count(list));
    ck_assert_uint_eq(stats.used, used);
    memstore_list_free(list);
}

START_TEST(anything_in_a_ring_harms_nobody_else)
{
    int count = harness_is_slow() ? SCRIBBLES / 10 : SCRIBBLES;
    int buffer = raw_buffer(BUFFER);
    struct ring_page *page;
    pid_t scribbler, behaved;
    int connections = 0;
    int status;

    ring_file = raw_ring_file();
    page = raw_ring_map(ring_file);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
    behaved = harness_fork(behave, 0, NULL);
    scribbler = harness_fork(scribble, count, page);
    random_state = 2;
    while (!has_ended(scribbler, &status)) {
        use_ring(buffer, page);
        if (++connections % 100 == 0)
            raw_expect_witness();
    }
    ck_assert_int_eq(status, 0);
    atomic_store(&shared->is_over, true);
    ck_assert_int_eq(waitpid(behaved, &status, 0), behaved);
    ck_assert_int_eq(status, 0);
    ck_assert_int_gt(connections, 20);
    ck_assert_int_gt(atomic_load(&shared->rounds), 20);
    expect_counters_right();
    close(buffer);
    close(ring_file);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("scribble");
    TCase *tests = tcase_create("scribble");

    tcase_add_checked_fixture(tests, raw_setup, raw_teardown);
    tcase_set_timeout(tests, 120);
    suite_add_tcase(s, tests);
    tcase_add_test(tests, anything_in_a_ring_harms_nobody_else);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
