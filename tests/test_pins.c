/*
 * Direct readers by raw bytes: the two descriptors, the pin table, and what a liar can do with it.
 */
#include "common/pins.h"
#include "tests/raw.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BULK_SIZE (1 << 20)

/* An answer with descriptors, of which at most two are taken. Returns how many came. */
static size_t receive_with_descriptors(int fd, int fds[2])
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))];
    struct iovec part = {.iov_base = &raw_answer.header, .iov_len = sizeof(raw_answer.header)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    struct cmsghdr *head;
    size_t count;

    ck_assert_int_eq(recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL),
                     (ssize_t)sizeof(raw_answer.header));
    raw_answer.length = raw_answer.header.length - sizeof(raw_answer.header);
    if (raw_answer.length > 0)
        ck_assert_int_eq(recv(fd, raw_answer.body, raw_answer.length, MSG_WAITALL),
                         (ssize_t)raw_answer.length);
    head = CMSG_FIRSTHDR(&message);
    if (!head)
        return 0;
    ck_assert_int_eq(head->cmsg_type, SCM_RIGHTS);
    count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds, CMSG_DATA(head), (count < 2 ? count : 2) * sizeof(int));
    return count;
}

/* Becomes a direct reader; the folder is closed, the pin table returned. */
static int start_direct(int fd)
{
    struct frame_header header = raw_header(OPERATION_DIRECT, 0);
    struct direct_answer direct;
    struct stat info;
    int fds[2];

    ck_assert(raw_send_frame(fd, &header, NULL));
    ck_assert_uint_eq(receive_with_descriptors(fd, fds), 2);
    ck_assert_int_eq(raw_answer.header.status, 0);
    ck_assert_uint_eq(raw_answer.header.operation, OPERATION_DIRECT);
    ck_assert_uint_eq(raw_answer.header.id, header.id);
    ck_assert_uint_eq(raw_answer.length, sizeof(direct));
    memcpy(&direct, raw_answer.body, sizeof(direct));
    ck_assert_int_eq(fstat(fds[0], &info), 0);
    ck_assert(S_ISDIR(info.st_mode));
    ck_assert_int_eq(fstatat(fds[0], "data.mdb", &info, 0), 0);
    ck_assert_uint_ge(direct.map_size, (uint64_t)info.st_size);
    ck_assert_int_eq(fstat(fds[1], &info), 0);
    ck_assert_int_eq(info.st_size, PIN_TABLE_SIZE);
    close(fds[0]);
    return fds[1];
}

static struct pin_table *map_pins(int fd)
{
    struct pin_table *pins = mmap(NULL, PIN_TABLE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    ck_assert_ptr_ne(pins, MAP_FAILED);
    close(fd);
    return pins;
}

START_TEST(direct_hands_out_two_descriptors_once)
{
    int fd = raw_open();
    struct frame_header header = raw_header(OPERATION_DIRECT, 0);
    struct pin_table *pins = map_pins(start_direct(fd));
    int fds[2];

    ck_assert_uint_eq(pins->pid, (uint32_t)getpid());
    ck_assert_uint_eq(pins->stopped, 0);
    for (int i = 0; i < 3; i++) {
        ck_assert(raw_send_frame(fd, &header, NULL));
        ck_assert_uint_eq(receive_with_descriptors(fd, fds), 0);
        ck_assert_int_eq(raw_answer.header.status, -EALREADY);
    }
    ck_assert_uint_eq(harness_stats(raw_witness).readers, 1);
    munmap(pins, PIN_TABLE_SIZE);
    raw_done(fd);
}
END_TEST

START_TEST(direct_and_holders_have_no_body)
{
    int fd = raw_open();
    struct body body = {.length = 0};

    body_add_filler(&body, 1);
    raw_call(fd, OPERATION_DIRECT, &body, -EPROTO);
    raw_call(fd, OPERATION_HOLDERS, &body, -EPROTO);
    raw_expect_alive(fd);
    body_add_filler(&body, 1000);
    raw_call(fd, OPERATION_DIRECT, &body, -EPROTO);
    raw_call(fd, OPERATION_HOLDERS, &body, -EPROTO);
    ck_assert_uint_eq(harness_stats(raw_witness).readers, 0);
    raw_done(fd);
}
END_TEST

START_TEST(direct_takes_no_descriptors)
{
    struct frame_header header = raw_header(OPERATION_DIRECT, 0);
    int memfd = raw_buffer(BULK_SIZE);
    int fd = raw_open();

    ck_assert(raw_send_fds(fd, &header, sizeof(header), &memfd, 1));
    raw_receive(fd); /* whatever it is */
    close(memfd);
    close(fd);
}
END_TEST

static int ask_as_other(int index, void *argument)
{
    int fd = raw_open();

    (void)argument;
    if (index && setresuid(65534, 65534, 65534) < 0)
        return 77;
    close(fd);
    fd = raw_open();
    raw_call(fd, OPERATION_DIRECT, NULL, -EPERM);
    raw_call(fd, OPERATION_STATS, NULL, 0); /* that is all that was refused */
    close(fd);
    return 0;
}

START_TEST(direct_is_not_for_other_users)
{
    pid_t pid;
    int status;

    ck_assert_int_eq(chmod(harness_folder, 0711), 0);
    ck_assert_int_eq(chmod(raw_server->socket, 0666), 0);
    pid = harness_fork(ask_as_other, 1, NULL);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        harness_skip("direct_is_not_for_other_users", "cannot become another user");
    else
        ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(direct_may_be_switched_off)
{
    struct harness_daemon *first = raw_server;

    raw_server = harness_start_apart("off", "--direct", "off");
    ck_assert_int_eq(ask_as_other(0, NULL), 0);
    raw_server = first;
}
END_TEST

/* The first `count` slots name this blob. */
static void scribble(struct pin_table *pins, uint64_t blob, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pins->slots[i] = blob;
}

static bool nothing_is_kept(void *argument)
{
    struct memstore_stats stats = harness_stats(raw_witness);

    (void)argument;
    return stats.garbage == 0 && stats.pinned == 0;
}

/* Whatever it says, others put, get and delete, and get their memory back when it is gone. */
START_TEST(pin_table_of_a_liar_harms_nobody)
{
    static const uint64_t lies[] = {1, UINT64_MAX, UINT64_MAX / 2, 0x0101010101010101};
    int fd = raw_open();
    struct pin_table *pins = map_pins(start_direct(fd));

    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        scribble(pins, lies[i], PIN_SLOTS);
        ck_assert_uint_eq(harness_stats(raw_witness).views, PIN_SLOTS);
        raw_expect_witness();
    }
    for (size_t i = 0; i < PIN_SLOTS; i++) /* every blob there is or will be */
        pins->slots[i] = i + 1;
    pins->pid = UINT32_MAX;
    pins->stopped = 1;
    for (uint64_t i = 0; i < 100; i++) {
        harness_put_filled(raw_witness, "k", 100000, i);
        raw_expect_witness();
    }
    ck_assert_uint_gt(harness_stats(raw_witness).garbage, 0);
    raw_call(fd, OPERATION_HOLDERS, NULL, 0);
    memset((void *)pins, 0xff, PIN_TABLE_SIZE);
    raw_call(fd, OPERATION_HOLDERS, NULL, 0);
    munmap(pins, PIN_TABLE_SIZE);
    raw_done(fd);
    harness_await(nothing_is_kept, NULL, "the memory that the liar kept");
}
END_TEST

static const off_t cuts[] = {0, 1, 100, PIN_TABLE_SIZE - 1, PIN_TABLE_SIZE + 1, 1 << 20};

/* Its views are given up, and the daemon meets no hole. */
START_TEST(pin_table_that_is_cut_harms_nobody)
{
    int fd = raw_open();
    int table = start_direct(fd);
    uint64_t blob = 1;

    ck_assert_int_eq(pwrite(table, &blob, sizeof(blob), offsetof(struct pin_table, slots)),
                     (ssize_t)sizeof(blob));
    if (ftruncate(table, cuts[_i]) < 0) /* to refuse it is as well */
        ck_assert_int_eq(errno, EPERM);
    for (uint64_t i = 0; i < 20; i++) {
        harness_put_filled(raw_witness, "k", 100000, i);
        raw_expect_witness();
    }
    raw_call(fd, OPERATION_HOLDERS, NULL, 0);
    raw_call(fd, OPERATION_STATS, NULL, 0);
    close(table);
    raw_done(fd);
    harness_await(nothing_is_kept, NULL, "memory");
}
END_TEST

START_TEST(holders_name_the_direct_readers)
{
    int first = raw_open();
    int second = raw_open();
    struct list_answer head;
    struct holder holders[2];

    raw_call(first, OPERATION_HOLDERS, NULL, 0);
    memcpy(&head, raw_answer.body, sizeof(head));
    ck_assert_uint_eq(head.count, 0);
    ck_assert_uint_eq(raw_answer.length, sizeof(head));
    close(start_direct(first));
    close(start_direct(second));
    raw_call(first, OPERATION_HOLDERS, NULL, 0);
    memcpy(&head, raw_answer.body, sizeof(head));
    ck_assert_uint_eq(head.count, 2);
    ck_assert_uint_eq(raw_answer.length, sizeof(head) + sizeof(holders));
    memcpy(holders, raw_answer.body + sizeof(head), sizeof(holders));
    ck_assert_uint_eq(holders[1].pid, (uint32_t)getpid());
    ck_assert_uint_eq(holders[1].uid, getuid());
    ck_assert_uint_eq(holders[1].views, 0);
    raw_done(first);
    raw_done(second);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("pins");
    TCase *tests = tcase_create("pins");

    tcase_add_checked_fixture(tests, raw_setup, raw_teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, direct_hands_out_two_descriptors_once);
    tcase_add_test(tests, direct_and_holders_have_no_body);
    tcase_add_test(tests, direct_takes_no_descriptors);
    tcase_add_test(tests, direct_is_not_for_other_users);
    tcase_add_test(tests, direct_may_be_switched_off);
    tcase_add_test(tests, pin_table_of_a_liar_harms_nobody);
    tcase_add_loop_test(tests, pin_table_that_is_cut_harms_nobody, 0,
                        sizeof(cuts) / sizeof(cuts[0]));
    tcase_add_test(tests, holders_name_the_direct_readers);
    suite_add_tcase(s, tests);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
