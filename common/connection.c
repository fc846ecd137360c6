#include "connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for all descriptors that one message can carry (the kernel's SCM_MAX_FD). More than
 * CONNECTION_FDS are a mistake of the peer's, but what did not fit here the kernel would close
 * itself, at once, which can take long. */
#define FDS_MAX 253

static void buffer_release(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

/* Makes room for `more` bytes behind the end. Room only grows to what is needed now, so that a
 * connection with one small answer under way does not own the largest frame. */
static int buffer_make_room(struct buffer *buffer, size_t more)
{
    size_t used = buffer->end - buffer->start;
    size_t capacity;
    uint8_t *data;

    if (buffer->capacity - buffer->end >= more)
        return 0;
    if (buffer->start > 0) {
        memmove(buffer->data, buffer->data + buffer->start, used);
        buffer->start = 0;
        buffer->end = used;
        if (buffer->capacity - buffer->end >= more)
            return 0;
    }
    capacity = buffer->capacity > 0 ? buffer->capacity : 512;
    while (capacity - used < more)
        capacity *= 2;
    data = realloc(buffer->data, capacity);
    if (!data)
        return -ENOMEM;
    buffer->data = data;
    buffer->capacity = capacity;
    return 0;
}

static void buffer_drop(struct buffer *buffer, size_t length)
{
    buffer->start += length;
    if (buffer->start == buffer->end)
        buffer_release(buffer);
}

void connection_init(struct connection *connection, int fd)
{
    *connection = (struct connection){.fd = fd};
}

static void connection_close_fd(struct connection *connection, int fd)
{
    if (connection->close_fd)
        connection->close_fd(fd);
    else
        close(fd);
}

static void close_received(struct connection *connection)
{
    while (connection->received > 0)
        connection_close_fd(connection, connection->received_fds[--connection->received]);
    connection->extra_fds = false;
    connection->lost_fds = false;
}

void connection_finish(struct connection *connection)
{
    close_received(connection);
    if (connection->fd >= 0)
        connection_close_fd(connection, connection->fd);
    buffer_release(&connection->in);
    buffer_release(&connection->out);
    ring_finish(&connection->ring);
    connection_init(connection, -1);
}

void connection_use_ring(struct connection *connection, void *file, bool is_daemon)
{
    ring_init(&connection->ring, file, is_daemon);
    connection->by_socket = connection_unsent(connection);
}

/* Keeps the first descriptors and closes the others. */
static void connection_collect_fds(struct connection *connection, struct msghdr *message)
{
    struct cmsghdr *control;
    int fds[FDS_MAX];
    size_t all = 0;
    size_t count;

    for (control = CMSG_FIRSTHDR(message); control; control = CMSG_NXTHDR(message, control)) {
        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
            continue;
        count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(control), count * sizeof(int));
        all += count;
        for (size_t i = 0; i < count; i++) {
            if (connection->received < CONNECTION_FDS) {
                connection->received_fds[connection->received++] = fds[i];
            } else {
                connection_close_fd(connection, fds[i]);
                connection->extra_fds = true;
            }
        }
    }
    /* Cut where there was room, this process has no descriptors left. */
    if (message->msg_flags & MSG_CTRUNC) {
        if (all < FDS_MAX)
            connection->lost_fds = true;
        else
            connection->extra_fds = true;
    }
}

/* Reads bytes off the socket, and descriptors. Returns as connection_receive. */
static int connection_read(struct connection *connection, void *to, size_t size)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(FDS_MAX * sizeof(int))];
    struct iovec bytes = {.iov_base = to, .iov_len = size};
    struct msghdr message = {.msg_iov = &bytes,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(connection->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    connection_collect_fds(connection, &message);
    return n > 0 ? (int)n : -ECONNRESET;
}

int connection_receive_bell(struct connection *connection)
{
    uint8_t bytes[4096];

    return connection_read(connection, bytes, sizeof(bytes));
}

int connection_receive(struct connection *connection)
{
    struct buffer *in = &connection->in;
    size_t room = FRAME_MAX - connection_unread(connection);
    int r;

    if (connection->ring.page) {
        r = ring_available(&connection->ring);
        if (r < 0)
            return r;
        room = (size_t)r < room ? (size_t)r : room;
    }
    if (room == 0)
        return 0;
    r = buffer_make_room(in, room);
    if (r < 0)
        return r;
    if (connection->ring.page)
        r = ring_take(&connection->ring, in->data + in->end, room);
    else
        r = connection_read(connection, in->data + in->end, room);
    if (r > 0)
        in->end += (size_t)r;
    buffer_drop(in, 0); /* if nothing came, the memory goes */
    return r;
}

int connection_next(struct connection *connection, struct frame *ret_frame)
{
    size_t available = connection_unread(connection);
    const uint8_t *start;
    struct frame_header header;

    if (available < sizeof(header))
        return 0;
    start = connection->in.data + connection->in.start;
    memcpy(&header, start, sizeof(header));
    if (header.length < sizeof(header) || header.length > FRAME_MAX)
        return -EPROTO;
    if (header.length > available)
        return 0;
    ret_frame->header = header;
    ret_frame->body = start + sizeof(header);
    ret_frame->body_length = header.length - sizeof(header);
    return 1;
}

void connection_consume(struct connection *connection, const struct frame *frame)
{
    buffer_drop(&connection->in, frame->header.length);
}

int connection_take_fds(struct connection *connection, int *ret_fds, size_t count)
{
    bool extra = connection->extra_fds || connection->received > count;
    bool lost = connection->lost_fds;

    if (extra || lost || connection->received < count) {
        close_received(connection);
        return lost ? -EMFILE : extra ? -E2BIG : -EBADF;
    }
    memcpy(ret_fds, connection->received_fds, count * sizeof(int));
    connection->received = 0;
    return 0;
}

uint8_t *connection_queue(struct connection *connection, const struct frame_header *header,
                          size_t body_length)
{
    struct buffer *out = &connection->out;
    struct frame_header complete = *header;
    size_t length = sizeof(complete) + body_length;
    uint8_t *place;

    assert(body_length <= BODY_MAX);
    if (buffer_make_room(out, length) < 0)
        return NULL;
    place = out->data + out->end;
    complete.length = (uint32_t)length;
    memcpy(place, &complete, sizeof(complete));
    out->end += length;
    return place + sizeof(complete);
}

/* Sends bytes over the socket, and descriptors. */
static int connection_write(struct connection *connection, const void *from, size_t size)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(CONNECTION_FDS * sizeof(int))] = {0};
    struct iovec bytes = {.iov_base = (void *)(uintptr_t)from, .iov_len = size};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
    ssize_t n;

    if (connection->passing > 0) {
        size_t length = connection->passing * sizeof(int);
        struct cmsghdr *head;

        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(length);
        head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(length);
        memcpy(CMSG_DATA(head), connection->passing_fds, length);
    }
    do {
        n = sendmsg(connection->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    connection->passing = 0;
    return (int)n;
}

int connection_ring_bell(struct connection *connection)
{
    int r = connection_write(connection, "", 1);

    return r == -EAGAIN ? 0 : r; /* many bytes wait there to be read: any of them wakes */
}

/* Sends once, by the way that is the next bytes'. */
static int connection_send_once(struct connection *connection)
{
    const uint8_t *from = connection->out.data + connection->out.start;
    size_t size = connection_unsent(connection);
    int r;

    if (!connection->ring.page)
        return connection_write(connection, from, size);
    if (connection->by_socket > 0) {
        r = connection_write(connection, from, connection->by_socket);
        if (r > 0)
            connection->by_socket -= (size_t)r;
        return r;
    }
    if (connection->passing > 0) {
        r = connection_write(connection, "", 1);
        if (r < 0)
            return r;
    }
    r = ring_put(&connection->ring, from, size);
    return r == 0 ? -EAGAIN : r;
}

int connection_send(struct connection *connection)
{
    while (connection_unsent(connection) > 0) {
        int r = connection_send_once(connection);

        if (r < 0)
            return r;
        buffer_drop(&connection->out, (size_t)r);
    }
    return 0;
}

size_t connection_unsent(const struct connection *connection)
{
    return connection->out.end - connection->out.start;
}

size_t connection_unread(const struct connection *connection)
{
    return connection->in.end - connection->in.start;
}
