#include "ring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

void ring_init(struct ring *ring, void *file, bool is_daemon)
{
    struct ring_page *page = file;
    uint8_t *bytes = file;
    const struct ring_stream requests = {.bytes = bytes + RING_REQUESTS,
                                         .mine = &page->requests_end,
                                         .theirs = &page->requests_start};
    const struct ring_stream answers = {
        .bytes = bytes + RING_ANSWERS, .mine = &page->answers_start, .theirs = &page->answers_end};

    *ring = (struct ring){.page = page, .in = answers, .out = requests};
    if (!is_daemon)
        return;
    ring->in = requests;
    ring->in.mine = requests.theirs;
    ring->in.theirs = requests.mine;
    ring->out = answers;
    ring->out.mine = answers.theirs;
    ring->out.theirs = answers.mine;
}

void ring_finish(struct ring *ring)
{
    if (ring->page)
        munmap(ring->page, RING_FILE_SIZE);
    *ring = (struct ring){0};
}

int ring_available(const struct ring *ring)
{
    uint32_t end = atomic_load_explicit(ring->in.theirs, memory_order_acquire);
    uint32_t available = end - ring->in.position;

    return available <= RING_SIZE ? (int)available : -EPROTO;
}

int ring_room(const struct ring *ring)
{
    uint32_t start = atomic_load_explicit(ring->out.theirs, memory_order_acquire);
    uint32_t used = ring->out.position - start;

    return used <= RING_SIZE ? (int)(RING_SIZE - used) : -EPROTO;
}

/* How much of `size` bytes stands before the circle closes. */
static size_t before_wrap(const struct ring_stream *stream, size_t size)
{
    size_t rest = RING_SIZE - stream->position % RING_SIZE;

    return size < rest ? size : rest;
}

static void stream_advance(struct ring_stream *stream, size_t size)
{
    stream->position += (uint32_t)size;
    atomic_store_explicit(stream->mine, stream->position, memory_order_release);
}

int ring_take(struct ring *ring, uint8_t *to, size_t size)
{
    struct ring_stream *in = &ring->in;
    int available = ring_available(ring);
    size_t first;

    if (available <= 0)
        return available;
    if (size > (size_t)available)
        size = (size_t)available;
    first = before_wrap(in, size);
    memcpy(to, in->bytes + in->position % RING_SIZE, first);
    memcpy(to + first, in->bytes, size - first);
    stream_advance(in, size);
    return (int)size;
}

int ring_put(struct ring *ring, const uint8_t *from, size_t size)
{
    struct ring_stream *out = &ring->out;
    int room = ring_room(ring);
    size_t first;

    if (room <= 0)
        return room;
    if (size > (size_t)room)
        size = (size_t)room;
    first = before_wrap(out, size);
    memcpy(out->bytes + out->position % RING_SIZE, from, first);
    memcpy(out->bytes, from + first, size - first);
    stream_advance(out, size);
    return (int)size;
}
