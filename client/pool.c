#include "pool.h"

#include "channel_private.h"
#include "handle.h"
#include "message.h"

#include <stdatomic.h>

/* Buffers that nobody uses cost memory; a connection alone costs little. */
static const size_t kept_max[POOL_KINDS] = {[POOL_BUILDS] = 1, [POOL_WAITS] = POOL_KEPT};

static struct channel *take_kept(struct pool *pool, enum pool_kind kind)
{
    struct channel *channel = NULL;

    for (size_t i = 0; i < kept_max[kind] && !channel; i++)
        channel = atomic_exchange(&pool->kept[kind][i], NULL);
    /* A daemon that has ended since is found out now, and not in the middle of a call. */
    if (channel && channel_has_news(channel))
        channel_close(channel);
    return channel;
}

int pool_take(struct memstore *store, enum pool_kind kind, int64_t deadline,
              struct channel **ret_channel)
{
    struct channel *channel;
    int r;

    handle_adopt_if_forked(store);
    channel = take_kept(&store->pool, kind);
    if (!channel)
        channel = channel_create(store->socket, &store->identity,
                                 kind == POOL_WAITS ? MEMSTORE_CALLS_SOCKET : store->calls);
    if (!channel)
        return out_of_memory();
    r = channel_reconnect(channel, deadline);
    if (r < 0)
        channel_destroy(channel);
    else
        *ret_channel = channel;
    return r;
}

void pool_give(struct memstore *store, enum pool_kind kind, struct channel *channel)
{
    for (size_t i = 0; i < kept_max[kind] && channel; i++) {
        struct channel *none = NULL;

        if (atomic_compare_exchange_strong(&store->pool.kept[kind][i], &none, channel))
            channel = NULL;
    }
    channel_destroy(channel);
}

void pool_finish(struct pool *pool)
{
    for (enum pool_kind kind = 0; kind < POOL_KINDS; kind++)
        for (size_t i = 0; i < POOL_KEPT; i++)
            channel_destroy(atomic_exchange(&pool->kept[kind][i], NULL));
}
