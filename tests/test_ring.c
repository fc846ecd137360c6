/*
 * The ring, as a client finds it that keeps to nothing: which files make one, what its words and
 * bytes may be, who waits for whom, and that all of it is nobody's business but its own.
 */
#include "tests/raw_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)
#define MANY 30000 /* objects: a list of them takes longer than a ring is looked at in vain */
#define LARGE (30 << 20)
#define FILLER 20000 /* bytes of a value that is larger than the ring, and fits a frame */

static void stop_daemon(void)
{
    ck_assert_int_eq(kill(raw_server->pid, SIGSTOP), 0);
}

static void continue_daemon(void)
{
    ck_assert_int_eq(kill(raw_server->pid, SIGCONT), 0);
}

static void pause_for(long microseconds)
{
    nanosleep(&(struct timespec){.tv_nsec = microseconds * 1000}, NULL);
}

static bool is_asleep(void *argument)
{
    uint64_t before = harness_cpu(raw_server->pid);

    (void)argument;
    poll(NULL, 0, 50);
    return harness_cpu(raw_server->pid) == before;
}

static void put_filler(void)
{
    harness_put_filled(raw_witness, "filler", FILLER, 7);
}

static bool has_key(void *key)
{
    return memstore_exists(raw_witness, key, strlen(key)) == 1;
}

/* ---- making one ---- */

/* Asks with this descriptor, and goes on over the socket. */
static void expect_refused(int file, int status)
{
    int fd = raw_open();

    raw_ring_request(fd, &file, 1, status);
    close(file);
    raw_done(fd);
}

START_TEST(files_that_are_no_ring_are_refused)
{
    const unsigned sealing = MFD_ALLOW_SEALING;
    char path[64];
    int memfd;

    expect_refused(open("/dev/null", O_RDWR | O_CLOEXEC), -EINVAL);
    expect_refused(open(harness_folder, O_RDONLY | O_CLOEXEC), -EINVAL);
    expect_refused(open(harness_folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), -EINVAL);
    expect_refused(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), -EINVAL);
    expect_refused(raw_memfd(sealing, 0, SEALS), -EINVAL);
    expect_refused(raw_memfd(sealing, RING_FILE_SIZE - 4096, SEALS), -EINVAL);
    expect_refused(raw_memfd(sealing, RING_FILE_SIZE + 4096, SEALS), -EINVAL);
    expect_refused(raw_memfd(sealing, RING_FILE_SIZE, 0), -EINVAL);
    expect_refused(raw_memfd(sealing, RING_FILE_SIZE, F_SEAL_SHRINK), -EINVAL);
    expect_refused(raw_memfd(sealing, RING_FILE_SIZE, F_SEAL_GROW), -EINVAL);
    expect_refused(raw_memfd(sealing, RING_FILE_SIZE, SEALS | F_SEAL_WRITE), -EINVAL);
    expect_refused(raw_memfd(sealing, RING_FILE_SIZE, SEALS | F_SEAL_FUTURE_WRITE), -EINVAL);
    expect_refused(raw_memfd(0, RING_FILE_SIZE, 0), -EINVAL); /* sealed against seals */
    memfd = raw_ring_file();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
    expect_refused(open(path, O_RDONLY | O_CLOEXEC), -EINVAL);
    expect_refused(open(path, O_PATH | O_CLOEXEC), -EINVAL);
    close(memfd);
}
END_TEST

START_TEST(ring_of_huge_pages_is_refused)
{
    int memfd = memfd_create("test", MFD_ALLOW_SEALING | MFD_HUGETLB | MFD_CLOEXEC);

    if (memfd < 0) {
        harness_skip("ring_of_huge_pages_is_refused", "no huge pages here");
        return;
    }
    ck_assert_int_eq(fcntl(memfd, F_ADD_SEALS, SEALS), 0);
    expect_refused(memfd, -EINVAL);
}
END_TEST

START_TEST(ring_needs_one_descriptor)
{
    int memfds[3] = {raw_ring_file(), raw_ring_file(), raw_ring_file()};
    int fd = raw_open();

    raw_ring_request(fd, NULL, 0, -EBADF);
    raw_ring_request(fd, memfds, 2, -E2BIG);
    raw_ring_request(fd, memfds, 3, -E2BIG);
    raw_ring_request(fd, NULL, 0, -EBADF);
    raw_expect_alive(fd);
    raw_ring_make(fd); /* none of this has spoilt it */
    raw_done(fd);
    for (int i = 0; i < 3; i++)
        close(memfds[i]);
}
END_TEST

START_TEST(ring_has_no_body_and_no_flags)
{
    struct frame_header header = raw_header(OPERATION_RING, 0);
    int memfd = raw_ring_file();
    int fd = raw_open();

    raw_call(fd, OPERATION_RING, &(struct body){.length = 1}, -EPROTO);
    header.flags = FRAME_BULK;
    ck_assert(raw_send_fds(fd, &header, sizeof(header), &memfd, 1));
    raw_expect_answer(fd, &header, -EPROTO);
    raw_done(fd);
    close(memfd);
}
END_TEST

START_TEST(ring_comes_after_hello)
{
    int memfd = raw_ring_file();
    int fd = raw_connect();

    raw_ring_request(fd, &memfd, 1, -EPROTO);
    raw_expect_closed(fd);
    close(memfd);
}
END_TEST

START_TEST(ring_comes_once)
{
    int good = raw_ring_file();
    int bad = raw_memfd(MFD_ALLOW_SEALING, 4096, SEALS);
    int fd = raw_open_ring();

    raw_ring_request(fd, &good, 1, -EALREADY);
    raw_ring_request(fd, &bad, 1, -EINVAL);
    raw_ring_request(fd, NULL, 0, -EBADF);
    raw_done(fd);
    close(good);
    close(bad);
}
END_TEST

START_TEST(direct_does_not_come_after_a_ring)
{
    int fd = raw_open_ring();

    raw_call(fd, OPERATION_DIRECT, NULL, -EPROTO);
    raw_done(fd);
}
END_TEST

/* Nobody has to wait for the answer to RING. What was asked before is answered over the socket. */
START_TEST(frames_do_not_wait_for_the_ring_to_be_taken)
{
    struct frame_header before = raw_header(OPERATION_STATS, 0);
    struct frame_header make = raw_header(OPERATION_RING, 0);
    struct frame_header behind = raw_header(OPERATION_STATS, 0);
    int memfd = raw_ring_file();
    int fd = raw_open();

    raw_ring_forget(fd);
    stop_daemon();
    ck_assert(raw_send_frame(fd, &before, NULL));
    ck_assert(raw_send_fds(fd, &make, sizeof(make), &memfd, 1));
    raw_ring_use(fd, raw_ring_map(memfd));
    ck_assert_uint_eq(raw_ring_put(fd, &behind, sizeof(behind)), sizeof(behind));
    continue_daemon();
    raw_ring_forget(fd);
    raw_expect_answer(fd, &before, 0);
    raw_expect_answer(fd, &make, 0);
    raw_ring_use(fd, raw_ring_map(memfd))->end = sizeof(behind);
    raw_expect_answer(fd, &behind, 0);
    close(memfd);
    raw_done(fd);
}
END_TEST

/* ---- descriptors beside it ---- */

static void attach_behind_bells(size_t bells)
{
    struct frame_header header = raw_header(OPERATION_ATTACH, 0);
    char bytes[1000] = {0};
    int memfd = raw_buffer(4096);
    int fd = raw_open_ring();

    stop_daemon();
    if (bells > 0)
        ck_assert_int_eq(send(fd, bytes, bells, MSG_NOSIGNAL), (ssize_t)bells);
    ck_assert(raw_send_fds(fd, &header, sizeof(header), &memfd, 1));
    continue_daemon();
    raw_expect_answer(fd, &header, 0);
    raw_done(fd);
    close(memfd);
}

START_TEST(descriptors_come_beside_the_ring)
{
    attach_behind_bells(0);
    attach_behind_bells(1);
    attach_behind_bells(1000);
}
END_TEST

START_TEST(descriptor_is_missed_beside_the_ring)
{
    int memfds[2] = {raw_buffer(4096), raw_buffer(4096)};
    int fd = raw_open_ring();

    raw_attach_fds(fd, NULL, 0, -EBADF);
    raw_attach_fds(fd, memfds, 2, -E2BIG);
    raw_attach_fds(fd, memfds, 1, 0);
    raw_attach_fds(fd, memfds, 1, -EALREADY);
    raw_done(fd);
    close(memfds[0]);
    close(memfds[1]);
}
END_TEST

/* ---- bytes ---- */

/* A metadata block of the largest size. */
static struct body large_metadata(void)
{
    static char value[METADATA_MAX - sizeof(struct metadata_entry) - 1];
    struct metadata_entry entry = {.name_length = 1, .value_length = sizeof(value)};
    struct body block = {.length = 0};

    memset(value, 'm', sizeof(value));
    body_add(&block, &entry, sizeof(entry));
    body_add(&block, "n", 1);
    body_add(&block, value, sizeof(value));
    return block;
}

/* Frames of the largest size, four times the ring, in either direction. */
START_TEST(frames_are_larger_than_the_ring)
{
    struct body block = large_metadata();
    const size_t put_room = BODY_MAX - sizeof(struct put_request) - strlen("k") - block.length;
    const size_t get_room = BODY_MAX - sizeof(struct object_info) - block.length;
    struct body largest = body_put("k", block.bytes, block.length, put_room);
    struct body put = body_put("k", block.bytes, block.length, get_room);
    struct body get = body_get("k", 0, UINT64_MAX);
    const uint8_t *attributes = raw_answer.body + sizeof(struct object_info);
    int fd = raw_open_ring();

    ck_assert_uint_eq(largest.length, BODY_MAX);
    for (int i = 0; i < 50; i++) {
        raw_call(fd, OPERATION_PUT, &largest, 0);
        raw_call(fd, OPERATION_PUT, &put, 0);
        raw_call(fd, OPERATION_GET, &get, 0);
        ck_assert_uint_eq(raw_answer.length, BODY_MAX);
        ck_assert_int_eq(memcmp(attributes, block.bytes, block.length), 0);
        ck_assert_int_eq(
            memcmp(attributes + block.length, put.bytes + put.length - get_room, get_room), 0);
    }
    ck_assert_int_eq(memstore_delete(raw_witness, "k", 1), 0);
    raw_done(fd);
}
END_TEST

/* Both streams get to every offset of their circles, as what goes through them is odd. */
START_TEST(frames_wrap_around_at_every_offset)
{
    static const char *const entries[] = {"name=12", NULL};
    struct body block = body_metadata(entries);
    struct body put = body_put("wraps", block.bytes, block.length, 3);
    struct body info = body_key("wraps");
    int rounds = harness_is_slow() ? 2000 : (int)RING_SIZE;
    int fd = raw_open_ring();

    raw_call(fd, OPERATION_PUT, &put, 0);
    ck_assert_uint_eq((sizeof(struct frame_header) + info.length) % 2, 1);
    for (int i = 0; i < rounds; i++) {
        raw_call(fd, OPERATION_INFO, &info, 0);
        ck_assert_uint_eq(raw_answer.length, sizeof(struct object_info) + block.length);
        ck_assert_uint_eq(raw_answer.header.length % 2, i < 0);
        ck_assert_int_eq(
            memcmp(raw_answer.body + sizeof(struct object_info), block.bytes, block.length), 0);
    }
    raw_done(fd);
}
END_TEST

/* Sends `count` requests without waiting for answers, and takes these as they come. */
static void pump(int fd, const struct body *body, uint16_t operation, size_t count, int status)
{
    struct frame_header first = raw_header(operation, body ? body->length : 0);
    size_t length = first.length, sent = 0, at = 0, received = 0;
    uint8_t frame[sizeof(first) + sizeof(body->bytes)];
    struct frame_header header = first;
    uint32_t changes;

    if (body)
        memcpy(frame + sizeof(first), body->bytes, body->length);
    while (received < count) {
        changes = atomic_load(&raw_ring_of(fd)->page->changes);
        header.id = first.id + sent;
        memcpy(frame, &header, sizeof(header));
        at += sent < count ? raw_ring_put(fd, frame + at, length - at) : 0;
        if (at == length) {
            at = 0;
            sent++;
        } else if (atomic_load(&raw_ring_of(fd)->page->answers_end) != raw_ring_of(fd)->start) {
            ck_assert(raw_receive(fd));
            ck_assert_uint_eq(raw_answer.header.id, first.id + received++);
            ck_assert_int_eq(raw_answer.header.status, status);
        } else {
            raw_ring_sleep(fd, changes);
        }
    }
}

START_TEST(many_small_requests_are_under_way_at_once)
{
    struct body exists = body_key("small canary");
    struct body none = body_key("none");
    size_t count = harness_is_slow() ? 3000 : 30000;
    int fd = raw_open_ring();

    pump(fd, &exists, OPERATION_EXISTS, count, 0);
    pump(fd, &none, OPERATION_DELETE, count, -ENOENT);
    pump(fd, NULL, OPERATION_STATS, count, 0);
    raw_done(fd);
}
END_TEST

START_TEST(large_answers_are_under_way_at_once)
{
    struct body get = body_get("filler", 0, UINT64_MAX);
    int fd = raw_open_ring();

    put_filler();
    pump(fd, &get, OPERATION_GET, 300, 0);
    ck_assert(harness_is_filled(raw_answer.body + sizeof(struct object_info), FILLER, 7));
    raw_done(fd);
}
END_TEST

/* ---- answers that are not taken ---- */

/* Puts in as much as the daemon takes, in frames of STATS. Returns how much that was. */
static size_t stuff(int fd)
{
    struct frame_header header = raw_header(OPERATION_STATS, 0);
    size_t all = 0, n;
    int quiet = 0;

    while (quiet < 20) {
        n = raw_ring_put(fd, &header, sizeof(header));
        ck_assert(n == 0 || n == sizeof(header)); /* the ring's size is a multiple */
        all += n;
        quiet = n > 0 ? 0 : quiet + 1;
        if (n == 0)
            poll(NULL, 0, 5);
    }
    return all;
}

/* The daemon takes requests until it has a frame's worth of answers beyond the ring, then neither
 * grows nor spins. It goes on where the answers are taken at last. */
START_TEST(answers_that_are_not_taken_hold_up_only_their_own)
{
    const size_t answer = sizeof(struct frame_header) + sizeof(struct stats_answer);
    const size_t answered = (RING_SIZE + FRAME_MAX) / answer + 64;
    int fd = raw_open_ring();
    size_t all = stuff(fd);

    ck_assert_uint_ge(all, RING_SIZE);
    ck_assert_uint_le(all, RING_SIZE + FRAME_MAX + answered * sizeof(struct frame_header));
    harness_await(is_asleep, NULL, "a daemon that sleeps while answers are not taken");
    raw_expect_witness();
    raw_expect_memory_bounded();
    for (size_t i = 0; i < all / sizeof(struct frame_header); i++) {
        ck_assert(raw_receive(fd));
        ck_assert_uint_eq(raw_answer.header.operation, OPERATION_STATS);
        ck_assert_int_eq(raw_answer.header.status, 0);
    }
    raw_done(fd);
}
END_TEST

START_TEST(answers_are_not_waited_for_for_ever)
{
    int fds[10];

    for (int i = 0; i < 10; i++) {
        fds[i] = raw_open_ring();
        stuff(fds[i]);
    }
    raw_expect_witness();
    for (int i = 0; i < 10; i++) {
        raw_ring_forget(fds[i]);
        raw_expect_closed(fds[i]);
    }
}
END_TEST

/* Also of one who has stopped talking: it will neither send more nor, being unable to ring, tell
 * that it takes its answers. */
START_TEST(rest_of_an_answer_is_not_waited_for_for_ever)
{
    struct body get = body_get("filler", 0, UINT64_MAX);
    struct frame_header header = raw_header(OPERATION_GET, get.length);
    int fd = raw_open_ring();

    put_filler();
    ck_assert(raw_send_frame(fd, &header, &get));
    while (atomic_load(&raw_ring_of(fd)->page->answers_end) != RING_SIZE)
        raw_ring_sleep(fd, atomic_load(&raw_ring_of(fd)->page->changes) - 1);
    if (_i == 1)
        ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    raw_expect_witness();
    raw_ring_forget(fd);
    raw_expect_closed(fd);
}
END_TEST

/* ---- requests that do not come, or come late ---- */

START_TEST(half_a_frame_in_the_ring_is_not_waited_for_for_ever)
{
    struct body body = body_put("small canary", "", 0, 1000);
    struct frame_header header = raw_header(OPERATION_PUT, body.length);
    static const size_t parts[] = {1, sizeof(struct frame_header), 500};
    int idle = raw_open_ring();
    int fds[3];

    for (int i = 0; i < 3; i++) {
        uint8_t frame[sizeof(header) + sizeof(body.bytes)];

        memcpy(frame, &header, sizeof(header));
        memcpy(frame + sizeof(header), body.bytes, body.length);
        fds[i] = raw_open_ring();
        ck_assert_uint_eq(raw_ring_put(fds[i], frame, parts[i]), parts[i]);
    }
    raw_expect_witness();
    for (int i = 0; i < 3; i++)
        raw_expect_closed(fds[i]);
    raw_done(idle); /* who owes nothing may stay */
}
END_TEST

/* While a list is made, what comes behind it stays in the ring, and is done after it. */
START_TEST(requests_behind_a_list_are_done)
{
    struct body list = body_list("m");
    struct frame_header first = raw_header(OPERATION_LIST, list.length);
    struct body exists = body_key("small canary");
    struct frame_header second = raw_header(OPERATION_EXISTS, exists.length);
    struct memstore *store = harness_open(raw_server);
    struct raw_ring *ring;
    int fd = raw_open_ring();

    for (int i = 0; i < MANY / (harness_is_slow() ? 10 : 1); i++) {
        char key[16];

        snprintf(key, sizeof(key), "m%d", i);
        harness_put(store, key, "");
    }
    memstore_close(store);
    ring = raw_ring_of(fd);
    for (int i = 0; i < 5; i++) {
        ck_assert(raw_send_frame(fd, &first, &list));
        while (atomic_load(&ring->page->requests_start) != ring->end)
            ;
        ck_assert(raw_send_frame(fd, &second, &exists));
        raw_expect_answer(fd, &first, -EMSGSIZE);
        raw_expect_answer(fd, &second, 0);
    }
    raw_done(fd);
}
END_TEST

/* Attaches a buffer, and makes a request for a value that takes some time to be put there. */
static uint8_t *prepare_large(int fd, struct frame_header *header, struct body *body)
{
    uint8_t *map = raw_attach(fd, LARGE);

    harness_put_filled(raw_witness, "large", LARGE, 3);
    *body = body_get("large", 0, UINT64_MAX);
    *header = raw_header(OPERATION_GET, body->length);
    header->flags = FRAME_BULK;
    header->bulk_length = LARGE;
    return map;
}

/* Large answers come one in a turn, of one client. The others wait, and meanwhile the daemon's
 * buffer for what they send fills, and then the ring; nothing of that is forgotten, also if they
 * have stopped talking. */
START_TEST(requests_behind_large_answers_are_done)
{
    struct frame_header large, small;
    char key[KEY_MAX + 1] = {0};
    struct body get, exists;
    uint8_t *maps[3];
    int fds[3];
    int many;

    for (int i = 0; i < 3; i++) {
        fds[i] = raw_open_ring();
        maps[i] = prepare_large(fds[i], &large, &get);
    }
    memset(key, 'k', KEY_MAX); /* much to ask, and little to answer */
    exists = body_key(key);
    small = raw_header(OPERATION_EXISTS, exists.length);
    many = (int)(2 * (FRAME_MAX + RING_SIZE) / small.length);
    for (int i = 0; i < 3 * 5; i++)
        ck_assert(raw_send_frame(fds[i % 3], &large, &get));
    for (int i = 0; i < many; i++)
        ck_assert(raw_send_frame(fds[0], &small, &exists));
    if (_i == 1)
        ck_assert_int_eq(shutdown(fds[0], SHUT_WR), 0);
    for (int i = 0; i < 3 * 5; i++)
        raw_expect_answer(fds[i % 3], &large, 0);
    for (int i = 0; i < many; i++)
        raw_expect_answer(fds[0], &small, -ENOENT);
    for (int i = 0; i < 3; i++) {
        ck_assert(harness_is_filled(maps[i], LARGE, 3));
        munmap(maps[i], LARGE);
        if (_i == 1 && i == 0)
            raw_expect_closed(fds[i]);
        else
            raw_done(fds[i]);
    }
    ck_assert_int_eq(memstore_delete(raw_witness, "large", 5), 0);
}
END_TEST

/* The daemon, which has nothing more to do, is held up on its way to sleep. Meanwhile a ring that
 * has been quiet has a request: it must be seen before. */
START_TEST(request_on_the_way_to_sleep_is_done)
{
    struct frame_header header = raw_header(OPERATION_STATS, 0);
    int busy = raw_open_ring();
    int quiet = raw_open_ring();

    for (int i = 0; i < (harness_is_slow() ? 100 : 1500); i++) {
        raw_expect_alive(busy);
        raw_ring_put(busy, &header, sizeof(header));
        for (int j = 0; j < i % 100; j++)
            ring_pause();
        stop_daemon();
        pause_for(1200);
        raw_ring_put(quiet, &header, sizeof(header));
        continue_daemon();
        raw_expect_answer(quiet, &header, 0);
        raw_expect_answer(busy, &header, 0);
    }
    raw_done(busy);
    raw_done(quiet);
}
END_TEST

static int continue_soon(int index, void *argument)
{
    (void)index;
    (void)argument;
    pause_for(10000);
    return kill(raw_server->pid, SIGCONT);
}

/* A daemon that sleeps is woken by a byte, and a client that sleeps by the daemon: not by time. */
START_TEST(both_sides_wake_each_other)
{
    const struct timespec long_time = {.tv_sec = (time_t)harness_seconds(15)};
    struct frame_header header = raw_header(OPERATION_STATS, 0);
    int fd = raw_open_ring();
    struct ring_page *page = raw_ring_of(fd)->page;

    for (int i = 0; i < 5; i++) {
        uint32_t changes = atomic_load(&page->changes);
        pid_t pid;
        long r;

        harness_await(is_asleep, NULL, "a daemon that sleeps");
        ck_assert_uint_eq(atomic_load(&page->daemon_awaits), RING_AWAITS_REQUESTS);
        stop_daemon();
        atomic_store(&page->client_sleeps, 1);
        raw_ring_put(fd, &header, sizeof(header));
        pid = harness_fork(continue_soon, 0, NULL);
        r = syscall(SYS_futex, &page->changes, FUTEX_WAIT, changes, &long_time, NULL, 0);
        ck_assert_msg(r == 0 || errno == EAGAIN, "futex: %s", strerror(errno));
        raw_expect_answer(fd, &header, 0);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    }
    raw_done(fd);
}
END_TEST

/* ---- buffers that are idle ---- */

#define WARM 20
#define WARM_SIZE ((16 << 20) + 8192) /* a little more than is given back in one turn */

/* The daemon gives memory back in two turns, and between them finds the buffer in use. */
START_TEST(buffer_that_is_used_again_is_left_alone)
{
    struct body get = body_get("small canary", 0, UINT64_MAX);
    struct raw_ring *rings[WARM];
    uint32_t changes[WARM];
    int fds[WARM];
    int left = WARM;

    for (int i = 0; i < WARM; i++) {
        fds[i] = raw_open_ring();
        munmap(raw_attach(fds[i], WARM_SIZE), WARM_SIZE);
        raw_call_bulk(fds[i], OPERATION_GET, &get, 0, WARM_SIZE, 0);
        rings[i] = raw_ring_of(fds[i]);
        changes[i] = atomic_load(&rings[i]->page->changes);
        atomic_store(&rings[i]->page->bulk_use, RING_BULK_IDLE);
    }
    for (int i = 0; left > 0; i = (i + 1) % WARM) {
        uint32_t use = RING_BULK_IDLE;

        if (changes[i] && atomic_load(&rings[i]->page->changes) != changes[i] &&
            atomic_compare_exchange_strong(&rings[i]->page->bulk_use, &use, RING_BULK_CLIENT)) {
            changes[i] = 0;
            left--;
        }
    }
    harness_await(is_asleep, NULL, "a daemon that waits for buffers to be idle");
    for (int i = 0; i < WARM; i++)
        raw_done(fds[i]);
}
END_TEST

/* ---- words ---- */

enum lie {
    REQUESTS_TOO_FAR,
    REQUESTS_FAR_TOO_FAR,
    REQUESTS_BACKWARDS,
    ANSWERS_TOO_FAR,
    ANSWERS_FAR_TOO_FAR,
    ANSWERS_BACKWARDS,
    LIES
};

static void lie(struct ring_page *page, int which)
{
    uint32_t taken = atomic_load(&page->requests_start);
    uint32_t put = atomic_load(&page->answers_end);
    const uint32_t values[LIES] = {
        [REQUESTS_TOO_FAR] = taken + RING_SIZE + 1, [REQUESTS_FAR_TOO_FAR] = taken + 0x80000000U,
        [REQUESTS_BACKWARDS] = taken - 1,           [ANSWERS_TOO_FAR] = put + 1,
        [ANSWERS_FAR_TOO_FAR] = put + 0x80000000U,  [ANSWERS_BACKWARDS] = put - RING_SIZE - 1};

    atomic_store(which < ANSWERS_TOO_FAR ? &page->requests_end : &page->answers_start,
                 values[which]);
}

/* Good requests, where nobody has told of any. */
static void fill_circle(struct raw_ring *ring, const struct frame_header *header)
{
    for (uint32_t i = 0; i < RING_SIZE; i++)
        ring->requests[(ring->end + i) % RING_SIZE] =
            ((const uint8_t *)header)[i % sizeof(*header)];
}

/* The daemon is asleep, or about to take a request. */
static void expect_lie_found_out(int which, bool with_request)
{
    struct frame_header header = raw_header(OPERATION_STATS, 0);
    int fd = raw_open_ring();

    raw_expect_alive(fd);
    fill_circle(raw_ring_of(fd), &header);
    if (with_request) {
        stop_daemon();
        raw_ring_put(fd, &header, sizeof(header));
    }
    lie(raw_ring_of(fd)->page, which);
    if (with_request)
        continue_daemon();
    else if (which >= ANSWERS_TOO_FAR)
        raw_ring_put(fd, &header, sizeof(header)); /* found out when there is an answer */
    raw_ring_bell(fd);
    raw_ring_forget(fd);
    raw_expect_closed(fd);
    raw_expect_witness();
}

START_TEST(impossible_positions_end_the_connection)
{
    for (int which = 0; which < LIES; which++) {
        expect_lie_found_out(which, false);
        expect_lie_found_out(which, true);
    }
}
END_TEST

/* The same of a ring that has been quiet, as the daemon is busy with another one. */
START_TEST(impossible_positions_of_the_quiet_end_the_connection)
{
    struct frame_header header;
    struct body get;
    int busy = raw_open_ring();
    uint8_t *map = prepare_large(busy, &header, &get);

    for (int which = 0; which < ANSWERS_TOO_FAR; which++) {
        int fd = raw_open_ring();

        raw_expect_alive(fd);
        ck_assert(raw_send_frame(busy, &header, &get));
        pause_for(2000);
        lie(raw_ring_of(fd)->page, which);
        raw_ring_bell(fd); /* the daemon may have been faster */
        raw_expect_answer(busy, &header, 0);
        raw_ring_forget(fd);
        raw_expect_closed(fd);
    }
    munmap(map, LARGE);
    ck_assert_int_eq(memstore_delete(raw_witness, "large", 5), 0);
    raw_done(busy);
}
END_TEST

/* Who takes room back that it had given has less of it. */
START_TEST(position_of_answers_may_lag)
{
    int fd = raw_open_ring();
    struct raw_ring *ring = raw_ring_of(fd);

    raw_expect_alive(fd);
    atomic_store(&ring->page->answers_start, ring->start - 10);
    raw_expect_alive(fd);
    raw_done(fd);
}
END_TEST

/* What the daemon writes it knows without reading. */
START_TEST(words_of_the_daemon_are_not_read_by_it)
{
    int fd = raw_open_ring();
    struct ring_page *page = raw_ring_of(fd)->page;
    uint32_t start, end;

    raw_expect_alive(fd);
    harness_await(is_asleep, NULL, "a daemon that sleeps");
    start = atomic_load(&page->requests_start);
    end = atomic_load(&page->answers_end);
    atomic_store(&page->requests_start, 77);
    atomic_store(&page->answers_end, 78);
    atomic_store(&page->changes, 79);
    atomic_store(&page->is_crowded, 80);
    atomic_store(&page->daemon_awaits, UINT32_MAX);
    atomic_store(&page->drained, UINT64_MAX);
    atomic_store(&page->requests_start, start);
    raw_ring_put(fd, "", 0);
    atomic_store(&page->requests_start, 77);
    raw_ring_bell(fd);
    raw_expect_witness();
    atomic_store(&page->requests_start, start);
    atomic_store(&page->answers_end, end);
    raw_expect_alive(fd);
    ck_assert_uint_eq(atomic_load(&page->requests_start), raw_ring_of(fd)->end);
    ck_assert_uint_eq(atomic_load(&page->answers_end), raw_ring_of(fd)->start);
    raw_done(fd);
}
END_TEST

/* A length that no frame has is answered through the ring, and is the end. */
START_TEST(impossible_length_in_the_ring_ends_the_connection)
{
    struct frame_header header = raw_header(OPERATION_STATS, 0);
    int fd = raw_open_ring();

    header.length = _i ? FRAME_MAX + 1 : 31;
    raw_ring_put(fd, &header, sizeof(header));
    ck_assert(raw_receive(fd));
    ck_assert_int_eq(raw_answer.header.status, -EPROTO);
    ck_assert_uint_eq(raw_answer.header.id, 0);
    raw_expect_closed(fd);
}
END_TEST

/* ---- pages ---- */

/* A seal against shrinking does not keep a file's pages. Those that are missing are zeros. */
START_TEST(pages_may_be_punched_away)
{
    struct frame_header header = raw_header(OPERATION_STATS, 0);
    off_t from = _i % 2 ? 0 : RING_REQUESTS;
    int memfd = raw_ring_file();
    int fd = raw_open();

    raw_ring_forget(fd);
    raw_ring_request(fd, &memfd, 1, 0);
    raw_ring_use(fd, raw_ring_map(memfd));
    raw_expect_alive(fd);
    if (_i / 2 == 1)
        stop_daemon();
    if (_i / 2 >= 1)
        raw_ring_put(fd, &header, sizeof(header));
    ck_assert_int_eq(
        fallocate(memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, RING_FILE_SIZE - from),
        0);
    continue_daemon();
    raw_ring_bell(fd);
    raw_expect_witness();
    raw_ring_forget(fd);
    close(fd);
    close(memfd);
}
END_TEST

/* ---- the end of a client ---- */

/* Leaves requests in the ring and ends. */
static int leave_requests(int index, void *last_key)
{
    int fd = raw_open_ring();

    stop_daemon();
    for (int i = 0; i < 50; i++) {
        char key[16];
        struct body put;
        struct frame_header header;

        snprintf(key, sizeof(key), "left %d", i);
        put = body_put(i < 49 ? key : last_key, "", 0, 10);
        header = raw_header(OPERATION_PUT, put.length);
        raw_send_frame(fd, &header, &put);
    }
    if (index == 0)
        shutdown(fd, SHUT_WR);
    else if (index == 1)
        close(fd);
    continue_daemon();
    if (index == 2)
        raise(SIGKILL);
    _exit(0);
}

START_TEST(requests_that_a_client_leaves_behind_are_done)
{
    char last[] = "the last one";
    pid_t pid = harness_fork(leave_requests, _i, last);

    (void)pid;
    harness_await(has_key, last, "the last put of a client that is gone");
    ck_assert(has_key((char[]){"left 0"}));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("ring");
    TCase *tests = tcase_create("ring");
    TCase *waiting = tcase_create("waiting");

    tcase_add_checked_fixture(tests, raw_setup, raw_teardown);
    suite_add_tcase(s, tests);
    tcase_add_test(tests, files_that_are_no_ring_are_refused);
    tcase_add_test(tests, ring_of_huge_pages_is_refused);
    tcase_add_test(tests, ring_needs_one_descriptor);
    tcase_add_test(tests, ring_has_no_body_and_no_flags);
    tcase_add_test(tests, ring_comes_after_hello);
    tcase_add_test(tests, ring_comes_once);
    tcase_add_test(tests, direct_does_not_come_after_a_ring);
    tcase_add_test(tests, frames_do_not_wait_for_the_ring_to_be_taken);
    tcase_add_test(tests, descriptors_come_beside_the_ring);
    tcase_add_test(tests, descriptor_is_missed_beside_the_ring);
    tcase_add_test(tests, frames_are_larger_than_the_ring);
    tcase_add_test(tests, frames_wrap_around_at_every_offset);
    tcase_add_test(tests, many_small_requests_are_under_way_at_once);
    tcase_add_test(tests, large_answers_are_under_way_at_once);
    tcase_add_test(tests, answers_that_are_not_taken_hold_up_only_their_own);
    tcase_add_test(tests, requests_behind_a_list_are_done);
    tcase_add_loop_test(tests, requests_behind_large_answers_are_done, 0, 2);
    tcase_add_test(tests, request_on_the_way_to_sleep_is_done);
    tcase_add_test(tests, both_sides_wake_each_other);
    tcase_add_test(tests, buffer_that_is_used_again_is_left_alone);
    tcase_add_test(tests, impossible_positions_end_the_connection);
    tcase_add_test(tests, impossible_positions_of_the_quiet_end_the_connection);
    tcase_add_test(tests, position_of_answers_may_lag);
    tcase_add_test(tests, words_of_the_daemon_are_not_read_by_it);
    tcase_add_loop_test(tests, impossible_length_in_the_ring_ends_the_connection, 0, 2);
    tcase_add_loop_test(tests, pages_may_be_punched_away, 0, 6);
    tcase_add_loop_test(tests, requests_that_a_client_leaves_behind_are_done, 0, 3);
    tcase_add_checked_fixture(waiting, raw_setup_impatient, raw_teardown);
    suite_add_tcase(s, waiting);
    tcase_add_test(waiting, answers_are_not_waited_for_for_ever);
    tcase_add_loop_test(waiting, rest_of_an_answer_is_not_waited_for_for_ever, 0, 2);
    tcase_add_test(waiting, half_a_frame_in_the_ring_is_not_waited_for_for_ever);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
