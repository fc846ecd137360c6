/* How a channel gets its connection: connect, HELLO. */
#include "channel_private.h"
#include "common/socket_path.h"
#include "deadline.h"
#include "message.h"
#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

/*
 * A blocking connect with a send timeout: while the daemon's backlog is full, a non-blocking one
 * fails at once, and nothing can be polled for.
 */
static int connect_once(int fd, const struct sockaddr_un *address, int64_t deadline)
{
    int64_t left = deadline_left(deadline);
    struct timeval timeout = {.tv_sec = left / NANOSECONDS,
                              .tv_usec = left % NANOSECONDS / 1000 + 1}; /* 0 would be for ever */

    if (left == 0)
        return -ETIMEDOUT;
    if (timeout.tv_usec > 999999)
        timeout.tv_usec = 999999;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    return 0;
}

static int connect_socket(struct channel *channel, int64_t deadline)
{
    struct sockaddr_un address;
    int r = socket_path_address(channel->socket, &address);

    if (r == 0)
        r = sockets_open(channel);
    if (r < 0)
        return r;
    do {
        r = connect_once(channel->connection.fd, &address, deadline);
    } while (r == -EINTR);
    if (r == 0 && fcntl(channel->connection.fd, F_SETFL, O_NONBLOCK) < 0)
        r = -errno;
    if (r < 0)
        channel_close(channel);
    return r;
}

static int connect_fail(const char *path, int error)
{
    static const char hint[] = "start memstored, or set MEMSTORE_SOCKET to its socket";

    switch (error) {
    case -ENOENT:
        return message_fail(error, "no socket %s: %s", path, hint);
    case -ECONNREFUSED:
        return message_fail(error, "no memstored listens on %s: %s", path, hint);
    case -EACCES:
    case -EPERM:
        return message_fail(error, "no permission to use the socket %s", path);
    case -ENAMETOOLONG:
        return message_fail(error, "socket path of %zu bytes is too long: at most %zu",
                            strlen(path), SOCKET_PATH_SIZE - 1);
    case -ETIMEDOUT:
        return message_fail(error, "memstored at %s did not take the connection in time", path);
    default:
        return message_fail(error, "cannot connect to %s: %s", path, memstore_strerror(error));
    }
}

static int hello_queue(struct channel *channel)
{
    const size_t length = strlen(channel->identity->name);
    const struct frame_header header = {.operation = OPERATION_HELLO};
    const struct hello_request hello = {.magic = PROTOCOL_MAGIC,
                                        .version_min = PROTOCOL_VERSION,
                                        .version_max = PROTOCOL_VERSION,
                                        .bucket_length = (uint16_t)length};
    uint8_t *body = connection_queue(&channel->connection, &header, sizeof(hello) + length);

    if (!body)
        return -ENOMEM;
    memcpy(body, &hello, sizeof(hello));
    memcpy(body + sizeof(hello), channel->identity->name, length);
    return 0;
}

static int hello_refused(const struct channel *channel, const struct answer *answer)
{
    if (answer->status == -ENOENT)
        return identity_missing(channel->identity, channel->socket);
    return answer_fail(answer, "memstored at %s refuses", channel->socket);
}

static int hello_read(struct channel *channel, const struct answer *answer)
{
    struct hello_answer hello;

    if (answer->frame.body_length != sizeof(hello))
        return -EPROTO;
    memcpy(&hello, answer->frame.body, sizeof(hello));
    if (hello.magic != PROTOCOL_MAGIC || hello.version != PROTOCOL_VERSION)
        return -EPROTO;
    channel->bucket = hello.bucket;
    static_assert(sizeof(hello.store) == sizeof(channel->store_id), "hello_answer");
    memcpy(channel->store_id, hello.store, sizeof(channel->store_id));
    return 0;
}

/* The id of a HELLO is 0, as a daemon that is full answers it before it was asked. */
static int hello_await(struct channel *channel, const struct expected *expected, int64_t deadline)
{
    struct answer answer;
    int r = channel_await(channel, expected, deadline, &answer);

    if (r < 0)
        return channel_fail(channel, r);
    if (answer.status < 0) {
        r = hello_refused(channel, &answer);
        channel_close(channel);
        return r;
    }
    r = hello_read(channel, &answer);
    if (r < 0)
        return channel_fail(channel, r);
    connection_consume(&channel->connection, &answer.frame);
    r = identity_settle(channel->identity, channel->bucket, channel->store_id);
    if (r < 0)
        channel_close(channel);
    return r;
}

static int channel_dial(struct channel *channel, int64_t deadline)
{
    int r = connect_socket(channel, deadline);

    if (r < 0)
        return connect_fail(channel->socket, r);
    channel->last_id = 0;
    r = hello_queue(channel);
    return r < 0 ? channel_fail(channel, r) : 0;
}

int channel_connect(struct channel *channel, int64_t deadline)
{
    const struct expected hello = {.operation = OPERATION_HELLO};
    int r = channel_dial(channel, deadline);

    return r < 0 ? r : hello_await(channel, &hello, deadline);
}

int channel_connect_direct(struct channel *channel, int64_t deadline, struct answer *ret_answer)
{
    /* The descriptors come with what is sent first, which may be the answer to HELLO. */
    const struct expected hello = {.operation = OPERATION_HELLO, .fds = true};
    const struct expected direct = {.operation = OPERATION_DIRECT, .id = 1, .fds = true};
    const struct frame_header header = {.operation = OPERATION_DIRECT, .id = 1};
    int r = channel_dial(channel, deadline);

    if (r < 0)
        return r;
    channel->last_id = 1;
    if (!connection_queue(&channel->connection, &header, 0))
        return channel_fail(channel, -ENOMEM);
    r = hello_await(channel, &hello, deadline);
    if (r < 0)
        return r;
    r = channel_await(channel, &direct, deadline, ret_answer);
    return r < 0 ? channel_fail(channel, r) : 0;
}
