#include "stream.h"

#include "deadline.h"
#include "ringing.h"

#include <errno.h>
#include <string.h>

/* Bytes after which the daemon is told: few enough that both work at once. */
#define PIECE (UINT64_C(64) << 10)

/* How much of the window is free. -EPROTO: the daemon claims to have taken what it can't have. */
static int64_t window_room(const struct channel *channel)
{
    const struct ring_page *page = channel->connection.ring.page;
    uint64_t drained = atomic_load_explicit(&page->drained, memory_order_acquire);
    uint64_t taken = drained >> 32 == (uint32_t)channel->stream_id ? (uint32_t)drained : 0;

    if (taken > channel->filled)
        return -EPROTO;
    return (int64_t)(STREAM_WINDOW - (channel->filled - taken));
}

/* Some of it, at least; it may have come with the answer to the request before. */
static bool has_answer(const struct channel *channel)
{
    return connection_unread(&channel->connection) > 0 ||
           ring_available(&channel->connection.ring) != 0;
}

static bool has_news(const struct channel *channel)
{
    return window_room(channel) != 0 || has_answer(channel);
}

static uint64_t min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Copies the next piece into the window, and tells the daemon. */
static int fill_piece(struct channel *channel, const struct part *value, uint64_t room)
{
    struct ring_page *page = channel->connection.ring.page;
    uint64_t offset = channel->filled % STREAM_WINDOW;
    uint64_t size = min(min(PIECE, room), STREAM_WINDOW - offset);

    size = min(size, value->length - channel->filled);
    memcpy(channel->bulk.data + offset, (const uint8_t *)value->bytes + channel->filled, size);
    channel->filled += size;
    atomic_store_explicit(&page->filled, RING_PROGRESS(channel->stream_id, channel->filled),
                          memory_order_release);
    return ringing_wake(channel, RING_AWAITS_FILLED);
}

int stream_value(struct channel *channel, uint64_t id, const struct part *value, int64_t deadline)
{
    int r = 0;

    channel->stream_id = id;
    channel->filled = 0;
    while (r == 0 && channel->filled < value->length && !has_answer(channel)) {
        int64_t room = window_room(channel);

        if (room < 0)
            r = (int)room;
        else if (deadline_left(deadline) == 0)
            r = -ETIMEDOUT;
        else if (room == 0)
            r = ringing_wait(channel, has_news, deadline);
        else
            r = fill_piece(channel, value, (uint64_t)room);
    }
    return r;
}
