/* How a channel waits for an answer, and what it believes. */
#include "channel_private.h"
#include "condition.h"
#include "deadline.h"
#include "ringing.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define ERRNO_MAX 4095 /* the kernel's */

static bool answer_fits_bulk(const struct frame_header *header, const struct expected *expected)
{
    return expected->bulk && header->status == 0 && header->bulk_offset <= expected->room &&
           header->bulk_length <= expected->room - header->bulk_offset;
}

/* Takes what is known of a condition that failed off the front of the body. */
static int answer_take_conflict(struct answer *answer)
{
    struct condition_failure failure;

    if (answer->frame.body_length < sizeof(failure))
        return -EPROTO;
    memcpy(&failure, answer->frame.body, sizeof(failure));
    answer->frame.body += sizeof(failure);
    answer->frame.body_length -= sizeof(failure);
    answer->is_conflict = true;
    answer->conflict = failure.version;
    conflict_note(failure.version);
    return 0;
}

static int answer_check(const struct frame_header *header, const struct expected *expected)
{
    if (header->operation != expected->operation || header->id != expected->id)
        return -EPROTO;
    if (header->status > 0 || header->status < -ERRNO_MAX)
        return -EPROTO;
    switch (header->flags) {
    case FRAME_ANSWER:
        if (header->bulk_offset > 0 || (header->bulk_length > 0 && header->status != -EMSGSIZE))
            return -EPROTO;
        return 0;
    case FRAME_ANSWER | FRAME_CONDITION:
        return expected->condition && header->status < 0 && header->bulk_offset == 0 &&
                       header->bulk_length == 0
                   ? 0
                   : -EPROTO;
    case FRAME_ANSWER | FRAME_BULK:
        return answer_fits_bulk(header, expected) ? 0 : -EPROTO;
    default:
        return -EPROTO;
    }
}

int channel_take(struct channel *channel, const struct expected *expected,
                 struct answer *ret_answer)
{
    struct frame frame;
    int r;

    /* The daemon passes descriptors only where they are asked for. */
    if ((channel->connection.received > 0 && !expected->fds) || channel->connection.extra_fds)
        return -EPROTO;
    r = connection_next(&channel->connection, &frame);
    if (r <= 0)
        return r;
    r = answer_check(&frame.header, expected);
    if (r < 0 && expected->instead)
        r = answer_check(&frame.header, expected->instead);
    if (r < 0)
        return r;
    *ret_answer = (struct answer){
        .frame = frame, .status = frame.header.status, .bucket = channel->identity->name};
    if ((frame.header.flags & FRAME_CONDITION) && answer_take_conflict(ret_answer) < 0)
        return -EPROTO;
    if (frame.header.flags & FRAME_BULK) {
        ret_answer->bulk = channel->bulk.data + frame.header.bulk_offset;
        ret_answer->bulk_length = frame.header.bulk_length;
        ret_answer->bulk_used = frame.header.bulk_offset + frame.header.bulk_length;
    }
    return 1;
}

/* Whether a look into the ring will get on. */
static bool ring_has_news(const struct channel *channel)
{
    const struct connection *connection = &channel->connection;

    return ring_available(&connection->ring) != 0 ||
           (connection_unsent(connection) > 0 && ring_room(&connection->ring) != 0);
}

static int channel_poll(struct channel *channel, int64_t deadline)
{
    struct pollfd ready = {.fd = channel->connection.fd, .events = POLLIN};
    int64_t left = deadline_left(deadline);
    struct timespec timeout = deadline_timespec(left);

    /* With a ring, only a descriptor can be waiting for the socket. */
    if (channel->connection.ring.page && channel->connection.passing == 0)
        return ringing_wait(channel, ring_has_news, deadline);
    if (left == 0)
        return -ETIMEDOUT;
    if (connection_unsent(&channel->connection) > 0)
        ready.events |= POLLOUT;
    if (ppoll(&ready, 1, &timeout, NULL) < 0 && errno != EINTR)
        return -errno;
    return 0;
}

/* A daemon that refuses a client says why and closes, maybe before all of the request got through:
 * then the connection is dead for sending, and the answer stands in it nonetheless. */
static int answer_left_behind(struct channel *channel, const struct expected *expected,
                              struct answer *ret_answer)
{
    if (connection_receive(&channel->connection) > 0 &&
        channel_take(channel, expected, ret_answer) == 1)
        return 0;
    return -ECONNRESET;
}

static int first_error(int r, int otherwise)
{
    return r < 0 ? r : otherwise;
}

int channel_send(struct channel *channel)
{
    size_t unsent = connection_unsent(&channel->connection);
    int r = connection_send(&channel->connection);

    if (connection_unsent(&channel->connection) == unsent)
        return r;
    if (!channel->connection.ring.page)
        channel->sent = true;
    else if (r == 0 || r == -EAGAIN)
        r = first_error(ringing_wake(channel, RING_AWAITS_REQUESTS), r);
    return r;
}

static int channel_receive(struct channel *channel)
{
    int r = connection_receive(&channel->connection);

    if (r > 0 && channel->connection.ring.page)
        r = first_error(ringing_wake(channel, RING_AWAITS_ROOM), r);
    return r;
}

int channel_send_all(struct channel *channel, int64_t deadline)
{
    int r;

    while ((r = channel_send(channel)) == -EAGAIN) {
        r = channel_poll(channel, deadline);
        if (r < 0)
            return r;
    }
    return r == -EPIPE ? -ECONNRESET : r;
}

int channel_await(struct channel *channel, const struct expected *expected, int64_t deadline,
                  struct answer *ret_answer)
{
    int r = channel_take(channel, expected, ret_answer);

    while (r == 0) {
        r = channel_send(channel);
        if (r == -EPIPE || r == -ECONNRESET)
            return answer_left_behind(channel, expected, ret_answer);
        if (r < 0 && r != -EAGAIN)
            return r;
        r = channel_poll(channel, deadline);
        if (r == -ECONNRESET)
            return answer_left_behind(channel, expected, ret_answer);
        if (r < 0)
            return r;
        r = channel_receive(channel);
        if (r >= 0)
            r = channel_take(channel, expected, ret_answer);
    }
    return r < 0 ? r : 0;
}
