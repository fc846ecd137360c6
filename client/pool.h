/*
 * Channels besides a handle's own, for calls that need one for themselves: who builds a value in
 * the bulk buffer, who waits. They are kept for the next one.
 */
#ifndef MEMSTORE_POOL_H
#define MEMSTORE_POOL_H

#include "channel.h"

struct memstore;

enum pool_kind {
    POOL_BUILDS, /* its bulk buffer is warm, and it has a ring where the handle's calls do */
    POOL_WAITS,  /* it has none: who waits long for an answer is woken by the socket */
    POOL_KINDS,
};

#define POOL_KEPT 8 /* of a kind, at most */

struct pool {
    struct channel *_Atomic kept[POOL_KINDS][POOL_KEPT];
};

/* Takes one, which has a connection. Errors as of channel_call. */
int pool_take(struct memstore *store, enum pool_kind kind, int64_t deadline,
              struct channel **ret_channel);

/* Gives it back, or ends it where enough are kept. NULL is fine. */
void pool_give(struct memstore *store, enum pool_kind kind, struct channel *channel);

/* Ends all that are kept. */
void pool_finish(struct pool *pool);

#endif
