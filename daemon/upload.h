/*
 * A PUT of a large value under way. Its bytes are copied into the store piece by piece, a bounded
 * number in each turn, so that nobody waits for the whole; the client's other requests wait for
 * its end. What others do to the object meanwhile happens before it: the put takes place when all
 * its bytes are there.
 */
#ifndef MEMSTORED_UPLOAD_H
#define MEMSTORED_UPLOAD_H

#include "client.h"
#include "store.h"

#include <stdbool.h>

struct server;
struct upload;

#define UPLOAD_MIN (256U << 10) /* larger values come so; they stand in the bulk buffer */

/* Begins one for the client, which is its only one then. All that is given is copied.
 * With a window (protocol.h; 0: none) the client has a ring. -ENOMEM, and as store_upload_begin. */
int upload_start(struct client *client, const struct frame_header *header, uint32_t window,
                 const struct store_key *key, const struct record *attributes,
                 const struct store_terms *terms);

/* Sees whether one that waits has got more bytes from its client. */
bool upload_look(struct upload *upload);

/* Ends it; without its last step there is no object. The client gets no answer. */
void upload_cancel(struct upload *upload);

/* Whether it can go on only when its client does something. */
bool upload_waits(const struct upload *upload);

/* Goes on a little with those that can; after the commit of a turn. */
void uploads_continue(struct server *server);

#endif
