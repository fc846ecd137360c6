/*
 * A LIST under way. A scan of many objects takes long, so it goes on a little in every turn; the
 * client's other requests wait for it, everybody else's do not. It begins after the commit of the
 * turn it came in, so that it sees what the client did before.
 */
#ifndef MEMSTORED_LISTING_H
#define MEMSTORED_LISTING_H

#include "client.h"
#include "store.h"

struct server;
struct listing;

/* What to list; pointers are copied from. `after` may be NULL. */
struct listing_request {
    const struct frame_header *header;
    struct store_key prefix;
    const struct store_key *after;
    uint64_t limit;
    uint8_t *room; /* in the client's bulk buffer; NULL: the answer has to fit its frame */
};

/* -ENOMEM. */
int listing_start(struct client *client, const struct listing_request *request);

/* The client is gone. */
void listing_cancel(struct listing *listing);

/* Goes on a little with each. */
void listings_continue(struct server *server);

/* Goes on until all are done. */
void listings_finish(struct server *server);

#endif
