/*
 * Between turns: what dropped buckets leave (store_clear_dropped) is removed, a share in each turn,
 * so that others go on however much it is.
 */
#ifndef MEMSTORED_REMAINS_H
#define MEMSTORED_REMAINS_H

#include <stdint.h>

struct server;

/* Removes a share, in a transaction of its own. */
void remains_clear(struct server *server);

/* When there is more to do, as server_now; UINT64_MAX: never. */
uint64_t remains_next(const struct server *server);

#endif
