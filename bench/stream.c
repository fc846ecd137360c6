#include "bench/stream.h"

#include "bench/keys.h"
#include "bench/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define BUFFER_BYTES (READ_MAX + 65536) /* a whole answer: it is received by one copy */
#define TIMEOUT_SECONDS 60

struct stream *stream_open(const char *socket_path)
{
    struct stream *stream = run_allocate(sizeof(*stream));
    struct timeval timeout = {.tv_sec = TIMEOUT_SECONDS};
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    stream->buffer = run_allocate(BUFFER_BYTES);
    stream->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (stream->fd < 0)
        run_fail("socket: %s", strerror(errno));
    setsockopt(stream->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    setsockopt(stream->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    if (connect(stream->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        run_fail("%s: %s", socket_path, strerror(errno));
    return stream;
}

void stream_close(struct stream *stream)
{
    close(stream->fd);
    free(stream->buffer);
    free(stream);
}

struct iovec stream_part(const void *data, size_t length)
{
    return (struct iovec){.iov_base = (void *)(uintptr_t)data, .iov_len = length};
}

/* Takes what was sent off the front; returns how many parts are left. */
static int advance(struct iovec **parts, int count, size_t sent)
{
    while (count > 0 && sent >= (*parts)->iov_len) {
        sent -= (*parts)->iov_len;
        (*parts)++;
        count--;
    }
    if (count > 0) {
        (*parts)->iov_base = (char *)(*parts)->iov_base + sent;
        (*parts)->iov_len -= sent;
    }
    return count;
}

void stream_send(struct stream *stream, struct iovec *parts, int count)
{
    stream->length = 0;
    while (count > 0) {
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
        ssize_t sent = sendmsg(stream->fd, &message, MSG_NOSIGNAL);

        if (sent < 0) {
            run_check();
            run_fail("a server does not take a request: %s", strerror(errno));
        }
        count = advance(&parts, count, (size_t)sent);
    }
}

void stream_send_text(struct stream *stream, const char *text, size_t length)
{
    struct iovec part = stream_part(text, length);

    stream_send(stream, &part, 1);
}

static void receive_some(struct stream *stream)
{
    ssize_t received =
        recv(stream->fd, stream->buffer + stream->length, BUFFER_BYTES - stream->length, 0);

    if (received <= 0) {
        run_check();
        run_fail("a server does not answer: %s", received < 0 ? strerror(errno) : "it hung up");
    }
    stream->length += (size_t)received;
}

size_t stream_line(struct stream *stream)
{
    const char *end;

    while (!(end = memchr(stream->buffer, '\n', stream->length)))
        receive_some(stream);
    return (size_t)(end - stream->buffer) + 1;
}

void stream_receive(struct stream *stream, size_t length)
{
    while (stream->length < length)
        receive_some(stream);
}

void stream_expect(struct stream *stream, const char *answer)
{
    size_t length = stream_line(stream);

    if (length != strlen(answer) || memcmp(stream->buffer, answer, length) != 0)
        run_fail("a server answered %.*s", (int)length, stream->buffer);
}
