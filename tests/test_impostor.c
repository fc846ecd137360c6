/*
 * A daemon that takes a client's ring and does with it what memstored never would: the library
 * gives an error by its deadline, and believes nothing.
 */
#include "common/connection.h"
#include "tests/harness.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LARGE (3 << 20) /* a value that goes through the window, and does not fit it */
#define TIMEOUT 0.3     /* seconds */
#define MANY_BYTES 60000

struct impostor {
    struct connection connection; /* the daemon's side, with or without a ring */
    struct ring_page *page;
    uint32_t changes;
    int buffer; /* the bulk buffer */
};

/* What the test's process looks at. */
static struct shared {
    _Atomic int connections;
    _Atomic ino_t buffers[2];
} * shared;

static char impostor_socket[108];
static pid_t impostor_pid;
static bool takes_no_ring;

/* ---- a daemon ---- */

static void nap(long microseconds)
{
    nanosleep(&(struct timespec){.tv_nsec = microseconds * 1000}, NULL);
}

static bool is_gone(const struct impostor *impostor)
{
    struct pollfd client = {.fd = impostor->connection.fd, .events = POLLRDHUP};

    return poll(&client, 1, 0) > 0 && client.revents & (POLLRDHUP | POLLHUP);
}

static void tell(struct impostor *impostor)
{
    atomic_store(&impostor->page->changes, ++impostor->changes);
    syscall(SYS_futex, &impostor->page->changes, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void wait_for_the_end(struct impostor *impostor)
{
    while (!is_gone(impostor))
        nap(1000);
}

/* The next request; false at the end. */
static bool next_request(struct impostor *impostor, struct frame *ret_frame)
{
    struct connection *connection = &impostor->connection;
    int r = connection_next(connection, ret_frame);

    while (r == 0) {
        bool gone = is_gone(impostor);

        r = connection_receive(connection);
        if (r < 0 || (r == 0 && gone))
            return false;
        if (r > 0 && impostor->page)
            tell(impostor);
        if (r == 0)
            nap(20);
        r = connection_next(connection, ret_frame);
    }
    return r > 0;
}

static void flush(struct impostor *impostor)
{
    while (connection_send(&impostor->connection) == -EAGAIN && !is_gone(impostor)) {
        if (impostor->page)
            tell(impostor);
        nap(20);
    }
    if (impostor->page)
        tell(impostor);
}

/* The answer to a request, with these bytes behind it; it stays queued. */
static void queue_answer(struct impostor *impostor, const struct frame_header *request, int status,
                         const void *body, size_t length)
{
    struct frame_header header = {.operation = request->operation,
                                  .flags = FRAME_ANSWER,
                                  .id = request->id,
                                  .status = status};
    uint8_t *place = connection_queue(&impostor->connection, &header, length);

    if (length > 0)
        memcpy(place, body, length);
}

static void answer(struct impostor *impostor, const struct frame_header *request)
{
    struct hello_answer hello = {.magic = PROTOCOL_MAGIC, .version = PROTOCOL_VERSION};
    struct {
        struct add_answer sum;
        struct object_info info;
    } added = {.info = {.type_length = NO_CONTENT_TYPE}};
    struct object_info info = added.info;

    switch (request->operation) {
    case OPERATION_HELLO:
        queue_answer(impostor, request, 0, &hello, sizeof(hello));
        break;
    case OPERATION_PUT:
        info.size = request->bulk_length;
        queue_answer(impostor, request, 0, &info, sizeof(info));
        break;
    case OPERATION_ADD:
        queue_answer(impostor, request, 0, &added, sizeof(added));
        break;
    default:
        queue_answer(impostor, request, 0, NULL, 0);
        break;
    }
    flush(impostor);
}

static void take_buffer(struct impostor *impostor)
{
    int connection = atomic_load(&shared->connections) - 1;
    struct stat info;

    if (impostor->page)
        connection_receive_bell(&impostor->connection);
    if (connection_take_fds(&impostor->connection, &impostor->buffer, 1) < 0 ||
        fstat(impostor->buffer, &info) < 0)
        return; /* the client has gone, or what it sent has been scribbled over */
    if (connection < 2)
        atomic_store(&shared->buffers[connection], info.st_ino);
}

/* Or does not. */
static void take_ring(struct impostor *impostor, const struct frame_header *request)
{
    void *file;
    int fd;

    if (connection_take_fds(&impostor->connection, &fd, 1) < 0)
        _exit(1);
    if (takes_no_ring) {
        close(fd);
        queue_answer(impostor, request, -EOPNOTSUPP, NULL, 0);
        flush(impostor);
        return;
    }
    file = mmap(NULL, RING_FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (file == MAP_FAILED)
        _exit(1);
    answer(impostor, request);
    connection_use_ring(&impostor->connection, file, true);
    impostor->page = file;
}

/* Answers so many requests as it should, the first ones over the socket. */
static bool behave(struct impostor *impostor, int count)
{
    struct frame frame;

    for (int i = 0; i < count; i++) {
        if (!next_request(impostor, &frame))
            return false;
        if (frame.header.operation == OPERATION_ATTACH)
            take_buffer(impostor);
        if (frame.header.operation == OPERATION_RING)
            take_ring(impostor, &frame.header);
        else
            answer(impostor, &frame.header);
        connection_consume(&impostor->connection, &frame);
    }
    return true;
}

/* ---- lies; each gets a connection that has a ring ---- */

static void tell_truth(struct impostor *impostor)
{
    behave(impostor, INT_MAX);
}

static void take_nothing(struct impostor *impostor)
{
    wait_for_the_end(impostor);
}

static void take_only(struct impostor *impostor)
{
    struct frame frame;

    next_request(impostor, &frame);
    wait_for_the_end(impostor);
}

/* Answers ATTACH and a PUT, and takes nothing more; on the next connection it does. */
static void stop_after_two(struct impostor *impostor)
{
    behave(impostor, atomic_load(&shared->connections) > 1 ? INT_MAX : 2);
    wait_for_the_end(impostor);
}

static void answer_too_far(struct impostor *impostor)
{
    atomic_store(&impostor->page->answers_end, RING_SIZE + 1);
    tell(impostor);
    wait_for_the_end(impostor);
}

static void answer_backwards(struct impostor *impostor)
{
    struct ring_page *page = impostor->page;

    behave(impostor, 1);
    while (atomic_load(&page->answers_start) != atomic_load(&page->answers_end))
        nap(20);
    atomic_fetch_sub(&page->answers_end, 1);
    tell(impostor);
    wait_for_the_end(impostor);
}

static void answer_far_too_far(struct impostor *impostor)
{
    atomic_store(&impostor->page->answers_end, 0x80000000U);
    tell(impostor);
    wait_for_the_end(impostor);
}

static void take_too_much(struct impostor *impostor)
{
    struct frame frame;

    if (!next_request(impostor, &frame))
        return;
    atomic_fetch_add(&impostor->page->requests_start, RING_SIZE);
    answer(impostor, &frame.header);
    wait_for_the_end(impostor);
}

static void answer_wrong_id(struct impostor *impostor)
{
    struct frame frame;

    if (!next_request(impostor, &frame))
        return;
    frame.header.id++;
    answer(impostor, &frame.header);
    wait_for_the_end(impostor);
}

static void answer_impossible_length(struct impostor *impostor)
{
    struct frame frame;

    if (!next_request(impostor, &frame))
        return;
    frame.header.flags = FRAME_ANSWER;
    frame.header.length = FRAME_MAX + 1;
    ring_put(&impostor->connection.ring, (uint8_t *)&frame.header, sizeof(frame.header));
    tell(impostor);
    wait_for_the_end(impostor);
}

static void answer_twice(struct impostor *impostor)
{
    struct frame frame;

    if (!next_request(impostor, &frame))
        return;
    queue_answer(impostor, &frame.header, 0, NULL, 0);
    answer(impostor, &frame.header);
    wait_for_the_end(impostor);
}

/* Before the answer would be whole the deadline is over: there is always a byte, so that nobody
 * who waits for one ever sleeps. */
static void drip(struct impostor *impostor)
{
    uint8_t bytes[MANY_BYTES] = {0};
    struct frame_header header;
    struct frame frame;

    if (!next_request(impostor, &frame))
        return;
    header = frame.header;
    header.flags = FRAME_ANSWER;
    header.length = sizeof(bytes);
    memcpy(bytes, &header, sizeof(header));
    for (size_t i = 0; i < sizeof(bytes) && !is_gone(impostor);) {
        int r = ring_put(&impostor->connection.ring, bytes + i, 1);

        i += r > 0 ? (size_t)r : 0;
        for (int j = 0; j < (harness_is_slow() ? 2000 : 500); j++)
            ring_pause();
    }
}

static void talk_on_the_socket(struct impostor *impostor)
{
    send(impostor->connection.fd, "x", 1, MSG_NOSIGNAL);
    wait_for_the_end(impostor);
}

static void talk_on_the_socket_late(struct impostor *impostor)
{
    struct frame frame;

    next_request(impostor, &frame);
    talk_on_the_socket(impostor);
}

/* Is woken again and again, and reads none of the bytes that wake it; then there is no room for one
 * that has a descriptor. */
static void sleep_always(struct impostor *impostor)
{
    struct frame frame;

    while (next_request(impostor, &frame)) {
        if (frame.header.operation == OPERATION_ATTACH)
            _exit(1);
        atomic_store(&impostor->page->daemon_awaits, UINT32_MAX);
        answer(impostor, &frame.header);
        connection_consume(&impostor->connection, &frame);
    }
}

static void keep_buffer(struct impostor *impostor)
{
    atomic_store(&impostor->page->bulk_use, RING_BULK_DAEMON);
    behave(impostor, INT_MAX);
}

static void drain_nothing(struct impostor *impostor)
{
    behave(impostor, 2); /* the request before, and ATTACH */
    wait_for_the_end(impostor);
}

static void drain_too_much(struct impostor *impostor)
{
    struct frame frame;

    behave(impostor, 2);
    if (!next_request(impostor, &frame))
        return;
    atomic_store(&impostor->page->drained, RING_PROGRESS(frame.header.id, LARGE));
    tell(impostor);
    wait_for_the_end(impostor);
}

/* Says that it does not want the rest. */
static void refuse_the_rest(struct impostor *impostor)
{
    struct frame frame;

    behave(impostor, 2);
    if (!next_request(impostor, &frame))
        return;
    queue_answer(impostor, &frame.header, -EDQUOT, "no", 2);
    flush(impostor);
    connection_consume(&impostor->connection, &frame);
    behave(impostor, INT_MAX);
}

/* Says that a condition failed, in so many bytes. */
static void answer_conflict(struct impostor *impostor, size_t length)
{
    struct frame_header header = {.flags = FRAME_ANSWER | FRAME_CONDITION, .status = -EEXIST};
    const struct condition_failure failure = {.version = 7};
    struct frame frame;

    if (!next_request(impostor, &frame))
        return;
    header.operation = frame.header.operation;
    header.id = frame.header.id;
    memcpy(connection_queue(&impostor->connection, &header, length), &failure, length);
    flush(impostor);
    wait_for_the_end(impostor);
}

static void tell_conflict(struct impostor *impostor)
{
    answer_conflict(impostor, sizeof(struct condition_failure));
}

static void tell_half_a_conflict(struct impostor *impostor)
{
    answer_conflict(impostor, sizeof(struct condition_failure) - 1);
}

static void hang_up(struct impostor *impostor)
{
    struct frame frame;

    next_request(impostor, &frame);
}

static void hang_up_once(struct impostor *impostor)
{
    struct frame frame;

    if (atomic_load(&shared->connections) > 1)
        behave(impostor, INT_MAX);
    else
        next_request(impostor, &frame);
}

/* As one that is killed in its sleep. */
static void hang_up_once_without_a_look(struct impostor *impostor)
{
    if (atomic_load(&shared->connections) > 1)
        behave(impostor, INT_MAX);
    else
        while (atomic_load(&impostor->page->requests_end) == 0)
            nap(20);
}

/* Anything, anywhere. */
static void scribble(struct impostor *impostor)
{
    uint8_t *file = (uint8_t *)impostor->page;
    uint64_t random = (uint64_t)atomic_load(&shared->connections);
    struct frame frame;

    for (int i = 0; i < 30000; i++) {
        uint64_t place;

        if (i % 64 == 0 && is_gone(impostor))
            return;
        if (i % 16 == 0 && random % 3 && next_request(impostor, &frame)) {
            answer(impostor, &frame.header);
            connection_consume(&impostor->connection, &frame);
        }
        harness_fill(&random, sizeof(random), random);
        place = random % 4 ? random % sizeof(struct ring_page) : random % RING_FILE_SIZE;
        file[place] = (uint8_t)(random >> 32);
        if (random % 8 == 0)
            tell(impostor);
    }
}

/* ---- running one ---- */

typedef void (*lie)(struct impostor *impostor);

static void serve(int fd, lie tell_lie)
{
    struct impostor impostor = {.buffer = -1};

    connection_init(&impostor.connection, fd);
    while (!impostor.page && behave(&impostor, 1))
        ;
    if (impostor.page)
        tell_lie(&impostor);
    if (impostor.buffer >= 0)
        close(impostor.buffer);
    connection_finish(&impostor.connection);
}

static lie lie_to_tell;

static int run(int listener, void *argument)
{
    (void)argument;
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0)
            return 1;
        atomic_fetch_add(&shared->connections, 1);
        serve(fd, lie_to_tell);
    }
}

static void impostor_start(lie tell_lie)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(impostor_socket, sizeof(impostor_socket), "%s/impostor", harness_folder);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", impostor_socket);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(listener, 16), 0);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
    lie_to_tell = tell_lie;
    impostor_pid = harness_fork(run, listener, NULL);
    close(listener);
}

/* It must not have ended by itself. */
static void impostor_stop(void)
{
    int status = 0;

    ck_assert_msg(waitpid(impostor_pid, &status, WNOHANG) == 0, "it ended: %x", status);
    kill(impostor_pid, SIGKILL);
    waitpid(impostor_pid, NULL, 0);
}

static struct memstore *open_calls(int timeout, enum memstore_calls calls)
{
    struct memstore_options options = {.size = sizeof(options),
                                       .socket = impostor_socket,
                                       .timeout_ms = timeout,
                                       .reads = MEMSTORE_READS_SOCKET,
                                       .calls = calls};
    struct memstore *store = NULL;

    ck_assert_msg(memstore_open(&options, &store) == 0, "%s", memstore_message());
    return store;
}

static struct memstore *open_impostor(int timeout)
{
    return open_calls(timeout, MEMSTORE_CALLS_RING);
}

/* ---- calls ---- */

static int call_exists(struct memstore *store)
{
    return memstore_exists(store, "k", 1);
}

static int call_exists_twice(struct memstore *store)
{
    ck_assert_int_eq(memstore_exists(store, "k", 1), 1);
    return memstore_exists(store, "k", 1);
}

static int call_delete(struct memstore *store)
{
    return memstore_delete(store, "k", 1);
}

static int call_delete_if(struct memstore *store)
{
    const struct memstore_condition condition = {.size = sizeof(condition), .if_present = 1};

    return memstore_delete_if(store, "k", 1, &condition);
}

static int call_add(struct memstore *store)
{
    return memstore_add(store, "k", 1, 1, NULL);
}

/* A frame that is larger than the ring. */
static int call_put_framed(struct memstore *store)
{
    static char name[30000];
    struct memstore_metadata metadata = {.name = name, .value = ""};
    struct memstore_put_options options = {
        .size = sizeof(options), .metadata = &metadata, .metadata_count = 1};

    memset(name, 'n', sizeof(name) - 1);
    return memstore_put(store, "k", 1, "", 0, &options, NULL);
}

static int call_put_large(struct memstore *store)
{
    static char value[LARGE];

    return memstore_put(store, "k", 1, value, sizeof(value), NULL, NULL);
}

static int call_put_large_after(struct memstore *store)
{
    ck_assert_int_eq(memstore_exists(store, "k", 1), 1);
    return call_put_large(store);
}

static int call_put_large_after_many(struct memstore *store)
{
    for (int i = 0; i < 400; i++)
        ck_assert_int_eq(memstore_exists(store, "k", 1), 1);
    return call_put_large(store);
}

/* ---- tests ---- */

static const struct {
    lie lie;
    int (*call)(struct memstore *store);
    int expected;
} cases[] = {
    {tell_truth, call_exists_twice, 1},
    {tell_truth, call_put_framed, 0},
    {take_nothing, call_exists, -ETIMEDOUT},
    {take_nothing, call_put_framed, -ETIMEDOUT},
    {take_nothing, call_put_large, -ETIMEDOUT},
    {take_only, call_exists, -ETIMEDOUT},
    {answer_too_far, call_exists, -EPROTO},
    {answer_backwards, call_exists_twice, -EPROTO},
    {answer_far_too_far, call_exists, -EPROTO},
    {take_too_much, call_exists_twice, -EPROTO},
    {answer_wrong_id, call_exists, -EPROTO},
    {answer_impossible_length, call_exists, -EPROTO},
    {drip, call_exists, -ETIMEDOUT},
    {talk_on_the_socket, call_exists, -EPROTO},
    {talk_on_the_socket_late, call_exists, -EPROTO},
    {sleep_always, call_put_large_after_many, -ETIMEDOUT},
    {keep_buffer, call_put_large_after, -ETIMEDOUT},
    {drain_nothing, call_put_large_after, -ETIMEDOUT},
    {drain_too_much, call_put_large_after, -EPROTO},
    {refuse_the_rest, call_put_large_after, -EDQUOT},
    {tell_conflict, call_delete_if, -EEXIST},
    {tell_conflict, call_delete, -EPROTO}, /* which had no condition */
    {tell_half_a_conflict, call_delete_if, -EPROTO},
    {hang_up, call_exists, -ECONNRESET},
};

START_TEST(lies_are_errors_by_the_deadline)
{
    int timeout = (int)(harness_seconds(TIMEOUT) * 1000);
    struct memstore *store;
    int64_t start, took;
    int r;

    impostor_start(cases[_i].lie);
    store = open_impostor(timeout);
    start = harness_now();
    r = cases[_i].call(store);
    took = harness_now() - start;
    ck_assert_msg(r == cases[_i].expected, "%d: %s", r, memstore_message());
    if (r == -ETIMEDOUT)
        ck_assert_int_ge(took, timeout - 1);
    ck_assert_int_le(took, timeout + (int64_t)(harness_seconds(0.7) * 1000));
    memstore_close(store);
    impostor_stop();
}
END_TEST

/* As one of an older version. Who does not insist is served over the socket. */
START_TEST(daemon_without_rings_will_do)
{
    int timeout = (int)(harness_seconds(5) * 1000);
    struct memstore *store;

    takes_no_ring = true;
    impostor_start(tell_truth);
    store = open_calls(timeout, MEMSTORE_CALLS_AUTO);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(memstore_exists(store, "k", 1), 1);
    ck_assert_int_eq(call_put_large(store), 0);
    ck_assert_int_eq(atomic_load(&shared->connections), 1);
    memstore_close(store);
    store = open_impostor(timeout);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(memstore_exists(store, "k", 1), -EOPNOTSUPP);
    ck_assert_msg(strstr(memstore_message(), "MEMSTORE_CALLS"), "%s", memstore_message());
    memstore_close(store);
    impostor_stop();
}
END_TEST

/* The first one is the answer; the second one is too much. */
START_TEST(answers_that_nobody_asked_for_end_the_connection)
{
    struct memstore *store;

    impostor_start(answer_twice);
    store = open_impostor((int)(harness_seconds(5) * 1000));
    ck_assert_int_eq(memstore_exists(store, "k", 1), 1);
    ck_assert_int_eq(memstore_exists(store, "k", 1), 1);
    ck_assert_int_eq(atomic_load(&shared->connections), 2);
    memstore_close(store);
    impostor_stop();
}
END_TEST

/* A change that may have been made is not made again; a question is asked again, and what the
 * daemon has not taken. */
START_TEST(request_is_repeated_if_that_does_no_harm)
{
    static int (*const calls[])(struct memstore *) = {call_exists, call_delete, call_delete_if,
                                                      call_add};
    bool is_taken = _i % 2;
    bool changes = _i / 2;
    bool repeats = !is_taken || !changes;
    struct memstore *store;
    int r;

    impostor_start(is_taken ? hang_up_once : hang_up_once_without_a_look);
    store = open_impostor((int)(harness_seconds(5) * 1000));
    r = calls[_i / 2](store);
    ck_assert_int_eq(r, !repeats ? -ECONNRESET : changes ? 0 : 1);
    ck_assert_int_eq(atomic_load(&shared->connections), repeats ? 2 : 1);
    memstore_close(store);
    impostor_stop();
}
END_TEST

/* A daemon that is only slow may find in the ring what has timed out, and read the buffer. */
START_TEST(buffer_of_a_request_in_the_ring_is_not_used_again)
{
    const int expected[] = {0, -ETIMEDOUT, 0};
    char value[20000] = {0};
    struct memstore *store;

    impostor_start(stop_after_two);
    store = open_impostor((int)(harness_seconds(TIMEOUT) * 1000));
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(memstore_put(store, "k", 1, value, sizeof(value), NULL, NULL),
                         expected[i]);
    ck_assert_int_ne(atomic_load(&shared->buffers[0]), 0);
    ck_assert_int_ne(atomic_load(&shared->buffers[1]), 0);
    ck_assert_int_ne(atomic_load(&shared->buffers[0]), atomic_load(&shared->buffers[1]));
    memstore_close(store);
    impostor_stop();
}
END_TEST

START_TEST(anything_in_the_ring_harms_no_client)
{
    int timeout = (int)(harness_seconds(0.02) * 1000);
    struct memstore *store;

    impostor_start(scribble);
    store = open_impostor(timeout);
    for (int i = 0; i < (harness_is_slow() ? 100 : 400); i++) {
        int64_t start = harness_now();
        int (*const calls[])(struct memstore *) = {call_exists, call_put_framed, call_put_large};

        calls[i % 3](store);
        ck_assert_int_le(harness_now() - start, timeout + (int64_t)(harness_seconds(1) * 1000));
    }
    memstore_close(store);
    impostor_stop();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("impostor");
    TCase *tests = tcase_create("impostor");

    tcase_add_checked_fixture(tests, harness_setup, harness_teardown);
    suite_add_tcase(s, tests);
    tcase_add_loop_test(tests, lies_are_errors_by_the_deadline, 0,
                        (int)(sizeof(cases) / sizeof(cases[0])));
    tcase_add_test(tests, daemon_without_rings_will_do);
    tcase_add_test(tests, answers_that_nobody_asked_for_end_the_connection);
    tcase_add_loop_test(tests, request_is_repeated_if_that_does_no_harm, 0, 8);
    tcase_add_test(tests, buffer_of_a_request_in_the_ring_is_not_used_again);
    tcase_add_test(tests, anything_in_the_ring_harms_no_client);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
