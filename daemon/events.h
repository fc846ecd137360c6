/*
 * The events of the store: what changed, in the order of versions. The store adds one for each
 * change as it makes it; after the commit whoever waits for changes is told of them, and if the
 * transaction is dropped they are forgotten.
 */
#ifndef MEMSTORED_EVENTS_H
#define MEMSTORED_EVENTS_H

#include <stddef.h>
#include <stdint.h>

/* A kind besides those of the protocol: the bucket was dropped. It ends what waits in it. */
#define EVENT_DROPPED 0

struct event {
    uint64_t version;
    uint32_t bucket;
    uint16_t kind; /* enum event_kind (protocol.h), or EVENT_DROPPED */
    uint16_t key_length;
    uint8_t key[];
};

/* Bytes that it takes, a multiple of 8. */
static inline size_t event_size(const struct event *event)
{
    return (sizeof(*event) + event->key_length + 7) / 8 * 8;
}

struct events {
    uint8_t *bytes;   /* one event behind the other */
    size_t length;    /* of all of them */
    size_t committed; /* of those that are, which come first */
    size_t capacity;
};

/* Drops all. */
void events_finish(struct events *events);

/* Adds one of the running transaction; version and key are copied. -ENOMEM. */
int events_add(struct events *events, const struct event *event, const void *key);

/* The running transaction was committed; it was dropped. */
void events_commit(struct events *events);
void events_forget(struct events *events);

/* Walks over those that are committed: the first one, and the one behind; NULL: there is none. */
const struct event *events_first(const struct events *events);
const struct event *events_next(const struct events *events, const struct event *event);

/* Everybody has been told of those that are committed. */
void events_clear(struct events *events);

#endif
