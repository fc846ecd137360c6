#include "shortage.h"

#include "server.h"

/* How often objects are evicted for one request; how many commits that may take, and bytes besides
 * its own, each time. */
#define TRIES_MAX 64
#define COMMITS_MAX 128
#define MORE (64U << 10)

static bool may_try(const struct client *client, uint32_t bucket)
{
    return client->shortages < TRIES_MAX && store_evicts(client->server->store, bucket);
}

bool shortage_note(struct client *client, uint32_t bucket)
{
    client->is_short = may_try(client, bucket);
    return client->is_short;
}

bool shortage_ease(struct client *client, uint32_t bucket, uint64_t size)
{
    struct server *server = client->server;
    uint64_t wanted, done = 0;

    client->is_short = false;
    if (!may_try(client, bucket))
        return false;
    /* More each time: what becomes free lies in pieces. */
    wanted = (size + MORE) * ++client->shortages;
    for (int i = 0; i < COMMITS_MAX && done < wanted; i++) {
        int64_t bytes = store_evict(server->store, bucket, wanted - done);

        if (bytes <= 0)
            break;
        done += (uint64_t)bytes;
        server_commit(server); /* then there may be memory for the next one */
    }
    return done > 0 && !client->dead;
}
