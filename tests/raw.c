#include "tests/raw.h"

#include "tests/raw_ring.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define MEMORY_SLACK (16 << 20) /* bytes that the daemon may own beyond what it began with */

struct harness_daemon *raw_server;
struct memstore *raw_witness;
char *raw_canary;
int raw_descriptors;
static long memory_before;
static uint64_t next_id = 1000;
struct answer raw_answer;
uint32_t raw_bucket;

/* ---- the daemon's state, from outside ---- */

int raw_daemon_descriptors(void)
{
    char path[64];
    DIR *folder;
    int count = 0;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)raw_server->pid);
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

    snprintf(path, sizeof(path), "/proc/%d/status", (int)raw_server->pid);
    status = harness_read_file(path);
    line = strstr(status, "RssAnon:");
    ck_assert_ptr_nonnull(line);
    kib = strtol(line + 8, NULL, 10);
    free(status);
    return kib * 1024;
}

void raw_expect_memory_bounded(void)
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
    ck_assert_int_eq(memstore_stats(raw_witness, &stats, sizeof(stats)), 0);
    return stats.clients == 1 && raw_daemon_descriptors() == raw_descriptors;
}

void raw_expect_witness(void)
{
    struct memstore_object *object = NULL;
    int r = memstore_get(raw_witness, "canary", 6, 0, MEMSTORE_TO_END, &object);

    ck_assert_msg(r == 0, "canary: %s", memstore_message());
    ck_assert_uint_eq(memstore_object_size(object), CANARY_SIZE);
    ck_assert_int_eq(memcmp(memstore_object_value(object, NULL), raw_canary, CANARY_SIZE), 0);
    memstore_object_free(object);
    harness_expect(raw_witness, "small canary", "tweet");
    harness_put(raw_witness, "of the witness", "written");
    harness_expect(raw_witness, "of the witness", "written");
    ck_assert_int_eq(memstore_exists(raw_witness, "none", 4), 0);
}

static void start(const char *client_timeout)
{
    int r;

    harness_setup();
    raw_server = harness_start("--max-size", "64M", "--client-timeout", client_timeout);
    /* With one connection and no descriptors of the daemon's besides: they are counted. */
    raw_witness = harness_open_reads(raw_server, MEMSTORE_READS_SOCKET);
    raw_canary = malloc(CANARY_SIZE);
    harness_fill(raw_canary, CANARY_SIZE, 1);
    r = memstore_put(raw_witness, "canary", 6, raw_canary, CANARY_SIZE, NULL, NULL);
    ck_assert_msg(r == 0, "%s", memstore_message());
    harness_put(raw_witness, "small canary", "tweet");
    raw_expect_witness();
    raw_descriptors = raw_daemon_descriptors();
    close(raw_open()); /* tells the bucket */
    memory_before = daemon_memory();
}

void raw_setup(void)
{
    start("60");
}

void raw_setup_impatient(void)
{
    start("1");
}

void raw_teardown(void)
{
    raw_expect_witness();
    harness_await(only_witness_is_left, NULL, "the daemon keeps clients or descriptors");
    raw_expect_memory_bounded();
    memstore_close(raw_witness);
    free(raw_canary);
    harness_teardown();
}

/* ---- frames ---- */

int raw_connect(void)
{
    struct timeval patience = {.tv_sec = (time_t)harness_seconds(15)};
    int fd = harness_connect(raw_server);

    raw_ring_forget(fd);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
    return fd;
}

bool raw_send(int fd, const void *bytes, size_t length)
{
    const uint8_t *rest = bytes;

    if (raw_ring_of(fd))
        return raw_ring_send(fd, bytes, length);
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
    ssize_t n;

    if (raw_ring_of(fd))
        return raw_ring_receive(fd, bytes, length);
    n = length > 0 ? recv(fd, bytes, length, MSG_WAITALL) : 0;
    ck_assert_msg(n >= 0 || errno == ECONNRESET, "no answer: %s", strerror(errno));
    return n == (ssize_t)length;
}

bool raw_receive(int fd)
{
    if (!receive_bytes(fd, &raw_answer.header, sizeof(raw_answer.header)))
        return false;
    ck_assert_uint_ge(raw_answer.header.length, sizeof(raw_answer.header));
    ck_assert_uint_le(raw_answer.header.length, FRAME_MAX);
    ck_assert_uint_eq(raw_answer.header.flags & ~(FRAME_ANSWER | FRAME_BULK | FRAME_CONDITION), 0);
    ck_assert_uint_ne(raw_answer.header.flags & FRAME_ANSWER, 0);
    ck_assert_int_le(raw_answer.header.status, 0);
    raw_answer.length = raw_answer.header.length - sizeof(raw_answer.header);
    return receive_bytes(fd, raw_answer.body, raw_answer.length);
}

bool raw_has_answer(int fd)
{
    struct pollfd answer = {.fd = fd, .events = POLLIN};
    const struct raw_ring *ring = raw_ring_of(fd);

    return (ring && atomic_load(&ring->page->answers_end) != ring->start) ||
           poll(&answer, 1, 0) > 0;
}

void raw_expect_closed(int fd)
{
    uint8_t rest[4096];
    ssize_t n;

    while (raw_ring_of(fd) && raw_ring_receive(fd, rest, 1))
        ;
    do
        n = recv(fd, rest, sizeof(rest), 0);
    while (n > 0);
    ck_assert_msg(n == 0 || errno == ECONNRESET, "not closed: %s", strerror(errno));
    close(fd);
}

struct frame_header raw_header(uint16_t operation, size_t body_length)
{
    return (struct frame_header){.length = (uint32_t)(sizeof(struct frame_header) + body_length),
                                 .operation = operation,
                                 .id = next_id++};
}

bool raw_send_frame(int fd, const struct frame_header *header, const struct body *body)
{
    uint8_t frame[sizeof(*header) + sizeof(body->bytes)];
    size_t length = body ? body->length : 0;

    memcpy(frame, header, sizeof(*header));
    if (length > 0)
        memcpy(frame + sizeof(*header), body->bytes, length);
    return raw_send(fd, frame, sizeof(*header) + length);
}

void raw_expect_answer(int fd, const struct frame_header *request, int status)
{
    ck_assert_msg(raw_receive(fd), "closed instead of answered: operation %d, status %d",
                  request->operation, status);
    ck_assert_uint_eq(raw_answer.header.operation, request->operation);
    ck_assert_uint_eq(raw_answer.header.id, request->id);
    ck_assert_msg(raw_answer.header.status == status, "operation %d: %d (%.*s) instead of %d",
                  request->operation, raw_answer.header.status, (int)raw_answer.length,
                  (const char *)raw_answer.body, status);
}

void body_add(struct body *body, const void *bytes, size_t length)
{
    ck_assert_uint_le(body->length + length, sizeof(body->bytes));
    memcpy(body->bytes + body->length, bytes, length);
    body->length += length;
}

void body_add_filler(struct body *body, size_t length)
{
    ck_assert_uint_le(body->length + length, sizeof(body->bytes));
    memset(body->bytes + body->length, 'f', length);
    body->length += length;
}

void raw_call(int fd, uint16_t operation, const struct body *body, int status)
{
    struct frame_header header = raw_header(operation, body ? body->length : 0);

    ck_assert(raw_send_frame(fd, &header, body));
    raw_expect_answer(fd, &header, status);
}

void raw_call_bulk(int fd, uint16_t operation, const struct body *body, uint64_t offset,
                   uint32_t length, int status)
{
    struct frame_header header = raw_header(operation, body->length);

    header.flags = FRAME_BULK;
    header.bulk_offset = offset;
    header.bulk_length = length;
    ck_assert(raw_send_frame(fd, &header, body));
    raw_expect_answer(fd, &header, status);
}

struct body body_hello(uint16_t oldest, uint16_t newest, const char *name)
{
    struct hello_request request = {.magic = PROTOCOL_MAGIC,
                                    .version_min = oldest,
                                    .version_max = newest,
                                    .bucket_length = (uint16_t)strlen(name)};
    struct body body = {.length = 0};

    body_add(&body, &request, sizeof(request));
    body_add(&body, name, strlen(name));
    return body;
}

static void raw_hello(int fd)
{
    struct body body = body_hello(PROTOCOL_VERSION, PROTOCOL_VERSION, "default");
    struct hello_answer hello;

    raw_call(fd, OPERATION_HELLO, &body, 0);
    ck_assert_uint_eq(raw_answer.length, sizeof(hello));
    memcpy(&hello, raw_answer.body, sizeof(hello));
    ck_assert_uint_eq(hello.magic, PROTOCOL_MAGIC);
    ck_assert_uint_eq(hello.version, PROTOCOL_VERSION);
    ck_assert_uint_eq(hello.pid, (uint32_t)raw_server->pid);
    raw_bucket = hello.bucket;
}

int raw_open(void)
{
    const char *calls = getenv("MEMSTORE_CALLS");
    int fd = raw_connect();

    raw_hello(fd);
    if (calls && strcmp(calls, "ring") == 0)
        raw_ring_make(fd);
    return fd;
}

struct body body_key(const char *key)
{
    struct key_request request = {.bucket = raw_bucket, .key_length = (uint16_t)strlen(key)};
    struct body body = {.length = 0};

    body_add(&body, &request, sizeof(request));
    body_add(&body, key, strlen(key));
    return body;
}

struct body body_put(const char *key, const void *metadata, size_t metadata_length,
                     size_t value_length)
{
    struct put_request request = {.bucket = raw_bucket,
                                  .key_length = (uint16_t)strlen(key),
                                  .type_length = NO_CONTENT_TYPE,
                                  .metadata_length = (uint32_t)metadata_length};
    struct body body = {.length = 0};

    body_add(&body, &request, sizeof(request));
    body_add(&body, key, strlen(key));
    body_add(&body, metadata, metadata_length);
    body_add_filler(&body, value_length);
    return body;
}

struct body body_get(const char *key, uint64_t offset, uint64_t length)
{
    struct get_request request = {.bucket = raw_bucket,
                                  .key_length = (uint16_t)strlen(key),
                                  .offset = offset,
                                  .length = length};
    struct body body = {.length = 0};

    body_add(&body, &request, sizeof(request));
    body_add(&body, key, strlen(key));
    return body;
}

struct body body_list(const char *prefix)
{
    struct list_request request = {.bucket = raw_bucket,
                                   .prefix_length = (uint16_t)strlen(prefix),
                                   .after_length = NO_AFTER,
                                   .limit = UINT64_MAX};
    struct body body = {.length = 0};

    body_add(&body, &request, sizeof(request));
    body_add(&body, prefix, strlen(prefix));
    return body;
}

struct body body_touch(const char *key, int64_t ttl)
{
    struct touch_request request = {
        .bucket = raw_bucket, .key_length = (uint16_t)strlen(key), .ttl = ttl};
    struct body body = {.length = 0};

    body_add(&body, &request, sizeof(request));
    body_add(&body, key, strlen(key));
    return body;
}

struct body body_pair(const char *source, const char *target)
{
    struct pair_request request = {.bucket = raw_bucket,
                                   .source_length = (uint16_t)strlen(source),
                                   .target_length = (uint16_t)strlen(target)};
    struct body body = {.length = 0};

    body_add(&body, &request, sizeof(request));
    body_add(&body, source, strlen(source));
    body_add(&body, target, strlen(target));
    return body;
}

void raw_expect_alive(int fd)
{
    struct body body = body_key("small canary");

    raw_call(fd, OPERATION_EXISTS, &body, 0);
    ck_assert_uint_eq(raw_answer.length, 0);
}

void raw_done(int fd)
{
    raw_expect_alive(fd);
    close(fd);
}

/* ---- descriptors ---- */

static bool send_with_fds(int fd, const void *bytes, size_t length, const int *fds, size_t count)
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

bool raw_send_fds(int fd, const void *bytes, size_t length, const int *fds, size_t count)
{
    if (!raw_ring_of(fd))
        return send_with_fds(fd, bytes, length, fds, count);
    return (count == 0 || send_with_fds(fd, "", 1, fds, count)) && raw_ring_send(fd, bytes, length);
}

void raw_attach_fds(int fd, const int *fds, size_t count, int status)
{
    struct frame_header header = raw_header(OPERATION_ATTACH, 0);

    ck_assert(raw_send_fds(fd, &header, sizeof(header), fds, count));
    raw_expect_answer(fd, &header, status);
}

int raw_memfd(unsigned flags, off_t size, int seals)
{
    int fd = memfd_create("test", flags | MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    if (size > 0)
        ck_assert_int_eq(ftruncate(fd, size), 0);
    if (seals)
        ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

int raw_buffer(off_t size)
{
    return raw_memfd(MFD_ALLOW_SEALING, size, F_SEAL_SHRINK);
}

uint8_t *raw_attach(int fd, size_t size)
{
    int memfd = raw_buffer((off_t)size);
    uint8_t *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);

    ck_assert_ptr_ne(map, MAP_FAILED);
    raw_attach_fds(fd, &memfd, 1, 0);
    close(memfd);
    return map;
}

struct body body_metadata(const char *const *entries)
{
    struct body block = {.length = 0};

    for (; *entries; entries++) {
        const char *equals = strchr(*entries, '=');
        struct metadata_entry entry = {.name_length = (uint16_t)(equals - *entries),
                                       .value_length = (uint16_t)strlen(equals + 1)};

        body_add(&block, &entry, sizeof(entry));
        body_add(&block, *entries, entry.name_length);
        body_add(&block, equals + 1, entry.value_length);
    }
    return block;
}
