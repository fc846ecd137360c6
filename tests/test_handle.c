/* A handle on the store: opening, threads, deadlines, daemons that go and come back, fork. */
#include "common/protocol.h"
#include "tests/harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8
#define LARGE 3000000

static struct harness_daemon *server;

static void setup(void)
{
    harness_setup();
}

static void setup_server(void)
{
    harness_setup();
    server = harness_start(NULL);
}

static int open_at(const char *socket, int timeout_ms, struct memstore **ret_store)
{
    struct memstore_options options = {
        .size = sizeof(options), .socket = socket, .timeout_ms = timeout_ms};

    return memstore_open(&options, ret_store);
}

/* A handle that asks for everything: a direct read needs no answer. */
static struct memstore *open_that_asks(int timeout_ms)
{
    struct memstore_options options = {.size = sizeof(options),
                                       .socket = server->socket,
                                       .timeout_ms = timeout_ms,
                                       .reads = MEMSTORE_READS_SOCKET};
    struct memstore *store = NULL;

    ck_assert_msg(memstore_open(&options, &store) == 0, "%s", memstore_message());
    return store;
}

static void put_large(struct memstore *store, const char *key, uint64_t seed)
{
    char *bytes = malloc(LARGE);
    int r;

    harness_fill(bytes, LARGE, seed);
    r = memstore_put(store, key, strlen(key), bytes, LARGE, NULL, NULL);
    ck_assert_msg(r == 0, "put %s: %s", key, memstore_message());
    free(bytes);
}

static void expect_large(struct memstore *store, const char *key, uint64_t seed)
{
    char *bytes = malloc(LARGE);
    struct memstore_object *object = NULL;
    int r = memstore_get(store, key, strlen(key), 0, MEMSTORE_TO_END, &object);

    ck_assert_msg(r == 0, "get %s: %s", key, memstore_message());
    harness_fill(bytes, LARGE, seed);
    ck_assert_uint_eq(memstore_object_size(object), LARGE);
    ck_assert_int_eq(memcmp(memstore_object_value(object, NULL), bytes, LARGE), 0);
    memstore_object_free(object);
    free(bytes);
}

/* ---- opening ---- */

START_TEST(open_tells_why_it_cannot)
{
    struct memstore *store = NULL;
    char path[200];
    int fd;

    snprintf(path, sizeof(path), "%s/none", harness_folder);
    ck_assert_int_eq(open_at(path, 1000, &store), -ENOENT);
    ck_assert_msg(strstr(memstore_message(), path), "%s", memstore_message());
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(open_at(path, 1000, &store), -ECONNREFUSED);
    memset(path, 'x', 108);
    path[0] = '/';
    path[108] = '\0';
    ck_assert_int_eq(open_at(path, 1000, &store), -ENAMETOOLONG);
    path[107] = '\0';
    ck_assert_int_eq(open_at(path, 1000, &store), -ENOENT);
    ck_assert_ptr_null(store);
}
END_TEST

START_TEST(open_refuses_wrong_options)
{
    struct memstore_options options = {.size = 0, .socket = server->socket};
    struct memstore *store = NULL;

    ck_assert_int_eq(memstore_open(&options, &store), -EINVAL);
    ck_assert_int_eq(open_at(server->socket, -1, &store), -EINVAL);
    ck_assert_ptr_null(store);
}
END_TEST

START_TEST(open_takes_the_options_of_older_programs)
{
    struct memstore_options options = {.size = offsetof(struct memstore_options, bucket),
                                       .socket = server->socket,
                                       .bucket = "not read",
                                       .timeout_ms = -1};
    struct memstore *store = NULL;

    ck_assert_msg(memstore_open(&options, &store) == 0, "%s", memstore_message());
    harness_put(store, "k", "v");
    memstore_close(store);
}
END_TEST

START_TEST(open_finds_the_bucket)
{
    char name[BUCKET_NAME_MAX + 2];
    struct memstore_options options = {
        .size = sizeof(options), .socket = server->socket, .bucket = "default"};
    struct memstore *store = NULL;

    ck_assert_int_eq(memstore_open(&options, &store), 0);
    memstore_close(store);
    store = NULL;
    options.bucket = "no-such-bucket";
    ck_assert_int_eq(memstore_open(&options, &store), -ENOENT);
    ck_assert_msg(strstr(memstore_message(), "no-such-bucket"), "%s", memstore_message());
    memset(name, 'b', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    options.bucket = name;
    ck_assert_int_eq(memstore_open(&options, &store), -ENAMETOOLONG);
    ck_assert_ptr_null(store);
}
END_TEST

START_TEST(open_reads_the_environment)
{
    struct memstore *store = NULL;

    setenv("MEMSTORE_SOCKET", server->socket, 1);
    ck_assert_msg(memstore_open(NULL, &store) == 0, "%s", memstore_message());
    harness_put(store, "k", "v");
    memstore_close(store);
}
END_TEST

/* ---- descriptors ---- */

/* Counts this process's descriptors: all, or those that a program it executes would get. */
static int count_descriptors(bool inheritable)
{
    DIR *folder = opendir("/proc/self/fd");
    struct dirent *entry;
    int count = 0;

    ck_assert_ptr_nonnull(folder);
    while ((entry = readdir(folder))) {
        int flags = fcntl(atoi(entry->d_name), F_GETFD);

        count += !inheritable || !(flags & FD_CLOEXEC);
    }
    closedir(folder);
    return count;
}

START_TEST(handles_leak_no_descriptor)
{
    int before = count_descriptors(false);

    for (int i = 0; i < 100; i++) {
        struct memstore *store = harness_open(server);
        struct memstore_writer *writer;

        put_large(store, "k", 1);
        ck_assert_int_eq(memstore_writer_open(store, "w", 1, NULL, &writer), 0);
        ck_assert_int_eq(memstore_writer_write(writer, "v", 1), 0);
        if (i % 2)
            memstore_writer_abort(writer);
        else
            ck_assert_int_eq(memstore_writer_commit(writer, NULL), 0);
        memstore_close(store);
    }
    ck_assert_int_eq(count_descriptors(false), before);
}
END_TEST

START_TEST(descriptors_do_not_survive_exec)
{
    int before = count_descriptors(true);
    struct memstore *store = harness_open(server);
    struct memstore_writer *writer;

    put_large(store, "k", 1);
    ck_assert_int_eq(memstore_writer_open(store, "w", 1, NULL, &writer), 0);
    ck_assert_int_eq(memstore_writer_write(writer, "v", 1), 0);
    ck_assert_int_eq(count_descriptors(true), before);
    memstore_writer_abort(writer);
    memstore_close(store);
}
END_TEST

/* ---- threads ---- */

struct worker {
    struct memstore *store;
    int index;
    char error[256];
};

static bool worker_failed(struct worker *worker, int r)
{
    if (r < 0)
        snprintf(worker->error, sizeof(worker->error), "%s", memstore_message());
    return r < 0;
}

/* Puts and gets back values of its own, small and large, with a key that others use as well. */
static bool work_once(struct worker *worker, int round)
{
    size_t size = round % 10 == 0 ? 200000 : 50;
    struct memstore_object *object = NULL;
    char *bytes = malloc(size);
    char key[32];
    bool equal;
    int r;

    snprintf(key, sizeof(key), "own-%d", worker->index);
    harness_fill(bytes, size, (uint64_t)worker->index * 1000 + (uint64_t)round);
    r = memstore_put(worker->store, key, strlen(key), bytes, size, NULL, NULL);
    if (r == 0)
        r = memstore_put(worker->store, "shared", 6, bytes, size, NULL, NULL);
    if (r == 0)
        r = memstore_get(worker->store, key, strlen(key), 0, MEMSTORE_TO_END, &object);
    equal = object && memstore_object_size(object) == size &&
            memcmp(memstore_object_value(object, NULL), bytes, size) == 0;
    free(bytes);
    memstore_object_free(object);
    if (!worker_failed(worker, r) && !equal)
        snprintf(worker->error, sizeof(worker->error), "round %d: other bytes came back", round);
    return !worker->error[0];
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    int missing;

    for (int round = 0; round < 200; round++) {
        if (!work_once(worker, round))
            break;
        missing = memstore_exists(worker->store, "none", 4);
        if (missing != 0)
            snprintf(worker->error, sizeof(worker->error), "exists said %d", missing);
    }
    return NULL;
}

START_TEST(threads_share_a_handle)
{
    struct memstore *store = harness_open(server);
    struct worker workers[THREADS];
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.store = store, .index = i};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_str_eq(workers[i].error, "");
    }
    memstore_close(store);
}
END_TEST

static void *fail_elsewhere(void *store)
{
    return memstore_delete(store, "of-the-thread", 13) == -ENOENT ? NULL : store;
}

START_TEST(messages_belong_to_their_thread)
{
    struct memstore *store = harness_open(server);
    pthread_t thread;
    void *failed;

    ck_assert_int_eq(memstore_delete(store, "of-main", 7), -ENOENT);
    ck_assert_int_eq(pthread_create(&thread, NULL, fail_elsewhere, store), 0);
    pthread_join(thread, &failed);
    ck_assert_ptr_null(failed);
    ck_assert_msg(strstr(memstore_message(), "of-main"), "%s", memstore_message());
    memstore_close(store);
}
END_TEST

/* ---- daemons that do not answer ---- */

enum fake {
    FAKE_NEVER_ACCEPTS,
    FAKE_NEVER_ANSWERS,
    FAKE_ANSWERS_HELLO_ONLY,
    FAKE_DRIPS,
    FAKE_COUNT,
    FAKE_HANGS_UP,
    FAKE_TALKS_GARBAGE,
    FAKE_OTHER_VERSION,
    FAKE_TOO_LONG,
    FAKE_WRONG_ID, /* from here on, of calls after a good HELLO */
    FAKE_WRONG_OPERATION,
    FAKE_WRONG_BULK,
    FAKE_NOT_AN_ERRNO,
    FAKE_SAME_BUFFER, /* tells if a connection has the buffer of the one before */
};

static char fake_socket[108];

static int fake_listen(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    snprintf(fake_socket, sizeof(fake_socket), "%s/fake", harness_folder);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", fake_socket);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(fd, 16), 0);
    return fd;
}

static void fake_send(int fd, const void *bytes, size_t length)
{
    if (send(fd, bytes, length, MSG_NOSIGNAL) < 0)
        _exit(0);
}

static void fake_answer_hello(int fd, struct frame_header header)
{
    struct {
        struct frame_header header;
        struct hello_answer answer;
    } frame = {.header = header};

    frame.header.flags = FRAME_ANSWER;
    frame.header.length = sizeof(frame);
    frame.answer = (struct hello_answer){.magic = PROTOCOL_MAGIC, .version = PROTOCOL_VERSION};
    fake_send(fd, &frame, sizeof(frame));
}

static void fake_answer(int fd, struct frame_header header, enum fake kind)
{
    header.flags = FRAME_ANSWER;
    header.length = sizeof(header);
    if (kind == FAKE_OTHER_VERSION)
        header.status = -EPROTONOSUPPORT;
    if (kind == FAKE_WRONG_ID)
        header.id += 1;
    if (kind == FAKE_WRONG_OPERATION)
        header.operation = OPERATION_STATS;
    if (kind == FAKE_WRONG_BULK)
        header.flags |= FRAME_BULK;
    if (kind == FAKE_NOT_AN_ERRNO)
        header.status = INT32_MIN;
    if (kind == FAKE_TOO_LONG)
        header.length = FRAME_MAX + 1;
    fake_send(fd, &header, sizeof(header));
}

/* A client whose call timed out must not give the same memory to its next connection: a daemon that
 * is only slow may still write to it. */
static void fake_compare_buffer(int fd, struct frame_header header, int buffer)
{
    static ino_t last;
    struct stat info;

    if (buffer < 0 || fstat(buffer, &info) < 0)
        _exit(1);
    close(buffer);
    header.flags = FRAME_ANSWER;
    header.status = -EIO;
    if (info.st_ino == last)
        fake_send(fd, &header, sizeof(header));
    last = info.st_ino;
}

/* One byte a moment: something always comes, and never enough. */
static void fake_drip(int fd, struct frame_header header)
{
    uint8_t bytes[sizeof(header)];

    header.flags = FRAME_ANSWER;
    header.length = 60000;
    memcpy(bytes, &header, sizeof(header));
    for (size_t i = 0;; i++) {
        fake_send(fd, i < sizeof(bytes) ? bytes + i : bytes, 1);
        usleep(20000);
    }
}

/* Receives a header and the descriptor that may come with it. */
static bool fake_receive(int fd, struct frame_header *header, int *ret_buffer)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    struct iovec part = {.iov_base = header, .iov_len = sizeof(*header)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(fd, &message, MSG_WAITALL | MSG_CMSG_CLOEXEC);

    *ret_buffer = -1;
    if (n == sizeof(*header) && CMSG_FIRSTHDR(&message))
        memcpy(ret_buffer, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
    return n == sizeof(*header);
}

static void fake_handle(int fd, struct frame_header header, const uint8_t *body, enum fake kind)
{
    if (kind == FAKE_DRIPS)
        fake_drip(fd, header);
    else if (kind == FAKE_TALKS_GARBAGE)
        fake_send(fd, body, 40);
    else if (kind == FAKE_NEVER_ANSWERS)
        return;
    else if (header.operation == OPERATION_HELLO && kind != FAKE_OTHER_VERSION &&
             kind != FAKE_TOO_LONG)
        fake_answer_hello(fd, header);
    else if (kind != FAKE_ANSWERS_HELLO_ONLY && kind != FAKE_SAME_BUFFER)
        fake_answer(fd, header, kind);
}

static void fake_serve(int fd, enum fake kind)
{
    struct frame_header header;
    uint8_t body[BODY_MAX] = {0};
    int buffer;

    while (fake_receive(fd, &header, &buffer)) {
        size_t length = header.length - sizeof(header);

        if (length > 0 && recv(fd, body, length, MSG_WAITALL) != (ssize_t)length)
            return;
        if (kind == FAKE_HANGS_UP)
            return;
        if (kind == FAKE_SAME_BUFFER && header.operation == OPERATION_ATTACH)
            fake_compare_buffer(fd, header, buffer);
        else
            fake_handle(fd, header, body, kind);
    }
}

static int fake_run(int kind, void *listener)
{
    while (kind != FAKE_NEVER_ACCEPTS) {
        int fd = accept(*(int *)listener, NULL, NULL);

        if (fd < 0)
            return 1;
        fake_serve(fd, (enum fake)kind);
        close(fd);
    }
    pause();
    return 0;
}

static pid_t fake_start(enum fake kind)
{
    int fd = fake_listen();
    pid_t pid = harness_fork(fake_run, (int)kind, &fd);

    setenv("MEMSTORE_READS", "socket", 1); /* nothing of a fake can be read directly */
    close(fd);
    return pid;
}

static void fake_stop(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

START_TEST(no_answer_ends_with_the_deadline)
{
    pid_t pid = fake_start((enum fake)_i);
    int64_t start = harness_now();
    struct memstore *store = NULL;
    int64_t took;
    int r;

    harness_may_ask(); /* a fake has no memory to read in */
    r = open_at(fake_socket, 300, &store);

    if (_i == FAKE_ANSWERS_HELLO_ONLY) {
        ck_assert_msg(r == 0, "%s", memstore_message());
        start = harness_now();
        r = memstore_exists(store, "k", 1);
    }
    took = harness_now() - start;
    ck_assert_msg(r == -ETIMEDOUT, "%d: %s", r, memstore_message());
    ck_assert_int_ge(took, 290);
    ck_assert_int_lt(took, (int64_t)(harness_seconds(4) * 1000));
    memstore_close(store);
    fake_stop(pid);
}
END_TEST

START_TEST(wrong_answer_is_an_error)
{
    static const struct {
        enum fake kind;
        int expected;
    } cases[] = {{FAKE_HANGS_UP, -ECONNRESET},
                 {FAKE_TALKS_GARBAGE, -EPROTO},
                 {FAKE_OTHER_VERSION, -EPROTONOSUPPORT},
                 {FAKE_TOO_LONG, -EPROTO}};
    pid_t pid = fake_start(cases[_i].kind);
    struct memstore *store = NULL;
    int r = open_at(fake_socket, (int)(harness_seconds(5) * 1000), &store);

    ck_assert_msg(r == cases[_i].expected, "%d: %s", r, memstore_message());
    ck_assert_ptr_null(store);
    fake_stop(pid);
}
END_TEST

START_TEST(wrong_answer_to_a_call_is_an_error)
{
    static const enum fake kinds[] = {FAKE_WRONG_ID, FAKE_WRONG_OPERATION, FAKE_WRONG_BULK,
                                      FAKE_NOT_AN_ERRNO};
    pid_t pid = fake_start(kinds[_i]);
    struct memstore *store = NULL;
    int r;

    ck_assert_msg(open_at(fake_socket, (int)(harness_seconds(5) * 1000), &store) == 0, "%s",
                  memstore_message());
    for (int i = 0; i < 2; i++) {
        r = memstore_exists(store, "k", 1);
        ck_assert_msg(r == -EPROTO, "%d: %s", r, memstore_message());
    }
    memstore_close(store);
    fake_stop(pid);
}
END_TEST

START_TEST(buffer_of_a_late_call_is_not_used_again)
{
    pid_t pid = fake_start(FAKE_SAME_BUFFER);
    struct memstore_object *object = NULL;
    struct memstore *store = NULL;
    int r;

    ck_assert_int_eq(open_at(fake_socket, 300, &store), 0);
    for (int i = 0; i < 3; i++) {
        r = memstore_get(store, "k", 1, 0, MEMSTORE_TO_END, &object);
        ck_assert_msg(r == -ETIMEDOUT, "%d: %s", r, memstore_message());
    }
    memstore_close(store);
    fake_stop(pid);
}
END_TEST

/* A connect to a full queue must not wait for ever either. */
START_TEST(full_backlog_ends_with_the_deadline)
{
    pid_t pid = fake_start(FAKE_NEVER_ACCEPTS);
    struct memstore *stores[40] = {NULL};
    int64_t start = harness_now();

    for (int i = 0; i < 40; i++) {
        int r = open_at(fake_socket, 20, &stores[i]);

        ck_assert_msg(r == -ETIMEDOUT || r == -ECONNREFUSED, "%d: %s", r, memstore_message());
    }
    ck_assert_int_lt(harness_now() - start, (int64_t)(harness_seconds(10) * 1000));
    fake_stop(pid);
}
END_TEST

/* The late answer of a call that has timed out is no answer to the next one, neither in the
 * socket nor in the bulk buffer. */
START_TEST(late_answers_are_not_mixed_up)
{
    struct memstore *patient = harness_open(server);
    struct memstore *store = open_that_asks(200);
    struct memstore_object *object = NULL;

    put_large(patient, "a", 1);
    put_large(patient, "b", 2);
    harness_put(patient, "c", "three");
    expect_large(patient, "a", 1);
    for (int i = 0; i < 5; i++) {
        const char *key = i % 2 ? "a" : "c";

        kill(server->pid, SIGSTOP);
        ck_assert_int_eq(memstore_get(store, key, 1, 0, MEMSTORE_TO_END, &object), -ETIMEDOUT);
        ck_assert_ptr_null(object);
        kill(server->pid, SIGCONT);
        expect_large(patient, "b", 2);
        harness_expect(patient, "c", "three");
    }
    memstore_close(store);
    store = harness_open(server);
    expect_large(store, "b", 2);
    memstore_close(store);
    memstore_close(patient);
}
END_TEST

START_TEST(handle_is_of_use_after_a_timeout)
{
    struct memstore *store = open_that_asks((int)(harness_seconds(1) * 1000));

    put_large(store, "a", 1);
    put_large(store, "b", 2);
    for (int i = 0; i < 2; i++) {
        struct memstore_object *object = NULL;

        kill(server->pid, SIGSTOP);
        ck_assert_int_eq(memstore_get(store, "a", 1, 0, MEMSTORE_TO_END, &object), -ETIMEDOUT);
        kill(server->pid, SIGCONT);
        expect_large(store, "b", 2);
        ck_assert_int_eq(memstore_exists(store, "none", 4), 0);
        expect_large(store, "a", 1);
    }
    memstore_close(store);
}
END_TEST

/* ---- daemons that pause ---- */

#define PAUSES 500
#define PAUSE_US 1200 /* longer than the daemon looks at a ring that is quiet */
#define BETWEEN_US 300

struct putting {
    struct memstore *store;
    _Atomic unsigned done;
    unsigned wanted;
    _Atomic bool stop;
};

static void *put_until_stop(void *argument)
{
    struct putting *putting = argument;

    while (!putting->stop) {
        harness_put(putting->store, "k", "v");
        putting->done++;
    }
    return NULL;
}

static bool has_got_on(void *argument)
{
    struct putting *putting = argument;

    return putting->done >= putting->wanted;
}

/* Whatever the daemon was about to do, what came meanwhile is seen. */
START_TEST(calls_get_on_after_a_pause_of_the_daemon)
{
    struct putting putting = {.store = harness_open(server)};
    unsigned state = 1;
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, put_until_stop, &putting), 0);
    for (int i = 0; i < PAUSES; i++) {
        usleep((useconds_t)rand_r(&state) % BETWEEN_US);
        kill(server->pid, SIGSTOP);
        usleep(PAUSE_US);
        putting.wanted = putting.done + 3;
        kill(server->pid, SIGCONT);
        harness_await(has_got_on, &putting, "puts after a pause");
    }
    putting.stop = true;
    pthread_join(thread, NULL);
    memstore_close(putting.store);
}
END_TEST

/* ---- daemons that go and come back ---- */

static bool is_gone(int error)
{
    return error == -ENOENT || error == -ECONNREFUSED || error == -ECONNRESET;
}

/* Whatever the first call is that finds the connection gone. */
START_TEST(next_call_connects_anew)
{
    struct harness_daemon *first = harness_start("--keep");
    struct memstore *store = harness_open(first);
    struct memstore_list *list;

    harness_put(store, "k", "v");
    put_large(store, "large", 1);
    if (_i % 2)
        ck_assert_int_eq(harness_stop(first), 0);
    else
        harness_kill(first);
    harness_start("--keep");
    if (_i / 2 == 0)
        harness_expect(store, "k", "v");
    if (_i / 2 == 1)
        harness_put(store, "k", "v");
    if (_i / 2 == 2)
        put_large(store, "large", 1);
    ck_assert_int_eq(memstore_list(store, "", 0, NULL, &list), 0);
    ck_assert_uint_eq(memstore_list_count(list), 2);
    memstore_list_free(list);
    harness_expect(store, "k", "v");
    expect_large(store, "large", 1);
    put_large(store, "more", 2);
    expect_large(store, "more", 2);
    memstore_close(store);
}
END_TEST

START_TEST(calls_without_a_daemon_fail_and_heal)
{
    struct harness_daemon *first = harness_start(NULL);
    struct memstore *store;
    int r;

    harness_may_ask(); /* what is to be seen is the daemon's absence */
    store = harness_open(first);
    harness_put(store, "k", "v");
    ck_assert_int_eq(harness_stop(first), 0);
    for (int i = 0; i < 3; i++) {
        r = memstore_exists(store, "k", 1);
        ck_assert_msg(is_gone(r), "%d: %s", r, memstore_message());
    }
    harness_start(NULL);
    ck_assert_int_eq(memstore_exists(store, "k", 1), 0); /* a new store, and no error */
    harness_put(store, "k", "v");
    harness_expect(store, "k", "v");
    memstore_close(store);
}
END_TEST

static void *call_until_it_fails(void *store)
{
    int r;

    do
        r = memstore_exists(store, "k", 1);
    while (r >= 0);
    return is_gone(r) ? NULL : store;
}

START_TEST(daemon_that_dies_under_calls_is_an_error)
{
    struct harness_daemon *first = harness_start(NULL);
    struct memstore *store;
    pthread_t thread;
    void *failed;

    harness_may_ask(); /* what is to be seen is the daemon's absence */
    store = harness_open(first);
    ck_assert_int_eq(pthread_create(&thread, NULL, call_until_it_fails, store), 0);
    ck_assert_int_ge(memstore_exists(store, "k", 1), 0);
    harness_kill(first);
    pthread_join(thread, &failed);
    ck_assert_ptr_null(failed);
    memstore_close(store);
}
END_TEST

/* ---- fork ---- */

/* Uses the handle that its parent opened, while the parent uses it as well. */
static int use_inherited(int index, void *argument)
{
    struct memstore *store = argument;
    char key[16];
    char value[16];

    snprintf(key, sizeof(key), "child-%d", index);
    for (int i = 0; i < 300; i++) {
        snprintf(value, sizeof(value), "%d", i);
        harness_put(store, key, value);
        harness_expect(store, key, value);
    }
    put_large(store, key, (uint64_t)index);
    expect_large(store, key, (uint64_t)index);
    memstore_close(store);
    return 0;
}

START_TEST(handle_works_on_both_sides_of_a_fork)
{
    struct memstore *store = harness_open(server);
    pid_t children[3];
    int status;

    put_large(store, "parent", 9); /* so that there is a bulk buffer to inherit */
    for (int i = 0; i < 3; i++)
        children[i] = harness_fork(use_inherited, i, store);
    for (int i = 0; i < 300; i++) {
        harness_put(store, "p", "parent");
        harness_expect(store, "p", "parent");
        if (i % 100 == 0)
            expect_large(store, "parent", 9);
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
        ck_assert_int_eq(status, 0);
    }
    for (int i = 0; i < 3; i++) {
        char key[16];

        snprintf(key, sizeof(key), "child-%d", i);
        expect_large(store, key, (uint64_t)i);
    }
    expect_large(store, "parent", 9);
    memstore_close(store);
}
END_TEST

static int only_close(int index, void *argument)
{
    (void)index;
    memstore_close(argument);
    return 0;
}

START_TEST(close_in_a_child_is_the_childs_alone)
{
    struct memstore *store = harness_open(server);
    int status;

    put_large(store, "large", 1);
    for (int i = 0; i < 30; i++) {
        pid_t pid = harness_fork(only_close, i, store);

        while (waitpid(pid, &status, WNOHANG) == 0)
            harness_put(store, "k", "v"); /* fails if the connection ends meanwhile */
        ck_assert_int_eq(status, 0);
        harness_put(store, "k", "v");
    }
    expect_large(store, "large", 1);
    memstore_close(store);
}
END_TEST

static int abort_inherited(int index, void *argument)
{
    if (index % 2)
        memstore_writer_abort(argument);
    return 0;
}

START_TEST(writer_of_the_parent_survives_a_fork)
{
    struct memstore *store = harness_open(server);
    struct memstore_writer *writer;

    ck_assert_int_eq(memstore_writer_open(store, "k", 1, NULL, &writer), 0);
    ck_assert_int_eq(memstore_writer_write(writer, "one ", 4), 0);
    harness_processes(4, abort_inherited, writer);
    ck_assert_int_eq(memstore_writer_write(writer, "two", 3), 0);
    ck_assert_int_eq(memstore_writer_commit(writer, NULL), 0);
    harness_expect(store, "k", "one two");
    memstore_close(store);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("handle");
    TCase *alone = tcase_create("alone");
    TCase *with_server = tcase_create("with a daemon");

    tcase_add_checked_fixture(alone, setup, harness_teardown);
    tcase_add_checked_fixture(with_server, setup_server, harness_teardown);
    suite_add_tcase(s, alone);
    suite_add_tcase(s, with_server);
    tcase_add_test(alone, open_tells_why_it_cannot);
    tcase_add_loop_test(alone, no_answer_ends_with_the_deadline, 0, FAKE_COUNT);
    tcase_add_loop_test(alone, wrong_answer_is_an_error, 0, 4);
    tcase_add_loop_test(alone, wrong_answer_to_a_call_is_an_error, 0, 4);
    tcase_add_test(alone, buffer_of_a_late_call_is_not_used_again);
    tcase_add_test(alone, full_backlog_ends_with_the_deadline);
    tcase_add_loop_test(alone, next_call_connects_anew, 0, 6);
    tcase_add_test(alone, calls_without_a_daemon_fail_and_heal);
    tcase_add_test(alone, daemon_that_dies_under_calls_is_an_error);
    tcase_add_test(with_server, open_refuses_wrong_options);
    tcase_add_test(with_server, open_takes_the_options_of_older_programs);
    tcase_add_test(with_server, open_finds_the_bucket);
    tcase_add_test(with_server, open_reads_the_environment);
    tcase_add_test(with_server, handles_leak_no_descriptor);
    tcase_add_test(with_server, descriptors_do_not_survive_exec);
    tcase_add_test(with_server, threads_share_a_handle);
    tcase_add_test(with_server, messages_belong_to_their_thread);
    tcase_add_test(with_server, late_answers_are_not_mixed_up);
    tcase_add_test(with_server, handle_is_of_use_after_a_timeout);
    tcase_add_test(with_server, calls_get_on_after_a_pause_of_the_daemon);
    tcase_add_test(with_server, handle_works_on_both_sides_of_a_fork);
    tcase_add_test(with_server, close_in_a_child_is_the_childs_alone);
    tcase_add_test(with_server, writer_of_the_parent_survives_a_fork);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
