#include "channel.h"

#include "channel_private.h"
#include "message.h"
#include "ringing.h"
#include "sockets.h"
#include "stream.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Calls over the socket before a ring is made. */
#define RING_AFTER 4

void channel_init(struct channel *channel, const char *socket, struct identity *identity,
                  enum memstore_calls calls)
{
    *channel = (struct channel){.socket = socket, .identity = identity, .calls = calls};
    connection_init(&channel->connection, -1);
    bulk_init(&channel->bulk);
}

struct channel *channel_create(const char *socket, struct identity *identity,
                               enum memstore_calls calls)
{
    struct channel *channel = malloc(sizeof(*channel));

    if (channel)
        channel_init(channel, socket, identity, calls);
    return channel;
}

void channel_destroy(struct channel *channel)
{
    if (channel)
        channel_reset(channel);
    free(channel);
}

void channel_close(struct channel *channel)
{
    sockets_close(channel);
    channel->attached = false;
    channel->holds_bulk = false; /* another connection's ring says nothing of that */
    channel->called = 0;
}

void channel_reset(struct channel *channel)
{
    channel_close(channel);
    bulk_finish(&channel->bulk);
}

/* The message for an error that is not in an answer. Returns the error. */
static int channel_explain(const struct channel *channel, int error)
{
    switch (error) {
    case -ETIMEDOUT:
        return message_fail(error, "no answer from memstored at %s in time", channel->socket);
    case -ECONNRESET:
        return message_fail(error, "memstored at %s closed the connection", channel->socket);
    case -EPROTO:
        return message_fail(error, "what listens on %s does not keep to memstore's protocol",
                            channel->socket);
    case -EFBIG:
        return message_fail(error, "too large for one transfer: over 4 GiB, or over this "
                                   "process's limit on file sizes (RLIMIT_FSIZE)");
    case -EOPNOTSUPP:
        return message_fail(error,
                            "memstored at %s takes no ring from this process, and calls "
                            "must go through one (MEMSTORE_CALLS)",
                            channel->socket);
    default:
        return message_fail(error, "cannot talk to memstored at %s: %s", channel->socket,
                            memstore_strerror(error));
    }
}

int channel_fail(struct channel *channel, int error)
{
    channel_close(channel);
    return channel_explain(channel, error);
}

int answer_fail(const struct answer *answer, const char *format, ...)
{
    int length = answer->frame.body_length < 512 ? (int)answer->frame.body_length : 512;
    char what[3 * QUOTED_SIZE];
    va_list arguments;

    if (answer->status == -ENXIO && answer->bucket)
        return identity_dropped(answer->bucket);
    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    if (length == 0)
        return message_fail(answer->status, "%s: %s", what, memstore_strerror(answer->status));
    return message_fail(answer->status, "%s: %.*s", what, length, (const char *)answer->frame.body);
}

static bool request_changes(const struct request *request)
{
    switch (request->operation) {
    case OPERATION_PUT:
    case OPERATION_DELETE:
    case OPERATION_COPY:
    case OPERATION_MOVE:
    case OPERATION_TOUCH:
    case OPERATION_ADD:
    case OPERATION_BUCKET_CREATE:
    case OPERATION_BUCKET_DROP:
    case OPERATION_BUCKET_SET:
    case OPERATION_BUCKET_KEEP:
        return true;
    default:
        return false;
    }
}

static bool request_value_in_bulk(const struct request *request)
{
    return request->value.length > INLINE_MAX;
}

static bool request_uses_bulk(const struct request *request)
{
    return request->wants_room || request_value_in_bulk(request);
}

/* Whether the value goes through a window: not one that stands in the buffer already. */
static bool request_streams(const struct request *request, const struct channel *channel)
{
    return channel->connection.ring.page && request->value.length >= STREAM_MIN &&
           request->value.bytes != channel->bulk.data;
}

static int channel_queue_attach(struct channel *channel)
{
    const struct frame_header header = {.operation = OPERATION_ATTACH, .id = ++channel->last_id};

    if (!connection_queue(&channel->connection, &header, 0))
        return -ENOMEM;
    channel->connection.passing_fds[0] = channel->bulk.fd;
    channel->connection.passing = 1;
    return 0;
}

/* A value that is in the bulk buffer already is a writer's. */
static void channel_fill_bulk(struct channel *channel, const struct part *value)
{
    if (value->bytes != channel->bulk.data)
        memcpy(channel->bulk.data, value->bytes, value->length);
}

static void body_fill(uint8_t *place, const struct request *request, const struct part *tail,
                      uint32_t bucket, uint32_t window)
{
    uint8_t *end;

    if (request->condition) {
        memcpy(place, request->condition, sizeof(*request->condition));
        place += sizeof(*request->condition);
    }
    end = place;
    for (size_t i = 0; i < REQUEST_PARTS; i++) {
        if (request->parts[i].length > 0)
            memcpy(end, request->parts[i].bytes, request->parts[i].length);
        end += request->parts[i].length;
    }
    if (request->parts[0].length > 0 && !request->by_name)
        memcpy(place, &bucket, sizeof(bucket));
    if (window > 0)
        memcpy(place + offsetof(struct put_request, window), &window, sizeof(window));
    if (tail->length > 0)
        memcpy(end, tail->bytes, tail->length);
}

static int channel_queue_request(struct channel *channel, const struct request *request,
                                 const struct expected *expected)
{
    struct frame_header header = {.operation = (uint16_t)request->operation, .id = expected->id};
    struct part tail = request->value;
    size_t length;
    uint8_t *body;

    if (request_uses_bulk(request))
        header.flags = FRAME_BULK;
    if (request->wants_room)
        header.bulk_length = (uint32_t)expected->room;
    if (request_value_in_bulk(request)) {
        header.bulk_length = (uint32_t)request->value.length;
        tail.length = 0;
    }
    if (request->condition)
        header.flags |= FRAME_CONDITION;
    length = tail.length + (request->condition ? sizeof(*request->condition) : 0);
    for (size_t i = 0; i < REQUEST_PARTS; i++)
        length += request->parts[i].length;
    body = connection_queue(&channel->connection, &header, length);
    if (!body)
        return -ENOMEM;
    body_fill(body, request, &tail, channel->bucket,
              request_streams(request, channel) ? STREAM_WINDOW : 0);
    return 0;
}

static bool bulk_is_free(const struct channel *channel)
{
    return atomic_load(&channel->connection.ring.page->bulk_use) != RING_BULK_DAEMON;
}

int channel_take_bulk(struct channel *channel, int64_t deadline)
{
    struct ring_page *page = channel->connection.ring.page;
    uint32_t use = RING_BULK_IDLE;
    int r = 0;

    if (channel->holds_bulk)
        return 0;
    while (page && r == 0 &&
           !atomic_compare_exchange_strong(&page->bulk_use, &use, RING_BULK_CLIENT) &&
           use == RING_BULK_DAEMON) {
        use = RING_BULK_IDLE;
        r = ringing_wait(channel, bulk_is_free, deadline);
    }
    channel->holds_bulk = r == 0;
    return r;
}

void channel_give_bulk(struct channel *channel)
{
    struct ring_page *page = channel->connection.ring.page;

    if (page && channel->holds_bulk)
        atomic_store(&page->bulk_use, RING_BULK_IDLE);
    channel->holds_bulk = false;
}

/* Has the bulk buffer ready, with the value in it unless that goes through a window. Where there is
 * none to be had, a small answer will fit its frame. */
static int channel_prepare_bulk(struct channel *channel, struct request *request, int64_t deadline)
{
    bool value = request_value_in_bulk(request);
    bool streams = request_streams(request, channel);
    int r;

    if (!request_uses_bulk(request))
        return 0;
    r = channel_take_bulk(channel, deadline);
    if (r < 0)
        return r;
    r = bulk_reserve(&channel->bulk, streams ? STREAM_WINDOW
                                     : value ? request->value.length
                                             : request->room);
    if (r == 0 && value && !streams)
        channel_fill_bulk(channel, &request->value);
    if (r < 0 && !value && request->room == 0) {
        request->wants_room = false;
        return 0;
    }
    return r;
}

static int channel_await_attach(struct channel *channel, uint64_t id, int64_t deadline)
{
    const struct expected expected = {.operation = OPERATION_ATTACH, .id = id};
    struct answer answer;
    int r = channel_await(channel, &expected, deadline, &answer);

    if (r < 0)
        return r;
    if (answer.status == 0 && answer.frame.body_length > 0)
        return -EPROTO;
    if (answer.status < 0)
        return answer.status;
    connection_consume(&channel->connection, &answer.frame);
    channel->attached = true;
    return 0;
}

/* Has a ring where it is wanted: for those who call often, as it costs a round trip and memory. */
static int channel_prepare_ring(struct channel *channel, int64_t deadline)
{
    int r;

    if (channel->connection.ring.page || channel->calls == MEMSTORE_CALLS_SOCKET ||
        channel->called > RING_AFTER)
        return 0;
    channel->called++;
    if (channel->calls == MEMSTORE_CALLS_AUTO && channel->called <= RING_AFTER)
        return 0;
    channel->called = RING_AFTER + 1;
    r = ringing_attach(channel, deadline);
    if (r <= 0)
        return r;
    return channel->calls == MEMSTORE_CALLS_RING ? -EOPNOTSUPP : 0;
}

/* Sends the request, behind the bulk buffer where that has to go first: one round trip for both. */
static int channel_exchange(struct channel *channel, const struct request *request,
                            int64_t deadline, struct answer *ret_answer)
{
    bool attach = request_uses_bulk(request) && !channel->attached;
    struct expected expected = {.operation = request->operation,
                                .condition = request->condition,
                                .bulk = request->wants_room};
    uint64_t attach_id = channel->last_id + 1;
    int r;

    if (attach) {
        r = channel_queue_attach(channel);
        if (r < 0)
            return r;
    }
    expected.id = ++channel->last_id;
    if (request->wants_room)
        expected.room = channel->bulk.size < BULK_LENGTH_MAX ? channel->bulk.size : BULK_LENGTH_MAX;
    r = channel_queue_request(channel, request, &expected);
    if (r == 0 && attach)
        r = channel_await_attach(channel, attach_id, deadline);
    if (r == 0 && request_streams(request, channel)) {
        r = channel_send_all(channel, deadline);
        if (r == 0)
            r = stream_value(channel, expected.id, &request->value, deadline);
        if (r == -ECONNRESET) /* the daemon may have said why */
            r = 0;
    }
    if (r == 0)
        r = channel_await(channel, &expected, deadline, ret_answer);
    if (r == 0 && request_value_in_bulk(request))
        ret_answer->bulk_used =
            request_streams(request, channel) ? STREAM_WINDOW : request->value.length;
    return r;
}

/* Nothing is under way. */
static void channel_mark(struct channel *channel)
{
    channel->sent = false;
    channel->ring_before = channel->connection.ring.out.position;
}

/* Whether the daemon may have got some of the request under way. From the ring it takes a request
 * before it does anything with it. */
bool channel_has_sent(const struct channel *channel)
{
    const struct ring_page *page = channel->connection.ring.page;

    return channel->sent ||
           (page && atomic_load_explicit(&page->requests_start, memory_order_acquire) !=
                        channel->ring_before);
}

/*
 * One attempt on a connection that is there. *ret_sent: the daemon may have the request, and still
 * be at work on it after an error. Then the bulk buffer must never be used again: it may yet write
 * an answer into it, or read a value from it.
 */
static int channel_attempt(struct channel *channel, struct request *request, int64_t deadline,
                           struct answer *ret_answer, bool *ret_sent)
{
    int r;

    *ret_sent = false;
    channel->sent = false;
    r = channel_prepare_ring(channel, deadline);
    if (r < 0)
        return channel_fail(channel, r);
    r = channel_prepare_bulk(channel, request, deadline);
    if (r == -ECONNRESET || r == -ETIMEDOUT || r == -EPROTO)
        return channel_fail(channel, r);
    if (r < 0) {
        channel_give_bulk(channel);
        return channel_explain(channel, r);
    }
    channel_mark(channel);
    r = channel_exchange(channel, request, deadline, ret_answer);
    if (r == 0)
        return 0;
    *ret_sent = channel_has_sent(channel);
    /* One that is still there may yet take what stands in the ring. */
    if ((*ret_sent || r != -ECONNRESET) && request_uses_bulk(request))
        bulk_finish(&channel->bulk);
    return channel_fail(channel, r);
}

/* Whether the answer did not fit: returns 1 if the request can be repeated with more room, 0 if
 * this answer is the one. */
static int request_grow(struct request *request, struct channel *channel,
                        const struct answer *answer)
{
    uint64_t needed = answer->frame.header.bulk_length;

    if (answer->status != -EMSGSIZE ||
        (request->operation != OPERATION_GET && request->operation != OPERATION_LIST))
        return 0;
    if (needed == 0 || (request->wants_room && needed <= channel->bulk.size))
        return channel_done(channel, answer, -EPROTO);
    request->wants_room = true;
    if (request->operation == OPERATION_LIST)
        needed += needed / 8; /* others may add objects meanwhile */
    request->room = needed < BULK_LENGTH_MAX ? needed : BULK_LENGTH_MAX;
    channel_done(channel, answer, 0);
    return 1;
}

/* -ENOENT is a missing object's; a missing socket is that only to someone who opens. */
int channel_reconnect(struct channel *channel, int64_t deadline)
{
    int r;

    if (channel->connection.fd >= 0)
        return 0;
    r = channel_connect(channel, deadline);
    return r == -ENOENT ? -ECONNREFUSED : r;
}

int channel_begin(struct channel *channel, int64_t deadline)
{
    int r = channel_reconnect(channel, deadline);

    if (r == 0)
        r = channel_prepare_ring(channel, deadline);
    else
        return r;
    if (r == -ECONNRESET) { /* it had been dead before */
        channel_close(channel);
        r = channel_reconnect(channel, deadline);
        if (r < 0)
            return r;
        r = channel_prepare_ring(channel, deadline);
    }
    if (r < 0)
        return channel_fail(channel, r);
    channel_mark(channel);
    return 0;
}

int channel_attach(struct channel *channel, int64_t deadline)
{
    int r = 0;

    if (!channel->attached) {
        r = channel_queue_attach(channel);
        if (r == 0)
            r = channel_await_attach(channel, channel->last_id, deadline);
    }
    if (r == 0)
        channel_mark(channel);
    return r;
}

bool channel_has_news(const struct channel *channel)
{
    char byte;

    if (channel->connection.fd < 0)
        return true;
    return recv(channel->connection.fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) >= 0 ||
           (errno != EAGAIN && errno != EINTR);
}

void channel_end(struct channel *channel)
{
    if (connection_unread(&channel->connection) > 0)
        channel_close(channel); /* more than was asked for */
}

int channel_call(struct channel *channel, struct request *request, int64_t deadline,
                 struct answer *ret_answer)
{
    bool repeated = false;
    bool sent;
    int r;

    for (;;) {
        r = channel_reconnect(channel, deadline);
        if (r < 0)
            return r;
        r = channel_attempt(channel, request, deadline, ret_answer, &sent);
        if (r == 0) {
            r = request_grow(request, channel, ret_answer);
            if (r <= 0)
                return r;
        } else if (r != -ECONNRESET || repeated || (sent && request_changes(request))) {
            return r;
        } else {
            repeated = true;
        }
    }
}

int channel_done(struct channel *channel, const struct answer *answer, int result)
{
    if (result == -EPROTO) {
        bulk_finish(&channel->bulk);
        return channel_fail(channel, result);
    }
    connection_consume(&channel->connection, &answer->frame);
    channel_end(channel);
    /* With a ring the daemon gives back the memory of one that is idle. */
    if (!channel->connection.ring.page)
        bulk_trim(&channel->bulk, BULK_KEPT, answer->bulk_used);
    channel_give_bulk(channel);
    return result;
}
