/*
 * The history: the last events of all buckets, as many as its memory takes. Who watches from an
 * earlier version on, or has fallen behind, is told from here; so nobody who watches has a queue of
 * their own, however slow they are.
 */
#ifndef MEMSTORED_HISTORY_H
#define MEMSTORED_HISTORY_H

#include <stddef.h>
#include <stdint.h>

struct event;

#define HISTORY_COUNT 65536U              /* events at most; a power of two */
#define HISTORY_BYTES (UINT32_C(4) << 20) /* bytes of them */

struct history {
    uint8_t *bytes;     /* a circle; each event stands in one piece */
    uint32_t *places;   /* where event n stands: at n modulo HISTORY_COUNT */
    uint64_t first;     /* number of the oldest one; numbers only grow */
    uint64_t end;       /* of the next one to come */
    size_t at;          /* where that goes */
    uint64_t forgotten; /* of all that is newer than this version, every event is here */
};

/* Begins without events, at that version of the store. -ENOMEM. */
int history_init(struct history *history, uint64_t version);
void history_finish(struct history *history);

/* Adds a copy of the next event, and forgets what stands in its way. */
void history_add(struct history *history, const struct event *event);

/* An event that is here, by its number. */
const struct event *history_at(const struct history *history, uint64_t number);

/* The number of the first event here that is newer than the version; `end`: there is none. */
uint64_t history_after(const struct history *history, uint64_t version);

#endif
