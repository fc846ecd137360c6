/*
 * Between turns: the end of objects whose lifetime is over (store_expire), and of those whose
 * client is gone (store_bury), a share in each turn, so that others go on however many end at once.
 */
#ifndef MEMSTORED_LIFETIMES_H
#define MEMSTORED_LIFETIMES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct client;
struct server;

/* What a client is to the objects that end with it. */
struct owner {
    uint32_t number;
    uint32_t objects; /* at most; counted anew where that is too many */
    uint64_t counted; /* when that was last done; 0: it may be done again */
    STAILQ_ENTRY(owner) entry;
};

STAILQ_HEAD(owner_queue, owner);

/* At the start: what ends with clients of an earlier daemon is gone. Negative errno. */
int lifetimes_begin(struct server *server);
void lifetimes_finish(struct server *server);

/* One more object is to end with the client, or a bucket, which weighs as many; the client's number
 * as an owner is given. -EDQUOT: it has as many as it may; -ENOMEM. */
int lifetimes_own(struct client *client, uint32_t weight, uint32_t *ret_owner);

/* The client is gone. */
void lifetimes_abandon(struct client *client);

/* Takes a share of what is over away, in transactions of its own. */
void lifetimes_end(struct server *server);

/* When there is more to do, as server_now; UINT64_MAX: never. */
uint64_t lifetimes_next(const struct server *server);

/* There is no room for the client's request: whether there will be more when what was over at its
 * first try is gone. */
bool lifetimes_make_room(struct client *client);

#endif
