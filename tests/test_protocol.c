/*
 * Raw bytes against a real daemon: whatever a client sends, it gets a typed error or its own
 * connection is closed, and nobody else notices. The teardown of every test looks at that: another
 * client gets right answers, what was stored is intact, and the daemon has given back what the
 * test's connections cost it.
 */
#include "common/protocol.h"
#include "tests/harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#define CANARY_SIZE 1000000
#define MEMORY_SLACK (16 << 20) /* bytes that the daemon may own beyond what it began with */
#define BULK_SIZE (1 << 20)

struct answer {
    struct frame_header header;
    uint8_t body[BODY_MAX];
    size_t length;
};

struct body {
    uint8_t bytes[FRAME_MAX + 16];
    size_t length;
};

static struct harness_daemon *server;
static struct memstore *witness; /* the client that behaves well */
static char *canary;
static int descriptors_before;
static long memory_before;
static uint64_t next_id = 1000;
static struct answer answer; /* the last one received */

/* ---- the daemon's state, from outside ---- */

static int daemon_descriptors(void)
{
    char path[64];
    DIR *folder;
    int count = 0;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)server->pid);
    folder = opendir(path);
    ck_assert_ptr_nonnull(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* Bytes of memory that are the daemon's own: neither the store nor a client's buffer. */
static long daemon_memory(void)
{
    char path[64];
    char *status;
    char *line;
    long kib;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)server->pid);
    status = harness_read_file(path);
    line = strstr(status, "RssAnon:");
    ck_assert_ptr_nonnull(line);
    kib = strtol(line + 8, NULL, 10);
    free(status);
    return kib * 1024;
}

static void expect_memory_bounded(void)
{
    long memory = daemon_memory();

    if (!harness_is_slow())
        ck_assert_msg(memory <= memory_before + MEMORY_SLACK, "the daemon grew from %ld to %ld",
                      memory_before, memory);
}

static bool only_witness_is_left(void *argument)
{
    struct memstore_stats stats;

    (void)argument;
    ck_assert_int_eq(memstore_stats(witness, &stats, sizeof(stats)), 0);
    return stats.clients == 1 && daemon_descriptors() == descriptors_before;
}

static void expect_witness(void)
{
    struct memstore_object *object = NULL;
    int r = memstore_get(witness, "canary", 6, 0, MEMSTORE_TO_END, &object);

    ck_assert_msg(r == 0, "canary: %s", memstore_message());
    ck_assert_uint_eq(memstore_object_size(object), CANARY_SIZE);
    ck_assert_int_eq(memcmp(memstore_object_value(object, NULL), canary, CANARY_SIZE), 0);
    memstore_object_free(object);
    harness_expect(witness, "small canary", "tweet");
    harness_put(witness, "of the witness", "written");
    harness_expect(witness, "of the witness", "written");
    ck_assert_int_eq(memstore_exists(witness, "none", 4), 0);
}

static uint32_t bucket; /* as HELLO told */

static int connect_hello(void);

static void start(const char *client_timeout)
{
    int r;

    harness_setup();
    server = harness_start("--max-size", "64M", "--client-timeout", client_timeout);
    witness = harness_open(server);
    canary = malloc(CANARY_SIZE);
    harness_fill(canary, CANARY_SIZE, 1);
    r = memstore_put(witness, "canary", 6, canary, CANARY_SIZE, NULL, NULL);
    ck_assert_msg(r == 0, "%s", memstore_message());
    harness_put(witness, "small canary", "tweet");
    expect_witness();
    descriptors_before = daemon_descriptors();
    close(connect_hello()); /* tells the bucket */
    memory_before = daemon_memory();
}

static void setup(void)
{
    start("60");
}

static void setup_impatient(void)
{
    start("1");
}

static void teardown(void)
{
    expect_witness();
    harness_await(only_witness_is_left, NULL, "the daemon keeps clients or descriptors");
    expect_memory_bounded();
    memstore_close(witness);
    free(canary);
    harness_teardown();
}

/* ---- frames ---- */

/* Connects; whatever the test does, no read waits for ever. */
static int connect_raw(void)
{
    struct timeval patience = {.tv_sec = (time_t)harness_seconds(15)};
    int fd = harness_connect(server);

    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
    return fd;
}

/* False if the other side has closed. */
static bool send_bytes(int fd, const void *bytes, size_t length)
{
    const uint8_t *rest = bytes;

    while (length > 0) {
        ssize_t n = send(fd, rest, length, MSG_NOSIGNAL);

        if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
            return false;
        ck_assert_msg(n > 0, "send: %s", strerror(errno));
        rest += n;
        length -= (size_t)n;
    }
    return true;
}

/* Receives exactly that much; false if the stream ends first. */
static bool receive_bytes(int fd, void *bytes, size_t length)
{
    ssize_t n = length > 0 ? recv(fd, bytes, length, MSG_WAITALL) : 0;

    ck_assert_msg(n >= 0 || errno == ECONNRESET, "no answer: %s", strerror(errno));
    return n == (ssize_t)length;
}

static bool receive_answer(int fd)
{
    if (!receive_bytes(fd, &answer.header, sizeof(answer.header)))
        return false;
    ck_assert_uint_ge(answer.header.length, sizeof(answer.header));
    ck_assert_uint_le(answer.header.length, FRAME_MAX);
    ck_assert_uint_eq(answer.header.flags & ~(FRAME_ANSWER | FRAME_BULK), 0);
    ck_assert_uint_ne(answer.header.flags & FRAME_ANSWER, 0);
    ck_assert_int_le(answer.header.status, 0);
    answer.length = answer.header.length - sizeof(answer.header);
    return receive_bytes(fd, answer.body, answer.length);
}

static void expect_closed(int fd)
{
    uint8_t rest[4096];
    ssize_t n;

    do
        n = recv(fd, rest, sizeof(rest), 0);
    while (n > 0);
    ck_assert_msg(n == 0 || errno == ECONNRESET, "not closed: %s", strerror(errno));
    close(fd);
}

static struct frame_header header_of(uint16_t operation, size_t body_length)
{
    return (struct frame_header){.length = (uint32_t)(sizeof(struct frame_header) + body_length),
                                 .operation = operation,
                                 .id = next_id++};
}

static bool send_frame(int fd, const struct frame_header *header, const struct body *body)
{
    uint8_t frame[sizeof(*header) + sizeof(body->bytes)];
    size_t length = body ? body->length : 0;

    memcpy(frame, header, sizeof(*header));
    if (length > 0)
        memcpy(frame + sizeof(*header), body->bytes, length);
    return send_bytes(fd, frame, sizeof(*header) + length);
}

static void expect_answer(int fd, const struct frame_header *request, int status)
{
    ck_assert_msg(receive_answer(fd), "closed instead of answered: operation %d, status %d",
                  request->operation, status);
    ck_assert_uint_eq(answer.header.operation, request->operation);
    ck_assert_uint_eq(answer.header.id, request->id);
    ck_assert_msg(answer.header.status == status, "operation %d: %d (%.*s) instead of %d",
                  request->operation, answer.header.status, (int)answer.length,
                  (const char *)answer.body, status);
}

static void add(struct body *body, const void *bytes, size_t length)
{
    ck_assert_uint_le(body->length + length, sizeof(body->bytes));
    memcpy(body->bytes + body->length, bytes, length);
    body->length += length;
}

static void add_filler(struct body *body, size_t length)
{
    ck_assert_uint_le(body->length + length, sizeof(body->bytes));
    memset(body->bytes + body->length, 'f', length);
    body->length += length;
}

static void call(int fd, uint16_t operation, const struct body *body, int status)
{
    struct frame_header header = header_of(operation, body ? body->length : 0);

    ck_assert(send_frame(fd, &header, body));
    expect_answer(fd, &header, status);
}

static void call_bulk(int fd, uint16_t operation, const struct body *body, uint64_t offset,
                      uint32_t length, int status)
{
    struct frame_header header = header_of(operation, body->length);

    header.flags = FRAME_BULK;
    header.bulk_offset = offset;
    header.bulk_length = length;
    ck_assert(send_frame(fd, &header, body));
    expect_answer(fd, &header, status);
}

static struct body hello_body(uint16_t oldest, uint16_t newest, const char *name)
{
    struct hello_request request = {.magic = PROTOCOL_MAGIC,
                                    .version_min = oldest,
                                    .version_max = newest,
                                    .bucket_length = (uint16_t)strlen(name)};
    struct body body = {.length = 0};

    add(&body, &request, sizeof(request));
    add(&body, name, strlen(name));
    return body;
}

static void say_hello(int fd)
{
    struct body body = hello_body(PROTOCOL_VERSION, PROTOCOL_VERSION, "default");
    struct hello_answer hello;

    call(fd, OPERATION_HELLO, &body, 0);
    ck_assert_uint_eq(answer.length, sizeof(hello));
    memcpy(&hello, answer.body, sizeof(hello));
    ck_assert_uint_eq(hello.magic, PROTOCOL_MAGIC);
    ck_assert_uint_eq(hello.version, PROTOCOL_VERSION);
    ck_assert_uint_eq(hello.pid, (uint32_t)server->pid);
    bucket = hello.bucket;
}

static int connect_hello(void)
{
    int fd = connect_raw();

    say_hello(fd);
    return fd;
}

static struct body key_body(const char *key)
{
    struct key_request request = {.bucket = bucket, .key_length = (uint16_t)strlen(key)};
    struct body body = {.length = 0};

    add(&body, &request, sizeof(request));
    add(&body, key, strlen(key));
    return body;
}

static struct body put_body(const char *key, const void *metadata, size_t metadata_length,
                            size_t value_length)
{
    struct put_request request = {.bucket = bucket,
                                  .key_length = (uint16_t)strlen(key),
                                  .type_length = NO_CONTENT_TYPE,
                                  .metadata_length = (uint32_t)metadata_length};
    struct body body = {.length = 0};

    add(&body, &request, sizeof(request));
    add(&body, key, strlen(key));
    add(&body, metadata, metadata_length);
    add_filler(&body, value_length);
    return body;
}

static struct body get_body(const char *key, uint64_t offset, uint64_t length)
{
    struct get_request request = {
        .bucket = bucket, .key_length = (uint16_t)strlen(key), .offset = offset, .length = length};
    struct body body = {.length = 0};

    add(&body, &request, sizeof(request));
    add(&body, key, strlen(key));
    return body;
}

static struct body list_body(const char *prefix)
{
    struct list_request request = {.bucket = bucket,
                                   .prefix_length = (uint16_t)strlen(prefix),
                                   .after_length = NO_AFTER,
                                   .limit = UINT64_MAX};
    struct body body = {.length = 0};

    add(&body, &request, sizeof(request));
    add(&body, prefix, strlen(prefix));
    return body;
}

static struct body pair_body(const char *source, const char *target)
{
    struct pair_request request = {.bucket = bucket,
                                   .source_length = (uint16_t)strlen(source),
                                   .target_length = (uint16_t)strlen(target)};
    struct body body = {.length = 0};

    add(&body, &request, sizeof(request));
    add(&body, source, strlen(source));
    add(&body, target, strlen(target));
    return body;
}

/* The connection is as good as before: framing was not lost. */
static void expect_alive(int fd)
{
    struct body body = key_body("small canary");

    call(fd, OPERATION_EXISTS, &body, 0);
    ck_assert_uint_eq(answer.length, 0);
}

static void done(int fd)
{
    expect_alive(fd);
    close(fd);
}

/* ---- descriptors ---- */

static bool send_with_descriptors(int fd, const void *bytes, size_t length, const int *fds,
                                  size_t count)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(253 * sizeof(int))] = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    struct cmsghdr *head;
    ssize_t n;

    if (count > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(head), fds, count * sizeof(int));
    }
    n = sendmsg(fd, &message, MSG_NOSIGNAL);
    ck_assert_msg(n == (ssize_t)length || errno == EPIPE, "sendmsg: %s", strerror(errno));
    return n >= 0;
}

static void attach_all(int fd, const int *fds, size_t count, int status)
{
    struct frame_header header = header_of(OPERATION_ATTACH, 0);

    ck_assert(send_with_descriptors(fd, &header, sizeof(header), fds, count));
    expect_answer(fd, &header, status);
}

static int make_memfd(unsigned flags, off_t size, int seals)
{
    int fd = memfd_create("test", flags | MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    if (size > 0)
        ck_assert_int_eq(ftruncate(fd, size), 0);
    if (seals)
        ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static int make_buffer(off_t size)
{
    return make_memfd(MFD_ALLOW_SEALING, size, F_SEAL_SHRINK);
}

/* Attaches a good buffer; it stays mapped until the test ends. */
static uint8_t *attach_buffer(int fd, size_t size)
{
    int memfd = make_buffer((off_t)size);
    uint8_t *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);

    ck_assert_ptr_ne(map, MAP_FAILED);
    attach_all(fd, &memfd, 1, 0);
    close(memfd);
    return map;
}

/* What is no bulk buffer is refused, and the connection can still attach a good one. */
static void expect_not_attached(int wrong, int status)
{
    int fd = connect_hello();
    uint8_t *map;

    attach_all(fd, &wrong, 1, status);
    close(wrong);
    expect_alive(fd);
    map = attach_buffer(fd, BULK_SIZE);
    munmap(map, BULK_SIZE);
    done(fd);
}

/* ---- the first frame ---- */

START_TEST(hello_agrees_on_a_version)
{
    static const uint16_t ranges[][2] = {{1, 1}, {0, 1}, {1, 2}, {0, 65535}};
    struct body body = hello_body(ranges[_i][0], ranges[_i][1], "default");
    int fd = connect_raw();

    call(fd, OPERATION_HELLO, &body, 0);
    done(fd);
}
END_TEST

START_TEST(hello_of_another_version_is_refused)
{
    static const uint16_t ranges[][2] = {{2, 2}, {2, 65535}, {0, 0}};
    struct body body = hello_body(ranges[_i][0], ranges[_i][1], "default");
    int fd = connect_raw();

    call(fd, OPERATION_HELLO, &body, -EPROTONOSUPPORT);
    expect_closed(fd);
}
END_TEST

START_TEST(hello_to_a_bucket_that_does_not_exist_is_refused)
{
    struct body body = hello_body(1, 1, "nothing-like-it");
    int fd = connect_raw();

    call(fd, OPERATION_HELLO, &body, -ENOENT);
    expect_closed(fd);
}
END_TEST

/* Sends a first frame that is none; an error, and the connection ends. */
static void expect_no_hello(uint16_t operation, const struct body *body, int status)
{
    struct frame_header header = header_of(operation, body ? body->length : 0);
    int fd = connect_raw();

    ck_assert(send_frame(fd, &header, body));
    ck_assert(receive_answer(fd));
    ck_assert_uint_eq(answer.header.id, header.id);
    if (status)
        ck_assert_int_eq(answer.header.status, status);
    else
        ck_assert_int_lt(answer.header.status, 0);
    expect_closed(fd);
}

START_TEST(hello_that_is_malformed_is_refused)
{
    struct body body = hello_body(1, 1, "default");

    expect_no_hello(OPERATION_HELLO, NULL, -EPROTO);
    body.length -= 1; /* a name shorter than it says */
    expect_no_hello(OPERATION_HELLO, &body, -EPROTO);
    body.length = sizeof(struct hello_request) - 1;
    expect_no_hello(OPERATION_HELLO, &body, -EPROTO);
    body = hello_body(1, 1, "default");
    add_filler(&body, 1);
    expect_no_hello(OPERATION_HELLO, &body, -EPROTO);
    body = hello_body(1, 1, "default");
    body.bytes[0] ^= 1; /* the magic */
    expect_no_hello(OPERATION_HELLO, &body, -EPROTO);
    body = hello_body(1, 1, "default");
    body.bytes[offsetof(struct hello_request, reserved)] = 1;
    expect_no_hello(OPERATION_HELLO, &body, -EPROTO);
    body = hello_body(1, 1, "");
    expect_no_hello(OPERATION_HELLO, &body, 0);
    body = hello_body(9, 1, "default");
    expect_no_hello(OPERATION_HELLO, &body, 0);
    body = hello_body(1, 1, "12345678901234567890123456789012345678901234567890123456789012345");
    expect_no_hello(OPERATION_HELLO, &body, 0);
}
END_TEST

START_TEST(nothing_goes_before_hello)
{
    struct body body = key_body("small canary");

    expect_no_hello(OPERATION_EXISTS, &body, -EPROTO);
    expect_no_hello(OPERATION_DELETE, &body, -EPROTO);
    expect_no_hello(OPERATION_STATS, NULL, -EPROTO);
    expect_no_hello(OPERATION_ATTACH, NULL, -EPROTO);
    expect_no_hello(0, NULL, -EPROTO);
    expect_no_hello(4711, &body, -EPROTO);
    harness_expect(witness, "small canary", "tweet");
}
END_TEST

START_TEST(hello_comes_once)
{
    struct body body = hello_body(1, 1, "default");
    int fd = connect_hello();

    call(fd, OPERATION_HELLO, &body, -EPROTO);
    done(fd);
}
END_TEST

/* ---- frames that are none ---- */

START_TEST(impossible_length_ends_the_connection)
{
    static const uint32_t lengths[] = {0, 1, 31, FRAME_MAX + 1, 1 << 20, UINT32_MAX};
    struct frame_header header = header_of(OPERATION_STATS, 0);
    int fd = _i % 2 ? connect_raw() : connect_hello();

    header.length = lengths[_i / 2];
    ck_assert(send_frame(fd, &header, NULL));
    ck_assert(receive_answer(fd));
    ck_assert_int_eq(answer.header.status, -EPROTO);
    expect_closed(fd);
}
END_TEST

START_TEST(garbage_ends_the_connection)
{
    static const char *const texts[] = {
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 more and more"};
    int fd = connect_raw();

    send_bytes(fd, texts[_i], strlen(texts[_i]));
    shutdown(fd, SHUT_WR);
    expect_closed(fd);
}
END_TEST

START_TEST(truncated_frames_end_with_their_connection)
{
    struct body body = put_body("small canary", "", 0, 3000);
    struct frame_header header = header_of(OPERATION_PUT, body.length);
    uint8_t frame[sizeof(header) + sizeof(body.bytes)];
    size_t length = sizeof(header) + body.length;

    memcpy(frame, &header, sizeof(header));
    memcpy(frame + sizeof(header), body.bytes, body.length);
    for (size_t cut = 1; cut < length; cut += cut < 64 ? 1 : 97) {
        int fd = connect_hello();

        ck_assert(send_bytes(fd, frame, cut));
        if (cut % 2)
            shutdown(fd, SHUT_WR);
        close(fd);
    }
    harness_expect(witness, "small canary", "tweet");
}
END_TEST

START_TEST(frames_arrive_byte_by_byte)
{
    struct body body = get_body("small canary", 0, UINT64_MAX);
    struct frame_header header = header_of(OPERATION_GET, body.length);
    int fd = connect_hello();

    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof(header); i++)
            ck_assert(send_bytes(fd, (const uint8_t *)&header + i, 1));
        for (size_t i = 0; i < body.length; i++)
            ck_assert(send_bytes(fd, body.bytes + i, 1));
        expect_answer(fd, &header, 0);
        ck_assert_mem_eq(answer.body + answer.length - 5, "tweet", 5);
    }
    done(fd);
}
END_TEST

START_TEST(largest_frame_is_taken)
{
    struct body body = put_body("k", "", 0, BODY_MAX - sizeof(struct put_request) - 1);
    int fd = connect_hello();
    struct memstore_object *object;

    ck_assert_uint_eq(body.length, BODY_MAX);
    call(fd, OPERATION_PUT, &body, 0);
    ck_assert_int_eq(memstore_info(witness, "k", 1, &object), 0);
    ck_assert_uint_eq(memstore_object_size(object), BODY_MAX - sizeof(struct put_request) - 1);
    memstore_object_free(object);
    done(fd);
}
END_TEST

START_TEST(unknown_operations_are_told)
{
    static const uint16_t operations[] = {0, OPERATION_STATS + 1, 100, 0x7fff, 0xffff};
    struct body body = key_body("small canary");
    int fd = connect_hello();

    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        call(fd, operations[i], NULL, -EOPNOTSUPP);
        call(fd, operations[i], &body, -EOPNOTSUPP);
    }
    done(fd);
}
END_TEST

START_TEST(unknown_flags_are_refused)
{
    struct body body = key_body("small canary");
    int fd = connect_hello();

    for (int bit = 0; bit < 16; bit++) {
        struct frame_header header = header_of(OPERATION_DELETE, body.length);

        if (1 << bit == FRAME_BULK)
            continue;
        header.flags = (uint16_t)(1 << bit); /* FRAME_ANSWER among them */
        ck_assert(send_frame(fd, &header, &body));
        expect_answer(fd, &header, -EPROTO);
    }
    harness_expect(witness, "small canary", "tweet");
    done(fd);
}
END_TEST

static void expect_header_refused(int fd, struct frame_header header, const struct body *body)
{
    ck_assert(send_frame(fd, &header, body));
    expect_answer(fd, &header, -EPROTO);
}

START_TEST(header_fields_without_meaning_must_be_zero)
{
    struct body body = key_body("small canary");
    struct frame_header header = header_of(OPERATION_DELETE, body.length);
    struct frame_header changed = header;
    int fd = connect_hello();

    changed.status = -1;
    expect_header_refused(fd, changed, &body);
    changed = header;
    changed.bulk_length = 1;
    expect_header_refused(fd, changed, &body);
    changed = header;
    changed.bulk_offset = 1;
    expect_header_refused(fd, changed, &body);
    changed = header;
    changed.flags = FRAME_BULK; /* an operation without bulk */
    expect_header_refused(fd, changed, &body);
    harness_expect(witness, "small canary", "tweet");
    done(fd);
}
END_TEST

/* ---- bodies that do not add up ---- */

/* The body with one byte less, half of it, nothing of it, and (unless more is allowed) one more. */
static void expect_lengths_matter(int fd, uint16_t operation, const struct body *good, bool more)
{
    struct body body = *good;

    body.length = good->length - 1;
    call(fd, operation, &body, -EPROTO);
    body.length = good->length / 2;
    call(fd, operation, &body, -EPROTO);
    body.length = 1;
    call(fd, operation, &body, -EPROTO);
    body.length = 0;
    call(fd, operation, &body, -EPROTO);
    if (more)
        return;
    body = *good;
    add_filler(&body, 1);
    call(fd, operation, &body, -EPROTO);
    add_filler(&body, 5000);
    call(fd, operation, &body, -EPROTO);
}

START_TEST(bodies_must_be_as_long_as_they_say)
{
    struct body body = key_body("small canary");
    int fd = connect_hello();

    expect_lengths_matter(fd, OPERATION_EXISTS, &body, false);
    expect_lengths_matter(fd, OPERATION_DELETE, &body, false);
    expect_lengths_matter(fd, OPERATION_INFO, &body, false);
    body = get_body("small canary", 0, UINT64_MAX);
    expect_lengths_matter(fd, OPERATION_GET, &body, false);
    body = put_body("small canary", "", 0, 0);
    expect_lengths_matter(fd, OPERATION_PUT, &body, true);
    body = pair_body("small canary", "canary");
    expect_lengths_matter(fd, OPERATION_COPY, &body, false);
    expect_lengths_matter(fd, OPERATION_MOVE, &body, false);
    body = list_body("small");
    expect_lengths_matter(fd, OPERATION_LIST, &body, false);
    body.length = 1;
    call(fd, OPERATION_STATS, &body, -EPROTO);
    call(fd, OPERATION_ATTACH, &body, -EPROTO);
    done(fd);
}
END_TEST

START_TEST(reserved_fields_must_be_zero)
{
    struct body body = key_body("small canary");
    int fd = connect_hello();

    body.bytes[offsetof(struct key_request, reserved)] = 1;
    call(fd, OPERATION_EXISTS, &body, -EPROTO);
    call(fd, OPERATION_DELETE, &body, -EPROTO);
    call(fd, OPERATION_INFO, &body, -EPROTO);
    body = get_body("small canary", 0, UINT64_MAX);
    body.bytes[offsetof(struct get_request, reserved) + 1] = 0x80;
    call(fd, OPERATION_GET, &body, -EPROTO);
    body = put_body("small canary", "", 0, 10);
    body.bytes[offsetof(struct put_request, reserved) + 3] = 0x80;
    call(fd, OPERATION_PUT, &body, -EPROTO);
    done(fd);
}
END_TEST

/* Lengths so large that sums of them do not fit a smaller number. */
START_TEST(lengths_that_overflow_are_refused)
{
    struct body body = put_body("k", "", 0, 100);
    struct put_request request;
    int fd = connect_hello();

    memcpy(&request, body.bytes, sizeof(request));
    for (int i = 0; i < 3; i++) {
        static const uint32_t metadata_lengths[] = {UINT32_MAX, UINT32_MAX - 117, 1U << 31};
        struct frame_header header = header_of(OPERATION_PUT, body.length);

        request.metadata_length = metadata_lengths[i];
        memcpy(body.bytes, &request, sizeof(request));
        ck_assert(send_frame(fd, &header, &body));
        ck_assert(receive_answer(fd));
        ck_assert(answer.header.status == -EPROTO || answer.header.status == -E2BIG);
    }
    ck_assert_int_eq(memstore_exists(witness, "k", 1), 0);
    done(fd);
}
END_TEST

/* ---- what the bodies say ---- */

START_TEST(keys_too_long_are_refused)
{
    char key[KEY_MAX + 2];
    struct body body;
    int fd = connect_hello();

    memset(key, 'k', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    body = key_body(key);
    call(fd, OPERATION_EXISTS, &body, -ENAMETOOLONG);
    call(fd, OPERATION_DELETE, &body, -ENAMETOOLONG);
    call(fd, OPERATION_INFO, &body, -ENAMETOOLONG);
    body = get_body(key, 0, 1);
    call(fd, OPERATION_GET, &body, -ENAMETOOLONG);
    body = put_body(key, "", 0, 1);
    call(fd, OPERATION_PUT, &body, -ENAMETOOLONG);
    body = pair_body(key, "k");
    call(fd, OPERATION_COPY, &body, -ENAMETOOLONG);
    call(fd, OPERATION_MOVE, &body, -ENAMETOOLONG);
    body = pair_body("small canary", key);
    call(fd, OPERATION_COPY, &body, -ENAMETOOLONG);
    call(fd, OPERATION_MOVE, &body, -ENAMETOOLONG);
    body = list_body(key);
    call(fd, OPERATION_LIST, &body, -ENAMETOOLONG);
    key[KEY_MAX] = '\0';
    body = put_body(key, "", 0, 1);
    call(fd, OPERATION_PUT, &body, 0);
    done(fd);
}
END_TEST

static void expect_no_bucket(int fd, uint16_t operation, struct body body, uint32_t id)
{
    memcpy(body.bytes, &id, sizeof(id)); /* it comes first in every request */
    call(fd, operation, &body, -ENOENT);
    ck_assert_ptr_nonnull(memmem(answer.body, answer.length, "bucket", 6));
}

START_TEST(buckets_that_do_not_exist_are_refused)
{
    int fd = connect_hello();
    uint32_t ids[] = {bucket + 1, UINT32_MAX, bucket ^ 0x01000000};

    for (int i = 0; i < 3; i++) {
        expect_no_bucket(fd, OPERATION_EXISTS, key_body("small canary"), ids[i]);
        expect_no_bucket(fd, OPERATION_DELETE, key_body("small canary"), ids[i]);
        expect_no_bucket(fd, OPERATION_INFO, key_body("small canary"), ids[i]);
        expect_no_bucket(fd, OPERATION_GET, get_body("small canary", 0, 1), ids[i]);
        expect_no_bucket(fd, OPERATION_PUT, put_body("small canary", "", 0, 1), ids[i]);
        expect_no_bucket(fd, OPERATION_COPY, pair_body("small canary", "k"), ids[i]);
        expect_no_bucket(fd, OPERATION_MOVE, pair_body("small canary", "k"), ids[i]);
        expect_no_bucket(fd, OPERATION_LIST, list_body(""), ids[i]);
    }
    done(fd);
}
END_TEST

START_TEST(ranges_beyond_the_end_are_refused)
{
    struct body body = get_body("small canary", 6, 1);
    int fd = connect_hello();

    call(fd, OPERATION_GET, &body, -ERANGE);
    body = get_body("small canary", 6, 0);
    call(fd, OPERATION_GET, &body, -ERANGE);
    body = get_body("small canary", UINT64_MAX, UINT64_MAX);
    call(fd, OPERATION_GET, &body, -ERANGE);
    body = get_body("small canary", UINT64_MAX - 1, 3);
    call(fd, OPERATION_GET, &body, -ERANGE);
    body = get_body("small canary", 5, UINT64_MAX);
    call(fd, OPERATION_GET, &body, 0);
    ck_assert_uint_eq(answer.length, sizeof(struct object_info));
    body = get_body("small canary", 3, UINT64_MAX - 1);
    call(fd, OPERATION_GET, &body, 0);
    ck_assert_uint_eq(answer.length, sizeof(struct object_info) + 2);
    done(fd);
}
END_TEST

/* A metadata block of entries "NAME=VALUE"; NULL ends them. */
static struct body block_of(const char *const *entries)
{
    struct body block = {.length = 0};

    for (; *entries; entries++) {
        const char *equals = strchr(*entries, '=');
        struct metadata_entry entry = {.name_length = (uint16_t)(equals - *entries),
                                       .value_length = (uint16_t)strlen(equals + 1)};

        add(&block, &entry, sizeof(entry));
        add(&block, *entries, entry.name_length);
        add(&block, equals + 1, entry.value_length);
    }
    return block;
}

static void put_block(int fd, const struct body *block, int status)
{
    struct body body = put_body("small canary", block->bytes, block->length, 10);

    call(fd, OPERATION_PUT, &body, status);
}

START_TEST(wrong_metadata_is_refused)
{
    static const char *const descending[] = {"b=1", "a=2", NULL};
    static const char *const twice[] = {"a=1", "a=2", NULL};
    static const char *const prefix_last[] = {"ab=1", "a=2", NULL};
    static const char *const unsigned_order[] = {"\xc3\xa9=1", "z=2", NULL};
    static const char *const good[] = {"a=1", "b=2", NULL};
    static const char *const *const blocks[] = {descending, twice, prefix_last, unsigned_order};
    struct body block;
    int fd = connect_hello();

    for (int i = 0; i < 4; i++) {
        block = block_of(blocks[i]);
        put_block(fd, &block, -EINVAL);
    }
    block = block_of(good);
    block.bytes[sizeof(struct metadata_entry)] = '\0'; /* a NUL for a name */
    put_block(fd, &block, -EINVAL);
    block = block_of(good);
    block.bytes[sizeof(struct metadata_entry) + 1] = '\0'; /* and for a value */
    put_block(fd, &block, -EINVAL);
    block = block_of(good);
    block.length -= 1;
    put_block(fd, &block, -EINVAL);
    block.length = 2;
    put_block(fd, &block, -EINVAL);
    block.length = sizeof(struct metadata_entry);
    put_block(fd, &block, -EINVAL);
    harness_expect(witness, "small canary", "tweet");
    block = block_of(good);
    put_block(fd, &block, 0);
    harness_put(witness, "small canary", "tweet");
    done(fd);
}
END_TEST

START_TEST(attributes_too_long_are_refused)
{
    struct metadata_entry entry = {.name_length = 1, .value_length = METADATA_MAX - 4};
    struct put_request request = {.bucket = bucket, .key_length = 1, .type_length = 1025};
    struct body block = {.length = 0};
    struct body body = {.length = 0};
    int fd = connect_hello();

    add(&block, &entry, sizeof(entry));
    add_filler(&block, METADATA_MAX - 3);
    body = put_body("k", block.bytes, block.length, 10);
    call(fd, OPERATION_PUT, &body, -E2BIG);
    body.length = 0;
    add(&body, &request, sizeof(request));
    add_filler(&body, 1 + 1025);
    call(fd, OPERATION_PUT, &body, -E2BIG);
    request.type_length = 3;
    body.length = 0;
    add(&body, &request, sizeof(request));
    add(&body, "kt\0t", 4); /* a NUL in the content type */
    call(fd, OPERATION_PUT, &body, -EINVAL);
    ck_assert_int_eq(memstore_exists(witness, "k", 1), 0);
    done(fd);
}
END_TEST

/* ---- the bulk buffer ---- */

START_TEST(bulk_needs_a_buffer)
{
    struct body body = put_body("k", "", 0, 0);
    int fd = connect_hello();

    call_bulk(fd, OPERATION_PUT, &body, 0, 10, -EINVAL);
    body = get_body("small canary", 0, UINT64_MAX);
    call_bulk(fd, OPERATION_GET, &body, 0, 10, -EINVAL);
    body = list_body("");
    call_bulk(fd, OPERATION_LIST, &body, 0, 10, -EINVAL);
    ck_assert_int_eq(memstore_exists(witness, "k", 1), 0);
    done(fd);
}
END_TEST

START_TEST(attach_needs_one_descriptor)
{
    int fd = connect_hello();
    int fds[100];
    uint8_t *map;

    attach_all(fd, NULL, 0, -EBADF);
    expect_alive(fd);
    for (int i = 0; i < 100; i++)
        fds[i] = make_buffer(4096);
    attach_all(fd, fds, 2, -E2BIG);
    attach_all(fd, fds, 5, -E2BIG);
    attach_all(fd, fds, 100, -E2BIG);
    attach_all(fd, NULL, 0, -EBADF);
    expect_alive(fd);
    for (int i = 0; i < 100; i++)
        close(fds[i]);
    map = attach_buffer(fd, BULK_SIZE);
    munmap(map, BULK_SIZE);
    done(fd);
}
END_TEST

START_TEST(attach_works_once)
{
    int fd = connect_hello();
    uint8_t *map = attach_buffer(fd, BULK_SIZE);
    int second = make_buffer(BULK_SIZE);
    struct body body = put_body("k", "", 0, 0);

    attach_all(fd, &second, 1, -EALREADY);
    attach_all(fd, &second, 1, -EALREADY);
    close(second);
    memcpy(map + 100, "of the first buffer", 19); /* which is still the one */
    call_bulk(fd, OPERATION_PUT, &body, 100, 19, 0);
    harness_expect(witness, "k", "of the first buffer");
    munmap(map, BULK_SIZE);
    done(fd);
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
    int good = make_buffer(BULK_SIZE);

    expect_not_attached(make_memfd(MFD_ALLOW_SEALING, BULK_SIZE, 0), -EINVAL);
    expect_not_attached(make_memfd(0, BULK_SIZE, 0), -EINVAL);
    expect_not_attached(make_memfd(MFD_ALLOW_SEALING, BULK_SIZE, F_SEAL_GROW), -EINVAL);
    expect_not_attached(make_memfd(MFD_ALLOW_SEALING, 0, F_SEAL_SHRINK), -EINVAL);
    expect_not_attached(make_memfd(MFD_ALLOW_SEALING, BULK_SIZE, F_SEAL_SHRINK | F_SEAL_WRITE),
                        -EINVAL);
    expect_not_attached(
        make_memfd(MFD_ALLOW_SEALING, BULK_SIZE, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE), -EINVAL);
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

START_TEST(descriptors_with_other_frames_are_closed)
{
    struct body body = key_body("small canary");
    int memfd = make_buffer(BULK_SIZE);
    int fd = connect_hello();

    for (int i = 0; i < 50; i++) {
        struct frame_header header = header_of(OPERATION_EXISTS, body.length);

        ck_assert(send_with_descriptors(fd, &header, sizeof(header), &memfd, 1));
        ck_assert(send_with_descriptors(fd, body.bytes, body.length, &memfd, 1));
        if (!receive_answer(fd))
            break; /* to close the connection is an answer too */
        ck_assert_int_le(daemon_descriptors(), descriptors_before + 6);
    }
    close(memfd);
    close(fd);
}
END_TEST

START_TEST(descriptors_die_with_their_connection)
{
    int memfd = make_buffer(BULK_SIZE);

    for (int i = 0; i < 100; i++) {
        struct frame_header header = header_of(OPERATION_ATTACH, 0);
        int fd = connect_hello();

        if (i % 2) /* half a frame with its descriptor */
            ck_assert(send_with_descriptors(fd, &header, 10, &memfd, 1));
        else
            attach_all(fd, &memfd, 1, 0);
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
    int fd = connect_hello();
    uint8_t *map = attach_buffer(fd, BULK_SIZE);

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        struct body body = put_body("k", "", 0, 0);

        call_bulk(fd, OPERATION_PUT, &body, parts[i].offset, parts[i].length, -EINVAL);
        body = get_body("canary", 0, UINT64_MAX);
        call_bulk(fd, OPERATION_GET, &body, parts[i].offset, parts[i].length, -EINVAL);
        body = list_body("");
        call_bulk(fd, OPERATION_LIST, &body, parts[i].offset, parts[i].length, -EINVAL);
    }
    ck_assert_int_eq(memstore_exists(witness, "k", 1), 0);
    munmap(map, BULK_SIZE);
    done(fd);
}
END_TEST

START_TEST(put_with_bulk_has_no_value_in_its_frame)
{
    struct body body = put_body("k", "", 0, 1);
    int fd = connect_hello();
    uint8_t *map = attach_buffer(fd, BULK_SIZE);

    call_bulk(fd, OPERATION_PUT, &body, 0, 10, -EPROTO);
    ck_assert_int_eq(memstore_exists(witness, "k", 1), 0);
    munmap(map, BULK_SIZE);
    done(fd);
}
END_TEST

START_TEST(value_too_large_is_refused)
{
    struct body body = put_body("k", "", 0, 0);
    int memfd = make_buffer((off_t)BULK_MAX); /* address space only: nothing is in it */
    int fd = connect_hello();

    attach_all(fd, &memfd, 1, 0);
    close(memfd);
    call_bulk(fd, OPERATION_PUT, &body, 0, UINT32_MAX, -EFBIG);
    call_bulk(fd, OPERATION_PUT, &body, 0, (uint32_t)VALUE_MAX + 1, -EFBIG);
    call_bulk(fd, OPERATION_PUT, &body, 0, (uint32_t)VALUE_MAX, -EDQUOT);
    ck_assert_int_eq(memstore_exists(witness, "k", 1), 0);
    done(fd);
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
    struct body body = get_body("canary", 0, 70000);
    int fd = connect_hello();
    uint8_t *map = attach_buffer(fd, BULK_SIZE);

    memset(map, 0xee, BULK_SIZE);
    call_bulk(fd, OPERATION_GET, &body, 1001, 70000, 0);
    ck_assert_uint_ne(answer.header.flags & FRAME_BULK, 0);
    ck_assert_uint_eq(answer.header.bulk_length, 70000);
    ck_assert_uint_ge(answer.header.bulk_offset, 1001);
    ck_assert_uint_le(answer.header.bulk_offset + 70000, 1001 + 70000);
    ck_assert_mem_eq(map + answer.header.bulk_offset, canary, 70000);
    expect_filled(map, 1001);
    expect_filled(map + 71001, BULK_SIZE - 71001);
    munmap(map, BULK_SIZE);
    done(fd);
}
END_TEST

START_TEST(answers_that_do_not_fit_say_how_much_they_need)
{
    struct body body = get_body("canary", 0, UINT64_MAX);
    int fd = connect_hello();
    uint8_t *map;

    call(fd, OPERATION_GET, &body, -EMSGSIZE);
    ck_assert_uint_eq(answer.header.bulk_length, CANARY_SIZE);
    map = attach_buffer(fd, BULK_SIZE);
    call_bulk(fd, OPERATION_GET, &body, 0, CANARY_SIZE - 1, -EMSGSIZE);
    ck_assert_uint_eq(answer.header.bulk_length, CANARY_SIZE);
    call_bulk(fd, OPERATION_GET, &body, BULK_SIZE - CANARY_SIZE, CANARY_SIZE, 0);
    ck_assert_mem_eq(map + answer.header.bulk_offset, canary, CANARY_SIZE);
    munmap(map, BULK_SIZE);
    done(fd);
}
END_TEST

START_TEST(list_that_does_not_fit_says_how_much_it_needs)
{
    struct body body = list_body("entry");
    struct list_answer list;
    uint32_t needed;
    uint8_t *map;
    int fd;

    for (int i = 0; i < 1500; i++) {
        char key[16];

        snprintf(key, sizeof(key), "entry-%04d", i);
        harness_put(witness, key, "v");
    }
    fd = connect_hello();
    body = list_body("entry");
    call(fd, OPERATION_LIST, &body, -EMSGSIZE);
    needed = answer.header.bulk_length;
    ck_assert_uint_ge(needed, 1500 * (sizeof(struct object_info) + 10));
    ck_assert_uint_lt(needed, BULK_SIZE);
    map = attach_buffer(fd, BULK_SIZE);
    memset(map, 0xee, BULK_SIZE);
    call_bulk(fd, OPERATION_LIST, &body, 64, needed / 2, -EMSGSIZE);
    call_bulk(fd, OPERATION_LIST, &body, 64, needed, 0);
    ck_assert_uint_ne(answer.header.flags & FRAME_BULK, 0);
    memcpy(&list, answer.body, sizeof(list));
    ck_assert_uint_eq(list.count, 1500);
    expect_filled(map, 64);
    expect_filled(map + 64 + needed, BULK_SIZE - 64 - needed);
    munmap(map, BULK_SIZE);
    done(fd);
}
END_TEST

/* ---- a buffer that changes while it is read ---- */

struct tampered {
    uint8_t *map;
    int memfd;
};

/* Changes every byte again and again, makes holes, and tries to shrink. */
static int tamper(int index, void *argument)
{
    struct tampered *tampered = argument;

    for (uint64_t seed = (uint64_t)index;; seed++) {
        harness_fill(tampered->map, BULK_SIZE, seed);
        fallocate(tampered->memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  (off_t)(seed % 200) * 4096, 40960);
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

    ck_assert_int_eq(memstore_get(witness, key, strlen(key), 0, MEMSTORE_TO_END, &object), 0);
    value = memstore_object_value(object, &size);
    XXH128_canonicalFromHash(&digest, XXH3_128bits(value, size));
    for (size_t i = 0; i < sizeof(digest.digest); i++)
        snprintf(etag + 2 * i, 3, "%02x", digest.digest[i]);
    ck_assert_str_eq(memstore_object_etag(object), etag);
    memstore_object_free(object);
}

static const uint32_t tampered_sizes[] = {1000, 10000, BULK_SIZE};

START_TEST(bytes_that_change_meanwhile_keep_their_etag)
{
    struct tampered tampered = {.memfd = make_buffer(BULK_SIZE)};
    int fd = connect_hello();
    pid_t pid;

    tampered.map = mmap(NULL, BULK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, tampered.memfd, 0);
    ck_assert_ptr_ne(tampered.map, MAP_FAILED);
    attach_all(fd, &tampered.memfd, 1, 0);
    pid = harness_fork(tamper, _i, &tampered);
    for (int i = 0; i < 200; i++) {
        struct body body = put_body("tampered", "", 0, 0);

        call_bulk(fd, OPERATION_PUT, &body, 0, tampered_sizes[_i], 0);
        expect_etag_of_its_bytes("tampered");
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    munmap(tampered.map, BULK_SIZE);
    close(tampered.memfd);
    done(fd);
}
END_TEST

/* A buffer that its client has forgotten, or made larger, is still a good one. */
START_TEST(buffer_that_grows_is_still_a_buffer)
{
    struct body body = put_body("k", "", 0, 0);
    struct frame_header header = header_of(OPERATION_PUT, body.length);
    int memfd = make_buffer(8192);
    int fd = connect_hello();

    attach_all(fd, &memfd, 1, 0);
    ck_assert_int_eq(ftruncate(memfd, 1 << 20), 0);
    header.flags = FRAME_BULK;
    header.bulk_offset = 8000;
    header.bulk_length = 1000; /* inside or outside: the client can't know */
    ck_assert(send_frame(fd, &header, &body));
    ck_assert(receive_answer(fd));
    ck_assert(answer.header.status == 0 || answer.header.status == -EINVAL);
    ck_assert_int_eq(pwrite(memfd, "value", 5, 0), 5);
    close(memfd);
    call_bulk(fd, OPERATION_PUT, &body, 0, 5, 0);
    harness_expect(witness, "k", "value");
    done(fd);
}
END_TEST

/* ---- order ---- */

START_TEST(answers_come_in_the_order_of_requests)
{
    struct body put = put_body("ordered", "", 0, 10);
    struct body get = get_body("ordered", 0, UINT64_MAX);
    struct body list = list_body("ordered");
    struct frame_header headers[300];
    int fd = connect_hello();

    for (int i = 0; i < 300; i++) {
        const struct body *bodies[] = {&put, &get, &list};
        static const uint16_t operations[] = {OPERATION_PUT, OPERATION_GET, OPERATION_LIST};

        headers[i] = header_of(operations[i % 3], bodies[i % 3]->length);
        put.bytes[put.length - 1] = (uint8_t)i; /* each get sees the put before it */
        ck_assert(send_frame(fd, &headers[i], bodies[i % 3]));
    }
    for (int i = 0; i < 300; i++) {
        expect_answer(fd, &headers[i], 0);
        if (i % 3 == 1)
            ck_assert_uint_eq(answer.body[answer.length - 1], (uint8_t)(i - 1));
        if (i % 3 == 2)
            ck_assert_uint_eq(answer.body[0], 1);
    }
    done(fd);
}
END_TEST

START_TEST(ids_are_the_clients_choice)
{
    static const uint64_t ids[] = {0, 0, UINT64_MAX, 1ULL << 63};
    int fd = connect_hello();

    for (int i = 0; i < 4; i++) {
        struct frame_header header = header_of(OPERATION_STATS, 0);

        header.id = ids[i];
        ck_assert(send_frame(fd, &header, NULL));
        expect_answer(fd, &header, 0);
        ck_assert_uint_eq(answer.length, sizeof(struct stats_answer));
    }
    done(fd);
}
END_TEST

START_TEST(clients_that_hang_up_are_forgotten)
{
    struct body body = get_body("canary", 0, 60000);

    for (int i = 0; i < 200; i++) {
        int fd = connect_hello();

        for (int j = 0; j < i % 20; j++) {
            struct frame_header header = header_of(OPERATION_GET, body.length);

            ck_assert(send_frame(fd, &header, &body));
        }
        close(fd);
    }
}
END_TEST

/* ---- clients that wait ---- */

static void expect_closed_after_half_a_frame(size_t sent)
{
    struct body body = put_body("small canary", "", 0, 1000);
    struct frame_header header = header_of(OPERATION_PUT, body.length);
    uint8_t frame[sizeof(header) + sizeof(body.bytes)];
    int fd = connect_hello();

    memcpy(frame, &header, sizeof(header));
    memcpy(frame + sizeof(header), body.bytes, body.length);
    ck_assert(send_bytes(fd, frame, sent));
    expect_witness();
    expect_closed(fd);
}

START_TEST(half_a_frame_is_not_waited_for_for_ever)
{
    int idle = connect_hello();

    expect_closed_after_half_a_frame(1);
    expect_closed_after_half_a_frame(sizeof(struct frame_header));
    expect_closed_after_half_a_frame(500);
    done(idle); /* who owes nothing may stay */
}
END_TEST

START_TEST(hello_is_not_waited_for_for_ever)
{
    int fds[20];

    for (int i = 0; i < 20; i++)
        fds[i] = connect_raw();
    expect_witness();
    for (int i = 0; i < 20; i++)
        expect_closed(fds[i]);
}
END_TEST

/* Something always comes, and never enough. */
START_TEST(frames_that_drip_are_not_waited_for_for_ever)
{
    struct frame_header header = header_of(OPERATION_PUT, BODY_MAX);
    int64_t deadline = harness_now() + (int64_t)(harness_seconds(20) * 1000);
    int fd = connect_hello();

    ck_assert(send_bytes(fd, &header, sizeof(header)));
    while (send_bytes(fd, "d", 1)) {
        ck_assert_msg(harness_now() < deadline, "still open");
        poll(NULL, 0, 50);
    }
    expect_closed(fd);
}
END_TEST

/* Sends as long as the other side takes it. True when it has closed the connection. */
static bool flood(int fd, const void *frame, size_t length)
{
    for (;;) {
        ssize_t n = send(fd, frame, length, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EAGAIN)
            return false;
        if (n < 0)
            return true;
        /* What did not fit must follow before the next frame. */
        if ((size_t)n < length && !send_bytes(fd, (const uint8_t *)frame + n, length - (size_t)n))
            return true;
    }
}

/* Twenty clients that send requests without end and read no answer. */
static void expect_flood_is_bounded(const struct frame_header *header, const struct body *body)
{
    int64_t deadline = harness_now() + (int64_t)(harness_seconds(40) * 1000);
    uint8_t frame[sizeof(*header) + sizeof(body->bytes)];
    size_t length = sizeof(*header) + body->length;
    int fds[20];
    int open_ones = 20;

    memcpy(frame, header, sizeof(*header));
    memcpy(frame + sizeof(*header), body->bytes, body->length);
    for (int i = 0; i < 20; i++)
        fds[i] = connect_hello();
    while (open_ones > 0) {
        for (int i = 0; i < 20; i++) {
            if (fds[i] >= 0 && flood(fds[i], frame, length)) {
                close(fds[i]);
                fds[i] = -1;
                open_ones--;
            }
        }
        expect_witness();
        expect_memory_bounded();
        ck_assert_msg(harness_now() < deadline, "%d are still connected", open_ones);
    }
}

START_TEST(unread_answers_are_not_kept_for_ever)
{
    struct body small = {.length = 0};
    struct body get = get_body("canary", 0, 60000);
    struct body list = list_body("");
    struct frame_header header;

    if (_i == 0) {
        header = header_of(OPERATION_STATS, 0);
        expect_flood_is_bounded(&header, &small);
    } else if (_i == 1) {
        header = header_of(OPERATION_GET, get.length);
        expect_flood_is_bounded(&header, &get);
    } else {
        header = header_of(OPERATION_LIST, list.length);
        expect_flood_is_bounded(&header, &list);
    }
}
END_TEST

/* ---- too many ---- */

START_TEST(too_many_clients_are_told)
{
    struct rlimit few = {.rlim_cur = 64, .rlim_max = 64};
    int fds[100];
    int answered = 0;

    ck_assert_int_eq(prlimit(server->pid, RLIMIT_NOFILE, &few, NULL), 0);
    for (int i = 0; i < 100; i++)
        fds[i] = connect_raw();
    expect_witness();
    for (int i = 0; i < 100; i++) {
        struct body body = hello_body(1, 1, "default");
        struct frame_header header = header_of(OPERATION_HELLO, body.length);
        struct pollfd poll_fd = {.fd = fds[i], .events = POLLIN};

        send_frame(fds[i], &header, &body);
        if (poll(&poll_fd, 1, 100) > 0 && receive_answer(fds[i]) && answer.header.status == 0)
            answered++;
    }
    ck_assert_int_gt(answered, 20);
    ck_assert_int_lt(answered, 64);
    expect_witness();
    for (int i = 0; i < 100; i++)
        close(fds[i]);
    done(connect_hello());
}
END_TEST

/* ---- at random ---- */

static uint64_t random_state;

static uint64_t random_number(void)
{
    harness_fill(&random_state, sizeof(random_state), random_state);
    return random_state;
}

/* A good request, of any kind, on keys that no test looks at. */
static struct body random_good(uint16_t *ret_operation, struct frame_header *header)
{
    static const char *const entries[] = {"a=1", "b=2", NULL};
    struct body block = block_of(entries);

    *ret_operation = (uint16_t)(OPERATION_HELLO + random_number() % OPERATION_STATS);
    switch (*ret_operation) {
    case OPERATION_HELLO:
        return hello_body(1, 1, "default");
    case OPERATION_PUT:
        header->flags = random_number() % 3 == 0 ? FRAME_BULK : 0;
        return put_body("fuzz", block.bytes, block.length, header->flags ? 0 : 100);
    case OPERATION_GET:
        header->flags = random_number() % 3 == 0 ? FRAME_BULK : 0;
        return get_body("fuzz", 0, random_number() % 200);
    case OPERATION_EXISTS:
    case OPERATION_DELETE:
    case OPERATION_INFO:
        return key_body("fuzz");
    case OPERATION_LIST:
        header->flags = random_number() % 3 == 0 ? FRAME_BULK : 0;
        return list_body("fuzz");
    case OPERATION_COPY:
    case OPERATION_MOVE:
        return pair_body("fuzz", "fuzzy");
    default:
        return (struct body){.length = 0};
    }
}

/* A good request with some of its bytes changed; its length is mostly left alone. */
static size_t random_mutation(uint8_t *frame)
{
    struct frame_header header = {.id = next_id++};
    struct body body = random_good(&header.operation, &header);
    size_t length = sizeof(header) + body.length;

    header.length = (uint32_t)length;
    header.bulk_length = header.flags ? (uint32_t)(random_number() % 5000) : 0;
    memcpy(frame, &header, sizeof(header));
    memcpy(frame + sizeof(header), body.bytes, body.length);
    for (uint64_t changes = random_number() % 4; changes > 0; changes--) {
        size_t at = random_number() % length;

        if (at < sizeof(header.length) && random_number() % 8)
            continue;
        frame[at] = (uint8_t)random_number();
    }
    return length;
}

/* A frame of a right length with anything in it. */
static size_t random_frame(uint8_t *frame)
{
    size_t length = sizeof(struct frame_header) + random_number() % 300;
    uint32_t told = (uint32_t)length;

    harness_fill(frame, length, random_number());
    memcpy(frame, &told, sizeof(told));
    if (random_number() % 2)
        memset(frame + offsetof(struct frame_header, flags), 0, sizeof(uint16_t));
    if (random_number() % 2)
        frame[offsetof(struct frame_header, operation) + 1] = 0;
    return length;
}

/* Takes what answers there are, which must be whole and well-formed. */
static bool drain(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    while (poll(&poll_fd, 1, 0) > 0) {
        if (!receive_answer(fd))
            return false;
    }
    return true;
}

static void fuzz_connection(int memfd)
{
    int fd = connect_hello();
    uint8_t frame[2048];

    attach_all(fd, &memfd, 1, 0);
    for (int i = 0; i < 50; i++) {
        size_t length = random_number() % 2 ? random_mutation(frame) : random_frame(frame);
        bool taken = random_number() % 16 ? send_bytes(fd, frame, length)
                                          : send_with_descriptors(fd, frame, length, &memfd, 1);

        if (!taken || !drain(fd))
            break;
    }
    close(fd);
}

START_TEST(random_frames_harm_nobody)
{
    int memfd = make_buffer(4096);

    random_state = (uint64_t)_i;
    for (int i = 0; i < (harness_is_slow() ? 10 : 60); i++) {
        fuzz_connection(memfd);
        if (i % 10 == 0)
            expect_witness();
    }
    close(memfd);
}
END_TEST

START_TEST(random_bytes_harm_nobody)
{
    random_state = 77;
    for (int i = 0; i < 200; i++) {
        uint8_t bytes[5000];
        int fd = i % 2 ? connect_raw() : connect_hello();

        harness_fill(bytes, sizeof(bytes), random_number());
        send_bytes(fd, bytes, random_number() % sizeof(bytes));
        shutdown(fd, SHUT_WR);
        expect_closed(fd);
    }
}
END_TEST

static void add_frame_tests(TCase *tests)
{
    tcase_add_loop_test(tests, hello_agrees_on_a_version, 0, 4);
    tcase_add_loop_test(tests, hello_of_another_version_is_refused, 0, 3);
    tcase_add_test(tests, hello_to_a_bucket_that_does_not_exist_is_refused);
    tcase_add_test(tests, hello_that_is_malformed_is_refused);
    tcase_add_test(tests, nothing_goes_before_hello);
    tcase_add_test(tests, hello_comes_once);
    tcase_add_loop_test(tests, impossible_length_ends_the_connection, 0, 12);
    tcase_add_loop_test(tests, garbage_ends_the_connection, 0, 3);
    tcase_add_test(tests, truncated_frames_end_with_their_connection);
    tcase_add_test(tests, frames_arrive_byte_by_byte);
    tcase_add_test(tests, largest_frame_is_taken);
    tcase_add_test(tests, unknown_operations_are_told);
    tcase_add_test(tests, unknown_flags_are_refused);
    tcase_add_test(tests, header_fields_without_meaning_must_be_zero);
    tcase_add_test(tests, answers_come_in_the_order_of_requests);
    tcase_add_test(tests, ids_are_the_clients_choice);
    tcase_add_test(tests, clients_that_hang_up_are_forgotten);
    tcase_add_test(tests, too_many_clients_are_told);
}

static void add_body_tests(TCase *tests)
{
    tcase_add_test(tests, bodies_must_be_as_long_as_they_say);
    tcase_add_test(tests, reserved_fields_must_be_zero);
    tcase_add_test(tests, lengths_that_overflow_are_refused);
    tcase_add_test(tests, keys_too_long_are_refused);
    tcase_add_test(tests, buckets_that_do_not_exist_are_refused);
    tcase_add_test(tests, ranges_beyond_the_end_are_refused);
    tcase_add_test(tests, wrong_metadata_is_refused);
    tcase_add_test(tests, attributes_too_long_are_refused);
}

static void add_bulk_tests(TCase *tests)
{
    tcase_add_test(tests, bulk_needs_a_buffer);
    tcase_add_test(tests, attach_needs_one_descriptor);
    tcase_add_test(tests, attach_works_once);
    tcase_add_test(tests, descriptors_that_are_no_memfd_are_refused);
    tcase_add_test(tests, memfds_that_are_no_buffer_are_refused);
    tcase_add_test(tests, huge_pages_are_refused);
    tcase_add_test(tests, descriptors_with_other_frames_are_closed);
    tcase_add_test(tests, descriptors_die_with_their_connection);
    tcase_add_test(tests, bulk_parts_outside_the_buffer_are_refused);
    tcase_add_test(tests, put_with_bulk_has_no_value_in_its_frame);
    tcase_add_test(tests, value_too_large_is_refused);
    tcase_add_test(tests, get_writes_nothing_outside_its_part);
    tcase_add_test(tests, answers_that_do_not_fit_say_how_much_they_need);
    tcase_add_test(tests, list_that_does_not_fit_says_how_much_it_needs);
    tcase_add_loop_test(tests, bytes_that_change_meanwhile_keep_their_etag, 0, 3);
    tcase_add_test(tests, buffer_that_grows_is_still_a_buffer);
}

static Suite *suite(void)
{
    Suite *s = suite_create("protocol");
    TCase *frames = tcase_create("frames");
    TCase *bodies = tcase_create("bodies");
    TCase *bulk = tcase_create("bulk");
    TCase *fuzz = tcase_create("fuzz");
    TCase *waiting = tcase_create("waiting");
    TCase *all[] = {frames, bodies, bulk, fuzz};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        tcase_add_checked_fixture(all[i], setup, teardown);
        suite_add_tcase(s, all[i]);
    }
    tcase_add_checked_fixture(waiting, setup_impatient, teardown);
    suite_add_tcase(s, waiting);
    add_frame_tests(frames);
    add_body_tests(bodies);
    add_bulk_tests(bulk);
    tcase_add_loop_test(fuzz, random_frames_harm_nobody, 0, 5);
    tcase_add_test(fuzz, random_bytes_harm_nobody);
    tcase_add_test(waiting, half_a_frame_is_not_waited_for_for_ever);
    tcase_add_test(waiting, hello_is_not_waited_for_for_ever);
    tcase_add_test(waiting, frames_that_drip_are_not_waited_for_for_ever);
    tcase_add_loop_test(waiting, unread_answers_are_not_kept_for_ever, 0, 3);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
