/* The codec and the buffered connection, over a socketpair: one end ours, the other a raw socket.
 */
#include "common/connection.h"
#include "tests/harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct connection connection;
static int peer;

static void setup(void)
{
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    connection_init(&connection, fds[0]);
    peer = fds[1];
}

static void teardown(void)
{
    connection_finish(&connection);
    if (peer >= 0)
        close(peer);
}

/* Writes a frame of length bytes (header included) to memory; its body depends on the id. */
static size_t frame_make(uint8_t *place, uint64_t id, size_t length)
{
    struct frame_header header = {
        .length = (uint32_t)length, .operation = OPERATION_PUT, .id = id, .status = -5};

    memcpy(place, &header, sizeof(header));
    harness_fill(place + sizeof(header), length - sizeof(header), id);
    return length;
}

static void peer_write(const void *bytes, size_t length)
{
    ck_assert_int_eq(write(peer, bytes, length), (ssize_t)length);
}

static void expect_body(const uint8_t *body, size_t length, uint64_t id)
{
    uint8_t *expected = malloc(length + 1);

    harness_fill(expected, length, id);
    ck_assert(length == 0 || memcmp(body, expected, length) == 0);
    free(expected);
}

/* The next frame is there, whole, with this id; takes it out. */
static void expect_frame(uint64_t id, size_t length)
{
    struct frame frame;

    ck_assert_int_eq(connection_next(&connection, &frame), 1);
    ck_assert_uint_eq(frame.header.length, length);
    ck_assert_uint_eq(frame.header.id, id);
    ck_assert_int_eq(frame.header.status, -5);
    ck_assert_uint_eq(frame.body_length, length - sizeof(frame.header));
    expect_body(frame.body, frame.body_length, id);
    connection_consume(&connection, &frame);
}

static void expect_none(void)
{
    struct frame frame;

    ck_assert_int_eq(connection_next(&connection, &frame), 0);
}

static int open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;

    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* ---- the codec ---- */

START_TEST(header_has_its_layout)
{
    static const uint8_t expected[32] = {0x24, 0,    0,    0, 4, 0,    2,    0,    8,    7,    6,
                                         5,    4,    3,    2, 1, 0xfe, 0xff, 0xff, 0xff, 0x78, 0x56,
                                         0x34, 0x12, 0x10, 0, 0, 0,    0,    0,    0,    0x80};
    const struct frame_header header = {.operation = OPERATION_GET,
                                        .flags = FRAME_BULK,
                                        .id = 0x0102030405060708,
                                        .status = -2,
                                        .bulk_length = 0x12345678,
                                        .bulk_offset = 0x8000000000000010};
    uint8_t bytes[64];
    uint8_t *body = connection_queue(&connection, &header, 4);

    memset(body, 'x', 4);
    ck_assert_uint_eq(connection_unsent(&connection), 36);
    ck_assert_int_eq(connection_send(&connection), 0);
    ck_assert_int_eq(read(peer, bytes, sizeof(bytes)), 36);
    ck_assert_mem_eq(bytes, expected, 32);
    ck_assert_mem_eq(bytes + 32, "xxxx", 4);
}
END_TEST

START_TEST(frame_arrives_byte_by_byte)
{
    uint8_t bytes[100];
    size_t length = frame_make(bytes, 7, sizeof(bytes));

    for (size_t i = 0; i < length; i++) {
        expect_none();
        peer_write(bytes + i, 1);
        ck_assert_int_eq(connection_receive(&connection), 1);
        ck_assert_uint_eq(connection_unread(&connection), i + 1);
    }
    expect_frame(7, length);
    expect_none();
}
END_TEST

START_TEST(several_frames_in_one_read)
{
    uint8_t bytes[1000];
    size_t length = frame_make(bytes, 1, 32);

    length += frame_make(bytes + length, 2, 33);
    length += frame_make(bytes + length, 3, 500);
    peer_write(bytes, length);
    frame_make(bytes, 4, 100);
    peer_write(bytes, 99);
    ck_assert_int_eq(connection_receive(&connection), (int)length + 99);
    expect_frame(1, 32);
    expect_frame(2, 33);
    expect_frame(3, 500);
    expect_none();
    peer_write(bytes + 99, 1);
    ck_assert_int_eq(connection_receive(&connection), 1);
    expect_frame(4, 100);
    expect_none();
}
END_TEST

/* Reading stops while FRAME_MAX bytes wait: that is all a peer can make us hold. */
START_TEST(largest_frames_and_a_full_buffer)
{
    uint8_t *bytes = malloc(FRAME_MAX + 100);

    frame_make(bytes, 1, FRAME_MAX);
    frame_make(bytes + FRAME_MAX, 2, 100);
    peer_write(bytes, FRAME_MAX + 100);
    while (connection_receive(&connection) > 0)
        ;
    ck_assert_uint_eq(connection_unread(&connection), FRAME_MAX);
    ck_assert_int_eq(connection_receive(&connection), 0);
    ck_assert_uint_eq(connection.in.capacity, FRAME_MAX);
    expect_frame(1, FRAME_MAX);
    expect_none();
    ck_assert_int_eq(connection_receive(&connection), 100);
    expect_frame(2, 100);
    free(bytes);
}
END_TEST

/* The rest of a frame has to find room in front of it, where frames were consumed. */
START_TEST(frames_across_the_end_of_the_buffer)
{
    const size_t length = 3 * FRAME_MAX / 4;
    uint8_t *bytes = malloc(2 * length);

    for (uint64_t i = 0; i < 20; i += 2) {
        size_t half = length + length / 4;

        frame_make(bytes, i, length);
        frame_make(bytes + length, i + 1, length);
        peer_write(bytes, half);
        while (connection_receive(&connection) > 0)
            ;
        expect_frame(i, length);
        expect_none();
        peer_write(bytes + half, 2 * length - half);
        while (connection_receive(&connection) > 0)
            ;
        expect_frame(i + 1, length);
    }
    ck_assert_uint_le(connection.in.capacity, FRAME_MAX);
    free(bytes);
}
END_TEST

static const uint32_t impossible[] = {0, 1, 31, FRAME_MAX + 1, 0x7fffffff, 0x80000000, UINT32_MAX};

START_TEST(impossible_length_is_refused)
{
    struct frame_header header = {.length = impossible[_i], .operation = OPERATION_GET};
    struct frame frame;

    peer_write(&header, sizeof(header));
    ck_assert_int_gt(connection_receive(&connection), 0);
    ck_assert_int_eq(connection_next(&connection, &frame), -EPROTO);
    ck_assert_int_eq(connection_next(&connection, &frame), -EPROTO);
}
END_TEST

START_TEST(end_in_the_middle_of_a_frame)
{
    uint8_t bytes[100];

    frame_make(bytes, 1, sizeof(bytes));
    peer_write(bytes, 60);
    close(peer);
    peer = -1;
    ck_assert_int_eq(connection_receive(&connection), 60);
    expect_none();
    ck_assert_int_eq(connection_receive(&connection), -ECONNRESET);
}
END_TEST

START_TEST(end_behind_a_frame)
{
    uint8_t bytes[100];

    frame_make(bytes, 1, sizeof(bytes));
    peer_write(bytes, sizeof(bytes));
    close(peer);
    peer = -1;
    ck_assert_int_eq(connection_receive(&connection), (int)sizeof(bytes));
    ck_assert_int_eq(connection_receive(&connection), -ECONNRESET);
    expect_frame(1, sizeof(bytes));
}
END_TEST

START_TEST(nothing_there_is_no_error)
{
    ck_assert_int_eq(connection_receive(&connection), 0);
    expect_none();
    ck_assert_int_eq(connection_send(&connection), 0);
}
END_TEST

/* ---- sending ---- */

static void queue(uint64_t id, size_t length)
{
    struct frame_header header = {.operation = OPERATION_PUT, .id = id, .status = -5};
    uint8_t *body = connection_queue(&connection, &header, length - sizeof(header));

    ck_assert_ptr_nonnull(body);
    harness_fill(body, length - sizeof(header), id);
}

/* A peer that reads nothing, and then all: nothing is lost, doubled or out of order. */
START_TEST(full_socket)
{
    const uint64_t count = 40;
    struct connection other;
    struct frame frame;
    int r;

    connection_init(&other, peer);
    for (uint64_t i = 0; i < count; i++)
        queue(i, 60000 + i);
    ck_assert_int_eq(connection_send(&connection), -EAGAIN);
    ck_assert_int_eq(connection_send(&connection), -EAGAIN);
    ck_assert_uint_gt(connection_unsent(&connection), 0);
    for (uint64_t i = 0; i < count; i++) {
        while ((r = connection_next(&other, &frame)) == 0) {
            ck_assert_int_gt(connection_receive(&other), 0);
            r = connection_send(&connection);
            ck_assert(r == 0 || r == -EAGAIN);
        }
        ck_assert_int_eq(r, 1);
        ck_assert_uint_eq(frame.header.id, i);
        ck_assert_uint_eq(frame.body_length, 60000 + i - sizeof(frame.header));
        expect_body(frame.body, frame.body_length, i);
        connection_consume(&other, &frame);
    }
    ck_assert_int_eq(connection_send(&connection), 0);
    ck_assert_uint_eq(connection_unread(&other), 0);
    connection_finish(&other);
    peer = -1;
}
END_TEST

/* It is a result, not SIGPIPE. */
START_TEST(sending_to_nobody)
{
    close(peer);
    peer = -1;
    queue(1, 100);
    ck_assert_int_eq(connection_send(&connection), -EPIPE);
    ck_assert_uint_eq(connection_unsent(&connection), 100);
}
END_TEST

START_TEST(idle_connection_owns_no_memory)
{
    uint8_t bytes[5000];

    frame_make(bytes, 1, sizeof(bytes));
    peer_write(bytes, sizeof(bytes));
    ck_assert_int_eq(connection_receive(&connection), (int)sizeof(bytes));
    ck_assert_ptr_nonnull(connection.in.data);
    expect_frame(1, sizeof(bytes));
    ck_assert_ptr_null(connection.in.data);
    ck_assert_int_eq(connection_receive(&connection), 0);
    ck_assert_ptr_null(connection.in.data);
    queue(2, sizeof(bytes));
    ck_assert_ptr_nonnull(connection.out.data);
    ck_assert_int_eq(connection_send(&connection), 0);
    ck_assert_ptr_null(connection.out.data);
}
END_TEST

/* ---- descriptors ---- */

static void peer_write_with_fds(const void *bytes, size_t length, const int *fds, size_t count)
{
    static _Alignas(struct cmsghdr) char control[CMSG_SPACE(100 * sizeof(int))];
    struct iovec vector = {.iov_len = length};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control};
    struct cmsghdr *head;

    memcpy(&vector.iov_base, &bytes, sizeof(bytes)); /* it is not written to */
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(head), fds, count * sizeof(int));
    ck_assert_int_eq(sendmsg(peer, &message, 0), (ssize_t)length);
}

/* A frame with so many copies of one descriptor. */
static void peer_write_frame_with_fds(uint64_t id, int fd, size_t count)
{
    uint8_t bytes[64];
    int fds[100];

    for (size_t i = 0; i < count; i++)
        fds[i] = fd;
    frame_make(bytes, id, sizeof(bytes));
    peer_write_with_fds(bytes, sizeof(bytes), fds, count);
    ck_assert_int_eq(connection_receive(&connection), (int)sizeof(bytes));
    expect_frame(id, sizeof(bytes));
}

static bool same_file(int a, int b)
{
    struct stat left, right;

    ck_assert_int_eq(fstat(a, &left), 0);
    ck_assert_int_eq(fstat(b, &right), 0);
    return left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

static int take_one(void)
{
    int fd;
    int r = connection_take_fds(&connection, &fd, 1);

    return r < 0 ? r : fd;
}

START_TEST(no_descriptor)
{
    uint8_t bytes[64];
    int fds[CONNECTION_FDS];

    frame_make(bytes, 1, sizeof(bytes));
    peer_write(bytes, sizeof(bytes));
    ck_assert_int_eq(connection_receive(&connection), (int)sizeof(bytes));
    ck_assert_int_eq(take_one(), -EBADF);
    ck_assert_int_eq(connection_take_fds(&connection, fds, 2), -EBADF);
}
END_TEST

/* ret_fds is written only on success. */
START_TEST(as_many_descriptors_as_are_expected)
{
    int files[CONNECTION_FDS] = {0};
    int fds[CONNECTION_FDS] = {0};
    uint8_t bytes[64];
    int before;

    for (size_t i = 0; i < CONNECTION_FDS; i++)
        files[i] = memfd_create("test", MFD_CLOEXEC);
    before = open_descriptors();
    frame_make(bytes, 1, sizeof(bytes));
    peer_write_with_fds(bytes, sizeof(bytes), files, (size_t)_i);
    ck_assert_int_eq(connection_receive(&connection), (int)sizeof(bytes));
    ck_assert_int_eq(open_descriptors(), before + _i);
    ck_assert_int_eq(connection_take_fds(&connection, fds, (size_t)_i), 0);
    for (int i = 0; i < _i; i++) {
        ck_assert_int_ne(fds[i], files[i]);
        ck_assert(same_file(fds[i], files[i])); /* in their order */
        ck_assert_int_eq(fcntl(fds[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        close(fds[i]);
    }
    ck_assert_int_eq(take_one(), -EBADF); /* they are taken once */
    ck_assert_int_eq(open_descriptors(), before);
    for (size_t i = 0; i < CONNECTION_FDS; i++)
        close(files[i]);
}
END_TEST

/* Some came, but not enough: they are closed, and the next ones count from zero. */
START_TEST(fewer_descriptors_than_expected)
{
    int memory = memfd_create("test", MFD_CLOEXEC);
    int before = open_descriptors();
    int fds[CONNECTION_FDS] = {-7, -7};
    int fd;

    peer_write_frame_with_fds(1, memory, 1);
    ck_assert_int_eq(connection_take_fds(&connection, fds, 2), -EBADF);
    ck_assert_int_eq(fds[0], -7);
    ck_assert_int_eq(open_descriptors(), before);
    peer_write_frame_with_fds(2, memory, 1);
    fd = take_one();
    ck_assert_int_ge(fd, 0);
    close(fd);
    close(memory);
}
END_TEST

static const size_t too_many[] = {2, 3, 4, 5, 100};

START_TEST(more_descriptors_than_expected)
{
    int memory = memfd_create("test", MFD_CLOEXEC);
    int before = open_descriptors();
    int fd;

    peer_write_frame_with_fds(1, memory, too_many[_i]);
    ck_assert_int_le(open_descriptors(), before + CONNECTION_FDS);
    ck_assert_int_eq(take_one(), -E2BIG);
    ck_assert_int_eq(open_descriptors(), before);
    ck_assert_int_eq(take_one(), -EBADF);
    /* That is over: the next one counts. */
    peer_write_frame_with_fds(2, memory, 1);
    fd = take_one();
    ck_assert_int_ge(fd, 0);
    close(fd);
    close(memory);
}
END_TEST

static const size_t beyond_all_room[] = {3, 4, 5, 100};

START_TEST(more_descriptors_than_there_is_room_for)
{
    int memory = memfd_create("test", MFD_CLOEXEC);
    int before = open_descriptors();
    int fds[CONNECTION_FDS];

    peer_write_frame_with_fds(1, memory, beyond_all_room[_i]);
    ck_assert_int_eq(connection_take_fds(&connection, fds, CONNECTION_FDS), -E2BIG);
    ck_assert_int_eq(open_descriptors(), before);
    close(memory);
}
END_TEST

START_TEST(descriptors_one_after_the_other)
{
    int memory = memfd_create("test", MFD_CLOEXEC);
    int before = open_descriptors();

    for (uint64_t i = 0; i < 100; i++)
        peer_write_frame_with_fds(i, memory, 1);
    ck_assert_int_le(open_descriptors(), before + CONNECTION_FDS);
    ck_assert_int_eq(take_one(), -E2BIG);
    ck_assert_int_eq(open_descriptors(), before);
    close(memory);
}
END_TEST

/* A descriptor that came and could not be had is not the same as none. */
START_TEST(descriptor_without_room)
{
    int memory = memfd_create("test", MFD_CLOEXEC);
    int lowest_free = dup(memory);
    struct rlimit limit;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    close(lowest_free);
    limit.rlim_cur = (rlim_t)lowest_free;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    peer_write_frame_with_fds(1, memory, 1);
    ck_assert_int_eq(take_one(), -EMFILE);
    ck_assert_int_eq(take_one(), -EBADF);
    close(memory);
}
END_TEST

START_TEST(finish_closes_what_was_not_taken)
{
    int memory = memfd_create("test", MFD_CLOEXEC);
    int before = open_descriptors();

    peer_write_frame_with_fds(1, memory, CONNECTION_FDS);
    ck_assert_int_eq(open_descriptors(), before + CONNECTION_FDS);
    connection_finish(&connection);
    ck_assert_int_eq(open_descriptors(), before - 1); /* the socket went too */
    close(memory);
}
END_TEST

/* Those that pass stay their owner's, and go once. */
START_TEST(descriptors_go_with_the_first_byte_and_once)
{
    const size_t count = (size_t)_i;
    int memory = memfd_create("test", MFD_CLOEXEC);
    struct connection other;
    int fds[CONNECTION_FDS];

    connection_init(&other, peer);
    queue(1, 32);
    queue(2, 50);
    connection.passing_fds[0] = memory;
    connection.passing_fds[1] = connection.fd;
    connection.passing = count;
    ck_assert_int_eq(connection_send(&connection), 0);
    ck_assert_uint_eq(connection.passing, 0);
    ck_assert_int_ge(fcntl(memory, F_GETFD), 0);
    ck_assert_int_eq(connection_receive(&other), 82);
    ck_assert_int_eq(connection_take_fds(&other, fds, count), 0);
    ck_assert(same_file(fds[0], memory));
    ck_assert(count == 1 || same_file(fds[1], connection.fd));
    queue(3, 32);
    ck_assert_int_eq(connection_send(&connection), 0);
    ck_assert_int_eq(connection_receive(&other), 32);
    ck_assert_uint_eq(other.received, 0);
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    close(memory);
    connection_finish(&other);
    peer = -1;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("connection");
    TCase *codec = tcase_create("codec");
    TCase *sending = tcase_create("sending");
    TCase *descriptors = tcase_create("descriptors");

    tcase_add_checked_fixture(codec, setup, teardown);
    tcase_add_test(codec, header_has_its_layout);
    tcase_add_test(codec, frame_arrives_byte_by_byte);
    tcase_add_test(codec, several_frames_in_one_read);
    tcase_add_test(codec, largest_frames_and_a_full_buffer);
    tcase_add_test(codec, frames_across_the_end_of_the_buffer);
    tcase_add_loop_test(codec, impossible_length_is_refused, 0,
                        sizeof(impossible) / sizeof(impossible[0]));
    tcase_add_test(codec, end_in_the_middle_of_a_frame);
    tcase_add_test(codec, end_behind_a_frame);
    tcase_add_test(codec, nothing_there_is_no_error);
    suite_add_tcase(suite, codec);
    tcase_add_checked_fixture(sending, setup, teardown);
    tcase_add_test(sending, full_socket);
    tcase_add_test(sending, sending_to_nobody);
    tcase_add_test(sending, idle_connection_owns_no_memory);
    suite_add_tcase(suite, sending);
    tcase_add_checked_fixture(descriptors, setup, teardown);
    tcase_add_test(descriptors, no_descriptor);
    tcase_add_loop_test(descriptors, as_many_descriptors_as_are_expected, 1, CONNECTION_FDS + 1);
    tcase_add_test(descriptors, fewer_descriptors_than_expected);
    tcase_add_loop_test(descriptors, more_descriptors_than_expected, 0,
                        sizeof(too_many) / sizeof(too_many[0]));
    tcase_add_loop_test(descriptors, more_descriptors_than_there_is_room_for, 0,
                        sizeof(beyond_all_room) / sizeof(beyond_all_room[0]));
    tcase_add_test(descriptors, descriptors_one_after_the_other);
    tcase_add_test(descriptors, descriptor_without_room);
    tcase_add_test(descriptors, finish_closes_what_was_not_taken);
    tcase_add_loop_test(descriptors, descriptors_go_with_the_first_byte_and_once, 1,
                        CONNECTION_FDS + 1);
    suite_add_tcase(suite, descriptors);
    return harness_main(suite);
}
