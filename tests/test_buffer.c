/*
 * The bulk buffer, raw: descriptors that are none, parts outside of it, and bytes that change while
 * the daemon reads them.
 */
#include "tests/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#define BULK_SIZE (1 << 20)

/* What is no bulk buffer is refused, and the connection can still attach a good one. */
static void expect_not_attached(int wrong, int status)
{
    int fd = raw_open();
    uint8_t *map;

    raw_attach_fds(fd, &wrong, 1, status);
    close(wrong);
    raw_expect_alive(fd);
    map = raw_attach(fd, BULK_SIZE);
    munmap(map, BULK_SIZE);
    raw_done(fd);
}

/* ---- the bulk buffer ---- */

START_TEST(bulk_needs_a_buffer)
{
    struct body body = body_put("k", "", 0, 0);
    int fd = raw_open();

    raw_call_bulk(fd, OPERATION_PUT, &body, 0, 10, -EINVAL);
    body = body_get("small canary", 0, UINT64_MAX);
    raw_call_bulk(fd, OPERATION_GET, &body, 0, 10, -EINVAL);
    body = body_list("");
    raw_call_bulk(fd, OPERATION_LIST, &body, 0, 10, -EINVAL);
    ck_assert_int_eq(memstore_exists(raw_witness, "k", 1), 0);
    raw_done(fd);
}
END_TEST

START_TEST(attach_needs_one_descriptor)
{
    int fd = raw_open();
    int fds[100];
    uint8_t *map;

    raw_attach_fds(fd, NULL, 0, -EBADF);
    raw_expect_alive(fd);
    for (int i = 0; i < 100; i++)
        fds[i] = raw_buffer(4096);
    raw_attach_fds(fd, fds, 2, -E2BIG);
    raw_attach_fds(fd, fds, 5, -E2BIG);
    raw_attach_fds(fd, fds, 100, -E2BIG);
    raw_attach_fds(fd, NULL, 0, -EBADF);
    raw_expect_alive(fd);
    for (int i = 0; i < 100; i++)
        close(fds[i]);
    map = raw_attach(fd, BULK_SIZE);
    munmap(map, BULK_SIZE);
    raw_done(fd);
}
END_TEST

START_TEST(attach_works_once)
{
    int fd = raw_open();
    uint8_t *map = raw_attach(fd, BULK_SIZE);
    int second = raw_buffer(BULK_SIZE);
    struct body body = body_put("k", "", 0, 0);

    raw_attach_fds(fd, &second, 1, -EALREADY);
    raw_attach_fds(fd, &second, 1, -EALREADY);
    close(second);
    memcpy(map + 100, "of the first buffer", 19); /* which is still the one */
    raw_call_bulk(fd, OPERATION_PUT, &body, 100, 19, 0);
    harness_expect(raw_witness, "k", "of the first buffer");
    munmap(map, BULK_SIZE);
    raw_done(fd);
}
END_TEST

START_TEST(descriptors_that_are_no_memfd_are_refused)
{
    char path[128];
    int fds[2];

    snprintf(path, sizeof(path), "%s/file", harness_folder); /* on tmpfs, as memfds are */
    fds[0] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(ftruncate(fds[0], BULK_SIZE), 0);
    expect_not_attached(fds[0], -EINVAL);
    expect_not_attached(fileno(tmpfile()), -EINVAL);
    expect_not_attached(open("/dev/zero", O_RDWR | O_CLOEXEC), -EINVAL);
    expect_not_attached(open("/dev/null", O_RDWR | O_CLOEXEC), -EINVAL);
    expect_not_attached(open(harness_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), -EINVAL);
    expect_not_attached(open("/proc/self/mem", O_RDWR | O_CLOEXEC), -EINVAL);
    expect_not_attached(open("/", O_PATH | O_CLOEXEC), -EINVAL);
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    expect_not_attached(fds[0], -EINVAL);
    expect_not_attached(fds[1], -EINVAL);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    expect_not_attached(fds[0], -EINVAL);
    expect_not_attached(fds[1], -EINVAL);
}
END_TEST

START_TEST(memfds_that_are_no_buffer_are_refused)
{
    char path[64];
    int good = raw_buffer(BULK_SIZE);

    expect_not_attached(raw_memfd(MFD_ALLOW_SEALING, BULK_SIZE, 0), -EINVAL);
    expect_not_attached(raw_memfd(0, BULK_SIZE, 0), -EINVAL);
    expect_not_attached(raw_memfd(MFD_ALLOW_SEALING, BULK_SIZE, F_SEAL_GROW), -EINVAL);
    expect_not_attached(raw_memfd(MFD_ALLOW_SEALING, 0, F_SEAL_SHRINK), -EINVAL);
    expect_not_attached(raw_memfd(MFD_ALLOW_SEALING, BULK_SIZE, F_SEAL_SHRINK | F_SEAL_WRITE),
                        -EINVAL);
    expect_not_attached(
        raw_memfd(MFD_ALLOW_SEALING, BULK_SIZE, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE), -EINVAL);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", good);
    expect_not_attached(open(path, O_RDONLY | O_CLOEXEC), -EINVAL);
    close(good);
}
END_TEST

START_TEST(huge_pages_are_refused)
{
    int fd = memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);

    if (fd < 0 || ftruncate(fd, 4 << 20) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0) {
        harness_skip("huge_pages_are_refused", "no memfd of huge pages can be made here");
        return;
    }
    expect_not_attached(fd, -EINVAL);
}
END_TEST

static bool has_few_descriptors(void *argument)
{
    (void)argument;
    return raw_daemon_descriptors() <= raw_descriptors + 6;
}

START_TEST(descriptors_with_other_frames_are_closed)
{
    struct body body = body_key("small canary");
    int memfd = raw_buffer(BULK_SIZE);
    int fd = raw_open();

    for (int i = 0; i < 50; i++) {
        struct frame_header header = raw_header(OPERATION_EXISTS, body.length);

        ck_assert(raw_send_fds(fd, &header, sizeof(header), &memfd, 1));
        ck_assert(raw_send_fds(fd, body.bytes, body.length, &memfd, 1));
        if (!raw_receive(fd))
            break; /* to close the connection is an answer too */
        harness_await(has_few_descriptors, NULL, "descriptors that nobody asked for to be closed");
    }
    close(memfd);
    close(fd);
}
END_TEST

START_TEST(descriptors_die_with_their_connection)
{
    int memfd = raw_buffer(BULK_SIZE);

    for (int i = 0; i < 100; i++) {
        struct frame_header header = raw_header(OPERATION_ATTACH, 0);
        int fd = raw_open();

        if (i % 2) /* half a frame with its descriptor */
            ck_assert(raw_send_fds(fd, &header, 10, &memfd, 1));
        else
            raw_attach_fds(fd, &memfd, 1, 0);
        close(fd);
    }
    close(memfd);
}
END_TEST

START_TEST(bulk_parts_outside_the_buffer_are_refused)
{
    static const struct {
        uint64_t offset;
        uint32_t length;
    } parts[] = {{0, BULK_SIZE + 1},      {BULK_SIZE, 1},       {BULK_SIZE + 1, 0},
                 {BULK_SIZE - 10, 11},    {1, BULK_SIZE},       {UINT64_MAX, 1},
                 {UINT64_MAX, INT32_MAX}, {UINT64_MAX - 9, 10}, {UINT64_MAX - BULK_SIZE, BULK_SIZE},
                 {1ULL << 63, 10},        {1ULL << 32, 10},     {UINT32_MAX, 2}};
    int fd = raw_open();
    uint8_t *map = raw_attach(fd, BULK_SIZE);

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        struct body body = body_put("k", "", 0, 0);

        raw_call_bulk(fd, OPERATION_PUT, &body, parts[i].offset, parts[i].length, -EINVAL);
        body = body_get("canary", 0, UINT64_MAX);
        raw_call_bulk(fd, OPERATION_GET, &body, parts[i].offset, parts[i].length, -EINVAL);
        body = body_list("");
        raw_call_bulk(fd, OPERATION_LIST, &body, parts[i].offset, parts[i].length, -EINVAL);
    }
    ck_assert_int_eq(memstore_exists(raw_witness, "k", 1), 0);
    munmap(map, BULK_SIZE);
    raw_done(fd);
}
END_TEST

START_TEST(put_with_bulk_has_no_value_in_its_frame)
{
    struct body body = body_put("k", "", 0, 1);
    int fd = raw_open();
    uint8_t *map = raw_attach(fd, BULK_SIZE);

    raw_call_bulk(fd, OPERATION_PUT, &body, 0, 10, -EPROTO);
    ck_assert_int_eq(memstore_exists(raw_witness, "k", 1), 0);
    munmap(map, BULK_SIZE);
    raw_done(fd);
}
END_TEST

START_TEST(value_too_large_is_refused)
{
    struct body body = body_put("k", "", 0, 0);
    int memfd = raw_buffer((off_t)BULK_MAX); /* address space only: nothing is in it */
    int fd = raw_open();

    raw_attach_fds(fd, &memfd, 1, 0);
    close(memfd);
    raw_call_bulk(fd, OPERATION_PUT, &body, 0, UINT32_MAX, -EFBIG);
    raw_call_bulk(fd, OPERATION_PUT, &body, 0, (uint32_t)VALUE_MAX + 1, -EFBIG);
    raw_call_bulk(fd, OPERATION_PUT, &body, 0, (uint32_t)VALUE_MAX, -EDQUOT);
    ck_assert_int_eq(memstore_exists(raw_witness, "k", 1), 0);
    raw_done(fd);
}
END_TEST

static void expect_filled(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != 0xee)
            ck_abort_msg("byte %zu outside of the part was written", i);
    }
}

START_TEST(get_writes_nothing_outside_its_part)
{
    struct body body = body_get("canary", 0, 70000);
    int fd = raw_open();
    uint8_t *map = raw_attach(fd, BULK_SIZE);

    memset(map, 0xee, BULK_SIZE);
    raw_call_bulk(fd, OPERATION_GET, &body, 1001, 70000, 0);
    ck_assert_uint_ne(raw_answer.header.flags & FRAME_BULK, 0);
    ck_assert_uint_eq(raw_answer.header.bulk_length, 70000);
    ck_assert_uint_ge(raw_answer.header.bulk_offset, 1001);
    ck_assert_uint_le(raw_answer.header.bulk_offset + 70000, 1001 + 70000);
    ck_assert_mem_eq(map + raw_answer.header.bulk_offset, raw_canary, 70000);
    expect_filled(map, 1001);
    expect_filled(map + 71001, BULK_SIZE - 71001);
    munmap(map, BULK_SIZE);
    raw_done(fd);
}
END_TEST

START_TEST(answers_that_do_not_fit_say_how_much_they_need)
{
    struct body body = body_get("canary", 0, UINT64_MAX);
    int fd = raw_open();
    uint8_t *map;

    raw_call(fd, OPERATION_GET, &body, -EMSGSIZE);
    ck_assert_uint_eq(raw_answer.header.bulk_length, CANARY_SIZE);
    map = raw_attach(fd, BULK_SIZE);
    raw_call_bulk(fd, OPERATION_GET, &body, 0, CANARY_SIZE - 1, -EMSGSIZE);
    ck_assert_uint_eq(raw_answer.header.bulk_length, CANARY_SIZE);
    raw_call_bulk(fd, OPERATION_GET, &body, BULK_SIZE - CANARY_SIZE, CANARY_SIZE, 0);
    ck_assert_mem_eq(map + raw_answer.header.bulk_offset, raw_canary, CANARY_SIZE);
    munmap(map, BULK_SIZE);
    raw_done(fd);
}
END_TEST

START_TEST(list_that_does_not_fit_says_how_much_it_needs)
{
    struct body body = body_list("entry");
    struct list_answer list;
    uint32_t needed;
    uint8_t *map;
    int fd;

    for (int i = 0; i < 1500; i++) {
        char key[16];

        snprintf(key, sizeof(key), "entry-%04d", i);
        harness_put(raw_witness, key, "v");
    }
    fd = raw_open();
    body = body_list("entry");
    raw_call(fd, OPERATION_LIST, &body, -EMSGSIZE);
    needed = raw_answer.header.bulk_length;
    ck_assert_uint_ge(needed, 1500 * (sizeof(struct object_info) + 10));
    ck_assert_uint_lt(needed, BULK_SIZE);
    map = raw_attach(fd, BULK_SIZE);
    memset(map, 0xee, BULK_SIZE);
    raw_call_bulk(fd, OPERATION_LIST, &body, 64, needed / 2, -EMSGSIZE);
    raw_call_bulk(fd, OPERATION_LIST, &body, 64, needed, 0);
    ck_assert_uint_ne(raw_answer.header.flags & FRAME_BULK, 0);
    memcpy(&list, raw_answer.body, sizeof(list));
    ck_assert_uint_eq(list.count, 1500);
    expect_filled(map, 64);
    expect_filled(map + 64 + needed, BULK_SIZE - 64 - needed);
    munmap(map, BULK_SIZE);
    raw_done(fd);
}
END_TEST

/* ---- a buffer that changes while it is read ---- */

struct tampered {
    uint8_t *map;
    int memfd;
    size_t size; /* of the part that is changed */
};

/* Changes each cache line again and again, as fast as can be; makes holes, and tries to shrink. */
static int tamper(int index, void *argument)
{
    struct tampered *tampered = argument;

    (void)index;
    for (unsigned pass = 1;; pass++) {
        for (size_t i = 0; i + 8 <= tampered->size; i += 64)
            ++*(volatile uint64_t *)(void *)(tampered->map + i);
        if (pass % 1000 > 0)
            continue;
        fallocate(tampered->memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  pass % 128 * (off_t)4096, 40960);
        if (ftruncate(tampered->memfd, 4096) == 0)
            return 1;
    }
}

static void expect_etag_of_its_bytes(const char *key)
{
    struct memstore_object *object = NULL;
    XXH128_canonical_t digest;
    char etag[MEMSTORE_ETAG_SIZE];
    const void *value;
    size_t size;

    ck_assert_int_eq(memstore_get(raw_witness, key, strlen(key), 0, MEMSTORE_TO_END, &object), 0);
    value = memstore_object_value(object, &size);
    XXH128_canonicalFromHash(&digest, XXH3_128bits(value, size));
    for (size_t i = 0; i < sizeof(digest.digest); i++)
        snprintf(etag + 2 * i, 3, "%02x", digest.digest[i]);
    ck_assert_str_eq(memstore_object_etag(object), etag);
    memstore_object_free(object);
}

static const uint32_t tampered_sizes[] = {1000, 10000, 60000, BULK_SIZE};

START_TEST(bytes_that_change_meanwhile_keep_their_etag)
{
    struct tampered tampered = {.memfd = raw_buffer(BULK_SIZE), .size = tampered_sizes[_i]};
    int fd = raw_open();
    pid_t pid;

    tampered.map = mmap(NULL, BULK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, tampered.memfd, 0);
    ck_assert_ptr_ne(tampered.map, MAP_FAILED);
    raw_attach_fds(fd, &tampered.memfd, 1, 0);
    pid = harness_fork(tamper, 0, &tampered);
    for (int i = 0; i < 1000; i++) {
        struct body body = body_put("tampered", "", 0, 0);

        raw_call_bulk(fd, OPERATION_PUT, &body, 0, tampered_sizes[_i], 0);
        expect_etag_of_its_bytes("tampered");
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    munmap(tampered.map, BULK_SIZE);
    close(tampered.memfd);
    raw_done(fd);
}
END_TEST

/* A buffer that its client has forgotten, or made larger, is still a good one. */
START_TEST(buffer_that_grows_is_still_a_buffer)
{
    struct body body = body_put("k", "", 0, 0);
    struct frame_header header = raw_header(OPERATION_PUT, body.length);
    int memfd = raw_buffer(8192);
    int fd = raw_open();

    raw_attach_fds(fd, &memfd, 1, 0);
    ck_assert_int_eq(ftruncate(memfd, 1 << 20), 0);
    header.flags = FRAME_BULK;
    header.bulk_offset = 8000;
    header.bulk_length = 1000; /* inside or outside: the client can't know */
    ck_assert(raw_send_frame(fd, &header, &body));
    ck_assert(raw_receive(fd));
    ck_assert(raw_answer.header.status == 0 || raw_answer.header.status == -EINVAL);
    ck_assert_int_eq(pwrite(memfd, "value", 5, 0), 5);
    close(memfd);
    raw_call_bulk(fd, OPERATION_PUT, &body, 0, 5, 0);
    harness_expect(raw_witness, "k", "value");
    raw_done(fd);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("buffer");
    TCase *buffer = tcase_create("buffer");

    tcase_add_checked_fixture(buffer, raw_setup, raw_teardown);
    suite_add_tcase(s, buffer);
    tcase_add_test(buffer, bulk_needs_a_buffer);
    tcase_add_test(buffer, attach_needs_one_descriptor);
    tcase_add_test(buffer, attach_works_once);
    tcase_add_test(buffer, descriptors_that_are_no_memfd_are_refused);
    tcase_add_test(buffer, memfds_that_are_no_buffer_are_refused);
    tcase_add_test(buffer, huge_pages_are_refused);
    tcase_add_test(buffer, descriptors_with_other_frames_are_closed);
    tcase_add_test(buffer, descriptors_die_with_their_connection);
    tcase_add_test(buffer, bulk_parts_outside_the_buffer_are_refused);
    tcase_add_test(buffer, put_with_bulk_has_no_value_in_its_frame);
    tcase_add_test(buffer, value_too_large_is_refused);
    tcase_add_test(buffer, get_writes_nothing_outside_its_part);
    tcase_add_test(buffer, answers_that_do_not_fit_say_how_much_they_need);
    tcase_add_test(buffer, list_that_does_not_fit_says_how_much_it_needs);
    tcase_add_loop_test(buffer, bytes_that_change_meanwhile_keep_their_etag, 0, 4);
    tcase_add_test(buffer, buffer_that_grows_is_still_a_buffer);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
