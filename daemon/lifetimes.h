/*
 * Between turns: the end of objects whose lifetime is over (store_expire), a share in each turn, so
 * that others go on however many end at once.
 */
#ifndef MEMSTORED_LIFETIMES_H
#define MEMSTORED_LIFETIMES_H

#include <stdbool.h>
#include <stdint.h>

struct client;
struct server;

/* Takes a share of what is over away, in a transaction of its own. */
void lifetimes_end(struct server *server);

/* When there is more to do, as server_now; UINT64_MAX: never. */
uint64_t lifetimes_next(const struct server *server);

/* There is no room for the client's request: whether there will be more when what was over at its
 * first try is gone. */
bool lifetimes_make_room(struct client *client);

#endif
