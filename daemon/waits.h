/*
 * Those who wait for an object: to be there, to change, to be gone. Their conditions are looked at
 * when they come and after each commit that changed the object; in between they cost nothing.
 */
#ifndef MEMSTORED_WAITS_H
#define MEMSTORED_WAITS_H

#include "protocol.h"
#include "store.h"
#include "table.h"

#include <sys/queue.h>

struct client;
struct event;
struct server;
struct wait;

TAILQ_HEAD(wait_queue, wait);

struct waits {
    struct table table;      /* the keys that are waited for */
    struct wait_queue fresh; /* have not been looked at */
    size_t count;
};

/* Negative errno. */
int waits_init(struct waits *waits);
void waits_finish(struct waits *waits);

/* Has the client wait, which does nothing else then; the answer is its request's. Key and header
 * are copied. -ENOMEM. */
int wait_start(struct client *client, const struct frame_header *header,
               const struct store_key *key, enum wait_until until, uint64_t version);

/* The client is gone. */
void wait_cancel(struct wait *wait);

/* An object has changed: answers those for whom that is it. A bucket was dropped: answers all who
 * wait in it, with -ENXIO. */
void waits_tell(struct server *server, const struct event *event);

/* Answers those who have come since the last commit and need not wait at all. */
void waits_begin(struct server *server);

#endif
