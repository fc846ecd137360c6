#include "events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Memory beyond this is not kept; few transactions need so much. */
#define KEPT (256U << 10)

void events_finish(struct events *events)
{
    free(events->bytes);
    *events = (struct events){0};
}

static int make_room(struct events *events, size_t size)
{
    size_t capacity = events->capacity > 0 ? events->capacity : 4096;
    uint8_t *bytes;

    if (events->capacity - events->length >= size)
        return 0;
    while (capacity - events->length < size)
        capacity *= 2;
    bytes = realloc(events->bytes, capacity);
    if (!bytes)
        return -ENOMEM;
    events->bytes = bytes;
    events->capacity = capacity;
    return 0;
}

int events_add(struct events *events, const struct event *event, const void *key)
{
    size_t size = event_size(event);
    uint8_t *place;
    int r = make_room(events, size);

    if (r < 0)
        return r;
    place = events->bytes + events->length;
    memcpy(place, event, sizeof(*event));
    if (event->key_length > 0)
        memcpy(place + sizeof(*event), key, event->key_length);
    events->length += size;
    return 0;
}

void events_commit(struct events *events)
{
    events->committed = events->length;
}

void events_forget(struct events *events)
{
    events->length = events->committed;
}

static const struct event *event_at(const struct events *events, size_t offset)
{
    return offset < events->committed ? (const struct event *)(const void *)(events->bytes + offset)
                                      : NULL;
}

const struct event *events_first(const struct events *events)
{
    return event_at(events, 0);
}

const struct event *events_next(const struct events *events, const struct event *event)
{
    size_t offset = (size_t)((const uint8_t *)event - events->bytes);

    return event_at(events, offset + event_size(event));
}

void events_clear(struct events *events)
{
    size_t rest = events->length - events->committed;

    if (events->committed > 0 && rest > 0)
        memmove(events->bytes, events->bytes + events->committed, rest);
    events->length = rest;
    events->committed = 0;
    if (rest == 0 && events->capacity > KEPT)
        events_finish(events);
}
